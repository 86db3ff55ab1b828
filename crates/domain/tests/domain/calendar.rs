//! SYM-8: the built-in calendars through clock changes, half days, lunch breaks, nights and holidays.

use std::sync::LazyLock;
use std::time::Duration;

use domain::calendar::TradingSession;
use domain::{Calendar, Calendars, Instant, Interval, MarketPhase, Range, Venue};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn at(text: &str) -> Instant {
    Instant::parse(text).expect("an instant")
}

static BUILT_IN: LazyLock<Calendars> = LazyLock::new(Calendars::built_in);

fn of(venue: &str) -> &'static Calendar {
    BUILT_IN.of(Venue::new(venue).expect("a code")).unwrap_or_else(|| panic!("{venue} has no calendar"))
}

fn range(from: &str, to: &str) -> Range {
    Range::new(at(from), at(to))
}

/// The starts of a grid, one a line.
fn grid(venue: &str, interval: Interval, from: &str, to: &str) -> String {
    let starts = of(venue).expected_starts(interval, range(from, to));
    starts.iter().map(|start| format!("{start}\n")).collect()
}

#[test]
fn every_built_in_calendar_reads_and_covers_this_decade_or_what_its_source_knows() {
    let calendars = Calendars::built_in();
    let venues = calendars.venues();
    assert!(venues.len() > 120, "{} venues", venues.len());
    for venue in venues {
        let calendar = calendars.of(venue).expect("a listed venue has a calendar");
        assert!(calendar.covers().0.year() <= 2021, "{venue}");
        assert!(calendar.covers().1.year() >= 2026, "{venue}");
    }
}

#[test]
fn venues_with_one_schedule_share_one_calendar_and_an_unknown_one_has_none() {
    let calendars = Calendars::built_in();
    for (venue, owner) in [
        ("US", "XNYS"),
        ("XNAS", "XNYS"),
        ("ARCX", "XNYS"),
        ("BATS", "XNYS"),
        ("XASE", "XNYS"),
        ("IEXG", "XNYS"),
        ("OOTC", "XNYS"),
        ("PINX", "XNYS"),
        ("INDEX", "XNYS"),
        ("FX", "24/5"),
        ("CRYPTO", "24/7"),
        ("BINANCE", "24/7"),
        ("BYBIT", "24/7"),
        ("COINBASE", "24/7"),
        ("KRAKEN", "24/7"),
        ("OKX", "24/7"),
        ("CME", "CMES"),
        ("ICE", "IEPA"),
    ] {
        let calendar = calendars.of(Venue::literal(venue)).map(|c| c.venue());
        assert_eq!(calendar, Some(Venue::literal(owner)), "{venue}");
    }
    assert!(calendars.of(Venue::literal("NOWHERE")).is_none());
}

#[test]
fn every_venue_of_the_united_states_and_of_coins_has_a_calendar() {
    let calendars = Calendars::built_in();
    for venue in domain::venue_suffix::united_states().chain(domain::venue_suffix::crypto_venues()) {
        let zone = calendars.of(venue).map(|calendar| calendar.zone_name().to_owned());
        assert!(matches!(zone.as_deref(), Some("America/New_York" | "UTC")), "{venue} {zone:?}");
    }
}

