//! Bars in IEX Cloud's replies.

use std::borrow::Cow;

use domain::{Adjustment, Bar, BarSeries, Denomination, InstrumentId, Interval};
use serde::{Deserialize, Deserializer};

use super::ZONE;
use super::reply::{named, parse, rows};
use super::request::{Chart, covered, is_raw};
use crate::field::local;
use crate::json::Exact;
use crate::text::{ZoneWalk, given};
use crate::{Data, HttpRequest, Question, Rejection};

const ROWS: &str = "rows of bars with date, open, high, low and close";

/// A column that may be absent, null or a number: the outer level tells whether it is there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Exact>, D::Error> {
    Exact::deserialize(deserializer).map(Some)
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
    #[serde(default, deserialize_with = "present")]
    open: Option<Exact>,
    #[serde(default, deserialize_with = "present")]
    high: Option<Exact>,
    #[serde(default, deserialize_with = "present")]
    low: Option<Exact>,
    #[serde(default, deserialize_with = "present")]
    close: Option<Exact>,
    #[serde(default)]
    volume: Exact,
    #[serde(default, deserialize_with = "present")]
    u_open: Option<Exact>,
    #[serde(default, deserialize_with = "present")]
    u_high: Option<Exact>,
    #[serde(default, deserialize_with = "present")]
    u_low: Option<Exact>,
    #[serde(default, deserialize_with = "present")]
    u_close: Option<Exact>,
    #[serde(default)]
    u_volume: Exact,
    #[serde(default)]
    f_close: Exact,
    #[serde(default)]
    average: Exact,
    #[serde(default)]
    number_of_trades: Exact,
    #[serde(default)]
    market_open: Exact,
    #[serde(default)]
    market_high: Exact,
    #[serde(default)]
    market_low: Exact,
    #[serde(default)]
    market_close: Exact,
    #[serde(default, deserialize_with = "present")]
    market_volume: Option<Exact>,
    #[serde(default)]
    market_average: Exact,
    #[serde(default)]
    market_number_of_trades: Exact,
}

/// Open, high, low and close where all four columns are there.
fn columns(four: [Option<Exact>; 4]) -> Option<[Exact; 4]> {
    let [open, high, low, close] = four;
    Some([open?, high?, low?, close?])
}

impl Row<'_> {
    fn raw(&self) -> Option<[Exact; 4]> {
        columns([self.u_open, self.u_high, self.u_low, self.u_close])
    }

    /// A day's bar. With `close_only` the other prices may be left out.
    fn day(&self, raw: bool, close_only: bool, zone: &mut ZoneWalk) -> Result<Bar, Rejection> {
        let absent = |price: Option<Exact>| if close_only { price.or(Some(Exact(None))) } else { price };
        let (four, volume) = if raw {
            (self.raw(), self.u_volume)
        } else {
            (columns([absent(self.open), absent(self.high), absent(self.low), self.close]), self.volume)
        };
        let [open, high, low, close] = four.ok_or(Rejection::unreadable(ROWS))?;
        let (at, has_time) = local(&self.date).ok_or(Rejection::unreadable(ROWS))?;
        if has_time {
            return Err(Rejection::unreadable(ROWS));
        }
        Ok(Bar {
            open: open.price(),
            high: high.price(),
            low: low.price(),
            close: close.price(),
            volume: volume.size(),
            trading_date: Some(at.date()),
            vendor_adjusted_close: self.f_close.price(),
            ..Bar::empty(zone.instant(at).ok_or(Rejection::unreadable(ROWS))?)
        })
    }

    /// A minute's bar: consolidated where those columns are there, else of the venue's own trades.
    fn minute(&self, minute: &str, own_trades: bool, zone: &mut ZoneWalk) -> Result<Bar, Rejection> {
        // Older rows write -1 for a price that is not there.
        let price = |price: Exact| Exact(price.0.filter(|value| !value.is_sign_negative())).price();
        let at = local(&format!("{} {minute}", self.date)).ok_or(Rejection::unreadable(ROWS))?;
        let start = zone.instant(at.0).ok_or(Rejection::unreadable(ROWS))?;
        let consolidated = self.market_volume.filter(|volume| volume.0.is_some() && !own_trades);
        if let (Some(volume), Some(close)) = (consolidated, price(self.market_close)) {
            return Ok(Bar {
                open: price(self.market_open),
                high: price(self.market_high),
                low: price(self.market_low),
                close: Some(close),
                volume: volume.size(),
                vwap: price(self.market_average),
                trade_count: self.market_number_of_trades.count(),
                ..Bar::empty(start)
            });
        }
        let [open, high, low, close] =
            columns([self.open, self.high, self.low, self.close]).ok_or(Rejection::unreadable(ROWS))?;
        Ok(Bar {
            open: price(open),
            high: price(high),
            low: price(low),
            close: price(close),
            volume: self.volume.size(),
            vwap: price(self.average),
            trade_count: self.number_of_trades.count(),
            // Where there is a column for the consolidated minute, the row will change once it is filled.
            is_final: self.market_volume.is_none() || own_trades || self.volume.0.is_none_or(|v| v.is_zero()),
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
    let mut zone = ZoneWalk::named(ZONE).ok_or(Rejection::unreadable(ROWS))?;
    let first = rows.first().ok_or(Rejection::NoData)?;
    let is_minutes = first.minute.is_some();
    let wants_raw = is_raw(sent) || matches!(question, Question::Bars { adjustment: Adjustment::Raw, .. });
    // Replies of 2019 have no columns as traded: what there is, is restated for splits.
    let raw = wants_raw && rows.iter().all(|row| row.raw().is_some());
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
            Some(minute) if is_minutes => row.minute(minute, own_trades, &mut zone)?,
            None if !is_minutes => row.day(raw, close_only, &mut zone)?,
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
