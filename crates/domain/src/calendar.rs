//! Trading calendars: which sessions a venue has, when they open and close.

mod built_in;
mod grid;
mod text;
mod week;

use std::time::Duration;

use jiff::tz::TimeZone;

pub use built_in::Calendars;
pub use text::CalendarError;

use crate::{Date, Instant, MarketPhase, Range, Venue};
use week::{Week, at_minute};

/// How many days without a session we look across before we say that there is none.
const LOOK_DAYS: usize = 40;

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

impl TradingSession {
    /// Whether trading runs at an instant: inside the hours and not in the break.
    pub fn is_open(&self, at: Instant) -> bool {
        self.hours.contains(at) && !self.pause.is_some_and(|pause| pause.contains(at))
    }

    /// The parts of the hours in which trading runs: one, or the two around the break.
    pub fn parts(&self) -> impl Iterator<Item = Range> + use<> {
        let (first, second) = match self.pause {
            None => (self.hours, None),
            Some(pause) => {
                (Range::new(self.hours.start, pause.start), Some(Range::new(pause.end, self.hours.end)))
            }
        };
        std::iter::once(first).chain(second)
    }
}

/// The sessions of one venue: a table for the years it covers, the weekly pattern beyond them.
#[derive(Clone)]
pub struct Calendar {
    venue: Venue,
    also: Vec<Venue>,
    zone: TimeZone,
    weeks: Vec<Week>,
    extended: Option<Extended>,
    covers: (Date, Date),
    /// Every session of the covered days, ascending, none overlapping another.
    table: Vec<Entry>,
}

impl std::fmt::Debug for Calendar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (first, last) = self.covers;
        write!(
            f,
            "Calendar({} {}, {} sessions {first} to {last})",
            self.venue,
            self.zone_name(),
            self.table.len()
        )
    }
}

/// Trading before and after regular hours, as minutes of the local day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extended {
    start: i32,
    end: i32,
    /// The end on days of an early close.
    short_end: i32,
}

/// A session of the table, in half the room of a [`TradingSession`].
#[derive(Clone, Copy, Debug)]
struct Entry {
    open: Instant,
    date: Date,
    /// Seconds from the open to the break and to its end; both zero without one.
    pause_secs: (u32, u32),
    length_secs: u32,
    /// Trading time of all earlier entries.
    before_secs: u32,
}

impl Entry {
    fn new(session: &TradingSession, before_secs: u32) -> Entry {
        let secs = |to: Instant| {
            u32::try_from(to.since(session.hours.start).as_secs())
                .expect("a session lasts about a day at most")
        };
        Entry {
            open: session.hours.start,
            date: session.date,
            pause_secs: session.pause.map_or((0, 0), |pause| (secs(pause.start), secs(pause.end))),
            length_secs: secs(session.hours.end),
            before_secs,
        }
    }

    fn session(&self) -> TradingSession {
        let after = |secs: u32| self.open + Duration::from_secs(secs.into());
        let (from, to) = self.pause_secs;
        TradingSession {
            date: self.date,
            hours: Range { start: self.open, end: after(self.length_secs) },
            pause: (to > 0).then(|| Range { start: after(from), end: after(to) }),
        }
    }

    fn open_secs(&self) -> u32 {
        self.length_secs - (self.pause_secs.1 - self.pause_secs.0)
    }
}

impl Calendar {
    /// Reads a calendar from text: one fact a line, `#` begins a remark, days and times are the venue's own.
    ///
    /// ```text
    /// calendar XTKS Asia/Tokyo               the venue and its IANA time zone; comes first
    /// also XJPX                              venues that keep the same calendar
    /// covers 1997-01-01 2031-12-31           days the facts below are complete for; else 2000 to 2035
    /// extended 04:00-20:00 17:00             first and last minute of extended hours; the last on short days
    /// hours mon-fri 09:00-15:00 break 11:00-12:30
    /// hours 2024-11-05 mon-fri 09:00-15:30   from that day on; the first such line holds before it too
    /// hours 2026-01-05 sun closed            no session on Sundays any more
    /// closed 2026 01-01 01-02 12-31 2027 01-01
    /// special 09:00-11:00 1998 12-30         hours of single days, be they usually closed
    /// ```
    ///
    /// Days are `mon`, `mon-fri`, `sun-thu`, `mon,wed`. An open that is not before the close lies on the day
    /// before; a session's date is that of its close. `24:00` is the end of the day.
    /// Outside the covered days sessions follow the weekly hours alone.
    ///
    /// # Errors
    /// [`CalendarError`] with every problem, its line, and what would be right.
    pub fn parse(text: &str) -> Result<Calendar, CalendarError> {
        text::parse(text)
    }

