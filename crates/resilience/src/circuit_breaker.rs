//! Stops asking a vendor that does not answer, and finds out by itself when it does again (BRK-1 to BRK-12).
//!
//! ```text
//!            ┌────────── recovered ──────────┐
//!            ▼                               │
//!         closed ──── half the failures ──▶ degraded
//!          ▲  │                              │
//!          │  └──▶ open ◀── enough failures ─┘      any ──▶ maintenance ── over ──▶ half-open
//!   enough │        │ ▲
//!   probes │   time │ │ one probe failed
//!          │        ▼ │
//!          └─── half-open
//! ```
//!
//! A call is admitted, made without the breaker, and settled or abandoned: nothing is held meanwhile. The
//! result of a call that began before the breaker opened, closed or tried is not evidence any more, and is
//! ignored; closed and degraded are one stretch of evidence in this.

mod baseline;
mod facts;
mod failure_window;
mod hierarchy;
mod reduced;
mod settings;
mod symbols;
pub mod system;
#[cfg(test)]
mod tests;

use std::time::Duration;

use domain::Instant;

use crate::Priority;
pub use baseline::Baseline;
pub use facts::{Failure, Outcome, Reason, State, Transition};
use failure_window::{FailureWindow, Sums};
pub use hierarchy::{Breakers, HierarchySnapshot, Leave, Level, Moved, RefusedAt};
use reduced::{BAD_SHARE, Reduced, SLOW_SHARE};
pub use settings::Settings;
pub use system::System;

/// Leave to make one call. It ends in [`CircuitBreaker::settle`] or [`CircuitBreaker::abandon`].
#[derive(Debug, PartialEq)]
#[must_use = "an admission must be settled or abandoned"]
pub struct Admission {
    /// Whether this call is a probe of a vendor that was not asked for a while.
    pub is_probe: bool,
    /// The change of state that asking has brought about, if any.
    pub transition: Option<Transition>,
    generation: u64,
    ticket: u64,
    draw: f64,
}

/// Why a call may not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("circuit breaker is {}", state.as_str())]
pub struct Refused {
    /// The state that refuses.
    pub state: State,
    /// When asking again makes sense.
    pub retry_at: Instant,
}

/// What a breaker must remember across restarts, as plain data for a store to write down.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The state.
    pub state: State,
    /// When it was taken.
    pub saved_at: Instant,
    /// Re-openings since it was last closed.
    pub reopenings: u32,
}

#[derive(Clone, Debug)]
enum Phase {
    Closed,
    Degraded(Reduced),
    Open { until: Instant },
    HalfOpen { succeeded: u32, probe: Option<Probe> },
    Maintenance { until: Instant, reason: Reason },
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    ticket: u64,
    since: Instant,
}

/// One breaker: a vendor's, or that of one of its endpoints. [`Breakers`] holds those of a vendor together.
#[derive(Clone, Debug)]
pub struct CircuitBreaker {
    settings: Settings,
    phase: Phase,
    window: FailureWindow,
    /// Weight of failures since the last success, in thousandths.
    streak: u64,
    reopenings: u32,
    generation: u64,
    tickets: u64,
    /// When failures opened it last, and whether it was half-open before.
    failed_open: Option<(Instant, bool)>,
}

impl CircuitBreaker {
    /// Closed, with nothing seen yet.
    pub fn new(settings: Settings) -> CircuitBreaker {
        CircuitBreaker {
            settings,
            phase: Phase::Closed,
            window: FailureWindow::new(),
            streak: 0,
            reopenings: 0,
            generation: 0,
            tickets: 0,
            failed_open: None,
        }
    }

