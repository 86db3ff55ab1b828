//! Rollups of intraday series: volume by UTC hour, OHLCV by trading date (STO-5).
//!
//! Both are made of pieces: one for each hour of each trading date, so that a correction touches one hour,
//! and a day is the sum of at most some twenty-five pieces. Each series is rolled up by itself. The same
//! hour told in bars of one minute and of five makes two rollups, never one of twice the volume;
//! [`one_per_window`] chooses between them.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{Calendar, Date, Instant, Interval, Price, Range, Session, Size};

use crate::series::{SeriesKey, StoredBar};

/// An hour.
pub const HOUR: Duration = Duration::from_secs(3_600);
/// A trading date begins at most so long before midnight UTC of its date, the evening before included.
const DATE_BEGINS_BEFORE: Duration = Duration::from_secs(38 * 3_600);
/// A trading date ends at most so long after midnight UTC of its date.
const DATE_ENDS_AFTER: Duration = Duration::from_secs(48 * 3_600);

/// What a rollup sums up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// The UTC hour that starts here.
    Hour(Instant),
    /// A trading date of the venue; at a venue without a calendar a UTC date.
    Day(Date),
}

/// What the final bars of a stretch amount to.
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    /// First price; `None` if the first bar lacks it.
    pub open: Option<Price>,
    /// Highest price; `None` if any bar lacks its own.
    pub high: Option<Price>,
    /// Lowest price; `None` if any bar lacks its own.
    pub low: Option<Price>,
    /// Last price; `None` if the last bar lacks it.
    pub close: Option<Price>,
    /// Quantity traded; `None` if any bar lacks its own.
    pub volume: Option<Size>,
    /// Number of bars; at least one.
    pub bar_count: u64,
    /// When the newest of the bars was learned.
    pub learned_at: Instant,
}

impl Sum {
    /// Of one bar.
    pub fn of(stored: &StoredBar) -> Sum {
        let bar = &stored.bar;
        Sum {
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
            volume: bar.volume,
            bar_count: 1,
            learned_at: stored.learned_at,
        }
    }

    /// Adds what came after.
    pub fn add(&mut self, later: &Sum) {
        self.high = both(self.high, later.high, Price::max);
        self.low = both(self.low, later.low, Price::min);
        self.close = later.close;
        self.volume =
            both(self.volume, later.volume, |a, b| Size::new(a.decimal().saturating_add(b.decimal())));
        self.bar_count += later.bar_count;
        self.learned_at = self.learned_at.max(later.learned_at);
    }
}

fn both<T>(a: Option<T>, b: Option<T>, join: impl Fn(T, T) -> T) -> Option<T> {
    Some(join(a?, b?))
}

/// The final bars of one hour and trading date.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Start of the UTC hour in which the bars start.
    pub hour: Instant,
    /// The trading date they belong to.
    pub date: Date,
    /// What they amount to.
    pub sum: Sum,
}

/// A window of a series, summed up. Only final bars count, each in the version believed now; a bar belongs
/// to the window in which it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollup {
    /// Whose bars, and of which interval.
    pub key: SeriesKey,
    /// Of what.
    pub window: Window,
    /// What they amount to.
    pub sum: Sum,
    /// Whether the series is known completely there: the whole hour, or the hours in which the venue trades
    /// on the date.
    pub complete: bool,
}

/// Whether hours are told of an interval: those whose bars never lie in two hours, wherever a session opens.
pub fn has_hours(interval: Interval) -> bool {
    interval.fixed_length().is_some_and(|length| length <= Duration::from_secs(900))
}

/// The pieces that bars, ascending by start, make. Unfinished bars are left out.
pub fn pieces(bars: &[StoredBar], calendar: Option<&Calendar>) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for stored in bars.iter().filter(|stored| stored.bar.is_final) {
        let start = stored.bar.start;
        let hour = start.floor_to(HOUR);
        let date = calendar.map_or_else(|| start.utc_date(), |calendar| calendar.trading_date(start));
        let sum = Sum::of(stored);
        match pieces.iter_mut().rev().take_while(|piece| piece.hour == hour).find(|piece| piece.date == date)
        {
            Some(piece) => piece.sum.add(&sum),
            None => pieces.push(Piece { hour, date, sum }),
        }
    }
    pieces
}

/// Starts of the hours whose pieces are needed for the windows of a range.
pub fn needed(range: Range) -> Range {
    Range::new(range.start - DATE_BEGINS_BEFORE, range.end + DATE_ENDS_AFTER)
}

