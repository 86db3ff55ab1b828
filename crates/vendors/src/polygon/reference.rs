//! Trades, corporate actions, instruments, news and market status in Polygon's replies.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{
    ActionKind, CorporateAction, Date, Denomination, Instant, Instrument, InstrumentId, InstrumentKind,
    MarketPhase, MarketStatus, NewsItem, Ratio, Trade, Venue,
};
use serde::Deserialize;

use super::reply::{Reply, oldest_first, paged, parse, reply};
use super::symbols::{only, own, read};
use crate::number::MaybeExact;
use crate::{Data, Decoded, HttpRequest, Question, Rejection};

/// One execution, times in nanoseconds.
#[derive(Deserialize)]
struct TradeRow<'a> {
    price: MaybeExact,
    size: MaybeExact,
    sip_timestamp: MaybeExact,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(default)]
    conditions: Option<Vec<u32>>,
    #[serde(default)]
    exchange: Option<u32>,
}

/// Executions of one share.
pub(super) fn trades(question: &Question, sent: &HttpRequest, body: &str) -> Result<Decoded, Rejection> {
    const SHAPE: &str = "trades with price, size and sip_timestamp";
    let reply: Reply<'_, Vec<TradeRow<'_>>> = reply(body, SHAPE)?;
    let mut trades = Vec::new();
    for row in reply.results.as_deref().unwrap_or_default() {
        trades.push(Trade {
            at: row.sip_timestamp.nanos().ok_or(Rejection::unreadable(SHAPE))?,
            price: row.price.price().ok_or(Rejection::unreadable(SHAPE))?,
            size: row.size.size().ok_or(Rejection::unreadable(SHAPE))?,
            id: row.id.as_deref().map(Arc::from),
            conditions: row.conditions.iter().flatten().map(|code| code.to_string().into()).collect(),
            exchange: row.exchange.map(|code| code.to_string().into()),
        });
    }
    oldest_first(&mut trades, sent, |trade| trade.at);
    let segments = sent.segments();
    let id = only(question, segments.last().map(String::as_str));
    let wanted = match question {
        Question::Trades { limit, .. } => Some(*limit),
        _ => None,
    };
    paged(sent, &reply, Data::Trades(id, trades), wanted)
}

#[derive(Deserialize)]
struct SplitRow<'a> {
    #[serde(borrow)]
    ticker: Cow<'a, str>,
    #[serde(borrow)]
    execution_date: Cow<'a, str>,
    split_from: MaybeExact,
    split_to: MaybeExact,
}

/// Splits: 4-for-1 is from 1 to 4.
pub(super) fn splits(question: &Question, sent: &HttpRequest, body: &str) -> Result<Decoded, Rejection> {
    const SHAPE: &str = "splits with ticker, execution_date, split_from and split_to";
    let reply: Reply<'_, Vec<SplitRow<'_>>> = reply(body, SHAPE)?;
    let mut actions = Vec::new();
    for row in reply.results.as_deref().unwrap_or_default() {
        let ratio = row.split_to.0.zip(row.split_from.0).and_then(|(to, from)| Ratio::of(to, from));
        let new_per_old = ratio.filter(|ratio| ratio.is_positive()).ok_or(Rejection::unreadable(SHAPE))?;
        let ex_date = row.execution_date.parse().map_err(|_| Rejection::unreadable(SHAPE))?;
        let id = own(question, &row.ticker);
        actions.push(CorporateAction::new(id, ex_date, ActionKind::Split { new_per_old }));
    }
    oldest_first(&mut actions, sent, |action| action.ex_date);
    paged(sent, &reply, Data::Actions(actions), None)
}

#[derive(Deserialize)]
struct DividendRow<'a> {
    #[serde(borrow)]
    ticker: Cow<'a, str>,
    #[serde(borrow)]
    ex_dividend_date: Cow<'a, str>,
    cash_amount: MaybeExact,
    #[serde(borrow, default)]
    currency: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    declaration_date: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    record_date: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pay_date: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    dividend_type: Option<Cow<'a, str>>,
    /// The newer endpoint's word for it.
    #[serde(borrow, default)]
    distribution_type: Option<Cow<'a, str>>,
}

/// Cash dividends, as paid.
pub(super) fn dividends(question: &Question, sent: &HttpRequest, body: &str) -> Result<Decoded, Rejection> {
    const SHAPE: &str = "dividends with ticker, ex_dividend_date and cash_amount";
    let reply: Reply<'_, Vec<DividendRow<'_>>> = reply(body, SHAPE)?;
    let date = |text: &Option<Cow<'_, str>>| text.as_deref().and_then(|text| text.parse::<Date>().ok());
    let mut actions = Vec::new();
    for row in reply.results.as_deref().unwrap_or_default() {
        let amount = row.cash_amount.price().ok_or(Rejection::unreadable(SHAPE))?;
        let ex_date = row.ex_dividend_date.parse().map_err(|_| Rejection::unreadable(SHAPE))?;
        let denomination = row.currency.as_deref().and_then(currency);
        let kind = ActionKind::Dividend { amount, denomination };
        actions.push(CorporateAction {
            declared: date(&row.declaration_date),
            record: date(&row.record_date),
            payable: date(&row.pay_date),
            description: row.dividend_type.as_deref().or(row.distribution_type.as_deref()).map(Arc::from),
            ..CorporateAction::new(own(question, &row.ticker), ex_date, kind)
        });
    }
    oldest_first(&mut actions, sent, |action| action.ex_date);
    paged(sent, &reply, Data::Actions(actions), None)
}

/// A currency's code in either case; some rows of pairs carry a name instead.
fn currency(text: &str) -> Option<Denomination> {
    let is_code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_code { Denomination::parse(&text.to_ascii_uppercase()) } else { None }
}

