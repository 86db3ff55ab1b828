//! LIM-10, CCH-1, CCH-8: what instances share, alone and over a real Redis; one suite for both.
#![allow(clippy::unwrap_used, reason = "tests start a server and fail by panicking")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use domain::{Delivery, Instant, Quote, VendorId};
use gateway::foresight::Hours;
use gateway::learned::Learned;
use gateway::limiter::{Claim, Limiter};
use gateway::seams::{Address, TransportError};
use gateway::settings::Schedule;
use gateway::shared::{Alone, SharedQuote};
use gateway::{Clock, Pending, Priority, Seams, Shared, Store, StoredQuote, Transport, UpstreamSettings};
use resilience::quota::{Cost, Limit, Pace, Quota, Settings, SpendLimit, VendorWord, Window};
use runtime::MachineClock;
use simulator::{MemoryStore, SeededEntropy};
use storage::Redis;
use tempfile::TempDir;
use vendors::{HttpRequest, HttpResponse};

use crate::apple;

const SECOND: Duration = Duration::from_secs(1);
/// Shorter than in earnest, so that nobody waits long for a loss to be believed.
const SILENCE: Duration = Duration::from_millis(400);

/// A server of our own on a loopback port, ended when it is dropped.
struct Server {
    process: Child,
    port: u16,
    _data: TempDir,
}

impl Server {
    /// `None` where this machine has no Redis; CI must have it.
    fn start() -> Option<Server> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Server::start_at(port)
    }

    fn start_at(port: u16) -> Option<Server> {
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new("redis-server");
        command
            .args(["--save", "", "--appendonly", "no", "--port", &port.to_string(), "--dir"])
            .arg(data.path());
        let Ok(mut process) = command.stdout(Stdio::piped()).spawn() else {
            #[expect(clippy::disallowed_methods, reason = "CI says by a variable that it must not skip")]
            let is_ci = std::env::var("CI").as_deref() == Ok("true");
            assert!(!is_ci, "redis-server is missing; `cargo xtask test` installs it");
            eprintln!("skipped: redis-server is missing; `cargo xtask test` installs it or says how");
            return None;
        };
        let said = std::io::BufReader::new(process.stdout.take().unwrap());
        let is_ready = std::io::BufRead::lines(said).any(|line| line.unwrap().contains("Ready to accept"));
        assert!(is_ready, "redis-server ended");
        Some(Server { process, port, _data: data })
    }

    fn shared(&self, instances: u32) -> Arc<Redis> {
        let url = format!("redis://127.0.0.1:{}", self.port);
        Arc::new(Redis::new(&url, instances).unwrap().with_silence(SILENCE))
    }

    /// Says something to it as an operator would.
    fn say(&self, words: &[&str]) {
        let done =
            Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(words).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Nowhere;

impl Transport for Nowhere {
    fn send<'a>(
        &'a self,
        _: Address<'a>,
        _: HttpRequest,
        _: Instant,
    ) -> Pending<'a, Result<HttpResponse, TransportError>> {
        Box::pin(async { Err(TransportError::Connect) })
    }
}

/// A claim that waits.
fn claim(cost: Cost, deadline: Instant) -> Claim {
    Claim {
        cost,
        endpoint: "quote",
        priority: Priority::Critical,
        deadline,
        may_wait: true,
        is_refresh: false,
        asker: 0,
        urgency: None,
    }
}

/// One process's limiter of one account.
struct Instance {
    limiter: Limiter,
    clock: Arc<dyn Clock>,
    store: Arc<dyn Store>,
}

