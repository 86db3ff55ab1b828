//! What is on record: decisions, exchanges with vendors, failures, events.

use gateway::{RequestId, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::{Call, Reply};
use crate::error::{Code, Problem};
use crate::meta::{AttemptMade, Explanation, attempts_made};
use crate::vendors_told::ListMeta;
use crate::words::read_vendor;

pub(crate) fn store_failed(_: StoreError) -> Problem {
    Problem::new(Code::StoreUnavailable, "the store cannot be read at present")
}

/// The answer of `/v1/explain/{request_id}`.
#[derive(Serialize, ToSchema)]
pub struct ExplainAnswer {
    /// The decision.
    pub data: Explanation,
    /// Facts about the answer.
    pub meta: ListMeta,
}

/// How a request of the last 24 hours was answered.
pub async fn explain(call: Call) -> Result<Reply, Problem> {
    call.words().finish().map_err(Problem::malformed)?;
    let id = RequestId(call.path("request_id").into());
    let data = match call.gateway.recalled(&id) {
        Some(decision) => Some(Explanation::of(&decision, &id.0)),
        None => {
            let stored = call.gateway.explain(&id).await.map_err(store_failed)?;
            stored.map(|decision| Explanation::of(&decision, &id.0))
        }
    };
    let data = data.ok_or_else(|| {
        Problem::new(Code::NotFound, "no request of this id is on record; records are kept for 24 hours")
    })?;
    Ok(Reply::json(&ExplainAnswer { data, meta: ListMeta::of(&call, 1) }))
}

/// An exchange with a vendor.
#[derive(Serialize, ToSchema)]
pub struct AttemptOfRequest {
    /// For which request: a caller's, or the gateway's own.
    pub request_id: String,
    /// The exchange.
    #[serde(flatten)]
    pub attempt: AttemptMade,
}

/// The answer of `/v1/attempts`.
#[derive(Serialize, ToSchema)]
pub struct AttemptList {
    /// Newest last.
    pub data: Vec<AttemptOfRequest>,
    /// Facts about the answer.
    pub meta: ListMeta,
}

/// The newest exchanges with vendors, background work included.
pub async fn attempts(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    let since = words.instant("since");
    let limit = words.count("limit", 1, 20_000).unwrap_or(20_000) as usize;
    let vendor = words.parse("vendor", |text| read_vendor(text, &call.gateway));
    words.finish().map_err(Problem::malformed)?;
    let mut kept: Vec<_> = call
        .gateway
        .attempts()
        .into_iter()
        .filter(|(_, attempt)| since.is_none_or(|since| attempt.sent_at >= since))
        .filter(|(_, attempt)| vendor.is_none_or(|vendor| attempt.vendor == vendor))
        .collect();
    kept.sort_by_key(|(_, attempt)| attempt.sent_at);
    let surplus = kept.len().saturating_sub(limit);
    let data: Vec<AttemptOfRequest> = kept
        .drain(surplus..)
        .flat_map(|(id, attempt)| {
            attempts_made(&[attempt])
                .into_iter()
                .map(move |attempt| AttemptOfRequest { request_id: id.to_string(), attempt })
        })
        .collect();
    let meta = ListMeta::of(&call, data.len());
    Ok(Reply::json(&AttemptList { data, meta }))
}

/// A request that failed.
#[derive(Serialize, ToSchema)]
pub struct FailureTold {
    /// Which request.
    pub request_id: String,
    /// When (RFC 3339).
    pub at: String,
    /// Route template.
    pub route: String,
    /// HTTP status answered.
    pub status: u16,
    /// Stable code.
    pub code: String,
    /// `caller`, `vendor`, `ourselves`.
    pub category: String,
    /// `low`, `medium`, `high`, `critical`.
    pub severity: String,
    /// How long it took, in milliseconds.
    pub ms: f64,
    /// What was wrong.
    pub detail: String,
}

/// The answer of `/v1/failures`.
#[derive(Serialize, ToSchema)]
pub struct FailureList {
    /// Newest first.
    pub data: Vec<FailureTold>,
    /// Facts about the answer.
    pub meta: ListMeta,
}

/// The newest failed requests.
pub async fn failures(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    let limit = words.count("limit", 1, 1_000).unwrap_or(100) as usize;
    let category = words.choose("category", &["caller", "vendor", "ourselves"], |word| word);
    let severity = words.choose("severity", &["low", "medium", "high", "critical"], |word| word);
    words.finish().map_err(Problem::malformed)?;
    let data: Vec<FailureTold> = call
        .gateway
        .failures(1_000)
        .await
        .map_err(store_failed)?
        .into_iter()
        .filter(|failure| category.is_none_or(|category| failure.category == category))
        .filter(|failure| severity.is_none_or(|severity| failure.severity == severity))
        .take(limit)
        .map(|failure| FailureTold {
            request_id: failure.id.to_string(),
            at: failure.at.to_string(),
            route: failure.route,
            status: failure.status,
            code: failure.code,
            category: failure.category,
            severity: failure.severity,
            ms: failure.micros as f64 / 1e3,
            detail: failure.detail,
        })
        .collect();
    let meta = ListMeta::of(&call, data.len());
    Ok(Reply::json(&FailureList { data, meta }))
}

/// Something that happened.
#[derive(Serialize, ToSchema)]
pub struct EventTold {
    /// When (RFC 3339).
    pub at: String,
    /// To which vendor, if to one.
    pub vendor: Option<&'static str>,
    /// The stable word for its kind.
    pub kind: &'static str,
    /// `info`, `warning`, `critical`.
    pub severity: &'static str,
    /// What happened, for people.
    pub detail: String,
}

/// The answer of `/v1/events`.
#[derive(Serialize, ToSchema)]
pub struct EventList {
    /// Newest first.
    pub data: Vec<EventTold>,
    /// Facts about the answer.
    pub meta: ListMeta,
}

/// The newest events.
pub async fn events(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    let since = words.instant("since");
    let limit = words.count("limit", 1, 1_000).unwrap_or(100) as usize;
    let vendor = words.parse("vendor", |text| read_vendor(text, &call.gateway));
    words.finish().map_err(Problem::malformed)?;
    let data: Vec<EventTold> = call
        .gateway
        .events()
        .into_iter()
        .rev()
        .filter(|event| since.is_none_or(|since| event.at >= since))
        .filter(|event| vendor.is_none_or(|vendor| event.vendor == Some(vendor)))
        .take(limit)
        .map(|event| EventTold {
            at: event.at.to_string(),
            vendor: event.vendor.map(|vendor| vendor.as_str()),
            kind: event.kind.as_str(),
            severity: event.kind.severity().as_str(),
            detail: event.kind.to_string(),
        })
        .collect();
    let meta = ListMeta::of(&call, data.len());
    Ok(Reply::json(&EventList { data, meta }))
}
