//! BRK-6: reduced capacity by tokens, batch and low first, left by hysteresis. BRK-11: states survive restart.

use super::*;

fn degraded() -> CircuitBreaker {
    let mut breaker = breaker();
    for _ in 0..3 {
        let admission = breaker.admit(t(0.0), MIDDLE, Priority::Normal).expect("closed");
        breaker.settle(admission, TIMEOUT, t(0.0));
    }
    // The calls that would prove it dead pass; then a share.
    let mut passed = 0;
    while let Ok(admission) = breaker.admit(t(0.0), MIDDLE, Priority::Normal) {
        breaker.settle(admission, FAST, t(0.0));
        passed += 1;
    }
    assert_eq!(passed, 3);
    assert_eq!(breaker.state(), State::Degraded);
    breaker
}

fn admitted(breaker: &mut CircuitBreaker, priority: Priority, asks: u32, at: f64) -> u32 {
    (0..asks).filter(|_| breaker.admit(t(at), MIDDLE, priority).is_ok()).count() as u32
}

#[test]
fn batch_and_low_work_is_refused_first_and_critical_work_last() {
    let shares: Vec<(Priority, u32)> =
        Priority::ALL.map(|priority| (priority, admitted(&mut degraded(), priority, 100, 1.0))).to_vec();
    assert_eq!(
        shares,
        [
            (Priority::Critical, 100),
            (Priority::High, 50),
            (Priority::Normal, 50),
            (Priority::Low, 0),
            (Priority::Batch, 0)
        ]
    );
}

#[test]
fn the_share_is_of_calls_and_does_not_depend_on_the_second_they_come_in() {
    for at in [1.0, 1.5, 2.0, 3.0, 4.0] {
        assert_eq!(admitted(&mut degraded(), Priority::Normal, 10, at), 5, "at {at}");
    }
    let mut even_seconds_only = degraded();
    let passed: u32 =
        (1..=9).map(|n| admitted(&mut even_seconds_only, Priority::Normal, 1, f64::from(n) * 2.0)).sum();
    assert!((4..=5).contains(&passed), "{passed}");
}

#[test]
fn a_refusal_for_lack_of_share_says_when_to_come_again() {
    let mut breaker = degraded();
    let refused = breaker.admit(t(1.0), MIDDLE, Priority::Batch).expect_err("batch waits for better times");
    assert_eq!((refused.state, refused.retry_at), (State::Degraded, t(20.0)));
    assert_eq!(breaker.check(t(1.0), Priority::Batch).expect_err("as above").retry_at, t(20.0));
    assert!(breaker.check(t(1.0), Priority::Normal).is_ok());
}

/// Calls once a second for a while; returns the share afterwards.
fn steadily(breaker: &mut CircuitBreaker, from: u32, to: u32, fails: impl Fn(u32) -> bool) -> f64 {
    for second in from..to {
        let now = t(f64::from(second));
        if let Ok(admission) = breaker.admit(now, MIDDLE, Priority::Critical) {
            breaker.settle(admission, if fails(second) { TIMEOUT } else { FAST }, now);
        }
    }
    breaker.share()
}

