//! Runs other programs and shows what they print.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The project's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies inside the project")
}

/// Runs cargo in the project's folder.
pub(crate) fn cargo(arguments: &[&str]) -> Result<()> {
    program("cargo", arguments, &[])
}

/// Runs cargo with one environment variable more.
pub(crate) fn with_env(name: &str, value: &str, arguments: &[&str]) -> Result<()> {
    program("cargo", arguments, &[(name, value)])
}

/// Runs a program in the project's folder; an exit code other than zero is an error.
pub(crate) fn program(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    println!("» {name} {}", arguments.join(" "));
    let status = Command::new(name)
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root())
        .status()
        .with_context(|| format!("{name} could not be started"))?;
    if !status.success() {
        bail!("{name} {} failed", arguments.join(" "));
    }
    Ok(())
}

/// Whether a program answers to `--version` (or the given arguments).
pub(crate) fn answers(name: &str, arguments: &[&str]) -> bool {
    Command::new(name).args(arguments).output().is_ok_and(|output| output.status.success())
}
