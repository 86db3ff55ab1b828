//! Rollups of intraday series, kept in the transaction that keeps the bars (STO-5).
//!
//! Only the hours that new or corrected bars touch are summed up again, from the versions believed now.

use std::time::Duration;

use domain::{Bar, Calendar, Calendars, Instant, InstrumentId, Interval, Range};
use gateway::SeriesKey;
use gateway::rollup::{self, HOUR, Piece, Rollup, Sum};
use rusqlite::{Connection, OptionalExtension, params};

use crate::fault::Fault;
use crate::{bars, row, statements as sql};

/// At most so many neighbouring hours are summed up in one go: a month.
const MOST_HOURS: usize = 744;

/// The hours in which bars of an intraday series, ascending, start; none of a longer interval.
pub(crate) fn touched(key: &SeriesKey, bars: &[Bar]) -> Vec<Instant> {
    let bars = if key.interval.is_intraday() { bars } else { &[] };
    let mut hours: Vec<Instant> = bars.iter().map(|bar| bar.start.floor_to(HOUR)).collect();
    hours.dedup();
    hours
}

/// Sums up hours again, ascending, from the bars believed now.
pub(crate) fn refresh(
    connection: &Connection,
    series: i64,
    hours: &[Instant],
    calendar: Option<&Calendar>,
) -> Result<(), Fault> {
    let mut gone = connection.prepare_cached(sql::ROLLUP_DELETE)?;
    let mut put = connection.prepare_cached(sql::ROLLUP_PUT)?;
    let neighbours = |a: &Instant, b: &Instant| b.since(*a) <= HOUR;
    for run in hours.chunk_by(neighbours).flat_map(|run| run.chunks(MOST_HOURS)) {
        let (first, last) = (run[0], run[run.len() - 1] + HOUR - Duration::from_nanos(1));
        gone.execute(params![series, first.as_nanos(), last.as_nanos()])?;
        let believed = bars::believed(connection, series, first, last, Instant::MAX)?;
        for Piece { hour, date, sum } in rollup::pieces(&believed, calendar) {
            let told = row::encode(&Bar {
                open: sum.open,
                high: sum.high,
                low: sum.low,
                close: sum.close,
                volume: sum.volume,
                ..Bar::empty(hour)
            });
            let (date, count) = (row::date_number(date), i64::try_from(sum.bar_count).unwrap_or(i64::MAX));
            put.execute(params![series, hour.as_nanos(), date, count, sum.learned_at.as_nanos(), told])?;
        }
    }
    Ok(())
}

/// Rolls up one series that has bars from before there were rollups. Answers whether there was one.
pub(crate) fn catch_up(connection: &Connection, calendars: &Calendars) -> Result<bool, Fault> {
    let mut due = connection.prepare_cached(sql::ROLLUP_DUE)?;
    let found: Option<(i64, String)> = due.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((series, instrument)) = found else { return Ok(false) };
    let instrument = InstrumentId::parse(&instrument).ok_or(Fault::Unreadable("an instrument"))?;
    let all = bars::believed(connection, series, Instant::MIN, Instant::MAX, Instant::MAX)?;
    let mut hours: Vec<Instant> = all.iter().map(|stored| stored.bar.start.floor_to(HOUR)).collect();
    hours.dedup();
    refresh(connection, series, &hours, calendars.of(instrument.venue()))?;
    connection.prepare_cached(sql::ROLLUP_DONE)?.execute([series])?;
    Ok(true)
}

/// The rollups of every intraday series of an instrument in a range.
pub(crate) fn rollups(
    connection: &Connection,
    instrument: &InstrumentId,
    range: Range,
    calendars: &Calendars,
) -> Result<Vec<Rollup>, Fault> {
    let calendar = calendars.of(instrument.venue());
    let mut found = Vec::new();
    for interval in Interval::ALL.into_iter().filter(|interval| interval.is_intraday()) {
        for stored in bars::series(connection, instrument, interval)? {
            let Some(series) = bars::find(connection, &stored.key)? else { continue };
            let pieces = pieces(connection, series, rollup::needed(range))?;
            found.extend(rollup::windows(&stored.key, &pieces, range, &stored.covered, calendar));
        }
    }
    Ok(found)
}

