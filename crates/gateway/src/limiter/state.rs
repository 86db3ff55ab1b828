//! What a limiter knows, under one lock that is never held across an await.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use domain::Instant;
use resilience::latency::LastLatencies;
use resilience::line::{Line, Ticket, Waiting};
use resilience::quota::{self, Cost, Grant, Quota, Statistics, Window, WindowStatus};
use resilience::rate::{Eagerness, Ended};
use resilience::{Concurrency, Forecast, Rate};
use tokio::sync::Notify;

use super::{Claim, Held, LineStatus, NoPermit};
use crate::foresight::{Foreseen, Foresight};
use crate::learned::{Learned, LearnedLimit};
use crate::request::Priority;
use crate::settings::Schedule;

/// Latencies and waits remembered.
const REMEMBERED: usize = 100;
/// Answers remembered for the limit that experience teaches.
const MOST_ANSWERED: usize = 10_000;
/// Latencies from which the usual one can be told.
const ENOUGH: usize = 5;
/// Endpoints whose rate a snapshot can bring back, by their words.
const ENDPOINTS: [&str; 11] = [
    "quote",
    "bid_ask",
    "bars",
    "trades",
    "splits",
    "dividends",
    "news",
    "search",
    "symbols",
    "market_status",
    "other",
];

/// What a waiting request is to do.
pub(super) enum Step {
    /// It has its permit.
    Granted(Grant),
    /// It will get none in time.
    Refused(NoPermit),
    /// To ask again when woken, at the latest then.
    Wait(Instant),
}

pub(super) struct State {
    pub(super) quota: Quota,
    pub(super) rates: BTreeMap<&'static str, Rate>,
    pub(super) learned: Option<LearnedLimit>,
    pub(super) news: Vec<Foreseen>,
    plan: quota::Settings,
    line: Line,
    waiting: HashMap<Ticket, Arc<Notify>>,
    in_flight: u32,
    concurrency: Concurrency,
    longest_line: usize,
    demand: Forecast,
    foresight: Foresight,
    eagerness: Eagerness,
    latencies: LastLatencies,
    waits: LastLatencies,
    /// What the vendor has answered, by time and cost, in the longest sliding window.
    answered: VecDeque<(Instant, u32)>,
    /// When the vendor last refused a rate that its plan allows.
    contradicted_at: Option<Instant>,
    tally: Statistics,
    refused: BTreeMap<&'static str, u64>,
    latest: Instant,
}

impl State {
    pub(super) fn new(mut quota: Quota, rules: &Schedule, from: Learned) -> State {
        let Learned { hours, limit: learned, rates } = from;
        let plan = quota.settings().clone();
        let sustained = sustained(&plan);
        let restored = rates.into_iter().filter_map(|rate| {
            let endpoint = *ENDPOINTS.iter().find(|known| **known == rate.endpoint)?;
            let fresh = Rate::new(rules.eagerness, sustained);
            Some((endpoint, fresh.restored(rate.per_second, rate.at)))
        });
        let rates = restored.collect();
        if let Some(limit) = &learned {
            quota.resettle(limit.applied_to(&plan), limit.now);
        }
        State {
            quota,
            rates,
            learned,
            news: Vec::new(),
            plan,
            line: Line::new(),
            waiting: HashMap::new(),
            in_flight: 0,
            concurrency: Concurrency::new(rules.in_flight),
            longest_line: rules.longest_line,
            demand: Forecast::new(),
            foresight: Foresight::new(hours, rules.forecast),
            eagerness: rules.eagerness,
            latencies: LastLatencies::new(REMEMBERED),
            waits: LastLatencies::new(REMEMBERED),
            answered: VecDeque::new(),
            contradicted_at: None,
            tally: Statistics::default(),
            refused: BTreeMap::new(),
            latest: Instant::MIN,
        }
    }

    /// A permit at once, or why there is none at once.
    pub(super) fn enter(&mut self, claim: &Claim, now: Instant) -> Result<Grant, NoPermit> {
        self.latest = self.latest.max(now);
        if !claim.may_wait {
            self.demand.spent(claim.cost.units, now);
            self.look_ahead(now);
        }
        self.retry_learned(now);
        let granted = self.at_once(claim, now);
        match granted {
            Ok(grant) => {
                self.waits.add(Duration::ZERO);
                Ok(grant)
            }
            Err(none) if claim.may_wait => Err(none),
            Err(none) => Err(self.refuse(none)),
        }
    }

