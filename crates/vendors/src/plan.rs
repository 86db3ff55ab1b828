//! A vendor's plans: limits, entitlements, delay and price, as data with the date they were verified.

use std::fmt;
use std::time::Duration;

use domain::{Date, Delivery};

use crate::{Capability, Tariff, Window};

/// At most so many requests per window, each counted by its [weight](crate::Codec::weight).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many.
    pub count: u32,
    /// Per what.
    pub per: Per,
}

/// At most so much money per window, whatever the number of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpendLimit {
    /// In millionths of a US dollar.
    pub micros: u64,
    /// Per what.
    pub per: Per,
}

/// The window of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// Any span of this length (seconds to hours).
    Sliding(Duration),
    /// Calendar day in the vendor's zone.
    Day,
    /// Calendar month in the vendor's zone.
    Month,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.per {
            Per::Sliding(length) if length == Duration::from_secs(1) => "second".to_owned(),
            Per::Sliding(length) if length == Duration::from_secs(60) => "minute".to_owned(),
            Per::Sliding(length) if length == Duration::from_secs(3_600) => "hour".to_owned(),
            Per::Sliding(length) => format!("{} s", length.as_secs()),
            Per::Day => "day".to_owned(),
            Per::Month => "month".to_owned(),
        };
        write!(f, "{} a {word}", self.count)
    }
}

impl Per {
    /// The kind of window a vendor's refusal would name.
    pub fn window(self) -> Window {
        match self {
            Per::Sliding(length) if length <= Duration::from_secs(1) => Window::Second,
            Per::Sliding(_) => Window::Minute,
            Per::Day => Window::Day,
            Per::Month => Window::Month,
        }
    }
}

/// One plan of one vendor.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Its name: `free`, `premium`.
    pub name: String,
    /// When these facts were last checked against the vendor's own pages.
    pub verified_on: Date,
    /// All limits; all hold at once. Empty means unlimited.
    pub limits: Vec<Limit>,
    /// Limits of money; these hold too.
    pub spend: Vec<SpendLimit>,
    /// Capabilities the plan includes.
    pub entitlements: Vec<Capability>,
    /// Freshness of quotes and newest bars.
    pub delivery: Delivery,
    /// Oldest history it serves, counted back from today; `None` is all.
    pub history: Option<Duration>,
    /// Price of one [unit](crate::price::Unit), in millionths of a US dollar; of a plan in real time, with the
    /// surcharge for it.
    pub request_micros: u64,
    /// Price a month in US dollars.
    pub monthly_usd: u32,
    /// How it charges, besides.
    pub tariff: Tariff,
}

impl Plan {
    /// Whether the plan includes a capability.
    pub fn includes(&self, capability: Capability) -> bool {
        self.entitlements.contains(&capability)
    }
}
