//! SLA-1, SLA-2, SLA-5.

mod burn;
mod model;

use std::time::Duration;

use domain::Instant;

use super::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn at(secs: u64) -> Instant {
    Instant::from_secs(1_800_000_000) + Duration::from_secs(secs)
}

fn monitor() -> Monitor {
    Monitor::new(Thresholds::default())
}

/// One good call a second.
fn good_calls(monitor: &mut Monitor, seconds: std::ops::Range<u64>) {
    for second in seconds {
        monitor.record(ms(100), true, at(second));
    }
}

#[test]
fn a_percentile_is_a_latency_that_occurred_and_says_how_sure_it_is() {
    let mut monitor = monitor();
    for n in 1..=100 {
        monitor.record(ms(n), true, at(0));
    }
    let last = monitor.report(Span::LastCalls, at(0));
    let told = |percentile: Option<Percentile>| {
        let p = percentile.expect("there were calls");
        (p.least.as_millis(), p.value.as_millis(), p.most.map(|most| most.as_millis()))
    };
    assert_eq!(last.calls, 100);
    assert_eq!(told(last.p50), (40, 50, Some(60)));
    assert_eq!(told(last.p95), (91, 95, Some(99)));
    // A hundred calls cannot bound their 99th percentile from above.
    assert_eq!(told(last.p99), (97, 99, None));
    // One slow call moves a mean, and not the 95th percentile.
    monitor.record(Duration::from_secs(60), true, at(0));
    assert_eq!(told(monitor.report(Span::LastCalls, at(0)).p95).1, 96);
}

#[test]
fn a_single_call_has_every_number_and_little_certainty() {
    let mut monitor = monitor();
    assert_eq!(monitor.report(Span::Minute, at(0)).p95, None);
    monitor.record(ms(250), true, at(0));
    for span in Span::ALL {
        let report = monitor.report(span, at(1));
        let p95 = report.p95.expect("one call is enough for a number");
        assert!(p95.value >= ms(250) && p95.value <= ms(252), "{p95:?}");
        let rate = report.success.expect("one call is enough for a number");
        assert_eq!((report.calls, rate.share, p95.most), (1, 1.0, None));
        assert!((0.20..0.21).contains(&rate.least) && rate.most == 1.0, "{rate:?}");
    }
}

#[test]
fn what_lies_behind_the_window_does_not_count() {
    let mut monitor = monitor();
    for second in 0..100 {
        monitor.record(Duration::from_secs(3), second % 2 == 0, at(second));
    }
    good_calls(&mut monitor, 400..460);
    let shares = Span::ALL.map(|span| monitor.report(span, at(460)).success.map(|rate| rate.share));
    assert_eq!(shares, [Some(0.8), Some(1.0), Some(1.0), Some(0.6875), Some(0.6875)]);
    assert!(monitor.report(Span::FiveMinutes, at(460)).p99.is_some_and(|p99| p99.value < ms(102)));
    assert!(monitor.report(Span::Hour, at(460)).p99.is_some_and(|p99| p99.value >= ms(3_000)));
    // Hours later nothing is left but the day and the last hundred calls.
    let calls = Span::ALL.map(|span| monitor.report(span, at(460 + 7_200)).calls);
    assert_eq!(calls, [100, 0, 0, 0, 160]);
}

#[test]
fn an_outage_in_progress_is_downtime() {
    let mut monitor = monitor();
    good_calls(&mut monitor, 0..600);
    for second in 600..603 {
        monitor.record(ms(5), false, at(second));
    }
    // Nobody calls it while its breaker is open, and it is down all the same.
    let uptime = |monitor: &Monitor, now| monitor.report(Span::Hour, at(now)).uptime.expect("it was called");
    assert!((uptime(&monitor, 1_200) - 0.5).abs() < 0.001, "{}", uptime(&monitor, 1_200));
    assert!(uptime(&monitor, 2_400) < 0.26);
    assert_eq!(monitor.report(Span::Minute, at(2_400)).uptime, Some(0.0));
    // The next success ends it, and it stays on record.
    monitor.record(ms(5), true, at(2_400));
    assert_eq!(monitor.report(Span::Minute, at(2_460)).uptime, Some(1.0));
    let day = monitor.report(Span::Day, at(3_000)).uptime.expect("it was called");
    assert!((day - 0.4).abs() < 0.001, "{day}");
}

