//! How fast a vendor's endpoint may be asked, as learned from how it answers (LIM-9).
//!
//! The rule: over a window of replies, up half a factor while nearly all succeed quickly; down a whole one when
//! many fail, all are slow, several fail in a row, or the last ones show overload. Between two changes lies a
//! cooldown. The rate never passes the plan's, and a rate at which the vendor refused us is not tried again for
//! a day.

use std::collections::VecDeque;
use std::time::Duration;

use domain::Instant;

/// How large the steps are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Eagerness {
    /// Half the factor.
    Conservative,
    /// The factor, 0.1.
    #[default]
    Balanced,
    /// Twice the factor.
    Aggressive,
}

impl Eagerness {
    /// All, smallest steps first.
    pub const ALL: [Eagerness; 3] = [Eagerness::Conservative, Eagerness::Balanced, Eagerness::Aggressive];

    /// The word used in configuration and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Eagerness::Conservative => "conservative",
            Eagerness::Balanced => "balanced",
            Eagerness::Aggressive => "aggressive",
        }
    }

    /// Share of the rate by which it goes down; it goes up by half of that.
    pub const fn factor(self) -> f64 {
        match self {
            Eagerness::Conservative => 0.05,
            Eagerness::Balanced => 0.1,
            Eagerness::Aggressive => 0.2,
        }
    }
}

/// Replies older than this are forgotten.
pub const WINDOW: Duration = Duration::from_secs(300);
/// Below so many replies in the window nothing is concluded.
pub const ENOUGH: usize = 10;
/// Time between two changes.
pub const COOLDOWN: Duration = Duration::from_secs(30);
/// The rate is never learned down below this, in calls per second, or below the plan's where that is less.
pub const LEAST: f64 = 0.1;
/// A rate at which the vendor refused us is not tried again for so long.
pub const REMEMBERED: Duration = Duration::from_secs(86_400);
/// What a learned rate gives in this time may go out at once: a tenth of a minute, as of a plan.
const BURST: Duration = Duration::from_secs(6);
/// Replies among which overload is looked for.
const RECENT: usize = 20;
/// At most so many replies are remembered.
const MOST: usize = 1_000;
/// Doubled latencies below this are no overload.
const NOTICEABLE: Duration = Duration::from_millis(500);

/// How one call ended, as far as the rate is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Answered, be it with "no such symbol".
    Well,
    /// Refused for its rate.
    TooMany,
    /// Status 503.
    Unavailable,
    /// No reply in time.
    TimedOut,
    /// Failed otherwise.
    Failed,
}

/// Why the rate last changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Nearly all succeed, quickly.
    Healthy,
    /// More than a tenth failed.
    Errors,
    /// Replies take more than three seconds.
    Slow,
    /// Five failures in a row.
    FailuresInARow,
    /// Over two refusals for the rate, a 503, three time-outs or a doubled latency among the last twenty.
    Overload,
    /// Learned by an earlier run.
    Restored,
}

impl Rule {
    /// The word used in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Rule::Healthy => "healthy",
            Rule::Errors => "errors_over_10_percent",
            Rule::Slow => "latency_over_3_s",
            Rule::FailuresInARow => "five_failures_in_a_row",
            Rule::Overload => "overload",
            Rule::Restored => "restored",
        }
    }
}

/// What the window showed when the rate last changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Which rule acted.
    pub rule: Rule,
    /// When.
    pub at: Instant,
    /// Replies in the window.
    pub replies: usize,
    /// Share of them that succeeded, in `[0, 1]`.
    pub success_rate: f64,
    /// Their mean latency.
    pub latency: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Reply {
    at: Instant,
    latency: Duration,
    ended: Ended,
}

/// The learned rate of one endpoint of one vendor.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    eagerness: Eagerness,
    plan: Option<f64>,
    /// Calls per second; `None`: as the plan allows.
    learned: Option<f64>,
    replies: VecDeque<Reply>,
    in_a_row: u32,
    evidence: Option<Evidence>,
    /// When everything sent so far will have been paid off at the learned rate.
    paid_at: Instant,
}

