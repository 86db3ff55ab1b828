//! How long each class of answers lasts, and what experience teaches about it (CCH-2, CCH-4).

use std::sync::Arc;
use std::time::Duration;

use domain::{Bar, Delivery, Instant, InstrumentId, Price};
use moka::sync::Cache as Moka;
use parking_lot::Mutex;
use resilience::freshness::{AdaptiveTtl, Adapts, Freshness, Ttl};
use vendors::{Data, Question, VendorClass};

use crate::answer::Answer;
use crate::settings::{Caching, Eviction};

/// Learned times are kept for so many keys.
const LEARNED: u64 = 20_000;
/// Entries that end with a known instant are spread over this share of their usual time behind it, so that a
/// market's opening does not end all of them at once.
const SPREAD: f64 = 0.1;

/// Answers that age alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Latest values that come with a delay, and bars in progress.
    Latest,
    /// Latest values as they happen.
    EquityRealtime,
    /// Order books of a crypto venue.
    ExchangeBook,
    /// Prices gathered over decentralised venues.
    DexAggregator,
    /// Posts and counts.
    Social,
    /// Bars, trades, news.
    History,
    /// What is built from finer bars.
    Aggregates,
    /// Actions and symbols.
    Symbols,
    /// Whether markets are open.
    Status,
}

impl Class {
    /// All classes.
    pub const ALL: [Class; 9] = [
        Class::Latest,
        Class::EquityRealtime,
        Class::ExchangeBook,
        Class::DexAggregator,
        Class::Social,
        Class::History,
        Class::Aggregates,
        Class::Symbols,
        Class::Status,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Class::Latest => "latest",
            Class::EquityRealtime => "equity_realtime",
            Class::ExchangeBook => "exchange_book",
            Class::DexAggregator => "dex_aggregator",
            Class::Social => "social",
            Class::History => "history",
            Class::Aggregates => "aggregates",
            Class::Symbols => "symbols",
            Class::Status => "status",
        }
    }

    /// The class of what a vendor of a class says to a question, with the delay it comes with.
    pub fn of(question: &Question, vendor: Option<VendorClass>, delivery: Delivery) -> Class {
        match (question, vendor) {
            (Question::Quotes { .. } | Question::News { .. }, Some(VendorClass::Social)) => Class::Social,
            (Question::Quotes { .. }, Some(VendorClass::ExchangeBook)) => Class::ExchangeBook,
            (Question::Quotes { .. }, Some(VendorClass::DexAggregator)) => Class::DexAggregator,
            (Question::Quotes { .. }, _) => match delivery {
                Delivery::RealTime => Class::EquityRealtime,
                Delivery::Delayed(_) | Delivery::EndOfDay => Class::Latest,
            },
            (Question::Bars { .. } | Question::Trades { .. } | Question::News { .. }, _) => Class::History,
            (
                Question::Splits { .. }
                | Question::Dividends { .. }
                | Question::Search { .. }
                | Question::Symbols,
                _,
            ) => Class::Symbols,
            (Question::MarketStatus, _) => Class::Status,
        }
    }

    /// Whether an answer that is asked for is fetched anew before it ends, by the clock and not only by chance.
    pub const fn is_kept_live(self) -> bool {
        matches!(self, Class::EquityRealtime | Class::ExchangeBook)
    }
}

/// How long one answer lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lasts {
    /// Its class.
    pub class: Class,
    /// It cannot change before then: a market's next opening, [`Instant::MAX`] for what is final.
    pub until: Option<Instant>,
}

impl Lasts {
    /// As long as its class has it.
    pub const fn as_usual(class: Class) -> Lasts {
        Lasts { class, until: None }
    }
}

/// What was seen when an answer was last fetched.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Price(Option<Price>),
    Bars(usize, Option<Box<Bar>>),
    Rows(usize, Option<Instant>),
}

impl Seen {
    fn of(data: &Data, event_time: Option<Instant>) -> Seen {
        match data {
            Data::Quotes(rows) => {
                let quote = rows.first().and_then(|row| row.quote.as_ref().ok());
                Seen::Price(quote.and_then(domain::Quote::price))
            }
            Data::Bars(series) => Seen::Bars(series.bars.len(), series.bars.last().cloned().map(Box::new)),
            other => Seen::Rows(other.rows(), event_time),
        }
    }

