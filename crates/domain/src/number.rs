//! Exact decimal numbers. NaN and infinity cannot be represented.

use std::fmt;
use std::ops::{Div, Mul};

pub use rust_decimal::Decimal;

/// Reads a decimal number as vendors write it: sign, digits, one point, optional exponent, white space
/// around. Nothing else: no thousands separators, no `NaN`, no empty text.
///
/// All digits are kept up to 28 significant ones; a longer fraction is rounded half to even.
pub fn parse_decimal(text: &str) -> Option<Decimal> {
    let text = text.trim();
    if text.contains(['e', 'E']) { Decimal::from_scientific(text).ok() } else { text.parse().ok() }
        .filter(|_| !text.contains('_') && text.contains(|c: char| c.is_ascii_digit()))
}

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(Decimal);

        impl $name {
            /// Zero: a value like any other, and not the same as absent.
            pub const ZERO: $name = $name(Decimal::ZERO);

            /// Wraps a decimal.
            pub const fn new(value: Decimal) -> $name {
                $name(value)
            }

            /// Reads decimal text; see [`parse_decimal`].
            pub fn parse(text: &str) -> Option<$name> {
                parse_decimal(text).map($name)
            }

            /// The decimal inside.
            pub const fn decimal(self) -> Decimal {
                self.0
            }

            /// Nearest floating-point value, for statistics only.
            pub fn to_f64(self) -> f64 {
                use rust_decimal::prelude::ToPrimitive;
                self.0.to_f64().unwrap_or(0.0)
            }

            /// From a floating-point value, keeping its shortest decimal form; `None` for NaN, infinity
            /// and magnitudes beyond 7.9e28.
            pub fn from_f64(value: f64) -> Option<$name> {
                if value.is_finite() { parse_decimal(&format!("{value}")).map($name) } else { None }
            }

            /// Whether the value is above zero.
            pub fn is_positive(self) -> bool {
                self.0 > Decimal::ZERO
            }

            /// Rounded half to even to so many decimal places.
            pub fn round(self, places: u32) -> $name {
                $name(self.0.round_dp(places))
            }
        }

        impl fmt::Display for $name {
            /// Plain decimal text without trailing zeros or exponent.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.normalize(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl From<u32> for $name {
            fn from(value: u32) -> $name {
                $name(Decimal::from(value))
            }
        }
    };
}

quantity! {
    /// Price of one unit of an instrument, in the currency and unit its [`Denomination`] names.
    ///
    /// Exact to 28 digits: wide enough for a share of 600,000 dollars and a token of 1e-12.
    /// May be zero or negative, so that a vendor's bad value can be judged instead of lost.
    ///
    /// [`Denomination`]: crate::Denomination
    Price
}

quantity! {
    /// Quantity traded or offered: shares, coins, contracts. May be fractional.
    Size
}

quantity! {
    /// A pure number: new shares per old, a factor on prices.
    Ratio
}

impl Price {
    /// As whole millionths of the unit, rounded down; `None` below zero and above what 64 bits hold.
    pub fn to_micros(self) -> Option<u64> {
        use rust_decimal::prelude::ToPrimitive;
        self.0.checked_mul(Decimal::from(1_000_000))?.floor().to_u64()
    }

    /// So many millionths.
    pub fn from_micros(micros: u64) -> Price {
        Price(Decimal::from_i128_with_scale(i128::from(micros), 6))
    }

    /// The shortest decimal text that reads back as the same single-precision number: 127.58 for
    /// 127.58000183105469. A price that is no single-precision number is kept as it is.
    #[must_use]
    pub fn shortest_f32(self) -> Price {
        // Through text: a decimal divided as a float may miss its nearest double.
        let Ok(wide) = self.0.to_string().parse::<f64>() else { return self };
        let narrow = wide as f32;
        if f64::from(narrow) == wide { parse_decimal(&narrow.to_string()).map_or(self, Price) } else { self }
    }
}

impl Ratio {
    /// One: leaves a price as it is.
    pub const ONE: Ratio = Ratio(Decimal::ONE);

    /// `numerator / denominator`; `None` if the denominator is zero or the quotient does not fit.
    pub fn of(numerator: Decimal, denominator: Decimal) -> Option<Ratio> {
        numerator.checked_div(denominator).map(Ratio)
    }

    /// `1 / self`; `None` for zero.
    pub fn inverse(self) -> Option<Ratio> {
        Ratio::of(Decimal::ONE, self.0)
    }

    /// Product; saturates far beyond any market's numbers.
    pub fn times(self, other: Ratio) -> Ratio {
        Ratio(self.0.saturating_mul(other.0))
    }
}

impl Mul<Ratio> for Price {
    type Output = Price;
    fn mul(self, factor: Ratio) -> Price {
        Price(self.0.saturating_mul(factor.0))
    }
}

impl Mul<Ratio> for Size {
    type Output = Size;
    fn mul(self, factor: Ratio) -> Size {
        Size(self.0.saturating_mul(factor.0))
    }
}

impl Div<Price> for Price {
    type Output = Option<Ratio>;
    /// `None` when the divisor is zero.
    fn div(self, other: Price) -> Option<Ratio> {
        Ratio::of(self.0, other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_exactly_or_not_at_all() {
        for (text, expected) in [
            ("600000.01", Some("600000.01")),
            ("0.000000000001", Some("0.000000000001")),
            ("1.12e+08", Some("112000000")),
            ("8.3484E6", Some("8348400")),
            (" 127 ", Some("127")),
            ("-5", Some("-5")),
            ("127.58000183105469", Some("127.58000183105469")),
            ("", None),
            ("NaN", None),
            ("inf", None),
            (".", None),
            ("1,000", None),
            ("1_000", None),
            ("0x10", None),
            ("null", None),
        ] {
            assert_eq!(Price::parse(text).map(|p| p.to_string()).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_widened_single_precision_price_finds_its_short_form() {
        let short = |text: &str| Price::parse(text).unwrap().shortest_f32().to_string();
        assert_eq!(short("127.58000183105469"), "127.58");
        assert_eq!(short("118.69000244140625"), "118.69");
        assert_eq!(short("127.58"), "127.58");
        assert_eq!(short("188.3"), "188.3");
        assert_eq!(short("600000.01"), "600000.01");
    }

    #[test]
    fn a_float_that_is_no_number_has_no_price() {
        assert_eq!(Price::from_f64(f64::NAN), None);
        assert_eq!(Price::from_f64(f64::INFINITY), None);
        assert_eq!(Price::from_f64(0.1), Price::parse("0.1"));
    }
}
