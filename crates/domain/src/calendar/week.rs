//! Hours of a day by the venue's clock, and of a week.

use jiff::tz::TimeZone;

use super::TradingSession;
use crate::{Date, Instant, Range};

/// Minutes of a day.
pub(super) const DAY: i32 = 1_440;

/// Hours of one session as minutes since its date's local midnight; those of the evening before are
/// negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hours {
    pub(super) open: i32,
    pub(super) close: i32,
    pub(super) pause: Option<(i32, i32)>,
}

impl Hours {
    /// The session with these hours; `None` only where the calendar's years end.
    pub(super) fn session(&self, zone: &TimeZone, date: Date) -> Option<TradingSession> {
        self.session_by(date, |minute| at_minute(zone, date, minute))
    }

    /// The session with these hours, where `at` tells the instant of a minute of the date.
    pub(super) fn session_by(
        &self,
        date: Date,
        mut at: impl FnMut(i32) -> Option<Instant>,
    ) -> Option<TradingSession> {
        let mut span = |(from, to)| Some(Range::new(at(from)?, at(to)?));
        let hours = span((self.open, self.close))?;
        // A clock change can move the break or swallow it.
        let pause =
            self.pause.and_then(&mut span).map(|pause| pause.intersect(hours)).filter(|p| !p.is_empty());
        Some(TradingSession { date, hours, pause })
    }
}

/// The hours of each weekday, from a day on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Week {
    pub(super) from: Date,
    /// Monday first.
    pub(super) days: [Option<Hours>; 7],
}

impl Week {
    pub(super) fn hours_on(&self, date: Date) -> Option<Hours> {
        self.days[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())]
    }
}

/// The instant at which the venue's clock shows a minute of a date. A time that a clock change skips is
/// read as if the clock had not yet changed, one that it repeats is the first of the two.
pub(super) fn at_minute(zone: &TimeZone, date: Date, minute: i32) -> Option<Instant> {
    let date = match minute.div_euclid(DAY) {
        -1 => date.yesterday().ok()?,
        0 => date,
        _ => date.tomorrow().ok()?,
    };
    let minute = minute.rem_euclid(DAY);
    let hour = i8::try_from(minute / 60).expect("a day has 24 hours");
    let minute = i8::try_from(minute % 60).expect("an hour has 60 minutes");
    Instant::from_timestamp(zone.to_timestamp(date.at(hour, minute, 0, 0)).ok()?)
}

/// The venue's clock walking through many days in a row: asks the time zone only near clock changes.
pub(super) struct Clock<'a> {
    zone: &'a TimeZone,
    /// Seconds the clock is ahead of UTC, from an instant to another, both in seconds since 1970.
    ahead_secs: i64,
    steady: (i64, i64),
}

impl Clock<'_> {
    pub(super) fn of(zone: &TimeZone) -> Clock<'_> {
        Clock { zone, ahead_secs: 0, steady: (0, 0) }
    }

    /// As [`at_minute`], for a date that lies `day` days after 1970-01-01.
    pub(super) fn at_minute(&mut self, day: i64, date: Date, minute: i32) -> Option<Instant> {
        const MARGIN: i64 = 86_400;
        let secs = day * 86_400 + i64::from(minute) * 60 - self.ahead_secs;
        if self.steady.0 + MARGIN < secs && secs < self.steady.1 - MARGIN {
            return Some(Instant::from_secs(secs));
        }
        let found = at_minute(self.zone, date, minute)?;
        let stamp = found.to_timestamp();
        self.ahead_secs = self.zone.to_offset(stamp).seconds().into();
        // A range that no table reaches, but far from overflow.
        const EVER: i64 = i64::MAX / 4;
        let change = |at: Option<jiff::tz::TimeZoneTransition<'_>>| at.map(|t| t.timestamp().as_second());
        self.steady = (
            change(self.zone.preceding(stamp).next()).unwrap_or(-EVER),
            change(self.zone.following(stamp).next()).unwrap_or(EVER),
        );
        Some(found)
    }
}
