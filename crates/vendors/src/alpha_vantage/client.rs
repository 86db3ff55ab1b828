//! The gateway's end: how to ask Alpha Vantage, and what its replies mean.

use std::time::Duration;

use domain::{
    ActionKind, Adjustment, BarSeries, CorporateAction, Date, Delivery, Denomination, Instant, Instrument,
    InstrumentId, Interval, MarketPhase, MarketStatus, NewsItem, Price, Quote, Range, Ratio, Session, Size,
};
use serde_json::value::RawValue;

use super::refusal::{self, Members};
use super::table::{Row, csv_rows, row, rows};
use super::{Function, HOME, bars, interval_of, interval_word, symbol};
use crate::body::without_mark;
use crate::local_time::local_date;
use crate::number::decimal;
use crate::symbol::{given, unnamed};
use crate::{Ask, Data, Decoded, HttpRequest, HttpResponse, Question, Quoted, Rejection};

/// Rows of `outputsize=compact`.
const COMPACT_ROWS: u32 = 100;
/// Calendar days that 100 trading days surely span.
const COMPACT_DAYS: u64 = 130;
/// What `outputsize=full` of intraday rows covers without `month`.
const TRAILING: Duration = Duration::from_secs(29 * 86_400);

fn call(function: Function) -> HttpRequest {
    HttpRequest::get("/query").with("function", function.name())
}

pub(super) fn encode_request(ask: &Ask<'_>) -> Result<HttpRequest, Rejection> {
    let about = |function, instrument| Ok(call(function).with("symbol", symbol::spell(instrument)?));
    match ask.question {
        Question::Quotes { instruments, bid_ask: false } => match instruments.as_slice() {
            [one] => {
                let request = about(Function::GlobalQuote, one)?;
                Ok(match ask.plan.map(|plan| plan.delivery) {
                    Some(Delivery::RealTime) => request.with("entitlement", "realtime"),
                    Some(Delivery::Delayed(_)) => request.with("entitlement", "delayed"),
                    Some(Delivery::EndOfDay) | None => request,
                })
            }
            _ => Err(Rejection::Unsupported),
        },
        Question::Bars { instrument, interval, range, adjustment, session } => {
            let adjusted = *adjustment != Adjustment::Raw;
            let function = match interval {
                Interval::D1 => Function::Daily { adjusted },
                Interval::W1 => Function::Weekly { adjusted },
                Interval::Mo1 => Function::Monthly { adjusted },
                _ => return intraday(ask, instrument, *interval, *range, adjusted, *session),
            };
            let request = about(function, instrument)?;
            Ok(match interval {
                Interval::D1 => {
                    let within = ask.now.since(range.start) < Duration::from_secs(COMPACT_DAYS * 86_400);
                    request.with("outputsize", if within || is_free(ask) { "compact" } else { "full" })
                }
                _ => request,
            })
        }
        Question::Splits { instrument, .. } => about(Function::Splits, instrument),
        Question::Dividends { instrument, .. } => about(Function::Dividends, instrument),
        Question::News { instrument, range, limit } => {
            let mut request = call(Function::NewsSentiment).with("tickers", symbol::spell(instrument)?);
            if range.start > Instant::MIN {
                request = request.with("time_from", news_minute(range.start));
            }
            if range.end < Instant::MAX {
                request = request.with("time_to", news_minute(range.end + Duration::from_secs(59)));
            }
            Ok(request.with("sort", "LATEST").with("limit", (*limit).clamp(1, 1_000)))
        }
        Question::Search { words, .. } => Ok(call(Function::SymbolSearch).with("keywords", words)),
        Question::Symbols => Ok(call(Function::ListingStatus).with("state", "active")),
        Question::MarketStatus => Ok(call(Function::MarketStatus)),
        Question::Quotes { bid_ask: true, .. } | Question::Trades { .. } => Err(Rejection::Unsupported),
    }
}

/// Whether the plan in force has only what is free: `full` output is not.
fn is_free(ask: &Ask<'_>) -> bool {
    ask.plan.is_some_and(|plan| plan.monthly_usd == 0)
}

