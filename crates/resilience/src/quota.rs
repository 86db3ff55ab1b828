//! What a vendor's plan allows: exact over every sliding window and calendar period, at any pace, over
//! restarts and crashes (LIM-1 to LIM-6).
//!
//! All windows or none: a permit is granted where every limit has room, and a refusal changes no counter.
//! In front of each sliding window a token bucket paces; the log of grants has the last word. The vendor's
//! own word outranks both.
//!
//! What is granted must be remembered. A [`Grant`] that carries a [`Snapshot`] may be used only after the
//! snapshot is durable. Once [`Quota::persisted`] confirms it, the snapshot covers a lease of further
//! permits, which count as spent after a crash.

mod calendar_count;
mod settings;
mod sliding_log;
mod snapshot;
mod spend;
#[cfg(test)]
mod tests;
mod token_bucket;
mod vendor_word;

use std::time::Duration;

use domain::Instant;

use calendar_count::{CalendarCount, Unit};
use settings::Rate;
pub use settings::{Limit, Pace, Settings, SpendLimit, Window};
use sliding_log::SlidingLog;
pub use snapshot::{Held, Snapshot, WindowSnapshot};
use spend::Spend;
pub use spend::SpendStatus;
use token_bucket::TokenBucket;
pub use vendor_word::VendorWord;

/// Part of the plan's rate that comes back after each window without an unexpected refusal.
const RECOVERY: f64 = 0.05;

/// What a call takes from an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// In the vendor's unit: calls, credits, weight.
    pub units: u32,
    /// Its price, in millionths of a US dollar.
    pub micros: u64,
}

impl From<u32> for Cost {
    /// So many units, free of charge.
    fn from(units: u32) -> Cost {
        Cost { units, micros: 0 }
    }
}

/// A permit. It counts from now on, whatever becomes of the call; only a call that was never sent gives it
/// back.
#[derive(Debug, PartialEq)]
#[must_use = "a permit that is not used must be given back"]
pub struct Grant {
    /// How much it costs.
    pub cost: Cost,
    /// When it was granted.
    pub at: Instant,
    /// What the fullest window still has room for.
    pub remaining: u32,
    /// The fullest window; `None` where nothing is limited.
    pub binding: Option<Window>,
    /// Where present: make this durable first, then send; if that fails, give the permit back.
    pub must_persist: Option<Box<Snapshot>>,
}

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no permit before {retry_at}")]
pub struct Refused {
    /// When to ask again: the first instant at which the permit is there if nobody else takes it.
    /// [`Instant::MAX`] where the cost is above a limit and will never fit.
    pub retry_at: Instant,
    /// What holds it back longest.
    pub cause: Cause,
}

/// What holds a permit back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The window is used up.
    Spent(Window),
    /// The money of the window is spent.
    Unaffordable(Window),
    /// The window has room, but permits are spread over it.
    Paced(Window),
    /// The vendor has told us to wait.
    VendorsWord,
}

/// One limit as it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowStatus {
    /// The limit of the plan.
    pub limit: Limit,
    /// What may be used of it at present: less than its count after unexpected refusals.
    pub allowed: u32,
    /// Used in the window that ends now, or in the current period.
    pub used: u32,
    /// What is left of `allowed`.
    pub remaining: u32,
    /// When room comes back: the oldest grant leaves the sliding window, or the period ends. `None` where
    /// nothing is used of a sliding window.
    pub resets_at: Option<Instant>,
}

impl WindowStatus {
    /// Share of the limit that is used, in `[0, 1]`.
    pub fn utilization(&self) -> f64 {
        if self.limit.count == 0 { 1.0 } else { f64::from(self.used) / f64::from(self.limit.count) }
    }
}

/// What happened since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Permits granted, by cost.
    pub granted: u64,
    /// Requests for a permit that were granted.
    pub successes: u64,
    /// Requests for a permit that were refused.
    pub refused: u64,
    /// Requests that waited in line.
    pub waited: u64,
    /// Time waited, in sum.
    pub wait_total: Duration,
}

