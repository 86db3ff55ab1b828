//! Events, in the past tense.

use domain::{Instant, VendorId};

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// For the record.
    Info,
    /// Worth a look.
    Warning,
    /// Something is down.
    Critical,
}

impl Severity {
    /// The word used in answers and stored rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// To which vendor, if to one.
    pub vendor: Option<VendorId>,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// A circuit breaker changed its state.
    BreakerChanged {
        /// State before, by its word.
        from: &'static str,
        /// State after, by its word.
        to: &'static str,
        /// Why.
        reason: String,
    },
    /// A vendor's endpoint keeps its promises worse, or better.
    ServiceLevelChanged {
        /// Which endpoint, by its word.
        endpoint: &'static str,
        /// Status before, by its word.
        from: &'static str,
        /// Status after, by its word.
        to: &'static str,
        /// Which promise is broken, in words.
        reason: &'static str,
    },
    /// The room for bad answers of a class is used up too fast: over a long window and a short one.
    BurnRateHigh {
        /// Which class, by its word.
        class: &'static str,
        /// `fast` or `slow`.
        alarm: &'static str,
        /// How many times too fast, over the long window.
        rate: f64,
    },
    /// It is used up too fast no longer.
    BurnRateNormal {
        /// Which class, by its word.
        class: &'static str,
        /// `fast` or `slow`.
        alarm: &'static str,
    },
    /// The circuit breaker of one part of a vendor changed its state: that of an endpoint, or of an instrument.
    PartBreakerChanged {
        /// Which: `endpoint quote`, `symbol AAPL.XNAS`.
        part: String,
        /// State before, by its word.
        from: &'static str,
        /// State after, by its word.
        to: &'static str,
        /// Why.
        reason: String,
    },
    /// All vendors together: whether we blame ourselves.
    SystemBreakerChanged {
        /// State after, by its word: `open`, `closed`.
        to: &'static str,
        /// Vendors whose failures are not held against them.
        absolved: Vec<VendorId>,
    },
    /// An operator has given an order.
    Ordered {
        /// What: `drain`, `maintenance`, `force open`, …, with its extent.
        order: String,
        /// Who, in their own words.
        by: String,
        /// Why, in their own words.
        reason: String,
    },
    /// A capability was taken away by an entitlement refusal.
    CapabilityRemoved {
        /// Which, by its word.
        capability: String,
        /// When it is tried again.
        retry_at: Instant,
    },
    /// A vendor refused the key.
    KeyRefused,
    /// A vendor limited us although our own count left room.
    LimitContradicted,
    /// It has become more or less likely that a quota runs out before its reset.
    ExhaustionForeseen {
        /// Which window, by its word.
        window: &'static str,
        /// `warned`, `acting` once reserves are kept, `calm` when it is over.
        level: &'static str,
        /// Probability that it runs out, in per cent.
        percent: u8,
    },
    /// The rate at which a vendor may be asked was learned anew.
    RateLearned {
        /// What is allowed now, in words.
        rate: String,
    },
    /// A vendor banned us.
    Banned {
        /// Until when, if it says.
        until: Option<Instant>,
    },
    /// A reply lacked a required field or could not be read.
    ShapeDrifted {
        /// What was expected.
        expected: String,
    },
    /// Replies have a field that none had before.
    FieldAppeared {
        /// Replies to which kind of question, by its word; bars with their interval.
        capability: String,
        /// Its name with its path: `results[].price`.
        field: String,
    },
    /// A mark of a budget was passed.
    BudgetPassed {
        /// Whose: `overall`, `vendor polygon`, `consumer desk`.
        whose: String,
        /// `day` or `month`.
        period: &'static str,
        /// The mark: 50, 80, 90, 95, or 100 where nothing more is spent.
        percent: u8,
        /// Spent in the period, in millionths of a US dollar.
        spent_micros: u64,
        /// What may be spent in it.
        limit_micros: u64,
    },
    /// The store failed; the gateway goes on without writing.
    StoreFailed {
        /// What the store said.
        reason: String,
    },
    /// The store works again.
    StoreRecovered,
    /// What instances share cannot be reached: the vendor's quota is spent by our share alone.
    InstancesLost {
        /// Why.
        reason: String,
    },
    /// Instances are together again.
    InstancesFound,
    /// A configured plan was verified long ago.
    PlanOutdated {
        /// Its name.
        plan: String,
        /// Days since it was verified.
        days: u32,
    },
    /// The system clock differs from ours by more than a second.
    ClockStepped {
        /// By how many milliseconds, positive if the system clock is ahead.
        by_ms: i64,
    },
}

