//! Advice on spending, from own traffic alone (CST-6): pure arithmetic over what the ledger tells.

use domain::{Instant, VendorId};
use vendors::Plan;

use crate::gateway::Gateway;
use crate::spending::{BudgetStatus, Month};

/// Requests a month below which a plan with a fee is hardly used.
const FEW: u64 = 1_000;
/// Share of all spending above which one vendor is most of it.
const MOST: u64 = 50;

/// One piece of advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Stable code: `NEAR_BUDGET`, `ONE_VENDOR`, `HARDLY_USED`, `DROP_PLAN`, `LARGER_PLAN`.
    pub code: &'static str,
    /// About which vendor, if about one.
    pub vendor: Option<VendorId>,
    /// What could be done.
    pub advice: String,
    /// The own traffic behind it.
    pub evidence: String,
    /// What it would save a month, in millionths of a US dollar; negative where it would cost more.
    pub saves_micros: i64,
}

/// What is known of one vendor.
pub struct Used<'a> {
    /// Which.
    pub vendor: VendorId,
    /// The plan in force.
    pub plan: &'a Plan,
    /// Whether it is in use: switched on, with its key.
    pub in_use: bool,
    /// This month's traffic.
    pub month: Month,
}

/// A fee in millionths of a US dollar.
fn fee(plan: &Plan) -> u64 {
    u64::from(plan.monthly_usd) * 1_000_000
}

fn usd(micros: u64) -> String {
    format!("{}.{:02}", micros / 1_000_000, micros % 1_000_000 / 10_000)
}

/// Advice about budgets and vendors as they stand.
pub fn advise(budgets: &[BudgetStatus], vendors: &[Used<'_>], now: Instant) -> Vec<Advice> {
    let mut advice: Vec<Advice> = budgets.iter().filter_map(near_budget).collect();
    let spent: u64 = vendors.iter().map(|used| used.month.micros).sum();
    let useful: u64 = vendors.iter().map(|used| used.month.useful).sum();
    for used in vendors.iter().filter(|used| used.in_use) {
        let others_useful = useful - used.month.useful;
        advice.extend(one_vendor(used, spent, vendors));
        match unused(used, others_useful, now) {
            Some(drop) => advice.push(drop),
            None => advice.extend(hardly_used(used, now)),
        }
        advice.extend(larger_plan(used, now));
    }
    advice
}

fn near_budget(budget: &BudgetStatus) -> Option<Advice> {
    let whose = match &budget.name {
        Some(name) => format!("{} {name}", budget.whose.as_str()),
        None => budget.whose.as_str().to_owned(),
    };
    let passed = budget.periods.iter().find(|status| status.mark >= status.period.marks()[1])?;
    let period = passed.period.as_str();
    Some(Advice {
        code: "NEAR_BUDGET",
        vendor: None,
        advice: format!(
            "ask less, prefer free vendors (strategy=cheapest), or raise the {period}'s budget of {whose}"
        ),
        evidence: format!(
            "{} of {} USD of the {period} are spent with {:.0} % of it passed",
            usd(passed.spent),
            usd(passed.limit),
            passed.elapsed * 100.0
        ),
        saves_micros: 0,
    })
}

fn one_vendor(used: &Used<'_>, spent: u64, vendors: &[Used<'_>]) -> Option<Advice> {
    let own = used.month.micros;
    let others = vendors.iter().filter(|other| other.in_use && other.vendor != used.vendor);
    // What the answers would have cost of the cheapest other vendor that gave useful ones.
    let cheapest = others
        .filter(|other| other.month.useful > 0)
        .min_by_key(|other| other.month.micros / other.month.useful)?;
    let elsewhere = (cheapest.month.micros / cheapest.month.useful).saturating_mul(used.month.useful);
    (own > 0 && own * 100 > spent * MOST).then(|| Advice {
        code: "ONE_VENDOR",
        vendor: Some(used.vendor),
        advice: format!("let {} take more of what {} is asked", cheapest.vendor, used.vendor),
        evidence: format!(
            "{} USD of {} USD this month went to {} for {} useful answers; {} gave {} for {} USD",
            usd(own),
            usd(spent),
            used.vendor,
            used.month.useful,
            cheapest.vendor,
            cheapest.month.useful,
            usd(cheapest.month.micros)
        ),
        saves_micros: i64::try_from(own.saturating_sub(elsewhere)).unwrap_or(i64::MAX),
    })
}

