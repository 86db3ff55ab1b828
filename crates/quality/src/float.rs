//! Prices as floating-point numbers, for statistics and bounds; exact arithmetic stays in `Decimal`.

use domain::{Price, Size, number::Decimal};

const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// Nearest floating-point value. The common case (mantissa below 2^53, scale up to 22) is one correctly
/// rounded division, several times faster than the general conversion; longer mantissas come within one unit
/// in the last place, so a breach seen in floats is confirmed in decimals before it is reported.
pub(crate) fn of_decimal(value: Decimal) -> f64 {
    let mantissa = value.mantissa();
    match (i64::try_from(mantissa), POWERS.get(value.scale() as usize)) {
        (Ok(small), Some(power)) => small as f64 / power,
        _ => Price::new(value).to_f64(),
    }
}

/// Of a price; NaN if absent, so that every comparison with it is false.
pub(crate) fn of_price(price: Option<Price>) -> f64 {
    price.map_or(f64::NAN, |p| of_decimal(p.decimal()))
}

/// Of a size; NaN if absent.
pub(crate) fn of_size(size: Option<Size>) -> f64 {
    size.map_or(f64::NAN, |s| of_decimal(s.decimal()))
}

/// Middle of the values, NaN for none; rearranges them. Of an even number the upper middle.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// Median and robust standard deviation, `1.4826 · median(|x − median|)`; rearranges the values.
///
/// Source: B. Iglewicz, D. Hoaglin, "How to Detect and Handle Outliers", 1993.
pub(crate) fn location_and_scale(values: &mut [f64]) -> (f64, f64) {
    let centre = median(values);
    for value in values.iter_mut() {
        *value = (*value - centre).abs();
    }
    (centre, 1.4826 * median(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_keeps_its_nearest_float() {
        for text in ["0", "0.1", "600000.01", "-5", "0.000000000001", "7.9e27"] {
            let price = Price::parse(text).unwrap();
            assert_eq!(of_price(Some(price)), text.parse::<f64>().unwrap(), "{text}");
        }
        let long = of_price(Price::parse("127.58000183105469"));
        assert!((long - 127.58000183105469).abs() < 1e-13);
        assert!(of_price(None).is_nan());
    }

    #[test]
    fn one_wild_value_does_not_move_the_robust_scale() {
        let (centre, scale) = location_and_scale(&mut [1.0, 2.0, 3.0, 4.0, 1e9]);
        assert_eq!(centre, 3.0);
        assert!((scale - 1.4826).abs() < 1e-12);
    }
}