    /// Asks leave for one call. `draw`, in `[0, 1)`, spreads the open time should this call fail.
    ///
    /// # Errors
    /// The state that refuses, and when to ask again.
    pub fn admit(&mut self, now: Instant, draw: f64, priority: Priority) -> Result<Admission, Refused> {
        let mut transition = self.review(now);
        match &mut self.phase {
            Phase::Closed => Ok(self.admission(false, draw, transition)),
            Phase::Degraded(reduced) => {
                if reduced.admit(priority) {
                    Ok(self.admission(false, draw, transition))
                } else {
                    Err(self.refused_by_share(priority, now))
                }
            }
            Phase::Open { until } | Phase::Maintenance { until, .. } if now < *until => {
                let retry_at = *until;
                Err(Refused { state: self.state(), retry_at })
            }
            Phase::Open { .. } | Phase::Maintenance { .. } => {
                transition = Some(self.half_open(Reason::WaitOver, now));
                Ok(self.probe(now, draw, transition))
            }
            Phase::HalfOpen { .. } => match self.check(now, priority) {
                Ok(()) => Ok(self.probe(now, draw, transition)),
                Err(refused) => Err(refused),
            },
        }
    }

    /// Whether a call of this class has a chance, without asking leave. A router ranks by this, and an open
    /// breaker whose wait is over counts as ready. The share of a degraded vendor is not drawn on.
    ///
    /// # Errors
    /// The state that refuses, and when to ask again.
    pub fn check(&self, now: Instant, priority: Priority) -> Result<(), Refused> {
        match &self.phase {
            Phase::Closed => Ok(()),
            Phase::Degraded(reduced) if reduced.serves(priority) => Ok(()),
            Phase::Degraded(_) => Err(self.refused_by_share(priority, now)),
            Phase::Open { until } | Phase::Maintenance { until, .. } => {
                if now < *until || domain::planted!(OpenNeverEnds) {
                    Err(Refused { state: self.state(), retry_at: *until })
                } else {
                    Ok(())
                }
            }
            Phase::HalfOpen { .. } if domain::planted!(HalfOpenAdmitsAll) => Ok(()),
            Phase::HalfOpen { probe: Some(probe), .. } if now < self.lapses_at(*probe) => {
                let due = probe.since + self.settings.slow;
                Err(Refused { state: State::HalfOpen, retry_at: due.max(now + Duration::from_secs(1)) })
            }
            Phase::HalfOpen { .. } => Ok(()),
        }
    }

    /// Takes the result of a call.
    pub fn settle(&mut self, admission: Admission, outcome: Outcome, now: Instant) -> Option<Transition> {
        if admission.generation != self.generation {
            return None;
        }
        match outcome {
            Outcome::Failed(Failure::NotCounted) => {
                self.abandon(admission);
                None
            }
            Outcome::Succeeded { took } => self.succeeded(&admission, took > self.settings.slow, now),
            Outcome::Failed(failure) => self.failed(&admission, failure.weight_thousandths(), now),
        }
    }

    /// Takes back leave for a call that was not made or whose caller left: neither success nor failure.
    pub fn abandon(&mut self, admission: Admission) {
        if domain::planted!(ProbePlaceLeaked) {
            return;
        }
        if let Phase::HalfOpen { probe, .. } = &mut self.phase
            && probe.is_some_and(|probe| probe.ticket == admission.ticket)
        {
            *probe = None;
        }
    }

    /// Opens until the vendor's own time: a wait it asked for, the reset of spent quota, the end of a ban.
    /// Never shortens a wait, and does not touch maintenance.
    pub fn open_until(&mut self, until: Instant, now: Instant) -> Option<Transition> {
        match &mut self.phase {
            Phase::Maintenance { .. } => None,
            Phase::Open { until: known } => {
                *known = until.max(*known);
                None
            }
            Phase::Closed | Phase::Degraded(_) | Phase::HalfOpen { .. } if until <= now => None,
            Phase::Closed | Phase::Degraded(_) | Phase::HalfOpen { .. } => {
                Some(self.enter(Phase::Open { until }, Reason::VendorsWord, now))
            }
        }
    }

    /// The vendor does not accept the key: maintenance at once, with a probe now and then.
    pub fn unauthorized(&mut self, now: Instant) -> Transition {
        let until = now + self.settings.credential_probe;
        self.maintain(until, Reason::BadCredentials, now)
    }

