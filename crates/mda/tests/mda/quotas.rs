//! LIM-1, LIM-2, TGT-4: a quota holds over a process that is killed.

use std::time::Duration;

use crate::stage::{Gateway, Vendors, instant};

const SYMBOLS: [&str; 16] = [
    "AAPL", "MSFT", "NVDA", "AMZN", "INTC", "IBM", "KO", "JPM", "V", "WMT", "NFLX", "NKE", "GOOG", "TSLA",
    "SPY", "BA",
];

#[test]
fn a_killed_gateway_remembers_which_permits_it_has_spent() {
    // LIM-1, LIM-2, LIM-8, BRK-1: five calls a minute, alone, many distinct questions.
    let vendors =
        Vendors::start(&["--plan", "alpha_vantage=free", "--no-latency", "--at", "2026-11-18T15:30:00Z"]);
    let configuration = vendors.configuration(&["alpha_vantage"]);
    let data = tempfile::tempdir().unwrap();
    let ask = |gateway: &Gateway, symbols: &[&str]| {
        for symbol in symbols {
            let reply = gateway.get(&format!("/v1/quotes/latest?symbols={symbol}"));
            if reply.status != 200 {
                let refused = reply.problem(503, "BUDGET_EXHAUSTED");
                assert!(refused["retry_after_ms"].as_u64() > Some(0), "{refused}");
                assert!(reply.header("retry-after").is_some(), "{:?}", reply.headers);
            }
        }
    };
    let mut gateway = Gateway::serve(&configuration, data.path());
    ask(&gateway, &SYMBOLS[..8]);
    let before = vendors.journal().len();
    assert!((1..=5).contains(&before), "{before}");
    gateway.running.kill();
    let gateway = Gateway::serve(&configuration, data.path());
    ask(&gateway, &SYMBOLS[8..]);
    let times: Vec<_> = vendors.journal().iter().map(|line| instant(&line["at"])).collect();
    let worst = times
        .iter()
        .map(|from| {
            times.iter().filter(|at| *at >= from && at.since(*from) < Duration::from_secs(60)).count()
        })
        .max();
    assert!(worst <= Some(5), "{worst:?} in one minute");
    let refused = vendors.journal().iter().filter(|line| line["status"] == 429).count();
    assert_eq!(refused, 0, "the vendor never has to say no");
}

#[test]
fn a_vendor_is_asked_until_the_money_of_the_day_is_spent_and_not_once_more() {
    // LIM-1, LIM-5: three tenths of a cent a call.
    let vendors =
        Vendors::start(&["--plan", "polygon=premium", "--no-latency", "--at", "2026-11-18T15:30:00Z"]);
    let configuration = vendors.configuration(&["polygon"]);
    let limited =
        configuration.replacen("  polygon:\n", "  polygon:\n    rate_limits: [{usd: 0.01, per: day}]\n", 1);
    assert_ne!(configuration, limited);
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::serve(&limited, data.path());
    let statuses: Vec<u16> = SYMBOLS[..5]
        .iter()
        .map(|symbol| gateway.get(&format!("/v1/quotes/latest?symbols={symbol}")).status)
        .collect();
    assert_eq!(statuses, [200, 200, 200, 503, 503]);
    gateway.get(&format!("/v1/quotes/latest?symbols={}", SYMBOLS[5])).problem(503, "BUDGET_EXHAUSTED");
    assert_eq!(vendors.journal().len(), 3);
    let told = gateway.get("/v1/vendors/polygon").ok();
    let spend = &told["data"]["spend"][0];
    assert_eq!(
        (spend["window"].as_str(), spend["used_usd"].as_str(), spend["remaining_usd"].as_str()),
        (Some("day"), Some("0.0090"), Some("0.0010")),
        "{told}"
    );
}
