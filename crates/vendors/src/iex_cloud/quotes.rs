//! Quotes in IEX Cloud's replies. Prices of zero are prices that are not there.

use std::borrow::Cow;
use std::time::Duration;

use domain::{Denomination, Instant, InstrumentId, MarketPhase, Price, Quote, Size};
use serde::Deserialize;

use super::reply::{named, own, parse, rows};
use crate::number::MaybeExact;
use crate::symbol::is_unnamed;
use crate::{Data, Question, Quoted, Rejection};

/// Delay of prices whose source says so.
const DELAY: Duration = Duration::from_secs(15 * 60);
/// The source of a price that is late.
pub(super) const DELAYED_SOURCE: &str = "15 minute delayed price";
/// The source of a price of the venue's own trades.
pub(super) const OWN_SOURCE: &str = "IEX real time price";

/// The size beside a price; none where there is no price.
fn sized(size: MaybeExact, price: Option<Price>) -> Option<Size> {
    price.and_then(|_| size.size())
}

/// Milliseconds; 0 and -1 stand for none.
fn moment(at: MaybeExact) -> Option<Instant> {
    at.millis().filter(|at| *at > Instant::EPOCH)
}

/// A quote with some price.
fn complete(quote: Quote) -> Result<Quote, Rejection> {
    if quote.price().is_none() { Err(Rejection::NoData) } else { Ok(quote) }
}

fn single(instrument: InstrumentId, quote: Quote) -> Result<Data, Rejection> {
    Ok(Data::Quotes(vec![Quoted { instrument, quote: Ok(complete(quote)?) }]))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    latest_price: MaybeExact,
    #[serde(borrow, default)]
    latest_source: Option<Cow<'a, str>>,
    #[serde(default)]
    latest_update: MaybeExact,
    #[serde(default)]
    latest_volume: MaybeExact,
    #[serde(default)]
    open: MaybeExact,
    #[serde(default)]
    high: MaybeExact,
    #[serde(default)]
    low: MaybeExact,
    #[serde(default)]
    previous_close: MaybeExact,
    #[serde(default)]
    iex_realtime_size: MaybeExact,
    #[serde(default)]
    iex_bid_price: MaybeExact,
    #[serde(default)]
    iex_bid_size: MaybeExact,
    #[serde(default)]
    iex_ask_price: MaybeExact,
    #[serde(default)]
    iex_ask_size: MaybeExact,
    #[serde(borrow, default)]
    currency: Option<Cow<'a, str>>,
    #[serde(rename = "isUSMarketOpen", default)]
    is_open: Option<bool>,
}

const QUOTE: &str = "a quote with symbol and latestPrice";

impl Row<'_> {
    fn quote(&self) -> Quote {
        let (last, bid, ask) =
            (self.latest_price.priced(), self.iex_bid_price.priced(), self.iex_ask_price.priced());
        let source = self.latest_source.as_deref();
        let own_size = if source == Some(OWN_SOURCE) { self.iex_realtime_size } else { MaybeExact(None) };
        Quote {
            last,
            last_size: sized(own_size, last),
            bid,
            bid_size: sized(self.iex_bid_size, bid),
            ask,
            ask_size: sized(self.iex_ask_size, ask),
            open: self.open.priced(),
            high: self.high.priced(),
            low: self.low.priced(),
            previous_close: self.previous_close.priced(),
            volume: self.latest_volume.size(),
            event_time: moment(self.latest_update),
            denomination: self.currency.as_deref().and_then(Denomination::parse),
            stated_delay: (source == Some(DELAYED_SOURCE)).then_some(DELAY),
            // Not open may be before, after or closed.
            phase: self.is_open.filter(|open| *open).map(|_| MarketPhase::Open),
            ..Quote::default()
        }
    }
}

