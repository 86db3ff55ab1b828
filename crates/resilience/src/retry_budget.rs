//! How many calls may be repeated (RTY-2): a share of the first calls, so that a vendor in trouble is not asked
//! several times as much for being in trouble; a floor, so that a quiet caller may repeat at all. Kept per
//! vendor: its quota pays for every attempt (algorithms, section 3).

use std::time::Duration;

use domain::Instant;

/// Retries per first call, in `[0, 1]`.
const SHARE: f64 = 0.1;
/// Retries a second that are always there.
const FLOOR: f64 = 1.0;
/// So much of the share can be saved up.
const SAVED: f64 = 10.0;
/// The floor's seconds are saved no longer: one, so that no burst comes of silence.
const FLOOR_SAVED: f64 = 1.0;

/// One vendor's budget.
#[derive(Clone, Debug)]
pub struct RetryBudget {
    share: f64,
    floor: f64,
    at: Option<Instant>,
}

impl Default for RetryBudget {
    fn default() -> RetryBudget {
        RetryBudget { share: 0.0, floor: FLOOR_SAVED, at: None }
    }
}

impl RetryBudget {
    /// Notes a first call.
    pub fn called(&mut self) {
        self.share = (self.share + SHARE).min(SAVED);
    }

    /// Takes leave to repeat one call.
    pub fn try_take(&mut self, now: Instant) -> bool {
        let since = self.at.replace(now).map_or(Duration::ZERO, |at| now.since(at));
        self.floor = (self.floor + FLOOR * since.as_secs_f64()).min(FLOOR_SAVED);
        // Sums of a share such as 0.1 fall short of one by a rounding.
        let purse = if self.floor >= 1.0 - 1e-9 { &mut self.floor } else { &mut self.share };
        let enough = *purse >= 1.0 - 1e-9;
        if enough {
            *purse = (*purse - 1.0).max(0.0);
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    //! RTY-2.
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::EPOCH + Duration::from_millis(ms)
    }

    #[test]
    fn a_quiet_caller_repeats_once_a_second() {
        let mut budget = RetryBudget::default();
        let granted = (0..100).filter(|turn| budget.try_take(at(turn * 100))).count();
        assert_eq!(granted, 10, "ten seconds");
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn repeats_are_at_most_a_tenth_of_the_calls_and_one_a_second(
            turns in prop::collection::vec((0_u64..50, 0_usize..4), 1..2_000),
        ) {
            let mut budget = RetryBudget::default();
            let (mut now, mut calls, mut repeats) = (0, 0_u64, 0_u64);
            for (pause, wishes) in turns {
                now += pause;
                calls += 1;
                budget.called();
                repeats += (0..wishes).filter(|_| budget.try_take(at(now))).count() as u64;
            }
            let most = 0.1 * calls as f64 + now as f64 / 1e3 + 1.0;
            prop_assert!(repeats as f64 <= most + 1e-6, "{repeats} of {calls} in {now} ms");
        }
    }
}
