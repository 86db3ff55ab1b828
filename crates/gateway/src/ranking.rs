//! Who may be asked a question, as each vendor looks at this moment (RTE-1, RTE-9).

use domain::{Delivery, Instant, VendorId};
use vendors::{Capability, Question};

use crate::answer::Skipped;
use crate::breaker_facts::endpoint_of;
use crate::gateway::Gateway;
use crate::request::{Failover, Policy, Request};
use crate::router::{Ranking, View, rank};
use crate::upstream::{Upstream, symbol_of};

impl Gateway {
    /// Ranks vendors for a question. `held` tells the share of the answer already stored from a vendor.
    pub(crate) fn rank(
        &self,
        capability: Capability,
        request: &Request,
        now: Instant,
        held: impl Fn(VendorId) -> f64,
    ) -> Ranking {
        let views = self.views(capability, request, now, held);
        let mut ranking = self.in_order(views, request, self.rotation.lock().entry(capability).or_default());
        ranking.back_at = self.back_at(capability, request, &ranking, now);
        ranking
    }

    /// The ranking that the next question would get; nobody's turn passes.
    pub(crate) fn ranking_to_come(&self, capability: Capability, request: &Request, now: Instant) -> Ranking {
        let mut rotation = self.rotation.lock().get(&capability).cloned().unwrap_or_default();
        self.in_order(self.views(capability, request, now, |_| 0.0), request, &mut rotation)
    }

    /// Every vendor as it looks for a question now.
    fn views(
        &self,
        capability: Capability,
        request: &Request,
        now: Instant,
        held: impl Fn(VendorId) -> f64,
    ) -> Vec<View> {
        let endpoint = endpoint_of(capability);
        self.upstreams
            .iter()
            .map(|upstream| {
                let settings = &upstream.settings;
                self.heed_calendar(upstream, now);
                // A live question does not wait for a vendor that has yet to prove itself: see `recovery.rs`.
                let unproven =
                    capability == Capability::Quote && upstream.breaker.lock().is_to_be_tried(&endpoint);
                let health = upstream.health.lock();
                View {
                    vendor: upstream.vendor(),
                    barred: self.barred(upstream, capability, request, now),
                    quota_at: upstream.limiter.room_at(upstream.cost(1), now),
                    priority: upstream.priority(),
                    weight: settings.weight,
                    quality: health.quality(),
                    fields: match &request.question {
                        Question::Quotes { bid_ask: true, .. }
                            if upstream.barred(Capability::BidAsk, now).is_some() =>
                        {
                            0.5
                        }
                        _ => 1.0,
                    },
                    reliability: health.reliability_lower(),
                    freshness: freshness(&request.question, upstream.delivery()),
                    latency_ms: health.latency_ms(50.0).unwrap_or(250.0),
                    headroom: upstream.limiter.headroom(now),
                    cost_micros: self.marginal_micros(upstream, &request.question, now),
                    in_flight: upstream.in_flight(),
                    demoted: unproven || upstream.hedge.lock().needs_demotion(now),
                    held: held(upstream.vendor()),
                }
            })
            .collect()
    }

    fn in_order(&self, views: Vec<View>, request: &Request, rotation: &mut Vec<(VendorId, f64)>) -> Ranking {
        let policy = &request.policy;
        let strategy = policy.strategy.unwrap_or(self.settings.routing.strategy);
        let listed: &[VendorId] = if self.failover(policy) == Failover::Any { &[] } else { &policy.vendors };
        let mut ranking = rank(views, listed, strategy, &self.settings.routing.weights, rotation);
        if self.failover(policy) == Failover::Any && !policy.vendors.is_empty() {
            ranking.order.sort_by_key(|id| policy.vendors.iter().position(|v| v == id).unwrap_or(usize::MAX));
        }
        if self.failover(policy) == Failover::None {
            for vendor in ranking.order.drain(1.min(ranking.order.len())..) {
                if let Some(candidate) = ranking.candidates.iter_mut().find(|c| c.vendor == vendor) {
                    candidate.skipped = Some(Skipped::NotListed);
                }
            }
            ranking.waiting.truncate(usize::from(ranking.order.is_empty()));
        }
        ranking
    }

