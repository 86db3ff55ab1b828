//! What Polygon's replies mean: the envelope, refusals and pages.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;

use super::{bars, quotes, reference, request};
use crate::{Data, Decoded, HttpRequest, HttpResponse, Question, Rejection};

/// Delay of the plans whose replies say `DELAYED`.
const DELAY: Duration = Duration::from_secs(15 * 60);

/// The fields most replies share. `T` is the shape of the rows.
#[derive(Deserialize)]
pub(super) struct Reply<'a, T> {
    #[serde(borrow, default)]
    pub(super) status: Option<Cow<'a, str>>,
    #[serde(default = "nothing")]
    pub(super) results: Option<T>,
    /// The ticker of bars.
    #[serde(borrow, default)]
    pub(super) ticker: Option<Cow<'a, str>>,
    /// Whether bars are restated for splits.
    #[serde(default)]
    pub(super) adjusted: Option<bool>,
    #[serde(borrow, default)]
    next_url: Option<Cow<'a, str>>,
}

fn nothing<T>() -> Option<T> {
    None
}

impl<T> Reply<'_, T> {
    /// The delay the reply admits to.
    pub(super) fn stated_delay(&self) -> Option<Duration> {
        stated_delay(self.status.as_deref())
    }
}

/// The delay a status admits to.
pub(super) fn stated_delay(status: Option<&str>) -> Option<Duration> {
    (status == Some("DELAYED")).then_some(DELAY)
}

/// What says that a reply is a refusal.
#[derive(Default, Deserialize)]
struct Refusal<'a> {
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
}

pub(super) fn decode(
    question: &Question,
    sent: &HttpRequest,
    response: &HttpResponse,
) -> Result<Decoded, Rejection> {
    let body = success(response)?;
    let segments = sent.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["v2", "last", "trade", _] => quotes::last_trade(question, body).map(Decoded::Whole),
        ["v2", "last", "nbbo", _] => quotes::last_quote(question, body).map(Decoded::Whole),
        ["v3", "quotes", _] => quotes::history(question, sent, body),
        ["v2", "snapshot", "locale", _, "markets", "stocks", "tickers", _] => {
            quotes::snapshot(question, body).map(Decoded::Whole)
        }
        ["v2", "snapshot", "locale", _, "markets", "stocks", "tickers"] => {
            quotes::snapshots(question, body).map(Decoded::Whole)
        }
        ["v3", "snapshot"] => quotes::unified(question, sent, body),
        ["v2", "aggs", "ticker", _, "range", _, timespan, _, _] => {
            bars::range(question, sent, timespan, body)
        }
        ["v2", "aggs", "ticker", _, "prev"] => bars::previous(question, body).map(Decoded::Whole),
        ["v2", "aggs", "grouped", "locale", _, "market", "stocks", _] => {
            bars::grouped(question, body).map(Decoded::Whole)
        }
        ["v1", "open-close", _, _] => bars::open_close(question, body).map(Decoded::Whole),
        ["v3", "trades", _] => reference::trades(question, sent, body),
        ["v3", "reference", "splits"] | ["stocks", "v1", "splits"] => reference::splits(question, sent, body),
        ["v3", "reference", "dividends"] | ["stocks", "v1", "dividends"] => {
            reference::dividends(question, sent, body)
        }
        ["v2", "reference", "news"] => reference::news(question, sent, body),
        ["v3", "reference", "tickers"] => reference::tickers(question, sent, body),
        ["v1", "marketstatus", "now"] => reference::market_status(body).map(Decoded::Whole),
        _ => match parse::<Refusal<'_>>(body, "a JSON object") {
            Ok(refusal) => Err(refused(&refusal).unwrap_or(Rejection::Unsupported)),
            Err(_) if serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok() => {
                Err(Rejection::Unsupported)
            }
            Err(unreadable) => Err(unreadable),
        },
    }
}

