//! The gateway's end: how to ask Yahoo, and what its replies mean.

use std::time::Duration;

use domain::{BarSeries, Instant, Interval, Range};

use super::{
    CRUMB_PATH, Endpoint, QUOTE_PATH, SEARCH_PATH, chart, interval_of, interval_word, quotes, refusal, symbol,
};
use crate::body::is_html;
use crate::symbol::given;
use crate::wire::encode_segment;
use crate::{Ask, Data, Decoded, HttpRequest, HttpResponse, Question, Quoted, Rejection, Session};

/// A bare client is answered 429 whatever its rate.
const USER_AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";

/// A crumb refused this soon after it was fetched is not fetched again: the refusal is not about its age.
const YOUNG: Duration = Duration::from_secs(60);

/// Names of what a session holds.
const COOKIE: &str = "cookie";
const CRUMB: &str = "crumb";
const CRUMB_SINCE: &str = "crumb_since";

/// How far back bars reach.
///
/// Source: yfinance, history.py, and Yahoo's own error texts, read 2026-10-15.
pub(super) fn reach(interval: Interval) -> Option<Duration> {
    let days = match interval {
        Interval::M1 => 30,
        Interval::M5 | Interval::M15 | Interval::M30 => 60,
        Interval::H1 => 730,
        _ => return None,
    };
    Some(Duration::from_secs(days * 86_400))
}

/// What one call may span.
///
/// Source: Yahoo's error text `Only 7 days worth of 1m granularity data are allowed to be fetched per
/// request.`, read 2026-10-15.
pub(super) fn longest_range(interval: Interval) -> Option<Duration> {
    (interval == Interval::M1).then_some(Duration::from_secs(7 * 86_400))
}

fn get(path: impl Into<String>) -> HttpRequest {
    HttpRequest::get(path).with_header("user-agent", USER_AGENT)
}

fn chart_request(symbol: &str, range: Range) -> HttpRequest {
    // The end is exclusive on both sides of the wire; a fraction of a second is rounded to hold the range.
    let end = range.end.as_secs() + i64::from(range.end.as_nanos().rem_euclid(1_000_000_000) > 0);
    get(format!("/v8/finance/chart/{}", encode_segment(symbol)))
        .with("period1", range.start.as_secs())
        .with("period2", end)
}

pub(super) fn encode_request(ask: &Ask<'_>) -> Result<HttpRequest, Rejection> {
    match ask.question {
        Question::Quotes { instruments, bid_ask } => match instruments.as_slice() {
            [] => Err(Rejection::Unsupported),
            [one] if !bid_ask => {
                let path = format!("/v8/finance/chart/{}", encode_segment(&symbol::spell(one)?));
                Ok(get(path).with("range", "1d").with("interval", "1d").with("includePrePost", false))
            }
            _ => {
                let request = quote_request(ask.question)?;
                Ok(match (ask.session.get(COOKIE), ask.session.get(CRUMB)) {
                    (Some(cookie), Some(crumb)) => with_crumb(request, cookie, crumb),
                    _ => cookie_request(),
                })
            }
        },
        Question::Bars { instrument, interval, range, session, .. } => {
            let word = interval_word(*interval).ok_or(Rejection::Unsupported)?;
            Ok(chart_request(&symbol::spell(instrument)?, *range)
                .with("interval", word)
                .with("includePrePost", *session == domain::Session::Extended)
                .with("events", "div,splits,capitalGains"))
        }
        // Events are dated to the day whatever the interval, and few rows come along.
        Question::Splits { instrument, range } => Ok(chart_request(&symbol::spell(instrument)?, *range)
            .with("interval", "3mo")
            .with("events", "splits")),
        Question::Dividends { instrument, range } => Ok(chart_request(&symbol::spell(instrument)?, *range)
            .with("interval", "3mo")
            .with("events", "div,capitalGains")),
        Question::Search { words, limit } => Ok(search_request(words, *limit, 0)),
        Question::News { instrument, limit, .. } => {
            Ok(search_request(&symbol::spell(instrument)?, 0, *limit))
        }
        Question::Trades { .. } | Question::Symbols | Question::MarketStatus => Err(Rejection::Unsupported),
    }
}

