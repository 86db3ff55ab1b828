//! `/quote` and `/stock/bidask`.

use domain::{Instant, InstrumentId, Price, Quote, Size};
use serde::Deserialize;

use crate::number::{Exact, nullable, price};
use crate::{Data, Quoted, Rejection};

/// Current, high, low, open, previous close, and the seconds of the last trade.
#[derive(Deserialize)]
struct Row {
    #[serde(deserialize_with = "nullable")]
    c: Option<Exact>,
    #[serde(deserialize_with = "nullable")]
    h: Option<Exact>,
    #[serde(deserialize_with = "nullable")]
    l: Option<Exact>,
    #[serde(deserialize_with = "nullable")]
    o: Option<Exact>,
    #[serde(deserialize_with = "nullable")]
    pc: Option<Exact>,
    #[serde(deserialize_with = "nullable")]
    t: Option<i64>,
}

/// Ask, bid, their sizes, and milliseconds.
#[derive(Deserialize)]
struct BidAsk {
    #[serde(deserialize_with = "nullable")]
    a: Option<Exact>,
    #[serde(deserialize_with = "nullable")]
    av: Option<Exact>,
    #[serde(deserialize_with = "nullable")]
    b: Option<Exact>,
    #[serde(deserialize_with = "nullable")]
    bv: Option<Exact>,
    #[serde(deserialize_with = "nullable")]
    t: Option<i64>,
}

fn is_nothing(field: Option<Exact>) -> bool {
    field.is_none_or(|number| number.0.is_zero())
}

fn one(instrument: &InstrumentId, quote: Quote) -> Data {
    Data::Quotes(vec![Quoted { instrument: instrument.clone(), quote: Ok(quote) }])
}

/// Reads a quote.
pub(super) fn decode(instrument: &InstrumentId, body: &[u8]) -> Result<Data, Rejection> {
    let row: Row =
        serde_json::from_slice(body).map_err(|_| Rejection::unreadable("c h l o pc t of a quote"))?;
    if [row.c, row.h, row.l, row.o, row.pc].into_iter().all(is_nothing) {
        return Err(Rejection::UnknownSymbol);
    }
    // A price of nothing beside prices of the day is a symbol that has not traded.
    if is_nothing(row.c) {
        return Err(Rejection::NoData);
    }
    Ok(one(
        instrument,
        Quote {
            last: price(row.c),
            open: price(row.o),
            high: price(row.h),
            low: price(row.l),
            previous_close: price(row.pc),
            event_time: row.t.filter(|secs| *secs > 0).map(Instant::from_secs),
            ..Quote::default()
        },
    ))
}

/// Reads bid and ask. A side of zero is a side without orders; that a symbol is unknown has been told by the
/// quote before.
pub(super) fn decode_bid_ask(instrument: &InstrumentId, body: &[u8]) -> Result<Data, Rejection> {
    let row: BidAsk =
        serde_json::from_slice(body).map_err(|_| Rejection::unreadable("a av b bv t of a quote"))?;
    let side = |price: Option<Exact>, size: Option<Exact>| match price {
        Some(price) if !price.0.is_zero() => (Some(price.price()), size.map(Exact::size)),
        _ => (None, None),
    };
    let ((bid, bid_size), (ask, ask_size)) = (side(row.b, row.bv), side(row.a, row.av));
    let event_time = row.t.filter(|millis| *millis > 0).map(Instant::from_millis);
    Ok(one(instrument, Quote { bid, bid_size, ask, ask_size, event_time, ..Quote::default() }))
}

fn number(value: Option<Price>) -> String {
    value.map_or_else(|| "0".to_owned(), |value| value.to_string())
}

/// Words a quote.
pub(super) fn encode(quote: &Quote) -> String {
    let change = quote.last.zip(quote.previous_close).map(|(last, previous)| {
        let change = last.decimal().saturating_sub(previous.decimal());
        let percent = change.checked_mul(100.into()).and_then(|c| c.checked_div(previous.decimal()));
        (change.normalize().to_string(), percent.map(|p| p.round_dp(4).normalize().to_string()))
    });
    let (change, percent) = change.unwrap_or(("null".to_owned(), None));
    format!(
        "{{\"c\":{},\"d\":{change},\"dp\":{},\"h\":{},\"l\":{},\"o\":{},\"pc\":{},\"t\":{}}}",
        number(quote.last),
        percent.as_deref().unwrap_or("null"),
        number(quote.high),
        number(quote.low),
        number(quote.open),
        number(quote.previous_close),
        quote.event_time.map_or(0, Instant::as_secs),
    )
}

/// Words bid and ask.
pub(super) fn encode_bid_ask(quote: &Quote) -> String {
    let size = |value: Option<Size>| value.map_or_else(|| "0".to_owned(), |value| value.to_string());
    format!(
        "{{\"a\":{},\"av\":{},\"b\":{},\"bv\":{},\"t\":{}}}",
        number(quote.ask),
        size(quote.ask_size),
        number(quote.bid),
        size(quote.bid_size),
        quote.event_time.map_or(0, Instant::as_millis),
    )
}
