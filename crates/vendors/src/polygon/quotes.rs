//! Quotes in Polygon's replies: `P` and `S` are the ask, `p` and `s` the bid.

use std::borrow::Cow;
use std::time::Duration;

use domain::{InstrumentId, Price, Quote, Size, number::Decimal};
use serde::Deserialize;

use super::reply::{Reply, accept, oldest_first, paged, parse, reply, stated_delay};
use super::symbols::{is_share, only, own};
use crate::number::MaybeExact;
use crate::symbol::is_unnamed;
use crate::{Data, Decoded, HttpRequest, Question, Quoted, Rejection};

/// Shares in a round lot.
pub(super) const LOT: Decimal = Decimal::ONE_HUNDRED;

/// One execution, `t` in nanoseconds.
#[derive(Deserialize)]
struct LastTrade<'a> {
    #[serde(rename = "T", borrow, default)]
    ticker: Option<Cow<'a, str>>,
    p: MaybeExact,
    #[serde(default)]
    s: MaybeExact,
    t: MaybeExact,
}

/// Best bid and ask, `t` in nanoseconds.
#[derive(Deserialize)]
struct LastQuote<'a> {
    #[serde(rename = "T", borrow, default)]
    ticker: Option<Cow<'a, str>>,
    #[serde(rename = "P")]
    ask: MaybeExact,
    #[serde(rename = "S", default)]
    ask_lots: MaybeExact,
    #[serde(rename = "p")]
    bid: MaybeExact,
    #[serde(rename = "s", default)]
    bid_lots: MaybeExact,
    t: MaybeExact,
}

/// Units of a size in round lots, next to its price; none where there is no price.
fn lots(size: MaybeExact, price: Option<Price>, id: &InstrumentId) -> Option<Size> {
    let lot = if is_share(id) { LOT } else { Decimal::ONE };
    price.and_then(|_| size.0?.checked_mul(lot)).map(Size::new)
}

fn one(id: InstrumentId, quote: Quote) -> Result<Data, Rejection> {
    if quote.last.is_none() && quote.bid.is_none() && quote.ask.is_none() {
        return Err(Rejection::NoData);
    }
    Ok(Data::Quotes(vec![Quoted { instrument: id, quote: Ok(quote) }]))
}

/// The last trade of one share.
pub(super) fn last_trade(question: &Question, body: &str) -> Result<Data, Rejection> {
    const SHAPE: &str = "a last trade with p and t";
    let reply: Reply<'_, LastTrade<'_>> = reply(body, SHAPE)?;
    let delay = reply.stated_delay();
    let trade = reply.results.ok_or(Rejection::NoData)?;
    let last = trade.p.priced().ok_or(Rejection::NoData)?;
    one(
        only(question, trade.ticker.as_deref()),
        Quote {
            last: Some(last),
            last_size: trade.s.size(),
            event_time: Some(trade.t.nanos().ok_or(Rejection::unreadable(SHAPE))?),
            stated_delay: delay,
            ..Quote::default()
        },
    )
}

/// The best bid and ask of one share.
pub(super) fn last_quote(question: &Question, body: &str) -> Result<Data, Rejection> {
    const SHAPE: &str = "a last quote with p, P and t";
    let reply: Reply<'_, LastQuote<'_>> = reply(body, SHAPE)?;
    let delay = reply.stated_delay();
    let quote = reply.results.ok_or(Rejection::NoData)?;
    let id = only(question, quote.ticker.as_deref());
    let (bid, ask) = (quote.bid.priced(), quote.ask.priced());
    let quote = Quote {
        bid,
        bid_size: lots(quote.bid_lots, bid, &id),
        ask,
        ask_size: lots(quote.ask_lots, ask, &id),
        event_time: Some(quote.t.nanos().ok_or(Rejection::unreadable(SHAPE))?),
        stated_delay: delay,
        ..Quote::default()
    };
    one(id, quote)
}

/// One state of bid and ask in a history.
#[derive(Deserialize)]
struct PastQuote {
    bid_price: MaybeExact,
    #[serde(default)]
    bid_size: MaybeExact,
    ask_price: MaybeExact,
    #[serde(default)]
    ask_size: MaybeExact,
    sip_timestamp: MaybeExact,
}

/// A history of bid and ask.
pub(super) fn history(question: &Question, sent: &HttpRequest, body: &str) -> Result<Decoded, Rejection> {
    const SHAPE: &str = "quotes with bid_price, ask_price and sip_timestamp";
    let reply: Reply<'_, Vec<PastQuote>> = reply(body, SHAPE)?;
    let segments = sent.segments();
    let id = only(question, segments.last().map(String::as_str));
    let mut quotes = Vec::new();
    for row in reply.results.as_deref().unwrap_or_default() {
        let (bid, ask) = (row.bid_price.priced(), row.ask_price.priced());
        let quote = Quote {
            bid,
            bid_size: lots(row.bid_size, bid, &id),
            ask,
            ask_size: lots(row.ask_size, ask, &id),
            event_time: Some(row.sip_timestamp.nanos().ok_or(Rejection::unreadable(SHAPE))?),
            stated_delay: reply.stated_delay(),
            ..Quote::default()
        };
        quotes.push((quote.event_time, Quoted { instrument: id.clone(), quote: Ok(quote) }));
    }
    oldest_first(&mut quotes, sent, |(at, _)| *at);
    paged(sent, &reply, Data::Quotes(quotes.into_iter().map(|(_, quoted)| quoted).collect()), None)
}

