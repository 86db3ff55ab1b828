//! Our questions in Polygon's words, and back.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use domain::{Adjustment, Date, Delivery, Instant, InstrumentId, Interval, Range, Session, Venue};

use super::symbols::{EVERYTHING, is_placeholder, is_share, read, spell};
use super::{BATCH, PROFILE};
use crate::local_time::{Zone, dates_in_new_york};
use crate::wire::encode_segment;
use crate::{Ask, HttpRequest, Question, Rejection};

/// Path of the snapshots of shares.
pub(super) const SNAPSHOT: &str = "/v2/snapshot/locale/us/markets/stocks/tickers";

/// Most base bars a request for bars may count.
pub(super) const MOST_BASE_BARS: u32 = 50_000;
/// Most trades or quotes a page holds.
pub(super) const MOST_TICKS: u32 = 50_000;
/// Most rows a page of reference data or news holds.
pub(super) const MOST_ROWS: u32 = 1_000;

/// All the time there is: the range of a request that names none.
const ALWAYS: Range = Range { start: Instant::EPOCH, end: Instant::MAX };

pub(super) fn encode(ask: &Ask<'_>) -> Result<HttpRequest, Rejection> {
    match ask.question {
        Question::Quotes { instruments, .. } => quotes(instruments, ask),
        Question::Bars { instrument, interval, range, adjustment, .. } => {
            bars(instrument, *interval, *range, *adjustment)
        }
        Question::Trades { instrument, range, limit } => {
            let range = within_time(*range)?;
            Ok(HttpRequest::get(format!("/v3/trades/{}", share(instrument)?))
                .with("timestamp.gte", range.start.as_nanos())
                .with("timestamp.lt", range.end.as_nanos())
                .with("order", "asc")
                .with("sort", "timestamp")
                .with("limit", (*limit).clamp(1, MOST_TICKS)))
        }
        Question::Splits { instrument, range } => {
            actions("/v3/reference/splits", "execution_date", instrument, *range)
        }
        Question::Dividends { instrument, range } => {
            actions("/v3/reference/dividends", "ex_dividend_date", instrument, *range)
        }
        Question::News { instrument, range, limit } => {
            let range = within_time(*range)?;
            Ok(HttpRequest::get("/v2/reference/news")
                .with("ticker", spell(instrument)?)
                .with("published_utc.gte", range.start)
                .with("published_utc.lt", range.end)
                .with("order", "desc")
                .with("sort", "published_utc")
                .with("limit", (*limit).clamp(1, MOST_ROWS)))
        }
        Question::Search { words, limit } => Ok(HttpRequest::get("/v3/reference/tickers")
            .with("search", words)
            .with("active", "true")
            .with("limit", (*limit).clamp(1, MOST_ROWS))),
        Question::Symbols => Ok(HttpRequest::get("/v3/reference/tickers")
            .with("market", "stocks")
            .with("active", "true")
            .with("order", "asc")
            .with("sort", "ticker")
            .with("limit", MOST_ROWS)),
        Question::MarketStatus => Ok(HttpRequest::get("/v1/marketstatus/now")),
    }
}

/// Shares by their snapshots, which hold whatever the plan includes: last trade, bid and ask, the day so far. A
/// plan of whole days has no snapshots: one share is asked for by its previous day, several cannot be asked for
/// at once.
fn quotes(instruments: &[InstrumentId], ask: &Ask<'_>) -> Result<HttpRequest, Rejection> {
    let tickers = instruments.iter().map(spell).collect::<Result<Vec<_>, _>>()?;
    let shares = instruments.iter().all(is_share);
    let is_end_of_day = ask.plan.is_some_and(|plan| plan.delivery == Delivery::EndOfDay);
    match tickers.as_slice() {
        [] => Err(Rejection::CallersMistake),
        many if many.len() > BATCH => Err(Rejection::Unsupported),
        [one] if shares && is_end_of_day => {
            Ok(HttpRequest::get(format!("/v2/aggs/ticker/{}/prev", encode_segment(one))))
        }
        [one] if shares => Ok(HttpRequest::get(format!("{SNAPSHOT}/{}", encode_segment(one)))),
        _ if shares && is_end_of_day => Err(Rejection::Unsupported),
        many if shares => Ok(HttpRequest::get(SNAPSHOT).with("tickers", many.join(","))),
        many => {
            Ok(HttpRequest::get("/v3/snapshot").with("ticker.any_of", many.join(",")).with("limit", BATCH))
        }
    }
}

