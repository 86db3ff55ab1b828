//! Numbers as vendors write them, kept exact: read from their text and never by way of a float.

use domain::number::{Decimal, parse_decimal};
use domain::{Instant, Price, Ratio, Size};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::Rejection;

/// Decimal text, exponent included, as [`parse_decimal`] reads it, in a fraction of the time for up to 19
/// digits.
pub(crate) fn decimal(text: &str) -> Option<Decimal> {
    match leading_decimal(text.as_bytes()) {
        Some((value, length)) if length == text.len() => Some(value),
        _ => parse_decimal(text),
    }
}

/// The number at the start of a text and its length; `None` for none, more than 19 digits, or an exponent of
/// more than two digits or beyond what a decimal holds.
fn leading_decimal(text: &[u8]) -> Option<(Decimal, usize)> {
    let negative = text.first() == Some(&b'-');
    let mut at = usize::from(negative);
    let (mut mantissa, mut digits, mut scale, mut after_point) = (0u64, 0u32, 0u32, false);
    while let Some(byte) = text.get(at) {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                digits += 1;
                scale += u32::from(after_point);
            }
            b'.' if !after_point && digits > 0 => after_point = true,
            _ => break,
        }
        at += 1;
    }
    if !(1..=19).contains(&digits) || (after_point && scale == 0) {
        return None;
    }
    let mut wide = u128::from(mantissa);
    if let Some(b'e' | b'E') = text.get(at) {
        let (exponent, length) = exponent(&text[at + 1..])?;
        at += 1 + length;
        match i32::try_from(scale).ok()? - exponent {
            places @ 0..=28 => scale = places.unsigned_abs(),
            // 19 digits and nine zeros are the most that fit.
            places @ -9..0 => {
                wide *= 10_u128.pow(places.unsigned_abs());
                scale = 0;
            }
            _ => return None,
        }
    }
    let (low, middle, high) = (wide as u32, (wide >> 32) as u32, (wide >> 64) as u32);
    Some((Decimal::from_parts(low, middle, high, negative, scale), at))
}

/// The exponent of one or two digits at the start of a text, and its length.
fn exponent(text: &[u8]) -> Option<(i32, usize)> {
    let sign_length = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let digits = text[sign_length..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=2).contains(&digits) {
        return None;
    }
    let digits = &text[sign_length..sign_length + digits];
    let value = digits.iter().fold(0, |value, byte| value * 10 + i32::from(byte - b'0'));
    Some((if text[0] == b'-' { -value } else { value }, sign_length + digits.len()))
}

/// The text of a JSON value without the quotes some vendors put around numbers.
fn bare(text: &str) -> &str {
    text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text)
}

/// A JSON number, or a number in quotes, with all its digits: never by way of a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exact(pub(crate) Decimal);

impl Exact {
    /// As a price.
    pub(crate) fn price(self) -> Price {
        Price::new(self.0)
    }

    /// As a quantity.
    pub(crate) fn size(self) -> Size {
        Size::new(self.0)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Exact, D::Error> {
        let value = <&RawValue>::deserialize(deserializer)?;
        decimal(bare(value.get())).map(Exact).ok_or_else(|| serde::de::Error::custom("not a decimal number"))
    }
}

/// A number read from its text, bare or in quotes, all digits kept; `None` for `null` and for empty text.
///
/// As a required field of a row it refuses a row without the key, and lets a `null` through.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct MaybeExact(pub(crate) Option<Decimal>);

impl MaybeExact {
    /// Reads a value; `None` for one that is neither number nor `null` nor empty text.
    pub(crate) fn read(value: &RawValue) -> Option<MaybeExact> {
        let text = value.get();
        if text == "null" || text == "\"\"" {
            return Some(MaybeExact(None));
        }
        decimal(bare(text)).map(|value| MaybeExact(Some(value)))
    }

    /// As a price.
    pub(crate) fn price(self) -> Option<Price> {
        self.0.map(Price::new)
    }

    /// As a price above zero: vendors write zero where there is none.
    pub(crate) fn priced(self) -> Option<Price> {
        self.price().filter(|price| price.is_positive())
    }

    /// As a quantity.
    pub(crate) fn size(self) -> Option<Size> {
        self.0.map(Size::new)
    }

    /// As a whole number that is not negative; `None` for anything else.
    pub(crate) fn count(self) -> Option<u64> {
        self.whole().and_then(|whole| u64::try_from(whole).ok())
    }

    /// As a whole number; `None` with a fraction, or beyond 64 bits.
    pub(crate) fn whole(self) -> Option<i64> {
        let value = self.0?;
        if value.scale() > 0 && value != value.trunc() {
            return None;
        }
        i64::try_from(value.trunc().mantissa()).ok()
    }

    /// As milliseconds since 1970, UTC.
    pub(crate) fn millis(self) -> Option<Instant> {
        self.whole().map(Instant::from_millis)
    }

    /// As nanoseconds since 1970, UTC.
    pub(crate) fn nanos(self) -> Option<Instant> {
        self.whole().map(Instant::from_nanos)
    }
}

impl<'de> Deserialize<'de> for MaybeExact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<MaybeExact, D::Error> {
        MaybeExact::read(<&RawValue>::deserialize(deserializer)?)
            .ok_or_else(|| serde::de::Error::custom("a number"))
    }
}

/// Cells of a flat JSON array of numbers and nulls, read without a float and without an allocation: what
/// columns of bars are made of.
pub(crate) struct Cells<'a> {
    rest: &'a [u8],
}

