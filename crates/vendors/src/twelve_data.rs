//! Twelve Data, REST. Numbers are decimal strings, times local text of the exchange, newest first.
//! Source: vendor OpenAPI `https://api.twelvedata.com/doc/swagger/openapi.json`, read 2026-10-15.
//!
//! Quirks, each with a test in this folder:
//!
//! | quirk | where |
//! | --- | --- |
//! | an error is `{"code", "message", "status": "error"}`, under its status or under 200 | `wording` |
//! | 404 is an unknown symbol, unless its text speaks of a plan | `wording` |
//! | 429 for the minute is a limit, 429 for the day a spent quota | `wording` |
//! | two symbols or more answer as an object keyed by the text sent, each entry with its own outcome | `quotes` |
//! | one symbol answers without the outer key | `quotes` |
//! | `timestamp` of a quote is the start of its bar, `last_quote_at` its last print | `quotes` |
//! | `/price` has neither time nor currency | `quotes` |
//! | decimals vary within one reply; volume is absent for currencies | `bars` |
//! | `datetime` is local to the exchange unless `timezone` was asked for; the start of the bar | `bars` |
//! | bars up to 30 minutes include extended hours if asked with `prepost`, without volume; longer ones never | `request` |
//! | a date can appear twice in daily bars of currencies: the first row stands | `bars` |
//! | prices are adjusted for splits unless `adjust` says otherwise | `request` |
//! | `from_factor` of a split is the **new** count | `actions` |
//! | `api-credits-left` tells what is left of the minute | this file |
//! | calendars are bare arrays whose rows name their symbol | `actions` |

mod actions;
mod bars;
mod listings;
mod quotes;
mod request;
mod wording;

use std::time::Duration;

use domain::{Adjustment, Instant, InstrumentId, Interval, VendorId, Venue};
use serde::Deserialize;

use crate::codec::Allowance;
use crate::plan::Per;
use crate::symbol::{is_unnamed, venue_of_mic};
use crate::{
    Ask, Codec, Data, Decoded, HttpRequest, HttpResponse, KeySlot, Offer, Profile, Question, Rejection,
    Status, VendorClass,
};

/// The dialect of Twelve Data.
pub struct TwelveData;

/// Rows one reply of bars holds at most.
const MOST_ROWS: usize = 5_000;

static PROFILE: Profile = Profile {
    id: VendorId("twelve_data"),
    aliases: &["twelvedata"],
    class: VendorClass::EquityRealtime,
    status: Status::Active,
    base_urls: &["https://api.twelvedata.com"],
    key: KeySlot::Query("apikey"),
    key_variables: &["TWELVE_DATA_API_KEY"],
    offers: &[
        // Each symbol of a batch costs a credit: the smallest plan has eight a minute.
        Offer::Quotes { bid_ask: false, volume: true, batch: 8 },
        Offer::Bars {
            intervals: &[
                Interval::M1,
                Interval::M5,
                Interval::M15,
                Interval::M30,
                Interval::H1,
                Interval::H4,
                Interval::D1,
                Interval::W1,
                Interval::Mo1,
            ],
            adjustments: &[Adjustment::Split, Adjustment::Raw, Adjustment::Dividend, Adjustment::All],
        },
        Offer::Splits,
        Offer::Dividends,
        Offer::Search,
        Offer::Symbols,
        Offer::MarketStatus,
    ],
    quota_zone: "UTC",
    feed: "twelve_data",
};

