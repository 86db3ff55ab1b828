//! A function to be called, and a clock of one's own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reliable::{Clock, MachineClock, Wait};

/// Somebody else's service.
#[derive(Default)]
pub(crate) struct Service {
    calls: AtomicU32,
    failures_left: AtomicU32,
}

impl Service {
    /// Fails so many times from now on.
    pub(crate) fn fails(&self, times: u32) {
        self.failures_left.store(times, Ordering::Relaxed);
    }

    /// How often it was called.
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Takes a tenth of a second, and tells the number of the call.
    pub(crate) async fn serve(&self) -> Result<u32, &'static str> {
        pause(100).await;
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let left = self.failures_left.load(Ordering::Relaxed);
        self.failures_left.store(left.saturating_sub(1), Ordering::Relaxed);
        if left > 0 { Err("down") } else { Ok(call) }
    }
}

/// Time of the paused runtime.
pub(crate) async fn pause(millis: u64) {
    let clock = MachineClock::start();
    clock.sleep(Duration::from_millis(millis)).await;
}

/// A clock that runs ten times as fast as the runtime's.
pub(crate) struct FastClock(pub(crate) MachineClock);

impl Clock for FastClock {
    fn now(&self) -> Duration {
        self.0.now() * 10
    }

    fn sleep(&self, span: Duration) -> Wait<'_> {
        self.0.sleep(span / 10)
    }
}
