//! Breakers at work: what their changes are told as and kept as, what an operator may order, and whether it is us
//! (BRK-2, BRK-7, BRK-11, BRK-12).

use std::sync::Arc;

use domain::{Instant, VendorId};
use resilience::circuit_breaker::system::Verdict;
use resilience::circuit_breaker::{Level, Reason, Transition};
use telemetry::EventKind;

use crate::answer::AttemptError;
use crate::breaker_facts;
use crate::gateway::Gateway;
use crate::maintenance;
use crate::request::Priority;
use crate::trail::Trail;
use crate::upstream::{BreakerMoved, Upstream, VendorBreakers};
use crate::walk::{Ranked, Walked};

/// Around the open and the close of a venue its vendors are slower than usual (BRK-9).
const TURBULENCE: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// Who orders something, and why, for the record.
#[derive(Clone, Debug)]
pub struct Order {
    /// Who, in their own words.
    pub by: String,
    /// Why, in their own words.
    pub reason: String,
}

/// Name of the fact that holds the states of a vendor's breakers.
pub(crate) fn breakers_fact(upstream: &Upstream) -> String {
    format!("breakers {} {}", upstream.vendor(), upstream.settings.base_url)
}

/// Breakers as a restart finds them.
pub(crate) fn restored(
    upstream: &Upstream,
    told: &str,
    elapsed: std::time::Duration,
    now: Instant,
) -> Option<VendorBreakers> {
    let snapshot = breaker_facts::read(told)?;
    let settings = &upstream.settings;
    Some(VendorBreakers::restore(settings.breaker, settings.operation.adapts, &snapshot, elapsed, now))
}

impl Gateway {
    /// Tells changes of state, and keeps the states.
    pub(crate) fn breakers_moved(&self, upstream: &Upstream, moved: Vec<BreakerMoved>) {
        if moved.is_empty() {
            return;
        }
        for BreakerMoved { level, transition } in moved {
            let Transition { from, to, reason, .. } = transition;
            let (from, to) = (from.as_str(), to.as_str());
            let reason = reason_in_words(&reason).to_owned();
            let event = match level {
                Level::Vendor => EventKind::BreakerChanged { from, to, reason },
                Level::Endpoint(name) => {
                    EventKind::PartBreakerChanged { part: format!("endpoint {name}"), from, to, reason }
                }
                Level::Symbol(id) => {
                    EventKind::PartBreakerChanged { part: format!("symbol {id}"), from, to, reason }
                }
            };
            self.tell(Some(upstream.vendor()), event);
        }
        let states = breaker_facts::write(&upstream.breaker.lock().snapshot(self.clock.now()));
        self.scribe.dated_fact(breakers_fact(upstream), states);
    }

    /// Whether a moment is around the open or the close of the venue a call is about.
    pub(crate) fn is_turbulent(&self, question: &vendors::Question, now: Instant) -> bool {
        let Some(id) = question.instruments().first() else { return false };
        let Some(calendar) = self.calendars.of(id.venue()) else { return false };
        let near = |at: Option<Instant>| at.is_some_and(|at| at.since(now).max(now.since(at)) <= TURBULENCE);
        let edges = [calendar.session_at(now), calendar.session_until(now), calendar.session_after(now)];
        edges.into_iter().flatten().any(|session| {
            let whole: Vec<_> = session.parts().collect();
            near(whole.first().map(|part| part.start)) || near(whole.last().map(|part| part.end))
        })
    }

    /// Begins announced work whose time has come.
    pub(crate) fn heed_calendar(&self, upstream: &Upstream, now: Instant) {
        let Some((end, reason)) = maintenance::going_on(&upstream.settings.operation.maintenance, now) else {
            return;
        };
        if upstream.work_ended.lock().is_some_and(|ended| end <= ended) {
            return;
        }
        let moved = {
            let mut breaker = upstream.breaker.lock();
            let lasts = match breaker.state() {
                resilience::circuit_breaker::State::Maintenance { until, .. } => until >= end,
                _ => false,
            };
            (!lasts).then(|| breaker.enter_maintenance(end, reason, now))
        };
        self.breakers_moved(upstream, moved.into_iter().collect());
    }

    /// Looks for announced work at every vendor: whoever shows vendors calls this first.
    pub fn heed_calendars(&self) {
        let now = self.clock.now();
        self.upstreams.iter().for_each(|upstream| self.heed_calendar(upstream, now));
    }

    /// Keeps an order on record.
    pub fn ordered(&self, vendor: VendorId, what: String, order: Order) {
        self.tell(Some(vendor), EventKind::Ordered { order: what, by: order.by, reason: order.reason });
    }

    /// Puts a vendor into maintenance until a time, [`Instant::MAX`] until it is ended by hand.
    pub fn begin_maintenance(&self, vendor: VendorId, until: Instant, order: Order) {
        let upstream = Arc::clone(self.upstream(vendor));
        let moved = upstream.breaker.lock().enter_maintenance(until, &order.reason, self.clock.now());
        let what = match until {
            Instant::MAX => "maintenance until it is ended".to_owned(),
            until => format!("maintenance until {until}"),
        };
        self.ordered(vendor, what, order);
        self.breakers_moved(&upstream, vec![moved]);
    }

