//! JSON as vendors write it: numbers read from their text and never through a float, replies written with
//! every digit kept.

use std::fmt::{Display, Write};

use domain::{Instant, Price, Size, number::Decimal};
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::value::RawValue;

/// A number read from its text, bare or in quotes, all digits kept; `None` for `null` and for empty text.
///
/// As a required field of a row it refuses a row without the key, and lets a `null` through.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Exact(pub(crate) Option<Decimal>);

impl Exact {
    /// Reads a value; `None` for one that is neither number nor `null` nor empty text.
    pub(crate) fn read(value: &RawValue) -> Option<Exact> {
        let text = value.get();
        if text == "null" || text == "\"\"" {
            return Some(Exact(None));
        }
        let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        decimal(bare).map(|value| Exact(Some(value)))
    }

    /// As a price.
    pub(crate) fn price(self) -> Option<Price> {
        self.0.map(Price::new)
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

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Exact, D::Error> {
        Exact::read(<&RawValue>::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("a number"))
    }
}

/// Reads a decimal number, exponent included; see [`domain::number::parse_decimal`], which it agrees with.
pub(crate) fn decimal(text: &str) -> Option<Decimal> {
    short_decimal(text.as_bytes()).or_else(|| domain::number::parse_decimal(text))
}

/// The common case: at most 18 digits, and no exponent that would need more.
fn short_decimal(text: &[u8]) -> Option<Decimal> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut mantissa: u64 = 0;
    let mut digits = 0;
    let mut point = None;
    let mut exponent: i32 = 0;
    for (index, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                if digits > 18 {
                    return None;
                }
                mantissa = mantissa * 10 + u64::from(byte - b'0');
            }
            b'.' if point.is_none() && digits > 0 => point = Some(digits),
            b'e' | b'E' if digits > 0 => {
                exponent = short_exponent(&text[index + 1..])?;
                break;
            }
            _ => return None,
        }
    }
    if digits == 0 || point == Some(digits) {
        return None;
    }
    let scale = digits - point.unwrap_or(digits) - exponent;
    let (value, scale) = match u32::try_from(scale) {
        Ok(scale) if scale <= 28 => (i128::from(mantissa), scale),
        Ok(_) => return None,
        Err(_) if scale >= -9 => (i128::from(mantissa) * 10_i128.pow(scale.unsigned_abs()), 0),
        Err(_) => return None,
    };
    Decimal::try_from_i128_with_scale(if negative { -value } else { value }, scale).ok()
}

/// An exponent of one or two digits.
fn short_exponent(text: &[u8]) -> Option<i32> {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        rest => (1, rest),
    };
    if !(1..=2).contains(&digits.len()) {
        return None;
    }
    let mut value = 0;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i32::from(byte - b'0');
    }
    Some(sign * value)
}

/// A JSON object in the making, fields in the order they are given.
pub(crate) struct Object {
    text: String,
}

impl Object {
    /// Without fields.
    pub(crate) fn new() -> Object {
        Object { text: "{".to_owned() }
    }

    /// A field whose value is JSON already: a number, a flag, an object, an array.
    #[must_use]
    pub(crate) fn raw(mut self, name: &str, value: impl Display) -> Object {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        write!(self.text, "{}:{value}", quoted(name)).expect("writing to a string cannot fail");
        self
    }

    /// A field of text.
    #[must_use]
    pub(crate) fn text(self, name: &str, value: &str) -> Object {
        self.raw(name, quoted(value))
    }

    /// A number, `null` where there is none.
    #[must_use]
    pub(crate) fn number(self, name: &str, value: Option<impl Display>) -> Object {
        match value {
            Some(value) => self.raw(name, value),
            None => self.raw(name, "null"),
        }
    }

    /// A field that is left out where there is no value.
    #[must_use]
    pub(crate) fn if_any(self, name: &str, value: Option<impl Display>) -> Object {
        match value {
            Some(value) => self.raw(name, value),
            None => self,
        }
    }

    /// A field of text that is left out where there is none.
    #[must_use]
    pub(crate) fn text_if_any(self, name: &str, value: Option<&str>) -> Object {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// The object's text.
    pub(crate) fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

/// Text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text is always a JSON string")
}

/// Values, each JSON already, as an array.
pub(crate) fn array<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> String {
    let mut text = "[".to_owned();
    for value in values {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(value.as_ref());
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    //! SRC-9: numbers are read exactly.
    use proptest::prelude::*;

    use super::*;

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
            assert_eq!(short_decimal(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn null_is_let_through_and_a_missing_key_is_not() {
        #[derive(serde::Deserialize)]
        struct Row {
            c: Exact,
        }
        assert_eq!(serde_json::from_str::<Row>(r#"{"c":null}"#).unwrap().c, Exact(None));
        assert_eq!(serde_json::from_str::<Row>(r#"{"c":"1.5"}"#).unwrap().c.price(), Price::parse("1.5"));
        assert!(serde_json::from_str::<Row>("{}").is_err());
        for bad in [r#"{"c":"abc"}"#, r#"{"c":[1]}"#, r#"{"c":true}"#, r#"{"c":1e99}"#] {
            assert!(serde_json::from_str::<Row>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_whole_number_is_whole_however_it_is_written() {
        let whole = |text| Exact(decimal(text)).whole();
        assert_eq!(whole("9223372036854775807"), Some(i64::MAX));
        assert_eq!(whole("9223372036854775808"), None);
        assert_eq!(whole("5.0"), Some(5));
        assert_eq!(whole("5.5"), None);
        assert_eq!(Exact(decimal("-1")).count(), None);
    }

    #[test]
    fn an_object_is_json_whatever_its_texts_hold() {
        let text =
            Object::new().text("a\"", "b\n\\").number("n", None::<u8>).raw("v", array(["1", "2"])).end();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value, serde_json::json!({"a\"": "b\n\\", "n": null, "v": [1, 2]}));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_short_way_and_the_long_way_agree(text in r"-?[0-9]{1,20}(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?") {
            if let Some(short) = short_decimal(text.as_bytes()) {
                prop_assert_eq!(Some(short), domain::number::parse_decimal(&text));
            }
        }
    }
}
