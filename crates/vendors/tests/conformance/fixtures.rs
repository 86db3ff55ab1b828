//! SRC-7, SRC-8, SRC-9, SRC-15: each recorded payload, read by vendor and endpoint alone, says what its
//! manifest expects, key by key. A key nobody maps fails the suite.

use domain::Instant;
use vendors::reading::{decode, read};
use vendors::{Codec, Decoded, Rejection};

use crate::expectation::{Reading, Verdict, check};
use crate::manifest::{Entry, entries};
use crate::{each_vendor, offering};

/// Payloads of endpoints no question of ours reaches (SRC-2 names what does): they must be `unsupported`.
const NO_QUESTION: &[(&str, &str, &str)] = &[
    ("yahoo", "/v10/finance/quoteSummary/", "fundamentals"),
    ("yahoo", "/v1/test/getcrumb", "a formality without market data"),
    ("alpha_vantage", "BALANCE_SHEET", "fundamentals"),
    ("polygon", "/v1/marketstatus/upcoming", "holidays: the calendars are built in"),
    ("polygon", "/v3/reference/tickers/{ticker}", "company profile"),
    ("iex_cloud", "/deep/book", "order books are those of crypto venues"),
    ("iex_cloud", "/ref-data/isin", "ISIN look-up"),
    ("iex_cloud", "/stock/market/sector-performance", "sectors"),
    ("iex_cloud", "/stock/{symbol}/stats/", "statistics"),
    ("iex_cloud", "/ref-data/us/dates/", "the calendars are built in"),
    ("twelve_data", "/api_usage", "usage of credits"),
    ("twelve_data", "/exchange_schedule", "the calendars are built in"),
    ("twelve_data", "/market_cap", "fundamentals"),
    ("finnhub", "/stock/metric", "fundamentals"),
    ("finnhub", "/stock/peers", "peers"),
    ("finnhub", "/stock/recommendation", "analysts' opinions"),
];

/// What a manifest counts beside the rows that are data: vendor, file, key, why.
const BESIDE_THE_ROWS: &[(&str, &str, &str, &str)] = &[
    ("alpha_vantage", "monthly_adjusted_MSFT.json", "n_dividend_rows", "a month is no ex-date: no action"),
    ("alpha_vantage", "monthly_adjusted_MSFT.json", "last_dividends", "a month is no ex-date: no action"),
    ("yahoo", "search_AAPL_news.json", "count", "counts matches and news in one"),
    ("yahoo", "search_AAPL_news.json", "n_quotes", "one match is a company that does not trade: no symbol"),
];

/// Entries that are no reply of the vendor to one request.
fn is_no_reply(entry: &Entry) -> bool {
    // Frames of a stream are read once streams are, their refusals already; a derived table never crossed
    // a wire.
    (entry.endpoint.starts_with("wss://") && !entry.is_error)
        || entry.endpoint.starts_with("table derived from")
}

fn has_question(codec: &dyn Codec, entry: &Entry) -> bool {
    let id = codec.profile().id.as_str();
    !NO_QUESTION.iter().any(|(vendor, endpoint, _)| *vendor == id && entry.endpoint.starts_with(endpoint))
}

/// The class of rejection a manifest's class stands for (SRC-7).
fn class_of(entry: &Entry) -> Option<&'static str> {
    let class = match entry.text("error_class").or_else(|| entry.text("result_class"))? {
        "bad_key" => "unauthorized",
        "forbidden" if entry.text("meaning").is_some_and(|m| m.contains("consent")) => "vendor_fault",
        "forbidden" => "not_entitled",
        "bad_request" => "callers_mistake",
        "upstream_5xx" => "vendor_fault",
        "malformed" => "unreadable",
        "quota_exhausted" => "quota_spent",
        "rate_limited" if matches!(entry.text("window"), Some("day" | "month")) => "quota_spent",
        "rate_limited" => "rate_limited",
        "unknown_symbol" => "unknown_symbol",
        "no_data" => "no_data",
        other => panic!("{}: no rejection is mapped to the class {other:?}", entry.file),
    };
    Some(class)
}

