//! Expectations on trades, actions, instruments, news and market status.

use domain::{
    ActionKind, CorporateAction, Date, Instrument, InstrumentKind, MarketPhase, MarketStatus, NewsItem,
    Ratio, Size, Trade,
};
use serde_json::Value;

use super::{Verdict, compare};

/// Checks one key of a list of trades.
pub(super) fn trades(trades: &[Trade], key: &str, expected: &Value) -> Verdict {
    let (first, last) = (trades.first(), trades.last());
    match key {
        "n_trades" => compare::count(trades.len(), expected),
        // The payload lists the newest first.
        "first_price" => compare::price(last.map(|trade| trade.price), expected),
        "first_ts_utc" => compare::instant(last.map(|trade| trade.at), expected),
        "price" => compare::price(first.map(|trade| trade.price), expected),
        "size" => compare::size(first.map(|trade| trade.size), expected),
        "ts_utc" => compare::instant(first.map(|trade| trade.at), expected),
        "exchange" => {
            let found = first.and_then(|trade| trade.exchange.as_deref()).unwrap_or_default();
            compare::text(Some(found), &expected.to_string().trim_matches('"').into())
        }
        "sum_volume" => {
            compare::size(Some(Size::new(trades.iter().map(|trade| trade.size.decimal()).sum())), expected)
        }
        _ => Verdict::Unmapped,
    }
}

fn new_per_old(action: &CorporateAction) -> Option<Ratio> {
    match &action.kind {
        ActionKind::Split { new_per_old } => Some(*new_per_old),
        _ => None,
    }
}

/// Whether an action is the one a row of a manifest describes, field by field.
fn is_action(action: &CorporateAction, row: &Value) -> Verdict {
    for (key, expected) in row.as_object().into_iter().flatten() {
        let verdict = of_action(action, key, expected, row);
        if !matches!(verdict, Verdict::Holds | Verdict::OutOfScope(_)) {
            return verdict;
        }
    }
    Verdict::Holds
}

fn of_action(action: &CorporateAction, key: &str, expected: &Value, row: &Value) -> Verdict {
    let part = |key: &str| compare::number_in(&row[key]);
    match key {
        "date" | "ex_date" | "execution_date" | "first_ex" => compare::date(Some(action.ex_date), expected),
        "declared_date" => compare::date(action.declared, expected),
        "symbol" | "ticker" => compare::text(Some(action.instrument.name()), expected),
        "amount" | "first_amount" => match &action.kind {
            ActionKind::Dividend { amount, .. } => compare::price(Some(*amount), expected),
            other => Verdict::Differs(other.as_str().to_owned()),
        },
        "new_per_old" => compare::ratio(new_per_old(action), expected),
        "ratio" => {
            // The multiplier of prices, printed to five places.
            let found = new_per_old(action).and_then(Ratio::inverse).map(Ratio::to_f64);
            let holds = found.zip(expected.as_f64()).is_some_and(|(a, b)| (a - b).abs() <= 1e-5 * b.max(1.0));
            if holds { Verdict::Holds } else { Verdict::Differs(format!("{found:?}")) }
        }
        "split_from" | "split_to" => quotient(action, part("split_to"), part("split_from")),
        "from" | "to" => quotient(action, part("to"), part("from")),
        // The new count comes first at this vendor.
        "from_factor" | "to_factor" => quotient(action, part("from_factor"), part("to_factor")),
        "description" => compare::text(action.description.as_deref(), expected),
        "mic_code" => compare::text(Some(action.instrument.venue().as_str()), expected),
        "exchange" => Verdict::OutOfScope("the venue's code says the same"),
        _ => Verdict::Unmapped,
    }
}

fn quotient(action: &CorporateAction, new: Option<f64>, old: Option<f64>) -> Verdict {
    compare::ratio(new_per_old(action), &new.zip(old).map(|(new, old)| new / old).into())
}

