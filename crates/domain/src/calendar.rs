//! Trading calendars: which sessions a venue has, when they open and close.

use crate::{Date, Instant, Interval, MarketPhase, Range, Venue};

/// One session of a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradingSession {
    /// The trading date.
    pub date: Date,
    /// Open and close of regular hours.
    pub hours: Range,
    /// Break inside the session, if any.
    pub pause: Option<Range>,
}

/// The sessions of one venue.
#[derive(Clone, Debug)]
pub struct Calendar {
    venue: Venue,
}

impl Calendar {
    /// The venue.
    pub fn venue(&self) -> Venue {
        self.venue
    }

    /// The session of a date; `None` on a day without one.
    pub fn session_on(&self, _date: Date) -> Option<TradingSession> {
        None
    }

    /// Sessions whose hours meet the range, ascending.
    pub fn sessions(&self, _range: Range) -> Vec<TradingSession> {
        Vec::new()
    }

    /// Whether regular trading runs at an instant (not during a break).
    pub fn is_open(&self, _at: Instant) -> bool {
        false
    }

    /// Phase of the day at an instant: open, break, closed, and where the venue has extended hours before
    /// and after.
    pub fn phase(&self, _at: Instant) -> MarketPhase {
        MarketPhase::Closed
    }

    /// The last instant, not after `at`, at which the market was open: `at` itself in session, else the
    /// close (or start of the break) before it.
    pub fn last_open_instant(&self, at: Instant) -> Instant {
        at
    }

    /// The next opening (or end of the break) after `at`; `None` if none within 30 days.
    pub fn next_open(&self, _at: Instant) -> Option<Instant> {
        None
    }

    /// Regular trading time between two instants; zero if `to` is not after `from`.
    pub fn open_time(&self, _from: Instant, _to: Instant) -> std::time::Duration {
        std::time::Duration::ZERO
    }

    /// Starts of the bars expected in a range, ascending, on the grid of session and interval: intraday
    /// grids count from each session's open (and again after a break); a day starts at its session's open;
    /// a week at the open of its first session, a month likewise.
    pub fn expected_starts(&self, _interval: Interval, _range: Range) -> Vec<Instant> {
        Vec::new()
    }

    /// The window of the bar that contains an instant; `None` outside sessions.
    pub fn window_of(&self, _interval: Interval, _at: Instant) -> Option<Range> {
        None
    }

    /// The trading date an instant belongs to: that of the session it lies in, else that of the venue's
    /// local calendar day.
    pub fn trading_date(&self, at: Instant) -> Date {
        at.utc_date()
    }
}

/// The calendars of all known venues.
#[derive(Clone, Debug, Default)]
pub struct Calendars {
    calendars: Vec<Calendar>,
}

impl Calendars {
    /// The venues built into the program.
    pub fn built_in() -> Calendars {
        Calendars::default()
    }

    /// The calendar of a venue. `US` and the venues of one country's common schedule share theirs; `FX`
    /// is 24/5; crypto venues are 24/7.
    pub fn of(&self, venue: Venue) -> Option<&Calendar> {
        self.calendars.iter().find(|c| c.venue == venue)
    }
}
