//! What validation saw: rules, severities, findings, verdicts.

use std::fmt;

use domain::{Instant, Price, Ratio, Size};

/// How bad, ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth saying, costs nothing.
    Info,
    /// Costs a few points.
    Low,
    /// A warning: at most B.
    Medium,
    /// A failed check: at most D.
    High,
    /// A major anomaly: F.
    Critical,
}

impl Severity {
    /// The word used in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident $id:literal $severity:ident $aspect:ident,)*) => {
        /// The rule behind a finding. Its id is stable: clients and stored rows hold it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Rule {
            $($(#[$doc])* $name,)*
        }

        impl Rule {
            /// All rules, in the order of their declaration.
            pub const ALL: &'static [Rule] = &[$(Rule::$name,)*];

            /// The id used in answers and stored rows.
            pub const fn id(self) -> &'static str {
                match self { $(Rule::$name => $id,)* }
            }

            /// Severity unless the finding says otherwise.
            pub const fn severity(self) -> Severity {
                match self { $(Rule::$name => Severity::$severity,)* }
            }

            /// Which part of the grade the rule speaks to.
            pub const fn aspect(self) -> Aspect {
                match self { $(Rule::$name => Aspect::$aspect,)* }
            }
        }
    };
}

rules! {
    /// A price below zero.
    NegativePrice "NEGATIVE_PRICE" Critical Check,
    /// A price of zero.
    ZeroPrice "ZERO_PRICE" Critical Check,
    /// A price that was text like `NaN`; decoding keeps it absent and says so with this rule.
    NotANumber "NOT_A_NUMBER" Critical Check,
    /// No price at all.
    MissingPrice "MISSING_PRICE" Critical Completeness,
    /// One to three of open, high, low and close are absent.
    MissingOhlc "MISSING_OHLC" High Completeness,
    /// Volume is absent where the kind of instrument has one.
    MissingVolume "MISSING_VOLUME" High Completeness,
    /// A quote without bid or without ask.
    MissingBidAsk "MISSING_BID_ASK" Low Completeness,
    /// Not `low ≤ open, close ≤ high`.
    OhlcOrder "OHLC_ORDER" High Check,
    /// Bid above ask.
    CrossedQuote "CROSSED_QUOTE" High Check,
    /// Bid equal to ask.
    LockedQuote "LOCKED_QUOTE" Info Check,
    /// Volume below zero.
    NegativeVolume "NEGATIVE_VOLUME" High Check,
    /// No volume in a window in which this kind of instrument is expected to trade.
    ZeroVolume "ZERO_VOLUME" Low Check,
    /// Volume beyond ten medians (high) or outside a fifth to five medians (info).
    VolumeOutlier "VOLUME_OUTLIER" High Check,
    /// Stamped later than now + 2 s, or final before its window ended.
    FutureTime "FUTURE_TIME" High Check,
    /// Currency or unit is not known.
    UnknownCurrency "UNKNOWN_CURRENCY" Low Completeness,
    /// Two rows of one window.
    Duplicate "DUPLICATE" Medium Check,
    /// A row earlier than the one before it.
    OutOfOrder "OUT_OF_ORDER" High Check,
    /// Expected rows are absent.
    Gap "GAP" Medium Check,
    /// Open more than 20 % from the previous close. A note.
    OpeningGap "OPENING_GAP" Info Check,
    /// High minus low above 30 % of open. A note.
    IntradayRange "INTRADAY_RANGE" Info Check,
    /// Close at least twice the previous close. A note.
    PossibleReverseSplit "POSSIBLE_REVERSE_SPLIT" Info Check,
    /// A jump by the ratio of a common split, without a record of one. A note.
    PossibleSplit "POSSIBLE_SPLIT" Info Check,
    /// The split on record left no jump in a raw series, or left one in an adjusted series.
    BasisMismatch "BASIS_MISMATCH" High Check,
    /// A move of 6 robust standard deviations or more that nothing confirms.
    OutlierMove "OUTLIER_MOVE" High Check,
    /// A move of 20 robust standard deviations or more that nothing confirms.
    HistoryContradicted "HISTORY_CONTRADICTED" Critical Check,
    /// Off by a factor of 10, 100, 1000 or 10,000.
    UnitFactor "UNIT_FACTOR" Critical Check,
    /// Outside the instrument's own price bounds or the outer bounds of the compatibility preset.
    OutOfBounds "OUT_OF_BOUNDS" High Check,
    /// Another independent vendor says something else.
    VendorDisagreement "VENDOR_DISAGREEMENT" Low CrossCheck,
    /// No independent vendor to compare with.
    SingleVoice "SINGLE_VOICE" Info CrossCheck,
    /// Later than its delivery class promises.
    Delay "DELAY" Low Timeliness,
    /// When it happened is not known.
    DelayUnknown "DELAY_UNKNOWN" Low Timeliness,
    /// Past its time to live.
    Stale "STALE" Medium Timeliness,
    /// Of an earlier session while the market is open.
    LastSessionAsLive "LAST_SESSION_AS_LIVE" High Timeliness,
    /// The vendor's circuit breaker is degraded.
    DegradedVendor "DEGRADED_VENDOR" Low Vendor,
    /// Served past its time because the refresh failed.
    ServedStale "SERVED_STALE" Medium Timeliness,
    /// The volume is an estimate.
    VolumeEstimated "VOLUME_ESTIMATED" Low Completeness,
}

