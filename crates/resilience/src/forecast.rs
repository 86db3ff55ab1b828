//! Whether a quota will last to its reset, and who may still spend it (LIM-7).

use std::time::Duration;

use domain::Instant;

use crate::Priority;

/// Spending is counted in pieces of this length.
const PIECE: Duration = Duration::from_secs(10);
const HALF_LIFE_SECS: f64 = 60.0;
/// After so many pieces without spending nothing of the past is left.
const FORGOTTEN: i64 = 360;
/// From this probability of running out a warning is due.
pub const WARN: f64 = 0.05;
/// From this probability reserves are kept.
pub const ACT: f64 = 0.2;

/// What is to be expected of a quota.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// Spending per second at present.
    pub per_second: f64,
    /// Probability that it runs out before its reset, in `[0, 1]`.
    pub probability: f64,
    /// When it will run out at the present rate; `None` if not before its reset.
    pub runs_out_in: Option<Duration>,
}

impl Outlook {
    /// Whether a call of this class may spend what is left. While it is likely to run out, each class leaves a
    /// reserve for those above it: critical 0, high 5, normal 15, low 30, batch 50 % of the limit.
    pub fn admits(&self, priority: Priority, remaining: u32, limit: u32) -> bool {
        self.probability < ACT || f64::from(remaining) > reserve(priority) * f64::from(limit)
    }
}

/// Part of a period's limit that may be used ahead of even use for refreshing what can be served stale.
const AHEAD: f64 = 0.1;

impl Outlook {
    /// Whether a call may spend one permit of a day or month of which `time_left`, in `[0, 1]`, is still to
    /// come. While it is likely to run out, critical work spends all, high and normal work leaves its reserve
    /// for the time that is left, so that the reserve melts towards the reset, low and batch work leaves all
    /// of its reserve to the end. A refresh, for which an older answer stands in, is spread evenly besides.
    pub fn admits_in_period(
        &self,
        priority: Priority,
        is_refresh: bool,
        remaining: u32,
        limit: u32,
        time_left: f64,
    ) -> bool {
        if self.probability < ACT || priority == Priority::Critical {
            return true;
        }
        f64::from(remaining) > least_left(priority, is_refresh, limit, time_left)
    }
}

/// More than this must be left of a period's limit before a call of this class may spend of it.
pub fn least_left(priority: Priority, is_refresh: bool, limit: u32, time_left: f64) -> f64 {
    let limit = f64::from(limit);
    let kept = match priority {
        Priority::Critical | Priority::High | Priority::Normal => reserve(priority) * limit * time_left,
        Priority::Low | Priority::Batch => reserve(priority) * limit,
    };
    // What is left after the call, for which one more has to be there before it.
    let even = if is_refresh && priority > Priority::High {
        (1.0 - AHEAD) * limit * time_left + 1.0 - 1e-9
    } else {
        0.0
    };
    kept.max(even)
}

/// The share of the time at which [`least_left`] lets one more through with so much left; `None` if time alone
/// does not.
pub fn admitted_at(priority: Priority, is_refresh: bool, remaining: u32, limit: u32) -> Option<f64> {
    (remaining > 0 && f64::from(remaining) > least_left(priority, is_refresh, limit, 0.0)).then(|| {
        let limit = f64::from(limit).max(1.0);
        let by_reserve = match reserve(priority) {
            share if share > 0.0 && priority < Priority::Low => f64::from(remaining) / (share * limit),
            _ => 1.0,
        };
        let by_even = f64::from(remaining - 1) / ((1.0 - AHEAD) * limit);
        let at = if is_refresh && priority > Priority::High { by_reserve.min(by_even) } else { by_reserve };
        at.clamp(0.0, 1.0)
    })
}

/// Share of a limit that a class leaves to those above it, in `[0, 1]`.
pub const fn reserve(priority: Priority) -> f64 {
    match priority {
        Priority::Critical => 0.0,
        Priority::High => 0.05,
        Priority::Normal => 0.15,
        Priority::Low => 0.3,
        Priority::Batch => 0.5,
    }
}

/// The rate of spending and how uneven it is, over the last minutes.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Forecast {
    piece: Option<i64>,
    /// Spent in the present piece.
    spent: f64,
    /// Weight of the averages below; less than one while they are young.
    weight: f64,
    mean: f64,
    square: f64,
}

