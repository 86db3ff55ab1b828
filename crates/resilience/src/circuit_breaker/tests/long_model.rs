//! BRK-1, BRK-2, BRK-4, BRK-5, BRK-11: a million random operations on the breakers of one vendor, restarts
//! included, watched by whoever knows only what was told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{FAST, MIDDLE, SECOND, TIMEOUT};
use crate::Priority;
use crate::circuit_breaker::{Breakers, Failure, Leave, Level, Moved, Outcome, Reason, Settings, State};
use domain::Instant;

const ENDPOINTS: [u8; 5] = [0, 1, 2, 3, 4];

/// SplitMix64 (Steele, Lea, Flood, 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// What is known from outside: the last state told of the vendor and of each endpoint.
struct Watch {
    breakers: Breakers<u8, u8>,
    adapts: bool,
    now: Instant,
    vendor: State,
    endpoints: BTreeMap<u8, State>,
    calls: Vec<(Leave<u8, u8>, Option<u8>)>,
    /// Probes under way: of the vendor (`None`) and of endpoints, with when they began.
    probes: BTreeMap<Option<u8>, Instant>,
    seen: BTreeSet<(Option<bool>, &'static str, &'static str)>,
}

fn allowed(at_vendor: bool, from: &State, to: &State, reason: &Reason) -> bool {
    match (from.as_str(), to.as_str(), reason) {
        ("closed", "degraded", Reason::Failures | Reason::SlowCalls) => at_vendor,
        ("closed" | "degraded", "open", Reason::Failures | Reason::FailuresInARow) => true,
        ("closed" | "degraded", "open", Reason::Endpoints) => at_vendor,
        ("closed" | "degraded" | "half_open", "open", Reason::VendorsWord) => at_vendor,
        ("degraded", "closed", Reason::Recovered) => at_vendor,
        ("open" | "maintenance", "half_open", Reason::WaitOver) => true,
        ("maintenance", "half_open", Reason::Ordered) => at_vendor,
        ("half_open", "closed", Reason::ProbesSucceeded) => true,
        ("half_open", "open", Reason::ProbeFailed) => true,
        // A parent that has recovered spreads its children's starts, and closes the one that proved it.
        ("half_open", "open", Reason::WaitOver) => !at_vendor,
        (_, "maintenance", Reason::Planned(_) | Reason::BadCredentials) => at_vendor,
        (_, "open" | "closed", Reason::Ordered) => true,
        ("open", "closed" | "half_open", Reason::OurFault) => true,
        _ => false,
    }
}

impl Watch {
    fn told(&mut self, moved: Vec<Moved<u8, u8>>) {
        for Moved { level, transition } in moved {
            let key = match level {
                Level::Symbol(_) => continue,
                Level::Vendor => None,
                Level::Endpoint(name) => Some(name),
            };
            let before = match key {
                None => &mut self.vendor,
                Some(name) => self.endpoints.entry(name).or_insert(State::Closed),
            };
            assert_eq!(transition.from.as_str(), before.as_str(), "facts follow one another");
            assert!(
                allowed(key.is_none(), &transition.from, &transition.to, &transition.reason),
                "{transition}"
            );
            *before = transition.to.clone();
            self.probes.remove(&key);
            self.seen.insert((key.map(|_| true), transition.from.as_str(), transition.to.as_str()));
        }
        assert_eq!(self.breakers.state().as_str(), self.vendor.as_str(), "every change is told");
        for (name, state) in self.breakers.endpoints() {
            let told = self.endpoints.get(name).map_or("closed", State::as_str);
            assert_eq!(state.as_str(), told, "endpoint {name}");
        }
    }

    fn ask(&mut self, dice: &mut Dice) {
        let endpoint = ENDPOINTS[dice.below(5) as usize];
        let symbol = (dice.below(3) > 0).then(|| dice.below(6) as u8);
        let priority = Priority::ALL[dice.below(5) as usize];
        let now = self.now;
        let vendor = self.vendor.clone();
        // What really stands, a parent may have given another start.
        let own = self.breakers.endpoints().find(|(name, _)| **name == endpoint).map(|(_, state)| state);
        match self.breakers.admit(&endpoint, symbol.as_ref(), now, MIDDLE, priority) {
            Err(refused) => {
                assert!(refused.refused.retry_at > now, "{refused:?}");
                self.told(Vec::new());
            }
            Ok(mut leave) => {
                match &vendor {
                    State::Open { until } | State::Maintenance { until, .. } => {
                        assert!(now >= *until, "a call has passed an open vendor");
                    }
                    State::Closed | State::Degraded => {
                        if let Some(State::Open { until }) = own {
                            assert!(now >= until, "a call has passed an open endpoint");
                        }
                    }
                    State::HalfOpen => (),
                }
                let moved = std::mem::take(&mut leave.moved);
                self.told(moved);
                if leave.is_probe() {
                    let key = (self.vendor.as_str() != "half_open").then_some(endpoint);
                    let lapse = self.breakers.settings().open;
                    let before = self.probes.insert(key, now);
                    assert!(before.is_none_or(|since| now >= since + lapse), "two probes at a time");
                }
                self.calls.push((leave, Some(endpoint)));
            }
        }
    }

