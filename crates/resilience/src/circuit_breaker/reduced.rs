//! How much a degraded vendor is asked: a share of the calls, less important ones first to go (BRK-6).

use std::time::Duration;

use domain::Instant;

use super::failure_window::Sums;
use crate::Priority;

const WHOLE: i64 = 1_000;
const FIRST_SHARE: i64 = WHOLE / 2;
const LEAST_SHARE: i64 = WHOLE / 10;
const STEP_UP: i64 = WHOLE / 10;
/// Low work is refused until the vendor has earned more than this share.
const SHARE_FOR_LOW: i64 = WHOLE / 2;
/// A review is bad above this share of failures, or from this share of slow calls.
pub(super) const BAD_SHARE: f64 = 0.2;
pub(super) const SLOW_SHARE: f64 = 0.5;
/// A review is good up to this share of failures; so many good ones in a row end the state.
const GOOD_SHARE: f64 = 0.05;
const GOOD_REVIEWS: u32 = 3;

#[derive(Clone, Debug)]
pub(super) struct Reduced {
    /// In thousandths of the calls.
    share: i64,
    /// In thousandths of a call; negative after critical calls beyond the share.
    credit: i64,
    review_at: Instant,
    seen: Sums,
    good: u32,
}

impl Reduced {
    /// `proof` is the weight of failures, in thousandths, that would open the breaker from here: so many
    /// calls are never withheld, or a dead vendor would take longer to be found out.
    pub(super) fn new(proof: u64, window: Duration, now: Instant) -> Reduced {
        Reduced {
            share: FIRST_SHARE,
            credit: i64::try_from(proof).unwrap_or(i64::MAX).max(WHOLE),
            review_at: now + window / GOOD_REVIEWS,
            seen: Sums::default(),
            good: 0,
        }
    }

    /// Share of calls that are admitted, in `[0.1, 1]`.
    pub(super) fn share(&self) -> f64 {
        self.share as f64 / WHOLE as f64
    }

    pub(super) fn review_at(&self) -> Instant {
        self.review_at
    }

    /// Whether calls of this class have any chance at present.
    pub(super) fn serves(&self, priority: Priority) -> bool {
        match priority {
            Priority::Critical | Priority::High | Priority::Normal => true,
            Priority::Low => self.share > SHARE_FOR_LOW,
            Priority::Batch => false,
        }
    }

    /// Every call of a served class earns a share of a token, and an admitted one pays a whole; critical
    /// calls may pay later.
    pub(super) fn admit(&mut self, priority: Priority) -> bool {
        if !self.serves(priority) {
            return false;
        }
        self.credit = (self.credit + self.share).min(WHOLE.max(self.credit));
        let admitted = self.credit >= WHOLE || priority == Priority::Critical;
        if admitted {
            self.credit = (self.credit - WHOLE).max(-WHOLE);
        }
        admitted
    }

    pub(super) fn add(&mut self, weight_thousandths: u64, slow: bool) {
        self.seen.add(weight_thousandths, slow);
    }

    /// Judges every third of a window that has passed; `true` when the last three were good. A third
    /// without calls is good: nothing failed.
    pub(super) fn review(&mut self, window: Duration, now: Instant) -> bool {
        while now >= self.review_at && self.good < GOOD_REVIEWS {
            let (failed, slow) = (self.seen.failure_share(), self.seen.slow_share());
            if failed > BAD_SHARE || slow >= SLOW_SHARE {
                self.share = (self.share / 2).max(LEAST_SHARE);
                self.good = 0;
            } else if failed <= GOOD_SHARE {
                self.share = (self.share + STEP_UP).min(WHOLE);
                self.good += 1;
            } else {
                self.good = 0;
            }
            self.seen = Sums::default();
            self.review_at += (window / GOOD_REVIEWS).max(Duration::from_nanos(1));
        }
        self.good >= GOOD_REVIEWS
    }
}
