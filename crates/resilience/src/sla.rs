//! How well something that is called keeps its promises (SLA-1 to SLA-3, SLA-5): percentiles of real latencies,
//! rates with their uncertainty, outages that are still going on, and what that makes of its status.
//!
//! [`Monitor`] watches one thing that is called: a vendor's endpoint, a function. [`Objective`] watches answers
//! that were promised to somebody, and how fast their error budget burns. [`system`] sums up many monitors.

mod interval;
mod latencies;
mod monitor;
mod objective;
mod report;
mod ring;
mod status;
pub mod system;
mod tally;
#[cfg(test)]
mod tests;
mod thresholds;

pub use interval::{rank_interval, wilson};
pub use monitor::{Judged, Monitor};
pub use objective::{Alarm, Budget, BurnChange, Goal, Objective};
pub use report::{Mean, Percentile, Rate, Report, Span};
pub use status::{Breach, Status, StatusChange};
pub use thresholds::Thresholds;
