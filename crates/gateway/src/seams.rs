//! The seams to the world. Everything else is concrete; a further seam deserves a decision page.

use std::future::Future;
use std::pin::Pin;

use domain::{Date, Instant, Instrument, InstrumentId, Interval, Range, VendorId};
use resilience::quota;
use telemetry::Event;
use vendors::{HttpRequest, HttpResponse};

use crate::answer::{Decision, Failure};
use crate::ledger::{Line, Spend, Sum};
use crate::request::RequestId;
use crate::rollup::Rollup;
use crate::series::{NewBars, SeriesKey, StoredActions, StoredBar, StoredQuote, StoredSeries};
use crate::shared::{Fence, Message, Reply, SharedLost, SharedQuote};

/// A future behind a seam.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Time. UTC read once and continued monotonically: never goes back, and a step of the system clock
/// neither frees quota nor ages data.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Instant;

    /// Completes at `at`, or at once if that has passed.
    fn sleep_until(&self, at: Instant) -> Pending<'_, ()>;
}

/// Random numbers.
pub trait Entropy: Send + Sync + 'static {
    /// 64 random bits.
    fn bits(&self) -> u64;

    /// Uniform in `[0, 1)`.
    fn unit(&self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Where a vendor is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address<'a> {
    /// Whose connection pool.
    pub vendor: VendorId,
    /// Base URL without trailing slash.
    pub base_url: &'a str,
}

/// Why no reply came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TransportError {
    /// No connection: refused, unreachable, name not found, TLS failed. Nothing reached the vendor.
    #[error("no connection to the vendor")]
    Connect,
    /// No whole reply before the deadline. The request may have been counted.
    #[error("no reply before the deadline")]
    Timeout,
    /// The connection broke inside the reply. The request was counted.
    #[error("the reply was cut off")]
    Cut,
    /// The body passed the size limit.
    #[error("the reply is larger than allowed")]
    TooLarge,
}

/// Vendors, over the network or simulated.
pub trait Transport: Send + Sync + 'static {
    /// Sends one request and reads the whole reply. A path that is a full URL goes there instead of below
    /// the base URL. Redirects are followed without the key.
    fn send<'a>(
        &'a self,
        to: Address<'a>,
        request: HttpRequest,
        deadline: Instant,
    ) -> Pending<'a, Result<HttpResponse, TransportError>>;
}

/// Why the store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk is full or failing: nothing was written, reading goes on.
    #[error("store cannot write: {0}")]
    ReadOnly(String),
    /// The database is damaged or from a newer version.
    #[error("store cannot be used: {0}")]
    Unusable(String),
}

