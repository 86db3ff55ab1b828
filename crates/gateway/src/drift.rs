//! Watches the shape of replies: a field that no earlier reply had is told once (SRC-15).
//!
//! The names are learned from a vendor's first replies of each capability and kept with the store. From then on
//! about one reply in fifty is looked at. A required field that vanishes is a rejection of the codec, not seen here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use telemetry::EventKind;
use vendors::shape::field_names;
use vendors::{Capability, Decoded};

use crate::gateway::Gateway;
use crate::upstream::Upstream;

/// So many replies are learned from before anything counts as new.
const LESSONS: u32 = 20;
/// One reply of so many is looked at when the lessons are over: about fifty, and a prime, since a question that
/// takes two or three exchanges would otherwise be looked at in the same one for ever.
const ONE_OF: u32 = 53;
/// At most so many names of one capability are known.
const MOST_NAMES: usize = 1_000;
/// Longer bodies are not looked at.
const MOST_BYTES: usize = 1 << 20;

/// The shapes of one vendor's replies, by capability.
#[derive(Default)]
pub struct Shapes(Mutex<BTreeMap<String, Shape>>);

/// What is known of one capability's replies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shape {
    /// Replies learned from.
    lessons: u32,
    /// Replies seen since one was looked at.
    passed: u32,
    /// Names of their fields.
    names: BTreeSet<String>,
}

/// What looking at a reply brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Fields nobody has seen before the lessons were over, ascending.
    pub appeared: Vec<String>,
    /// Whether more is known than before.
    pub learned: bool,
}

impl Shapes {
    /// Takes note of a reply that was understood.
    pub fn look(&self, capability: &str, body: &[u8]) -> Look {
        if body.len() > MOST_BYTES || !self.is_turn(capability) {
            return Look::default();
        }
        let Some(names) = field_names(body, MOST_NAMES) else { return Look::default() };
        let mut shapes = self.0.lock();
        let shape = shapes.entry(capability.to_owned()).or_default();
        let mut news: Vec<String> = names.difference(&shape.names).cloned().collect();
        news.truncate(MOST_NAMES.saturating_sub(shape.names.len()));
        shape.names.extend(news.iter().cloned());
        let learning = shape.lessons < LESSONS;
        shape.lessons = (shape.lessons + 1).min(LESSONS);
        let learned = learning || !news.is_empty();
        Look { appeared: if learning { Vec::new() } else { news }, learned }
    }

    fn is_turn(&self, capability: &str) -> bool {
        let mut shapes = self.0.lock();
        let Some(shape) = shapes.get_mut(capability) else { return true };
        shape.passed += 1;
        let turn = shape.lessons < LESSONS || shape.passed >= ONE_OF;
        if turn {
            shape.passed = 0;
        }
        turn
    }

    /// All that is known, one line of text per capability: its word, the number of lessons, the names,
    /// separated by tabs.
    pub fn told(&self) -> String {
        let mut text = String::new();
        for (capability, shape) in &*self.0.lock() {
            write!(text, "{capability}\t{}", shape.lessons).expect("writing to a string cannot fail");
            for name in &shape.names {
                text.push('\t');
                text.push_str(name);
            }
            text.push('\n');
        }
        text
    }

    /// Takes over what [`Shapes::told`] wrote. A line that cannot be read is learned anew.
    pub fn remember(&self, text: &str) {
        let mut shapes = self.0.lock();
        for line in text.lines() {
            let mut words = line.split('\t');
            if let (Some(capability), Some(Ok(lessons))) = (words.next(), words.next().map(str::parse)) {
                let names = words.map(str::to_owned).collect();
                shapes.insert(capability.to_owned(), Shape { lessons, passed: 0, names });
            }
        }
    }
}

impl Gateway {
    /// Looks at the shape of a reply that brought data.
    pub(crate) fn watch_shape(
        &self,
        upstream: &Upstream,
        capability: Capability,
        decoded: &Decoded,
        body: &[u8],
    ) {
        if matches!(decoded, Decoded::AskNext { .. }) {
            return;
        }
        let word = match capability {
            // The fields of some vendors' bars are named after the interval.
            Capability::Bars(interval) => format!("bars {interval}"),
            other => other.as_str().to_owned(),
        };
        let look = upstream.shapes.look(&word, body);
        for field in look.appeared {
            self.tell(Some(upstream.vendor()), EventKind::FieldAppeared { capability: word.clone(), field });
        }
        if look.learned {
            let (store, name, told) =
                (Arc::clone(&self.store), shapes_fact(upstream), upstream.shapes.told());
            // A store that fails is told of elsewhere; what it did not keep is learned again.
            tokio::spawn(async move { store.put_fact(&name, told).await });
        }
    }
}

/// Name of the fact that holds the shapes of a vendor's replies at this address.
pub(crate) fn shapes_fact(upstream: &Upstream) -> String {
    format!("shapes {} {}", upstream.vendor(), upstream.settings.base_url)
}

#[cfg(test)]
mod tests {
    // SRC-15.
    use super::*;

    fn taught() -> Shapes {
        let shapes = Shapes::default();
        for lesson in 0..LESSONS {
            let body = format!(r#"{{"price": 1, "only{}": 2}}"#, lesson % 3);
            assert_eq!(shapes.look("quote", body.as_bytes()).appeared, Vec::<String>::new());
        }
        shapes
    }

    /// Shows a reply until it is looked at; how often it was shown, and what appeared.
    fn show(shapes: &Shapes, body: &str) -> (u32, Vec<String>) {
        let looks = (1..=ONE_OF).map(|turn| (turn, shapes.look("quote", body.as_bytes())));
        looks
            .filter(|(_, look)| look.learned)
            .map(|(turn, look)| (turn, look.appeared))
            .next()
            .unwrap_or_default()
    }

    #[test]
    fn a_new_field_is_told_once_when_the_next_turn_comes() {
        let shapes = taught();
        let body = r#"{"price": 1, "fees": {"taker": 0}}"#;
        assert_eq!(show(&shapes, body), (ONE_OF, vec!["fees".to_owned(), "fees.taker".to_owned()]));
        assert_eq!(show(&shapes, body), (0, Vec::new()));
    }

    #[test]
    fn what_any_of_the_first_replies_had_is_not_new_and_neither_is_what_is_missing() {
        let shapes = taught();
        assert_eq!(show(&shapes, r#"{"price": 1, "only2": 1}"#), (0, Vec::new()));
        assert_eq!(show(&shapes, r#"{"only0": 1}"#), (0, Vec::new()));
    }

    #[test]
    fn each_capability_has_lessons_of_its_own() {
        let shapes = taught();
        let look = shapes.look("bars 1m", br#"{"bars": []}"#);
        assert_eq!(look, Look { appeared: Vec::new(), learned: true });
    }

    #[test]
    fn what_was_learned_survives_its_text_and_a_damaged_line_is_learned_anew() {
        let shapes = taught();
        let again = Shapes::default();
        again.remember(&format!("nonsense\nbars 1d\tmany\tx\n{}", shapes.told()));
        assert_eq!(again.told(), shapes.told());
        assert_eq!(show(&again, r#"{"price": 1, "new": 1}"#), (ONE_OF, vec!["new".to_owned()]));
    }

    #[test]
    fn a_body_of_another_format_or_without_end_is_left_alone() {
        let shapes = Shapes::default();
        assert_eq!(shapes.look("quote", b"t,o,h"), Look::default());
        let long = format!(r#"{{"x": "{}"}}"#, "y".repeat(MOST_BYTES));
        assert_eq!(shapes.look("quote", long.as_bytes()), Look::default());
    }
}