impl Rate {
    /// Nothing is learned yet. `plan` is what the plan sustains, in calls per second; `None` without limits.
    pub fn new(eagerness: Eagerness, plan: Option<f64>) -> Rate {
        Rate {
            eagerness,
            plan,
            learned: None,
            replies: VecDeque::new(),
            in_a_row: 0,
            evidence: None,
            paid_at: Instant::MIN,
        }
    }

    /// As an earlier run learned it; never above the plan.
    #[must_use]
    pub fn restored(mut self, per_second: f64, now: Instant) -> Rate {
        if per_second.is_finite() && per_second > 0.0 {
            self.learned = Some(self.bounded(per_second)).filter(|rate| self.plan.is_none_or(|p| *rate < p));
            self.evidence = self.learned.map(|_| Evidence {
                rule: Rule::Restored,
                at: now,
                replies: 0,
                success_rate: 1.0,
                latency: Duration::ZERO,
            });
        }
        self
    }

    /// The rate in force, in calls per second; `None` where neither a plan nor experience limits it.
    pub fn per_second(&self) -> Option<f64> {
        self.learned.or(self.plan)
    }

    /// The rate where experience set it below the plan's.
    pub fn learned(&self) -> Option<f64> {
        self.learned
    }

    /// How large its steps are.
    pub fn eagerness(&self) -> Eagerness {
        self.eagerness
    }

    /// Why it is what it is; `None` before the first change.
    pub fn evidence(&self) -> Option<Evidence> {
        self.evidence
    }

    /// When the next call may go out.
    pub fn free_at(&self, now: Instant) -> Instant {
        let Some(rate) = self.learned else { return now };
        let ahead = BURST.saturating_sub(Duration::from_secs_f64(1.0 / rate));
        (self.paid_at - ahead).max(now)
    }

    /// A call goes out.
    pub fn sent(&mut self, now: Instant) {
        if let Some(rate) = self.learned {
            self.paid_at = self.paid_at.max(now) + Duration::from_secs_f64(1.0 / rate);
        }
    }

    /// A call that was to go out did not.
    pub fn unsent(&mut self) {
        if let Some(rate) = self.learned {
            self.paid_at = self.paid_at - Duration::from_secs_f64(1.0 / rate);
        }
    }

    /// A call has ended. Tells whether the rate has changed.
    pub fn ended(&mut self, ended: Ended, latency: Duration, now: Instant) -> bool {
        if self.replies.len() == MOST {
            self.replies.pop_front();
        }
        self.replies.push_back(Reply { at: now, latency, ended });
        while self.replies.front().is_some_and(|reply| now.since(reply.at) > WINDOW) {
            self.replies.pop_front();
        }
        self.in_a_row = if ended == Ended::Well { 0 } else { self.in_a_row + 1 };
        if self.evidence.is_some_and(|last| now.since(last.at) < COOLDOWN) {
            return false;
        }
        match self.rule() {
            None => false,
            Some(Rule::Healthy) => match self.learned {
                None => false,
                Some(rate) => {
                    let raised = self.bounded(rate * (1.0 + self.eagerness.factor() / 2.0));
                    self.learned = Some(raised).filter(|rate| self.plan.is_none_or(|plan| *rate < plan));
                    self.note(Rule::Healthy, now);
                    true
                }
            },
            Some(rule) => {
                let rate = self.per_second().unwrap_or_else(|| self.observed(now));
                self.learned = Some(self.bounded(rate * (1.0 - self.eagerness.factor())));
                self.in_a_row = 0;
                self.note(rule, now);
                true
            }
        }
    }

    fn rule(&self) -> Option<Rule> {
        if self.in_a_row >= 5 {
            return Some(Rule::FailuresInARow);
        }
        if self.is_overloaded() {
            return Some(Rule::Overload);
        }
        if self.replies.len() < ENOUGH {
            return None;
        }
        let (success, latency) = (self.success_rate(), mean(self.replies.iter()));
        if 1.0 - success > 0.1 {
            Some(Rule::Errors)
        } else if latency > Duration::from_secs(3) {
            Some(Rule::Slow)
        } else if success > 0.95 && latency < Duration::from_secs(2) {
            Some(Rule::Healthy)
        } else {
            None
        }
    }

