//! STO-5: rollups are what summing up the believed bars anew would say, whatever was put, corrected and sealed.

use std::collections::BTreeMap;

use domain::number::Decimal;
use domain::{Bar, Date, Instant, Interval, Price, Range, Size};
use gateway::rollup::{Rollup, Window};
use gateway::{NewBars, SeriesKey, Store};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use storage::Sqlite;

use crate::{SetClock, apple, key, news, range, secs, wait};

/// 2026-01-05T20:00:00Z, an hour before the close in New York.
const EVENING: i64 = 1_767_643_200;

fn five_minutes(vendor: &'static str) -> SeriesKey {
    SeriesKey { interval: Interval::M5, ..key(vendor) }
}

fn bar(start: i64, cents: i64, volume: u32) -> Bar {
    let price = |more: i64| Price::new(Decimal::new(cents + more, 2));
    Bar::new(secs(start), [price(1), price(3), price(0), price(2)], Size::from(volume))
}

fn rollups(store: &Sqlite, range: Range) -> Vec<Rollup> {
    wait(store.rollups(&apple(), range)).expect("rollups")
}

fn volumes(store: &Sqlite, range: Range) -> Vec<(Window, Option<Size>)> {
    rollups(store, range).into_iter().map(|rollup| (rollup.window, rollup.sum.volume)).collect()
}

fn hour(start: i64) -> Window {
    Window::Hour(secs(start))
}

fn day(day: i8) -> Window {
    Window::Day(Date::constant(2026, 1, day))
}

fn two_days() -> Range {
    Range::new(Instant::parse("2026-01-05").expect("a date"), Instant::parse("2026-01-07").expect("a date"))
}