#[test]
fn an_outage_in_progress_keeps_a_vendor_failed_however_long_nobody_asks() {
    let mut monitor = monitor();
    for second in 0..3 {
        monitor.record(ms(5), false, at(second));
    }
    assert_eq!(monitor.status(at(40_000)), Status::Failed);
    assert_eq!(monitor.consecutive_failures(), 3);
}

#[test]
fn an_unused_vendor_is_unknown_and_never_degraded() {
    let mut monitor = monitor();
    assert_eq!(monitor.status(at(0)), Status::Unknown);
    good_calls(&mut monitor, 0..20);
    for later in [60, 600, 3_600] {
        assert_eq!(monitor.status(at(19 + later)), Status::Healthy, "{later}");
    }
    assert_eq!(monitor.status(at(19 + 3_601)), Status::Unknown);
    // Nor does what was slow stay slow for ever when nobody asks.
    for second in 20_000..20_020 {
        monitor.record(Duration::from_secs(3), true, at(second));
    }
    assert_eq!(monitor.status(at(20_020)), Status::Degraded);
    assert_eq!(monitor.status(at(30_000)), Status::Unknown);
}

/// What each breach leads to, from a vendor that was healthy.
#[test]
fn each_broken_promise_is_named() {
    type Act<'a> = &'a dyn Fn(&mut Monitor) -> Option<StatusChange>;
    let judged = |completeness, lateness: u64| Judged {
        quality: Some(0.9),
        completeness: Some(completeness),
        lateness: Some(Duration::from_secs(lateness)),
    };
    let broken = |act: Act<'_>| {
        let mut monitor = monitor();
        good_calls(&mut monitor, 0..60);
        act(&mut monitor).map(|change| (change.from, change.to, change.breach))
    };
    let calls = |monitor: &mut Monitor, calls: &[(u64, bool)]| {
        calls.iter().filter_map(|(took, good)| monitor.record(ms(*took), *good, at(60))).last()
    };
    use Status::{Degraded, Failed, Healthy};
    let rows: [(Act<'_>, _); 9] = [
        (&|m| calls(m, &[(1, false), (1, false)]), None),
        (&|m| calls(m, &[(1, false); 3]), Some((Healthy, Failed, Some(Breach::FailuresInARow)))),
        (
            &|m| calls(m, &[(1, false), (1, false), (1, true), (1, false), (1, false)]),
            Some((Healthy, Failed, Some(Breach::SuccessRate))),
        ),
        (&|m| calls(m, &[(2_500, true); 4]), Some((Healthy, Degraded, Some(Breach::P95)))),
        (&|m| calls(m, &[(5_500, true)]), None),
        (&|m| calls(m, &[(5_500, true); 3]), Some((Healthy, Degraded, Some(Breach::P99)))),
        (
            &|m| (0..20).filter_map(|_| m.judge_answer(judged(0.7, 0), at(60))).last(),
            Some((Healthy, Degraded, Some(Breach::Completeness))),
        ),
        (
            &|m| (0..20).filter_map(|_| m.judge_answer(judged(1.0, 301), at(60))).last(),
            Some((Healthy, Degraded, Some(Breach::Freshness))),
        ),
        (&|m| (0..20).filter_map(|_| m.judge_answer(judged(0.8, 300), at(60))).last(), None),
    ];
    for (row, (act, expected)) in rows.into_iter().enumerate() {
        assert_eq!(broken(act), expected, "row {row}");
    }
}

