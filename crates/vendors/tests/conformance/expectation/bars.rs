//! Expectations on series of bars.

use domain::{ActionKind, Bar, BarSeries, CorporateAction, Instant, Interval, Price, Size};
use serde_json::Value;

use super::{Verdict, compare, quotes};
use crate::manifest::Entry;

/// Whether a row lacks a price that other rows have: some series are closes and nothing else.
fn lacks_price(bars: &[Bar], bar: &Bar) -> bool {
    bar.close.is_none() || (bar.prices().is_none() && bars.iter().any(|other| other.prices().is_some()))
}

/// Checks one key of a series.
pub(super) fn check(series: &BarSeries, entry: &Entry, key: &str, expected: &Value) -> Verdict {
    let bars = &series.bars;
    match key {
        "n_bars" | "resultsCount" => compare::count(bars.len(), expected),
        "currency" => compare::currency(series.denomination, expected),
        "exchange_tz" | "time_zone" => zone(series, expected),
        "granularity" | "interval" => compare::text(
            Some(series.interval.as_str()),
            &expected.as_str().and_then(|word| Interval::parse(word).ok()).map(Interval::as_str).into(),
        ),
        "symbol" | "ticker" => compare::text(Some(series.instrument.name()), expected),
        "adjusted" => compare::flag(series.adjustment.covers_splits(), expected),
        // Ours ascend, whatever the payload's order.
        "order" | "out_of_order" => {
            let ascending = bars.windows(2).all(|pair| pair[0].start < pair[1].start);
            if ascending { Verdict::Holds } else { Verdict::Differs("bars that do not ascend".to_owned()) }
        }
        "sum_volume" | "sum_iex_volume" => compare::size(Some(sum(bars)), expected),
        "volumes_as_integers" => {
            let list = expected.as_array().map(Vec::as_slice).unwrap_or_default();
            each(bars, list, |bar, expected| compare::size(bar.volume, expected))
        }
        "rows_with_null_price" => {
            compare::count(bars.iter().filter(|bar| lacks_price(bars, bar)).count(), expected)
        }
        "rows_with_null_close" => {
            compare::count(bars.iter().filter(|bar| bar.close.is_none()).count(), expected)
        }
        "null_rows_ts_utc" => {
            let starts: Vec<String> =
                bars.iter().filter(|bar| lacks_price(bars, bar)).map(|bar| bar.start.to_string()).collect();
            compare::texts(starts.iter().map(String::as_str), expected)
        }
        "null_minutes" => {
            let minutes: Vec<String> = bars
                .iter()
                .filter(|bar| bar.close.is_none())
                .filter_map(|bar| local(series, bar)?.get(11..16).map(str::to_owned))
                .collect();
            compare::texts(minutes.iter().map(String::as_str), expected)
        }
        "zero_volume_rows" => {
            compare::count(bars.iter().filter(|bar| bar.volume == Some(Size::ZERO)).count(), expected)
        }
        "last_row_is_live_tick" => {
            compare::flag(Some(bars.last().is_some_and(|bar| !bar.is_final)), expected)
        }
        "newest_bar_is_partial" => {
            Verdict::OutOfScope("the payload does not show it: the gateway compares with the calendar")
        }
        "afterHours" => Verdict::OutOfScope("a price after the session, which no bar of the session holds"),
        "has_extended_hours" => Verdict::OutOfScope("the calendar tells which bars lie outside the session"),
        "dividends" | "splits" => actions(&series.actions, key, expected),
        "dividend_rows" | "last_dividends" => dividend_rows(&series.actions, expected),
        "n_dividend_rows" => compare::count(dividends(&series.actions).count(), expected),
        "volume_market" => compare::size(bars.first().and_then(|bar| bar.volume), expected),
        _ => match of_bar(series, entry, key, expected) {
            Verdict::Unmapped => match &series.quote {
                Some(quote) => quotes::field(quote, key, expected),
                None => Verdict::Unmapped,
            },
            verdict => verdict,
        },
    }
}

/// Checks one key of several series in one reply.
pub(super) fn check_many(many: &[BarSeries], entry: &Entry, key: &str, expected: &Value) -> Verdict {
    match (key, many) {
        ("n_bars", _) => compare::count(many.iter().map(|series| series.bars.len()).sum(), expected),
        ("first_symbol", [first, ..]) => compare::text(Some(first.instrument.name()), expected),
        (_, [first, ..]) => check(first, entry, key, expected),
        (_, []) => Verdict::Unmapped,
    }
}

/// Keys such as `first_row_open`, `newest_close`, `close_2020_08_28`, `last_close`, `close`.
fn of_bar(series: &BarSeries, entry: &Entry, key: &str, expected: &Value) -> Verdict {
    let bars = &series.bars;
    let descends = entry.text("order") == Some("desc");
    for (prefix, bar) in [
        // A row's place is that in the payload, everything else follows time.
        ("first_row_", if descends { bars.last() } else { bars.first() }),
        ("last_row_", if descends { bars.first() } else { bars.last() }),
        ("first_", bars.first()),
        ("oldest_", bars.first()),
        ("last_", bars.last()),
        ("newest_", bars.last()),
    ] {
        if let Some(name) = key.strip_prefix(prefix) {
            return field(series, entry, bar, name, expected);
        }
        if key == prefix.trim_end_matches('_') {
            return field(series, entry, bar, "datetime", expected);
        }
    }
    if let Some((name, date)) = key.split_once('_')
        && let Ok(date) = date.replace('_', "-").parse::<domain::Date>()
    {
        let bar = bars.iter().find(|bar| bar.trading_date == Some(date));
        return field(series, entry, bar, name, expected);
    }
    match bars.as_slice() {
        [only] => field(series, entry, Some(only), key, expected),
        _ => Verdict::Unmapped,
    }
}

