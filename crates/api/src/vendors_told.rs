//! `/v1/vendors`: what each vendor is, what its plan leaves, and how it fares.

use std::collections::BTreeMap;

use domain::Instant;
use gateway::gateway::window_word;
use gateway::request::Priority;
use gateway::upstream::Upstream;
use resilience::circuit_breaker::{Reason, State, system};
use serde::Serialize;
use utoipa::ToSchema;
use vendors::{Capability, Status};

use crate::call::{Call, Reply};
use crate::error::{Code, Problem};
use crate::meta::{dollars, millis, rounded, time};
use crate::orders::order;
use crate::queue_told::{self, ForecastTold, LearnedLimitTold, LearnedRateTold, QueueTold};
use crate::words::read_vendor;

/// One vendor.
#[derive(Serialize, ToSchema)]
pub struct VendorTold {
    /// Stable id.
    pub id: &'static str,
    /// Other names it is known by.
    pub aliases: Vec<&'static str>,
    /// `active`, `disabled`, `retired`, `unconfigured`, `drained`, `maintenance`.
    pub state: &'static str,
    /// Why it is not active, and what would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The environment variable that would hold the missing key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_key: Option<&'static str>,
    /// The vendor that offers most of the same, where this one is retired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replacement: Option<&'static str>,
    /// Class: `equity_realtime`, `equity_delayed`, `end_of_day`, `news`, …
    pub class: &'static str,
    /// Whether its values are simulated.
    pub simulated: bool,
    /// 1 primary, 2 secondary, 3 backup; 999 is disabled.
    pub priority: u32,
    /// Whether it could be asked now.
    pub is_available: bool,
    /// What it offers, by capability; bars by interval.
    pub offers: Vec<String>,
    /// Capabilities taken away by an entitlement refusal, with when they are tried again.
    pub removed_capabilities: BTreeMap<String, String>,
    /// The plan in force.
    pub plan: PlanTold,
    /// Every window of its quota.
    pub quota: Vec<QuotaTold>,
    /// Every limit of money of ours.
    pub spend: Vec<SpendTold>,
    /// Who waits for it, and how long.
    pub queue: QueueTold,
    /// Whether each window of its quota will last to its reset.
    pub forecast: Vec<ForecastTold>,
    /// How fast each endpoint may be asked, by rule and evidence.
    pub rates: Vec<LearnedRateTold>,
    /// The limit it was found to keep below its plan's, if it was.
    pub learned_limit: Option<LearnedLimitTold>,
    /// Until when it told us to wait, if it did (RFC 3339).
    pub told_to_wait_until: Option<String>,
    /// Its circuit breaker.
    pub circuit_breaker: BreakerTold,
    /// What traffic tells about it.
    pub health: HealthTold,
    /// Its hosts, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostTold>,
}

/// A vendor's plan.
#[derive(Serialize, ToSchema)]
pub struct PlanTold {
    /// Name.
    pub name: String,
    /// When these facts were last checked against the vendor's own pages.
    pub verified_on: String,
    /// `real_time`, `delayed`, `end_of_day`.
    pub delivery: &'static str,
    /// The declared delay in milliseconds.
    pub declared_delay_ms: Option<u64>,
    /// How many days of history it serves; `null` is all.
    pub history_days: Option<u64>,
    /// Price of one request in US dollars, a decimal.
    pub request_usd: String,
    /// Price a month in US dollars.
    pub monthly_usd: u32,
}

/// One window of a quota.
#[derive(Serialize, ToSchema)]
pub struct QuotaTold {
    /// `second`, `minute`, `hour`, `day`, `month`.
    pub window: &'static str,
    /// What the plan allows.
    pub limit: u32,
    /// What may be used at present: less than the limit after an unexpected refusal.
    pub allowed: u32,
    /// Used.
    pub used: u32,
    /// Left.
    pub remaining: u32,
    /// When room comes back, if anything is used (RFC 3339).
    pub resets_at: Option<String>,
}

