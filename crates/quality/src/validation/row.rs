//! Rules that need one bar only.

use std::time::Duration;

use domain::{Bar, Interval, Price, number::Decimal};

use super::context::{BarContext, Bounds, has_volume, may_be_negative};
use crate::finding::{Expected, Fact, Field, Finding, Rule, Severity};
use crate::float::{of_price, of_size};

/// The numbers of a bar as floats; NaN where absent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    pub(crate) open: f64,
    pub(crate) high: f64,
    pub(crate) low: f64,
    pub(crate) close: f64,
    pub(crate) volume: f64,
}

impl Numbers {
    pub(crate) fn of(bar: &Bar) -> Numbers {
        Numbers {
            open: of_price(bar.open),
            high: of_price(bar.high),
            low: of_price(bar.low),
            close: of_price(bar.close),
            volume: of_size(bar.volume),
        }
    }

    /// All five there, prices above zero and in order, volume not negative: the case of nearly every row.
    fn is_sound(&self) -> bool {
        self.low > 0.0
            && self.low <= self.open
            && self.low <= self.close
            && self.open <= self.high
            && self.close <= self.high
            && self.volume > 0.0
    }
}

/// Appends what is wrong with the bar by itself.
pub(crate) fn check(
    bar: &Bar,
    n: &Numbers,
    interval: Interval,
    context: &BarContext<'_>,
    out: &mut Vec<Finding>,
) {
    if !n.is_sound() {
        structure(bar, n, interval, context, out);
    }
    // A bar's window may only lie ahead of us while it is in progress.
    let end = if bar.is_final { interval.fixed_length().unwrap_or(Duration::ZERO) } else { Duration::ZERO };
    let latest = context.now + super::CLOCK_ALLOWANCE;
    if bar.start + end > latest {
        let expected = Expected::AtMost(Fact::Time(latest));
        out.push(Finding::new(Rule::FutureTime, Field::Time, Fact::Time(bar.start), expected));
    }
    if n.high - n.low > 0.3 * n.open && n.open > 0.0 {
        let share = (n.high - n.low) / n.open;
        out.push(note(Rule::IntradayRange, Field::High, share, 0.3, context.bounds));
    }
    bounds(bar, n, context, out);
}

/// A named note, which the compatibility preset turns into a verdict.
pub(crate) fn note(rule: Rule, field: Field, share: f64, limit: f64, bounds: Bounds) -> Finding {
    let finding = Finding::new(rule, field, Fact::Share(share), Expected::AtMost(Fact::Share(limit)));
    match bounds {
        Bounds::VolatilityScaled => finding,
        Bounds::Compatibility => finding.with_severity(Severity::Medium),
    }
}

fn structure(bar: &Bar, n: &Numbers, interval: Interval, context: &BarContext<'_>, out: &mut Vec<Finding>) {
    let fields = [
        (Field::Open, bar.open, n.open),
        (Field::High, bar.high, n.high),
        (Field::Low, bar.low, n.low),
        (Field::Close, bar.close, n.close),
    ];
    let missing = fields.iter().filter(|(_, price, _)| price.is_none()).count();
    for (field, price, value) in fields {
        match price {
            None if missing < 4 => {
                out.push(Finding::new(Rule::MissingOhlc, field, Fact::Absent, Expected::Present));
            }
            None => (),
            Some(price) if value <= 0.0 => {
                let rule = if value < 0.0 { Rule::NegativePrice } else { Rule::ZeroPrice };
                let finding = Finding::new(rule, field, Fact::Price(price), Expected::Above(Fact::Count(0)));
                let genuine = may_be_negative(context.kind);
                out.push(if genuine { finding.with_severity(Severity::Info) } else { finding });
            }
            Some(_) => (),
        }
    }
    if missing == 4 {
        out.push(Finding::new(Rule::MissingPrice, Field::Row, Fact::Absent, Expected::Present));
    }
    order(bar, may_be_negative(context.kind), out);
    volume(bar, n, interval, context, out);
}

fn order(bar: &Bar, signed: bool, out: &mut Vec<Finding>) {
    // A price of zero or below is said already; it is no bound for the others.
    let usable = |price: &Price| price.is_positive() || signed;
    let ends = [bar.open, bar.close].into_iter().flatten().filter(usable);
    let (least, most) = (ends.clone().min(), ends.max());
    let (low, high) = (bar.low.filter(usable), bar.high.filter(usable));
    let mut breach = |field, price, expected| {
        out.push(Finding::new(Rule::OhlcOrder, field, Fact::Price(price), expected));
    };
    if let (Some(low), Some(least)) = (low, least)
        && low > least
    {
        breach(Field::Low, low, Expected::AtMost(Fact::Price(least)));
    }
    if let (Some(high), Some(most)) = (high, most)
        && high < most
    {
        breach(Field::High, high, Expected::AtLeast(Fact::Price(most)));
    }
    if let (Some(low), Some(high)) = (low, high)
        && low > high
    {
        breach(Field::Low, low, Expected::AtMost(Fact::Price(high)));
    }
}

fn volume(bar: &Bar, n: &Numbers, interval: Interval, context: &BarContext<'_>, out: &mut Vec<Finding>) {
    let Some(size) = bar.volume else {
        if has_volume(context.kind) {
            out.push(Finding::new(Rule::MissingVolume, Field::Volume, Fact::Absent, Expected::Present));
        }
        return;
    };
    if n.volume < 0.0 {
        let expected = Expected::AtLeast(Fact::Count(0));
        out.push(Finding::new(Rule::NegativeVolume, Field::Volume, Fact::Size(size), expected));
    }
    if n.volume == 0.0 && has_volume(context.kind) {
        // A window without a trade has one price. A range without volume contradicts itself.
        let moved = n.high > n.low;
        let severity = match (interval.is_intraday(), moved) {
            (_, true) => Severity::Medium,
            (false, false) => Severity::Low,
            (true, false) => Severity::Info,
        };
        let finding =
            Finding::new(Rule::ZeroVolume, Field::Volume, Fact::Size(size), Expected::Above(Fact::Count(0)));
        out.push(finding.with_severity(severity));
    }
}

fn bounds(bar: &Bar, n: &Numbers, context: &BarContext<'_>, out: &mut Vec<Finding>) {
    let breach = |low: Fact, high: Fact, field, price| {
        Finding::new(Rule::OutOfBounds, field, Fact::Price(price), Expected::Between(low, high))
    };
    if let Some((low, high)) = context.price_bounds {
        for (field, price) in [(Field::Low, bar.low), (Field::High, bar.high), (Field::Close, bar.close)] {
            if let Some(price) = price.filter(|p| *p < low || *p > high) {
                out.push(breach(Fact::Price(low), Fact::Price(high), field, price));
            }
        }
    }
    if context.bounds == Bounds::Compatibility {
        for (field, price, value) in [(Field::Low, bar.low, n.low), (Field::High, bar.high, n.high)] {
            if let Some(price) = price.filter(|_| value > 0.0 && !(0.01..=100_000.0).contains(&value)) {
                let (low, high) = (Price::new(Decimal::new(1, 2)), Price::from(100_000));
                out.push(breach(Fact::Price(low), Fact::Price(high), field, price));
            }
        }
    }
}
