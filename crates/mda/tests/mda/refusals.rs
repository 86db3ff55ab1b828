//! API-4, SRC-12, RTE-7, CFG-2, TST-7: refusals, over HTTP and as exit codes.

use crate::process::{run, run_with};
use crate::stage::{Demo, Gateway, Vendors};

#[test]
fn an_unknown_symbol_an_empty_range_and_a_malformed_request_are_three_different_answers() {
    // API-4, RTE-7.
    let demo = Demo::start(&["--at", "2026-11-18T15:30:00Z"]);
    let malformed = demo
        .get("/v1/bars?symbols=AAPL&interval=1M&start=yesterday&end=2026-13-01&adjustment=some&colour=red")
        .problem(400, "BAD_REQUEST");
    let faults: Vec<&str> =
        malformed["problems"].as_array().unwrap().iter().map(|p| p["parameter"].as_str().unwrap()).collect();
    for parameter in ["interval", "start", "end", "adjustment", "colour"] {
        assert!(faults.contains(&parameter), "{parameter} is not among {faults:?}");
    }
    assert_eq!(demo.journal().len(), 0, "nobody is asked what cannot be read");

    let unknown = demo.get("/v1/quotes/latest?symbols=ZZZZQ").problem(404, "UNKNOWN_SYMBOL");
    assert!(!unknown["attempts"].as_array().unwrap().is_empty(), "{unknown}");

    // A Saturday and a Sunday.
    let empty = demo.get("/v1/bars?symbols=AAPL&interval=1d&start=2026-11-14&end=2026-11-16").ok();
    assert_eq!(empty["data"]["AAPL"], serde_json::json!([]));
    assert_eq!(empty["warnings"][0]["code"], "NO_DATA", "{empty}");
}

#[test]
fn a_missing_key_is_named_by_its_variable() {
    // SRC-12: polygon stays unconfigured without its key; others go on.
    let vendors = Vendors::start(&["--no-latency", "--at", "2026-11-18T15:30:00Z"]);
    let with_key = vendors.configuration(&["polygon", "finnhub"]);
    let without_key: String = with_key
        .lines()
        .filter(|line| !line.contains("key-of-polygon"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_ne!(with_key, without_key);
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::serve(&without_key, data.path());
    let refused = gateway.get("/v1/quotes/latest?symbols=AAPL&vendor=polygon");
    refused.problem(422, "UNSUPPORTED");
    assert!(refused.body.contains("POLYGON_API_KEY"), "{}", refused.body);
    let other = gateway.get("/v1/quotes/latest?symbols=AAPL").ok();
    assert_eq!(other["meta"]["vendor"], "finnhub");
}

#[test]
fn each_kind_of_failure_has_an_exit_code_and_json_of_its_own() {
    // CLI-1, CFG-2: a script can tell them apart.
    let demo = Demo::start(&["--at", "2026-11-18T15:30:00Z"]);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let bad = file("bad.yaml", "data_sources: {polygon: {timeout: fast, prioritty: 1}}\n");
    let page = file("page.html", "<html><body>Sorry</body></html>");
    let base = demo.base.as_str();
    // A port that was free a moment ago.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = format!("http://{closed}");
    for (code, arguments) in [
        (0, vec!["quote", "AAPL", "--server", base]),
        (0, vec!["bars", "AAPL", "--start", "2026-11-02", "--end", "2026-11-10", "--server", base]),
        (0, vec!["vendors", "--server", base]),
        (0, vec!["vendors", "polygon", "--server", base]),
        (0, vec!["compare", "AAPL", "--server", base]),
        (0, vec!["check"]),
        (3, vec!["check", "--config", &bad]),
        (4, vec!["quote", "AAPL", "--with", "min_grade=Z", "--server", base]),
        (5, vec!["quote", "ZZZZQ", "--server", base]),
        (5, vec!["vendors", "acme", "--server", base]),
        (5, vec!["explain", "no-such-request", "--server", base]),
        (6, vec!["quote", "AAPL", "--with", "vendor=yahoo", "--with", "max_age=1s", "--server", base]),
        (3, vec!["decode", "--vendor", "polygon", "--endpoint", "any", "no-such-file.json"]),
        (3, vec!["demo", "--listen", "127.0.0.1:0", "--market", folder.path().to_str().unwrap()]),
        (4, vec!["quote", "AAPL", "--with", "min_grade", "--server", base]),
        (4, vec!["chaos", "sulk", "polygon", "--simulator", &demo.vendors]),
        (4, vec!["chaos", "outage", "polygon", "--for", "60", "--simulator", &demo.vendors]),
        (4, vec!["simulate", "--plan", "polygon=gratis"]),
        (4, vec!["simulate", "--at", "yesterday", "--listen", "127.0.0.1:0"]),
        (5, vec!["chaos", "outage", "acme", "--simulator", &demo.vendors]),
        (5, vec!["decode", "--vendor", "acme", "--endpoint", "any", &page]),
        (10, vec!["quote", "AAPL", "--server", &closed]),
        (10, vec!["chaos", "outage", "polygon", "--simulator", &closed]),
        (11, vec!["decode", "--vendor", "polygon", "--endpoint", "/v2/last/trade/AAPL", &page]),
    ] {
        let plain = run(&arguments);
        assert_eq!(plain.code, code, "{arguments:?}: {}", plain.said());
        let mut with_json = vec!["--json"];
        with_json.extend(&arguments);
        let done = run(&with_json);
        assert_eq!(done.code, code, "{arguments:?}: {}", done.said());
        assert!(done.json().is_object(), "{arguments:?}: {}", done.stdout);
    }
    // clap's own: the command line cannot be read.
    assert_eq!(run(&["quote"]).code, 2);
    let both = run(&["--json", "check", "--config", &bad]).json();
    let keys: Vec<&str> =
        both["problems"].as_array().unwrap().iter().map(|problem| problem["key"].as_str().unwrap()).collect();
    assert_eq!(keys.len(), 2, "every problem is told at once: {both}");
}

#[test]
fn an_explained_request_is_shown_as_it_was_decided() {
    // RTE-6, CLI-1.
    let demo = Demo::start(&["--at", "2026-11-18T15:30:00Z"]);
    let quote = demo.get("/v1/quotes/latest?symbols=AAPL").ok();
    let (id, vendor) =
        (quote["meta"]["request_id"].as_str().unwrap(), quote["meta"]["vendor"].as_str().unwrap());
    let shown = run_with(&["explain", id], &[("MDA_SERVER", &demo.base)]);
    assert_eq!(shown.code, 0, "{}", shown.said());
    assert!(shown.stdout.contains(&format!("answered by {vendor}")), "{}", shown.stdout);
    assert!(shown.stdout.contains("AAPL"), "{}", shown.stdout);
}
