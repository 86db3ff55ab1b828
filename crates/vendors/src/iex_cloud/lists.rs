//! Corporate actions, news and instruments in IEX Cloud's replies.

use std::borrow::Cow;
use std::sync::Arc;

use domain::{
    ActionKind, CorporateAction, Date, Denomination, Instrument, InstrumentId, InstrumentKind, NewsItem,
    Ratio, Venue,
};
use serde::Deserialize;

use super::reply::{named, own, rows};
use super::request::read;
use crate::number::MaybeExact;
use crate::{Data, Question, Rejection};

/// Matches of a search that names no count.
pub(super) const MOST_MATCHES: u32 = 100;

/// Summaries that say that there is none.
const NO_SUMMARY: &str = "No summary available.";

/// A date; `0000-00-00` and empty text are none.
fn date(text: Option<&str>) -> Option<Date> {
    text?.parse().ok()
}

fn text(text: &Option<Cow<'_, str>>) -> Option<Arc<str>> {
    text.as_deref().filter(|text| !text.is_empty()).map(Arc::from)
}

fn oldest_first(mut actions: Vec<CorporateAction>) -> Data {
    if !actions.is_sorted_by_key(|action| action.ex_date) {
        actions.reverse();
        actions.sort_by_key(|action| action.ex_date);
    }
    Data::Actions(actions)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Split<'a> {
    #[serde(borrow, default)]
    symbol: Option<Cow<'a, str>>,
    #[serde(borrow)]
    ex_date: Cow<'a, str>,
    from_factor: MaybeExact,
    to_factor: MaybeExact,
    #[serde(borrow, default)]
    declared_date: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    description: Option<Cow<'a, str>>,
}

/// Splits: 4-for-1 is from 1 to 4.
pub(super) fn splits(id: &InstrumentId, body: &str) -> Result<Data, Rejection> {
    const SHAPE: &str = "splits with exDate, fromFactor and toFactor";
    let mut actions = Vec::new();
    for row in rows::<Split<'_>>(body, SHAPE)? {
        let ratio = row.to_factor.0.zip(row.from_factor.0).and_then(|(to, from)| Ratio::of(to, from));
        let new_per_old = ratio.filter(|ratio| ratio.is_positive()).ok_or(Rejection::unreadable(SHAPE))?;
        let ex_date = date(Some(&row.ex_date)).ok_or(Rejection::unreadable(SHAPE))?;
        let id = named(id, row.symbol.as_deref());
        actions.push(CorporateAction {
            declared: date(row.declared_date.as_deref()),
            description: text(&row.description),
            ..CorporateAction::new(id, ex_date, ActionKind::Split { new_per_old })
        });
    }
    Ok(oldest_first(actions))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dividend<'a> {
    #[serde(borrow, default)]
    symbol: Option<Cow<'a, str>>,
    #[serde(borrow)]
    ex_date: Cow<'a, str>,
    amount: MaybeExact,
    #[serde(borrow, default)]
    currency: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    declared_date: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    record_date: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    payment_date: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    description: Option<Cow<'a, str>>,
}

/// Cash dividends, as paid.
pub(super) fn dividends(id: &InstrumentId, body: &str) -> Result<Data, Rejection> {
    const SHAPE: &str = "dividends with exDate and amount";
    let mut actions = Vec::new();
    for row in rows::<Dividend<'_>>(body, SHAPE)? {
        let amount = row.amount.price().ok_or(Rejection::unreadable(SHAPE))?;
        let ex_date = date(Some(&row.ex_date)).ok_or(Rejection::unreadable(SHAPE))?;
        let denomination = row.currency.as_deref().and_then(Denomination::parse);
        let kind = ActionKind::Dividend { amount, denomination };
        actions.push(CorporateAction {
            declared: date(row.declared_date.as_deref()),
            record: date(row.record_date.as_deref()),
            payable: date(row.payment_date.as_deref()),
            description: text(&row.description),
            ..CorporateAction::new(named(id, row.symbol.as_deref()), ex_date, kind)
        });
    }
    Ok(oldest_first(actions))
}