/// The windows of a range that pieces, ascending by hour, amount to: hours that start in it, and trading
/// dates whose midnight UTC lies in it, so that a range from one date to another holds the days between.
/// Hours first, each ascending.
pub fn windows(
    key: &SeriesKey,
    pieces: &[Piece],
    range: Range,
    covered: &[Range],
    calendar: Option<&Calendar>,
) -> Vec<Rollup> {
    let mut sums: BTreeMap<Window, Sum> = BTreeMap::new();
    for piece in pieces {
        let hour =
            (has_hours(key.interval) && range.contains(piece.hour)).then_some(Window::Hour(piece.hour));
        let day = range.contains(Instant::from_utc_midnight(piece.date)).then_some(Window::Day(piece.date));
        for window in hour.into_iter().chain(day) {
            match sums.get_mut(&window) {
                Some(sum) => sum.add(&piece.sum),
                None => {
                    sums.insert(window, piece.sum.clone());
                }
            }
        }
    }
    let known = |window| trading_time(window, key.session, calendar).minus(covered).is_empty();
    sums.into_iter()
        .map(|(window, sum)| Rollup { key: key.clone(), window, sum, complete: known(window) })
        .collect()
}

/// The time in which bars of a window can start.
fn trading_time(window: Window, session: Session, calendar: Option<&Calendar>) -> Range {
    let date = match window {
        Window::Hour(start) => return Range::new(start, start + HOUR),
        Window::Day(date) => date,
    };
    let hours = calendar.and_then(|calendar| {
        let extended = calendar.extended_hours(date).filter(|_| session == Session::Extended);
        extended.or_else(|| calendar.session_on(date).map(|session| session.hours))
    });
    let midnight = Instant::from_utc_midnight(date);
    hours.unwrap_or_else(|| Range::new(midnight, midnight + 24 * HOUR))
}

/// One rollup of each window, vendor, adjustment, session and kind (real or simulated): of series of
/// different intervals the finest complete one; where none is complete, the one whose bars cover most time,
/// of two that cover the same the finer. The order is kept otherwise.
pub fn one_per_window(rollups: Vec<Rollup>) -> Vec<Rollup> {
    let identity = |r: &Rollup| {
        (r.window, r.key.vendor, r.key.adjustment.as_str(), r.key.session.as_str(), r.key.simulated)
    };
    let worth = |r: &Rollup| {
        let length = r.key.interval.nominal_length().as_secs();
        let span = if r.complete { u64::MAX } else { r.sum.bar_count.saturating_mul(length) };
        (r.complete, span, std::cmp::Reverse(length))
    };
    let mut best: BTreeMap<_, Rollup> = BTreeMap::new();
    for rollup in rollups {
        match best.entry(identity(&rollup)) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(rollup);
            }
            std::collections::btree_map::Entry::Occupied(mut place) => {
                if worth(&rollup) > worth(place.get()) {
                    place.insert(rollup);
                }
            }
        }
    }
    best.into_values().collect()
}

#[cfg(test)]
mod tests {
    // STO-5.
    use domain::{Adjustment, Bar, Calendars, InstrumentId, VendorId, Venue};

    use super::*;

    fn key(interval: Interval) -> SeriesKey {
        SeriesKey {
            instrument: InstrumentId::new("IBM", Venue::literal("XNYS")),
            interval,
            vendor: VendorId("acme"),
            adjustment: Adjustment::Raw,
            session: Session::Regular,
            simulated: false,
        }
    }

