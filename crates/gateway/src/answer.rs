//! What the gateway says: answers, refusals, and the record of how it came to them.

use std::sync::Arc;
use std::time::Duration;

use domain::{Basis, Delivery, Instant, InstrumentId, Range, VendorId};
use quality::{Evidence, Finding, Grade};
use vendors::{Blame, Data, Rejection};

use crate::lifetime::Lasts;
use crate::limiter::Held;
use crate::request::RequestId;
use crate::seams::TransportError;

/// How one attempt ended, by its word. An attempt is one exchange with a vendor: a page, a cookie and a
/// probe are attempts of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Data that could be used.
    Answered,
    /// A page of several.
    Page,
    /// A formality on the way: a cookie, a crumb.
    Formality,
    /// The vendor rejected; the word is the class of SRC-7.
    Rejected(&'static str),
    /// No connection.
    ConnectFailed,
    /// No reply in time.
    TimedOut,
    /// The reply was cut off.
    Cut,
    /// The reply was too large.
    TooLarge,
    /// The caller left.
    Abandoned,
    /// The data did not meet the caller's constraint or could not be brought to the asked basis.
    Unfit(&'static str),
}

impl Outcome {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Answered => "answered",
            Outcome::Page => "page",
            Outcome::Formality => "formality",
            Outcome::Rejected(class) => class,
            Outcome::ConnectFailed => "connect_failed",
            Outcome::TimedOut => "timed_out",
            Outcome::Cut => "cut",
            Outcome::TooLarge => "too_large",
            Outcome::Abandoned => "abandoned",
            Outcome::Unfit(why) => why,
        }
    }
}

/// One exchange with a vendor.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Whom.
    pub vendor: VendorId,
    /// What was asked, as a capability's word: `bars`, `splits`.
    pub capability: &'static str,
    /// When it was sent.
    pub sent_at: Instant,
    /// How long it took.
    pub micros: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// HTTP status, if a reply came.
    pub status: Option<u16>,
    /// When the vendor may be asked again, if it is known.
    pub retry_at: Option<Instant>,
}

/// Whose budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    /// That of everything together.
    Overall,
    /// The vendor's.
    Vendor,
    /// The consumer's.
    Consumer,
}

impl Whose {
    /// All of them.
    pub const ALL: [Whose; 3] = [Whose::Overall, Whose::Vendor, Whose::Consumer];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Whose::Overall => "overall",
            Whose::Vendor => "vendor",
            Whose::Consumer => "consumer",
        }
    }
}

/// Why a vendor was not asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Skipped {
    /// Switched off.
    Disabled,
    /// Retired.
    Retired,
    /// Its key is missing; the variable that would hold it.
    Unconfigured(&'static str),
    /// Not in the caller's list.
    NotListed,
    /// Does not offer this.
    NotOffered,
    /// The plan does not include this.
    NotEntitled,
    /// The breaker refuses; its state.
    Breaker(&'static str),
    /// The quota is spent until then.
    Quota(Instant),
    /// Banned, or told to wait, until then.
    ToldToWait(Instant),
    /// Drained by an operator.
    Drained,
    /// Its bars cannot be brought to the asked basis.
    WrongBasis,
    /// Does not reach back so far.
    OutOfCoverage,
    /// Costs more than the caller allows.
    TooExpensive,
    /// A budget is spent.
    Budget {
        /// Whose.
        whose: Whose,
        /// When it starts anew.
        until: Instant,
    },
    /// It was not its turn: an earlier one answered.
    NotNeeded,
}

impl Skipped {
    /// The stable word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Skipped::Disabled => "disabled",
            Skipped::Retired => "retired",
            Skipped::Unconfigured(_) => "unconfigured",
            Skipped::NotListed => "not_listed",
            Skipped::NotOffered => "not_offered",
            Skipped::NotEntitled => "not_entitled",
            Skipped::Breaker(_) => "breaker",
            Skipped::Quota(_) => "quota",
            Skipped::ToldToWait(_) => "told_to_wait",
            Skipped::Drained => "drained",
            Skipped::WrongBasis => "wrong_basis",
            Skipped::OutOfCoverage => "out_of_coverage",
            Skipped::TooExpensive => "too_expensive",
            Skipped::Budget { .. } => "budget",
            Skipped::NotNeeded => "not_needed",
        }
    }

    /// The fact behind the word, for people: the variable, the state, the instant.
    pub fn detail(&self) -> Option<String> {
        match self {
            Skipped::Unconfigured(variable) => Some(format!("set {variable}")),
            Skipped::Breaker(state) => Some((*state).to_owned()),
            Skipped::Quota(at) | Skipped::ToldToWait(at) => Some(at.to_string()),
            Skipped::Budget { whose, until } => Some(format!("{} until {until}", whose.as_str())),
            _ => None,
        }
    }
}