/// The body of a reply whose status is one of success.
fn success(response: &HttpResponse) -> Result<&str, Rejection> {
    let body = std::str::from_utf8(&response.body);
    let text = body.unwrap_or_default().trim_start();
    let is_page = text.starts_with('<');
    let status = response.status;
    match status {
        200..=299 if is_page => Err(Rejection::VendorFault { status }),
        200..=299 => body.map_err(|_| Rejection::unreadable("text in UTF-8")),
        401 => Err(Rejection::Unauthorized),
        402 => Err(Rejection::QuotaSpent { window: None, resets: None }),
        403 if is_page => Err(Rejection::VendorFault { status }),
        403 => Err(Rejection::NotEntitled),
        404 => match serde_json::from_str::<Refusal<'_>>(text) {
            Ok(refusal) if refusal.status.as_deref() == Some("NOT_FOUND") => Err(Rejection::UnknownSymbol),
            _ => Err(Rejection::unreadable("a reply of an endpoint that exists")),
        },
        429 => Err(Rejection::RateLimited { retry_after: response.retry_after(), window: None }),
        // The vendor's own client tries these again.
        413 | 499 => Err(Rejection::VendorFault { status }),
        400..=498 => Err(Rejection::CallersMistake),
        _ => Err(Rejection::VendorFault { status }),
    }
}

/// Reads a body of a given shape.
///
/// # Errors
/// What the vendor refuses with under status 200; else [`Rejection::Unreadable`].
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a str, expected: &'static str) -> Result<T, Rejection> {
    match serde_json::from_str(body) {
        Ok(value) => Ok(value),
        Err(_) => {
            let refusal = serde_json::from_str(body).ok().and_then(|refusal| refused(&refusal));
            Err(refusal.unwrap_or(Rejection::unreadable(expected)))
        }
    }
}

/// Reads a body of rows, and refuses what its status refuses.
pub(super) fn reply<'a, T: Deserialize<'a>>(
    body: &'a str,
    expected: &'static str,
) -> Result<Reply<'a, T>, Rejection> {
    let reply: Reply<'a, T> = parse(body, expected)?;
    accept(reply.status.as_deref(), body)?;
    Ok(reply)
}

/// Refuses a status word that is not one of success.
pub(super) fn accept(status: Option<&str>, body: &str) -> Result<(), Rejection> {
    match status {
        Some("OK" | "DELAYED") => Ok(()),
        _ => {
            let refusal: Refusal<'_> = serde_json::from_str(body).unwrap_or_default();
            Err(refused(&refusal).unwrap_or(Rejection::unreadable("status OK or DELAYED")))
        }
    }
}

/// What a refusal under status 200 amounts to; `None` if it is none.
fn refused(refusal: &Refusal<'_>) -> Option<Rejection> {
    match (refusal.status.as_deref()?, refusal.error.as_deref()) {
        ("NOT_AUTHORIZED", _) => Some(Rejection::NotEntitled),
        ("NOT_FOUND", _) => Some(Rejection::UnknownSymbol),
        // The vendor's whole texts, where a proxy has dropped the status code.
        ("ERROR", Some("Unknown API Key" | "API Key was not provided")) => Some(Rejection::Unauthorized),
        ("ERROR", Some(text)) if text.starts_with("You've exceeded the maximum requests per minute") => {
            Some(Rejection::rate_limited())
        }
        ("ERROR", _) => Some(Rejection::VendorFault { status: 200 }),
        _ => None,
    }
}

/// Rows of a page, with the next one where there is one and more rows are `wanted`.
///
/// # Errors
/// [`Rejection::NoData`] if there is not one row in all pages.
pub(super) fn paged<T>(
    sent: &HttpRequest,
    reply: &Reply<'_, T>,
    data: Data,
    wanted: Option<u32>,
) -> Result<Decoded, Rejection> {
    let rows = data.rows();
    let enough = wanted.is_some_and(|wanted| usize::try_from(wanted).is_ok_and(|wanted| rows >= wanted));
    match reply.next_url.as_deref().filter(|url| !url.is_empty() && !enough) {
        Some(url) => {
            let mut next = HttpRequest::from_target(url);
            next.query.retain(|(name, _)| name != "apiKey");
            Ok(Decoded::Page { data, next })
        }
        None if rows == 0 && sent.param("cursor").is_none_or(str::is_empty) => Err(Rejection::NoData),
        None => Ok(Decoded::Whole(data)),
    }
}

/// Sorts rows oldest first, of rows at one time the one that came first. The vendor lists the newest first
/// unless it was asked otherwise.
pub(super) fn oldest_first<T, K: Ord>(rows: &mut [T], sent: &HttpRequest, key: impl Fn(&T) -> K) {
    let [first, .., last] = &*rows else { return };
    let newest_first = match key(first).cmp(&key(last)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => request::unfold_cursor(sent)
            .is_ok_and(|sent| !sent.param("order").is_some_and(|order| order.eq_ignore_ascii_case("asc"))),
    };
    if newest_first {
        rows.reverse();
    }
    rows.sort_by_key(key);
}
