//! `/v1/costs` and `/v1/budgets`: what was spent, on what and for whom, what may still be spent, and what could be
//! saved (CST-1, CST-3, CST-6).

use std::collections::BTreeMap;

use domain::{Instant, Range};
use gateway::advice::Advice;
use gateway::answer::Whose;
use gateway::ledger::{Of, Spend, Sum};
use gateway::upstream::Upstream;
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::{Call, Reply};
use crate::error::{Code, Fault, Problem};
use crate::meta::{WarningTold, dollars, rounded};
use crate::records::store_failed;
use crate::vendors_told::ListMeta;

/// Exchanges of a page at most, and unless the caller says otherwise.
const PAGE: usize = 10_000;

/// What lines are summed up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Vendor,
    Consumer,
    Endpoint,
    Symbol,
    Day,
    Request,
}

impl By {
    const ALL: [By; 6] = [By::Vendor, By::Consumer, By::Endpoint, By::Symbol, By::Day, By::Request];

    const fn as_str(self) -> &'static str {
        match self {
            By::Vendor => "vendor",
            By::Consumer => "consumer",
            By::Endpoint => "endpoint",
            By::Symbol => "symbol",
            By::Day => "day",
            By::Request => "request",
        }
    }

    fn key(self, of: &Of) -> String {
        match self {
            By::Vendor => of.vendor.to_string(),
            By::Consumer => of.consumer.to_string(),
            By::Endpoint => of.endpoint.to_owned(),
            By::Symbol => of.symbol.to_string(),
            By::Day | By::Request => of.date.to_string(),
        }
    }
}

/// Sums of the ledger under one key.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct CostRow {
    /// What is summed up: the id of a vendor, the name of a consumer (empty without a key), a date, …
    pub key: String,
    /// Exchanges with vendors.
    pub calls: u64,
    /// Units they were charged as.
    pub units: u64,
    /// Spent, in US dollars, a decimal.
    pub amount: String,
    /// Answers of grade C or better.
    pub useful_answers: u64,
    /// Questions not asked because quota or budget was spent.
    pub refused: u64,
    /// What one useful answer cost, a vendor's monthly fee included by the day; `null` without one.
    pub per_useful_answer: Option<String>,
}

/// One exchange of the ledger.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ExchangeRow {
    /// For which request.
    pub request_id: String,
    /// The how manieth exchange of it, from 0.
    pub number: u32,
    /// When (RFC 3339).
    pub at: String,
    /// With whom.
    pub vendor: String,
    /// For whom; empty without a key.
    pub consumer: String,
    /// What was asked.
    pub endpoint: &'static str,
    /// About what.
    pub symbol: String,
    /// Units it was charged as.
    pub units: u64,
    /// What was charged by the piece.
    pub objects: String,
    /// Its price in US dollars, a decimal.
    pub amount: String,
    /// Whether the price is known; if not, it counts as spent.
    pub settled: bool,
}

/// A plan's prices.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PriceTold {
    /// Whose.
    pub vendor: &'static str,
    /// Which plan.
    pub plan: String,
    /// `free`, `basic`, `premium`, `enterprise`.
    pub tier: &'static str,
    /// What the price is of: `call`, `symbol`, `credit`, `object`.
    pub per: &'static str,
    /// Price of one, in US dollars, a decimal.
    pub amount: String,
    /// Prices of endpoints that have their own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_endpoint: BTreeMap<String, String>,
    /// Prices by kind of object.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_object: BTreeMap<&'static str, String>,
    /// Units a month the fee covers.
    pub included_a_month: u64,
    /// Fee a month in US dollars; owed whether or not anything is asked, and no part of a budget.
    pub monthly_usd: u32,
    /// When these prices were last checked.
    pub verified_on: String,
}

/// One piece of advice.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AdviceTold {
    /// Stable code.
    pub code: &'static str,
    /// About which vendor, if about one.
    pub vendor: Option<&'static str>,
    /// What could be done.
    pub advice: String,
    /// The own traffic behind it.
    pub evidence: String,
    /// What it would save a month in US dollars, a decimal; negative where it would cost more.
    pub saves_a_month: String,
}

impl AdviceTold {
    fn of(advice: Advice) -> AdviceTold {
        AdviceTold {
            code: advice.code,
            vendor: advice.vendor.map(|vendor| vendor.as_str()),
            advice: advice.advice,
            evidence: advice.evidence,
            saves_a_month: signed(advice.saves_micros),
        }
    }
}

fn signed(micros: i64) -> String {
    let text = dollars(micros.unsigned_abs());
    if micros < 0 { format!("-{text}") } else { text }
}

