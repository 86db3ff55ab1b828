//! Instants in nanoseconds, and ranges of them.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

pub use jiff::civil::Date;

/// A point in time: nanoseconds since 1970-01-01T00:00:00 UTC, leap seconds not counted.
///
/// Covers 1677 to 2262. The same type stamps data and drives mechanisms: the gateway's clock is UTC
/// read once and continued monotonically, so elapsed time is never affected by a clock step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(i64);

impl Instant {
    /// The first instant that can be represented, in the year 1677.
    pub const MIN: Instant = Instant(i64::MIN);
    /// The last instant that can be represented, in the year 2262.
    pub const MAX: Instant = Instant(i64::MAX);
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Instant = Instant(0);

    /// From nanoseconds since 1970, UTC.
    pub const fn from_nanos(nanos: i64) -> Instant {
        Instant(nanos)
    }

    /// From microseconds since 1970, UTC; saturates at the ends of the range.
    pub const fn from_micros(micros: i64) -> Instant {
        Instant(micros.saturating_mul(1_000))
    }

    /// From milliseconds since 1970, UTC; saturates at the ends of the range.
    pub const fn from_millis(millis: i64) -> Instant {
        Instant(millis.saturating_mul(1_000_000))
    }

    /// From whole seconds since 1970, UTC; saturates at the ends of the range.
    pub const fn from_secs(secs: i64) -> Instant {
        Instant(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since 1970, UTC.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whole microseconds since 1970, UTC, rounded down.
    pub const fn as_micros(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole milliseconds since 1970, UTC, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whole seconds since 1970, UTC, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// Time from `earlier` to `self`; zero if `earlier` is in fact later.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(u64::try_from(i128::from(self.0) - i128::from(earlier.0)).unwrap_or(0))
    }

    /// The start of the window of length `step` (aligned to 1970 UTC) that contains this instant.
    ///
    /// # Panics
    /// If `step` is zero.
    pub fn floor_to(self, step: Duration) -> Instant {
        let step = i64::try_from(step.as_nanos()).unwrap_or(i64::MAX);
        Instant(self.0.div_euclid(step) * step)
    }

    /// Reads RFC 3339 (`2026-01-05T14:30:00Z`, any offset, any fraction) or a bare date, which means
    /// midnight UTC.
    pub fn parse(text: &str) -> Option<Instant> {
        let text = text.trim();
        if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
            return Instant::from_timestamp(stamp);
        }
        let date: Date = text.parse().ok().filter(|_| text.len() == 10)?;
        Some(Instant::from_utc_midnight(date))
    }

    /// Midnight UTC at the start of `date`.
    pub fn from_utc_midnight(date: Date) -> Instant {
        Instant::from_secs(days_since_epoch(date).saturating_mul(86_400))
    }

    /// The UTC calendar date that contains this instant.
    pub fn utc_date(self) -> Date {
        self.to_timestamp().to_zoned(jiff::tz::TimeZone::UTC).date()
    }

    /// From jiff's instant; `None` outside 1677 to 2262.
    pub fn from_timestamp(stamp: jiff::Timestamp) -> Option<Instant> {
        i64::try_from(stamp.as_nanosecond()).ok().map(Instant)
    }

    /// To jiff's instant.
    pub fn to_timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_nanosecond(i128::from(self.0))
            .expect("every i64 count of nanoseconds lies inside jiff's range")
    }
}

fn days_since_epoch(date: Date) -> i64 {
    let epoch = Date::constant(1970, 1, 1);
    i64::from(date.since((jiff::Unit::Day, epoch)).expect("days between two dates always fit").get_days())
}

impl Add<Duration> for Instant {
    type Output = Instant;
    /// Saturates at [`Instant::MAX`].
    fn add(self, span: Duration) -> Instant {
        Instant(self.0.saturating_add(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    /// Saturates at [`Instant::MIN`].
    fn sub(self, span: Duration) -> Instant {
        Instant(self.0.saturating_sub(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Instant {
    /// RFC 3339 in UTC with `Z`, fraction only as long as needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_timestamp().fmt(f)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A span of time `[start, end)`: the start belongs to it, the end does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// First instant inside.
    pub start: Instant,
    /// First instant after.
    pub end: Instant,
}

impl Range {
    /// `[start, end)`; an end before the start yields the empty range at `start`.
    pub fn new(start: Instant, end: Instant) -> Range {
        Range { start, end: end.max(start) }
    }

    /// Whether no instant lies inside.
    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// Whether `at` lies inside.
    pub fn contains(self, at: Instant) -> bool {
        self.start <= at && at < self.end
    }

    /// Length.
    pub fn length(self) -> Duration {
        self.end.since(self.start)
    }

    /// What lies in both; empty if they do not meet.
    pub fn intersect(self, other: Range) -> Range {
        Range::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// What of `self` is in none of `covered`, in ascending order. `covered` may be unsorted and overlap.
    pub fn minus(self, covered: &[Range]) -> Vec<Range> {
        let mut sorted: Vec<Range> = covered.iter().copied().filter(|r| !r.is_empty()).collect();
        sorted.sort_by_key(|r| r.start);
        let mut missing = Vec::new();
        let mut from = self.start;
        for hole in sorted {
            if hole.start > from {
                let piece = Range::new(from, hole.start.min(self.end));
                if !piece.is_empty() {
                    missing.push(piece);
                }
            }
            from = from.max(hole.end);
        }
        if from < self.end {
            missing.push(Range::new(from, self.end));
        }
        missing
    }

    /// The same ranges sorted, with those that overlap or touch merged and empty ones dropped.
    pub fn merged(mut ranges: Vec<Range>) -> Vec<Range> {
        ranges.retain(|r| !r.is_empty());
        ranges.sort_by_key(|r| r.start);
        let mut out: Vec<Range> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match out.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => out.push(range),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(a: i64, b: i64) -> Range {
        Range::new(Instant::from_secs(a), Instant::from_secs(b))
    }

    #[test]
    fn what_is_missing_is_what_no_covered_range_holds() {
        assert_eq!(
            range(0, 10).minus(&[range(7, 8), range(2, 4), range(3, 5)]),
            [range(0, 2), range(5, 7), range(8, 10)]
        );
        assert_eq!(range(0, 10).minus(&[range(-5, 20)]), []);
        assert_eq!(range(0, 10).minus(&[]), [range(0, 10)]);
        assert_eq!(range(0, 10).minus(&[range(20, 30)]), [range(0, 10)]);
    }

    #[test]
    fn an_instant_survives_its_text() {
        for nanos in [0, 1, -1, 1_767_623_400_000_000_000, 1_652_192_754_171_838_500] {
            let at = Instant::from_nanos(nanos);
            assert_eq!(Instant::parse(&at.to_string()), Some(at));
        }
        assert_eq!(Instant::parse("2015-01-12"), Instant::parse("2015-01-12T00:00:00Z"));
        assert_eq!(Instant::parse("2015-01"), None);
    }
}