    fn end(&mut self, dice: &mut Dice) {
        if self.calls.is_empty() {
            return;
        }
        let (leave, endpoint) = self.calls.swap_remove(dice.below(self.calls.len() as u64) as usize);
        if leave.is_probe() {
            let key = if self.vendor.as_str() == "half_open" { None } else { endpoint };
            self.probes.remove(&key);
        }
        let outcome = match dice.below(12) {
            0 => return self.breakers.abandon(leave),
            1..=4 => FAST,
            5 => Outcome::Succeeded { took: 9 * SECOND },
            6 => Outcome::Failed(Failure::NotCounted),
            7 => Outcome::Failed(Failure::Data),
            8 => Outcome::Failed(Failure::Server),
            _ => TIMEOUT,
        };
        let before = (self.vendor.clone(), self.endpoints.clone());
        let moved = self.breakers.settle(leave, outcome, dice.below(8) == 0, self.now);
        if outcome == Outcome::Failed(Failure::NotCounted) {
            assert!(moved.is_empty(), "nobody's fault moves nothing");
        }
        self.told(moved);
        if matches!(outcome, Outcome::Failed(Failure::NotCounted)) {
            assert_eq!(before, (self.vendor.clone(), self.endpoints.clone()));
        }
    }

    fn restart(&mut self, dice: &mut Dice) {
        let kept = self.breakers.snapshot(self.now);
        let left = |state: &State, now: Instant| match state {
            State::Open { until } | State::Maintenance { until, .. } => until.since(now),
            State::Closed | State::Degraded | State::HalfOpen => Duration::ZERO,
        };
        let before = left(&self.breakers.state(), self.now);
        let elapsed = Duration::from_secs(dice.below(120));
        // The clock may have been set to anything.
        let stepped = Instant::from_secs(dice.below(2_000_000_000) as i64);
        self.breakers =
            Breakers::restore(*self.breakers.baseline().base(), self.adapts, &kept, elapsed, stepped);
        assert_eq!(
            left(&self.breakers.state(), stepped),
            before.saturating_sub(elapsed),
            "what is left is left"
        );
        self.now = stepped;
        self.calls.clear();
        self.probes.clear();
        self.vendor = self.breakers.state();
        self.endpoints = self.breakers.endpoints().map(|(name, state)| (*name, state)).collect();
    }

    fn order(&mut self, dice: &mut Dice) {
        let now = self.now;
        let until = now + Duration::from_secs(dice.below(200));
        let endpoint = (dice.below(2) == 0).then(|| ENDPOINTS[dice.below(5) as usize]);
        let moved = match dice.below(8) {
            0 => self.breakers.open_until(until, now).into_iter().collect(),
            1 => vec![self.breakers.enter_maintenance(until, "planned", now)],
            2 => self.breakers.end_maintenance(now).into_iter().collect(),
            3 => vec![self.breakers.unauthorized(now)],
            4 => vec![self.breakers.force_open(endpoint.as_ref(), until, now)],
            5 => self.breakers.reset(endpoint.as_ref(), now),
            6 => self.breakers.absolve(now - 5 * SECOND, now),
            _ => return self.restart(dice),
        };
        self.told(moved);
    }
}

#[test]
fn a_million_operations_keep_to_the_table_of_states_at_every_level() {
    let mut seen = BTreeSet::new();
    let mut operations = 0_u64;
    for seed in 0..100 {
        let mut dice = Dice(seed);
        let adapts = seed % 2 == 0;
        let settings = Settings { failures: 1 + (seed % 8) as u32, ..Settings::default() };
        let mut watch = Watch {
            breakers: Breakers::new(settings, adapts),
            adapts,
            now: Instant::from_secs(1_800_000_000),
            vendor: State::Closed,
            endpoints: BTreeMap::new(),
            calls: Vec::new(),
            probes: BTreeMap::new(),
            seen: BTreeSet::new(),
        };
        for _ in 0..10_200 {
            match dice.below(1_000) {
                0..150 => watch.now += Duration::from_millis(dice.below(9_000)),
                150..600 => watch.ask(&mut dice),
                600..996 => watch.end(&mut dice),
                _ => watch.order(&mut dice),
            }
            operations += 1;
        }
        seen.append(&mut watch.seen);
    }
    assert!(operations >= 1_000_000);
    for from_to in [
        (None, "closed", "open"),
        (None, "closed", "degraded"),
        (None, "degraded", "closed"),
        (None, "open", "half_open"),
        (None, "half_open", "closed"),
        (None, "half_open", "open"),
        (None, "maintenance", "half_open"),
        (Some(true), "closed", "open"),
        (Some(true), "open", "half_open"),
        (Some(true), "half_open", "closed"),
        (Some(true), "half_open", "open"),
    ] {
        assert!(seen.contains(&from_to), "{from_to:?} never happened");
    }
}
