//! Runs the simulator's trials, built for speed. Bugs are in the build only where they are asked for.

use anyhow::Result;

use crate::run;

/// A trial as its arguments tell.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    trial(&words)
}

/// What takes long: weeks, from several seeds, then the bugs from others.
pub(crate) fn long() -> Result<()> {
    for seed in 1..=10 {
        trial(&["--seed", &seed.to_string(), "--days", "14"])?;
    }
    for seed in [100, 200, 300] {
        trial(&["--planted", "all", "--seed", &seed.to_string(), "--seeds", "40"])?;
    }
    Ok(())
}

fn trial(arguments: &[&str]) -> Result<()> {
    let mut words =
        vec!["run", "--quiet", "--locked", "--profile", "sim", "-p", "simulator", "--example", "sim"];
    if arguments.iter().any(|word| word.starts_with("--planted")) {
        words.extend(["--features", "planted"]);
    }
    words.push("--");
    words.extend(arguments);
    run::cargo(&words)
}