/// Prices of one day so far, or of the day before.
#[derive(Default, Deserialize)]
struct Day {
    #[serde(default)]
    o: MaybeExact,
    #[serde(default)]
    h: MaybeExact,
    #[serde(default)]
    l: MaybeExact,
    #[serde(default)]
    c: MaybeExact,
    #[serde(default)]
    v: MaybeExact,
}

/// All that is known of one share now. Cleared at 03:30 in New York; before the first trade `day` is absent
/// or zero.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Snapshot<'a> {
    #[serde(borrow)]
    ticker: Cow<'a, str>,
    #[serde(default)]
    day: Option<Day>,
    #[serde(default)]
    prev_day: Option<Day>,
    #[serde(borrow, default)]
    last_trade: Option<LastTrade<'a>>,
    #[serde(borrow, default)]
    last_quote: Option<LastQuote<'a>>,
    /// Nanoseconds.
    #[serde(default)]
    updated: MaybeExact,
}

const SNAPSHOT: &str = "a snapshot with its ticker";

impl Snapshot<'_> {
    fn quote(&self, id: &InstrumentId, stated_delay: Option<Duration>) -> Result<Quote, Rejection> {
        let mut quote = Quote { stated_delay, ..Quote::default() };
        if let Some(trade) = &self.last_trade {
            quote.last = trade.p.priced();
            quote.last_size = quote.last.and_then(|_| trade.s.size());
            quote.event_time = quote.last.and_then(|_| trade.t.nanos());
        }
        if let Some(best) = &self.last_quote {
            quote.bid = best.bid.priced();
            quote.bid_size = lots(best.bid_lots, quote.bid, id);
            quote.ask = best.ask.priced();
            quote.ask_size = lots(best.ask_lots, quote.ask, id);
            quote.event_time = quote.event_time.or(best.t.nanos());
        }
        if let Some(day) = self.day.as_ref().filter(|day| day.o.priced().is_some()) {
            quote.open = day.o.priced();
            quote.high = day.h.priced();
            quote.low = day.l.priced();
            quote.volume = day.v.size();
            // Plans without trades see the day only.
            quote.last = quote.last.or(day.c.priced());
        }
        quote.previous_close = self.prev_day.as_ref().and_then(|day| day.c.priced());
        quote.event_time = quote.event_time.or(self.updated.nanos().filter(|at| at.as_nanos() > 0));
        if quote.last.is_none() && quote.bid.is_none() && quote.ask.is_none() {
            return Err(Rejection::NoData);
        }
        Ok(quote)
    }
}

/// The reply that holds one snapshot.
#[derive(Deserialize)]
struct OneSnapshot<'a> {
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    ticker: Option<Snapshot<'a>>,
}

/// The snapshot of one share.
pub(super) fn snapshot(question: &Question, body: &str) -> Result<Data, Rejection> {
    let reply: OneSnapshot<'_> = parse(body, SNAPSHOT)?;
    accept(reply.status.as_deref(), body)?;
    let snapshot = reply.ticker.ok_or(Rejection::NoData)?;
    let id = only(question, Some(&snapshot.ticker));
    let quote = snapshot.quote(&id, stated_delay(reply.status.as_deref()))?;
    one(id, quote)
}

/// The reply that holds several snapshots.
#[derive(Deserialize)]
struct ManySnapshots<'a> {
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tickers: Option<Vec<Snapshot<'a>>>,
}

/// Snapshots of several shares; those without one are left out by the vendor.
pub(super) fn snapshots(question: &Question, body: &str) -> Result<Data, Rejection> {
    let reply: ManySnapshots<'_> = parse(body, SNAPSHOT)?;
    accept(reply.status.as_deref(), body)?;
    let delay = stated_delay(reply.status.as_deref());
    let rows = reply.tickers.unwrap_or_default().into_iter().map(|snapshot| {
        let instrument = own(question, &snapshot.ticker);
        let quote = snapshot.quote(&instrument, delay);
        Quoted { instrument, quote }
    });
    let quotes = in_order(question, rows.collect());
    if quotes.is_empty() { Err(Rejection::NoData) } else { Ok(Data::Quotes(quotes)) }
}

