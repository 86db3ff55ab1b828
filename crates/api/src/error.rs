//! The only table from errors to status, stable code and public message (API-4), and the problem document
//! (RFC 9457) that carries them. Nothing secret, no path and no stack gets in here.

use std::collections::BTreeMap;

use domain::Instant;
use gateway::answer::Whose;
use gateway::{Attempt, Decision, RequestId, Skipped, Unanswered, Why};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::meta::{AttemptMade, attempts_made};

/// Stable code of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// The request is malformed; every fault is listed.
    BadRequest,
    /// No vendor that could be asked knows the symbol.
    UnknownSymbol,
    /// There is nothing at this address.
    NotFound,
    /// The address does not take this method.
    MethodNotAllowed,
    /// The request asks for too much at once.
    TooLarge,
    /// A constraint of the caller cannot be met; the best available is attached.
    ConstraintUnmet,
    /// No enabled vendor offers this.
    Unsupported,
    /// Every vendor that was asked failed.
    BadUpstream,
    /// Vendors offer this, and none can be asked now.
    NoHealthyVendor,
    /// Vendors offer this, and the quota of each, or a budget, is spent.
    BudgetExhausted,
    /// The request brings no key, or one that nobody has.
    Unauthorized,
    /// A consumer's own limit or budget is spent.
    ClientQuota,
    /// The deadline passed first.
    Deadline,
    /// The store cannot be read.
    StoreUnavailable,
    /// Our own bug.
    Internal,
}

/// Who must change something for a request to succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// The caller.
    Caller,
    /// A vendor, or our standing with it.
    Vendor,
    /// The gateway.
    Ourselves,
}

impl Category {
    /// The word used in lists of failures.
    pub const fn as_str(self) -> &'static str {
        match self {
            Category::Caller => "caller",
            Category::Vendor => "vendor",
            Category::Ourselves => "ourselves",
        }
    }
}

impl Code {
    /// All codes.
    pub const ALL: [Code; 15] = [
        Code::BadRequest,
        Code::UnknownSymbol,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::TooLarge,
        Code::ConstraintUnmet,
        Code::Unsupported,
        Code::BadUpstream,
        Code::NoHealthyVendor,
        Code::BudgetExhausted,
        Code::Unauthorized,
        Code::ClientQuota,
        Code::Deadline,
        Code::StoreUnavailable,
        Code::Internal,
    ];

    /// Status, word, whether asking again later makes sense, whose fault, how severe, title.
    const fn row(self) -> (u16, &'static str, bool, Category, &'static str, &'static str) {
        use Category::{Caller, Ourselves, Vendor};
        match self {
            Code::BadRequest => (400, "BAD_REQUEST", false, Caller, "low", "the request is malformed"),
            Code::UnknownSymbol => {
                (404, "UNKNOWN_SYMBOL", false, Caller, "low", "no vendor knows the symbol")
            }
            Code::NotFound => (404, "NOT_FOUND", false, Caller, "low", "there is nothing here"),
            Code::MethodNotAllowed => {
                (405, "METHOD_NOT_ALLOWED", false, Caller, "low", "this address does not take this method")
            }
            Code::TooLarge => {
                (413, "TOO_LARGE", false, Caller, "low", "the request asks for too much at once")
            }
            Code::ConstraintUnmet => {
                (409, "CONSTRAINT_UNMET", true, Caller, "low", "a constraint cannot be met")
            }
            Code::Unsupported => {
                (422, "UNSUPPORTED", false, Caller, "medium", "no enabled vendor offers this")
            }
            Code::BadUpstream => {
                (502, "BAD_UPSTREAM", true, Vendor, "high", "every vendor that was asked failed")
            }
            Code::NoHealthyVendor => {
                (503, "NO_HEALTHY_VENDOR", true, Vendor, "high", "no vendor can be asked at present")
            }
            Code::BudgetExhausted => (
                503,
                "BUDGET_EXHAUSTED",
                true,
                Vendor,
                "medium",
                "the quota of every vendor, or a budget, is spent",
            ),
            Code::Unauthorized => (401, "UNAUTHORIZED", false, Caller, "low", "the request has no valid key"),
            Code::ClientQuota => {
                (429, "CLIENT_QUOTA", true, Caller, "low", "the consumer's own limit or budget is spent")
            }
            Code::Deadline => {
                (504, "DEADLINE", true, Vendor, "high", "no vendor answered before the deadline")
            }
            Code::StoreUnavailable => {
                (503, "STORE_UNAVAILABLE", true, Ourselves, "high", "the store cannot be read at present")
            }
            Code::Internal => (500, "INTERNAL", true, Ourselves, "critical", "the gateway failed"),
        }
    }

