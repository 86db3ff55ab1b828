//! What a vendor's reply says.

use domain::{BarSeries, CorporateAction, Instrument, InstrumentId, MarketStatus, NewsItem, Quote, Trade};

use crate::Rejection;

/// What one reply says, in our nouns.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Quotes, each instrument with its own outcome. Also a history of quotes, oldest first.
    Quotes(Vec<Quoted>),
    /// Bars, with whatever actions and quote the reply carried along.
    Bars(BarSeries),
    /// Several series in one reply.
    ManyBars(Vec<BarSeries>),
    /// Executions, oldest first.
    Trades(InstrumentId, Vec<Trade>),
    /// Splits and dividends, oldest first.
    Actions(Vec<CorporateAction>),
    /// Instruments, in the vendor's order.
    Instruments(Vec<Instrument>),
    /// News, newest first.
    News(Vec<NewsItem>),
    /// Market phases.
    MarketStatus(Vec<MarketStatus>),
}

/// The quote of one instrument, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Quoted {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Its quote.
    pub quote: Result<Quote, Rejection>,
}

impl Data {
    /// The word for the kind of data.
    pub const fn kind(&self) -> &'static str {
        match self {
            Data::Quotes(_) => "quotes",
            Data::Bars(_) | Data::ManyBars(_) => "bars",
            Data::Trades(..) => "trades",
            Data::Actions(_) => "actions",
            Data::Instruments(_) => "instruments",
            Data::News(_) => "news",
            Data::MarketStatus(_) => "market_status",
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Data::Quotes(rows) => rows.len(),
            Data::Bars(series) => series.bars.len(),
            Data::ManyBars(many) => many.iter().map(|series| series.bars.len()).sum(),
            Data::Trades(_, rows) => rows.len(),
            Data::Actions(rows) => rows.len(),
            Data::Instruments(rows) => rows.len(),
            Data::News(rows) => rows.len(),
            Data::MarketStatus(rows) => rows.len(),
        }
    }
}
