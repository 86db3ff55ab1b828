//! Quotes.

use std::time::Duration;

use domain::{Instant, MarketPhase, Price, Quote, Size};
use serde::{Deserialize, Serialize};

use super::money::{Money, date, optional, price, size};

const PHASES: [MarketPhase; 6] = [
    MarketPhase::PreMarket,
    MarketPhase::Open,
    MarketPhase::AfterHours,
    MarketPhase::Extended,
    MarketPhase::Break,
    MarketPhase::Closed,
];

/// A quote as text; what is absent is left out.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct QuoteRecord {
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_size: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bid_size: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ask: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ask_size: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_close: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volume: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trading_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    denomination: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stated_delay_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<String>,
}

impl From<&Quote> for QuoteRecord {
    fn from(quote: &Quote) -> QuoteRecord {
        let price = |value: Option<Price>| value.map(|price| price.to_string());
        let size = |value: Option<Size>| value.map(|size| size.to_string());
        let nanos = |delay: Duration| u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        QuoteRecord {
            last: price(quote.last),
            last_size: size(quote.last_size),
            bid: price(quote.bid),
            bid_size: size(quote.bid_size),
            ask: price(quote.ask),
            ask_size: size(quote.ask_size),
            open: price(quote.open),
            high: price(quote.high),
            low: price(quote.low),
            previous_close: price(quote.previous_close),
            volume: size(quote.volume),
            event_time: quote.event_time.map(Instant::as_nanos),
            trading_date: quote.trading_date.map(|date| date.to_string()),
            denomination: quote.denomination.map(Money::from),
            stated_delay_ns: quote.stated_delay.map(nanos),
            phase: quote.phase.map(|phase| phase.as_str().to_owned()),
        }
    }
}

impl QuoteRecord {
    /// The quote; `None` if a field cannot be read.
    pub(crate) fn quote(&self) -> Option<Quote> {
        let phase = |word: &str| PHASES.into_iter().find(|phase| phase.as_str() == word);
        Some(Quote {
            last: price(self.last.as_deref())?,
            last_size: size(self.last_size.as_deref())?,
            bid: price(self.bid.as_deref())?,
            bid_size: size(self.bid_size.as_deref())?,
            ask: price(self.ask.as_deref())?,
            ask_size: size(self.ask_size.as_deref())?,
            open: price(self.open.as_deref())?,
            high: price(self.high.as_deref())?,
            low: price(self.low.as_deref())?,
            previous_close: price(self.previous_close.as_deref())?,
            volume: size(self.volume.as_deref())?,
            event_time: self.event_time.map(Instant::from_nanos),
            trading_date: date(self.trading_date.as_deref())?,
            denomination: optional(self.denomination.as_ref(), Money::denomination)?,
            stated_delay: self.stated_delay_ns.map(Duration::from_nanos),
            phase: optional(self.phase.as_deref(), phase)?,
        })
    }
}