fn bars(
    instrument: &InstrumentId,
    interval: Interval,
    range: Range,
    adjustment: Adjustment,
) -> Result<HttpRequest, Rejection> {
    let adjusted = match adjustment {
        Adjustment::Split => "true",
        Adjustment::Raw => "false",
        Adjustment::Dividend | Adjustment::All | Adjustment::Unknown => return Err(Rejection::Unsupported),
    };
    let (multiplier, timespan) = words(interval);
    let range = within_time(range)?;
    let (from, to) = if interval.is_intraday() {
        // The vendor's last millisecond belongs to the range, our end does not.
        let before_end = range.end.as_nanos() - 1;
        let first = range.start.as_nanos().saturating_add(999_999).div_euclid(1_000_000);
        (first.to_string(), before_end.div_euclid(1_000_000).to_string())
    } else {
        let (first, last) = dates_in_new_york(range);
        (first.to_string(), last.to_string())
    };
    let ticker = encode_segment(&spell(instrument)?);
    Ok(HttpRequest::get(format!("/v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{from}/{to}"))
        .with("adjusted", adjusted)
        .with("sort", "asc")
        .with("limit", MOST_BASE_BARS))
}

fn actions(
    path: &str,
    date: &str,
    instrument: &InstrumentId,
    range: Range,
) -> Result<HttpRequest, Rejection> {
    let (first, last) = dates_in_new_york(within_time(range)?);
    Ok(HttpRequest::get(path)
        .with("ticker", share(instrument)?)
        .with(&format!("{date}.gte"), first)
        .with(&format!("{date}.lte"), last)
        .with("order", "asc")
        .with("sort", date)
        .with("limit", MOST_ROWS))
}

fn share(instrument: &InstrumentId) -> Result<String, Rejection> {
    if is_share(instrument) { spell(instrument) } else { Err(Rejection::Unsupported) }
}

/// What of a range lies after 1970; an empty one cannot be put into words.
fn within_time(range: Range) -> Result<Range, Rejection> {
    let range = range.intersect(ALWAYS);
    if range.is_empty() { Err(Rejection::CallersMistake) } else { Ok(range) }
}

/// Multiplier and timespan of an interval.
pub(super) fn words(interval: Interval) -> (u32, &'static str) {
    match interval {
        Interval::S1 => (1, "second"),
        Interval::M1 => (1, "minute"),
        Interval::M5 => (5, "minute"),
        Interval::M15 => (15, "minute"),
        Interval::M30 => (30, "minute"),
        Interval::H1 => (1, "hour"),
        Interval::H4 => (4, "hour"),
        Interval::D1 => (1, "day"),
        Interval::W1 => (1, "week"),
        Interval::Mo1 => (1, "month"),
    }
}

