//! LIM-10, CCH-1, CCH-8: several processes spend one plan, over a real Redis that is lost and comes back empty.

use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::Instant;
use tempfile::TempDir;

use crate::process::Running;
use crate::stage::{Gateway, Vendors, instant};
use crate::web;

/// A Redis of our own on a loopback port, ended when it is dropped.
struct Redis {
    running: Running,
    port: u16,
    _data: TempDir,
}

impl Redis {
    fn start(port: u16) -> Redis {
        let data = tempfile::tempdir().unwrap();
        let (number, folder) = (port.to_string(), data.path().display().to_string());
        let arguments = ["--port", &number, "--save", "", "--appendonly", "no", "--dir", &folder];
        let mut running = Running::start_other("redis-server", &arguments);
        running.wait_for(|line| line.contains("Ready to accept connections").then_some(()));
        Redis { running, port, _data: data }
    }

    /// Kills it; another one at the same port knows nothing.
    fn kill(mut self) -> u16 {
        self.running.kill();
        self.port
    }
}

/// A port nobody listens on.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Whether this machine has what the tests need. CI must have it.
fn is_equipped() -> bool {
    let has =
        |program: &str| Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success());
    let missing: Vec<&str> = ["redis-server", "faketime"].into_iter().filter(|p| !has(p)).collect();
    #[expect(clippy::disallowed_methods, reason = "CI says by a variable that it must not skip")]
    let is_ci = std::env::var("CI").as_deref() == Ok("true");
    assert!(missing.is_empty() || !is_ci, "missing: {missing:?}; `cargo xtask test` installs them");
    if !missing.is_empty() {
        eprintln!("skipped: {missing:?} is missing; `cargo xtask test` installs it or says how");
    }
    missing.is_empty()
}

/// When requests arrived at the vendors, in order.
fn arrivals(vendors: &Vendors) -> Vec<Instant> {
    vendors.journal().iter().map(|line| instant(&line["at"])).collect()
}

/// The most arrivals in any window of a length.
fn worst(times: &[Instant], length: Duration) -> usize {
    let inside = |from: usize| times[from..].iter().take_while(|at| at.since(times[from]) < length).count();
    (0..times.len()).map(inside).max().unwrap_or(0)
}

/// Asks a gateway one question after the other for what no memory can have, until it is told to stop.
fn keep_asking(base: &str, lane: usize, stop: &AtomicBool) {
    for turn in (0..).take_while(|_| !stop.load(Ordering::Relaxed)) {
        let symbol = SYMBOLS[(turn * 2 + lane) % SYMBOLS.len()];
        let _ = web::try_send(
            "GET",
            base,
            &format!("/v1/quotes/latest?symbols={symbol}&deadline=60s&max_age=1ms"),
        );
    }
}

const SYMBOLS: [&str; 16] = [
    "AAPL", "MSFT", "NVDA", "AMZN", "INTC", "IBM", "KO", "JPM", "V", "WMT", "NFLX", "NKE", "GOOG", "TSLA",
    "SPY", "BA",
];

#[test]
fn four_processes_with_skewed_clocks_spend_one_plan_exactly_while_their_redis_is_lost_and_comes_back_empty() {
    // LIM-10, LIM-1. What the rules permit: 42 calls in any 5 s.
    const COUNT: usize = 42;
    const WINDOW: Duration = Duration::from_secs(5);
    if !is_equipped() {
        return;
    }
    let redis = Redis::start(free_port());
    let vendors = Vendors::start(&["--plan", "polygon=premium", "--no-latency"]);
    let configuration = vendors
        .configuration(&["polygon"])
        .replace("  polygon:\n", "  polygon:\n    rate_limits: [{count: 42, per: 5s}]\n")
        + &format!("shared: {{redis_url: 'redis://127.0.0.1:{}', max_instances: 4}}\n", redis.port);
    let data: Vec<TempDir> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    let gateways: Vec<Gateway> = ["+0s", "+90s", "-3600s", "+86400s"]
        .iter()
        .zip(&data)
        .map(|(skew, data)| Gateway::serve_skewed(&configuration, data.path(), skew))
        .collect();
    let stop = AtomicBool::new(false);
    let now = || instant(&web::get(&vendors.base, "/_sim/clock").ok()["now"]);
    // One more question to a gateway is answered when there is a permit: that is how time passes here.
    let until = |done: &dyn Fn(&[Instant]) -> bool| {
        while !done(&arrivals(&vendors)) {
            let _ = web::try_send(
                "GET",
                &gateways[0].base,
                "/v1/quotes/latest?symbols=QQQ&deadline=3s&max_age=1ms",
            );
        }
    };
    let (lost_at, back_at, end, _redis) = std::thread::scope(|scope| {
        for gateway in &gateways {
            for lane in 0..2 {
                let (base, stop) = (gateway.base.as_str(), &stop);
                scope.spawn(move || keep_asking(base, lane, stop));
            }
        }
        until(&|times| times.last().is_some_and(|last| last.since(times[0]) > WINDOW * 8 / 5));
        let lost_at = now();
        let port = redis.kill();
        let alone = |times: &[Instant]| times.iter().filter(|at| at.since(lost_at) > WINDOW).count();
        until(&|times| alone(times) > COUNT / 4);
        let back_at = now();
        let redis = Redis::start(port);
        until(&|times| times.last().is_some_and(|last| last.since(back_at) > 16 * WINDOW / 5));
        let end = now();
        stop.store(true, Ordering::Relaxed);
        (lost_at, back_at, end, redis)
    });
    let times = arrivals(&vendors);
    assert!(vendors.journal().iter().all(|line| line["status"] == 200), "the vendor never has to say no");
    let most = worst(&times, WINDOW);
    let since = |at: Instant| at.since(times[0]).as_millis();
    let told: Vec<u128> = times.iter().map(|at| since(*at)).collect();
    let (lost, back) = (since(lost_at), since(back_at));
    assert!(most <= COUNT, "{most} calls in one window; lost at {lost}, back at {back}: {told:?}");
    // The share of four, each for itself, while Redis was away: never more, and not nothing.
    let alone: Vec<Instant> =
        times.iter().copied().filter(|at| *at > lost_at + WINDOW && *at < back_at).collect();
    assert!(alone.len() > COUNT / 4, "{}", alone.len());
    // Outside the windows that follow the loss, what is permitted is used.
    let used = |from: Instant, to: Instant| {
        let count = times.iter().filter(|at| **at >= from && **at < to).count();
        count as f64 / (COUNT as f64 * to.since(from).as_secs_f64() / WINDOW.as_secs_f64())
    };
    let reopened = times.iter().copied().find(|at| *at > back_at + WINDOW).unwrap();
    let shares = [used(times[0], lost_at), used(reopened, end)];
    println!("used before and after: {shares:?}; most in a window: {most}; alone: {}", alone.len());
    assert!(shares.iter().all(|share| *share >= 0.95), "{shares:?}");
    // An empty Redis is no free window.
    let first = reopened.since(back_at);
    assert!(first >= WINDOW, "{first:?} after the return");
}

