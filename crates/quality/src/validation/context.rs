//! What validation is told besides the data.

use domain::{Calendar, CorporateAction, Date, Denomination, Instant, InstrumentKind, Price, Range};

use super::History;

/// Which outer bounds give verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bounds {
    /// The instrument's own: volatility and recorded price limits.
    #[default]
    VolatilityScaled,
    /// Besides, the fixed bounds of the compatibility preset: price 0.01 to 100,000, change above 50 %,
    /// opening gap above 20 %, range above 30 % of open, jump of 100 % and more, spread above 10 %.
    Compatibility,
}

/// What is known about a series besides its rows.
#[derive(Clone, Copy, Debug)]
pub struct BarContext<'a> {
    /// The current time.
    pub now: Instant,
    /// Decides whether zero volume and negative prices are normal.
    pub kind: InstrumentKind,
    /// The venue's calendar; without one no gap is looked for.
    pub calendar: Option<&'a Calendar>,
    /// What was asked for; without it the span from the first to the last row.
    pub range: Option<Range>,
    /// Currency and unit known from the instrument's record, where the series does not state it.
    pub denomination: Option<Denomination>,
    /// Smallest price step, the floor of every price tolerance.
    pub tick: Option<Price>,
    /// Prices outside are errors whatever the day.
    pub price_bounds: Option<(Price, Price)>,
    /// The instrument's past before the first row, raw.
    pub history: Option<&'a History>,
    /// Splits and dividends on record, in any order. A move they explain is no anomaly.
    pub actions: &'a [CorporateAction],
    /// Trading dates on which a large move is explained otherwise: earnings, and the day after when they
    /// came past the close; mergers.
    pub eventful: &'a [Date],
    /// Which outer bounds give verdicts.
    pub bounds: Bounds,
}

impl BarContext<'_> {
    /// Nothing is known but the time and the kind.
    pub fn new(now: Instant, kind: InstrumentKind) -> BarContext<'static> {
        BarContext {
            now,
            kind,
            calendar: None,
            range: None,
            denomination: None,
            tick: None,
            price_bounds: None,
            history: None,
            actions: &[],
            eventful: &[],
            bounds: Bounds::VolatilityScaled,
        }
    }
}

/// What is known about a quote besides itself.
#[derive(Clone, Copy, Debug)]
pub struct QuoteContext<'a> {
    /// The instant the quote reached us.
    pub received_at: Instant,
    /// Decides whether volume and positive prices are expected.
    pub kind: InstrumentKind,
    /// The trading date the quote belongs to.
    pub trading_date: Date,
    /// Currency and unit known from the instrument's record, where the quote does not state it.
    pub denomination: Option<Denomination>,
    /// Smallest price step, the floor of every price tolerance.
    pub tick: Option<Price>,
    /// Prices outside are errors whatever the day.
    pub price_bounds: Option<(Price, Price)>,
    /// The instrument's past before the quote, raw.
    pub history: Option<&'a History>,
    /// Splits and dividends on record, in any order.
    pub actions: &'a [CorporateAction],
    /// Trading dates on which a large move is explained otherwise.
    pub eventful: &'a [Date],
    /// Which outer bounds give verdicts.
    pub bounds: Bounds,
}

impl QuoteContext<'_> {
    /// Nothing is known but the time of receipt and the kind.
    pub fn new(received_at: Instant, kind: InstrumentKind) -> QuoteContext<'static> {
        QuoteContext {
            received_at,
            kind,
            trading_date: received_at.utc_date(),
            denomination: None,
            tick: None,
            price_bounds: None,
            history: None,
            actions: &[],
            eventful: &[],
            bounds: Bounds::VolatilityScaled,
        }
    }
}

/// Whether instruments of this kind trade a quantity that vendors state.
pub(crate) const fn has_volume(kind: InstrumentKind) -> bool {
    match kind {
        InstrumentKind::Equity
        | InstrumentKind::Etf
        | InstrumentKind::Crypto
        | InstrumentKind::Future
        | InstrumentKind::Option => true,
        InstrumentKind::Fund | InstrumentKind::Index | InstrumentKind::Fx | InstrumentKind::Other => false,
    }
}

/// Whether a price of zero or below can be genuine: futures settled below zero in April 2020, and an option
/// can be worth nothing.
pub(crate) const fn may_be_negative(kind: InstrumentKind) -> bool {
    matches!(kind, InstrumentKind::Future | InstrumentKind::Option)
}
