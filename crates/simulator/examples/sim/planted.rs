//! Every planted bug must be found, and nothing where there is none.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use domain::planted::{Bug, plant};
use serde_json::{Value, json};
use simulator::trial::Log;
use simulator::{Report, Trial};

use super::{Arguments, play};

/// A world long enough for trouble, and for the quiet and the full use at its end.
const LENGTH: Duration = Duration::from_secs(150 * 60);
/// Worlds without a bug that are played beside.
const CLEAN: u64 = 2;

/// What became of one bug, or of a world without one.
struct Found {
    bug: Option<Bug>,
    seed: u64,
    report: Report,
}

impl Found {
    fn name(&self) -> String {
        self.bug.map_or_else(|| "(no bug)".to_owned(), |bug| format!("{bug:?}"))
    }

    /// Whether it went as it should.
    fn is_right(&self) -> bool {
        self.report.violations.is_empty() == self.bug.is_none()
    }
}

pub(super) fn run(which: &str, arguments: &Arguments) -> Result<ExitCode> {
    let all = which == "all";
    let bugs: Vec<Bug> = Bug::ALL
        .iter()
        .copied()
        .filter(|bug| all || format!("{bug:?}").eq_ignore_ascii_case(which))
        .collect();
    if bugs.is_empty() {
        let names: Vec<String> = Bug::ALL.iter().map(|bug| format!("{bug:?}")).collect();
        bail!("`{which}` is no bug that can be planted; there are all, {}", names.join(", "));
    }
    let clean = (0..if all { CLEAN } else { 0 }).map(|n| (None, arguments.seed + n));
    let work: Vec<(Option<Bug>, u64)> =
        clean.chain(bugs.iter().map(|bug| (Some(*bug), arguments.seed))).collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let began = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((bug, seed)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = hunt(*bug, *seed, arguments.seeds);
                    done.lock().expect("no hunter panics while it reports").push(found);
                }
            });
        }
    });
    let done = done.into_inner().context("a hunter panicked")?;
    let mut found = done.into_iter().collect::<Result<Vec<Found>>>()?;
    found.sort_by_key(|found| work.iter().position(|(bug, _)| *bug == found.bug));
    let wrong = found.iter().filter(|found| !found.is_right()).count();
    if arguments.json {
        let rows: Vec<Value> = found.iter().map(as_json).collect();
        println!(
            "{}",
            json!({"planted": rows, "wrong": wrong, "took_ms": began.elapsed().as_millis() as u64})
        );
    } else {
        for found in &found {
            println!("{}", as_line(found));
        }
        println!("{} bugs, {wrong} rows wrong, {:.1?}", bugs.len(), began.elapsed());
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether a world is well without a bug, by its seed: played once for all bugs.
static WELL: Mutex<BTreeMap<u64, bool>> = Mutex::new(BTreeMap::new());

fn is_well(seed: u64) -> Result<bool> {
    if let Some(known) = WELL.lock().expect("nothing panics while it holds this").get(&seed) {
        return Ok(*known);
    }
    let well = world(None, seed)?.is_right();
    WELL.lock().expect("nothing panics while it holds this").insert(seed, well);
    Ok(well)
}

/// Plays worlds until one shows the bug that is well without it; or the world without a bug to its end.
fn hunt(bug: Option<Bug>, first: u64, seeds: u64) -> Result<Found> {
    if bug.is_none() {
        let found = world(None, first)?;
        WELL.lock().expect("nothing panics while it holds this").insert(first, found.is_right());
        return Ok(found);
    }
    for seed in first..first + seeds {
        let found = world(bug, seed)?;
        // What is seen without the bug too is not the bug.
        if !found.report.violations.is_empty() && is_well(seed)? {
            return Ok(found);
        }
    }
    world(None, first + seeds.max(1) - 1).map(|nothing| Found { bug, ..nothing })
}

fn world(bug: Option<Bug>, seed: u64) -> Result<Found> {
    plant(bug);
    let trial = Trial { until_broken: true, ..Trial::new(seed, LENGTH) };
    let report = play(trial, Log::default());
    plant(None);
    Ok(Found { bug, seed, report: report? })
}

fn as_line(found: &Found) -> String {
    match found.report.violations.first() {
        Some(first) => format!(
            "{:<26} {:<20} seed {:<3} {}  {}",
            found.name(),
            first.invariant.to_string(),
            found.seed,
            first.at,
            first.what
        ),
        None => format!("{:<26} {:<20} seed {:<3}", found.name(), "every one held", found.seed),
    }
}

fn as_json(found: &Found) -> Value {
    let first = found.report.violations.first();
    json!({
        "bug": found.bug.map(|bug| format!("{bug:?}")),
        "seed": found.seed,
        "invariant": first.map(|first| first.invariant.to_string()),
        "at": first.map(|first| first.at.to_string()),
        "what": first.map(|first| first.what.clone()),
        "right": found.is_right(),
    })
}
