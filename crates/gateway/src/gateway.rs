//! The gateway: its parts, and the small steps the pipeline is made of.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{Calendars, Delivery, Directory, Instant, InstrumentId, VendorId};
use parking_lot::{Mutex, RwLock};
use resilience::circuit_breaker::{Reason, Transition};
use resilience::quota::{Quota, VendorWord, Window};
use telemetry::{Event, EventKind};
use vendors::plan::Per;
use vendors::{Capability, Data, Question};

use crate::answer::{Answer, CacheState, Decision, Failure, Served, Skipped, Unanswered, Why};
use crate::cache::Cache;
use crate::consequence::Consequence;
use crate::flight_key::FlightKey;
use crate::flights::Flights;
use crate::recall::Recall;
use crate::request::{Failover, Policy, Priority, Request, RequestId};
use crate::router::{Ranking, View, rank};
use crate::scribe::Scribe;
use crate::seams::{Clock, Entropy, Store, StoreError, Transport};
use crate::settings::Settings;
use crate::trail::Trail;
use crate::upstream::{Upstream, quota_settings};
use crate::voices::Voices;

/// Independent voices of the same moment that are enough (the criterion for an A: several vendors).
const VOICES: usize = 2;

type Landed = Result<(Arc<Answer>, CacheState), Arc<Unanswered>>;

/// The five seams, real or virtual.
pub struct Seams {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Vendors.
    pub transport: Arc<dyn Transport>,
    /// What is kept.
    pub store: Arc<dyn Store>,
    /// Random numbers.
    pub entropy: Arc<dyn Entropy>,
}

/// Stands between programs and vendors.
pub struct Gateway {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) settings: Settings,
    pub(crate) calendars: Arc<Calendars>,
    pub(crate) cache: Cache,
    pub(crate) flights: Flights<FlightKey, Landed>,
    pub(crate) scribe: Scribe,
    pub(crate) voices: Voices,
    pub(crate) recall: Recall,
    upstreams: Vec<Arc<Upstream>>,
    directory: RwLock<Arc<Directory>>,
    rotation: Mutex<HashMap<Capability, Vec<(VendorId, f64)>>>,
    started_at: Instant,
}

impl Gateway {
    /// Opens the gateway: quotas, breakers and the directory are as the store left them. Must be called
    /// on a runtime.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read: without its counters no quota could be kept.
    pub async fn open(
        seams: Seams,
        mut settings: Settings,
        calendars: Arc<Calendars>,
        mut directory: Directory,
    ) -> Result<Arc<Gateway>, StoreError> {
        let now = seams.clock.now();
        let mut upstreams = Vec::new();
        for settings in std::mem::take(&mut settings.upstreams) {
            let vendor = settings.vendor();
            let limits = quota_settings(&settings);
            let quota = match seams.store.quota(vendor).await? {
                Some((snapshot, elapsed)) => Quota::restore(limits, &snapshot, elapsed, now),
                None => Quota::new(limits),
            };
            let upstream = Upstream::new(settings, quota);
            if seams.store.fact(&simulated_fact(&upstream)).await?.is_some() {
                upstream.found_simulated();
            }
            upstreams.push(Arc::new(upstream));
        }
        for (_, instrument) in seams.store.instruments().await? {
            directory.insert(instrument);
        }
        Ok(Arc::new(Gateway {
            cache: Cache::new(settings.cache.max_bytes),
            flights: Flights::default(),
            scribe: Scribe::start(Arc::clone(&seams.store)),
            voices: Voices::default(),
            recall: Recall::default(),
            upstreams,
            directory: RwLock::new(Arc::new(directory)),
            rotation: Mutex::default(),
            started_at: now,
            clock: seams.clock,
            transport: seams.transport,
            store: seams.store,
            entropy: seams.entropy,
            settings,
            calendars,
        }))
    }

    /// Finishes what is written behind and gives back unused leases: the last step of a stop in good order.
    pub async fn close(&self) {
        self.scribe.flush().await;
        for upstream in &self.upstreams {
            if upstream.limiter.is_limited()
                && let Err(error) = upstream.limiter.close(self.clock.now(), &*self.store).await
            {
                self.store_failed(&error);
            }
        }
    }

    /// Our time.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The clock itself, for those who wait.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// When the gateway was opened.
    pub fn started_at(&self) -> Instant {
        self.started_at
    }

