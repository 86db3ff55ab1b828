//! `POST /v1/estimate`: what a request would take, before any call and without spending anything (CST-5).

use std::collections::BTreeMap;

use domain::{Adjustment, Instant, InstrumentId, Range};
use futures_util::future::join_all;
use gateway::estimate::{Estimate, Offer};
use gateway::{CacheState, Policy, Request};
use serde::Serialize;
use utoipa::ToSchema;
use vendors::Question;

use crate::ask::Asked;
use crate::bars::usual_length;
use crate::call::{Call, Reply};
use crate::costs::{body_fault, price_warnings};
use crate::error::{Fault, Problem};
use crate::meta::{CandidateTold, WarningTold, dollars, millis};
use crate::vendors_told::ListMeta;
use crate::words::Words;

/// What may be estimated.
const KINDS: [&str; 4] = ["quotes", "bars", "trades", "news"];

/// What one vendor would take.
#[derive(Serialize, ToSchema)]
pub struct OfferTold {
    /// Whom.
    pub vendor: &'static str,
    /// Exchanges.
    pub calls: u64,
    /// Their price in US dollars, a decimal.
    pub amount: String,
}

impl OfferTold {
    fn of(offer: &Offer) -> OfferTold {
        OfferTold {
            vendor: offer.vendor.as_str(),
            calls: offer.exchanges.len() as u64,
            amount: dollars(offer.micros()),
        }
    }
}

/// What one symbol would take.
#[derive(Serialize, ToSchema)]
pub struct SymbolEstimate {
    /// Where the answer would come from: `hit` (memory), `stored`, or `miss` (vendors).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'static str>,
    /// Rows to be expected; an upper bound where only the vendor knows.
    pub rows: u64,
    /// What each vendor that can be asked would take, in the order of asking.
    pub offers: Vec<OfferTold>,
    /// Vendors that cannot be asked, and why.
    pub skipped: Vec<CandidateTold>,
    /// Why it cannot be asked at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a request would take.
#[derive(Serialize, ToSchema)]
pub struct EstimateTold {
    /// Exchanges with vendors.
    pub calls: u64,
    /// Their price in US dollars, a decimal.
    pub amount: String,
    /// Its currency.
    pub currency: &'static str,
    /// Rows to be expected.
    pub rows: u64,
    /// Counted against quotas, as `vendor.window`.
    pub quota: BTreeMap<String, u64>,
    /// How long it would take if the calls to each vendor followed one another, waits for quota included; `null` where
    /// a quota never allows it.
    pub time_ms: Option<u64>,
    /// Whether the budgets allow it.
    pub within_budget: bool,
    /// The budget that does not, and when it starts anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over_budget: Option<String>,
    /// Each symbol by itself.
    pub symbols: BTreeMap<String, SymbolEstimate>,
}

/// The answer of `/v1/estimate`.
#[derive(Serialize, ToSchema)]
pub struct EstimateAnswer {
    /// What it would take.
    pub data: EstimateTold,
    /// Facts about the answer.
    pub meta: ListMeta,
    /// What must be known: prices that were not checked for long.
    pub warnings: Vec<WarningTold>,
}

/// The words of a body: a JSON object of the same names that a query has.
fn body_words(body: &[u8]) -> Result<String, Problem> {
    if body.trim_ascii().is_empty() {
        return Ok(String::new());
    }
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).map_err(|_| {
        body_fault("must be a JSON object, such as {\"symbols\": [\"AAPL\"], \"interval\": \"1d\"}")
    })?;
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(_) | serde_json::Value::Bool(_) => Some(value.to_string()),
        _ => None,
    };
    let mut pairs = Vec::new();
    for (name, value) in &object {
        let value = match value {
            serde_json::Value::Null => continue,
            serde_json::Value::Array(items) => {
                items.iter().map(text).collect::<Option<Vec<_>>>().map(|items| items.join(","))
            }
            other => text(other),
        };
        let value = value.ok_or_else(|| {
            let detail = "must be a text, a number, true, false, or a list of these".to_owned();
            Problem::malformed(vec![Fault { parameter: name.chars().take(48).collect(), detail }])
        })?;
        let encoded = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        pairs.push(format!("{}={}", encoded(name), encoded(&value)));
    }
    Ok(pairs.join("&"))
}