impl Statistics {
    /// Share of requests that were granted at once, in `[0, 1]`; 1 before the first.
    pub fn success_rate(&self) -> f64 {
        let asked = self.successes + self.refused;
        if asked == 0 { 1.0 } else { self.successes as f64 / asked as f64 }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Counter {
    Sliding { log: SlidingLog, bucket: TokenBucket, length: Duration },
    Calendar(CalendarCount),
}

#[derive(Clone, Debug, PartialEq)]
struct Counted {
    limit: Limit,
    counter: Counter,
}

/// One account's limits and what is used of them. One per account, not per endpoint or key.
#[derive(Clone, Debug)]
pub struct Quota {
    settings: Settings,
    windows: Vec<Counted>,
    spend: Vec<Spend>,
    blocked_until: Option<Instant>,
    factor: f64,
    /// When `factor` last changed.
    factor_since: Instant,
    refused_at: Instant,
    refusals_in_a_row: u32,
    /// When something was last granted. Time never goes back behind it.
    latest: Instant,
    lease_left: u32,
    /// The snapshot that first covered the open lease.
    lease_sequence: u64,
    /// The latest snapshot known to be durable.
    durable_sequence: u64,
    sequence: u64,
    statistics: Statistics,
}

impl Quota {
    /// An account of which nothing is used.
    pub fn new(settings: Settings) -> Quota {
        let windows = settings.limits.iter().map(|&limit| Counted::new(limit, &settings)).collect();
        let spend = settings.spend.iter().map(|&limit| Spend::new(limit, &settings)).collect();
        Quota {
            settings,
            windows,
            spend,
            blocked_until: None,
            factor: 1.0,
            factor_since: Instant::MIN,
            refused_at: Instant::MIN,
            refusals_in_a_row: 0,
            latest: Instant::MIN,
            lease_left: 0,
            lease_sequence: 0,
            durable_sequence: 0,
            sequence: 0,
            statistics: Statistics::default(),
        }
    }

    /// Takes a permit of this cost from all windows, those of money too, or from none.
    ///
    /// # Errors
    /// When and why not; no counter has changed then.
    pub fn try_take(&mut self, cost: impl Into<Cost>, now: Instant) -> Result<Grant, Refused> {
        let cost = cost.into();
        let now = now.max(self.latest);
        if let Err(refused) = self.check(cost, now) {
            self.statistics.refused += 1;
            if domain::planted!(RefusalCounts) {
                self.spend(cost, now);
            }
            return Err(refused);
        }
        self.recover(now);
        self.spend(cost, now);
        self.statistics.granted += u64::from(cost.units);
        self.statistics.successes += 1;
        let must_persist = self.draw_on_lease(cost, now);
        let (remaining, binding) = self.tightest(now);
        Ok(Grant { cost, at: now, remaining, binding, must_persist })
    }

    /// Whether [`Quota::try_take`] would grant, without taking anything.
    ///
    /// # Errors
    /// When and why not.
    pub fn check(&self, cost: impl Into<Cost>, now: Instant) -> Result<(), Refused> {
        let cost = cost.into();
        let now = now.max(self.latest);
        let mut retry_at = now;
        let mut cause = Cause::VendorsWord;
        let mut hold = |at: Instant, why: Cause| {
            if at > retry_at {
                (retry_at, cause) = (at, why);
            }
        };
        if let Some(until) = self.blocked_until {
            hold(until, Cause::VendorsWord);
        }
        for counted in &self.windows {
            let window = counted.limit.window;
            match &counted.counter {
                Counter::Sliding { log, bucket, length } => {
                    let rate = self.settings.rate(counted.limit.count, *length, self.factor);
                    hold(
                        log.free_at(cost.units.into(), rate.count.into(), rate.span, now),
                        Cause::Spent(window),
                    );
                    hold(bucket.free_at(cost.units, rate.capacity, rate.spacing, now), Cause::Paced(window));
                }
                Counter::Calendar(count) => {
                    hold(
                        count.free_at(cost.units.into(), counted.limit.count.into(), now),
                        Cause::Spent(window),
                    );
                }
            }
        }
        for spend in &self.spend {
            hold(spend.free_at(cost.micros, now), Cause::Unaffordable(spend.window()));
        }
        if retry_at > now { Err(Refused { retry_at, cause }) } else { Ok(()) }
    }

    /// Takes back a permit whose call was never sent, as when its caller has left. A call that was sent
    /// counts, whatever came of it.
    pub fn give_back(&mut self, grant: Grant) {
        for counted in &mut self.windows {
            match &mut counted.counter {
                Counter::Sliding { log, bucket, length } => {
                    let rate = self.settings.rate(counted.limit.count, *length, self.factor);
                    log.remove(grant.cost.units.into(), grant.at);
                    bucket.give_back(grant.cost.units, rate.spacing);
                }
                Counter::Calendar(count) => count.remove(grant.cost.units.into(), grant.at),
            }
        }
        for spend in &mut self.spend {
            spend.remove(grant.cost.micros, grant.at);
        }
        self.statistics.granted = self.statistics.granted.saturating_sub(u64::from(grant.cost.units));
    }

    /// Takes the vendor's word, which wins at once. What is returned, if anything, should be made durable.
    #[must_use = "a restart must not forget the vendor's word"]
    pub fn observe(&mut self, word: VendorWord, now: Instant) -> Option<Box<Snapshot>> {
        let now = now.max(self.latest);
        self.apply(word, now).then(|| self.numbered_snapshot(now))
    }

    /// Each limit as it stands, in the settings' order.
    pub fn status(&self, now: Instant) -> Vec<WindowStatus> {
        let now = now.max(self.latest);
        self.windows.iter().map(|counted| self.window_status(counted, now)).collect()
    }

    /// Each limit of money as it stands, in the settings' order.
    pub fn spend_status(&self, now: Instant) -> Vec<SpendStatus> {
        let now = now.max(self.latest);
        self.spend.iter().map(|spend| spend.status(now)).collect()
    }

    /// The vendor's word: no call before this. `None` once it has passed.
    pub fn blocked_until(&self, now: Instant) -> Option<Instant> {
        self.blocked_until.filter(|&until| until > now)
    }

    /// Share of the plan's rate in use, in `(0, 1]`; below 1 after unexpected refusals.
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// What happened since the start.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// Counts one request that has waited in line.
    pub fn note_wait(&mut self, waited: Duration) {
        self.statistics.waited += 1;
        self.statistics.wait_total += waited;
    }

    /// The limits and how they are kept.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The counters as they stand, an open lease included.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let windows = self.windows.iter().map(Counted::snapshot).collect();
        Snapshot {
            sequence: self.sequence,
            saved_at: now.max(self.latest),
            windows,
            spend: self.spend.iter().map(Spend::snapshot).collect(),
            blocked_until: self.blocked_until,
            factor: self.factor,
            open_lease: self.lease_left,
        }
    }

    /// Tells that the snapshot of this number is durable. Until then every permit carries a snapshot of its
    /// own, so a write that is late or fails leaves nothing uncounted.
    pub fn persisted(&mut self, sequence: u64) {
        self.durable_sequence = self.durable_sequence.max(sequence.min(self.sequence));
    }

    /// Ends the open lease, for a clean shutdown: only what was used counts in the snapshot returned, and
    /// the next permit, should there be one, is written down again.
    pub fn close_lease(&mut self, now: Instant) -> Snapshot {
        self.lease_left = 0;
        *self.numbered_snapshot(now)
    }

    /// As a snapshot left it, `elapsed` later.
    ///
    /// Only `elapsed` ages grants and blocks, never the difference of two clock readings, so that a stepped
    /// clock frees nothing; what a caller cannot measure is zero. Calendar counts hold while the period is
    /// the same, or an earlier one because the clock went back. An open lease counts as spent now. A limit
    /// the snapshot does not know takes over what the other windows remember.
    pub fn restore(settings: Settings, snapshot: &Snapshot, elapsed: Duration, now: Instant) -> Quota {
        let rebase = Rebase::new(snapshot.saved_at, elapsed, now);
        let mut quota = Quota::new(settings);
        for counted in &mut quota.windows {
            counted.resume(&snapshot.windows, &quota.settings, rebase);
        }
        for spend in &mut quota.spend {
            spend.resume(&snapshot.spend, &quota.settings, rebase);
        }
        quota.blocked_until = snapshot.blocked_until.map(|until| rebase.shift(until));
        quota.factor =
            if snapshot.factor > 0.0 { snapshot.factor.min(1.0) } else { vendor_word::LEAST_FACTOR };
        quota.factor_since = now;
        quota.latest = now;
        quota.sequence = snapshot.sequence;
        quota.durable_sequence = snapshot.sequence;
        quota.lease_sequence = snapshot.sequence;
        quota.spend(snapshot.open_lease.into(), now);
        quota
    }

    /// Goes on under other limits, as after a change of plan; what is used stays used.
    pub fn resettle(&mut self, settings: Settings, now: Instant) {
        let now = now.max(self.latest);
        let statistics = self.statistics;
        let mut snapshot = self.snapshot(now);
        snapshot.open_lease = 0;
        *self = Quota::restore(settings, &snapshot, Duration::ZERO, now);
        self.statistics = statistics;
    }

    fn spend(&mut self, cost: Cost, now: Instant) {
        self.latest = self.latest.max(now);
        for counted in &mut self.windows {
            match &mut counted.counter {
                Counter::Sliding { log, bucket, length } => {
                    let rate = self.settings.rate(counted.limit.count, *length, self.factor);
                    log.prune(rate.span, now);
                    log.add(cost.units.into(), now);
                    bucket.take(cost.units, rate.spacing, now);
                }
                Counter::Calendar(count) => count.add(cost.units.into(), now),
            }
        }
        for spend in &mut self.spend {
            spend.add(cost.micros, now);
        }
    }

    /// A grant a whole window after the last change of rate raises the rate by one step.
    fn recover(&mut self, now: Instant) {
        if self.factor < 1.0 && now.since(self.factor_since) >= self.longest_window() {
            self.factor = (self.factor + RECOVERY).min(1.0);
            self.factor_since = now;
        }
    }

    /// A permit within a lease that is known to be durable needs no further write; any other opens a lease.
    /// No lease covers money: what a call costs is written down before it is sent.
    fn draw_on_lease(&mut self, cost: Cost, now: Instant) -> Option<Box<Snapshot>> {
        let is_paid = cost.micros > 0 && !self.spend.is_empty();
        if !is_paid && (cost.units == 0 || self.windows.is_empty()) {
            return None;
        }
        if !is_paid && cost.units <= self.lease_left && self.lease_sequence <= self.durable_sequence {
            self.lease_left -= cost.units;
            return None;
        }
        self.lease_left = self.settings.lease_size().max(cost.units) - cost.units;
        let snapshot = self.numbered_snapshot(now);
        self.lease_sequence = snapshot.sequence;
        Some(snapshot)
    }

    fn sliding_lengths(&self) -> impl Iterator<Item = Duration> + '_ {
        self.windows.iter().filter_map(|counted| match counted.limit.window {
            Window::Sliding(length) => Some(length),
            Window::Day | Window::Month => None,
        })
    }