/// What was spent.
#[derive(Serialize, ToSchema)]
pub struct Costs {
    /// First UTC date.
    pub start: String,
    /// First UTC date after.
    pub end: String,
    /// Of every amount.
    pub currency: &'static str,
    /// What rows are summed up by.
    pub by: &'static str,
    /// Sums, dearest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<CostRow>,
    /// Every exchange, for `by=request`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exchanges: Vec<ExchangeRow>,
    /// All of it.
    pub total: CostRow,
    /// What could be saved.
    pub advice: Vec<AdviceTold>,
    /// Prices in force.
    pub price_book: Vec<PriceTold>,
}

/// The answer of `/v1/costs`.
#[derive(Serialize, ToSchema)]
pub struct CostsAnswer {
    /// What was spent.
    pub data: Costs,
    /// Facts about the answer.
    pub meta: ListMeta,
    /// What must be known: prices that were not checked for long.
    pub warnings: Vec<WarningTold>,
    /// Where the next page of exchanges begins.
    pub next_page_token: Option<String>,
}

fn in_use(upstream: &Upstream) -> bool {
    let settings = &upstream.settings;
    settings.enabled && !settings.is_retired() && settings.missing_key().is_none()
}

/// A warning for each vendor in use whose prices were not checked for long (CST-2).
pub fn price_warnings(call: &Call) -> Vec<WarningTold> {
    let today = call.gateway.now().utc_date();
    call.gateway
        .upstreams()
        .filter(|upstream| in_use(upstream) && call.gateway.plan_is_outdated(upstream))
        .map(|upstream| {
            let plan = &upstream.settings.plan;
            let days = plan.verified_on.until(today).map_or(0, |span| span.get_days());
            WarningTold {
                code: "PLAN_OUTDATED",
                symbol: None,
                detail: format!(
                    "prices of {}'s plan {} were last verified on {}, {days} days ago: amounts may be too low",
                    upstream.vendor(),
                    plan.name,
                    plan.verified_on
                ),
            }
        })
        .collect()
}

fn price_book(call: &Call) -> Vec<PriceTold> {
    let upstreams = call.gateway.upstreams().filter(|upstream| in_use(upstream));
    upstreams
        .map(|upstream| {
            let plan = &upstream.settings.plan;
            let tariff = &plan.tariff;
            PriceTold {
                vendor: upstream.vendor().as_str(),
                plan: plan.name.clone(),
                tier: tariff.tier.as_str(),
                per: tariff.unit.as_str(),
                amount: dollars(plan.request_micros),
                by_endpoint: tariff.endpoints.iter().map(|(name, m)| (name.clone(), dollars(*m))).collect(),
                by_object: tariff.objects.iter().map(|(kind, m)| (kind.as_str(), dollars(*m))).collect(),
                included_a_month: tariff.included,
                monthly_usd: plan.monthly_usd,
                verified_on: plan.verified_on.to_string(),
            }
        })
        .collect()
}

/// Sums under one key, before amounts are written out.
struct Summed {
    sum: Sum,
    fee_micros: u64,
}

impl Summed {
    fn row(&self, key: String) -> CostRow {
        let all = self.sum.micros + self.fee_micros;
        CostRow {
            key,
            calls: self.sum.calls,
            units: self.sum.units,
            amount: dollars(self.sum.micros),
            useful_answers: self.sum.useful,
            refused: self.sum.refused,
            per_useful_answer: (self.sum.useful > 0).then(|| dollars(all / self.sum.useful)),
        }
    }
}

/// The monthly fee of a vendor's plan for so many days, in millionths of a US dollar.
fn fee_micros(call: &Call, vendor: domain::VendorId, days: u64) -> u64 {
    let fee = call.gateway.find_upstream(vendor).map_or(0, |upstream| upstream.settings.plan.monthly_usd);
    u64::from(fee) * 1_000_000 * days.min(30) / 30
}

fn summed(call: &Call, sums: &[Sum], by: By, days: u64) -> (Vec<CostRow>, CostRow) {
    let mut groups: BTreeMap<String, Summed> = BTreeMap::new();
    let mut vendors = Vec::new();
    let add = |into: &mut Summed, sum: &Sum| {
        into.sum.calls += sum.calls;
        into.sum.units += sum.units;
        into.sum.micros += sum.micros;
        into.sum.useful += sum.useful;
        into.sum.refused += sum.refused;
    };
    let mut total: Option<Summed> = None;
    for sum in sums {
        let key = by.key(&sum.of);
        let empty = || Summed { sum: Sum::new(sum.of.clone()), fee_micros: 0 };
        add(groups.entry(key.clone()).or_insert_with(empty), sum);
        add(total.get_or_insert_with(empty), sum);
        if !vendors.contains(&sum.of.vendor) {
            vendors.push(sum.of.vendor);
            let fee = fee_micros(call, sum.of.vendor, days);
            total.iter_mut().for_each(|total| total.fee_micros += fee);
            if by == By::Vendor {
                groups.entry(key).or_insert_with(empty).fee_micros += fee;
            }
        }
    }
    let mut groups: Vec<(String, Summed)> = groups.into_iter().collect();
    groups.sort_by_key(|(_, summed)| std::cmp::Reverse((summed.sum.micros, summed.sum.calls)));
    let zero = || CostRow { amount: dollars(0), ..CostRow::default() };
    let total = total.map_or_else(zero, |total| total.row("total".to_owned()));
    (groups.into_iter().map(|(key, summed)| summed.row(key)).collect(), total)
}

