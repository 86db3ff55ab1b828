//! One execution.

use std::sync::Arc;

use crate::{Instant, Price, Size};

/// One execution as a vendor reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trade {
    /// When it happened.
    pub at: Instant,
    /// Price.
    pub price: Price,
    /// Quantity; zero marks a price update without a trade.
    pub size: Size,
    /// The vendor's id of the trade.
    pub id: Option<Arc<str>>,
    /// The vendor's condition codes.
    pub conditions: Vec<Arc<str>>,
    /// The vendor's code of the exchange.
    pub exchange: Option<Arc<str>>,
}
