//! What IEX Cloud would say: its shapes, order, ranges, costs and refusals.

use domain::{
    ActionKind, Bar, BarSeries, CorporateAction, Date, Instant, Instrument, InstrumentKind, Interval,
    MarketPhase, NewsItem, Price, Quote, Ratio, Size, Unit, Venue,
};
use jiff::civil::DateTime;

use super::ZONE;
use super::lists::EXCHANGES;
use super::quotes::{DELAYED_SOURCE, OWN_SOURCE};
use super::reply::{BAD_KEY, BAD_REQUEST, UNKNOWN_SYMBOL};
use super::request::{self, Chart, below_version, is_raw, reaches_back, today, wants};
use crate::body::{Object, array, quoted};
use crate::local_time::Zone;
use crate::number::counts;
use crate::{Data, HttpRequest, HttpResponse, Quoted, Rejection};

/// Content type of plain text.
const TEXT: &str = "text/html; charset=utf-8";

/// A body and what it cost in messages.
type Costed = (String, usize);

pub(super) fn encode(request: &HttpRequest, outcome: &Result<Data, Rejection>, now: Instant) -> HttpResponse {
    let answer = match outcome {
        Ok(data) => answer(request, data, now),
        Err(rejection) => Err(rejection.clone()),
    };
    match answer {
        Ok((body, messages)) => HttpResponse::json(200, body).with_header("iexcloud-messages-used", messages),
        Err(rejection) => refusal(request, &rejection),
    }
}

fn answer(request: &HttpRequest, data: &Data, now: Instant) -> Result<Costed, Rejection> {
    let segments = below_version(request);
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (path.as_slice(), data) {
        (["stock", "market", "batch"], Data::Quotes(quotes)) => {
            let entry = |quoted: &Quoted| {
                let body =
                    Object::new().raw("quote", quote(quoted.instrument.name(), quoted.quote.as_ref().ok()?));
                Some((quoted.instrument.name().to_owned(), body.end()))
            };
            let entries: Vec<_> = quotes.iter().filter_map(entry).collect();
            Ok((object(&entries), entries.len()))
        }
        (["stock", "market", "batch"], Data::ManyBars(many)) => charts(request, many, now),
        (["stock", "market", "batch"], Data::Bars(series)) => {
            charts(request, std::slice::from_ref(series), now)
        }
        (["stock", _, "batch"], Data::Bars(series)) => {
            let (body, messages) = batched(request, series, now)?;
            Ok((body, messages))
        }
        (["tops"], Data::Quotes(quotes)) => {
            let rows: Vec<String> = quotes.iter().filter_map(top).collect();
            let messages = rows.len();
            Ok((array(rows), messages))
        }
        (["tops", "last"], Data::Quotes(quotes)) => {
            let rows: Vec<String> = quotes.iter().filter_map(last_trade).collect();
            let messages = rows.len();
            Ok((array(rows), messages))
        }
        (["stock", _, kind], Data::Quotes(quotes)) => {
            let Quoted { instrument, quote: found } = quotes.first().ok_or(Rejection::NoData)?;
            let found = found.as_ref().map_err(Clone::clone)?;
            match *kind {
                "price" => Ok((found.last.ok_or(Rejection::NoData)?.to_string(), 1)),
                "ohlc" => Ok((official(instrument.name(), found), 2)),
                "batch" => Ok((Object::new().raw("quote", quote(instrument.name(), found)).end(), 1)),
                "quote" => Ok((quote(instrument.name(), found), 1)),
                _ => Err(Rejection::VendorFault { status: 500 }),
            }
        }
        (["stock", _, "previous"], Data::Bars(series)) => {
            let newest = series.bars.iter().rev().find(|bar| bar.is_final).ok_or(Rejection::NoData)?;
            Ok((row(request, series, newest).end(), 2))
        }
        (["stock", _, "intraday-prices"], Data::Bars(series)) => {
            chart(request, series, Chart::Minutes(None), now)
        }
        (["stock", _, "chart", rest @ ..], Data::Bars(series)) => {
            chart(request, series, request::chart(rest, request)?, now)
        }
        (["stock", _, kind @ ("splits" | "dividends"), rest @ ..], Data::Actions(actions)) => {
            let first = reaches_back(rest.first().unwrap_or(&"1m"), today(now))?;
            let kept =
                actions.iter().rev().filter(|action| first.is_none_or(|first| action.ex_date >= first));
            let rows: Vec<String> = kept
                .filter_map(|action| if *kind == "splits" { split(action) } else { dividend(action) })
                .collect();
            let messages = 10 * rows.len();
            Ok((array(rows), messages))
        }
        (["stock", _, "news", ..], Data::News(items)) => {
            let count = path.last().and_then(|count| count.parse().ok()).unwrap_or(10);
            let rows: Vec<String> = items.iter().take(count).map(news).collect();
            let messages = 10 * rows.len();
            Ok((array(rows), messages))
        }
        (["search", _], Data::Instruments(instruments)) => {
            Ok((array(instruments.iter().map(|instrument| listed(instrument, true))), 1))
        }
        (["ref-data", .., "symbols"], Data::Instruments(instruments)) => {
            Ok((array(instruments.iter().map(|instrument| listed(instrument, false))), 100))
        }
        _ => Err(Rejection::VendorFault { status: 500 }),
    }
}

