//! What asking costs each call: a breaker and a quota are to take microseconds, snapshots included.

#![allow(missing_docs, reason = "criterion's macros write public functions")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use domain::Instant;
use resilience::circuit_breaker::{self, Outcome};
use resilience::quota::{Limit, Pace, Settings, Window};
use resilience::{CircuitBreaker, Priority, Quota};

const MINUTE: Duration = Duration::from_secs(60);

fn breaker(criterion: &mut Criterion) {
    criterion.bench_function("breaker admit and settle", |bench| {
        let mut breaker = CircuitBreaker::new(circuit_breaker::Settings::default());
        let mut now = Instant::from_secs(1_800_000_000);
        bench.iter(|| {
            now += Duration::from_millis(1);
            let admission = breaker.admit(now, 0.5, Priority::Normal).expect("nothing fails");
            let took = Duration::from_millis(100);
            black_box(breaker.settle(admission, Outcome::Succeeded { took }, now))
        });
    });
}

fn quota(criterion: &mut Criterion) {
    for count in [60, 1_000, 10_000, 100_000] {
        criterion.bench_function(&format!("quota take, {count} a minute and a month"), |bench| {
            let limits = vec![
                Limit { count, window: Window::Sliding(MINUTE) },
                Limit { count: 2_000_000_000, window: Window::Month },
            ];
            let mut quota = Quota::new(Settings::new(limits, Pace::Burst, jiff::tz::TimeZone::UTC));
            let mut now = Instant::from_secs(1_800_000_000);
            let spacing = (MINUTE + Duration::from_secs(2)) / count;
            bench.iter(|| {
                now += spacing;
                let mut grant = quota.try_take(1, now).expect("slightly below the rate");
                if let Some(snapshot) = grant.must_persist.take() {
                    quota.persisted(snapshot.sequence);
                    black_box(snapshot);
                }
                grant
            });
        });
    }
    criterion.bench_function("quota refuse, 10000 a minute", |bench| {
        let limits = vec![Limit { count: 10_000, window: Window::Sliding(MINUTE) }];
        let settings = Settings {
            capacity: Some(10_000),
            ..Settings::new(limits, Pace::Burst, jiff::tz::TimeZone::UTC)
        };
        let mut quota = Quota::new(settings);
        let now = Instant::from_secs(1_800_000_000);
        for n in 0..10_000 {
            let _sent = quota.try_take(1, now + Duration::from_micros(n)).expect("the burst is the limit");
        }
        bench.iter(|| black_box(quota.try_take(1, now + Duration::from_secs(1))));
    });
}

criterion_group!(benches, breaker, quota);
criterion_main!(benches);
