//! The whole configuration: sources laid upon one another, read once, checked whole.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use domain::Adjustment;
use gateway::settings::{Caching, Deadlines, Routing, ScoreWeights, Settings, UpstreamSettings};
use gateway::{Failover, Strategy};
use quality::grade::{Thresholds, Weights};
use resilience::{circuit_breaker, quota};
use secrecy::SecretString;
use serde_json::Value;
use vendors::{Codec, VendorClass};

use crate::layers;
use crate::plans;
use crate::problem::Problems;
use crate::reader::Reader;

/// Environments a configuration may have an overlay for.
const ENVIRONMENTS: &[(&str, &str)] = &[
    ("development", "development"),
    ("dev", "development"),
    ("staging", "staging"),
    ("production", "production"),
    ("prod", "production"),
];

/// Sections of the customary layout that this version does not act on: refused rather than dropped.
const NOT_YET: &[&str] = &["validation", "alerting", "security", "memory", "schedule"];

/// What flags say; they win over every file and variable.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// Overlay to lay upon the base.
    pub environment: Option<String>,
    /// Address to listen on.
    pub listen: Option<SocketAddr>,
    /// Folder for data.
    pub data: Option<PathBuf>,
}

/// A checked configuration.
pub struct Configuration {
    /// Chosen environment.
    pub environment: &'static str,
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Folder for data.
    pub data: PathBuf,
    /// What is logged: `error`, `warn`, `info`, `debug`, `trace`.
    pub log_level: &'static str,
    /// Files of trading calendars to add or replace.
    pub calendars: Vec<PathBuf>,
    /// The gateway's settings.
    pub gateway: Settings,
    /// What a user should know though nothing is wrong.
    pub notices: Vec<String>,
}

/// Reads a configuration. `base` and `overlay` are a file's name and text; `variable` reads the environment.
///
/// # Errors
/// Every problem at once.
pub fn load(
    base: Option<(&str, &str)>,
    overlay: Option<(&str, &str)>,
    variable: &dyn Fn(&str) -> Option<String>,
    flags: &Flags,
) -> Result<Configuration, Problems> {
    let problems = RefCell::new(Problems::default());
    let mut tree = Value::Object(serde_json::Map::new());
    for (name, text) in base.into_iter().chain(overlay) {
        let layer = layers::parse(name, text, &mut problems.borrow_mut());
        layers::lay(&mut tree, layer);
    }
    layers::interpolate(&mut tree, variable, &mut problems.borrow_mut());
    let configuration = read(&tree, variable, flags, &problems);
    problems.into_inner().into_result().map(|()| configuration)
}

/// The environment a start asks for: flag, then variable, then the base file's own word.
pub fn environment(
    base: Option<&str>,
    variable: &dyn Fn(&str) -> Option<String>,
    flags: &Flags,
) -> Option<String> {
    let in_file = || {
        let tree = layers::parse("", base?, &mut Problems::default());
        tree.get("environment")?.as_str().map(str::to_owned)
    };
    let word = flags.environment.clone().or_else(|| variable("ENVIRONMENT")).or_else(in_file)?;
    Some(
        ENVIRONMENTS
            .iter()
            .find(|(name, _)| *name == word)
            .map_or(word.clone(), |(_, full)| (*full).to_owned()),
    )
}

fn read(
    tree: &Value,
    variable: &dyn Fn(&str) -> Option<String>,
    flags: &Flags,
    problems: &RefCell<Problems>,
) -> Configuration {
    let root = Reader::root(tree, problems);
    for section in NOT_YET {
        if root.has(section) {
            root.problem(section, "this version does not act on this section yet; take it out");
        }
    }
    let file_environment = root.word("environment", ENVIRONMENTS);
    let outside = flags.environment.clone().or_else(|| variable("ENVIRONMENT"));
    let environment = match outside {
        Some(word) => {
            ENVIRONMENTS.iter().find(|(name, _)| *name == word).map(|(_, full)| *full).or_else(|| {
                root.problem(
                    "ENVIRONMENT",
                    format!("is `{word}`, and must be development, staging or production"),
                );
                None
            })
        }
        None => file_environment,
    };
    let api = root.section("api");
    let storage = root.section("storage");
    let monitoring = root.section("monitoring");
    let log_words =
        [("error", "error"), ("warn", "warn"), ("info", "info"), ("debug", "debug"), ("trace", "trace")];
    let mut notices = Vec::new();
    let configuration = Configuration {
        environment: environment.unwrap_or("development"),
        listen: flags.listen.unwrap_or_else(|| listen(&api, variable)),
        data: flags.data.clone().unwrap_or_else(|| data(&storage, variable)),
        log_level: monitoring.word("log_level", &log_words).unwrap_or_else(|| {
            let word = variable("LOG_LEVEL").map(|word| word.to_ascii_lowercase());
            match word.as_deref() {
                None => "info",
                Some(word) => log_words.iter().find(|(name, _)| *name == word).map_or_else(
                    || {
                        root.problem(
                            "LOG_LEVEL",
                            format!("is `{word}`, and must be error, warn, info, debug or trace"),
                        );
                        "info"
                    },
                    |(_, level)| level,
                ),
            }
        }),
        calendars: root.texts("calendars").unwrap_or_default().into_iter().map(PathBuf::from).collect(),
        gateway: Settings {
            upstreams: upstreams(&root, variable, &mut notices),
            routing: routing(&root.section("routing")),
            cache: caching(&root.section("cache")),
            deadlines: deadlines(&root.section("deadlines")),
            grading: grading(&root.section("quality_scoring")),
        },
        notices,
    };
    configuration
}

