//! `/v1/health` and `/v1/service-levels`: how the whole fares, and the numbers it is judged by (SLA-1 to SLA-3,
//! SLA-5). Read from what traffic has told; no vendor is asked.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::Instant;
use gateway::service_levels::AnswerClass;
use gateway::upstream::Upstream;
use http::HeaderName;
use resilience::sla::{Alarm, Mean, Monitor, Percentile, Rate, Report, Span, Status, Thresholds};
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::{Call, Reply};
use crate::error::Problem;
use crate::meta::rounded;
use crate::vendors_told::ListMeta;

/// How the whole fares.
#[derive(Serialize, ToSchema)]
pub struct SystemHealthTold {
    /// `HEALTHY`, `DEGRADED`, `FAILED`, or `UNKNOWN`: that of the worst of the required capabilities.
    pub overall_status: &'static str,
    /// Every vendor in service.
    pub data_sources: BTreeMap<&'static str, SourceFares>,
    /// Its circuit breaker.
    pub circuit_breakers: BTreeMap<&'static str, CircuitTold>,
    /// Every cache in memory.
    pub cache_stats: BTreeMap<&'static str, CacheUse>,
    /// Vendors that keep their promises.
    pub healthy: Vec<&'static str>,
    /// Vendors that work and break a promise.
    pub degraded: Vec<&'static str>,
    /// Vendors that do not work.
    pub failed: Vec<&'static str>,
    /// The degraded and the failed.
    pub unhealthy: Vec<&'static str>,
    /// How far the whole is from its best, from 0 to 0.8.
    pub degradation: f64,
}

/// One vendor.
#[derive(Serialize, ToSchema)]
pub struct SourceFares {
    /// `HEALTHY`, `DEGRADED`, `FAILED`, or `UNKNOWN` where it was not called of late.
    pub status: &'static str,
    /// 95th percentile of its latency in seconds: of the last five minutes, or of the last hour or day if there
    /// were no calls; `null` without any.
    pub latency_p95: Option<f64>,
    /// Share of the same calls that succeeded, in `[0, 1]`.
    pub success_rate: Option<f64>,
}

/// One circuit breaker.
#[derive(Serialize, ToSchema)]
pub struct CircuitTold {
    /// `CLOSED`, `DEGRADED`, `OPEN`, `HALF_OPEN`, `MAINTENANCE`.
    pub state: String,
    /// Failures in the last five minutes.
    pub failure_count: usize,
}

/// One cache.
#[derive(Serialize, ToSchema)]
pub struct CacheUse {
    /// Entries.
    pub size: u64,
    /// Share of requests it answered, in `[0, 1]`; `null` before the first.
    pub hit_rate: Option<f64>,
}

/// GET `/v1/health`.
pub async fn system(call: Call) -> Result<Reply, Problem> {
    call.words().finish().map_err(Problem::malformed)?;
    let health = call.gateway.system_health();
    let named = |wanted: &[Status]| {
        let vendors = health.vendors.iter().filter(|vendor| wanted.contains(&vendor.status));
        vendors.map(|vendor| vendor.vendor.as_str()).collect()
    };
    let told = SystemHealthTold {
        overall_status: health.overall.in_capitals(),
        data_sources: health
            .vendors
            .iter()
            .map(|vendor| {
                let source = SourceFares {
                    status: vendor.status.in_capitals(),
                    latency_p95: vendor.of_late.p95.map(|p95| seconds(p95.value)),
                    success_rate: vendor.of_late.success.map(|rate| rounded(rate.share)),
                };
                (vendor.vendor.as_str(), source)
            })
            .collect(),
        circuit_breakers: health
            .vendors
            .iter()
            .map(|vendor| {
                let state = vendor.breaker.to_uppercase();
                (vendor.vendor.as_str(), CircuitTold { state, failure_count: vendor.failures })
            })
            .collect(),
        cache_stats: health
            .caches
            .iter()
            .map(|(name, stats)| {
                (*name, CacheUse { size: stats.entries, hit_rate: stats.hit_rate().map(rounded) })
            })
            .collect(),
        healthy: named(&[Status::Healthy]),
        degraded: named(&[Status::Degraded]),
        failed: named(&[Status::Failed]),
        unhealthy: named(&[Status::Degraded, Status::Failed]),
        degradation: rounded(health.degradation),
    };
    let mut reply = Reply::json(&told);
    if call.about.simulated {
        // The shape of the body is given, so it is said here.
        reply.push(HeaderName::from_static("mda-simulated"), "true");
    }
    Ok(reply)
}

fn seconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e6
}

/// What everything is judged by.
#[derive(Serialize, ToSchema)]
pub struct LevelsAnswer {
    /// The levels.
    pub data: LevelsTold,
    /// Facts about the answer.
    pub meta: ListMeta,
}

