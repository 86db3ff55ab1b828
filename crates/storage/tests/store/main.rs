//! The store as the gateway sees it, on a real file and in memory.

mod disk;
mod instances;
mod keeps;
mod ledger;
mod kill;
mod model;
mod rollups;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::number::Decimal;
use domain::{
    Adjustment, Bar, Instant, InstrumentId, Interval, Price, Range, Session, Size, VendorId, Venue,
};
use gateway::{Clock, NewBars, Pending, SeriesKey};

/// A clock that stands still until it is set.
struct SetClock(AtomicI64);

impl SetClock {
    fn at(secs: i64) -> Arc<SetClock> {
        Arc::new(SetClock(AtomicI64::new(secs * 1_000_000_000)))
    }

    fn set(&self, secs: i64) {
        self.0.store(secs * 1_000_000_000, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::SeqCst))
    }

    fn sleep_until(&self, at: Instant) -> Pending<'_, ()> {
        self.0.fetch_max(at.as_nanos(), Ordering::SeqCst);
        Box::pin(async {})
    }
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(work)
}

fn secs(secs: i64) -> Instant {
    Instant::from_secs(secs)
}

fn range(start: i64, end: i64) -> Range {
    Range::new(secs(start), secs(end))
}

fn apple() -> InstrumentId {
    InstrumentId::new("AAPL", Venue::literal("XNAS"))
}

fn key(vendor: &'static str) -> SeriesKey {
    SeriesKey {
        instrument: apple(),
        interval: Interval::M1,
        vendor: VendorId(vendor),
        adjustment: Adjustment::Raw,
        session: Session::Regular,
        simulated: false,
    }
}

/// A final bar of the minute that starts at `start` seconds, all prices `cents`.
fn bar(start: i64, cents: i64) -> Bar {
    let price = Price::new(Decimal::new(cents, 2));
    Bar::new(secs(start), [price; 4], Size::from(100))
}

fn news(key: SeriesKey, bars: Vec<Bar>, learned_at: i64) -> NewBars {
    NewBars { key, denomination: None, bars, covered: Vec::new(), learned_at: secs(learned_at) }
}
