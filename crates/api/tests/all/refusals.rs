//! What refusals look like. API-2, API-4, API-6, RTE-7, RTE-11, ACC-2.

use insta::assert_json_snapshot;
use serde_json::Value;
use simulator::Fault;

use crate::stage::{Stage, limit};

#[tokio::test(start_paused = true)]
async fn every_fault_of_a_request_is_told_at_once() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    let target = "/v1/bars?symbols=AAPL,%24%24&interval=1M&start=yesterday&end=2026-13-01&adjustment=total\
        &session=night&anchor=middle&limit=0&page_token=zzz&vendor=reuters&vendors=polygon,bloomberg\
        &failover=maybe&strategy=lucky&min_grade=Z&max_age=5&max_cost=cheap&deadline=0s&stale=perhaps\
        &asof=then&priority=urgent&format=xml&ts=days&num=roman&explain=why&colour=blue";
    let answer = stage.ask("GET", target, &[("x-request-id", "r")]).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_json_snapshot!(answer.json());
    assert_eq!(stage.asked("polygon"), 0);
}

#[tokio::test(start_paused = true)]
async fn no_trouble_of_a_vendor_is_ours() {
    for (fault, status, code) in [
        (Fault::Outage, 502, "BAD_UPSTREAM"),
        (Fault::Refuse, 503, "NO_HEALTHY_VENDOR"),
        (Fault::Hang, 504, "DEADLINE"),
        (Fault::TooManyRequests, 503, "NO_HEALTHY_VENDOR"),
        (Fault::Html(200), 502, "BAD_UPSTREAM"),
        (Fault::Truncate, 502, "BAD_UPSTREAM"),
        (Fault::Schema, 502, "BAD_UPSTREAM"),
    ] {
        let stage = Stage::new(&[("polygon", "premium")]).await;
        stage.fails("polygon", fault);
        for target in ["/v1/quotes/latest?symbols=AAPL", "/v1/bars?symbols=MSFT", "/v1/compare?symbol=TSLA"] {
            let answer = stage.get(target).await;
            let json = answer.json();
            assert_ne!(answer.status, 500, "{fault:?} {target}");
            assert_eq!(json["retryable"], true, "{fault:?} {target}: {json}");
            assert!(json["request_id"].is_string());
        }
        let answer = Stage::new(&[("polygon", "premium")]).await;
        answer.fails("polygon", fault);
        let answer = answer.get("/v1/quotes/latest?symbols=AAPL").await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["code"]),
            (status, &code.into()),
            "{}",
            answer.text
        );
        assert!(!answer.json()["attempts"].as_array().unwrap().is_empty(), "{}", answer.text);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_symbol_is_404_and_a_known_one_without_rows_is_an_answer() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    let unknown = stage.get("/v1/quotes/latest?symbols=NOSUCHXYZ").await;
    assert_eq!((unknown.status.as_u16(), &unknown.json()["code"]), (404, &"UNKNOWN_SYMBOL".into()));
    let weekend = stage.get("/v1/bars?symbols=AAPL&interval=1d&start=2026-11-14&end=2026-11-16").await;
    assert_eq!(weekend.status, 200, "{}", weekend.text);
    assert_eq!(weekend.json()["data"]["AAPL"], serde_json::json!([]));
    assert_eq!(weekend.json()["warnings"][0]["code"], "NO_DATA");
    assert!(weekend.header("x-warning").starts_with("NO_DATA"));
}

#[tokio::test(start_paused = true)]
async fn a_missed_constraint_is_409_with_the_best_there_is() {
    let stage = Stage::new(&[("yahoo", "default")]).await;
    let answer = stage.get("/v1/quotes/latest?symbols=AAPL&min_grade=A").await;
    let json = answer.json();
    assert_eq!((answer.status.as_u16(), &json["code"]), (409, &"CONSTRAINT_UNMET".into()), "{json}");
    assert_eq!(json["best"]["meta"]["vendor"], "yahoo");
    assert!(json["best"]["data"]["AAPL"]["last"].is_number());
}

#[tokio::test(start_paused = true)]
async fn a_spent_quota_is_503_with_the_time_it_is_there_again() {
    let stage = Stage::tuned(&[("polygon", "premium")], |upstream| upstream.plan.limits = limit(1, 60)).await;
    assert_eq!(stage.get("/v1/quotes/latest?symbols=AAPL").await.status, 200);
    let spent = stage.get("/v1/quotes/latest?symbols=MSFT&deadline=1s").await;
    let json = spent.json();
    assert_eq!((spent.status.as_u16(), &json["code"]), (503, &"BUDGET_EXHAUSTED".into()), "{json}");
    let wait_ms = json["retry_after_ms"].as_u64().unwrap();
    assert!((50_000..=61_000).contains(&wait_ms), "{wait_ms}");
    assert_eq!(spent.header("retry-after"), wait_ms.div_ceil(1_000).to_string());
}

