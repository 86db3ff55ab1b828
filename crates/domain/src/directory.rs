//! Which instrument a name means, and meant on a date.

use std::collections::HashMap;

use crate::{Date, Instrument, InstrumentId, Symbol};

/// Instruments by name, with dated renames.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    instruments: HashMap<InstrumentId, Instrument>,
}

/// Why a text names no instrument.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    /// Empty, too long, or with characters no symbol has.
    #[error("`{0}` is no symbol: write a ticker (`AAPL`, `BRK.B`), `SYM.MIC` (`AAPL.XNAS`) or a pair (`BTC/USDT`)")]
    Malformed(String),
}

impl Directory {
    /// The built-in liquid names.
    pub fn built_in() -> Directory {
        Directory::default()
    }

    /// The record of an instrument, if there is one.
    pub fn instrument(&self, id: &InstrumentId) -> Option<&Instrument> {
        self.instruments.get(id)
    }

    /// Takes a symbol apart without looking it up.
    ///
    /// # Errors
    /// [`SymbolError::Malformed`].
    pub fn parse(&self, text: &str) -> Result<Symbol, SymbolError> {
        Err(SymbolError::Malformed(text.to_owned()))
    }

    /// The instrument a text means on a date. A bare ticker without a record means the composite of the
    /// United States.
    ///
    /// # Errors
    /// [`SymbolError::Malformed`].
    pub fn resolve(&self, text: &str, on: Option<Date>) -> Result<InstrumentId, SymbolError> {
        let _ = on;
        Err(SymbolError::Malformed(text.to_owned()))
    }
}
