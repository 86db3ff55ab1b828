//! The real pipeline over simulated vendors, on a virtual clock and a store in memory: days in
//! milliseconds. RTE-1 to RTE-11, BRK-3 to BRK-5, LIM-1 to LIM-6, STO-3, ACT-3, SCH-5, GRD-3, VAL-1.

mod caching;
mod drift;
mod entitlements;
mod spending;
mod breakers;
mod hedging;
mod strategies;
mod schedule;
mod scarcity;
mod together;

use std::sync::Arc;
use std::time::Duration;

use domain::{Adjustment, Calendars, Directory, Instant, Interval, Range, Session, VendorId};
use gateway::Strategy;
use gateway::settings::{Caching, Deadlines, Routing, Settings, UpstreamSettings};
use gateway::{
    CacheState, Clock, Entropy, Gateway, Outcome, Policy, Request, Seams, Served, Skipped, Store, Transport,
    Unanswered, Why,
};
use simulator::{
    Bottle, Fault, Faults, Journal, Latency, Market, MemoryStore, SeededEntropy, SimulatedTransport, Spell,
    VirtualClock, World,
};
use vendors::plan::{Limit, Per, SpendLimit};
use vendors::{Data, Question};

/// What a test puts in front of the vendors.
type Between = Arc<dyn Fn(Arc<dyn Transport>) -> Arc<dyn Transport>>;

/// A world with a gateway in it.
struct Stage {
    world: Arc<World>,
    store: Arc<MemoryStore>,
    clock: Arc<VirtualClock>,
    vendors: Vec<(&'static str, &'static str, Option<Vec<Limit>>)>,
    tune: fn(&mut UpstreamSettings),
    bounds: quality::Bounds,
    caching: Caching,
    cross_check: bool,
    directory: Directory,
    spending: gateway::settings::Spending,
    /// Stands between the gateway and the vendors, where a test wants more than faults.
    between: Option<Between>,
    schedule: gateway::settings::Schedule,
}

impl Stage {
    /// Vendors as `(id, plan)` over the synthetic market, at an instant in a New York session.
    fn new(at: &str, vendors: &[(&'static str, &'static str)]) -> Stage {
        Stage::limited(at, vendors.iter().map(|(id, plan)| (*id, *plan, None)).collect())
    }

    fn limited(at: &str, vendors: Vec<(&'static str, &'static str, Option<Vec<Limit>>)>) -> Stage {
        Stage::over(Arc::new(Market::synthetic(7, &Directory::built_in())), at, vendors)
    }

    fn over(
        market: Arc<Market>,
        at: &str,
        vendors: Vec<(&'static str, &'static str, Option<Vec<Limit>>)>,
    ) -> Stage {
        let clock = Arc::new(VirtualClock::starting_at(Instant::parse(at).unwrap()));
        let latency = Latency { floor: Duration::from_millis(20), mean_extra: Duration::from_millis(5) };
        Stage::slow(market, clock, vendors, latency)
    }

    fn slow(
        market: Arc<Market>,
        clock: Arc<VirtualClock>,
        vendors: Vec<(&'static str, &'static str, Option<Vec<Limit>>)>,
        latency: Latency,
    ) -> Stage {
        let bottles = vendors
            .iter()
            .map(|(id, plan, limits)| {
                let codec = vendors::find(id).unwrap();
                Bottle::new(codec, plan_of(id, plan, limits), vec!["simulated-key".into()])
                    .with_latency(latency)
            })
            .collect();
        let world = Arc::new(World {
            market,
            bottles,
            clock: clock.clone(),
            entropy: Arc::new(SeededEntropy::new(3)),
            faults: Arc::new(Faults::none()),
            journal: Arc::new(Journal::new(100_000)),
        });
        let store = Arc::new(MemoryStore::new(clock.clone()));
        Stage {
            world,
            store,
            clock,
            vendors,
            tune: |_| {},
            bounds: quality::Bounds::default(),
            caching: Caching::default(),
            cross_check: false,
            directory: Directory::built_in(),
            spending: Default::default(),
            between: None,
            schedule: Default::default(),
        }
    }

