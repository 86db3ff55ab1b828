//! Converts a series from one basis to another, or says why it cannot be done.

use std::time::Duration;

use domain::{Adjustment, Bar, BarSeries, CorporateAction, Date, Instant, Price, Ratio, Size};

use super::factors::Factors;
use crate::float::of_price;

/// What is known of an instrument's corporate actions, and since when.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Splits and dividends, any order; those after `as_of` are ignored.
    pub actions: &'a [CorporateAction],
    /// The split record is complete from this date on; `None` if nothing guarantees it.
    pub splits_from: Option<Date>,
    /// The dividend record is complete from this date on; `None` if nothing guarantees it.
    pub dividends_from: Option<Date>,
    /// The record is complete up to this date, and adjusted prices are restated to its share count. A
    /// vendor's adjusted series counts splits after its last row too, up to the day it was fetched.
    pub as_of: Date,
    /// Raw closes by trading date, ascending: needed to take dividends out of a series, and for ex-dates
    /// whose previous close lies before the series. May be empty.
    pub raw_closes: &'a [(Date, Price)],
}

impl<'a> Record<'a> {
    /// A record complete for splits and dividends from `from` to `as_of`, without further raw closes.
    pub fn complete(actions: &'a [CorporateAction], from: Date, as_of: Date) -> Record<'a> {
        Record { actions, splits_from: Some(from), dividends_from: Some(from), as_of, raw_closes: &[] }
    }
}

/// A conversion that was made: an answer declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// Basis of the vendor's series.
    pub from: Adjustment,
    /// Basis now.
    pub to: Adjustment,
    /// Ex-dates whose factor was applied to at least one row.
    pub steps: usize,
    /// Share count and record the result refers to.
    pub as_of: Date,
}

/// Why a series cannot be put on the asked basis. The answer is refused, never guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotConvert {
    /// The vendor does not say what its prices mean.
    #[error("the basis of the series is unknown")]
    UnknownBasis,
    /// `unknown` was asked for.
    #[error("`unknown` is no basis to convert to")]
    UnknownTarget,
    /// The split record does not reach back to the first row.
    #[error("the split record does not reach back to {first}")]
    SplitsNotCovered {
        /// First row's trading date.
        first: Date,
    },
    /// The dividend record does not reach back to the first row.
    #[error("the dividend record does not reach back to {first}")]
    DividendsNotCovered {
        /// First row's trading date.
        first: Date,
    },
    /// No raw close before a dividend's ex-date is known.
    #[error("no raw close before the ex-date {ex_date} is known")]
    NoPreviousClose {
        /// The ex-date.
        ex_date: Date,
    },
    /// A dividend is not below the close before it.
    #[error("the dividend of {ex_date} is not below the close before it")]
    DividendAbovePrice {
        /// The ex-date.
        ex_date: Date,
    },
    /// A dividend is paid in another currency than the prices.
    #[error("the dividend of {ex_date} is in another currency than the prices")]
    DividendCurrency {
        /// The ex-date.
        ex_date: Date,
    },
    /// A split's ratio is not above zero, or vendors state two different ones.
    #[error("the split of {ex_date} has no usable ratio")]
    BrokenSplit {
        /// The ex-date.
        ex_date: Date,
    },
    /// The prices around a split contradict the basis the vendor states.
    #[error("the prices around the split of {ex_date} contradict the stated basis")]
    BasisContradicted {
        /// The ex-date.
        ex_date: Date,
    },
}

/// Restates a series. Prices are divided and multiplied in exact decimals; volumes move inversely with
/// splits and not with dividends. The vendor's own adjusted close and any quote beside the series stay as
/// they are.
///
/// A series already on the asked basis comes back unchanged. A row without a trading date counts to the
/// date of its start in UTC.
///
/// # Errors
/// [`CannotConvert`], before any row is touched. An unknown basis is never converted, nor taken as it is.
pub fn convert(
    series: &BarSeries,
    to: Adjustment,
    record: &Record<'_>,
) -> Result<(BarSeries, Conversion), CannotConvert> {
    let from = series.adjustment;
    let from_splits = from.covers_splits().ok_or(CannotConvert::UnknownBasis)?;
    let to_splits = to.covers_splits().ok_or(CannotConvert::UnknownTarget)?;
    let (from_cash, to_cash) = (from.covers_dividends() == Some(true), to.covers_dividends() == Some(true));
    let mut conversion = Conversion { from, to, steps: 0, as_of: record.as_of };
    let Some(first) = series.bars.iter().map(date_of).min().filter(|_| from != to) else {
        return Ok((BarSeries { adjustment: to, ..series.clone() }, conversion));
    };
    let (moves_shares, moves_cash) = (from_splits != to_splits, from_cash != to_cash);
    // Dividends are shares of raw prices, so splits must be known for them too.
    if record.splits_from.is_none_or(|covered| covered > first) {
        return Err(CannotConvert::SplitsNotCovered { first });
    }
    if moves_cash && record.dividends_from.is_none_or(|covered| covered > first) {
        return Err(CannotConvert::DividendsNotCovered { first });
    }
    let no_close = |_| None;
    let shares = Factors::new(record.actions, record.as_of, false, None, no_close)?;
    contradiction(series, from_splits, &shares)?;
    let factors = if moves_cash {
        let own = if from_cash { Vec::new() } else { raw_closes(series, from_splits, &shares) };
        let relevant: Vec<CorporateAction> =
            record.actions.iter().filter(|a| a.ex_date > first).cloned().collect();
        Factors::new(&relevant, record.as_of, true, series.denomination, |ex_date| {
            newer(close_before(record.raw_closes, ex_date), close_before(&own, ex_date))
        })?
    } else {
        shares
    };
    let mut out = BarSeries { adjustment: to, ..series.clone() };
    for bar in &mut out.bars {
        let Some(step) = factors.at(date_of(bar)) else { continue };
        let mut scale = Scale::default();
        if moves_shares {
            scale.shares(step.new_per_old, to_splits);
        }
        if moves_cash {
            scale.cash(step.dividends, to_cash);
        }
        scale.apply(bar);
    }
    conversion.steps = factors.steps().iter().filter(|step| step.ex_date > first).count();
    Ok((out, conversion))
}

