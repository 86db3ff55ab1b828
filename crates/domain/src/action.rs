//! Corporate actions.

use std::sync::Arc;

use crate::{Date, Denomination, InstrumentId, Price, Ratio};

/// What happened to the instrument.
#[derive(Clone, Debug, PartialEq)]
pub enum ActionKind {
    /// Share count changed. `new_per_old` is 4 for a 4-for-1 split and 0.1 for a 1-for-10 reverse split;
    /// earlier prices are divided by it, earlier volumes multiplied.
    Split {
        /// New shares per old share.
        new_per_old: Ratio,
    },
    /// Cash paid per share.
    Dividend {
        /// Amount per share, as paid (not restated for later splits) unless the vendor's file says so.
        amount: Price,
        /// Currency and unit, if stated.
        denomination: Option<Denomination>,
    },
    /// The instrument goes by another name from the ex-date on.
    Rename {
        /// Its new id.
        to: InstrumentId,
    },
    /// The instrument was exchanged for another.
    Merger {
        /// Into which, if it lives on.
        into: Option<InstrumentId>,
        /// Shares of the other per share of this one.
        shares: Option<Ratio>,
    },
}

impl ActionKind {
    /// The word used in answers and stored rows.
    pub const fn as_str(&self) -> &'static str {
        match self {
            ActionKind::Split { .. } => "split",
            ActionKind::Dividend { .. } => "dividend",
            ActionKind::Rename { .. } => "rename",
            ActionKind::Merger { .. } => "merger",
        }
    }
}

/// A split, dividend, rename or merger of one instrument.
#[derive(Clone, Debug, PartialEq)]
pub struct CorporateAction {
    /// What it happened to.
    pub instrument: InstrumentId,
    /// First trading date without the entitlement, at the venue.
    pub ex_date: Date,
    /// What happened.
    pub kind: ActionKind,
    /// Date of declaration.
    pub declared: Option<Date>,
    /// Holders on this date are entitled.
    pub record: Option<Date>,
    /// Date of payment.
    pub payable: Option<Date>,
    /// The vendor's words, if any.
    pub description: Option<Arc<str>>,
}

impl CorporateAction {
    /// An action of which only the essentials are known.
    pub fn new(instrument: InstrumentId, ex_date: Date, kind: ActionKind) -> CorporateAction {
        CorporateAction {
            instrument,
            ex_date,
            kind,
            declared: None,
            record: None,
            payable: None,
            description: None,
        }
    }
}
