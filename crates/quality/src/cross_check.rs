//! Compares one vendor's value with what other vendors say of the same thing.

use std::time::Duration;

use domain::{Instant, Price, Ratio, Size, VendorId};

use crate::finding::{Expected, Fact, Field, Finding, Rule};
use crate::float::{of_price, of_size};

/// How far two prices may lie apart and still agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Relative to the price.
    pub share: f64,
    /// Values whose event times lie further apart are not compared.
    pub time: Duration,
}

impl Tolerance {
    /// 0.1 %: strict consumers, liquid names.
    pub const TIGHT: Tolerance = Tolerance { share: 0.001, time: Duration::from_secs(60) };
    /// 0.5 %: the default.
    pub const NORMAL: Tolerance = Tolerance { share: 0.005, time: Duration::from_secs(60) };
    /// 2 %: illiquid names, emergencies.
    pub const WIDE: Tolerance = Tolerance { share: 0.02, time: Duration::from_secs(60) };
}

/// Volumes of two vendors agree within a fifth: they count different venues.
const VOLUME_SHARE: f64 = 0.2;

/// Two vendors further apart than this without an explaining action cannot both be usable.
const FAR_APART: f64 = 1.7;

/// What one vendor says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Voice {
    /// Who.
    pub vendor: VendorId,
    /// The upstream feed: vendors of equal groups are one voice.
    pub group: u64,
    /// The price, on the same basis, in the same currency and of the same field; `None` if it says none.
    pub price: Option<Price>,
    /// The volume of the same window.
    pub volume: Option<Size>,
    /// When it happened; `None` if not known, which does not stop the comparison.
    pub event_time: Option<Instant>,
}

/// How a value stands among independent voices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Agreement {
    /// Two or more other feeds say the same, and no camp as large says otherwise.
    Several,
    /// One other feed says the same, and no camp as large says otherwise.
    One,
    /// No independent voice to compare with.
    Alone,
    /// As many feeds say this as say one other thing.
    Split,
    /// More feeds agree on another value.
    Outvoted,
}

impl Agreement {
    /// The word used in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Agreement::Several => "several_agree",
            Agreement::One => "one_agrees",
            Agreement::Alone => "no_other_voice",
            Agreement::Split => "split",
            Agreement::Outvoted => "others_disagree",
        }
    }

    /// Whether an independent voice stands behind the value.
    pub const fn confirms(self) -> bool {
        matches!(self, Agreement::Several | Agreement::One)
    }
}

/// The outcome of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossCheck {
    /// How the value stands.
    pub agreement: Agreement,
    /// Other feeds that say the same.
    pub agreeing: usize,
    /// Vendors of other feeds that say something else, in the order given.
    pub dissenters: Vec<VendorId>,
    /// A dissenter's distance when it is exactly a common split ratio (theirs / ours): adjusted against raw.
    /// Such a voice is neither agreement nor disagreement.
    pub basis_apart: Option<Ratio>,
    /// Whether another feed states about the same volume.
    pub volume_confirmed: bool,
    /// Whether the nearest dissent lies beyond 1.7 times the value, or below its inverse.
    pub far_apart: bool,
}

impl CrossCheck {
    /// Nothing was compared.
    pub const ALONE: CrossCheck = CrossCheck {
        agreement: Agreement::Alone,
        agreeing: 0,
        dissenters: Vec::new(),
        basis_apart: None,
        volume_confirmed: false,
        far_apart: false,
    };

    /// What is worth saying about it.
    pub fn findings(&self) -> Vec<Finding> {
        let mut out = Vec::new();
        if self.agreement == Agreement::Alone {
            let expected = Expected::AtLeast(Fact::Count(1));
            out.push(Finding::new(Rule::SingleVoice, Field::Row, Fact::Count(0), expected));
        }
        if !self.dissenters.is_empty() {
            let count = Fact::Count(self.dissenters.len() as u64);
            let expected = Expected::AtMost(Fact::Count(0));
            out.push(Finding::new(Rule::VendorDisagreement, Field::Row, count, expected));
        }
        if let Some(ratio) = self.basis_apart {
            let expected = Expected::About(Fact::Ratio(Ratio::ONE));
            let finding = Finding::new(Rule::PossibleSplit, Field::Row, Fact::Ratio(ratio), expected);
            out.push(finding);
        }
        out
    }
}

