//! Alpha Vantage's end: what a request asks, and what Alpha Vantage would say. Every reply is status 200.

use std::fmt::Write;

use domain::{
    ActionKind, Adjustment, Bar, BarSeries, CorporateAction, Date, Instant, Instrument, Interval,
    MarketPhase, MarketStatus, NewsItem, Price, Quote, Range, Session, Size, Unit,
};

use super::{Function, HOME, bars, interval_of, interval_word, symbol};
use crate::body::{Object, array, page};
use crate::local_time::{all_time, local_date, local_time};
use crate::symbol::{given, is_unnamed, unnamed};
use crate::{Data, HttpRequest, HttpResponse, Question, Quoted, Rejection, Window};

/// Results of a news call that names no limit.
const DEFAULT_NEWS: u32 = 50;
/// Results of a search, whatever is asked.
const SEARCH_RESULTS: u32 = 10;
/// Rows of `outputsize=compact`, the default.
const COMPACT_ROWS: usize = 100;

pub(super) fn decode_request(request: &HttpRequest) -> Result<Question, Rejection> {
    let function = Function::of(request).ok_or(Rejection::Unsupported)?;
    let param = |name| given(request.param(name));
    let instrument = |name| match param(name) {
        Some(text) => symbol::read(text).ok_or(Rejection::CallersMistake),
        None => Ok(unnamed()),
    };
    if !matches!(param("outputsize"), None | Some("compact" | "full")) {
        return Err(Rejection::CallersMistake);
    }
    let bars = |interval, adjustment, session, range| {
        Ok(Question::Bars { instrument: instrument("symbol")?, interval, range, adjustment, session })
    };
    let daily = |interval, adjusted| {
        let adjustment = if adjusted { Adjustment::All } else { Adjustment::Raw };
        bars(interval, adjustment, Session::Regular, all_time())
    };
    match function {
        Function::GlobalQuote => {
            Ok(Question::Quotes { instruments: vec![instrument("symbol")?], bid_ask: false })
        }
        Function::Daily { adjusted } => daily(Interval::D1, adjusted),
        Function::Weekly { adjusted } => daily(Interval::W1, adjusted),
        Function::Monthly { adjusted } => daily(Interval::Mo1, adjusted),
        Function::Intraday => {
            let interval = match param("interval") {
                Some(word) => interval_of(word).ok_or(Rejection::CallersMistake)?,
                None => Interval::M5,
            };
            let session =
                if param("extended_hours") == Some("false") { Session::Regular } else { Session::Extended };
            let range = match param("month") {
                Some(text) => month(text).ok_or(Rejection::CallersMistake)?,
                None => all_time(),
            };
            bars(interval, bars::adjustment(interval, param("adjusted")), session, range)
        }
        Function::Splits => Ok(Question::Splits { instrument: instrument("symbol")?, range: all_time() }),
        Function::Dividends => {
            Ok(Question::Dividends { instrument: instrument("symbol")?, range: all_time() })
        }
        Function::SymbolSearch => {
            let words = param("keywords").unwrap_or_default().to_owned();
            Ok(Question::Search { words, limit: SEARCH_RESULTS })
        }
        Function::ListingStatus => Ok(Question::Symbols),
        Function::MarketStatus => Ok(Question::MarketStatus),
        Function::NewsSentiment => {
            let at = |name, default| match param(name) {
                Some(text) => minute(text).ok_or(Rejection::CallersMistake),
                None => Ok(default),
            };
            let range = Range::new(at("time_from", Instant::MIN)?, at("time_to", Instant::MAX)?);
            let limit = match param("limit") {
                Some(text) => text.parse().map_err(|_| Rejection::CallersMistake)?,
                None => DEFAULT_NEWS,
            };
            let tickers = param("tickers").map(|text| text.split(',').next().unwrap_or_default());
            let instrument = match tickers {
                Some(text) => symbol::read(text).ok_or(Rejection::CallersMistake)?,
                None => unnamed(),
            };
            Ok(Question::News { instrument, range, limit })
        }
    }
}

/// The range of a month, `2026-03`, where the vendor is.
fn month(text: &str) -> Option<Range> {
    let first: Date = format!("{text}-01").parse().ok()?;
    let next = first.checked_add(jiff::Span::new().months(1)).ok()?;
    Some(Range::new(bars::midnight(first), bars::midnight(next)))
}