fn search_request(words: &str, quotes: u32, news: u32) -> HttpRequest {
    get(SEARCH_PATH)
        .with("q", words)
        .with("quotesCount", quotes)
        .with("newsCount", news)
        .with("enableFuzzyQuery", false)
}

/// The quotes themselves, without cookie and crumb.
fn quote_request(question: &Question) -> Result<HttpRequest, Rejection> {
    let Question::Quotes { instruments, .. } = question else { return Err(Rejection::Unsupported) };
    let symbols: Vec<String> = instruments.iter().map(symbol::spell).collect::<Result<_, _>>()?;
    Ok(get(QUOTE_PATH).with("symbols", symbols.join(",")))
}

fn with_crumb(request: HttpRequest, cookie: &str, crumb: &str) -> HttpRequest {
    request.with("crumb", crumb).with_header("cookie", cookie)
}

fn cookie_request() -> HttpRequest {
    get(super::COOKIE_URL)
}

pub(super) fn decode_response(
    ask: &Ask<'_>,
    sent: &HttpRequest,
    response: &HttpResponse,
) -> Result<Decoded, Rejection> {
    let endpoint = Endpoint::of(sent);
    if endpoint == Endpoint::Cookie {
        return after_cookie(response);
    }
    match refusal::of(response) {
        Some(Rejection::Unauthorized) if endpoint == Endpoint::Quote => return renew(ask, sent),
        Some(rejection) => return Err(rejection),
        None => {}
    }
    match (endpoint, ask.question) {
        (Endpoint::Crumb, _) => after_crumb(ask, sent, response),
        (Endpoint::Chart(_), question) => after_chart(question, sent, response),
        (Endpoint::Quote, Question::Quotes { instruments, .. }) => {
            Ok(Decoded::Whole(Data::Quotes(quotes::read(response, instruments)?)))
        }
        (Endpoint::Spark, Question::Bars { instrument, .. }) => {
            let asked = asked_interval(sent)?;
            let charts = chart::read_spark(response)?;
            let alone = charts.len() == 1;
            let series = charts.iter().map(|chart| {
                let told = if alone {
                    chart.instrument(instrument)
                } else {
                    chart.instrument(&crate::symbol::unnamed())
                };
                chart.series(told?, asked)
            });
            let mut series: Vec<BarSeries> = series.collect::<Result<_, _>>()?;
            Ok(Decoded::Whole(match series.pop() {
                Some(only) if series.is_empty() => Data::Bars(only),
                Some(last) => {
                    series.push(last);
                    Data::ManyBars(series)
                }
                None => return Err(Rejection::UnknownSymbol),
            }))
        }
        (Endpoint::Search, Question::Search { .. }) => {
            Ok(Decoded::Whole(Data::Instruments(quotes::read_search(response)?)))
        }
        (Endpoint::Search, Question::News { .. }) => {
            Ok(Decoded::Whole(Data::News(quotes::read_news(response)?)))
        }
        _ => Err(otherwise(response)),
    }
}

/// A reply to something we do not ask, or not so: the error inside, else a payload we have no word for.
fn otherwise(response: &HttpResponse) -> Rejection {
    refusal::inside(response.status, &response.body).unwrap_or_else(|| {
        match serde_json::from_slice::<serde::de::IgnoredAny>(crate::body::without_mark(&response.body)) {
            Ok(_) => Rejection::Unsupported,
            Err(_) => Rejection::unreadable("JSON"),
        }
    })
}

/// The interval a request names, if it does.
fn asked_interval(sent: &HttpRequest) -> Result<Option<Interval>, Rejection> {
    match given(sent.param("interval")) {
        Some(word) => interval_of(word)?.map(Some).ok_or(Rejection::Unsupported),
        None => Ok(None),
    }
}

