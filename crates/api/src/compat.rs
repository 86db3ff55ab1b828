//! The addresses of the systems people come from (CMP-1 to CMP-7), without a version and under `/api/v1`.

use std::collections::BTreeMap;

use domain::{Adjustment, InstrumentId, Interval, Price, Range, Session, Size, VendorId};
use futures_util::future::join_all;
use gateway::upstream::Upstream;
use gateway::{Failover, Policy, RequestId, Served};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use vendors::{Capability, Data, Question};

use crate::bars::bars_of;
use crate::call::{Call, Reply};
use crate::compare::number;
use crate::envelope::row_letter;
use crate::error::{Code, Fault, Problem};
use crate::insights::{Insights, insights};
use crate::meta::time;
use crate::vendors_told::{is_available, state};
use crate::words::When;

// The fields of each answer stand in the order of the alphabet, so that it stays byte for byte what it was.

/// Trouble, as those systems tell it.
#[derive(Serialize, ToSchema)]
pub struct Trouble {
    /// What is wrong.
    pub detail: String,
}

/// The answer of `/`.
#[derive(Serialize, ToSchema)]
pub struct RootAnswer {
    /// What it does.
    pub description: &'static str,
    /// Where the documentation is.
    pub docs: &'static str,
    /// Where its health is told.
    pub health: &'static str,
    /// Name of the program.
    pub name: &'static str,
    /// Where this description is.
    pub openapi: &'static str,
    /// Whether everything here is simulated.
    pub simulated: bool,
    /// Version of the program.
    pub version: &'static str,
}

/// The answer of `/health`.
#[derive(Serialize, ToSchema)]
pub struct HealthAnswer {
    /// Vendors that speak for themselves: available, and not known to fail.
    pub healthy_sources: usize,
    /// Whether everything here is simulated.
    pub simulated: bool,
    /// Every vendor by its id.
    pub sources: BTreeMap<&'static str, HealthOfSource>,
    /// `healthy`, or `unhealthy` where no vendor is.
    pub status: &'static str,
    /// When (RFC 3339).
    pub timestamp: String,
    /// Vendors, used or not.
    pub total_sources: usize,
}

/// Health of one vendor.
#[derive(Serialize, ToSchema)]
pub struct HealthOfSource {
    /// Errors in the last five minutes.
    pub error_count: usize,
    /// Whether it could be asked now.
    pub is_available: bool,
    /// What there is to say.
    pub message: String,
    /// Mean of the success posterior, in `[0, 1]`.
    pub reliability: f64,
    /// Median latency in milliseconds; `null` before the first reply.
    #[schema(required = true)]
    pub response_time_ms: Option<f64>,
    /// `healthy`, `degraded`, `unhealthy`, or why it is not used: `disabled`, `unconfigured`, …
    pub status: &'static str,
}

/// The answer of `/sources` and `/sources/status`.
#[derive(Serialize, ToSchema)]
pub struct SourcesAnswer {
    /// Every vendor by its id.
    pub sources: BTreeMap<&'static str, SourceListed>,
    /// Vendors, used or not.
    pub total_sources: usize,
}

/// One vendor.
#[derive(Serialize, ToSchema)]
pub struct SourceListed {
    /// `closed`, `degraded`, `open`, `half_open`, `maintenance`.
    pub circuit_breaker_state: &'static str,
    /// Errors in the last five minutes.
    pub failure_count: usize,
    /// Whether it could be asked now.
    pub is_available: bool,
    /// When it last failed (RFC 3339).
    #[schema(required = true)]
    pub last_failure: Option<String>,
    /// 1 primary, 2 secondary, 3 backup; 999 is disabled.
    pub priority: u32,
    /// Mean of the success posterior, in `[0, 1]`.
    pub reliability: f64,
    /// `active`, `disabled`, `retired`, `unconfigured`, `drained`, `maintenance`.
    pub state: &'static str,
}

