//! Every statement the store runs, in one place, so that a test sees the plan of each.

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: &str = $sql;)*

        /// All of them, with their names.
        #[cfg(test)]
        const ALL: &[(&str, &str)] = &[$((stringify!($name), $sql),)*];
    };
}

statements! {
    SERIES_OF = "SELECT id, vendor, adjustment, session, simulated, currency, unit FROM series
        WHERE instrument = ?1 AND interval = ?2 ORDER BY vendor, adjustment, session, simulated";
    SERIES_ID = "SELECT id FROM series WHERE instrument = ?1 AND interval = ?2 AND vendor = ?3
        AND adjustment = ?4 AND session = ?5 AND simulated = ?6";
    SERIES_NEW = "INSERT INTO series (instrument, interval, vendor, adjustment, session, simulated)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    SERIES_DENOMINATION = "UPDATE series SET currency = ?2, unit = ?3 WHERE id = ?1
        AND (currency IS NOT ?2 OR unit IS NOT ?3)";
    SERIES_AFTER = "SELECT id FROM series WHERE id > ?1 ORDER BY id LIMIT 1";

    LIVE_BARS = "SELECT start, learned_at, row FROM bar WHERE series = ?1 AND start BETWEEN ?2 AND ?3
        AND learned_at <= ?4 ORDER BY start, learned_at";
    LIVE_BARS_BEFORE = "SELECT start, learned_at, row FROM bar WHERE series = ?1 AND start >= ?2
        AND start < ?3 ORDER BY start, learned_at LIMIT ?4";
    LIVE_ANY = "SELECT 1 FROM bar WHERE series = ?1 AND start BETWEEN ?2 AND ?3 LIMIT 1";
    BAR_PUT = "INSERT INTO bar (series, start, learned_at, row) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (series, start, learned_at) DO UPDATE SET row = excluded.row";
    BAR_DELETE = "DELETE FROM bar WHERE series = ?1 AND start = ?2 AND learned_at = ?3";

    BLOCK_BEFORE = "SELECT id, first, first_learned, last, last_learned, count, rows FROM block
        WHERE series = ?1 AND first < ?2 ORDER BY first DESC, first_learned DESC LIMIT 1";
    BLOCKS_IN = "SELECT id, first, first_learned, last, last_learned, count, rows FROM block
        WHERE series = ?1 AND first BETWEEN ?2 AND ?3 ORDER BY first, first_learned";
    BLOCK_HOME = "SELECT id, first, first_learned, last, last_learned, count, rows FROM block
        WHERE series = ?1 AND (first, first_learned) <= (?2, ?3)
        ORDER BY first DESC, first_learned DESC LIMIT 1";
    BLOCK_NEXT = "SELECT first, first_learned FROM block
        WHERE series = ?1 AND (first, first_learned) > (?2, ?3) ORDER BY first, first_learned LIMIT 1";
    BLOCK_PUT = "INSERT INTO block (series, first, first_learned, last, last_learned, count, rows)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    BLOCK_DELETE = "DELETE FROM block WHERE id = ?1";

    COVERED = "SELECT start, end FROM covered WHERE series = ?1 ORDER BY start";
    COVERED_DELETE = "DELETE FROM covered WHERE series = ?1 AND start = ?2";
    COVERED_PUT = "INSERT INTO covered (series, start, end) VALUES (?1, ?2, ?3)";

    ROLLUPS = "SELECT hour, date, bars, learned_at, row FROM rollup
        WHERE series = ?1 AND hour >= ?2 AND hour < ?3 ORDER BY hour, date";
    ROLLUP_PUT = "INSERT INTO rollup (series, hour, date, bars, learned_at, row)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    ROLLUP_DELETE = "DELETE FROM rollup WHERE series = ?1 AND hour BETWEEN ?2 AND ?3";
    ROLLUP_DUE = "SELECT series.id, series.instrument FROM rollup_due JOIN series
        ON series.id = rollup_due.series ORDER BY rollup_due.series LIMIT 1";
    ROLLUP_DONE = "DELETE FROM rollup_due WHERE series = ?1";

    ACTIONS = "SELECT ex_date, kind, learned_at, vendor, body FROM action
        WHERE instrument = ?1 AND learned_at <= ?2 ORDER BY ex_date, kind, learned_at";
    ACTION_BELIEVED = "SELECT vendor, body FROM action WHERE instrument = ?1 AND ex_date = ?2 AND kind = ?3
        AND learned_at <= ?4 ORDER BY learned_at DESC LIMIT 1";
    ACTION_PUT = "INSERT INTO action (instrument, ex_date, kind, learned_at, vendor, body)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (instrument, ex_date, kind, learned_at)
        DO UPDATE SET vendor = excluded.vendor, body = excluded.body";
    KNOWN = "SELECT start, end FROM action_known WHERE instrument = ?1 AND kind = ?2 AND learned_at <= ?3
        ORDER BY start, end";
    KNOWN_PUT = "INSERT INTO action_known (instrument, kind, start, end, learned_at)
        VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (instrument, kind, start, end) DO NOTHING";

    QUOTE_PUT = "INSERT INTO quote (instrument, vendor, simulated, received_at, score, body)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (instrument, vendor, simulated, received_at)
        DO UPDATE SET score = excluded.score, body = excluded.body";
    LATEST_PUT = "INSERT INTO latest_quote (instrument, vendor, simulated, received_at, score, body)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (instrument, vendor, simulated)
        DO UPDATE SET received_at = excluded.received_at, score = excluded.score, body = excluded.body
        WHERE excluded.received_at >= latest_quote.received_at";
    LATEST_QUOTES = "SELECT vendor, simulated, received_at, score, body FROM latest_quote
        WHERE instrument = ?1 ORDER BY vendor, simulated";

    QUOTES_PURGE = "DELETE FROM quote WHERE received_at < ?1";

    INSTRUMENT_PUT = "INSERT INTO instrument (vendor, id, learned_at, body) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (vendor, id) DO UPDATE SET learned_at = excluded.learned_at, body = excluded.body
        WHERE excluded.learned_at >= instrument.learned_at";
    /// Reads the whole table, which is what its caller wants.
    INSTRUMENTS = "SELECT vendor, body FROM instrument ORDER BY vendor, id";

    QUOTA_PUT = "INSERT INTO quota (vendor, sequence, body, written_at, uptime_ms, boot)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (vendor) DO UPDATE SET sequence = excluded.sequence,
        body = excluded.body, written_at = excluded.written_at, uptime_ms = excluded.uptime_ms,
        boot = excluded.boot WHERE excluded.sequence >= quota.sequence";
    QUOTA = "SELECT body, written_at, uptime_ms, boot FROM quota WHERE vendor = ?1";

    EVENT_PUT = "INSERT INTO event (at, vendor, kind, severity, text) VALUES (?1, ?2, ?3, ?4, ?5)";
    EVENTS = "SELECT at, vendor, kind, severity, text FROM event ORDER BY at DESC, id DESC LIMIT ?1";

    EVENTS_PURGE = "DELETE FROM event WHERE at < ?1";

    DECISION_PUT = "INSERT INTO decision (request, at, body) VALUES (?1, ?2, ?3)
        ON CONFLICT (request) DO UPDATE SET at = excluded.at, body = excluded.body";
    DECISION = "SELECT body FROM decision WHERE request = ?1 AND at >= ?2";
    DECISIONS_PURGE = "DELETE FROM decision WHERE at < ?1";

    FAILURE_PUT = "INSERT INTO failure (at, body) VALUES (?1, ?2)";
    FAILURES = "SELECT body FROM failure WHERE at >= ?1 ORDER BY at DESC, id DESC LIMIT ?2";
    FAILURES_PURGE = "DELETE FROM failure WHERE at < ?1";

    SPEND_OLD = "SELECT calls, units, micros FROM spend WHERE request = ?1 AND number = ?2";
    SPEND_PUT = "INSERT INTO spend (request, number, at, date, vendor, consumer, endpoint, symbol, calls,
        units, objects, micros, settled) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
        ON CONFLICT (request, number) DO UPDATE SET calls = excluded.calls, units = excluded.units,
        objects = excluded.objects, micros = excluded.micros, settled = excluded.settled";
    SPENDS = "SELECT id, request, number, at, date, vendor, consumer, endpoint, symbol, calls, units, objects,
        micros, settled FROM spend WHERE id > ?1 AND at >= ?2 AND at < ?3 ORDER BY id LIMIT ?4";
    SPEND_SUM_ADD = "INSERT INTO spend_sum (date, vendor, consumer, endpoint, symbol, calls, units, micros,
        refused, useful) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
        ON CONFLICT (date, vendor, consumer, endpoint, symbol) DO UPDATE SET calls = calls + excluded.calls,
        units = units + excluded.units, micros = micros + excluded.micros,
        refused = refused + excluded.refused, useful = useful + excluded.useful";
    SPEND_SUMS = "SELECT date, vendor, consumer, endpoint, symbol, calls, units, micros, refused, useful
        FROM spend_sum WHERE date >= ?1 AND date < ?2 ORDER BY date, vendor, consumer, endpoint, symbol";

    FACT_PUT = "INSERT INTO fact (name, value) VALUES (?1, ?2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    FACT = "SELECT value FROM fact WHERE name = ?1";
}

