//! `GET /v1/compare`: every vendor's own value of one instrument, side by side.

use std::collections::BTreeMap;

use domain::number::Decimal;
use domain::{InstrumentId, VendorId};
use futures_util::future::join_all;
use gateway::{Failover, Policy, RequestId, Served};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use vendors::{Capability, Data};

use crate::call::{Call, Refusal, Reply};
use crate::error::{Code, Fault, Problem};
use crate::meta::{AttemptMade, Explanation, attempts_made, raw, time};
use crate::quotes;

/// One vendor's own value.
#[derive(Serialize, ToSchema)]
pub struct Voice {
    /// Whose.
    pub vendor: &'static str,
    /// How its question ended: `answered`, or the code of the refusal, or why it was not asked.
    pub outcome: String,
    /// What that means here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The price that stands for its quote: the last trade, else the middle of bid and ask.
    #[schema(value_type = Option<f64>)]
    pub price: Option<Box<RawValue>>,
    /// Best bid.
    #[schema(value_type = Option<f64>)]
    pub bid: Option<Box<RawValue>>,
    /// Best ask.
    #[schema(value_type = Option<f64>)]
    pub ask: Option<Box<RawValue>>,
    /// When it happened (RFC 3339).
    pub t: Option<String>,
    /// Its age in milliseconds.
    pub age_ms: Option<u64>,
    /// `real_time`, `delayed`, `end_of_day`.
    pub delivery: Option<&'static str>,
    /// Letter of its grade.
    pub grade: Option<&'static str>,
    /// Its score, 0 to 100.
    pub score: Option<f32>,
    /// Price minus the median.
    #[schema(value_type = Option<f64>)]
    pub difference: Option<Box<RawValue>>,
    /// The difference in basis points of the median.
    pub difference_bps: Option<f64>,
    /// `hit`, `miss`, …
    pub cache: Option<&'static str>,
    /// Exchanges that brought it.
    pub attempts: Vec<AttemptMade>,
}

/// The values of one instrument.
#[derive(Serialize, ToSchema)]
pub struct Compared {
    /// Canonical id.
    pub instrument: String,
    /// Every vendor, those that answered first.
    pub vendors: Vec<Voice>,
    /// Median of the prices.
    #[schema(value_type = Option<f64>)]
    pub median: Option<Box<RawValue>>,
    /// Highest minus lowest price.
    #[schema(value_type = Option<f64>)]
    pub spread: Option<Box<RawValue>>,
    /// Vendors that answered with a price.
    pub answered: usize,
    /// Different upstream feeds among them: vendors of one feed are one voice.
    pub independent: usize,
}

/// The answer of `/v1/compare`.
#[derive(Serialize, ToSchema)]
pub struct CompareAnswer {
    /// By symbol.
    pub data: BTreeMap<String, Compared>,
    /// Facts about the answer.
    pub meta: CompareMeta,
}

/// Facts about a comparison.
#[derive(Serialize, ToSchema)]
pub struct CompareMeta {
    /// Of which request.
    pub request_id: String,
    /// Whether any value is simulated.
    pub simulated: bool,
    /// How it was decided, if the caller asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub explain: Vec<Explanation>,
}

enum Said {
    Answered(Box<Served>),
    Refused(Box<Refusal>),
    NotAsked(gateway::Skipped),
}

