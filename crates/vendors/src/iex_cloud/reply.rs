//! What IEX Cloud's replies mean: refusals in plain text, and the way to each shape.

use std::borrow::Cow;
use std::collections::BTreeMap;

use domain::InstrumentId;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::request::{below_version, chart, read, spell, wants};
use super::{bars, lists, quotes};
use crate::body::is_html;
use crate::symbol::is_unnamed;
use crate::{Data, HttpRequest, HttpResponse, Question, Quoted, Rejection, Window};

pub(super) fn decode(
    question: &Question,
    sent: &HttpRequest,
    response: &HttpResponse,
) -> Result<Data, Rejection> {
    let body = success(response)?;
    let segments = below_version(sent);
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["stock", _, "batch"] if !wants(sent, "quote") && !wants(sent, "chart") => unsupported(body),
        ["stock", "market", "batch"] => many(question, sent, body),
        ["tops"] => quotes::tops(question, body),
        ["tops", "last"] => quotes::last_trades(question, body),
        ["stock", "market", ..] => unsupported(body),
        ["stock", _, "batch"] => single(question, sent, body),
        ["stock", symbol, "quote"] => quotes::quote(&asked(question, symbol), body),
        ["stock", symbol, "price"] => quotes::price(&asked(question, symbol), body),
        ["stock", symbol, "ohlc"] => quotes::official(&asked(question, symbol), body),
        ["stock", symbol, "chart", "dynamic"] => {
            bars::dynamic(question, &asked(question, symbol), sent, body)
        }
        ["stock", symbol, "chart", rest @ ..] => match chart(rest, sent) {
            Ok(chart) => bars::chart(question, &asked(question, symbol), chart, sent, body),
            Err(_) => unsupported(body),
        },
        ["stock", symbol, "previous"] => bars::previous(question, &asked(question, symbol), sent, body),
        ["stock", symbol, "intraday-prices"] => {
            bars::chart(question, &asked(question, symbol), super::request::Chart::Minutes(None), sent, body)
        }
        ["stock", symbol, "splits", ..] => lists::splits(&asked(question, symbol), body),
        ["stock", symbol, "dividends", ..] => lists::dividends(&asked(question, symbol), body),
        ["stock", _, "news", ..] => lists::news(question, body),
        ["search", _] => lists::instruments(question, body),
        ["ref-data", .., "symbols"] => lists::instruments(question, body),
        _ => unsupported(body),
    }
}

/// A body of a kind we have no word for.
fn unsupported(body: &str) -> Result<Data, Rejection> {
    match parse::<Refusal<'_>>(body, "an error") {
        Ok(_) => Err(Rejection::CallersMistake),
        Err(_) => parse::<serde::de::IgnoredAny>(body, "JSON").and(Err(Rejection::Unsupported)),
    }
}

/// The body of a reply whose status is one of success.
fn success(response: &HttpResponse) -> Result<&str, Rejection> {
    let status = response.status;
    let text = std::str::from_utf8(&response.body).unwrap_or_default().trim();
    // Plain text comes under `text/html`: only the body tells a page.
    let is_page = is_html(&response.body);
    match status {
        200..=299 if is_page => Err(Rejection::VendorFault { status }),
        200..=299 => match refusal(text) {
            Some(rejection) => Err(rejection),
            None => std::str::from_utf8(&response.body).map_err(|_| Rejection::unreadable("text in UTF-8")),
        },
        401 => Err(Rejection::Unauthorized),
        402 if speaks_of_plan(text) => Err(Rejection::NotEntitled),
        402 => Err(Rejection::QuotaSpent { window: Some(Window::Month), resets: None }),
        403 if is_page => Err(Rejection::VendorFault { status }),
        403 if speaks_of_plan(text) => Err(Rejection::NotEntitled),
        403 => Err(Rejection::Unauthorized),
        404 if is_page => Err(Rejection::unreadable("a reply of an endpoint that exists")),
        404 => Err(Rejection::UnknownSymbol),
        429 => Err(Rejection::RateLimited { retry_after: response.retry_after(), window: None }),
        451 => Err(Rejection::NotEntitled),
        400..=498 => Err(Rejection::CallersMistake),
        _ => Err(Rejection::VendorFault { status }),
    }
}

/// The vendor's whole texts, where a proxy has dropped the status code.
fn refusal(text: &str) -> Option<Rejection> {
    match text {
        UNKNOWN_SYMBOL => Some(Rejection::UnknownSymbol),
        BAD_KEY => Some(Rejection::Unauthorized),
        BAD_REQUEST => Some(Rejection::CallersMistake),
        _ => None,
    }
}

/// The text of an unknown symbol.
pub(super) const UNKNOWN_SYMBOL: &str = "Unknown symbol";
/// The text of a bad key.
pub(super) const BAD_KEY: &str = "The API key provided is not valid.";
/// The text of a request at fault.
pub(super) const BAD_REQUEST: &str = "You have supplied invalid values for this request";

