//! What was promised, held against what comes: of every vendor and endpoint (SLA-1, SLA-2), and of our own
//! answers by class (SLA-5). Fed by the pipeline alone, which every vendor call passes (SLA-4).

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{Instant, VendorId};
use parking_lot::Mutex;
use quality::Grade;
use resilience::sla::{BurnChange, Goal, Judged, Monitor, Objective, Status, StatusChange, Thresholds};
use telemetry::EventKind;
use vendors::{Capability, Data, Question};

use crate::answer::{Answer, AttemptError, CacheState, Outcome, Served, Unanswered};
use crate::consequence;
use crate::gateway::Gateway;
use crate::request::Request;
use crate::upstream::Upstream;

/// A class of answers that is promised something of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnswerClass {
    /// From memory.
    Cached,
    /// Latest values, for which a vendor is asked.
    RealTime,
    /// Series and lists, from the store or a vendor.
    History,
    /// All of them together.
    Mixed,
}

impl AnswerClass {
    /// Every class.
    pub const ALL: [AnswerClass; 4] =
        [AnswerClass::Cached, AnswerClass::RealTime, AnswerClass::History, AnswerClass::Mixed];

    /// The word: `cached`, `real_time`, `history`, `mixed`.
    pub const fn as_str(self) -> &'static str {
        match self {
            AnswerClass::Cached => "cached",
            AnswerClass::RealTime => "real_time",
            AnswerClass::History => "history",
            AnswerClass::Mixed => "mixed",
        }
    }

    fn of(question: &Question, cache: Option<CacheState>) -> AnswerClass {
        match (cache, question) {
            (Some(CacheState::Hit | CacheState::Stale), _) => AnswerClass::Cached,
            (_, Question::Quotes { .. }) => AnswerClass::RealTime,
            _ => AnswerClass::History,
        }
    }
}

/// What is promised of answers, and which capabilities the whole cannot do without.
#[derive(Clone, Debug)]
pub struct ServiceLevels {
    /// By class, in the order of [`AnswerClass::ALL`].
    pub goals: [Goal; 4],
    /// Capabilities by their words; `None` is `quote` and `bars` as far as a vendor in service offers them.
    pub required: Option<Vec<&'static str>>,
}

impl Default for ServiceLevels {
    /// Cached within 100 ms (99.9 %), real-time within 500 ms, history within a second (99.5 % each), and of all
    /// together 95 % within 200 ms: the response times and the availability that were asked for.
    fn default() -> ServiceLevels {
        let goal = |millis, share| Goal { within: Duration::from_millis(millis), share };
        ServiceLevels {
            goals: [goal(100, 0.999), goal(500, 0.995), goal(1_000, 0.995), goal(200, 0.95)],
            required: None,
        }
    }
}

/// Monitors of one vendor: of all its calls, and of those to each endpoint.
pub struct Levels {
    thresholds: Thresholds,
    all: Mutex<Monitor>,
    endpoints: Mutex<BTreeMap<&'static str, Monitor>>,
}

/// The endpoint that answers a capability: bid and ask come with the quote.
pub fn endpoint(capability: Capability) -> &'static str {
    match capability {
        Capability::BidAsk => Capability::Quote.as_str(),
        other => other.as_str(),
    }
}

impl Levels {
    /// Nothing was called yet.
    pub fn new(thresholds: Thresholds) -> Levels {
        Levels { thresholds, all: Mutex::new(Monitor::new(thresholds)), endpoints: Mutex::default() }
    }

    /// What is promised.
    pub fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    /// Reads the monitor of all calls.
    pub fn of_all<T>(&self, read: impl FnOnce(&Monitor) -> T) -> T {
        read(&self.all.lock())
    }

    /// Reads the monitor of an endpoint, if it was ever called.
    pub fn of_endpoint<T>(&self, endpoint: &str, read: impl FnOnce(&Monitor) -> T) -> Option<T> {
        self.endpoints.lock().get(endpoint).map(read)
    }

    /// Reads the monitor of every endpoint that was ever called.
    pub fn of_each<T>(&self, mut read: impl FnMut(&'static str, &Monitor) -> T) -> Vec<T> {
        self.endpoints.lock().iter().map(|(endpoint, monitor)| read(endpoint, monitor)).collect()
    }

    /// How an endpoint fares: by its own calls, or by all of the vendor's where it has none to tell by.
    pub fn status(&self, endpoint: &str, now: Instant) -> Status {
        let own = self.of_endpoint(endpoint, |monitor| monitor.status(now));
        own.filter(|own| *own != Status::Unknown)
            .unwrap_or_else(|| self.of_all(|monitor| monitor.status(now)))
    }

    /// Tells both monitors; what changed of the endpoint is what is worth saying.
    fn tell(
        &self,
        endpoint: &'static str,
        feed: impl Fn(&mut Monitor) -> Option<StatusChange>,
    ) -> Option<StatusChange> {
        feed(&mut self.all.lock());
        let mut endpoints = self.endpoints.lock();
        feed(endpoints.entry(endpoint).or_insert_with(|| Monitor::new(self.thresholds)))
    }
}

/// Objectives of our own answers.
pub struct Objectives([Mutex<Objective>; 4]);

impl Objectives {
    /// No answers yet.
    pub fn new(goals: [Goal; 4]) -> Objectives {
        Objectives(goals.map(|goal| Mutex::new(Objective::new(goal))))
    }

    /// Reads the objective of a class.
    pub fn of<T>(&self, class: AnswerClass, read: impl FnOnce(&Objective) -> T) -> T {
        read(&self.0[class as usize].lock())
    }

