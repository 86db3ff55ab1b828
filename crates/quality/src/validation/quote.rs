//! Validation of one quote.

use domain::{Price, Quote};

use super::bars::{power_of_ten, unit_factor};
use super::context::{Bounds, QuoteContext, has_volume, may_be_negative};
use super::events::{self, Crossed};
use super::{CLOCK_ALLOWANCE, CONTRADICTION_SIGMAS, OUTLIER_SIGMAS, VOLUME_SUSPECT};
use crate::finding::{Expected, Fact, Field, Finding, Rule, Severity};
use crate::float::{of_decimal, of_price, of_size};

/// Judges a quote by itself and against the instrument's past. A clean quote allocates nothing.
///
/// Suspicions (a large move, a factor of ten, an unusual volume) are as strong as one vendor can make them:
/// `Checks::weigh` clears them when another vendor agrees.
pub fn validate_quote(quote: &Quote, context: &QuoteContext<'_>) -> Vec<Finding> {
    let mut out = Vec::new();
    prices(quote, context, &mut out);
    spread(quote, context, &mut out);
    if quote.volume.is_none() && has_volume(context.kind) {
        out.push(Finding::new(Rule::MissingVolume, Field::Volume, Fact::Absent, Expected::Present));
    }
    if quote.denomination.is_none() && context.denomination.is_none() {
        out.push(Finding::new(Rule::UnknownCurrency, Field::Currency, Fact::Absent, Expected::Present));
    }
    let latest = context.received_at + CLOCK_ALLOWANCE;
    if let Some(at) = quote.event_time.filter(|at| *at > latest) {
        let expected = Expected::AtMost(Fact::Time(latest));
        out.push(Finding::new(Rule::FutureTime, Field::Time, Fact::Time(at), expected));
    }
    movement(quote, context, &mut out);
    volume(quote, context, &mut out);
    out
}

fn prices(quote: &Quote, context: &QuoteContext<'_>, out: &mut Vec<Finding>) {
    let signed = may_be_negative(context.kind);
    let fields = [
        (Field::Last, quote.last),
        (Field::Bid, quote.bid),
        (Field::Ask, quote.ask),
        (Field::Open, quote.open),
        (Field::High, quote.high),
        (Field::Low, quote.low),
    ];
    for (field, price) in fields {
        let Some(price) = price else { continue };
        if !price.is_positive() {
            let rule = if price < Price::ZERO { Rule::NegativePrice } else { Rule::ZeroPrice };
            let finding = Finding::new(rule, field, Fact::Price(price), Expected::Above(Fact::Count(0)));
            out.push(if signed { finding.with_severity(Severity::Info) } else { finding });
        }
        let outer = (context.bounds == Bounds::Compatibility)
            .then(|| (Price::new(domain::number::Decimal::new(1, 2)), Price::from(100_000)));
        for (low, high) in [context.price_bounds, outer].into_iter().flatten() {
            if price.is_positive() && (price < low || price > high) {
                let expected = Expected::Between(Fact::Price(low), Fact::Price(high));
                out.push(Finding::new(Rule::OutOfBounds, field, Fact::Price(price), expected));
            }
        }
    }
    if let (Some(low), Some(high)) = (quote.low, quote.high)
        && low > high
    {
        let expected = Expected::AtMost(Fact::Price(high));
        out.push(Finding::new(Rule::OhlcOrder, Field::Low, Fact::Price(low), expected));
    }
    if quote.price().is_none() {
        out.push(Finding::new(Rule::MissingPrice, Field::Last, Fact::Absent, Expected::Present));
    }
}

fn spread(quote: &Quote, context: &QuoteContext<'_>, out: &mut Vec<Finding>) {
    let (Some(bid), Some(ask)) = (quote.bid, quote.ask) else {
        let field = if quote.bid.is_none() { Field::Bid } else { Field::Ask };
        out.push(Finding::new(Rule::MissingBidAsk, field, Fact::Absent, Expected::Present));
        return;
    };
    let expected = Expected::AtMost(Fact::Price(ask));
    if bid > ask {
        out.push(Finding::new(Rule::CrossedQuote, Field::Bid, Fact::Price(bid), expected));
    } else if bid == ask {
        out.push(Finding::new(Rule::LockedQuote, Field::Bid, Fact::Price(bid), expected));
    }
    let (low, high) = (of_price(Some(bid)), of_price(Some(ask)));
    if context.bounds == Bounds::Compatibility && low > 0.0 && high - low > 0.1 * (high + low) / 2.0 {
        let share = Fact::Share((high - low) / ((high + low) / 2.0));
        out.push(Finding::new(Rule::OutOfBounds, Field::Ask, share, Expected::AtMost(Fact::Share(0.1))));
    }
}

