//! RTE-4, RTE-11, SCH-5, BRK-8, CCH-5: one caller's terms are not another's. Each found by a trial.

use gateway::StaleAllowance;
use quality::Letter;

use super::*;

async fn ask_for(gateway: Arc<Gateway>, symbol: &'static str, policy: Policy) -> Result<Served, Unanswered> {
    let id = gateway.directory().resolve(symbol, None).unwrap();
    ask(&gateway, Question::Quotes { instruments: vec![id], bid_ask: false }, policy).await
}

#[tokio::test(start_paused = true)]
async fn who_joins_a_flight_keeps_the_own_deadline() {
    let stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let gateway = stage.open().await;
    stage.fails("polygon", Fault::Hang, Duration::from_secs(60));
    let patient = Policy { deadline: Some(Duration::from_secs(20)), ..Policy::default() };
    let first = tokio::spawn(ask_for(Arc::clone(&gateway), "AAPL", patient));
    stage.pass(Duration::from_millis(100)).await;
    let began = stage.clock.now();
    let hurried = Policy { deadline: Some(Duration::from_millis(400)), ..Policy::default() };
    let unanswered = ask_for(Arc::clone(&gateway), "AAPL", hurried).await.unwrap_err();
    assert!(matches!(unanswered.why, Why::Deadline), "{unanswered}");
    assert!(stage.clock.now().since(began) <= Duration::from_millis(410));
    assert!(first.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_flight_that_ends_early_for_one_caller_does_not_end_for_another() {
    let stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let gateway = stage.open().await;
    stage.fails("polygon", Fault::Slow(Duration::from_millis(300)), Duration::from_secs(60));
    let hurried = Policy { deadline: Some(Duration::from_millis(50)), ..Policy::default() };
    let first = tokio::spawn(ask_for(Arc::clone(&gateway), "AAPL", hurried));
    stage.pass(Duration::from_millis(10)).await;
    assert!(ask_for(Arc::clone(&gateway), "AAPL", Policy::default()).await.is_ok());
    assert!(first.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_less_is_not_refused_with_who_asks_for_more() {
    let stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let gateway = stage.open().await;
    let strict = Policy { min_grade: Some(Letter::A), ..Policy::default() };
    let (more, less) = tokio::join!(
        ask_for(Arc::clone(&gateway), "AAPL", strict),
        ask_for(Arc::clone(&gateway), "AAPL", Policy::default())
    );
    assert!(matches!(more.unwrap_err().why, Why::ConstraintUnmet { .. }));
    assert!(less.is_ok());
}

#[tokio::test(start_paused = true)]
async fn callers_in_a_hurry_do_not_make_a_vendor_look_dead() {
    let stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let gateway = stage.open().await;
    let hurried = Policy { deadline: Some(Duration::from_millis(5)), ..Policy::default() };
    for symbol in ["AAPL", "MSFT", "NVDA", "AMZN", "INTC", "IBM", "KO", "JPM"] {
        assert!(ask_for(Arc::clone(&gateway), symbol, hurried.clone()).await.is_err());
    }
    assert!(ask_for(Arc::clone(&gateway), "AAPL", Policy::default()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_for_want_of_another_is_no_older_than_the_caller_accepts() {
    let stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let gateway = stage.open().await;
    let first = ask_for(Arc::clone(&gateway), "AAPL", Policy::default()).await.unwrap();
    let until = first.answer.fresh_until + Duration::from_millis(500);
    stage.clock.sleep_until(until).await;
    let age = first.answer.event_time.map(|at| stage.clock.now().since(at)).unwrap();
    stage.fails("polygon", Fault::Hang, Duration::from_secs(60));
    let policy = Policy {
        max_age: Some(age + Duration::from_secs(1)),
        stale: StaleAllowance::IfError,
        ..Policy::default()
    };
    // It fits when the question is asked, and not any more when everybody has been waited for.
    let answered = ask_for(Arc::clone(&gateway), "AAPL", policy).await;
    assert!(answered.is_err(), "{:?}", answered.map(|served| served.age()));
}

#[tokio::test(start_paused = true)]
async fn a_consensus_does_not_wait_for_a_late_voter_until_time_is_over() {
    let vendors = [("polygon", "premium"), ("finnhub", "premium"), ("twelve_data", "grow")];
    let stage = Stage::new(SESSION, &vendors);
    let gateway = stage.open().await;
    stage.fails("twelve_data", Fault::Hang, Duration::from_secs(60));
    let began = stage.clock.now();
    let policy = Policy { strategy: Some(Strategy::Consensus), ..Policy::default() };
    let served = ask_for(Arc::clone(&gateway), "AAPL", policy).await.unwrap();
    assert_eq!(served.cache, CacheState::Miss);
    assert!(stage.clock.now().since(began) <= Duration::from_millis(600));
}

#[tokio::test(start_paused = true)]
async fn two_silent_vendors_are_not_waited_for_while_a_third_answers() {
    let vendors = [("polygon", "premium"), ("finnhub", "premium"), ("twelve_data", "grow")];
    let stage = Stage::new(SESSION, &vendors);
    let gateway = stage.open().await;
    stage.fails("polygon", Fault::Hang, Duration::from_secs(60));
    stage.fails("finnhub", Fault::Hang, Duration::from_secs(60));
    let policy = Policy { vendors: vendors.map(|(id, _)| VendorId(id)).to_vec(), ..Policy::default() };
    let served = ask_for(Arc::clone(&gateway), "AAPL", policy).await.unwrap();
    assert_eq!(served.answer.vendor(), Some(VendorId("twelve_data")));
}
