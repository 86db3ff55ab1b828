//! The ledger's lines: what every exchange with a vendor cost, for whom and for what (CST-1). Amounts are millionths
//! of a US dollar.

use std::sync::Arc;

use domain::{Date, Instant, VendorId};

use crate::request::RequestId;

/// What lines are summed up by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Of {
    /// UTC date.
    pub date: Date,
    /// Whose exchange.
    pub vendor: VendorId,
    /// For which consumer; empty where none has a key, and for the gateway's own work.
    pub consumer: Arc<str>,
    /// Its capability's word.
    pub endpoint: &'static str,
    /// Ids of the instruments; empty where it is about none.
    pub symbol: Arc<str>,
}

/// One exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct Spend {
    /// Made for which request.
    pub request: RequestId,
    /// The how manieth exchange of the request, from 0.
    pub number: u32,
    /// When the money was taken.
    pub at: Instant,
    /// What it is summed up by.
    pub of: Of,
    /// 1, or 0 where it was never sent.
    pub calls: u32,
    /// Units it was charged as.
    pub units: u64,
    /// What was charged by the piece: `post 5, user 2`; empty where nothing was.
    pub objects: String,
    /// Its price.
    pub micros: u64,
    /// Whether the price is known; until then, and for ever after a crash, it counts as spent.
    pub settled: bool,
}

/// Something to write into the ledger.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// An exchange, or what became of it: the later line of the same request and number replaces the former.
    Exchange(Box<Spend>),
    /// A question that was not asked because quota or budget was spent.
    Refused(Of),
    /// An answer of grade C or better.
    Useful(Of),
}

/// Lines summed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Of what.
    pub of: Of,
    /// Exchanges.
    pub calls: u64,
    /// Units charged.
    pub units: u64,
    /// Spent.
    pub micros: u64,
    /// Questions not asked because quota or budget was spent.
    pub refused: u64,
    /// Answers of grade C or better.
    pub useful: u64,
}

impl Sum {
    /// Nothing yet.
    pub fn new(of: Of) -> Sum {
        Sum { of, calls: 0, units: 0, micros: 0, refused: 0, useful: 0 }
    }

    /// Takes a line in; `former` is the line it replaces.
    pub fn add(&mut self, line: &Line, former: Option<&Spend>) {
        match line {
            Line::Exchange(spend) => {
                let old = |amount: fn(&Spend) -> u64| former.map_or(0, amount);
                self.calls = self.calls.saturating_sub(old(|s| s.calls.into())) + u64::from(spend.calls);
                self.units = self.units.saturating_sub(old(|s| s.units)) + spend.units;
                self.micros = self.micros.saturating_sub(old(|s| s.micros)) + spend.micros;
            }
            Line::Refused(_) => self.refused += 1,
            Line::Useful(_) => self.useful += 1,
        }
    }
}

impl Line {
    /// What it is summed up by.
    pub fn of(&self) -> &Of {
        match self {
            Line::Exchange(spend) => &spend.of,
            Line::Refused(of) | Line::Useful(of) => of,
        }
    }
}
