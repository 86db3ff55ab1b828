//! A slow function that fails now and then, wrapped: what the breaker sees of its failures, what a repeated call
//! costs, and what is left while it is down.
//!
//! `cargo run --example reliability`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reliable::{Backoff, Breaker, Parts, Thresholds};

/// Somebody else's service: half a second an answer, while it answers.
struct Service {
    is_down: AtomicBool,
}

impl Service {
    async fn count_of(&self, word: &str) -> std::io::Result<usize> {
        #[expect(clippy::disallowed_methods, reason = "this is what makes it slow")]
        tokio::time::sleep(Duration::from_millis(500)).await;
        if self.is_down.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("the service is down"));
        }
        Ok(word.len())
    }
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "the example times itself")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let service = Service { is_down: AtomicBool::new(false) };
    let counts = Parts::exchange_book("counts")
        .watch(Thresholds::new(Duration::from_secs(1), Duration::from_secs(2), 0.95, 3))
        .breaker(Breaker { failures: 3, open: Duration::from_secs(2), successes: 1, ..Breaker::default() })
        .limit(20, Duration::from_secs(1))
        .retry(Backoff { retries: 1, first: Duration::from_millis(100), ..Backoff::default() })
        .cache(Duration::from_secs(1), 100)
        .stale(Duration::from_secs(60))
        .build();
    println!("before:      {}", counts.state());

    let started = Instant::now();
    let first = counts.call("word", || service.count_of("word")).await?;
    let slow = started.elapsed();
    println!("first call:  {} from {:?} in {slow:.1?}", first.value, first.origin);

    let started = Instant::now();
    let again = counts.call("word", || service.count_of("word")).await?;
    let fast = started.elapsed();
    let times = slow.as_secs_f64() / fast.as_secs_f64();
    println!("second call: {} from {:?} in {fast:.1?}: {times:.0} times faster", again.value, again.origin);
    assert!(times >= 50.0, "a repeated call has to be 50 times faster");
    println!("well:        {}", counts.state());

    service.is_down.store(true, Ordering::Relaxed);
    for round in 1..=3 {
        match counts.call("other", || service.count_of("other")).await {
            Ok(answer) => println!("round {round}:     {} from {:?}", answer.value, answer.origin),
            Err(unanswered) => {
                println!("round {round}:     {}: {}", unanswered, unanswered.error);
            }
        }
    }
    println!("down:        {}", counts.state());
    assert!(counts.state().consecutive_failures >= 3, "the failures were not seen");

    let started = Instant::now();
    let stale = counts.call("word", || service.count_of("word")).await?;
    println!(
        "meanwhile:   {} from {:?}, {:.1?} old, in {:.1?}",
        stale.value,
        stale.origin,
        stale.age,
        started.elapsed()
    );

    service.is_down.store(false, Ordering::Relaxed);
    #[expect(clippy::disallowed_methods, reason = "the breaker has to come to the end of its wait")]
    tokio::time::sleep(Duration::from_millis(2_300)).await;
    let back = counts.call("other", || service.count_of("other")).await?;
    println!("back:        {} from {:?}", back.value, back.origin);
    println!("after:       {}", counts.state());
    Ok(())
}