    /// When the first of those whom a breaker, a ban or a wait keeps out may be asked again (RTE-12).
    fn back_at(
        &self,
        capability: Capability,
        request: &Request,
        ranking: &Ranking,
        now: Instant,
    ) -> Option<Instant> {
        let (endpoint, symbol) = (endpoint_of(capability), symbol_of(&request.question));
        let times = ranking.candidates.iter().filter_map(|candidate| match candidate.skipped {
            Some(Skipped::Breaker(_)) => {
                let breaker = self.upstream(candidate.vendor).breaker.lock();
                let checked = breaker.check_call(&endpoint, symbol, now, request.policy.priority);
                checked.err().map(|at| at.refused.retry_at).filter(|at| *at < Instant::MAX)
            }
            Some(Skipped::ToldToWait(at)) => Some(at),
            _ => None,
        });
        times.min()
    }

    fn failover(&self, policy: &Policy) -> Failover {
        if policy.failover == Failover::default() { self.settings.routing.failover } else { policy.failover }
    }

    /// Whether the caller's chain allows a vendor.
    pub(crate) fn is_listed(&self, vendor: VendorId, policy: &Policy) -> bool {
        domain::planted!(UnlistedVendorAsked)
            || policy.vendors.is_empty()
            || policy.vendors.contains(&vendor)
            || policy.failover == Failover::Any
    }

    fn barred(
        &self,
        upstream: &Upstream,
        capability: Capability,
        request: &Request,
        now: Instant,
    ) -> Option<Skipped> {
        if !self.is_listed(upstream.vendor(), &request.policy) {
            return Some(Skipped::NotListed);
        }
        if let Some(why) = upstream.barred(capability, now) {
            return Some(why);
        }
        let (endpoint, symbol) = (endpoint_of(capability), symbol_of(&request.question));
        let checked = upstream.breaker.lock().check_call(&endpoint, symbol, now, request.policy.priority);
        if let Err(at) = checked {
            return Some(Skipped::Breaker(at.refused.state.as_str()));
        }
        if let Some(until) = upstream.limiter.told_until(now) {
            return Some(Skipped::ToldToWait(until));
        }
        if let Question::Bars { range, interval, .. } = &request.question {
            let plan = upstream.settings.plan.history;
            let codec = upstream.settings.codec.reach(*interval);
            if plan.into_iter().chain(codec).min().is_some_and(|reach| range.start + reach < now) {
                return Some(Skipped::OutOfCoverage);
            }
        }
        let (question, policy) = (&request.question, &request.policy);
        let most = policy.max_cost_micros();
        if most.is_some_and(|most| self.price_of(upstream, question, now) > most) {
            return Some(Skipped::TooExpensive);
        }
        self.over_budget(upstream, question, policy.consumer, policy.priority, now)
    }

    /// Whether any vendor could be asked for a capability, breakers and quotas aside.
    pub(crate) fn anyone_able(&self, capability: Capability, request: &Request, now: Instant) -> bool {
        self.upstreams.iter().any(|upstream| {
            self.is_listed(upstream.vendor(), &request.policy) && upstream.barred(capability, now).is_none()
        })
    }

    /// The first vendor in the order of configuration that a caller allows: it speaks for an empty range.
    pub(crate) fn any_vendor(&self, request: &Request) -> Option<VendorId> {
        let now = self.clock.now();
        let capability = request.question.capability();
        self.upstreams
            .iter()
            .find(|u| self.is_listed(u.vendor(), &request.policy) && u.barred(capability, now).is_none())
            .map(|u| u.vendor())
    }
}

/// How fresh a live answer is by a delivery class: real time 1, a quarter of an hour late about a half, end
/// of day next to nothing. A question about the past is as fresh from anyone.
fn freshness(question: &Question, delivery: Delivery) -> f64 {
    match (question, delivery) {
        (Question::Quotes { .. }, Delivery::RealTime) => 1.0,
        (Question::Quotes { .. }, Delivery::Delayed(_)) => 0.45,
        (Question::Quotes { .. }, Delivery::EndOfDay) => 0.05,
        _ => 1.0,
    }
}
