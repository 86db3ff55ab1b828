//! CCH-1, CCH-3, CCH-5, CCH-7, CCH-8: what the cache keeps, gives up and counts, against a naive reference too.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{
    Adjustment, Anchor, Basis, Delivery, Instant, InstrumentId, Price, Quote, Session, VendorId, Venue,
};
use parking_lot::Mutex;
use quality::Evidence;
use quality::grade::Kind;
use resilience::Freshness;
use resilience::freshness::{Adapts, Ttl};
use vendors::{Data, Question, Quoted};

use super::kept::Kept;
use super::tags::{Invalidated, Namespace, Tags};
use super::{Cache, Lookup};
use crate::answer::{Answer, CacheState, Decision};
use crate::flight_key::FlightKey;
use crate::lifetime::{Class, Lasts, Learned, Lifetimes};
use crate::request::{Policy, RequestId};
use crate::settings::{Caching, Eviction};

fn t(millis: u64) -> Instant {
    Instant::from_secs(1_000_000) + Duration::from_millis(millis)
}

fn instrument(number: usize) -> InstrumentId {
    InstrumentId::new(&format!("S{number}"), Venue::literal("XNAS"))
}

fn key(number: usize) -> FlightKey {
    let question = Question::Quotes { instruments: vec![instrument(number)], bid_ask: true };
    FlightKey::of(&question, &Policy::default())
}

fn decision() -> Arc<Decision> {
    Arc::new(Decision {
        id: RequestId("r".into()),
        at: Instant::EPOCH,
        question: String::new(),
        policy: String::new(),
        candidates: vec![],
        attempts: vec![],
        answered_by: None,
        notes: vec![],
        cost_micros: 0,
    })
}

/// A quote of an event time, received at another.
fn quote(number: usize, event: Option<u64>, received: u64, decision: &Arc<Decision>) -> Answer {
    let quote = Quote { last: Price::parse("10"), event_time: event.map(t), ..Quote::default() };
    Answer {
        data: Data::Quotes(vec![Quoted { instrument: instrument(number), quote: Ok(quote) }]),
        vendors: vec![VendorId(if number.is_multiple_of(2) { "even" } else { "odd" })],
        simulated: false,
        basis: Basis {
            adjustment: Adjustment::Raw,
            denomination: None,
            session: Session::Regular,
            anchor: Anchor::Open,
        },
        delivery: Delivery::RealTime,
        event_time: event.map(t),
        received_at: t(received),
        stored: false,
        coverage: None,
        findings: vec![],
        evidence: Evidence::new(
            Kind::Quote,
            Duration::ZERO,
            Duration::from_secs(10),
            Duration::from_secs(300),
        ),
        rows: None,
        warnings: vec![],
        decision: Arc::clone(decision),
        quota: vec![],
        lasts: Lasts::as_usual(Class::Latest),
        fresh_until: t(received),
        stale_until: t(received),
    }
}

fn kept(answer: Answer) -> Kept {
    let life = Freshness::new(&Ttl::LATEST, Ttl::LATEST.base, 0.5, answer.received_at);
    Kept::new(Arc::new(answer), Namespace::Quotes, life, Duration::from_millis(100), 0.5, None)
}

fn put(cache: &Cache, number: usize, event: Option<u64>, received: u64) {
    cache.insert(key(number), kept(quote(number, event, received, &decision())), t(received));
}

fn small(strategy: Eviction, entries: u64) -> Cache {
    Cache::new(&Caching { strategy, max_entries: entries, max_bytes: entries * 2_000, ..Caching::default() })
}

fn event_of(found: &Lookup) -> Option<Instant> {
    match found {
        Lookup::Fresh(kept) | Lookup::Stale(kept) => kept.answer.event_time,
        Lookup::Missing => None,
    }
}

