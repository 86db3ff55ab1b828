//! LIM-1: money is a window like the others.

use super::*;

const DOLLAR: u64 = 1_000_000;

fn spend(micros: u64, window: Window) -> SpendLimit {
    SpendLimit { micros, window }
}

fn paid(micros: u64) -> Cost {
    Cost { units: 1, micros }
}

fn with_money(limits: &[Limit], spend: &[SpendLimit]) -> Settings {
    Settings { spend: spend.to_vec(), ..settings(limits, Pace::Burst) }
}

#[test]
fn money_that_is_spent_refuses_until_the_day_ends_and_a_free_call_goes_on() {
    let mut quota = Quota::new(with_money(&[], &[spend(DOLLAR, Window::Day)]));
    let _ = quota.try_take(paid(700_000), noon()).expect("there is a dollar");
    let refused = quota.try_take(paid(300_001), noon()).expect_err("a millionth too much");
    assert_eq!(refused.cause, Cause::Unaffordable(Window::Day));
    // Midnight in New York, and two seconds for clocks that differ, on either side.
    assert_eq!(refused.retry_at, at("2026-01-15T05:00:02Z"));
    assert!(quota.check(paid(300_000), noon()).is_ok());
    assert!(quota.check(1, noon()).is_ok(), "what is free is not refused for want of money");
    assert!(quota.check(paid(DOLLAR), refused.retry_at).is_ok());
    assert_eq!(quota.check(paid(DOLLAR + 1), noon()).expect_err("never").retry_at, Instant::MAX);
    let status = quota.spend_status(noon())[0];
    assert_eq!((status.used, status.remaining), (700_000, 300_000));
}

#[test]
fn a_refusal_for_want_of_money_uses_no_permit_and_one_for_want_of_permits_no_money() {
    let limits = [spend(DOLLAR, Window::Sliding(HOUR))];
    let mut quota = Quota::new(with_money(&[sliding(2, MINUTE)], &limits));
    let before = counters(&quota);
    let _ = quota.try_take(paid(DOLLAR + 1), noon()).expect_err("too dear");
    assert_eq!(counters(&quota), before);
    let _ = quota.try_take(paid(1), noon()).expect("the first");
    let _ = quota.try_take(paid(1), noon()).expect("the second");
    let before = counters(&quota);
    let _ = quota.try_take(paid(1), noon()).expect_err("two a minute");
    assert_eq!(counters(&quota), before);
    assert_eq!(quota.spend_status(noon())[0].used, 2);
}

#[test]
fn a_call_that_was_not_sent_gets_its_money_back() {
    let mut quota =
        Quota::new(with_money(&[], &[spend(10, Window::Month), spend(10, Window::Sliding(HOUR))]));
    let grant = quota.try_take(paid(10), noon()).expect("all of it");
    assert!(quota.check(paid(1), noon()).is_err());
    quota.give_back(grant);
    assert!(quota.check(paid(10), noon()).is_ok());
}

#[test]
fn every_call_that_costs_is_written_down_before_it_is_sent() {
    // A thousand a minute would have leases of ten; no lease covers money.
    let settings = with_money(&[sliding(1_000, MINUTE)], &[spend(DOLLAR, Window::Month)]);
    let mut quota = Quota::new(settings.clone());
    let mut disk = None;
    for _ in 0..5 {
        let grant = quota.try_take(paid(100_000), noon()).expect("half a dollar in all");
        let snapshot = *grant.must_persist.expect("written down");
        quota.persisted(snapshot.sequence);
        disk = Some(snapshot);
    }
    let after_crash = Quota::restore(settings, &disk.expect("five"), Duration::ZERO, noon());
    assert_eq!(after_crash.spend_status(noon())[0].used, 500_000);
}

#[test]
fn a_limit_of_money_that_is_new_starts_from_what_the_others_remember() {
    let mut quota = Quota::new(with_money(&[], &[spend(DOLLAR, Window::Month)]));
    let _ = quota.try_take(paid(400_000), noon()).expect("there is a dollar");
    let both =
        [spend(DOLLAR, Window::Month), spend(500_000, Window::Day), spend(500_000, Window::Sliding(HOUR))];
    quota.resettle(with_money(&[], &both), noon());
    let used: Vec<_> = quota.spend_status(noon()).iter().map(|status| status.used).collect();
    assert_eq!(used, [400_000; 3]);
}

#[test]
fn no_schedule_of_prices_crashes_and_lost_writes_overspends_a_window() {
    for seed in 0..8 {
        let mut draws = Draws(seed);
        let windows = [(5 * DOLLAR, MINUTE), (40 * DOLLAR, HOUR)];
        let limits = windows.map(|(micros, length)| spend(micros, Window::Sliding(length)));
        let settings = with_money(&[sliding(50, MINUTE)], &limits);
        let mut quota = Quota::new(settings.clone());
        let mut disk: Option<Snapshot> = None;
        let mut now = noon();
        let mut sends: Vec<(Instant, u32)> = Vec::new();
        let mut refused_for_money = 0;
        for _ in 0..6_000 {
            let price = draws.below(DOLLAR);
            match quota.try_take(paid(price), now) {
                Ok(grant) if draws.one_in(20) => quota.give_back(grant),
                Ok(mut grant) => {
                    if let Some(snapshot) = grant.must_persist.take() {
                        quota.persisted(snapshot.sequence);
                        disk = Some(*snapshot);
                    }
                    sends.push((now, price as u32));
                }
                Err(refused) => {
                    refused_for_money += u32::from(matches!(refused.cause, Cause::Unaffordable(_)));
                    if draws.one_in(2) {
                        now = refused.retry_at;
                    }
                }
            }
            now += Duration::from_millis(draws.below(2_000));
            if let Some(saved) = disk.as_ref().filter(|_| draws.one_in(100)) {
                quota = Quota::restore(settings.clone(), saved, now.since(saved.saved_at), now);
            }
        }
        assert!(refused_for_money > 100, "seed {seed}: {refused_for_money}");
        for (micros, length) in windows {
            let spent = fullest(&sends, length);
            assert!(spent <= micros, "seed {seed}: {spent} within {length:?}");
            assert!(spent > micros * 8 / 10, "seed {seed}: only {spent} within {length:?} was ever used");
        }
    }
}