fn intraday(
    ask: &Ask<'_>,
    instrument: &InstrumentId,
    interval: Interval,
    range: Range,
    adjusted: bool,
    session: Session,
) -> Result<HttpRequest, Rejection> {
    let word = interval_word(interval).ok_or(Rejection::Unsupported)?;
    let request = call(Function::Intraday)
        .with("symbol", symbol::spell(instrument)?)
        .with("interval", word)
        .with("adjusted", adjusted)
        .with("extended_hours", session == Session::Extended);
    let age = ask.now.since(range.start);
    if age < interval.nominal_length() * COMPACT_ROWS {
        return Ok(request.with("outputsize", "compact"));
    }
    let request = request.with("outputsize", "full");
    // Without a month the vendor gives its newest thirty days.
    if age < TRAILING { Ok(request) } else { Ok(request.with("month", month_of(range.start))) }
}

/// The month of an instant where the vendor is, as it writes it.
fn month_of(at: Instant) -> String {
    local_date(at, HOME).strftime("%Y-%m").to_string()
}

/// A minute as the news function writes it, in UTC.
fn news_minute(at: Instant) -> String {
    at.to_timestamp().to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y%m%dT%H%M").to_string()
}

pub(super) fn decode_response(
    ask: &Ask<'_>,
    sent: &HttpRequest,
    response: &HttpResponse,
) -> Result<Decoded, Rejection> {
    if let Some(rejection) = refusal::of_status(response) {
        return Err(rejection);
    }
    let body = without_mark(&response.body).trim_ascii_start();
    // Errors are JSON even where CSV was asked for: the body says which it is.
    let payload = if body.starts_with(b"{") {
        let members = Members::of(body)?;
        if let Some(rejection) = refusal::of_members(&members) {
            if rejection == Rejection::NotEntitled
                && sent.param("outputsize") == Some("full")
                && refusal::is_about_output_size(response)
            {
                return Ok(Decoded::AskNext { learned: crate::Session::default(), request: compact(sent) });
            }
            return Err(rejection);
        }
        if members.is_empty() {
            return Err(Rejection::NoData);
        }
        Payload::Json(members)
    } else {
        // A text in place of a table: the header of no table of ours has a space in front of a full stop.
        let is_text = |text: &&str| {
            !text.lines().next().unwrap_or_default().contains(',') || text.contains("Alpha Vantage")
        };
        match std::str::from_utf8(body).ok().filter(is_text).and_then(refusal::of_text) {
            Some(rejection) => return Err(rejection),
            None => Payload::Csv(body),
        }
    };
    let function = Function::of(sent).ok_or(Rejection::Unsupported)?;
    decode(ask, sent, function, &payload)
}

/// The same request for the newest rows only, which every plan has.
fn compact(sent: &HttpRequest) -> HttpRequest {
    let mut request = sent.clone();
    for (name, value) in &mut request.query {
        if name == "outputsize" {
            "compact".clone_into(value);
        }
    }
    request.query.retain(|(name, _)| name != "apikey");
    request
}

/// A reply that is no refusal.
enum Payload<'a> {
    Json(Members<'a>),
    Csv(&'a [u8]),
}

impl Payload<'_> {
    /// Rows under a name in JSON; in CSV those of a table with these columns.
    fn rows(&self, name: &'static str, columns: &[&str]) -> Result<Vec<Row>, Rejection> {
        match self {
            Payload::Json(members) => rows(members.get(name).ok_or(Rejection::unreadable(name))?),
            Payload::Csv(body) => csv_rows(body, columns),
        }
    }
}

