//! `/v1/costs`, `/v1/budgets`, `/v1/estimate`. CST-1, CST-2, CST-3, CST-5.

use domain::Date;
use gateway::settings::Spending;
use resilience::budget::Limits;

use crate::stage::Stage;

#[tokio::test(start_paused = true)]
async fn what_was_spent_is_told_by_every_measure_and_exported() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    for symbol in ["AAPL", "MSFT"] {
        let answer = stage.get(&format!("/v1/quotes/latest?symbols={symbol}")).await.json();
        assert_eq!(answer["meta"]["cost"]["amount"], "0.0030");
        assert_eq!(answer["meta"]["cost"]["quota"]["polygon.minute"], 1);
    }
    let costs = stage.get("/v1/costs").await.json();
    assert_eq!(costs["data"]["start"], "2026-11-01");
    assert_eq!(costs["data"]["total"]["amount"], "0.0060");
    assert_eq!(costs["data"]["total"]["calls"], 2);
    assert_eq!(costs["data"]["total"]["useful_answers"], 2);
    let keys = async |by: &str| {
        let told = stage.get(&format!("/v1/costs?by={by}")).await.json();
        let rows = told["data"]["rows"].as_array().unwrap().clone();
        rows.iter().map(|row| format!("{} {}", row["key"], row["amount"])).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(keys("vendor").await, r#""polygon" "0.0060""#);
    assert_eq!(keys("symbol").await, r#""AAPL.XNAS" "0.0030", "MSFT.XNAS" "0.0030""#);
    assert_eq!(keys("endpoint").await, r#""bid_ask" "0.0060""#);
    assert_eq!(keys("day").await, r#""2026-11-18" "0.0060""#);
    assert_eq!(keys("consumer").await, r#""" "0.0060""#);
    let first = stage.get("/v1/costs?by=request&limit=1").await.json();
    assert_eq!(first["data"]["exchanges"][0]["symbol"], "AAPL.XNAS");
    assert_eq!(first["data"]["exchanges"][0]["settled"], true);
    let token = first["next_page_token"].as_str().unwrap();
    let second = stage.get(&format!("/v1/costs?by=request&limit=1&page_token={token}")).await.json();
    assert_eq!(second["data"]["exchanges"][0]["symbol"], "MSFT.XNAS");
    assert!(second["next_page_token"].is_null());
    let csv = stage.get("/v1/costs?by=symbol&format=csv").await;
    assert!(csv.header("content-type").starts_with("text/csv"));
    assert!(csv.text.starts_with("symbol,calls,units,amount_usd,"), "{}", csv.text);
    assert!(csv.text.contains("\r\nAAPL.XNAS,1,1,0.0030,1,0,"), "{}", csv.text);
    let csv = stage.get("/v1/costs?by=request&format=csv").await.text;
    assert_eq!(csv.lines().count(), 3, "{csv}");
    // The fee of 99 dollars a month for 18 days is part of what a useful answer cost.
    assert_eq!(costs["data"]["rows"][0]["per_useful_answer"], "29.7030");
    let before = stage.get("/v1/costs?start=2026-10-01&end=2026-11-01").await.json();
    assert_eq!(before["data"]["total"]["amount"], "0.0000");
    assert_eq!(stage.get("/v1/costs?start=2026-11-02&end=2026-11-01&by=planet").await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn prices_that_nobody_checked_for_ninety_days_are_warned_of_wherever_money_is_told() {
    // CST-2.
    let warned = async |verified: Date| {
        let stage = Stage::tuned(&[("polygon", "premium")], |s| s.plan.verified_on = verified).await;
        let mut codes = Vec::new();
        for (method, target) in [
            ("GET", "/v1/costs"),
            ("GET", "/v1/budgets"),
            ("POST", "/v1/estimate?symbols=AAPL"),
            ("GET", "/v1/quotes/latest?symbols=AAPL"),
        ] {
            let told = stage.ask(method, target, &[]).await.json();
            let all = told["warnings"].as_array().unwrap();
            codes.push(all.iter().any(|warning| warning["code"] == "PLAN_OUTDATED"));
        }
        codes
    };
    assert_eq!(warned(Date::constant(2026, 8, 21)).await, [false; 4], "89 days and some hours");
    assert_eq!(warned(Date::constant(2026, 8, 20)).await, [true; 4], "90 days and some hours");
}

#[tokio::test(start_paused = true)]
async fn budgets_tell_what_is_left_of_each_and_a_spent_one_is_a_503_with_its_reset() {
    let limits = Limits { day: 6_000, month: 1_000_000 };
    let spending = Spending { overall: limits, ..Spending::default() };
    let stage = Stage::funded(&[("polygon", "premium")], spending).await;
    for symbol in ["AAPL", "MSFT"] {
        assert_eq!(stage.get(&format!("/v1/quotes/latest?symbols={symbol}")).await.status, 200);
    }
    let refused = stage.get("/v1/quotes/latest?symbols=NVDA").await;
    let told = refused.json();
    assert_eq!((refused.status.as_u16(), &told["code"]), (503, &"BUDGET_EXHAUSTED".into()), "{told}");
    let wait = told["retry_after_ms"].as_u64().unwrap();
    assert!((1..=8 * 3_600 * 1_000 + 1_800_000).contains(&wait), "midnight UTC: {wait}");
    assert!(told["detail"].as_str().unwrap().contains("overall budget is spent until 2026-11-19T00:00:00Z"));
    let budgets = stage.get("/v1/budgets").await.json();
    let names: Vec<String> = budgets["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| {
            let part = |key: &str| b[key].as_str().unwrap_or_default().to_owned();
            format!(
                "{} {} {} {} {}",
                part("whose"),
                part("name"),
                part("period"),
                part("spent"),
                part("state")
            )
        })
        .collect();
    assert_eq!(
        names,
        [
            "overall  day 0.0060 spent",
            "overall  month 0.0060 ok",
            "vendor polygon day 0.0060 ok",
            "vendor polygon month 0.0060 ok",
        ]
    );
    assert_eq!(stage.asked("polygon"), 2);
}

#[tokio::test(start_paused = true)]
async fn an_estimate_takes_the_words_of_a_query_or_of_a_body_and_asks_nobody() {
    let limits = Limits { day: 3_000, month: 3_000 };
    let spending = Spending { overall: limits, ..Spending::default() };
    let stage = Stage::funded(&[("polygon", "premium")], spending).await;
    let body = r#"{"kind": "bars", "symbols": ["AAPL", "MSFT", "N0T A SYMBOL"], "interval": "1d", "start": "2026-09-01", "end": "2026-11-01", "adjustment": "raw"}"#;
    let answer = stage.send("POST", "/v1/estimate", &[], body).await.json();
    let wrong = &answer["data"]["symbols"]["N0T A SYMBOL"];
    assert!(wrong["error"].as_str().unwrap().contains("is no symbol"), "{answer}");
    let body = body.replace(", \"N0T A SYMBOL\"", "");
    let told = stage.send("POST", "/v1/estimate", &[], &body).await.json();
    let data = &told["data"];
    assert_eq!(
        (&data["calls"], &data["amount"], &data["rows"]),
        (&2.into(), &"0.0060".into(), &86.into()),
        "{told}"
    );
    assert_eq!(data["quota"]["polygon.minute"], 2);
    assert!(data["time_ms"].as_u64().is_some());
    assert_eq!(data["within_budget"], false, "two calls are more than the budget has");
    assert!(data["over_budget"].as_str().unwrap().contains("overall"));
    let offers = &data["symbols"]["AAPL"]["offers"];
    assert_eq!((&offers[0]["vendor"], &offers[0]["amount"]), (&"polygon".into(), &"0.0030".into()));
    let query =
        "/v1/estimate?kind=bars&symbols=AAPL,MSFT&interval=1d&start=2026-09-01&end=2026-11-01&adjustment=raw";
    assert_eq!(stage.ask("POST", query, &[]).await.json()["data"], *data);
    let one = stage.ask("POST", "/v1/estimate?symbols=AAPL", &[]).await.json();
    assert_eq!((&one["data"]["calls"], &one["data"]["within_budget"]), (&1.into(), &true.into()));
    for wrong in ["[1]", "{", r#"{"symbols": {"a": 1}}"#, r#"{"symbols": "AAPL", "colour": "red"}"#, "{}"] {
        assert_eq!(stage.send("POST", "/v1/estimate", &[], wrong).await.status, 400, "{wrong}");
    }
    let long = format!("{{\"symbols\": \"{}\"}}", "A".repeat(300_000));
    assert_eq!(stage.send("POST", "/v1/estimate", &[], &long).await.status, 413);
    assert_eq!(stage.asked("polygon"), 0);
    assert_eq!(stage.get("/v1/costs").await.json()["data"]["total"]["calls"], 0);
}
