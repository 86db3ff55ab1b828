//! Quotes with bid and ask, search and news.

use std::time::Duration;

use domain::{
    Denomination, Instant, Instrument, InstrumentId, MarketPhase, NewsItem, Quote, Ratio, Size,
    number::Decimal,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{refusal, symbol};
use crate::body::without_mark;
use crate::local_time::Zone;
use crate::number::Exact;
use crate::{HttpResponse, Quoted, Rejection};

/// Shares in a lot of an American quote.
pub(super) const LOT: Decimal = Decimal::ONE_HUNDRED;
/// The `market` whose sizes count lots.
pub(super) const AMERICAN: &str = "us_market";

fn parse<T: DeserializeOwned>(response: &HttpResponse, expected: &'static str) -> Result<T, Rejection> {
    let body = without_mark(&response.body);
    if let Some(rejection) = refusal::inside(response.status, body) {
        return Err(rejection);
    }
    serde_json::from_slice(body).map_err(|_| Rejection::unreadable(expected))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QuoteReply {
    quote_response: QuoteList,
}

#[derive(Deserialize)]
struct QuoteList {
    result: Option<Vec<Row>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    symbol: String,
    exchange: Option<String>,
    market: Option<String>,
    currency: Option<String>,
    exchange_timezone_name: Option<String>,
    market_state: Option<String>,
    exchange_data_delayed_by: Option<u64>,
    regular_market_time: Option<i64>,
    regular_market_price: Option<Exact>,
    regular_market_open: Option<Exact>,
    regular_market_day_high: Option<Exact>,
    regular_market_day_low: Option<Exact>,
    regular_market_previous_close: Option<Exact>,
    regular_market_volume: Option<Exact>,
    bid: Option<Exact>,
    ask: Option<Exact>,
    bid_size: Option<Exact>,
    ask_size: Option<Exact>,
}

/// Phases and the `marketState` of each, the one written first.
pub(super) const PHASES: &[(&str, MarketPhase)] = &[
    ("PRE", MarketPhase::PreMarket),
    ("REGULAR", MarketPhase::Open),
    ("POST", MarketPhase::AfterHours),
    ("CLOSED", MarketPhase::Closed),
    ("PREPRE", MarketPhase::Closed),
    ("POSTPOST", MarketPhase::Closed),
];

impl Row {
    fn quote(&self) -> Result<Quote, Rejection> {
        let prices = [self.regular_market_price, self.bid, self.ask];
        if !prices.iter().flatten().any(|price| price.price().is_positive()) {
            return Err(Rejection::NoData);
        }
        let units = if self.market.as_deref() == Some(AMERICAN) { Ratio::new(LOT) } else { Ratio::ONE };
        let size = |lots: Option<Exact>| lots.map(|lots| Size::new(lots.0) * units);
        let event_time = self.regular_market_time.map(Instant::from_secs);
        let mut zone = self.exchange_timezone_name.as_deref().and_then(Zone::named);
        Ok(Quote {
            last: self.regular_market_price.map(Exact::price),
            last_size: None,
            bid: self.bid.map(Exact::price),
            bid_size: size(self.bid_size),
            ask: self.ask.map(Exact::price),
            ask_size: size(self.ask_size),
            open: self.regular_market_open.map(Exact::price),
            high: self.regular_market_day_high.map(Exact::price),
            low: self.regular_market_day_low.map(Exact::price),
            previous_close: self.regular_market_previous_close.map(Exact::price),
            volume: self.regular_market_volume.map(Exact::size),
            event_time,
            trading_date: event_time.and_then(|at| Some(zone.as_mut()?.date(at))),
            denomination: self.currency.as_deref().and_then(Denomination::parse),
            stated_delay: self.exchange_data_delayed_by.map(|minutes| Duration::from_secs(minutes * 60)),
            phase: PHASES
                .iter()
                .find(|(state, _)| Some(*state) == self.market_state.as_deref())
                .map(|(_, phase)| *phase),
        })
    }
}

/// The quotes of a reply: one outcome per instrument asked, in that order; of all rows where none was named.
///
/// # Errors
/// [`Rejection::UnknownSymbol`] where the list is empty.
pub(super) fn read(response: &HttpResponse, asked: &[InstrumentId]) -> Result<Vec<Quoted>, Rejection> {
    let rows = parse::<QuoteReply>(response, "a list of quotes")?.quote_response.result.unwrap_or_default();
    if rows.is_empty() {
        return Err(Rejection::UnknownSymbol);
    }
    if asked.is_empty() {
        return rows
            .iter()
            .map(|row| {
                let instrument = symbol::read(&row.symbol, row.exchange.as_deref())
                    .ok_or(Rejection::unreadable("a symbol"))?;
                Ok(Quoted { instrument, quote: row.quote() })
            })
            .collect();
    }
    let of = |instrument: &InstrumentId| {
        let row = rows.iter().find(|row| symbol::means(instrument, &row.symbol));
        let quote = row.ok_or(Rejection::UnknownSymbol).and_then(Row::quote);
        Quoted { instrument: instrument.clone(), quote }
    };
    Ok(asked.iter().map(of).collect())
}

#[derive(Deserialize)]
struct SearchReply {
    quotes: Option<Vec<Found>>,
    news: Option<Vec<Article>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    symbol: Option<String>,
    exchange: Option<String>,
    quote_type: Option<String>,
    longname: Option<String>,
    shortname: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Article {
    uuid: Option<String>,
    title: String,
    publisher: Option<String>,
    link: Option<String>,
    provider_publish_time: i64,
    #[serde(default)]
    related_tickers: Vec<String>,
}

/// What matches, in Yahoo's order. Companies that do not trade have no symbol and are left out.
///
/// # Errors
/// [`Rejection::Unreadable`].
pub(super) fn read_search(response: &HttpResponse) -> Result<Vec<Instrument>, Rejection> {
    let reply: SearchReply = parse(response, "results of a search")?;
    let found = reply.quotes.ok_or(Rejection::unreadable("results of a search"))?;
    let instrument = |row: &Found| {
        let told = row.symbol.as_deref()?;
        let id = symbol::read(told, row.exchange.as_deref())?;
        let kind = symbol::kind_of(row.quote_type.as_deref().unwrap_or_default());
        let mut instrument = Instrument::new(id, kind);
        instrument.description = row.longname.as_deref().or(row.shortname.as_deref()).map(Into::into);
        instrument.vendor_symbol = Some(told.into());
        Some(instrument)
    };
    Ok(found.iter().filter_map(instrument).collect())
}

/// News, newest first.
///
/// # Errors
/// [`Rejection::Unreadable`].
pub(super) fn read_news(response: &HttpResponse) -> Result<Vec<NewsItem>, Rejection> {
    let reply: SearchReply = parse(response, "news")?;
    let mut news: Vec<NewsItem> = reply
        .news
        .ok_or(Rejection::unreadable("news"))?
        .into_iter()
        .map(|article| NewsItem {
            id: article.uuid.map(Into::into),
            published: Instant::from_secs(article.provider_publish_time),
            headline: article.title.into(),
            summary: None,
            publisher: article.publisher.map(Into::into),
            url: article.link.map(Into::into),
            instruments: article.related_tickers.iter().filter_map(|told| symbol::read(told, None)).collect(),
        })
        .collect();
    news.sort_by_key(|item| std::cmp::Reverse(item.published));
    Ok(news)
}
