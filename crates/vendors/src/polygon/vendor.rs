//! What Polygon would say: its shapes, order, limits, pages and refusals.

use domain::{
    ActionKind, Adjustment, Bar, BarSeries, CorporateAction, Instant, Instrument, InstrumentId,
    InstrumentKind, Interval, MarketPhase, MarketStatus, NewsItem, Price, Quote, Ratio, Size, Trade, Unit,
    Venue, number::Decimal,
};

use super::request::{self, MOST_BASE_BARS, MOST_ROWS, MOST_TICKS};
use super::symbols::{is_share, spell};
use super::{bars, quotes};
use crate::body::{self, Object, array, quoted};
use crate::local_time::Zone;
use crate::{Data, HttpRequest, HttpResponse, Quoted, Rejection};

/// Decimal places of prices in bars of shares.
const PLACES: u32 = 4;

pub(super) fn encode(request: &HttpRequest, outcome: &Result<Data, Rejection>, now: Instant) -> HttpResponse {
    let reply = Writer { id: request_id(request, now), now };
    let response = match request::unfold_cursor(request) {
        Err(rejection) => reply.refusal(request, &rejection),
        Ok(asked) => match outcome {
            Ok(data) => reply.answer(request, &asked, data),
            Err(rejection) => reply.refusal(request, rejection),
        },
    };
    response.with_header("x-request-id", &reply.id)
}

/// Thirty-two hexadecimal digits that depend on what is asked and when, and not on the key.
fn request_id(request: &HttpRequest, now: Instant) -> String {
    let seed = format!("{}@{}", request.path, now.as_nanos());
    let fold = |start: u64| {
        seed.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    };
    format!("{:016x}{:016x}", fold(0xcbf2_9ce4_8422_2325), fold(0x8422_2325_cbf2_9ce4))
}

/// One reply in the making.
struct Writer {
    id: String,
    now: Instant,
}

/// Rows of one page, and where the next one is.
struct Page {
    rows: Vec<String>,
    next_url: Option<String>,
}

impl Writer {
    fn answer(&self, request: &HttpRequest, asked: &HttpRequest, data: &Data) -> HttpResponse {
        let segments = request.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (path.as_slice(), data) {
            (["v2", "last", word, _], Data::Quotes(quotes)) => self.last(request, word, quotes),
            (["v3", "quotes", _], Data::Quotes(quotes)) => {
                self.list(request, asked, 1_000, MOST_TICKS, quotes.iter().filter_map(past_quote).collect())
            }
            (["v2", "snapshot", .., "tickers", _], Data::Quotes(quotes)) => match quotes.first() {
                Some(Quoted { instrument, quote: Ok(quote) }) => {
                    self.whole(status(quotes), |reply| reply.raw("ticker", snapshot(instrument, quote)))
                }
                Some(Quoted { quote: Err(rejection), .. }) => self.refusal(request, rejection),
                None => self.refusal(request, &Rejection::NoData),
            },
            (["v2", "snapshot", .., "tickers"], Data::Quotes(quotes)) => {
                let known = |quoted: &Quoted| Some(snapshot(&quoted.instrument, quoted.quote.as_ref().ok()?));
                let rows: Vec<String> = quotes.iter().filter_map(known).collect();
                let count = rows.len();
                self.whole(status(quotes), |reply| reply.raw("count", count).raw("tickers", array(rows)))
            }
            (["v3", "snapshot"], Data::Quotes(quotes)) => {
                self.list(request, asked, 10, 250, quotes.iter().map(unified).collect())
            }
            (["v2", "aggs", "ticker", _, "range", ..], Data::Bars(series)) => {
                self.range(request, asked, series)
            }
            (["v2", "aggs", "ticker", ticker, "prev"], Data::Bars(series)) => {
                let newest: Vec<&Bar> =
                    series.bars.iter().rev().find(|bar| bar.is_final).into_iter().collect();
                let rows =
                    newest.into_iter().map(|bar| closed_row(ticker, bar, &series.instrument)).collect();
                self.bars(Some(ticker), series.adjustment, rows, None, 1)
            }
            (["v2", "aggs", "grouped", ..], Data::ManyBars(many)) => {
                let rows = many.iter().flat_map(|series| {
                    let ticker = spell(&series.instrument).unwrap_or_default();
                    series.bars.iter().map(move |bar| closed_row(&ticker, bar, &series.instrument))
                });
                let adjustment = many.first().map_or(Adjustment::Split, |series| series.adjustment);
                self.bars(None, adjustment, rows.collect(), None, 1)
            }
            (["v1", "open-close", ticker, _], Data::Bars(series)) => match series.bars.first() {
                Some(bar) => self.open_close(ticker, bar),
                None => self.refusal(request, &Rejection::NoData),
            },
            (["v3", "trades", _], Data::Trades(_, trades)) => {
                self.list(request, asked, 1_000, MOST_TICKS, trades.iter().map(trade).collect())
            }
            ([.., "splits"] | [.., "dividends"], Data::Actions(actions)) => {
                let splits = path.last() == Some(&"splits");
                let rows =
                    actions.iter().filter_map(|action| if splits { split(action) } else { dividend(action) });
                self.list(request, asked, 10, MOST_ROWS, rows.collect())
            }
            (["v2", "reference", "news"], Data::News(items)) => {
                // Ours come newest first; the list is turned where the request wants the oldest first.
                self.list(request, asked, 10, MOST_ROWS, items.iter().rev().map(news).collect())
            }
            (["v3", "reference", "tickers"], Data::Instruments(instruments)) => {
                self.list(request, asked, 100, MOST_ROWS, instruments.iter().map(ticker).collect())
            }
            (["v1", "marketstatus", "now"], Data::MarketStatus(markets)) => self.market_status(markets),
            _ => self.refusal(request, &Rejection::VendorFault { status: 500 }),
        }
    }