    fn record(&self, class: AnswerClass, took: Duration, answered: bool, now: Instant) -> Vec<BurnChange> {
        self.0[class as usize].lock().record(took, answered, now)
    }
}

impl Gateway {
    /// Objectives of our own answers.
    pub fn objectives(&self) -> &Objectives {
        &self.objectives
    }

    /// One exchange with a vendor has ended, `now` being when its last byte was there. What no vendor can be
    /// blamed for is not told: a limit, a missing entitlement, our own deadline.
    pub(crate) fn observe_call<T>(
        &self,
        upstream: &Upstream,
        capability: Capability,
        ended: &Result<T, AttemptError>,
        sent_at: Instant,
        now: Instant,
    ) {
        let succeeded = match ended {
            Ok(_) => true,
            Err(error) => {
                let consequence = consequence::of(error, now);
                if consequence.breaker.weight() == 0.0 && !consequence.is_an_answer {
                    return;
                }
                consequence.is_an_answer
            }
        };
        let endpoint = endpoint(capability);
        let took = now.since(sent_at);
        let changed = upstream.levels.tell(endpoint, |monitor| monitor.record(took, succeeded, now));
        self.level_changed(upstream.vendor(), endpoint, changed);
    }

    /// A vendor's answer was judged: how good, how complete and how late what it gave is.
    pub(crate) fn observe_judged(&self, vendor: VendorId, answer: &Answer, grade: &Grade) {
        let asked =
            answer.decision.attempts.iter().any(|a| a.vendor == vendor && a.outcome == Outcome::Answered);
        let upstream = self.upstream(vendor);
        let (endpoint, completeness) = match &answer.data {
            Data::Quotes(_) => (Capability::Quote.as_str(), promised_fields(upstream, answer)),
            Data::Bars(_) => ("bars", f64::from(answer.evidence.completeness.coverage)),
            _ => return,
        };
        if !asked {
            return;
        }
        let judged = Judged {
            quality: Some(f64::from(grade.score.points()) / 100.0),
            completeness: Some(completeness),
            lateness: grade.delay_secs.and_then(|secs| Duration::try_from_secs_f64(secs.max(0.0)).ok()),
        };
        let now = answer.received_at;
        let changed = upstream.levels.tell(endpoint, |monitor| monitor.judge_answer(judged, now));
        self.level_changed(vendor, endpoint, changed);
    }

    fn level_changed(&self, vendor: VendorId, endpoint: &'static str, changed: Option<StatusChange>) {
        // Known at last is no news.
        let Some(changed) =
            changed.filter(|change| change.from != Status::Unknown || change.breach.is_some())
        else {
            return;
        };
        self.tell(
            Some(vendor),
            EventKind::ServiceLevelChanged {
                endpoint,
                from: changed.from.as_str(),
                to: changed.to.as_str(),
                reason: changed.breach.map_or("its promises are kept again", |breach| breach.in_words()),
            },
        );
    }

    /// A request has ended: held against what is promised of its class. What only the caller can change (an
    /// unknown symbol, a constraint, a mistake) breaks no promise of ours.
    pub(crate) fn observe_answer(&self, request: &Request, answered: &Result<Served, Unanswered>) {
        let (cache, good) = match answered {
            Ok(served) => (Some(served.cache), true),
            Err(unanswered) if unanswered.why.is_the_callers() => return,
            Err(_) => (None, false),
        };
        self.observe_class(AnswerClass::of(&request.question, cache), good, request.received_at);
    }

    /// An answer from memory went out the short way.
    pub fn observe_remembered(&self, received_at: Instant) {
        self.observe_class(AnswerClass::Cached, true, received_at);
    }

    fn observe_class(&self, class: AnswerClass, good: bool, received_at: Instant) {
        let now = self.clock.now();
        for class in [class, AnswerClass::Mixed] {
            for change in self.objectives.record(class, now.since(received_at), good, now) {
                let (class, alarm) = (class.as_str(), change.alarm.as_str());
                self.tell(
                    None,
                    if change.began {
                        EventKind::BurnRateHigh { class, alarm, rate: change.rate }
                    } else {
                        EventKind::BurnRateNormal { class, alarm }
                    },
                );
            }
        }
    }
}

/// Share of the fields the vendor offers in a quote that are there: what it never has is not missing.
fn promised_fields(upstream: &Upstream, answer: &Answer) -> f64 {
    let there = &answer.evidence.completeness;
    let bid_ask = upstream.barred(Capability::BidAsk, answer.received_at).is_none();
    let volume = upstream.settings.codec.profile().quotes_volume();
    let promised = [
        (true, there.price),
        (bid_ask, there.bid_ask),
        (volume, there.volume != quality::VolumeState::Missing),
    ];
    let count = promised.iter().filter(|(promised, _)| *promised).count();
    promised.iter().filter(|(promised, there)| *promised && *there).count() as f64 / count as f64
}

#[cfg(test)]
mod tests {
    // SLA-5.
    use super::*;

    #[test]
    fn an_answer_is_of_the_class_that_was_needed_to_make_it() {
        let quote = Question::Quotes { instruments: vec![], bid_ask: true };
        let class = |cache| AnswerClass::of(&quote, cache).as_str();
        assert_eq!(
            [None, Some(CacheState::Hit), Some(CacheState::Stale), Some(CacheState::Coalesced)].map(class),
            ["real_time", "cached", "cached", "real_time"]
        );
        let series = AnswerClass::of(&Question::Symbols, Some(CacheState::Stored));
        assert_eq!(series, AnswerClass::History);
    }
}
