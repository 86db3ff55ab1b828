//! Our questions as Twelve Data's requests, and back.

use domain::{Adjustment, Date, Instant, InstrumentId, Interval, Range, Session, Venue};

use super::MOST_ROWS;
use crate::local_time::{all_time, dates_around, local, local_time, range_of_dates};
use crate::symbol::{given, is_united_states, unnamed};
use crate::{HttpRequest, Question, Rejection};

/// Most symbols one request may name.
const MOST_SYMBOLS: usize = 120;
/// Most matches one search gives.
const MOST_MATCHES: u32 = 120;

/// Words for our intervals.
const INTERVALS: [(&str, Interval); 9] = [
    ("1min", Interval::M1),
    ("5min", Interval::M5),
    ("15min", Interval::M15),
    ("30min", Interval::M30),
    ("1h", Interval::H1),
    ("4h", Interval::H4),
    ("1day", Interval::D1),
    ("1week", Interval::W1),
    ("1month", Interval::Mo1),
];

/// Intervals the vendor has and we do not.
const FOREIGN_INTERVALS: [&str; 4] = ["45min", "2h", "5h", "8h"];

/// Words for restatement.
const ADJUSTMENTS: [(&str, Adjustment); 4] = [
    ("none", Adjustment::Raw),
    ("splits", Adjustment::Split),
    ("dividends", Adjustment::Dividend),
    ("all", Adjustment::All),
];

/// The vendor's names of exchanges outside the United States, where one name means one market.
const EXCHANGES: [(&str, &str); 16] = [
    ("BME", "XMAD"),
    ("LSE", "XLON"),
    ("XETR", "XETR"),
    ("FSX", "XFRA"),
    ("MTA", "XMIL"),
    ("SIX", "XSWX"),
    ("TSX", "XTSE"),
    ("JPX", "XTKS"),
    ("HKEX", "XHKG"),
    ("ASX", "XASX"),
    ("NSE", "XNSE"),
    ("BSE", "XBOM"),
    ("KRX", "XKRX"),
    ("SGX", "XSES"),
    ("JSE", "XJSE"),
    ("Bovespa", "BVMF"),
];

/// The venue of the vendor's name of an exchange.
pub(super) fn venue_of_exchange(name: &str) -> Option<Venue> {
    let (_, mic) = EXCHANGES.iter().find(|(exchange, _)| exchange.eq_ignore_ascii_case(name))?;
    Venue::new(mic)
}

/// The vendor's name of a venue's exchange.
pub(super) fn exchange_of_venue(venue: Venue) -> Option<&'static str> {
    EXCHANGES.iter().find(|(_, mic)| *mic == venue.as_str()).map(|(name, _)| *name)
}

/// The vendor's word for an interval.
pub(super) fn word_of(interval: Interval) -> Option<&'static str> {
    INTERVALS.iter().find(|(_, i)| *i == interval).map(|(word, _)| *word)
}

/// The interval of a word.
///
/// # Errors
/// [`Rejection::Unsupported`] for one that only the vendor has, [`Rejection::CallersMistake`] for none.
pub(super) fn interval_of(word: &str) -> Result<Interval, Rejection> {
    match INTERVALS.iter().find(|(w, _)| *w == word) {
        Some((_, interval)) => Ok(*interval),
        None if FOREIGN_INTERVALS.contains(&word) => Err(Rejection::Unsupported),
        None => Err(Rejection::CallersMistake),
    }
}

/// The restatement a request asks for; the vendor's own choice is for splits.
pub(super) fn adjustment_of(request: &HttpRequest) -> Result<Adjustment, Rejection> {
    match param(request, "adjust") {
        None => Ok(Adjustment::Split),
        Some(word) => match ADJUSTMENTS.iter().find(|(w, _)| *w == word) {
            Some((_, adjustment)) => Ok(*adjustment),
            None => Err(Rejection::CallersMistake),
        },
    }
}

/// A parameter's value; names count in any case.
pub(super) fn param<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    given(request.query.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()))
}

/// A symbol as the vendor writes it, the venue behind a colon where it is not of the United States.
pub(super) fn spell(id: &InstrumentId) -> Option<String> {
    let venue = id.venue();
    if is_united_states(venue) || venue == Venue::FX || venue == Venue::CRYPTO {
        return Some(id.name().to_owned());
    }
    Some(format!("{}:{}", id.name(), exchange_of_venue(venue)?))
}

