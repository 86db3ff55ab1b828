//! What happened over the last minute, in sixtieths of it.

use std::time::Duration;

use domain::Instant;

/// The current piece and the sixty before it, so that at least one whole window is seen.
const SLOTS: usize = 61;
const PIECES: u32 = 60;

/// Sums over a span. Weights are in thousandths, so that sums are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) calls: u64,
    pub(super) weight_thousandths: u64,
    pub(super) slow: u64,
}

impl Sums {
    pub(super) fn add(&mut self, weight_thousandths: u64, slow: bool) {
        self.calls += 1;
        self.weight_thousandths += weight_thousandths;
        self.slow += u64::from(slow);
    }

    /// Weighted failures as a share of calls; 0 where there are none.
    pub(super) fn failure_share(self) -> f64 {
        if self.calls == 0 { 0.0 } else { self.weight_thousandths as f64 / (1_000 * self.calls) as f64 }
    }

    /// Lower bound of the failure share with 95 % confidence (Wilson, 1927; algorithms, section 8); 0 where there
    /// are no calls.
    pub(super) fn failure_share_lower(self) -> f64 {
        const Z: f64 = 1.96;
        if self.calls == 0 {
            return 0.0;
        }
        let (n, p) = (self.calls as f64, self.failure_share().min(1.0));
        let middle = p + Z * Z / (2.0 * n);
        let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        (middle - spread) / (1.0 + Z * Z / n)
    }

    /// Slow calls as a share of calls; 0 where there are none.
    pub(super) fn slow_share(self) -> f64 {
        if self.calls == 0 { 0.0 } else { self.slow as f64 / self.calls as f64 }
    }
}

/// A ring of sums.
#[derive(Clone, Debug)]
pub(super) struct FailureWindow {
    slots: [(i64, Sums); SLOTS],
}

impl FailureWindow {
    pub(super) fn new() -> FailureWindow {
        FailureWindow { slots: [(i64::MIN, Sums::default()); SLOTS] }
    }

    fn piece(window: Duration, now: Instant) -> i64 {
        let length = i64::try_from((window / PIECES).as_nanos()).unwrap_or(i64::MAX).max(1);
        now.as_nanos().div_euclid(length)
    }

    pub(super) fn add(&mut self, weight_thousandths: u64, slow: bool, window: Duration, now: Instant) {
        let piece = Self::piece(window, now);
        let slot = usize::try_from(piece.rem_euclid(SLOTS as i64)).expect("a remainder is below 61");
        let (held, sums) = &mut self.slots[slot];
        if *held != piece {
            (*held, *sums) = (piece, Sums::default());
        }
        sums.add(weight_thousandths, slow);
    }

    pub(super) fn sums(&self, window: Duration, now: Instant) -> Sums {
        let last = Self::piece(window, now);
        let mut total = Sums::default();
        for (piece, sums) in &self.slots {
            if last.saturating_sub(*piece) < SLOTS as i64 && *piece <= last {
                total.calls += sums.calls;
                total.weight_thousandths += sums.weight_thousandths;
                total.slow += sums.slow;
            }
        }
        total
    }
}