    /// The venue whose calendar this is. Others may share it: see [`also`](Calendar::also).
    pub fn venue(&self) -> Venue {
        self.venue
    }

    /// Further venues that keep this calendar.
    pub fn also(&self) -> &[Venue] {
        &self.also
    }

    /// IANA name of the venue's time zone.
    pub fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// First and last day for which holidays and short sessions are known; beyond them the weekly pattern
    /// stands in.
    pub fn covers(&self) -> (Date, Date) {
        self.covers
    }

    /// The session of a date; `None` on a day without one.
    pub fn session_on(&self, date: Date) -> Option<TradingSession> {
        if date < self.covers.0 || self.covers.1 < date {
            return self.project(date);
        }
        let at = self.table.binary_search_by_key(&date, |entry| entry.date).ok()?;
        Some(self.table[at].session())
    }

    /// Sessions whose hours meet the range, ascending.
    pub fn sessions(&self, range: Range) -> Vec<TradingSession> {
        let mut found = Vec::new();
        let mut next = self
            .session_at(range.start)
            .or_else(|| self.session_after(range.start))
            .filter(|_| !range.is_empty());
        while let Some(session) = next.filter(|s| s.hours.start < range.end) {
            // What the table holds of the range is taken at once.
            let from = self.table.partition_point(|entry| entry.open < session.hours.start);
            let to = self.table.partition_point(|entry| entry.open < range.end);
            if from < to && self.table[from].open == session.hours.start {
                found.extend(self.table[from..to].iter().map(Entry::session));
            } else {
                found.push(session);
            }
            next = found.last().and_then(|last| self.session_after(last.hours.start));
        }
        found
    }

    /// Whether regular trading runs at an instant (not during a break).
    pub fn is_open(&self, at: Instant) -> bool {
        self.session_until(at).is_some_and(|session| session.is_open(at))
    }

    /// Phase of the day at an instant: open, break, closed, and where the venue has extended hours before
    /// and after.
    pub fn phase(&self, at: Instant) -> MarketPhase {
        if let Some(session) = self.session_at(at) {
            return if session.is_open(at) { MarketPhase::Open } else { MarketPhase::Break };
        }
        let date = self.local_date(at);
        let Some(session) = self.session_on(date) else { return MarketPhase::Closed };
        match self.extended_hours(date) {
            Some(extended) if !extended.contains(at) => MarketPhase::Closed,
            Some(_) if at < session.hours.start => MarketPhase::PreMarket,
            Some(_) => MarketPhase::AfterHours,
            None => MarketPhase::Closed,
        }
    }

    /// From the start of pre-market to the end of after-hours trading on a date; `None` without a session,
    /// and at venues of which we know no extended hours.
    pub fn extended_hours(&self, date: Date) -> Option<Range> {
        let Extended { start, end, short_end } = self.extended?;
        let session = self.session_on(date)?;
        let usual = self.week_of(date).hours_on(date)?;
        let is_short = session.hours.end < at_minute(&self.zone, date, usual.close)?;
        let end = at_minute(&self.zone, date, if is_short { short_end } else { end })?;
        let start = at_minute(&self.zone, date, start)?;
        Some(Range::new(start.min(session.hours.start), end.max(session.hours.end)))
    }

    /// The last instant, not after `at`, at which the market was open: `at` itself in session, else the
    /// close (or start of the break) before it. `at` itself if the calendar has no session before it.
    pub fn last_open_instant(&self, at: Instant) -> Instant {
        match self.session_until(at) {
            Some(session) if session.is_open(at) => at,
            Some(TradingSession { pause: Some(pause), .. }) if pause.contains(at) => pause.start,
            Some(session) => session.hours.end.min(at),
            None => at,
        }
    }

    /// The next opening (or end of the break) after `at`; `None` if none within 30 days.
    pub fn next_open(&self, at: Instant) -> Option<Instant> {
        let resumes =
            self.session_at(at).and_then(|s| s.pause).map(|pause| pause.end).filter(|end| *end > at);
        let limit = at + Duration::from_secs(30 * 86_400);
        resumes.or_else(|| self.session_after(at).map(|s| s.hours.start)).filter(|open| *open <= limit)
    }