impl EventKind {
    /// The stable word for the kind.
    pub const fn as_str(&self) -> &'static str {
        match self {
            EventKind::BreakerChanged { .. } => "breaker_changed",
            EventKind::ServiceLevelChanged { .. } => "service_level_changed",
            EventKind::BurnRateHigh { .. } => "burn_rate_high",
            EventKind::BurnRateNormal { .. } => "burn_rate_normal",
            EventKind::PartBreakerChanged { .. } => "part_breaker_changed",
            EventKind::SystemBreakerChanged { .. } => "system_breaker_changed",
            EventKind::Ordered { .. } => "ordered",
            EventKind::CapabilityRemoved { .. } => "capability_removed",
            EventKind::KeyRefused => "key_refused",
            EventKind::LimitContradicted => "limit_contradicted",
            EventKind::ExhaustionForeseen { .. } => "exhaustion_foreseen",
            EventKind::RateLearned { .. } => "rate_learned",
            EventKind::Banned { .. } => "banned",
            EventKind::ShapeDrifted { .. } => "shape_drifted",
            EventKind::FieldAppeared { .. } => "field_appeared",
            EventKind::BudgetPassed { .. } => "budget_passed",
            EventKind::StoreFailed { .. } => "store_failed",
            EventKind::StoreRecovered => "store_recovered",
            EventKind::InstancesLost { .. } => "instances_lost",
            EventKind::InstancesFound => "instances_found",
            EventKind::PlanOutdated { .. } => "plan_outdated",
            EventKind::ClockStepped { .. } => "clock_stepped",
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            // What was announced alarms nobody, from its first moment to the probe behind it.
            EventKind::BreakerChanged { from: "maintenance", to: "half_open", .. } => Severity::Info,
            EventKind::BreakerChanged { to, .. }
            | EventKind::PartBreakerChanged { to, .. }
            | EventKind::SystemBreakerChanged { to, .. } => match *to {
                "open" => Severity::Critical,
                "half_open" | "degraded" => Severity::Warning,
                _ => Severity::Info,
            },
            EventKind::BudgetPassed { percent, .. } => match *percent {
                100 => Severity::Critical,
                80 | 90 | 95 => Severity::Warning,
                _ => Severity::Info,
            },
            EventKind::ServiceLevelChanged { to, .. } => match *to {
                "failed" => Severity::Critical,
                "degraded" => Severity::Warning,
                _ => Severity::Info,
            },
            EventKind::BurnRateHigh { .. }
            | EventKind::KeyRefused
            | EventKind::Banned { .. }
            | EventKind::StoreFailed { .. } => Severity::Critical,
            EventKind::CapabilityRemoved { .. }
            | EventKind::LimitContradicted
            | EventKind::ShapeDrifted { .. }
            | EventKind::FieldAppeared { .. }
            | EventKind::InstancesLost { .. }
            | EventKind::PlanOutdated { .. }
            | EventKind::ClockStepped { .. } => Severity::Warning,
            EventKind::ExhaustionForeseen { level, .. } if *level != "calm" => Severity::Warning,
            EventKind::StoreRecovered
            | EventKind::BurnRateNormal { .. }
            | EventKind::RateLearned { .. }
            | EventKind::ExhaustionForeseen { .. }
            | EventKind::Ordered { .. }
            | EventKind::InstancesFound => Severity::Info,
        }
    }
}

