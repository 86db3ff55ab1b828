//! CST-1: every exchange is kept with what it cost, and the sums of its date with it.

use domain::Date;
use gateway::ledger::{Line, Of, Spend};
use gateway::{RequestId, Store};
use storage::Sqlite;

use crate::{SetClock, range, secs, wait};

fn of(day: i8, consumer: &str) -> Of {
    Of {
        date: Date::constant(2026, 11, day),
        vendor: domain::VendorId("polygon"),
        consumer: consumer.into(),
        endpoint: "quote",
        symbol: "AAPL.XNAS".into(),
    }
}

fn spend(request: &str, of: Of, micros: u64, settled: bool) -> Spend {
    let at = secs(i64::from(of.date.day()) * 86_400);
    let request = RequestId(request.into());
    Spend { request, number: 0, at, of, calls: 1, units: 2, objects: "post 2".into(), micros, settled }
}

fn line(spend: &Spend) -> Line {
    Line::Exchange(Box::new(spend.clone()))
}

#[test]
fn a_settled_exchange_replaces_what_was_feared_and_the_sums_follow_over_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = SetClock::at(0);
    let store = Sqlite::open(folder.path(), clock.clone()).expect("a store");
    let feared = spend("a", of(18, "desk"), 9_000, false);
    let settled = Spend { micros: 4_000, units: 1, settled: true, ..feared.clone() };
    let other = spend("b", of(19, ""), 3_000, true);
    let unsent = Spend { calls: 0, units: 0, micros: 0, ..spend("c", of(18, "desk"), 500, true) };
    wait(store.put_spends(vec![line(&feared), line(&other)])).expect("put");
    wait(store.put_spends(vec![line(&spend("c", of(18, "desk"), 500, false))])).expect("put");
    let refused = Line::Refused(of(18, "desk"));
    wait(store.put_spends(vec![line(&settled), line(&unsent), refused, Line::Useful(of(19, ""))]))
        .expect("put");
    wait(store.put_spends(vec![line(&settled)])).expect("the same again changes nothing");
    drop(store);
    let store = Sqlite::open(folder.path(), clock).expect("the store again");
    let days = |from, until| {
        let (from, until) = (Date::constant(2026, 11, from), Date::constant(2026, 11, until));
        wait(store.spend_sums(from, until)).expect("a read")
    };
    let sums: Vec<_> =
        days(1, 30).into_iter().map(|s| (s.of, [s.calls, s.units, s.micros, s.refused, s.useful])).collect();
    assert_eq!(sums, [(of(18, "desk"), [1, 1, 4_000, 1, 0]), (of(19, ""), [1, 2, 3_000, 0, 1])]);
    assert_eq!(days(19, 20).len(), 1);
    assert_eq!(days(20, 30).len(), 0);
    let all = wait(store.spends(range(0, i64::from(u32::MAX)), 0, 10)).expect("a read");
    let kept: Vec<Spend> = all.iter().map(|(_, spend)| spend.clone()).collect();
    assert_eq!(kept, [settled, other.clone(), unsent]);
    let rest = wait(store.spends(range(0, i64::from(u32::MAX)), all[0].0, 1)).expect("a read");
    assert_eq!(rest, [(all[1].0, other)]);
    assert_eq!(wait(store.spends(range(0, 86_400), 0, 10)).expect("a read"), []);
}

#[test]
fn years_of_exchanges_are_kept_and_none_is_dropped() {
    // A history without a cap.
    let store = Sqlite::in_memory(SetClock::at(0));
    let lines: Vec<Line> =
        (0..5_000).map(|n| line(&spend(&n.to_string(), of(1 + (n % 28) as i8, ""), 1, true))).collect();
    wait(store.put_spends(lines)).expect("put");
    wait(store.retain(secs(i64::from(u32::MAX)))).expect("a clean-up of what has passed its age");
    let all = wait(store.spends(range(0, i64::from(u32::MAX)), 0, usize::MAX)).expect("a read");
    assert_eq!(all.len(), 5_000);
}
