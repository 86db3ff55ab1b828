//! What trades: the record of one instrument.

use std::sync::Arc;

use crate::number::Decimal;
use crate::{Date, Denomination, InstrumentId, Price, Size};

/// Kind of instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstrumentKind {
    /// Common and preferred shares, depositary receipts.
    Equity,
    /// Exchange-traded fund.
    Etf,
    /// Mutual fund.
    Fund,
    /// Index.
    Index,
    /// Pair of fiat currencies.
    Fx,
    /// Pair with a crypto coin, spot.
    Crypto,
    /// Future or perpetual.
    Future,
    /// Option.
    Option,
    /// The vendor gives a type we have no word for, or none.
    Other,
}

impl InstrumentKind {
    /// All kinds.
    pub const ALL: [InstrumentKind; 9] = [
        InstrumentKind::Equity,
        InstrumentKind::Etf,
        InstrumentKind::Fund,
        InstrumentKind::Index,
        InstrumentKind::Fx,
        InstrumentKind::Crypto,
        InstrumentKind::Future,
        InstrumentKind::Option,
        InstrumentKind::Other,
    ];

    /// The word used in queries and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            InstrumentKind::Equity => "equity",
            InstrumentKind::Etf => "etf",
            InstrumentKind::Fund => "fund",
            InstrumentKind::Index => "index",
            InstrumentKind::Fx => "fx",
            InstrumentKind::Crypto => "crypto",
            InstrumentKind::Future => "future",
            InstrumentKind::Option => "option",
            InstrumentKind::Other => "other",
        }
    }

    /// Reads the word of a query or stored row.
    pub fn parse(text: &str) -> Option<InstrumentKind> {
        InstrumentKind::ALL.into_iter().find(|k| k.as_str() == text)
    }
}

/// Smallest price steps by price level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TickTable {
    /// `(from, step)`: from this price upward the step holds. Ascending by `from`, the first from zero.
    pub steps: Vec<(Price, Price)>,
}

impl TickTable {
    /// One step at every price.
    pub fn flat(step: Price) -> TickTable {
        TickTable { steps: vec![(Price::ZERO, step)] }
    }

    /// Shares of the United States: 0.01 from one dollar upward, 0.0001 below.
    ///
    /// Source: Regulation NMS, Rule 612 (17 CFR 242.612), read 2026-01-05.
    pub fn united_states() -> TickTable {
        let price = |number, scale| Price::new(Decimal::new(number, scale));
        TickTable { steps: vec![(Price::ZERO, price(1, 4)), (price(1, 0), price(1, 2))] }
    }

    /// Step at a price; `None` for an empty table or a price below zero.
    pub fn step_at(&self, price: Price) -> Option<Price> {
        self.steps.iter().rev().find(|(from, _)| *from <= price).map(|(_, step)| *step)
    }
}

/// The record of one instrument. What nobody stated is `None`, never a guess.
#[derive(Clone, Debug, PartialEq)]
pub struct Instrument {
    /// Canonical id; its venue also names the trading calendar.
    pub id: InstrumentId,
    /// Kind.
    pub kind: InstrumentKind,
    /// Name of the company, fund or pair.
    pub description: Option<Arc<str>>,
    /// Currency and unit of its prices.
    pub denomination: Option<Denomination>,
    /// Smallest quantity that trades.
    pub lot: Option<Size>,
    /// Smallest price steps.
    pub ticks: Option<TickTable>,
    /// Prices outside are errors whatever the day: `(lowest, highest)`.
    pub price_bounds: Option<(Price, Price)>,
    /// First trading day.
    pub listed: Option<Date>,
    /// First day on which it no longer traded.
    pub delisted: Option<Date>,
    /// The vendor's own spelling where this record came from a vendor's list.
    pub vendor_symbol: Option<Arc<str>>,
}

impl Instrument {
    /// A record that states nothing but id and kind.
    pub fn new(id: InstrumentId, kind: InstrumentKind) -> Instrument {
        Instrument {
            id,
            kind,
            description: None,
            denomination: None,
            lot: None,
            ticks: None,
            price_bounds: None,
            listed: None,
            delisted: None,
            vendor_symbol: None,
        }
    }
}
