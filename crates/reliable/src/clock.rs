//! Time, the machine's or one's own.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A wait.
pub type Wait<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Time. Never goes back.
pub trait Clock: Send + Sync + 'static {
    /// Time since any fixed moment.
    fn now(&self) -> Duration;

    /// Completes after a span.
    fn sleep(&self, span: Duration) -> Wait<'_>;
}

/// The machine's monotonic clock, as Tokio sees it: a test that pauses time pauses this one too.
#[derive(Clone, Copy, Debug)]
pub struct MachineClock {
    start: tokio::time::Instant,
}

impl MachineClock {
    /// Starts now.
    pub fn start() -> MachineClock {
        MachineClock { start: tokio::time::Instant::now() }
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, span: Duration) -> Wait<'_> {
        #[expect(clippy::disallowed_methods, reason = "this is where waiting is done")]
        Box::pin(tokio::time::sleep(span))
    }
}
