//! Processes that belong together: simulated vendors, a gateway that asks them, or both in one demo.

use std::path::Path;
use std::time::Duration;

use domain::Instant;
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{self, Running, after};
use crate::web::{self, Reply};

/// Simulated vendors in a process of their own.
pub(crate) struct Vendors {
    pub running: Running,
    /// `http://ADDRESS`.
    pub base: String,
    arguments: Vec<String>,
}

impl Vendors {
    /// Starts them on a free port.
    pub(crate) fn start(arguments: &[&str]) -> Vendors {
        let mut all = vec!["simulate", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        let mut running = Running::start(&all, &[]);
        let base = running.wait_for(|line| after(line, "vendors on ").map(str::to_owned));
        Vendors { running, base, arguments: arguments.iter().map(|&a| a.to_owned()).collect() }
    }

    /// The configuration they print for a gateway, in which only some vendors may be asked.
    pub(crate) fn configuration(&self, vendors: &[&str]) -> String {
        let address = self.base.trim_start_matches("http://");
        let mut arguments = vec!["simulate", "--print-config", "--listen", address];
        arguments.extend(self.arguments.iter().map(String::as_str));
        let printed = process::run(&arguments);
        assert_eq!(printed.code, 0, "{}", printed.said());
        let mut text = String::new();
        for line in printed.stdout.lines() {
            text.push_str(line);
            text.push('\n');
            let vendor = line.strip_prefix("  ").and_then(|line| line.strip_suffix(':'));
            if vendor.is_some_and(|name| !name.starts_with(' ') && !vendors.contains(&name)) {
                text.push_str("    enabled: false\n");
            }
        }
        text
    }

    /// Every request that arrived, in order.
    pub(crate) fn journal(&self) -> Vec<Value> {
        journal(&self.base)
    }

    /// Makes a vendor fail for a while, by the command a person would type.
    pub(crate) fn fail(&self, fault: &str, vendor: &str, span: &str) {
        fail(&self.base, fault, vendor, span);
    }
}

/// Every request that arrived at simulated vendors, in order.
pub(crate) fn journal(base: &str) -> Vec<Value> {
    let journal = web::get(base, "/_sim/journal").ok();
    assert_eq!(journal["dropped"], 0);
    journal["entries"].as_array().unwrap().clone()
}

/// `mda chaos`.
pub(crate) fn fail(base: &str, fault: &str, vendor: &str, span: &str) {
    let done = process::run(&["chaos", fault, vendor, "--for", span, "--simulator", base]);
    assert_eq!(done.code, 0, "{}", done.said());
}

/// A gateway in a process of its own.
pub(crate) struct Gateway {
    pub running: Running,
    /// `http://ADDRESS`.
    pub base: String,
}

impl Gateway {
    /// Starts `mda serve` on a free port.
    pub(crate) fn serve(configuration: &str, data: &Path) -> Gateway {
        Gateway::serve_with(configuration, data, &[])
    }

    /// Starts `mda serve` with variables in its environment.
    pub(crate) fn serve_with(configuration: &str, data: &Path, variables: &[(&str, &str)]) -> Gateway {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mda.yaml");
        std::fs::write(&file, configuration).unwrap();
        let (file, data) = (file.display().to_string(), data.display().to_string());
        let arguments = ["serve", "--config", &file, "--data", &data, "--listen", "127.0.0.1:0"];
        let mut running = Running::start(&arguments, variables);
        let base = running.wait_for(|line| after(line, "mda listens on ").map(str::to_owned));
        Gateway { running, base }
    }

    /// Starts `mda serve` on a machine whose clock is off.
    pub(crate) fn serve_skewed(configuration: &str, data: &Path, skew: &str) -> Gateway {
        let file = data.join("mda.yaml");
        std::fs::write(&file, configuration).unwrap();
        let (file, data) = (file.display().to_string(), data.display().to_string());
        let arguments = ["serve", "--config", &file, "--data", &data, "--listen", "127.0.0.1:0"];
        let mut running = Running::start_skewed(skew, &arguments);
        let base = running.wait_for(|line| after(line, "mda listens on ").map(str::to_owned));
        Gateway { running, base }
    }

    /// Asks it.
    pub(crate) fn get(&self, target: &str) -> Reply {
        web::get(&self.base, target)
    }
}

/// A demo: simulated vendors and a gateway in one process, on one clock.
pub(crate) struct Demo {
    _running: Running,
    /// Of the gateway: `http://ADDRESS`.
    pub base: String,
    /// Of the simulated vendors.
    pub vendors: String,
    _data: TempDir,
}

impl Demo {
    /// Starts `mda demo` on free ports.
    pub(crate) fn start(arguments: &[&str]) -> Demo {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().display().to_string();
        let mut all = vec!["demo", "--listen", "127.0.0.1:0", "--quiet", "--data", &folder];
        all.extend(arguments);
        let mut running = Running::start(&all, &[]);
        let base = running.wait_for(|line| after(line, "  gateway ").map(str::to_owned));
        let vendors = running.wait_for(|line| after(line, "  simulated vendors ").map(str::to_owned));
        Demo { _running: running, base, vendors, _data: data }
    }

    /// Asks its gateway.
    pub(crate) fn get(&self, target: &str) -> Reply {
        web::get(&self.base, target)
    }

    /// Every request that arrived at its vendors, in order.
    pub(crate) fn journal(&self) -> Vec<Value> {
        journal(&self.vendors)
    }

    /// Asks the shared clock until some time has passed on it.
    pub(crate) fn let_pass(&self, span: Duration) {
        let now = || instant(&web::get(&self.vendors, "/_sim/clock").ok()["now"]);
        let start = now();
        let passed = (0..100_000).any(|_| now().since(start) >= span);
        assert!(passed, "the clock stands still");
    }
}

/// The instant a text names.
pub(crate) fn instant(text: &Value) -> Instant {
    text.as_str().and_then(Instant::parse).unwrap_or_else(|| panic!("{text} is no instant"))
}

/// Exchanges that an answer about one symbol, or a refusal, says it made.
pub(crate) fn attempts(reply: &Reply) -> Vec<Value> {
    let body = reply.json();
    let list = if body["meta"].is_object() { &body["meta"]["attempts"] } else { &body["attempts"] };
    list.as_array().unwrap_or_else(|| panic!("no attempts: {body}")).clone()
}
