//! One vendor in a bottle: its dialect over the market, with its plan enforced as strictly as it would.

use std::collections::HashMap;
use std::time::Duration;

use domain::{
    ActionKind, BarSeries, Delivery, Instant, InstrumentId, Range, Ratio, VendorId, number::Decimal,
};
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use vendors::{
    Capability, Codec, Data, HttpRequest, HttpResponse, KeySlot, Plan, Question, Quoted, Rejection,
};

use crate::arrivals::Arrivals;
use crate::fault::{Fault, Spell};
use crate::market::{Dice, Market};

/// How long a vendor takes: a floor, and on top of it an exponentially distributed rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// The least.
    pub floor: Duration,
    /// Mean of what comes on top; zero for a constant latency.
    pub mean_extra: Duration,
}

impl Latency {
    /// The latency of one exchange, from a number uniform in `[0, 1)`.
    pub fn draw(self, unit: f64) -> Duration {
        if self.mean_extra.is_zero() {
            return self.floor;
        }
        self.floor + self.mean_extra.mul_f64(-(1.0 - unit).ln())
    }
}

/// A vendor with its plan, the keys it accepts, and what they have used up.
pub struct Bottle {
    codec: &'static dyn Codec,
    plan: Plan,
    keys: Vec<String>,
    zone: TimeZone,
    latency: Latency,
    realism: bool,
    arrivals: Mutex<HashMap<String, Arrivals>>,
}

impl Bottle {
    /// A vendor under a plan. Each accepted key has the plan's limits to itself; without any, every key that
    /// is not empty is accepted. A vendor that needs no key counts all requests together.
    pub fn new(codec: &'static dyn Codec, plan: Plan, keys: Vec<String>) -> Bottle {
        let zone = TimeZone::get(codec.profile().quota_zone).unwrap_or(TimeZone::UTC);
        Bottle {
            codec,
            plan,
            keys,
            zone,
            latency: Latency::default(),
            realism: false,
            arrivals: Mutex::new(HashMap::new()),
        }
    }

    /// The same with a latency; without, replies come at once.
    #[must_use]
    pub fn with_latency(mut self, latency: Latency) -> Bottle {
        self.latency = latency;
        self
    }

    /// The same with volumes that differ from the market's by a few per cent, the same for every bar of this
    /// vendor, as vendors' do.
    #[must_use]
    pub fn with_own_volumes(mut self) -> Bottle {
        self.realism = true;
        self
    }

    /// The vendor.
    pub fn vendor(&self) -> VendorId {
        self.codec.profile().id
    }

