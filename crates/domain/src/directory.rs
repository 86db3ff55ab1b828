//! Which instrument a name means, and meant on a date.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::spelling::{self, Upper};
use crate::venue_suffix::is_united_states;
use crate::{Date, Instrument, InstrumentId, InstrumentKind, Symbol, Venue};

/// Instruments by name, with dated renames.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    instruments: HashMap<InstrumentId, Instrument>,
    /// In the order of their arrival: the first of several listings is the one a bare name means.
    order: Vec<InstrumentId>,
    renames: Vec<Rename>,
    /// Who went by a name, and when.
    holdings: HashMap<Arc<str>, Vec<Holding>>,
    /// Pairs by their name without the slash: `BTCUSDT`.
    joined_pairs: HashMap<Arc<str>, InstrumentId>,
    /// Venues of instruments here, beyond those built in.
    venues: HashSet<Venue>,
}

/// An instrument took another name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rename {
    old: InstrumentId,
    new: InstrumentId,
    first_day: Date,
}

/// One name at one venue, held by one instrument from a day until a day (not included).
#[derive(Clone, Debug)]
struct Holding {
    from: Option<Date>,
    until: Option<Date>,
    venue: Venue,
    /// The holder by its newest id.
    holder: InstrumentId,
}

impl Holding {
    fn has_begun(&self, on: Option<Date>) -> bool {
        on.is_none_or(|on| self.from.is_none_or(|from| from <= on))
    }

    fn runs(&self, on: Option<Date>) -> bool {
        self.has_begun(on) && self.until.is_none_or(|until| on.is_some_and(|on| on < until))
    }

    fn is_at(&self, venue: Option<Venue>) -> bool {
        match venue {
            None => true,
            Some(Venue::US) => is_united_states(self.venue),
            Some(venue) => venue == self.venue,
        }
    }
}

/// Why a text names no instrument.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    /// Empty, too long, or with characters no symbol has.
    #[error(
        "`{0}` is no symbol: write a ticker (`AAPL`, `BRK.B`), `SYM.MIC` (`AAPL.XNAS`) or a pair (`BTC/USDT`)"
    )]
    Malformed(String),
    /// The name belongs to an instrument today, but to none we know of on that date.
    #[error("no known instrument went by `{name}` on {on}; `{later}` does so since")]
    NotYet {
        /// The name asked for.
        name: String,
        /// The date asked for.
        on: Date,
        /// Who goes by the name later: its id is accepted for any date.
        later: InstrumentId,
    },
}

impl Directory {
    /// The built-in liquid names.
    pub fn built_in() -> Directory {
        crate::liquid_names::directory()
    }

    /// The record of an instrument, if there is one.
    pub fn instrument(&self, id: &InstrumentId) -> Option<&Instrument> {
        self.instruments.get(id)
    }

    /// All records, in the order of their arrival.
    pub fn instruments(&self) -> impl Iterator<Item = &Instrument> {
        self.order.iter().filter_map(|id| self.instruments.get(id))
    }

    /// How many instruments have a record.
    pub fn count(&self) -> usize {
        self.instruments.len()
    }

    /// Adds a record, or replaces the one of the same id, which is returned.
    ///
    /// A record under a name that a rename has given up is another instrument that took the name since.
    pub fn insert(&mut self, instrument: Instrument) -> Option<Instrument> {
        let id = instrument.id.clone();
        self.venues.insert(id.venue());
        let before = self.instruments.insert(id.clone(), instrument);
        if before.is_none() {
            self.order.push(id.clone());
        }
        if self.renames.iter().any(|r| r.old == id || r.new == id) {
            self.rebuild();
        } else {
            // Its listing dates may have changed.
            self.holdings.entry(id.name().into()).or_default().retain(|holding| holding.holder != id);
            self.hold_by_record(&id);
        }
        before
    }

    /// Adds many records as [`insert`](Directory::insert) does.
    pub fn extend(&mut self, instruments: impl IntoIterator<Item = Instrument>) {
        for instrument in instruments {
            self.insert(instrument);
        }
    }

