//! Plans that are too small for what is asked, and vendors that allow less than they say: LIM-7 to LIM-9.

use gateway::request::Priority;

use super::*;

fn instrument(gateway: &Gateway, symbol: &str) -> domain::InstrumentId {
    gateway.directory().resolve(symbol, None).unwrap()
}

fn question(gateway: &Gateway, symbol: &str) -> Question {
    Question::Quotes { instruments: vec![instrument(gateway, symbol)], bid_ask: false }
}

#[tokio::test(start_paused = true)]
async fn twenty_five_calls_a_day_last_through_a_session_of_ten_thousand_questions() {
    // LIM-7, LIM-8: never full speed into the wall, never a request lost because of a limit.
    let open = Instant::parse("2026-11-18T14:30:00Z").unwrap();
    let session = Duration::from_secs(23_400);
    let stage = Stage::new("2026-11-18T14:30:00Z", &[("alpha_vantage", "free")]);
    let gateway = stage.open().await;
    let names = ["AAPL", "MSFT", "NVDA"];
    let mut stale = 0;
    for turn in 0..10_000_u32 {
        stage.clock.sleep_until(open + session * turn / 10_000).await;
        let asked = question(&gateway, names[turn as usize / 10 % 3]);
        let served = ask(&gateway, asked, Policy::default()).await;
        let served = served.unwrap_or_else(|error| panic!("question {turn} is unanswered: {error:?}"));
        assert!(served.age().is_some(), "question {turn}: nobody says how old it is");
        stale += u32::from(served.cache == CacheState::Stale);
    }
    let calls = stage.world.journal.by_vendor(VendorId("alpha_vantage"));
    assert!((23..=25).contains(&calls.len()), "{} calls", calls.len());
    let last = calls.last().unwrap().at.since(open).as_secs_f64() / session.as_secs_f64();
    assert!(last > 0.9, "the last call came after {last} of the session");
    assert!(calls.iter().all(|call| call.status == Some(200)));
    assert!(stale > 5_000, "{stale} answers say that they are stale");
    let events = gateway.events();
    let levels: Vec<String> = events
        .iter()
        .filter(|event| event.kind.as_str() == "exhaustion_foreseen")
        .map(|event| event.kind.to_string())
        .collect();
    assert!(!levels.is_empty(), "it was foreseen");
}

