//! The facts that go with every answer (API-3): who, how, how good, how fresh, at what cost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{Basis, Delivery, Instant, Range};
use gateway::{Answer, Attempt, CacheState, Candidate, Decision, Gateway, Served, Warning};
use quality::Finding;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::grade;

/// One exchange with a vendor.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AttemptMade {
    /// Whom.
    pub vendor: &'static str,
    /// What was asked: `quote`, `bars`, `splits`.
    pub capability: &'static str,
    /// How it ended: `answered`, `page`, `rate_limited`, `timed_out`, …
    pub outcome: &'static str,
    /// How long it took, in milliseconds.
    pub ms: f64,
    /// When it was sent (RFC 3339).
    pub sent_at: String,
    /// HTTP status, if a reply came.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<u16>,
    /// When the vendor may be asked again, if that is known (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retry_at: Option<String>,
}

/// Attempts as they are answered.
pub fn attempts_made(attempts: &[Attempt]) -> Vec<AttemptMade> {
    attempts
        .iter()
        .map(|attempt| AttemptMade {
            vendor: attempt.vendor.as_str(),
            capability: attempt.capability,
            outcome: attempt.outcome.as_str(),
            ms: attempt.micros as f64 / 1e3,
            sent_at: attempt.sent_at.to_string(),
            status: attempt.status,
            retry_at: attempt.retry_at.map(|at| at.to_string()),
        })
        .collect()
}

/// What the numbers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct BasisTold {
    /// `raw`, `split`, `dividend`, `all`.
    pub adjustment: &'static str,
    /// Currency code, if anybody says.
    #[schema(required = true, value_type = Option<String>)]
    pub currency: Option<Code>,
    /// `major` or `minor` (pence, cents), if anybody says.
    #[schema(required = true)]
    pub unit: Option<&'static str>,
    /// `regular` or `extended`.
    pub session: &'static str,
    /// `open` or `close`: which end of its window stamps a bar.
    pub anchor: &'static str,
}

/// A currency's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(domain::Currency);

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.as_str())
    }
}

impl BasisTold {
    /// Of a basis.
    pub fn of(basis: &Basis) -> BasisTold {
        BasisTold {
            adjustment: basis.adjustment.as_str(),
            currency: basis.denomination.map(|d| Code(d.currency)),
            unit: basis.denomination.map(|d| d.unit.as_str()),
            session: basis.session.as_str(),
            anchor: basis.anchor.as_str(),
        }
    }

    /// In one header line: `adjustment=split; currency=USD; unit=major; session=regular; anchor=open`.
    pub fn header(&self) -> String {
        let mut line = format!("adjustment={}", self.adjustment);
        if let Some(Code(currency)) = self.currency {
            line.push_str(&format!("; currency={currency}"));
        }
        if let Some(unit) = self.unit {
            line.push_str(&format!("; unit={unit}"));
        }
        line.push_str(&format!("; session={}; anchor={}", self.session, self.anchor));
        line
    }
}

/// How old the answer is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Freshness {
    /// When the newest datum happened; `null` if nobody says (RFC 3339).
    #[schema(required = true)]
    pub as_of: Option<String>,
    /// When it was received (RFC 3339).
    pub received_at: String,
    /// Age of the newest datum now, in milliseconds; `null` if nobody says.
    #[schema(required = true, value_type = Option<u64>)]
    pub age_ms: Box<RawValue>,
    /// What the vendor promises: `real_time`, `delayed`, `end_of_day`.
    pub delivery: &'static str,
    /// The delay it declares, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub declared_delay_ms: Option<u64>,
    /// Whether it is served past its time.
    pub stale: bool,
}

/// Which part of the asked range is there. A range is `[start, end)`, RFC 3339.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CoverageTold {
    /// What was asked.
    pub requested: [String; 2],
    /// From the first row's start to just behind the last one's.
    #[schema(required = true)]
    pub returned: Option<[String; 2]>,
    /// Stretches in which the calendar expects rows and none came.
    pub gaps: Vec<[String; 2]>,
    /// Whether all that the vendor has in the range is there.
    pub complete: bool,
}

/// Where the answer came from.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CacheTold {
    /// `hit`, `stale`, `stored`, `coalesced`, `miss`.
    pub state: &'static str,
    /// How long it stays fresh, in milliseconds.
    #[schema(value_type = u64)]
    pub ttl_ms: Box<RawValue>,
    /// The request whose attempts brought it, where that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub brought_by: Option<String>,
}

/// What this request spent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Cost {
    /// Price, a decimal.
    pub amount: String,
    /// Its currency.
    pub currency: &'static str,
    /// Requests counted against quotas, as `vendor.window`.
    pub quota: BTreeMap<String, u32>,
    /// The price in millionths.
    #[serde(skip)]
    pub micros: u64,
}

/// Something the caller must know.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WarningTold {
    /// Stable code.
    pub code: &'static str,
    /// Of which symbol, where several were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub symbol: Option<String>,
    /// What it means here.
    pub detail: String,
}

