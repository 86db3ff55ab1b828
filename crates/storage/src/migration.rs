//! Steps of the schema, forward only. A step that was taken is never edited: its checksum is kept.

use std::fmt::Write;
use std::path::Path;

use gateway::StoreError;
use rusqlite::{Connection, MAIN_DB, OptionalExtension, params};
use sha2::{Digest, Sha256};

use crate::fault::Fault;

/// One step: brings the schema from the version before to its own.
#[derive(Clone, Copy)]
pub(crate) struct Migration {
    /// Version reached by it; the first is 1, each next one higher by one.
    pub(crate) version: u32,
    /// The statements.
    pub(crate) sql: &'static str,
}

/// Every step, in order.
pub(crate) const ALL: &[Migration] = &[
    Migration { version: 1, sql: include_str!("../migrations/0001_first.sql") },
    Migration { version: 2, sql: include_str!("../migrations/0002_rollups.sql") },
    Migration { version: 3, sql: include_str!("../migrations/0003_ledger.sql") },
];

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS migration (
    version INTEGER PRIMARY KEY,
    checksum TEXT NOT NULL
)";

/// Brings the schema to the newest version, after a copy to `backup` if there is something to lose.
///
/// # Errors
/// [`StoreError::Unusable`] for a newer schema or a step that was taken in another form,
/// [`StoreError::ReadOnly`] if the disk refuses. The database is then as it was.
pub(crate) fn apply(
    connection: &mut Connection,
    steps: &[Migration],
    backup: Option<&Path>,
) -> Result<(), StoreError> {
    let newest = steps.last().map_or(0, |step| step.version);
    let present = user_version(connection).map_err(Fault::from)?;
    if present > newest {
        return Err(StoreError::Unusable(format!(
            "its schema is version {present} and this program knows versions up to {newest}: use the newer \
             program, or the copy of the database made before it was migrated"
        )));
    }
    for step in steps.iter().filter(|step| step.version <= present) {
        let sum: Option<String> = connection
            .query_row("SELECT checksum FROM migration WHERE version = ?1", [step.version], |row| row.get(0))
            .optional()
            .map_err(Fault::from)?;
        if sum.as_deref() != Some(&checksum(step)) {
            return Err(StoreError::Unusable(format!(
                "step {} of its schema was made by a different program",
                step.version
            )));
        }
    }
    if present == newest {
        return Ok(());
    }
    if let Some(path) = backup.filter(|_| present > 0) {
        connection.backup(MAIN_DB, path, None::<fn(rusqlite::backup::Progress)>).map_err(Fault::from)?;
    }
    let work = connection.transaction().map_err(Fault::from)?;
    work.execute_batch(LEDGER).map_err(Fault::from)?;
    for step in steps.iter().filter(|step| step.version > present) {
        work.execute_batch(step.sql).map_err(Fault::from)?;
        let row = params![step.version, checksum(step)];
        work.execute("INSERT INTO migration (version, checksum) VALUES (?1, ?2)", row)
            .map_err(Fault::from)?;
    }
    work.pragma_update(None, "user_version", newest).map_err(Fault::from)?;
    work.commit().map_err(Fault::from)?;
    Ok(())
}

fn user_version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn checksum(step: &Migration) -> String {
    Sha256::digest(step.sql).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    //! STO-11: migrations go forward only, are backed up first, and refuse what they do not know.
    use super::*;

    const ONE: Migration = Migration { version: 1, sql: "CREATE TABLE a (x INTEGER PRIMARY KEY);" };
    const TWO: Migration = Migration { version: 2, sql: "ALTER TABLE a ADD COLUMN y TEXT;" };
    const BROKEN: Migration =
        Migration { version: 2, sql: "ALTER TABLE a ADD COLUMN y TEXT; INSERT INTO nowhere VALUES (1);" };

    #[test]
    fn a_database_is_copied_before_it_is_migrated_and_keeps_its_rows() {
        let folder = tempfile::tempdir().expect("a folder");
        let copy = folder.path().join("copy");
        let mut connection = Connection::open(folder.path().join("db")).expect("a database");
        apply(&mut connection, &[ONE], Some(&copy)).expect("the first schema");
        assert!(!copy.exists(), "nothing to lose yet");
        connection.execute("INSERT INTO a VALUES (7)", []).expect("a row");
        apply(&mut connection, &[ONE, TWO], Some(&copy)).expect("the second schema");
        apply(&mut connection, &[ONE, TWO], Some(&copy)).expect("nothing to do");
        let kept: (i64, Option<String>) =
            connection.query_row("SELECT x, y FROM a", [], |row| Ok((row.get(0)?, row.get(1)?))).expect("it");
        assert_eq!(kept, (7, None));
        let old = Connection::open(copy).expect("the copy");
        assert_eq!(user_version(&old), Ok(1));
        assert_eq!(old.query_row("SELECT x FROM a", [], |row| row.get::<_, i64>(0)), Ok(7));
    }

    #[test]
    fn a_step_that_fails_leaves_the_database_as_it_was() {
        let mut connection = Connection::open_in_memory().expect("a database");
        apply(&mut connection, &[ONE], None).expect("the first schema");
        assert!(matches!(apply(&mut connection, &[ONE, BROKEN], None), Err(StoreError::Unusable(_))));
        assert_eq!(user_version(&connection), Ok(1));
        apply(&mut connection, &[ONE, TWO], None).expect("the column is not there yet");
    }

    #[test]
    fn a_newer_or_a_different_schema_is_refused() {
        let mut connection = Connection::open_in_memory().expect("a database");
        apply(&mut connection, &[ONE, TWO], None).expect("the second schema");
        let newer = apply(&mut connection, &[ONE], None).expect_err("unknown version");
        assert!(newer.to_string().contains("version 2 and this program knows versions up to 1"), "{newer}");
        let edited = Migration { version: 1, sql: "CREATE TABLE b (x INTEGER PRIMARY KEY);" };
        let other = apply(&mut connection, &[edited, TWO], None).expect_err("edited step");
        assert!(other.to_string().contains("step 1"), "{other}");
    }

    #[test]
    fn the_steps_of_this_program_are_numbered_without_a_gap() {
        for (index, step) in ALL.iter().enumerate() {
            assert_eq!(step.version as usize, index + 1);
        }
    }
}
