//! Instruments as vendors list them.

use domain::{Instant, Instrument, VendorId};
use rusqlite::{Connection, params};

use crate::fault::Fault;
use crate::record::instrument::InstrumentRecord;
use crate::{record, statements as sql, word};

/// Keeps a vendor's instruments; a record learned later replaces an earlier one.
pub(crate) fn put(
    connection: &Connection,
    vendor: VendorId,
    instruments: &[Instrument],
    learned_at: Instant,
) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(sql::INSTRUMENT_PUT)?;
    for instrument in instruments {
        let body = record::write(&InstrumentRecord::from(instrument));
        let id = instrument.id.to_string();
        statement.execute(params![vendor.as_str(), id, learned_at.as_nanos(), body])?;
    }
    Ok(())
}

/// All of them, by vendor, then id.
pub(crate) fn all(connection: &Connection) -> Result<Vec<(VendorId, Instrument)>, Fault> {
    let mut statement = connection.prepare_cached(sql::INSTRUMENTS)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let body: InstrumentRecord = record::read("an instrument", &row.get::<_, String>(1)?)?;
        let instrument = body.instrument().ok_or(Fault::Unreadable("an instrument"))?;
        found.push((word::vendor(&row.get::<_, String>(0)?), instrument));
    }
    Ok(found)
}