fn object(entries: &[(String, String)]) -> String {
    entries.iter().fold(Object::new(), |object, (name, value)| object.raw(name, value)).end()
}

/// Charts of several symbols.
fn charts(request: &HttpRequest, many: &[BarSeries], now: Instant) -> Result<Costed, Rejection> {
    let mut entries = Vec::new();
    let mut messages = 0;
    for series in many {
        let (body, cost) = batched(request, series, now)?;
        entries.push((series.instrument.name().to_owned(), body));
        messages += cost;
    }
    Ok((object(&entries), messages))
}

/// What a batch says of one symbol.
fn batched(request: &HttpRequest, series: &BarSeries, now: Instant) -> Result<Costed, Rejection> {
    let rest: Vec<&str> = request.param("range").into_iter().collect();
    let (body, mut messages) = chart(request, series, request::chart(&rest, request)?, now)?;
    let mut entry = Object::new().raw("chart", body);
    if let Some(found) = series.quote.as_ref().filter(|_| wants(request, "quote")) {
        entry = entry.raw("quote", quote(series.instrument.name(), found));
        messages += 1;
    }
    Ok((entry.end(), messages))
}

/// Local date and time of a bar's start.
fn local(bar: &Bar) -> DateTime {
    let midnight = bar.trading_date.map(|date| date.at(0, 0, 0, 0));
    let zone = jiff::tz::TimeZone::get(ZONE).unwrap_or(jiff::tz::TimeZone::UTC);
    midnight.unwrap_or_else(|| zone.to_datetime(bar.start.to_timestamp()))
}

/// Rows of a chart: those its range reaches back to, counted from today.
fn chart(
    request: &HttpRequest,
    series: &BarSeries,
    chart: Chart<'_>,
    now: Instant,
) -> Result<Costed, Rejection> {
    let is_minutes = series.interval == Interval::M1;
    let zone = Zone::named(ZONE).ok_or(Rejection::VendorFault { status: 500 })?;
    let today = today(now);
    let mut date_of = |bar: &Bar| bar.trading_date.unwrap_or_else(|| zone.date(bar.start));
    let mut kept: Vec<&Bar> = match chart {
        Chart::Days(word) => {
            let first = reaches_back(word, today)?.unwrap_or(Date::MIN);
            series.bars.iter().filter(|bar| date_of(bar) >= first).collect()
        }
        Chart::Day(Some(date)) | Chart::Minutes(Some(date)) => {
            series.bars.iter().filter(|bar| date_of(bar) == date).collect()
        }
        Chart::Minutes(None) => {
            let newest = series.bars.iter().filter(|bar| bar.start <= now).map(&mut date_of).max();
            series.bars.iter().filter(|bar| Some(date_of(bar)) == newest).collect()
        }
        Chart::Day(None) | Chart::Dynamic => series.bars.iter().collect(),
    };
    if let Some(step) = number(request, "chartInterval").filter(|step| *step > 1) {
        kept = kept.into_iter().step_by(step).collect();
    }
    if let Some(count) = number(request, "chartLast") {
        kept.drain(..kept.len().saturating_sub(count));
    }
    if request.param("sort") == Some("desc") {
        kept.reverse();
    }
    let rows: Vec<String> = kept.iter().map(|bar| row(request, series, bar).end()).collect();
    let messages = match chart {
        Chart::Day(_) => 2,
        Chart::Minutes(Some(_)) => 50,
        _ if is_minutes => 0,
        _ if is_set(request, "chartCloseOnly") => 2 * rows.len(),
        _ => 10 * rows.len(),
    };
    let body = array(rows);
    Ok(match chart {
        Chart::Dynamic => {
            let range = if is_minutes { "1d" } else { "1m" };
            (Object::new().text("range", range).raw("data", body).end(), messages)
        }
        _ => (body, messages),
    })
}

