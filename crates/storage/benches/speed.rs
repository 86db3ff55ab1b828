//! How fast bars go in and out, on a real file with full synchronisation, and how large they are.
//!
//! Targets: live 200,000 bars a second, bulk 2,000,000, a read of 5,000 below 5 ms, 10 bytes a minute bar.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use domain::number::Decimal;
use domain::{
    Adjustment, Bar, Instant, InstrumentId, Interval, Price, Range, Session, Size, VendorId, Venue,
};
use gateway::{Clock, NewBars, Pending, SeriesKey, Store};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use storage::Sqlite;

const FIRST: i64 = 1_704_205_800;

struct StandingClock;

impl Clock for StandingClock {
    fn now(&self) -> Instant {
        Instant::from_secs(FIRST)
    }

    fn sleep_until(&self, _: Instant) -> Pending<'_, ()> {
        Box::pin(async {})
    }
}

fn key(name: &str) -> SeriesKey {
    SeriesKey {
        instrument: InstrumentId::new(name, Venue::literal("XNAS")),
        interval: Interval::M1,
        vendor: VendorId("polygon"),
        adjustment: Adjustment::Raw,
        session: Session::Regular,
        simulated: false,
    }
}

/// A random walk in cents around 190, 390 bars a day, volumes like those of a large share.
fn minute_bars(count: usize) -> Vec<Bar> {
    let mut dice = StdRng::seed_from_u64(11);
    let cents = |value: i64| Price::new(Decimal::new(value, 2));
    let mut close = 19_000i64;
    (0..count)
        .map(|index| {
            let (day, minute) = (index as i64 / 390, index as i64 % 390);
            let open = close + dice.random_range(-1..=1);
            close = (open + dice.random_range(-15..=15)).max(100);
            let high = open.max(close) + dice.random_range(0..=8);
            let low = open.min(close) - dice.random_range(0..=8);
            let volume = Size::from(dice.random_range(8_000..120_000u32));
            let start = Instant::from_secs(FIRST + day * 86_400 + minute * 60);
            Bar::new(start, [open, high, low, close].map(cents), volume)
        })
        .collect()
}

fn news(name: &str, bars: Vec<Bar>) -> NewBars {
    let learned_at = Instant::from_secs(FIRST);
    NewBars { key: key(name), denomination: None, bars, covered: Vec::new(), learned_at }
}

fn open(folder: &Path) -> Sqlite {
    Sqlite::open(folder, Arc::new(StandingClock)).expect("a store")
}

fn speed(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let whole = Range::new(Instant::MIN, Instant::MAX);

    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let mut series = 0;
    let mut group = criterion.benchmark_group("put");
    group.sample_size(10);
    for (name, count, bulk) in [("live", 20_000, false), ("bulk", 100_000, true)] {
        let bars = minute_bars(count);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    series += 1;
                    news(&format!("S{series}"), bars.clone())
                },
                |new| runtime.block_on(if bulk { store.bulk_bars(new) } else { store.put_bars(new) }),
                criterion::BatchSize::PerIteration,
            );
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("read_5000");
    for (name, bulk) in [("live", false), ("sealed", true)] {
        let new = news(name, minute_bars(5_000));
        runtime.block_on(if bulk { store.bulk_bars(new) } else { store.put_bars(new) }).expect("a write");
        let key = key(name);
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(runtime.block_on(store.bars(&key, whole, None)).expect("bars")).len());
        });
    }
    group.finish();

    const BARS: usize = 1_000_000;
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let bars = minute_bars(BARS / 20);
    for series in 0..20 {
        let new = news(&format!("S{series}"), bars.clone());
        runtime.block_on(store.bulk_bars(new)).expect("a write");
    }
    drop(store);
    let bytes = std::fs::metadata(folder.path().join("mda.sqlite")).expect("the file").len();
    eprintln!("sealed: {:.2} bytes a minute bar, the whole file counted", bytes as f64 / BARS as f64);
}

criterion_group!(benches, speed);
criterion_main!(benches);
