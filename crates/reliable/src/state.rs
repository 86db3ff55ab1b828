//! How a wrapped function fares.

use std::fmt;
use std::time::Duration;

use resilience::circuit_breaker;
use resilience::sla::Status;

/// What a circuit breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// All pass.
    Closed,
    /// A share of them passes.
    Degraded,
    /// None passes for a while; the next one after it is a probe.
    Open {
        /// How long from now.
        for_another: Duration,
    },
    /// One probe at a time passes.
    HalfOpen,
}

impl BreakerState {
    pub(crate) fn of(state: &circuit_breaker::State, now: domain::Instant) -> BreakerState {
        match state {
            circuit_breaker::State::Closed => BreakerState::Closed,
            circuit_breaker::State::Degraded => BreakerState::Degraded,
            circuit_breaker::State::HalfOpen => BreakerState::HalfOpen,
            circuit_breaker::State::Open { until } | circuit_breaker::State::Maintenance { until, .. } => {
                BreakerState::Open { for_another: until.since(now) }
            }
        }
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BreakerState::Closed => f.write_str("closed"),
            BreakerState::Degraded => f.write_str("degraded"),
            BreakerState::HalfOpen => f.write_str("half-open"),
            BreakerState::Open { for_another } => {
                write!(f, "open for another {:.1} s", for_another.as_secs_f64())
            }
        }
    }
}

/// What the cache holds, and how often it helped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheState {
    /// Entries.
    pub entries: u64,
    /// Calls it answered.
    pub hits: u64,
    /// Calls it did not.
    pub misses: u64,
}

/// How a wrapped function fares, at one moment. What nobody measured is absent.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Its name.
    pub name: String,
    /// How it keeps its promises.
    pub status: Status,
    /// Calls in the last hour, the cache's answers not counted.
    pub calls: u64,
    /// Median of their latencies.
    pub p50: Option<Duration>,
    /// 95th percentile.
    pub p95: Option<Duration>,
    /// 99th percentile.
    pub p99: Option<Duration>,
    /// Share of them that succeeded, in `[0, 1]`.
    pub success: Option<f64>,
    /// Between these lies the true rate with 95 %, in `[0, 1]`.
    pub success_interval: Option<(f64, f64)>,
    /// Share of the hour in which it was not down, an outage in progress included, in `[0, 1]`.
    pub uptime: Option<f64>,
    /// Failures since the last success.
    pub consecutive_failures: u32,
    /// Its circuit breaker, if it has one.
    pub breaker: Option<BreakerState>,
    /// Calls left under its limit at this moment, if it has one.
    pub calls_left: Option<u32>,
    /// Its cache, if it has one.
    pub cache: Option<CacheState>,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.status.as_str())?;
        if let Some(breaker) = &self.breaker {
            write!(f, ", breaker {breaker}")?;
        }
        write!(f, ", {} calls", self.calls)?;
        if let Some(success) = self.success {
            write!(f, ", {:.0} % succeeded", success * 100.0)?;
        }
        if let Some(p95) = self.p95 {
            write!(f, ", p95 {:.1} ms", p95.as_secs_f64() * 1e3)?;
        }
        if self.consecutive_failures > 0 {
            write!(f, ", {} failures in a row", self.consecutive_failures)?;
        }
        if let Some(left) = self.calls_left {
            write!(f, ", {left} calls left")?;
        }
        if let Some(cache) = &self.cache {
            write!(
                f,
                ", cache {} entries, {} hits of {}",
                cache.entries,
                cache.hits,
                cache.hits + cache.misses
            )?;
        }
        Ok(())
    }
}