/// The facts about the answer for one symbol.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Facts {
    /// Canonical id of the instrument.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub instrument: Option<String>,
    /// Who answered; `null` where nobody was asked.
    #[schema(required = true)]
    pub vendor: Option<&'static str>,
    /// All who did, where a series has a declared seam.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vendors: Vec<&'static str>,
    /// Whether any of it comes from a simulation.
    pub simulated: bool,
    /// Every exchange that brought the answer, in order.
    pub attempts: Vec<AttemptMade>,
    /// Grade at the moment of serving.
    #[schema(value_type = grade::GradeTold)]
    pub grade: Box<RawValue>,
    /// What the numbers mean.
    pub basis: BasisTold,
    /// How old it is.
    pub freshness: Freshness,
    /// Which part of the asked range is there; `null` where nothing has a range.
    #[schema(required = true)]
    pub coverage: Option<CoverageTold>,
    /// Where it came from.
    pub cache: CacheTold,
    /// What this request spent.
    pub cost: Cost,
    /// Whether every row is committed to the store.
    pub stored: bool,
    /// How it was decided, if the caller asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub explain: Option<Explanation>,
}

/// What of the facts depends on the moment of serving, written.
pub struct Moment {
    /// The grade.
    pub grade: Box<RawValue>,
    /// Age in milliseconds, or `null`.
    pub age_ms: Box<RawValue>,
    /// Remaining time to live in milliseconds.
    pub ttl_ms: Box<RawValue>,
}

impl Moment {
    /// Of an answer as it is served.
    pub fn of(gateway: &Gateway, served: &Served) -> Moment {
        let mut text = Vec::with_capacity(512);
        grade::write_grade(&mut text, &served.grade, &gateway.losses(served), served.grade.delay_secs);
        grade::write_findings(&mut text, &served.answer.findings);
        Moment { grade: raw(text), age_ms: raw(age_text(served)), ttl_ms: raw(ttl_text(served)) }
    }
}

/// Age in milliseconds as JSON.
pub fn age_text(served: &Served) -> Vec<u8> {
    served.age().map_or_else(|| b"null".to_vec(), |age| age.as_millis().to_string().into_bytes())
}

/// Time an answer stays fresh in milliseconds as JSON.
pub fn ttl_text(served: &Served) -> Vec<u8> {
    served.answer.fresh_until.since(served.now).as_millis().to_string().into_bytes()
}

/// JSON that is already text.
///
/// # Panics
/// If it is no JSON: our own writers made it.
pub fn raw(text: Vec<u8>) -> Box<RawValue> {
    let text = String::from_utf8(text).expect("our writers write UTF-8");
    RawValue::from_string(text).expect("our writers write JSON")
}

impl Facts {
    /// The facts about an answer. `id` is the request's, `everything_simulated` the whole gateway's word.
    pub fn of(served: &Served, id: &str, everything_simulated: bool, moment: Moment) -> Facts {
        let answer = &served.answer;
        Facts {
            instrument: answer.instrument().map(ToString::to_string),
            vendor: answer.vendor().map(|vendor| vendor.as_str()),
            vendors: match answer.vendors.len() {
                0 | 1 => Vec::new(),
                _ => answer.vendors.iter().map(|vendor| vendor.as_str()).collect(),
            },
            simulated: answer.simulated || everything_simulated,
            attempts: attempts_made(served.attempts()),
            grade: moment.grade,
            basis: BasisTold::of(&answer.basis),
            freshness: freshness(answer, served.cache == CacheState::Stale, moment.age_ms),
            coverage: answer.coverage.as_ref().map(coverage),
            cache: CacheTold {
                state: served.cache.as_str(),
                ttl_ms: moment.ttl_ms,
                brought_by: Some(answer.decision.id.to_string()).filter(|by| by != id),
            },
            cost: cost(served),
            stored: answer.stored,
            explain: None,
        }
    }
}

fn freshness(answer: &Answer, stale: bool, age_ms: Box<RawValue>) -> Freshness {
    Freshness {
        as_of: answer.event_time.map(|at| at.to_string()),
        received_at: answer.received_at.to_string(),
        age_ms,
        delivery: answer.delivery.as_str(),
        declared_delay_ms: match answer.delivery {
            Delivery::Delayed(delay) => Some(millis(delay)),
            Delivery::RealTime | Delivery::EndOfDay => None,
        },
        stale,
    }
}

fn coverage(coverage: &gateway::answer::Coverage) -> CoverageTold {
    CoverageTold {
        requested: range(coverage.requested),
        returned: coverage.returned.map(range),
        gaps: coverage.gaps.iter().copied().map(range).collect(),
        complete: coverage.complete,
    }
}

fn range(range: Range) -> [String; 2] {
    [range.start.to_string(), range.end.to_string()]
}

/// What this request spent: nothing where memory or another caller's flight answered.
fn cost(served: &Served) -> Cost {
    let micros = cost_micros(served);
    Cost {
        amount: dollars(micros),
        currency: "USD",
        quota: if is_own(served) { served.answer.quota.iter().cloned().collect() } else { BTreeMap::new() },
        micros,
    }
}

