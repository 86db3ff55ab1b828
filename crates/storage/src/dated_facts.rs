//! Named facts whose age matters (a breaker's state): with what the machine's clocks read when they were written.

use std::time::Duration;

use domain::Instant;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::boot::{self, Reading};
use crate::fault::Fault;
use crate::{journal, record};

/// A fact with its date, as text.
#[derive(Serialize, Deserialize)]
struct DatedFact {
    value: String,
    written_at: i64,
    uptime_ms: Option<u64>,
    boot: Option<String>,
}

/// Keeps a fact under its name.
pub(crate) fn put(
    connection: &Connection,
    name: &str,
    value: &str,
    (reading, now): (&Reading, Instant),
) -> Result<(), Fault> {
    let fact = DatedFact {
        value: value.to_owned(),
        written_at: now.as_nanos(),
        uptime_ms: reading.uptime.map(|uptime| u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX)),
        boot: reading.boot.clone(),
    };
    journal::put_fact(connection, name, &record::write(&fact))
}

/// The fact of a name and the time since it was written.
pub(crate) fn get(
    connection: &Connection,
    name: &str,
    (reading, now): (&Reading, Instant),
) -> Result<Option<(String, Duration)>, Fault> {
    let Some(body) = journal::fact(connection, name)? else { return Ok(None) };
    let fact: DatedFact = record::read("a dated fact", &body)?;
    let then = Reading { uptime: fact.uptime_ms.map(Duration::from_millis), boot: fact.boot };
    let elapsed = boot::between((&then, Instant::from_nanos(fact.written_at)), (reading, now));
    Ok(Some((fact.value, elapsed)))
}