    /// Only replies since the last change: those before it have had their consequence.
    fn is_overloaded(&self) -> bool {
        let since = self.evidence.map_or(Instant::MIN, |last| last.at);
        let recent = || self.replies.iter().rev().take(RECENT).filter(|reply| reply.at > since);
        let count = |ended| recent().filter(|reply| reply.ended == ended).count();
        if count(Ended::TooMany) > 2 || count(Ended::Unavailable) > 0 || count(Ended::TimedOut) >= 3 {
            return true;
        }
        let before = self.replies.len().saturating_sub(RECENT);
        if recent().count() < RECENT || before < ENOUGH {
            return false;
        }
        let (new, old) = (mean(recent()), mean(self.replies.iter().take(before)));
        new > NOTICEABLE && new > old * 2
    }

    fn note(&mut self, rule: Rule, now: Instant) {
        self.evidence = Some(Evidence {
            rule,
            at: now,
            replies: self.replies.len(),
            success_rate: self.success_rate(),
            latency: mean(self.replies.iter()),
        });
    }

    fn success_rate(&self) -> f64 {
        let good = self.replies.iter().filter(|reply| reply.ended == Ended::Well).count();
        if self.replies.is_empty() { 1.0 } else { good as f64 / self.replies.len() as f64 }
    }

    fn observed(&self, now: Instant) -> f64 {
        let first = self.replies.front().map_or(now, |reply| reply.at);
        self.replies.len() as f64 / now.since(first).as_secs_f64().max(1.0)
    }

    fn bounded(&self, rate: f64) -> f64 {
        let plan = self.plan.unwrap_or(f64::INFINITY);
        rate.max(LEAST.min(plan)).min(plan)
    }
}

