//! How many calls go out, and who waits.

use std::sync::Arc;
use std::time::Duration;

use reliable::{Breaker, Clock, Error, Fault, MachineClock, Parts};

use crate::stage::{Service, pause};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn what_is_over_the_limit_is_refused_at_once_or_waits_its_turn() {
    let service = Arc::new(Service::default());
    let impatient = Parts::none("service").limit(3, SECOND).build::<(), u32>();
    for _ in 0..3 {
        impatient.call((), || service.serve()).await.unwrap();
    }
    let limited = impatient.call((), || service.serve()).await.unwrap_err();
    assert!(matches!(limited.error, Error::Limited { retry_in } if retry_in < SECOND), "{limited:?}");
    assert_eq!((limited.attempts, service.calls()), (0, 3));

    let patient = Parts::none("service").limit(3, SECOND).patience(10 * SECOND).build::<(), u32>();
    let clock = MachineClock::start();
    let calls: Vec<_> = (0..12)
        .map(|_| {
            let (patient, service) = (patient.clone(), Arc::clone(&service));
            tokio::spawn(async move {
                let begun = MachineClock::start();
                patient.call((), || service.serve()).await.unwrap();
                begun.now()
            })
        })
        .collect();
    let mut waits = Vec::new();
    for call in calls {
        waits.push(call.await.unwrap());
    }
    // Three in any second: the last three begin after three full seconds, in the order they came in.
    assert!(waits.is_sorted(), "{waits:?}");
    assert!((3 * SECOND..4 * SECOND).contains(&clock.now()), "{:?}", clock.now());
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_waiting_costs_no_call() {
    let service = Service::default();
    let wrapped = Parts::none("service").limit(1, SECOND).patience(10 * SECOND).build::<(), u32>();
    wrapped.call((), || service.serve()).await.unwrap();
    let clock = MachineClock::start();
    tokio::select! {
        _ = wrapped.call((), || service.serve()) => panic!("it has to wait"),
        () = clock.sleep(SECOND / 4) => {}
    }
    wrapped.call((), || service.serve()).await.unwrap();
    assert!(clock.now() < SECOND + SECOND / 4, "{:?}", clock.now());
    assert_eq!(service.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_was_asked_for_is_kept() {
    let ask = || async { Err::<u8, _>("429") };
    let wait = |_: &&str| Fault::Wait(30 * SECOND);
    for parts in [
        Parts::none("by its limit").limit(100, SECOND),
        Parts::none("by its breaker").breaker(Breaker::default()),
    ] {
        let wrapped = parts.build::<(), u8>();
        assert_eq!(wrapped.call_judged((), ask, wait).await.unwrap_err().attempts, 1);
        assert_eq!(wrapped.state().consecutive_failures, 0);
        pause(29_000).await;
        assert_eq!(wrapped.call_judged((), ask, wait).await.unwrap_err().attempts, 0);
        pause(1_100).await;
        assert_eq!(wrapped.call_judged((), ask, wait).await.unwrap_err().attempts, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn no_span_ever_sees_more_calls_than_the_limit() {
    let wrapped = Parts::none("service").limit(7, SECOND).build::<(), ()>();
    let clock = MachineClock::start();
    let mut sent: Vec<Duration> = Vec::new();
    for step in 0..4_000_u64 {
        pause(1 + step * 7 % 40).await;
        if wrapped.call((), || async { Ok::<_, ()>(()) }).await.is_ok() {
            sent.push(clock.now());
        }
    }
    let inside = |at: Duration| sent.iter().filter(|sent| **sent > at && **sent <= at + SECOND).count();
    assert!(sent.iter().all(|at| inside(at.saturating_sub(SECOND)) <= 7));
    // And nearly all of what it allows is used.
    let allowed = clock.now().as_secs_f64() * 7.0;
    assert!(sent.len() as f64 > 0.9 * allowed, "{} of {allowed}", sent.len());
}