#[test]
fn more_than_fourteen_minutes_down_in_a_day_break_the_promise_of_uptime() {
    let outage = |minutes: u64| {
        let mut monitor = monitor();
        good_calls(&mut monitor, 0..10);
        for second in 10..13 {
            monitor.record(ms(5), false, at(second));
        }
        let back = 10 + 60 * minutes;
        monitor.record(ms(5), true, at(back));
        // Three good minutes, and one call to judge by.
        good_calls(&mut monitor, back..back + 300);
        monitor.status(at(back + 300))
    };
    assert_eq!(outage(14), Status::Healthy);
    assert_eq!(outage(15), Status::Degraded);
}

#[test]
fn completeness_and_quality_are_told_with_their_count() {
    let mut monitor = monitor();
    monitor.record(ms(5), true, at(0));
    for value in [0.5, 0.7] {
        let judged = Judged { quality: Some(value), completeness: Some(1.0 - value), lateness: None };
        monitor.judge_answer(judged, at(0));
    }
    for span in Span::ALL {
        let report = monitor.report(span, at(1));
        let [quality, completeness] = [report.quality, report.completeness].map(|mean| mean.expect("two"));
        assert!((quality.value - 0.6).abs() < 1e-9 && (completeness.value - 0.4).abs() < 1e-9);
        assert_eq!((quality.n, completeness.n), (2, 2));
    }
}

#[test]
fn it_gets_better_only_after_three_good_minutes() {
    let mut monitor = monitor();
    for second in 0..3 {
        monitor.record(ms(5), false, at(second));
    }
    let mut changes = Vec::new();
    for second in 3..400 {
        if let Some(change) = monitor.record(ms(100), true, at(second)) {
            changes.push((second, change.to, change.breach));
        }
    }
    // The minute that failed is not a good one, so three after it.
    assert_eq!(changes, [(240, Status::Healthy, None)]);
}

#[test]
fn a_vendor_that_comes_and_goes_does_not_flap() {
    let mut monitor = monitor();
    let mut changes = 0;
    for second in 0..3_600 {
        // Two minutes well, half a minute down.
        let good = second % 150 < 120;
        changes += usize::from(monitor.record(ms(5), good, at(second)).is_some());
    }
    // Unknown to healthy, healthy to failed, and nothing since.
    assert_eq!((changes, monitor.status(at(3_600))), (2, Status::Failed));
}

#[test]
fn a_set_of_ones_own_may_forgive_nothing() {
    let mut monitor = Monitor::new(Thresholds::new(ms(500), ms(1_000), 0.99, 1));
    good_calls(&mut monitor, 0..30);
    let change = monitor.record(ms(5), false, at(30)).expect("one failure is too many");
    assert_eq!((change.to, change.breach), (Status::Failed, Some(Breach::FailuresInARow)));
    let mut slow = Monitor::new(Thresholds::new(ms(500), ms(1_000), 0.99, 1));
    for second in 0..20 {
        slow.record(ms(600), true, at(second));
    }
    assert_eq!(slow.status(at(20)), Status::Degraded);
    // Under the usual promises the same calls are fine.
    slow.retune(Thresholds::default());
    for second in 20..300 {
        slow.record(ms(600), true, at(second));
    }
    assert_eq!(slow.status(at(300)), Status::Healthy);
}

#[test]
fn every_class_has_its_promises() {
    let rows = [
        (Thresholds::exchange_book(), (1, 2, 0.95, 3)),
        (Thresholds::dex_aggregator(), (3, 5, 0.90, 5)),
        (Thresholds::social(), (5, 10, 0.85, 3)),
        (Thresholds::default(), (2, 5, 0.95, 3)),
    ];
    for (limits, expected) in rows {
        assert_eq!((limits.p95.as_secs(), limits.p99.as_secs(), limits.success, limits.failures), expected);
        assert_eq!((limits.uptime, limits.completeness, limits.freshness.as_secs()), (0.99, 0.8, 300));
    }
}

#[test]
fn a_clock_that_goes_back_ages_nothing() {
    let mut monitor = monitor();
    good_calls(&mut monitor, 100..120);
    monitor.record(ms(5), true, at(10));
    assert_eq!(monitor.report(Span::Minute, at(10)).calls, 21);
    assert_eq!(monitor.status(at(10)), Status::Healthy);
}
