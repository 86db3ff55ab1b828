//! A rate limit with a line of those who wait for their turn.

use std::pin::pin;
use std::time::Duration;

use domain::Instant;
use futures_util::future::{Either, select};
use parking_lot::Mutex;
use resilience::quota::{Limit as Rate, Pace, Quota, Settings, VendorWord, Window};

use crate::clock::Clock;

/// So many calls in any span of a length.
pub(crate) struct Limit {
    quota: Mutex<Quota>,
    patience: Duration,
    /// Held by whoever is first in line: first come, first served.
    line: tokio::sync::Mutex<()>,
}

impl Limit {
    pub(crate) fn new(count: u32, per: Duration, patience: Duration) -> Limit {
        let limits = vec![Rate { count, window: Window::Sliding(per) }];
        let settings =
            Settings { capacity: Some(count), ..Settings::new(limits, Pace::Burst, jiff::tz::TimeZone::UTC) };
        Limit { quota: Mutex::new(Quota::new(settings)), patience, line: tokio::sync::Mutex::new(()) }
    }

    /// Takes a turn, waiting for it no longer than patience lasts.
    ///
    /// # Errors
    /// How long it would take.
    pub(crate) async fn turn(&self, clock: &dyn Clock) -> Result<(), Duration> {
        let deadline = now(clock) + self.patience;
        if self.patience.is_zero() {
            return self.try_turn(now(clock)).map_err(|at| at.since(now(clock)));
        }
        let line = pin!(self.line.lock());
        let Either::Left((_first, _)) = select(line, clock.sleep(self.patience)).await else {
            return Err(self.patience);
        };
        loop {
            let Err(at) = self.try_turn(now(clock)) else { return Ok(()) };
            let wait = at.since(now(clock));
            if at > deadline {
                return Err(wait);
            }
            clock.sleep(wait).await;
        }
    }

    fn try_turn(&self, now: Instant) -> Result<(), Instant> {
        let mut quota = self.quota.lock();
        let grant = quota.try_take(1, now).map_err(|refused| refused.retry_at)?;
        // Nothing is remembered over a restart, so there is nothing to wait for.
        if let Some(snapshot) = grant.must_persist {
            quota.persisted(snapshot.sequence);
        }
        Ok(())
    }

    /// Whoever is called asks for a wait.
    pub(crate) fn told_to_wait(&self, span: Duration, now: Instant) {
        let _for_a_restart = self.quota.lock().observe(VendorWord::RetryAfter(span), now);
    }

    /// Calls that are left in the span that ends now.
    pub(crate) fn left(&self, now: Instant) -> u32 {
        self.quota.lock().status(now).first().map_or(u32::MAX, |window| window.remaining)
    }
}

/// A clock's time as the machines take it.
pub(crate) fn now(clock: &dyn Clock) -> Instant {
    Instant::EPOCH + clock.now()
}
