//! Shares that exist nowhere, for markets larger than the built-in names.

use domain::{Denomination, Instrument, InstrumentId, InstrumentKind, TickTable, Venue};

/// So many shares named `ZAAA`, `ZAAB`, … at Nasdaq; after the first 17,576 the names begin anew.
pub fn invented(count: u16) -> impl Iterator<Item = Instrument> {
    let venue = Venue::new("XNAS").expect("XNAS is a market identifier");
    (0..usize::from(count)).map(move |index| {
        let letter = |place: usize| char::from(b'A' + (index / place % 26) as u8);
        let name: String = ['Z', letter(676), letter(26), letter(1)].iter().collect();
        let mut record = Instrument::new(InstrumentId::new(&name, venue), InstrumentKind::Equity);
        record.description = Some(format!("{name} Inc. (invented)").into());
        record.denomination = Some(Denomination::USD);
        record.ticks = Some(TickTable::united_states());
        record
    })
}

#[cfg(test)]
mod tests {
    // TST-1.
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn invented_names_are_all_different_and_none_is_a_built_in_one() {
        let directory = domain::Directory::built_in();
        let ids: HashSet<InstrumentId> = invented(17_576).map(|record| record.id).collect();
        assert_eq!(ids.len(), 17_576);
        assert!(ids.iter().all(|id| directory.instrument(id).is_none()));
        assert_eq!(invented(28).last().map(|record| record.id.to_string()), Some("ZABB.XNAS".to_owned()));
    }
}