    fn at(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    fn bars(from: &str, count: u32, interval: Interval, volume: u32) -> Vec<StoredBar> {
        let step = interval.fixed_length().unwrap();
        (0..count)
            .map(|index| {
                let prices = [10u32, 12 + index, 9, 11].map(Price::from);
                let bar = Bar::new(at(from) + step * index, prices, Size::from(volume));
                StoredBar { bar, learned_at: at("2026-01-10") }
            })
            .collect()
    }

    fn rolled(interval: Interval, bars: &[StoredBar], covered: &[Range]) -> Vec<Rollup> {
        let calendars = Calendars::built_in();
        let calendar = calendars.of(Venue::literal("XNYS"));
        let range = Range::new(at("2026-01-05"), at("2026-01-07"));
        windows(&key(interval), &pieces(bars, calendar), range, covered, calendar)
    }

    #[test]
    fn a_session_makes_one_day_and_an_hour_for_every_hour_it_touches() {
        let session = Range::new(at("2026-01-05T14:30:00Z"), at("2026-01-05T21:00:00Z"));
        let all = rolled(Interval::M5, &bars("2026-01-05T14:30:00Z", 78, Interval::M5, 10), &[session]);
        let (hours, days): (Vec<Rollup>, Vec<Rollup>) =
            all.into_iter().partition(|rollup| matches!(rollup.window, Window::Hour(_)));
        let volumes: Vec<_> = hours.iter().map(|hour| hour.sum.volume).collect();
        assert_eq!(volumes, [60u32, 120, 120, 120, 120, 120, 120].map(|v| Some(Size::from(v))));
        assert!(!hours[0].complete, "what was traded before the open is not known");
        assert!(hours[1].complete);
        let [day] = days.as_slice() else { panic!("{days:?}") };
        assert_eq!(day.window, Window::Day(domain::Date::constant(2026, 1, 5)));
        assert!(day.complete);
        assert_eq!(day.sum.bar_count, 78);
        let sum = &day.sum;
        let prices = [sum.open, sum.high, sum.low, sum.close].map(Option::unwrap);
        assert_eq!(prices, [10u32, 89, 9, 11].map(Price::from));
        assert_eq!(sum.volume, Some(Size::from(780)));
    }

    #[test]
    fn evening_trading_beyond_midnight_utc_belongs_to_the_venues_date() {
        let all = rolled(Interval::M15, &bars("2026-01-05T23:30:00Z", 4, Interval::M15, 1), &[]);
        let days: Vec<Window> =
            all.iter().map(|r| r.window).filter(|w| matches!(w, Window::Day(_))).collect();
        assert_eq!(days, [Window::Day(domain::Date::constant(2026, 1, 5))]);
    }

    #[test]
    fn a_price_that_one_bar_lacks_is_missing_from_the_sum_and_running_bars_do_not_count() {
        let mut some = bars("2026-01-05T15:00:00Z", 3, Interval::M1, 5);
        some[1].bar.high = None;
        some[1].bar.volume = None;
        some[2].bar.is_final = false;
        let all = rolled(Interval::M1, &some, &[]);
        assert_eq!(all.len(), 2);
        for rollup in all {
            assert_eq!((rollup.sum.high, rollup.sum.volume, rollup.sum.bar_count), (None, None, 2));
            assert_eq!(rollup.sum.low, Some(Price::from(9u32)));
        }
    }

    #[test]
    fn bars_that_may_lie_in_two_hours_tell_no_hours() {
        for interval in [Interval::M30, Interval::H1, Interval::H4] {
            let all = rolled(interval, &bars("2026-01-05T14:30:00Z", 2, interval, 5), &[]);
            assert_eq!(
                all.iter().map(|r| r.window).collect::<Vec<_>>(),
                [Window::Day(domain::Date::constant(2026, 1, 5))]
            );
        }
    }

    #[test]
    fn of_two_intervals_one_is_taken_and_nothing_counts_twice() {
        let session = [Range::new(at("2026-01-05T15:00:00Z"), at("2026-01-05T16:00:00Z"))];
        let minutes = |count, covered: &[Range]| {
            rolled(Interval::M1, &bars("2026-01-05T15:00:00Z", count, Interval::M1, 2), covered)
        };
        let fives = |covered: &[Range]| {
            rolled(Interval::M5, &bars("2026-01-05T15:00:00Z", 12, Interval::M5, 10), covered)
        };
        let chosen = |a: Vec<Rollup>, b: Vec<Rollup>| -> Vec<(Interval, Option<Size>)> {
            let one = one_per_window(a.into_iter().chain(b).collect());
            let hours = one.iter().filter(|r| matches!(r.window, Window::Hour(_)));
            hours.map(|r| (r.key.interval, r.sum.volume)).collect()
        };
        let whole = Some(Size::from(120u32));
        assert_eq!(chosen(minutes(60, &session), fives(&session)), [(Interval::M1, whole)]);
        assert_eq!(chosen(fives(&session), minutes(10, &[])), [(Interval::M5, whole)]);
        assert_eq!(chosen(minutes(10, &[]), fives(&[])), [(Interval::M5, whole)], "it covers more time");
        assert_eq!(chosen(minutes(60, &[]), fives(&[])), [(Interval::M1, whole)], "the same time, finer");
    }
}
