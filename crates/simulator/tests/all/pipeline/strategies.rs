//! RTE-2: strategies by what they do over many questions, by what was measured. Shares by weight and headroom are
//! proven where they are computed, in the router.

use std::collections::BTreeMap;

use super::*;

const NAMES: [&str; 12] =
    ["AAPL", "MSFT", "NVDA", "AMZN", "INTC", "IBM", "KO", "JPM", "V", "WMT", "TSLA", "GOOGL"];

/// Who answered how many of so many questions.
async fn shares(
    stage: &Stage,
    gateway: &Arc<Gateway>,
    strategy: Option<Strategy>,
    questions: usize,
) -> BTreeMap<&'static str, usize> {
    let mut answered = BTreeMap::new();
    for turn in 0..questions {
        let id = gateway.directory().resolve(NAMES[turn % NAMES.len()], None).unwrap();
        let policy = Policy { strategy, ..Policy::default() };
        let question = Question::Quotes { instruments: vec![id], bid_ask: true };
        if let Ok(served) = ask(gateway, question, policy).await {
            *answered.entry(served.answer.vendor().unwrap().as_str()).or_default() += 1;
        }
        stage.pass(Duration::from_millis(400)).await;
    }
    answered
}

fn most(shares: &BTreeMap<&'static str, usize>) -> &'static str {
    shares.iter().max_by_key(|(_, count)| **count).map(|(vendor, _)| *vendor).unwrap()
}

const TWO: [(&str, &str); 2] = [("polygon", "premium"), ("finnhub", "premium")];

#[tokio::test(start_paused = true)]
async fn fastest_asks_whoever_measured_fastest_and_notices_a_change() {
    let stage = Stage::new(SESSION, &TWO);
    let gateway = stage.open().await;
    stage.fails("polygon", Fault::Slow(Duration::from_millis(120)), Duration::from_secs(3_600));
    shares(&stage, &gateway, None, 60).await;
    assert_eq!(most(&shares(&stage, &gateway, Some(Strategy::Fastest), 100).await), "finnhub");
    stage.world.faults.end(VendorId("polygon"));
    stage.fails("finnhub", Fault::Slow(Duration::from_millis(300)), Duration::from_secs(3_600));
    shares(&stage, &gateway, Some(Strategy::Fastest), 150).await;
    assert_eq!(most(&shares(&stage, &gateway, Some(Strategy::Fastest), 100).await), "polygon");
}

#[tokio::test(start_paused = true)]
async fn cheapest_asks_whoever_costs_least_per_question() {
    let mut stage = Stage::new(SESSION, &TWO);
    stage.tune = |settings| {
        settings.plan.request_micros = if settings.vendor() == VendorId("polygon") { 900 } else { 100 };
    };
    let gateway = stage.open().await;
    let shares = shares(&stage, &gateway, Some(Strategy::Cheapest), 100).await;
    assert_eq!(shares, BTreeMap::from([("finnhub", 100)]));
}

#[tokio::test(start_paused = true)]
async fn priority_asks_the_primary_and_the_next_only_while_it_fails() {
    let mut stage =
        Stage::new(SESSION, &[("polygon", "premium"), ("finnhub", "premium"), ("twelve_data", "grow")]);
    stage.tune = |settings| {
        settings.priority = match settings.vendor().as_str() {
            "twelve_data" => 1,
            "finnhub" => 2,
            _ => 3,
        };
    };
    let gateway = stage.open().await;
    let ask = async |count| shares(&stage, &gateway, Some(Strategy::Priority), count).await;
    assert_eq!(ask(100).await, BTreeMap::from([("twelve_data", 100)]));
    stage.fails("twelve_data", Fault::Outage, Duration::from_secs(60));
    let during = ask(100).await;
    assert!(
        during["finnhub"] >= 88 && !during.contains_key("polygon"),
        "the rest was fresh in memory: {during:?}"
    );
    stage.pass(Duration::from_secs(120)).await;
    let later = ask(300).await;
    assert!(later["twelve_data"] > 250, "it has its place back: {later:?}");
    assert!(!later.contains_key("polygon"));
}

#[tokio::test(start_paused = true)]
async fn consensus_hears_three_and_a_lie_never_wins() {
    let stage =
        Stage::new(SESSION, &[("polygon", "premium"), ("finnhub", "premium"), ("twelve_data", "grow")]);
    let gateway = stage.open().await;
    stage.fails("finnhub", Fault::Wrong(1.04), Duration::from_secs(600));
    let shares = shares(&stage, &gateway, Some(Strategy::Consensus), 50).await;
    assert!(!shares.contains_key("finnhub"), "{shares:?}");
    for vendor in ["polygon", "finnhub", "twelve_data"] {
        assert!(stage.asked(vendor) >= 50, "{vendor} was heard {} times", stage.asked(vendor));
    }
}
