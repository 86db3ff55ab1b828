//! What a monitor tells about a stretch of time: numbers with what they stand on.

use std::time::Duration;

/// A stretch of time a monitor tells about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// The last hundred calls, however old.
    LastCalls,
    /// The last minute.
    Minute,
    /// The last five minutes.
    FiveMinutes,
    /// The last hour.
    Hour,
    /// The last day.
    Day,
}

impl Span {
    /// Every span, shortest first.
    pub const ALL: [Span; 5] = [Span::LastCalls, Span::Minute, Span::FiveMinutes, Span::Hour, Span::Day];

    /// The word used in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Span::LastCalls => "last_100",
            Span::Minute => "1m",
            Span::FiveMinutes => "5m",
            Span::Hour => "1h",
            Span::Day => "1d",
        }
    }
}

/// A latency that a share of the calls did not exceed: a real one, neither smoothed nor averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentile {
    /// The latency at the nearest rank.
    pub value: Duration,
    /// The true percentile lies at or above this with 95 %; zero where there are too few calls to bound it.
    pub least: Duration,
    /// And at or below this; `None` where there are too few calls to bound it.
    pub most: Option<Duration>,
}

/// A share of calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The share itself, in `[0, 1]`.
    pub share: f64,
    /// The true rate lies at or above this with 95 % (Wilson).
    pub least: f64,
    /// And at or below this.
    pub most: f64,
}

/// A mean of what was judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The mean, in `[0, 1]`.
    pub value: f64,
    /// Over how many answers.
    pub n: u64,
}

/// Everything about one span. What nobody measured is absent.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Calls that ended.
    pub calls: u64,
    /// Median.
    pub p50: Option<Percentile>,
    /// 95th percentile.
    pub p95: Option<Percentile>,
    /// 99th percentile.
    pub p99: Option<Percentile>,
    /// Share of calls that succeeded.
    pub success: Option<Rate>,
    /// Share of the time in which it was not down, an outage in progress included, in `[0, 1]`; since the
    /// first call if that is later. `None` before the first call.
    pub uptime: Option<f64>,
    /// Mean quality of what came, in `[0, 1]`.
    pub quality: Option<Mean>,
    /// Mean completeness of what came, in `[0, 1]`.
    pub completeness: Option<Mean>,
}
