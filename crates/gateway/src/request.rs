//! What a caller asks, and under which policy.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use domain::{Adjustment, Anchor, Currency, Instant, Price, VendorId};
use quality::Letter;
pub use resilience::Priority;
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

/// A consumer with a key: its place in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerId(pub u16);

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
    /// Currency in whose major unit prices are told; `None`: as the vendor tells them.
    pub currency: Option<Currency>,
    /// Only what was known at this moment.
    pub asof: Option<Instant>,
    /// Importance.
    pub priority: Priority,
    /// How long the caller takes a remembered answer for fresh, where that is longer than the answer's own
    /// time: the addresses of older systems (CCH-2).
    pub fresh_for: Option<Duration>,
    /// Who asks, where consumers have keys. Told by the key alone, never by a word.
    pub consumer: Option<ConsumerId>,
}

impl Policy {
    /// Greatest acceptable cost in millionths of a US dollar.
    pub fn max_cost_micros(&self) -> Option<u64> {
        self.max_cost.map(|most| most.to_micros().unwrap_or(u64::MAX))
    }
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

/// The policy words that differ from their defaults: `vendors=a,b stale=forbid`.
pub fn describe_policy(policy: &Policy) -> String {
    let mut words = Vec::new();
    let mut say = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            words.push(format!("{name}={value}"));
        }
    };
    let chain: Vec<&str> = policy.vendors.iter().map(|vendor| vendor.as_str()).collect();
    say("vendors", (!chain.is_empty()).then(|| chain.join(",")));
    say("failover", (policy.failover != Failover::default()).then(|| policy.failover.as_str().into()));
    say("strategy", policy.strategy.map(|s| s.as_str().into()));
    say("min_grade", policy.min_grade.map(|grade| grade.to_string()));
    say("max_age", policy.max_age.map(|age| format!("{}ms", age.as_millis())));
    say("max_cost", policy.max_cost.map(|cost| cost.to_string()));
    say("deadline", policy.deadline.map(|span| format!("{}ms", span.as_millis())));
    say("stale", (policy.stale != StaleAllowance::default()).then(|| policy.stale.as_str().into()));
    say("adjustment", policy.adjustment.map(|a| a.as_str().into()));
    say("anchor", policy.anchor.map(|a| a.as_str().into()));
    say("currency", policy.currency.map(|c| c.to_string()));
    say("asof", policy.asof.map(|at| at.to_string()));
    say("priority", (policy.priority != Priority::default()).then(|| priority_word(policy.priority).into()));
    words.join(" ")
}

/// The policy word of a priority.
pub const fn priority_word(priority: Priority) -> &'static str {
    match priority {
        Priority::Critical => "critical",
        Priority::High => "high",
        Priority::Normal => "normal",
        Priority::Low => "low",
        Priority::Batch => "batch",
    }
}