    /// A reply without rows: fields, status and request id.
    fn whole(&self, status: &str, fields: impl FnOnce(Object) -> Object) -> HttpResponse {
        let body = fields(Object::new()).text("status", status).text("request_id", &self.id);
        HttpResponse::json(200, body.end())
    }

    /// Rows that are oldest first here, in the order and of the size the request wants.
    fn list(
        &self,
        request: &HttpRequest,
        asked: &HttpRequest,
        default: u32,
        most: u32,
        mut rows: Vec<String>,
    ) -> HttpResponse {
        if asked.param("order").unwrap_or(default_order(request)) == "desc" {
            rows.reverse();
        }
        match request::limit(asked, default, most) {
            Err(rejection) => self.refusal(request, &rejection),
            Ok(limit) => {
                let page = page(request, asked, rows, limit);
                let count = page.rows.len();
                self.whole("OK", |reply| {
                    reply
                        .raw("results", array(page.rows))
                        .raw("count", count)
                        .text_if_any("next_url", page.next_url.as_deref())
                })
            }
        }
    }

    fn range(&self, request: &HttpRequest, asked: &HttpRequest, series: &BarSeries) -> HttpResponse {
        let limit = match request::limit(asked, 5_000, MOST_BASE_BARS) {
            Ok(limit) => limit,
            Err(rejection) => return self.refusal(request, &rejection),
        };
        let zone = Zone::new_york();
        let mut rows: Vec<String> = series
            .bars
            .iter()
            .map(|bar| row(bar, &series.instrument, bars::stamp(bar, series.interval, &zone)).end())
            .collect();
        if asked.param("sort") == Some("desc") {
            rows.reverse();
        }
        let base = base_bars(series.interval);
        let page = page(request, asked, rows, (limit / base).max(1));
        let ticker = spell(&series.instrument).unwrap_or_default();
        self.bars(Some(&ticker), series.adjustment, page.rows, page.next_url, base)
    }

