//! The store: one data directory with one SQLite file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::{Calendars, Date, Instant, Instrument, InstrumentId, Interval, Range, VendorId};
use gateway::answer::Failure;
use gateway::ledger::{Line, Spend, Sum};
use gateway::rollup::Rollup;
use gateway::{
    Clock, Decision, NewBars, Pending, RequestId, SeriesKey, Store, StoreError, StoredActions, StoredBar,
    StoredQuote, StoredSeries,
};
use resilience::quota;
use rusqlite::Connection;
use telemetry::Event;

use crate::boot::Reading;
use crate::fault::Fault;
use crate::journal::StoredEvent;
use crate::retention::{self, Dropped};
use crate::sealed::Progress;
use crate::worker::{OnSlow, Watch, Workers, connect};
use crate::{
    actions, bars, dated_facts, instruments, journal, ledger, migration, quotas, quotes, rollups, sealed,
};

/// The file inside the data directory.
const FILE: &str = "mda.sqlite";
/// Bytes per page: blocks of some kilobytes waste less of large pages, single rows write less with small ones.
const PAGE_BYTES: u32 = 8_192;

/// How a store works; the defaults suit a gateway.
#[derive(Clone)]
pub struct Options {
    /// Connections that read, each with a thread of its own; at least one is used.
    pub readers: usize,
    /// The file may grow to so many pages of 8 KiB; `None`: as the disk allows.
    pub max_pages: Option<u32>,
    /// Work that takes so long is told to `on_slow`.
    pub slow_from: Duration,
    /// Hears of slow work.
    pub on_slow: Option<OnSlow>,
    /// Reads the machine's run time, against which the age of quota counters is measured.
    pub reading: fn() -> Reading,
    /// Trading calendars: to which date a bar is rolled up. Sums made by an earlier calendar stay as they are.
    pub calendars: Arc<Calendars>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            readers: 4,
            max_pages: None,
            slow_from: Duration::from_millis(100),
            on_slow: None,
            reading: Reading::take,
            calendars: Arc::new(Calendars::built_in()),
        }
    }
}

/// What the gateway keeps, in SQLite.
///
/// One thread writes, committing everything that waits with one synchronisation; several read and never wait
/// for it. Dropping the store finishes the writes that were asked and closes the file.
pub struct Sqlite {
    workers: Workers,
    clock: Arc<dyn Clock>,
    reading: fn() -> Reading,
    calendars: Arc<Calendars>,
}

impl Sqlite {
    /// Opens the store of a data directory, which is created if it is absent, with the default [`Options`].
    ///
    /// # Errors
    /// [`StoreError::Unusable`] for a damaged file or one of a newer version; [`StoreError::ReadOnly`] if the
    /// disk refuses.
    pub fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<Sqlite, StoreError> {
        Sqlite::open_with(directory, clock, Options::default())
    }

    /// The same with other options.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub fn open_with(
        directory: &Path,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Sqlite, StoreError> {
        std::fs::create_dir_all(directory)
            .map_err(|error| StoreError::ReadOnly(format!("its directory cannot be made: {error}")))?;
        let file = directory.join(FILE);
        let mut writer = connect(&file).map_err(damaged)?;
        prepare(&writer, options.max_pages).map_err(damaged)?;
        let copy = directory.join(format!("{FILE}.before-migration"));
        migration::apply(&mut writer, migration::ALL, Some(&copy))?;
        let readers: Result<Vec<Connection>, Fault> =
            (0..options.readers.max(1)).map(|_| reader(&file)).collect();
        let watch = Watch { clock: clock.clone(), slow_from: options.slow_from, on_slow: options.on_slow };
        let workers = Workers::threads(writer, readers.map_err(damaged)?, watch)?;
        Ok(Sqlite { workers, clock, reading: options.reading, calendars: options.calendars })
    }

    /// A store that lives in memory and ends with this value, worked on by whoever polls it: for tests and
    /// simulations.
    ///
    /// # Panics
    /// If the machine has no memory for an empty database.
    pub fn in_memory(clock: Arc<dyn Clock>) -> Sqlite {
        let mut connection = Connection::open_in_memory().expect("an empty database fits into memory");
        migration::apply(&mut connection, migration::ALL, None).expect("the schema fits an empty database");
        let Options { slow_from, reading, calendars, .. } = Options::default();
        let watch = Watch { clock: clock.clone(), slow_from, on_slow: None };
        Sqlite { workers: Workers::inline(connection, watch), clock, reading, calendars }
    }