    /// Announced work until a time, or until [`CircuitBreaker::end_maintenance`] if that is
    /// [`Instant::MAX`].
    pub fn enter_maintenance(&mut self, until: Instant, reason: &str, now: Instant) -> Transition {
        self.maintain(until, Reason::Planned(reason.into()), now)
    }

    /// Ends maintenance before its time, as when the key has changed. `None` if there is none.
    pub fn end_maintenance(&mut self, now: Instant) -> Option<Transition> {
        matches!(self.phase, Phase::Maintenance { .. }).then(|| self.half_open(Reason::Ordered, now))
    }

    /// An operator's order to open.
    pub fn force_open(&mut self, until: Instant, now: Instant) -> Transition {
        self.enter(Phase::Open { until }, Reason::Ordered, now)
    }

    /// An operator's order to forget and start anew, closed. `None` if it is closed already.
    pub fn reset(&mut self, now: Instant) -> Option<Transition> {
        self.reopenings = 0;
        if matches!(self.phase, Phase::Closed) {
            self.forget();
            return None;
        }
        Some(self.enter(Phase::Closed, Reason::Ordered, now))
    }

    /// Opens for the usual time on evidence from elsewhere. `None` unless calls pass at present.
    pub fn trip(&mut self, reason: Reason, draw: f64, now: Instant) -> Option<Transition> {
        matches!(self.phase, Phase::Closed | Phase::Degraded(_)).then(|| self.open(reason, draw, now))
    }

    /// Takes back what failures since an instant have led to, because they were ours: nothing of them is
    /// remembered, and a breaker they opened is as it was before.
    pub fn absolve(&mut self, since: Instant, now: Instant) -> Option<Transition> {
        match (&self.phase, self.failed_open) {
            (Phase::Closed | Phase::Degraded(_), _) => {
                self.forget();
                None
            }
            (Phase::Open { .. }, Some((at, was_half_open))) if at >= since => {
                self.failed_open = None;
                let phase = if was_half_open {
                    self.reopenings = self.reopenings.saturating_sub(1);
                    Phase::HalfOpen { succeeded: 0, probe: None }
                } else {
                    Phase::Closed
                };
                Some(self.enter(phase, Reason::OurFault, now))
            }
            (Phase::Open { .. } | Phase::HalfOpen { .. } | Phase::Maintenance { .. }, _) => None,
        }
    }

    /// An open or half-open breaker lets its next probe through at `start`: its parent has recovered.
    pub fn release(&mut self, start: Instant, now: Instant) -> Option<Transition> {
        match &mut self.phase {
            Phase::Open { until } => {
                *until = start;
                None
            }
            Phase::HalfOpen { .. } => Some(self.enter(Phase::Open { until: start }, Reason::WaitOver, now)),
            Phase::Closed | Phase::Degraded(_) => {
                self.forget();
                None
            }
            Phase::Maintenance { .. } => None,
        }
    }

    /// Goes on with other numbers, as after a reload or when a baseline was learned.
    pub fn retune(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The numbers in use.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The state as last asked or told. An open breaker whose wait is over is open until the next call.
    pub fn state(&self) -> State {
        match &self.phase {
            Phase::Closed => State::Closed,
            Phase::Degraded(_) => State::Degraded,
            Phase::Open { until } => State::Open { until: *until },
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Maintenance { until, reason } => {
                State::Maintenance { until: *until, reason: reason.clone() }
            }
        }
    }

    /// Share of calls that are admitted at present: 1 closed, 0 while refusing or probing.
    pub fn share(&self) -> f64 {
        match &self.phase {
            Phase::Closed => 1.0,
            Phase::Degraded(reduced) => reduced.share(),
            Phase::Open { .. } | Phase::HalfOpen { .. } | Phase::Maintenance { .. } => 0.0,
        }
    }

    /// What to remember.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        Snapshot { state: self.state(), saved_at: now, reopenings: self.reopenings }
    }

