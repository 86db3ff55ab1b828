//! Tools and real components that tests need: found, installed by package name where we may, or named.

use std::process::Command;

use anyhow::{Result, bail};

use crate::run;

/// A tool the tests call, how to see that it is there, and how to get it.
struct Tool {
    name: &'static str,
    probe: (&'static str, &'static [&'static str]),
    install: (&'static str, &'static [&'static str]),
    /// Whether it changes the machine beyond the user's own cargo folder.
    needs_root: bool,
}

const TOOLS: &[Tool] = &[
    Tool {
        name: "cargo-nextest",
        probe: ("cargo", &["nextest", "--version"]),
        install: ("cargo", &["install", "cargo-nextest", "--version", "0.9.143", "--locked"]),
        needs_root: false,
    },
    Tool {
        name: "cargo-deny",
        probe: ("cargo", &["deny", "--version"]),
        install: ("cargo", &["install", "cargo-deny", "--version", "0.20.2", "--locked"]),
        needs_root: false,
    },
    Tool {
        name: "cargo-fuzz",
        probe: ("cargo", &["fuzz", "--version"]),
        install: ("cargo", &["install", "cargo-fuzz", "--version", "0.13.2", "--locked"]),
        needs_root: false,
    },
    Tool {
        name: "redis-server",
        probe: ("redis-server", &["--version"]),
        install: ("apt-get", &["install", "-y", "--no-install-recommends", "redis-server"]),
        needs_root: true,
    },
    Tool {
        name: "faketime",
        probe: ("faketime", &["--version"]),
        install: ("apt-get", &["install", "-y", "--no-install-recommends", "faketime"]),
        needs_root: true,
    },
];

/// What the bench compares us with, and how it asks.
const BENCH_TOOLS: &[Tool] = &[
    Tool {
        name: "nginx",
        probe: ("nginx", &["-v"]),
        install: ("apt-get", &["install", "-y", "--no-install-recommends", "nginx-light"]),
        needs_root: true,
    },
    Tool {
        name: "wrk",
        probe: ("sh", &["-c", "command -v wrk"]),
        install: ("apt-get", &["install", "-y", "--no-install-recommends", "wrk"]),
        needs_root: true,
    },
];

/// Seconds each fuzz target runs in CI.
const SHORT_FUZZ_SECS: u32 = 6;
/// Seconds each fuzz target runs in the long run.
const LONG_FUZZ_SECS: u32 = 1_800;

fn is_ci() -> bool {
    std::env::var("CI").as_deref() == Ok("true")
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Installs what is missing. Where that is not allowed it prints the line to type; under `CI=true` a
/// missing component is a failure.
pub(crate) fn ensure() -> Result<()> {
    ensure_all(TOOLS)
}

/// The same for what the bench needs.
pub(crate) fn ensure_bench() -> Result<()> {
    ensure_all(BENCH_TOOLS)
}

fn ensure_all(tools: &[Tool]) -> Result<()> {
    let mut updated = false;
    for tool in tools {
        if run::answers(tool.probe.0, tool.probe.1) {
            continue;
        }
        let line = format!("{} {}", tool.install.0, tool.install.1.join(" "));
        if tool.needs_root && !is_root() {
            if is_ci() {
                bail!("{} is missing, and we are not root: {line}", tool.name);
            }
            println!("» {} is missing; what needs it is skipped. To have it: sudo {line}", tool.name);
            continue;
        }
        if tool.install.0 == "apt-get" && !updated {
            run::program("apt-get", &["update", "-q"], &[])?;
            updated = true;
        }
        run::program(tool.install.0, tool.install.1, &[("DEBIAN_FRONTEND", "noninteractive")])?;
    }
    Ok(())
}

/// Says what will be skipped, and why.
pub(crate) fn report() {
    let data = std::env::var("MDA_TEST_DATA").map_or_else(|_| run::root().join("../shared"), Into::into);
    if !data.join("fixtures").is_dir() {
        println!("» skipped: every test over recorded data ({} has no fixtures)", data.display());
    }
    for tool in TOOLS {
        if !run::answers(tool.probe.0, tool.probe.1) {
            println!("» skipped: what needs {}", tool.name);
        }
    }
}

/// Runs every fuzz target for a moment.
pub(crate) fn short_fuzz() -> Result<()> {
    fuzz(SHORT_FUZZ_SECS)
}

/// What takes hours.
pub(crate) fn long() -> Result<()> {
    ensure()?;
    run::cargo(&["nextest", "run", "--workspace", "--run-ignored", "only", "ten_million"])?;
    fuzz(LONG_FUZZ_SECS)?;
    run::cargo(&["bench", "--workspace"])
}

fn fuzz(seconds: u32) -> Result<()> {
    if !run::answers("cargo", &["fuzz", "--version"]) {
        return Ok(());
    }
    let listed = Command::new("cargo").args(["fuzz", "list"]).current_dir(run::root()).output()?;
    let seconds = format!("-max_total_time={seconds}");
    for target in String::from_utf8_lossy(&listed.stdout).lines() {
        // The stable compiler takes the sanitizer coverage flags with this variable.
        run::program(
            "cargo",
            &[
                "fuzz",
                "run",
                "--sanitizer",
                "none",
                target,
                "--",
                &seconds,
                "-verbosity=0",
                "-print_final_stats=1",
            ],
            &[("RUSTC_BOOTSTRAP", "1")],
        )?;
    }
    Ok(())
}
