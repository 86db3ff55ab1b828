//! LIM-1: counters survive restart and kill, clamped against clock steps.

use super::*;

fn spent(limits: &[Limit], calls: u32, now: Instant) -> Quota {
    let mut quota = quota(limits, Pace::Burst);
    quota.settings.capacity = Some(u32::MAX);
    for _ in 0..calls {
        let _sent = quota.try_take(1, now).expect("tests spend what there is");
    }
    quota
}

fn restored(quota: &Quota, snapshot: &Snapshot, elapsed: Duration, now: Instant) -> Quota {
    Quota::restore(quota.settings().clone(), snapshot, elapsed, now)
}

#[test]
fn a_restart_goes_on_where_it_stopped() {
    let before = spent(&[sliding(5, MINUTE), day(25)], 5, noon());
    let saved = before.snapshot(noon() + 10 * SECOND);
    let now = noon() + 20 * SECOND;
    let after = restored(&before, &saved, 10 * SECOND, now);
    assert_eq!(after.check(1, now), before.check(1, now));
    assert_eq!(after.status(now), before.status(now));
}

#[test]
fn a_clock_an_hour_back_frees_nothing_and_blocks_no_longer_than_the_window() {
    let before = spent(&[sliding(5, MINUTE)], 5, noon());
    let saved = before.snapshot(noon() + 10 * SECOND);
    let now = noon() - HOUR;
    let after = restored(&before, &saved, Duration::ZERO, now);
    // Ten seconds of the window had passed when it was saved; fifty and the margin remain.
    let refused = after.check(1, now).expect_err("all five are in the window");
    assert_eq!(refused.retry_at, now + Duration::from_millis(50_250));
}

#[test]
fn a_clock_an_hour_ahead_frees_nothing_when_the_elapsed_time_is_known() {
    let before = spent(&[sliding(5, MINUTE)], 5, noon());
    let saved = before.snapshot(noon());
    let now = noon() + HOUR;
    let after = restored(&before, &saved, 3 * SECOND, now);
    assert_eq!(after.check(1, now).expect_err("full").retry_at, now + Duration::from_millis(57_250));
}

#[test]
fn after_a_crash_the_open_lease_counts_as_spent_at_the_restart() {
    let mut before = quota(&[sliding(1_000, MINUTE)], Pace::Burst);
    let mut first = before.try_take(1, noon()).expect("all is free");
    let disk = first.must_persist.take().expect("a lease is opened before its first permit");
    assert_eq!(disk.open_lease, 9);
    before.persisted(disk.sequence);
    for _ in 0..9 {
        assert_eq!(before.try_take(1, noon()).expect("the lease covers ten").must_persist, None);
    }
    assert!(before.try_take(1, noon()).expect("a new lease").must_persist.is_some());
    let now = noon() + 30 * SECOND;
    let after = restored(&before, &disk, 30 * SECOND, now);
    assert_eq!(after.status(now)[0].used, 10);
    assert_eq!(after.status(noon() + 61 * SECOND)[0].used, 9);
}

#[test]
fn a_clean_shutdown_counts_only_what_was_used() {
    let mut before = quota(&[sliding(1_000, MINUTE)], Pace::Burst);
    for _ in 0..3 {
        let grant = before.try_take(1, noon()).expect("all is free");
        grant.must_persist.into_iter().for_each(|snapshot| before.persisted(snapshot.sequence));
    }
    let disk = before.close_lease(noon());
    assert_eq!(restored(&before, &disk, Duration::ZERO, noon()).status(noon())[0].used, 3);
    assert!(
        before.try_take(1, noon()).expect("all is free").must_persist.is_some(),
        "a permit after the last word is written down again"
    );
}

#[test]
fn every_permit_of_a_small_plan_is_written_down_before_its_call() {
    let mut small = quota(&[sliding(100, MINUTE), month(500_000)], Pace::Burst);
    for n in 1..=10 {
        let snapshot =
            small.try_take(1, noon()).expect("the burst is ten").must_persist.expect("each its own");
        small.persisted(snapshot.sequence);
        assert_eq!((snapshot.sequence, snapshot.open_lease), (n, 0));
    }
}

#[test]
fn a_permit_drawn_while_the_lease_is_not_yet_durable_is_written_down_itself() {
    let mut quota = quota(&[sliding(1_000, MINUTE)], Pace::Burst);
    let first = quota.try_take(1, noon()).expect("all is free").must_persist.expect("opens a lease");
    let second =
        quota.try_take(1, noon()).expect("all is free").must_persist.expect("nothing is durable yet");
    quota.persisted(first.sequence);
    assert!(
        quota.try_take(1, noon()).expect("all is free").must_persist.is_some(),
        "the second lease is not"
    );
    assert!(second.sequence > first.sequence);
}

#[test]
fn a_restored_quota_equals_one_that_never_stopped() {
    let mut draws = Draws(8);
    let limits = [sliding(8, MINUTE), sliding(100, HOUR), day(300), month(2_000)];
    let mut steady = quota(&limits, Pace::Burst);
    let mut now = at("2026-02-27T23:00:00Z");
    for step in 0..5_000 {
        let snapshot = steady.snapshot(now);
        let pause = Duration::from_millis(draws.below(9_000));
        now += pause;
        let mut other = Quota::restore(steady.settings().clone(), &snapshot, pause, now);
        // A restart counts the rest of a lease as spent; all of these limits have leases of one.
        let (a, b) = (steady.try_take(1, now), other.try_take(1, now));
        assert_eq!(a.as_ref().err(), b.as_ref().err(), "step {step}");
        assert_eq!(steady.status(now), other.status(now), "step {step}");
    }
}

#[test]
fn a_change_of_plan_keeps_what_is_used() {
    let mut quota = spent(&[sliding(5, MINUTE)], 5, noon());
    let now = noon() + 10 * SECOND;
    quota.resettle(settings(&[sliding(8, MINUTE), sliding(10, HOUR), day(7)], Pace::Burst), now);
    let used: Vec<_> = quota.status(now).iter().map(|window| (window.used, window.remaining)).collect();
    assert_eq!(used, [(5, 3), (5, 5), (5, 2)], "windows new to the plan take over what is remembered");
    assert_eq!(quota.statistics().granted, 5);
    let later = now + MINUTE;
    quota.resettle(settings(&[sliding(4, MINUTE)], Pace::Burst), now);
    assert_eq!(quota.status(now)[0].remaining, 0);
    assert!(quota.check(1, now).is_err());
    assert!(quota.check(1, later).is_ok());
}

#[test]
fn a_damaged_snapshot_restores_to_something_that_still_limits() {
    let saved = Snapshot {
        sequence: 9,
        saved_at: noon(),
        windows: vec![WindowSnapshot {
            window: Window::Sliding(MINUTE),
            held: Held::Sliding {
                grants: vec![(noon() + HOUR, 2), (noon() - HOUR, 9), (noon(), 1)],
                full_at: Instant::MIN,
            },
        }],
        spend: Vec::new(),
        blocked_until: Some(Instant::MIN),
        factor: f64::NAN,
        open_lease: 1,
    };
    let settings = settings(&[sliding(5, MINUTE)], Pace::Burst);
    let quota = Quota::restore(settings, &saved, Duration::ZERO, noon());
    assert_eq!(quota.factor(), 0.05);
    assert_eq!(quota.status(noon())[0].used, 4, "a grant dated after the save counts from now");
    assert_eq!(quota.check(1, noon()).expect_err("spent").retry_at, noon() + Duration::from_millis(240_250));
}
