//! Walks the router's ranking: one vendor after the other, a second one beside the first when the first is
//! late, those whose quota is spent at the end if the deadline allows. No vendor is asked twice.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;

use domain::{Instant, VendorId};
use futures_util::stream::{FuturesUnordered, StreamExt};
use vendors::Rejection;

use crate::answer::{Answer, AttemptError, CacheState, Skipped};
use crate::gateway::Gateway;
use crate::limiter::Held;
use crate::pipeline::Terms;
use crate::request::{Policy, Priority};
pub use crate::router::Ranking as Ranked;
use crate::trail::Trail;
use crate::upstream::Upstream;

/// Vendors that must agree that there is no such symbol, or no such data, before it is believed.
const AGREEING: usize = 2;

/// Share of its quota, for the time left, that a vendor must have over to be asked in a hedge.
const SLACK: f64 = 0.25;

/// The call that may be late, and what happens when it is.
struct Late {
    vendor: VendorId,
    /// When it is late, or given up.
    at: Instant,
    given_up_at: Instant,
    /// Whether it was late already, and is given up next.
    known: bool,
}

/// How a walk ended.
pub struct Walked {
    /// The answer that met every constraint.
    pub answer: Option<Answer>,
    /// The best answer that did not, and what it did not meet.
    pub best: Option<(Answer, String)>,
    /// What each vendor that did not answer said.
    pub refusals: Vec<(VendorId, AttemptError)>,
    /// Whether the deadline ended it.
    pub timed_out: bool,
}

