//! Mechanisms that keep vendors and callers out of trouble: plain state machines that are told the time.

pub mod priority;
pub mod quota;
pub mod circuit_breaker;

pub use circuit_breaker::CircuitBreaker;
pub use priority::Priority;
pub use quota::Quota;
