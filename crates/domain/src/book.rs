//! Order book: levels, as snapshot.

use crate::{Instant, Price, Size};

/// One price level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Price.
    pub price: Price,
    /// Quantity offered there.
    pub size: Size,
}

/// A snapshot of resting orders.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderBook {
    /// When the venue published it.
    pub event_time: Option<Instant>,
    /// The venue's sequence number of this state.
    pub sequence: Option<u64>,
    /// Buyers, best (highest) first.
    pub bids: Vec<Level>,
    /// Sellers, best (lowest) first.
    pub asks: Vec<Level>,
}

impl OrderBook {
    /// Whether the best bid is above the best ask, which no venue's true book is.
    pub fn is_crossed(&self) -> bool {
        matches!((self.bids.first(), self.asks.first()), (Some(bid), Some(ask)) if bid.price > ask.price)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_book_is_crossed_only_when_the_bid_is_above_the_ask() {
        let level = |price: u32| Level { price: Price::from(price), size: Size::from(1) };
        let book = |bid, ask| OrderBook {
            event_time: None,
            sequence: None,
            bids: vec![level(bid)],
            asks: vec![level(ask)],
        };
        assert!(book(101, 100).is_crossed());
        assert!(!book(100, 100).is_crossed());
        assert!(!book(99, 100).is_crossed());
    }
}
