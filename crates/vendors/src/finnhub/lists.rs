//! Splits, dividends, news, search, symbols and market status.

use std::borrow::Cow;
use std::sync::Arc;

use domain::{
    ActionKind, CorporateAction, Date, Denomination, Instant, Instrument, InstrumentId, InstrumentKind,
    MarketPhase, MarketStatus, NewsItem, Unit, Venue,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::request::{read_symbol, spell};
use crate::local_time::local;
use crate::number::{Exact, counts, new_per_old, nullable};
use crate::symbol::{is_unnamed, venue_of_mic};
use crate::{Data, Rejection};

type Text<'a> = Option<Cow<'a, str>>;

#[derive(Deserialize)]
struct Split<'a> {
    #[serde(borrow, default)]
    symbol: Text<'a>,
    date: &'a str,
    #[serde(rename = "fromFactor")]
    from_factor: Exact,
    #[serde(rename = "toFactor")]
    to_factor: Exact,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dividend<'a> {
    #[serde(borrow, default)]
    symbol: Text<'a>,
    date: &'a str,
    amount: Exact,
    #[serde(default)]
    pay_date: Option<&'a str>,
    #[serde(default)]
    record_date: Option<&'a str>,
    #[serde(default)]
    declaration_date: Option<&'a str>,
    #[serde(default)]
    currency: Option<&'a str>,
}

#[derive(Deserialize)]
struct News<'a> {
    id: i64,
    datetime: i64,
    #[serde(borrow)]
    headline: Cow<'a, str>,
    #[serde(borrow, default)]
    summary: Text<'a>,
    #[serde(borrow, default)]
    source: Text<'a>,
    #[serde(borrow, default)]
    url: Text<'a>,
    #[serde(borrow, default)]
    related: Text<'a>,
}

#[derive(Deserialize)]
struct Listing<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow, default)]
    description: Text<'a>,
    #[serde(borrow, default)]
    currency: Text<'a>,
    #[serde(borrow, default)]
    mic: Text<'a>,
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
}

#[derive(Deserialize)]
struct Search<'a> {
    #[serde(borrow)]
    result: Vec<Listing<'a>>,
}

#[derive(Deserialize)]
struct Market<'a> {
    #[serde(borrow)]
    exchange: Cow<'a, str>,
    #[serde(borrow, default)]
    holiday: Text<'a>,
    #[serde(rename = "isOpen")]
    is_open: bool,
    #[serde(borrow, deserialize_with = "nullable")]
    session: Option<&'a str>,
    t: i64,
}

fn rows<'a, T: Deserialize<'a>>(body: &'a [u8], expected: &'static str) -> Result<Vec<T>, Rejection> {
    let rows: Vec<T> = serde_json::from_slice(body).map_err(|_| Rejection::unreadable(expected))?;
    if rows.is_empty() { Err(Rejection::NoData) } else { Ok(rows) }
}

/// The instrument of the question, else the one the row names.
fn named(asked: &InstrumentId, symbol: &Text<'_>) -> InstrumentId {
    match symbol {
        Some(symbol) if is_unnamed(asked) => read_symbol(symbol),
        _ => asked.clone(),
    }
}

fn date(text: &str) -> Result<Date, Rejection> {
    local(text).map(|(at, _)| at.date()).ok_or(Rejection::unreadable("date of a corporate action"))
}

/// A date that may be missing or empty.
fn date_if_any(text: Option<&str>) -> Result<Option<Date>, Rejection> {
    text.filter(|text| !text.is_empty()).map(date).transpose()
}

fn in_order(mut actions: Vec<CorporateAction>) -> Data {
    actions.sort_by_key(|action| action.ex_date);
    Data::Actions(actions)
}

/// Reads splits.
pub(super) fn decode_splits(asked: &InstrumentId, body: &[u8]) -> Result<Data, Rejection> {
    let action = |row: Split<'_>| {
        let new_per_old = new_per_old(row.to_factor, row.from_factor)
            .ok_or(Rejection::unreadable("factors of a split above zero"))?;
        let kind = ActionKind::Split { new_per_old };
        Ok(CorporateAction::new(named(asked, &row.symbol), date(row.date)?, kind))
    };
    let rows = rows::<Split<'_>>(body, "date and factors of splits")?;
    rows.into_iter().map(action).collect::<Result<_, Rejection>>().map(in_order)
}

