//! Who works on the database: one writer that commits in groups, a few readers that never wait for it.
//!
//! A database in memory has one connection, and the caller's own thread works on it: a read or write is
//! finished when its future is first polled, so that a simulation stays deterministic.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use gateway::{Clock, Pending, StoreError};
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::fault::Fault;

/// At most so many writes share a commit, so that the first of them does not wait for ever.
const MAX_GROUP: usize = 256;

/// A piece of work took long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slow {
    /// Which, by its word: `bars`, `put_bars`, `commit`.
    pub what: &'static str,
    /// How long it took.
    pub took: Duration,
}

/// Hears of slow work; called from the store's own threads.
pub type OnSlow = Arc<dyn Fn(Slow) + Send + Sync>;

/// Measures work and tells what took long.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) slow_from: Duration,
    pub(crate) on_slow: Option<OnSlow>,
}

impl Watch {
    fn time<T>(&self, what: &'static str, work: impl FnOnce() -> T) -> T {
        let begun = self.clock.now();
        let result = work();
        let took = self.clock.now().since(begun);
        if let Some(on_slow) = self.on_slow.as_ref().filter(|_| took >= self.slow_from) {
            on_slow(Slow { what, took });
        }
        result
    }
}

/// A write that waits for its turn, then for its commit.
trait Write: Send {
    /// Does it, inside the group's transaction.
    fn run(&mut self, connection: &Connection, watch: &Watch) -> Result<(), Fault>;
    /// Tells whoever waits, once it is committed or known to have failed.
    fn acknowledge(self: Box<Self>, fate: Result<(), StoreError>);
}

struct WriteJob<T, F> {
    what: &'static str,
    work: Option<F>,
    value: Option<T>,
    done: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, F: FnOnce(&Connection) -> Result<T, Fault> + Send> Write for WriteJob<T, F> {
    fn run(&mut self, connection: &Connection, watch: &Watch) -> Result<(), Fault> {
        let work = self.work.take().expect("a write runs once");
        self.value = Some(watch.time(self.what, || work(connection))?);
        Ok(())
    }

    fn acknowledge(self: Box<Self>, fate: Result<(), StoreError>) {
        let WriteJob { value, done, .. } = *self;
        let result = fate.map(|()| value.expect("a committed write has run"));
        // Whoever asked may have left; the row is kept all the same.
        let _ = done.send(result);
    }
}

type ReadJob = Box<dyn FnOnce(&Connection, &Watch) + Send>;

enum Hands {
    Inline(Box<Mutex<Connection>>),
    Threads { writer: mpsc::Sender<Box<dyn Write>>, readers: mpsc::Sender<ReadJob> },
}

/// The hands that work on one database. Dropping it finishes what was asked and joins the threads.
pub(crate) struct Workers {
    /// `None` only while it is dropped.
    hands: Option<Hands>,
    threads: Vec<JoinHandle<()>>,
    watch: Watch,
}

impl Workers {
    /// One connection, worked on by whoever polls.
    pub(crate) fn inline(connection: Connection, watch: Watch) -> Workers {
        Workers { hands: Some(Hands::Inline(Box::new(Mutex::new(connection)))), threads: Vec::new(), watch }
    }

    /// A writer thread and a thread for each of the readers.
    pub(crate) fn threads(
        writer: Connection,
        readers: Vec<Connection>,
        watch: Watch,
    ) -> Result<Workers, StoreError> {
        let (to_writer, writes) = mpsc::channel();
        let (to_readers, reads) = mpsc::channel::<ReadJob>();
        let reads = Arc::new(Mutex::new(reads));
        let mut threads = Vec::new();
        let spawned = |thread: std::io::Result<JoinHandle<()>>| {
            thread.map_err(|error| StoreError::Unusable(format!("no thread to work on it: {error}")))
        };
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let its_watch = watch.clone();
        threads.push(spawned(named("store-writer").spawn(move || write_all(&writer, &writes, &its_watch)))?);
        for connection in readers {
            let (reads, its_watch) = (reads.clone(), watch.clone());
            threads.push(spawned(named("store-reader").spawn(move || {
                loop {
                    let job = reads.lock().recv();
                    let Ok(job) = job else { break };
                    job(&connection, &its_watch);
                }
            }))?);
        }
        let hands = Some(Hands::Threads { writer: to_writer, readers: to_readers });
        Ok(Workers { hands, threads, watch })
    }

