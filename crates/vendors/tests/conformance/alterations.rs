//! SRC-9: one digit altered in a recorded payload alters that number in what is read, and no other.

use std::collections::HashMap;

use domain::{ActionKind, Bar, Price, Quote, Ratio, Size, number::Decimal, number::parse_decimal};
use vendors::Data;
use vendors::reading::read;

use crate::each_vendor;
use crate::manifest::entries;

/// Numbers of one payload that are altered in turn.
const MOST_ALTERATIONS: usize = 60;

/// Every number that was read, in order.
fn numbers(data: &Data) -> Vec<Option<Decimal>> {
    match data {
        Data::Bars(series) => series.bars.iter().flat_map(of_bar).collect(),
        Data::ManyBars(many) => many.iter().flat_map(|series| series.bars.iter().flat_map(of_bar)).collect(),
        Data::Quotes(rows) => {
            rows.iter().filter_map(|row| row.quote.as_ref().ok()).flat_map(of_quote).collect()
        }
        Data::Trades(_, trades) => trades
            .iter()
            .flat_map(|trade| [Some(trade.price.decimal()), Some(trade.size.decimal())])
            .collect(),
        Data::Actions(actions) => actions
            .iter()
            .map(|action| match &action.kind {
                ActionKind::Dividend { amount, .. } => Some(amount.decimal()),
                ActionKind::Split { new_per_old } => Some(new_per_old.decimal()),
                ActionKind::Rename { .. } | ActionKind::Merger { .. } => None,
            })
            .collect(),
        Data::Instruments(_) | Data::News(_) | Data::MarketStatus(_) => Vec::new(),
    }
}

fn of_bar(bar: &Bar) -> impl Iterator<Item = Option<Decimal>> + use<> {
    let prices = [bar.open, bar.high, bar.low, bar.close, bar.vwap, bar.vendor_adjusted_close];
    prices.map(|price| price.map(Price::decimal)).into_iter().chain([bar.volume.map(Size::decimal)])
}

fn of_quote(quote: &Quote) -> impl Iterator<Item = Option<Decimal>> + use<> {
    let prices = [quote.last, quote.bid, quote.ask, quote.open, quote.high, quote.low, quote.previous_close];
    let sizes = [quote.last_size, quote.bid_size, quote.ask_size, quote.volume];
    prices.map(|price| price.map(Price::decimal)).into_iter().chain(sizes.map(|size| size.map(Size::decimal)))
}

/// Numbers that a text writes exactly once, with the place of their last digit that is not a closing zero.
fn written_once(text: &str) -> HashMap<Decimal, usize> {
    let bytes = text.as_bytes();
    let belongs = |at: usize| match bytes[at] {
        b'.' | b'-' | b'_' | b'+' => true,
        // Of a time of day, not of an object.
        b':' => at > 0 && bytes[at - 1].is_ascii_digit(),
        byte => byte.is_ascii_alphanumeric(),
    };
    let mut places: HashMap<Decimal, Option<usize>> = HashMap::new();
    let mut at = 0;
    while at < bytes.len() {
        let length = (at..bytes.len()).take_while(|at| belongs(*at)).count();
        let word = &text[at..at + length];
        if word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && let Some(number) = parse_decimal(word).filter(|number| !number.is_zero())
        {
            let last = word.rfind(|c: char| c != '0' && c != '.').expect("it is not zero");
            places.entry(number.normalize()).and_modify(|place| *place = None).or_insert(Some(at + last));
        }
        at += length.max(1);
        while at < bytes.len() && !text.is_char_boundary(at) {
            at += 1;
        }
    }
    places.into_iter().filter_map(|(number, place)| Some((number, place?))).collect()
}

#[test]
fn one_altered_digit_alters_one_number() {
    each_vendor(|codec| {
        let id = codec.profile().id.as_str();
        let Some(entries) = entries("one_altered_digit_alters_one_number", id) else { return };
        let mut altered_numbers = 0;
        for entry in entries.iter().filter(|entry| !entry.is_error) {
            let whole = entry.response();
            let Ok(data) = read(codec, &entry.endpoint, &whole) else { continue };
            let before = numbers(&data);
            let Ok(text) = std::str::from_utf8(&whole.body) else { continue };
            let places = written_once(text);
            let known = before
                .iter()
                .enumerate()
                .filter_map(|(index, number)| Some((index, *places.get(&number.as_ref()?.normalize())?)));
            for (index, place) in known.take(MOST_ALTERATIONS) {
                let mut altered = whole.clone();
                // A digit from 1 to 9 becomes another one, so that the number keeps its length.
                altered.body[place] =
                    if altered.body[place] == b'9' { b'8' } else { altered.body[place] + 1 };
                let found = read(codec, &entry.endpoint, &altered)
                    .unwrap_or_else(|r| panic!("{id}/{}: one digit more, and {r}", entry.file));
                let after = numbers(&found);
                let changed: Vec<usize> =
                    (0..before.len().max(after.len())).filter(|i| before.get(*i) != after.get(*i)).collect();
                assert_eq!(changed, [index], "{id}/{}: at byte {place}", entry.file);
                altered_numbers += 1;
            }
        }
        assert!(altered_numbers > 0, "{id}: no number was altered");
    });
}

#[test]
fn a_number_written_twice_or_inside_a_word_is_left_alone() {
    let found =
        written_once(r#"{"a":1.50,"b":"20","c":20,"d":"2026-03-03","e":0,"f":"v7","g":7.00,"h":"é8"}"#);
    let mut numbers: Vec<String> = found.keys().map(|number| number.to_string()).collect();
    numbers.sort();
    assert_eq!(numbers, ["1.5", "7", "8"]);
    let ratio = |text: &str| Ratio::parse(text).expect("a number").decimal();
    assert_eq!(found.get(&ratio("1.5")), Some(&7));
}