/// The instrument of the vendor's text.
pub(super) fn read_symbol(text: &str, request: &HttpRequest) -> InstrumentId {
    if text.starts_with(['{', '.', '(']) || text.is_empty() {
        return unnamed();
    }
    let (name, exchange) = match text.split_once(':') {
        Some((name, exchange)) => (name, Some(exchange)),
        None => (text, param(request, "exchange")),
    };
    let venue = match (param(request, "mic_code").and_then(Venue::new), exchange) {
        (Some(venue), _) => venue,
        (None, Some(exchange)) => venue_of_exchange(exchange).unwrap_or(Venue::US),
        (None, None) if name.contains('/') => {
            let fiat = |text: &str| text.len() == 3 && !matches!(text, "BTC" | "ETH" | "XRP" | "LTC" | "SOL");
            if name.split('/').all(fiat) { Venue::FX } else { Venue::CRYPTO }
        }
        (None, None) => Venue::US,
    };
    InstrumentId::new(name, venue)
}

/// A request for one instrument.
fn about(path: &str, id: &InstrumentId) -> Result<HttpRequest, Rejection> {
    let request = HttpRequest::get(path);
    match spell(id) {
        Some(text) => Ok(request.with("symbol", text)),
        None if id.venue() == Venue::INDEX => Err(Rejection::Unsupported),
        None => Ok(request.with("symbol", id.name()).with("mic_code", id.venue())),
    }
}

/// Puts a question into a request.
pub(super) fn encode(question: &Question) -> Result<HttpRequest, Rejection> {
    match question {
        Question::Quotes { bid_ask: true, .. } | Question::Trades { .. } | Question::News { .. } => {
            Err(Rejection::Unsupported)
        }
        Question::Quotes { instruments, .. } => match instruments.as_slice() {
            [] => Err(Rejection::CallersMistake),
            [one] => about("/quote", one),
            many if many.len() > MOST_SYMBOLS => Err(Rejection::Unsupported),
            many => {
                let texts: Option<Vec<String>> = many.iter().map(spell).collect();
                let texts = texts.ok_or(Rejection::Unsupported)?;
                Ok(HttpRequest::get("/quote").with("symbol", texts.join(",")))
            }
        },
        Question::Bars { instrument, interval, range, adjustment, session } => {
            let interval_word = word_of(*interval).ok_or(Rejection::Unsupported)?;
            let adjust = ADJUSTMENTS.iter().find(|(_, a)| a == adjustment).ok_or(Rejection::Unsupported)?.0;
            let mut request = about("/time_series", instrument)?.with("interval", interval_word);
            if interval.is_intraday() {
                let second = |at: Instant| at.to_timestamp().strftime("%Y-%m-%d %H:%M:%S").to_string();
                let until = Instant::from_secs(range.end.as_secs().saturating_add(1));
                request = request
                    .with("start_date", second(range.start))
                    .with("end_date", second(until))
                    .with("timezone", "UTC");
            } else {
                let (first, last) = dates_around(*range);
                request = request.with("start_date", first).with("end_date", last);
            }
            // The vendor adds extended hours to bars of up to half an hour.
            let has_extended = interval.is_intraday() && *interval <= Interval::M30;
            if *session == Session::Extended && has_extended {
                request = request.with("prepost", "true");
            }
            Ok(request.with("outputsize", MOST_ROWS).with("adjust", adjust))
        }
        Question::Splits { instrument, range } => {
            let (first, last) = dates_around(*range);
            Ok(about("/splits", instrument)?.with("start_date", first).with("end_date", last))
        }
        // As paid: the vendor's own choice restates amounts for later splits.
        Question::Dividends { instrument, range } => {
            let (first, last) = dates_around(*range);
            let request = about("/dividends", instrument)?;
            Ok(request.with("start_date", first).with("end_date", last).with("adjust", "false"))
        }
        Question::Search { words, limit } => Ok(HttpRequest::get("/symbol_search")
            .with("symbol", words)
            .with("outputsize", (*limit).clamp(1, MOST_MATCHES))),
        Question::Symbols => Ok(HttpRequest::get("/stocks").with("country", "United States")),
        Question::MarketStatus => Ok(HttpRequest::get("/market_state").with("country", "United States")),
    }
}

