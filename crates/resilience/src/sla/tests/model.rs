//! A million random operations against a reference that keeps every call and computes everything anew.

use std::collections::VecDeque;
use std::time::Duration;

use domain::Instant;

use super::super::interval::nearest_rank;
use super::*;

/// Operations of the run in CI.
const OPERATIONS: u32 = 1_000_000;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

#[derive(Clone, Copy)]
struct Seen {
    at: Instant,
    took: Duration,
    good: bool,
}

/// The definitions, written down as they are read: no ring, no counter, no bucket.
struct Naive {
    limits: Thresholds,
    calls: VecDeque<Seen>,
    outages: Vec<(Instant, Instant)>,
    first: Option<Instant>,
    streak: u32,
    down_since: Instant,
    evidence_from: u64,
    total: u64,
    status: Status,
    /// The running minute, its worst verdict, and those of the good minutes before it.
    minute: (i64, Status),
    good: Vec<Status>,
}

impl Naive {
    fn begins(span: Duration, pieces: u32, now: Instant) -> Instant {
        let piece = span / pieces;
        now.floor_to(piece) - piece * (pieces - 1)
    }

    fn is_down(&self) -> bool {
        self.streak >= self.limits.failures
    }

    fn down(&self, from: Instant, now: Instant) -> Duration {
        let running = self.is_down().then_some((self.down_since, now));
        let all = self.outages.iter().rev().take_while(|(_, end)| *end > from).copied().chain(running);
        all.map(|(start, end)| end.since(start.max(from))).sum()
    }

    fn record(&mut self, took: Duration, good: bool, now: Instant) {
        self.first.get_or_insert(now - took);
        self.total += 1;
        if good {
            if self.is_down() {
                self.outages.push((self.down_since, now));
                self.evidence_from = self.total;
            }
            self.streak = 0;
        } else {
            if self.streak == 0 {
                self.down_since = now;
            }
            self.streak += 1;
        }
        self.calls.push_back(Seen { at: now, took, good });
        let day = Naive::begins(Duration::from_secs(86_400), 24, now);
        while self.calls.len() > 100 && self.calls[0].at < day {
            self.calls.pop_front();
        }
        let verdict = self.verdict(now);
        let minute = now.as_secs().div_euclid(60);
        if minute == self.minute.0 {
            self.minute.1 = self.minute.1.max(verdict);
        } else {
            if self.minute.1 < self.status && self.minute.1 != Status::Unknown {
                self.good.push(self.minute.1);
            } else {
                self.good.clear();
            }
            self.minute = (minute, verdict);
            if self.good.len() == 3 {
                self.status = self.good.drain(..).max().expect("three");
            }
        }
        if verdict > self.status {
            self.status = verdict;
            self.good.clear();
        }
    }

    fn verdict(&self, now: Instant) -> Status {
        if self.is_down() {
            return Status::Failed;
        }
        let since_outage = usize::try_from(self.total + 1 - self.evidence_from.max(1)).expect("few");
        let evidence = self.calls.iter().rev().take(100.min(since_outage));
        let (mut n, mut good, mut slow, mut very_slow) = (0_u64, 0_u64, 0_u64, 0_u64);
        for call in evidence.take_while(|call| now.since(call.at) <= Duration::from_secs(300)) {
            n += 1;
            good += u64::from(call.good);
            slow += u64::from(call.took > self.limits.p95);
            very_slow += u64::from(call.took > self.limits.p99);
        }
        let many = |bad: u64| n >= 10 && bad >= u64::from(self.limits.failures);
        if many(n - good) && good as f64 / (n as f64) < self.limits.success {
            return Status::Failed;
        }
        let above = |share, slow| many(slow) && n - slow < nearest_rank(share, n);
        let day = Naive::begins(Duration::from_secs(86_400), 24, now);
        let down = self.down(day, now).as_secs_f64() > 0.01 * 86_400.0;
        if above(0.95, slow) || above(0.99, very_slow) || down { Status::Degraded } else { Status::Healthy }
    }
}

/// The relative error of the buckets.
const BOUND: f64 = 1.0 / 128.0;

