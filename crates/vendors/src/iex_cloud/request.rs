//! Our questions in IEX Cloud's words, and back.

use domain::{Adjustment, Date, Instant, InstrumentId, Interval, Range, Session, Venue};

use super::BATCH;
use crate::local_time::{Zone, all_time, dates_in_new_york};
use crate::symbol::{given, is_united_states, unnamed};
use crate::wire::encode_segment;
use crate::{Ask, HttpRequest, Question, Rejection};

/// Names of the API's version, all of which mean the same.
const VERSIONS: [&str; 4] = ["v1", "stable", "latest", "beta"];

/// Columns of daily bars as traded: what `filter` asks for where they are wanted.
const RAW_COLUMNS: &str = "date,uOpen,uHigh,uLow,uClose,uVolume,currency";

/// Parameters that a chart knows; any other is refused.
pub(super) const CHART_PARAMETERS: [&str; 17] = [
    "token",
    "symbols",
    "types",
    "range",
    "filter",
    "format",
    "sort",
    "chartByDay",
    "chartCloseOnly",
    "chartInterval",
    "chartIEXOnly",
    "chartLast",
    "chartSimplify",
    "chartReset",
    "changeFromClose",
    "includeToday",
    "exactDate",
];

/// Most news items one request brings.
const MOST_NEWS: u32 = 50;

/// The vendor's spelling of a share.
///
/// # Errors
/// [`Rejection::Unsupported`] for anything that trades elsewhere.
pub(super) fn spell(id: &InstrumentId) -> Result<&str, Rejection> {
    if is_united_states(id.venue()) && id.pair().is_none() {
        Ok(id.name())
    } else {
        Err(Rejection::Unsupported)
    }
}

/// The share a spelling means, in any case; unnamed for an unfilled template name.
pub(super) fn read(symbol: &str) -> InstrumentId {
    given(Some(symbol))
        .map_or_else(unnamed, |symbol| InstrumentId::new(&symbol.to_ascii_uppercase(), Venue::US))
}

pub(super) fn encode(ask: &Ask<'_>) -> Result<HttpRequest, Rejection> {
    let stock = |id: &InstrumentId, rest: &str| {
        Ok(HttpRequest::get(format!("/stock/{}/{rest}", encode_segment(spell(id)?))))
    };
    match ask.question {
        Question::Quotes { instruments, .. } => quotes(instruments),
        Question::Bars { instrument, interval, range, adjustment, .. } => {
            if range.is_empty() {
                return Err(Rejection::CallersMistake);
            }
            if !matches!(adjustment, Adjustment::Split | Adjustment::Raw) {
                return Err(Rejection::Unsupported);
            }
            let path = match interval {
                Interval::M1 => match minutes_of(*range) {
                    date if date == today(ask.now) => "chart/1d".to_owned(),
                    date => format!("chart/date/{}", compact(date)),
                },
                Interval::D1 => match dates_in_new_york(*range) {
                    (first, last) if first == last => format!("chart/date/{}", compact(first)),
                    (first, _) => format!("chart/{}", back_to(first, today(ask.now))),
                },
                _ => return Err(Rejection::Unsupported),
            };
            let mut request = stock(instrument, &path)?;
            if *interval == Interval::D1 && path.starts_with("chart/date/") {
                request = request.with("chartByDay", "true");
            }
            if *interval == Interval::D1 && *adjustment == Adjustment::Raw {
                request = request.with("filter", RAW_COLUMNS);
            }
            Ok(request)
        }
        Question::Splits { instrument, range } => {
            stock(instrument, &format!("splits/{}", within_five_years(*range, ask.now)?))
        }
        Question::Dividends { instrument, range } => {
            stock(instrument, &format!("dividends/{}", within_five_years(*range, ask.now)?))
        }
        Question::News { instrument, limit, .. } => {
            stock(instrument, &format!("news/last/{}", (*limit).clamp(1, MOST_NEWS)))
        }
        Question::Search { words, .. } => Ok(HttpRequest::get(format!("/search/{}", encode_segment(words)))),
        Question::Symbols => Ok(HttpRequest::get("/ref-data/symbols")),
        Question::Trades { .. } | Question::MarketStatus => Err(Rejection::Unsupported),
    }
}

/// One share by its quote, several by a batch; both carry the venue's bid and ask along.
fn quotes(instruments: &[InstrumentId]) -> Result<HttpRequest, Rejection> {
    let symbols = instruments.iter().map(spell).collect::<Result<Vec<_>, _>>()?;
    match symbols.as_slice() {
        [] => Err(Rejection::CallersMistake),
        many if many.len() > BATCH => Err(Rejection::Unsupported),
        [one] => Ok(HttpRequest::get(format!("/stock/{}/quote", encode_segment(one)))),
        many => {
            Ok(HttpRequest::get("/stock/market/batch").with("symbols", many.join(",")).with("types", "quote"))
        }
    }
}