#[derive(Deserialize)]
struct NewsRow<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    title: Cow<'a, str>,
    #[serde(borrow)]
    published_utc: Cow<'a, str>,
    #[serde(borrow, default)]
    article_url: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    description: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    publisher: Option<Publisher<'a>>,
    #[serde(borrow, default)]
    tickers: Option<Vec<Cow<'a, str>>>,
}

#[derive(Deserialize)]
struct Publisher<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
}

/// News, newest first.
pub(super) fn news(question: &Question, sent: &HttpRequest, body: &str) -> Result<Decoded, Rejection> {
    const SHAPE: &str = "news with title and published_utc";
    let reply: Reply<'_, Vec<NewsRow<'_>>> = reply(body, SHAPE)?;
    let mut items = Vec::new();
    for row in reply.results.as_deref().unwrap_or_default() {
        items.push(NewsItem {
            id: row.id.as_deref().map(Arc::from),
            published: Instant::parse(&row.published_utc).ok_or(Rejection::unreadable(SHAPE))?,
            headline: row.title.as_ref().into(),
            summary: row.description.as_deref().map(Arc::from),
            publisher: row.publisher.as_ref().and_then(|publisher| publisher.name.as_deref()).map(Arc::from),
            url: row.article_url.as_deref().map(Arc::from),
            instruments: row.tickers.iter().flatten().map(|ticker| own(question, ticker)).collect(),
        });
    }
    items.sort_by_key(|item| std::cmp::Reverse(item.published));
    let wanted = match question {
        Question::News { limit, .. } => Some(*limit),
        _ => None,
    };
    paged(sent, &reply, Data::News(items), wanted)
}

#[derive(Deserialize)]
struct TickerRow<'a> {
    #[serde(borrow)]
    ticker: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    market: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    primary_exchange: Option<Cow<'a, str>>,
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    currency_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    currency_symbol: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    base_currency_symbol: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    list_date: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    delisted_utc: Option<Cow<'a, str>>,
}

impl TickerRow<'_> {
    fn id(&self) -> InstrumentId {
        let id = read(&self.ticker);
        if let (Some(base), Some(quote)) = (&self.base_currency_symbol, &self.currency_symbol) {
            return InstrumentId::new(&format!("{base}/{quote}"), id.venue());
        }
        match self.primary_exchange.as_deref().and_then(Venue::new) {
            Some(venue) if id.venue() == Venue::US => InstrumentId::new(id.name(), venue),
            _ => id,
        }
    }

    fn kind(&self) -> InstrumentKind {
        match (self.market.as_deref(), self.kind.as_deref()) {
            (Some("indices"), _) => InstrumentKind::Index,
            (Some("fx"), _) => InstrumentKind::Fx,
            (Some("crypto"), _) => InstrumentKind::Crypto,
            (_, Some("CS" | "PFD" | "ADRC" | "ADRP" | "ADRR" | "OS" | "GDR" | "NYRS")) => {
                InstrumentKind::Equity
            }
            (_, Some("ETF" | "ETN" | "ETV" | "ETS")) => InstrumentKind::Etf,
            (_, Some("FUND")) => InstrumentKind::Fund,
            _ => InstrumentKind::Other,
        }
    }
}

/// Instruments of a list or a search, in the vendor's order.
pub(super) fn tickers(question: &Question, sent: &HttpRequest, body: &str) -> Result<Decoded, Rejection> {
    let reply: Reply<'_, Vec<TickerRow<'_>>> = reply(body, "tickers")?;
    let rows = reply.results.as_deref().unwrap_or_default().iter().map(|row| {
        let currency_text = row.currency_symbol.as_deref().or(row.currency_name.as_deref());
        Instrument {
            description: row.name.as_deref().map(Arc::from),
            denomination: currency_text.and_then(currency),
            listed: row.list_date.as_deref().and_then(|text| text.parse().ok()),
            delisted: row.delisted_utc.as_deref().and_then(|text| text.get(..10)?.parse().ok()),
            vendor_symbol: Some(row.ticker.as_ref().into()),
            ..Instrument::new(row.id(), row.kind())
        }
    });
    let instruments = rows.collect();
    let wanted = match question {
        Question::Search { limit, .. } => Some(*limit),
        _ => None,
    };
    paged(sent, &reply, Data::Instruments(instruments), wanted)
}

#[derive(Deserialize)]
struct StatusNow<'a> {
    #[serde(borrow)]
    market: Cow<'a, str>,
    #[serde(rename = "serverTime", borrow)]
    server_time: Cow<'a, str>,
    #[serde(borrow, default)]
    exchanges: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
}

/// The shares' markets; currencies and coins, which have no hours, are left to those who trade them.
pub(super) fn market_status(body: &str) -> Result<Data, Rejection> {
    const SHAPE: &str = "market and serverTime";
    let now: StatusNow<'_> = parse(body, SHAPE)?;
    let at = Instant::parse(&now.server_time).ok_or(Rejection::unreadable(SHAPE))?;
    let status = |market: &str, word: &str| {
        let phase = match word {
            "open" => MarketPhase::Open,
            "closed" => MarketPhase::Closed,
            "extended-hours" => MarketPhase::Extended,
            _ => return Err(Rejection::unreadable("open, closed or extended-hours")),
        };
        Ok(MarketStatus { market: market.into(), phase, at: Some(at), holiday: None })
    };
    let mut markets = vec![status("US", &now.market)?];
    for (exchange, word) in &now.exchanges {
        markets.push(status(exchange, word)?);
    }
    Ok(Data::MarketStatus(markets))
}
