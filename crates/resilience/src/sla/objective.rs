//! What is promised of answers, and how fast the room for breaking it is used up (SLA-5).
//!
//! Burn rate and its windows: "The Site Reliability Workbook", chapter "Alerting on SLOs", 2018.

use std::time::Duration;

use domain::Instant;

use super::ring::Ring;

/// Minutes kept one by one, which is what the longest window of an alarm covers.
const MINUTES: u32 = 360;
/// Hours kept: thirty days, over which the error budget is meant.
const HOURS: u32 = 720;
/// Fewer answers in a window raise no alarm.
const ENOUGH: u64 = 10;

/// A promise: this share of the answers comes within this time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// An answer that takes longer counts like none.
    pub within: Duration,
    /// Share of good answers, in `[0, 1)`.
    pub share: f64,
}

/// An alarm on the burn rate. Both its windows must agree: the long one that it matters, the short one that it
/// still goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Alarm {
    /// 14.4 over an hour and five minutes: two percent of the budget in an hour.
    Fast,
    /// 6 over six hours and thirty minutes: five percent of the budget in six hours.
    Slow,
}

impl Alarm {
    /// Both.
    pub const ALL: [Alarm; 2] = [Alarm::Fast, Alarm::Slow];

    /// The word: `fast`, `slow`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Alarm::Fast => "fast",
            Alarm::Slow => "slow",
        }
    }

    /// The burn rate from which it sounds.
    pub const fn rate(self) -> f64 {
        match self {
            Alarm::Fast => 14.4,
            Alarm::Slow => 6.0,
        }
    }

    /// Its long window and its short one, in minutes.
    pub const fn minutes(self) -> [u32; 2] {
        match self {
            Alarm::Fast => [60, 5],
            Alarm::Slow => [360, 30],
        }
    }
}

/// A fact for metrics and alerts: an alarm has begun or ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BurnChange {
    /// Which.
    pub alarm: Alarm,
    /// Whether it has begun.
    pub began: bool,
    /// Burn rate over its long window.
    pub rate: f64,
}

/// What is left of thirty days' room for bad answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Answers in thirty days.
    pub answers: u64,
    /// Bad ones among them.
    pub bad: u64,
    /// Share of the budget that is left: 1 unused, below 0 overspent. 1 without answers.
    pub left: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    answers: u64,
    bad: u64,
}

/// Answers of one class, held against their goal.
#[derive(Clone, Debug)]
pub struct Objective {
    goal: Goal,
    minutes: Ring<Count>,
    hours: Ring<Count>,
    sounding: [bool; 2],
    judged_minute: i64,
    newest: Instant,
}

impl Objective {
    /// No answers yet.
    pub fn new(goal: Goal) -> Objective {
        Objective {
            goal,
            minutes: Ring::new(Duration::from_secs(60) * MINUTES, MINUTES),
            hours: Ring::new(Duration::from_secs(3_600) * HOURS, HOURS),
            sounding: [false; 2],
            judged_minute: i64::MIN,
            newest: Instant::MIN,
        }
    }

    /// Takes an answer, or the lack of one, and says which alarms that begins or ends.
    pub fn record(&mut self, took: Duration, answered: bool, now: Instant) -> Vec<BurnChange> {
        let now = now.max(self.newest);
        self.newest = now;
        let bad = !answered || took > self.goal.within;
        for count in [self.minutes.at(now), self.hours.at(now)] {
            count.answers += 1;
            count.bad += u64::from(bad);
        }
        let minute = now.as_secs().div_euclid(60);
        if !bad && minute == self.judged_minute {
            return Vec::new(); // a good answer changes nothing that the next minute would not tell
        }
        self.judged_minute = minute;
        let mut changes = Vec::new();
        for (index, alarm) in Alarm::ALL.into_iter().enumerate() {
            let [long, short] = alarm.minutes().map(|minutes| self.window(minutes, now));
            let above = |count: Count| self.rate(count) >= alarm.rate();
            let began = [long, short].into_iter().all(|count| count.answers >= ENOUGH && above(count));
            let goes_on = self.sounding[index] && above(short);
            if began != self.sounding[index] && !goes_on {
                self.sounding[index] = began;
                changes.push(BurnChange { alarm, began, rate: self.rate(long) });
            }
        }
        changes
    }

    fn window(&self, minutes: u32, now: Instant) -> Count {
        self.minutes
            .newest(i64::from(minutes), now)
            .fold(Count::default(), |a, b| Count { answers: a.answers + b.answers, bad: a.bad + b.bad })
    }

    fn rate(&self, count: Count) -> f64 {
        if count.answers == 0 {
            return 0.0;
        }
        count.bad as f64 / count.answers as f64 / (1.0 - self.goal.share).max(1e-9)
    }

    /// How many times too fast the budget is used up over the last minutes, up to 360: 1 uses it up exactly.
    /// `None` without answers.
    pub fn burn_rate(&self, minutes: u32, now: Instant) -> Option<f64> {
        let count = self.window(minutes, now.max(self.newest));
        (count.answers > 0).then(|| self.rate(count))
    }

    /// Whether an alarm sounds, as of the last answer.
    pub fn sounds(&self, alarm: Alarm) -> bool {
        self.sounding[alarm as usize]
    }

    /// What is left of thirty days' budget.
    pub fn budget(&self, now: Instant) -> Budget {
        let total = self
            .hours
            .held(now.max(self.newest))
            .fold(Count::default(), |a, b| Count { answers: a.answers + b.answers, bad: a.bad + b.bad });
        Budget { answers: total.answers, bad: total.bad, left: 1.0 - self.rate(total) }
    }

    /// The promise.
    pub fn goal(&self) -> Goal {
        self.goal
    }
}