/// What is wrong with one entry, read as a payload of that endpoint; empty where nothing is.
fn faults(codec: &dyn Codec, entry: &Entry, endpoint: &str) -> Vec<String> {
    let response = entry.response();
    let outcome = decode(codec, endpoint, &response);
    if is_no_reply(entry) {
        return match read(codec, endpoint, &response) {
            Err(_) => vec![],
            Ok(data) => vec![format!("no reply of the vendor, yet read as {}", data.kind())],
        };
    }
    if let Some(fault) = allowance_fault(codec, entry) {
        return vec![fault];
    }
    if let Some(class) = class_of(entry) {
        return match read(codec, endpoint, &response) {
            Err(rejection) => {
                let mut faults = Vec::new();
                if rejection.class() != class {
                    faults.push(format!("expected {class}, found {}", rejection.class()));
                }
                faults.extend(window_fault(entry, &rejection));
                faults.extend(retry_fault(entry, &rejection));
                faults
            }
            Ok(data) => vec![format!("expected {class}, found {} rows of {}", data.rows(), data.kind())],
        };
    }
    assert!(!entry.is_error, "{}: an error without a class", entry.file);
    let reading = match outcome {
        Ok(Decoded::Whole(data)) => Reading { data, has_next: false },
        Ok(Decoded::Page { data, .. }) => Reading { data, has_next: true },
        Ok(Decoded::AskNext { .. }) => return vec!["asks for more instead of reading".to_owned()],
        Err(Rejection::Unsupported) if !has_question(codec, entry) => return vec![],
        Err(rejection) => return vec![format!("refused: {rejection} ({})", rejection.class())],
    };
    if !has_question(codec, entry) {
        return vec![format!("outside our questions, yet read as {}", reading.data.kind())];
    }
    let mut faults = Vec::new();
    let is_beside = |key: &str| {
        let id = codec.profile().id.as_str();
        BESIDE_THE_ROWS
            .iter()
            .any(|(vendor, file, k, _)| (*vendor, *file, *k) == (id, entry.file.as_str(), key))
    };
    for (key, expected) in entry.expected.iter().filter(|(key, _)| !is_beside(key)) {
        match check(&reading, entry, key, expected) {
            Verdict::Holds | Verdict::OutOfScope(_) => {}
            Verdict::Differs(found) => faults.push(format!("{key}: expected {expected}, found {found}")),
            Verdict::Unmapped => {
                faults.push(format!("{key}: nothing checks this key of {}", reading.data.kind()))
            }
        }
    }
    faults
}

/// Headers that tell what is left of a quota are understood, whatever the body.
fn allowance_fault(codec: &dyn Codec, entry: &Entry) -> Option<String> {
    let left = entry.expected.get("ratelimit_remaining")?.as_u64()?;
    let found = codec.allowance(&entry.response());
    let resets = entry.text("ratelimit_reset_utc").and_then(Instant::parse);
    let is_right = found.is_some_and(|found| u64::from(found.left) == left && found.resets == resets);
    (!is_right).then(|| format!("ratelimit_remaining: expected {left} until {resets:?}, found {found:?}"))
}

/// A window the manifest names is the window the rejection names.
fn window_fault(entry: &Entry, rejection: &Rejection) -> Option<String> {
    let expected = entry.text("window")?;
    let found = match rejection {
        Rejection::RateLimited { window, .. } | Rejection::QuotaSpent { window, .. } => {
            window.map(|window| format!("{window:?}").to_lowercase())
        }
        _ => None,
    };
    (found.as_deref() != Some(expected)).then(|| format!("window: expected {expected}, found {found:?}"))
}

/// What can be asked again as it is, and only that, is limited by time.
fn retry_fault(entry: &Entry, rejection: &Rejection) -> Option<String> {
    let expected = entry.expected.get("retryable")?.as_bool()?;
    let found = matches!(
        rejection,
        Rejection::RateLimited { .. } | Rejection::QuotaSpent { .. } | Rejection::VendorFault { .. }
    );
    (found != expected).then(|| format!("retryable: expected {expected}, found {}", rejection.class()))
}

#[test]
fn each_recorded_payload_is_read_as_its_manifest_expects() {
    let mut faulty = Vec::new();
    for codec in offering() {
        let id = codec.profile().id.as_str();
        let Some(entries) = entries("each_recorded_payload_is_read_as_its_manifest_expects", id) else {
            return;
        };
        assert!(!entries.is_empty(), "{id} has recordings");
        for entry in &entries {
            for fault in faults(codec, entry, &entry.endpoint) {
                faulty.push(format!("{id}/{}: {fault}", entry.file));
            }
            let Some(request) = &entry.request else { continue };
            for fault in faults(codec, entry, request) {
                faulty.push(format!("{id}/{} as recorded: {fault}", entry.file));
            }
        }
    }
    assert!(faulty.is_empty(), "{} faults:\n{}", faulty.len(), faulty.join("\n"));
}

#[test]
fn an_altered_expectation_shows() {
    each_vendor(|codec| {
        let Some(entries) = entries("an_altered_expectation_shows", codec.profile().id.as_str()) else {
            return;
        };
        for entry in
            entries.iter().filter(|e| !is_no_reply(e) && class_of(e).is_none() && has_question(codec, e))
        {
            let Ok(data) = read(codec, &entry.endpoint, &entry.response()) else { continue };
            let reading = Reading { data, has_next: false };
            for (key, expected) in entry.expected.iter().filter(|(_, value)| value.is_number()) {
                let altered = serde_json::json!(expected.as_f64().expect("a number") * 1.5 + 3.0);
                if matches!(check(&reading, entry, key, expected), Verdict::Holds) {
                    let verdict = check(&reading, entry, key, &altered);
                    assert!(
                        matches!(verdict, Verdict::Differs(_)),
                        "{}: {key} holds whatever is expected",
                        entry.file
                    );
                }
            }
        }
    });
}
