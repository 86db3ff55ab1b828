//! Presets, numbers of one's own, and each part by itself.

use std::time::Duration;

use reliable::{Backoff, Breaker, Error, Parts, Thresholds};

use crate::stage::{Service, pause};

#[tokio::test(start_paused = true)]
async fn each_preset_opens_when_its_class_says_and_keeps_values_as_long() {
    type Preset = fn(&'static str) -> Parts;
    let rows: [(Preset, u32, u64); 3] = [
        (|name| Parts::exchange_book(name), 5, 5),
        (|name| Parts::dex_aggregator(name), 10, 30),
        (|name| Parts::social(name), 3, 300),
    ];
    for (preset, failures, fresh) in rows {
        let service = Service::default();
        let once = Backoff { retries: 0, ..Backoff::default() };
        let wrapped = preset("service").retry(once).build::<(), u32>();
        wrapped.call((), || service.serve()).await.unwrap();
        pause(fresh * 1_000 - 200).await;
        wrapped.call((), || service.serve()).await.unwrap();
        assert_eq!(service.calls(), 1, "fresh for {fresh} s");
        pause(200).await;
        wrapped.call((), || service.serve()).await.unwrap();
        assert_eq!(service.calls(), 2, "fresh for {fresh} s");

        let service = Service::default();
        service.fails(u32::MAX);
        let wrapped = preset("service").retry(once).build::<(), u32>();
        for _ in 0..failures + 5 {
            wrapped.call((), || service.serve()).await.unwrap_err();
        }
        assert_eq!(service.calls(), failures);
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_alone_brings_no_other() {
    let fails_six_times = |parts: Parts| async move {
        let service = Service::default();
        service.fails(u32::MAX);
        let wrapped = parts.build::<(), u32>();
        for _ in 0..6 {
            wrapped.call((), || service.serve()).await.unwrap_err();
        }
        let state = wrapped.state();
        (service.calls(), state.breaker.is_some(), state.calls_left.is_some(), state.cache.is_some())
    };
    let second = Duration::from_secs(1);
    let retry = Backoff { retries: 1, ..Backoff::default() };
    assert_eq!(fails_six_times(Parts::none("monitor")).await, (6, false, false, false));
    assert_eq!(
        fails_six_times(Parts::none("breaker").breaker(Breaker::default())).await,
        (5, true, false, false)
    );
    assert_eq!(fails_six_times(Parts::none("limit").limit(4, 60 * second)).await, (4, false, true, false));
    assert_eq!(fails_six_times(Parts::none("retry").retry(retry)).await, (12, false, false, false));
    assert_eq!(
        fails_six_times(Parts::none("cache").cache(second, 5).stale(second)).await,
        (6, false, false, true)
    );
}

#[tokio::test(start_paused = true)]
async fn promises_of_ones_own_are_those_it_is_held_to() {
    let service = Service::default();
    let strict = Thresholds::new(Duration::from_millis(50), Duration::from_secs(1), 0.99, 1);
    let wrapped = Parts::none("service").watch(strict).build::<(), u32>();
    for _ in 0..20 {
        wrapped.call((), || service.serve()).await.unwrap();
    }
    assert_eq!(wrapped.state().status, reliable::Status::Degraded);
    service.fails(1);
    let unanswered = wrapped.call((), || service.serve()).await.unwrap_err();
    assert_eq!(unanswered.error, Error::Failed("down"));
    assert_eq!(wrapped.state().status, reliable::Status::Failed);
}
