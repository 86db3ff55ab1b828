//! The project's own commands: check, test, docs, sim, long, new vendor.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a build tool talks to its terminal and environment"
)]

mod arrows;
mod bench;
mod components;
mod new_vendor;
mod run;
mod sim;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Market Data Agent's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Format, lints, arrows, tests; of one crate in seconds
    Check {
        /// Only this crate
        #[arg(short, long)]
        package: Option<String>,
    },
    /// Everything CI runs
    Test,
    /// Writes the generated pages of docs/reference
    Docs,
    /// Speed of the release build beside that of nginx, hyper and axum in the same run
    Bench,
    /// Days of simulated time from one seed: `--seed 7 --days 3`, `--json`, `--log FILE`, `--planted all`
    #[command(disable_help_flag = true)]
    Sim {
        /// Passed on to the simulation
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// What takes hours: long fuzzing, long simulations, benches with their ratios
    Long,
    /// Writes the skeleton of something we add often
    New {
        #[command(subcommand)]
        what: NewThing,
    },
}

#[derive(Subcommand)]
enum NewThing {
    /// A vendor: its codec, plans and examples
    Vendor {
        /// Its id: lower case, digits and underscores
        id: String,
    },
}

fn main() -> ExitCode {
    match carry_out(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(command: Command) -> Result<()> {
    match command {
        Command::Check { package: Some(package) } => check_crate(&package),
        Command::Check { package: None } => {
            quick()?;
            tests()
        }
        Command::Test => {
            components::ensure()?;
            quick()?;
            run::cargo(&["deny", "--offline", "check", "licenses", "bans", "sources"])?;
            components::short_fuzz()?;
            components::report();
            tests()
        }
        Command::Docs => {
            let pages = "pages_in_the_repository";
            run::with_env("UPDATE_DOCS", "1", &["test", "-q", "-p", "config", "-p", "api", "--lib", pages])
        }
        Command::Bench => bench::run(),
        Command::Sim { arguments } => sim::run(&arguments),
        Command::Long => {
            sim::long()?;
            components::long()?;
            bench::run()
        }
        Command::New { what: NewThing::Vendor { id } } => new_vendor::write(&id),
    }
}

/// Format, arrows and lints of everything.
fn quick() -> Result<()> {
    run::cargo(&["fmt", "--all", "--check"])?;
    arrows::check()?;
    run::cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
}

/// All tests. Last, so that the runner's own summary ends the output.
fn tests() -> Result<()> {
    run::cargo(&["test", "-q", "--doc", "-p", "reliable", "--locked"])?;
    run::cargo(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"])
}

fn check_crate(package: &str) -> Result<()> {
    run::cargo(&["fmt", "-p", package, "--check"])?;
    arrows::check()?;
    run::cargo(&["clippy", "-p", package, "--all-targets", "--", "-D", "warnings"])?;
    run::cargo(&["nextest", "run", "-p", package, "--no-fail-fast"])
}
