//! Reads a calendar from text; [`Calendar::parse`] tells the form.

use std::collections::BTreeMap;
use std::fmt;

use jiff::tz::TimeZone;

use super::week::{Clock, DAY, Hours, Week};
use super::{Calendar, Entry, Extended};
use crate::{Date, Instant, Venue};

/// Days covered if the text does not say.
const COVERS: (Date, Date) = (Date::constant(2000, 1, 1), Date::constant(2035, 12, 31));
/// Days that may be covered: 120 years around the clock are as many seconds as a table counts.
const COVERABLE: (Date, Date) = (Date::constant(1950, 1, 1), Date::constant(2069, 12, 31));
/// Names of the days, Monday first.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// What is wrong with the text of a calendar: every problem, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarError {
    /// Line (from 1) and problem, in the order of the lines.
    pub problems: Vec<(usize, String)>,
}

impl fmt::Display for CalendarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (line, problem)) in self.problems.iter().enumerate() {
            write!(f, "{}line {line}: {problem}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for CalendarError {}

/// Facts read so far, in the order of the lines.
#[derive(Default)]
struct Facts {
    name: Option<(Venue, TimeZone)>,
    also: Vec<Venue>,
    covers: Option<(Date, Date)>,
    extended: Option<Extended>,
    weekly: Vec<Weekly>,
    /// Hours of single days, `None` for closed, with the line that says so.
    days: BTreeMap<Date, (usize, Option<Hours>)>,
}

/// An `hours` line.
struct Weekly {
    /// From which day; the first of all days if the line does not say.
    from: Date,
    on: [bool; 7],
    hours: Option<Hours>,
}

pub(super) fn parse(text: &str) -> Result<Calendar, CalendarError> {
    let mut facts = Facts::default();
    let mut problems = Vec::new();
    let mut last_line = 1;
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        if let Err(problem) = facts.read(at + 1, &words) {
            problems.push((at + 1, problem));
        }
        last_line = at + 1;
    }
    if problems.is_empty() {
        match facts.calendar(last_line) {
            Ok(calendar) => return Ok(calendar),
            Err(found) => problems = found,
        }
    } else if facts.name.is_none() && !problems.iter().any(|(_, p)| p.contains("`calendar ")) {
        problems.push((1, "no venue: write `calendar XTKS Asia/Tokyo`".to_owned()));
    }
    problems.sort_by_key(|(line, _)| *line);
    Err(CalendarError { problems })
}

impl Facts {
    fn read(&mut self, line: usize, words: &[&str]) -> Result<(), String> {
        match words {
            [] => Ok(()),
            ["calendar", rest @ ..] => self.read_name(rest),
            ["also", rest @ ..] => self.read_also(rest),
            ["covers", first, last] => {
                let (first, last) = (date(first)?, date(last)?);
                if first > last || first < COVERABLE.0 || COVERABLE.1 < last {
                    return Err(format!(
                        "covers {first} {last}: write the first day, then the last, from {} to {}",
                        COVERABLE.0, COVERABLE.1
                    ));
                }
                self.covers = Some((first, last));
                Ok(())
            }
            ["extended", span, rest @ ..] if rest.len() <= 1 => {
                let (start, end) = span_of(span)?;
                let short_end = rest.first().map_or(Ok(end), |text| minute(text))?;
                if start >= end || short_end <= start || short_end > end {
                    return Err(format!(
                        "extended {span} {}: write first and last minute of a day, `04:00-20:00`, and the last \
                         on short days, not later: `17:00`",
                        rest.first().unwrap_or(&"")
                    ));
                }
                self.extended = Some(Extended { start, end, short_end });
                Ok(())
            }
            ["hours", rest @ ..] => self.read_hours(rest),
            ["closed", days @ ..] => self.read_days(line, None, days),
            ["special", span, "break", pause, days @ ..] => {
                self.read_days(line, Some(hours(span, Some(pause))?), days)
            }
            ["special", span, days @ ..] => self.read_days(line, Some(hours(span, None)?), days),
            [word, ..] => Err(format!(
                "`{word}` with {} more words: write calendar, also, covers, extended, hours, closed or special, \
                 as in `closed 2026 01-01 12-25`",
                words.len() - 1
            )),
        }
    }

