//! Who waits for a vendor, whether its quota will last, and how fast it may be asked: parts of
//! `/v1/vendors/{id}`.

use std::collections::BTreeMap;

use domain::Instant;
use gateway::gateway::window_word;
use gateway::request::{Priority, priority_word};
use gateway::upstream::Upstream;
use serde::Serialize;
use utoipa::ToSchema;

use crate::meta::{millis, rounded};

/// The line of those who wait for a vendor (SCH-2, SCH-3, LIM-3).
#[derive(Serialize, ToSchema)]
pub struct QueueTold {
    /// How many wait.
    pub depth: usize,
    /// How many of each class; who has waited long counts in a higher one.
    pub by_priority: BTreeMap<&'static str, usize>,
    /// How long the first of those who came has waited, in milliseconds.
    pub oldest_wait_ms: u64,
    /// 95th percentile of the last hundred waits, none at all included; `null` before the first permit.
    pub wait_ms_p95: Option<u64>,
    /// Requests in flight.
    pub in_flight: u32,
    /// Requests that may be in flight at present: fewer while the vendor is slow.
    pub in_flight_limit: u32,
    /// Permits granted since the start.
    pub granted: u64,
    /// Permits that were waited for.
    pub waited: u64,
    /// Requests that got no permit, by reason: `quota`, `busy`, `reserved`, `too_late`, `line_full`.
    pub refused: BTreeMap<&'static str, u64>,
    /// Share of requests that got a permit, in `[0, 1]`.
    pub success_rate: f64,
    /// Share of the fullest window that is used, in `[0, 1]`.
    pub utilization: f64,
}

/// Whether a window of a quota will last (LIM-7).
#[derive(Serialize, ToSchema)]
pub struct ForecastTold {
    /// `second`, `minute`, `hour`, `day`, `month`.
    pub window: &'static str,
    /// `calm`, `warned` from 5 %, `acting` from 20 %: reserves are kept by priority then.
    pub level: &'static str,
    /// Probability that it runs out before its reset, in `[0, 1]`.
    pub probability: f64,
    /// What is asked of it at present, in permits per second.
    pub demand_per_second: f64,
    /// When it runs out at that rate, in milliseconds from now; `null` if not before its reset.
    pub runs_out_in_ms: Option<u64>,
    /// Share of the trading time of its period that is left, in `[0, 1]`.
    pub time_left: f64,
}

/// How fast an endpoint may be asked (LIM-9).
#[derive(Serialize, ToSchema)]
pub struct LearnedRateTold {
    /// Which, by the word of its capability.
    pub endpoint: &'static str,
    /// Calls per second; `null` where neither a plan nor experience limits it.
    pub per_second: Option<f64>,
    /// Whether experience set it below the plan's.
    pub is_learned: bool,
    /// Size of its steps: `conservative`, `balanced`, `aggressive`.
    pub strategy: &'static str,
    /// The rule by which it last changed: `healthy`, `errors_over_10_percent`, `latency_over_3_s`,
    /// `five_failures_in_a_row`, `overload`, `restored`; `null` before the first change.
    pub rule: Option<&'static str>,
    /// When that was (RFC 3339).
    pub changed_at: Option<String>,
    /// Replies of the last five minutes it went by.
    pub replies: Option<usize>,
    /// Share of them that succeeded, in `[0, 1]`.
    pub success_rate: Option<f64>,
    /// Their mean latency in milliseconds.
    pub latency_ms: Option<u64>,
}

/// A limit below the plan's (LIM-9).
#[derive(Serialize, ToSchema)]
pub struct LearnedLimitTold {
    /// Length of its window in milliseconds.
    pub window_ms: u64,
    /// What the vendor answers in it.
    pub count: u32,
    /// When it was found (RFC 3339); a day later a little more is tried.
    pub found_at: String,
}

pub(crate) fn queue(upstream: &Upstream, now: Instant) -> QueueTold {
    let line = upstream.limiter.line(now);
    QueueTold {
        depth: line.depth,
        by_priority: Priority::ALL.into_iter().map(priority_word).zip(line.by_class).collect(),
        oldest_wait_ms: millis(line.oldest),
        wait_ms_p95: line.wait_p95.map(millis),
        in_flight: line.in_flight,
        in_flight_limit: line.in_flight_limit,
        granted: line.statistics.successes,
        waited: line.statistics.waited,
        refused: line.refused.into_iter().collect(),
        success_rate: rounded(line.statistics.success_rate()),
        utilization: rounded(
            upstream.limiter.status(now).iter().map(|window| window.utilization()).fold(0.0, f64::max),
        ),
    }
}

pub(crate) fn forecast(upstream: &Upstream, now: Instant) -> Vec<ForecastTold> {
    let all = upstream.limiter.forecast(now);
    all.into_iter()
        .map(|foreseen| ForecastTold {
            window: window_word(foreseen.window),
            level: foreseen.level.as_str(),
            probability: rounded(foreseen.outlook.probability),
            demand_per_second: rounded(foreseen.outlook.per_second),
            runs_out_in_ms: foreseen.outlook.runs_out_in.map(millis),
            time_left: rounded(foreseen.time_left),
        })
        .collect()
}

pub(crate) fn rates(upstream: &Upstream) -> Vec<LearnedRateTold> {
    let all = upstream.limiter.rates();
    all.into_iter()
        .map(|(endpoint, rate)| {
            let evidence = rate.evidence();
            LearnedRateTold {
                endpoint,
                per_second: rate.per_second().map(rounded),
                is_learned: rate.learned().is_some(),
                strategy: rate.eagerness().as_str(),
                rule: evidence.map(|evidence| evidence.rule.as_str()),
                changed_at: evidence.map(|evidence| evidence.at.to_string()),
                replies: evidence.map(|evidence| evidence.replies),
                success_rate: evidence.map(|evidence| rounded(evidence.success_rate)),
                latency_ms: evidence.map(|evidence| millis(evidence.latency)),
            }
        })
        .collect()
}

pub(crate) fn learned_limit(upstream: &Upstream) -> Option<LearnedLimitTold> {
    upstream.limiter.learned_limit().map(|limit| LearnedLimitTold {
        window_ms: millis(limit.length),
        count: limit.count,
        found_at: limit.at.to_string(),
    })
}
