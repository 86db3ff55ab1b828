//! The record of one instrument: its days, the minutes of a day, its corporate actions.

use std::collections::BTreeMap;
use std::ops;
use std::sync::Arc;
use std::time::Duration;

use domain::calendar::TradingSession;
use domain::{CorporateAction, Date, Instant, Instrument, Range};

use super::candle::{Candle, Minute, Places};
use super::dice::Dice;
use super::hours::{self, Hours};
use super::synthetic::Walk;

/// One session of one instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) session: TradingSession,
    pub(crate) candle: Candle,
}

/// The record of one instrument.
pub(crate) struct Tape {
    pub(crate) instrument: Instrument,
    /// The name a recording uses, which may have changed since.
    pub(crate) recorded_as: Option<Arc<str>>,
    pub(crate) places: Places,
    pub(crate) dice: Dice,
    pub(crate) source: Source,
}

/// Where its prices come from.
pub(crate) enum Source {
    /// A recording of daily bars; minutes are drawn inside them.
    Days { days: BTreeMap<Date, Candle>, actions: Vec<CorporateAction> },
    /// A recording of minutes.
    Minutes { minutes: Vec<Minute>, days: BTreeMap<Date, RecordedDay> },
    /// A random walk.
    Walk(Walk),
}

/// Where one date's minutes stand in a recording, and the candle of its regular hours.
pub(crate) struct RecordedDay {
    pub(crate) session: TradingSession,
    pub(crate) regular: Option<Candle>,
    pub(crate) minutes: ops::Range<usize>,
}

/// Sessions are looked for so far back or ahead before the whole record is searched.
const NEAR: Duration = Duration::from_secs(20 * 86_400);
const DAY: Duration = Duration::from_secs(86_400);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

impl Tape {
    /// Sessions whose hours meet the range, ascending.
    pub(crate) fn days(&self, hours: Hours<'_>, range: Range) -> Vec<Day> {
        let range = range.intersect(self.reach());
        if range.is_empty() {
            return Vec::new();
        }
        let meets = |day: &Day| !day.session.hours.intersect(range).is_empty();
        let first = (range.start - DAY - DAY).utc_date();
        let last = (range.end + DAY).utc_date();
        match &self.source {
            Source::Days { days, .. } => days
                .range(first..=last)
                .map(|(date, candle)| Day {
                    session: hours.session_on(*date).unwrap_or_else(|| hours::utc_day(*date)),
                    candle: *candle,
                })
                .filter(meets)
                .collect(),
            Source::Minutes { days, .. } => days
                .range(first..=last)
                .filter_map(|(_, day)| Some(Day { session: day.session, candle: day.regular? }))
                .filter(meets)
                .collect(),
            Source::Walk(walk) => {
                hours.sessions(range).into_iter().map(|session| walk.day(session)).collect()
            }
        }
    }

    /// The newest session that had opened at `now`, the one before it, and until when that stays so.
    pub(crate) fn day_at(&self, hours: Hours<'_>, now: Instant) -> Option<(Day, Option<Day>, Instant)> {
        let just_after = now + Duration::from_nanos(1);
        let mut past = self.days(hours, Range::new(now - NEAR, just_after));
        if past.len() < 2 && !matches!(self.source, Source::Walk(_)) {
            past = self.days(hours, Range::new(Instant::MIN, just_after));
        }
        let day = past.pop()?;
        let horizon = now + NEAR;
        let following = self.days(hours, Range::new(day.session.hours.end.max(just_after), horizon));
        let until = following.first().map_or(horizon, |next| next.session.hours.start);
        Some((day, past.pop(), until))
    }

    /// Minutes of a session's regular hours that saw a trade, ascending.
    pub(crate) fn minutes(&self, day: &Day) -> Vec<Minute> {
        match &self.source {
            Source::Minutes { .. } => {
                let mut minutes = self.recorded_minutes(day.session.date).to_vec();
                minutes.retain(|minute| is_regular(&day.session, minute.start));
                minutes
            }
            Source::Days { .. } => self.drawn_minutes(day, None),
            Source::Walk(walk) => self.drawn_minutes(day, walk.halt(&day.session)),
        }
    }

