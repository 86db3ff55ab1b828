//! LIM-6: the vendor's word wins at once, for the whole account.

use super::*;

fn heard(quota: &mut Quota, word: VendorWord, now: Instant) {
    assert!(quota.observe(word, now).is_some(), "{word:?} changes something, so it must be made durable");
}

#[test]
fn retry_after_and_bans_hold_every_call_and_a_shorter_word_does_not_shorten_them() {
    let mut quota = quota(&[sliding(60, MINUTE)], Pace::Burst);
    heard(&mut quota, VendorWord::RetryAfter(30 * SECOND), noon());
    let refused = quota.try_take(1, noon() + 29 * SECOND).expect_err("the vendor said wait");
    assert_eq!(refused, Refused { retry_at: noon() + 30 * SECOND, cause: Cause::VendorsWord });
    assert_eq!(quota.observe(VendorWord::RetryAfter(SECOND), noon()), None);
    assert!(quota.try_take(1, noon() + 30 * SECOND).is_ok());
    assert_eq!(quota.blocked_until(noon() + 30 * SECOND), None);

    heard(&mut quota, VendorWord::Banned { until: noon() + 2 * HOUR }, noon() + MINUTE);
    assert_eq!(quota.blocked_until(noon() + HOUR), Some(noon() + 2 * HOUR));
    assert!(quota.check(1, noon() + 2 * HOUR - NANO).is_err());
    assert!(quota.check(1, noon() + 2 * HOUR).is_ok());
}

#[test]
fn a_ban_holds_where_nothing_else_is_limited_and_survives_a_restart() {
    let mut quota = quota(&[], Pace::Burst);
    let saved = quota.observe(VendorWord::Banned { until: noon() + HOUR }, noon()).expect("a ban is kept");
    assert!(quota.try_take(1, noon() + MINUTE).is_err());
    let back = noon() - 5 * HOUR;
    let again = Quota::restore(quota.settings().clone(), &saved, 10 * MINUTE, back);
    assert_eq!(again.blocked_until(back), Some(back + 50 * MINUTE));
}

#[test]
fn the_lower_of_the_vendors_count_and_ours_holds() {
    let window = Window::Sliding(MINUTE);
    let mut quota = quota(&[sliding(60, MINUTE)], Pace::Burst);
    let resets = Some(noon() + 20 * SECOND);
    heard(&mut quota, VendorWord::Remaining { window, left: 2, resets }, noon());
    assert_eq!(quota.status(noon())[0].remaining, 2);
    assert_eq!(
        quota.observe(VendorWord::Remaining { window, left: 2, resets }, noon()),
        None,
        "once, not twice"
    );
    assert_eq!(
        quota.observe(VendorWord::Remaining { window, left: 50, resets }, noon()),
        None,
        "never raised"
    );
    assert_eq!(quota.status(noon())[0].remaining, 2);
    assert_eq!(quota.status(noon() + 20 * SECOND)[0].remaining, 60, "back when the vendor says");

    heard(&mut quota, VendorWord::Remaining { window, left: 0, resets }, noon());
    assert!(quota.check(1, noon() + 19 * SECOND).is_err());
    assert!(quota.check(1, noon() + 20 * SECOND).is_ok());
}

#[test]
fn a_word_about_a_window_we_do_not_keep_matters_only_when_nothing_is_left() {
    let mut quota = quota(&[sliding(60, MINUTE)], Pace::Burst);
    let window = Window::Sliding(HOUR);
    assert_eq!(quota.observe(VendorWord::Remaining { window, left: 1, resets: None }, noon()), None);
    heard(&mut quota, VendorWord::Remaining { window, left: 0, resets: None }, noon());
    assert_eq!(quota.blocked_until(noon()), Some(noon() + HOUR));
}

#[test]
fn spent_quota_is_unavailable_until_its_reset() {
    for (limits, window, until, expected) in [
        (vec![day(25)], Window::Day, None, "2026-01-15T05:00:02Z"),
        (vec![sliding(5, MINUTE)], Window::Day, None, "2026-01-15T05:00:02Z"),
        (vec![month(25)], Window::Month, None, "2026-02-01T05:00:02Z"),
        (vec![sliding(5, MINUTE)], Window::Sliding(MINUTE), None, "2026-01-14T17:01:00.25Z"),
        (vec![day(25)], Window::Day, Some("2026-01-15T08:00:00Z"), "2026-01-15T08:00:00Z"),
        (vec![], Window::Month, Some("2026-02-03T00:00:00Z"), "2026-02-03T00:00:00Z"),
    ] {
        let mut quota = quota(&limits, Pace::Burst);
        heard(&mut quota, VendorWord::Exhausted { window, until: until.map(at) }, noon());
        let refused = quota.try_take(1, noon()).expect_err("the vendor said it is spent");
        assert_eq!(refused.retry_at.to_string(), expected, "{limits:?} {window:?} {until:?}");
        assert!(quota.check(1, refused.retry_at).is_ok(), "it returns by itself");
    }
}

