//! Takes typed values out of a tree of settings, noting every problem and every key that was read.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use domain::Price;
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::problem::Record;
use crate::text::{duration, nearest, suggestion};

/// One mapping of the tree. A key that nobody asks for is unknown, and a problem.
pub struct Reader<'a> {
    path: String,
    map: Option<&'a Map<String, Value>>,
    record: &'a RefCell<Record>,
    known: RefCell<BTreeSet<String>>,
}

impl<'a> Reader<'a> {
    /// Reads from the root of a tree.
    pub fn root(tree: &'a Value, record: &'a RefCell<Record>) -> Reader<'a> {
        Reader { path: String::new(), map: tree.as_object(), record, known: RefCell::default() }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Notes a problem with a key.
    pub fn problem(&self, key: &str, what: impl Into<String>) {
        self.record.borrow_mut().problems.add(self.path_of(key), what);
    }

    /// Notes a problem with a variable of the environment.
    pub fn outside(&self, variable: &str, what: &str) {
        self.record.borrow_mut().problems.add(variable, what);
    }

    /// Notes what is right about a key but should be known.
    pub fn notice(&self, key: &str, what: impl std::fmt::Display) {
        self.record.borrow_mut().notices.push(format!("{}: {what}", self.path_of(key)));
    }

    /// Counts a key as read, whatever it holds.
    pub fn skip(&self, key: &str) {
        self.known.borrow_mut().insert(key.to_owned());
    }

    fn raw(&self, key: &str) -> Option<&'a Value> {
        self.skip(key);
        self.map?.get(key).filter(|value| !value.is_null())
    }

    fn asked(&self, key: &str, takes: &str) {
        self.record.borrow_mut().asked.insert(self.path_of(key), takes.to_owned());
    }

    /// Whether the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.map.is_some_and(|map| map.get(key).is_some_and(|value| !value.is_null()))
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
        Reader { path: self.path_of(key), map, record: self.record, known: RefCell::default() }
    }

    /// Keys of this mapping as written.
    pub fn keys(&self) -> Vec<&'a str> {
        self.map.into_iter().flat_map(|map| map.keys().map(String::as_str)).collect()
    }

    fn typed<T>(&self, key: &str, right: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        self.asked(key, right);
        self.quietly(key, right, read)
    }

    /// Reads another spelling of a key that is listed under its usual one.
    fn quietly<T>(&self, key: &str, right: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let value = self.raw(key)?;
        let read = read(value);
        if read.is_none() {
            self.problem(key, format!("is {}, and must be {right}", kind(value)));
        }
        read
    }

    /// A secret. Nothing of a wrong one is told.
    pub fn secret(&self, key: &str) -> Option<SecretString> {
        let right = "a text, best a reference like `${NAME}`";
        self.asked(key, right);
        let value = self.raw(key)?;
        if !value.is_string() {
            self.problem(key, format!("must be {right}; put quotes around digits"));
        }
        value.as_str().map(SecretString::from)
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

    /// An amount of US dollars, read as a decimal to millionths.
    pub fn dollars(&self, key: &str) -> Option<u64> {
        self.typed(key, "an amount of US dollars, such as 2.50, with at most six decimal places", |value| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return None,
            };
            let amount = Price::parse(&text)?;
            amount.to_micros().filter(|micros| Price::from_micros(*micros) == amount)
        })
    }

    /// A duration: `name` with its unit (`5s`), or a bare number under `name_secs`, `name_seconds` or
    /// `name_ms`. Zero is refused.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        self.spans(name, |value| duration(value.as_str()?))
    }

    /// As [`Reader::duration`], and a bare number of seconds too, with a notice: the customary form of the
    /// one key that is known for it (CFG-12).
    pub fn customary_duration(&self, name: &str) -> Option<Duration> {
        if let Some(Value::Number(secs)) = self.map.and_then(|map| map.get(name))
            && secs.as_f64().is_some_and(|secs| secs > 0.0)
        {
            self.notice(name, format!("{secs} is read as seconds; write {secs}s"));
        }
        self.spans(name, |value| match value {
            Value::Number(secs) => Duration::try_from_secs_f64(secs.as_f64()?).ok(),
            other => duration(other.as_str()?),
        })
    }

    fn spans(&self, name: &str, read: impl Fn(&Value) -> Option<Duration>) -> Option<Duration> {
        let positive = |span: Duration| (!span.is_zero()).then_some(span);
        let with_unit = self.typed(name, "a duration with its unit, like 750ms, 5s or 2m", |value| {
            read(value).and_then(positive)
        });
        let mut spellings = vec![(name.to_owned(), with_unit)];
        for (suffix, unit) in [("secs", 1.0), ("seconds", 1.0), ("ms", 1e-3)] {
            let key = format!("{name}_{suffix}");
            let span = self.quietly(&key, "a number above zero", |value| {
                Duration::try_from_secs_f64(value.as_f64()? * unit).ok().and_then(positive)
            });
            spellings.push((key, span));
        }
        let mut given = spellings.into_iter().filter_map(|(key, span)| Some((key, span?)));
        let (first, span) = given.next()?;
        if let Some((second, _)) = given.next() {
            self.problem(&second, format!("says the same as `{first}`; keep one of them"));
        }
        Some(span)
    }

    /// A word of a closed set, in any case.
    pub fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let names = words.iter().map(|(word, _)| *word);
        self.asked(key, &format!("one of {}", names.clone().collect::<Vec<_>>().join(", ")));
        let value = self.raw(key)?;
        let text = value.as_str().unwrap_or_default();
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        if found.is_none() {
            self.problem(key, format!("is {}, and no such word; {}", kind(value), suggestion(text, names)));
        }
        found.map(|(_, value)| *value)
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
        self.asked(key, "a list of mappings");
        let value = self.raw(key)?;
        let Value::Array(items) = value else {
            self.problem(key, format!("is {}, and must be a list", kind(value)));
            return None;
        };
        let readers = items.iter().enumerate().map(|(index, item)| {
            let path = format!("{}[{index}]", self.path_of(key));
            if !item.is_object() {
                self.record.borrow_mut().problems.add(&path, "must be a mapping");
            }
            Reader { path, map: item.as_object(), record: self.record, known: RefCell::default() }
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
            let words = known.iter().map(String::as_str);
            let what = match nearest(key, words.clone()) {
                Some(near) => format!("is no key here; did you mean `{near}`?"),
                None => {
                    // A duration's other spellings would only make the list long.
                    let list: Vec<&str> = words
                        .filter(|word| {
                            !["_secs", "_seconds", "_ms"]
                                .iter()
                                .any(|unit| word.strip_suffix(unit).is_some_and(|name| known.contains(name)))
                        })
                        .collect();
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
        Value::String(_) => "a text".to_owned(),
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
        let record = RefCell::default();
        {
            let root = Reader::root(&tree, &record);
            root.section("api").text("listen");
            root.duration("timeout");
            root.duration("retry");
            root.count("workers", 1, 64);
            root.word("mode", &[("up", 1), ("down", 2)]);
        }
        let mut told = record.into_inner().problems;
        told.0.sort_by(|a, b| a.key.cmp(&b.key));
        insta::assert_snapshot!(told.to_string(), @r"
        api.lisen: is no key here; did you mean `listen`?
        api.listen: is 5, and must be a text
        extra: is no key here; known are api, mode, retry, timeout, workers
        mode: is a text, and no such word; known are up, down
        retry_ms: is -1, and must be a number above zero
        timeout: is 5, and must be a duration with its unit, like 750ms, 5s or 2m
        workers: is true, and must be a whole number from 1 to 64
        ");
    }
}
