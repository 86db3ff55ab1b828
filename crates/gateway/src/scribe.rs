//! Writes behind: quotes, decisions, failures and events reach the store without anybody waiting for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use telemetry::Event;
use tokio::sync::{mpsc, oneshot};

use crate::answer::{Decision, Failure};
use crate::budget::Part;
use crate::ledger::Line;
use crate::seams::Store;
use crate::series::StoredQuote;

/// Something to write behind.
enum Note {
    Quote(Box<StoredQuote>),
    Decision(Arc<Decision>),
    Failure(Box<Failure>),
    Event(Box<Event>),
    Spend(Box<Line>),
    DatedFact(Box<(String, String)>),
    Flush(oneshot::Sender<()>),
}

/// At most so many notes wait; beyond, new ones are dropped and counted.
const BACKLOG: usize = 20_000;
/// Rough bytes of one note.
const NOTE_BYTES: u64 = 1_000;
/// At most so many notes go into one transaction.
const BATCH: usize = 1_000;

/// The writer's front: never blocks.
pub struct Scribe {
    notes: mpsc::Sender<Note>,
    dropped: AtomicU64,
}

impl Scribe {
    /// Starts the writer on the current runtime. As many notes may wait as fit into their share of the memory.
    pub fn start(store: Arc<dyn Store>, memory_bytes: u64) -> Scribe {
        let backlog = Part::Queue.items(memory_bytes, NOTE_BYTES).min(BACKLOG);
        let (notes, inbox) = mpsc::channel(backlog);
        tokio::spawn(write(inbox, store));
        Scribe { notes, dropped: AtomicU64::new(0) }
    }

    fn send(&self, note: Note) {
        if self.notes.try_send(note).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Keeps a quote.
    pub fn quote(&self, quote: StoredQuote) {
        self.send(Note::Quote(Box::new(quote)));
    }

    /// Keeps a decision record.
    pub fn decision(&self, decision: Arc<Decision>) {
        self.send(Note::Decision(decision));
    }

    /// Keeps a failure.
    pub fn failure(&self, failure: Failure) {
        self.send(Note::Failure(Box::new(failure)));
    }

    /// Keeps an event.
    pub fn event(&self, event: Event) {
        self.send(Note::Event(Box::new(event)));
    }

    /// Writes a line into the ledger.
    pub fn spend(&self, line: Line) {
        self.send(Note::Spend(Box::new(line)));
    }

    /// Keeps a fact whose age matters; of several of one name the last one stays.
    pub fn dated_fact(&self, name: String, value: String) {
        self.send(Note::DatedFact(Box::new((name, value))));
    }

    /// Notes that found the backlog full since start.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until everything sent before is written.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.notes.send(Note::Flush(done)).await.is_ok() {
            // The writer may end first; then there is nothing left to wait for.
            let _ = written.await;
        }
    }
}

async fn write(mut inbox: mpsc::Receiver<Note>, store: Arc<dyn Store>) {
    let mut batch = Vec::with_capacity(BATCH);
    while inbox.recv_many(&mut batch, BATCH).await > 0 {
        let (mut quotes, mut decisions, mut failures, mut events, mut spends, mut waiting) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut dated = BTreeMap::new();
        for note in batch.drain(..) {
            match note {
                Note::Quote(quote) => quotes.push(*quote),
                Note::Decision(decision) => decisions.push(Arc::unwrap_or_clone(decision)),
                Note::Failure(failure) => failures.push(*failure),
                Note::Event(event) => events.push(*event),
                Note::Spend(line) => spends.push(*line),
                Note::DatedFact(fact) => {
                    dated.insert(fact.0, fact.1);
                }
                Note::Flush(done) => waiting.push(done),
            }
        }
        // A store that cannot write says so where its answer matters (bars, quotas); what is written
        // behind is lost with it, and the next batch tries again.
        if !quotes.is_empty() {
            let _ = store.put_quotes(quotes).await;
        }
        if !decisions.is_empty() {
            let _ = store.put_decisions(decisions).await;
        }
        if !failures.is_empty() {
            let _ = store.put_failures(failures).await;
        }
        if !spends.is_empty() {
            let _ = store.put_spends(spends).await;
        }
        if !events.is_empty() {
            let _ = store.put_events(events).await;
        }
        for (name, value) in dated {
            let _ = store.put_dated_fact(&name, value).await;
        }
        for done in waiting {
            let _ = done.send(());
        }
    }
}
