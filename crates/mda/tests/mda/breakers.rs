//! BRK-4, BRK-7, BRK-11, RTE-3: breakers over restarts, by command and by calendar; hosts that stand in for one
//! another.

use serde_json::Value;

use crate::process::run;
use crate::stage::{Demo, Gateway, Vendors};

const SYMBOLS: [&str; 8] = ["AAPL", "MSFT", "NVDA", "AMZN", "INTC", "IBM", "KO", "JPM"];

fn breaker(gateway: &Gateway) -> Value {
    gateway.get("/v1/vendors/polygon").ok()["data"]["circuit_breaker"].clone()
}

#[test]
fn an_open_breaker_is_open_after_a_kill() {
    // BRK-11: restart is not the reset.
    let vendors = Vendors::start(&["--unlimited", "--no-latency"]);
    let configuration = vendors.configuration(&["polygon"]);
    let data = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::serve(&configuration, data.path());
    vendors.fail("outage", "polygon", "600s");
    for symbol in SYMBOLS {
        gateway.get(&format!("/v1/quotes/latest?symbols={symbol}"));
    }
    let before = breaker(&gateway);
    assert_eq!(before["state"], "open", "{before}");
    // What is written behind is on disk once a later question about the record was answered from there.
    gateway.get("/v1/failures").ok();
    gateway.running.kill();
    let asked = vendors.journal().len();
    let again = Gateway::serve(&configuration, data.path());
    let after = breaker(&again);
    assert_eq!(after["state"], "open", "{after}");
    assert!(after["retry_at"].is_string());
    again.get("/v1/quotes/latest?symbols=AAPL").problem(503, "NO_HEALTHY_VENDOR");
    assert_eq!(vendors.journal().len(), asked, "nobody asks a vendor that is out");
}

#[test]
fn an_operator_orders_by_command_and_the_record_says_who() {
    // BRK-7, BRK-11, RTE-8.
    let demo = Demo::start(&["--at", "2026-11-18T15:30:00Z"]);
    let order = |words: &[&str]| {
        let mut all = vec!["--json", "vendors", "polygon", "--server", &demo.base];
        all.extend(words);
        let done = run(&all);
        assert_eq!(done.code, 0, "{words:?}: {}", done.said());
        done.json()["data"].clone()
    };
    let because = ["--by", "ann", "--reason", "upgrade"];
    let with = |words: &[&'static str]| [words, &because].concat();
    assert_eq!(order(&with(&["maintenance", "--for", "2h"]))["state"], "maintenance");
    assert_eq!(order(&with(&["maintenance", "--end", "now"]))["circuit_breaker"]["state"], "half_open");
    assert_eq!(order(&with(&["breaker", "open", "--for", "10m"]))["circuit_breaker"]["state"], "open");
    assert_eq!(order(&with(&["breaker", "closed"]))["circuit_breaker"]["state"], "closed");
    let endpoint = order(&with(&["breaker", "open", "--endpoint", "quote"]));
    assert_eq!(endpoint["circuit_breaker"]["endpoints"]["quote"], "open");
    order(&with(&["breaker", "closed"]));
    assert_eq!(order(&with(&["drain"]))["state"], "drained");
    assert_eq!(order(&with(&["undrain"]))["state"], "active");
    assert_eq!(order(&with(&["priority", "3"]))["priority"], 3);
    assert_eq!(order(&["probe"])["health"]["calls"], 1);
    let events = demo.get("/v1/events?limit=1000").ok();
    let told: Vec<&str> =
        events["data"].as_array().unwrap().iter().filter_map(|event| event["detail"].as_str()).collect();
    for what in ["the end of maintenance", "drain", "undrain", "priority 3", "circuit breaker reset"] {
        let wanted = format!("ann ordered {what}: upgrade");
        assert!(told.contains(&wanted.as_str()), "{wanted}: {told:?}");
    }
    // An order needs its vendor, a reason where one is due, and somebody who takes it.
    assert_ne!(run(&["vendors", "polygon", "--server", &demo.base, "maintenance"]).code, 0);
    assert_ne!(run(&["vendors", "polygon", "--server", "http://127.0.0.1:1", "drain"]).code, 0);
}

#[test]
fn work_announced_in_the_configuration_is_kept_to() {
    // BRK-7.
    let vendors = Vendors::start(&["--unlimited", "--no-latency"]);
    let text = vendors.configuration(&["polygon"]);
    let work = "  polygon:\n    maintenance:\n      - {start: 2026-01-01T00:00:00Z, end: 2126-01-01T00:00:00Z, \
                reason: the great move}\n";
    let configuration = text.replacen("  polygon:\n", work, 1);
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::serve(&configuration, data.path());
    let told = gateway.get("/v1/vendors/polygon").ok()["data"].clone();
    assert_eq!(
        (told["state"].as_str(), told["reason"].as_str()),
        (Some("maintenance"), Some("the great move"))
    );
    gateway.get("/v1/quotes/latest?symbols=AAPL").problem(503, "NO_HEALTHY_VENDOR");
    assert!(vendors.journal().is_empty());
}

#[test]
fn a_dead_host_is_stood_in_for_by_another_of_the_vendor_and_opens_nothing() {
    // RTE-3.
    let vendors = Vendors::start(&["--unlimited", "--no-latency"]);
    let text = vendors.configuration(&["polygon"]);
    let host = format!("{}/polygon", vendors.base);
    let single = format!("    base_url: {host}\n");
    assert!(text.contains(&single), "{text}");
    let several = format!("    base_urls: [http://127.0.0.1:1/polygon, {host}]\n");
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::serve(&text.replacen(&single, &several, 1), data.path());
    for symbol in SYMBOLS {
        let body = gateway.get(&format!("/v1/quotes/latest?symbols={symbol}")).ok();
        assert_eq!(body["meta"]["vendor"], "polygon");
    }
    let told = gateway.get("/v1/vendors/polygon").ok()["data"].clone();
    assert_eq!(told["circuit_breaker"]["state"], "closed");
    assert_eq!(told["health"]["error_count"], 0);
    let hosts = told["hosts"].as_array().unwrap();
    assert_eq!(hosts[1]["is_chosen"], true, "{hosts:?}");
    assert!(hosts[0]["away_until"].is_string());
}