/// The word for a range that reaches back to a date: at least so far, never less.
fn back_to(first: Date, today: Date) -> &'static str {
    let days = today.since((jiff::Unit::Day, first)).map_or(i32::MAX, |span| span.get_days());
    match days {
        // Five days are five sessions.
        ..=4 => "5d",
        5..=27 => "1m",
        28..=88 => "3m",
        89..=180 => "6m",
        181..=364 => "1y",
        365..=729 => "2y",
        730..=1_824 => "5y",
        _ => "max",
    }
}

/// Splits and dividends reach back five years at most.
fn within_five_years(range: Range, now: Instant) -> Result<&'static str, Rejection> {
    match back_to(dates_in_new_york(range).0, today(now)) {
        "max" => Err(Rejection::Unsupported),
        "5d" => Ok("1m"),
        word => Ok(word),
    }
}

/// The first date a word for a range reaches back to; `None` for all history.
///
/// # Errors
/// [`Rejection::CallersMistake`] for a word the vendor does not know.
pub(super) fn reaches_back(word: &str, today: Date) -> Result<Option<Date>, Rejection> {
    let back = |span: jiff::Span| today.checked_sub(span).unwrap_or(Date::MIN);
    let span = jiff::Span::new();
    Ok(Some(match word {
        "max" => return Ok(None),
        "5y" => back(span.years(5)),
        "2y" => back(span.years(2)),
        "1y" => back(span.years(1)),
        "ytd" => today.first_of_year(),
        "6m" => back(span.months(6)),
        "3m" => back(span.months(3)),
        "1m" => back(span.months(1)),
        "5d" => back(span.days(7)),
        "1d" | "next" => today,
        text if given(Some(text)).is_none() => return Ok(None),
        _ => return Err(Rejection::CallersMistake),
    }))
}

/// The date in New York.
pub(super) fn today(now: Instant) -> Date {
    Zone::new_york().date(now)
}

fn compact(date: Date) -> String {
    date.strftime("%Y%m%d").to_string()
}

/// The first date whose minutes, 09:30 to 16:00, a range meets; its first date if there is none.
fn minutes_of(range: Range) -> Date {
    let (first, _) = dates_in_new_york(range);
    let close = Zone::new_york().instant(first.at(16, 0, 0, 0));
    if close.is_some_and(|close| close <= range.start) { first.tomorrow().unwrap_or(first) } else { first }
}

/// The part of a range that one date's minutes speak for: up to the next date's open.
pub(super) fn covered(asked: Range, date: Date) -> Option<Range> {
    let zone = Zone::new_york();
    let start = zone.instant(date.yesterday().ok()?.at(16, 0, 0, 0))?;
    let end = zone.instant(date.tomorrow().ok()?.at(9, 30, 0, 0))?;
    Some(asked.intersect(Range::new(start, end)))
}

/// From midnight to midnight in New York.
pub(super) fn day(date: Date) -> Range {
    let zone = Zone::new_york();
    let start = zone.midnight(date).unwrap_or(Instant::MIN);
    let next = date.tomorrow().ok().and_then(|next| zone.midnight(next));
    Range::new(start, next.unwrap_or(Instant::MAX))
}

/// Segments of a path without the API's version.
pub(super) fn below_version(request: &HttpRequest) -> Vec<String> {
    let mut segments = request.segments();
    if segments.first().is_some_and(|first| VERSIONS.contains(&first.as_str())) {
        segments.remove(0);
    }
    segments
}

/// What a chart's path asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Chart<'a> {
    /// Days back to a date that a word means.
    Days(&'a str),
    /// One day; none where the path is a template.
    Day(Option<Date>),
    /// The minutes of a date, or of the newest day.
    Minutes(Option<Date>),
    /// Minutes while the market is open, else days.
    Dynamic,
}

/// Reads the part of a path after `chart`.
///
/// # Errors
/// [`Rejection::Unsupported`] for spans we have no interval for, [`Rejection::CallersMistake`] for what the
/// vendor would refuse.
pub(super) fn chart<'a>(rest: &[&'a str], request: &'a HttpRequest) -> Result<Chart<'a>, Rejection> {
    if request.query.iter().any(|(name, _)| !CHART_PARAMETERS.contains(&name.as_str())) {
        return Err(Rejection::CallersMistake);
    }
    let by_day = request.param("chartByDay").is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
    match rest {
        ["date", text] => {
            let date = match given(Some(text)) {
                Some(text) => Some(Date::strptime("%Y%m%d", text).map_err(|_| Rejection::CallersMistake)?),
                None => None,
            };
            Ok(if by_day { Chart::Day(date) } else { Chart::Minutes(date) })
        }
        ["1d"] => Ok(Chart::Minutes(None)),
        ["1mm" | "5dm"] => Err(Rejection::Unsupported),
        ["dynamic"] => Ok(Chart::Dynamic),
        [] => Ok(Chart::Days(request.param("range").unwrap_or("1m"))),
        [word] => Ok(Chart::Days(word)),
        _ => Err(Rejection::Unsupported),
    }
}