    /// Bars with their envelope; `base` is how many base bars make one of them.
    fn bars(
        &self,
        ticker: Option<&str>,
        adjustment: Adjustment,
        rows: Vec<String>,
        next_url: Option<String>,
        base: u32,
    ) -> HttpResponse {
        let count = rows.len();
        let base = usize::try_from(base).unwrap_or(1);
        // Indices have neither counts nor adjustment.
        let is_index = ticker.is_some_and(|ticker| ticker.starts_with("I:"));
        let counted = |name: &str, value: usize, reply: Object| match is_index {
            true => reply,
            false => reply.raw(name, value),
        };
        self.whole("OK", |reply| {
            let reply = reply.text_if_any("ticker", ticker);
            let reply = counted("queryCount", count * base, reply);
            let reply = counted("resultsCount", count, reply);
            let adjusted = (!is_index).then_some(adjustment != Adjustment::Raw);
            let reply = reply.if_any("adjusted", adjusted);
            let reply = reply.if_any("results", (count > 0).then(|| array(rows)));
            counted("count", count, reply).text_if_any("next_url", next_url.as_deref())
        })
    }

    fn open_close(&self, ticker: &str, bar: &Bar) -> HttpResponse {
        let date = bar.trading_date.unwrap_or_else(|| Zone::new_york().date(bar.start));
        self.whole("OK", |reply| {
            reply
                .text("from", &date.to_string())
                .text("symbol", ticker)
                .number("open", bar.open)
                .number("high", bar.high)
                .number("low", bar.low)
                .number("close", bar.close)
                .number("volume", bar.volume.map(float))
        })
    }

    fn last(&self, request: &HttpRequest, word: &str, quotes: &[Quoted]) -> HttpResponse {
        let (id, quote) = match quotes.first() {
            Some(Quoted { instrument, quote: Ok(quote) }) => (instrument, quote),
            Some(Quoted { quote: Err(rejection), .. }) => return self.refusal(request, rejection),
            None => return self.refusal(request, &Rejection::NoData),
        };
        let results = if word == "trade" { last_trade(id, quote) } else { last_quote(id, quote) };
        self.whole(status(quotes), |reply| reply.if_any("results", results))
    }

    fn market_status(&self, markets: &[MarketStatus]) -> HttpResponse {
        let word = |phase| match phase {
            MarketPhase::Open => "open",
            MarketPhase::PreMarket | MarketPhase::AfterHours | MarketPhase::Extended => "extended-hours",
            MarketPhase::Break | MarketPhase::Closed => "closed",
        };
        let whole = markets.iter().find(|status| &*status.market == "US").or(markets.first());
        let phase = whole.map_or(MarketPhase::Closed, |status| status.phase);
        let at = whole.and_then(|status| status.at).unwrap_or(self.now);
        let exchanges = markets
            .iter()
            .filter(|status| &*status.market != "US")
            .fold(Object::new(), |reply, status| reply.text(&status.market, word(status.phase)));
        let reply = Object::new()
            .text("market", word(phase))
            .raw("earlyHours", phase == MarketPhase::PreMarket)
            .raw("afterHours", phase == MarketPhase::AfterHours)
            .text("serverTime", &at.to_string())
            .raw("exchanges", exchanges.end());
        HttpResponse::json(200, reply.end())
    }

    fn error(&self, status: u16, word: &str, field: &str, text: &str) -> HttpResponse {
        let body = Object::new().text("status", word).text("request_id", &self.id).text(field, text);
        HttpResponse::json(status, body.end())
    }

