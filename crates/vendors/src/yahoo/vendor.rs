//! Yahoo's end: what a request asks, and what Yahoo would say.

use domain::number::Decimal;
use domain::{
    ActionKind, Adjustment, Bar, BarSeries, CorporateAction, Currency, Date, Denomination, Instant,
    Instrument, InstrumentId, Interval, MarketPhase, NewsItem, Price, Quote, Range, Session, Size, Unit,
    venue_suffix::is_united_states,
};
use serde_json::{Map, Value, json};

use super::quotes::{AMERICAN, LOT, PHASES};
use super::{Endpoint, interval_of, interval_word, symbol};
use crate::body::page;
use crate::local_time::{all_time, local_time};
use crate::symbol::{given, is_unnamed, unnamed};
use crate::{Data, HttpRequest, HttpResponse, Question, Quoted, Rejection};

/// Yahoo's own number of results where a request names none.
const DEFAULT_RESULTS: u32 = 7;
/// The cookie and crumb this end hands out; the crumb needs encoding in a URL, as real ones may.
const COOKIE: &str = "A3=d=AQABBMock&S=AQAAAsim; Domain=.yahoo.com; Path=/; Secure; HttpOnly";
const CRUMB: &str = "sIm/0a.K=9Q";
/// The zone of an exchange where the data state none.
const HOME: &str = "America/New_York";

pub(super) fn decode_request(request: &HttpRequest) -> Result<Question, Rejection> {
    let param = |name| given(request.param(name));
    let number = |name, default| {
        param(name).map_or(Ok(default), |text| text.parse::<u32>().map_err(|_| Rejection::CallersMistake))
    };
    match Endpoint::of(request) {
        Endpoint::Chart(symbol) => decode_chart(request, symbol.as_deref()),
        Endpoint::Quote => {
            let instruments = param("symbols")
                .unwrap_or_default()
                .split(',')
                .filter(|text| !text.is_empty())
                .map(|text| symbol::read(text, None).ok_or(Rejection::CallersMistake))
                .collect::<Result<_, _>>()?;
            Ok(Question::Quotes { instruments, bid_ask: true })
        }
        Endpoint::Spark => {
            let instrument = match param("symbols") {
                Some(text) if !text.contains(',') => {
                    symbol::read(text, None).ok_or(Rejection::CallersMistake)?
                }
                _ => unnamed(),
            };
            bars(instrument, interval(request)?, range(request)?, Session::Regular)
        }
        Endpoint::Search => {
            let words = param("q").unwrap_or_default();
            let (quotes, news) = (number("quotesCount", DEFAULT_RESULTS)?, number("newsCount", 0)?);
            if quotes > 0 || news == 0 {
                return Ok(Question::Search { words: words.to_owned(), limit: quotes });
            }
            let instrument = if words.is_empty() { Some(unnamed()) } else { symbol::read(words, None) };
            let instrument = instrument.ok_or(Rejection::CallersMistake)?;
            Ok(Question::News { instrument, range: all_time(), limit: news })
        }
        Endpoint::Cookie | Endpoint::Crumb | Endpoint::Other => Err(Rejection::Unsupported),
    }
}

fn decode_chart(request: &HttpRequest, symbol: Option<&str>) -> Result<Question, Rejection> {
    let instrument = match symbol {
        Some(text) => symbol::read(text, None).ok_or(Rejection::CallersMistake)?,
        None => unnamed(),
    };
    let param = |name| given(request.param(name));
    let events = param("events").unwrap_or_default();
    let range = range(request)?;
    if param("interval") == Some("3mo") && !events.is_empty() {
        // Quarters are no interval of ours: who asks for them with one kind of event wants the events.
        return match (events.contains("split"), events.contains("div")) {
            (true, false) => Ok(Question::Splits { instrument, range }),
            (false, true) => Ok(Question::Dividends { instrument, range }),
            _ => Err(Rejection::Unsupported),
        };
    }
    if param("range") == Some("1d") && param("interval") == Some("1d") && events.is_empty() {
        return Ok(Question::Quotes { instruments: vec![instrument], bid_ask: false });
    }
    let session = match param("includePrePost") {
        Some("true" | "True" | "1") => Session::Extended,
        _ => Session::Regular,
    };
    bars(instrument, interval(request)?, range, session)
}