/// How long traffic was watched this month, in words.
fn watched(month: &Month, now: Instant) -> String {
    match month.since {
        Some(since) => format!("from {since} to {}", now.utc_date()),
        None => format!("in the month of {}", month.first),
    }
}

fn hardly_used(used: &Used<'_>, now: Instant) -> Option<Advice> {
    let fee = fee(used.plan);
    (fee > 0 && used.month.calls > 0 && used.month.calls < FEW).then(|| Advice {
        code: "HARDLY_USED",
        vendor: Some(used.vendor),
        advice: format!("a smaller plan than {} would do", used.plan.name),
        evidence: format!(
            "{} requests {}; {} costs {} USD a month",
            used.month.calls,
            watched(&used.month, now),
            used.plan.name,
            used.plan.monthly_usd
        ),
        saves_micros: i64::try_from(fee).unwrap_or(i64::MAX),
    })
}

fn unused(used: &Used<'_>, others_useful: u64, now: Instant) -> Option<Advice> {
    let fee = fee(used.plan);
    (fee > 0 && used.month.useful == 0 && others_useful > 0).then(|| Advice {
        code: "DROP_PLAN",
        vendor: Some(used.vendor),
        advice: format!("drop {}'s plan {}", used.vendor, used.plan.name),
        evidence: format!(
            "none of the {others_useful} useful answers {} came from it, of {} requests",
            watched(&used.month, now),
            used.month.calls
        ),
        saves_micros: i64::try_from(fee).unwrap_or(i64::MAX),
    })
}

fn larger_plan(used: &Used<'_>, now: Instant) -> Option<Advice> {
    let next = used.plan.tariff.next.as_ref()?;
    let month = &used.month;
    (month.refused > 0 && month.calls > 0).then(|| {
        let limits: Vec<String> = next.limits.iter().map(|limit| limit.to_string()).collect();
        let more = next.monthly_usd.saturating_sub(used.plan.monthly_usd);
        let per_call = |plan: &Plan, calls: u64| plan.request_micros.saturating_mul(calls);
        let metered = per_call(next, month.calls + month.refused).saturating_sub(per_call(used.plan, month.calls));
        Advice {
            code: "LARGER_PLAN",
            vendor: Some(used.vendor),
            advice: format!(
                "{}'s plan {} for {more} USD more a month ({}) would have asked the {} questions that {} had no \
                 quota for, instead of waiting, another vendor or an older answer",
                used.vendor,
                next.name,
                if limits.is_empty() { "without limits".to_owned() } else { limits.join(", ") },
                month.refused,
                used.plan.name
            ),
            evidence: format!(
                "{}: {} requests were sent, {} found the quota of {} spent, {} answers were useful",
                watched(month, now),
                month.calls,
                month.refused,
                used.plan.name,
                month.useful
            ),
            saves_micros: -i64::try_from(u64::from(more) * 1_000_000 + metered).unwrap_or(i64::MAX),
        }
    })
}

impl Gateway {
    /// This month's traffic of every vendor.
    pub fn used(&self) -> Vec<Used<'_>> {
        let now = self.clock.now();
        self.upstreams
            .iter()
            .map(|upstream| Used {
                vendor: upstream.vendor(),
                plan: &upstream.settings.plan,
                in_use: upstream.settings.enabled
                    && !upstream.settings.is_retired()
                    && upstream.settings.missing_key().is_none(),
                month: self.spending().month_of(upstream.vendor(), now),
            })
            .collect()
    }

    /// Advice on spending; none without own traffic.
    pub fn advice(&self) -> Vec<Advice> {
        let now = self.clock.now();
        advise(&self.spending().budgets(now), &self.used(), now)
    }
}

#[cfg(test)]
mod tests {
    // CST-6.
    use std::sync::Arc;

    use domain::{Date, Delivery};
    use resilience::budget::{Budget, Limits};
    use vendors::plan::{Limit, Per};

    use super::*;
    use crate::answer::Whose;

    const NOW: &str = "2026-11-18T12:00:00Z";

    fn plan(name: &str, monthly_usd: u32, next: Option<Plan>) -> Plan {
        Plan {
            name: name.into(),
            verified_on: Date::constant(2026, 10, 15),
            limits: vec![Limit { count: 25, per: Per::Day }],
            spend: vec![],
            entitlements: vec![],
            delivery: Delivery::RealTime,
            history: None,
            request_micros: 0,
            monthly_usd,
            tariff: vendors::Tariff { next: next.map(Arc::new), ..Default::default() },
        }
    }