/// What is kept. A write that returned `Ok` is committed with full synchronisation and survives kill -9.
pub trait Store: Send + Sync + 'static {
    /// All series of an instrument and interval.
    fn series<'a>(
        &'a self,
        instrument: &'a InstrumentId,
        interval: Interval,
    ) -> Pending<'a, Result<Vec<StoredSeries>, StoreError>>;

    /// Bars with a start in the range, ascending; of each the version believed at `asof`, else the latest.
    fn bars<'a>(
        &'a self,
        key: &'a SeriesKey,
        range: Range,
        asof: Option<Instant>,
    ) -> Pending<'a, Result<Vec<StoredBar>, StoreError>>;

    /// Keeps bars. An equal bar is not written again; a different one becomes the newer version.
    fn put_bars(&self, bars: NewBars) -> Pending<'_, Result<(), StoreError>>;

    /// What the intraday series of an instrument amount to by hour and by trading date, from the versions
    /// believed now: see [`crate::rollup::windows`] for which windows lie in a range. Each series by itself,
    /// finest interval first; [`crate::rollup::one_per_window`] chooses.
    fn rollups<'a>(
        &'a self,
        instrument: &'a InstrumentId,
        range: Range,
    ) -> Pending<'a, Result<Vec<Rollup>, StoreError>>;

    /// Corporate actions known of an instrument, as believed at `asof`, else now.
    fn actions<'a>(
        &'a self,
        instrument: &'a InstrumentId,
        asof: Option<Instant>,
    ) -> Pending<'a, Result<StoredActions, StoreError>>;

    /// Keeps corporate actions, and for which ranges all splits or dividends are now known.
    fn put_actions<'a>(
        &'a self,
        instrument: &'a InstrumentId,
        news: StoredActions,
    ) -> Pending<'a, Result<(), StoreError>>;

    /// Keeps quotes.
    fn put_quotes(&self, quotes: Vec<StoredQuote>) -> Pending<'_, Result<(), StoreError>>;

    /// The latest quote of each vendor for an instrument.
    fn latest_quotes<'a>(
        &'a self,
        instrument: &'a InstrumentId,
    ) -> Pending<'a, Result<Vec<StoredQuote>, StoreError>>;

    /// Keeps a vendor's instruments.
    fn put_instruments(
        &self,
        vendor: VendorId,
        instruments: Vec<Instrument>,
        learned_at: Instant,
    ) -> Pending<'_, Result<(), StoreError>>;

    /// All instruments by vendor.
    fn instruments(&self) -> Pending<'_, Result<Vec<(VendorId, Instrument)>, StoreError>>;

    /// Keeps a vendor's quota counters; durable before the call they cover is sent.
    fn put_quota<'a>(
        &'a self,
        vendor: VendorId,
        snapshot: &'a quota::Snapshot,
    ) -> Pending<'a, Result<(), StoreError>>;

    /// A vendor's quota counters and the time since they were written, measured by a clock that a step of
    /// the system clock does not move wherever the machine has one; never negative.
    fn quota(
        &self,
        vendor: VendorId,
    ) -> Pending<'_, Result<Option<(quota::Snapshot, std::time::Duration)>, StoreError>>;

    /// Appends events.
    fn put_events(&self, events: Vec<Event>) -> Pending<'_, Result<(), StoreError>>;

    /// Keeps decision records; those older than 24 h are dropped.
    fn put_decisions(&self, decisions: Vec<Decision>) -> Pending<'_, Result<(), StoreError>>;

    /// The decision record of a request.
    fn decision<'a>(&'a self, id: &'a RequestId) -> Pending<'a, Result<Option<Decision>, StoreError>>;

    /// Keeps failures; those older than 30 days are dropped.
    fn put_failures(&self, failures: Vec<Failure>) -> Pending<'_, Result<(), StoreError>>;

    /// The newest failures, newest first.
    fn failures(&self, limit: usize) -> Pending<'_, Result<Vec<Failure>, StoreError>>;

    /// Writes lines into the ledger, each with the sums of its date; durable when it returns.
    fn put_spends(&self, lines: Vec<Line>) -> Pending<'_, Result<(), StoreError>>;

    /// Sums of the ledger by date, vendor, consumer, endpoint and symbol; `until` is the first date after.
    fn spend_sums(&self, from: Date, until: Date) -> Pending<'_, Result<Vec<Sum>, StoreError>>;

    /// Exchanges of the ledger in the order they were written, each with its place: those behind a place, in a range
    /// of time, so many at most.
    fn spends(
        &self,
        range: Range,
        behind: u64,
        limit: usize,
    ) -> Pending<'_, Result<Vec<(u64, Spend)>, StoreError>>;

    /// Keeps a small named fact (a breaker's state, a reliability), replacing the former value.
    fn put_fact<'a>(&'a self, name: &'a str, value: String) -> Pending<'a, Result<(), StoreError>>;

    /// A named fact.
    fn fact<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<String>, StoreError>>;

    /// Keeps a fact whose age matters, replacing the former value.
    fn put_dated_fact<'a>(&'a self, name: &'a str, value: String) -> Pending<'a, Result<(), StoreError>>;

    /// Such a fact and the time since it was written, measured as that of [`Store::quota`].
    fn dated_fact<'a>(
        &'a self,
        name: &'a str,
    ) -> Pending<'a, Result<Option<(String, std::time::Duration)>, StoreError>>;
}

/// What several instances share: permits of the vendors' accounts, and what vendors said a moment ago. An instance that shares with nobody is
/// [`Alone`](crate::shared::Alone).
pub trait Shared: Send + Sync + 'static {
    /// How many instances share at most; `None` where there is nobody to share with, and nothing else here is
    /// called.
    fn instances(&self) -> Option<u32>;

    /// The name under which all instances count an account: of a vendor, at a host, with a key. It gives no
    /// part of the key away.
    fn account(&self, vendor: VendorId, base_url: &str, key: Option<&str>) -> String;

    /// Says something to the others, and hears what became of it. Answers within a second, if with an error.
    fn ask<'a>(&'a self, message: Message<'a>) -> Pending<'a, Result<Reply, SharedLost>>;

    /// An instance that is not heard for so long may be alone.
    fn silence(&self) -> std::time::Duration;

    /// What any instance received for a question about an instrument, if it is still kept, and the instrument's
    /// fence now.
    fn find<'a>(
        &'a self,
        instrument: &'a InstrumentId,
        question: &'a str,
    ) -> Pending<'a, Result<(Fence, Option<SharedQuote>), SharedLost>>;

    /// Keeps what was received for a question, unless a newer value is kept or the instrument has another fence
    /// than when it was asked for. Returns whether it is kept.
    fn keep<'a>(
        &'a self,
        question: &'a str,
        quote: &'a SharedQuote,
        fence: Fence,
    ) -> Pending<'a, Result<bool, SharedLost>>;

    /// Forgets all that is kept about an instrument, and tells every instance.
    fn forget<'a>(&'a self, instrument: &'a InstrumentId) -> Pending<'a, Result<(), SharedLost>>;

    /// The next instrument that any instance has forgotten; `None` where some may have been missed, as at first.
    fn forgotten(&self) -> Pending<'_, Result<Option<InstrumentId>, SharedLost>>;
}
