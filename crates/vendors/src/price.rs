//! What an exchange costs: the pure arithmetic of a plan's price book, in millionths of a US dollar.

use std::collections::HashSet;
use std::sync::Arc;

use domain::{Date, Instant};

use crate::{Data, Plan};

/// How much a plan is worth to its vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Tier {
    /// Without a fee.
    #[default]
    Free,
    /// The smallest plan with a price.
    Basic,
    /// A plan for professionals.
    Premium,
    /// A plan for companies.
    Enterprise,
}

impl Tier {
    /// All tiers, smallest first.
    pub const ALL: [Tier; 4] = [Tier::Free, Tier::Basic, Tier::Premium, Tier::Enterprise];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Tier::Free => "free",
            Tier::Basic => "basic",
            Tier::Premium => "premium",
            Tier::Enterprise => "enterprise",
        }
    }
}

/// What a plan's price is the price of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Unit {
    /// An exchange, whatever is in it.
    Call,
    /// Each symbol of an exchange.
    Symbol,
    /// Each unit of an exchange's [weight](crate::Codec::weight): credits, messages.
    #[default]
    Credit,
    /// Each object of a reply: a post, a user, an article.
    Object,
}

impl Unit {
    /// All units.
    pub const ALL: [Unit; 4] = [Unit::Call, Unit::Symbol, Unit::Credit, Unit::Object];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Unit::Call => "call",
            Unit::Symbol => "symbol",
            Unit::Credit => "credit",
            Unit::Object => "object",
        }
    }
}

/// Something a vendor bills by the piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// A post.
    Post,
    /// A user.
    User,
    /// A news article.
    Article,
}

impl ObjectKind {
    /// All kinds.
    pub const ALL: [ObjectKind; 3] = [ObjectKind::Post, ObjectKind::User, ObjectKind::Article];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            ObjectKind::Post => "post",
            ObjectKind::User => "user",
            ObjectKind::Article => "article",
        }
    }
}

/// How a plan charges, besides the price of its unit and its monthly fee.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tariff {
    /// Free, basic, premium or enterprise.
    pub tier: Tier,
    /// What [`Plan::request_micros`] is the price of.
    pub unit: Unit,
    /// Units a month that the fee covers; only what is used beyond is charged.
    pub included: u64,
    /// Endpoints with a price of their own, by the word of their capability.
    pub endpoints: Vec<(String, u64)>,
    /// Price of each kind of object. The same object is free again within a UTC day.
    pub objects: Vec<(ObjectKind, u64)>,
    /// Objects a month at most; `None` is as many as are paid for.
    pub objects_a_month: Option<u64>,
    /// The vendor's next dearer plan.
    pub next: Option<Arc<Plan>>,
}

/// What one exchange uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage<'a> {
    /// Its capability's word.
    pub endpoint: &'a str,
    /// Symbols asked about; at least one is charged.
    pub symbols: u32,
    /// Its weight by the vendor's counting.
    pub weight: u32,
    /// Objects that may come back at most.
    pub objects: u32,
}

impl Plan {
    /// Units an exchange is charged as: of a plan that charges by objects, the most that may come back.
    pub fn units(&self, usage: &Usage<'_>) -> u64 {
        u64::from(match self.tariff.unit {
            Unit::Call => 1,
            Unit::Symbol => usage.symbols.max(1),
            Unit::Credit => usage.weight,
            Unit::Object => usage.objects,
        })
    }

    /// Price of an exchange, in millionths of a US dollar, when `used` units of this month are used up: an upper
    /// bound where only the reply tells.
    pub fn price(&self, usage: &Usage<'_>, used: u64) -> u64 {
        let of_unit = match self.tariff.endpoints.iter().find(|(name, _)| name == usage.endpoint) {
            Some((_, micros)) => *micros,
            None if self.tariff.unit == Unit::Object => self.dearest_object(),
            None => self.request_micros,
        };
        let units = self.units(usage);
        let covered = self.tariff.included.saturating_sub(used).min(units);
        (units - covered).saturating_mul(of_unit)
    }