    fn refusal(&self, request: &HttpRequest, rejection: &Rejection) -> HttpResponse {
        match rejection {
            Rejection::Unauthorized => {
                let has_key = request.param("apiKey").is_some() || request.header("authorization").is_some();
                let text = if has_key { "Unknown API Key" } else { "API Key was not provided" };
                self.error(401, "ERROR", "error", text)
            }
            Rejection::NotEntitled => self.error(
                403,
                "NOT_AUTHORIZED",
                "message",
                "You are not entitled to this data. Please upgrade your plan at https://massive.com/pricing",
            ),
            Rejection::UnknownSymbol => self.nothing(request, true),
            Rejection::NoData => self.nothing(request, false),
            Rejection::RateLimited { retry_after, .. } => {
                let response = self.error(429, "ERROR", "error", TOO_MANY);
                match retry_after {
                    Some(wait) => response.with_header("retry-after", wait.as_secs().max(1)),
                    None => response,
                }
            }
            Rejection::QuotaSpent { .. } => self.error(402, "ERROR", "error", "Payment required"),
            Rejection::CallersMistake => self.error(400, "ERROR", "error", "Could not parse the request"),
            Rejection::Unsupported => HttpResponse::text(404, "404 page not found"),
            Rejection::Banned { .. } => body::page(403, "Access denied"),
            Rejection::VendorFault { status: 500 } => {
                self.error(500, "ERROR", "error", "Internal server error")
            }
            Rejection::VendorFault { status } => body::page(*status, "Service unavailable"),
            Rejection::Unreadable { .. } => HttpResponse::json(200, r#"{"status":"OK","results":[{"#),
        }
    }

    /// How each endpoint says that there is nothing: only those of a single ticker tell an unknown one.
    fn nothing(&self, request: &HttpRequest, is_unknown: bool) -> HttpResponse {
        let segments = request.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["v2", "aggs", "ticker", ticker, ..] => {
                self.bars(Some(ticker), Adjustment::Split, vec![], None, 1)
            }
            ["v2", "aggs", ..] => self.bars(None, Adjustment::Split, vec![], None, 1),
            ["v2", "snapshot", .., "tickers"] => {
                self.whole("OK", |reply| reply.raw("count", 0).raw("tickers", "[]"))
            }
            ["v3", "snapshot"] if is_unknown => {
                let tickers = request.param("ticker.any_of").unwrap_or_default().split(',');
                self.whole("OK", |reply| reply.raw("results", array(tickers.map(unknown_row))))
            }
            ["v2", "last", ..] | ["v2", "snapshot", ..] | ["v3", "reference", "tickers", _] if is_unknown => {
                self.error(404, "NOT_FOUND", "message", "Ticker not found.")
            }
            ["v1", "open-close", ..] => self.error(404, "NOT_FOUND", "message", "Data not found."),
            ["v2", "last", ..] | ["v2", "snapshot", ..] => self.whole("OK", |reply| reply),
            _ => self.whole("OK", |reply| reply.raw("results", "[]").raw("count", 0)),
        }
    }
}

const TOO_MANY: &str = "You've exceeded the maximum requests per minute, please wait or upgrade your \
                        subscription to continue. https://massive.com/pricing";

/// Reference data other than tickers, trades and quotes come newest first.
fn default_order(request: &HttpRequest) -> &'static str {
    if request.path.ends_with("/tickers") || request.path.ends_with("/snapshot") { "asc" } else { "desc" }
}

fn page(request: &HttpRequest, asked: &HttpRequest, rows: Vec<String>, limit: u32) -> Page {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let start = request::offset(asked).min(rows.len());
    let end = start.saturating_add(limit).min(rows.len());
    let next_url = (end < rows.len()).then(|| {
        let next = HttpRequest::get(&*request.path).with("cursor", request::cursor_after(asked, end));
        format!("{}{}", super::PROFILE.base_urls[0], next.target())
    });
    Page { rows: rows.into_iter().skip(start).take(end - start).collect(), next_url }
}

/// Base bars (seconds, minutes or days) in one bar: what `limit` counts.
fn base_bars(interval: Interval) -> u32 {
    match interval {
        Interval::S1 | Interval::M1 | Interval::D1 => 1,
        Interval::M5 => 5,
        Interval::M15 => 15,
        Interval::M30 => 30,
        Interval::H1 => 60,
        Interval::H4 => 240,
        Interval::W1 => 7,
        Interval::Mo1 => 31,
    }
}

