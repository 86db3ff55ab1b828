//! The addresses of the systems people come from (CMP-1 to CMP-7), without a version and under `/api/v1`.

use std::collections::BTreeMap;

use domain::{Adjustment, InstrumentId, Interval, Range, Session, VendorId};
use futures_util::future::join_all;
use gateway::upstream::Upstream;
use gateway::{Failover, Policy, RequestId, Served};
use serde_json::{Value, json};
use vendors::{Capability, Data, Question};

use crate::bars::bars_of;
use crate::call::{Call, Reply};
use crate::compare::number;
use crate::envelope::row_letter;
use crate::error::{Code, Fault, Problem};
use crate::insights::insights;
use crate::meta::time;
use crate::vendors_told::{is_available, state};
use crate::words::When;

/// GET `/`: what this is; a page for people who ask for one.
pub async fn root(call: Call) -> Result<Reply, Problem> {
    call.words().finish().map_err(Problem::malformed)?;
    if call.accept().is_some_and(|accept| accept.contains("text/html")) {
        return Ok(Reply::html(crate::landing::page(&call)));
    }
    Ok(Reply::json(&json!({
        "name": "Market Data Agent",
        "version": call.about.version,
        "description": "One address for every market-data vendor: failover, quotas, checks, grades.",
        "simulated": call.about.simulated,
        "docs": "/docs",
        "openapi": "/openapi.json",
        "health": "/health",
    })))
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
            json!({
                "status": status,
                "error_count": health.error_count(now),
                "message": message.unwrap_or_else(|| "no errors".to_owned()),
                "response_time_ms": health.latency_ms(50.0),
                "reliability": health.reliability(),
                "is_available": available,
            }),
        );
    }
    Ok(Reply::json(&json!({
        "status": if healthy > 0 { "healthy" } else { "unhealthy" },
        "timestamp": now.to_string(),
        "simulated": call.about.simulated,
        "healthy_sources": healthy,
        "total_sources": sources.len(),
        "sources": sources,
    })))
}

/// GET `/sources` and `/sources/status`: every vendor, used or not.
pub async fn sources(call: Call) -> Result<Reply, Problem> {
    call.words().finish().map_err(Problem::malformed)?;
    let now = call.gateway.now();
    let sources: BTreeMap<&str, Value> = call
        .gateway
        .upstreams()
        .map(|upstream| {
            let available = is_available(upstream, now);
            let breaker = upstream.breaker.lock().state().as_str();
            let health = upstream.health.lock();
            let told = json!({
                "priority": upstream.priority(),
                "reliability": health.reliability(),
                "circuit_breaker_state": breaker,
                "failure_count": health.error_count(now),
                "last_failure": time(health.last_failure()),
                "is_available": available,
                "state": state(upstream).0,
            });
            (upstream.vendor().as_str(), told)
        })
        .collect();
    Ok(Reply::json(&json!({ "total_sources": sources.len(), "sources": sources })))
}

fn resolved(call: &Call) -> Result<(String, InstrumentId), Problem> {
    let text = call.path("symbol");
    Ok((text.to_uppercase(), call.resolve(text, None)?))
}

/// GET `/price/{symbol}`.
pub async fn price(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    let policy = words.policy(&call.gateway);
    words.finish().map_err(Problem::malformed)?;
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
    Ok(Reply::json(&json!({
        "symbol": symbol,
        "price": quote.price().map(|price| number(price.decimal())),
        "timestamp": served.answer.event_time.unwrap_or(served.answer.received_at).to_string(),
        "volume": quote.volume.map(|size| number(size.decimal())),
        "bid": quote.bid.map(|price| number(price.decimal())),
        "ask": quote.ask.map(|price| number(price.decimal())),
        "source": source_of(&served),
        "quality_score": served.grade.score.points(),
        "cached": matches!(served.cache, gateway::CacheState::Hit | gateway::CacheState::Stale),
        "simulated": simulated(&call, &served),
        "learning_insights": insights(&call, &instrument, &served),
    })))
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
    Ok(Reply::json(&json!({
        "symbol": symbol,
        "start_date": start.to_string(),
        "end_date": end.to_string(),
        "interval": interval.as_str(),
        "data_points": bars_of(&served).len(),
        "data": history(&call, &served, interval),
        "simulated": simulated(&call, &served),
    })))
}

fn history(call: &Call, served: &Served, interval: Interval) -> Value {
    let price = |price: Option<domain::Price>| json!(price.map(|price| number(price.decimal())));
    let rows = bars_of(served).iter().enumerate().map(|(row, bar)| {
        let grade = call.gateway.grade_row(&served.answer, row, served.now).unwrap_or(served.grade);
        let timestamp = match bar.trading_date {
            Some(date) if !interval.is_intraday() => date.to_string(),
            Some(_) | None => bar.start.to_string(),
        };
        json!({
            "timestamp": timestamp,
            "open": price(bar.open),
            "high": price(bar.high),
            "low": price(bar.low),
            "close": price(bar.close),
            "volume": bar.volume.map(|size| number(size.decimal())),
            "adjusted_close": price(bar.vendor_adjusted_close.or(bar.close)),
            "source": source_of(served),
            "quality_score": grade.score.points(),
            "grade": row_letter(&call.gateway, served, row),
        })
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
    let results: BTreeMap<&str, Option<bool>> =
        able.iter().map(|vendor| vendor.as_str()).zip(said.iter().copied()).collect();
    let valid: Vec<&str> =
        results.iter().filter(|(_, known)| **known == Some(true)).map(|(vendor, _)| *vendor).collect();
    let denied = results.values().any(|known| *known == Some(false));
    let is_valid = match (on_record || !valid.is_empty(), denied) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    };
    Ok(Reply::json(&json!({
        "symbol": symbol,
        "is_valid": is_valid,
        "valid_sources": valid,
        "validation_results": results,
        "total_sources_checked": results.len(),
        "instrument": instrument.to_string(),
        "answered_by": if on_record { "directory" } else { "sources" },
    })))
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
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut failed: BTreeMap<&str, String> = BTreeMap::new();
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
    Ok(Reply::json(&json!({
        "total_unique_symbols": total,
        "returned_symbols": names.len(),
        "symbols": names,
        "source_counts": counts,
        "failed_sources": failed,
    })))
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
