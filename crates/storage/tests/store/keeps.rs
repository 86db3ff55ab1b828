//! STO-1, STO-3, LIM-9, RTE-6, API-6: everything the gateway hands over comes back as it was, after a restart
//! too, and for as long as it should.

use std::sync::Arc;
use std::time::Duration;

use domain::number::Decimal;
use domain::{
    ActionKind, CorporateAction, Currency, Date, Denomination, Instrument, InstrumentId, InstrumentKind,
    Interval, MarketPhase, Price, Quote, Ratio, Size, TickTable, Unit, VendorId, Venue,
};
use gateway::answer::{Attempt, Candidate, Decision, Failure, Outcome, Skipped};
use gateway::{LearnedAction, NewBars, RequestId, Store, StoredActions, StoredQuote};
use resilience::quota::{Held, Snapshot, Window, WindowSnapshot};
use storage::boot::Reading;
use storage::{Options, Sqlite};
use telemetry::{Event, EventKind};

use crate::{SetClock, apple, bar, key, range, secs, wait};

const YAHOO: VendorId = VendorId("yahoo");
const POLYGON: VendorId = VendorId("polygon");

fn price(text: &str) -> Option<Price> {
    Some(Price::parse(text).expect("a price"))
}

fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

#[test]
fn a_series_keeps_its_key_denomination_and_empty_ranges_over_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let pence = Denomination { currency: Currency::literal("GBP"), unit: Unit::Minor };
    {
        let store = Sqlite::open(folder.path(), SetClock::at(0)).expect("a store");
        for (covered, denomination) in
            [(range(0, 60), None), (range(120, 180), Some(pence)), (range(60, 120), None)]
        {
            let new = NewBars {
                key: key("yahoo"),
                denomination,
                bars: Vec::new(),
                covered: vec![covered],
                learned_at: secs(1),
            };
            wait(store.put_bars(new)).expect("put");
        }
    }
    let store = Sqlite::open(folder.path(), SetClock::at(0)).expect("the store again");
    let found = wait(store.series(&apple(), Interval::M1)).expect("series");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].key, key("yahoo"));
    assert_eq!(found[0].denomination, Some(pence), "silence does not take back what was said");
    assert_eq!(found[0].covered, [range(0, 180)]);
    assert_eq!(wait(store.series(&apple(), Interval::D1)), Ok(Vec::new()));
}

#[test]
fn series_that_differ_in_one_part_of_their_key_never_mix() {
    let store = Sqlite::in_memory(SetClock::at(0));
    let mut keys = vec![key("yahoo")];
    keys.push(gateway::SeriesKey { simulated: true, ..key("yahoo") });
    keys.push(gateway::SeriesKey { adjustment: domain::Adjustment::Split, ..key("yahoo") });
    keys.push(gateway::SeriesKey { session: domain::Session::Extended, ..key("yahoo") });
    keys.push(gateway::SeriesKey { interval: Interval::H1, ..key("yahoo") });
    keys.push(gateway::SeriesKey { instrument: InstrumentId::new("AAPL", Venue::US), ..key("yahoo") });
    keys.push(key("polygon"));
    for (cents, key) in (100..).zip(&keys) {
        wait(store.put_bars(crate::news(key.clone(), vec![bar(0, cents)], 1))).expect("put");
    }
    for (cents, key) in (100..).zip(&keys) {
        let found = wait(store.bars(key, range(0, 60), None)).expect("bars");
        assert_eq!(found.iter().map(|stored| &stored.bar).collect::<Vec<_>>(), [&bar(0, cents)], "{key:?}");
    }
}

