//! Criteria, and the caps of those that are missed.

use std::fmt;

use super::evidence::{Evidence, Kind, VolumeState};
use super::letter::{Letter, Score, Thresholds};
use super::timing::Lateness;
use crate::cross_check::Agreement;

macro_rules! caps {
    ($($(#[$doc:meta])* $name:ident $id:literal $letter:ident,)*) => {
        /// A missed criterion: the score is at most the top of its letter's band. Worst first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Cap {
            $($(#[$doc])* $name,)*
        }

        impl Cap {
            /// All criteria, worst first.
            pub const ALL: &'static [Cap] = &[$(Cap::$name,)*];

            /// The id used in answers and stored rows.
            pub const fn id(self) -> &'static str {
                match self { $(Cap::$name => $id,)* }
            }

            /// The best letter that can still be reached.
            pub const fn letter(self) -> Letter {
                match self { $(Cap::$name => Letter::$letter,)* }
            }
        }
    };
}

caps! {
    /// No usable price: the score is 0.
    PriceMissing "PRICE_MISSING" F,
    /// A major anomaly.
    MajorAnomaly "MAJOR_ANOMALY" F,
    /// More than one failed check; a dispute among vendors counts as one of them.
    SeveralFailed "SEVERAL_FAILED" F,
    /// The instrument's history contradicts the value, and nobody confirms it.
    HistoryContradicted "HISTORY_CONTRADICTED" F,
    /// The nearest other vendor lies beyond 1.7 times the value.
    VendorsFarApart "VENDORS_FAR_APART" F,
    /// An earlier session's datum while the market is open.
    LastSessionAsLive "LAST_SESSION_AS_LIVE" F,
    /// Past the class's freshness ceiling.
    StaleCeiling "STALE_CEILING" F,
    /// Past twice its time to live.
    StaleTwiceTtl "STALE_2TTL" F,
    /// Less than half of the expected rows are there.
    SeverelyIncomplete "SEVERELY_INCOMPLETE" F,
    /// One failed check.
    FailedCheck "FAILED_CHECK" D,
    /// Others agree on another value.
    OthersDisagree "OTHERS_DISAGREE" D,
    /// Two camps of one size.
    Split "SPLIT" D,
    /// Past its time to live.
    StaleTtl "STALE_TTL" D,
    /// Served past its time because the refresh failed.
    ServedStale "SERVED_STALE" D,
    /// More than 30 s late for its class.
    Delay30 "DELAY" D,
    /// When it happened is not known.
    DelayUnknown "DELAY_UNKNOWN" D,
    /// Part of open, high, low and close is missing.
    OhlcMissing "OHLC_MISSING" D,
    /// The volume is missing.
    VolumeMissing "VOLUME_MISSING" D,
    /// Less than four fifths of the expected rows are there.
    Incomplete "INCOMPLETE" D,
    /// No other independent vendor to compare with.
    NoOtherVoice "NO_OTHER_VOICE" C,
    /// The volume is an estimate.
    VolumeEstimated "VOLUME_ESTIMATED" C,
    /// More than 5 s late for its class.
    Delay5 "DELAY" C,
    /// Three warnings and more.
    Warnings "WARNINGS" C,
    /// Less than 95 % of the expected rows are there.
    PartlyIncomplete "PARTLY_INCOMPLETE" C,
    /// One other independent vendor.
    OneOtherVoice "ONE_OTHER_VOICE" B,
    /// Bid or ask is missing.
    BidAskMissing "BID_ASK_MISSING" B,
    /// More than 1 s late for its class.
    Delay1 "DELAY" B,
    /// A warning.
    Warning "WARNING" B,
    /// The vendor's circuit breaker is degraded.
    DegradedBreaker "DEGRADED_BREAKER" B,
}

impl Cap {
    /// Highest score under it.
    pub fn top(self, thresholds: &Thresholds) -> Score {
        match self {
            Cap::PriceMissing => Score::ZERO,
            _ => thresholds.top(self.letter()),
        }
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

/// A set of missed criteria.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CapSet(u32);

const _: () = assert!(Cap::ALL.len() <= 32, "a cap is one bit of a word");

impl CapSet {
    /// With one more.
    pub const fn with(self, cap: Cap) -> CapSet {
        CapSet(self.0 | 1 << cap as u8)
    }

    /// With one more if it holds.
    const fn when(self, missed: bool, cap: Cap) -> CapSet {
        if missed { self.with(cap) } else { self }
    }

    /// Whether a criterion was missed.
    pub const fn contains(self, cap: Cap) -> bool {
        self.0 & (1 << cap as u8) != 0
    }

    /// Whether none was missed.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The missed criteria, worst first.
    pub fn iter(self) -> impl Iterator<Item = Cap> {
        Cap::ALL.iter().copied().filter(move |cap| self.contains(*cap))
    }

    /// The one that binds: the worst.
    pub fn binding(self) -> Option<Cap> {
        Cap::ALL.get(self.0.trailing_zeros() as usize).copied()
    }
}

impl fmt::Debug for CapSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The criteria the evidence misses.
pub(super) fn of(evidence: &Evidence, lateness: &Lateness) -> CapSet {
    let checks = &evidence.checks;
    let there = &evidence.completeness;
    let disputed = matches!(evidence.agreement, Agreement::Outvoted | Agreement::Split);
    let failed = checks.failed + u16::from(disputed && checks.failed > 0);
    let quote = evidence.kind == Kind::Quote;
    let set = CapSet::default()
        .when(!there.price, Cap::PriceMissing)
        .when(checks.major > 0, Cap::MajorAnomaly)
        .when(checks.contradicted, Cap::HistoryContradicted)
        .when(failed > 1, Cap::SeveralFailed)
        .when(failed == 1, Cap::FailedCheck)
        .when(checks.warnings > 0, Cap::Warning)
        .when(checks.warnings > 2, Cap::Warnings)
        .when(evidence.far_apart, Cap::VendorsFarApart)
        .when(evidence.agreement == Agreement::Outvoted, Cap::OthersDisagree)
        .when(evidence.agreement == Agreement::Split, Cap::Split)
        .when(evidence.agreement == Agreement::Alone, Cap::NoOtherVoice)
        .when(evidence.agreement == Agreement::One, Cap::OneOtherVoice)
        .when(!quote && !there.ohlc, Cap::OhlcMissing)
        .when(quote && !there.bid_ask, Cap::BidAskMissing)
        .when(there.volume == VolumeState::Missing, Cap::VolumeMissing)
        .when(there.volume == VolumeState::Estimated, Cap::VolumeEstimated)
        .when(there.coverage < 0.95, Cap::PartlyIncomplete)
        .when(there.coverage < 0.8, Cap::Incomplete)
        .when(there.coverage < 0.5, Cap::SeverelyIncomplete)
        .when(evidence.degraded, Cap::DegradedBreaker)
        .when(evidence.served_stale, Cap::ServedStale);
    timing(set, evidence, lateness)
}

fn timing(set: CapSet, evidence: &Evidence, lateness: &Lateness) -> CapSet {
    let late = match lateness.excess_secs {
        None => Some(Cap::DelayUnknown),
        Some(secs) if secs > 30.0 => Some(Cap::Delay30),
        Some(secs) if secs > 5.0 => Some(Cap::Delay5),
        Some(secs) if secs > 1.0 => Some(Cap::Delay1),
        Some(_) => None,
    };
    let set = late.map_or(set, |cap| set.with(cap));
    if evidence.kind == Kind::FinalBar {
        return set;
    }
    let (age, ttl) = (lateness.age, evidence.ttl);
    set.when(age > ttl, Cap::StaleTtl)
        .when(age > ttl.saturating_mul(2), Cap::StaleTwiceTtl)
        .when(age > evidence.ceiling, Cap::StaleCeiling)
        .when(lateness.last_session, Cap::LastSessionAsLive)
}