/// One status serves quota, key and plan: only its text tells a plan that lacks the data.
fn speaks_of_plan(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["your plan", "current plan", "free plan", "paid plan", "free tier", "your tier", "not available to"]
        .iter()
        .any(|words| text.contains(words))
}

/// An object in place of the rows.
#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow)]
    #[allow(dead_code, reason = "that the field is there is all that counts")]
    error: Cow<'a, str>,
}

/// Reads a body of a given shape; `null` is no data.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a str, expected: &'static str) -> Result<T, Rejection> {
    if body.trim() == "null" {
        return Err(Rejection::NoData);
    }
    serde_json::from_str(body).map_err(|_| match serde_json::from_str::<Refusal<'_>>(body) {
        Ok(_) => Rejection::CallersMistake,
        Err(_) => Rejection::unreadable(expected),
    })
}

/// Reads a list; an empty one is no data.
pub(super) fn rows<'a, T: Deserialize<'a>>(
    body: &'a str,
    expected: &'static str,
) -> Result<Vec<T>, Rejection> {
    let rows: Vec<T> = parse(body, expected)?;
    if rows.is_empty() { Err(Rejection::NoData) } else { Ok(rows) }
}

/// The instrument of a path: the question's own id where it is the one asked for.
fn asked(question: &Question, symbol: &str) -> InstrumentId {
    own(question, symbol)
}

/// The instrument of a symbol in a reply: the question's own id where it named this one.
pub(super) fn own(question: &Question, symbol: &str) -> InstrumentId {
    let is_asked = |id: &&InstrumentId| spell(id).is_ok_and(|spelled| spelled.eq_ignore_ascii_case(symbol));
    question.instruments().iter().find(is_asked).cloned().unwrap_or_else(|| read(symbol))
}

/// The instrument asked for, else the one the reply names.
pub(super) fn named(asked: &InstrumentId, symbol: Option<&str>) -> InstrumentId {
    match symbol {
        Some(symbol) if is_unnamed(asked) => read(symbol),
        _ => asked.clone(),
    }
}

/// What a batch says of one symbol.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow, default)]
    quote: Option<&'a RawValue>,
    #[serde(borrow, default)]
    chart: Option<&'a RawValue>,
}

/// Several symbols at once; the vendor leaves out those it does not know.
fn many(question: &Question, sent: &HttpRequest, body: &str) -> Result<Data, Rejection> {
    let entries: BTreeMap<Cow<'_, str>, Entry<'_>> = parse(body, "an object of symbols")?;
    if wants(sent, "chart") {
        let mut many = Vec::new();
        for (symbol, entry) in &entries {
            many.push(charted(question, &own(question, symbol), entry, sent)?);
        }
        return if many.is_empty() { Err(Rejection::NoData) } else { Ok(Data::ManyBars(many)) };
    }
    let read_entry = |symbol: &str, entry: &Entry<'_>| {
        let id = own(question, symbol);
        let quote = match entry.quote {
            Some(quote) => quotes::one(quote.get()),
            None => Err(Rejection::NoData),
        };
        Quoted { instrument: id, quote }
    };
    let mut quotes: Vec<Quoted> = entries.iter().map(|(symbol, entry)| read_entry(symbol, entry)).collect();
    let asked = question.instruments();
    if !asked.is_empty() && !asked.iter().any(is_unnamed) {
        let found = |id: &InstrumentId| quotes.iter().find(|quoted| quoted.instrument == *id).cloned();
        let unknown =
            |id: &InstrumentId| Quoted { instrument: id.clone(), quote: Err(Rejection::UnknownSymbol) };
        quotes = asked.iter().map(|id| found(id).unwrap_or_else(|| unknown(id))).collect();
    }
    if quotes.is_empty() { Err(Rejection::NoData) } else { Ok(Data::Quotes(quotes)) }
}

/// Several kinds of one symbol.
fn single(question: &Question, sent: &HttpRequest, body: &str) -> Result<Data, Rejection> {
    let entry: Entry<'_> = parse(body, "an object of kinds")?;
    let segments = below_version(sent);
    let id = asked(question, segments.get(1).map_or("", String::as_str));
    if wants(sent, "chart") {
        return charted(question, &id, &entry, sent).map(Data::Bars);
    }
    quotes::quote(&id, entry.quote.map(RawValue::get).ok_or(Rejection::NoData)?)
}

/// The chart of a batch with the quote beside it.
fn charted(
    question: &Question,
    id: &InstrumentId,
    entry: &Entry<'_>,
    sent: &HttpRequest,
) -> Result<domain::BarSeries, Rejection> {
    let rest: Vec<&str> = sent.param("range").into_iter().collect();
    let body = entry.chart.map(RawValue::get).ok_or(Rejection::NoData)?;
    match bars::chart(question, id, chart(&rest, sent)?, sent, body)? {
        Data::Bars(mut series) => {
            series.quote = entry.quote.and_then(|quote| quotes::one(quote.get()).ok()).map(Box::new);
            Ok(series)
        }
        _ => Err(Rejection::unreadable("a chart")),
    }
}
