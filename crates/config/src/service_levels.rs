//! What is promised: of vendors by their class, and of answers (SLA-2, SLA-5).

use gateway::service_levels::{AnswerClass, ServiceLevels, endpoint};
use resilience::sla::{Goal, Thresholds};
use vendors::{Capability, VendorClass};

use crate::reader::Reader;
use crate::text::suggestion;

/// Promises of a vendor class (the table of vendor classes in the requirements).
fn of_class(class: VendorClass) -> Thresholds {
    match class {
        VendorClass::ExchangeBook => Thresholds::exchange_book(),
        VendorClass::DexAggregator => Thresholds::dex_aggregator(),
        VendorClass::Social => Thresholds::social(),
        VendorClass::EquityRealtime
        | VendorClass::EquityDelayed
        | VendorClass::EndOfDay
        | VendorClass::News => Thresholds::default(),
    }
}

/// Promises of one vendor: those of its class, where the file names no others.
pub(crate) fn of_vendor(reader: &Reader<'_>, class: VendorClass) -> Thresholds {
    let usual = of_class(class);
    let thresholds = Thresholds {
        p95: reader.duration("p95").unwrap_or(usual.p95),
        p99: reader.duration("p99").unwrap_or(usual.p99),
        success: reader.number("success_rate", 0.0, 1.0).unwrap_or(usual.success),
        failures: reader.count("failures", 1, 1_000).map_or(usual.failures, |failures| failures as u32),
        uptime: reader.number("uptime", 0.0, 1.0).unwrap_or(usual.uptime),
        completeness: reader.number("completeness", 0.0, 1.0).unwrap_or(usual.completeness),
        freshness: reader.duration("freshness").unwrap_or(usual.freshness),
    };
    if thresholds.p99 < thresholds.p95 {
        reader.problem("p99", format!("must not be below p95, which is {:?}", thresholds.p95));
    }
    thresholds
}

/// What is promised of answers.
pub(crate) fn promised(reader: &Reader<'_>) -> ServiceLevels {
    let usual = ServiceLevels::default();
    let mut goals = usual.goals;
    for (goal, class) in goals.iter_mut().zip(AnswerClass::ALL) {
        let section = reader.section(class.as_str());
        *goal = Goal {
            within: section.duration("within").unwrap_or(goal.within),
            share: section.number("share", 0.0, 0.99999).unwrap_or(goal.share),
        };
    }
    ServiceLevels { goals, required: required(reader) }
}

/// Capabilities the whole cannot do without.
fn required(reader: &Reader<'_>) -> Option<Vec<&'static str>> {
    let mut known: Vec<&'static str> = Capability::all().map(endpoint).collect();
    known.sort_unstable();
    known.dedup();
    let words = reader.texts("required")?;
    let mut required = Vec::new();
    for word in words {
        match known.iter().find(|known| **known == word) {
            Some(known) => required.push(*known),
            None => {
                let what = format!("names no capability; {}", suggestion(&word, known.iter().copied()));
                reader.problem("required", what);
            }
        }
    }
    Some(required)
}

#[cfg(test)]
mod tests {
    // SLA-2.
    use super::*;

    #[test]
    fn no_class_loses_its_promises() {
        let told = |class| {
            let promised = of_class(class);
            (promised.p95.as_secs(), promised.p99.as_secs(), promised.success, promised.failures)
        };
        assert_eq!(told(VendorClass::ExchangeBook), (1, 2, 0.95, 3));
        assert_eq!(told(VendorClass::DexAggregator), (3, 5, 0.90, 5));
        assert_eq!(told(VendorClass::Social), (5, 10, 0.85, 3));
        for class in [
            VendorClass::EquityRealtime,
            VendorClass::EquityDelayed,
            VendorClass::EndOfDay,
            VendorClass::News,
        ] {
            assert_eq!(told(class), (2, 5, 0.95, 3), "{}", class.as_str());
        }
    }
}