    /// Says that an instrument known as `old` goes by `new` from `first_day` on.
    ///
    /// A record under the old id moves to the new one, unless it was listed on that day or later (then it
    /// is the name's next owner) or the new id has a record already.
    pub fn rename(&mut self, old: InstrumentId, new: InstrumentId, first_day: Date) {
        let rename = Rename { old, new, first_day };
        if rename.old == rename.new || self.renames.contains(&rename) {
            return;
        }
        self.venues.extend([rename.old.venue(), rename.new.venue()]);
        let is_earlier = |i: &Instrument| i.listed.is_none_or(|listed| listed < first_day);
        if !self.instruments.contains_key(&rename.new)
            && self.instruments.get(&rename.old).is_some_and(is_earlier)
            && let Some(mut record) = self.instruments.remove(&rename.old)
        {
            record.id = rename.new.clone();
            self.instruments.insert(rename.new.clone(), record);
            for id in self.order.iter_mut().filter(|id| **id == rename.old) {
                *id = rename.new.clone();
            }
        }
        let at = self.renames.partition_point(|r| r.first_day <= first_day);
        self.renames.insert(at, rename);
        self.rebuild();
    }

    /// Takes a symbol apart without looking it up.
    ///
    /// # Errors
    /// [`SymbolError::Malformed`].
    pub fn parse(&self, text: &str) -> Result<Symbol, SymbolError> {
        let malformed = || SymbolError::Malformed(shown(text));
        let upper = Upper::new(text).ok_or_else(malformed)?;
        let (name, venue) = self.read(&upper).ok_or_else(malformed)?;
        Ok(Symbol { name: name.as_ref().into(), venue })
    }

    /// The instrument a text means on a date; `None` is today. A bare ticker without a record means the
    /// composite of the United States.
    ///
    /// On a date, a name means who held it then, by its newest id: `FB` of 2021 is `META.XNAS`. A name
    /// nobody holds means who held it last. A canonical id means its instrument on any date, unless
    /// another one held that very name at that venue then.
    ///
    /// # Errors
    /// [`SymbolError::Malformed`]; [`SymbolError::NotYet`] where all we know took the name later.
    pub fn resolve(&self, text: &str, on: Option<Date>) -> Result<InstrumentId, SymbolError> {
        let malformed = || SymbolError::Malformed(shown(text));
        let upper = Upper::new(text).ok_or_else(malformed)?;
        let (name, venue) = self.read(&upper).ok_or_else(malformed)?;
        if let Some(id) = self.holder(&name, venue, on)? {
            return Ok(id);
        }
        match venue {
            Some(venue) => Ok(InstrumentId::new(&name, venue)),
            None => Ok(match self.joined_pairs.get(name.as_ref()) {
                Some(pair) => pair.clone(),
                None => InstrumentId::new(&name, Venue::US),
            }),
        }
    }

    /// Records in which every word occurs, in the name or the description, at most `limit`, of one kind if
    /// one is given. Best first: the name itself, names that begin so, descriptions with a word that begins
    /// so, the rest; within those, in the order of arrival. No words, no records.
    pub fn search(&self, words: &str, limit: usize, kind: Option<InstrumentKind>) -> Vec<&Instrument> {
        let words: Vec<String> = words.split_whitespace().map(str::to_uppercase).collect();
        if words.is_empty() {
            return Vec::new();
        }
        let mut found: Vec<(u8, &Instrument)> = self
            .instruments()
            .filter(|instrument| kind.is_none_or(|kind| kind == instrument.kind))
            .filter_map(|instrument| Some((rank(instrument, &words)?, instrument)))
            .collect();
        found.sort_by_key(|(rank, _)| *rank);
        found.into_iter().take(limit).map(|(_, instrument)| instrument).collect()
    }

