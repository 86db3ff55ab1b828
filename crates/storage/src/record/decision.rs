//! Decision records: how a request was answered.

use domain::Instant;
use gateway::answer::Whose;
use gateway::{Candidate, Decision, RequestId, Skipped};
use serde::{Deserialize, Serialize};

use super::attempt::AttemptRecord;
use crate::word;

/// A decision as text, without the request's id, which is the row's key. Scores are text too: JSON readers
/// may round a number's last bit.
#[derive(Serialize, Deserialize)]
pub(crate) struct DecisionRecord {
    at: i64,
    question: String,
    policy: String,
    candidates: Vec<CandidateRecord>,
    attempts: Vec<AttemptRecord>,
    answered_by: Option<String>,
    notes: Vec<String>,
    cost_micros: u64,
}

#[derive(Serialize, Deserialize)]
struct CandidateRecord {
    vendor: String,
    score: Option<String>,
    factors: Vec<(String, String)>,
    skipped: Option<SkippedRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SkippedRecord {
    Disabled,
    Retired,
    Unconfigured(String),
    NotListed,
    NotOffered,
    NotEntitled,
    Breaker(String),
    Quota(i64),
    ToldToWait(i64),
    Drained,
    WrongBasis,
    OutOfCoverage,
    TooExpensive,
    Budget(String, i64),
    NotNeeded,
}

impl From<&Decision> for DecisionRecord {
    fn from(decision: &Decision) -> DecisionRecord {
        DecisionRecord {
            at: decision.at.as_nanos(),
            question: decision.question.clone(),
            policy: decision.policy.clone(),
            candidates: decision.candidates.iter().map(CandidateRecord::from).collect(),
            attempts: decision.attempts.iter().map(AttemptRecord::from).collect(),
            answered_by: decision.answered_by.as_deref().map(str::to_owned),
            notes: decision.notes.clone(),
            cost_micros: decision.cost_micros,
        }
    }
}

impl DecisionRecord {
    /// The decision about this request; `None` if a field cannot be read.
    pub(crate) fn decision(&self, id: RequestId) -> Option<Decision> {
        Some(Decision {
            id,
            at: Instant::from_nanos(self.at),
            question: self.question.clone(),
            policy: self.policy.clone(),
            candidates: self.candidates.iter().map(CandidateRecord::candidate).collect::<Option<_>>()?,
            attempts: self.attempts.iter().map(AttemptRecord::attempt).collect(),
            answered_by: self.answered_by.as_deref().map(Into::into),
            notes: self.notes.clone(),
            cost_micros: self.cost_micros,
        })
    }
}

impl From<&Candidate> for CandidateRecord {
    fn from(candidate: &Candidate) -> CandidateRecord {
        let factors = candidate.factors.iter();
        CandidateRecord {
            vendor: candidate.vendor.as_str().to_owned(),
            score: candidate.score.map(|score| score.to_string()),
            factors: factors.map(|(name, value)| ((*name).to_owned(), value.to_string())).collect(),
            skipped: candidate.skipped.as_ref().map(SkippedRecord::from),
        }
    }
}

impl CandidateRecord {
    fn candidate(&self) -> Option<Candidate> {
        let factor = |(name, value): &(String, String)| Some((word::literal(name), value.parse().ok()?));
        Some(Candidate {
            vendor: word::vendor(&self.vendor),
            score: self.score.as_ref().map(|score| score.parse()).transpose().ok()?,
            factors: self.factors.iter().map(factor).collect::<Option<_>>()?,
            skipped: self.skipped.as_ref().map(SkippedRecord::skipped),
        })
    }
}

impl From<&Skipped> for SkippedRecord {
    fn from(skipped: &Skipped) -> SkippedRecord {
        match skipped {
            Skipped::Disabled => SkippedRecord::Disabled,
            Skipped::Retired => SkippedRecord::Retired,
            Skipped::Unconfigured(variable) => SkippedRecord::Unconfigured((*variable).to_owned()),
            Skipped::NotListed => SkippedRecord::NotListed,
            Skipped::NotOffered => SkippedRecord::NotOffered,
            Skipped::NotEntitled => SkippedRecord::NotEntitled,
            Skipped::Breaker(state) => SkippedRecord::Breaker((*state).to_owned()),
            Skipped::Quota(until) => SkippedRecord::Quota(until.as_nanos()),
            Skipped::ToldToWait(until) => SkippedRecord::ToldToWait(until.as_nanos()),
            Skipped::Drained => SkippedRecord::Drained,
            Skipped::WrongBasis => SkippedRecord::WrongBasis,
            Skipped::OutOfCoverage => SkippedRecord::OutOfCoverage,
            Skipped::TooExpensive => SkippedRecord::TooExpensive,
            Skipped::Budget { whose, until } => {
                SkippedRecord::Budget(whose.as_str().to_owned(), until.as_nanos())
            }
            Skipped::NotNeeded => SkippedRecord::NotNeeded,
        }
    }
}

impl SkippedRecord {
    fn skipped(&self) -> Skipped {
        match self {
            SkippedRecord::Disabled => Skipped::Disabled,
            SkippedRecord::Retired => Skipped::Retired,
            SkippedRecord::Unconfigured(variable) => Skipped::Unconfigured(word::literal(variable)),
            SkippedRecord::NotListed => Skipped::NotListed,
            SkippedRecord::NotOffered => Skipped::NotOffered,
            SkippedRecord::NotEntitled => Skipped::NotEntitled,
            SkippedRecord::Breaker(state) => Skipped::Breaker(word::literal(state)),
            SkippedRecord::Quota(until) => Skipped::Quota(Instant::from_nanos(*until)),
            SkippedRecord::ToldToWait(until) => Skipped::ToldToWait(Instant::from_nanos(*until)),
            SkippedRecord::Drained => Skipped::Drained,
            SkippedRecord::WrongBasis => Skipped::WrongBasis,
            SkippedRecord::OutOfCoverage => Skipped::OutOfCoverage,
            SkippedRecord::TooExpensive => Skipped::TooExpensive,
            SkippedRecord::Budget(whose, until) => Skipped::Budget {
                whose: Whose::ALL.into_iter().find(|w| w.as_str() == whose).unwrap_or(Whose::Overall),
                until: Instant::from_nanos(*until),
            },
            SkippedRecord::NotNeeded => Skipped::NotNeeded,
        }
    }
}