/// The vendor's numbers of shares: from a million up in scientific notation with two digits of exponent.
fn float(size: Size) -> String {
    let value = size.decimal().normalize();
    let digits = value.mantissa().unsigned_abs().to_string();
    let exponent = digits.len() as i64 - 1 - i64::from(value.scale());
    if exponent < 6 {
        return value.to_string();
    }
    let digits = digits.trim_end_matches('0');
    let (first, rest) = digits.split_at(1);
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{first}{point}{rest}e+{exponent:02}")
}

/// Prices of shares have at most four places.
fn price(value: Option<Price>, id: &InstrumentId) -> Option<Price> {
    value.map(|price| if is_share(id) { price.round(PLACES) } else { price })
}

fn row(bar: &Bar, id: &InstrumentId, stamp: Instant) -> Object {
    Object::new()
        .if_any("v", bar.volume.map(float))
        .if_any("vw", price(bar.vwap, id))
        .number("o", price(bar.open, id))
        .number("c", price(bar.close, id))
        .number("h", price(bar.high, id))
        .number("l", price(bar.low, id))
        .raw("t", stamp.as_millis())
        .if_any("n", bar.trade_count)
}

/// A day's bar stamped at its close.
fn closed_row(ticker: &str, bar: &Bar, id: &InstrumentId) -> String {
    let zone = Zone::new_york();
    let date = bar.trading_date.unwrap_or_else(|| zone.date(bar.start));
    let close = zone.instant(date.at(16, 0, 0, 0)).unwrap_or(bar.start);
    row(bar, id, close).text("T", ticker).end()
}

fn status(quotes: &[Quoted]) -> &'static str {
    let is_delayed = |quoted: &Quoted| {
        quoted.quote.as_ref().is_ok_and(|quote| quote.stated_delay.is_some_and(|delay| !delay.is_zero()))
    };
    if quotes.iter().any(is_delayed) { "DELAYED" } else { "OK" }
}

/// Round lots of a size; a broken lot is not quoted.
fn in_lots(size: Option<Size>, id: &InstrumentId) -> Option<Decimal> {
    let lot = if is_share(id) { quotes::LOT } else { Decimal::ONE };
    size.map(|size| if is_share(id) { (size.decimal() / lot).floor() } else { size.decimal() }.normalize())
}

fn nanos(quote: &Quote) -> Option<i64> {
    quote.event_time.map(Instant::as_nanos)
}

fn last_trade(id: &InstrumentId, quote: &Quote) -> Option<String> {
    let reply = Object::new().text("T", &spell(id).ok()?).raw("p", quote.last?);
    Some(reply.if_any("s", quote.last_size).raw("t", nanos(quote)?).raw("x", 11).raw("z", 3).end())
}

fn last_quote(id: &InstrumentId, quote: &Quote) -> Option<String> {
    if quote.bid.is_none() && quote.ask.is_none() {
        return None;
    }
    // Where there is no bid or no ask the vendor writes zero.
    let reply = Object::new()
        .text("T", &spell(id).ok()?)
        .raw("p", quote.bid.unwrap_or_default())
        .raw("s", in_lots(quote.bid_size, id).unwrap_or_default())
        .raw("P", quote.ask.unwrap_or_default())
        .raw("S", in_lots(quote.ask_size, id).unwrap_or_default());
    Some(reply.raw("t", nanos(quote)?).raw("x", 11).raw("X", 12).raw("z", 3).end())
}

fn past_quote(quoted: &Quoted) -> Option<String> {
    let (id, quote) = (&quoted.instrument, quoted.quote.as_ref().ok()?);
    let reply = Object::new()
        .raw("ask_price", quote.ask.unwrap_or_default())
        .raw("ask_size", in_lots(quote.ask_size, id).unwrap_or_default())
        .raw("bid_price", quote.bid.unwrap_or_default())
        .raw("bid_size", in_lots(quote.bid_size, id).unwrap_or_default());
    Some(reply.raw("sip_timestamp", nanos(quote)?).end())
}

