//! Validation: rows and quotes in, findings and verdicts out. It always succeeds, and drops nothing.

mod bars;
mod context;
mod events;
mod gaps;
mod history;
mod quote;
mod row;

pub use bars::{Judged, validate_bars};
pub(crate) use context::has_volume;
pub use context::{BarContext, Bounds, QuoteContext};
pub use gaps::Coverage;
pub use history::History;
pub use quote::validate_quote;

use std::time::Duration;

/// How far ahead of our clock a stamp may lie before it counts as future.
pub const CLOCK_ALLOWANCE: Duration = Duration::from_secs(2);

/// Robust standard deviations from which an unconfirmed move is a failed check.
pub const OUTLIER_SIGMAS: f64 = 6.0;

/// Robust standard deviations from which an unconfirmed move contradicts the history.
pub const CONTRADICTION_SIGMAS: f64 = 20.0;

/// Multiple of the median volume from which an unconfirmed volume is a failed check.
pub const VOLUME_SUSPECT: f64 = 10.0;

/// Multiple of the median volume (or its inverse) from which a volume is noted.
pub const VOLUME_NOTE: f64 = 5.0;
