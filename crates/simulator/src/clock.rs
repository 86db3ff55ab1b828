//! Clocks: one that follows the runtime's virtual time, and one that lives on another date.

use std::sync::Arc;
use std::time::Duration;

use domain::Instant;
use gateway::{Clock, Pending};

/// The time of the tokio runtime, counted from a chosen instant. On a current-thread runtime with paused time
/// it runs as fast as the work allows, so that days pass in milliseconds.
pub struct VirtualClock {
    base: Instant,
    start: tokio::time::Instant,
}

impl VirtualClock {
    /// A clock that shows `base` now. To be made inside the runtime it is to follow.
    pub fn starting_at(base: Instant) -> VirtualClock {
        VirtualClock { base, start: tokio::time::Instant::now() }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        self.base + self.start.elapsed()
    }

    fn sleep_until(&self, at: Instant) -> Pending<'_, ()> {
        Box::pin(tokio::time::sleep_until(self.start + at.since(self.base)))
    }
}

/// Another clock moved to a chosen date: a recording of 2017 is replayed as if it were 2017 now.
pub struct ShiftedClock {
    inner: Arc<dyn Clock>,
    back: bool,
    by: Duration,
}

impl ShiftedClock {
    /// A clock that shows `base` now and runs on like `inner`.
    pub fn starting_at(base: Instant, inner: Arc<dyn Clock>) -> ShiftedClock {
        let now = inner.now();
        let (back, by) = if base < now { (true, now.since(base)) } else { (false, base.since(now)) };
        ShiftedClock { inner, back, by }
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Instant {
        let now = self.inner.now();
        if self.back { now - self.by } else { now + self.by }
    }

    fn sleep_until(&self, at: Instant) -> Pending<'_, ()> {
        self.inner.sleep_until(if self.back { at + self.by } else { at - self.by })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_virtual_day_passes_at_once_and_a_shifted_clock_follows_it() {
        let base = Instant::parse("2026-01-05T14:30:00Z").unwrap();
        let clock = Arc::new(VirtualClock::starting_at(base));
        let past = Instant::parse("2017-12-28T14:30:00Z").unwrap();
        let shifted = ShiftedClock::starting_at(past, clock.clone());
        let day = Duration::from_secs(86_400);
        clock.sleep_until(base + day).await;
        assert_eq!(clock.now().as_secs(), (base + day).as_secs());
        assert_eq!(shifted.now().as_secs(), (past + day).as_secs());
        shifted.sleep_until(past + day + day).await;
        assert_eq!(clock.now().as_secs(), (base + day + day).as_secs());
        clock.sleep_until(base).await;
    }
}
