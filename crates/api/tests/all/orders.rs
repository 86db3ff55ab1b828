//! BRK-7, BRK-11, RTE-8: what operators order of vendors, and the record of it.

use std::time::Duration;

use simulator::Fault;

use crate::stage::Stage;

const BOTH: [(&str, &str); 2] = [("finnhub", "premium"), ("polygon", "premium")];

async fn events(stage: &Stage) -> Vec<(String, String, String)> {
    let events = stage.get("/v1/events?limit=1000").await.json();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let rows = events["data"].as_array().unwrap().iter();
    rows.map(|row| (text(&row["kind"]), text(&row["severity"]), text(&row["detail"]))).collect()
}

async fn post(stage: &Stage, target: &str) -> serde_json::Value {
    let answer = stage.ask("POST", target, &[]).await;
    assert_eq!(answer.status, 200, "{target}: {}", answer.text);
    answer.json()["data"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_vendor_in_maintenance_is_not_asked_alarms_nobody_and_comes_back_by_a_probe() {
    let stage = Stage::new(&BOTH).await;
    let told = post(&stage, "/v1/vendors/polygon/maintenance?for=10m&reason=upgrade&by=ann").await;
    assert_eq!((told["state"].as_str(), told["reason"].as_str()), (Some("maintenance"), Some("upgrade")));
    assert_eq!(told["circuit_breaker"]["retry_at"], "2026-11-18T15:40:00Z");
    stage.fails("polygon", Fault::Outage);
    for symbol in ["AAPL", "MSFT", "NVDA", "IBM", "KO"] {
        let told = stage.get(&format!("/v1/quotes/latest?symbols={symbol}")).await.json();
        assert_eq!(told["meta"]["vendor"], "finnhub");
    }
    assert_eq!(stage.asked("polygon"), 0);
    let alarms: Vec<_> =
        events(&stage).await.into_iter().filter(|(_, severity, _)| severity != "info").collect();
    assert_eq!(alarms, []);
    stage.recovers("polygon");
    stage.pass(Duration::from_secs(601)).await;
    stage.get("/v1/quotes/latest?symbols=AAPL&vendor=polygon").await;
    let told = stage.get("/v1/vendors/polygon").await.json();
    assert_eq!(told["data"]["circuit_breaker"]["state"], "half_open", "one probe is not enough");
    stage.get("/v1/quotes/latest?symbols=MSFT&vendor=polygon").await;
    let told = stage.get("/v1/vendors/polygon").await.json();
    assert_eq!(told["data"]["circuit_breaker"]["state"], "closed");
}

#[tokio::test(start_paused = true)]
async fn maintenance_without_an_end_lasts_until_it_is_ended() {
    let stage = Stage::new(&BOTH).await;
    post(&stage, "/v1/vendors/polygon/maintenance?reason=move").await;
    stage.pass(Duration::from_secs(30 * 86_400)).await;
    assert_eq!(stage.get("/v1/vendors/polygon").await.json()["data"]["state"], "maintenance");
    let told = post(&stage, "/v1/vendors/polygon/maintenance?end=now&by=bob&reason=done").await;
    assert_eq!(told["circuit_breaker"]["state"], "half_open");
}

#[tokio::test(start_paused = true)]
async fn a_breaker_is_forced_open_and_reset_as_a_whole_or_for_one_kind_of_question() {
    let stage = Stage::new(&BOTH).await;
    let told = post(&stage, "/v1/vendors/polygon/breaker?state=open&for=30m").await;
    assert_eq!(told["circuit_breaker"]["state"], "open");
    assert_eq!(told["circuit_breaker"]["retry_at"], "2026-11-18T16:00:00Z");
    assert_eq!(told["is_available"], false);
    let refused = stage.get("/v1/quotes/latest?symbols=AAPL&vendor=polygon").await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert_eq!(refused.header("retry-after"), "1800", "the earliest retry is told");
    let told = post(&stage, "/v1/vendors/polygon/breaker?state=closed").await;
    assert_eq!(told["circuit_breaker"]["state"], "closed");
    post(&stage, "/v1/vendors/polygon/breaker?state=open&endpoint=quote").await;
    let told = stage.get("/v1/vendors/polygon").await.json()["data"].clone();
    assert_eq!(told["circuit_breaker"]["state"], "closed");
    assert_eq!(told["circuit_breaker"]["endpoints"]["quote"], "open");
    assert_eq!(stage.get("/v1/quotes/latest?symbols=AAPL&vendor=polygon").await.status, 503);
    let bars = "/v1/bars?symbols=AAPL&vendor=polygon&start=2026-11-02&end=2026-11-10&adjustment=raw";
    assert_eq!(stage.get(bars).await.status, 200, "the other kinds of questions go on");
    post(&stage, "/v1/vendors/polygon/breaker?state=closed&endpoint=quote").await;
    assert_eq!(stage.get("/v1/quotes/latest?symbols=AAPL&vendor=polygon").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn every_order_is_on_record_with_who_and_why() {
    let stage = Stage::new(&BOTH).await;
    for (target, what) in [
        ("drain?by=ann&reason=bill", "drain"),
        ("undrain?by=ann&reason=bill", "undrain"),
        ("priority?value=3&by=ann&reason=bill", "priority 3"),
        ("maintenance?end=2026-11-19&by=ann&reason=bill", "maintenance until 2026-11-19T00:00:00Z"),
        ("maintenance?end=now&by=ann&reason=bill", "the end of maintenance"),
        ("breaker?state=open&for=1m&by=ann&reason=bill", "circuit breaker open until 2026-11-18T15:31:00Z"),
        ("breaker?state=closed&by=ann&reason=bill", "circuit breaker reset"),
        ("breaker?state=closed&endpoint=bars&by=ann&reason=bill", "circuit breaker of bars reset"),
    ] {
        post(&stage, &format!("/v1/vendors/polygon/{target}")).await;
        let told = events(&stage).await;
        let wanted = ("ordered".to_owned(), "info".to_owned(), format!("ann ordered {what}: bill"));
        assert!(told.contains(&wanted), "{target}: {told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn orders_that_make_no_sense_are_refused_and_change_nothing() {
    let stage = Stage::new(&BOTH).await;
    for target in [
        "maintenance",
        "maintenance?end=2020-01-01&reason=x",
        "maintenance?end=soon&reason=x",
        "maintenance?end=2026-11-19&for=1h&reason=x",
        "breaker",
        "breaker?state=ajar",
        "breaker?state=open&endpoint=gossip",
        "breaker?state=closed&for=1h",
        "breaker?state=open&untill=now",
    ] {
        let answer = stage.ask("POST", &format!("/v1/vendors/polygon/{target}"), &[]).await;
        assert_eq!(answer.status, 400, "{target}: {}", answer.text);
    }
    assert_eq!(stage.ask("POST", "/v1/vendors/acme/breaker?state=open", &[]).await.status, 404);
    assert_eq!(stage.get("/v1/vendors/polygon").await.json()["data"]["circuit_breaker"]["state"], "closed");
    assert!(events(&stage).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_as_it_goes_critical_then_a_warning_then_news() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    stage.fails("polygon", Fault::Outage);
    for symbol in ["AAPL", "MSFT", "NVDA", "IBM", "KO", "JPM", "V", "WMT", "INTC"] {
        stage.get(&format!("/v1/quotes/latest?symbols={symbol}")).await;
    }
    stage.recovers("polygon");
    stage.pass(Duration::from_secs(67)).await;
    stage.get("/v1/quotes/latest?symbols=AAPL").await;
    stage.get("/v1/quotes/latest?symbols=MSFT").await;
    let told = events(&stage).await;
    let severity = |word: &str| {
        let text = format!(" to {word}: ");
        told.iter().find(|(_, _, told)| told.contains(&text)).map(|(_, severity, _)| severity.as_str())
    };
    assert_eq!(severity("open"), Some("critical"));
    assert_eq!(severity("half_open"), Some("warning"));
    assert_eq!(severity("closed"), Some("info"));
}
