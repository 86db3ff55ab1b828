//! What experience tells about an answer, from counters and records: never empty placeholders.

use std::collections::BTreeMap;

use domain::{Instrument, InstrumentId};
use gateway::Served;
use quality::Severity;
use serde_json::{Value, json};

use crate::call::Call;
use crate::meta::rounded;

/// Related symbols at most.
const RELATED: usize = 5;
/// Anomalies at most.
const ANOMALIES: usize = 10;

/// Reputation of the vendor, quality to be expected, and what is known around the instrument.
pub fn insights(call: &Call, instrument: &InstrumentId, served: &Served) -> Value {
    let gateway = &call.gateway;
    let vendor = served.answer.vendor();
    let (mut quality, mut reputation) = (Value::Null, Value::Null);
    if let Some(upstream) = vendor.and_then(|vendor| gateway.find_upstream(vendor)) {
        let health = upstream.health.lock();
        quality = json!(rounded(health.quality() * 100.0));
        reputation = json!({
            "source": upstream.vendor().as_str(),
            "reliability": rounded(health.reliability()),
            "reliability_lower_bound": rounded(health.reliability_lower()),
            "calls": health.calls(),
            "outcomes": health.outcomes(),
        });
    }
    json!({
        "predicted_quality": quality,
        "source_reputation": reputation,
        "market_context": {
            "related_symbols": related(call, instrument),
            "quality_patterns": patterns(served),
            "recent_anomalies": anomalies(call, served),
        },
    })
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
fn patterns(served: &Served) -> Value {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for finding in &served.answer.findings {
        *counts.entry(finding.rule.id()).or_default() += 1;
    }
    json!({
        "grade": served.grade.letter.as_str(),
        "cap": served.grade.cap.map(quality::Cap::id),
        "cross_check": served.answer.evidence.agreement.as_str(),
        "findings": counts,
    })
}

/// Grave findings in this answer, and what lately happened to its vendor.
fn anomalies(call: &Call, served: &Served) -> Vec<Value> {
    let findings =
        served.answer.findings.iter().filter(|finding| finding.severity >= Severity::Medium).map(|finding| {
            json!({
                "type": finding.rule.id(),
                "severity": finding.severity.as_str(),
                "field": finding.field.as_str(),
                "detail": format!("{} where {} was expected", finding.value, finding.expected),
                "at": served.answer.received_at.to_string(),
            })
        });
    let events =
        call.gateway.events().into_iter().rev().filter(|event| event.vendor == served.answer.vendor());
    let events = events.map(|event| {
        json!({
            "type": event.kind.as_str(),
            "severity": event.kind.severity().as_str(),
            "detail": event.kind.to_string(),
            "at": event.at.to_string(),
        })
    });
    findings.chain(events).take(ANOMALIES).collect()
}
