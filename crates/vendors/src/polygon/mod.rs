//! Polygon.io, renamed Massive on 2025-10-30: shares of the United States over REST. Numbers are JSON numbers,
//! bars are stamped in milliseconds at their start, trades, quotes and snapshots in nanoseconds, UTC.
//! Sources: massive-com/client-python and client-go, the vendor's OpenAPI description; read 2026-10.
//!
//! Quirks, each with a test in `tests.rs`:
//!
//! | where | quirk |
//! | --- | --- |
//! | last quote, snapshots, quotes | capital `P` and `S` are the ask, small `p` and `s` the bid |
//! | quotes | asked for as snapshots, which hold last trade, bid, ask and day at once, but for whole-day plans |
//! | last quote, snapshots, quotes | sizes of shares count round lots of a hundred |
//! | bars | volumes from a million up are written `1.12e+08`, older ones `642646396.0` |
//! | bars | a day is stamped midnight in New York; `prev` and `grouped` stamp its close, 16:00 |
//! | bars | a week starts on Sunday: moved to Monday, the same sessions |
//! | bars | `adjusted` means splits only, restated to today |
//! | bars | from seconds to hours they always include extended hours, 04:00 to 20:00: there is no way to ask for less |
//! | bars | `limit` counts base bars (minutes, days), not results |
//! | bars | no rows is `200` without `results`, and so is an unknown ticker |
//! | trades, quotes, splits, dividends, news | newest first unless asked otherwise |
//! | pages | `next_url` names a host and holds no key; a page may be empty and still have one |
//! | all | `DELAYED` is a status of valid data, 15 minutes late |
//! | errors | the text stands in `error` under 400, 401 and 429, in `message` under 403 and 404 |
//! | errors | `404 page not found` in plain text is a wrong path, not an unknown ticker |

mod symbols;
mod request;
mod reply;
mod bars;
mod quotes;
mod reference;
mod vendor;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use domain::{Adjustment, Instant, Interval, VendorId};

use crate::{
    Ask, Codec, Data, Decoded, HttpRequest, HttpResponse, KeySlot, Offer, Profile, Question, Rejection,
    Status, VendorClass,
};

/// The dialect of Polygon.
pub struct Polygon;

/// Instruments one snapshot may name.
const BATCH: usize = 250;

static PROFILE: Profile = Profile {
    id: VendorId("polygon"),
    aliases: &["massive"],
    class: VendorClass::EquityRealtime,
    status: Status::Active,
    base_urls: &["https://api.massive.com", "https://api.polygon.io"],
    key: KeySlot::Query("apiKey"),
    key_variables: &["POLYGON_API_KEY", "MASSIVE_API_KEY"],
    offers: &[
        Offer::Quotes { bid_ask: true, volume: true, batch: BATCH },
        Offer::Bars { intervals: &Interval::ALL, adjustments: &[Adjustment::Split, Adjustment::Raw] },
        Offer::Trades,
        Offer::Splits,
        Offer::Dividends,
        Offer::News,
        Offer::Search,
        Offer::Symbols,
        Offer::MarketStatus,
    ],
    quota_zone: "America/New_York",
    feed: "polygon",
};

impl Codec for Polygon {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn plans(&self) -> &'static str {
        include_str!("../../plans/polygon.yaml")
    }

    fn encode_request(&self, ask: &Ask<'_>) -> Result<HttpRequest, Rejection> {
        request::encode(ask)
    }

    fn decode_response(
        &self,
        ask: &Ask<'_>,
        sent: &HttpRequest,
        response: &HttpResponse,
    ) -> Result<Decoded, Rejection> {
        reply::decode(ask.question, sent, response)
    }

    fn decode_request(&self, request: &HttpRequest) -> Result<Question, Rejection> {
        request::decode(request)
    }

    fn encode_response(
        &self,
        request: &HttpRequest,
        _question: Option<&Question>,
        outcome: &Result<Data, Rejection>,
        now: Instant,
    ) -> HttpResponse {
        vendor::encode(request, outcome, now)
    }
}