impl Codec for TwelveData {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn plans(&self) -> &'static str {
        include_str!("../plans/twelve_data.yaml")
    }

    fn encode_request(&self, ask: &Ask<'_>) -> Result<HttpRequest, Rejection> {
        request::encode(ask.question)
    }

    fn longest_range(&self, interval: Interval) -> Option<Duration> {
        Some(interval.nominal_length() * (MOST_ROWS as u32 - 1))
    }

    fn allowance(&self, response: &HttpResponse) -> Option<Allowance> {
        // Credits of this full minute; the reply does not say when it ends.
        let left = response.header("api-credits-left")?.trim().parse().ok()?;
        Some(Allowance { per: Per::Sliding(Duration::from_secs(60)), left, resets: None })
    }

    fn weight(&self, request: &HttpRequest) -> u32 {
        request::credits(request)
    }

    fn decode_response(
        &self,
        ask: &Ask<'_>,
        sent: &HttpRequest,
        response: &HttpResponse,
    ) -> Result<Decoded, Rejection> {
        if response.status != 200 {
            return Err(wording::refusal(response));
        }
        let body = crate::body::without_mark(&response.body);
        match ask.question {
            Question::Quotes { instruments, bid_ask: false } => quotes::decode(instruments, sent, body),
            Question::Bars { instrument, interval, range, .. } => {
                bars::decode(instrument, *interval, *range, sent, body)
            }
            Question::Splits { instrument, .. } => actions::decode_splits(instrument, body),
            Question::Dividends { instrument, .. } => actions::decode_dividends(instrument, body),
            Question::Search { .. } | Question::Symbols => listings::decode(body),
            Question::MarketStatus => listings::decode_market_state(body),
            Question::Quotes { bid_ask: true, .. } | Question::Trades { .. } | Question::News { .. } => {
                wording::check(body)?;
                Err(Rejection::Unsupported)
            }
        }
        .map(Decoded::Whole)
    }

    fn decode_request(&self, request: &HttpRequest) -> Result<Question, Rejection> {
        request::decode(request)
    }

    fn encode_response(
        &self,
        request: &HttpRequest,
        _question: Option<&Question>,
        outcome: &Result<Data, Rejection>,
        _now: Instant,
    ) -> HttpResponse {
        let body = match outcome {
            Err(rejection) => return wording::encode(rejection),
            Ok(Data::Quotes(rows)) => quotes::encode(rows, request),
            Ok(Data::Bars(series)) => bars::encode(series, request),
            Ok(Data::Actions(rows)) => actions::encode(rows, request),
            Ok(Data::Instruments(rows)) => listings::encode(rows, request),
            Ok(Data::MarketStatus(rows)) => listings::encode_market_state(rows),
            Ok(Data::ManyBars(_) | Data::Trades(..) | Data::News(_)) => {
                return wording::encode(&Rejection::Unsupported);
            }
        };
        HttpResponse::json(200, body)
    }
}

/// What replies say about the instrument.
#[derive(Deserialize, Default)]
struct Meta<'a> {
    #[serde(borrow, default)]
    symbol: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    interval: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    currency: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    exchange_timezone: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    exchange: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    mic_code: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<std::borrow::Cow<'a, str>>,
}

impl Meta<'_> {
    /// The instrument of the question, else the one the reply names.
    fn instrument(&self, asked: &InstrumentId) -> InstrumentId {
        match &self.symbol {
            Some(symbol) if is_unnamed(asked) => {
                id_of(symbol, self.mic_code.as_deref(), self.exchange.as_deref(), self.kind.as_deref())
            }
            _ => asked.clone(),
        }
    }

    fn denomination(&self) -> Option<domain::Denomination> {
        self.currency.as_deref().and_then(domain::Denomination::parse)
    }
}

/// The instrument of a row: by its market code, else by what its names tell.
fn id_of(symbol: &str, mic: Option<&str>, exchange: Option<&str>, kind: Option<&str>) -> InstrumentId {
    let venue = match (mic.filter(|code| !code.is_empty()).and_then(venue_of_mic), kind, exchange) {
        (Some(venue), ..) => venue,
        (None, Some("Digital Currency"), _) => Venue::CRYPTO,
        (None, ..) if symbol.contains('/') => Venue::FX,
        (None, Some("Index"), _) => Venue::INDEX,
        (None, _, Some("NASDAQ")) => Venue::literal("XNAS"),
        (None, _, Some("NYSE")) => Venue::literal("XNYS"),
        (None, _, name) => name.and_then(request::venue_of_exchange).unwrap_or(Venue::US),
    };
    InstrumentId::new(symbol, venue)
}

#[cfg(test)]
mod tests;
