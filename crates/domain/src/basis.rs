//! What a number means: adjustment, currency and unit, session, anchor, delivery class.

use std::fmt;
use std::time::Duration;

use crate::{Currency, Price, Ratio, number::Decimal};

/// How a series was restated for corporate actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Adjustment {
    /// As traded.
    Raw,
    /// For splits only, restated to the newest share count.
    Split,
    /// For cash dividends only.
    Dividend,
    /// For splits and cash dividends.
    All,
    /// The vendor does not say. Never converted and never mixed with a known one.
    Unknown,
}

impl Adjustment {
    /// All that a caller may ask for.
    pub const ASKABLE: [Adjustment; 4] =
        [Adjustment::Raw, Adjustment::Split, Adjustment::Dividend, Adjustment::All];

    /// The word used in queries and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Adjustment::Raw => "raw",
            Adjustment::Split => "split",
            Adjustment::Dividend => "dividend",
            Adjustment::All => "all",
            Adjustment::Unknown => "unknown",
        }
    }

    /// Reads the word of a query or a stored row.
    pub fn parse(text: &str) -> Option<Adjustment> {
        Adjustment::ASKABLE.into_iter().chain([Adjustment::Unknown]).find(|a| a.as_str() == text)
    }

    /// Whether splits are restated; `None` if unknown.
    pub const fn covers_splits(self) -> Option<bool> {
        match self {
            Adjustment::Raw | Adjustment::Dividend => Some(false),
            Adjustment::Split | Adjustment::All => Some(true),
            Adjustment::Unknown => None,
        }
    }

    /// Whether cash dividends are restated; `None` if unknown.
    pub const fn covers_dividends(self) -> Option<bool> {
        match self {
            Adjustment::Raw | Adjustment::Split => Some(false),
            Adjustment::Dividend | Adjustment::All => Some(true),
            Adjustment::Unknown => None,
        }
    }
}

impl fmt::Display for Adjustment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which unit of the currency a price counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Pounds, dollars.
    Major,
    /// Hundredths: pence (`GBp`, `GBX`), agorot (`ILA`), South African cents (`ZAc`).
    Minor,
}

impl Unit {
    /// The word used in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Unit::Major => "major",
            Unit::Minor => "minor",
        }
    }
}

/// Currency and unit of a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Denomination {
    /// The currency.
    pub currency: Currency,
    /// Whether prices count in it or in hundredths of it.
    pub unit: Unit,
}

impl Denomination {
    /// United States dollars.
    pub const USD: Denomination = Denomination { currency: Currency::USD, unit: Unit::Major };

    /// Reads a vendor's currency code, the codes for hundredths included: `GBp`, `GBX`, `ILA`, `ZAc`.
    /// Case matters for those that differ by it.
    pub fn parse(code: &str) -> Option<Denomination> {
        let minor = |text| Some(Denomination { currency: Currency::new(text)?, unit: Unit::Minor });
        match code {
            "GBp" | "GBX" => minor("GBP"),
            "ILA" | "ILa" => minor("ILS"),
            "ZAc" | "ZAC" => minor("ZAR"),
            _ => Some(Denomination { currency: Currency::new(code)?, unit: Unit::Major }),
        }
    }

    /// A price of this denomination in the major unit. Exact.
    pub fn to_major(self, price: Price) -> Price {
        match self.unit {
            Unit::Major => price,
            Unit::Minor => price * Ratio::new(Decimal::new(1, 2)),
        }
    }
}

/// Which part of the day a bar or quote covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Session {
    /// The venue's regular hours.
    Regular,
    /// Regular hours with pre-market and after-hours trading.
    Extended,
}

impl Session {
    /// The word used in queries and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Session::Regular => "regular",
            Session::Extended => "extended",
        }
    }

    /// Reads the word of a query.
    pub fn parse(text: &str) -> Option<Session> {
        [Session::Regular, Session::Extended].into_iter().find(|s| s.as_str() == text)
    }
}

/// Which end of its window stamps a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Anchor {
    /// The start of the window. Everything inside the gateway is stamped so.
    Open,
    /// The end of the window, only on request.
    Close,
}

impl Anchor {
    /// The word used in queries and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Anchor::Open => "open",
            Anchor::Close => "close",
        }
    }

    /// Reads the word of a query.
    pub fn parse(text: &str) -> Option<Anchor> {
        [Anchor::Open, Anchor::Close].into_iter().find(|a| a.as_str() == text)
    }
}

/// What freshness a vendor promises for a kind of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// As it happens.
    RealTime,
    /// Later by a stated time, for example 15 minutes.
    Delayed(Duration),
    /// After the session's close.
    EndOfDay,
}

impl Delivery {
    /// The word used in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Delivery::RealTime => "real_time",
            Delivery::Delayed(_) => "delayed",
            Delivery::EndOfDay => "end_of_day",
        }
    }

    /// The promised delay: zero in real time, none stated for end of day.
    pub const fn declared_delay(self) -> Option<Duration> {
        match self {
            Delivery::RealTime => Some(Duration::ZERO),
            Delivery::Delayed(delay) => Some(delay),
            Delivery::EndOfDay => None,
        }
    }
}

/// What the numbers of one answer mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis {
    /// Restatement for corporate actions.
    pub adjustment: Adjustment,
    /// Currency and unit; `None` if the vendor does not say and no record of the instrument does.
    pub denomination: Option<Denomination>,
    /// Hours covered.
    pub session: Session,
    /// Stamping side.
    pub anchor: Anchor,
}