#[test]
fn an_older_value_never_replaces_a_newer_one_that_can_still_be_served() {
    let cache = Cache::new(&Caching::default());
    let now = |at| event_of(&cache.look_up(&key(1), t(at), None));
    put(&cache, 1, Some(5_000), 6_000);
    put(&cache, 1, Some(4_000), 7_000);
    assert_eq!(now(7_000), Some(t(5_000)), "an older event");
    put(&cache, 1, None, 7_000);
    assert_eq!(now(7_000), Some(t(5_000)), "nobody says when");
    put(&cache, 1, Some(5_000), 5_500);
    assert_eq!(now(15_999), Some(t(5_000)), "the same event, received before: its life would end earlier");
    put(&cache, 1, Some(5_001), 7_500);
    assert_eq!(now(7_500), Some(t(5_001)), "a newer event");
    // Past its stale time it is no answer any more, and gives way to whatever there is.
    put(&cache, 1, Some(4_000), 60_000);
    assert_eq!(now(60_000), Some(t(4_000)));
}

#[test]
fn an_answer_is_fresh_then_stale_then_nothing_and_a_caller_may_take_it_for_fresh_longer() {
    let cache = Cache::new(&Caching::default());
    put(&cache, 1, Some(0), 0);
    let word = |at, fresh_for| match cache.look_up(&key(1), t(at), fresh_for) {
        Lookup::Fresh(_) => "fresh",
        Lookup::Stale(_) => "stale",
        Lookup::Missing => "missing",
    };
    let seen = [0, 9_999, 10_000, 19_999, 20_000].map(|at| word(at, None));
    assert_eq!(seen, ["fresh", "fresh", "stale", "stale", "missing"]);
    let longer = Some(Duration::from_secs(30));
    let seen = [0, 29_999, 30_000].map(|at| word(at, longer));
    assert_eq!(seen, ["fresh", "fresh", "missing"]);
}

#[test]
fn the_four_strategies_are_four() {
    // A few are asked for again and again, then a crowd passes by once.
    let survivors = |strategy| {
        let cache = small(strategy, 100);
        (0..100).for_each(|number| put(&cache, number, Some(0), 0));
        for _ in 0..30 {
            (0..10).for_each(|number| drop(cache.look_up(&key(number), t(1), None)));
            cache.settle();
        }
        for number in 1_000..2_000 {
            put(&cache, number, Some(0), 0);
            cache.settle();
        }
        (0..10).filter(|number| cache.find(&key(*number)).is_some()).count()
    };
    for strategy in Eviction::ALL {
        let stayed = survivors(strategy);
        let expected = if strategy.is_by_frequency() { 9..=10 } else { 0..=0 };
        assert!(expected.contains(&stayed), "{}: {stayed}", strategy.as_str());
    }
    let kinds: std::collections::HashSet<(bool, bool)> =
        Eviction::ALL.into_iter().map(|s| (s.is_by_frequency(), s.adapts())).collect();
    assert_eq!(kinds.len(), 4);
}

#[test]
fn entries_and_bytes_stay_within_their_bounds_after_every_insert() {
    for strategy in Eviction::ALL {
        let cache = small(strategy, 50);
        for number in 0..500 {
            put(&cache, number, Some(0), 0);
            let total = cache.stats().total();
            assert!(total.entries <= 50 && total.bytes <= 100_000, "{}: {total:?}", strategy.as_str());
        }
        let counted = cache.iter().count() as u64;
        assert_eq!(cache.len(), counted, "the count that is kept is that of the entries");
        assert_eq!(cache.stats().total().bytes, cache.iter().map(|(_, kept)| kept.bytes).sum::<u64>());
    }
}

#[test]
fn no_newcomer_takes_more_than_its_share_of_the_cache() {
    // Never a fifth at once: a large answer is not kept, and one place is made for a small one.
    let cache = small(Eviction::Lru, 100);
    (0..100).for_each(|number| put(&cache, number, Some(0), 0));
    let mut large = quote(500, Some(0), 0, &decision());
    let Data::Quotes(rows) = &mut large.data else { panic!() };
    let row = rows[0].clone();
    rows.resize(300, row);
    cache.insert(key(500), kept(large), t(0));
    assert_eq!((cache.len(), cache.stats().total().too_large), (100, 1));
    for number in 100..200 {
        let before = cache.len();
        put(&cache, number, Some(0), 0);
        assert!(before - cache.len() <= 10, "{before} to {}", cache.len());
    }
}