    /// Its dialect.
    pub fn codec(&self) -> &'static dyn Codec {
        self.codec
    }

    /// Its plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Keys it accepts.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// How long it takes.
    pub fn latency(&self) -> Latency {
        self.latency
    }

    /// What the vendor answers to a request that arrives now, and counts it.
    pub fn answer(
        &self,
        request: &HttpRequest,
        market: &Market,
        spells: &[Spell],
        now: Instant,
    ) -> HttpResponse {
        let decoded = self.codec.decode_request(request);
        let question = decoded.as_ref().ok();
        let mut outcome = self.admit(request, question, now).and_then(|()| {
            if let Some(rejection) = spells.iter().find_map(|spell| refusal(spell.fault)) {
                return Err(rejection);
            }
            Ok(())
        });
        if outcome.is_ok()
            && let Some(formality) = self.codec.answer_formality(request)
        {
            return formality;
        }
        let data = match (&mut outcome, &decoded) {
            (Err(rejection), _) => Err(rejection.clone()),
            (Ok(()), Err(rejection)) => Err(rejection.clone()),
            (Ok(()), Ok(question)) => self.data(question, market, spells, now),
        };
        let data = data.map(|mut data| {
            spells.iter().for_each(|spell| spell.fault.distort(&mut data));
            data
        });
        let mut response = self.codec.encode_response(request, question, &data, now);
        self.state_budget(request, &mut response, now);
        response
    }

    /// Puts what is truly left into the headers of vendors that state it ("Finnhub API documentation", section
    /// "Rate limits"; "Twelve Data API documentation", section "Credits"; both read 2026-10).
    fn state_budget(&self, request: &HttpRequest, response: &mut HttpResponse, now: Instant) {
        let names = match self.vendor().as_str() {
            "finnhub" => ["x-ratelimit-limit", "x-ratelimit-remaining"],
            "twelve_data" => ["api-credits-used", "api-credits-left"],
            _ => return,
        };
        let Some(key) = self.key_of(request) else { return };
        let budget = self.arrivals.lock().get(key).and_then(|of_key| of_key.left_in_minute(now));
        response.headers.retain(|(name, _)| !names.contains(&name.as_str()));
        if let Some((count, left)) = budget {
            let first = if names[0] == "api-credits-used" { count - left } else { count };
            for (name, value) in names.into_iter().zip([first, left]) {
                response.headers.push((name.to_owned(), value.to_string()));
            }
        }
    }

    fn admit(
        &self,
        request: &HttpRequest,
        question: Option<&Question>,
        now: Instant,
    ) -> Result<(), Rejection> {
        let Some(key) = self.key_of(request) else { return Err(Rejection::Unauthorized) };
        // A vendor's cookie service is another host with limits of its own.
        if !self.plan.limits.is_empty() && !request.path.contains("://") {
            let weight = self.codec.weight(request);
            let mut arrivals = self.arrivals.lock();
            let of_key = match arrivals.get_mut(key) {
                Some(of_key) => of_key,
                None => arrivals
                    .entry(key.to_owned())
                    .or_insert_with(|| Arrivals::new(&self.plan.limits, &self.zone)),
            };
            of_key.arrive(now, weight)?;
        }
        let entitled = |question: &Question| self.plan.includes(question.capability());
        if question.is_none_or(entitled) { Ok(()) } else { Err(Rejection::NotEntitled) }
    }

    /// The account a request is counted on; `None` if it carries no accepted key.
    fn key_of<'a>(&self, request: &'a HttpRequest) -> Option<&'a str> {
        let slot = self.codec.profile().key;
        if slot == KeySlot::None {
            return Some("");
        }
        let slots = std::iter::once(slot).chain(other_slots(self.vendor()).iter().copied());
        let key = slots.filter_map(|slot| slot.read(request)).next()?;
        (self.keys.is_empty() || self.keys.iter().any(|accepted| accepted == key)).then_some(key)
    }

    /// The instant whose market the vendor tells about: later by its delay, or the last close.
    fn as_of(&self, id: Option<&InstrumentId>, market: &Market, spells: &[Spell], now: Instant) -> Instant {
        let frozen = spells.iter().filter(|spell| spell.fault == Fault::Stale).map(|spell| spell.from).min();
        let now = frozen.map_or(now, |since| now.min(since));
        match self.plan.delivery {
            Delivery::RealTime => now,
            Delivery::Delayed(delay) => now - delay,
            Delivery::EndOfDay => id.and_then(|id| market.last_close(id, now)).unwrap_or(now),
        }
    }

    fn data(
        &self,
        question: &Question,
        market: &Market,
        spells: &[Spell],
        now: Instant,
    ) -> Result<Data, Rejection> {
        let id = question.instruments().first();
        let as_of = self.as_of(id, market, spells, now);
        if let Some(id) = id.filter(|_| question.instruments().len() == 1)
            && market.instrument(id).is_none()
        {
            return Err(Rejection::UnknownSymbol);
        }
        let range = question.range().map(|range| self.within_history(range, now)).transpose()?;
        let range = range.unwrap_or(Range::new(now, now));
        // Around the clock one session's close is the next one's open, of which nothing is known yet.
        let range = match self.plan.delivery {
            Delivery::EndOfDay => Range::new(range.start, range.end.min(as_of)),
            Delivery::RealTime | Delivery::Delayed(_) => range,
        };
        match question {
            Question::Quotes { instruments, .. } => {
                // Everything the plan includes; the endpoint decides what of it is told.
                let bid_ask = self.plan.includes(Capability::BidAsk);
                let rows = instruments.iter().map(|id| Quoted {
                    instrument: id.clone(),
                    quote: self.quote(id, bid_ask, market, spells, now),
                });
                let mut rows: Vec<Quoted> = rows.collect();
                match rows.as_mut_slice() {
                    [Quoted { quote: Err(rejection), .. }] => Err(rejection.clone()),
                    _ => Ok(Data::Quotes(rows)),
                }
            }
            Question::Bars { instrument, interval, adjustment, session, .. } => {
                let mut bars = market.bars(instrument, *interval, range, *adjustment, *session, as_of);
                if bars.is_empty() {
                    return Err(Rejection::NoData);
                }
                if self.realism {
                    let dice = Dice::new(0).named(self.vendor().as_str());
                    let factor = Ratio::new(Decimal::new(970 + dice.below(61).cast_signed(), 3));
                    for bar in &mut bars {
                        bar.volume = bar.volume.map(|volume| (volume * factor).round(0));
                    }
                }
                let quote = self.quote(instrument, true, market, spells, now).ok().map(Box::new);
                let record = market.instrument(instrument);
                Ok(Data::Bars(BarSeries {
                    denomination: record.and_then(|record| record.denomination),
                    zone: market.zone(instrument),
                    bars,
                    actions: actions_in(market, instrument, range, as_of, |_| true),
                    quote,
                    ..BarSeries::empty(instrument.clone(), *interval, *adjustment)
                }))
            }
            Question::Trades { instrument, limit, .. } => {
                let limit = usize::try_from(*limit).unwrap_or(usize::MAX);
                let trades = market.trades(instrument, range, limit, as_of);
                if trades.is_empty() {
                    return Err(Rejection::NoData);
                }
                Ok(Data::Trades(instrument.clone(), trades))
            }
            Question::Splits { instrument, .. } => {
                let is_split = |kind: &ActionKind| matches!(kind, ActionKind::Split { .. });
                Ok(Data::Actions(actions_in(market, instrument, range, as_of, is_split)))
            }
            Question::Dividends { instrument, .. } => {
                let is_dividend = |kind: &ActionKind| matches!(kind, ActionKind::Dividend { .. });
                Ok(Data::Actions(actions_in(market, instrument, range, as_of, is_dividend)))
            }
            Question::News { instrument, limit, .. } => {
                let mut items = market.news(instrument, range, as_of);
                items.truncate(usize::try_from(*limit).unwrap_or(usize::MAX));
                items.iter_mut().for_each(|item| item.instruments = vec![instrument.clone()]);
                Ok(Data::News(items))
            }
            Question::Search { words, limit } => {
                Ok(Data::Instruments(market.search(words, usize::try_from(*limit).unwrap_or(usize::MAX))))
            }
            Question::Symbols => Ok(Data::Instruments(market.instruments().to_vec())),
            Question::MarketStatus => Ok(Data::MarketStatus(vec![market.status(as_of)])),
        }
    }

    fn quote(
        &self,
        id: &InstrumentId,
        bid_ask: bool,
        market: &Market,
        spells: &[Spell],
        now: Instant,
    ) -> Result<domain::Quote, Rejection> {
        if market.instrument(id).is_none() {
            return Err(Rejection::UnknownSymbol);
        }
        let as_of = match self.plan.delivery {
            Delivery::EndOfDay => self.as_of(Some(id), market, spells, now) - Duration::from_nanos(1),
            Delivery::RealTime | Delivery::Delayed(_) => self.as_of(Some(id), market, spells, now),
        };
        let mut quote = market.quote(id, as_of).ok_or(Rejection::NoData)?;
        if !bid_ask {
            (quote.bid, quote.bid_size, quote.ask, quote.ask_size) = (None, None, None, None);
        }
        quote.phase = Some(market.phase(id.venue(), now));
        quote.stated_delay = self.plan.delivery.declared_delay();
        Ok(quote)
    }

    /// What of a range the plan's history reaches.
    fn within_history(&self, range: Range, now: Instant) -> Result<Range, Rejection> {
        let Some(history) = self.plan.history else { return Ok(range) };
        let oldest = now - history;
        if range.end <= oldest {
            return Err(Rejection::NotEntitled);
        }
        Ok(Range::new(range.start.max(oldest), range.end))
    }
}

