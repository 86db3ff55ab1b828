//! The section of one vendor: text to the settings of its upstream.

use std::time::Duration;

use domain::{Adjustment, Instant};
use gateway::maintenance::Maintenance;
use gateway::settings::{Operation, UpstreamSettings};
use resilience::{circuit_breaker, quota};
use secrecy::{ExposeSecret, SecretString};
use vendors::plan::{Limit, Per};
use vendors::{Codec, Profile, Status, VendorClass};

use crate::plans::{self, Limits};
use crate::reader::Reader;
use crate::text::suggestion;

/// A key with fewer characters is noticed: it is probably no key (CFG-5).
const SHORTEST_KEY: usize = 10;

/// Settings of every vendor of `vendors::ALL`, in that order. A section that names no vendor is a problem.
pub(crate) fn all(root: &Reader<'_>, variable: &dyn Fn(&str) -> Option<String>) -> Vec<UpstreamSettings> {
    let section = root.section("data_sources");
    for key in section.keys() {
        if vendors::find(key).is_none() {
            section.skip(key);
            let known: Vec<&str> = vendors::ALL
                .iter()
                .flat_map(|codec| {
                    [codec.profile().id.as_str()].into_iter().chain(codec.profile().aliases.iter().copied())
                })
                .collect();
            section.problem(key, format!("is no vendor; {}", suggestion(key, known)));
        }
    }
    let usual = Breakers::read(&root.section("circuit_breakers"));
    vendors::ALL
        .iter()
        .filter_map(|codec| {
            let id = codec.profile().id.as_str();
            one(*codec, &section.section(id), section.has(id), &usual, variable)
        })
        .collect()
}