#[test]
fn the_phase_of_new_york_s_day_follows_its_clock() {
    let calendar = of("XNAS");
    for (text, expected) in [
        ("2026-01-05T08:59:59Z", MarketPhase::Closed),
        ("2026-01-05T09:00:00Z", MarketPhase::PreMarket),
        ("2026-01-05T14:29:59.999999999Z", MarketPhase::PreMarket),
        ("2026-01-05T14:30:00Z", MarketPhase::Open),
        ("2026-01-05T20:59:59.999999999Z", MarketPhase::Open),
        ("2026-01-05T21:00:00Z", MarketPhase::AfterHours),
        ("2026-01-06T00:59:59Z", MarketPhase::AfterHours),
        ("2026-01-06T01:00:00Z", MarketPhase::Closed),
        // Summer time.
        ("2026-07-06T08:00:00Z", MarketPhase::PreMarket),
        ("2026-07-06T13:30:00Z", MarketPhase::Open),
        ("2026-07-06T20:00:00Z", MarketPhase::AfterHours),
        // The day after Thanksgiving: 13:00, and after-hours trading until 17:00.
        ("2026-11-27T17:59:59Z", MarketPhase::Open),
        ("2026-11-27T18:00:00Z", MarketPhase::AfterHours),
        ("2026-11-27T22:00:00Z", MarketPhase::Closed),
        // A holiday and a Saturday.
        ("2026-12-25T15:00:00Z", MarketPhase::Closed),
        ("2026-01-10T15:00:00Z", MarketPhase::Closed),
    ] {
        assert_eq!(calendar.phase(at(text)), expected, "{text}");
        assert_eq!(calendar.is_open(at(text)), expected == MarketPhase::Open, "{text}");
    }
    let tokyo = of("XTKS");
    assert_eq!(tokyo.phase(at("2026-01-05T02:29:59Z")), MarketPhase::Open);
    assert_eq!(tokyo.phase(at("2026-01-05T02:30:00Z")), MarketPhase::Break);
    assert_eq!(tokyo.phase(at("2026-01-05T03:30:00Z")), MarketPhase::Open);
    assert_eq!(tokyo.phase(at("2026-01-05T08:00:00Z")), MarketPhase::Closed, "no extended hours known");
}

#[test]
fn the_market_was_last_open_when_the_session_ended_before() {
    let calendar = of("XNYS");
    for (text, expected) in [
        ("2026-01-05T15:00:00Z", "2026-01-05T15:00:00Z"),
        ("2026-01-05T21:00:00Z", "2026-01-05T21:00:00Z"),
        ("2026-01-05T23:00:00Z", "2026-01-05T21:00:00Z"),
        // Sunday night, and the Monday of Martin Luther King.
        ("2026-01-18T23:00:00Z", "2026-01-16T21:00:00Z"),
        ("2026-01-19T18:00:00Z", "2026-01-16T21:00:00Z"),
        ("2026-11-28T12:00:00Z", "2026-11-27T18:00:00Z"),
        // Beyond the table.
        ("2040-01-01T12:00:00Z", "2039-12-30T21:00:00Z"),
        ("1980-01-06T12:00:00Z", "1980-01-04T21:00:00Z"),
    ] {
        assert_eq!(calendar.last_open_instant(at(text)), at(expected), "{text}");
    }
    assert_eq!(of("XTKS").last_open_instant(at("2026-01-05T03:00:00Z")), at("2026-01-05T02:30:00Z"));
    assert_eq!(of("BINANCE").last_open_instant(at("2026-01-04T00:00:00Z")), at("2026-01-04T00:00:00Z"));
    assert_eq!(of("FX").last_open_instant(at("2026-01-04T12:00:00Z")), at("2026-01-03T00:00:00Z"));
}

#[test]
fn the_next_opening_skips_nights_weekends_and_holidays_and_ends_breaks() {
    for (venue, text, expected) in [
        ("XNYS", "2026-01-05T14:29:59Z", Some("2026-01-05T14:30:00Z")),
        ("XNYS", "2026-01-05T14:30:00Z", Some("2026-01-06T14:30:00Z")),
        ("XNYS", "2026-01-16T22:00:00Z", Some("2026-01-20T14:30:00Z")),
        ("XNYS", "2026-03-06T22:00:00Z", Some("2026-03-09T13:30:00Z")),
        ("XTKS", "2026-01-05T02:45:00Z", Some("2026-01-05T03:30:00Z")),
        ("XTKS", "2026-01-05T01:00:00Z", Some("2026-01-05T03:30:00Z")),
        ("XTKS", "2026-01-05T03:30:00Z", Some("2026-01-06T00:00:00Z")),
        ("CMES", "2026-01-10T12:00:00Z", Some("2026-01-11T23:00:00Z")),
        // The long closure of Athens in 2015.
        ("ASEX", "2015-06-27T12:00:00Z", None),
        ("ASEX", "2015-07-20T12:00:00Z", Some("2015-08-03T07:00:00Z")),
    ] {
        assert_eq!(of(venue).next_open(at(text)), expected.map(at), "{venue} {text}");
    }
}

