//! Quota counters.

use std::time::Duration;

use domain::Instant;
use resilience::quota::{Held, Snapshot, Window, WindowSnapshot};
use serde::{Deserialize, Serialize};

/// A quota's counters as text. The factor is text too: JSON readers may round a number's last bit.
#[derive(Serialize, Deserialize)]
pub(crate) struct QuotaRecord {
    sequence: u64,
    saved_at: i64,
    windows: Vec<WindowRecord>,
    #[serde(default)]
    spend: Vec<WindowRecord>,
    blocked_until: Option<i64>,
    factor: String,
    open_lease: u32,
}

#[derive(Serialize, Deserialize)]
struct WindowRecord {
    span: SpanRecord,
    held: HeldRecord,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SpanRecord {
    SlidingNs(u64),
    Day,
    Month,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum HeldRecord {
    Sliding { grants: Vec<(i64, u64)>, full_at: i64 },
    Calendar { period: String, counts: Vec<(String, u64)> },
}

impl From<&Snapshot> for QuotaRecord {
    fn from(snapshot: &Snapshot) -> QuotaRecord {
        QuotaRecord {
            sequence: snapshot.sequence,
            saved_at: snapshot.saved_at.as_nanos(),
            windows: snapshot.windows.iter().map(WindowRecord::from).collect(),
            spend: snapshot.spend.iter().map(WindowRecord::from).collect(),
            blocked_until: snapshot.blocked_until.map(Instant::as_nanos),
            factor: snapshot.factor.to_string(),
            open_lease: snapshot.open_lease,
        }
    }
}

impl From<&WindowSnapshot> for WindowRecord {
    fn from(window: &WindowSnapshot) -> WindowRecord {
        let span = match window.window {
            Window::Sliding(length) => {
                SpanRecord::SlidingNs(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX))
            }
            Window::Day => SpanRecord::Day,
            Window::Month => SpanRecord::Month,
        };
        let held = match &window.held {
            Held::Sliding { grants, full_at } => HeldRecord::Sliding {
                grants: grants.iter().map(|(at, cost)| (at.as_nanos(), *cost)).collect(),
                full_at: full_at.as_nanos(),
            },
            Held::Calendar { period, counts } => HeldRecord::Calendar {
                period: period.to_string(),
                counts: counts.iter().map(|(date, count)| (date.to_string(), *count)).collect(),
            },
        };
        WindowRecord { span, held }
    }
}

impl QuotaRecord {
    /// The counters; `None` if a field cannot be read.
    pub(crate) fn snapshot(&self) -> Option<Snapshot> {
        Some(Snapshot {
            sequence: self.sequence,
            saved_at: Instant::from_nanos(self.saved_at),
            windows: self.windows.iter().map(WindowRecord::snapshot).collect::<Option<_>>()?,
            spend: self.spend.iter().map(WindowRecord::snapshot).collect::<Option<_>>()?,
            blocked_until: self.blocked_until.map(Instant::from_nanos),
            factor: self.factor.parse().ok()?,
            open_lease: self.open_lease,
        })
    }
}

impl WindowRecord {
    fn snapshot(&self) -> Option<WindowSnapshot> {
        let window = match self.span {
            SpanRecord::SlidingNs(nanos) => Window::Sliding(Duration::from_nanos(nanos)),
            SpanRecord::Day => Window::Day,
            SpanRecord::Month => Window::Month,
        };
        let held = match &self.held {
            HeldRecord::Sliding { grants, full_at } => Held::Sliding {
                grants: grants.iter().map(|(at, cost)| (Instant::from_nanos(*at), *cost)).collect(),
                full_at: Instant::from_nanos(*full_at),
            },
            HeldRecord::Calendar { period, counts } => {
                let count = |(date, count): &(String, u64)| Some((date.parse().ok()?, *count));
                Held::Calendar {
                    period: period.parse().ok()?,
                    counts: counts.iter().map(count).collect::<Option<_>>()?,
                }
            }
        };
        Some(WindowSnapshot { window, held })
    }
}
