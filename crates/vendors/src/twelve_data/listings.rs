//! `/symbol_search`, `/stocks` and its sisters, and `/market_state`.

use std::borrow::Cow;
use std::sync::Arc;

use domain::{Denomination, Instrument, InstrumentKind, MarketPhase, MarketStatus, Venue};
use serde::Deserialize;
use serde_json::{Value, json};

use super::quotes::code_of;
use super::request::exchange_of_venue;
use super::{id_of, wording};
use crate::{Data, HttpRequest, Rejection};

#[derive(Deserialize)]
struct Listing<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow, default, alias = "instrument_name")]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    exchange: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    mic_code: Option<Cow<'a, str>>,
    #[serde(borrow, default, alias = "instrument_type", rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    currency: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    data: Vec<Listing<'a>>,
}

#[derive(Deserialize)]
struct Market<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    is_market_open: bool,
}

/// Words of the vendor for kinds of instruments.
const KINDS: [(&str, InstrumentKind); 9] = [
    ("Common Stock", InstrumentKind::Equity),
    ("Preferred Stock", InstrumentKind::Equity),
    ("American Depositary Receipt", InstrumentKind::Equity),
    ("REIT", InstrumentKind::Equity),
    ("ETF", InstrumentKind::Etf),
    ("Mutual Fund", InstrumentKind::Fund),
    ("Index", InstrumentKind::Index),
    ("Physical Currency", InstrumentKind::Fx),
    ("Digital Currency", InstrumentKind::Crypto),
];

fn kind_of(word: Option<&str>) -> InstrumentKind {
    KINDS.iter().find(|(w, _)| Some(*w) == word).map_or(InstrumentKind::Other, |(_, kind)| *kind)
}

/// Reads a list of instruments.
pub(super) fn decode(body: &[u8]) -> Result<Data, Rejection> {
    wording::check(body)?;
    let reply: Reply<'_> =
        serde_json::from_slice(body).map_err(|_| Rejection::unreadable("`data` of symbols"))?;
    if reply.data.is_empty() {
        return Err(Rejection::NoData);
    }
    let instrument = |row: Listing<'_>| {
        let kind = row.kind.as_deref();
        let id = id_of(&row.symbol, row.mic_code.as_deref(), row.exchange.as_deref(), kind);
        Instrument {
            description: row.name.as_deref().map(Arc::from),
            denomination: row.currency.as_deref().and_then(Denomination::parse),
            vendor_symbol: Some(Arc::from(&*row.symbol)),
            ..Instrument::new(id, kind_of(kind))
        }
    };
    Ok(Data::Instruments(reply.data.into_iter().map(instrument).collect()))
}

/// Reads the state of markets.
pub(super) fn decode_market_state(body: &[u8]) -> Result<Data, Rejection> {
    wording::check(body)?;
    let rows: Vec<Market<'_>> =
        serde_json::from_slice(body).map_err(|_| Rejection::unreadable("a list of markets"))?;
    if rows.is_empty() {
        return Err(Rejection::NoData);
    }
    let status = |row: Market<'_>| MarketStatus {
        market: Arc::from(&*row.name),
        phase: if row.is_market_open { MarketPhase::Open } else { MarketPhase::Closed },
        at: None,
        holiday: None,
    };
    Ok(Data::MarketStatus(rows.into_iter().map(status).collect()))
}

/// Words a list of instruments.
pub(super) fn encode(instruments: &[Instrument], request: &HttpRequest) -> String {
    let is_search = request.path.contains("symbol_search");
    let (name, kind) = if is_search { ("instrument_name", "instrument_type") } else { ("name", "type") };
    let row = |instrument: &Instrument| {
        let venue = instrument.id.venue();
        let word = KINDS.iter().find(|(_, k)| *k == instrument.kind).map_or("Other", |(word, _)| *word);
        let mic = if venue == Venue::US { "XNAS" } else { venue.as_str() };
        json!({
            "symbol": instrument.id.name(),
            name: instrument.description.as_deref().unwrap_or(instrument.id.name()),
            "exchange": exchange_of_venue(venue).unwrap_or(if mic == "XNYS" { "NYSE" } else { "NASDAQ" }),
            "mic_code": mic,
            kind: word,
            "currency": code_of(instrument.denomination),
        })
    };
    let rows: Vec<Value> = instruments.iter().map(row).collect();
    json!({"data": rows, "status": "ok"}).to_string()
}

/// Words the state of markets.
pub(super) fn encode_market_state(markets: &[MarketStatus]) -> String {
    let row = |status: &MarketStatus| {
        json!({
            "name": &*status.market,
            "code": "XNYS",
            "country": "United States",
            "is_market_open": status.phase == MarketPhase::Open,
            "time_after_open": "00:00:00",
            "time_to_open": "00:00:00",
            "time_to_close": "00:00:00",
        })
    };
    Value::from(markets.iter().map(row).collect::<Vec<_>>()).to_string()
}