    /// Minutes of a date with those before and after regular hours, where the recording has them.
    pub(crate) fn extended_minutes(&self, date: Date) -> Option<&[Minute]> {
        matches!(self.source, Source::Minutes { .. }).then(|| self.recorded_minutes(date))
    }

    /// Dates of a minute recording that meet a range, whether or not regular hours saw a trade.
    pub(crate) fn recorded_dates(&self, range: Range) -> Vec<TradingSession> {
        let Source::Minutes { days, .. } = &self.source else { return Vec::new() };
        let range = range.intersect(self.reach());
        let (first, last) = ((range.start - DAY).utc_date(), (range.end + DAY).utc_date());
        if range.is_empty() {
            return Vec::new();
        }
        days.range(first..=last).map(|(_, day)| day.session).collect()
    }

    fn recorded_minutes(&self, date: Date) -> &[Minute] {
        match &self.source {
            Source::Minutes { minutes, days } => {
                days.get(&date).map_or(&[], |day| &minutes[day.minutes.clone()])
            }
            Source::Days { .. } | Source::Walk(_) => &[],
        }
    }

    fn drawn_minutes(&self, day: &Day, halt: Option<Range>) -> Vec<Minute> {
        let mut starts = Vec::new();
        for segment in hours::segments(&day.session) {
            let mut at = segment.start;
            while at < segment.end {
                if !halt.is_some_and(|halt| halt.contains(at)) {
                    starts.push(at);
                }
                at += MINUTE;
            }
        }
        let dice = self.dice.at(11).at(day_bits(day.session.date));
        let weights: Vec<f64> = (0..starts.len())
            .map(|i| {
                // Volume is heaviest at both ends of the session, by about three to one.
                let middle = 2.0 * i as f64 / starts.len() as f64 - 1.0;
                (1.0 + 2.0 * middle * middle) * (0.5 + dice.at(9).at(i as u64).unit())
            })
            .collect();
        let parts = day.candle.divide(&weights, dice);
        starts.into_iter().zip(parts).map(|(start, candle)| Minute { start, candle }).collect()
    }

    /// Throws for the prints of one minute.
    pub(crate) fn minute_dice(&self, start: Instant) -> Dice {
        self.dice.at(13).at(start.as_secs().cast_unsigned())
    }

    /// All corporate actions, ascending by ex-date.
    pub(crate) fn actions(&self, hours: Hours<'_>) -> &[CorporateAction] {
        match &self.source {
            Source::Days { actions, .. } => actions,
            Source::Minutes { .. } => &[],
            Source::Walk(walk) => walk.actions(hours, self.places, &self.instrument.id),
        }
    }

    /// First and last instant the record can speak of.
    pub(crate) fn reach(&self) -> Range {
        let around = |first: Option<&Date>, last: Option<&Date>| match (first, last) {
            (Some(first), Some(last)) => Range::new(
                Instant::from_utc_midnight(*first) - DAY,
                Instant::from_utc_midnight(*last) + DAY + DAY,
            ),
            _ => Range::new(Instant::EPOCH, Instant::EPOCH),
        };
        match &self.source {
            Source::Days { days, .. } => around(days.keys().next(), days.keys().next_back()),
            Source::Minutes { days, .. } => around(days.keys().next(), days.keys().next_back()),
            Source::Walk(walk) => walk.reach(),
        }
    }
}

/// Whether a minute lies inside regular hours.
pub(crate) fn is_regular(session: &TradingSession, start: Instant) -> bool {
    hours::segments(session).any(|segment| segment.contains(start))
}

fn day_bits(date: Date) -> u64 {
    hours::day_number(date).cast_unsigned()
}
