//! What is seen of a call, and what it costs the next one.

use std::sync::Arc;
use std::time::Duration;

use reliable::{
    Backoff, Breaker, BreakerState, Clock, Error, Fault, MachineClock, Origin, Parts, Status, Thresholds,
};

use crate::stage::{FastClock, Service, pause};

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn three_failures() -> Breaker {
    Breaker { failures: 3, open: secs(30), successes: 1, ..Breaker::default() }
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_awaited_future_is_seen_by_breaker_and_monitor() {
    let service = Service::default();
    service.fails(u32::MAX);
    let wrapped = Parts::none("service").breaker(three_failures()).build::<(), u32>();
    for failure in 1..=3 {
        let unanswered = wrapped.call((), || service.serve()).await.unwrap_err();
        assert_eq!((unanswered.error, unanswered.attempts), (Error::Failed("down"), 1));
        assert_eq!(wrapped.state().consecutive_failures, failure);
    }
    let state = wrapped.state();
    assert_eq!((state.status, state.success), (Status::Failed, Some(0.0)));
    assert!(matches!(state.breaker, Some(BreakerState::Open { .. })), "{state}");
    // Nobody is called while it is open.
    let refused = wrapped.call((), || service.serve()).await.unwrap_err();
    assert!(matches!(refused.error, Error::Refused { retry_in } if retry_in > secs(26)), "{refused:?}");
    assert_eq!((refused.attempts, service.calls()), (0, 3));
    // After the wait one call tries it, and closes it.
    service.fails(0);
    pause(34_000).await;
    assert_eq!(wrapped.call((), || service.serve()).await.unwrap().value, 4);
    assert_eq!(wrapped.state().breaker, Some(BreakerState::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_call_is_timed_while_it_is_awaited_and_not_when_it_was_made() {
    let service = Service::default();
    let wrapped = Parts::none("service").build::<(), u32>();
    let mut made = Some(service.serve());
    pause(10_000).await;
    wrapped.call((), || made.take().expect("called once")).await.unwrap();
    let p50 = wrapped.state().p50.unwrap();
    assert!((secs(0) + Duration::from_millis(100)..Duration::from_millis(103)).contains(&p50), "{p50:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_is_neither_success_nor_failure_and_gives_its_place_back() {
    let service = Service::default();
    let breaker = Breaker { failures: 1, open: secs(1), successes: 1, ..Breaker::default() };
    let wrapped = Parts::none("service").breaker(breaker).build::<(), u32>();
    service.fails(1);
    wrapped.call((), || service.serve()).await.unwrap_err();
    pause(1_200).await;
    // The probe is given up half-way, and the next caller may probe.
    let clock = MachineClock::start();
    tokio::select! {
        _ = wrapped.call((), || service.serve()) => panic!("it takes longer"),
        () = clock.sleep(Duration::from_millis(50)) => {}
    }
    let state = wrapped.state();
    assert_eq!((state.calls, state.breaker), (1, Some(BreakerState::HalfOpen)));
    wrapped.call((), || service.serve()).await.unwrap();
    assert_eq!(wrapped.state().breaker, Some(BreakerState::Closed));
}

#[tokio::test(start_paused = true)]
async fn ten_calls_together_take_the_time_of_one() {
    let service = Arc::new(Service::default());
    let wrapped = Parts::exchange_book("service").limit(100, secs(1)).build::<u32, u32>();
    let clock = MachineClock::start();
    let calls: Vec<_> = (0..10)
        .map(|key| {
            let (wrapped, service) = (wrapped.clone(), Arc::clone(&service));
            tokio::spawn(async move { wrapped.call(key, || service.serve()).await.unwrap() })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    assert!(clock.now() < Duration::from_millis(110), "{:?}", clock.now());
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_comes_from_the_cache_and_a_failed_one_from_its_past() {
    let service = Service::default();
    let wrapped = Parts::none("service").cache(secs(5), 10).stale(secs(10)).build();
    let first = wrapped.call("a", || service.serve()).await.unwrap();
    assert_eq!((first.value, first.origin, first.attempts), (1, Origin::Called, 1));
    let clock = MachineClock::start();
    let again = wrapped.call("a", || service.serve()).await.unwrap();
    assert_eq!((again.value, again.origin, again.attempts), (1, Origin::Cached, 0));
    assert_eq!(clock.now(), Duration::ZERO);
    assert_eq!(wrapped.call("b", || service.serve()).await.unwrap().value, 2);
    service.fails(u32::MAX);
    pause(6_000).await;
    let stale = wrapped.call("a", || service.serve()).await.unwrap();
    assert_eq!((stale.value, stale.origin), (1, Origin::Stale));
    assert_eq!(stale.last_error, Some(Error::Failed("down")));
    assert!(stale.age > secs(6));
    // Too old to stand in.
    pause(10_000).await;
    assert!(wrapped.call("a", || service.serve()).await.is_err());
    wrapped.forget(&"a");
    assert_eq!(wrapped.state().cache.map(|cache| cache.hits), Some(1));
}

#[tokio::test(start_paused = true)]
async fn an_older_value_never_replaces_a_newer_one() {
    let wrapped = Parts::none("service").cache(secs(60), 10).build::<(), &str>();
    let (slow, quick) = (wrapped.clone(), wrapped.clone());
    let old = tokio::spawn(async move {
        let call = || async {
            pause(500).await;
            Ok::<_, ()>("old")
        };
        slow.call((), call).await.unwrap().value
    });
    pause(100).await;
    quick.call((), || async { Ok::<_, ()>("new") }).await.unwrap();
    assert_eq!(old.await.unwrap(), "old");
    assert_eq!(wrapped.call((), || async { Ok::<_, ()>("none") }).await.unwrap().value, "new");
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_and_the_result_says_how_often() {
    let service = Service::default();
    let retry = Backoff { retries: 3, ..Backoff::exchange_book() };
    let wrapped = Parts::none("service").retry(retry).build::<(), u32>();
    service.fails(2);
    let answer = wrapped.call((), || service.serve()).await.unwrap();
    assert_eq!((answer.value, answer.attempts), (3, 3));
    assert_eq!(answer.last_error, Some(Error::Failed("down")));
    service.fails(u32::MAX);
    let unanswered = wrapped.call((), || service.serve()).await.unwrap_err();
    assert_eq!((unanswered.attempts, unanswered.error), (4, Error::Failed("down")));
}

#[tokio::test(start_paused = true)]
async fn retries_end_when_the_breaker_opens_and_the_failure_stays_the_news() {
    let service = Service::default();
    service.fails(u32::MAX);
    let retry = Backoff { retries: 50, ..Backoff::exchange_book() };
    let wrapped = Parts::none("service").retry(retry).breaker(three_failures()).build::<(), u32>();
    let unanswered = wrapped.call((), || service.serve()).await.unwrap_err();
    assert_eq!((unanswered.attempts, service.calls()), (3, 3));
    assert_eq!(unanswered.error, Error::Failed("down"));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_is_given_up_in_time_and_counts() {
    let wrapped = Parts::exchange_book("service").retry(Backoff { retries: 0, ..Backoff::default() }).build();
    let clock = MachineClock::start();
    let hangs = || std::future::pending::<Result<u8, ()>>();
    let unanswered = wrapped.call((), hangs).await.unwrap_err();
    assert_eq!((unanswered.error, clock.now()), (Error::TimedOut(secs(4)), secs(4)));
    assert_eq!(wrapped.state().consecutive_failures, 1);
}

#[tokio::test(start_paused = true)]
async fn the_callers_mistake_is_not_theirs_and_what_will_not_pass_is_not_tried_again() {
    let wrapped = Parts::none("service")
        .breaker(three_failures())
        .retry(Backoff { retries: 5, ..Backoff::default() })
        .build::<(), u8>();
    for _ in 0..10 {
        let missing = wrapped.call_judged((), || async { Err("404") }, |_| Fault::NotTheirs).await;
        assert_eq!(missing.unwrap_err().attempts, 1);
    }
    let state = wrapped.state();
    assert_eq!((state.breaker, state.consecutive_failures), (Some(BreakerState::Closed), 0));
    let lasting = wrapped.call_judged((), || async { Err("403") }, |_| Fault::Lasting).await.unwrap_err();
    assert_eq!((lasting.attempts, wrapped.state().consecutive_failures), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure() {
    let wrapped = Parts::none("service").breaker(three_failures()).build::<(), u8>();
    for _ in 0..3 {
        let wrapped = wrapped.clone();
        let panics = async move {
            wrapped.call((), || async { if true { panic!("on purpose") } else { Ok::<u8, ()>(1) } }).await
        };
        assert!(tokio::spawn(panics).await.is_err());
    }
    let state = wrapped.state();
    assert_eq!(state.consecutive_failures, 3);
    assert!(matches!(state.breaker, Some(BreakerState::Open { .. })), "{state}");
}

#[tokio::test(start_paused = true)]
async fn time_and_chance_can_be_given() {
    let run = async |seed: u64| {
        let service = Service::default();
        service.fails(3);
        let wrapped = Parts::exchange_book("service")
            .clock(FastClock(MachineClock::start()))
            .timeout(secs(60))
            .seed(seed)
            .build::<(), u32>();
        let clock = MachineClock::start();
        wrapped.call((), || service.serve()).await.unwrap();
        // A tenth of a second of the runtime is a second of this clock.
        let p50 = wrapped.state().p50.unwrap();
        assert!((0.99..1.06).contains(&p50.as_secs_f64()), "{p50:?}");
        clock.now()
    };
    assert_eq!(run(7).await, run(7).await);
    assert_ne!(run(7).await, run(8).await);
}

#[tokio::test(start_paused = true)]
async fn the_state_is_told_in_a_line() {
    let service = Service::default();
    let wrapped = Parts::dex_aggregator("service")
        .watch(Thresholds::new(secs(1), secs(2), 0.99, 1))
        .limit(10, secs(60))
        .build::<u8, u32>();
    assert_eq!(
        wrapped.state().to_string(),
        "service: unknown, breaker closed, 0 calls, 10 calls left, cache 0 entries, 0 hits of 0"
    );
    wrapped.call(1, || service.serve()).await.unwrap();
    wrapped.call(1, || service.serve()).await.unwrap();
    let told = wrapped.state().to_string();
    assert!(
        told.starts_with("service: healthy, breaker closed, 1 calls, 100 % succeeded, p95 10")
            && told.ends_with(", 9 calls left, cache 1 entries, 1 hits of 2"),
        "{told}"
    );
}