    /// HTTP status.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().0).expect("every status of the table is a number from 400 to 599")
    }

    /// The word used in answers.
    pub const fn as_str(self) -> &'static str {
        self.row().1
    }

    /// Whether the same request may succeed later.
    pub const fn is_retryable(self) -> bool {
        self.row().2
    }

    /// Who must change something.
    pub const fn category(self) -> Category {
        self.row().3
    }

    /// `low`, `medium`, `high` or `critical`.
    pub const fn severity(self) -> &'static str {
        self.row().4
    }

    /// One sentence for people.
    pub const fn title(self) -> &'static str {
        self.row().5
    }
}

/// One thing wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// Which parameter.
    pub parameter: String,
    /// What is wrong, and what would be right.
    pub detail: String,
}

/// Why a request has no answer, before it is written down.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Stable code.
    pub code: Code,
    /// What is wrong here.
    pub detail: String,
    /// Every fault of a malformed request.
    pub faults: Vec<Fault>,
    /// When it may succeed, if that is known.
    pub retry_at: Option<Instant>,
    /// Exchanges with vendors.
    pub attempts: Vec<Attempt>,
    /// What only some problems bring along.
    pub attached: Box<Attached>,
}

/// What only some problems bring along.
#[derive(Clone, Debug, Default)]
pub struct Attached {
    /// The best available where a constraint is not met: a whole answer.
    pub best: Option<Box<serde_json::value::RawValue>>,
    /// The problem of each symbol, where several failed.
    pub symbols: BTreeMap<String, ProblemDocument>,
    /// Methods an address takes.
    pub allow: Option<&'static str>,
}

/// A problem as it is answered (`application/problem+json`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProblemDocument {
    /// Always `about:blank`: the code says it.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// One sentence for people.
    pub title: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Stable code.
    pub code: Code,
    /// What is wrong here.
    pub detail: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// After how many milliseconds, if that is known.
    #[schema(required = true)]
    pub retry_after_ms: Option<u64>,
    /// Exchanges with vendors, in order.
    pub attempts: Vec<AttemptMade>,
    /// Of which request.
    pub request_id: String,
    /// Every fault of a malformed request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Fault>,
    /// The problem of each symbol, where several failed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(no_recursion)]
    pub symbols: BTreeMap<String, ProblemDocument>,
    /// The best available where a constraint is not met: a whole answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::tables::Best>, nullable = false, no_recursion)]
    pub best: Option<Box<serde_json::value::RawValue>>,
}

impl Problem {
    /// A problem of which only code and detail are known.
    pub fn new(code: Code, detail: impl Into<String>) -> Problem {
        Problem {
            code,
            detail: detail.into(),
            faults: Vec::new(),
            retry_at: None,
            attempts: Vec::new(),
            attached: Box::default(),
        }
    }

    /// A malformed request.
    pub fn malformed(faults: Vec<Fault>) -> Problem {
        let words: Vec<String> = faults.iter().map(|f| format!("{}: {}", f.parameter, f.detail)).collect();
        Problem { faults, ..Problem::new(Code::BadRequest, words.join("; ")) }
    }

    /// Why a request has no answer. `best` is attached by who knows its form.
    pub fn unanswered(unanswered: &Unanswered) -> Problem {
        let decision = &unanswered.decision;
        let (code, detail) = code_of(&unanswered.why, decision);
        let retry_at = match &unanswered.why {
            Why::NoHealthyVendor { retry_at } => retry_at.or_else(|| earliest(&decision.attempts)),
            _ if code.is_retryable() => earliest(&decision.attempts),
            _ => None,
        };
        Problem { retry_at, attempts: decision.attempts.clone(), ..Problem::new(code, detail) }
    }

    /// As it is answered.
    pub fn document(&self, id: &RequestId, now: Instant) -> ProblemDocument {
        ProblemDocument {
            kind: "about:blank",
            title: self.code.title(),
            status: self.code.status().as_u16(),
            code: self.code,
            detail: self.detail.clone(),
            retryable: self.code.is_retryable(),
            retry_after_ms: self.retry_after_ms(now),
            attempts: attempts_made(&self.attempts),
            request_id: id.to_string(),
            problems: self.faults.clone(),
            symbols: self.attached.symbols.clone(),
            best: self.attached.best.clone(),
        }
    }

