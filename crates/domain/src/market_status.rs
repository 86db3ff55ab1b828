//! Whether a market is open, as a vendor or the calendar says.

use std::sync::Arc;

use crate::Instant;

/// Phase of a trading day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MarketPhase {
    /// Before regular hours.
    PreMarket,
    /// Regular hours.
    Open,
    /// After regular hours.
    AfterHours,
    /// Extended hours, before or after not said.
    Extended,
    /// Break inside the day.
    Break,
    /// Closed.
    Closed,
}

impl MarketPhase {
    /// The word used in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            MarketPhase::PreMarket => "pre_market",
            MarketPhase::Open => "open",
            MarketPhase::AfterHours => "after_hours",
            MarketPhase::Extended => "extended",
            MarketPhase::Break => "break",
            MarketPhase::Closed => "closed",
        }
    }
}

/// What a vendor says about one market.
#[derive(Clone, Debug, PartialEq)]
pub struct MarketStatus {
    /// The vendor's name of the market: `US`, `nyse`, `NASDAQ`.
    pub market: Arc<str>,
    /// Phase.
    pub phase: MarketPhase,
    /// When the vendor said so.
    pub at: Option<Instant>,
    /// Holiday's name, if closed for one.
    pub holiday: Option<Arc<str>>,
}
