//! `/quote`, `/price` and `/eod`, alone or in batches.

use std::borrow::Cow;
use std::fmt;

use domain::{Denomination, Instant, InstrumentId, MarketPhase, Quote};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::request::{param, read_symbol, spell};
use super::{Meta, wording};
use crate::local_time::local;
use crate::number::{Exact, price};
use crate::symbol::is_unnamed;
use crate::{Data, HttpRequest, Quoted, Rejection};

/// An object of an unknown set of keys, in the order of the reply.
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entries<'a>, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of one entry a symbol")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    entries.push((key, map.next_value()?));
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(InOrder).map(Entries)
    }
}

/// The numbers of one quote; `/price` has only the price, `/eod` only the close.
#[derive(Deserialize)]
struct Numbers<'a> {
    #[serde(default)]
    price: Option<Exact>,
    #[serde(default)]
    close: Option<Exact>,
    #[serde(default)]
    open: Option<Exact>,
    #[serde(default)]
    high: Option<Exact>,
    #[serde(default)]
    low: Option<Exact>,
    #[serde(default)]
    volume: Option<Exact>,
    #[serde(default)]
    previous_close: Option<Exact>,
    #[serde(borrow, default)]
    datetime: Option<&'a str>,
    #[serde(default)]
    last_quote_at: Option<i64>,
    #[serde(default)]
    is_market_open: Option<bool>,
}

/// Reads quotes.
pub(super) fn decode(asked: &[InstrumentId], sent: &HttpRequest, body: &[u8]) -> Result<Data, Rejection> {
    let unreadable = |_| Rejection::unreadable("a quote, or an object of quotes");
    let entries: Entries<'_> = serde_json::from_slice(body).map_err(unreadable)?;
    wording::check(body)?;
    let is_batch = |entries: &Entries<'_>| {
        !entries.0.is_empty() && entries.0.iter().all(|(_, value)| value.get().starts_with('{'))
    };
    if entries.0.is_empty() {
        return Err(Rejection::UnknownSymbol);
    }
    if !is_batch(&entries) {
        let text = std::str::from_utf8(body).map_err(|_| Rejection::unreadable("text"))?;
        let [one] = asked else { return Err(Rejection::unreadable("an entry for each symbol")) };
        let quoted = one_quote(one, text)?;
        return quoted
            .quote
            .map(|quote| Data::Quotes(vec![Quoted { instrument: quoted.instrument, quote: Ok(quote) }]));
    }
    if asked.iter().any(is_unnamed) {
        let all = entries.0.iter().map(|(key, value)| one_quote(&read_symbol(key, sent), value.get()));
        return all.collect::<Result<_, _>>().map(Data::Quotes);
    }
    let of = |id: &InstrumentId| {
        let text = spell(id).unwrap_or_else(|| id.name().to_owned());
        match entries.0.iter().find(|(key, _)| *key == text) {
            Some((_, value)) => one_quote(id, value.get()),
            None => Err(Rejection::unreadable("an entry for each symbol")),
        }
    };
    asked.iter().map(of).collect::<Result<_, _>>().map(Data::Quotes)
}

