//! What a plan allows, and how it is spread over time.

use std::time::Duration;

use jiff::tz::TimeZone;

/// Limits up to this count are counted grant by grant; above, in grains of a 60th of the window.
pub(super) const EXACT_COUNT: u32 = 10_000;
const GRAINS: u32 = 60;
/// The safety margin is never more than this part of a window, so that short windows keep 97.5 %.
const MARGIN_PARTS: u32 = 40;

/// At most `count` permits per window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// How many; zero allows nothing.
    pub count: u32,
    /// Per what.
    pub window: Window,
}

/// At most so much money per window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpendLimit {
    /// In millionths of a US dollar; zero allows only what is free.
    pub micros: u64,
    /// Per what.
    pub window: Window,
}

/// What a limit counts over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// Any span of this length.
    Sliding(Duration),
    /// A calendar day in the vendor's zone.
    Day,
    /// A calendar month in the vendor's zone.
    Month,
}

/// How permits of a sliding window are spread over it (LIM-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Pace {
    /// Some at once, by default a tenth of the limit and at least two; then evenly.
    #[default]
    Burst,
    /// Evenly from the first.
    Strict,
}

/// All limits of one account, and how to keep them.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// All hold at once. Empty means unlimited.
    pub limits: Vec<Limit>,
    /// Limits of money; these hold too. Not paced: what is left may be spent at once.
    pub spend: Vec<SpendLimit>,
    /// How sliding windows are spread.
    pub pace: Pace,
    /// Zone of the vendor's days and months.
    pub zone: TimeZone,
    /// The vendor counts arrivals and we count sends, so sliding windows are kept longer by this, or by a
    /// fortieth of their length if that is less.
    pub margin: Duration,
    /// Permits at once in [`Pace::Burst`], never above a limit's count; `None` is a tenth of the count and
    /// at least two.
    pub capacity: Option<u32>,
}

impl Settings {
    /// With a margin of 250 ms, the default capacity and no limit of money.
    pub fn new(limits: Vec<Limit>, pace: Pace, zone: TimeZone) -> Settings {
        Settings { limits, spend: Vec::new(), pace, zone, margin: Duration::from_millis(250), capacity: None }
    }

    /// How many permits one durable write may cover: a hundredth of the tightest limit, at least one.
    /// Up to a limit of 199 every permit is written down before its call; so is every call that costs money
    /// where money is limited.
    pub fn lease_size(&self) -> u32 {
        self.limits.iter().map(|limit| limit.count / 100).min().unwrap_or(1).max(1)
    }

    /// How one sliding window is kept while only `factor` of its rate is used.
    ///
    /// Less than one permit per window becomes one permit per longer window.
    pub(super) fn rate(&self, count: u32, length: Duration, factor: f64) -> Rate {
        let margin = self.margin(length);
        let (count, length) = if factor < 1.0 && count > 0 {
            let allowed = f64::from(count) * factor;
            (count.min(allowed as u32).max(1), length.mul_f64((1.0 / allowed).max(1.0)))
        } else {
            (count, length)
        };
        let capacity = match self.pace {
            Pace::Strict => 1,
            Pace::Burst => self.capacity.unwrap_or(count.div_ceil(10).max(2)).clamp(1, count.max(1)),
        };
        let parts = u64::from(count.max(1));
        let spacing = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX).div_ceil(parts);
        Rate { count, span: length + margin, spacing: Duration::from_nanos(spacing), capacity }
    }

    /// How much longer than it is a sliding window is kept.
    pub fn margin(&self, length: Duration) -> Duration {
        self.margin.min(length / MARGIN_PARTS)
    }

    /// Length of the pieces in which a window's money is counted. Prices are small beside the limit, so
    /// there may be any number of grants.
    pub(super) fn spend_grain(window: Window) -> Duration {
        match window {
            Window::Sliding(length) => length / GRAINS,
            Window::Day | Window::Month => Duration::ZERO,
        }
    }

    /// Length of the pieces in which a window's grants are counted; zero counts each by itself.
    pub(super) fn grain(limit: Limit) -> Duration {
        match limit.window {
            Window::Sliding(length) if limit.count > EXACT_COUNT => length / GRAINS,
            Window::Sliding(_) | Window::Day | Window::Month => Duration::ZERO,
        }
    }
}

/// The numbers by which one sliding window is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate {
    /// Permits in any span of length `span`.
    pub(super) count: u32,
    /// The window with its margin.
    pub(super) span: Duration,
    /// Time in which one token comes back.
    pub(super) spacing: Duration,
    /// Tokens at most.
    pub(super) capacity: u32,
}