fn mean<'a>(replies: impl Iterator<Item = &'a Reply>) -> Duration {
    let (sum, count) = replies.fold((Duration::ZERO, 0_u32), |(sum, n), reply| (sum + reply.latency, n + 1));
    sum.checked_div(count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    //! LIM-9.

    use super::*;

    fn t(secs: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(secs)
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Replies once a second that all end so; the rates after each.
    fn play(rate: &mut Rate, from: u64, count: u64, ended: Ended, latency: Duration) -> Vec<Option<f64>> {
        (from..from + count)
            .map(|second| {
                rate.ended(ended, latency, t(second));
                rate.per_second()
            })
            .collect()
    }

    fn close(a: Option<f64>, b: f64) -> bool {
        a.is_some_and(|a| (a - b).abs() < 1e-9)
    }

    #[test]
    fn five_failures_in_a_row_take_a_factor_and_the_next_step_waits_for_the_cooldown() {
        for (eagerness, kept) in
            [(Eagerness::Conservative, 0.95), (Eagerness::Balanced, 0.9), (Eagerness::Aggressive, 0.8)]
        {
            let mut rate = Rate::new(eagerness, Some(2.0));
            let rates = play(&mut rate, 0, 34, Ended::Failed, ms(100));
            assert!(close(rates[3], 2.0) && close(rates[4], 2.0 * kept), "{rates:?}");
            assert!(close(rates[33], 2.0 * kept), "within the cooldown: {rates:?}");
            assert_eq!(rate.evidence().map(|e| e.rule), Some(Rule::FailuresInARow));
            play(&mut rate, 34, 1, Ended::Failed, ms(100));
            assert!(close(rate.per_second(), 2.0 * kept * kept));
        }
    }

    #[test]
    fn overload_is_seen_in_three_refusals_one_503_three_time_outs_or_a_doubled_latency() {
        let after = |bad: Ended, count: u64| {
            let mut rate = Rate::new(Eagerness::Balanced, Some(1.0));
            play(&mut rate, 0, 100, Ended::Well, ms(100));
            for n in 0..count {
                play(&mut rate, 100 + 2 * n, 1, bad, ms(100));
                play(&mut rate, 101 + 2 * n, 1, Ended::Well, ms(100));
            }
            rate.evidence().map(|evidence| evidence.rule)
        };
        assert_eq!([after(Ended::TooMany, 2), after(Ended::TooMany, 3)], [None, Some(Rule::Overload)]);
        assert_eq!([after(Ended::Unavailable, 1)], [Some(Rule::Overload)]);
        assert_eq!([after(Ended::TimedOut, 2), after(Ended::TimedOut, 3)], [None, Some(Rule::Overload)]);
        let mut rate = Rate::new(Eagerness::Balanced, Some(1.0));
        play(&mut rate, 0, 100, Ended::Well, ms(400));
        assert!(play(&mut rate, 100, 20, Ended::Well, ms(1_000)).iter().any(|r| close(*r, 0.9)));
        let mut rate = Rate::new(Eagerness::Balanced, Some(1.0));
        play(&mut rate, 0, 100, Ended::Well, ms(10));
        assert_eq!(play(&mut rate, 100, 20, Ended::Well, ms(30)).last(), Some(&Some(1.0)));
    }

    #[test]
    fn many_errors_and_slow_replies_take_a_factor_each() {
        let mut rate = Rate::new(Eagerness::Balanced, Some(1.0));
        for n in 0..20 {
            play(&mut rate, n, 1, if n % 5 == 0 { Ended::Failed } else { Ended::Well }, ms(100));
        }
        assert_eq!(rate.evidence().map(|e| e.rule), Some(Rule::Errors));
        let mut rate = Rate::new(Eagerness::Balanced, Some(1.0));
        play(&mut rate, 0, 10, Ended::Well, ms(3_100));
        assert_eq!(rate.evidence().map(|e| (e.rule, e.replies)), Some((Rule::Slow, 10)));
    }

    #[test]
    fn success_leads_back_to_the_plan_by_half_steps_and_never_above_it() {
        let mut rate = Rate::new(Eagerness::Balanced, Some(1.0)).restored(0.5, t(0));
        let rates = play(&mut rate, 1, 2_000, Ended::Well, ms(100));
        assert!(close(rates[100], 0.5 * 1.05_f64.powi(3)), "{:?}", &rates[..100]);
        assert!(rates.iter().all(|rate| rate.unwrap() <= 1.0));
        assert_eq!((rates.last(), rate.learned()), (Some(&Some(1.0)), None));
    }

    #[test]
    fn it_never_goes_below_its_floor_or_above_the_plan() {
        let mut rate = Rate::new(Eagerness::Aggressive, Some(3.0));
        play(&mut rate, 0, 5_000, Ended::TimedOut, ms(5_000));
        assert!(close(rate.per_second(), LEAST));
        let mut small = Rate::new(Eagerness::Aggressive, Some(5.0 / 60.0));
        play(&mut small, 0, 5_000, Ended::TimedOut, ms(5_000));
        assert!(close(small.per_second(), 5.0 / 60.0), "a plan below the floor is the floor");
        let restored = |value| Rate::new(Eagerness::Balanced, Some(1.0)).restored(value, t(0)).learned();
        assert_eq!(
            [restored(7.0), restored(f64::NAN), restored(-1.0), restored(0.4)],
            [None, None, None, Some(0.4)]
        );
    }

    #[test]
    fn a_learned_rate_spaces_the_calls_and_an_unlearned_one_leaves_that_to_the_plan() {
        let mut rate = Rate::new(Eagerness::Balanced, Some(1.0));
        rate.sent(t(0));
        assert_eq!(rate.free_at(t(0)), t(0));
        let mut rate = rate.restored(0.5, t(0));
        // Three at once, which is what it gives in six seconds; then one each two.
        for _ in 0..3 {
            assert_eq!(rate.free_at(t(10)), t(10));
            rate.sent(t(10));
        }
        assert_eq!((rate.free_at(t(10)), rate.free_at(t(13))), (t(12), t(13)));
        rate.unsent();
        assert_eq!(rate.free_at(t(10)), t(10));
        let mut unlimited = Rate::new(Eagerness::Balanced, None);
        play(&mut unlimited, 0, 40, Ended::Failed, ms(100));
        assert!(unlimited.per_second().is_some_and(|rate| (0.5..2.0).contains(&rate)), "{unlimited:?}");
    }
}
