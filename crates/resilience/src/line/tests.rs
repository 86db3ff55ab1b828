//! LIM-3, SCH-1, SCH-6.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

fn t(secs: u64) -> Instant {
    Instant::EPOCH + Duration::from_secs(secs)
}

fn one(priority: Priority, deadline: u64, asker: u64) -> Waiting {
    Waiting { priority, deadline: t(deadline), asker, cost: 1 }
}

fn next(line: &mut Line, now: Instant) -> Option<Ticket> {
    let head = line.head(now, |_| true)?;
    line.serve(head, now);
    Some(head)
}

#[test]
fn within_a_class_the_first_to_come_is_the_first_to_go_and_the_earliest_deadline_before_it() {
    let mut line = Line::new();
    let [late, first, second, soon] =
        [(9, 1), (5, 2), (5, 3), (4, 4)].map(|(by, who)| line.join(one(Priority::Normal, by, who), t(0)));
    assert_eq!([(); 4].map(|()| next(&mut line, t(1))), [soon, first, second, late].map(Some));
    assert_eq!(next(&mut line, t(1)), None);
}

#[test]
fn classes_share_by_their_weights_and_none_starves() {
    let mut line = Line::new();
    let mut classes = std::collections::HashMap::new();
    for who in 0..400 {
        for priority in Priority::ALL {
            classes.insert(line.join(one(priority, 100, who), t(0)), priority);
        }
    }
    let mut served = [0; 5];
    for _ in 0..310 {
        served[classes[&next(&mut line, t(1)).unwrap()].index()] += 1;
    }
    assert_eq!(served, [160, 80, 40, 20, 10]);
}

#[test]
fn a_class_that_was_idle_has_saved_up_nothing() {
    let mut line = Line::new();
    for who in 0..100 {
        line.join(one(Priority::Normal, 100, who), t(0));
    }
    for _ in 0..50 {
        next(&mut line, t(0));
    }
    let batch: Vec<Ticket> = (0..20).map(|who| line.join(one(Priority::Batch, 100, who), t(0))).collect();
    let served: Vec<Ticket> = (0..25).map(|_| next(&mut line, t(0)).unwrap()).collect();
    let of_batch = served.iter().filter(|ticket| batch.contains(ticket)).count();
    assert!((4..=6).contains(&of_batch), "a fifth of two classes weighted 4:1: {of_batch}");
}

#[test]
fn a_long_wait_counts_as_a_higher_class() {
    let mut line = Line::new();
    let batch = line.join(one(Priority::Batch, 1_000, 1), t(0));
    line.head(t(82), |_| true);
    // 60 s to low, 15 to normal, 5 to high, 2 to critical.
    assert_eq!(line.count_of(Priority::Critical), 1);
    let critical = line.join(one(Priority::Critical, 2_000, 2), t(82));
    assert_eq!([next(&mut line, t(82)), next(&mut line, t(82))], [Some(batch), Some(critical)]);
}

#[test]
fn askers_take_turns_whoever_asked_for_more() {
    let mut line = Line::new();
    let many: Vec<Ticket> = (0..50).map(|_| line.join(one(Priority::Normal, 2, 7), t(0))).collect();
    let single = line.join(one(Priority::Normal, 3, 8), t(0));
    let order: Vec<Ticket> = (0..3).map(|_| next(&mut line, t(0)).unwrap()).collect();
    assert_eq!(order, [many[0], single, many[1]]);
}

#[test]
fn whoever_leaves_early_is_passed_over_and_leaves_once() {
    let mut line = Line::new();
    let first = line.join(one(Priority::High, 50, 1), t(0));
    let second = line.join(one(Priority::High, 50, 2), t(1));
    assert_eq!(line.longest_wait(t(1)), Duration::from_secs(1));
    assert_eq!(line.leave(first, t(1)), Some(Duration::from_secs(1)));
    assert_eq!((line.leave(first, t(1)), line.serve(first, t(1))), (None, None));
    assert_eq!(line.head(t(1), |_| true), Some(second));
    assert_eq!((line.count(), line.longest_wait(t(2))), (1, Duration::from_secs(1)));
}

