//! Expectations on quotes.

use domain::{MarketPhase, Quote, Size};
use serde_json::Value;
use vendors::Quoted;

use super::{Verdict, compare};
use crate::manifest::Entry;

/// Checks one key of a list of quotes.
pub(super) fn check(quotes: &[Quoted], entry: &Entry, key: &str, expected: &Value) -> Verdict {
    let refused = || quotes.iter().filter(|quoted| quoted.quote.is_err());
    match key {
        "n_quotes" => return compare::count(quotes.len(), expected),
        "n_ok" => return compare::count(quotes.len() - refused().count(), expected),
        "n_error" => return compare::count(refused().count(), expected),
        "error_symbols" => {
            let names: Vec<String> = refused().map(|quoted| quoted.instrument.to_string()).collect();
            // The manifest keeps the text sent; the symbol before the venue is the same in both.
            let sent = expected.as_array().into_iter().flatten().filter_map(Value::as_str);
            let sent: Vec<&str> = sent.filter_map(|text| text.split(':').next()).collect();
            let found: Vec<&str> = names.iter().filter_map(|name| Some(name.rsplit_once('.')?.0)).collect();
            return compare::texts(found.into_iter(), &serde_json::json!(sent));
        }
        "entry_error_class" => {
            let ours = match expected.as_str() {
                Some("forbidden") => "not_entitled",
                Some(other) => other,
                None => "",
            };
            let classes: Vec<&str> =
                refused().filter_map(|q| Some(q.quote.as_ref().err()?.class())).collect();
            return match classes.iter().all(|class| *class == ours) {
                true => Verdict::Holds,
                false => Verdict::Differs(format!("{classes:?}")),
            };
        }
        "quotes" => return all(quotes, expected),
        // Symbols that a payload's shape names, here as keys of an object.
        "symbols" => return compare::texts(quotes.iter().map(|q| q.instrument.name()), expected),
        "symbol" | "01. symbol" => {
            return compare::text(quotes.first().map(|q| q.instrument.name()), expected);
        }
        "order" => return ascending(quotes),
        _ => {}
    }
    if let Some((symbol, name)) = key.split_once('_')
        && let Some(quoted) = quotes.iter().find(|quoted| quoted.instrument.name() == symbol)
        && let Ok(quote) = &quoted.quote
    {
        return field(quote, name, expected);
    }
    // Of a history the payload's order decides which comes first.
    let newest_first = entry.text("order") == Some("desc");
    let first = if newest_first { quotes.last() } else { quotes.first() };
    let Some(Quoted { quote: Ok(quote), .. }) = first else {
        return Verdict::Differs("no quote".to_owned());
    };
    field(quote, key.strip_prefix("first_").unwrap_or(key), expected)
}

fn ascending(quotes: &[Quoted]) -> Verdict {
    let times: Vec<_> = quotes.iter().filter_map(|q| q.quote.as_ref().ok()?.event_time).collect();
    if times.is_sorted() { Verdict::Holds } else { Verdict::Differs("quotes that do not ascend".to_owned()) }
}

/// A list of quotes, each with its symbol.
fn all(quotes: &[Quoted], expected: &Value) -> Verdict {
    let rows = expected.as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.len() != quotes.len() {
        return Verdict::Differs(format!("{} quotes", quotes.len()));
    }
    for (quoted, row) in quotes.iter().zip(rows) {
        let Ok(quote) = &quoted.quote else { return Verdict::Differs("no quote".to_owned()) };
        for (key, expected) in row.as_object().into_iter().flatten() {
            let verdict = match key.as_str() {
                // Ids are ours: of a suffixed symbol the part before the suffix remains.
                "symbol" => {
                    let name = quoted.instrument.name();
                    let text = expected.as_str().unwrap_or_default();
                    if text == name || text.split_once('.').is_some_and(|(bare, _)| bare == name) {
                        Verdict::Holds
                    } else {
                        Verdict::Differs(name.to_owned())
                    }
                }
                key => field(quote, key, expected),
            };
            match verdict {
                Verdict::Holds | Verdict::OutOfScope(_) => {}
                Verdict::Differs(found) => return Verdict::Differs(format!("{key}: {found}")),
                Verdict::Unmapped => return Verdict::Differs(format!("{key}: nothing checks this key")),
            }
        }
    }
    Verdict::Holds
}