#[test]
fn age_counts_in_session_time() {
    let calendar = of("XNYS");
    for (from, to, minutes) in [
        ("2026-01-05T14:30:00Z", "2026-01-05T21:00:00Z", 390),
        ("2026-01-09T20:50:00Z", "2026-01-12T14:35:00Z", 15),
        ("2026-01-10T00:00:00Z", "2026-01-12T00:00:00Z", 0),
        ("2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z", 210),
        ("2026-01-05T21:00:00Z", "2026-01-05T14:30:00Z", 0),
        ("2039-12-30T20:00:00Z", "2040-01-02T15:00:00Z", 90),
    ] {
        let expected = Duration::from_secs(minutes * 60);
        assert_eq!(calendar.open_time(at(from), at(to)), expected, "{from} {to}");
    }
    // Years at a time: 252 sessions, three of them of 210 minutes.
    let year = calendar.open_time(at("2024-01-01"), at("2025-01-01"));
    assert_eq!(year, Duration::from_secs((249 * 390 + 3 * 210) * 60));
    let across = calendar.open_time(at("2030-01-01"), at("2033-01-01"));
    let parts = calendar.open_time(at("2030-01-01"), at("2031-06-01"))
        + calendar.open_time(at("2031-06-01"), at("2033-01-01"));
    assert_eq!(across, parts);
    assert_eq!(of("XTKS").open_time(at("2024-01-04"), at("2024-01-05")), Duration::from_secs(5 * 3_600));
    assert_eq!(of("OKX").open_time(at("2024-01-01"), at("2025-01-01")), Duration::from_secs(366 * 86_400));
}

#[test]
fn a_trading_date_is_that_of_the_session_or_else_of_the_venue_s_day() {
    for (venue, text, expected) in [
        ("XNYS", "2026-01-06T01:00:00Z", "2026-01-05"),
        ("XNYS", "2026-01-05T15:00:00Z", "2026-01-05"),
        ("XTKS", "2026-01-05T20:00:00Z", "2026-01-06"),
        ("XASX", "2026-01-05T23:30:00Z", "2026-01-06"),
        // Futures open the evening before.
        ("CMES", "2026-01-11T23:30:00Z", "2026-01-12"),
        ("FX", "2026-01-05T23:59:59Z", "2026-01-05"),
    ] {
        assert_eq!(of(venue).trading_date(at(text)).to_string(), expected, "{venue} {text}");
    }
}

