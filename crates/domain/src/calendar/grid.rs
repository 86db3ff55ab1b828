//! The grid of bars that sessions and an interval make.

use std::time::Duration;

use super::{Calendar, TradingSession};
use crate::{Date, Instant, Interval, Range};

impl Calendar {
    /// Starts of the bars expected in a range, ascending, on the grid of session and interval: intraday
    /// grids count from each session's open (and again after a break); a day starts at its session's open;
    /// a week (Monday to Sunday of trading dates) at the open of its first session, a month likewise.
    pub fn expected_starts(&self, interval: Interval, range: Range) -> Vec<Instant> {
        let sessions = self.sessions(range);
        let mut starts = Vec::new();
        if let Some(step) = interval.fixed_length() {
            for part in sessions.iter().flat_map(TradingSession::parts) {
                let inside = part.intersect(range);
                let mut start = window_in(part, step, inside.start).start;
                while start < inside.end {
                    if start >= range.start {
                        starts.push(start);
                    }
                    start += step;
                }
            }
            return starts;
        }
        let mut before = sessions.first().and_then(|first| self.session_before(first));
        for session in sessions {
            let begins = before.is_none_or(|b| period(interval, b.date) != period(interval, session.date));
            if begins && range.contains(session.hours.start) {
                starts.push(session.hours.start);
            }
            before = Some(session);
        }
        starts
    }

    /// The window of the bar that contains an instant; `None` outside sessions.
    ///
    /// A window within a day ends with the session (or at its break) if that comes first. A day's is its
    /// session, break included; a week's and a month's run from their first session's open to their last
    /// one's close, nights and holidays between them included.
    pub fn window_of(&self, interval: Interval, at: Instant) -> Option<Range> {
        if let Some(step) = interval.fixed_length() {
            let part = self.session_at(at)?.parts().find(|part| part.contains(at))?;
            return Some(window_in(part, step, at));
        }
        let session = self.session_until(at)?;
        let belongs = |other: &TradingSession| period(interval, other.date) == period(interval, session.date);
        let (mut first, mut last) = (session, session);
        while let Some(earlier) = self.session_before(&first).filter(belongs) {
            first = earlier;
        }
        while let Some(later) = self.session_after(last.hours.start).filter(belongs) {
            last = later;
        }
        Some(Range::new(first.hours.start, last.hours.end)).filter(|window| window.contains(at))
    }

    fn session_before(&self, session: &TradingSession) -> Option<TradingSession> {
        self.session_until(session.hours.start - Duration::from_nanos(1))
    }
}

/// The window of the grid that starts with `part` and contains `at`, cut off where the part ends.
fn window_in(part: Range, step: Duration, at: Instant) -> Range {
    let step_nanos = i64::try_from(step.as_nanos()).expect("a window within a day");
    let past = (at.as_nanos() - part.start.as_nanos()).div_euclid(step_nanos) * step_nanos;
    let start = Instant::from_nanos(part.start.as_nanos() + past);
    Range::new(start, (start + step).min(part.end))
}

/// The first calendar day of the day, week or month that holds a trading date.
fn period(interval: Interval, date: Date) -> Date {
    match interval {
        Interval::Mo1 => date.first_of_month(),
        Interval::W1 => {
            let days = i64::from(date.weekday().to_monday_zero_offset());
            date.checked_sub(jiff::Span::new().days(days)).unwrap_or(Date::MIN)
        }
        Interval::D1
        | Interval::S1
        | Interval::M1
        | Interval::M5
        | Interval::M15
        | Interval::M30
        | Interval::H1
        | Interval::H4 => date,
    }
}