/// Compares a value with those of other vendors, which the caller has put on the same basis and field.
///
/// A feed counts once, the asked vendor's own feed not at all. Values of another moment and voices without a
/// price are left out. The order of the others does not matter to the outcome.
pub fn compare(value: &Voice, others: &[Voice], tolerance: Tolerance) -> CrossCheck {
    let mut check = CrossCheck::ALONE;
    let Some(price) = value.price.filter(|price| price.is_positive()) else { return check };
    let ours = of_price(Some(price));
    // Per feed, the price nearest to ours.
    let mut feeds: Vec<(u64, f64)> = Vec::with_capacity(others.len());
    for voice in others.iter().filter(|voice| comparable(value, voice, tolerance)) {
        let theirs = of_price(voice.price);
        check.volume_confirmed |= volumes_agree(value.volume, voice.volume);
        if !agrees(ours, theirs, tolerance) {
            if let Some(ratio) = split_apart(ours, theirs, tolerance) {
                check.basis_apart = Some(check.basis_apart.map_or(ratio, |known| known.min(ratio)));
                continue;
            }
            check.dissenters.push(voice.vendor);
        }
        match feeds.iter_mut().find(|(group, _)| *group == voice.group) {
            Some((_, known)) if distance(ours, theirs) < distance(ours, *known) => *known = theirs,
            Some(_) => (),
            None => feeds.push((voice.group, theirs)),
        }
    }
    let (same, other): (Vec<f64>, Vec<f64>) =
        feeds.iter().map(|(_, price)| *price).partition(|theirs| agrees(ours, *theirs, tolerance));
    check.agreeing = same.len();
    let rivals = largest_camp(&other, tolerance);
    let nearest = other.iter().map(|theirs| distance(ours, *theirs)).fold(f64::INFINITY, f64::min);
    check.far_apart = nearest.is_finite() && nearest > FAR_APART.ln() && same.is_empty();
    check.agreement = match (same.len(), rivals) {
        (0, 0) => Agreement::Alone,
        (agreeing, rivals) if rivals > agreeing + 1 => Agreement::Outvoted,
        (agreeing, rivals) if rivals == agreeing + 1 => Agreement::Split,
        (1, _) => Agreement::One,
        _ => Agreement::Several,
    };
    check
}

fn comparable(value: &Voice, voice: &Voice, tolerance: Tolerance) -> bool {
    let apart = value.event_time.zip(voice.event_time).map(|(a, b)| a.max(b).since(a.min(b)));
    voice.group != value.group
        && voice.price.is_some_and(|price| price.is_positive())
        && apart.is_none_or(|apart| apart <= tolerance.time)
}

fn distance(a: f64, b: f64) -> f64 {
    (a / b).ln().abs()
}

/// A hair of slack keeps a difference of exactly the tolerance inside, whatever the rounding.
fn agrees(a: f64, b: f64, tolerance: Tolerance) -> bool {
    (a - b).abs() <= tolerance.share * a.max(b) * (1.0 + 1e-9)
}

fn volumes_agree(a: Option<Size>, b: Option<Size>) -> bool {
    let (a, b) = (of_size(a), of_size(b));
    a > 0.0 && b > 0.0 && (a - b).abs() <= VOLUME_SHARE * a.max(b)
}

/// Their price as a multiple of ours, if that is a common split ratio: restated by it the two would agree. A
/// factor of ten is left to the rule on units: it is a split far more rarely.
fn split_apart(ours: f64, theirs: f64, tolerance: Tolerance) -> Option<Ratio> {
    let like = crate::adjustment::split::likeness(theirs, ours, tolerance.share)?;
    let ten = (distance(like.new_per_old.to_f64(), 1.0) - std::f64::consts::LN_10).abs() < 1e-6;
    (!ten).then_some(like.new_per_old)
}