    /// After how many milliseconds the request may succeed, if that is known; at least 1.
    pub fn retry_after_ms(&self, now: Instant) -> Option<u64> {
        let wait = self.retry_at?.since(now);
        Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1))
    }
}

/// The table.
fn code_of(why: &Why, decision: &Decision) -> (Code, String) {
    let hints = missing_keys(decision);
    let with_hints = |text: String| if hints.is_empty() { text } else { format!("{text}; {hints}") };
    match why {
        Why::UnknownSymbol => (Code::UnknownSymbol, why.to_string()),
        Why::Unsupported { .. } => (Code::Unsupported, why.to_string()),
        Why::NoHealthyVendor { .. } if only_quota_is_missing(decision) => match spent_budget(decision) {
            Some((Whose::Consumer, until)) => {
                (Code::ClientQuota, format!("the budget of this key is spent until {until}"))
            }
            Some((whose, until)) => (
                Code::BudgetExhausted,
                with_hints(format!(
                    "the {} budget is spent until {until}, and no free vendor can answer",
                    whose.as_str()
                )),
            ),
            None => (
                Code::BudgetExhausted,
                with_hints("every vendor that offers this has spent its quota".to_owned()),
            ),
        },
        Why::NoHealthyVendor { .. } => (Code::NoHealthyVendor, with_hints(why.to_string())),
        Why::BadUpstream if only_silence_came(decision) => (Code::Deadline, Why::Deadline.to_string()),
        Why::BadUpstream => (Code::BadUpstream, with_hints(why.to_string())),
        Why::Deadline => (Code::Deadline, why.to_string()),
        Why::ConstraintUnmet { .. } => (Code::ConstraintUnmet, why.to_string()),
        Why::CallersMistake => (Code::BadRequest, why.to_string()),
        Why::Internal => {
            (Code::Internal, "the gateway failed; the request id finds it in the log".to_owned())
        }
    }
}

/// Which keys would let another vendor answer.
fn missing_keys(decision: &Decision) -> String {
    let hints: Vec<String> = decision
        .candidates
        .iter()
        .filter_map(|candidate| match &candidate.skipped {
            Some(Skipped::Unconfigured(variable)) => {
                Some(format!("{} would answer with a key in {variable}", candidate.vendor))
            }
            _ => None,
        })
        .collect();
    hints.join("; ")
}

fn only_quota_is_missing(decision: &Decision) -> bool {
    let mut quota = false;
    for candidate in &decision.candidates {
        match candidate.skipped {
            Some(Skipped::Quota(_) | Skipped::Budget { .. }) => quota = true,
            None | Some(Skipped::ToldToWait(_) | Skipped::Breaker(_) | Skipped::Drained) => return false,
            Some(_) => {}
        }
    }
    quota && decision.attempts.is_empty()
}

/// The budget that keeps a vendor from being asked, and when the first such starts anew.
fn spent_budget(decision: &Decision) -> Option<(Whose, Instant)> {
    let budgets = decision.candidates.iter().filter_map(|candidate| match candidate.skipped {
        Some(Skipped::Budget { whose, until }) => Some((whose, until)),
        _ => None,
    });
    budgets.min_by_key(|(_, until)| *until)
}

/// Every vendor that was asked kept silent until its time was over.
fn only_silence_came(decision: &Decision) -> bool {
    !decision.attempts.is_empty()
        && decision.attempts.iter().all(|attempt| attempt.outcome == gateway::Outcome::TimedOut)
}

fn earliest(attempts: &[Attempt]) -> Option<Instant> {
    attempts.iter().filter_map(|attempt| attempt.retry_at).min()
}

#[cfg(test)]
mod tests {
    // API-4.
    use super::*;

    #[test]
    fn only_our_own_bug_is_a_500() {
        for code in Code::ALL {
            assert_eq!(code.status() == 500, code == Code::Internal, "{code:?}");
        }
    }

    #[test]
    fn the_word_in_json_is_the_word_of_the_table() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_string(&code).unwrap(), format!("{:?}", code.as_str()));
        }
    }
}
