//! Bars: every version live or sealed, the one believed at a moment, and the ranges known completely.

use domain::{Adjustment, Bar, Calendars, Denomination, Instant, InstrumentId, Interval, Range, Session};
use gateway::{NewBars, SeriesKey, StoredBar, StoredSeries};
use rusqlite::{Connection, OptionalExtension, params};

use crate::fault::Fault;
use crate::record::money::denomination;
use crate::{rollups, row, sealed, statements as sql, word};

/// Every series of an instrument and interval.
pub(crate) fn series(
    connection: &Connection,
    instrument: &InstrumentId,
    interval: Interval,
) -> Result<Vec<StoredSeries>, Fault> {
    let mut statement = connection.prepare_cached(sql::SERIES_OF)?;
    let mut rows = statement.query(params![instrument.to_string(), interval.as_str()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let unreadable = || Fault::Unreadable("a series");
        let text = |index: usize| row.get::<_, Option<String>>(index);
        let key = SeriesKey {
            instrument: instrument.clone(),
            interval,
            vendor: word::vendor(&text(1)?.ok_or_else(unreadable)?),
            adjustment: text(2)?.as_deref().and_then(Adjustment::parse).ok_or_else(unreadable)?,
            session: text(3)?.as_deref().and_then(Session::parse).ok_or_else(unreadable)?,
            simulated: row.get(4)?,
        };
        let denomination = match (text(5)?, text(6)?) {
            (Some(currency), Some(unit)) => Some(denomination(&currency, &unit).ok_or_else(unreadable)?),
            _ => None,
        };
        found.push(StoredSeries { key, denomination, covered: covered(connection, row.get(0)?)? });
    }
    Ok(found)
}

/// Bars with a start in the range, of each the version believed.
pub(crate) fn bars(
    connection: &Connection,
    key: &SeriesKey,
    range: Range,
    asof: Option<Instant>,
) -> Result<Vec<StoredBar>, Fault> {
    match find(connection, key)? {
        Some(series) if !range.is_empty() => {
            let last = Instant::from_nanos(range.end.as_nanos() - 1);
            believed(connection, series, range.start, last, asof.unwrap_or(Instant::MAX))
        }
        _ => Ok(Vec::new()),
    }
}

/// Keeps bars in the live table, and the rollups of the hours they touch.
pub(crate) fn put(connection: &Connection, new: NewBars, calendars: &Calendars) -> Result<(), Fault> {
    let series = find_or_add(connection, &new.key, new.denomination)?;
    let fresh = unknown(connection, series, new.bars, new.learned_at)?;
    put_live(connection, series, &fresh, new.learned_at)?;
    let calendar = calendars.of(new.key.instrument.venue());
    rollups::refresh(connection, series, &rollups::touched(&new.key, &fresh), calendar)?;
    cover(connection, series, new.covered)
}

/// Keeps bars straight in sealed blocks, unfinished ones in the live table, and the rollups of the hours they
/// touch.
pub(crate) fn put_sealed(connection: &Connection, new: NewBars, calendars: &Calendars) -> Result<(), Fault> {
    let series = find_or_add(connection, &new.key, new.denomination)?;
    let fresh = unknown(connection, series, new.bars, new.learned_at)?;
    let touched = rollups::touched(&new.key, &fresh);
    let (fresh, running): (Vec<Bar>, Vec<Bar>) = match fresh.iter().all(|bar| bar.is_final) {
        true => (fresh, Vec::new()),
        false => fresh.into_iter().partition(|bar| bar.is_final),
    };
    put_live(connection, series, &running, new.learned_at)?;
    drop_live(connection, series, &fresh, new.learned_at)?;
    let learned = |bar| StoredBar { bar, learned_at: new.learned_at };
    let rows: Vec<StoredBar> = fresh.into_iter().map(learned).collect();
    sealed::merge(connection, series, &rows)?;
    rollups::refresh(connection, series, &touched, calendars.of(new.key.instrument.venue()))?;
    cover(connection, series, new.covered)
}

fn put_live(connection: &Connection, series: i64, bars: &[Bar], learned_at: Instant) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(sql::BAR_PUT)?;
    for bar in bars {
        statement.execute(params![series, bar.start.as_nanos(), learned_at.as_nanos(), row::encode(bar)])?;
    }
    Ok(())
}

/// Drops live versions of the very same moment, which would win over the sealed ones.
fn drop_live(connection: &Connection, series: i64, bars: &[Bar], learned_at: Instant) -> Result<(), Fault> {
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return Ok(()) };
    let place = params![series, first.start.as_nanos(), last.start.as_nanos()];
    if connection.prepare_cached(sql::LIVE_ANY)?.exists(place)? {
        let mut delete = connection.prepare_cached(sql::BAR_DELETE)?;
        for bar in bars {
            delete.execute(params![series, bar.start.as_nanos(), learned_at.as_nanos()])?;
        }
    }
    Ok(())
}

