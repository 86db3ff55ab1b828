//! SRC-2, RTE-5, RTE-6, RTE-7, STO-3, ACT-1, ACT-3, TST-7: a recorded market, replayed by simulated vendors in
//! one process, comes out of a gateway in another one as it was recorded.

use serde_json::Value;

use crate::recording::{Recording, assert_equal};
use crate::stage::{Gateway, Vendors, attempts, instant};

const START: &str = "2015-01-12";
const END: &str = "2017-12-30";
/// Shares with a split inside the recording, and one without.
const SYMBOLS: [&str; 4] = ["AAPL", "NFLX", "V", "NKE"];

fn alone(vendors: &Vendors, names: &[&str]) -> String {
    vendors.configuration(names) + "routing:\n  cross_check: false\n"
}

fn bars(symbol: &str, adjustment: &str, policy: &str) -> String {
    format!(
        "/v1/bars?symbols={symbol}&interval=1d&start={START}&end={END}&adjustment={adjustment}&deadline=20s{policy}"
    )
}

#[test]
fn recorded_bars_come_back_equal_and_every_attempt_is_a_line_of_the_vendors_journal() {
    // RTE-6, ACT-1, API-3, STO-3, RTE-7.
    let Some(recording) = Recording::find("recorded_bars_come_back_equal") else { return };
    let mut vendors = Vendors::start(&["--market", recording.path(), "--unlimited", "--no-latency"]);
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::serve(&alone(&vendors, &["yahoo", "polygon", "twelve_data"]), data.path());
    let mut made: Vec<Value> = Vec::new();
    for symbol in SYMBOLS {
        for (adjustment, recorded) in
            [("raw", recording.raw(symbol, START, END)), ("split", recording.split(symbol, START, END))]
        {
            for vendor in ["yahoo", "polygon", "twelve_data"] {
                let reply = gateway.get(&bars(symbol, adjustment, &format!("&vendor={vendor}")));
                let body = reply.ok();
                let what = format!("{symbol} {adjustment} from {vendor}");
                assert_equal(&body["data"][symbol], &recorded, &what);
                let meta = &body["meta"];
                assert_eq!(meta["basis"]["adjustment"], adjustment, "{what}");
                assert_eq!((&meta["simulated"], &meta["stored"]), (&true.into(), &true.into()), "{what}");
                assert_eq!(meta["vendor"], vendor, "{what}");
                made.extend(attempts(&reply));
            }
        }
    }
    // A refusal has its attempts too.
    made.extend(attempts(&gateway.get("/v1/quotes/latest?symbols=ZZZZQ&vendor=polygon")));

    let key = |row: &Value, at: &str| (row["vendor"].as_str().unwrap().to_owned(), instant(&row[at]));
    let mut told: Vec<_> = made.iter().map(|attempt| key(attempt, "sent_at")).collect();
    let mut seen: Vec<_> = vendors.journal().iter().map(|line| key(line, "at")).collect();
    told.sort();
    seen.sort();
    let count = |list: &[(String, domain::Instant)]| list.len();
    assert_eq!(count(&told), count(&seen), "told {told:#?}\nseen {seen:#?}");
    assert!(told.len() > 2 * SYMBOLS.len(), "{}", told.len());
    for (told, seen) in told.iter().zip(&seen) {
        assert_eq!(told.0, seen.0);
        assert!(told.1 <= seen.1, "{told:?} arrived before it was sent: {seen:?}");
    }

    vendors.running.kill();
    let stored = gateway.get(&bars("NFLX", "raw", "&vendor=polygon")).ok();
    assert_equal(&stored["data"]["NFLX"], &recording.raw("NFLX", START, END), "with every vendor gone");
    let refused = gateway.get(&bars("MSFT", "raw", "")).problem(503, "NO_HEALTHY_VENDOR");
    assert_eq!(refused["retryable"], true);
}

#[test]
fn a_vendor_that_stands_in_across_a_split_keeps_the_basis() {
    // ACT-3, RTE-5: yahoo has split-adjusted bars only, polygon raw ones too.
    let Some(recording) = Recording::find("a_vendor_that_stands_in_across_a_split") else { return };
    let vendors = Vendors::start(&["--market", recording.path(), "--unlimited", "--no-latency"]);
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::serve(&alone(&vendors, &["yahoo", "polygon"]), data.path());
    for (symbol, failing, standing_in, adjustment) in [
        ("NFLX", "polygon", "yahoo", "split"),
        ("NFLX", "polygon", "yahoo", "raw"),
        ("NKE", "yahoo", "polygon", "split"),
        ("NKE", "yahoo", "polygon", "raw"),
    ] {
        vendors.fail("outage", failing, "60s");
        let policy = format!("&vendors={failing},{standing_in}");
        let body = gateway.get(&bars(symbol, adjustment, &policy)).ok();
        let recorded = match adjustment {
            "raw" => recording.raw(symbol, START, END),
            _ => recording.split(symbol, START, END),
        };
        let what = format!("{symbol} {adjustment} from {standing_in}");
        assert_equal(&body["data"][symbol], &recorded, &what);
        assert_eq!(body["meta"]["basis"]["adjustment"], adjustment, "{what}");
        if body["meta"]["cache"]["state"] == "miss" {
            assert_eq!(body["meta"]["vendor"], standing_in, "{what}");
        }
        vendors.fail("end", failing, "60s");
    }
}

