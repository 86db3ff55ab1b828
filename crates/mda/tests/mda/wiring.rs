//! TST-1, CFG-2, CFG-11, API-1, CLI-1: each crate, address and setting is reached from the binary.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::process::{run, run_with};
use crate::stage::Demo;
use crate::web;

fn project() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_crate_is_part_of_the_binary() {
    // TST-1.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(project())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages: BTreeMap<&str, &Value> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (package["name"].as_str().unwrap(), package))
        .collect();
    let mut reached = BTreeSet::new();
    let mut ahead = vec!["mda"];
    while let Some(name) = ahead.pop() {
        if !reached.insert(name) {
            continue;
        }
        let dependencies = packages[name]["dependencies"].as_array().unwrap();
        let ours = dependencies.iter().filter(|dependency| dependency["path"].is_string());
        let shipped = ours.filter(|dependency| dependency["kind"].is_null());
        ahead.extend(shipped.map(|dependency| dependency["name"].as_str().unwrap()));
    }
    let in_crates: BTreeSet<&str> = packages
        .iter()
        .filter(|(_, package)| package["manifest_path"].as_str().unwrap().contains("/crates/"))
        .map(|(name, _)| *name)
        .collect();
    // One finds recorded data for tests; the other is a library for other programs (SLA-6), and what it is made of
    // is part of the binary.
    let aside = ["test_data", "reliable"];
    let missing: Vec<_> = in_crates.difference(&reached).filter(|name| !aside.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?} are built and used by nobody");
    assert!(reached.len() >= 12, "{reached:?}");
}

/// A real value for a name in braces.
fn filled(template: &str, request_id: &str, job_id: &str) -> String {
    let value = |name: &str| match name {
        "id" | "vendor" => "polygon".to_owned(),
        "request_id" => request_id.to_owned(),
        "job_id" => job_id.to_owned(),
        "symbol" => "AAPL".to_owned(),
        other => panic!("{template}: nothing stands for {other}"),
    };
    let mut target = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, after) = behind.split_once('}').unwrap();
        target.push_str(before);
        target.push_str(&value(name));
        rest = after;
    }
    target + rest
}

#[test]
fn every_documented_address_answers() {
    // TST-1, API-1: nothing is described that is not there, and nothing of it is our own bug.
    let demo = Demo::start(&["--at", "2026-11-18T15:30:00Z"]);
    let quote = demo.get("/v1/quotes/latest?symbols=AAPL").ok();
    let id = quote["meta"]["request_id"].as_str().unwrap();
    let later = [("Prefer", "respond-async")];
    let job = web::try_send_with("GET", &demo.base, "/v1/quotes/latest?symbols=AAPL", &later).unwrap();
    assert_eq!(job.status, 202, "{}", job.body);
    let job = job.json();
    let job_id = job["data"]["id"].as_str().unwrap();
    let document = demo.get("/openapi.json").ok();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let mut answered = 0;
    for (template, methods) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "delete"] {
            if methods[method].is_null() {
                continue;
            }
            let target = filled(template, id, job_id);
            let reply = web::try_send(&method.to_uppercase(), &demo.base, &target).unwrap();
            let missing = [404, 405, 500, 501].contains(&reply.status);
            assert!(!missing, "{method} {target}: {} {}", reply.status, reply.body);
            answered += 1;
        }
    }
    assert!(answered >= 30, "{answered}");
    // What is not documented is not there either.
    assert_eq!(demo.get("/v1/nothing").status, 404);
    demo.get("/v1/nothing").problem(404, "NOT_FOUND");
    let docs = demo.get("/docs");
    assert!([200, 301, 302, 303, 307, 308].contains(&docs.status), "{}", docs.status);
}

/// A row of the table of keys.
struct Key {
    key: String,
    takes: String,
    default: String,
}

/// The rows of the table of keys.
fn keys() -> Vec<Key> {
    let page = std::fs::read_to_string(project().join("docs/reference/config.md")).unwrap();
    let table = page.split_once("## Keys").unwrap().1.split_once("## Variables").unwrap().0;
    let cell = |text: &str| text.trim().trim_matches('`').to_owned();
    table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
            Key { key: cell(cells[0]), takes: cells[1].trim().to_owned(), default: cell(cells[2]) }
        })
        .collect()
}

/// A right value for a key, as YAML.
fn value_of(key: &Key) -> String {
    let name = key.key.rsplit('.').next().unwrap();
    match name {
        "plan" => return "free".to_owned(),
        "base_url" => return "http://127.0.0.1:1".to_owned(),
        "api_key" => return "a-key-of-some-length".to_owned(),
        "rate_limits" => return "[{count: 5, per: minute}]".to_owned(),
        "calendars" | "warm_up" => return "[]".to_owned(),
        "base_urls" => return "[http://127.0.0.1:1, http://127.0.0.1:2]".to_owned(),
        "maintenance" => {
            return "[{start: \"2026-11-20T02:00:00Z\", end: \"2026-11-20T04:00:00Z\", reason: x}]"
                .to_owned();
        }
        "required" => return "[quote, bars]".to_owned(),
        "consumers" => return "[{name: desk, key: a-key-of-some-length}]".to_owned(),
        "redis_url" => return "redis://127.0.0.1:1".to_owned(),
        _ => {}
    }
    let is_given = !["none", "the", "5 s, 10 s"].iter().any(|word| key.default.starts_with(word));
    if is_given {
        return format!("\"{}\"", key.default).replace("\"true\"", "true").replace("\"false\"", "false");
    }
    let takes = key.takes.as_str();
    if let Some(words) = takes.strip_prefix("one of ") {
        words.split(',').next().unwrap().to_owned()
    } else if takes.starts_with("a whole number") {
        "5".to_owned()
    } else if takes.starts_with("a number") {
        "0.9".to_owned()
    } else if takes.starts_with("a duration") {
        "5s".to_owned()
    } else if takes.starts_with("an amount") {
        "5".to_owned()
    } else if takes.starts_with("true or false") {
        "true".to_owned()
    } else {
        panic!("{}: nothing is known of {takes}", key.key)
    }
}

