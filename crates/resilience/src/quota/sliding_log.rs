//! Every grant of the last window, in order: exact for small limits, in grains for large ones.

use std::collections::VecDeque;
use std::time::Duration;

use domain::Instant;

/// Grants that left within `[first, at]`. They count as if all had left at `at`, the last of them, so a
/// grain is never forgotten too early.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    first: Instant,
    at: Instant,
    cost: u64,
}

/// What was granted, oldest first. With a zero `grain` each instant has its own entry.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SlidingLog {
    entries: VecDeque<Entry>,
    held: u64,
    grain: Duration,
}

impl SlidingLog {
    pub(super) fn new(grain: Duration) -> SlidingLog {
        SlidingLog { entries: VecDeque::new(), held: 0, grain }
    }

    /// First instant at which `cost` more fit into a window of `span` that may hold `count`;
    /// [`Instant::MAX`] where they never will.
    pub(super) fn free_at(&self, cost: u64, count: u64, span: Duration, now: Instant) -> Instant {
        if cost > count {
            return Instant::MAX;
        }
        let room = count - cost + u64::from(domain::planted!(WindowOffByOne));
        let mut held = self.held;
        let mut at = now;
        for entry in &self.entries {
            if held <= room {
                break;
            }
            at = at.max(entry.at + span);
            held -= entry.cost;
        }
        at
    }

    /// Adds a grant; `now` is not before any earlier one.
    pub(super) fn add(&mut self, cost: u64, now: Instant) {
        if cost == 0 {
            return;
        }
        self.held += cost;
        match self.entries.back_mut() {
            Some(last) if last.at == now || now < last.first + self.grain => {
                last.at = last.at.max(now);
                last.cost = last.cost.saturating_add(cost);
            }
            _ => self.entries.push_back(Entry { first: now, at: now, cost }),
        }
    }

    /// Adds what others spent, dated so that it leaves the window when the vendor says.
    pub(super) fn add_dated(&mut self, cost: u64, at: Instant) {
        let place = self.entries.partition_point(|entry| entry.at <= at);
        self.entries.insert(place, Entry { first: at, at, cost });
        self.held += cost;
    }

    /// Takes back a grant made at `at`; without effect if it has already left the window.
    pub(super) fn remove(&mut self, cost: u64, at: Instant) {
        let found = self.entries.iter().rposition(|e| e.first <= at && at <= e.at && e.cost >= cost);
        let Some(index) = found else { return };
        self.entries[index].cost -= cost;
        self.held -= cost;
        if self.entries[index].cost == 0 {
            self.entries.remove(index);
        }
    }

    /// Forgets what has left the window.
    pub(super) fn prune(&mut self, span: Duration, now: Instant) {
        while let Some(entry) = self.entries.front().copied().filter(|entry| entry.at + span <= now) {
            self.held -= entry.cost;
            self.entries.pop_front();
        }
    }

    /// How much of the window that ends at `now` is used.
    pub(super) fn used(&self, span: Duration, now: Instant) -> u64 {
        let gone: u64 =
            self.entries.iter().take_while(|entry| entry.at + span <= now).map(|entry| entry.cost).sum();
        self.held - gone
    }

    /// When the oldest grant still in the window leaves it.
    pub(super) fn next_release(&self, span: Duration, now: Instant) -> Option<Instant> {
        self.entries.iter().map(|entry| entry.at + span).find(|&leaves| leaves > now)
    }

    /// Instants and costs, oldest first.
    pub(super) fn grants(&self) -> Vec<(Instant, u64)> {
        self.entries.iter().map(|entry| (entry.at, entry.cost)).collect()
    }
}