#[cfg(test)]
mod tests {
    //! STO-5: every query uses its index.
    use rusqlite::Connection;

    use super::*;
    use crate::migration;

    /// Statements whose purpose is to read a whole table, or its newest end through an index.
    const WHOLE: &[&str] = &["INSTRUMENTS", "EVENTS", "ROLLUP_DUE"];

    fn plan(connection: &Connection, sql: &str) -> Vec<String> {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("a plan");
        let count = statement.parameter_count();
        let nulls = rusqlite::params_from_iter((0..count).map(|_| rusqlite::types::Null));
        let lines = statement.query_map(nulls, |row| row.get(3)).expect("its lines");
        lines.collect::<Result<_, _>>().expect("as text")
    }

    #[test]
    fn no_statement_scans_a_table_or_sorts_rows() {
        let mut connection = Connection::open_in_memory().expect("a database");
        migration::apply(&mut connection, migration::ALL, None).expect("the schema");
        for (name, sql) in ALL {
            for line in plan(&connection, sql) {
                let scans = line.contains("SCAN") && !line.contains("USING INDEX") && !WHOLE.contains(name);
                assert!(!scans && !line.contains("TEMP B-TREE"), "{name}: {line}");
            }
        }
    }

    #[test]
    fn the_plan_check_notices_a_scan() {
        let mut connection = Connection::open_in_memory().expect("a database");
        migration::apply(&mut connection, migration::ALL, None).expect("the schema");
        let lines = plan(&connection, "SELECT body FROM failure WHERE date(at) = ?1");
        assert!(lines.iter().any(|line| line.contains("SCAN")), "{lines:?}");
    }
}