/// Credits a request costs: those of its endpoint for each symbol ("Twelve Data API documentation", section
/// "Credits", read 2026-10).
pub(super) fn credits(request: &HttpRequest) -> u32 {
    let symbols =
        param(request, "symbol").map_or(1, |text| text.split(',').filter(|s| !s.is_empty()).count());
    let of_one = match request.path.trim_end_matches('/') {
        // Words, commas and all.
        "/symbol_search" => return 1,
        "/splits" | "/dividends" => 20,
        _ => 1,
    };
    u32::try_from(symbols.max(1)).map_or(u32::MAX, |symbols| symbols.saturating_mul(of_one))
}

/// What a request asks.
pub(super) fn decode(request: &HttpRequest) -> Result<Question, Rejection> {
    let instrument = || match param(request, "symbol") {
        Some(text) if text.contains(',') => Err(Rejection::Unsupported),
        Some(text) => Ok(read_symbol(text, request)),
        None => Ok(unnamed()),
    };
    match request.path.trim_end_matches('/') {
        "/quote" | "/price" | "/eod" => {
            let text = param(request, "symbol").unwrap_or_default();
            let mut instruments: Vec<InstrumentId> =
                text.split(',').map(|symbol| read_symbol(symbol.trim(), request)).collect();
            if instruments.len() > MOST_SYMBOLS {
                return Err(Rejection::CallersMistake);
            }
            // An ellipsis says that any symbols may stand there.
            if instruments.contains(&unnamed()) {
                instruments = vec![unnamed()];
            }
            Ok(Question::Quotes { instruments, bid_ask: false })
        }
        "/time_series" => {
            let interval = param(request, "interval").map_or(Ok(Interval::D1), interval_of)?;
            if let Some(rows) = param(request, "outputsize") {
                let count: usize = rows.parse().map_err(|_| Rejection::CallersMistake)?;
                if !(1..=MOST_ROWS).contains(&count) {
                    return Err(Rejection::CallersMistake);
                }
            }
            Ok(Question::Bars {
                instrument: instrument()?,
                interval,
                range: range_of_bars(request, interval)?,
                adjustment: adjustment_of(request)?,
                session: match param(request, "prepost") {
                    Some("true") => Session::Extended,
                    _ => Session::Regular,
                },
            })
        }
        "/splits" | "/splits_calendar" => {
            Ok(Question::Splits { instrument: instrument()?, range: range_of_actions(request)? })
        }
        "/dividends" | "/dividends_calendar" => {
            Ok(Question::Dividends { instrument: instrument()?, range: range_of_actions(request)? })
        }
        "/symbol_search" => Ok(Question::Search {
            words: param(request, "symbol").unwrap_or_default().to_owned(),
            limit: param(request, "outputsize").and_then(|text| text.parse().ok()).unwrap_or(30),
        }),
        "/stocks" | "/etfs" | "/indices" => Ok(Question::Symbols),
        "/market_state" => Ok(Question::MarketStatus),
        _ => Err(Rejection::Unsupported),
    }
}

fn time_of(request: &HttpRequest, name: &str, zone: &str) -> Result<Option<Instant>, Rejection> {
    let Some(text) = param(request, name) else { return Ok(None) };
    let (at, _) = local(text).ok_or(Rejection::CallersMistake)?;
    local_time(at, zone).map(Some).ok_or(Rejection::CallersMistake)
}

fn date_of(request: &HttpRequest, name: &str) -> Result<Option<Date>, Rejection> {
    let Some(text) = param(request, name) else { return Ok(None) };
    local(text).map(|(at, _)| Some(at.date())).ok_or(Rejection::CallersMistake)
}

fn range_of_bars(request: &HttpRequest, interval: Interval) -> Result<Range, Rejection> {
    if !interval.is_intraday() {
        return range_of_actions(request);
    }
    let zone = match param(request, "timezone") {
        Some(zone) if zone != "Exchange" => zone,
        _ => "America/New_York",
    };
    let whole = all_time();
    Ok(Range::new(
        time_of(request, "start_date", zone)?.unwrap_or(whole.start),
        time_of(request, "end_date", zone)?.unwrap_or(whole.end),
    ))
}

fn range_of_actions(request: &HttpRequest) -> Result<Range, Rejection> {
    Ok(range_of_dates(date_of(request, "start_date")?, date_of(request, "end_date")?))
}