/// The pieces of hours that start in a range, ascending.
fn pieces(connection: &Connection, series: i64, range: Range) -> Result<Vec<Piece>, Fault> {
    let mut statement = connection.prepare_cached(sql::ROLLUPS)?;
    let mut rows = statement.query(params![series, range.start.as_nanos(), range.end.as_nanos()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let unreadable = || Fault::Unreadable("a rollup");
        let hour = Instant::from_nanos(row.get(0)?);
        let bytes = row.get_ref(4)?.as_blob().map_err(|_| unreadable())?;
        let Bar { open, high, low, close, volume, .. } = row::decode(hour, bytes)?;
        found.push(Piece {
            hour,
            date: row::date(row.get(1)?).ok_or_else(unreadable)?,
            sum: Sum {
                open,
                high,
                low,
                close,
                volume,
                bar_count: row.get::<_, i64>(2)?.unsigned_abs(),
                learned_at: Instant::from_nanos(row.get(3)?),
            },
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    //! STO-5, STO-11: a database from before there were rollups gets them.
    use domain::Size;
    use gateway::StoredBar;
    use gateway::rollup::Window;

    use super::*;
    use crate::{migration, samples, sealed};

    #[test]
    fn bars_kept_by_the_first_schema_are_rolled_up_later_whether_live_or_sealed() {
        let mut connection = Connection::open_in_memory().expect("a database");
        migration::apply(&mut connection, &migration::ALL[..1], None).expect("the first schema");
        for (id, interval) in [(1, "1m"), (2, "1d")] {
            connection
                .execute(
                    "INSERT INTO series VALUES (?1, 'AAPL.XNAS', ?2, 'yahoo', 'raw', 'regular', 0, NULL, NULL)",
                    params![id, interval],
                )
                .expect("a series");
        }
        let minutes: Vec<Bar> = (0..90).map(samples::minute_bar).collect();
        let (old, new) = minutes.split_at(45);
        let learned = |bar: &Bar| StoredBar { bar: bar.clone(), learned_at: Instant::EPOCH };
        sealed::merge(&connection, 1, &old.iter().map(learned).collect::<Vec<_>>()).expect("sealed bars");
        for bar in new {
            let row = params![bar.start.as_nanos(), row::encode(bar)];
            connection.execute("INSERT INTO bar VALUES (1, ?1, 0, ?2)", row).expect("a live bar");
        }

        migration::apply(&mut connection, migration::ALL, None).expect("the newest schema");
        let calendars = Calendars::built_in();
        assert!(catch_up(&connection, &calendars).expect("the first series"));
        assert!(!catch_up(&connection, &calendars).expect("no other"), "only intraday series, and each once");

        let id = InstrumentId::parse("AAPL.XNAS").expect("an instrument");
        let start = minutes[0].start.floor_to(24 * HOUR);
        let found =
            rollups(&connection, &id, Range::new(start, start + 24 * HOUR), &calendars).expect("them");
        let volume = |bars: &[Bar]| {
            let all = bars.iter().map(|bar| bar.volume.expect("a volume").decimal());
            Some(Size::new(all.sum()))
        };
        // From half past two UTC, thirty minutes to the hour.
        let hour = start + 14 * HOUR;
        let told: Vec<_> = found.iter().map(|rollup| (rollup.window, rollup.sum.volume)).collect();
        assert_eq!(
            told,
            [
                (Window::Hour(hour), volume(&minutes[..30])),
                (Window::Hour(hour + HOUR), volume(&minutes[30..])),
                (Window::Day(start.utc_date()), volume(&minutes)),
            ]
        );
    }
}
