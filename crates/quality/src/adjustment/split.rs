//! Recognises a jump that looks like a split.

use domain::{Price, Ratio, number::Decimal};

use crate::float::of_price;

/// Largest distance of a jump from a split ratio, in log price: what a share moves in a day besides.
pub const SPLIT_TOLERANCE: f64 = 0.06;

/// New and old shares of the splits that occur; each also the other way round.
const FAMILIES: [(i64, i64); 9] = [(2, 1), (3, 1), (3, 2), (4, 1), (5, 1), (7, 1), (10, 1), (20, 1), (50, 1)];

/// A jump taken for a split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitLikeness {
    /// New shares per old: 4 for a 4-for-1 split, 0.1 for a 1-for-10 reverse split.
    pub new_per_old: Ratio,
    /// 1 when the jump is exactly the ratio, falling to 0 at the tolerance.
    pub confidence: f32,
}

/// New shares per old if the step from `before` to `after` looks like a common split or reverse split
/// within 6 %; `None` otherwise and for prices of zero or below.
///
/// A likeness, not a fact: nothing is rescaled without a record or a second vendor.
pub fn recognise_split(before: Price, after: Price) -> Option<Ratio> {
    likeness(of_price(Some(before)), of_price(Some(after)), SPLIT_TOLERANCE).map(|like| like.new_per_old)
}

/// Like [`recognise_split`], with a tolerance in log price and the confidence.
pub fn likeness(before: f64, after: f64, tolerance: f64) -> Option<SplitLikeness> {
    if !(before > 0.0 && after > 0.0) {
        return None;
    }
    let jump = (before / after).ln();
    let (mut best, mut ratio) = (f64::INFINITY, (1, 1));
    for (new, old) in FAMILIES {
        let size = (new as f64 / old as f64).ln();
        for (distance, pair) in [((jump - size).abs(), (new, old)), ((jump + size).abs(), (old, new))] {
            if distance < best {
                (best, ratio) = (distance, pair);
            }
        }
    }
    if best > tolerance {
        return None;
    }
    let new_per_old = Ratio::of(Decimal::from(ratio.0), Decimal::from(ratio.1))?;
    Some(SplitLikeness { new_per_old, confidence: (1.0 - best / tolerance) as f32 })
}

#[cfg(test)]
mod tests {
    // ACT-4
    use super::*;

    fn recognised(before: &str, after: &str) -> Option<String> {
        recognise_split(Price::parse(before)?, Price::parse(after)?).map(|r| r.round(6).to_string())
    }

    #[test]
    fn each_family_is_recognised_in_both_directions() {
        for (before, after, new_per_old) in [
            ("100", "50", "2"),
            ("199", "100", "2"),
            ("100", "199", "0.5"),
            ("90", "30", "3"),
            ("90", "60", "1.5"),
            ("60", "90", "0.666667"),
            ("267.67", "66.5", "4"),
            ("100", "20", "5"),
            ("645.57", "93.7", "7"),
            ("100", "10", "10"),
            ("1", "10", "0.1"),
            ("3000", "150", "20"),
            ("5000", "100", "50"),
            ("2", "100", "0.02"),
        ] {
            assert_eq!(recognised(before, after).as_deref(), Some(new_per_old), "{before} to {after}");
        }
    }

    #[test]
    fn an_ordinary_move_or_a_broken_price_is_no_split() {
        for (before, after) in [("100", "89"), ("100", "111"), ("100", "75"), ("0", "50"), ("100", "-50")] {
            assert_eq!(recognised(before, after), None, "{before} to {after}");
        }
        assert_eq!(recognised("100", "10000"), None, "a hundredfold move is a unit, not a split");
    }
}
