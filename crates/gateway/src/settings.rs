//! Checked settings of the gateway: what `config` makes of text. They cannot be wrong.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use domain::{Adjustment, VendorId};
use resilience::freshness::Adapts;
use resilience::{budget, circuit_breaker, quota, sla};
use secrecy::SecretString;
use vendors::{Codec, Plan};

use crate::budget::Part;
use crate::maintenance::Maintenance;
use crate::request::{Failover, Strategy};
use crate::service_levels::ServiceLevels;
use resilience::rate::Eagerness;

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
    /// Who waits for a vendor, and how many at once.
    pub schedule: Schedule,
    /// How grades are composed.
    pub grading: quality::grade::Settings,
    /// Which outer bounds give verdicts.
    pub bounds: quality::Bounds,
    /// What is promised of answers.
    pub service_levels: ServiceLevels,
    /// What may be spent, and by whom.
    pub spending: Spending,
}

/// What may be spent, and by whom (CST-3, LIM-11).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spending {
    /// On everything together.
    pub overall: budget::Limits,
    /// On a vendor; one that is not listed has the usual budget.
    pub vendors: Vec<(VendorId, budget::Limits)>,
    /// Those who may ask, by their keys; empty: anyone may.
    pub consumers: Vec<Consumer>,
}

/// Someone who may ask.
#[derive(Clone, PartialEq)]
pub struct Consumer {
    /// Its name, in the ledger and in events.
    pub name: Arc<str>,
    /// SHA-256 of its key. The key itself is kept nowhere.
    pub key_sha256: [u8; 32],
    /// Requests a minute.
    pub per_minute: u32,
    /// What may be spent for it.
    pub budget: budget::Limits,
}

impl fmt::Debug for Consumer {
    /// Without the hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Consumer({}, {}/min, {:?})", self.name, self.per_minute, self.budget)
    }
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
    /// How it is operated.
    pub operation: Operation,
}

/// How a vendor is operated.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Further hosts that speak for it, besides `base_url` (RTE-3).
    pub further_urls: Vec<String>,
    /// Announced work (BRK-7).
    pub maintenance: Vec<Maintenance>,
    /// Whether its breaker's numbers follow its own baseline (BRK-9).
    pub adapts: bool,
}

impl Default for Operation {
    /// One host, nothing announced, numbers that adapt.
    fn default() -> Operation {
        Operation { further_urls: Vec::new(), maintenance: Vec::new(), adapts: true }
    }
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

/// Which answers give way when memory is full, and whether their times follow experience (CCH-3, CCH-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Eviction {
    /// What is asked for often stays (W-TinyLFU); times follow experience.
    #[default]
    Adaptive,
    /// What is asked for often stays (W-TinyLFU); fixed times.
    Lfu,
    /// What was asked for last stays; times follow experience.
    Lru,
    /// What was asked for last stays; fixed times.
    Ttl,
}

impl Eviction {
    /// All strategies.
    pub const ALL: [Eviction; 4] = [Eviction::Adaptive, Eviction::Lfu, Eviction::Lru, Eviction::Ttl];

    /// The word of the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Eviction::Adaptive => "adaptive",
            Eviction::Lfu => "lfu",
            Eviction::Lru => "lru",
            Eviction::Ttl => "ttl",
        }
    }
}

