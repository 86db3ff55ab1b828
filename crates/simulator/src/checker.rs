//! Looks on from the vendors' side while a gateway works, and says which promise it broke.
//!
//! It knows what the gateway does not: the true market, what arrived at each vendor and when, and which vendor
//! failed or lied. It shares no code with the stages it judges: it counts windows, spacings and prices by itself.

mod answers;
mod outages;
mod windows;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use domain::{Calendars, Instant, InstrumentId, Price, Range, VendorId, Venue};
use gateway::{CacheState, Decision, Failover, Policy, Served, Settings, Unanswered, Why};
use jiff::tz::TimeZone;
use telemetry::{Event, EventKind};
use vendors::plan::Limit;
use vendors::{Data, Question};

use crate::fault::{Fault, Spell};
use crate::journal::Entry;
use crate::market::Market;
use outages::Outages;
use windows::Windows;

/// Violations of one kind that are kept in full; further ones are counted.
const KEPT: usize = 5;
/// A vendor that allows less a minute cannot carry all callers alone.
const ROOMY: u32 = 600;
/// Of what a plan allows at least this share is used when all of it is wanted. The rest goes with callers whose time
/// is over when they get their permit.
const USABLE: f64 = 0.65;
/// A day's budget that no day of a trial spends.
const AMPLE_MICROS: u64 = 1_000_000_000;
/// Calls that may be under way when a budget ends.
const UNDER_WAY: u64 = 32;
/// A caller may hear of the end of its time so much later.
const LATE: Duration = Duration::from_millis(50);

/// A promise that can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// Every accepted request ends, once, before its deadline.
    EndsInTime,
    /// No window of a plan sees more arrivals than it allows.
    QuotaKept,
    /// What was taken of a quota comes back: all of it can be used again.
    PermitReturned,
    /// A vendor that fails is left alone, one probe at a time aside.
    OpenBreakerKept,
    /// A vendor that works again is asked again.
    Recovers,
    /// A vendor that asks for a pause has one.
    WaitHeeded,
    /// A breaker moves only where a vendor failed: nobody's unknown symbol or short patience moves it.
    BreakerBlamesVendor,
    /// A price is what the vendor said; one that a vendor made up carries a finding.
    PriceTrue,
    /// The age of an answer is its true age, and what is past its time says so.
    AgeTold,
    /// The caller's conditions hold: age, grade, staleness.
    ConditionsKept,
    /// An older value never takes the place of a newer one.
    NewestKept,
    /// An answer is about what was asked, on the asked basis.
    QuestionAnswered,
    /// No vendor is asked twice for one request.
    AskedOnce,
    /// A vendor that is not listed is not asked.
    OnlyListed,
    /// The same question at the same time makes one call.
    OneCall,
    /// What was spent is what was told.
    SpendTold,
    /// No day costs more than its budget and what was under way.
    BudgetKept,
    /// Whatever a simulation touched says so.
    SimulatedSaid,
    /// While one capable vendor works there is an answer.
    Available,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One broken promise.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// When it was seen.
    pub at: Instant,
    /// What was seen.
    pub what: String,
}

/// Why a question is asked, which decides what is expected of its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A quote of a known name.
    Usual,
    /// A quote of a name that nobody knows.
    Unknown,
    /// The same quote as many others at this moment.
    Crowd,
    /// Daily bars.
    Bars,
}

/// One question of one caller.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Of what.
    pub instrument: InstrumentId,
    /// The question.
    pub question: Question,
    /// The conditions.
    pub policy: Policy,
    /// When, in true time.
    pub at: Instant,
    /// The caller leaves after so long, whatever comes.
    pub leaves_after: Option<Duration>,
    /// Why.
    pub kind: Kind,
}

/// A vendor as the checker knows it.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) vendor: VendorId,
    pub(crate) limits: Vec<Limit>,
    pub(crate) zone: TimeZone,
    pub(crate) price_micros: u64,
    /// Open time of its breaker, before jitter.
    pub(crate) open: Duration,
    /// The longest it stays open, jitter included: where a probe costs money the time doubles.
    pub(crate) open_at_most: Duration,
    /// Whether its quotes are of the moment.
    pub(crate) real_time: bool,
}

/// What is known before anything happens.
pub struct Scene {
    market: Arc<Market>,
    spells: Vec<Spell>,
    calendars: Calendars,
    vendors: Vec<Watched>,
    late: Duration,
    day_micros: Option<u64>,
    full_disks: Vec<Range>,
    quote_deadline: Duration,
    bars_deadline: Duration,
    background_deadline: Duration,
}

