//! The breakers of one vendor: itself, its endpoints, and single symbols beside them (BRK-2).
//!
//! ```text
//! vendor        pools the evidence of all calls
//! ├── endpoint  that of one kind of question: a dead one does not take the others with it
//! └── symbol    that of one instrument, where others are answered meanwhile
//! ```
//!
//! A call needs leave of all three. A child's trip does not trip its parent: the vendor opens on its own
//! evidence over all calls, or where at least half of at least four endpoints in use are open. While it is open
//! or tried, its endpoints do not count: the vendor's probes go through. Closing, it releases them one by one.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::time::Duration;

use domain::Instant;

use super::symbols::Symbols;
use super::{
    Admission, Baseline, CircuitBreaker, Failure, Outcome, Reason, Refused, Settings, Snapshot, State,
    Transition,
};
use crate::Priority;

/// Endpoints are released so far apart from one another.
const SPREAD: Duration = Duration::from_secs(1);
/// From so many endpoints in use on, half of them open the vendor.
const ACTIVE: usize = 4;

/// Which of a vendor's breakers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Level<E, S> {
    /// The vendor's own.
    Vendor,
    /// That of one kind of question.
    Endpoint(E),
    /// That of one instrument.
    Symbol(S),
}

/// A breaker changed its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved<E, S> {
    /// Which.
    pub level: Level<E, S>,
    /// How.
    pub transition: Transition,
}

/// Why a call may not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedAt<E, S> {
    /// Which breaker refuses.
    pub level: Level<E, S>,
    /// Its state, and when asking again makes sense.
    pub refused: Refused,
}

/// Leave to make one call. It ends in [`Breakers::settle`] or [`Breakers::abandon`].
#[derive(Debug)]
#[must_use = "leave must be settled or abandoned"]
pub struct Leave<E, S> {
    /// Changes of state that asking has brought about.
    pub moved: Vec<Moved<E, S>>,
    vendor: Admission,
    endpoint: E,
    own: Option<Admission>,
    symbol: Option<S>,
    draw: f64,
}

impl<E, S> Leave<E, S> {
    /// Whether this call is a probe of a vendor that was not asked for a while.
    pub fn is_probe(&self) -> bool {
        self.vendor.is_probe || self.own.as_ref().is_some_and(|own| own.is_probe)
    }
}

/// What a vendor's breakers must remember across restarts: its own, and those of its endpoints that do not pass.
#[derive(Clone, Debug, PartialEq)]
pub struct HierarchySnapshot<E> {
    /// Its own.
    pub vendor: Snapshot,
    /// Endpoints that are open or tried.
    pub endpoints: Vec<(E, Snapshot)>,
}

#[derive(Clone, Debug)]
struct Endpoint {
    breaker: CircuitBreaker,
    used_at: Instant,
}

/// All breakers of one vendor. `E` names a kind of question, `S` an instrument.
#[derive(Clone, Debug)]
pub struct Breakers<E, S> {
    vendor: CircuitBreaker,
    endpoints: BTreeMap<E, Endpoint>,
    symbols: Symbols<S>,
    baseline: Baseline,
    adapts: bool,
}

impl<E: Ord + Clone, S: Eq + Hash + Clone> Breakers<E, S> {
    /// Closed, with nothing seen yet; whether the numbers follow the vendor's own baseline.
    pub fn new(settings: Settings, adapts: bool) -> Breakers<E, S> {
        Breakers {
            vendor: CircuitBreaker::new(of_vendor(settings)),
            endpoints: BTreeMap::new(),
            symbols: Symbols::new(),
            baseline: Baseline::new(settings),
            adapts,
        }
    }

    /// As a snapshot left it, `elapsed` later.
    pub fn restore(
        settings: Settings,
        adapts: bool,
        snapshot: &HierarchySnapshot<E>,
        elapsed: Duration,
        now: Instant,
    ) -> Breakers<E, S> {
        let mut breakers = Breakers::new(settings, adapts);
        breakers.vendor = CircuitBreaker::restore(of_vendor(settings), &snapshot.vendor, elapsed, now);
        for (endpoint, snapshot) in &snapshot.endpoints {
            let breaker = CircuitBreaker::restore(of_endpoint(settings), snapshot, elapsed, now);
            breakers.endpoints.insert(endpoint.clone(), Endpoint { breaker, used_at: now });
        }
        breakers
    }