fn bars(
    instrument: InstrumentId,
    interval: Interval,
    range: Range,
    session: Session,
) -> Result<Question, Rejection> {
    Ok(Question::Bars { instrument, interval, range, adjustment: Adjustment::Split, session })
}

fn interval(request: &HttpRequest) -> Result<Interval, Rejection> {
    match given(request.param("interval")) {
        Some(word) => interval_of(word)?.ok_or(Rejection::Unsupported),
        None => Ok(Interval::D1),
    }
}

/// `[period1, period2)`; all time where they are missing, a relative `range` among that: see [`cut`].
fn range(request: &HttpRequest) -> Result<Range, Rejection> {
    let at = |name, default| match given(request.param(name)) {
        Some(text) => text.parse().map(Instant::from_secs).map_err(|_| Rejection::CallersMistake),
        None => Ok(default),
    };
    if let Some(word) = given(request.param("range"))
        && since(word, Instant::EPOCH).is_none()
    {
        return Err(Rejection::CallersMistake);
    }
    let (start, end) = (at("period1", Instant::MIN)?, at("period2", Instant::MAX)?);
    if end < start {
        return Err(Rejection::CallersMistake);
    }
    Ok(Range::new(start, end))
}

/// Where a relative range begins; `None` for a word Yahoo does not know.
fn since(word: &str, now: Instant) -> Option<Instant> {
    let days = match word {
        "1d" => 1,
        "5d" => 7,
        "1mo" => 31,
        "3mo" => 92,
        "6mo" => 183,
        "1y" => 366,
        "2y" => 731,
        "5y" => 1_827,
        "10y" => 3_653,
        "ytd" => return Some(Instant::from_utc_midnight(Date::constant(now.utc_date().year(), 1, 1))),
        "max" => return Some(Instant::MIN),
        _ => return None,
    };
    Some(now - std::time::Duration::from_secs(days * 86_400))
}

/// Yahoo's replies that hold no market data. A quote without a crumb is refused; any crumb is good.
pub(super) fn answer_formality(request: &HttpRequest) -> Option<HttpResponse> {
    match Endpoint::of(request) {
        Endpoint::Cookie => Some(HttpResponse::text(404, "").with_header("set-cookie", COOKIE)),
        Endpoint::Crumb if request.header("cookie").is_none() => Some(unauthorized("Invalid Cookie")),
        Endpoint::Crumb => Some(HttpResponse::text(200, CRUMB)),
        Endpoint::Quote if given(request.param("crumb")).is_none() => Some(unauthorized("Invalid Crumb")),
        _ => None,
    }
}

fn unauthorized(description: &str) -> HttpResponse {
    failure(401, "finance", "Unauthorized", description)
}

fn failure(status: u16, root: &str, code: &str, description: &str) -> HttpResponse {
    json_reply(status, &json!({root: {"result": null, "error": {"code": code, "description": description}}}))
}

fn json_reply(status: u16, value: &Value) -> HttpResponse {
    HttpResponse::new(status, "application/json;charset=utf-8", value.to_string())
}

fn enveloped(root: &str, result: Vec<Value>) -> HttpResponse {
    json_reply(200, &json!({root: {"result": result, "error": null}}))
}

