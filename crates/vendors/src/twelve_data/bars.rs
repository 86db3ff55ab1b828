//! `/time_series`.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use domain::{Bar, BarSeries, Instant, InstrumentId, Interval, Range};
use serde::Deserialize;

use super::quotes::{code_of, five_places};
use super::request::{adjustment_of, interval_of, param, word_of};
use super::{MOST_ROWS, Meta, wording};
use crate::local_time::{Zone, local};
use crate::number::{Exact, nullable, price};
use crate::{Data, HttpRequest, Rejection};

/// A reply: bars, or a refusal under 200.
#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow, default)]
    meta: Option<Meta<'a>>,
    #[serde(borrow, default)]
    values: Option<Vec<Row<'a>>>,
    #[serde(default)]
    code: Option<u16>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
}

/// One bar. Currencies have no volume.
#[derive(Deserialize)]
struct Row<'a> {
    datetime: &'a str,
    #[serde(deserialize_with = "nullable")]
    open: Option<Exact>,
    #[serde(deserialize_with = "nullable")]
    high: Option<Exact>,
    #[serde(deserialize_with = "nullable")]
    low: Option<Exact>,
    #[serde(deserialize_with = "nullable")]
    close: Option<Exact>,
    #[serde(default)]
    volume: Option<Exact>,
}

/// Reads bars.
pub(super) fn decode(
    asked: &InstrumentId,
    interval: Interval,
    range: Range,
    sent: &HttpRequest,
    body: &[u8],
) -> Result<Data, Rejection> {
    let reply: Reply<'_> =
        serde_json::from_slice(body).map_err(|_| Rejection::unreadable("`meta` and `values` of bars"))?;
    let failure = wording::Failure { code: reply.code, message: reply.message, status: reply.status };
    if let Some(rejection) = failure.rejection() {
        return Err(rejection);
    }
    let meta = reply.meta.ok_or(Rejection::unreadable("`meta` of bars"))?;
    let rows = reply.values.ok_or(Rejection::unreadable("`values` of bars"))?;
    let interval = interval_told(&meta, interval, sent)?;
    if rows.is_empty() {
        return Err(Rejection::NoData);
    }
    let told = meta.exchange_timezone.as_deref();
    let zone_name = match param(sent, "timezone") {
        Some(zone) if zone != "Exchange" => zone,
        // Currencies and coins name no zone: theirs is UTC.
        _ => told.unwrap_or("UTC"),
    };
    let zone = Zone::named(zone_name).ok_or(Rejection::unreadable("a known `exchange_timezone`"))?;
    // Dates belong to the exchange, whatever zone was asked for.
    let days = match told {
        Some(name) => Zone::named(name).ok_or(Rejection::unreadable("a known `exchange_timezone`"))?,
        None => Zone::named("UTC").expect("jiff carries the zones of the world"),
    };
    let mut series = BarSeries::empty(meta.instrument(asked), interval, adjustment_of(sent)?);
    series.denomination = meta.denomination();
    series.zone = told.map(Arc::from);
    let count = rows.len();
    series.bars.reserve_exact(count);
    for row in rows {
        let (at, has_time) = local(row.datetime).ok_or(Rejection::unreadable("`datetime` of a bar"))?;
        if interval.is_intraday() && !has_time {
            return Err(Rejection::unreadable("a time of day of a bar within the day"));
        }
        let start = if interval.is_intraday() { zone.instant(at) } else { days.instant(at) };
        series.bars.push(Bar {
            open: price(row.open),
            high: price(row.high),
            low: price(row.low),
            close: price(row.close),
            volume: row.volume.map(Exact::size),
            trading_date: (!interval.is_intraday()).then(|| at.date()),
            ..Bar::empty(start.ok_or(Rejection::unreadable("`datetime` of a bar"))?)
        });
    }
    put_in_order(&mut series.bars);
    if count >= MOST_ROWS
        && let Some(oldest) = series.bars.first()
    {
        series.covers = Some(Range::new(oldest.start, range.end));
    }
    Ok(Data::Bars(series))
}

/// Oldest first; of two rows with one start the first of the reply stands.
fn put_in_order(bars: &mut Vec<Bar>) {
    if bars.windows(2).all(|pair| pair[0].start > pair[1].start) {
        bars.reverse();
        return;
    }
    bars.sort_by_key(|bar| bar.start);
    bars.dedup_by_key(|bar| bar.start);
}

/// The interval of the reply, which must be the one asked for.
fn interval_told(meta: &Meta<'_>, asked: Interval, sent: &HttpRequest) -> Result<Interval, Rejection> {
    let Some(word) = meta.interval.as_deref() else {
        return Err(Rejection::unreadable("`interval` of bars"));
    };
    match interval_of(word) {
        Ok(told) if told == asked || param(sent, "interval").is_none() => Ok(told),
        Ok(_) => Err(Rejection::unreadable("bars of the interval asked for")),
        Err(Rejection::Unsupported) if param(sent, "interval").is_none() => Err(Rejection::Unsupported),
        Err(_) => Err(Rejection::unreadable("bars of the interval asked for")),
    }
}

/// Words bars: newest first unless asked otherwise, numbers as text, times at the exchange.
pub(super) fn encode(series: &BarSeries, request: &HttpRequest) -> String {
    let exchange = series.zone.as_deref().unwrap_or("America/New_York");
    let zone_name = param(request, "timezone").filter(|zone| *zone != "Exchange").unwrap_or(exchange);
    let zone = jiff::tz::TimeZone::get(zone_name).unwrap_or(jiff::tz::TimeZone::UTC);
    let meta = serde_json::json!({
        "symbol": series.instrument.name(),
        "interval": word_of(series.interval).unwrap_or("1day"),
        "currency": code_of(series.denomination),
        "exchange_timezone": exchange,
        "type": "Common Stock",
    });
    let most = param(request, "outputsize").and_then(|text| text.parse().ok()).unwrap_or(MOST_ROWS);
    let newest = series.bars.iter().rev().take(most);
    let rows: Vec<&Bar> = match param(request, "order") {
        Some("asc" | "ASC") => newest.rev().collect(),
        _ => newest.collect(),
    };
    let mut out = format!("{{\"meta\":{meta},\"values\":[");
    for (index, bar) in rows.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let at = match bar.trading_date {
            Some(date) => date.to_string(),
            None => time_at(bar.start, &zone),
        };
        let number = |value: Option<domain::Price>| match value {
            Some(value) => format!("\"{}\"", five_places(value)),
            None => "null".to_owned(),
        };
        let volume = bar.volume.map_or_else(String::new, |size| format!(",\"volume\":\"{size}\""));
        write!(
            out,
            "{comma}{{\"datetime\":\"{at}\",\"open\":{},\"high\":{},\"low\":{},\"close\":{}{volume}}}",
            number(bar.open),
            number(bar.high),
            number(bar.low),
            number(bar.close),
        )
        .expect("a string takes all that is written to it");
    }
    out.push_str("],\"status\":\"ok\"}");
    out
}

fn time_at(at: Instant, zone: &jiff::tz::TimeZone) -> String {
    at.to_timestamp().to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
