//! BRK-2: endpoints below a vendor, symbols beside them. BRK-11: their states over a restart. BRK-12: what was our
//! fault is taken back.

use std::time::Duration;

use super::{FAST, MIDDLE, SECOND, TIMEOUT, t};
use crate::Priority;
use crate::circuit_breaker::{Breakers, Failure, Leave, Level, Moved, Outcome, Reason, Settings, State};

type Vendor = Breakers<&'static str, &'static str>;

const SERVER: Outcome = Outcome::Failed(Failure::Server);
const UNKNOWN_SYMBOL: Outcome = Outcome::Failed(Failure::NotCounted);

fn vendor() -> Vendor {
    Breakers::new(Settings::default(), false)
}

fn ask(vendor: &mut Vendor, endpoint: &'static str, secs: f64) -> Option<Leave<&'static str, &'static str>> {
    vendor.admit(&endpoint, None, t(secs), MIDDLE, Priority::Normal).ok()
}

/// One call, if it is admitted; the changes it brought, a word each.
fn call(
    vendor: &mut Vendor,
    endpoint: &'static str,
    symbol: &'static str,
    outcome: Outcome,
    secs: f64,
) -> String {
    match vendor.admit(&endpoint, Some(&symbol), t(secs), MIDDLE, Priority::Normal) {
        Err(refused) => format!("refused by {:?}", refused.level),
        Ok(mut leave) => {
            let mut moved = std::mem::take(&mut leave.moved);
            moved.extend(vendor.settle(leave, outcome, false, t(secs)));
            words(&moved)
        }
    }
}

fn words(moved: &[Moved<&str, &str>]) -> String {
    let word = |one: &Moved<&str, &str>| {
        let level = match &one.level {
            Level::Vendor => "vendor".to_owned(),
            Level::Endpoint(name) | Level::Symbol(name) => (*name).to_owned(),
        };
        format!("{level} {}", one.transition.to.as_str())
    };
    moved.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn state_of(vendor: &Vendor, endpoint: &str) -> &'static str {
    vendor.endpoints().find(|(name, _)| **name == endpoint).map_or("none", |(_, state)| state.as_str())
}