    /// Price of the objects of a reply that were not charged before on the same day, in millionths of a US dollar.
    pub fn price_of_objects(&self, new: &[(ObjectKind, u64)]) -> u64 {
        let price =
            |kind| self.tariff.objects.iter().find(|(known, _)| *known == kind).map_or(0, |(_, m)| *m);
        new.iter().map(|(kind, count)| count.saturating_mul(price(*kind))).sum()
    }

    /// Price of the dearest kind of object.
    pub fn dearest_object(&self) -> u64 {
        self.tariff.objects.iter().map(|(_, micros)| *micros).max().unwrap_or(0)
    }

    /// Whether any exchange may cost something beyond the monthly fee.
    pub fn is_metered(&self) -> bool {
        let priced = |micros: u64| micros > 0;
        priced(self.request_micros)
            || priced(self.dearest_object())
            || self.tariff.endpoints.iter().any(|(_, micros)| priced(*micros))
    }

    /// What a call would cost on the next dearer plan, in millionths of a US dollar: its price by the call, or its
    /// fee over the calls a month that this plan's own limits allow. A thousandth of a dollar where no plan is
    /// dearer: the usual price of a call in the price book.
    pub fn next_call_micros(&self) -> u64 {
        const USUAL: u64 = 1_000;
        let Some(next) = &self.tariff.next else { return USUAL };
        let fee = u64::from(next.monthly_usd.saturating_sub(self.monthly_usd)) * 1_000_000;
        let calls = self.calls_a_month().unwrap_or(u64::MAX).max(1);
        next.request_micros.saturating_add(fee / calls)
    }

    /// Calls the limits allow in thirty days; `None` without limits.
    pub fn calls_a_month(&self) -> Option<u64> {
        use crate::plan::Per;
        const DAYS: u64 = 30;
        self.limits
            .iter()
            .map(|limit| match limit.per {
                Per::Sliding(length) => u64::from(limit.count) * (DAYS * 86_400) / length.as_secs().max(1),
                Per::Day => u64::from(limit.count) * DAYS,
                Per::Month => u64::from(limit.count),
            })
            .min()
    }
}

/// Objects already charged on a UTC day: a vendor that bills by the piece bills each once a day.
#[derive(Clone, Debug, Default)]
pub struct Charged {
    day: Option<Date>,
    seen: HashSet<(ObjectKind, Arc<str>)>,
}

impl Charged {
    /// Takes note of the objects of a reply; tells how many of each kind are charged now. A clock that steps back
    /// opens no earlier day.
    pub fn take(&mut self, objects: &[(ObjectKind, Arc<str>)], now: Instant) -> Vec<(ObjectKind, u64)> {
        let today = now.utc_date();
        if self.day.is_none_or(|day| day < today) {
            self.day = Some(today);
            self.seen.clear();
        }
        let mut new: Vec<(ObjectKind, u64)> = Vec::new();
        for (kind, id) in objects {
            if self.seen.insert((*kind, Arc::clone(id))) {
                match new.iter_mut().find(|(known, _)| known == kind) {
                    Some((_, count)) => *count += 1,
                    None => new.push((*kind, 1)),
                }
            }
        }
        new
    }
}

