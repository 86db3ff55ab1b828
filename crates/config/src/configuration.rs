//! The whole configuration: sources laid upon one another, read once, checked whole.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use gateway::settings::Settings;
use serde_json::Value;

use crate::problem::{Problems, Record};
use crate::reader::Reader;
use crate::text::suggestion;
use crate::{layers, schedule, sections, spending, vendor};

/// Environments a configuration may have an overlay for.
const ENVIRONMENTS: &[(&str, &str)] = &[
    ("development", "development"),
    ("dev", "development"),
    ("staging", "staging"),
    ("production", "production"),
    ("prod", "production"),
];

const LOG_LEVELS: &[(&str, &str)] =
    &[("error", "error"), ("warn", "warn"), ("info", "info"), ("debug", "debug"), ("trace", "trace")];

/// Sections of the customary layout that this version does not act on: refused rather than dropped.
const NOT_YET: &[&str] = &["alerting", "memory"];

/// Customary variables that this version does not act on: named rather than dropped.
pub(crate) const NO_EFFECT: &[&str] = &[
    "DEBUG",
    "API_RELOAD",
    "API_WORKERS",
    "API_LOG_LEVEL",
    "ALPHA_VANTAGE_ENABLED",
    "YFINANCE_ENABLED",
    "DATABASE_ECHO",
    "LOG_FILE_ENABLED",
    "LOG_FILE_PATH",
    "SOURCE_MANAGER_MAX_FAILURES",
    "SOURCE_MANAGER_CIRCUIT_TIMEOUT",
    "SOURCE_MANAGER_HEALTH_INTERVAL",
    "VALIDATION_ENABLED",
    "VALIDATION_MAX_PRICE_CHANGE",
    "VALIDATION_MIN_VOLUME",
    "ALERT_EMAIL_ENABLED",
    "ALERT_WEBHOOK_ENABLED",
];

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
    /// What several instances share; `None` where this one is alone.
    pub shared: Option<sections::Sharing>,
    /// The gateway's settings.
    pub gateway: Settings,
    /// What a user should know though nothing is wrong.
    pub notices: Vec<String>,
}

/// Reads a configuration. `base` and `overlay` are a file's name and text; `variable` reads the environment.
/// A later source wins key by key: defaults, base, overlay, environment, flags.
///
/// # Errors
/// Every problem at once, by key. No problem repeats a text of a file or variable: it may be a secret.
pub fn load(
    base: Option<(&str, &str)>,
    overlay: Option<(&str, &str)>,
    variable: &dyn Fn(&str) -> Option<String>,
    flags: &Flags,
) -> Result<Configuration, Problems> {
    let record = RefCell::new(Record::default());
    let mut tree = Value::Object(serde_json::Map::new());
    {
        let problems = &mut record.borrow_mut().problems;
        for (name, text) in base.into_iter().chain(overlay) {
            let mut layer = layers::parse(name, text, problems);
            layers::canonical(&mut layer, problems);
            layers::lay(&mut tree, layer);
        }
        layers::interpolate(&mut tree, variable, problems);
    }
    let mut configuration = read(&tree, variable, flags, &record);
    let Record { mut problems, notices, .. } = record.into_inner();
    configuration.notices = notices;
    problems.0.sort_by(|a, b| a.key.cmp(&b.key));
    problems.into_result().map(|()| configuration)
}

/// The environment a start asks for: flag, then variable, then the base file's own word.
pub fn environment(
    base: Option<&str>,
    variable: &dyn Fn(&str) -> Option<String>,
    flags: &Flags,
) -> Option<String> {
    let in_file = || {
        let mut tree = layers::parse("", base?, &mut Problems::default());
        layers::interpolate(&mut tree, variable, &mut Problems::default());
        tree.get("environment")?.as_str().map(str::to_owned)
    };
    let word = flags.environment.clone().or_else(|| set(variable, "ENVIRONMENT")).or_else(in_file)?;
    Some(
        ENVIRONMENTS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(&word))
            .map_or(word.clone(), |(_, full)| (*full).to_owned()),
    )
}

/// A variable that is set and not empty.
fn set(variable: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    variable(name).filter(|value| !value.is_empty())
}

