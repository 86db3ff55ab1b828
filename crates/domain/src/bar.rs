//! OHLCV over a span.

use std::sync::Arc;

use crate::{
    Adjustment, CorporateAction, Date, Denomination, Instant, InstrumentId, Interval, Price, Quote, Range,
    Size,
};

/// Open, high, low, close and volume over one window. A price the vendor left out is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// Start of the window, UTC.
    pub start: Instant,
    /// First price.
    pub open: Option<Price>,
    /// Highest price.
    pub high: Option<Price>,
    /// Lowest price.
    pub low: Option<Price>,
    /// Last price.
    pub close: Option<Price>,
    /// Quantity traded.
    pub volume: Option<Size>,
    /// Whether the window had ended when the vendor spoke, so that the bar will not change any more.
    pub is_final: bool,
    /// For a day and longer: the trading date the window starts on, at the venue.
    pub trading_date: Option<Date>,
    /// Volume-weighted average price.
    pub vwap: Option<Price>,
    /// Number of trades.
    pub trade_count: Option<u64>,
    /// The vendor's own close adjusted for splits and dividends: evidence, never served as ours.
    pub vendor_adjusted_close: Option<Price>,
}

impl Bar {
    /// A final bar with four prices and a volume.
    pub fn new(start: Instant, [open, high, low, close]: [Price; 4], volume: Size) -> Bar {
        Bar {
            open: Some(open),
            high: Some(high),
            low: Some(low),
            close: Some(close),
            volume: Some(volume),
            ..Bar::empty(start)
        }
    }

    /// A final bar that states nothing but its window.
    pub fn empty(start: Instant) -> Bar {
        Bar {
            start,
            open: None,
            high: None,
            low: None,
            close: None,
            volume: None,
            is_final: true,
            trading_date: None,
            vwap: None,
            trade_count: None,
            vendor_adjusted_close: None,
        }
    }

    /// Open, high, low and close if all four are there.
    pub fn prices(&self) -> Option<[Price; 4]> {
        Some([self.open?, self.high?, self.low?, self.close?])
    }
}

/// Bars of one instrument and interval from one vendor on one basis, oldest first, no start twice.
#[derive(Clone, Debug, PartialEq)]
pub struct BarSeries {
    /// What trades.
    pub instrument: InstrumentId,
    /// Span of each bar.
    pub interval: Interval,
    /// How prices and volumes are restated.
    pub adjustment: Adjustment,
    /// Currency and unit; `None` if the vendor does not say.
    pub denomination: Option<Denomination>,
    /// IANA name of the time zone the vendor states for the venue.
    pub zone: Option<Arc<str>>,
    /// The bars, ascending by start.
    pub bars: Vec<Bar>,
    /// Splits and dividends the same reply carried.
    pub actions: Vec<CorporateAction>,
    /// The newest quote the same reply carried.
    pub quote: Option<Box<Quote>>,
    /// The range the reply speaks for, where that is less than what was asked: a vendor that gives only
    /// its newest hundred rows says nothing about earlier ones. `None`: all that was asked.
    pub covers: Option<Range>,
}

impl BarSeries {
    /// A series without bars.
    pub fn empty(instrument: InstrumentId, interval: Interval, adjustment: Adjustment) -> BarSeries {
        BarSeries {
            instrument,
            interval,
            adjustment,
            denomination: None,
            zone: None,
            bars: Vec::new(),
            actions: Vec::new(),
            quote: None,
            covers: None,
        }
    }
}