/// How answers are kept in memory (CCH-2, CCH-3, CCH-4, CCH-6).
#[derive(Clone, Debug)]
pub struct Caching {
    /// Which answers give way, and whether times follow experience.
    pub strategy: Eviction,
    /// What times follow, where they follow anything.
    pub adaptive_ttl: Adapts,
    /// Latest quotes that come with a delay.
    pub quote: Duration,
    /// Latest quotes of a real-time vendor, jitter included.
    pub quote_realtime: Duration,
    /// Prices on the addresses of older systems.
    pub compatibility_price: Duration,
    /// Bars, trades and news.
    pub history: Duration,
    /// What is built from finer bars.
    pub aggregates: Duration,
    /// Actions and symbols.
    pub reference: Duration,
    /// Whether markets are open.
    pub status: Duration,
    /// Unknown symbols.
    pub negative: Duration,
    /// Answers at most.
    pub max_entries: u64,
    /// Memory for answers, in bytes: at most half of `memory_bytes`.
    pub max_bytes: u64,
    /// Share of the memory for answers that one newcomer may push out.
    pub eviction_share: f64,
    /// Whether answers that are asked for are fetched anew before they end.
    pub refresh_ahead: bool,
    /// Whether questions that come at regular times are asked before they come, in spare quota.
    pub prefetch: bool,
    /// Symbols whose quotes are fetched at the start, in spare quota.
    pub warm_up: Vec<String>,
    /// How many of the symbols that were asked for most are fetched at the start, in spare quota.
    pub warm_up_remembered: u32,
    /// The budget of everything held in memory, answers among it, in bytes.
    pub memory_bytes: u64,
}

impl Default for Caching {
    fn default() -> Caching {
        Caching {
            strategy: Eviction::default(),
            adaptive_ttl: Adapts::default(),
            quote: Duration::from_secs(10),
            quote_realtime: Duration::from_secs(4),
            compatibility_price: Duration::from_secs(30),
            history: Duration::from_secs(300),
            aggregates: Duration::from_secs(600),
            reference: Duration::from_secs(3600),
            status: Duration::from_secs(30),
            negative: Duration::from_secs(600),
            max_entries: 10_000,
            max_bytes: Part::Answers.of(256 << 20),
            eviction_share: 0.1,
            refresh_ahead: true,
            prefetch: true,
            warm_up: Vec::new(),
            warm_up_remembered: 20,
            memory_bytes: 256 << 20,
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

/// Who waits for a vendor, and how many are asked at once (SCH-1 to SCH-8, LIM-7, LIM-9).
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Requests in flight at one vendor at most; fewer while it is slow.
    pub in_flight: u32,
    /// Requests that may wait for one vendor.
    pub longest_line: usize,
    /// Whether a quota that is likely to run out is kept for what matters most.
    pub forecast: bool,
    /// How large the steps are in which a vendor's rate is learned.
    pub eagerness: Eagerness,
    /// How questions about single symbols are put into one request.
    pub batching: Batching,
}

impl Default for Schedule {
    fn default() -> Schedule {
        Schedule {
            in_flight: 10,
            longest_line: 1_000,
            forecast: true,
            eagerness: Eagerness::default(),
            batching: Batching::default(),
        }
    }
}

/// When a batch closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum BatchMode {
    /// At its size, after its linger, or when nobody else is on the way.
    #[default]
    Hybrid,
    /// After its linger only, its size being the vendor's.
    Time,
    /// At its size; work of no class lingers for longer than batch work.
    Size,
    /// Like hybrid, lingering longer the more company there is.
    Adaptive,
    /// At once: only what is there already goes together.
    Immediate,
}

impl BatchMode {
    /// All modes.
    pub const ALL: [BatchMode; 5] =
        [BatchMode::Hybrid, BatchMode::Time, BatchMode::Size, BatchMode::Adaptive, BatchMode::Immediate];

    /// The word used in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            BatchMode::Hybrid => "hybrid",
            BatchMode::Time => "time",
            BatchMode::Size => "size",
            BatchMode::Adaptive => "adaptive",
            BatchMode::Immediate => "immediate",
        }
    }
}

/// How questions about single symbols are put into one request, where a vendor takes several (SCH-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// When a batch closes.
    pub mode: BatchMode,
    /// Symbols in one batch, and never more than the vendor takes.
    pub size: usize,
    /// The least and the longest time an interactive question waits for company.
    pub linger: (Duration, Duration),
    /// How long batch work waits for company.
    pub batch_linger: Duration,
    /// Batches in flight at one vendor.
    pub in_flight: usize,
}

impl Default for Batching {
    fn default() -> Batching {
        Batching {
            mode: BatchMode::default(),
            size: 50,
            linger: (Duration::from_millis(5), Duration::from_millis(20)),
            batch_linger: Duration::from_secs(1),
            in_flight: 10,
        }
    }
}
