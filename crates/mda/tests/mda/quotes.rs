//! API-3, GRD-1, GRD-3, CCH-1, RTE-5, RTE-6, TGT-3, TST-7: quotes of a demo, and of a demo one of whose
//! vendors fails.

use std::time::Duration;

use serde_json::Value;

use crate::stage::{Demo, fail, instant};

const SESSION: &str = "2026-11-18T15:30:00Z";

/// The facts about one symbol: its own, else the common one.
fn fact<'a>(body: &'a Value, symbol: &str, name: &str) -> &'a Value {
    match &body["meta"]["symbols"][symbol][name] {
        Value::Null => &body["meta"][name],
        own => own,
    }
}

#[test]
fn a_quote_says_everything_about_itself_and_ages_in_the_cache() {
    // API-3, GRD-1, GRD-3, GRD-5, SRC-12.
    let demo = Demo::start(&["--at", SESSION]);
    let target = "/v1/quotes/latest?symbols=AAPL,MSFT";
    let first = demo.get(target).ok();
    demo.let_pass(Duration::from_millis(20));
    let second = demo.get(target).ok();
    for symbol in ["AAPL", "MSFT"] {
        let row = &first["data"][symbol];
        let price = |name: &str| row[name].as_f64().unwrap_or_else(|| panic!("{symbol}: {name}: {row}"));
        assert!(price("last") > 0.0 && price("bid") <= price("ask"), "{row}");
        assert!(price("low") <= price("last") && price("last") <= price("high"), "{row}");
        let fact = |name: &str| fact(&first, symbol, name);
        assert_eq!(fact("simulated"), true);
        let vendor = fact("vendor").as_str().unwrap();
        let attempts = fact("attempts").as_array().unwrap();
        assert!(attempts.iter().any(|a| a["vendor"] == vendor && a["outcome"] == "answered"), "{attempts:?}");
        let grade = fact("grade");
        assert!(["A", "B", "C", "D", "F"].contains(&grade["letter"].as_str().unwrap()), "{grade}");
        for dimension in ["accuracy", "timeliness", "completeness", "consistency", "reliability"] {
            let points = grade["dimensions"][dimension].as_f64().unwrap();
            assert!((0.0..=100.0).contains(&points), "{dimension} {points}");
        }
        assert_eq!(fact("basis")["currency"], "USD");
        assert_eq!(fact("basis")["unit"], "major");
        assert!(fact("freshness")["as_of"].is_string() && fact("freshness")["age_ms"].is_u64());
        assert!(fact("freshness")["delivery"].is_string());
        assert_eq!(fact("cache")["state"], "miss");
        assert!(fact("cost")["amount"].is_string());
        assert!(!fact("cost")["quota"].as_object().unwrap().is_empty());

        // A second opinion may still come in, but nobody is asked twice.
        let targets = demo.journal().into_iter().filter(|line| line["vendor"] == vendor);
        let mut targets: Vec<String> = targets.map(|line| line["target"].to_string()).collect();
        let asked = targets.len();
        targets.sort();
        targets.dedup();
        assert_eq!(targets.len(), asked, "{targets:?}");

        let later = |name: &str| self::fact(&second, symbol, name);
        assert_eq!(later("cache")["state"], "hit");
        let age = |facts: &Value| facts["age_ms"].as_u64().unwrap();
        assert!(age(later("freshness")) > age(fact("freshness")), "{symbol}");
        // Age alone never betters a grade; a second opinion that came in meanwhile may.
        let points = |grade: &Value, dimension: &str| grade["dimensions"][dimension].as_f64();
        let aged = later("grade");
        assert!(points(aged, "timeliness") <= points(grade, "timeliness"), "{symbol}");
        if points(aged, "accuracy") == points(grade, "accuracy") {
            assert!(aged["score"].as_f64() <= grade["score"].as_f64(), "{symbol}: {grade} then {aged}");
        }
        assert_eq!(later("cost")["amount"], "0.0000");
        assert_eq!(second["data"][symbol]["last"], row["last"]);
    }
}

