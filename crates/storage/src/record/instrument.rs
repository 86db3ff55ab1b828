//! Instruments.

use domain::{Instrument, InstrumentKind, Price, TickTable};
use serde::{Deserialize, Serialize};

use super::action::IdRecord;
use super::money::{Money, date, optional, size};

/// An instrument as text.
#[derive(Serialize, Deserialize)]
pub(crate) struct InstrumentRecord {
    id: IdRecord,
    kind: String,
    description: Option<String>,
    denomination: Option<Money>,
    lot: Option<String>,
    ticks: Option<Vec<(String, String)>>,
    price_bounds: Option<(String, String)>,
    listed: Option<String>,
    delisted: Option<String>,
    vendor_symbol: Option<String>,
}

impl From<&Instrument> for InstrumentRecord {
    fn from(instrument: &Instrument) -> InstrumentRecord {
        let pair = |(a, b): &(Price, Price)| (a.to_string(), b.to_string());
        InstrumentRecord {
            id: (&instrument.id).into(),
            kind: instrument.kind.as_str().to_owned(),
            description: instrument.description.as_deref().map(str::to_owned),
            denomination: instrument.denomination.map(Money::from),
            lot: instrument.lot.map(|lot| lot.to_string()),
            ticks: instrument.ticks.as_ref().map(|table| table.steps.iter().map(pair).collect()),
            price_bounds: instrument.price_bounds.as_ref().map(pair),
            listed: instrument.listed.map(|date| date.to_string()),
            delisted: instrument.delisted.map(|date| date.to_string()),
            vendor_symbol: instrument.vendor_symbol.as_deref().map(str::to_owned),
        }
    }
}

fn pair((a, b): &(String, String)) -> Option<(Price, Price)> {
    Some((Price::parse(a)?, Price::parse(b)?))
}

impl InstrumentRecord {
    /// The instrument; `None` if a field cannot be read.
    pub(crate) fn instrument(&self) -> Option<Instrument> {
        let ticks =
            optional(self.ticks.as_ref(), |steps| steps.iter().map(pair).collect::<Option<Vec<_>>>())?;
        Some(Instrument {
            id: self.id.id()?,
            kind: InstrumentKind::parse(&self.kind)?,
            description: self.description.as_deref().map(Into::into),
            denomination: optional(self.denomination.as_ref(), Money::denomination)?,
            lot: size(self.lot.as_deref())?,
            ticks: ticks.map(|steps| TickTable { steps }),
            price_bounds: optional(self.price_bounds.as_ref(), pair)?,
            listed: date(self.listed.as_deref())?,
            delisted: date(self.delisted.as_deref())?,
            vendor_symbol: self.vendor_symbol.as_deref().map(Into::into),
        })
    }
}
