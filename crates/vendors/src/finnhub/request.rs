//! Our questions as Finnhub's requests, and back.

use domain::{Date, Instant, InstrumentId, Interval, Range, Session, Venue};

use crate::local_time::{all_time, dates_around, local, local_date, local_midnight, range_of_dates};
use crate::symbol::{given, is_united_states, unnamed};
use crate::{HttpRequest, Question, Rejection};

/// Most trades one page holds.
pub(super) const MOST_TRADES: u32 = 25_000;

/// Path of bid and ask.
pub(super) const BID_ASK: &str = "/stock/bidask";

/// Words for our intervals.
const RESOLUTIONS: [(&str, Interval); 8] = [
    ("1", Interval::M1),
    ("5", Interval::M5),
    ("15", Interval::M15),
    ("30", Interval::M30),
    ("60", Interval::H1),
    ("D", Interval::D1),
    ("W", Interval::W1),
    ("M", Interval::Mo1),
];

/// Suffixes of venues outside the United States.
const SUFFIXES: [(&str, &str); 26] = [
    ("TO", "XTSE"),
    ("L", "XLON"),
    ("DE", "XETR"),
    ("F", "XFRA"),
    ("PA", "XPAR"),
    ("AS", "XAMS"),
    ("BR", "XBRU"),
    ("LS", "XLIS"),
    ("MI", "XMIL"),
    ("MC", "XMAD"),
    ("SW", "XSWX"),
    ("ST", "XSTO"),
    ("OL", "XOSL"),
    ("CO", "XCSE"),
    ("HE", "XHEL"),
    ("WA", "XWAR"),
    ("T", "XTKS"),
    ("HK", "XHKG"),
    ("SS", "XSHG"),
    ("SZ", "XSHE"),
    ("KS", "XKRX"),
    ("AX", "XASX"),
    ("NS", "XNSE"),
    ("BO", "XBOM"),
    ("KL", "XKLS"),
    ("SA", "BVMF"),
];

/// A symbol as the vendor writes it.
pub(super) fn spell(id: &InstrumentId) -> Option<String> {
    let venue = id.venue();
    if is_united_states(venue) {
        return Some(id.name().to_owned());
    }
    if venue == Venue::FX {
        let (base, quote) = id.pair()?;
        return Some(format!("OANDA:{base}_{quote}"));
    }
    let (suffix, _) = SUFFIXES.iter().find(|(_, mic)| *mic == venue.as_str())?;
    Some(format!("{}.{suffix}", id.name()))
}

/// The instrument of the vendor's text. A dot that no venue's suffix follows belongs to the name.
pub(super) fn read_symbol(text: &str) -> InstrumentId {
    if let Some((base, quote)) = text.strip_prefix("OANDA:").and_then(|pair| pair.split_once('_')) {
        return InstrumentId::new(&format!("{base}/{quote}"), Venue::FX);
    }
    if let Some((name, suffix)) = text.rsplit_once('.')
        && let Some((_, mic)) = SUFFIXES.iter().find(|(s, _)| *s == suffix)
    {
        return InstrumentId::new(name, Venue::literal(mic));
    }
    InstrumentId::new(text, Venue::US)
}

fn about(path: &str, id: &InstrumentId) -> Result<HttpRequest, Rejection> {
    Ok(HttpRequest::get(path).with("symbol", spell(id).ok_or(Rejection::Unsupported)?))
}

/// Asks for bid and ask.
pub(super) fn bid_ask(id: &InstrumentId) -> Result<HttpRequest, Rejection> {
    about(BID_ASK, id)
}