    /// As a snapshot left it, `elapsed` later. Waits are shortened by `elapsed` alone, never by a stepped
    /// clock.
    pub fn restore(
        settings: Settings,
        snapshot: &Snapshot,
        elapsed: Duration,
        now: Instant,
    ) -> CircuitBreaker {
        let moved = |until: Instant| match until {
            Instant::MAX => Instant::MAX,
            until => now + until.since(snapshot.saved_at).saturating_sub(elapsed),
        };
        let mut breaker = CircuitBreaker::new(settings);
        breaker.reopenings = snapshot.reopenings;
        breaker.phase = match &snapshot.state {
            State::Closed => Phase::Closed,
            State::Degraded => Phase::Degraded(Self::reduced(&settings, now)),
            State::Open { until } => Phase::Open { until: moved(*until) },
            State::HalfOpen => Phase::HalfOpen { succeeded: 0, probe: None },
            State::Maintenance { until, reason } => {
                Phase::Maintenance { until: moved(*until), reason: reason.clone() }
            }
        };
        breaker
    }

    fn admission(&mut self, is_probe: bool, draw: f64, transition: Option<Transition>) -> Admission {
        self.tickets += 1;
        Admission { is_probe, transition, generation: self.generation, ticket: self.tickets, draw }
    }

    fn probe(&mut self, now: Instant, draw: f64, transition: Option<Transition>) -> Admission {
        let admission = self.admission(true, draw, transition);
        if let Phase::HalfOpen { probe, .. } = &mut self.phase {
            *probe = Some(Probe { ticket: admission.ticket, since: now });
        }
        admission
    }

    /// A probe that nobody ended holds its place no longer than the breaker would be open.
    fn lapses_at(&self, probe: Probe) -> Instant {
        probe.since + self.settings.open.max(self.settings.slow)
    }

    fn refused_by_share(&self, priority: Priority, now: Instant) -> Refused {
        let soon = now + Duration::from_secs(1);
        let retry_at = match &self.phase {
            Phase::Degraded(reduced) if !reduced.serves(priority) => reduced.review_at().max(soon),
            _ => soon,
        };
        Refused { state: State::Degraded, retry_at }
    }

    fn succeeded(&mut self, admission: &Admission, slow: bool, now: Instant) -> Option<Transition> {
        self.streak = 0;
        match &mut self.phase {
            Phase::HalfOpen { succeeded, probe } => {
                if probe.is_none_or(|probe| probe.ticket != admission.ticket) {
                    return None;
                }
                *probe = None;
                *succeeded += 1;
                let enough = *succeeded >= self.settings.successes;
                if !enough {
                    return None;
                }
                self.reopenings = 0;
                Some(self.enter(Phase::Closed, Reason::ProbesSucceeded, now))
            }
            Phase::Closed | Phase::Degraded(_) => self.weigh(0, slow, now),
            Phase::Open { .. } | Phase::Maintenance { .. } => None,
        }
    }

    fn failed(&mut self, admission: &Admission, weight: u64, now: Instant) -> Option<Transition> {
        match &self.phase {
            Phase::HalfOpen { probe, .. } => {
                if probe.is_none_or(|probe| probe.ticket != admission.ticket) {
                    return None;
                }
                self.reopenings = self.reopenings.saturating_add(1);
                Some(self.open(Reason::ProbeFailed, admission.draw, now))
            }
            Phase::Closed | Phase::Degraded(_) => {
                self.streak += weight;
                let changed = self.weigh(weight, false, now);
                let Some(reason) = self.reason_to_open(now) else { return changed };
                let opened = self.open(reason, admission.draw, now);
                // Degraded for no time at all was not degraded.
                let from = changed.map_or(opened.from, |degraded| degraded.from);
                Some(Transition { from, ..opened })
            }
            Phase::Open { .. } | Phase::Maintenance { .. } => None,
        }
    }

    fn reason_to_open(&self, now: Instant) -> Option<Reason> {
        if domain::planted!(BreakerNeverOpens) {
            return None;
        }
        let limit = self.settings.opens_at();
        if self.streak >= limit {
            return Some(Reason::FailuresInARow);
        }
        let sums = self.window.sums(self.settings.window, now);
        let enough =
            sums.weight_thousandths >= limit && self.failure_share(sums) >= self.settings.failure_share;
        enough.then_some(Reason::Failures)
    }

