//! The envelope of an answer (API-3), in each of its forms, and the headers that mirror it.

use std::collections::BTreeMap;

use domain::Anchor;
use gateway::{CacheState, Gateway, Served};
use http::{HeaderName, StatusCode, header};
use quality::Letter;
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::{Call, Refusal, Reply};
use crate::error::{Problem, ProblemDocument};
use crate::form::{
    Arrangement, Cell, Column, Form, Format, write_columns, write_csv_row, write_row, write_text,
};
use crate::meta::{self, AttemptMade, BasisTold, Cost, Explanation, Facts, Moment, WarningTold};

/// What became of one symbol.
pub struct Part {
    /// The symbol as the caller wrote it, in upper case.
    pub key: String,
    /// Its answer.
    pub outcome: Result<Served, Refusal>,
}

/// How the rows of an answer are made and arranged.
pub struct Shape<'s> {
    /// Columns.
    pub columns: &'static [Column],
    /// Whether a symbol has one row that stands for itself instead of a list.
    pub single: bool,
    /// Rows of an answer: its place among the parts, the answer, and its grade's letter now.
    pub rows: &'s (dyn for<'a> Fn(usize, &'a Served) -> Vec<Vec<Cell<'a>>> + Sync),
    /// Which end of its window stamps a bar.
    pub anchor: Anchor,
    /// The token of the next page.
    pub next: Option<String>,
}

/// The facts of an answer about one symbol.
#[derive(Serialize, ToSchema)]
pub struct MetaOfOne<'a> {
    /// Of which request.
    pub request_id: &'a str,
    /// Its facts.
    #[serde(flatten)]
    pub facts: &'a Facts,
    /// The symbol, as the caller wrote it.
    pub symbols: BTreeMap<&'a str, Sole>,
}

/// The only symbol: its facts stand above.
#[derive(Serialize, ToSchema)]
pub struct Sole {
    /// Canonical id.
    #[schema(required = true)]
    pub instrument: Option<String>,
}

/// The facts of an answer about several symbols: what all share, and each one's own.
#[derive(Serialize, ToSchema)]
pub struct MetaOfSeveral {
    /// Of which request.
    pub request_id: String,
    /// What is common to all symbols.
    #[serde(flatten)]
    pub common: Common,
    /// Each symbol's own facts, or its error.
    pub symbols: BTreeMap<String, Own>,
}

/// What several symbols share.
#[derive(Serialize, ToSchema)]
pub struct Common {
    /// The exchanges of all, one symbol after the other.
    pub attempts: Vec<AttemptMade>,
    /// What the numbers mean, where they mean the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub basis: Option<BasisTold>,
    /// What the request spent on all.
    pub cost: Cost,
    /// Whether anything comes from a simulation.
    pub simulated: bool,
    /// Whether every row is committed to the store, where that is the same of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub stored: Option<bool>,
    /// Who answered, where one vendor did; `null` where nobody was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub vendor: Option<Option<&'static str>>,
}

/// What is known of one of several symbols.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum Own {
    /// It has an answer.
    Told {
        /// The id its decision is kept under.
        request_id: String,
        /// Its facts.
        #[serde(flatten)]
        facts: Box<Facts>,
    },
    /// It failed.
    Failed {
        /// Why.
        error: Box<ProblemDocument>,
    },
}

/// Id under which the decision about one of several symbols is kept.
pub fn part_id(call: &Call, index: usize, count: usize) -> gateway::RequestId {
    if count == 1 { call.id.clone() } else { gateway::RequestId(format!("{}.{index}", call.id).into()) }
}

