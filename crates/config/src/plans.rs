//! Vendors' plans: YAML text to checked data.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use domain::{Date, Delivery, Interval};
use vendors::plan::{Limit, Per, SpendLimit};
use vendors::price::Unit;
use vendors::{Capability, Codec, ObjectKind, Offer, Plan, Tariff, Tier};

use crate::layers;
use crate::problem::{Problems, Record};
use crate::reader::Reader;

/// The plans of one vendor.
#[derive(Clone, Debug)]
pub struct Plans {
    /// Name of the plan that holds unless another is chosen.
    pub default: String,
    /// All plans.
    pub plans: Vec<Plan>,
    /// Bound of one attempt unless configured: 5 s, more where the vendor is slow by nature (RTE-4).
    pub timeout: Duration,
}

impl Plans {
    /// A plan by name.
    pub fn find(&self, name: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.name == name)
    }

    /// Names of all plans.
    pub fn names(&self) -> Vec<&str> {
        self.plans.iter().map(|plan| plan.name.as_str()).collect()
    }
}

/// Reads the plans a codec ships.
///
/// # Errors
/// Every problem in them.
pub fn of(codec: &dyn Codec) -> Result<Plans, Problems> {
    let record = RefCell::new(Record::default());
    let name = format!("plans of {}", codec.profile().id);
    let tree = layers::parse(&name, codec.plans(), &mut record.borrow_mut().problems);
    let plans = {
        let root = Reader::root(&tree, &record);
        let default = root.text("default").unwrap_or_default();
        let section = root.section("plans");
        let names = section.keys();
        let plans: Vec<Plan> = names.iter().map(|name| plan(codec, name, &section.section(name))).collect();
        if !plans.iter().any(|plan| plan.name == default) {
            root.problem("default", format!("names no plan; there are {}", names.join(", ")));
        }
        let plans = with_next(plans);
        let timeout = root.duration("timeout").unwrap_or(Duration::from_secs(5));
        Plans { default, plans, timeout }
    };
    record.into_inner().problems.into_result().map(|()| plans)
}

fn plan(codec: &dyn Codec, name: &str, reader: &Reader<'_>) -> Plan {
    let verified_on = reader.text("verified_on").and_then(|text| text.parse().ok()).unwrap_or_else(|| {
        reader.problem("verified_on", "must be the date the plan was last checked, like 2026-10-15");
        Date::constant(1970, 1, 1)
    });
    let delivery = reader.section("delivery");
    let minutes = delivery.number("delay_minutes", 0.0, 10_000.0);
    let delivery = match delivery.text("class").as_deref() {
        Some("real_time") => Delivery::RealTime,
        Some("delayed") => Delivery::Delayed(Duration::from_secs_f64(
            60.0 * minutes.unwrap_or_else(|| {
                delivery.problem("delay_minutes", "says how late a delayed plan is");
                15.0
            }),
        )),
        Some("end_of_day") => Delivery::EndOfDay,
        _ => {
            delivery.problem("class", "must be real_time, delayed or end_of_day");
            Delivery::EndOfDay
        }
    };
    let mut entitlements = Vec::new();
    for word in reader.texts("entitlements").unwrap_or_default() {
        match entitled(codec, &word) {
            Some(more) => entitlements.extend(more),
            None => {
                reader.problem("entitlements", format!("`{word}` is no capability of {}", codec.profile().id))
            }
        }
    }
    // Where the page was read and what it costs are for people and for cost accounts.
    let _ = reader.text("source");
    let _ = reader.text("note");
    let Limits { limits, spend } = limits(reader, "limits").unwrap_or_default();
    let price = price(reader, delivery == Delivery::RealTime);
    Plan {
        name: name.to_owned(),
        verified_on,
        limits,
        spend,
        entitlements,
        delivery,
        history: reader.count("history_days", 1, 100_000).map(|days| Duration::from_secs(days * 86_400)),
        request_micros: price.micros,
        monthly_usd: reader.count("price_per_month_usd", 0, 1_000_000).unwrap_or(0) as u32,
        tariff: price.tariff,
    }
}

/// A plan's price of a unit, and how it charges besides.
struct Price {
    micros: u64,
    tariff: Tariff,
}

