//! STO-5, STO-11: a full disk, a damaged file, a newer schema, slow work; and reading while sealing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gateway::{Store, StoreError};
use rusqlite::Connection;
use storage::{Options, Sqlite};

use crate::{SetClock, bar, key, news, range, wait};

const FILE: &str = "mda.sqlite";

fn refusal(opened: Result<Sqlite, StoreError>) -> StoreError {
    opened.err().expect("the file must be refused")
}

#[test]
fn when_the_disk_is_full_reading_goes_on_and_writing_recovers_by_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options { max_pages: Some(80), ..Options::default() };
    let store = Sqlite::open_with(folder.path(), SetClock::at(0), options).expect("a store");
    wait(store.put_bars(news(key("yahoo"), vec![bar(0, 100)], 1))).expect("room for one bar");
    let filler = "x".repeat(50_000);
    let mut kept = 0;
    let refused = loop {
        match wait(store.put_fact(&format!("filler {kept}"), filler.clone())) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 100, "80 pages hold no hundred fillers");
    };
    assert!(matches!(&refused, StoreError::ReadOnly(reason) if reason.contains("full")), "{refused:?}");
    assert!(kept > 0);
    let bars = || wait(store.bars(&key("yahoo"), range(0, 60), None)).expect("reading goes on").len();
    assert_eq!(bars(), 1);
    assert_eq!(wait(store.fact("filler 0")), Ok(Some(filler.clone())));
    assert_eq!(wait(store.fact(&format!("filler {kept}"))), Ok(None), "what was refused is not there");

    let other = Connection::open(folder.path().join(FILE)).expect("a second connection");
    other.execute("DELETE FROM fact WHERE name <> 'filler 0'", []).expect("room is made");
    assert_eq!(wait(store.put_fact("afterwards", filler.clone())), Ok(()));
    assert_eq!(wait(store.fact("afterwards")), Ok(Some(filler)));
    assert_eq!(bars(), 1);
}

#[test]
fn a_file_that_is_no_database_or_is_torn_off_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(FILE);
    std::fs::write(&file, b"this is no database, however long one makes it").expect("a file");
    let garbage = refusal(Sqlite::open(folder.path(), SetClock::at(0)));
    assert!(
        matches!(&garbage, StoreError::Unusable(reason) if reason.contains("move mda.sqlite")),
        "{garbage:?}"
    );

    std::fs::remove_file(&file).expect("it is there");
    drop(Sqlite::open(folder.path(), SetClock::at(0)).expect("a fresh store"));
    let whole = std::fs::read(&file).expect("the file");
    std::fs::write(&file, &whole[..whole.len() / 2]).expect("half of it");
    let torn = refusal(Sqlite::open(folder.path(), SetClock::at(0)));
    assert!(matches!(torn, StoreError::Unusable(_)), "{torn:?}");
}

#[test]
fn a_damaged_block_is_told_and_harms_only_its_own_series() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Sqlite::open(folder.path(), SetClock::at(0)).expect("a store");
    for vendor in ["yahoo", "polygon"] {
        wait(store.bulk_bars(news(key(vendor), vec![bar(0, 100)], 1))).expect("bulk");
    }
    let other = Connection::open(folder.path().join(FILE)).expect("a second connection");
    let damage =
        "UPDATE block SET rows = x'0102ff' WHERE series = (SELECT id FROM series WHERE vendor = 'yahoo')";
    assert_eq!(other.execute(damage, []), Ok(1));
    let read = |vendor| wait(store.bars(&key(vendor), range(0, 60), None));
    assert_eq!(read("yahoo"), Err(StoreError::Unusable("a stored bar cannot be read".into())));
    assert_eq!(read("polygon").map(|bars| bars.len()), Ok(1));
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(Sqlite::open(folder.path(), SetClock::at(0)).expect("a fresh store"));
    let other = Connection::open(folder.path().join(FILE)).expect("a connection");
    other.pragma_update(None, "user_version", 99).expect("a newer version");
    let newer = refusal(Sqlite::open(folder.path(), SetClock::at(0)));
    assert!(newer.to_string().contains("version 99"), "{newer}");
    let version: u32 = other.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("the version");
    assert_eq!(version, 99);
}

#[test]
fn work_that_takes_a_tenth_of_a_second_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = Arc::new(AtomicUsize::new(0));
    let ears = told.clone();
    let on_slow: storage::OnSlow = Arc::new(move |slow| {
        assert!(!slow.what.is_empty());
        ears.fetch_add(1, Ordering::SeqCst);
    });
    let options = |slow_from| Options { slow_from, on_slow: Some(on_slow.clone()), ..Options::default() };
    // The clock stands still, so that all work takes no time: told from zero on, and not told from more.
    for (slow_from, expected) in [(Duration::from_millis(100), 0), (Duration::ZERO, 3)] {
        let store = Sqlite::open_with(folder.path(), SetClock::at(0), options(slow_from)).expect("a store");
        wait(store.put_fact("a", "b".into())).expect("put");
        wait(store.fact("a")).expect("read");
        drop(store);
        assert_eq!(told.load(Ordering::SeqCst), expected, "the write, its commit, the read");
    }
    assert_eq!(Options::default().slow_from, Duration::from_millis(100));
}

#[test]
fn a_reader_never_misses_a_bar_while_it_is_being_sealed() {
    const BARS: i64 = 3_000;
    let folder = tempfile::tempdir().expect("a folder");
    let store = Sqlite::open(folder.path(), SetClock::at(0)).expect("a store");
    for round in 0..5 {
        let start = round * BARS;
        let bars = (start..start + BARS).map(|minute| bar(minute * 60, 100)).collect();
        wait(store.put_bars(news(key("yahoo"), bars, 1))).expect("put");
        std::thread::scope(|scope| {
            let sealing = scope.spawn(|| wait(store.seal(crate::secs(BARS * 60 * 100))));
            loop {
                let finished = sealing.is_finished();
                let found = wait(store.bars(&key("yahoo"), range(0, BARS * 6_000), None)).expect("bars");
                assert_eq!(found.len() as i64, start + BARS);
                if finished {
                    break;
                }
            }
            assert_eq!(sealing.join().expect("the sealer").map(|count| count as i64), Ok(BARS));
        });
    }
}
