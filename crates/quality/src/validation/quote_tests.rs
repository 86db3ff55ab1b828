// VAL-1, VAL-2, VAL-3, VAL-8 (crossed, locked, factors)
use domain::{Denomination, Instant, InstrumentKind, Size};

use super::*;
use crate::validation::History;

fn price(text: &str) -> Option<Price> {
    Some(Price::parse(text).unwrap())
}

fn sound() -> Quote {
    Quote {
        last: price("100.02"),
        bid: price("100.01"),
        ask: price("100.03"),
        volume: Some(Size::from(1000)),
        event_time: Some(Instant::from_secs(1_000)),
        denomination: Some(Denomination::USD),
        ..Quote::default()
    }
}

fn context() -> QuoteContext<'static> {
    QuoteContext::new(Instant::from_secs(1_001), InstrumentKind::Equity)
}

fn check(quote: &Quote, context: &QuoteContext<'_>) -> Vec<&'static str> {
    validate_quote(quote, context).iter().map(|finding| finding.rule.id()).collect()
}

#[test]
fn a_sound_quote_has_no_findings() {
    assert_eq!(check(&sound(), &context()), [""; 0]);
}

#[test]
fn each_breach_of_a_quote_is_named() {
    let zero = Some(Price::ZERO);
    for (quote, expected) in [
        (Quote { bid: price("100.05"), ..sound() }, vec!["CROSSED_QUOTE"]),
        (Quote { bid: price("100.03"), ..sound() }, vec!["LOCKED_QUOTE"]),
        (Quote { bid: None, ..sound() }, vec!["MISSING_BID_ASK"]),
        (Quote { last: zero, ..sound() }, vec!["ZERO_PRICE"]),
        (Quote { last: price("-1"), ..sound() }, vec!["NEGATIVE_PRICE"]),
        (Quote { volume: None, ..sound() }, vec!["MISSING_VOLUME"]),
        (Quote { denomination: None, ..sound() }, vec!["UNKNOWN_CURRENCY"]),
        (Quote { event_time: Some(Instant::from_secs(1_004)), ..sound() }, vec!["FUTURE_TIME"]),
        (Quote { last: None, ..sound() }, vec![]),
        (Quote { last: None, bid: None, ask: None, ..sound() }, vec!["MISSING_PRICE", "MISSING_BID_ASK"]),
        (Quote { high: price("99"), low: price("101"), ..sound() }, vec!["OHLC_ORDER"]),
    ] {
        assert_eq!(check(&quote, &context()), expected, "{quote:?}");
    }
}

#[test]
fn a_quote_is_measured_from_the_known_past_unless_the_day_explains_it() {
    let closes: Vec<Price> =
        (0..65).map(|i| Price::parse(["100", "101", "100.4", "99.7"][i % 4]).unwrap()).collect();
    let history = History::of(Some(Instant::EPOCH), &closes, &[Size::from(1000)]);
    let at = |last: &str| Quote { last: price(last), bid: price(last), ask: price(last), ..sound() };
    let known = QuoteContext { history: Some(&history), ..context() };
    assert_eq!(check(&at("101"), &known), ["LOCKED_QUOTE"]);
    assert_eq!(check(&at("117"), &known), ["LOCKED_QUOTE", "OUTLIER_MOVE"]);
    assert_eq!(check(&at("160"), &known), ["LOCKED_QUOTE", "HISTORY_CONTRADICTED"]);
    assert_eq!(check(&at("10000"), &known), ["LOCKED_QUOTE", "POSSIBLE_REVERSE_SPLIT", "UNIT_FACTOR"]);
    assert_eq!(check(&at("1.002"), &known), ["LOCKED_QUOTE", "UNIT_FACTOR"]);
    assert_eq!(check(&Quote { volume: Some(Size::from(20_000)), ..sound() }, &known), ["VOLUME_OUTLIER"]);
    let eventful = [known.trading_date];
    assert_eq!(check(&at("117"), &QuoteContext { eventful: &eventful, ..known }), ["LOCKED_QUOTE"]);
}

#[test]
fn the_preset_judges_spread_and_price_by_fixed_bounds() {
    let wide = Quote { bid: price("90"), ask: price("110"), ..sound() };
    assert_eq!(check(&wide, &context()), [""; 0]);
    let preset = QuoteContext { bounds: Bounds::Compatibility, ..context() };
    assert_eq!(check(&wide, &preset), ["OUT_OF_BOUNDS"]);
    let dear = Quote { last: price("600000"), ..sound() };
    assert_eq!(check(&dear, &context()), [""; 0], "a share of 600,000 dollars exists");
    assert_eq!(check(&dear, &preset), ["OUT_OF_BOUNDS"]);
}
