//! TST-2, TST-5: a trial is the same every time, and the promises hold in it.

use std::time::Duration;

use simulator::trial::{Log, configuration, run};
use simulator::{Report, Trial};

fn play(seed: u64, minutes: u64) -> Report {
    let settings = || {
        let loaded =
            config::load(Some(("trial", &configuration(seed))), None, &|_| None, &config::Flags::default());
        loaded.map(|loaded| loaded.gateway).unwrap_or_else(|problems| panic!("{problems}"))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let trial = Trial::new(seed, Duration::from_secs(60 * minutes));
    runtime.unwrap().block_on(run(trial, Log::default(), &settings)).unwrap()
}

#[test]
fn one_seed_writes_one_log_and_another_seed_another() {
    let (first, second) = (play(7, 8), play(7, 8));
    assert_eq!(first.log_hash, second.log_hash, "cargo xtask sim --seed 7 --days 0.00555");
    assert_ne!(first.log_hash, play(8, 4).log_hash);
    assert!(first.summary.accepted > 4_000 && first.summary.answered > 2_000, "{:?}", first.summary);
    assert_eq!(first.summary.calls.len(), 5, "every vendor is asked: {:?}", first.summary.calls);
    // Hours of it are played where the code is built for speed: cargo xtask test.
    assert!(first.violations.is_empty(), "{:#?}", first.violations);
    assert_eq!(first.summary.quota_excess, 0);
}
