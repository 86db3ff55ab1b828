//! The five dimensions and their weights.

use super::evidence::{Evidence, Kind, VolumeState};
use super::timing::Lateness;
use crate::cross_check::Agreement;

/// The five dimensions, 0 to 100 each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dimensions {
    /// How likely the value is right, by what independent vendors say.
    pub accuracy: f32,
    /// How early it came for its class.
    pub timeliness: f32,
    /// Share of what is asked of its kind that is there.
    pub completeness: f32,
    /// Share of the checks it passed; uniqueness included.
    pub consistency: f32,
    /// Lower bound of the vendor's record.
    pub reliability: f32,
}

impl Dimensions {
    pub(super) fn of(evidence: &Evidence, lateness: &Lateness) -> Dimensions {
        Dimensions {
            accuracy: accuracy(evidence),
            timeliness: timeliness(lateness.excess_secs),
            completeness: completeness(evidence),
            consistency: consistency(evidence),
            reliability: 100.0 * evidence.reliability.clamp(0.0, 1.0),
        }
    }

    /// Accuracy, timeliness, completeness, consistency, reliability.
    pub fn as_array(&self) -> [f32; 5] {
        [self.accuracy, self.timeliness, self.completeness, self.consistency, self.reliability]
    }
}

/// Weights of the dimensions, in the order accuracy, timeliness, completeness, consistency, reliability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights([f32; 5]);

/// Why weights are refused.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum WeightsError {
    /// They must not be negative.
    #[error("a weight is negative or not a number")]
    Negative,
    /// They must add up to one.
    #[error("the weights add up to {0}, not to 1")]
    Sum(f32),
}

impl Default for Weights {
    /// Accuracy .30, timeliness .25, completeness .20, consistency .15, reliability .10.
    fn default() -> Weights {
        Weights([0.30, 0.25, 0.20, 0.15, 0.10])
    }
}

impl Weights {
    /// From the five weights.
    ///
    /// # Errors
    /// Unless none is negative and they add up to 1 within a thousandth.
    pub fn new(weights: [f32; 5]) -> Result<Weights, WeightsError> {
        if !weights.iter().all(|weight| *weight >= 0.0) {
            return Err(WeightsError::Negative);
        }
        let sum: f32 = weights.iter().sum();
        if (sum - 1.0).abs() > 0.001 { Err(WeightsError::Sum(sum)) } else { Ok(Weights(weights)) }
    }

    /// The weights, in order.
    pub fn as_array(&self) -> [f32; 5] {
        self.0
    }

    pub(super) fn composite(&self, dimensions: &Dimensions) -> f32 {
        self.0.iter().zip(dimensions.as_array()).map(|(weight, value)| weight * value).sum()
    }
}

/// What no independent voice confirms scores low, not neutral, and alike: a value that others dispute is no
/// less likely right than one nobody was asked about would be called. The caps tell the two apart.
fn accuracy(evidence: &Evidence) -> f32 {
    let dissent = if evidence.dissent { 5.0 } else { 0.0 };
    match evidence.agreement {
        Agreement::Several => 100.0 - dissent,
        Agreement::One => 90.0 - dissent,
        Agreement::Alone | Agreement::Split | Agreement::Outvoted => 40.0,
    }
}

/// 100 up to 1 s late, then straight lines in the logarithm of the delay through 89 at 5 s, 79 at 30 s, 60 at
/// 5 min and 30 at 1 h, further down at that slope to 0; 40 where the delay is unknown.
pub(super) fn timeliness(excess_secs: Option<f64>) -> f32 {
    const POINTS: [(f32, f32); 5] = [(1.0, 100.0), (5.0, 89.0), (30.0, 79.0), (300.0, 60.0), (3600.0, 30.0)];
    let Some(secs) = excess_secs else { return 40.0 };
    let secs = secs as f32;
    if secs <= 1.0 {
        return 100.0;
    }
    let segment = POINTS.windows(2).find(|pair| secs <= pair[1].0).unwrap_or(&POINTS[3..]);
    let ((from, high), (to, low)) = (segment[0], segment[1]);
    let part = (secs / from).ln() / (to / from).ln();
    (high + part * (low - high)).clamp(0.0, 100.0)
}

/// Price 40, OHLC or bid and ask 20, volume 15, metadata 5, of what is asked of the kind; times the share of
/// expected rows.
fn completeness(evidence: &Evidence) -> f32 {
    let there = &evidence.completeness;
    let own = if evidence.kind == Kind::Quote { there.bid_ask } else { there.ohlc };
    let volume = match there.volume {
        VolumeState::Stated => 15.0,
        VolumeState::Estimated => 7.5,
        VolumeState::Missing => 0.0,
    };
    let points = |there: bool, points: f32| if there { points } else { 0.0 };
    let sum = points(there.price, 40.0) + points(own, 20.0) + volume + points(there.metadata, 5.0);
    100.0 * sum / 80.0 * there.coverage.clamp(0.0, 1.0)
}

fn consistency(evidence: &Evidence) -> f32 {
    let checks = &evidence.checks;
    let count = |n: u16, points: f32| f32::from(n) * points;
    let lost = count(checks.major, 60.0)
        + count(checks.failed, 30.0)
        + count(checks.warnings, 10.0)
        + count(checks.minor, 3.0)
        + if checks.contradicted { 60.0 } else { 0.0 };
    (100.0 - lost).max(0.0)
}

/// +2 complete, +2 accurate, +1 less than 30 s late, +1 no duplicates.
pub(super) fn bonus(evidence: &Evidence, lateness: &Lateness) -> f32 {
    let points = |earned: bool, points: f32| if earned { points } else { 0.0 };
    points(evidence.completeness.is_full(evidence.kind), 2.0)
        + points(evidence.agreement == Agreement::Several && !evidence.dissent, 2.0)
        + points(lateness.excess_secs.is_some_and(|secs| secs < 30.0), 1.0)
        + points(!evidence.checks.duplicates, 1.0)
}

/// 0.1 point for each hour after the first 24, at most 20.
pub(super) fn decay(lateness: &Lateness) -> f32 {
    let hours = lateness.age.as_secs_f32() / 3600.0;
    ((hours - 24.0).max(0.0) * 0.1).min(20.0)
}
