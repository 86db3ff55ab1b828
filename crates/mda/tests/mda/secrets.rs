//! CFG-8, ACC-3: no part of a key is in any output, answer or file.

use std::path::Path;

use crate::process::{Running, run_with};
use crate::stage::{Gateway, Vendors, fail};
use crate::web;

/// A key nobody would write by chance.
const CANARY: &str = "canary-9f2b7c41d6e8";
/// Its beginning, which gives as much away as a careless mask would.
const PART: &str = "9f2b7c41";

fn assert_silent(what: &str, text: &str) {
    assert!(!text.contains(PART), "{what} tells the key: {text}");
}

fn assert_files_silent(folder: &Path) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            files += assert_files_silent(&path);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            let told = bytes.windows(PART.len()).any(|window| window == PART.as_bytes());
            assert!(!told, "{} holds the key", path.display());
            files += 1;
        }
    }
    files
}

#[test]
fn a_key_appears_in_no_output_no_answer_and_no_file() {
    // CFG-8: the vendors refuse the key, fail and send rubbish, so that every error path is walked.
    let vendors = Vendors::start(&["--no-latency", "--at", "2026-11-18T15:30:00Z"]);
    let variables = [
        ("POLYGON_API_KEY", CANARY),
        ("FINNHUB_API_KEY", CANARY),
        ("TWELVE_DATA_API_KEY", CANARY),
        ("ALPHA_VANTAGE_API_KEY", CANARY),
        ("LOG_LEVEL", "trace"),
    ];
    // Outside a sandbox the variables win over the file.
    let names = ["polygon", "finnhub", "twelve_data", "alpha_vantage"];
    let configuration = vendors.configuration(&names).replace("    sandbox: true\n", "");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mda.yaml");
    std::fs::write(&file, &configuration).unwrap();
    let file = file.to_str().unwrap();
    let data = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::serve_with(&configuration, data.path(), &variables);

    let mut bodies = Vec::new();
    for (turn, fault) in ["end", "outage", "html", "truncate", "schema", "refuse"].into_iter().enumerate() {
        for vendor in names {
            fail(&vendors.base, fault, vendor, "30s");
            let symbol = ["AAPL", "MSFT", "NVDA", "AMZN", "INTC", "IBM"][turn];
            for path in ["quotes/latest?symbols=", "bars?interval=1d&start=2026-11-02&symbols="] {
                let reply = gateway.get(&format!("/v1/{path}{symbol}&vendor={vendor}&explain=1"));
                bodies.push(format!("{:?} {}", reply.headers, reply.body));
            }
            fail(&vendors.base, "end", vendor, "30s");
        }
    }
    // The simulated vendors do not know the key: it was sent, and refused.
    let sent = vendors.journal();
    assert!(sent.iter().any(|line| line["status"] == 401), "the key never went out: {sent:?}");
    for path in [
        "/v1/vendors",
        "/v1/vendors/polygon",
        "/v1/attempts",
        "/v1/failures",
        "/v1/events",
        "/openapi.json",
        "/health",
    ] {
        let reply = gateway.get(path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        bodies.push(reply.body);
    }
    bodies.push(web::get(&vendors.base, "/_sim/journal").body);
    for body in &bodies {
        assert_silent("an answer", body);
    }
    let log = gateway.running.said();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "the log is as talkative as it gets: {log}");
    assert_silent("the log", &log);

    let payload = folder.path().join("payload.json");
    std::fs::write(&payload, "{}").unwrap();
    for arguments in [
        vec!["check", "--config", file],
        vec!["quote", "AAPL", "--server", &gateway.base],
        vec!["bars", "AAPL", "--server", &gateway.base],
        vec!["compare", "AAPL", "--server", &gateway.base],
        vec!["vendors", "--server", &gateway.base],
        vec!["vendors", "polygon", "--server", &gateway.base],
        vec!["decode", "--vendor", "polygon", "--endpoint", "/v2/last/trade/AAPL", payload.to_str().unwrap()],
        vec!["chaos", "end", "polygon", "--simulator", &vendors.base],
        vec!["simulate", "--print-config"],
        vec!["--help"],
    ] {
        for json in [false, true] {
            let mut all = if json { vec!["--json"] } else { Vec::new() };
            all.extend(&arguments);
            assert_silent(&format!("{all:?}"), &run_with(&all, &variables).said());
        }
    }
    gateway.running.kill();
    assert!(assert_files_silent(data.path()) > 0, "no file was looked into");
}

#[test]
fn a_key_in_a_broken_file_is_not_quoted() {
    // CFG-2, CFG-8: the problem names the place, not the value.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mda.yaml");
    for text in [
        format!("data_sources: {{polygon: {{api_key: [{CANARY}]}}}}\n"),
        format!("data_sources: {{polygon: {{api_key: {{a: {CANARY}}}}}}}\n"),
        format!("data_sources:\n  polygon:\n    api_key: \"{CANARY}\n    plan: free\n"),
    ] {
        std::fs::write(&file, &text).unwrap();
        for json in [false, true] {
            let mut arguments = if json { vec!["--json"] } else { Vec::new() };
            arguments.extend(["check", "--config", file.to_str().unwrap()]);
            let done = run_with(&arguments, &[]);
            assert_eq!(done.code, 3, "{text}: {}", done.said());
            assert_silent(&text, &done.said());
        }
    }
    let mut serve =
        Running::start(&["serve", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"], &[]);
    assert_silent("serve", &serve.said_to_the_end());
}