    /// Trading calendars.
    pub fn calendars(&self) -> &Calendars {
        &self.calendars
    }

    /// Instruments known now.
    pub fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory.read())
    }

    /// Every vendor, by id.
    pub fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.upstreams.iter()
    }

    /// A vendor by id.
    pub fn find_upstream(&self, vendor: VendorId) -> Option<&Arc<Upstream>> {
        self.upstreams.iter().find(|upstream| upstream.vendor() == vendor)
    }

    pub(crate) fn upstream(&self, vendor: VendorId) -> &Arc<Upstream> {
        self.find_upstream(vendor).expect("rankings name only vendors that exist")
    }

    pub(crate) fn has_float32_prices(&self, vendor: VendorId) -> bool {
        self.find_upstream(vendor).is_some_and(|upstream| upstream.settings.codec.has_float32_prices())
    }

    /// A new request id: milliseconds of our clock, then random bits, so that ids sort by time.
    pub fn new_request_id(&self) -> RequestId {
        let millis = self.clock.now().as_millis().unsigned_abs();
        RequestId(format!("{millis:011x}-{:016x}", self.entropy.bits()).into())
    }

    /// Number of answers in memory.
    pub fn cached(&self) -> u64 {
        self.cache.len()
    }

    /// The decision record of a request, from memory or store.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn explain(&self, id: &RequestId) -> Result<Option<Decision>, StoreError> {
        match self.recall.find(id) {
            Some(decision) => Ok(Some(Decision { id: id.clone(), ..Decision::clone(&decision) })),
            None => self.store.decision(id).await,
        }
    }

    /// The record of a request as memory has it: under the id of the flight that brought the answer, which
    /// for a hit is another one.
    pub fn recalled(&self, id: &RequestId) -> Option<Arc<Decision>> {
        self.recall.find(id)
    }

    /// The newest exchanges with vendors and the requests they were made for, background work included.
    pub fn attempts(&self) -> Vec<(RequestId, crate::answer::Attempt)> {
        self.recall.attempts()
    }

    /// Remembers how a request was answered, under its own id: a hit shares the record of the flight that
    /// brought the answer.
    pub fn remember(&self, id: RequestId, decision: &Arc<Decision>) {
        self.recall.keep(id, Arc::clone(decision));
    }

    /// Keeps a failed request for [`Gateway::failures`].
    pub fn record_failure(&self, failure: Failure) {
        self.scribe.failure(failure);
    }

    /// The newest failed requests, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn failures(&self, limit: usize) -> Result<Vec<Failure>, StoreError> {
        self.scribe.flush().await;
        self.store.failures(limit).await
    }

    // ——— the steps of the pipeline ———

    /// Ranks vendors for a question. `held` tells the share of the answer already stored from a vendor.
    pub(crate) fn rank(
        &self,
        capability: Capability,
        request: &Request,
        now: Instant,
        held: impl Fn(VendorId) -> f64,
    ) -> Ranking {
        let policy = &request.policy;
        let views = self
            .upstreams
            .iter()
            .map(|upstream| {
                let settings = &upstream.settings;
                let health = upstream.health.lock();
                View {
                    vendor: upstream.vendor(),
                    barred: self.barred(upstream, capability, request, now),
                    quota_at: upstream.limiter.room_at(1, now),
                    priority: settings.priority,
                    weight: settings.weight,
                    quality: health.quality(),
                    reliability: health.reliability_lower(),
                    freshness: freshness(&request.question, upstream.delivery()),
                    latency_ms: health.latency_ms(50.0).unwrap_or(250.0),
                    headroom: upstream.limiter.headroom(now),
                    cost_micros: settings.plan.request_micros,
                    in_flight: upstream.in_flight(),
                    demoted: upstream.hedge.lock().needs_demotion(),
                    held: held(upstream.vendor()),
                }
            })
            .collect();
        let strategy = policy.strategy.unwrap_or(self.settings.routing.strategy);
        let listed: &[VendorId] = if self.failover(policy) == Failover::Any { &[] } else { &policy.vendors };
        let mut rotations = self.rotation.lock();
        let mut ranking = rank(
            views,
            listed,
            strategy,
            &self.settings.routing.weights,
            rotations.entry(capability).or_default(),
        );
        drop(rotations);
        if self.failover(policy) == Failover::Any && !policy.vendors.is_empty() {
            ranking.order.sort_by_key(|id| policy.vendors.iter().position(|v| v == id).unwrap_or(usize::MAX));
        }
        if self.failover(policy) == Failover::None {
            for vendor in ranking.order.drain(1.min(ranking.order.len())..) {
                if let Some(candidate) = ranking.candidates.iter_mut().find(|c| c.vendor == vendor) {
                    candidate.skipped = Some(Skipped::NotListed);
                }
            }
            ranking.waiting.truncate(usize::from(ranking.order.is_empty()));
        }
        ranking
    }

    fn failover(&self, policy: &Policy) -> Failover {
        if policy.failover == Failover::default() { self.settings.routing.failover } else { policy.failover }
    }

    /// Whether the caller's chain allows a vendor.
    pub(crate) fn is_listed(&self, vendor: VendorId, policy: &Policy) -> bool {
        policy.vendors.is_empty() || policy.vendors.contains(&vendor) || policy.failover == Failover::Any
    }

    fn barred(
        &self,
        upstream: &Upstream,
        capability: Capability,
        request: &Request,
        now: Instant,
    ) -> Option<Skipped> {
        if !self.is_listed(upstream.vendor(), &request.policy) {
            return Some(Skipped::NotListed);
        }
        if let Some(why) = upstream.barred(capability, now) {
            return Some(why);
        }
        if let Err(refused) = upstream.breaker.lock().check(now, request.policy.priority) {
            return Some(Skipped::Breaker(refused.state.as_str()));
        }
        if let Some(until) = upstream.limiter.told_until(now) {
            return Some(Skipped::ToldToWait(until));
        }
        if let Question::Bars { range, interval, .. } = &request.question {
            let plan = upstream.settings.plan.history;
            let codec = upstream.settings.codec.reach(*interval);
            if plan.into_iter().chain(codec).min().is_some_and(|reach| range.start + reach < now) {
                return Some(Skipped::OutOfCoverage);
            }
        }
        let price = upstream.settings.plan.request_micros;
        let most = request.policy.max_cost.map(|cost| cost.to_f64() * 1e6);
        if most.is_some_and(|most| price as f64 > most) {
            return Some(Skipped::TooExpensive);
        }
        None
    }

    /// Whether any vendor could be asked for a capability, breakers and quotas aside.
    pub(crate) fn anyone_able(&self, capability: Capability, request: &Request, now: Instant) -> bool {
        self.upstreams.iter().any(|upstream| {
            self.is_listed(upstream.vendor(), &request.policy) && upstream.barred(capability, now).is_none()
        })
    }

    /// The first vendor in the order of configuration that a caller allows: it speaks for an empty range.
    pub(crate) fn any_vendor(&self, request: &Request) -> Option<VendorId> {
        let now = self.clock.now();
        let capability = request.question.capability();
        self.upstreams
            .iter()
            .find(|u| self.is_listed(u.vendor(), &request.policy) && u.barred(capability, now).is_none())
            .map(|u| u.vendor())
    }

    /// How long a request may take.
    pub(crate) fn time_for(&self, request: &Request) -> Duration {
        let usual = match (&request.question, request.policy.priority) {
            (_, Priority::Batch) => self.settings.deadlines.background,
            (Question::Quotes { .. }, _) => self.settings.deadlines.quote,
            _ => self.settings.deadlines.bars,
        };
        request.policy.deadline.unwrap_or(usual)
    }

    /// A fresh answer from memory, graded for this moment; `None` where a vendor or the store would be
    /// needed. The caller's constraints are not looked at.
    pub fn fresh(&self, key: &FlightKey) -> Option<Served> {
        match self.cache.look_up(key, self.clock.now()) {
            crate::cache::Lookup::Fresh(answer) => Some(self.serve(answer, CacheState::Hit)),
            crate::cache::Lookup::Stale(_) | crate::cache::Lookup::Missing => None,
        }
    }

    /// Grades an answer for this moment.
    pub fn serve(&self, answer: Arc<Answer>, cache: CacheState) -> Served {
        let now = self.clock.now();
        let grade = self.grade_at(&answer, now, cache == CacheState::Stale);
        Served { answer, cache, now, grade }
    }

    /// The same answer, graded for a later moment.
    pub(crate) fn serve_anew(&self, served: Served) -> Served {
        self.serve(served.answer, served.cache)
    }

    /// What of the caller's constraints an answer does not meet, in words; `None` if it meets all.
    pub(crate) fn unmet(&self, served: &Served, policy: &Policy) -> Option<String> {
        if let Some(least) = policy.min_grade
            && served.grade.letter > least
        {
            return Some(format!("its grade is {}, not {least} or better", served.grade.letter));
        }
        if let Some(most) = policy.max_age {
            match served.age() {
                Some(age) if age <= most => {}
                Some(age) => {
                    return Some(format!(
                        "it is {} ms old, not at most {}",
                        age.as_millis(),
                        most.as_millis()
                    ));
                }
                None => return Some("nobody says how old it is".to_owned()),
            }
        }
        None
    }

    /// Refreshes an answer while its stale form is served.
    pub(crate) fn refresh_behind(self: &Arc<Self>, request: &Request, key: FlightKey) {
        let gateway = Arc::clone(self);
        let request = Request { id: self.new_request_id(), received_at: self.clock.now(), ..request.clone() };
        let again = Arc::clone(self);
        tokio::spawn(async move {
            gateway.flights.join(key.clone(), || async move { again.fetch(&request, key).await }).await;
        });
    }

    /// Asks one independent vendor for its own quote, where no voice of the same moment is at hand and
    /// quota is to spare (GRD-5, CON-5). The better evidence then stands with the cached answer.
    pub(crate) fn seek_second_opinion(self: &Arc<Self>, answer: &Arc<Answer>) {
        let (Data::Quotes(_), Some(vendor)) = (&answer.data, answer.vendor()) else { return };
        if !self.settings.routing.cross_check {
            return;
        }
        let Some(instrument) = answer.instrument().cloned() else { return };
        let now = self.clock.now();
        let feed = self.upstream(vendor).settings.codec.profile().feed;
        let heard = self.voices.about(&instrument);
        // Values of another moment cannot be compared, so only vendors as fresh as this one are asked.
        let delay = answer.delivery.declared_delay();
        let fresh = |heard: &crate::voices::Heard| now.since(heard.received_at) < Voices::HEARD;
        let comparable = heard.iter().filter(|h| h.feed != feed && fresh(h) && Some(h.delay) == delay);
        if comparable.count() >= VOICES {
            return;
        }
        let other = self
            .upstreams
            .iter()
            .filter(|other| {
                let profile = other.settings.codec.profile();
                profile.feed != feed
                    && other.delivery().declared_delay() == delay
                    && other.barred(Capability::Quote, now).is_none()
                    && other.breaker.lock().check(now, Priority::Low).is_ok()
                    && other.limiter.room_at(1, now).is_none()
                    && other.limiter.headroom(now) > 0.5
                    && other.settings.plan.request_micros == 0
                    && !heard.iter().any(|voice| voice.vendor == other.vendor() && fresh(voice))
            })
            .max_by(|a, b| {
                let worth = |u: &Upstream| u.health.lock().quality() + u.limiter.headroom(now);
                worth(a).total_cmp(&worth(b))
            })
            .map(|other| other.vendor());
        let Some(other) = other else { return };
        let gateway = Arc::clone(self);
        let question = Question::Quotes { instruments: vec![instrument], bid_ask: false };
        let policy = Policy {
            vendors: vec![other],
            failover: Failover::None,
            priority: Priority::Low,
            ..Policy::default()
        };
        let original = Arc::clone(answer);
        tokio::spawn(async move {
            let now = gateway.clock.now();
            let request = Request { id: gateway.new_request_id(), question, policy, received_at: now };
            let trail = Trail::new(request.id.clone(), now, &request.question, &request.policy);
            trail.note("a second opinion, asked in spare quota");
            let terms = crate::pipeline::Terms {
                deadline: now + gateway.settings.deadlines.background,
                priority: Priority::Low,
            };
            let upstream = Arc::clone(gateway.upstream(other));
            let asked = upstream.question_for(&request.question, now);
            let opinion = match gateway.attempt(&upstream, &asked, terms, false, &trail).await {
                Ok(reply) => gateway.judge(&upstream, &asked, reply, &trail).await.ok(),
                Err(_) => None,
            };
            let decision = trail.decision(opinion.as_ref().map(|_| other.as_str().into()));
            gateway.recall.attempted(&decision);
            gateway.recall.keep(request.id, Arc::clone(&decision));
            gateway.scribe.decision(decision);
            if let Some(opinion) = opinion {
                gateway.keep(&Arc::new(opinion));
                if let Some(stronger) = gateway.strengthen(&original) {
                    gateway.seek_second_opinion(&stronger);
                }
            }
        });
    }

    /// Judges a cached quote anew, now that another voice has been heard.
    fn strengthen(&self, answer: &Arc<Answer>) -> Option<Arc<Answer>> {
        let better = Arc::new(self.cross_checked(answer)?);
        for key in self.cache.keys_of(answer) {
            self.cache.insert(key, Arc::clone(&better));
        }
        Some(better)
    }

    /// Takes note of an answer: voices, health, store, decision record.
    pub(crate) fn keep(&self, answer: &Arc<Answer>) {
        let score = self.grade_at(answer, answer.received_at, false).score.points();
        if let (Some(vendor), Data::Quotes(rows)) = (answer.vendor(), &answer.data) {
            let upstream = self.upstream(vendor);
            upstream.health.lock().graded(f64::from(score));
            for row in rows {
                if let Ok(quote) = &row.quote {
                    self.voices.heard(&row.instrument, upstream, quote, answer.received_at);
                    self.scribe.quote(crate::series::StoredQuote {
                        instrument: row.instrument.clone(),
                        vendor,
                        simulated: answer.simulated,
                        quote: quote.clone(),
                        received_at: answer.received_at,
                        score,
                    });
                }
            }
        } else if let (Some(vendor), Data::Bars(_)) = (answer.vendor(), &answer.data) {
            self.upstream(vendor).health.lock().graded(f64::from(score));
        }
        if !answer.decision.candidates.is_empty() || !answer.decision.attempts.is_empty() {
            self.recall.keep(answer.decision.id.clone(), Arc::clone(&answer.decision));
            self.scribe.decision(Arc::clone(&answer.decision));
        }
    }

    /// A reply said that it comes from a simulation: remembered with the host, so that its rows and real
    /// ones never mix, over restarts too.
    pub(crate) fn note_simulated(&self, upstream: &Upstream, simulated: bool) {
        if simulated && upstream.found_simulated() {
            let (store, name) = (Arc::clone(&self.store), simulated_fact(upstream));
            tokio::spawn(async move { store.put_fact(&name, "true".to_owned()).await });
        }
    }

    pub(crate) fn windows_of(&self, upstream: &Upstream) -> Vec<&'static str> {
        upstream
            .limiter
            .status(self.clock.now())
            .iter()
            .map(|status| window_word(status.limit.window))
            .collect()
    }

    /// Believes a vendor that says less is left of its quota than we counted (LIM-6).
    pub(crate) async fn heed(&self, upstream: &Upstream, allowance: vendors::Allowance, now: Instant) {
        let window = match allowance.per {
            Per::Sliding(length) => Window::Sliding(length),
            Per::Day => Window::Day,
            Per::Month => Window::Month,
        };
        let word = VendorWord::Remaining { window, left: allowance.left, resets: allowance.resets };
        if let Err(error) = upstream.limiter.observe(word, now, &*self.store).await {
            self.store_failed(&error);
        }
    }

    /// Draws what follows from a failure besides the breaker.
    pub(crate) async fn draw(
        &self,
        upstream: &Upstream,
        capability: Capability,
        consequence: Consequence,
        now: Instant,
    ) {
        if let Some(word) = consequence.word
            && let Err(error) = upstream.limiter.observe(word, now, &*self.store).await
        {
            self.store_failed(&error);
        }
        if consequence.removes_capability {
            let retry_at = upstream.remove(capability, now);
            let capability = capability.as_str().to_owned();
            self.tell(Some(upstream.vendor()), EventKind::CapabilityRemoved { capability, retry_at });
        }
        if consequence.blames_key {
            let moved = upstream.breaker.lock().unauthorized(now);
            self.breaker_moved(upstream, Some(moved));
        }
        if let Some(event) = consequence.event {
            self.tell(Some(upstream.vendor()), event);
        }
    }

    pub(crate) fn breaker_moved(&self, upstream: &Upstream, moved: Option<Transition>) {
        if let Some(moved) = moved {
            self.tell(
                Some(upstream.vendor()),
                EventKind::BreakerChanged {
                    from: moved.from.as_str(),
                    to: moved.to.as_str(),
                    reason: reason_in_words(&moved.reason).to_owned(),
                },
            );
        }
    }

    pub(crate) fn store_failed(&self, error: &StoreError) {
        self.tell(None, EventKind::StoreFailed { reason: error.to_string() });
    }

    /// Tells an event to the store, and to whoever listens.
    pub(crate) fn tell(&self, vendor: Option<VendorId>, kind: EventKind) {
        let event = Event { at: self.clock.now(), vendor, kind };
        self.recall.event(event.clone());
        self.scribe.event(event);
    }

    /// The newest events, oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.recall.events()
    }

    /// Every event from now on.
    pub fn listen(&self) -> tokio::sync::broadcast::Receiver<Event> {
        self.recall.listen()
    }

    /// The system clock has moved away from ours by more than a second; ours stays as it is.
    pub fn clock_stepped(&self, by_ms: i64) {
        self.tell(None, EventKind::ClockStepped { by_ms });
    }

    /// Takes over a vendor's list of instruments.
    ///
    /// # Errors
    /// [`StoreError`]; the directory in memory has them all the same.
    pub async fn learn_instruments(
        &self,
        vendor: VendorId,
        instruments: Vec<domain::Instrument>,
    ) -> Result<(), StoreError> {
        let mut directory = Directory::clone(&self.directory());
        for instrument in &instruments {
            directory.insert(instrument.clone());
        }
        *self.directory.write() = Arc::new(directory);
        self.store.put_instruments(vendor, instruments, self.clock.now()).await
    }

    /// It was asked a while ago, and nobody knew the symbol.
    pub(crate) fn remembered_unknown(&self, request: &Request) -> Unanswered {
        let trail = Trail::new(request.id.clone(), request.received_at, &request.question, &request.policy);
        trail.note("asked a short while ago: no vendor knew the symbol");
        Unanswered { why: Why::UnknownSymbol, decision: trail.decision(None) }
    }

    pub(crate) fn internal_error(&self, request: &Request) -> Unanswered {
        let trail = Trail::new(request.id.clone(), request.received_at, &request.question, &request.policy);
        Unanswered { why: Why::Internal, decision: trail.decision(None) }
    }

    /// The latest quote each vendor gave for an instrument, from memory.
    pub fn voices_about(&self, instrument: &InstrumentId) -> Vec<crate::voices::Heard> {
        self.voices.about(instrument).to_vec()
    }
}