    /// Whether two values differ by more than half a tick.
    fn differs(&self, other: &Seen, tick: Option<Price>) -> bool {
        match (self, other) {
            (Seen::Price(Some(a)), Seen::Price(Some(b))) => {
                let half = tick.map_or(0.0, |tick| tick.to_f64() / 2.0);
                (a.to_f64() - b.to_f64()).abs() > half
            }
            _ => self != other,
        }
    }
}

/// What experience has taught about one instrument's answers of one class.
#[derive(Debug)]
pub struct Learned {
    ttl: AdaptiveTtl,
    seen: Option<Seen>,
}

impl Learned {
    /// A caller found the answer in memory.
    pub fn hit(&mut self, now: Instant) {
        self.ttl.read(true, now);
    }
}

type Group = (Class, Option<InstrumentId>);

/// The times of all classes, and what was learned by instrument.
pub struct Lifetimes {
    caching: Caching,
    learned: Moka<Group, Arc<Mutex<Learned>>>,
}

impl Lifetimes {
    /// Nothing is learned yet.
    pub fn new(caching: Caching) -> Lifetimes {
        Lifetimes { caching, learned: Moka::new(LEARNED) }
    }

    /// When an answer that has just come is fresh and stale until; with it, what is learned from how it is
    /// read. `tick` is the smallest price step, `missed` says whether a caller waited for it, `has_spare` whether
    /// its vendor has quota to spare, without which no life is made shorter than usual, `draw` is in `[0, 1)`.
    pub fn begin(
        &self,
        answer: &Answer,
        tick: Option<Price>,
        missed: bool,
        has_spare: bool,
        draw: f64,
        now: Instant,
    ) -> (Freshness, Option<Arc<Mutex<Learned>>>) {
        let class = answer.lasts.class;
        let times = self.caching.ttl(class);
        // A live value ages from its receipt; what is assembled from the store is as it is now.
        let from = if matches!(answer.data, Data::Quotes(_)) { answer.received_at } else { now };
        match answer.lasts.until {
            Some(Instant::MAX) => (Freshness::forever(from), None),
            Some(until) => (Freshness::until(until + times.base.mul_f64(SPREAD * draw), from), None),
            None if !self.caching.strategy.adapts() => (Freshness::new(&times, times.base, draw, from), None),
            None => {
                let group = (class, answer.instrument().cloned());
                let learned = self.learned.get_with(group, || {
                    let ttl = AdaptiveTtl::new(times, self.caching.adaptive_ttl);
                    Arc::new(Mutex::new(Learned { ttl, seen: None }))
                });
                let ttl = {
                    let mut known = learned.lock();
                    let seen = Seen::of(&answer.data, answer.event_time);
                    if let Some(before) = known.seen.replace(seen.clone()) {
                        known.ttl.refetched(before.differs(&seen, tick), now);
                        if missed {
                            known.ttl.read(false, now);
                        }
                    }
                    if has_spare { known.ttl.get(now) } else { known.ttl.get(now).max(times.base) }
                };
                let by_access = self.caching.adaptive_ttl == Adapts::ToAccess;
                (Freshness::new(&times, ttl, draw, from), by_access.then_some(learned))
            }
        }
    }
}

impl Caching {
    /// The times of a class.
    pub fn ttl(&self, class: Class) -> Ttl {
        match class {
            Class::Latest => scaled(Ttl::LATEST, self.quote),
            Class::EquityRealtime => {
                // What is configured is the most, jitter included.
                let base = Ttl::EQUITY_REALTIME.base.as_secs_f64() / Ttl::EQUITY_REALTIME.max.as_secs_f64();
                scaled(Ttl::EQUITY_REALTIME, self.quote_realtime.mul_f64(base))
            }
            Class::ExchangeBook => Ttl::EXCHANGE_BOOK,
            Class::DexAggregator => Ttl::DEX_AGGREGATOR,
            Class::Social => Ttl::SOCIAL,
            Class::History => scaled(Ttl::HISTORY, self.history),
            Class::Aggregates => scaled(Ttl::AGGREGATES, self.aggregates),
            Class::Symbols => scaled(Ttl::SYMBOLS, self.reference),
            Class::Status => scaled(Ttl::HEALTH, self.status),
        }
    }
}