#[test]
fn what_is_deleted_or_replaced_is_no_eviction() {
    let cache = small(Eviction::Lru, 10);
    (0..10).for_each(|number| put(&cache, number, Some(0), 0));
    (0..5).for_each(|number| put(&cache, number, Some(1), 1));
    let dropped = cache.invalidate(&Tags::about(&instrument(3)));
    assert_eq!(dropped, Invalidated { answers: 1, unknown: 0 });
    let total = cache.stats().total();
    assert_eq!((total.evictions, total.invalidated, total.entries), (0, 1, 9));
    put(&cache, 10, Some(0), 0);
    put(&cache, 11, Some(0), 0);
    cache.settle();
    let total = cache.stats().total();
    assert_eq!((total.evictions, total.invalidated, total.entries), (1, 1, 10));
}

#[test]
fn junk_symbols_evict_no_quote_and_are_bounded_themselves() {
    let cache = small(Eviction::Adaptive, 100);
    (0..100).for_each(|number| put(&cache, number, Some(0), 0));
    for number in 0..20_000 {
        cache.insert_unknown(key(100_000 + number), t(600_000));
    }
    cache.settle();
    let stats = cache.stats();
    assert_eq!((stats.total().entries, stats.total().evictions), (100, 0));
    assert!(stats.unknown_entries <= 10_000, "{}", stats.unknown_entries);
    let until = |at| cache.is_unknown(&key(119_999), t(at));
    cache.insert_unknown(key(119_999), t(600_000));
    assert!(until(599_999) && !until(600_000));
    // Somebody knows it after all.
    cache.insert_unknown(key(1), t(600_000));
    put(&cache, 1, Some(5), 5);
    assert!(!cache.is_unknown(&key(1), t(5)));
}

#[test]
fn tags_drop_what_carries_all_of_them_and_say_when_that_is_nothing() {
    let cache = Cache::new(&Caching::default());
    let fill = || (0..10).for_each(|number| put(&cache, number, Some(0), 0));
    let dropped = |tags: Tags| {
        fill();
        cache.invalidate(&tags).answers
    };
    let even = Some(VendorId("even"));
    assert_eq!(dropped(Tags::about(&instrument(4))), 1);
    assert_eq!(dropped(Tags { vendor: even, ..Tags::default() }), 5);
    assert_eq!(dropped(Tags { vendor: even, ..Tags::about(&instrument(5)) }), 0, "both tags must fit");
    assert_eq!(dropped(Tags { namespace: Some(Namespace::Quotes), ..Tags::default() }), 10);
    assert_eq!(dropped(Tags { namespace: Some(Namespace::News), ..Tags::default() }), 0);
    assert_eq!(dropped(Tags { basis: Some(Adjustment::Raw), ..Tags::default() }), 0, "quotes have no basis");
    assert_eq!(dropped(Tags::default()), 10);
    cache.insert_unknown(key(77), t(600_000));
    assert_eq!(cache.invalidate(&Tags::about(&instrument(77))), Invalidated { answers: 0, unknown: 1 });
    assert!(!cache.is_unknown(&key(77), t(0)));
}

#[test]
fn rates_are_fractions_of_those_who_asked() {
    let cache = Cache::new(&Caching::default());
    assert_eq!(cache.stats().total().hit_rate(), None);
    let served = |state, times: u32| {
        (0..times).for_each(|_| cache.served(Namespace::Quotes, state, Some(Duration::from_micros(2))));
    };
    served(CacheState::Hit, 5);
    served(CacheState::Stale, 1);
    served(CacheState::Miss, 2);
    served(CacheState::Coalesced, 1);
    served(CacheState::Stored, 1);
    let total = cache.stats().total();
    assert_eq!(total.hit_rate(), Some(0.6));
    assert_eq!((total.hits, total.stale, total.misses, total.coalesced, total.stored), (5, 1, 2, 1, 1));
}

#[test]
fn one_reader_at_a_time_has_the_turn_to_refresh_and_gives_it_back() {
    let kept = Arc::new(kept(quote(1, Some(0), 0, &decision())));
    let turn = kept.begin_refresh();
    assert!(turn.is_some() && kept.begin_refresh().is_none());
    drop(turn);
    assert!(kept.begin_refresh().is_some());
    assert!(kept.read(t(1)) && !kept.read(t(2)), "only the first reader of a life is the first");
}