    /// Keeps bars straight in sealed blocks, which is ten times as fast and a fifth of the size: for history.
    /// Unfinished bars go where [`Store::put_bars`] puts them. What is read afterwards is the same.
    ///
    /// # Errors
    /// As any write.
    pub fn bulk_bars(&self, bars: NewBars) -> Pending<'_, Result<(), StoreError>> {
        let calendars = Arc::clone(&self.calendars);
        self.workers.write("bulk_bars", move |connection| bars::put_sealed(connection, bars, &calendars))
    }

    /// Seals live final bars that start before `before` into compressed blocks, with all their versions.
    /// Nothing that can be read changes. Returns how many versions were sealed.
    ///
    /// Works in transactions of bounded size, so that other writes get their turn; what a failure interrupts
    /// is done the next time.
    ///
    /// # Errors
    /// As any write.
    pub async fn seal(&self, before: Instant) -> Result<usize, StoreError> {
        let mut at = Some(Progress { series: 0, from: Instant::MIN });
        let mut sealed = 0;
        while let Some(progress) = at {
            let work = move |connection: &Connection| sealed::seal_some(connection, progress, before);
            let (moved, next) = self.workers.write("seal", work).await?;
            sealed += moved;
            at = next;
        }
        Ok(sealed)
    }

    /// Rolls up series whose bars were kept before there were rollups, one in each transaction. Returns how
    /// many; rolled up once, a series stays so.
    ///
    /// # Errors
    /// As any write; what is left is done the next time.
    pub async fn roll_up(&self) -> Result<usize, StoreError> {
        let mut count = 0;
        loop {
            let calendars = Arc::clone(&self.calendars);
            let work = move |connection: &Connection| rollups::catch_up(connection, &calendars);
            if !self.workers.write("roll_up", work).await? {
                return Ok(count);
            }
            count += 1;
        }
    }

    /// Drops what has passed its age at `now`: quotes after 30 days, but the latest of each vendor, and events
    /// after 6 months (STO-10). Returns how much was dropped, so that it can be told.
    ///
    /// # Errors
    /// As any write.
    pub fn retain(&self, now: Instant) -> Pending<'_, Result<Dropped, StoreError>> {
        self.workers.write("retain", move |connection| retention::drop_old(connection, now))
    }

    /// The newest events, newest first.
    ///
    /// # Errors
    /// As any read.
    pub fn events(&self, limit: usize) -> Pending<'_, Result<Vec<StoredEvent>, StoreError>> {
        self.workers.read("events", move |connection| journal::events(connection, limit))
    }
}

