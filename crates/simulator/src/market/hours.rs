//! Sessions of an instrument's venue. A venue without a calendar trades around the clock, a session being
//! one UTC day.

use domain::{Calendar, Calendars, Date, Instant, MarketPhase, Range, Venue, calendar::TradingSession};
use jiff::ToSpan;

/// The calendar of one venue, or none.
#[derive(Clone, Copy)]
pub(crate) struct Hours<'a>(Option<&'a Calendar>);

impl<'a> Hours<'a> {
    pub(crate) fn of(calendars: &'a Calendars, venue: Venue) -> Hours<'a> {
        Hours(calendars.of(venue))
    }

    /// The session of a date by the calendar; `None` on a day without one.
    pub(crate) fn session_on(self, date: Date) -> Option<TradingSession> {
        match self.0 {
            Some(calendar) => calendar.session_on(date),
            None => Some(utc_day(date)),
        }
    }

    /// Sessions whose hours meet the range, ascending.
    pub(crate) fn sessions(self, range: Range) -> Vec<TradingSession> {
        if range.is_empty() {
            return Vec::new();
        }
        match self.0 {
            Some(calendar) => calendar.sessions(range),
            None => {
                let mut date = range.start.utc_date();
                let mut days = Vec::new();
                while Instant::from_utc_midnight(date) < range.end {
                    days.push(utc_day(date));
                    date = next(date);
                }
                days
            }
        }
    }

    pub(crate) fn trading_date(self, at: Instant) -> Date {
        self.0.map_or_else(|| at.utc_date(), |calendar| calendar.trading_date(at))
    }

    pub(crate) fn phase(self, at: Instant) -> MarketPhase {
        self.0.map_or(MarketPhase::Open, |calendar| calendar.phase(at))
    }
}

/// A session of one whole UTC day.
pub(crate) fn utc_day(date: Date) -> TradingSession {
    let hours = Range::new(Instant::from_utc_midnight(date), Instant::from_utc_midnight(next(date)));
    TradingSession { date, hours, pause: None }
}

/// The parts of a session between which no break lies.
pub(crate) fn segments(session: &TradingSession) -> impl Iterator<Item = Range> {
    let TradingSession { hours, pause, .. } = *session;
    let (first, second) = match pause {
        None => (hours, None),
        Some(pause) => (Range::new(hours.start, pause.start), Some(Range::new(pause.end, hours.end))),
    };
    std::iter::once(first).chain(second)
}

/// The day after.
pub(crate) fn next(date: Date) -> Date {
    date.saturating_add(1.day())
}

/// Days since 2000-01-01.
pub(crate) fn day_number(date: Date) -> i64 {
    Instant::from_utc_midnight(date).as_secs().div_euclid(86_400) - 10_957
}

/// Monday of a date's week.
pub(crate) fn monday(date: Date) -> Date {
    date.saturating_sub(i64::from(date.weekday().to_monday_zero_offset()).days())
}
