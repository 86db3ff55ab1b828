//! BRK-1, BRK-3, BRK-4, BRK-5, BRK-6, BRK-7, BRK-8; algorithms.md §8 and §16, invariants 6 and 7.

use std::collections::BTreeMap;

use insta::assert_snapshot;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const FAST: Outcome = Outcome::Succeeded { took: SECOND };
const TIMEOUT: Outcome = Outcome::Failed(Failure::Timeout);
/// The draw that leaves the open time at its base.
const MIDDLE: f64 = 0.5;

fn t(secs: f64) -> Instant {
    Instant::from_secs(1_800_000_000) + Duration::from_secs_f64(secs)
}

fn breaker() -> CircuitBreaker {
    CircuitBreaker::new(Settings::default())
}

fn open_until(secs: f64) -> CircuitBreaker {
    let mut breaker = breaker();
    breaker.open_until(t(secs), t(0.0)).expect("a closed breaker opens");
    breaker
}

fn word(state: &State) -> String {
    let until = |until: &Instant| match *until {
        Instant::MAX => "for good".to_owned(),
        until => format!("until {}", until.since(t(0.0)).as_secs_f64()),
    };
    match state {
        State::Closed | State::Degraded | State::HalfOpen => state.as_str().to_owned(),
        State::Open { until: end } => format!("open {}", until(end)),
        State::Maintenance { until: end, reason } => {
            let reason = match reason {
                Reason::Planned(text) => text.to_string(),
                other => format!("{other:?}"),
            };
            format!("maintenance {}, {reason}", until(end))
        }
    }
}

fn outcome(verb: &str) -> Option<Outcome> {
    Some(match verb {
        "ok" => FAST,
        "slow" => Outcome::Succeeded { took: 6 * SECOND },
        "timeout" => TIMEOUT,
        "server" => Outcome::Failed(Failure::Server),
        "connection" => Outcome::Failed(Failure::Connection),
        "data" => Outcome::Failed(Failure::Data),
        "unknown-symbol" => Outcome::Failed(Failure::NotCounted),
        _ => return None,
    })
}

/// Plays steps `seconds verb [name]` and writes a line for each: what was asked, what was said, the state.
///
/// `ask a` admits call `a`; `ok a`, `timeout a`, `drop a` end it; an outcome without a name is a whole call.
fn play(mut breaker: CircuitBreaker, script: &str) -> String {
    let mut calls = BTreeMap::new();
    let mut out = String::new();
    for step in script.split(", ") {
        let words: Vec<&str> = step.split(' ').collect();
        let now = t(words[0].parse().expect("a step starts with seconds"));
        let name = words.get(2).copied().unwrap_or("");
        let mut said = String::new();
        let mut tell = |transition: Option<Transition>| {
            if let Some(transition) = transition {
                assert_eq!(transition.at, now);
                said += &format!(" [{} -> {}]", transition.from.as_str(), transition.to.as_str());
            }
        };
        let refused = |refused: Refused| {
            format!(
                "refused by {}, again at {}",
                refused.state.as_str(),
                refused.retry_at.since(t(0.0)).as_secs_f64()
            )
        };
        match (words[1], outcome(words[1])) {
            ("ask", _) => match breaker.admit(now, MIDDLE, Priority::Normal) {
                Ok(mut admission) => {
                    let kind = if admission.is_probe { "probe" } else { "admitted" };
                    tell(admission.transition.take());
                    said = format!("{kind}{said}");
                    calls.insert(name, admission);
                }
                Err(why) => said = refused(why),
            },
            ("drop", _) => breaker.abandon(calls.remove(name).expect("it was asked for")),
            ("401", _) => tell(Some(breaker.unauthorized(now))),
            ("maintain", _) => {
                let until = t(name.parse().expect("maintenance has an end"));
                tell(Some(breaker.enter_maintenance(until, "upgrade", now)));
            }
            ("end", _) => tell(breaker.end_maintenance(now)),
            ("wait", _) => tell(breaker.open_until(t(name.parse().expect("a time")), now)),
            ("reset", _) => tell(breaker.reset(now)),
            (_, Some(outcome)) => match calls.remove(name) {
                Some(admission) => tell(breaker.settle(admission, outcome, now)),
                None => match breaker.admit(now, MIDDLE, Priority::High) {
                    Ok(mut admission) => {
                        tell(admission.transition.take());
                        tell(breaker.settle(admission, outcome, now));
                    }
                    Err(why) => said = refused(why),
                },
            },
            (verb, None) => panic!("no such verb: {verb}"),
        }
        out += format!("{step:<14} {:<34} {}\n", said.trim_start(), word(&breaker.state())).as_str();
    }
    out
}

