//! What is fetched before anybody waits for it: stale answers behind their serving, answers that are asked for
//! before they end (CCH-5), the most asked ones at the start, and regular questions before they come (CCH-6).

use std::sync::Arc;
use std::time::Duration;

use domain::{Instant, VendorId};
use resilience::forecast::{WARN, reserve};
use resilience::quota::Window;
use vendors::{Capability, Question};

use crate::answer::Answer;
use crate::cache::Lookup;
use crate::cache::kept::Kept;
use crate::cache::tags::Namespace;
use crate::flight_key::{FlightKey, Sought};
use crate::gateway::Gateway;
use crate::request::{Failover, Policy, Priority, Request, Strategy};
use crate::router::Ranking;
use crate::trail::Wish;
use crate::upstream::Upstream;

/// The fact that holds what was asked for most.
const ASKED_MOST: &str = "asked_most";
/// Calls a day or month from which on one is a small thing.
const LARGE: f64 = 1_000.0;
const DAY: Duration = Duration::from_secs(86_400);

/// For whom an answer is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A caller waits for it.
    Caller,
    /// Nobody does yet.
    Ahead,
}

/// How careful work is that nobody waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Thrift {
    /// Callers ask for it all the time.
    Asked,
    /// Somebody may ask for it: nothing that costs money, and nothing of what requests will need.
    Guessed,
}

impl Gateway {
    /// Keeps an answer in memory, with the life that its class and experience give it.
    pub(crate) fn keep_in_memory(
        self: &Arc<Self>,
        key: FlightKey,
        mut answer: Answer,
        began: Instant,
        purpose: Purpose,
    ) -> Arc<Answer> {
        let now = self.clock.now();
        let namespace = Namespace::of(&key.question);
        let draw = self.entropy.unit();
        let tick = answer.instrument().and_then(|id| self.record_of(id).ticks?.step_at(price_of(&answer)?));
        let missed = purpose == Purpose::Caller;
        let spares = |vendor| has_spare(self.upstream(vendor), Thrift::Asked, now);
        let has_spare = answer.vendor().is_none_or(spares);
        let (life, learned) = self.lifetimes.begin(&answer, tick, missed, has_spare, draw, now);
        (answer.fresh_until, answer.stale_until) = (life.fresh_until, life.stale_until);
        let answer = Arc::new(answer);
        let kept = Kept::new(Arc::clone(&answer), namespace, life, now.since(began), draw, learned);
        match purpose {
            Purpose::Caller => self.expect_again(&key, now),
            Purpose::Ahead => self.cache.fetched_ahead(namespace),
        }
        self.cache.insert(key, kept, now);
        answer
    }

    /// Remembers that nobody knows a symbol, with a tenth of jitter either way.
    pub(crate) fn remember_unknown(&self, key: FlightKey) {
        let holds = self.settings.cache.negative.mul_f64(0.9 + 0.2 * self.entropy.unit());
        self.cache.insert_unknown(key, self.clock.now() + holds);
    }

    /// Takes note that a fresh answer was read, and sees to it that the next reader finds one as well.
    pub(crate) fn was_read(self: &Arc<Self>, key: &FlightKey, kept: &Arc<Kept>, now: Instant) {
        let is_first = kept.read(now);
        if !self.settings.cache.refresh_ahead {
            return;
        }
        if kept.class().is_kept_live() {
            if is_first {
                self.refresh_at_its_end(key, kept);
            }
        } else if kept.is_due_early(now, || self.entropy.unit()) {
            self.refresh_ahead(key, kept);
        }
    }

    /// Waits for the end of an answer that is asked for, and fetches it anew in time.
    fn refresh_at_its_end(self: &Arc<Self>, key: &FlightKey, kept: &Arc<Kept>) {
        let Some(at) = kept.refresh_at(self.entropy.unit()) else { return };
        let (gateway, key, kept) = (Arc::clone(self), key.clone(), Arc::clone(kept));
        tokio::spawn(async move {
            gateway.clock.sleep_until(at).await;
            if gateway.cache.holds(&key, &kept) {
                gateway.refresh_ahead(&key, &kept);
            }
        });
    }

    fn refresh_ahead(self: &Arc<Self>, key: &FlightKey, kept: &Arc<Kept>) {
        if let Some(policy) = self.policy_in_spare_quota(key, Thrift::Asked) {
            self.refresh(key, kept, policy);
        }
    }

