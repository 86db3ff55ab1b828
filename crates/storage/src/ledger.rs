//! What exchanges cost: every one of them, and their sums by date, kept together in one transaction.

use domain::{Date, Instant, Range};
use gateway::RequestId;
use gateway::ledger::{Line, Of, Spend, Sum};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::fault::Fault;
use crate::{statements as sql, word};

/// Writes lines. An exchange that is there already is replaced, and its sums move by the difference.
pub(crate) fn put(connection: &Connection, lines: &[Line]) -> Result<(), Fault> {
    for line in lines {
        let (calls, units, micros, refused, useful) = match line {
            Line::Exchange(spend) => {
                let old = connection
                    .prepare_cached(sql::SPEND_OLD)?
                    .query_row(params![spend.request.0.as_ref(), spend.number], |row| {
                        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
                    })
                    .optional()?
                    .unwrap_or_default();
                put_exchange(connection, spend)?;
                let new = (i64::from(spend.calls), whole(spend.units), whole(spend.micros));
                (new.0 - old.0, new.1 - old.1, new.2 - old.2, 0, 0)
            }
            Line::Refused(_) => (0, 0, 0, 1, 0),
            Line::Useful(_) => (0, 0, 0, 0, 1),
        };
        let of = line.of();
        connection.prepare_cached(sql::SPEND_SUM_ADD)?.execute(params![
            of.date.to_string(),
            of.vendor.as_str(),
            of.consumer.as_ref(),
            of.endpoint,
            of.symbol.as_ref(),
            calls,
            units,
            micros,
            refused,
            useful
        ])?;
    }
    Ok(())
}

fn put_exchange(connection: &Connection, spend: &Spend) -> Result<(), Fault> {
    let of = &spend.of;
    connection.prepare_cached(sql::SPEND_PUT)?.execute(params![
        spend.request.0.as_ref(),
        spend.number,
        spend.at.as_nanos(),
        of.date.to_string(),
        of.vendor.as_str(),
        of.consumer.as_ref(),
        of.endpoint,
        of.symbol.as_ref(),
        spend.calls,
        whole(spend.units),
        spend.objects,
        whole(spend.micros),
        spend.settled
    ])?;
    Ok(())
}

/// Sums of dates from one to before another.
pub(crate) fn sums(connection: &Connection, from: Date, until: Date) -> Result<Vec<Sum>, Fault> {
    let mut statement = connection.prepare_cached(sql::SPEND_SUMS)?;
    let mut rows = statement.query([from.to_string(), until.to_string()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Sum {
            of: of(row, 0)?,
            calls: count(row, 5)?,
            units: count(row, 6)?,
            micros: count(row, 7)?,
            refused: count(row, 8)?,
            useful: count(row, 9)?,
        });
    }
    Ok(found)
}

/// Exchanges behind a place, in a range of time.
pub(crate) fn exchanges(
    connection: &Connection,
    range: Range,
    behind: u64,
    limit: usize,
) -> Result<Vec<(u64, Spend)>, Fault> {
    let mut statement = connection.prepare_cached(sql::SPENDS)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows =
        statement.query(params![whole(behind), range.start.as_nanos(), range.end.as_nanos(), limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let spend = Spend {
            request: RequestId(row.get::<_, String>(1)?.into()),
            number: row.get(2)?,
            at: Instant::from_nanos(row.get(3)?),
            of: of(row, 4)?,
            calls: row.get(9)?,
            units: count(row, 10)?,
            objects: row.get(11)?,
            micros: count(row, 12)?,
            settled: row.get(13)?,
        };
        found.push((count(row, 0)?, spend));
    }
    Ok(found)
}

/// What a row is summed up by, its five columns from the `first` on.
fn of(row: &Row<'_>, first: usize) -> Result<Of, Fault> {
    let date: String = row.get(first)?;
    Ok(Of {
        date: date.parse().map_err(|_| Fault::Unreadable("a date of the ledger"))?,
        vendor: word::vendor(&row.get::<_, String>(first + 1)?),
        consumer: row.get::<_, String>(first + 2)?.into(),
        endpoint: word::literal(&row.get::<_, String>(first + 3)?),
        symbol: row.get::<_, String>(first + 4)?.into(),
    })
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn count(row: &Row<'_>, column: usize) -> Result<u64, Fault> {
    u64::try_from(row.get::<_, i64>(column)?).map_err(|_| Fault::Unreadable("an amount of the ledger"))
}
