//! LIM-1: days and months by the vendor's zone and reset, over clock changes, restarts and clock steps.

use super::*;

/// Spends everything at `start`, then says when there is more.
fn refilled(limits: &[Limit], start: &str) -> String {
    let mut quota = quota(limits, Pace::Burst);
    let start = at(start);
    while quota.try_take(1, start).is_ok() {}
    quota.check(1, start).expect_err("it was spent").retry_at.to_string()
}

#[test]
fn a_day_ends_at_the_vendors_midnight_whatever_the_clocks_do() {
    assert_eq!(refilled(&[day(3)], "2026-01-14T17:00:00Z"), "2026-01-15T05:00:02Z");
    // Clocks go ahead on 8 March 2026: 23 hours.
    assert_eq!(refilled(&[day(3)], "2026-03-08T05:30:00Z"), "2026-03-09T04:00:02Z");
    // Clocks go back on 1 November 2026: 25 hours.
    assert_eq!(refilled(&[day(3)], "2026-11-01T04:30:00Z"), "2026-11-02T05:00:02Z");
    // Still yesterday in New York.
    assert_eq!(refilled(&[day(3)], "2026-07-02T03:59:00Z"), "2026-07-02T04:00:02Z");
}

#[test]
fn a_month_ends_with_its_last_day() {
    assert_eq!(refilled(&[month(3)], "2026-02-10T00:00:00Z"), "2026-03-01T05:00:02Z");
    assert_eq!(refilled(&[month(3)], "2028-02-29T12:00:00Z"), "2028-03-01T05:00:02Z");
    assert_eq!(refilled(&[month(3)], "2026-12-31T23:00:00Z"), "2027-01-01T05:00:02Z");
    assert_eq!(refilled(&[month(3)], "2026-03-02T23:00:00Z"), "2026-04-01T04:00:02Z");
    assert_eq!(refilled(&[day(3), month(5)], "2026-03-31T23:00:00Z"), "2026-04-01T04:00:02Z");
}

#[test]
fn a_grant_at_the_edge_of_a_day_counts_on_both_sides() {
    let midnight = at("2026-01-15T05:00:00Z");
    for (edge, both) in [(midnight - SECOND, true), (midnight + SECOND, true), (midnight - 3 * SECOND, false)]
    {
        let mut quota = quota(&[day(3)], Pace::Burst);
        let _before = quota.try_take(1, midnight - HOUR).expect("all is free");
        let _at_the_edge = quota.try_take(1, edge).expect("two are left");
        let _before_or_after = quota.try_take(1, edge).expect("one is left");
        let next_day = midnight + HOUR;
        assert_eq!(quota.status(next_day)[0].used, if both { 2 } else { 0 }, "{edge}");
    }
    let mut quota = quota(&[day(1)], Pace::Burst);
    let _last = quota.try_take(1, midnight - SECOND).expect("all is free");
    let next = quota.check(1, midnight + HOUR).expect_err("charged to both days");
    assert_eq!(next.retry_at, midnight + 24 * HOUR + 2 * SECOND);
}

#[test]
fn a_permit_given_back_at_the_edge_is_free_on_both_sides() {
    let midnight = at("2026-01-15T05:00:00Z");
    let mut quota = quota(&[day(1), month(9)], Pace::Burst);
    let grant = quota.try_take(1, midnight - SECOND).expect("all is free");
    quota.give_back(grant);
    assert!(quota.check(1, midnight - SECOND).is_ok());
    assert!(quota.check(1, midnight + HOUR).is_ok());
    assert_eq!(quota.status(midnight)[1].used, 0);
}

#[test]
fn no_day_of_the_vendor_holds_more_than_its_limit_however_clocks_differ_within_two_seconds() {
    let mut draws = Draws(21);
    for start in ["2026-02-27T12:00:00Z", "2026-03-07T00:00:00Z", "2026-10-31T00:00:00Z"] {
        let mut quota = quota(&[day(20), month(70)], Pace::Burst);
        let mut now = at(start);
        let mut sends = Vec::new();
        for _ in 0..3_000 {
            match quota.try_take(1, now) {
                Ok(grant) => sends.push(grant.at),
                Err(refused) if draws.one_in(2) => now = refused.retry_at.min(now + 30 * HOUR),
                Err(_) => now += Duration::from_millis(draws.below(4_000_000)),
            }
            // Often just before a midnight, summer or winter.
            if draws.one_in(12) {
                let edge = now.floor_to(24 * HOUR) + 24 * HOUR + 5 * HOUR - 3 * SECOND;
                now = now.max(edge - if draws.one_in(2) { HOUR } else { Duration::ZERO });
            }
            now += Duration::from_millis(draws.below(700));
        }
        assert!(sends.len() > 100);
        for offset_ms in [-2_000_i64, -700, 0, 900, 2_000] {
            let arrivals = sends.iter().map(|at| Instant::from_millis(at.as_millis() + offset_ms));
            let mut days = std::collections::BTreeMap::new();
            let mut months = std::collections::BTreeMap::new();
            for arrival in arrivals {
                let date = arrival.to_timestamp().to_zoned(new_york()).date();
                *days.entry(date).or_insert(0) += 1;
                *months.entry((date.year(), date.month())).or_insert(0) += 1;
            }
            assert!(days.values().all(|&count| count <= 20), "{start}, {offset_ms} ms: {days:?}");
            assert!(months.values().all(|&count| count <= 70), "{start}, {offset_ms} ms: {months:?}");
        }
    }
}

#[test]
fn a_clock_that_goes_back_over_midnight_brings_no_fresh_quota() {
    let after_midnight = at("2026-01-15T06:00:00Z");
    let mut quota = quota(&[day(3)], Pace::Burst);
    for _ in 0..3 {
        let _sent = quota.try_take(1, after_midnight).expect("all is free");
    }
    let saved = quota.snapshot(after_midnight);
    for back in [2 * HOUR, 30 * HOUR, 24 * 40 * HOUR] {
        let now = after_midnight - back;
        let again = Quota::restore(quota.settings().clone(), &saved, Duration::ZERO, now);
        assert_eq!(again.status(now)[0].remaining, 0);
        let refused = again.check(1, now).expect_err("the later day is spent");
        assert_eq!(refused.retry_at.to_string(), "2026-01-16T05:00:02Z");
    }
}

#[test]
fn a_restart_on_the_next_day_finds_it_unused_and_the_month_as_it_was() {
    let mut quota = quota(&[day(3), month(10)], Pace::Burst);
    for _ in 0..3 {
        let _sent = quota.try_take(1, noon()).expect("all is free");
    }
    let saved = quota.snapshot(noon());
    let tomorrow = noon() + 24 * HOUR;
    let again = Quota::restore(quota.settings().clone(), &saved, 24 * HOUR, tomorrow);
    let used: Vec<_> = again.status(tomorrow).iter().map(|window| window.used).collect();
    assert_eq!(used, [0, 3]);
}

#[test]
fn a_lease_left_open_over_midnight_is_charged_to_the_new_day() {
    let mut quota = quota(&[day(1_000)], Pace::Burst);
    let disk = quota.try_take(1, noon()).expect("all is free").must_persist.expect("opens a lease");
    let tomorrow = noon() + 24 * HOUR;
    let again = Quota::restore(quota.settings().clone(), &disk, 24 * HOUR, tomorrow);
    assert_eq!(again.status(tomorrow)[0].used, 9);
}
