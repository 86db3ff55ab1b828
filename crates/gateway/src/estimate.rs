//! What requests would take, before anything is asked (CST-5): calls, time, money, quota, rows. Nothing is spent,
//! and nothing is changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{Adjustment, Instant, InstrumentId, Range, VendorId};
use resilience::quota::Cost;
use vendors::{Capability, Question};

use crate::actions::{action_question, needed_actions};
use crate::aggregate::finer;
use crate::answer::{CacheState, Candidate, Skipped};
use crate::cache::Lookup;
use crate::flight_key::FlightKey;
use crate::gateway::{Gateway, window_word};
use crate::history::{BarsAsked, cut, without_closed_days};
use crate::request::{ConsumerId, Priority, Request};
use crate::upstream::Upstream;

/// What one request would take.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// Where its answer would come from: memory, the store, or vendors.
    pub source: CacheState,
    /// Rows to be expected; an upper bound where only the vendor knows.
    pub rows: u64,
    /// What each vendor that can be asked would take, in the order of asking; empty where none needs to be.
    pub offers: Vec<Offer>,
    /// Vendors that cannot be asked, and why.
    pub skipped: Vec<Candidate>,
}

/// What one vendor would take for a request.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Whom.
    pub vendor: VendorId,
    /// Each exchange: with whom, its weight, its price in millionths of a US dollar. Mostly with the vendor itself;
    /// corporate actions may come from another.
    pub exchanges: Vec<(VendorId, u32, u64)>,
}

impl Offer {
    /// Price of all exchanges in millionths of a US dollar.
    pub fn micros(&self) -> u64 {
        self.exchanges.iter().map(|(.., micros)| micros).sum()
    }
}

/// What several requests would take together, of the first vendor of each.
#[derive(Clone, Debug)]
pub struct Total {
    /// Exchanges.
    pub calls: u64,
    /// Their price in millionths of a US dollar.
    pub micros: u64,
    /// Rows to be expected.
    pub rows: u64,
    /// Counted against quotas, as `vendor.window`.
    pub quota: BTreeMap<String, u64>,
    /// How long it would take, waits for quota included; `None` where a quota never allows it.
    pub time: Option<Duration>,
    /// The budget that would stand in the way.
    pub over_budget: Option<Skipped>,
}

impl Gateway {
    /// What a request would take now.
    pub async fn estimate(&self, request: &Request) -> Estimate {
        let now = self.clock.now();
        let nothing = |source, rows| Estimate { source, rows, offers: Vec::new(), skipped: Vec::new() };
        let key = FlightKey::of(&request.question, &request.policy);
        if let Lookup::Fresh(kept) = self.cache.look_up(&key, now, request.policy.fresh_for) {
            let rows = kept.answer.data.rows() as u64;
            let served = self.serve(Arc::clone(&kept.answer), CacheState::Hit);
            if self.unmet(&served, &request.policy).is_none() {
                return nothing(CacheState::Hit, rows);
            }
        }
        match &request.question {
            Question::Bars { instrument, interval, range, adjustment, session } => {
                let asked = BarsAsked {
                    instrument,
                    interval: *interval,
                    native: *interval,
                    range: *range,
                    adjustment: *adjustment,
                    session: *session,
                    asof: request.policy.asof,
                    policy: &request.policy,
                };
                self.estimate_bars(asked, request, now).await
            }
            question => {
                let capability = match question.capability() {
                    Capability::BidAsk => Capability::Quote,
                    other => other,
                };
                let rows = match question {
                    Question::Trades { limit, .. }
                    | Question::News { limit, .. }
                    | Question::Search { limit, .. } => u64::from(*limit),
                    other => other.instruments().len() as u64,
                };
                let offers = |upstream: &Upstream| {
                    vec![self.exchange(upstream, &upstream.question_for(question, now), now)]
                };
                self.estimate_with(capability, request, now, rows, offers)
            }
        }
    }

    /// The estimate of a question for which each vendor would make the exchanges that `exchanges` tells.
    fn estimate_with(
        &self,
        capability: Capability,
        request: &Request,
        now: Instant,
        rows: u64,
        exchanges: impl Fn(&Upstream) -> Vec<(VendorId, u32, u64)>,
    ) -> Estimate {
        let ranking = self.ranking_to_come(capability, request, now);
        let waiting = ranking.waiting.iter().map(|(_, vendor)| *vendor);
        let offers = ranking.order.iter().copied().chain(waiting).map(|vendor| {
            let exchanges = exchanges(self.upstream(vendor));
            Offer { vendor, exchanges }
        });
        let waits = |candidate: &Candidate| matches!(candidate.skipped, None | Some(Skipped::Quota(_)));
        let offers = offers.collect();
        let skipped = ranking.candidates.into_iter().filter(|candidate| !waits(candidate)).collect();
        Estimate { source: CacheState::Miss, rows, offers, skipped }
    }

