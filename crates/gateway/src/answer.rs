//! What the gateway says: attempts, decision records, failures.

use std::sync::Arc;

use domain::{Instant, VendorId};

use crate::request::RequestId;

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
            Skipped::NotNeeded => "not_needed",
        }
    }

    /// The fact behind the word, for people: the variable, the state, the instant.
    pub fn detail(&self) -> Option<String> {
        match self {
            Skipped::Unconfigured(variable) => Some(format!("set {variable}")),
            Skipped::Breaker(state) => Some((*state).to_owned()),
            Skipped::Quota(at) | Skipped::ToldToWait(at) => Some(at.to_string()),
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
