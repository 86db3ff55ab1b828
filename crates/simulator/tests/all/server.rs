//! TST-3, TST-4: the vendors as a server, seen by a plain HTTP client.

use std::sync::Arc;

use domain::VendorId;
use serde_json::{Value, json};
use simulator::{Fault, Simulator, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use vendors::Codec;

use crate::worlds::{NOON, at, boundless, daily, quote_of, request, synthetic, world};

struct Setup {
    world: Arc<World>,
    server: Simulator,
}

/// What came back before the connection closed.
#[derive(Debug)]
struct Seen {
    status: Option<u16>,
    head: String,
    body: Vec<u8>,
    stated: Option<usize>,
}

impl Setup {
    async fn new(world: World) -> Setup {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let world = Arc::new(world);
        Setup { server: Simulator::start(listener, Arc::clone(&world)).unwrap(), world }
    }

    async fn call(&self, method: &str, target: &str, body: &str) -> Seen {
        let mut stream = TcpStream::connect(self.server.address()).await.unwrap();
        let text = format!(
            "{method} {target} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\nuser-agent: Mozilla/5.0\r\n\
             cookie: A3=simulated\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        // A reset after part of the reply is one of the faults; what had come before counts.
        let _ = stream.read_to_end(&mut bytes).await;
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        Seen {
            status: head.split(' ').nth(1).and_then(|status| status.parse().ok()),
            stated: header("content-length").and_then(|length| length.parse().ok()),
            body: bytes[end..].to_vec(),
            head,
        }
    }

    async fn json(&self, method: &str, target: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let seen = self.call(method, target, &body).await;
        (seen.status.unwrap(), serde_json::from_slice(&seen.body).unwrap_or(Value::Null))
    }
}

const POLYGON: VendorId = VendorId("polygon");

fn polygon() -> &'static dyn Codec {
    vendors::find("polygon").unwrap()
}

fn quote_target() -> String {
    format!("/polygon{}", request(polygon(), &quote_of("AAPL"), at(NOON)).target())
}

#[tokio::test(start_paused = true)]
async fn every_fault_is_seen_by_a_plain_client() {
    let setup = Setup::new(world(synthetic(), &boundless(), at(NOON))).await;
    let bars = daily(polygon(), "AAPL", "2026-02-02", "2026-03-02");
    let target = format!("/polygon{}", request(polygon(), &bars, at(NOON)).target());
    let clean = setup.call("GET", &target, "").await;
    assert_eq!((clean.status, clean.stated), (Some(200), Some(clean.body.len())));
    assert!(clean.head.contains("mda-simulated: true"));
    for word in Fault::WORDS {
        let begun = setup.world.clock.now();
        let order = json!({ "vendor": "polygon", "fault": word, "for_ms": 5_000 });
        let (status, spell) = setup.json("POST", "/_sim/chaos", order).await;
        assert_eq!((status, spell["fault"].as_str()), (200, Some(word)));
        let seen = setup.call("GET", &target, "").await;
        let whole = seen.stated == Some(seen.body.len());
        let same = seen.body == clean.body;
        let elapsed = setup.world.clock.now().since(begun).as_secs();
        match word {
            "outage" => assert_eq!(seen.status, Some(503)),
            "refuse" => assert_eq!((seen.status, elapsed), (None, 0)),
            "slow" => assert!(same && elapsed == 2, "{elapsed}"),
            "hang" => assert_eq!((seen.status, elapsed), (None, 5)),
            "429" => assert_eq!(seen.status, Some(429)),
            "html" => assert!(seen.head.contains("text/html") && seen.body.starts_with(b"<!DOCTYPE html>")),
            "truncate" => {
                assert_eq!(seen.stated, Some(clean.body.len()));
                assert_eq!(seen.body, clean.body[..clean.body.len() / 2]);
            }
            "schema" | "wrong" | "pence" => assert!(whole && !same, "{word}"),
            "stale" => assert!(whole, "{word}"),
            other => panic!("{other} has no expectation"),
        }
        let (status, ended) = setup.json("DELETE", "/_sim/chaos/polygon", Value::Null).await;
        assert_eq!(status, 200, "{word}");
        assert!(ended["ended"].as_u64().unwrap() <= 1);
    }
    let rows = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["results"].clone();
    assert_eq!(rows(&setup.call("GET", &target, "").await.body), rows(&clean.body), "all is well again");
    setup.server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn wrong_and_pence_change_prices_by_exactly_their_factor() {
    let setup = Setup::new(world(synthetic(), &boundless(), at(NOON))).await;
    let bars = daily(polygon(), "AAPL", "2026-02-02", "2026-02-03");
    let target = format!("/polygon{}", request(polygon(), &bars, at(NOON)).target());
    let close = async || {
        let seen = setup.call("GET", &target, "").await;
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        (body["results"][0]["c"].as_f64().unwrap(), body["results"][0]["v"].as_f64().unwrap())
    };
    let (clean, volume) = close().await;
    for (order, factor) in [
        (json!({ "vendor": "polygon", "fault": "pence", "for_ms": 1000 }), 100.0),
        (json!({ "vendor": "massive", "fault": "wrong", "factor": 1.5, "for_ms": 1000 }), 1.5),
    ] {
        assert_eq!(setup.json("POST", "/_sim/chaos", order).await.0, 200);
        let (wrong, same_volume) = close().await;
        assert!((wrong / clean - factor).abs() < 1e-4, "{wrong} {clean}");
        assert_eq!(volume, same_volume);
        setup.world.faults.end(POLYGON);
    }
}

#[tokio::test(start_paused = true)]
async fn the_journal_is_told_over_http_without_keys() {
    let setup = Setup::new(world(synthetic(), &boundless(), at(NOON))).await;
    for _ in 0..3 {
        setup.call("GET", &quote_target(), "").await;
    }
    setup.call("GET", "/yahoo/v8/finance/chart/AAPL?range=1d&interval=1d&crumb=s3cret", "").await;
    let (_, journal) = setup.json("GET", "/_sim/journal", Value::Null).await;
    assert_eq!((journal["count"].as_u64(), journal["dropped"].as_u64()), (Some(4), Some(0)));
    let text = journal.to_string();
    assert!(!text.contains(crate::worlds::KEY) && !text.contains("s3cret"), "{text}");
    let (_, yahoo) = setup.json("GET", "/_sim/journal?vendor=yahoo", Value::Null).await;
    assert_eq!(yahoo["entries"].as_array().unwrap().len(), 1);
    let lines = setup.call("GET", "/_sim/journal?since=2&format=ndjson", "").await;
    assert_eq!(String::from_utf8(lines.body).unwrap().lines().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_command_is_refused_with_what_would_be_right() {
    let setup = Setup::new(world(synthetic(), &boundless(), at(NOON))).await;
    for (order, status, word) in [
        (json!({ "vendor": "acme", "fault": "hang", "for_ms": 1000 }), 404, "vendor"),
        (json!({ "vendor": "polygon", "fault": "sulk", "for_ms": 1000 }), 400, "outage"),
        (json!({ "vendor": "polygon", "fault": "hang" }), 400, "for_ms"),
        (json!({ "vendor": "polygon", "fault": "hang", "for_ms": 0 }), 400, "for_ms"),
        (json!({ "vendor": "polygon", "fault": "hang", "for_ms": 86_400_000u64 }), 400, "for_ms"),
        (json!("nonsense"), 404, "vendor"),
    ] {
        let (got, body) = setup.json("POST", "/_sim/chaos", order.clone()).await;
        assert_eq!(got, status, "{order}");
        assert!(body["detail"].as_str().unwrap().contains(word), "{order}: {body}");
    }
    assert_eq!(setup.json("GET", "/_sim/chaos", Value::Null).await.1, json!([]));
    assert_eq!(setup.json("DELETE", "/_sim/chaos/acme", Value::Null).await.0, 404);
    assert_eq!(setup.call("GET", "/acme/quote", "").await.status, Some(404));
    assert_eq!(setup.call("PUT", "/polygon/v1/x", "").await.status, Some(405));
    assert_eq!(setup.call("GET", "/_sim/nothing", "").await.status, Some(404));
}

#[tokio::test(start_paused = true)]
async fn clock_and_vendors_are_told() {
    let setup = Setup::new(world(synthetic(), &boundless(), at(NOON))).await;
    let (_, clock) = setup.json("GET", "/_sim/clock", Value::Null).await;
    assert_eq!(clock["now"], NOON);
    let (_, vendors) = setup.json("GET", "/_sim/vendors", Value::Null).await;
    let polygon = vendors.as_array().unwrap().iter().find(|vendor| vendor["id"] == "polygon").unwrap();
    assert_eq!(polygon["base_url"], json!(setup.server.base_url(POLYGON)));
    assert_eq!(polygon["plan"]["delivery"], "real_time");
}

#[tokio::test(start_paused = true)]
async fn a_secondary_host_is_reached_below_its_vendor() {
    let setup = Setup::new(world(synthetic(), &boundless(), at(NOON))).await;
    let seen = setup.call("GET", "/yahoo/_host/fc.yahoo.com/", "").await;
    assert!(seen.head.contains("set-cookie"), "{}", seen.head);
    let entry = &setup.world.journal.by_vendor(VendorId("yahoo"))[0];
    assert_eq!(&*entry.target, "https://fc.yahoo.com/");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_server_answers_nobody() {
    let setup = Setup::new(world(synthetic(), &boundless(), at(NOON))).await;
    let address = setup.server.address();
    let mut idle = TcpStream::connect(address).await.unwrap();
    setup.server.stop().await;
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(address).await.is_err());
}
