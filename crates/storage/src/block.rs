//! Up to some hundreds of bars as one compressed blob.
//!
//! Column by column: differences to the value before or beside it, as variable-length integers, the whole
//! through zstd. A price column is scaled to integers where all its values fit, and kept value by value where
//! they do not, so that no digit is ever lost.

use domain::number::Decimal;
use domain::{Bar, Instant, Price, Size};
use gateway::StoredBar;

use crate::row::{Damaged, date, date_number, decimal};
use crate::varint::{put_i64, put_i128, put_u64, take_byte, take_bytes, take_i64, take_i128, take_u64};

/// Version of the layout below; the first byte of every block.
const LAYOUT: u8 = 1;
/// The most bytes a block may claim to unfold to, against damaged ones.
const MAX_UNFOLDED_BYTES: usize = 1 << 20;
/// The most rows of a block; with the widest numbers they stay far below [`MAX_UNFOLDED_BYTES`].
pub(crate) const MAX_ROWS: usize = 500;
/// Level of zstd: faster than the disk, and within a tenth of its best.
const LEVEL: i32 = 3;

/// How a column is kept.
const ABSENT: u8 = 0;
const COMPLETE: u8 = 1;
const WITH_GAPS: u8 = 2;
const VALUE_BY_VALUE: u8 = 3;

/// Compresses blocks one after the other, reusing its memory.
pub(crate) struct Packer {
    zstd: zstd::bulk::Compressor<'static>,
    plain: Vec<u8>,
}

impl Packer {
    pub(crate) fn new() -> Packer {
        let zstd = zstd::bulk::Compressor::new(LEVEL).expect("level 3 is one of zstd's levels");
        Packer { zstd, plain: Vec::new() }
    }

    /// The rows as one blob, in the order given: ascending by start, then by the time learned.
    ///
    /// # Panics
    /// With more than [`MAX_ROWS`] rows.
    pub(crate) fn pack(&mut self, rows: &[StoredBar]) -> Vec<u8> {
        assert!(rows.len() <= MAX_ROWS, "a block of {} rows could not be read again", rows.len());
        self.plain.clear();
        write_columns(&mut self.plain, rows);
        let mut out = vec![LAYOUT];
        put_u64(&mut out, self.plain.len() as u64);
        let packed = self.zstd.compress(&self.plain).expect("zstd compresses any bytes held in memory");
        out.extend(packed);
        out
    }
}

/// The rows of a blob.
pub(crate) fn unpack(blob: &[u8]) -> Result<Vec<StoredBar>, Damaged> {
    let mut rest = blob;
    if take_byte(&mut rest) != Some(LAYOUT) {
        return Err(Damaged);
    }
    let length = take_u64(&mut rest).and_then(|n| usize::try_from(n).ok()).ok_or(Damaged)?;
    if length > MAX_UNFOLDED_BYTES {
        return Err(Damaged);
    }
    let plain = zstd::bulk::decompress(rest, length).map_err(|_| Damaged)?;
    read_columns(&plain).filter(|_| plain.len() == length).ok_or(Damaged)
}

fn write_columns(out: &mut Vec<u8>, rows: &[StoredBar]) {
    put_u64(out, rows.len() as u64);
    let (mut before, mut step) = (0i64, 0i64);
    for row in rows {
        let start = row.bar.start.as_nanos();
        let now = start.wrapping_sub(before);
        put_i64(out, now.wrapping_sub(step));
        (before, step) = (start, now);
    }
    let mut before = 0i64;
    for row in rows {
        let learned = row.learned_at.as_nanos();
        put_i64(out, learned.wrapping_sub(before));
        before = learned;
    }
    write_flags(out, rows, |row| row.bar.is_final);
    write_prices(out, rows);
    write_decimals(out, rows, Shape::Level, |bar| bar.volume.map(Size::decimal));
    write_decimals(out, rows, Shape::Walk, |bar| bar.vwap.map(Price::decimal));
    write_decimals(out, rows, Shape::Walk, |bar| bar.vendor_adjusted_close.map(Price::decimal));
    write_integers(out, rows, Shape::Level, |bar| bar.trade_count.map(|count| count as i64));
    write_integers(out, rows, Shape::Walk, |bar| bar.trading_date.map(date_number));
}

