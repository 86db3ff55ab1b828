//! Watches one thing that is called (SLA-1, SLA-2).

use std::collections::VecDeque;
use std::time::Duration;

use domain::Instant;

use super::interval::{nearest_rank, wilson};
use super::latencies::{Buckets, Merged, percentile_of};
use super::report::{Rate, Report, Span};
use super::ring::Ring;
use super::status::{Breach, Status, StatusChange};
use super::tally::{Sum, Tally};
use super::thresholds::Thresholds;

/// Calls that are remembered one by one.
const LAST: usize = 100;
/// Calls older than this are no evidence of how things are.
const EVIDENCE: Duration = Duration::from_secs(300);
/// A share or percentile of fewer calls is told, and not judged.
const ENOUGH: u64 = 10;
/// A window of the hysteresis.
const WINDOW: Duration = Duration::from_secs(60);
/// So many good windows in a row make it better.
const GOOD_WINDOWS: u32 = 3;
/// What was not called for so long is unknown.
const IDLE: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// What one answer was worth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Judged {
    /// Quality, in `[0, 1]`.
    pub quality: Option<f64>,
    /// Share of what was expected that came, in `[0, 1]`.
    pub completeness: Option<f64>,
    /// How much later than promised it is.
    pub lateness: Option<Duration>,
}

/// One remembered call.
#[derive(Clone, Copy, Debug)]
struct Past {
    at: Instant,
    took: Duration,
    succeeded: bool,
}

/// Counts of the remembered calls that are young enough to be evidence.
#[derive(Clone, Copy, Debug, Default)]
struct Evidence {
    calls: u64,
    good: u64,
    over_p95: u64,
    over_p99: u64,
}

impl Evidence {
    fn count(&mut self, call: &Past, limits: &Thresholds, add: impl Fn(&mut u64)) {
        add(&mut self.calls);
        for (holds, counter) in [
            (call.succeeded, &mut self.good),
            (call.took > limits.p95, &mut self.over_p95),
            (call.took > limits.p99, &mut self.over_p99),
        ] {
            if holds {
                add(counter);
            }
        }
    }

    /// Whether a percentile is above its limit: then fewer calls than its rank are at or below it. As few bad calls
    /// as are no outage in a row are chance.
    fn exceeds(&self, share: f64, over: u64, chance: u64) -> bool {
        self.calls >= ENOUGH && over > chance && self.calls - over < nearest_rank(share, self.calls)
    }

    /// Whether fewer calls succeed than have to.
    fn fails(&self, least: f64, chance: u64) -> bool {
        let failed = self.calls - self.good;
        self.calls >= ENOUGH && failed > chance && (self.good as f64) < least * self.calls as f64 - 1e-9
    }
}

/// Watches one thing that is called: what it is told of every call, timed from its start to the last byte of its
/// end, and of every answer.
///
/// The status falls at once and rises only after three good minutes with calls in them. A call counts as evidence
/// for five minutes, and no longer than until the next outage has ended. Fewer bad calls than would be an outage in a
/// row are chance, and break no promise.
#[derive(Clone, Debug)]
pub struct Monitor {
    thresholds: Thresholds,
    buckets: Buckets,
    minute: Ring<Tally>,
    five_minutes: Ring<Tally>,
    hour: Ring<Tally>,
    day: Ring<Tally>,
    last: VecDeque<Past>,
    /// How many of the oldest remembered calls are no evidence any more.
    old: usize,
    evidence: Evidence,
    judged: VecDeque<(Instant, Judged)>,
    first: Option<Instant>,
    newest: Instant,
    /// Failures since the last success, and when the first of them was.
    streak: u32,
    streak_since: Instant,
    status: Status,
    window: Window,
}

/// The window of the hysteresis that is running, and what those before it were.
#[derive(Clone, Copy, Debug)]
struct Window {
    index: i64,
    worst: Status,
    good: u32,
    worst_of_good: Status,
}

impl Monitor {
    /// Nothing has been called yet.
    pub fn new(thresholds: Thresholds) -> Monitor {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        Monitor {
            thresholds,
            buckets: Buckets::new(),
            minute: Ring::new(minutes(1), 6),
            five_minutes: Ring::new(minutes(5), 10),
            hour: Ring::new(minutes(60), 12),
            day: Ring::new(DAY, 24),
            last: VecDeque::new(),
            old: 0,
            evidence: Evidence::default(),
            judged: VecDeque::new(),
            first: None,
            newest: Instant::MIN,
            streak: 0,
            streak_since: Instant::MIN,
            status: Status::Unknown,
            window: Window {
                index: i64::MIN,
                worst: Status::Unknown,
                good: 0,
                worst_of_good: Status::Unknown,
            },
        }
    }