/// The answer of `/price/{symbol}`.
#[derive(Serialize, ToSchema)]
pub struct PriceAnswer {
    /// Best ask.
    #[schema(required = true, value_type = Option<f64>)]
    pub ask: Option<Box<RawValue>>,
    /// Best bid.
    #[schema(required = true, value_type = Option<f64>)]
    pub bid: Option<Box<RawValue>>,
    /// Whether memory answered.
    pub cached: bool,
    /// What experience tells.
    pub learning_insights: Insights,
    /// The price that stands for the quote: the last trade, else the middle of bid and ask.
    #[schema(required = true, value_type = Option<f64>)]
    pub price: Option<Box<RawValue>>,
    /// 0 to 100.
    pub quality_score: f64,
    /// Whether any of it comes from a simulation.
    pub simulated: bool,
    /// Who answered: a vendor, or `store`.
    pub source: &'static str,
    /// The symbol, in upper case.
    pub symbol: String,
    /// When it happened, else when it was received (RFC 3339).
    pub timestamp: String,
    /// Quantity traded in the session.
    #[schema(required = true, value_type = Option<f64>)]
    pub volume: Option<Box<RawValue>>,
}

/// The answer of `/historical/{symbol}`.
#[derive(Serialize, ToSchema)]
pub struct HistoryAnswer {
    /// Bars, oldest first.
    pub data: Vec<HistoryRow>,
    /// Number of bars.
    pub data_points: usize,
    /// Last date, included.
    #[schema(format = Date)]
    pub end_date: String,
    /// `1d`, `1w`, `1mo`, `5m`, …
    pub interval: &'static str,
    /// Whether any of it comes from a simulation.
    pub simulated: bool,
    /// First date, included.
    #[schema(format = Date)]
    pub start_date: String,
    /// The symbol, in upper case.
    pub symbol: String,
}

/// One bar.
#[derive(Serialize, ToSchema)]
pub struct HistoryRow {
    /// Last price as the vendor adjusts it, else the last price.
    #[schema(required = true, value_type = Option<f64>)]
    pub adjusted_close: Option<Box<RawValue>>,
    /// Last price.
    #[schema(required = true, value_type = Option<f64>)]
    pub close: Option<Box<RawValue>>,
    /// `A` to `F`.
    pub grade: &'static str,
    /// Highest price.
    #[schema(required = true, value_type = Option<f64>)]
    pub high: Option<Box<RawValue>>,
    /// Lowest price.
    #[schema(required = true, value_type = Option<f64>)]
    pub low: Option<Box<RawValue>>,
    /// First price.
    #[schema(required = true, value_type = Option<f64>)]
    pub open: Option<Box<RawValue>>,
    /// 0 to 100.
    pub quality_score: f64,
    /// Who answered: a vendor, or `store`.
    pub source: &'static str,
    /// Trading date of a day and longer, else the start of the window (RFC 3339).
    pub timestamp: String,
    /// Quantity traded.
    #[schema(required = true, value_type = Option<f64>)]
    pub volume: Option<Box<RawValue>>,
}

/// The answer of `/validate/{symbol}`.
#[derive(Serialize, ToSchema)]
pub struct ValidateAnswer {
    /// `directory` or `sources`.
    pub answered_by: &'static str,
    /// Canonical id.
    pub instrument: String,
    /// Whether it exists; `null` where nobody can tell.
    #[schema(required = true)]
    pub is_valid: Option<bool>,
    /// The symbol, in upper case.
    pub symbol: String,
    /// Vendors that could be asked.
    pub total_sources_checked: usize,
    /// Vendors that know it.
    pub valid_sources: Vec<&'static str>,
    /// What each vendor says; `null` where it cannot be told inside its quota.
    pub validation_results: BTreeMap<&'static str, Option<bool>>,
}

/// The answer of `/symbols`.
#[derive(Serialize, ToSchema)]
pub struct SymbolsAnswer {
    /// Vendors whose list failed, and why.
    pub failed_sources: BTreeMap<&'static str, String>,
    /// Number of symbols told.
    pub returned_symbols: usize,
    /// How many symbols each vendor lists, and the `directory`.
    pub source_counts: BTreeMap<&'static str, usize>,
    /// Symbols, ascending.
    pub symbols: Vec<String>,
    /// Symbols known.
    pub total_unique_symbols: usize,
}