fn read_columns(plain: &[u8]) -> Option<Vec<StoredBar>> {
    let bytes = &mut &plain[..];
    let count = usize::try_from(take_u64(bytes)?).ok()?;
    if count > MAX_ROWS {
        return None;
    }
    let mut rows = Vec::with_capacity(count);
    let (mut before, mut step) = (0i64, 0i64);
    for _ in 0..count {
        step = take_i64(bytes)?.wrapping_add(step);
        before = before.wrapping_add(step);
        let bar = Bar::empty(Instant::from_nanos(before));
        rows.push(StoredBar { bar, learned_at: Instant::EPOCH });
    }
    let mut before = 0i64;
    for row in &mut rows {
        before = before.wrapping_add(take_i64(bytes)?);
        row.learned_at = Instant::from_nanos(before);
    }
    read_flags(bytes, &mut rows, |row, flag| row.bar.is_final = flag)?;
    read_prices(bytes, &mut rows)?;
    read_decimals(bytes, &mut rows, Shape::Level, |bar, value| bar.volume = Some(Size::new(value)))?;
    read_decimals(bytes, &mut rows, Shape::Walk, |bar, value| bar.vwap = Some(Price::new(value)))?;
    read_decimals(bytes, &mut rows, Shape::Walk, |bar, value| {
        bar.vendor_adjusted_close = Some(Price::new(value));
    })?;
    read_integers(bytes, &mut rows, Shape::Level, |bar, value| {
        bar.trade_count = Some(value as u64);
        Some(())
    })?;
    read_integers(bytes, &mut rows, Shape::Walk, |bar, value| {
        bar.trading_date = Some(date(value)?);
        Some(())
    })?;
    bytes.is_empty().then_some(rows)
}

/// Whether neighbours resemble each other, so that differences are shorter than values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Walk,
    Level,
}

/// One bit a row, or one byte if all are set.
fn write_flags(out: &mut Vec<u8>, rows: &[StoredBar], flag: impl Fn(&StoredBar) -> bool) {
    if rows.iter().all(&flag) {
        out.push(COMPLETE);
        return;
    }
    out.push(WITH_GAPS);
    for eight in rows.chunks(8) {
        out.push(eight.iter().enumerate().fold(0, |byte, (bit, row)| byte | (u8::from(flag(row)) << bit)));
    }
}

fn read_flags(
    bytes: &mut &[u8],
    rows: &mut [StoredBar],
    mut set: impl FnMut(&mut StoredBar, bool),
) -> Option<()> {
    match take_byte(bytes)? {
        COMPLETE => rows.iter_mut().for_each(|row| set(row, true)),
        WITH_GAPS => {
            let bits = take_bytes(bytes, rows.len().div_ceil(8))?;
            for (index, row) in rows.iter_mut().enumerate() {
                set(row, bits[index / 8] >> (index % 8) & 1 == 1);
            }
        }
        _ => return None,
    }
    Some(())
}

/// The decimals as integers of one scale; `None` if one of them does not fit into 64 bits so.
fn scaled<'a>(values: impl Iterator<Item = Decimal> + Clone + 'a) -> Option<(u8, Vec<i64>)> {
    let scale = values.clone().map(|value| value.scale()).max().unwrap_or(0);
    let mut integers = Vec::with_capacity(values.size_hint().1.unwrap_or(0));
    for value in values {
        let mantissa = i64::try_from(value.mantissa()).ok()?;
        let factor = 10i64.checked_pow(scale - value.scale())?;
        integers.push(mantissa.checked_mul(factor)?);
    }
    let mut scale = scale as u8;
    while scale > 0 && integers.iter().all(|value| value % 10 == 0) {
        integers.iter_mut().for_each(|value| *value /= 10);
        scale -= 1;
    }
    Some((scale, integers))
}

/// Open, high, low and close share a scale and lie close to each other: open is told from the close before,
/// close from open, high and low from the nearer of the two. Otherwise each is a column like any other.
fn write_prices(out: &mut Vec<u8>, rows: &[StoredBar]) {
    let complete = rows.iter().all(|row| row.bar.prices().is_some());
    let together = complete
        .then(|| scaled(rows.iter().filter_map(|row| row.bar.prices()).flatten().map(Price::decimal)))
        .flatten();
    let Some((scale, integers)) = together else {
        out.push(WITH_GAPS);
        write_decimals(out, rows, Shape::Walk, |bar| bar.open.map(Price::decimal));
        write_decimals(out, rows, Shape::Walk, |bar| bar.high.map(Price::decimal));
        write_decimals(out, rows, Shape::Walk, |bar| bar.low.map(Price::decimal));
        write_decimals(out, rows, Shape::Walk, |bar| bar.close.map(Price::decimal));
        return;
    };
    out.push(COMPLETE);
    out.push(scale);
    let (bars, _) = integers.as_chunks::<4>();
    let mut before = 0i64;
    for [open, _, _, close] in bars {
        put_i64(out, open.wrapping_sub(before));
        before = *close;
    }
    bars.iter().for_each(|[open, _, _, close]| put_i64(out, close.wrapping_sub(*open)));
    bars.iter().for_each(|[open, high, _, close]| put_i64(out, high.wrapping_sub(*open.max(close))));
    bars.iter().for_each(|[open, _, low, close]| put_i64(out, open.min(close).wrapping_sub(*low)));
}

