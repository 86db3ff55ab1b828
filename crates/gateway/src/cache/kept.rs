//! One answer in memory, with what is known of its life and use.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use domain::Instant;
use parking_lot::Mutex;
use resilience::Freshness;
use resilience::freshness::Ttl;
use vendors::Data;

use crate::answer::Answer;
use crate::cache::tags::Namespace;
use crate::lifetime::{Class, Learned};

/// An answer as it is kept.
pub struct Kept {
    /// The answer.
    pub answer: Arc<Answer>,
    /// What kind of question it answers.
    pub namespace: Namespace,
    /// Rough bytes it occupies.
    pub bytes: u64,
    life: Freshness,
    took: Duration,
    draw: f64,
    learned: Option<Arc<Mutex<Learned>>>,
    reads: AtomicU32,
    is_asked: AtomicBool,
    is_refreshing: AtomicBool,
}

impl Kept {
    /// An answer that took so long to fetch and lives so long. `draw` is what its life was jittered with.
    pub fn new(
        answer: Arc<Answer>,
        namespace: Namespace,
        life: Freshness,
        took: Duration,
        draw: f64,
        learned: Option<Arc<Mutex<Learned>>>,
    ) -> Kept {
        let bytes = bytes(&answer);
        Kept {
            answer,
            namespace,
            bytes,
            life,
            took,
            draw,
            learned,
            reads: AtomicU32::new(0),
            is_asked: AtomicBool::new(false),
            is_refreshing: AtomicBool::new(false),
        }
    }

    /// Its class.
    pub fn class(&self) -> Class {
        self.answer.lasts.class
    }

    /// Whether it is inside its time, or inside the longer one a caller allows.
    pub fn is_fresh(&self, now: Instant, fresh_for: Option<Duration>) -> bool {
        now < self.life.fresh_until || fresh_for.is_some_and(|span| now < self.fresh_for(span))
    }

    /// Whether it may be served at all, fresh or stale.
    pub fn is_servable(&self, now: Instant) -> bool {
        now < self.life.stale_until
    }

    /// Until when it is fresh to a caller who takes it for that long: with the jitter of its own life, and never
    /// where its end is an instant, as a market's opening.
    fn fresh_for(&self, span: Duration) -> Instant {
        if self.answer.lasts.until.is_some() {
            return self.life.fresh_until;
        }
        let class = Ttl { base: span, min: span, max: span.mul_f64(1.1), ceiling: span.mul_f64(2.2) };
        Freshness::new(&class, span, self.draw, self.life.stored_at).fresh_until
    }

    /// Time from now on for which it may be served by anybody; `None` without an end.
    pub(super) fn lasts_for(&self) -> Option<Duration> {
        (self.life.stale_until < Instant::MAX).then(|| self.life.stale_until.since(self.life.stored_at))
    }

    /// Whether it speaks of a later moment than another; of the same moment, whether it came later. Only what
    /// moves with the market has a moment, the rest goes by its receipt.
    pub fn is_newer_than(&self, other: &Kept) -> bool {
        let moment = |kept: &Kept| match kept.answer.data {
            Data::Quotes(_) | Data::Bars(_) | Data::Trades(..) => kept.answer.event_time,
            _ => None,
        };
        match (moment(self), moment(other)) {
            (Some(own), Some(others)) if own != others => own > others,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            _ => self.answer.received_at > other.answer.received_at,
        }
    }

    /// Takes over how often the answer was read that gives way to this one.
    pub(super) fn inherits(&self, former: &Kept) {
        self.reads.fetch_add(former.reads(), Ordering::Relaxed);
    }

    /// Counts a reader. Returns whether it is the first of this answer's life.
    pub fn read(&self, now: Instant) -> bool {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if let Some(learned) = &self.learned
            && let Some(mut learned) = learned.try_lock()
        {
            learned.hit(now);
        }
        !self.is_asked.load(Ordering::Relaxed) && !self.is_asked.swap(true, Ordering::Relaxed)
    }

    /// How often the answer to this question was read, those before this one included.
    pub fn reads(&self) -> u32 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Whether anybody has read this very answer.
    pub fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::Relaxed)
    }

    /// Whether to fetch it anew before it ends, if it is asked for now (XFetch). `draw` in `[0, 1)` is only
    /// taken where it could be.
    pub fn is_due_early(&self, now: Instant, draw: impl FnOnce() -> f64) -> bool {
        let could_be = self.answer.lasts.until.is_none() && now + self.took * 8 >= self.life.fresh_until;
        could_be && self.life.is_due_early(now, self.took, 1.0 - draw())
    }

    /// When it is to be fetched anew so that nobody waits at its end, if it has one that moves: the time a fetch
    /// takes before the end, and by XFetch's draw earlier, at most half its life.
    pub fn refresh_at(&self, draw: f64) -> Option<Instant> {
        if self.answer.lasts.until.is_some() {
            return None;
        }
        let life = self.life.fresh_until.since(self.life.stored_at);
        let lead = self.took.mul_f64(1.0 - (1.0 - draw).max(1e-6).ln());
        Some(self.life.fresh_until - lead.min(life / 2))
    }

    /// The turn to refresh it; `None` while somebody else has it.
    pub fn begin_refresh(self: &Arc<Self>) -> Option<Turn> {
        let taken = self.is_refreshing.swap(true, Ordering::AcqRel);
        (!taken).then(|| Turn(Arc::clone(self)))
    }
}

/// The turn to refresh an answer; given back when dropped.
pub struct Turn(Arc<Kept>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.is_refreshing.store(false, Ordering::Release);
    }
}

/// Rough bytes an answer occupies.
fn bytes(answer: &Answer) -> u64 {
    const BASE: usize = 1_500;
    let decision = answer.decision.candidates.len() * 250 + answer.decision.attempts.len() * 100;
    (BASE + answer.data.rows() * 220 + answer.findings.len() * 160 + decision) as u64
}
