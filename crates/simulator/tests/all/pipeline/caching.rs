//! CCH-2, CCH-4 to CCH-8: answers in memory, as the whole pipeline keeps them.

mod load;

use gateway::cache::tags::{Namespace, Tags};
use gateway::settings::Eviction;
use gateway::{NewBars, SeriesKey, StaleAllowance};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn policy(stale: StaleAllowance) -> Policy {
    Policy { stale, ..Policy::default() }
}

fn question(gateway: &Gateway, symbol: &str) -> Question {
    let id = gateway.directory().resolve(symbol, None).unwrap();
    Question::Quotes { instruments: vec![id], bid_ask: true }
}

async fn quote_under(gateway: &Arc<Gateway>, stale: StaleAllowance) -> Result<Served, Unanswered> {
    ask(gateway, question(gateway, "AAPL"), policy(stale)).await
}

/// Lets what was spawned run, without letting time pass.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_real_time_quote_that_is_asked_for_is_never_older_than_four_seconds_and_nobody_waits_twice() {
    let stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let gateway = stage.open().await;
    for turn in 0..200 {
        let served = quote(&gateway, "AAPL").await.unwrap();
        assert_eq!(served.cache, if turn == 0 { CacheState::Miss } else { CacheState::Hit }, "turn {turn}");
        let age = served.now.since(served.answer.received_at);
        assert!(age <= Duration::from_secs(4), "turn {turn}: {age:?}");
        stage.pass(Duration::from_millis(700)).await;
    }
    let stats = gateway.cache_stats().total();
    assert_eq!((stats.misses, stats.hits), (1, 199));
    assert!(stats.fetched_ahead >= 140 / 4, "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn a_quote_nobody_asks_for_any_more_is_not_fetched_any_more() {
    let stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let gateway = stage.open().await;
    quote(&gateway, "AAPL").await.unwrap();
    quote(&gateway, "AAPL").await.unwrap();
    stage.pass(10 * MINUTE).await;
    assert_eq!(stage.asked("polygon"), 2, "once for the caller, once because it was read again");
    let mut stage = Stage::new(SESSION, &[("polygon", "premium")]);
    stage.caching.refresh_ahead = false;
    let gateway = stage.open().await;
    quote(&gateway, "AAPL").await.unwrap();
    quote(&gateway, "AAPL").await.unwrap();
    stage.pass(10 * MINUTE).await;
    assert_eq!(stage.asked("polygon"), 1, "switched off");
}

#[tokio::test(start_paused = true)]
async fn entries_stored_together_do_not_expire_together() {
    let mut stage = Stage::new(SESSION, &[("yahoo", "public")]);
    stage.caching.refresh_ahead = false;
    let gateway = stage.open().await;
    let mut ends = Vec::new();
    for name in ["AAPL", "MSFT", "NVDA", "AMZN", "INTC", "IBM", "KO", "JPM", "V", "WMT"] {
        let answer = quote(&gateway, name).await.unwrap().answer;
        ends.push(answer.fresh_until.since(answer.received_at).as_millis());
    }
    ends.sort_unstable();
    ends.dedup();
    assert_eq!(ends.len(), 10, "{ends:?}");
    assert!(ends[0] >= 9_000 && ends[9] <= 11_000 && ends[9] - ends[0] > 500, "{ends:?}");
}

#[tokio::test(start_paused = true)]
async fn a_closed_markets_quote_lasts_until_the_next_opening() {
    // Sunday; the next session opens on Monday at 14:30 UTC.
    let stage = Stage::new("2026-11-22T15:00:00Z", &[("polygon", "premium")]);
    let gateway = stage.open().await;
    quote(&gateway, "AAPL").await.unwrap();
    let before = Instant::parse("2026-11-23T14:29:59Z").unwrap();
    stage.clock.sleep_until(before).await;
    assert_eq!(quote(&gateway, "AAPL").await.unwrap().cache, CacheState::Hit);
    stage.pass(Duration::from_secs(2)).await;
    assert_eq!(quote(&gateway, "AAPL").await.unwrap().cache, CacheState::Miss);
}