    /// Ends a vendor's maintenance, announced or ordered; the next call is a probe. `false` if there was none.
    pub fn end_maintenance(&self, vendor: VendorId, order: Order) -> bool {
        let (upstream, now) = (Arc::clone(self.upstream(vendor)), self.clock.now());
        let announced = maintenance::going_on(&upstream.settings.operation.maintenance, now);
        if let Some((end, _)) = announced {
            *upstream.work_ended.lock() = Some(end);
        }
        let moved = upstream.breaker.lock().end_maintenance(now);
        let was = moved.is_some();
        self.ordered(vendor, "the end of maintenance".to_owned(), order);
        self.breakers_moved(&upstream, moved.into_iter().collect());
        was
    }

    /// Opens the breaker of a vendor, or of one of its endpoints, until a time.
    pub fn force_breaker(
        &self,
        vendor: VendorId,
        endpoint: Option<&'static str>,
        until: Instant,
        order: Order,
    ) {
        let upstream = Arc::clone(self.upstream(vendor));
        let moved = upstream.breaker.lock().force_open(endpoint.as_ref(), until, self.clock.now());
        let part = endpoint.map_or_else(String::new, |name| format!(" of {name}"));
        self.ordered(vendor, format!("circuit breaker{part} open until {until}"), order);
        self.breakers_moved(&upstream, vec![moved]);
    }

    /// Resets the breakers of a vendor, or of one of its endpoints: closed, with nothing remembered.
    pub fn reset_breaker(&self, vendor: VendorId, endpoint: Option<&'static str>, order: Order) {
        let upstream = Arc::clone(self.upstream(vendor));
        let moved = upstream.breaker.lock().reset(endpoint.as_ref(), self.clock.now());
        let part = endpoint.map_or_else(String::new, |name| format!(" of {name}"));
        self.ordered(vendor, format!("circuit breaker{part} reset"), order);
        self.breakers_moved(&upstream, moved);
    }

    /// Whether failures are our own at present.
    pub(crate) fn is_our_fault(&self) -> bool {
        self.system.lock().is_ours()
    }

    /// The state of the system breaker.
    pub fn system_state(&self) -> resilience::circuit_breaker::system::State {
        self.system.lock().state()
    }

    /// A vendor answered, whatever it said.
    pub(crate) fn world_answered(&self, vendor: VendorId, now: Instant) {
        let verdict = self.system.lock().answered(vendor, now);
        self.judged(verdict, now);
    }

    /// A vendor failed; it may be us.
    pub(crate) fn world_failed(&self, vendor: VendorId, now: Instant) {
        let verdict = self.system.lock().failed(vendor, now);
        self.judged(verdict, now);
    }

    fn judged(&self, verdict: Option<Verdict<VendorId>>, now: Instant) {
        match verdict {
            None => {}
            Some(Verdict::Over) => {
                self.tell(None, EventKind::SystemBreakerChanged { to: "closed", absolved: Vec::new() });
            }
            Some(Verdict::Ours { since, vendors }) => {
                self.tell(None, EventKind::SystemBreakerChanged { to: "open", absolved: vendors.clone() });
                for vendor in vendors {
                    let upstream = Arc::clone(self.upstream(vendor));
                    upstream.health.lock().absolve(since);
                    let moved = upstream.breaker.lock().absolve(since, now);
                    self.breakers_moved(&upstream, moved);
                }
            }
        }
    }

    /// Whether most vendors are out: then what can wait does.
    fn is_strained(&self, now: Instant) -> bool {
        let in_use = |upstream: &&Arc<Upstream>| {
            upstream.settings.enabled
                && !upstream.settings.is_retired()
                && upstream.settings.missing_key().is_none()
                && upstream.health.lock().calls() > 0
        };
        let states = self.upstreams.iter().filter(in_use);
        let (open, all) = states.fold((0, 0), |(open, all), upstream| {
            let is_open = upstream.breaker.lock().check(now, Priority::Critical).is_err();
            (open + usize::from(is_open), all + 1)
        });
        all >= 3 && 2 * open > all
    }

    /// Refuses a walk at once: while we blame ourselves one question at a time tries the world, and while most
    /// vendors are out low and batch work waits. The cache and the store have been asked before.
    pub(crate) fn shed(&self, ranking: &Ranked, priority: Priority, trail: &Trail) -> Option<Walked> {
        let now = self.clock.now();
        let until = match self.system.lock().admit(priority, now) {
            Err(until) => {
                trail.note(
                    "nearly all vendors failed at once, so we blame ourselves; nobody is asked for now",
                );
                until
            }
            Ok(()) if matches!(priority, Priority::Low | Priority::Batch) && self.is_strained(now) => {
                trail.note("most vendors are out; low and batch work waits");
                now + std::time::Duration::from_secs(5)
            }
            Ok(()) => return None,
        };
        let refused =
            |vendor: &VendorId| (*vendor, AttemptError::BreakerOpen { state: "system_open", until });
        let refusals = ranking.order.iter().map(refused).collect();
        Some(Walked { answer: None, best: None, refusals, timed_out: false })
    }
}

/// Why a breaker moved, for people.
fn reason_in_words(reason: &Reason) -> &str {
    match reason {
        Reason::Failures => "too many calls failed",
        Reason::FailuresInARow => "too many calls in a row failed",
        Reason::SlowCalls => "too many calls were slow",
        Reason::Recovered => "calls succeed again",
        Reason::WaitOver => "the wait is over",
        Reason::ProbeFailed => "a probe failed",
        Reason::ProbesSucceeded => "probes succeeded",
        Reason::VendorsWord => "the vendor asked for it",
        Reason::BadCredentials => "the vendor does not accept the key",
        Reason::Ordered => "an operator ordered it",
        Reason::Endpoints => "half of its endpoints are open",
        Reason::OurFault => "the failures were ours",
        Reason::Planned(words) => words,
    }
}
