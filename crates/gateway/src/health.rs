//! What real traffic tells about a vendor (SRC-10): no probe is needed to know it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use domain::{Delivery, Instant};

/// Window of the error count.
const WINDOW: Duration = Duration::from_secs(300);
/// Latencies remembered.
const LATENCIES: usize = 100;
/// Evidence older than this counts half (algorithms, section 14: availability).
const HALF_LIFE_SECS: f64 = 3_600.0;

/// Verdict on a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// At most two errors in the window.
    Healthy,
    /// More than two errors in the window.
    Degraded,
    /// More than five errors in the window.
    Unhealthy,
    /// Never asked.
    Unknown,
}

impl Condition {
    /// The word used in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Condition::Healthy => "healthy",
            Condition::Degraded => "degraded",
            Condition::Unhealthy => "unhealthy",
            Condition::Unknown => "unknown",
        }
    }
}

/// Counters and averages of one vendor, fed by every exchange.
#[derive(Clone, Debug)]
pub struct Health {
    errors: VecDeque<(Instant, f64)>,
    latencies_ms: VecDeque<f64>,
    outcomes: BTreeMap<&'static str, u64>,
    good: f64,
    bad: f64,
    forgotten_at: Option<Instant>,
    quality: f64,
    grades: u32,
    last_success: Option<Instant>,
    last_failure: Option<Instant>,
    last_error: Option<&'static str>,
    calls: u64,
}

impl Health {
    /// Prior of a vendor nobody has asked yet: reliability 0.8 (MEM-2), quality by its delivery class and by
    /// whether its quotes have bid and ask, and volume.
    pub fn new(delivery: Delivery, bid_ask: bool, volume: bool) -> Health {
        let class = match delivery {
            Delivery::RealTime => 0.88,
            Delivery::Delayed(_) => 0.78,
            Delivery::EndOfDay => 0.70,
        };
        Health {
            errors: VecDeque::new(),
            latencies_ms: VecDeque::new(),
            outcomes: BTreeMap::new(),
            good: 8.0,
            bad: 2.0,
            forgotten_at: None,
            quality: class + if bid_ask { 0.07 } else { 0.0 } - if volume { 0.0 } else { 0.2 },
            grades: 1,
            last_success: None,
            last_failure: None,
            last_error: None,
            calls: 0,
        }
    }

    fn forget(&mut self, now: Instant) {
        let since = self.forgotten_at.replace(now).map_or(Duration::ZERO, |last| now.since(last));
        let kept = (-since.as_secs_f64() / HALF_LIFE_SECS).exp2();
        self.good = 8.0 + (self.good - 8.0) * kept;
        self.bad = 2.0 + (self.bad - 2.0) * kept;
    }

    /// One exchange that gave what was asked, or an honest "unknown symbol" or "no data".
    pub fn succeeded(&mut self, word: &'static str, latency: Duration, now: Instant) {
        self.forget(now);
        self.good += 1.0;
        self.count(word);
        self.last_success = Some(now);
        if self.latencies_ms.len() == LATENCIES {
            self.latencies_ms.pop_front();
        }
        self.latencies_ms.push_back(latency.as_secs_f64() * 1e3);
    }

    /// One exchange that failed by the vendor's fault, weighing as much as its breaker counts it.
    pub fn failed(&mut self, word: &'static str, weight: f64, now: Instant) {
        self.count(word);
        self.last_error = Some(word);
        self.last_failure = Some(now);
        if weight > 0.0 {
            self.forget(now);
            self.bad += weight;
            self.errors.push_back((now, weight));
            while self.errors.front().is_some_and(|(at, _)| now.since(*at) > WINDOW) {
                self.errors.pop_front();
            }
        }
    }

    /// Takes back failures since an instant, because they were ours (BRK-12).
    pub fn absolve(&mut self, since: Instant) {
        while let Some((_, weight)) = self.errors.pop_back_if(|(at, _)| *at >= since) {
            self.bad = (self.bad - weight).max(2.0);
        }
    }

    fn count(&mut self, word: &'static str) {
        self.calls += 1;
        *self.outcomes.entry(word).or_default() += 1;
    }

    /// Takes over the score (0 to 100) of one graded answer: a plain mean of the first ten, the prior being
    /// one of them, then a moving one.
    pub fn graded(&mut self, score: f64) {
        self.grades = (self.grades + 1).min(10);
        self.quality += (score / 100.0 - self.quality) / f64::from(self.grades);
    }

    /// Errors in the last five minutes.
    pub fn error_count(&self, now: Instant) -> usize {
        self.errors.iter().filter(|(at, _)| now.since(*at) <= WINDOW).count()
    }

    /// Verdict on the last five minutes.
    pub fn condition(&self, now: Instant) -> Condition {
        match self.error_count(now) {
            _ if self.calls == 0 => Condition::Unknown,
            0..=2 => Condition::Healthy,
            3..=5 => Condition::Degraded,
            _ => Condition::Unhealthy,
        }
    }

