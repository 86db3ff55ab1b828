//! STO-3, CCH-3, SCH-5, TGT-2, DEP-3: what was fetched once is not fetched again, and what was answered as
//! stored is there after a kill.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::recording::Recording;
use crate::stage::{Gateway, Vendors};
use crate::web;

fn bars(symbol: &str, start: &str, end: &str) -> String {
    format!("/v1/bars?symbols={symbol}&interval=1d&start={start}&end={end}&adjustment=raw&deadline=20s")
}

#[test]
fn only_the_missing_part_of_a_range_is_fetched_and_an_empty_one_once() {
    // STO-3, API-4.
    let Some(recording) = Recording::find("only_the_missing_part_of_a_range_is_fetched") else { return };
    let vendors = Vendors::start(&["--market", recording.path(), "--unlimited", "--no-latency"]);
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::serve(&vendors.configuration(&["polygon"]), data.path());
    let first = gateway.get(&bars("AAPL", "2016-01-04", "2016-06-01")).ok();
    let asked = vendors.journal().len();
    let second = gateway.get(&bars("AAPL", "2016-01-04", "2016-06-01")).ok();
    assert_eq!(first["data"], second["data"]);
    assert_eq!(vendors.journal().len(), asked, "the second time nobody is asked");

    let wider = gateway.get(&bars("AAPL", "2016-01-04", "2016-09-01")).ok();
    let added = vendors.journal().split_off(asked);
    let series: Vec<&str> = added
        .iter()
        .filter_map(|line| line["target"].as_str())
        .filter(|target| target.contains("/v2/aggs/"))
        .collect();
    assert_eq!(series.len(), 1, "{added:#?}");
    assert!(!series[0].contains("2016-01-0"), "what is there is not asked for again: {}", series[0]);
    let rows = |answer: &Value| answer["data"]["AAPL"].as_array().unwrap().len();
    assert_eq!(rows(&wider), recording.raw("AAPL", "2016-01-04", "2016-09-01").len());

    // Before the recording begins there is nothing, which is an answer and is remembered.
    let empty = gateway.get(&bars("AAPL", "2014-06-02", "2014-07-01")).ok();
    assert_eq!(rows(&empty), 0);
    assert_eq!(empty["warnings"][0]["code"], "NO_DATA", "{empty}");
    let asked = vendors.journal().len();
    let again = gateway.get(&bars("AAPL", "2014-06-02", "2014-07-01")).ok();
    assert_eq!(again["warnings"][0]["code"], "NO_DATA", "{again}");
    assert_eq!(vendors.journal().len(), asked, "an empty range is not asked for again");
}

#[test]
fn what_was_answered_as_stored_survives_a_kill_under_load() {
    // TGT-2, STO-3: rows answered with `stored: true` before the kill are equal after it, vendors gone.
    let Some(recording) = Recording::find("what_was_answered_as_stored_survives_a_kill") else { return };
    let mut vendors = Vendors::start(&["--market", recording.path(), "--unlimited", "--no-latency"]);
    let configuration = vendors.configuration(&["polygon"]);
    let data = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::serve(&configuration, data.path());
    let questions: Vec<String> = ["AAPL", "NFLX", "V", "NKE", "MSFT", "KO", "JPM", "SPY"]
        .into_iter()
        .flat_map(|symbol| {
            (1..=12).map(move |month| {
                bars(symbol, &format!("2016-{month:02}-01"), &format!("2016-{month:02}-28"))
            })
        })
        .collect();
    let kept: Mutex<BTreeMap<String, Value>> = Mutex::default();
    let next = AtomicUsize::new(0);
    let base = gateway.base.clone();
    std::thread::scope(|scope| {
        let (done, finished) = std::sync::mpsc::channel();
        for _ in 0..4 {
            let (done, questions, kept, next, base) = (done.clone(), &questions, &kept, &next, &base);
            scope.spawn(move || {
                while let Some(question) = questions.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // After the kill nobody answers any more.
                    let Ok(reply) = web::try_send("GET", base, question) else { return };
                    let body = reply.ok();
                    if body["meta"]["stored"] == true {
                        kept.lock().unwrap().insert(question.clone(), body["data"].clone());
                    }
                    // The killer stops listening first.
                    let _ = done.send(());
                }
            });
        }
        // A third of the way in, while others are under way.
        for _ in 0..questions.len() / 3 {
            finished.recv().unwrap();
        }
        gateway.running.kill();
    });
    let kept = kept.into_inner().unwrap();
    assert!(kept.len() >= questions.len() / 4, "{} were stored", kept.len());
    assert!(kept.len() < questions.len(), "the kill came too late to interrupt anything");
    vendors.running.kill();
    let gateway = Gateway::serve(&configuration, data.path());
    for (question, rows) in kept {
        let again = gateway.get(&question).ok();
        assert_eq!(again["data"], rows, "{question}");
    }
}

#[test]
fn a_gateway_that_is_asked_to_stop_finishes_what_is_under_way() {
    // DEP-3: the answer that waits for a slow vendor is given, then the process ends in good order.
    let vendors = Vendors::start(&["--unlimited", "--no-latency"]);
    let data = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::serve(&vendors.configuration(&["polygon"]), data.path());
    vendors.fail("slow", "polygon", "60s");
    let base = gateway.base.clone();
    let asked = std::thread::spawn(move || web::get(&base, &bars("AAPL", "2025-03-03", "2025-06-02")));
    // Once the vendor has the request, it is under way.
    while vendors.journal().is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(gateway.running.stop(), Some(0));
    let answer = asked.join().unwrap().ok();
    assert!(answer["data"]["AAPL"].as_array().unwrap().len() > 50);
}

#[test]
fn a_decision_is_on_record_after_a_restart() {
    // RTE-6, DEP-3: the record is kept for a day, whatever the process does.
    let vendors = Vendors::start(&["--unlimited", "--no-latency"]);
    let configuration = vendors.configuration(&["polygon"]);
    let data = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::serve(&configuration, data.path());
    let answer = gateway.get(&bars("AAPL", "2025-03-03", "2025-06-02")).ok();
    let target = format!("/v1/explain/{}", answer["meta"]["request_id"].as_str().unwrap());
    let before = gateway.get(&target).ok();
    assert_eq!(gateway.running.stop(), Some(0));
    let gateway = Gateway::serve(&configuration, data.path());
    let after = gateway.get(&target).ok();
    assert_eq!(before["data"]["attempts"], after["data"]["attempts"]);
    assert_eq!(after["data"]["answered_by"], "polygon", "{after}");
}
