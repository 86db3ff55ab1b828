//! The one adapter from the keys of the manifests to our data: every key is mapped here, or listed with
//! the reason why nothing of ours corresponds to it.

mod bars;
mod compare;
mod quotes;
mod rows;

use serde_json::Value;
use vendors::Data;

use crate::manifest::Entry;

/// What was read, and whether the vendor says there is more.
pub(crate) struct Reading {
    /// The rows.
    pub(crate) data: Data,
    /// Whether a next page was named.
    pub(crate) has_next: bool,
}

/// How an expectation fared.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// The data say so.
    Holds,
    /// They say this instead.
    Differs(String),
    /// Nothing of ours corresponds to it, for this reason.
    OutOfScope(&'static str),
    /// Nobody has thought about this key.
    Unmapped,
}

const DERIVED: &str = "derived by whoever shows it, not kept";
const ENVELOPE: &str = "describes the vendor's envelope or encoding, which the codec takes off";
const NOT_KEPT: &str = "no noun of ours has a place for it";

/// Keys to which nothing of ours corresponds, whatever the data.
const OUT_OF_SCOPE: &[(&str, &str)] = &[
    ("change", DERIVED),
    ("09. change", DERIVED),
    ("10. change percent", DERIVED),
    ("changePercent", DERIVED),
    ("change_percent", DERIVED),
    ("numbers_encoded_as", ENVELOPE),
    ("columns", ENVELOPE),
    ("first_row_keys", ENVELOPE),
    ("amount_type", ENVELOPE),
    ("body_is_plain_text", ENVELOPE),
    ("fields_present", ENVELOPE),
    ("status", ENVELOPE),
    ("queryCount", ENVELOPE),
    ("items_field", ENVELOPE),
    ("range", ENVELOPE),
    ("type", ENVELOPE),
    ("last_refreshed", "when the vendor computed the series; bars carry their own times"),
    ("credits_used", "the gateway counts permits itself"),
    ("credits_limit", "the gateway counts permits itself"),
    ("first_match_score", NOT_KEPT),
    ("time_to_close", NOT_KEPT),
    ("preMarket", NOT_KEPT),
    ("calculationPrice", NOT_KEPT),
    ("latestSource", NOT_KEPT),
    ("iexVolume", "volume of one venue; the quote's volume is the consolidated one"),
    ("delayedPrice", "a second, older price of the same trade"),
    ("last_row_unadjusted_close", "the raw close is asked for as a basis of its own"),
    ("uClose", "the raw close is asked for as a basis of its own"),
    ("volume_iex", "volume of one venue; the bar's volume is the consolidated one"),
    ("open_ts_utc", "the quote has one event time, that of its last price"),
];

/// Checks one key.
pub(crate) fn check(reading: &Reading, entry: &Entry, key: &str, expected: &Value) -> Verdict {
    if let Some((_, reason)) = OUT_OF_SCOPE.iter().find(|(k, _)| *k == key) {
        return Verdict::OutOfScope(reason);
    }
    match key {
        "next_url" => return compare::flag(Some(reading.has_next), expected),
        "n" | "n_rows" | "n_results" | "n_markets" | "n_feed" => {
            return compare::count(reading.data.rows(), expected);
        }
        _ => {}
    }
    match &reading.data {
        Data::Bars(series) => bars::check(series, entry, key, expected),
        Data::ManyBars(many) => bars::check_many(many, entry, key, expected),
        Data::Quotes(quotes) => quotes::check(quotes, entry, key, expected),
        Data::Trades(_, trades) => rows::trades(trades, key, expected),
        Data::Actions(actions) => rows::actions(actions, key, expected),
        Data::Instruments(instruments) => rows::instruments(instruments, key, expected),
        Data::News(news) => rows::news(news, key, expected),
        Data::MarketStatus(markets) => rows::markets(markets, key, expected),
    }
}
