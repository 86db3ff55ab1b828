//! One vendor's permits and places: its quota, the requests in flight, the rate experience allows, and the line
//! of those who wait for any of them (LIM-3, LIM-7, LIM-9, SCH-1 to SCH-3).
//!
//! A permit is taken at dispatch, by whoever is first in line; it holds a place in flight until it is dropped.
//! Whoever waits is woken when it may go, not before: the first in line sleeps until the quota has room, all
//! others until they are first or their time is over. Whoever leaves gives its place back.

mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use domain::{Instant, VendorId};
use parking_lot::Mutex;
use resilience::line::Ticket;
use resilience::quota::{Cost, Grant, Quota, Refused, SpendStatus, Statistics, VendorWord, WindowStatus};
use resilience::rate::Ended;
use tokio::sync::Notify;
use tokio::sync::watch;

use crate::common_quota::{Common, CommonQuota, InFlight};
use crate::foresight::Foreseen;
use crate::gateway::Seams;
use crate::learned::{Learned, LearnedLimit};
use crate::request::Priority;
use crate::seams::{Clock, Store, StoreError};
use crate::settings::{Schedule, UpstreamSettings};
use crate::shared::SharedLost;
use state::{State, Step};

/// How urgent an answer is at present: the highest class and the earliest deadline of all who wait for it.
pub type Urgency = watch::Receiver<(Priority, Instant)>;

/// What is asked of a limiter.
#[derive(Clone)]
pub struct Claim {
    /// What the call takes of the quota.
    pub cost: Cost,
    /// Which endpoint, by the word of its capability.
    pub endpoint: &'static str,
    /// How much it matters.
    pub priority: Priority,
    /// When an answer is of use no more.
    pub deadline: Instant,
    /// Whether to wait in line; else a permit is given at once or not at all.
    pub may_wait: bool,
    /// Whether an older answer stands in if there is no permit.
    pub is_refresh: bool,
    /// Who asks: askers take turns within a class.
    pub asker: u64,
    /// Follows those who join the wait for the same answer.
    pub urgency: Option<Urgency>,
}

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// The quota is spent, paced, or the vendor has told us to wait.
    Quota,
    /// As many requests as the vendor takes are in flight, or others wait.
    Busy,
    /// What is left is kept for work that matters more, or for later.
    Reserved,
    /// The answer would come after its deadline.
    TooLate,
    /// Too many wait already.
    LineFull,
}

impl Held {
    /// The word used in answers and statistics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Held::Quota => "quota",
            Held::Busy => "busy",
            Held::Reserved => "reserved",
            Held::TooLate => "too_late",
            Held::LineFull => "line_full",
        }
    }
}

/// Why there is no permit, and when to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPermit {
    /// Why.
    pub held: Held,
    /// When there may be one.
    pub retry_at: Instant,
}

/// A line as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct LineStatus {
    /// How many wait.
    pub depth: usize,
    /// How many of each class, most important first, age counted.
    pub by_class: [usize; 5],
    /// How long the first of those who came has waited.
    pub oldest: Duration,
    /// 95th percentile of the last hundred waits, none at all included; `None` before the first permit.
    pub wait_p95: Option<Duration>,
    /// Requests in flight.
    pub in_flight: u32,
    /// Requests that may be in flight at present.
    pub in_flight_limit: u32,
    /// Permits since the start, how many were waited for, and for how long together.
    pub statistics: Statistics,
    /// Requests without a permit since the start, by reason.
    pub refused: Vec<(&'static str, u64)>,
}

/// One vendor's limiter.
pub struct Limiter {
    vendor: VendorId,
    state: Mutex<State>,
    /// A place in flight has come free.
    freed: Notify,
    /// The same account as other instances spend it.
    common: Option<Arc<CommonQuota>>,
}

/// A permit with its place in flight. Dropped before [`Permit::sent`], the permit goes back; the place goes back
/// in any case.
#[must_use = "a permit must be sent or goes back"]
pub struct Permit<'a> {
    limiter: &'a Limiter,
    grant: Option<Grant>,
    endpoint: &'static str,
    cost: u32,
    common: Option<Common>,
    /// The request under way, as other instances know of it.
    flight: Option<InFlight>,
}

impl Permit<'_> {
    /// The request goes out now: the permit is used, whatever becomes of the request (LIM-4).
    pub fn sent(&mut self) {
        if !domain::planted!(SentPermitReturned) {
            self.grant = None;
        }
        self.flight = self.common.take().and_then(Common::used);
    }

    /// The exchange has ended: what it teaches about the vendor's speed. Tells whether something was learned
    /// that a restart should not forget.
    pub fn ended(&mut self, ended: Ended, latency: Duration, now: Instant) -> bool {
        self.flight = None;
        self.limiter.state.lock().ended(self.endpoint, self.cost, ended, latency, now)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.limiter.state.lock().release(self.grant.take(), self.endpoint);
        self.limiter.freed.notify_waiters();
    }
}

