//! The page of every key: `docs/reference/config.md`. What a key takes is what the reader asks for; the rest
//! is the table below, and a test compares the two.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::json;

use crate::configuration::{Flags, NO_EFFECT, read};
use crate::problem::Record;

/// One key: its path (`VENDOR` for each vendor's id, `[]` for each row of a list), its default and what it
/// means.
pub(crate) type Key = (&'static str, &'static str, &'static str);

/// Every key, in reading order. A default in backticks is a value that may be written as it stands.
pub(crate) const KEYS: &[Key] = &[
    (
        "environment",
        "`development`",
        "The overlay beside the base file: `production.yaml` and so on. `dev` and `prod` are accepted.",
    ),
    ("api.listen", "`127.0.0.1:8000`", "Where the gateway is reached."),
    ("storage.data_dir", "`mda-data`", "Folder of the store."),
    ("monitoring.log_level", "`info`", "What is written to standard error."),
    (
        "monitoring.metrics_enabled",
        "none",
        "Known for compatibility; no effect in this version, and a notice says so.",
    ),
    (
        "monitoring.alerting_enabled",
        "none",
        "Known for compatibility; no effect in this version, and a notice says so.",
    ),
    (
        "calendars",
        "none",
        "Files of trading calendars that add to the built-in ones or replace them, by venue.",
    ),
    ("data_sources.VENDOR.enabled", "`true`", "Whether the vendor may be asked."),
    (
        "data_sources.VENDOR.priority",
        "`2`",
        "1 primary, 2 secondary, 3 backup; 999 is never. Decides under the strategy `priority`.",
    ),
    ("data_sources.VENDOR.weight", "`1`", "Share of load among vendors of nearly the same score."),
    (
        "data_sources.VENDOR.api_key",
        "none",
        "The vendor's key. Its environment variable wins, except in a sandbox.",
    ),
    (
        "data_sources.VENDOR.plan",
        "the plans file's",
        "Plan in force: limits, entitlements, delay, prices. See `crates/vendors/plans`.",
    ),
    (
        "data_sources.VENDOR.rate_limits",
        "the plan's",
        "Limits instead of the plan's; all of them hold at once. An empty list is no limit; a list of money alone leaves \
         the plan's limits of requests.",
    ),
    ("data_sources.VENDOR.rate_limits[].count", "none", "How many requests, by the vendor's weights."),
    (
        "data_sources.VENDOR.rate_limits[].usd",
        "none",
        "Instead of a count: how much money, by the plan's price of a request.",
    ),
    (
        "data_sources.VENDOR.rate_limits[].per",
        "none",
        "The window. Seconds, minutes and hours slide; days and months follow the vendor's calendar.",
    ),
    (
        "data_sources.VENDOR.rate_limit",
        "none",
        "Customary form: requests a minute, with a notice that names the exact form.",
    ),
    (
        "data_sources.VENDOR.pace",
        "`burst`",
        "`burst` spends a window as fast as it is asked; `strict` spaces requests evenly.",
    ),
    (
        "data_sources.VENDOR.timeout",
        "5 s, 10 s for alpha_vantage",
        "Bound of one attempt, within the request's deadline. A bare number is read as seconds, with a notice.",
    ),
    (
        "data_sources.VENDOR.base_url",
        "the vendor's",
        "Another host that speaks the vendor's dialect: a proxy, a mirror, the simulator.",
    ),
    (
        "data_sources.VENDOR.base_urls",
        "none",
        "Instead of `base_url`, several hosts: the fastest by measurement is asked, and they stand in for one another.",
    ),
    (
        "data_sources.VENDOR.maintenance",
        "none",
        "Announced work: the vendor is not asked meanwhile, nobody is alerted, and a probe decides afterwards.",
    ),
    ("data_sources.VENDOR.maintenance[].start", "none", "First moment, RFC 3339."),
    ("data_sources.VENDOR.maintenance[].end", "none", "First moment after, RFC 3339."),
    ("data_sources.VENDOR.maintenance[].reason", "none", "What is done; the vendor's page shows it."),
    (
        "data_sources.VENDOR.maintenance[].weekly",
        "no",
        "Whether it recurs every seven days at the same time, in UTC.",
    ),
    (
        "data_sources.VENDOR.adjustment",
        "the dialect's",
        "What its bars are adjusted for, where you know better. `unknown` makes them unfit for conversion.",
    ),
    (
        "data_sources.VENDOR.sandbox",
        "`false`",
        "Declares the vendor a simulation: every answer it has a part in is marked.",
    ),
    (
        "data_sources.VENDOR.circuit_breaker.failure_threshold",
        "the class's, usually 5",
        "Weighted failures that open the breaker.",
    ),
    (
        "data_sources.VENDOR.circuit_breaker.open",
        "the class's, usually 60 s",
        "How long it stays open before a probe.",
    ),
    (
        "data_sources.VENDOR.circuit_breaker.success_threshold",
        "the class's, usually 2",
        "Good probes in a row that close it.",
    ),
    (
        "data_sources.VENDOR.circuit_breaker.slow",
        "the class's, usually 5 s",
        "A call that takes longer counts as slow.",
    ),
    (
        "data_sources.VENDOR.sla.p95",
        "the class's, usually 2 s",
        "Highest 95th percentile of its latency; above it the vendor is degraded.",
    ),
    (
        "data_sources.VENDOR.sla.p99",
        "the class's, usually 5 s",
        "Highest 99th percentile of its latency, not below `p95`.",
    ),
    (
        "data_sources.VENDOR.sla.success_rate",
        "the class's, usually 0.95",
        "Lowest share of its calls that succeed; below it the vendor has failed.",
    ),
    (
        "data_sources.VENDOR.sla.failures",
        "the class's, usually 3",
        "So many failures in a row are an outage.",
    ),
    (
        "data_sources.VENDOR.sla.uptime",
        "the class's, usually 0.99",
        "Lowest share of a day in which it is up.",
    ),
    (
        "data_sources.VENDOR.sla.completeness",
        "the class's, usually 0.8",
        "Lowest mean completeness of what it gives.",
    ),
    (
        "data_sources.VENDOR.sla.freshness",
        "the class's, usually 300 s",
        "Highest median lateness beyond what its plan declares.",
    ),
    (
        "circuit_breakers.default_failure_threshold",
        "the class's, usually 5",
        "The same for every vendor that has no number of its own.",
    ),
    (
        "circuit_breakers.default_timeout",
        "the class's, usually 60 s",
        "Open time for every vendor that has none of its own.",
    ),
    (
        "circuit_breakers.adaptive_thresholds",
        "`true`",
        "Whether the failures that open a breaker and the limit of slow calls follow each vendor's own baseline.",
    ),
    ("routing.strategy", "`weighted_round_robin`", "Order of vendors unless the request says otherwise."),
    (
        "routing.failover",
        "`listed`",
        "Who may stand in for a vendor that fails: nobody, those the request or the configuration names, or every enabled one, unless the request says otherwise.",
    ),
    ("routing.cross_check", "`true`", "Whether spare quota may buy second opinions on quotes."),
    ("routing.page_budget", "`20`", "At most so many pages for one question to one vendor."),
    ("routing.weights.quality", "`0.3`", "Weight of the graded quality of what a vendor delivered."),
    ("routing.weights.reliability", "`0.2`", "Weight of the lower bound of its success rate."),
    ("routing.weights.freshness", "`0.25`", "Weight of the freshness its plan promises, for quotes."),
    ("routing.weights.latency", "`0.1`", "Weight of its speed."),
    ("routing.weights.headroom", "`0.08`", "Weight of the quota left for the time left."),
    ("routing.weights.cost", "`0.04`", "Weight of its price."),
    ("routing.weights.load", "`0.03`", "Weight of requests in flight."),
    (
        "cache.strategy",
        "`adaptive`",
        "Which answers give way when memory is full, and how long they last. `adaptive`: what is asked for often stays (W-TinyLFU), times follow experience. `lfu`: the same with fixed times. `lru`: what was asked for last stays, times follow experience. `ttl`: the same with fixed times.",
    ),
    (
        "cache.adaptive_ttl",
        "`change`",
        "What times follow: `change` lengthens them by a fifth where a refetch finds the same and shortens them by a fifth where it does not; `access` does so for hits and misses. Never beyond a class's bounds.",
    ),
    (
        "budgets.month_usd",
        "`1000`",
        "US dollars that may be spent in a UTC month on everything together, monthly fees aside. Free vendors go on \
         when it is spent.",
    ),
    ("budgets.day_usd", "the thirtieth part of the month's", "The same for a UTC day."),
    ("budgets.vendors.VENDOR.month_usd", "`1000`", "The same for one vendor."),
    (
        "budgets.vendors.VENDOR.day_usd",
        "the thirtieth part of the month's",
        "The same for one vendor and a UTC day.",
    ),
    (
        "security.consumers",
        "none",
        "Those who may ask, by their keys (`Authorization: Bearer` or `X-Api-Key`). Without any, anyone may.",
    ),
    ("security.consumers[].name", "none", "Its name in the ledger and in events."),
    ("security.consumers[].key", "none", "Its key; only its SHA-256 is kept."),
    ("security.consumers[].key_sha256", "none", "Instead of the key, its SHA-256 in hexadecimal digits."),
    (
        "security.consumers[].tier",
        "`basic`",
        "Requests a minute: basic 100 (150 in staging), premium 1,000, enterprise 10,000.",
    ),
    ("security.consumers[].per_minute", "the tier's", "Requests a minute instead of the tier's."),
    (
        "security.consumers[].budget.month_usd",
        "`1000`",
        "US dollars that may be spent for it in a UTC month.",
    ),
    ("security.consumers[].budget.day_usd", "the thirtieth part of the month's", "The same for a UTC day."),
    ("cache.quote", "`10s`", "How long a delayed quote, or a bar in progress, stays fresh."),
    ("cache.quote_realtime", "`4s`", "How long a real-time quote stays fresh at most, jitter included."),
    (
        "cache.compatibility_price",
        "`30s`",
        "How long a price is served from memory on the addresses of older systems.",
    ),
    (
        "cache.history",
        "`5m`",
        "How long bars, trades and news stay fresh in memory. Final bars stay as long as there is room.",
    ),
    ("cache.aggregates", "`10m`", "How long bars that are built from finer ones stay fresh."),
    ("cache.reference", "`1h`", "How long actions and symbols stay fresh."),
    ("cache.status", "`30s`", "How long it is remembered whether markets are open."),
    (
        "cache.unknown_symbol",
        "`10m`",
        "How long a symbol that no vendor knows is not asked for again, from 5 to 15 minutes.",
    ),
    ("cache.max_entries", "`10000`", "Answers in memory at most."),
    ("cache.max_megabytes", "the half of `cache.memory_megabytes`", "Memory for answers, in MiB."),
    (
        "cache.eviction_share",
        "`0.1`",
        "Share of the memory for answers that one newcomer may push out; a larger answer is not kept.",
    ),
    (
        "cache.refresh_ahead",
        "`true`",
        "Whether an answer that is asked for is fetched anew before it ends, in spare quota.",
    ),
    (
        "cache.prefetch",
        "`true`",
        "Whether a question that comes at regular times is asked before it comes, in spare quota.",
    ),
    ("cache.warm_up", "none", "Symbols whose quotes are fetched at the start, in spare quota."),
    (
        "cache.warm_up_remembered",
        "`20`",
        "How many of the symbols that were asked for most before the last stop are fetched at the start, in spare quota.",
    ),
    (
        "cache.memory_megabytes",
        "`256`",
        "Budget of everything held in memory, in MiB: answers, series, records, queues.",
    ),
    (
        "shared.redis_url",
        "none",
        "Redis or Valkey server over which several instances share the vendors' quotas. Without it an instance counts alone.",
    ),
    (
        "shared.max_instances",
        "none",
        "How many instances share the vendors' accounts at most; needed beside `redis_url`. The share of one that is not there stays free for it.",
    ),
    ("deadlines.quote", "`2s`", "Time for a quote unless the request says otherwise."),
    ("deadlines.bars", "`5s`", "Time for anything else a caller waits for."),
    ("deadlines.background", "`30s`", "Time for work nobody waits for."),
    ("schedule.in_flight", "`10`", "Requests in flight at one vendor at most; fewer while it is slow."),
    ("schedule.longest_line", "`1000`", "Requests that may wait for one vendor."),
    (
        "schedule.forecast",
        "`true`",
        "Whether a quota that is likely to run out is kept for what matters most.",
    ),
    (
        "schedule.adaptive_rate",
        "`balanced`",
        "How large the steps are in which a vendor's rate is learned: half of, once, or twice a tenth.",
    ),
    (
        "schedule.batching.mode",
        "`hybrid`",
        "When symbols that are asked for together go out: at their size, after a linger, or whichever is first.",
    ),
    ("schedule.batching.size", "`50`", "Symbols in one request, and never more than the vendor takes."),
    ("schedule.batching.linger", "`5ms`", "The least time a question with company on the way waits for it."),
    ("schedule.batching.longest_linger", "`20ms`", "The longest time it waits."),
    ("schedule.batching.batch_linger", "`1s`", "How long work of the class `batch` waits for company."),
    ("schedule.batching.in_flight", "`10`", "Batches in flight at one vendor."),
    (
        "quality_scoring.weights.accuracy",
        "`0.3`",
        "Weight of accuracy in a score. The five weights add up to 1.",
    ),
    ("quality_scoring.weights.timeliness", "`0.25`", "Weight of timeliness."),
    ("quality_scoring.weights.completeness", "`0.2`", "Weight of completeness."),
    ("quality_scoring.weights.consistency", "`0.15`", "Weight of consistency."),
    ("quality_scoring.weights.reliability", "`0.1`", "Weight of reliability."),
    (
        "quality_scoring.thresholds.grade_a_min",
        "`90`",
        "Lowest score of an A. The four fall by at least one point each.",
    ),
    ("quality_scoring.thresholds.grade_b_min", "`80`", "Lowest score of a B."),
    ("quality_scoring.thresholds.grade_c_min", "`70`", "Lowest score of a C."),
    ("quality_scoring.thresholds.grade_d_min", "`60`", "Lowest score of a D; below is F."),
    (
        "validation.preset",
        "`volatility_scaled`",
        "Outer bounds that give verdicts: each instrument's own, or besides them the fixed ones of older systems.",
    ),
    (
        "service_levels.required",
        "the usual: quote, bars, as far as a vendor offers them",
        "Capabilities the whole cannot do without: its health is that of the worst of them.",
    ),
    ("service_levels.cached.within", "`100ms`", "An answer from memory is promised within this time."),
    (
        "service_levels.cached.share",
        "`0.999`",
        "Share of them that keep the promise; the rest is the error budget.",
    ),
    (
        "service_levels.real_time.within",
        "`500ms`",
        "A latest value a vendor is asked for is promised within this time.",
    ),
    (
        "service_levels.real_time.share",
        "`0.995`",
        "Share of them that keep the promise; the rest is the error budget.",
    ),
    ("service_levels.history.within", "`1s`", "A series or a list is promised within this time."),
    (
        "service_levels.history.share",
        "`0.995`",
        "Share of them that keep the promise; the rest is the error budget.",
    ),
    ("service_levels.mixed.within", "`200ms`", "Any answer is promised within this time."),
    (
        "service_levels.mixed.share",
        "`0.95`",
        "Share of them that keep the promise; the rest is the error budget.",
    ),
];

/// Variables of the environment beside the vendors' keys, and what they stand for.
pub(crate) const VARIABLES: &[(&str, &str)] = &[
    ("ENVIRONMENT", "`environment`"),
    ("LOG_LEVEL", "`monitoring.log_level`"),
    ("API_HOST", "the address of `api.listen`"),
    ("API_PORT", "the port of `api.listen`"),
    (
        "DATABASE_URL",
        "`storage.data_dir`: a folder, or `sqlite:` and a path; of a file its folder counts. Other databases are refused.",
    ),
];

/// Every key the reader asks for, with what it takes, by path.
pub(crate) fn asked() -> BTreeMap<String, String> {
    let work = json!({"start": "2026-11-20T02:00:00Z", "end": "2026-11-20T04:00:00Z", "reason": "x"});
    let limit = json!({"count": 1, "per": "day"});
    let tree = json!({
        "data_sources": {"yahoo": {"rate_limits": [limit], "maintenance": [work]}},
        "budgets": {"vendors": {"yahoo": {}}},
        "security": {"consumers": [{}]},
    });
    let record = RefCell::new(Record::default());
    read(&tree, &|_| None, &Flags::default(), &record);
    let general = |path: String| match path.strip_prefix("data_sources.") {
        Some(rest) => {
            let key = rest.split_once('.').map_or("", |(_, key)| key);
            format!("data_sources.VENDOR.{}", key.replace("[0]", "[]"))
        }
        None => path.replace("vendors.yahoo", "vendors.VENDOR").replace("[0]", "[]"),
    };
    record.into_inner().asked.into_iter().map(|(path, takes)| (general(path), takes)).collect()
}

/// The page: every key and every variable.
pub fn page() -> String {
    let asked = asked();
    let mut page = String::from(INTRODUCTION);
    for (path, default, meaning) in KEYS {
        let takes = asked.get(*path).map_or("", String::as_str);
        writeln!(page, "| `{path}` | {takes} | {default} | {meaning} |")
            .expect("writing to a text cannot fail");
    }
    page.push_str("\n## Variables\n\n| variable | stands for |\n| --- | --- |\n");
    for (name, meaning) in VARIABLES {
        writeln!(page, "| `{name}` | {meaning} |").expect("writing to a text cannot fail");
    }
    for codec in vendors::ALL {
        let profile = codec.profile();
        for name in profile.key_variables {
            writeln!(page, "| `{name}` | `data_sources.{}.api_key` |", profile.id)
                .expect("writing to a text cannot fail");
        }
    }
    let without: Vec<String> = NO_EFFECT.iter().map(|name| format!("`{name}`")).collect();
    writeln!(
        page,
        "\nWithout effect in this version, and named in a notice when set: {}.",
        without.join(", ")
    )
    .expect("writing to a text cannot fail");
    page
}

const INTRODUCTION: &str = "\
# Configuration

Generated from the code: `UPDATE_DOCS=1 cargo test -p config` writes it, and a test compares it.

YAML, or JSON. A later source wins key by key: defaults, the base file, the overlay of the environment beside it
(`development.yaml`, `staging.yaml`, `production.yaml`), variables of the environment, flags. `mda check` reads
everything, starts nothing and tells every problem at once.

- `${NAME}` in a text is the variable of that name, and required; `${NAME:-default}` is optional. Below a vendor that
  is switched off a required one may be missing.
- A duration carries its unit, `750ms`, `5s`, `2m`, `1h`, or is a number under the key with `_ms`, `_secs` or
  `_seconds` behind it: `timeout_ms: 750`.
- `vendors` is another name of `data_sources`, and a vendor may go by an alias (`massive` is `polygon`, `yfinance` is
  `yahoo`). A vendor that stands twice in one file is refused.
- An unknown key is refused. So are the customary sections this version does not act on: `alerting`,
  `memory`.

## Keys

| key | takes | default | meaning |
| --- | --- | --- | --- |
";
