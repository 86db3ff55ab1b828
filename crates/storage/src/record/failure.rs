//! Failed requests.

use domain::Instant;
use gateway::RequestId;
use gateway::answer::Failure;
use serde::{Deserialize, Serialize};

/// A failure as text.
#[derive(Serialize, Deserialize)]
pub(crate) struct FailureRecord {
    id: String,
    at: i64,
    route: String,
    status: u16,
    code: String,
    category: String,
    severity: String,
    micros: u64,
    detail: String,
}

impl From<&Failure> for FailureRecord {
    fn from(failure: &Failure) -> FailureRecord {
        FailureRecord {
            id: failure.id.to_string(),
            at: failure.at.as_nanos(),
            route: failure.route.clone(),
            status: failure.status,
            code: failure.code.clone(),
            category: failure.category.clone(),
            severity: failure.severity.clone(),
            micros: failure.micros,
            detail: failure.detail.clone(),
        }
    }
}

impl FailureRecord {
    /// The failure.
    pub(crate) fn failure(self) -> Failure {
        Failure {
            id: RequestId(self.id.into()),
            at: Instant::from_nanos(self.at),
            route: self.route,
            status: self.status,
            code: self.code,
            category: self.category,
            severity: self.severity,
            micros: self.micros,
            detail: self.detail,
        }
    }
}