/// A place in line; dropped, it is given up.
struct InLine<'a> {
    limiter: &'a Limiter,
    ticket: Ticket,
    woken: Arc<Notify>,
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.limiter.state.lock().leave(self.ticket);
    }
}

impl Limiter {
    /// A limiter over what this instance has spent of a quota, and all others of the same account, if there are
    /// any.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot say what was spent alone.
    pub async fn open(
        seams: &Seams,
        settings: &UpstreamSettings,
        quota: Quota,
        rules: &Schedule,
        learned: Learned,
    ) -> Result<Limiter, StoreError> {
        let common = CommonQuota::open(seams, settings, &quota).await?;
        let state = Mutex::new(State::new(quota, rules, learned));
        Ok(Limiter { vendor: settings.vendor(), state, freed: Notify::new(), common })
    }

    /// The quota as other instances spend it too.
    pub(crate) fn common(&self) -> Option<&Arc<CommonQuota>> {
        self.common.as_ref()
    }

    /// Takes a permit, waiting in line until the claim's deadline at most if it says so. What must be durable
    /// before the call is written before this returns; a store that cannot write is reported through
    /// `store_failed`, and the call goes on.
    ///
    /// Where other instances spend the account too, a permit of the common count comes last, so that it is fresh
    /// when the request goes out.
    ///
    /// # Errors
    /// [`NoPermit`]: at once if it is clear that there will be none in time.
    pub async fn take<'a>(
        &'a self,
        claim: Claim,
        clock: &dyn Clock,
        store: &dyn Store,
        store_failed: &(dyn Fn(StoreError) + Sync),
    ) -> Result<Permit<'a>, NoPermit> {
        loop {
            if let Some(common) = self.shares() {
                common.wait_or_refuse(&claim, clock.now()).await?;
            }
            let (endpoint, cost) = (claim.endpoint, claim.cost.units);
            let grant = self.grant(claim.clone(), clock).await?;
            let mut permit =
                Permit { limiter: self, grant: Some(grant), endpoint, cost, common: None, flight: None };
            self.persist(&mut permit, store, store_failed).await;
            if self.take_common(&mut permit, &claim, clock).await? {
                return Ok(permit);
            }
        }
    }

    /// The common count, where one is to be asked.
    fn shares(&self) -> Option<&Arc<CommonQuota>> {
        self.common.as_ref().filter(|_| self.is_limited())
    }

    /// Takes a permit of the common count, if there is one; whether there is one now. One by one, so that nobody
    /// passes another by between two instances.
    async fn take_common(
        &self,
        permit: &mut Permit<'_>,
        claim: &Claim,
        clock: &dyn Clock,
    ) -> Result<bool, NoPermit> {
        let Some(common) = self.shares() else { return Ok(true) };
        let late = NoPermit { held: Held::TooLate, retry_at: clock.now() };
        let _turn = common.turn(Some(claim.deadline)).await.ok_or(late)?;
        match common.take(claim.cost).await {
            Ok(taken) => {
                permit.common = Some(taken);
                Ok(true)
            }
            Err(refused) if claim.may_wait && refused.retry_at <= claim.deadline => Ok(false),
            Err(refused) => Err(NoPermit { held: Held::Quota, retry_at: refused.retry_at }),
        }
    }

    /// A further permit for the same question, a page or a formality: its place in flight is kept, so whoever has
    /// begun goes on before others begin.
    ///
    /// # Errors
    /// [`NoPermit`] if the quota has no room, or none before the deadline of a claim that may wait.
    pub async fn take_next<'a>(
        &'a self,
        mut permit: Permit<'a>,
        claim: Claim,
        clock: &dyn Clock,
        store: &dyn Store,
        store_failed: &(dyn Fn(StoreError) + Sync),
    ) -> Result<Permit<'a>, NoPermit> {
        permit.flight = None;
        loop {
            if let Some(common) = self.shares() {
                common.wait_or_refuse(&claim, clock.now()).await?;
            }
            let taken = self.state.lock().go_on(&claim, clock.now());
            match taken {
                Ok(grant) => (permit.grant, permit.cost) = (Some(grant), claim.cost.units),
                Err(none) if claim.may_wait && none.retry_at < claim.deadline => {
                    clock.sleep_until(none.retry_at).await;
                    continue;
                }
                Err(none) => return Err(none),
            }
            self.persist(&mut permit, store, store_failed).await;
            if self.take_common(&mut permit, &claim, clock).await? {
                return Ok(permit);
            }
            if let Some(unused) = permit.grant.take() {
                self.state.lock().quota.give_back(unused);
            }
        }
    }

    async fn persist(
        &self,
        permit: &mut Permit<'_>,
        store: &dyn Store,
        store_failed: &(dyn Fn(StoreError) + Sync),
    ) {
        if let Some(snapshot) = permit.grant.as_mut().and_then(|grant| grant.must_persist.take())
            && !domain::planted!(PermitNotWritten)
        {
            match store.put_quota(self.vendor, &snapshot).await {
                Ok(()) => self.state.lock().quota.persisted(snapshot.sequence),
                Err(error) => store_failed(error),
            }
        }
    }

    async fn grant(&self, mut claim: Claim, clock: &dyn Clock) -> Result<Grant, NoPermit> {
        let place = {
            let mut state = self.state.lock();
            let now = clock.now();
            match state.enter(&claim, now) {
                Ok(grant) => return Ok(grant),
                Err(none) if !claim.may_wait => return Err(none),
                Err(none) => {
                    let (ticket, woken) = state.join(&claim, none, now)?;
                    InLine { limiter: self, ticket, woken }
                }
            }
        };
        let mut urgency = claim.urgency.take();
        loop {
            let step = self.state.lock().step(place.ticket, &claim, clock.now());
            let until = match step {
                Step::Granted(grant) => return Ok(grant),
                Step::Refused(none) => {
                    if domain::planted!(LineKeptByWaiter) {
                        std::mem::forget(place);
                    }
                    return Err(none);
                }
                Step::Wait(until) => until,
            };
            tokio::select! {
                () = place.woken.notified() => {}
                () = clock.sleep_until(until) => {}
                Some((priority, deadline)) = changed(&mut urgency) => {
                    claim.priority = claim.priority.min(priority);
                    self.state.lock().raise(place.ticket, priority, deadline, clock.now());
                }
            }
        }
    }

    /// When the quota would have room; `None` if now.
    pub fn room_at(&self, cost: Cost, now: Instant) -> Option<Instant> {
        let ours = self.state.lock().quota.check(cost, now).err().map(|refused: Refused| refused.retry_at);
        let common = self.common.as_ref().and_then(|common| common.held(cost, now)).map(|held| held.retry_at);
        ours.max(common)
    }

    /// When the last of several calls would end, if they were sent one after the other from now on, each taking so
    /// long. Nothing is taken. `None` where a limit never allows one of them.
    pub fn would_end(&self, costs: &[Cost], each: Duration, now: Instant) -> Option<Instant> {
        let mut quota = self.state.lock().quota.clone();
        let mut at = now;
        for cost in costs {
            while let Err(refused) = quota.try_take(*cost, at) {
                if refused.retry_at == Instant::MAX {
                    return None;
                }
                at = refused.retry_at.max(at + Duration::from_nanos(1));
            }
            at += each;
        }
        Some(at)
    }

    /// Until when the vendor told us to wait, if it did.
    pub fn told_until(&self, now: Instant) -> Option<Instant> {
        self.state.lock().quota.blocked_until(now)
    }

    /// Takes the vendor's word about the account, and keeps it.
    ///
    /// Other instances that spend the account hear of it before this returns.
    pub async fn observe(&self, word: VendorWord, now: Instant, store: &dyn Store) -> Result<(), StoreError> {
        let (snapshot, blocked_until) = {
            let mut state = self.state.lock();
            let snapshot = state.quota.observe(word, now);
            state.wake();
            (snapshot, state.quota.blocked_until(now))
        };
        if snapshot.is_some()
            && let Some(common) = &self.common
        {
            common.tell(word, blocked_until).await;
        }
        if let Some(snapshot) = snapshot {
            store.put_quota(self.vendor, &snapshot).await?;
            self.state.lock().quota.persisted(snapshot.sequence);
        }
        Ok(())
    }

    /// Says to the other instances that we are there, and takes over what the vendor told them; nothing where
    /// there are none.
    ///
    /// # Errors
    /// [`SharedLost`] where nobody can be reached, or nobody lets us in.
    pub async fn be_seen(&self, clock: &dyn Clock, store: &dyn Store) -> Result<(), SharedLost> {
        let Some(common) = &self.common else { return Ok(()) };
        let Some(wait) = common.be_seen().await? else { return Ok(()) };
        // The wait is told again and again, each time a little shorter and by another path.
        const SAME: Duration = Duration::from_millis(100);
        let now = clock.now();
        let snapshot = {
            let mut state = self.state.lock();
            if state.quota.blocked_until(now).is_some_and(|known| known + SAME >= now + wait) {
                return Ok(());
            }
            state.quota.observe(VendorWord::RetryAfter(wait), now)
        };
        // A store that cannot write has said so elsewhere; the others will tell the wait again.
        if let Some(snapshot) = snapshot
            && store.put_quota(self.vendor, &snapshot).await.is_ok()
        {
            self.state.lock().quota.persisted(snapshot.sequence);
        }
        Ok(())
    }

    /// Tells the other instances how long the vendor made us wait, which they may not have heard.
    pub(crate) async fn tell_wait(&self, now: Instant) {
        if let (Some(until), Some(common)) = (self.told_until(now), &self.common) {
            common.tell(VendorWord::RetryAfter(until.since(now)), Some(until)).await;
        }
    }

    /// Every window as it stands, with what other instances have used of it. The limit is the plan's; what may be used of it is less where experience says
    /// so.
    pub fn status(&self, now: Instant) -> Vec<WindowStatus> {
        let mut status = self.state.lock().status(now);
        if let Some(common) = &self.common {
            common.lay_over(&mut status);
        }
        status
    }

    /// Every limit of money as it stands.
    pub fn spend_status(&self, now: Instant) -> Vec<SpendStatus> {
        let mut status = self.state.lock().quota.spend_status(now);
        if let Some(common) = &self.common {
            common.lay_over_money(&mut status);
        }
        status
    }

    /// Share of the tightest window that is left, over the share of its time that is left, in `[0, 1]`; 1
    /// without limits.
    pub fn headroom(&self, now: Instant) -> f64 {
        let permits = self.status(now).into_iter().map(|window| window.utilization());
        let money = self.spend_status(now).into_iter().map(|window| window.utilization());
        permits.chain(money).map(|used| 1.0 - used).fold(1.0, f64::min).clamp(0.0, 1.0)
    }

    /// Whether a newcomer would have to wait: as many requests are in flight as the vendor takes, or others wait.
    pub fn is_full(&self) -> bool {
        self.state.lock().is_full()
    }

    /// Waits until a newcomer would not.
    pub(crate) async fn not_full(&self) {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if !self.is_full() {
                return;
            }
            freed.await;
        }
    }

    /// The line as it stands.
    pub fn line(&self, now: Instant) -> LineStatus {
        self.state.lock().line_status(now)
    }

    /// What is to be expected of each window.
    pub fn forecast(&self, now: Instant) -> Vec<Foreseen> {
        self.state.lock().forecast(now)
    }

    /// What has come to be expected since it was last asked, for those who want to be told.
    pub(crate) fn take_news(&self) -> Vec<Foreseen> {
        let mut state = self.state.lock();
        if state.news.is_empty() { Vec::new() } else { std::mem::take(&mut state.news) }
    }

    /// Whether an answer may be served stale for longer, because refreshing it is spread over the period: until
    /// the next refresh is due.
    pub fn next_refresh(&self, now: Instant) -> Option<Instant> {
        self.state.lock().held_back(Priority::Normal, true, now)
    }

    /// The rate of every endpoint that was asked.
    pub fn rates(&self) -> Vec<(&'static str, resilience::Rate)> {
        self.state.lock().rates.iter().map(|(endpoint, rate)| (*endpoint, rate.clone())).collect()
    }

    /// The limit that the vendor was found to keep below its plan, if it was.
    pub fn learned_limit(&self) -> Option<LearnedLimit> {
        self.state.lock().learned
    }

    /// Gives back the unused part of the open lease: called when the gateway stops in good order.
    pub async fn close(&self, now: Instant, store: &dyn Store) -> Result<(), StoreError> {
        if let Some(common) = &self.common {
            common.leave().await;
        }
        let snapshot = self.state.lock().quota.close_lease(now);
        store.put_quota(self.vendor, &snapshot).await
    }

    /// Whether any limit holds.
    pub fn is_limited(&self) -> bool {
        let state = self.state.lock();
        let settings = state.quota.settings();
        !settings.limits.is_empty() || !settings.spend.is_empty()
    }
}

/// The next change of urgency; never where there is none to come.
async fn changed(urgency: &mut Option<Urgency>) -> Option<(Priority, Instant)> {
    match urgency {
        Some(watched) => match watched.changed().await {
            Ok(()) => Some(*watched.borrow_and_update()),
            Err(_closed) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

impl CommonQuota {
    /// Waits while the common count is known to have no room, if the claim may.
    async fn wait_or_refuse(&self, claim: &Claim, mut now: Instant) -> Result<(), NoPermit> {
        while let Some(held) = self.held(claim.cost, now) {
            if !claim.may_wait || held.retry_at > claim.deadline {
                return Err(NoPermit { held: Held::Quota, retry_at: held.retry_at });
            }
            self.wait(held.retry_at).await;
            now = now.max(held.retry_at);
        }
        Ok(())
    }
}
