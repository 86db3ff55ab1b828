//! Latencies counted in the buckets of an HDR histogram.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::interval::nearest_rank;
use super::report::Percentile;

/// Digits that are kept: a percentile is right within one part in 128, always on the larger side.
const DIGITS: u8 = 2;
/// Everything longer counts as this long.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Counts by bucket. Only buckets with something in them take room, so that a day of hourly windows of a vendor
/// that is asked seldom is as small as its calls are few; merging them is adding counts, exactly.
#[derive(Clone, Debug, Default)]
pub(super) struct Latencies(BTreeMap<u32, u32>);

/// Knows the buckets.
#[derive(Clone, Debug)]
pub(super) struct Buckets(Histogram<u8>);

impl Buckets {
    pub(super) fn new() -> Buckets {
        Buckets(Histogram::new(DIGITS).expect("two digits are allowed"))
    }

    /// The bucket of a latency: its smallest value in microseconds.
    pub(super) fn of(&self, took: Duration) -> u32 {
        let micros = u64::try_from(took.min(LONGEST).as_micros()).unwrap_or(u64::MAX);
        u32::try_from(self.0.lowest_equivalent(micros)).unwrap_or(u32::MAX)
    }
}

impl Latencies {
    /// Counts one latency, by its bucket.
    pub(super) fn add(&mut self, bucket: u32) {
        *self.0.entry(bucket).or_default() += 1;
    }
}

/// Many windows as one: what their calls would have given together.
pub(super) struct Merged(Histogram<u64>);

impl Merged {
    pub(super) fn new<'a>(parts: impl Iterator<Item = &'a Latencies>) -> Merged {
        let mut histogram = Histogram::new(DIGITS).expect("two digits are allowed");
        histogram.auto(true);
        for (bucket, count) in parts.flat_map(|part| &part.0) {
            histogram
                .record_n(u64::from(*bucket), u64::from(*count))
                .expect("a histogram that grows holds every latency");
        }
        Merged(histogram)
    }

    fn at_rank(&self, rank: u64) -> Duration {
        // Halfway into the rank, so that rounding cannot reach its neighbours.
        let quantile = (rank as f64 - 0.5) / self.0.len() as f64;
        Duration::from_micros(self.0.value_at_quantile(quantile))
    }

    /// A percentile with its interval; `None` without calls.
    pub(super) fn percentile(&self, share: f64) -> Option<Percentile> {
        Percentile::by_rank(share, self.0.len(), |rank| self.at_rank(rank))
    }
}

/// The percentile of samples in order, exactly.
pub(super) fn percentile_of(sorted: &[Duration], share: f64) -> Option<Percentile> {
    let place = |rank: u64| usize::try_from(rank - 1).unwrap_or(usize::MAX).min(sorted.len() - 1);
    Percentile::by_rank(share, sorted.len() as u64, |rank| sorted[place(rank)])
}

impl Percentile {
    fn by_rank(share: f64, n: u64, at: impl Fn(u64) -> Duration) -> Option<Percentile> {
        if n == 0 {
            return None;
        }
        let (least, most) = super::rank_interval(share, n);
        let least = if least == 0 { Duration::ZERO } else { at(least) };
        Some(Percentile { value: at(nearest_rank(share, n)), least, most: most.map(at) })
    }
}
