//! Several vendors asked at once; each hears the others, and the answer with the best support wins (RTE-2).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use domain::VendorId;
use futures_util::stream::{FuturesUnordered, StreamExt};
use vendors::Data;

use crate::answer::{Answer, AttemptError, CacheState};
use crate::gateway::Gateway;
use crate::pipeline::Terms;
use crate::request::Policy;
use crate::trail::Trail;
use crate::upstream::Upstream;
use crate::walk::{Ranked, Walked};

/// A voter silent for so long is not waited for.
const LATEST: Duration = Duration::from_millis(500);

/// Vendors asked at once: the fewest among which one can be outvoted.
const VOTERS: usize = 3;

impl Gateway {
    /// Asks the first vendors of a ranking together and takes the answer that grades highest once all have
    /// been heard: a value that others contradict is capped, so a majority outweighs it. Whoever is needed
    /// beyond them is asked in order.
    pub(crate) async fn consult<'a, F>(
        &'a self,
        ranking: &Ranked,
        terms: Terms,
        trail: &Trail,
        policy: &Policy,
        attempt: impl Fn(Arc<Upstream>, bool) -> F,
    ) -> Walked
    where
        F: Future<Output = Result<Answer, AttemptError>> + Send + 'a,
    {
        if let Some(refused) = self.shed(ranking, terms.priority, trail) {
            return refused;
        }
        let (voters, others) = ranking.order.split_at(VOTERS.min(ranking.order.len()));
        let asked = voters.iter().map(|vendor| {
            let said = attempt(Arc::clone(self.upstream(*vendor)), false);
            async move { (*vendor, said.await) }
        });
        let mut answers: Vec<Answer> = Vec::new();
        let mut refusals: Vec<(VendorId, AttemptError)> = Vec::new();
        let mut running: FuturesUnordered<_> = asked.collect();
        let late_at = self.clock.now() + LATEST;
        // A voter that is late is not waited for once there is something to say.
        while !running.is_empty() && (answers.is_empty() || self.clock.now() < late_at) {
            tokio::select! {
                biased;
                Some((vendor, said)) = running.next() => match said {
                    Ok(answer) => {
                        self.hear(&answer);
                        answers.push(answer);
                    }
                    Err(error) => refusals.push((vendor, error)),
                },
                () = self.clock.sleep_until(late_at), if !answers.is_empty() => break,
                () = self.clock.sleep_until(terms.deadline) => break,
            }
        }
        drop(running);
        let best = answers
            .into_iter()
            .map(|answer| self.cross_checked(&answer).unwrap_or(answer))
            .map(|answer| self.serve(Arc::new(answer), CacheState::Miss))
            .max_by(|a, b| a.grade.score.cmp(&b.grade.score));
        if let Some(served) = best
            && self.unmet(&served, policy).is_none()
        {
            let names: Vec<&str> = voters.iter().map(|vendor| vendor.as_str()).collect();
            let vendor = served.answer.vendor().map_or("nobody", |vendor| vendor.as_str());
            let agreement = served.answer.evidence.agreement.as_str();
            trail.note(format!("asked {} together; {vendor}'s value stands ({agreement})", names.join(", ")));
            let answer = Arc::unwrap_or_clone(served.answer);
            return Walked { answer: Some(answer), best: None, refusals, timed_out: false };
        }
        let rest = Ranked { order: others.to_vec(), ..ranking.clone() };
        let mut walked = self.walk_on(&rest, terms, trail, policy, attempt).await;
        refusals.append(&mut walked.refusals);
        Walked { refusals, ..walked }
    }

    /// Takes note of a quote as one vendor's voice.
    pub(crate) fn hear(&self, answer: &Answer) {
        if let (Some(vendor), Data::Quotes(rows)) = (answer.vendor(), &answer.data) {
            for row in rows {
                if let Ok(quote) = &row.quote {
                    self.voices.heard(&row.instrument, self.upstream(vendor), quote, answer.received_at);
                }
            }
        }
    }
}