    /// Opens a gateway: the first one, or after a crash another one on the same store.
    async fn open(&self) -> Arc<Gateway> {
        let upstreams = vendors::ALL
            .iter()
            .map(|codec| {
                let chosen = self.vendors.iter().find(|(id, ..)| *id == codec.profile().id.as_str());
                let (plan, limits) = chosen.map_or((None, &None), |(_, plan, limits)| (Some(*plan), limits));
                let mut settings = UpstreamSettings {
                    codec: *codec,
                    enabled: chosen.is_some(),
                    priority: 2,
                    weight: 1.0,
                    base_url: "http://simulated".into(),
                    official: false,
                    key: Some("simulated-key".to_owned().into()),
                    plan: plan_of(codec.profile().id.as_str(), plan.unwrap_or("default"), limits),
                    pace: resilience::quota::Pace::Burst,
                    timeout: Duration::from_secs(5),
                    breaker: Default::default(),
                    sla: Default::default(),
                    adjustment: None,
                    simulated: true,
                    operation: Default::default(),
                };
                (self.tune)(&mut settings);
                settings
            })
            .collect();
        let settings = Settings {
            upstreams,
            routing: Routing { cross_check: self.cross_check, ..Routing::default() },
            cache: self.caching.clone(),
            deadlines: Deadlines::default(),
            grading: Default::default(),
            bounds: self.bounds,
            service_levels: Default::default(),
            spending: self.spending.clone(),
            schedule: self.schedule.clone(),
        };
        let clock: Arc<dyn Clock> = self.clock.clone();
        let store: Arc<dyn Store> = self.store.clone();
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(11));
        let transport: Arc<dyn Transport> = Arc::new(SimulatedTransport::new(self.world.clone()));
        let transport = self.between.as_ref().map_or(Arc::clone(&transport), |between| between(transport));
        let seams = Seams { clock, transport, store, entropy, shared: Arc::new(gateway::shared::Alone) };
        Gateway::open(seams, settings, Arc::new(Calendars::built_in()), self.directory.clone()).await.unwrap()
    }

    fn fails(&self, vendor: &'static str, fault: Fault, span: Duration) {
        let from = self.clock.now();
        self.world.faults.begin(Spell { vendor: VendorId(vendor), fault, from, until: from + span });
    }

    fn asked(&self, vendor: &'static str) -> usize {
        self.world.journal.by_vendor(VendorId(vendor)).len()
    }

    async fn pass(&self, span: Duration) {
        self.clock.sleep_until(self.clock.now() + span).await;
    }
}

fn plan_of(id: &str, name: &str, limits: &Option<Vec<Limit>>) -> vendors::Plan {
    let plans = config::plans::of(vendors::find(id).unwrap()).unwrap();
    let name = if name == "default" { &plans.default } else { name };
    let mut plan = plans.find(name).unwrap_or_else(|| panic!("{id} has no plan {name}")).clone();
    if let Some(limits) = limits {
        plan.limits.clone_from(limits);
    }
    plan
}

async fn ask(gateway: &Arc<Gateway>, question: Question, policy: Policy) -> Result<Served, Unanswered> {
    let request = Request { id: gateway.new_request_id(), question, policy, received_at: gateway.now() };
    gateway.answer(&request).await
}

async fn quote(gateway: &Arc<Gateway>, symbol: &str) -> Result<Served, Unanswered> {
    let id = gateway.directory().resolve(symbol, None).unwrap();
    ask(gateway, Question::Quotes { instruments: vec![id], bid_ask: true }, Policy::default()).await
}

fn daily(gateway: &Gateway, symbol: &str, start: &str, end: &str, adjustment: Adjustment) -> Question {
    Question::Bars {
        instrument: gateway.directory().resolve(symbol, None).unwrap(),
        interval: Interval::D1,
        range: Range::new(Instant::parse(start).unwrap(), Instant::parse(end).unwrap()),
        adjustment,
        session: Session::Regular,
    }
}

fn rows(served: &Served) -> Vec<(String, String, String)> {
    let Data::Bars(series) = &served.answer.data else { panic!("no bars: {:?}", served.answer.data) };
    series
        .bars
        .iter()
        .map(|bar| {
            let volume = bar.volume.unwrap().round(0);
            (
                bar.trading_date.unwrap().to_string(),
                bar.close.unwrap().round(2).to_string(),
                volume.to_string(),
            )
        })
        .collect()
}