/// Reads one entry: its quote, or the vendor's refusal of it.
fn one_quote(asked: &InstrumentId, text: &str) -> Result<Quoted, Rejection> {
    let unreadable = |_| Rejection::unreadable("the fields of a quote");
    let failure: wording::Failure<'_> = serde_json::from_str(text).map_err(unreadable)?;
    if let Some(rejection) = failure.rejection() {
        return Ok(Quoted { instrument: asked.clone(), quote: Err(rejection) });
    }
    let meta: Meta<'_> = serde_json::from_str(text).map_err(unreadable)?;
    let numbers: Numbers<'_> = serde_json::from_str(text).map_err(unreadable)?;
    let instrument = meta.instrument(asked);
    let Some(last) = price(numbers.price.or(numbers.close)) else {
        return Err(Rejection::unreadable("a quote's `close`"));
    };
    let trading_date = match numbers.datetime.map(local) {
        Some(None) => return Err(Rejection::unreadable("a quote's `datetime`")),
        Some(Some((at, _))) => Some(at.date()),
        None => None,
    };
    // A zero in place of every number is a symbol without a market.
    let is_zero = |field: Option<Exact>| field.is_none_or(|number| number.0.is_zero());
    if last.decimal().is_zero() && [numbers.open, numbers.high, numbers.low].into_iter().all(is_zero) {
        return Ok(Quoted { instrument, quote: Err(Rejection::UnknownSymbol) });
    }
    let quote = Quote {
        last: Some(last),
        open: price(numbers.open),
        high: price(numbers.high),
        low: price(numbers.low),
        previous_close: price(numbers.previous_close),
        volume: numbers.volume.map(Exact::size),
        event_time: numbers.last_quote_at.map(Instant::from_secs),
        trading_date,
        denomination: meta.denomination(),
        phase: numbers.is_market_open.map(|open| if open { MarketPhase::Open } else { MarketPhase::Closed }),
        ..Quote::default()
    };
    Ok(Quoted { instrument, quote: Ok(quote) })
}

/// Words quotes as the endpoint asked for them would.
pub(super) fn encode(quotes: &[Quoted], request: &HttpRequest) -> String {
    let object = |quoted: &Quoted| match &quoted.quote {
        Err(rejection) => wording::body_of(rejection),
        Ok(quote) => one_object(&quoted.instrument, quote, request.path.trim_end_matches('/')),
    };
    let is_batch = param(request, "symbol").is_some_and(|text| text.contains(','));
    match quotes {
        [one] if !is_batch => object(one).to_string(),
        many => {
            let key = |id: &InstrumentId| spell(id).unwrap_or_else(|| id.name().to_owned());
            let entries: Map<String, Value> =
                many.iter().map(|quoted| (key(&quoted.instrument), object(quoted))).collect();
            Value::Object(entries).to_string()
        }
    }
}

/// A price with the vendor's five places.
pub(super) fn five_places(value: domain::Price) -> String {
    format!("{:.5}", value.decimal())
}

fn one_object(id: &InstrumentId, quote: &Quote, path: &str) -> Value {
    let places = |value: Option<domain::Price>| value.map(five_places);
    if path == "/price" {
        return json!({"price": places(quote.last)});
    }
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            fields.insert(key.to_owned(), value);
        }
    };
    put("symbol", id.name().into());
    put("name", id.name().into());
    put("currency", code_of(quote.denomination).into());
    put("datetime", quote.trading_date.map(|date| date.to_string()).into());
    put("close", places(quote.last).into());
    if path != "/eod" {
        put("last_quote_at", quote.event_time.map(Instant::as_secs).into());
        put("open", places(quote.open).into());
        put("high", places(quote.high).into());
        put("low", places(quote.low).into());
        put("volume", quote.volume.map(|size| size.to_string()).into());
        put("previous_close", places(quote.previous_close).into());
        let change = quote
            .last
            .zip(quote.previous_close)
            .map(|(last, previous)| format!("{:.5}", last.decimal() - previous.decimal()));
        put("change", change.into());
        put("is_market_open", quote.phase.map(|phase| phase == MarketPhase::Open).into());
    }
    Value::Object(fields)
}

/// The vendor's code of a currency, pence included.
pub(super) fn code_of(denomination: Option<Denomination>) -> Option<String> {
    let denomination = denomination?;
    let code = denomination.currency.as_str();
    Some(match (denomination.unit, code) {
        (domain::Unit::Major, code) => code.to_owned(),
        (domain::Unit::Minor, "GBP") => "GBp".to_owned(),
        (domain::Unit::Minor, "ILS") => "ILA".to_owned(),
        (domain::Unit::Minor, "ZAR") => "ZAc".to_owned(),
        (domain::Unit::Minor, code) => code.to_owned(),
    })
}
