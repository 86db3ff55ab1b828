//! When a breaker opens, and for how long.

use std::time::Duration;

/// Numbers of one class of vendors (BRK-3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Weighted failures that open it, in the window or in a row.
    pub failures: u32,
    /// Share of weighted failures among the calls of the window below which failures in the window, not in a
    /// row, do not open it, in `[0, 1]`; else a busy vendor would open on a trickle.
    pub failure_share: f64,
    /// How long it stays open, before jitter.
    pub open: Duration,
    /// It is never open longer than this by itself; a vendor's word may say more.
    pub open_cap: Duration,
    /// Good probes in a row that close it.
    pub successes: u32,
    /// Span over which failures count.
    pub window: Duration,
    /// A call that takes longer is slow.
    pub slow: Duration,
    /// Whether a probe costs scarce quota or money: then each re-opening doubles the open time.
    pub probe_is_costly: bool,
    /// Time between probes while the credentials are refused.
    pub credential_probe: Duration,
    /// Whether the share of failures is judged by its Wilson lower bound: for evidence pooled over parts that may
    /// fail each for itself.
    pub by_lower_bound: bool,
    /// Whether it degrades before it opens.
    pub degrades: bool,
}

impl Default for Settings {
    /// 5 failures, 60 s open, 2 successes, within 60 s; slow is over 5 s.
    fn default() -> Settings {
        Settings {
            failures: 5,
            failure_share: 0.5,
            open: Duration::from_secs(60),
            open_cap: Duration::from_secs(600),
            successes: 2,
            window: Duration::from_secs(60),
            slow: Duration::from_secs(5),
            probe_is_costly: false,
            credential_probe: Duration::from_secs(300),
            by_lower_bound: false,
            degrades: true,
        }
    }
}

impl Settings {
    /// Vendors of order books: 5 failures, 30 s, 2 successes.
    pub fn exchange_book() -> Settings {
        Settings { open: Duration::from_secs(30), ..Settings::default() }
    }

    /// Aggregators of decentralised exchanges: 10 failures, 60 s, 3 successes.
    pub fn dex_aggregator() -> Settings {
        Settings { failures: 10, successes: 3, ..Settings::default() }
    }

    /// Vendors of posts: 3 failures, 120 s, 1 success; their quota returns slowly, so probes are costly.
    pub fn social() -> Settings {
        Settings {
            failures: 3,
            open: Duration::from_secs(120),
            successes: 1,
            probe_is_costly: true,
            ..Settings::default()
        }
    }

    /// Weight of failures that opens, in thousandths.
    pub(super) fn opens_at(&self) -> u64 {
        u64::from(self.failures.max(1)) * 1_000
    }

    /// Weight of failures that degrades, in thousandths: half of what opens, at least two.
    pub(super) fn degrades_at(&self) -> u64 {
        (self.opens_at() / 2).max(2_000)
    }
}