fn movement(quote: &Quote, context: &QuoteContext<'_>, out: &mut Vec<Finding>) {
    let price = of_price(quote.price());
    let history = context.history;
    let previous = history.and_then(|h| h.last_close);
    let reference = of_price(previous.or(quote.previous_close));
    if !(price > 0.0 && reference > 0.0) {
        return;
    }
    // Without a record of our own the vendor's previous close serves the notes only: vendors restate it.
    let crossed = if previous.is_some() { crossed(context, reference) } else { Crossed::NONE };
    let residual = (price / reference).ln() + crossed.new_per_old.ln() - crossed.cash_factor.ln();
    if !crossed.any {
        let opening = of_price(quote.open) / reference - 1.0;
        let bounds = context.bounds;
        if opening.abs() > 0.2 && opening > -1.0 {
            out.push(super::row::note(Rule::OpeningGap, Field::Open, opening, 0.2, bounds));
        }
        let change = price / reference - 1.0;
        if change >= 1.0 {
            out.push(super::row::note(Rule::PossibleReverseSplit, Field::Last, change, 1.0, bounds));
        }
        if bounds == Bounds::Compatibility && change.abs() > 0.5 {
            let expected = Expected::AtMost(Fact::Share(0.5));
            out.push(Finding::new(Rule::OutOfBounds, Field::Last, Fact::Share(change), expected));
        }
    }
    let Some(sigma) = history.and_then(|h| h.sigma) else { return };
    if previous.is_none() || context.eventful.contains(&context.trading_date) {
        return;
    }
    let half_tick = context.tick.map_or(0.0, |t| of_decimal(t.decimal()) / 2.0) / reference;
    let sigmas = residual.abs() / sigma.max(half_tick).max(0.0002);
    if let Some(power) = unit_factor(residual).filter(|_| sigmas >= OUTLIER_SIGMAS) {
        let expected = Expected::About(Fact::Price(previous.unwrap_or_default()));
        let factor = Fact::Ratio(power_of_ten(power));
        out.push(Finding::new(Rule::UnitFactor, Field::Last, factor, expected).with_confidence(0.95));
    } else if sigmas >= OUTLIER_SIGMAS {
        let rule = if sigmas >= CONTRADICTION_SIGMAS { Rule::HistoryContradicted } else { Rule::OutlierMove };
        let expected = Expected::AtMost(Fact::Sigmas(OUTLIER_SIGMAS));
        out.push(Finding::new(rule, Field::Last, Fact::Sigmas(sigmas), expected).with_confidence(0.7));
    }
}

/// The steps between the history's end and the quote.
fn crossed(context: &QuoteContext<'_>, reference: f64) -> Crossed {
    if context.actions.is_empty() {
        return Crossed::NONE;
    }
    let last = context.history.and_then(|h| h.last);
    let mut crossed = Crossed::NONE;
    for step in events::steps(context.actions, None) {
        let after_history = match last {
            Some(last) => step.date > last.utc_date(),
            None => step.date == context.trading_date,
        };
        if after_history && step.date <= context.trading_date {
            crossed = crossed.with(&step, reference);
        }
    }
    crossed
}

fn volume(quote: &Quote, context: &QuoteContext<'_>, out: &mut Vec<Finding>) {
    let Some(size) = quote.volume else { return };
    let volume = of_size(Some(size));
    if volume < 0.0 {
        let expected = Expected::AtLeast(Fact::Count(0));
        out.push(Finding::new(Rule::NegativeVolume, Field::Volume, Fact::Size(size), expected));
    }
    let Some(typical) = context.history.and_then(|h| h.median_volume) else { return };
    if volume > VOLUME_SUSPECT * typical && !context.eventful.contains(&context.trading_date) {
        let most = domain::Size::from_f64((typical * VOLUME_SUSPECT).round()).unwrap_or_default();
        let expected = Expected::AtMost(Fact::Size(most));
        let finding = Finding::new(Rule::VolumeOutlier, Field::Volume, Fact::Size(size), expected);
        out.push(finding.with_confidence(0.7));
    }
}

#[cfg(test)]
#[path = "quote_tests.rs"]
mod tests;
