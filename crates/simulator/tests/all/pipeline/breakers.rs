//! BRK-2, BRK-4, BRK-5, BRK-7, BRK-9 to BRK-12, RTE-3, RTE-8, RTE-12: breakers in the real pipeline.

use std::collections::BTreeSet;

use gateway::maintenance::Maintenance;
use gateway::{Address, Pending, Priority, StaleAllowance, TransportError};
use parking_lot::Mutex;
use telemetry::Severity;
use vendors::{HttpRequest, HttpResponse};

use super::*;

const NAMES: [&str; 10] = ["AAPL", "MSFT", "NVDA", "AMZN", "INTC", "IBM", "KO", "JPM", "V", "WMT"];
const SECOND: Duration = Duration::from_secs(1);

fn state(gateway: &Gateway, vendor: &'static str) -> &'static str {
    gateway.find_upstream(VendorId(vendor)).unwrap().breaker.lock().state().as_str()
}

async fn quote_from(
    gateway: &Arc<Gateway>,
    symbol: &str,
    vendor: &'static str,
) -> Result<Served, Unanswered> {
    let id = gateway.directory().resolve(symbol, None).unwrap();
    let policy = Policy { vendors: vec![VendorId(vendor)], ..Policy::default() };
    ask(gateway, Question::Quotes { instruments: vec![id], bid_ask: true }, policy).await
}

fn told(gateway: &Gateway, kind: &str) -> Vec<(String, Severity)> {
    let events = gateway.events().into_iter().filter(|event| event.kind.as_str() == kind);
    events.map(|event| (event.kind.to_string(), event.kind.severity())).collect()
}

#[tokio::test(start_paused = true)]
async fn ten_parallel_calls_to_one_vendor_take_as_long_as_one() {
    // BRK-10.
    let mut stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let slow = Latency { floor: Duration::from_millis(200), mean_extra: Duration::ZERO };
    let world = Arc::get_mut(&mut stage.world).unwrap();
    world.bottles = vec![
        Bottle::new(
            vendors::find("polygon").unwrap(),
            plan_of("polygon", "premium", &None),
            vec!["simulated-key".into()],
        )
        .with_latency(slow),
    ];
    let gateway = stage.open().await;
    let before = stage.clock.now();
    let calls = NAMES.map(|name| {
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move { quote(&gateway, name).await.is_ok() })
    });
    for call in calls {
        assert!(call.await.unwrap());
    }
    let took = stage.clock.now().since(before);
    assert!(took < Duration::from_millis(215), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_ten_minutes_ends_by_itself_found_by_one_probe_at_a_time() {
    // BRK-4, BRK-5, RTE-8: while another vendor answers, and where there is no other.
    for others in [&[("polygon", "premium"), ("finnhub", "premium")][..], &[("polygon", "premium")]] {
        let stage = Stage::new(SESSION, others);
        let gateway = stage.open().await;
        for name in NAMES {
            quote(&gateway, name).await.unwrap();
        }
        let outage = 600 * SECOND;
        stage.fails("polygon", Fault::Outage, outage);
        let (began, returned) = (stage.clock.now(), stage.clock.now() + outage);
        let mut refused = 0;
        while stage.clock.now() < returned + 70 * SECOND {
            for name in NAMES {
                refused += usize::from(quote(&gateway, name).await.is_err());
                stage.pass(Duration::from_millis(100)).await;
            }
        }
        let calls = stage.world.journal.by_vendor(VendorId("polygon"));
        let first_good = calls.iter().find(|call| call.at >= returned && call.status == Some(200)).unwrap();
        let back = first_good.at.since(returned);
        assert!(back <= 61 * SECOND, "{others:?}: {back:?}");
        let probes: Vec<Instant> = calls
            .iter()
            .filter(|call| call.at > began + 10 * SECOND && call.at < first_good.at)
            .map(|c| c.at)
            .collect();
        assert!((8..=13).contains(&probes.len()), "{}", probes.len());
        let apart = probes.windows(2).all(|pair| pair[1].since(pair[0]) >= 53 * SECOND);
        assert!(apart, "one probe at a time: {probes:?}");
        assert_eq!(state(&gateway, "polygon"), "closed");
        if others.len() > 1 {
            assert_eq!(refused, 0, "with another vendor nobody notices");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn lookups_of_unknown_tickers_change_no_breaker() {
    // BRK-2: not the vendor's, not an endpoint's, not a symbol's.
    let stage = Stage::new(SESSION, &[("polygon", "premium"), ("finnhub", "premium")]);
    let gateway = stage.open().await;
    for turn in 0..200 {
        let name = format!("ZQ{}{}", (b'A' + turn / 26) as char, (b'A' + turn % 26) as char);
        let refused = quote(&gateway, &name).await.unwrap_err();
        assert!(matches!(refused.why, Why::UnknownSymbol), "{:?}", refused.why);
        stage.pass(SECOND).await;
    }
    for vendor in ["polygon", "finnhub"] {
        let upstream = gateway.find_upstream(VendorId(vendor)).unwrap();
        let breaker = upstream.breaker.lock();
        assert_eq!(breaker.state().as_str(), "closed");
        assert!(breaker.endpoints().all(|(_, state)| state.as_str() == "closed"));
        assert_eq!(breaker.open_symbols(stage.clock.now()), []);
        assert_eq!(upstream.health.lock().error_count(stage.clock.now()), 0);
    }
    assert_eq!(told(&gateway, "breaker_changed"), []);
    assert_eq!(told(&gateway, "part_breaker_changed"), []);
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_stays_open_over_a_restart_for_what_is_left() {
    // BRK-11: restart is not the reset, nor does it lengthen the wait.
    let stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let gateway = stage.open().await;
    stage.fails("polygon", Fault::Outage, 20 * SECOND);
    for name in NAMES {
        let _ = quote(&gateway, name).await;
    }
    assert_eq!(state(&gateway, "polygon"), "open");
    let asked = stage.asked("polygon");
    stage.pass(30 * SECOND).await;
    drop(gateway);
    let gateway = stage.open().await;
    assert_eq!(state(&gateway, "polygon"), "open");
    let refused = quote(&gateway, "AAPL").await.unwrap_err();
    let Why::NoHealthyVendor { retry_at: Some(retry_at) } = refused.why else { panic!("{:?}", refused.why) };
    assert!(retry_at.since(stage.clock.now()) <= 36 * SECOND, "{retry_at}");
    assert_eq!(stage.asked("polygon"), asked);
    stage.clock.sleep_until(retry_at).await;
    assert!(quote(&gateway, "AAPL").await.is_ok());
    assert!(quote(&gateway, "MSFT").await.is_ok());
    drop(gateway);
    let gateway = stage.open().await;
    assert_eq!(state(&gateway, "polygon"), "closed");
}

#[tokio::test(start_paused = true)]
async fn announced_work_is_kept_to_wakes_nobody_and_is_left_through_half_open() {
    // BRK-7.
    let mut stage = Stage::new(SESSION, &[("polygon", "premium"), ("finnhub", "premium")]);
    stage.tune = |settings| {
        if settings.vendor() == VendorId("polygon") {
            settings.operation.maintenance = vec![Maintenance {
                start: Instant::parse("2026-11-18T15:31:00Z").unwrap(),
                end: Instant::parse("2026-11-18T15:36:00Z").unwrap(),
                reason: "upgrade".into(),
                weekly: false,
            }];
        }
    };
    let gateway = stage.open().await;
    stage.clock.sleep_until(Instant::parse("2026-11-18T15:31:00Z").unwrap()).await;
    stage.fails("polygon", Fault::Refuse, 300 * SECOND);
    for turn in 0..270 {
        let served = quote(&gateway, NAMES[turn % NAMES.len()]).await.unwrap();
        assert_ne!(served.answer.vendor(), Some(VendorId("polygon")));
        stage.pass(SECOND).await;
    }
    assert_eq!(stage.asked("polygon"), 0);
    assert!(
        gateway.events().iter().all(|event| event.kind.severity() == Severity::Info),
        "{:?}",
        gateway.events()
    );
    stage.clock.sleep_until(Instant::parse("2026-11-18T15:36:00Z").unwrap()).await;
    for turn in 0..10 {
        quote(&gateway, NAMES[turn % NAMES.len()]).await.unwrap();
        stage.pass(SECOND).await;
    }
    let path: Vec<String> = told(&gateway, "breaker_changed").into_iter().map(|(text, _)| text).collect();
    assert_eq!(path.len(), 3, "{path:?}");
    assert!(path[0].contains("closed to maintenance: upgrade"));
    assert!(
        path[1].contains("maintenance to half_open") && path[2].contains("half_open to closed"),
        "{path:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_uplink_ruins_no_reputation_and_is_found_over_at_once() {
    // BRK-12.
    let vendors = [("polygon", "premium"), ("finnhub", "premium"), ("twelve_data", "grow")];
    let stage = Stage::new(SESSION, &vendors);
    let gateway = stage.open().await;
    for name in NAMES {
        for (vendor, _) in vendors {
            quote_from(&gateway, name, vendor).await.unwrap();
        }
        stage.pass(SECOND / 2).await;
    }
    for name in NAMES {
        quote(&gateway, name).await.unwrap();
    }
    stage.pass(4 * SECOND + SECOND / 2).await;
    let reputation =
        |vendor: &'static str| gateway.find_upstream(VendorId(vendor)).unwrap().health.lock().reliability();
    let before = vendors.map(|(vendor, _)| reputation(vendor));
    for (vendor, _) in vendors {
        stage.fails(vendor, Fault::Refuse, 300 * SECOND);
    }
    let over = stage.clock.now() + 300 * SECOND;
    let mut stale = 0;
    while stage.clock.now() < over {
        for name in NAMES {
            match quote(&gateway, name).await {
                Ok(served) => {
                    assert_eq!(served.cache, CacheState::Stale);
                    stale += 1;
                }
                Err(refused) => {
                    assert!(matches!(refused.why, Why::NoHealthyVendor { .. }), "{:?}", refused.why);
                }
            }
            stage.pass(Duration::from_millis(200)).await;
        }
    }
    assert!(stale > 0, "the cache is served");
    for ((vendor, _), before) in vendors.into_iter().zip(before) {
        assert_eq!(state(&gateway, vendor), "closed", "{vendor}");
        assert!((reputation(vendor) - before).abs() < 0.01, "{vendor}: {before} {}", reputation(vendor));
    }
    let mut first_good = None;
    while first_good.is_none() && stage.clock.now() < over + 60 * SECOND {
        let answered = quote(&gateway, "KO").await.is_ok_and(|served| served.cache == CacheState::Miss);
        first_good = answered.then(|| stage.clock.now());
        stage.pass(Duration::from_millis(200)).await;
    }
    assert!(first_good.unwrap().since(over) <= 31 * SECOND);
    let system = told(&gateway, "system_breaker_changed");
    assert_eq!(system.len(), 2, "{system:?}");
    assert_eq!(system[0].1, Severity::Critical);
}

#[tokio::test(start_paused = true)]
async fn while_it_is_us_low_work_is_shed_and_the_store_still_answers() {
    // BRK-12.
    let vendors = [("polygon", "premium"), ("finnhub", "premium"), ("twelve_data", "grow")];
    let stage = Stage::new(SESSION, &vendors);
    let gateway = stage.open().await;
    let bars = daily(&gateway, "AAPL", "2026-03-02", "2026-06-01", Adjustment::Raw);
    ask(&gateway, bars.clone(), Policy::default()).await.unwrap();
    for (vendor, _) in vendors {
        stage.fails(vendor, Fault::Refuse, 3_600 * SECOND);
    }
    assert!(quote(&gateway, "AAPL").await.is_err());
    assert_eq!(told(&gateway, "system_breaker_changed").len(), 1);
    stage.pass(1_000 * SECOND).await;
    let low = Policy { priority: Priority::Low, ..Policy::default() };
    let id = gateway.directory().resolve("MSFT", None).unwrap();
    let question = Question::Quotes { instruments: vec![id], bid_ask: true };
    let before = stage.clock.now();
    let shed = ask(&gateway, question, low).await.unwrap_err();
    assert!(matches!(shed.why, Why::NoHealthyVendor { retry_at: Some(_) }), "{:?}", shed.why);
    assert_eq!(stage.clock.now(), before, "refused at once");
    assert_eq!(shed.decision.attempts, []);
    assert!(ask(&gateway, bars, Policy::default()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn one_vendor_of_three_that_is_down_is_blamed_itself() {
    // BRK-12: not every outage is ours.
    let vendors = [("polygon", "premium"), ("finnhub", "premium"), ("twelve_data", "grow")];
    let stage = Stage::new(SESSION, &vendors);
    let gateway = stage.open().await;
    stage.fails("polygon", Fault::Refuse, 300 * SECOND);
    for name in NAMES {
        for (vendor, _) in vendors {
            let _ = quote_from(&gateway, name, vendor).await;
        }
        stage.pass(SECOND).await;
    }
    assert_eq!(state(&gateway, "polygon"), "open");
    assert_eq!(told(&gateway, "system_breaker_changed"), []);
}

#[tokio::test(start_paused = true)]
async fn with_everyone_out_a_stale_value_is_served_where_it_may_be_and_else_refused_at_once_with_the_time() {
    // RTE-12.
    let stage = Stage::new(SESSION, &[("polygon", "premium"), ("finnhub", "premium")]);
    let gateway = stage.open().await;
    quote(&gateway, "AAPL").await.unwrap();
    let now = stage.clock.now();
    for vendor in ["polygon", "finnhub"] {
        let upstream = gateway.find_upstream(VendorId(vendor)).unwrap();
        upstream.breaker.lock().force_open(None, now + 100 * SECOND, now);
    }
    stage.pass(6 * SECOND).await;
    let before = stage.clock.now();
    assert_eq!(quote(&gateway, "AAPL").await.unwrap().cache, CacheState::Stale);
    let id = gateway.directory().resolve("AAPL", None).unwrap();
    let question = Question::Quotes { instruments: vec![id], bid_ask: true };
    let fresh_only = Policy { stale: StaleAllowance::Forbid, ..Policy::default() };
    let refused = ask(&gateway, question, fresh_only).await.unwrap_err();
    let Why::NoHealthyVendor { retry_at: Some(retry_at) } = refused.why else { panic!("{:?}", refused.why) };
    assert_eq!(retry_at, now + 100 * SECOND, "the earliest");
    assert_eq!(stage.clock.now(), before, "nobody waits");
}

/// Hosts by address: some of them dead, each with a latency of its own.
struct Hosts {
    inner: Arc<dyn Transport>,
    clock: Arc<VirtualClock>,
    dead: Arc<Mutex<BTreeSet<String>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Transport for Hosts {
    fn send<'a>(
        &'a self,
        to: Address<'a>,
        request: HttpRequest,
        deadline: Instant,
    ) -> Pending<'a, Result<HttpResponse, TransportError>> {
        self.asked.lock().push(to.base_url.to_owned());
        let dead = self.dead.lock().contains(to.base_url);
        Box::pin(async move {
            if dead {
                self.clock.sleep_until(deadline).await;
                return Err(TransportError::Timeout);
            }
            let far = if to.base_url.ends_with("far") { 80 } else { 0 };
            self.clock.sleep_until(self.clock.now() + Duration::from_millis(far)).await;
            self.inner.send(to, request, deadline).await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_host_opens_nothing_and_the_other_one_is_used_until_it_is_back() {
    // RTE-3.
    let mut stage = Stage::new(SESSION, &[("polygon", "premium")]);
    stage.tune = |settings| {
        settings.base_url = "http://near".into();
        settings.operation.further_urls = vec!["http://far".into()];
    };
    let (dead, asked) = (Arc::new(Mutex::new(BTreeSet::new())), Arc::new(Mutex::new(Vec::new())));
    let (clock, hosts_dead, hosts_asked) = (stage.clock.clone(), dead.clone(), asked.clone());
    stage.between = Some(Arc::new(move |inner| {
        Arc::new(Hosts { inner, clock: clock.clone(), dead: hosts_dead.clone(), asked: hosts_asked.clone() })
    }));
    let gateway = stage.open().await;
    let ask_for = async |secs: usize| {
        asked.lock().clear();
        let mut failed = 0;
        for turn in 0..2 * secs {
            failed += usize::from(quote(&gateway, NAMES[turn % NAMES.len()]).await.is_err());
            stage.pass(Duration::from_millis(500)).await;
        }
        let near = asked.lock().iter().filter(|host| host.ends_with("near")).count();
        (failed, near, asked.lock().len())
    };
    let (failed, near, all) = ask_for(60).await;
    assert_eq!(failed, 0);
    assert!(near >= all - 2, "the near one is the faster: {near} of {all}");
    dead.lock().insert("http://near".to_owned());
    let (failed, near, all) = ask_for(600).await;
    assert!(failed <= near, "only who tried the dead host had no answer: {failed}");
    assert!(near <= 12 && all > 300, "{near} of {all}");
    assert_eq!(state(&gateway, "polygon"), "closed");
    assert_eq!(told(&gateway, "breaker_changed"), []);
    dead.lock().clear();
    ask_for(600).await;
    let (_, near, all) = ask_for(60).await;
    assert!(near >= all - 2, "it is back: {near} of {all}");
}

#[tokio::test(start_paused = true)]
async fn a_dead_kind_of_question_leaves_the_others_alone() {
    // BRK-2.
    let mut stage = Stage::new(SESSION, &[("polygon", "premium")]);
    struct NoBars(Arc<dyn Transport>);
    impl Transport for NoBars {
        fn send<'a>(
            &'a self,
            to: Address<'a>,
            request: HttpRequest,
            deadline: Instant,
        ) -> Pending<'a, Result<HttpResponse, TransportError>> {
            if request.path.contains("/aggs/") {
                return Box::pin(std::future::ready(Ok(HttpResponse::new(500, "text/plain", "broken"))));
            }
            self.0.send(to, request, deadline)
        }
    }
    stage.between = Some(Arc::new(|inner| Arc::new(NoBars(inner))));
    let gateway = stage.open().await;
    for name in NAMES {
        for other in NAMES {
            quote(&gateway, other).await.unwrap();
        }
        let bars = daily(&gateway, name, "2026-03-02", "2026-06-01", Adjustment::Raw);
        assert!(ask(&gateway, bars, Policy::default()).await.is_err());
        stage.pass(5 * SECOND).await;
    }
    let breaker = gateway.find_upstream(VendorId("polygon")).unwrap().breaker.lock().clone();
    let of = |name| breaker.endpoints().find(|(known, _)| **known == name).map(|(_, state)| state.as_str());
    assert_eq!((of("bars"), of("quote"), breaker.state().as_str()), (Some("open"), Some("closed"), "closed"));
}

#[tokio::test(start_paused = true)]
async fn the_numbers_in_use_follow_the_vendor_and_an_outage_teaches_nothing() {
    // BRK-9.
    let stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let gateway = stage.open().await;
    let upstream = Arc::clone(gateway.find_upstream(VendorId("polygon")).unwrap());
    assert_eq!(upstream.breaker.lock().settings().failures, 5);
    for turn in 0..150 {
        quote_from(&gateway, NAMES[turn % NAMES.len()], "polygon").await.unwrap();
        stage.pass(SECOND).await;
    }
    let learned = *upstream.breaker.lock().settings();
    assert_eq!((learned.failures, learned.slow), (7, SECOND));
    stage.fails("polygon", Fault::Outage, 3_600 * SECOND);
    for turn in 0..3_600 {
        let _ = quote_from(&gateway, NAMES[turn % NAMES.len()], "polygon").await;
        stage.pass(SECOND).await;
    }
    assert_eq!(upstream.breaker.lock().settings().slow, learned.slow);
    assert!(upstream.breaker.lock().settings().failures <= learned.failures);
}