fn read_prices(bytes: &mut &[u8], rows: &mut [StoredBar]) -> Option<()> {
    match take_byte(bytes)? {
        COMPLETE => {}
        WITH_GAPS => {
            read_decimals(bytes, rows, Shape::Walk, |bar, value| bar.open = Some(Price::new(value)))?;
            read_decimals(bytes, rows, Shape::Walk, |bar, value| bar.high = Some(Price::new(value)))?;
            read_decimals(bytes, rows, Shape::Walk, |bar, value| bar.low = Some(Price::new(value)))?;
            return read_decimals(bytes, rows, Shape::Walk, |bar, value| bar.close = Some(Price::new(value)));
        }
        _ => return None,
    }
    let scale = take_byte(bytes)?;
    let opens: Vec<i64> = rows.iter().map(|_| take_i64(bytes)).collect::<Option<_>>()?;
    let price = |integer: i64| decimal(i128::from(integer), scale).map(Price::new);
    let mut before = 0i64;
    let mut bodies = Vec::with_capacity(rows.len());
    for (row, step) in rows.iter_mut().zip(opens) {
        let open = before.wrapping_add(step);
        let close = open.wrapping_add(take_i64(bytes)?);
        row.bar.open = Some(price(open)?);
        row.bar.close = Some(price(close)?);
        bodies.push((open.max(close), open.min(close)));
        before = close;
    }
    for (row, (top, _)) in rows.iter_mut().zip(&bodies) {
        row.bar.high = Some(price(top.wrapping_add(take_i64(bytes)?))?);
    }
    for (row, (_, bottom)) in rows.iter_mut().zip(&bodies) {
        row.bar.low = Some(price(bottom.wrapping_sub(take_i64(bytes)?))?);
    }
    Some(())
}

fn write_decimals(
    out: &mut Vec<u8>,
    rows: &[StoredBar],
    shape: Shape,
    field: impl Fn(&Bar) -> Option<Decimal>,
) {
    let values = rows.iter().filter_map(|row| field(&row.bar));
    let Some((scale, integers)) = scaled(values.clone()) else {
        out.push(VALUE_BY_VALUE);
        write_flags(out, rows, |row| field(&row.bar).is_some());
        for value in values {
            out.push(value.scale() as u8);
            put_i128(out, value.mantissa());
        }
        return;
    };
    if write_presence(out, rows, integers.len(), |bar| field(bar).is_some()) {
        out.push(scale);
        write_run(out, shape, integers.into_iter());
    }
}

fn read_decimals(
    bytes: &mut &[u8],
    rows: &mut [StoredBar],
    shape: Shape,
    mut set: impl FnMut(&mut Bar, Decimal),
) -> Option<()> {
    let kept = take_byte(bytes)?;
    if kept == VALUE_BY_VALUE {
        let mut present = vec![false; rows.len()];
        let mut index = 0;
        read_flags(bytes, rows, |_, flag| {
            present[index] = flag;
            index += 1;
        })?;
        for (row, _) in rows.iter_mut().zip(present).filter(|(_, present)| *present) {
            let scale = take_byte(bytes)?;
            set(&mut row.bar, decimal(take_i128(bytes)?, scale)?);
        }
        return Some(());
    }
    let Some(present) = read_presence(bytes, kept, rows.len())? else { return Some(()) };
    let scale = take_byte(bytes)?;
    read_run(bytes, shape, rows, present, |bar, integer| {
        set(bar, decimal(i128::from(integer), scale)?);
        Some(())
    })
}

fn write_integers(out: &mut Vec<u8>, rows: &[StoredBar], shape: Shape, field: impl Fn(&Bar) -> Option<i64>) {
    let values = rows.iter().filter_map(|row| field(&row.bar));
    if write_presence(out, rows, values.clone().count(), |bar| field(bar).is_some()) {
        write_run(out, shape, values);
    }
}