/// GET `/`: what this is; a page for people who ask for one.
pub async fn root(call: Call) -> Result<Reply, Problem> {
    call.words().finish().map_err(Problem::malformed)?;
    if call.accept().is_some_and(|accept| accept.contains("text/html")) {
        return Ok(Reply::html(crate::landing::page(&call)));
    }
    Ok(Reply::json(&RootAnswer {
        description: "One address for every market-data vendor: failover, quotas, checks, grades.",
        docs: "/docs",
        health: "/health",
        name: "Market Data Agent",
        openapi: "/openapi.json",
        simulated: call.about.simulated,
        version: call.about.version,
    }))
}

/// GET `/health`: from what traffic has told; no vendor is asked.
pub async fn health(call: Call) -> Result<Reply, Problem> {
    call.words().finish().map_err(Problem::malformed)?;
    let now = call.gateway.now();
    let mut sources = BTreeMap::new();
    let mut healthy = 0;
    for upstream in call.gateway.upstreams() {
        let available = is_available(upstream, now);
        let (state, reason) = state(upstream);
        let health = upstream.health.lock();
        let condition = health.condition(now).as_str();
        // Never asked and ready to be: nothing speaks against it.
        let is_healthy = available && condition != "unhealthy";
        healthy += usize::from(is_healthy);
        let status = match (state, is_healthy) {
            ("active", true) if condition == "unknown" => "healthy",
            ("active", true) => condition,
            ("active", false) => "unhealthy",
            (other, _) => other,
        };
        let message = reason.or_else(|| health.last_error().map(|word| format!("last error: {word}")));
        sources.insert(
            upstream.vendor().as_str(),
            HealthOfSource {
                error_count: health.error_count(now),
                is_available: available,
                message: message.unwrap_or_else(|| "no errors".to_owned()),
                reliability: health.reliability(),
                response_time_ms: health.latency_ms(50.0),
                status,
            },
        );
    }
    Ok(Reply::json(&HealthAnswer {
        healthy_sources: healthy,
        simulated: call.about.simulated,
        total_sources: sources.len(),
        sources,
        status: if healthy > 0 { "healthy" } else { "unhealthy" },
        timestamp: now.to_string(),
    }))
}

/// GET `/sources` and `/sources/status`: every vendor, used or not.
pub async fn sources(call: Call) -> Result<Reply, Problem> {
    call.words().finish().map_err(Problem::malformed)?;
    let now = call.gateway.now();
    let sources: BTreeMap<&str, SourceListed> = call
        .gateway
        .upstreams()
        .map(|upstream| {
            let available = is_available(upstream, now);
            let breaker = upstream.breaker.lock().state().as_str();
            let health = upstream.health.lock();
            let told = SourceListed {
                circuit_breaker_state: breaker,
                failure_count: health.error_count(now),
                is_available: available,
                last_failure: time(health.last_failure()),
                priority: upstream.priority(),
                reliability: health.reliability(),
                state: state(upstream).0,
            };
            (upstream.vendor().as_str(), told)
        })
        .collect();
    Ok(Reply::json(&SourcesAnswer { total_sources: sources.len(), sources }))
}

fn resolved(call: &Call) -> Result<(String, InstrumentId), Problem> {
    let text = call.path("symbol");
    Ok((text.to_uppercase(), call.resolve(text, None)?))
}

/// GET `/price/{symbol}`.
pub async fn price(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    let mut policy = words.policy(&call.gateway);
    words.finish().map_err(Problem::malformed)?;
    policy.fresh_for = Some(call.gateway.caching().compatibility_price);
    let (symbol, instrument) = resolved(&call)?;
    let question = crate::quotes::question(&instrument);
    let served = call.ask(call.id.clone(), question, policy).await.map_err(|refusal| refusal.problem)?;
    let quote = match &served.answer.data {
        Data::Quotes(rows) => rows.first().and_then(|row| row.quote.as_ref().ok()),
        _ => None,
    };
    let Some(quote) = quote else {
        return Err(Problem::new(Code::BadUpstream, "the vendor's reply has no quote in it"));
    };
    Ok(Reply::json(&PriceAnswer {
        ask: price_told(quote.ask),
        bid: price_told(quote.bid),
        cached: matches!(served.cache, gateway::CacheState::Hit | gateway::CacheState::Stale),
        learning_insights: insights(&call, &instrument, &served),
        price: price_told(quote.price()),
        quality_score: f64::from(served.grade.score.points()),
        simulated: simulated(&call, &served),
        source: source_of(&served),
        symbol,
        timestamp: served.answer.event_time.unwrap_or(served.answer.received_at).to_string(),
        volume: size_told(quote.volume),
    }))
}

