//! Takes typed values out of a tree of settings, noting every problem and every key that was read.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::problem::Problems;
use crate::text::{duration, nearest};

/// One mapping of the tree. A key that nobody asks for is unknown, and a problem.
pub struct Reader<'a> {
    path: String,
    map: Option<&'a Map<String, Value>>,
    problems: &'a RefCell<Problems>,
    known: RefCell<BTreeSet<String>>,
}

impl<'a> Reader<'a> {
    /// Reads from the root of a tree.
    pub fn root(tree: &'a Value, problems: &'a RefCell<Problems>) -> Reader<'a> {
        Reader { path: String::new(), map: tree.as_object(), problems, known: RefCell::default() }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Notes a problem with a key.
    pub fn problem(&self, key: &str, what: impl Into<String>) {
        self.problems.borrow_mut().add(self.path_of(key), what);
    }

    fn raw(&self, key: &str) -> Option<&'a Value> {
        self.known.borrow_mut().insert(key.to_owned());
        self.map?.get(key).filter(|value| !value.is_null())
    }

    /// Whether the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.raw(key).is_some()
    }

    /// The mapping below a key; an empty one if it is absent.
    pub fn section(&self, key: &str) -> Reader<'a> {
        let map = match self.raw(key) {
            Some(Value::Object(map)) => Some(map),
            Some(_) => {
                self.problem(key, "is a section: write its keys below it, indented");
                None
            }
            None => None,
        };
        Reader { path: self.path_of(key), map, problems: self.problems, known: RefCell::default() }
    }

    /// Keys of this mapping as written.
    pub fn keys(&self) -> Vec<&'a str> {
        self.map.into_iter().flat_map(|map| map.keys().map(String::as_str)).collect()
    }

    fn typed<T>(&self, key: &str, right: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let value = self.raw(key)?;
        let read = read(value);
        if read.is_none() {
            self.problem(key, format!("is {}, and must be {right}", kind(value)));
        }
        read
    }

    /// A text.
    pub fn text(&self, key: &str) -> Option<String> {
        self.typed(key, "a text", |value| value.as_str().map(str::to_owned))
    }

    /// `true` or `false`, nothing else.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.typed(key, "true or false", |value| match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if text == "true" => Some(true),
            Value::String(text) if text == "false" => Some(false),
            _ => None,
        })
    }

    /// A whole number within bounds.
    pub fn count(&self, key: &str, least: u64, most: u64) -> Option<u64> {
        self.typed(key, &format!("a whole number from {least} to {most}"), |value| {
            let number = match value {
                Value::String(text) => text.parse().ok()?,
                other => other.as_u64()?,
            };
            (least..=most).contains(&number).then_some(number)
        })
    }

    /// A number within bounds.
    pub fn number(&self, key: &str, least: f64, most: f64) -> Option<f64> {
        self.typed(key, &format!("a number from {least} to {most}"), |value| {
            let number = match value {
                Value::String(text) => text.parse().ok()?,
                other => other.as_f64()?,
            };
            (least..=most).contains(&number).then_some(number)
        })
    }

    /// A duration: `name` with its unit (`5s`), or a bare number under `name_secs`, `name_seconds` or
    /// `name_ms`. Zero is refused.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        let positive = |span: Duration| (!span.is_zero()).then_some(span);
        let with_unit = self.typed(name, "a duration with its unit, like 750ms, 5s or 2m", |value| {
            duration(value.as_str()?).and_then(positive)
        });
        let scaled = |suffix: &str, unit: f64| {
            self.typed(&format!("{name}_{suffix}"), "a number above zero", |value| {
                Duration::try_from_secs_f64(value.as_f64()? * unit).ok().and_then(positive)
            })
        };
        let seconds = scaled("secs", 1.0);
        let spelt = scaled("seconds", 1.0);
        let millis = scaled("ms", 1e-3);
        with_unit.or(seconds).or(spelt).or(millis)
    }

    /// A word of a closed set.
    pub fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let list = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        self.typed(key, &format!("one of {list}"), |value| {
            let text = value.as_str()?;
            words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
        })
    }

    /// A list of texts; a single text is a list of one.
    pub fn texts(&self, key: &str) -> Option<Vec<String>> {
        self.typed(key, "a list of texts", |value| match value {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            _ => None,
        })
    }

    /// A list of mappings.
    pub fn sections(&self, key: &str) -> Option<Vec<Reader<'a>>> {
        let value = self.raw(key)?;
        let Value::Array(items) = value else {
            self.problem(key, format!("is {}, and must be a list", kind(value)));
            return None;
        };
        let readers = items.iter().enumerate().map(|(index, item)| {
            let path = format!("{}[{index}]", self.path_of(key));
            if !item.is_object() {
                self.problems.borrow_mut().add(&path, "must be a mapping");
            }
            Reader { path, map: item.as_object(), problems: self.problems, known: RefCell::default() }
        });
        Some(readers.collect())
    }
}

impl Drop for Reader<'_> {
    /// Whatever was not asked for is unknown.
    fn drop(&mut self) {
        let known = self.known.borrow();
        for key in self.keys() {
            if known.contains(key) {
                continue;
            }
            let what = match nearest(key, known.iter().map(String::as_str)) {
                Some(near) => format!("is no key here; did you mean `{near}`?"),
                None => {
                    let list: Vec<&str> = known.iter().map(String::as_str).collect();
                    format!("is no key here; known are {}", list.join(", "))
                }
            };
            self.problem(key, what);
        }
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(_) => "another text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a section".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    // CFG-2, CFG-3.
    use super::*;
    use serde_json::json;

    #[test]
    fn every_problem_is_told_at_once_with_what_would_be_right() {
        let tree = json!({
            "api": {"listen": 5, "lisen": "x"},
            "timeout": 5, "retry_ms": -1, "workers": true, "mode": "sideways", "extra": {"a": 1}
        });
        let problems = RefCell::default();
        {
            let root = Reader::root(&tree, &problems);
            root.section("api").text("listen");
            root.duration("timeout");
            root.duration("retry");
            root.count("workers", 1, 64);
            root.word("mode", &[("up", 1), ("down", 2)]);
        }
        let mut told = problems.into_inner();
        told.0.sort_by(|a, b| a.key.cmp(&b.key));
        insta::assert_snapshot!(told.to_string(), @r"
        api.lisen: is no key here; did you mean `listen`?
        api.listen: is 5, and must be a text
        extra: is no key here; known are api, mode, retry, retry_ms, retry_seconds, retry_secs, timeout, timeout_ms, timeout_seconds, timeout_secs, workers
        mode: is another text, and must be one of up, down
        retry_ms: is -1, and must be a number above zero
        timeout: is 5, and must be a duration with its unit, like 750ms, 5s or 2m
        workers: is true, and must be a whole number from 1 to 64
        ");
    }
}
