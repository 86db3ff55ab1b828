//! Alpha Vantage: one path, `/query?function=…`, replies in JSON or CSV.
//! Source: "Alpha Vantage API Documentation", and the recorded replies, read 2026-10-15.
//!
//! | quirk | what we make of it |
//! | --- | --- |
//! | errors are 200 with `Information`, `Note` or `Error Message`, in JSON even where CSV was asked for | looked for first; see the table in `refusal.rs` |
//! | one text serves an unknown symbol and a bad parameter | [`Rejection::UnknownSymbol`] |
//! | `{"Global Quote": {}}` is an unknown symbol, `{"bestMatches": []}` an empty answer, `{}` no data | so |
//! | a premium function answers a free key with invented rows and a `message` | [`Rejection::NotEntitled`] |
//! | numbers are text: `"108.3000"` | read from the text |
//! | field names carry numbers (`4. close`) that differ by function, CSV writes `_` or a space | matched by the words |
//! | newest row first | turned round |
//! | times are US/Eastern without an offset, daily rows a date alone | midnight there |
//! | intraday rows are stamped at their start | as they are |
//! | weeks and months carry the date of their last trading day | `start` is moved to the window's start, `trading_date` is as stated |
//! | the newest row may be the running period | not final, if `Last Refreshed` shows it |
//! | intraday rows include extended hours, 04:00 to 20:00, unless `extended_hours=false` | asked by the session |
//! | daily, weekly and monthly prices are as traded; `adjusted close` beside them covers all | [`Adjustment::Raw`]; the other is evidence |
//! | intraday prices are adjusted for everything unless `adjusted=false` | [`Adjustment::All`] or `Raw` |
//! | dividends of weeks and months have no ex-date | only those of daily rows are actions |
//! | split coefficients include spin-offs | kept as stated |
//! | `outputsize=compact` is the newest 100 rows; `full` costs a plan | `covers` says so; asked again compact |
//! | no ranges but `month` for intraday rows | a page per month |
//! | a quote has a trading date and no time, no bid and ask | `event_time` is absent |
//! | absent dates are the text `None` or `null` | absent |
//!
//! Which interval a reply has: what its series is called, else what the request named, else (CSV of a
//! template) the smallest step between two rows. Where a reply and its request differ, it is unreadable.

mod bars;
mod client;
mod refusal;
mod symbol;
mod table;
mod vendor;
#[cfg(test)]
mod tests;

use domain::{Adjustment, Instant, Interval, VendorId};

use crate::{
    Ask, Codec, Data, Decoded, HttpRequest, HttpResponse, KeySlot, Offer, Profile, Question, Rejection,
    Status, VendorClass,
};

/// The dialect of Alpha Vantage.
pub struct AlphaVantage;

/// The zone of every time in a reply that names none.
const HOME: &str = "America/New_York";

static PROFILE: Profile = Profile {
    id: VendorId("alpha_vantage"),
    aliases: &["alphavantage"],
    class: VendorClass::EndOfDay,
    status: Status::Active,
    base_urls: &["https://www.alphavantage.co"],
    key: KeySlot::Query("apikey"),
    key_variables: &["ALPHA_VANTAGE_API_KEY", "ALPHAVANTAGE_API_KEY"],
    offers: &[
        Offer::Quotes { bid_ask: false, volume: true, batch: 1 },
        Offer::Bars {
            intervals: &[Interval::D1, Interval::W1, Interval::Mo1],
            adjustments: &[Adjustment::Raw],
        },
        Offer::Bars {
            intervals: &[Interval::M1, Interval::M5, Interval::M15, Interval::M30, Interval::H1],
            adjustments: &[Adjustment::Raw, Adjustment::All],
        },
        Offer::Splits,
        Offer::Dividends,
        Offer::News,
        Offer::Search,
        Offer::Symbols,
        Offer::MarketStatus,
    ],
    quota_zone: HOME,
    feed: "alpha_vantage",
};

/// A function of the API that we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    GlobalQuote,
    Intraday,
    Daily { adjusted: bool },
    Weekly { adjusted: bool },
    Monthly { adjusted: bool },
    Splits,
    Dividends,
    SymbolSearch,
    ListingStatus,
    MarketStatus,
    NewsSentiment,
}

