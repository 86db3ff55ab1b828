//! Values by key: freshness by our own clock, the number of entries bounded by moka.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::Instant;
use moka::sync::Cache as Moka;

use crate::state::CacheState;

/// Values that were given, for a while.
pub(crate) struct Cache<K, V> {
    entries: Moka<K, Kept<V>>,
    fresh: Duration,
    stale: Duration,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// A value, and when the call that gave it was begun.
#[derive(Clone)]
pub(crate) struct Kept<V> {
    pub(crate) value: V,
    pub(crate) at: Instant,
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn new(fresh: Duration, stale: Duration, entries: u64) -> Cache<K, V> {
        Cache {
            entries: Moka::new(entries),
            fresh,
            stale,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// A fresh value.
    pub(crate) fn fresh(&self, key: &K, now: Instant) -> Option<Kept<V>> {
        let kept = self.entries.get(key).filter(|kept| now.since(kept.at) < self.fresh);
        let counter = if kept.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        kept
    }

    /// A value that may stand in for one that could not be had.
    pub(crate) fn stale(&self, key: &K, now: Instant) -> Option<Kept<V>> {
        self.entries.get(key).filter(|kept| now.since(kept.at) < self.fresh + self.stale)
    }

    /// Keeps a value, unless one whose call was begun later is there.
    pub(crate) fn keep(&self, key: K, value: V, at: Instant) {
        self.entries.entry(key).and_upsert_with(|known| match known {
            Some(known) if known.value().at > at => known.into_value(),
            _ => Kept { value, at },
        });
    }

    pub(crate) fn forget(&self, key: &K) {
        self.entries.invalidate(key);
    }

    pub(crate) fn state(&self) -> CacheState {
        self.entries.run_pending_tasks();
        CacheState {
            entries: self.entries.entry_count(),
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
        }
    }
}
