//! Finnhub, REST. Numbers are JSON numbers, times seconds since 1970 unless a row below says otherwise.
//! Source: vendor swagger and `https://finnhub.io/docs/api`, read 2026-10-15.
//!
//! Quirks, each with a test in this folder:
//!
//! | quirk | where |
//! | --- | --- |
//! | an unknown symbol is 200 with zeros for a quote, `no_data` for bars, `[]` for lists | `quotes`, `candles` |
//! | errors are `{"error": "text"}`; the status decides, except under 200 | `wording` |
//! | 401 for a listing outside the plan is no bad key | `wording` |
//! | a full window is told by `x-ratelimit-remaining` and `x-ratelimit-reset` (seconds) | `wording` |
//! | a quote has no bid and ask, and bid and ask have nothing else: with both, they are a second page | `quotes` |
//! | bid and ask of zero are a side without orders, on both sides too: the quote before has told the symbol | `quotes` |
//! | a quote's `t` is its last trade, in seconds; bid and ask have theirs in milliseconds | `quotes` |
//! | bars are parallel arrays, oldest first | `candles` |
//! | daily bars are stamped midnight New York, the open, or midnight UTC: the date is derived | `candles` |
//! | bars within the day include extended hours as far as the feed has them: there is no way to choose | `candles` |
//! | daily bars are adjusted for splits, bars within the day are not | `candles` |
//! | trades come in pages of a day, with `skip`, `count` and `total`, milliseconds | `trades` |
//! | the list of symbols is a redirect to a signed file on another host | this file |
//! | news and matches come all at once: the question's limit is kept here, the first ones stay | `lists` |
//! | `isOpen` is false before and after hours, `session` tells which | `lists` |

mod candles;
mod lists;
mod quotes;
mod request;
mod trades;
mod wording;

use std::time::Duration;

use domain::{Adjustment, Instant, Interval, VendorId};

use crate::codec::{Allowance, Session};
use crate::{
    Ask, Codec, Data, Decoded, HttpRequest, HttpResponse, KeySlot, Offer, Profile, Question, Rejection,
    Status, VendorClass,
};

/// The dialect of Finnhub.
pub struct Finnhub;

static PROFILE: Profile = Profile {
    id: VendorId("finnhub"),
    aliases: &[],
    class: VendorClass::EquityRealtime,
    status: Status::Active,
    base_urls: &["https://finnhub.io/api/v1"],
    key: KeySlot::Query("token"),
    key_variables: &["FINNHUB_API_KEY"],
    offers: &[
        Offer::Quotes { bid_ask: true, volume: false, batch: 1 },
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
            // There is no choice: the reply says which it is.
            adjustments: &[Adjustment::Split],
        },
        Offer::Trades,
        Offer::Splits,
        Offer::Dividends,
        Offer::News,
        Offer::Search,
        Offer::Symbols,
        Offer::MarketStatus,
    ],
    quota_zone: "UTC",
    feed: "finnhub",
};

impl Codec for Finnhub {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    fn plans(&self) -> &'static str {
        include_str!("../plans/finnhub.yaml")
    }

    fn encode_request(&self, ask: &Ask<'_>) -> Result<HttpRequest, Rejection> {
        request::encode(ask.question)
    }

    fn longest_range(&self, interval: Interval) -> Option<Duration> {
        interval.is_intraday().then_some(Duration::from_secs(30 * 86_400))
    }

    fn allowance(&self, response: &HttpResponse) -> Option<Allowance> {
        wording::allowance(response)
    }

    fn decode_response(
        &self,
        ask: &Ask<'_>,
        sent: &HttpRequest,
        response: &HttpResponse,
    ) -> Result<Decoded, Rejection> {
        if matches!(ask.question, Question::Symbols)
            && let Some(request) = redirected(sent, response)
        {
            return Ok(Decoded::AskNext { learned: Session::default(), request });
        }
        if response.status != 200 {
            return Err(wording::refusal(sent, response, ask.now));
        }
        let body = crate::body::without_mark(&response.body);
        wording::check(body)?;
        match ask.question {
            Question::Quotes { instruments, bid_ask } => match instruments.as_slice() {
                [one] if sent.path.trim_end_matches('/').ends_with(request::BID_ASK) => {
                    quotes::decode_bid_ask(one, body)
                }
                [one] if *bid_ask => {
                    let data = quotes::decode(one, body)?;
                    return Ok(Decoded::Page { data, next: request::bid_ask(one)? });
                }
                [one] => quotes::decode(one, body),
                _ => Err(Rejection::Unsupported),
            },
            Question::Bars { instrument, interval, .. } => candles::decode(instrument, *interval, body),
            Question::Trades { instrument, range, limit } => {
                return trades::decode(instrument, *range, *limit, sent, body);
            }
            Question::Splits { instrument, .. } => lists::decode_splits(instrument, body),
            Question::Dividends { instrument, .. } => lists::decode_dividends(instrument, body),
            Question::News { limit, .. } => lists::decode_news(*limit, body),
            Question::Search { limit, .. } => lists::decode_search(*limit, body),
            Question::Symbols => lists::decode_symbols(body),
            Question::MarketStatus => lists::decode_market_status(body),
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
        now: Instant,
    ) -> HttpResponse {
        let path = request.path.trim_end_matches('/');
        let body = match outcome {
            Err(rejection) => return wording::encode(rejection, path, now),
            Ok(Data::Quotes(rows)) => match rows.first().map(|quoted| &quoted.quote) {
                Some(Ok(quote)) if path == request::BID_ASK => quotes::encode_bid_ask(quote),
                Some(Ok(quote)) => quotes::encode(quote),
                Some(Err(rejection)) => return wording::encode(rejection, path, now),
                None => return wording::encode(&Rejection::UnknownSymbol, path, now),
            },
            Ok(Data::Bars(series)) => candles::encode(series),
            Ok(Data::Trades(id, rows)) => trades::encode(id, rows, request),
            Ok(Data::Actions(rows)) => lists::encode_actions(rows),
            Ok(Data::News(rows)) => lists::encode_news(rows),
            Ok(Data::Instruments(rows)) => lists::encode_instruments(rows, path),
            Ok(Data::MarketStatus(rows)) => lists::encode_market_status(rows, now),
            Ok(Data::ManyBars(_)) => return wording::encode(&Rejection::Unsupported, path, now),
        };
        HttpResponse::json(200, body)
    }
}

/// Where the list of symbols is, if the reply only points at it: a file on another host, which must not see
/// the key.
fn redirected(sent: &HttpRequest, response: &HttpResponse) -> Option<HttpRequest> {
    let location = response.header("location")?;
    let is_first = !sent.path.contains("://");
    if !matches!(response.status, 301..=303 | 307 | 308) || !location.starts_with("https://") || !is_first {
        return None;
    }
    let mut request = HttpRequest::from_target(location);
    let host = location.get(..location.find(request.path.as_str())?)?;
    request.path = format!("{host}{}", request.path);
    Some(request)
}

#[cfg(test)]
mod tests;
