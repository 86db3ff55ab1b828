//! One vendor's quota in common with other instances (LIM-10): a permit needs the common count's word besides
//! our own, and while nobody can be reached we spend our share alone.
//!
//! No window is exceeded over the change from one to the other and back. The common count keeps a share free for
//! every place whose instance was [silent](Shared::silence) too long, from its last message on. We begin to spend that
//! share only after the same time twice (a message may have been under way as long as its sender heard
//! nothing) and one whole window more, so that nothing of what was spent in common lies in the same window. What
//! we spend alone is written down first and told when we join again, and an instance that was silent joins
//! only after it has heard that it is heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::{Date, Instant};
use jiff::ToSpan;
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use resilience::quota::{
    self, Cause, Cost, Grant, Limit, Quota, Refused, SpendLimit, SpendStatus, VendorWord, Window,
    WindowStatus,
};
use secrecy::ExposeSecret;
use telemetry::EventKind;

use crate::gateway::{Gateway, Seams};
use crate::seams::{Clock, Shared, Store, StoreError};
use crate::settings::UpstreamSettings;
use crate::shared::{CommonCause, CommonWindow, Message, Reply, SharedLost, Ticket, Told, Verdict, Wish};
use crate::upstream::Upstream;

/// A permit near a boundary of days belongs to both.
const EDGE: Duration = Duration::from_secs(2);
/// How long a caller is told to wait when nobody knows.
const UNKNOWN_WAIT: Duration = Duration::from_secs(1);

/// One vendor's quota in common with other instances.
pub(crate) struct CommonQuota {
    shared: Arc<dyn Shared>,
    clock: Arc<dyn Clock>,
    store: Arc<dyn Store>,
    account: String,
    member: String,
    instances: u32,
    settings: quota::Settings,
    /// Name of the fact that says what was spent alone and not told yet.
    fact: String,
    /// Held by whoever of us asks the others: one at a time, in order of arrival.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    heard: tokio::sync::Notify,
    messages: AtomicU64,
}

struct State {
    /// When a reply last came, by our clock; at first, when we started.
    heard_at: Instant,
    /// What the common clock said then.
    common: Option<Instant>,
    epoch: Option<String>,
    is_lost: bool,
    /// There was no place for us: we have no share either.
    is_turned_away: bool,
    /// What is spent of our share since we lost the others.
    alone: Option<Quota>,
    /// What we spent of each window and have not told yet.
    own: Vec<u64>,
    /// What all have used of each window.
    used: Vec<u64>,
    /// Requests under way, and those that were for too long and are not told yet.
    flights: Vec<Flight>,
    /// The last refusal, and of which cost: a lower one may fit all the same.
    held: Option<(Cost, Refused)>,
    is_gone: bool,
}

/// What a reply means for the message it answers.
enum Heard {
    /// It must be said again.
    InVain,
    /// Nobody heard it, or nobody lets us in.
    Nothing,
    /// It is done; whether we had lost the others before.
    Done { is_back: bool },
}

/// A permit of the common count, or of our share. Dropped before it is used, it goes back.
pub(crate) struct Common {
    quota: Arc<CommonQuota>,
    taken: Option<Taken>,
}

enum Taken {
    Together(Ticket, Instant),
    Alone(Grant),
}

/// A request under way. The vendor counts it when it arrives, which may be as late as its reply: one that is
/// under way for longer than the margin of the windows is dated anew.
struct Flight {
    ticket: Ticket,
    asked_at: Instant,
    has_landed: bool,
}

/// Lands when it is dropped.
pub(crate) struct InFlight {
    quota: Arc<CommonQuota>,
    id: String,
}

