//! Mechanisms that keep vendors and callers out of trouble: plain state machines that are told the time.

pub mod priority;
pub mod quota;

pub use priority::Priority;
pub use quota::Quota;