/// Every eligible vendor's own quote, asked in parallel.
pub async fn compare(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    let symbols = words.symbols("symbol");
    let policy = words.policy(&call.gateway);
    let form = words.form(call.accept());
    if symbols.len() > 1 {
        words.fault("symbol", "takes one symbol");
    }
    let instrument = symbols.first().and_then(|text| match call.resolve(text, policy.asof) {
        Ok(id) => Some(id),
        Err(problem) => {
            words.fault("symbol", problem.detail);
            None
        }
    });
    words.finish().map_err(Problem::malformed)?;
    let (Some(instrument), Some(symbol)) = (instrument, symbols.first()) else {
        return Err(Problem::malformed(vec![Fault {
            parameter: "symbol".into(),
            detail: "is missing".into(),
        }]));
    };
    let listed = |vendor: VendorId| policy.vendors.is_empty() || policy.vendors.contains(&vendor);
    let vendors: Vec<VendorId> =
        call.gateway.upstreams().map(|upstream| upstream.vendor()).filter(|vendor| listed(*vendor)).collect();
    let said = join_all(vendors.iter().map(|vendor| ask(&call, *vendor, &instrument, &policy))).await;
    remember(&call, &instrument, &vendors, &said);
    if !said.iter().any(|said| matches!(said, Said::Answered(_))) {
        return Err(worst(said));
    }
    let explain = match form.explain {
        true => said
            .iter()
            .filter_map(|said| match said {
                Said::Answered(served) => {
                    Some(Explanation::of(&served.answer.decision, &served.answer.decision.id.0))
                }
                Said::Refused(_) | Said::NotAsked(_) => None,
            })
            .collect(),
        false => Vec::new(),
    };
    let simulated = call.about.simulated
        || said.iter().any(|said| matches!(said, Said::Answered(served) if served.answer.simulated));
    let compared = side_by_side(&call, &instrument, &vendors, &said);
    let meta = CompareMeta { request_id: call.id.to_string(), simulated, explain };
    Ok(Reply::json(&CompareAnswer { data: BTreeMap::from([(symbol.to_uppercase(), compared)]), meta }))
}

fn own_id(call: &Call, vendor: VendorId) -> RequestId {
    RequestId(format!("{}.{vendor}", call.id).into())
}

async fn ask(call: &Call, vendor: VendorId, instrument: &InstrumentId, policy: &Policy) -> Said {
    let upstream = call.gateway.find_upstream(vendor);
    if let Some(why) = upstream.and_then(|u| u.barred(Capability::Quote, call.gateway.now())) {
        return Said::NotAsked(why);
    }
    let policy = Policy { vendors: vec![vendor], failover: Failover::None, ..policy.clone() };
    match call.ask(own_id(call, vendor), quotes::question(instrument), policy).await {
        Ok(served) => Said::Answered(Box::new(served)),
        Err(refusal) => Said::Refused(Box::new(refusal)),
    }
}

fn worst(said: Vec<Said>) -> Problem {
    let refused = said.into_iter().filter_map(|said| match said {
        Said::Refused(refusal) => Some(refusal.problem),
        Said::Answered(_) | Said::NotAsked(_) => None,
    });
    refused
        .max_by_key(|problem| problem.code.status().as_u16())
        .unwrap_or_else(|| Problem::new(Code::Unsupported, "no enabled vendor offers quotes of this"))
}

fn price_of(said: &Said) -> Option<Decimal> {
    let Said::Answered(served) = said else { return None };
    let Data::Quotes(rows) = &served.answer.data else { return None };
    Some(rows.first()?.quote.as_ref().ok()?.price()?.decimal())
}

/// A decimal as a JSON number with all its digits.
pub fn number(value: Decimal) -> Box<RawValue> {
    raw(value.normalize().to_string().into_bytes())
}

fn median(prices: &mut [Decimal]) -> Option<Decimal> {
    prices.sort_unstable();
    let upper = *prices.get(prices.len() / 2)?;
    if prices.len() % 2 == 1 {
        return Some(upper);
    }
    prices[prices.len() / 2 - 1].checked_add(upper)?.checked_div(Decimal::TWO)
}

