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

    /// This data with that of a further page: quotes of an instrument that is there already complete it field
    /// by field, all other rows are added. Bars, trades and actions stay oldest first.
    #[must_use]
    pub fn join(self, page: Data) -> Data {
        match (self, page) {
            (Data::Quotes(all), Data::Quotes(more)) => Data::Quotes(join_quotes(all, more)),
            (Data::Bars(mut all), Data::Bars(more)) => {
                all.bars.extend(more.bars);
                all.actions.extend(more.actions);
                all.bars.sort_by_key(|bar| bar.start);
                all.covers = None;
                Data::Bars(all)
            }
            (Data::Trades(id, mut all), Data::Trades(_, more)) => {
                all.extend(more);
                all.sort_by_key(|trade| trade.at);
                Data::Trades(id, all)
            }
            (Data::Actions(mut all), Data::Actions(more)) => {
                all.extend(more);
                all.sort_by_key(|action| action.ex_date);
                Data::Actions(all)
            }
            (Data::Instruments(mut all), Data::Instruments(more)) => {
                all.extend(more);
                Data::Instruments(all)
            }
            (Data::News(mut all), Data::News(more)) => {
                all.extend(more);
                Data::News(all)
            }
            // A vendor that changes the kind of data between pages is believed on the page it ended with.
            (_, page) => page,
        }
    }
}

/// The former rows completed by those of a further page, and behind them the instruments that are new. A quote
/// stands in for a refusal, whichever came first.
fn join_quotes(mut all: Vec<Quoted>, more: Vec<Quoted>) -> Vec<Quoted> {
    for further in more {
        match all.iter_mut().find(|row| row.instrument == further.instrument) {
            None => all.push(further),
            Some(row) => match (&mut row.quote, further.quote) {
                (Ok(quote), Ok(rest)) => complete(quote, rest),
                (Ok(_), Err(_)) => {}
                (refused, rest) => *refused = rest,
            },
        }
    }
    all
}

/// Fills the gaps of a quote.
fn complete(quote: &mut Quote, rest: Quote) {
    *quote = Quote {
        last: quote.last.or(rest.last),
        last_size: quote.last_size.or(rest.last_size),
        bid: quote.bid.or(rest.bid),
        bid_size: quote.bid_size.or(rest.bid_size),
        ask: quote.ask.or(rest.ask),
        ask_size: quote.ask_size.or(rest.ask_size),
        open: quote.open.or(rest.open),
        high: quote.high.or(rest.high),
        low: quote.low.or(rest.low),
        previous_close: quote.previous_close.or(rest.previous_close),
        volume: quote.volume.or(rest.volume),
        event_time: quote.event_time.or(rest.event_time),
        trading_date: quote.trading_date.or(rest.trading_date),
        denomination: quote.denomination.or(rest.denomination),
        stated_delay: quote.stated_delay.or(rest.stated_delay),
        phase: quote.phase.or(rest.phase),
    };
}

#[cfg(test)]
mod tests {
    // SRC-9.
    use domain::{Bar, Instant, Interval, Price, Size, Venue};

    use super::*;

    fn quoted(name: &str, quote: Result<Quote, Rejection>) -> Quoted {
        Quoted { instrument: InstrumentId::new(name, Venue::US), quote }
    }

    fn last(price: u32) -> Quote {
        Quote { last: Some(Price::from(price)), event_time: Some(Instant::from_secs(1)), ..Quote::default() }
    }

    fn bid(price: u32) -> Quote {
        let at = Some(Instant::from_secs(2));
        Quote { bid: Some(Price::from(price)), bid_size: Some(Size::from(3)), event_time: at, ..last(9) }
    }

    #[test]
    fn a_further_page_completes_the_quotes_before_it_and_replaces_nothing() {
        let first = vec![
            quoted("A", Ok(last(5))),
            quoted("B", Err(Rejection::NoData)),
            quoted("C", Ok(last(7))),
            quoted("D", Err(Rejection::UnknownSymbol)),
        ];
        let further = vec![
            quoted("C", Err(Rejection::NoData)),
            quoted("B", Ok(bid(8))),
            quoted("E", Ok(bid(1))),
            quoted("A", Ok(bid(4))),
            quoted("D", Err(Rejection::NoData)),
        ];
        let both = Quote { bid: Some(Price::from(4)), bid_size: Some(Size::from(3)), ..last(5) };
        let expected = vec![
            quoted("A", Ok(both)),
            quoted("B", Ok(bid(8))),
            quoted("C", Ok(last(7))),
            quoted("D", Err(Rejection::NoData)),
            quoted("E", Ok(bid(1))),
        ];
        assert_eq!(Data::Quotes(first).join(Data::Quotes(further)), Data::Quotes(expected));
    }

    #[test]
    fn bars_of_pages_that_come_newest_first_ascend_once_they_are_joined() {
        let page = |secs: i64| {
            let id = InstrumentId::new("A", Venue::US);
            let bar = Bar::new(Instant::from_secs(secs), [Price::from(1); 4], Size::from(1));
            Data::Bars(BarSeries {
                bars: vec![bar],
                ..BarSeries::empty(id, Interval::M1, domain::Adjustment::Raw)
            })
        };
        let Data::Bars(joined) = page(120).join(page(60)) else { panic!("bars") };
        assert_eq!(joined.bars.iter().map(|bar| bar.start.as_secs()).collect::<Vec<_>>(), [60, 120]);
    }

    #[test]
    fn data_of_another_kind_ends_with_what_came_last() {
        let news = Data::News(Vec::new());
        assert_eq!(Data::Quotes(vec![quoted("A", Ok(last(5)))]).join(news.clone()), news);
    }
}