/// Every function by its name in requests.
const FUNCTIONS: &[(&str, Function)] = &[
    ("GLOBAL_QUOTE", Function::GlobalQuote),
    ("TIME_SERIES_INTRADAY", Function::Intraday),
    ("TIME_SERIES_DAILY", Function::Daily { adjusted: false }),
    ("TIME_SERIES_DAILY_ADJUSTED", Function::Daily { adjusted: true }),
    ("TIME_SERIES_WEEKLY", Function::Weekly { adjusted: false }),
    ("TIME_SERIES_WEEKLY_ADJUSTED", Function::Weekly { adjusted: true }),
    ("TIME_SERIES_MONTHLY", Function::Monthly { adjusted: false }),
    ("TIME_SERIES_MONTHLY_ADJUSTED", Function::Monthly { adjusted: true }),
    ("SPLITS", Function::Splits),
    ("DIVIDENDS", Function::Dividends),
    ("SYMBOL_SEARCH", Function::SymbolSearch),
    ("LISTING_STATUS", Function::ListingStatus),
    ("MARKET_STATUS", Function::MarketStatus),
    ("NEWS_SENTIMENT", Function::NewsSentiment),
];

impl Function {
    fn name(self) -> &'static str {
        FUNCTIONS.iter().find(|(_, function)| *function == self).map_or("", |(name, _)| name)
    }

    /// The function a request calls, if we speak it.
    fn of(request: &HttpRequest) -> Option<Function> {
        let called = request.param("function")?;
        FUNCTIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(called)).map(|(_, function)| *function)
    }

    /// The interval of its rows; `None` for intraday rows, whose interval is a parameter, and for what has
    /// no bars.
    fn interval(self) -> Option<Interval> {
        match self {
            Function::Daily { .. } => Some(Interval::D1),
            Function::Weekly { .. } => Some(Interval::W1),
            Function::Monthly { .. } => Some(Interval::Mo1),
            _ => None,
        }
    }
}

/// The request in its one form: a bare function name with parameters behind it, as documentation writes it
/// (`GLOBAL_QUOTE datatype=csv`), becomes `/query?function=GLOBAL_QUOTE&datatype=csv`.
fn in_full(request: &HttpRequest) -> HttpRequest {
    let mut full = request.clone();
    let path = request.segments().join("/");
    let mut words = path.split_whitespace();
    match words.next() {
        Some(function) if request.param("function").is_none() && function != "query" => {
            "/query".clone_into(&mut full.path);
            full = full.with("function", function);
            for (name, value) in words.filter_map(|word| word.split_once('=')) {
                full = full.with(name, value);
            }
            full
        }
        _ => full,
    }
}

/// The word of an intraday interval.
fn interval_word(interval: Interval) -> Option<&'static str> {
    Some(match interval {
        Interval::M1 => "1min",
        Interval::M5 => "5min",
        Interval::M15 => "15min",
        Interval::M30 => "30min",
        Interval::H1 => "60min",
        _ => return None,
    })
}

/// The intraday interval of a word.
fn interval_of(word: &str) -> Option<Interval> {
    Interval::ALL.into_iter().find(|interval| interval_word(*interval) == Some(word))
}

impl Codec for AlphaVantage {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn plans(&self) -> &'static str {
        include_str!("../../plans/alpha_vantage.yaml")
    }

    fn encode_request(&self, ask: &Ask<'_>) -> Result<HttpRequest, Rejection> {
        client::encode_request(ask)
    }

    fn decode_response(
        &self,
        ask: &Ask<'_>,
        sent: &HttpRequest,
        response: &HttpResponse,
    ) -> Result<Decoded, Rejection> {
        client::decode_response(ask, &in_full(sent), response)
    }

    fn decode_request(&self, request: &HttpRequest) -> Result<Question, Rejection> {
        vendor::decode_request(&in_full(request))
    }

    fn encode_response(
        &self,
        request: &HttpRequest,
        question: Option<&Question>,
        outcome: &Result<Data, Rejection>,
        now: Instant,
    ) -> HttpResponse {
        vendor::encode_response(&in_full(request), question, outcome, now)
    }
}
