//! Who waits for a vendor, and who goes next (SCH-1, LIM-3).
//!
//! Between classes weighted fair queueing, 16:8:4:2:1 (self-clocked: the class with the smallest virtual
//! finish time goes first), so that no class starves another. Waiting raises a request class by class. Within
//! a class everyone who asks has a turn before anyone has a second one, and of those whose turn it is the
//! earliest deadline goes first; equal deadlines go in order of arrival.
//!
//! Whoever wants to wait joins, and leaves when served, when its deadline has come, or when its caller has
//! left. After every change the new head is to be woken.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use domain::Instant;

use crate::Priority;

/// Time after which a waiting request counts as one class higher, by class.
const AGES: [Option<Duration>; 5] = [
    None,
    Some(Duration::from_secs(2)),
    Some(Duration::from_secs(5)),
    Some(Duration::from_secs(15)),
    Some(Duration::from_secs(60)),
];

/// Virtual time that a unit of cost takes, by class: the inverse of the weights 16:8:4:2:1.
const STRIDES: [u64; 5] = [1, 2, 4, 8, 16];

/// A place in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

/// Who waits, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its class when it came, or that of the most important caller who waits for the same answer.
    pub priority: Priority,
    /// When it has to be served.
    pub deadline: Instant,
    /// Who asks: requests of one asker take turns with those of others.
    pub asker: u64,
    /// What it takes of the quota; at least 1.
    pub cost: u32,
}

#[derive(Clone, Debug)]
struct Place {
    waiting: Waiting,
    since: Instant,
    /// The class it counts as, and since when.
    class: usize,
    in_class_since: Instant,
    round: u64,
    /// The deadline; for one who has moved up, when that was: it goes before all who came to the class.
    due: Instant,
}

impl Place {
    fn key(&self, number: u64) -> (u64, Instant, u64) {
        (self.round, self.due, number)
    }
}

#[derive(Clone, Debug, Default)]
struct Class {
    /// By round, deadline, number.
    order: BTreeSet<(u64, Instant, u64)>,
    /// By time of entry into the class.
    ages: BTreeSet<(Instant, u64)>,
    /// Virtual time from which the next one served is charged.
    start: u64,
    /// The round being served.
    round: u64,
    /// The last round taken by each asker who waits, and how many of its requests wait.
    askers: HashMap<u64, (u64, u32)>,
}

/// Everyone who waits for one vendor.
#[derive(Clone, Debug, Default)]
pub struct Line {
    places: BTreeMap<u64, Place>,
    classes: [Class; 5],
    virtual_now: u64,
    joined: u64,
}

impl Line {
    /// Nobody waits.
    pub fn new() -> Line {
        Line::default()
    }

    /// Takes a place.
    pub fn join(&mut self, waiting: Waiting, now: Instant) -> Ticket {
        self.joined += 1;
        let class = waiting.priority.index();
        let place =
            Place { waiting, since: now, class, in_class_since: now, round: 0, due: waiting.deadline };
        self.enter(self.joined, place, class, now);
        Ticket(self.joined)
    }

    /// Whose turn it is among those whose class may be served. Ageing is caught up with first.
    pub fn head(&mut self, now: Instant, may: impl Fn(Priority) -> bool) -> Option<Ticket> {
        self.age(now);
        let candidate = |index: usize| {
            let class = &self.classes[index];
            let first = class.order.iter().find(|(.., n)| may(self.places[n].waiting.priority))?;
            Some((self.finish(index, first.2), index, first.2))
        };
        (0..5).filter_map(candidate).min().map(|(.., number)| Ticket(number))
    }

    /// Serves a place: its class is charged. Tells how long it was held; `None` if it was not held any more.
    pub fn serve(&mut self, ticket: Ticket, now: Instant) -> Option<Duration> {
        let place = self.places.get(&ticket.0)?;
        let (index, round) = (place.class, place.round);
        let finish = self.finish(index, ticket.0);
        self.classes[index].start = finish;
        self.classes[index].round = self.classes[index].round.max(round);
        self.virtual_now = self.virtual_now.max(finish);
        self.leave(ticket, now)
    }

