//! LIM-1, LIM-2, LIM-3, LIM-4, LIM-6; algorithms.md §1 and §16, invariants 1 and 2.

use std::collections::VecDeque;

use insta::assert_snapshot;
use jiff::tz::TimeZone;

use super::*;

mod calendar;
mod model;
mod money;
mod restart;
mod word;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const NANO: Duration = Duration::from_nanos(1);

/// Numbers from a seed (SplitMix64).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `[0, below)`.
    fn below(&mut self, below: u64) -> u64 {
        self.next() % below
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

fn sliding(count: u32, length: Duration) -> Limit {
    Limit { count, window: Window::Sliding(length) }
}

fn day(count: u32) -> Limit {
    Limit { count, window: Window::Day }
}

fn month(count: u32) -> Limit {
    Limit { count, window: Window::Month }
}

fn new_york() -> TimeZone {
    TimeZone::get("America/New_York").expect("the zone database is bundled")
}

fn settings(limits: &[Limit], pace: Pace) -> Settings {
    Settings::new(limits.to_vec(), pace, new_york())
}

fn quota(limits: &[Limit], pace: Pace) -> Quota {
    Quota::new(settings(limits, pace))
}

fn at(text: &str) -> Instant {
    Instant::parse(text).expect("tests write instants well")
}

/// An ordinary Wednesday noon in New York.
fn noon() -> Instant {
    at("2026-01-14T17:00:00Z")
}

/// The greatest sum of costs in any span `[t, t + window]`, both ends included: counted from the sends
/// alone, knowing nothing of quotas.
fn fullest(sends: &[(Instant, u32)], window: Duration) -> u64 {
    let mut inside: VecDeque<(Instant, u32)> = VecDeque::new();
    let (mut sum, mut fullest) = (0, 0);
    for &(at, cost) in sends {
        while inside.front().is_some_and(|(first, _)| *first + window < at) {
            sum -= inside.pop_front().map_or(0, |(_, cost)| u64::from(cost));
        }
        inside.push_back((at, cost));
        sum += u64::from(cost);
        fullest = fullest.max(sum);
    }
    fullest
}

/// Everything a refusal must not touch.
fn counters(quota: &Quota) -> impl PartialEq + std::fmt::Debug + use<> {
    let windows = (quota.windows.clone(), quota.spend.clone(), quota.blocked_until, quota.factor);
    (windows, quota.latest, quota.lease_left, quota.lease_sequence, quota.sequence)
}

/// Takes one permit after the other, each as soon as it is there, until `end`.
fn saturate(quota: &mut Quota, start: Instant, end: Instant) -> Vec<(Instant, u32)> {
    let mut sends = Vec::new();
    let mut now = start;
    while now < end {
        match quota.try_take(1, now) {
            Ok(grant) => sends.push((grant.at, grant.cost.units)),
            Err(refused) => now = refused.retry_at,
        }
    }
    sends
}

/// Plays `seconds take [cost]` lines against a quota; a fact a line.
fn play(mut quota: Quota, script: &str) -> String {
    let start = noon();
    let mut out = String::new();
    for step in script.split(", ") {
        let mut words = step.split(' ');
        let secs: f64 = words.next().and_then(|word| word.parse().ok()).expect("a step starts with seconds");
        let now = start + Duration::from_secs_f64(secs);
        let cost = words.nth(1).map_or(1, |word| word.parse().expect("a cost is a number"));
        let said = match quota.try_take(cost, now) {
            Ok(grant) => format!("granted, {} left", grant.remaining),
            Err(refused) if refused.retry_at == Instant::MAX => format!("never: {:?}", refused.cause),
            Err(refused) => {
                format!("at {}: {:?}", refused.retry_at.since(start).as_secs_f64(), refused.cause)
            }
        };
        out += &format!("{step:<8} {said}\n");
    }
    out
}

#[test]
fn a_burst_spends_the_capacity_at_once_and_the_log_has_the_last_word() {
    let quota = quota(&[sliding(5, MINUTE)], Pace::Burst);
    assert_snapshot!(play(quota, "0 take, 0 take, 0 take, 12 take, 24 take, 36 take, 48 take, 60 take, 61 take"), @r"
    0 take   granted, 4 left
    0 take   granted, 3 left
    0 take   at 12: Paced(Sliding(60s))
    12 take  granted, 2 left
    24 take  granted, 1 left
    36 take  granted, 0 left
    48 take  at 60.25: Spent(Sliding(60s))
    60 take  at 60.25: Spent(Sliding(60s))
    61 take  granted, 1 left
    ");
}

#[test]
fn a_strict_pace_spaces_permits_evenly_from_the_first() {
    let quota = quota(&[sliding(60, MINUTE)], Pace::Strict);
    assert_snapshot!(play(quota, "0 take, 0.5 take, 1 take, 1.9 take, 2 take"), @r"
    0 take   granted, 59 left
    0.5 take at 1: Paced(Sliding(60s))
    1 take   granted, 58 left
    1.9 take at 2: Paced(Sliding(60s))
    2 take   granted, 57 left
    ");
}

#[test]
fn a_cost_above_the_burst_waits_for_a_full_bucket_and_above_the_limit_never_comes() {
    let quota = quota(&[sliding(60, MINUTE)], Pace::Burst);
    assert_snapshot!(play(quota, "0 take 8, 0 take 1, 8 take 6, 8 take 61, 9 take 0"), @r"
    0 take 8 granted, 52 left
    0 take 1 at 3: Paced(Sliding(60s))
    8 take 6 granted, 46 left
    8 take 61 never: Spent(Sliding(60s))
    9 take 0 granted, 46 left
    ");
}

#[test]
fn no_limits_means_no_refusal_and_a_limit_of_zero_no_grant() {
    let mut free = quota(&[], Pace::Burst);
    for _ in 0..10_000 {
        let grant = free.try_take(7, noon()).expect("nothing is limited");
        assert_eq!((grant.binding, grant.must_persist), (None, None));
    }
    let refused = quota(&[sliding(0, MINUTE)], Pace::Burst).try_take(1, noon());
    assert_eq!(
        refused,
        Err(Refused { retry_at: Instant::MAX, cause: Cause::Spent(Window::Sliding(MINUTE)) })
    );
    assert!(quota(&[day(0)], Pace::Burst).try_take(1, noon()).is_err());
}

#[test]
fn steady_demand_gets_nearly_all_of_every_plan() {
    for count in [5, 8, 60, 1_000] {
        for pace in [Pace::Burst, Pace::Strict] {
            let sends = saturate(&mut quota(&[sliding(count, MINUTE)], pace), noon(), noon() + 20 * MINUTE);
            let share = sends.len() as f64 / (20.0 * f64::from(count));
            assert!(share >= 0.95, "{count} a minute, {pace:?}: {share}");
            assert!(fullest(&sends, MINUTE) <= u64::from(count));
        }
    }
}

#[test]
fn short_windows_keep_nearly_all_of_their_rate_too() {
    let sends = saturate(&mut quota(&[sliding(10, SECOND)], Pace::Burst), noon(), noon() + 100 * SECOND);
    assert!(sends.len() >= 950, "{}", sends.len());
    assert!(fullest(&sends, SECOND) <= 10);
}

#[test]
fn large_windows_counted_in_grains_stay_exact_from_above_and_lose_little() {
    let limit = 12_000;
    for pace in [Pace::Burst, Pace::Strict] {
        let sends = saturate(&mut quota(&[sliding(limit, MINUTE)], pace), noon(), noon() + 4 * MINUTE);
        assert!(fullest(&sends, MINUTE) <= u64::from(limit));
        let share = sends.len() as f64 / (4.0 * f64::from(limit));
        assert!(share >= 0.95, "{pace:?}: {share}");
    }
}

#[test]
fn a_grain_counts_until_its_last_grant_has_left_the_window() {
    let limits = [sliding(12_000, MINUTE)];
    let bare = Settings { margin: NANO, capacity: Some(u32::MAX), ..settings(&limits, Pace::Burst) };
    let mut quota = Quota::new(bare);
    let _early = quota.try_take(6_000, noon()).expect("all is free");
    let _late = quota.try_take(6_000, noon() + Duration::from_millis(900)).expect("half is free");
    let refused = quota.check(1, noon() + MINUTE + SECOND / 2).expect_err("the second half is in the window");
    assert_eq!(refused.retry_at, noon() + Duration::from_millis(60_900) + NANO);
}

#[test]
fn a_day_limit_behind_a_minute_limit_is_spent_to_the_last_permit() {
    let start = at("2026-01-14T05:00:10Z");
    let mut both = quota(&[sliding(5, MINUTE), day(25)], Pace::Burst);
    let sends = saturate(&mut both, start, start + 72 * HOUR - MINUTE);
    assert_eq!(sends.len(), 75);
    assert!(fullest(&sends, MINUTE) <= 5);
}

#[test]
fn a_refusal_by_one_window_leaves_all_windows_as_they_were() {
    let mut quota = quota(&[sliding(100, MINUTE), sliding(3, HOUR), day(2)], Pace::Burst);
    for n in 0..20 {
        let before = counters(&quota);
        let refused = quota.try_take(1, noon() + n * SECOND).is_err();
        assert_eq!(refused, n >= 2);
        assert_eq!(counters(&quota) == before, refused);
    }
    assert_eq!(
        quota.statistics(),
        Statistics { granted: 2, successes: 2, refused: 18, ..Statistics::default() }
    );
    assert_eq!(quota.statistics().success_rate(), 0.1);
}

#[test]
fn a_permit_is_there_at_the_instant_a_refusal_names_and_not_before() {
    let mut draws = Draws(3);
    let mut quota = quota(&[sliding(8, MINUTE), sliding(40, HOUR), day(100)], Pace::Burst);
    let mut now = at("2026-03-07T12:00:00Z");
    for _ in 0..2_000 {
        let cost = 1 + draws.below(3) as u32;
        if let Err(refused) = quota.try_take(cost, now) {
            assert!(refused.retry_at > now);
            assert!(quota.check(cost, refused.retry_at - NANO).is_err(), "woken late: {refused:?}");
            assert!(quota.check(cost, refused.retry_at).is_ok(), "woken in vain: {refused:?}");
            now = if draws.one_in(3) { refused.retry_at } else { now + (draws.below(20) as u32) * SECOND };
        }
    }
}

#[test]
fn a_permit_of_a_caller_who_left_is_there_for_the_next() {
    let mut quota = quota(&[sliding(5, MINUTE), day(5)], Pace::Burst);
    let first = quota.try_take(1, noon()).expect("all is free");
    let second = quota.try_take(1, noon()).expect("the burst is two");
    assert!(quota.try_take(1, noon()).is_err());
    quota.give_back(second);
    let third = quota.try_take(1, noon()).expect("one came back");
    assert_eq!(third.remaining, 3);
    quota.give_back(third);
    quota.give_back(first);
    assert_eq!(quota.status(noon()).iter().map(|window| window.used).collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn a_permit_given_back_after_its_window_has_passed_frees_nothing() {
    let mut quota = quota(&[sliding(5, MINUTE)], Pace::Burst);
    let old = quota.try_take(1, noon()).expect("all is free");
    let later = noon() + 2 * MINUTE;
    let _kept = quota.try_take(1, later).expect("all is free");
    quota.give_back(old);
    assert_eq!(quota.status(later)[0].used, 1);
}

#[test]
fn status_tells_what_is_used_and_when_it_comes_back() {
    let mut quota = quota(&[sliding(5, MINUTE), day(25)], Pace::Burst);
    let idle = quota.status(noon());
    assert_eq!((idle[0].used, idle[0].remaining, idle[0].resets_at), (0, 5, None));
    let _first = quota.try_take(1, noon()).expect("all is free");
    let _second = quota.try_take(1, noon() + 12 * SECOND).expect("all is free");
    let busy = quota.status(noon() + 20 * SECOND);
    assert_eq!((busy[0].used, busy[0].remaining), (2, 3));
    assert_eq!(busy[0].resets_at, Some(noon() + MINUTE + Duration::from_millis(250)));
    assert_eq!((busy[1].used, busy[1].remaining), (2, 23));
    assert_eq!(busy[1].resets_at, Some(at("2026-01-15T05:00:00Z")));
    assert_eq!(busy[0].utilization(), 0.4);
    let later = quota.status(noon() + MINUTE + SECOND);
    assert_eq!((later[0].used, later[0].resets_at), (1, Some(noon() + Duration::from_millis(72_250))));
}

#[test]
fn a_late_reader_of_the_clock_cannot_reopen_the_past() {
    let mut quota = quota(&[sliding(2, MINUTE)], Pace::Burst);
    let _first = quota.try_take(1, noon()).expect("all is free");
    let second = quota.try_take(1, noon() - 5 * SECOND).expect("the burst is two");
    assert_eq!(second.at, noon());
    assert!(quota.try_take(1, noon() - HOUR).is_err());
    assert!(quota.try_take(1, noon() + 59 * SECOND).is_err());
}

#[test]
fn waits_are_counted() {
    let mut quota = quota(&[sliding(5, MINUTE)], Pace::Burst);
    quota.note_wait(2 * SECOND);
    quota.note_wait(3 * SECOND);
    assert_eq!((quota.statistics().waited, quota.statistics().wait_total), (2, 5 * SECOND));
    assert_eq!(quota.statistics().success_rate(), 1.0);
}