fn prepare(connection: &Connection, max_pages: Option<u32>) -> Result<(), Fault> {
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    if let Some(pages) = max_pages {
        connection.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(())
}

fn reader(file: &Path) -> Result<Connection, Fault> {
    let connection = connect(file)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// What goes wrong on opening, with what can be done about it.
fn damaged(fault: Fault) -> StoreError {
    match fault.told() {
        StoreError::Unusable(reason) => StoreError::Unusable(format!(
            "{reason}: move {FILE} out of the data directory to start anew, or put a copy in its place"
        )),
        other => other,
    }
}

impl Store for Sqlite {
    fn series<'a>(
        &'a self,
        instrument: &'a InstrumentId,
        interval: Interval,
    ) -> Pending<'a, Result<Vec<StoredSeries>, StoreError>> {
        let instrument = instrument.clone();
        self.workers.read("series", move |connection| bars::series(connection, &instrument, interval))
    }

    fn bars<'a>(
        &'a self,
        key: &'a SeriesKey,
        range: Range,
        asof: Option<Instant>,
    ) -> Pending<'a, Result<Vec<StoredBar>, StoreError>> {
        let key = key.clone();
        self.workers.read("bars", move |connection| bars::bars(connection, &key, range, asof))
    }

    fn put_bars(&self, bars: NewBars) -> Pending<'_, Result<(), StoreError>> {
        let calendars = Arc::clone(&self.calendars);
        self.workers.write("put_bars", move |connection| bars::put(connection, bars, &calendars))
    }

    fn rollups<'a>(
        &'a self,
        instrument: &'a InstrumentId,
        range: Range,
    ) -> Pending<'a, Result<Vec<Rollup>, StoreError>> {
        let (instrument, calendars) = (instrument.clone(), Arc::clone(&self.calendars));
        let work =
            move |connection: &Connection| rollups::rollups(connection, &instrument, range, &calendars);
        self.workers.read("rollups", work)
    }

    fn actions<'a>(
        &'a self,
        instrument: &'a InstrumentId,
        asof: Option<Instant>,
    ) -> Pending<'a, Result<StoredActions, StoreError>> {
        let instrument = instrument.clone();
        self.workers.read("actions", move |connection| actions::known(connection, &instrument, asof))
    }

    fn put_actions<'a>(
        &'a self,
        instrument: &'a InstrumentId,
        news: StoredActions,
    ) -> Pending<'a, Result<(), StoreError>> {
        let (instrument, now) = (instrument.clone(), self.clock.now());
        let work = move |connection: &Connection| actions::put(connection, &instrument, &news, now);
        self.workers.write("put_actions", work)
    }

    fn put_quotes(&self, quotes: Vec<StoredQuote>) -> Pending<'_, Result<(), StoreError>> {
        self.workers.write("put_quotes", move |connection| quotes::put(connection, &quotes))
    }

    fn latest_quotes<'a>(
        &'a self,
        instrument: &'a InstrumentId,
    ) -> Pending<'a, Result<Vec<StoredQuote>, StoreError>> {
        let instrument = instrument.clone();
        self.workers.read("latest_quotes", move |connection| quotes::latest(connection, &instrument))
    }

    fn put_instruments(
        &self,
        vendor: VendorId,
        instruments: Vec<Instrument>,
        learned_at: Instant,
    ) -> Pending<'_, Result<(), StoreError>> {
        let work =
            move |connection: &Connection| instruments::put(connection, vendor, &instruments, learned_at);
        self.workers.write("put_instruments", work)
    }

    fn instruments(&self) -> Pending<'_, Result<Vec<(VendorId, Instrument)>, StoreError>> {
        self.workers.read("instruments", instruments::all)
    }

    fn put_quota<'a>(
        &'a self,
        vendor: VendorId,
        snapshot: &'a quota::Snapshot,
    ) -> Pending<'a, Result<(), StoreError>> {
        let (snapshot, reading, now) = (snapshot.clone(), (self.reading)(), self.clock.now());
        let work = move |connection: &Connection| quotas::put(connection, vendor, &snapshot, (&reading, now));
        self.workers.write("put_quota", work)
    }

    fn quota(
        &self,
        vendor: VendorId,
    ) -> Pending<'_, Result<Option<(quota::Snapshot, Duration)>, StoreError>> {
        let (reading, now) = ((self.reading)(), self.clock.now());
        self.workers.read("quota", move |connection| quotas::get(connection, vendor, (&reading, now)))
    }

    fn put_events(&self, events: Vec<Event>) -> Pending<'_, Result<(), StoreError>> {
        self.workers.write("put_events", move |connection| journal::put_events(connection, &events))
    }

    fn put_decisions(&self, decisions: Vec<Decision>) -> Pending<'_, Result<(), StoreError>> {
        let now = self.clock.now();
        let work = move |connection: &Connection| journal::put_decisions(connection, &decisions, now);
        self.workers.write("put_decisions", work)
    }

    fn decision<'a>(&'a self, id: &'a RequestId) -> Pending<'a, Result<Option<Decision>, StoreError>> {
        let (id, now) = (id.clone(), self.clock.now());
        self.workers.read("decision", move |connection| journal::decision(connection, id, now))
    }

    fn put_failures(&self, failures: Vec<Failure>) -> Pending<'_, Result<(), StoreError>> {
        let now = self.clock.now();
        let work = move |connection: &Connection| journal::put_failures(connection, &failures, now);
        self.workers.write("put_failures", work)
    }

    fn failures(&self, limit: usize) -> Pending<'_, Result<Vec<Failure>, StoreError>> {
        let now = self.clock.now();
        self.workers.read("failures", move |connection| journal::failures(connection, limit, now))
    }

    fn put_spends(&self, lines: Vec<Line>) -> Pending<'_, Result<(), StoreError>> {
        self.workers.write("put_spends", move |connection| ledger::put(connection, &lines))
    }

    fn spend_sums(&self, from: Date, until: Date) -> Pending<'_, Result<Vec<Sum>, StoreError>> {
        self.workers.read("spend_sums", move |connection| ledger::sums(connection, from, until))
    }

    fn spends(
        &self,
        range: Range,
        behind: u64,
        limit: usize,
    ) -> Pending<'_, Result<Vec<(u64, Spend)>, StoreError>> {
        let work = move |connection: &Connection| ledger::exchanges(connection, range, behind, limit);
        self.workers.read("spends", work)
    }

    fn put_fact<'a>(&'a self, name: &'a str, value: String) -> Pending<'a, Result<(), StoreError>> {
        let name = name.to_owned();
        self.workers.write("put_fact", move |connection| journal::put_fact(connection, &name, &value))
    }

    fn fact<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<String>, StoreError>> {
        let name = name.to_owned();
        self.workers.read("fact", move |connection| journal::fact(connection, &name))
    }

    fn put_dated_fact<'a>(&'a self, name: &'a str, value: String) -> Pending<'a, Result<(), StoreError>> {
        let (name, reading, now) = (name.to_owned(), (self.reading)(), self.clock.now());
        self.workers.write("put_dated_fact", move |connection| {
            dated_facts::put(connection, &name, &value, (&reading, now))
        })
    }

    fn dated_fact<'a>(
        &'a self,
        name: &'a str,
    ) -> Pending<'a, Result<Option<(String, Duration)>, StoreError>> {
        let (name, reading, now) = (name.to_owned(), (self.reading)(), self.clock.now());
        self.workers
            .read("dated_fact", move |connection| dated_facts::get(connection, &name, (&reading, now)))
    }
}

#[cfg(test)]
mod tests {
    //! STO-3: a commit is on disk before it is acknowledged.
    use super::*;

    #[test]
    fn every_commit_of_the_writer_is_synchronised_in_full() {
        let folder = tempfile::tempdir().expect("a folder");
        let connection = connect(&folder.path().join(FILE)).expect("a file");
        prepare(&connection, None).expect("its settings");
        const FULL: i64 = 2;
        assert_eq!(connection.query_row("PRAGMA synchronous", [], |row| row.get::<_, i64>(0)), Ok(FULL));
        let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("a mode");
        assert_eq!(mode, "wal");
    }
}