impl Scene {
    /// The vendors a configuration uses, what will fail when, and the market behind.
    pub fn of(settings: &Settings, market: Arc<Market>, spells: Vec<Spell>, calendars: Calendars) -> Scene {
        let enabled = settings.upstreams.iter().filter(|upstream| upstream.enabled);
        let vendors = enabled
            .map(|upstream| Watched {
                vendor: upstream.vendor(),
                limits: upstream.plan.limits.clone(),
                zone: TimeZone::get(upstream.codec.profile().quota_zone).unwrap_or(TimeZone::UTC),
                price_micros: upstream.plan.request_micros,
                open: upstream.breaker.open,
                open_at_most: if upstream.breaker.probe_is_costly || upstream.plan.request_micros > 0 {
                    upstream.breaker.open_cap
                } else {
                    upstream.breaker.open.mul_f64(1.1)
                },
                real_time: upstream.plan.delivery == domain::Delivery::RealTime,
            })
            .collect();
        Scene {
            market,
            spells,
            calendars,
            vendors,
            late: LATE,
            day_micros: None,
            full_disks: Vec::new(),
            quote_deadline: settings.deadlines.quote,
            bars_deadline: settings.deadlines.bars,
            background_deadline: settings.deadlines.background,
        }
    }

    /// The same where no UTC day may cost more than so many millionths of a US dollar, and where nothing could be written
    /// down at times: what was spent then is known to no later process.
    #[must_use]
    pub fn with_budget(mut self, day_micros: u64, full_disks: Vec<Range>) -> Scene {
        self.day_micros = Some(day_micros);
        self.full_disks = full_disks;
        self
    }

    /// The same for a clock that runs on while the machine works: so much later may things be noticed.
    #[must_use]
    pub fn on_a_running_clock(mut self, late: Duration) -> Scene {
        self.late = late;
        self
    }

    fn watched(&self, vendor: VendorId) -> Option<&Watched> {
        self.vendors.iter().find(|watched| watched.vendor == vendor)
    }

    /// Whether a vendor had one of these faults at some time in a range.
    fn has_fault(&self, vendor: VendorId, range: Range, which: impl Fn(Fault) -> bool) -> bool {
        self.spells.iter().any(|spell| {
            spell.vendor == vendor
                && spell.from < range.end
                && range.start < spell.until
                && which(spell.fault)
        })
    }

    /// Whether money is never what keeps a vendor from being asked.
    fn is_funded(&self) -> bool {
        self.day_micros.is_none_or(|cap| cap >= AMPLE_MICROS)
    }

    fn is_open(&self, at: Instant) -> bool {
        self.calendars.of(Venue::US).is_some_and(|calendar| calendar.is_open(at))
    }

    fn deadline(&self, asked: &Asked) -> Duration {
        let usual = match (&asked.question, asked.policy.priority) {
            (_, gateway::Priority::Batch) => self.background_deadline,
            (Question::Quotes { .. }, _) => self.quote_deadline,
            _ => self.bars_deadline,
        };
        asked.policy.deadline.unwrap_or(usual)
    }
}

/// Whether a fault keeps a vendor from answering, so that its breaker has a reason to open.
pub(crate) fn fails(fault: Fault) -> bool {
    match fault {
        Fault::Outage
        | Fault::Refuse
        | Fault::Slow(_)
        | Fault::Hang
        | Fault::Html(_)
        | Fault::Truncate
        | Fault::Schema => true,
        Fault::TooManyRequests | Fault::Wrong(_) | Fault::Stale | Fault::Pence => false,
    }
}

/// Whether a fault makes a vendor tell something else than the market did.
fn lies(fault: Fault) -> bool {
    matches!(fault, Fault::Wrong(_) | Fault::Pence)
}

/// What was counted.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Questions that a gateway accepted.
    pub accepted: u64,
    /// Of these, answered.
    pub answered: u64,
    /// Ended without an answer.
    pub unanswered: u64,
    /// Left by their callers, or lost with a crash.
    pub abandoned: u64,
    /// Answers from memory, fresh or stale.
    pub from_memory: u64,
    /// Answers by the vendor that gave them.
    pub by_vendor: BTreeMap<&'static str, u64>,
    /// Arrivals at the vendors.
    pub calls: BTreeMap<&'static str, u64>,
    /// Price of all arrivals, in millionths of a US dollar.
    pub spend_micros: u64,
    /// Plain questions asked while a capable vendor worked.
    pub able: u64,
    /// Of these, answered.
    pub able_answered: u64,
    /// Arrivals beyond what a window allows.
    pub quota_excess: u64,
    /// The fullest that any window of a vendor was, as a share of what it allows.
    pub fullest: BTreeMap<&'static str, f64>,
    /// Broken promises by name.
    pub broken: BTreeMap<Invariant, u64>,
}