fn after_chart(
    question: &Question,
    sent: &HttpRequest,
    response: &HttpResponse,
) -> Result<Decoded, Rejection> {
    match question {
        Question::Bars { instrument, .. } => {
            let asked = asked_interval(sent)?;
            let chart = chart::read(response)?;
            Ok(Decoded::Whole(Data::Bars(chart.series(chart.instrument(instrument)?, asked)?)))
        }
        Question::Splits { instrument, .. } | Question::Dividends { instrument, .. } => {
            let chart = chart::read(response)?;
            let mut actions = chart.actions(&chart.instrument(instrument)?)?;
            let splits = matches!(question, Question::Splits { .. });
            actions.retain(|action| matches!(action.kind, domain::ActionKind::Split { .. }) == splits);
            Ok(Decoded::Whole(Data::Actions(actions)))
        }
        Question::Quotes { instruments, .. } => {
            let chart = chart::read(response)?;
            let instrument = match instruments.as_slice() {
                [one] => chart.instrument(one)?,
                _ => chart.instrument(&crate::symbol::unnamed())?,
            };
            Ok(Decoded::Whole(Data::Quotes(vec![Quoted { instrument, quote: Ok(chart.quote()?) }])))
        }
        _ => Err(otherwise(response)),
    }
}

/// The cookie service's reply, whose status is irrelevant: with a cookie, the crumb comes next.
fn after_cookie(response: &HttpResponse) -> Result<Decoded, Rejection> {
    let pairs: Vec<&str> = response
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        .filter_map(|(_, value)| value.split(';').next())
        .map(str::trim)
        .filter(|pair| pair.contains('='))
        .collect();
    if pairs.is_empty() {
        return Err(refusal::of(response).unwrap_or(Rejection::unreadable("a session cookie")));
    }
    let cookie = pairs.join("; ");
    let mut learned = Session::default();
    learned.set(COOKIE, cookie.clone());
    Ok(Decoded::AskNext { learned, request: get(CRUMB_PATH).with_header("cookie", cookie) })
}

/// The crumb, in plain text: about 11 characters. Anything else that may come in its place is refused.
fn after_crumb(ask: &Ask<'_>, sent: &HttpRequest, response: &HttpResponse) -> Result<Decoded, Rejection> {
    let crumb = std::str::from_utf8(&response.body).map(str::trim).unwrap_or_default();
    if crumb.starts_with('{') {
        return Err(otherwise(response));
    }
    let sound = !is_html(&response.body)
        && (1..=64).contains(&crumb.len())
        && crumb.bytes().all(|byte| byte.is_ascii_graphic());
    if !sound {
        return Err(Rejection::unreadable("a crumb"));
    }
    let cookie = sent.header("cookie").or(ask.session.get(COOKIE)).unwrap_or_default();
    let mut learned = Session::default();
    learned.set(CRUMB, crumb);
    learned.set(CRUMB_SINCE, ask.now.to_string());
    Ok(Decoded::AskNext { learned, request: with_crumb(quote_request(ask.question)?, cookie, crumb) })
}

/// After a refused crumb: another one, unless this one was fetched just now.
fn renew(ask: &Ask<'_>, sent: &HttpRequest) -> Result<Decoded, Rejection> {
    let (Some(crumb), Some(cookie)) = (ask.session.get(CRUMB), ask.session.get(COOKIE)) else {
        return Err(Rejection::Unauthorized);
    };
    if sent.param("crumb").is_some_and(|refused| refused != crumb) {
        // Another request has renewed it meanwhile.
        let request = with_crumb(quote_request(ask.question)?, cookie, crumb);
        return Ok(Decoded::AskNext { learned: Session::default(), request });
    }
    let since = ask.session.get(CRUMB_SINCE).and_then(Instant::parse);
    if since.is_some_and(|since| ask.now.since(since) < YOUNG) {
        return Err(Rejection::Unauthorized);
    }
    Ok(Decoded::AskNext { learned: Session::default(), request: cookie_request() })
}