impl Gateway {
    /// Asks vendors in order until one answers as the policy demands. `attempt` is told whether it may wait
    /// in line for quota.
    pub(crate) async fn walk<'a, F>(
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
        match self.shed(ranking, terms.priority, trail) {
            Some(refused) => refused,
            None => self.walk_on(ranking, terms, trail, policy, attempt).await,
        }
    }

    /// The walk of a question that has been let through.
    pub(crate) async fn walk_on<'a, F>(
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
        let attempt = &attempt;
        let mut walked = Walked { answer: None, best: None, refusals: Vec::new(), timed_out: false };
        let again = ranking.order.first().copied().filter(|_| domain::planted!(FailoverRepeatsVendor));
        let mut next: VecDeque<VendorId> = ranking.order.iter().copied().chain(again).collect();
        let mut spent = ranking.waiting.clone();
        let mut running = FuturesUnordered::new();
        let mut waited = Vec::new();
        let mut in_line = Vec::new();
        let start = |vendor: VendorId, wait: bool| {
            let upstream = Arc::clone(self.upstream(vendor));
            async move { (vendor, attempt(upstream, wait).await) }
        };
        // When the newest call is late: first after its p95, for a hedge if the budget allows; when patience
        // ends, the next vendor is asked whatever the budget.
        let watch = |vendor: VendorId, is_first: bool| {
            let now = self.clock.now();
            let mut hedge = self.upstream(vendor).hedge.lock();
            let (after, given_up_at) = (hedge.started(now), now + hedge.patience());
            let known = !is_first || matches!(terms.priority, Priority::Low | Priority::Batch);
            Late { vendor, at: if known { given_up_at } else { now + after }, given_up_at, known }
        };
        let mut late: Option<Late> = None;
        loop {
            if running.is_empty() {
                if let Some(vendor) = next.pop_front() {
                    late = Some(watch(vendor, true));
                    running.push(start(vendor, false));
                } else if let Some(index) = earliest(&spent, terms.deadline) {
                    let (at, vendor) = spent.remove(index);
                    in_line.push(vendor);
                    trail.note(format!("every other vendor is out; waiting for {vendor}'s quota at {at}"));
                    late = None;
                    running.push(start(vendor, true));
                } else {
                    break;
                }
            }
            let late_at =
                late.as_ref().map(|late| late.at).filter(|_| !next.is_empty() && !domain::planted!(NoHedge));
            tokio::select! {
                biased;
                Some((vendor, ended)) = running.next() => match ended {
                    Ok(answer) => {
                        let served = self.serve(Arc::new(answer), CacheState::Miss);
                        let unmet = self.unmet(&served, policy);
                        let invalid = served.grade.score == quality::grade::Score::ZERO;
                        let better = walked.best.as_ref().is_none_or(|(best, _)| {
                            served.grade.score > self.serve(Arc::new(best.clone()), CacheState::Miss).grade.score
                        });
                        let answer = Arc::unwrap_or_clone(served.answer);
                        match unmet {
                            None if !invalid || next.is_empty() => {
                                walked.answer = Some(answer);
                                trail.left(self.clock.now());
                                return walked;
                            }
                            unmet => {
                                let unmet = unmet.unwrap_or_else(|| "its values cannot be right".to_owned());
                                trail.note(format!("{vendor} answered, but {unmet}; the next vendor is asked"));
                                if better {
                                    walked.best = Some((answer, unmet));
                                }
                            }
                        }
                    }
                    Err(error) => {
                        self.explain_refusal(trail, vendor, &error, next.front().copied());
                        match error {
                            // Who stood in line once and was sent away is not asked again in the same walk.
                            AttemptError::QuotaSpent { until }
                            | AttemptError::Held { until, held: Held::Busy | Held::Reserved }
                                if !in_line.contains(&vendor) =>
                            {
                                spent.push((until, vendor));
                            }
                            // A 429 is a wait, for those who can wait (RTY-3).
                            AttemptError::Rejected(Rejection::RateLimited { .. })
                                if terms.priority >= Priority::Low && !waited.contains(&vendor) =>
                            {
                                let now = self.clock.now();
                                let until = self.upstream(vendor).limiter.told_until(now);
                                if let Some(until) = until.filter(|until| *until < terms.deadline) {
                                    trail.note(format!("{vendor} asks for a wait until {until}; there is time"));
                                    waited.push(vendor);
                                    late = None;
                                    running.push(start(vendor, true));
                                }
                            }
                            _ => {}
                        }
                        walked.refusals.push((vendor, error));
                        if agreed(&walked.refusals) || domain::planted!(FailureEndsWalk) {
                            break;
                        }
                        // Whoever is silent beside it is not waited for alone.
                        if let Some(late) = late.as_mut().filter(|late| late.vendor == vendor) {
                            (late.at, late.known) = (self.clock.now(), true);
                        }
                    }
                },
                () = self.clock.sleep_until(late_at.unwrap_or(Instant::MAX)), if late_at.is_some() => {
                    let Some(now_late) = late.take() else { continue };
                    let Late { vendor: slow, given_up_at, known, .. } = now_late;
                    let now = self.clock.now();
                    let other = if known {
                        next.pop_front()
                    } else {
                        let granted = self.upstream(slow).hedge.lock().try_hedge(now).is_ok();
                        let place = next.iter().position(|other| granted && self.has_slack(*other, now));
                        place.and_then(|place| next.remove(place))
                    };
                    let Some(other) = other else {
                        late = Some(Late { vendor: slow, at: given_up_at, given_up_at, known: true });
                        continue;
                    };
                    trail.note(format!("{slow} is late; {other} is asked as well"));
                    late = Some(watch(other, false));
                    running.push(start(other, false));
                }
                () = self.clock.sleep_until(terms.deadline) => {
                    walked.timed_out = true;
                    break;
                }
            }
        }
        trail.left(self.clock.now());
        walked
    }

    /// Whether a vendor has enough quota over to be asked what another is asked already.
    fn has_slack(&self, vendor: VendorId, now: Instant) -> bool {
        let upstream = self.upstream(vendor);
        let limiter = &upstream.limiter;
        limiter.room_at(upstream.cost(1), now).is_none() && limiter.headroom(now) >= SLACK
    }

    fn explain_refusal(&self, trail: &Trail, vendor: VendorId, error: &AttemptError, next: Option<VendorId>) {
        match error {
            AttemptError::BreakerOpen { state, .. } => trail.skipped(vendor, Skipped::Breaker(state)),
            AttemptError::QuotaSpent { until } | AttemptError::Held { until, .. } => {
                trail.skipped(vendor, Skipped::Quota(*until));
            }
            AttemptError::TooExpensive => trail.skipped(vendor, Skipped::TooExpensive),
            AttemptError::BudgetSpent { whose, until } => {
                trail.skipped(vendor, Skipped::Budget { whose: *whose, until: *until });
            }
            _ => {}
        }
        let then = match next {
            Some(next) => format!("{next} is next in the order"),
            None => "nobody is left in the order".to_owned(),
        };
        trail.note(format!("{vendor} did not answer ({}); {then}", error.word()));
    }
}

/// The vendor whose quota has room first, if that is before the deadline.
fn earliest(spent: &[(Instant, VendorId)], deadline: Instant) -> Option<usize> {
    let (index, (at, _)) = spent.iter().enumerate().min_by_key(|(_, (at, _))| *at)?;
    (*at < deadline).then_some(index)
}

/// Whether enough vendors agree that there is nothing.
fn agreed(refusals: &[(VendorId, AttemptError)]) -> bool {
    let count = |wanted: &Rejection| {
        refusals.iter().filter(|(_, error)| matches!(error, AttemptError::Rejected(r) if r == wanted)).count()
    };
    count(&Rejection::UnknownSymbol) >= AGREEING || count(&Rejection::NoData) >= AGREEING
}
