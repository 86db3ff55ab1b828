//! Verdicts, and what leads to them.

use domain::Instant;

/// How something that is called fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Not called, or not for long: nothing is known, and nothing is held against it.
    Unknown,
    /// Inside every threshold.
    Healthy,
    /// It works, and breaks a promise.
    Degraded,
    /// It does not work.
    Failed,
}

impl Status {
    /// The word: `unknown`, `healthy`, `degraded`, `failed`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Unknown => "unknown",
            Status::Healthy => "healthy",
            Status::Degraded => "degraded",
            Status::Failed => "failed",
        }
    }

    /// The word in capitals.
    pub const fn in_capitals(self) -> &'static str {
        match self {
            Status::Unknown => "UNKNOWN",
            Status::Healthy => "HEALTHY",
            Status::Degraded => "DEGRADED",
            Status::Failed => "FAILED",
        }
    }
}

/// The promise that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Breach {
    /// As many failures in a row as are too many.
    FailuresInARow,
    /// Too few calls succeed.
    SuccessRate,
    /// The 95th percentile of the latency is too high.
    P95,
    /// The 99th is.
    P99,
    /// It was down too long in the last day.
    Uptime,
    /// Too much is missing from what comes.
    Completeness,
    /// What comes is too old.
    Freshness,
}

impl Breach {
    /// What is wrong, for people.
    pub const fn in_words(self) -> &'static str {
        match self {
            Breach::FailuresInARow => "too many calls in a row failed",
            Breach::SuccessRate => "too few calls succeed",
            Breach::P95 => "the 95th percentile of the latency is too high",
            Breach::P99 => "the 99th percentile of the latency is too high",
            Breach::Uptime => "it was down too long in the last day",
            Breach::Completeness => "too much is missing from what comes",
            Breach::Freshness => "what comes is too old",
        }
    }
}

/// A fact for metrics, alerts and memory: the status has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// Before.
    pub from: Status,
    /// After.
    pub to: Status,
    /// When.
    pub at: Instant,
    /// What was broken; `None` for better.
    pub breach: Option<Breach>,
}