#[test]
fn a_vendor_the_caller_did_not_list_is_not_asked_for_splits_either() {
    // RTE-9: twelve_data's free plan tells no splits, the others would.
    let Some(recording) = Recording::find("a_vendor_the_caller_did_not_list") else { return };
    let vendors = Vendors::start(&["--market", recording.path(), "--unlimited", "--no-latency"]);
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::serve(&alone(&vendors, &["yahoo", "polygon", "twelve_data"]), data.path());
    let reply = gateway.get(&bars("NFLX", "split", "&vendor=twelve_data"));
    assert_equal(&reply.ok()["data"]["NFLX"], &recording.split("NFLX", START, END), "from twelve_data alone");
    let asked: Vec<String> =
        vendors.journal().iter().map(|line| line["vendor"].as_str().unwrap().to_owned()).collect();
    assert!(!asked.is_empty() && asked.iter().all(|vendor| vendor == "twelve_data"), "{asked:?}");
}

#[test]
fn a_series_of_unknown_basis_is_refused_rather_than_guessed() {
    // ACT-1, ACT-3, RTE-11.
    let Some(recording) = Recording::find("a_series_of_unknown_basis_is_refused") else { return };
    let vendors = Vendors::start(&["--market", recording.path(), "--unlimited", "--no-latency"]);
    let data = tempfile::tempdir().unwrap();
    let configuration =
        alone(&vendors, &["polygon"]).replace("  polygon:\n", "  polygon:\n    adjustment: unknown\n");
    let gateway = Gateway::serve(&configuration, data.path());
    for adjustment in ["raw", "split"] {
        gateway.get(&bars("NFLX", adjustment, "")).problem(409, "CONSTRAINT_UNMET");
    }
}

#[test]
fn one_seed_is_one_market_and_another_seed_another() {
    // TST-2, TST-3: two processes with the same seed agree on every bar.
    let bars = |seed: &str| {
        let vendors = Vendors::start(&["--seed", seed, "--unlimited", "--no-latency"]);
        let data = tempfile::tempdir().unwrap();
        let gateway = Gateway::serve(&vendors.configuration(&["polygon"]), data.path());
        let target = "/v1/bars?symbols=AAPL&interval=1d&start=2025-03-03&end=2025-06-02&deadline=20s";
        gateway.get(target).ok()["data"]["AAPL"].clone()
    };
    let first = bars("11");
    assert!(first.as_array().unwrap().len() > 50, "{first}");
    assert_eq!(first, bars("11"));
    assert_ne!(first, bars("12"));
}

#[test]
fn recorded_minutes_of_a_half_day_come_back_stamped_at_their_open() {
    // SYM-6, SYM-8, ACT-1: the recording stamps the end of a minute; 2020-11-27 closes at 13:00 New York.
    let Some(folder) = test_data::find("recorded_minutes_of_a_half_day", "data/replay/equities-minute")
    else {
        return;
    };
    let market = folder.to_str().unwrap();
    let vendors = Vendors::start(&["--market", market, "--unlimited", "--no-latency"]);
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::serve(&alone(&vendors, &["polygon"]), data.path());
    let target =
        "/v1/bars?symbols=MSFT&interval=1m&start=2020-11-27&end=2020-11-28&adjustment=raw&deadline=20s";
    let body = gateway.get(target).ok();
    let answered: Vec<(i64, f64, f64)> = body["data"]["MSFT"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (instant(&row["t"]).as_secs(), row["close"].as_f64().unwrap(), row["volume"].as_f64().unwrap())
        })
        .collect();
    let (open, close) = (1_606_487_400, 1_606_500_000);
    let recorded: Vec<(i64, f64, f64)> = crate::recording::rows(&folder.join("MSFT.csv.gz"))
        .iter()
        .map(|row| {
            let end = domain::Instant::parse(&row[0]).unwrap();
            let number = |index: usize| row[index].parse::<f64>().unwrap();
            (end.as_secs() - 60, number(5), number(6))
        })
        .filter(|(start, ..)| (open..close).contains(start))
        .collect();
    assert!(recorded.len() > 200, "{}", recorded.len());
    assert_eq!(answered, recorded);
    assert_eq!(body["meta"]["coverage"]["gaps"], serde_json::json!([]));
}