    /// Takes a call that has ended, and says if that changes the status. `took` runs from the moment it was due to
    /// the last byte. Calls that nobody can blame on what is watched (cancelled, refused by our own limits, the
    /// caller's mistake) are not told at all.
    pub fn record(&mut self, took: Duration, succeeded: bool, now: Instant) -> Option<StatusChange> {
        let now = self.advance(now);
        self.first.get_or_insert(now - took);
        let bucket = self.buckets.of(took);
        for ring in [&mut self.minute, &mut self.five_minutes, &mut self.hour, &mut self.day] {
            let tally = ring.at(now);
            tally.calls += 1;
            tally.good += u32::from(succeeded);
            tally.latencies.add(bucket);
        }
        if succeeded {
            self.end_outage(now);
            self.streak = 0;
        } else {
            if self.streak == 0 {
                self.streak_since = now;
            }
            self.streak = self.streak.saturating_add(1);
        }
        self.remember(Past { at: now, took, succeeded });
        self.judge(now)
    }

    /// Takes what an answer was worth, and says if that changes the status.
    pub fn judge_answer(&mut self, judged: Judged, now: Instant) -> Option<StatusChange> {
        let now = self.advance(now);
        for ring in [&mut self.minute, &mut self.five_minutes, &mut self.hour, &mut self.day] {
            let tally = ring.at(now);
            if let Some(quality) = judged.quality {
                tally.quality.add(quality);
            }
            if let Some(completeness) = judged.completeness {
                tally.completeness.add(completeness);
            }
        }
        if self.judged.len() == LAST {
            self.judged.pop_front();
        }
        self.judged.push_back((now, judged));
        if self.status == Status::Unknown {
            return None; // a verdict needs a call
        }
        self.judge(now)
    }

    /// How it fares: as last judged, or unknown where it was not called for an hour and was not down.
    pub fn status(&self, now: Instant) -> Status {
        let idle = now.since(self.newest) > IDLE && !self.is_down();
        if idle { Status::Unknown } else { self.status }
    }

    /// Failures since the last success.
    pub fn consecutive_failures(&self) -> u32 {
        self.streak
    }

    /// What is promised.
    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// Goes on with other promises, as after a reload.
    pub fn retune(&mut self, thresholds: Thresholds) {
        self.thresholds = thresholds;
        self.evidence = Evidence::default();
        for call in self.last.iter().skip(self.old) {
            self.evidence.count(call, &self.thresholds, |counter| *counter += 1);
        }
    }

    /// Everything about a span. Percentiles of windows are those of all their calls pooled.
    pub fn report(&self, span: Span, now: Instant) -> Report {
        let now = now.max(self.newest);
        let ring = match span {
            Span::LastCalls => return self.report_last(now),
            Span::Minute => &self.minute,
            Span::FiveMinutes => &self.five_minutes,
            Span::Hour => &self.hour,
            Span::Day => &self.day,
        };
        let calls: u64 = ring.held(now).map(|tally| u64::from(tally.calls)).sum();
        let good = ring.held(now).map(|tally| u64::from(tally.good)).sum();
        let merged = Merged::new(ring.held(now).map(|tally| &tally.latencies));
        Report {
            calls,
            p50: merged.percentile(0.50),
            p95: merged.percentile(0.95),
            p99: merged.percentile(0.99),
            success: rate(good, calls),
            uptime: self.uptime(ring, now),
            quality: Sum::mean(ring.held(now).map(|tally| tally.quality)),
            completeness: Sum::mean(ring.held(now).map(|tally| tally.completeness)),
        }
    }

    fn report_last(&self, now: Instant) -> Report {
        let mut sorted: Vec<Duration> = self.last.iter().map(|call| call.took).collect();
        sorted.sort_unstable();
        let good = self.last.iter().filter(|call| call.succeeded).count();
        let mean = |of: fn(&Judged) -> Option<f64>| {
            let mut sum = Sum::default();
            self.judged.iter().filter_map(|(_, judged)| of(judged)).for_each(|value| sum.add(value));
            Sum::mean(std::iter::once(sum))
        };
        Report {
            calls: self.last.len() as u64,
            p50: percentile_of(&sorted, 0.50),
            p95: percentile_of(&sorted, 0.95),
            p99: percentile_of(&sorted, 0.99),
            success: rate(good as u64, self.last.len() as u64),
            uptime: self.uptime(&self.day, now),
            quality: mean(|judged| judged.quality),
            completeness: mean(|judged| judged.completeness),
        }
    }

    /// Whether an outage is in progress.
    fn is_down(&self) -> bool {
        self.streak >= self.thresholds.failures
    }

    fn uptime(&self, ring: &Ring<Tally>, now: Instant) -> Option<f64> {
        let begins = ring.begins(now).max(self.first?);
        let observed = now.since(begins);
        if observed.is_zero() {
            return Some(if self.is_down() { 0.0 } else { 1.0 });
        }
        Some(1.0 - self.down(ring, now).as_secs_f64().min(observed.as_secs_f64()) / observed.as_secs_f64())
    }