#[test]
fn of_each_action_the_latest_learned_wins_and_asof_reads_the_earlier_one() {
    let clock = SetClock::at(100);
    let store = Sqlite::in_memory(clock.clone());
    let ratio = |n| Ratio::new(Decimal::from(n));
    let split =
        |n| CorporateAction::new(apple(), date("2020-08-31"), ActionKind::Split { new_per_old: ratio(n) });
    let kind = ActionKind::Dividend { amount: Price::parse("0.205").expect("a price"), denomination: None };
    let mut dividend = CorporateAction::new(apple(), date("2020-11-06"), kind);
    dividend.declared = Some(date("2020-10-29"));
    dividend.record = Some(date("2020-11-09"));
    dividend.payable = Some(date("2020-11-12"));
    dividend.description = Some("Cash \"Dividend\"".into());
    let kind = ActionKind::Dividend {
        amount: Price::parse("12.5").expect("a price"),
        denomination: Denomination::parse("GBp"),
    };
    let in_pence = CorporateAction::new(apple(), date("2021-02-05"), kind);
    let rename = ActionKind::Rename { to: InstrumentId::new("BRK.B", Venue::US) };
    let rename = CorporateAction::new(apple(), date("2020-08-31"), rename);
    let merger = ActionKind::Merger { into: Some(apple()), shares: Some(ratio(2)) };
    let merger = CorporateAction::new(apple(), date("2022-01-03"), merger);
    let cash = ActionKind::Merger { into: None, shares: None };
    let cash = CorporateAction::new(apple(), date("2023-01-03"), cash);
    let learned = |action: &CorporateAction, vendor, at| LearnedAction {
        action: action.clone(),
        vendor,
        learned_at: secs(at),
    };
    let early = vec![learned(&split(3), YAHOO, 10)];
    let news =
        StoredActions { actions: early.clone(), splits_known: vec![range(0, 50)], ..Default::default() };
    wait(store.put_actions(&apple(), news)).expect("put");
    clock.set(200);
    let late = vec![
        learned(&rename, YAHOO, 120),
        learned(&split(4), POLYGON, 150),
        learned(&dividend, YAHOO, 120),
        learned(&in_pence, YAHOO, 120),
        learned(&merger, YAHOO, 120),
        learned(&cash, YAHOO, 120),
    ];
    let news = StoredActions {
        actions: late.clone(),
        splits_known: vec![range(50, 90)],
        dividends_known: vec![range(0, 90)],
    };
    wait(store.put_actions(&apple(), news.clone())).expect("put");
    wait(store.put_actions(&apple(), news)).expect("put again");
    let now = wait(store.actions(&apple(), None)).expect("actions");
    assert_eq!(now.actions, late);
    assert_eq!((now.splits_known, now.dividends_known), (vec![range(0, 90)], vec![range(0, 90)]));
    let then = wait(store.actions(&apple(), Some(secs(110)))).expect("actions");
    assert_eq!(then.actions, early);
    assert_eq!((then.splits_known, then.dividends_known), (vec![range(0, 50)], vec![]));
    assert_eq!(wait(store.actions(&InstrumentId::new("X", Venue::US), None)), Ok(StoredActions::default()));
}

#[test]
fn the_latest_quote_of_each_vendor_is_found_even_if_an_older_one_arrives_after_it() {
    let store = Sqlite::in_memory(SetClock::at(0));
    let full = Quote {
        last: price("189.43"),
        last_size: Some(Size::ZERO),
        bid: price("-1"),
        bid_size: Some(Size::from(3)),
        ask: price("0.000000000001"),
        ask_size: Some(Size::from(4)),
        open: price("600000.01"),
        high: price("79228162514264337593543950335"),
        low: price("127.58000183105469"),
        previous_close: price("188"),
        volume: Some(Size::parse("0.5").expect("a size")),
        event_time: Some(secs(7)),
        trading_date: Some(date("2024-02-29")),
        denomination: Denomination::parse("ILA"),
        stated_delay: Some(Duration::from_secs(900)),
        phase: Some(MarketPhase::AfterHours),
    };
    let stored = |vendor, simulated, quote: &Quote, at, score| StoredQuote {
        instrument: apple(),
        vendor,
        simulated,
        quote: quote.clone(),
        received_at: secs(at),
        score,
    };
    let newest = stored(YAHOO, false, &full, 20, 99.5);
    let older = stored(YAHOO, false, &Quote::default(), 10, 50.0);
    let simulated = stored(YAHOO, true, &Quote::default(), 30, 1.0);
    let other = stored(POLYGON, false, &Quote::default(), 5, 0.0);
    wait(store.put_quotes(vec![newest.clone(), older, simulated.clone()])).expect("put");
    wait(store.put_quotes(vec![other.clone()])).expect("put");
    assert_eq!(wait(store.latest_quotes(&apple())), Ok(vec![other, newest, simulated]));
    assert_eq!(wait(store.latest_quotes(&InstrumentId::new("MSFT", Venue::US))), Ok(Vec::new()));
}

