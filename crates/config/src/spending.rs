//! Budgets and consumers: what may be spent, and by whom (CST-3, LIM-11).

use gateway::settings::{Consumer, Spending};
use resilience::budget::{Limits, USUAL_MONTH};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::reader::Reader;
use crate::text::suggestion;

/// A consumer's key with fewer characters is noticed.
const SHORTEST_KEY: usize = 16;

/// Requests a minute by tier; a staging environment gives the usual tier half as much again.
const TIERS: [(&str, u32); 3] = [("basic", 100), ("premium", 1_000), ("enterprise", 10_000)];
const STAGING: u32 = 150;

/// The sections `budgets` and `security`.
pub(crate) fn spending(root: &Reader<'_>, environment: &str) -> Spending {
    let budgets = root.section("budgets");
    let overall = limits(&budgets);
    let by_vendor = budgets.section("vendors");
    let mut vendors = Vec::new();
    for key in by_vendor.keys() {
        let own = by_vendor.section(key);
        let limits = limits(&own);
        match vendors::find(key).map(|codec| codec.profile().id) {
            Some(id) if vendors.iter().any(|(known, _)| *known == id) => {
                by_vendor.problem(key, format!("is the vendor {id} again; keep one of them"));
            }
            Some(id) => vendors.push((id, limits)),
            None => {
                let known = vendors::ALL.iter().map(|codec| codec.profile().id.as_str());
                by_vendor.problem(key, format!("is no vendor; {}", suggestion(key, known)));
            }
        }
    }
    Spending { overall, vendors, consumers: consumers(&root.section("security"), environment) }
}

/// A budget: of the month, and of a day, which is a thirtieth of it unless it is set.
fn limits(reader: &Reader<'_>) -> Limits {
    let month = reader.dollars("month_usd").unwrap_or(USUAL_MONTH);
    let usual = Limits::monthly(month);
    let day = reader.dollars("day_usd").unwrap_or(usual.day);
    if day > month {
        reader.problem("day_usd", "is more than the month's budget; raise `month_usd`, or take it out");
    }
    Limits { day, month }
}

fn consumers(security: &Reader<'_>, environment: &str) -> Vec<Consumer> {
    let mut consumers: Vec<Consumer> = Vec::new();
    for item in security.sections("consumers").unwrap_or_default() {
        let name = item.text("name").filter(|name| is_plain(name));
        if name.is_none() {
            item.problem(
                "name",
                "must be a name of letters, digits, `-`, `_` or `.`: it stands in the ledger",
            );
        }
        let key_sha256 = key(&item);
        let tier = item.word("tier", &TIERS).unwrap_or(TIERS[0].1);
        let usual = if tier == TIERS[0].1 && environment == "staging" { STAGING } else { tier };
        let per_minute = item.count("per_minute", 1, 1_000_000).map_or(usual, |count| count as u32);
        let budget = limits(&item.section("budget"));
        let (Some(name), Some(key_sha256)) = (name, key_sha256) else { continue };
        if consumers.iter().any(|known| *known.name == *name) {
            item.problem("name", "is another consumer's too; give each one its own");
        } else if consumers.iter().any(|known| known.key_sha256 == key_sha256) {
            item.problem("key", "is another consumer's too; give each one its own");
        } else if consumers.len() == usize::from(u16::MAX) {
            item.problem("name", "is one consumer too many; 65535 are known at most");
        } else {
            consumers.push(Consumer { name: name.into(), key_sha256, per_minute, budget });
        }
    }
    consumers
}

fn is_plain(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// The hash of a consumer's key: of the key itself, or as it is written. The key is kept nowhere.
fn key(item: &Reader<'_>) -> Option<[u8; 32]> {
    let (key, hash) = (item.secret("key"), item.secret("key_sha256"));
    match (key, hash) {
        (Some(_), Some(_)) => {
            item.problem("key", "stands beside `key_sha256`; keep one of them");
            None
        }
        (Some(key), None) => {
            let key = key.expose_secret();
            if key.is_empty() {
                item.problem("key", "is empty");
                return None;
            }
            if key.chars().count() < SHORTEST_KEY {
                item.notice("key", format!("has fewer than {SHORTEST_KEY} characters; it can be guessed"));
            }
            Some(Sha256::digest(key.as_bytes()).into())
        }
        (None, Some(hash)) => {
            let read = unhex(hash.expose_secret());
            if read.is_none() {
                item.problem("key_sha256", "must be the 64 hexadecimal digits of the key's SHA-256");
            }
            read
        }
        (None, None) => {
            if !item.has("key") && !item.has("key_sha256") {
                item.problem("key", "is missing: a reference like `${NAME}`, or its SHA-256 as `key_sha256`");
            }
            None
        }
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(bytes)
}
