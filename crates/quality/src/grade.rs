//! Grades: one number from 0 to 100 and one letter, recomputed whenever a datum is served.
//!
//! Evidence is gathered once, on arrival; `grade` adds the time of serving. It allocates nothing.

mod caps;
mod dimensions;
mod evidence;
mod letter;
mod losses;
mod timing;

pub use caps::{Cap, CapSet};
pub use dimensions::{Dimensions, Weights, WeightsError};
pub use evidence::{Checks, Completeness, Evidence, Kind, VolumeState, standing};
pub use letter::{Letter, Score, Thresholds, ThresholdsError};
pub use losses::{Loss, losses};
pub use timing::{Market, Timing};

use timing::Lateness;

/// How a grade is made up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Settings {
    /// Weights of the dimensions.
    pub weights: Weights,
    /// Lowest scores of the letters.
    pub thresholds: Thresholds,
}

/// The grade of one datum at one instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grade {
    /// 0 to 100, after caps.
    pub score: Score,
    /// The letter of the score, by the delivery class the vendor declares.
    pub letter: Letter,
    /// The letter against real time, whatever the class.
    pub strict: Letter,
    /// The five dimensions, 0 to 100 each.
    pub dimensions: Dimensions,
    /// Points added before caps: complete 2, accurate 2, under 30 s late 1, no duplicates 1.
    pub bonus: f32,
    /// Points taken off for age past a day, 0 to 20.
    pub decay: f32,
    /// Criteria that were missed.
    pub caps: CapSet,
    /// The missed criterion that binds: of those with the lowest top, the first.
    pub cap: Option<Cap>,
    /// Lateness beyond the declared class, in seconds; `None` if it cannot be known.
    pub delay_secs: Option<f64>,
}

/// Grades a datum at the time of serving.
///
/// Composite = Σ weight · dimension − deductions by rule − decay + bonuses; then every missed criterion caps
/// it at the top of the best band whose criteria hold. Worse evidence or a later time never grades higher,
/// and equal input grades equal.
pub fn grade(settings: &Settings, evidence: &Evidence, timing: &Timing) -> Grade {
    let lateness = timing.lateness(evidence.kind, evidence.declared_delay);
    let (score, dimensions, caps, bonus, decay) = assess(settings, evidence, &lateness);
    let strict = if evidence.declared_delay.is_zero() {
        score
    } else {
        let against_now = timing.lateness(evidence.kind, std::time::Duration::ZERO);
        assess(settings, evidence, &against_now).0
    };
    let letter = settings.thresholds.letter(score);
    Grade {
        score,
        letter,
        // A score is never better for a stricter reading; the two share all that does not depend on time.
        strict: settings.thresholds.letter(strict).max(letter),
        dimensions,
        bonus,
        decay,
        caps,
        cap: caps.binding(),
        delay_secs: lateness.excess_secs,
    }
}

fn assess(
    settings: &Settings,
    evidence: &Evidence,
    lateness: &Lateness,
) -> (Score, Dimensions, CapSet, f32, f32) {
    let dimensions = Dimensions::of(evidence, lateness);
    let caps = caps::of(evidence, lateness);
    let bonus = dimensions::bonus(evidence, lateness);
    let decay = dimensions::decay(lateness);
    let composite = settings.weights.composite(&dimensions) - evidence.checks.deductions - decay + bonus;
    let top = caps.binding().map_or(Score::FULL, |cap| cap.top(&settings.thresholds));
    (Score::new(composite).min(top), dimensions, caps, bonus, decay)
}

#[cfg(test)]
#[path = "grade/tests.rs"]
mod tests;
