//! Arrivals counted over every window of a plan.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use domain::{Date, Instant, Range};
use vendors::plan::{Limit, Per};

use super::Watched;
use crate::trial::shifted;

/// A gateway's clock may be off by so much, and its calls under way for so long, at a vendor's midnight.
const EDGE: Duration = Duration::from_secs(2);
/// How far back arrivals are kept.
const KEPT: Duration = Duration::from_secs(3_700);

/// What has arrived at one vendor.
pub(super) struct Windows {
    watched: Watched,
    newest: VecDeque<(Instant, u32)>,
    days: BTreeMap<Date, u32>,
    fullest: f64,
}

impl Windows {
    pub(super) fn new(watched: &Watched) -> Windows {
        Windows { watched: watched.clone(), newest: VecDeque::new(), days: BTreeMap::new(), fullest: 0.0 }
    }

    /// Counts an arrival, and says which window it overfills.
    pub(super) fn arrived(&mut self, at: Instant, weight: u32, skew: i64) -> Option<String> {
        self.newest.push_back((at, weight));
        while self.newest.front().is_some_and(|(first, _)| at.since(*first) > KEPT) {
            self.newest.pop_front();
        }
        let date = self.date(at);
        // A gateway whose clock shows another date cannot know the vendor's; the vendor tells it.
        let believes = self.date(shifted(at, skew));
        let sure = believes == date && self.date(at - EDGE) == date && self.date(at + EDGE) == date;
        if sure {
            *self.days.entry(date).or_default() += weight;
        }
        let mut over = None;
        for limit in &self.watched.limits {
            let count = match limit.per {
                Per::Sliding(length) => {
                    let inside = self.newest.iter().rev().take_while(|(then, _)| at.since(*then) < length);
                    inside.map(|(_, weight)| weight).sum::<u32>()
                }
                Per::Day => self.days.get(&date).copied().unwrap_or(0),
                Per::Month => continue,
            };
            self.fullest = self.fullest.max(f64::from(count) / f64::from(limit.count.max(1)));
            if count > limit.count && over.is_none() {
                over = Some(format!("{count} of {} arrived in {:?}", limit.count, limit.per));
            }
        }
        over
    }

    /// The fullest any window was so far, as a share of what it allows.
    pub(super) fn fullest(&self) -> f64 {
        self.fullest
    }

    /// What arrived in a range of the last hour.
    pub(super) fn used_in(&self, range: Range) -> u64 {
        let inside = self.newest.iter().filter(|(at, _)| range.contains(*at));
        inside.map(|(_, weight)| u64::from(*weight)).sum()
    }

    fn date(&self, at: Instant) -> Date {
        at.to_timestamp().to_zoned(self.watched.zone.clone()).date()
    }
}

/// Calls a second that the sliding windows of a plan allow in the long run.
pub(super) fn rate(limits: &[Limit]) -> Option<f64> {
    let rates = limits.iter().filter_map(|limit| match limit.per {
        Per::Sliding(length) => Some(f64::from(limit.count) / length.as_secs_f64()),
        Per::Day | Per::Month => None,
    });
    rates.reduce(f64::min)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use domain::VendorId;

    fn windows(count: u32, per: Per) -> Windows {
        Windows::new(&Watched {
            vendor: VendorId("acme"),
            limits: vec![Limit { count, per }],
            zone: TimeZone::UTC,
            price_micros: 0,
            open: Duration::from_secs(60),
            open_at_most: Duration::from_secs(66),
            real_time: true,
        })
    }

    #[test]
    fn one_too_many_in_any_minute_is_seen_and_one_a_minute_later_is_not() {
        let mut windows = windows(2, Per::Sliding(Duration::from_secs(60)));
        let seen: Vec<bool> = [0, 30, 60, 89, 120]
            .map(|secs| windows.arrived(Instant::from_secs(1_000_000 + secs), 1, 0).is_some())
            .to_vec();
        assert_eq!(seen, [false, false, false, true, false]);
    }

    #[test]
    fn a_day_is_counted_where_the_gateway_can_know_it() {
        let hour = 3_600 * 1_000_000_000;
        let at = |text: &str| Instant::parse(text).unwrap();
        let mut windows = windows(1, Per::Day);
        assert!(windows.arrived(at("2026-03-09T12:00:00Z"), 1, 0).is_none());
        // Two hours ahead, it believes in tomorrow already.
        assert!(windows.arrived(at("2026-03-09T23:00:00Z"), 1, 2 * hour).is_none());
        assert!(windows.arrived(at("2026-03-09T23:00:01Z"), 1, 0).is_some());
    }
}
