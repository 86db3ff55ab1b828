//! `/stock/tick`: the trades of a day, page by page.

use std::sync::Arc;

use domain::{Instant, InstrumentId, Price, Range, Size, Trade};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::request::{MOST_TRADES, spell};
use crate::local_time::{local, local_date};
use crate::number::Cells;
use crate::symbol::given;
use crate::{Data, Decoded, HttpRequest, Rejection};

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    p: &'a RawValue,
    #[serde(borrow)]
    v: &'a RawValue,
    #[serde(borrow)]
    t: &'a RawValue,
    #[serde(borrow, default)]
    x: Option<Vec<Option<&'a str>>>,
    #[serde(borrow, default)]
    c: Option<Vec<Option<Vec<&'a str>>>>,
    #[serde(default)]
    skip: u64,
    count: u64,
    total: u64,
}

/// Reads a page of trades; the next page is the rest of the day, or the day after.
pub(super) fn decode(
    asked: &InstrumentId,
    range: Range,
    limit: u32,
    sent: &HttpRequest,
    body: &[u8],
) -> Result<Decoded, Rejection> {
    let reply: Reply<'_> =
        serde_json::from_slice(body).map_err(|_| Rejection::unreadable("p v t count total of trades"))?;
    let column = |array| Cells::of(array).collect::<Result<Vec<_>, _>>();
    let (prices, sizes, times) = (column(reply.p)?, column(reply.v)?, column(reply.t)?);
    if prices.len() != times.len() || sizes.len() != times.len() || reply.count != times.len() as u64 {
        return Err(Rejection::unreadable("columns of one length"));
    }
    let unreadable = Rejection::unreadable("price, size and time of a trade");
    let mut trades = Vec::with_capacity(times.len());
    for (index, ((price, size), time)) in prices.into_iter().zip(sizes).zip(times).enumerate() {
        let millis = time.filter(|t| t.is_integer()).and_then(|t| i64::try_from(t).ok());
        let (Some(price), Some(size), Some(millis)) = (price, size, millis) else { return Err(unreadable) };
        let conditions = reply.c.as_ref().and_then(|all| all.get(index)?.as_ref());
        trades.push(Trade {
            at: Instant::from_millis(millis),
            price: Price::new(price),
            size: Size::new(size),
            id: None,
            conditions: conditions.into_iter().flatten().map(|code| Arc::from(*code)).collect(),
            exchange: reply.x.as_ref().and_then(|all| all.get(index).copied().flatten()).map(Arc::from),
        });
    }
    trades.sort_by_key(|trade| trade.at);
    let read = reply.skip.saturating_add(reply.count);
    let is_day_over = read >= reply.total || reply.count == 0;
    let next = if is_day_over { day_after(range, sent) } else { Some(page_at(sent, read, None)) };
    match next.filter(|_| read < u64::from(limit)) {
        Some(next) => Ok(Decoded::Page { data: Data::Trades(asked.clone(), trades), next }),
        None if trades.is_empty() => Err(Rejection::NoData),
        None => Ok(Decoded::Whole(Data::Trades(asked.clone(), trades))),
    }
}

/// The same request from another row, perhaps of another day.
fn page_at(sent: &HttpRequest, skip: u64, date: Option<String>) -> HttpRequest {
    let mut request = sent.clone();
    let mut set = |name: &str, value: String| {
        request.query.retain(|(n, _)| n != name);
        request.query.push((name.to_owned(), value));
    };
    set("skip", skip.to_string());
    if let Some(date) = date {
        set("date", date);
    }
    request
}

/// The request for the next day, if the range reaches into it.
fn day_after(range: Range, sent: &HttpRequest) -> Option<HttpRequest> {
    let (day, _) = local(given(sent.param("date"))?)?;
    let last_instant = Instant::from_nanos(range.end.as_nanos().saturating_sub(1));
    let next = day.date().tomorrow().ok()?;
    (next <= local_date(last_instant, "America/New_York")).then(|| page_at(sent, 0, Some(next.to_string())))
}

/// Words a page of trades as `limit` and `skip` of the request ask.
pub(super) fn encode(id: &InstrumentId, trades: &[Trade], request: &HttpRequest) -> String {
    let number = |name: &str| given(request.param(name)).and_then(|text| text.parse::<usize>().ok());
    let (skip, limit) = (number("skip").unwrap_or(0), number("limit").unwrap_or(MOST_TRADES as usize));
    let page: Vec<&Trade> = trades.iter().skip(skip).take(limit).collect();
    let exact = |text: String| serde_json::from_str::<Value>(&text).unwrap_or(Value::Null);
    let column = |cell: &dyn Fn(&Trade) -> Value| page.iter().map(|trade| cell(trade)).collect::<Vec<_>>();
    json!({
        "s": spell(id),
        "skip": skip,
        "count": page.len(),
        "total": trades.len(),
        "p": column(&|trade| exact(trade.price.to_string())),
        "v": column(&|trade| exact(trade.size.to_string())),
        "t": column(&|trade| trade.at.as_millis().into()),
        "x": column(&|trade| trade.exchange.as_deref().into()),
        "c": column(&|trade| trade.conditions.iter().map(|code| code.to_string()).collect::<Vec<_>>().into()),
    })
    .to_string()
}