#[tokio::test(start_paused = true)]
async fn a_missing_key_is_named() {
    let stage = Stage::tuned(&[("polygon", "premium")], |upstream| {
        upstream.key = None;
    })
    .await;
    let answer = stage.get("/v1/quotes/latest?symbols=AAPL").await;
    assert_eq!(answer.status, 422);
    assert!(answer.json()["detail"].as_str().unwrap().contains("POLYGON_API_KEY"), "{}", answer.text);
    assert_eq!(stage.get("/readyz").await.status, 503);
    let vendor = stage.get("/v1/vendors/polygon").await.json();
    assert_eq!(vendor["data"]["missing_key"], "POLYGON_API_KEY");
}

#[tokio::test(start_paused = true)]
async fn an_address_or_method_nobody_knows_is_a_problem_too_and_all_are_on_record() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    let lost = stage.get("/v1/nothing").await;
    assert_eq!((lost.status.as_u16(), &lost.json()["code"]), (404, &"NOT_FOUND".into()));
    let wrong = stage.ask("DELETE", "/v1/bars", &[]).await;
    assert_eq!((wrong.status.as_u16(), wrong.header("allow")), (405, "GET, HEAD"));
    stage.get("/v1/vendors/reuters").await;
    stage.get("/v1/quotes/latest").await;
    let failures = stage.get("/v1/failures").await.json();
    let told: Vec<(&Value, &Value)> =
        failures["data"].as_array().unwrap().iter().map(|f| (&f["route"], &f["code"])).collect();
    assert_eq!(
        told,
        [
            (&"/v1/quotes/latest".into(), &"BAD_REQUEST".into()),
            (&"/v1/vendors/{id}".into(), &"NOT_FOUND".into()),
            (&"/v1/bars".into(), &"METHOD_NOT_ALLOWED".into()),
            (&"unmatched".into(), &"NOT_FOUND".into()),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn no_origin_is_let_in() {
    let stage = Stage::new(&[]).await;
    let answer = stage.ask("GET", "/livez", &[("origin", "https://elsewhere.example")]).await;
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
}

#[tokio::test(start_paused = true)]
async fn a_bug_is_a_500_that_tells_nothing_and_ends_nobody_elses_request() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    // The first reading is the request's own time; the second is inside the answer.
    stage.panics_at_reading(2);
    let answer = stage.ask("GET", "/v1/vendors/polygon", &[("x-request-id", "unlucky")]).await;
    let json = answer.json();
    assert_eq!((answer.status.as_u16(), &json["code"]), (500, &"INTERNAL".into()), "{json}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert!(!answer.text.contains("secret") && !answer.text.contains(".rs"), "{}", answer.text);
    assert_eq!(json["request_id"], answer.header("x-request-id"));
    assert_eq!(stage.get("/v1/vendors/polygon").await.status, 200);
    let failures = stage.get("/v1/failures?severity=critical").await.json();
    assert_eq!(failures["data"][0]["request_id"], json["request_id"]);
    assert!(!failures.to_string().contains("secret"));
}

#[tokio::test(start_paused = true)]
async fn what_happened_to_a_vendor_is_listed_newest_first() {
    let stage = Stage::new(&[("polygon", "premium"), ("finnhub", "premium")]).await;
    stage.fails("polygon", Fault::TooManyRequests);
    stage.get("/v1/quotes/latest?symbols=AAPL&vendor=polygon").await;
    stage.fails("finnhub", Fault::TooManyRequests);
    stage.get("/v1/quotes/latest?symbols=AAPL&vendor=finnhub").await;
    let all = stage.get("/v1/events").await.json();
    let rows = all["data"].as_array().unwrap();
    assert!(rows.len() >= 2, "{all}");
    let times: Vec<&str> = rows.iter().map(|event| event["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    assert!(
        rows.iter()
            .all(|event| ["info", "warning", "critical"].contains(&event["severity"].as_str().unwrap()))
    );
    let of = stage.get("/v1/events?vendor=polygon&limit=1").await.json();
    assert_eq!((&of["meta"]["count"], &of["data"][0]["vendor"]), (&1.into(), &"polygon".into()));
    let later = stage.get("/v1/events?since=2026-11-19").await.json();
    assert_eq!(later["data"], serde_json::json!([]));
    for wrong in ["vendor=reuters", "since=soon", "limit=0", "kind=any"] {
        assert_eq!(stage.get(&format!("/v1/events?{wrong}")).await.status, 400, "{wrong}");
    }
}