/// Reads a tree in which layers and references are settled.
pub(crate) fn read(
    tree: &Value,
    variable: &dyn Fn(&str) -> Option<String>,
    flags: &Flags,
    record: &RefCell<Record>,
) -> Configuration {
    let root = Reader::root(tree, record);
    for section in NOT_YET {
        if root.has(section) {
            root.skip(section);
            root.problem(section, "this version does not act on this section; take it out");
        }
    }
    for name in NO_EFFECT {
        if set(variable, name).is_some() {
            record.borrow_mut().notices.push(format!("{name}: this variable has no effect in this version"));
        }
    }
    let monitoring = root.section("monitoring");
    for key in ["metrics_enabled", "alerting_enabled"] {
        if monitoring.flag(key).is_some() {
            monitoring.notice(key, "has no effect in this version");
        }
    }
    let written = root.word("environment", ENVIRONMENTS);
    let chosen = match &flags.environment {
        Some(word) => word_of("--environment", word, ENVIRONMENTS, record),
        None => {
            set(variable, "ENVIRONMENT").and_then(|word| word_of("ENVIRONMENT", &word, ENVIRONMENTS, record))
        }
    };
    let level = monitoring.word("log_level", LOG_LEVELS);
    let told = set(variable, "LOG_LEVEL").and_then(|word| word_of("LOG_LEVEL", &word, LOG_LEVELS, record));
    let environment = chosen.or(written).unwrap_or("development");
    let spending = spending::spending(&root, environment);
    let asks_for_keys = !spending.consumers.is_empty();
    Configuration {
        environment,
        listen: listen(&root.section("api"), asks_for_keys, variable, flags),
        data: data(&root.section("storage"), variable, flags),
        log_level: told.or(level).unwrap_or("info"),
        calendars: root.texts("calendars").unwrap_or_default().into_iter().map(PathBuf::from).collect(),
        shared: sections::sharing(&root.section("shared")),
        gateway: Settings {
            upstreams: vendor::all(&root, variable),
            routing: sections::routing(&root.section("routing")),
            cache: sections::caching(&root.section("cache")),
            deadlines: sections::deadlines(&root.section("deadlines")),
            schedule: schedule::read(&root.section("schedule")),
            grading: sections::grading(&root.section("quality_scoring")),
            bounds: sections::bounds(&root.section("validation")),
            service_levels: crate::service_levels::promised(&root.section("service_levels")),
            spending,
        },
        notices: Vec::new(),
    }
}

/// A word of a closed set that a flag or variable holds.
fn word_of(
    name: &str,
    word: &str,
    words: &[(&str, &'static str)],
    record: &RefCell<Record>,
) -> Option<&'static str> {
    let found = words.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, full)| *full);
    if found.is_none() {
        let what = format!("is no such word; {}", suggestion(word, words.iter().map(|(known, _)| *known)));
        record.borrow_mut().problems.add(name, what);
    }
    found
}

fn ip(text: &str) -> Option<IpAddr> {
    if text.eq_ignore_ascii_case("localhost") {
        Some(IpAddr::from([127, 0, 0, 1]))
    } else {
        text.parse().ok()
    }
}

fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

fn listen(
    api: &Reader<'_>,
    asks_for_keys: bool,
    variable: &dyn Fn(&str) -> Option<String>,
    flags: &Flags,
) -> SocketAddr {
    let mut address = SocketAddr::from(([127, 0, 0, 1], 8000));
    if let Some(text) = api.text("listen") {
        let parts = text.rsplit_once(':').and_then(|(host, number)| {
            Some(SocketAddr::new(ip(host.trim_matches(['[', ']']))?, port(number)?))
        });
        match parts {
            Some(written) => address = written,
            None => api
                .problem("listen", "must be an IP address with a port from 1 to 65535, like 127.0.0.1:8000"),
        }
    }
    if let Some(host) = set(variable, "API_HOST") {
        match ip(&host) {
            Some(ip) => address.set_ip(ip),
            None => api.outside("API_HOST", "must be an IP address, like 127.0.0.1"),
        }
    }
    if let Some(number) = set(variable, "API_PORT") {
        match port(&number) {
            Some(port) => address.set_port(port),
            None => api.outside("API_PORT", "must be a port from 1 to 65535"),
        }
    }
    let address = flags.listen.unwrap_or(address);
    if !address.ip().is_loopback() && !asks_for_keys {
        api.notice(
            "listen",
            format!("{address} can be reached from other machines, and nobody is asked for a key: `security.consumers` has none"),
        );
    }
    address
}

/// The folder for data. `DATABASE_URL` names it as a path or an SQLite address; of a file, its folder.
fn data(storage: &Reader<'_>, variable: &dyn Fn(&str) -> Option<String>, flags: &Flags) -> PathBuf {
    let written = storage.text("data_dir").map(PathBuf::from);
    let outside = set(variable, "DATABASE_URL").and_then(|url| {
        let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(&url);
        if path.contains("://") {
            let what =
                "must be an SQLite path; this version stores nowhere else. Take it out, or name a folder";
            storage.outside("DATABASE_URL", what);
            return None;
        }
        let path = Path::new(path);
        if path.extension().is_none() {
            return Some(path.to_owned());
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        storage.notice("data_dir", "DATABASE_URL names a file; the data is kept beside it, in mda.sqlite");
        Some(folder.to_owned())
    });
    flags.data.clone().or(outside).or(written).unwrap_or_else(|| PathBuf::from("mda-data"))
}
