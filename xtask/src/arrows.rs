//! Arrows between crates point down only, and crates on one line never see one another.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::run;

/// Lines of the layout, top first. A crate may use crates of lower lines only.
const LINES: &[&[&str]] = &[
    &["mda"],
    &["api", "config", "runtime", "storage", "simulator"],
    &["gateway", "reliable"],
    &["vendors", "resilience", "quality", "telemetry"],
    &["domain"],
];

/// Crates that only tests use, and the project's own commands: outside the lines.
const ASIDE: &[&str] = &["test_data", "xtask"];

/// Libraries that belong to the edge, with the crates that may import them.
const EDGES: &[(&str, &[&str])] = &[
    ("axum", &["api", "simulator"]),
    ("hyper", &["api", "simulator"]),
    ("redis", &["storage"]),
    ("reqwest", &["runtime", "mda"]),
    ("rusqlite", &["storage"]),
    ("serde", &["vendors", "config", "api", "storage", "simulator", "mda"]),
    ("serde-saphyr", &["config"]),
    ("tokio", &["gateway", "reliable", "api", "config", "runtime", "storage", "simulator", "mda"]),
    ("utoipa", &["api"]),
];

/// Checks every dependency of every crate.
pub(crate) fn check() -> Result<()> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(run::root())
        .output()
        .context("cargo metadata could not be started")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata is no JSON")?;
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().context("cargo metadata lists no packages")? {
        let name = package["name"].as_str().unwrap_or_default();
        let dependencies: Vec<&str> = package["dependencies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|dependency| dependency["kind"].is_null())
            .filter_map(|dependency| dependency["name"].as_str())
            .collect();
        wrong.extend(violations(name, &dependencies));
        if turns_on_bugs(package) {
            wrong.push(format!(
                "{name} may not turn on the feature `planted`: only a trial does, by its command"
            ));
        }
    }
    if !wrong.is_empty() {
        bail!("arrows between crates:\n  {}", wrong.join("\n  "));
    }
    println!("» arrows between crates point down");
    Ok(())
}

/// Whether a package would be built with bugs on purpose without being asked: by default, or through a dependency.
fn turns_on_bugs(package: &Value) -> bool {
    let planted = |feature: &Value| feature.as_str().is_some_and(|name| name.contains("planted"));
    let any = |list: &Value| list.as_array().is_some_and(|list| list.iter().any(planted));
    let dependencies = package["dependencies"].as_array();
    any(&package["features"]["default"])
        || dependencies.into_iter().flatten().any(|dependency| any(&dependency["features"]))
}

fn line_of(name: &str) -> Option<usize> {
    LINES.iter().position(|line| line.contains(&name))
}

/// What is wrong with the dependencies of one crate.
fn violations(name: &str, dependencies: &[&str]) -> Vec<String> {
    if ASIDE.contains(&name) {
        return Vec::new();
    }
    let Some(own) = line_of(name) else {
        return vec![format!(
            "{name} stands on no line: a new crate needs a place in ARCHITECTURE.md and in xtask"
        )];
    };
    let mut wrong = Vec::new();
    for dependency in dependencies {
        if let Some(line) = line_of(dependency)
            && line <= own
        {
            wrong.push(format!("{name} may not use {dependency}, which stands on the same line or above"));
        }
        if ASIDE.contains(dependency) {
            wrong.push(format!("{name} may use {dependency} in tests only"));
        }
        if let Some((_, allowed)) = EDGES.iter().find(|(library, _)| library == dependency)
            && !allowed.contains(&name)
        {
            wrong.push(format!("{name} may not use {dependency}, which belongs to {}", allowed.join(", ")));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bugs_on_purpose_are_in_no_build_that_did_not_ask_for_them() {
        let own = json!({"features": {"planted": ["domain/planted"]}, "dependencies": [{"features": []}]});
        assert!(!turns_on_bugs(&own));
        assert!(turns_on_bugs(&json!({"features": {"default": ["planted"]}, "dependencies": []})));
        assert!(turns_on_bugs(&json!({"features": {}, "dependencies": [{"features": ["planted"]}]})));
    }

    #[test]
    fn an_arrow_up_sideways_or_past_the_edge_is_named() {
        assert_eq!(violations("gateway", &["domain", "vendors", "tokio"]), Vec::<String>::new());
        assert!(violations("domain", &["gateway"])[0].contains("domain may not use gateway"));
        assert!(violations("storage", &["runtime"])[0].contains("same line"));
        assert!(violations("gateway", &["reliable"])[0].contains("same line"));
        assert!(violations("gateway", &["axum"])[0].contains("belongs to api"));
        assert!(violations("gateway", &["test_data"])[0].contains("tests only"));
        assert!(violations("stranger", &[])[0].contains("stands on no line"));
    }
}
