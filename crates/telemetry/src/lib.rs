//! What is worth saying: typed events, each written once as log line, metric and stored row.

pub mod event;

pub use event::{Event, EventKind, Severity};
