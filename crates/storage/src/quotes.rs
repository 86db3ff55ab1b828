//! Quotes: all of them, and the latest of each vendor.

use domain::{Instant, InstrumentId};
use gateway::StoredQuote;
use rusqlite::{Connection, params};

use crate::fault::Fault;
use crate::record::quote::QuoteRecord;
use crate::{record, statements as sql, word};

/// Keeps quotes.
pub(crate) fn put(connection: &Connection, quotes: &[StoredQuote]) -> Result<(), Fault> {
    let mut all = connection.prepare_cached(sql::QUOTE_PUT)?;
    let mut latest = connection.prepare_cached(sql::LATEST_PUT)?;
    for stored in quotes {
        let instrument = stored.instrument.to_string();
        let body = record::write(&QuoteRecord::from(&stored.quote));
        let received_at = stored.received_at.as_nanos();
        let row =
            params![instrument, stored.vendor.as_str(), stored.simulated, received_at, stored.score, body];
        all.execute(row)?;
        latest.execute(row)?;
    }
    Ok(())
}

/// The latest quote of each vendor.
pub(crate) fn latest(connection: &Connection, instrument: &InstrumentId) -> Result<Vec<StoredQuote>, Fault> {
    let mut statement = connection.prepare_cached(sql::LATEST_QUOTES)?;
    let mut rows = statement.query([instrument.to_string()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let body: QuoteRecord = record::read("a quote", &row.get::<_, String>(4)?)?;
        found.push(StoredQuote {
            instrument: instrument.clone(),
            vendor: word::vendor(&row.get::<_, String>(0)?),
            simulated: row.get(1)?,
            quote: body.quote().ok_or(Fault::Unreadable("a quote"))?,
            received_at: Instant::from_nanos(row.get(2)?),
            score: row.get(3)?,
        });
    }
    Ok(found)
}