    /// Writes; `Ok` once it is committed and on disk.
    pub(crate) fn write<'a, T, F>(&'a self, what: &'static str, work: F) -> Pending<'a, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        Box::pin(async move {
            let (done, answer) = oneshot::channel();
            let job = Box::new(WriteJob { what, work: Some(work), value: None, done });
            match self.hands() {
                Hands::Inline(connection) => write_group(&connection.lock(), vec![job], &self.watch),
                Hands::Threads { writer, .. } => writer.send(job).map_err(|_| ended())?,
            }
            answer.await.map_err(|_| ended())?
        })
    }

    /// Reads, all of it from one moment.
    pub(crate) fn read<'a, T, F>(&'a self, what: &'static str, work: F) -> Pending<'a, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        Box::pin(async move {
            let (done, answer) = oneshot::channel();
            let job = move |connection: &Connection, watch: &Watch| {
                let result = watch.time(what, || snapshot(connection, work));
                let _ = done.send(result.map_err(StoreError::from));
            };
            match self.hands() {
                Hands::Inline(connection) => job(&connection.lock(), &self.watch),
                Hands::Threads { readers, .. } => readers.send(Box::new(job)).map_err(|_| ended())?,
            }
            answer.await.map_err(|_| ended())?
        })
    }

    fn hands(&self) -> &Hands {
        self.hands.as_ref().expect("hands are taken only by drop")
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.hands = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

fn ended() -> StoreError {
    StoreError::Unusable("its thread has ended".to_owned())
}

/// Runs a read inside a transaction: two statements then see the same state.
fn snapshot<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let transaction = connection.unchecked_transaction()?;
    let result = work(&transaction)?;
    transaction.commit()?;
    Ok(result)
}

fn write_all(connection: &Connection, writes: &mpsc::Receiver<Box<dyn Write>>, watch: &Watch) {
    while let Ok(first) = writes.recv() {
        let mut group = vec![first];
        while group.len() < MAX_GROUP {
            let Ok(next) = writes.try_recv() else { break };
            group.push(next);
        }
        write_group(connection, group, watch);
    }
}

/// Runs the writes in one transaction, commits once, and only then tells those who wait. A write that fails
/// is undone alone; a transaction that fails takes all of them with it.
fn write_group(connection: &Connection, mut group: Vec<Box<dyn Write>>, watch: &Watch) {
    let mut fates = Vec::with_capacity(group.len());
    let whole = (|| -> Result<(), Fault> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for job in &mut group {
            connection.prepare_cached("SAVEPOINT one")?.execute([])?;
            let fate = job.run(connection, watch);
            if connection.is_autocommit() {
                // SQLite has rolled the transaction back by itself, as it does when the disk is full.
                return Err(fate.err().unwrap_or(Fault::RolledBack));
            }
            if fate.is_err() {
                connection.prepare_cached("ROLLBACK TO one")?.execute([])?;
            }
            connection.prepare_cached("RELEASE one")?.execute([])?;
            fates.push(fate.map_err(StoreError::from));
        }
        watch.time("commit", || connection.prepare_cached("COMMIT")?.execute([]))?;
        Ok(())
    })();
    if whole.is_err() && !connection.is_autocommit() {
        // What cannot even be rolled back is rolled back by SQLite at the next open.
        let _ = connection.execute_batch("ROLLBACK");
    }
    let failed = whole.err().map(StoreError::from);
    let mut fates = fates.into_iter();
    for job in group {
        let own = fates.next().unwrap_or(Ok(()));
        job.acknowledge(match &failed {
            Some(error) => Err(error.clone()),
            None => own,
        });
    }
}

/// Opens the file with the settings every connection has.
pub(crate) fn connect(path: &Path) -> Result<Connection, Fault> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(96);
    Ok(connection)
}