/// A quote at a price, and how long its answer is fresh after it was fetched at a second.
fn fetched(lifetimes: &Lifetimes, price: &str, at: u64, missed: bool) -> (u64, Option<Arc<Mutex<Learned>>>) {
    let mut answer = quote(1, Some(at * 1_000), at * 1_000, &decision());
    let Data::Quotes(rows) = &mut answer.data else { panic!() };
    rows[0].quote.as_mut().unwrap().last = Price::parse(price);
    let now = t(at * 1_000);
    let (life, learned) = lifetimes.begin(&answer, Price::parse("0.01"), missed, true, 0.5, now);
    (life.fresh_until.since(now).as_millis() as u64, learned)
}

#[test]
fn a_price_that_stays_is_fetched_less_often_and_one_that_moves_more_often_within_bounds() {
    let lifetimes = Lifetimes::new(Caching::default());
    let seen = ["10", "10.004", "10", "11", "12"].map(|price| fetched(&lifetimes, price, 0, true).0);
    assert_eq!(seen, [10_000, 12_000, 14_400, 11_520, 9_216]);
    let still: Vec<u64> = (0..20).map(|_| fetched(&lifetimes, "12", 0, true).0).collect();
    assert_eq!(still.last(), Some(&20_000), "the most of its class");
    let moving: Vec<u64> = (13..40).map(|n| fetched(&lifetimes, &n.to_string(), 0, true).0).collect();
    assert_eq!(moving.last(), Some(&2_000), "the least of its class");
    // What was learned is forgotten by half each hour.
    assert_eq!(fetched(&lifetimes, "39", 3_600, true).0, 7_200);
}

#[test]
fn what_is_read_most_does_not_get_the_oldest_data() {
    let lifetimes = Lifetimes::new(Caching::default());
    let (_, learned) = fetched(&lifetimes, "10", 0, true);
    assert!(learned.is_none(), "reading teaches nothing");
    assert_eq!(fetched(&lifetimes, "11", 0, true).0, 8_000);
}

#[test]
fn by_access_a_hit_lengthens_and_a_miss_shortens_under_the_same_ceiling() {
    let caching = Caching { adaptive_ttl: Adapts::ToAccess, ..Caching::default() };
    let lifetimes = Lifetimes::new(caching);
    let (first, learned) = fetched(&lifetimes, "10", 0, true);
    learned.unwrap().lock().hit(t(0));
    let (second, _) = fetched(&lifetimes, "99", 0, false);
    let (third, learned) = fetched(&lifetimes, "98", 0, true);
    assert_eq!([first, second, third], [10_000, 12_000, 9_600]);
    let learned = learned.unwrap();
    (0..100).for_each(|_| learned.lock().hit(t(0)));
    assert_eq!(fetched(&lifetimes, "97", 0, false).0, 20_000);
}

#[test]
fn fixed_strategies_learn_nothing() {
    for strategy in [Eviction::Lfu, Eviction::Ttl] {
        let lifetimes = Lifetimes::new(Caching { strategy, ..Caching::default() });
        let seen = ["10", "10", "11", "12"].map(|price| fetched(&lifetimes, price, 0, true).0);
        assert_eq!(seen, [10_000; 4], "{}", strategy.as_str());
    }
    let lifetimes = Lifetimes::new(Caching { strategy: Eviction::Lru, ..Caching::default() });
    assert_eq!(["10", "10"].map(|price| fetched(&lifetimes, price, 0, true).0), [10_000, 12_000]);
}

/// The simplest cache there could be.
#[derive(Default)]
struct Reference {
    answers: HashMap<usize, Simple>,
    unknown: HashMap<usize, u64>,
}

#[derive(Clone, Copy)]
struct Simple {
    event: Option<u64>,
    received: u64,
    fresh_until: u64,
    stale_until: u64,
}