/// The newer of two dated closes.
fn newer(a: Option<(Date, Price)>, b: Option<(Date, Price)>) -> Option<Price> {
    a.into_iter().chain(b).max_by_key(|(date, _)| *date).map(|(_, price)| price)
}

/// What is done to the prices and the volume of one row: multiplied by one number and divided by another.
#[derive(Default)]
struct Scale {
    times: Option<Ratio>,
    by: Option<Ratio>,
    volume_times: Option<Ratio>,
    volume_by: Option<Ratio>,
}

impl Scale {
    fn shares(&mut self, new_per_old: Ratio, restate: bool) {
        if restate {
            (self.by, self.volume_times) = (Some(new_per_old), Some(new_per_old));
        } else {
            (self.times, self.volume_by) = (Some(new_per_old), Some(new_per_old));
        }
    }

    fn cash(&mut self, factor: Ratio, restate: bool) {
        let place = if restate { &mut self.times } else { &mut self.by };
        *place = Some(place.map_or(factor, |other| other.times(factor)));
    }

    fn apply(&self, bar: &mut Bar) {
        let price = |price: &mut Option<Price>| {
            if let Some(value) = price {
                *value = scaled(*value, self.times, self.by);
            }
        };
        for field in [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close, &mut bar.vwap] {
            price(field);
        }
        if let Some(volume) = &mut bar.volume {
            let scaled = scaled(Price::new(volume.decimal()), self.volume_times, self.volume_by);
            *volume = Size::new(scaled.decimal());
        }
    }
}

fn scaled(value: Price, times: Option<Ratio>, by: Option<Ratio>) -> Price {
    let value = times.map_or(value, |factor| value * factor);
    let Some(divisor) = by else { return value };
    let quotient = value.decimal().checked_div(divisor.decimal());
    // Every factor is above zero, so only a quotient beyond 7.9e28 cannot be held.
    Price::new(quotient.unwrap_or(value.decimal()))
}

fn date_of(bar: &Bar) -> Date {
    bar.trading_date.unwrap_or_else(|| bar.start.utc_date())
}

/// The series' own closes on raw basis, ascending by date.
fn raw_closes(series: &BarSeries, restated: bool, shares: &Factors) -> Vec<(Date, Price)> {
    let mut closes: Vec<(Date, Price)> = series
        .bars
        .iter()
        .filter_map(|bar| {
            let (date, close) = (date_of(bar), bar.close?);
            Some((date, if restated { close * shares.new_per_old(date) } else { close }))
        })
        .collect();
    closes.sort_by_key(|(date, _)| *date);
    closes
}

/// A close older than this says nothing about the day before an ex-date.
const OLDEST_CLOSE: Duration = Duration::from_secs(30 * 86_400);

/// The last close before a date, not older than 30 days.
fn close_before(closes: &[(Date, Price)], ex_date: Date) -> Option<(Date, Price)> {
    let end = closes.partition_point(|(date, _)| *date < ex_date);
    let oldest = Instant::from_utc_midnight(ex_date) - OLDEST_CLOSE;
    let recent = |date: Date| Instant::from_utc_midnight(date) >= oldest;
    closes[..end].last().copied().filter(|(date, price)| recent(*date) && price.is_positive())
}

/// Refuses a series whose prices say the opposite of its stated basis at a split large enough to be seen.
fn contradiction(series: &BarSeries, restated: bool, shares: &Factors) -> Result<(), CannotConvert> {
    let steps = shares.steps();
    for (index, step) in steps.iter().enumerate() {
        let later = steps.get(index + 1).map_or(Ratio::ONE, |next| next.new_per_old);
        let Some(own) = Ratio::of(step.new_per_old.decimal(), later.decimal()) else { continue };
        let size = own.to_f64().ln();
        let at = series.bars.partition_point(|bar| date_of(bar) < step.ex_date);
        if size.abs() < 0.25 || at == 0 || at == series.bars.len() {
            continue;
        }
        let traded = (of_price(series.bars[at].close) / of_price(series.bars[at - 1].close)).ln();
        let distance = if restated { (traded + size).abs() } else { traded.abs() };
        if distance < 0.3 * size.abs() {
            return Err(CannotConvert::BasisContradicted { ex_date: step.ex_date });
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