/// Writes the reply for all symbols.
///
/// # Errors
/// The problem of the only symbol, or the worst one if all failed.
pub fn reply(call: &Call, form: &Form, mut parts: Vec<Part>, shape: &Shape<'_>) -> Result<Reply, Problem> {
    for part in &mut parts {
        if let Err(refusal) = &mut part.outcome
            && let Some(best) = refusal.best.take()
        {
            let only = [Part { key: part.key.clone(), outcome: Ok(best) }];
            let id = call.id.to_string();
            refusal.problem.attached.best =
                Some(meta::raw(json(call, &Form::default(), &only, shape, &id, &now_of(call)).0));
        }
    }
    if parts.iter().all(|part| part.outcome.is_err()) {
        return Err(worst(call, parts));
    }
    let id = call.id.to_string();
    let (body, warnings) = match form.format {
        Format::Json => json(call, form, &parts, shape, &id, &now_of(call)),
        Format::Ndjson | Format::Csv => lines(form, &parts, shape),
    };
    let mut reply = Reply {
        status: StatusCode::OK,
        media_type: form.format.media_type(),
        headers: Vec::with_capacity(12),
        body,
        vendor_micros: 0,
    };
    mirror(call, &parts, shape, &warnings, &mut reply);
    if let Some(token) = &shape.next {
        reply.push(header::LINK, &format!("<?{}>; rel=\"next\"", next_query(&call.query, token)));
        if form.format != Format::Json {
            reply.push(HeaderName::from_static("mda-next-page-token"), token);
        }
    }
    Ok(reply)
}

/// The query of the next page: this one's with its token.
fn next_query(query: &str, token: &str) -> String {
    let mut pairs: Vec<&str> =
        query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("page_token=")).collect();
    let token = format!("page_token={token}");
    pairs.push(&token);
    pairs.join("&")
}

/// All failed: the only problem, or the one with the worst status and everyone's own below it.
fn worst(call: &Call, parts: Vec<Part>) -> Problem {
    let now = call.gateway.now();
    let count = parts.len();
    let mut all: Vec<(String, Problem)> =
        parts.into_iter().filter_map(|part| Some((part.key, part.outcome.err()?.problem))).collect();
    let symbols: BTreeMap<String, ProblemDocument> = if count > 1 {
        let document = |(index, (key, problem)): (usize, &(String, Problem))| {
            (key.clone(), problem.document(&part_id(call, index, count), now))
        };
        all.iter().enumerate().map(document).collect()
    } else {
        BTreeMap::new()
    };
    let at = (0..all.len()).max_by_key(|index| all[*index].1.code.status().as_u16()).unwrap_or(0);
    let (_, mut problem) = all.swap_remove(at);
    problem.attached.symbols = symbols;
    problem
}

/// The moment of serving, as it is.
fn now_of(call: &Call) -> impl Fn(&Served) -> Moment {
    |served| Moment::of(&call.gateway, served)
}

/// Writes the envelope; returns its warnings too. What depends on the moment of serving comes from
/// `moment`, and from `id`.
pub(crate) fn json(
    call: &Call,
    form: &Form,
    parts: &[Part],
    shape: &Shape<'_>,
    id: &str,
    moment: &dyn Fn(&Served) -> Moment,
) -> (Vec<u8>, Vec<WarningTold>) {
    let mut out = Vec::with_capacity(2_048);
    out.extend_from_slice(b"{\"data\":{");
    let mut first = true;
    for (index, part) in parts.iter().enumerate() {
        let Ok(served) = &part.outcome else { continue };
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        write_text(&mut out, &part.key);
        out.push(b':');
        write_rows(&mut out, &(shape.rows)(index, served), shape, form);
    }
    out.extend_from_slice(b"},\"meta\":");
    let warnings = write_meta(&mut out, call, form, parts, shape, id, moment);
    out.extend_from_slice(b",\"warnings\":");
    serde_json::to_writer(&mut out, &warnings).expect("writing to memory does not fail");
    out.extend_from_slice(b",\"next_page_token\":");
    match &shape.next {
        Some(token) => write_text(&mut out, token),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
    (out, warnings)
}

fn write_rows(out: &mut Vec<u8>, rows: &[Vec<Cell<'_>>], shape: &Shape<'_>, form: &Form) {
    if shape.single {
        match rows.first() {
            Some(row) => write_row(out, shape.columns, row, None, form),
            None => out.extend_from_slice(b"null"),
        }
        return;
    }
    if form.arrangement == Arrangement::Columns {
        write_columns(out, shape.columns, rows, form);
        return;
    }
    out.push(b'[');
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_row(out, shape.columns, row, None, form);
    }
    out.push(b']');
}

fn write_meta(
    out: &mut Vec<u8>,
    call: &Call,
    form: &Form,
    parts: &[Part],
    shape: &Shape<'_>,
    id: &str,
    moment: &dyn Fn(&Served) -> Moment,
) -> Vec<WarningTold> {
    let facts_of = |served: &Served, id: &str| {
        let mut facts = Facts::of(served, id, call.about.simulated, moment(served));
        facts.basis.anchor = shape.anchor.as_str();
        facts.explain = form.explain.then(|| Explanation::of(&served.answer.decision, id));
        facts
    };
    if let [Part { key, outcome: Ok(served) }] = parts {
        let facts = facts_of(served, id);
        let sole = Sole { instrument: facts.instrument.clone() };
        let symbols = BTreeMap::from([(key.as_str(), sole)]);
        let alone = MetaOfOne { request_id: id, facts: &facts, symbols };
        serde_json::to_writer(&mut *out, &alone).expect("writing to memory does not fail");
        return meta::warnings(&served.answer.warnings, None);
    }
    let now = call.gateway.now();
    let (mut symbols, mut warnings) = (BTreeMap::new(), Vec::new());
    let mut told: Vec<Facts> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let own_id = part_id(call, index, parts.len());
        let own = match &part.outcome {
            Ok(served) => {
                warnings.extend(meta::warnings(&served.answer.warnings, Some(&part.key)));
                let facts = facts_of(served, &own_id.0);
                told.push(facts.clone());
                Own::Told { request_id: own_id.to_string(), facts: Box::new(facts) }
            }
            Err(refusal) => {
                let error = refusal.problem.document(&own_id, now);
                warnings.push(WarningTold {
                    code: "SYMBOL_FAILED",
                    symbol: Some(part.key.clone()),
                    detail: format!("{}: {}", error.code.as_str(), error.detail),
                });
                Own::Failed { error: Box::new(error) }
            }
        };
        symbols.insert(part.key.clone(), own);
    }
    let meta = MetaOfSeveral { request_id: id.to_owned(), common: common(&told), symbols };
    serde_json::to_writer(&mut *out, &meta).expect("writing to memory does not fail");
    warnings
}