fn number(request: &HttpRequest, name: &str) -> Option<usize> {
    request.param(name)?.parse().ok()
}

fn is_set(request: &HttpRequest, name: &str) -> bool {
    request.param(name).is_some_and(|flag| flag.eq_ignore_ascii_case("true"))
}

/// A day or a minute.
fn row(request: &HttpRequest, series: &BarSeries, bar: &Bar) -> Object {
    let at = local(bar);
    let row = Object::new().text("date", &at.date().to_string());
    let currency = series.denomination.map(|denomination| denomination.currency);
    if series.interval == Interval::M1 {
        return row
            .text("minute", &at.strftime("%H:%M").to_string())
            .text("label", &at.strftime("%I:%M %p").to_string())
            .number("high", bar.high)
            .number("low", bar.low)
            .number("open", bar.open)
            .number("close", bar.close)
            .number("average", bar.vwap)
            .raw("volume", bar.volume.unwrap_or(Size::ZERO))
            .raw("numberOfTrades", bar.trade_count.unwrap_or(0));
    }
    if is_raw(request) {
        return row
            .number("uOpen", bar.open)
            .number("uHigh", bar.high)
            .number("uLow", bar.low)
            .number("uClose", bar.close)
            .number("uVolume", bar.volume)
            .text("currency", currency.as_ref().map_or("", |currency| currency.as_str()));
    }
    if is_set(request, "chartCloseOnly") {
        return row.number("close", bar.close).number("volume", bar.volume);
    }
    row.number("open", bar.open)
        .number("close", bar.close)
        .number("high", bar.high)
        .number("low", bar.low)
        .number("volume", bar.volume)
        .if_any("fClose", bar.vendor_adjusted_close)
        .text("symbol", series.instrument.name())
        .text("currency", currency.as_ref().map_or("", |currency| currency.as_str()))
        .text("label", &at.strftime("%b %-d").to_string())
}

fn millis(quote: &Quote) -> Option<i64> {
    quote.event_time.map(Instant::as_millis)
}

/// Where there is no order the vendor writes zero.
fn or_zero(price: Option<Price>) -> Price {
    price.unwrap_or(Price::ZERO)
}

fn quote(symbol: &str, quote: &Quote) -> String {
    let is_open = quote.phase == Some(MarketPhase::Open);
    let source = match quote.stated_delay {
        Some(delay) if !delay.is_zero() => DELAYED_SOURCE,
        // Only the venue's own price has a size.
        _ if is_open || quote.last_size.is_some() => OWN_SOURCE,
        _ => "Close",
    };
    let change = quote
        .last
        .zip(quote.previous_close)
        .and_then(|(last, close)| last.decimal().checked_sub(close.decimal()))
        .map(Price::new);
    Object::new()
        .text("symbol", symbol)
        .text("calculationPrice", if is_open { "tops" } else { "close" })
        .number("open", quote.open)
        .number("high", quote.high)
        .number("low", quote.low)
        .number("latestPrice", quote.last)
        .text("latestSource", source)
        .number("latestUpdate", millis(quote))
        .number("latestVolume", quote.volume)
        .if_any("iexRealtimeSize", quote.last_size)
        .number("previousClose", quote.previous_close)
        .number("change", change)
        .raw("iexBidPrice", or_zero(quote.bid))
        .raw("iexBidSize", quote.bid_size.unwrap_or(Size::ZERO))
        .raw("iexAskPrice", or_zero(quote.ask))
        .raw("iexAskSize", quote.ask_size.unwrap_or(Size::ZERO))
        .text_if_any("currency", quote.denomination.as_ref().map(|d| d.currency.as_str()))
        .raw("isUSMarketOpen", is_open)
        .end()
}