    /// What to remember.
    pub fn snapshot(&self, now: Instant) -> HierarchySnapshot<E> {
        let shut = self.endpoints.iter().filter(|(_, endpoint)| !is_passing(&endpoint.breaker));
        HierarchySnapshot {
            vendor: self.vendor.snapshot(now),
            endpoints: shut.map(|(name, one)| (name.clone(), one.breaker.snapshot(now))).collect(),
        }
    }

    /// Asks leave for one call. `draw`, in `[0, 1)`, spreads the open time should this call fail.
    ///
    /// # Errors
    /// The breaker that refuses, and when to ask again.
    pub fn admit(
        &mut self,
        endpoint: &E,
        symbol: Option<&S>,
        now: Instant,
        draw: f64,
        priority: Priority,
    ) -> Result<Leave<E, S>, RefusedAt<E, S>> {
        self.check_call(endpoint, symbol, now, priority)?;
        let mut vendor = self
            .vendor
            .admit(now, draw, priority)
            .map_err(|refused| RefusedAt { level: Level::Vendor, refused })?;
        let mut moved = Vec::new();
        note(&mut moved, Level::Vendor, vendor.transition.take());
        let mut own = None;
        if !vendor.is_probe {
            let settings = of_endpoint(*self.vendor.settings());
            let one = self
                .endpoints
                .entry(endpoint.clone())
                .or_insert_with(|| Endpoint { breaker: CircuitBreaker::new(settings), used_at: now });
            one.used_at = now;
            match one.breaker.admit(now, draw, priority) {
                Ok(mut admission) => {
                    note(&mut moved, Level::Endpoint(endpoint.clone()), admission.transition.take());
                    own = Some(admission);
                }
                Err(refused) => {
                    self.vendor.abandon(vendor);
                    return Err(RefusedAt { level: Level::Endpoint(endpoint.clone()), refused });
                }
            }
        }
        if let Some(symbol) = symbol {
            let (_, transition) = self.symbols.admit(symbol, now);
            note(&mut moved, Level::Symbol(symbol.clone()), transition);
        }
        Ok(Leave { moved, vendor, endpoint: endpoint.clone(), own, symbol: symbol.cloned(), draw })
    }

    /// Whether one call has a chance, without asking leave.
    ///
    /// # Errors
    /// The breaker that refuses, and when to ask again.
    pub fn check_call(
        &self,
        endpoint: &E,
        symbol: Option<&S>,
        now: Instant,
        priority: Priority,
    ) -> Result<(), RefusedAt<E, S>> {
        self.vendor.check(now, priority).map_err(|refused| RefusedAt { level: Level::Vendor, refused })?;
        if is_passing(&self.vendor)
            && let Some(one) = self.endpoints.get(endpoint)
        {
            one.breaker
                .check(now, priority)
                .map_err(|refused| RefusedAt { level: Level::Endpoint(endpoint.clone()), refused })?;
        }
        if let Some(symbol) = symbol {
            self.symbols.check(symbol, now).map_err(|(state, retry_at)| RefusedAt {
                level: Level::Symbol(symbol.clone()),
                refused: Refused { state, retry_at },
            })?;
        }
        Ok(())
    }