fn one(
    codec: &'static dyn Codec,
    reader: &Reader<'_>,
    is_written: bool,
    usual: &Breakers,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Option<UpstreamSettings> {
    let profile = codec.profile();
    let plans = match plans::of(codec) {
        Ok(plans) => plans,
        Err(problems) => {
            reader.problem("plan", format!("the shipped plans cannot be read: {problems}"));
            return None;
        }
    };
    let chosen = reader.text("plan").unwrap_or_else(|| plans.default.clone());
    let mut plan = plans.find(&chosen).or_else(|| plans.find(&plans.default))?.clone();
    if plans.find(&chosen).is_none() {
        reader
            .problem("plan", format!("is no plan of {}; {}", profile.id, suggestion(&chosen, plans.names())));
    }
    if let Some(Limits { limits, spend }) = limits(reader) {
        // A list of money alone leaves the plan's limits of requests as they are.
        if spend.is_empty() || !limits.is_empty() {
            plan.limits = limits;
        }
        plan.spend = spend;
    }
    let enabled = reader.flag("enabled").unwrap_or(true);
    let simulated = reader.flag("sandbox").unwrap_or(false);
    let key = key(profile, reader, simulated, variable);
    let mut hosts = hosts(reader);
    let base_url = (!hosts.is_empty()).then(|| hosts.remove(0));
    let official = base_url.as_ref().is_none_or(|url| profile.base_urls.contains(&url.as_str()));
    let first_host = profile.base_urls.first().copied().unwrap_or_default();
    let adjustments: Vec<(&str, Adjustment)> =
        Adjustment::ASKABLE.into_iter().chain([Adjustment::Unknown]).map(|a| (a.as_str(), a)).collect();
    let mut breaker = breaker_of(profile.class);
    usual.overrule(&mut breaker);
    read_breaker(&reader.section("circuit_breaker"), &mut breaker);
    breaker.probe_is_costly |= plan.request_micros > 0 || is_scarce(&plan.limits);
    let settings = UpstreamSettings {
        codec,
        enabled,
        priority: reader.count("priority", 1, 999).unwrap_or(2) as u32,
        weight: reader.number("weight", 0.01, 1_000.0).unwrap_or(1.0),
        base_url: base_url.unwrap_or_else(|| first_host.to_owned()),
        official,
        key,
        plan,
        pace: reader
            .word("pace", &[("burst", quota::Pace::Burst), ("strict", quota::Pace::Strict)])
            .unwrap_or_default(),
        timeout: reader.customary_duration("timeout").unwrap_or(plans.timeout),
        breaker,
        sla: crate::service_levels::of_vendor(&reader.section("sla"), profile.class),
        adjustment: reader.word("adjustment", &adjustments),
        simulated,
        operation: Operation {
            further_urls: hosts,
            maintenance: maintenance(reader),
            adapts: usual.adapts.unwrap_or(true),
        },
    };
    notices(&settings, reader, is_written);
    Some(settings)
}

/// What a user should know of a vendor: it is retired, or its key is missing (SRC-12).
fn notices(settings: &UpstreamSettings, reader: &Reader<'_>, is_written: bool) {
    let profile = settings.codec.profile();
    if !settings.enabled {
        return;
    }
    match profile.status {
        Status::Retired { since, replacement } if settings.official && is_written => reader.notice(
            "base_url",
            format!(
                "{} closed on {since} and its own hosts answer no more; name a compatible host here, or use \
                 {replacement} instead",
                profile.id
            ),
        ),
        Status::Retired { .. } if settings.official => {}
        _ if settings.missing_key().is_some() => reader.notice(
            "api_key",
            format!("{} is unconfigured; set {}", profile.id, profile.key_variables.join(" or ")),
        ),
        _ => {}
    }
}

/// The key: the environment's before the file's, except in a sandbox, whose token is its own.
fn key(
    profile: &Profile,
    reader: &Reader<'_>,
    simulated: bool,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Option<SecretString> {
    let written = reader.secret("api_key").filter(|key| !key.expose_secret().is_empty());
    let outside = profile.key_variables.iter().find_map(|name| {
        variable(name).filter(|value| !value.is_empty()).map(|value| (*name, SecretString::from(value)))
    });
    let key = match (written, outside) {
        (Some(written), _) if simulated => Some(written),
        (written, Some((name, outside))) => {
            if written.is_some_and(|written| written.expose_secret() != outside.expose_secret()) {
                reader.notice("api_key", format!("{name} of the environment is used instead"));
            }
            Some(outside)
        }
        (written, None) => written,
    };
    if let Some(key) = &key {
        if profile.key_variables.is_empty() {
            reader.notice("api_key", format!("{} needs no key; this one is never sent", profile.id));
        } else if key.expose_secret().chars().count() < SHORTEST_KEY {
            reader
                .notice("api_key", format!("has fewer than {SHORTEST_KEY} characters; is it the whole key?"));
        }
    }
    key
}

/// Limits instead of the plan's (LIM-5): a list with units, or the customary bare number a minute (CFG-12).
fn limits(reader: &Reader<'_>) -> Option<Limits> {
    let list = plans::limits(reader, "rate_limits");
    let bare = reader.count("rate_limit", 1, u64::from(u32::MAX));
    if let Some(count) = bare {
        if list.is_some() {
            reader.problem("rate_limit", "stands beside `rate_limits`; keep the list");
        }
        let exact = format!("rate_limits: [{{count: {count}, per: minute}}]");
        reader.notice("rate_limit", format!("{count} is read as requests a minute; write {exact}"));
    }
    let bare = bare.map(|count| {
        let limit = Limit { count: count as u32, per: Per::Sliding(Duration::from_secs(60)) };
        Limits { limits: vec![limit], spend: Vec::new() }
    });
    list.or(bare)
}

/// Whether a probe a minute would use a notable part of the plan: fewer than one call a minute round the clock.
fn is_scarce(limits: &[Limit]) -> bool {
    limits.iter().any(|limit| match limit.per {
        Per::Sliding(_) => false,
        Per::Day => limit.count < 1_440,
        Per::Month => limit.count < 30 * 1_440,
    })
}

/// Hosts of the vendor's dialect, from `base_url` or `base_urls` (RTE-3).
fn hosts(reader: &Reader<'_>) -> Vec<String> {
    let list = reader.texts("base_urls");
    let single = reader.text("base_url");
    if list.is_some() && single.is_some() {
        reader.problem("base_url", "stands beside `base_urls`; keep the list");
    }
    if list.as_ref().is_some_and(Vec::is_empty) {
        reader.problem("base_urls", "must name at least one host, or be left out");
    }
    let mut hosts: Vec<String> = Vec::new();
    for (key, url) in
        list.into_iter().flatten().map(|url| ("base_urls", url)).chain(single.map(|url| ("base_url", url)))
    {
        let url = host(reader, key, &url);
        if hosts.contains(&url) {
            reader.problem(key, "names a host twice; keep it once");
        }
        hosts.push(url);
    }
    hosts
}

fn host(reader: &Reader<'_>, key: &str, url: &str) -> String {
    let url = url.trim_end_matches('/');
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if rest.is_none() {
        reader.problem(key, "must begin with http:// or https://");
    } else if host.contains('@') {
        reader.problem(key, "must not hold a name or a password; a key stands in api_key");
    } else if host.is_empty() || url.contains(|c: char| c.is_whitespace() || c == '?' || c == '#') {
        reader.problem(key, "must be a host with an optional path, like https://api.example.com/v1");
    }
    url.to_owned()
}

/// Announced work (BRK-7).
fn maintenance(reader: &Reader<'_>) -> Vec<Maintenance> {
    let mut calendar = Vec::new();
    for item in reader.sections("maintenance").unwrap_or_default() {
        let instant = |key| {
            let Some(text) = item.text(key) else {
                if !item.has(key) {
                    item.problem(key, "is missing: a moment like 2026-11-20T02:00:00Z");
                }
                return None;
            };
            let at = Instant::parse(&text);
            if at.is_none() {
                item.problem(key, "must be a moment like 2026-11-20T02:00:00Z");
            }
            at
        };
        let (start, end) = (instant("start"), instant("end"));
        let reason = item.text("reason");
        if reason.is_none() && !item.has("reason") {
            item.problem("reason", "is missing: what is done, for whoever asks");
        }
        let weekly = item.flag("weekly").unwrap_or(false);
        let (Some(start), Some(end), Some(reason)) = (start, end, reason) else { continue };
        if end <= start {
            item.problem("end", "must be later than `start`");
        } else if weekly && end.since(start) >= Duration::from_secs(7 * 86_400) {
            item.problem("end", "must be less than a week after `start` where it recurs weekly");
        }
        calendar.push(Maintenance { start, end, reason, weekly });
    }
    calendar
}

/// Numbers of the section `circuit_breakers`, which hold for every vendor that has none of its own.
struct Breakers {
    failures: Option<u32>,
    open: Option<Duration>,
    adapts: Option<bool>,
}

impl Breakers {
    fn read(reader: &Reader<'_>) -> Breakers {
        Breakers {
            adapts: reader.flag("adaptive_thresholds"),
            failures: reader.count("default_failure_threshold", 1, 1_000).map(|failures| failures as u32),
            open: reader.duration("default_timeout"),
        }
    }

    fn overrule(&self, breaker: &mut circuit_breaker::Settings) {
        breaker.failures = self.failures.unwrap_or(breaker.failures);
        breaker.open = self.open.unwrap_or(breaker.open);
        breaker.open_cap = breaker.open_cap.max(breaker.open);
    }
}

/// Numbers of a vendor class (the table of vendor classes in the requirements).
fn breaker_of(class: VendorClass) -> circuit_breaker::Settings {
    match class {
        VendorClass::ExchangeBook => circuit_breaker::Settings::exchange_book(),
        VendorClass::DexAggregator => circuit_breaker::Settings::dex_aggregator(),
        VendorClass::Social => circuit_breaker::Settings::social(),
        VendorClass::EquityRealtime
        | VendorClass::EquityDelayed
        | VendorClass::EndOfDay
        | VendorClass::News => circuit_breaker::Settings::default(),
    }
}

fn read_breaker(reader: &Reader<'_>, breaker: &mut circuit_breaker::Settings) {
    if let Some(failures) = reader.count("failure_threshold", 1, 1_000) {
        breaker.failures = failures as u32;
    }
    if let Some(open) = reader.duration("open") {
        breaker.open = open;
        breaker.open_cap = breaker.open_cap.max(open);
    }
    if let Some(successes) = reader.count("success_threshold", 1, 100) {
        breaker.successes = successes as u32;
    }
    if let Some(slow) = reader.duration("slow") {
        breaker.slow = slow;
    }
}
