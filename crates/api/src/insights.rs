//! What experience tells about an answer, from counters and records: never empty placeholders.

use std::collections::BTreeMap;

use domain::{Instrument, InstrumentId};
use gateway::Served;
use quality::Severity;
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::Call;
use crate::meta::rounded;

/// Related symbols at most.
const RELATED: usize = 5;
/// Anomalies at most.
const ANOMALIES: usize = 10;

/// What experience tells about an answer.
#[derive(Serialize, ToSchema)]
pub struct Insights {
    /// What is known around the instrument.
    pub market_context: MarketContext,
    /// Moving mean of the vendor's graded scores, 0 to 100; `null` where no vendor answered.
    #[schema(required = true)]
    pub predicted_quality: Option<f64>,
    /// The vendor's record; `null` where no vendor answered.
    #[schema(required = true)]
    pub source_reputation: Option<Reputation>,
}

/// A vendor's record.
#[derive(Serialize, ToSchema)]
pub struct Reputation {
    /// Calls since the start.
    pub calls: u64,
    /// Calls since the start by how they ended.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Mean of the success posterior, in `[0, 1]`.
    pub reliability: f64,
    /// What it is at least, most likely, in `[0, 1]`.
    pub reliability_lower_bound: f64,
    /// Which vendor.
    pub source: &'static str,
}

/// What is known around an instrument.
#[derive(Serialize, ToSchema)]
pub struct MarketContext {
    /// What validation saw in this answer.
    pub quality_patterns: Patterns,
    /// Grave findings, and what lately happened to the vendor.
    pub recent_anomalies: Vec<Anomaly>,
    /// Instruments of the same kind.
    pub related_symbols: Vec<String>,
}

/// What validation saw in an answer.
#[derive(Serialize, ToSchema)]
pub struct Patterns {
    /// The missed criterion that holds the score down, if one does.
    #[schema(required = true)]
    pub cap: Option<&'static str>,
    /// What other vendors say of the value.
    pub cross_check: &'static str,
    /// How often each rule found something.
    pub findings: BTreeMap<&'static str, u32>,
    /// `A` to `F`.
    pub grade: &'static str,
}

/// Something out of the ordinary.
#[derive(Serialize, ToSchema)]
pub struct Anomaly {
    /// When (RFC 3339).
    pub at: String,
    /// What happened, for people.
    pub detail: String,
    /// Where in the row, of a finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub field: Option<&'static str>,
    /// How bad.
    pub severity: &'static str,
    /// Id of the rule, or the kind of the event.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// Reputation of the vendor, quality to be expected, and what is known around the instrument.
pub fn insights(call: &Call, instrument: &InstrumentId, served: &Served) -> Insights {
    let gateway = &call.gateway;
    let vendor = served.answer.vendor();
    let (mut quality, mut reputation) = (None, None);
    if let Some(upstream) = vendor.and_then(|vendor| gateway.find_upstream(vendor)) {
        let health = upstream.health.lock();
        quality = Some(rounded(health.quality() * 100.0));
        reputation = Some(Reputation {
            calls: health.calls(),
            outcomes: health.outcomes().clone(),
            reliability: rounded(health.reliability()),
            reliability_lower_bound: rounded(health.reliability_lower()),
            source: upstream.vendor().as_str(),
        });
    }
    Insights {
        market_context: MarketContext {
            quality_patterns: patterns(served),
            recent_anomalies: anomalies(call, served),
            related_symbols: related(call, instrument),
        },
        predicted_quality: quality,
        source_reputation: reputation,
    }
}

/// Instruments of the same kind, those of the same venue first.
fn related(call: &Call, instrument: &InstrumentId) -> Vec<String> {
    let directory = call.gateway.directory();
    let kind = directory.instrument(instrument).map(|record| record.kind);
    let mut others: Vec<&Instrument> = directory
        .instruments()
        .filter(|other| other.id != *instrument && kind.is_none_or(|kind| kind == other.kind))
        .take(1_000)
        .collect();
    others.sort_by_key(|other| other.id.venue() != instrument.venue());
    others.into_iter().take(RELATED).map(|other| other.id.name().to_owned()).collect()
}

/// How often each rule found something in this answer, and what held the grade down.
fn patterns(served: &Served) -> Patterns {
    let mut counts: BTreeMap<&'static str, u32> = BTreeMap::new();
    for finding in &served.answer.findings {
        *counts.entry(finding.rule.id()).or_default() += 1;
    }
    Patterns {
        cap: served.grade.cap.map(quality::Cap::id),
        cross_check: served.answer.evidence.agreement.as_str(),
        findings: counts,
        grade: served.grade.letter.as_str(),
    }
}

/// Grave findings in this answer, and what lately happened to its vendor.
fn anomalies(call: &Call, served: &Served) -> Vec<Anomaly> {
    let grave = served.answer.findings.iter().filter(|finding| finding.severity >= Severity::Medium);
    let findings = grave.map(|finding| Anomaly {
        at: served.answer.received_at.to_string(),
        detail: format!("{} where {} was expected", finding.value, finding.expected),
        field: Some(finding.field.as_str()),
        severity: finding.severity.as_str(),
        kind: finding.rule.id(),
    });
    let events =
        call.gateway.events().into_iter().rev().filter(|event| event.vendor == served.answer.vendor());
    let events = events.map(|event| Anomaly {
        at: event.at.to_string(),
        detail: event.kind.to_string(),
        field: None,
        severity: event.kind.severity().as_str(),
        kind: event.kind.as_str(),
    });
    findings.chain(events).take(ANOMALIES).collect()
}
