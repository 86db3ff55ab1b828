//! SYM-8: a calendar is replaceable by a text, and a text that is wrong is told so, wholly.

use domain::{Calendar, Calendars, Date, Instant, Venue};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

fn at(text: &str) -> Instant {
    Instant::parse(text).expect("an instant")
}

const HOME: &str = "
# A market of our own.
calendar HOME Europe/Vienna
also COTTAGE
extended 07:00-20:00 14:00
hours mon-thu 09:00-17:30 break 12:00-13:00
hours fri 09:00-15:00
hours 2026-03-02 wed closed   # wash day
hours 2026-03-01 sun 10:00-12:00
closed 2026 01-01 12-25 2027 01-01
special 09:00-12:00 2026 12-24
special 10:00-11:00 break 10:20-10:40 2026-12-31
special 22:00-06:00 2026 07-04
";

/// The hours of a day, and of the break, in UTC.
fn shown(calendar: &Calendar, day: &str) -> String {
    calendar.session_on(date(day)).map_or("closed".into(), |session| {
        let pause = session.pause.map_or(String::new(), |p| format!(" break {} {}", p.start, p.end));
        format!("{} {}{pause}", session.hours.start, session.hours.end)
    })
}

#[test]
fn a_text_states_weekly_hours_holidays_short_days_and_breaks() {
    let calendar = Calendar::parse(HOME).expect("the text is right");
    assert_eq!(calendar.venue(), Venue::literal("HOME"));
    assert_eq!(calendar.also(), [Venue::literal("COTTAGE")]);
    assert_eq!(calendar.zone_name(), "Europe/Vienna");
    assert_eq!(calendar.covers(), (date("2000-01-01"), date("2035-12-31")));
    for (day, expected) in [
        ("2026-01-01", "closed"),
        (
            "2026-01-05",
            "2026-01-05T08:00:00Z 2026-01-05T16:30:00Z break 2026-01-05T11:00:00Z 2026-01-05T12:00:00Z",
        ),
        ("2026-01-09", "2026-01-09T08:00:00Z 2026-01-09T14:00:00Z"),
        ("2026-01-11", "closed"),
        (
            "2026-02-25",
            "2026-02-25T08:00:00Z 2026-02-25T16:30:00Z break 2026-02-25T11:00:00Z 2026-02-25T12:00:00Z",
        ),
        ("2026-03-01", "2026-03-01T09:00:00Z 2026-03-01T11:00:00Z"),
        ("2026-03-04", "closed"),
        ("2026-12-24", "2026-12-24T08:00:00Z 2026-12-24T11:00:00Z"),
        (
            "2026-12-31",
            "2026-12-31T09:00:00Z 2026-12-31T10:00:00Z break 2026-12-31T09:20:00Z 2026-12-31T09:40:00Z",
        ),
        ("2026-07-04", "2026-07-03T20:00:00Z 2026-07-04T04:00:00Z"),
        ("2027-01-01", "closed"),
        // Beyond the table, by the weekly hours.
        (
            "2040-01-03",
            "2040-01-03T08:00:00Z 2040-01-03T16:30:00Z break 2040-01-03T11:00:00Z 2040-01-03T12:00:00Z",
        ),
        ("2040-01-04", "closed"),
        ("1980-01-04", "1980-01-04T08:00:00Z 1980-01-04T14:00:00Z"),
    ] {
        assert_eq!(shown(&calendar, day), expected, "{day}");
    }
    let last = |day| calendar.extended_hours(date(day)).map(|range| range.end);
    assert_eq!(last("2026-12-23"), None, "a Wednesday");
    assert_eq!(last("2026-12-22"), Some(at("2026-12-22T19:00:00Z")));
    assert_eq!(last("2026-12-24"), Some(at("2026-12-24T13:00:00Z")), "a short day");
}

#[test]
fn a_text_replaces_a_venue_and_those_that_follow_it_and_adds_new_ones() {
    let mut calendars = Calendars::built_in();
    let venue = Venue::literal;
    assert!(calendars.of(venue("HOME")).is_none());
    calendars.replace(Calendar::parse(HOME).expect("the text is right"));
    assert_eq!(calendars.of(venue("COTTAGE")).map(Calendar::zone_name), Some("Europe/Vienna"));
    let night = "calendar XNYS UTC\nhours mon-fri 01:00-02:00\n";
    calendars.replace(Calendar::parse(night).expect("the text is right"));
    for code in ["XNYS", "XNAS", "US"] {
        assert_eq!(calendars.of(venue(code)).map(Calendar::zone_name), Some("UTC"), "{code}");
    }
    let own = "calendar XNAS Asia/Tokyo\nhours mon-fri 01:00-02:00\n";
    calendars.replace(Calendar::parse(own).expect("the text is right"));
    assert_eq!(calendars.of(venue("XNAS")).map(Calendar::zone_name), Some("Asia/Tokyo"));
    assert_eq!(calendars.of(venue("ARCX")).map(Calendar::zone_name), Some("UTC"));
    assert!(calendars.venues().contains(&venue("COTTAGE")));
    let untouched = Calendars::built_in();
    assert_eq!(untouched.of(venue("XNAS")).map(Calendar::zone_name), Some("America/New_York"));
    assert!(Calendars::default().of(venue("XNYS")).is_none());
    assert!(Calendars::default().venues().is_empty());
}

