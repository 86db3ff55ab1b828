//! Waiting for a vendor's quota: first come, first served, woken exactly, given back when the caller leaves.

use std::sync::Arc;
use std::time::Duration;

use domain::{Instant, VendorId};
use parking_lot::Mutex;
use resilience::quota::{Cost, Grant, Quota, Refused, SpendStatus, VendorWord, WindowStatus};

use crate::common_quota::{Common, CommonQuota, InFlight};
use crate::gateway::Seams;
use crate::seams::{Clock, Store, StoreError};
use crate::settings::UpstreamSettings;
use crate::shared::SharedLost;

/// One vendor's quota with the line of those who wait for it.
pub struct Limiter {
    vendor: VendorId,
    quota: Mutex<Quota>,
    /// Held by whoever is first in line. Tokio's mutex hands over in order of arrival and forgets whoever
    /// stops waiting.
    line: tokio::sync::Mutex<()>,
    /// The same account as other instances spend it.
    common: Option<Arc<CommonQuota>>,
}

/// A permit on its way to be used. Dropped before [`Permit::sent`], it goes back.
#[must_use = "a permit must be sent or goes back"]
pub struct Permit<'a> {
    limiter: &'a Limiter,
    grant: Option<Grant>,
    common: Option<Common>,
}

impl Permit<'_> {
    /// The request goes out now: the permit is used, whatever becomes of the request (LIM-4). What is returned is
    /// kept until the reply is there.
    pub fn sent(mut self) -> Sent {
        self.grant = None;
        Sent { _flight: self.common.take().and_then(Common::used) }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(grant) = self.grant.take() {
            self.limiter.quota.lock().give_back(grant);
        }
    }
}

/// A request under way.
#[must_use = "a request is under way until its reply is there"]
pub struct Sent {
    _flight: Option<InFlight>,
}

/// Why there is no permit.
pub struct NoPermit {
    /// When there may be one.
    pub refused: Refused,
}

impl Limiter {
    /// A limiter over a quota.
    pub fn new(vendor: VendorId, quota: Quota) -> Limiter {
        Limiter { vendor, quota: Mutex::new(quota), line: tokio::sync::Mutex::new(()), common: None }
    }

    /// A limiter over what this instance has spent of a quota, and all others of the same account, if there are
    /// any.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot say what was spent alone.
    pub async fn open(
        seams: &Seams,
        settings: &UpstreamSettings,
        quota: Quota,
    ) -> Result<Limiter, StoreError> {
        let common = CommonQuota::open(seams, settings, &quota).await?;
        Ok(Limiter { common, ..Limiter::new(settings.vendor(), quota) })
    }

    /// The quota as other instances spend it too.
    pub(crate) fn common(&self) -> Option<&Arc<CommonQuota>> {
        self.common.as_ref()
    }

