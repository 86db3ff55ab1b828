//! Time series: rows by date, from JSON and CSV, straight into decimals.

use domain::number::Decimal;
use domain::{
    ActionKind, Adjustment, Bar, CorporateAction, Date, Instant, InstrumentId, Interval, Price, Ratio, Size,
};
use jiff::civil::{DateTime, Time};
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, de::DeserializeSeed};
use serde_json::value::RawValue;

use super::table::{is_nothing, word};
use super::{HOME, interval_of};
use crate::Rejection;
use crate::local_time::Zone;
use crate::number::decimal;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Open,
    High,
    Low,
    Close,
    Volume,
    Adjusted,
    Dividend,
    Split,
}

/// How many columns there are.
const COLUMNS: usize = 8;
/// Those every row has.
const NEEDED: [Column; 5] = [Column::Open, Column::High, Column::Low, Column::Close, Column::Volume];

impl Column {
    /// The column of a name, by its word.
    fn of(name: &str) -> Option<Column> {
        Some(match word(name) {
            "open" => Column::Open,
            "high" => Column::High,
            "low" => Column::Low,
            "close" => Column::Close,
            "volume" => Column::Volume,
            "adjusted close" | "adjusted_close" => Column::Adjusted,
            "dividend amount" | "dividend_amount" => Column::Dividend,
            "split coefficient" | "split_coefficient" => Column::Split,
            _ => return None,
        })
    }
}

/// One row as the vendor writes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Label, in the vendor's zone; midnight where only a date is given.
    at: DateTime,
    cells: [Option<Decimal>; COLUMNS],
}

impl Row {
    fn price(&self, column: Column) -> Option<Price> {
        self.cells[column as usize].map(Price::new)
    }
}

/// A label: `2018-08-16` or `2026-05-15 19:55:00`.
fn label(text: &str) -> Option<DateTime> {
    let bytes = text.as_bytes();
    let number = |range: std::ops::Range<usize>| {
        bytes
            .get(range)?
            .iter()
            .try_fold(0i16, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i16::from(byte - b'0')))
    };
    let small = |range| i8::try_from(number(range)?).ok();
    if bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    let date = Date::new(number(0..4)?, small(5..7)?, small(8..10)?).ok()?;
    let time = match bytes.len() {
        10 => Time::midnight(),
        16 | 19 if bytes[10] == b' ' && bytes[13] == b':' => {
            let second = if bytes.len() == 19 { small(17..19)? } else { 0 };
            Time::new(small(11..13)?, small(14..16)?, second, 0).ok()?
        }
        _ => return None,
    };
    Some(date.to_datetime(time))
}

/// A cell: a number, or one of the texts that stand for nothing.
fn cell(text: &str) -> Result<Option<Decimal>, Rejection> {
    if is_nothing(text) {
        return Ok(None);
    }
    decimal(text).map(Some).ok_or(Rejection::unreadable("a number"))
}

/// The rows of a JSON series, in the vendor's order.
///
/// # Errors
/// [`Rejection::Unreadable`] for a label that is no time, a cell that is no number, a missing column.
pub(super) fn json_rows(series: &RawValue) -> Result<Vec<Row>, Rejection> {
    let mut deserializer = serde_json::Deserializer::from_str(series.get());
    Rows.deserialize(&mut deserializer)
        .map_err(|_| Rejection::unreadable("rows of open, high, low, close, volume"))
}

struct Rows;