    fn at_once(&mut self, claim: &Claim, now: Instant) -> Result<Grant, NoPermit> {
        if let Some(retry_at) = self.held_back(claim.priority, claim.is_refresh, now) {
            return Err(NoPermit { held: Held::Reserved, retry_at });
        }
        let soon = now + self.service().unwrap_or(Duration::from_millis(100));
        let quota_at = self.quota_at(claim, now);
        if self.head(now).is_some() {
            return Err(match quota_at {
                Some(retry_at) => NoPermit { held: Held::Quota, retry_at },
                None => NoPermit { held: Held::Busy, retry_at: soon },
            });
        }
        if let Some(retry_at) = quota_at {
            return Err(NoPermit { held: Held::Quota, retry_at });
        }
        if self.in_flight >= self.concurrency.limit() {
            return Err(NoPermit { held: Held::Busy, retry_at: soon });
        }
        self.dispatch(claim, now)
    }

    /// Takes a place in line, if there is one and the answer can still come in time.
    pub(super) fn join(
        &mut self,
        claim: &Claim,
        none: NoPermit,
        now: Instant,
    ) -> Result<(Ticket, Arc<Notify>), NoPermit> {
        let service = self.service().unwrap_or_default();
        let in_time = claim.deadline - service;
        if none.held != Held::Busy && none.retry_at > claim.deadline {
            return Err(self.refuse(none));
        }
        let waiting = Waiting {
            priority: claim.priority,
            deadline: claim.deadline,
            asker: claim.asker,
            cost: claim.cost.units,
        };
        let earliest = self.earliest(claim, &waiting, now);
        if earliest > in_time {
            return Err(self.refuse(NoPermit { held: Held::TooLate, retry_at: earliest }));
        }
        if self.line.count() >= self.longest_line {
            return Err(self.refuse(NoPermit { held: Held::LineFull, retry_at: none.retry_at }));
        }
        let (ticket, woken) = (self.line.join(waiting, now), Arc::new(Notify::new()));
        self.waiting.insert(ticket, Arc::clone(&woken));
        Ok((ticket, woken))
    }

    /// What a waiting request is to do now.
    pub(super) fn step(&mut self, ticket: Ticket, claim: &Claim, now: Instant) -> Step {
        self.latest = self.latest.max(now);
        // A call that goes out too late to be answered costs quota, and the vendor its good name.
        let give_up = claim.deadline - self.slow_service().unwrap_or_default();
        if now >= give_up {
            let retry_at = self.quota_at(claim, now).unwrap_or(now);
            return Step::Refused(self.refuse(NoPermit { held: Held::TooLate, retry_at }));
        }
        let held_back = self.held_back(claim.priority, false, now);
        let head = self.head(now);
        if head != Some(ticket) {
            self.wake_one(head);
            return Step::Wait(held_back.map_or(give_up, |at| at.min(give_up)));
        }
        if self.in_flight >= self.concurrency.limit() {
            return Step::Wait(give_up);
        }
        if let Some(at) = self.quota_at(claim, now) {
            if at > claim.deadline {
                return Step::Refused(self.refuse(NoPermit { held: Held::Quota, retry_at: at }));
            }
            return Step::Wait(at.min(give_up));
        }
        match self.dispatch(claim, now) {
            Ok(grant) => {
                let waited = self.line.serve(ticket, now).unwrap_or_default();
                self.waiting.remove(&ticket);
                self.waits.add(waited);
                self.tally.waited += 1;
                self.tally.wait_total += waited;
                self.wake();
                Step::Granted(grant)
            }
            Err(none) => Step::Wait(none.retry_at.min(give_up)),
        }
    }

    /// A further permit for someone who has a place in flight.
    pub(super) fn go_on(&mut self, claim: &Claim, now: Instant) -> Result<Grant, NoPermit> {
        self.latest = self.latest.max(now);
        self.demand.spent(claim.cost.units, now);
        self.grant(claim, now)
    }

    fn dispatch(&mut self, claim: &Claim, now: Instant) -> Result<Grant, NoPermit> {
        let grant = self.grant(claim, now)?;
        self.in_flight += 1;
        Ok(grant)
    }

    fn grant(&mut self, claim: &Claim, now: Instant) -> Result<Grant, NoPermit> {
        let grant = self
            .quota
            .try_take(claim.cost, now)
            .map_err(|refused| NoPermit { held: Held::Quota, retry_at: refused.retry_at })?;
        self.rate(claim.endpoint).sent(now);
        self.tally.granted += u64::from(claim.cost.units);
        self.tally.successes += 1;
        Ok(grant)
    }

