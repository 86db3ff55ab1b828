//! Short memory: decision records and events of the last while, without a trip to the store.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use telemetry::Event;
use tokio::sync::broadcast;

use crate::answer::{Attempt, Decision};
use crate::budget::Part;
use crate::request::RequestId;

/// Shards of the record memory: two requests seldom wait for one lock.
const SHARDS: usize = 16;
/// Records per shard at most.
const RECORDS: usize = 4_096;
/// Rough bytes of one record.
const RECORD_BYTES: u64 = 2_000;
/// Events kept.
const EVENTS: usize = 1_000;
/// Exchanges with vendors kept.
const ATTEMPTS: usize = 20_000;

/// Decision records by request id, and the newest events. What falls out is in the store.
pub struct Recall {
    shards: Vec<Mutex<Shard>>,
    /// Records per shard.
    records: usize,
    events: Mutex<VecDeque<Event>>,
    attempts: Mutex<VecDeque<(RequestId, Attempt)>>,
    told: broadcast::Sender<Event>,
}

/// A ring: every request writes one, and the few that are asked about later are looked for one by one.
#[derive(Default)]
struct Shard {
    records: Vec<(RequestId, Arc<Decision>)>,
    /// Place of the oldest record, where the next one goes, once all places are taken.
    oldest: usize,
}

impl Recall {
    /// Remembers nothing yet, and later as many records as fit into their share of the memory.
    pub fn new(memory_bytes: u64) -> Recall {
        // Events and exchanges are few and small beside the records; a tenth is theirs.
        let records = Part::Records.items(memory_bytes, RECORD_BYTES * 10 / 9);
        Recall {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            records: (records / SHARDS).clamp(1, RECORDS),
            events: Mutex::default(),
            attempts: Mutex::default(),
            told: broadcast::Sender::new(EVENTS),
        }
    }

    fn shard(&self, id: &RequestId) -> &Mutex<Shard> {
        let hash = id.0.bytes().fold(0usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        &self.shards[hash % SHARDS]
    }

    /// Keeps a record under an id.
    pub fn keep(&self, id: RequestId, decision: Arc<Decision>) {
        let mut shard = self.shard(&id).lock();
        if shard.records.len() < self.records {
            shard.records.push((id, decision));
            return;
        }
        let place = shard.oldest;
        shard.oldest = (place + 1) % self.records;
        let given_way = std::mem::replace(&mut shard.records[place], (id, decision));
        drop(shard);
        // Outside the lock: it may be the last to hold a record.
        drop(given_way);
    }

    /// The newest record of an id.
    pub fn find(&self, id: &RequestId) -> Option<Arc<Decision>> {
        let shard = self.shard(id).lock();
        let (older, newer) = (&shard.records[shard.oldest..], &shard.records[..shard.oldest]);
        let mut newest_first = newer.iter().rev().chain(older.iter().rev());
        newest_first.find(|(known, _)| known == id).map(|(_, decision)| Arc::clone(decision))
    }

    /// Keeps an event.
    pub fn event(&self, event: Event) {
        // Nobody need be listening.
        let _ = self.told.send(event.clone());
        let mut events = self.events.lock();
        if events.len() == EVENTS {
            events.pop_front();
        }
        events.push_back(event);
    }

    /// Every event from now on, for whoever logs or shows them.
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.told.subscribe()
    }

    /// Keeps every exchange of a request, whoever asked: a caller, a refresh behind, a second opinion.
    pub fn attempted(&self, decision: &Decision) {
        if decision.attempts.is_empty() {
            return;
        }
        let mut attempts = self.attempts.lock();
        attempts.extend(decision.attempts.iter().map(|attempt| (decision.id.clone(), attempt.clone())));
        let surplus = attempts.len().saturating_sub(ATTEMPTS);
        attempts.drain(..surplus);
    }

    /// The newest exchanges with vendors, in the order in which their requests ended.
    pub fn attempts(&self) -> Vec<(RequestId, Attempt)> {
        self.attempts.lock().iter().cloned().collect()
    }

    /// The newest events, oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    // RTE-6.
    use super::*;
    use domain::Instant;

    #[test]
    fn the_newest_records_are_found_and_the_oldest_give_way() {
        let recall = Recall::new(1 << 30);
        let id = |n: usize| RequestId(format!("{n:08}").into());
        let decision = record("");
        let many = 3 * SHARDS * RECORDS;
        for n in 0..many {
            recall.keep(id(n), Arc::clone(&decision));
        }
        assert!(recall.find(&id(many - 1)).is_some());
        assert!(recall.find(&id(0)).is_none());
        // Every 61st is looked for, so what is kept is known within a fifth.
        let kept = 61 * (0..many).step_by(61).filter(|n| recall.find(&id(*n)).is_some()).count();
        assert!(kept * 5 <= SHARDS * RECORDS * 6 && kept > RECORDS, "{kept}");
    }

    #[test]
    fn of_two_records_under_one_id_the_newer_is_found_wherever_the_ring_stands() {
        let recall = Recall::new(1 << 30);
        let id = RequestId("the caller's own".into());
        for round in 0..2 * RECORDS + 3 {
            recall.keep(id.clone(), record(&round.to_string()));
            if round % 97 == 0 || round + 5 > 2 * RECORDS {
                assert_eq!(recall.find(&id).map(|found| found.policy.clone()), Some(round.to_string()));
            }
        }
    }

    fn record(policy: &str) -> Arc<Decision> {
        Arc::new(Decision {
            id: RequestId("brought by".into()),
            at: Instant::EPOCH,
            question: String::new(),
            policy: policy.to_owned(),
            candidates: vec![],
            attempts: vec![],
            answered_by: None,
            notes: vec![],
            cost_micros: 0,
        })
    }
}
