//! SYM-8, GRD-4, SRC-10, SYM-3, CMP-1, TST-7: what a closed market, a health check and a limited vendor do
//! not do.

use serde_json::Value;

use crate::stage::{Demo, fail};

#[test]
fn nothing_is_stale_and_nothing_is_missing_while_the_market_is_closed() {
    // SYM-8, GRD-4: a Sunday, and an hour after the close of a half day.
    for at in ["2026-11-22T15:00:00Z", "2026-11-27T19:00:00Z"] {
        let demo = Demo::start(&["--at", at]);
        let quote = demo.get("/v1/quotes/latest?symbols=AAPL").ok();
        let meta = &quote["meta"];
        assert_eq!(meta["freshness"]["stale"], false, "{at}: {meta}");
        let cap = meta["grade"]["cap"].as_str().unwrap_or_default();
        for word in ["FRESH", "STALE", "DELAY", "TTL", "LATE", "OLD"] {
            assert!(!cap.to_uppercase().contains(word), "{at}: capped by {cap}");
        }
        assert!(meta["grade"]["dimensions"]["timeliness"].as_f64() >= Some(90.0), "{at}: {}", meta["grade"]);
        let bars =
            demo.get("/v1/bars?symbols=AAPL&interval=1d&start=2026-11-02&end=2026-11-28&adjustment=raw").ok();
        assert_eq!(
            bars["meta"]["coverage"]["gaps"],
            Value::Array(vec![]),
            "{at}: {}",
            bars["meta"]["coverage"]
        );
        let rows = bars["data"]["AAPL"].as_array().unwrap();
        let half_day = rows.iter().any(|row| row["date"] == "2026-11-27");
        assert_eq!(half_day, at > "2026-11-27", "{at}: {rows:?}");
        assert!(!rows.iter().any(|row| row["date"] == "2026-11-26"), "Thanksgiving has no bar");
    }
}

#[test]
fn a_health_check_asks_no_vendor_anything() {
    // SRC-10, CMP-1.
    let demo = Demo::start(&["--at", "2026-11-18T15:30:00Z"]);
    for _ in 0..100 {
        for path in ["/health", "/healthz"] {
            assert_eq!(demo.get(path).status, 200, "{path}");
        }
    }
    assert_eq!(demo.journal().len(), 0);
}

#[test]
fn a_limited_vendor_is_unsure_of_a_symbol_and_a_failing_list_hides_no_symbol() {
    // SYM-3, RTE-7, CMP-1: refused is no "no".
    let demo = Demo::start(&["--at", "2026-11-18T15:30:00Z"]);
    fail(&demo.vendors, "429", "finnhub", "60s");
    fail(&demo.vendors, "outage", "polygon", "60s");
    let valid = demo.get("/validate/AAPL").ok();
    let of = |vendor: &str| find(&valid, vendor).unwrap_or_else(|| panic!("{vendor}: {valid}"));
    assert_eq!(of("finnhub"), &Value::Null, "{valid}");
    assert_ne!(of("yahoo"), &Value::Bool(false), "{valid}");
    let symbols = demo.get("/symbols");
    assert_eq!(symbols.status, 200, "{}", symbols.body);
    assert!(symbols.body.contains("\"AAPL\""), "{}", symbols.body);
}

/// The value under a key, wherever it stands.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map.get(key).or_else(|| map.values().find_map(|value| find(value, key))),
        Value::Array(list) => list.iter().find_map(|value| find(value, key)),
        _ => None,
    }
}