#[test]
fn no_answer_fails_while_a_vendor_does_and_the_record_says_why() {
    // RTE-5, RTE-6, TST-4, TST-9: twenty shares asked for during an outage commanded from the command line.
    let demo = Demo::start(&["--at", SESSION]);
    let symbols = [
        "AAPL", "MSFT", "NVDA", "AMZN", "INTC", "IBM", "KO", "JPM", "V", "WMT", "NFLX", "NKE", "GOOG",
        "TSLA", "SPY", "BA",
    ];
    fail(&demo.vendors, "outage", "finnhub", "60s");
    let mut failed_over = Vec::new();
    for (turn, symbol) in symbols.iter().enumerate() {
        // At first in an unlucky order, which a caller may ask for; then as the router would have it.
        let order = if turn < 3 { "&vendors=finnhub,polygon" } else { "" };
        let body = demo.get(&format!("/v1/quotes/latest?symbols={symbol}{order}")).ok();
        assert!(body["data"][*symbol]["last"].as_f64().is_some(), "{body}");
        let vendor = body["meta"]["vendor"].as_str().unwrap().to_owned();
        assert_ne!(vendor, "finnhub");
        let attempts = body["meta"]["attempts"].as_array().unwrap();
        if attempts.iter().any(|attempt| attempt["vendor"] == "finnhub") {
            failed_over.push((body["meta"]["request_id"].as_str().unwrap().to_owned(), vendor));
        }
    }
    assert!(failed_over.len() >= 3, "{failed_over:?}");
    for (id, vendor) in failed_over {
        let record = demo.get(&format!("/v1/explain/{id}")).ok();
        let record = &record["data"];
        let attempts = record["attempts"].as_array().unwrap();
        let failed = attempts.iter().find(|attempt| attempt["vendor"] == "finnhub").unwrap();
        assert_eq!(failed["outcome"], "vendor_fault", "{record}");
        assert_eq!(record["answered_by"], vendor.as_str());
        let why = format!("finnhub did not answer (vendor_fault); {vendor} is next");
        let notes = record["notes"].as_array().unwrap();
        assert!(notes.iter().any(|note| note.as_str().unwrap().contains(&why)), "{notes:?}");
    }
}

#[test]
fn the_gateways_own_list_of_exchanges_is_the_vendors_journal() {
    // RTE-6, LIM-4, TST-5: second opinions, hedges, failures and refusals included.
    let demo = Demo::start(&["--at", SESSION]);
    for (turn, symbol) in ["AAPL", "MSFT", "ZZZZQ", "NVDA", "AMZN", "INTC", "ZZZZR", "IBM"].iter().enumerate()
    {
        if let Some((fault, vendor)) =
            [("truncate", "finnhub"), ("html", "polygon"), ("refuse", "yahoo"), ("slow", "finnhub")]
                .get(turn / 2)
        {
            fail(&demo.vendors, fault, vendor, "3s");
        }
        for path in
            ["quotes/latest?symbols=", "compare?symbol=", "bars?interval=1d&start=2026-11-02&symbols="]
        {
            let status = demo.get(&format!("/v1/{path}{symbol}")).status;
            assert!(status == 200 || symbol.starts_with("ZZ") && status != 500, "{path}{symbol}: {status}");
        }
    }
    let lines = |list: &[Value], at: &str| {
        let mut lines: Vec<_> = list
            .iter()
            .map(|line| (line["vendor"].as_str().unwrap().to_owned(), instant(&line[at])))
            .collect();
        lines.sort();
        lines
    };
    // What is under way when a question is answered is listed once it has ended.
    let (mut told, mut seen) = Default::default();
    for _ in 0..500 {
        seen = lines(&demo.journal(), "at");
        told = lines(demo.get("/v1/attempts").ok()["data"].as_array().unwrap(), "sent_at");
        if told.len() >= seen.len() {
            break;
        }
        demo.let_pass(Duration::from_millis(10));
    }
    assert_eq!(told.len(), seen.len(), "told {told:#?}\nseen {seen:#?}");
    assert!(told.len() > 20, "{}", told.len());
    for (told, seen) in told.iter().zip(&seen) {
        assert!(told.0 == seen.0 && told.1 <= seen.1, "{told:?} is not {seen:?}");
    }
}