fn decode(
    ask: &Ask<'_>,
    sent: &HttpRequest,
    function: Function,
    payload: &Payload<'_>,
) -> Result<Decoded, Rejection> {
    let whole = |data| Ok(Decoded::Whole(data));
    match (function, ask.question) {
        (Function::GlobalQuote, Question::Quotes { instruments, .. }) => {
            let neutral = unnamed();
            let quoted = quote(payload, instruments.first().unwrap_or(&neutral))?;
            whole(Data::Quotes(vec![quoted]))
        }
        (
            Function::Intraday | Function::Daily { .. } | Function::Weekly { .. } | Function::Monthly { .. },
            Question::Bars { instrument, range, .. },
        ) => series(ask, sent, function, payload, instrument, *range),
        (Function::Splits, Question::Splits { instrument, .. }) => {
            let mut actions = Vec::new();
            for row in payload.rows("data", &["effective_date", "split_factor"])? {
                let factor = decimal(row.need("split_factor")?).map(Ratio::new);
                let new_per_old = factor
                    .filter(|ratio| ratio.is_positive())
                    .ok_or(Rejection::unreadable("split_factor"))?;
                let kind = ActionKind::Split { new_per_old };
                actions.push(CorporateAction::new(
                    of_table(payload, instrument)?,
                    row.need_date("effective_date")?,
                    kind,
                ));
            }
            actions.sort_by_key(|action| action.ex_date);
            whole(Data::Actions(actions))
        }
        (Function::Dividends, Question::Dividends { instrument, .. }) => {
            let mut actions = Vec::new();
            for row in payload.rows("data", &["ex_dividend_date", "amount"])? {
                let amount = Price::parse(row.need("amount")?).ok_or(Rejection::unreadable("amount"))?;
                let kind = ActionKind::Dividend { amount, denomination: None };
                actions.push(CorporateAction {
                    declared: row.date("declaration_date"),
                    record: row.date("record_date"),
                    payable: row.date("payment_date"),
                    ..CorporateAction::new(
                        of_table(payload, instrument)?,
                        row.need_date("ex_dividend_date")?,
                        kind,
                    )
                });
            }
            actions.sort_by_key(|action| action.ex_date);
            whole(Data::Actions(actions))
        }
        (Function::SymbolSearch, Question::Search { .. }) => {
            let found = payload.rows("bestMatches", &["symbol", "name", "type", "currency"])?;
            whole(Data::Instruments(found.iter().map(found_instrument).collect::<Result<_, _>>()?))
        }
        (Function::ListingStatus, Question::Symbols) => {
            let Payload::Csv(body) = payload else { return Err(Rejection::unreadable("CSV")) };
            let listed = csv_rows(body, &["symbol", "name", "exchange", "assetType", "status"])?;
            whole(Data::Instruments(listed.iter().map(listed_instrument).collect::<Result<_, _>>()?))
        }
        (Function::MarketStatus, Question::MarketStatus) => {
            let markets = payload.rows("markets", &["region", "current_status"])?;
            whole(Data::MarketStatus(markets.iter().map(market).collect::<Result<_, _>>()?))
        }
        (Function::NewsSentiment, Question::News { .. }) => {
            let Payload::Json(members) = payload else { return Err(Rejection::unreadable("JSON")) };
            whole(Data::News(news(members.get("feed").ok_or(Rejection::unreadable("feed"))?)?))
        }
        _ => Err(Rejection::Unsupported),
    }
}

/// The instrument of a reply with a `symbol` beside its rows.
fn of_table(payload: &Payload<'_>, asked: &InstrumentId) -> Result<InstrumentId, Rejection> {
    let told: Option<String> = match payload {
        Payload::Json(members) => {
            members.get("symbol").and_then(|text| serde_json::from_str(text.get()).ok())
        }
        Payload::Csv(_) => None,
    };
    symbol::agree(asked, told.as_deref())
}

