//! What each mechanism costs a call, beside well-known crates that do the same work, in one run: ours are to take
//! less than 5 µs each. The ratios are printed at the end, from loops over the same work.

#![allow(missing_docs, reason = "criterion's macros write public functions")]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench reads the machine's clock and tells"
)]

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::{Duration, Instant as Wall};

use criterion::Criterion;
use domain::Instant;
use failsafe::CircuitBreaker as _;
use governor::clock::FakeRelativeClock;
use governor::{Quota as GovernorQuota, RateLimiter};
use reliable::Parts;
use resilience::circuit_breaker::{Outcome, Settings};
use resilience::quota::{Limit, Pace, Settings as QuotaSettings, Window};
use resilience::sla::{Monitor, Thresholds};
use resilience::{CircuitBreaker, Priority, Quota};

const STEP: Duration = Duration::from_millis(1);

/// One row: a name, and what is done once a call.
type Work = (&'static str, Box<dyn FnMut()>);

fn our_breaker() -> Work {
    let breaker = parking_lot::Mutex::new(CircuitBreaker::new(Settings::default()));
    let mut now = Instant::from_secs(1_800_000_000);
    let work = move || {
        now += STEP;
        let admission = breaker.lock().admit(now, 0.5, Priority::Normal).expect("nothing fails");
        black_box(breaker.lock().settle(admission, Outcome::Succeeded { took: STEP }, now));
    };
    ("breaker: ours", Box::new(work))
}

fn failsafe_breaker() -> Work {
    let breaker = failsafe::Config::new().build();
    let work = move || {
        let _ = black_box(breaker.call(|| Ok::<(), ()>(())));
    };
    ("breaker: failsafe", Box::new(work))
}

fn recloser_breaker() -> Work {
    let breaker = recloser::Recloser::custom().build();
    let work = move || {
        let _ = black_box(breaker.call(|| Ok::<(), ()>(())));
    };
    ("breaker: recloser", Box::new(work))
}

fn our_limit() -> Work {
    let limits = vec![Limit { count: 1_000, window: Window::Sliding(Duration::from_secs(1)) }];
    let settings = QuotaSettings::new(limits, Pace::Burst, jiff::tz::TimeZone::UTC);
    let quota = parking_lot::Mutex::new(Quota::new(settings));
    let mut now = Instant::from_secs(1_800_000_000);
    let work = move || {
        // A little slower than the rate, so that each is granted.
        now += Duration::from_micros(1_100);
        let mut quota = quota.lock();
        let mut grant = quota.try_take(1, now).expect("below the rate");
        if let Some(snapshot) = grant.must_persist.take() {
            quota.persisted(snapshot.sequence);
        }
        let _used = black_box(grant);
    };
    ("limit: ours, exact over a sliding window", Box::new(work))
}

fn governor_limit() -> Work {
    let clock = FakeRelativeClock::default();
    let quota = GovernorQuota::per_second(NonZeroU32::new(1_000).expect("not zero"));
    let limiter = RateLimiter::direct_with_clock(quota, clock.clone());
    let work = move || {
        clock.advance(Duration::from_micros(1_100));
        black_box(limiter.check().is_ok());
    };
    ("limit: governor, bucket", Box::new(work))
}

fn our_monitor() -> Work {
    let mut monitor = Monitor::new(Thresholds::default());
    let mut now = Instant::from_secs(1_800_000_000);
    let mut micros = 1_u64;
    let work = move || {
        now += STEP;
        micros = micros * 7_919 % 400_009;
        black_box(monitor.record(Duration::from_micros(micros), !micros.is_multiple_of(50), now));
    };
    ("monitor: ours, all spans and the status", Box::new(work))
}

fn histogram_alone() -> Work {
    let mut histogram = hdrhistogram::Histogram::<u64>::new(2).expect("two digits are allowed");
    let mut micros = 1_u64;
    let work = move || {
        micros = micros * 7_919 % 400_009;
        histogram.record(black_box(micros)).expect("it grows");
    };
    ("monitor: one hdrhistogram alone", Box::new(work))
}

fn our_cached_call() -> Work {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let wrapped = Parts::exchange_book("cached").cache(Duration::from_secs(3_600), 500).build::<u64, u64>();
    let work = move || {
        let answer = runtime.block_on(wrapped.call(7, || async { Ok::<_, ()>(42) }));
        black_box(answer.expect("it never fails"));
    };
    ("cached call: ours", Box::new(work))
}

fn moka_alone() -> Work {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let cache =
        moka::future::Cache::builder().max_capacity(500).time_to_live(Duration::from_secs(3_600)).build();
    let work = move || {
        let value = runtime.block_on(cache.try_get_with(7_u64, async { Ok::<_, ()>(42_u64) }));
        black_box(value.expect("it never fails"));
    };
    ("cached call: moka alone", Box::new(work))
}

fn our_whole_call() -> Work {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let parts = Parts::exchange_book("whole").limit(1_000_000_000, Duration::from_secs(1));
    let wrapped = parts.cache(Duration::ZERO, 1).build::<u64, u64>();
    let work = move || {
        let answer = runtime.block_on(wrapped.call(7, || async { Ok::<_, ()>(42) }));
        black_box(answer.expect("it never fails"));
    };
    ("whole call, every part, nothing cached: ours", Box::new(work))
}

/// Nanoseconds of one call: the fastest of five rounds.
fn nanos(work: &mut dyn FnMut()) -> f64 {
    const ROUND: u32 = 50_000;
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let started = Wall::now();
        (0..ROUND).for_each(|_| work());
        best = best.min(started.elapsed().as_secs_f64() * 1e9 / f64::from(ROUND));
    }
    best
}

fn all() -> [[Option<Work>; 3]; 5] {
    [
        [Some(our_breaker()), Some(failsafe_breaker()), Some(recloser_breaker())],
        [Some(our_limit()), Some(governor_limit()), None],
        [Some(our_monitor()), Some(histogram_alone()), None],
        [Some(our_cached_call()), Some(moka_alone()), None],
        [Some(our_whole_call()), None, None],
    ]
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, mut work) in all().into_iter().flatten().flatten() {
        criterion.bench_function(name, |bench| bench.iter(&mut work));
    }
    criterion.final_summary();
    println!("\n{:<46} {:>9} {:>22}", "", "ns a call", "ours against it");
    for group in all() {
        let mut ours = None;
        for (name, mut work) in group.into_iter().flatten() {
            let took = nanos(&mut work);
            let ratio = ours.map_or(String::new(), |ours: f64| format!("{:.2}", ours / took));
            println!("{name:<46} {took:>9.0} {ratio:>22}");
            ours = ours.or(Some(took));
        }
        let ours = ours.expect("every group begins with ours");
        assert!(ours < 5_000.0, "a mechanism took {ours:.0} ns, and may take 5,000");
    }
}
