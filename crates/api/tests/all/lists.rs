//! Lists: rows and columns, trades and news, and what a page budget leaves for the next page. API-2, API-5,
//! SRC-13.

use gateway::settings::Routing;
use serde_json::Value;

use crate::stage::Stage;

const BARS: &str = "/v1/bars?symbols=AAPL,MSFT&start=2026-11-02&end=2026-11-06";

#[tokio::test(start_paused = true)]
async fn columns_hold_the_very_values_of_the_rows() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    for target in [BARS, "/v1/corporate-actions?symbols=AAPL,MSFT", "/v1/news?symbols=AAPL,MSFT"] {
        let rows = stage.get(&format!("{target}&shape=rows")).await.json();
        assert_eq!(rows["data"], stage.get(target).await.json()["data"]);
        let columns = stage.get(&format!("{target}&shape=columns")).await.json();
        for symbol in ["AAPL", "MSFT"] {
            let rows = rows["data"][symbol].as_array().unwrap();
            let columns = columns["data"][symbol].as_object().unwrap();
            assert!(!rows.is_empty() && !columns.is_empty(), "{target}");
            for (name, values) in columns {
                let of_rows: Vec<Value> = rows.iter().map(|row| row[name].clone()).collect();
                assert_eq!(values, &Value::from(of_rows), "{target} {symbol} {name}");
            }
            let names = rows.iter().flat_map(|row| row.as_object().unwrap().keys());
            assert!(names.into_iter().all(|name| columns.contains_key(name)), "{target}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_shape_is_refused_where_it_means_nothing() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    for target in [
        format!("{BARS}&shape=cube"),
        format!("{BARS}&shape=columns&format=csv"),
        "/v1/quotes/latest?symbols=AAPL&shape=columns".to_owned(),
        "/v1/compare?symbol=AAPL&shape=rows".to_owned(),
    ] {
        let answer = stage.get(&target).await;
        assert_eq!(answer.status, 400, "{target}");
        assert!(answer.json()["problems"].to_string().contains("shape"), "{target}: {}", answer.text);
    }
    assert_eq!(stage.asked("polygon"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_page_budget_leaves_out_comes_with_the_next_page() {
    let vendors = [("polygon", "premium"), ("yahoo", "default")];
    let query = "symbols=AAPL,MSFT&interval=1h&start=2025-11-03&end=2026-11-06&vendor=polygon";
    let whole = Stage::new(&vendors).await.get(&format!("/v1/bars?{query}")).await.json();
    assert_eq!(whole["meta"]["symbols"]["AAPL"]["coverage"]["complete"], true);
    for limit in [10_000, 300] {
        let routing = Routing { cross_check: false, page_budget: 1, ..Routing::default() };
        let stage = Stage::routed(&vendors, |_| {}, routing).await;
        let mut target = format!("/v1/bars?{query}&limit={limit}");
        let (mut rows, mut cut, mut pages) = ([Vec::new(), Vec::new()], 0, 0);
        loop {
            let answer = stage.get(&target).await;
            let page = answer.json();
            assert_eq!(answer.status, 200, "{page}");
            pages += 1;
            for (symbol, rows) in ["AAPL", "MSFT"].into_iter().zip(&mut rows) {
                rows.extend(page["data"][symbol].as_array().into_iter().flatten().cloned());
            }
            cut += usize::from(page["warnings"].to_string().contains("INCOMPLETE"));
            let Some(token) = page["next_page_token"].as_str() else { break };
            target = format!("/v1/bars?{query}&limit={limit}&page_token={token}");
            assert!(pages < 200, "the pages end");
        }
        assert!(cut > 1 && pages > 2, "{limit}: {cut} of {pages} pages were cut short");
        let [aapl, msft] = rows.map(|rows| rows.iter().map(|row| row["t"].clone()).collect::<Vec<_>>());
        for (symbol, told) in [("AAPL", aapl), ("MSFT", msft)] {
            let expected: Vec<Value> =
                whole["data"][symbol].as_array().unwrap().iter().map(|row| row["t"].clone()).collect();
            assert_eq!(told, expected, "{symbol} {limit}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn trades_come_oldest_first_within_their_range() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    let range = "start=2026-11-18T15:00:00Z&end=2026-11-18T15:10:00Z";
    let answer = stage.get(&format!("/v1/trades?symbols=AAPL&{range}&limit=25")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    let trades = json["data"]["AAPL"].as_array().unwrap();
    assert!(!trades.is_empty() && trades.len() <= 25, "{json}");
    let times: Vec<&str> = trades.iter().map(|trade| trade["t"].as_str().unwrap()).collect();
    assert!(times.is_sorted());
    assert!(
        times.iter().all(|at| (*at >= "2026-11-18T15:00:00Z") && (*at < "2026-11-18T15:10:00Z")),
        "{times:?}"
    );
    assert!(trades.iter().all(|trade| trade["price"].is_number() && trade["size"].is_number()));
    assert_eq!(json["meta"]["vendor"], "polygon");
    for wrong in ["limit=0", "limit=50001", "start=2026-11-18&end=2026-11-17"] {
        assert_eq!(stage.get(&format!("/v1/trades?symbols=AAPL&{wrong}")).await.status, 400, "{wrong}");
    }
}

#[tokio::test(start_paused = true)]
async fn news_names_headline_and_time_and_stays_in_its_range() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    let answer = stage.get("/v1/news?symbols=AAPL&start=2026-11-01&end=2026-11-18&limit=5").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    let items = json["data"]["AAPL"].as_array().unwrap();
    assert!(!items.is_empty() && items.len() <= 5, "{json}");
    for item in items {
        assert!(!item["headline"].as_str().unwrap().is_empty() && item["instruments"].is_array());
        let at = item["t"].as_str().unwrap();
        assert!(("2026-11-01".."2026-11-19").contains(&at), "{at}");
    }
    let unoffered = stage.get("/v1/news?symbols=AAPL&vendor=twelve_data").await;
    assert_eq!((unoffered.status.as_u16(), &unoffered.json()["code"]), (422, &"UNSUPPORTED".into()));
}