/// Millionths of a dollar this request spent.
pub fn cost_micros(served: &Served) -> u64 {
    if is_own(served) { served.answer.decision.cost_micros } else { 0 }
}

/// Whether this request itself brought the answer.
fn is_own(served: &Served) -> bool {
    matches!(served.cache, CacheState::Miss | CacheState::Stored)
}

/// Millionths of a dollar as dollars: four decimals, six where they are needed.
pub fn dollars(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.strip_suffix("00").map(str::to_owned).unwrap_or(text)
}

/// Whole milliseconds.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Warnings as they are answered.
pub fn warnings(warnings: &[Warning], symbol: Option<&str>) -> Vec<WarningTold> {
    warnings
        .iter()
        .map(|warning| WarningTold {
            code: warning.code,
            symbol: symbol.map(str::to_owned),
            detail: warning.detail.clone(),
        })
        .collect()
}

/// One vendor as the router saw it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CandidateTold {
    /// Which.
    pub vendor: &'static str,
    /// Its score, in `[0, 1]`; `null` if it was not eligible.
    #[schema(required = true)]
    pub score: Option<f64>,
    /// The parts of the score by name, each in `[0, 1]` before weighting.
    pub factors: BTreeMap<&'static str, f64>,
    /// Why it was not asked, if it was not.
    #[schema(required = true)]
    pub skipped: Option<&'static str>,
    /// The fact behind it: a variable to set, a state, an instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub detail: Option<String>,
}

impl CandidateTold {
    /// Of a candidate.
    pub fn of(candidate: &Candidate) -> CandidateTold {
        CandidateTold {
            vendor: candidate.vendor.as_str(),
            score: candidate.score.map(rounded),
            factors: candidate.factors.iter().map(|(name, value)| (*name, rounded(*value))).collect(),
            skipped: candidate.skipped.as_ref().map(gateway::Skipped::as_str),
            detail: candidate.skipped.as_ref().and_then(gateway::Skipped::detail),
        }
    }
}

/// To a ten-thousandth: what lies beyond is noise.
pub fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// The record of how a request was answered (RTE-6).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Explanation {
    /// The request asked about.
    pub request_id: String,
    /// The request whose attempts brought the answer: another one for a cache hit.
    pub brought_by: String,
    /// When that was asked (RFC 3339).
    pub at: String,
    /// The question in words.
    pub question: String,
    /// The policy words that were given.
    pub policy: String,
    /// Every vendor as the router saw it, in the order of asking.
    pub candidates: Vec<CandidateTold>,
    /// Every exchange, in order.
    pub attempts: Vec<AttemptMade>,
    /// Who answered in the end: a vendor, or `store`; `null` if nobody.
    #[schema(required = true, value_type = Option<String>)]
    pub answered_by: Option<Arc<str>>,
    /// What was decided on the way.
    pub notes: Vec<String>,
    /// Cost in US dollars, a decimal.
    pub cost: String,
}

impl Explanation {
    /// Of a decision, asked about under an id.
    pub fn of(decision: &Decision, id: &str) -> Explanation {
        Explanation {
            request_id: id.to_owned(),
            brought_by: decision.id.to_string(),
            at: decision.at.to_string(),
            question: decision.question.clone(),
            policy: decision.policy.clone(),
            candidates: decision.candidates.iter().map(CandidateTold::of).collect(),
            attempts: attempts_made(&decision.attempts),
            answered_by: decision.answered_by.clone(),
            notes: decision.notes.clone(),
            cost: dollars(decision.cost_micros),
        }
    }
}

/// Time spent on vendors by the attempts of an answer that this request made itself.
pub fn vendor_micros(served: &Served) -> u64 {
    match served.cache {
        CacheState::Miss | CacheState::Stored | CacheState::Coalesced => {
            served.answer.decision.attempts.iter().map(|attempt| attempt.micros).sum()
        }
        CacheState::Hit | CacheState::Stale => 0,
    }
}

/// How a finding is answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FindingTold {
    /// Id of the rule.
    pub rule: &'static str,
    /// How bad: `info`, `low`, `medium`, `high`, `critical`.
    pub severity: &'static str,
    /// Where in the row.
    pub field: &'static str,
    /// Which row, from 0; left out for a quote or the series as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub row: Option<usize>,
    /// What was there.
    pub value: String,
    /// What would have been right.
    pub expected: String,
    /// What to do about it.
    pub suggestion: &'static str,
    /// How sure the rule is, in `[0, 1]`.
    pub confidence: f64,
}

impl FindingTold {
    /// Of a finding.
    pub fn of(finding: &Finding) -> FindingTold {
        FindingTold {
            rule: finding.rule.id(),
            severity: finding.severity.as_str(),
            field: finding.field.as_str(),
            row: finding.row,
            value: finding.value.to_string(),
            expected: finding.expected.to_string(),
            suggestion: finding.suggestion,
            confidence: rounded(f64::from(finding.confidence)),
        }
    }
}

/// An instant as answered outside of rows.
pub fn time(at: Option<Instant>) -> Option<String> {
    at.map(|at| at.to_string())
}