#[test]
fn five_failures_in_a_row_open_it_by_way_of_degraded() {
    assert_snapshot!(play(breaker(), "0 timeout, 1 server, 2 timeout, 3 timeout, 4 timeout, 4 timeout, 5 ask"), @r"
    0 timeout                                         closed
    1 server                                          closed
    2 timeout      [closed -> degraded]               degraded
    3 timeout                                         degraded
    4 timeout      [degraded -> open]                 open until 64
    4 timeout      refused by open, again at 64       open until 64
    5 ask          refused by open, again at 64       open until 64
    ");
}

#[test]
fn calls_in_flight_together_that_all_fail_open_it_at_once() {
    assert_snapshot!(
        play(breaker(), "0 ask a, 0 ask b, 0 ask c, 0 ask d, 0 ask e, 0 ask f, 2 timeout a, 2 timeout b, 2 timeout c, 2 timeout d, 2 timeout e, 2 timeout f"),
        @r"
    0 ask a        admitted                           closed
    0 ask b        admitted                           closed
    0 ask c        admitted                           closed
    0 ask d        admitted                           closed
    0 ask e        admitted                           closed
    0 ask f        admitted                           closed
    2 timeout a                                       closed
    2 timeout b                                       closed
    2 timeout c    [closed -> degraded]               degraded
    2 timeout d                                       degraded
    2 timeout e    [degraded -> open]                 open until 62
    2 timeout f                                       open until 62
    "
    );
}

#[test]
fn a_success_ends_a_row_but_not_the_window() {
    assert_snapshot!(
        play(breaker(), "0 timeout, 1 timeout, 2 ok, 3 timeout, 4 timeout, 5 ok, 6 timeout"),
        @r"
    0 timeout                                         closed
    1 timeout                                         closed
    2 ok                                              closed
    3 timeout      [closed -> degraded]               degraded
    4 timeout                                         degraded
    5 ok                                              degraded
    6 timeout      [degraded -> open]                 open until 66
    "
    );
}

#[test]
fn failures_weigh_by_their_class_and_some_not_at_all() {
    assert_snapshot!(
        play(breaker(), "0 data, 0 data, 0 data, 0 data, 0 data, 0 data, 0 data, 0 unknown-symbol, 0 data, 0 data"),
        @r"
    0 data                                            closed
    0 data                                            closed
    0 data                                            closed
    0 data                                            closed
    0 data         [closed -> degraded]               degraded
    0 data                                            degraded
    0 data                                            degraded
    0 unknown-symbol                                    degraded
    0 data         refused by degraded, again at 1    degraded
    0 data                                            degraded
    "
    );
    let weights = [
        (Failure::Timeout, 1.0),
        (Failure::Server, 1.0),
        (Failure::Connection, 0.9),
        (Failure::Auth, 0.8),
        (Failure::Unknown, 0.8),
        (Failure::Http, 0.7),
        (Failure::Data, 0.6),
        (Failure::NotCounted, 0.0),
    ];
    for (failure, weight) in weights {
        assert_eq!(failure.weight(), weight, "{failure:?}");
    }
}

#[test]
fn unknown_symbols_and_callers_mistakes_never_open_it() {
    let mut breaker = breaker();
    for n in 0..1_000 {
        let admission = breaker.admit(t(f64::from(n)), MIDDLE, Priority::Batch).expect("nothing has failed");
        assert_eq!(breaker.settle(admission, Outcome::Failed(Failure::NotCounted), t(f64::from(n))), None);
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn the_next_call_after_the_open_time_is_the_probe_and_successes_close_it() {
    assert_snapshot!(play(open_until(30.0), "29 ask, 30 ask a, 30 ask, 31 ok a, 31 ask b, 32 ok b, 32 ask"), @r"
    29 ask         refused by open, again at 30       open until 30
    30 ask a       probe [open -> half_open]          half_open
    30 ask         refused by half_open, again at 35  half_open
    31 ok a                                           half_open
    31 ask b       probe                              half_open
    32 ok b        [half_open -> closed]              closed
    32 ask         admitted                           closed
    ");
}

#[test]
fn one_failed_probe_opens_it_again_for_its_base_time() {
    assert_snapshot!(
        play(open_until(30.0), "30 ok, 31 timeout, 31 ask, 91 timeout, 151 timeout, 211 ok, 211 ok"),
        @r"
    30 ok          [open -> half_open]                half_open
    31 timeout     [half_open -> open]                open until 88
    31 ask         refused by open, again at 88       open until 88
    91 timeout     [open -> half_open] [half_open -> open] open until 148
    151 timeout    [open -> half_open] [half_open -> open] open until 208
    211 ok         [open -> half_open]                half_open
    211 ok         [half_open -> closed]              closed
    "
    );
}

#[test]
fn an_abandoned_probe_lets_the_next_one_through() {
    assert_snapshot!(play(open_until(30.0), "30 ask a, 31 ask, 31 drop a, 31 ask b, 32 unknown-symbol b, 32 ask c"), @r"
    30 ask a       probe [open -> half_open]          half_open
    31 ask         refused by half_open, again at 35  half_open
    31 drop a                                         half_open
    31 ask b       probe                              half_open
    32 unknown-symbol b                                    half_open
    32 ask c       probe                              half_open
    ");
}

#[test]
fn a_probe_whose_end_is_never_told_lapses() {
    assert_snapshot!(play(open_until(30.0), "30 ask a, 89 ask, 90 ask b, 91 ok a, 91 ask, 92 ok b, 92 ok"), @r"
    30 ask a       probe [open -> half_open]          half_open
    89 ask         refused by half_open, again at 90  half_open
    90 ask b       probe                              half_open
    91 ok a                                           half_open
    91 ask         refused by half_open, again at 95  half_open
    92 ok b                                           half_open
    92 ok          [half_open -> closed]              closed
    ");
}

#[test]
fn results_of_calls_begun_before_a_change_are_ignored() {
    assert_snapshot!(
        play(breaker(), "0 ask a, 0 ask b, 0 ask c, 1 wait 30, 2 ok a, 30 ask p, 31 timeout b, 32 ok p, 33 ok, 34 timeout c, 35 ask"),
        @r"
    0 ask a        admitted                           closed
    0 ask b        admitted                           closed
    0 ask c        admitted                           closed
    1 wait 30      [closed -> open]                   open until 30
    2 ok a                                            open until 30
    30 ask p       probe [open -> half_open]          half_open
    31 timeout b                                      half_open
    32 ok p                                           half_open
    33 ok          [half_open -> closed]              closed
    34 timeout c                                      closed
    35 ask         admitted                           closed
    "
    );
}

#[test]
fn a_vendors_own_time_is_honoured_and_never_shortened() {
    assert_snapshot!(
        play(breaker(), "0 wait 500, 1 wait 100, 499 ask, 500 ask a, 501 wait 900, 502 ok a, 899 ask, 900 ok, 901 ok, 902 wait 900"),
        @r"
    0 wait 500     [closed -> open]                   open until 500
    1 wait 100                                        open until 500
    499 ask        refused by open, again at 500      open until 500
    500 ask a      probe [open -> half_open]          half_open
    501 wait 900   [half_open -> open]                open until 900
    502 ok a                                          open until 900
    899 ask        refused by open, again at 900      open until 900
    900 ok         [open -> half_open]                half_open
    901 ok         [half_open -> closed]              closed
    902 wait 900                                      closed
    "
    );
}

#[test]
fn maintenance_lasts_to_its_end_and_leaves_through_half_open() {
    assert_snapshot!(
        play(breaker(), "0 ask a, 1 maintain 100, 2 timeout a, 50 wait 500, 99 ask, 100 ok, 101 ok, 102 maintain 200, 110 end, 111 timeout, 112 end"),
        @r"
    0 ask a        admitted                           closed
    1 maintain 100 [closed -> maintenance]            maintenance until 100, upgrade
    2 timeout a                                       maintenance until 100, upgrade
    50 wait 500                                       maintenance until 100, upgrade
    99 ask         refused by maintenance, again at 100 maintenance until 100, upgrade
    100 ok         [maintenance -> half_open]         half_open
    101 ok         [half_open -> closed]              closed
    102 maintain 200 [closed -> maintenance]            maintenance until 200, upgrade
    110 end        [maintenance -> half_open]         half_open
    111 timeout    [half_open -> open]                open until 168
    112 end                                           open until 168
    "
    );
}

#[test]
fn a_refused_key_means_maintenance_at_once_with_a_probe_every_five_minutes() {
    assert_snapshot!(play(breaker(), "0 401, 299 ask, 300 ask a, 301 401, 302 ok a, 601 ok, 602 ok"), @r"
    0 401          [closed -> maintenance]            maintenance until 300, BadCredentials
    299 ask        refused by maintenance, again at 300 maintenance until 300, BadCredentials
    300 ask a      probe [maintenance -> half_open]   half_open
    301 401        [half_open -> maintenance]         maintenance until 601, BadCredentials
    302 ok a                                          maintenance until 601, BadCredentials
    601 ok         [maintenance -> half_open]         half_open
    602 ok         [half_open -> closed]              closed
    ");
}

#[test]
fn maintenance_without_an_end_is_ended_by_hand() {
    let mut breaker = breaker();
    breaker.enter_maintenance(Instant::MAX, "until we say so", t(0.0));
    assert!(breaker.check(t(1e9), Priority::Critical).is_err());
    assert!(breaker.end_maintenance(t(1e9)).is_some());
    assert!(breaker.check(t(1e9), Priority::Critical).is_ok());
}

#[test]
fn an_operator_opens_it_and_resets_it() {
    let mut breaker = breaker();
    assert_eq!(breaker.reset(t(0.0)), None);
    let opened = breaker.force_open(t(1_000.0), t(0.0));
    assert_eq!((opened.from, opened.reason), (State::Closed, Reason::Ordered));
    assert!(breaker.check(t(999.0), Priority::Critical).is_err());
    assert_eq!(breaker.reset(t(1.0)).map(|fact| fact.to), Some(State::Closed));
    assert!(breaker.admit(t(1.0), MIDDLE, Priority::Batch).is_ok());
}

#[test]
fn the_presets_are_those_of_the_vendor_classes() {
    let numbers = |s: Settings| (s.failures, s.open.as_secs(), s.successes);
    assert_eq!(numbers(Settings::default()), (5, 60, 2));
    assert_eq!(numbers(Settings::exchange_book()), (5, 30, 2));
    assert_eq!(numbers(Settings::dex_aggregator()), (10, 60, 3));
    assert_eq!(numbers(Settings::social()), (3, 120, 1));
}

#[test]
fn the_open_time_stays_within_a_tenth_of_its_base_and_doubles_only_for_costly_probes() {
    for (costly, expected) in
        [(false, [60.0, 60.0, 60.0, 60.0, 60.0]), (true, [60.0, 120.0, 240.0, 480.0, 600.0])]
    {
        for draw in [0.0, 0.3, MIDDLE, 0.999_999, 7.0, f64::NAN] {
            let mut breaker =
                CircuitBreaker::new(Settings { probe_is_costly: costly, ..Settings::default() });
            let mut now = t(0.0);
            for _ in 0..5 {
                let admission = breaker.admit(now, draw, Priority::Critical).expect("four do not open it");
                breaker.settle(admission, TIMEOUT, now);
            }
            for base in expected {
                let refused = breaker.admit(now, draw, Priority::Critical).expect_err("it is open");
                assert_eq!(refused.state, State::Open { until: refused.retry_at });
                let wait = refused.retry_at.since(now).as_secs_f64();
                assert!(wait <= 600.0 && (wait / base - 1.0).abs() <= 0.1 + 1e-9, "{draw}: {wait} of {base}");
                now = refused.retry_at;
                let probe = breaker.admit(now, draw, Priority::Normal).expect("the wait is over");
                assert!(probe.is_probe);
                breaker.settle(probe, TIMEOUT, now);
            }
        }
    }
}

#[test]
fn a_vendor_that_comes_back_is_found_within_one_open_time() {
    for settings in
        [Settings::default(), Settings::exchange_book(), Settings::dex_aggregator(), Settings::social()]
    {
        let settings = Settings { probe_is_costly: false, ..settings };
        let mut breaker = CircuitBreaker::new(settings);
        let healthy_from = t(3_600.0);
        let mut closed_at = None;
        for step in 0..50_000 {
            let now = t(0.0) + Duration::from_millis(100) * step;
            let outcome = if now >= healthy_from { FAST } else { TIMEOUT };
            if let Ok(admission) = breaker.admit(now, 0.999, Priority::Normal) {
                breaker.settle(admission, outcome, now);
            }
            if now >= healthy_from && breaker.state() == State::Closed {
                closed_at = closed_at.or(Some(now));
            }
        }
        let waited = closed_at.expect("it recovers by itself").since(healthy_from);
        assert!(waited <= settings.open + SECOND, "{waited:?} of {:?}", settings.open);
    }
}

#[test]
fn a_trickle_of_failures_at_a_busy_vendor_opens_nothing() {
    let mut breaker = breaker();
    for n in 0..20_000 {
        let now = t(0.0) + Duration::from_millis(50) * n;
        let admission = breaker.admit(now, MIDDLE, Priority::Batch).expect("two in a hundred fail");
        breaker.settle(admission, if n % 50 == 0 { TIMEOUT } else { FAST }, now);
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn failures_older_than_the_window_are_forgotten() {
    let mut breaker = breaker();
    for n in 0..200 {
        let now = t(f64::from(n) * 31.0);
        let admission =
            breaker.admit(now, MIDDLE, Priority::Batch).expect("never more than two in the window");
        breaker.settle(admission, TIMEOUT, now);
        let admission =
            breaker.admit(now, MIDDLE, Priority::Batch).expect("never more than two in the window");
        breaker.settle(admission, FAST, now);
    }
    assert_eq!(breaker.state(), State::Closed);
}

mod degraded;
mod hierarchy;
mod long_model;
mod model;