/// Whether a request asks for a kind in its `types`.
pub(super) fn wants(request: &HttpRequest, kind: &str) -> bool {
    request.param("types").unwrap_or_default().split(',').any(|word| word.trim() == kind)
}

/// Whether the columns as traded are asked for.
pub(super) fn is_raw(request: &HttpRequest) -> bool {
    request.param("filter").is_some_and(|filter| {
        let mut columns = filter.split(',').map(str::trim);
        columns.clone().any(|column| column == "uClose") && !columns.any(|column| column == "close")
    })
}

pub(super) fn decode(request: &HttpRequest) -> Result<Question, Rejection> {
    let segments = below_version(request);
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["stock", "market", "batch"] => batch(symbols(request), request),
        ["stock", symbol, "batch"] => batch(vec![read(symbol)], request),
        ["tops"] | ["tops", "last"] => Ok(Question::Quotes { instruments: symbols(request), bid_ask: true }),
        ["stock", "market", ..] => Err(Rejection::Unsupported),
        ["stock", symbol, "quote" | "price" | "ohlc"] => {
            Ok(Question::Quotes { instruments: vec![read(symbol)], bid_ask: false })
        }
        ["stock", symbol, "chart", rest @ ..] => bars(read(symbol), chart(rest, request)?, request),
        ["stock", symbol, "previous"] => bars(read(symbol), Chart::Days("5d"), request),
        ["stock", symbol, "intraday-prices"] => bars(read(symbol), Chart::Minutes(None), request),
        ["stock", symbol, "splits", rest @ ..] => {
            known_range(rest)?;
            Ok(Question::Splits { instrument: read(symbol), range: all_time() })
        }
        ["stock", symbol, "dividends", rest @ ..] => {
            known_range(rest)?;
            Ok(Question::Dividends { instrument: read(symbol), range: all_time() })
        }
        ["stock", symbol, "news"] => news(symbol, "10"),
        ["stock", symbol, "news", "last", count] => news(symbol, count),
        ["search", words] => {
            let words = given(Some(words)).unwrap_or_default().to_owned();
            Ok(Question::Search { words, limit: super::lists::MOST_MATCHES })
        }
        ["ref-data", "symbols"]
        | ["ref-data", "iex" | "otc", "symbols"]
        | ["ref-data", "exchange" | "region", _, "symbols"] => Ok(Question::Symbols),
        _ => Err(Rejection::Unsupported),
    }
}

fn bars(instrument: InstrumentId, chart: Chart<'_>, request: &HttpRequest) -> Result<Question, Rejection> {
    let (interval, range) = match chart {
        Chart::Days(word) => {
            reaches_back(word, Date::constant(2000, 1, 1))?;
            (Interval::D1, all_time())
        }
        Chart::Day(date) => (Interval::D1, date.map_or_else(all_time, day)),
        Chart::Minutes(date) => (Interval::M1, date.map_or_else(all_time, day)),
        Chart::Dynamic => (Interval::D1, all_time()),
    };
    let is_raw = interval.is_intraday() || is_raw(request);
    let adjustment = if is_raw { Adjustment::Raw } else { Adjustment::Split };
    Ok(Question::Bars { instrument, interval, range, adjustment, session: Session::Regular })
}

/// A batch of quotes, or of charts, which may carry quotes along.
fn batch(instruments: Vec<InstrumentId>, request: &HttpRequest) -> Result<Question, Rejection> {
    if wants(request, "chart") {
        let rest = request.param("range").into_iter().collect::<Vec<_>>();
        let first = instruments.into_iter().next().unwrap_or_else(unnamed);
        return bars(first, chart(&rest, request)?, request);
    }
    match given(request.param("types")) {
        Some(_) if !wants(request, "quote") => Err(Rejection::Unsupported),
        _ => Ok(Question::Quotes { instruments, bid_ask: false }),
    }
}

fn symbols(request: &HttpRequest) -> Vec<InstrumentId> {
    let list = given(request.param("symbols")).unwrap_or_default();
    list.split(',').filter(|symbol| given(Some(symbol)).is_some()).map(read).collect()
}

fn known_range(rest: &[&str]) -> Result<(), Rejection> {
    match rest {
        [] => Ok(()),
        [word] => reaches_back(word, Date::constant(2000, 1, 1)).map(drop),
        _ => Err(Rejection::Unsupported),
    }
}

fn news(symbol: &str, count: &str) -> Result<Question, Rejection> {
    let limit = match given(Some(count)) {
        Some(count) => count.parse().map_err(|_| Rejection::CallersMistake)?,
        None => 10,
    };
    Ok(Question::News { instrument: read(symbol), range: all_time(), limit })
}
