//! CST-3, LIM-11: budgets and consumers as written.

use insta::assert_snapshot;
use sha2::{Digest, Sha256};

use super::{notices, read, read_with, refused};
use crate::Flags;

const HASH: &str = "ab00000000000000000000000000000000000000000000000000000000000000";

fn told(text: &str) -> String {
    format!("{:?}", read(text, &[]).unwrap_or_else(|problems| panic!("{problems}")).gateway.spending)
}

#[test]
fn a_thousand_dollars_a_month_may_be_spent_unless_it_is_said_otherwise() {
    assert_snapshot!(told(""), @"Spending { overall: Limits { day: 33333333, month: 1000000000 }, vendors: [], consumers: [] }");
    let text = "budgets: {month_usd: 60, vendors: {massive: {month_usd: 30.50, day_usd: 2}}}";
    assert_snapshot!(told(text), @"Spending { overall: Limits { day: 2000000, month: 60000000 }, vendors: [(polygon, Limits { day: 2000000, month: 30500000 })], consumers: [] }");
}

#[test]
fn a_budget_that_cannot_be_kept_is_refused() {
    let text = "budgets: {month_usd: 1e-9, dey_usd: 1, vendors: {polygone: {}, massive: {}, polygon: {}, yahoo: {month_usd: 1, day_usd: 2}}}";
    assert_snapshot!(refused(text, &[]), @r"
    budgets.dey_usd: is no key here; did you mean `day_usd`?
    budgets.month_usd: is 1e-9, and must be an amount of US dollars, such as 2.50, with at most six decimal places
    budgets.vendors.polygon: is the vendor polygon again; keep one of them
    budgets.vendors.polygone: is no vendor; did you mean `polygon`?
    budgets.vendors.yahoo.day_usd: is more than the month's budget; raise `month_usd`, or take it out
    ");
}

#[test]
fn a_consumer_is_known_by_the_hash_of_its_key_and_its_tier_says_how_much_it_may_ask() {
    let text = format!(
        "security: {{consumers: [{{name: desk, key: '${{DESK}}'}}, {{name: bot.1, key_sha256: {HASH}, tier: premium, budget: {{month_usd: 3}}}},
         {{name: lab, key: another-long-enough-key, tier: enterprise}}, {{name: own, key: a-third-long-enough-key, per_minute: 7}}]}}"
    );
    let variables = [("DESK", "the-key-of-the-desk")];
    let consumers = |environment: &str| {
        let flags = Flags { environment: Some(environment.to_owned()), ..Flags::default() };
        read_with(&text, "", &variables, &flags).unwrap_or_else(|p| panic!("{p}")).gateway.spending.consumers
    };
    let production = consumers("production");
    let rates = |all: &[gateway::settings::Consumer]| all.iter().map(|c| c.per_minute).collect::<Vec<_>>();
    assert_eq!(rates(&production), [100, 1_000, 10_000, 7]);
    assert_eq!(rates(&consumers("staging")), [150, 1_000, 10_000, 7]);
    let expected: [u8; 32] = Sha256::digest("the-key-of-the-desk").into();
    assert_eq!(production[0].key_sha256, expected);
    assert_eq!(production[1].key_sha256[0], 0xab);
    assert_eq!(production[1].budget.month, 3_000_000);
    let shown = format!("{production:?}");
    assert!(!shown.contains("the-key") && !shown.contains("171"), "{shown}");
}

#[test]
fn a_consumer_without_a_name_or_a_key_of_its_own_is_refused() {
    let text = format!(
        "security: {{keys: 1, consumers: [{{}}, {{name: 'a b', key: x}}, {{name: a, key: x, key_sha256: {HASH}}}, {{name: b, key_sha256: abc}},
         {{name: c, key: the-same-long-enough-key}}, {{name: d, key: the-same-long-enough-key}}, {{name: c, key: ''}}, {{name: e, key: 5, tier: gold}}]}}"
    );
    assert_snapshot!(refused(&text, &[]), @r"
    security.consumers[0].key: is missing: a reference like `${NAME}`, or its SHA-256 as `key_sha256`
    security.consumers[0].name: must be a name of letters, digits, `-`, `_` or `.`: it stands in the ledger
    security.consumers[1].name: must be a name of letters, digits, `-`, `_` or `.`: it stands in the ledger
    security.consumers[2].key: stands beside `key_sha256`; keep one of them
    security.consumers[3].key_sha256: must be the 64 hexadecimal digits of the key's SHA-256
    security.consumers[5].key: is another consumer's too; give each one its own
    security.consumers[6].key: is empty
    security.consumers[7].key: must be a text, best a reference like `${NAME}`; put quotes around digits
    security.consumers[7].tier: is a text, and no such word; known are basic, premium, enterprise
    security.keys: is no key here; known are consumers
    ");
}

#[test]
fn a_gateway_that_asks_for_keys_may_be_reached_from_elsewhere_without_a_notice() {
    let text = "api: {listen: '0.0.0.0:8000'}\nsecurity: {consumers: [{name: desk, key: short}]}";
    assert_snapshot!(notices(text, &[]), @"security.consumers[0].key: has fewer than 16 characters; it can be guessed");
}
