//! Single instruments that one vendor cannot tell while it tells others (BRK-2).
//!
//! A symbol is to blame only where others were answered in between: else the vendor is. An unknown symbol is an
//! answer and moves nothing here.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use domain::Instant;

use super::{Reason, State, Transition};

/// Failures in a row that open it.
const FAILURES: u32 = 3;
/// Answers for other symbols in the same time that put the blame on this one.
const OTHERS_ANSWERED: u64 = 3;
/// A probe that nobody ended holds its place so long.
const PROBE_LAPSES: Duration = Duration::from_secs(60);
/// So many symbols are remembered; beyond, the one that failed longest ago is forgotten.
const REMEMBERED: usize = 1_024;

#[derive(Clone, Debug)]
enum Phase {
    Counting { failures: u32, answered_then: u64 },
    Open { until: Instant },
    HalfOpen { probe_since: Option<Instant> },
}

#[derive(Clone, Debug)]
struct Symbol {
    phase: Phase,
    failed_at: Instant,
}

/// Symbols with something against them.
#[derive(Clone, Debug)]
pub(super) struct Symbols<S> {
    known: HashMap<S, Symbol>,
    answered: u64,
}

impl<S: Eq + Hash + Clone> Symbols<S> {
    pub(super) fn new() -> Symbols<S> {
        Symbols { known: HashMap::new(), answered: 0 }
    }

    /// # Errors
    /// The state that refuses, and when to ask again.
    pub(super) fn check(&self, symbol: &S, now: Instant) -> Result<(), (State, Instant)> {
        match self.known.get(symbol).map(|symbol| &symbol.phase) {
            Some(Phase::Open { until }) if now < *until => Err((State::Open { until: *until }, *until)),
            Some(Phase::HalfOpen { probe_since: Some(since) }) if now < *since + PROBE_LAPSES => {
                Err((State::HalfOpen, *since + PROBE_LAPSES))
            }
            _ => Ok(()),
        }
    }

    /// Notes that a call goes out for which [`Symbols::check`] saw nothing; whether it is a probe.
    pub(super) fn admit(&mut self, symbol: &S, now: Instant) -> (bool, Option<Transition>) {
        let Some(known) = self.known.get_mut(symbol) else { return (false, None) };
        match &mut known.phase {
            Phase::Counting { .. } => (false, None),
            Phase::Open { until } => {
                let from = State::Open { until: *until };
                known.phase = Phase::HalfOpen { probe_since: Some(now) };
                (true, Some(Transition { from, to: State::HalfOpen, at: now, reason: Reason::WaitOver }))
            }
            Phase::HalfOpen { probe_since } => {
                *probe_since = Some(now);
                (true, None)
            }
        }
    }

    /// The vendor answered for it.
    pub(super) fn answered(&mut self, symbol: &S, now: Instant) -> Option<Transition> {
        self.answered += 1;
        let from = match self.known.remove(symbol)?.phase {
            Phase::Counting { .. } => return None,
            Phase::Open { until } => State::Open { until },
            Phase::HalfOpen { .. } => State::HalfOpen,
        };
        Some(Transition { from, to: State::Closed, at: now, reason: Reason::ProbesSucceeded })
    }

    /// The vendor failed on it.
    pub(super) fn failed(&mut self, symbol: &S, open: Duration, now: Instant) -> Option<Transition> {
        if !self.known.contains_key(symbol) {
            self.make_room();
        }
        let fresh =
            Symbol { phase: Phase::Counting { failures: 0, answered_then: self.answered }, failed_at: now };
        let known = self.known.entry(symbol.clone()).or_insert(fresh);
        known.failed_at = now;
        let until = now + open;
        let (from, reason) = match &mut known.phase {
            Phase::Counting { failures, answered_then } => {
                *failures += 1;
                if *failures < FAILURES || self.answered - *answered_then < OTHERS_ANSWERED {
                    return None;
                }
                (State::Closed, Reason::FailuresInARow)
            }
            Phase::HalfOpen { .. } => (State::HalfOpen, Reason::ProbeFailed),
            Phase::Open { .. } => return None,
        };
        known.phase = Phase::Open { until };
        Some(Transition { from, to: State::Open { until }, at: now, reason })
    }