/// One vendor as the router saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Which.
    pub vendor: VendorId,
    /// Its score; `None` if it was not eligible.
    pub score: Option<f64>,
    /// The parts of the score by name, each in `[0, 1]` before weighting.
    pub factors: Vec<(&'static str, f64)>,
    /// Why it was not asked, if it was not.
    pub skipped: Option<Skipped>,
}

/// The record of how a request was answered (RTE-6), kept 24 h.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Of which request.
    pub id: RequestId,
    /// When it was asked.
    pub at: Instant,
    /// The question in words.
    pub question: String,
    /// The policy words that were given.
    pub policy: String,
    /// Every vendor as the router saw it, in the order of asking.
    pub candidates: Vec<Candidate>,
    /// Every exchange, in order.
    pub attempts: Vec<Attempt>,
    /// Who answered in the end: a vendor, or `cache`, `store`.
    pub answered_by: Option<Arc<str>>,
    /// What was decided on the way, in whole sentences: why the next was chosen, conversions, seams.
    pub notes: Vec<String>,
    /// Cost in millionths of a US dollar.
    pub cost_micros: u64,
}

/// A request that failed, for `/v1/failures` (API-6).
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Which request.
    pub id: RequestId,
    /// When.
    pub at: Instant,
    /// Route template.
    pub route: String,
    /// HTTP status answered.
    pub status: u16,
    /// Stable code.
    pub code: String,
    /// Category: `caller`, `vendor`, `ourselves`.
    pub category: String,
    /// `low`, `medium`, `high`, `critical`.
    pub severity: String,
    /// How long it took.
    pub micros: u64,
    /// What was wrong, for people; no secrets.
    pub detail: String,
}

/// One answer, as it was made; what depends on the moment of serving is in [`Served`].
#[derive(Clone, Debug)]
pub struct Answer {
    /// The data, of one instrument where the question names one.
    pub data: Data,
    /// Who gave it: one vendor, or several with a declared seam; the main one first.
    pub vendors: Vec<VendorId>,
    /// Whether any of it comes from a simulation.
    pub simulated: bool,
    /// What the numbers mean.
    pub basis: Basis,
    /// What freshness the vendor promises.
    pub delivery: Delivery,
    /// When the newest datum happened; `None` if nobody says.
    pub event_time: Option<Instant>,
    /// When it was received, the newest part if there are several.
    pub received_at: Instant,
    /// Whether every row of it is committed to the store.
    pub stored: bool,
    /// Which part of the asked range it covers; `None` where nothing has a range.
    pub coverage: Option<Coverage>,
    /// What validation saw.
    pub findings: Vec<Finding>,
    /// What the grade is made of, the moment of serving aside.
    pub evidence: Evidence,
    /// What the grade of each row is made of, for a series.
    pub rows: Option<RowEvidence>,
    /// What the caller must know.
    pub warnings: Vec<Warning>,
    /// How it came about.
    pub decision: Arc<Decision>,
    /// Requests counted against quotas, as `vendor.window`.
    pub quota: Vec<(String, u32)>,
    /// How long it lasts in memory.
    pub lasts: Lasts,
    /// Fresh until then.
    pub fresh_until: Instant,
    /// Served as stale until then at most.
    pub stale_until: Instant,
}