pub(super) fn encode_response(
    request: &HttpRequest,
    question: Option<&Question>,
    outcome: &Result<Data, Rejection>,
    now: Instant,
) -> HttpResponse {
    let endpoint = Endpoint::of(request);
    let data = match outcome {
        Ok(data) => data,
        Err(rejection) => return refuse(request, &endpoint, rejection),
    };
    match (&endpoint, data) {
        (Endpoint::Chart(_), Data::Bars(series)) => {
            let series = cut(series, request, now);
            if series.bars.is_empty() && series.quote.is_none() && series.denomination.is_none() {
                return refuse(request, &endpoint, &Rejection::NoData);
            }
            enveloped("chart", vec![chart(&series, now)])
        }
        (Endpoint::Chart(_), Data::Actions(actions)) => {
            let asked = question.and_then(|question| question.instruments().first().cloned());
            let instrument =
                asked.or_else(|| Some(actions.first()?.instrument.clone())).unwrap_or_else(unnamed);
            let mut series = BarSeries::empty(instrument, Interval::D1, Adjustment::Split);
            series.actions = actions.clone();
            enveloped("chart", vec![chart(&series, now)])
        }
        (Endpoint::Chart(_), Data::Quotes(quotes)) => match quotes.as_slice() {
            [Quoted { instrument, quote: Ok(quote) }] => {
                enveloped("chart", vec![quote_chart(instrument, quote, now)])
            }
            [Quoted { quote: Err(rejection), .. }] => refuse(request, &endpoint, rejection),
            _ => refuse(request, &endpoint, &Rejection::UnknownSymbol),
        },
        (Endpoint::Quote, Data::Quotes(quotes)) => {
            // Unknown symbols are silently left out.
            let rows =
                quotes.iter().filter_map(|quoted| Some(row(&quoted.instrument, quoted.quote.as_ref().ok()?)));
            enveloped("quoteResponse", rows.collect())
        }
        (Endpoint::Spark, Data::Bars(series)) => {
            enveloped("spark", vec![spark(&cut(series, request, now), now)])
        }
        (Endpoint::Spark, Data::ManyBars(many)) => {
            enveloped("spark", many.iter().map(|series| spark(&cut(series, request, now), now)).collect())
        }
        (Endpoint::Search, Data::Instruments(found)) => {
            search(found.iter().map(found_row).collect(), Vec::new())
        }
        (Endpoint::Search, Data::News(news)) => search(Vec::new(), news.iter().map(article).collect()),
        _ => refuse(request, &endpoint, &Rejection::Unsupported),
    }
}

