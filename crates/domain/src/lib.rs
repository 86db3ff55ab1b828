//! Nouns of market data. No I/O, no clock, no serialisation: those live in the crates above.

pub mod action;
pub mod bar;
pub mod basis;
pub mod book;
pub mod calendar;
pub mod code;
pub mod directory;
pub mod instrument;
pub mod interval;
mod liquid_names;
pub mod market_status;
pub mod news;
pub mod number;
#[cfg(feature = "planted")]
pub mod planted;
pub mod quote;
mod spelling;
pub mod symbol;
pub mod time;
pub mod trade;
pub mod venue_suffix;

pub use action::{ActionKind, CorporateAction};
pub use bar::{Bar, BarSeries};
pub use basis::{Adjustment, Anchor, Basis, Delivery, Denomination, Session, Unit};
pub use book::{Level, OrderBook};
pub use calendar::{Calendar, CalendarError, Calendars, TradingSession};
pub use code::{Currency, VendorId, Venue};
pub use directory::{Directory, SymbolError};
pub use instrument::{Instrument, InstrumentKind, TickTable};
pub use interval::Interval;
pub use market_status::{MarketPhase, MarketStatus};
pub use news::NewsItem;
pub use number::{Price, Ratio, Size};
pub use quote::Quote;
pub use symbol::{InstrumentId, Symbol};
pub use time::{Date, Instant, Range};
pub use trade::Trade;

/// Whether a bug of this name is planted: `false`, except in a trial of the simulator that looks for it.
#[cfg(not(feature = "planted"))]
#[macro_export]
macro_rules! planted {
    ($bug:ident) => {
        false
    };
}

/// Whether a bug of this name is planted.
#[cfg(feature = "planted")]
#[macro_export]
macro_rules! planted {
    ($bug:ident) => {
        $crate::planted::is_planted($crate::planted::Bug::$bug)
    };
}