impl Instance {
    async fn open(shared: Arc<dyn Shared>, seed: u64, settings: &Settings) -> Arc<Instance> {
        let clock: Arc<dyn Clock> = Arc::new(MachineClock::start());
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::clone(&clock)));
        let seams = Seams {
            clock: Arc::clone(&clock),
            transport: Arc::new(Nowhere),
            store: Arc::clone(&store),
            entropy: Arc::new(SeededEntropy::new(seed)),
            shared,
        };
        let (rules, quota) =
            (Schedule { in_flight: 1_000, ..Schedule::default() }, Quota::new(settings.clone()));
        let learned = Learned { hours: Hours::always(), limit: None, rates: Vec::new() };
        let limiter = Limiter::open(&seams, &upstream(), quota, &rules, learned).await.unwrap();
        let instance = Arc::new(Instance { limiter, clock, store });
        let weak = Arc::downgrade(&instance);
        tokio::spawn(async move {
            while let Some(instance) = weak.upgrade() {
                let _ = instance.limiter.be_seen(&*instance.clock, &*instance.store).await;
                let clock = Arc::clone(&instance.clock);
                drop(instance);
                clock.sleep_until(clock.now() + SILENCE / 8).await;
            }
        });
        instance
    }

    /// Takes a permit within a time and uses it; when.
    async fn call(&self, patience: Duration) -> Result<Instant, Instant> {
        self.spend(Cost::from(1), patience).await
    }

    async fn spend(&self, cost: Cost, patience: Duration) -> Result<Instant, Instant> {
        let claim = claim(cost, self.clock.now() + patience);
        let failed = |error| panic!("{error}");
        match self.limiter.take(claim, &*self.clock, &*self.store, &failed).await {
            Ok(mut permit) => {
                permit.sent();
                Ok(self.clock.now())
            }
            Err(none) => Err(none.retry_at),
        }
    }

    fn used(&self) -> Vec<u32> {
        self.limiter.status(self.clock.now()).iter().map(|window| window.used).collect()
    }

    /// Waits until all it hears of is so much used.
    async fn hears(&self, used: &[u32]) {
        for _ in 0..10_000 {
            if self.limiter.be_seen(&*self.clock, &*self.store).await.is_ok() && self.used() == used {
                return;
            }
        }
        panic!("{:?} is used, not {used:?}", self.used());
    }
}

fn upstream() -> UpstreamSettings {
    UpstreamSettings {
        codec: vendors::find("polygon").unwrap(),
        enabled: true,
        priority: 1,
        weight: 1.0,
        base_url: "http://127.0.0.1:1".into(),
        official: false,
        key: Some("a-key".to_owned().into()),
        plan: vendors::Plan {
            name: "own".into(),
            verified_on: domain::Date::constant(2026, 11, 1),
            limits: Vec::new(),
            spend: Vec::new(),
            entitlements: Vec::new(),
            delivery: Delivery::RealTime,
            history: None,
            request_micros: 0,
            monthly_usd: 0,
            tariff: Default::default(),
        },
        pace: Pace::Burst,
        timeout: SECOND,
        breaker: Default::default(),
        sla: Default::default(),
        operation: Default::default(),
        adjustment: None,
        simulated: true,
    }
}

/// Limits without pace, so that what is there can be taken at once.
fn limits(limits: &[(u32, Window)]) -> Settings {
    let limits = limits.iter().map(|&(count, window)| Limit { count, window }).collect();
    let zone = jiff::tz::TimeZone::get("America/New_York").unwrap();
    Settings { capacity: Some(u32::MAX), ..Settings::new(limits, Pace::Burst, zone) }
}

const MINUTE: Window = Window::Sliding(Duration::from_secs(60));

/// Every form in which an account is shared: one instance with many callers, and two over a Redis.
async fn forms(settings: &Settings) -> Vec<(&'static str, Vec<Arc<Instance>>, Option<Server>)> {
    let mut forms = vec![("alone", vec![Instance::open(Arc::new(Alone), 1, settings).await], None)];
    if let Some(server) = Server::start() {
        let shared = server.shared(2);
        let two =
            [Instance::open(shared.clone(), 1, settings).await, Instance::open(shared, 2, settings).await];
        for instance in &two {
            // Nothing is given before those who might remember something had time to say so.
            for _ in 0..1_000 {
                let claim = claim(Cost::from(0), instance.clock.now() + 5 * SECOND);
                let failed = |error| panic!("{error}");
                let first = instance.limiter.take(claim, &*instance.clock, &*instance.store, &failed).await;
                if first.is_ok() {
                    break;
                }
            }
        }
        forms.push(("redis", two.to_vec(), Some(server)));
    }
    forms
}

fn worst(times: &mut [Instant], length: Duration) -> usize {
    times.sort();
    (0..times.len())
        .map(|from| times[from..].iter().take_while(|at| at.since(times[from]) < length).count())
        .max()
        .unwrap_or(0)
}

#[tokio::test]
async fn a_limit_of_five_admits_five_however_many_ask_at_the_same_instant() {
    for (form, instances, _server) in forms(&limits(&[(5, MINUTE)])).await {
        let mut calls = tokio::task::JoinSet::new();
        for n in 0..20 {
            let instance = Arc::clone(&instances[n % instances.len()]);
            calls.spawn(async move { instance.call(SECOND).await.is_ok() });
        }
        let granted = calls.join_all().await.into_iter().filter(|granted| *granted).count();
        assert_eq!(granted, 5, "{form}");
        for instance in &instances {
            instance.hears(&[5]).await;
        }
    }
}