#[derive(Deserialize)]
struct News<'a> {
    /// Milliseconds.
    datetime: MaybeExact,
    #[serde(borrow)]
    headline: Cow<'a, str>,
    #[serde(borrow, default)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    summary: Option<Cow<'a, str>>,
    /// Symbols, separated by commas.
    #[serde(borrow, default)]
    related: Option<Cow<'a, str>>,
}

/// News, newest first.
pub(super) fn news(question: &Question, body: &str) -> Result<Data, Rejection> {
    const SHAPE: &str = "news with datetime and headline";
    let mut items = Vec::new();
    for row in rows::<News<'_>>(body, SHAPE)? {
        let related = row.related.as_deref().unwrap_or_default().split(',').map(str::trim);
        items.push(NewsItem {
            id: None,
            published: row.datetime.millis().ok_or(Rejection::unreadable(SHAPE))?,
            headline: row.headline.as_ref().into(),
            summary: text(&row.summary).filter(|summary| &**summary != NO_SUMMARY),
            publisher: text(&row.source),
            url: text(&row.url),
            instruments: related
                .filter(|symbol| !symbol.is_empty())
                .map(|symbol| own(question, symbol))
                .collect(),
        });
    }
    items.sort_by_key(|item| std::cmp::Reverse(item.published));
    Ok(Data::News(items))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    security_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    exchange: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    region: Option<Cow<'a, str>>,
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    security_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    currency: Option<Cow<'a, str>>,
}

/// The vendor's codes of listing exchanges, and ours.
pub(super) const EXCHANGES: &[(&str, &str)] = &[
    ("NAS", "XNAS"),
    ("NYS", "XNYS"),
    ("PSE", "ARCX"),
    ("ASE", "XASE"),
    ("BATS", "BATS"),
    ("IEX", "IEXG"),
    ("OTC", "OOTC"),
    ("ETR", "XETR"),
    ("FRA", "XFRA"),
    ("LON", "XLON"),
    ("PAR", "XPAR"),
    ("AMS", "XAMS"),
    ("TSE", "XTSE"),
];

impl Listed<'_> {
    fn venue(&self) -> Venue {
        let code = self.exchange.as_deref().unwrap_or_default();
        let known = EXCHANGES.iter().find(|(theirs, _)| *theirs == code).map(|(_, ours)| *ours);
        // Newer lists have the market identifier code itself.
        let is_mic = code.len() == 4 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        let is_foreign = self.region.as_deref().is_some_and(|region| region != "US");
        known.or((is_mic || is_foreign).then_some(code)).and_then(Venue::new).unwrap_or(Venue::US)
    }

    fn kind(&self) -> InstrumentKind {
        match self.kind.as_deref().or(self.security_type.as_deref()) {
            Some("cs" | "ad" | "ps" | "commonstock") => InstrumentKind::Equity,
            Some("et" | "etf") => InstrumentKind::Etf,
            Some("oef" | "cef") => InstrumentKind::Fund,
            _ => InstrumentKind::Other,
        }
    }
}

/// Instruments of a list or a search, in the vendor's order.
pub(super) fn instruments(question: &Question, body: &str) -> Result<Data, Rejection> {
    let mut listed: Vec<Listed<'_>> = rows(body, "rows with a symbol")?;
    if let Question::Search { limit, .. } = question {
        listed.truncate(usize::try_from(*limit).unwrap_or(usize::MAX));
    }
    let instruments = listed.iter().map(|row| {
        let id = InstrumentId::new(read(&row.symbol).name(), row.venue());
        Instrument {
            description: text(&row.name).or(text(&row.security_name)),
            denomination: row.currency.as_deref().and_then(Denomination::parse),
            vendor_symbol: Some(row.symbol.as_ref().into()),
            ..Instrument::new(id, row.kind())
        }
    });
    Ok(Data::Instruments(instruments.collect()))
}
