//! TGT-1, TST-2, TST-5 through the program: a scripted quarter of an hour of trouble, told as one object.

use serde_json::Value;

use crate::process::run;

#[test]
fn a_drill_tells_what_callers_noticed_and_what_the_vendors_counted() {
    let drill = run(&["--json", "demo", "--drill", "outages", "--speed", "45", "--listen", "127.0.0.1:0"]);
    let told = drill.json();
    let number = |key: &str| told[key].as_f64().unwrap_or_else(|| panic!("{key}: {}", drill.said()));
    assert_eq!(number("quota_excess"), 0.0, "{told}");
    assert!((0.5..=1.0).contains(&number("hit_rate")), "{told}");
    assert!((0.99..=1.0).contains(&number("availability")), "{told}");
    assert!((0.99..=1.0).contains(&number("availability_stale_allowed")), "{told}");
    assert!(number("answers") > 4_000.0, "{told}");
    assert!(number("spend") > 0.0, "{told}");
    assert!(number("failovers") > 0.0, "somebody failed: {told}");
    assert!(told["failover_added_ms"]["p50"].as_f64() <= told["failover_added_ms"]["p99"].as_f64(), "{told}");
    assert!(told["by_vendor"]["polygon"].as_u64() > Some(100), "{told}");
    assert!(told["invariants_broken"].as_array().is_some_and(Vec::is_empty), "{told}");
    assert_eq!(told["simulated"], Value::Bool(true));
}
