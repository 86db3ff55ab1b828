//! What is written down after each step: answers, limits, breakers, events, instruments.

use std::sync::Arc;

use domain::{Directory, Instant, VendorId};
use resilience::quota::{VendorWord, Window};
use telemetry::{Event, EventKind};
use vendors::plan::Per;
use vendors::{Capability, Data};

use crate::answer::Answer;
use crate::consequence::Consequence;
use crate::gateway::{Gateway, simulated_fact, window_word};
use crate::seams::StoreError;
use crate::upstream::Upstream;

impl Gateway {
    /// Takes note of an answer: voices, health, store, decision record.
    pub(crate) fn keep(&self, answer: &Arc<Answer>) {
        let grade = self.grade_at(answer, answer.received_at, false);
        let score = grade.score.points();
        if let Some(vendor) = answer.vendor() {
            self.observe_judged(vendor, answer, &grade);
        }
        if let (Some(vendor), Data::Quotes(rows)) = (answer.vendor(), &answer.data) {
            let upstream = self.upstream(vendor);
            upstream.health.lock().graded(f64::from(score));
            self.hear(answer);
            for row in rows {
                if let Ok(quote) = &row.quote {
                    self.scribe.quote(crate::series::StoredQuote {
                        instrument: row.instrument.clone(),
                        vendor,
                        simulated: answer.simulated,
                        quote: quote.clone(),
                        received_at: answer.received_at,
                        score,
                    });
                }
            }
        } else if let (Some(vendor), Data::Bars(_)) = (answer.vendor(), &answer.data) {
            self.upstream(vendor).health.lock().graded(f64::from(score));
        }
        if !answer.decision.candidates.is_empty() || !answer.decision.attempts.is_empty() {
            self.recall.keep(answer.decision.id.clone(), Arc::clone(&answer.decision));
            self.scribe.decision(Arc::clone(&answer.decision));
        }
    }

    /// A reply said that it comes from a simulation: remembered with the host, so that its rows and real
    /// ones never mix, over restarts too.
    pub(crate) fn note_simulated(&self, upstream: &Upstream, simulated: bool) {
        if simulated && upstream.found_simulated() {
            let (store, name) = (Arc::clone(&self.store), simulated_fact(upstream));
            tokio::spawn(async move { store.put_fact(&name, "true".to_owned()).await });
        }
    }

    pub(crate) fn windows_of(&self, upstream: &Upstream) -> Vec<&'static str> {
        upstream
            .limiter
            .status(self.clock.now())
            .iter()
            .map(|status| window_word(status.limit.window))
            .collect()
    }

    /// Believes a vendor that says less is left of its quota than we counted (LIM-6).
    pub(crate) async fn heed(&self, upstream: &Upstream, allowance: vendors::Allowance, now: Instant) {
        let window = match allowance.per {
            Per::Sliding(length) => Window::Sliding(length),
            Per::Day => Window::Day,
            Per::Month => Window::Month,
        };
        let word = VendorWord::Remaining { window, left: allowance.left, resets: allowance.resets };
        if let Err(error) = upstream.limiter.observe(word, now, &*self.store).await {
            self.store_failed(&error);
        }
    }

    /// Draws what follows from a failure besides the breaker.
    pub(crate) async fn draw(
        &self,
        upstream: &Upstream,
        capability: Capability,
        consequence: Consequence,
        now: Instant,
    ) {
        if let Some(word) = consequence.word
            && let Err(error) = upstream.limiter.observe(word, now, &*self.store).await
        {
            self.store_failed(&error);
        }
        if consequence.removes_capability {
            let retry_at = upstream.remove(capability, now);
            let capability = capability.as_str().to_owned();
            self.tell(Some(upstream.vendor()), EventKind::CapabilityRemoved { capability, retry_at });
        }
        // A plan that includes nothing any more is a key that opens nothing.
        let opens_nothing = consequence.removes_capability && upstream.is_refused_everything(now);
        if opens_nothing {
            self.tell(Some(upstream.vendor()), EventKind::KeyRefused);
        }
        if consequence.blames_key || opens_nothing {
            let moved = upstream.breaker.lock().unauthorized(now);
            self.breakers_moved(upstream, vec![moved]);
        }
        if let Some(event) = consequence.event {
            self.tell(Some(upstream.vendor()), event);
        }
    }

    pub(crate) fn store_failed(&self, error: &StoreError) {
        self.tell(None, EventKind::StoreFailed { reason: error.to_string() });
    }

    /// Tells an event to the store, and to whoever listens.
    pub(crate) fn tell(&self, vendor: Option<VendorId>, kind: EventKind) {
        let event = Event { at: self.clock.now(), vendor, kind };
        self.recall.event(event.clone());
        self.scribe.event(event);
    }

    /// The newest events, oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.recall.events()
    }

    /// Every event from now on.
    pub fn listen(&self) -> tokio::sync::broadcast::Receiver<Event> {
        self.recall.listen()
    }

    /// The system clock has moved away from ours by more than a second; ours stays as it is.
    pub fn clock_stepped(&self, by_ms: i64) {
        self.tell(None, EventKind::ClockStepped { by_ms });
    }

    /// Takes over a vendor's list of instruments.
    ///
    /// # Errors
    /// [`StoreError`]; the directory in memory has them all the same.
    pub async fn learn_instruments(
        &self,
        vendor: VendorId,
        instruments: Vec<domain::Instrument>,
    ) -> Result<(), StoreError> {
        let mut directory = Directory::clone(&self.directory());
        for instrument in &instruments {
            directory.insert(instrument.clone());
        }
        *self.directory.write() = Arc::new(directory);
        self.store.put_instruments(vendor, instruments, self.clock.now()).await
    }
}
