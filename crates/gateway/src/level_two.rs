//! The second level of the cache (CCH-1): what one instance received serves the others too.
//!
//! Shared is what a vendor said, not what we made of it: whoever takes it judges it anew, with its own evidence
//! and its own clock. It serves the same question under the same policy, from the same account. An invalidation
//! reaches every instance and gives the instrument another fence: what was asked for before it is not kept after it.
//! Without the others everything works as if nobody had anything.

use std::sync::Arc;
use std::time::Duration;

use domain::{Instant, InstrumentId};
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use vendors::{Capability, Data, Question, Quoted};

use crate::answer::{Answer, CacheState};
use crate::cache::tags::Tags;
use crate::flight_key::FlightKey;
use crate::gateway::Gateway;
use crate::pipeline::Reply;
use crate::request::{Request, Strategy};
use crate::seams::Shared;
use crate::series::StoredQuote;
use crate::shared::{Fence, SharedQuote};
use crate::trail::Trail;
use crate::upstream::Upstream;

/// After a failure nobody is asked for so long: a request waits for the others once, not each time.
const PAUSE: Duration = Duration::from_secs(1);

/// The way to what others have received.
pub(crate) struct LevelTwo {
    shared: Arc<dyn Shared>,
    paused_until: Mutex<Instant>,
}

impl LevelTwo {
    pub(crate) fn new(shared: Arc<dyn Shared>) -> LevelTwo {
        LevelTwo { shared, paused_until: Mutex::new(Instant::MIN) }
    }

    fn is_open(&self, now: Instant) -> bool {
        self.shared.instances().is_some() && *self.paused_until.lock() <= now
    }
}

/// What the others have for a question.
#[derive(Default)]
pub(crate) struct FromOthers {
    /// Their answer, judged by us.
    pub answer: Option<Answer>,
    /// The state of the instrument when we asked.
    pub fence: Option<Fence>,
}

impl Gateway {
    /// What another instance received for this question and is still fresh here and now.
    pub(crate) async fn ask_others(&self, request: &Request, trail: &Trail) -> FromOthers {
        let Some((instrument, question)) = sharable(request) else { return FromOthers::default() };
        if !self.level_two.is_open(self.clock.now()) {
            return FromOthers::default();
        }
        let found = self.level_two.shared.find(instrument, &question).await;
        let now = self.clock.now();
        let Ok((fence, quote)) = found else {
            *self.level_two.paused_until.lock() = now + PAUSE;
            return FromOthers::default();
        };
        let answer = match quote {
            Some(quote) => self.judge_others(quote, request, now, trail).await,
            None => None,
        };
        FromOthers { answer, fence: Some(fence) }
    }

    async fn judge_others(
        &self,
        shared: SharedQuote,
        request: &Request,
        now: Instant,
        trail: &Trail,
    ) -> Option<Answer> {
        let upstream = self.find_upstream(shared.quote.vendor)?;
        let may_answer = self.account_of(upstream) == shared.account
            && self.is_listed(upstream.vendor(), &request.policy)
            && upstream.barred(Capability::Quote, now).is_none();
        if !may_answer {
            return None;
        }
        let StoredQuote { instrument, vendor, simulated, quote, .. } = shared.quote;
        let received_at = now - shared.ago;
        let rows = vec![Quoted { instrument, quote: Ok(quote) }];
        let reply = Reply { data: Data::Quotes(rows), received_at, simulated, cut_short: false };
        let question = upstream.question_for(&request.question, now);
        let answer = self.judge(upstream, &question, reply, trail).await.ok()?;
        let served = self.serve(Arc::new(answer), CacheState::Hit);
        if self.unmet(&served, &request.policy).is_some() {
            return None;
        }
        trail.note(format!("another instance received this from {vendor} {} ms ago", shared.ago.as_millis()));
        Some(Arc::unwrap_or_clone(served.answer))
    }

    /// Lets other instances have what a vendor said, before anybody hears of it from us.
    pub(crate) async fn show_others(&self, request: &Request, answer: &Answer, fence: Option<Fence>) {
        let (Some((instrument, question)), Some(fence)) = (sharable(request), fence) else { return };
        let (Data::Quotes(rows), [vendor]) = (&answer.data, &answer.vendors[..]) else { return };
        let Some(Ok(quote)) = rows.first().map(|row| &row.quote) else { return };
        let now = self.clock.now();
        let shared = SharedQuote {
            account: self.account_of(self.upstream(*vendor)),
            quote: StoredQuote {
                instrument: instrument.clone(),
                vendor: *vendor,
                simulated: answer.simulated,
                quote: quote.clone(),
                received_at: answer.received_at,
                score: 0.0,
            },
            ago: now.since(answer.received_at),
            keep: answer.fresh_until.since(now),
        };
        // What is lost here costs somebody else a call.
        if self.level_two.is_open(now) && self.level_two.shared.keep(&question, &shared, fence).await.is_err()
        {
            *self.level_two.paused_until.lock() = self.clock.now() + PAUSE;
        }
    }

    /// Forgets every answer about an instrument, here and in all other instances.
    pub(crate) fn forget(&self, instrument: &InstrumentId) {
        self.cache.invalidate(&Tags::about(instrument));
        self.forget_elsewhere(instrument);
    }

    /// Lets all instances forget every answer about an instrument.
    pub(crate) fn forget_elsewhere(&self, instrument: &InstrumentId) {
        if self.level_two.shared.instances().is_some() {
            let (others, instrument) = (Arc::clone(&self.level_two.shared), instrument.clone());
            tokio::spawn(async move { others.forget(&instrument).await });
        }
    }

    fn account_of(&self, upstream: &Upstream) -> String {
        let settings = &upstream.settings;
        let key = settings.key.as_ref().map(|key| key.expose_secret());
        self.level_two.shared.account(upstream.vendor(), &settings.base_url, key)
    }
}

/// The instrument and the text of a question that all instances may answer alike: one quote from one vendor.
fn sharable(request: &Request) -> Option<(&InstrumentId, String)> {
    let Question::Quotes { instruments, .. } = &request.question else { return None };
    let [instrument] = &instruments[..] else { return None };
    if request.policy.strategy == Some(Strategy::Consensus) || request.policy.asof.is_some() {
        return None;
    }
    Some((instrument, format!("{:?}", FlightKey::of(&request.question, &request.policy))))
}

/// Hears what other instances forget, as long as the gateway lives.
pub(crate) fn listen_to_others(gateway: &Arc<Gateway>) {
    if gateway.level_two.shared.instances().is_none() {
        return;
    }
    let (others, clock) = (Arc::clone(&gateway.level_two.shared), Arc::clone(gateway.clock()));
    let gateway = Arc::downgrade(gateway);
    tokio::spawn(async move {
        loop {
            let heard = others.forgotten().await;
            let Some(gateway) = gateway.upgrade() else { return };
            match heard {
                Ok(Some(instrument)) => {
                    gateway.cache.invalidate(&Tags::about(&instrument));
                }
                // Something may have been said while we did not listen.
                Ok(None) => gateway.cache.clear(),
                Err(_) => {
                    drop(gateway);
                    clock.sleep_until(clock.now() + PAUSE).await;
                }
            }
        }
    });
}
