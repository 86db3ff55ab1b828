//! The wrapper: what happens to a call, in order.

use std::future::Future;
use std::hash::{BuildHasher, Hash};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use domain::Instant;
use futures_util::future::{Either, select};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use resilience::circuit_breaker::{Admission, CircuitBreaker, Failure, Outcome};
use resilience::sla::{Monitor, Span};
use resilience::{Backoff, Priority};

use crate::answer::{Answer, Error, Fault, Origin, Unanswered};
use crate::cache::Cache;
use crate::clock::Clock;
use crate::limit::{Limit, now};
use crate::parts::Parts;
use crate::state::{BreakerState, State};

/// A function with parts round it, or several functions that share them: everything that is called through one
/// wrapper, or a clone of it, shares one breaker, one limit, one cache and one monitor.
pub struct Reliable<K, V>(Arc<Inner<K, V>>);

impl<K, V> Clone for Reliable<K, V> {
    fn clone(&self) -> Reliable<K, V> {
        Reliable(Arc::clone(&self.0))
    }
}

struct Inner<K, V> {
    name: String,
    clock: Arc<dyn Clock>,
    monitor: Mutex<Monitor>,
    breaker: Option<Mutex<CircuitBreaker>>,
    limit: Option<Limit>,
    retry: Option<Backoff>,
    timeout: Option<Duration>,
    cache: Option<Cache<K, V>>,
    random: Mutex<SmallRng>,
}

/// A failed attempt, and whether another one may help.
struct Failed<E> {
    error: Error<E>,
    may_pass: bool,
}

impl<K, V> Reliable<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn new(parts: Parts, clock: Arc<dyn Clock>) -> Reliable<K, V> {
        let seed = parts.seed.unwrap_or_else(|| std::hash::RandomState::new().hash_one(&parts.name));
        Reliable(Arc::new(Inner {
            monitor: Mutex::new(Monitor::new(parts.thresholds)),
            breaker: parts.breaker.map(|settings| Mutex::new(CircuitBreaker::new(settings))),
            limit: parts.limit.map(|(count, per)| Limit::new(count, per, parts.patience)),
            retry: parts.retry,
            timeout: parts.timeout,
            cache: parts.cache.map(|(fresh, entries)| Cache::new(fresh, parts.stale, entries)),
            random: Mutex::new(SmallRng::seed_from_u64(seed)),
            name: parts.name,
            clock,
        }))
    }

    /// Answers from the cache, or calls the function. Every error is a failure that may pass.
    ///
    /// # Errors
    /// [`Unanswered`], where neither the function nor the cache had a value.
    pub async fn call<E, F, Fut>(&self, key: K, make: F) -> Result<Answer<V, E>, Unanswered<E>>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<V, E>>,
    {
        self.call_judged(key, make, |_| Fault::Transient).await
    }

    /// The same, with a word on what each error says about whoever was called.
    ///
    /// # Errors
    /// [`Unanswered`], where neither the function nor the cache had a value.
    pub async fn call_judged<E, F, Fut>(
        &self,
        key: K,
        mut make: F,
        judge: impl Fn(&E) -> Fault,
    ) -> Result<Answer<V, E>, Unanswered<E>>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<V, E>>,
    {
        let inner = &*self.0;
        let asked_at = inner.now();
        if let Some(kept) = inner.cache.as_ref().and_then(|cache| cache.fresh(&key, asked_at)) {
            let age = asked_at.since(kept.at);
            return Ok(Answer {
                value: kept.value,
                origin: Origin::Cached,
                age,
                attempts: 0,
                last_error: None,
            });
        }
        let (mut attempts, mut retries, mut last_error) = (0, 0, None);
        let error = loop {
            match inner.attempt(&mut make, &judge, &mut attempts).await {
                Ok((value, since)) => {
                    if let Some(cache) = &inner.cache {
                        cache.keep(key, value.clone(), since);
                    }
                    let (origin, age) = (Origin::Called, inner.now().since(since));
                    return Ok(Answer { value, origin, age, attempts, last_error });
                }
                Err(failed) => {
                    let wait = inner.wait_before_retry(retries).filter(|_| failed.may_pass);
                    let refused = matches!(failed.error, Error::Refused { .. } | Error::Limited { .. });
                    // A refusal after a failure hides nothing: the failure is the news.
                    let error = match last_error.take() {
                        Some(before) if refused => before,
                        _ => failed.error,
                    };
                    let Some(wait) = wait else { break error };
                    last_error = Some(error);
                    retries += 1;
                    inner.clock.sleep(wait).await;
                }
            }
        };
        let now = inner.now();
        match inner.cache.as_ref().and_then(|cache| cache.stale(&key, now)) {
            Some(kept) => Ok(Answer {
                value: kept.value,
                origin: Origin::Stale,
                age: now.since(kept.at),
                attempts,
                last_error: Some(error),
            }),
            None => Err(Unanswered { error, attempts }),
        }
    }

    /// Forgets what is cached of a key.
    pub fn forget(&self, key: &K) {
        if let Some(cache) = &self.0.cache {
            cache.forget(key);
        }
    }

    /// How it fares now.
    pub fn state(&self) -> State {
        let inner = &*self.0;
        let now = inner.now();
        let monitor = inner.monitor.lock();
        let report = monitor.report(Span::Hour, now);
        State {
            name: inner.name.clone(),
            status: monitor.status(now),
            calls: report.calls,
            p50: report.p50.map(|percentile| percentile.value),
            p95: report.p95.map(|percentile| percentile.value),
            p99: report.p99.map(|percentile| percentile.value),
            success: report.success.map(|rate| rate.share),
            success_interval: report.success.map(|rate| (rate.least, rate.most)),
            uptime: report.uptime,
            consecutive_failures: monitor.consecutive_failures(),
            breaker: inner.breaker.as_ref().map(|breaker| BreakerState::of(&breaker.lock().state(), now)),
            calls_left: inner.limit.as_ref().map(|limit| limit.left(now)),
            cache: inner.cache.as_ref().map(Cache::state),
        }
    }
}