    /// A probe came to no end.
    pub(super) fn abandoned(&mut self, symbol: &S) {
        if let Some(Symbol { phase: Phase::HalfOpen { probe_since }, .. }) = self.known.get_mut(symbol) {
            *probe_since = None;
        }
    }

    /// Symbols that are not asked for at present, with until when.
    pub(super) fn open(&self, now: Instant) -> Vec<(S, Instant)> {
        let open = self.known.iter().filter_map(|(name, symbol)| match symbol.phase {
            Phase::Open { until } if now < until => Some((name.clone(), until)),
            _ => None,
        });
        open.collect()
    }

    pub(super) fn clear(&mut self) {
        self.known.clear();
    }

    fn make_room(&mut self) {
        if self.known.len() >= REMEMBERED
            && let Some(oldest) =
                self.known.iter().min_by_key(|(_, symbol)| symbol.failed_at).map(|(name, _)| name.clone())
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    //! BRK-2.
    use super::*;

    const OPEN: Duration = Duration::from_secs(60);

    fn at(secs: i64) -> Instant {
        Instant::from_secs(secs)
    }

    #[test]
    fn a_symbol_is_blamed_only_where_others_were_answered_meanwhile() {
        let mut symbols = Symbols::new();
        for second in 0..50 {
            assert_eq!(symbols.failed(&"BAD", OPEN, at(second)), None, "then the vendor is to blame");
        }
        for _ in 0..OTHERS_ANSWERED {
            assert_eq!(symbols.answered(&"GOOD", at(50)), None);
        }
        let opened = symbols.failed(&"BAD", OPEN, at(51)).expect("now it is the symbol");
        assert_eq!((opened.from.as_str(), opened.to.as_str()), ("closed", "open"));
        assert!(symbols.check(&"BAD", at(52)).is_err());
        assert_eq!(symbols.check(&"GOOD", at(52)), Ok(()));
        assert_eq!(symbols.open(at(52)), [("BAD", at(111))]);
    }

    #[test]
    fn after_the_wait_one_probe_decides_and_an_abandoned_one_gives_its_place_back() {
        let mut symbols = Symbols::new();
        symbols.failed(&"BAD", OPEN, at(0));
        (0..3).for_each(|_| assert_eq!(symbols.answered(&"GOOD", at(0)), None));
        symbols.failed(&"BAD", OPEN, at(0));
        symbols.failed(&"BAD", OPEN, at(0));
        assert_eq!(symbols.check(&"BAD", at(60)), Ok(()));
        assert!(symbols.admit(&"BAD", at(60)).0);
        assert!(symbols.check(&"BAD", at(60)).is_err(), "one at a time");
        symbols.abandoned(&"BAD");
        assert_eq!(symbols.check(&"BAD", at(60)), Ok(()));
        assert!(symbols.admit(&"BAD", at(61)).0);
        assert_eq!(symbols.failed(&"BAD", OPEN, at(61)).map(|t| t.reason), Some(Reason::ProbeFailed));
        assert!(symbols.admit(&"BAD", at(121)).0);
        assert_eq!(symbols.answered(&"BAD", at(121)).map(|t| t.to), Some(State::Closed));
        assert!(symbols.known.is_empty());
    }

    #[test]
    fn any_number_of_failing_symbols_takes_bounded_room() {
        let mut symbols = Symbols::new();
        for n in 0..5_000 {
            symbols.failed(&n, OPEN, at(n));
        }
        assert_eq!(symbols.known.len(), REMEMBERED);
        assert!(symbols.known.contains_key(&4_999) && !symbols.known.contains_key(&0));
    }
}
