//! One vendor at run time: its settings with the state that experience gives them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use domain::{Adjustment, Delivery, Instant, VendorId};
use parking_lot::Mutex;
use resilience::Forecast;
use resilience::circuit_breaker::{Admission, CircuitBreaker, Outcome as BreakerOutcome, Transition};
use resilience::hedge::{self, Hedge};
use resilience::quota::{self, Cost, Quota};
use secrecy::ExposeSecret;
use vendors::plan::Per;
use vendors::{Ask, Capability, HttpRequest, KeySlot, Question, Rejection, Session};

use crate::answer::{AttemptError, Skipped};
use crate::drift::Shapes;
use crate::health::Health;
use crate::limiter::Limiter;
use crate::request::Priority;
use crate::seams::Address;
use crate::service_levels::Levels;
use crate::settings::UpstreamSettings;

/// An entitlement refusal is believed so long (SRC-4).
const REFUSAL_HOLDS: Duration = Duration::from_secs(86_400);

/// Priority of a vendor that is switched off.
pub const DISABLED: u32 = 999;

/// One vendor at run time.
pub struct Upstream {
    /// Its settings.
    pub settings: UpstreamSettings,
    /// Its quota.
    pub limiter: Limiter,
    /// Its circuit breaker.
    pub breaker: Mutex<CircuitBreaker>,
    /// What traffic tells about it.
    pub health: Mutex<Health>,
    /// How late a reply has to be before another vendor is asked beside it.
    pub hedge: Mutex<Hedge>,
    /// How it keeps its promises.
    pub levels: Levels,
    /// How fast its quota is spent at present.
    pub demand: Mutex<Forecast>,
    /// Which fields its replies have.
    pub shapes: Shapes,
    session: Mutex<Session>,
    removed: Mutex<BTreeMap<Capability, Instant>>,
    drained: AtomicBool,
    priority: AtomicU32,
    simulated: AtomicBool,
    in_flight: AtomicU32,
}

/// The quota settings a plan amounts to.
pub fn quota_settings(settings: &UpstreamSettings) -> quota::Settings {
    let window = |per| match per {
        Per::Sliding(length) => quota::Window::Sliding(length),
        Per::Day => quota::Window::Day,
        Per::Month => quota::Window::Month,
    };
    let limits = settings
        .plan
        .limits
        .iter()
        .map(|limit| quota::Limit { count: limit.count, window: window(limit.per) })
        .collect();
    let spend = settings
        .plan
        .spend
        .iter()
        .map(|limit| quota::SpendLimit { micros: limit.micros, window: window(limit.per) })
        .collect();
    let zone =
        jiff::tz::TimeZone::get(settings.codec.profile().quota_zone).unwrap_or(jiff::tz::TimeZone::UTC);
    quota::Settings { spend, ..quota::Settings::new(limits, settings.pace, zone) }
}

impl Upstream {
    /// A vendor with its quota as restored, nothing else known.
    pub fn new(settings: UpstreamSettings, quota: Quota) -> Upstream {
        let limiter = Limiter::new(settings.vendor(), quota);
        Upstream::with(settings, limiter)
    }

    /// A vendor with its limiter, nothing else known.
    pub fn with(settings: UpstreamSettings, limiter: Limiter) -> Upstream {
        let bid_ask = settings.plan.includes(Capability::BidAsk);
        Upstream {
            limiter,
            breaker: Mutex::new(CircuitBreaker::new(settings.breaker)),
            health: Mutex::new(Health::new(
                settings.plan.delivery,
                bid_ask,
                settings.codec.profile().quotes_volume(),
            )),
            hedge: Mutex::new(Hedge::new(hedge::Settings::default())),
            levels: Levels::new(settings.sla),
            demand: Mutex::default(),
            shapes: Shapes::default(),
            session: Mutex::default(),
            removed: Mutex::default(),
            drained: AtomicBool::new(false),
            priority: AtomicU32::new(settings.priority),
            simulated: AtomicBool::new(settings.simulated),
            in_flight: AtomicU32::new(0),
            settings,
        }
    }

    /// Which vendor.
    pub fn vendor(&self) -> VendorId {
        self.settings.vendor()
    }

    /// What freshness its plan promises.
    pub fn delivery(&self) -> Delivery {
        self.settings.plan.delivery
    }