    /// Time spent down in what a ring holds, up to now.
    fn down(&self, ring: &Ring<Tally>, now: Instant) -> Duration {
        let over: Duration = ring.held(now).map(|tally| tally.down).sum();
        let running =
            if self.is_down() { now.since(self.streak_since.max(ring.begins(now))) } else { Duration::ZERO };
        over + running
    }

    /// An outage lasts from the first failure of the row to the next success.
    fn end_outage(&mut self, now: Instant) {
        if !self.is_down() {
            return;
        }
        for ring in [&mut self.minute, &mut self.five_minutes, &mut self.hour, &mut self.day] {
            ring.spread(self.streak_since, now, |tally, part| tally.down += part);
        }
        // What was so while it was down says nothing of what is.
        self.old = self.last.len();
        self.evidence = Evidence::default();
    }

    /// Time never goes back here.
    fn advance(&mut self, now: Instant) -> Instant {
        self.newest = self.newest.max(now);
        self.newest
    }

    fn remember(&mut self, call: Past) {
        if self.last.len() == LAST
            && let Some(gone) = self.last.pop_front()
        {
            if self.old > 0 {
                self.old -= 1;
            } else {
                self.evidence.count(&gone, &self.thresholds, |counter| *counter -= 1);
            }
        }
        self.evidence.count(&call, &self.thresholds, |counter| *counter += 1);
        self.last.push_back(call);
    }

    fn drop_old_evidence(&mut self, now: Instant) {
        while let Some(call) = self.last.get(self.old)
            && now.since(call.at) > EVIDENCE
        {
            self.evidence.count(call, &self.thresholds, |counter| *counter -= 1);
            self.old += 1;
        }
        while self.judged.front().is_some_and(|(at, _)| now.since(*at) > DAY) {
            self.judged.pop_front();
        }
    }

    /// What the evidence says of this moment.
    fn verdict(&self, now: Instant) -> (Status, Option<Breach>) {
        let limits = &self.thresholds;
        let seen = &self.evidence;
        let chance = u64::from(limits.failures.saturating_sub(1));
        if self.is_down() {
            return (Status::Failed, Some(Breach::FailuresInARow));
        }
        if seen.fails(limits.success, chance) {
            return (Status::Failed, Some(Breach::SuccessRate));
        }
        let breach = if seen.exceeds(0.95, seen.over_p95, chance) {
            Some(Breach::P95)
        } else if seen.exceeds(0.99, seen.over_p99, chance) {
            Some(Breach::P99)
        } else if self.down(&self.day, now).as_secs_f64() > (1.0 - limits.uptime) * DAY.as_secs_f64() {
            Some(Breach::Uptime)
        } else {
            self.breach_of_content(now)
        };
        (if breach.is_some() { Status::Degraded } else { Status::Healthy }, breach)
    }

    fn breach_of_content(&self, now: Instant) -> Option<Breach> {
        let mut completeness = Sum::default();
        let (mut late, mut told) = (0_u64, 0_u64);
        for (_, judged) in self.judged.iter().rev().take_while(|(at, _)| now.since(*at) <= EVIDENCE) {
            judged.completeness.into_iter().for_each(|value| completeness.add(value));
            if let Some(lateness) = judged.lateness {
                told += 1;
                late += u64::from(lateness > self.thresholds.freshness);
            }
        }
        let mean = Sum::mean(std::iter::once(completeness)).filter(|mean| mean.n >= ENOUGH);
        if mean.is_some_and(|mean| mean.value < self.thresholds.completeness - 1e-9) {
            return Some(Breach::Completeness);
        }
        // More than half of them late: so is the median.
        (told >= ENOUGH && 2 * late > told).then_some(Breach::Freshness)
    }

    fn judge(&mut self, now: Instant) -> Option<StatusChange> {
        self.drop_old_evidence(now);
        let (verdict, breach) = self.verdict(now);
        let before = self.status;
        let index = now.as_nanos().div_euclid(WINDOW.as_nanos() as i64);
        let window = &mut self.window;
        if index != window.index {
            let closed = window.worst;
            if closed < self.status && closed != Status::Unknown {
                window.good += 1;
                window.worst_of_good = window.worst_of_good.max(closed);
            } else {
                (window.good, window.worst_of_good) = (0, Status::Unknown);
            }
            (window.index, window.worst) = (index, verdict);
            if window.good >= GOOD_WINDOWS {
                self.status = window.worst_of_good;
                (window.good, window.worst_of_good) = (0, Status::Unknown);
            }
        } else {
            window.worst = window.worst.max(verdict);
        }
        if verdict > self.status {
            self.status = verdict;
            (window.good, window.worst_of_good) = (0, Status::Unknown);
        }
        (self.status != before).then(|| StatusChange {
            from: before,
            to: self.status,
            at: now,
            breach: if self.status > before { breach } else { None },
        })
    }
}

fn rate(good: u64, n: u64) -> Option<Rate> {
    let (least, most) = wilson(good, n);
    (n > 0).then(|| Rate { share: good as f64 / n as f64, least, most })
}