/// Size of the largest group of prices that lie within the tolerance of one of them.
fn largest_camp(prices: &[f64], tolerance: Tolerance) -> usize {
    prices
        .iter()
        .map(|centre| prices.iter().filter(|price| agrees(*centre, **price, tolerance)).count())
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    // CON-1, CON-2 (majority, split, dissenters), CON-4 (declared feeds)
    use proptest::prelude::*;

    use super::*;

    fn voice(group: u64, price: &str) -> Voice {
        let vendor = VendorId(["v0", "v1", "v2", "v3", "v4"][group as usize]);
        Voice { vendor, group, price: Price::parse(price), volume: None, event_time: None }
    }

    fn check(ours: &str, others: &[(u64, &str)]) -> String {
        let others: Vec<Voice> = others.iter().map(|(group, price)| voice(*group, price)).collect();
        let check = compare(&voice(0, ours), &others, Tolerance::NORMAL);
        let basis = check.basis_apart.map_or(String::new(), |ratio| format!(" basis {ratio}"));
        let far = if check.far_apart { " far" } else { "" };
        format!("{} {}{basis}{far}", check.agreement.as_str(), check.dissenters.len())
    }

    #[test]
    fn a_value_stands_by_the_independent_feeds_that_say_the_same() {
        for (ours, others, expected) in [
            ("100", vec![], "no_other_voice 0"),
            ("100", vec![(0, "100")], "no_other_voice 0"),
            ("100", vec![(1, "100.1")], "one_agrees 0"),
            ("100", vec![(1, "100.1"), (1, "100")], "one_agrees 0"),
            ("100", vec![(1, "100.1"), (2, "100")], "several_agree 0"),
            ("100", vec![(1, "100.1"), (2, "250")], "one_agrees 1"),
            ("100", vec![(1, "100"), (2, "100"), (3, "106")], "several_agree 1"),
            ("100", vec![(1, "106")], "split 1"),
            ("100", vec![(1, "240")], "split 1 far"),
            ("100", vec![(1, "106"), (2, "106")], "others_disagree 2"),
            ("100", vec![(1, "106"), (2, "112")], "split 2"),
            ("100", vec![(1, "100"), (2, "106"), (3, "106")], "split 2"),
            ("250", vec![(1, "100"), (2, "100.1")], "others_disagree 2 far"),
        ] {
            assert_eq!(check(ours, &others), expected, "{ours} {others:?}");
        }
    }

    #[test]
    fn apart_by_exactly_a_split_is_a_matter_of_basis_not_of_truth() {
        assert_eq!(check("100", &[(1, "400")]), "no_other_voice 0 basis 4");
        assert_eq!(check("100", &[(1, "25"), (2, "100")]), "one_agrees 0 basis 0.25");
        assert_eq!(check("100", &[(1, "403")]), "split 1 far", "near a split is not exactly a split");
        assert_eq!(check("100", &[(1, "1000")]), "split 1 far", "a factor of ten is a unit");
    }

    #[test]
    fn a_value_of_another_moment_is_not_compared() {
        let at = |secs| Some(Instant::from_secs(secs));
        let ours = Voice { event_time: at(1_000), ..voice(0, "100") };
        let delayed = Voice { event_time: at(100), ..voice(1, "106") };
        assert_eq!(compare(&ours, &[delayed], Tolerance::NORMAL).agreement, Agreement::Alone);
        let near = Voice { event_time: at(1_060), ..voice(1, "106") };
        assert_eq!(compare(&ours, &[near], Tolerance::NORMAL).agreement, Agreement::Split);
    }

    #[test]
    fn broken_prices_neither_agree_nor_dissent() {
        assert_eq!(check("100", &[(1, "0"), (2, "-100")]), "no_other_voice 0");
        assert_eq!(check("-100", &[(1, "100")]), "no_other_voice 0");
    }

    #[test]
    fn the_tolerances_are_a_tenth_a_half_and_two_percent() {
        for (tolerance, inside, outside) in [
            (Tolerance::TIGHT, "99.9", "99.89"),
            (Tolerance::NORMAL, "99.5", "99.49"),
            (Tolerance::WIDE, "98", "97.99"),
        ] {
            let of = |price| compare(&voice(0, "100"), &[voice(1, price)], tolerance).agreement;
            assert_eq!((of(inside), of(outside)), (Agreement::One, Agreement::Split));
        }
    }

    proptest! {
        #![proptest_config(crate::seeded::cases())]

        #[test]
        fn the_order_of_the_others_does_not_matter(
            prices in prop::collection::vec((1u64..5, 95u32..106), 0..7),
        ) {
            let mut others: Vec<Voice> =
                prices.iter().map(|(group, price)| voice(*group, &price.to_string())).collect();
            let forward = compare(&voice(0, "100"), &others, Tolerance::NORMAL);
            others.reverse();
            let mut backward = compare(&voice(0, "100"), &others, Tolerance::NORMAL);
            backward.dissenters.reverse();
            prop_assert_eq!(forward, backward);
        }
    }
}
