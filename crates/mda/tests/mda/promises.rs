//! SLA-1 to SLA-5: what is promised in the file is what the running gateway is held to.

use std::collections::BTreeSet;

use crate::stage::{Gateway, Vendors};

#[test]
fn a_gateway_is_judged_by_the_promises_of_its_file() {
    let vendors =
        Vendors::start(&["--plan", "polygon=premium", "--no-latency", "--at", "2026-11-18T15:30:00Z"]);
    let usual = vendors.configuration(&["polygon"]);
    let strict = "  polygon:\n    sla: {p95: 500ms, p99: 1s, success_rate: 0.99, failures: 1}\n";
    let mut configuration = usual.replacen("  polygon:\n", strict, 1);
    configuration.push_str("service_levels: {required: [quote], cached: {within: 20ms, share: 0.99}}\n");
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::serve(&configuration, data.path());
    let idle = gateway.get("/v1/health").ok();
    assert_eq!(idle["overall_status"], "UNKNOWN", "{idle}");
    gateway.get("/v1/quotes/latest?symbols=AAPL").ok();
    gateway.get("/v1/quotes/latest?symbols=AAPL").ok();
    let well = gateway.get("/v1/health").ok();
    let keys: BTreeSet<&str> = well.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "overall_status",
        "data_sources",
        "circuit_breakers",
        "cache_stats",
        "healthy",
        "degraded",
        "failed",
        "unhealthy",
        "degradation",
    ];
    assert_eq!(keys, BTreeSet::from(expected));
    assert_eq!(well["overall_status"], "HEALTHY", "{well}");
    assert_eq!(well["data_sources"]["polygon"]["success_rate"], 1.0);
    assert_eq!(well["cache_stats"]["answers"]["hit_rate"], 0.5);

    vendors.fail("outage", "polygon", "60s");
    assert_eq!(gateway.get("/v1/quotes/latest?symbols=MSFT").status, 502);
    let asked = vendors.journal().len();
    for _ in 0..100 {
        gateway.get("/v1/health").ok();
    }
    let down = gateway.get("/v1/health").ok();
    // One failure is too many by this file, and looking asks nobody.
    assert_eq!(down["overall_status"], "FAILED", "{down}");
    assert_eq!(down["failed"], serde_json::json!(["polygon"]));
    assert_eq!(down["data_sources"]["polygon"]["success_rate"], 0.5);
    assert_eq!(down["circuit_breakers"]["polygon"]["failure_count"], 1);
    assert_eq!(vendors.journal().len(), asked);

    let levels = gateway.get("/v1/service-levels").ok();
    assert_eq!(levels["data"]["required"], serde_json::json!({"quote": "failed"}));
    assert_eq!(levels["data"]["vendors"]["polygon"]["promised"]["latency_ms_p95"], 500.0);
    assert_eq!(levels["data"]["vendors"]["polygon"]["all"]["spans"]["1h"]["n"], asked);
    let cached = &levels["data"]["answers"]["cached"];
    assert_eq!((&cached["within_ms"], &cached["share"]), (&20.0.into(), &0.99.into()));
    assert_eq!(cached["budget"]["answers"], 1);
    assert_eq!(levels["data"]["answers"]["real_time"]["budget"]["bad"], 1);
}