    async fn estimate_bars(&self, mut asked: BarsAsked<'_>, request: &Request, now: Instant) -> Estimate {
        let calendar = self.calendars.of(asked.instrument.venue());
        let mut held = self.held(&asked, request).await;
        if held.is_empty() && !self.anyone_able(Capability::Bars(asked.native), request, now) {
            for shorter in finer(asked.interval) {
                let candidate = BarsAsked { native: *shorter, ..asked };
                let theirs = self.held(&candidate, request).await;
                if !theirs.is_empty() || self.anyone_able(Capability::Bars(*shorter), request, now) {
                    (asked, held) = (candidate, theirs);
                    break;
                }
            }
        }
        let wanted = Range::new(asked.range.start, asked.range.end.min(now));
        let rows = match calendar {
            Some(calendar) => calendar.expected_starts(asked.interval, wanted).len() as u64,
            None => (wanted.length().as_nanos() / asked.interval.nominal_length().as_nanos().max(1)) as u64,
        };
        let missing = |covered: &[Range]| without_closed_days(wanted.minus(covered), asked.native, calendar);
        let is_whole = held.iter().any(|series| asked.asof.is_some() || missing(&series.covered).is_empty());
        if wanted.is_empty() || is_whole {
            return Estimate { source: CacheState::Stored, rows, offers: Vec::new(), skipped: Vec::new() };
        }
        let known = self.actions_on_record(asked.instrument, None).await;
        let cash = asked.adjustment.covers_dividends() == Some(true);
        let lacking = needed_actions(&known, Range::new(asked.range.start, now), cash);
        let actions: Vec<(VendorId, u32, u64)> = lacking
            .into_iter()
            .filter(|(_, needed)| *needed)
            .filter_map(|(capability, _)| {
                self.actions_exchange(asked.instrument, capability, wanted, request, now)
            })
            .collect();
        let least = held.iter().min_by_key(|series| {
            missing(&series.covered).iter().map(|piece| piece.length().as_nanos()).sum::<u128>()
        });
        let exchanges = |upstream: &Upstream| {
            let own = held.iter().find(|series| series.key.vendor == upstream.vendor());
            let pieces = own.or(least).map_or_else(
                || without_closed_days(vec![wanted], asked.native, calendar),
                |series| missing(&series.covered),
            );
            let basis =
                own.map_or_else(|| self.basis_to_ask(upstream, &asked, now), |series| series.key.adjustment);
            let longest = upstream.settings.codec.longest_range(asked.native);
            let mut exchanges: Vec<(VendorId, u32, u64)> = pieces
                .iter()
                .flat_map(|piece| cut(*piece, longest))
                .map(|range| {
                    let question = Question::Bars {
                        instrument: asked.instrument.clone(),
                        interval: asked.native,
                        range,
                        adjustment: basis,
                        session: asked.session,
                    };
                    self.exchange(upstream, &question, now)
                })
                .collect();
            let converts = basis != asked.adjustment && basis != Adjustment::Unknown;
            if converts && !upstream.settings.codec.bars_carry_actions() {
                exchanges.extend(&actions);
            }
            exchanges
        };
        self.estimate_with(Capability::Bars(asked.native), request, now, rows, exchanges)
    }

    /// The exchange that would bring corporate actions of one kind.
    fn actions_exchange(
        &self,
        instrument: &InstrumentId,
        capability: Capability,
        range: Range,
        request: &Request,
        now: Instant,
    ) -> Option<(VendorId, u32, u64)> {
        let question = action_question(instrument, capability, range);
        let request = Request { question, ..request.clone() };
        let first = *self.ranking_to_come(capability, &request, now).order.first()?;
        Some(self.exchange(self.upstream(first), &request.question, now))
    }

    fn exchange(&self, upstream: &Upstream, question: &Question, now: Instant) -> (VendorId, u32, u64) {
        let weight = upstream.encode(question, now).map_or(1, |wire| upstream.settings.codec.weight(&wire));
        (upstream.vendor(), weight, self.price_of(upstream, question, now))
    }

    /// What several requests would take together: each of its first vendor, all sharing quotas and budgets.
    pub fn total(&self, estimates: &[Estimate], consumer: Option<ConsumerId>, priority: Priority) -> Total {
        let now = self.clock.now();
        let mut total = Total {
            calls: 0,
            micros: 0,
            rows: estimates.iter().map(|estimate| estimate.rows).sum(),
            quota: BTreeMap::new(),
            time: Some(Duration::ZERO),
            over_budget: None,
        };
        let mut weights: BTreeMap<VendorId, (Vec<Cost>, u64)> = BTreeMap::new();
        for exchange in estimates.iter().filter_map(|e| e.offers.first()).flat_map(|offer| &offer.exchanges) {
            let (vendor, weight, micros) = exchange;
            let (of_vendor, price) = weights.entry(*vendor).or_default();
            of_vendor.push(Cost { units: *weight, micros: *micros });
            *price += micros;
            total.calls += 1;
            total.micros += micros;
        }
        for (vendor, (weights, micros)) in weights {
            let upstream = self.upstream(vendor);
            let units: u64 = weights.iter().map(|cost| u64::from(cost.units)).sum();
            for status in upstream.limiter.status(now) {
                *total.quota.entry(format!("{vendor}.{}", window_word(status.limit.window))).or_default() +=
                    units;
            }
            let each = upstream.health.lock().latency_ms(50.0).unwrap_or(250.0).max(0.0);
            let each = Duration::from_secs_f64(each / 1e3);
            let took = upstream.limiter.would_end(&weights, each, now).map(|end| end.since(now));
            total.time = total.time.zip(took).map(|(a, b)| a.max(b));
            let over = self.spending().would_stop(vendor, consumer, micros, total.micros, priority, now);
            total.over_budget = total.over_budget.or(over);
        }
        total
    }
}
