//! What makes two requests the same question.

use std::time::Duration;

use domain::{Adjustment, Instant, InstrumentId, Price, VendorId};
use quality::Letter;
use vendors::Question;

use crate::request::{Failover, Policy, Priority, Strategy};

/// The question with those policy words that change who answers or what the numbers mean. Requests with
/// equal keys share a flight and a cached answer; constraints (grade, age, cost) are checked on what comes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlightKey {
    /// The question.
    pub question: Question,
    vendors: Vec<VendorId>,
    failover: Failover,
    strategy: Option<Strategy>,
    adjustment: Option<Adjustment>,
    asof: Option<Instant>,
}

impl FlightKey {
    /// Key of a question under a policy.
    pub fn of(question: &Question, policy: &Policy) -> FlightKey {
        let question = if domain::planted!(KeyCutShort) { cut_short(question) } else { question.clone() };
        FlightKey {
            question,
            vendors: policy.vendors.clone(),
            failover: policy.failover,
            strategy: policy.strategy,
            adjustment: policy.adjustment,
            asof: policy.asof,
        }
    }

    /// The policy of whoever asks this question on nobody's behalf: what the key holds, nothing more.
    pub fn policy(&self, priority: Priority) -> Policy {
        Policy {
            vendors: self.vendors.clone(),
            failover: self.failover,
            strategy: self.strategy,
            adjustment: self.adjustment,
            asof: self.asof,
            priority,
            ..Policy::default()
        }
    }
}

/// What [`KeyCutShort`](domain::planted!) makes of a quote's question.
fn cut_short(question: &Question) -> Question {
    let cut = |id: &InstrumentId| InstrumentId::new(&id.name()[..id.name().len().min(2)], id.venue());
    match question {
        Question::Quotes { instruments, bid_ask } => {
            Question::Quotes { instruments: instruments.iter().map(cut).collect(), bid_ask: *bid_ask }
        }
        other => other.clone(),
    }
}

/// A question with the constraints that decide when its flight has found enough. Only requests with equal ones
/// share a flight: who asks for less must not wait for more, nor be refused what is good enough.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sought {
    key: FlightKey,
    min_grade: Option<Letter>,
    max_age: Option<Duration>,
    max_cost: Option<Price>,
}

impl Sought {
    /// What a request under a policy seeks.
    pub fn of(key: FlightKey, policy: &Policy) -> Sought {
        Sought { key, min_grade: policy.min_grade, max_age: policy.max_age, max_cost: policy.max_cost }
    }
}
