//! Who asks what, and under which conditions: ten questions a second, drawn from the seed.

use std::time::Duration;

use domain::{Adjustment, Date, Instant, InstrumentId, Interval, Range, Session, VendorId, Venue};
use gateway::{Failover, Policy, Priority, StaleAllowance, Strategy};
use quality::Letter;
use vendors::Question;

use crate::checker::{Asked, Kind};
use crate::market::{Dice, Market};

/// Mean time between arrivals, in milliseconds: with those that come together ten questions a second.
const PACE_MS: f64 = 115.0;
/// The most liquid names: the first is asked for most, after Zipf.
const NAMES: [&str; 24] = [
    "AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "TSLA", "JPM", "AVGO", "COST", "AMD", "INTC", "BA",
    "DIS", "IBM", "JNJ", "GE", "CAT", "CVX", "HD", "AXP", "BAC", "GS", "CSCO",
];
/// Asked for by many at the same moment, and by nobody else.
const CROWDED: &str = "ORCL";
const CROWD: usize = 12;
const VENDORS: [VendorId; 5] = [
    VendorId("finnhub"),
    VendorId("polygon"),
    VendorId("twelve_data"),
    VendorId("yahoo"),
    VendorId("alpha_vantage"),
];

/// All callers of a trial.
pub(crate) struct Callers {
    dice: Dice,
    n: u64,
    at: Instant,
    names: Vec<InstrumentId>,
    crowded: Option<InstrumentId>,
    crowded_until: Instant,
}

impl Callers {
    pub(crate) fn new(dice: Dice, market: &Market, start: Instant) -> Callers {
        let find = |name: &str| {
            let listed = |record: &&domain::Instrument| record.id.name() == name;
            market.instruments().iter().find(listed).map(|record| record.id.clone())
        };
        let names: Vec<InstrumentId> = NAMES.iter().filter_map(|name| find(name)).collect();
        Callers { dice, n: 0, at: start, names, crowded: find(CROWDED), crowded_until: start }
    }

    /// When the next one comes.
    pub(crate) fn next_at(&self) -> Instant {
        self.at
    }

    /// Who came while nobody was there has gone again.
    pub(crate) fn skip_to(&mut self, now: Instant) {
        self.at = self.at.max(now);
    }

    /// The next caller, or a crowd. While the plans are to be used in full everybody wants a vendor of his own.
    pub(crate) fn draw(&mut self, saturate: bool) -> Vec<Asked> {
        self.n += 1;
        let dice = self.dice.at(self.n);
        let at = self.at;
        let gap = -PACE_MS * (1.0 - dice.at(0).unit()).ln();
        self.at += Duration::from_millis((gap as u64).max(1));
        if saturate {
            return (0..2).map(|n| self.saturating(dice.at(100 + n), n, at)).collect();
        }
        match dice.at(1).below(1_000) {
            0..10 if at >= self.crowded_until => self.crowd(at),
            0..60 => vec![self.stranger(dice, at)],
            60..68 => vec![self.historian(dice, at)],
            68..76 => self.page(dice, at),
            _ => vec![self.usual(dice, at)],
        }
    }

    fn name(&self, dice: Dice) -> InstrumentId {
        // Zipf with exponent one, by its continuous form.
        let rank = (self.names.len() as f64).powf(dice.unit()) as usize;
        self.names[rank.saturating_sub(1).min(self.names.len() - 1)].clone()
    }

    fn usual(&self, dice: Dice, at: Instant) -> Asked {
        let mut policy = Policy { priority: priority(dice.at(3)), ..Policy::default() };
        match dice.at(4).below(100) {
            0..30 => {
                policy.vendors = vec![VENDORS[pick(dice.at(5), VENDORS.len())]];
                policy.failover = Failover::ALL[pick(dice.at(6), 3)];
            }
            30..34 => {
                let first = pick(dice.at(5), VENDORS.len());
                policy.vendors = vec![VENDORS[first], VENDORS[(first + 1) % VENDORS.len()]];
            }
            34..38 => policy.strategy = Some(Strategy::ALL[pick(dice.at(5), Strategy::ALL.len())]),
            _ => (),
        }
        match dice.at(7).below(100) {
            0..12 => policy.stale = StaleAllowance::Forbid,
            12..24 => policy.stale = StaleAllowance::Allow,
            24..30 => policy.max_age = Some(Duration::from_millis(500 + dice.at(8).below(20_000))),
            30..34 => policy.min_grade = Some(if dice.at(8).below(2) == 0 { Letter::B } else { Letter::C }),
            34..37 => policy.deadline = Some(Duration::from_millis(20 + dice.at(8).below(300))),
            _ => (),
        }
        let leaves = dice.at(9).below(100) < 4;
        let leaves_after = leaves.then(|| Duration::from_millis(1 + dice.at(10).below(60)));
        self.quote(self.name(dice.at(2)), policy, at, leaves_after, Kind::Usual)
    }

