//! IEX Cloud: shares of the United States over REST, shut down on 2024-08-31; any compatible host will do.
//! Sources: dblock/iex-ruby-client, WojciechZankowski/iextrading4j, timkpaine/pyEX; read 2026-10.
//!
//! Quirks, each with a test in `tests.rs`:
//!
//! | where | quirk |
//! | --- | --- |
//! | daily bars | `open` … `volume` are restated for splits, `uOpen` … `uVolume` as traded, `fClose` for dividends too |
//! | daily bars | dated, no time; oldest first unless `sort=desc` |
//! | minutes | local time of New York, as traded, the venue's own trades only (2-3 % of the volume) |
//! | minutes | regular hours alone, 09:30 to 16:00: there are no others to ask for |
//! | minutes | one without a trade has nulls (older rows -1) and volume 0 |
//! | minutes | `market…` columns are consolidated and come 15 minutes late: taken where they are there |
//! | quote | `iexBidPrice` and `iexAskPrice` are 0 where the venue has no order |
//! | quote | `latestSource` says what `latestPrice` is; `15 minute delayed price` admits a delay |
//! | price | a bare number |
//! | tops | `volume` is the venue's own, no volume of the day |
//! | splits | `ratio` is new price over old and rounded; the factors are exact |
//! | dividends | `declaredDate` may be `0000-00-00` or empty; `amount` may be text |
//! | ranges | words counted back from today (`1m`), not dates |
//! | quota | counted in messages: a quote one, a daily bar ten, a day's minutes fifty |
//! | batch | an unknown symbol is left out |
//! | errors | plain text under `text/html`; `200` with `[]` is no data |

mod request;
mod messages;
mod reply;
mod bars;
mod quotes;
mod lists;
mod vendor;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::time::Duration;

use domain::{Adjustment, Date, Instant, Interval, VendorId};

use crate::{
    Ask, Codec, Data, Decoded, HttpRequest, HttpResponse, KeySlot, Offer, Profile, Question, Rejection,
    Status, VendorClass,
};

/// The dialect of IEX Cloud.
pub struct IexCloud;

/// Where shares trade, and the zone of dates and minutes.
const ZONE: &str = "America/New_York";

/// Symbols one batch may name.
const BATCH: usize = 100;

static PROFILE: Profile = Profile {
    id: VendorId("iex_cloud"),
    aliases: &["iex", "iexcloud"],
    class: VendorClass::EquityDelayed,
    status: Status::Retired { since: Date::constant(2024, 8, 31), replacement: "polygon" },
    base_urls: &[
        "https://cloud.iexapis.com/v1",
        "https://cloud.iexapis.com/stable",
        "https://sandbox.iexapis.com/stable",
        "https://api.iex.cloud/v1",
    ],
    key: KeySlot::Query("token"),
    key_variables: &["IEX_CLOUD_API_KEY"],
    offers: &[
        Offer::Quotes { bid_ask: true, volume: true, batch: BATCH },
        Offer::Bars {
            intervals: &[Interval::M1, Interval::D1],
            adjustments: &[Adjustment::Split, Adjustment::Raw],
        },
        Offer::Splits,
        Offer::Dividends,
        Offer::News,
        Offer::Search,
        Offer::Symbols,
    ],
    quota_zone: "UTC",
    feed: "iex_cloud",
};

impl Codec for IexCloud {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn plans(&self) -> &'static str {
        include_str!("../../plans/iex_cloud.yaml")
    }

    fn encode_request(&self, ask: &Ask<'_>) -> Result<HttpRequest, Rejection> {
        request::encode(ask)
    }

    /// Minutes are asked for day by day.
    fn longest_range(&self, interval: Interval) -> Option<Duration> {
        interval.is_intraday().then_some(Duration::from_secs(86_400))
    }

    fn weight(&self, request: &HttpRequest) -> u32 {
        messages::of(request)
    }

    fn decode_response(
        &self,
        ask: &Ask<'_>,
        sent: &HttpRequest,
        response: &HttpResponse,
    ) -> Result<Decoded, Rejection> {
        reply::decode(ask.question, sent, response).map(Decoded::Whole)
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
