//! Questions about single symbols that go to a vendor in one request (SCH-4).
//!
//! A batch belongs to a vendor and a kind of question, never to a symbol. It takes in whoever comes until it is
//! full, its linger is over, or nobody else is on the way; then it makes one call, as a request with an id and
//! a record of its own. Each caller gets its own item, and a batch that the vendor refuses as a whole leaves
//! its members to be asked one by one. Critical work, and whoever is alone, does not wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use domain::{Instant, InstrumentId, VendorId};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, watch};
use vendors::{Blame, Data, Question, Rejection, Session};

use crate::answer::{Attempt, AttemptError};
use crate::gateway::Gateway;
use crate::pipeline::{Reply, Terms};
use crate::request::{ConsumerId, Policy, Priority, RequestId};
use crate::settings::{BatchMode, Batching};
use crate::trail::{Trail, Wish};
use crate::upstream::Upstream;

/// Batches that take in members, by vendor and kind of question.
#[derive(Default)]
pub struct Batches {
    open: Mutex<HashMap<Key, Open>>,
    /// Full ones that have not gone yet, by id.
    full: Mutex<HashMap<RequestId, Open>>,
    approaching: AtomicUsize,
    all_arrived: Notify,
    places: Mutex<HashMap<VendorId, Arc<Semaphore>>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    vendor: VendorId,
    bid_ask: bool,
    may_wait: bool,
    is_background: bool,
    /// For whom: what one spends is not another's.
    consumer: Option<ConsumerId>,
}

struct Open {
    id: RequestId,
    members: Vec<InstrumentId>,
    most: usize,
    terms: Terms,
    urgency: watch::Sender<(Priority, Instant)>,
    full: Arc<Notify>,
    call: BatchCall,
}

/// The way to what a batch's call brings.
type BatchCall = Shared<BoxFuture<'static, Option<Arc<Landed>>>>;

/// What a batch's call brought.
struct Landed {
    id: RequestId,
    members: Vec<InstrumentId>,
    reply: Result<Reply, AttemptError>,
    attempts: Vec<Attempt>,
    quota: Vec<(String, u32)>,
    micros: u64,
}

/// A question on its way to a vendor: others may wait for its company. It has arrived when that is said, at the
/// latest when it is dropped.
pub struct Approach {
    batches: Arc<Batches>,
    has_arrived: AtomicBool,
}

impl Approach {
    /// It has got there, and is company no more.
    pub fn arrived(&self) {
        if !self.has_arrived.swap(true, Ordering::AcqRel)
            && self.batches.approaching.fetch_sub(1, Ordering::AcqRel) == 1
        {
            self.batches.all_arrived.notify_waiters();
        }
    }
}

impl Drop for Approach {
    fn drop(&mut self) {
        self.arrived();
    }
}

impl Batches {
    /// A question sets out.
    pub fn approach(self: &Arc<Self>) -> Approach {
        self.approaching.fetch_add(1, Ordering::AcqRel);
        Approach { batches: Arc::clone(self), has_arrived: AtomicBool::new(false) }
    }

    fn place(&self, vendor: VendorId, in_flight: usize) -> Arc<Semaphore> {
        let mut places = self.places.lock();
        Arc::clone(places.entry(vendor).or_insert_with(|| Arc::new(Semaphore::new(in_flight.max(1)))))
    }

    fn deadline_of(&self, key: Key, id: &RequestId) -> Option<Instant> {
        self.open.lock().get(&key).filter(|batch| batch.id == *id).map(|batch| batch.terms.deadline)
    }

    /// Takes nobody else in; who is in it, and their terms. `None` where it was closed already.
    fn close(&self, key: Key, id: &RequestId) -> Option<(Vec<InstrumentId>, Terms)> {
        let mut open = self.open.lock();
        let is_it = open.get(&key).is_some_and(|batch| batch.id == *id);
        let batch = if is_it { open.remove(&key) } else { self.full.lock().remove(id) };
        batch.map(|batch| (batch.members, batch.terms))
    }

