//! A random walk that can be asked for any day directly: the same seed and instrument give the same prices,
//! whoever asks and in whatever order.
//!
//! Log prices form a Brownian bridge over 45 years, refined by halving: the close of a day is fourteen
//! throws away from the root. Both ends of the bridge are the instrument's base price, so that no name
//! drifts to nothing.

use std::sync::OnceLock;
use std::time::Duration;

use domain::calendar::TradingSession;
use domain::number::Decimal;
use domain::{
    ActionKind, Calendars, CorporateAction, Date, Instant, Instrument, InstrumentId, InstrumentKind, Price,
    Range, Ratio,
};

use super::candle::{Candle, Places};
use super::dice::Dice;
use super::hours::{Hours, day_number};
use super::tape::{Source, Tape};

/// Days the bridge spans, from 2000-01-01; it repeats afterwards.
const SPAN_DAYS: i64 = 1 << 14;
/// First day that trades.
const FIRST: Date = Date::constant(2000, 1, 3);
/// Sessions are looked for so far around a date.
const TWO_WEEKS: Duration = Duration::from_secs(14 * 86_400);

/// One instrument's walk.
pub(crate) struct Walk {
    dice: Dice,
    /// Natural logarithm of the base price, in steps.
    base: f64,
    /// Standard deviation of a day's log return.
    daily: f64,
    /// Mean volume of a day, in steps.
    volume: f64,
    round_the_clock: bool,
    splits: Vec<Split>,
    pays_dividends: bool,
    halts: bool,
    actions: OnceLock<Vec<CorporateAction>>,
}

/// A split of `new` shares for `old`, between two neighbouring sessions.
struct Split {
    new: i64,
    old: i64,
    last_before: Date,
    ex_date: Date,
}

/// The walk of an instrument.
pub(crate) fn tape(seed: u64, instrument: &Instrument, calendars: &Calendars) -> Tape {
    let dice = Dice::new(seed).named(&instrument.id.to_string());
    let kind = Kind::of(instrument);
    let share = matches!(instrument.kind, InstrumentKind::Equity | InstrumentKind::Etf);
    let base = known_price(instrument.id.name()).unwrap_or_else(|| 20.0 * (dice.at(1).unit() * 3.0).exp());
    let hours = Hours::of(calendars, instrument.id.venue());
    let mut places = kind.places;
    if base < 1.0 && kind.places.price < 5 {
        places.price = 5;
    }
    let walk = Walk {
        dice,
        base: (base * 10f64.powi(places.price.cast_signed())).ln(),
        daily: kind.yearly_volatility / 365f64.sqrt(),
        volume: kind.volume * (dice.at(2).normal() * 0.8).exp(),
        round_the_clock: matches!(instrument.kind, InstrumentKind::Crypto),
        splits: if share { splits(dice, hours) } else { Vec::new() },
        pays_dividends: share && dice.at(3).below(2) == 0,
        halts: share,
        actions: OnceLock::new(),
    };
    Tape { instrument: instrument.clone(), recorded_as: None, places, dice, source: Source::Walk(walk) }
}

struct Kind {
    places: Places,
    yearly_volatility: f64,
    volume: f64,
}

impl Kind {
    fn of(instrument: &Instrument) -> Kind {
        let kind = |price, size, yearly_volatility, volume| Kind {
            places: Places { price, size },
            yearly_volatility,
            volume,
        };
        match instrument.kind {
            InstrumentKind::Fx if instrument.id.name().ends_with("/JPY") => kind(3, 0, 0.09, 0.0),
            InstrumentKind::Fx => kind(5, 0, 0.08, 0.0),
            InstrumentKind::Crypto => kind(2, 5, 0.55, 2e9),
            InstrumentKind::Index => kind(2, 0, 0.16, 3e9),
            InstrumentKind::Etf | InstrumentKind::Fund => kind(2, 0, 0.16, 2e7),
            InstrumentKind::Equity
            | InstrumentKind::Future
            | InstrumentKind::Option
            | InstrumentKind::Other => kind(2, 0, 0.28, 1e7),
        }
    }
}

/// Base prices of names whose order of magnitude everybody knows.
fn known_price(name: &str) -> Option<f64> {
    Some(match name {
        "BTC/USD" | "BTC/USDT" | "BTC/USDC" | "BTC/EUR" => 65_000.0,
        "ETH/USD" | "ETH/USDT" | "ETH/USDC" | "ETH/EUR" => 3_000.0,
        "EUR/USD" => 1.1,
        "GBP/USD" => 1.27,
        "USD/JPY" => 150.0,
        "USD/CHF" => 0.88,
        "^GSPC" => 5_000.0,
        "^IXIC" => 16_000.0,
        "^DJI" => 39_000.0,
        name if name.ends_with("/JPY") => 150.0,
        _ => return None,
    })
}

/// Five names in eight split once between 2016 and 2026: 4:1, 2:1, 3:2, 7:1 or 1:10.
fn splits(dice: Dice, hours: Hours<'_>) -> Vec<Split> {
    let (new, old) = match dice.at(4).below(8) {
        0 => (4, 1),
        1 => (2, 1),
        2 => (3, 2),
        3 => (7, 1),
        4 => (1, 10),
        _ => return Vec::new(),
    };
    let day = 6_000 + dice.at(5).below(3_600).cast_signed();
    let around = Instant::from_secs((day + 10_957) * 86_400);
    let sessions = hours.sessions(Range::new(around - TWO_WEEKS, around + TWO_WEEKS));
    let Some(at) = sessions.iter().position(|session| session.hours.start >= around).filter(|at| *at > 0)
    else {
        return Vec::new();
    };
    vec![Split { new, old, last_before: sessions[at - 1].date, ex_date: sessions[at].date }]
}

