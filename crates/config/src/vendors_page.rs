//! The page of every vendor and its plans: `docs/reference/vendors.md`, written from the profiles and plans
//! themselves.

use std::fmt::Write;

use domain::Delivery;
use vendors::plan::{Limit, Per};
use vendors::{Codec, Plan, Status};

use crate::plans;

/// The page.
///
/// # Panics
/// If a vendor ships plans that cannot be read, which its own tests rule out.
pub fn page() -> String {
    let mut page = String::from(INTRODUCTION);
    for codec in vendors::ALL {
        vendor(&mut page, *codec);
    }
    page
}

fn vendor(page: &mut String, codec: &dyn Codec) {
    let profile = codec.profile();
    let mut line = |text: String| writeln!(page, "{text}").expect("writing to a text cannot fail");
    line(format!("\n## {}\n", profile.id));
    if let Status::Retired { since, replacement } = profile.status {
        line(format!("Retired since {since}; `{replacement}` offers most of the same.\n"));
    }
    line(format!("- Class `{}`, feed `{}`.", profile.class.as_str(), profile.feed));
    if !profile.aliases.is_empty() {
        line(format!("- Also accepted as {}.", quoted(profile.aliases)));
    }
    match profile.key_variables {
        [] => line("- Needs no key.".to_owned()),
        names => line(format!("- Key in {}.", quoted(names))),
    }
    line(format!("- Quotas of a day or month start anew in `{}`.", profile.quota_zone));
    let plans = plans::of(codec).expect("a vendor's own plans are read by its tests");
    line("\n| plan | delivery | limits | includes | price | verified |".to_owned());
    line("| --- | --- | --- | --- | --- | --- |".to_owned());
    for plan in &plans.plans {
        let default = if plan.name == plans.default { " (default)" } else { "" };
        line(format!(
            "| {}{default} | {} | {} | {} | {} | {} |",
            plan.name,
            delivery(plan.delivery),
            limits(&plan.limits),
            included(plan),
            price(plan),
            plan.verified_on
        ));
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn delivery(delivery: Delivery) -> String {
    match delivery {
        Delivery::RealTime => "real time".to_owned(),
        Delivery::Delayed(delay) => format!("{} min late", delay.as_secs() / 60),
        Delivery::EndOfDay => "end of day".to_owned(),
    }
}

fn limits(limits: &[Limit]) -> String {
    let told: Vec<String> = limits
        .iter()
        .map(|limit| {
            let per = match limit.per {
                Per::Sliding(window) => match window.as_secs() {
                    1 => "second".to_owned(),
                    60 => "minute".to_owned(),
                    3_600 => "hour".to_owned(),
                    secs => format!("{secs} s"),
                },
                Per::Day => "day".to_owned(),
                Per::Month => "month".to_owned(),
            };
            format!("{} per {per}", limit.count)
        })
        .collect();
    if told.is_empty() { "none stated".to_owned() } else { told.join(", ") }
}

/// What a plan includes, each capability once, whatever the intervals.
fn included(plan: &Plan) -> String {
    let mut words: Vec<&str> = Vec::new();
    for capability in &plan.entitlements {
        if !words.contains(&capability.as_str()) {
            words.push(capability.as_str());
        }
    }
    words.join(", ")
}

fn price(plan: &Plan) -> String {
    let unit = plan.tariff.unit.as_str();
    let mut told = match (plan.monthly_usd, plan.request_micros) {
        (0, 0) => "free".to_owned(),
        (month, 0) => format!("{month} USD a month"),
        (month, micros) => format!("{month} USD a month, {micros} millionths a {unit}"),
    };
    for (endpoint, micros) in &plan.tariff.endpoints {
        told.push_str(&format!(", {micros} millionths a {unit} of {endpoint}"));
    }
    told
}

const INTRODUCTION: &str = "\
# Vendors

Generated from the vendors' profiles and plans: `UPDATE_DOCS=1 cargo test -p config` writes it, and a test compares
it. Which plan is in force is configuration (`data_sources.VENDOR.plan`); limits can be overridden there.
";