impl Common {
    /// The request goes out.
    pub(crate) fn used(mut self) -> Option<InFlight> {
        let Some(Taken::Together(ticket, asked_at)) = self.taken.take() else { return None };
        let id = ticket.id.clone();
        self.quota.state.lock().flights.push(Flight { ticket, asked_at, has_landed: false });
        Some(InFlight { quota: Arc::clone(&self.quota), id })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let (now, patience) = (self.quota.clock.now(), self.quota.patience());
        let is_late = {
            let mut state = self.quota.state.lock();
            let Some(index) = state.flights.iter().position(|flight| flight.ticket.id == self.id) else {
                return;
            };
            let is_late = now.since(state.flights[index].asked_at) > patience;
            if is_late {
                state.flights[index].has_landed = true;
            } else {
                state.flights.swap_remove(index);
            }
            is_late
        };
        // Without a runtime the next message tells it.
        if is_late && let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let quota = Arc::clone(&self.quota);
            runtime.spawn(async move { quota.say(Wish::BeSeen).await });
        }
    }
}

impl Drop for Common {
    fn drop(&mut self) {
        match self.taken.take() {
            Some(Taken::Together(ticket, _)) => {
                // Without a runtime it stays spent, which harms nobody.
                if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                    let quota = Arc::clone(&self.quota);
                    runtime.spawn(async move { quota.say(Wish::GiveBack(ticket)).await });
                }
            }
            Some(Taken::Alone(grant)) => {
                if let Some(share) = &mut self.quota.state.lock().alone {
                    share.give_back(grant);
                }
            }
            None => {}
        }
    }
}

impl CommonQuota {
    /// The quota of a vendor as it is shared; `None` where there is nobody to share with, or the vendor is not
    /// in use. `quota` is what we have spent ourselves.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot say what was spent alone.
    pub(crate) async fn open(
        seams: &Seams,
        upstream: &UpstreamSettings,
        quota: &Quota,
    ) -> Result<Option<Arc<CommonQuota>>, StoreError> {
        let vendor = upstream.vendor();
        let fact = format!("spent alone {vendor}");
        let untold = seams.store.fact(&fact).await?.filter(|text| !text.is_empty());
        let in_use = upstream.enabled && !upstream.is_retired() && upstream.missing_key().is_none();
        let Some(instances) = seams.shared.instances().filter(|_| in_use) else {
            if untold.is_some() {
                // What is spent from now on was not spent in common either.
                seams.store.put_fact(&fact, String::new()).await?;
            }
            return Ok(None);
        };
        let now = seams.clock.now();
        let used = used(quota, now);
        let own = untold.and_then(|text| written(&text, used.len())).unwrap_or_else(|| used.clone());
        let key = upstream.key.as_ref().map(|key| key.expose_secret());
        Ok(Some(Arc::new(CommonQuota {
            account: seams.shared.account(vendor, &upstream.base_url, key),
            shared: Arc::clone(&seams.shared),
            clock: Arc::clone(&seams.clock),
            store: Arc::clone(&seams.store),
            member: format!("{:016x}", seams.entropy.bits()),
            instances,
            settings: quota.settings().clone(),
            fact,
            turn: tokio::sync::Mutex::new(()),
            state: Mutex::new(State {
                heard_at: now,
                common: None,
                epoch: None,
                is_lost: false,
                is_turned_away: false,
                alone: None,
                own,
                used,
                flights: Vec::new(),
                held: None,
                is_gone: false,
            }),
            heard: tokio::sync::Notify::new(),
            messages: AtomicU64::new(0),
        })))
    }

