//! One bar as the few bytes of a live row: which fields are there, then each of them.

use domain::number::Decimal;
use domain::{Bar, Date, Instant, Price, Size};

use crate::varint::{put_i64, put_i128, put_u64, take_byte, take_bytes, take_i64, take_i128, take_u64};

/// The bytes do not hold what they should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stored bars are damaged")]
pub(crate) struct Damaged;

const FINAL: u16 = 1;
const TRADE_COUNT: u16 = 1 << 8;
const TRADING_DATE: u16 = 1 << 9;

/// A date as a number that grows by one from day to day and jumps a little at the end of short months.
pub(crate) fn date_number(date: Date) -> i64 {
    (i64::from(date.year()) * 12 + i64::from(date.month()) - 1) * 31 + i64::from(date.day()) - 1
}

/// The date of a [`date_number`]; `None` if there is none.
pub(crate) fn date(number: i64) -> Option<Date> {
    let months = number.div_euclid(31);
    let year = i16::try_from(months.div_euclid(12)).ok()?;
    Date::new(year, months.rem_euclid(12) as i8 + 1, number.rem_euclid(31) as i8 + 1).ok()
}

/// A decimal of this integer and scale; `None` unless it is one of rust_decimal's.
pub(crate) fn decimal(mantissa: i128, scale: u8) -> Option<Decimal> {
    Decimal::try_from_i128_with_scale(mantissa, u32::from(scale)).ok()
}

/// All of a bar but its start.
pub(crate) fn encode(bar: &Bar) -> Vec<u8> {
    let decimals = [
        bar.open.map(Price::decimal),
        bar.high.map(Price::decimal),
        bar.low.map(Price::decimal),
        bar.close.map(Price::decimal),
        bar.volume.map(Size::decimal),
        bar.vwap.map(Price::decimal),
        bar.vendor_adjusted_close.map(Price::decimal),
    ];
    let mut present = if bar.is_final { FINAL } else { 0 };
    for (index, value) in decimals.iter().enumerate() {
        present |= u16::from(value.is_some()) << (index + 1);
    }
    present |= if bar.trade_count.is_some() { TRADE_COUNT } else { 0 };
    present |= if bar.trading_date.is_some() { TRADING_DATE } else { 0 };
    let mut out = Vec::with_capacity(32);
    out.extend(present.to_le_bytes());
    for value in decimals.into_iter().flatten() {
        out.push(value.scale() as u8);
        put_i128(&mut out, value.mantissa());
    }
    if let Some(count) = bar.trade_count {
        put_u64(&mut out, count);
    }
    if let Some(date) = bar.trading_date {
        put_i64(&mut out, date_number(date));
    }
    out
}

/// The bar that starts at `start` and was written as `bytes`.
pub(crate) fn decode(start: Instant, mut bytes: &[u8]) -> Result<Bar, Damaged> {
    let bytes = &mut bytes;
    let present = take_bytes(bytes, 2).ok_or(Damaged)?;
    let present = u16::from_le_bytes([present[0], present[1]]);
    let mut decimals = [None; 7];
    for (index, slot) in decimals.iter_mut().enumerate() {
        if present & (2 << index) != 0 {
            let scale = take_byte(bytes).ok_or(Damaged)?;
            let mantissa = take_i128(bytes).ok_or(Damaged)?;
            *slot = Some(decimal(mantissa, scale).ok_or(Damaged)?);
        }
    }
    let trade_count = if present & TRADE_COUNT != 0 { Some(take_u64(bytes).ok_or(Damaged)?) } else { None };
    let trading_date =
        if present & TRADING_DATE != 0 { Some(take_i64(bytes).and_then(date).ok_or(Damaged)?) } else { None };
    if !bytes.is_empty() {
        return Err(Damaged);
    }
    let [open, high, low, close, volume, vwap, adjusted] = decimals;
    Ok(Bar {
        start,
        open: open.map(Price::new),
        high: high.map(Price::new),
        low: low.map(Price::new),
        close: close.map(Price::new),
        volume: volume.map(Size::new),
        is_final: present & FINAL != 0,
        trading_date,
        vwap: vwap.map(Price::new),
        trade_count,
        vendor_adjusted_close: adjusted.map(Price::new),
    })
}

#[cfg(test)]
mod tests {
    //! STO-1: a live row keeps every digit and every absence.
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;
    use crate::samples;

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_bar_survives_its_bytes(bar in samples::any_bar()) {
            prop_assert_eq!(decode(bar.start, &encode(&bar)), Ok(bar));
        }

        #[test]
        fn arbitrary_bytes_are_refused_or_read_but_never_fatal(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = decode(Instant::EPOCH, &bytes);
        }
    }

    #[test]
    fn a_row_that_ends_early_or_goes_on_is_damaged() {
        let bar = samples::minute_bar(0);
        let whole = encode(&bar);
        assert_eq!(decode(bar.start, &whole[..whole.len() - 1]), Err(Damaged));
        assert_eq!(decode(bar.start, &[whole.as_slice(), &[0]].concat()), Err(Damaged));
    }

    #[test]
    fn every_date_has_a_number_of_its_own() {
        for text in ["-009999-01-01", "1969-12-31", "1970-01-01", "2024-02-29", "9999-12-31"] {
            let day: Date = text.parse().expect("a date");
            assert_eq!(date(date_number(day)), Some(day));
        }
        assert_eq!(date(date_number(Date::constant(2023, 2, 28)) + 1), None, "2023 had no 29 February");
        assert_eq!(date(i64::MAX), None);
    }
}
