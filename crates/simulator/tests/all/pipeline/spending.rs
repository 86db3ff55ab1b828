//! Money over the real pipeline: CST-1 to CST-6, each *never* among them.

use gateway::answer::Whose;
use gateway::ledger::Spend;
use gateway::settings::Spending;
use gateway::{Priority, Skipped};
use resilience::budget::Limits;
use vendors::ObjectKind;
use vendors::price::Unit;

use super::*;

const OPEN: &str = "2026-11-18T15:30:00Z";
const SYMBOLS: [&str; 12] =
    ["AAPL", "MSFT", "NVDA", "AMZN", "INTC", "IBM", "KO", "JPM", "V", "WMT", "NFLX", "NKE"];

/// Three tenths of a cent a call.
const CALL: u64 = 3_000;

fn polygon(limits: Limits) -> Spending {
    Spending { vendors: vec![(VendorId("polygon"), limits)], ..Spending::default() }
}

fn calls(count: u64) -> Limits {
    Limits { day: count * CALL, month: count * CALL }
}

async fn with_priority(
    gateway: &Arc<Gateway>,
    symbol: &str,
    priority: Priority,
) -> Result<Served, Unanswered> {
    let id = gateway.directory().resolve(symbol, None).unwrap();
    let question = Question::Quotes { instruments: vec![id], bid_ask: true };
    ask(gateway, question, Policy { priority, ..Policy::default() }).await
}

fn budget_skip(unanswered: &Unanswered) -> Option<Skipped> {
    let skipped = unanswered.decision.candidates.iter().filter_map(|candidate| candidate.skipped.clone());
    skipped.into_iter().find(|skipped| matches!(skipped, Skipped::Budget { .. }))
}

async fn ledger(gateway: &Gateway) -> Vec<Spend> {
    let all = Range::new(Instant::EPOCH, Instant::MAX);
    gateway.ledger(all, 0, 1_000).await.unwrap().into_iter().map(|(_, spend)| spend).collect()
}

async fn spent(gateway: &Gateway, vendor: &str) -> u64 {
    let today = gateway.now().utc_date();
    let sums = gateway.ledger_sums(today.first_of_month(), today.tomorrow().unwrap()).await.unwrap();
    sums.iter().filter(|sum| sum.of.vendor.as_str() == vendor).map(|sum| sum.micros).sum()
}

#[tokio::test(start_paused = true)]
async fn a_spent_budget_stops_every_paid_call_and_tells_when_it_starts_anew() {
    // CST-3: not a warning, a stop; not before its end.
    let mut stage = Stage::new(OPEN, &[("polygon", "premium")]);
    stage.spending = polygon(calls(4));
    let gateway = stage.open().await;
    for symbol in &SYMBOLS[..4] {
        let served = quote(&gateway, symbol).await.unwrap();
        assert_eq!(served.answer.decision.cost_micros, CALL);
    }
    for symbol in &SYMBOLS[4..8] {
        let refused = quote(&gateway, symbol).await.unwrap_err();
        let until = Instant::parse("2026-12-01T00:00:00Z").unwrap();
        assert_eq!(budget_skip(&refused), Some(Skipped::Budget { whose: Whose::Vendor, until }));
        assert!(matches!(refused.why, Why::NoHealthyVendor { retry_at: Some(at) } if at == until));
    }
    assert_eq!(stage.asked("polygon"), 4);
    assert_eq!(spent(&gateway, "polygon").await, 4 * CALL);
}

#[tokio::test(start_paused = true)]
async fn calls_in_flight_are_part_of_what_is_spent() {
    let mut stage = Stage::new(OPEN, &[("polygon", "premium")]);
    stage.spending = polygon(calls(5));
    // Each by itself, as a vendor of single symbols would be asked.
    stage.schedule.batching.size = 1;
    let gateway = stage.open().await;
    let asked = SYMBOLS.map(|symbol| {
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move { quote(&gateway, symbol).await.is_ok() })
    });
    let mut answered = 0;
    for asked in asked {
        answered += usize::from(asked.await.unwrap());
    }
    assert_eq!((answered, stage.asked("polygon")), (5, 5));
}

#[tokio::test(start_paused = true)]
async fn free_vendors_go_on_when_the_money_is_spent() {
    let mut stage = Stage::new(OPEN, &[("polygon", "premium"), ("yahoo", "public")]);
    stage.spending = Spending { overall: calls(1), ..Spending::default() };
    let gateway = stage.open().await;
    for symbol in &SYMBOLS[..8] {
        let served = quote(&gateway, symbol).await.unwrap();
        let vendor = served.answer.vendor().unwrap();
        assert!(vendor.as_str() == "yahoo" || served.answer.decision.cost_micros <= CALL);
    }
    assert!(stage.asked("polygon") <= 1, "{}", stage.asked("polygon"));
    assert!(stage.asked("yahoo") >= 7);
}

