//! How one exchange gets its permit, and what is said about the quota on the way.

use std::sync::Arc;
use std::time::Duration;

use domain::{Delivery, Instant};
use resilience::quota::Cost;
use telemetry::EventKind;
use vendors::Question;

use crate::answer::{AttemptError, CacheState, Served};
use crate::flight_key::FlightKey;
use crate::gateway::{Gateway, window_word};
use crate::limiter::{Claim, Held, Permit};
use crate::pipeline::Terms;
use crate::request::{Request, StaleAllowance};
use crate::trail::Trail;
use crate::upstream::Upstream;

impl Gateway {
    /// A permit for one exchange: at once, or after a wait in line. Of several for one question the later ones
    /// keep the place of the first.
    #[allow(clippy::too_many_arguments, reason = "each is one fact of one exchange")]
    pub(crate) async fn permit<'a>(
        &self,
        upstream: &'a Upstream,
        former: Option<Permit<'a>>,
        question: &Question,
        cost: Cost,
        terms: Terms,
        may_wait: bool,
        trail: &Trail,
    ) -> Result<Permit<'a>, AttemptError> {
        let (mut priority, mut deadline) = (terms.priority, terms.deadline);
        let wish = trail.wish();
        if let Some(urgency) = &wish.urgency {
            let (highest, earliest) = *urgency.borrow();
            (priority, deadline) = (priority.min(highest), deadline.min(earliest));
        }
        let asked_at = self.clock.now();
        let claim = Claim {
            cost,
            endpoint: question.capability().as_str(),
            priority,
            deadline: if deadline > asked_at { deadline } else { terms.deadline },
            may_wait,
            is_refresh: wish.is_refresh,
            asker: trail.asker(),
            urgency: wish.urgency.clone(),
        };
        let (limiter, clock, store) = (&upstream.limiter, &*self.clock, &*self.store);
        let failed = |error| self.store_failed(&error);
        let taken = match former {
            None => limiter.take(claim, clock, store, &failed).await,
            Some(former) => limiter.take_next(former, claim, clock, store, &failed).await,
        };
        for foreseen in upstream.limiter.take_news() {
            let kind = EventKind::ExhaustionForeseen {
                window: window_word(foreseen.window),
                level: foreseen.level.as_str(),
                percent: (foreseen.outlook.probability * 100.0).round() as u8,
            };
            self.tell(Some(upstream.vendor()), kind);
        }
        let permit = taken.map_err(|none| match none.held {
            Held::Quota => AttemptError::QuotaSpent { until: none.retry_at },
            held => AttemptError::Held { held, until: none.retry_at },
        })?;
        // While it waited the breaker may have opened (RTY-2).
        let state = upstream.breaker.lock().state().as_str();
        if self.clock.now() > asked_at && state == "open" {
            let until = upstream.breaker.lock().check(self.clock.now(), priority).err();
            let until = until.map_or(self.clock.now(), |refused| refused.retry_at);
            return Err(AttemptError::BreakerOpen { state, until });
        }
        Ok(permit)
    }

    /// The last answer, past its usual time, while the quota of the vendor that gave it is spent or spread over
    /// the day: flagged as stale, and never older than what its delivery class is good for.
    pub(crate) fn standing_in(&self, request: &Request, key: &FlightKey, now: Instant) -> Option<Served> {
        if request.policy.stale == StaleAllowance::Forbid {
            return None;
        }
        let answer = Arc::clone(&self.cache.find(key)?.answer);
        let upstream = self.upstream(answer.vendor()?);
        let is_scarce = upstream.limiter.next_refresh(now).is_some()
            || upstream.limiter.room_at(upstream.cost(1), now).is_some();
        if !is_scarce || now.since(answer.received_at) > good_for(answer.delivery) {
            return None;
        }
        let served = self.serve(answer, CacheState::Stale);
        self.unmet(&served, &request.policy).is_none().then_some(served)
    }
}

/// How long a value of a delivery class may stand in for a newer one that the quota does not allow.
pub(crate) const fn good_for(delivery: Delivery) -> Duration {
    match delivery {
        // SLA-2: freshness 300 s.
        Delivery::RealTime => Duration::from_secs(300),
        Delivery::Delayed(_) => Duration::from_secs(3_600),
        Delivery::EndOfDay => Duration::from_secs(86_400),
    }
}
