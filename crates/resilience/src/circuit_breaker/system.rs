//! Whether it is us (BRK-12): when nearly all vendors fail within seconds, the network, the names or the clock
//! are to blame, and no vendor.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::Instant;

use crate::Priority;

/// When we blame ourselves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Share of vendors in use that fail together, in `[0, 1]`.
    pub share: f64,
    /// Vendors in use below which a share says nothing.
    pub least: usize,
    /// Failures so close to one another are together.
    pub together: Duration,
    /// A vendor asked within this time is in use.
    pub in_use: Duration,
    /// First wait before one question tries whether the world is back; doubled each time it is not.
    pub open: Duration,
    /// Longest such wait.
    pub open_cap: Duration,
}

impl Default for Settings {
    /// 80 % of at least three vendors within 5 s; tried again after 2 s, at most 30 s.
    fn default() -> Settings {
        Settings {
            share: 0.8,
            least: 3,
            together: Duration::from_secs(5),
            in_use: Duration::from_secs(60),
            open: Duration::from_secs(2),
            open_cap: Duration::from_secs(30),
        }
    }
}

/// What the system does with questions that need a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All pass.
    Closed,
    /// None passes before `until`.
    Open {
        /// End of the wait.
        until: Instant,
    },
    /// One at a time passes.
    HalfOpen,
}

impl State {
    /// One word: `closed`, `open`, `half_open`.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open { .. } => "open",
            State::HalfOpen => "half_open",
        }
    }
}

/// What a vendor's outcome has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<V> {
    /// It is us. What these vendors failed at since the instant is not held against them.
    Ours {
        /// The first of the failures.
        since: Instant,
        /// Vendors that failed.
        vendors: Vec<V>,
    },
    /// It was us, and is no more.
    Over,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    answered_at: Option<Instant>,
    /// First and last failure since the last answer.
    failed: Option<(Instant, Instant)>,
}

impl Seen {
    fn last(&self) -> Option<Instant> {
        self.answered_at.max(self.failed.map(|(_, last)| last))
    }
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Closed,
    Open { until: Instant },
    HalfOpen { probe_since: Option<Instant> },
}

/// Watches all vendors together.
#[derive(Clone, Debug)]
pub struct System<V> {
    settings: Settings,
    seen: BTreeMap<V, Seen>,
    phase: Phase,
    reopenings: u32,
}

impl<V: Ord + Copy> System<V> {
    /// Nothing is wrong.
    pub fn new(settings: Settings) -> System<V> {
        System { settings, seen: BTreeMap::new(), phase: Phase::Closed, reopenings: 0 }
    }

    /// Whether failures are ours at present.
    pub fn is_ours(&self) -> bool {
        !matches!(self.phase, Phase::Closed)
    }

    /// The state as last asked or told.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { until } => State::Open { until },
            Phase::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// Asks whether a question may go to vendors. Low and batch work waits until all is well.
    ///
    /// # Errors
    /// When to ask again.
    pub fn admit(&mut self, priority: Priority, now: Instant) -> Result<(), Instant> {
        let soon = now + self.settings.open;
        match &mut self.phase {
            Phase::Closed => return Ok(()),
            Phase::Open { until } if now < *until => return Err(*until),
            Phase::Open { .. } | Phase::HalfOpen { probe_since: None }
                if matches!(priority, Priority::Low | Priority::Batch) =>
            {
                return Err(soon);
            }
            Phase::HalfOpen { probe_since: Some(since) } if now < *since + self.settings.together => {
                return Err(*since + self.settings.together);
            }
            Phase::Open { .. } | Phase::HalfOpen { .. } => (),
        }
        self.phase = Phase::HalfOpen { probe_since: Some(now) };
        Ok(())
    }

    /// A vendor answered: whatever it said, the way to it works.
    pub fn answered(&mut self, vendor: V, now: Instant) -> Option<Verdict<V>> {
        self.seen.insert(vendor, Seen { answered_at: Some(now), failed: None });
        if !self.is_ours() {
            return None;
        }
        self.phase = Phase::Closed;
        self.reopenings = 0;
        self.seen.values_mut().for_each(|seen| seen.failed = None);
        Some(Verdict::Over)
    }