impl<'a> Cells<'a> {
    /// The cells of an array; none of anything else.
    pub(crate) fn of(array: &'a RawValue) -> Cells<'a> {
        let rest = array.get().as_bytes();
        Cells { rest: rest.strip_prefix(b"[").unwrap_or(b"\"no array") }
    }
}

impl Iterator for Cells<'_> {
    type Item = Result<Option<Decimal>, Rejection>;

    /// The next cell; an error for one that is neither number nor null.
    fn next(&mut self) -> Option<Self::Item> {
        self.rest = self.rest.trim_ascii_start();
        let (value, length) = match leading_decimal(self.rest) {
            Some((value, length)) => (Some(value), length),
            None => {
                let end = self.rest.iter().position(|b| matches!(b, b',' | b']')).unwrap_or(self.rest.len());
                match self.rest[..end].trim_ascii() {
                    b"" => return None,
                    b"null" => (None, end),
                    cell => match std::str::from_utf8(cell).ok().and_then(parse_decimal) {
                        Some(value) => (Some(value), end),
                        None => return Some(Err(Rejection::unreadable("a column of numbers"))),
                    },
                }
            }
        };
        self.rest = self.rest[length..].trim_ascii_start();
        match self.rest.split_first() {
            Some((b',', rest)) => self.rest = rest,
            Some((b']', _)) => self.rest = b"",
            _ => return Some(Err(Rejection::unreadable("a column of numbers"))),
        }
        Some(Ok(value))
    }
}

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

#[cfg(test)]
mod tests {
    //! SRC-9: numbers are read exactly.
    use super::*;
    use proptest::prelude::*;

    fn cells(text: &str) -> Option<Vec<Option<String>>> {
        let raw: &RawValue = serde_json::from_str(text).expect("the test writes JSON");
        Cells::of(raw).map(|cell| Some(cell.ok()?.map(|d| d.to_string()))).collect()
    }

    #[test]
    fn a_column_is_read_cell_by_cell_and_refused_where_a_cell_is_no_number() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            cells("[ 127.58000183105469, null,0 , -1.50, 1.12e+08,\n12345678901234567890.5]"),
            Some(vec![
                some("127.58000183105469"),
                None,
                some("0"),
                some("-1.50"),
                some("112000000"),
                some("12345678901234567890.5"),
            ])
        );
        assert_eq!(cells("[]"), Some(vec![]));
        assert_eq!(cells("[ null ]"), Some(vec![None]));
        for text in ["[\"1\"]", "[[1]]", "[true]", "[1,{}]", "{}", "null", "7", "\"\""] {
            assert_eq!(cells(text), None, "{text}");
        }
    }

    #[test]
    fn the_short_way_reads_what_vendors_write() {
        for (text, expected) in [
            ("130.28", "130.28"),
            ("1.12117471e+08", "112117471"),
            ("8.3484e+06", "8348400"),
            ("642646396.0", "642646396"),
            ("5e-7", "0.0000005"),
            ("-0.25", "-0.25"),
            ("1652192754171838500", "1652192754171838500"),
            ("127.58000183105469", "127.58000183105469"),
        ] {
            assert_eq!(decimal(text).map(|d| d.normalize().to_string()).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "-", ".", "1.", "e5", "1e", "1e+", "1e999", "--1", "1.2.3", "NaN", "0x1", "1 2"] {
            assert_eq!(decimal(text), parse_decimal(text), "{text}");
            assert_ne!(
                leading_decimal(text.as_bytes()).map(|(_, length)| length),
                Some(text.len()),
                "{text}"
            );
        }
    }

    #[test]
    fn null_is_let_through_and_a_missing_key_is_not() {
        #[derive(serde::Deserialize)]
        struct Row {
            c: MaybeExact,
        }
        assert_eq!(serde_json::from_str::<Row>(r#"{"c":null}"#).unwrap().c, MaybeExact(None));
        assert_eq!(serde_json::from_str::<Row>(r#"{"c":"1.5"}"#).unwrap().c.price(), Price::parse("1.5"));
        assert!(serde_json::from_str::<Row>("{}").is_err());
        for bad in [r#"{"c":"abc"}"#, r#"{"c":[1]}"#, r#"{"c":true}"#, r#"{"c":1e99}"#] {
            assert!(serde_json::from_str::<Row>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_whole_number_is_whole_however_it_is_written() {
        let whole = |text| MaybeExact(decimal(text)).whole();
        assert_eq!(whole("9223372036854775807"), Some(i64::MAX));
        assert_eq!(whole("9223372036854775808"), None);
        assert_eq!(whole("5.0"), Some(5));
        assert_eq!(whole("5.5"), None);
        assert_eq!(MaybeExact(decimal("-1")).count(), None);
    }

    #[test]
    fn a_number_in_quotes_is_a_number_and_words_are_not() {
        let exact = |text: &str| serde_json::from_str::<Exact>(text).ok().map(|e| e.0.to_string());
        assert_eq!(exact("1.10"), Some("1.10".to_owned()));
        assert_eq!(exact("\"1.10\""), Some("1.10".to_owned()));
        for text in ["\"\"", "\"None\"", "null", "[]", "\"1", "true"] {
            assert_eq!(exact(text), None, "{text}");
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

    proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

        #[test]
        fn the_quick_way_reads_a_number_like_the_careful_one(text in "-?[0-9]{0,21}(\\.[0-9]{0,12})?([eE][+-]?[0-9]{1,3})?") {
            prop_assert_eq!(decimal(&text), parse_decimal(&text), "{}", text);
        }

        #[test]
        fn any_text_is_read_like_the_careful_way_reads_it(text in "\\PC{0,12}") {
            prop_assert_eq!(decimal(&text), parse_decimal(&text), "{}", text);
        }
    }
}
