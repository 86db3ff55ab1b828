//! How long judgment takes: a series of daily bars is validated in well under 300 ns a bar, and a datum is
//! graded again in well under a microsecond whenever it is served.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use domain::{
    Adjustment, Bar, BarSeries, Denomination, Instant, InstrumentId, InstrumentKind, Interval, Price, Size,
    number::Decimal,
};
use quality::{Agreement, BarContext, Evidence, Kind, Market, Settings, Timing, grade, validate_bars};

const BARS: i64 = 10_000;

fn series() -> BarSeries {
    let id = InstrumentId::parse("AAPL.XNAS").expect("a literal id");
    let mut series = BarSeries::empty(id, Interval::D1, Adjustment::Raw);
    series.denomination = Some(Denomination::USD);
    let mut cents = 10_000;
    let mut state = 7_u64;
    for day in 0..BARS {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        cents += (state >> 33) as i64 % 201 - 100;
        cents = cents.max(1_000);
        let price = |offset: i64| Price::new(Decimal::new(cents + offset, 2));
        let start = Instant::from_secs(day * 86_400);
        let volume = Size::from(1_000_000 + (state >> 40) as u32 % 1_000_000);
        series.bars.push(Bar::new(start, [price(-3), price(40), price(-50), price(0)], volume));
    }
    series
}

fn validation(c: &mut Criterion) {
    let series = series();
    let context = BarContext::new(Instant::from_secs(BARS * 86_400), InstrumentKind::Equity);
    let mut group = c.benchmark_group("validate");
    group.throughput(Throughput::Elements(BARS as u64));
    group.bench_function("daily bars", |b| b.iter(|| validate_bars(black_box(&series), &context)));
    group.finish();
}

fn regrading(c: &mut Criterion) {
    let secs = std::time::Duration::from_secs;
    let evidence = Evidence {
        agreement: Agreement::Several,
        reliability: 0.95,
        ..Evidence::new(Kind::Quote, secs(900), secs(60), secs(900))
    };
    let now = Instant::from_secs(1_700_000_000);
    let timing = Timing {
        event_time: Some(now - secs(920)),
        received_at: Some(now - secs(20)),
        now,
        market: Market::Open { since: now - secs(7_200), previous_close: None },
    };
    let settings = Settings::default();
    c.bench_function("grade again", |b| {
        b.iter(|| grade(&settings, black_box(&evidence), black_box(&timing)))
    });
}

criterion_group!(benches, validation, regrading);
criterion_main!(benches);