impl Answer {
    /// The instrument it is about, if it is about one.
    pub fn instrument(&self) -> Option<&InstrumentId> {
        match &self.data {
            Data::Quotes(rows) => rows.first().map(|row| &row.instrument),
            Data::Bars(series) => Some(&series.instrument),
            Data::Trades(instrument, _) => Some(instrument),
            _ => None,
        }
    }

    /// The vendor that gave it; of several, the main one.
    pub fn vendor(&self) -> Option<VendorId> {
        self.vendors.first().copied()
    }
}

/// What the grades of a series' rows are made of.
#[derive(Clone, Debug)]
pub struct RowEvidence {
    /// A row with nothing against it.
    pub clean: Evidence,
    /// Rows with something against them, ascending by index.
    pub flagged: Vec<(usize, Evidence)>,
}

/// Which part of the asked range is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Coverage {
    /// What was asked.
    pub requested: Range,
    /// From the first row's start to the last row's end; `None` without rows.
    pub returned: Option<Range>,
    /// Stretches in which the calendar expects rows and none came.
    pub gaps: Vec<Range>,
    /// Whether all that the vendor has in the range is there.
    pub complete: bool,
    /// Where the page budget ended, behind the last row: the rest of the range can be asked for from here.
    pub rest_from: Option<Instant>,
}

/// Something the caller must know about an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Stable code: `NO_DATA`, `SEAM`, `STALE`, `AGGREGATED`, `CONVERTED`, `INCOMPLETE`, `PLAN_OUTDATED`.
    pub code: &'static str,
    /// What it means here.
    pub detail: String,
}

impl Warning {
    /// A warning.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Warning {
        Warning { code, detail: detail.into() }
    }
}

/// Where an answer came from at the moment of serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheState {
    /// From memory, fresh.
    Hit,
    /// From memory, past its time.
    Stale,
    /// From the store, no vendor asked.
    Stored,
    /// Another caller's flight brought it.
    Coalesced,
    /// A vendor was asked.
    Miss,
}

impl CacheState {
    /// The word used in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            CacheState::Hit => "hit",
            CacheState::Stale => "stale",
            CacheState::Stored => "stored",
            CacheState::Coalesced => "coalesced",
            CacheState::Miss => "miss",
        }
    }
}

/// An answer at the moment it is served.
#[derive(Clone, Debug)]
pub struct Served {
    /// The answer.
    pub answer: Arc<Answer>,
    /// Where it came from.
    pub cache: CacheState,
    /// The moment.
    pub now: Instant,
    /// Its grade at that moment.
    pub grade: Grade,
}

impl Served {
    /// The exchanges made for this very request: none where the answer was already there. The record of
    /// the flight that brought it has its own.
    pub fn attempts(&self) -> &[Attempt] {
        match self.cache {
            CacheState::Miss | CacheState::Stored => &self.answer.decision.attempts,
            CacheState::Hit | CacheState::Stale | CacheState::Coalesced => &[],
        }
    }

    /// Age of the newest datum; `None` if nobody says when it happened.
    pub fn age(&self) -> Option<Duration> {
        self.answer.event_time.map(|at| self.now.since(at))
    }
}