/// One row of the snapshot of all kinds of instruments.
#[derive(Deserialize)]
struct Unified<'a> {
    #[serde(borrow)]
    ticker: Cow<'a, str>,
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
    /// An index has a value instead of trades.
    #[serde(default)]
    value: MaybeExact,
    #[serde(borrow, default)]
    last_trade: Option<UnifiedTrade<'a>>,
    #[serde(borrow, default)]
    last_quote: Option<UnifiedQuote<'a>>,
    #[serde(default)]
    session: Option<UnifiedSession>,
    /// Nanoseconds.
    #[serde(default)]
    last_updated: MaybeExact,
    #[serde(borrow, default)]
    timeframe: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct UnifiedTrade<'a> {
    price: MaybeExact,
    #[serde(default)]
    size: MaybeExact,
    #[serde(default)]
    sip_timestamp: MaybeExact,
    /// In place of the former outside of shares.
    #[serde(default)]
    participant_timestamp: MaybeExact,
    #[serde(default)]
    last_updated: MaybeExact,
    #[serde(borrow, default)]
    timeframe: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct UnifiedQuote<'a> {
    bid: MaybeExact,
    #[serde(default)]
    bid_size: MaybeExact,
    ask: MaybeExact,
    #[serde(default)]
    ask_size: MaybeExact,
    #[serde(default)]
    last_updated: MaybeExact,
    #[serde(borrow, default)]
    timeframe: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct UnifiedSession {
    #[serde(default)]
    open: MaybeExact,
    #[serde(default)]
    high: MaybeExact,
    #[serde(default)]
    low: MaybeExact,
    #[serde(default)]
    previous_close: MaybeExact,
    #[serde(default)]
    volume: MaybeExact,
}

impl Unified<'_> {
    fn quote(&self, id: &InstrumentId) -> Result<Quote, Rejection> {
        match self.error.as_deref() {
            None => {}
            Some("NOT_FOUND") => return Err(Rejection::UnknownSymbol),
            Some("NOT_ENTITLED" | "NOT_AUTHORIZED") => return Err(Rejection::NotEntitled),
            Some(_) => return Err(Rejection::VendorFault { status: 200 }),
        }
        let mut quote = Quote::default();
        let mut timeframes = vec![self.timeframe.as_deref()];
        if let Some(trade) = &self.last_trade {
            quote.last = trade.price.priced();
            quote.last_size = quote.last.and_then(|_| trade.size.size());
            let stamps = [trade.sip_timestamp, trade.participant_timestamp, trade.last_updated];
            quote.event_time = stamps.into_iter().find_map(MaybeExact::nanos);
            timeframes.push(trade.timeframe.as_deref());
        }
        if let Some(best) = &self.last_quote {
            quote.bid = best.bid.priced();
            quote.bid_size = lots(best.bid_size, quote.bid, id);
            quote.ask = best.ask.priced();
            quote.ask_size = lots(best.ask_size, quote.ask, id);
            quote.event_time = quote.event_time.or(best.last_updated.nanos());
            timeframes.push(best.timeframe.as_deref());
        }
        if let Some(session) = self.session.as_ref() {
            quote.previous_close = session.previous_close.priced();
            if let Some(open) = session.open.priced() {
                quote.open = Some(open);
                quote.high = session.high.priced();
                quote.low = session.low.priced();
                quote.volume = session.volume.size();
            }
        }
        quote.last = quote.last.or(self.value.priced());
        quote.event_time = quote.event_time.or(self.last_updated.nanos());
        quote.stated_delay = timeframes.into_iter().find_map(stated_delay);
        if quote.last.is_none() && quote.bid.is_none() && quote.ask.is_none() {
            return Err(Rejection::NoData);
        }
        Ok(quote)
    }
}

/// Snapshots of instruments of any kind; an unknown one is a row of its own.
pub(super) fn unified(question: &Question, sent: &HttpRequest, body: &str) -> Result<Decoded, Rejection> {
    let reply: Reply<'_, Vec<Unified<'_>>> = reply(body, SNAPSHOT)?;
    let delay = reply.stated_delay();
    let rows = reply.results.as_deref().unwrap_or_default().iter().map(|row| {
        let instrument = own(question, &row.ticker);
        let mut quote = row.quote(&instrument);
        if let Ok(quote) = &mut quote {
            quote.stated_delay = quote.stated_delay.or(delay);
        }
        Quoted { instrument, quote }
    });
    let quotes = in_order(question, rows.collect());
    paged(sent, &reply, Data::Quotes(quotes), None)
}

/// Answers in the order of the question, with "no data" where the reply is silent about an instrument; in the
/// reply's order where the question names none.
fn in_order(question: &Question, rows: Vec<Quoted>) -> Vec<Quoted> {
    let asked = question.instruments();
    if asked.is_empty() || asked.iter().all(is_unnamed) || rows.is_empty() {
        return rows;
    }
    let silent = |id: &InstrumentId| Quoted { instrument: id.clone(), quote: Err(Rejection::NoData) };
    asked
        .iter()
        .map(|id| rows.iter().find(|row| row.instrument == *id).cloned().unwrap_or_else(|| silent(id)))
        .collect()
}