    fn longest_window(&self) -> Duration {
        self.sliding_lengths().max().unwrap_or(vendor_word::UNTOLD_WAIT)
    }

    fn numbered_snapshot(&mut self, now: Instant) -> Box<Snapshot> {
        self.sequence += 1;
        Box::new(self.snapshot(now))
    }

    fn tightest(&self, now: Instant) -> (u32, Option<Window>) {
        self.windows
            .iter()
            .map(|counted| (self.window_status(counted, now).remaining, Some(counted.limit.window)))
            .min_by_key(|(remaining, _)| *remaining)
            .unwrap_or((u32::MAX, None))
    }

    fn window_status(&self, counted: &Counted, now: Instant) -> WindowStatus {
        let limit = counted.limit;
        let (allowed, used, resets_at) = match &counted.counter {
            Counter::Sliding { log, length, .. } => {
                let Rate { count, span, .. } = self.settings.rate(limit.count, *length, self.factor);
                (count, narrow(log.used(span, now)), log.next_release(span, now))
            }
            Counter::Calendar(count) => (limit.count, narrow(count.used(now)), Some(count.resets_at(now))),
        };
        WindowStatus { limit, allowed, used, remaining: allowed.saturating_sub(used), resets_at }
    }
}

impl Counted {
    fn new(limit: Limit, settings: &Settings) -> Counted {
        let calendar = |unit| Counter::Calendar(CalendarCount::new(unit, settings.zone.clone()));
        let counter = match limit.window {
            Window::Sliding(length) => {
                let log = SlidingLog::new(Settings::grain(limit));
                Counter::Sliding { log, bucket: TokenBucket::full(), length }
            }
            Window::Day => calendar(Unit::Day),
            Window::Month => calendar(Unit::Month),
        };
        Counted { limit, counter }
    }