/// What Yahoo says instead of data.
fn refuse(request: &HttpRequest, endpoint: &Endpoint, rejection: &Rejection) -> HttpResponse {
    let root = match endpoint {
        Endpoint::Chart(_) => "chart",
        Endpoint::Quote => "quoteResponse",
        Endpoint::Spark => "spark",
        _ => "finance",
    };
    match rejection {
        Rejection::UnknownSymbol | Rejection::NoData if *endpoint == Endpoint::Quote => {
            enveloped(root, Vec::new())
        }
        Rejection::UnknownSymbol | Rejection::NoData if *endpoint == Endpoint::Search => {
            search(Vec::new(), Vec::new())
        }
        Rejection::UnknownSymbol => failure(404, root, "Not Found", "No data found, symbol may be delisted"),
        Rejection::NoData => {
            let at = |name| request.param(name).unwrap_or("0");
            let text =
                format!("Data doesn't exist for startDate = {}, endDate = {}", at("period1"), at("period2"));
            failure(400, root, "Bad Request", &text)
        }
        Rejection::CallersMistake => failure(
            422,
            root,
            "Unprocessable Entity",
            "1m data not available for startTime=0 and endTime=0. The requested range must be within the last 30 days.",
        ),
        Rejection::Unauthorized => unauthorized("Invalid Crumb"),
        Rejection::NotEntitled => {
            failure(403, "finance", "Forbidden", "User is unable to access this feature")
        }
        Rejection::RateLimited { retry_after: Some(wait), .. } => {
            HttpResponse::text(429, "Too Many Requests").with_header("retry-after", wait.as_secs())
        }
        Rejection::RateLimited { .. } | Rejection::QuotaSpent { .. } => {
            HttpResponse::text(429, "Too Many Requests")
        }
        Rejection::Banned { .. } => page(999, "Request denied"),
        Rejection::Unsupported => failure(404, "finance", "Not Found", "HTTP 404 Not Found"),
        Rejection::VendorFault { status: status @ 300..=399 } => HttpResponse::new(*status, "text/html", "")
            .with_header("location", "https://guce.yahoo.com/consent?brandType=nonEu"),
        Rejection::VendorFault { status } => page((*status).clamp(200, 599), "Will be right back"),
        Rejection::Unreadable { .. } => {
            HttpResponse::json(200, r#"{"chart":{"result":[{"meta":{"currency":"USD","symb"#)
        }
    }
}

/// The rows a relative `range` leaves; the gateway was asked for all time, since only this end knows `now`.
fn cut(series: &BarSeries, request: &HttpRequest, now: Instant) -> BarSeries {
    let mut series = series.clone();
    if let Some(start) = given(request.param("range")).and_then(|word| since(word, now)) {
        series.bars.retain(|bar| start <= bar.start && bar.start <= now);
        let first = start.utc_date();
        series.actions.retain(|action| action.ex_date >= first);
    }
    series
}

/// A price as Yahoo's bars carry it: rounded to float32, then widened.
fn widened(price: Price) -> f64 {
    f64::from(price.to_f64() as f32)
}

fn currency_code(denomination: Denomination) -> String {
    match (denomination.unit, denomination.currency.as_str()) {
        (Unit::Major, code) => code.to_owned(),
        (Unit::Minor, "GBP") => "GBp".to_owned(),
        (Unit::Minor, "ILS") => "ILA".to_owned(),
        (Unit::Minor, "ZAR") => "ZAc".to_owned(),
        (Unit::Minor, _) => Currency::USD.to_string(),
    }
}

fn spelled(instrument: &InstrumentId) -> String {
    if is_unnamed(instrument) {
        String::new()
    } else {
        symbol::spell(instrument).unwrap_or_else(|_| instrument.name().to_owned())
    }
}

/// The `meta` of a chart. `session` is the current regular session.
fn meta(series: &BarSeries, price: Option<Price>, traded: Instant, session: Range) -> Map<String, Value> {
    let zone_name = series.zone.as_deref().unwrap_or(HOME);
    let offset =
        jiff::tz::TimeZone::get(zone_name).map_or(0, |zone| zone.to_offset(traded.to_timestamp()).seconds());
    let mut meta = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            meta.insert(name.to_owned(), value);
        }
    };
    put("currency", series.denomination.map(currency_code).into());
    put("symbol", spelled(&series.instrument).into());
    put("exchangeName", symbol::exchange_code(series.instrument.venue()).into());
    put("instrumentType", symbol::quote_type(symbol::kind_of_id(&series.instrument)).into());
    put("regularMarketTime", traded.as_secs().into());
    put("gmtoffset", offset.into());
    put("exchangeTimezoneName", zone_name.into());
    put("regularMarketPrice", price.map(Price::to_f64).into());
    put("priceHint", 2.into());
    put(
        "currentTradingPeriod",
        json!({"regular": {"start": session.start.as_secs(), "end": session.end.as_secs(), "gmtoffset": offset}}),
    );
    put("dataGranularity", interval_word(series.interval).into());
    put("range", "".into());
    put("validRanges", json!(["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"]));
    meta
}

fn put_quote(meta: &mut Map<String, Value>, quote: &Quote) {
    for (name, price) in [
        ("regularMarketDayHigh", quote.high),
        ("regularMarketDayLow", quote.low),
        ("previousClose", quote.previous_close),
        ("chartPreviousClose", quote.previous_close),
    ] {
        if let Some(price) = price {
            meta.insert(name.to_owned(), price.to_f64().into());
        }
    }
    if let Some(volume) = quote.volume {
        meta.insert("regularMarketVolume".to_owned(), (volume.to_f64().round() as i64).into());
    }
}

