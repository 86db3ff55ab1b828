//! Single-flight: identical questions asked at the same time share one answer.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use domain::Instant;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::limiter::Urgency;
use crate::request::Priority;

/// The way to a flight's value; `None` only if the flight panicked.
pub type Flight<V> = Shared<BoxFuture<'static, Option<V>>>;

/// A flight, and how urgent it is to those who wait for it.
struct Airborne<V> {
    flight: Flight<V>,
    urgency: watch::Sender<(Priority, Instant)>,
    /// When the time of whoever started it is over.
    ends: Instant,
}

/// Flights under way, by question.
pub struct Flights<K, V> {
    airborne: Arc<Mutex<HashMap<K, Airborne<V>>>>,
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
    /// already under way. It has the highest class and the earliest deadline of all who have joined it.
    ///
    /// The flight runs on a task of its own, so a caller who leaves does not end it for the others; it ends
    /// by its own deadline. `None` only if the flight panicked.
    pub async fn join<F>(
        &self,
        key: K,
        wanted: (Priority, Instant),
        start: impl FnOnce(Urgency) -> F,
    ) -> (Option<V>, bool)
    where
        F: Future<Output = V> + Send + 'static,
    {
        let (flight, joined) = self.board(key, wanted, start);
        (flight.await, joined.is_some())
    }

    /// As [`Flights::join`], for those who want to know before it lands whether it was under way: then until
    /// when whoever started it has time.
    pub fn board<F>(
        &self,
        key: K,
        wanted: (Priority, Instant),
        start: impl FnOnce(Urgency) -> F,
    ) -> (Flight<V>, Option<Instant>)
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut airborne = self.airborne.lock();
        match airborne.get(&key).filter(|_| !domain::planted!(EverybodyFliesAlone)) {
            Some(known) => {
                known.urgency.send_if_modified(|urgency| {
                    let raised = (urgency.0.min(wanted.0), urgency.1.min(wanted.1));
                    std::mem::replace(urgency, raised) != raised
                });
                (known.flight.clone(), Some(known.ends))
            }
            None => {
                let landing = Landing { airborne: Arc::clone(&self.airborne), key: key.clone() };
                let (urgency, follows) = watch::channel(wanted);
                let work = start(follows);
                let task = tokio::spawn(async move {
                    let _landing = landing;
                    work.await
                });
                let flight = async move { task.await.ok() }.boxed().shared();
                airborne.insert(key, Airborne { flight: flight.clone(), urgency, ends: wanted.1 });
                (flight, None)
            }
        }
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
    airborne: Arc<Mutex<HashMap<K, Airborne<V>>>>,
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

    const NOW: (Priority, Instant) = (Priority::Normal, Instant::EPOCH);

    #[tokio::test]
    async fn a_thousand_identical_questions_make_one_call() {
        let flights = Arc::new(Flights::<u8, u64>::default());
        let calls = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(Notify::new());
        let mut callers = Vec::new();
        for _ in 0..1000 {
            let (flights, calls, gate) = (flights.clone(), calls.clone(), gate.clone());
            callers.push(tokio::spawn(async move {
                let work = move |_| async move {
                    calls.fetch_add(1, Ordering::SeqCst);
                    gate.notified().await;
                    42
                };
                flights.join(7, NOW, work).await.0
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
                    .join(1, NOW, move |_| async move {
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
            tokio::spawn(async move { flights.join(1, NOW, |_| async { 2 }).await })
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
        let (value, _) = flights.join(1, NOW, |_| async { panic!("on purpose") }).await;
        assert_eq!(value, None);
        assert_eq!(flights.join(1, NOW, |_| async { 5 }).await, (Some(5), false));
    }

    #[tokio::test]
    async fn a_flight_takes_the_highest_class_and_the_earliest_deadline_of_its_members() {
        let flights = Flights::<u8, (Priority, Instant)>::default();
        let at = |secs| Instant::from_secs(secs);
        let gate = Arc::new(Notify::new());
        let open = gate.clone();
        let (first, _) = flights.board(1, (Priority::Low, at(9)), move |urgency| async move {
            open.notified().await;
            *urgency.borrow()
        });
        let more = [(Priority::Batch, at(5)), (Priority::High, at(30)), (Priority::Normal, at(7))];
        let others = more.map(|wanted| flights.board(1, wanted, |_| async { unreachable!() }));
        gate.notify_one();
        assert_eq!(first.await, Some((Priority::High, at(5))));
        for (flight, joined) in others {
            assert_eq!((flight.await, joined), (Some((Priority::High, at(5))), Some(at(9))));
        }
    }

    #[tokio::test]
    async fn a_million_random_steps_never_fly_twice_at_once_and_leave_no_one_without_an_answer() {
        // SCH-5. Joins, landings and leavings over five questions, against a list of who flies.
        // `FLIGHT_STEPS` makes it longer.
        #[expect(clippy::disallowed_methods, reason = "the long run asks for more steps")]
        let steps = std::env::var("FLIGHT_STEPS").ok().and_then(|text| text.parse().ok());
        let steps: u64 = steps.unwrap_or(1_000_000);
        let flights = Flights::<u8, u64>::default();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut draw = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) % below
        };
        let mut flying: [Option<(u64, Arc<Notify>)>; 5] = Default::default();
        let mut waiting: [Vec<Flight<u64>>; 5] = Default::default();
        let mut started = 0_u64;
        for step in 0..steps {
            let key = draw(5) as usize;
            match draw(4) {
                0 | 1 if waiting[key].len() < 8 => {
                    let gate = Arc::new(Notify::new());
                    let (number, opened) = (started + 1, gate.clone());
                    let (flight, joined) = flights.board(key as u8, NOW, move |_| async move {
                        opened.notified().await;
                        number
                    });
                    assert_eq!(joined.is_some(), flying[key].is_some(), "step {step}");
                    if joined.is_none() {
                        started += 1;
                        flying[key] = Some((started, gate));
                    }
                    waiting[key].push(flight);
                }
                // A caller leaves, the leader as likely as any.
                2 if !waiting[key].is_empty() => {
                    let index = draw(waiting[key].len() as u64) as usize;
                    drop(waiting[key].swap_remove(index));
                }
                _ => {
                    if let Some((number, gate)) = flying[key].take() {
                        gate.notify_one();
                        for flight in waiting[key].drain(..) {
                            assert_eq!(flight.await, Some(number), "step {step}");
                        }
                        while flights.airborne.lock().contains_key(&(key as u8)) {
                            tokio::task::yield_now().await;
                        }
                    }
                }
            }
        }
        assert!(started > steps / 20, "{started}");
    }
}