#[derive(Default)]
struct Tree(BTreeMap<String, Tree>, Option<String>);

impl Tree {
    fn set(&mut self, path: &str, value: String) {
        let node = path.split('.').fold(self, |node, part| node.0.entry(part.to_owned()).or_default());
        node.1 = Some(value);
    }

    fn write(&self, depth: usize, out: &mut String) {
        for (name, node) in &self.0 {
            let value = node.1.as_ref().map(|value| format!(" {value}")).unwrap_or_default();
            out.push_str(&format!("{}{name}:{value}\n", "  ".repeat(depth)));
            node.write(depth + 1, out);
        }
    }
}

#[test]
fn every_documented_key_is_accepted_and_every_other_refused() {
    // CFG-2, CFG-11, TST-1.
    let keys = keys();
    assert!(keys.len() > 50, "{}", keys.len());
    let mut tree = Tree::default();
    for key in keys.iter().filter(|key| !key.key.contains("[]")) {
        // The customary form of a limit stands where the exact one does not.
        let vendor = match key.key.rsplit('.').next() {
            Some("rate_limit" | "base_urls") => "finnhub",
            _ => "polygon",
        };
        // A number in quotes is a text.
        let mut value = value_of(key);
        if key.takes.starts_with("a whole number") || key.takes.starts_with("a number") {
            value = value.trim_matches('"').to_owned();
        }
        tree.set(&key.key.replace("VENDOR", vendor), value);
    }
    let mut text = String::new();
    tree.write(0, &mut text);
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str| {
        let file = folder.path().join("mda.yaml");
        std::fs::write(&file, text).unwrap();
        run(&["--json", "check", "--config", file.to_str().unwrap()])
    };
    let done = check(&text);
    assert_eq!(done.code, 0, "{}\n{text}", done.said());
    assert_eq!(done.json()["ok"], true);
    for key in keys.iter().filter(|key| !key.key.contains("[]")) {
        let wrong = format!("{}x", key.key.replace("VENDOR", "polygon"));
        let mut tree = Tree::default();
        tree.set(&wrong, "1".to_owned());
        let mut text = String::new();
        tree.write(0, &mut text);
        let done = check(&text);
        assert_eq!(done.code, 3, "{wrong} is accepted: {}", done.said());
        assert!(done.stdout.contains(wrong.as_str()), "{wrong}: {}", done.said());
    }
}

#[test]
fn every_shell_gets_its_completions() {
    // CLI-1.
    for shell in ["bash", "zsh", "fish"] {
        let done = run(&["completions", shell]);
        assert_eq!(done.code, 0, "{}", done.said());
        for command in ["demo", "serve", "simulate", "chaos", "quote", "decode", "check"] {
            assert!(done.stdout.contains(command), "{shell} does not know {command}");
        }
    }
}

#[test]
fn every_command_explains_itself() {
    // CLI-1.
    let help = run(&["--help"]);
    assert_eq!(help.code, 0);
    let commands = help.stdout.split_once("Commands:").unwrap().1.split_once("Options:").unwrap().0;
    let names: Vec<&str> =
        commands.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next()).collect();
    assert!(names.len() >= 12, "{names:?}");
    for name in names.iter().filter(|name| **name != "help") {
        let done = run(&[name, "--help"]);
        assert_eq!(done.code, 0, "{name}: {}", done.said());
        assert!(done.stdout.contains("Usage: mda "), "{name}: {}", done.stdout);
    }
}

#[test]
fn every_sample_configuration_is_right_and_production_insists_on_its_keys() {
    // CFG-1, CFG-4, CFG-5.
    let file = project().join("config/mda.yaml");
    let check = |environment: &str, variables: &[(&str, &str)]| {
        let arguments = ["--json", "check", "--config", file.to_str().unwrap(), "--environment", environment];
        run_with(&arguments, variables)
    };
    let keys = [
        ("POLYGON_API_KEY", "a-key-of-some-length"),
        ("ALPHA_VANTAGE_API_KEY", "a-key-of-some-length"),
        ("TWELVE_DATA_API_KEY", "a-key-of-some-length"),
        ("FINNHUB_API_KEY", "a-key-of-some-length"),
        ("IEX_CLOUD_API_KEY", "a-key-of-some-length"),
    ];
    for environment in ["development", "staging", "production"] {
        let done = check(environment, &keys);
        assert_eq!(done.code, 0, "{environment}: {}", done.said());
        assert_eq!(done.json()["environment"], environment);
    }
    assert_eq!(check("development", &[]).code, 0);
    let refused = check("production", &[]);
    assert_eq!(refused.code, 3, "{}", refused.said());
    for (variable, _) in &keys[..4] {
        assert!(refused.stdout.contains(variable), "{variable}: {}", refused.stdout);
    }
}
