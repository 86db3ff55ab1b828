//! CFG-5, CFG-8, CFG-11, CFG-12, CLI-4, LIM-5, RTE-4, SRC-6, SRC-12: what starts, and what is said about it.

use std::time::Duration;

use insta::assert_snapshot;
use secrecy::ExposeSecret;

use super::{notices, read, upstream};
use crate::{Flags, load};

#[test]
fn nothing_at_all_is_a_configuration_that_serves_the_keyless_vendors() {
    // CLI-4, SRC-12.
    let configuration = load(None, None, &|_| None, &Flags::default()).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(configuration.listen.to_string(), "127.0.0.1:8000");
    let able: Vec<&str> = configuration
        .gateway
        .upstreams
        .iter()
        .filter(|u| u.enabled && u.missing_key().is_none() && !u.is_retired())
        .map(|u| u.vendor().as_str())
        .collect();
    assert_eq!(able, ["yahoo"]);
    assert_snapshot!(configuration.notices.join("\n"), @r"
    data_sources.alpha_vantage.api_key: alpha_vantage is unconfigured; set ALPHA_VANTAGE_API_KEY or ALPHAVANTAGE_API_KEY
    data_sources.finnhub.api_key: finnhub is unconfigured; set FINNHUB_API_KEY
    data_sources.polygon.api_key: polygon is unconfigured; set POLYGON_API_KEY or MASSIVE_API_KEY
    data_sources.twelve_data.api_key: twelve_data is unconfigured; set TWELVE_DATA_API_KEY
    ");
}

#[test]
fn an_attempt_is_bounded_by_five_seconds_and_a_slow_vendors_by_ten() {
    // RTE-4.
    let configuration = read("", &[]).unwrap();
    assert_eq!(upstream(&configuration, "polygon").timeout, Duration::from_secs(5));
    assert_eq!(upstream(&configuration, "alpha_vantage").timeout, Duration::from_secs(10));
}

#[test]
fn an_alias_is_as_good_as_the_id_in_any_section_name() {
    // SRC-6.
    let text = "vendors: {massive: {priority: 7}}\ndata_sources: {yfinance: {priority: 8}}\n";
    let configuration = read(text, &[]).unwrap();
    assert_eq!(upstream(&configuration, "polygon").priority, 7);
    assert_eq!(upstream(&configuration, "yahoo").priority, 8);
}

#[test]
fn configured_limits_stand_instead_of_the_plans() {
    // LIM-5.
    let text =
        "vendors: {polygon: {plan: premium, rate_limits: [{count: 3, per: second}, {count: 9, per: month}]}}";
    let limits = format!("{:?}", upstream(&read(text, &[]).unwrap(), "polygon").plan.limits);
    assert_snapshot!(limits, @"[Limit { count: 3, per: Sliding(1s) }, Limit { count: 9, per: Month }]");
}

#[test]
fn limits_of_money_stand_beside_those_of_requests() {
    // LIM-1.
    let plan = |list: &str| {
        let text = format!("vendors: {{polygon: {{rate_limits: {list}}}}}");
        let plan = upstream(&read(&text, &[]).unwrap(), "polygon").plan.clone();
        format!("{:?} {:?}", plan.limits, plan.spend)
    };
    assert_snapshot!(plan("[{count: 3, per: second}, {usd: 33.25, per: day}, {usd: '1000', per: month}]"), @"[Limit { count: 3, per: Sliding(1s) }] [SpendLimit { micros: 33250000, per: Day }, SpendLimit { micros: 1000000000, per: Month }]");
    // Money alone leaves the plan's own limit.
    assert_snapshot!(plan("[{usd: 0.000001, per: hour}]"), @"[Limit { count: 5, per: Sliding(60s) }] [SpendLimit { micros: 1, per: Sliding(3600s) }]");
}

#[test]
fn the_customary_bare_numbers_are_read_with_a_notice_of_the_exact_form() {
    // CFG-12.
    let text = "vendors: {polygon: {rate_limit: 100, timeout: 5}}";
    assert_snapshot!(notices(text, &[]), @r"
    data_sources.polygon.rate_limit: 100 is read as requests a minute; write rate_limits: [{count: 100, per: minute}]
    data_sources.polygon.timeout: 5 is read as seconds; write 5s
    ");
    let configuration = read(text, &[]).unwrap();
    let polygon = upstream(&configuration, "polygon");
    assert_eq!(polygon.timeout, Duration::from_secs(5));
    assert_snapshot!(format!("{:?}", polygon.plan.limits), @"[Limit { count: 100, per: Sliding(60s) }]");
}

#[test]
fn a_retired_vendor_is_accepted_with_a_notice_that_names_another() {
    assert_snapshot!(notices("vendors: {iex_cloud: {api_key: pk_0123456789}}", &[]), @"data_sources.iex_cloud.base_url: iex_cloud closed on 2024-08-31 and its own hosts answer no more; name a compatible host here, or use polygon instead");
    let elsewhere = "vendors: {iex_cloud: {api_key: pk_0123456789, base_url: 'http://127.0.0.1:9000/iex'}}";
    assert_snapshot!(notices(elsewhere, &[]), @"");
}

#[test]
fn a_key_that_is_no_key_is_noticed() {
    // CFG-5.
    assert_snapshot!(notices("vendors: {yahoo: {api_key: 0123456789a}}", &[("FINNHUB_API_KEY", "short")]), @r"
    data_sources.finnhub.api_key: has fewer than 10 characters; is it the whole key?
    data_sources.yahoo.api_key: yahoo needs no key; this one is never sent
    ");
}

#[test]
fn a_key_is_found_under_every_name_its_vendor_goes_by() {
    // CFG-5, CFG-8.
    for codec in vendors::ALL {
        for name in codec.profile().key_variables {
            let configuration = read("", &[(name, "key-of-a-test")]).unwrap();
            let key = upstream(&configuration, codec.profile().id.as_str()).key.as_ref().unwrap();
            assert_eq!(key.expose_secret(), "key-of-a-test", "{name}");
            assert!(!format!("{key:?}").contains("key-of-a-test"));
        }
    }
}

#[test]
fn a_sandbox_keeps_its_own_token() {
    let text = "vendors: {polygon: {sandbox: true, base_url: 'http://127.0.0.1:9000/polygon', api_key: simulated-key}}";
    let configuration = read(text, &[("POLYGON_API_KEY", "the-real-one")]).unwrap();
    let polygon = upstream(&configuration, "polygon");
    assert_eq!(polygon.key.as_ref().unwrap().expose_secret(), "simulated-key");
    assert!(polygon.simulated && !polygon.official);
}

#[test]
fn a_breaker_takes_its_vendors_numbers_before_everyones() {
    // CFG-11.
    let text = "
        circuit_breakers: {default_failure_threshold: 9, default_timeout_seconds: 90, adaptive_thresholds: true}
        vendors: {polygon: {circuit_breaker: {failure_threshold: 3}}}
    ";
    let configuration = read(text, &[]).unwrap();
    let breaker = |vendor| upstream(&configuration, vendor).breaker;
    assert_eq!((breaker("polygon").failures, breaker("yahoo").failures), (3, 9));
    assert_eq!(breaker("polygon").open, Duration::from_secs(90));
    assert_snapshot!(notices(text, &[]), @"");
}

#[test]
fn thresholds_adapt_unless_that_is_switched_off() {
    // BRK-3, BRK-9.
    let adapts = |text| upstream(&read(text, &[]).unwrap(), "yahoo").operation.adapts;
    assert!(adapts("{}"));
    assert!(adapts("circuit_breakers: {adaptive_thresholds: true}"));
    assert!(!adapts("circuit_breakers: {adaptive_thresholds: false}"));
}

#[test]
fn the_open_time_doubles_where_a_probe_costs_money_or_scarce_quota_and_nowhere_else() {
    // BRK-4.
    let costly =
        |vendor: &str, text: &str| upstream(&read(text, &[]).unwrap(), vendor).breaker.probe_is_costly;
    assert!(costly("alpha_vantage", "vendors: {alpha_vantage: {plan: free}}"), "25 a day");
    assert!(!costly("polygon", "vendors: {polygon: {plan: free}}"), "5 a minute");
    assert!(costly("polygon", "vendors: {polygon: {rate_limits: [{count: 1000, per: day}]}}"));
    assert!(!costly("polygon", "vendors: {polygon: {rate_limits: [{count: 100000, per: month}]}}"));
}

#[test]
fn several_hosts_stand_in_for_one_another_in_their_order() {
    // RTE-3.
    let text = "vendors: {polygon: {base_urls: ['http://127.0.0.1:1/a/', 'http://127.0.0.1:2/b']}}";
    let configuration = read(text, &[]).unwrap();
    let polygon = upstream(&configuration, "polygon");
    assert_eq!(polygon.base_url, "http://127.0.0.1:1/a");
    assert_eq!(polygon.operation.further_urls, ["http://127.0.0.1:2/b"]);
}

#[test]
fn announced_work_is_read_with_its_reason() {
    // BRK-7.
    let text = "
        vendors:
          polygon:
            maintenance:
              - {start: 2026-11-21T02:00:00Z, end: 2026-11-21T04:00:00Z, reason: upgrade}
              - {start: 2026-11-22T00:00:00-05:00, end: 2026-11-22T01:00:00-05:00, reason: backup, weekly: true}
    ";
    let configuration = read(text, &[]).unwrap();
    let works = &upstream(&configuration, "polygon").operation.maintenance;
    let told: Vec<String> = works
        .iter()
        .map(|work| format!("{} {} {} {}", work.start, work.end, work.reason, work.weekly))
        .collect();
    assert_snapshot!(told.join("\n"), @r"
    2026-11-21T02:00:00Z 2026-11-21T04:00:00Z upgrade false
    2026-11-22T05:00:00Z 2026-11-22T06:00:00Z backup true
    ");
}

#[test]
fn a_setting_without_effect_is_named() {
    let text = "monitoring: {metrics_enabled: true, alerting_enabled: true, log_level: INFO}";
    assert_snapshot!(notices(text, &[("API_WORKERS", "4"), ("API_HOST", "0.0.0.0")]), @r"
    API_WORKERS: this variable has no effect in this version
    monitoring.metrics_enabled: has no effect in this version
    monitoring.alerting_enabled: has no effect in this version
    api.listen: 0.0.0.0:8000 can be reached from other machines, and nobody is asked for a key: `security.consumers` has none
    ");
}
