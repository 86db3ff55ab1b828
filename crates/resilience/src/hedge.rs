//! When a late call is doubled by one to another vendor (RTY-4; Dean and Barroso, "The Tail at Scale", 2013).
//!
//! One per vendor, for calls that go to it first. A hedge is for one slow call; when many are slow, more
//! calls are no cure. Then [`Hedge::needs_demotion`] tells the router, and a caller that waits any longer
//! fails over as it would on a failure: the budget limits doubled calls, it never makes anyone wait.

use std::collections::VecDeque;
use std::time::Duration;

use crate::latency::LastLatencies;

/// Limits of hedging.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Share of recent calls that have to be faster than the delay, in `[0, 1]`.
    pub percentile: f64,
    /// The delay is never longer, and is this before anything is known.
    pub longest_delay: Duration,
    /// Hedges per primary call, in `[0, 1]`.
    pub budget: f64,
    /// Share of recent calls in want of a hedge above which the whole vendor is slow and none is made.
    pub off_above: f64,
}

impl Default for Settings {
    /// After the p95, at most 500 ms; 5 % of calls; off above 20 %.
    fn default() -> Settings {
        Settings { percentile: 0.95, longest_delay: Duration::from_millis(500), budget: 0.05, off_above: 0.2 }
    }
}

/// Why a late call is not doubled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Withheld {
    /// The budget of hedges is spent.
    #[error("budget of hedges is spent")]
    Budget,
    /// Too many calls are late.
    #[error("too many calls are late")]
    SlowVendor,
}

/// So many calls are remembered.
const RECENT: usize = 100;
/// Below this many remembered calls a share says nothing.
const ENOUGH: usize = 20;
/// Hedges that can be saved up.
const SAVED: f64 = 2.0;

/// One vendor's hedging.
#[derive(Clone, Debug)]
pub struct Hedge {
    settings: Settings,
    latencies: LastLatencies,
    /// For each recent call whether it wanted a hedge, granted or not.
    wanted: VecDeque<bool>,
    tokens: f64,
}

impl Hedge {
    /// Nothing is known yet, and one hedge is in hand.
    pub fn new(settings: Settings) -> Hedge {
        Hedge { settings, latencies: LastLatencies::new(RECENT), wanted: VecDeque::new(), tokens: 1.0 }
    }

    /// Notes that a primary call was sent, and says after which time without a reply to hedge it: the
    /// percentile of recent latencies, at most the longest delay.
    pub fn started(&mut self) -> Duration {
        if self.wanted.len() == RECENT {
            self.wanted.pop_front();
        }
        self.wanted.push_back(false);
        self.tokens = (self.tokens + self.settings.budget).min(SAVED);
        self.delay()
    }

    /// The delay at present.
    pub fn delay(&self) -> Duration {
        let known = self.latencies.percentile(self.settings.percentile);
        known.map_or(self.settings.longest_delay, |latency| latency.min(self.settings.longest_delay))
    }

    /// Notes the latency of a primary call that was answered, hedged or not.
    pub fn answered(&mut self, latency: Duration) {
        self.latencies.add(latency);
    }

    /// Asks for a hedge of a call that is late, once per call.
    ///
    /// # Errors
    /// Why there is none. Failing over stays open to the caller.
    pub fn try_hedge(&mut self) -> Result<(), Withheld> {
        // Calls answer the question in any order; what counts is how many of the recent ones did.
        if let Some(call) = self.wanted.iter_mut().rev().find(|wanted| !**wanted) {
            *call = true;
        }
        if self.wanted.len() >= ENOUGH && self.wanted_share() > self.settings.off_above {
            return Err(Withheld::SlowVendor);
        }
        // Sums of a budget such as 0.05 fall short of one by a rounding.
        if self.tokens < 1.0 - 1e-9 {
            return Err(Withheld::Budget);
        }
        self.tokens -= 1.0;
        Ok(())
    }

    /// Share of recent calls that wanted a hedge, in `[0, 1]`; 0 before the first.
    pub fn wanted_share(&self) -> f64 {
        if self.wanted.is_empty() {
            return 0.0;
        }
        self.wanted.iter().filter(|wanted| **wanted).count() as f64 / self.wanted.len() as f64
    }

    /// Whether the vendor wants more hedges than the budget has, and should be asked after others instead.
    pub fn needs_demotion(&self) -> bool {
        // Hedging after the p95 doubles one call in twenty of a healthy vendor: twice that is a tendency.
        self.wanted.len() >= ENOUGH && self.wanted_share() > 2.0 * self.settings.budget
    }
}

#[cfg(test)]
mod tests {
    //! RTY-4.

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Calls of which each n-th is late; returns how many were hedged.
    fn hedged(hedge: &mut Hedge, calls: u32, late_each: u32) -> u32 {
        (1..=calls)
            .filter(|n| {
                hedge.started();
                n % late_each == 0 && hedge.try_hedge().is_ok()
            })
            .count() as u32
    }

    #[test]
    fn the_delay_is_the_p95_and_never_above_half_a_second() {
        let mut hedge = Hedge::new(Settings::default());
        assert_eq!(hedge.started(), ms(500));
        for n in 1..=100 {
            hedge.answered(ms(n));
        }
        assert_eq!(hedge.delay(), ms(95));
        for _ in 0..100 {
            hedge.answered(ms(3_000));
        }
        assert_eq!(hedge.delay(), ms(500));
    }

    #[test]
    fn at_most_one_call_in_twenty_is_doubled() {
        let mut hedge = Hedge::new(Settings::default());
        assert_eq!(hedged(&mut hedge, 2_000, 25), 80, "all that were late");
        let mut hedge = Hedge::new(Settings::default());
        let doubled = hedged(&mut hedge, 2_000, 10);
        assert!((95..=101).contains(&doubled), "half of those that were late: {doubled}");
        assert_eq!(hedge.try_hedge(), Err(Withheld::Budget));
    }

    #[test]
    fn a_slow_world_is_not_hedged_but_demoted() {
        let mut hedge = Hedge::new(Settings::default());
        assert!(!hedge.needs_demotion());
        let doubled = hedged(&mut hedge, 300, 3);
        assert!(doubled <= 3, "{doubled}");
        assert_eq!(hedge.try_hedge(), Err(Withheld::SlowVendor));
        assert!(hedge.needs_demotion());
        hedged(&mut hedge, 200, 1_000);
        assert!(!hedge.needs_demotion());
        hedge.started();
        assert_eq!(hedge.try_hedge(), Ok(()));
    }

    #[test]
    fn pauses_do_not_save_up_a_burst_of_hedges() {
        let mut hedge = Hedge::new(Settings::default());
        hedged(&mut hedge, 10_000, 100_000);
        assert_eq!([hedge.try_hedge(), hedge.try_hedge()], [Ok(()), Ok(())]);
        assert_eq!(hedge.try_hedge(), Err(Withheld::Budget));
    }
}
