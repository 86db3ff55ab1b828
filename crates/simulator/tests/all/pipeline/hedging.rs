//! RTY-4, RTE-5, RTE-12: what a vendor that hangs or fails costs those who ask others.

use super::*;

/// Sixty shares: asked in turn, none is asked again while its quote is fresh.
fn known(gateway: &Gateway) -> Vec<String> {
    let directory = gateway.directory();
    let ids = directory.instruments().map(|instrument| instrument.id.to_string());
    ids.filter(|id| id.contains(".XN")).take(60).collect()
}

/// So many quotes over a span, each of its own caller; their latencies in milliseconds, ascending, and how
/// often a second vendor was asked because the first was late.
async fn quotes(stage: &Stage, gateway: &Arc<Gateway>, count: u32, span: Duration) -> (Vec<u128>, usize) {
    let (names, start) = (known(gateway), stage.clock.now());
    let mut callers = Vec::new();
    for turn in 0..count {
        stage.clock.sleep_until(start + span / count * turn).await;
        let (gateway, clock) = (Arc::clone(gateway), Arc::clone(&stage.clock));
        let id = gateway.directory().resolve(&names[turn as usize % names.len()], None).unwrap();
        callers.push(tokio::spawn(async move {
            let before = clock.now();
            let question = Question::Quotes { instruments: vec![id], bid_ask: true };
            let decision = match ask(&gateway, question, Policy::default()).await {
                Ok(served) => Arc::clone(&served.answer.decision),
                Err(unanswered) => unanswered.decision,
            };
            let doubled = decision.notes.iter().filter(|note| note.ends_with("is asked as well")).count();
            (clock.now().since(before).as_millis(), doubled)
        }));
    }
    let (mut took, mut doubled) = (Vec::new(), 0);
    for caller in callers {
        let (millis, more) = caller.await.unwrap();
        took.push(millis);
        doubled += more;
    }
    took.sort_unstable();
    (took, doubled)
}

fn percentile(sorted: &[u128], share: f64) -> u128 {
    sorted[(share * (sorted.len() - 1) as f64).ceil() as usize]
}

const VENDORS: [(&str, &str); 3] = [("polygon", "premium"), ("finnhub", "premium"), ("twelve_data", "grow")];

