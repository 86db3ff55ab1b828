//! What a quota must remember across restarts, as plain data for a store to write down.

use domain::{Date, Instant};

use super::Window;

/// A quota's counters at one instant.
///
/// A store keeps the snapshot with the greatest `sequence` and tells on reading how much time has passed
/// since it was written; see [`super::Quota::restore`].
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Grows with every snapshot of the same account, so that a late write cannot undo a newer one.
    pub sequence: u64,
    /// When it was taken.
    pub saved_at: Instant,
    /// One per limit, in the limits' order.
    pub windows: Vec<WindowSnapshot>,
    /// One per limit of money, in the limits' order; grants and counts in millionths of a US dollar.
    pub spend: Vec<WindowSnapshot>,
    /// The vendor's word: no call before this.
    pub blocked_until: Option<Instant>,
    /// Share of the plan's rate that is used after unexpected refusals, in `(0, 1]`.
    pub factor: f64,
    /// Permits that may be granted without another snapshot. After a crash they count as spent.
    pub open_lease: u32,
}

/// The counters of one window.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowSnapshot {
    /// Which one.
    pub window: Window,
    /// What it holds.
    pub held: Held,
}

/// What a window holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Held {
    /// A sliding window.
    Sliding {
        /// When something was granted and how much, oldest first.
        grants: Vec<(Instant, u64)>,
        /// When the token bucket will be full again.
        full_at: Instant,
    },
    /// A calendar window.
    Calendar {
        /// First date, in the vendor's zone, of the latest period seen.
        period: Date,
        /// First dates of periods and what was granted in them, ascending.
        counts: Vec<(Date, u64)>,
    },
}
