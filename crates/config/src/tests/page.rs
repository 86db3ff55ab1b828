//! The reference page: complete, with true defaults, and as it stands in the repository.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use crate::configuration::{Flags, load};
use crate::reference::{KEYS, VARIABLES, asked, page};

#[test]
fn the_page_lists_exactly_the_keys_that_are_read() {
    let listed: BTreeSet<&str> = KEYS.iter().map(|(path, ..)| *path).collect();
    let read = asked();
    let read: BTreeSet<&str> = read.keys().map(String::as_str).collect();
    assert_eq!(listed.difference(&read).collect::<Vec<_>>(), Vec::<&&str>::new(), "listed, but not read");
    assert_eq!(read.difference(&listed).collect::<Vec<_>>(), Vec::<&&str>::new(), "read, but not listed");
    assert_eq!(listed.len(), KEYS.len(), "a key is listed twice");
}

#[test]
fn the_page_lists_exactly_the_variables_that_are_read() {
    let read = RefCell::new(BTreeSet::new());
    let variable = |name: &str| {
        read.borrow_mut().insert(name.to_owned());
        None
    };
    let _ = load(None, None, &variable, &Flags::default());
    let keys = vendors::ALL.iter().flat_map(|codec| codec.profile().key_variables.iter().copied());
    let listed: BTreeSet<String> = VARIABLES
        .iter()
        .map(|(name, _)| *name)
        .chain(keys)
        .chain(crate::configuration::NO_EFFECT.iter().copied())
        .map(str::to_owned)
        .collect();
    assert_eq!(read.into_inner(), listed);
}

#[test]
fn a_default_of_the_page_written_down_changes_nothing() {
    let settings = |text: &str| {
        let read = load(Some(("page", text)), None, &|_| None, &Flags::default());
        let c = read.unwrap_or_else(|problems| panic!("{text}: {problems}"));
        let yahoo = super::upstream(&c, "yahoo");
        format!(
            "{} {} {:?} {} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {} {} {} {:?} {}",
            c.environment,
            c.listen,
            c.data,
            c.log_level,
            c.gateway.routing,
            c.gateway.cache,
            c.gateway.deadlines,
            c.gateway.schedule,
            c.gateway.grading,
            c.gateway.spending.overall,
            yahoo.breaker,
            yahoo.enabled,
            yahoo.priority,
            yahoo.weight,
            yahoo.pace,
            yahoo.simulated,
        )
    };
    let usual = settings("");
    for (path, default, _) in KEYS {
        let Some(value) = default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) else { continue };
        if path.contains("[]") {
            continue; // a row stands in a list, with what it cannot do without
        }
        let path = path.replace("VENDOR", "yahoo");
        let text = path.rsplit('.').fold(value.to_owned(), |inner, key| format!("{{{key}: {inner}}}"));
        assert_eq!(settings(&text), usual, "{path}");
    }
}

#[test]
fn the_pages_in_the_repository_are_those_the_code_writes() {
    for (name, page) in [("config.md", page()), ("vendors.md", crate::vendors_page::page())] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(name);
        #[expect(clippy::disallowed_methods, reason = "the developer's word to write the page anew")]
        if std::env::var("UPDATE_DOCS").is_ok() {
            std::fs::write(&path, &page).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == page, "docs/reference/{name} is old; UPDATE_DOCS=1 cargo test -p config writes it");
    }
}
