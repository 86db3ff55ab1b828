//! Who waits for a permit, in which order (LIM-3; SCH-1 for classes and ageing).
//!
//! Whoever wants to wait joins, asks whether it is at the head, and leaves when it got its permit, when its
//! deadline has come, or when its caller has left. After every change the new head is to be woken.

use std::collections::BTreeMap;
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

/// A place in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket {
    priority: Priority,
    number: u64,
}

/// First in, first out within a class; higher classes first; and waiting raises a request class by class, so
/// that every one is served in the end.
#[derive(Clone, Debug, Default)]
pub struct Line {
    classes: [BTreeMap<u64, Instant>; 5],
    joined: u64,
}

impl Line {
    /// Nobody waits.
    pub fn new() -> Line {
        Line::default()
    }

    /// Takes a place at the end of a class.
    pub fn join(&mut self, priority: Priority, now: Instant) -> Ticket {
        self.joined += 1;
        self.classes[priority.index()].insert(self.joined, now);
        Ticket { priority, number: self.joined }
    }

    /// Whose turn it is. Of two that count as the same class the one that came first.
    pub fn head(&self, now: Instant) -> Option<Ticket> {
        Priority::ALL
            .into_iter()
            .filter_map(|priority| {
                let (&number, &since) = self.classes[priority.index()].first_key_value()?;
                Some((aged(priority, now.since(since)), number, priority))
            })
            .min()
            .map(|(_, number, priority)| Ticket { priority, number })
    }

    /// Gives up a place, served or not, and tells how long it was held; `None` if it was not held any more.
    pub fn leave(&mut self, ticket: Ticket, now: Instant) -> Option<Duration> {
        self.classes[ticket.priority.index()].remove(&ticket.number).map(|since| now.since(since))
    }

    /// How many wait.
    pub fn count(&self) -> usize {
        self.classes.iter().map(BTreeMap::len).sum()
    }

    /// How many wait in a class, not counting age.
    pub fn count_of(&self, priority: Priority) -> usize {
        self.classes[priority.index()].len()
    }

    /// How long the first of those who came has waited; zero if nobody waits.
    pub fn longest_wait(&self, now: Instant) -> Duration {
        let first = self.classes.iter().filter_map(|class| class.values().next()).min();
        first.map_or(Duration::ZERO, |&since| now.since(since))
    }
}

/// The class that a request counts as after a wait: each step up takes the time of the class it leaves.
fn aged(priority: Priority, mut waited: Duration) -> Priority {
    let mut class = priority.index();
    while let Some(age) = AGES[class] {
        let Some(rest) = waited.checked_sub(age) else { break };
        waited = rest;
        class -= 1;
    }
    Priority::ALL[class]
}

#[cfg(test)]
mod tests {
    //! LIM-3, SCH-1.

    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn t(secs: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(secs)
    }

    #[test]
    fn within_a_class_the_first_to_come_is_the_first_to_go() {
        let mut line = Line::new();
        let tickets: Vec<Ticket> = (0..5).map(|_| line.join(Priority::Normal, t(0))).collect();
        for ticket in tickets {
            assert_eq!(line.head(t(1)), Some(ticket));
            assert_eq!(line.leave(ticket, t(1)), Some(Duration::from_secs(1)));
        }
        assert_eq!(line.head(t(1)), None);
    }

    #[test]
    fn a_higher_class_goes_first_until_the_lower_one_has_aged() {
        let mut line = Line::new();
        let batch = line.join(Priority::Batch, t(0));
        let critical = line.join(Priority::Critical, t(79));
        assert_eq!(line.head(t(79)), Some(critical));
        // 60 s to low, 15 to normal, 5 to high, 2 to critical.
        assert_eq!(line.head(t(81)), Some(critical));
        assert_eq!(line.head(t(82)), Some(batch));
    }

    #[test]
    fn whoever_leaves_early_is_passed_over_and_leaves_once() {
        let mut line = Line::new();
        let first = line.join(Priority::High, t(0));
        let second = line.join(Priority::High, t(1));
        assert_eq!(line.longest_wait(t(3)), Duration::from_secs(3));
        assert_eq!(line.leave(first, t(3)), Some(Duration::from_secs(3)));
        assert_eq!(line.leave(first, t(3)), None);
        assert_eq!(line.head(t(3)), Some(second));
        assert_eq!((line.count(), line.count_of(Priority::High)), (1, 1));
        assert_eq!(line.longest_wait(t(3)), Duration::from_secs(2));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn no_request_waits_for_ever_behind_a_stream_of_critical_ones(
            class in 0_usize..5, before in 0_usize..20,
        ) {
            let mut line = Line::new();
            for _ in 0..before {
                line.join(Priority::Critical, t(0));
            }
            let ours = line.join(Priority::ALL[class], t(0));
            let mut served_at = None;
            // One is served each second and one critical request comes each second.
            for second in 0..200 {
                line.join(Priority::Critical, t(second));
                let head = line.head(t(second)).expect("one has just joined");
                line.leave(head, t(second));
                if head == ours {
                    served_at = Some(second);
                    break;
                }
            }
            prop_assert!(served_at.is_some_and(|second| second <= 82 + before as u64 + 1), "{served_at:?}");
        }
    }
}