    /// Joins an open batch of this kind, if there is one with room.
    fn join(&self, key: Key, instrument: &InstrumentId, terms: Terms) -> Option<BatchCall> {
        let mut open = self.open.lock();
        let batch = open.get_mut(&key)?;
        if !batch.members.contains(instrument) {
            if batch.members.len() >= batch.most {
                return None;
            }
            batch.members.push(instrument.clone());
        }
        batch.terms.deadline = batch.terms.deadline.max(terms.deadline);
        batch.terms.priority = batch.terms.priority.min(terms.priority);
        batch.urgency.send_modify(|urgency| {
            *urgency = (urgency.0.min(terms.priority), urgency.1.min(terms.deadline));
        });
        if batch.members.len() >= batch.most {
            batch.full.notify_one();
        }
        Some(batch.call.clone())
    }
}

impl Gateway {
    /// Asks a vendor one question, in one request with others about other symbols if there are any.
    pub(crate) async fn ask_in_company(
        self: &Arc<Self>,
        upstream: &Arc<Upstream>,
        question: &Question,
        terms: Terms,
        may_wait: bool,
        trail: &Trail,
    ) -> Result<Reply, AttemptError> {
        if let Some(approach) = &trail.wish().approach {
            approach.arrived();
        }
        let boarded = match question {
            Question::Quotes { instruments, bid_ask } if instruments.len() == 1 => {
                self.board(upstream, &instruments[0], *bid_ask, terms, may_wait, trail)
            }
            _ => None,
        };
        let Some((call, instrument)) = boarded else {
            return self.attempt(upstream, question, terms, may_wait, trail).await;
        };
        let Some(landed) = call.await else { return Err(AttemptError::Unfit("internal_error")) };
        let count = landed.members.len();
        if count > 1 {
            trail.note(format!("{count} symbols were asked for together, on record as {}", landed.id));
        }
        let place = landed.members.iter().position(|member| *member == instrument).unwrap_or_default();
        let share = |all: u64| {
            let until = |n: usize| all * n as u64 / count.max(1) as u64;
            until(place + 1) - until(place)
        };
        // A permit cannot be divided: each had a part in it.
        let quota =
            landed.quota.iter().map(|(name, used)| (name.clone(), used.div_ceil(count.max(1) as u32)));
        let quota = quota.filter(|(_, used)| *used > 0).collect();
        trail.take_over(&landed.attempts, count == 1, quota, share(landed.micros));
        match &landed.reply {
            Ok(reply) => match own_item(reply, &instrument) {
                // A vendor that leaves a symbol out of its answer has not said why.
                None if count > 1 => {
                    trail.note(format!("{} had nothing for it among the others", upstream.vendor()));
                    self.attempt(upstream, question, terms, may_wait, trail).await
                }
                None => Err(AttemptError::Rejected(Rejection::UnknownSymbol)),
                Some(reply) => Ok(reply),
            },
            Err(error) if count > 1 && concerns_one(error) => {
                trail.note(format!("{} refused them together; this one is asked alone", upstream.vendor()));
                self.attempt(upstream, question, terms, may_wait, trail).await
            }
            Err(error) => Err(error.clone()),
        }
    }

