//! What happened in one piece of time.

use std::time::Duration;

use super::latencies::Latencies;
use super::report::Mean;

/// Counts of one piece.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) calls: u32,
    pub(super) good: u32,
    pub(super) latencies: Latencies,
    pub(super) quality: Sum,
    pub(super) completeness: Sum,
    pub(super) down: Duration,
}

/// A mean in the making.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    total: f64,
    n: u64,
}

impl Sum {
    pub(super) fn add(&mut self, value: f64) {
        self.total += value;
        self.n += 1;
    }

    /// Many as one; `None` where nothing was added.
    pub(super) fn mean(parts: impl Iterator<Item = Sum>) -> Option<Mean> {
        let sum = parts.fold(Sum::default(), |a, b| Sum { total: a.total + b.total, n: a.n + b.n });
        (sum.n > 0).then(|| Mean { value: sum.total / sum.n as f64, n: sum.n })
    }
}