    fn read_name(&mut self, words: &[&str]) -> Result<(), String> {
        let example = "write a venue of 1 to 12 characters and an IANA time zone: `calendar XTKS Asia/Tokyo`";
        let [name, zone] = words else { return Err(format!("`calendar {}`: {example}", words.join(" "))) };
        if self.name.is_some() {
            return Err(format!("`calendar {name} {zone}`: one text holds one calendar, split it"));
        }
        let venue = Venue::new(name).ok_or_else(|| format!("`calendar {name}`: {example}"))?;
        // The zones that come with the program, so that no machine's own make a difference.
        let zone = jiff::tz::TimeZoneDatabase::bundled()
            .get(zone)
            .map_err(|_| format!("`calendar {name} {zone}`: no such time zone; {example}"))?;
        self.name = Some((venue, zone));
        Ok(())
    }

    fn read_also(&mut self, words: &[&str]) -> Result<(), String> {
        for word in words {
            let venue = Venue::new(word).ok_or_else(|| {
                format!("`also {word}`: write venues of 1 to 12 characters: `also XNAS ARCX`")
            })?;
            self.also.push(venue);
        }
        Ok(())
    }

    fn read_hours(&mut self, words: &[&str]) -> Result<(), String> {
        let (from, words) = match words {
            [first, rest @ ..] if first.starts_with(|c: char| c.is_ascii_digit()) => (date(first)?, rest),
            _ => (Date::MIN, words),
        };
        let (days, hours) = match words {
            [days, "closed"] => (days, None),
            [days, span] => (days, Some(hours(span, None)?)),
            [days, span, "break", pause] => (days, Some(hours(span, Some(pause))?)),
            _ => {
                return Err(format!(
                    "`hours {}`: write `hours mon-fri 09:30-16:00`, with a first day before the weekdays or \
                     `break 12:00-13:00` at the end if need be",
                    words.join(" ")
                ));
            }
        };
        self.weekly.push(Weekly { from, on: weekdays(days)?, hours });
        Ok(())
    }

    /// `2026 01-01 12-25 2027 01-01`, and whole dates too.
    fn read_days(&mut self, line: usize, hours: Option<Hours>, words: &[&str]) -> Result<(), String> {
        let mut year = None;
        let mut problems = Vec::new();
        let mut count = 0;
        for word in words {
            if word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit()) {
                year = Some(word);
                continue;
            }
            let read = match year {
                Some(year) if word.len() == 5 => date(&format!("{year}-{word}")),
                _ => date(word),
            };
            match read {
                Ok(date) => {
                    count += 1;
                    if let Some((other, _)) = self.days.insert(date, (line, hours)) {
                        problems.push(format!("{date} is told already in line {other}: tell each day once"));
                    }
                }
                Err(problem) => problems.push(problem),
            }
        }
        if count == 0 && problems.is_empty() {
            problems.push("no days: write a year and its days, `2026 01-01 12-25`".to_owned());
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }

