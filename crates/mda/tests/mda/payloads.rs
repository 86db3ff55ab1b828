//! SRC-7, SRC-8, SRC-9, SRC-15, CLI-1: `mda decode` says of every recorded payload what its manifest expects,
//! and of an altered copy exactly the alteration.

mod recorded;

use std::path::Path;
use std::time::Duration;

use domain::Instant;
use serde_json::Value;

use crate::process::{Done, run};
use recorded::{Payload, VENDORS};

/// Endpoints that no question of ours reaches: their payloads are refused as `unsupported`.
const NO_QUESTION: &[(&str, &str)] = &[
    ("yahoo", "/v10/finance/quoteSummary/"),
    ("yahoo", "/v1/test/getcrumb"),
    ("alpha_vantage", "BALANCE_SHEET"),
    ("polygon", "/v1/marketstatus/upcoming"),
    ("polygon", "/v3/reference/tickers/{ticker}"),
    ("iex_cloud", "/deep/book"),
    ("iex_cloud", "/ref-data/isin"),
    ("iex_cloud", "/stock/market/sector-performance"),
    ("iex_cloud", "/stock/{symbol}/stats/"),
    ("iex_cloud", "/ref-data/us/dates/"),
    ("twelve_data", "/api_usage"),
    ("twelve_data", "/exchange_schedule"),
    ("twelve_data", "/market_cap"),
    ("finnhub", "/stock/metric"),
    ("finnhub", "/stock/peers"),
    ("finnhub", "/stock/recommendation"),
];

/// Payloads in which a missing volume means that the consolidated figures are missing: the venue's own stand
/// in, all of them.
const VENUE_STANDS_IN: &[&str] = &["intraday_prices_documented.json"];

/// Asks the program what it makes of a file.
fn decode(payload: &Payload, file: &Path) -> Done {
    let status = payload.status.to_string();
    run(&[
        "--json",
        "decode",
        "--vendor",
        payload.vendor,
        "--endpoint",
        &payload.endpoint,
        "--status",
        &status,
        file.to_str().unwrap(),
    ])
}