/// What several symbols share: facts that are equal, attempts one after the other, costs added up.
fn common(told: &[Facts]) -> Common {
    Common {
        attempts: told.iter().flat_map(|facts| facts.attempts.clone()).collect(),
        basis: shared(told, |facts| facts.basis),
        cost: total(told),
        simulated: told.iter().any(|facts| facts.simulated),
        stored: shared(told, |facts| facts.stored),
        vendor: shared(told, |facts| facts.vendor),
    }
}

/// What all say, if all say the same.
fn shared<T: PartialEq>(told: &[Facts], of: impl Fn(&Facts) -> T) -> Option<T> {
    let mut values = told.iter().map(of);
    values.next().filter(|first| values.all(|other| other == *first))
}

fn total(told: &[Facts]) -> Cost {
    let mut quota = BTreeMap::new();
    for (name, count) in told.iter().flat_map(|facts| &facts.cost.quota) {
        *quota.entry(name.clone()).or_insert(0) += count;
    }
    let micros = told.iter().map(|facts| facts.cost.micros).sum();
    Cost { amount: meta::dollars(micros), currency: "USD", quota, micros }
}

/// NDJSON and CSV: rows only, each with its symbol.
fn lines(form: &Form, parts: &[Part], shape: &Shape<'_>) -> (Vec<u8>, Vec<WarningTold>) {
    let mut out = Vec::with_capacity(4_096);
    let mut warnings = Vec::new();
    if form.format == Format::Csv {
        let names: Vec<Cell<'_>> = shape.columns.iter().map(|column| Cell::from(column.name)).collect();
        write_csv_row(&mut out, "symbol", &names, form);
    }
    for (index, part) in parts.iter().enumerate() {
        match &part.outcome {
            Ok(served) => {
                warnings.extend(meta::warnings(&served.answer.warnings, Some(&part.key)));
                for row in (shape.rows)(index, served) {
                    if form.format == Format::Csv {
                        write_csv_row(&mut out, &part.key, &row, form);
                    } else {
                        write_row(&mut out, shape.columns, &row, Some(&part.key), form);
                        out.push(b'\n');
                    }
                }
            }
            Err(refusal) => warnings.push(WarningTold {
                code: "SYMBOL_FAILED",
                symbol: Some(part.key.clone()),
                detail: format!("{}: {}", refusal.problem.code.as_str(), refusal.problem.detail),
            }),
        }
    }
    (out, warnings)
}