/// Puts a question into a request.
pub(super) fn encode(question: &Question) -> Result<HttpRequest, Rejection> {
    let dated = |path: &str, instrument: &InstrumentId, range: &Range| {
        let (first, last) = dates_around(*range);
        Ok::<_, Rejection>(about(path, instrument)?.with("from", first).with("to", last))
    };
    match question {
        // Bid and ask, if wanted, are the page after it.
        Question::Quotes { instruments, .. } => match instruments.as_slice() {
            [one] => about("/quote", one),
            [] => Err(Rejection::CallersMistake),
            _ => Err(Rejection::Unsupported),
        },
        Question::Bars { instrument, interval, range, .. } => {
            let word = RESOLUTIONS.iter().find(|(_, i)| i == interval).ok_or(Rejection::Unsupported)?.0;
            let path = if instrument.venue() == Venue::FX { "/forex/candle" } else { "/stock/candle" };
            // A day's stamp may lie anywhere in its date: the range is widened to whole dates.
            let (from, to) = if interval.is_intraday() {
                (range.start.as_secs(), range.end.as_secs())
            } else {
                let (first, last) = dates_around(*range);
                (
                    Instant::from_utc_midnight(first).as_secs(),
                    Instant::from_utc_midnight(last).as_secs() + 86_399,
                )
            };
            Ok(about(path, instrument)?.with("resolution", word).with("from", from).with("to", to))
        }
        Question::Trades { instrument, range, limit } => Ok(about("/stock/tick", instrument)?
            .with("date", local_date(range.start, "America/New_York"))
            .with("limit", (*limit).clamp(1, MOST_TRADES))
            .with("skip", 0)),
        Question::Splits { instrument, range } => dated("/stock/split", instrument, range),
        Question::Dividends { instrument, range } => dated("/stock/dividend", instrument, range),
        Question::News { instrument, range, .. } => dated("/company-news", instrument, range),
        Question::Search { words, .. } => Ok(HttpRequest::get("/search").with("q", words)),
        Question::Symbols => Ok(HttpRequest::get("/stock/symbol").with("exchange", "US")),
        Question::MarketStatus => Ok(HttpRequest::get("/stock/market-status").with("exchange", "US")),
    }
}

/// What a request asks.
pub(super) fn decode(request: &HttpRequest) -> Result<Question, Rejection> {
    let param = |name: &str| given(request.param(name));
    let instrument = param("symbol").map_or_else(unnamed, read_symbol);
    match request.path.trim_end_matches('/') {
        "/quote" => Ok(Question::Quotes { instruments: vec![instrument], bid_ask: false }),
        BID_ASK => Ok(Question::Quotes { instruments: vec![instrument], bid_ask: true }),
        "/stock/candle" | "/forex/candle" => {
            let word = param("resolution").unwrap_or("D");
            let resolution = RESOLUTIONS.iter().find(|(w, _)| *w == word);
            let interval = resolution.ok_or(Rejection::CallersMistake)?.1;
            let whole = all_time();
            let range = Range::new(
                seconds(param("from"))?.unwrap_or(whole.start),
                seconds(param("to"))?.map_or(whole.end, |end| end + std::time::Duration::from_secs(1)),
            );
            let adjustment = super::candles::adjustment_of(interval);
            Ok(Question::Bars { instrument, interval, range, adjustment, session: Session::Regular })
        }
        "/stock/tick" => {
            let number = |name: &str| {
                param(name).map(|text| text.parse::<u32>().map_err(|_| Rejection::CallersMistake)).transpose()
            };
            number("skip")?;
            let limit = number("limit")?.unwrap_or(MOST_TRADES);
            if limit > MOST_TRADES {
                return Err(Rejection::CallersMistake);
            }
            let range = match date(param("date"))? {
                None => all_time(),
                Some(day) => Range::new(
                    local_midnight(day, "America/New_York"),
                    local_midnight(day.tomorrow().unwrap_or(day), "America/New_York"),
                ),
            };
            Ok(Question::Trades { instrument, range, limit })
        }
        "/stock/split" => Ok(Question::Splits { instrument, range: dates(request)? }),
        "/stock/dividend" => Ok(Question::Dividends { instrument, range: dates(request)? }),
        "/company-news" => Ok(Question::News { instrument, range: dates(request)?, limit: u32::MAX }),
        "/search" => {
            Ok(Question::Search { words: param("q").unwrap_or_default().to_owned(), limit: u32::MAX })
        }
        "/stock/symbol" => Ok(Question::Symbols),
        "/stock/market-status" => Ok(Question::MarketStatus),
        _ => Err(Rejection::Unsupported),
    }
}

fn seconds(text: Option<&str>) -> Result<Option<Instant>, Rejection> {
    let parse = |text: &str| text.parse().map(Instant::from_secs).map_err(|_| Rejection::CallersMistake);
    text.map(parse).transpose()
}

fn date(text: Option<&str>) -> Result<Option<Date>, Rejection> {
    let parse = |text: &str| local(text).map(|(at, _)| at.date()).ok_or(Rejection::CallersMistake);
    text.map(parse).transpose()
}

fn dates(request: &HttpRequest) -> Result<Range, Rejection> {
    let param = |name: &str| given(request.param(name));
    Ok(range_of_dates(date(param("from"))?, date(param("to"))?))
}