#[test]
fn what_one_process_received_serves_the_other_until_either_forgets_it() {
    // CCH-1 level 2, CCH-8: one call for two processes whose clocks differ; an invalidation reaches both; without
    // Redis each goes on by itself.
    if !is_equipped() {
        return;
    }
    let redis = Redis::start(free_port());
    let vendors = Vendors::start(&["--unlimited", "--no-latency", "--at", "2026-11-18T15:30:00Z"]);
    let configuration = vendors.configuration(&["polygon"])
        + &format!(
            "shared: {{redis_url: 'redis://127.0.0.1:{}', max_instances: 2}}\ncache: {{quote: 1h, quote_realtime: 1h}}\n",
            redis.port
        );
    let data = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let one = Gateway::serve_skewed(&configuration, data[0].path(), "+0s");
    let two = Gateway::serve_skewed(&configuration, data[1].path(), "+90s");
    let ask = |gateway: &Gateway, symbol: &str| {
        let reply = gateway.get(&format!("/v1/quotes/latest?symbols={symbol}")).ok();
        assert_eq!(reply["meta"]["simulated"], true, "{reply}");
        (reply["meta"]["cache"]["state"].as_str().unwrap().to_owned(), reply["data"][symbol]["last"].clone())
    };
    let calls = || vendors.journal().len();
    let (first, price) = ask(&one, "AAPL");
    assert_eq!(first, "miss");
    let asked = calls();
    let served = two.get("/v1/quotes/latest?symbols=AAPL&explain=1").ok();
    assert_eq!(served["meta"]["cache"]["state"], "hit", "{served}");
    assert_eq!(served["meta"]["vendor"], "polygon");
    assert_eq!(served["meta"]["attempts"], serde_json::json!([]), "nobody was asked for this one");
    assert_eq!(ask(&two, "AAPL").1, price);
    assert_eq!(calls(), asked, "one call serves both");
    // Another policy is another question.
    assert_eq!(two.get("/v1/quotes/latest?symbols=AAPL&vendors=finnhub").status, 422);
    // News of a split makes both forget.
    one.get("/v1/corporate-actions?symbols=AAPL&start=2020-01-01&end=2026-11-18").ok();
    let forgotten = (0..5_000).any(|_| ask(&two, "AAPL").0 == "miss");
    assert!(forgotten, "the other process still serves what was forgotten");
    // The loss costs a call, never an answer.
    drop(redis);
    assert_eq!(ask(&one, "MSFT").0, "miss");
    assert_eq!(ask(&two, "MSFT").0, "miss");
    assert_eq!(ask(&two, "MSFT").0, "hit");
}

#[test]
fn the_password_of_what_is_shared_is_told_nowhere() {
    // CFG-8.
    let configuration = "shared: {redis_url: 'redis://me:canary-4711@127.0.0.1:1/0', max_instances: 2}\n\
                         monitoring: {log_level: trace}\ndata_sources: {yahoo: {base_url: 'http://127.0.0.1:1'}}\n";
    let data = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::serve(configuration, data.path());
    let lost = (0..5_000).any(|_| gateway.get("/v1/events").body.contains("instances_lost"));
    assert!(lost, "nobody says that the others are lost");
    let told = [gateway.get("/v1/events").body, gateway.get("/v1/vendors").body, gateway.running.said()];
    for text in told {
        assert!(!text.contains("4711"), "{text}");
    }
}
