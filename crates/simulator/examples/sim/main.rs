//! Runs trials: `cargo xtask sim --seed 7 --days 3`. Prints what was counted, the hash of the log, and what was
//! broken; the exit code tells whether anything was.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program of the project's own, on real time"
)]

use std::io::BufWriter;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use gateway::Settings;
use serde_json::{Value, json};
use simulator::trial::{Log, configuration, run};
use simulator::{Report, Trial};

// As the product's own binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The real gateway through days of faults drawn from one seed.
#[derive(Parser)]
struct Arguments {
    /// Draws the whole world
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Simulated days
    #[arg(long, default_value_t = 3.0)]
    days: f64,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Write the log here
    #[arg(long)]
    log: Option<PathBuf>,
    /// Plant a bug, or `all` one after the other, and say which promise it broke
    #[arg(long, value_name = "BUG")]
    planted: Option<String>,
    /// Seeds tried per planted bug, from --seed on
    #[arg(long, default_value_t = 12)]
    seeds: u64,
}

#[cfg(not(feature = "planted"))]
mod planted {
    pub(super) fn run(_: &str, _: &super::Arguments) -> anyhow::Result<std::process::ExitCode> {
        anyhow::bail!("this build holds no bugs: cargo xtask sim --planted all builds one that does")
    }
}
#[cfg(feature = "planted")]
mod planted;

fn settings(seed: u64) -> Settings {
    let flags = config::Flags::default();
    let loaded = config::load(Some(("trial", &configuration(seed))), None, &|_| None, &flags);
    loaded.expect("the trial's configuration is tested").gateway
}

fn play(trial: Trial, log: Log) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    Ok(runtime.block_on(run(trial, log, &|| settings(trial.seed)))?)
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(which) = &arguments.planted {
        return planted::run(which, &arguments);
    }
    let trial = Trial::new(arguments.seed, Duration::from_secs_f64(arguments.days * 86_400.0));
    let log = match &arguments.log {
        None => Log::default(),
        Some(path) => Log::copied_to(Box::new(BufWriter::new(
            std::fs::File::create(path).with_context(|| format!("{} cannot be made", path.display()))?,
        ))),
    };
    let began = Instant::now();
    let report = play(trial, log)?;
    let took = began.elapsed();
    let ratio = trial.length.as_secs_f64() / took.as_secs_f64();
    if arguments.json {
        println!("{}", as_json(&arguments, &report, took, ratio));
    } else {
        show(&arguments, &report, took, ratio);
    }
    Ok(if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn replay(arguments: &Arguments) -> String {
    format!("cargo xtask sim --seed {} --days {}", arguments.seed, arguments.days)
}

fn show(arguments: &Arguments, report: &Report, took: Duration, ratio: f64) {
    let Report { summary, violations, log_hash, lives } = report;
    println!("seed {}, {} days in {took:.1?}: {ratio:.0} times real time", arguments.seed, arguments.days);
    println!("log {log_hash:016x}, {lives} lives of the gateway");
    println!(
        "{} accepted: {} answered ({} from memory), {} not, {} abandoned",
        summary.accepted, summary.answered, summary.from_memory, summary.unanswered, summary.abandoned
    );
    println!(
        "{} of {} plain questions answered while a capable vendor worked",
        summary.able_answered, summary.able
    );
    println!("answers by vendor {:?}", summary.by_vendor);
    println!(
        "calls by vendor {:?}, {} USD, {} beyond a quota",
        summary.calls,
        usd(summary.spend_micros),
        summary.quota_excess
    );
    for violation in violations {
        println!("BROKEN {} at {}: {}", violation.invariant, violation.at, violation.what);
    }
    if violations.is_empty() {
        println!("every invariant held");
    } else {
        println!("broken: {:?}\nreplay: {}", summary.broken, replay(arguments));
    }
}

fn usd(micros: u64) -> f64 {
    micros as f64 / 1e6
}

fn as_json(arguments: &Arguments, report: &Report, took: Duration, ratio: f64) -> Value {
    let Report { summary, violations, log_hash, lives } = report;
    let broken: Vec<Value> = violations
        .iter()
        .map(|v| json!({"invariant": v.invariant.to_string(), "at": v.at.to_string(), "what": v.what}))
        .collect();
    json!({
        "seed": arguments.seed,
        "days": arguments.days,
        "took_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "times_real_time": ratio,
        "log_hash": format!("{log_hash:016x}"),
        "lives": lives,
        "accepted": summary.accepted,
        "answered": summary.answered,
        "unanswered": summary.unanswered,
        "abandoned": summary.abandoned,
        "from_memory": summary.from_memory,
        "able": summary.able,
        "able_answered": summary.able_answered,
        "by_vendor": summary.by_vendor,
        "calls": summary.calls,
        "spend": usd(summary.spend_micros),
        "quota_excess": summary.quota_excess,
        "invariants_broken": broken,
        "replay": replay(arguments),
    })
}
