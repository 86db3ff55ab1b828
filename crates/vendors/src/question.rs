//! What can be asked of a vendor.

use domain::{Adjustment, InstrumentId, Interval, Range, Session};

/// A question to one vendor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// Newest quotes. More than one instrument only where the vendor's offer says so.
    Quotes {
        /// Of what.
        instruments: Vec<InstrumentId>,
        /// Whether bid and ask are wanted too, where they cost another endpoint.
        bid_ask: bool,
    },
    /// Bars whose start lies in a range.
    Bars {
        /// Of what.
        instrument: InstrumentId,
        /// Span of a bar.
        interval: Interval,
        /// `[start, end)`.
        range: Range,
        /// Basis to ask the vendor for; the reply says what it got.
        adjustment: Adjustment,
        /// Hours.
        session: Session,
    },
    /// Executions in a range, oldest first in the answer.
    Trades {
        /// Of what.
        instrument: InstrumentId,
        /// `[start, end)`.
        range: Range,
        /// At most so many.
        limit: u32,
    },
    /// Splits with an ex-date in a range.
    Splits {
        /// Of what.
        instrument: InstrumentId,
        /// `[start, end)`.
        range: Range,
    },
    /// Cash dividends with an ex-date in a range.
    Dividends {
        /// Of what.
        instrument: InstrumentId,
        /// `[start, end)`.
        range: Range,
    },
    /// News about an instrument.
    News {
        /// About what.
        instrument: InstrumentId,
        /// Published in `[start, end)`.
        range: Range,
        /// At most so many.
        limit: u32,
    },
    /// Instruments that match words.
    Search {
        /// The words.
        words: String,
        /// At most so many.
        limit: u32,
    },
    /// The vendor's list of symbols.
    Symbols,
    /// Whether the markets of the United States are open.
    MarketStatus,
}

/// What kind of question: the unit of entitlement, routing and health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Last trade.
    Quote,
    /// Best bid and ask.
    BidAsk,
    /// Bars of an interval.
    Bars(Interval),
    /// Executions.
    Trades,
    /// Splits.
    Splits,
    /// Cash dividends.
    Dividends,
    /// News of a company.
    News,
    /// Search by words.
    Search,
    /// List of symbols.
    Symbols,
    /// Market status.
    MarketStatus,
}

impl Capability {
    /// Every capability, bars once per interval.
    pub fn all() -> impl Iterator<Item = Capability> {
        [
            Capability::Quote,
            Capability::BidAsk,
            Capability::Trades,
            Capability::Splits,
            Capability::Dividends,
            Capability::News,
            Capability::Search,
            Capability::Symbols,
            Capability::MarketStatus,
        ]
        .into_iter()
        .chain(Interval::ALL.into_iter().map(Capability::Bars))
    }

    /// Stable word without the interval: an endpoint's name in metrics and settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Capability::Quote => "quote",
            Capability::BidAsk => "bid_ask",
            Capability::Bars(_) => "bars",
            Capability::Trades => "trades",
            Capability::Splits => "splits",
            Capability::Dividends => "dividends",
            Capability::News => "news",
            Capability::Search => "search",
            Capability::Symbols => "symbols",
            Capability::MarketStatus => "market_status",
        }
    }
}

impl Question {
    /// The capability a vendor needs to answer.
    pub fn capability(&self) -> Capability {
        match self {
            Question::Quotes { bid_ask: true, .. } => Capability::BidAsk,
            Question::Quotes { .. } => Capability::Quote,
            Question::Bars { interval, .. } => Capability::Bars(*interval),
            Question::Trades { .. } => Capability::Trades,
            Question::Splits { .. } => Capability::Splits,
            Question::Dividends { .. } => Capability::Dividends,
            Question::News { .. } => Capability::News,
            Question::Search { .. } => Capability::Search,
            Question::Symbols => Capability::Symbols,
            Question::MarketStatus => Capability::MarketStatus,
        }
    }

    /// The instruments it is about; empty where it is about none.
    pub fn instruments(&self) -> &[InstrumentId] {
        match self {
            Question::Quotes { instruments, .. } => instruments,
            Question::Bars { instrument, .. }
            | Question::Trades { instrument, .. }
            | Question::Splits { instrument, .. }
            | Question::Dividends { instrument, .. }
            | Question::News { instrument, .. } => std::slice::from_ref(instrument),
            Question::Search { .. } | Question::Symbols | Question::MarketStatus => &[],
        }
    }

    /// The range asked for, if the question has one.
    pub fn range(&self) -> Option<Range> {
        match self {
            Question::Bars { range, .. }
            | Question::Trades { range, .. }
            | Question::Splits { range, .. }
            | Question::Dividends { range, .. }
            | Question::News { range, .. } => Some(*range),
            Question::Quotes { .. }
            | Question::Search { .. }
            | Question::Symbols
            | Question::MarketStatus => None,
        }
    }
}
