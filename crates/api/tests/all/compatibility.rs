//! The addresses of older systems. CMP-1 to CMP-7, SYM-3.

use insta::assert_json_snapshot;
use serde_json::{Value, json};
use simulator::Fault;

use crate::stage::{Stage, limit};

#[tokio::test(start_paused = true)]
async fn the_root_names_addresses_that_exist_and_is_a_page_for_people() {
    let stage = Stage::new(&[("finnhub", "premium")]).await;
    let root = stage.get("/").await.json();
    assert_json_snapshot!(root);
    for link in ["docs", "openapi", "health"] {
        let answer = stage.get(root[link].as_str().unwrap()).await;
        assert!(answer.status.is_success() || answer.status.is_redirection(), "{link}: {}", answer.status);
    }
    let page = stage.ask("GET", "/", &[("accept", "text/html,*/*;q=0.8")]).await;
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(page.text.contains("SIMULATED") && page.text.contains("finnhub"));
    for target in page.text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        let answer = stage.get(&target.replace("&amp;", "&")).await;
        assert!(answer.status.is_success() || answer.status.is_redirection(), "{target}: {}", answer.status);
    }
}

#[tokio::test(start_paused = true)]
async fn health_and_sources_ask_nobody_and_show_unused_vendors_too() {
    let stage = Stage::new(&[("finnhub", "premium")]).await;
    let health = stage.get("/health").await.json();
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["healthy_sources"], 1);
    assert_eq!(health["total_sources"], vendors::ALL.len());
    assert_eq!(health["sources"]["yahoo"]["is_available"], false);
    let sources = stage.get("/sources/status").await.json();
    assert_eq!(sources["sources"].as_object().unwrap().len(), vendors::ALL.len());
    assert_eq!(sources["sources"]["finnhub"]["circuit_breaker_state"], "closed");
    assert_eq!(stage.asked("finnhub"), 0);
    assert_eq!(stage.get("/api/v1/sources").await.json(), stage.get("/sources").await.json());
}

#[tokio::test(start_paused = true)]
async fn a_price_comes_with_what_experience_tells() {
    let stage = Stage::new(&[("yahoo", "default")]).await;
    let answer = stage.get("/price/aapl").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let price = answer.json();
    assert_eq!((&price["symbol"], &price["source"]), (&json!("AAPL"), &json!("yahoo")));
    assert!(price["price"].is_number() && price["quality_score"].is_number());
    assert_eq!(price["cached"], false);
    assert_eq!(stage.get("/price/AAPL").await.json()["cached"], true);
    let insights = &price["learning_insights"];
    assert!(insights["predicted_quality"].is_number());
    assert_eq!(insights["source_reputation"]["calls"], 1);
    assert!(!insights["market_context"]["related_symbols"].as_array().unwrap().is_empty());
    assert!(!insights["market_context"]["recent_anomalies"].is_null());
}

#[tokio::test(start_paused = true)]
async fn trouble_is_told_in_one_field_with_the_status_of_the_table() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    let unknown = stage.get("/price/NOSUCHXYZ").await;
    assert_eq!(
        (unknown.status.as_u16(), unknown.json()),
        (404, json!({"detail": "no vendor knows the symbol"}))
    );
    stage.fails("polygon", Fault::Outage);
    let down = stage.get("/price/AAPL").await;
    assert_eq!(down.status, 502);
    assert!(down.json()["detail"].is_string());
    assert_eq!(stage.get("/historical/AAPL?interval=7d&nonsense=1").await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn history_is_of_the_asked_interval_and_holds_both_dates() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    let target = "/historical/AAPL?start_date=2026-11-02&end_date=2026-11-06";
    let daily = stage.get(target).await.json();
    assert_eq!((&daily["interval"], &daily["data_points"]), (&json!("1d"), &json!(5)));
    assert_eq!(daily["data"][0]["timestamp"], "2026-11-02");
    assert_eq!(daily["data"][4]["timestamp"], "2026-11-06");
    let weekly = stage
        .get("/api/v1/historical/AAPL?start_date=2026-10-05&end_date=2026-10-30&interval=1wk")
        .await
        .json();
    assert_eq!((&weekly["interval"], &weekly["data_points"]), (&json!("1w"), &json!(4)), "{weekly}");
}

#[tokio::test(start_paused = true)]
async fn unknown_is_never_told_as_valid_nor_as_invalid() {
    let stage = Stage::tuned(&[("polygon", "premium"), ("finnhub", "premium")], |upstream| {
        if upstream.vendor().as_str() == "finnhub" {
            upstream.plan.limits = limit(1, 3_600);
        }
    })
    .await;
    let known = stage.get("/validate/AAPL").await.json();
    assert_eq!((&known["is_valid"], &known["answered_by"]), (&json!(true), &json!("directory")));
    assert_eq!(stage.asked("polygon") + stage.asked("finnhub"), 0);
    stage.get("/v1/quotes/latest?symbols=MSFT&vendor=finnhub").await;
    let unknown = stage.get("/validate/NOSUCHXYZ").await.json();
    assert_eq!(unknown["validation_results"], json!({"finnhub": null, "polygon": false}));
    assert_eq!(unknown["is_valid"], false);
    stage.fails("polygon", Fault::TooManyRequests);
    let nobody = stage.get("/validate/ELSEXYZ").await.json();
    assert_eq!(nobody["is_valid"], Value::Null, "{nobody}");
}

#[tokio::test(start_paused = true)]
async fn the_list_of_symbols_survives_a_failing_list() {
    let stage = Stage::new(&[("polygon", "premium"), ("finnhub", "premium")]).await;
    stage.fails("finnhub", Fault::Outage);
    let answer = stage.get("/symbols?limit=3").await;
    assert_eq!(answer.status, 200);
    let list = answer.json();
    assert_eq!(list["returned_symbols"], 3);
    assert!(list["failed_sources"]["finnhub"].is_string(), "{list}");
    assert!(list["total_unique_symbols"].as_u64().unwrap() >= 5);
}
