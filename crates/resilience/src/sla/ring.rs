//! A stretch of time in pieces of equal length: what is in a piece is forgotten together.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::Instant;

/// The newest `count` pieces, of which only those that hold something take room.
#[derive(Clone, Debug)]
pub(super) struct Ring<T> {
    piece: i64,
    count: i64,
    pieces: BTreeMap<i64, T>,
}

impl<T: Default> Ring<T> {
    /// Covers `span` in `count` pieces: never older than `span`, and at most one piece less.
    pub(super) fn new(span: Duration, count: u32) -> Ring<T> {
        let nanos = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        let count = i64::from(count.max(1));
        Ring { piece: (nanos / count).max(1), count, pieces: BTreeMap::new() }
    }

    fn index(&self, at: Instant) -> i64 {
        at.as_nanos().div_euclid(self.piece)
    }

    /// The piece that holds `at`, and room made for it.
    pub(super) fn at(&mut self, at: Instant) -> &mut T {
        let index = self.index(at);
        self.forget(index);
        self.pieces.entry(index).or_default()
    }

    fn forget(&mut self, newest: i64) {
        while let Some(oldest) = self.pieces.first_entry()
            && *oldest.key() <= newest - self.count
        {
            oldest.remove();
        }
    }

    /// When what is still held at `now` begins.
    pub(super) fn begins(&self, now: Instant) -> Instant {
        Instant::from_nanos((self.index(now) - self.count + 1).saturating_mul(self.piece))
    }

    /// What is held at `now`, oldest first.
    pub(super) fn held(&self, now: Instant) -> impl Iterator<Item = &T> {
        self.newest(self.count, now)
    }

    /// The newest `count` pieces at `now`, oldest first.
    pub(super) fn newest(&self, count: i64, now: Instant) -> impl Iterator<Item = &T> {
        let index = self.index(now);
        self.pieces.range(index - count.min(self.count) + 1..=index).map(|(_, held)| held)
    }

    /// Gives every piece between two instants its part of the time between them.
    pub(super) fn spread(&mut self, from: Instant, to: Instant, mut add: impl FnMut(&mut T, Duration)) {
        let last = self.index(to);
        self.forget(last);
        for index in self.index(from).max(last - self.count + 1)..=last {
            let begins = Instant::from_nanos(index.saturating_mul(self.piece));
            let ends = Instant::from_nanos((index + 1).saturating_mul(self.piece));
            let part = to.min(ends).since(from.max(begins));
            if !part.is_zero() {
                add(self.pieces.entry(index).or_default(), part);
            }
        }
    }
}