#[test]
fn every_problem_of_a_text_is_told_with_its_line_and_what_would_be_right() {
    let text = "\
calendar HOME Nowhere/Land
also A_VENUE_WITH_TOO_LONG_A_NAME
covers 2026-12-31 2026-01-01
extended 20:00-04:00
hours mon-fry 09:00-17:00
hours mon-fri 9:00-17:00
hours mon-fri 09:00-25:00
hours mon-fri 09:00-17:00 break 08:00-10:00
hours mon-fri
closed 2026
closed 2026 02-30 13-01
closed 12-25
special 09:00 2026 01-02
opened 2026 01-02
hours mon-fri 24:00-09:00
";
    let refused = Calendar::parse(text).expect_err("a text full of problems");
    insta::assert_snapshot!(refused, @r"
    line 1: `calendar HOME Nowhere/Land`: no such time zone; write a venue of 1 to 12 characters and an IANA time zone: `calendar XTKS Asia/Tokyo`
    line 2: `also A_VENUE_WITH_TOO_LONG_A_NAME`: write venues of 1 to 12 characters: `also XNAS ARCX`
    line 3: covers 2026-12-31 2026-01-01: write the first day, then the last, from 1950-01-01 to 2069-12-31
    line 4: extended 20:00-04:00 : write first and last minute of a day, `04:00-20:00`, and the last on short days, not later: `17:00`
    line 5: `mon-fry` are no weekdays: write `mon-fri`, `sun-thu` or `mon,wed`
    line 6: `9:00` is no time: write `09:30`, up to `24:00`
    line 7: `25:00` is no time: write `09:30`, up to `24:00`
    line 8: `break 08:00-10:00`: write a break inside `09:00-17:00`
    line 9: `hours mon-fri`: write `hours mon-fri 09:30-16:00`, with a first day before the weekdays or `break 12:00-13:00` at the end if need be
    line 10: no days: write a year and its days, `2026 01-01 12-25`
    line 11: `2026-02-30` is no date: write `2026-12-25`, or `12-25` after its year; `2026-13-01` is no date: write `2026-12-25`, or `12-25` after its year
    line 12: `12-25` is no date: write `2026-12-25`, or `12-25` after its year
    line 13: `09:00` is no span of hours: write `09:30-16:00`
    line 14: `opened` with 2 more words: write calendar, also, covers, extended, hours, closed or special, as in `closed 2026 01-01 12-25`
    line 15: `24:00-09:00`: write `00:00` for the start of a day and `24:00` for its end
    ");
}

#[test]
fn a_text_that_contradicts_itself_is_refused() {
    for (text, expected) in [
        ("", "line 1: no venue"),
        ("hours mon-fri 09:00-17:00", "no venue"),
        ("calendar A UTC", "no hours"),
        ("calendar A UTC\nhours mon-fri closed", "no hours"),
        ("calendar A UTC\ncalendar B UTC\nhours mon 09:00-10:00", "line 2"),
        (
            "calendar A UTC\nhours mon 09:00-10:00\nclosed 2026 01-05\nspecial 09:00-09:30 2026 01-05",
            "line 4",
        ),
        ("calendar A UTC\ncovers 2026-01-01 2026-12-31\nhours mon 09:00-10:00\nclosed 2027 01-04", "line 4"),
        ("calendar A UTC\ncovers 1900-01-01 2026-12-31\nhours mon 09:00-10:00", "line 2"),
        ("calendar A UTC\nhours mon 09:00-10:00\nclosed 1900 01-04", "keep to"),
        (
            "calendar A UTC\nhours mon-fri 08:00-24:00\nspecial 22:00-10:00 2026 01-06",
            "line 3: the session of 2026-01-06",
        ),
        ("calendar A UTC\ncovers 2026-01-06 2026-01-06\nhours mon 09:00-10:00", "no session"),
    ] {
        match Calendar::parse(text) {
            Ok(calendar) => assert_eq!(format!("{calendar:?}"), "a refusal", "{text}"),
            Err(error) => assert!(error.to_string().contains(expected), "{text}\n{error}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_text_is_a_calendar_or_refused_but_never_fatal(
        lines in prop::collection::vec(
            "(calendar|also|covers|extended|hours|closed|special|#)( [0-9a-zA-Z:/,-]{0,12}){0,4}", 0..8
        )
    ) {
        if let Err(refused) = Calendar::parse(&lines.join("\n")) {
            prop_assert!(!refused.problems.is_empty());
        }
    }
}