fn official(symbol: &str, quote: &Quote) -> String {
    let print =
        |price: Option<Price>| Object::new().number("price", price).number("time", millis(quote)).end();
    Object::new()
        .raw("open", print(quote.open))
        .raw("close", print(quote.last))
        .number("high", quote.high)
        .number("low", quote.low)
        .text("symbol", symbol)
        .end()
}

fn top(quoted: &Quoted) -> Option<String> {
    let quote = quoted.quote.as_ref().ok()?;
    let row = Object::new()
        .text("symbol", quoted.instrument.name())
        .raw("bidSize", quote.bid_size.unwrap_or(Size::ZERO))
        .raw("bidPrice", or_zero(quote.bid))
        .raw("askSize", quote.ask_size.unwrap_or(Size::ZERO))
        .raw("askPrice", or_zero(quote.ask))
        .raw("volume", quote.volume.unwrap_or(Size::ZERO))
        .raw("lastSalePrice", or_zero(quote.last))
        .raw("lastSaleSize", quote.last_size.unwrap_or(Size::ZERO));
    Some(
        row.raw("lastSaleTime", millis(quote).unwrap_or(0))
            .raw("lastUpdated", millis(quote).unwrap_or(0))
            .end(),
    )
}

fn last_trade(quoted: &Quoted) -> Option<String> {
    let quote = quoted.quote.as_ref().ok()?;
    let row = Object::new().text("symbol", quoted.instrument.name()).raw("price", quote.last?);
    Some(row.raw("size", quote.last_size.unwrap_or(Size::ZERO)).raw("time", millis(quote)?).end())
}

/// Dates the vendor does not know are written as zeros.
fn date(date: Option<Date>) -> String {
    date.map_or_else(|| "0000-00-00".to_owned(), |date| date.to_string())
}

fn split(action: &CorporateAction) -> Option<String> {
    let ActionKind::Split { new_per_old } = &action.kind else { return None };
    let (to, from) = counts(*new_per_old);
    Some(
        Object::new()
            .text("exDate", &action.ex_date.to_string())
            .text("declaredDate", &date(action.declared))
            .raw("ratio", new_per_old.inverse().unwrap_or(Ratio::ONE).round(6))
            .raw("fromFactor", from)
            .raw("toFactor", to)
            .text("description", action.description.as_deref().unwrap_or_default())
            .text("symbol", action.instrument.name())
            .end(),
    )
}

fn dividend(action: &CorporateAction) -> Option<String> {
    let ActionKind::Dividend { amount, denomination } = &action.kind else { return None };
    let currency = denomination.filter(|denomination| denomination.unit == Unit::Major).map(|d| d.currency);
    Some(
        Object::new()
            .text("exDate", &action.ex_date.to_string())
            .text("paymentDate", &date(action.payable))
            .text("recordDate", &date(action.record))
            .text("declaredDate", &date(action.declared))
            .raw("amount", amount)
            .text_if_any("currency", currency.as_ref().map(|currency| currency.as_str()))
            .text("description", action.description.as_deref().unwrap_or_default())
            .text("symbol", action.instrument.name())
            .end(),
    )
}

