//! How long background work waits before the same vendor is asked again (RTY-1).

use std::time::Duration;

/// How the wait grows.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum Growth {
    /// `first × factor^n` for the n-th retry, counted from 0.
    #[default]
    Exponential,
    /// `first × (n + 1)`.
    Linear,
    /// `first`, always.
    Fixed,
}

/// A rule for retries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// How the wait grows.
    pub growth: Growth,
    /// Wait before the first retry, before jitter.
    pub first: Duration,
    /// Multiplier of [`Growth::Exponential`], at least 1.
    pub factor: f64,
    /// No wait is longer.
    pub cap: Duration,
    /// Retries at most; the first try is not one.
    pub retries: u32,
}

impl Default for Backoff {
    /// Background work: 3 retries, from 2 s doubling to at most 60 s.
    fn default() -> Backoff {
        Backoff {
            growth: Growth::Exponential,
            first: Duration::from_secs(2),
            factor: 2.0,
            cap: Duration::from_secs(60),
            retries: 3,
        }
    }
}

impl Backoff {
    /// Vendors of order books: 3 retries, 0.5 to 10 s.
    pub fn exchange_book() -> Backoff {
        Backoff { first: Duration::from_millis(500), cap: Duration::from_secs(10), ..Backoff::default() }
    }

    /// Aggregators of decentralised exchanges: 4 retries, 1 to 30 s.
    pub fn dex_aggregator() -> Backoff {
        Backoff {
            first: Duration::from_secs(1),
            cap: Duration::from_secs(30),
            retries: 4,
            ..Backoff::default()
        }
    }

    /// Vendors of posts: as by default.
    pub fn social() -> Backoff {
        Backoff::default()
    }

    /// The longest wait before retry `n`, counted from 0: never shorter than for the retry before, and never
    /// above the cap, however large `n` is.
    pub fn ceiling(&self, n: u32) -> Duration {
        let cap = self.cap.as_secs_f64();
        let first = self.first.as_secs_f64();
        let wait = match self.growth {
            Growth::Exponential => first * self.factor.max(1.0).powf(f64::from(n)),
            Growth::Linear => first * (f64::from(n) + 1.0),
            Growth::Fixed => first,
        };
        Duration::from_secs_f64(wait.min(cap))
    }

    /// The wait before retry `n`, counted from 0, with full jitter: `draw`, in `[0, 1)`, of the ceiling
    /// ("Exponential Backoff and Jitter", AWS Architecture Blog, 2015). `None` when the retries are used up.
    pub fn wait(&self, n: u32, draw: f64) -> Option<Duration> {
        let draw = if draw.is_nan() { 1.0 } else { draw.clamp(0.0, 1.0) };
        (n < self.retries).then(|| self.ceiling(n).mul_f64(draw).min(self.cap))
    }
}

#[cfg(test)]
mod tests {
    //! RTY-1.

    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn ceilings(backoff: Backoff) -> Vec<f64> {
        (0..7).map(|n| backoff.ceiling(n).as_secs_f64()).collect()
    }

    #[test]
    fn waits_grow_to_the_cap_and_stay_there() {
        assert_eq!(ceilings(Backoff::default()), [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert_eq!(ceilings(Backoff::exchange_book()), [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]);
        assert_eq!(ceilings(Backoff::dex_aggregator()), [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        assert_eq!(
            ceilings(Backoff { growth: Growth::Linear, ..Backoff::default() }),
            [2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0]
        );
        assert_eq!(ceilings(Backoff { growth: Growth::Fixed, ..Backoff::default() }), [2.0; 7]);
    }

    #[test]
    fn retries_are_used_up() {
        let retries = |backoff: Backoff| (0..10).take_while(|&n| backoff.wait(n, 0.5).is_some()).count();
        assert_eq!(retries(Backoff::default()), 3);
        assert_eq!(retries(Backoff::exchange_book()), 3);
        assert_eq!(retries(Backoff::dex_aggregator()), 4);
        assert_eq!(retries(Backoff { retries: 0, ..Backoff::default() }), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn no_wait_is_above_the_cap_and_no_ceiling_shrinks(
            first_ms in 0_u64..100_000, factor in -2.0_f64..10.0, cap_ms in 0_u64..100_000,
            growth in prop_oneof![Just(Growth::Exponential), Just(Growth::Linear), Just(Growth::Fixed)],
            n in prop_oneof![0_u32..60, Just(u32::MAX - 1)], draw in prop_oneof![0.0_f64..1.0, Just(f64::NAN), Just(9.0)],
        ) {
            let backoff = Backoff {
                growth,
                first: Duration::from_millis(first_ms),
                factor,
                cap: Duration::from_millis(cap_ms),
                retries: u32::MAX,
            };
            prop_assert!(backoff.ceiling(n) <= backoff.cap);
            prop_assert!(backoff.ceiling(n) <= backoff.ceiling(n + 1));
            prop_assert!(backoff.wait(n, draw).expect("retries are left") <= backoff.ceiling(n));
        }
    }
}