    fn used<'a>(
        vendor: &'static str,
        plan: &'a Plan,
        [calls, micros, useful, refused]: [u64; 4],
    ) -> Used<'a> {
        let first = Date::constant(2026, 11, 1);
        let since = (calls + refused > 0).then_some(Date::constant(2026, 11, 3));
        let month = Month { first, calls, units: calls, micros, useful, refused, since };
        Used { vendor: VendorId(vendor), plan, in_use: true, month }
    }

    fn told(budgets: &[BudgetStatus], vendors: &[Used<'_>]) -> String {
        let advice = advise(budgets, vendors, Instant::parse(NOW).unwrap());
        let line = |a: &Advice| {
            let vendor = a.vendor.map_or("all", VendorId::as_str);
            format!("{} {vendor} {}: {} [{}]", a.code, a.saves_micros, a.advice, a.evidence)
        };
        advice.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn without_own_traffic_there_is_no_advice() {
        let (paid, free) = (plan("premium", 99, None), plan("free", 0, Some(plan("premium", 99, None))));
        assert_eq!(told(&[], &[used("a", &paid, [0; 4]), used("b", &free, [0; 4])]), "");
    }

    #[test]
    fn a_fee_that_brings_little_or_nothing_is_named_with_what_it_costs() {
        let (paid, free) = (plan("premium", 99, None), plan("free", 0, None));
        insta::assert_snapshot!(
            told(&[], &[used("a", &paid, [40, 0, 40, 0]), used("b", &free, [10, 0, 10, 0])]),
            @"HARDLY_USED a 99000000: a smaller plan than premium would do [40 requests from 2026-11-03 to 2026-11-18; premium costs 99 USD a month]"
        );
        insta::assert_snapshot!(
            told(&[], &[used("a", &paid, [40, 0, 0, 0]), used("b", &free, [10, 0, 10, 0])]),
            @"DROP_PLAN a 99000000: drop a's plan premium [none of the 10 useful answers from 2026-11-03 to 2026-11-18 came from it, of 40 requests]"
        );
        assert_eq!(told(&[], &[used("a", &paid, [1_000, 0, 40, 0])]), "", "a thousand requests are some use");
    }

    #[test]
    fn one_vendor_with_most_of_the_spending_is_compared_with_the_cheapest_other() {
        let metered = plan("metered", 0, None);
        insta::assert_snapshot!(
            told(&[], &[used("a", &metered, [100, 510_000, 100, 0]), used("b", &metered, [100, 490_000, 200, 0])]),
            @"ONE_VENDOR a 265000: let b take more of what a is asked [0.51 USD of 1.00 USD this month went to a for 100 useful answers; b gave 200 for 0.49 USD]"
        );
        let half = [used("a", &metered, [100, 500_000, 100, 0]), used("b", &metered, [100, 500_000, 200, 0])];
        assert_eq!(told(&[], &half), "", "half is not over half");
    }

    #[test]
    fn a_plan_that_was_too_small_is_held_against_the_next_one() {
        let free = plan("free", 0, Some(plan("premium_75", 50, None)));
        insta::assert_snapshot!(
            told(&[], &[used("a", &free, [25, 0, 25, 9_000])]),
            @"LARGER_PLAN a -50000000: a's plan premium_75 for 50 USD more a month (25 a day) would have asked the 9000 questions that free had no quota for, instead of waiting, another vendor or an older answer [from 2026-11-03 to 2026-11-18: 25 requests were sent, 9000 found the quota of free spent, 25 answers were useful]"
        );
    }

    #[test]
    fn a_budget_near_its_end_is_told_from_its_alert_on() {
        let now = Instant::parse(NOW).unwrap();
        let status = |month| {
            let periods = Budget::restored(Limits { day: 1_000_000_000, month: 100_000_000 }, 0, month, now)
                .status(now);
            BudgetStatus { whose: Whose::Vendor, name: Some("a".into()), periods }
        };
        assert_eq!(told(&[status(89_000_000)], &[]), "");
        insta::assert_snapshot!(
            told(&[status(90_000_000)], &[]),
            @"NEAR_BUDGET all 0: ask less, prefer free vendors (strategy=cheapest), or raise the month's budget of vendor a [90.00 of 100.00 USD of the month are spent with 58 % of it passed]"
        );
    }
}
