//! Everything a simulation consists of, and one exchange in it.

use std::sync::Arc;
use std::time::Duration;

use domain::VendorId;
use gateway::{Clock, Entropy};
use vendors::{HttpRequest, HttpResponse};

use crate::bottle::Bottle;
use crate::fault::{Fault, Faults, Spell};
use crate::journal::Journal;
use crate::market::Market;

/// A market, the vendors that sell its data, what fails when, and the log of it all.
pub struct World {
    /// What truly happened.
    pub market: Arc<Market>,
    /// The vendors.
    pub bottles: Vec<Bottle>,
    /// The time it all happens in.
    pub clock: Arc<dyn Clock>,
    /// Draws latencies.
    pub entropy: Arc<dyn Entropy>,
    /// What fails.
    pub faults: Arc<Faults>,
    /// What arrived.
    pub journal: Arc<Journal>,
}

/// What becomes of a request that has arrived.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) ending: Ending,
    /// Time from arrival to the first byte, without the vendor's latency.
    pub(crate) slow: Duration,
}

/// How an exchange ends.
#[derive(Debug)]
pub(crate) enum Ending {
    /// A whole reply.
    Reply(HttpResponse),
    /// Half of this reply, then a broken connection.
    Cut(HttpResponse),
    /// Nothing until the fault ends, then a broken connection.
    Silence(Spell),
    /// A broken connection at once.
    Refused,
}

impl World {
    /// The bottle of a vendor.
    pub fn bottle(&self, vendor: VendorId) -> Option<&Bottle> {
        self.bottles.iter().find(|bottle| bottle.vendor() == vendor)
    }

    /// Takes a request at this moment: into the journal, through the faults, to the vendor.
    pub(crate) fn exchange(&self, bottle: &Bottle, request: &HttpRequest) -> Exchange {
        let now = self.clock.now();
        let vendor = bottle.vendor();
        let seq = self.journal.arrived(now, vendor, request, bottle.codec().weight(request));
        let spells = self.faults.at(vendor, now);
        let slow = spells
            .iter()
            .filter_map(|spell| match spell.fault {
                Fault::Slow(by) => Some(by),
                _ => None,
            })
            .sum();
        let ending = self.end(bottle, request, &spells, now);
        let status = match &ending {
            Ending::Reply(response) | Ending::Cut(response) => Some(response.status),
            Ending::Silence(_) | Ending::Refused => None,
        };
        self.journal.answered(seq, status, names(&spells));
        Exchange { ending, slow }
    }

    fn end(&self, bottle: &Bottle, request: &HttpRequest, spells: &[Spell], now: domain::Instant) -> Ending {
        let find = |fault| spells.iter().find(|spell| spell.fault == fault);
        if find(Fault::Refuse).is_some() {
            return Ending::Refused;
        }
        // The vendor counts what it never answers, so it is asked first.
        let mut response = bottle.answer(request, &self.market, spells, now);
        if let Some(spell) = find(Fault::Hang) {
            return Ending::Silence(*spell);
        }
        for spell in spells {
            spell.fault.spoil(&mut response);
        }
        response.headers.push(("mda-simulated".to_owned(), "true".to_owned()));
        if find(Fault::Truncate).is_some() { Ending::Cut(response) } else { Ending::Reply(response) }
    }
}

fn names(spells: &[Spell]) -> Option<Arc<str>> {
    if spells.is_empty() {
        return None;
    }
    let names: Vec<&str> = spells.iter().map(|spell| spell.fault.as_str()).collect();
    Some(names.join("+").into())
}