/// The headers that mirror the envelope.
pub(crate) fn mirror(
    call: &Call,
    parts: &[Part],
    shape: &Shape<'_>,
    warnings: &[WarningTold],
    reply: &mut Reply,
) {
    let told: Vec<&Served> = parts.iter().filter_map(|part| part.outcome.as_ref().ok()).collect();
    let mut named: Vec<&str> = Vec::new();
    for vendor in told.iter().flat_map(|served| &served.answer.vendors) {
        if !named.contains(&vendor.as_str()) {
            named.push(vendor.as_str());
        }
    }
    reply.push(HeaderName::from_static("mda-vendor"), &named.join(", "));
    let worst = told.iter().map(|served| served.grade.letter).max().unwrap_or(Letter::F);
    reply.push(HeaderName::from_static("mda-grade"), worst.as_str());
    let attempts: Vec<String> = told
        .iter()
        .flat_map(|served| served.attempts())
        .take(32)
        .map(|attempt| format!("{}:{}", attempt.vendor, attempt.outcome.as_str()))
        .collect();
    reply.push(HeaderName::from_static("mda-attempts"), &attempts.join(", "));
    let basis = |served: &&Served| {
        let mut basis = meta::BasisTold::of(&served.answer.basis);
        basis.anchor = shape.anchor.as_str();
        basis
    };
    if let Some(first) =
        told.first().map(basis).filter(|first| told.iter().all(|other| basis(other) == *first))
    {
        reply.push(HeaderName::from_static("mda-basis"), &first.header());
    }
    let micros: u64 = told.iter().map(|served| meta::cost_micros(served)).sum();
    reply.push(HeaderName::from_static("mda-cost"), &format!("{} USD", meta::dollars(micros)));
    let simulated = call.about.simulated || told.iter().any(|served| served.answer.simulated);
    reply.push(HeaderName::from_static("mda-simulated"), if simulated { "true" } else { "false" });
    if let Some(oldest) = told.iter().min_by_key(|served| served.answer.fresh_until) {
        reply.push(HeaderName::from_static("cache-status"), &cache_status(oldest));
    }
    let age = told.iter().map(|served| served.now.since(served.answer.received_at).as_secs()).max();
    reply.push(header::AGE, itoa::Buffer::new().format(age.unwrap_or(0)));
    for warning in warnings.iter().take(8) {
        let symbol = warning.symbol.as_ref().map(|symbol| format!(" {symbol}")).unwrap_or_default();
        reply.push(
            HeaderName::from_static("x-warning"),
            &format!("{}{symbol}: {}", warning.code, warning.detail),
        );
    }
    reply.vendor_micros = told.iter().map(|served| meta::vendor_micros(served)).max().unwrap_or(0);
}

/// `Cache-Status` by RFC 9211.
pub fn cache_status(served: &Served) -> String {
    let ttl_secs = served.answer.fresh_until.since(served.now).as_secs();
    match served.cache {
        CacheState::Hit => format!("mda; hit; ttl={ttl_secs}"),
        CacheState::Stale => {
            let late = served.now.since(served.answer.fresh_until).as_secs();
            format!("mda; hit; ttl=-{late}; detail=stale")
        }
        CacheState::Stored => "mda; hit; detail=store".to_owned(),
        CacheState::Coalesced => "mda; fwd=uri-miss; collapsed".to_owned(),
        CacheState::Miss => "mda; fwd=uri-miss; stored".to_owned(),
    }
}

/// The letter of a row: that of its own evidence where the series has it, else the answer's.
pub fn row_letter(gateway: &Gateway, served: &Served, row: usize) -> &'static str {
    gateway.grade_row(&served.answer, row, served.now).map_or(served.grade.letter, |g| g.letter).as_str()
}

/// The letter of each row of an answer, for series of thousands: all rows with nothing against them are
/// graded alike, once.
pub fn row_letters<'a>(gateway: &'a Gateway, served: &'a Served) -> impl Fn(usize) -> &'static str + 'a {
    let flagged = served.answer.rows.as_ref().map_or(&[][..], |rows| &rows.flagged);
    let clean = std::cell::OnceCell::new();
    move |row| match flagged.binary_search_by_key(&row, |(index, _)| *index) {
        Ok(_) => row_letter(gateway, served, row),
        Err(_) => *clean.get_or_init(|| row_letter(gateway, served, row)),
    }
}