    /// A vendor failed.
    pub fn failed(&mut self, vendor: V, now: Instant) -> Option<Verdict<V>> {
        let together = self.settings.together;
        let seen = self.seen.entry(vendor).or_default();
        let first =
            seen.failed.map_or(now, |(first, last)| if now.since(last) > together { now } else { first });
        seen.failed = Some((first, now));
        match self.phase {
            Phase::Closed => self.judge(now),
            Phase::HalfOpen { .. } => {
                self.reopenings = self.reopenings.saturating_add(1);
                self.open(now);
                None
            }
            Phase::Open { .. } => None,
        }
    }

    fn judge(&mut self, now: Instant) -> Option<Verdict<V>> {
        let Settings { share, least, together, in_use, .. } = self.settings;
        let used = self.seen.iter().filter(|(_, seen)| seen.last().is_some_and(|at| now.since(at) <= in_use));
        let used: Vec<(V, Seen)> = used.map(|(vendor, seen)| (*vendor, *seen)).collect();
        let failing = used.iter().filter_map(|(vendor, seen)| {
            let (first, last) = seen.failed?;
            (now.since(last) <= together).then_some((*vendor, first))
        });
        let failing: Vec<(V, Instant)> = failing.collect();
        if used.len() < least || (failing.len() as f64) < share * used.len() as f64 {
            return None;
        }
        self.open(now);
        let since = failing.iter().map(|(_, first)| *first).min()?;
        Some(Verdict::Ours { since, vendors: failing.into_iter().map(|(vendor, _)| vendor).collect() })
    }

    fn open(&mut self, now: Instant) {
        let wait =
            self.settings.open.saturating_mul(1 << self.reopenings.min(16)).min(self.settings.open_cap);
        self.phase = Phase::Open { until: now + wait };
    }
}

#[cfg(test)]
mod tests {
    //! BRK-12.
    use super::*;

    fn at(ms: i64) -> Instant {
        Instant::from_millis(ms)
    }

    fn system() -> System<&'static str> {
        System::new(Settings::default())
    }

    #[test]
    fn three_vendors_failing_within_seconds_are_our_fault_and_two_or_slowly_are_not() {
        let mut ours = system();
        assert_eq!(ours.failed("a", at(0)), None);
        assert_eq!(ours.failed("b", at(1_000)), None);
        let verdict = ours.failed("c", at(2_000));
        assert_eq!(verdict, Some(Verdict::Ours { since: at(0), vendors: vec!["a", "b", "c"] }));
        let mut slowly = system();
        for (n, vendor) in ["a", "b", "c"].into_iter().enumerate() {
            assert_eq!(slowly.failed(vendor, at(6_000 * n as i64)), None);
        }
    }

    #[test]
    fn one_of_three_that_answers_clears_us() {
        let mut world = system();
        for turn in 0..20 {
            assert_eq!(world.answered("c", at(turn * 100)), None);
            assert_eq!(world.failed("a", at(turn * 100)), None);
            assert_eq!(world.failed("b", at(turn * 100)), None);
        }
        // Four of five are enough.
        let mut world = system();
        world.answered("e", at(0));
        for vendor in ["a", "b", "c"] {
            assert_eq!(world.failed(vendor, at(1)), None);
        }
        assert!(matches!(world.failed("d", at(2)), Some(Verdict::Ours { .. })));
    }

    #[test]
    fn while_it_is_us_one_question_at_a_time_tries_and_an_answer_ends_it() {
        let mut world = system();
        for vendor in ["a", "b", "c"] {
            world.failed(vendor, at(0));
        }
        assert_eq!(world.admit(Priority::Critical, at(1_000)), Err(at(2_000)));
        assert!(world.admit(Priority::Batch, at(2_000)).is_err(), "low work waits");
        assert_eq!(world.admit(Priority::Normal, at(2_000)), Ok(()));
        assert!(world.admit(Priority::Normal, at(2_001)).is_err(), "one at a time");
        assert_eq!(world.failed("a", at(2_100)), None);
        assert_eq!(world.admit(Priority::Normal, at(2_200)), Err(at(6_100)), "twice as long");
        assert_eq!(world.admit(Priority::Normal, at(6_100)), Ok(()));
        assert_eq!(world.answered("b", at(6_150)), Some(Verdict::Over));
        assert_eq!(world.admit(Priority::Batch, at(6_151)), Ok(()));
        assert_eq!(world.failed("a", at(6_200)), None, "what was ours is forgotten");
    }
}