    /// Someone more important waits for the same answer.
    pub(super) fn raise(&mut self, ticket: Ticket, priority: Priority, deadline: Instant, now: Instant) {
        self.line.raise(ticket, priority, deadline, now);
        self.wake();
    }

    /// Gives up a place in line, if it is still held.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        if self.line.leave(ticket, self.latest).is_some() {
            self.waiting.remove(&ticket);
            self.wake();
        }
    }

    /// A place in flight is free again; a permit that was not used goes back.
    pub(super) fn release(&mut self, unused: Option<Grant>, endpoint: &'static str) {
        if let Some(grant) = unused {
            self.quota.give_back(grant);
            self.rate(endpoint).unsent();
        }
        self.in_flight -= 1;
        self.wake();
    }

    /// Learns from the end of an exchange; tells whether a restart should not forget it.
    pub(super) fn ended(
        &mut self,
        endpoint: &'static str,
        cost: u32,
        ended: Ended,
        latency: Duration,
        now: Instant,
    ) -> bool {
        self.latest = self.latest.max(now);
        match ended {
            Ended::TimedOut => self.concurrency.lost(),
            Ended::Well => {
                self.latencies.add(latency);
                self.concurrency.answered(latency, self.in_flight, now);
            }
            Ended::TooMany | Ended::Unavailable | Ended::Failed => {}
        }
        let contradicted = if ended == Ended::TooMany {
            self.contradicted(now)
        } else {
            self.note_answered(cost, now);
            false
        };
        self.rate(endpoint).ended(ended, latency, now) || contradicted
    }

    fn note_answered(&mut self, cost: u32, now: Instant) {
        let longest = sliding(&self.plan).map(|(_, length)| length).max().unwrap_or_default();
        self.answered.push_back((now, cost));
        while self.answered.len() > MOST_ANSWERED
            || self.answered.front().is_some_and(|(at, _)| now.since(*at) >= longest)
        {
            self.answered.pop_front();
        }
    }

    /// The vendor refused a rate that its plan allows: what it did answer within the window that was fullest is
    /// what it allows.
    fn contradicted(&mut self, now: Instant) -> bool {
        let answered_in = |length: Duration| -> u32 {
            self.answered.iter().filter(|(at, _)| now.since(*at) < length).map(|(_, cost)| cost).sum()
        };
        let share = |count: u32, length: Duration| f64::from(answered_in(length)) / f64::from(count.max(1));
        let fullest = sliding(&self.plan).max_by(|a, b| share(a.0, a.1).total_cmp(&share(b.0, b.1)));
        let Some((planned, length)) = fullest else { return false };
        // Refusals that follow one another are one: while they last little is asked, so little is answered.
        let storm = self.contradicted_at.replace(now).is_some_and(|last| now.since(last) < length * 2);
        let count = answered_in(length);
        if storm || count == 0 {
            return false;
        }
        let known = self.learned.filter(|known| known.length == length);
        if count >= known.map_or(planned, |known| known.count)
            || known.is_some_and(|known| known.is_kept(length, now))
        {
            return false;
        }
        let learned = LearnedLimit { length, count, at: now, now };
        self.quota.resettle(learned.applied_to(&self.plan), now);
        self.learned = Some(learned);
        true
    }

    /// After a day a little more is tried.
    fn retry_learned(&mut self, now: Instant) {
        let Some(learned) = self.learned.filter(|learned| learned.is_over(now)) else { return };
        self.learned = learned.raised(&self.plan, now);
        let settings = self.learned.map_or_else(|| self.plan.clone(), |next| next.applied_to(&self.plan));
        self.quota.resettle(settings, now);
    }

    fn rate(&mut self, endpoint: &'static str) -> &mut Rate {
        let (eagerness, plan) = (self.eagerness, sustained(&self.plan));
        self.rates.entry(endpoint).or_insert_with(|| Rate::new(eagerness, plan))
    }

    /// When quota and rate have room; `None` if now.
    fn quota_at(&mut self, claim: &Claim, now: Instant) -> Option<Instant> {
        let by_quota = self.quota.check(claim.cost, now).err().map(|refused| refused.retry_at);
        let by_rate = Some(self.rate(claim.endpoint).free_at(now)).filter(|at| *at > now);
        by_quota.max(by_rate)
    }

    /// Before this a newcomer cannot be served, whatever happens: those ahead of it take quota and places too.
    fn earliest(&mut self, claim: &Claim, waiting: &Waiting, now: Instant) -> Instant {
        let (count, cost) = self.line.ahead_of(waiting);
        let tightest = self.plan.limits.iter().map(|limit| limit.count).min().unwrap_or(u32::MAX);
        let own = claim.cost.units;
        let units = cost.saturating_add(own).min(tightest.max(own));
        let together = Cost { units, ..claim.cost };
        let by_quota = self.quota.check(together, now).err().map_or(now, |refused| refused.retry_at);
        let limit = self.concurrency.limit() as usize;
        // All in flight may end now; then whole rounds of those ahead have to pass.
        let rounds = u32::try_from(count / limit).unwrap_or(u32::MAX);
        let by_places = now + self.service().unwrap_or_default().saturating_mul(rounds);
        by_quota.max(by_places).max(self.quota_at(claim, now).unwrap_or(now))
    }

    /// The vendor's usual latency, once it can be told.
    fn service(&self) -> Option<Duration> {
        self.latencies.percentile(0.5).filter(|_| self.latencies.count() >= ENOUGH)
    }

    /// The latency that few calls exceed, once it can be told.
    fn slow_service(&self) -> Option<Duration> {
        self.latencies.percentile(0.95).filter(|_| self.latencies.count() >= ENOUGH)
    }

    fn head(&mut self, now: Instant) -> Option<Ticket> {
        if self.line.count() == 0 {
            return None;
        }
        let free = Priority::ALL.map(|priority| self.held_back(priority, false, now).is_none());
        self.line.head(now, |priority| free[priority.index()])
    }

    /// Lets whoever is first in line look again.
    pub(super) fn wake(&mut self) {
        let head = self.head(self.latest);
        self.wake_one(head);
    }

    fn wake_one(&self, ticket: Option<Ticket>) {
        if let Some(woken) = ticket.and_then(|ticket| self.waiting.get(&ticket)) {
            woken.notify_one();
        }
    }

    fn refuse(&mut self, none: NoPermit) -> NoPermit {
        self.tally.refused += 1;
        *self.refused.entry(none.held.as_str()).or_default() += 1;
        none
    }

    /// Until when what is left is kept from a class, if it is.
    pub(super) fn held_back(
        &mut self,
        priority: Priority,
        is_refresh: bool,
        now: Instant,
    ) -> Option<Instant> {
        if self.plan.limits.is_empty() {
            return None;
        }
        let status = self.quota.status(now);
        self.foresight.held_back(&self.demand, &status, priority, is_refresh, now)
    }

    fn look_ahead(&mut self, now: Instant) {
        if !self.plan.limits.is_empty() {
            let status = self.quota.status(now);
            self.news.extend(self.foresight.changes(&self.demand, &status, now));
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.in_flight >= self.concurrency.limit() || self.line.count() > 0
    }

    pub(super) fn forecast(&mut self, now: Instant) -> Vec<Foreseen> {
        let status = self.quota.status(now);
        self.foresight.all(&self.demand, &status, now)
    }

    /// Every window, with the plan's own limit where a lower one was learned.
    pub(super) fn status(&self, now: Instant) -> Vec<WindowStatus> {
        let mut status = self.quota.status(now);
        for (status, limit) in status.iter_mut().zip(&self.plan.limits) {
            status.limit = *limit;
        }
        status
    }

    pub(super) fn line_status(&self, now: Instant) -> LineStatus {
        LineStatus {
            depth: self.line.count(),
            by_class: Priority::ALL.map(|priority| self.line.count_of(priority)),
            oldest: self.line.longest_wait(now),
            wait_p95: self.waits.percentile(0.95),
            in_flight: self.in_flight,
            in_flight_limit: self.concurrency.limit(),
            statistics: self.tally,
            refused: self.refused.iter().map(|(why, count)| (*why, *count)).collect(),
        }
    }
}

fn sliding(settings: &quota::Settings) -> impl Iterator<Item = (u32, Duration)> + '_ {
    settings.limits.iter().filter_map(|limit| match limit.window {
        Window::Sliding(length) => Some((limit.count, length)),
        Window::Day | Window::Month => None,
    })
}

/// What a plan's sliding windows sustain, in calls per second.
fn sustained(settings: &quota::Settings) -> Option<f64> {
    sliding(settings)
        .map(|(count, length)| f64::from(count) / length.as_secs_f64().max(1e-9))
        .min_by(f64::total_cmp)
}