fn price_told(price: Option<Price>) -> Option<Box<RawValue>> {
    price.map(|price| number(price.decimal()))
}

fn size_told(size: Option<Size>) -> Option<Box<RawValue>> {
    size.map(|size| number(size.decimal()))
}

fn source_of(served: &Served) -> &'static str {
    served.answer.vendor().map_or("store", VendorId::as_str)
}

fn simulated(call: &Call, served: &Served) -> bool {
    call.about.simulated || served.answer.simulated
}

/// GET `/historical/{symbol}`: dates, both included, as those systems have it.
pub async fn historical(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    let interval = words.interval();
    let (start, end) = (words.date("start_date"), words.date("end_date"));
    let policy = words.policy(&call.gateway);
    if let (Some(start), Some(end)) = (start, end)
        && end < start
    {
        words.fault("end_date", format!("{end} is before {start}"));
    }
    words.finish().map_err(Problem::malformed)?;
    let (symbol, instrument) = resolved(&call)?;
    let calendars = call.gateway.calendars();
    let today = calendars
        .of(instrument.venue())
        .map_or_else(|| call.received_at.utc_date(), |calendar| calendar.trading_date(call.received_at));
    let end = end.unwrap_or(today);
    let usual = jiff::Span::new()
        .days(i64::try_from(crate::bars::usual_length(interval).as_secs() / 86_400).unwrap_or(0));
    let start = start.unwrap_or_else(|| end.saturating_sub(usual));
    let after = end.tomorrow().unwrap_or(end);
    let venue = instrument.venue();
    let at = |date| When::Date(date).at(venue, calendars);
    if at(after) <= at(start) {
        let fault = Fault { parameter: "end_date".into(), detail: format!("{end} is before {start}") };
        return Err(Problem::malformed(vec![fault]));
    }
    let question = Question::Bars {
        instrument,
        interval,
        range: Range::new(at(start), at(after)),
        adjustment: Adjustment::Split,
        session: Session::Regular,
    };
    let served = call.ask(call.id.clone(), question, policy).await.map_err(|refusal| refusal.problem)?;
    Ok(Reply::json(&HistoryAnswer {
        data: history(&call, &served, interval),
        data_points: bars_of(&served).len(),
        end_date: end.to_string(),
        interval: interval.as_str(),
        simulated: simulated(&call, &served),
        start_date: start.to_string(),
        symbol,
    }))
}

fn history(call: &Call, served: &Served, interval: Interval) -> Vec<HistoryRow> {
    let rows = bars_of(served).iter().enumerate().map(|(row, bar)| {
        let grade = call.gateway.grade_row(&served.answer, row, served.now).unwrap_or(served.grade);
        let timestamp = match bar.trading_date {
            Some(date) if !interval.is_intraday() => date.to_string(),
            Some(_) | None => bar.start.to_string(),
        };
        HistoryRow {
            adjusted_close: price_told(bar.vendor_adjusted_close.or(bar.close)),
            close: price_told(bar.close),
            grade: row_letter(&call.gateway, served, row),
            high: price_told(bar.high),
            low: price_told(bar.low),
            open: price_told(bar.open),
            quality_score: f64::from(grade.score.points()),
            source: source_of(served),
            timestamp,
            volume: size_told(bar.volume),
        }
    });
    rows.collect()
}