    /// The calendar these facts make.
    fn calendar(mut self, last_line: usize) -> Result<Calendar, Vec<(usize, String)>> {
        let Some((venue, zone)) = self.name.take() else {
            return Err(vec![(1, "no venue: write `calendar XTKS Asia/Tokyo`".to_owned())]);
        };
        let mut problems = Vec::new();
        let told = || self.days.keys().copied();
        let covers = self.covers.unwrap_or_else(|| {
            (
                told().next().map_or(COVERS.0, |d| d.min(COVERS.0)),
                told().last().map_or(COVERS.1, |d| d.max(COVERS.1)),
            )
        });
        for (date, (line, _)) in self.days.iter().filter(|(d, _)| **d < covers.0 || covers.1 < **d) {
            let (first, last) = covers;
            problems.push((*line, format!("{date} is outside `covers {first} {last}`: widen it")));
        }
        if covers.0 < COVERABLE.0 || COVERABLE.1 < covers.1 {
            let (first, last) = COVERABLE;
            problems.push((
                1,
                format!("days from {} to {} are told: keep to {first} to {last}", covers.0, covers.1),
            ));
        }
        if !self.weekly.iter().any(|weekly| weekly.hours.is_some()) {
            problems.push((last_line, "no hours: write `hours mon-fri 09:30-16:00`".to_owned()));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let weeks = self.weeks();
        let mut calendar = Calendar {
            venue,
            also: self.also,
            zone,
            weeks,
            extended: self.extended,
            covers,
            table: Vec::new(),
        };
        let mut date = covers.0;
        let mut day = Instant::from_utc_midnight(date).as_secs() / 86_400;
        let zone = calendar.zone.clone();
        let mut clock = Clock::of(&zone);
        let mut before: Option<(Entry, Date)> = None;
        while date <= covers.1 {
            let told = self.days.get(&date);
            let hours = told.map_or_else(|| calendar.week_of(date).hours_on(date), |(_, hours)| *hours);
            if let Some(session) =
                hours.and_then(|h| h.session_by(date, |minute| clock.at_minute(day, date, minute)))
            {
                let sum = before.map_or(0, |(b, _)| b.before_secs + b.open_secs());
                if let Some((_, earlier)) =
                    before.filter(|(b, _)| b.session().hours.end > session.hours.start)
                {
                    let line = told.map_or(last_line, |(line, _)| *line);
                    let problem = format!("the session of {date} opens before that of {earlier} has closed");
                    return Err(vec![(line, problem)]);
                }
                let entry = Entry::new(&session, sum);
                calendar.table.push(entry);
                before = Some((entry, date));
            }
            day += 1;
            date = date.tomorrow().expect("covered days end long before the calendar does");
        }
        if calendar.table.is_empty() {
            let (first, last) = covers;
            return Err(vec![(
                last_line,
                format!("no session from {first} to {last}: widen `covers`, or the hours"),
            )]);
        }
        calendar.table.shrink_to_fit();
        Ok(calendar)
    }

    /// The weekly hours and from when each holds, ascending; a later line wins over an earlier one.
    fn weeks(&self) -> Vec<Week> {
        let mut starts: Vec<Date> = self.weekly.iter().map(|weekly| weekly.from).collect();
        starts.sort_unstable();
        starts.dedup();
        let week_from = |from: Date| {
            let mut held: Vec<&Weekly> = self.weekly.iter().filter(|weekly| weekly.from <= from).collect();
            held.sort_by_key(|weekly| weekly.from);
            let mut days = [None; 7];
            for weekly in held {
                for (day, _) in days.iter_mut().zip(weekly.on).filter(|(_, on)| *on) {
                    *day = weekly.hours;
                }
            }
            Week { from, days }
        };
        starts.into_iter().map(week_from).collect()
    }
}

fn date(text: &str) -> Result<Date, String> {
    text.parse::<Date>()
        .ok()
        .filter(|_| text.len() == 10)
        .ok_or_else(|| format!("`{text}` is no date: write `2026-12-25`, or `12-25` after its year"))
}

fn minute(text: &str) -> Result<i32, String> {
    let digits = |part: &str| -> Option<i32> {
        part.bytes().all(|b| b.is_ascii_digit()).then_some(())?;
        part.parse().ok().filter(|_| part.len() == 2)
    };
    let read = text.split_once(':').and_then(|(hour, minute)| Some((digits(hour)?, digits(minute)?)));
    read.filter(|(hour, minute)| *minute < 60 && hour * 60 + minute <= DAY)
        .map(|(hour, minute)| hour * 60 + minute)
        .ok_or_else(|| format!("`{text}` is no time: write `09:30`, up to `24:00`"))
}

fn span_of(text: &str) -> Result<(i32, i32), String> {
    let (start, end) =
        text.split_once('-').ok_or_else(|| format!("`{text}` is no span of hours: write `09:30-16:00`"))?;
    Ok((minute(start)?, minute(end)?))
}

fn hours(span: &str, pause: Option<&str>) -> Result<Hours, String> {
    let (open, close) = span_of(span)?;
    if open == DAY || close == 0 {
        return Err(format!("`{span}`: write `00:00` for the start of a day and `24:00` for its end"));
    }
    let open = if open >= close { open - DAY } else { open };
    let pause = match pause {
        None => None,
        Some(text) => {
            let (from, to) = span_of(text)?;
            if !(open < from && from < to && to < close) {
                return Err(format!("`break {text}`: write a break inside `{span}`"));
            }
            Some((from, to))
        }
    };
    Ok(Hours { open, close, pause })
}

/// `mon`, `mon-fri`, `sat-wed`, `mon,wed`.
fn weekdays(text: &str) -> Result<[bool; 7], String> {
    let problem = || format!("`{text}` are no weekdays: write `mon-fri`, `sun-thu` or `mon,wed`");
    let index =
        |name: &str| DAYS.iter().position(|day| *day == name.to_ascii_lowercase()).ok_or_else(problem);
    let mut on = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (index(first)?, index(last)?);
        let mut day = first;
        on[day] = true;
        while day != last {
            day = (day + 1) % 7;
            on[day] = true;
        }
    }
    Ok(on)
}