fn quote(payload: &Payload<'_>, asked: &InstrumentId) -> Result<Quoted, Rejection> {
    let (row, delayed) = match payload {
        Payload::Json(members) => {
            // With a paid entitlement the name goes on: `Global Quote - DATA DELAYED BY 15 MINUTES`.
            let (name, object) = members
                .find(|name| name.starts_with("Global Quote"))
                .ok_or(Rejection::unreadable("Global Quote"))?;
            (row(object)?, name.contains("DELAYED BY 15 MINUTES"))
        }
        Payload::Csv(body) => {
            let rows = csv_rows(body, &["symbol", "price", "latestDay"])?;
            (rows.into_iter().next().ok_or(Rejection::UnknownSymbol)?, false)
        }
    };
    let Some(told) = row.get("symbol") else {
        // An empty object stands for an unknown symbol; one that lacks only its name is another thing.
        let is_empty = row.get("price").is_none();
        return Err(if is_empty { Rejection::UnknownSymbol } else { Rejection::unreadable("symbol") });
    };
    let instrument = symbol::agree(asked, Some(told))?;
    let price = |names: [&str; 2]| match names.into_iter().find_map(|name| row.get(name)) {
        Some(text) => Price::parse(text).map(Some).ok_or(Rejection::unreadable("a price")),
        None => Ok(None),
    };
    let last = price(["price", "price"])?.ok_or(Rejection::unreadable("price"))?;
    if !last.is_positive() {
        return Err(Rejection::UnknownSymbol);
    }
    let volume = row.get("volume").map(|text| Size::parse(text).ok_or(Rejection::unreadable("volume")));
    let date = row.date("latest trading day").or_else(|| row.date("latestDay"));
    let quote = Quote {
        last: Some(last),
        open: price(["open", "open"])?,
        high: price(["high", "high"])?,
        low: price(["low", "low"])?,
        previous_close: price(["previous close", "previousClose"])?,
        volume: volume.transpose()?,
        trading_date: Some(date.ok_or(Rejection::unreadable("latest trading day"))?),
        stated_delay: delayed.then_some(Duration::from_secs(900)),
        ..Quote::default()
    };
    Ok(Quoted { instrument, quote: Ok(quote) })
}

fn series(
    ask: &Ask<'_>,
    sent: &HttpRequest,
    function: Function,
    payload: &Payload<'_>,
    asked: &InstrumentId,
    range: Range,
) -> Result<Decoded, Rejection> {
    // What the request names; the neutral interval of a template is no word of the request's.
    let named = function.interval().or_else(|| interval_of(given(sent.param("interval"))?));
    let read = match payload {
        Payload::Json(members) => from_json(members, asked, named)?,
        Payload::Csv(body) => {
            let rows = bars::csv_rows(body)?;
            let interval = named.or_else(|| bars::interval_of_rows(&rows)).or(match ask.question {
                Question::Bars { interval, .. } if interval.is_intraday() => Some(*interval),
                _ => None,
            });
            let interval = interval.ok_or(Rejection::unreadable("an interval"))?;
            Read { rows, interval, instrument: asked.clone(), zone: HOME.to_owned(), refreshed: None }
        }
    };
    let Read { rows, interval, instrument, zone, refreshed } = read;
    let next = next_month(sent, range);
    if rows.is_empty() && next.is_none() {
        return Err(Rejection::NoData);
    }
    let (bars, actions) = bars::bars(&rows, &instrument, interval, &zone, refreshed.as_deref())?;
    let full = sent.param("outputsize") == Some("full") || matches!(interval, Interval::W1 | Interval::Mo1);
    let covers = match bars.first() {
        Some(first) if !full && rows.len() >= COMPACT_ROWS as usize => {
            Some(Range::new(first.start, range.end))
        }
        _ => None,
    };
    let adjustment = bars::adjustment(interval, sent.param("adjusted"));
    let data = Data::Bars(BarSeries {
        zone: Some(zone.into()),
        bars,
        actions,
        covers,
        ..BarSeries::empty(instrument, interval, adjustment)
    });
    Ok(match next {
        Some(next) => Decoded::Page { data, next },
        None => Decoded::Whole(data),
    })
}

/// A series taken apart.
struct Read {
    rows: Vec<bars::Row>,
    interval: Interval,
    instrument: InstrumentId,
    zone: String,
    refreshed: Option<String>,
}

