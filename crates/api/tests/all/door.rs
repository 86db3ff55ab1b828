//! LIM-11: consumers with keys, each with a bucket of its own.

use std::time::Duration;

use gateway::settings::{Consumer, Spending};
use resilience::budget::Limits;
use sha2::{Digest, Sha256};

use crate::stage::{Answer, Stage};

const QUOTE: &str = "/v1/quotes/latest?symbols=AAPL";
const DESK: (&str, &str) = ("authorization", "Bearer the-key-of-the-desk");
const LAB: (&str, &str) = ("x-api-key", "the-key-of-the-lab");

fn consumer(name: &str, key: &str, per_minute: u32, budget: Limits) -> Consumer {
    Consumer { name: name.into(), key_sha256: Sha256::digest(key).into(), per_minute, budget }
}

fn two(desk: u32, lab: u32) -> Spending {
    let usual = Limits::default();
    let consumers = vec![
        consumer("desk", "the-key-of-the-desk", desk, usual),
        consumer("lab", "the-key-of-the-lab", lab, usual),
    ];
    Spending { consumers, ..Spending::default() }
}

async fn stage(desk: u32, lab: u32) -> Stage {
    Stage::funded(&[("finnhub", "premium")], two(desk, lab)).await
}

fn refused(answer: &Answer, status: u16, code: &str) {
    let told = answer.json();
    assert_eq!((answer.status.as_u16(), told["code"].as_str()), (status, Some(code)), "{told}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
}

#[tokio::test(start_paused = true)]
async fn nobody_without_a_key_gets_an_answer_and_no_vendor_is_asked() {
    let stage = stage(100, 100).await;
    let headers: [&[(&str, &str)]; 6] = [
        &[],
        &[("authorization", "Bearer the-key-of-the-des")],
        &[("authorization", "Bearer the-key-of-the-desk2")],
        &[("authorization", "Basic the-key-of-the-desk")],
        &[("authorization", "Bearer ")],
        &[("x-api-key", "THE-KEY-OF-THE-LAB")],
    ];
    for headers in headers {
        for target in [QUOTE, "/v1/costs", "/price/AAPL", "/"] {
            let answer = stage.ask("GET", target, headers).await;
            assert_eq!(answer.status, 401, "{target} {headers:?}");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
            assert!(answer.text.contains("key") && !answer.text.contains("the-key"), "{}", answer.text);
        }
        refused(&stage.ask("GET", QUOTE, headers).await, 401, "UNAUTHORIZED");
        assert!(stage.remembered(QUOTE, headers).await.is_none());
    }
    assert_eq!(stage.asked("finnhub"), 0);
    for open in ["/healthz", "/readyz", "/livez"] {
        assert_eq!(stage.get(open).await.status, 200, "{open}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_consumer_has_a_bucket_of_its_own_and_is_told_what_is_left() {
    let stage = stage(3, 100).await;
    for left in [2, 1, 0] {
        let answer = stage.ask("GET", QUOTE, &[DESK]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), "\"minute\";q=3;w=60");
        assert_eq!(answer.header("ratelimit"), format!("\"minute\";r={left};t={}", (3 - left) * 20));
        assert_eq!(answer.header("x-ratelimit-limit"), "3");
        assert_eq!(answer.header("x-ratelimit-remaining"), left.to_string());
        assert!(answer.header("x-ratelimit-reset").parse::<u64>().unwrap() > 1_700_000_000);
    }
    let answer = stage.ask("GET", QUOTE, &[DESK]).await;
    refused(&answer, 429, "CLIENT_QUOTA");
    assert_eq!((answer.header("retry-after"), answer.header("x-ratelimit-remaining")), ("20", "0"));
    assert!(answer.json()["retry_after_ms"].as_u64() <= Some(20_000));
    assert_eq!(stage.ask("GET", QUOTE, &[LAB]).await.status, 200, "another key has its own");
    // A refusal takes nothing: one comes back after its time, however often it was asked.
    for _ in 0..50 {
        assert_eq!(stage.ask("GET", QUOTE, &[DESK]).await.status, 429);
    }
    stage.pass(Duration::from_secs(20)).await;
    assert_eq!(stage.ask("GET", QUOTE, &[DESK]).await.status, 200);
    assert_eq!(stage.ask("GET", QUOTE, &[DESK]).await.status, 429);
}

#[tokio::test(start_paused = true)]
async fn a_cached_answer_counts_too_and_says_the_same_the_short_way() {
    let stage = stage(5, 100).await;
    assert_eq!(stage.ask("GET", QUOTE, &[DESK]).await.status, 200);
    let short = stage.remembered(QUOTE, &[DESK]).await.expect("memory has it");
    assert_eq!(short.header("x-ratelimit-remaining"), "3");
    assert_eq!(short.header("ratelimit"), "\"minute\";r=3;t=24");
    for left in ["2", "1", "0"] {
        let short = stage.remembered(QUOTE, &[DESK]).await.expect("memory has it");
        assert_eq!(short.header("x-ratelimit-remaining"), left);
    }
    assert!(stage.remembered(QUOTE, &[DESK]).await.is_none());
    refused(&stage.ask("GET", QUOTE, &[DESK]).await, 429, "CLIENT_QUOTA");
}

#[tokio::test(start_paused = true)]
async fn without_consumers_anyone_may_ask_and_no_limit_is_told() {
    let stage = Stage::new(&[("finnhub", "premium")]).await;
    let answer = stage.get(QUOTE).await;
    assert_eq!(answer.status, 200);
    assert!(answer.headers.keys().all(|name| !name.as_str().contains("ratelimit")), "{:?}", answer.headers);
}

#[tokio::test(start_paused = true)]
async fn what_is_spent_is_spent_for_somebody_and_within_their_own_budget() {
    let spending = Spending {
        consumers: vec![
            consumer("desk", "the-key-of-the-desk", 100, Limits { day: 6_000, month: 6_000 }),
            consumer("lab", "the-key-of-the-lab", 100, Limits::default()),
        ],
        ..Spending::default()
    };
    let stage = Stage::funded(&[("polygon", "premium")], spending).await;
    let ask = async |symbol: &str, key| {
        stage.ask("GET", &format!("/v1/quotes/latest?symbols={symbol}"), &[key]).await
    };
    assert_eq!(ask("AAPL", DESK).await.status, 200);
    assert_eq!(ask("MSFT", DESK).await.status, 200);
    let over = ask("NVDA", DESK).await;
    refused(&over, 429, "CLIENT_QUOTA");
    assert!(over.text.contains("the budget of this key is spent"), "{}", over.text);
    assert!(!over.header("retry-after").is_empty());
    assert_eq!(ask("NVDA", LAB).await.status, 200);
    assert_eq!(stage.asked("polygon"), 3);
    let costs = stage.ask("GET", "/v1/costs?by=consumer", &[LAB]).await.json();
    let rows: Vec<_> = costs["data"]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["key"].as_str().unwrap(), row["amount"].as_str().unwrap()))
        .collect();
    assert_eq!(rows, [("desk", "0.0060"), ("lab", "0.0030")]);
    let budgets = stage.ask("GET", "/v1/budgets", &[LAB]).await.json();
    let desk = budgets["data"].as_array().unwrap().iter().find(|b| b["name"] == "desk").unwrap().clone();
    assert_eq!((&desk["spent"], &desk["state"]), (&"0.0060".into(), &"spent".into()));
}