    /// Gives up a place unserved, and tells how long it was held; `None` if it was not held any more.
    pub fn leave(&mut self, ticket: Ticket, now: Instant) -> Option<Duration> {
        let place = self.places.remove(&ticket.0)?;
        self.exit(ticket.0, &place);
        Some(now.since(place.since))
    }

    /// Someone more important, or with less time, waits for the same answer. Nothing is ever lowered.
    pub fn raise(&mut self, ticket: Ticket, priority: Priority, deadline: Instant, now: Instant) {
        let Some(mut place) = self.places.remove(&ticket.0) else { return };
        self.exit(ticket.0, &place);
        place.waiting.priority = place.waiting.priority.min(priority);
        place.waiting.deadline = place.waiting.deadline.min(deadline);
        place.due = place.due.min(deadline);
        let class = place.class.min(priority.index());
        let since = if class < place.class { now } else { place.in_class_since };
        self.enter(ticket.0, place, class, since);
    }

    /// How many wait, and what they take together, whose turn in a class comes before that of someone who
    /// joins it now with this deadline. Other classes aside, so what is ahead is at least this.
    pub fn ahead_of(&self, waiting: &Waiting) -> (usize, u32) {
        let class = &self.classes[waiting.priority.index()];
        let key = (class.next_round(waiting.asker), waiting.deadline, u64::MAX);
        class.order.range(..key).fold((0, 0), |(count, cost), (.., number)| {
            (count + 1, cost.saturating_add(self.places[number].waiting.cost))
        })
    }

    /// How many wait.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// How many wait in a class, age counted.
    pub fn count_of(&self, priority: Priority) -> usize {
        self.classes[priority.index()].order.len()
    }

    /// How long the first of those who came has waited; zero if nobody waits.
    pub fn longest_wait(&self, now: Instant) -> Duration {
        self.places.values().next().map_or(Duration::ZERO, |place| now.since(place.since))
    }

    fn finish(&self, class: usize, number: u64) -> u64 {
        let cost = u64::from(self.places[&number].waiting.cost.max(1));
        self.classes[class].start + STRIDES[class] * cost
    }

    fn enter(&mut self, number: u64, mut place: Place, class: usize, since: Instant) {
        let virtual_now = self.virtual_now;
        let into = &mut self.classes[class];
        if into.order.is_empty() {
            into.start = into.start.max(virtual_now);
        }
        let round = into.next_round(place.waiting.asker);
        let asker = into.askers.entry(place.waiting.asker).or_default();
        *asker = (round, asker.1 + 1);
        (place.class, place.in_class_since, place.round) = (class, since, round);
        into.order.insert(place.key(number));
        into.ages.insert((since, number));
        self.places.insert(number, place);
    }

    fn exit(&mut self, number: u64, place: &Place) {
        let from = &mut self.classes[place.class];
        from.order.remove(&place.key(number));
        from.ages.remove(&(place.in_class_since, number));
        if let Some(asker) = from.askers.get_mut(&place.waiting.asker) {
            asker.1 -= 1;
            if asker.1 == 0 {
                from.askers.remove(&place.waiting.asker);
            }
        }
    }

    /// Moves everyone up who has waited long enough, from the lowest class on, so that a long wait moves up
    /// through several.
    fn age(&mut self, now: Instant) {
        for class in (1..5).rev() {
            let Some(age) = AGES[class] else { continue };
            while let Some(&(since, number)) = self.classes[class].ages.first() {
                if now.since(since) < age || since > now {
                    break;
                }
                let Some(mut place) = self.places.remove(&number) else { break };
                self.exit(number, &place);
                place.due = place.due.min(since + age);
                self.enter(number, place, class - 1, since + age);
            }
        }
    }
}

impl Class {
    /// The round of an asker's next request: the one being served, or the one behind its last.
    fn next_round(&self, asker: u64) -> u64 {
        self.askers.get(&asker).map_or(self.round, |(last, _)| self.round.max(last + 1))
    }
}

#[cfg(test)]
mod tests;