const SESSION: &str = "2026-11-18T15:30:00Z";

#[tokio::test(start_paused = true)]
async fn the_same_quote_again_is_a_hit_whose_age_has_grown() {
    let stage = Stage::new(SESSION, &[("finnhub", "premium"), ("polygon", "premium")]);
    let gateway = stage.open().await;
    let first = quote(&gateway, "AAPL").await.unwrap();
    assert_eq!(first.cache, CacheState::Miss);
    assert!(first.answer.simulated);
    let calls = stage.world.journal.count();
    stage.pass(Duration::from_secs(2)).await;
    let second = quote(&gateway, "AAPL").await.unwrap();
    assert_eq!(second.cache, CacheState::Hit);
    assert!(second.age() > first.age());
    assert!(second.grade.dimensions.timeliness < first.grade.dimensions.timeliness);
    assert!(second.grade.score <= first.grade.score);
    assert_eq!(stage.world.journal.count(), calls);
}

#[tokio::test(start_paused = true)]
async fn a_failing_vendor_is_passed_over_and_the_record_says_why() {
    let stage = Stage::new(SESSION, &[("finnhub", "premium"), ("polygon", "premium")]);
    let gateway = stage.open().await;
    stage.fails("polygon", Fault::Outage, Duration::from_secs(600));
    let mut failed = 0;
    for symbol in ["AAPL", "MSFT", "NVDA", "AMZN", "INTC", "IBM", "KO", "JPM", "V", "WMT"] {
        let served = quote(&gateway, symbol).await.unwrap();
        assert_eq!(served.answer.vendor(), Some(VendorId("finnhub")));
        let decision = &served.answer.decision;
        for attempt in decision.attempts.iter().filter(|a| a.vendor == VendorId("polygon")) {
            assert_eq!(attempt.outcome, Outcome::Rejected("vendor_fault"));
            assert!(
                decision
                    .notes
                    .iter()
                    .any(|n| n.contains("polygon did not answer (vendor_fault); finnhub is next"))
            );
            failed += 1;
        }
        stage.pass(Duration::from_secs(1)).await;
    }
    assert!(failed > 0, "the failing vendor was never tried");
}