fn read_integers(
    bytes: &mut &[u8],
    rows: &mut [StoredBar],
    shape: Shape,
    set: impl FnMut(&mut Bar, i64) -> Option<()>,
) -> Option<()> {
    let kept = take_byte(bytes)?;
    let Some(present) = read_presence(bytes, kept, rows.len())? else { return Some(()) };
    read_run(bytes, shape, rows, present, set)
}

/// Says which rows have the column; false if none has.
fn write_presence(
    out: &mut Vec<u8>,
    rows: &[StoredBar],
    count: usize,
    present: impl Fn(&Bar) -> bool,
) -> bool {
    if count == 0 {
        out.push(ABSENT);
    } else if count == rows.len() {
        out.push(COMPLETE);
    } else {
        out.push(WITH_GAPS);
        for eight in rows.chunks(8) {
            let bits = eight.iter().enumerate();
            out.push(bits.fold(0, |byte, (bit, row)| byte | (u8::from(present(&row.bar)) << bit)));
        }
    }
    count > 0
}

/// The bits of the rows that have the column: `Some(None)` if none has, an empty slice if all have.
fn read_presence<'a>(bytes: &mut &'a [u8], kept: u8, rows: usize) -> Option<Option<&'a [u8]>> {
    match kept {
        ABSENT => Some(None),
        COMPLETE => Some(Some(&[])),
        WITH_GAPS => Some(Some(take_bytes(bytes, rows.div_ceil(8))?)),
        _ => None,
    }
}

fn write_run(out: &mut Vec<u8>, shape: Shape, values: impl Iterator<Item = i64>) {
    let mut before = 0i64;
    for value in values {
        put_i64(out, value.wrapping_sub(before));
        if shape == Shape::Walk {
            before = value;
        }
    }
}

fn read_run(
    bytes: &mut &[u8],
    shape: Shape,
    rows: &mut [StoredBar],
    present: &[u8],
    mut set: impl FnMut(&mut Bar, i64) -> Option<()>,
) -> Option<()> {
    let mut before = 0i64;
    for (index, row) in rows.iter_mut().enumerate() {
        if present.is_empty() || present[index / 8] >> (index % 8) & 1 == 1 {
            let value = before.wrapping_add(take_i64(bytes)?);
            set(&mut row.bar, value)?;
            if shape == Shape::Walk {
                before = value;
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    //! STO-1, STO-5: a sealed block keeps every digit and every absence, and is small.
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;
    use crate::samples;

    fn stored(bars: Vec<Bar>) -> Vec<StoredBar> {
        let learned = |index: usize| Instant::from_secs(1_700_000_000 + (index / 7) as i64);
        bars.into_iter().enumerate().map(|(i, bar)| StoredBar { bar, learned_at: learned(i) }).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_bars_survive_the_block(bars in prop::collection::vec(samples::any_bar(), 0..60)) {
            let rows = stored(bars);
            prop_assert_eq!(unpack(&Packer::new().pack(&rows)), Ok(rows));
        }

        #[test]
        fn a_damaged_block_is_refused_or_read_but_never_fatal(at in 0usize..200, bit in 0u8..8) {
            let mut blob = Packer::new().pack(&stored((0..200).map(samples::minute_bar).collect()));
            let at = at % blob.len();
            blob[at] ^= 1 << bit;
            let _ = unpack(&blob);
        }

        #[test]
        fn arbitrary_columns_are_refused_or_read_but_never_fatal(
            bytes in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let _ = read_columns(&bytes);
        }
    }

    #[test]
    fn five_hundred_minute_bars_take_at_most_ten_bytes_each() {
        let rows = stored((0..500).map(samples::minute_bar).collect());
        let bytes = Packer::new().pack(&rows).len();
        assert!(bytes <= 5_000, "{bytes} bytes");
    }

    #[test]
    fn a_block_that_is_cut_or_claims_too_much_is_damaged() {
        let blob = Packer::new().pack(&stored((0..10).map(samples::minute_bar).collect()));
        assert_eq!(unpack(&blob[..blob.len() - 1]), Err(Damaged));
        assert_eq!(unpack(&[]), Err(Damaged));
        assert_eq!(unpack(&[LAYOUT + 1]), Err(Damaged));
        let mut boast = vec![LAYOUT];
        put_u64(&mut boast, u64::MAX);
        assert_eq!(unpack(&boast), Err(Damaged));
    }
}