fn rows(printed: &Value) -> &[Value] {
    let kind = printed["kind"].as_str().unwrap_or_default();
    printed[kind].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// The time of a row by the clock of the series, as the vendor writes it: `2026-05-15 19:55:00`.
fn local_time(row: &Value, printed: &Value) -> Option<String> {
    let at = Instant::parse(row["t"].as_str()?)?;
    let zone = jiff::tz::TimeZone::get(printed["zone"].as_str()?).ok()?;
    Some(at.to_timestamp().to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// What is wrong with one key of a manifest, if it is one of the essentials.
fn fault(payload: &Payload, printed: &Value, key: &str, expected: &Value) -> Option<String> {
    let rows = rows(printed);
    let descends = payload.expected["order"] == "desc";
    let is_bars = printed["kind"] == "bars";
    let at = |name: &str, index: Option<&Value>| {
        let found = index.map_or(Value::Null, |row| row[name].clone());
        let holds = match (number(&found), number(expected)) {
            (Some(found), Some(expected)) => (found - expected).abs() <= 1e-9 * expected.abs(),
            _ => found.is_null() && expected.is_null(),
        };
        (!holds).then(|| format!("{key}: expected {expected}, found {found}"))
    };
    let time = |row: Option<&Value>| {
        let found = row.and_then(|row| Instant::parse(row["t"].as_str()?)).map(Instant::as_secs);
        // A vendor that stamps a day at its close is moved to its start.
        let at_close = ["/prev", "/v2/aggs/grouped/"].iter().any(|part| payload.endpoint.contains(part));
        let wanted = expected.as_str().and_then(Instant::parse).map(Instant::as_secs);
        let wanted = wanted.map(|secs| if is_bars && at_close { secs - 16 * 3600 } else { secs });
        (found != wanted).then(|| format!("{key}: expected {expected}, found {row:?}"))
    };
    let local = |row: Option<&Value>| {
        let row = row.unwrap_or(&Value::Null);
        let found = row["date"].as_str().map(str::to_owned).or_else(|| local_time(row, printed));
        let wanted = expected.as_str().and_then(|text| text.get(..found.as_ref()?.len()));
        (found.as_deref() != wanted).then(|| format!("{key}: expected {expected}, found {found:?}"))
    };
    let (first, last) = (rows.first(), rows.last());
    let (first_row, last_row) = if descends { (last, first) } else { (first, last) };
    match key {
        "n_bars" if is_bars => {
            (expected.as_u64() != Some(rows.len() as u64)).then(|| format!("{key}: {} rows", rows.len()))
        }
        "n" | "n_quotes" if !rows.is_empty() && printed["kind"] != "instruments" => {
            (expected.as_u64() != Some(rows.len() as u64)).then(|| format!("{key}: {} rows", rows.len()))
        }
        "first_ts_utc" | "first_row_ts_utc" if is_bars => {
            time(if key.contains("row") { first_row } else { first })
        }
        "last_ts_utc" | "last_row_ts_utc" if is_bars => {
            time(if key.contains("row") { last_row } else { last })
        }
        "oldest" | "oldest_datetime" if is_bars => local(first),
        "newest" | "newest_datetime" if is_bars => local(last),
        "first_open" | "oldest_open" if is_bars => at("open", first),
        "last_close" | "newest_close" if is_bars => at("close", last),
        "first_row_open" if is_bars => at("open", first_row),
        "last_row_close" if is_bars => at("close", last_row),
        "last_volume" | "newest_volume" if is_bars => at("volume", last),
        "price" if printed["kind"] == "quotes" => at("last", first),
        "bid" | "ask" if printed["kind"] == "quotes" => at(key, first),
        "ts_utc" if printed["kind"] == "quotes" => time(first),
        "currency" if is_bars => {
            let minor = expected.as_str().is_some_and(|code| code.ends_with(|c: char| c.is_lowercase()));
            let holds = (printed["unit"] == "minor") == minor
                && printed["currency"].as_str() == expected.as_str().map(str::to_uppercase).as_deref();
            (!holds).then(|| format!("{key}: expected {expected}, found {}", printed["currency"]))
        }
        _ => None,
    }
}

/// What is wrong with one payload; empty where nothing is.
fn faults(payload: &Payload) -> Vec<String> {
    let done = decode(payload, &payload.path);
    let printed = done.json();
    let class = printed["rejection"]["class"].as_str();
    if done.code != if class.is_some() { 11 } else { 0 } {
        return vec![format!("exit code {}: {}", done.code, done.said())];
    }
    if payload.is_no_reply() {
        return class.is_none().then(|| "no reply of the vendor, yet read".to_owned()).into_iter().collect();
    }
    if let Some(expected) = payload.class() {
        let found = class.unwrap_or("none");
        return (found != expected)
            .then(|| format!("rejection: expected {expected}, found {found}"))
            .into_iter()
            .collect();
    }
    let outside = NO_QUESTION
        .iter()
        .any(|(v, endpoint)| *v == payload.vendor && payload.endpoint.starts_with(endpoint));
    if outside {
        return (class != Some("unsupported")).then(|| format!("read as {printed}")).into_iter().collect();
    }
    if let Some(class) = class {
        return vec![format!("refused as {class}")];
    }
    payload.keys().filter_map(|(key, expected)| fault(payload, &printed, key, expected)).collect()
}

#[test]
fn every_recorded_payload_is_printed_as_its_manifest_expects() {
    // SRC-7, SRC-8, SRC-9, SRC-15, TST-10.
    let mut faulty = Vec::new();
    let mut bars = 0;
    for vendor in VENDORS {
        let Some(payloads) = recorded::payloads("every_recorded_payload_is_printed", vendor) else { return };
        assert!(payloads.len() > 10, "{vendor}: {} recordings", payloads.len());
        for payload in &payloads {
            bars += usize::from(payload.expected["n_bars"].as_u64() > Some(0));
            faulty.extend(
                faults(payload).into_iter().map(|fault| format!("{vendor}/{}: {fault}", payload.file)),
            );
        }
    }
    assert!(faulty.is_empty(), "{} faults:\n{}", faulty.len(), faulty.join("\n"));
    assert!(bars > 20, "{bars} series of bars");
}

/// Leaves in which two values differ: path, before, after.
fn difference(before: &Value, after: &Value) -> Vec<(String, Value, Value)> {
    fn walk(path: &str, before: &Value, after: &Value, found: &mut Vec<(String, Value, Value)>) {
        match (before, after) {
            (Value::Object(a), Value::Object(b)) => {
                for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                    let null = &Value::Null;
                    let pair = (a.get(key).unwrap_or(null), b.get(key).unwrap_or(null));
                    walk(&format!("{path}.{key}"), pair.0, pair.1, found);
                }
            }
            (Value::Array(a), Value::Array(b)) => {
                for index in 0..a.len().max(b.len()) {
                    let null = &Value::Null;
                    let pair = (a.get(index).unwrap_or(null), b.get(index).unwrap_or(null));
                    walk(&format!("{path}.{index}"), pair.0, pair.1, found);
                }
            }
            (a, b) if a != b => found.push((path.to_owned(), a.clone(), b.clone())),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk("", before, after, &mut found);
    found
}

/// What is printed of an altered copy of a payload.
fn decode_altered(payload: &Payload, altered: &str) -> Done {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(&payload.file);
    std::fs::write(&file, altered).unwrap();
    decode(payload, &file)
}

/// What differs between the print of an altered copy of a payload and that of the whole one.
fn printed_difference(payload: &Payload, before: &Value, altered: &str) -> Vec<(String, Value, Value)> {
    let done = decode_altered(payload, altered);
    assert_eq!(done.code, 0, "{}/{}: {}", payload.vendor, payload.file, done.said());
    difference(before, &done.json())
}

/// Payloads with rows of numbers and times, with what is printed of them.
fn readable(test: &str, vendor: &'static str) -> Option<Vec<(Payload, String, Value)>> {
    let payloads = recorded::payloads(test, vendor)?;
    let all = payloads.into_iter().filter(|payload| payload.class().is_none() && !payload.is_no_reply());
    let texts = all.filter_map(|payload| {
        let text = std::fs::read_to_string(&payload.path).ok()?;
        let done = decode(&payload, &payload.path);
        let printed = (done.code == 0).then(|| done.json())?;
        let has_numbers = ["bars", "quotes", "trades"].contains(&printed["kind"].as_str()?);
        has_numbers.then_some((payload, text, printed))
    });
    Some(texts.collect())
}

#[test]
fn one_altered_digit_is_one_altered_number_in_print() {
    // SRC-9.
    for vendor in VENDORS {
        let Some(all) = readable("one_altered_digit_is_one_altered_number", vendor) else { return };
        let mut altered = 0;
        for (payload, text, printed) in &all {
            let kind = printed["kind"].as_str().unwrap();
            let middle = rows(printed).len() / 2;
            let names = ["close", "last", "bid", "price", "volume", "open"];
            let found = names.iter().find_map(|name| {
                let value = rows(printed).get(middle)?[*name].as_f64()?;
                Some((*name, value, recorded::only_place(text, value)?))
            });
            let Some((name, value, place)) = found else { continue };
            let word = &text[place.clone()];
            // A digit from 1 to 9 becomes another one, so that the number keeps its length; not the last of
            // many, which a double hardly tells.
            let digits = word.char_indices().filter(|(_, c)| ('1'..='9').contains(c));
            let digit = digits.take(2).last().unwrap().0;
            let other = if &word[digit..=digit] == "9" { "8" } else { "9" };
            let new = format!("{}{other}{}", &word[..digit], &word[digit + 1..]);
            let whole = format!("{}{new}{}", &text[..place.start], &text[place.end..]);
            let found = printed_difference(payload, printed, &whole);
            let expected: f64 = new.parse().unwrap();
            let paths: Vec<&str> = found.iter().map(|(path, ..)| path.as_str()).collect();
            let path = format!(".{kind}.{middle}.{name}");
            assert_eq!(paths, [path], "{vendor}/{}: {value} became {new}", payload.file);
            let after = found[0].2.as_f64().unwrap();
            assert!((after - expected).abs() <= 1e-12 * expected, "{vendor}/{}: {after} {new}", payload.file);
            altered += 1;
        }
        assert!(altered > 0, "{vendor}: no number was altered");
    }
}

#[test]
fn one_altered_time_is_one_altered_time_in_print() {
    // SRC-9, SYM-5.
    for vendor in VENDORS {
        let Some(all) = readable("one_altered_time_is_one_altered_time", vendor) else { return };
        let mut altered = 0;
        for (payload, text, printed) in &all {
            let Some(last) = rows(printed).len().checked_sub(1) else { continue };
            let row = &rows(printed)[last];
            // Of a daily bar the date counts, whatever hour the vendor stamps it with.
            let is_daily = ["1d", "1w", "1mo"].iter().any(|interval| printed["interval"] == *interval);
            let step = Duration::from_secs(if is_daily { 86_400 } else { 1 });
            let Some((place, new)) = recorded::later_time(text, row, step) else { continue };
            let whole = format!("{}{new}{}", &text[..place.start], &text[place.end..]);
            let found = printed_difference(payload, printed, &whole);
            let of_the_row = format!(".{}.{last}.", printed["kind"].as_str().unwrap());
            assert!(!found.is_empty(), "{vendor}/{}: {new} changed nothing", payload.file);
            for (path, before, after) in &found {
                let name = path.strip_prefix(&of_the_row).unwrap_or(path);
                assert!(["t", "date"].contains(&name), "{vendor}/{}: {path}", payload.file);
                assert!(before.as_str() < after.as_str(), "{vendor}/{}: {before} {after}", payload.file);
            }
            altered += 1;
        }
        assert!(altered > 0, "{vendor}: no time was altered");
    }
}

#[test]
fn one_field_without_a_value_is_one_null_in_print() {
    // SRC-8, SRC-9: absence is not zero.
    let mut altered = Vec::new();
    for vendor in VENDORS {
        let Some(all) = readable("one_field_without_a_value_is_one_null", vendor) else { return };
        for (payload, text, printed) in all.iter().filter(|(payload, ..)| payload.file.ends_with(".json")) {
            if VENUE_STANDS_IN.contains(&payload.file.as_str()) {
                continue;
            }
            let Some(first) = rows(printed).first() else { continue };
            let Some(place) = first["volume"].as_f64().and_then(|volume| recorded::only_place(text, volume))
            else {
                continue;
            };
            let quoted = text[..place.start].ends_with('"') && text[place.end..].starts_with('"');
            let (from, to) = if quoted { (place.start - 1, place.end + 1) } else { (place.start, place.end) };
            let whole = format!("{}null{}", &text[..from], &text[to..]);
            let done = decode_altered(payload, &whole);
            if done.code == 11 {
                // A field this vendor never leaves out: its absence is drift.
                assert_eq!(done.json()["rejection"]["class"], "unreadable", "{vendor}/{}", payload.file);
                continue;
            }
            let found = difference(printed, &done.json());
            let path = format!(".{}.0.volume", printed["kind"].as_str().unwrap());
            assert_eq!(found, [(path, first["volume"].clone(), Value::Null)], "{vendor}/{}", payload.file);
            altered.push(vendor);
        }
    }
    altered.dedup();
    assert!(altered.len() >= 3, "only {altered:?} were altered");
}
