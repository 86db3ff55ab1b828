//! RTY-4, RTE-5, RTE-8, RTE-9, CON-2, BRK-1, TST-4, TST-9: a vendor that hangs, lies, limits us or is taken
//! out, each commanded as a person would.

use serde_json::Value;

use crate::process::run;
use crate::stage::{Demo, Gateway, Vendors, fail};
use crate::web;

const SESSION: &str = "2026-11-18T15:30:00Z";

fn quote(demo: &Demo, symbol: &str, policy: &str) -> Value {
    demo.get(&format!("/v1/quotes/latest?symbols={symbol}{policy}")).ok()
}

#[test]
fn a_hanging_vendor_is_not_waited_for() {
    // RTY-4, TGT-3: the second vendor is asked long before the deadline of 2 s.
    let demo = Demo::start(&["--at", SESSION]);
    fail(&demo.vendors, "hang", "finnhub", "60s");
    let body = quote(&demo, "AAPL", "&vendors=finnhub,polygon");
    assert_eq!(body["meta"]["vendor"], "polygon");
    let asked: Vec<&str> =
        body["meta"]["attempts"].as_array().unwrap().iter().map(|a| a["vendor"].as_str().unwrap()).collect();
    assert!(asked.contains(&"finnhub") && asked.contains(&"polygon"), "{asked:?}");
    // Alone it is waited for until the deadline, and no longer.
    let alone = demo.get("/v1/quotes/latest?symbols=MSFT&vendor=finnhub&deadline=300ms");
    alone.problem(504, "DEADLINE");
}

#[test]
fn a_vendor_that_lies_is_outvoted() {
    // CON-2, RTE-2.
    let demo = Demo::start(&["--at", SESSION]);
    fail(&demo.vendors, "wrong", "finnhub", "60s");
    let last = |body: &Value| body["data"]["NVDA"]["last"].as_f64().unwrap();
    let lie = last(&quote(&demo, "NVDA", "&vendor=finnhub"));
    let agreed = quote(&demo, "NVDA", "&strategy=consensus&vendors=finnhub,polygon,twelve_data");
    assert_ne!(agreed["meta"]["vendor"], "finnhub", "{agreed}");
    // The lie is three in a hundred; the market moves less in the seconds between.
    let off = lie / last(&agreed);
    assert!((1.02..1.04).contains(&off), "{off}");
}

#[test]
fn a_vendor_that_limits_us_is_left_alone_and_nobody_notices() {
    // LIM-6, LIM-8, RTE-12: of eight calls a minute four are left, so that the next is 15 s away.
    let demo = Demo::start(&["--at", SESSION]);
    fail(&demo.vendors, "429", "twelve_data", "60s");
    for symbol in ["AAPL", "MSFT", "NVDA", "AMZN", "INTC", "IBM", "KO", "JPM"] {
        let body = quote(&demo, symbol, "&vendors=twelve_data,finnhub");
        assert_eq!(body["meta"]["vendor"], "finnhub", "{symbol}");
    }
    let limited: Vec<Value> =
        demo.journal().into_iter().filter(|line| line["vendor"] == "twelve_data").collect();
    assert_eq!(limited.len(), 1, "{limited:?}");
}

#[test]
fn a_vendor_is_taken_out_and_put_back_while_the_gateway_runs() {
    // RTE-8, RTE-9, ACC-3.
    let demo = Demo::start(&["--at", SESSION]);
    let state = || {
        let told = run(&["--json", "vendors", "polygon", "--server", &demo.base]).json();
        told["data"]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(), "active");
    let drained = web::try_send("POST", &demo.base, "/v1/vendors/polygon/drain").unwrap();
    assert_eq!((drained.status, state().as_str()), (200, "drained"));
    let refused = demo.get("/v1/quotes/latest?symbols=AAPL&vendor=polygon").problem(503, "NO_HEALTHY_VENDOR");
    let id = refused["request_id"].as_str().unwrap();
    let record = demo.get(&format!("/v1/explain/{id}")).ok();
    let candidates = record["data"]["candidates"].as_array().unwrap();
    let why = candidates.iter().find(|candidate| candidate["vendor"] == "polygon").unwrap();
    assert_eq!(why["skipped"], "drained", "{record}");
    assert!(demo.journal().iter().all(|line| line["vendor"] != "polygon"));
    // GET takes nobody out, and the alias is the same vendor.
    assert_eq!(demo.get("/v1/vendors/finnhub/drain").status, 405);
    let back = web::try_send("POST", &demo.base, "/v1/vendors/massive/undrain").unwrap();
    assert_eq!((back.status, state().as_str()), (200, "active"));
    assert_eq!(quote(&demo, "AAPL", "&vendor=polygon")["meta"]["vendor"], "polygon");
}

#[test]
fn a_fault_can_be_told_before_anything_starts() {
    // TST-4: scheduled, and told by the vendors' own list of what is to come.
    let vendors = Vendors::start(&["--no-latency", "--fault", "polygon:outage@0s+600s"]);
    let ahead = web::get(&vendors.base, "/_sim/chaos").ok();
    assert_eq!((ahead[0]["vendor"].as_str(), ahead[0]["fault"].as_str()), (Some("polygon"), Some("outage")));
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::serve(&vendors.configuration(&["polygon"]), data.path());
    let refused = gateway.get("/v1/bars?symbols=AAPL&interval=1d&start=2025-03-03&end=2025-06-02");
    assert!([502, 503].contains(&refused.status), "{} {}", refused.status, refused.body);
    assert_eq!(refused.json()["attempts"][0]["outcome"], "vendor_fault", "{}", refused.body);
    let lines = vendors.journal();
    assert!(!lines.is_empty() && lines.iter().all(|line| line["fault"] == "outage"), "{lines:?}");
}
