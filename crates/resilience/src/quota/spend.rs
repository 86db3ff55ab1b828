//! Limits of money beside those of permits: the same windows, counted in millionths of a US dollar (LIM-1).

use domain::Instant;

use super::calendar_count::{CalendarCount, Unit};
use super::settings::{Settings, SpendLimit, Window};
use super::sliding_log::SlidingLog;
use super::snapshot::{Held, WindowSnapshot};
use super::{Rebase, fill};

/// One limit of money as it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpendStatus {
    /// The limit.
    pub limit: SpendLimit,
    /// Spent in the window that ends now, or in the current period, in millionths of a US dollar.
    pub used: u64,
    /// What is left of it, in millionths of a US dollar.
    pub remaining: u64,
    /// When room comes back: the oldest spend leaves the sliding window, or the period ends. `None` where
    /// nothing is spent in a sliding window.
    pub resets_at: Option<Instant>,
}

impl SpendStatus {
    /// Share of the limit that is used, in `[0, 1]`.
    pub fn utilization(&self) -> f64 {
        if self.limit.micros == 0 { 1.0 } else { self.used as f64 / self.limit.micros as f64 }
    }
}

/// A limit of money with what is spent of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spend {
    limit: SpendLimit,
    counter: Counter,
}

#[derive(Clone, Debug, PartialEq)]
enum Counter {
    Sliding { log: SlidingLog, span: std::time::Duration },
    Calendar(CalendarCount),
}

impl Spend {
    pub(super) fn new(limit: SpendLimit, settings: &Settings) -> Spend {
        let calendar = |unit| Counter::Calendar(CalendarCount::new(unit, settings.zone.clone()));
        let counter = match limit.window {
            Window::Sliding(length) => Counter::Sliding {
                log: SlidingLog::new(Settings::spend_grain(limit.window)),
                span: length + settings.margin(length),
            },
            Window::Day => calendar(Unit::Day),
            Window::Month => calendar(Unit::Month),
        };
        Spend { limit, counter }
    }

    pub(super) fn window(&self) -> Window {
        self.limit.window
    }

    /// First instant at which `micros` more fit; [`Instant::MAX`] where they never will. What is free always
    /// fits.
    pub(super) fn free_at(&self, micros: u64, now: Instant) -> Instant {
        match &self.counter {
            _ if micros == 0 => now,
            Counter::Sliding { log, span } => log.free_at(micros, self.limit.micros, *span, now),
            Counter::Calendar(count) => count.free_at(micros, self.limit.micros, now),
        }
    }

    pub(super) fn add(&mut self, micros: u64, now: Instant) {
        match &mut self.counter {
            Counter::Sliding { log, span } => {
                log.prune(*span, now);
                log.add(micros, now);
            }
            Counter::Calendar(count) => count.add(micros, now),
        }
    }

    pub(super) fn remove(&mut self, micros: u64, at: Instant) {
        match &mut self.counter {
            Counter::Sliding { log, .. } => log.remove(micros, at),
            Counter::Calendar(count) => count.remove(micros, at),
        }
    }

    pub(super) fn status(&self, now: Instant) -> SpendStatus {
        let (used, resets_at) = match &self.counter {
            Counter::Sliding { log, span } => (log.used(*span, now), log.next_release(*span, now)),
            Counter::Calendar(count) => (count.used(now), Some(count.resets_at(now))),
        };
        SpendStatus { limit: self.limit, used, remaining: self.limit.micros.saturating_sub(used), resets_at }
    }

    pub(super) fn snapshot(&self) -> WindowSnapshot {
        let held = match &self.counter {
            Counter::Sliding { log, .. } => Held::Sliding { grants: log.grants(), full_at: Instant::MIN },
            Counter::Calendar(count) => {
                Held::Calendar { period: count.period.first, counts: count.counts.clone() }
            }
        };
        WindowSnapshot { window: self.limit.window, held }
    }

    /// Takes over what was spent. A limit over a window that was not counted before starts from the most
    /// that any other limit of money remembers.
    pub(super) fn resume(&mut self, saved: &[WindowSnapshot], settings: &Settings, rebase: Rebase) {
        let same = saved.iter().find(|other| other.window == self.limit.window);
        match (&mut self.counter, same.map(|window| &window.held)) {
            (Counter::Sliding { log, .. }, Some(Held::Sliding { grants, .. })) => fill(log, grants, rebase),
            (Counter::Sliding { log, .. }, _) => {
                fill(log, &[(rebase.now, super::remembered(saved))], Rebase::none(rebase.now));
            }
            (Counter::Calendar(count), Some(Held::Calendar { period, counts })) => {
                let unit = if self.limit.window == Window::Day { Unit::Day } else { Unit::Month };
                *count = CalendarCount::restored(unit, settings.zone.clone(), *period, counts);
            }
            (Counter::Calendar(count), _) => count.raise_to(super::remembered(saved), rebase.now),
        }
    }
}
