//! What is put round a function.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use resilience::backoff::Backoff;
use resilience::circuit_breaker::Settings as Breaker;
use resilience::sla::Thresholds;

use crate::call::Reliable;
use crate::clock::{Clock, MachineClock};

/// What is put round a function: a preset, a preset with numbers of one's own, or single parts.
#[derive(Clone)]
#[must_use = "parts do nothing until they are built"]
pub struct Parts {
    pub(crate) name: String,
    pub(crate) thresholds: Thresholds,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) limit: Option<(u32, Duration)>,
    pub(crate) patience: Duration,
    pub(crate) retry: Option<Backoff>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) cache: Option<(Duration, u64)>,
    pub(crate) stale: Duration,
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) seed: Option<u64>,
}

impl Parts {
    /// The monitor alone, which everything is told. What is added is all there is.
    pub fn none(name: impl Into<String>) -> Parts {
        Parts {
            name: name.into(),
            thresholds: Thresholds::default(),
            breaker: None,
            limit: None,
            patience: Duration::ZERO,
            retry: None,
            timeout: None,
            cache: None,
            stale: Duration::ZERO,
            clock: None,
            seed: None,
        }
    }

    fn preset(
        name: impl Into<String>,
        thresholds: Thresholds,
        breaker: Breaker,
        retry: Backoff,
        fresh: Duration,
        entries: u64,
    ) -> Parts {
        Parts {
            thresholds,
            breaker: Some(breaker),
            retry: Some(retry),
            // What takes twice the time that is promised of nearly all calls is not waited for.
            timeout: Some(thresholds.p99 * 2),
            cache: Some((fresh, entries)),
            // Past its time for as long again.
            stale: fresh,
            ..Parts::none(name)
        }
    }

    /// For what is fast and changes all the time: values are fresh for 5 s, calls are given up after 4 s.
    pub fn exchange_book(name: impl Into<String>) -> Parts {
        let (thresholds, breaker) = (Thresholds::exchange_book(), Breaker::exchange_book());
        Parts::preset(name, thresholds, breaker, Backoff::exchange_book(), Duration::from_secs(5), 500)
    }

    /// For what gathers from others and fails now and then: values are fresh for 30 s, calls are given up after
    /// 10 s.
    pub fn dex_aggregator(name: impl Into<String>) -> Parts {
        let (thresholds, breaker) = (Thresholds::dex_aggregator(), Breaker::dex_aggregator());
        Parts::preset(name, thresholds, breaker, Backoff::dex_aggregator(), Duration::from_secs(30), 200)
    }

    /// For what is slow and has a quota that returns slowly: values are fresh for 300 s, calls are given up after
    /// 20 s.
    pub fn social(name: impl Into<String>) -> Parts {
        let (thresholds, breaker) = (Thresholds::social(), Breaker::social());
        Parts::preset(name, thresholds, breaker, Backoff::social(), Duration::from_secs(300), 1_000)
    }

    /// Promises by which the status is judged.
    pub fn watch(self, thresholds: Thresholds) -> Parts {
        Parts { thresholds, ..self }
    }

    /// A circuit breaker.
    pub fn breaker(self, breaker: Breaker) -> Parts {
        Parts { breaker: Some(breaker), ..self }
    }

    /// At most `count` calls in any span of the length `per`.
    pub fn limit(self, count: u32, per: Duration) -> Parts {
        Parts { limit: Some((count, per)), ..self }
    }

    /// How long a call may wait for its turn under the limit; without it a call is refused at once.
    pub fn patience(self, patience: Duration) -> Parts {
        Parts { patience, ..self }
    }

    /// Retries of failures that may pass.
    pub fn retry(self, backoff: Backoff) -> Parts {
        Parts { retry: Some(backoff), ..self }
    }

    /// Gives every single call this time.
    pub fn timeout(self, timeout: Duration) -> Parts {
        Parts { timeout: Some(timeout), ..self }
    }

    /// Keeps values for so long, and so many of them.
    pub fn cache(self, fresh: Duration, entries: u64) -> Parts {
        Parts { cache: Some((fresh, entries)), ..self }
    }

    /// How long past its time a cached value may stand in for one that could not be had. Without a cache it has no
    /// effect.
    pub fn stale(self, stale: Duration) -> Parts {
        Parts { stale, ..self }
    }

    /// Another clock than the machine's.
    pub fn clock(self, clock: impl Clock) -> Parts {
        Parts { clock: Some(Arc::new(clock)), ..self }
    }

    /// Fixes the randomness of the jitter, for tests that must repeat themselves.
    pub fn seed(self, seed: u64) -> Parts {
        Parts { seed: Some(seed), ..self }
    }

    /// The wrapper, over keys and values of any type. Clones of it share everything.
    pub fn build<K, V>(self) -> Reliable<K, V>
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        let clock = self.clock.clone().unwrap_or_else(|| Arc::new(MachineClock::start()));
        Reliable::new(self, clock)
    }
}