    /// Regular trading time between two instants; zero if `to` is not after `from`.
    pub fn open_time(&self, from: Instant, to: Instant) -> Duration {
        if to <= from {
            return Duration::ZERO;
        }
        let range = Range::new(from, to);
        let summed = |range: Range| -> Duration {
            let sessions = self.sessions(range);
            sessions.iter().flat_map(TradingSession::parts).map(|p| p.intersect(range).length()).sum()
        };
        let (Some(first), Some(last)) = (self.table.first(), self.table.last()) else { return summed(range) };
        let before = summed(Range::new(from, to.min(first.open)));
        let after = summed(Range::new(from.max(last.open), to));
        before + self.table_time(to).saturating_sub(self.table_time(from)) + after
    }

    /// The trading date an instant belongs to: that of the session it lies in, else that of the venue's
    /// local calendar day.
    pub fn trading_date(&self, at: Instant) -> Date {
        self.session_at(at).map_or_else(|| self.local_date(at), |session| session.date)
    }

    /// The session in whose hours, break included, an instant lies.
    pub fn session_at(&self, at: Instant) -> Option<TradingSession> {
        self.session_until(at).filter(|session| at < session.hours.end)
    }

    /// The last session that has opened by an instant.
    pub fn session_until(&self, at: Instant) -> Option<TradingSession> {
        let opened = self.table.partition_point(|entry| entry.open <= at);
        if opened < self.table.len() && opened > 0 {
            return Some(self.table[opened - 1].session());
        }
        let from = self.local_date(at).tomorrow().unwrap_or(Date::MAX);
        let has_opened = |session: &TradingSession| session.hours.start <= at;
        if opened == 0 {
            let last = self.covers.0.yesterday().ok()?.min(from);
            return days_back(last).find_map(|date| self.project(date).filter(has_opened));
        }
        let beyond = days_back(from).take_while(|date| *date > self.covers.1);
        let mut sessions = beyond.filter_map(|date| self.project(date));
        sessions.find(has_opened).or_else(|| self.table.last().map(Entry::session))
    }

    /// The first session that opens after an instant.
    pub fn session_after(&self, at: Instant) -> Option<TradingSession> {
        let opened = self.table.partition_point(|entry| entry.open <= at);
        if opened > 0 && opened < self.table.len() {
            return Some(self.table[opened].session());
        }
        let from = self.local_date(at);
        let opens_later = |session: &TradingSession| session.hours.start > at;
        if opened == 0 && !self.table.is_empty() {
            let before = days_on(from).take_while(|date| *date < self.covers.0);
            let mut sessions = before.filter_map(|date| self.project(date));
            let found = sessions.find(opens_later);
            let is_near = days_on(from).any(|date| date == self.covers.0) || from >= self.covers.0;
            return found.or_else(|| self.table.first().filter(|_| is_near).map(Entry::session));
        }
        let first = self.covers.1.tomorrow().ok()?.max(from);
        days_on(first).find_map(|date| self.project(date).filter(opens_later))
    }

    /// The calendar day at the venue.
    fn local_date(&self, at: Instant) -> Date {
        self.zone.to_datetime(at.to_timestamp()).date()
    }

    fn week_of(&self, date: Date) -> &Week {
        let begun = self.weeks.partition_point(|week| week.from <= date);
        &self.weeks[begun.saturating_sub(1)]
    }

    /// The session of a date by the weekly pattern alone.
    fn project(&self, date: Date) -> Option<TradingSession> {
        self.week_of(date).hours_on(date)?.session(&self.zone, date)
    }

    /// Trading time from the table's first open until `at`, or until its last open if `at` is later.
    fn table_time(&self, at: Instant) -> Duration {
        let opened = self.table.partition_point(|entry| entry.open <= at);
        let Some(entry) = opened.checked_sub(1).map(|last| &self.table[last]) else { return Duration::ZERO };
        let before = Duration::from_secs(entry.before_secs.into());
        if opened == self.table.len() {
            return before;
        }
        let until = Range::new(entry.open, at);
        before + entry.session().parts().map(|part| part.intersect(until).length()).sum::<Duration>()
    }
}

/// A date and the days before it, as far as we look.
fn days_back(from: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(from), |date| date.yesterday().ok()).take(LOOK_DAYS)
}

/// A date and the days after it, as far as we look.
fn days_on(from: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(from), |date| date.tomorrow().ok()).take(LOOK_DAYS)
}