    fn read<'a>(&self, upper: &'a Upper) -> Option<(Cow<'a, str>, Option<Venue>)> {
        let known = |code: &str| Venue::new(code).is_some_and(|venue| self.venues.contains(&venue));
        spelling::read(upper.as_str(), known)
    }

    /// Who holds a name on a date, or held it last; `None` if we know nothing of the name.
    fn holder(
        &self,
        name: &str,
        venue: Option<Venue>,
        on: Option<Date>,
    ) -> Result<Option<InstrumentId>, SymbolError> {
        let Some(holdings) = self.holdings.get(name) else { return Ok(None) };
        let held = || holdings.iter().filter(|h| h.is_at(venue));
        // Among several listings a bare name means the one in the United States, else the first known.
        let at_home = |h: &&Holding| !is_united_states(h.venue);
        if let Some(holding) = held().filter(|h| h.runs(on)).min_by_key(at_home) {
            return Ok(Some(holding.holder.clone()));
        }
        if let Some(holding) = held().filter(|h| h.has_begun(on)).max_by_key(|h| h.until) {
            return Ok(Some(holding.holder.clone()));
        }
        let Some(later) = held().next().map(|h| h.holder.clone()) else { return Ok(None) };
        match (on, venue) {
            (Some(on), None | Some(Venue::US)) => {
                Err(SymbolError::NotYet { name: name.to_owned(), on, later })
            }
            _ => Ok(None),
        }
    }

    fn rebuild(&mut self) {
        self.holdings.clear();
        for Rename { old, new, first_day } in &self.renames {
            // The instrument takes its whole past along to its new id.
            let mut was_known = false;
            for holding in self.holdings.values_mut().flatten().filter(|h| h.holder == *old) {
                holding.holder = new.clone();
                if holding.until.is_none() {
                    holding.until = Some(*first_day);
                    was_known = true;
                }
            }
            if !was_known {
                let ended = last_end(&self.holdings, old);
                hold(
                    &mut self.holdings,
                    old.name(),
                    Holding { from: ended, until: Some(*first_day), venue: old.venue(), holder: new.clone() },
                );
            }
            hold(
                &mut self.holdings,
                new.name(),
                Holding { from: Some(*first_day), until: None, venue: new.venue(), holder: new.clone() },
            );
        }
        for holding in self.holdings.values_mut().flatten().filter(|h| h.from.is_none()) {
            let listed = self.instruments.get(&holding.holder).and_then(|record| record.listed);
            holding.from = listed.filter(|listed| holding.until.is_none_or(|until| *listed < until));
        }
        for id in std::mem::take(&mut self.order) {
            self.hold_by_record(&id);
            self.order.push(id);
        }
    }

    fn hold_by_record(&mut self, id: &InstrumentId) {
        let Some(record) = self.instruments.get(id) else { return };
        if id.pair().is_some() {
            let joined: String = id.name().chars().filter(|c| *c != '/').collect();
            self.joined_pairs.entry(joined.into()).or_insert_with(|| id.clone());
            return;
        }
        let holdings = self.holdings.get(id.name());
        if holdings.is_some_and(|all| all.iter().any(|h| h.holder == *id)) {
            return; // a rename has told since when
        }
        let from = record.listed.or_else(|| last_end(&self.holdings, id));
        let holding = Holding { from, until: record.delisted, venue: id.venue(), holder: id.clone() };
        hold(&mut self.holdings, id.name(), holding);
    }
}

fn hold(holdings: &mut HashMap<Arc<str>, Vec<Holding>>, name: &str, holding: Holding) {
    match holdings.get_mut(name) {
        Some(held) => held.push(holding),
        None => {
            holdings.insert(name.into(), vec![holding]);
        }
    }
}

/// When the last known holder of a name at a venue gave it up.
fn last_end(holdings: &HashMap<Arc<str>, Vec<Holding>>, id: &InstrumentId) -> Option<Date> {
    let held = holdings.get(id.name())?.iter().filter(|h| h.venue == id.venue());
    held.filter_map(|h| h.until).max()
}

/// What an error shows of a text that may be endless.
fn shown(text: &str) -> String {
    text.chars().take(48).collect()
}

/// How well a record fits words in upper case, 0 best; `None` if one of them is nowhere in it.
fn rank(instrument: &Instrument, words: &[String]) -> Option<u8> {
    let name = instrument.id.name();
    let description = instrument.description.as_deref().unwrap_or_default().to_uppercase();
    let rank_of = |word: &String| {
        if name == word {
            Some(0)
        } else if name.starts_with(word.as_str()) {
            Some(1)
        } else if description.split(|c: char| !c.is_alphanumeric()).any(|w| w.starts_with(word.as_str())) {
            Some(2)
        } else if name.contains(word.as_str()) || description.contains(word.as_str()) {
            Some(3)
        } else {
            None
        }
    };
    words.iter().map(rank_of).try_fold(0, |worst, rank| Some(worst.max(rank?)))
}
