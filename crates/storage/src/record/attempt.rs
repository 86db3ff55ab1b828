//! Exchanges with vendors.

use domain::Instant;
use gateway::{Attempt, Outcome};
use serde::{Deserialize, Serialize};

use crate::word;

/// One exchange as text.
#[derive(Serialize, Deserialize)]
pub(crate) struct AttemptRecord {
    vendor: String,
    capability: String,
    sent_at: i64,
    micros: u64,
    outcome: OutcomeRecord,
    status: Option<u16>,
    retry_at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OutcomeRecord {
    Answered,
    Page,
    Formality,
    Rejected(String),
    ConnectFailed,
    TimedOut,
    Cut,
    TooLarge,
    Abandoned,
    Unfit(String),
}

impl From<&Attempt> for AttemptRecord {
    fn from(attempt: &Attempt) -> AttemptRecord {
        AttemptRecord {
            vendor: attempt.vendor.as_str().to_owned(),
            capability: attempt.capability.to_owned(),
            sent_at: attempt.sent_at.as_nanos(),
            micros: attempt.micros,
            outcome: match attempt.outcome {
                Outcome::Answered => OutcomeRecord::Answered,
                Outcome::Page => OutcomeRecord::Page,
                Outcome::Formality => OutcomeRecord::Formality,
                Outcome::Rejected(class) => OutcomeRecord::Rejected(class.to_owned()),
                Outcome::ConnectFailed => OutcomeRecord::ConnectFailed,
                Outcome::TimedOut => OutcomeRecord::TimedOut,
                Outcome::Cut => OutcomeRecord::Cut,
                Outcome::TooLarge => OutcomeRecord::TooLarge,
                Outcome::Abandoned => OutcomeRecord::Abandoned,
                Outcome::Unfit(why) => OutcomeRecord::Unfit(why.to_owned()),
            },
            status: attempt.status,
            retry_at: attempt.retry_at.map(Instant::as_nanos),
        }
    }
}

impl AttemptRecord {
    /// The exchange.
    pub(crate) fn attempt(&self) -> Attempt {
        Attempt {
            vendor: word::vendor(&self.vendor),
            capability: word::literal(&self.capability),
            sent_at: Instant::from_nanos(self.sent_at),
            micros: self.micros,
            outcome: match &self.outcome {
                OutcomeRecord::Answered => Outcome::Answered,
                OutcomeRecord::Page => Outcome::Page,
                OutcomeRecord::Formality => Outcome::Formality,
                OutcomeRecord::Rejected(class) => Outcome::Rejected(word::literal(class)),
                OutcomeRecord::ConnectFailed => Outcome::ConnectFailed,
                OutcomeRecord::TimedOut => Outcome::TimedOut,
                OutcomeRecord::Cut => Outcome::Cut,
                OutcomeRecord::TooLarge => Outcome::TooLarge,
                OutcomeRecord::Abandoned => Outcome::Abandoned,
                OutcomeRecord::Unfit(why) => Outcome::Unfit(word::literal(why)),
            },
            status: self.status,
            retry_at: self.retry_at.map(Instant::from_nanos),
        }
    }
}