fn chart(series: &BarSeries, now: Instant) -> Value {
    let quote = series.quote.as_deref();
    let last = series.bars.last();
    let price = quote.and_then(|quote| quote.last).or_else(|| last?.close);
    let start = last.map_or(now, |bar| bar.start);
    let traded = quote.and_then(|quote| quote.event_time).unwrap_or(match last {
        Some(bar) if !bar.is_final => now.max(bar.start),
        Some(bar) => bar.start + bar_length(series.interval),
        None => now,
    });
    // The session is over when the last trade happened, unless the newest row still runs.
    let second = std::time::Duration::from_secs(1);
    let session = match last {
        Some(bar) if !bar.is_final => Range::new(start, traded + second),
        _ => Range::new(start.min(traded), traded),
    };
    let mut meta = meta(series, price, traded, session);
    if let Some(quote) = quote {
        put_quote(&mut meta, quote);
    }
    let column = |of: fn(&Bar) -> Option<Price>| -> Vec<Value> {
        series.bars.iter().map(|bar| of(bar).map(widened).into()).collect()
    };
    let volumes: Vec<Value> = series
        .bars
        .iter()
        .map(|bar| bar.volume.map(|volume| volume.to_f64().round() as i64).into())
        .collect();
    let mut indicators = json!({"quote": [{}]});
    let mut result = json!({"meta": meta});
    if !series.bars.is_empty() {
        result["timestamp"] = series.bars.iter().map(|bar| bar.start.as_secs()).collect();
        indicators["quote"][0] = json!({
            "open": column(|bar| bar.open),
            "high": column(|bar| bar.high),
            "low": column(|bar| bar.low),
            "close": column(|bar| bar.close),
            "volume": volumes,
        });
        if !series.interval.is_intraday() {
            indicators["adjclose"] =
                json!([{"adjclose": column(|bar| bar.vendor_adjusted_close.or(bar.close))}]);
        }
    }
    if !series.actions.is_empty() {
        result["events"] = events(series);
    }
    result["indicators"] = indicators;
    result
}

fn bar_length(interval: Interval) -> std::time::Duration {
    interval.fixed_length().unwrap_or(std::time::Duration::from_secs(6 * 3_600 + 1_800))
}

/// Events by the epoch text of the session's open on their ex-date.
fn events(series: &BarSeries) -> Value {
    let zone_name = series.zone.as_deref().unwrap_or(HOME);
    let open_of = |date: Date| {
        let bar =
            series.bars.iter().find(|bar| bar.trading_date == Some(date) && series.interval == Interval::D1);
        let open = bar.map(|bar| bar.start).or_else(|| local_time(date.at(9, 30, 0, 0), zone_name));
        open.unwrap_or_else(|| Instant::from_utc_midnight(date)).as_secs()
    };
    let (mut splits, mut dividends) = (Map::new(), Map::new());
    for CorporateAction { ex_date, kind, .. } in &series.actions {
        let date = open_of(*ex_date);
        match kind {
            ActionKind::Split { new_per_old } => {
                let (numerator, denominator) = fraction(new_per_old.to_f64());
                splits.insert(
                    date.to_string(),
                    json!({
                        "date": date,
                        "numerator": numerator,
                        "denominator": denominator,
                        "splitRatio": format!("{numerator}:{denominator}"),
                    }),
                );
            }
            ActionKind::Dividend { amount, .. } => {
                dividends.insert(date.to_string(), json!({"amount": amount.to_f64(), "date": date}));
            }
            ActionKind::Rename { .. } | ActionKind::Merger { .. } => {}
        }
    }
    let mut events = Map::new();
    for (name, map) in [("dividends", dividends), ("splits", splits)] {
        if !map.is_empty() {
            events.insert(name.to_owned(), map.into());
        }
    }
    events.into()
}

/// A ratio as two whole numbers, the second as small as it can be: 1.5 is 3 to 2.
fn fraction(ratio: f64) -> (i64, i64) {
    (1..=10_000i64)
        .map(|denominator| ((ratio * denominator as f64).round() as i64, denominator))
        .find(|(numerator, denominator)| {
            (*numerator as f64 / *denominator as f64 - ratio).abs() <= ratio.abs() * 1e-9
        })
        .unwrap_or(((ratio * 1e8).round() as i64, 100_000_000))
}

/// A day's chart for its last price: one row, the day so far.
fn quote_chart(instrument: &InstrumentId, quote: &Quote, now: Instant) -> Value {
    let traded = quote.event_time.unwrap_or(now);
    let series = BarSeries {
        denomination: quote.denomination,
        bars: vec![Bar {
            open: quote.open,
            high: quote.high,
            low: quote.low,
            close: quote.last,
            volume: quote.volume,
            ..Bar::empty(traded)
        }],
        quote: Some(Box::new(quote.clone())),
        ..BarSeries::empty(instrument.clone(), Interval::D1, Adjustment::Split)
    };
    chart(&series, now)
}