#[tokio::test]
async fn a_permit_that_was_never_sent_is_there_for_anyone() {
    for (form, instances, _server) in forms(&limits(&[(2, MINUTE), (2, Window::Day)])).await {
        let (first, last) = (&instances[0], instances.last().unwrap());
        first.call(SECOND).await.unwrap();
        let asked = claim(Cost::from(1), first.clock.now() + SECOND);
        let unsent = first.limiter.take(asked, &*first.clock, &*first.store, &|_| ()).await;
        assert!(last.call(SECOND).await.is_err(), "{form}");
        drop(unsent);
        last.hears(&[1, 1]).await;
        // A refusal may be remembered for as long as it was to hold; the one who gave it back has none.
        assert!(first.call(SECOND).await.is_ok(), "{form}");
        assert!(first.call(SECOND).await.is_err() && last.call(SECOND).await.is_err(), "{form}");
    }
}

#[tokio::test]
async fn a_refusal_by_one_window_changes_no_other() {
    for (form, instances, _server) in forms(&limits(&[(10, MINUTE), (2, Window::Day)])).await {
        for n in 0..8 {
            let granted = instances[n % instances.len()].call(SECOND).await.is_ok();
            assert_eq!(granted, n < 2, "{form}, call {n}");
        }
        for instance in &instances {
            instance.hears(&[2, 2]).await;
        }
    }
}

#[tokio::test]
async fn a_limit_of_money_is_one_for_all_and_what_is_free_needs_none() {
    // LIM-1, LIM-10: 0.10 USD a minute and 0.25 a day, at 0.03 a call.
    let spend = [(100_000, MINUTE), (250_000, Window::Day)]
        .map(|(micros, window)| SpendLimit { micros, window })
        .to_vec();
    let settings = Settings { spend, ..limits(&[(100, MINUTE)]) };
    for (form, instances, _server) in forms(&settings).await {
        let cost = Cost { units: 1, micros: 30_000 };
        for n in 0..6 {
            let granted = instances[n % instances.len()].spend(cost, SECOND).await.is_ok();
            assert_eq!(granted, n < 3, "{form}, call {n}");
        }
        let last = instances.last().unwrap();
        assert!(
            instances.len() == 1 || last.limiter.spend_status(last.clock.now())[0].used == 90_000,
            "{form}"
        );
        assert!(
            last.spend(Cost { units: 1, micros: 10_000 }, SECOND).await.is_ok(),
            "{form}: this much is left"
        );
        assert!(last.spend(Cost { units: 1, micros: 1 }, SECOND).await.is_err(), "{form}");
        assert!(last.spend(Cost::from(1), SECOND).await.is_ok(), "{form}: this is free");
    }
}

#[tokio::test]
async fn those_who_wait_are_served_as_the_window_slides_and_never_too_early() {
    for (form, instances, _server) in forms(&limits(&[(2, Window::Sliding(SECOND))])).await {
        let mut calls = tokio::task::JoinSet::new();
        for n in 0..6 {
            let instance = Arc::clone(&instances[n % instances.len()]);
            calls.spawn(async move { instance.call(20 * SECOND).await.unwrap() });
        }
        let mut times = calls.join_all().await;
        assert_eq!(times.len(), 6, "{form}");
        assert!(worst(&mut times, SECOND) <= 2, "{form}: {times:?}");
    }
}

#[tokio::test]
async fn a_waiter_who_leaves_takes_nothing_with_it() {
    for (form, instances, _server) in forms(&limits(&[(1, Window::Sliding(SECOND))])).await {
        let last = instances.last().unwrap();
        instances[0].call(5 * SECOND).await.unwrap();
        let leaver = {
            let last = Arc::clone(last);
            tokio::spawn(async move { last.call(20 * SECOND).await })
        };
        tokio::task::yield_now().await;
        leaver.abort();
        let _ = leaver.await;
        assert!(last.call(5 * SECOND).await.is_ok(), "{form}");
    }
}