    /// Takes a permit, waiting in line until `deadline` at most; without a deadline only if there is one at
    /// once and nobody waits. What must be durable before the call is written before this returns; a store
    /// that cannot write is reported through `store_failed`, and the call goes on.
    ///
    /// Where other instances spend the account too, a permit of the common count comes last, so that it is fresh
    /// when the request goes out.
    pub async fn take<'a>(
        &'a self,
        cost: Cost,
        clock: &dyn Clock,
        store: &dyn Store,
        deadline: Option<Instant>,
        store_failed: &(dyn Fn(StoreError) + Sync),
    ) -> Result<Permit<'a>, NoPermit> {
        let Some(common) = self.common.as_ref().filter(|_| self.is_limited()) else {
            return self.take_own(cost, clock, store, deadline, store_failed).await;
        };
        let later = |refused: Refused| match deadline {
            Some(deadline) if refused.retry_at <= deadline => Ok(refused.retry_at),
            _ => Err(NoPermit { refused }),
        };
        let Some(_turn) = common.turn(deadline).await else {
            let now = clock.now();
            let cause = resilience::quota::Cause::VendorsWord;
            return Err(NoPermit {
                refused: common.held(cost, now).unwrap_or(Refused { retry_at: now, cause }),
            });
        };
        loop {
            if let Some(held) = common.held(cost, clock.now()) {
                common.wait(later(held)?).await;
                continue;
            }
            let mut permit = self.take_own(cost, clock, store, deadline, store_failed).await?;
            match common.take(cost).await {
                Ok(taken) => {
                    permit.common = Some(taken);
                    return Ok(permit);
                }
                Err(refused) => {
                    drop(permit);
                    common.wait(later(refused)?).await;
                }
            }
        }
    }

    /// Takes a permit of our own count.
    async fn take_own<'a>(
        &'a self,
        cost: Cost,
        clock: &dyn Clock,
        store: &dyn Store,
        deadline: Option<Instant>,
        store_failed: &(dyn Fn(StoreError) + Sync),
    ) -> Result<Permit<'a>, NoPermit> {
        let grant = match deadline {
            None => {
                let Ok(_first) = self.line.try_lock() else {
                    let now = clock.now();
                    return Err(NoPermit {
                        refused: self.quota.lock().check(cost, now).err().unwrap_or(Refused {
                            retry_at: now,
                            cause: resilience::quota::Cause::VendorsWord,
                        }),
                    });
                };
                self.quota.lock().try_take(cost, clock.now()).map_err(|refused| NoPermit { refused })?
            }
            Some(deadline) => self.wait(cost, clock, deadline).await?,
        };
        let mut permit = Permit { limiter: self, grant: Some(grant), common: None };
        if let Some(snapshot) = permit.grant.as_mut().and_then(|grant| grant.must_persist.take()) {
            match store.put_quota(self.vendor, &snapshot).await {
                Ok(()) => self.quota.lock().persisted(snapshot.sequence),
                Err(error) => store_failed(error),
            }
        }
        Ok(permit)
    }

    async fn wait(&self, cost: Cost, clock: &dyn Clock, deadline: Instant) -> Result<Grant, NoPermit> {
        let asked_at = clock.now();
        let refused = |quota: &Mutex<Quota>| {
            let now = clock.now();
            quota
                .lock()
                .check(cost, now)
                .err()
                .unwrap_or(Refused { retry_at: now, cause: resilience::quota::Cause::VendorsWord })
        };
        let _first = tokio::select! {
            first = self.line.lock() => first,
            () = clock.sleep_until(deadline) => return Err(NoPermit { refused: refused(&self.quota) }),
        };
        loop {
            let now = clock.now();
            let taken = self.quota.lock().try_take(cost, now);
            match taken {
                Ok(grant) => {
                    if now > asked_at {
                        self.quota.lock().note_wait(now.since(asked_at));
                    }
                    return Ok(grant);
                }
                Err(refused) if refused.retry_at > deadline => return Err(NoPermit { refused }),
                Err(refused) => clock.sleep_until(refused.retry_at).await,
            }
        }
    }

    /// When a permit would be there; `None` if now.
    pub fn room_at(&self, cost: Cost, now: Instant) -> Option<Instant> {
        let ours = self.quota.lock().check(cost, now).err().map(|refused| refused.retry_at);
        let common = self.common.as_ref().and_then(|common| common.held(cost, now)).map(|held| held.retry_at);
        ours.max(common)
    }

    /// When the last of several calls would end, if they were sent one after the other from now on, each taking so
    /// long. Nothing is taken. `None` where a limit never allows one of them.
    pub fn would_end(&self, costs: &[Cost], each: Duration, now: Instant) -> Option<Instant> {
        let mut quota = self.quota.lock().clone();
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
        self.quota.lock().blocked_until(now)
    }

    /// Takes the vendor's word about the account, and keeps it.
    ///
    /// Other instances that spend the account hear of it before this returns.
    pub async fn observe(&self, word: VendorWord, now: Instant, store: &dyn Store) -> Result<(), StoreError> {
        let (snapshot, blocked_until) = {
            let mut quota = self.quota.lock();
            (quota.observe(word, now), quota.blocked_until(now))
        };
        if snapshot.is_some()
            && let Some(common) = &self.common
        {
            common.tell(word, blocked_until).await;
        }
        if let Some(snapshot) = snapshot {
            store.put_quota(self.vendor, &snapshot).await?;
            self.quota.lock().persisted(snapshot.sequence);
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
            let mut quota = self.quota.lock();
            if quota.blocked_until(now).is_some_and(|known| known + SAME >= now + wait) {
                return Ok(());
            }
            quota.observe(VendorWord::RetryAfter(wait), now)
        };
        // A store that cannot write has said so elsewhere; the others will tell the wait again.
        if let Some(snapshot) = snapshot
            && store.put_quota(self.vendor, &snapshot).await.is_ok()
        {
            self.quota.lock().persisted(snapshot.sequence);
        }
        Ok(())
    }

    /// Tells the other instances how long the vendor made us wait, which they may not have heard.
    pub(crate) async fn tell_wait(&self, now: Instant) {
        if let (Some(until), Some(common)) = (self.told_until(now), &self.common) {
            common.tell(VendorWord::RetryAfter(until.since(now)), Some(until)).await;
        }
    }

    /// Every window as it stands, with what other instances have used of it.
    pub fn status(&self, now: Instant) -> Vec<WindowStatus> {
        let mut status = self.quota.lock().status(now);
        if let Some(common) = &self.common {
            common.lay_over(&mut status);
        }
        status
    }

    /// Every limit of money as it stands.
    pub fn spend_status(&self, now: Instant) -> Vec<SpendStatus> {
        let mut status = self.quota.lock().spend_status(now);
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

    /// Gives back the unused part of the open lease: called when the gateway stops in good order.
    pub async fn close(&self, now: Instant, store: &dyn Store) -> Result<(), StoreError> {
        if let Some(common) = &self.common {
            common.leave().await;
        }
        let snapshot = self.quota.lock().close_lease(now);
        store.put_quota(self.vendor, &snapshot).await
    }

    /// Whether any limit holds.
    pub fn is_limited(&self) -> bool {
        let quota = self.quota.lock();
        !quota.settings().limits.is_empty() || !quota.settings().spend.is_empty()
    }
}
