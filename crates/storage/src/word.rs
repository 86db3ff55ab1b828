//! Words that the program knows as literals, read back from rows.

use std::collections::BTreeSet;

use domain::VendorId;
use parking_lot::Mutex;

/// Words that are no vendor's id, each kept once for the life of the process. Rows hold words from closed
/// sets, so it stays small.
static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// The word as a literal.
pub(crate) fn literal(word: &str) -> &'static str {
    let mut known = KNOWN.lock();
    if let Some(found) = known.get(word) {
        return found;
    }
    let kept: &'static str = Box::leak(word.to_owned().into_boxed_str());
    known.insert(kept);
    kept
}

/// The vendor of a stored id. A vendor that has left the program keeps its rows, and its name.
pub(crate) fn vendor(id: &str) -> VendorId {
    let ours = vendors::ALL.iter().map(|codec| codec.profile().id).find(|known| known.as_str() == id);
    ours.unwrap_or_else(|| VendorId(literal(id)))
}
