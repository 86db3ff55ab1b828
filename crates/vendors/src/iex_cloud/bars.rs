//! Bars in IEX Cloud's replies.

use std::borrow::Cow;

use domain::{Adjustment, Bar, BarSeries, Denomination, InstrumentId, Interval, Price, Size};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::ZONE;
use super::reply::{named, parse, rows};
use super::request::{Chart, covered, is_raw};
use crate::local_time::{Zone, local};
use crate::number::MaybeExact;
use crate::symbol::given;
use crate::{Data, HttpRequest, Question, Rejection};

const ROWS: &str = "rows of bars with date, open, high, low and close";

/// A column that may be absent, null or a number, read only where it is wanted: most rows have both restated
/// and traded prices, and one of them is enough.
type Column<'a> = Option<&'a RawValue>;

/// Tells a null, which is there, from a column that is not.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Column<'a>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// The number of a column; none where it is absent or null.
fn number(column: Column<'_>) -> Result<MaybeExact, Rejection> {
    let read = |raw: &RawValue| MaybeExact::read(raw).ok_or(Rejection::unreadable(ROWS));
    column.map_or(Ok(MaybeExact(None)), read)
}

/// A day, or with `minute` a minute.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    #[serde(borrow)]
    date: Cow<'a, str>,
    #[serde(borrow, default)]
    minute: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    symbol: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    currency: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    open: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    high: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    low: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    close: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    volume: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    u_open: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    u_high: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    u_low: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    u_close: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    u_volume: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    f_close: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    average: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    number_of_trades: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    market_open: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    market_high: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    market_low: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    market_close: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    market_volume: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    market_average: Column<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    market_number_of_trades: Column<'a>,
}

/// Open, high, low and close where all four columns are there.
fn columns(four: [Column<'_>; 4]) -> Result<[MaybeExact; 4], Rejection> {
    let there =
        |column: Column<'_>| column.ok_or(Rejection::unreadable(ROWS)).and_then(|raw| number(Some(raw)));
    let [open, high, low, close] = four;
    Ok([there(open)?, there(high)?, there(low)?, there(close)?])
}

/// A price; older rows write -1 for one that is not there.
fn price(column: Column<'_>) -> Result<Option<Price>, Rejection> {
    Ok(MaybeExact(number(column)?.0.filter(|value| !value.is_sign_negative())).price())
}

impl Row<'_> {
    /// Whether the columns as traded are there.
    fn has_raw(&self) -> bool {
        [self.u_open, self.u_high, self.u_low, self.u_close].iter().all(Option::is_some)
    }

    /// A day's bar. With `close_only` the other prices may be left out.
    fn day(&self, raw: bool, close_only: bool, zone: &Zone) -> Result<Bar, Rejection> {
        let ([open, high, low, close], volume) = if raw {
            (columns([self.u_open, self.u_high, self.u_low, self.u_close])?, self.u_volume)
        } else if close_only {
            let [_, _, _, close] = columns([self.close; 4])?;
            ([number(self.open)?, number(self.high)?, number(self.low)?, close], self.volume)
        } else {
            (columns([self.open, self.high, self.low, self.close])?, self.volume)
        };
        let (at, has_time) = local(&self.date).ok_or(Rejection::unreadable(ROWS))?;
        if has_time {
            return Err(Rejection::unreadable(ROWS));
        }
        Ok(Bar {
            open: open.price(),
            high: high.price(),
            low: low.price(),
            close: close.price(),
            volume: number(volume)?.size(),
            trading_date: Some(at.date()),
            vendor_adjusted_close: number(self.f_close)?.price(),
            ..Bar::empty(zone.instant(at).ok_or(Rejection::unreadable(ROWS))?)
        })
    }

    /// A minute's bar: consolidated where those columns are there, else of the venue's own trades.
    fn minute(&self, minute: &str, own_trades: bool, zone: &Zone) -> Result<Bar, Rejection> {
        let at = local(&format!("{} {minute}", self.date)).ok_or(Rejection::unreadable(ROWS))?;
        let start = zone.instant(at.0).ok_or(Rejection::unreadable(ROWS))?;
        let market_close = if own_trades { None } else { price(self.market_close)? };
        if let (Some(close), Some(volume)) = (market_close, number(self.market_volume)?.size()) {
            return Ok(Bar {
                open: price(self.market_open)?,
                high: price(self.market_high)?,
                low: price(self.market_low)?,
                close: Some(close),
                volume: Some(volume),
                vwap: price(self.market_average)?,
                trade_count: number(self.market_number_of_trades)?.count(),
                ..Bar::empty(start)
            });
        }
        columns([self.open, self.high, self.low, self.close])?;
        let volume = number(self.volume)?.size();
        let traded = volume.is_some_and(Size::is_positive);
        Ok(Bar {
            open: price(self.open)?,
            high: price(self.high)?,
            low: price(self.low)?,
            close: price(self.close)?,
            volume,
            vwap: price(self.average)?,
            trade_count: number(self.number_of_trades)?.count(),
            // Where there is a column for the consolidated minute, the row will change once it is filled.
            is_final: self.market_volume.is_none() || own_trades || !traded,
            ..Bar::empty(start)
        })
    }
}

