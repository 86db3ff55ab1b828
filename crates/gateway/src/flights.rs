//! Single-flight: identical questions asked at the same time share one answer.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;

type Flight<V> = Shared<BoxFuture<'static, Option<V>>>;

/// Flights under way, by question.
pub struct Flights<K, V> {
    airborne: Arc<Mutex<HashMap<K, Flight<V>>>>,
}

impl<K, V> Default for Flights<K, V> {
    fn default() -> Flights<K, V> {
        Flights { airborne: Arc::default() }
    }
}

impl<K, V> Flights<K, V>
where
    K: Hash + Eq + Clone + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Joins the flight for a question, starting it if there is none. Returns its value and whether it was
    /// already under way.
    ///
    /// The flight runs on a task of its own, so a caller who leaves does not end it for the others; it ends
    /// by its own deadline. `None` only if the flight panicked.
    pub async fn join<F>(&self, key: K, start: impl FnOnce() -> F) -> (Option<V>, bool)
    where
        F: Future<Output = V> + Send + 'static,
    {
        let (flight, joined) = {
            let mut airborne = self.airborne.lock();
            match airborne.get(&key) {
                Some(flight) => (flight.clone(), true),
                None => {
                    let landing = Landing { airborne: Arc::clone(&self.airborne), key: key.clone() };
                    let work = start();
                    let task = tokio::spawn(async move {
                        let _landing = landing;
                        work.await
                    });
                    let flight = async move { task.await.ok() }.boxed().shared();
                    airborne.insert(key, flight.clone());
                    (flight, false)
                }
            }
        };
        (flight.await, joined)
    }

    /// Number of flights under way.
    pub fn len(&self) -> usize {
        self.airborne.lock().len()
    }

    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Takes the flight off the list when it ends, however it ends.
struct Landing<K: Hash + Eq, V> {
    airborne: Arc<Mutex<HashMap<K, Flight<V>>>>,
    key: K,
}

impl<K: Hash + Eq, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        self.airborne.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    // SCH-5, CCH (single-flight).
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

    #[tokio::test]
    async fn a_thousand_identical_questions_make_one_call() {
        let flights = Arc::new(Flights::<u8, u64>::default());
        let calls = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(Notify::new());
        let mut callers = Vec::new();
        for _ in 0..1000 {
            let (flights, calls, gate) = (flights.clone(), calls.clone(), gate.clone());
            callers.push(tokio::spawn(async move {
                let work = move || async move {
                    calls.fetch_add(1, Ordering::SeqCst);
                    gate.notified().await;
                    42
                };
                flights.join(7, work).await.0
            }));
        }
        while calls.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..2000 {
            tokio::task::yield_now().await;
        }
        gate.notify_one();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), Some(42));
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert!(flights.is_empty());
    }

    #[tokio::test]
    async fn a_leaving_leader_does_not_end_the_flight() {
        let flights = Arc::new(Flights::<u8, u64>::default());
        let gate = Arc::new(Notify::new());
        let leader = {
            let (flights, gate) = (flights.clone(), gate.clone());
            tokio::spawn(async move {
                flights
                    .join(1, move || async move {
                        gate.notified().await;
                        1
                    })
                    .await
                    .0
            })
        };
        while flights.is_empty() {
            tokio::task::yield_now().await;
        }
        let follower = {
            let flights = flights.clone();
            tokio::spawn(async move { flights.join(1, || async { 2 }).await })
        };
        tokio::task::yield_now().await;
        leader.abort();
        let _ = leader.await;
        gate.notify_one();
        assert_eq!(follower.await.unwrap(), (Some(1), true));
    }

    #[tokio::test]
    async fn a_flight_that_panics_leaves_nothing_behind() {
        let flights = Flights::<u8, u64>::default();
        let (value, _) = flights.join(1, || async { panic!("on purpose") }).await;
        assert_eq!(value, None);
        assert_eq!(flights.join(1, || async { 5 }).await, (Some(5), false));
    }
}