impl std::fmt::Display for EventKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EventKind::BreakerChanged { from, to, reason } => {
                write!(f, "circuit breaker went from {from} to {to}: {reason}")
            }
            EventKind::ServiceLevelChanged { endpoint, from, to, reason } => {
                write!(f, "service level of {endpoint} went from {from} to {to}: {reason}")
            }
            EventKind::BurnRateHigh { class, alarm, rate } => {
                write!(
                    f,
                    "{class} answers use up their error budget {rate:.1} times too fast ({alarm} alarm)"
                )
            }
            EventKind::BurnRateNormal { class, alarm } => {
                write!(f, "{class} answers keep to their error budget again ({alarm} alarm)")
            }
            EventKind::PartBreakerChanged { part, from, to, reason } => {
                write!(f, "circuit breaker of {part} went from {from} to {to}: {reason}")
            }
            EventKind::SystemBreakerChanged { to, absolved } if absolved.is_empty() => {
                write!(f, "system breaker is {to}: vendors answer again")
            }
            EventKind::SystemBreakerChanged { to, absolved } => {
                let names: Vec<&str> = absolved.iter().map(|vendor| vendor.as_str()).collect();
                write!(
                    f,
                    "system breaker is {to}: {} failed within seconds; the network, the names or the clock are to \
                     blame, and none of them",
                    names.join(", ")
                )
            }
            EventKind::Ordered { order, by, reason } => write!(f, "{by} ordered {order}: {reason}"),
            EventKind::CapabilityRemoved { capability, retry_at } => {
                write!(f, "plan does not include {capability}; tried again at {retry_at}")
            }
            EventKind::KeyRefused => f.write_str("vendor does not accept the key"),
            EventKind::LimitContradicted => f.write_str("vendor limited us below its plan; rate halved"),
            EventKind::ExhaustionForeseen { window, level: "calm", .. } => {
                write!(f, "quota of the {window} will last")
            }
            EventKind::ExhaustionForeseen { window, percent, .. } => {
                write!(f, "quota of the {window} runs out before its reset with a probability of {percent} %")
            }
            EventKind::RateLearned { rate } => write!(f, "vendor is asked at a learned rate: {rate}"),
            EventKind::Banned { until: Some(until) } => write!(f, "vendor banned us until {until}"),
            EventKind::Banned { until: None } => f.write_str("vendor banned us"),
            EventKind::ShapeDrifted { expected } => write!(f, "reply cannot be read: {expected}"),
            EventKind::FieldAppeared { capability, field } => {
                write!(f, "replies of {capability} have a new field: {field}")
            }
            EventKind::BudgetPassed { whose, period, percent, spent_micros, limit_micros } => {
                let cents =
                    |micros: &u64| format!("{}.{:02}", micros / 1_000_000, micros % 1_000_000 / 10_000);
                let (spent, limit) = (cents(spent_micros), cents(limit_micros));
                write!(f, "{whose} budget of the {period} is at {percent} %: {spent} of {limit} USD spent")
            }
            EventKind::StoreFailed { reason } => write!(f, "store failed: {reason}"),
            EventKind::StoreRecovered => f.write_str("store works again"),
            EventKind::InstancesLost { reason } => {
                write!(f, "quota is spent by our share alone: {reason}")
            }
            EventKind::InstancesFound => f.write_str("quota is shared with the other instances again"),
            EventKind::PlanOutdated { plan, days } => {
                write!(f, "plan {plan} was verified {days} days ago")
            }
            EventKind::ClockStepped { by_ms } => write!(f, "system clock is {by_ms} ms away from ours"),
        }
    }
}

#[cfg(test)]
mod tests {
    //! BRK-7, BRK-11.
    use super::*;

    #[test]
    fn an_opened_breaker_is_critical_a_tried_one_a_warning_a_closed_one_news_and_planned_work_wakes_nobody() {
        let severity = |from, to| {
            let whole = EventKind::BreakerChanged { from, to, reason: "x".into() }.severity();
            if to != "maintenance" && from != "maintenance" {
                let part = EventKind::PartBreakerChanged { part: "p".into(), from, to, reason: "x".into() };
                assert_eq!(part.severity(), whole);
            }
            whole.as_str()
        };
        assert_eq!(severity("closed", "open"), "critical");
        assert_eq!(severity("half_open", "open"), "critical");
        assert_eq!(severity("open", "half_open"), "warning");
        assert_eq!(severity("closed", "degraded"), "warning");
        assert_eq!(severity("half_open", "closed"), "info");
        assert_eq!(severity("closed", "maintenance"), "info");
        assert_eq!(severity("maintenance", "half_open"), "info");
    }
}
