//! Yahoo Finance: the JSON API behind its web pages. No contract, no key; shapes change without notice.
//! Source: yfinance (Apache-2.0), node-yahoo-finance2 (MIT), yfinance-rs (MIT), read 2026-10-15.
//!
//! | quirk | what we make of it |
//! | --- | --- |
//! | prices are float32 widened to doubles: `127.58000183105469` | kept digit by digit |
//! | prices and volumes are split-adjusted; `adjclose` adds dividends | [`Adjustment::Split`]; `adjclose` is evidence |
//! | the last row may be a live tick stamped `regularMarketTime`, off the grid | a bar that is not final |
//! | the newest row may still run | not final, if `regularMarketTime` lies in it before the close |
//! | cells, or all cells of a row, may be null | a bar without those prices |
//! | only `close` may be given | bars with nothing but a close |
//! | no data in range is 200 without `timestamp`, or 400 `Data doesn't exist` | [`Rejection::NoData`] |
//! | an unknown symbol is 404 in charts, but just left out of a list of quotes | [`Rejection::UnknownSymbol`] |
//! | `60m` is answered as `1h`; `30m` has been answered with bars of an hour | one interval; [`Rejection::Unreadable`] |
//! | pence and cents: `GBp`, `ILA`, `ZAc` | [`domain::Unit::Minor`] |
//! | sizes of American quotes count lots of a hundred | multiplied |
//! | quotes with bid and ask need a cookie and the crumb bound to it | asked first, renewed once when refused |
//! | a crumb may be `Too Many Requests`, empty, or HTML | refused, never kept |
//! | bars within the day include extended hours only if asked with `includePrePost` | asked by the session |
//! | 1m bars: at most 7 days a call, 30 days back | `longest_range` and `reach` say so |
//! | a bare client is answered 429 | requests carry a browser's `User-Agent` |
//!
//! Which interval a reply has: the one `dataGranularity` states. Where the request named another, the reply
//! is unreadable; where it named none (a template), the reply's own holds.

mod chart;
mod client;
mod quotes;
mod refusal;
mod symbol;
#[cfg(test)]
mod tests;
mod vendor;

use std::time::Duration;

use domain::{Adjustment, Instant, Interval, VendorId};

use crate::symbol::given;
use crate::{
    Ask, Codec, Data, Decoded, HttpRequest, HttpResponse, KeySlot, Offer, Profile, Question, Rejection,
    Status, VendorClass,
};

/// The dialect of Yahoo.
pub struct Yahoo;

/// How many symbols one quote request may name; Yahoo takes more, a URL of a few hundred bytes is safe.
const BATCH: usize = 50;

static PROFILE: Profile = Profile {
    id: VendorId("yahoo"),
    aliases: &["yfinance"],
    class: VendorClass::EquityDelayed,
    status: Status::Active,
    base_urls: &["https://query2.finance.yahoo.com", "https://query1.finance.yahoo.com"],
    key: KeySlot::None,
    key_variables: &[],
    offers: &[
        Offer::Quotes { bid_ask: true, volume: true, batch: BATCH },
        Offer::Bars {
            intervals: &[
                Interval::M1,
                Interval::M5,
                Interval::M15,
                Interval::M30,
                Interval::H1,
                Interval::D1,
                Interval::W1,
                Interval::Mo1,
            ],
            adjustments: &[Adjustment::Split],
        },
        Offer::Splits,
        Offer::Dividends,
        Offer::Search,
        Offer::News,
    ],
    quota_zone: "America/New_York",
    feed: "yahoo",
};

/// Where the cookie comes from; the status of the reply is irrelevant.
const COOKIE_URL: &str = "https://fc.yahoo.com/";
const CRUMB_PATH: &str = "/v1/test/getcrumb";
const QUOTE_PATH: &str = "/v7/finance/quote";
const SEARCH_PATH: &str = "/v1/finance/search";

/// What a request is for.
#[derive(Debug, PartialEq, Eq)]
enum Endpoint {
    Cookie,
    Crumb,
    /// Of this symbol, if the path names one.
    Chart(Option<String>),
    Quote,
    Spark,
    Search,
    Other,
}

impl Endpoint {
    fn of(request: &HttpRequest) -> Endpoint {
        if request.path == COOKIE_URL || request.path == "/" || request.path.is_empty() {
            return Endpoint::Cookie;
        }
        let segments = request.segments();
        let words: Vec<&str> = segments.iter().map(String::as_str).collect();
        match words.as_slice() {
            [.., "test", "getcrumb"] => Endpoint::Crumb,
            [_, "finance", "chart"] => Endpoint::Chart(None),
            [_, "finance", "chart", symbol] => Endpoint::Chart(given(Some(symbol)).map(str::to_owned)),
            [_, "finance", "quote"] => Endpoint::Quote,
            [_, "finance", "spark"] => Endpoint::Spark,
            [_, "finance", "search"] => Endpoint::Search,
            _ => Endpoint::Other,
        }
    }
}

/// The word of an interval in requests, and in `dataGranularity`.
fn interval_word(interval: Interval) -> Option<&'static str> {
    Some(match interval {
        Interval::M1 => "1m",
        Interval::M5 => "5m",
        Interval::M15 => "15m",
        Interval::M30 => "30m",
        Interval::H1 => "1h",
        Interval::D1 => "1d",
        Interval::W1 => "1wk",
        Interval::Mo1 => "1mo",
        Interval::S1 | Interval::H4 => return None,
    })
}

/// The interval of a word of Yahoo's: `Ok(None)` for those we have no bars of.
///
/// # Errors
/// [`Rejection::CallersMistake`] for a word Yahoo does not know.
fn interval_of(word: &str) -> Result<Option<Interval>, Rejection> {
    match word {
        "2m" | "90m" | "5d" | "3mo" => Ok(None),
        "60m" => Ok(Some(Interval::H1)),
        _ => Interval::ALL
            .into_iter()
            .find(|interval| interval_word(*interval) == Some(word))
            .map(Some)
            .ok_or(Rejection::CallersMistake),
    }
}

impl Codec for Yahoo {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn plans(&self) -> &'static str {
        include_str!("../../plans/yahoo.yaml")
    }

    fn encode_request(&self, ask: &Ask<'_>) -> Result<HttpRequest, Rejection> {
        client::encode_request(ask)
    }

    fn longest_range(&self, interval: Interval) -> Option<Duration> {
        client::longest_range(interval)
    }

    fn reach(&self, interval: Interval) -> Option<Duration> {
        client::reach(interval)
    }

    fn has_float32_prices(&self) -> bool {
        true
    }

    fn bars_carry_actions(&self) -> bool {
        true
    }

    fn decode_response(
        &self,
        ask: &Ask<'_>,
        sent: &HttpRequest,
        response: &HttpResponse,
    ) -> Result<Decoded, Rejection> {
        client::decode_response(ask, sent, response)
    }

    fn decode_request(&self, request: &HttpRequest) -> Result<Question, Rejection> {
        vendor::decode_request(request)
    }

    fn encode_response(
        &self,
        request: &HttpRequest,
        question: Option<&Question>,
        outcome: &Result<Data, Rejection>,
        now: Instant,
    ) -> HttpResponse {
        vendor::encode_response(request, question, outcome, now)
    }

    fn answer_formality(&self, request: &HttpRequest) -> Option<HttpResponse> {
        vendor::answer_formality(request)
    }
}
