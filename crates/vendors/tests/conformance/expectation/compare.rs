//! Comparing one value of ours with one of a manifest.

use domain::{Date, Denomination, Instant, Price, Ratio, Size};
use serde_json::Value;

use super::Verdict;

/// Relative tolerance for what the manifest prints as a float: far below a vendor's last digit.
const TOLERANCE: f64 = 1e-9;

fn verdict(holds: bool, found: impl std::fmt::Debug) -> Verdict {
    if holds { Verdict::Holds } else { Verdict::Differs(format!("{found:?}")) }
}

/// A number, also where the manifest keeps the vendor's text.
pub(super) fn number_in(expected: &Value) -> Option<f64> {
    expected.as_f64().or_else(|| expected.as_str()?.trim().parse().ok())
}

fn number(found: Option<f64>, expected: &Value) -> Verdict {
    let holds = match (found, number_in(expected)) {
        (Some(found), Some(number)) => (found - number).abs() <= TOLERANCE * number.abs(),
        (None, None) => expected.is_null(),
        _ => false,
    };
    verdict(holds, found)
}

/// A price within the tolerance; `null` means absent.
pub(super) fn price(found: Option<Price>, expected: &Value) -> Verdict {
    number(found.map(Price::to_f64), expected)
}

/// A size within the tolerance; `null` means absent.
pub(super) fn size(found: Option<Size>, expected: &Value) -> Verdict {
    number(found.map(Size::to_f64), expected)
}

/// A ratio within the tolerance.
pub(super) fn ratio(found: Option<Ratio>, expected: &Value) -> Verdict {
    number(found.map(Ratio::to_f64), expected)
}

/// A count.
pub(super) fn count(found: usize, expected: &Value) -> Verdict {
    verdict(expected.as_u64() == u64::try_from(found).ok(), found)
}

/// A flag; `null` means absent.
pub(super) fn flag(found: Option<bool>, expected: &Value) -> Verdict {
    verdict(found == expected.as_bool() && (found.is_some() || expected.is_null()), found)
}

/// A text; `null` means absent.
pub(super) fn text(found: Option<&str>, expected: &Value) -> Verdict {
    verdict(found == expected.as_str() && (found.is_some() || expected.is_null()), found)
}

/// A list of texts, in order.
pub(super) fn texts<'a>(found: impl Iterator<Item = &'a str>, expected: &Value) -> Verdict {
    let found: Vec<&str> = found.collect();
    verdict(serde_json::json!(found) == *expected, found)
}

/// An instant to the precision the manifest writes: RFC 3339 to the second, or a count of ms or ns.
pub(super) fn instant(found: Option<Instant>, expected: &Value) -> Verdict {
    let holds = match (found, expected) {
        (None, Value::Null) => true,
        (Some(found), Value::String(text)) if text.contains('.') => Instant::parse(text) == Some(found),
        (Some(found), Value::String(text)) => {
            Instant::parse(text).is_some_and(|expected| expected.as_secs() == found.as_secs())
        }
        (Some(found), Value::Number(n)) => match n.as_i64() {
            Some(n) if n > 1_000_000_000_000_000 => found.as_nanos() == n,
            Some(n) => found.as_millis() == n,
            None => false,
        },
        _ => false,
    };
    verdict(holds, found)
}

/// A date; `null` means absent, as does the vendor's word `null`.
pub(super) fn date(found: Option<Date>, expected: &Value) -> Verdict {
    let holds = match found {
        None => expected.is_null() || expected == "null",
        Some(found) => expected.as_str().and_then(|text| text.get(..10)?.parse().ok()) == Some(found),
    };
    verdict(holds, found)
}

/// A currency code as the vendor writes it, hundredths included.
pub(super) fn currency(found: Option<Denomination>, expected: &Value) -> Verdict {
    verdict(found == expected.as_str().and_then(Denomination::parse), found)
}
