//! One vendor at run time: its settings with the state that experience gives them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use domain::{Adjustment, Delivery, Instant, InstrumentId, VendorId};
use parking_lot::Mutex;
use resilience::Forecast;
use resilience::Regions;
use resilience::circuit_breaker::{Breakers, Leave, Moved, Outcome as BreakerOutcome};
use resilience::hedge::{self, Hedge};
use resilience::quota::{self, Cost};
use secrecy::ExposeSecret;
use vendors::plan::Per;
use vendors::{Ask, Capability, HttpRequest, KeySlot, Question, Rejection, Session};

use crate::answer::{AttemptError, Skipped};
use crate::breaker_facts::endpoint_of;
use crate::drift::Shapes;
use crate::health::Health;
use crate::limiter::Limiter;
use crate::request::Priority;
use crate::seams::{Address, TransportError};
use crate::service_levels::Levels;
use crate::settings::UpstreamSettings;

/// An entitlement refusal is believed so long (SRC-4).
const REFUSAL_HOLDS: Duration = Duration::from_secs(86_400);

/// Priority of a vendor that is switched off.
pub const DISABLED: u32 = 999;

/// The breakers of one vendor: its endpoints go by their words.
pub type VendorBreakers = Breakers<&'static str, InstrumentId>;

/// A change of state of one of them.
pub type BreakerMoved = Moved<&'static str, InstrumentId>;

/// One vendor at run time.
pub struct Upstream {
    /// Its settings.
    pub settings: UpstreamSettings,
    /// Its quota.
    pub limiter: Limiter,
    /// Its circuit breakers: its own, and those of its endpoints and symbols.
    pub breaker: Mutex<VendorBreakers>,
    /// Which of its hosts is asked.
    pub regions: Mutex<Regions>,
    /// Announced work that ends by then has been ended by hand.
    pub(crate) work_ended: Mutex<Option<Instant>>,
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
    /// A vendor with its limiter as restored, nothing else known.
    pub fn new(settings: UpstreamSettings, limiter: Limiter) -> Upstream {
        let bid_ask = settings.plan.includes(Capability::BidAsk);
        Upstream {
            limiter,
            breaker: Mutex::new(Breakers::new(settings.breaker, settings.operation.adapts)),
            regions: Mutex::new(Regions::new(1 + settings.operation.further_urls.len())),
            work_ended: Mutex::default(),
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

    /// Its hosts, in the order of configuration.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        let further = self.settings.operation.further_urls.iter().map(String::as_str);
        std::iter::once(self.settings.base_url.as_str()).chain(further)
    }

    /// Where one of its hosts is reached, by its place.
    pub fn address(&self, place: usize) -> Address<'_> {
        let base_url = self.hosts().nth(place).unwrap_or(&self.settings.base_url);
        Address { vendor: self.vendor(), base_url }
    }

    /// One of its hosts ended an exchange. Whether the vendor is not to blame, because another of its hosts may do
    /// better.
    pub fn host_ended(
        &self,
        place: usize,
        error: Option<&AttemptError>,
        took: Duration,
        now: Instant,
    ) -> bool {
        let is_its_own = match error {
            None => false,
            Some(AttemptError::Transport(why)) => *why != TransportError::TooLarge,
            Some(AttemptError::Rejected(rejection)) => matches!(rejection, Rejection::VendorFault { .. }),
            Some(_) => false,
        };
        let mut regions = self.regions.lock();
        if is_its_own {
            regions.failed(place, now);
            regions.has_another(place, now)
        } else {
            regions.answered(place, took, now);
            false
        }
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

    /// Admits one question past the breakers; with it, the changes of state that asking brought about.
    ///
    /// # Errors
    /// [`AttemptError::BreakerOpen`].
    pub fn admit(
        &self,
        question: &Question,
        now: Instant,
        draw: f64,
        priority: Priority,
    ) -> Result<(Admitted<'_>, Vec<BreakerMoved>), AttemptError> {
        let endpoint = endpoint_of(question.capability());
        let symbol = symbol_of(question);
        let mut leave = self.breaker.lock().admit(&endpoint, symbol, now, draw, priority).map_err(|at| {
            AttemptError::BreakerOpen { state: at.refused.state.as_str(), until: at.refused.retry_at }
        })?;
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let moved = std::mem::take(&mut leave.moved);
        Ok((Admitted { upstream: self, leave: Some(leave) }, moved))
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
    leave: Option<Leave<&'static str, InstrumentId>>,
}

impl Admitted<'_> {
    /// The question has ended; `turbulent` around the open and the close of its venue.
    pub fn settle(mut self, outcome: BreakerOutcome, turbulent: bool, now: Instant) -> Vec<BreakerMoved> {
        let Some(leave) = self.leave.take() else { return Vec::new() };
        self.upstream.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.upstream.breaker.lock().settle(leave, outcome, turbulent, now)
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if let Some(leave) = self.leave.take() {
            self.upstream.in_flight.fetch_sub(1, Ordering::Relaxed);
            self.upstream.breaker.lock().abandon(leave);
        }
    }
}

/// The instrument a question is about, if it is about one.
pub fn symbol_of(question: &Question) -> Option<&InstrumentId> {
    match question.instruments() {
        [one] => Some(one),
        _ => None,
    }
}
