//! What instances say to one another about a vendor's account: the words of the seam [`Shared`].
//!
//! [`Shared`]: crate::seams::Shared

use std::time::Duration;

use domain::{Instant, InstrumentId, VendorId};
use resilience::quota::{Cost, Window};

use crate::seams::{Pending, Shared};
use crate::series::StoredQuote;

/// One window as the common count keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct CommonWindow {
    /// Most that fits: units, or millionths of a US dollar.
    pub count: u64,
    /// Whether money is counted. Money is not paced, and a refusal does not slow it down.
    pub is_money: bool,
    /// Over what.
    pub window: Window,
    /// A sliding window is kept so much longer, since permits are given here and requests arrive there.
    pub margin: Duration,
    /// Permits at once; `None` is a tenth of the count and at least two.
    pub capacity: Option<u32>,
    /// Of a calendar window the starts of five periods in the vendor's zone, the third one the current one;
    /// empty for a sliding window.
    pub periods: Vec<Instant>,
}

impl CommonWindow {
    /// What a call of this cost takes of it.
    pub fn part(&self, cost: Cost) -> u64 {
        if self.is_money { cost.micros } else { u64::from(cost.units) }
    }
}

/// What an instance wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// To be seen.
    BeSeen,
    /// A permit of all windows, or of none.
    Take {
        /// What it costs.
        cost: Cost,
    },
    /// To give back a permit that was never used.
    GiveBack(Ticket),
    /// To tell all others the vendor's word.
    Tell(Told),
    /// To go, using nothing any more.
    Leave,
}

/// A permit of the common count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its name, used once in the world.
    pub id: String,
    /// What it cost.
    pub cost: Cost,
    /// When it was given, by the common clock.
    pub at: Instant,
}

/// The vendor's word, as it holds for all instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// No call for so long.
    pub block: Option<Duration>,
    /// It refused although we believed there was room: half the rate.
    pub halve: bool,
    /// So much is left of the window of this index, which starts anew after a while.
    pub left: Option<(usize, u32, Option<Duration>)>,
}

/// A message of one instance about one account.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// What it wants.
    pub wish: Wish,
    /// Which account, by [`Shared::account`](crate::seams::Shared::account).
    pub account: &'a str,
    /// Who asks.
    pub member: &'a str,
    /// Name of this message, used once in the world.
    pub id: String,
    /// The time of the last reply it has, by the common clock.
    pub heard: Option<Instant>,
    /// The epoch it knows; `None` before its first permit.
    pub epoch: Option<&'a str>,
    /// All windows of the account.
    pub windows: &'a [CommonWindow],
    /// What it used of each window while it was alone: counted when it joins.
    pub own: &'a [u64],
    /// Permits whose requests are under way, or were, for longer than the margin: they count as used now.
    pub flights: &'a [Ticket],
    /// How many instances share the account at most.
    pub instances: u32,
    /// An instance that is silent for so long may be alone.
    pub silence: Duration,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The verdict.
    pub verdict: Verdict,
    /// The common clock.
    pub now: Instant,
    /// The epoch: another one means that grants were forgotten.
    pub epoch: String,
    /// How long the vendor told anyone of us to wait.
    pub told: Option<Duration>,
    /// What all instances have used of each window.
    pub used: Vec<u64>,
}

/// What becomes of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The instance was silent too long for this to count: it must say again what it wants.
    Stale,
    /// As many instances as may share the account are there already.
    Crowded,
    /// The periods of a calendar window do not contain the common now.
    OutOfCalendar,
    /// Done.
    Done,
    /// A permit.
    Granted(Ticket),
    /// None now.
    Refused {
        /// When to ask again; `None` is never.
        after: Option<Duration>,
        /// Why.
        cause: CommonCause,
        /// Index of the window that binds.
        window: usize,
    },
}

/// What holds a permit of the common count back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommonCause {
    /// A window is used up.
    Spent,
    /// Permits are spread over the window.
    Paced,
    /// The vendor has told one of us to wait.
    Told,
    /// Grants were forgotten: every window counts as full until they have left it.
    Unknown,
}

/// State of an instrument: another one means that everything known about it was forgotten in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence(pub u64);

/// What a vendor said to one instance.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedQuote {
    /// From which account, by [`Shared::account`].
    pub account: String,
    /// The quote. Its time of receipt is of the clock of whoever received it: `ago` counts.
    pub quote: StoredQuote,
    /// How long ago it was received.
    pub ago: Duration,
    /// How long it may be kept from now on.
    pub keep: Duration,
}

/// What instances share cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what instances share cannot be reached: {0}")]
pub struct SharedLost(pub String);

/// One instance that shares with nobody: its own counts are all there is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Shared for Alone {
    fn instances(&self) -> Option<u32> {
        None
    }

    fn account(&self, vendor: VendorId, _: &str, _: Option<&str>) -> String {
        vendor.to_string()
    }

    fn ask<'a>(&'a self, _: Message<'a>) -> Pending<'a, Result<Reply, SharedLost>> {
        alone()
    }

    fn silence(&self) -> Duration {
        Duration::ZERO
    }

    fn find<'a>(
        &'a self,
        _: &'a InstrumentId,
        _: &'a str,
    ) -> Pending<'a, Result<(Fence, Option<SharedQuote>), SharedLost>> {
        alone()
    }

    fn keep<'a>(&'a self, _: &'a str, _: &'a SharedQuote, _: Fence) -> Pending<'a, Result<bool, SharedLost>> {
        alone()
    }

    fn forget<'a>(&'a self, _: &'a InstrumentId) -> Pending<'a, Result<(), SharedLost>> {
        alone()
    }

    fn forgotten(&self) -> Pending<'_, Result<Option<InstrumentId>, SharedLost>> {
        alone()
    }
}

fn alone<'a, T: Send + 'a>() -> Pending<'a, Result<T, SharedLost>> {
    Box::pin(std::future::ready(Err(SharedLost("this instance is alone".to_owned()))))
}
