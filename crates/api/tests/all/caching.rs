//! CCH-2, CCH-7, CCH-8: the cache as operators see and clear it, and the price path of older systems.

use std::time::Duration;

use crate::stage::Stage;

const VENDORS: [(&str, &str); 2] = [("polygon", "premium"), ("yahoo", "public")];

#[tokio::test(start_paused = true)]
async fn the_cache_tells_what_it_holds_and_how_it_is_used_in_fractions() {
    let stage = Stage::new(&VENDORS).await;
    for _ in 0..4 {
        stage.get("/v1/quotes/latest?symbols=AAPL").await;
    }
    stage.remembered("/v1/quotes/latest?symbols=AAPL", &[]).await.unwrap();
    stage.get("/v1/quotes/latest?symbols=ZZQQ").await;
    stage.get("/v1/quotes/latest?symbols=ZZQQ").await;
    let told = stage.get("/v1/cache").await.json();
    let (data, quotes) = (&told["data"], &told["data"]["namespaces"]["quotes"]);
    assert_eq!(
        (data["strategy"].as_str(), data["adaptive_ttl"].as_str()),
        (Some("adaptive"), Some("change"))
    );
    assert_eq!(quotes["hits"], 4);
    assert_eq!(quotes["misses"], 2, "{quotes}");
    assert_eq!(quotes["refused_unknown"], 1);
    let rate = quotes["hit_rate"].as_f64().unwrap();
    assert!((rate - 4.0 / 6.0).abs() < 1e-9, "{rate}");
    assert_eq!((data["total"]["entries"].as_u64(), data["max_entries"].as_u64()), (Some(1), Some(10_000)));
    assert_eq!(data["total"]["evictions"], 0);
    assert!(data["namespaces"]["bars"]["hit_rate"].is_null(), "nobody has asked for bars");
    let parts: u64 =
        data["memory"]["parts"].as_object().unwrap().values().map(|part| part.as_u64().unwrap()).sum();
    let budget = data["memory"]["budget_bytes"].as_u64().unwrap();
    assert_eq!(budget, 256 << 20);
    assert!(parts <= budget);
}

#[tokio::test(start_paused = true)]
async fn an_operator_clears_by_tag_and_hears_how_much_that_was_or_that_it_was_nothing() {
    let stage = Stage::new(&VENDORS).await;
    let fill = async || {
        for symbol in ["AAPL", "MSFT", "NVDA"] {
            assert_eq!(stage.get(&format!("/v1/quotes/latest?symbols={symbol}")).await.status, 200);
        }
    };
    let clear = async |query: &str| stage.ask("POST", &format!("/v1/cache/invalidate?{query}"), &[]).await;
    fill().await;
    let one = clear("instrument=AAPL").await.json();
    assert_eq!((one["data"]["matched"].as_u64(), one["data"]["answers"].as_u64()), (Some(1), Some(1)));
    let none = clear("namespace=bars").await.json();
    assert_eq!(none["data"]["matched"], 0);
    assert!(none["data"]["message"].as_str().unwrap().contains("nothing"), "{none}");
    assert_eq!(clear("namespace=quotes&vendor=polygon").await.json()["data"]["matched"], 2);
    fill().await;
    assert_eq!(clear("all=true").await.json()["data"]["matched"], 3);
    // The next caller gets it from a vendor.
    let asked = stage.asked("polygon") + stage.asked("yahoo");
    assert_eq!(stage.get("/v1/quotes/latest?symbols=AAPL").await.json()["meta"]["cache"]["state"], "miss");
    assert!(stage.asked("polygon") + stage.asked("yahoo") > asked);
}

#[tokio::test(start_paused = true)]
async fn a_clear_without_a_tag_or_with_a_wrong_one_clears_nothing() {
    let stage = Stage::new(&VENDORS).await;
    stage.get("/v1/quotes/latest?symbols=AAPL").await;
    for query in
        ["", "all=false", "all=true&vendor=polygon", "namespace=everything", "vendor=nobody", "tag=x"]
    {
        let refused = stage.ask("POST", &format!("/v1/cache/invalidate?{query}"), &[]).await;
        assert_eq!(refused.status, 400, "{query}: {}", refused.text);
    }
    assert_eq!(stage.get("/v1/cache").await.json()["data"]["total"]["entries"], 1);
    assert_eq!(stage.get("/v1/cache/invalidate").await.status, 405);
}

#[tokio::test(start_paused = true)]
async fn a_price_of_older_systems_is_served_from_memory_for_thirty_seconds() {
    let stage = Stage::new(&[("yahoo", "public")]).await;
    let cached = async || stage.get("/price/AAPL").await.json()["cached"].as_bool().unwrap();
    assert!(!cached().await);
    let calls = stage.asked("yahoo");
    for _ in 0..5 {
        stage.pass(Duration::from_secs(5)).await;
        assert!(cached().await);
    }
    assert_eq!(stage.asked("yahoo"), calls);
    // A native quote has its own, shorter time.
    assert_eq!(stage.get("/v1/quotes/latest?symbols=AAPL").await.json()["meta"]["cache"]["state"], "miss");
    stage.pass(Duration::from_secs(34)).await;
    assert!(!cached().await);
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_says_so_in_flag_warning_header_and_grade() {
    let stage = Stage::new(&[("yahoo", "public")]).await;
    let target = "/v1/quotes/latest?symbols=AAPL";
    assert_eq!(stage.get(target).await.status, 200);
    stage.fails("yahoo", simulator::Fault::Outage);
    stage.pass(Duration::from_secs(12)).await;
    let stale = stage.get(target).await;
    assert_eq!(stale.status, 200, "{}", stale.text);
    let told = stale.json();
    assert_eq!(told["meta"]["cache"]["state"], "stale");
    assert_eq!(told["warnings"][0]["code"], "STALE");
    assert!(stale.header("x-warning").starts_with("STALE"), "{:?}", stale.headers);
    assert!(["D", "F"].contains(&stale.header("mda-grade")), "{:?}", stale.headers);
    assert_eq!(stale.header("age"), "12");
    let forbidden = stage.get(&format!("{target}&stale=forbid")).await;
    assert!(forbidden.status.is_server_error(), "{}", forbidden.text);
    stage.pass(Duration::from_secs(12)).await;
    assert!(stage.get(target).await.status.is_server_error(), "past twice its time");
}