/// Reads dividends.
pub(super) fn decode_dividends(asked: &InstrumentId, body: &[u8]) -> Result<Data, Rejection> {
    let action = |row: Dividend<'_>| {
        let denomination = row.currency.and_then(Denomination::parse);
        let kind = ActionKind::Dividend { amount: row.amount.price(), denomination };
        let mut action = CorporateAction::new(named(asked, &row.symbol), date(row.date)?, kind);
        action.payable = date_if_any(row.pay_date)?;
        action.record = date_if_any(row.record_date)?;
        action.declared = date_if_any(row.declaration_date)?;
        Ok(action)
    };
    let rows = rows::<Dividend<'_>>(body, "date and amount of dividends")?;
    rows.into_iter().map(action).collect::<Result<_, Rejection>>().map(in_order)
}

/// Text that is there and not empty.
fn text(field: &Text<'_>) -> Option<Arc<str>> {
    field.as_deref().filter(|text| !text.is_empty()).map(Arc::from)
}

/// Reads news, the newest `limit` of them.
pub(super) fn decode_news(limit: u32, body: &[u8]) -> Result<Data, Rejection> {
    let item = |row: News<'_>| NewsItem {
        id: Some(Arc::from(row.id.to_string())),
        published: Instant::from_secs(row.datetime),
        headline: Arc::from(&*row.headline),
        summary: text(&row.summary),
        publisher: text(&row.source),
        url: text(&row.url),
        instruments: row
            .related
            .iter()
            .flat_map(|related| related.split(','))
            .filter(|symbol| !symbol.is_empty())
            .map(read_symbol)
            .collect(),
    };
    let rows = rows::<News<'_>>(body, "id, datetime and headline of news")?;
    let mut news: Vec<NewsItem> = rows.into_iter().map(item).collect();
    news.sort_by_key(|item| std::cmp::Reverse(item.published));
    news.truncate(limit as usize);
    Ok(Data::News(news))
}

/// Words of the vendor for kinds of instruments.
const KINDS: [(&str, InstrumentKind); 8] = [
    ("Common Stock", InstrumentKind::Equity),
    ("ADR", InstrumentKind::Equity),
    ("REIT", InstrumentKind::Equity),
    ("Preference", InstrumentKind::Equity),
    ("ETP", InstrumentKind::Etf),
    ("ETF", InstrumentKind::Etf),
    ("Open-End Fund", InstrumentKind::Fund),
    ("Closed-End Fund", InstrumentKind::Fund),
];

fn instruments(rows: Vec<Listing<'_>>) -> Data {
    let instrument = |row: Listing<'_>| {
        let mut id = read_symbol(&row.symbol);
        if let Some(venue) = row.mic.as_deref().filter(|mic| !mic.is_empty()).and_then(venue_of_mic)
            && id.venue() == Venue::US
        {
            id = InstrumentId::new(id.name(), venue);
        }
        let kind = KINDS.iter().find(|(word, _)| row.kind.as_deref() == Some(word));
        Instrument {
            description: text(&row.description),
            denomination: row.currency.as_deref().and_then(Denomination::parse),
            vendor_symbol: Some(Arc::from(&*row.symbol)),
            ..Instrument::new(id, kind.map_or(InstrumentKind::Other, |(_, kind)| *kind))
        }
    };
    Data::Instruments(rows.into_iter().map(instrument).collect())
}

/// Reads the matches of a search, the best `limit` of them.
pub(super) fn decode_search(limit: u32, body: &[u8]) -> Result<Data, Rejection> {
    let mut reply: Search<'_> =
        serde_json::from_slice(body).map_err(|_| Rejection::unreadable("`result` of a search"))?;
    reply.result.truncate(limit as usize);
    if reply.result.is_empty() { Err(Rejection::NoData) } else { Ok(instruments(reply.result)) }
}

/// Reads the list of symbols.
pub(super) fn decode_symbols(body: &[u8]) -> Result<Data, Rejection> {
    rows::<Listing<'_>>(body, "a list of symbols").map(instruments)
}

/// Reads the status of a market.
pub(super) fn decode_market_status(body: &[u8]) -> Result<Data, Rejection> {
    let row: Market<'_> = serde_json::from_slice(body)
        .map_err(|_| Rejection::unreadable("isOpen, session and t of a market"))?;
    let phase = match (row.is_open, row.session) {
        (true, _) => MarketPhase::Open,
        (false, Some("pre-market")) => MarketPhase::PreMarket,
        (false, Some("post-market")) => MarketPhase::AfterHours,
        (false, _) => MarketPhase::Closed,
    };
    Ok(Data::MarketStatus(vec![MarketStatus {
        market: Arc::from(&*row.exchange),
        phase,
        at: Some(Instant::from_secs(row.t)),
        holiday: text(&row.holiday),
    }]))
}