impl Forecast {
    /// Nothing was spent yet.
    pub fn new() -> Forecast {
        Forecast::default()
    }

    /// Notes a grant.
    pub fn spent(&mut self, cost: u32, now: Instant) {
        self.roll(now);
        self.spent += f64::from(cost);
    }

    /// What is to be expected with this much left for so long: `P = 1 − Φ((R − λD) / √(φλD))`, where φ is the
    /// variance of counts over their mean.
    pub fn outlook(&self, remaining: u32, resets_in: Duration, now: Instant) -> Outlook {
        let mut rolled = *self;
        rolled.roll(now);
        let (mean, square) = if rolled.weight > 0.0 {
            (rolled.mean / rolled.weight, rolled.square / rolled.weight)
        } else {
            (rolled.spent, rolled.spent * rolled.spent)
        };
        let per_second = mean / PIECE.as_secs_f64();
        let expected = per_second * resets_in.as_secs_f64();
        if expected <= 0.0 {
            return Outlook {
                per_second: 0.0,
                probability: if remaining == 0 { 1.0 } else { 0.0 },
                runs_out_in: (remaining == 0).then_some(Duration::ZERO),
            };
        }
        let unevenness = ((square - mean * mean) / mean).max(1.0);
        let margin = f64::from(remaining) - expected;
        let probability =
            if remaining == 0 { 1.0 } else { 1.0 - normal(margin / (unevenness * expected).sqrt()) };
        let runs_out =
            Duration::try_from_secs_f64(f64::from(remaining) / per_second).unwrap_or(Duration::MAX);
        let runs_out_in = Some(runs_out).filter(|&wait| wait < resets_in);
        Outlook { per_second, probability, runs_out_in }
    }

    fn roll(&mut self, now: Instant) {
        let length = i64::try_from(PIECE.as_nanos()).expect("ten seconds fit");
        let piece = now.as_nanos().div_euclid(length);
        let passed = self.piece.map_or(0, |known| piece.saturating_sub(known));
        if passed > FORGOTTEN {
            *self = Forecast::default();
        }
        let kept = 0.5_f64.powf(PIECE.as_secs_f64() / HALF_LIFE_SECS);
        for _ in 0..passed.clamp(0, FORGOTTEN) {
            self.weight = self.weight * kept + (1.0 - kept);
            self.mean = self.mean * kept + self.spent * (1.0 - kept);
            self.square = self.square * kept + self.spent * self.spent * (1.0 - kept);
            self.spent = 0.0;
        }
        self.piece = Some(self.piece.map_or(piece, |known| known.max(piece)));
    }
}

/// Φ, the distribution function of the normal distribution; off by less than 10⁻⁷ (Abramowitz and Stegun,
/// "Handbook of Mathematical Functions", 26.2.17).
fn normal(x: f64) -> f64 {
    let k = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let polynomial = [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_530]
        .into_iter()
        .fold(0.0, |sum, factor| (sum + factor) * k);
    let tail = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt() * polynomial;
    if x >= 0.0 { 1.0 - tail } else { tail }
}

#[cfg(test)]
mod tests {
    //! LIM-7.

    use super::*;

    fn t(secs: u64) -> Instant {
        Instant::from_secs(1_000_000) + Duration::from_secs(secs)
    }

    /// One call each `every` seconds for ten minutes.
    fn steady(every: usize) -> Forecast {
        let mut forecast = Forecast::new();
        (0..600).step_by(every).for_each(|second| forecast.spent(1, t(second)));
        forecast
    }

    #[test]
    fn the_normal_distribution_is_that_of_the_tables() {
        for (x, expected) in [(0.0, 0.5), (1.0, 0.841_344_746), (1.96, 0.975_002_105), (-2.0, 0.022_750_132)]
        {
            assert!((normal(x) - expected).abs() < 1e-7, "{x}: {}", normal(x));
        }
    }

