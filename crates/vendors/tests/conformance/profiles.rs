//! SRC-1, SRC-3, SRC-6, SRC-12, SRC-15: what a vendor says of itself is complete and unambiguous.

use std::collections::HashSet;

use domain::{Date, Instant, Interval};
use serde_json::Value;
use vendors::codec::Session;
use vendors::{Ask, Capability, KeySlot, Profile, Status};

use crate::each_vendor;
use crate::questions::{NOW, samples};

#[test]
fn vendors_are_listed_alphabetically_under_names_of_their_own() {
    let ids: Vec<&str> = vendors::ALL.iter().map(|codec| codec.profile().id.as_str()).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    let mut names = HashSet::new();
    for codec in vendors::ALL {
        let profile = codec.profile();
        for name in std::iter::once(profile.id.as_str()).chain(profile.aliases.iter().copied()) {
            assert!(names.insert(name.to_ascii_lowercase()), "{name} names two vendors");
            let found = vendors::find(&name.to_ascii_uppercase()).expect("a listed name is found");
            assert_eq!(found.profile().id, profile.id);
        }
    }
}

#[test]
fn a_vendor_that_takes_a_key_names_its_variable_and_its_hosts() {
    each_vendor(|codec| {
        let profile = codec.profile();
        assert_eq!(profile.key == KeySlot::None, profile.key_variables.is_empty(), "{}", profile.id);
        assert!(!profile.base_urls.is_empty(), "{}", profile.id);
        for url in profile.base_urls {
            assert!(url.starts_with("https://") && !url.ends_with('/'), "{url}");
        }
        assert!(jiff::tz::TimeZone::get(profile.quota_zone).is_ok(), "{}", profile.quota_zone);
        if let Status::Retired { replacement, .. } = profile.status {
            let other = vendors::find(replacement).expect("a replacement is a vendor of ours");
            assert_eq!(other.profile().status, Status::Active);
        }
    });
}

#[test]
fn whatever_a_vendor_offers_can_be_asked_without_its_key() {
    each_vendor(|codec| {
        let profile = codec.profile();
        for question in samples(profile) {
            let ask = Ask { question: &question, now: NOW, session: &Session::default(), plan: None };
            let request =
                codec.encode_request(&ask).unwrap_or_else(|r| panic!("{}: {question:?}: {r}", profile.id));
            assert_eq!(profile.key.read(&request), None, "{}: the gateway adds the key", profile.id);
        }
    });
}

#[test]
fn whatever_a_vendor_does_not_offer_is_unsupported() {
    each_vendor(|codec| {
        let profile = codec.profile();
        for question in crate::questions::of_capabilities(Capability::all().filter(|c| !profile.offers(*c))) {
            let ask = Ask { question: &question, now: NOW, session: &Session::default(), plan: None };
            assert_eq!(
                codec.encode_request(&ask).err(),
                Some(vendors::Rejection::Unsupported),
                "{}: {question:?}",
                profile.id
            );
        }
    });
}

/// Limits that requirement SRC-3 fixes: vendor, plan, count, window.
const LIMITS: &[(&str, &str, u64, &str)] = &[
    ("yahoo", "public", 120, "hour"),
    ("alpha_vantage", "free", 5, "minute"),
    ("alpha_vantage", "free", 25, "day"),
    ("polygon", "free", 5, "minute"),
    ("polygon", "premium", 1000, "minute"),
    ("twelve_data", "free", 8, "minute"),
    ("twelve_data", "free", 800, "day"),
    ("finnhub", "free", 60, "minute"),
    ("finnhub", "premium", 300, "minute"),
];

fn plans(yaml: &str, profile: &Profile) -> Value {
    serde_saphyr::from_str(yaml).unwrap_or_else(|e| panic!("plans of {}: {e}", profile.id))
}

#[test]
fn plans_are_data_with_the_date_they_were_verified() {
    each_vendor(|codec| {
        let profile = codec.profile();
        let text = plans(codec.plans(), profile);
        let default = text["default"].as_str().expect("a default plan");
        let all = text["plans"].as_object().expect("plans by name");
        assert!(all.contains_key(default), "{}: {default}", profile.id);
        for (name, plan) in all {
            let context = format!("{} {name}", profile.id);
            let verified = plan["verified_on"].as_str().expect(&context);
            assert!(verified.parse::<Date>().is_ok(), "{context}: {verified}");
            assert!(plan["source"].as_str().is_some_and(|source| source.len() > 10), "{context}: source");
            assert!(plan["price_per_month_usd"].as_u64().is_some(), "{context}: price");
            for limit in plan["limits"].as_array().expect(&context) {
                assert!(limit["count"].as_u64().is_some_and(|count| count > 0), "{context}");
                let per = limit["per"].as_str().expect(&context);
                assert!(matches!(per, "second" | "minute" | "hour" | "day" | "month"), "{context}: {per}");
            }
            let class = plan["delivery"]["class"].as_str().expect(&context);
            assert!(matches!(class, "real_time" | "delayed" | "end_of_day"), "{context}: {class}");
            assert_eq!(class == "delayed", plan["delivery"]["delay_minutes"].is_u64(), "{context}");
            let words = plan["entitlements"].as_array().expect(&context);
            assert!(!words.is_empty(), "{context}");
            for word in words {
                entitled(word.as_str().expect(&context), profile);
            }
        }
    });
}

/// A word of an entitlement names capabilities the profile offers.
fn entitled(text: &str, profile: &Profile) {
    let (word, intervals) = text.split_once(':').unwrap_or((text, ""));
    let mut known = Capability::all().filter(|capability| capability.as_str() == word);
    assert!(known.any(|capability| profile.offers(capability)), "{}: {text}", profile.id);
    for interval in intervals.split(',').filter(|_| !intervals.is_empty()) {
        let interval = Interval::parse(interval.trim()).expect("an interval");
        assert!(profile.offers(Capability::Bars(interval)), "{}: {text}", profile.id);
    }
}

#[test]
fn plans_carry_the_limits_the_vendors_publish() {
    each_vendor(|codec| {
        let profile = codec.profile();
        let text = plans(codec.plans(), profile);
        for (_, plan, count, per) in LIMITS.iter().filter(|(vendor, ..)| *vendor == profile.id.as_str()) {
            let limits = text["plans"][plan]["limits"].as_array().expect("the plan has limits");
            assert!(
                limits.iter().any(|limit| limit["count"] == *count && limit["per"] == *per),
                "{} {plan}: {count} per {per} not among {limits:?}",
                profile.id
            );
        }
    });
}

#[test]
fn a_retired_vendor_says_since_when() {
    let now: Date = NOW.utc_date();
    each_vendor(|codec| {
        if let Status::Retired { since, .. } = codec.profile().status {
            assert!(since < now && since > Instant::EPOCH.utc_date());
        }
    });
}