/// What a fault makes the vendor say in its own words.
fn refusal(fault: Fault) -> Option<Rejection> {
    match fault {
        Fault::Outage => Some(Rejection::VendorFault { status: 503 }),
        Fault::TooManyRequests => Some(Rejection::rate_limited()),
        Fault::Refuse
        | Fault::Slow(_)
        | Fault::Hang
        | Fault::Html(_)
        | Fault::Truncate
        | Fault::Schema
        | Fault::Wrong(_)
        | Fault::Stale
        | Fault::Pence => None,
    }
}

/// Splits and dividends known at `as_of` with an ex-date in a range, ascending.
fn actions_in(
    market: &Market,
    id: &InstrumentId,
    range: Range,
    as_of: Instant,
    wanted: impl Fn(&ActionKind) -> bool,
) -> Vec<domain::CorporateAction> {
    // Noon tells the date in every zone a range's ends may be local midnights of.
    let noon = |date| Instant::from_utc_midnight(date) + Duration::from_secs(12 * 3_600);
    let mut actions = market.actions(id, as_of);
    actions.retain(|action| wanted(&action.kind) && range.contains(noon(action.ex_date)));
    actions.iter_mut().for_each(|action| action.instrument = id.clone());
    actions
}

/// Further places where a vendor reads a key ("Authentication" in each one's documentation, read 2026-10).
fn other_slots(vendor: VendorId) -> &'static [KeySlot] {
    match vendor.as_str() {
        "polygon" => &[KeySlot::Query("apiKey"), KeySlot::Header("authorization", "Bearer ")],
        "finnhub" => &[KeySlot::Query("token"), KeySlot::Header("x-finnhub-token", "")],
        "twelve_data" => &[KeySlot::Query("apikey"), KeySlot::Header("authorization", "apikey ")],
        _ => &[],
    }
}