/// Why one vendor did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttemptError {
    /// The breaker refuses.
    #[error("circuit breaker is {state}")]
    BreakerOpen {
        /// Its state.
        state: &'static str,
        /// When it lets the next one through.
        until: Instant,
    },
    /// The quota is spent.
    #[error("quota is spent until {until}")]
    QuotaSpent {
        /// When there is room again.
        until: Instant,
    },
    /// The question would cost more than its caller allows.
    #[error("it would cost more than allowed")]
    TooExpensive,
    /// A budget is spent.
    #[error("{} budget is spent until {until}", whose.as_str())]
    BudgetSpent {
        /// Whose.
        whose: Whose,
        /// When it starts anew.
        until: Instant,
    },
    /// There is no place or permit for it in time.
    #[error("held back: {}", held.as_str())]
    Held {
        /// Why.
        held: Held,
        /// When to ask again.
        until: Instant,
    },
    /// No reply came.
    #[error("transport failed")]
    Transport(#[source] TransportError),
    /// The vendor rejected.
    #[error("vendor rejected the request")]
    Rejected(#[source] Rejection),
    /// The data cannot be used: its word.
    #[error("data cannot be used: {0}")]
    Unfit(&'static str),
    /// The caller's time was over.
    #[error("deadline has passed")]
    Deadline,
}

impl AttemptError {
    /// Who must change for the request to succeed.
    pub fn blame(&self) -> Blame {
        match self {
            AttemptError::BreakerOpen { .. } | AttemptError::Transport(_) | AttemptError::Unfit(_) => {
                Blame::Vendor
            }
            AttemptError::QuotaSpent { .. }
            | AttemptError::BudgetSpent { .. }
            | AttemptError::Held { .. }
            | AttemptError::Deadline => Blame::Ourselves,
            AttemptError::TooExpensive => Blame::Caller,
            AttemptError::Rejected(rejection) => rejection.blame(),
        }
    }

    /// The stable word.
    pub fn word(&self) -> &'static str {
        match self {
            AttemptError::BreakerOpen { .. } => "breaker",
            AttemptError::QuotaSpent { .. } => "quota",
            AttemptError::TooExpensive => "too_expensive",
            AttemptError::BudgetSpent { .. } => "budget",
            AttemptError::Held { held, .. } => held.as_str(),
            AttemptError::Transport(error) => Outcome::from(*error).as_str(),
            AttemptError::Rejected(rejection) => rejection.class(),
            AttemptError::Unfit(why) => why,
            AttemptError::Deadline => "deadline",
        }
    }

    /// When the vendor may be asked again, if that is known.
    pub fn retry_at(&self) -> Option<Instant> {
        match self {
            AttemptError::BreakerOpen { until, .. }
            | AttemptError::QuotaSpent { until }
            | AttemptError::BudgetSpent { until, .. }
            | AttemptError::Held { until, .. } => Some(*until),
            AttemptError::Rejected(Rejection::QuotaSpent { resets, .. }) => *resets,
            AttemptError::Rejected(Rejection::Banned { until }) => *until,
            _ => None,
        }
    }
}

impl From<TransportError> for Outcome {
    fn from(error: TransportError) -> Outcome {
        match error {
            TransportError::Connect => Outcome::ConnectFailed,
            TransportError::Timeout => Outcome::TimedOut,
            TransportError::Cut => Outcome::Cut,
            TransportError::TooLarge => Outcome::TooLarge,
        }
    }
}

/// Why a request has no answer, with its record.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{why}")]
pub struct Unanswered {
    /// Why.
    pub why: Why,
    /// How that came about.
    pub decision: Arc<Decision>,
}

/// Why a request has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Why {
    /// Every vendor that could be asked says there is no such symbol.
    #[error("no vendor knows the symbol")]
    UnknownSymbol,
    /// No enabled vendor offers this.
    #[error("no enabled vendor offers this: {detail}")]
    Unsupported {
        /// What is missing, and what would be right.
        detail: String,
    },
    /// Vendors offer this, and none can be asked now.
    #[error("no vendor can be asked at present")]
    NoHealthyVendor {
        /// When one may be asked again, if that is known.
        retry_at: Option<Instant>,
    },
    /// Vendors were asked and failed.
    #[error("every vendor that was asked failed")]
    BadUpstream,
    /// The deadline passed first.
    #[error("no vendor answered before the deadline")]
    Deadline,
    /// A constraint of the caller, or the asked basis, cannot be met.
    #[error("constraint cannot be met: {detail}")]
    ConstraintUnmet {
        /// Which, and what is available.
        detail: String,
        /// The best there is.
        best: Option<Box<Served>>,
    },
    /// The vendors find fault with the request.
    #[error("vendors find the request malformed")]
    CallersMistake,
    /// Our own bug; the flight panicked.
    #[error("internal error")]
    Internal,
}

impl Why {
    /// Whether only the caller can change it: no promise of ours is broken.
    pub fn is_the_callers(&self) -> bool {
        match self {
            Why::UnknownSymbol
            | Why::Unsupported { .. }
            | Why::ConstraintUnmet { .. }
            | Why::CallersMistake => true,
            Why::NoHealthyVendor { .. } | Why::BadUpstream | Why::Deadline | Why::Internal => false,
        }
    }
}
