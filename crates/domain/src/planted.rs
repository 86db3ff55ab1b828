//! Bugs on purpose, to see that the simulation finds them (docs/decisions/2026-11-20-planted-bugs.md).
//!
//! Only under the feature `planted`, which nothing but a trial of the simulator turns on. Without it
//! [`planted!`](crate::planted!) is the word `false`, and none of this is compiled.

use std::cell::Cell;

/// Declares the bugs, each with what it does to the gateway.
macro_rules! bugs {
    ($($(#[doc = $what:literal])+ $name:ident,)+) => {
        /// A bug that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug {
            $($(#[doc = $what])+ $name,)+
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Bug] = &[$(Bug::$name,)+];
        }
    };
}

bugs! {
    /// A refusal is counted as if it were a grant.
    RefusalCounts,
    /// One more fits into a sliding window than the plan says.
    WindowOffByOne,
    /// A grant is used before it is durable, so that a crash forgets it.
    PermitNotWritten,
    /// A new process begins with nothing used.
    FreshQuotaAfterRestart,
    /// What was used ages by the difference of two clock readings.
    ClockStepFreesQuota,
    /// A caller who stops waiting keeps the place at the head of the line.
    LineKeptByWaiter,
    /// A permit goes back although its call was sent.
    SentPermitReturned,
    /// A vendor's refusal for its rate teaches nothing.
    TooManyRequestsIgnored,
    /// Half-open lets everybody through.
    HalfOpenAdmitsAll,
    /// An open breaker stays open.
    OpenNeverEnds,
    /// No number of failures opens a breaker.
    BreakerNeverOpens,
    /// A probe that is abandoned keeps its place.
    ProbePlaceLeaked,
    /// A symbol that nobody knows counts as a failure.
    UnknownSymbolBlamed,
    /// A caller in a hurry makes a vendor look dead.
    HurryBlamed,
    /// The first vendor is asked again after all others.
    FailoverRepeatsVendor,
    /// The first failure ends the walk.
    FailureEndsWalk,
    /// A silent vendor is waited for alone.
    NoHedge,
    /// The caller's list is not looked at.
    UnlistedVendorAsked,
    /// What is past its time is served as fresh.
    StaleUnmarked,
    /// Stale answers are served to those who forbid them.
    StaleDespiteForbid,
    /// An answer is graded for the time it came, whenever it is served.
    AgeFrozen,
    /// The age a caller accepts is not looked at.
    MaxAgeIgnored,
    /// Whoever joins a flight gets nothing of it.
    FollowerDropped,
    /// Whoever joins a flight waits for it beyond the own deadline.
    FollowerOutlivesDeadline,
    /// Everybody flies alone.
    EverybodyFliesAlone,
    /// The key of an answer holds two letters of the symbol.
    KeyCutShort,
    /// A budget that is spent stops nobody.
    BudgetIgnored,
    /// No cost is written down.
    CostNotCounted,
    /// An answer does not say that it is simulated.
    SimulatedDropped,
    /// What validation saw is lost.
    FindingsLost,
    /// Prices are kept to a tenth.
    PriceRounded,
    /// Any failure makes a symbol unknown for a while.
    FailureRemembered,
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Plants a bug in everything this thread runs, in place of another one; `None` for none.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether a bug is planted.
pub fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}