/// Days or minutes, as the rows tell.
fn series(
    question: &Question,
    id: &InstrumentId,
    sent: &HttpRequest,
    rows: &[Row<'_>],
) -> Result<BarSeries, Rejection> {
    let zone = Zone::named(ZONE).ok_or(Rejection::unreadable(ROWS))?;
    let first = rows.first().ok_or(Rejection::NoData)?;
    let is_minutes = first.minute.is_some();
    let wants_raw = is_raw(sent) || matches!(question, Question::Bars { adjustment: Adjustment::Raw, .. });
    // Replies of 2019 have no columns as traded: what there is, is restated for splits.
    let raw = wants_raw && rows.iter().all(Row::has_raw);
    let (interval, adjustment) = match (is_minutes, raw) {
        (true, _) => (Interval::M1, Adjustment::Raw),
        (false, true) => (Interval::D1, Adjustment::Raw),
        (false, false) => (Interval::D1, Adjustment::Split),
    };
    let is_set = |name: &str| sent.param(name).is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
    let (close_only, own_trades) = (is_set("chartCloseOnly"), is_set("chartIEXOnly"));
    let mut series = BarSeries::empty(named(id, first.symbol.as_deref()), interval, adjustment);
    series.denomination = first.currency.as_deref().and_then(Denomination::parse);
    series.bars.reserve(rows.len());
    for row in rows {
        series.bars.push(match &row.minute {
            Some(minute) if is_minutes => row.minute(minute, own_trades, &zone)?,
            None if !is_minutes => row.day(raw, close_only, &zone)?,
            _ => return Err(Rejection::unreadable("days or minutes, not both")),
        });
    }
    if !series.bars.is_sorted_by_key(|bar| bar.start) {
        series.bars.reverse();
        series.bars.sort_by_key(|bar| bar.start);
    }
    Ok(series)
}

/// Refuses minutes for days and the other way round: nobody asked for them.
fn as_asked(series: &BarSeries, chart: Chart<'_>) -> Result<(), Rejection> {
    let is_right = match chart {
        // A template's `{range}` may be any.
        Chart::Days(word) if given(Some(word)).is_none() => true,
        Chart::Days(_) | Chart::Day(_) => series.interval == Interval::D1,
        Chart::Minutes(_) => series.interval == Interval::M1,
        Chart::Dynamic => true,
    };
    if is_right { Ok(()) } else { Err(Rejection::unreadable("bars of the interval asked for")) }
}

/// A chart, with the part of the asked range that it speaks for.
pub(super) fn chart(
    question: &Question,
    id: &InstrumentId,
    chart: Chart<'_>,
    sent: &HttpRequest,
    body: &str,
) -> Result<Data, Rejection> {
    let mut series = series(question, id, sent, &rows::<Row<'_>>(body, ROWS)?)?;
    as_asked(&series, chart)?;
    if let (Chart::Minutes(_), Some(newest), Some(asked)) = (chart, series.bars.last(), question.range()) {
        let date = super::request::today(newest.start);
        series.covers = covered(asked, date).filter(|covered| *covered != asked);
    }
    Ok(Data::Bars(series))
}

/// A chart that says itself whether it has days or minutes.
#[derive(Deserialize)]
struct Dynamic<'a> {
    #[serde(borrow)]
    data: Vec<Row<'a>>,
}

/// Minutes while the market is open, else days.
pub(super) fn dynamic(
    question: &Question,
    id: &InstrumentId,
    sent: &HttpRequest,
    body: &str,
) -> Result<Data, Rejection> {
    let reply: Dynamic<'_> = parse(body, "an object with data, rows of bars")?;
    series(question, id, sent, &reply.data).map(Data::Bars)
}

/// The previous day.
pub(super) fn previous(
    question: &Question,
    id: &InstrumentId,
    sent: &HttpRequest,
    body: &str,
) -> Result<Data, Rejection> {
    let row: Row<'_> = parse(body, ROWS)?;
    let mut series = series(question, id, sent, std::slice::from_ref(&row))?;
    let date = series.bars.first().and_then(|bar| bar.trading_date);
    let covers = date.map(super::request::day);
    series.covers = covers.zip(question.range()).map(|(day, asked)| asked.intersect(day));
    Ok(Data::Bars(series))
}