    /// Mean of the success posterior, in `[0, 1]`.
    pub fn reliability(&self) -> f64 {
        self.good / (self.good + self.bad)
    }

    /// Lower 5 % bound of the success posterior, in `[0, 1]`, by the normal approximation of the Beta
    /// distribution.
    pub fn reliability_lower(&self) -> f64 {
        let n = self.good + self.bad;
        let mean = self.good / n;
        (mean - 1.645 * (mean * (1.0 - mean) / (n + 1.0)).sqrt()).clamp(0.0, 1.0)
    }

    /// Moving mean of graded scores, in `[0, 1]`.
    pub fn quality(&self) -> f64 {
        self.quality
    }

    /// Percentile of the last hundred latencies in milliseconds; `None` before the first.
    pub fn latency_ms(&self, percentile: f64) -> Option<f64> {
        let mut sorted: Vec<f64> = self.latencies_ms.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let rank = (percentile / 100.0 * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1).min(sorted.len().checked_sub(1)?)).copied()
    }

    /// Number of latencies behind [`Health::latency_ms`].
    pub fn samples(&self) -> usize {
        self.latencies_ms.len()
    }

    /// Exchanges since start.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Exchanges since start by how they ended.
    pub fn outcomes(&self) -> &BTreeMap<&'static str, u64> {
        &self.outcomes
    }

    /// When it last gave what was asked.
    pub fn last_success(&self) -> Option<Instant> {
        self.last_success
    }

    /// When it last failed.
    pub fn last_failure(&self) -> Option<Instant> {
        self.last_failure
    }

    /// How it last failed.
    pub fn last_error(&self) -> Option<&'static str> {
        self.last_error
    }
}

#[cfg(test)]
mod tests {
    // SRC-10, MEM-2.
    use super::*;

    fn at(secs: i64) -> Instant {
        Instant::from_secs(secs)
    }

    #[test]
    fn errors_make_a_vendor_degraded_then_unhealthy_and_time_heals_it() {
        let mut health = Health::new(Delivery::RealTime, true, true);
        assert_eq!(health.condition(at(0)), Condition::Unknown);
        health.succeeded("answered", Duration::from_millis(20), at(0));
        assert_eq!(health.condition(at(0)), Condition::Healthy);
        for second in 1..=3 {
            health.failed("vendor_fault", 1.0, at(second));
        }
        assert_eq!(health.condition(at(3)), Condition::Degraded);
        for second in 4..=6 {
            health.failed("vendor_fault", 1.0, at(second));
        }
        assert_eq!(health.condition(at(6)), Condition::Unhealthy);
        assert_eq!(health.condition(at(400)), Condition::Healthy);
    }

    #[test]
    fn failures_lower_reliability_and_forgetting_returns_it_to_the_prior() {
        let mut health = Health::new(Delivery::RealTime, true, true);
        assert_eq!(health.reliability(), 0.8);
        for second in 0..50 {
            health.failed("timed_out", 1.0, at(second));
        }
        assert!(health.reliability() < 0.2);
        health.succeeded("answered", Duration::ZERO, at(86_400));
        assert!((health.reliability() - 0.8).abs() < 0.05);
    }

    #[test]
    fn what_is_not_the_vendors_fault_does_not_count_against_it() {
        let mut health = Health::new(Delivery::RealTime, true, true);
        for second in 0..50 {
            health.failed("rate_limited", 0.0, at(second));
        }
        assert_eq!(health.reliability(), 0.8);
        assert_eq!(health.error_count(at(50)), 0);
        assert_eq!(health.outcomes()["rate_limited"], 50);
    }

    #[test]
    fn what_was_our_fault_is_taken_back_and_what_was_not_stays() {
        let mut health = Health::new(Delivery::RealTime, true, true);
        health.failed("vendor_fault", 1.0, at(0));
        let before = health.reliability();
        for second in 10..15 {
            health.failed("connect_failed", 0.9, at(second));
        }
        assert!(health.reliability() < before);
        health.absolve(at(10));
        assert!((health.reliability() - before).abs() < 0.01);
        assert_eq!(health.error_count(at(15)), 1);
    }

    #[test]
    fn the_first_grades_weigh_most() {
        let mut health = Health::new(Delivery::RealTime, true, true);
        health.graded(69.0);
        assert!((health.quality() - 0.82).abs() < 1e-9);
        for _ in 0..100 {
            health.graded(90.0);
        }
        assert!((health.quality() - 0.9).abs() < 1e-3);
    }

    #[test]
    fn a_percentile_is_a_latency_that_was_seen() {
        let mut health = Health::new(Delivery::RealTime, true, true);
        assert_eq!(health.latency_ms(95.0), None);
        for ms in 1..=100 {
            health.succeeded("answered", Duration::from_millis(ms), at(0));
        }
        assert_eq!(health.latency_ms(95.0), Some(95.0));
        assert_eq!(health.latency_ms(50.0), Some(50.0));
    }
}
