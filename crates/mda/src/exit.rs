//! Exit codes, one per class of failure, so that a script can tell them apart.

use crate::client::Refused;

/// Done.
pub(crate) const OK: u8 = 0;
/// Our own bug, or the machine's.
pub(crate) const INTERNAL: u8 = 1;
// 2 is clap's: the command line cannot be read.
/// The configuration is wrong, or a file cannot be read.
pub(crate) const CONFIGURATION: u8 = 3;
/// The request is malformed, or nobody offers it (400, 413, 422).
pub(crate) const BAD_REQUEST: u8 = 4;
/// There is no such symbol, vendor or request (404).
pub(crate) const NOT_FOUND: u8 = 5;
/// A constraint cannot be met (409).
pub(crate) const CONSTRAINT: u8 = 6;
/// A quota or budget is spent, or no vendor can be asked (429, 503).
pub(crate) const UNAVAILABLE: u8 = 7;
/// Vendors failed (502).
pub(crate) const UPSTREAM: u8 = 8;
/// The deadline passed (504).
pub(crate) const DEADLINE: u8 = 9;
/// No server answers.
pub(crate) const NO_SERVER: u8 = 10;
/// A payload was rejected (`mda decode`).
pub(crate) const REJECTED: u8 = 11;

/// A failure whose code is known where it arises.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Failed {
    /// One of the codes above.
    pub code: u8,
    /// What is wrong, and what would be right.
    pub what: String,
}

/// A request that cannot be read.
pub(crate) fn malformed(what: impl Into<String>) -> Failed {
    Failed { code: BAD_REQUEST, what: what.into() }
}

/// A vendor nobody knows.
pub(crate) fn no_vendor(name: &str) -> Failed {
    let known: Vec<&str> = vendors::ALL.iter().map(|codec| codec.profile().id.as_str()).collect();
    Failed { code: NOT_FOUND, what: format!("`{name}` is no vendor; there are {}", known.join(", ")) }
}

/// The code for an HTTP status.
pub(crate) fn of_status(status: u16) -> u8 {
    match status {
        200..=299 => OK,
        404 => NOT_FOUND,
        409 => CONSTRAINT,
        429 | 503 => UNAVAILABLE,
        502 => UPSTREAM,
        504 => DEADLINE,
        400..=499 => BAD_REQUEST,
        _ => INTERNAL,
    }
}

/// The code for an error.
pub(crate) fn of(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<config::Problems>().is_some() {
        CONFIGURATION
    } else if error.downcast_ref::<Refused>().is_some() {
        NO_SERVER
    } else if let Some(failed) = error.downcast_ref::<Failed>() {
        failed.code
    } else {
        INTERNAL
    }
}