    fn snapshot(&self) -> WindowSnapshot {
        let held = match &self.counter {
            Counter::Sliding { log, bucket, .. } => {
                Held::Sliding { grants: log.grants(), full_at: bucket.full_at }
            }
            Counter::Calendar(count) => {
                Held::Calendar { period: count.period.first, counts: count.counts.clone() }
            }
        };
        WindowSnapshot { window: self.limit.window, held }
    }

    fn resume(&mut self, saved: &[WindowSnapshot], settings: &Settings, rebase: Rebase) {
        let same = saved.iter().find(|other| other.window == self.limit.window);
        match (&mut self.counter, same.map(|window| &window.held)) {
            (Counter::Sliding { log, bucket, .. }, Some(Held::Sliding { grants, full_at })) => {
                fill(log, grants, rebase);
                bucket.full_at = rebase.shift(*full_at);
            }
            (Counter::Sliding { log, .. }, _) => fill(log, longest_log(saved), rebase),
            (Counter::Calendar(count), Some(Held::Calendar { period, counts })) => {
                let unit = if self.limit.window == Window::Day { Unit::Day } else { Unit::Month };
                *count = CalendarCount::restored(unit, settings.zone.clone(), *period, counts);
            }
            (Counter::Calendar(count), _) => count.raise_to(remembered(saved), rebase.now),
        }
    }
}