impl Reference {
    fn insert(&mut self, number: usize, new: Simple, now: u64) {
        self.unknown.remove(&number);
        if let Some(known) = self.answers.get(&number)
            && now < known.stale_until
            && (known.event, known.received) > (new.event, new.received)
        {
            return;
        }
        self.answers.insert(number, new);
    }
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

/// So many random operations; with few places, what gave way is taken out of the reference too.
fn play(seed: u64, operations: u32, strategy: Eviction, places: u64) {
    const KEYS: usize = 64;
    let (cache, mut reference) = (small(strategy, places), Reference::default());
    let (keys, decision): (Vec<FlightKey>, _) = ((0..KEYS).map(key).collect(), decision());
    let (mut dice, mut now, mut kept_count) = (Dice(seed), 10_000_u64, 0_u64);
    for step in 0..operations {
        let number = dice.below(KEYS as u64) as usize;
        let word = |now| match cache.look_up(&keys[number], t(now), None) {
            Lookup::Fresh(kept) => Some((true, kept.answer.event_time, kept.answer.received_at)),
            Lookup::Stale(kept) => Some((false, kept.answer.event_time, kept.answer.received_at)),
            Lookup::Missing => None,
        };
        match dice.below(100) {
            0..30 => {
                let gave_way = places < KEYS as u64 && cache.find(&keys[number]).is_none();
                if gave_way {
                    reference.answers.remove(&number);
                }
                let event = (dice.below(10) > 0).then(|| now - dice.below(5_000));
                let ttl = Duration::from_millis(2_000 + dice.below(10_000));
                let received = now - dice.below(500);
                let life = Freshness::new(&Ttl::LATEST, ttl, 0.5, t(received));
                let millis = |at: Instant| at.since(t(0)).as_millis() as u64;
                let new = Simple {
                    event,
                    received,
                    fresh_until: millis(life.fresh_until),
                    stale_until: millis(life.stale_until),
                };
                let answer = Arc::new(quote(number, event, received, &decision));
                let kept = Kept::new(answer, Namespace::Quotes, life, Duration::ZERO, 0.5, None);
                cache.insert(keys[number].clone(), kept, t(now));
                reference.insert(number, new, now);
            }
            30..90 => {
                let found = word(now);
                let expected = reference.answers.get(&number).filter(|simple| now < simple.stale_until);
                let expected = expected
                    .map(|simple| (now < simple.fresh_until, simple.event.map(t), t(simple.received)));
                if places < KEYS as u64 && found.is_none() {
                    reference.answers.remove(&number);
                    continue;
                }
                assert_eq!(found, expected, "seed {seed}, step {step}");
                kept_count += u64::from(found.is_some());
            }
            90..94 => {
                let until = now + dice.below(5_000);
                cache.insert_unknown(keys[number].clone(), t(until));
                reference.unknown.insert(number, until);
            }
            94..97 => {
                let expected = reference.unknown.get(&number).is_some_and(|until| now < *until);
                assert_eq!(cache.is_unknown(&keys[number], t(now)), expected, "seed {seed}, step {step}");
            }
            97 => {
                let dropped = cache.invalidate(&Tags::about(&instrument(number)));
                let known = u64::from(reference.answers.remove(&number).is_some());
                let unknown = u64::from(reference.unknown.remove(&number).is_some());
                if places >= KEYS as u64 {
                    assert_eq!(dropped, Invalidated { answers: known, unknown }, "seed {seed}, step {step}");
                }
            }
            _ => now += dice.below(3_000),
        }
        if step % 32 == 0 {
            let total = cache.stats().total();
            assert!(total.entries <= places && total.bytes <= places * 2_000, "seed {seed}, step {step}");
        }
    }
    assert!(kept_count > u64::from(operations) / 20, "the test looked at nothing: {kept_count}");
}

/// A million operations, a quarter for each strategy, so that they run beside one another.
mod a_million_random_operations_agree_with_a_naive_reference {
    use super::{Eviction, play};

    fn check(seed: u64, strategy: Eviction) {
        play(seed, 200_000, strategy, 128);
        play(seed + 100, 60_000, strategy, 16);
    }

    #[test]
    fn adaptive() {
        check(1, Eviction::Adaptive);
    }

    #[test]
    fn lfu() {
        check(2, Eviction::Lfu);
    }

    #[test]
    fn lru() {
        check(3, Eviction::Lru);
    }

    #[test]
    fn ttl() {
        check(4, Eviction::Ttl);
    }
}

#[test]
#[ignore = "ten million operations, for the long run"]
fn ten_million_random_operations_agree_with_a_naive_reference() {
    for (seed, strategy) in (11..).zip(Eviction::ALL) {
        play(seed, 2_500_000, strategy, 128);
    }
}