fn news(item: &NewsItem) -> String {
    let related: Vec<&str> = item.instruments.iter().map(|id| id.name()).collect();
    Object::new()
        .raw("datetime", item.published.as_millis())
        .text("headline", &item.headline)
        .text("source", item.publisher.as_deref().unwrap_or_default())
        .text("url", item.url.as_deref().unwrap_or_default())
        .text("summary", item.summary.as_deref().unwrap_or("No summary available."))
        .text("related", &related.join(","))
        .text("lang", "en")
        .raw("hasPaywall", false)
        .end()
}

/// A row of the list of symbols, or of a search, which has other names for the same.
fn listed(instrument: &Instrument, is_match: bool) -> String {
    let venue = instrument.id.venue();
    let known = EXCHANGES.iter().find(|(_, ours)| *ours == venue.as_str()).map(|(theirs, _)| *theirs);
    let exchange = known.unwrap_or(if venue == Venue::US { "" } else { venue.as_str() });
    let kind = match instrument.kind {
        InstrumentKind::Equity => "cs",
        InstrumentKind::Etf => "et",
        InstrumentKind::Fund => "oef",
        _ => "",
    };
    let (name, kind_name) = if is_match { ("securityName", "securityType") } else { ("name", "type") };
    let currency = instrument.denomination.map(|denomination| denomination.currency);
    Object::new()
        .text("symbol", instrument.id.name())
        .text("exchange", exchange)
        .raw(name, instrument.description.as_deref().map_or_else(|| "null".to_owned(), quoted))
        .text(kind_name, kind)
        .text("region", "US")
        .text_if_any("currency", currency.as_ref().map(|currency| currency.as_str()))
        .raw("isEnabled", instrument.delisted.is_none())
        .end()
}

fn refusal(request: &HttpRequest, rejection: &Rejection) -> HttpResponse {
    let text = |status, text: &str| HttpResponse::new(status, TEXT, text);
    let segments = below_version(request);
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    match rejection {
        Rejection::UnknownSymbol => match path.as_slice() {
            ["stock", "market", "batch"] => HttpResponse::json(200, "{}"),
            ["tops", ..] | ["search", ..] | ["ref-data", ..] => HttpResponse::json(200, "[]"),
            _ => text(404, UNKNOWN_SYMBOL),
        },
        Rejection::NoData => match path.as_slice() {
            ["stock", "market", "batch"] => HttpResponse::json(200, "{}"),
            ["stock", _, "quote" | "price" | "ohlc" | "previous" | "batch"] => {
                HttpResponse::json(200, "null")
            }
            ["stock", _, "chart", "dynamic"] => HttpResponse::json(200, r#"{"range":"1m","data":[]}"#),
            _ => HttpResponse::json(200, "[]"),
        },
        Rejection::Unauthorized => text(403, BAD_KEY),
        Rejection::NotEntitled => text(402, "The requested data is not available on your plan."),
        Rejection::QuotaSpent { .. } => text(402, "You have used all of your messages for the month."),
        Rejection::RateLimited { retry_after, .. } => {
            let response = text(429, "Too many requests");
            match retry_after {
                Some(wait) => response.with_header("retry-after", wait.as_secs().max(1)),
                None => response,
            }
        }
        Rejection::CallersMistake => match stranger(&path, request) {
            Some(name) => {
                let error = format!("\"{name}\" is not allowed");
                HttpResponse::json(400, Object::new().text("error", &error).end())
            }
            None => text(400, BAD_REQUEST),
        },
        Rejection::Unsupported => text(404, "Not found"),
        Rejection::Banned { .. } => text(403, "<html><body>Forbidden</body></html>"),
        Rejection::VendorFault { status } if (200..300).contains(status) => {
            text(*status, "<html><body>Unavailable</body></html>")
        }
        Rejection::VendorFault { status } => text(*status, "Internal server error"),
        Rejection::Unreadable { .. } => HttpResponse::json(200, r#"[{"date":"#),
    }
}

/// The parameter a chart does not know.
fn stranger<'a>(path: &[&str], request: &'a HttpRequest) -> Option<&'a str> {
    if !path.contains(&"chart") {
        return None;
    }
    let is_known = |name: &&str| request::CHART_PARAMETERS.contains(name);
    request.query.iter().map(|(name, _)| name.as_str()).find(|name| !is_known(name))
}
