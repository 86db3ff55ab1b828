//! Best bid and ask, and last trade.

use std::time::Duration;

use crate::{Date, Denomination, Instant, MarketPhase, Price, Size};

/// The newest state of one instrument as one vendor tells it. Absent is `None`; zero is a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quote {
    /// Price of the last trade.
    pub last: Option<Price>,
    /// Quantity of the last trade.
    pub last_size: Option<Size>,
    /// Best bid.
    pub bid: Option<Price>,
    /// Quantity at the best bid, in units, not lots.
    pub bid_size: Option<Size>,
    /// Best ask.
    pub ask: Option<Price>,
    /// Quantity at the best ask, in units, not lots.
    pub ask_size: Option<Size>,
    /// The day's first price.
    pub open: Option<Price>,
    /// The day's highest price.
    pub high: Option<Price>,
    /// The day's lowest price.
    pub low: Option<Price>,
    /// Close of the previous session.
    pub previous_close: Option<Price>,
    /// Volume of the day.
    pub volume: Option<Size>,
    /// When the last trade (or, without one, the bid and ask) happened; `None` if the vendor does not say
    /// more than a date.
    pub event_time: Option<Instant>,
    /// The session the values belong to, where the vendor names only a date.
    pub trading_date: Option<Date>,
    /// Currency and unit; `None` if the vendor does not say.
    pub denomination: Option<Denomination>,
    /// Delay the vendor admits to in this very reply.
    pub stated_delay: Option<Duration>,
    /// Phase of the market the vendor states in this reply.
    pub phase: Option<MarketPhase>,
}

impl Quote {
    /// One price that stands for the quote: the last trade, else the middle of bid and ask, else either.
    pub fn price(&self) -> Option<Price> {
        let middle = || {
            let sum = self.bid?.decimal().checked_add(self.ask?.decimal())?;
            sum.checked_div(crate::number::Decimal::TWO).map(Price::new)
        };
        self.last.or_else(middle).or(self.bid).or(self.ask)
    }
}
