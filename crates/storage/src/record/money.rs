//! Prices, sizes, dates and currencies inside records.

use domain::{Currency, Date, Denomination, Price, Ratio, Size, Unit};
use serde::{Deserialize, Serialize};

/// Currency and unit.
#[derive(Serialize, Deserialize)]
pub(crate) struct Money {
    currency: String,
    unit: String,
}

impl From<Denomination> for Money {
    fn from(value: Denomination) -> Money {
        Money { currency: value.currency.as_str().to_owned(), unit: value.unit.as_str().to_owned() }
    }
}

impl Money {
    pub(crate) fn denomination(&self) -> Option<Denomination> {
        denomination(&self.currency, &self.unit)
    }
}

/// Currency and unit by their words.
pub(crate) fn denomination(currency: &str, unit: &str) -> Option<Denomination> {
    let unit = [Unit::Major, Unit::Minor].into_iter().find(|known| known.as_str() == unit)?;
    Some(Denomination { currency: Currency::new(currency)?, unit })
}

/// An absent value, or one that can be read; `None` if it is there and cannot.
pub(crate) fn optional<T, R>(value: Option<R>, read: impl FnOnce(R) -> Option<T>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(raw) => read(raw).map(Some),
    }
}

/// An optional price.
pub(crate) fn price(text: Option<&str>) -> Option<Option<Price>> {
    optional(text, Price::parse)
}

/// An optional size.
pub(crate) fn size(text: Option<&str>) -> Option<Option<Size>> {
    optional(text, Size::parse)
}

/// An optional ratio.
pub(crate) fn ratio(text: Option<&str>) -> Option<Option<Ratio>> {
    optional(text, Ratio::parse)
}

/// An optional date.
pub(crate) fn date(text: Option<&str>) -> Option<Option<Date>> {
    optional(text, |text| text.parse().ok())
}
