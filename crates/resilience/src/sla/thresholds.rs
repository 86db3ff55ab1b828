//! What is promised of something that is called.

use std::time::Duration;

/// Promises of one class of vendors (SLA-2). What is worse than these is a breach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Highest 95th percentile of the latency.
    pub p95: Duration,
    /// Highest 99th percentile.
    pub p99: Duration,
    /// Lowest share of calls that succeed, in `[0, 1]`; fewer is a failure, not a degradation.
    pub success: f64,
    /// As many failures in a row are a failure, and an outage.
    pub failures: u32,
    /// Lowest share of a day in which it is up, in `[0, 1]`.
    pub uptime: f64,
    /// Lowest mean completeness of what comes, in `[0, 1]`.
    pub completeness: f64,
    /// Highest median lateness of what comes.
    pub freshness: Duration,
}

impl Thresholds {
    /// A set of one's own; uptime 99 %, completeness 0.8 and freshness 300 s stay as usual.
    pub fn new(p95: Duration, p99: Duration, success: f64, failures: u32) -> Thresholds {
        Thresholds {
            p95,
            p99,
            success,
            failures: failures.max(1),
            uptime: 0.99,
            completeness: 0.8,
            freshness: Duration::from_secs(300),
        }
    }

    /// Vendors of order books: 1 s, 2 s, 95 %, 3.
    pub fn exchange_book() -> Thresholds {
        Thresholds::new(Duration::from_secs(1), Duration::from_secs(2), 0.95, 3)
    }

    /// Aggregators of decentralised exchanges: 3 s, 5 s, 90 %, 5.
    pub fn dex_aggregator() -> Thresholds {
        Thresholds::new(Duration::from_secs(3), Duration::from_secs(5), 0.90, 5)
    }

    /// Vendors of posts: 5 s, 10 s, 85 %, 3.
    pub fn social() -> Thresholds {
        Thresholds::new(Duration::from_secs(5), Duration::from_secs(10), 0.85, 3)
    }
}

impl Default for Thresholds {
    /// Every other class: 2 s, 5 s, 95 %, 3.
    fn default() -> Thresholds {
        Thresholds::new(Duration::from_secs(2), Duration::from_secs(5), 0.95, 3)
    }
}