#[tokio::test]
async fn the_vendors_word_to_one_holds_for_all() {
    for (form, instances, _server) in forms(&limits(&[(10, MINUTE)])).await {
        let (first, last) = (&instances[0], instances.last().unwrap());
        let word = VendorWord::RetryAfter(30 * SECOND);
        first.limiter.observe(word, first.clock.now(), &*first.store).await.unwrap();
        let asked_at = last.clock.now();
        let retry_at = last.call(SECOND).await.expect_err("the vendor said no");
        assert!(retry_at.since(asked_at) > 25 * SECOND, "{form}");
        last.hears(&[0]).await;
        assert!(last.limiter.told_until(last.clock.now()).is_some(), "{form}");
    }
}

#[tokio::test]
async fn what_the_vendor_says_is_left_is_left_for_all() {
    for (form, instances, _server) in forms(&limits(&[(10, MINUTE)])).await {
        let (first, last) = (&instances[0], instances.last().unwrap());
        let word = VendorWord::Remaining { window: MINUTE, left: 1, resets: None };
        first.limiter.observe(word, first.clock.now(), &*first.store).await.unwrap();
        assert!(last.call(SECOND).await.is_ok(), "{form}");
        assert!(last.call(SECOND).await.is_err() && first.call(SECOND).await.is_err(), "{form}");
    }
}

#[tokio::test]
async fn an_unexpected_429_halves_the_rate_for_all() {
    for (form, instances, _server) in forms(&limits(&[(8, Window::Sliding(SECOND))])).await {
        let (first, last) = (&instances[0], instances.last().unwrap());
        first.limiter.observe(VendorWord::Unexpected429, first.clock.now(), &*first.store).await.unwrap();
        let mut times = Vec::new();
        for _ in 0..9 {
            times.push(last.call(20 * SECOND).await.unwrap());
        }
        // A clean window later 5 % come back, which is no whole permit of eight.
        assert!(worst(&mut times, SECOND) <= 4, "{form}: {times:?}");
    }
}

#[tokio::test]
async fn a_server_that_lost_its_memory_gives_nothing_for_a_whole_window() {
    // LIM-10: failover never refills a window. Everything is lost, one log is evicted, and only the scripts.
    let settings = limits(&[(4, Window::Sliding(2 * SECOND))]);
    for (lost, is_harmless) in [("FLUSHALL", false), ("log", false), ("SCRIPT", true)] {
        let Some((_, instances, Some(server))) = forms(&settings).await.pop() else { return };
        instances[0].call(SECOND).await.unwrap();
        match lost {
            "log" => {
                let keys =
                    "for _, key in ipairs(redis.call('KEYS', '*:log:*')) do redis.call('DEL', key) end";
                server.say(&["EVAL", keys, "0"]);
            }
            "SCRIPT" => server.say(&["SCRIPT", "FLUSH"]),
            all => server.say(&[all]),
        }
        let lost_at = instances[1].clock.now();
        let at = instances[1].call(20 * SECOND).await.unwrap();
        assert_eq!(at.since(lost_at) >= 2 * SECOND, !is_harmless, "{lost}: {:?}", at.since(lost_at));
    }
}

#[tokio::test]
async fn without_the_server_each_spends_its_share_after_a_window_and_together_never_too_much() {
    // LIM-10: store lost: quota / max_instances, then closed.
    let Some((_, instances, Some(server))) = forms(&limits(&[(10, Window::Sliding(SECOND))])).await.pop()
    else {
        return;
    };
    let mut times = Vec::new();
    for n in 0..10 {
        times.push(instances[n % 2].call(5 * SECOND).await.unwrap());
    }
    drop(server);
    let lost_at = instances[0].clock.now();
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..14 {
        let instance = Arc::clone(&instances[n % 2]);
        calls.spawn(async move { instance.call(20 * SECOND).await.unwrap() });
    }
    let mut alone = calls.join_all().await;
    let first = alone.iter().min().unwrap().since(lost_at);
    assert!(first >= SECOND, "{first:?}");
    assert!(worst(&mut alone, SECOND) <= 10, "{alone:?}");
    times.extend(alone);
    assert!(worst(&mut times, SECOND) <= 10, "{times:?}");
}

#[tokio::test]
async fn one_instance_more_than_may_share_gets_nothing() {
    let settings = limits(&[(10, MINUTE)]);
    let Some((_, instances, Some(server))) = forms(&settings).await.pop() else { return };
    let third = Instance::open(server.shared(2), 3, &settings).await;
    assert!(third.call(SECOND).await.is_err());
    // Whoever goes in good order makes room.
    instances[1].limiter.close(instances[1].clock.now(), &*instances[1].store).await.unwrap();
    drop(instances);
    assert!(third.call(20 * SECOND).await.is_ok(), "there is a place, and it is not given");
}