fn from_json(
    members: &Members<'_>,
    asked: &InstrumentId,
    named: Option<Interval>,
) -> Result<Read, Rejection> {
    let meta = row(members.get("Meta Data").ok_or(Rejection::unreadable("Meta Data"))?)?;
    let (name, series) =
        members.find(|name| name != "Meta Data").ok_or(Rejection::unreadable("a time series"))?;
    let interval = bars::interval_of_series(name).ok_or(Rejection::unreadable("a time series"))?;
    if named.is_some_and(|named| named != interval) {
        return Err(Rejection::unreadable("bars of the interval asked for"));
    }
    Ok(Read {
        rows: bars::json_rows(series)?,
        interval,
        instrument: symbol::agree(asked, Some(meta.need("Symbol")?))?,
        zone: bars::zone_name(meta.need("Time Zone")?).to_owned(),
        refreshed: meta.get("Last Refreshed").map(str::to_owned),
    })
}

/// The request for the month after the one asked for, if the range goes on.
fn next_month(sent: &HttpRequest, range: Range) -> Option<HttpRequest> {
    let month: Date = format!("{}-01", given(sent.param("month"))?).parse().ok()?;
    let after = month.checked_add(jiff::Span::new().months(1)).ok()?;
    if range.end == Instant::MAX || bars::midnight(after) >= range.end {
        return None;
    }
    let mut next = sent.clone();
    for (name, value) in &mut next.query {
        if name == "month" {
            *value = after.strftime("%Y-%m").to_string();
        }
    }
    next.query.retain(|(name, _)| name != "apikey");
    Some(next)
}

fn found_instrument(row: &Row) -> Result<Instrument, Rejection> {
    let told = row.need("symbol")?;
    let id = symbol::read(told).ok_or(Rejection::unreadable("a symbol"))?;
    Ok(Instrument {
        description: row.get("name").map(Into::into),
        denomination: row.get("currency").and_then(Denomination::parse),
        vendor_symbol: Some(told.into()),
        ..Instrument::new(id, symbol::kind_of(row.get("type").unwrap_or_default()))
    })
}

fn listed_instrument(row: &Row) -> Result<Instrument, Rejection> {
    let told = row.need("symbol")?;
    let exchange = row.get("exchange").unwrap_or_default();
    let id = symbol::read_listed(told, exchange).ok_or(Rejection::unreadable("a symbol"))?;
    Ok(Instrument {
        description: row.get("name").map(Into::into),
        listed: row.date("ipoDate"),
        delisted: row.date("delistingDate"),
        vendor_symbol: Some(told.into()),
        ..Instrument::new(id, symbol::kind_of(row.get("assetType").unwrap_or_default()))
    })
}

fn market(row: &Row) -> Result<MarketStatus, Rejection> {
    let phase = match row.need("current_status")? {
        "open" => MarketPhase::Open,
        "closed" => MarketPhase::Closed,
        _ => return Err(Rejection::unreadable("open or closed")),
    };
    let region = row.need("region")?;
    let market = if region == "Global" { row.get("market_type").unwrap_or(region) } else { region };
    Ok(MarketStatus { market: market.into(), phase, at: None, holiday: None })
}

fn news(feed: &RawValue) -> Result<Vec<NewsItem>, Rejection> {
    let unreadable = |_| Rejection::unreadable("news");
    let articles: Vec<&RawValue> = serde_json::from_str(feed.get()).map_err(unreadable)?;
    let mut items = Vec::with_capacity(articles.len());
    for article in articles {
        let members = Members::of(article.get().as_bytes())?;
        let article = row(article)?;
        let published = published(article.need("time_published")?);
        let mut instruments = Vec::new();
        if let Some(tickers) = members.get("ticker_sentiment") {
            for ticker in rows(tickers)? {
                instruments.extend(ticker.get("ticker").and_then(symbol::read));
            }
        }
        items.push(NewsItem {
            id: None,
            published: published.ok_or(Rejection::unreadable("time_published"))?,
            headline: article.need("title")?.into(),
            summary: article.get("summary").map(Into::into),
            publisher: article.get("source").map(Into::into),
            url: article.get("url").map(Into::into),
            instruments,
        });
    }
    items.sort_by_key(|item| std::cmp::Reverse(item.published));
    Ok(items)
}

/// `20260517T110100`, in UTC though the text does not say so.
fn published(text: &str) -> Option<Instant> {
    let at = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S", text).ok()?;
    Instant::from_timestamp(at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}