#[tokio::test(start_paused = true)]
async fn every_attempt_reported_is_a_line_of_the_journal_and_the_other_way_round() {
    let stage = Stage::new(SESSION, &[("yahoo", "public"), ("polygon", "premium"), ("finnhub", "premium")]);
    let gateway = stage.open().await;
    stage.fails("finnhub", Fault::Html(200), Duration::from_secs(5));
    let mut attempts = Vec::new();
    for symbol in ["AAPL", "MSFT", "ZZZZQ", "NVDA"] {
        for vendor in ["yahoo", "polygon", "finnhub"] {
            let id = gateway.directory().resolve(symbol, None).unwrap();
            let policy = Policy { vendors: vec![VendorId(vendor)], ..Policy::default() };
            let question = Question::Quotes { instruments: vec![id], bid_ask: true };
            let decision = match ask(&gateway, question, policy).await {
                Ok(served) => Arc::clone(&served.answer.decision),
                Err(unanswered) => unanswered.decision,
            };
            attempts.extend(decision.attempts.iter().map(|a| (a.sent_at, a.vendor)));
            stage.pass(Duration::from_secs(1)).await;
        }
    }
    let journal: Vec<(Instant, VendorId)> =
        stage.world.journal.since(0, 10_000).iter().map(|entry| (entry.at, entry.vendor)).collect();
    attempts.sort();
    let mut lines = journal;
    lines.sort();
    assert_eq!(attempts.len(), lines.len());
    assert!(attempts.len() > 12, "{}", attempts.len());
    for (attempt, line) in attempts.iter().zip(&lines) {
        assert_eq!(attempt.1, line.1);
        assert!(line.0.since(attempt.0) < Duration::from_secs(1) && line.0 >= attempt.0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_comes_back_is_asked_again_within_one_open_time() {
    let stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let gateway = stage.open().await;
    let outage = Duration::from_secs(300);
    stage.fails("polygon", Fault::Outage, outage);
    let returned = stage.clock.now() + outage;
    let names = ["AAPL", "MSFT", "NVDA", "AMZN", "INTC", "IBM", "KO"];
    let mut first_good = None;
    for turn in 0..900usize {
        let answered = quote(&gateway, names[turn % names.len()]).await.is_ok();
        if answered && first_good.is_none() && stage.clock.now() >= returned {
            first_good = Some(stage.clock.now());
        }
        stage.pass(Duration::from_millis(500)).await;
    }
    let back = first_good.expect("the vendor is used again").since(returned);
    assert!(back <= Duration::from_secs(67), "{back:?}");
    // While it was away it was asked by single probes, not by every question.
    let during =
        stage.world.journal.by_vendor(VendorId("polygon")).iter().filter(|e| e.at < returned).count();
    assert!(during < 20, "{during}");
}

#[tokio::test(start_paused = true)]
async fn five_calls_a_minute_are_never_six_in_any_minute_over_a_crash() {
    let five = vec![Limit { count: 5, per: Per::Sliding(Duration::from_secs(60)) }];
    let stage = Stage::limited(SESSION, vec![("alpha_vantage", "free", Some(five))]);
    let mut gateway = stage.open().await;
    let names: Vec<String> = gateway
        .directory()
        .instruments()
        .filter(|i| i.id.venue().as_str().starts_with("XN"))
        .map(|i| i.id.to_string())
        .take(60)
        .collect();
    assert_eq!(names.len(), 60);
    let start = stage.clock.now();
    for (turn, name) in names.iter().enumerate() {
        if turn == 4 {
            // Killed: nothing is given back or written in good order.
            gateway = stage.open().await;
        }
        let _ = quote(&gateway, name).await;
        let next = start + Duration::from_secs(5) * (turn as u32 + 1);
        stage.clock.sleep_until(next).await;
    }
    let (worst, _) =
        stage.world.journal.worst_window(VendorId("alpha_vantage"), Duration::from_secs(60)).unwrap();
    assert!(worst <= 5, "{worst}");
    let used = stage.asked("alpha_vantage");
    assert!(used >= 24, "only {used} of 25 were used");
    let refused = stage.world.journal.since(0, 1000).iter().filter(|e| e.status == Some(429)).count();
    assert_eq!(refused, 0);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_costs_twenty_credits_takes_twenty_permits() {
    let credits = vec![Limit { count: 45, per: Per::Sliding(Duration::from_secs(60)) }];
    let stage = Stage::limited(SESSION, vec![("twelve_data", "grow", Some(credits))]);
    let gateway = stage.open().await;
    let at = |text| Instant::parse(text).unwrap();
    let range = Range::new(at("2025-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"));
    let mut used = 0;
    for (name, pause) in [("AAPL", 30), ("MSFT", 5), ("GOOGL", 0)] {
        let instrument = gateway.directory().resolve(name, None).unwrap();
        let answer = ask(&gateway, Question::Dividends { instrument, range }, Policy::default()).await;
        let quota = answer.ok().map(|served| served.answer.quota.clone()).unwrap_or_default();
        used += quota.iter().map(|(_, count)| count).sum::<u32>();
        stage.pass(Duration::from_secs(pause)).await;
    }
    // Two of them fit into a minute, and the vendor was not tried with the third.
    assert_eq!((used, stage.asked("twelve_data")), (40, 2));
}

#[tokio::test(start_paused = true)]
async fn a_ceiling_on_cost_counts_the_weight_of_the_question() {
    // RTE-11: dividends take twenty credits of this vendor, here at a hundred millionths each.
    let mut stage = Stage::new(SESSION, &[("twelve_data", "grow")]);
    stage.tune = |upstream| upstream.plan.request_micros = 100;
    let gateway = stage.open().await;
    let at = |text| Instant::parse(text).unwrap();
    let range = Range::new(at("2025-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"));
    let instrument = gateway.directory().resolve("AAPL", None).unwrap();
    let question = Question::Dividends { instrument, range };
    let at_most = |usd: &str| Policy { max_cost: domain::Price::parse(usd), ..Policy::default() };
    let refused = ask(&gateway, question.clone(), at_most("0.001999")).await.expect_err("too dear");
    assert!(matches!(refused.why, Why::ConstraintUnmet { .. }), "{refused:?}");
    assert_eq!(stage.asked("twelve_data"), 0);
    let served = ask(&gateway, question, at_most("0.002")).await.unwrap();
    assert_eq!(served.answer.decision.cost_micros, 2_000);
}

#[tokio::test(start_paused = true)]
async fn pages_stop_where_the_caller_will_pay_no_more() {
    // RTE-11, SRC-13: a metered vendor whose list of splits is read page by page.
    let mut stage = Stage::new(SESSION, &[("polygon", "premium")]);
    stage.tune = |upstream| upstream.plan.request_micros = 1_000;
    let gateway = stage.open().await;
    let question = daily(&gateway, "AAPL", "1990-01-01T00:00:00Z", "2026-01-01T00:00:00Z", Adjustment::Raw);
    let at_most = |usd: &str| Policy {
        max_cost: domain::Price::parse(usd),
        adjustment: Some(Adjustment::Raw),
        ..Policy::default()
    };
    let served = ask(&gateway, question.clone(), at_most("0.001")).await.unwrap();
    assert_eq!((served.answer.decision.cost_micros, stage.asked("polygon")), (1_000, 1));
}

#[tokio::test(start_paused = true)]
async fn money_is_a_window_like_the_others_over_a_crash_too() {
    // LIM-1: three tenths of a cent a call, a cent a day.
    let mut stage = Stage::new(SESSION, &[("polygon", "premium"), ("finnhub", "free")]);
    stage.tune = |upstream| {
        if upstream.vendor().as_str() == "polygon" {
            upstream.plan.spend = vec![SpendLimit { micros: 10_000, per: Per::Day }];
            upstream.priority = 1;
        }
    };
    let mut gateway = stage.open().await;
    let polygon = Policy { vendors: vec![VendorId("polygon")], ..Policy::default() };
    let mut answered = 0;
    for (turn, name) in ["AAPL", "MSFT", "GOOGL", "AMZN", "TSLA", "NVDA"].into_iter().enumerate() {
        if turn == 2 {
            // Killed: nothing is given back or written in good order.
            gateway = stage.open().await;
        }
        let id = gateway.directory().resolve(name, None).unwrap();
        let question = Question::Quotes { instruments: vec![id], bid_ask: true };
        answered += usize::from(ask(&gateway, question, polygon.clone()).await.is_ok());
        stage.pass(Duration::from_secs(20)).await;
    }
    assert_eq!((answered, stage.asked("polygon")), (3, 3));
    // With its money spent, the next vendor answers.
    assert!(quote(&gateway, "NFLX").await.is_ok());
    assert_eq!(stage.asked("polygon"), 3);
    stage.pass(Duration::from_secs(24 * 3_600)).await;
    let id = gateway.directory().resolve("AAPL", None).unwrap();
    let question = Question::Quotes { instruments: vec![id], bid_ask: true };
    assert!(ask(&gateway, question, polygon).await.is_ok(), "a new day has new money");
}

#[tokio::test(start_paused = true)]
async fn with_a_second_vendor_no_caller_sees_the_firsts_limit() {
    let five = vec![Limit { count: 5, per: Per::Sliding(Duration::from_secs(60)) }];
    let stage =
        Stage::limited(SESSION, vec![("twelve_data", "free", Some(five)), ("finnhub", "premium", None)]);
    let gateway = stage.open().await;
    let names: Vec<String> = gateway
        .directory()
        .instruments()
        .map(|i| i.id.to_string())
        .filter(|n| n.contains(".XN"))
        .take(40)
        .collect();
    for name in names {
        let served = quote(&gateway, &name).await;
        assert!(served.is_ok(), "{name}: {:?}", served.err());
        stage.pass(Duration::from_millis(300)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn history_is_fetched_once_and_only_what_is_missing_later() {
    let stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let gateway = stage.open().await;
    let ask_range = |start: &'static str, end: &'static str| {
        let question = daily(&gateway, "AAPL", start, end, Adjustment::Split);
        ask(&gateway, question, Policy::default())
    };
    let first = ask_range("2025-01-13", "2025-12-31").await.unwrap();
    assert!(first.answer.stored);
    let calls = stage.asked("polygon");
    let second = ask_range("2025-01-13", "2025-12-31").await.unwrap();
    assert_eq!(rows(&first), rows(&second));
    assert_eq!(stage.asked("polygon"), calls, "the second asks nobody");
    // Past the memory cache, after the next opening, the store answers.
    stage.pass(Duration::from_secs(23 * 3_600 + 60)).await;
    let third = ask_range("2025-01-13", "2025-12-31").await.unwrap();
    assert_eq!(third.cache, CacheState::Stored);
    assert_eq!(rows(&first), rows(&third));
    assert_eq!(stage.asked("polygon"), calls);
    let wider = ask_range("2025-01-13", "2026-03-01").await.unwrap();
    assert!(rows(&wider).len() > rows(&first).len());
    let added: Vec<_> = stage.world.journal.by_vendor(VendorId("polygon")).split_off(calls);
    assert_eq!(added.len(), 1, "{added:?}");
    assert!(added[0].target.contains("/2025-12-3"), "{}", added[0].target);
    // A weekend holds nothing, which the calendar knows without asking.
    let weekend = ask_range("2026-02-28", "2026-03-02").await.unwrap();
    assert!(weekend.answer.warnings.iter().any(|w| w.code == "NO_DATA"));
    assert_eq!(stage.asked("polygon"), calls + 1);
}

#[tokio::test(start_paused = true)]
async fn a_stored_range_is_served_while_every_vendor_is_down_and_an_unstored_one_is_refused() {
    let stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let gateway = stage.open().await;
    let stored = daily(&gateway, "AAPL", "2025-03-03", "2025-06-02", Adjustment::Raw);
    ask(&gateway, stored.clone(), Policy::default()).await.unwrap();
    stage.fails("polygon", Fault::Refuse, Duration::from_secs(86_400));
    stage.pass(Duration::from_secs(3600)).await;
    assert!(ask(&gateway, stored, Policy::default()).await.is_ok());
    let unstored = daily(&gateway, "MSFT", "2025-03-03", "2025-06-02", Adjustment::Raw);
    let refused = ask(&gateway, unstored, Policy::default()).await.unwrap_err();
    assert!(matches!(refused.why, Why::NoHealthyVendor { .. }), "{:?}", refused.why);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_symbol_is_believed_when_two_say_so_and_costs_no_breaker() {
    let stage =
        Stage::new(SESSION, &[("polygon", "premium"), ("finnhub", "premium"), ("twelve_data", "free")]);
    let gateway = stage.open().await;
    for turn in 0..10 {
        let refused =
            quote(&gateway, &format!("ZZQ{}", ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"][turn]))
                .await
                .unwrap_err();
        assert!(matches!(refused.why, Why::UnknownSymbol), "{:?}", refused.why);
    }
    for upstream in gateway.upstreams() {
        assert_eq!(upstream.breaker.lock().state().as_str(), "closed");
    }
    let calls = stage.world.journal.count();
    assert!(calls <= 20, "two opinions each at most: {calls}");
    assert!(quote(&gateway, "ZZQA").await.is_err());
    assert_eq!(stage.world.journal.count(), calls, "remembered");
}

#[tokio::test(start_paused = true)]
async fn a_caller_gets_the_vendor_it_listed_or_nobody() {
    let stage = Stage::new(SESSION, &[("polygon", "premium"), ("finnhub", "premium")]);
    let gateway = stage.open().await;
    stage.fails("polygon", Fault::Outage, Duration::from_secs(60));
    let id = gateway.directory().resolve("AAPL", None).unwrap();
    let question = Question::Quotes { instruments: vec![id], bid_ask: true };
    let pinned = Policy { vendors: vec![VendorId("polygon")], ..Policy::default() };
    let refused = ask(&gateway, question.clone(), pinned).await.unwrap_err();
    assert!(matches!(refused.why, Why::BadUpstream), "{:?}", refused.why);
    assert_eq!(stage.asked("finnhub"), 0);
    let skipped = refused.decision.candidates.iter().find(|c| c.vendor == VendorId("finnhub")).unwrap();
    assert_eq!(skipped.skipped, Some(Skipped::NotListed));
    let chain = Policy { vendors: vec![VendorId("polygon"), VendorId("finnhub")], ..Policy::default() };
    assert_eq!(ask(&gateway, question, chain).await.unwrap().answer.vendor(), Some(VendorId("finnhub")));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_vendor_is_hedged_and_its_late_call_is_on_record() {
    let stage = Stage::new(SESSION, &[("polygon", "premium"), ("finnhub", "premium")]);
    let gateway = stage.open().await;
    stage.fails("polygon", Fault::Hang, Duration::from_secs(60));
    let id = gateway.directory().resolve("AAPL", None).unwrap();
    let question = Question::Quotes { instruments: vec![id], bid_ask: true };
    let policy = Policy { vendors: vec![VendorId("polygon"), VendorId("finnhub")], ..Policy::default() };
    let before = stage.clock.now();
    let served = ask(&gateway, question, policy).await.unwrap();
    assert_eq!(served.answer.vendor(), Some(VendorId("finnhub")));
    assert!(stage.clock.now().since(before) < Duration::from_secs(1));
    assert!(
        served.answer.decision.attempts.iter().any(|a| a.vendor == VendorId("polygon")),
        "{:?}",
        served.answer.decision.attempts
    );
}

#[tokio::test(start_paused = true)]
async fn constraints_choose_the_vendor_or_are_refused_with_the_best_attached() {
    let stage = Stage::new(SESSION, &[("yahoo", "public"), ("polygon", "premium")]);
    let gateway = stage.open().await;
    let id = gateway.directory().resolve("AAPL", None).unwrap();
    let question = || Question::Quotes { instruments: vec![id.clone()], bid_ask: true };
    let young = Policy { max_age: Some(Duration::from_secs(5)), ..Policy::default() };
    let served = ask(&gateway, question(), young.clone()).await.unwrap();
    assert_eq!(served.answer.vendor(), Some(VendorId("polygon")));
    let delayed_only = Policy { vendors: vec![VendorId("yahoo")], ..young };
    let refused = ask(&gateway, question(), delayed_only).await.unwrap_err();
    match refused.why {
        Why::ConstraintUnmet { best: Some(best), .. } => {
            assert_eq!(best.answer.vendor(), Some(VendorId("yahoo")))
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_raw_series_continues_on_another_vendors_adjusted_one_across_a_split() {
    let Some(folder) = test_data::find("a_raw_series_continues", "data/replay/equities-daily") else {
        return;
    };
    let market = Arc::new(Market::load(&folder).unwrap());
    // Netflix split 7:1 on 2015-07-15. Yahoo has split-adjusted bars only, Polygon raw ones too.
    let stage = Stage::over(
        market,
        "2017-12-20T16:00:00Z",
        vec![("yahoo", "public", None), ("polygon", "premium", None)],
    );
    let gateway = stage.open().await;
    let polygon = Policy { vendors: vec![VendorId("polygon")], ..Policy::default() };
    let yahoo = Policy { vendors: vec![VendorId("yahoo")], ..Policy::default() };
    let question = daily(&gateway, "NFLX", "2015-06-01", "2015-09-01", Adjustment::Split);
    let from_polygon = ask(&gateway, question.clone(), polygon).await.unwrap();
    let from_yahoo = ask(&gateway, question, yahoo).await.unwrap();
    assert_eq!(rows(&from_polygon), rows(&from_yahoo));
    assert_eq!(from_polygon.answer.basis.adjustment, Adjustment::Split);
    let raw = daily(&gateway, "NFLX", "2015-06-01", "2015-09-01", Adjustment::Raw);
    let raw =
        ask(&gateway, raw, Policy { vendors: vec![VendorId("yahoo")], ..Policy::default() }).await.unwrap();
    let close = |rows: &[(String, String, String)], date: &str| -> f64 {
        rows.iter().find(|(d, ..)| d == date).unwrap().1.parse().unwrap()
    };
    let (raw, split) = (rows(&raw), rows(&from_yahoo));
    assert!((close(&raw, "2015-07-14") / close(&split, "2015-07-14") - 7.0).abs() < 0.01);
    assert_eq!(close(&raw, "2015-07-15"), close(&split, "2015-07-15"));
    assert_eq!(close(&raw, "2015-07-14"), 702.6);
}

#[tokio::test(start_paused = true)]
async fn a_series_of_unknown_basis_is_refused() {
    let mut stage = Stage::new(SESSION, &[("polygon", "premium")]);
    stage.tune = |settings| settings.adjustment = Some(Adjustment::Unknown);
    let gateway = stage.open().await;
    let question = daily(&gateway, "AAPL", "2025-03-03", "2025-06-02", Adjustment::Split);
    let refused = ask(&gateway, question, Policy::default()).await.unwrap_err();
    assert!(matches!(refused.why, Why::ConstraintUnmet { .. }), "{:?}", refused.why);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_stale_and_nothing_is_missing_on_a_sunday_or_after_a_half_day() {
    for at in ["2026-11-22T15:00:00Z", "2026-11-27T19:00:00Z"] {
        let stage = Stage::new(at, &[("polygon", "premium")]);
        let gateway = stage.open().await;
        let served = quote(&gateway, "AAPL").await.unwrap();
        assert!(served.grade.letter <= quality::Letter::C, "{at}: {:?}", served.grade);
        let question = daily(&gateway, "AAPL", "2026-11-01", "2026-11-28", Adjustment::Raw);
        let bars = ask(&gateway, question, Policy::default()).await.unwrap();
        assert_eq!(bars.answer.coverage.as_ref().unwrap().gaps, [], "{at}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_write_stops_no_answer_and_says_so() {
    let stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let gateway = stage.open().await;
    stage.store.fail_writes(true);
    let question = daily(&gateway, "AAPL", "2025-03-03", "2025-06-02", Adjustment::Split);
    let served = ask(&gateway, question, Policy::default()).await;
    assert!(served.is_ok() || matches!(served.as_ref().unwrap_err().why, Why::ConstraintUnmet { .. }));
    let raw = daily(&gateway, "MSFT", "2025-03-03", "2025-06-02", Adjustment::Raw);
    let served = ask(&gateway, raw, Policy::default()).await.unwrap();
    assert!(!served.answer.stored);
    assert!(gateway.events().iter().any(|event| event.kind.as_str() == "store_failed"));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_identical_questions_make_one_call() {
    let stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let gateway = stage.open().await;
    let mut callers = Vec::new();
    for _ in 0..1000 {
        let gateway = gateway.clone();
        callers.push(tokio::spawn(async move { quote(&gateway, "AAPL").await.map(|s| s.cache) }));
    }
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(stage.asked("polygon"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lying_vendor_is_outvoted_when_several_are_asked_together() {
    let vendors = [("polygon", "premium"), ("finnhub", "premium"), ("twelve_data", "free")];
    for liar in ["polygon", "finnhub", "twelve_data"] {
        let stage = Stage::new(SESSION, &vendors);
        let gateway = stage.open().await;
        stage.fails(liar, Fault::Wrong(1.03), Duration::from_secs(60));
        let id = gateway.directory().resolve("AAPL", None).unwrap();
        let question = Question::Quotes { instruments: vec![id.clone()], bid_ask: true };
        let policy = Policy { strategy: Some(Strategy::Consensus), ..Policy::default() };
        let served = ask(&gateway, question, policy).await.unwrap();
        assert_ne!(served.answer.vendor(), Some(VendorId(liar)));
        let truth = stage.world.market.quote(&id, stage.clock.now()).unwrap().last.unwrap().to_f64();
        let Data::Quotes(rows) = &served.answer.data else { panic!() };
        let said = rows[0].quote.as_ref().unwrap().price().unwrap().to_f64();
        assert!((said / truth - 1.0).abs() < 0.01, "{liar}: {said} against {truth}");
        assert!(served.answer.decision.notes.iter().any(|note| note.contains("together")));
    }
}

#[tokio::test(start_paused = true)]
async fn the_fixed_bounds_of_older_systems_judge_only_where_they_are_chosen() {
    // VAL-3: a share above 100,000 dollars is no error by itself.
    let moved = |bounds| async move {
        let mut stage = Stage::new(SESSION, &[("polygon", "premium")]);
        stage.bounds = bounds;
        let gateway = stage.open().await;
        stage.fails("polygon", Fault::Wrong(10_000.0), Duration::from_secs(60));
        let question = daily(&gateway, "AAPL", "2026-03-02", "2026-04-01", Adjustment::Raw);
        let served = ask(&gateway, question, Policy::default()).await.unwrap();
        served.answer.findings.iter().any(|finding| finding.rule.id().contains("BOUND"))
    };
    assert!(!moved(quality::Bounds::VolatilityScaled).await);
    assert!(moved(quality::Bounds::Compatibility).await);
}
