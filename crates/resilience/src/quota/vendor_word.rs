//! What the vendor itself says about our quota, which outranks our own counting (LIM-6).

use std::time::Duration;

use domain::Instant;

use super::{Counter, Quota, Window};

/// Wait after an unexpected refusal or spent quota where neither a reply nor a window tells a time.
pub(super) const UNTOLD_WAIT: Duration = Duration::from_secs(60);
/// Wait after the first unexpected refusal that names none; it doubles with each further one.
const LEAST_WAIT: Duration = Duration::from_secs(1);
/// The rate is never learned down below this share of the plan.
pub(super) const LEAST_FACTOR: f64 = 0.05;

/// Something a vendor's reply tells about the account. It holds for the whole account and address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VendorWord {
    /// Wait this long, as in the header `Retry-After`.
    RetryAfter(Duration),
    /// What is left in a window, as in headers of weights or remaining calls. The lower of this and our own
    /// count holds. Ignored where we keep no such window and something is left.
    Remaining {
        /// The window it speaks of.
        window: Window,
        /// Permits left.
        left: u32,
        /// When the window starts anew, if the reply tells.
        resets: Option<Instant>,
    },
    /// Quota or credit is spent: nothing until the reset.
    Exhausted {
        /// The window that is used up.
        window: Window,
        /// When it is there again, if the reply tells; else the end of the day or month in the vendor's
        /// zone, or one length of a sliding window.
        until: Option<Instant>,
    },
    /// Not one more call until then, or the address stays banned.
    Banned {
        /// End of the ban.
        until: Instant,
    },
    /// A rate refusal while we believed there was room: our model is wrong. Halves the rate, once per
    /// window; each later window without another one raises it by 5 % of the plan.
    Unexpected429,
}

impl Quota {
    /// Whether anything changed.
    pub(super) fn apply(&mut self, word: VendorWord, now: Instant) -> bool {
        match word {
            VendorWord::RetryAfter(wait) => self.block_until(now + wait, now),
            VendorWord::Banned { until } => self.block_until(until, now),
            VendorWord::Remaining { window, left, resets } => self.reconcile(window, left, resets, now),
            VendorWord::Exhausted { window, until } => {
                let charged = self.reconcile(window, 0, until, now);
                let until = until.unwrap_or_else(|| self.reset_of(window, now));
                self.block_until(until, now) || charged
            }
            VendorWord::Unexpected429 => self.slow_down(now),
        }
    }

    fn block_until(&mut self, until: Instant, now: Instant) -> bool {
        let longer = until > now && self.blocked_until.is_none_or(|known| until > known);
        if longer {
            self.blocked_until = Some(until);
        }
        longer
    }

    /// Lowers what is left in our own window to what the vendor says.
    fn reconcile(&mut self, window: Window, left: u32, resets: Option<Instant>, now: Instant) -> bool {
        let factor = self.factor;
        let Some(index) = self.windows.iter().position(|counted| counted.limit.window == window) else {
            return left == 0 && self.block_until(resets.unwrap_or_else(|| self.reset_of(window, now)), now);
        };
        let ours = self.window_status(&self.windows[index], now).remaining;
        let missing = ours.saturating_sub(left);
        let blocked = match resets {
            // The vendor's period may end later than ours.
            Some(until) if left == 0 => self.block_until(until, now),
            _ => false,
        };
        if missing == 0 {
            return blocked;
        }
        let counted = &mut self.windows[index];
        match &mut counted.counter {
            Counter::Sliding { log, length, .. } => {
                let rate = self.settings.rate(counted.limit.count, *length, factor);
                // Dated back so far that it leaves our window when the vendor's starts anew.
                let at = resets.map_or(now, |until| (until - rate.span).min(now));
                log.add_dated(missing.into(), at);
            }
            Counter::Calendar(count) => {
                let used = count.used(now).saturating_add(missing.into());
                count.raise_to(used, now);
            }
        }
        true
    }

    fn slow_down(&mut self, now: Instant) -> bool {
        let shortest = self.sliding_lengths().min().unwrap_or(UNTOLD_WAIT);
        // Calls in flight together are refused together; that is one mistake, not many.
        let together = self.blocked_until.is_some_and(|until| until > now);
        let again = self.factor < 1.0 && now.since(self.factor_since) < shortest;
        if !together {
            // A vendor that goes on refusing is left alone for longer and longer.
            let forgotten = now.since(self.refused_at) > UNTOLD_WAIT * 2;
            self.refusals_in_a_row = if forgotten { 0 } else { self.refusals_in_a_row + 1 };
            self.refused_at = now;
        }
        if !again {
            self.factor = (self.factor / 2.0).max(LEAST_FACTOR);
            self.factor_since = now;
        }
        let wait = self
            .windows
            .iter()
            .filter_map(|counted| match &counted.counter {
                Counter::Sliding { length, .. } => {
                    Some(self.settings.rate(counted.limit.count, *length, self.factor).spacing)
                }
                Counter::Calendar(_) => None,
            })
            .max()
            .unwrap_or(UNTOLD_WAIT);
        let patience = LEAST_WAIT.saturating_mul(1 << self.refusals_in_a_row.min(6)).min(UNTOLD_WAIT);
        self.block_until(now + wait.max(patience), now) || !again
    }

    /// When a window of this kind is there again by our own reckoning.
    fn reset_of(&self, window: Window, now: Instant) -> Instant {
        if let Window::Sliding(length) = window {
            return now + length;
        }
        let known = self.windows.iter().find(|counted| counted.limit.window == window);
        match known.map(|counted| &counted.counter) {
            Some(Counter::Calendar(count)) => count.resets_at(now) + super::calendar_count::EDGE,
            _ => super::calendar_count::end_of(window, &self.settings.zone, now),
        }
    }
}