/// GET `/validate/{symbol}`: yes, no or unknown per vendor. The directory answers first; a vendor is asked
/// only where it cannot tell, inside its quota.
pub async fn validate(call: Call) -> Result<Reply, Problem> {
    call.words().finish().map_err(Problem::malformed)?;
    let (symbol, instrument) = resolved(&call)?;
    let now = call.gateway.now();
    let able: Vec<VendorId> = call
        .gateway
        .upstreams()
        .filter(|upstream| upstream.barred(Capability::Quote, now).is_none())
        .map(|upstream| upstream.vendor())
        .collect();
    let on_record = call.gateway.directory().instrument(&instrument).is_some();
    let said = join_all(able.iter().map(|vendor| knows(&call, *vendor, &instrument, on_record))).await;
    let results: BTreeMap<&'static str, Option<bool>> =
        able.iter().map(|vendor| vendor.as_str()).zip(said.iter().copied()).collect();
    let valid: Vec<&'static str> =
        results.iter().filter(|(_, known)| **known == Some(true)).map(|(vendor, _)| *vendor).collect();
    let denied = results.values().any(|known| *known == Some(false));
    let is_valid = match (on_record || !valid.is_empty(), denied) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    };
    Ok(Reply::json(&ValidateAnswer {
        answered_by: if on_record { "directory" } else { "sources" },
        instrument: instrument.to_string(),
        is_valid,
        symbol,
        total_sources_checked: results.len(),
        valid_sources: valid,
        validation_results: results,
    }))
}

/// Whether a vendor knows an instrument; `None` if it cannot be told inside its quota.
async fn knows(call: &Call, vendor: VendorId, instrument: &InstrumentId, on_record: bool) -> Option<bool> {
    let heard = call.gateway.voices_about(instrument).iter().any(|voice| voice.vendor == vendor);
    if heard {
        return Some(true);
    }
    let upstream = call.gateway.find_upstream(vendor)?;
    if on_record || !has_room(upstream, call) {
        return None;
    }
    let policy = Policy { vendors: vec![vendor], failover: Failover::None, ..Policy::default() };
    let id = RequestId(format!("{}.{vendor}", call.id).into());
    match call.ask(id, crate::quotes::question(instrument), policy).await {
        Ok(_) => Some(true),
        Err(refusal) if refusal.problem.code == Code::UnknownSymbol => Some(false),
        Err(_) => None,
    }
}

fn has_room(upstream: &Upstream, call: &Call) -> bool {
    let now = call.gateway.now();
    upstream.limiter.room_at(upstream.cost(1), now).is_none() && upstream.limiter.told_until(now).is_none()
}

/// GET `/symbols`: what the directory knows, and which vendors list symbols.
pub async fn symbols(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    let limit = words.count("limit", 1, 100_000).unwrap_or(100) as usize;
    words.finish().map_err(Problem::malformed)?;
    let now = call.gateway.now();
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut failed: BTreeMap<&'static str, String> = BTreeMap::new();
    let lists = call
        .gateway
        .upstreams()
        .filter(|upstream| upstream.barred(Capability::Symbols, now).is_none())
        .map(|upstream| upstream.vendor());
    let asked: Vec<VendorId> = lists.collect();
    let listed = join_all(asked.iter().map(|vendor| list_of(&call, *vendor))).await;
    for (vendor, list) in asked.iter().zip(listed) {
        match list {
            Ok(instruments) => {
                counts.insert(vendor.as_str(), instruments);
            }
            Err(problem) => {
                failed.insert(vendor.as_str(), problem.detail);
            }
        }
    }
    let directory = call.gateway.directory();
    counts.insert("directory", directory.count());
    let mut names: Vec<&str> = directory.instruments().map(|instrument| instrument.id.name()).collect();
    names.sort_unstable();
    names.dedup();
    let total = names.len();
    names.truncate(limit);
    Ok(Reply::json(&SymbolsAnswer {
        failed_sources: failed,
        returned_symbols: names.len(),
        source_counts: counts,
        symbols: names.into_iter().map(str::to_owned).collect(),
        total_unique_symbols: total,
    }))
}

/// How many symbols a vendor lists. A new list is taken into the directory.
async fn list_of(call: &Call, vendor: VendorId) -> Result<usize, Problem> {
    let policy = Policy { vendors: vec![vendor], failover: Failover::None, ..Policy::default() };
    let id = RequestId(format!("{}.{vendor}", call.id).into());
    let served = call.ask(id, Question::Symbols, policy).await.map_err(|refusal| refusal.problem)?;
    let Data::Instruments(list) = &served.answer.data else { return Ok(0) };
    if served.cache == gateway::CacheState::Miss {
        // The directory in memory has them even where the store cannot write.
        let _ = call.gateway.learn_instruments(vendor, list.clone()).await;
    }
    Ok(list.len())
}