/// The levels of vendors and answers.
#[derive(Serialize, ToSchema)]
pub struct LevelsTold {
    /// How the whole fares: as the worst of the required capabilities.
    pub overall: &'static str,
    /// Required capabilities.
    pub required: BTreeMap<&'static str, &'static str>,
    /// Every vendor in service.
    pub vendors: BTreeMap<&'static str, VendorLevelTold>,
    /// Every class of answers with its objective.
    pub answers: BTreeMap<&'static str, ObjectiveTold>,
}

/// One vendor.
#[derive(Serialize, ToSchema)]
pub struct VendorLevelTold {
    /// What is promised of it.
    pub promised: PromisedTold,
    /// All its calls.
    pub all: MonitorTold,
    /// Those to each endpoint.
    pub endpoints: BTreeMap<&'static str, MonitorTold>,
}

/// Promises.
#[derive(Serialize, ToSchema)]
pub struct PromisedTold {
    /// Highest 95th percentile of the latency, in milliseconds.
    pub latency_ms_p95: f64,
    /// Highest 99th percentile of the latency, in milliseconds.
    pub latency_ms_p99: f64,
    /// Lowest share of calls that succeed, in `[0, 1]`.
    pub success_rate: f64,
    /// So many failures in a row are an outage.
    pub failures: u32,
    /// Lowest share of a day in which it is up, in `[0, 1]`.
    pub uptime: f64,
    /// Lowest mean completeness, in `[0, 1]`.
    pub completeness: f64,
    /// Highest median lateness beyond the declared class, in milliseconds.
    pub freshness_ms: f64,
}

/// One monitor.
#[derive(Serialize, ToSchema)]
pub struct MonitorTold {
    /// `healthy`, `degraded`, `failed`, `unknown`.
    pub status: &'static str,
    /// Failures since the last success.
    pub consecutive_failures: u32,
    /// By span: `last_100` calls, `1m`, `5m`, `1h`, `1d`.
    pub spans: BTreeMap<&'static str, ReportTold>,
}

/// One span of a monitor. What nobody measured is `null`.
#[derive(Serialize, ToSchema)]
pub struct ReportTold {
    /// Calls that ended.
    pub n: u64,
    /// Median latency in milliseconds.
    pub latency_ms_p50: Option<PercentileTold>,
    /// 95th percentile of the latency in milliseconds.
    pub latency_ms_p95: Option<PercentileTold>,
    /// 99th percentile of the latency in milliseconds.
    pub latency_ms_p99: Option<PercentileTold>,
    /// Share of calls that succeeded.
    pub success_rate: Option<RateTold>,
    /// Share of the time it was not down, an outage in progress included, in `[0, 1]`.
    pub uptime: Option<f64>,
    /// Mean quality of its answers, in `[0, 1]`.
    pub quality: Option<MeanTold>,
    /// Mean completeness of its answers, in `[0, 1]`.
    pub completeness: Option<MeanTold>,
}

/// A percentile with its 95 % interval.
#[derive(Serialize, ToSchema)]
pub struct PercentileTold {
    /// The value, one that occurred.
    pub value: f64,
    /// The true one is at or above this.
    pub least: f64,
    /// And at or below this; `null` where there are too few calls to bound it.
    pub most: Option<f64>,
}

/// A share with its 95 % interval.
#[derive(Serialize, ToSchema)]
pub struct RateTold {
    /// The share, in `[0, 1]`.
    pub value: f64,
    /// The true rate is at or above this.
    pub least: f64,
    /// And at or below this.
    pub most: f64,
}

/// A mean with the number of answers behind it.
#[derive(Serialize, ToSchema)]
pub struct MeanTold {
    /// The mean, in `[0, 1]`.
    pub value: f64,
    /// Answers.
    pub n: u64,
}

/// The objective of a class of answers.
#[derive(Serialize, ToSchema)]
pub struct ObjectiveTold {
    /// An answer is promised within this time, in milliseconds.
    pub within_ms: f64,
    /// Share of answers that are to keep the promise.
    pub share: f64,
    /// What is left of the error budget of thirty days.
    pub budget: BudgetTold,
    /// Each alarm on the rate at which it is used up.
    pub alarms: BTreeMap<&'static str, AlarmTold>,
}

/// An error budget of thirty days.
#[derive(Serialize, ToSchema)]
pub struct BudgetTold {
    /// Answers.
    pub answers: u64,
    /// Those that were late or did not come.
    pub bad: u64,
    /// Share of the budget that is left: 1 unused, below 0 overspent.
    pub left: f64,
}

