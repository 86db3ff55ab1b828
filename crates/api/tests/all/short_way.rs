//! A cached quote takes a short way and says the same. CCH-2, GRD-3, API-3.

use std::time::Duration;

use crate::stage::Stage;

const VENDORS: [(&str, &str); 2] = [("polygon", "premium"), ("twelve_data", "default")];

#[tokio::test(start_paused = true)]
async fn both_ways_say_the_same_byte_for_byte() {
    let stage = Stage::new(&VENDORS).await;
    for target in [
        "/v1/quotes/latest?symbols=AAPL",
        "/v1/quotes/latest?symbols=aapl.xnas&vendor=twelve_data",
        "/v1/quotes/latest?symbols=BRK.B&stale=allow&format=json",
    ] {
        assert!(stage.remembered(target, &[]).await.is_none(), "{target}: nothing is cached yet");
        assert_eq!(stage.get(target).await.status, 200, "{target}");
        for secs in [0, 1, 2] {
            stage.pass(Duration::from_secs(secs)).await;
            let asked = [("x-request-id", "the-same"), ("user-agent", "test")];
            let ordinary = stage.ask("GET", target, &asked).await;
            let short = stage.remembered(target, &asked).await.expect("a fresh answer is in memory");
            assert_eq!(short.text, ordinary.text);
            let sorted = |headers: &http::HeaderMap| {
                let mut lines: Vec<String> =
                    headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
                // hyper counts the body of the short way itself.
                lines.retain(|line| !line.starts_with("content-length"));
                lines.sort();
                lines
            };
            assert_eq!(sorted(&short.headers), sorted(&ordinary.headers));
            assert_eq!(short.json()["meta"]["cache"]["state"], "hit");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hit_is_graded_anew_and_an_answer_past_its_time_goes_the_ordinary_way() {
    let stage = Stage::new(&VENDORS).await;
    let target = "/v1/quotes/latest?symbols=AAPL&vendor=polygon";
    stage.get(target).await;
    let young = stage.remembered(target, &[]).await.unwrap().json();
    stage.pass(Duration::from_secs(3)).await;
    let older = stage.remembered(target, &[]).await.unwrap().json();
    let timely =
        |answer: &serde_json::Value| answer["meta"]["grade"]["dimensions"]["timeliness"].as_f64().unwrap();
    let age = |answer: &serde_json::Value| answer["meta"]["freshness"]["age_ms"].as_u64().unwrap();
    assert!(timely(&older) < timely(&young));
    assert_eq!(age(&older), age(&young) + 3_000);
    stage.pass(Duration::from_secs(10)).await;
    assert!(stage.remembered(target, &[]).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn whatever_changes_the_answer_goes_the_ordinary_way() {
    let stage = Stage::new(&VENDORS).await;
    let target = "/v1/quotes/latest?symbols=AAPL";
    stage.get(target).await;
    assert!(stage.remembered(target, &[]).await.is_some());
    for header in
        [("accept", "text/csv"), ("accept-encoding", "gzip, br"), ("mda-min-grade", "A"), ("mda-ts", "ns")]
    {
        assert!(stage.remembered(target, &[header]).await.is_none(), "{header:?}");
    }
    for query in
        ["&min_grade=A", "&max_age=1s", "&explain=1", "&num=string", "&nonsense=1", ",MSFT", "&symbols=X"]
    {
        assert!(stage.remembered(&format!("{target}{query}"), &[]).await.is_none(), "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hit_on_the_short_way_can_be_explained() {
    let stage = Stage::new(&VENDORS).await;
    let target = "/v1/quotes/latest?symbols=AAPL";
    stage.ask("GET", target, &[("x-request-id", "first")]).await;
    stage.remembered(target, &[("x-request-id", "short")]).await.unwrap();
    let explained = stage.get("/v1/explain/short").await.json();
    assert_eq!(explained["data"]["brought_by"], "first");
    // The request that brought the answer keeps its id to itself.
    assert!(stage.remembered(target, &[("x-request-id", "first")]).await.is_none());
}
