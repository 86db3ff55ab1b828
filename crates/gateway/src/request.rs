//! What a caller asks, and under which policy.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use domain::{Adjustment, Anchor, Instant, Price, VendorId};
use quality::Letter;
use vendors::Question;

/// Id of a request: ours, or the caller's own text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub Arc<str>);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How much a request matters when something is scarce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// First.
    Critical,
    /// Before normal.
    High,
    /// The default.
    #[default]
    Normal,
    /// May wait.
    Low,
    /// Background work.
    Batch,
}

impl Priority {
    /// All, first to last.
    pub const ALL: [Priority; 5] =
        [Priority::Critical, Priority::High, Priority::Normal, Priority::Low, Priority::Batch];

    /// The policy word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Priority::Critical => "critical",
            Priority::High => "high",
            Priority::Normal => "normal",
            Priority::Low => "low",
            Priority::Batch => "batch",
        }
    }
}

/// How vendors are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Strategy {
    /// Spread over those within 10 % of the best, by weight and headroom.
    #[default]
    WeightedRoundRobin,
    /// Highest score first.
    Best,
    /// Lowest latency first.
    Fastest,
    /// Lowest marginal cost first.
    Cheapest,
    /// Configured priority first.
    Priority,
    /// Several at once, the agreed value wins.
    Consensus,
}

impl Strategy {
    /// All strategies.
    pub const ALL: [Strategy; 6] = [
        Strategy::WeightedRoundRobin,
        Strategy::Best,
        Strategy::Fastest,
        Strategy::Cheapest,
        Strategy::Priority,
        Strategy::Consensus,
    ];

    /// The policy word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Strategy::WeightedRoundRobin => "weighted_round_robin",
            Strategy::Best => "best",
            Strategy::Fastest => "fastest",
            Strategy::Cheapest => "cheapest",
            Strategy::Priority => "priority",
            Strategy::Consensus => "consensus",
        }
    }
}

/// Which vendors may stand in when one fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Failover {
    /// None: the first vendor answers or nobody.
    None,
    /// Those the caller listed, else those the configuration enables.
    #[default]
    Listed,
    /// Every enabled vendor, listed or not.
    Any,
}

impl Failover {
    /// All values.
    pub const ALL: [Failover; 3] = [Failover::None, Failover::Listed, Failover::Any];

    /// The policy word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Failover::None => "none",
            Failover::Listed => "listed",
            Failover::Any => "any",
        }
    }
}

/// Whether a stale value may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum StaleAllowance {
    /// Never.
    Forbid,
    /// When no vendor answers.
    #[default]
    IfError,
    /// At once, refreshed behind.
    Allow,
}

impl StaleAllowance {
    /// All values.
    pub const ALL: [StaleAllowance; 3] =
        [StaleAllowance::Forbid, StaleAllowance::IfError, StaleAllowance::Allow];

    /// The policy word.
    pub const fn as_str(self) -> &'static str {
        match self {
            StaleAllowance::Forbid => "forbid",
            StaleAllowance::IfError => "if_error",
            StaleAllowance::Allow => "allow",
        }
    }
}

/// The caller's conditions, in the same words everywhere (API-2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Policy {
    /// Exact chain, in order; empty: the configuration decides. `vendor=` is a chain of one.
    pub vendors: Vec<VendorId>,
    /// Whether others may stand in.
    pub failover: Failover,
    /// Order of vendors; `None`: as configured.
    pub strategy: Option<Strategy>,
    /// Worst acceptable letter.
    pub min_grade: Option<Letter>,
    /// Greatest acceptable age.
    pub max_age: Option<Duration>,
    /// Greatest acceptable cost of this request in US dollars.
    pub max_cost: Option<Price>,
    /// Time the caller is willing to wait; `None`: by the kind of question (RTE-4).
    pub deadline: Option<Duration>,
    /// Whether a stale value will do.
    pub stale: StaleAllowance,
    /// Restatement of bars; `None`: split.
    pub adjustment: Option<Adjustment>,
    /// Stamping side of bars; `None`: open.
    pub anchor: Option<Anchor>,
    /// Only what was known at this moment.
    pub asof: Option<Instant>,
    /// Importance.
    pub priority: Priority,
}

/// One question of one caller.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// The question, about one instrument at most.
    pub question: Question,
    /// The conditions.
    pub policy: Policy,
    /// When it reached us.
    pub received_at: Instant,
}