    /// Takes the result of a call. `turbulent` is around the open and the close of the venue it was about.
    pub fn settle(
        &mut self,
        leave: Leave<E, S>,
        outcome: Outcome,
        turbulent: bool,
        now: Instant,
    ) -> Vec<Moved<E, S>> {
        let Leave { vendor, endpoint, own, symbol, draw, .. } = leave;
        let mut moved = Vec::new();
        if self.vendor.state() == State::Closed {
            self.baseline.add(outcome, now);
        }
        self.retune(turbulent, now);
        let changed = self.vendor.settle(vendor, outcome, now);
        let opened = changed.as_ref().is_some_and(|to| matches!(to.to, State::Open { .. }));
        let closed = changed.as_ref().is_some_and(|to| to.reason == Reason::ProbesSucceeded);
        note(&mut moved, Level::Vendor, changed);
        if closed {
            self.release(&endpoint, &mut moved, now);
        }
        if let Some(own) = own
            && let Some(one) = self.endpoints.get_mut(&endpoint)
        {
            if opened {
                one.breaker.abandon(own);
            } else {
                let changed = one.breaker.settle(own, outcome, now);
                let opened = changed.as_ref().is_some_and(|to| matches!(to.to, State::Open { .. }));
                note(&mut moved, Level::Endpoint(endpoint), changed);
                if opened && self.is_half_open_below(now) {
                    note(&mut moved, Level::Vendor, self.vendor.trip(Reason::Endpoints, draw, now));
                }
            }
        }
        if let Some(symbol) = symbol {
            let changed = match outcome {
                Outcome::Succeeded { .. } => self.symbols.answered(&symbol, now),
                Outcome::Failed(Failure::Data | Failure::Server) => {
                    self.symbols.failed(&symbol, self.vendor.settings().open, now)
                }
                Outcome::Failed(_) => {
                    self.symbols.abandoned(&symbol);
                    None
                }
            };
            note(&mut moved, Level::Symbol(symbol), changed);
        }
        moved
    }

    /// Takes back leave for a call that was not made or whose caller left: neither success nor failure.
    pub fn abandon(&mut self, leave: Leave<E, S>) {
        self.vendor.abandon(leave.vendor);
        if let (Some(own), Some(one)) = (leave.own, self.endpoints.get_mut(&leave.endpoint)) {
            one.breaker.abandon(own);
        }
        if let Some(symbol) = leave.symbol {
            self.symbols.abandoned(&symbol);
        }
    }

    /// Whether at least half of at least four endpoints used within the window are open.
    fn is_half_open_below(&self, now: Instant) -> bool {
        let window = self.vendor.settings().window;
        let active: Vec<&Endpoint> =
            self.endpoints.values().filter(|one| now.since(one.used_at) <= window).collect();
        let open = active.iter().filter(|one| matches!(one.breaker.state(), State::Open { .. })).count();
        active.len() >= ACTIVE && 2 * open >= active.len()
    }

    /// The vendor is back: the endpoint that proved it is closed, the others are tried one after the other, and
    /// nothing is held against symbols.
    fn release(&mut self, proven: &E, moved: &mut Vec<Moved<E, S>>, now: Instant) {
        let mut start = now;
        for (name, one) in &mut self.endpoints {
            let changed = if name == proven {
                one.breaker.reset(now)
            } else {
                if !is_passing(&one.breaker) {
                    start += SPREAD;
                }
                one.breaker.release(start, now)
            };
            note(moved, Level::Endpoint(name.clone()), changed);
        }
        self.symbols.clear();
    }

    fn retune(&mut self, turbulent: bool, now: Instant) {
        if !self.adapts {
            return;
        }
        let settings = self.baseline.settings(turbulent, now);
        self.vendor.retune(of_vendor(settings));
        for one in self.endpoints.values_mut() {
            one.breaker.retune(of_endpoint(settings));
        }
    }

    /// Opens the vendor until its own time: see [`CircuitBreaker::open_until`].
    pub fn open_until(&mut self, until: Instant, now: Instant) -> Option<Moved<E, S>> {
        self.vendor.open_until(until, now).map(of_itself)
    }

    /// The vendor does not accept the key: see [`CircuitBreaker::unauthorized`].
    pub fn unauthorized(&mut self, now: Instant) -> Moved<E, S> {
        of_itself(self.vendor.unauthorized(now))
    }

    /// Announced work: see [`CircuitBreaker::enter_maintenance`].
    pub fn enter_maintenance(&mut self, until: Instant, reason: &str, now: Instant) -> Moved<E, S> {
        of_itself(self.vendor.enter_maintenance(until, reason, now))
    }

    /// Ends maintenance before its time. `None` if there is none.
    pub fn end_maintenance(&mut self, now: Instant) -> Option<Moved<E, S>> {
        self.vendor.end_maintenance(now).map(of_itself)
    }