    /// Asks for what nobody knows; often of one vendor, and again and again.
    fn stranger(&self, dice: Dice, at: Instant) -> Asked {
        // The same half hour's strangers all come to the same vendor.
        let vendor = VENDORS[pick(self.dice.named("strangers").at(at.as_secs().unsigned_abs() / 1_800), 2)];
        let name = format!("Q{}", dice.at(2).below(90_000) + 10_000);
        let mut policy = Policy { priority: priority(dice.at(3)), ..Policy::default() };
        if dice.at(4).below(10) < 7 {
            policy.vendors = vec![vendor];
            policy.failover = Failover::None;
        }
        self.quote(InstrumentId::new(&name, Venue::US), policy, at, None, Kind::Unknown)
    }

    /// A page full of names, all of one vendor.
    fn page(&self, dice: Dice, at: Instant) -> Vec<Asked> {
        let policy = Policy { vendors: vec![VENDORS[pick(dice.at(3), 2)]], ..Policy::default() };
        let names = self.names.iter().take(CROWD);
        names.map(|name| self.quote(name.clone(), policy.clone(), at, None, Kind::Usual)).collect()
    }

    fn crowd(&mut self, at: Instant) -> Vec<Asked> {
        self.crowded_until = at + Duration::from_secs(60);
        let Some(id) = self.crowded.clone() else { return Vec::new() };
        (0..CROWD).map(|_| self.quote(id.clone(), Policy::default(), at, None, Kind::Crowd)).collect()
    }

    /// Wants daily bars of a month or two that have long ended.
    fn historian(&self, dice: Dice, at: Instant) -> Asked {
        let instrument = self.name(dice.at(2));
        let start = Date::constant(2025, 1, 6)
            .saturating_add(jiff::Span::new().days(i64::try_from(dice.at(3).below(300)).unwrap_or(0)));
        let end = start
            .saturating_add(jiff::Span::new().days(20 + i64::try_from(dice.at(4).below(40)).unwrap_or(0)));
        let range = Range::new(Instant::from_utc_midnight(start), Instant::from_utc_midnight(end));
        let adjustment = if dice.at(5).below(2) == 0 { Adjustment::Raw } else { Adjustment::Split };
        let question = Question::Bars {
            instrument: instrument.clone(),
            interval: Interval::D1,
            range,
            adjustment,
            session: Session::Regular,
        };
        let policy = Policy { adjustment: Some(adjustment), ..Policy::default() };
        Asked { instrument, question, policy, at, leaves_after: None, kind: Kind::Bars }
    }

    /// One vendor's own quote of a key that is seldom in memory.
    fn saturating(&self, dice: Dice, n: u64, at: Instant) -> Asked {
        let policy = Policy {
            vendors: vec![VENDORS[if n == 0 { 0 } else { 2 }]],
            failover: Failover::None,
            strategy: Some(Strategy::ALL[pick(dice.at(6), Strategy::ALL.len())]),
            ..Policy::default()
        };
        let id = self.names[pick(dice.at(5), self.names.len())].clone();
        self.quote(id, policy, at, None, Kind::Usual)
    }

    fn quote(
        &self,
        instrument: InstrumentId,
        policy: Policy,
        at: Instant,
        leaves_after: Option<Duration>,
        kind: Kind,
    ) -> Asked {
        let question = Question::Quotes { instruments: vec![instrument.clone()], bid_ask: false };
        Asked { instrument, question, policy, at, leaves_after, kind }
    }
}

fn pick(dice: Dice, of: usize) -> usize {
    usize::try_from(dice.below(of as u64)).unwrap_or(0)
}

fn priority(dice: Dice) -> Priority {
    match dice.below(100) {
        0..5 => Priority::Critical,
        5..20 => Priority::High,
        20..30 => Priority::Low,
        30..33 => Priority::Batch,
        _ => Priority::Normal,
    }
}