#[tokio::test(start_paused = true)]
async fn each_class_leaves_its_reserve_and_all_returns_at_the_reset() {
    // LIM-7: never a recovery that needs an operator.
    let day = vec![Limit { count: 100, per: Per::Day }];
    let stage = Stage::limited(SESSION, vec![("finnhub", "premium", Some(day))]);
    let gateway = stage.open().await;
    let symbols: Vec<String> = gateway
        .directory()
        .instruments()
        .map(|i| i.id.to_string())
        .filter(|name| name.contains(".XN"))
        .collect();
    let mut next = symbols.iter().cycle();
    let mut used_by = Vec::new();
    for priority in [Priority::Batch, Priority::Low, Priority::Normal, Priority::High, Priority::Critical] {
        // Ten questions a second about another symbol each, till one is refused for the reserve.
        for _ in 0..200 {
            let policy = Policy { priority, stale: gateway::StaleAllowance::Forbid, ..Policy::default() };
            let asked = question(&gateway, next.next().unwrap());
            let refused = ask(&gateway, asked, policy).await.is_err();
            if refused {
                break;
            }
            stage.pass(Duration::from_millis(100)).await;
        }
        used_by.push(stage.asked("finnhub"));
    }
    // Batch leaves half, low 30, normal 15 (times the share of the session that is left), high 5, critical none.
    let [batch, low, normal, high, critical] = used_by[..] else { panic!("{used_by:?}") };
    assert_eq!((batch, low, critical), (50, 70, 100), "{used_by:?}");
    assert!((85..90).contains(&normal) && (95..98).contains(&high), "{used_by:?}");
    // The next day all of it is there again, for batch work too.
    stage.pass(Duration::from_secs(86_400)).await;
    let policy = Policy { priority: Priority::Batch, ..Policy::default() };
    assert!(ask(&gateway, question(&gateway, next.next().unwrap()), policy).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_finds_the_quota_spent_is_refused_at_once_with_the_time_of_its_return() {
    // LIM-8: never a request left open because of a limit.
    let day = vec![Limit { count: 3, per: Per::Day }];
    let stage = Stage::limited(SESSION, vec![("finnhub", "premium", Some(day))]);
    let gateway = stage.open().await;
    for symbol in ["AAPL", "MSFT", "NVDA", "AMZN"] {
        let critical = Policy { priority: Priority::Critical, ..Policy::default() };
        let start = stage.clock.now();
        let answer = ask(&gateway, question(&gateway, symbol), critical).await;
        assert!(stage.clock.now().since(start) < Duration::from_millis(200));
        if let Err(refused) = answer {
            assert_eq!(symbol, "AMZN");
            let Why::NoHealthyVendor { retry_at: Some(at) } = refused.why else {
                panic!("{:?}", refused.why)
            };
            assert!(at > stage.clock.now() + Duration::from_secs(3_600), "{at}");
        }
    }
    assert_eq!(stage.asked("finnhub"), 3);
}

/// Polygon with half the plan we believe it to have; it names no budget in its headers.
fn half_a_plan() -> Stage {
    let half = vec![Limit { count: 30, per: Per::Sliding(Duration::from_secs(60)) }];
    let mut stage = Stage::limited(SESSION, vec![("polygon", "premium", Some(half))]);
    stage.tune = |settings| {
        settings.plan.limits = vec![Limit { count: 60, per: Per::Sliding(Duration::from_secs(60)) }];
    };
    stage
}

/// Two questions a second about one symbol after the other; how often the vendor said 429 meanwhile.
async fn run(stage: &Stage, gateway: &Arc<Gateway>, span: Duration) -> (usize, usize) {
    let symbols: Vec<String> = gateway
        .directory()
        .instruments()
        .map(|i| i.id.to_string())
        .filter(|name| name.contains(".XN"))
        .collect();
    let before = stage.asked("polygon");
    let (start, mut turn) = (stage.clock.now(), 0_u32);
    while stage.clock.now().since(start) < span {
        let gateway = gateway.clone();
        let asked = question(&gateway, &symbols[turn as usize % symbols.len()]);
        tokio::spawn(async move { ask(&gateway, asked, Policy::default()).await.is_ok() });
        turn += 1;
        stage.clock.sleep_until(start + Duration::from_millis(500) * turn).await;
    }
    let calls = stage.world.journal.by_vendor(VendorId("polygon")).split_off(before);
    (calls.iter().filter(|call| call.status == Some(429)).count(), calls.len())
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_secretly_allows_half_its_plan_is_known_after_a_restart() {
    // LIM-9.
    let stage = half_a_plan();
    let gateway = stage.open().await;
    let (first, _) = run(&stage, &gateway, Duration::from_secs(1_800)).await;
    assert!(first >= 1, "the vendor never said 429");
    let limiter = &gateway.find_upstream(VendorId("polygon")).unwrap().limiter;
    let learned = limiter.learned_limit().expect("it was learned");
    assert!((20..=30).contains(&learned.count), "{learned:?}");
    assert_eq!(limiter.status(stage.clock.now())[0].limit.count, 60, "the plan stands as it is");
    assert!(gateway.events().iter().any(|event| event.kind.as_str() == "rate_learned"));
    // Killed, and started again: nothing is written in good order.
    drop(gateway);
    stage.pass(Duration::from_secs(120)).await;
    let gateway = stage.open().await;
    let (second, calls) = run(&stage, &gateway, Duration::from_secs(3_600)).await;
    assert!(second <= 1, "{second} refusals in the second run");
    assert!(calls > 20 * 60, "{calls} calls in an hour: the half that is allowed is used");
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_is_kept_and_the_plan_is_never_passed_while_adapting() {
    // LIM-9: never a recorded Retry-After ignored, never the plan exceeded.
    let stage = half_a_plan();
    let gateway = stage.open().await;
    run(&stage, &gateway, Duration::from_secs(1_200)).await;
    let calls = stage.world.journal.by_vendor(VendorId("polygon"));
    for (index, call) in calls.iter().enumerate().filter(|(_, call)| call.status == Some(429)) {
        // The simulated vendor names its wait in whole seconds; a second at least passes.
        let sent_before_the_reply = call.at + Duration::from_millis(200);
        let next = calls[index + 1..].iter().find(|next| next.at > sent_before_the_reply);
        let waited = next.map_or(Duration::MAX, |next| next.at.since(call.at));
        assert!(waited >= Duration::from_millis(900), "asked again after {waited:?}");
    }
    let (worst, _) = stage.world.journal.worst_window(VendorId("polygon"), Duration::from_secs(60)).unwrap();
    assert!(worst <= 60, "{worst}");
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_fails_is_asked_more_slowly_and_faster_again_when_it_is_well() {
    // LIM-9: the rule and its evidence can be seen.
    let stage = Stage::new(SESSION, &[("finnhub", "premium")]);
    let gateway = stage.open().await;
    stage.fails("finnhub", Fault::Slow(Duration::from_millis(3_500)), Duration::from_secs(300));
    let symbols = ["AAPL", "MSFT", "NVDA", "AMZN", "INTC", "IBM", "KO"];
    let rate = || {
        let rates = gateway.find_upstream(VendorId("finnhub")).unwrap().limiter.rates();
        rates.into_iter().find(|(endpoint, _)| *endpoint == "quote" || *endpoint == "bid_ask").unwrap().1
    };
    let mut lowest = f64::MAX;
    for turn in 0..400_usize {
        let policy = Policy { deadline: Some(Duration::from_secs(5)), ..Policy::default() };
        let _ = ask(&gateway, question(&gateway, symbols[turn % 7]), policy).await;
        stage.pass(Duration::from_secs(5)).await;
        lowest = lowest.min(rate().per_second().unwrap());
    }
    let plan = 300.0 / 60.0;
    assert!(lowest < plan, "{lowest}");
    let now = rate();
    assert!(now.evidence().is_some());
    assert!(now.per_second().unwrap() > lowest, "{now:?}");
}