/// Checks one key of a list of splits or dividends.
pub(super) fn actions(actions: &[CorporateAction], key: &str, expected: &Value) -> Verdict {
    let is_reverse = |action: &&CorporateAction| new_per_old(action).is_some_and(|ratio| ratio < Ratio::ONE);
    match (key, expected) {
        // The first of a payload need not be the oldest: it must be there, field by field.
        ("first", row) => match actions.iter().any(|action| is_action(action, row) == Verdict::Holds) {
            true => Verdict::Holds,
            false => Verdict::Differs("no such action".to_owned()),
        },
        ("rows", rows) => {
            let mut rows: Vec<&Value> = rows.as_array().into_iter().flatten().collect();
            rows.sort_by_key(|row| row[0].as_str());
            let holds = rows.len() == actions.len()
                && actions.iter().zip(rows).all(|(action, row)| {
                    compare::date(Some(action.ex_date), &row[0]) == Verdict::Holds
                        && compare::ratio(new_per_old(action), &row[1]) == Verdict::Holds
                });
            if holds { Verdict::Holds } else { Verdict::Differs(format!("{actions:?}")) }
        }
        ("reverse_splits", Value::Number(_)) => {
            compare::count(actions.iter().filter(is_reverse).count(), expected)
        }
        ("reverse_splits", _) => {
            compare::texts(actions.iter().filter(is_reverse).map(|action| action.instrument.name()), expected)
        }
        ("from" | "to", expected) => match actions {
            [only] => one_side(only, key, expected),
            _ => Verdict::Unmapped,
        },
        // The payload lists the newest first.
        _ => match if key.starts_with("first_") { actions.last() } else { actions.first() } {
            Some(action) => of_action(action, key, expected, &Value::Null),
            None => Verdict::Differs("no action".to_owned()),
        },
    }
}

/// One side of a split whose other side a manifest names beside it: the ratio written as a fraction.
fn one_side(action: &CorporateAction, key: &str, expected: &Value) -> Verdict {
    let ratio = new_per_old(action);
    let side = if ratio.is_some_and(|ratio| ratio >= Ratio::ONE) {
        if key == "to" { ratio } else { Some(Ratio::ONE) }
    } else if key == "to" {
        Some(Ratio::ONE)
    } else {
        ratio.and_then(Ratio::inverse)
    };
    compare::ratio(side, expected)
}

/// The vendor's spelling of an instrument, else our name of it.
fn spelling(instrument: &Instrument) -> &str {
    instrument.vendor_symbol.as_deref().unwrap_or_else(|| instrument.id.name())
}

/// Checks one key of a list of instruments.
pub(super) fn instruments(instruments: &[Instrument], key: &str, expected: &Value) -> Verdict {
    let first = instruments.first();
    let unique = |values: Vec<String>| {
        let mut values = values;
        values.sort();
        values.dedup();
        values
    };
    match key {
        "count" | "n_quotes" => compare::count(instruments.len(), expected),
        "first_symbol" => compare::text(first.map(spelling), expected),
        "symbols" => {
            let mut found: Vec<&str> = instruments.iter().map(spelling).collect();
            found.dedup();
            compare::texts(found.into_iter(), expected)
        }
        "non_us" => {
            let found = instruments.iter().map(spelling).filter(|symbol| symbol.contains('.'));
            compare::texts(found, expected)
        }
        "currencies" => {
            let wanted = expected.as_array().into_iter().flatten().filter_map(Value::as_str);
            let wanted = wanted.filter_map(domain::Denomination::parse).map(|d| format!("{d:?}")).collect();
            let found = instruments.iter().filter_map(|i| i.denomination).map(|d| format!("{d:?}")).collect();
            let (wanted, found) = (unique(wanted), unique(found));
            compare::texts(found.iter().map(String::as_str), &wanted.into())
        }
        "distinct_currencies" => {
            let found = instruments.iter().filter_map(|i| i.denomination).map(|d| format!("{d:?}")).collect();
            compare::count(unique(found).len(), expected)
        }
        "first_mic" => compare::text(first.map(|i| i.id.venue()).as_ref().map(|v| v.as_str()), expected),
        "first_type" => {
            let kind = match expected.as_str() {
                Some("Common Stock" | "cs") => Some(InstrumentKind::Equity),
                Some("ETF" | "et") => Some(InstrumentKind::Etf),
                _ => None,
            };
            compare::text(first.map(|i| i.kind.as_str()), &kind.map(InstrumentKind::as_str).into())
        }
        "first_exchange" => Verdict::OutOfScope("the vendor's name of the exchange; the venue is ours"),
        "basic_plan_exchanges" => Verdict::OutOfScope("plans of single listings are learned from refusals"),
        "n_news" | "news_first_ts_utc" => Verdict::OutOfScope("news of a search is asked for as news"),
        "first" => match expected {
            Value::String(_) => compare::text(first.map(spelling), expected),
            row => first.map_or(Verdict::Differs("nothing".to_owned()), |first| is_instrument(first, row)),
        },
        _ => Verdict::Unmapped,
    }
}