impl Rule {
    /// Reads an id.
    pub fn parse(id: &str) -> Option<Rule> {
        Rule::ALL.iter().copied().find(|rule| rule.id() == id)
    }

    /// Whether the rule only suspects: what it saw may be a real event, and another vendor that says the
    /// same, or the next row, clears it.
    pub const fn is_suspicion(self) -> bool {
        matches!(
            self,
            Rule::OutlierMove
                | Rule::HistoryContradicted
                | Rule::UnitFactor
                | Rule::VolumeOutlier
                | Rule::Gap
        )
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

/// Which part of the grade a rule speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aspect {
    /// A check of the values themselves.
    Check,
    /// Something is absent.
    Completeness,
    /// Age and delay.
    Timeliness,
    /// Other vendors.
    CrossCheck,
    /// The vendor's own state.
    Vendor,
}

/// What the finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// First price.
    Open,
    /// Highest price.
    High,
    /// Lowest price.
    Low,
    /// Last price of a bar.
    Close,
    /// Quantity traded.
    Volume,
    /// Best bid.
    Bid,
    /// Best ask.
    Ask,
    /// Price of the last trade.
    Last,
    /// Start of the window, or time of the event.
    Time,
    /// Currency and unit.
    Currency,
    /// The row as a whole.
    Row,
    /// The series as a whole.
    Series,
}

impl Field {
    /// The word used in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Field::Open => "open",
            Field::High => "high",
            Field::Low => "low",
            Field::Close => "close",
            Field::Volume => "volume",
            Field::Bid => "bid",
            Field::Ask => "ask",
            Field::Last => "last",
            Field::Time => "time",
            Field::Currency => "currency",
            Field::Row => "row",
            Field::Series => "series",
        }
    }
}

/// One value in a finding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fact {
    /// Not there.
    Absent,
    /// A price.
    Price(Price),
    /// A quantity.
    Size(Size),
    /// A point in time.
    Time(Instant),
    /// A relative change or share; 0.2 is 20 %.
    Share(f64),
    /// How often, or how many rows.
    Count(u64),
    /// A factor.
    Ratio(Ratio),
    /// Robust standard deviations.
    Sigmas(f64),
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Absent => f.write_str("absent"),
            Fact::Price(price) => price.fmt(f),
            Fact::Size(size) => size.fmt(f),
            Fact::Time(at) => at.fmt(f),
            Fact::Share(share) => write!(f, "{:.1} %", share * 100.0),
            Fact::Count(count) => count.fmt(f),
            Fact::Ratio(ratio) => ratio.fmt(f),
            Fact::Sigmas(sigmas) => write!(f, "{sigmas:.1} sigma"),
        }
    }
}

/// What would have been right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expected {
    /// Any value at all.
    Present,
    /// This or more.
    AtLeast(Fact),
    /// This or less.
    AtMost(Fact),
    /// More than this.
    Above(Fact),
    /// About this.
    About(Fact),
    /// From the first to the second, both included.
    Between(Fact, Fact),
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Present => f.write_str("present"),
            Expected::AtLeast(fact) => write!(f, "at least {fact}"),
            Expected::AtMost(fact) => write!(f, "at most {fact}"),
            Expected::Above(fact) => write!(f, "above {fact}"),
            Expected::About(fact) => write!(f, "about {fact}"),
            Expected::Between(low, high) => write!(f, "{low} to {high}"),
        }
    }
}

/// One thing validation saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// Why.
    pub rule: Rule,
    /// How bad.
    pub severity: Severity,
    /// Where in the row.
    pub field: Field,
    /// Which row, from 0; `None` for a quote or the series as a whole.
    pub row: Option<usize>,
    /// What was there.
    pub value: Fact,
    /// What would have been right.
    pub expected: Expected,
    /// What to do about it.
    pub suggestion: &'static str,
    /// How sure the rule is, in `[0, 1]`.
    pub confidence: f32,
}

impl Finding {
    /// A certain finding of the rule's own severity.
    pub fn new(rule: Rule, field: Field, value: Fact, expected: Expected) -> Finding {
        Finding {
            rule,
            severity: rule.severity(),
            field,
            row: None,
            value,
            expected,
            suggestion: suggestion(rule),
            confidence: 1.0,
        }
    }

    /// The same, about one row.
    pub fn at_row(self, row: usize) -> Finding {
        Finding { row: Some(row), ..self }
    }

    /// The same with another severity.
    pub fn with_severity(self, severity: Severity) -> Finding {
        Finding { severity, ..self }
    }

    /// The same, less sure.
    pub fn with_confidence(self, confidence: f32) -> Finding {
        Finding { confidence: confidence.clamp(0.0, 1.0), ..self }
    }

