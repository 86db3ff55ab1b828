//! Answers in memory, level 1 (CCH-1, CCH-3): our own clock says what is fresh, moka keeps places and bytes.
//!
//! Everything that is kept comes in by [`Cache::insert`] and goes out by [`Cache::look_up`]; a further level is
//! put behind these two.

pub mod kept;
pub mod statistics;
pub mod tags;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use domain::Instant;
use moka::Expiry;
use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;
use moka::sync::Cache as Moka;

use crate::answer::CacheState;
use crate::cache::kept::Kept;
use crate::cache::statistics::{Stats, Tally};
use crate::cache::tags::{Invalidated, Namespace, Tags};
use crate::dispatch::good_for;
use crate::flight_key::FlightKey;
use crate::settings::Caching;

/// An answer past its end is dropped so much later, by the machine's clock: until then its class may have been
/// asked for with a longer time.
const LINGERS: Duration = Duration::from_secs(60);
/// Rough bytes of one symbol that nobody knows.
const UNKNOWN_BYTES: u64 = 300;

/// What the cache knows about a question.
#[derive(Clone)]
pub enum Lookup {
    /// An answer inside its time.
    Fresh(Arc<Kept>),
    /// An answer past its time that may still be served with its age declared.
    Stale(Arc<Kept>),
    /// Nothing.
    Missing,
}

/// Answers by question, and symbols nobody knows in a store of their own, so that junk cannot evict quotes.
pub struct Cache {
    answers: Moka<FlightKey, Arc<Kept>>,
    unknown: Moka<FlightKey, Instant>,
    tally: Arc<Tally>,
    max_bytes: u64,
    max_entries: u64,
    heaviest: u64,
}

impl Cache {
    /// A cache with the places and bytes of its settings, that gives them up as their strategy says.
    pub fn new(settings: &Caching) -> Cache {
        let tally = Arc::new(Tally::default());
        let leaving = Arc::clone(&tally);
        let (max_bytes, max_entries) = (settings.max_bytes.max(1), settings.max_entries.max(1));
        // A small entry takes a whole place, so that one weight bounds both bytes and entries.
        let place = max_bytes.div_ceil(max_entries);
        let policy = match settings.strategy.is_by_frequency() {
            true => EvictionPolicy::tiny_lfu(),
            false => EvictionPolicy::lru(),
        };
        Cache {
            answers: Moka::builder()
                .max_capacity(max_bytes)
                .weigher(move |_, kept: &Arc<Kept>| u32::try_from(kept.bytes.max(place)).unwrap_or(u32::MAX))
                .eviction_policy(policy)
                .expire_after(ByItsOwnEnd)
                .eviction_listener(move |_, kept, cause| leaving.left(&kept, cause))
                .build(),
            unknown: Moka::new(settings.max_unknown()),
            tally,
            max_bytes,
            max_entries,
            heaviest: (max_bytes as f64 * settings.eviction_share) as u64,
        }
    }

    /// What is known about a question now. `fresh_for` is how long the caller takes an answer for fresh, where
    /// that is longer than the answer's own time.
    pub fn look_up(&self, key: &FlightKey, now: Instant, fresh_for: Option<Duration>) -> Lookup {
        match self.answers.get(key) {
            Some(kept) if kept.is_fresh(now, fresh_for) => Lookup::Fresh(kept),
            Some(kept) if kept.is_servable(now) => Lookup::Stale(kept),
            _ => Lookup::Missing,
        }
    }

    /// Keeps an answer, unless a newer one about the same question is there and can still be served. One that
    /// would push out more than the share of the cache that may give way at once is not kept.
    pub fn insert(&self, key: FlightKey, kept: Kept, now: Instant) {
        self.unknown.invalidate(&key);
        if kept.bytes > self.heaviest {
            self.tally.refused(kept.namespace);
            return;
        }
        let newcomer = Arc::new(kept);
        self.answers.entry(key).and_compute_with(|known| {
            if let Some(known) = known {
                let known = known.into_value();
                if known.is_servable(now) && known.is_newer_than(&newcomer) {
                    return Op::Nop;
                }
                newcomer.inherits(&known);
            }
            self.tally.entered(&newcomer);
            Op::Put(newcomer)
        });
        if self.tally.weight() > self.max_bytes || self.tally.entries() > self.max_entries {
            self.answers.run_pending_tasks();
        }
    }

