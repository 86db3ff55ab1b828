//! Requests counted as the vendor counts them.

use std::collections::VecDeque;
use std::time::Duration;

use domain::{Instant, Range};
use jiff::tz::TimeZone;
use jiff::{ToSpan, Unit};
use vendors::plan::{Limit, Per};
use vendors::{Rejection, Window};

/// What one key has used of its plan. A refused request counts in a sliding window like any other, so that
/// who hammers stays shut out; it spends nothing of a day or month.
pub(crate) struct Arrivals {
    zone: TimeZone,
    limits: Vec<Counted>,
}

enum Counted {
    /// Arrivals of the newest `count` units.
    Sliding { count: usize, length: Duration, window: Window, newest: VecDeque<Instant> },
    /// Units spent in the period of the calendar that contains the newest arrival.
    Calendar { count: u64, unit: Unit, window: Window, spent: u64, period: Range },
}

impl Arrivals {
    /// Nothing has arrived yet. Days and months are those of `zone`.
    pub(crate) fn new(limits: &[Limit], zone: &TimeZone) -> Arrivals {
        let limits = limits.iter().map(|limit| {
            let window = limit.per.window();
            let calendar = |unit| Counted::Calendar {
                count: u64::from(limit.count),
                unit,
                window,
                spent: 0,
                period: Range::new(Instant::MIN, Instant::MIN),
            };
            match limit.per {
                Per::Sliding(length) => {
                    let count = usize::try_from(limit.count).unwrap_or(usize::MAX);
                    Counted::Sliding { count, length, window, newest: VecDeque::new() }
                }
                Per::Day => calendar(Unit::Day),
                Per::Month => calendar(Unit::Month),
            }
        });
        Arrivals { zone: zone.clone(), limits: limits.collect() }
    }

    /// The plan's count for a minute and what is left of it now; `None` without such a limit.
    pub(crate) fn left_in_minute(&self, now: Instant) -> Option<(usize, usize)> {
        self.limits.iter().find_map(|limit| match limit {
            Counted::Sliding { count, length, newest, .. } if *length == Duration::from_secs(60) => {
                let inside = newest.iter().rev().take_while(|at| now.since(**at) < *length).count();
                Some((*count, count.saturating_sub(inside)))
            }
            Counted::Sliding { .. } | Counted::Calendar { .. } => None,
        })
    }

    /// Counts a request of some weight. Times that go back are counted at the newest one seen.
    ///
    /// # Errors
    /// What the vendor would say to one too many.
    pub(crate) fn arrive(&mut self, now: Instant, weight: u32) -> Result<(), Rejection> {
        let units = usize::try_from(weight.max(1)).unwrap_or(usize::MAX);
        let mut refusal = None;
        for limit in &mut self.limits {
            if let Counted::Sliding { count, length, window, newest } = limit {
                refusal = refusal.or(slide(newest, *count, *length, *window, now, units));
            }
        }
        for limit in &mut self.limits {
            if let Counted::Calendar { count, unit, window, spent, period } = limit {
                if now >= period.end {
                    *period = period_of(now, *unit, &self.zone);
                    *spent = 0;
                }
                if *spent + u64::from(weight) > *count {
                    let resets = Some(period.end);
                    refusal = refusal.or(Some(Rejection::QuotaSpent { window: Some(*window), resets }));
                } else if refusal.is_none() {
                    *spent += u64::from(weight);
                }
            }
        }
        refusal.map_or(Ok(()), Err)
    }
}

fn slide(
    newest: &mut VecDeque<Instant>,
    count: usize,
    length: Duration,
    window: Window,
    now: Instant,
    units: usize,
) -> Option<Rejection> {
    let refuse = |wait| Some(Rejection::RateLimited { retry_after: wait, window: Some(window) });
    if units > count {
        return refuse(None);
    }
    // The unit that must have left the window for this request to fit.
    let in_the_way = (newest.len() + units).checked_sub(count + 1).map(|index| newest[index]);
    let now = newest.back().map_or(now, |last| now.max(*last));
    newest.extend(std::iter::repeat_n(now, units));
    newest.drain(..newest.len().saturating_sub(count));
    let free_at = in_the_way? + length;
    if free_at <= now {
        return None;
    }
    let free_again = newest.front().map_or(free_at, |oldest| *oldest + length);
    refuse(Some(free_again.since(now)))
}