/// One limit of money.
#[derive(Serialize, ToSchema)]
pub struct SpendTold {
    /// `second`, `minute`, `hour`, `day`, `month`.
    pub window: &'static str,
    /// What may be spent, in US dollars, a decimal.
    pub limit_usd: String,
    /// Spent.
    pub used_usd: String,
    /// Left.
    pub remaining_usd: String,
    /// When room comes back, if anything is spent (RFC 3339).
    pub resets_at: Option<String>,
}

/// A circuit breaker, and those below it.
#[derive(Serialize, ToSchema)]
pub struct BreakerTold {
    /// `closed`, `degraded`, `open`, `half_open`, `maintenance`.
    pub state: &'static str,
    /// When it lets the next call through, where it refuses now (RFC 3339).
    pub retry_at: Option<String>,
    /// Why it is in maintenance, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Share of calls it lets through: 1 closed, less while degraded, else 0.
    pub admitted_share: f64,
    /// The numbers in use.
    pub in_use: BreakerNumbers,
    /// What they follow from.
    pub baseline: BaselineTold,
    /// States of the breakers of kinds of questions that were asked, by the kind's word.
    pub endpoints: BTreeMap<&'static str, &'static str>,
    /// Symbols that are not asked for because the vendor fails on them alone, with until when (RFC 3339).
    pub open_symbols: BTreeMap<String, String>,
}

/// Numbers of a circuit breaker.
#[derive(Serialize, ToSchema)]
pub struct BreakerNumbers {
    /// Weighted failures that open it.
    pub failure_threshold: u32,
    /// A call that takes longer counts as slow, in milliseconds.
    pub slow_ms: u64,
    /// How long it stays open before a probe, in seconds.
    pub open_secs: f64,
    /// Good probes in a row that close it.
    pub success_threshold: u32,
}

/// What is usual for a vendor.
#[derive(Serialize, ToSchema)]
pub struct BaselineTold {
    /// Whether the numbers in use follow it.
    pub adaptive: bool,
    /// The configured threshold.
    pub failure_threshold: u32,
    /// The configured limit of slow calls in milliseconds.
    pub slow_ms: u64,
    /// Share of calls that failed in the last five minutes of a closed breaker; `null` where too few were made.
    pub error_share: Option<f64>,
    /// 99th percentile of the latency in milliseconds; `null` before there are enough.
    pub latency_ms_p99: Option<u64>,
}

/// One host of a vendor.
#[derive(Serialize, ToSchema)]
pub struct HostTold {
    /// Its address.
    pub base_url: String,
    /// Whether it is the one that is asked.
    pub is_chosen: bool,
    /// Recent average latency in milliseconds; `null` before the first reply.
    pub latency_ms: Option<f64>,
    /// Until when it is not asked because it failed (RFC 3339).
    pub away_until: Option<String>,
}

/// What traffic tells about a vendor.
#[derive(Serialize, ToSchema)]
pub struct HealthTold {
    /// `healthy`, `degraded`, `unhealthy`, or `unknown` before the first call.
    pub status: &'static str,
    /// Errors in the last five minutes.
    pub error_count: usize,
    /// Calls since the start.
    pub calls: u64,
    /// Calls since the start by how they ended.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Median latency in milliseconds; `null` before the first reply.
    pub latency_ms_p50: Option<f64>,
    /// 95th percentile of the latency in milliseconds.
    pub latency_ms_p95: Option<f64>,
    /// Number of latencies behind the percentiles.
    pub latency_samples: usize,
    /// Mean of the success posterior, in `[0, 1]`.
    pub reliability: f64,
    /// Moving mean of graded scores, in `[0, 1]`.
    pub quality: f64,
    /// When it last gave what was asked (RFC 3339).
    pub last_success: Option<String>,
    /// When it last failed (RFC 3339).
    pub last_failure: Option<String>,
    /// How it last failed.
    pub last_error: Option<&'static str>,
    /// Requests in flight.
    pub in_flight: u32,
}