#[tokio::test(start_paused = true)]
async fn final_bars_stay_without_limit_and_restated_ones_until_a_split_can_come() {
    let stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let gateway = stage.open().await;
    let raw = daily(&gateway, "AAPL", "2025-03-03", "2025-06-02", Adjustment::Raw);
    let split = daily(&gateway, "AAPL", "2025-03-03", "2025-06-02", Adjustment::Split);
    // The splits that the second question brings to light drop what was made without them.
    for question in [&raw, &split, &raw] {
        ask(&gateway, question.clone(), Policy::default()).await.unwrap();
    }
    stage.pass(12 * 60 * MINUTE).await;
    for question in [&raw, &split] {
        let served = ask(&gateway, question.clone(), Policy::default()).await.unwrap();
        assert_eq!(served.cache, CacheState::Hit);
    }
    stage.pass(7 * 24 * 60 * MINUTE).await;
    assert_eq!(ask(&gateway, raw, Policy::default()).await.unwrap().cache, CacheState::Hit);
    assert_ne!(ask(&gateway, split, Policy::default()).await.unwrap().cache, CacheState::Hit);
}

#[tokio::test(start_paused = true)]
async fn bars_that_are_read_from_the_store_are_in_memory_afterwards() {
    let stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let question = {
        let gateway = stage.open().await;
        let question = daily(&gateway, "AAPL", "2025-03-03", "2025-06-02", Adjustment::Raw);
        ask(&gateway, question.clone(), Policy::default()).await.unwrap();
        question
    };
    stage.pass(24 * 60 * MINUTE).await;
    let gateway = stage.open().await;
    let states = [
        ask(&gateway, question.clone(), Policy::default()).await.unwrap().cache,
        ask(&gateway, question, Policy::default()).await.unwrap().cache,
    ];
    assert_eq!(states, [CacheState::Stored, CacheState::Hit]);
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_is_served_at_once_where_the_caller_allows_it_and_refreshed_once_behind() {
    let stage = Stage::new(SESSION, &[("yahoo", "public")]);
    let gateway = stage.open().await;
    let first = quote_under(&gateway, StaleAllowance::Allow).await.unwrap();
    let life = first.answer.fresh_until.since(first.answer.received_at);
    stage.pass(life + life / 2).await;
    let before = stage.asked("yahoo");
    for _ in 0..100 {
        let served = quote_under(&gateway, StaleAllowance::Allow).await.unwrap();
        assert_eq!(served.cache, CacheState::Stale);
        assert!(served.grade.letter >= quality::Letter::D, "{:?}", served.grade.letter);
        assert!(served.answer.warnings.iter().any(|warning| warning.code == "STALE"));
    }
    stage.pass(Duration::from_secs(1)).await;
    assert_eq!(stage.asked("yahoo"), before + 1, "one refresh behind a hundred readers");
    assert_eq!(quote_under(&gateway, StaleAllowance::Allow).await.unwrap().cache, CacheState::Hit);
    assert_eq!(gateway.cache_stats().total().stale, 100);
}

#[tokio::test(start_paused = true)]
async fn when_every_vendor_fails_the_stale_answer_is_still_there_flagged_and_only_as_long_as_it_may_be() {
    let stage = Stage::new(SESSION, &[("yahoo", "public")]);
    let gateway = stage.open().await;
    let first = quote_under(&gateway, StaleAllowance::IfError).await.unwrap();
    let life = first.answer.fresh_until.since(first.answer.received_at);
    stage.fails("yahoo", Fault::Outage, 60 * MINUTE);
    stage.pass(life + Duration::from_millis(10)).await;
    // A fetch that fails deletes nothing: the answer is there again and again.
    for _ in 0..3 {
        let served = quote_under(&gateway, StaleAllowance::IfError).await.unwrap();
        assert_eq!(served.cache, CacheState::Stale);
        assert!(served.grade.letter >= quality::Letter::D, "{:?}", served.grade.letter);
        assert!(served.answer.warnings.iter().any(|warning| warning.code == "STALE"));
        assert!(served.now < served.answer.stale_until);
        stage.pass(Duration::from_secs(1)).await;
    }
    assert!(quote_under(&gateway, StaleAllowance::Forbid).await.is_err(), "the caller forbids it");
    let young = Policy { max_age: Some(Duration::from_secs(5)), ..policy(StaleAllowance::IfError) };
    assert!(ask(&gateway, question(&gateway, "AAPL"), young).await.is_err(), "too old for this caller");
    stage.clock.sleep_until(first.answer.received_at + life * 2).await;
    assert!(quote_under(&gateway, StaleAllowance::IfError).await.is_err(), "past twice its time");
    assert!(quote_under(&gateway, StaleAllowance::Allow).await.is_err(), "past twice its time");
}

#[tokio::test(start_paused = true)]
async fn an_older_value_from_a_slower_vendor_does_not_replace_the_newer_one_in_memory() {
    let stage = Stage::new(SESSION, &[("polygon", "premium"), ("yahoo", "public")]);
    let gateway = stage.open().await;
    let first = quote(&gateway, "AAPL").await.unwrap();
    assert_eq!(first.answer.vendor(), Some(VendorId("polygon")));
    stage.fails("polygon", Fault::Outage, 60 * MINUTE);
    stage.clock.sleep_until(first.answer.fresh_until + Duration::from_millis(1)).await;
    let late = quote(&gateway, "AAPL").await.unwrap();
    assert_eq!(late.answer.vendor(), Some(VendorId("yahoo")), "a quarter of an hour late");
    assert!(late.answer.event_time < first.answer.event_time);
    let stale = quote_under(&gateway, StaleAllowance::Allow).await.unwrap();
    assert_eq!((stale.cache, stale.answer.vendor()), (CacheState::Stale, Some(VendorId("polygon"))));
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_corrects_bars_on_record_drops_what_was_made_of_them() {
    let stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let gateway = stage.open().await;
    let spring = daily(&gateway, "AAPL", "2025-03-03", "2025-06-02", Adjustment::Raw);
    let first = ask(&gateway, spring.clone(), Policy::default()).await.unwrap();
    assert_eq!(ask(&gateway, spring.clone(), Policy::default()).await.unwrap().cache, CacheState::Hit);
    // On record stands another close of a day that the vendor is asked for again.
    let Data::Bars(series) = &first.answer.data else { panic!() };
    let mut wrong = series.bars[0].clone();
    wrong.start = Instant::parse("2025-07-01T13:30:00Z").unwrap();
    wrong.trading_date = Some("2025-07-01".parse().unwrap());
    let key = SeriesKey {
        instrument: series.instrument.clone(),
        interval: Interval::D1,
        vendor: VendorId("polygon"),
        adjustment: Adjustment::Raw,
        session: Session::Regular,
        simulated: true,
    };
    let learned_at = stage.clock.now();
    let news =
        NewBars { key, denomination: series.denomination, bars: vec![wrong], covered: vec![], learned_at };
    stage.store.put_bars(news).await.unwrap();
    let summer = daily(&gateway, "AAPL", "2025-07-01", "2025-07-03", Adjustment::Raw);
    let corrected = ask(&gateway, summer, Policy::default()).await.unwrap();
    assert!(corrected.answer.decision.notes.iter().any(|note| note.contains("corrects")), "{corrected:?}");
    assert_ne!(ask(&gateway, spring, Policy::default()).await.unwrap().cache, CacheState::Hit);
}

#[tokio::test(start_paused = true)]
async fn an_operator_drops_answers_by_tag_and_is_told_how_many() {
    let stage = Stage::new(SESSION, &[("polygon", "premium"), ("yahoo", "public")]);
    let gateway = stage.open().await;
    for name in ["AAPL", "MSFT", "NVDA"] {
        quote(&gateway, name).await.unwrap();
    }
    let apple = gateway.directory().resolve("AAPL", None).unwrap();
    assert_eq!(gateway.invalidate(&Tags::about(&apple)).answers, 1);
    assert_eq!(gateway.invalidate(&Tags::about(&apple)).answers, 0);
    assert_eq!(quote(&gateway, "AAPL").await.unwrap().cache, CacheState::Miss);
    let polygon = Tags { vendor: Some(VendorId("polygon")), ..Tags::default() };
    assert_eq!(gateway.invalidate(&polygon).answers, 3);
    let bars = Tags { namespace: Some(Namespace::Bars), ..Tags::default() };
    assert_eq!(gateway.invalidate(&bars).answers, 0, "there are none");
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_most_and_what_is_configured_is_in_memory_after_a_start() {
    let mut stage = Stage::new(SESSION, &[("polygon", "premium")]);
    stage.tune = |settings| settings.plan.request_micros = 0;
    stage.caching.warm_up_remembered = 2;
    let gateway = stage.open().await;
    for (name, times) in [("AAPL", 9), ("MSFT", 5), ("NVDA", 2)] {
        for _ in 0..times {
            quote(&gateway, name).await.unwrap();
        }
    }
    gateway.close().await;
    drop(gateway);
    stage.pass(60 * MINUTE).await;
    stage.caching.warm_up = vec!["KO".into(), "no such".into()];
    let gateway = stage.open().await;
    assert_eq!(gateway.warm_up().await, 3);
    let mut states = Vec::new();
    for name in ["KO", "AAPL", "MSFT", "NVDA"] {
        states.push(quote(&gateway, name).await.unwrap().cache);
    }
    assert_eq!(states, [CacheState::Hit, CacheState::Hit, CacheState::Hit, CacheState::Miss]);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_comes_each_minute_is_answered_before_it_comes() {
    let mut stage = Stage::new(SESSION, &[("polygon", "premium")]);
    stage.tune = |settings| settings.plan.request_micros = 0;
    let gateway = stage.open().await;
    let mut states = Vec::new();
    for _ in 0..12 {
        states.push(quote(&gateway, "AAPL").await.unwrap().cache);
        stage.pass(MINUTE).await;
    }
    let hits = states.iter().filter(|state| **state == CacheState::Hit).count();
    assert_eq!((states[0], states[3]), (CacheState::Miss, CacheState::Miss), "a rhythm must show first");
    assert_eq!(hits, 8, "{states:?}");
    // Nobody comes any more: one more is fetched for nothing, and then no other.
    let before = stage.asked("polygon");
    stage.pass(60 * MINUTE).await;
    assert!(stage.asked("polygon") <= before + 2, "{} to {}", before, stage.asked("polygon"));
}

#[tokio::test(start_paused = true)]
async fn prefetch_and_warm_up_never_spend_what_requests_will_need() {
    // A plan of 25 a day at the beginning of the day, and one that requests use up.
    let daily = vec![Limit { count: 25, per: Per::Day }];
    let mut stage = Stage::limited(SESSION, vec![("alpha_vantage", "free", Some(daily))]);
    stage.caching.warm_up = vec!["AAPL".into(), "MSFT".into(), "NVDA".into()];
    let gateway = stage.open().await;
    assert_eq!(gateway.warm_up().await, 0);
    for _ in 0..12 {
        let _ = quote(&gateway, "AAPL").await;
        stage.pass(20 * MINUTE).await;
    }
    assert_eq!(
        gateway.cache_stats().total().fetched_ahead,
        0,
        "a rhythm is no reason to spend a day's quota"
    );
    let sixty = vec![Limit { count: 60, per: Per::Sliding(MINUTE) }];
    let stage = Stage::limited(SESSION, vec![("finnhub", "free", Some(sixty))]);
    let gateway = stage.open().await;
    let names: Vec<String> = gateway
        .directory()
        .instruments()
        .map(|i| i.id.to_string())
        .filter(|name| name.contains(".XN"))
        .take(50)
        .collect();
    // Fifty a minute of sixty are asked for by callers, most of them the same each minute.
    for _ in 0..6 {
        for name in &names {
            let _ = quote(&gateway, name).await;
            stage.pass(Duration::from_millis(1_200)).await;
        }
    }
    let stats = gateway.cache_stats().total();
    assert_eq!(stats.misses, 300, "every caller was served by a call of its own: {stats:?}");
    assert_eq!(stats.fetched_ahead, 0, "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_knows_is_forgotten_within_ten_minutes_give_or_take_one() {
    let stage = Stage::new(SESSION, &[("polygon", "premium")]);
    let gateway = stage.open().await;
    assert!(quote(&gateway, "ZZQA").await.is_err());
    let calls = stage.asked("polygon");
    stage.pass(9 * MINUTE - Duration::from_secs(1)).await;
    assert!(quote(&gateway, "ZZQA").await.is_err());
    assert_eq!(stage.asked("polygon"), calls);
    assert_eq!(gateway.cache_stats().total().refused_unknown, 1);
    stage.pass(2 * MINUTE + Duration::from_secs(2)).await;
    assert!(quote(&gateway, "ZZQA").await.is_err());
    assert!(stage.asked("polygon") > calls);
}

#[tokio::test(start_paused = true)]
async fn a_strategy_changes_what_an_answer_lasts() {
    for strategy in Eviction::ALL {
        let mut stage = Stage::new(SESSION, &[("yahoo", "public")]);
        stage.caching = Caching { strategy, refresh_ahead: false, prefetch: false, ..Caching::default() };
        let gateway = stage.open().await;
        let mut lives = Vec::new();
        for _ in 0..12 {
            let answer = quote(&gateway, "AAPL").await.unwrap().answer;
            lives.push(answer.fresh_until.since(answer.received_at).as_secs_f64());
            stage.pass(Duration::from_secs(25)).await;
        }
        settle().await;
        // A quote that is a quarter of an hour late often stays as it is.
        let fixed = lives.iter().all(|life| (9.0..=11.0).contains(life));
        assert_eq!(fixed, !strategy.adapts(), "{}: {lives:?}", strategy.as_str());
    }
}

#[tokio::test(start_paused = true)]
async fn bars_in_progress_finished_ones_and_ones_built_from_finer_bars_are_of_three_classes() {
    let stage = Stage::new(SESSION, &[("finnhub", "premium")]);
    let gateway = stage.open().await;
    let at = |text| Instant::parse(text).unwrap();
    let class_of = async |interval, end| {
        let question = Question::Bars {
            instrument: gateway.directory().resolve("AAPL", None).unwrap(),
            interval,
            range: Range::new(at("2026-11-16T00:00:00Z"), at(end)),
            adjustment: Adjustment::Split,
            session: Session::Regular,
        };
        ask(&gateway, question, Policy::default()).await.unwrap().answer.lasts.class.as_str()
    };
    let day = "2026-11-18T00:00:00Z";
    assert_eq!(class_of(Interval::H1, day).await, "history");
    assert_eq!(class_of(Interval::H4, day).await, "aggregates", "finnhub has no bars of four hours");
    assert_eq!(class_of(Interval::D1, "2026-11-18T15:30:00Z").await, "latest");
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_that_ends_while_the_vendors_are_waited_for_is_not_served() {
    let stage = Stage::new(SESSION, &[("yahoo", "public")]);
    let gateway = stage.open().await;
    let first = quote(&gateway, "AAPL").await.unwrap();
    stage.fails("yahoo", Fault::Hang, 60 * MINUTE);
    stage.clock.sleep_until(first.answer.stale_until - Duration::from_secs(1)).await;
    // The deadline of a quote is two seconds: by then the answer is past its ceiling.
    assert!(quote_under(&gateway, StaleAllowance::IfError).await.is_err());
    assert!(gateway.now() > first.answer.stale_until);
}