/// A count of permits; more than fit are as bad as the most that fit.
fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn fill(log: &mut SlidingLog, grants: &[(Instant, u64)], rebase: Rebase) {
    let mut grants: Vec<_> =
        grants.iter().map(|&(at, cost)| (rebase.shift(at).min(rebase.now), cost)).collect();
    grants.sort_unstable();
    for (at, cost) in grants {
        log.add(cost, at);
    }
}

fn longest_log(saved: &[WindowSnapshot]) -> &[(Instant, u64)] {
    saved
        .iter()
        .filter_map(|window| match (&window.held, window.window) {
            (Held::Sliding { grants, .. }, Window::Sliding(length)) => Some((length, grants.as_slice())),
            _ => None,
        })
        .max_by_key(|(length, _)| *length)
        .map_or(&[], |(_, grants)| grants)
}

/// The most that any window remembers: what a new calendar window starts from.
fn remembered(saved: &[WindowSnapshot]) -> u64 {
    saved
        .iter()
        .map(|window| match &window.held {
            Held::Sliding { grants, .. } => grants.iter().map(|(_, cost)| *cost).sum(),
            Held::Calendar { counts, .. } => counts.iter().map(|(_, count)| *count).max().unwrap_or(0),
        })
        .max()
        .unwrap_or(0)
}

/// Moves instants of an earlier run to where they lie `elapsed` after it was saved.
#[derive(Clone, Copy)]
struct Rebase {
    nanos: i64,
    now: Instant,
}

impl Rebase {
    /// Nothing moves.
    fn none(now: Instant) -> Rebase {
        Rebase { nanos: 0, now }
    }

    fn new(saved_at: Instant, elapsed: Duration, now: Instant) -> Rebase {
        let elapsed = if domain::planted!(ClockStepFreesQuota) { now.since(saved_at) } else { elapsed };
        let elapsed = i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX);
        Rebase { nanos: now.as_nanos().saturating_sub(saved_at.as_nanos()).saturating_sub(elapsed), now }
    }

    fn shift(self, at: Instant) -> Instant {
        Instant::from_nanos(at.as_nanos().saturating_add(self.nanos))
    }
}