/// Looks on, and judges.
pub struct Checker {
    scene: Scene,
    windows: Vec<Windows>,
    outages: Outages,
    answers: answers::Answers,
    open: HashMap<u64, Instant>,
    next: u64,
    crowds: Vec<Crowd>,
    restarts: Vec<(Instant, i64)>,
    told_micros: u64,
    spent_micros: u64,
    by_day: BTreeMap<domain::Date, u64>,
    summary: Summary,
    violations: Vec<Violation>,
}

/// Many who ask the same at once.
struct Crowd {
    at: Instant,
    name: String,
    calls: BTreeMap<VendorId, u32>,
}

/// The price an answer tells, if it is a quote's.
pub fn price_of(served: &Served) -> Option<Price> {
    match &served.answer.data {
        Data::Quotes(rows) => rows.first()?.quote.as_ref().ok()?.last,
        _ => None,
    }
}

impl Checker {
    /// Nothing has happened yet.
    pub fn new(scene: Scene) -> Checker {
        Checker {
            windows: scene.vendors.iter().map(Windows::new).collect(),
            outages: Outages::new(&scene),
            answers: answers::Answers::default(),
            open: HashMap::new(),
            next: 0,
            crowds: Vec::new(),
            restarts: Vec::new(),
            told_micros: 0,
            spent_micros: 0,
            by_day: BTreeMap::new(),
            summary: Summary::default(),
            violations: Vec::new(),
            scene,
        }
    }

    fn broke(&mut self, invariant: Invariant, at: Instant, what: impl FnOnce() -> String) {
        let count = self.summary.broken.entry(invariant).or_default();
        *count += 1;
        if *count <= KEPT as u64 {
            self.violations.push(Violation { invariant, at, what: what() });
        }
    }

    /// A question is accepted; the number is given back at its end.
    pub fn accepted(&mut self, asked: &Asked) -> u64 {
        self.next += 1;
        self.summary.accepted += 1;
        self.open.insert(self.next, asked.at + self.scene.deadline(asked) + self.scene.late);
        if asked.kind == Kind::Crowd && self.crowds.last().is_none_or(|crowd| crowd.at != asked.at) {
            let name = asked.instrument.name().to_owned();
            self.crowds.push(Crowd { at: asked.at, name, calls: BTreeMap::new() });
        }
        self.next
    }

    /// A question has ended: with an answer, with a reason, or because its caller left or the process died.
    /// `skew` is how far the gateway's clock is ahead, in nanoseconds.
    pub fn ended(
        &mut self,
        number: u64,
        asked: &Asked,
        result: Option<&Result<Served, Unanswered>>,
        now: Instant,
        skew: i64,
    ) {
        let Some(due) = self.open.remove(&number) else {
            self.broke(Invariant::EndsInTime, now, || format!("request {number} ended twice"));
            return;
        };
        let Some(result) = result else {
            self.summary.abandoned += 1;
            return;
        };
        if now > due {
            self.broke(Invariant::EndsInTime, now, || {
                format!("request {number} ended {:?} after the latest time", now.since(due))
            });
        }
        let able = self.is_able(asked, now);
        self.summary.able += u64::from(able);
        match result {
            Ok(served) => {
                self.summary.answered += 1;
                self.summary.able_answered += u64::from(able);
                self.summary.from_memory +=
                    u64::from(matches!(served.cache, CacheState::Hit | CacheState::Stale));
                if let Some(vendor) = served.answer.vendor() {
                    *self.summary.by_vendor.entry(vendor.as_str()).or_default() += 1;
                }
                self.check_answer(asked, served, now, skew);
            }
            Err(unanswered) => {
                self.summary.unanswered += 1;
                if matches!(unanswered.why, Why::Internal) {
                    self.broke(Invariant::EndsInTime, now, || format!("request {number}: internal error"));
                }
                if able {
                    self.broke(Invariant::Available, now, || {
                        let attempts: Vec<String> = unanswered
                            .decision
                            .attempts
                            .iter()
                            .map(|attempt| format!("{} {}", attempt.vendor, attempt.outcome.as_str()))
                            .collect();
                        let skipped: Vec<String> = unanswered
                            .decision
                            .candidates
                            .iter()
                            .filter_map(|one| {
                                Some(format!("{} {}", one.vendor, one.skipped.as_ref()?.as_str()))
                            })
                            .collect();
                        let policy = &unanswered.decision.policy;
                        format!(
                            "{} {policy}: {unanswered} after {attempts:?}, without {skipped:?}",
                            asked.instrument
                        )
                    });
                }
            }
        }
    }

