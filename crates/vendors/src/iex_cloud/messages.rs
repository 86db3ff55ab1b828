//! What a request costs in messages, the vendor's unit of quota: estimated from above before the reply tells.
//! Source: weights as recorded in replies' `iexcloud-messages-used` and as the vendor's documents gave them.

use super::request::{below_version, wants};
use crate::HttpRequest;

/// Messages of one daily bar, split, dividend or news item.
const ROW: u32 = 10;

/// Messages of the minutes of one day.
const MINUTES: u32 = 50;

/// Messages of a list of symbols.
const SYMBOLS: u32 = 100;

/// Messages a request costs, at least one.
pub(super) fn of(request: &HttpRequest) -> u32 {
    let segments = below_version(request);
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let messages = match path.as_slice() {
        ["stock", "market", "batch"] => named(request).saturating_mul(batch(request)),
        ["stock", _, "batch"] => batch(request),
        ["tops" | "deep", ..] => named(request),
        ["stock", _, "ohlc" | "previous"] => 2,
        ["stock", _, "intraday-prices"] => MINUTES,
        ["stock", _, "chart", rest @ ..] => chart(rest, request),
        ["stock", _, "splits", rest @ ..] => ROW * splits(rest.first().copied().unwrap_or("1m")),
        ["stock", _, "dividends", rest @ ..] => ROW * dividends(rest.first().copied().unwrap_or("1m")),
        ["stock", _, "news", "last", count] => ROW.saturating_mul(count.parse().unwrap_or(10)),
        ["stock", _, "news"] => ROW * 10,
        ["ref-data", .., "symbols"] => SYMBOLS,
        _ => 1,
    };
    messages.max(1)
}

/// How many symbols a request names.
fn named(request: &HttpRequest) -> u32 {
    let symbols = request.param("symbols").unwrap_or_default().split(',').filter(|symbol| !symbol.is_empty());
    u32::try_from(symbols.count()).unwrap_or(u32::MAX)
}

/// Messages of all that a batch asks for about one symbol.
fn batch(request: &HttpRequest) -> u32 {
    let range = request.param("range").into_iter().collect::<Vec<_>>();
    u32::from(wants(request, "quote")) + if wants(request, "chart") { chart(&range, request) } else { 0 }
}

fn chart(rest: &[&str], request: &HttpRequest) -> u32 {
    let is_set = |name: &str| request.param(name).is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
    let word = match rest {
        ["date", _] if is_set("chartByDay") => return 2,
        ["date", _] | ["1d"] => return MINUTES,
        [word, ..] => word,
        [] => request.param("range").unwrap_or("1m"),
    };
    let last = request.param("chartLast").and_then(|count| count.parse().ok()).unwrap_or(u32::MAX);
    let per_bar = if is_set("chartCloseOnly") { 2 } else { ROW };
    sessions(word).min(last).saturating_mul(per_bar)
}

/// Most trading days in a range.
fn sessions(word: &str) -> u32 {
    match word {
        "5d" => 5,
        "1m" | "dynamic" => 23,
        "3m" => 66,
        "6m" => 128,
        "1y" | "ytd" => 253,
        "2y" => 506,
        "5y" => 1_260,
        // Histories begin fifteen years back.
        _ => 3_780,
    }
}

/// Most dividends in a range, one a quarter.
fn dividends(word: &str) -> u32 {
    match word {
        "6m" => 2,
        "1y" | "ytd" => 4,
        "2y" => 8,
        "5y" => 20,
        _ => 1,
    }
}

/// Splits are rare: one in a year.
fn splits(word: &str) -> u32 {
    match word {
        "2y" => 2,
        "5y" => 5,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    // LIM-4.
    use super::*;

    #[test]
    fn a_request_costs_what_its_reply_was_billed() {
        for (target, messages) in [
            ("/stock/A/quote", 1),
            ("/v1/stock/A/price", 1),
            ("/stock/A/ohlc", 2),
            ("/stock/A/previous", 2),
            // Recorded: 23 bars, 230 messages.
            ("/stock/A/chart/1m", 230),
            ("/stable/stock/A/chart?range=1m", 230),
            ("/stock/A/chart/1m?chartCloseOnly=true", 46),
            ("/stock/A/chart/5y?chartLast=3", 30),
            ("/stock/A/chart/5y", 12_600),
            ("/stock/A/chart/date/20200103?chartByDay=true", 2),
            ("/stock/A/chart/date/20200103", 50),
            ("/stock/A/chart/1d", 50),
            ("/stock/A/dividends/5y", 200),
            ("/stock/A/dividends", 10),
            ("/stock/A/splits/1y", 10),
            ("/stock/A/news/last/7", 70),
            ("/ref-data/symbols", 100),
            ("/ref-data/region/us/symbols", 100),
            ("/search/apple", 1),
            ("/tops?symbols=A,B,C", 3),
            ("/stock/market/batch?symbols=A,B&types=quote,chart&range=5d", 102),
            ("/stock/A/batch?types=quote", 1),
            ("/stock/A/news/last/4294967295", u32::MAX),
            ("/anything", 1),
            ("", 1),
        ] {
            assert_eq!(of(&HttpRequest::from_target(target)), messages, "{target}");
        }
    }
}