#[test]
fn a_dead_endpoint_opens_alone_while_the_others_answer() {
    let mut vendor = vendor();
    for turn in 0..5 {
        let secs = f64::from(turn);
        assert_eq!(call(&mut vendor, "bars", "A", FAST, secs), "");
        assert_eq!(call(&mut vendor, "bars", "B", FAST, secs), "");
        call(&mut vendor, "quote", "A", SERVER, secs);
    }
    assert_eq!(state_of(&vendor, "quote"), "open");
    assert!(matches!(vendor.state(), State::Closed | State::Degraded), "{:?}", vendor.state());
    assert_eq!(call(&mut vendor, "quote", "B", FAST, 5.0), r#"refused by Endpoint("quote")"#);
    assert_eq!(call(&mut vendor, "bars", "B", FAST, 5.0), "");
    // It is tried by itself, and closes by itself.
    assert_eq!(call(&mut vendor, "quote", "B", FAST, 65.0), "quote half_open");
    assert_eq!(call(&mut vendor, "quote", "B", FAST, 65.1), "quote closed");
}

#[test]
fn five_failures_in_a_row_over_all_endpoints_open_the_vendor() {
    let mut vendor = vendor();
    for (turn, endpoint) in ["quote", "bars", "quote", "news"].into_iter().enumerate() {
        call(&mut vendor, endpoint, "A", TIMEOUT, turn as f64);
    }
    assert_eq!(call(&mut vendor, "bars", "B", TIMEOUT, 5.0), "vendor open");
    assert_eq!(call(&mut vendor, "trades", "B", TIMEOUT, 6.0), "refused by Vendor");
}

#[test]
fn pooled_failures_open_the_vendor_only_where_the_lower_bound_of_their_share_says_so() {
    // 12 of 20 failed: more than half, but it may be less than half.
    let (mut pooled, mut single) = (vendor(), vendor());
    for turn in 0..20 {
        let (outcome, endpoint) = if turn % 5 < 3 { (SERVER, "quote") } else { (FAST, "quote") };
        let other = ["quote", "bars", "news", "trades", "splits"][turn % 5];
        let secs = turn as f64 * 0.1;
        for (vendor, endpoint) in [(&mut pooled, other), (&mut single, endpoint)] {
            let asked = vendor.admit(&endpoint, None, t(secs), MIDDLE, Priority::Critical);
            if let Ok(leave) = asked {
                vendor.settle(leave, outcome, false, t(secs));
            }
        }
    }
    assert_ne!(pooled.state().as_str(), "open");
    assert_eq!(state_of(&single, "quote"), "open", "the endpoint's own evidence is enough for itself");
}

#[test]
fn half_of_four_endpoints_open_the_vendor_and_half_of_three_do_not() {
    let open_two_of = |names: &[&'static str]| {
        let mut vendor = vendor();
        let mut told = String::new();
        for dead in 0..2 {
            for turn in 0..5 {
                let secs = f64::from(dead) * 10.0 + f64::from(turn);
                for alive in &names[2..] {
                    for _ in 0..4 {
                        call(&mut vendor, alive, "A", FAST, secs);
                    }
                }
                told = call(&mut vendor, names[dead as usize], "A", SERVER, secs);
            }
        }
        (told, vendor.state().as_str())
    };
    assert_eq!(open_two_of(&["quote", "bars", "news", "trades"]).1, "open");
    assert_eq!(open_two_of(&["quote", "bars", "news", "trades"]).0, "bars open, vendor open");
    assert_ne!(open_two_of(&["quote", "bars", "news"]).1, "open");
}

#[test]
fn a_vendor_that_is_back_releases_its_endpoints_one_by_one() {
    let mut vendor = vendor();
    for endpoint in ["bars", "news", "quote"] {
        vendor.force_open(Some(&endpoint), t(500.0), t(0.0));
    }
    vendor.force_open(None, t(60.0), t(0.0));
    assert!(ask(&mut vendor, "quote", 59.0).is_none());
    assert_eq!(call(&mut vendor, "quote", "A", FAST, 60.0), "vendor half_open");
    assert_eq!(call(&mut vendor, "quote", "A", FAST, 60.5), "vendor closed, quote closed");
    assert_eq!(call(&mut vendor, "bars", "A", FAST, 60.6), r#"refused by Endpoint("bars")"#);
    assert_eq!(call(&mut vendor, "bars", "A", FAST, 61.5), "bars half_open");
    assert_eq!(call(&mut vendor, "news", "A", FAST, 61.6), r#"refused by Endpoint("news")"#);
    assert_eq!(call(&mut vendor, "news", "A", FAST, 62.5), "news half_open");
}

#[test]
fn unknown_symbols_move_nothing_however_many() {
    let mut vendor = vendor();
    for turn in 0..1_000 {
        assert_eq!(call(&mut vendor, "quote", "NONE", UNKNOWN_SYMBOL, f64::from(turn) * 0.01), "");
    }
    assert_eq!(vendor.state(), State::Closed);
    assert_eq!(vendor.open_symbols(t(10.0)), []);
    // Nor do they weaken what counts.
    for _ in 0..4 {
        call(&mut vendor, "quote", "A", SERVER, 10.0);
    }
    assert_eq!(call(&mut vendor, "quote", "A", SERVER, 10.0), "vendor open");
}

#[test]
fn a_symbol_the_vendor_fails_on_is_left_out_and_no_other_is() {
    let mut vendor = vendor();
    for turn in 0..3 {
        let secs = f64::from(turn);
        for _ in 0..4 {
            assert_eq!(call(&mut vendor, "quote", "GOOD", FAST, secs), "");
        }
        let told = call(&mut vendor, "quote", "BAD", SERVER, secs);
        assert_eq!(told, if turn == 2 { "BAD open" } else { "" });
    }
    assert_eq!(call(&mut vendor, "quote", "BAD", FAST, 3.0), r#"refused by Symbol("BAD")"#);
    assert_eq!(call(&mut vendor, "quote", "OTHER", FAST, 3.0), "");
    assert_eq!(call(&mut vendor, "quote", "BAD", FAST, 63.0), "BAD half_open, BAD closed");
}

#[test]
fn an_open_vendor_is_open_after_a_restart_for_what_is_left_and_no_stepped_clock_shortens_it() {
    let mut vendor = vendor();
    vendor.force_open(Some(&"bars"), t(90.0), t(0.0));
    vendor.force_open(None, t(60.0), t(0.0));
    let kept = vendor.snapshot(t(10.0));
    // Twenty seconds passed while it was down; the clock says an hour, or minus an hour.
    for now in [t(3_600.0), t(30.0), t(0.0) - 3_600 * SECOND] {
        let again: Vendor = Breakers::restore(Settings::default(), false, &kept, 20 * SECOND, now);
        assert_eq!(again.state(), State::Open { until: now + 30 * SECOND });
        let bars = again.endpoints().find(|(name, _)| **name == "bars").map(|(_, state)| state);
        assert_eq!(bars, Some(State::Open { until: now + 60 * SECOND }));
    }
}

#[test]
fn what_was_our_fault_is_taken_back_and_what_was_not_stays() {
    let mut vendor = vendor();
    for turn in 0..5 {
        call(&mut vendor, "quote", "A", TIMEOUT, 100.0 + f64::from(turn));
    }
    assert_eq!(vendor.state().as_str(), "open");
    assert_eq!(words(&vendor.absolve(t(106.0), t(107.0))), "", "it failed before");
    let moved = vendor.absolve(t(99.0), t(107.0));
    assert_eq!(words(&moved), "vendor closed");
    assert_eq!(moved[0].transition.reason, Reason::OurFault);
    for _ in 0..4 {
        call(&mut vendor, "quote", "A", TIMEOUT, 108.0);
    }
    assert_ne!(vendor.state().as_str(), "open", "nothing of it is remembered");
}

#[test]
fn a_probe_that_failed_by_our_fault_is_made_again() {
    let mut vendor = vendor();
    vendor.force_open(None, t(60.0), t(0.0));
    assert_eq!(call(&mut vendor, "quote", "A", TIMEOUT, 60.0), "vendor half_open, vendor open");
    assert_eq!(words(&vendor.absolve(t(59.0), t(61.0))), "vendor half_open");
}

#[test]
fn the_numbers_in_use_follow_the_baseline_and_are_frozen_unless_closed() {
    let mut vendor: Vendor = Breakers::new(Settings::default(), true);
    let took = Outcome::Succeeded { took: Duration::from_millis(900) };
    for turn in 0..200 {
        call(&mut vendor, "quote", "A", took, f64::from(turn) * 0.1);
    }
    assert_eq!((vendor.settings().failures, vendor.settings().slow), (7, Duration::from_millis(1_800)));
    // Six failures in a row do not open it any more, the seventh does.
    for turn in 0..7 {
        assert_ne!(vendor.state().as_str(), "open");
        let leave =
            vendor.admit(&"quote", None, t(100.0), MIDDLE, Priority::Critical).expect("critical passes");
        vendor.settle(leave, TIMEOUT, false, t(100.0 + f64::from(turn)));
    }
    assert_eq!(vendor.state().as_str(), "open");
    let learned = vendor.baseline().error_share(t(110.0));
    vendor.force_open(None, t(120.0), t(110.0));
    for turn in 0..50 {
        let secs = 120.0 + f64::from(turn) * 60.0;
        call(&mut vendor, "quote", "A", TIMEOUT, secs);
        let share = vendor.baseline().error_share(t(secs));
        assert!(share.is_none() || share <= learned, "an outage teaches nothing: {share:?}");
    }
    assert_eq!(vendor.baseline().p99(), Some(Duration::from_millis(900)));
}

#[test]
fn around_the_open_and_the_close_slow_is_wider() {
    let mut vendor: Vendor = Breakers::new(Settings::default(), true);
    let leave = ask(&mut vendor, "quote", 0.0).expect("closed");
    vendor.settle(leave, FAST, true, t(0.0));
    assert_eq!(vendor.settings().slow, Duration::from_millis(7_500));
    let leave = ask(&mut vendor, "quote", 1.0).expect("closed");
    vendor.settle(leave, FAST, false, t(1.0));
    assert_eq!(vendor.settings().slow, 5 * SECOND);
}