/// Where the vendor stamps a day at its close, the codec moves it to its start: turned back here, to the
/// stamp the manifest tells.
fn as_stamped(bar: &Bar, entry: &Entry) -> Instant {
    let is_stamped_at_close = ["/v2/aggs/ticker/{ticker}/prev", "/v2/aggs/grouped/"]
        .iter()
        .any(|endpoint| entry.endpoint.starts_with(endpoint));
    if is_stamped_at_close { bar.start + std::time::Duration::from_secs(16 * 3600) } else { bar.start }
}

fn field(series: &BarSeries, entry: &Entry, bar: Option<&Bar>, name: &str, expected: &Value) -> Verdict {
    let price = |of: fn(&Bar) -> Option<Price>| compare::price(bar.and_then(of), expected);
    match name {
        "open" => price(|bar| bar.open),
        "high" => price(|bar| bar.high),
        "low" => price(|bar| bar.low),
        "close" => price(|bar| bar.close),
        "adjclose" | "adjusted_close" => price(|bar| bar.vendor_adjusted_close),
        "volume" => compare::size(bar.and_then(|bar| bar.volume), expected),
        "trades" => {
            compare::size(bar.and_then(|bar| bar.trade_count).map(|count| Size::new(count.into())), expected)
        }
        "ts_utc" => compare::instant(bar.map(|bar| as_stamped(bar, entry)), expected),
        "date" | "datetime" | "from" => {
            let length = expected.as_str().map_or(0, str::len);
            let found = bar.and_then(|bar| local(series, bar));
            compare::text(found.as_deref().and_then(|text| text.get(..length)), expected)
        }
        _ => Verdict::Unmapped,
    }
}

/// Date and time of a bar as the vendor would write it: at the venue.
fn local(series: &BarSeries, bar: &Bar) -> Option<String> {
    let midnight = |date: domain::Date| format!("{date} 00:00:00");
    if let Some(date) = bar.trading_date {
        return Some(midnight(date));
    }
    let zone = jiff::tz::TimeZone::get(series.zone.as_deref().unwrap_or("America/New_York")).ok()?;
    let at = bar.start.to_timestamp().to_zoned(zone);
    Some(at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// The same rules, whatever the zone is called.
fn zone(series: &BarSeries, expected: &Value) -> Verdict {
    let canonical =
        |name: &str| if name == "US/Eastern" { "America/New_York".to_owned() } else { name.to_owned() };
    let expected = expected.as_str().map(canonical);
    compare::text(series.zone.as_deref().map(canonical).as_deref(), &expected.into())
}

fn sum(bars: &[Bar]) -> Size {
    Size::new(bars.iter().filter_map(|bar| bar.volume).map(Size::decimal).sum())
}

fn each<T>(found: &[T], expected: &[Value], check: impl Fn(&T, &Value) -> Verdict) -> Verdict {
    if found.len() != expected.len() {
        return Verdict::Differs(format!("{} rows", found.len()));
    }
    found
        .iter()
        .zip(expected)
        .map(|(row, expected)| check(row, expected))
        .find(|verdict| *verdict != Verdict::Holds)
        .unwrap_or(Verdict::Holds)
}

/// Cash dividends among actions.
pub(super) fn dividends(actions: &[CorporateAction]) -> impl DoubleEndedIterator<Item = &CorporateAction> {
    actions.iter().filter(|action| matches!(action.kind, ActionKind::Dividend { .. }))
}

/// Splits or dividends that came with bars: `{ts_utc, amount}`, `{ts_utc, numerator, denominator}`.
fn actions(found: &[CorporateAction], key: &str, expected: &Value) -> Verdict {
    let found: Vec<&CorporateAction> =
        found.iter().filter(|action| key.starts_with(action.kind.as_str())).collect();
    each(&found, expected.as_array().map(Vec::as_slice).unwrap_or_default(), |action, row| {
        let expected_date = row["ts_utc"].as_str().and_then(Instant::parse).map(Instant::utc_date);
        if expected_date != Some(action.ex_date) {
            return Verdict::Differs(format!("ex-date {}", action.ex_date));
        }
        match &action.kind {
            ActionKind::Dividend { amount, .. } => compare::price(Some(*amount), &row["amount"]),
            ActionKind::Split { new_per_old } => {
                let part = |key: &str| compare::number_in(&row[key]).unwrap_or(f64::NAN);
                compare::ratio(Some(*new_per_old), &(part("numerator") / part("denominator")).into())
            }
            other => Verdict::Differs(other.as_str().to_owned()),
        }
    })
}

/// `[date, amount]` rows in either order, all of them or the newest few.
fn dividend_rows(found: &[CorporateAction], expected: &Value) -> Verdict {
    let mut rows: Vec<&Value> = expected.as_array().into_iter().flatten().collect();
    rows.sort_by_key(|row| row[0].as_str());
    let mut newest: Vec<&CorporateAction> = dividends(found).rev().take(rows.len()).collect();
    newest.reverse();
    if newest.len() != rows.len() {
        return Verdict::Differs(format!("{} dividends", newest.len()));
    }
    for (action, row) in newest.iter().zip(rows) {
        let ActionKind::Dividend { amount, .. } = &action.kind else { continue };
        for verdict in [compare::date(Some(action.ex_date), &row[0]), compare::price(Some(*amount), &row[1])]
        {
            if verdict != Verdict::Holds {
                return verdict;
            }
        }
    }
    Verdict::Holds
}