#[test]
fn hours_count_from_the_open_and_the_last_bar_may_be_short() {
    // Friday in winter time, Monday in summer time.
    insta::assert_snapshot!(grid("XNYS", Interval::H1, "2026-03-06", "2026-03-10"), @r"
    2026-03-06T14:30:00Z
    2026-03-06T15:30:00Z
    2026-03-06T16:30:00Z
    2026-03-06T17:30:00Z
    2026-03-06T18:30:00Z
    2026-03-06T19:30:00Z
    2026-03-06T20:30:00Z
    2026-03-09T13:30:00Z
    2026-03-09T14:30:00Z
    2026-03-09T15:30:00Z
    2026-03-09T16:30:00Z
    2026-03-09T17:30:00Z
    2026-03-09T18:30:00Z
    2026-03-09T19:30:00Z
    ");
    let calendar = of("XNYS");
    let window = |interval, text| calendar.window_of(interval, at(text));
    assert_eq!(
        window(Interval::H1, "2026-03-06T20:45:00Z"),
        Some(range("2026-03-06T20:30:00Z", "2026-03-06T21:00:00Z"))
    );
    assert_eq!(
        window(Interval::H1, "2026-03-09T13:30:00Z"),
        Some(range("2026-03-09T13:30:00Z", "2026-03-09T14:30:00Z"))
    );
    assert_eq!(
        window(Interval::H4, "2026-03-09T19:00:00Z"),
        Some(range("2026-03-09T17:30:00Z", "2026-03-09T20:00:00Z"))
    );
    assert_eq!(window(Interval::H1, "2026-03-06T21:00:00Z"), None);
    assert_eq!(window(Interval::M1, "2026-03-07T15:00:00Z"), None);
}

#[test]
fn a_half_day_expects_half_a_day() {
    insta::assert_snapshot!(grid("XNYS", Interval::H1, "2026-11-27", "2026-11-28"), @r"
    2026-11-27T14:30:00Z
    2026-11-27T15:30:00Z
    2026-11-27T16:30:00Z
    2026-11-27T17:30:00Z
    ");
    let minutes = |from, to| of("XNYS").expected_starts(Interval::M1, range(from, to)).len();
    assert_eq!(minutes("2026-11-27", "2026-11-28"), 210);
    assert_eq!(minutes("2026-11-26", "2026-11-27"), 0, "Thanksgiving");
    assert_eq!(minutes("2026-11-25", "2026-11-26"), 390);
    assert_eq!(minutes("2026-11-25T15:00:30Z", "2026-11-25T15:03:00Z"), 2);
}

#[test]
fn a_grid_begins_anew_after_the_lunch_break() {
    insta::assert_snapshot!(grid("XTKS", Interval::H1, "2026-01-05", "2026-01-06"), @r"
    2026-01-05T00:00:00Z
    2026-01-05T01:00:00Z
    2026-01-05T02:00:00Z
    2026-01-05T03:30:00Z
    2026-01-05T04:30:00Z
    2026-01-05T05:30:00Z
    ");
    let tokyo = of("XTKS");
    let window = |interval, text| tokyo.window_of(interval, at(text));
    assert_eq!(
        window(Interval::H1, "2026-01-05T02:10:00Z"),
        Some(range("2026-01-05T02:00:00Z", "2026-01-05T02:30:00Z"))
    );
    assert_eq!(window(Interval::H1, "2026-01-05T03:00:00Z"), None);
    assert_eq!(
        window(Interval::D1, "2026-01-05T03:00:00Z"),
        Some(range("2026-01-05T00:00:00Z", "2026-01-05T06:30:00Z"))
    );
}

#[test]
fn days_weeks_and_months_start_at_their_first_session_s_open() {
    insta::assert_snapshot!(grid("XNYS", Interval::D1, "2026-03-05", "2026-03-11"), @r"
    2026-03-05T14:30:00Z
    2026-03-06T14:30:00Z
    2026-03-09T13:30:00Z
    2026-03-10T13:30:00Z
    ");
    // Clock change on the 8th; Good Friday on 3 April.
    insta::assert_snapshot!(grid("XNYS", Interval::W1, "2026-03-01", "2026-04-15"), @r"
    2026-03-02T14:30:00Z
    2026-03-09T13:30:00Z
    2026-03-16T13:30:00Z
    2026-03-23T13:30:00Z
    2026-03-30T13:30:00Z
    2026-04-06T13:30:00Z
    2026-04-13T13:30:00Z
    ");
    // Martin Luther King on Monday 19 January: that week starts on Tuesday.
    insta::assert_snapshot!(grid("XNYS", Interval::W1, "2026-01-12", "2026-01-27"), @r"
    2026-01-12T14:30:00Z
    2026-01-20T14:30:00Z
    2026-01-26T14:30:00Z
    ");
    insta::assert_snapshot!(grid("XNYS", Interval::Mo1, "2025-12-31", "2026-05-01"), @r"
    2026-01-02T14:30:00Z
    2026-02-02T14:30:00Z
    2026-03-02T14:30:00Z
    2026-04-01T13:30:00Z
    ");
    // A range that begins in mid-week holds no start of that week.
    insta::assert_snapshot!(grid("XNYS", Interval::W1, "2026-01-07", "2026-01-13"), @r"
    2026-01-12T14:30:00Z
    ");
    insta::assert_snapshot!(grid("CMES", Interval::W1, "2026-01-05", "2026-01-20"), @r"
    2026-01-11T23:00:00Z
    2026-01-18T23:00:00Z
    ");
    insta::assert_snapshot!(grid("BINANCE", Interval::W1, "2026-01-01", "2026-01-15"), @r"
    2026-01-05T00:00:00Z
    2026-01-12T00:00:00Z
    ");
}

#[test]
fn the_window_of_a_week_or_month_runs_from_its_first_open_to_its_last_close() {
    let calendar = of("XNYS");
    let window = |interval, text| calendar.window_of(interval, at(text));
    let week = range("2026-01-20T14:30:00Z", "2026-01-23T21:00:00Z");
    assert_eq!(window(Interval::W1, "2026-01-20T14:30:00Z"), Some(week));
    assert_eq!(window(Interval::W1, "2026-01-22T03:00:00Z"), Some(week));
    assert_eq!(window(Interval::W1, "2026-01-24T03:00:00Z"), None);
    let month = range("2026-11-02T14:30:00Z", "2026-11-30T21:00:00Z");
    assert_eq!(window(Interval::Mo1, "2026-11-27T15:00:00Z"), Some(month));
    assert_eq!(window(Interval::D1, "2026-01-24T03:00:00Z"), None);
}

#[test]
fn an_empty_range_holds_nothing() {
    let calendar = of("XNYS");
    let empty = range("2026-01-05T15:00:00Z", "2026-01-05T15:00:00Z");
    assert_eq!(calendar.sessions(empty), []);
    for interval in Interval::ALL {
        assert_eq!(calendar.expected_starts(interval, empty), [], "{interval}");
    }
}

#[test]
fn the_ends_of_time_have_no_surprise() {
    for venue in ["XNYS", "CMES", "BINANCE", "XTKS", "FX"] {
        let calendar = of(venue);
        for end in [Instant::MIN, Instant::MAX] {
            calendar.is_open(end);
            calendar.phase(end);
            calendar.next_open(end);
            calendar.trading_date(end);
            assert!(calendar.last_open_instant(end) <= end);
            for interval in Interval::ALL {
                assert!(calendar.window_of(interval, end).is_none_or(|window| window.contains(end)));
            }
        }
    }
}

fn instant() -> impl Strategy<Value = Instant> {
    // 1985 to 2036: before, inside and after the table; often on a whole minute.
    (473_385_600_i64..2_082_758_400, any::<bool>())
        .prop_map(|(secs, whole)| Instant::from_secs(if whole { secs - secs.rem_euclid(300) } else { secs }))
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn all_answers_of_a_calendar_agree(
        venue in prop::sample::select(vec!["XNYS", "XTKS", "CMES", "24/7", "24/5", "XHKG", "XTAE", "XKRX"]),
        at in instant(),
    ) {
        let calendar = of(venue);
        let is_open = calendar.is_open(at);
        prop_assert_eq!(calendar.phase(at) == MarketPhase::Open, is_open);
        prop_assert_eq!(calendar.window_of(Interval::M1, at).is_some(), is_open);
        let last = calendar.last_open_instant(at);
        prop_assert!(last <= at);
        prop_assert_eq!(last == at && is_open, is_open);
        prop_assert_eq!(calendar.open_time(last, at), Duration::ZERO);
        let next = calendar.next_open(at).expect("these venues never rest for a month");
        prop_assert!(next > at && calendar.is_open(next));
        if !is_open {
            prop_assert_eq!(calendar.open_time(at, next), Duration::ZERO);
        }
        for interval in Interval::ALL {
            if let Some(window) = calendar.window_of(interval, at) {
                prop_assert!(window.contains(at));
                prop_assert_eq!(calendar.window_of(interval, window.start), Some(window));
                let starts = calendar.expected_starts(interval, Range::new(window.start, at + Duration::from_nanos(1)));
                prop_assert_eq!(starts.last(), Some(&window.start));
            }
        }
    }

    #[test]
    fn session_time_adds_up(
        venue in prop::sample::select(vec!["XNYS", "XHKG", "CMES", "24/7"]),
        mut times in proptest::array::uniform3(instant()),
    ) {
        times.sort();
        let calendar = of(venue);
        let [a, b, c] = times;
        prop_assert_eq!(calendar.open_time(a, c), calendar.open_time(a, b) + calendar.open_time(b, c));
        let near = Range::new(a, b.min(a + Duration::from_secs(40 * 86_400)));
        let days = calendar.expected_starts(Interval::D1, near);
        let sessions = calendar.sessions(near);
        let opens: Vec<Instant> = sessions.iter().map(|s| s.hours.start).filter(|open| *open >= a).collect();
        prop_assert_eq!(days, opens);
        let summed: Duration = sessions.iter().flat_map(TradingSession::parts).map(|p| p.intersect(near).length()).sum();
        prop_assert_eq!(calendar.open_time(near.start, near.end), summed);
    }
}
