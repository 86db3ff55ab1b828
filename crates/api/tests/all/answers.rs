//! What answers look like. API-1 to API-6, RTE-6, GRD-1, GRD-6, SYM-5 to SYM-7, CCH-2.

use std::time::Duration;

use insta::assert_json_snapshot;
use serde_json::Value;
use simulator::Fault;

use crate::stage::Stage;

#[tokio::test(start_paused = true)]
async fn a_quote_says_who_gave_it_how_good_it_is_and_what_it_cost() {
    let stage = Stage::new(&[("twelve_data", "default")]).await;
    let answer = stage.ask("GET", "/v1/quotes/latest?symbols=aapl", &[("x-request-id", "q-1")]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_json_snapshot!(answer.json());
    assert_eq!(answer.header("x-request-id"), "q-1");
    assert_eq!(answer.header("mda-vendor"), "twelve_data");
    assert_eq!(answer.header("mda-simulated"), "true");
    assert_eq!(answer.header("mda-attempts"), "twelve_data:answered");
    assert_eq!(answer.header("cache-status"), "mda; fwd=uri-miss; stored");
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(answer.header("server-timing").starts_with("total;dur="));
    let grade = &answer.json()["meta"]["grade"];
    assert_eq!(answer.header("mda-grade"), grade["letter"]);
    let lost: f64 = grade["reasons"].as_array().unwrap().iter().map(|r| r["points"].as_f64().unwrap()).sum();
    assert!((100.0 - lost - grade["score"].as_f64().unwrap()).abs() < 0.1, "{grade}");
}

#[tokio::test(start_paused = true)]
async fn a_hit_costs_nothing_ages_and_names_the_request_that_brought_it() {
    let stage = Stage::new(&[("twelve_data", "default")]).await;
    stage.ask("GET", "/v1/quotes/latest?symbols=AAPL", &[("x-request-id", "first")]).await;
    stage.pass(Duration::from_secs(2)).await;
    let hit = stage.ask("GET", "/v1/quotes/latest?symbols=AAPL", &[("x-request-id", "second")]).await;
    let meta = &hit.json()["meta"];
    assert_eq!(meta["cache"]["state"], "hit");
    assert_eq!(meta["cache"]["brought_by"], "first");
    assert_eq!(meta["cost"]["quota"], serde_json::json!({}));
    assert!(meta["freshness"]["age_ms"].as_u64().unwrap() >= 2_000);
    assert_eq!(hit.header("age"), "2");
    assert!(hit.header("cache-status").starts_with("mda; hit; ttl="));
    assert_eq!(stage.asked("twelve_data"), 1);
    for (id, brought_by) in [("first", "first"), ("second", "first")] {
        let explained = stage.get(&format!("/v1/explain/{id}")).await.json();
        assert_eq!(explained["data"]["request_id"], id);
        assert_eq!(explained["data"]["brought_by"], brought_by);
        assert_eq!(explained["data"]["answered_by"], "twelve_data");
    }
    let attempts = stage.get("/v1/attempts").await.json();
    assert_eq!(attempts["meta"]["count"], 1);
    assert_eq!(attempts["data"][0]["request_id"], "first");
}

#[tokio::test(start_paused = true)]
async fn daily_bars_carry_their_trading_date_and_keep_every_digit() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    let target = "/v1/bars?symbols=AAPL&interval=1Day&start=2026-11-02&end=2026-11-05&explain=1";
    let answer = stage.ask("GET", target, &[("x-request-id", "b-1")]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_json_snapshot!(answer.json());
}

#[tokio::test(start_paused = true)]
async fn pages_hold_every_row_once_and_in_order() {
    let stage = Stage::new(&[("polygon", "premium"), ("yahoo", "default")]).await;
    let query = "symbols=AAPL,MSFT,TSLA&interval=1d&start=2026-09-01&end=2026-11-01";
    let rows = |answer: &Value| -> Vec<(String, String)> {
        let data = answer["data"].as_object().unwrap();
        let mut rows = Vec::new();
        for symbol in ["AAPL", "MSFT", "TSLA"] {
            for row in data.get(symbol).and_then(Value::as_array).into_iter().flatten() {
                rows.push((symbol.to_owned(), row.to_string()));
            }
        }
        rows
    };
    let whole = rows(&stage.get(&format!("/v1/bars?{query}")).await.json());
    assert_eq!(whole.len(), 3 * 43);
    for limit in [1, 7, 43, 44, 129, 500] {
        let mut target = format!("/v1/bars?{query}&limit={limit}");
        let mut paged = Vec::new();
        loop {
            let answer = stage.get(&target).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let json = answer.json();
            let page = rows(&json);
            assert!(page.len() <= limit && !page.is_empty(), "{limit}: {}", page.len());
            paged.extend(page);
            let Some(token) = json["next_page_token"].as_str() else { break };
            assert!(answer.header("link").ends_with("; rel=\"next\""));
            target = format!("/v1/bars?{query}&limit={limit}&page_token={token}");
        }
        assert_eq!(paged, whole, "{limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_unknown_symbol_harms_nothing_but_itself() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    let target = "/v1/quotes/latest?symbols=AAPL,NOSUCHXYZ,MSFT,%24%24%24";
    let answer = stage.ask("GET", target, &[("x-request-id", "m")]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    assert_eq!(json["data"].as_object().unwrap().keys().collect::<Vec<_>>(), ["AAPL", "MSFT"]);
    assert_eq!(json["meta"]["symbols"]["NOSUCHXYZ"]["error"]["code"], "UNKNOWN_SYMBOL");
    assert_eq!(json["meta"]["symbols"]["$$$"]["error"]["code"], "BAD_REQUEST");
    assert_eq!(json["meta"]["symbols"]["AAPL"]["instrument"], "AAPL.XNAS");
    assert_eq!(json["meta"]["vendor"], "polygon");
    assert_eq!(json["warnings"].as_array().unwrap().len(), 2);
    let explained = stage.get("/v1/explain/m.0").await;
    assert_eq!(explained.status, 200);
}

#[tokio::test(start_paused = true)]
async fn rows_come_as_lines_of_json_and_as_csv() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    let target = "/v1/bars?symbols=AAPL,MSFT&start=2026-11-02&end=2026-11-04&ts=ms";
    let lines = stage.ask("GET", target, &[("accept", "application/x-ndjson")]).await;
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    let rows: Vec<Value> = lines.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 4);
    assert_eq!((&rows[0]["symbol"], &rows[3]["symbol"]), (&"AAPL".into(), &"MSFT".into()));
    assert!(rows[0]["t"].is_u64());
    let csv = stage.get(&format!("{target}&format=csv")).await;
    let mut csv_lines = csv.text.split_terminator("\r\n");
    assert_eq!(
        csv_lines.next(),
        Some("symbol,t,date,open,high,low,close,volume,vwap,trades,adjusted_close,final,grade")
    );
    assert_eq!(csv_lines.count(), 4);
    assert_eq!(csv.header("mda-vendor"), "polygon");
}

#[tokio::test(start_paused = true)]
async fn vendors_are_compared_each_by_its_own_value() {
    let stage = Stage::new(&[("finnhub", "premium"), ("polygon", "premium"), ("yahoo", "default")]).await;
    stage.fails("polygon", Fault::Outage);
    let answer = stage.get("/v1/compare?symbol=AAPL").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let compared = &answer.json()["data"]["AAPL"];
    let outcomes: Vec<(&str, &str)> = compared["vendors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|voice| (voice["vendor"].as_str().unwrap(), voice["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(
        outcomes,
        [
            ("finnhub", "answered"),
            ("yahoo", "answered"),
            ("alpha_vantage", "disabled"),
            ("iex_cloud", "disabled"),
            ("polygon", "BAD_UPSTREAM"),
            ("twelve_data", "disabled"),
        ]
    );
    assert_eq!((&compared["answered"], &compared["independent"]), (&2.into(), &2.into()));
    assert!(compared["median"].is_number() && compared["spread"].is_number());
}

#[tokio::test(start_paused = true)]
async fn a_vendor_page_tells_quota_breaker_health_and_plan_and_a_drained_one_is_not_asked() {
    let stage = Stage::new(&[("finnhub", "premium"), ("polygon", "premium")]).await;
    stage.get("/v1/quotes/latest?symbols=AAPL&vendor=finnhub").await;
    let answer = stage.ask("GET", "/v1/vendors/finnhub", &[("x-request-id", "v")]).await;
    assert_json_snapshot!(answer.json());
    assert_eq!(stage.ask("POST", "/v1/vendors/finnhub/drain", &[]).await.json()["data"]["state"], "drained");
    let other = stage.get("/v1/quotes/latest?symbols=MSFT").await.json();
    assert_eq!(other["meta"]["vendor"], "polygon");
    assert_eq!(stage.ask("POST", "/v1/vendors/finnhub/undrain", &[]).await.json()["data"]["state"], "active");
    let all = stage.get("/v1/sources").await.json();
    assert_eq!(all["meta"]["count"], vendors::ALL.len());
}

#[tokio::test(start_paused = true)]
async fn reference_data_needs_no_vendor() {
    let stage = Stage::new(&[]).await;
    let calendar =
        stage.ask("GET", "/v1/calendar?mic=XNYS&start=2026-11-25&end=2026-11-28", &[("x-request-id", "c")]);
    assert_json_snapshot!("calendar", calendar.await.json());
    let found = stage.get("/v1/instruments/search?q=apple&limit=1").await.json();
    assert_eq!(found["data"][0]["instrument"], "AAPL.XNAS");
    let meant =
        stage.get("/v1/instruments/resolve?symbols=brk.b,FB,aapl.xnas,%3F%3F&asof=2020-01-02").await.json();
    assert_eq!(meant["data"]["AAPL.XNAS"]["instrument"], "AAPL.XNAS");
    assert_eq!(meant["data"]["BRK.B"]["name"], "BRK.B");
    assert!(meant["data"]["??"]["error"].is_string());
}

#[tokio::test(start_paused = true)]
async fn splits_and_dividends_stand_in_one_list() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    let answer = stage.get("/v1/corporate-actions?symbols=AAPL").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    let rows = json["data"]["AAPL"].as_array().unwrap();
    let dates: Vec<&str> = rows.iter().map(|row| row["ex_date"].as_str().unwrap()).collect();
    assert!(dates.is_sorted());
    let only = stage.get("/v1/corporate-actions?symbols=AAPL&types=split").await.json();
    let splits = rows.iter().filter(|row| row["type"] == "split").count();
    assert_eq!(only["data"]["AAPL"].as_array().unwrap().len(), splits);
}

#[tokio::test(start_paused = true)]
async fn a_trace_goes_on_and_a_broken_one_does_not() {
    let stage = Stage::new(&[]).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = stage.ask("GET", "/livez", &[("traceparent", trace), ("x-request-id", "bad id!")]).await;
    let own = answer.header("traceparent");
    assert!(own.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && own.ends_with("-01"));
    assert!(!own.contains("b7ad6b7169203331"));
    assert!(!answer.header("x-request-id").is_empty());
    let answer = stage.ask("GET", "/livez", &[("traceparent", "00-xyz-1-01")]).await;
    assert_eq!(answer.header("traceparent"), "");
}

#[tokio::test(start_paused = true)]
async fn long_bodies_are_compressed_for_who_asks_and_short_ones_never() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    let target = "/v1/bars?symbols=AAPL&start=2026-01-02&end=2026-11-01";
    for coding in ["gzip", "zstd"] {
        assert_eq!(
            stage.ask("GET", target, &[("accept-encoding", coding)]).await.header("content-encoding"),
            coding
        );
        assert_eq!(
            stage.ask("GET", "/livez", &[("accept-encoding", coding)]).await.header("content-encoding"),
            ""
        );
    }
    assert_eq!(stage.get(target).await.header("content-encoding"), "");
}

#[tokio::test(start_paused = true)]
async fn an_operator_probes_a_vendor_and_gives_it_another_place() {
    // RTE-8.
    let stage = Stage::new(&[("polygon", "premium"), ("twelve_data", "free")]).await;
    let probed = stage.ask("POST", "/v1/vendors/polygon/probe", &[("x-request-id", "a-probe")]).await;
    assert_eq!(probed.status, 200);
    assert_eq!(stage.asked("polygon"), 1);
    let record = stage.ask("GET", "/v1/explain/a-probe", &[]).await.json();
    assert_eq!(record["data"]["attempts"][0]["vendor"], "polygon");
    let off = stage.ask("POST", "/v1/vendors/massive/priority?value=999", &[]).await.json();
    assert_eq!(off["data"]["priority"], 999);
    assert_eq!(off["data"]["state"], "disabled");
    let quote = stage.ask("GET", "/v1/quotes/latest?symbols=AAPL", &[]).await.json();
    assert_eq!(quote["meta"]["vendor"], "twelve_data");
    let refused = stage.ask("POST", "/v1/vendors/polygon/priority", &[]).await;
    assert_eq!(refused.status, 400);
    assert!(refused.json()["problems"][0]["detail"].as_str().unwrap().contains("999 off"));
}