/// The same class around another base.
fn scaled(usual: Ttl, base: Duration) -> Ttl {
    if base == usual.base {
        return usual;
    }
    let by = base.as_secs_f64() / usual.base.as_secs_f64();
    let scale =
        |span: Duration| Duration::try_from_secs_f64(span.as_secs_f64() * by).unwrap_or(Duration::MAX);
    Ttl { base, min: scale(usual.min), max: scale(usual.max), ceiling: scale(usual.ceiling) }
}

impl Eviction {
    /// Whether times follow experience.
    pub const fn adapts(self) -> bool {
        matches!(self, Eviction::Adaptive | Eviction::Lru)
    }

    /// Whether what is asked for often outlives what was asked for last (W-TinyLFU); else plain LRU.
    pub const fn is_by_frequency(self) -> bool {
        matches!(self, Eviction::Adaptive | Eviction::Lfu)
    }
}

#[cfg(test)]
mod tests {
    //! CCH-2, CCH-4, vendor classes.

    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn each_class_has_the_times_of_its_row() {
        let times = |class| {
            let ttl = Caching::default().ttl(class);
            [ttl.base, ttl.min, ttl.max].map(|span| span.as_secs_f64())
        };
        let rows = [
            (Class::Latest, 10.0),
            (Class::EquityRealtime, 3.6),
            (Class::ExchangeBook, 5.0),
            (Class::DexAggregator, 30.0),
            (Class::Social, 300.0),
            (Class::History, 300.0),
            (Class::Aggregates, 600.0),
            (Class::Symbols, 3_600.0),
            (Class::Status, 30.0),
        ];
        assert_eq!(rows.map(|(class, _)| class), Class::ALL);
        for (class, base) in rows {
            let [found, min, max] = times(class);
            assert_eq!(found, base, "{}", class.as_str());
            assert!(min <= found && found <= max, "{}", class.as_str());
        }
        assert_eq!(times(Class::ExchangeBook), [5.0, 2.0, 15.0]);
        assert_eq!(times(Class::DexAggregator), [30.0, 10.0, 120.0]);
        assert_eq!(times(Class::Social), [300.0, 60.0, 900.0]);
        assert_eq!(times(Class::EquityRealtime)[2], 4.0);
    }

    #[test]
    fn a_configured_time_moves_its_bounds_along() {
        let caching =
            Caching { quote: secs(20), quote_realtime: secs(2), history: secs(30), ..Caching::default() };
        let latest = caching.ttl(Class::Latest);
        assert_eq!(
            (latest.base, latest.min, latest.max, latest.ceiling),
            (secs(20), secs(4), secs(40), secs(80))
        );
        assert_eq!(caching.ttl(Class::EquityRealtime).max, secs(2));
        assert_eq!(caching.ttl(Class::History).base, secs(30));
    }

    #[test]
    fn the_vendors_class_and_delay_choose_a_quotes_class() {
        let question = Question::Quotes { instruments: vec![], bid_ask: false };
        let class = |vendor, delivery| Class::of(&question, Some(vendor), delivery);
        let late = Delivery::Delayed(secs(900));
        assert_eq!(class(VendorClass::ExchangeBook, Delivery::RealTime), Class::ExchangeBook);
        assert_eq!(class(VendorClass::DexAggregator, Delivery::RealTime), Class::DexAggregator);
        assert_eq!(class(VendorClass::Social, late), Class::Social);
        assert_eq!(class(VendorClass::EquityRealtime, Delivery::RealTime), Class::EquityRealtime);
        assert_eq!(class(VendorClass::EquityRealtime, late), Class::Latest);
        assert_eq!(class(VendorClass::EndOfDay, Delivery::EndOfDay), Class::Latest);
    }

    #[test]
    fn a_price_within_half_a_tick_has_not_changed() {
        let price = |text: &str| Seen::Price(Price::parse(text));
        let tick = Price::parse("0.01");
        assert!(!price("10.000").differs(&price("10.004"), tick));
        assert!(price("10.000").differs(&price("10.006"), tick));
        assert!(price("10.000").differs(&price("10.004"), None));
        assert!(price("10.000").differs(&Seen::Price(None), tick));
    }
}
