//! Mechanisms that keep vendors and callers out of trouble: plain state machines that are told the time.

pub mod priority;
pub mod quota;
pub mod forecast;
pub mod budget;
pub mod steady_rate;
pub mod line;
pub mod concurrency;
pub mod rate;
pub mod circuit_breaker;
pub mod latency;
pub mod hedge;
pub mod backoff;
pub mod regions;
pub mod retry_budget;
pub mod freshness;
pub mod sla;

pub use backoff::Backoff;
pub use circuit_breaker::CircuitBreaker;
pub use concurrency::Concurrency;
pub use forecast::Forecast;
pub use freshness::Freshness;
pub use hedge::Hedge;
pub use line::Line;
pub use priority::Priority;
pub use quota::Quota;
pub use rate::Rate;
pub use regions::Regions;
pub use retry_budget::RetryBudget;
