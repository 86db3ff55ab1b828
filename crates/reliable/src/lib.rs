//! Puts a service-level monitor, a circuit breaker, a rate limit, retries, a cache and a stale fallback round any
//! asynchronous function.
//!
//! ```
//! use std::time::Duration;
//! use reliable::Parts;
//! # async fn forecast(city: &str) -> Result<String, std::io::Error> { Ok(format!("{city}: rain")) }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let weather = Parts::social("weather").limit(10, Duration::from_secs(1)).build();
//! let answer = weather.call("Oslo", || forecast("Oslo")).await?;
//! println!("{}, {:?}, {:?} old", answer.value, answer.origin, answer.age);
//! println!("{}", weather.state());
//! # assert_eq!(answer.value, "Oslo: rain");
//! # Ok(())
//! # }
//! ```
//!
//! # What happens to a call
//!
//! 1. A cached value that is still fresh is the answer.
//! 2. The circuit breaker may refuse: what failed too often is left alone for a while, then probed, one call at a
//!    time.
//! 3. The limit may refuse, or let the call wait for its turn as long as [`Parts::patience`] says.
//! 4. The function is called and awaited, no longer than [`Parts::timeout`]. The call is timed from the moment the
//!    future is first awaited to the moment it is done, so a future that was made earlier is timed like any other.
//! 5. What came of it is told to the breaker and to the monitor. A future that fails is a failure, whatever the
//!    function that made it returned; one that panics is a failure too; one that is dropped is neither success nor
//!    failure, and gives back what it held.
//! 6. A failure that may pass is retried after a wait with jitter; breaker and limit are asked again each time.
//! 7. Where no answer came of it, a cached value past its time stands in, marked as [`Origin::Stale`] and with the
//!    error that was the reason.
//!
//! No lock is held while your future runs: ten calls of 200 ms made together take 200 ms.
//!
//! # Presets, and numbers of your own
//!
//! | preset | breaker: failures, open, successes | promises: p95, p99, success, failures | fresh, entries | retries |
//! | --- | --- | --- | --- | --- |
//! | [`Parts::exchange_book`] | 5, 30 s, 2 | 1 s, 2 s, 95 %, 3 | 5 s, 500 | 0.5 to 10 s, 3 |
//! | [`Parts::dex_aggregator`] | 10, 60 s, 3 | 3 s, 5 s, 90 %, 5 | 30 s, 200 | 1 to 30 s, 4 |
//! | [`Parts::social`] | 3, 120 s, 1 | 5 s, 10 s, 85 %, 3 | 300 s, 1,000 | 2 to 60 s, 3 |
//!
//! Fast and precious, slower and less sure, slow with a quota that returns slowly. Each number can be replaced:
//!
//! ```
//! use std::time::Duration;
//! use reliable::{Backoff, Parts, Thresholds};
//!
//! let strict = Thresholds::new(Duration::from_millis(500), Duration::from_secs(1), 0.99, 1);
//! let prices = Parts::exchange_book("prices")
//!     .watch(strict)
//!     .retry(Backoff { retries: 1, ..Backoff::exchange_book() })
//!     .timeout(Duration::from_secs(3))
//!     .build::<u64, f64>();
//! assert_eq!(prices.state().status, reliable::Status::Unknown); // nobody has called it yet
//! ```
//!
//! # Each part alone
//!
//! [`Parts::none`] begins with nothing but the monitor, and what you add is all there is:
//!
//! ```
//! use std::time::Duration;
//! use reliable::{Breaker, Parts};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // A circuit breaker and nothing else: no cache, no limit, no retry.
//! let guarded = Parts::none("guarded").breaker(Breaker { failures: 1, ..Breaker::default() }).build();
//! let first = guarded.call((), || async { Err::<u8, _>("down") }).await;
//! assert_eq!(first.expect_err("it failed").attempts, 1);
//! let second = guarded.call((), || async { Ok::<_, &str>(1) }).await;
//! assert_eq!(second.expect_err("the breaker is open").attempts, 0);
//! # }
//! ```
//!
//! # Whose fault it is
//!
//! By default every error is a failure that may pass. [`Reliable::call_judged`] asks you:
//!
//! ```
//! use reliable::{Fault, Parts};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let users = Parts::dex_aggregator("users").build::<u32, String>();
//! let judge = |status: &u16| match status {
//!     404 => Fault::NotTheirs, // it answered, and did its work
//!     429 => Fault::Wait(std::time::Duration::from_secs(30)),
//!     400..=499 => Fault::Lasting,
//!     _ => Fault::Transient,
//! };
//! let nobody = users.call_judged(7, || async { Err(404_u16) }, judge).await;
//! assert!(nobody.is_err());
//! assert_eq!(users.state().consecutive_failures, 0);
//! # }
//! ```
//!
//! # Time
//!
//! Waits need a Tokio runtime with its timer. [`MachineClock`] follows Tokio's clock, so a test under
//! `tokio::time::pause` never waits; any other [`Clock`] can be given to [`Parts::clock`], and the randomness of
//! the jitter can be fixed with [`Parts::seed`].
//!
//! # What it does not do
//!
//! It does not merge identical calls that are made at the same time, does not share its counts with other
//! processes, and remembers nothing over a restart.

mod answer;
mod cache;
mod call;
mod clock;
mod limit;
mod parts;
mod state;

pub use answer::{Answer, Error, Fault, Origin, Unanswered};
pub use call::Reliable;
pub use clock::{Clock, MachineClock, Wait};
pub use parts::Parts;
pub use resilience::backoff::{Backoff, Growth};
pub use resilience::circuit_breaker::Settings as Breaker;
pub use resilience::sla::{Status, Thresholds};
pub use state::{BreakerState, CacheState, State};