/// How fresh a live answer is by a delivery class: real time 1, a quarter of an hour late about a half, end
/// of day next to nothing. A question about the past is as fresh from anyone.
fn freshness(question: &Question, delivery: Delivery) -> f64 {
    match (question, delivery) {
        (Question::Quotes { .. }, Delivery::RealTime) => 1.0,
        (Question::Quotes { .. }, Delivery::Delayed(_)) => 0.45,
        (Question::Quotes { .. }, Delivery::EndOfDay) => 0.05,
        _ => 1.0,
    }
}

fn simulated_fact(upstream: &Upstream) -> String {
    format!("simulated {} {}", upstream.vendor(), upstream.settings.base_url)
}

/// The word for a quota's window: `second`, `minute`, `hour`, `day`, `month`.
pub fn window_word(window: Window) -> &'static str {
    match window {
        Window::Sliding(length) if length <= Duration::from_secs(1) => "second",
        Window::Sliding(length) if length <= Duration::from_secs(60) => "minute",
        Window::Sliding(_) => "hour",
        Window::Day => "day",
        Window::Month => "month",
    }
}

/// Why a breaker moved, for people.
fn reason_in_words(reason: &Reason) -> &str {
    match reason {
        Reason::Failures => "too many calls failed",
        Reason::FailuresInARow => "too many calls in a row failed",
        Reason::SlowCalls => "too many calls were slow",
        Reason::Recovered => "calls succeed again",
        Reason::WaitOver => "the wait is over",
        Reason::ProbeFailed => "a probe failed",
        Reason::ProbesSucceeded => "probes succeeded",
        Reason::VendorsWord => "the vendor asked for it",
        Reason::BadCredentials => "the vendor does not accept the key",
        Reason::Ordered => "an operator ordered it",
        Reason::Planned(words) => words,
    }
}