fn spark(series: &BarSeries, now: Instant) -> Value {
    let mut full = chart(series, now);
    let closes: Vec<Value> = series.bars.iter().map(|bar| bar.close.map(Price::to_f64).into()).collect();
    full["indicators"] = json!({"quote": [{"close": closes}]});
    json!({"symbol": spelled(&series.instrument), "response": [full]})
}

/// One row of `/v7/finance/quote`; what the data do not state is left out, as Yahoo does for funds.
fn row(instrument: &InstrumentId, quote: &Quote) -> Value {
    let american = is_united_states(instrument.venue());
    let price = |price: Option<Price>| Value::from(price.map(Price::to_f64));
    let whole = |size: Option<Size>| Value::from(size.map(|size| size.to_f64().round() as i64));
    let lot = if american { LOT } else { Decimal::ONE };
    let lots = |size: Option<Size>| whole(size.map(|size| Size::new((size.decimal() / lot).trunc())));
    let phase =
        |phase: MarketPhase| PHASES.iter().find(|(_, p)| *p == phase).map_or("CLOSED", |(state, _)| *state);
    let fields = [
        ("language", "en-US".into()),
        ("region", "US".into()),
        ("quoteType", symbol::quote_type(symbol::kind_of_id(instrument)).into()),
        ("currency", quote.denomination.map(currency_code).into()),
        ("exchange", symbol::exchange_code(instrument.venue()).into()),
        ("market", if american { AMERICAN.into() } else { Value::Null }),
        ("exchangeTimezoneName", american.then_some(HOME).into()),
        ("marketState", quote.phase.map(phase).into()),
        ("regularMarketPrice", price(quote.last)),
        ("regularMarketTime", quote.event_time.map(Instant::as_secs).into()),
        ("regularMarketOpen", price(quote.open)),
        ("regularMarketDayHigh", price(quote.high)),
        ("regularMarketDayLow", price(quote.low)),
        ("regularMarketPreviousClose", price(quote.previous_close)),
        ("regularMarketVolume", whole(quote.volume)),
        ("bid", price(quote.bid)),
        ("ask", price(quote.ask)),
        ("bidSize", lots(quote.bid_size)),
        ("askSize", lots(quote.ask_size)),
        ("sourceInterval", 15.into()),
        ("exchangeDataDelayedBy", quote.stated_delay.map(|delay| delay.as_secs() / 60).into()),
        ("priceHint", 2.into()),
        ("symbol", spelled(instrument).into()),
    ];
    fields.into_iter().filter(|(_, value): &(_, Value)| !value.is_null()).collect()
}

fn search(quotes: Vec<Value>, news: Vec<Value>) -> HttpResponse {
    let count = quotes.len() + news.len();
    json_reply(
        200,
        &json!({"explains": [], "count": count, "quotes": quotes, "news": news, "nav": [], "lists": []}),
    )
}

fn found_row(instrument: &Instrument) -> Value {
    let told = instrument.vendor_symbol.as_deref().map_or_else(|| spelled(&instrument.id), str::to_owned);
    json!({
        "exchange": symbol::exchange_code(instrument.id.venue()),
        "shortname": instrument.description.as_deref(),
        "quoteType": symbol::quote_type(instrument.kind),
        "symbol": told,
        "index": "quotes",
        "longname": instrument.description.as_deref(),
        "isYahooFinance": true,
    })
}

fn article(item: &NewsItem) -> Value {
    json!({
        "uuid": item.id.as_deref(),
        "title": &*item.headline,
        "publisher": item.publisher.as_deref(),
        "link": item.url.as_deref(),
        "providerPublishTime": item.published.as_secs(),
        "type": "STORY",
        "relatedTickers": item.instruments.iter().map(spelled).collect::<Vec<_>>(),
    })
}