fn compare(monitor: &Monitor, naive: &Naive, span: Span, now: Instant, context: &str) {
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let (begins, error) = match span {
        Span::LastCalls => (Instant::MIN, 0.0),
        Span::Minute => (Naive::begins(minutes(1), 6, now), BOUND),
        Span::FiveMinutes => (Naive::begins(minutes(5), 10, now), BOUND),
        Span::Hour => (Naive::begins(minutes(60), 12, now), BOUND),
        Span::Day => (Naive::begins(minutes(1_440), 24, now), BOUND),
    };
    let limit = if span == Span::LastCalls { 100 } else { usize::MAX };
    let inside: Vec<&Seen> =
        naive.calls.iter().rev().take(limit).take_while(|call| call.at >= begins).collect();
    let report = monitor.report(span, now);
    let n = inside.len() as u64;
    assert_eq!(report.calls, n, "{context}");
    let mut sorted: Vec<Duration> = inside.iter().map(|call| call.took).collect();
    sorted.sort_unstable();
    for (share, told) in [(0.50, report.p50), (0.95, report.p95), (0.99, report.p99)] {
        assert_eq!(told.is_some(), n > 0, "{context}");
        let Some(told) = told else { continue };
        let (least, most) = rank_interval(share, n);
        let exact = |rank: u64| sorted[rank as usize - 1];
        let close = |told: Duration, exact: Duration| {
            let (told, exact) = (told.as_secs_f64() * 1e6, exact.as_secs_f64() * 1e6);
            exact.floor() <= told + 1e-6 && told <= exact * (1.0 + error) + 1e-6
        };
        assert!(close(told.value, exact(nearest_rank(share, n))), "{context} {share} {told:?}");
        assert!(
            (if least == 0 { told.least.is_zero() } else { close(told.least, exact(least)) }),
            "{context} {share} {told:?}"
        );
        assert_eq!(told.most.is_some(), most.is_some(), "{context}");
        assert!(told.most.zip(most).is_none_or(|(told, rank)| close(told, exact(rank))), "{context}");
    }
    let good = inside.iter().filter(|call| call.good).count() as f64;
    assert_eq!(report.success.map(|rate| rate.share), (n > 0).then(|| good / n as f64), "{context}");
    let uptime_from = match span {
        Span::LastCalls => Naive::begins(minutes(1_440), 24, now),
        _ => begins,
    };
    let from = uptime_from.max(naive.first.expect("it was called"));
    let observed = now.since(from).as_secs_f64();
    if observed > 0.0 {
        let uptime = 1.0 - naive.down(from, now).as_secs_f64().min(observed) / observed;
        assert!(
            report.uptime.is_some_and(|told| (told - uptime).abs() < 1e-6),
            "{context} {uptime} {report:?}"
        );
    }
}

fn run(seed: u64, operations: u32) {
    let mut random = Random(seed);
    let limits = Thresholds { failures: 1 + random.below(5) as u32, ..Thresholds::exchange_book() };
    let mut monitor = Monitor::new(limits);
    let mut naive = Naive {
        limits,
        calls: VecDeque::new(),
        outages: Vec::new(),
        first: None,
        streak: 0,
        down_since: Instant::MIN,
        evidence_from: 0,
        total: 0,
        status: Status::Unknown,
        minute: (i64::MIN, Status::Unknown),
        good: Vec::new(),
    };
    let mut now = at(random.below(100_000));
    let (mut failing, mut slow, mut pace) = (1_u64, 1_u64, 10_u64);
    for operation in 0..operations {
        if random.below(500) == 0 {
            // The weather changes: how many of a hundred fail, how many are slow, how often it is called.
            failing = [0, 1, 4, 8, 60, 100][random.below(6) as usize];
            slow = [0, 2, 7, 50][random.below(4) as usize];
            pace = [1, 2_000, 8_000, 30_000][random.below(4) as usize];
        }
        now += Duration::from_millis(random.below(pace));
        if random.below(20_000) == 0 {
            now += Duration::from_secs(random.below(100_000));
        }
        let took = match random.below(100) {
            n if n < slow => Duration::from_millis(900 + random.below(2_000)),
            0..50 => Duration::from_micros(random.below(2_000)),
            _ => Duration::from_micros(1_000 + random.below(400_000)),
        };
        let good = random.below(100) >= failing;
        monitor.record(took, good, now);
        naive.record(took, good, now);
        let context = || format!("seed {seed}, operation {operation}");
        assert_eq!(monitor.consecutive_failures(), naive.streak, "{}", context());
        assert_eq!(monitor.status(now), naive.status, "{}", context());
        if operation % 997 == 0 {
            let span = Span::ALL[random.below(if operation % 13 == 0 { 5 } else { 4 }) as usize];
            // Some time after the call, too.
            let later = now + Duration::from_secs(random.below(2) * random.below(400));
            compare(&monitor, &naive, span, later, &format!("{} {span:?}", context()));
        }
    }
}

#[test]
fn a_million_random_calls_agree_with_a_reference_that_keeps_them_all() {
    for seed in 0..4 {
        run(seed, OPERATIONS / 4);
    }
}

/// The long run, by `--run-ignored`.
#[test]
#[ignore = "ten million operations take a minute"]
fn ten_million_random_calls_agree_with_a_reference_that_keeps_them_all() {
    for seed in 100..110 {
        run(seed, OPERATIONS);
    }
}

#[test]
fn percentiles_of_merged_windows_are_those_of_the_pooled_calls() {
    // Half the windows fast, half slow: the mean of their percentiles would be near neither.
    let mut monitor = Monitor::new(Thresholds::default());
    let mut pooled = Vec::new();
    for minute in 0..12 {
        for n in 0..100 {
            let took = if minute % 2 == 0 { ms(10 + n % 7) } else { ms(1_000 + n) };
            let now = at(minute * 300 + n);
            monitor.record(took, true, now);
            pooled.push(took);
        }
    }
    pooled.sort_unstable();
    let report = monitor.report(Span::Hour, at(11 * 300 + 99));
    assert_eq!(report.calls, 1_200);
    for (share, told) in [(0.50, report.p50), (0.95, report.p95), (0.99, report.p99)] {
        let exact = pooled[nearest_rank(share, 1_200) as usize - 1].as_secs_f64();
        let told = told.expect("calls").value.as_secs_f64();
        assert!(exact <= told && told <= exact * (1.0 + BOUND), "{share}: {told} {exact}");
    }
}
