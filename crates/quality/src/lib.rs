//! Judgment: what is wrong with a datum, what it means on another basis, what others say, and its grade.

pub mod finding;
pub mod validation;
pub mod adjustment;
pub mod cross_check;
pub mod grade;

mod float;
#[cfg(test)]
mod seeded;

pub use adjustment::{CannotConvert, Conversion, Record, convert};
pub use cross_check::{Agreement, CrossCheck, Tolerance, Voice, compare};
pub use finding::{Aspect, Bypass, Expected, Fact, Field, Finding, Rule, Severity, Verdict};
pub use grade::{
    Cap, Checks, Completeness, Evidence, Grade, Kind, Letter, Market, Score, Settings, Timing, VolumeState,
    grade,
};
pub use validation::{
    BarContext, Bounds, Coverage, History, Judged, QuoteContext, validate_bars, validate_quote,
};