/// Reads prices (CST-2). What real time costs on top is in the price of a plan that delivers in real time.
fn price(reader: &Reader<'_>, real_time: bool) -> Price {
    const DEAREST: u64 = 1_000_000_000;
    let micros = reader.count("price_per_request_micros", 0, DEAREST).unwrap_or(0);
    let percent = reader.count("price_realtime_percent", 100, 1_000).unwrap_or(100);
    let extra = reader.count("price_realtime_extra_micros", 0, DEAREST).unwrap_or(0);
    let tiers: Vec<(&str, Tier)> = Tier::ALL.into_iter().map(|tier| (tier.as_str(), tier)).collect();
    let units: Vec<(&str, Unit)> = Unit::ALL.into_iter().map(|unit| (unit.as_str(), unit)).collect();
    let by_endpoint = reader.section("price_by_endpoint_micros");
    let endpoints = Capability::all().map(Capability::as_str).fold(Vec::new(), |mut known, word| {
        if !known.iter().any(|(name, _)| name == word)
            && let Some(micros) = by_endpoint.count(word, 0, DEAREST)
        {
            known.push((word.to_owned(), micros));
        }
        known
    });
    let by_object = reader.section("price_per_object_micros");
    let objects = ObjectKind::ALL
        .into_iter()
        .filter_map(|kind| Some((kind, by_object.count(kind.as_str(), 0, DEAREST)?)))
        .collect();
    Price {
        micros: if real_time { micros * percent / 100 + extra } else { micros },
        tariff: Tariff {
            tier: reader.word("tier", &tiers).unwrap_or_default(),
            unit: reader.word("price_per", &units).unwrap_or_default(),
            included: reader.count("included_per_month", 0, u64::MAX).unwrap_or(0),
            endpoints,
            objects,
            objects_a_month: reader.count("objects_per_month", 1, u64::MAX),
            next: None,
        },
    }
}

/// The plans, each with the next dearer one.
fn with_next(plans: Vec<Plan>) -> Vec<Plan> {
    let dearer = |plan: &Plan| {
        let others = plans.iter().filter(|other| other.monthly_usd > plan.monthly_usd);
        others.min_by_key(|other| other.monthly_usd).cloned()
    };
    let next: Vec<Option<Plan>> = plans.iter().map(dearer).collect();
    let mut plans = plans;
    for (plan, next) in plans.iter_mut().zip(next) {
        plan.tariff.next = next.map(Arc::new);
    }
    plans
}

/// A list of limits as written.
#[derive(Debug, Default)]
pub struct Limits {
    /// Those of requests.
    pub limits: Vec<Limit>,
    /// Those of money.
    pub spend: Vec<SpendLimit>,
}

/// Reads a list of limits, `{count: 5, per: minute}` or `{usd: 2.50, per: day}`; the unit is mandatory
/// (LIM-1, LIM-5).
pub fn limits(reader: &Reader<'_>, key: &str) -> Option<Limits> {
    let sliding = |secs| Per::Sliding(Duration::from_secs(secs));
    let words = [
        ("second", sliding(1)),
        ("5s", sliding(5)),
        ("10s", sliding(10)),
        ("minute", sliding(60)),
        ("hour", sliding(3_600)),
        ("day", Per::Day),
        ("month", Per::Month),
    ];
    let mut limits = Limits::default();
    for item in reader.sections(key)? {
        let (count, micros) = (item.count("count", 1, u64::from(u32::MAX)), item.dollars("usd"));
        let per = item.word("per", &words);
        match (count, micros, per) {
            (Some(_), Some(_), _) => {
                item.problem(
                    "usd",
                    "stands beside `count`; write two limits, one of requests and one of money",
                );
            }
            (Some(count), None, Some(per)) => limits.limits.push(Limit { count: count as u32, per }),
            (None, Some(micros), Some(per)) => limits.spend.push(SpendLimit { micros, per }),
            (None, None, _) if !item.has("count") && !item.has("usd") => {
                item.problem("count", "says how many requests are allowed, or `usd` how much money");
            }
            (_, _, None) if !item.has("per") => {
                item.problem("per", "is missing: second, 5s, 10s, minute, hour, day or month");
            }
            _ => {}
        }
    }
    Some(limits)
}