/// Whether a vendor could be asked something now.
pub fn is_available(upstream: &Upstream, now: Instant) -> bool {
    let open = upstream.breaker.lock().check(now, Priority::Normal).is_ok();
    state(upstream).0 == "active"
        && open
        && upstream.limiter.told_until(now).is_none()
        && upstream.limiter.room_at(upstream.cost(1), now).is_none()
}

/// The state of a vendor, and why it is not active.
pub fn state(upstream: &Upstream) -> (&'static str, Option<String>) {
    let settings = &upstream.settings;
    let profile = settings.codec.profile();
    if settings.is_retired() {
        let reason = match profile.status {
            Status::Retired { since, replacement } => {
                format!(
                    "its official hosts closed on {since}; use {replacement}, or a compatible host by base_url"
                )
            }
            Status::Active => "its official hosts are closed".to_owned(),
        };
        ("retired", Some(reason))
    } else if !settings.enabled || upstream.priority() >= gateway::upstream::DISABLED {
        ("disabled", Some("switched off in the configuration".to_owned()))
    } else if let Some(variable) = settings.missing_key() {
        ("unconfigured", Some(format!("its key is missing: set {variable}")))
    } else if upstream.is_drained() {
        ("drained", Some("taken out by an operator: POST to its undrain".to_owned()))
    } else if upstream.breaker.lock().state().as_str() == "maintenance" {
        ("maintenance", maintenance_reason(&upstream.breaker.lock().state()))
    } else {
        ("active", None)
    }
}

/// Why a breaker is in maintenance, if it is.
fn maintenance_reason(state: &State) -> Option<String> {
    match state {
        State::Maintenance { reason: Reason::Planned(words), .. } => Some(words.to_string()),
        State::Maintenance { reason: Reason::BadCredentials, .. } => {
            Some("it does not accept the key; it is tried again now and then".to_owned())
        }
        State::Maintenance { .. } => Some("in maintenance".to_owned()),
        State::Closed | State::Degraded | State::Open { .. } | State::HalfOpen => None,
    }
}

fn breaker(upstream: &Upstream, now: Instant) -> BreakerTold {
    let breaker = upstream.breaker.lock();
    let (in_use, base) = (breaker.settings(), breaker.baseline().base());
    let state = breaker.state();
    BreakerTold {
        state: state.as_str(),
        retry_at: time(breaker.check(now, Priority::Normal).err().map(|refused| refused.retry_at)),
        reason: maintenance_reason(&state),
        admitted_share: breaker.share(),
        in_use: BreakerNumbers {
            failure_threshold: in_use.failures,
            slow_ms: millis(in_use.slow),
            open_secs: in_use.open.as_secs_f64(),
            success_threshold: in_use.successes,
        },
        baseline: BaselineTold {
            adaptive: breaker.is_adaptive(),
            failure_threshold: base.failures,
            slow_ms: millis(base.slow),
            error_share: breaker.baseline().error_share(now).map(rounded),
            latency_ms_p99: breaker.baseline().p99().map(millis),
        },
        endpoints: breaker.endpoints().map(|(name, state)| (*name, state.as_str())).collect(),
        open_symbols: breaker
            .open_symbols(now)
            .into_iter()
            .map(|(symbol, until)| (symbol.to_string(), until.to_string()))
            .collect(),
    }
}

fn hosts(upstream: &Upstream, now: Instant) -> Vec<HostTold> {
    let regions = upstream.regions.lock();
    let told = upstream.hosts().enumerate().map(|(place, base_url)| HostTold {
        base_url: base_url.to_owned(),
        is_chosen: place == regions.chosen(),
        latency_ms: regions.latency(place).map(|latency| rounded(latency.as_secs_f64() * 1e3)),
        away_until: time(regions.away_until(place, now)),
    });
    let told: Vec<HostTold> = told.collect();
    if told.len() > 1 { told } else { Vec::new() }
}

fn capability_word(capability: Capability) -> String {
    match capability {
        Capability::Bars(interval) => format!("bars.{interval}"),
        other => other.as_str().to_owned(),
    }
}

