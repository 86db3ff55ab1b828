//! SLA-1 to SLA-5 by the addresses they are told at.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use simulator::Fault;

use crate::stage::Stage;

const VENDORS: &[(&str, &str)] = &[("polygon", "premium"), ("finnhub", "free"), ("twelve_data", "free")];

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn words(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
}

async fn quotes(stage: &Stage, vendor: &str, count: u64) {
    for _ in 0..count {
        stage.pass(Duration::from_secs(11)).await;
        stage.get(&format!("/v1/quotes/latest?symbols=AAPL&vendor={vendor}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_health_of_the_whole_has_the_given_shape_and_true_numbers() {
    let stage = Stage::new(VENDORS).await;
    quotes(&stage, "polygon", 12).await;
    let answer = stage.get("/v1/health").await;
    let told = answer.json();
    assert_eq!(
        keys(&told),
        BTreeSet::from([
            "overall_status",
            "data_sources",
            "circuit_breakers",
            "cache_stats",
            "healthy",
            "degraded",
            "failed",
            "unhealthy",
            "degradation"
        ])
    );
    assert_eq!(answer.header("mda-simulated"), "true");
    let polygon = &told["data_sources"]["polygon"];
    assert_eq!(keys(polygon), BTreeSet::from(["status", "latency_p95", "success_rate"]));
    assert_eq!((&polygon["status"], &polygon["success_rate"]), (&"HEALTHY".into(), &1.0.into()));
    // The vendors take 20 ms and a few more, and nothing else took time.
    let p95 = polygon["latency_p95"].as_f64().unwrap();
    assert!((0.020..0.060).contains(&p95), "{p95}");
    // Nobody measured the others, and nothing is made up for them.
    assert_eq!(told["data_sources"]["finnhub"]["latency_p95"], Value::Null);
    assert_eq!(told["data_sources"]["finnhub"]["status"], "UNKNOWN");
    assert_eq!(keys(&told["data_sources"]), BTreeSet::from(["polygon", "finnhub", "twelve_data"]));
    let breaker = &told["circuit_breakers"]["polygon"];
    assert_eq!(breaker, &serde_json::json!({"state": "CLOSED", "failure_count": 0}));
    assert_eq!(told["cache_stats"]["answers"], serde_json::json!({"size": 1, "hit_rate": 0.0}));
    stage.get("/v1/quotes/latest?symbols=AAPL&vendor=polygon").await;
    let hits = stage.get("/v1/health").await.json();
    assert_eq!(hits["cache_stats"]["answers"]["hit_rate"], 0.0769);
    assert_eq!((&told["overall_status"], &told["degradation"]), (&"HEALTHY".into(), &0.0.into()));
    assert_eq!((words(&told["healthy"]), words(&told["unhealthy"])), (vec!["polygon"], vec![]));
}

#[tokio::test(start_paused = true)]
async fn looking_at_the_health_asks_no_vendor() {
    let stage = Stage::new(VENDORS).await;
    for _ in 0..100 {
        assert_eq!(stage.get("/v1/health").await.status, 200);
        assert_eq!(stage.get("/v1/service-levels").await.status, 200);
    }
    assert_eq!(stage.asked("polygon") + stage.asked("finnhub") + stage.asked("twelve_data"), 0);
}

#[tokio::test(start_paused = true)]
async fn one_idle_vendor_turns_nothing_red_and_one_failed_vendor_is_named() {
    let stage = Stage::new(VENDORS).await;
    stage.fails("finnhub", Fault::Outage);
    quotes(&stage, "finnhub", 5).await;
    quotes(&stage, "polygon", 12).await;
    let told = stage.get("/v1/health").await.json();
    assert_eq!(told["overall_status"], "HEALTHY", "{told}");
    assert_eq!(words(&told["healthy"]), ["polygon"]);
    assert_eq!(words(&told["failed"]), ["finnhub"]);
    assert_eq!(words(&told["unhealthy"]), ["finnhub"]);
    let finnhub = &told["circuit_breakers"]["finnhub"];
    assert_eq!((&finnhub["state"], &finnhub["failure_count"]), (&"OPEN".into(), &5.into()));
    assert_eq!(told["data_sources"]["finnhub"]["success_rate"], 0.0);
    // One of three failed, one of three breakers open, 12 of 17 calls succeeded.
    let degradation = told["degradation"].as_f64().unwrap();
    let expected = 0.5 / 3.0 + 0.2 / 3.0 + 0.1 * 5.0 / 17.0;
    assert!((degradation - expected).abs() < 1e-3, "{degradation} {expected}");
}

#[tokio::test(start_paused = true)]
async fn the_whole_is_as_ill_as_the_worst_capability_it_cannot_do_without() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    quotes(&stage, "polygon", 12).await;
    assert_eq!(stage.get("/v1/health").await.json()["overall_status"], "HEALTHY");
    stage.fails("polygon", Fault::Outage);
    quotes(&stage, "polygon", 5).await;
    let told = stage.get("/v1/health").await.json();
    assert_eq!((&told["overall_status"], words(&told["failed"])), (&"FAILED".into(), vec!["polygon"]));
    // Nobody is asked while the breaker is open, and it is down all the same.
    stage.pass(Duration::from_secs(20)).await;
    let levels = stage.get("/v1/service-levels").await.json();
    let quote = &levels["data"]["vendors"]["polygon"]["endpoints"]["quote"];
    assert!(quote["spans"]["1m"]["uptime"].as_f64().unwrap() < 0.2, "{quote}");
    assert_eq!((&quote["status"], &quote["consecutive_failures"]), (&"failed".into(), &5.into()));
    let events = stage.get("/v1/events?vendor=polygon").await.text;
    assert!(events.contains("service_level_changed"), "{events}");
    assert!(events.contains("went from healthy to failed: too many calls in a row failed"), "{events}");
}

#[tokio::test(start_paused = true)]
async fn levels_are_told_by_endpoint_and_span_with_their_certainty() {
    let stage = Stage::new(VENDORS).await;
    quotes(&stage, "polygon", 2).await;
    stage.get("/v1/bars?symbols=AAPL&vendor=polygon&start=2026-11-02&end=2026-11-06").await;
    let told = stage.get("/v1/service-levels").await.json();
    let polygon = &told["data"]["vendors"]["polygon"];
    assert_eq!(polygon["promised"]["latency_ms_p95"], 2000.0);
    assert_eq!(polygon["promised"]["freshness_ms"], 300_000.0);
    for span in ["last_100", "1m", "5m", "1h", "1d"] {
        let quote = &polygon["endpoints"]["quote"]["spans"][span];
        assert_eq!(quote["n"], 2, "{span}");
        let rate = &quote["success_rate"];
        assert_eq!((&rate["value"], &rate["most"]), (&1.0.into(), &1.0.into()));
        assert!((0.33..0.35).contains(&rate["least"].as_f64().unwrap()), "{rate}");
        // Two calls cannot bound a percentile from above.
        assert_eq!(quote["latency_ms_p95"]["most"], Value::Null);
        assert!(quote["latency_ms_p95"]["value"].as_f64().unwrap() >= 20.0);
        assert_eq!(quote["uptime"], 1.0);
        assert_eq!((&quote["completeness"]["n"], &quote["completeness"]["value"]), (&2.into(), &1.0.into()));
        assert!(quote["quality"]["value"].as_f64().unwrap() > 0.5);
        assert!(polygon["endpoints"]["bars"]["spans"][span]["n"].as_u64().unwrap() >= 1);
    }
    assert_eq!(told["data"]["required"], serde_json::json!({"quote": "healthy", "bars": "healthy"}));
    assert_eq!(told["data"]["vendors"]["finnhub"]["all"]["spans"]["1d"]["latency_ms_p95"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn no_exchange_with_a_vendor_passes_the_monitors_by() {
    // SLA-4: quotes, series in pages with their actions, second opinions, refreshes behind, probes.
    let routing = gateway::settings::Routing::default();
    let stage = Stage::routed(VENDORS, |_| {}, routing).await;
    for vendor in ["polygon", "finnhub"] {
        quotes(&stage, vendor, 3).await;
    }
    stage.get("/v1/bars?symbols=AAPL,MSFT&interval=1h&start=2025-11-03&end=2026-11-06&vendor=polygon").await;
    stage.get("/v1/news?symbols=AAPL&vendor=polygon").await;
    stage.get("/v1/corporate-actions?symbols=AAPL&vendor=polygon").await;
    stage.get("/v1/quotes/latest?symbols=NOSUCH&vendor=polygon").await;
    stage.ask("POST", "/v1/vendors/finnhub/probe", &[]).await;
    stage.get("/v1/quotes/latest?symbols=MSFT&vendor=polygon&stale=allow").await;
    stage.pass(Duration::from_secs(6)).await;
    stage.get("/v1/quotes/latest?symbols=MSFT&vendor=polygon&stale=allow").await;
    stage.pass(Duration::from_secs(30)).await;
    let told = stage.get("/v1/service-levels").await.json();
    for vendor in ["polygon", "finnhub", "twelve_data"] {
        let levels = &told["data"]["vendors"][vendor];
        let seen = levels["all"]["spans"]["1d"]["n"].as_u64().unwrap();
        let by_endpoint = levels["endpoints"].as_object().unwrap().values();
        let sum: u64 = by_endpoint.map(|level| level["spans"]["1d"]["n"].as_u64().unwrap()).sum();
        assert_eq!((seen, sum), (stage.asked(vendor) as u64, stage.asked(vendor) as u64), "{vendor}");
    }
    assert!(stage.asked("polygon") > 10 && stage.asked("twelve_data") > 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_timed_to_its_last_byte() {
    // SLA-4.
    let stage = Stage::new(VENDORS).await;
    stage.fails("polygon", Fault::Slow(Duration::from_millis(1_200)));
    quotes(&stage, "polygon", 1).await;
    let told = stage.get("/v1/health").await.json();
    assert!(told["data_sources"]["polygon"]["latency_p95"].as_f64().unwrap() >= 1.2, "{told}");
}

#[tokio::test(start_paused = true)]
async fn answers_are_held_against_the_promise_of_their_class_and_an_outage_sounds_the_alarm() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    quotes(&stage, "polygon", 20).await;
    stage.get("/v1/quotes/latest?symbols=AAPL&vendor=polygon").await;
    assert!(stage.remembered("/v1/quotes/latest?symbols=AAPL&vendor=polygon", &[]).await.is_some());
    stage.get("/v1/bars?symbols=AAPL&start=2026-11-02&end=2026-11-06").await;
    // Nobody but the caller can do anything about it.
    stage.get("/v1/quotes/latest?symbols=NOSUCH").await;
    let answers = |told: &Value, class: &str| {
        let budget = &told["data"]["answers"][class]["budget"];
        (budget["answers"].as_u64().unwrap(), budget["bad"].as_u64().unwrap())
    };
    let told = stage.get("/v1/service-levels").await.json();
    let counts = ["cached", "real_time", "history", "mixed"].map(|class| answers(&told, class));
    assert_eq!(counts, [(2, 0), (20, 0), (1, 0), (23, 0)]);
    assert_eq!(told["data"]["answers"]["real_time"]["alarms"]["fast"]["threshold"], 14.4);
    stage.fails("polygon", Fault::Outage);
    quotes(&stage, "polygon", 30).await;
    let told = stage.get("/v1/service-levels").await.json();
    assert_eq!(answers(&told, "real_time"), (50, 30));
    let alarm = &told["data"]["answers"]["real_time"]["alarms"]["fast"];
    assert_eq!(alarm["sounds"], true, "{alarm}");
    assert_eq!(keys(&alarm["burn_rates"]), BTreeSet::from(["1h", "5m"]));
    assert!(told["data"]["answers"]["real_time"]["budget"]["left"].as_f64().unwrap() < 0.0);
    let events = stage.get("/v1/events").await.text;
    assert!(events.contains("burn_rate_high") && events.contains("real_time answers"), "{events}");
    assert!(!events.contains("history answers"), "{events}");
}
