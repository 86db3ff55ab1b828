//! Who waits for a vendor, how many at once, and what goes together: SCH-1 to SCH-6, LIM-3, RTY-3.

use futures_util::future::join_all;
use gateway::request::Priority;
use gateway::settings::{BatchMode, Schedule};

use super::*;

fn policy(priority: Priority) -> Policy {
    Policy { priority, ..Policy::default() }
}

async fn quote_with(gateway: &Arc<Gateway>, symbol: &str, policy: Policy) -> Result<Served, Unanswered> {
    let id = gateway.directory().resolve(symbol, None).unwrap();
    ask(gateway, Question::Quotes { instruments: vec![id], bid_ask: false }, policy).await
}

async fn quote(gateway: &Arc<Gateway>, symbol: &str) -> Result<Served, Unanswered> {
    quote_with(gateway, symbol, Policy::default()).await
}

/// Names of so many instruments that American vendors know.
fn names(gateway: &Gateway, count: usize) -> Vec<String> {
    let directory = gateway.directory();
    let all = directory.instruments().map(|i| i.id.to_string()).filter(|name| name.contains(".XN"));
    let names: Vec<String> = all.take(count).collect();
    assert_eq!(names.len(), count);
    names
}

fn upstream<'a>(gateway: &'a Gateway, vendor: &'static str) -> &'a gateway::upstream::Upstream {
    gateway.find_upstream(VendorId(vendor)).unwrap()
}

/// A vendor that takes 200 ms, without limits.
fn slow_stage() -> Stage {
    let stage = Stage::limited(SESSION, vec![("finnhub", "premium", Some(Vec::new()))]);
    stage.fails("finnhub", Fault::Slow(Duration::from_millis(200)), Duration::from_secs(86_400));
    stage
}

