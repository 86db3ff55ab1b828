//! Judgment: what is wrong with a datum, what it means on another basis, what others say, and its grade.

pub mod finding;
pub mod validation;
pub mod adjustment;

mod float;

pub use adjustment::{CannotConvert, Conversion, Record, convert};
pub use finding::{Expected, Fact, Field, Finding, Rule, Severity, Verdict};
pub use validation::{BarContext, Bounds, History, Judged, QuoteContext, validate_bars, validate_quote};
