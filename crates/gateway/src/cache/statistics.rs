//! What the cache holds and how it is used, counted as it happens (CCH-7). Rates are fractions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::notification::RemovalCause;

use crate::answer::CacheState;
use crate::cache::kept::Kept;
use crate::cache::tags::Namespace;

/// The figures of the whole cache.
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    /// By kind of question.
    pub namespaces: Vec<NamespaceStats>,
    /// Places.
    pub max_entries: u64,
    /// Bytes that answers may occupy.
    pub max_bytes: u64,
    /// Symbols remembered that nobody knows.
    pub unknown_entries: u64,
    /// Rough bytes of those.
    pub unknown_bytes: u64,
}

impl Stats {
    /// All kinds of questions together.
    pub fn total(&self) -> NamespaceStats {
        let mut total = NamespaceStats::new("total");
        for one in &self.namespaces {
            total.entries += one.entries;
            total.bytes += one.bytes;
            total.hits += one.hits;
            total.stale += one.stale;
            total.misses += one.misses;
            total.stored += one.stored;
            total.coalesced += one.coalesced;
            total.refused_unknown += one.refused_unknown;
            total.fetched_ahead += one.fetched_ahead;
            total.evictions += one.evictions;
            total.expired += one.expired;
            total.invalidated += one.invalidated;
            total.too_large += one.too_large;
            total.access_nanos += one.access_nanos;
        }
        total
    }
}

/// The figures of one kind of question, since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamespaceStats {
    /// Its word.
    pub name: &'static str,
    /// Answers kept.
    pub entries: u64,
    /// Rough bytes they occupy.
    pub bytes: u64,
    /// Callers served from memory inside the time.
    pub hits: u64,
    /// Callers served from memory past the time, and told so.
    pub stale: u64,
    /// Callers for whom a vendor was asked.
    pub misses: u64,
    /// Callers served from the store, no vendor asked.
    pub stored: u64,
    /// Callers who joined a flight under way.
    pub coalesced: u64,
    /// Callers told from memory that nobody knows the symbol.
    pub refused_unknown: u64,
    /// Answers fetched before anybody had to wait.
    pub fetched_ahead: u64,
    /// Answers that gave way to others. What was replaced, has ended or was dropped on purpose is none of these.
    pub evictions: u64,
    /// Answers given up some time after their end.
    pub expired: u64,
    /// Answers dropped on purpose.
    pub invalidated: u64,
    /// Answers too large to be kept.
    pub too_large: u64,
    /// Time that hits took in memory, all together.
    pub access_nanos: u64,
}

impl NamespaceStats {
    const fn new(name: &'static str) -> NamespaceStats {
        NamespaceStats {
            name,
            entries: 0,
            bytes: 0,
            hits: 0,
            stale: 0,
            misses: 0,
            stored: 0,
            coalesced: 0,
            refused_unknown: 0,
            fetched_ahead: 0,
            evictions: 0,
            expired: 0,
            invalidated: 0,
            too_large: 0,
            access_nanos: 0,
        }
    }

    /// Callers who were answered or refused.
    pub fn asked(&self) -> u64 {
        self.hits + self.stale + self.misses + self.stored + self.coalesced
    }

    /// Share of callers who were served from memory, in `[0, 1]`: those who waited for the store, a vendor or
    /// another's flight were not. `None` before the first.
    pub fn hit_rate(&self) -> Option<f64> {
        let asked = self.asked();
        (asked > 0).then(|| (self.hits + self.stale) as f64 / asked as f64)
    }

    /// Mean time of a hit in memory; `None` before the first.
    pub fn access(&self) -> Option<Duration> {
        (self.hits > 0).then(|| Duration::from_nanos(self.access_nanos / self.hits))
    }
}

/// Counters of one kind of question, on cache lines of their own.
#[derive(Default)]
#[repr(align(128))]
struct Counters {
    entries: AtomicU64,
    bytes: AtomicU64,
    hits: AtomicU64,
    access_nanos: AtomicU64,
    stale: AtomicU64,
    misses: AtomicU64,
    stored: AtomicU64,
    coalesced: AtomicU64,
    refused_unknown: AtomicU64,
    fetched_ahead: AtomicU64,
    evictions: AtomicU64,
    expired: AtomicU64,
    invalidated: AtomicU64,
    too_large: AtomicU64,
}

/// The counters.
#[derive(Default)]
pub(super) struct Tally {
    by_namespace: [Counters; Namespace::ALL.len()],
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

impl Tally {
    fn counters(&self, namespace: Namespace) -> &Counters {
        &self.by_namespace[namespace as usize]
    }

    pub(super) fn entered(&self, kept: &Kept) {
        let counters = self.counters(kept.namespace);
        add(&counters.entries, 1);
        add(&counters.bytes, kept.bytes);
    }

    pub(super) fn left(&self, kept: &Kept, cause: RemovalCause) {
        let counters = self.counters(kept.namespace);
        counters.entries.fetch_sub(1, Ordering::Relaxed);
        counters.bytes.fetch_sub(kept.bytes, Ordering::Relaxed);
        match cause {
            RemovalCause::Size => add(&counters.evictions, 1),
            RemovalCause::Expired => add(&counters.expired, 1),
            RemovalCause::Explicit => add(&counters.invalidated, 1),
            RemovalCause::Replaced => {}
        }
    }

    pub(super) fn refused(&self, namespace: Namespace) {
        add(&self.counters(namespace).too_large, 1);
    }

    pub(super) fn refused_unknown(&self, namespace: Namespace) {
        add(&self.counters(namespace).refused_unknown, 1);
    }

    pub(super) fn fetched_ahead(&self, namespace: Namespace) {
        add(&self.counters(namespace).fetched_ahead, 1);
    }

    pub(super) fn served(&self, namespace: Namespace, state: CacheState, took: Option<Duration>) {
        let counters = self.counters(namespace);
        let counter = match state {
            CacheState::Hit => &counters.hits,
            CacheState::Stale => &counters.stale,
            CacheState::Stored => &counters.stored,
            CacheState::Coalesced => &counters.coalesced,
            CacheState::Miss => &counters.misses,
        };
        add(counter, 1);
        if let Some(took) = took.filter(|took| !took.is_zero()) {
            add(&counters.access_nanos, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    pub(super) fn entries(&self) -> u64 {
        self.by_namespace.iter().map(|counters| counters.entries.load(Ordering::Relaxed)).sum()
    }

    /// Bytes of all answers.
    pub(super) fn weight(&self) -> u64 {
        self.by_namespace.iter().map(|counters| counters.bytes.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn of(&self, namespace: Namespace) -> NamespaceStats {
        let counters = self.counters(namespace);
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        NamespaceStats {
            name: namespace.as_str(),
            entries: read(&counters.entries),
            bytes: read(&counters.bytes),
            hits: read(&counters.hits),
            stale: read(&counters.stale),
            misses: read(&counters.misses),
            stored: read(&counters.stored),
            coalesced: read(&counters.coalesced),
            refused_unknown: read(&counters.refused_unknown),
            fetched_ahead: read(&counters.fetched_ahead),
            evictions: read(&counters.evictions),
            expired: read(&counters.expired),
            invalidated: read(&counters.invalidated),
            too_large: read(&counters.too_large),
            access_nanos: read(&counters.access_nanos),
        }
    }
}
