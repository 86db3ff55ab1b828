//! Bars for the tests of this crate.

use domain::number::Decimal;
use domain::{Bar, Date, Instant, Price, Size};
use proptest::prelude::*;

/// The `index`-th minute of a random walk that is the same in every run: prices in cents around 190, volumes
/// of some ten thousand.
pub(crate) fn minute_bar(index: usize) -> Bar {
    let noise = |salt: u64| {
        let mut x = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt.wrapping_mul(0xbf58_476d);
        x ^= x >> 31;
        x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 29)) as i64
    };
    let cents = |value: i64| Price::new(Decimal::new(value, 2));
    let open = 19_000 + (index as i64 * 7) % 300 + noise(1).rem_euclid(8);
    let close = open + noise(2).rem_euclid(21) - 10;
    let high = open.max(close) + noise(3).rem_euclid(9);
    let low = open.min(close) - noise(4).rem_euclid(9);
    let volume = Size::from(1_000 + noise(5).rem_euclid(60_000) as u32);
    let start = Instant::from_secs(1_704_205_800 + 60 * index as i64);
    Bar::new(start, [open, high, low, close].map(cents), volume)
}

fn any_decimal() -> impl Strategy<Value = Decimal> {
    const MOST: i128 = (1 << 96) - 1;
    prop_oneof![
        4 => (-100_000i64..1_000_000, 0u32..5).prop_map(|(value, scale)| Decimal::new(value, scale)),
        1 => (any::<i64>(), 0u32..=28).prop_map(|(value, scale)| Decimal::new(value, scale)),
        1 => (-MOST..=MOST, 0u32..=28).prop_map(|(value, scale)| Decimal::from_i128_with_scale(value, scale)),
    ]
}

/// A bar of any fields present, absent, huge or tiny.
pub(crate) fn any_bar() -> impl Strategy<Value = Bar> {
    let maybe = || prop::option::weighted(0.9, any_decimal());
    let date = (-9999i16..=9999, 1i8..=12, 1i8..=28).prop_map(|(y, m, d)| Date::constant(y, m, d));
    let others = (any::<i64>(), any::<bool>(), prop::option::of(date), prop::option::of(any::<u64>()));
    ([maybe(), maybe(), maybe(), maybe()], [maybe(), maybe(), maybe()], others).prop_map(
        |(
            [open, high, low, close],
            [volume, vwap, adjusted],
            (start, is_final, trading_date, trade_count),
        )| Bar {
            start: Instant::from_nanos(start),
            open: open.map(Price::new),
            high: high.map(Price::new),
            low: low.map(Price::new),
            close: close.map(Price::new),
            volume: volume.map(Size::new),
            is_final,
            trading_date,
            vwap: vwap.map(Price::new),
            trade_count,
            vendor_adjusted_close: adjusted.map(Price::new),
        },
    )
}