    /// Whether a question has no conditions and a capable vendor was well, long enough for its breaker to have
    /// closed and its rate to have come back.
    fn is_able(&self, asked: &Asked, now: Instant) -> bool {
        let plain = matches!(asked.kind, Kind::Usual | Kind::Crowd)
            && asked.leaves_after.is_none()
            && asked.policy.vendors.is_empty()
            && asked.policy.max_age.is_none()
            && asked.policy.min_grade.is_none()
            && asked.policy.deadline.is_none()
            && asked.policy.failover != Failover::None;
        // Near its end a budget keeps the rest for those above.
        let spent = self.by_day.get(&now.utc_date()).copied().unwrap_or(0);
        let funded = self.scene.day_micros.is_none_or(|cap| spent < cap / 4 * 3);
        plain
            && funded
            && self.scene.vendors.iter().any(|watched| {
                let roomy = watched.limits.iter().all(|limit| limit.count >= ROOMY);
                let lately = Range::new(asked.at - watched.open_at_most - watched.open, now);
                let long = Range::new(asked.at - Duration::from_secs(1_800), now);
                watched.real_time
                    && roomy
                    && !self.scene.has_fault(watched.vendor, lately, fails)
                    && !self.scene.has_fault(watched.vendor, long, |fault| fault == Fault::TooManyRequests)
            })
    }

    /// A request has arrived at a vendor.
    pub fn arrived(&mut self, entry: &Entry) {
        let skew = self.skew_at(entry.at);
        *self.summary.calls.entry(entry.vendor.as_str()).or_default() += 1;
        let Some(index) = self.scene.vendors.iter().position(|w| w.vendor == entry.vendor) else { return };
        let micros = self.scene.vendors[index].price_micros * u64::from(entry.weight);
        self.spent_micros += micros;
        self.summary.spend_micros += micros;
        self.check_budget(entry.at, skew, micros);
        // A vendor's cookie service is another host with limits of its own.
        if !entry.target.contains("://") {
            let over = self.windows[index].arrived(entry.at, entry.weight, skew);
            let fullest = self.summary.fullest.entry(entry.vendor.as_str()).or_default();
            *fullest = fullest.max(self.windows[index].fullest());
            if let Some(what) = over {
                self.summary.quota_excess += 1;
                let vendor = entry.vendor;
                self.broke(Invariant::QuotaKept, entry.at, || format!("{vendor}: {what}"));
            }
        }
        self.outages.arrived(entry);
        for crowd in &mut self.crowds {
            if entry.target.contains(&crowd.name) {
                *crowd.calls.entry(entry.vendor).or_default() += 1;
            }
        }
    }

    fn check_budget(&mut self, at: Instant, skew: i64, micros: u64) {
        let date = at.utc_date();
        // A gateway whose clock shows another date counts it to another day.
        if crate::trial::shifted(at, skew).utc_date() != date {
            return;
        }
        let unwritten = |full: &Range| full.start <= at && at < full.end + Duration::from_secs(2);
        if self.scene.full_disks.iter().any(unwritten) {
            return;
        }
        let spent = self.by_day.entry(date).or_default();
        *spent += micros;
        let spent = *spent;
        if let Some(cap) = self.scene.day_micros.filter(|cap| micros > 0 && spent > cap + UNDER_WAY * micros)
        {
            self.broke(Invariant::BudgetKept, at, || {
                format!("{spent} of {cap} millionths of a dollar were spent on {date}")
            });
        }
    }

    fn skew_at(&self, at: Instant) -> i64 {
        self.restarts.iter().rev().find(|(from, _)| *from <= at).map_or(0, |(_, skew)| *skew)
    }

    /// A process of the gateway has ended and another one begins, whose clock is ahead by `skew` nanoseconds.
    pub fn restarted(&mut self, now: Instant, skew: i64) {
        self.restarts.push((now, skew));
        self.answers.forget();
    }