impl Data {
    /// What a vendor that bills by the piece may bill, each by the vendor's own id. What has no id is billed as one
    /// of its own.
    pub fn objects(&self) -> Vec<(ObjectKind, Arc<str>)> {
        match self {
            Data::News(rows) => rows
                .iter()
                .map(|row| (ObjectKind::Article, row.id.clone().unwrap_or_else(|| Arc::clone(&row.headline))))
                .collect(),
            Data::Quotes(_)
            | Data::Bars(_)
            | Data::ManyBars(_)
            | Data::Trades(..)
            | Data::Actions(_)
            | Data::Instruments(_)
            | Data::MarketStatus(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    // CST-1, CST-2.
    use std::time::Duration;

    use domain::Delivery;

    use super::*;
    use crate::plan::{Limit, Per};

    fn plan(unit: Unit, request_micros: u64) -> Plan {
        Plan {
            name: "a".into(),
            verified_on: Date::constant(2026, 10, 15),
            limits: vec![],
            spend: vec![],
            entitlements: vec![],
            delivery: Delivery::RealTime,
            history: None,
            request_micros,
            monthly_usd: 0,
            tariff: Tariff { unit, ..Tariff::default() },
        }
    }

    const USAGE: Usage<'static> = Usage { endpoint: "quote", symbols: 3, weight: 7, objects: 11 };

    #[test]
    fn each_unit_counts_its_own_thing() {
        let price = |unit| plan(unit, 10).price(&USAGE, 0);
        assert_eq!((price(Unit::Call), price(Unit::Symbol), price(Unit::Credit)), (10, 30, 70));
        let mut by_object = plan(Unit::Object, 0);
        by_object.tariff.objects = vec![(ObjectKind::Post, 5_000), (ObjectKind::User, 10_000)];
        assert_eq!(by_object.price(&USAGE, 0), 110_000, "the dearest kind, before the reply tells");
        assert!(by_object.is_metered() && !plan(Unit::Call, 0).is_metered());
    }

    #[test]
    fn a_fee_covers_its_units_and_only_what_lies_beyond_is_charged() {
        let mut flat = plan(Unit::Credit, 10);
        flat.tariff.included = 100;
        assert_eq!(flat.price(&USAGE, 0), 0);
        assert_eq!(flat.price(&USAGE, 93), 0);
        assert_eq!(flat.price(&USAGE, 94), 10);
        assert_eq!(flat.price(&USAGE, 100), 70);
        assert_eq!(flat.price(&USAGE, u64::MAX), 70);
    }

    #[test]
    fn an_endpoint_may_have_a_price_of_its_own() {
        let mut plan = plan(Unit::Call, 0);
        plan.tariff.endpoints = vec![("news".into(), 1_000)];
        assert_eq!(plan.price(&Usage { endpoint: "news", ..USAGE }, 0), 1_000);
        assert_eq!(plan.price(&USAGE, 0), 0);
        assert!(plan.is_metered());
    }

    #[test]
    fn the_same_object_is_charged_once_a_utc_day() {
        let at = |text: &str| Instant::parse(text).unwrap();
        let post = |id: &str| (ObjectKind::Post, Arc::from(id));
        let user = |id: &str| (ObjectKind::User, Arc::from(id));
        let mut charged = Charged::default();
        let noon = at("2026-11-18T12:00:00Z");
        assert_eq!(
            charged.take(&[post("1"), user("1"), post("2"), post("1")], noon),
            [(ObjectKind::Post, 2), (ObjectKind::User, 1)]
        );
        assert_eq!(
            charged.take(&[post("2"), post("3")], at("2026-11-18T23:59:59Z")),
            [(ObjectKind::Post, 1)]
        );
        assert_eq!(charged.take(&[post("1")], at("2026-11-19T00:00:00Z")), [(ObjectKind::Post, 1)]);
        // A clock that steps back opens no earlier day.
        assert_eq!(charged.take(&[post("1")], noon), []);
        let mut by_object = plan(Unit::Object, 0);
        by_object.tariff.objects = vec![(ObjectKind::Post, 5_000), (ObjectKind::User, 10_000)];
        assert_eq!(by_object.price_of_objects(&[(ObjectKind::Post, 2), (ObjectKind::User, 1)]), 20_000);
    }

    #[test]
    fn the_price_of_free_quota_is_what_the_next_plan_would_take_for_it() {
        let mut free = plan(Unit::Call, 0);
        assert_eq!(free.next_call_micros(), 1_000);
        free.limits = vec![
            Limit { count: 5, per: Per::Sliding(Duration::from_secs(60)) },
            Limit { count: 25, per: Per::Day },
        ];
        assert_eq!(free.calls_a_month(), Some(750));
        free.tariff.next = Some(Arc::new(Plan { monthly_usd: 50, ..plan(Unit::Call, 0) }));
        assert_eq!(free.next_call_micros(), 66_666);
    }
}
