//! STO-3: a write that was acknowledged survives kill -9 at any moment, that of a seal included.
//!
//! The test starts itself again as a child that writes and says what was acknowledged, and kills it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use gateway::Store;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use resilience::quota::Snapshot;
use storage::Sqlite;

use crate::{SetClock, bar, key, news, range, secs, wait};

const FOLDER: &str = "STORAGE_TEST_FOLDER";
const VENDORS: [&str; 3] = ["yahoo", "polygon", "finnhub"];

fn quota(sequence: u64) -> Snapshot {
    Snapshot {
        sequence,
        saved_at: secs(0),
        windows: vec![],
        spend: vec![],
        blocked_until: None,
        factor: 1.0,
        open_lease: 0,
    }
}

#[test]
#[ignore = "the child of the test below, which runs it by name"]
fn a_child_writes_until_it_is_killed() {
    #[expect(clippy::disallowed_methods, reason = "how a test tells its child where to write")]
    let folder = std::env::var(FOLDER).map(PathBuf::from).expect("run by its parent only");
    let store = Arc::new(Sqlite::open(&folder, SetClock::at(0)).expect("a store"));
    let say = |line: String| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nACK {line}").expect("the parent listens");
        out.flush().expect("the parent listens");
    };
    std::thread::scope(|scope| {
        for vendor in VENDORS {
            let store = store.clone();
            scope.spawn(move || {
                let have = wait(store.bars(&key(vendor), range(0, i64::from(u32::MAX)), None)).expect("bars");
                for minute in have.len() as i64..i64::MAX {
                    let new = news(key(vendor), vec![bar(minute * 60, minute)], 1);
                    wait(store.put_bars(new)).expect("put");
                    say(format!("{vendor} {minute}"));
                    wait(store.put_quota(key(vendor).vendor, &quota(minute as u64))).expect("put");
                    say(format!("{vendor}/quota {minute}"));
                }
            });
        }
        scope.spawn(|| {
            loop {
                wait(store.seal(secs(i64::from(u32::MAX)))).expect("a seal");
            }
        });
    });
}

/// Runs the child until it has acknowledged so many writes, kills it, and returns all it has acknowledged.
fn run_and_kill(folder: &Path, after: usize) -> BTreeSet<(String, i64)> {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "--nocapture", "--test-threads=1"])
        .arg("kill::a_child_writes_until_it_is_killed")
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program starts");
    let mut acknowledged = BTreeSet::new();
    let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    for line in lines.map_while(Result::ok) {
        let Some((what, number)) = line.strip_prefix("ACK ").and_then(|ack| ack.split_once(' ')) else {
            continue;
        };
        // The last line may be cut short by the kill: a shorter number was acknowledged earlier anyway.
        if let Ok(number) = number.parse() {
            acknowledged.insert((what.to_owned(), number));
        }
        if acknowledged.len() == after {
            child.kill().expect("it runs");
        }
    }
    let status = child.wait().expect("it has ended");
    assert!(status.code().is_none(), "it was killed, it did not fail: {status}");
    acknowledged
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut dice = StdRng::seed_from_u64(7);
    let mut acknowledged = BTreeSet::new();
    for _ in 0..6 {
        acknowledged.extend(run_and_kill(folder.path(), dice.random_range(1..120)));
        let store = Sqlite::open(folder.path(), SetClock::at(0)).expect("the store opens after a kill");
        for vendor in VENDORS {
            let found = wait(store.bars(&key(vendor), range(0, i64::from(u32::MAX)), None)).expect("bars");
            let minutes: BTreeSet<i64> = found
                .iter()
                .map(|stored| {
                    let minute = stored.bar.start.as_secs() / 60;
                    assert_eq!(stored.bar, bar(minute * 60, minute), "whole, and as it was written");
                    minute
                })
                .collect();
            let counted = wait(store.quota(key(vendor).vendor)).expect("a read");
            for (what, number) in &acknowledged {
                if what == vendor {
                    assert!(minutes.contains(number), "{vendor} {number} was acknowledged and is lost");
                }
                if what.strip_suffix("/quota") == Some(vendor) {
                    let kept = counted.as_ref().map_or(0, |(snapshot, _)| snapshot.sequence as i64);
                    assert!(kept >= *number, "{vendor}: {number} was acknowledged, {kept} is kept");
                }
            }
        }
    }
    assert!(acknowledged.len() > 6);
}
