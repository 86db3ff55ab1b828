//! Checked settings of the gateway: what `config` makes of text. They cannot be wrong.

use std::time::Duration;

use domain::{Adjustment, VendorId};
use resilience::{circuit_breaker, quota, sla};
use secrecy::SecretString;
use vendors::{Codec, Plan};

use crate::request::{Failover, Strategy};
use crate::service_levels::ServiceLevels;

/// All settings of the gateway.
pub struct Settings {
    /// Every vendor of `vendors::ALL`, switched on or not, in that order.
    pub upstreams: Vec<UpstreamSettings>,
    /// How vendors are chosen.
    pub routing: Routing,
    /// How long answers are kept in memory.
    pub cache: Caching,
    /// How long a request may take.
    pub deadlines: Deadlines,
    /// How grades are composed.
    pub grading: quality::grade::Settings,
    /// Which outer bounds give verdicts.
    pub bounds: quality::Bounds,
    /// What is promised of answers.
    pub service_levels: ServiceLevels,
}

/// Settings of one vendor.
pub struct UpstreamSettings {
    /// Its dialect.
    pub codec: &'static dyn Codec,
    /// Whether it may be used.
    pub enabled: bool,
    /// 1 primary, 2 secondary, 3 backup; 999 is disabled.
    pub priority: u32,
    /// Share of load among equals; 1 is usual.
    pub weight: f64,
    /// Where it is reached, first one first.
    pub base_url: String,
    /// Whether that is an official host of the vendor.
    pub official: bool,
    /// Its key; `None` where none is needed or none was given.
    pub key: Option<SecretString>,
    /// Plan in force.
    pub plan: Plan,
    /// How permits are spaced.
    pub pace: quota::Pace,
    /// Bound of one attempt.
    pub timeout: Duration,
    /// Numbers of its breaker.
    pub breaker: circuit_breaker::Settings,
    /// What is promised of it.
    pub sla: sla::Thresholds,
    /// What its bars are adjusted for, where the operator knows better than the dialect. `Unknown` makes
    /// its bars unfit for conversion.
    pub adjustment: Option<Adjustment>,
    /// Whether the operator declares it a simulation or sandbox.
    pub simulated: bool,
}

impl UpstreamSettings {
    /// Which vendor.
    pub fn vendor(&self) -> VendorId {
        self.codec.profile().id
    }

    /// The environment variable that would hold the missing key, if a key is needed and missing.
    pub fn missing_key(&self) -> Option<&'static str> {
        let variable = *self.codec.profile().key_variables.first()?;
        self.key.is_none().then_some(variable)
    }

    /// Whether it is retired: its official hosts are closed and no other was configured.
    pub fn is_retired(&self) -> bool {
        self.official && matches!(self.codec.profile().status, vendors::Status::Retired { .. })
    }
}

/// How vendors are chosen.
#[derive(Clone, Debug)]
pub struct Routing {
    /// Order of vendors unless the caller says otherwise.
    pub strategy: Strategy,
    /// Who may stand in unless the caller says otherwise.
    pub failover: Failover,
    /// Whether spare quota may buy second opinions on quotes.
    pub cross_check: bool,
    /// At most so many pages per question (SRC-13).
    pub page_budget: u32,
    /// Weights of the score.
    pub weights: ScoreWeights,
}

impl Default for Routing {
    fn default() -> Routing {
        Routing {
            strategy: Strategy::default(),
            failover: Failover::default(),
            cross_check: true,
            page_budget: 20,
            weights: ScoreWeights::default(),
        }
    }
}

/// Weights of a vendor's score; each factor lies in `[0, 1]`.
#[derive(Clone, Copy, Debug)]
pub struct ScoreWeights {
    /// Graded quality of what it delivered.
    pub quality: f64,
    /// Lower bound of its success rate.
    pub reliability: f64,
    /// Freshness its plan promises, where the question is live.
    pub freshness: f64,
    /// Speed.
    pub latency: f64,
    /// Quota left for the time left.
    pub headroom: f64,
    /// Price.
    pub cost: f64,
    /// Requests in flight.
    pub load: f64,
}

impl Default for ScoreWeights {
    /// Quality, freshness and reliability outweigh speed, speed outweighs thrift.
    fn default() -> ScoreWeights {
        ScoreWeights {
            quality: 0.30,
            reliability: 0.20,
            freshness: 0.25,
            latency: 0.10,
            headroom: 0.08,
            cost: 0.04,
            load: 0.03,
        }
    }
}

/// How long answers are kept in memory (CCH-2).
#[derive(Clone, Debug)]
pub struct Caching {
    /// Latest quotes.
    pub quote: Duration,
    /// Latest quotes of a real-time vendor, jitter included.
    pub quote_realtime: Duration,
    /// Bars and trades.
    pub history: Duration,
    /// Actions, symbols, news lists.
    pub reference: Duration,
    /// Unknown symbols.
    pub negative: Duration,
    /// Memory for answers, in bytes.
    pub max_bytes: u64,
}

impl Default for Caching {
    fn default() -> Caching {
        Caching {
            quote: Duration::from_secs(10),
            quote_realtime: Duration::from_secs(4),
            history: Duration::from_secs(300),
            reference: Duration::from_secs(3600),
            negative: Duration::from_secs(600),
            max_bytes: 64 << 20,
        }
    }
}

/// How long a request may take unless its caller says otherwise (RTE-4).
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Quotes.
    pub quote: Duration,
    /// Everything else a caller waits for.
    pub bars: Duration,
    /// Background work.
    pub background: Duration,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        Deadlines {
            quote: Duration::from_secs(2),
            bars: Duration::from_secs(5),
            background: Duration::from_secs(30),
        }
    }
}