    /// A place in a batch, open or opened for it; `None` where it goes alone.
    fn board(
        self: &Arc<Self>,
        upstream: &Arc<Upstream>,
        instrument: &InstrumentId,
        bid_ask: bool,
        terms: Terms,
        may_wait: bool,
        trail: &Trail,
    ) -> Option<(BatchCall, InstrumentId)> {
        let batching = self.settings.schedule.batching;
        let offered = upstream.settings.codec.profile().quote_batch().min(batching.size);
        // What one caller will pay at most is not shared out.
        let pays_alone = terms.max_cost_micros.is_some();
        if terms.priority == Priority::Critical || pays_alone || offered < 2 {
            return None;
        }
        let is_background = terms.priority >= Priority::Low;
        let consumer = trail.consumer();
        let key = Key { vendor: upstream.vendor(), bid_ask, may_wait, is_background, consumer };
        if let Some(call) = self.batches.join(key, instrument, terms) {
            return Some((call, instrument.clone()));
        }
        let approaching = self.batches.approaching.load(Ordering::Acquire);
        let linger = match linger(&batching, terms.priority, approaching) {
            Some(linger) => linger,
            // Whoever has to wait for a place anyway takes in those who come meanwhile.
            None if may_wait && upstream.limiter.is_full() => {
                Linger { span: Duration::ZERO, ends_when_quiet: true }
            }
            None => return None,
        };
        let most = self.most_at_once(upstream, instrument, bid_ask, offered);
        if most < 2 {
            return None;
        }
        let id = self.new_request_id();
        let (urgency, follows) = watch::channel((terms.priority, terms.deadline));
        let full = Arc::new(Notify::new());
        let wish = Wish { urgency: Some(follows), is_refresh: trail.wish().is_refresh, approach: None };
        let gathering = Gathering { key, id: id.clone(), full: Arc::clone(&full), linger, wish };
        let task = tokio::spawn(Arc::clone(self).gather(Arc::clone(upstream), gathering));
        let call = async move { task.await.ok().flatten().map(Arc::new) }.boxed().shared();
        let members = vec![instrument.clone()];
        let opened = Open { id, members, most, terms, urgency, full, call: call.clone() };
        if let Some(full) = self.batches.open.lock().insert(key, opened) {
            self.batches.full.lock().insert(full.id.clone(), full);
        }
        Some((call, instrument.clone()))
    }

    /// Waits for company, closes the batch and makes its call.
    async fn gather(self: Arc<Self>, upstream: Arc<Upstream>, batch: Gathering) -> Option<Landed> {
        let Gathering { key, id, full, linger, wish } = batch;
        let until = self.clock.now() + linger.span;
        let quiet = async {
            loop {
                let all_arrived = self.batches.all_arrived.notified();
                if self.batches.approaching.load(Ordering::Acquire) == 0 {
                    // Those who have just arrived are about to join.
                    tokio::task::yield_now().await;
                    break;
                }
                all_arrived.await;
            }
        };
        tokio::select! {
            biased;
            () = full.notified() => {}
            () = quiet, if linger.ends_when_quiet => {}
            () = self.clock.sleep_until(until) => {}
        }
        if key.may_wait {
            // The rest of the time is for the call.
            let limit = self.batches.deadline_of(key, &id).map_or(until, |end| until + end.since(until) / 2);
            tokio::select! {
                biased;
                () = upstream.limiter.not_full() => {}
                () = full.notified() => {}
                () = self.clock.sleep_until(limit) => {}
            }
        }
        let place = self.batches.place(key.vendor, self.settings.schedule.batching.in_flight);
        let _place = place.acquire().await.ok()?;
        let (members, terms) = self.batches.close(key, &id)?;
        let question = Question::Quotes { instruments: members.clone(), bid_ask: key.bid_ask };
        let policy = Policy {
            vendors: vec![key.vendor],
            priority: terms.priority,
            consumer: key.consumer,
            ..Policy::default()
        };
        let trail = Trail::new(id.clone(), self.clock.now(), &question, &policy).wished(wish);
        trail.note(format!("{} symbols asked for by as many requests", members.len()));
        let reply = self.attempt(&upstream, &question, terms, key.may_wait, &trail).await;
        let decision = trail.decision(reply.as_ref().ok().map(|_| key.vendor.as_str().into()));
        if members.len() > 1 && !decision.attempts.is_empty() {
            self.recall.attempted(&decision);
            self.recall.keep(id.clone(), Arc::clone(&decision));
            self.scribe.decision(Arc::clone(&decision));
        }
        let (quota, micros) = (trail.quota(), decision.cost_micros);
        Some(Landed { id, members, reply, attempts: decision.attempts.clone(), quota, micros })
    }

    /// How many symbols one request may name so that it fits into what the quota has left, where each symbol
    /// is counted.
    fn most_at_once(
        &self,
        upstream: &Upstream,
        instrument: &InstrumentId,
        bid_ask: bool,
        offered: usize,
    ) -> usize {
        let now = self.clock.now();
        let session = Session::default();
        let weight = |count: usize| {
            let question = Question::Quotes { instruments: vec![instrument.clone(); count], bid_ask };
            let codec = upstream.settings.codec;
            codec.encode_request(&upstream.ask(&question, &session, now)).ok().map(|wire| codec.weight(&wire))
        };
        let (Some(one), Some(two)) = (weight(1), weight(2)) else { return 1 };
        let each = two.saturating_sub(one);
        if each == 0 {
            return offered;
        }
        let left = upstream.limiter.status(now).iter().map(|window| window.remaining).min();
        left.map_or(offered, |left| offered.min((left / each) as usize))
    }
}