#[test]
fn instruments_are_kept_by_vendor_and_the_later_record_wins() {
    let store = Sqlite::in_memory(SetClock::at(0));
    let plain = Instrument::new(InstrumentId::new("BRK.B", Venue::US), InstrumentKind::Other);
    let full = Instrument {
        description: Some("Apple Inc".into()),
        denomination: Some(Denomination::USD),
        lot: Some(Size::from(1)),
        ticks: Some(TickTable {
            steps: vec![(Price::ZERO, Price::from(1)), (Price::from(5), Price::from(2))],
        }),
        price_bounds: Some((Price::from(1), Price::from(900))),
        listed: Some(date("1980-12-12")),
        delisted: Some(date("2999-01-01")),
        vendor_symbol: Some("AAPL".into()),
        ..Instrument::new(apple(), InstrumentKind::Equity)
    };
    let bare = Instrument::new(apple(), InstrumentKind::Etf);
    wait(store.put_instruments(YAHOO, vec![full.clone(), plain.clone()], secs(20))).expect("put");
    wait(store.put_instruments(YAHOO, vec![bare.clone()], secs(10))).expect("put, late");
    wait(store.put_instruments(POLYGON, vec![bare.clone()], secs(10))).expect("put");
    assert_eq!(wait(store.instruments()), Ok(vec![(POLYGON, bare), (YAHOO, full), (YAHOO, plain)]));
}

fn counters(sequence: u64) -> Snapshot {
    Snapshot {
        sequence,
        saved_at: secs(99),
        windows: vec![
            WindowSnapshot {
                window: Window::Sliding(Duration::from_secs(60)),
                held: Held::Sliding { grants: vec![(secs(97), 1), (secs(98), 3)], full_at: secs(120) },
            },
            WindowSnapshot {
                window: Window::Day,
                held: Held::Calendar {
                    period: date("2026-01-05"),
                    counts: vec![(date("2026-01-04"), 5), (date("2026-01-05"), 7)],
                },
            },
            WindowSnapshot {
                window: Window::Month,
                held: Held::Calendar { period: date("2026-01-01"), counts: vec![] },
            },
        ],
        spend: vec![WindowSnapshot {
            window: Window::Month,
            held: Held::Calendar {
                period: date("2026-01-01"),
                counts: vec![(date("2026-01-01"), 5_000_000_000)],
            },
        }],
        blocked_until: Some(secs(130)),
        factor: 0.1 + 0.2,
        open_lease: 4,
    }
}

#[test]
fn quota_counters_survive_a_restart_and_tell_their_age_by_the_machines_run_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |clock: Arc<SetClock>, reading| {
        let options = Options { reading, ..Options::default() };
        Sqlite::open_with(folder.path(), clock, options).expect("a store")
    };
    {
        let store = open(SetClock::at(1_000), || Reading {
            uptime: Some(Duration::from_secs(500)),
            boot: Some("this boot".into()),
        });
        assert_eq!(wait(store.quota(YAHOO)), Ok(None));
        wait(store.put_quota(YAHOO, &counters(8))).expect("put");
        wait(store.put_quota(YAHOO, &counters(7))).expect("a late write");
    }
    let a_day_ahead = open(SetClock::at(87_400), || Reading {
        uptime: Some(Duration::from_secs(530)),
        boot: Some("this boot".into()),
    });
    assert_eq!(wait(a_day_ahead.quota(YAHOO)), Ok(Some((counters(8), Duration::from_secs(30)))));
    drop(a_day_ahead);
    let rebooted = open(SetClock::at(1_300), || Reading {
        uptime: Some(Duration::from_secs(9)),
        boot: Some("next boot".into()),
    });
    assert_eq!(wait(rebooted.quota(YAHOO)), Ok(Some((counters(8), Duration::from_secs(300)))));
}

fn decision(id: &str, at: i64) -> Decision {
    let attempt = |outcome| Attempt {
        vendor: YAHOO,
        capability: "bars",
        sent_at: secs(at),
        micros: 1_234,
        outcome,
        status: Some(429),
        retry_at: Some(secs(at + 5)),
    };
    let outcomes = [
        Outcome::Answered,
        Outcome::Page,
        Outcome::Formality,
        Outcome::Rejected("rate_limited"),
        Outcome::ConnectFailed,
        Outcome::TimedOut,
        Outcome::Cut,
        Outcome::TooLarge,
        Outcome::Abandoned,
        Outcome::Unfit("stale"),
    ];
    let reasons = [
        Skipped::Disabled,
        Skipped::Retired,
        Skipped::Unconfigured("FINNHUB_API_KEY"),
        Skipped::NotListed,
        Skipped::NotOffered,
        Skipped::NotEntitled,
        Skipped::Breaker("open"),
        Skipped::Quota(secs(8)),
        Skipped::ToldToWait(secs(9)),
        Skipped::Drained,
        Skipped::WrongBasis,
        Skipped::OutOfCoverage,
        Skipped::TooExpensive,
        Skipped::Budget { whose: gateway::answer::Whose::Consumer, until: secs(10) },
        Skipped::NotNeeded,
    ];
    let candidate = |skipped| Candidate {
        vendor: VendorId("a_vendor_that_left"),
        score: Some(0.1 + 0.2),
        factors: vec![("latency", 1.0 / 3.0), ("cost", 1.0)],
        skipped,
    };
    Decision {
        id: RequestId(id.into()),
        at: secs(at),
        question: "bars AAPL.XNAS 1d".into(),
        policy: "failover=any".into(),
        candidates: reasons
            .into_iter()
            .map(|reason| candidate(Some(reason)))
            .chain([candidate(None)])
            .collect(),
        attempts: outcomes.into_iter().map(attempt).collect(),
        answered_by: Some("store".into()),
        notes: vec!["yahoo was asked first: \u{201c}best\u{201d}".into()],
        cost_micros: 17,
    }
}