fn snapshot(id: &InstrumentId, quote: &Quote) -> String {
    let day = quote.open.map(|open| {
        Object::new()
            .raw("o", open)
            .number("h", quote.high)
            .number("l", quote.low)
            .number("c", quote.last)
            .if_any("v", quote.volume)
            .end()
    });
    let at = nanos(quote).unwrap_or(0);
    Object::new()
        .text("ticker", &spell(id).unwrap_or_default())
        .if_any("day", day)
        .if_any("lastTrade", last_trade(id, quote))
        .if_any("lastQuote", last_quote(id, quote))
        .if_any("prevDay", quote.previous_close.map(|close| Object::new().raw("c", close).end()))
        .raw("updated", at)
        .end()
}

fn unknown_row(ticker: &str) -> String {
    Object::new().text("ticker", ticker).text("error", "NOT_FOUND").text("message", "Ticker not found.").end()
}

fn unified(quoted: &Quoted) -> String {
    let ticker = spell(&quoted.instrument).unwrap_or_default();
    let quote = match &quoted.quote {
        Ok(quote) => quote,
        Err(Rejection::NotEntitled) => {
            return Object::new().text("ticker", &ticker).text("error", "NOT_ENTITLED").end();
        }
        Err(Rejection::NoData) => return Object::new().text("ticker", &ticker).end(),
        Err(_) => return unknown_row(&ticker),
    };
    let id = &quoted.instrument;
    let is_delayed = quote.stated_delay.is_some_and(|delay| !delay.is_zero());
    let timeframe = if is_delayed { "DELAYED" } else { "REAL-TIME" };
    let is_index = id.venue() == Venue::INDEX;
    let trade = quote.last.filter(|_| !is_index).map(|last| {
        let reply = Object::new().raw("price", last).if_any("size", quote.last_size);
        reply.if_any("sip_timestamp", nanos(quote)).text("timeframe", timeframe).end()
    });
    let best = (quote.bid.is_some() || quote.ask.is_some()).then(|| {
        Object::new()
            .raw("bid", quote.bid.unwrap_or_default())
            .raw("bid_size", in_lots(quote.bid_size, id).unwrap_or_default())
            .raw("ask", quote.ask.unwrap_or_default())
            .raw("ask_size", in_lots(quote.ask_size, id).unwrap_or_default())
            .if_any("last_updated", nanos(quote))
            .text("timeframe", timeframe)
            .end()
    });
    let session = Object::new()
        .if_any("open", quote.open)
        .if_any("high", quote.high)
        .if_any("low", quote.low)
        .if_any("previous_close", quote.previous_close)
        .if_any("volume", quote.volume);
    Object::new()
        .text("ticker", &ticker)
        .if_any("value", quote.last.filter(|_| is_index))
        .if_any("last_trade", trade)
        .if_any("last_quote", best)
        .raw("session", session.end())
        .if_any("last_updated", nanos(quote))
        .text("timeframe", timeframe)
        .end()
}

fn trade(trade: &Trade) -> String {
    let codes =
        |codes: &[std::sync::Arc<str>]| array(codes.iter().filter(|code| code.parse::<u32>().is_ok()));
    let exchange = trade.exchange.as_deref().and_then(|code| code.parse::<u32>().ok());
    Object::new()
        .if_any("conditions", (!trade.conditions.is_empty()).then(|| codes(&trade.conditions)))
        .if_any("exchange", exchange)
        .text_if_any("id", trade.id.as_deref())
        .raw("participant_timestamp", trade.at.as_nanos())
        .raw("price", trade.price)
        .raw("sip_timestamp", trade.at.as_nanos())
        .raw("size", trade.size)
        .end()
}

/// Old and new share count of a ratio in whole numbers where small ones do.
fn factors(new_per_old: Ratio) -> (Decimal, Decimal) {
    for from in 1..=1_000_u32 {
        let from = Decimal::from(from);
        let to = new_per_old.decimal() * from;
        if (to - to.round()).abs() < Decimal::new(1, 9) && !to.round().is_zero() {
            return (from, to.round());
        }
    }
    (Decimal::ONE, new_per_old.decimal())
}