fn period_of(at: Instant, unit: Unit, zone: &TimeZone) -> Range {
    let local = at.to_timestamp().to_zoned(zone.clone());
    let (first, span) = match unit {
        Unit::Month => (local.date().first_of_month(), 1.month()),
        _ => (local.date(), 1.day()),
    };
    let midnight = |date: domain::Date| {
        date.to_zoned(zone.clone()).ok().and_then(|zoned| Instant::from_timestamp(zoned.timestamp()))
    };
    let end = midnight(first.saturating_add(span)).unwrap_or(Instant::MAX);
    Range::new(midnight(first).unwrap_or(Instant::MIN), end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arrivals(count: u32, per: Per, zone: &str) -> Arrivals {
        Arrivals::new(&[Limit { count, per }], &TimeZone::get(zone).unwrap())
    }

    #[test]
    fn a_minute_is_any_sixty_seconds_and_refusals_count_in_it() {
        let mut five = arrivals(2, Per::Sliding(Duration::from_secs(60)), "UTC");
        let at = Instant::from_secs;
        assert_eq!(five.arrive(at(50), 1), Ok(()));
        assert_eq!(five.arrive(at(55), 1), Ok(()));
        let refused = five.arrive(at(61), 1).unwrap_err();
        let wait = Some(Duration::from_secs(54));
        assert_eq!(refused, Rejection::RateLimited { retry_after: wait, window: Some(Window::Minute) });
        assert!(five.arrive(at(110), 1).is_err(), "the refused one of 61 still counts");
        assert_eq!(five.arrive(at(121), 1), Ok(()), "61 left at 121; 110 remains");
    }

    #[test]
    fn a_day_ends_at_the_vendors_midnight() {
        let mut daily = arrivals(1, Per::Day, "America/New_York");
        let at = |text| Instant::parse(text).unwrap();
        assert_eq!(daily.arrive(at("2026-01-05T12:00:00Z"), 1), Ok(()));
        let resets = Some(at("2026-01-06T05:00:00Z"));
        let refused = Rejection::QuotaSpent { window: Some(Window::Day), resets };
        assert_eq!(daily.arrive(at("2026-01-06T04:59:59Z"), 1), Err(refused));
        assert_eq!(daily.arrive(at("2026-01-06T05:00:00Z"), 1), Ok(()));
    }

    #[test]
    fn a_batch_weighs_as_much_as_its_parts() {
        let mut credits = arrivals(8, Per::Sliding(Duration::from_secs(60)), "UTC");
        assert_eq!(credits.arrive(Instant::from_secs(0), 5), Ok(()));
        assert_eq!(credits.left_in_minute(Instant::from_secs(59)), Some((8, 3)));
        assert_eq!(credits.left_in_minute(Instant::from_secs(60)), Some((8, 8)));
        assert!(credits.arrive(Instant::from_secs(1), 4).is_err());
        assert!(credits.arrive(Instant::from_secs(1), 9).is_err());
    }

    proptest! {
        #[test]
        fn no_window_ever_admits_more_than_its_count(
            steps in prop::collection::vec((0u64..40, 1u32..4), 1..80),
            count in 1u32..8,
        ) {
            let length = Duration::from_secs(60);
            let mut arrivals = arrivals(count, Per::Sliding(length), "UTC");
            let mut now = Instant::from_secs(1_000_000);
            let mut admitted: Vec<(Instant, u32)> = Vec::new();
            for (step, weight) in steps {
                now += Duration::from_secs(step);
                if arrivals.arrive(now, weight).is_ok() {
                    admitted.push((now, weight));
                }
                let inside: u32 = admitted.iter().filter(|(at, _)| now.since(*at) < length).map(|(_, w)| w).sum();
                prop_assert!(inside <= count);
            }
        }
    }
}