pub(super) fn decode(request: &HttpRequest) -> Result<Question, Rejection> {
    let request = &unfold_cursor(request)?;
    let segments = request.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let quotes = |tickers: Vec<InstrumentId>, bid_ask| Ok(Question::Quotes { instruments: tickers, bid_ask });
    match path.as_slice() {
        ["v2", "last", "trade", ticker] => quotes(vec![read(ticker)], false),
        ["v2", "last", "nbbo", ticker] | ["v3", "quotes", ticker] => quotes(vec![read(ticker)], true),
        // Snapshots hold what the plan includes: bid and ask are no condition.
        ["v2", "snapshot", "locale", _, "markets", "stocks", "tickers", ticker] => {
            quotes(vec![read(ticker)], false)
        }
        ["v2", "snapshot", "locale", _, "markets", "stocks", "tickers"] => {
            quotes(list(request.param("tickers")), false)
        }
        ["v3", "snapshot"] => quotes(list(request.param("ticker.any_of")), false),
        ["v2", "aggs", "ticker", ticker, "range", multiplier, timespan, from, to] => Ok(Question::Bars {
            instrument: read(ticker),
            interval: interval(multiplier, timespan)?,
            range: Range::new(
                moment(from, false)?.unwrap_or(ALWAYS.start),
                moment(to, true)?.unwrap_or(ALWAYS.end),
            ),
            adjustment: adjustment(request)?,
            session: session(multiplier, timespan)?,
        }),
        ["v2", "aggs", "ticker", ticker, "prev"] => day(read(ticker), ALWAYS, request),
        ["v2", "aggs", "grouped", "locale", _, "market", "stocks", date] => {
            day(InstrumentId::new(EVERYTHING, Venue::US), on(date)?, request)
        }
        ["v1", "open-close", ticker, date] => day(read(ticker), on(date)?, request),
        ["v3", "trades", ticker] => Ok(Question::Trades {
            instrument: read(ticker),
            range: stamped(request, "timestamp")?,
            limit: limit(request, MOST_ROWS, MOST_TICKS)?,
        }),
        ["v3", "reference", "splits"] | ["stocks", "v1", "splits"] => Ok(Question::Splits {
            instrument: ticker_parameter(request),
            range: dated(request, "execution_date")?,
        }),
        ["v3", "reference", "dividends"] | ["stocks", "v1", "dividends"] => Ok(Question::Dividends {
            instrument: ticker_parameter(request),
            range: dated(request, "ex_dividend_date")?,
        }),
        ["v2", "reference", "news"] => Ok(Question::News {
            instrument: ticker_parameter(request),
            range: stamped(request, "published_utc")?,
            limit: limit(request, 10, MOST_ROWS)?,
        }),
        ["v3", "reference", "tickers"] => match request.param("search").or(request.param("ticker")) {
            Some(words) if !is_placeholder(words) => {
                Ok(Question::Search { words: words.to_owned(), limit: limit(request, 100, MOST_ROWS)? })
            }
            _ => Ok(Question::Symbols),
        },
        ["v1", "marketstatus", "now"] => Ok(Question::MarketStatus),
        _ => Err(Rejection::Unsupported),
    }
}

/// Adds the parameters a cursor holds: like the vendor's own, ours is a query string in base 64.
pub(super) fn unfold_cursor(request: &HttpRequest) -> Result<HttpRequest, Rejection> {
    let mut unfolded = request.clone();
    if let Some(cursor) = request.param("cursor").filter(|cursor| !is_placeholder(cursor)) {
        let bare = cursor.trim_end_matches('=');
        let bytes = URL_SAFE_NO_PAD.decode(bare).or_else(|_| STANDARD_NO_PAD.decode(bare));
        let text =
            bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(Rejection::CallersMistake)?;
        unfolded.query.extend(HttpRequest::from_target(&format!("/?{text}")).query);
    }
    unfolded.query.retain(|(name, _)| name != "cursor" && name != PROFILE_KEY);
    Ok(unfolded)
}

/// The query parameter of the key, which no cursor holds.
const PROFILE_KEY: &str = match PROFILE.key {
    crate::KeySlot::Query(name) => name,
    crate::KeySlot::None | crate::KeySlot::Header(..) => "",
};

/// The cursor that continues a request after so many rows.
pub(super) fn cursor_after(unfolded: &HttpRequest, rows: usize) -> String {
    let mut query = HttpRequest::get("");
    query.query = unfolded.query.iter().filter(|(name, _)| name != "offset").cloned().collect();
    let target = query.with("offset", rows).target();
    URL_SAFE_NO_PAD.encode(target.trim_start_matches('?'))
}

/// Where the rows of a continued request begin.
pub(super) fn offset(unfolded: &HttpRequest) -> usize {
    unfolded.param("offset").and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The `limit` of a request.
pub(super) fn limit(request: &HttpRequest, default: u32, most: u32) -> Result<u32, Rejection> {
    match request.param("limit").filter(|text| !is_placeholder(text)) {
        None => Ok(default),
        Some(text) => match text.parse::<u32>() {
            Ok(limit) if limit > 0 => Ok(limit.min(most)),
            _ => Err(Rejection::CallersMistake),
        },
    }
}

fn list(tickers: Option<&str>) -> Vec<InstrumentId> {
    tickers
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|ticker| !is_placeholder(ticker))
        .map(read)
        .collect()
}

fn ticker_parameter(request: &HttpRequest) -> InstrumentId {
    read(request.param("ticker").unwrap_or_default())
}

fn day(instrument: InstrumentId, range: Range, request: &HttpRequest) -> Result<Question, Rejection> {
    let adjustment = adjustment(request)?;
    Ok(Question::Bars { instrument, interval: Interval::D1, range, adjustment, session: Session::Regular })
}

