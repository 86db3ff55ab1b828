//! What comes of a call.

use std::time::Duration;

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The function was called for it.
    Called,
    /// From the cache, inside its time.
    Cached,
    /// From the cache, past its time, because nothing better was to be had.
    Stale,
}

/// A value, and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<V, E> {
    /// The value.
    pub value: V,
    /// Where it came from.
    pub origin: Origin,
    /// Time since the call that gave it was begun.
    pub age: Duration,
    /// How often the function was called for it, failures included.
    pub attempts: u32,
    /// What went wrong last, if anything did: before a retry succeeded, or why the value is stale.
    pub last_error: Option<Error<E>>,
}

/// Why a call gave nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error<E> {
    /// The circuit breaker refused it.
    #[error("the circuit breaker refuses calls for {retry_in:?}")]
    Refused {
        /// When asking again makes sense.
        retry_in: Duration,
    },
    /// The limit refused it, or whoever is called asked for a wait.
    #[error("the limit is reached for {retry_in:?}")]
    Limited {
        /// When asking again makes sense.
        retry_in: Duration,
    },
    /// It did not end in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// It ended with an error.
    #[error("the call failed")]
    Failed(#[source] E),
}

/// No value, and how that came about.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("no answer after {attempts} attempts")]
pub struct Unanswered<E> {
    /// What went wrong last; of a call that failed and was then refused, the failure.
    #[source]
    pub error: Error<E>,
    /// How often the function was called.
    pub attempts: u32,
}

/// What an error says about whoever was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A failure that may pass: it counts, and is retried.
    Transient,
    /// A failure that will not pass by trying again: it counts, and is not retried.
    Lasting,
    /// The caller's own mistake, or an honest "there is no such thing": whoever was called did its work. Counts as
    /// a success, and is not retried.
    NotTheirs,
    /// Whoever was called asks not to be called for a while. Counts neither way, and nothing is called before.
    Wait(Duration),
}