impl<'de> DeserializeSeed<'de> for Rows {
    type Value = Vec<Row>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Row>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Rows {
    type Value = Vec<Row>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("rows by date")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Row>, A::Error> {
        let mut rows = Vec::new();
        while let Some(text) = map.next_key::<&str>()? {
            let at = label(text).ok_or_else(|| A::Error::custom("a date"))?;
            let Cells(cells) = map.next_value()?;
            rows.push(Row { at, cells });
        }
        Ok(rows)
    }
}

/// The cells of one JSON row.
struct Cells([Option<Decimal>; COLUMNS]);

impl<'de> Deserialize<'de> for Cells {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cells, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Cells;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a row")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cells, A::Error> {
                let mut cells = [None; COLUMNS];
                let mut seen = [false; COLUMNS];
                while let Some(name) = map.next_key::<&str>()? {
                    let text: &str = map.next_value()?;
                    if let Some(column) = Column::of(name) {
                        cells[column as usize] = cell(text).map_err(A::Error::custom)?;
                        seen[column as usize] = true;
                    }
                }
                if NEEDED.iter().all(|column| seen[*column as usize]) {
                    Ok(Cells(cells))
                } else {
                    Err(A::Error::custom("all columns"))
                }
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The rows of a CSV series, in the vendor's order.
///
/// # Errors
/// [`Rejection::Unreadable`], as [`json_rows`], and for a row of another length than the header.
pub(super) fn csv_rows(body: &[u8]) -> Result<Vec<Row>, Rejection> {
    let text = std::str::from_utf8(body).map_err(|_| Rejection::unreadable("text"))?;
    let mut lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let mut header = lines.next().unwrap_or_default().split(',');
    if header.next() != Some("timestamp") {
        return Err(Rejection::unreadable("a header of `timestamp`"));
    }
    let columns: Vec<Option<Column>> = header.map(|name| Column::of(name.trim())).collect();
    if !NEEDED.iter().all(|column| columns.contains(&Some(*column))) {
        return Err(Rejection::unreadable("open, high, low, close and volume"));
    }
    lines
        .map(|line| {
            let mut parts = line.split(',');
            let at = parts.next().and_then(label).ok_or(Rejection::unreadable("a date"))?;
            let mut cells = [None; COLUMNS];
            for column in &columns {
                let text = parts.next().ok_or(Rejection::unreadable("a whole row"))?;
                if let Some(column) = column {
                    cells[*column as usize] = cell(text)?;
                }
            }
            if parts.next().is_some() {
                return Err(Rejection::unreadable("a row as long as the header"));
            }
            Ok(Row { at, cells })
        })
        .collect()
}

/// The interval a JSON series is named after: `Time Series (5min)`, `Weekly Adjusted Time Series`.
pub(super) fn interval_of_series(name: &str) -> Option<Interval> {
    if let Some(word) = name.strip_prefix("Time Series (").and_then(|rest| rest.strip_suffix(')')) {
        return if word == "Daily" { Some(Interval::D1) } else { interval_of(word) };
    }
    match name {
        "Weekly Time Series" | "Weekly Adjusted Time Series" => Some(Interval::W1),
        "Monthly Time Series" | "Monthly Adjusted Time Series" => Some(Interval::Mo1),
        _ => None,
    }
}

/// The intraday interval that the smallest step between two rows shows.
pub(super) fn interval_of_rows(rows: &[Row]) -> Option<Interval> {
    let step = rows.windows(2).map(|pair| pair[0].at.duration_since(pair[1].at).as_secs().abs()).min()?;
    Interval::ALL.into_iter().find(|interval| {
        interval.is_intraday()
            && super::interval_word(*interval).is_some()
            && interval.fixed_length().is_some_and(|length| length.as_secs().cast_signed() == step)
    })
}

/// Bars, oldest first, and the splits and dividends of daily rows. `zone` is the vendor's name of the zone
/// its labels are in; `refreshed` its statement of when it last changed the newest row.
///
/// # Errors
/// [`Rejection::Unreadable`] for a zone nobody knows.
pub(super) fn bars(
    rows: &[Row],
    instrument: &InstrumentId,
    interval: Interval,
    zone: &str,
    refreshed: Option<&str>,
) -> Result<(Vec<Bar>, Vec<CorporateAction>), Rejection> {
    let clock = Zone::named(zone).ok_or(Rejection::unreadable("a time zone"))?;
    let mut bars = Vec::with_capacity(rows.len());
    let mut actions = Vec::new();
    let newest_first = rows.first().zip(rows.last()).is_some_and(|(first, last)| first.at > last.at);
    let ordered: &mut dyn Iterator<Item = &Row> =
        if newest_first { &mut rows.iter().rev() } else { &mut rows.iter() };
    for row in ordered {
        let start = clock.instant(window_start(row.at, interval)).ok_or(Rejection::unreadable("a date"))?;
        let date = row.at.date();
        bars.push(Bar {
            open: row.price(Column::Open),
            high: row.price(Column::High),
            low: row.price(Column::Low),
            close: row.price(Column::Close),
            volume: row.cells[Column::Volume as usize].map(Size::new),
            vendor_adjusted_close: row.price(Column::Adjusted),
            trading_date: (!interval.is_intraday()).then_some(date),
            ..Bar::empty(start)
        });
        if interval == Interval::D1 {
            actions.extend(actions_of(row, instrument, date));
        }
    }
    if !bars.is_sorted_by_key(|bar| bar.start) {
        bars.sort_by_key(|bar| bar.start);
        actions.sort_by_key(|action: &CorporateAction| action.ex_date);
    }
    if let (Some(last), Some(refreshed)) = (bars.last_mut(), refreshed.and_then(label)) {
        last.is_final = !still_runs(last, interval, refreshed);
    }
    Ok((bars, actions))
}

fn actions_of<'a>(
    row: &'a Row,
    instrument: &'a InstrumentId,
    date: Date,
) -> impl Iterator<Item = CorporateAction> + 'a {
    let split = row.cells[Column::Split as usize]
        .map(Ratio::new)
        .filter(|ratio| ratio.is_positive() && *ratio != Ratio::ONE)
        .map(|new_per_old| ActionKind::Split { new_per_old });
    let dividend = row
        .price(Column::Dividend)
        .filter(|amount| amount.is_positive())
        .map(|amount| ActionKind::Dividend { amount, denomination: None });
    [split, dividend]
        .into_iter()
        .flatten()
        .map(move |kind| CorporateAction::new(instrument.clone(), date, kind))
}

