//! SLA-5.

use std::time::Duration;

use super::super::objective::{Alarm, BurnChange, Goal, Objective};
use super::{at, ms};

fn objective() -> Objective {
    Objective::new(Goal { within: ms(500), share: 0.995 })
}

/// Ten answers a minute, of which some are bad; what changed, with its minute.
fn play(objective: &mut Objective, minutes: std::ops::Range<u64>, bad_of_ten: u64) -> Vec<(u64, BurnChange)> {
    let mut changes = Vec::new();
    for minute in minutes {
        for n in 0..10 {
            let now = at(minute * 60 + n);
            let found = objective.record(ms(20), n >= bad_of_ten, now);
            changes.extend(found.into_iter().map(|change| (minute, change)));
        }
    }
    changes
}

#[test]
fn an_hour_ago_is_not_now_and_one_window_alone_raises_no_alarm() {
    let mut objective = Objective::new(Goal { within: ms(500), share: 0.99 });
    assert_eq!(play(&mut objective, 0..60, 0), []);
    // A burst of two bad minutes: the five minutes burn at 40, the hour at 3.3.
    assert_eq!(play(&mut objective, 60..62, 10), []);
    let burns = [5, 60].map(|minutes| objective.burn_rate(minutes, at(62 * 60 - 1)).expect("answers"));
    assert!(burns[0] > 14.4 && burns[1] < 14.4, "{burns:?}");
    assert_eq!(play(&mut objective, 62..66, 0), []);
    // The other way round: ten bad minutes raise it, and once they are over the hour alone does not keep it.
    let raised = play(&mut objective, 66..76, 10);
    assert!(raised.iter().any(|(_, change)| change.alarm == Alarm::Fast && change.began), "{raised:?}");
    assert!(objective.sounds(Alarm::Fast));
    let ended = play(&mut objective, 76..84, 0);
    assert!(ended.iter().any(|(_, change)| change.alarm == Alarm::Fast && !change.began), "{ended:?}");
    assert!(objective.burn_rate(60, at(84 * 60)).is_some_and(|burn| burn > 14.4));
    assert!(!objective.sounds(Alarm::Fast));
}

#[test]
fn a_slow_burn_raises_the_slow_alarm_and_not_the_fast_one() {
    let mut objective = Objective::new(Goal { within: ms(500), share: 0.98 });
    // One of seven is bad: burns at 7.
    let mut changes = Vec::new();
    for n in 0..4_000_u64 {
        let found = objective.record(ms(20), n % 7 != 0, at(n * 6));
        changes.extend(found);
    }
    let told: Vec<(Alarm, bool)> = changes.iter().map(|change| (change.alarm, change.began)).collect();
    assert_eq!(told, [(Alarm::Slow, true)]);
}

#[test]
fn too_late_is_as_bad_as_never_and_a_few_answers_raise_no_alarm() {
    let mut objective = objective();
    for n in 0..9 {
        assert_eq!(objective.record(ms(501), true, at(n)), []);
    }
    assert_eq!(objective.budget(at(9)).bad, 9);
    let tenth = objective.record(ms(501), true, at(9));
    assert_eq!(tenth.len(), 2, "{tenth:?}");
}

#[test]
fn the_budget_is_that_of_thirty_days() {
    let mut objective = objective();
    assert_eq!(objective.budget(at(0)).left, 1.0);
    for n in 0..1_000 {
        objective.record(ms(20), n % 400 != 0, at(n));
    }
    // Three of a thousand are bad where five may be.
    let budget = objective.budget(at(1_000));
    assert_eq!((budget.answers, budget.bad), (1_000, 3));
    assert!((budget.left - 0.4).abs() < 1e-9, "{budget:?}");
    assert_eq!(objective.budget(at(31 * 86_400)).answers, 0);
}

#[test]
fn the_rates_are_those_of_the_windows() {
    // A naive count over a random history.
    let mut objective = objective();
    let mut history = Vec::new();
    let mut random = 7_u64;
    let mut second = 0;
    for _ in 0..20_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        second += (random >> 40) % 4;
        let bad = (random >> 33).is_multiple_of(50);
        objective.record(ms(20), !bad, at(second));
        history.push((at(second), bad));
    }
    let now = at(second);
    for minutes in [5, 30, 60, 360] {
        let begins = now.floor_to(Duration::from_secs(60)) - Duration::from_secs(60 * (minutes - 1));
        let inside: Vec<bool> = history.iter().filter(|(at, _)| *at >= begins).map(|(_, bad)| *bad).collect();
        let share = inside.iter().filter(|bad| **bad).count() as f64 / inside.len() as f64;
        let burn = objective.burn_rate(minutes as u32, now).expect("answers");
        assert!((burn - share / 0.005).abs() < 1e-9, "{minutes}: {burn} {share}");
    }
}
