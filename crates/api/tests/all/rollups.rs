//! STO-5: sums of stored bars are reachable, and say of which bars they are.

use serde_json::Value;

use crate::stage::Stage;

const DAY: &str = "start=2026-11-17&end=2026-11-18";

#[tokio::test(start_paused = true)]
async fn what_was_fetched_is_summed_up_by_hour_and_by_trading_date_and_counts_once() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    let none = stage.get(&format!("/v1/rollups?symbols=aapl&{DAY}")).await;
    assert_eq!((none.status.as_u16(), &none.json()["meta"]["count"]), (200, &Value::from(0)));
    let mut volumes = Vec::new();
    for interval in ["5m", "1m"] {
        let bars = stage.get(&format!("/v1/bars?symbols=AAPL&interval={interval}&{DAY}")).await;
        assert_eq!(bars.status, 200, "{}", bars.text);
        let asked = stage.asked("polygon");
        let rollups = stage.get(&format!("/v1/rollups?symbols=aapl&{DAY}")).await.json();
        assert_eq!(stage.asked("polygon"), asked, "no vendor is asked");
        let rows = rollups["data"].as_array().unwrap();
        assert!(rows.iter().all(|row| row["symbol"] == "AAPL" && row["interval"] == interval), "{rows:#?}");
        let sum = |span: &str| -> f64 {
            let of_span = rows.iter().filter(|row| row["span"] == span);
            of_span.map(|row| row["volume"].as_str().unwrap().parse::<f64>().unwrap()).sum()
        };
        let days: Vec<&Value> = rows.iter().filter(|row| row["span"] == "1d").collect();
        assert_eq!(days.len(), 1, "{days:#?}");
        assert_eq!((&days[0]["date"], &days[0]["complete"]), (&"2026-11-17".into(), &true.into()));
        assert_eq!(days[0]["simulated"], true);
        assert!((sum("1h") - sum("1d")).abs() < 1e-6, "the hours of a day are the day");
        volumes.push(sum("1d"));
    }
    assert!(volumes[0] > 0.0, "{volumes:?}");
    let days = stage.get(&format!("/v1/rollups?symbols=aapl&span=1d&{DAY}")).await.json();
    assert_eq!(days["meta"]["count"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_range_that_is_empty_or_too_long_and_an_unknown_span_are_refused() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    for words in [
        "symbols=AAPL&start=2026-11-18&end=2026-11-17",
        "symbols=AAPL&start=2020-01-01&end=2026-11-17",
        "symbols=AAPL&span=2h",
        "start=2026-11-17",
        "symbols=AAPL&limit=5",
    ] {
        let answer = stage.get(&format!("/v1/rollups?{words}")).await;
        assert_eq!(answer.status, 400, "{words}: {}", answer.text);
    }
}