    /// Waits for our turn to ask the others, until the deadline; without one only if nobody else waits.
    pub(crate) async fn turn(&self, deadline: Option<Instant>) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        match deadline {
            None => self.turn.try_lock().ok(),
            Some(deadline) => tokio::select! {
                turn = self.turn.lock() => Some(turn),
                () = self.clock.sleep_until(deadline) => None,
            },
        }
    }

    /// The last refusal, while it holds.
    pub(crate) fn held(&self, cost: Cost, now: Instant) -> Option<Refused> {
        let (refused, held) = self.state.lock().held?;
        let is_as_dear = cost.units >= refused.units && cost.micros >= refused.micros;
        (is_as_dear && held.retry_at > now).then_some(held)
    }

    /// Sleeps until a refusal may be over, or the others are heard again.
    pub(crate) async fn wait(&self, until: Instant) {
        tokio::select! {
            () = self.clock.sleep_until(until) => {}
            () = self.heard.notified() => {}
        }
    }

    /// Takes a permit of the common count, or of our share while nobody can be reached.
    pub(crate) async fn take(self: &Arc<Self>, cost: Cost) -> Result<Common, Refused> {
        let taken = self.try_take(cost).await;
        self.state.lock().held = taken.as_ref().err().map(|refused| (cost, *refused));
        taken.map(|taken| Common { quota: Arc::clone(self), taken: Some(taken) })
    }

    async fn try_take(&self, cost: Cost) -> Result<Taken, Refused> {
        let asked_at = self.clock.now();
        let is_lost = self.state.lock().is_lost;
        if is_lost {
            return self.take_alone(cost, asked_at).await.map(Taken::Alone);
        }
        let verdict = match self.say(Wish::Take { cost }).await {
            Ok(reply) => reply.verdict,
            Err(_) => return self.take_alone(cost, asked_at).await.map(Taken::Alone),
        };
        let now = self.clock.now();
        match verdict {
            // The vendor counts when it arrives: one that took too long on its way here is not used.
            Verdict::Granted(ticket) if now.since(asked_at) > self.patience() => {
                let _ = self.say(Wish::GiveBack(ticket)).await;
                Err(Refused { retry_at: now, cause: Cause::VendorsWord })
            }
            Verdict::Granted(ticket) => Ok(Taken::Together(ticket, asked_at)),
            Verdict::Refused { after, cause, window } => {
                let cause = match (cause, self.cause(window)) {
                    (CommonCause::Paced, Cause::Spent(window)) => Cause::Paced(window),
                    (CommonCause::Told, _) => Cause::VendorsWord,
                    (_, spent) => spent,
                };
                Err(Refused { retry_at: after.map_or(Instant::MAX, |after| now + after), cause })
            }
            _ => Err(self.unknown(now)),
        }
    }

    /// Takes a permit of our share.
    async fn take_alone(&self, cost: Cost, asked_at: Instant) -> Result<Grant, Refused> {
        let (grant, untold) = {
            let mut state = self.state.lock();
            let now = self.clock.now();
            let Some(from) = self.alone_from(&state, now) else { return Err(self.unknown(now)) };
            if now < from {
                return Err(Refused { retry_at: from, cause: self.cause(0) });
            }
            let at = state.common_now(now);
            let share = state.alone.get_or_insert_with(|| Quota::new(self.share()));
            let grant = share.try_take(cost, at).map_err(|refused| Refused {
                retry_at: if refused.retry_at == Instant::MAX {
                    Instant::MAX
                } else {
                    now + refused.retry_at.since(at)
                },
                ..refused
            })?;
            let spent =
                used(share, at).into_iter().zip(&state.own).map(|(spent, own)| spent.saturating_add(*own));
            (grant, spent.map(|count| count.to_string()).collect::<Vec<String>>().join(" "))
        };
        // A store that cannot write says so where its answers matter; the call goes on.
        let _ = self.store.put_fact(&self.fact, untold).await;
        let now = self.clock.now();
        let state = self.state.lock();
        if state.alone.is_some() && now.since(asked_at) <= self.patience() {
            return Ok(grant);
        }
        // It is counted, and not used: we are heard again, or writing took too long.
        Err(Refused { retry_at: now, cause: Cause::VendorsWord })
    }

    /// When we may begin to spend our share alone; `None` where we cannot know.
    fn alone_from(&self, state: &State, now: Instant) -> Option<Instant> {
        if state.is_turned_away {
            return None;
        }
        let unheard = state.heard_at + self.shared.silence() * 2;
        let mut from = unheard;
        for window in self.spans() {
            match window {
                Window::Sliding(length) => {
                    from = from.max(unheard + length + self.settings.margin(length));
                }
                Window::Day | Window::Month => {
                    // Of a day in which others spent we do not know what is left.
                    let heard = state.common?;
                    let periods = periods(window, &self.settings.zone, state.common_now(now));
                    if periods[2] <= heard + self.shared.silence() * 2 + EDGE {
                        from = from.max(now + periods[3].since(state.common_now(now)) + EDGE);
                    }
                }
            }
        }
        Some(from)
    }

    fn share(&self) -> quota::Settings {
        let instances = self.instances;
        let part = |limit: &Limit| Limit { count: limit.count / instances, ..*limit };
        let sum = |limit: &SpendLimit| SpendLimit { micros: limit.micros / u64::from(instances), ..*limit };
        quota::Settings {
            limits: self.settings.limits.iter().map(part).collect(),
            spend: self.settings.spend.iter().map(sum).collect(),
            ..self.settings.clone()
        }
    }

    /// What the windows are over, those of requests first, then those of money.
    fn spans(&self) -> impl Iterator<Item = Window> + '_ {
        let requests = self.settings.limits.iter().map(|limit| limit.window);
        requests.chain(self.settings.spend.iter().map(|limit| limit.window))
    }

    /// Why there is no permit where the window of an index is full.
    fn cause(&self, index: usize) -> Cause {
        let limits = &self.settings.limits;
        match (limits.get(index), self.settings.spend.get(index.saturating_sub(limits.len()))) {
            (Some(limit), _) => Cause::Spent(limit.window),
            (None, Some(limit)) => Cause::Unaffordable(limit.window),
            (None, None) => Cause::VendorsWord,
        }
    }

    /// A permit that is older than this when it goes out may arrive in another window than it was given in.
    fn patience(&self) -> Duration {
        self.spans()
            .map(|window| self.margin(window))
            .filter(|margin| !margin.is_zero())
            .min()
            .unwrap_or(EDGE)
    }

    fn margin(&self, window: Window) -> Duration {
        match window {
            Window::Sliding(length) => self.settings.margin(length),
            Window::Day | Window::Month => Duration::ZERO,
        }
    }

    fn unknown(&self, now: Instant) -> Refused {
        Refused { retry_at: now + UNKNOWN_WAIT, cause: Cause::VendorsWord }
    }

    /// Tells the others what the vendor said, and until when it made us wait.
    pub(crate) async fn tell(&self, word: VendorWord, blocked_until: Option<Instant>) {
        let now = self.clock.now();
        let index = |window: Window| self.settings.limits.iter().position(|limit| limit.window == window);
        let left = match word {
            VendorWord::Remaining { window, left, resets } => {
                index(window).map(|index| (index, left, resets.map(|at| at.since(now))))
            }
            VendorWord::Exhausted { window, until } => {
                index(window).map(|index| (index, 0, until.map(|at| at.since(now))))
            }
            _ => None,
        };
        let told = Told {
            block: blocked_until.map(|until| until.since(now)),
            halve: word == VendorWord::Unexpected429,
            left,
        };
        // Whoever cannot be reached now hears of the wait when it can.
        let _ = self.say(Wish::Tell(told)).await;
    }

    /// Says that we are there, and hears how long the vendor told any of us to wait.
    pub(crate) async fn be_seen(&self) -> Result<Option<Duration>, SharedLost> {
        self.say(Wish::BeSeen).await.map(|reply| reply.told)
    }

    /// Goes, in good order.
    pub(crate) async fn leave(&self) {
        self.state.lock().is_gone = true;
        let _ = self.say(Wish::Leave).await;
    }

    /// What all instances have used, laid over what we have used.
    pub(crate) fn lay_over(&self, status: &mut [WindowStatus]) {
        let state = self.state.lock();
        for (window, used) in status.iter_mut().zip(&state.used) {
            window.used = window.used.max(u32::try_from(*used).unwrap_or(u32::MAX));
            window.remaining = window.allowed.saturating_sub(window.used);
        }
    }

    /// What all instances have spent, laid over what we have spent.
    pub(crate) fn lay_over_money(&self, status: &mut [SpendStatus]) {
        let state = self.state.lock();
        for (window, used) in status.iter_mut().zip(state.used.iter().skip(self.settings.limits.len())) {
            window.used = window.used.max(*used);
            window.remaining = window.limit.micros.saturating_sub(window.used);
        }
    }

    /// Says something, again where it did not count, and draws the consequences of the reply for ourselves.
    async fn say(&self, wish: Wish) -> Result<Reply, SharedLost> {
        for _ in 0..4 {
            let id = format!("{}-{}", self.member, self.messages.fetch_add(1, Ordering::Relaxed));
            let (heard, epoch, own, windows, flights) = {
                let state = self.state.lock();
                let now = self.clock.now();
                let windows = self.windows(state.common_now(now));
                let late = |flight: &&Flight| now.since(flight.asked_at) > self.patience();
                let flights: Vec<(Ticket, bool)> =
                    state.flights.iter().filter(late).map(|f| (f.ticket.clone(), f.has_landed)).collect();
                (state.common, state.epoch.clone(), state.own.clone(), windows, flights)
            };
            let (late, landed): (Vec<Ticket>, Vec<bool>) = flights.into_iter().unzip();
            let message = Message {
                wish: wish.clone(),
                account: &self.account,
                member: &self.member,
                id,
                heard,
                epoch: epoch.as_deref(),
                windows: &windows,
                own: &own,
                flights: &late,
                instances: self.instances,
                silence: self.shared.silence(),
            };
            let reply = self.shared.ask(message).await;
            let is_back = match self.state.lock().hear(&reply, &own, self.clock.now()) {
                Heard::InVain => continue,
                Heard::Nothing => false,
                Heard::Done { is_back } => is_back,
            };
            let reply = reply?;
            if reply.verdict == Verdict::Crowded {
                let places = self.instances;
                return Err(SharedLost(format!("all {places} places of the account are taken")));
            }
            if is_back {
                self.heard.notify_waiters();
            }
            if landed.contains(&true) {
                let told: Vec<&Ticket> =
                    late.iter().zip(&landed).filter(|(_, l)| **l).map(|(t, _)| t).collect();
                self.state.lock().flights.retain(|flight| !told.contains(&&flight.ticket));
            }
            if own.iter().any(|count| *count > 0) || epoch.is_none() {
                let _ = self.store.put_fact(&self.fact, "0".to_owned()).await;
            }
            return Ok(reply);
        }
        Err(SharedLost("the common clock runs away from ours".to_owned()))
    }

    fn windows(&self, now: Instant) -> Vec<CommonWindow> {
        let window = |window, count, is_money| CommonWindow {
            count,
            is_money,
            window,
            margin: self.margin(window),
            capacity: match self.settings.pace {
                quota::Pace::Strict => Some(1),
                quota::Pace::Burst => self.settings.capacity,
            },
            periods: periods(window, &self.settings.zone, now),
        };
        let requests =
            self.settings.limits.iter().map(|limit| window(limit.window, u64::from(limit.count), false));
        let money = self.settings.spend.iter().map(|limit| window(limit.window, limit.micros, true));
        requests.chain(money).collect()
    }
}

