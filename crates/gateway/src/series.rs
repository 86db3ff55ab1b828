//! What the store keeps of the market, and how it is keyed.

use domain::{
    Adjustment, Bar, CorporateAction, Denomination, Instant, InstrumentId, Interval, Quote, Range, Session,
    VendorId,
};

/// One series of bars: one vendor's, on one basis. Bars of different keys never mix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SeriesKey {
    /// What trades.
    pub instrument: InstrumentId,
    /// Span of each bar.
    pub interval: Interval,
    /// Whose bars.
    pub vendor: VendorId,
    /// How the vendor restated them.
    pub adjustment: Adjustment,
    /// Hours covered.
    pub session: Session,
    /// Whether the values come from a simulated vendor. Never mixed with real ones.
    pub simulated: bool,
}

/// A series the store has something about.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSeries {
    /// Which.
    pub key: SeriesKey,
    /// Currency and unit the vendor stated.
    pub denomination: Option<Denomination>,
    /// Ranges of bar starts known completely, ascending, not touching: inside them what is not stored does
    /// not exist at the vendor (STO-3). Only final bars count.
    pub covered: Vec<Range>,
}

/// A bar with the moment it was learned.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredBar {
    /// The bar.
    pub bar: Bar,
    /// When the gateway received it. A restated series is restated to this moment.
    pub learned_at: Instant,
}

/// Bars to keep.
#[derive(Clone, Debug, PartialEq)]
pub struct NewBars {
    /// Which series.
    pub key: SeriesKey,
    /// Currency and unit the vendor stated.
    pub denomination: Option<Denomination>,
    /// The bars, ascending by start. Unfinished ones are kept too and replaced by later versions.
    pub bars: Vec<Bar>,
    /// Ranges now known completely, empty stretches included.
    pub covered: Vec<Range>,
    /// When they were received.
    pub learned_at: Instant,
}

/// A corporate action with who said so and when.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnedAction {
    /// The action.
    pub action: CorporateAction,
    /// Who said so.
    pub vendor: VendorId,
    /// When it was received.
    pub learned_at: Instant,
}

/// All that is known of an instrument's corporate actions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredActions {
    /// The actions, ascending by ex-date; one of each kind and date, the latest learned wins.
    pub actions: Vec<LearnedAction>,
    /// Ranges for which all splits are known, ascending, merged.
    pub splits_known: Vec<Range>,
    /// Ranges for which all dividends are known, ascending, merged.
    pub dividends_known: Vec<Range>,
}

/// A quote with who said so and when.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredQuote {
    /// Of what.
    pub instrument: InstrumentId,
    /// Who said so.
    pub vendor: VendorId,
    /// Whether by a simulated vendor.
    pub simulated: bool,
    /// The quote.
    pub quote: Quote,
    /// When it was received.
    pub received_at: Instant,
    /// Score of its grade when received, 0 to 100.
    pub score: f32,
}
