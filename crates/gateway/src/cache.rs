//! Answers in memory: freshness by our own clock, bytes bounded by moka.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::Instant;
use moka::sync::Cache as Moka;
use vendors::Data;

use crate::answer::Answer;
use crate::flight_key::FlightKey;

/// What the cache knows about a question.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// An answer inside its time.
    Fresh(Arc<Answer>),
    /// An answer past its time that may still be served with its age declared.
    Stale(Arc<Answer>),
    /// Nothing.
    Missing,
}

/// What a cache holds, and how often it helped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Entries.
    pub size: u64,
    /// Requests it answered.
    pub hits: u64,
    /// Requests it did not.
    pub misses: u64,
}

impl CacheStats {
    /// Share of requests it answered, in `[0, 1]`; `None` before the first.
    pub fn hit_rate(&self) -> Option<f64> {
        let all = self.hits + self.misses;
        (all > 0).then(|| self.hits as f64 / all as f64)
    }
}

/// Answers by question, and symbols nobody knows in a store of their own, so that junk cannot evict quotes.
pub struct Cache {
    answers: Moka<FlightKey, Arc<Answer>>,
    unknown: Moka<FlightKey, Instant>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Cache {
    /// A cache of so many bytes.
    pub fn new(max_bytes: u64) -> Cache {
        Cache {
            answers: Moka::builder()
                .max_capacity(max_bytes)
                .weigher(|_, answer: &Arc<Answer>| u32::try_from(weight(answer)).unwrap_or(u32::MAX))
                .build(),
            unknown: Moka::builder().max_capacity(10_000).build(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// What is known about a question now.
    pub fn look_up(&self, key: &FlightKey, now: Instant) -> Lookup {
        match self.answers.get(key) {
            Some(answer) if now < answer.fresh_until => Lookup::Fresh(answer),
            Some(answer) if now < answer.stale_until => Lookup::Stale(answer),
            _ => Lookup::Missing,
        }
    }

    /// Keeps an answer, unless a newer one about the same thing is already there.
    pub fn insert(&self, key: FlightKey, answer: Arc<Answer>) {
        self.unknown.invalidate(&key);
        self.answers.entry(key).and_upsert_with(|known| match known {
            Some(known) if is_newer(known.value(), &answer) => Arc::clone(known.value()),
            _ => answer,
        });
    }

    /// Remembers that nobody knows the symbol.
    pub fn insert_unknown(&self, key: FlightKey, until: Instant) {
        self.unknown.insert(key, until);
    }

    /// Whether it is remembered that nobody knows the symbol.
    pub fn is_unknown(&self, key: &FlightKey, now: Instant) -> bool {
        self.unknown.get(key).is_some_and(|until| now < until)
    }

    /// Drops every answer about an instrument: a corporate action or correction has come in.
    pub fn invalidate(&self, instrument: &domain::InstrumentId) {
        let stale: Vec<FlightKey> = self
            .answers
            .iter()
            .filter(|(key, _)| key.question.instruments().contains(instrument))
            .map(|(key, _)| (*key).clone())
            .collect();
        for key in stale {
            self.answers.invalidate(&key);
        }
    }

    /// A request was answered from here, or not.
    pub fn count(&self, hit: bool) {
        let counter = if hit { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// What it holds, and how often it helped.
    pub fn stats(&self) -> CacheStats {
        CacheStats {
            size: self.len(),
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
        }
    }

    /// Number of answers.
    pub fn len(&self) -> u64 {
        self.answers.run_pending_tasks();
        self.answers.entry_count()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Event time decides; an answer without one gives way.
fn is_newer(known: &Answer, other: &Answer) -> bool {
    matches!((known.event_time, other.event_time), (Some(a), Some(b)) if a > b)
        && known.fresh_until >= other.received_at
        && matches!(known.data, Data::Quotes(_))
}

/// Rough bytes an answer occupies.
fn weight(answer: &Answer) -> usize {
    const BASE: usize = 1_500;
    BASE + answer.data.rows() * 220 + answer.findings.len() * 160 + answer.decision.candidates.len() * 250
}

/// How long an answer stays fresh and may be served stale: jitter of ±10 % by a draw in `[0, 1)`, stale up
/// to twice the time.
pub fn lifetime(ttl: Duration, received_at: Instant, draw: f64) -> (Instant, Instant) {
    let fresh = ttl.mul_f64(0.9 + 0.2 * draw);
    (received_at + fresh, received_at + fresh.saturating_mul(2))
}