#[tokio::test]
async fn the_share_of_an_instance_that_is_silent_stays_free() {
    let settings = limits(&[(10, MINUTE)]);
    let Some(server) = Server::start() else { return };
    let only = Instance::open(server.shared(2), 1, &settings).await;
    let mut granted = 0;
    while only.call(2 * SECOND).await.is_ok() {
        granted += 1;
    }
    assert_eq!(granted, 5);
}

fn quote(vendor: &'static str, cents: i64, event: i64) -> SharedQuote {
    SharedQuote {
        account: "account".into(),
        quote: StoredQuote {
            instrument: apple(),
            vendor: VendorId(vendor),
            simulated: true,
            quote: Quote {
                last: domain::Price::parse(&format!("{}.{:02}", cents / 100, cents % 100)),
                event_time: Some(Instant::from_secs(event)),
                ..Quote::default()
            },
            received_at: Instant::EPOCH,
            score: 0.0,
        },
        ago: Duration::from_millis(1_500),
        keep: 30 * SECOND,
    }
}

#[tokio::test]
async fn the_newer_value_wins_and_nothing_from_before_an_invalidation_is_kept_after_it() {
    // CCH-1, CCH-8.
    let Some(server) = Server::start() else { return };
    let (one, two) = (server.shared(2), server.shared(2));
    assert_eq!(two.forgotten().await, Ok(None), "whoever begins to listen may have missed something");
    let (fence, nothing) = one.find(&apple(), "q").await.unwrap();
    assert_eq!(nothing, None);
    assert!(one.keep("q", &quote("polygon", 10_100, 100), fence).await.unwrap());
    let (_, found) = two.find(&apple(), "q").await.unwrap();
    let found = found.unwrap();
    assert_eq!(found.quote, quote("polygon", 10_100, 100).quote);
    assert!(found.ago >= Duration::from_millis(1_500) && found.ago < 10 * SECOND, "{:?}", found.ago);
    assert_eq!(two.find(&apple(), "another question").await.unwrap().1, None);
    // An older value never replaces a newer one.
    assert!(!two.keep("q", &quote("finnhub", 9_900, 99), fence).await.unwrap());
    let kept = one.find(&apple(), "q").await.unwrap().1.unwrap();
    assert_eq!(kept.quote.vendor, VendorId("polygon"));
    assert!(two.keep("q", &quote("finnhub", 10_200, 101), fence).await.unwrap());
    // What was asked for before the invalidation comes too late.
    one.forget(&apple()).await.unwrap();
    assert_eq!(two.forgotten().await, Ok(Some(apple())));
    assert_eq!(two.find(&apple(), "q").await.unwrap().1, None);
    assert!(!two.keep("q", &quote("finnhub", 10_200, 102), fence).await.unwrap());
    let (fence, _) = two.find(&apple(), "q").await.unwrap();
    assert!(two.keep("q", &quote("finnhub", 10_300, 103), fence).await.unwrap());
    // Nothing is kept longer than it may be.
    let brief = SharedQuote { keep: Duration::ZERO, ..quote("finnhub", 10_400, 104) };
    assert!(one.keep("q", &brief, fence).await.unwrap());
    assert_eq!(one.find(&apple(), "q").await.unwrap().1, None);
    drop(server);
    assert!(one.find(&apple(), "q").await.is_err());
    assert!(two.forgotten().await.is_err());
}

#[tokio::test]
async fn the_name_of_an_account_tells_no_key_and_different_keys_do_not_share() {
    let shared = Redis::new("redis://127.0.0.1:1", 2).unwrap();
    let name = |host: &str, key: &str| shared.account(VendorId("polygon"), host, Some(key));
    let ours = name("https://a.example", "CANARY-4711");
    assert_eq!(ours, name("https://a.example", "CANARY-4711"));
    assert!(ours.starts_with("polygon-") && !ours.contains("CANARY"), "{ours}");
    assert_ne!(ours, name("https://a.example", "CANARY-4712"));
    assert_ne!(ours, name("https://b.example", "CANARY-4711"));
    let refused = Redis::new("http://me:CANARY@127.0.0.1:x", 2).err().unwrap();
    assert!(!refused.to_string().contains("CANARY"), "{refused}");
}