#[test]
fn a_decision_is_kept_for_a_day() {
    const DAY: i64 = 86_400;
    let clock = SetClock::at(1_000);
    let store = Sqlite::in_memory(clock.clone());
    let (old, young) = (decision("old", 1_000), decision("young", 5_000));
    wait(store.put_decisions(vec![old.clone(), young.clone()])).expect("put");
    let find = |id: &Decision| wait(store.decision(&id.id)).expect("a read");
    clock.set(1_000 + DAY);
    assert_eq!((find(&old), find(&young)), (Some(old.clone()), Some(young.clone())));
    clock.set(1_001 + DAY);
    assert_eq!((find(&old), find(&young)), (None, Some(young.clone())));
    wait(store.put_decisions(Vec::new())).expect("put");
    clock.set(1_000);
    assert_eq!(find(&old), None, "it is gone, not hidden");
}

#[test]
fn failures_are_kept_for_thirty_days_newest_first() {
    const DAY: i64 = 86_400;
    let clock = SetClock::at(0);
    let store = Sqlite::in_memory(clock.clone());
    let failure = |id: &str, at| Failure {
        id: RequestId(id.into()),
        at: secs(at),
        route: "/v1/bars".into(),
        status: 503,
        code: "no_vendor".into(),
        category: "vendor".into(),
        severity: "high".into(),
        micros: 900,
        detail: "nobody answered".into(),
    };
    let (first, second, third) = (failure("a", 10), failure("b", 20), failure("c", 20));
    wait(store.put_failures(vec![first.clone(), second.clone(), third.clone()])).expect("put");
    assert_eq!(wait(store.failures(2)), Ok(vec![third.clone(), second.clone()]));
    assert_eq!(wait(store.failures(usize::MAX)), Ok(vec![third.clone(), second.clone(), first]));
    clock.set(11 + 30 * DAY);
    wait(store.put_failures(Vec::new())).expect("put");
    clock.set(0);
    assert_eq!(wait(store.failures(9)), Ok(vec![third, second]));
}

#[test]
fn events_and_facts_are_kept_over_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let changed = EventKind::BreakerChanged { from: "closed", to: "open", reason: "5 of 10 failed".into() };
    {
        let store = Sqlite::open(folder.path(), SetClock::at(0)).expect("a store");
        let event = |at, vendor, kind: &EventKind| Event { at: secs(at), vendor, kind: kind.clone() };
        let events = vec![event(2, Some(YAHOO), &changed), event(1, None, &EventKind::StoreRecovered)];
        wait(store.put_events(events)).expect("put");
        wait(store.put_fact("breaker/yahoo", "open".into())).expect("put");
        wait(store.put_fact("breaker/yahoo", "closed".into())).expect("put");
    }
    let store = Sqlite::open(folder.path(), SetClock::at(0)).expect("the store again");
    assert_eq!(wait(store.fact("breaker/yahoo")), Ok(Some("closed".to_owned())));
    assert_eq!(wait(store.fact("breaker/polygon")), Ok(None));
    let events = wait(store.events(10)).expect("events");
    let seen: Vec<_> = events.iter().map(|event| (event.kind.as_str(), event.severity.as_str())).collect();
    assert_eq!(seen, [("breaker_changed", "critical"), ("store_recovered", "info")]);
    assert_eq!((events[0].vendor, events[0].at), (Some(YAHOO), secs(2)));
    assert_eq!(events[0].text, changed.to_string());
    assert_eq!(wait(store.events(1)).expect("events").len(), 1);
}