impl<K, V> Inner<K, V> {
    fn now(&self) -> Instant {
        now(&*self.clock)
    }

    fn draw(&self) -> f64 {
        self.random.lock().random()
    }

    fn wait_before_retry(&self, retries: u32) -> Option<Duration> {
        self.retry.and_then(|backoff| backoff.wait(retries, self.draw()))
    }

    /// One call, past breaker and limit; its value with the moment it was begun.
    async fn attempt<E, F, Fut>(
        &self,
        make: &mut F,
        judge: &impl Fn(&E) -> Fault,
        attempts: &mut u32,
    ) -> Result<(V, Instant), Failed<E>>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<V, E>>,
    {
        let admitted = self.admit()?;
        if let Some(limit) = &self.limit {
            limit
                .turn(&*self.clock)
                .await
                .map_err(|retry_in| Failed { error: Error::Limited { retry_in }, may_pass: false })?;
        }
        *attempts += 1;
        let since = self.now();
        let under_way = UnderWay { of: self, admitted, since, has_ended: false };
        let ended = self.in_time(make()).await;
        let fault = match &ended {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(judge(error)),
            Err(_) => Some(Fault::Transient),
        };
        let kind = if ended.is_err() { Failure::Timeout } else { Failure::Server };
        under_way.settle(fault, kind);
        match ended {
            Ok(Ok(value)) => Ok((value, since)),
            Ok(Err(error)) => {
                Err(Failed { error: Error::Failed(error), may_pass: fault == Some(Fault::Transient) })
            }
            Err(timeout) => Err(Failed { error: Error::TimedOut(timeout), may_pass: true }),
        }
    }

    fn admit<E>(&self) -> Result<Option<Admitted<'_>>, Failed<E>> {
        let Some(breaker) = &self.breaker else { return Ok(None) };
        let now = self.now();
        let admission = breaker.lock().admit(now, self.draw(), Priority::Normal).map_err(|refused| {
            Failed { error: Error::Refused { retry_in: refused.retry_at.since(now) }, may_pass: false }
        })?;
        Ok(Some(Admitted { breaker, admission: Some(admission) }))
    }

    /// Awaits a call; an error is the time that was too short for it.
    async fn in_time<T>(&self, call: impl Future<Output = T>) -> Result<T, Duration> {
        let Some(timeout) = self.timeout else { return Ok(call.await) };
        match select(pin!(call), self.clock.sleep(timeout)).await {
            Either::Left((ended, _)) => Ok(ended),
            Either::Right(_) => Err(timeout),
        }
    }
}

/// Leave to call, given back where the caller leaves first.
struct Admitted<'a> {
    breaker: &'a Mutex<CircuitBreaker>,
    admission: Option<Admission>,
}

impl Admitted<'_> {
    fn settle(mut self, outcome: Outcome, now: Instant) {
        if let Some(admission) = self.admission.take() {
            self.breaker.lock().settle(admission, outcome, now);
        }
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if let Some(admission) = self.admission.take() {
            self.breaker.lock().abandon(admission);
        }
    }
}

/// A call that was begun. Dropped before it is settled it was abandoned, and counts neither way; dropped by a panic
/// it has failed.
struct UnderWay<'a, K, V> {
    of: &'a Inner<K, V>,
    admitted: Option<Admitted<'a>>,
    since: Instant,
    has_ended: bool,
}

impl<K, V> UnderWay<'_, K, V> {
    fn settle(mut self, fault: Option<Fault>, kind: Failure) {
        self.end(fault, kind);
    }

    fn end(&mut self, fault: Option<Fault>, kind: Failure) {
        self.has_ended = true;
        let now = self.of.now();
        let took = now.since(self.since);
        let (outcome, counts_as) = match fault {
            None => (Outcome::Succeeded { took }, Some(true)),
            Some(Fault::Transient | Fault::Lasting) => (Outcome::Failed(kind), Some(false)),
            Some(Fault::NotTheirs) => (Outcome::Failed(Failure::NotCounted), Some(true)),
            Some(Fault::Wait(span)) => {
                self.told_to_wait(span, now);
                (Outcome::Failed(Failure::NotCounted), None)
            }
        };
        if let Some(admitted) = self.admitted.take() {
            admitted.settle(outcome, now);
        }
        if let Some(succeeded) = counts_as {
            self.of.monitor.lock().record(took, succeeded, now);
        }
    }

    /// Where there is a limit it holds further calls back, else the breaker does.
    fn told_to_wait(&self, span: Duration, now: Instant) {
        match (&self.of.limit, &self.of.breaker) {
            (Some(limit), _) => limit.told_to_wait(span, now),
            (None, Some(breaker)) => {
                breaker.lock().open_until(now + span, now);
            }
            (None, None) => {}
        }
    }
}

impl<K, V> Drop for UnderWay<'_, K, V> {
    fn drop(&mut self) {
        if !self.has_ended && std::thread::panicking() {
            self.end(Some(Fault::Lasting), Failure::Server);
        }
    }
}