/// `20260517T1101`, UTC.
fn minute(text: &str) -> Option<Instant> {
    let at = jiff::civil::DateTime::strptime("%Y%m%dT%H%M", text).ok()?;
    Instant::from_timestamp(at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

pub(super) fn encode_response(
    request: &HttpRequest,
    question: Option<&Question>,
    outcome: &Result<Data, Rejection>,
    now: Instant,
) -> HttpResponse {
    let Some(function) = Function::of(request) else {
        return refuse(request, None, outcome.as_ref().err().unwrap_or(&Rejection::Unsupported));
    };
    let data = match outcome {
        Ok(data) => data,
        Err(rejection) => return refuse(request, Some(function), rejection),
    };
    let csv = request.param("datatype") == Some("csv");
    match (function, data) {
        (Function::GlobalQuote, Data::Quotes(quotes)) => match quotes.first() {
            Some(Quoted { instrument, quote: Ok(quote) }) => {
                global_quote(&spelled(instrument), quote, now, csv)
            }
            Some(Quoted { quote: Err(rejection), .. }) => refuse(request, Some(function), rejection),
            None => refuse(request, Some(function), &Rejection::UnknownSymbol),
        },
        (
            Function::Intraday | Function::Daily { .. } | Function::Weekly { .. } | Function::Monthly { .. },
            Data::Bars(series),
        ) => time_series(function, request, series, now, csv),
        (Function::Splits | Function::Dividends, Data::Actions(actions)) => {
            let asked = question.and_then(|question| question.instruments().first());
            let of = asked.or_else(|| actions.first().map(|action| &action.instrument));
            let table = if function == Function::Splits { splits(actions) } else { dividends(actions) };
            let symbol = of.map(spelled).unwrap_or_default();
            table.reply(csv, |rows| Object::new().text("symbol", &symbol).raw("data", rows).end())
        }
        (Function::SymbolSearch, Data::Instruments(found)) => {
            let table = matches(found);
            if csv { table.csv() } else { reply(Object::new().raw("bestMatches", table.numbered()).end()) }
        }
        (Function::ListingStatus, Data::Instruments(found)) => listing(found).csv(),
        (Function::MarketStatus, Data::MarketStatus(markets)) => reply(
            Object::new()
                .text("endpoint", "Global Market Open & Close Status")
                .raw("markets", array(markets.iter().map(market)))
                .end(),
        ),
        (Function::NewsSentiment, Data::News(news)) => reply(
            Object::new()
                .text("items", &news.len().to_string())
                .raw("feed", array(news.iter().map(article)))
                .end(),
        ),
        _ => refuse(request, Some(function), &Rejection::Unsupported),
    }
}

fn reply(body: String) -> HttpResponse {
    HttpResponse::new(200, "application/json", body)
}

fn text_reply(name: &str, text: &str) -> HttpResponse {
    reply(Object::new().text(name, text).end())
}

/// What Alpha Vantage says instead of data.
fn refuse(request: &HttpRequest, function: Option<Function>, rejection: &Rejection) -> HttpResponse {
    let called = request.param("function").unwrap_or_default();
    let invalid = || {
        let text = format!(
            "Invalid API call. Please retry or visit the documentation (https://www.alphavantage.co/documentation/) for {called}."
        );
        text_reply("Error Message", &text)
    };
    match rejection {
        Rejection::UnknownSymbol if function == Some(Function::GlobalQuote) => {
            reply(r#"{"Global Quote": {}}"#.to_owned())
        }
        Rejection::UnknownSymbol | Rejection::NoData if function == Some(Function::SymbolSearch) => {
            reply(r#"{"bestMatches": []}"#.to_owned())
        }
        Rejection::UnknownSymbol | Rejection::CallersMistake => invalid(),
        Rejection::NoData => reply("{}".to_owned()),
        Rejection::Unauthorized => text_reply(
            "Error Message",
            "the parameter apikey is invalid or missing. Please claim your free API key on (https://www.alphavantage.co/support/#api-key).",
        ),
        Rejection::NotEntitled => text_reply(
            "Information",
            "Thank you for using Alpha Vantage! This is a premium endpoint. You may subscribe to any of the premium plans at https://www.alphavantage.co/premium/ to instantly unlock all premium endpoints",
        ),
        Rejection::RateLimited { window: Some(Window::Second), .. } => text_reply(
            "Information",
            "Thank you for using Alpha Vantage! Please consider spreading out your free API requests more sparingly (1 request per second). You may subscribe to any of the premium plans at https://www.alphavantage.co/premium/ to lift the free key rate limit (25 requests per day), raise the per-second burst limit, and instantly unlock all premium endpoints",
        ),
        Rejection::RateLimited { window: Some(Window::Day | Window::Month), .. }
        | Rejection::QuotaSpent { .. } => {
            // The vendor echoes the key: whoever logs the text must redact it.
            let key = request.param("apikey").unwrap_or("demo");
            let text = format!(
                "We have detected your API key as {key} and our standard API rate limit is 25 requests per day. Please subscribe to any of the premium plans at https://www.alphavantage.co/premium/ to instantly remove all daily rate limits."
            );
            text_reply("Information", &text)
        }
        Rejection::RateLimited { .. } => text_reply(
            "Note",
            "Thank you for using Alpha Vantage! Our standard API call frequency is 5 calls per minute and 500 calls per day. Please visit https://www.alphavantage.co/premium/ if you would like to target a higher API call frequency.",
        ),
        Rejection::Unsupported => {
            text_reply("Error Message", &format!("This API function ({called}) does not exist."))
        }
        Rejection::Banned { .. } => page(503, "Access denied"),
        Rejection::VendorFault { status } => page((*status).clamp(200, 599), "Error"),
        Rejection::Unreadable { .. } => reply(r#"{"Meta Data": {"1. Informa"#.to_owned()),
    }
}

fn spelled(instrument: &domain::InstrumentId) -> String {
    if is_unnamed(instrument) {
        return String::new();
    }
    symbol::spell(instrument).unwrap_or_else(|_| instrument.name().to_owned())
}

/// A price as Alpha Vantage writes it.
fn price(price: Option<Price>) -> String {
    price.map_or_else(|| "None".to_owned(), |price| format!("{:.4}", price.round(4).decimal()))
}

fn whole(size: Option<Size>) -> String {
    size.map_or_else(|| "None".to_owned(), |size| size.round(0).to_string())
}

/// A table that can be written as JSON rows or as CSV.
struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn reply(&self, csv: bool, wrap: impl Fn(String) -> String) -> HttpResponse {
        if csv { self.csv() } else { reply(wrap(self.objects(|_, column| column.to_owned()))) }
    }

    /// Rows with numbered names: `1. symbol`.
    fn numbered(&self) -> String {
        self.objects(|index, column| format!("{}. {column}", index + 1))
    }

    fn objects(&self, name: impl Fn(usize, &str) -> String) -> String {
        let object = |row: &Vec<String>| {
            let mut object = Object::new();
            for (index, (column, cell)) in self.columns.iter().zip(row).enumerate() {
                object = object.text(&name(index, column), cell);
            }
            object.end()
        };
        array(self.rows.iter().map(object))
    }

    fn csv(&self) -> HttpResponse {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        let lines = std::iter::once(self.columns.iter().map(|name| (*name).to_owned()).collect())
            .chain(self.rows.clone());
        for line in lines {
            let line: Vec<String> = line;
            writer.write_record(&line).expect("memory takes every row");
        }
        let body = writer.into_inner().expect("memory takes every row");
        HttpResponse::new(200, "application/x-download", body)
    }
}

fn global_quote(symbol: &str, quote: &Quote, now: Instant, csv: bool) -> HttpResponse {
    let date = quote.trading_date.or_else(|| Some(local_date(quote.event_time?, HOME)));
    let date = date.unwrap_or_else(|| local_date(now, HOME)).to_string();
    let change = quote.last.zip(quote.previous_close).and_then(|(last, before)| {
        let change = last.decimal().checked_sub(before.decimal())?;
        let percent =
            change.checked_div(before.decimal())?.checked_mul(domain::number::Decimal::ONE_HUNDRED)?;
        Some((Price::new(change), Price::new(percent)))
    });
    let cells = [
        ("symbol", "symbol", symbol.to_owned()),
        ("open", "open", price(quote.open)),
        ("high", "high", price(quote.high)),
        ("low", "low", price(quote.low)),
        ("price", "price", price(quote.last)),
        ("volume", "volume", whole(quote.volume)),
        ("latest trading day", "latestDay", date),
        ("previous close", "previousClose", price(quote.previous_close)),
        ("change", "change", price(change.map(|(change, _)| change))),
        ("change percent", "changePercent", format!("{}%", price(change.map(|(_, percent)| percent)))),
    ];
    if csv {
        let columns = cells.iter().map(|(_, column, _)| *column).collect();
        return Table { columns, rows: vec![cells.map(|(.., cell)| cell).to_vec()] }.csv();
    }
    let mut object = Object::new();
    for (index, (name, _, cell)) in cells.iter().enumerate() {
        object = object.text(&format!("{:02}. {name}", index + 1), cell);
    }
    reply(Object::new().raw("Global Quote", object.end()).end())
}

/// The label of a bar: its time where the vendor is, or the date of its last trading day.
fn label(bar: &Bar, interval: Interval, now: Instant) -> String {
    if interval.is_intraday() {
        let at = bar
            .start
            .to_timestamp()
            .to_zoned(jiff::tz::TimeZone::get(HOME).unwrap_or(jiff::tz::TimeZone::UTC));
        return at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    }
    let date = bar.trading_date.unwrap_or_else(|| local_date(bar.start, HOME));
    let last = match interval {
        _ if !bars::is_window_start(date, interval) => date,
        Interval::W1 => date.checked_add(jiff::Span::new().days(4)).unwrap_or(date),
        Interval::Mo1 => last_weekday(date),
        _ => date,
    };
    let today = local_date(now, HOME);
    if bar.is_final { last } else { last.min(today).max(date) }.to_string()
}

fn last_weekday(date: Date) -> Date {
    let last = date.last_of_month();
    let beyond = i64::from((last.weekday().to_monday_zero_offset() - 4).max(0));
    last.checked_sub(jiff::Span::new().days(beyond)).unwrap_or(last)
}

fn time_series(
    function: Function,
    request: &HttpRequest,
    series: &BarSeries,
    now: Instant,
    csv: bool,
) -> HttpResponse {
    let interval = series.interval;
    let adjusted = matches!(
        function,
        Function::Daily { adjusted: true }
            | Function::Weekly { adjusted: true }
            | Function::Monthly { adjusted: true }
    );
    let full =
        request.param("outputsize") == Some("full") || matches!(interval, Interval::W1 | Interval::Mo1);
    let newest_first = series.bars.iter().rev().take(if full { usize::MAX } else { COMPACT_ROWS });
    let mut names = vec!["open", "high", "low", "close"];
    if adjusted {
        names.push("adjusted close");
    }
    names.push("volume");
    if adjusted {
        names.push("dividend amount");
    }
    if function == (Function::Daily { adjusted: true }) {
        names.push("split coefficient");
    }
    let cells = |bar: &Bar| -> Vec<String> {
        let mut cells = vec![price(bar.open), price(bar.high), price(bar.low), price(bar.close)];
        if adjusted {
            cells.push(price(bar.vendor_adjusted_close.or(bar.close)));
        }
        cells.push(whole(bar.volume));
        let (dividend, split) = actions_on(series, bar);
        if adjusted {
            cells.push(price(Some(dividend)));
        }
        if names.contains(&"split coefficient") {
            cells.push(split);
        }
        cells
    };
    let rows: Vec<(String, Vec<String>)> =
        newest_first.map(|bar| (label(bar, interval, now), cells(bar))).collect();
    if csv {
        // Daily columns are written with `_`, weekly and monthly ones with a space.
        let underscored: Vec<String> = names.iter().map(|name| name.replace(' ', "_")).collect();
        let header = if interval == Interval::D1 { underscored.join(",") } else { names.join(",") };
        let mut body = format!("timestamp,{header}\r\n");
        for (label, cells) in &rows {
            let _ = write!(body, "{label},{}\r\n", cells.join(","));
        }
        return HttpResponse::new(200, "application/x-download", body);
    }
    if rows.is_empty() {
        return reply("{}".to_owned());
    }
    let refreshed = refreshed(series, &rows[0].0, now);
    let (information, name, extra): (String, String, Vec<(&str, String)>) =
        names_of(function, request, interval);
    let mut meta = vec![
        ("Information", information),
        ("Symbol", spelled(&series.instrument)),
        ("Last Refreshed", refreshed),
    ];
    meta.extend(extra);
    meta.push(("Time Zone", "US/Eastern".to_owned()));
    let mut head = Object::new();
    for (index, (name, value)) in meta.iter().enumerate() {
        head = head.text(&format!("{}. {name}", index + 1), value);
    }
    let mut table = Object::new();
    for (label, cells) in &rows {
        let mut row = Object::new();
        for (index, (name, cell)) in names.iter().zip(cells).enumerate() {
            row = row.text(&format!("{}. {name}", index + 1), cell);
        }
        table = table.raw(label, row.end());
    }
    reply(Object::new().raw("Meta Data", head.end()).raw(&name, table.end()).end())
}

/// A date; with the time of day while the newest row runs.
fn refreshed(series: &BarSeries, newest: &str, now: Instant) -> String {
    let runs = series.bars.last().is_some_and(|bar| !bar.is_final);
    if runs && series.interval == Interval::D1 {
        let zone = jiff::tz::TimeZone::get(HOME).unwrap_or(jiff::tz::TimeZone::UTC);
        return now.to_timestamp().to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string();
    }
    newest.to_owned()
}

/// What a function calls its series: the information, the series' name, and what else the meta data hold.
fn names_of(
    function: Function,
    request: &HttpRequest,
    interval: Interval,
) -> (String, String, Vec<(&'static str, String)>) {
    let is_full = request.param("outputsize") == Some("full");
    let size = |compact: &str, full: &str| ("Output Size", if is_full { full } else { compact }.to_owned());
    let word = interval_word(interval).unwrap_or("5min");
    match function {
        Function::Intraday => (
            format!("Intraday ({word}) open, high, low, close prices and volume"),
            format!("Time Series ({word})"),
            vec![("Interval", word.to_owned()), size("Compact", "Full size")],
        ),
        Function::Weekly { adjusted: false } => (
            "Weekly Prices (open, high, low, close) and Volumes".to_owned(),
            "Weekly Time Series".to_owned(),
            vec![],
        ),
        Function::Weekly { adjusted: true } => (
            "Weekly Adjusted Prices and Volumes".to_owned(),
            "Weekly Adjusted Time Series".to_owned(),
            vec![],
        ),
        Function::Monthly { adjusted: false } => (
            "Monthly Prices (open, high, low, close) and Volumes".to_owned(),
            "Monthly Time Series".to_owned(),
            vec![],
        ),
        Function::Monthly { adjusted: true } => (
            "Monthly Adjusted Prices and Volumes".to_owned(),
            "Monthly Adjusted Time Series".to_owned(),
            vec![],
        ),
        Function::Daily { adjusted: true } => (
            "Daily Time Series with Splits and Dividend Events".to_owned(),
            "Time Series (Daily)".to_owned(),
            vec![size("Compact", "Full size")],
        ),
        _ => (
            "Daily Prices (open, high, low, close) and Volumes".to_owned(),
            "Time Series (Daily)".to_owned(),
            vec![size("Compact", "Full size")],
        ),
    }
}

/// Dividend and split coefficient of a bar's window.
fn actions_on(series: &BarSeries, bar: &Bar) -> (Price, String) {
    let (mut dividend, mut split) = (Price::ZERO, "1.0".to_owned());
    let end = bar.start + series.interval.nominal_length();
    for CorporateAction { ex_date, kind, .. } in &series.actions {
        let is_here = match series.interval {
            Interval::D1 => bar.trading_date == Some(*ex_date),
            _ => {
                local_time(ex_date.at(12, 0, 0, 0), HOME).is_some_and(|noon| bar.start <= noon && noon < end)
            }
        };
        match kind {
            ActionKind::Dividend { amount, .. } if is_here => dividend = *amount,
            ActionKind::Split { new_per_old } if is_here => split = format!("{:.4}", new_per_old.decimal()),
            _ => {}
        }
    }
    (dividend, split)
}

fn splits(actions: &[CorporateAction]) -> Table {
    let rows = actions.iter().rev().filter_map(|action| match &action.kind {
        ActionKind::Split { new_per_old } => {
            Some(vec![action.ex_date.to_string(), format!("{:.4}", new_per_old.decimal())])
        }
        _ => None,
    });
    Table { columns: vec!["effective_date", "split_factor"], rows: rows.collect() }
}

fn dividends(actions: &[CorporateAction]) -> Table {
    let date = |date: Option<Date>| date.map_or_else(|| "None".to_owned(), |date| date.to_string());
    let rows = actions.iter().rev().filter_map(|action| match &action.kind {
        ActionKind::Dividend { amount, .. } => Some(vec![
            action.ex_date.to_string(),
            date(action.declared),
            date(action.record),
            date(action.payable),
            amount.to_string(),
        ]),
        _ => None,
    });
    let columns = vec!["ex_dividend_date", "declaration_date", "record_date", "payment_date", "amount"];
    Table { columns, rows: rows.collect() }
}

fn matches(found: &[Instrument]) -> Table {
    let currency = |instrument: &Instrument| {
        instrument.denomination.map_or("USD".to_owned(), |denomination| {
            match (denomination.unit, denomination.currency.as_str()) {
                (Unit::Minor, "GBP") => "GBX".to_owned(),
                (Unit::Minor, "ZAR") => "ZAC".to_owned(),
                (Unit::Minor, "ILS") => "ILA".to_owned(),
                (_, code) => code.to_owned(),
            }
        })
    };
    let rows = found.iter().map(|instrument| {
        let (symbol, name) = named(instrument);
        let (kind, _) = symbol::kind_words(instrument.kind);
        [
            symbol,
            name,
            kind.into(),
            "United States".into(),
            "09:30".into(),
            "16:00".into(),
            "UTC-04".into(),
            currency(instrument),
            "1.0000".into(),
        ]
        .to_vec()
    });
    let columns = vec![
        "symbol",
        "name",
        "type",
        "region",
        "marketOpen",
        "marketClose",
        "timezone",
        "currency",
        "matchScore",
    ];
    Table { columns, rows: rows.collect() }
}

fn named(instrument: &Instrument) -> (String, String) {
    let symbol = instrument.vendor_symbol.as_deref().map_or_else(|| spelled(&instrument.id), str::to_owned);
    (symbol, instrument.description.as_deref().unwrap_or_default().to_owned())
}

fn listing(found: &[Instrument]) -> Table {
    let date = |date: Option<Date>| date.map_or_else(|| "null".to_owned(), |date| date.to_string());
    let rows = found.iter().map(|instrument| {
        let (symbol, name) = named(instrument);
        let (_, kind) = symbol::kind_words(instrument.kind);
        let status = if instrument.delisted.is_some() { "Delisted" } else { "Active" };
        let exchange = symbol::exchange_name(instrument.id.venue());
        [
            symbol,
            name,
            exchange.into(),
            kind.into(),
            date(instrument.listed),
            date(instrument.delisted),
            status.into(),
        ]
        .to_vec()
    });
    let columns = vec!["symbol", "name", "exchange", "assetType", "ipoDate", "delistingDate", "status"];
    Table { columns, rows: rows.collect() }
}

fn market(status: &MarketStatus) -> String {
    let is_open = status.phase == MarketPhase::Open;
    let region = if &*status.market == "US" { "United States" } else { &status.market };
    Object::new()
        .text("market_type", "Equity")
        .text("region", region)
        .text("current_status", if is_open { "open" } else { "closed" })
        .text("notes", status.holiday.as_deref().unwrap_or_default())
        .end()
}

fn article(item: &NewsItem) -> String {
    let at = item.published.to_timestamp().to_zoned(jiff::tz::TimeZone::UTC);
    let ticker =
        |instrument| Object::new().text("ticker", &spelled(instrument)).text("relevance_score", "1.0").end();
    Object::new()
        .text("title", &item.headline)
        .text("url", item.url.as_deref().unwrap_or_default())
        .text("time_published", &at.strftime("%Y%m%dT%H%M%S").to_string())
        .text("summary", item.summary.as_deref().unwrap_or_default())
        .text("source", item.publisher.as_deref().unwrap_or_default())
        .raw("ticker_sentiment", array(item.instruments.iter().map(ticker)))
        .end()
}
