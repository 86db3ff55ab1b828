//! What is usual for a vendor, and the numbers that follow from it (BRK-9; algorithms, section 8).

use std::time::Duration;

use domain::Instant;

use super::{Outcome, Settings};
use crate::latency::LastLatencies;

/// Span of the share of errors, in pieces.
const PIECE: Duration = Duration::from_secs(30);
const PIECES: usize = 10;
/// Below this many calls in the span a share says nothing.
const ENOUGH_CALLS: u64 = 20;
/// Above this share of errors the threshold is stricter, below the other one laxer.
const MANY_ERRORS: f64 = 0.5;
const FEW_ERRORS: f64 = 0.1;
/// By so much.
const STEP: u32 = 2;
/// Strictest and laxest threshold that adapting leads to.
const STRICTEST: u32 = 2;
const LAXEST: u32 = 10;
/// Latencies remembered, and how many of them make a p99 that means something.
const LATENCIES: usize = 500;
const ENOUGH_LATENCIES: usize = 100;
/// The p99 is taken anew after so many.
const EVERY: u32 = 32;
/// No adapted limit of slow calls is lower: below it nobody minds.
const LEAST_SLOW: Duration = Duration::from_secs(1);
/// Wider around a venue's open and close.
const TURBULENT: f64 = 1.5;

#[derive(Clone, Copy, Debug, Default)]
struct Piece {
    number: i64,
    calls: u64,
    errors: u64,
}

/// What is usual for one vendor. To be fed only while its breaker is closed, so that an outage does not teach
/// us to accept outages.
#[derive(Clone, Debug)]
pub struct Baseline {
    base: Settings,
    pieces: [Piece; PIECES],
    latencies: LastLatencies,
    p99: Option<Duration>,
    until_p99: u32,
}

impl Baseline {
    /// Nothing is known yet: the numbers are `base`.
    pub fn new(base: Settings) -> Baseline {
        Baseline {
            base,
            pieces: [Piece::default(); PIECES],
            latencies: LastLatencies::new(LATENCIES),
            p99: None,
            until_p99: 1,
        }
    }

    /// The numbers as they were configured.
    pub fn base(&self) -> &Settings {
        &self.base
    }

    /// Learns from one call. What nobody is to blame for teaches nothing.
    pub fn add(&mut self, outcome: Outcome, now: Instant) {
        let failed = match outcome {
            Outcome::Succeeded { took } => {
                self.latencies.add(took);
                self.until_p99 -= 1;
                if self.until_p99 == 0 {
                    self.until_p99 = EVERY;
                    self.p99 = self.latencies.percentile(0.99);
                }
                false
            }
            Outcome::Failed(failure) if failure.weight() > 0.0 => true,
            Outcome::Failed(_) => return,
        };
        let number = Self::number(now);
        let piece = &mut self.pieces[number.rem_euclid(PIECES as i64) as usize];
        if piece.number != number {
            *piece = Piece { number, ..Piece::default() };
        }
        piece.calls += 1;
        piece.errors += u64::from(failed);
    }

    fn number(now: Instant) -> i64 {
        now.as_secs().div_euclid(PIECE.as_secs() as i64)
    }

    /// Share of calls that failed in the last five minutes, in `[0, 1]`; `None` where too few were made.
    pub fn error_share(&self, now: Instant) -> Option<f64> {
        let last = Self::number(now);
        let recent = self.pieces.iter().filter(|piece| last - piece.number < PIECES as i64);
        let (calls, errors) = recent.fold((0, 0), |sum, piece| (sum.0 + piece.calls, sum.1 + piece.errors));
        (calls >= ENOUGH_CALLS).then(|| errors as f64 / calls as f64)
    }

    /// The 99th percentile of recent latencies; `None` before there are enough.
    pub fn p99(&self) -> Option<Duration> {
        self.p99.filter(|_| self.latencies.count() >= ENOUGH_LATENCIES)
    }

    /// The numbers for now. `turbulent` is around the open and the close of the venue that was asked about,
    /// when vendors are slower.
    pub fn settings(&self, turbulent: bool, now: Instant) -> Settings {
        let base = self.base.failures;
        let failures = match self.error_share(now) {
            Some(share) if share > MANY_ERRORS => base.saturating_sub(STEP).max(STRICTEST).min(base),
            Some(share) if share < FEW_ERRORS => (base + STEP).min(LAXEST).max(base),
            Some(_) | None => base,
        };
        let usual = self.p99().map_or(self.base.slow, |p99| (2 * p99).max(LEAST_SLOW).min(self.base.slow));
        let slow = if turbulent { usual.mul_f64(TURBULENT) } else { usual };
        Settings { failures, slow, ..self.base }
    }
}

#[cfg(test)]
mod tests {
    //! BRK-9.
    use super::*;
    use crate::circuit_breaker::Failure;

    const GOOD: Outcome = Outcome::Succeeded { took: Duration::from_millis(200) };
    const BAD: Outcome = Outcome::Failed(Failure::Server);

    fn at(secs: i64) -> Instant {
        Instant::from_secs(1_000_000 + secs)
    }

    fn after(base: Settings, good: u32, bad: u32) -> Settings {
        let mut baseline = Baseline::new(base);
        for n in 0..good + bad {
            baseline.add(if n < good { GOOD } else { BAD }, at(i64::from(n % 60)));
        }
        baseline.settings(false, at(60))
    }

    #[test]
    fn many_errors_make_it_stricter_and_few_laxer_within_bounds() {
        let with = |failures| Settings { failures, ..Settings::default() };
        assert_eq!(after(with(5), 10, 30).failures, 3);
        assert_eq!(after(with(3), 10, 30).failures, 2, "at least two");
        assert_eq!(after(with(1), 10, 30).failures, 1, "never laxer for being stricter");
        assert_eq!(after(with(5), 40, 0).failures, 7);
        assert_eq!(after(with(9), 40, 0).failures, 10, "at most ten");
        assert_eq!(after(with(20), 40, 0).failures, 20);
        assert_eq!(after(with(5), 30, 10).failures, 5, "between the two nothing changes");
        assert_eq!(after(with(5), 10, 0).failures, 5, "ten calls say nothing");
    }

    #[test]
    fn five_minutes_later_the_share_is_forgotten() {
        let mut baseline = Baseline::new(Settings::default());
        (0..100).for_each(|n| baseline.add(BAD, at(n % 10)));
        assert_eq!(baseline.error_share(at(10)), Some(1.0));
        assert_eq!(baseline.error_share(at(310)), None);
    }

    #[test]
    fn slow_is_twice_the_vendors_own_p99_wider_in_turbulence_and_never_above_what_was_configured() {
        let slow = |took_ms, turbulent| {
            let mut baseline = Baseline::new(Settings::default());
            for _ in 0..200 {
                baseline.add(Outcome::Succeeded { took: Duration::from_millis(took_ms) }, at(0));
            }
            baseline.settings(turbulent, at(0)).slow.as_millis()
        };
        assert_eq!([slow(900, false), slow(900, true)], [1_800, 2_700]);
        assert_eq!(slow(20, false), 1_000);
        assert_eq!([slow(4_000, false), slow(4_000, true)], [5_000, 7_500]);
        let fresh = Baseline::new(Settings::default());
        assert_eq!(fresh.settings(false, at(0)), Settings::default());
    }

    #[test]
    fn a_limit_or_an_unknown_symbol_teaches_nothing() {
        let mut baseline = Baseline::new(Settings::default());
        (0..100).for_each(|_| baseline.add(Outcome::Failed(Failure::NotCounted), at(0)));
        assert_eq!(baseline.error_share(at(0)), None);
    }
}