/// The quote of one object.
pub(super) fn one(body: &str) -> Result<Quote, Rejection> {
    complete(parse::<Row<'_>>(body, QUOTE)?.quote())
}

/// The quote of one share.
pub(super) fn quote(id: &InstrumentId, body: &str) -> Result<Data, Rejection> {
    let row: Row<'_> = parse(body, QUOTE)?;
    single(named(id, Some(&row.symbol)), row.quote())
}

/// The latest price of one share, a bare number.
pub(super) fn price(id: &InstrumentId, body: &str) -> Result<Data, Rejection> {
    let price: MaybeExact = parse(body, "a number")?;
    single(id.clone(), Quote { last: price.priced(), ..Quote::default() })
}

#[derive(Deserialize)]
struct Official<'a> {
    open: Option<Print>,
    close: Option<Print>,
    high: MaybeExact,
    low: MaybeExact,
    #[serde(borrow, default)]
    symbol: Option<Cow<'a, str>>,
}

#[derive(Clone, Copy, Deserialize)]
struct Print {
    price: MaybeExact,
    #[serde(default)]
    time: MaybeExact,
}

/// The official open and close.
pub(super) fn official(id: &InstrumentId, body: &str) -> Result<Data, Rejection> {
    let row: Official<'_> = parse(body, "open, close, high and low")?;
    let quote = Quote {
        last: row.close.and_then(|close| close.price.priced()),
        open: row.open.and_then(|open| open.price.priced()),
        high: row.high.priced(),
        low: row.low.priced(),
        event_time: row.close.and_then(|close| moment(close.time)),
        ..Quote::default()
    };
    single(named(id, row.symbol.as_deref()), quote)
}

/// The venue's best bid and ask. Its `volume` is the venue's own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Top<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    bid_price: MaybeExact,
    #[serde(default)]
    bid_size: MaybeExact,
    ask_price: MaybeExact,
    #[serde(default)]
    ask_size: MaybeExact,
    #[serde(default)]
    last_sale_price: MaybeExact,
    #[serde(default)]
    last_sale_size: MaybeExact,
    #[serde(default)]
    last_sale_time: MaybeExact,
    #[serde(default)]
    last_updated: MaybeExact,
}

/// Best bid and ask of several shares.
pub(super) fn tops(question: &Question, body: &str) -> Result<Data, Rejection> {
    let rows: Vec<Top<'_>> = rows(body, "rows with symbol, bidPrice and askPrice")?;
    let quoted = rows.iter().map(|row| {
        let (last, bid, ask) = (row.last_sale_price.priced(), row.bid_price.priced(), row.ask_price.priced());
        let quote = Quote {
            last,
            last_size: sized(row.last_sale_size, last),
            bid,
            bid_size: sized(row.bid_size, bid),
            ask,
            ask_size: sized(row.ask_size, ask),
            event_time: last.and_then(|_| moment(row.last_sale_time)).or(moment(row.last_updated)),
            ..Quote::default()
        };
        Quoted { instrument: own(question, &row.symbol), quote: complete(quote) }
    });
    Ok(Data::Quotes(in_order(question, quoted.collect())))
}

#[derive(Deserialize)]
struct LastTrade<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    price: MaybeExact,
    #[serde(default)]
    size: MaybeExact,
    time: MaybeExact,
}

/// The venue's last trades of several shares.
pub(super) fn last_trades(question: &Question, body: &str) -> Result<Data, Rejection> {
    let rows: Vec<LastTrade<'_>> = rows(body, "rows with symbol, price and time")?;
    let quoted = rows.iter().map(|row| {
        let last = row.price.priced();
        let event_time = moment(row.time);
        let quote = Quote { last, last_size: sized(row.size, last), event_time, ..Quote::default() };
        Quoted { instrument: own(question, &row.symbol), quote: complete(quote) }
    });
    Ok(Data::Quotes(in_order(question, quoted.collect())))
}

/// Answers in the order of the question, with "no data" where the reply is silent; in the reply's order
/// where the question names none.
fn in_order(question: &Question, rows: Vec<Quoted>) -> Vec<Quoted> {
    let asked = question.instruments();
    if asked.is_empty() || asked.iter().any(is_unnamed) {
        return rows;
    }
    let found = |id: &InstrumentId| rows.iter().find(|row| row.instrument == *id).cloned();
    let silent = |id: &InstrumentId| Quoted { instrument: id.clone(), quote: Err(Rejection::NoData) };
    asked.iter().map(|id| found(id).unwrap_or_else(|| silent(id))).collect()
}
