//! What happened: events, decisions, failures; and small named facts.

use std::time::Duration;

use domain::{Instant, VendorId};
use gateway::answer::Failure;
use gateway::{Decision, RequestId};
use rusqlite::{Connection, OptionalExtension, params};
use telemetry::Event;

use crate::fault::Fault;
use crate::record::decision::DecisionRecord;
use crate::record::failure::FailureRecord;
use crate::{record, statements as sql, word};

/// How long decisions are kept.
const DECISIONS_FOR: Duration = Duration::from_secs(24 * 3_600);
/// How long failures are kept.
const FAILURES_FOR: Duration = Duration::from_secs(30 * 24 * 3_600);

/// An event as it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// When.
    pub at: Instant,
    /// To which vendor, if to one.
    pub vendor: Option<VendorId>,
    /// What, by its stable word.
    pub kind: String,
    /// How much it matters, by its word.
    pub severity: String,
    /// In a sentence.
    pub text: String,
}

/// Appends events.
pub(crate) fn put_events(connection: &Connection, events: &[Event]) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(sql::EVENT_PUT)?;
    for event in events {
        statement.execute(params![
            event.at.as_nanos(),
            event.vendor.map(VendorId::as_str),
            event.kind.as_str(),
            event.kind.severity().as_str(),
            event.kind.to_string()
        ])?;
    }
    Ok(())
}

/// The newest events, newest first.
pub(crate) fn events(connection: &Connection, limit: usize) -> Result<Vec<StoredEvent>, Fault> {
    let mut statement = connection.prepare_cached(sql::EVENTS)?;
    let rows = statement.query_map([row_limit(limit)], |row| {
        Ok(StoredEvent {
            at: Instant::from_nanos(row.get(0)?),
            vendor: row.get::<_, Option<String>>(1)?.as_deref().map(word::vendor),
            kind: row.get(2)?,
            severity: row.get(3)?,
            text: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keeps decisions and drops those older than a day.
pub(crate) fn put_decisions(
    connection: &Connection,
    decisions: &[Decision],
    now: Instant,
) -> Result<(), Fault> {
    connection.prepare_cached(sql::DECISIONS_PURGE)?.execute([(now - DECISIONS_FOR).as_nanos()])?;
    let mut statement = connection.prepare_cached(sql::DECISION_PUT)?;
    for decision in decisions {
        let body = record::write(&DecisionRecord::from(decision));
        statement.execute(params![decision.id.0.as_ref(), decision.at.as_nanos(), body])?;
    }
    Ok(())
}

/// The decision about a request, if it is at most a day old.
pub(crate) fn decision(
    connection: &Connection,
    id: RequestId,
    now: Instant,
) -> Result<Option<Decision>, Fault> {
    let mut statement = connection.prepare_cached(sql::DECISION)?;
    let since = (now - DECISIONS_FOR).as_nanos();
    let body: Option<String> =
        statement.query_row(params![id.0.as_ref(), since], |row| row.get(0)).optional()?;
    let Some(body) = body else { return Ok(None) };
    let record: DecisionRecord = record::read("a decision", &body)?;
    record.decision(id).map(Some).ok_or(Fault::Unreadable("a decision"))
}

/// Keeps failures and drops those older than thirty days.
pub(crate) fn put_failures(connection: &Connection, failures: &[Failure], now: Instant) -> Result<(), Fault> {
    connection.prepare_cached(sql::FAILURES_PURGE)?.execute([(now - FAILURES_FOR).as_nanos()])?;
    let mut statement = connection.prepare_cached(sql::FAILURE_PUT)?;
    for failure in failures {
        statement.execute(params![failure.at.as_nanos(), record::write(&FailureRecord::from(failure))])?;
    }
    Ok(())
}

/// The newest failures of the last thirty days, newest first.
pub(crate) fn failures(connection: &Connection, limit: usize, now: Instant) -> Result<Vec<Failure>, Fault> {
    let mut statement = connection.prepare_cached(sql::FAILURES)?;
    let mut rows = statement.query(params![(now - FAILURES_FOR).as_nanos(), row_limit(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(record::read::<FailureRecord>("a failure", &row.get::<_, String>(0)?)?.failure());
    }
    Ok(found)
}

fn row_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Keeps a fact under its name.
pub(crate) fn put_fact(connection: &Connection, name: &str, value: &str) -> Result<(), Fault> {
    connection.prepare_cached(sql::FACT_PUT)?.execute([name, value])?;
    Ok(())
}

/// The fact of a name.
pub(crate) fn fact(connection: &Connection, name: &str) -> Result<Option<String>, Fault> {
    Ok(connection.prepare_cached(sql::FACT)?.query_row([name], |row| row.get(0)).optional()?)
}