#[test]
fn who_is_held_back_does_not_stand_in_the_way() {
    let mut line = Line::new();
    let batch = line.join(one(Priority::Batch, 1, 1), t(0));
    let low = line.join(one(Priority::Low, 9, 2), t(0));
    assert_eq!(line.head(t(0), |priority| priority < Priority::Batch), Some(low));
    line.leave(low, t(0));
    assert_eq!(line.head(t(0), |priority| priority < Priority::Batch), None);
    assert_eq!(line.head(t(0), |_| true), Some(batch));
}

#[test]
fn a_place_takes_over_the_highest_class_and_the_earliest_deadline_of_those_who_share_it() {
    let mut line = Line::new();
    let shared = line.join(one(Priority::Low, 90, 1), t(0));
    let other = line.join(one(Priority::High, 80, 2), t(0));
    line.raise(shared, Priority::High, t(5), t(1));
    assert_eq!([next(&mut line, t(1)), next(&mut line, t(1))], [Some(shared), Some(other)]);
    let again = line.join(one(Priority::High, 5, 1), t(1));
    line.raise(again, Priority::Batch, t(500), t(1));
    assert_eq!(line.count_of(Priority::High), 1);
    assert_eq!(line.ahead_of(&one(Priority::High, 6, 9)), (1, 1));
    assert_eq!(line.ahead_of(&one(Priority::High, 4, 9)), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_request_waits_for_ever_behind_a_stream_of_critical_ones(class in 0_usize..5, before in 0_u64..20) {
        let mut line = Line::new();
        for who in 0..before {
            line.join(one(Priority::Critical, 1, who), t(0));
        }
        let ours = line.join(one(Priority::ALL[class], 1_000, 99), t(0));
        let mut served_at = None;
        // One is served each second and one critical request comes each second, more urgent than ours.
        for second in 0..200 {
            line.join(one(Priority::Critical, second, 100 + second), t(second));
            if next(&mut line, t(second)) == Some(ours) {
                served_at = Some(second);
                break;
            }
        }
        // At the latest after as many as its class has shares of the whole, those that came before it aside.
        prop_assert!(served_at.is_some_and(|second| second <= 82 + before + 1) || class == 0, "{served_at:?}");
    }
}

/// The rules said naively: a list, searched through at every step.
#[derive(Default)]
struct Naive {
    waiting: Vec<Naively>,
    starts: [u64; 5],
    rounds: [u64; 5],
    virtual_now: u64,
    joined: u64,
    /// The last round of a class that an asker took, forgotten when none of its requests waits there.
    last: HashMap<(usize, u64), u64>,
}

#[derive(Clone, Copy)]
struct Naively {
    number: u64,
    waiting: Waiting,
    class: usize,
    in_class_since: Instant,
    round: u64,
    due: Instant,
}

impl Naive {
    fn enter(&mut self, mut one: Naively) {
        let same = |other: &&Naively| other.class == one.class;
        if !self.waiting.iter().any(|other| same(&other)) {
            self.starts[one.class] = self.starts[one.class].max(self.virtual_now);
        }
        let key = (one.class, one.waiting.asker);
        let waits = self.waiting.iter().any(|other| (other.class, other.waiting.asker) == key);
        let behind_own = self.last.get(&key).filter(|_| waits).map_or(0, |last| last + 1);
        one.round = self.rounds[one.class].max(behind_own);
        self.last.insert(key, one.round);
        self.waiting.push(one);
    }

    fn join(&mut self, waiting: Waiting, now: Instant) -> u64 {
        self.joined += 1;
        let class = waiting.priority.index();
        self.enter(Naively {
            number: self.joined,
            waiting,
            class,
            in_class_since: now,
            round: 0,
            due: waiting.deadline,
        });
        self.joined
    }

    fn take(&mut self, number: u64) -> Option<Naively> {
        let index = self.waiting.iter().position(|one| one.number == number)?;
        Some(self.waiting.remove(index))
    }

    fn age(&mut self, now: Instant) {
        for class in (1..5).rev() {
            loop {
                let due = |one: &&Naively| {
                    one.class == class && now.since(one.in_class_since) >= AGES[class].unwrap()
                };
                let first = self.waiting.iter().filter(due).min_by_key(|o| (o.in_class_since, o.number));
                let Some(number) = first.map(|one| one.number) else { break };
                let mut one = self.take(number).unwrap();
                (one.class, one.in_class_since) = (class - 1, one.in_class_since + AGES[class].unwrap());
                one.due = one.due.min(one.in_class_since);
                self.enter(one);
            }
        }
    }

    fn finish(&self, one: &Naively) -> u64 {
        self.starts[one.class] + STRIDES[one.class] * u64::from(one.waiting.cost.max(1))
    }

    fn head(&mut self, now: Instant, least: Priority) -> Option<u64> {
        self.age(now);
        let first_of = |class: usize| {
            let able = self.waiting.iter().filter(|one| one.class == class && one.waiting.priority <= least);
            able.min_by_key(|one| (one.round, one.due, one.number))
        };
        let first = (0..5).filter_map(first_of).min_by_key(|one| (self.finish(one), one.class));
        first.map(|one| one.number)
    }

    fn serve(&mut self, number: u64) {
        if let Some(one) = self.take(number) {
            let finish = self.finish(&one);
            self.starts[one.class] = finish;
            self.rounds[one.class] = self.rounds[one.class].max(one.round);
            self.virtual_now = self.virtual_now.max(finish);
        }
    }
}

#[test]
fn a_million_random_steps_agree_with_the_rules_said_naively() {
    // SCH-1. `LINE_STEPS` makes it longer.
    #[expect(clippy::disallowed_methods, reason = "the long run asks for more steps")]
    let steps = std::env::var("LINE_STEPS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000_u64);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % below
    };
    let (mut line, mut naive, mut now) = (Line::new(), Naive::default(), t(0));
    for step in 0..steps {
        now += Duration::from_millis(draw(300));
        let able = Priority::ALL[draw(5) as usize];
        // A line that grows and shrinks, with about forty in it at most.
        let room = line.count() < 40;
        match draw(10) {
            0..=4 if room => {
                let waiting = Waiting {
                    priority: Priority::ALL[draw(5) as usize],
                    deadline: now + Duration::from_secs(draw(8)),
                    asker: draw(4),
                    cost: draw(4) as u32,
                };
                assert_eq!(line.join(waiting, now), Ticket(naive.join(waiting, now)), "step {step}");
            }
            5 => {
                let number = naive.waiting.get(draw(40) as usize).map_or(draw(1_000), |one| one.number);
                let gone = naive.take(number).is_some();
                assert_eq!(line.leave(Ticket(number), now).is_some(), gone, "step {step}");
            }
            6 => {
                let number = naive.waiting.get(draw(40) as usize).map_or(0, |one| one.number);
                let (priority, deadline) =
                    (Priority::ALL[draw(5) as usize], now + Duration::from_secs(draw(4)));
                line.raise(Ticket(number), priority, deadline, now);
                if let Some(mut one) = naive.take(number) {
                    one.waiting.priority = one.waiting.priority.min(priority);
                    one.waiting.deadline = one.waiting.deadline.min(deadline);
                    one.due = one.due.min(deadline);
                    if priority.index() < one.class {
                        (one.class, one.in_class_since) = (priority.index(), now);
                    }
                    naive.enter(one);
                }
            }
            _ => {
                let head = line.head(now, |priority| priority <= able);
                assert_eq!(head, naive.head(now, able).map(Ticket), "step {step}");
                if let Some(ticket) = head {
                    line.serve(ticket, now);
                    naive.serve(ticket.0);
                }
            }
        }
        assert_eq!(line.count(), naive.waiting.len(), "step {step}");
    }
}
