//! One answer beside what truly happened.

use std::collections::HashMap;
use std::time::Duration;

use domain::{BarSeries, Instant, InstrumentId, Price, Quote, Range, VendorId};
use gateway::{CacheState, Failover, Served, StaleAllowance};
use vendors::{Data, Question};

use super::{Asked, Checker, Invariant, fails, lies};
use crate::fault::Fault;
use crate::trial::shifted;

/// A stamp may be cut to whole seconds, or to the minute a vendor's bar began.
const STAMP: [(Duration, u32); 2] = [(Duration::from_millis(20), 50), (Duration::from_secs(1), 60)];
/// Prices are equal up to what single precision keeps.
const EQUAL: f64 = 2e-6;
/// In session no quote stays fresh in memory for longer.
const FRESH_AT_MOST: Duration = Duration::from_secs(66);

/// What was seen of answers already judged.
#[derive(Default)]
pub(super) struct Answers {
    /// Of each question in memory the newest value seen and until when it was fresh, by the gateway's clock.
    newest: HashMap<(InstrumentId, gateway::flight_key::FlightKey), (Instant, Instant)>,
    /// Values judged, by vendor, instrument and time of receipt.
    judged: HashMap<(VendorId, InstrumentId, Instant), Price>,
}

impl Answers {
    /// Memory is gone.
    pub(super) fn forget(&mut self) {
        self.newest.clear();
        self.judged.clear();
    }
}

impl Checker {
    pub(super) fn check_answer(&mut self, asked: &Asked, served: &Served, now: Instant, skew: i64) {
        let answer = &served.answer;
        if !answer.simulated {
            self.broke(Invariant::SimulatedSaid, now, || {
                format!("an answer about {} does not", asked.instrument)
            });
        }
        let policy = &asked.policy;
        if !policy.vendors.is_empty() && policy.failover != Failover::Any {
            for vendor in answer.vendors.iter().filter(|vendor| !policy.vendors.contains(vendor)) {
                self.broke(Invariant::OnlyListed, now, || {
                    format!("{vendor} answered for {:?}", policy.vendors)
                });
            }
        }
        self.check_conditions(asked, served, now);
        self.check_age(asked, served, now, skew);
        match (&asked.question, &answer.data) {
            (Question::Quotes { .. }, Data::Quotes(rows)) => match rows.as_slice() {
                [row] if row.instrument == asked.instrument => {
                    if let Ok(quote) = &row.quote {
                        self.check_quote(asked, served, quote, now, skew);
                    }
                }
                _ => self.broke(Invariant::QuestionAnswered, now, || {
                    format!("{} was asked, {:?} answered", asked.instrument, answer.instrument())
                }),
            },
            (Question::Bars { .. }, Data::Bars(series)) => self.check_bars(asked, served, series, now, skew),
            _ => self
                .broke(Invariant::QuestionAnswered, now, || "another kind of data was answered".to_owned()),
        }
    }

    fn check_conditions(&mut self, asked: &Asked, served: &Served, now: Instant) {
        let policy = &asked.policy;
        if policy.stale == StaleAllowance::Forbid && served.cache == CacheState::Stale {
            self.broke(Invariant::ConditionsKept, now, || "stale, and the caller forbade it".to_owned());
        }
        if let Some(most) = policy.max_age
            && served.age().is_none_or(|age| age > most)
        {
            self.broke(Invariant::ConditionsKept, now, || format!("{:?} old, not {most:?}", served.age()));
        }
        if let Some(least) = policy.min_grade
            && served.grade.letter > least
        {
            self.broke(Invariant::ConditionsKept, now, || format!("{}, not {least}", served.grade.letter));
        }
    }

    fn check_age(&mut self, asked: &Asked, served: &Served, now: Instant, skew: i64) {
        let at = shifted(served.now, -skew);
        let second = Duration::from_millis(2);
        if at + second < asked.at || at > now + second {
            self.broke(Invariant::AgeTold, now, || {
                format!("asked at {} and answered by {now}, but graded for {at}", asked.at)
            });
        }
        let received = shifted(served.answer.received_at, -skew);
        // What was stored by a process whose clock was ahead bears that clock's time.
        let live = matches!(asked.question, Question::Quotes { .. });
        if live && received > now + second {
            self.broke(Invariant::AgeTold, now, || format!("received at {received}, in the future"));
        }
        if served.cache != CacheState::Hit {
            return;
        }
        if served.now >= served.answer.fresh_until {
            self.broke(Invariant::AgeTold, now, || {
                format!("past its time by {:?}, unmarked", served.now.since(served.answer.fresh_until))
            });
        }
        let in_session =
            self.scene.is_open(received) && self.scene.is_open(now) && self.scene.is_open(served.now);
        if live
            && in_session
            && skew.unsigned_abs() < 3_600_000_000_000
            && now.since(received) > FRESH_AT_MOST
            && self.scene.is_open(received - Duration::from_secs(3_600))
        {
            self.broke(Invariant::AgeTold, now, || {
                format!("{} was called fresh {:?} after it came", asked.instrument, now.since(received))
            });
        }
    }

