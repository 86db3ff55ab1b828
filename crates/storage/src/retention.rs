//! How long rows are kept that grow with time alone.

use std::time::Duration;

use domain::Instant;
use rusqlite::Connection;

use crate::fault::Fault;
use crate::statements as sql;

/// How long quotes are kept.
const QUOTES_FOR: Duration = Duration::from_secs(30 * 86_400);
/// How long events are kept: six months.
const EVENTS_FOR: Duration = Duration::from_secs(183 * 86_400);

/// What was dropped for its age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Quotes received more than 30 days ago. The latest one of each vendor and instrument stays readable.
    pub quotes: usize,
    /// Events more than six months old.
    pub events: usize,
}

impl Dropped {
    /// Whether there was nothing to drop.
    pub fn is_nothing(self) -> bool {
        self == Dropped::default()
    }
}

/// Drops what has passed its age.
pub(crate) fn drop_old(connection: &Connection, now: Instant) -> Result<Dropped, Fault> {
    let purge = |statement: &str, kept: Duration| {
        connection.prepare_cached(statement)?.execute([(now - kept).as_nanos()])
    };
    Ok(Dropped {
        quotes: purge(sql::QUOTES_PURGE, QUOTES_FOR)?,
        events: purge(sql::EVENTS_PURGE, EVENTS_FOR)?,
    })
}

#[cfg(test)]
mod tests {
    //! STO-10: what grows with time alone has an end, and what is dropped is counted.
    use rusqlite::params;

    use super::*;
    use crate::migration;

    #[test]
    fn quotes_go_after_thirty_days_and_events_after_six_months_and_not_a_moment_earlier() {
        let mut connection = Connection::open_in_memory().expect("a database");
        migration::apply(&mut connection, migration::ALL, None).expect("the schema");
        let now = Instant::from_secs(1_767_643_200);
        for kept in [QUOTES_FOR, QUOTES_FOR + Duration::from_nanos(1)] {
            let row = params![(now - kept).as_nanos()];
            for table in ["quote", "latest_quote"] {
                let sql =
                    format!("INSERT OR REPLACE INTO {table} VALUES ('A.XNAS', 'yahoo', 0, ?1, 50.0, '{{}}')");
                connection.execute(&sql, row).expect("a quote");
            }
        }
        for kept in [EVENTS_FOR, EVENTS_FOR + Duration::from_nanos(1)] {
            let row = params![(now - kept).as_nanos()];
            let sql = "INSERT INTO event (at, kind, severity, text) VALUES (?1, 'banned', 'critical', '')";
            connection.execute(sql, row).expect("an event");
        }
        assert_eq!(drop_old(&connection, now).expect("a drop"), Dropped { quotes: 1, events: 1 });
        let again = drop_old(&connection, now).expect("nothing to do");
        assert!(again.is_nothing(), "{again:?}");
        let later = now + Duration::from_secs(400 * 86_400);
        assert_eq!(drop_old(&connection, later).expect("a drop"), Dropped { quotes: 1, events: 1 });
        let latest: i64 =
            connection.query_row("SELECT count(*) FROM latest_quote", [], |row| row.get(0)).expect("a count");
        assert_eq!(latest, 1, "the latest quote stays");
    }
}
