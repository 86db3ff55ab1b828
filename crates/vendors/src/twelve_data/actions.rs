//! `/splits`, `/dividends` and their calendars. Numbers are JSON numbers here.

use std::borrow::Cow;
use std::sync::Arc;

use domain::{ActionKind, CorporateAction, Date, InstrumentId, Price, Ratio};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Meta, id_of, wording};
use crate::local_time::local;
use crate::number::{Exact, counts, new_per_old};
use crate::symbol::is_unnamed;
use crate::{Data, HttpRequest, Rejection};

#[derive(Deserialize)]
struct Split<'a> {
    date: &'a str,
    #[serde(borrow, default)]
    description: Option<Cow<'a, str>>,
    from_factor: Exact,
    to_factor: Exact,
    #[serde(borrow, default)]
    symbol: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    mic_code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    exchange: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Dividend<'a> {
    ex_date: &'a str,
    amount: Exact,
    #[serde(borrow, default)]
    symbol: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    mic_code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    exchange: Option<Cow<'a, str>>,
}

/// The reply about one symbol. Of the two lists one is there.
#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    meta: Meta<'a>,
    #[serde(borrow, default)]
    splits: Option<&'a RawValue>,
    #[serde(borrow, default)]
    dividends: Option<&'a RawValue>,
}

/// Meta, absent in a calendar, and the text of the list of that name.
fn list<'a>(body: &'a [u8], name: &'static str) -> Result<(Meta<'a>, &'a str), Rejection> {
    if body.trim_ascii_start().first() == Some(&b'[') {
        let text = std::str::from_utf8(body).map_err(|_| Rejection::unreadable("text"))?;
        return Ok((Meta::default(), text));
    }
    wording::check(body)?;
    let reply: Reply<'a> =
        serde_json::from_slice(body).map_err(|_| Rejection::unreadable("`meta` of corporate actions"))?;
    let rows = if name == "splits" { reply.splits } else { reply.dividends };
    Ok((reply.meta, rows.ok_or(Rejection::unreadable(name))?.get()))
}

fn date(text: &str) -> Result<Date, Rejection> {
    local(text).map(|(at, _)| at.date()).ok_or(Rejection::unreadable("date of a corporate action"))
}

fn whole(mut actions: Vec<CorporateAction>) -> Result<Data, Rejection> {
    if actions.is_empty() {
        return Err(Rejection::NoData);
    }
    actions.sort_by_key(|action| action.ex_date);
    Ok(Data::Actions(actions))
}

/// Reads splits.
pub(super) fn decode_splits(asked: &InstrumentId, body: &[u8]) -> Result<Data, Rejection> {
    let (meta, text) = list(body, "splits")?;
    let rows: Vec<Split<'_>> =
        serde_json::from_str(text).map_err(|_| Rejection::unreadable("date and factors of a split"))?;
    let named = meta.instrument(asked);
    let action = |row: Split<'_>| {
        // The vendor's first factor is the new count.
        let new_per_old = new_per_old(row.from_factor, row.to_factor)
            .ok_or(Rejection::unreadable("factors of a split above zero"))?;
        let instrument = match &row.symbol {
            Some(symbol) if is_unnamed(&named) => {
                id_of(symbol, row.mic_code.as_deref(), row.exchange.as_deref(), None)
            }
            _ => named.clone(),
        };
        let mut action = CorporateAction::new(instrument, date(row.date)?, ActionKind::Split { new_per_old });
        action.description = row.description.as_deref().map(Arc::from);
        Ok(action)
    };
    whole(rows.into_iter().map(action).collect::<Result<_, Rejection>>()?)
}

/// Reads dividends.
pub(super) fn decode_dividends(asked: &InstrumentId, body: &[u8]) -> Result<Data, Rejection> {
    let (meta, text) = list(body, "dividends")?;
    let rows: Vec<Dividend<'_>> =
        serde_json::from_str(text).map_err(|_| Rejection::unreadable("ex-date and amount of a dividend"))?;
    let named = meta.instrument(asked);
    let action = |row: Dividend<'_>| {
        let instrument = match &row.symbol {
            Some(symbol) if is_unnamed(&named) => {
                id_of(symbol, row.mic_code.as_deref(), row.exchange.as_deref(), None)
            }
            _ => named.clone(),
        };
        let kind = ActionKind::Dividend { amount: row.amount.price(), denomination: meta.denomination() };
        Ok(CorporateAction::new(instrument, date(row.ex_date)?, kind))
    };
    whole(rows.into_iter().map(action).collect::<Result<_, Rejection>>()?)
}

/// A decimal as a JSON number with all its digits.
fn number(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// Words splits and dividends, newest first.
pub(super) fn encode(actions: &[CorporateAction], request: &HttpRequest) -> String {
    let is_calendar = request.path.ends_with("_calendar");
    let rows: Vec<Value> = actions
        .iter()
        .rev()
        .filter_map(|action| {
            let mut row = match &action.kind {
                ActionKind::Split { new_per_old } => split(action, *new_per_old),
                ActionKind::Dividend { amount, .. } => dividend(action, *amount),
                ActionKind::Rename { .. } | ActionKind::Merger { .. } => return None,
            };
            if is_calendar {
                row["symbol"] = action.instrument.name().into();
                row["mic_code"] = action.instrument.venue().as_str().into();
            }
            Some(row)
        })
        .collect();
    if is_calendar {
        return Value::from(rows).to_string();
    }
    let denomination = actions.iter().find_map(|action| match &action.kind {
        ActionKind::Dividend { denomination, .. } => *denomination,
        _ => None,
    });
    let mut meta = json!({"exchange_timezone": "America/New_York"});
    if let Some(first) = actions.first() {
        meta["symbol"] = first.instrument.name().into();
    }
    if let Some(code) = super::quotes::code_of(denomination) {
        meta["currency"] = code.into();
    }
    let name = if request.path.contains("splits") { "splits" } else { "dividends" };
    json!({"meta": meta, name: rows}).to_string()
}

fn split(action: &CorporateAction, new_per_old: Ratio) -> Value {
    let (new, old) = counts(new_per_old);
    json!({
        "date": action.ex_date.to_string(),
        "description": action.description.as_deref().map_or_else(|| format!("{new}-for-{old} split"), str::to_owned),
        "ratio": number(new_per_old.inverse().unwrap_or(Ratio::ONE).round(5).to_string()),
        "from_factor": number(new.to_string()),
        "to_factor": number(old.to_string()),
    })
}

fn dividend(action: &CorporateAction, amount: Price) -> Value {
    json!({"ex_date": action.ex_date.to_string(), "amount": number(amount.to_string())})
}
