//! Walks the router's ranking: one vendor after the other, a second one beside the first when the first is
//! late, those whose quota is spent at the end if the deadline allows. No vendor is asked twice.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use domain::{Instant, VendorId};
use futures_util::stream::{FuturesUnordered, StreamExt};
use vendors::Rejection;

use crate::answer::{Answer, AttemptError, CacheState, Skipped};
use crate::gateway::Gateway;
use crate::pipeline::Terms;
use crate::request::Policy;
pub use crate::router::Ranking as Ranked;
use crate::trail::Trail;
use crate::upstream::Upstream;

/// Vendors that must agree that there is no such symbol, or no such data, before it is believed.
const AGREEING: usize = 2;

/// A vendor silent for so long is not waited for alone.
const LATEST: Duration = Duration::from_millis(500);

/// Latencies from which a p95 can be told.
const ENOUGH: usize = 20;

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
        let attempt = &attempt;
        let mut walked = Walked { answer: None, best: None, refusals: Vec::new(), timed_out: false };
        let mut next = ranking.order.iter().copied().peekable();
        let mut spent = ranking.waiting.clone();
        let mut running = FuturesUnordered::new();
        let start = |vendor: VendorId, wait: bool| {
            let upstream = Arc::clone(self.upstream(vendor));
            async move { (vendor, attempt(upstream, wait).await) }
        };
        // When the running call is late: first after its p95, if the budget of hedges allows, at the latest
        // after half a second whatever the budget.
        let mut late_at: Option<(Instant, VendorId, bool)> = None;
        let watch = |vendor: VendorId| {
            let upstream = self.upstream(vendor);
            let known = upstream.health.lock().samples() >= ENOUGH;
            let after = upstream.hedge.lock().started();
            let after = if known { after } else { LATEST };
            Some((self.clock.now() + after, vendor, after >= LATEST))
        };
        loop {
            if running.is_empty() {
                if let Some(vendor) = next.next() {
                    late_at = watch(vendor);
                    running.push(start(vendor, false));
                } else if let Some(index) = earliest(&spent, terms.deadline) {
                    let (at, vendor) = spent.remove(index);
                    trail.note(format!("every other vendor is out; waiting for {vendor}'s quota at {at}"));
                    late_at = None;
                    running.push(start(vendor, true));
                } else {
                    break;
                }
            }
            let late = late_at.filter(|_| running.len() == 1 && next.peek().is_some());
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
                            None if !(invalid && next.peek().is_some()) => {
                                walked.answer = Some(answer);
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
                        self.explain_refusal(trail, vendor, &error, next.peek().copied());
                        if let AttemptError::QuotaSpent { until } = error {
                            spent.push((until, vendor));
                        }
                        walked.refusals.push((vendor, error));
                        if agreed(&walked.refusals) {
                            break;
                        }
                    }
                },
                () = self.clock.sleep_until(late.map_or(Instant::MAX, |(at, ..)| at)), if late.is_some() => {
                    let Some((at, slow, at_latest)) = late else { continue };
                    if !at_latest && self.upstream(slow).hedge.lock().try_hedge().is_err() {
                        late_at = Some((at + LATEST, slow, true));
                        continue;
                    }
                    let vendor = next.next().expect("a hedge needs a next vendor");
                    trail.note(format!("{slow} is late; {vendor} is asked as well"));
                    late_at = None;
                    running.push(start(vendor, false));
                }
                () = self.clock.sleep_until(terms.deadline) => {
                    walked.timed_out = true;
                    break;
                }
            }
        }
        walked
    }

    fn explain_refusal(&self, trail: &Trail, vendor: VendorId, error: &AttemptError, next: Option<VendorId>) {
        match error {
            AttemptError::BreakerOpen { state, .. } => trail.skipped(vendor, Skipped::Breaker(state)),
            AttemptError::QuotaSpent { until } => trail.skipped(vendor, Skipped::Quota(*until)),
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
