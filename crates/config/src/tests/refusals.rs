//! CFG-1, CFG-2, CFG-3, CFG-5, LIM-5, SRC-6: what does not start, and what is said about it.

use insta::assert_snapshot;

use super::{read, refused};

#[test]
fn an_unknown_key_of_any_section_is_refused_with_the_nearest_known_one() {
    let text = "
        routin: {}
        api: {lisen: 127.0.0.1:1}
        storage: {datadir: x}
        monitoring: {log_levels: info}
        data_sources:
          polygon: {timeot: 5s, circuit_breaker: {failure_treshold: 3}, rate_limits: [{cuont: 1, per: day}]}
          polygone: {}
          unheard_of: {}
        circuit_breakers: {default_failure_treshold: 5}
        routing: {stratgy: best, weights: {qualty: 0.5}}
        cache: {qoute: 5s}
        service_levels: {cached: {witin: 1s}, requird: quote}
        deadlines: {barz: 5s}
        quality_scoring: {weigths: {}, thresholds: {grade_e_min: 50}}
        shared: {redis_uri: x}
        colour: blue
    ";
    assert_snapshot!(refused(text, &[]), @r"
    api.lisen: is no key here; did you mean `listen`?
    cache.qoute: is no key here; did you mean `quote`?
    circuit_breakers.default_failure_treshold: is no key here; did you mean `default_failure_threshold`?
    colour: is no key here; known are api, budgets, cache, calendars, circuit_breakers, data_sources, deadlines, environment, monitoring, quality_scoring, routing, schedule, security, service_levels, shared, storage, validation
    data_sources.polygon.circuit_breaker.failure_treshold: is no key here; did you mean `failure_threshold`?
    data_sources.polygon.rate_limits[0].count: says how many requests are allowed, or `usd` how much money
    data_sources.polygon.rate_limits[0].cuont: is no key here; did you mean `count`?
    data_sources.polygon.timeot: is no key here; did you mean `timeout`?
    data_sources.polygone: is no vendor; did you mean `polygon`?
    data_sources.unheard_of: is no vendor; known are alpha_vantage, alphavantage, finnhub, iex_cloud, iex, iexcloud, polygon, massive, twelve_data, twelvedata, yahoo, yfinance
    deadlines.barz: is no key here; did you mean `bars`?
    monitoring.log_levels: is no key here; did you mean `log_level`?
    quality_scoring.thresholds.grade_e_min: is no key here; did you mean `grade_a_min`?
    quality_scoring.weigths: is no key here; did you mean `weights`?
    routin: is no key here; did you mean `routing`?
    routing.stratgy: is no key here; did you mean `strategy`?
    routing.weights.qualty: is no key here; did you mean `quality`?
    service_levels.cached.witin: is no key here; did you mean `within`?
    service_levels.requird: is no key here; did you mean `required`?
    shared.redis_uri: is no key here; did you mean `redis_url`?
    storage.datadir: is no key here; did you mean `data_dir`?
    ");
}

#[test]
fn a_cache_that_cannot_be_is_refused_with_what_would_be_right() {
    // CCH-1, CCH-3, CCH-4: parts within the budget, never a fifth at once, unknown symbols for 5 to 15 minutes.
    let text = "
        cache:
          strategy: clock
          adaptive_ttl: popularity
          memory_megabytes: 64
          max_megabytes: 33
          max_entries: 0
          eviction_share: 0.2
          unknown_symbol: 20m
          refresh_ahead: sometimes
          warm_up: {AAPL: 1}
          warm_up_remembered: many
    ";
    assert_snapshot!(refused(text, &[]), @r"
    cache.adaptive_ttl: is a text, and no such word; known are change, access
    cache.eviction_share: is 0.2, and must be a number from 0.001 to 0.19
    cache.max_entries: is 0, and must be a whole number from 1 to 10000000
    cache.max_megabytes: is more than its part of the memory, and must be at most 32, half of cache.memory_megabytes
    cache.refresh_ahead: is a text, and must be true or false
    cache.strategy: is a text, and no such word; known are adaptive, lfu, lru, ttl
    cache.unknown_symbol: must be from 5m to 15m
    cache.warm_up: is a section, and must be a list of texts
    cache.warm_up_remembered: is a text, and must be a whole number from 0 to 10000
    ");
}

#[test]
fn a_wrong_type_is_refused_with_what_would_be_right() {
    let text = "
        api: {listen: 8000}
        storage: [x]
        monitoring: {log_level: loud}
        calendars: {x: y}
        data_sources:
          polygon: {enabled: 1, priority: first, weight: heavy, plan: 5, pace: slow, base_url: [a], adjustment: some}
          yahoo: {priority: 0, timeout: '5', rate_limits: 100, sandbox: yes please}
          finnhub: on
        routing: {page_budget: -1, cross_check: 2, weights: {quality: 2}}
        cache: {quote: 5, history: 5 parsecs, max_megabytes: 1.5}
        deadlines: {quote: 0s, bars_ms: fast}
    ";
    assert_snapshot!(refused(text, &[]), @r"
    api.listen: is 8000, and must be a text
    cache.history: is a text, and must be a duration with its unit, like 750ms, 5s or 2m
    cache.max_megabytes: is 1.5, and must be a whole number from 1 to 65536
    cache.quote: is 5, and must be a duration with its unit, like 750ms, 5s or 2m
    calendars: is a section, and must be a list of texts
    data_sources.finnhub: is a section: write its keys below it, indented
    data_sources.polygon.adjustment: is a text, and no such word; known are raw, split, dividend, all, unknown
    data_sources.polygon.base_url: is a list, and must be a text
    data_sources.polygon.enabled: is 1, and must be true or false
    data_sources.polygon.pace: is a text, and no such word; known are burst, strict
    data_sources.polygon.plan: is 5, and must be a text
    data_sources.polygon.priority: is a text, and must be a whole number from 1 to 999
    data_sources.polygon.weight: is a text, and must be a number from 0.01 to 1000
    data_sources.yahoo.priority: is 0, and must be a whole number from 1 to 999
    data_sources.yahoo.rate_limits: is 100, and must be a list
    data_sources.yahoo.sandbox: is a text, and must be true or false
    data_sources.yahoo.timeout: is a text, and must be a duration with its unit, like 750ms, 5s or 2m
    deadlines.bars_ms: is a text, and must be a number above zero
    deadlines.quote: is a text, and must be a duration with its unit, like 750ms, 5s or 2m
    monitoring.log_level: is a text, and no such word; known are error, warn, info, debug, trace
    routing.cross_check: is 2, and must be true or false
    routing.page_budget: is -1, and must be a whole number from 1 to 10000
    routing.weights.quality: is 2, and must be a number from 0 to 1
    storage: is a section: write its keys below it, indented
    ");
}

#[test]
fn a_limit_without_its_unit_is_refused() {
    let limits = |text: &str| refused(&format!("data_sources: {{polygon: {{rate_limits: {text}}}}}"), &[]);
    assert_snapshot!(limits("[{count: 5}]"), @"data_sources.polygon.rate_limits[0].per: is missing: second, 5s, 10s, minute, hour, day or month");
    assert_snapshot!(limits("[{per: minute}]"), @"data_sources.polygon.rate_limits[0].count: says how many requests are allowed, or `usd` how much money");
    assert_snapshot!(limits("[{count: 5, per: fortnight}]"), @"data_sources.polygon.rate_limits[0].per: is a text, and no such word; known are second, 5s, 10s, minute, hour, day, month");
    assert_snapshot!(limits("[{usd: 2.5}]"), @"data_sources.polygon.rate_limits[0].per: is missing: second, 5s, 10s, minute, hour, day or month");
    assert_snapshot!(limits("[{usd: 0.0000001, per: day}]"), @"data_sources.polygon.rate_limits[0].usd: is 1e-7, and must be an amount of US dollars, such as 2.50, with at most six decimal places");
    assert_snapshot!(limits("[{usd: -1, per: day}]"), @"data_sources.polygon.rate_limits[0].usd: is -1, and must be an amount of US dollars, such as 2.50, with at most six decimal places");
    assert_snapshot!(limits("[{usd: 1, count: 5, per: day}]"), @"data_sources.polygon.rate_limits[0].usd: stands beside `count`; write two limits, one of requests and one of money");
    assert_snapshot!(limits("[{count: 0, per: day}]"), @"data_sources.polygon.rate_limits[0].count: is 0, and must be a whole number from 1 to 4294967295");
    assert_snapshot!(limits("[5]"), @r"
    data_sources.polygon.rate_limits[0]: must be a mapping
    data_sources.polygon.rate_limits[0].count: says how many requests are allowed, or `usd` how much money
    ");
    assert_snapshot!(refused("vendors: {yahoo: {rate_limit: 100/min}}", &[]), @"data_sources.yahoo.rate_limit: is a text, and must be a whole number from 1 to 4294967295");
    let both = "vendors: {yahoo: {rate_limit: 100, rate_limits: [{count: 1, per: day}]}}";
    assert_snapshot!(refused(both, &[]), @"data_sources.yahoo.rate_limit: stands beside `rate_limits`; keep the list");
}

#[test]
fn instances_that_share_say_where_and_how_many_they_are() {
    // LIM-10.
    assert_snapshot!(refused("shared: {redis_url: 'redis://127.0.0.1', max_instances: 4}", &[]), @"accepted");
    assert_snapshot!(refused("shared: {redis_url: 'rediss://me:pass@example.com:6380/1'}", &[]), @"shared.max_instances: is needed beside `redis_url`: how many instances share the vendors' accounts at most");
    assert_snapshot!(refused("shared: {max_instances: 4}", &[]), @"shared.redis_url: is needed beside `max_instances`: where the instances meet, like `${REDIS_URL}`");
    assert_snapshot!(refused("shared: {redis_url: 'http://127.0.0.1', max_instances: 0}", &[]), @r"
    shared.max_instances: is 0, and must be a whole number from 1 to 1000
    shared.redis_url: must be an address like redis://host:6379/0, or rediss:// for TLS
    ");
}

#[test]
fn broken_yaml_is_told_by_its_place_beside_the_problems_of_the_other_file() {
    let text = super::read_with("api: [1, 2\nkey: x", "cache: {qoute: 1s}", &[], &Default::default());
    assert_snapshot!(text.err().unwrap(), @r"
    cache.qoute: is no key here; did you mean `quote`?
    mda.yaml: cannot be read as YAML at line 2, column 4
    ");
    assert_snapshot!(refused("- a\n- b\n", &[]), @"mda.yaml: is no mapping of sections; begin with `data_sources:` or another section");
    assert_snapshot!(refused("cache: {quote: 1s}\ncache: {quote: 2s}\n", &[]), @"mda.yaml: has the same key twice at line 2, column 1");
}

#[test]
fn a_missing_variable_is_named_and_never_stands_for_itself() {
    let text = "
        data_sources:
          polygon: {api_key: '${NO_SUCH_KEY}', base_url: 'https://${HOST:-example.com}/v1'}
          finnhub: {api_key: 'x${OPEN'}
          twelve_data: {api_key: '${EMPTY}'}
    ";
    assert_snapshot!(refused(text, &[("EMPTY", "")]), @r"
    data_sources.finnhub.api_key: has `${` without `}`; write `${NAME}` or `${NAME:-default}`
    data_sources.polygon.api_key: needs the environment variable NO_SUCH_KEY, which is not set
    data_sources.twelve_data.api_key: needs the environment variable EMPTY, which is not set
    ");
}

#[test]
fn the_key_of_a_vendor_that_is_switched_off_may_be_missing() {
    let off = "data_sources: {polygon: {enabled: false, api_key: '${NO_SUCH_KEY}'}}";
    assert_snapshot!(refused(off, &[]), @"accepted");
    let switched = "data_sources: {polygon: {enabled: '${ON:-false}', api_key: '${NO_SUCH_KEY}'}}";
    assert_snapshot!(refused(switched, &[]), @"accepted");
    assert_snapshot!(refused(switched, &[("ON", "true")]), @"data_sources.polygon.api_key: needs the environment variable NO_SUCH_KEY, which is not set");
}

#[test]
fn a_section_this_version_does_not_act_on_is_refused_rather_than_dropped() {
    let text = "alerting: {}\nmemory: {x: 1}\n";
    assert_snapshot!(refused(text, &[]), @r"
    alerting: this version does not act on this section; take it out
    memory: this version does not act on this section; take it out
    ");
}

#[test]
fn a_schedule_that_cannot_be_kept_is_refused_with_what_would_be_right() {
    let text = "
        schedule:
          in_flight: 0
          longest_lime: 5
          adaptive_rate: bold
          batching: {mode: sometimes, size: 1.5, linger: 30ms, longest_linger: 20ms, batch_linger: 5}
    ";
    assert_snapshot!(refused(text, &[]), @r"
    schedule.adaptive_rate: is a text, and no such word; known are conservative, balanced, aggressive
    schedule.batching.batch_linger: is 5, and must be a duration with its unit, like 750ms, 5s or 2m
    schedule.batching.longest_linger: is shorter than `linger`; it must be at least as long
    schedule.batching.mode: is a text, and no such word; known are hybrid, time, size, adaptive, immediate
    schedule.batching.size: is 1.5, and must be a whole number from 1 to 2000
    schedule.in_flight: is 0, and must be a whole number from 1 to 1000
    schedule.longest_lime: is no key here; did you mean `longest_line`?
    ");
}

#[test]
fn one_vendor_under_two_names_is_refused() {
    let text = "
        data_sources: {polygon: {priority: 1}, massive: {priority: 2}, yahoo: {}}
        vendors: {yfinance: {priority: 3}}
    ";
    assert_snapshot!(refused(text, &[]), @r"
    data_sources.polygon: is the vendor of `data_sources.massive` again; keep one of them
    vendors.yfinance: is the vendor of `data_sources.yahoo` again; keep one of them
    ");
}

#[test]
fn one_length_of_time_under_two_keys_is_refused() {
    assert_snapshot!(refused("deadlines: {quote: 1s, quote_ms: 1000}", &[]), @"deadlines.quote_ms: says the same as `quote`; keep one of them");
}

#[test]
fn an_unknown_plan_is_refused_with_those_there_are() {
    assert_snapshot!(refused("vendors: {massive: {plan: premum}, yahoo: {plan: gold}}", &[]), @r"
    data_sources.polygon.plan: is no plan of polygon; did you mean `premium`?
    data_sources.yahoo.plan: is no plan of yahoo; known are public
    ");
}

#[test]
fn a_base_url_is_a_host_and_perhaps_a_path() {
    let url = |text: &str| refused(&format!("vendors: {{polygon: {{base_url: '{text}'}}}}"), &[]);
    assert_snapshot!(url("https://api.example.com/v1/"), @"accepted");
    assert_snapshot!(url("ftp://example.com"), @"data_sources.polygon.base_url: must begin with http:// or https://");
    assert_snapshot!(url("https://me:secret@example.com"), @"data_sources.polygon.base_url: must not hold a name or a password; a key stands in api_key");
    assert_snapshot!(url("https:///x"), @"data_sources.polygon.base_url: must be a host with an optional path, like https://api.example.com/v1");
    assert_snapshot!(url("https://example.com?key=1"), @"data_sources.polygon.base_url: must be a host with an optional path, like https://api.example.com/v1");
}

#[test]
fn wrong_variables_are_told_together() {
    let variables = [
        ("ENVIRONMENT", "prodution"),
        ("LOG_LEVEL", "loud"),
        ("API_HOST", "everywhere"),
        ("API_PORT", "65536"),
        ("DATABASE_URL", "postgresql://user:password@host/db"),
    ];
    assert_snapshot!(refused("", &variables), @r"
    API_HOST: must be an IP address, like 127.0.0.1
    API_PORT: must be a port from 1 to 65535
    DATABASE_URL: must be an SQLite path; this version stores nowhere else. Take it out, or name a folder
    ENVIRONMENT: is no such word; did you mean `production`?
    LOG_LEVEL: is no such word; known are error, warn, info, debug, trace
    ");
}

#[test]
fn grades_that_do_not_fall_and_weights_that_do_not_add_up_are_refused() {
    let text = "quality_scoring: {weights: {accuracy: 0.9}, thresholds: {grade_b_min: 95}}";
    assert_snapshot!(refused(text, &[]), @r"
    quality_scoring.thresholds: lowest scores must fall from A to D by at least one point, within 1 to 100
    quality_scoring.weights: the weights add up to 1.6, not to 1
    ");
}

#[test]
fn no_problem_and_no_notice_repeats_a_value_that_may_be_a_secret() {
    // CFG-8. The canary sits at every key there is, written and by reference, short and long.
    for canary in ["CANARY-4711-CANARY", "CNRY8"] {
        let reference = "${CANARY}".to_owned();
        for (path, ..) in crate::reference::KEYS {
            let path = path.replace("VENDOR", "polygon").replace("[]", "");
            for written in [canary.to_owned(), reference.clone()] {
                let text =
                    path.rsplit('.').fold(format!("'{written}'"), |inner, key| format!("{{{key}: {inner}}}"));
                let told = match read(&text, &[("CANARY", canary)]) {
                    Ok(configuration) => configuration.notices.join("\n"),
                    Err(problems) => problems.to_string(),
                };
                assert!(!told.contains(canary), "{path}: {told}");
            }
        }
        let names = crate::reference::VARIABLES.iter().map(|(name, _)| *name);
        let keys = vendors::ALL.iter().flat_map(|codec| codec.profile().key_variables.iter().copied());
        for name in names.chain(keys).chain(crate::configuration::NO_EFFECT.iter().copied()) {
            let told = match read("", &[(name, canary)]) {
                Ok(configuration) => configuration.notices.join("\n"),
                Err(problems) => problems.to_string(),
            };
            assert!(!told.contains(canary), "{name}: {told}");
        }
    }
    let digits = refused("vendors: {polygon: {api_key: 123456789012}}", &[]);
    assert_snapshot!(digits, @"data_sources.polygon.api_key: must be a text, best a reference like `${NAME}`; put quotes around digits");
    let garbled = refused("vendors: {polygon: {api_key: *CANARY}}\n", &[]);
    assert!(!garbled.contains("CANARY") && garbled != "accepted", "{garbled}");
}

#[test]
fn hosts_and_announced_work_that_make_no_sense_are_refused() {
    // RTE-3, BRK-7.
    let text = "
        circuit_breakers: {adaptive_thresholds: sometimes}
        data_sources:
          polygon:
            base_url: http://127.0.0.1:1
            base_urls: [http://127.0.0.1:2, 'ftp://x', 'https://me:secret@host']
          finnhub: {base_urls: []}
          twelve_data: {base_urls: [http://127.0.0.1:2, 'http://127.0.0.1:2/']}
          yahoo:
            maintenance:
              - {start: tomorrow, end: 2026-11-21T04:00:00Z, reason: x}
              - {start: 2026-11-21T04:00:00Z, end: 2026-11-21T04:00:00Z, reason: x}
              - {start: 2026-11-21T04:00:00Z, end: 2026-12-21T04:00:00Z, reason: x, weekly: true}
              - {end: 2026-11-21T04:00:00Z, until: never}
    ";
    assert_snapshot!(refused(text, &[]), @r"
    circuit_breakers.adaptive_thresholds: is a text, and must be true or false
    data_sources.finnhub.base_urls: must name at least one host, or be left out
    data_sources.polygon.base_url: stands beside `base_urls`; keep the list
    data_sources.polygon.base_urls: must begin with http:// or https://
    data_sources.polygon.base_urls: must not hold a name or a password; a key stands in api_key
    data_sources.twelve_data.base_urls: names a host twice; keep it once
    data_sources.yahoo.maintenance[0].start: must be a moment like 2026-11-20T02:00:00Z
    data_sources.yahoo.maintenance[1].end: must be later than `start`
    data_sources.yahoo.maintenance[2].end: must be less than a week after `start` where it recurs weekly
    data_sources.yahoo.maintenance[3].reason: is missing: what is done, for whoever asks
    data_sources.yahoo.maintenance[3].start: is missing: a moment like 2026-11-20T02:00:00Z
    data_sources.yahoo.maintenance[3].until: is no key here; known are end, reason, start, weekly
    ");
}