    /// Where it is reached.
    pub fn address(&self) -> Address<'_> {
        Address { vendor: self.vendor(), base_url: &self.settings.base_url }
    }

    /// Whether it is switched on and could be reached at all: not retired, its key in place.
    pub fn is_in_service(&self) -> bool {
        let settings = &self.settings;
        settings.enabled
            && self.priority() < DISABLED
            && !settings.is_retired()
            && settings.missing_key().is_none()
    }

    /// Why it cannot be asked for a capability, whoever asks; breaker and quota aside.
    pub fn barred(&self, capability: Capability, now: Instant) -> Option<Skipped> {
        let profile = self.settings.codec.profile();
        if !self.settings.enabled || self.priority() >= DISABLED {
            Some(Skipped::Disabled)
        } else if self.settings.is_retired() {
            Some(Skipped::Retired)
        } else if let Some(variable) = self.settings.missing_key() {
            Some(Skipped::Unconfigured(variable))
        } else if !profile.offers(capability) {
            Some(Skipped::NotOffered)
        } else if !self.settings.plan.includes(capability) || self.is_removed(capability, now) {
            Some(Skipped::NotEntitled)
        } else if self.is_drained() {
            Some(Skipped::Drained)
        } else {
            None
        }
    }

    fn is_removed(&self, capability: Capability, now: Instant) -> bool {
        self.removed.lock().get(&capability).is_some_and(|until| now < *until)
    }

    /// Takes a capability away after an entitlement refusal; returns when it is tried again.
    pub fn remove(&self, capability: Capability, now: Instant) -> Instant {
        let until = now + REFUSAL_HOLDS;
        self.removed.lock().insert(capability, until);
        until
    }

    /// Capabilities taken away by refusals that still hold, with when they are tried again.
    pub fn removed(&self, now: Instant) -> Vec<(Capability, Instant)> {
        self.removed.lock().iter().filter(|(_, until)| now < **until).map(|(c, until)| (*c, *until)).collect()
    }

    /// Whether everything the plan includes has been taken away by refusals that still hold.
    pub fn is_refused_everything(&self, now: Instant) -> bool {
        let profile = self.settings.codec.profile();
        let mut offered =
            self.settings.plan.entitlements.iter().filter(|one| profile.offers(**one)).peekable();
        offered.peek().is_some() && offered.all(|one| self.is_removed(*one, now))
    }

    /// The question as this vendor is asked it: bid and ask only where its plan has them.
    pub fn question_for(&self, question: &Question, now: Instant) -> Question {
        match question {
            Question::Quotes { instruments, bid_ask } => Question::Quotes {
                instruments: instruments.clone(),
                bid_ask: *bid_ask && self.barred(Capability::BidAsk, now).is_none(),
            },
            other => other.clone(),
        }
    }

    /// Bases its bars can be asked for, the natural one first.
    pub fn bar_bases(&self) -> &'static [Adjustment] {
        self.settings.codec.profile().bar_adjustments()
    }

    /// Admits one question past the breaker; with it, the change of state that asking brought about.
    ///
    /// # Errors
    /// [`AttemptError::BreakerOpen`].
    pub fn admit(
        &self,
        now: Instant,
        draw: f64,
        priority: Priority,
    ) -> Result<(Admitted<'_>, Option<Transition>), AttemptError> {
        let mut admission = self.breaker.lock().admit(now, draw, priority).map_err(|refused| {
            AttemptError::BreakerOpen { state: refused.state.as_str(), until: refused.retry_at }
        })?;
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let moved = admission.transition.take();
        Ok((Admitted { upstream: self, admission: Some(admission) }, moved))
    }

    /// Puts a question into the vendor's words, with its key in place.
    ///
    /// # Errors
    /// [`Rejection::Unsupported`].
    pub fn encode(&self, question: &Question, now: Instant) -> Result<HttpRequest, Rejection> {
        let session = self.session.lock().clone();
        self.settings.codec.encode_request(&self.ask(question, &session, now))
    }

    /// What requests of this weight take from its quota, and what they cost by the price of a unit.
    pub fn cost(&self, weight: u32) -> Cost {
        let micros = self.settings.plan.request_micros.saturating_mul(u64::from(weight));
        Cost { units: weight, micros }
    }

    /// The question with its surroundings.
    pub fn ask<'a>(&'a self, question: &'a Question, session: &'a Session, now: Instant) -> Ask<'a> {
        Ask { question, now, session, plan: Some(&self.settings.plan) }
    }

    /// What earlier replies taught.
    pub fn session(&self) -> Session {
        self.session.lock().clone()
    }

    /// Takes over what a reply taught.
    pub fn learn(&self, learned: Session) {
        let mut session = self.session.lock();
        if learned.is_empty() {
            session.clear();
        }
        session.merge(learned);
    }

    /// The request as it goes out: with its key, and a secondary host of the vendor redirected below a base
    /// URL that is not the vendor's own.
    pub fn dress(&self, mut request: HttpRequest) -> HttpRequest {
        let slot = self.settings.codec.profile().key;
        let foreign = request.path.split_once("://").map(|(_, rest)| rest.to_owned());
        match foreign {
            Some(rest) if !self.settings.official => request.path = format!("/_host/{rest}"),
            // A key never goes to a secondary host.
            Some(_) => return request,
            None => {}
        }
        if let Some(key) = &self.settings.key
            && slot != KeySlot::None
        {
            slot.fill(&mut request, key.expose_secret());
        }
        request
    }

    /// Requests in flight.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Its place in the configured order, 1 first, as an operator last set it.
    pub fn priority(&self) -> u32 {
        self.priority.load(Ordering::Relaxed)
    }

    /// Gives it another place, until the next start; [`DISABLED`] switches it off.
    pub fn set_priority(&self, priority: u32) {
        self.priority.store(priority, Ordering::Relaxed);
    }

    /// Whether an operator has taken it out.
    pub fn is_drained(&self) -> bool {
        self.drained.load(Ordering::Relaxed)
    }

    /// Takes it out, or puts it back.
    pub fn set_drained(&self, drained: bool) {
        self.drained.store(drained, Ordering::Relaxed);
    }

    /// Whether its values are simulated, by declaration or by its own word.
    pub fn is_simulated(&self) -> bool {
        self.simulated.load(Ordering::Relaxed)
    }

    /// A reply said that it comes from a simulation. Returns whether that is news.
    pub fn found_simulated(&self) -> bool {
        !self.simulated.swap(true, Ordering::Relaxed)
    }
}

/// A question past the breaker. Dropped before it is settled, it counts as abandoned: neither success nor
/// failure, and a probe's place is free again.
pub struct Admitted<'a> {
    upstream: &'a Upstream,
    admission: Option<Admission>,
}

impl Admitted<'_> {
    /// The question has ended.
    pub fn settle(mut self, outcome: BreakerOutcome, now: Instant) -> Option<Transition> {
        let admission = self.admission.take()?;
        self.upstream.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.upstream.breaker.lock().settle(admission, outcome, now)
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if let Some(admission) = self.admission.take() {
            self.upstream.in_flight.fetch_sub(1, Ordering::Relaxed);
            self.upstream.breaker.lock().abandon(admission);
        }
    }
}