/// Checks one key of one quote.
pub(super) fn field(quote: &Quote, key: &str, expected: &Value) -> Verdict {
    match key {
        "price" | "close" | "last" | "last_trade" | "latestPrice" | "regularMarketPrice" | "05. price" => {
            compare::price(quote.last, expected)
        }
        "open" | "02. open" => compare::price(quote.open, expected),
        "high" | "03. high" => compare::price(quote.high, expected),
        "low" | "04. low" => compare::price(quote.low, expected),
        "previousClose"
        | "previous_close"
        | "prev_close"
        | "regularMarketPreviousClose"
        | "08. previous close" => compare::price(quote.previous_close, expected),
        "volume" | "06. volume" | "latestVolume" | "regularMarketVolume" | "day_volume" => {
            compare::size(quote.volume, expected)
        }
        "bid" => compare::price(quote.bid, expected),
        "ask" => compare::price(quote.ask, expected),
        "bid_size" => compare::size(quote.bid_size, expected),
        "ask_size" => compare::size(quote.ask_size, expected),
        "bid_size_lots" | "bidSize" => lots(quote.bid_size, expected),
        "ask_size_lots" | "askSize" => lots(quote.ask_size, expected),
        "size" => compare::size(quote.last_size, expected),
        // Zero means that the venue is closed: no bid, no ask.
        "iexBidPrice" => compare::price(quote.bid, &non_zero(expected)),
        "iexAskPrice" => compare::price(quote.ask, &non_zero(expected)),
        "ts_utc" | "ts_ns" | "price_ts_utc" | "last_ts_utc" | "latest_ts_utc" | "close_ts_utc"
        | "updated_utc" | "last_quote_at_utc" => compare::instant(quote.event_time, expected),
        "timestamp_utc" if expected.is_null() => compare::instant(quote.event_time, expected),
        "timestamp_utc" => Verdict::OutOfScope("start of the day's bar; the last print is the event time"),
        "datetime" | "date" | "latestDay" | "07. latest trading day" | "from" => {
            compare::date(quote.trading_date, expected)
        }
        "currency" => compare::currency(quote.denomination, expected),
        "is_market_open" => compare::flag(quote.phase.map(|phase| phase == MarketPhase::Open), expected),
        "marketState" => phase(quote.phase, expected),
        "exchangeDataDelayedBy" => {
            let minutes = quote.stated_delay.map(|delay| delay.as_secs() / 60);
            compare::count(minutes.and_then(|m| m.try_into().ok()).unwrap_or(0), expected)
        }
        "afterHours" => Verdict::OutOfScope("a price after the session, which is no price of the session"),
        "exchange" | "quoteType" | "exchangeTimezoneName" => {
            Verdict::OutOfScope("belongs to the record of the instrument, not to its quote")
        }
        _ => Verdict::Unmapped,
    }
}

/// A size that the vendor counts in round lots of a hundred.
fn lots(found: Option<Size>, expected: &Value) -> Verdict {
    let units = expected.as_f64().map(|lots| lots * 100.0);
    compare::size(found, &units.into())
}

fn non_zero(expected: &Value) -> Value {
    if expected.as_f64() == Some(0.0) { Value::Null } else { expected.clone() }
}

fn phase(found: Option<MarketPhase>, expected: &Value) -> Verdict {
    let phase = match expected.as_str() {
        Some("PRE" | "PREPRE") => Some(MarketPhase::PreMarket),
        Some("REGULAR") => Some(MarketPhase::Open),
        Some("POST") => Some(MarketPhase::AfterHours),
        Some("POSTPOST" | "CLOSED") => Some(MarketPhase::Closed),
        _ => None,
    };
    compare::text(found.map(MarketPhase::as_str), &phase.map(MarketPhase::as_str).into())
}
