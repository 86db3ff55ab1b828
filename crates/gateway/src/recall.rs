//! Short memory: decision records and events of the last while, without a trip to the store.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use telemetry::Event;
use tokio::sync::broadcast;

use crate::answer::{Attempt, Decision};
use crate::request::RequestId;

/// Shards of the record memory: two requests seldom wait for one lock.
const SHARDS: usize = 16;
/// Records per shard.
const RECORDS: usize = 4_096;
/// Events kept.
const EVENTS: usize = 1_000;
/// Exchanges with vendors kept.
const ATTEMPTS: usize = 20_000;

/// Decision records by request id, and the newest events. What falls out is in the store.
pub struct Recall {
    shards: Vec<Mutex<Shard>>,
    events: Mutex<VecDeque<Event>>,
    attempts: Mutex<VecDeque<(RequestId, Attempt)>>,
    told: broadcast::Sender<Event>,
}

#[derive(Default)]
struct Shard {
    records: HashMap<RequestId, Arc<Decision>>,
    order: VecDeque<RequestId>,
}

impl Default for Recall {
    fn default() -> Recall {
        Recall {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            events: Mutex::default(),
            attempts: Mutex::default(),
            told: broadcast::Sender::new(EVENTS),
        }
    }
}

impl Recall {
    fn shard(&self, id: &RequestId) -> &Mutex<Shard> {
        let hash = id.0.bytes().fold(0usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        &self.shards[hash % SHARDS]
    }

    /// Keeps a record under an id.
    pub fn keep(&self, id: RequestId, decision: Arc<Decision>) {
        let mut shard = self.shard(&id).lock();
        if shard.records.insert(id.clone(), decision).is_none() {
            shard.order.push_back(id);
            if shard.order.len() > RECORDS
                && let Some(oldest) = shard.order.pop_front()
            {
                shard.records.remove(&oldest);
            }
        }
    }

    /// The record of an id.
    pub fn find(&self, id: &RequestId) -> Option<Arc<Decision>> {
        self.shard(id).lock().records.get(id).cloned()
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
        let recall = Recall::default();
        let id = |n: usize| RequestId(format!("{n:08}").into());
        let decision = Arc::new(Decision {
            id: id(0),
            at: Instant::EPOCH,
            question: String::new(),
            policy: String::new(),
            candidates: vec![],
            attempts: vec![],
            answered_by: None,
            notes: vec![],
            cost_micros: 0,
        });
        let many = 3 * SHARDS * RECORDS;
        for n in 0..many {
            recall.keep(id(n), Arc::clone(&decision));
        }
        assert!(recall.find(&id(many - 1)).is_some());
        assert!(recall.find(&id(0)).is_none());
        let kept = (0..many).filter(|n| recall.find(&id(*n)).is_some()).count();
        assert!(kept <= SHARDS * RECORDS, "{kept}");
    }
}