    #[test]
    fn enough_left_is_calm_and_too_little_is_foretold() {
        let forecast = steady(2);
        let hour = Duration::from_secs(3_600);
        let plenty = forecast.outlook(5_000, hour, t(600));
        assert!((plenty.per_second - 0.5).abs() < 1e-9);
        assert!(plenty.probability < 1e-6 && plenty.runs_out_in.is_none(), "{plenty:?}");
        let even = forecast.outlook(1_800, hour, t(600));
        assert!((even.probability - 0.5).abs() < 0.01, "{even:?}");
        let short = forecast.outlook(900, hour, t(600));
        assert!(short.probability > 0.999, "{short:?}");
        assert_eq!(short.runs_out_in, Some(Duration::from_secs(1_800)));
        // A little over what is expected: one standard deviation is √1800, about 42.
        let close = forecast.outlook(1_860, hour, t(600));
        assert!(close.probability > WARN && close.probability < ACT, "{close:?}");
    }

    #[test]
    fn uneven_spending_makes_the_same_rate_less_certain() {
        let mut bursts = Forecast::new();
        (0..600).step_by(60).for_each(|second| bursts.spent(30, t(second)));
        let hour = Duration::from_secs(3_600);
        assert!(
            bursts.outlook(2_200, hour, t(600)).probability
                > steady(2).outlook(2_200, hour, t(600)).probability
        );
    }

    #[test]
    fn when_it_is_likely_to_run_out_each_class_leaves_a_reserve_to_those_above() {
        let worried = Outlook { per_second: 1.0, probability: ACT, runs_out_in: None };
        let spend_down_to = |priority| (0..=100).find(|&left| worried.admits(priority, left, 100));
        assert_eq!(Priority::ALL.map(spend_down_to), [Some(1), Some(6), Some(16), Some(31), Some(51)]);
        let calm = Outlook { probability: ACT - 0.01, ..worried };
        assert!(calm.admits(Priority::Batch, 1, 100));
    }

    #[test]
    fn a_refresh_is_spread_over_the_period_and_a_first_answer_is_not() {
        let worried = Outlook { per_second: 1.0, probability: 1.0, runs_out_in: None };
        // Twenty-five a day, asked at every thousandth of it: by refreshes alone.
        let (mut left, mut last) = (25, 1.0);
        for thousandth in (0..1_000).rev() {
            let time_left = f64::from(thousandth) / 1_000.0;
            let foretold = admitted_at(Priority::Normal, true, left, 25);
            let admitted = worried.admits_in_period(Priority::Normal, true, left, 25, time_left);
            assert_eq!(admitted, foretold.is_some_and(|at| time_left <= at + 1e-9), "{left} at {time_left}");
            if admitted {
                left -= 1;
                last = time_left;
            }
        }
        assert!(left <= 1 && last < 0.1, "{left} left, the last at {last}");
        let first = |remaining, time_left| {
            worried.admits_in_period(Priority::Normal, false, remaining, 25, time_left)
        };
        assert_eq!([first(4, 1.0), first(3, 1.0), first(3, 0.7), first(1, 0.2)], [true, false, true, true]);
    }

    #[test]
    fn low_and_batch_work_leaves_its_reserve_to_the_end_of_the_period() {
        let worried = Outlook { per_second: 1.0, probability: 1.0, runs_out_in: None };
        let down_to = |priority, time_left| {
            (0..=100).find(|&left| worried.admits_in_period(priority, false, left, 100, time_left))
        };
        assert_eq!(Priority::ALL.map(|p| down_to(p, 1.0)), [Some(0), Some(6), Some(16), Some(31), Some(51)]);
        assert_eq!(Priority::ALL.map(|p| down_to(p, 0.0)), [Some(0), Some(1), Some(1), Some(31), Some(51)]);
        let calm = Outlook { probability: ACT - 0.01, ..worried };
        assert!(calm.admits_in_period(Priority::Batch, true, 1, 100, 1.0));
        assert_eq!(admitted_at(Priority::Batch, false, 40, 100), None);
        assert_eq!(admitted_at(Priority::Normal, false, 0, 100), None);
    }

    #[test]
    fn after_a_pause_all_returns_by_itself() {
        let forecast = steady(1);
        let now = forecast.outlook(100, Duration::from_secs(3_600), t(600));
        assert!(!now.admits(Priority::Normal, 10, 100));
        let later = forecast.outlook(100, Duration::from_secs(3_600), t(600 + 3_600));
        assert!(later.admits(Priority::Batch, 10, 100), "{later:?}");
        assert_eq!(Forecast::new().outlook(5, Duration::from_secs(60), t(0)).probability, 0.0);
        assert_eq!(Forecast::new().outlook(0, Duration::from_secs(60), t(0)).probability, 1.0);
    }
}
