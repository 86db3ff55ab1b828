//! When a late call is doubled by one to another vendor (RTY-4; Dean and Barroso, "The Tail at Scale", 2013).
//!
//! One per vendor, for calls that go to it first. A hedge is for one slow call; when many are slow, more
//! calls are no cure. Then [`Hedge::needs_demotion`] tells the router, and a caller whose patience ends
//! ([`Hedge::patience`]) fails over as it would on a failure: the budget limits doubled calls, it never makes
//! anyone wait for a vendor that hangs.

use std::collections::VecDeque;
use std::time::Duration;

use domain::Instant;

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
    /// After the p95, at most 500 ms; 3 % of calls, so that with those given up for silence at most 5 % are doubled;
    /// off above 20 %.
    fn default() -> Settings {
        Settings { percentile: 0.95, longest_delay: Duration::from_millis(500), budget: 0.03, off_above: 0.2 }
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
/// Below this many remembered calls a share or a percentile says nothing.
const ENOUGH: usize = 20;
/// Hedges that can be saved up.
const SAVED: f64 = 2.0;
/// A call counts among the recent ones so long: who lost its place is given another chance then.
const MEMORY: Duration = Duration::from_secs(60);
/// So many late calls with no answer in between: the vendor hangs, and more of them would not say more.
const SILENT: u32 = 3;
/// Silence is believed so long after the last late call.
const SILENCE: Duration = Duration::from_secs(15);
/// Patience is at most this.
const LONGEST_PATIENCE: Duration = Duration::from_secs(2);

/// One vendor's hedging.
#[derive(Clone, Debug)]
pub struct Hedge {
    settings: Settings,
    latencies: LastLatencies,
    /// For each recent call when it began and whether it wanted a hedge, granted or not.
    wanted: VecDeque<(Instant, bool)>,
    tokens: f64,
    /// Late calls since the last answer, and when the last of them was.
    silent: (u32, Instant),
}

impl Hedge {
    /// Nothing is known yet, and one hedge is in hand.
    pub fn new(settings: Settings) -> Hedge {
        Hedge {
            settings,
            latencies: LastLatencies::new(RECENT),
            wanted: VecDeque::new(),
            tokens: 1.0,
            silent: (0, Instant::EPOCH),
        }
    }

    /// Notes that a primary call was sent, and says after which time without a reply to hedge it: the
    /// percentile of recent latencies, at most the longest delay.
    pub fn started(&mut self, now: Instant) -> Duration {
        if self.wanted.len() == RECENT {
            self.wanted.pop_front();
        }
        self.wanted.push_back((now, false));
        self.tokens = (self.tokens + self.settings.budget).min(SAVED);
        self.delay()
    }

    /// The delay at present.
    pub fn delay(&self) -> Duration {
        let known = self.latencies.percentile(self.settings.percentile);
        let known = known.filter(|_| self.latencies.count() >= ENOUGH);
        known.map_or(self.settings.longest_delay, |latency| latency.min(self.settings.longest_delay))
    }

    /// After which time without a reply a caller gives the vendor up, hedged or not: half as long again as the
    /// p99, never sooner than the longest delay of a hedge, so that a vendor slow by nature is waited for.
    pub fn patience(&self) -> Duration {
        let least = self.settings.longest_delay;
        let known = self.latencies.percentile(0.99).filter(|_| self.latencies.count() >= ENOUGH);
        known.map_or(least, |p99| p99.mul_f64(1.5).clamp(least, LONGEST_PATIENCE.max(least)))
    }

    /// Notes the latency of a primary call that was answered, hedged or not.
    pub fn answered(&mut self, latency: Duration) {
        self.latencies.add(latency);
        self.silent.0 = 0;
    }

    /// Asks for a hedge of a call that is late, once per call.
    ///
    /// # Errors
    /// Why there is none. Failing over stays open to the caller.
    pub fn try_hedge(&mut self, now: Instant) -> Result<(), Withheld> {
        // Calls answer the question in any order; what counts is how many of the recent ones did.
        if let Some(call) = self.wanted.iter_mut().rev().find(|(_, wanted)| !*wanted) {
            call.1 = true;
        }
        self.silent = (self.silent.0.saturating_add(1), now);
        if self.recent(now).count() >= ENOUGH && self.wanted_share(now) > self.settings.off_above {
            return Err(Withheld::SlowVendor);
        }
        // Sums of a budget such as 0.05 fall short of one by a rounding.
        if self.tokens < 1.0 - 1e-9 {
            return Err(Withheld::Budget);
        }
        self.tokens -= 1.0;
        Ok(())
    }

    fn recent(&self, now: Instant) -> impl Iterator<Item = bool> {
        self.wanted.iter().filter(move |(at, _)| now.since(*at) <= MEMORY).map(|(_, wanted)| *wanted)
    }

    /// Share of recent calls that wanted a hedge, in `[0, 1]`; 0 before the first.
    pub fn wanted_share(&self, now: Instant) -> f64 {
        let (calls, wanted) =
            self.recent(now).fold((0_u32, 0_u32), |sum, wanted| (sum.0 + 1, sum.1 + u32::from(wanted)));
        if calls == 0 { 0.0 } else { f64::from(wanted) / f64::from(calls) }
    }

    /// Whether the vendor hangs: several calls were late lately, and none was answered since.
    pub fn is_silent(&self, now: Instant) -> bool {
        self.silent.0 >= SILENT && now.since(self.silent.1) <= SILENCE
    }

    /// Whether the vendor wants more hedges than the budget has, or hangs, and should be asked after others
    /// instead. It gets its place back by itself.
    pub fn needs_demotion(&self, now: Instant) -> bool {
        // Hedging after the p95 doubles one call in twenty of a healthy vendor: surely twice that is a tendency.
        let calls = self.recent(now).count();
        let surely = lower_bound(self.wanted_share(now), calls) > 2.0 * self.settings.budget;
        (calls >= ENOUGH && surely) || self.is_silent(now)
    }
}

/// Lower bound of a share with 95 % confidence (Wilson, 1927).
fn lower_bound(share: f64, count: usize) -> f64 {
    const Z: f64 = 1.96;
    let n = count.max(1) as f64;
    let spread = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    (share + Z * Z / (2.0 * n) - spread) / (1.0 + Z * Z / n)
}

#[cfg(test)]
mod tests {
    //! RTY-4.

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const NOW: Instant = Instant::EPOCH;

    /// Calls of which each n-th is late; returns how many were hedged.
    fn hedged(hedge: &mut Hedge, calls: u32, late_each: u32) -> u32 {
        (1..=calls)
            .filter(|n| {
                hedge.started(NOW);
                let late = n % late_each == 0;
                if !late {
                    hedge.answered(ms(10));
                }
                late && hedge.try_hedge(NOW).is_ok()
            })
            .count() as u32
    }

    #[test]
    fn the_delay_is_the_p95_and_never_above_half_a_second() {
        let mut hedge = Hedge::new(Settings::default());
        assert_eq!(hedge.started(NOW), ms(500));
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
        assert_eq!(hedged(&mut hedge, 2_000, 50), 40, "all that were late");
        let mut hedge = Hedge::new(Settings::default());
        let doubled = hedged(&mut hedge, 2_000, 10);
        assert!((55..=61).contains(&doubled), "some of those that were late: {doubled}");
        assert_eq!(hedge.try_hedge(NOW), Err(Withheld::Budget));
    }

    #[test]
    fn a_slow_world_is_not_hedged_but_demoted() {
        let mut hedge = Hedge::new(Settings::default());
        assert!(!hedge.needs_demotion(NOW));
        let doubled = hedged(&mut hedge, 300, 3);
        assert!(doubled <= 3, "{doubled}");
        assert_eq!(hedge.try_hedge(NOW), Err(Withheld::SlowVendor));
        assert!(hedge.needs_demotion(NOW));
        hedged(&mut hedge, 200, 1_000);
        assert!(!hedge.needs_demotion(NOW));
        hedge.started(NOW);
        assert_eq!(hedge.try_hedge(NOW), Ok(()));
    }

    #[test]
    fn pauses_do_not_save_up_a_burst_of_hedges() {
        let mut hedge = Hedge::new(Settings::default());
        hedged(&mut hedge, 10_000, 100_000);
        assert_eq!([hedge.try_hedge(NOW), hedge.try_hedge(NOW)], [Ok(()), Ok(())]);
        assert_eq!(hedge.try_hedge(NOW), Err(Withheld::Budget));
    }

    #[test]
    fn a_vendor_that_hangs_loses_its_place_after_three_late_calls_until_it_answers_or_a_while_has_passed() {
        let late = |hedge: &mut Hedge, now| {
            hedge.started(now);
            let _ = hedge.try_hedge(now);
        };
        let mut hedge = Hedge::new(Settings::default());
        (0..2).for_each(|_| late(&mut hedge, NOW));
        assert!(!hedge.needs_demotion(NOW));
        late(&mut hedge, NOW);
        assert!(hedge.needs_demotion(NOW));
        assert!(!hedge.needs_demotion(NOW + SILENCE + ms(1)), "it is tried again by itself");
        late(&mut hedge, NOW + SILENCE + ms(1));
        assert!(hedge.needs_demotion(NOW + SILENCE + ms(1)), "and believed silent at the first sign");
        hedge.answered(ms(800));
        assert!(!hedge.needs_demotion(NOW + SILENCE + ms(1)));
    }

    #[test]
    fn a_vendor_that_lost_its_place_for_slowness_gets_it_back_a_minute_later() {
        let mut hedge = Hedge::new(Settings::default());
        hedged(&mut hedge, 100, 3);
        assert!(hedge.needs_demotion(NOW));
        assert!(!hedge.needs_demotion(NOW + MEMORY + ms(1)));
    }

    #[test]
    fn patience_follows_the_vendors_own_p99_between_half_a_second_and_two() {
        let patience = |latency_ms| {
            let mut hedge = Hedge::new(Settings::default());
            (0..100).for_each(|_| hedge.answered(ms(latency_ms)));
            hedge.patience()
        };
        assert_eq!(Hedge::new(Settings::default()).patience(), ms(500));
        assert_eq!([20, 600, 5_000].map(patience), [ms(500), ms(900), ms(2_000)]);
    }
}
