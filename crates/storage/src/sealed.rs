//! Sealed history: versions of bars in compressed blocks that do not overlap.

use std::time::Duration;

use domain::Instant;
use gateway::StoredBar;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::bars::{merged, version};
use crate::block::{self, MAX_ROWS, Packer};
use crate::fault::Fault;
use crate::statements as sql;

/// At most so many live versions are sealed in one transaction, so that other writes get their turn.
const CHUNK: usize = 20_000;

/// Where a version stands in its series: start, then time learned, in nanoseconds.
type Place = (i64, i64);

fn place(version: &StoredBar) -> Place {
    (version.bar.start.as_nanos(), version.learned_at.as_nanos())
}

struct Block {
    id: i64,
    last: Place,
    count: i64,
    rows: Vec<u8>,
}

fn block(row: &Row<'_>) -> rusqlite::Result<Block> {
    Ok(Block { id: row.get(0)?, last: (row.get(3)?, row.get(4)?), count: row.get(5)?, rows: row.get(6)? })
}

/// Every sealed version with a start in `[first, last]`, ascending.
pub(crate) fn versions(
    connection: &Connection,
    series: i64,
    first: Instant,
    last: Instant,
) -> Result<Vec<StoredBar>, Fault> {
    let mut found = Vec::new();
    let mut keep = |blob: &[u8]| -> Result<(), Fault> {
        let rows = block::unpack(blob)?;
        found.extend(rows.into_iter().filter(|row| first <= row.bar.start && row.bar.start <= last));
        Ok(())
    };
    let mut before = connection.prepare_cached(sql::BLOCK_BEFORE)?;
    let before = before.query_row(params![series, first.as_nanos()], block).optional()?;
    if let Some(before) = before.filter(|before| before.last.0 >= first.as_nanos()) {
        keep(&before.rows)?;
    }
    let mut inside = connection.prepare_cached(sql::BLOCKS_IN)?;
    let mut rows = inside.query(params![series, first.as_nanos(), last.as_nanos()])?;
    while let Some(row) = rows.next()? {
        keep(row.get_ref(6)?.as_blob().map_err(|_| Fault::Unreadable("a sealed block"))?)?;
    }
    Ok(found)
}

/// Puts versions, ascending, into blocks: into the one they fall into, or a part-filled one before them, else
/// into new ones.
pub(crate) fn merge(connection: &Connection, series: i64, mut rows: &[StoredBar]) -> Result<(), Fault> {
    let mut packer = Packer::new();
    while let Some(first) = rows.first().map(place) {
        let mut home = connection.prepare_cached(sql::BLOCK_HOME)?;
        let home = home.query_row(params![series, first.0, first.1], block).optional()?;
        let home = home.filter(|home| first <= home.last || home.count < MAX_ROWS as i64);
        let mut next = connection.prepare_cached(sql::BLOCK_NEXT)?;
        let next: Option<Place> = next
            .query_row(params![series, first.0, first.1], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let count = next.map_or(rows.len(), |next| rows.partition_point(|row| place(row) < next));
        let (here, others) = rows.split_at(count);
        rows = others;
        match home {
            None => put(connection, &mut packer, series, here)?,
            Some(home) => {
                connection.prepare_cached(sql::BLOCK_DELETE)?.execute([home.id])?;
                let all = merged(block::unpack(&home.rows)?, here.to_vec());
                put(connection, &mut packer, series, &all)?;
            }
        }
    }
    Ok(())
}

fn put(connection: &Connection, packer: &mut Packer, series: i64, rows: &[StoredBar]) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(sql::BLOCK_PUT)?;
    for chunk in rows.chunks(MAX_ROWS) {
        let (Some(first), Some(last)) = (chunk.first().map(place), chunk.last().map(place)) else { continue };
        let blob = packer.pack(chunk);
        statement.execute(params![series, first.0, first.1, last.0, last.1, chunk.len() as i64, blob])?;
    }
    Ok(())
}

/// How far sealing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The series at work.
    pub(crate) series: i64,
    /// Starts before this are done.
    pub(crate) from: Instant,
}

fn live_versions(
    connection: &Connection,
    at: Progress,
    before: Instant,
    limit: usize,
) -> Result<Vec<StoredBar>, Fault> {
    let mut statement = connection.prepare_cached(sql::LIVE_BARS_BEFORE)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![at.series, at.from.as_nanos(), before.as_nanos(), limit])?;
    let mut live = Vec::new();
    while let Some(row) = rows.next()? {
        live.push(version(row)?);
    }
    Ok(live)
}

/// Moves some live bars that start before `before` and are final into blocks, with all their versions.
/// Answers how many versions were moved, and where to go on; `None` when there is nothing further.
pub(crate) fn seal_some(
    connection: &Connection,
    at: Progress,
    before: Instant,
) -> Result<(usize, Option<Progress>), Fault> {
    let mut live = live_versions(connection, at, before, CHUNK)?;
    let full = live.len() == CHUNK;
    let mut from = live.last().map_or(before, |last| last.bar.start);
    if full {
        // The last start may have versions beyond the chunk. It is left to the next one, unless it fills
        // this one alone: then all its versions are taken, however many.
        let whole = live.partition_point(|row| row.bar.start < from);
        if whole > 0 {
            live.truncate(whole);
        } else {
            let after = from + Duration::from_nanos(1);
            live = live_versions(connection, Progress { from, ..at }, after, usize::MAX)?;
            from = after;
        }
    }
    let mut sealable: Vec<StoredBar> = Vec::with_capacity(live.len());
    let mut delete = connection.prepare_cached(sql::BAR_DELETE)?;
    for versions in live.chunk_by(|a, b| a.bar.start == b.bar.start) {
        if versions.last().is_some_and(|newest| newest.bar.is_final) {
            for version in versions {
                let (start, learned) = place(version);
                delete.execute(params![at.series, start, learned])?;
            }
            sealable.extend_from_slice(versions);
        }
    }
    let moved = sealable.len();
    merge(connection, at.series, &sealable)?;
    if full {
        return Ok((moved, Some(Progress { series: at.series, from })));
    }
    let mut after = connection.prepare_cached(sql::SERIES_AFTER)?;
    let next = after.query_row([at.series], |row| row.get(0)).optional()?;
    Ok((moved, next.map(|series| Progress { series, from: Instant::MIN })))
}