    /// What is kept under a key, whatever its age.
    pub fn find(&self, key: &FlightKey) -> Option<Arc<Kept>> {
        self.answers.get(key)
    }

    /// Whether this very answer is the one kept under a key.
    pub fn holds(&self, key: &FlightKey, kept: &Arc<Kept>) -> bool {
        self.answers.get(key).is_some_and(|held| Arc::ptr_eq(&held, kept))
    }

    /// Remembers that nobody knows the symbol.
    pub fn insert_unknown(&self, key: FlightKey, until: Instant) {
        self.unknown.insert(key, until);
    }

    /// Whether it is remembered that nobody knows the symbol.
    pub fn is_unknown(&self, key: &FlightKey, now: Instant) -> bool {
        self.unknown.get(key).is_some_and(|until| now < until)
    }

    /// Drops every answer that carries all of the tags, and says how many there were (CCH-8).
    pub fn invalidate(&self, tags: &Tags) -> Invalidated {
        let mut matched = Invalidated::default();
        for (key, _) in self.answers.iter().filter(|(key, kept)| tags.match_answer(key, &kept.answer)) {
            matched.answers += u64::from(self.answers.remove(&*key).is_some());
        }
        for (key, _) in self.unknown.iter().filter(|(key, _)| tags.match_unknown(key)) {
            matched.unknown += u64::from(self.unknown.remove(&*key).is_some());
        }
        matched
    }

    /// Every answer kept, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (Arc<FlightKey>, Arc<Kept>)> + '_ {
        self.answers.iter()
    }

    /// Counts an answer to a caller, with the time memory took.
    pub fn served(&self, namespace: Namespace, state: CacheState, took: Option<Duration>) {
        self.tally.served(namespace, state, took);
    }

    /// Counts a caller who was told from memory that nobody knows the symbol.
    pub fn refused_unknown(&self, namespace: Namespace) {
        self.tally.refused_unknown(namespace);
    }

    /// Counts a caller who waited and got nothing.
    pub fn missed(&self, namespace: Namespace) {
        self.tally.served(namespace, CacheState::Miss, None);
    }

    /// Counts an answer fetched before anybody had to wait for it.
    pub fn fetched_ahead(&self, namespace: Namespace) {
        self.tally.fetched_ahead(namespace);
    }

    /// What is kept and how it was used since the start, without looking at a single entry.
    pub fn stats(&self) -> Stats {
        let unknown = self.unknown.entry_count();
        Stats {
            namespaces: Namespace::ALL.map(|namespace| self.tally.of(namespace)).to_vec(),
            max_entries: self.max_entries,
            max_bytes: self.max_bytes,
            unknown_entries: unknown,
            unknown_bytes: unknown * UNKNOWN_BYTES,
        }
    }

    /// Drops every answer.
    pub fn clear(&self) {
        self.answers.invalidate_all();
    }

    /// Number of answers.
    pub fn len(&self) -> u64 {
        self.tally.entries()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lets what has been decided about room take place, where a test wants to see it.
    #[cfg(test)]
    fn settle(&self) {
        self.answers.run_pending_tasks();
        self.unknown.run_pending_tasks();
    }
}

impl Caching {
    /// Symbols nobody knows that are remembered: as many as fit into their share of the memory.
    fn max_unknown(&self) -> u64 {
        (crate::budget::Part::Unknown.of(self.memory_bytes) / UNKNOWN_BYTES).clamp(1, 10_000)
    }
}

/// Memory is given back soon after an answer can no longer be served. What may be served is decided by our own
/// clock when it is asked for.
struct ByItsOwnEnd;

impl ByItsOwnEnd {
    fn left(kept: &Kept) -> Option<Duration> {
        let left = kept.lasts_for()?;
        // A quote may have to stand in while the quota of its vendor is spread over the day.
        let stands_in = match kept.namespace {
            Namespace::Quotes => good_for(kept.answer.delivery),
            _ => Duration::ZERO,
        };
        left.max(stands_in).checked_add(LINGERS)
    }
}

impl Expiry<FlightKey, Arc<Kept>> for ByItsOwnEnd {
    fn expire_after_create(
        &self,
        _: &FlightKey,
        kept: &Arc<Kept>,
        _: std::time::Instant,
    ) -> Option<Duration> {
        ByItsOwnEnd::left(kept)
    }

    fn expire_after_update(
        &self,
        _: &FlightKey,
        kept: &Arc<Kept>,
        _: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        ByItsOwnEnd::left(kept)
    }
}