/// A batch that waits for company.
struct Gathering {
    key: Key,
    id: RequestId,
    full: Arc<Notify>,
    linger: Linger,
    wish: Wish,
}

/// How long a batch waits for company.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Linger {
    span: Duration,
    ends_when_quiet: bool,
}

/// How long a question waits for company, of which so much is on the way; `None` where it does not wait.
fn linger(batching: &Batching, priority: Priority, approaching: usize) -> Option<Linger> {
    let (least, longest) = batching.linger;
    let (span, ends_when_quiet) = match (priority, batching.mode) {
        (Priority::Critical, _) => return None,
        (Priority::Low | Priority::Batch, BatchMode::Immediate) => (Duration::ZERO, false),
        (Priority::Batch, _) => (batching.batch_linger, false),
        // Refreshes and second opinions wait also for company that is not on the way yet.
        (Priority::Low, _) => (longest, false),
        // A lone question of someone who waits for it has nothing to gain.
        _ if approaching == 0 => return None,
        (_, BatchMode::Immediate) => (Duration::ZERO, false),
        (_, BatchMode::Hybrid) => (least, true),
        (_, BatchMode::Time) => (longest, false),
        (_, BatchMode::Size) => (batching.batch_linger, false),
        (_, BatchMode::Adaptive) => {
            let share = (approaching as f64 / batching.size.max(1) as f64).min(1.0);
            (least + longest.saturating_sub(least).mul_f64(share), true)
        }
    };
    Some(Linger { span, ends_when_quiet })
}

/// Whether a refusal of all may be the fault of one symbol among them.
fn concerns_one(error: &AttemptError) -> bool {
    match error {
        AttemptError::Rejected(Rejection::Unsupported | Rejection::NotEntitled) => true,
        AttemptError::Rejected(rejection) => rejection.blame() == Blame::Caller,
        AttemptError::BreakerOpen { .. }
        | AttemptError::QuotaSpent { .. }
        | AttemptError::Held { .. }
        | AttemptError::Transport(_)
        | AttemptError::TooExpensive
        | AttemptError::BudgetSpent { .. }
        | AttemptError::Unfit(_)
        | AttemptError::Deadline => false,
    }
}

/// What a reply says of one symbol; `None` if it says nothing.
fn own_item(reply: &Reply, instrument: &InstrumentId) -> Option<Reply> {
    let Data::Quotes(rows) = &reply.data else { return None };
    let own = rows.iter().find(|row| row.instrument == *instrument)?;
    if own.quote == Err(Rejection::NoData) {
        return None;
    }
    Some(Reply {
        data: Data::Quotes(vec![own.clone()]),
        received_at: reply.received_at,
        simulated: reply.simulated,
        cut_short: reply.cut_short,
    })
}

#[cfg(test)]
mod tests {
    //! SCH-4.

    use super::*;

    #[test]
    fn critical_work_and_whoever_is_alone_does_not_linger() {
        for mode in BatchMode::ALL {
            let batching = Batching { mode, ..Batching::default() };
            assert_eq!(linger(&batching, Priority::Critical, 50), None, "{mode:?}");
            assert_eq!(linger(&batching, Priority::Normal, 0), None, "{mode:?}");
        }
    }

    #[test]
    fn each_mode_lingers_as_long_as_it_says() {
        let ms = Duration::from_millis;
        let spans = |priority| {
            BatchMode::ALL.map(|mode| {
                linger(&Batching { mode, ..Batching::default() }, priority, 25).map(|linger| linger.span)
            })
        };
        assert_eq!(
            spans(Priority::Normal),
            [ms(5), ms(20), ms(1_000), Duration::from_micros(12_500), ms(0)].map(Some)
        );
        assert_eq!(spans(Priority::Batch), [ms(1_000), ms(1_000), ms(1_000), ms(1_000), ms(0)].map(Some));
    }
}