fn listen(api: &Reader<'_>, variable: &dyn Fn(&str) -> Option<String>) -> SocketAddr {
    let fallback = SocketAddr::from(([127, 0, 0, 1], 8000));
    let whole = api.text("listen").map(|text| (text.parse().ok(), "api.listen", text));
    if let Some((parsed, _, text)) = whole {
        return parsed.unwrap_or_else(|| {
            api.problem(
                "listen",
                format!("is `{text}`, and must be an address with a port, like 127.0.0.1:8000"),
            );
            fallback
        });
    }
    let host = variable("API_HOST").unwrap_or_else(|| fallback.ip().to_string());
    let port = variable("API_PORT").unwrap_or_else(|| fallback.port().to_string());
    let ip = host.parse().unwrap_or_else(|_| {
        api.problem("API_HOST", format!("is `{host}`, and must be an IP address"));
        fallback.ip()
    });
    let port = port.parse().ok().filter(|port: &u16| *port > 0).unwrap_or_else(|| {
        api.problem("API_PORT", format!("is `{port}`, and must be a port from 1 to 65535"));
        fallback.port()
    });
    SocketAddr::new(ip, port)
}

fn data(storage: &Reader<'_>, variable: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    if let Some(url) = variable("DATABASE_URL").filter(|url| url.starts_with("postgres")) {
        let scheme = url.split(':').next().unwrap_or_default();
        storage.problem(
            "DATABASE_URL",
            format!(
                "is a {scheme} address; this version stores in SQLite only: give a folder in storage.data_dir"
            ),
        );
    }
    storage.text("data_dir").map_or_else(|| PathBuf::from("mda-data"), PathBuf::from)
}

fn upstreams(
    root: &Reader<'_>,
    variable: &dyn Fn(&str) -> Option<String>,
    notices: &mut Vec<String>,
) -> Vec<UpstreamSettings> {
    let (main, alias) = (root.section("data_sources"), root.section("vendors"));
    vendors::ALL
        .iter()
        .filter_map(|codec| {
            let profile = codec.profile();
            let mut spellings: Vec<(&Reader<'_>, &str)> = Vec::new();
            for section in [&main, &alias] {
                for key in section.keys() {
                    let is_it = vendors::find(key).is_some_and(|found| found.profile().id == profile.id);
                    if is_it {
                        spellings.push((section, key));
                    }
                }
            }
            if let [(_, first), (section, second), ..] = spellings[..] {
                section.problem(second, format!("is the vendor `{first}` again; keep one of them"));
            }
            // An absent section is read from a key that is not there, under the canonical id.
            let (section, key) = spellings.first().copied().unwrap_or((&main, profile.id.as_str()));
            let reader = section.section(key);
            upstream(*codec, &reader, variable, notices)
        })
        .collect()
}

fn upstream(
    codec: &'static dyn Codec,
    reader: &Reader<'_>,
    variable: &dyn Fn(&str) -> Option<String>,
    notices: &mut Vec<String>,
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
        reader.problem("plan", format!("is `{chosen}`; {} has {}", profile.id, plans.names().join(", ")));
    }
    if let Some(limits) = plans::limits(reader, "rate_limits") {
        plan.limits = limits;
    }
    let key = reader.text("api_key").or_else(|| profile.key_variables.iter().find_map(|name| variable(name)));
    if let Some(key) = &key
        && key.len() < 10
        && !key.is_empty()
    {
        notices.push(format!("the key of {} has fewer than 10 characters", profile.id));
    }
    let base_url = reader.text("base_url").map(|url| url.trim_end_matches('/').to_owned());
    if let Some(url) = &base_url
        && !(url.starts_with("http://") || url.starts_with("https://"))
    {
        reader.problem("base_url", "must begin with http:// or https://");
    }
    let official = base_url.as_ref().is_none_or(|url| profile.base_urls.contains(&url.as_str()));
    let first_host = profile.base_urls.first().copied().unwrap_or_default();
    let adjustments: Vec<(&str, Adjustment)> =
        Adjustment::ASKABLE.into_iter().chain([Adjustment::Unknown]).map(|a| (a.as_str(), a)).collect();
    let mut breaker = breaker_of(profile.class);
    let own = reader.section("circuit_breaker");
    read_breaker(&own, &mut breaker);
    breaker.probe_is_costly |= plan.request_micros > 0;
    Some(UpstreamSettings {
        codec,
        enabled: reader.flag("enabled").unwrap_or(true),
        priority: reader.count("priority", 1, 999).unwrap_or(2) as u32,
        weight: reader.number("weight", 0.01, 1_000.0).unwrap_or(1.0),
        base_url: base_url.unwrap_or_else(|| first_host.to_owned()),
        official,
        key: key.filter(|key| !key.is_empty()).map(SecretString::from),
        plan,
        pace: reader
            .word("pace", &[("burst", quota::Pace::Burst), ("strict", quota::Pace::Strict)])
            .unwrap_or_default(),
        timeout: reader.duration("timeout").unwrap_or(plans.timeout),
        breaker,
        adjustment: reader.word("adjustment", &adjustments),
        simulated: reader.flag("sandbox").unwrap_or(false),
    })
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
    }
    if let Some(successes) = reader.count("success_threshold", 1, 100) {
        breaker.successes = successes as u32;
    }
    if let Some(slow) = reader.duration("slow") {
        breaker.slow = slow;
    }
}

