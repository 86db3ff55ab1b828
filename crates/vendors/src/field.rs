//! Fields of a vendor's rows: numbers that may be null, local dates and times, codes of listing venues.

use domain::{Date, Instant, Price, Range, Ratio, Venue, number::Decimal};
use jiff::civil::DateTime;
use serde::{Deserialize, Deserializer};

use crate::text::Exact;

/// A field that must be there but may be null: absent fails where `Option` alone would let it pass.
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer)
}

/// A price, if the field holds a number.
pub(crate) fn price(field: Option<Exact>) -> Option<Price> {
    field.map(Exact::price)
}

/// Reads `2026-03-03`, `2026-03-03 15:59:00` or the same with a `T`; the flag says whether a time was given.
pub(crate) fn local(text: &str) -> Option<(DateTime, bool)> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| {
        bytes
            .get(from..to)?
            .iter()
            .try_fold(0_i16, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i16::from(byte - b'0')))
    };
    let small = |from: usize| i8::try_from(number(from, from + 2)?).ok();
    if bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    let date = Date::new(number(0, 4)?, small(5)?, small(8)?).ok()?;
    match bytes.len() {
        10 => Some((date.at(0, 0, 0, 0), false)),
        16 | 19 if matches!(bytes[10], b' ' | b'T') && bytes[13] == b':' => {
            let second = if bytes.len() == 19 { small(17).filter(|_| bytes[16] == b':')? } else { 0 };
            let time = jiff::civil::Time::new(small(11)?, small(14)?, second, 0).ok()?;
            Some((date.to_datetime(time), true))
        }
        _ => None,
    }
}

/// New shares per old, if both counts are above zero.
pub(crate) fn new_per_old(new: Exact, old: Exact) -> Option<Ratio> {
    let positive = |value: Decimal| value > Decimal::ZERO;
    if positive(new.0) && positive(old.0) { Ratio::of(new.0, old.0) } else { None }
}

/// A ratio as two counts of which one is one: `(4, 1)` or `(1, 10)`, the new count first.
pub(crate) fn counts(new_per_old: Ratio) -> (Ratio, Ratio) {
    match new_per_old.inverse() {
        Some(inverse) if new_per_old < Ratio::ONE => (Ratio::ONE, inverse),
        _ => (new_per_old, Ratio::ONE),
    }
}

/// Venues that list shares of the United States, segments and consolidated tape included.
const UNITED_STATES: [&str; 18] = [
    "US", "XNAS", "XNGS", "XNMS", "XNCM", "XNYS", "XASE", "ARCX", "BATS", "IEXG", "OOTC", "OTCM", "PINX",
    "PSGM", "EXPM", "OTCQ", "OTCB", "XOTC",
];

/// Whether a venue lists shares of the United States, whose symbols vendors write bare.
pub(crate) fn is_united_states(venue: Venue) -> bool {
    UNITED_STATES.contains(&venue.as_str())
}

/// The venue of a market identifier code; a segment of Nasdaq is Nasdaq.
pub(crate) fn venue_of_mic(code: &str) -> Option<Venue> {
    match code {
        "XNGS" | "XNMS" | "XNCM" => Some(Venue::literal("XNAS")),
        code => Venue::new(code),
    }
}

/// First and last date of a question's range, wide enough for any zone the rows may be dated in: the first
/// as New York dates it, the last as the date after that of UTC.
pub(crate) fn dates_around(range: Range) -> (Date, Date) {
    let last = Instant::from_nanos(range.end.as_nanos().saturating_sub(1)).utc_date();
    (crate::text::local_date(range.start, "America/New_York"), last.tomorrow().unwrap_or(last))
}

/// The range of two dates, either of them open, both inclusive: midnight UTC of the first to midnight
/// UTC two days after the last, so that it holds the dates in any zone.
pub(crate) fn range_of_dates(first: Option<Date>, last: Option<Date>) -> Range {
    let whole = crate::text::all_time();
    let start =
        first.map_or(whole.start, |date| Instant::from_utc_midnight(date.yesterday().unwrap_or(date)));
    let after = |date: Date| date.tomorrow().and_then(Date::tomorrow).unwrap_or(date);
    Range::new(start, last.map_or(whole.end, |date| Instant::from_utc_midnight(after(date))))
}

#[cfg(test)]
mod tests {
    //! SRC-9.
    use super::*;

    #[test]
    fn a_local_time_is_read_with_or_without_its_time_of_day_and_nothing_else_is() {
        let shown = |text| local(text).map(|(at, has_time)| format!("{at} {has_time}"));
        assert_eq!(shown("2020-09-10").as_deref(), Some("2020-09-10T00:00:00 false"));
        assert_eq!(shown("2021-03-01 15:59:00").as_deref(), Some("2021-03-01T15:59:00 true"));
        assert_eq!(shown("2021-03-01T15:59").as_deref(), Some("2021-03-01T15:59:00 true"));
        for text in [
            "",
            "2020",
            "2020-13-01",
            "2020-02-30",
            "2020-09-10 ",
            "2020-09-10 25:00:00",
            "20200910",
            "2020-09-10 15:59:0x",
            "+020-09-10",
            "2020-09-1é",
        ] {
            assert_eq!(local(text), None, "{text}");
        }
    }

    #[test]
    fn a_split_needs_two_counts_above_zero() {
        let exact = |text: &str| Exact(domain::number::parse_decimal(text).expect("the test writes numbers"));
        assert_eq!(new_per_old(exact("4"), exact("1")), Some(Ratio::from(4)));
        assert_eq!(new_per_old(exact("1"), exact("10")).and_then(Ratio::inverse), Some(Ratio::from(10)));
        for (new, old) in [("0", "1"), ("1", "0"), ("-1", "2"), ("0", "0")] {
            assert_eq!(new_per_old(exact(new), exact(old)), None, "{new}/{old}");
        }
    }

    #[test]
    fn two_counts_give_the_ratio_they_were_made_of() {
        for text in ["4", "1", "0.1", "1.025", "0.142857142857142857"] {
            let ratio = Ratio::parse(text).expect("the test writes numbers");
            let (new, old) = counts(ratio);
            assert!(new == Ratio::ONE || old == Ratio::ONE);
            let back = new_per_old(Exact(new.decimal()), Exact(old.decimal())).expect("both above zero");
            assert_eq!(back.round(15), ratio.round(15));
        }
    }

    #[test]
    fn the_dates_of_a_range_hold_it_in_every_zone() {
        let range = Range::new(
            Instant::parse("2026-03-03T00:30:00Z").expect("a time"),
            Instant::parse("2026-03-07T00:00:00Z").expect("a time"),
        );
        let (first, last) = dates_around(range);
        assert_eq!((first.to_string().as_str(), last.to_string().as_str()), ("2026-03-02", "2026-03-07"));
        let back = range_of_dates(Some(first), Some(last));
        assert!(back.start <= range.start && back.end >= range.end);
    }
}
