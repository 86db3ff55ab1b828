//! What a vendor is, as data.

use domain::{Adjustment, Date, Interval, VendorId};

use crate::{Capability, HttpRequest};

/// Bundle of numbers a vendor starts from (breaker, service levels, cache, backoff); see the table in the
/// gateway's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VendorClass {
    /// Shares as they trade.
    EquityRealtime,
    /// Shares some minutes late.
    EquityDelayed,
    /// Shares after the close.
    EndOfDay,
    /// News first.
    News,
    /// Order books of a crypto venue.
    ExchangeBook,
    /// Prices gathered over decentralised venues.
    DexAggregator,
    /// Posts and counts.
    Social,
}

impl VendorClass {
    /// The word used in configuration and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            VendorClass::EquityRealtime => "equity_realtime",
            VendorClass::EquityDelayed => "equity_delayed",
            VendorClass::EndOfDay => "end_of_day",
            VendorClass::News => "news",
            VendorClass::ExchangeBook => "exchange_book",
            VendorClass::DexAggregator => "dex_aggregator",
            VendorClass::Social => "social",
        }
    }
}

/// Where a vendor expects its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySlot {
    /// Needs none.
    None,
    /// Query parameter of this name.
    Query(&'static str),
    /// Header of this name (lower case), after this prefix.
    Header(&'static str, &'static str),
}

impl KeySlot {
    /// Puts the key where the vendor expects it.
    pub fn fill(self, request: &mut HttpRequest, key: &str) {
        match self {
            KeySlot::None => {}
            KeySlot::Query(name) => {
                request.query.retain(|(n, _)| n != name);
                request.query.push((name.to_owned(), key.to_owned()));
            }
            KeySlot::Header(name, prefix) => {
                request.headers.retain(|(n, _)| n != name);
                request.headers.push((name.to_owned(), format!("{prefix}{key}")));
            }
        }
    }

    /// The key a request carries, if any.
    pub fn read(self, request: &HttpRequest) -> Option<&str> {
        match self {
            KeySlot::None => None,
            KeySlot::Query(name) => request.param(name),
            KeySlot::Header(name, prefix) => request.header(name)?.strip_prefix(prefix),
        }
        .filter(|key| !key.is_empty())
    }
}

/// Whether the vendor still exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In business.
    Active,
    /// Its official hosts no longer answer; a compatible host still may.
    Retired {
        /// Since when.
        since: Date,
        /// Which other vendor offers most of the same.
        replacement: &'static str,
    },
}

/// One thing a vendor offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Newest quotes.
    Quotes {
        /// Whether some endpoint gives bid and ask.
        bid_ask: bool,
        /// Whether they come with the day's volume.
        volume: bool,
        /// How many instruments one request may name.
        batch: usize,
    },
    /// Bars.
    Bars {
        /// Intervals the vendor itself has.
        intervals: &'static [Interval],
        /// Bases it can be asked for, the natural one first.
        adjustments: &'static [Adjustment],
    },
    /// Executions.
    Trades,
    /// Splits.
    Splits,
    /// Cash dividends.
    Dividends,
    /// News of a company.
    News,
    /// Search by words.
    Search,
    /// List of symbols.
    Symbols,
    /// Market status.
    MarketStatus,
}

/// What a vendor is.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// Stable id.
    pub id: VendorId,
    /// Other names accepted in configuration and queries.
    pub aliases: &'static [&'static str],
    /// Bundle of numbers to start from.
    pub class: VendorClass,
    /// Whether it still exists.
    pub status: Status,
    /// Official base URLs without trailing slash, preferred one first.
    pub base_urls: &'static [&'static str],
    /// Where the key goes.
    pub key: KeySlot,
    /// Environment variables that may hold the key, canonical one first; empty where none is needed.
    pub key_variables: &'static [&'static str],
    /// What it offers.
    pub offers: &'static [Offer],
    /// IANA zone in which its daily and monthly quotas reset.
    pub quota_zone: &'static str,
    /// Vendors with the same upstream feed name the same group and count as one voice.
    pub feed: &'static str,
}

impl Profile {
    /// Whether the vendor has a capability at all, whatever the plan.
    pub fn offers(&self, capability: Capability) -> bool {
        self.offers.iter().any(|offer| match (offer, capability) {
            (Offer::Quotes { .. }, Capability::Quote)
            | (Offer::Trades, Capability::Trades)
            | (Offer::Splits, Capability::Splits)
            | (Offer::Dividends, Capability::Dividends)
            | (Offer::News, Capability::News)
            | (Offer::Search, Capability::Search)
            | (Offer::Symbols, Capability::Symbols)
            | (Offer::MarketStatus, Capability::MarketStatus) => true,
            (Offer::Quotes { bid_ask, .. }, Capability::BidAsk) => *bid_ask,
            (Offer::Bars { intervals, .. }, Capability::Bars(interval)) => intervals.contains(&interval),
            _ => false,
        })
    }

    /// How many instruments one quote request may name; zero without quotes.
    pub fn quote_batch(&self) -> usize {
        self.offers
            .iter()
            .find_map(|offer| match offer {
                Offer::Quotes { batch, .. } => Some(*batch),
                _ => None,
            })
            .unwrap_or(0)
    }

    /// Whether its quotes come with the day's volume.
    pub fn quotes_volume(&self) -> bool {
        self.offers.iter().any(|offer| matches!(offer, Offer::Quotes { volume: true, .. }))
    }

    /// Bases its bars can be asked for, the natural one first.
    pub fn bar_adjustments(&self) -> &'static [Adjustment] {
        self.offers
            .iter()
            .find_map(|offer| match offer {
                Offer::Bars { adjustments, .. } => Some(*adjustments),
                _ => None,
            })
            .unwrap_or(&[])
    }
}