/// An alarm: both its windows must burn too fast.
#[derive(Serialize, ToSchema)]
pub struct AlarmTold {
    /// Whether it sounds.
    pub sounds: bool,
    /// The burn rate from which it sounds.
    pub threshold: f64,
    /// Burn rate by window: 1 uses the budget up exactly; `null` without answers.
    pub burn_rates: BTreeMap<String, Option<f64>>,
}

/// GET `/v1/service-levels`.
pub async fn levels(call: Call) -> Result<Reply, Problem> {
    call.words().finish().map_err(Problem::malformed)?;
    let now = call.gateway.now();
    let health = call.gateway.system_health();
    let vendors: BTreeMap<&str, VendorLevelTold> = call
        .gateway
        .upstreams()
        .filter(|upstream| upstream.is_in_service())
        .map(|upstream| (upstream.vendor().as_str(), vendor_level(upstream, now)))
        .collect();
    let data = LevelsTold {
        overall: health.overall.as_str(),
        required: health.required.iter().map(|(word, status)| (*word, status.as_str())).collect(),
        answers: AnswerClass::ALL
            .into_iter()
            .map(|class| (class.as_str(), objective(&call, class, now)))
            .collect(),
        vendors,
    };
    let meta = ListMeta::of(&call, data.vendors.len());
    Ok(Reply::json(&LevelsAnswer { data, meta }))
}

fn vendor_level(upstream: &Upstream, now: Instant) -> VendorLevelTold {
    let levels = &upstream.levels;
    VendorLevelTold {
        promised: promised(&levels.thresholds()),
        all: levels.of_all(|monitor| MonitorTold::of(monitor, now)),
        endpoints: levels
            .of_each(|endpoint, monitor| (endpoint, MonitorTold::of(monitor, now)))
            .into_iter()
            .collect(),
    }
}

fn millis(span: Duration) -> f64 {
    rounded(span.as_secs_f64() * 1e3)
}

fn promised(thresholds: &Thresholds) -> PromisedTold {
    PromisedTold {
        latency_ms_p95: millis(thresholds.p95),
        latency_ms_p99: millis(thresholds.p99),
        success_rate: thresholds.success,
        failures: thresholds.failures,
        uptime: thresholds.uptime,
        completeness: thresholds.completeness,
        freshness_ms: millis(thresholds.freshness),
    }
}

fn objective(call: &Call, class: AnswerClass, now: Instant) -> ObjectiveTold {
    call.gateway.objectives().of(class, |objective| {
        let budget = objective.budget(now);
        let window = |minutes: u32| {
            let name =
                if minutes.is_multiple_of(60) { format!("{}h", minutes / 60) } else { format!("{minutes}m") };
            (name, objective.burn_rate(minutes, now).map(rounded))
        };
        let alarm = |alarm: Alarm| AlarmTold {
            sounds: objective.sounds(alarm),
            threshold: alarm.rate(),
            burn_rates: alarm.minutes().into_iter().map(window).collect(),
        };
        ObjectiveTold {
            within_ms: millis(objective.goal().within),
            share: objective.goal().share,
            budget: BudgetTold { answers: budget.answers, bad: budget.bad, left: rounded(budget.left) },
            alarms: Alarm::ALL.into_iter().map(|one| (one.as_str(), alarm(one))).collect(),
        }
    })
}

impl MonitorTold {
    fn of(monitor: &Monitor, now: Instant) -> MonitorTold {
        let spans = Span::ALL.into_iter().map(|span| (span.as_str(), monitor.report(span, now).into()));
        MonitorTold {
            status: monitor.status(now).as_str(),
            consecutive_failures: monitor.consecutive_failures(),
            spans: spans.collect(),
        }
    }
}

impl From<Report> for ReportTold {
    fn from(report: Report) -> ReportTold {
        ReportTold {
            n: report.calls,
            latency_ms_p50: report.p50.map(PercentileTold::from),
            latency_ms_p95: report.p95.map(PercentileTold::from),
            latency_ms_p99: report.p99.map(PercentileTold::from),
            success_rate: report.success.map(RateTold::from),
            uptime: report.uptime.map(rounded),
            quality: report.quality.map(MeanTold::from),
            completeness: report.completeness.map(MeanTold::from),
        }
    }
}

impl From<Percentile> for PercentileTold {
    fn from(percentile: Percentile) -> PercentileTold {
        PercentileTold {
            value: millis(percentile.value),
            least: millis(percentile.least),
            most: percentile.most.map(millis),
        }
    }
}

impl From<Rate> for RateTold {
    fn from(rate: Rate) -> RateTold {
        RateTold { value: rounded(rate.share), least: rounded(rate.least), most: rounded(rate.most) }
    }
}

impl From<Mean> for MeanTold {
    fn from(mean: Mean) -> MeanTold {
        MeanTold { value: rounded(mean.value), n: mean.n }
    }
}