    /// The record of a request, whoever asked: a caller, or the gateway itself.
    pub fn decided(&mut self, decision: &Decision) {
        self.told_micros += decision.cost_micros;
        let mut words = decision.policy.split(' ');
        let listed = words.clone().find_map(|word| word.strip_prefix("vendors="));
        let any = words.any(|word| word == "failover=any");
        let mut asked: Vec<(VendorId, &str)> = Vec::new();
        for attempt in &decision.attempts {
            if let Some(listed) = listed.filter(|_| !any)
                && !listed.split(',').any(|id| id == attempt.vendor.as_str())
            {
                let vendor = attempt.vendor;
                self.broke(Invariant::OnlyListed, decision.at, || {
                    format!("{vendor} was asked for vendors={listed} ({})", decision.question)
                });
            }
            let is_step = matches!(attempt.outcome, gateway::Outcome::Page | gateway::Outcome::Formality);
            if is_step || attempt.capability != "quote" {
                continue;
            }
            // A symbol that got nothing when several were asked for together is asked for alone, and the record says
            // so.
            let vendor = attempt.vendor;
            let alone = [
                format!("{vendor} refused them together; this one is asked alone"),
                format!("{vendor} had nothing for it among the others"),
            ];
            let declared = usize::from(decision.notes.iter().any(|note| alone.contains(note)));
            let before = asked.iter().filter(|known| **known == (vendor, attempt.capability)).count();
            if before > declared {
                self.broke(Invariant::AskedOnce, decision.at, || {
                    format!("{vendor} was asked twice ({})", decision.question)
                });
            }
            asked.push((attempt.vendor, attempt.capability));
        }
    }

    /// The gateway told of an event; `at` is its true time.
    pub fn told(&mut self, event: &Event, at: Instant) {
        let (Some(vendor), EventKind::BreakerChanged { from, to, reason }) = (event.vendor, &event.kind)
        else {
            return;
        };
        if !matches!(*to, "open" | "degraded") {
            return;
        }
        let lately = Range::new(at - Duration::from_secs(140), at + Duration::from_secs(1));
        let lied = |fault| fails(fault) || lies(fault);
        if !self.scene.has_fault(vendor, lately, lied) {
            self.broke(Invariant::BreakerBlamesVendor, at, || {
                format!("{vendor} went from {from} to {to} without a failure: {reason}")
            });
        }
    }

    /// Time has passed.
    pub fn look(&mut self, now: Instant) {
        let found = self.outages.look(&self.scene, &self.restarts, now);
        for (invariant, what) in found {
            self.broke(invariant, now, || what);
        }
        let settled = |crowd: &Crowd| now.since(crowd.at) >= Duration::from_secs(15);
        while self.crowds.first().is_some_and(settled) {
            let crowd = self.crowds.remove(0);
            for (vendor, calls) in crowd.calls {
                if calls > 2 {
                    let name = &crowd.name;
                    self.broke(Invariant::OneCall, crowd.at, || {
                        format!("one question of many about {name} made {calls} calls to {vendor}")
                    });
                }
            }
        }
        let overdue: Vec<u64> = self
            .open
            .iter()
            .filter(|(_, due)| now.since(**due) > Duration::from_secs(60))
            .map(|(number, _)| *number)
            .collect();
        for number in overdue {
            self.open.remove(&number);
            self.broke(Invariant::EndsInTime, now, || format!("request {number} never ended"));
        }
    }

    /// The end: in `full_use` everybody asked for all there is; `rested` says whether everything was well long enough
    /// before for it to be there again.
    pub fn finish(&mut self, full_use: Range, rested: bool) {
        let open = rested && self.scene.is_open(full_use.start) && self.scene.is_open(full_use.end);
        for index in 0..self.scene.vendors.len() {
            let watched = &self.scene.vendors[index];
            let vendor = watched.vendor;
            if !open || !matches!(vendor.as_str(), "finnhub" | "twelve_data") {
                continue;
            }
            let Some(per_second) = windows::rate(&watched.limits) else { continue };
            let possible = per_second * full_use.length().as_secs_f64();
            let used = self.windows[index].used_in(full_use);
            if (used as f64) < USABLE * possible {
                self.broke(Invariant::PermitReturned, full_use.end, || {
                    format!("{vendor}: {used} of {possible:.0} possible calls were made when all were wanted")
                });
            }
        }
        // What a crash takes with it is told by nobody: at most what was under way.
        let crashes = self.restarts.len() as u64;
        let dearest = self.scene.vendors.iter().map(|watched| watched.price_micros).max().unwrap_or(0);
        let lost = (crashes + 1) * 40 * dearest + self.spent_micros / 50;
        if self.spent_micros > self.told_micros + lost {
            let (spent, told) = (self.spent_micros, self.told_micros);
            self.broke(Invariant::SpendTold, full_use.end, || {
                format!("the vendors charge {spent} millionths of a dollar, the records say {told}")
            });
        }
    }

    /// Whether any promise has been broken so far.
    pub fn is_broken(&self) -> bool {
        !self.violations.is_empty()
    }

    /// What was counted and what was broken.
    pub fn result(&self) -> (Summary, Vec<Violation>) {
        (self.summary.clone(), self.violations.clone())
    }
}
