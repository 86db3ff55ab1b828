//! What a breaker says, and what it is told.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use domain::Instant;

/// What a breaker does with calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// All pass.
    Closed,
    /// A share passes, and what comes back is graded B at most.
    Degraded,
    /// None passes before `until`; the next one after it is a probe.
    Open {
        /// End of the wait.
        until: Instant,
    },
    /// One probe at a time passes.
    HalfOpen,
    /// None passes before `until`, which was planned or ordered; nobody is alerted.
    Maintenance {
        /// End, from which on a probe passes; [`Instant::MAX`] if it has to be ended by hand.
        until: Instant,
        /// Why.
        reason: Reason,
    },
}

impl State {
    /// One word: `closed`, `degraded`, `open`, `half_open`, `maintenance`.
    pub fn as_str(&self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Degraded => "degraded",
            State::Open { .. } => "open",
            State::HalfOpen => "half_open",
            State::Maintenance { .. } => "maintenance",
        }
    }
}

/// Why a breaker changed its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Too many calls of the window failed.
    Failures,
    /// Too many calls in a row failed.
    FailuresInARow,
    /// Too many calls of the window were slow.
    SlowCalls,
    /// Three good reviews in a row.
    Recovered,
    /// The wait, or the maintenance, is over.
    WaitOver,
    /// One probe failed.
    ProbeFailed,
    /// Enough probes succeeded.
    ProbesSucceeded,
    /// The vendor named a time before which it will not answer: spent quota, a ban, a wait.
    VendorsWord,
    /// The vendor does not accept the key.
    BadCredentials,
    /// An operator's order.
    Ordered,
    /// At least half of at least four endpoints in use are open.
    Endpoints,
    /// Nearly all vendors failed at once: the fault was ours.
    OurFault,
    /// Announced work at the vendor or with us, in the words of whoever planned it.
    Planned(Arc<str>),
}

/// A fact for metrics, alerts and memory: the state has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Before.
    pub from: State,
    /// After.
    pub to: State,
    /// When.
    pub at: Instant,
    /// Why.
    pub reason: Reason,
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {} at {}: {:?}", self.from.as_str(), self.to.as_str(), self.at, self.reason)
    }
}

/// What kind of failure a call ended with (BRK-8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// No answer in time.
    Timeout,
    /// 5xx.
    Server,
    /// No connection, or one that broke.
    Connection,
    /// The key or session was refused.
    Auth,
    /// Not known.
    Unknown,
    /// Any other HTTP failure.
    Http,
    /// An answer that cannot be read, or that contradicts itself.
    Data,
    /// Not the vendor's fault: unknown symbol, the caller's mistake, a rate limit, our own cancellation.
    NotCounted,
}

impl Failure {
    /// How much it counts, in `[0, 1]`. Applied here and nowhere else.
    pub const fn weight(self) -> f64 {
        self.weight_thousandths() as f64 / 1_000.0
    }

    pub(super) const fn weight_thousandths(self) -> u64 {
        match self {
            Failure::Timeout | Failure::Server => 1_000,
            Failure::Connection => 900,
            Failure::Auth | Failure::Unknown => 800,
            Failure::Http => 700,
            Failure::Data => 600,
            Failure::NotCounted => 0,
        }
    }
}

/// How an admitted call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The vendor answered as it should.
    Succeeded {
        /// Time from sending to the end of the reply; our own waiting is not in it.
        took: Duration,
    },
    /// It did not.
    Failed(Failure),
}