fn exchange(spend: &Spend) -> ExchangeRow {
    ExchangeRow {
        request_id: spend.request.to_string(),
        number: spend.number,
        at: spend.at.to_string(),
        vendor: spend.of.vendor.to_string(),
        consumer: spend.of.consumer.to_string(),
        endpoint: spend.of.endpoint,
        symbol: spend.of.symbol.to_string(),
        units: spend.units,
        objects: spend.objects.clone(),
        amount: dollars(spend.micros),
        settled: spend.settled,
    }
}

fn csv(lines: Vec<Vec<String>>) -> Vec<u8> {
    let quoted = |cell: &String| {
        if cell.contains(['"', ',', '\n', '\r']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell.clone()
        }
    };
    let line = |cells: &Vec<String>| cells.iter().map(quoted).collect::<Vec<_>>().join(",") + "\r\n";
    lines.iter().map(line).collect::<String>().into_bytes()
}

fn csv_of_rows(by: By, rows: &[CostRow]) -> Vec<u8> {
    let words = ["calls", "units", "amount_usd", "useful_answers", "refused", "per_useful_answer_usd"];
    let header = [by.as_str()].into_iter().chain(words).map(str::to_owned).collect();
    let cells = |row: &CostRow| {
        vec![
            row.key.clone(),
            row.calls.to_string(),
            row.units.to_string(),
            row.amount.clone(),
            row.useful_answers.to_string(),
            row.refused.to_string(),
            row.per_useful_answer.clone().unwrap_or_default(),
        ]
    };
    csv([header].into_iter().chain(rows.iter().map(cells)).collect())
}

fn csv_of_exchanges(rows: &[ExchangeRow]) -> Vec<u8> {
    let header = [
        "at",
        "request_id",
        "number",
        "vendor",
        "consumer",
        "endpoint",
        "symbol",
        "units",
        "objects",
        "amount_usd",
        "settled",
    ];
    let cells = |row: &ExchangeRow| {
        vec![
            row.at.clone(),
            row.request_id.clone(),
            row.number.to_string(),
            row.vendor.clone(),
            row.consumer.clone(),
            row.endpoint.to_owned(),
            row.symbol.clone(),
            row.units.to_string(),
            row.objects.clone(),
            row.amount.clone(),
            row.settled.to_string(),
        ]
    };
    csv([header.map(str::to_owned).to_vec()].into_iter().chain(rows.iter().map(cells)).collect())
}

/// What was spent, from the ledger: this month's unless dates are given.
pub async fn costs(call: Call) -> Result<Reply, Problem> {
    let today = call.gateway.now().utc_date();
    let mut words = call.words();
    let start = words.date("start").unwrap_or(today.first_of_month());
    let end = words.date("end").unwrap_or_else(|| today.tomorrow().unwrap_or(today));
    let by = words.choose("by", &By::ALL, By::as_str).unwrap_or(By::Vendor);
    let as_csv = words.choose("format", &["json", "csv"], |word| word) == Some("csv");
    let limit = words.count("limit", 1, PAGE as u64).unwrap_or(PAGE as u64) as usize;
    let behind = words.count("page_token", 0, i64::MAX as u64).unwrap_or(0);
    if end <= start {
        words.fault("end", format!("{end} is not after {start}: a range is [start, end)"));
    }
    words.finish().map_err(Problem::malformed)?;
    let sums = call.gateway.ledger_sums(start, end).await.map_err(store_failed)?;
    let counted = end.min(today.tomorrow().unwrap_or(today));
    let days = start.until(counted).map_or(0, |span| u64::try_from(span.get_days()).unwrap_or(0));
    let (rows, total) = summed(&call, &sums, by, days);
    let (mut exchanges, mut next) = (Vec::new(), None);
    if by == By::Request {
        let range = Range::new(Instant::from_utc_midnight(start), Instant::from_utc_midnight(end));
        let found = call.gateway.ledger(range, behind, limit + 1).await.map_err(store_failed)?;
        next = (found.len() > limit).then(|| found[limit - 1].0.to_string());
        exchanges = found.iter().take(limit).map(|(_, spend)| exchange(spend)).collect();
    }
    let warnings = price_warnings(&call);
    if as_csv {
        let body = if by == By::Request { csv_of_exchanges(&exchanges) } else { csv_of_rows(by, &rows) };
        let mut reply = Reply { media_type: "text/csv; charset=utf-8", body, ..Reply::json(&()) };
        for warning in &warnings {
            reply.push(http::HeaderName::from_static("mda-warning"), &warning.detail);
        }
        if let Some(token) = &next {
            reply.push(http::HeaderName::from_static("mda-next-page-token"), token);
        }
        return Ok(reply);
    }
    let count = if by == By::Request { exchanges.len() } else { rows.len() };
    let data = Costs {
        start: start.to_string(),
        end: end.to_string(),
        currency: "USD",
        by: by.as_str(),
        rows: if by == By::Request { Vec::new() } else { rows },
        exchanges,
        total,
        advice: call.gateway.advice().into_iter().map(AdviceTold::of).collect(),
        price_book: price_book(&call),
    };
    Ok(Reply::json(&CostsAnswer { data, meta: ListMeta::of(&call, count), warnings, next_page_token: next }))
}

