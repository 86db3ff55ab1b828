//! STO-3, STO-4, STO-5: whatever is put, corrected and sealed, in whatever order, what is read is what a plain
//! map of all versions says.

use std::collections::BTreeMap;

use domain::{Bar, Instant, Interval, Range};
use gateway::{NewBars, Store, StoredBar};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use storage::Sqlite;

use crate::{SetClock, apple, bar, key, range, secs, wait};

const VENDORS: [&str; 2] = ["yahoo", "polygon"];

#[derive(Clone, Debug)]
enum Step {
    Put { vendor: usize, bars: Vec<(i64, i64, bool)>, learned_at: i64, covered: Vec<(i64, i64)>, bulk: bool },
    Run { vendor: usize, from: i64, count: i64, cents: i64, learned_at: i64, bulk: bool },
    Seal { before: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let bars = prop::collection::vec((0i64..40, 100i64..103, prop::bool::weighted(0.8)), 0..12);
    let covered = prop::collection::vec((0i64..40, 0i64..40), 0..3);
    prop_oneof![
        4 => (0usize..2, bars, 0i64..30, covered, any::<bool>()).prop_map(
            |(vendor, bars, learned_at, covered, bulk)| Step::Put { vendor, bars, learned_at, covered, bulk }
        ),
        1 => (0usize..2, -900i64..40, 1i64..1_200, 100i64..103, 0i64..30, any::<bool>()).prop_map(
            |(vendor, from, count, cents, learned_at, bulk)| {
                Step::Run { vendor, from, count, cents, learned_at, bulk }
            }
        ),
        2 => (-900i64..400).prop_map(|before| Step::Seal { before }),
    ]
}

/// Every version of every bar, and every range said to be complete.
#[derive(Default)]
struct Model {
    versions: BTreeMap<Instant, BTreeMap<Instant, Bar>>,
    covered: Vec<Range>,
}

impl Model {
    fn put(&mut self, bars: &[Bar], learned_at: Instant) {
        for bar in bars {
            let versions = self.versions.entry(bar.start).or_default();
            if versions.range(..=learned_at).next_back().is_none_or(|(_, old)| old != bar) {
                versions.insert(learned_at, bar.clone());
            }
        }
    }

    fn read(&self, range: Range, asof: Option<Instant>) -> Vec<StoredBar> {
        let asof = asof.unwrap_or(Instant::MAX);
        let versions = self.versions.range(range.start..range.end);
        let newest = versions.filter_map(|(_, versions)| versions.range(..=asof).next_back());
        newest.map(|(at, bar)| StoredBar { bar: bar.clone(), learned_at: *at }).collect()
    }
}

/// One bar of each start, the last given: a batch says each bar once.
fn batch(bars: &[(i64, i64, bool)]) -> Vec<Bar> {
    let starts: BTreeMap<i64, Bar> = bars
        .iter()
        .map(|(minute, cents, is_final)| (*minute, Bar { is_final: *is_final, ..bar(minute * 60, *cents) }))
        .collect();
    starts.into_values().collect()
}

fn play(steps: &[Step]) -> Result<(), TestCaseError> {
    let store = Sqlite::in_memory(SetClock::at(0));
    let mut models = [Model::default(), Model::default()];
    for step in steps {
        let (vendor, bars, learned_at, covered, bulk) = match step {
            Step::Seal { before } => {
                wait(store.seal(secs(before * 60))).expect("a seal");
                continue;
            }
            Step::Put { vendor, bars, learned_at, covered, bulk } => {
                let covered = covered.iter().map(|(a, b)| range(a * 60, b * 60)).collect();
                (*vendor, batch(bars), *learned_at, covered, *bulk)
            }
            Step::Run { vendor, from, count, cents, learned_at, bulk } => {
                let bars = (*from..from + count).map(|minute| bar(minute * 60, *cents)).collect();
                (*vendor, bars, *learned_at, Vec::new(), *bulk)
            }
        };
        models[vendor].put(&bars, secs(learned_at));
        models[vendor].covered.extend(&covered);
        let new = NewBars {
            key: key(VENDORS[vendor]),
            denomination: None,
            bars,
            covered,
            learned_at: secs(learned_at),
        };
        wait(if bulk { store.bulk_bars(new) } else { store.put_bars(new) }).expect("a write");
    }
    let series = wait(store.series(&apple(), Interval::M1)).expect("the series");
    for (model, vendor) in models.iter().zip(VENDORS) {
        for asof in [None, Some(-1), Some(0), Some(7), Some(15), Some(29)] {
            for (start, end) in [(-100_000, 100_000), (0, 40 * 60), (600, 601), (-30_000, 300), (0, 0)] {
                let (range, asof) = (range(start, end), asof.map(secs));
                let found = wait(store.bars(&key(vendor), range, asof)).expect("bars");
                prop_assert_eq!(found, model.read(range, asof), "{} {:?} {:?}", vendor, range, asof);
            }
        }
        let covered = series.iter().find(|series| series.key == key(vendor));
        let covered = covered.map_or(Vec::new(), |series| series.covered.clone());
        prop_assert_eq!(covered, Range::merged(model.covered.clone()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_store_reads_like_a_plain_map_of_versions(steps in prop::collection::vec(step(), 1..14)) {
        play(&steps)?;
    }
}

#[test]
fn a_correction_to_a_sealed_bar_wins_and_asof_still_reads_what_was_believed() {
    let store = Sqlite::in_memory(SetClock::at(0));
    let put =
        |cents, at| wait(store.put_bars(crate::news(key("yahoo"), vec![bar(60, cents)], at))).expect("put");
    let read = |asof: Option<i64>| {
        let bars = wait(store.bars(&key("yahoo"), range(0, 120), asof.map(secs))).expect("bars");
        bars.into_iter().map(|stored| (stored.learned_at.as_secs(), stored.bar)).collect::<Vec<_>>()
    };
    put(100, 1_000);
    assert_eq!(wait(store.seal(secs(120))), Ok(1));
    put(100, 1_500);
    assert_eq!(wait(store.seal(secs(120))), Ok(0), "an equal bar is not written again");
    put(101, 2_000);
    for sealed in [0, 1] {
        assert_eq!(read(None), [(2_000, bar(60, 101))]);
        assert_eq!(read(Some(1_999)), [(1_000, bar(60, 100))]);
        assert_eq!(read(Some(999)), []);
        assert_eq!(wait(store.seal(secs(120))), Ok(1 - sealed), "the correction is sealed once");
    }
}

#[test]
fn a_bar_that_is_not_final_is_never_sealed_and_the_end_of_the_range_is_outside() {
    let store = Sqlite::in_memory(SetClock::at(0));
    let running = Bar { is_final: false, ..bar(0, 100) };
    wait(store.put_bars(crate::news(key("yahoo"), vec![running, bar(60, 100)], 5))).expect("put");
    assert_eq!(wait(store.seal(secs(60))), Ok(0));
    assert_eq!(wait(store.seal(secs(61))), Ok(1));
}