/// One step: a batch of `(minute of two days, cents, volume, final)`, or a seal.
#[derive(Clone, Debug)]
enum Step {
    Put { five: bool, bars: Vec<(i64, i64, u32, bool)>, learned_at: i64, bulk: bool },
    Seal { before: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let one = (0i64..2_000, 100i64..120, 1u32..9, prop::bool::weighted(0.8));
    let bars = prop::collection::vec(one, 1..40);
    prop_oneof![
        4 => (any::<bool>(), bars, 0i64..20, any::<bool>())
            .prop_map(|(five, bars, learned_at, bulk)| Step::Put { five, bars, learned_at, bulk }),
        1 => (0i64..2_000).prop_map(|before| Step::Seal { before }),
    ]
}

/// Sums in plain numbers of the bars the store itself reads back: `[open, high, low, close]` in cents, volume,
/// number of bars, newest moment of learning.
type Plain = ([Decimal; 4], Decimal, u64, Instant);

fn anew(store: &Sqlite, key: &SeriesKey, range: Range) -> BTreeMap<Window, Plain> {
    let mut sums: BTreeMap<Window, Plain> = BTreeMap::new();
    let new_york = |at: Instant| (at - std::time::Duration::from_secs(5 * 3_600)).utc_date();
    let wide = crate::range(EVENING - 400_000, EVENING + 400_000);
    for stored in wait(store.bars(key, wide, None)).expect("bars").into_iter().filter(|row| row.bar.is_final)
    {
        let start = stored.bar.start;
        let prices = stored.bar.prices().expect("four prices").map(Price::decimal);
        let volume = stored.bar.volume.expect("a volume").decimal();
        let date = new_york(start);
        let hour = start.as_secs() / 3_600 * 3_600;
        let windows =
            [(Window::Hour(secs(hour)), secs(hour)), (Window::Day(date), Instant::from_utc_midnight(date))];
        for (window, place) in windows {
            if range.contains(place) {
                let sum = sums.entry(window).or_insert((prices, Decimal::ZERO, 0, stored.learned_at));
                sum.0 = [sum.0[0], sum.0[1].max(prices[1]), sum.0[2].min(prices[2]), prices[3]];
                sum.1 += volume;
                sum.2 += 1;
                sum.3 = sum.3.max(stored.learned_at);
            }
        }
    }
    sums
}

fn play(steps: &[Step]) -> Result<(), TestCaseError> {
    let store = Sqlite::in_memory(SetClock::at(0));
    for step in steps {
        match step {
            Step::Seal { before } => {
                wait(store.seal(secs(EVENING + before * 60))).expect("a seal");
            }
            Step::Put { five, bars, learned_at, bulk } => {
                let bars: BTreeMap<i64, Bar> = bars
                    .iter()
                    .map(|(minute, cents, volume, is_final)| {
                        let start = EVENING + if *five { minute * 300 } else { minute * 60 };
                        (start, Bar { is_final: *is_final, ..bar(start, *cents, *volume) })
                    })
                    .filter(|(start, _)| *start < EVENING + 120_000)
                    .collect();
                let key = if *five { five_minutes("yahoo") } else { key("yahoo") };
                let new = news(key, bars.into_values().collect(), *learned_at);
                wait(if *bulk { store.bulk_bars(new) } else { store.put_bars(new) }).expect("a write");
            }
        }
        for asked in [two_days(), range(EVENING, EVENING + 7_200)] {
            let told = rollups(&store, asked);
            for key in [key("yahoo"), five_minutes("yahoo")] {
                let told: BTreeMap<Window, Plain> = told
                    .iter()
                    .filter(|rollup| rollup.key == key)
                    .map(|Rollup { window, sum, .. }| {
                        let prices = [sum.open, sum.high, sum.low, sum.close];
                        let prices = prices.map(|price| price.expect("a price").decimal());
                        let volume = sum.volume.expect("a volume").decimal();
                        (*window, (prices, volume, sum.bar_count, sum.learned_at))
                    })
                    .collect();
                prop_assert_eq!(told, anew(&store, &key, asked));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn rollups_kept_step_by_step_are_those_made_anew(steps in prop::collection::vec(step(), 1..8)) {
        play(&steps)?;
    }
}

#[test]
fn a_corrected_bar_changes_its_hour_and_its_day_and_nothing_else() {
    let store = Sqlite::in_memory(SetClock::at(0));
    let minutes = vec![bar(EVENING, 100, 5), bar(EVENING + 60, 101, 7), bar(EVENING + 3_600, 102, 11)];
    wait(store.put_bars(news(key("yahoo"), minutes, 10))).expect("put");
    let told = |volumes: [u32; 3]| {
        let windows = [hour(EVENING), hour(EVENING + 3_600), day(5)];
        windows.into_iter().zip(volumes.map(|volume| Some(Size::from(volume)))).collect::<Vec<_>>()
    };
    assert_eq!(volumes(&store, two_days()), told([12, 11, 23]));
    wait(store.put_bars(news(key("yahoo"), vec![bar(EVENING + 60, 101, 8)], 20))).expect("put");
    assert_eq!(volumes(&store, two_days()), told([13, 11, 24]));
    wait(store.put_bars(news(key("yahoo"), vec![bar(EVENING + 60, 101, 9)], 15))).expect("put");
    assert_eq!(volumes(&store, two_days()), told([13, 11, 24]), "what was learned earlier does not win");
    let running = Bar { is_final: false, ..bar(EVENING + 3_600, 102, 11) };
    wait(store.put_bars(news(key("yahoo"), vec![running], 30))).expect("put");
    let without = [(hour(EVENING), Some(Size::from(13u32))), (day(5), Some(Size::from(13u32)))];
    assert_eq!(volumes(&store, two_days()), without, "a bar taken back leaves no empty hour behind");
}

#[test]
fn a_day_is_complete_when_the_hours_of_its_session_are_known() {
    let store = Sqlite::in_memory(SetClock::at(0));
    let put = |covered: Range| {
        let new = NewBars { covered: vec![covered], ..news(key("yahoo"), vec![bar(EVENING, 100, 5)], 10) };
        wait(store.put_bars(new)).expect("put");
    };
    let complete = || rollups(&store, two_days()).iter().map(|rollup| rollup.complete).collect::<Vec<_>>();
    put(range(EVENING, EVENING + 3_600));
    assert_eq!(complete(), [true, false]);
    put(range(EVENING - 5 * 3_600 - 1_800, EVENING));
    assert_eq!(complete(), [true, true], "from half past nine to four in New York");
}

#[test]
fn daily_bars_make_no_rollups() {
    let store = Sqlite::in_memory(SetClock::at(0));
    let daily = SeriesKey { interval: Interval::D1, ..key("yahoo") };
    wait(store.put_bars(news(daily, vec![bar(EVENING, 100, 5)], 10))).expect("put");
    assert_eq!(rollups(&store, two_days()), []);
}