    fn check_quote(&mut self, asked: &Asked, served: &Served, quote: &Quote, now: Instant, skew: i64) {
        let answer = &served.answer;
        let (Some(vendor), Some(price)) = (answer.vendor(), quote.last) else { return };
        let key = gateway::flight_key::FlightKey::of(&asked.question, &asked.policy);
        if let (CacheState::Hit, Some(event)) = (served.cache, answer.event_time) {
            let id = (asked.instrument.clone(), key);
            let known = self.answers.newest.get(&id).copied();
            if let Some((newest, fresh_until)) = known
                && event < newest
                && served.now < fresh_until
            {
                self.broke(Invariant::NewestKept, now, || {
                    format!("{} of {event} after that of {newest}", asked.instrument)
                });
            }
            if known.is_none_or(|(newest, _)| event >= newest) {
                self.answers.newest.insert(id, (event, answer.fresh_until));
            }
        } else if let Some(event) = answer.event_time {
            let id = (asked.instrument.clone(), key);
            let known = self.answers.newest.get(&id).copied();
            if served.cache == CacheState::Miss && known.is_none_or(|(newest, _)| event >= newest) {
                self.answers.newest.insert(id, (event, answer.fresh_until));
            }
        }
        let once = (vendor, asked.instrument.clone(), answer.received_at);
        match self.answers.judged.get(&once) {
            Some(judged) if *judged == price => return,
            _ => {}
        }
        if self.answers.judged.len() > 20_000 {
            self.answers.judged.clear();
        }
        self.answers.judged.insert(once, price);
        self.check_price(asked, served, price, now, skew);
    }

    fn check_price(&mut self, asked: &Asked, served: &Served, price: Price, now: Instant, skew: i64) {
        let answer = &served.answer;
        let Some(vendor) = answer.vendor() else { return };
        let received = shifted(answer.received_at, -skew);
        // A slow reply was made up before.
        let made = Range::new(received - Duration::from_secs(8), received + Duration::from_millis(1));
        let lied = self.scene.has_fault(vendor, made, lies);
        // A gateway whose clock is wrong dates what bears no time wrongly.
        let Some(event) = answer.event_time else { return };
        let told = if event == answer.received_at { received } else { event };
        if self.is_true(&asked.instrument, price, told) {
            return self.check_newness(asked, vendor, told, made, now);
        }
        if !lied {
            let truth = self.scene.market.quote(&asked.instrument, told).and_then(|quote| quote.last);
            self.broke(Invariant::PriceTrue, now, || {
                format!("{vendor} {} {price} of {told}, but it was {truth:?}", asked.instrument)
            });
        } else if answer.findings.is_empty() {
            self.broke(Invariant::PriceTrue, now, || {
                format!("{vendor} made {price} of {} up, and nothing says so", asked.instrument)
            });
        }
    }

    /// Whether an instrument traded at a price at a stated time.
    fn is_true(&self, id: &InstrumentId, price: Price, told: Instant) -> bool {
        let price = price.to_f64();
        let same = |at| {
            let last = self.scene.market.quote(id, at).and_then(|quote| quote.last);
            last.is_some_and(|last| (last.to_f64() - price).abs() <= EQUAL * price.abs())
        };
        same(told) || STAMP.iter().any(|(step, steps)| (1..=*steps).any(|n| same(told + *step * n)))
    }

    /// A vendor that is well tells of now, up to its delay.
    fn check_newness(&mut self, asked: &Asked, vendor: VendorId, told: Instant, made: Range, now: Instant) {
        let real_time = self.scene.watched(vendor).is_some_and(|watched| watched.real_time);
        let ill = |fault| fault == Fault::Stale || fails(fault);
        if !real_time || self.scene.has_fault(vendor, made, ill) {
            return;
        }
        let Some(least) = self.scene.market.quote(&asked.instrument, made.start).and_then(|q| q.event_time)
        else {
            return;
        };
        if told + Duration::from_secs(61) < least {
            self.broke(Invariant::PriceTrue, now, || {
                format!("{vendor} told of {told}, when {least} was known to it")
            });
        }
    }

    fn check_bars(&mut self, asked: &Asked, served: &Served, series: &BarSeries, now: Instant, skew: i64) {
        let Question::Bars { range, adjustment, interval, session, .. } = asked.question else { return };
        let answer = &served.answer;
        if series.instrument != asked.instrument || answer.basis.adjustment != adjustment {
            self.broke(Invariant::QuestionAnswered, now, || {
                format!(
                    "{} {} answered as {} {}",
                    asked.instrument,
                    adjustment.as_str(),
                    series.instrument,
                    answer.basis.adjustment.as_str()
                )
            });
            return;
        }
        // What came while its vendor lied is kept, and was said to be doubtful when it came.
        let ever = Range::new(Instant::MIN, now);
        if skew != 0 || answer.vendors.iter().any(|vendor| self.scene.has_fault(*vendor, ever, lies)) {
            return;
        }
        let truth = self.scene.market.bars(&asked.instrument, interval, range, adjustment, session, now);
        for bar in &series.bars {
            let Some(close) = bar.close.map(Price::to_f64) else { continue };
            let same = truth.iter().find(|other| other.start == bar.start).and_then(|other| other.close);
            if same.is_none_or(|same| (same.to_f64() - close).abs() > 1e-4 * close.abs()) {
                self.broke(Invariant::PriceTrue, now, || {
                    format!(
                        "{:?} says {} closed at {close} on {}, not {same:?}",
                        answer.vendors, asked.instrument, bar.start
                    )
                });
                return;
            }
        }
    }
}