#[tokio::test(start_paused = true)]
async fn ten_slow_calls_run_together_and_the_eleventh_waits_for_a_place() {
    // SCH-3: never one by one.
    let stage = slow_stage();
    let gateway = stage.open().await;
    let all = names(&gateway, 30);
    let start = stage.clock.now();
    let answers = join_all(all[..10].iter().map(|name| quote(&gateway, name))).await;
    assert!(answers.iter().all(Result::is_ok));
    let took = stage.clock.now().since(start);
    assert!(took < Duration::from_millis(300), "{took:?}");
    let start = stage.clock.now();
    let answers = join_all(all[10..].iter().map(|name| quote(&gateway, name))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let took = stage.clock.now().since(start);
    assert!(took > Duration::from_millis(400) && took < Duration::from_millis(600), "{took:?}");
    let line = upstream(&gateway, "finnhub").limiter.line(stage.clock.now());
    assert_eq!((line.depth, line.in_flight, line.statistics.waited), (0, 0, 10));
    assert!(line.wait_p95.is_some_and(|wait| wait > Duration::from_millis(150)), "{line:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_vendor_does_not_hold_up_the_others() {
    // SCH-3: never one slow vendor holding every connection.
    let stage = Stage::limited(
        SESSION,
        vec![("finnhub", "premium", Some(Vec::new())), ("polygon", "premium", Some(Vec::new()))],
    );
    stage.fails("finnhub", Fault::Hang, Duration::from_secs(3_600));
    let gateway = stage.open().await;
    let chain = |vendor| Policy { vendors: vec![VendorId(vendor)], ..Policy::default() };
    let all = names(&gateway, 25);
    let hanging = all[..20].iter().map(|name| {
        let (gateway, name) = (gateway.clone(), name.clone());
        tokio::spawn(async move { quote_with(&gateway, &name, chain("finnhub")).await.is_ok() })
    });
    let hanging: Vec<_> = hanging.collect();
    stage.pass(Duration::from_millis(100)).await;
    let start = stage.clock.now();
    let answers = join_all(all[20..].iter().map(|name| quote_with(&gateway, name, chain("polygon")))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert!(stage.clock.now().since(start) < Duration::from_millis(200));
    for one in hanging {
        assert!(!one.await.unwrap());
    }
    // A call goes on for as long as its vendor may take, whoever waits. Then what hung has left no place taken,
    // and made no more calls than may be in flight.
    stage.pass(Duration::from_secs(10)).await;
    let line = upstream(&gateway, "finnhub").limiter.line(stage.clock.now());
    assert_eq!((line.in_flight, line.depth), (0, 0));
    assert!(stage.asked("finnhub") <= 10, "{}", stage.asked("finnhub"));
    assert!(line.in_flight_limit < 10, "lost replies lower the limit: {line:?}");
}

#[tokio::test(start_paused = true)]
async fn who_matters_more_goes_first_and_batch_work_goes_all_the_same() {
    // SCH-1: never low classes starving, never critical starving all.
    let mut stage = slow_stage();
    stage.schedule = Schedule { in_flight: 1, ..Schedule::default() };
    let gateway = stage.open().await;
    let all = names(&gateway, 60);
    let mut asked = Vec::new();
    for (turn, name) in all.iter().enumerate() {
        let priority = if turn % 2 == 0 { Priority::Batch } else { Priority::Critical };
        let deadline = Some(Duration::from_secs(30));
        let policy = Policy { priority, deadline, ..Policy::default() };
        let (gateway, name) = (gateway.clone(), name.clone());
        asked.push(tokio::spawn(async move {
            quote_with(&gateway, &name, policy).await.unwrap();
            (gateway.now(), priority)
        }));
    }
    let mut ends: Vec<_> = join_all(asked).await.into_iter().map(Result::unwrap).collect();
    ends.sort();
    let half = &ends[..30];
    let critical = half.iter().filter(|(_, priority)| *priority == Priority::Critical).count();
    assert!(critical >= 26, "{critical} of the first half");
    assert!(critical < 30, "batch work had its turn as well: {half:?}");
}

#[tokio::test(start_paused = true)]
async fn work_that_cannot_be_in_time_is_refused_at_once_and_no_quota_is_spent_on_it() {
    // SCH-2: never quota spent on an answer nobody awaits.
    let mut stage = slow_stage();
    stage.schedule = Schedule { in_flight: 1, ..Schedule::default() };
    let gateway = stage.open().await;
    let all = names(&gateway, 60);
    for name in &all[..6] {
        quote(&gateway, name).await.unwrap();
    }
    // Two seconds hold at most ten calls of 200 ms, one after the other.
    let before = stage.asked("finnhub");
    let start = stage.clock.now();
    let answers = join_all(all[6..46].iter().map(|name| async {
        let answer = quote(&gateway, name).await;
        (answer.is_ok(), stage.clock.now().since(start))
    }))
    .await;
    let good = answers.iter().filter(|(ok, _)| *ok).count();
    assert!((8..=10).contains(&good), "{good}");
    assert_eq!(stage.asked("finnhub") - before, good, "each call made was an answer given");
    let refused: Vec<Duration> = answers.iter().filter(|(ok, _)| !ok).map(|(_, at)| *at).collect();
    assert!(refused.iter().filter(|at| **at < Duration::from_millis(10)).count() >= 20, "{refused:?}");
    let line = upstream(&gateway, "finnhub").limiter.line(stage.clock.now());
    assert!(line.refused.iter().any(|(why, count)| *why == "too_late" && *count > 20), "{line:?}");
    // The record names the reason.
    let late = Policy { deadline: Some(Duration::from_millis(50)), ..Policy::default() };
    let busy = tokio::spawn({
        let (gateway, name) = (gateway.clone(), all[50].clone());
        async move { quote(&gateway, &name).await.is_ok() }
    });
    stage.pass(Duration::from_millis(10)).await;
    let refused = quote_with(&gateway, &all[51], late).await.unwrap_err();
    let notes = refused.decision.notes.join("; ");
    assert!(notes.contains("too_late") || notes.contains("busy"), "{notes}");
    assert!(matches!(refused.why, Why::NoHealthyVendor { retry_at: Some(_) }), "{:?}", refused.why);
    assert!(busy.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_full_refuses_the_next_and_the_next_vendor_is_tried() {
    // SCH-2: a bounded queue per vendor.
    let mut stage = Stage::limited(
        SESSION,
        vec![("finnhub", "premium", Some(Vec::new())), ("twelve_data", "grow", Some(Vec::new()))],
    );
    stage.schedule = Schedule { in_flight: 1, longest_line: 2, ..Schedule::default() };
    stage.fails("finnhub", Fault::Slow(Duration::from_millis(400)), Duration::from_secs(86_400));
    let gateway = stage.open().await;
    let all = names(&gateway, 12);
    let alone = || Policy { vendors: vec![VendorId("finnhub")], ..Policy::default() };
    let answers = join_all(all[..8].iter().map(|name| quote_with(&gateway, name, alone()))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3, "one in flight, two in line");
    let chain =
        || Policy { vendors: vec![VendorId("finnhub"), VendorId("twelve_data")], ..Policy::default() };
    let answers = join_all(all[8..].iter().map(|name| quote_with(&gateway, name, chain()))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert!(stage.asked("twelve_data") >= 1);
}

#[tokio::test(start_paused = true)]
async fn while_a_vendor_is_busy_the_next_one_is_asked_at_once() {
    // RTE-12: our own limit of one vendor leads to the next.
    let mut stage = Stage::limited(
        SESSION,
        vec![("finnhub", "premium", Some(Vec::new())), ("twelve_data", "grow", Some(Vec::new()))],
    );
    stage.schedule = Schedule { in_flight: 1, ..Schedule::default() };
    stage.fails("finnhub", Fault::Slow(Duration::from_millis(400)), Duration::from_secs(86_400));
    let gateway = stage.open().await;
    let chain =
        || Policy { vendors: vec![VendorId("finnhub"), VendorId("twelve_data")], ..Policy::default() };
    let busy = tokio::spawn({
        let gateway = gateway.clone();
        async move { quote_with(&gateway, "AAPL", chain()).await.is_ok() }
    });
    stage.pass(Duration::from_millis(10)).await;
    let start = stage.clock.now();
    let served = quote_with(&gateway, "MSFT", chain()).await.unwrap();
    assert_eq!(served.answer.vendor(), Some(VendorId("twelve_data")));
    assert!(stage.clock.now().since(start) < Duration::from_millis(100));
    assert!(served.answer.decision.notes.iter().any(|note| note.contains("(busy)")));
    assert!(busy.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_the_line_gives_its_place_back() {
    // LIM-3: never a cancelled waiter keeping its permit.
    let five = vec![Limit { count: 5, per: Per::Sliding(Duration::from_secs(60)) }];
    let stage = Stage::limited(SESSION, vec![("finnhub", "premium", Some(five))]);
    let gateway = stage.open().await;
    let limiter = &upstream(&gateway, "finnhub").limiter;
    let claim = |may_wait, secs| gateway::limiter::Claim {
        cost: 1.into(),
        endpoint: "quote",
        priority: Priority::Normal,
        deadline: stage.clock.now() + Duration::from_secs(secs),
        may_wait,
        is_refresh: false,
        asker: secs,
        urgency: None,
    };
    let take = |claim| limiter.take(claim, &*stage.clock, &*stage.store, &|_| {});
    let start = stage.clock.now();
    for _ in 0..5 {
        take(claim(true, 200)).await.expect("there is time").sent();
    }
    // Five waiters; the first three leave in the middle of it.
    let (mut leaving, mut staying) = (Vec::new(), Vec::new());
    for n in 0..5 {
        let waits = Box::pin(take(claim(true, 300 + n)));
        if n < 3 { leaving.push(waits) } else { staying.push(waits) }
    }
    tokio::select! {
        biased;
        _ = join_all(leaving.iter_mut().chain(&mut staying)) => panic!("none of them can have its permit yet"),
        () = stage.pass(Duration::from_millis(100)) => {}
    }
    assert_eq!(limiter.line(stage.clock.now()).depth, 5);
    drop(leaving);
    assert_eq!(limiter.line(stage.clock.now()).depth, 2);
    let first = staying.remove(0).await.expect("it is first now");
    // The window frees its first permit 60 s after it was sent, and a little margin; not a moment of polling.
    let woken = stage.clock.now().since(start);
    assert!(woken >= Duration::from_secs(60) && woken < Duration::from_millis(60_300), "{woken:?}");
    // A permit that is not sent goes back, and the next one has it at once.
    drop(first);
    let at = stage.clock.now();
    staying.remove(0).await.expect("it is free again").sent();
    assert!(stage.clock.now().since(at) < Duration::from_millis(10));
    let line = limiter.line(stage.clock.now());
    assert_eq!((line.depth, line.in_flight), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn fifty_symbols_asked_for_together_are_one_call_and_each_gets_its_own() {
    // SCH-4, SCH-6: never a batch key that holds the symbol, never results thrown away.
    for mode in BatchMode::ALL {
        let mut stage = Stage::limited(SESSION, vec![("polygon", "premium", Some(Vec::new()))]);
        stage.schedule.batching.mode = mode;
        let gateway = stage.open().await;
        let all = names(&gateway, 50);
        let start = stage.clock.now();
        let fast = Policy { deadline: Some(Duration::from_secs(3)), ..Policy::default() };
        let answers = join_all(all.iter().map(|name| quote_with(&gateway, name, fast.clone()))).await;
        for (name, served) in all.iter().zip(&answers) {
            let served = served.as_ref().unwrap_or_else(|error| panic!("{mode:?} {name}: {error:?}"));
            assert_eq!(served.answer.instrument().unwrap().to_string(), *name);
            let truth = stage.world.market.quote(served.answer.instrument().unwrap(), stage.clock.now());
            assert!(truth.is_some());
            assert_eq!(served.attempts().len(), 1, "{mode:?} {name}: it says how it was asked");
        }
        assert!(stage.asked("polygon") <= 2, "{mode:?}: {}", stage.asked("polygon"));
        let took = stage.clock.now().since(start);
        let most = if mode == BatchMode::Size { 1_100 } else { 100 };
        assert!(took < Duration::from_millis(most), "{mode:?}: {took:?}");
        // The call stands once on record, though fifty requests had a part in it.
        assert_eq!(gateway.attempts().len(), stage.asked("polygon"), "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_vendor_that_takes_several_symbols_answers_a_batch_with_an_unknown_one_in_it() {
    // SCH-4: never one bad symbol failing its batch.
    for codec in vendors::ALL {
        let profile = codec.profile();
        if profile.quote_batch() < 2 {
            continue;
        }
        let id = profile.id.as_str();
        let stage = Stage::limited(SESSION, vec![(id, "default", Some(Vec::new()))]);
        let gateway = stage.open().await;
        let mut all = names(&gateway, 7);
        all.push("ZZQXW".to_owned());
        let answers = join_all(all.iter().map(|name| quote(&gateway, name))).await;
        for (name, answer) in all.iter().zip(&answers) {
            match answer {
                Ok(_) => assert_ne!(name, "ZZQXW", "{id}"),
                Err(error) => {
                    assert_eq!(name, "ZZQXW", "{id}: {error:?}");
                    // A plan that serves the day before only has no data of it, and says no more.
                    let is_honest = matches!(error.why, Why::UnknownSymbol | Why::NoHealthyVendor { .. });
                    assert!(is_honest, "{id}: {:?}", error.why);
                }
            }
        }
        assert!(stage.asked(id) < 8 + 3, "{id}: {}", stage.asked(id));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lone_question_and_a_critical_one_are_asked_without_a_wait() {
    // SCH-4: critical never lingers.
    let mut stage = Stage::limited(SESSION, vec![("polygon", "premium", Some(Vec::new()))]);
    stage.schedule.batching.linger = (Duration::from_millis(500), Duration::from_millis(500));
    stage.schedule.batching.mode = BatchMode::Time;
    let gateway = stage.open().await;
    let all = names(&gateway, 8);
    let start = stage.clock.now();
    quote(&gateway, &all[0]).await.unwrap();
    assert!(stage.clock.now().since(start) < Duration::from_millis(150));
    let start = stage.clock.now();
    let answers =
        join_all(all[1..6].iter().map(|n| quote_with(&gateway, n, policy(Priority::Critical)))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert!(stage.clock.now().since(start) < Duration::from_millis(150));
    assert_eq!(stage.asked("polygon"), 6);
    let start = stage.clock.now();
    join_all(all[6..].iter().map(|name| quote(&gateway, name))).await;
    assert!(stage.clock.now().since(start) >= Duration::from_millis(400), "the others do linger");
}

#[tokio::test(start_paused = true)]
async fn batch_work_waits_a_second_for_company() {
    // SCH-4.
    let stage = Stage::limited(SESSION, vec![("polygon", "premium", Some(Vec::new()))]);
    let gateway = stage.open().await;
    let all = names(&gateway, 20);
    let mut asked = Vec::new();
    for name in all {
        let gateway = gateway.clone();
        asked.push(tokio::spawn(async move {
            quote_with(&gateway, &name, policy(Priority::Batch)).await.is_ok()
        }));
        stage.pass(Duration::from_millis(30)).await;
    }
    assert!(join_all(asked).await.into_iter().all(Result::unwrap));
    assert_eq!(stage.asked("polygon"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_low_flight_that_a_critical_caller_joins_goes_as_a_critical_one() {
    // SCH-5: the highest priority of its members, also while it waits.
    let mut stage = slow_stage();
    stage.schedule = Schedule { in_flight: 1, ..Schedule::default() };
    let gateway = stage.open().await;
    let all = names(&gateway, 12);
    let long = |priority| Policy { priority, deadline: Some(Duration::from_secs(20)), ..Policy::default() };
    let ask_one = |name: &str, priority| {
        let (gateway, name) = (gateway.clone(), name.to_owned());
        let policy = long(priority);
        tokio::spawn(async move {
            quote_with(&gateway, &name, policy).await.unwrap();
            gateway.now()
        })
    };
    let others: Vec<_> = all[..10].iter().map(|name| ask_one(name, Priority::High)).collect();
    stage.pass(Duration::from_millis(10)).await;
    let low = ask_one(&all[11], Priority::Low);
    stage.pass(Duration::from_millis(50)).await;
    let joined = ask_one(&all[11], Priority::Critical);
    let (low, joined) = (low.await.unwrap(), joined.await.unwrap());
    let others: Vec<Instant> = join_all(others).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(low, joined);
    let before = others.iter().filter(|at| **at < low).count();
    assert!(before <= 3, "{before} of ten went first");
}

#[tokio::test(start_paused = true)]
async fn a_follower_with_more_time_than_its_leader_still_gets_an_answer() {
    // SCH-5: never a follower without an answer.
    let stage = slow_stage();
    let gateway = stage.open().await;
    let by = |ms| Policy { deadline: Some(Duration::from_millis(ms)), ..Policy::default() };
    let (leader, patient, hasty) = tokio::join!(
        quote_with(&gateway, "AAPL", by(100)),
        quote_with(&gateway, "AAPL", by(2_000)),
        quote_with(&gateway, "AAPL", by(50)),
    );
    assert!(leader.is_err());
    assert!(matches!(hasty.unwrap_err().why, Why::Deadline));
    assert!(patient.is_ok(), "{patient:?}");
}

#[tokio::test(start_paused = true)]
async fn one_big_request_does_not_keep_a_small_one_waiting() {
    // SCH-6: never the first big subscription starving all others.
    let mut stage = slow_stage();
    stage.schedule = Schedule { in_flight: 2, ..Schedule::default() };
    let gateway = stage.open().await;
    let all = names(&gateway, 60);
    let policy = Policy { deadline: Some(Duration::from_secs(20)), ..Policy::default() };
    let big = all[..50].iter().enumerate().map(|(part, name)| {
        let (gateway, policy) = (gateway.clone(), policy.clone());
        let instrument = gateway.directory().resolve(name, None).unwrap();
        tokio::spawn(async move {
            let question = Question::Quotes { instruments: vec![instrument], bid_ask: false };
            let id = gateway::RequestId(format!("big.{part}").into());
            let request = Request { id, question, policy, received_at: gateway.now() };
            gateway.answer(&request).await.unwrap();
            gateway.now()
        })
    });
    let big: Vec<_> = big.collect();
    stage.pass(Duration::from_millis(50)).await;
    let start = stage.clock.now();
    quote_with(&gateway, &all[55], policy).await.unwrap();
    let small = stage.clock.now().since(start);
    assert!(small < Duration::from_millis(900), "{small:?}");
    let last = join_all(big).await.into_iter().map(Result::unwrap).max().unwrap();
    assert!(last.since(start) > Duration::from_secs(4), "all of the big one took its time");
}

#[tokio::test(start_paused = true)]
async fn an_interactive_request_leaves_a_vendor_that_says_429_and_background_work_waits_for_it() {
    // RTY-3: never 2 + 4 + 8 s inside a price request.
    let stage = Stage::new(SESSION, &[("finnhub", "premium"), ("twelve_data", "grow")]);
    let gateway = stage.open().await;
    let chain = |priority| Policy {
        vendors: vec![VendorId("finnhub"), VendorId("twelve_data")],
        priority,
        ..Policy::default()
    };
    stage.fails("finnhub", Fault::TooManyRequests, Duration::from_millis(500));
    let start = stage.clock.now();
    let served = quote_with(&gateway, "AAPL", chain(Priority::Normal)).await.unwrap();
    assert_eq!(served.answer.vendor(), Some(VendorId("twelve_data")));
    assert!(stage.clock.now().since(start) < Duration::from_millis(200));
    stage.pass(Duration::from_secs(600)).await;
    stage.fails("finnhub", Fault::TooManyRequests, Duration::from_millis(800));
    let start = stage.clock.now();
    let served = quote_with(&gateway, "MSFT", chain(Priority::Batch)).await.unwrap();
    let took = stage.clock.now().since(start);
    assert_eq!(served.answer.vendor(), Some(VendorId("finnhub")), "{:?}", served.answer.decision);
    assert!(took > Duration::from_secs(1) && took < Duration::from_secs(30), "{took:?}");
    assert_eq!(stage.asked("twelve_data"), 1);
}
