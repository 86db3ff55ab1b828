//! Counts per calendar day or month in the vendor's zone.

use std::time::Duration;

use domain::{Date, Instant, Range};
use jiff::tz::TimeZone;

/// How far the vendor's clock may be from ours, flight time included. A grant this close to a boundary
/// is charged on both sides of it.
pub(super) const EDGE: Duration = Duration::from_secs(2);

/// The unit of a calendar window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unit {
    Day,
    Month,
}

/// One day or month: its first date, and its instants in the vendor's zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Period {
    pub(super) first: Date,
    pub(super) range: Range,
}

impl Period {
    fn starting(first: Date, unit: Unit, zone: &TimeZone) -> Period {
        let next = match unit {
            Unit::Day => first.tomorrow(),
            Unit::Month => first.last_of_month().tomorrow(),
        };
        let next = next.expect("instants end in 2262, long before the last date");
        Period { first, range: Range::new(midnight(first, zone), midnight(next, zone)) }
    }

    fn containing(at: Instant, unit: Unit, zone: &TimeZone) -> Period {
        let date = at.to_timestamp().to_zoned(zone.clone()).date();
        let first = match unit {
            Unit::Day => date,
            Unit::Month => date.first_of_month(),
        };
        Period::starting(first, unit, zone)
    }
}

/// The first instant of a date: where clocks skip midnight, the first one after the gap.
fn midnight(date: Date, zone: &TimeZone) -> Instant {
    date.to_zoned(zone.clone())
        .ok()
        .and_then(|zoned| Instant::from_timestamp(zoned.timestamp()))
        .unwrap_or(Instant::MAX)
}

/// How much was granted in the periods that can still be charged.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CalendarCount {
    unit: Unit,
    zone: TimeZone,
    /// The latest period seen. A clock that steps back over a restart never reopens an earlier one.
    pub(super) period: Period,
    /// Ascending by first date; three at most.
    pub(super) counts: Vec<(Date, u64)>,
}

impl CalendarCount {
    pub(super) fn new(unit: Unit, zone: TimeZone) -> CalendarCount {
        let period = Period::containing(Instant::EPOCH, unit, &zone);
        CalendarCount { unit, zone, period, counts: Vec::new() }
    }

    /// As saved: `saved` is the first date of the latest period seen.
    pub(super) fn restored(unit: Unit, zone: TimeZone, saved: Date, counts: &[(Date, u64)]) -> CalendarCount {
        let mut counts = counts.to_vec();
        counts.sort_unstable();
        let period = Period::starting(saved, unit, &zone);
        CalendarCount { unit, zone, period, counts }
    }

    /// The period of `at`, never before the latest one seen.
    pub(super) fn period_at(&self, at: Instant) -> Period {
        if at < self.period.range.end {
            return self.period;
        }
        Period::containing(at, self.unit, &self.zone)
    }

    fn count(&self, period: Period) -> u64 {
        self.counts.iter().find(|(first, _)| *first == period.first).map_or(0, |(_, count)| *count)
    }

    /// The one or two periods that a grant at `at` is charged to. A clock that stepped back far before the
    /// latest period charges that one alone.
    fn charged(&self, at: Instant) -> [Period; 2] {
        let late = self.period_at(at + EDGE);
        let early = at - EDGE;
        let stepped_back = late == self.period && early < late.range.start - EDGE - EDGE;
        if late.range.contains(early) || stepped_back {
            return [late, late];
        }
        [Period::containing(early, self.unit, &self.zone), late]
    }

    /// First instant at which `cost` more fit; [`Instant::MAX`] where they never will.
    pub(super) fn free_at(&self, cost: u64, count: u64, now: Instant) -> Instant {
        if cost > count {
            return Instant::MAX;
        }
        let full = |period: &Period| self.count(*period).saturating_add(cost) > count;
        let mut at = now;
        // At most three periods hold a count, so this ends.
        while let Some(end) = self.charged(at).iter().filter(|p| full(p)).map(|p| p.range.end).max() {
            at = end + EDGE;
        }
        at
    }

    pub(super) fn add(&mut self, cost: u64, now: Instant) {
        let [early, late] = self.charged(now);
        self.charge(early, cost);
        if late != early {
            self.charge(late, cost);
        }
        self.period = self.period_at(now);
        self.counts.retain(|(first, _)| *first >= early.first);
    }

    fn charge(&mut self, period: Period, cost: u64) {
        match self.counts.binary_search_by_key(&period.first, |(first, _)| *first) {
            Ok(index) => self.counts[index].1 = self.counts[index].1.saturating_add(cost),
            Err(index) => self.counts.insert(index, (period.first, cost)),
        }
    }

    /// Takes back a grant made at `at` from the periods it was charged to, where they still count.
    pub(super) fn remove(&mut self, cost: u64, at: Instant) {
        let early = Period::containing(at - EDGE, self.unit, &self.zone).first;
        let late = Period::containing(at + EDGE, self.unit, &self.zone).first;
        for (first, count) in &mut self.counts {
            if *first == early || *first == late {
                *count = count.saturating_sub(cost);
            }
        }
    }

    /// Used in the period of `now`.
    pub(super) fn used(&self, now: Instant) -> u64 {
        self.count(self.period_at(now))
    }

    /// When the period of `now` ends.
    pub(super) fn resets_at(&self, now: Instant) -> Instant {
        self.period_at(now).range.end
    }

    /// Raises the count of the period of `now` to at least `used`.
    pub(super) fn raise_to(&mut self, used: u64, now: Instant) {
        let period = self.period_at(now);
        let missing = used.saturating_sub(self.count(period));
        if missing > 0 {
            self.charge(period, missing);
        }
    }
}

/// When the day or month of `now` ends, the uncertainty of clocks added.
pub(super) fn end_of(window: super::Window, zone: &TimeZone, now: Instant) -> Instant {
    let unit = if window == super::Window::Month { Unit::Month } else { Unit::Day };
    Period::containing(now, unit, zone).range.end + EDGE
}
