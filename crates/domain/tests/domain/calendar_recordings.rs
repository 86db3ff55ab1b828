//! SYM-8: the built-in calendars repeat every recorded session, and the records of New York's exceptions.

use std::io::Read;
use std::path::Path;

use domain::calendar::TradingSession;
use domain::{Calendar, Calendars, Date, Instant, Range, Venue};

fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

fn new_york(calendars: &Calendars) -> &Calendar {
    calendars.of(Venue::literal("XNYS")).expect("New York has a calendar")
}

/// Reads `2026-01-05T14:30:00Z`, of which there are a million here; `None` for the empty text.
fn stamp(text: &str, near: Date) -> Option<Instant> {
    let number = |digits: &str| digits.parse::<u64>().expect("digits");
    let (day, time) = text.split_once('T')?;
    let same = near.day() == day[8..].parse::<i8>().expect("a day");
    let day = if same { near } else { date(day) };
    let minutes = number(&time[..2]) * 60 + number(&time[3..5]);
    assert_eq!(&time[5..], ":00Z");
    Some(Instant::from_utc_midnight(day) + std::time::Duration::from_secs(minutes * 60))
}

/// The sessions of one recorded file.
fn recorded(path: &Path) -> Vec<TradingSession> {
    let file = std::fs::File::open(path).expect("the recording opens");
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("the recording unpacks");
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let sessions = rows.records().map(|row| {
        let row = row.expect("a row");
        let day = date(&row[0]);
        let at = |column: usize| stamp(&row[column], day);
        let range = |a, b| Some(Range::new(at(a)?, at(b)?));
        TradingSession { date: day, hours: range(1, 2).expect("open and close"), pause: range(3, 4) }
    });
    sessions.collect()
}

#[test]
fn every_recorded_session_of_thirty_markets_is_known_and_no_other() {
    let test = "sessions of thirty markets";
    let Some(index) = test_data::find(test, "data/calendars/index.csv") else { return };
    let Some(folder) = test_data::find(test, "data/calendars/sessions") else { return };
    let calendars = Calendars::built_in();
    let mut rows = csv::Reader::from_path(index).expect("the index opens");
    let mut markets = 0;
    for row in rows.records() {
        let row = row.expect("a row");
        let expected = recorded(&folder.join(format!("{}.csv.gz", &row[0])));
        assert_eq!(expected.len().to_string(), row[5], "{}", &row[0]);
        let venue = Venue::new(&row[1]).expect("a venue");
        let calendar = calendars.of(venue).unwrap_or_else(|| panic!("{venue} has no calendar"));
        let (first, last) = (date(&row[3]), date(&row[4]));
        assert!(
            calendar.covers().0 <= first && last <= calendar.covers().1,
            "{venue} covers {first} to {last}"
        );
        // By date, day for day: the recorded sessions and none between them.
        let mut left = expected.iter();
        for day in first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last) {
            let session = calendar.session_on(day);
            if let Some(session) = session {
                assert_eq!(Some(&session), left.next(), "{venue} {day}");
            }
        }
        assert_eq!(left.next(), None, "{venue}");
        // By instant.
        let span = Range::new(expected[0].hours.start, expected[expected.len() - 1].hours.end);
        assert_eq!(calendar.sessions(span), expected, "{venue}");
        markets += 1;
    }
    assert_eq!(markets, 30);
}

#[test]
fn every_recorded_short_or_late_session_of_new_york_is_known_and_no_other() {
    let path = "data/calendars/xnys_short_or_late_sessions.csv";
    let Some(path) = test_data::find("short sessions of New York", path) else { return };
    let mut rows = csv::Reader::from_path(path).expect("the file opens");
    let zone = jiff::tz::TimeZone::get("America/New_York").expect("a bundled zone");
    let local = |at: Instant| zone.to_datetime(at.to_timestamp()).strftime("%H:%M").to_string();
    let calendars = Calendars::built_in();
    let calendar = new_york(&calendars);
    let expected: Vec<[String; 3]> =
        rows.records().map(|row| row.map(|r| [0, 1, 2].map(|at| r[at].to_owned())).expect("a row")).collect();
    assert_eq!(expected.len(), 69);
    let last = date(&expected[expected.len() - 1][0]);
    let days = date("1990-01-01").series(jiff::Span::new().days(1)).take_while(|day| *day <= last);
    let found: Vec<[String; 3]> = days
        .filter_map(|day| calendar.session_on(day))
        .map(|s| [s.date.to_string(), local(s.hours.start), local(s.hours.end)])
        .filter(|[_, open, close]| (open.as_str(), close.as_str()) != ("09:30", "16:00"))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn every_recorded_closure_of_new_york_since_1990_is_known_and_no_other() {
    let path = "data/calendars/nyse_full_day_closures_1928_2021.csv";
    let Some(path) = test_data::find("closures of New York", path) else { return };
    let mut rows = csv::Reader::from_path(path).expect("the file opens");
    let closures = rows.records().map(|row| date(&row.expect("a row")[0]));
    let expected: Vec<Date> = closures.filter(|day| day.year() >= 1990).collect();
    assert_eq!(
        expected.len(),
        283,
        "282 between the recorded sessions, and New Year's Day of 1990 before them"
    );
    let calendars = Calendars::built_in();
    let calendar = new_york(&calendars);
    let last = expected[expected.len() - 1];
    let days = date("1990-01-01").series(jiff::Span::new().days(1)).take_while(|day| *day <= last);
    let weekdays = days.filter(|day| day.weekday().to_monday_zero_offset() < 5);
    let found: Vec<Date> = weekdays.filter(|day| calendar.session_on(*day).is_none()).collect();
    assert_eq!(found, expected);
}