fn adjustment(request: &HttpRequest) -> Result<Adjustment, Rejection> {
    match request.param("adjusted") {
        None | Some("") => Ok(Adjustment::Split),
        Some(text) if is_placeholder(text) || text.eq_ignore_ascii_case("true") => Ok(Adjustment::Split),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(Adjustment::Raw),
        Some(_) => Err(Rejection::CallersMistake),
    }
}

/// An unfilled template name means a day.
fn interval(multiplier: &str, timespan: &str) -> Result<Interval, Rejection> {
    if is_placeholder(timespan) {
        return Ok(Interval::D1);
    }
    let count = match multiplier.parse::<u32>() {
        Ok(count) if count > 0 => count,
        Err(_) if is_placeholder(multiplier) => 1,
        _ => return Err(Rejection::CallersMistake),
    };
    match (count, timespan) {
        (60, "minute") => Ok(Interval::H1),
        (240, "minute") => Ok(Interval::H4),
        (7, "day") => Ok(Interval::W1),
        (_, "second" | "minute" | "hour" | "day" | "week" | "month" | "quarter" | "year") => Interval::ALL
            .into_iter()
            .find(|interval| words(*interval) == (count, timespan))
            .ok_or(Rejection::Unsupported),
        _ => Err(Rejection::CallersMistake),
    }
}

/// Minutes and hours cover what trades before and after regular hours too.
fn session(multiplier: &str, timespan: &str) -> Result<Session, Rejection> {
    Ok(if interval(multiplier, timespan)?.is_intraday() { Session::Extended } else { Session::Regular })
}

/// A date in New York or milliseconds since 1970; as an end, the first instant after. `None` for an
/// unfilled template name.
fn moment(text: &str, is_end: bool) -> Result<Option<Instant>, Rejection> {
    if is_placeholder(text) {
        return Ok(None);
    }
    if let Ok(millis) = text.parse::<i64>() {
        return Ok(Some(Instant::from_millis(millis.saturating_add(i64::from(is_end)))));
    }
    let range = on(text)?;
    Ok(Some(if is_end { range.end } else { range.start }))
}

/// The day of a date in New York; all the time there is for an unfilled template name.
fn on(text: &str) -> Result<Range, Rejection> {
    if is_placeholder(text) {
        return Ok(ALWAYS);
    }
    let date: Date = text.parse().map_err(|_| Rejection::CallersMistake)?;
    let zone = Zone::new_york();
    let start = zone.midnight(date).ok_or(Rejection::CallersMistake)?;
    let end = date.tomorrow().ok().and_then(|next| zone.midnight(next)).unwrap_or(ALWAYS.end);
    Ok(Range::new(start, end))
}

/// The range that `name`, `name.gte`, `.gt`, `.lte` and `.lt` describe, `read` telling the first instant of a
/// value and the first after it.
fn bounded(
    request: &HttpRequest,
    name: &str,
    read: impl Fn(&str) -> Result<Range, Rejection>,
) -> Result<Range, Rejection> {
    let mut range = ALWAYS;
    for (suffix, place) in [("", 0), (".gte", 1), (".gt", 2), (".lte", 3), (".lt", 4)] {
        let Some(text) = request.param(&format!("{name}{suffix}")).filter(|text| !is_placeholder(text))
        else {
            continue;
        };
        let value = read(text)?;
        let bound = match place {
            0 => value,
            1 => Range::new(value.start, ALWAYS.end),
            2 => Range::new(value.end, ALWAYS.end),
            3 => Range::new(ALWAYS.start, value.end),
            _ => Range::new(ALWAYS.start, value.start),
        };
        range = range.intersect(bound);
    }
    Ok(range)
}

fn dated(request: &HttpRequest, name: &str) -> Result<Range, Rejection> {
    bounded(request, name, on)
}

/// Nanoseconds since 1970, RFC 3339, or a date.
fn stamped(request: &HttpRequest, name: &str) -> Result<Range, Rejection> {
    bounded(request, name, |text| {
        let at = match text.parse::<i64>() {
            Ok(nanos) => Instant::from_nanos(nanos),
            Err(_) if text.len() == 10 => return on(text),
            Err(_) => Instant::parse(text).ok_or(Rejection::CallersMistake)?,
        };
        Ok(Range::new(at, Instant::from_nanos(at.as_nanos().saturating_add(1))))
    })
}
