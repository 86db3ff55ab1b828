//! CST-1, CST-3, CST-5, LIM-11, CLI-1: money and keys through the binary.

use serde_json::Value;

use crate::process::{run, run_with};
use crate::stage::{Gateway, Vendors};
use crate::web;

const AT: &str = "2026-11-18T15:30:00Z";
const SYMBOLS: [&str; 8] = ["AAPL", "MSFT", "NVDA", "AMZN", "INTC", "IBM", "KO", "JPM"];

fn polygon() -> Vendors {
    Vendors::start(&["--plan", "polygon=premium", "--no-latency", "--at", AT])
}

fn quote(gateway: &Gateway, symbol: &str) -> web::Reply {
    gateway.get(&format!("/v1/quotes/latest?symbols={symbol}"))
}

#[test]
fn what_a_killed_gateway_spent_stays_spent() {
    // CST-1, CST-3: five calls of three tenths of a cent.
    let vendors = polygon();
    let configuration = vendors.configuration(&["polygon"]) + "budgets: {month_usd: 0.015, day_usd: 0.015}\n";
    let data = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::serve(&configuration, data.path());
    for symbol in &SYMBOLS[..3] {
        let told = quote(&gateway, symbol).ok();
        assert_eq!(told["meta"]["cost"]["amount"], "0.0030", "{told}");
    }
    gateway.running.kill();
    let gateway = Gateway::serve(&configuration, data.path());
    let costs = gateway.get("/v1/costs").ok();
    assert_eq!(costs["data"]["total"]["amount"], "0.0090", "{costs}");
    let statuses: Vec<u16> = SYMBOLS[3..].iter().map(|symbol| quote(&gateway, symbol).status).collect();
    assert_eq!(statuses, [200, 200, 503, 503, 503]);
    let refused = quote(&gateway, SYMBOLS[7]).problem(503, "BUDGET_EXHAUSTED");
    assert!(refused["retry_after_ms"].as_u64() > Some(0), "{refused}");
    assert_eq!(vendors.journal().len(), 5, "not once more than the budget pays for");
    let server = gateway.base.as_str();
    let shown = run(&["budget", "--server", server]);
    assert_eq!(shown.code, 0, "{}", shown.said());
    for word in ["overall", "0.0150", "spent", "polygon", "NEAR_BUDGET", "because:"] {
        assert!(shown.stdout.contains(word), "{word}: {}", shown.stdout);
    }
    let told = run(&["--json", "budget", "--server", server, "--by", "symbol"]).json();
    assert_eq!(told["budgets"][0]["spent"], "0.0150", "{told}");
    let asked = |row: &&Value| row["calls"] == 1 && row["amount"] == "0.0030";
    assert_eq!(told["costs"]["rows"].as_array().unwrap().iter().filter(asked).count(), 5);
    assert_eq!(run(&["budget", "--server", server, "--by", "planet"]).code, 4);
}

#[test]
fn a_dry_run_tells_what_a_question_would_take_and_asks_nobody() {
    let vendors = polygon();
    let configuration = vendors.configuration(&["polygon"]) + "budgets: {day_usd: 0.004}\n";
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::serve(&configuration, data.path());
    let server = gateway.base.as_str();
    let told = run(&["--json", "quote", "AAPL", "--dry-run", "--server", server]);
    assert_eq!(told.code, 0, "{}", told.said());
    assert_eq!(told.json()["data"]["amount"], "0.0030");
    let bars =
        ["bars", "AAPL", "MSFT", "--start", "2026-09-01", "--end", "2026-11-01", "--adjustment", "raw"];
    let shown = run(&[&bars[..], &["--dry-run", "--server", server]].concat());
    assert!(shown.stdout.contains("2 calls, 0.0060 USD, 86 rows"), "{}", shown.said());
    assert_eq!(shown.code, 7, "it would not fit into the budget: {}", shown.said());
    assert_eq!(vendors.journal().len(), 0);
    let costs: Value = gateway.get("/v1/costs").ok();
    assert_eq!(costs["data"]["total"]["calls"], 0);
}

#[test]
fn a_key_lets_its_consumer_in_and_no_more_often_than_its_tier_says() {
    // LIM-11.
    let vendors = polygon();
    let configuration = vendors.configuration(&["polygon"])
        + "security: {consumers: [{name: desk, key: '${DESK_KEY}', per_minute: 4}, {name: lab, key: the-key-of-the-lab}]}\n";
    let data = tempfile::tempdir().unwrap();
    let variables = [("DESK_KEY", "the-key-of-the-desk")];
    let mut gateway = Gateway::serve_with(&configuration, data.path(), &variables);
    let target = "/v1/quotes/latest?symbols=AAPL";
    gateway.get(target).problem(401, "UNAUTHORIZED");
    let ask = |key: &str| {
        let bearer = format!("Bearer {key}");
        web::try_send_with("GET", &gateway.base, target, &[("Authorization", &bearer)]).unwrap()
    };
    ask("the-key-of-nobody-at-all").problem(401, "UNAUTHORIZED");
    assert_eq!(vendors.journal().len(), 0);
    for left in ["3", "2", "1", "0"] {
        let reply = ask("the-key-of-the-desk");
        assert_eq!(
            (reply.status, reply.header("x-ratelimit-remaining")),
            (200, Some(left)),
            "{}",
            reply.body
        );
    }
    let reply = ask("the-key-of-the-desk");
    reply.problem(429, "CLIENT_QUOTA");
    assert!(
        reply.header("retry-after").is_some() && reply.header("ratelimit").is_some(),
        "{:?}",
        reply.headers
    );
    assert_eq!(ask("the-key-of-the-lab").header("x-ratelimit-limit"), Some("100"));
    assert_eq!(web::get(&gateway.base, "/healthz").status, 200);
    let server = gateway.base.clone();
    let arguments = ["--json", "budget", "--by", "consumer", "--server", &server];
    assert_eq!(run(&arguments).code, 4);
    let told = run_with(&arguments, &[("MDA_KEY", "the-key-of-the-lab")]);
    assert_eq!(told.code, 0, "{}", told.said());
    assert_eq!(told.json()["costs"]["rows"][0]["key"], "desk", "who asked first paid");
    let said = gateway.running.said();
    assert!(!said.contains("the-key-of"), "{said}");
}