    /// Refreshes an answer while its stale form is served, once at a time.
    pub(crate) fn revalidate(self: &Arc<Self>, key: &FlightKey, kept: &Arc<Kept>, priority: Priority) {
        self.refresh(key, kept, key.policy(priority));
    }

    fn refresh(self: &Arc<Self>, key: &FlightKey, kept: &Arc<Kept>, policy: Policy) {
        let Some(turn) = kept.begin_refresh() else { return };
        let (gateway, key) = (Arc::clone(self), key.clone());
        tokio::spawn(async move {
            let _turn = turn;
            gateway.fetch_ahead(key, policy).await;
        });
    }

    /// Fetches an answer nobody waits for; returns whether it came.
    async fn fetch_ahead(self: &Arc<Self>, key: FlightKey, policy: Policy) -> bool {
        let request = Request {
            id: self.new_request_id(),
            question: key.question.clone(),
            policy,
            received_at: self.clock.now(),
        };
        let again = Arc::clone(self);
        let wanted = (request.policy.priority, request.received_at + self.time_for(&request));
        let sought = Sought::of(key.clone(), &request.policy);
        let start = |urgency| {
            let wish = Wish { urgency: Some(urgency), is_refresh: true, approach: None };
            async move { again.fetch(&request, key, Purpose::Ahead, wish).await }
        };
        let (landed, _) = self.flights.join(sought, wanted, start).await;
        landed.is_some_and(|landed| landed.is_ok())
    }

    /// The policy under which a question may be asked ahead: of vendors that have quota to spare. `None` where
    /// none has.
    fn policy_in_spare_quota(&self, key: &FlightKey, thrift: Thrift) -> Option<Policy> {
        let now = self.clock.now();
        let policy = key.policy(Priority::Low);
        let capability = match key.question.capability() {
            Capability::BidAsk => Capability::Quote,
            other => other,
        };
        let able: Vec<&Arc<Upstream>> = self
            .upstreams
            .iter()
            .filter(|upstream| {
                self.is_listed(upstream.vendor(), &policy)
                    && upstream.barred(capability, now).is_none()
                    && upstream.breaker.lock().check(now, Priority::Low).is_ok()
            })
            .collect();
        let spare: Vec<VendorId> = able
            .iter()
            .filter(|upstream| has_spare(upstream, thrift, now))
            .map(|upstream| upstream.vendor())
            .collect();
        match &key.question {
            _ if spare.is_empty() => None,
            _ if spare.len() == able.len() => Some(policy),
            // A quote is as good from another vendor, unless the strategy says from whom; a series stays with
            // its own.
            Question::Quotes { .. } => {
                let vendors = match policy.strategy.unwrap_or(self.settings.routing.strategy) {
                    Strategy::WeightedRoundRobin => spare,
                    Strategy::Consensus => return None,
                    Strategy::Best | Strategy::Fastest | Strategy::Cheapest | Strategy::Priority => {
                        let first = *self.ranking_for(key, capability, &policy, now).order.first()?;
                        spare.contains(&first).then(|| vec![first])?
                    }
                };
                Some(Policy { vendors, failover: Failover::None, ..policy })
            }
            _ => None,
        }
    }

    /// The ranking that a question would get now.
    fn ranking_for(&self, key: &FlightKey, capability: Capability, policy: &Policy, now: Instant) -> Ranking {
        let request = Request {
            id: self.new_request_id(),
            question: key.question.clone(),
            policy: policy.clone(),
            received_at: now,
        };
        self.ranking_to_come(capability, &request, now)
    }

    /// Fetches what is likely to be asked for: the quotes of the configured symbols and of those that were asked
    /// for most before the last stop, one after the other, as far as quota is to spare. Returns how many came.
    pub async fn warm_up(self: &Arc<Self>) -> usize {
        let caching = &self.settings.cache;
        let mut symbols = caching.warm_up.clone();
        if caching.warm_up_remembered > 0 {
            match self.store.fact(ASKED_MOST).await {
                Ok(told) => symbols.extend(told.unwrap_or_default().lines().map(str::to_owned)),
                Err(error) => self.store_failed(&error),
            }
        }
        let mut came = 0;
        for symbol in symbols {
            let Ok(instrument) = self.directory().resolve(&symbol, None) else { continue };
            let question = Question::Quotes { instruments: vec![instrument], bid_ask: true };
            let key = FlightKey::of(&question, &Policy::default());
            let is_there = !matches!(self.cache.look_up(&key, self.clock.now(), None), Lookup::Missing);
            if let Some(policy) = self.policy_in_spare_quota(&key, Thrift::Guessed).filter(|_| !is_there) {
                came += usize::from(self.fetch_ahead(key, policy).await);
            }
        }
        came
    }