/// Weeks and months are labelled by their last trading day; a window begins on Monday, or on the first.
fn window_start(label: DateTime, interval: Interval) -> DateTime {
    let date = label.date();
    match interval {
        Interval::W1 => {
            let since_monday = date.weekday().to_monday_zero_offset();
            date.checked_sub(jiff::Span::new().days(i64::from(since_monday))).unwrap_or(date).into()
        }
        Interval::Mo1 => date.first_of_month().into(),
        _ => label,
    }
}

/// Whether the reply shows that the newest row still runs: refreshed on the row's own day at a time before
/// its end, or on a day of the week or month before the last.
fn still_runs(newest: &Bar, interval: Interval, refreshed: DateTime) -> bool {
    let is_during_the_day =
        refreshed.time() != Time::midnight() && refreshed.time() < Time::constant(16, 0, 0, 0);
    let (Some(date), today) = (newest.trading_date, refreshed.date()) else { return false };
    let is_last_day = match interval {
        Interval::W1 => date.weekday().to_monday_zero_offset() >= 4,
        Interval::Mo1 => {
            let weekday = date.last_of_month().weekday().to_monday_zero_offset();
            let last = date.last_of_month().day() - (weekday - 4).max(0);
            date.day() >= last
        }
        _ => true,
    };
    date == today && (is_during_the_day || !is_last_day)
}

/// The basis of bars of an interval; intraday ones are adjusted for everything unless the request says
/// otherwise.
pub(super) fn adjustment(interval: Interval, adjusted: Option<&str>) -> Adjustment {
    if interval.is_intraday() && adjusted != Some("false") { Adjustment::All } else { Adjustment::Raw }
}

/// The canonical name of a zone as Alpha Vantage writes it.
pub(super) fn zone_name(told: &str) -> &str {
    if told == "US/Eastern" { HOME } else { told }
}

/// The start of a window, for the end that writes labels.
pub(super) fn is_window_start(date: Date, interval: Interval) -> bool {
    window_start(date.into(), interval).date() == date
}

/// Midnight of a date where Alpha Vantage is.
pub(super) fn midnight(date: Date) -> Instant {
    crate::local_time::local_midnight(date, HOME)
}
