//! The recorded payloads of a vendor as data, and places in their text.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use domain::Instant;
use serde_json::Value;

/// Vendors whose recordings are read.
pub(crate) const VENDORS: [&str; 6] =
    ["alpha_vantage", "finnhub", "iex_cloud", "polygon", "twelve_data", "yahoo"];

/// One recorded payload.
pub(crate) struct Payload {
    pub vendor: &'static str,
    pub file: String,
    pub path: PathBuf,
    pub endpoint: String,
    pub status: u16,
    pub expected: Value,
}

/// Payloads of a vendor's manifest; `None`, with a line that names the test, where they are absent.
pub(crate) fn payloads(test: &str, vendor: &'static str) -> Option<Vec<Payload>> {
    let manifest = test_data::find(test, &format!("fixtures/{vendor}/manifest.json"))?;
    let list: Vec<Value> = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    let folder = manifest.parent().unwrap();
    let payload = |value: &Value| {
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let expected = value["expected"].clone();
        let status = value["http"]["status"].as_u64().or_else(|| expected["http_status"].as_u64());
        Payload {
            vendor,
            path: folder.join(text("file")),
            file: text("file"),
            endpoint: text("endpoint"),
            status: status.and_then(|status| status.try_into().ok()).unwrap_or(200),
            expected,
        }
    };
    Some(list.iter().map(payload).collect())
}

impl Payload {
    /// What a right reader says, key by key.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.expected.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
    }

    /// A frame of a stream, or a table made afterwards: no reply of the vendor to one request.
    pub(crate) fn is_no_reply(&self) -> bool {
        self.endpoint.starts_with("wss://") || self.endpoint.starts_with("table derived from")
    }

    /// The class of rejection the manifest's class stands for (SRC-7).
    pub(crate) fn class(&self) -> Option<&'static str> {
        let text = |key: &str| self.expected[key].as_str();
        Some(match text("error_class").or(text("result_class"))? {
            "bad_key" => "unauthorized",
            "forbidden" if text("meaning").is_some_and(|meaning| meaning.contains("consent")) => {
                "vendor_fault"
            }
            "forbidden" => "not_entitled",
            "bad_request" => "callers_mistake",
            "upstream_5xx" => "vendor_fault",
            "malformed" => "unreadable",
            "quota_exhausted" => "quota_spent",
            "rate_limited" if matches!(text("window"), Some("day" | "month")) => "quota_spent",
            "rate_limited" => "rate_limited",
            "unknown_symbol" => "unknown_symbol",
            "no_data" => "no_data",
            other => panic!("{}: no rejection is mapped to the class {other:?}", self.file),
        })
    }
}

/// Words made of digits, points and what may stand inside a date or a name, with their places.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let belongs = |at: usize| match bytes[at] {
        b'.' | b'-' | b'_' | b'+' => true,
        // Of a time of day, not of an object.
        b':' => at > 0 && bytes[at - 1].is_ascii_digit(),
        byte => byte.is_ascii_alphanumeric() || !byte.is_ascii(),
    };
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() && !belongs(at) {
            at += 1;
        }
        let start = at;
        while at < bytes.len() && belongs(at) {
            at += 1;
        }
        (start < at).then_some(start..at)
    })
}

/// The only place where a text writes a number, if it is not zero.
pub(crate) fn only_place(text: &str, value: f64) -> Option<Range<usize>> {
    if value == 0.0 {
        return None;
    }
    only(text, |word| {
        // Printed and read again, a double may have moved by its last bit.
        word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && word.parse().is_ok_and(|number: f64| (number - value).abs() <= 1e-15 * value)
    })
}

fn only(text: &str, is_it: impl Fn(&str) -> bool) -> Option<Range<usize>> {
    let mut places = words(text).filter(|place| is_it(&text[place.clone()]));
    let first = places.next()?;
    places.next().is_none().then_some(first)
}

/// The only place where a text writes the time of a row, and a later time to write there: later by a step for
/// an instant, by a day for a date.
pub(crate) fn later_time(text: &str, row: &Value, step: Duration) -> Option<(Range<usize>, String)> {
    let at = Instant::parse(row["t"].as_str()?)?;
    let later = at + step;
    let spellings = [
        (at.as_secs(), later.as_secs()),
        (at.as_millis(), later.as_millis()),
        (at.as_nanos(), later.as_nanos()),
    ];
    for (now, later) in spellings {
        if let Some(place) = only(text, |word| word == now.to_string()) {
            return Some((place, later.to_string()));
        }
    }
    let date = row["date"].as_str()?;
    let next = date.parse::<domain::Date>().ok()?.tomorrow().ok()?.to_string();
    Some((only(text, |word| word == date)?, next))
}