/// What a request would take: the words of `/v1/quotes/latest`, `/v1/bars`, `/v1/trades` or `/v1/news`, in the query
/// or as a JSON object in the body, and which of them is meant as `kind`.
pub async fn estimate(call: Call) -> Result<Reply, Problem> {
    let written = body_words(&call.body)?;
    let query = format!("{}&{written}", call.query);
    let mut words = Words::read(&query, &call.headers);
    let kind = words.choose("kind", &KINDS, |kind| kind);
    let is_ranged = query.split('&').any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        ["interval", "timeframe", "start", "adjustment"].contains(&name)
    });
    let kind = kind.unwrap_or(if is_ranged { "bars" } else { "quotes" });
    let interval = words.interval();
    let adjustment = words.adjustment().unwrap_or(Adjustment::Split);
    let session = words.session();
    let (start, end) = (words.when("start"), words.when("end"));
    let limit = words.count("limit", 1, 1_000_000);
    let asked = Asked::read(&call, "symbols", words)?;
    let range_of = |instrument: &InstrumentId| -> Result<Range, Problem> {
        let (venue, calendars) = (instrument.venue(), call.gateway.calendars());
        let usual =
            if kind == "bars" { usual_length(interval) } else { usual_length(domain::Interval::D1) / 52 };
        let end = end.map_or(call.received_at, |end| end.at(venue, calendars));
        let start: Instant = start.map_or(end - usual, |start| start.at(venue, calendars));
        if end <= start {
            let detail = format!("the range from {start} to {end} is empty: a range is [start, end)");
            return Err(Problem::malformed(vec![Fault { parameter: "end".to_owned(), detail }]));
        }
        Ok(Range::new(start, end))
    };
    let policy = Policy { consumer: call.consumer, ..asked.policy.clone() };
    let mut keys = Vec::new();
    let mut failed = BTreeMap::new();
    let mut requests = Vec::new();
    for (key, resolved) in asked.symbols {
        let question = resolved.and_then(|instrument| {
            let range = range_of(&instrument)?;
            let most = |usual: u64| u32::try_from(limit.unwrap_or(usual)).unwrap_or(u32::MAX);
            Ok(match kind {
                "bars" => Question::Bars { instrument, interval, range, adjustment, session },
                "trades" => Question::Trades { instrument, range, limit: most(1_000) },
                "news" => Question::News { instrument, range, limit: most(50) },
                _ => crate::quotes::question(&instrument),
            })
        });
        match question {
            Ok(question) => {
                keys.push(key);
                let (id, policy) = (call.id.clone(), policy.clone());
                requests.push(Request { id, question, policy, received_at: call.received_at });
            }
            Err(problem) => {
                failed.insert(key, problem);
            }
        }
    }
    if keys.is_empty()
        && let Some((_, problem)) = failed.pop_first()
    {
        return Err(problem);
    }
    let estimates: Vec<Estimate> =
        join_all(requests.iter().map(|request| call.gateway.estimate(request))).await;
    let total = call.gateway.total(&estimates, policy.consumer, policy.priority);
    let told = |estimate: &Estimate| SymbolEstimate {
        source: Some(estimate.source.as_str()),
        rows: estimate.rows,
        offers: estimate.offers.iter().map(OfferTold::of).collect(),
        skipped: estimate.skipped.iter().map(CandidateTold::of).collect(),
        error: (estimate.source == CacheState::Miss && estimate.offers.is_empty())
            .then(|| "no vendor can be asked at present".to_owned()),
    };
    let mut symbols: BTreeMap<String, SymbolEstimate> =
        keys.into_iter().zip(estimates.iter().map(told)).collect();
    symbols.extend(failed.into_iter().map(|(key, problem)| {
        let (offers, skipped) = (Vec::new(), Vec::new());
        (key, SymbolEstimate { source: None, rows: 0, offers, skipped, error: Some(problem.detail) })
    }));
    let data = EstimateTold {
        calls: total.calls,
        amount: dollars(total.micros),
        currency: "USD",
        rows: total.rows,
        quota: total.quota,
        time_ms: total.time.map(millis),
        within_budget: total.over_budget.is_none(),
        over_budget: total.over_budget.and_then(|skipped| skipped.detail()),
        symbols,
    };
    let (meta, warnings) = (ListMeta::of(&call, data.symbols.len()), price_warnings(&call));
    Ok(Reply::json(&EstimateAnswer { data, meta, warnings }))
}