#[tokio::test(start_paused = true)]
async fn a_vendor_that_hangs_for_five_minutes_keeps_the_p99_of_a_thousand_quotes_below_a_second() {
    for hangs in ["polygon", "finnhub"] {
        let stage = Stage::new(SESSION, &VENDORS);
        let gateway = stage.open().await;
        let span = Duration::from_secs(300);
        let (warm, _) = quotes(&stage, &gateway, 200, Duration::from_secs(60)).await;
        assert!(percentile(&warm, 0.99) < 100, "{:?}", &warm[190..]);
        stage.fails(hangs, Fault::Hang, span);
        let (took, doubled) = quotes(&stage, &gateway, 1_000, span).await;
        let p99 = percentile(&took, 0.99);
        assert!(p99 < 1_000, "{hangs}: p99 {p99} ms, worst {:?}", took.last());
        assert!(doubled <= 50, "{hangs}: {doubled} of a thousand questions were doubled");
    }
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_fails_costs_less_than_fifty_milliseconds_more() {
    for fault in [Fault::Outage, Fault::Refuse, Fault::Html(200), Fault::TooManyRequests] {
        let stage = Stage::new(SESSION, &VENDORS);
        let gateway = stage.open().await;
        let span = Duration::from_secs(300);
        let (usual, _) = quotes(&stage, &gateway, 500, span).await;
        stage.fails("polygon", fault, span);
        let (failing, _) = quotes(&stage, &gateway, 500, span).await;
        let more = percentile(&failing, 0.99).saturating_sub(percentile(&usual, 0.99));
        assert!(more < 50, "{fault:?}: {more} ms more");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_hedges_into_a_vendor_near_its_limit() {
    let tight = vec![Limit { count: 60, per: Per::Sliding(Duration::from_secs(60)) }];
    let vendors = vec![("polygon", "premium", None), ("finnhub", "premium", Some(tight))];
    let stage = Stage::limited(SESSION, vendors);
    let gateway = stage.open().await;
    let chain = |vendors: &[&'static str]| Policy {
        vendors: vendors.iter().map(|vendor| VendorId(vendor)).collect(),
        ..Policy::default()
    };
    let question = |name: &str| Question::Quotes {
        instruments: vec![gateway.directory().resolve(name, None).unwrap()],
        bid_ask: true,
    };
    for turn in 17..59 {
        ask(&gateway, question(&known(&gateway)[turn]), chain(&["polygon"])).await.unwrap();
        stage.pass(Duration::from_millis(100)).await;
    }
    let limiter = &gateway.find_upstream(VendorId("finnhub")).unwrap().limiter;
    while limiter.headroom(stage.clock.now()) > 0.2 {
        let Ok(mut permit) = limiter
            .take(
                gateway::limiter::Claim {
                    cost: 1.into(),
                    endpoint: "quote",
                    priority: Default::default(),
                    deadline: stage.clock.now() + Duration::from_secs(5),
                    may_wait: true,
                    is_refresh: false,
                    asker: 0,
                    urgency: None,
                },
                &*stage.clock,
                &*stage.store,
                &|_| {},
            )
            .await
        else {
            break;
        };
        permit.sent();
    }
    let asked = stage.asked("finnhub");
    // Late by four times its p95, but sooner than anyone's patience ends.
    stage.fails("polygon", Fault::Slow(Duration::from_millis(150)), Duration::from_secs(60));
    ask(&gateway, question(&known(&gateway)[59]), chain(&["polygon", "finnhub"])).await.unwrap();
    assert_eq!(stage.asked("finnhub"), asked);
}

#[tokio::test(start_paused = true)]
async fn the_losers_answer_is_kept_as_evidence() {
    let stage = Stage::new(SESSION, &VENDORS[..2]);
    let gateway = stage.open().await;
    stage.fails("polygon", Fault::Slow(Duration::from_millis(900)), Duration::from_secs(60));
    let id = gateway.directory().resolve("AAPL", None).unwrap();
    let policy = Policy { vendors: vec![VendorId("polygon"), VendorId("finnhub")], ..Policy::default() };
    let question = Question::Quotes { instruments: vec![id.clone()], bid_ask: true };
    let served = ask(&gateway, question, policy).await.unwrap();
    assert_eq!(served.answer.vendor(), Some(VendorId("finnhub")));
    assert!(!gateway.voices_about(&id).iter().any(|voice| voice.vendor == VendorId("polygon")));
    stage.pass(Duration::from_secs(1)).await;
    assert!(gateway.voices_about(&id).iter().any(|voice| voice.vendor == VendorId("polygon")));
}

#[tokio::test(start_paused = true)]
async fn an_impatient_caller_harms_no_vendor() {
    let stage = Stage::new(SESSION, &VENDORS[..1]);
    let gateway = stage.open().await;
    for name in known(&gateway) {
        let id = gateway.directory().resolve(&name, None).unwrap();
        let hasty = Policy { deadline: Some(Duration::from_millis(1)), ..Policy::default() };
        let question = Question::Quotes { instruments: vec![id], bid_ask: true };
        let refused = ask(&gateway, question, hasty).await.unwrap_err();
        // Beyond those that the vendor takes at once there is no place in time.
        assert!(matches!(refused.why, Why::Deadline | Why::NoHealthyVendor { .. }), "{:?}", refused.why);
    }
    stage.pass(Duration::from_secs(10)).await;
    let upstream = gateway.find_upstream(VendorId("polygon")).unwrap();
    assert_eq!(upstream.breaker.lock().state().as_str(), "closed");
    assert_eq!(upstream.health.lock().error_count(stage.clock.now()), 0);
    assert_eq!(upstream.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_vendor_everyone_gave_up_is_asked_all_the_same_where_it_is_the_last() {
    // RTE-12: losing one's place is not being ejected.
    let stage = Stage::new(SESSION, &VENDORS[..1]);
    let gateway = stage.open().await;
    let upstream = gateway.find_upstream(VendorId("polygon")).unwrap();
    let now = stage.clock.now();
    for _ in 0..30 {
        upstream.hedge.lock().started(now);
        let _ = upstream.hedge.lock().try_hedge(now);
    }
    assert!(upstream.hedge.lock().needs_demotion(now));
    assert!(quote(&gateway, "AAPL").await.is_ok());
}