fn split(action: &CorporateAction) -> Option<String> {
    let ActionKind::Split { new_per_old } = &action.kind else { return None };
    let (from, to) = factors(*new_per_old);
    let reply = Object::new().text("execution_date", &action.ex_date.to_string());
    Some(
        reply
            .raw("split_from", from)
            .raw("split_to", to)
            .text("ticker", &spell(&action.instrument).ok()?)
            .end(),
    )
}

fn dividend(action: &CorporateAction) -> Option<String> {
    let ActionKind::Dividend { amount, denomination } = &action.kind else { return None };
    let date = |date: Option<domain::Date>| date.map(|date| quoted(&date.to_string()));
    let currency = denomination.map(|d| d.currency).unwrap_or(domain::Currency::USD);
    let reply = Object::new()
        .raw("cash_amount", amount)
        .text("currency", currency.as_str())
        .if_any("declaration_date", date(action.declared))
        .text("dividend_type", action.description.as_deref().unwrap_or("CD"))
        .text("ex_dividend_date", &action.ex_date.to_string())
        .if_any("pay_date", date(action.payable))
        .if_any("record_date", date(action.record));
    Some(reply.text("ticker", &spell(&action.instrument).ok()?).end())
}

fn news(item: &NewsItem) -> String {
    let publisher = item.publisher.as_deref().map(|name| Object::new().text("name", name).end());
    let tickers = item.instruments.iter().filter_map(|id| spell(id).ok()).map(|ticker| quoted(&ticker));
    Object::new()
        .text_if_any("id", item.id.as_deref())
        .if_any("publisher", publisher)
        .text("title", &item.headline)
        .text("published_utc", &item.published.to_string())
        .text_if_any("article_url", item.url.as_deref())
        .raw("tickers", array(tickers))
        .text_if_any("description", item.summary.as_deref())
        .end()
}

fn ticker(instrument: &Instrument) -> String {
    let id = &instrument.id;
    let (market, kind) = match instrument.kind {
        InstrumentKind::Equity => ("stocks", Some("CS")),
        InstrumentKind::Etf => ("stocks", Some("ETF")),
        InstrumentKind::Fund => ("stocks", Some("FUND")),
        InstrumentKind::Index => ("indices", None),
        InstrumentKind::Fx => ("fx", None),
        InstrumentKind::Crypto => ("crypto", None),
        InstrumentKind::Future | InstrumentKind::Option | InstrumentKind::Other => ("stocks", None),
    };
    let spelled = spell(id).ok().or(instrument.vendor_symbol.as_deref().map(str::to_owned));
    let listing = (is_share(id) && id.venue() != Venue::US).then(|| id.venue());
    let major = instrument.denomination.filter(|denomination| denomination.unit == Unit::Major);
    let currency = major.map(|denomination| denomination.currency.as_str().to_ascii_lowercase());
    let pair = id.pair();
    Object::new()
        .text("ticker", spelled.as_deref().unwrap_or(id.name()))
        .text_if_any("name", instrument.description.as_deref())
        .text("market", market)
        .text("locale", if is_share(id) || market == "indices" { "us" } else { "global" })
        .text_if_any("primary_exchange", listing.as_ref().map(Venue::as_str))
        .text_if_any("type", kind)
        .raw("active", instrument.delisted.is_none())
        .text_if_any("currency_name", currency.as_deref())
        .text_if_any("currency_symbol", pair.map(|(_, quote)| quote))
        .text_if_any("base_currency_symbol", pair.map(|(base, _)| base))
        .text_if_any("list_date", instrument.listed.map(|date| date.to_string()).as_deref())
        .text_if_any("delisted_utc", instrument.delisted.map(|date| format!("{date}T00:00:00Z")).as_deref())
        .end()
}