#[test]
fn an_unexpected_refusal_halves_the_rate_and_each_clean_window_brings_back_a_twentieth() {
    let mut quota = quota(&[sliding(60, MINUTE)], Pace::Burst);
    let _sent = quota.try_take(1, noon()).expect("all is free");
    heard(&mut quota, VendorWord::Unexpected429, noon());
    assert_eq!((quota.factor(), quota.status(noon())[0].allowed), (0.5, 30));
    assert!(quota.check(1, noon() + SECOND).is_err(), "not at once again");
    for _ in 0..5 {
        let _ = quota.observe(VendorWord::Unexpected429, noon() + SECOND);
    }
    assert_eq!(quota.factor(), 0.5, "calls in flight together are refused together");

    let slow = saturate(&mut quota, noon(), noon() + MINUTE - SECOND);
    assert!((27..=30).contains(&slow.len()), "{}", slow.len());
    let sends = saturate(&mut quota, noon() + MINUTE, noon() + 10 * MINUTE);
    assert!(quota.factor() > 0.9 && quota.factor() < 1.0, "{}", quota.factor());
    assert!(fullest(&sends, MINUTE) <= 60);
    let _ = saturate(&mut quota, noon() + 10 * MINUTE, noon() + 12 * MINUTE);
    assert_eq!((quota.factor(), quota.status(noon() + 12 * MINUTE)[0].allowed), (1.0, 60));
}

#[test]
fn an_idle_pause_is_no_evidence_and_raises_the_rate_by_one_step_only() {
    let mut quota = quota(&[sliding(60, MINUTE)], Pace::Burst);
    heard(&mut quota, VendorWord::Unexpected429, noon());
    let later = noon() + 24 * HOUR;
    let _sent = quota.try_take(1, later).expect("all is free");
    let _sent = quota.try_take(1, later).expect("a burst of three");
    assert_eq!(quota.factor(), 0.55);
}

#[test]
fn a_large_plan_that_goes_on_refusing_is_left_alone_for_longer_and_longer() {
    let mut quota = quota(&[sliding(1000, MINUTE)], Pace::Burst);
    let mut now = noon();
    let mut waits = Vec::new();
    for _ in 0..8 {
        heard(&mut quota, VendorWord::Unexpected429, now);
        let until = quota.blocked_until(now).expect("it waits");
        waits.push(until.since(now).as_secs());
        now = until;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
}

#[test]
fn repeated_refusals_never_stop_the_vendor_for_good() {
    let mut quota = quota(&[sliding(5, MINUTE), day(100)], Pace::Burst);
    let mut now = noon();
    for _ in 0..30 {
        heard(&mut quota, VendorWord::Unexpected429, now);
        let refused = quota.check(1, now).expect_err("a refusal is heeded");
        assert!(refused.retry_at.since(now) <= 5 * MINUTE, "{refused:?}");
        now = refused.retry_at;
        let _sent = quota.try_take(1, now).expect("woken in time");
        now += MINUTE;
    }
    assert!((0.05..=0.11).contains(&quota.factor()), "a step up, a half down: {}", quota.factor());
}

#[test]
fn an_unexpected_refusal_without_sliding_windows_waits_a_minute() {
    let mut quota = quota(&[month(500_000)], Pace::Burst);
    heard(&mut quota, VendorWord::Unexpected429, noon());
    assert_eq!(quota.check(1, noon()).expect_err("waits").retry_at, noon() + MINUTE);
}

#[test]
fn the_learned_rate_survives_a_restart() {
    let mut quota = quota(&[sliding(60, MINUTE)], Pace::Burst);
    let saved = quota.observe(VendorWord::Unexpected429, noon()).expect("learned");
    let again = Quota::restore(quota.settings().clone(), &saved, HOUR, noon() + HOUR);
    assert_eq!(again.status(noon() + HOUR)[0].allowed, 30);
}