#[tokio::test(start_paused = true)]
async fn the_budget_of_one_vendor_is_not_held_against_another() {
    let mut stage = Stage::new(OPEN, &[("polygon", "premium"), ("iex_cloud", "individual")]);
    stage.spending = polygon(Limits { day: 0, month: 0 });
    let gateway = stage.open().await;
    for symbol in &SYMBOLS[..4] {
        assert_eq!(quote(&gateway, symbol).await.unwrap().answer.vendor().unwrap().as_str(), "iex_cloud");
    }
    assert_eq!(stage.asked("polygon"), 0);
    assert!(spent(&gateway, "iex_cloud").await > 0);
}

#[tokio::test(start_paused = true)]
async fn background_work_is_stopped_before_those_who_wait() {
    let mut stage = Stage::new(OPEN, &[("polygon", "premium")]);
    stage.spending = polygon(calls(10));
    let gateway = stage.open().await;
    for symbol in &SYMBOLS[..8] {
        assert!(with_priority(&gateway, symbol, Priority::Batch).await.is_ok());
    }
    assert!(with_priority(&gateway, SYMBOLS[8], Priority::Batch).await.is_err());
    assert!(with_priority(&gateway, SYMBOLS[8], Priority::Low).await.is_ok());
    assert!(with_priority(&gateway, SYMBOLS[9], Priority::Low).await.is_err());
    assert!(with_priority(&gateway, SYMBOLS[9], Priority::Normal).await.is_ok());
    assert!(with_priority(&gateway, SYMBOLS[10], Priority::Critical).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn alerts_are_told_once_and_against_their_own_budget() {
    let mut stage = Stage::new(OPEN, &[("polygon", "premium")]);
    stage.spending = polygon(Limits { day: 10 * CALL, month: 1_000 * CALL });
    let gateway = stage.open().await;
    for symbol in SYMBOLS {
        let _ = quote(&gateway, symbol).await;
    }
    let told: Vec<String> = gateway
        .events()
        .iter()
        .filter(|event| event.kind.as_str() == "budget_passed")
        .map(|event| format!("{} {}", event.kind.severity().as_str(), event.kind))
        .collect();
    assert_eq!(
        told,
        [
            "info vendor polygon budget of the day is at 50 %: 0.01 of 0.03 USD spent",
            "warning vendor polygon budget of the day is at 80 %: 0.02 of 0.03 USD spent",
            "critical vendor polygon budget of the day is at 100 %: 0.03 of 0.03 USD spent",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_new_month_starts_with_its_whole_budget() {
    // CST-1: a month resets.
    let mut stage = Stage::new("2026-11-30T20:00:00Z", &[("polygon", "premium")]);
    stage.spending = polygon(calls(2));
    let gateway = stage.open().await;
    for symbol in &SYMBOLS[..2] {
        assert!(quote(&gateway, symbol).await.is_ok());
    }
    assert!(quote(&gateway, SYMBOLS[2]).await.is_err());
    stage.pass(Duration::from_secs(4 * 3_600)).await;
    assert!(quote(&gateway, SYMBOLS[2]).await.is_ok());
    // The ledger keeps what was, without an end.
    assert_eq!(ledger(&gateway).await.iter().map(|spend| spend.micros).sum::<u64>(), 3 * CALL);
}

#[tokio::test(start_paused = true)]
async fn what_was_in_flight_when_the_gateway_was_killed_counts_as_spent() {
    let mut stage = Stage::new(OPEN, &[("polygon", "premium")]);
    stage.spending = polygon(calls(3));
    let gateway = stage.open().await;
    assert!(quote(&gateway, "AAPL").await.is_ok());
    // One call is under way when the process dies: nothing of it is settled.
    stage.fails("polygon", Fault::Hang, Duration::from_secs(60));
    let flying = Arc::clone(&gateway);
    let task = tokio::spawn(async move { quote(&flying, "MSFT").await });
    stage.pass(Duration::from_millis(100)).await;
    assert_eq!(stage.asked("polygon"), 2);
    let reopened = stage.open().await;
    let month = reopened.spending().month_of(VendorId("polygon"), reopened.now());
    assert_eq!((month.calls, month.micros), (2, 2 * CALL));
    let held: Vec<bool> = ledger(&reopened).await.iter().map(|spend| spend.settled).collect();
    assert_eq!(held, [true, false]);
    task.abort();
    stage.world.faults.end(VendorId("polygon"));
    assert!(quote(&reopened, "NVDA").await.is_ok());
    assert!(quote(&reopened, "AMZN").await.is_err(), "a fourth call would be one too many");
}

#[tokio::test(start_paused = true)]
async fn every_exchange_is_in_the_ledger_with_what_it_was_for() {
    let stage = Stage::new(OPEN, &[("polygon", "premium")]);
    let gateway = stage.open().await;
    let served = quote(&gateway, "AAPL").await.unwrap();
    quote(&gateway, "AAPL").await.unwrap();
    let lines = ledger(&gateway).await;
    let [line] = &lines[..] else { panic!("a cached answer costs nothing: {lines:?}") };
    assert_eq!(line.request, served.answer.decision.id);
    assert_eq!(
        (line.of.vendor.as_str(), line.of.endpoint, &*line.of.symbol),
        ("polygon", "bid_ask", "AAPL.XNAS")
    );
    assert_eq!((line.calls, line.units, line.micros, line.settled), (1, 1, CALL, true));
    let sums = gateway.ledger_sums(line.of.date, line.of.date.tomorrow().unwrap()).await.unwrap();
    assert_eq!(
        sums.iter().map(|sum| (sum.calls, sum.micros, sum.useful)).collect::<Vec<_>>(),
        [(1, CALL, 1)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_bills_by_the_piece_bills_each_piece_once_a_day() {
    // CST-2.
    let mut stage = Stage::new(OPEN, &[("finnhub", "premium")]);
    stage.tune = |settings| {
        settings.plan.tariff.unit = Unit::Object;
        settings.plan.tariff.endpoints.clear();
        settings.plan.tariff.objects = vec![(ObjectKind::Article, 5_000)];
    };
    let gateway = stage.open().await;
    let news = |limit| {
        let instrument = gateway.directory().resolve("AAPL", None).unwrap();
        let range = Range::new(gateway.now() - Duration::from_secs(7 * 86_400), gateway.now());
        Question::News { instrument, range, limit }
    };
    let first = ask(&gateway, news(50), Policy::default()).await.unwrap();
    let articles = first.answer.data.rows() as u64;
    assert!(articles > 0);
    assert_eq!(first.answer.decision.cost_micros, articles * 5_000);
    let again = ask(&gateway, news(49), Policy::default()).await.unwrap();
    assert_eq!(again.answer.decision.cost_micros, 0, "the same articles on the same day");
    let lines = ledger(&gateway).await;
    assert_eq!(lines[0].objects, format!("article {articles}"));
    assert_eq!(lines.iter().map(|line| line.micros).collect::<Vec<_>>(), [articles * 5_000, 0]);
    let month = gateway.spending().month_of(VendorId("finnhub"), gateway.now());
    assert_eq!((month.units, month.micros), (articles, articles * 5_000));
    let budgets = gateway.spending().budgets(gateway.now());
    assert_eq!(budgets[0].periods.map(|p| (p.spent, p.in_flight)), [(articles * 5_000, 0); 2]);
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_bounds_objects_a_month_is_kept() {
    let mut stage = Stage::new(OPEN, &[("finnhub", "premium")]);
    stage.tune = |settings| {
        settings.plan.tariff.unit = Unit::Object;
        settings.plan.tariff.objects_a_month = Some(60);
    };
    let gateway = stage.open().await;
    let instrument = gateway.directory().resolve("AAPL", None).unwrap();
    let range = Range::new(gateway.now() - Duration::from_secs(86_400), gateway.now());
    let news = |limit| Question::News { instrument: instrument.clone(), range, limit };
    let refused = ask(&gateway, news(61), Policy::default()).await.unwrap_err();
    assert!(budget_skip(&refused).is_some());
    assert!(ask(&gateway, news(60), Policy::default()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_estimate_tells_before_what_is_known_after_and_spends_nothing() {
    // CST-5.
    let stage = Stage::new(OPEN, &[("polygon", "premium"), ("yahoo", "public")]);
    let gateway = stage.open().await;
    let pinned = || Policy { vendors: vec![VendorId("polygon")], ..Policy::default() };
    let id = gateway.directory().resolve("AAPL", None).unwrap();
    let questions = [
        Question::Quotes { instruments: vec![id], bid_ask: true },
        daily(&gateway, "AAPL", "2026-09-01", "2026-11-01", Adjustment::Raw),
        daily(&gateway, "MSFT", "2026-09-01", "2026-11-01", Adjustment::Split),
    ];
    for question in questions {
        let request = Request {
            id: gateway.new_request_id(),
            question: question.clone(),
            policy: pinned(),
            received_at: gateway.now(),
        };
        let before = (stage.asked("polygon"), spent(&gateway, "polygon").await);
        let estimate = gateway.estimate(&request).await;
        let total = gateway.total(std::slice::from_ref(&estimate), None, Priority::Normal);
        assert_eq!((stage.asked("polygon"), spent(&gateway, "polygon").await), before, "an estimate is free");
        let served = ask(&gateway, question.clone(), pinned()).await.unwrap();
        let made = &served.answer.decision;
        assert_eq!(total.calls, made.attempts.len() as u64, "{question:?}: {:?}", made.attempts);
        assert_eq!(total.micros, made.cost_micros);
        assert_eq!(total.rows, served.answer.data.rows() as u64);
        assert_eq!(total.quota["polygon.minute"], made.attempts.len() as u64);
        let again = gateway.estimate(&request).await;
        assert!(again.offers.is_empty() && again.source != CacheState::Miss, "memory or store has it now");
    }
}

#[tokio::test(start_paused = true)]
async fn an_estimate_of_many_calls_tells_how_long_the_quota_takes() {
    let stage = Stage::new(OPEN, &[("polygon", "free")]);
    let gateway = stage.open().await;
    let mut estimates = Vec::new();
    for symbol in SYMBOLS {
        let question = daily(&gateway, symbol, "2026-09-01", "2026-11-01", Adjustment::Raw);
        let policy = Policy::default();
        let request = Request { id: gateway.new_request_id(), question, policy, received_at: gateway.now() };
        estimates.push(gateway.estimate(&request).await);
    }
    let total = gateway.total(&estimates, None, Priority::Normal);
    assert_eq!((total.calls, total.micros), (12, 0));
    // Five a minute: the eleventh and twelfth wait for the third minute.
    let time = total.time.unwrap();
    assert!(time > Duration::from_secs(120) && time < Duration::from_secs(180), "{time:?}");
}

#[tokio::test(start_paused = true)]
async fn quota_near_its_end_is_no_longer_free_to_thrift() {
    // CST-4.
    let mut stage = Stage::limited(
        OPEN,
        vec![
            ("alpha_vantage", "free", Some(vec![Limit { count: 60, per: Per::Day }])),
            ("yahoo", "public", None),
        ],
    );
    stage.tune = |settings| settings.priority = 1;
    let gateway = stage.open().await;
    let cost = |served: &Result<Served, Unanswered>, vendor: &str| {
        let decision = match served {
            Ok(served) => Arc::clone(&served.answer.decision),
            Err(unanswered) => Arc::clone(&unanswered.decision),
        };
        let candidate = decision.candidates.iter().find(|c| c.vendor.as_str() == vendor).unwrap().clone();
        candidate.factors.iter().find(|(name, _)| *name == "cost").map(|(_, value)| *value)
    };
    let pinned = Policy { vendors: vec![VendorId("alpha_vantage")], ..Policy::default() };
    let mut seen = Vec::new();
    for symbol in SYMBOLS {
        let id = gateway.directory().resolve(symbol, None).unwrap();
        let question = Question::Quotes { instruments: vec![id], bid_ask: true };
        let served = ask(&gateway, question, pinned.clone()).await;
        seen.extend(cost(&served, "alpha_vantage"));
        stage.pass(Duration::from_secs(60)).await;
    }
    assert_eq!(seen.first(), Some(&1.0), "all of it left: free");
    assert!(seen.last() < Some(&0.5), "one a minute will not last the day: {seen:?}");
}

#[tokio::test(start_paused = true)]
async fn questions_a_plan_was_too_small_for_are_counted_and_the_next_plan_is_named() {
    // CST-6, must-show 5.
    let mut stage =
        Stage::limited(OPEN, vec![("alpha_vantage", "free", Some(vec![Limit { count: 3, per: Per::Day }]))]);
    stage.spending = Spending::default();
    let gateway = stage.open().await;
    for symbol in SYMBOLS {
        let _ = quote(&gateway, symbol).await;
    }
    let advice = gateway.advice();
    let larger = advice.iter().find(|advice| advice.code == "LARGER_PLAN").expect("it says so");
    assert!(larger.advice.contains("premium_75") && larger.advice.contains("the 9 questions"), "{larger:?}");
    assert!(larger.evidence.contains("3 requests were sent, 9 found the quota"), "{larger:?}");
    assert_eq!(larger.saves_micros, -50_000_000);
}
