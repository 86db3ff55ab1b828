//! The shape of a JSON reply: which fields it has, wherever they stand (SRC-15).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::body::without_mark;

/// Fields deeper than this are not looked at.
const DEEPEST: usize = 8;
/// Of an array so many elements are looked at: the others are alike.
const ELEMENTS: usize = 8;
/// A longer name is data that stands where a name does.
const LONGEST: usize = 64;

/// Names of the fields of a JSON body with their paths, as `results[].price`; `None` if it is no JSON.
///
/// Keys that are data (dates, times, numbers; symbols whose value is an object or an array) become `*`. At most
/// `most` names are gathered, of the first elements of each array.
pub fn field_names(body: &[u8], most: usize) -> Option<BTreeSet<String>> {
    let found = RefCell::new(BTreeSet::new());
    let mut reader = serde_json::Deserializer::from_slice(without_mark(body));
    let at = Place { found: &found, path: String::new(), depth: 0, most };
    at.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(found.into_inner())
}

/// A value of a body: where it stands, and where names go.
struct Place<'a> {
    found: &'a RefCell<BTreeSet<String>>,
    path: String,
    depth: usize,
    most: usize,
}

/// Whether a value was an object or an array.
type IsNested = bool;

impl Place<'_> {
    fn below(&self, path: String) -> Place<'_> {
        Place { found: self.found, path, depth: self.depth + 1, most: self.most }
    }

    fn keep(&self, name: String) {
        let mut found = self.found.borrow_mut();
        if found.len() < self.most {
            found.insert(name);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = IsNested;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<IsNested, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = IsNested;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<IsNested, A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if self.depth >= DEEPEST {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let key = if is_datum(&key) { "*" } else { &*key };
            let join = |key: &str| {
                if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
            };
            if key == "*" || !is_symbol(key) {
                let name = join(key);
                map.next_value_seed(self.below(name.clone()))?;
                self.keep(name);
                continue;
            }
            // A symbol or a field in capitals: only the value tells.
            let below = RefCell::new(BTreeSet::new());
            let nested = Place { found: &below, path: join("*"), depth: self.depth + 1, most: self.most };
            let name = if map.next_value_seed(nested)? { join("*") } else { join(key) };
            below.into_inner().into_iter().for_each(|name| self.keep(name));
            self.keep(name);
        }
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<IsNested, A::Error> {
        for _ in 0..ELEMENTS {
            if list.next_element_seed(self.below(format!("{}[]", self.path)))?.is_none() {
                return Ok(true);
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(true)
    }

    fn visit_bool<E>(self, _: bool) -> Result<IsNested, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<IsNested, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<IsNested, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<IsNested, E> {
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<IsNested, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<IsNested, E> {
        Ok(false)
    }
}

/// Whether a key is a date, a time or a number, or can be no name.
fn is_datum(key: &str) -> bool {
    let of_time = |c: char| c.is_ascii_digit() || " -:.+/TZ".contains(c);
    let is_time = key.starts_with(|c: char| c.is_ascii_digit() || c == '-') && key.chars().all(of_time);
    is_time || key.is_empty() || key.len() > LONGEST || key.chars().any(char::is_control)
}

/// Whether a key may be a symbol: capitals, digits and what stands between them.
fn is_symbol(key: &str) -> bool {
    key.chars().any(|c| c.is_ascii_uppercase())
        && key.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || ".-/:^=_".contains(c))
}

#[cfg(test)]
mod tests {
    // SRC-15.
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn names(body: &str) -> Vec<String> {
        field_names(body.as_bytes(), 100).expect("JSON").into_iter().collect()
    }

    #[test]
    fn fields_are_named_with_their_paths_wherever_they_stand() {
        let body =
            r#"{"status": "OK", "results": [{"c": 1.5}, {"c": 2, "vw": 3}], "more": {"deep": {"x": null}}}"#;
        let expected =
            ["more", "more.deep", "more.deep.x", "results", "results[].c", "results[].vw", "status"];
        assert_eq!(names(body), expected);
        assert_eq!(names(r#"[{"a": 1}]"#), ["[].a"]);
        assert_eq!(names("17"), Vec::<String>::new());
    }

    #[test]
    fn keys_that_are_data_are_one_name_however_many_there_are() {
        assert_eq!(
            names(r#"{"days": {"2026-01-05": {"4. close": "1"}, "2026-01-06 16:00:00": {"4. close": "2"}}}"#),
            ["days", "days.*", "days.*.4. close"]
        );
        assert_eq!(names(r#"{"1691674200": {"amount": 1}, "-5": {"amount": 2}}"#), ["*", "*.amount"]);
        assert_eq!(names(r#"{"AAPL": {"c": 1}, "BRK.B": {"c": 2}, "BTC/USD": {"c": 3}}"#), ["*", "*.c"]);
        assert_eq!(names(r#"{"T": "AAPL", "P": 1.5}"#), ["P", "T"], "a field in capitals is a field");
    }

    #[test]
    fn a_body_that_is_no_whole_json_has_no_fields() {
        for body in ["", "<html></html>", "t,o,h\n1,2,3\n", r#"{"a": 1"#, r#"{"a": 1} more"#] {
            assert_eq!(field_names(body.as_bytes(), 100), None, "{body}");
        }
        assert!(field_names(b"\xef\xbb\xbf{}", 100).is_some());
    }

    #[test]
    fn the_work_has_bounds() {
        let many: Vec<String> = (0..500).map(|index| format!(r#""f{index}": 1"#)).collect();
        let body = format!("{{{}}}", many.join(","));
        assert_eq!(field_names(body.as_bytes(), 20).map(|names| names.len()), Some(20));
        let deep = format!("{}1{}", r#"{"a":"#.repeat(60), "}".repeat(60));
        assert_eq!(names(&deep).len(), DEEPEST);
        let bottomless = r#"{"a":"#.repeat(100_000);
        assert_eq!(field_names(bottomless.as_bytes(), 20), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn arbitrary_bytes_are_read_or_refused_but_never_fatal(
            bytes in prop::collection::vec(any::<u8>(), 0..60),
            text in r#"[\[\]{}:,"a0A \-1.]{0,40}"#,
        ) {
            let _ = field_names(&bytes, 10);
            prop_assert!(field_names(text.as_bytes(), 10).is_none_or(|names| names.len() <= 10));
        }
    }
}