fn exact(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

fn symbol_of(id: &InstrumentId) -> String {
    spell(id).unwrap_or_else(|| id.name().to_owned())
}

/// The vendor's code of a currency, pence included.
fn code_of(denomination: Option<Denomination>) -> Option<String> {
    let denomination = denomination?;
    let code = denomination.currency.as_str();
    Some(match (denomination.unit, code) {
        (Unit::Minor, "GBP") => "GBp".to_owned(),
        (Unit::Major | Unit::Minor, code) => code.to_owned(),
    })
}

/// Words splits or dividends, newest first.
pub(super) fn encode_actions(actions: &[CorporateAction]) -> String {
    let text = |date: Option<Date>| date.map_or_else(String::new, |date| date.to_string());
    let row = |action: &CorporateAction| match &action.kind {
        ActionKind::Split { new_per_old } => {
            let (new, old) = counts(*new_per_old);
            Some(json!({
                "symbol": symbol_of(&action.instrument),
                "date": action.ex_date.to_string(),
                "fromFactor": exact(old.to_string()),
                "toFactor": exact(new.to_string()),
            }))
        }
        ActionKind::Dividend { amount, denomination } => Some(json!({
            "symbol": symbol_of(&action.instrument),
            "date": action.ex_date.to_string(),
            "amount": exact(amount.to_string()),
            "adjustedAmount": exact(amount.to_string()),
            "payDate": text(action.payable),
            "recordDate": text(action.record),
            "declarationDate": text(action.declared),
            "currency": code_of(*denomination),
        })),
        ActionKind::Rename { .. } | ActionKind::Merger { .. } => None,
    };
    Value::from(actions.iter().rev().filter_map(row).collect::<Vec<_>>()).to_string()
}

/// Words news, newest first.
pub(super) fn encode_news(news: &[NewsItem]) -> String {
    let row = |item: &NewsItem| {
        let related: Vec<String> = item.instruments.iter().map(symbol_of).collect();
        json!({
            "category": "company",
            "datetime": item.published.as_secs(),
            "headline": &*item.headline,
            "id": item.id.as_deref().and_then(|id| id.parse::<i64>().ok()).unwrap_or(0),
            "image": "",
            "related": related.join(","),
            "source": item.publisher.as_deref().unwrap_or_default(),
            "summary": item.summary.as_deref().unwrap_or_default(),
            "url": item.url.as_deref().unwrap_or_default(),
        })
    };
    Value::from(news.iter().map(row).collect::<Vec<_>>()).to_string()
}

/// Words a list of instruments as a search or as the list of symbols.
pub(super) fn encode_instruments(instruments: &[Instrument], path: &str) -> String {
    let is_search = path == "/search";
    let row = |instrument: &Instrument| {
        let symbol = symbol_of(&instrument.id);
        let word = KINDS.iter().find(|(_, kind)| *kind == instrument.kind).map_or("", |(word, _)| *word);
        let mut row = json!({
            "description": instrument.description.as_deref().unwrap_or_default(),
            "displaySymbol": &symbol,
            "symbol": &symbol,
            "type": word,
        });
        if !is_search {
            let venue = instrument.id.venue();
            row["mic"] = if venue == Venue::US { "".into() } else { venue.as_str().into() };
            row["currency"] = code_of(instrument.denomination).into();
        }
        row
    };
    let rows: Vec<Value> = instruments.iter().map(row).collect();
    if is_search {
        json!({"count": rows.len(), "result": rows}).to_string()
    } else {
        Value::from(rows).to_string()
    }
}

/// Words the status of a market.
pub(super) fn encode_market_status(markets: &[MarketStatus], now: Instant) -> String {
    let Some(status) = markets.first() else { return "{}".to_owned() };
    let session = match status.phase {
        MarketPhase::Open => Some("regular"),
        MarketPhase::PreMarket => Some("pre-market"),
        MarketPhase::AfterHours => Some("post-market"),
        MarketPhase::Extended | MarketPhase::Break | MarketPhase::Closed => None,
    };
    json!({
        "exchange": "US",
        "holiday": status.holiday.as_deref(),
        "isOpen": status.phase == MarketPhase::Open,
        "session": session,
        "t": status.at.unwrap_or(now).as_secs(),
        "timezone": "America/New_York",
    })
    .to_string()
}