/// What is used of each window, those of requests first, then those of money.
fn used(quota: &Quota, now: Instant) -> Vec<u64> {
    let requests = quota.status(now).into_iter().map(|window| u64::from(window.used));
    requests.chain(quota.spend_status(now).into_iter().map(|window| window.used)).collect()
}

/// What was spent alone of so many windows, as it was written down.
fn written(text: &str, windows: usize) -> Option<Vec<u64>> {
    let counts: Vec<u64> = text.split(' ').map(|count| count.parse().ok()).collect::<Option<_>>()?;
    match counts[..] {
        // The limits are others now: the most that is known counts for each of them.
        _ if counts.len() != windows => Some(vec![counts.iter().copied().max()?; windows]),
        _ => Some(counts),
    }
}

impl State {
    /// The common clock's time, as far as we know.
    fn common_now(&self, now: Instant) -> Instant {
        self.common.map_or(now, |common| common + now.since(self.heard_at))
    }

    /// Takes a reply to a message that told of `own`.
    fn hear(&mut self, reply: &Result<Reply, SharedLost>, own: &[u64], now: Instant) -> Heard {
        let Ok(reply) = reply else {
            self.is_lost = true;
            return Heard::Nothing;
        };
        if self.common.is_none_or(|known| known <= reply.now) {
            (self.heard_at, self.common) = (now, Some(reply.now));
        }
        match reply.verdict {
            Verdict::Stale => {
                // From here on we are together: what was spent alone is told with the next message.
                self.come_back();
                return Heard::InVain;
            }
            Verdict::OutOfCalendar => return Heard::InVain,
            Verdict::Crowded => {
                (self.is_lost, self.is_turned_away) = (true, true);
                return Heard::Nothing;
            }
            Verdict::Done | Verdict::Granted(_) | Verdict::Refused { .. } => {}
        }
        self.is_turned_away = false;
        self.epoch = Some(reply.epoch.clone());
        self.used.clone_from(&reply.used);
        for (untold, told) in self.own.iter_mut().zip(own) {
            *untold = untold.saturating_sub(*told);
        }
        let is_back = std::mem::take(&mut self.is_lost);
        if is_back {
            self.held = None;
        }
        Heard::Done { is_back }
    }

