//! Names: what a caller writes, and the canonical id it stands for.

use std::fmt;
use std::sync::Arc;

use crate::Venue;

/// Canonical id of an instrument: `AAPL.XNAS`, `BTC/USDT.BINANCE`, `EUR/USD.FX`, `^GSPC.INDEX`.
///
/// Cheap to clone. Ordered by name, then venue.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstrumentId {
    name: Arc<str>,
    venue: Venue,
}

impl InstrumentId {
    /// From a name (`AAPL`, `BRK.B`, `BTC/USDT`) and the venue it is listed at.
    pub fn new(name: &str, venue: Venue) -> InstrumentId {
        InstrumentId { name: name.into(), venue }
    }

    /// The name at its venue, without the venue.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The venue.
    pub fn venue(&self) -> Venue {
        self.venue
    }

    /// Base and quote currency of a pair: `("BTC", "USDT")`, of `BTC/USDT:USDT` too.
    pub fn pair(&self) -> Option<(&str, &str)> {
        let (base, rest) = self.name.split_once('/')?;
        Some((base, rest.split_once(':').map_or(rest, |(quote, _)| quote)))
    }

    /// Reads the canonical form `NAME.VENUE`, split at the last dot.
    pub fn parse(text: &str) -> Option<InstrumentId> {
        let (name, venue) = text.rsplit_once('.')?;
        if name.is_empty() {
            return None;
        }
        Some(InstrumentId::new(name, Venue::new(venue)?))
    }
}

impl fmt::Display for InstrumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.name, self.venue)
    }
}

impl fmt::Debug for InstrumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A symbol as a caller may write it, taken apart but not yet looked up: [`Directory::resolve`] does that.
///
/// [`Directory::resolve`]: crate::Directory::resolve
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Symbol {
    /// Ticker, pair or index name in our spelling, upper case: `AAPL`, `BRK.B`, `BTC/USDT`, `^GSPC`.
    pub name: Arc<str>,
    /// Where, if the text says so.
    pub venue: Option<Venue>,
}