fn is_instrument(instrument: &Instrument, row: &Value) -> Verdict {
    for (key, expected) in row.as_object().into_iter().flatten() {
        let verdict = match key.as_str() {
            "symbol" => compare::text(Some(spelling(instrument)), expected),
            "name" => compare::text(instrument.description.as_deref(), expected),
            "assetType" => compare::text(
                Some(instrument.kind.as_str()),
                &expected.as_str().map(|word| if word == "Stock" { "equity" } else { "etf" }).into(),
            ),
            "ipoDate" => compare::date(instrument.listed, expected),
            "delistingDate" => compare::date(instrument.delisted, expected),
            "status" => compare::text(
                Some(if instrument.delisted.is_some() { "Delisted" } else { "Active" }),
                expected,
            ),
            "exchange" => Verdict::OutOfScope("the vendor's name of the exchange; the venue is ours"),
            _ => Verdict::Unmapped,
        };
        if !matches!(verdict, Verdict::Holds | Verdict::OutOfScope(_)) {
            return verdict;
        }
    }
    Verdict::Holds
}

/// Checks one key of a list of news items.
pub(super) fn news(news: &[NewsItem], key: &str, expected: &Value) -> Verdict {
    let first = news.first();
    match key {
        "n_news" => compare::count(news.len(), expected),
        "first_ts_utc" | "first_published_utc" | "news_first_ts_utc" => {
            compare::instant(first.map(|item| item.published), expected)
        }
        "first_time_published" => {
            let found = first.map(|item| {
                item.published
                    .to_timestamp()
                    .to_zoned(jiff::tz::TimeZone::UTC)
                    .strftime("%Y%m%dT%H%M%S")
                    .to_string()
            });
            compare::text(found.as_deref(), expected)
        }
        "last_ts_utc" => compare::instant(news.last().map(|item| item.published), expected),
        "first_id" => compare::text(
            first.and_then(|item| item.id.as_deref()),
            &expected.to_string().trim_matches('"').into(),
        ),
        "first_n_tickers" => compare::count(first.map_or(0, |item| item.instruments.len()), expected),
        "first_source" => compare::text(first.and_then(|item| item.publisher.as_deref()), expected),
        "sources" => {
            let mut found: Vec<&str> = news.iter().filter_map(|item| item.publisher.as_deref()).collect();
            found.sort_unstable();
            found.dedup();
            compare::texts(found.into_iter(), expected)
        }
        "count" | "n_quotes" | "first_symbol" => {
            Verdict::OutOfScope("matches of a search are asked for as search")
        }
        _ => Verdict::Unmapped,
    }
}

/// Checks one key of a list of market statuses.
pub(super) fn markets(markets: &[MarketStatus], key: &str, expected: &Value) -> Verdict {
    let first = markets.first();
    let is_united_states = |status: &&MarketStatus| {
        let name = status.market.to_ascii_lowercase();
        name.contains("us") || name.contains("united states")
    };
    match key {
        "is_open" | "is_market_open" => {
            compare::flag(first.map(|status| status.phase == MarketPhase::Open), expected)
        }
        "session" | "market" | "us_equity_status" | "nyse" => {
            let status = match key {
                "nyse" => markets.iter().find(|status| status.market.eq_ignore_ascii_case("nyse")),
                "us_equity_status" => markets.iter().find(is_united_states),
                _ => first,
            };
            compare::text(status.map(|status| status.phase.as_str()), &phase(expected).into())
        }
        "afterHours" => match first.map(|status| status.phase) {
            Some(MarketPhase::AfterHours | MarketPhase::Extended) => compare::flag(Some(true), expected),
            _ => compare::flag(Some(false), expected),
        },
        "ts_utc" | "server_time_utc" => compare::instant(first.and_then(|status| status.at), expected),
        "early_closes" => Verdict::OutOfScope("the calendars are built in"),
        _ => Verdict::Unmapped,
    }
}

fn phase(expected: &Value) -> Option<&'static str> {
    let phase = match expected.as_str()? {
        "regular" | "open" => MarketPhase::Open,
        "pre-market" => MarketPhase::PreMarket,
        "post-market" => MarketPhase::AfterHours,
        "extended-hours" => MarketPhase::Extended,
        "closed" => MarketPhase::Closed,
        _ => return None,
    };
    Some(phase.as_str())
}

/// A date, for tests of this adapter.
#[test]
fn an_absent_date_is_neither_today_nor_zero() {
    assert_eq!(compare::date(None, &Value::Null), Verdict::Holds);
    assert!(matches!(compare::date(Some(Date::constant(2020, 1, 1)), &Value::Null), Verdict::Differs(_)));
    assert!(matches!(compare::date(None, &"2020-01-01".into()), Verdict::Differs(_)));
}