    fn come_back(&mut self) {
        let now = self.heard_at;
        if let Some(share) = self.alone.take() {
            // Its clock is the common one; all of it that can still count does.
            let at = self.common_now(now);
            for (own, spent) in self.own.iter_mut().zip(used(&share, at)) {
                *own = own.saturating_add(spent);
            }
        }
    }
}

/// Starts of five days or months in a zone, the third one the current one; none of a sliding window.
fn periods(window: Window, zone: &TimeZone, now: Instant) -> Vec<Instant> {
    let today = now.to_timestamp().to_zoned(zone.clone()).date();
    let first = |step: i32| -> Option<Date> {
        match window {
            Window::Sliding(_) => None,
            Window::Day => today.checked_add(step.days()).ok(),
            Window::Month => today.first_of_month().checked_add(step.months()).ok(),
        }
    };
    let midnight = |date: Date| {
        date.to_zoned(zone.clone()).ok().and_then(|zoned| Instant::from_timestamp(zoned.timestamp()))
    };
    (-2..=2).filter_map(|step| first(step).and_then(midnight)).collect()
}

/// Keeps in touch with the other instances as long as the gateway lives: says that we are there, and hears what
/// the vendor told them.
pub(crate) fn keep_in_touch(gateway: &Arc<Gateway>, upstream: &Arc<Upstream>) {
    let Some(common) = upstream.limiter.common().cloned() else { return };
    let (gateway, upstream) = (Arc::downgrade(gateway), Arc::downgrade(upstream));
    tokio::spawn(async move {
        let mut is_lost = false;
        loop {
            let (Some(gateway), Some(upstream)) = (gateway.upgrade(), upstream.upgrade()) else { return };
            if common.state.lock().is_gone {
                return;
            }
            match upstream.limiter.be_seen(&*gateway.clock, &*gateway.store).await {
                Ok(()) => {
                    if std::mem::take(&mut is_lost) {
                        gateway.tell(Some(upstream.vendor()), EventKind::InstancesFound);
                        upstream.limiter.tell_wait(gateway.now()).await;
                    }
                }
                Err(SharedLost(reason)) if !is_lost => {
                    is_lost = true;
                    gateway.tell(Some(upstream.vendor()), EventKind::InstancesLost { reason });
                }
                Err(_) => {}
            }
            let clock = Arc::clone(gateway.clock());
            drop((gateway, upstream));
            clock.sleep_until(clock.now() + common.shared.silence() / 4).await;
        }
    });
}
