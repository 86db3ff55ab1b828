//! Corporate actions.

use domain::{ActionKind, CorporateAction, Date, InstrumentId, Price, Ratio, Venue};
use serde::{Deserialize, Serialize};

use super::money::{Money, date, optional, ratio};

/// A corporate action as text, without what the row's key says: instrument and ex-date.
#[derive(Serialize, Deserialize)]
pub(crate) struct ActionRecord {
    kind: KindRecord,
    declared: Option<String>,
    record: Option<String>,
    payable: Option<String>,
    description: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindRecord {
    Split { new_per_old: String },
    Dividend { amount: String, denomination: Option<Money> },
    Rename { to: IdRecord },
    Merger { into: Option<IdRecord>, shares: Option<String> },
}

/// An instrument's id, its parts apart.
#[derive(Serialize, Deserialize)]
pub(crate) struct IdRecord {
    name: String,
    venue: String,
}

impl From<&InstrumentId> for IdRecord {
    fn from(id: &InstrumentId) -> IdRecord {
        IdRecord { name: id.name().to_owned(), venue: id.venue().as_str().to_owned() }
    }
}

impl IdRecord {
    pub(crate) fn id(&self) -> Option<InstrumentId> {
        Some(InstrumentId::new(&self.name, Venue::new(&self.venue)?))
    }
}

impl From<&CorporateAction> for ActionRecord {
    fn from(action: &CorporateAction) -> ActionRecord {
        let kind = match &action.kind {
            ActionKind::Split { new_per_old } => KindRecord::Split { new_per_old: new_per_old.to_string() },
            ActionKind::Dividend { amount, denomination } => KindRecord::Dividend {
                amount: amount.to_string(),
                denomination: denomination.map(Money::from),
            },
            ActionKind::Rename { to } => KindRecord::Rename { to: to.into() },
            ActionKind::Merger { into, shares } => KindRecord::Merger {
                into: into.as_ref().map(IdRecord::from),
                shares: shares.map(|shares| shares.to_string()),
            },
        };
        let date = |date: Option<Date>| date.map(|date| date.to_string());
        ActionRecord {
            kind,
            declared: date(action.declared),
            record: date(action.record),
            payable: date(action.payable),
            description: action.description.as_deref().map(str::to_owned),
        }
    }
}

impl ActionRecord {
    /// The action; `None` if a field cannot be read.
    pub(crate) fn action(&self, instrument: &InstrumentId, ex_date: Date) -> Option<CorporateAction> {
        let kind = match &self.kind {
            KindRecord::Split { new_per_old } => {
                ActionKind::Split { new_per_old: Ratio::parse(new_per_old)? }
            }
            KindRecord::Dividend { amount, denomination } => ActionKind::Dividend {
                amount: Price::parse(amount)?,
                denomination: optional(denomination.as_ref(), Money::denomination)?,
            },
            KindRecord::Rename { to } => ActionKind::Rename { to: to.id()? },
            KindRecord::Merger { into, shares } => ActionKind::Merger {
                into: optional(into.as_ref(), IdRecord::id)?,
                shares: ratio(shares.as_deref())?,
            },
        };
        Some(CorporateAction {
            instrument: instrument.clone(),
            ex_date,
            kind,
            declared: date(self.declared.as_deref())?,
            record: date(self.record.as_deref())?,
            payable: date(self.payable.as_deref())?,
            description: self.description.as_deref().map(Into::into),
        })
    }
}
