//! Quota counters, and how long ago they were written.

use std::time::Duration;

use domain::{Instant, VendorId};
use resilience::quota::Snapshot;
use rusqlite::{Connection, OptionalExtension, params};

use crate::boot::{self, Reading};
use crate::fault::Fault;
use crate::record::quota::QuotaRecord;
use crate::{record, statements as sql};

/// Keeps a vendor's counters, unless newer ones are kept already.
pub(crate) fn put(
    connection: &Connection,
    vendor: VendorId,
    snapshot: &Snapshot,
    (reading, now): (&Reading, Instant),
) -> Result<(), Fault> {
    let uptime_ms = reading.uptime.map(|uptime| i64::try_from(uptime.as_millis()).unwrap_or(i64::MAX));
    let sequence = i64::try_from(snapshot.sequence).unwrap_or(i64::MAX);
    let body = record::write(&QuotaRecord::from(snapshot));
    connection.prepare_cached(sql::QUOTA_PUT)?.execute(params![
        vendor.as_str(),
        sequence,
        body,
        now.as_nanos(),
        uptime_ms,
        reading.boot
    ])?;
    Ok(())
}

/// A vendor's counters and the time since they were written.
pub(crate) fn get(
    connection: &Connection,
    vendor: VendorId,
    (reading, now): (&Reading, Instant),
) -> Result<Option<(Snapshot, Duration)>, Fault> {
    let mut statement = connection.prepare_cached(sql::QUOTA)?;
    let row = statement.query_row([vendor.as_str()], |row| {
        let uptime_ms: Option<i64> = row.get(2)?;
        let uptime = uptime_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
        let then = Reading { uptime, boot: row.get(3)? };
        Ok((row.get::<_, String>(0)?, Instant::from_nanos(row.get(1)?), then))
    });
    let Some((body, written_at, then)) = row.optional()? else { return Ok(None) };
    let record: QuotaRecord = record::read("a quota", &body)?;
    let snapshot = record.snapshot().ok_or(Fault::Unreadable("a quota"))?;
    Ok(Some((snapshot, boot::between((&then, written_at), (reading, now)))))
}