    /// An operator's order to open the vendor, or one of its endpoints.
    pub fn force_open(&mut self, endpoint: Option<&E>, until: Instant, now: Instant) -> Moved<E, S> {
        let Some(name) = endpoint else { return of_itself(self.vendor.force_open(until, now)) };
        let settings = of_endpoint(*self.vendor.settings());
        let one = self
            .endpoints
            .entry(name.clone())
            .or_insert_with(|| Endpoint { breaker: CircuitBreaker::new(settings), used_at: now });
        Moved { level: Level::Endpoint(name.clone()), transition: one.breaker.force_open(until, now) }
    }

    /// An operator's order to forget and start anew: the vendor with all below it, or one endpoint.
    pub fn reset(&mut self, endpoint: Option<&E>, now: Instant) -> Vec<Moved<E, S>> {
        let mut moved = Vec::new();
        for (name, one) in &mut self.endpoints {
            if endpoint.is_none_or(|wanted| wanted == name) {
                note(&mut moved, Level::Endpoint(name.clone()), one.breaker.reset(now));
            }
        }
        if endpoint.is_none() {
            note(&mut moved, Level::Vendor, self.vendor.reset(now));
            self.symbols.clear();
        }
        moved
    }

    /// Takes back what failures since an instant have led to, because they were ours.
    pub fn absolve(&mut self, since: Instant, now: Instant) -> Vec<Moved<E, S>> {
        let mut moved = Vec::new();
        note(&mut moved, Level::Vendor, self.vendor.absolve(since, now));
        for (name, one) in &mut self.endpoints {
            note(&mut moved, Level::Endpoint(name.clone()), one.breaker.absolve(since, now));
        }
        moved
    }

    /// Whether the vendor has a chance for a call of this class, its endpoints aside: see
    /// [`CircuitBreaker::check`].
    ///
    /// # Errors
    /// The state that refuses, and when to ask again.
    pub fn check(&self, now: Instant, priority: Priority) -> Result<(), Refused> {
        self.vendor.check(now, priority)
    }

    /// Whether the next call of a kind would be a probe.
    pub fn is_to_be_tried(&self, endpoint: &E) -> bool {
        !is_passing(&self.vendor) || self.endpoints.get(endpoint).is_some_and(|one| !is_passing(&one.breaker))
    }

    /// The vendor's state: see [`CircuitBreaker::state`].
    pub fn state(&self) -> State {
        self.vendor.state()
    }

    /// The state of each endpoint that was ever used, and whether it may be asked now.
    pub fn endpoints(&self) -> impl Iterator<Item = (&E, State)> {
        self.endpoints.iter().map(|(name, one)| (name, one.breaker.state()))
    }

    /// Symbols that are not asked for at present, with until when.
    pub fn open_symbols(&self, now: Instant) -> Vec<(S, Instant)> {
        self.symbols.open(now)
    }

    /// Share of calls that are admitted at present: see [`CircuitBreaker::share`].
    pub fn share(&self) -> f64 {
        self.vendor.share()
    }

    /// The numbers in use.
    pub fn settings(&self) -> &Settings {
        self.vendor.settings()
    }

    /// What is usual for the vendor, and the numbers as configured.
    pub fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Whether the numbers follow the baseline.
    pub fn is_adaptive(&self) -> bool {
        self.adapts
    }
}

/// The vendor pools: its share of failures is judged by the lower bound.
fn of_vendor(settings: Settings) -> Settings {
    Settings { by_lower_bound: true, ..settings }
}

/// Reduced capacity is the vendor's business, or a call would be reduced twice.
fn of_endpoint(settings: Settings) -> Settings {
    Settings { by_lower_bound: false, degrades: false, ..settings }
}

fn is_passing(breaker: &CircuitBreaker) -> bool {
    matches!(breaker.state(), State::Closed | State::Degraded)
}

fn of_itself<E, S>(transition: Transition) -> Moved<E, S> {
    Moved { level: Level::Vendor, transition }
}

fn note<E, S>(moved: &mut Vec<Moved<E, S>>, level: Level<E, S>, transition: Option<Transition>) {
    moved.extend(transition.map(|transition| Moved { level, transition }));
}