fn routing(reader: &Reader<'_>) -> Routing {
    let usual = Routing::default();
    let weights = reader.section("weights");
    let weight = |key, usual| weights.number(key, 0.0, 1.0).unwrap_or(usual);
    let strategies: Vec<(&str, Strategy)> = Strategy::ALL.into_iter().map(|s| (s.as_str(), s)).collect();
    let failovers: Vec<(&str, Failover)> = Failover::ALL.into_iter().map(|f| (f.as_str(), f)).collect();
    Routing {
        strategy: reader.word("strategy", &strategies).unwrap_or(usual.strategy),
        failover: reader.word("failover", &failovers).unwrap_or(usual.failover),
        cross_check: reader.flag("cross_check").unwrap_or(usual.cross_check),
        page_budget: reader.count("page_budget", 1, 10_000).map_or(usual.page_budget, |count| count as u32),
        weights: ScoreWeights {
            quality: weight("quality", usual.weights.quality),
            reliability: weight("reliability", usual.weights.reliability),
            latency: weight("latency", usual.weights.latency),
            headroom: weight("headroom", usual.weights.headroom),
            cost: weight("cost", usual.weights.cost),
            load: weight("load", usual.weights.load),
        },
    }
}

fn caching(reader: &Reader<'_>) -> Caching {
    let usual = Caching::default();
    Caching {
        quote: reader.duration("quote").unwrap_or(usual.quote),
        quote_realtime: reader.duration("quote_realtime").unwrap_or(usual.quote_realtime),
        history: reader.duration("history").unwrap_or(usual.history),
        reference: reader.duration("reference").unwrap_or(usual.reference),
        negative: reader.duration("unknown_symbol").unwrap_or(usual.negative),
        max_bytes: reader
            .count("max_megabytes", 1, 65_536)
            .map_or(usual.max_bytes, |megabytes| megabytes << 20),
    }
}

fn deadlines(reader: &Reader<'_>) -> Deadlines {
    let usual = Deadlines::default();
    Deadlines {
        quote: reader.duration("quote").unwrap_or(usual.quote),
        bars: reader.duration("bars").unwrap_or(usual.bars),
        background: reader.duration("background").unwrap_or(usual.background),
    }
}

fn grading(reader: &Reader<'_>) -> quality::grade::Settings {
    let (weights, thresholds) = (reader.section("weights"), reader.section("thresholds"));
    let dimensions = ["accuracy", "timeliness", "completeness", "consistency", "reliability"];
    let usual = Weights::default().as_array();
    let given: Vec<f32> = dimensions
        .iter()
        .zip(usual)
        .map(|(name, usual)| weights.number(name, 0.0, 1.0).map_or(usual, |weight| weight as f32))
        .collect();
    let letters =
        [("grade_a_min", 90.0), ("grade_b_min", 80.0), ("grade_c_min", 70.0), ("grade_d_min", 60.0)];
    let lowest =
        letters.map(|(name, usual)| thresholds.number(name, 1.0, 100.0).map_or(usual, |low| low as f32));
    let weights = Weights::new([given[0], given[1], given[2], given[3], given[4]]).unwrap_or_else(|error| {
        reader.problem("weights", error.to_string());
        Weights::default()
    });
    let thresholds = Thresholds::new(lowest).unwrap_or_else(|error| {
        reader.problem("thresholds", error.to_string());
        Thresholds::default()
    });
    quality::grade::Settings { weights, thresholds }
}