    /// Writes down which symbols were asked for most, for the next start.
    pub async fn remember_asked_most(&self) {
        let most = self.settings.cache.warm_up_remembered as usize;
        let usual = Policy::default();
        let mut asked: Vec<(u32, String)> = self
            .cache
            .iter()
            .filter(|(key, kept)| kept.reads() > 0 && **key == FlightKey::of(&key.question, &usual))
            .filter_map(|(key, kept)| match &key.question {
                Question::Quotes { instruments, bid_ask: true } => {
                    Some((kept.reads(), instruments.first()?.to_string()))
                }
                _ => None,
            })
            .collect();
        if most == 0 || asked.is_empty() {
            return;
        }
        asked.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let lines: Vec<String> = asked.into_iter().take(most).map(|(_, symbol)| symbol).collect();
        if let Err(error) = self.store.put_fact(ASKED_MOST, lines.join("\n")).await {
            self.store_failed(&error);
        }
    }

    /// Takes note that a caller had to wait. Where such questions come at regular times, the next one will not.
    fn expect_again(self: &Arc<Self>, key: &FlightKey, now: Instant) {
        if !self.settings.cache.prefetch {
            return;
        }
        let Some(gap) = self.rhythms.asked(key, now) else { return };
        let (gateway, key) = (Arc::downgrade(self), key.clone());
        let clock = Arc::clone(&self.clock);
        tokio::spawn(async move {
            let mut expected = now + gap;
            loop {
                let Some(fetch_at) = gateway.upgrade().map(|gateway| gateway.prefetch_at(&key, expected))
                else {
                    return;
                };
                clock.sleep_until(fetch_at).await;
                let Some(gateway) = gateway.upgrade() else { return };
                let policy = gateway.policy_in_spare_quota(&key, Thrift::Guessed);
                let came = match policy {
                    Some(policy) => gateway.fetch_ahead(key.clone(), policy).await,
                    None => false,
                };
                let fetched = gateway.cache.find(&key).filter(|_| came);
                drop(gateway);
                clock.sleep_until(expected + gap / 5).await;
                if !fetched.is_some_and(|kept| kept.is_asked()) {
                    break; // it could not be fetched, or nobody came for it
                }
                expected += gap;
            }
            if let Some(gateway) = gateway.upgrade() {
                gateway.rhythms.forget(&key);
            }
        });
    }

    /// When to fetch what is expected at an instant: a quarter of its life before.
    fn prefetch_at(&self, key: &FlightKey, expected: Instant) -> Instant {
        let class = self.cache.find(key).map_or(crate::lifetime::Class::EquityRealtime, |kept| kept.class());
        expected - self.settings.cache.ttl(class).base / 4
    }
}

/// Whether a vendor has quota that requests will not need: its end before the reset is unlikely even if one more
/// call is spent, more is left than batch work must leave, and of a day or month, which must be a large one, no
/// more is gone than half of its share of the time.
fn has_spare(upstream: &Upstream, thrift: Thrift, now: Instant) -> bool {
    let plan = &upstream.settings.plan;
    if upstream.limiter.told_until(now).is_some() || (thrift == Thrift::Guessed && plan.request_micros > 0) {
        return false;
    }
    let demand = *upstream.demand.lock();
    upstream.limiter.status(now).iter().all(|window| {
        let (left, limit) = (window.remaining.saturating_sub(1), f64::from(window.limit.count));
        let until_reset = window.resets_at.map_or(Duration::ZERO, |at| at.since(now));
        let (horizon, floor, is_large) = match window.limit.window {
            Window::Sliding(length) => (length, reserve(Priority::Batch), true),
            Window::Day => (until_reset, (1.0 + share(until_reset, DAY)) / 2.0, limit >= LARGE),
            Window::Month => (until_reset, (1.0 + share(until_reset, DAY * 30)) / 2.0, limit >= LARGE),
        };
        let outlook = demand.outlook(left, horizon, now);
        is_large && outlook.probability < WARN && f64::from(left) >= floor * limit
    })
}

fn share(part: Duration, whole: Duration) -> f64 {
    (part.as_secs_f64() / whole.as_secs_f64()).min(1.0)
}

fn price_of(answer: &Answer) -> Option<domain::Price> {
    match &answer.data {
        vendors::Data::Quotes(rows) => rows.first()?.quote.as_ref().ok()?.price(),
        _ => None,
    }
}
