//! The token bucket that paces a sliding limit, as one instant (GCRA, ITU-T I.371, virtual scheduling).

use std::time::Duration;

use domain::Instant;

/// Tokens come back one per `spacing`, continuously, and never exceed `capacity`.
///
/// Both are arguments, so that a learned rate acts at once on tokens already spent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TokenBucket {
    /// When everything taken so far will have been refilled; in the past, the bucket is full.
    pub(super) full_at: Instant,
}

impl TokenBucket {
    pub(super) fn full() -> TokenBucket {
        TokenBucket { full_at: Instant::MIN }
    }

    /// First instant at which `cost` tokens are there. A cost above the capacity needs a full bucket and
    /// leaves it in debt.
    pub(super) fn free_at(&self, cost: u32, capacity: u32, spacing: Duration, now: Instant) -> Instant {
        let spare = spacing.saturating_mul(capacity.saturating_sub(cost));
        (self.full_at - spare).max(now)
    }

    pub(super) fn take(&mut self, cost: u32, spacing: Duration, now: Instant) {
        self.full_at = self.full_at.max(now) + spacing.saturating_mul(cost);
    }

    pub(super) fn give_back(&mut self, cost: u32, spacing: Duration) {
        self.full_at = self.full_at - spacing.saturating_mul(cost);
    }
}