/// All about one vendor.
pub fn told(upstream: &Upstream, now: Instant) -> VendorTold {
    let settings = &upstream.settings;
    let profile = settings.codec.profile();
    let (state, reason) = state(upstream);
    let plan = &settings.plan;
    VendorTold {
        id: profile.id.as_str(),
        aliases: profile.aliases.to_vec(),
        state,
        reason,
        missing_key: settings.missing_key(),
        replacement: match profile.status {
            Status::Retired { replacement, .. } if settings.is_retired() => Some(replacement),
            Status::Retired { .. } | Status::Active => None,
        },
        class: profile.class.as_str(),
        simulated: upstream.is_simulated(),
        priority: upstream.priority(),
        is_available: is_available(upstream, now),
        offers: Capability::all()
            .filter(|capability| profile.offers(*capability) && plan.includes(*capability))
            .map(capability_word)
            .collect(),
        removed_capabilities: upstream
            .removed(now)
            .into_iter()
            .map(|(capability, at)| (capability_word(capability), at.to_string()))
            .collect(),
        plan: PlanTold {
            name: plan.name.clone(),
            verified_on: plan.verified_on.to_string(),
            delivery: plan.delivery.as_str(),
            declared_delay_ms: plan.delivery.declared_delay().map(millis),
            history_days: plan.history.map(|reach| reach.as_secs() / 86_400),
            request_usd: dollars(plan.request_micros),
            monthly_usd: plan.monthly_usd,
        },
        quota: upstream
            .limiter
            .status(now)
            .into_iter()
            .map(|window| QuotaTold {
                window: window_word(window.limit.window),
                limit: window.limit.count,
                allowed: window.allowed,
                used: window.used,
                remaining: window.remaining,
                resets_at: time(window.resets_at),
            })
            .collect(),
        spend: upstream
            .limiter
            .spend_status(now)
            .into_iter()
            .map(|window| SpendTold {
                window: window_word(window.limit.window),
                limit_usd: dollars(window.limit.micros),
                used_usd: dollars(window.used),
                remaining_usd: dollars(window.remaining),
                resets_at: time(window.resets_at),
            })
            .collect(),
        queue: queue_told::queue(upstream, now),
        forecast: queue_told::forecast(upstream, now),
        rates: queue_told::rates(upstream),
        learned_limit: queue_told::learned_limit(upstream),
        told_to_wait_until: time(upstream.limiter.told_until(now)),
        circuit_breaker: breaker(upstream, now),
        health: health(upstream, now),
        hosts: hosts(upstream, now),
    }
}

fn health(upstream: &Upstream, now: Instant) -> HealthTold {
    let health = upstream.health.lock();
    HealthTold {
        status: health.condition(now).as_str(),
        error_count: health.error_count(now),
        calls: health.calls(),
        outcomes: health.outcomes().clone(),
        latency_ms_p50: health.latency_ms(50.0).map(rounded),
        latency_ms_p95: health.latency_ms(95.0).map(rounded),
        latency_samples: health.samples(),
        reliability: rounded(health.reliability()),
        quality: rounded(health.quality()),
        last_success: time(health.last_success()),
        last_failure: time(health.last_failure()),
        last_error: health.last_error(),
        in_flight: upstream.in_flight(),
    }
}

/// Every vendor.
#[derive(Serialize, ToSchema)]
pub struct VendorList {
    /// In the order of ids.
    pub data: Vec<VendorTold>,
    /// All vendors together.
    pub system: SystemTold,
    /// Facts about the list.
    pub meta: ListMeta,
}

/// All vendors together.
#[derive(Serialize, ToSchema)]
pub struct SystemTold {
    /// `closed`; `open` or `half_open` while nearly all vendors fail at once, for which we blame ourselves.
    pub state: &'static str,
    /// When vendors are tried again, where they are not asked now (RFC 3339).
    pub retry_at: Option<String>,
}

/// Facts about a list.
#[derive(Serialize, ToSchema)]
pub struct ListMeta {
    /// Of which request.
    pub request_id: String,
    /// Whether everything here is simulated.
    pub simulated: bool,
    /// Number of entries.
    pub count: usize,
}