#[test]
fn three_good_reviews_in_a_row_close_it_and_no_single_success_does() {
    let mut breaker = degraded();
    assert_eq!(steadily(&mut breaker, 1, 20, |_| false), 0.5);
    // The first third of a window holds the failures that degraded it only in the window's own count.
    assert_eq!(steadily(&mut breaker, 20, 40, |_| false), 0.6);
    assert_eq!(steadily(&mut breaker, 40, 60, |_| false), 0.7);
    assert_eq!(breaker.state(), State::Degraded);
    assert_eq!(steadily(&mut breaker, 60, 62, |_| false), 1.0);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_bad_review_halves_the_share_and_starts_the_count_again() {
    let mut breaker = degraded();
    steadily(&mut breaker, 1, 41, |_| false);
    assert_eq!(breaker.share(), 0.7);
    // A third fails, never five in a row and never half of the calls.
    steadily(&mut breaker, 41, 61, |second| second % 3 == 0);
    assert_eq!(breaker.share(), 0.35);
    assert_eq!(breaker.state(), State::Degraded);
    steadily(&mut breaker, 61, 101, |_| false);
    assert_eq!(breaker.state(), State::Degraded);
    steadily(&mut breaker, 101, 122, |_| false);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn between_good_and_bad_nothing_changes() {
    let mut breaker = degraded();
    for round in 0..20 {
        // Two of twenty: above one in twenty, below one in five.
        steadily(&mut breaker, round * 20 + 1, round * 20 + 21, |second| second % 10 == 5);
    }
    assert_eq!((breaker.state(), breaker.share()), (State::Degraded, 0.5));
}

#[test]
fn a_vendor_nobody_asks_is_given_all_again_after_a_window() {
    let mut breaker = degraded();
    let admission = breaker.admit(t(60.0), MIDDLE, Priority::Batch).expect("nothing has failed for a minute");
    let recovered = admission.transition.as_ref().expect("asking has closed it");
    assert_eq!((&recovered.from, &recovered.reason), (&State::Degraded, &Reason::Recovered));
}

#[test]
fn slow_answers_degrade_it_and_never_open_it() {
    assert_snapshot!(play(breaker(), "0 ok, 1 slow, 2 slow, 3 slow, 4 slow, 5 slow, 6 slow, 7 slow"), @r"
    0 ok                                              closed
    1 slow                                            closed
    2 slow                                            closed
    3 slow                                            closed
    4 slow                                            closed
    5 slow         [closed -> degraded]               degraded
    6 slow                                            degraded
    7 slow                                            degraded
    ");
    let mut breaker = breaker();
    for second in 0..1_000 {
        let now = t(f64::from(second));
        if let Ok(admission) = breaker.admit(now, MIDDLE, Priority::Critical) {
            breaker.settle(admission, Outcome::Succeeded { took: 6 * SECOND }, now);
        }
    }
    assert_eq!((breaker.state(), breaker.share()), (State::Degraded, 0.1));
}

#[test]
fn states_survive_a_restart_and_a_clock_step_does_not_move_them() {
    let mut kept = CircuitBreaker::new(Settings { probe_is_costly: true, ..Settings::default() });
    kept.open_until(t(100.0), t(0.0));
    let probe = kept.admit(t(100.0), MIDDLE, Priority::Normal).expect("the wait is over");
    kept.settle(probe, TIMEOUT, t(100.0));
    let saved = kept.snapshot(t(110.0));
    // Doubled once, a twentieth less: open until 214, 104 to go, of which ten passed before a clock that went
    // back an hour.
    let now = t(110.0) - 3_600 * SECOND;
    let again = CircuitBreaker::restore(*kept.settings(), &saved, 10 * SECOND, now);
    assert_eq!(again.state(), State::Open { until: now + 94 * SECOND });
    assert_eq!(again.snapshot(now).reopenings, 1);

    for state in [
        State::Closed,
        State::Degraded,
        State::HalfOpen,
        State::Maintenance { until: Instant::MAX, reason: Reason::Planned("moving".into()) },
    ] {
        let saved = Snapshot { state: state.clone(), saved_at: t(0.0), reopenings: 0 };
        let again = CircuitBreaker::restore(Settings::default(), &saved, SECOND, t(1.0));
        assert_eq!(again.state(), state);
    }
}

#[test]
fn other_numbers_take_effect_without_losing_the_state() {
    let mut breaker = degraded();
    breaker.retune(Settings { failures: 3, ..Settings::default() });
    assert_eq!(breaker.state(), State::Degraded);
    let admission = breaker.admit(t(1.0), MIDDLE, Priority::Critical).expect("critical work passes");
    let opened = breaker.settle(admission, TIMEOUT, t(1.0)).expect("four failures are enough now");
    assert_eq!((opened.from, opened.reason), (State::Degraded, Reason::Failures));
}
