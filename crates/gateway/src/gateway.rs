//! The gateway: its parts, and the small steps the pipeline is made of.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use domain::{Calendars, Directory, Instant, InstrumentId, Range, VendorId, Venue};
use parking_lot::{Mutex, RwLock};
use resilience::circuit_breaker::System;
use resilience::quota::{Quota, Window};
use vendors::{Capability, Question, VendorClass};

use crate::answer::{Answer, CacheState, Decision, Failure, Served, Unanswered, Warning, Why};
use crate::batches::Batches;
use crate::breakers::{breakers_fact, restored};
use crate::cache::tags::{Invalidated, Namespace, Tags};
use crate::cache::{Cache, Lookup};
use crate::common_quota::keep_in_touch;
use crate::drift::shapes_fact;
use crate::flight_key::{FlightKey, Sought};
use crate::flights::Flights;
use crate::foresight::Hours;
use crate::learned::{self, Learned};
use crate::level_two::{LevelTwo, listen_to_others};
use crate::lifetime::Lifetimes;
use crate::limiter::Limiter;
use crate::recall::Recall;
use crate::request::{Policy, Priority, Request, RequestId};
use crate::rhythm::Rhythms;
use crate::rollup::Rollup;
use crate::scribe::Scribe;
use crate::seams::{Clock, Entropy, Shared, Store, StoreError, Transport};
use crate::service_levels::Objectives;
use crate::settings::{Caching, Settings};
use crate::spending::Spending;
use crate::trail::Trail;
use crate::upstream::{Upstream, quota_settings};
use crate::voices::Voices;

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
    /// What several instances share.
    pub shared: Arc<dyn Shared>,
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
    pub(crate) objectives: Objectives,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) rhythms: Rhythms,
    pub(crate) level_two: LevelTwo,
    pub(crate) flights: Flights<Sought, Landed>,
    pub(crate) batches: Arc<Batches>,
    pub(crate) scribe: Scribe,
    pub(crate) voices: Voices,
    pub(crate) recall: Recall,
    pub(crate) spending: Spending,
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    pub(crate) directory: RwLock<Arc<Directory>>,
    pub(crate) rotation: Mutex<HashMap<Capability, Vec<(VendorId, f64)>>>,
    pub(crate) system: Mutex<System<VendorId>>,
    /// Itself, for calls that outlive those who asked for them.
    pub(crate) me: Weak<Gateway>,
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
        let schedule = settings.schedule.clone();
        let mut upstreams = Vec::new();
        for settings in std::mem::take(&mut settings.upstreams) {
            let vendor = settings.vendor();
            let limits = quota_settings(&settings);
            let quota = match seams.store.quota(vendor).await? {
                Some((snapshot, elapsed)) if !domain::planted!(FreshQuotaAfterRestart) => {
                    Quota::restore(limits, &snapshot, elapsed, now)
                }
                _ => Quota::new(limits),
            };
            let told = seams.store.fact(&learned::name(vendor, &settings.base_url)).await?;
            let (limit, rates) = told.map(|told| learned::read(&told, now)).unwrap_or_default();
            let hours = hours_of(settings.codec.profile().class, &calendars);
            let learned = Learned { hours, limit, rates };
            let limiter = Limiter::open(&seams, &settings, quota, &schedule, learned).await?;
            let upstream = Upstream::new(settings, limiter);
            if seams.store.fact(&simulated_fact(&upstream)).await?.is_some() {
                upstream.found_simulated();
            }
            if let Some(told) = seams.store.fact(&shapes_fact(&upstream)).await? {
                upstream.shapes.remember(&told);
            }
            if let Some((told, elapsed)) = seams.store.dated_fact(&breakers_fact(&upstream)).await?
                && let Some(breakers) = restored(&upstream, &told, elapsed, now)
            {
                *upstream.breaker.lock() = breakers;
            }
            upstreams.push(Arc::new(upstream));
        }
        let vendors = upstreams.iter().map(|upstream: &Arc<Upstream>| upstream.vendor()).collect();
        let spending = Spending::open(settings.spending.clone(), vendors, &*seams.store, now).await?;
        for (_, instrument) in seams.store.instruments().await? {
            directory.insert(instrument);
        }
        let gateway = Arc::new_cyclic(|me| Gateway {
            cache: Cache::new(&settings.cache),
            objectives: Objectives::new(settings.service_levels.goals),
            lifetimes: Lifetimes::new(settings.cache.clone()),
            rhythms: Rhythms::new(settings.cache.memory_bytes),
            level_two: LevelTwo::new(seams.shared),
            flights: Flights::default(),
            batches: Arc::default(),
            scribe: Scribe::start(Arc::clone(&seams.store), settings.cache.memory_bytes),
            voices: Voices::new(settings.cache.memory_bytes),
            recall: Recall::new(settings.cache.memory_bytes),
            spending,
            upstreams,
            directory: RwLock::new(Arc::new(directory)),
            rotation: Mutex::default(),
            system: Mutex::new(System::new(resilience::circuit_breaker::system::Settings::default())),
            me: Weak::clone(me),
            started_at: now,
            clock: seams.clock,
            transport: seams.transport,
            store: seams.store,
            entropy: seams.entropy,
            settings,
            calendars,
        });
        for upstream in &gateway.upstreams {
            keep_in_touch(&gateway, upstream);
        }
        listen_to_others(&gateway);
        Ok(gateway)
    }

    /// Finishes what is written behind and gives back unused leases: the last step of a stop in good order.
    pub async fn close(&self) {
        self.remember_asked_most().await;
        self.scribe.flush().await;
        for upstream in &self.upstreams {
            if (upstream.limiter.is_limited() || upstream.limiter.common().is_some())
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
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let hex = |number: u64, place: usize| DIGITS[(number >> (4 * place)) as usize & 15];
        let (millis, bits) = (self.clock.now().as_millis().unsigned_abs(), self.entropy.bits());
        let mut text = [b'-'; 28];
        for place in 0..11 {
            text[10 - place] = hex(millis, place);
        }
        for place in 0..16 {
            text[27 - place] = hex(bits, place);
        }
        RequestId(std::str::from_utf8(&text).expect("hexadecimal digits are ASCII").into())
    }

    /// Number of answers in memory.
    pub fn cached(&self) -> u64 {
        self.cache.len()
    }

    /// How answers are kept in memory.
    pub fn caching(&self) -> &Caching {
        &self.settings.cache
    }

    /// What is in memory and how it is used (CCH-7).
    pub fn cache_stats(&self) -> crate::cache::statistics::Stats {
        self.cache.stats()
    }

    /// Drops every answer in memory that carries all of the tags, and says how many there were (CCH-8). The
    /// store keeps what it has.
    pub fn invalidate(&self, tags: &Tags) -> Invalidated {
        if let Some(instrument) = &tags.instrument {
            self.forget_elsewhere(instrument);
        }
        self.cache.invalidate(tags)
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

    /// What stored intraday bars of an instrument amount to by hour and by trading date, one of each window and
    /// series: see [`one_per_window`](crate::rollup::one_per_window).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rollups(&self, instrument: &InstrumentId, range: Range) -> Result<Vec<Rollup>, StoreError> {
        self.store.rollups(instrument, range).await.map(crate::rollup::one_per_window)
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
    pub fn fresh(self: &Arc<Self>, key: &FlightKey) -> Option<Served> {
        let now = self.clock.now();
        let Lookup::Fresh(kept) = self.cache.look_up(key, now, None) else { return None };
        self.was_read(key, &kept, now);
        let served = self.serve(Arc::clone(&kept.answer), CacheState::Hit);
        self.cache.served(Namespace::of(&key.question), CacheState::Hit, Some(served.now.since(now)));
        Some(served)
    }

    /// Grades an answer for this moment. One past its time says so.
    pub fn serve(&self, answer: Arc<Answer>, cache: CacheState) -> Served {
        let now = if domain::planted!(AgeFrozen) { answer.received_at } else { self.clock.now() };
        let is_stale = cache == CacheState::Stale;
        let grade = self.grade_at(&answer, now, is_stale);
        let answer = if is_stale { said_to_be_stale(answer, now) } else { answer };
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
        if let Some(most) = policy.max_age.filter(|_| !domain::planted!(MaxAgeIgnored)) {
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

    /// It was asked a while ago, and nobody knew the symbol.
    pub(crate) fn remembered_unknown(&self, request: &Request) -> Unanswered {
        let trail = Trail::new(request.id.clone(), request.received_at, &request.question, &request.policy);
        trail.note("asked a short while ago: no vendor knew the symbol");
        Unanswered { why: Why::UnknownSymbol, decision: trail.decision(None) }
    }

    /// The caller's time is over while others still wait.
    pub(crate) fn too_late(&self, request: &Request) -> Unanswered {
        let trail = Trail::new(request.id.clone(), request.received_at, &request.question, &request.policy);
        trail.note("the answer that another request brings came too late for this one");
        Unanswered { why: Why::Deadline, decision: trail.decision(None) }
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

/// The answer with the warning that it is past its time.
fn said_to_be_stale(answer: Arc<Answer>, now: Instant) -> Arc<Answer> {
    if answer.warnings.iter().any(|warning| warning.code == "STALE") {
        return answer;
    }
    let late = now.since(answer.fresh_until).as_millis();
    let mut said = Arc::unwrap_or_clone(answer);
    said.warnings.push(Warning::new("STALE", format!("served from memory {late} ms past its time")));
    Arc::new(said)
}

/// When data of a vendor class moves.
fn hours_of(class: VendorClass, calendars: &Arc<Calendars>) -> Hours {
    match class {
        VendorClass::EquityRealtime
        | VendorClass::EquityDelayed
        | VendorClass::EndOfDay
        | VendorClass::News => Hours::of(Arc::clone(calendars), Venue::literal("XNYS")),
        VendorClass::ExchangeBook | VendorClass::DexAggregator | VendorClass::Social => Hours::always(),
    }
}

/// Name of the fact that a vendor at this address is simulated.
pub(crate) fn simulated_fact(upstream: &Upstream) -> String {
    format!("simulated {} {}", upstream.vendor(), upstream.settings.base_url)
}

/// The word for a quota's window: `second`, `5s`, `10s`, `minute`, `hour`, `day`, `month`.
pub fn window_word(window: Window) -> &'static str {
    match window {
        Window::Sliding(length) if length <= Duration::from_secs(1) => "second",
        Window::Sliding(length) if length == Duration::from_secs(5) => "5s",
        Window::Sliding(length) if length == Duration::from_secs(10) => "10s",
        Window::Sliding(length) if length <= Duration::from_secs(60) => "minute",
        Window::Sliding(_) => "hour",
        Window::Day => "day",
        Window::Month => "month",
    }
}