impl Walk {
    /// First and last instant of the walk.
    pub(crate) fn reach(&self) -> Range {
        Range::new(Instant::from_utc_midnight(FIRST), Instant::from_secs(4_102_444_800))
    }

    /// The session's candle.
    pub(crate) fn day(&self, session: TradingSession) -> super::tape::Day {
        super::tape::Day { session, candle: self.candle(session.date) }
    }

    fn candle(&self, date: Date) -> Candle {
        let number = day_number(date);
        let dice = self.dice.at(20).at(number.cast_unsigned());
        let gap = if self.round_the_clock { 0.0 } else { dice.at(1).normal() * 0.3 * self.daily };
        let mut open = self.steps(self.log_price(number) + gap, date);
        let mut close = self.steps(self.log_price(number + 1), date);
        for split in &self.splits {
            if split.last_before == date {
                close = (close / split.new).max(1) * split.new;
            }
            if split.ex_date == date {
                open = self.candle(split.last_before).close / split.new * split.old;
            }
        }
        let reach = |n| {
            let share = dice.at(n).normal().abs() * 0.4 * self.daily;
            (open.max(close) as f64 * share).round() as i64
        };
        let volume = self.volume * (dice.at(2).normal() * 0.3).exp() / self.split_factor(date);
        Candle {
            open,
            high: open.max(close) + reach(3),
            low: (open.min(close) - reach(4)).max(1),
            close,
            volume: volume.round() as i64,
        }
    }

    fn steps(&self, log_price: f64, date: Date) -> i64 {
        ((self.base + log_price).exp() * self.split_factor(date)).round().max(1.0) as i64
    }

    /// What one of today's shares was worth of a share on `date`.
    fn split_factor(&self, date: Date) -> f64 {
        self.splits
            .iter()
            .filter(|split| date < split.ex_date)
            .map(|split| split.new as f64 / split.old as f64)
            .product()
    }

    /// The bridge at the start of a day.
    fn log_price(&self, number: i64) -> f64 {
        let at = number.rem_euclid(SPAN_DAYS);
        let (mut low, mut high) = (0, SPAN_DAYS);
        let (mut low_value, mut high_value) = (0.0, 0.0);
        while at != low {
            let middle = i64::midpoint(low, high);
            let spread = self.daily * ((high - low) as f64).sqrt() / 2.0;
            let throw = self.dice.at(30).at(middle.cast_unsigned()).normal();
            let value = f64::midpoint(low_value, high_value) + throw * spread;
            if at < middle {
                (high, high_value) = (middle, value);
            } else {
                (low, low_value) = (middle, value);
            }
        }
        low_value
    }

    /// A halt of 5 to 30 minutes in about one session of 200.
    pub(crate) fn halt(&self, session: &TradingSession) -> Option<Range> {
        let dice = self.dice.at(40).at(day_number(session.date).cast_unsigned());
        let minutes = session.hours.length().as_secs() / 60;
        if !self.halts || minutes < 120 || dice.below(200) != 0 {
            return None;
        }
        let minute = |n: u64| Duration::from_secs(60 * n);
        let start = session.hours.start + minute(30 + dice.at(1).below(minutes - 90));
        Some(Range::new(start, start + minute(5 + dice.at(2).below(26))))
    }

    /// Splits, and a dividend each quarter of about half a per cent.
    pub(crate) fn actions(&self, hours: Hours<'_>, places: Places, id: &InstrumentId) -> &[CorporateAction] {
        self.actions.get_or_init(|| {
            let mut actions: Vec<CorporateAction> =
                self.splits.iter().filter_map(|split| split.action(id)).collect();
            if self.pays_dividends {
                for quarter in 0..4 * 45 {
                    actions.extend(self.dividend(quarter, hours, places, id));
                }
            }
            actions.sort_by_key(|action| action.ex_date);
            actions
        })
    }

    fn dividend(
        &self,
        quarter: i16,
        hours: Hours<'_>,
        places: Places,
        id: &InstrumentId,
    ) -> Option<CorporateAction> {
        let month = i8::try_from(2 + 3 * (quarter % 4)).ok()?;
        let day = 3 + i8::try_from(self.dice.at(6).below(20)).ok()?;
        let around = Instant::from_utc_midnight(Date::new(2000 + quarter / 4, month, day).ok()?);
        let ex_date = hours.sessions(Range::new(around, around + TWO_WEEKS)).first()?.date;
        if self.splits.iter().any(|split| split.ex_date == ex_date) {
            return None;
        }
        let open = places.price(self.candle(ex_date).open);
        let share = Ratio::new(Decimal::new(3 + self.dice.at(7).below(5).cast_signed(), 3));
        let amount = (open * share).round(2).max(Price::new(Decimal::new(1, 2)));
        let declared = (around - TWO_WEEKS).utc_date();
        let kind = ActionKind::Dividend { amount, denomination: None };
        Some(CorporateAction { declared: Some(declared), ..CorporateAction::new(id.clone(), ex_date, kind) })
    }
}

impl Split {
    fn action(&self, id: &InstrumentId) -> Option<CorporateAction> {
        let new_per_old = Ratio::of(Decimal::from(self.new), Decimal::from(self.old))?;
        let declared = (Instant::from_utc_midnight(self.ex_date) - TWO_WEEKS).utc_date();
        let kind = ActionKind::Split { new_per_old };
        Some(CorporateAction {
            declared: Some(declared),
            ..CorporateAction::new(id.clone(), self.ex_date, kind)
        })
    }
}