/// The bars that differ from what is believed at `learned_at`, ascending; of two with one start the last.
fn unknown(
    connection: &Connection,
    series: i64,
    mut bars: Vec<Bar>,
    learned_at: Instant,
) -> Result<Vec<Bar>, Fault> {
    if !bars.is_sorted_by(|a, b| a.start < b.start) {
        bars.sort_by_key(|bar| bar.start);
        bars.reverse();
        bars.dedup_by_key(|bar| bar.start);
        bars.reverse();
    }
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return Ok(bars) };
    let known = believed(connection, series, first.start, last.start, learned_at)?;
    if known.is_empty() {
        return Ok(bars);
    }
    let mut known = known.into_iter().peekable();
    bars.retain(|bar| {
        while known.next_if(|old| old.bar.start < bar.start).is_some() {}
        known.peek().is_none_or(|old| old.bar != *bar)
    });
    Ok(bars)
}

/// Bars with a start in `[first, last]`, of each the newest version learned at `asof` or before.
pub(crate) fn believed(
    connection: &Connection,
    series: i64,
    first: Instant,
    last: Instant,
    asof: Instant,
) -> Result<Vec<StoredBar>, Fault> {
    let mut versions = sealed::versions(connection, series, first, last)?;
    versions.retain(|version| version.learned_at <= asof);
    let mut statement = connection.prepare_cached(sql::LIVE_BARS)?;
    let mut rows = statement.query(params![series, first.as_nanos(), last.as_nanos(), asof.as_nanos()])?;
    let mut live = Vec::new();
    while let Some(row) = rows.next()? {
        live.push(version(row)?);
    }
    let mut all = if live.is_empty() { versions } else { merged(versions, live) };
    // Keeps the last of each start: walking backwards, the first one met.
    all.reverse();
    all.dedup_by_key(|version| version.bar.start);
    all.reverse();
    Ok(all)
}

/// A row of the live table.
pub(crate) fn version(row: &rusqlite::Row<'_>) -> Result<StoredBar, Fault> {
    let start = Instant::from_nanos(row.get(0)?);
    let bytes = row.get_ref(2)?.as_blob().map_err(|_| Fault::Unreadable("a stored bar"))?;
    Ok(StoredBar { bar: row::decode(start, bytes)?, learned_at: Instant::from_nanos(row.get(1)?) })
}

/// Two ascending lists as one; where both have a version of the same start and moment, the later list's.
pub(crate) fn merged(earlier: Vec<StoredBar>, later: Vec<StoredBar>) -> Vec<StoredBar> {
    let place = |version: &StoredBar| (version.bar.start, version.learned_at);
    let mut all = Vec::with_capacity(earlier.len() + later.len());
    let mut later = later.into_iter().peekable();
    for old in earlier {
        while let Some(new) = later.next_if(|new| place(new) < place(&old)) {
            all.push(new);
        }
        if later.peek().is_none_or(|new| place(new) != place(&old)) {
            all.push(old);
        }
    }
    all.extend(later);
    all
}

/// The row of a series, if there is one.
pub(crate) fn find(connection: &Connection, key: &SeriesKey) -> Result<Option<i64>, Fault> {
    let mut statement = connection.prepare_cached(sql::SERIES_ID)?;
    let id = statement.query_row(
        params![
            key.instrument.to_string(),
            key.interval.as_str(),
            key.vendor.as_str(),
            key.adjustment.as_str(),
            key.session.as_str(),
            key.simulated
        ],
        |row| row.get(0),
    );
    Ok(id.optional()?)
}

fn find_or_add(
    connection: &Connection,
    key: &SeriesKey,
    denomination: Option<Denomination>,
) -> Result<i64, Fault> {
    let id = match find(connection, key)? {
        Some(id) => id,
        None => {
            connection.prepare_cached(sql::SERIES_NEW)?.execute(params![
                key.instrument.to_string(),
                key.interval.as_str(),
                key.vendor.as_str(),
                key.adjustment.as_str(),
                key.session.as_str(),
                key.simulated
            ])?;
            connection.last_insert_rowid()
        }
    };
    if let Some(Denomination { currency, unit }) = denomination {
        let mut statement = connection.prepare_cached(sql::SERIES_DENOMINATION)?;
        statement.execute(params![id, currency.as_str(), unit.as_str()])?;
    }
    Ok(id)
}

fn covered(connection: &Connection, series: i64) -> Result<Vec<Range>, Fault> {
    let mut statement = connection.prepare_cached(sql::COVERED)?;
    let ranges = statement.query_map([series], |row| {
        Ok(Range::new(Instant::from_nanos(row.get(0)?), Instant::from_nanos(row.get(1)?)))
    })?;
    Ok(ranges.collect::<Result<_, _>>()?)
}

/// Adds ranges to those known completely; stored merged.
fn cover(connection: &Connection, series: i64, new: Vec<Range>) -> Result<(), Fault> {
    if new.is_empty() {
        return Ok(());
    }
    let old = covered(connection, series)?;
    let merged = Range::merged(old.iter().copied().chain(new).collect());
    let mut delete = connection.prepare_cached(sql::COVERED_DELETE)?;
    for gone in old.iter().filter(|range| !merged.contains(range)) {
        delete.execute(params![series, gone.start.as_nanos()])?;
    }
    let mut put = connection.prepare_cached(sql::COVERED_PUT)?;
    for range in merged.iter().filter(|range| !old.contains(range)) {
        put.execute(params![series, range.start.as_nanos(), range.end.as_nanos()])?;
    }
    Ok(())
}