    /// What the finding means for its row. A note is a pass.
    pub fn verdict(&self) -> Verdict {
        match (self.severity, self.rule.is_suspicion()) {
            (Severity::Info | Severity::Low, _) => Verdict::Pass,
            (Severity::Medium, _) | (Severity::High, true) => Verdict::Warn,
            (Severity::High, false) => Verdict::Fail,
            (Severity::Critical, true) => Verdict::Quarantine,
            (Severity::Critical, false) => Verdict::Fail,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(row) = self.row {
            write!(f, "row {row} ")?;
        }
        let (severity, field) = (self.severity.as_str(), self.field.as_str());
        write!(f, "{} {severity} {field} {}, expected {}", self.rule, self.value, self.expected)
    }
}

/// What to do about a finding of this rule.
const fn suggestion(rule: Rule) -> &'static str {
    match rule {
        Rule::NegativePrice | Rule::ZeroPrice | Rule::NotANumber | Rule::MissingPrice => {
            "ask another vendor for this row"
        }
        Rule::MissingOhlc | Rule::MissingVolume | Rule::MissingBidAsk | Rule::VolumeEstimated => {
            "fill the field from a vendor that states it"
        }
        Rule::OhlcOrder | Rule::CrossedQuote | Rule::NegativeVolume => {
            "fetch the row again, then ask another vendor"
        }
        Rule::LockedQuote | Rule::OpeningGap | Rule::IntradayRange | Rule::ZeroVolume => "nothing to do",
        Rule::VolumeOutlier | Rule::OutlierMove | Rule::HistoryContradicted => {
            "compare with another vendor before acting on it"
        }
        Rule::FutureTime => "check the vendor's time zone and unit of time",
        Rule::UnknownCurrency => "add the instrument's currency to the directory",
        Rule::Duplicate | Rule::OutOfOrder => "keep one row per window, ascending",
        Rule::Gap => "backfill the missing windows",
        Rule::PossibleReverseSplit | Rule::PossibleSplit => {
            "look for the split record; do not rescale without it"
        }
        Rule::BasisMismatch => "check which basis the vendor really serves",
        Rule::UnitFactor => "check currency unit and lot size; configure a quirk if the vendor means it",
        Rule::OutOfBounds => "check the instrument's bounds",
        Rule::VendorDisagreement => "see both values; prefer the better camp",
        Rule::SingleVoice => "configure a second independent vendor",
        Rule::Delay | Rule::DelayUnknown | Rule::Stale | Rule::LastSessionAsLive | Rule::ServedStale => {
            "refresh from a vendor with a faster delivery class"
        }
        Rule::DegradedVendor => "wait for the vendor to recover or use another",
    }
}

/// Why a row was not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bypass {
    /// The operator switched validation off for it.
    Operator,
    /// The budget of work was spent.
    Budget,
}

/// What validation says of one row. A row is kept whatever its verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Nothing against it.
    Pass,
    /// Not judged.
    Bypass(Bypass),
    /// Usable with care.
    Warn,
    /// Breaks a rule for certain.
    Fail,
    /// Suspected of a grave error: kept aside until confirmed or released.
    Quarantine,
}

impl Verdict {
    /// The word used in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Bypass(_) => "bypass",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
            Verdict::Quarantine => "quarantine",
        }
    }

    /// Place in the order from best to worst; a certain breach is worst.
    const fn rank(self) -> u8 {
        match self {
            Verdict::Pass => 0,
            Verdict::Bypass(_) => 1,
            Verdict::Warn => 2,
            Verdict::Quarantine => 3,
            Verdict::Fail => 4,
        }
    }

    /// The worse of two.
    pub const fn worse(self, other: Verdict) -> Verdict {
        if other.rank() > self.rank() { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    // VAL-1
    use super::*;

    #[test]
    fn every_rule_is_found_by_its_id_and_no_id_is_used_twice() {
        for rule in Rule::ALL {
            assert_eq!(Rule::parse(rule.id()), Some(*rule));
        }
        assert_eq!(Rule::parse("NO_SUCH_RULE"), None);
    }

    #[test]
    fn a_note_leaves_its_row_passing_and_a_breach_fails_it() {
        let of = |rule| Finding::new(rule, Field::Close, Fact::Absent, Expected::Present).verdict();
        assert_eq!(of(Rule::OpeningGap), Verdict::Pass);
        assert_eq!(of(Rule::IntradayRange), Verdict::Pass);
        assert_eq!(of(Rule::PossibleReverseSplit), Verdict::Pass);
        assert_eq!(of(Rule::Duplicate), Verdict::Warn);
        assert_eq!(of(Rule::OhlcOrder), Verdict::Fail);
        assert_eq!(of(Rule::OutlierMove), Verdict::Warn);
        assert_eq!(of(Rule::UnitFactor), Verdict::Quarantine);
        assert_eq!(of(Rule::ZeroPrice), Verdict::Fail);
    }

    #[test]
    fn a_finding_says_value_and_expectation_in_words() {
        let price = |text| Fact::Price(Price::parse(text).unwrap());
        let finding = Finding::new(Rule::OhlcOrder, Field::Low, price("10.5"), Expected::AtMost(price("10")));
        assert_eq!(finding.at_row(3).to_string(), "row 3 OHLC_ORDER high low 10.5, expected at most 10");
    }
}