    fn failure_share(&self, sums: Sums) -> f64 {
        if self.settings.by_lower_bound { sums.failure_share_lower() } else { sums.failure_share() }
    }

    /// Counts a call of a vendor that is asked normally, and degrades or recovers.
    fn weigh(&mut self, weight: u64, slow: bool, now: Instant) -> Option<Transition> {
        let window = self.settings.window;
        let reviewed = self.review(now);
        self.window.add(weight, slow, window, now);
        match &mut self.phase {
            Phase::Degraded(reduced) => {
                reduced.add(weight, slow);
                return reviewed;
            }
            Phase::Closed if (weight == 0 && !slow) || !self.settings.degrades => return reviewed,
            Phase::Closed => (),
            Phase::Open { .. } | Phase::HalfOpen { .. } | Phase::Maintenance { .. } => return reviewed,
        }
        let sums = self.window.sums(window, now);
        let failing =
            sums.weight_thousandths >= self.settings.degrades_at() && self.failure_share(sums) > BAD_SHARE;
        let dragging = sums.slow >= u64::from(self.settings.failures) && sums.slow_share() >= SLOW_SHARE;
        if !failing && !dragging {
            return reviewed;
        }
        let reason = if failing { Reason::Failures } else { Reason::SlowCalls };
        Some(self.enter(Phase::Degraded(Self::reduced(&self.settings, now)), reason, now))
    }

    fn reduced(settings: &Settings, now: Instant) -> Reduced {
        let proof = settings.opens_at().saturating_sub(settings.degrades_at());
        Reduced::new(proof, settings.window, now)
    }

    fn review(&mut self, now: Instant) -> Option<Transition> {
        let recovered = match &mut self.phase {
            Phase::Degraded(reduced) => reduced.review(self.settings.window, now),
            Phase::Closed | Phase::Open { .. } | Phase::HalfOpen { .. } | Phase::Maintenance { .. } => false,
        };
        recovered.then(|| self.enter(Phase::Closed, Reason::Recovered, now))
    }

    fn open(&mut self, reason: Reason, draw: f64, now: Instant) -> Transition {
        let doublings = if self.settings.probe_is_costly { self.reopenings.min(16) } else { 0 };
        let base = self.settings.open.saturating_mul(1 << doublings).min(self.settings.open_cap);
        // Within a tenth around the base, so that a fleet of breakers does not probe in step. Again open it is at
        // most the base, so that a vendor is found healthy within one open time of its return.
        let draw = if draw.is_nan() { 0.5 } else { draw.clamp(0.0, 1.0) };
        let spread = if self.reopenings == 0 { 0.2 } else { 0.1 };
        let wait = base.mul_f64(0.9 + spread * draw).min(self.settings.open_cap);
        self.failed_open = Some((now, reason == Reason::ProbeFailed));
        self.enter(Phase::Open { until: now + wait }, reason, now)
    }

    fn half_open(&mut self, reason: Reason, now: Instant) -> Transition {
        self.enter(Phase::HalfOpen { succeeded: 0, probe: None }, reason, now)
    }

    fn maintain(&mut self, until: Instant, reason: Reason, now: Instant) -> Transition {
        self.enter(Phase::Maintenance { until, reason: reason.clone() }, reason, now)
    }

    fn enter(&mut self, phase: Phase, reason: Reason, now: Instant) -> Transition {
        let from = self.state();
        let passing = |phase: &Phase| matches!(phase, Phase::Closed | Phase::Degraded(_));
        let same_stretch = passing(&self.phase) && passing(&phase);
        self.phase = phase;
        if !same_stretch {
            self.generation += 1;
            self.forget();
        }
        self.fact(from, reason, now)
    }

    fn fact(&self, from: State, reason: Reason, now: Instant) -> Transition {
        Transition { from, to: self.state(), at: now, reason }
    }

    fn forget(&mut self) {
        self.window = FailureWindow::new();
        self.streak = 0;
    }
}