/// One budget.
#[derive(Serialize, ToSchema)]
pub struct SpendingBudget {
    /// `overall`, `vendor`, `consumer`.
    pub whose: &'static str,
    /// Of which vendor or consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `day` or `month`, UTC.
    pub period: &'static str,
    /// What may be spent in US dollars, a decimal.
    pub limit: String,
    /// Spent, calls in flight included.
    pub spent: String,
    /// Of that, held for calls in flight.
    pub in_flight: String,
    /// Left.
    pub remaining: String,
    /// Share spent, in `[0, 1]`.
    pub share: f64,
    /// The highest mark passed, in percent: 0, 50, 80 of a day or 90 of a month, 95, 100.
    pub mark: u8,
    /// `ok`, `half`, `alert` from 80 % of a day or 90 % of a month on, `nearly_spent` from 95 %, `spent`.
    pub state: &'static str,
    /// What will be spent by the end of the period at the present pace.
    pub forecast: String,
    /// How much more a dollar counts in routing, because the money runs ahead of the time; 0 where it does not.
    pub shadow_price: f64,
    /// When it starts anew (RFC 3339).
    pub resets_at: String,
}

/// The answer of `/v1/budgets`.
#[derive(Serialize, ToSchema)]
pub struct BudgetList {
    /// Every budget that covers a vendor in use or a consumer, its day and its month.
    pub data: Vec<SpendingBudget>,
    /// Facts about the answer.
    pub meta: ListMeta,
    /// What must be known: prices that were not checked for long.
    pub warnings: Vec<WarningTold>,
}

/// What may still be spent.
pub async fn budgets(call: Call) -> Result<Reply, Problem> {
    call.words().finish().map_err(Problem::malformed)?;
    let now = call.gateway.now();
    let used: Vec<&str> =
        call.gateway.upstreams().filter(|u| in_use(u)).map(|upstream| upstream.vendor().as_str()).collect();
    let all = call.gateway.spending().budgets(now);
    let shown = all.iter().filter(|budget| {
        budget.whose != Whose::Vendor || budget.name.as_deref().is_some_and(|name| used.contains(&name))
    });
    let data: Vec<SpendingBudget> = shown
        .flat_map(|budget| {
            budget.periods.iter().map(|status| {
                let share = if status.limit == 0 { 1.0 } else { status.spent as f64 / status.limit as f64 };
                let marks = status.period.marks();
                let forecast = if status.elapsed > 0.0 { status.spent as f64 / status.elapsed } else { 0.0 };
                SpendingBudget {
                    whose: budget.whose.as_str(),
                    name: budget.name.clone(),
                    period: status.period.as_str(),
                    limit: dollars(status.limit),
                    spent: dollars(status.spent),
                    in_flight: dollars(status.in_flight),
                    remaining: dollars(status.limit.saturating_sub(status.spent)),
                    share: rounded(share),
                    mark: status.mark,
                    state: match status.mark {
                        100 => "spent",
                        95 => "nearly_spent",
                        mark if mark == marks[1] => "alert",
                        50 => "half",
                        _ => "ok",
                    },
                    forecast: dollars(forecast as u64),
                    shadow_price: rounded(status.shadow),
                    resets_at: status.resets_at.to_string(),
                }
            })
        })
        .collect();
    let (meta, warnings) = (ListMeta::of(&call, data.len()), price_warnings(&call));
    Ok(Reply::json(&BudgetList { data, meta, warnings }))
}

/// A fault of a body.
pub fn body_fault(detail: impl Into<String>) -> Problem {
    Problem::malformed(vec![Fault { parameter: "body".to_owned(), detail: detail.into() }])
}

/// A body that is too large.
pub fn too_large(most: usize) -> Problem {
    Problem::new(Code::TooLarge, format!("the body has more than {most} bytes"))
}
