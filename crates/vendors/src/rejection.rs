//! Why a vendor gave no data.

use std::time::Duration;

use domain::Instant;

/// The span a limit counts over, as far as a vendor's reply tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// A day by the vendor's zone.
    Day,
    /// A month by the vendor's zone.
    Month,
}

/// Why a vendor gave no data (SRC-7). Facts, not sentences: code asks the variant, never a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejection {
    /// The vendor does not know the symbol.
    #[error("symbol is unknown to the vendor")]
    UnknownSymbol,
    /// Too many requests in a window of seconds to an hour.
    #[error("vendor limits the rate")]
    RateLimited {
        /// Wait the vendor asks for.
        retry_after: Option<Duration>,
        /// Window that is full, if the reply tells.
        window: Option<Window>,
    },
    /// The quota of a day, a month, or the credit is used up.
    #[error("quota is spent")]
    QuotaSpent {
        /// Window that is used up, if the reply tells.
        window: Option<Window>,
        /// When it is there again, if the reply tells.
        resets: Option<Instant>,
    },
    /// The key is missing or wrong, or a session (cookie, crumb) is no longer good.
    #[error("vendor does not accept the key")]
    Unauthorized,
    /// The plan does not include this.
    #[error("plan does not include this")]
    NotEntitled,
    /// The symbol is known; nothing lies in the range.
    #[error("no data in range")]
    NoData,
    /// The vendor does not offer this, or the payload is of a kind we have no word for.
    #[error("vendor does not offer this")]
    Unsupported,
    /// The vendor finds fault with the request itself.
    #[error("vendor finds the request malformed")]
    CallersMistake,
    /// The address or account is banned: not one more call until then.
    #[error("vendor has banned this address")]
    Banned {
        /// End of the ban, if the reply tells.
        until: Option<Instant>,
    },
    /// The vendor fails, or puts a wall (bot check, consent page) before its data.
    #[error("vendor fails with status {status}")]
    VendorFault {
        /// HTTP status.
        status: u16,
    },
    /// The reply cannot be read: cut off, not the format, a required field gone.
    #[error("reply cannot be read: {expected}")]
    Unreadable {
        /// What was expected and missing.
        expected: &'static str,
    },
}

/// Who must change for the request to succeed: decides failover, and what the breaker counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The vendor.
    Vendor,
    /// The caller.
    Caller,
    /// Our key, plan, limits or network.
    Ourselves,
}

impl Rejection {
    /// The stable word of the class, in snake case.
    pub const fn class(&self) -> &'static str {
        match self {
            Rejection::UnknownSymbol => "unknown_symbol",
            Rejection::RateLimited { .. } => "rate_limited",
            Rejection::QuotaSpent { .. } => "quota_spent",
            Rejection::Unauthorized => "unauthorized",
            Rejection::NotEntitled => "not_entitled",
            Rejection::NoData => "no_data",
            Rejection::Unsupported => "unsupported",
            Rejection::CallersMistake => "callers_mistake",
            Rejection::Banned { .. } => "banned",
            Rejection::VendorFault { .. } => "vendor_fault",
            Rejection::Unreadable { .. } => "unreadable",
        }
    }

    /// Who must change.
    pub const fn blame(&self) -> Blame {
        match self {
            Rejection::VendorFault { .. } | Rejection::Unreadable { .. } => Blame::Vendor,
            Rejection::UnknownSymbol | Rejection::NoData | Rejection::CallersMistake => Blame::Caller,
            Rejection::RateLimited { .. }
            | Rejection::QuotaSpent { .. }
            | Rejection::Unauthorized
            | Rejection::NotEntitled
            | Rejection::Unsupported
            | Rejection::Banned { .. } => Blame::Ourselves,
        }
    }

    /// A rate limit of which the reply tells nothing more.
    pub const fn rate_limited() -> Rejection {
        Rejection::RateLimited { retry_after: None, window: None }
    }

    /// An unreadable reply.
    pub const fn unreadable(expected: &'static str) -> Rejection {
        Rejection::Unreadable { expected }
    }
}
