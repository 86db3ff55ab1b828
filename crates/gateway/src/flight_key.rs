//! What makes two requests the same question.

use domain::{Adjustment, Instant, VendorId};
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
        FlightKey {
            question: question.clone(),
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