fn side_by_side(call: &Call, instrument: &InstrumentId, vendors: &[VendorId], said: &[Said]) -> Compared {
    let mut prices: Vec<Decimal> = said.iter().filter_map(price_of).collect();
    let middle = median(&mut prices);
    let spread = prices.last().zip(prices.first()).and_then(|(high, low)| high.checked_sub(*low));
    let mut feeds: Vec<&str> = vendors
        .iter()
        .zip(said)
        .filter(|(_, said)| price_of(said).is_some())
        .filter_map(|(vendor, _)| Some(call.gateway.find_upstream(*vendor)?.settings.codec.profile().feed))
        .collect();
    feeds.sort_unstable();
    feeds.dedup();
    let mut voices: Vec<Voice> =
        vendors.iter().zip(said).map(|(vendor, said)| voice(*vendor, said, middle)).collect();
    voices.sort_by_key(|voice| voice.price.is_none());
    Compared {
        instrument: instrument.to_string(),
        vendors: voices,
        median: middle.map(number),
        spread: spread.map(number),
        answered: prices.len(),
        independent: feeds.len(),
    }
}

fn voice(vendor: VendorId, said: &Said, middle: Option<Decimal>) -> Voice {
    let silent = |outcome: &str, detail: Option<String>, attempts: Vec<AttemptMade>| Voice {
        vendor: vendor.as_str(),
        outcome: outcome.to_owned(),
        detail,
        price: None,
        bid: None,
        ask: None,
        t: None,
        age_ms: None,
        delivery: None,
        grade: None,
        score: None,
        difference: None,
        difference_bps: None,
        cache: None,
        attempts,
    };
    match said {
        Said::NotAsked(why) => silent(why.as_str(), why.detail(), Vec::new()),
        Said::Refused(refusal) => {
            let problem = &refusal.problem;
            silent(problem.code.as_str(), Some(problem.detail.clone()), attempts_made(&problem.attempts))
        }
        Said::Answered(served) => {
            let quote = match &served.answer.data {
                Data::Quotes(rows) => rows.first().and_then(|row| row.quote.as_ref().ok()),
                _ => None,
            };
            let price = price_of(said);
            let difference = price.zip(middle).and_then(|(price, middle)| price.checked_sub(middle));
            let relative = difference.zip(middle).and_then(|(d, middle)| d.checked_div(middle));
            Voice {
                price: price.map(number),
                bid: quote.and_then(|q| q.bid).map(|bid| number(bid.decimal())),
                ask: quote.and_then(|q| q.ask).map(|ask| number(ask.decimal())),
                t: time(served.answer.event_time),
                age_ms: served.age().map(crate::meta::millis),
                delivery: Some(served.answer.delivery.as_str()),
                grade: Some(served.grade.letter.as_str()),
                score: Some(served.grade.score.points()),
                difference: difference.map(number),
                difference_bps: relative.and_then(|share| {
                    let share: f64 = share.to_string().parse().ok()?;
                    Some((share * 1e8).round() / 1e4)
                }),
                cache: Some(served.cache.as_str()),
                ..silent("answered", None, attempts_made(served.attempts()))
            }
        }
    }
}

/// The record of the comparison: that of each vendor's own question.
fn remember(call: &Call, instrument: &InstrumentId, vendors: &[VendorId], said: &[Said]) {
    let attempts = said.iter().flat_map(|said| match said {
        Said::Answered(served) => served.attempts().to_vec(),
        Said::Refused(refusal) => refusal.problem.attempts.clone(),
        Said::NotAsked(_) => Vec::new(),
    });
    let decision = gateway::Decision {
        id: call.id.clone(),
        at: call.received_at,
        question: format!("every vendor's own quote of {instrument}"),
        policy: String::new(),
        candidates: Vec::new(),
        attempts: attempts.collect(),
        answered_by: None,
        notes: vendors
            .iter()
            .zip(said)
            .map(|(vendor, said)| match said {
                Said::NotAsked(why) => format!("{vendor} was not asked: {}", why.as_str()),
                _ => format!("{vendor}'s own question is explained under {}", own_id(call, *vendor)),
            })
            .collect(),
        cost_micros: said
            .iter()
            .map(|said| match said {
                Said::Answered(served) => crate::meta::cost_micros(served),
                Said::Refused(_) | Said::NotAsked(_) => 0,
            })
            .sum(),
    };
    call.gateway.remember(call.id.clone(), &std::sync::Arc::new(decision));
}