impl ListMeta {
    /// Of a list of so many entries.
    pub fn of(call: &Call, count: usize) -> ListMeta {
        ListMeta { request_id: call.id.to_string(), simulated: call.about.simulated, count }
    }
}

/// Every vendor with its state.
pub async fn list(call: Call) -> Result<Reply, Problem> {
    call.words().finish().map_err(Problem::malformed)?;
    call.gateway.heed_calendars();
    let now = call.gateway.now();
    let data: Vec<VendorTold> = call.gateway.upstreams().map(|upstream| told(upstream, now)).collect();
    let meta = ListMeta::of(&call, data.len());
    let state = call.gateway.system_state();
    let retry_at = match state {
        system::State::Open { until } => Some(until),
        system::State::Closed | system::State::HalfOpen => None,
    };
    let system = SystemTold { state: state.as_str(), retry_at: time(retry_at) };
    Ok(Reply::json(&VendorList { data, system, meta }))
}

/// The vendor of the path.
pub(crate) fn named(call: &Call) -> Result<&Upstream, Problem> {
    let vendor =
        read_vendor(call.path("id"), &call.gateway).map_err(|detail| Problem::new(Code::NotFound, detail))?;
    let upstream = call.gateway.find_upstream(vendor);
    upstream
        .map(std::sync::Arc::as_ref)
        .ok_or_else(|| Problem::new(Code::NotFound, "there is no such vendor"))
}

/// One vendor.
#[derive(Serialize, ToSchema)]
pub struct OneVendor {
    /// The vendor.
    pub data: VendorTold,
    /// Facts about the answer.
    pub meta: ListMeta,
}

pub(crate) fn reply(call: &Call, upstream: &Upstream) -> Reply {
    Reply::json(&OneVendor { data: told(upstream, call.gateway.now()), meta: ListMeta::of(call, 1) })
}

/// One vendor with its state.
pub async fn one(call: Call) -> Result<Reply, Problem> {
    call.words().finish().map_err(Problem::malformed)?;
    call.gateway.heed_calendars();
    Ok(reply(&call, named(&call)?))
}

/// Takes a vendor out: what is running ends, nothing new is asked of it.
pub async fn drain(call: Call) -> Result<Reply, Problem> {
    set_drained(&call, true)
}

/// Puts a vendor back.
pub async fn undrain(call: Call) -> Result<Reply, Problem> {
    set_drained(&call, false)
}

/// Gives a vendor another place in the order, until the next start: 1 primary, 2 secondary, 3 backup, 999 off.
pub async fn priority(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    let value = words.count("value", 1, u64::from(gateway::upstream::DISABLED));
    if value.is_none() {
        words.fault("value", "is missing: 1 primary, 2 secondary, 3 backup, 999 off");
    }
    let order = order(&mut words, "none given");
    words.finish().map_err(Problem::malformed)?;
    let upstream = named(&call)?;
    if let Some(value) = value.and_then(|value| u32::try_from(value).ok()) {
        upstream.set_priority(value);
        call.gateway.ordered(upstream.vendor(), format!("priority {value}"), order);
    }
    Ok(reply(&call, upstream))
}

/// Asks a vendor one question now, inside its quota, and tells how it fares. The exchange is on record under
/// this request's id.
pub async fn probe(call: Call) -> Result<Reply, Problem> {
    call.words().finish().map_err(Problem::malformed)?;
    let vendor = named(&call)?.vendor();
    let decision = call.gateway.probe(vendor, call.id.clone()).await;
    call.gateway.remember(call.id.clone(), &decision);
    Ok(reply(&call, named(&call)?))
}

fn set_drained(call: &Call, drained: bool) -> Result<Reply, Problem> {
    let mut words = call.words();
    let order = order(&mut words, "none given");
    words.finish().map_err(Problem::malformed)?;
    let upstream = named(call)?;
    upstream.set_drained(drained);
    call.gateway.ordered(upstream.vendor(), if drained { "drain" } else { "undrain" }.to_owned(), order);
    Ok(reply(call, upstream))
}