/// Capabilities a word stands for: `quote`, `bars` (every interval offered), `bars:1d,1w`.
fn entitled(codec: &dyn Codec, word: &str) -> Option<Vec<Capability>> {
    let profile = codec.profile();
    let (name, intervals) = word.split_once(':').map_or((word, None), |(name, list)| (name, Some(list)));
    if name == "bars" {
        let offered: Vec<Interval> = profile.offers.iter().find_map(|offer| match offer {
            Offer::Bars { intervals, .. } => Some(intervals.to_vec()),
            _ => None,
        })?;
        let Some(list) = intervals else { return Some(offered.into_iter().map(Capability::Bars).collect()) };
        return list
            .split(',')
            .map(|text| Interval::parse(text).ok().filter(|i| offered.contains(i)).map(Capability::Bars))
            .collect();
    }
    let capability = Capability::all().find(|c| c.as_str() == name && !matches!(c, Capability::Bars(_)))?;
    profile.offers(capability).then(|| vec![capability])
}

#[cfg(test)]
mod tests {
    // SRC-3.
    use super::*;

    #[test]
    fn every_vendor_ships_plans_that_can_be_read() {
        for codec in vendors::ALL {
            let plans = of(*codec).unwrap_or_else(|problems| panic!("{problems}"));
            assert!(plans.find(&plans.default).is_some());
        }
    }

    #[test]
    fn the_price_book_is_that_of_the_requirements() {
        // CST-2.
        let plan = |vendor: &str, plan: &str| {
            let plans = of(vendors::find(vendor).unwrap()).unwrap();
            plans.find(plan).unwrap_or_else(|| panic!("{vendor} has no plan {plan}")).clone()
        };
        let price = |vendor: &str, name: &str, endpoint: &str| {
            let usage = vendors::Usage { endpoint, symbols: 1, weight: 1, objects: 0 };
            plan(vendor, name).price(&usage, 0)
        };
        assert_eq!(price("iex_cloud", "free", "quote"), 100);
        assert_eq!(price("iex_cloud", "individual", "quote"), 100 + 200);
        assert_eq!(price("polygon", "premium", "quote"), 2_000 * 3 / 2);
        assert_eq!(plan("polygon", "premium").monthly_usd, 99);
        assert_eq!((price("finnhub", "premium", "news"), price("finnhub", "premium", "quote")), (1_000, 0));
        assert_eq!(plan("alpha_vantage", "free").tariff.next.unwrap().name, "premium_75");
        assert_eq!(plan("polygon", "premium").tariff.tier, Tier::Premium);
        for codec in vendors::ALL {
            for plan in of(*codec).unwrap().plans {
                let free = plan.tariff.tier == Tier::Free;
                assert!(!free || plan.monthly_usd == 0, "{} {}", codec.profile().id, plan.name);
            }
        }
    }

    #[test]
    fn the_price_book_of_x_is_by_the_object() {
        // CST-2: its dialect is not spoken yet, so its plans are read by themselves.
        let record = RefCell::new(Record::default());
        let text = include_str!("../../vendors/plans/x.yaml");
        let tree = layers::parse("plans of x", text, &mut record.borrow_mut().problems);
        let read = price(&Reader::root(&tree["plans"]["pay_per_use"], &record), true);
        assert_eq!(read.tariff.objects, [(ObjectKind::Post, 5_000), (ObjectKind::User, 10_000)]);
        assert_eq!((read.tariff.unit, read.tariff.objects_a_month), (Unit::Object, Some(2_000_000)));
        assert_eq!(read.micros, 0);
    }

    #[test]
    fn the_shipped_limits_are_those_of_the_requirements() {
        let limits = |vendor: &str, plan: &str| {
            let plans = of(vendors::find(vendor).unwrap()).unwrap();
            let plan = plans.find(plan).unwrap_or_else(|| panic!("{vendor} has no plan {plan}")).clone();
            plan.limits.iter().map(|l| format!("{}/{:?}", l.count, l.per)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(limits("yahoo", "public"), "120/Sliding(3600s)");
        assert_eq!(limits("alpha_vantage", "free"), "5/Sliding(60s) 25/Day");
        assert_eq!(limits("polygon", "free"), "5/Sliding(60s)");
        assert_eq!(limits("polygon", "premium"), "1000/Sliding(60s)");
        assert_eq!(limits("twelve_data", "free"), "8/Sliding(60s) 800/Day");
        assert!(limits("finnhub", "free").contains("60/Sliding(60s)"));
        assert!(limits("finnhub", "premium").contains("300/Sliding(60s)"));
    }
}
