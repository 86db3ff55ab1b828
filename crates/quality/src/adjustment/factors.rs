//! Cumulative factors, point in time.

use domain::{ActionKind, CorporateAction, Date, Denomination, Price, Ratio, Unit};

use super::convert::CannotConvert;

/// What one ex-date does to all earlier prices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PriceStep {
    /// First trading date at the new level.
    pub ex_date: Date,
    /// Product of the new-per-old ratios of this date and all later ones: earlier prices are divided by it,
    /// earlier volumes multiplied.
    pub new_per_old: Ratio,
    /// Product of the dividend factors of this date and all later ones: earlier prices are multiplied by it.
    pub dividends: Ratio,
}

/// Cumulative factors of one instrument as of one date.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Factors {
    steps: Vec<PriceStep>,
}

impl Factors {
    /// From actions in any order, of which those after `as_of` are left out. The same action told twice (by
    /// two vendors) counts once.
    ///
    /// `previous_close` gives the raw close of the last trading date before an ex-date. It is only asked
    /// where dividends are wanted.
    ///
    /// # Errors
    /// A split whose ratio is not above zero; a dividend whose previous close is unknown or not above the
    /// amount, or whose currency is not that of the prices.
    pub fn new(
        actions: &[CorporateAction],
        as_of: Date,
        with_dividends: bool,
        denomination: Option<Denomination>,
        previous_close: impl Fn(Date) -> Option<Price>,
    ) -> Result<Factors, CannotConvert> {
        let mut known: Vec<&CorporateAction> = actions.iter().filter(|a| a.ex_date <= as_of).collect();
        known.sort_by_key(|action| std::cmp::Reverse(action.ex_date));
        let mut steps: Vec<PriceStep> = Vec::new();
        let (mut shares, mut cash) = (Ratio::ONE, Ratio::ONE);
        for day in known.chunk_by(|a, b| a.ex_date == b.ex_date) {
            let ex_date = day[0].ex_date;
            let split = splits_of(day)?;
            let paid = if with_dividends { dividends_of(day, denomination)? } else { Vec::new() };
            for amount in &paid {
                let close = previous_close(ex_date).ok_or(CannotConvert::NoPreviousClose { ex_date })?;
                let factor = dividend_factor(*amount, close, split)
                    .ok_or(CannotConvert::DividendAbovePrice { ex_date })?;
                cash = cash.times(factor);
            }
            shares = shares.times(split);
            if split != Ratio::ONE || !paid.is_empty() {
                steps.push(PriceStep { ex_date, new_per_old: shares, dividends: cash });
            }
        }
        steps.reverse();
        Ok(Factors { steps })
    }

    /// The step that governs a date: that of the first ex-date after it. `None` if none is later.
    pub fn at(&self, date: Date) -> Option<&PriceStep> {
        self.steps.get(self.steps.partition_point(|step| step.ex_date <= date))
    }

    /// New shares per old between a date and the newest share count; 1 if none changed it.
    pub fn new_per_old(&self, date: Date) -> Ratio {
        self.at(date).map_or(Ratio::ONE, |step| step.new_per_old)
    }

    /// All steps, ascending by ex-date.
    pub fn steps(&self) -> &[PriceStep] {
        &self.steps
    }
}

/// `1 − D · r / P`: what a dividend of `amount` a share does to earlier prices, where `close` is the raw
/// close before the ex-date and `split` the new shares per old of the same date (the amount is per share as
/// it trades on that date; 1 without a split). `None` unless `0 < factor`.
///
/// Source: CRSP, "Data Descriptions Guide", price adjustment factor for cash distributions.
pub fn dividend_factor(amount: Price, close: Price, split: Ratio) -> Option<Ratio> {
    let share = Ratio::of((amount * split).decimal(), close.decimal())?;
    let factor = Ratio::ONE.decimal().checked_sub(share.decimal())?;
    Some(Ratio::new(factor)).filter(|f| f.is_positive() && close.is_positive())
}

fn splits_of(day: &[&CorporateAction]) -> Result<Ratio, CannotConvert> {
    let mut ratios: Vec<Ratio> = Vec::new();
    for action in day {
        if let ActionKind::Split { new_per_old } = action.kind {
            if !new_per_old.is_positive() {
                return Err(CannotConvert::BrokenSplit { ex_date: action.ex_date });
            }
            // No share is split twice on one date: records of one are several vendors' words for it.
            if !ratios.iter().any(|known| alike(known.to_f64(), new_per_old.to_f64(), 0.001)) {
                ratios.push(new_per_old);
            }
        }
    }
    match ratios.as_slice() {
        [] => Ok(Ratio::ONE),
        [ratio] => Ok(*ratio),
        _ => Err(CannotConvert::BrokenSplit { ex_date: day[0].ex_date }),
    }
}

fn dividends_of(
    day: &[&CorporateAction],
    denomination: Option<Denomination>,
) -> Result<Vec<Price>, CannotConvert> {
    let mut amounts: Vec<Price> = Vec::new();
    for action in day {
        if let ActionKind::Dividend { amount, denomination: paid_in } = &action.kind {
            let amount = match (*paid_in, denomination) {
                (Some(paid), Some(priced)) if paid.currency != priced.currency => {
                    return Err(CannotConvert::DividendCurrency { ex_date: action.ex_date });
                }
                (Some(paid), Some(priced)) if paid.unit != priced.unit => match priced.unit {
                    Unit::Major => paid.to_major(*amount),
                    Unit::Minor => *amount * Ratio::from(100),
                },
                _ => *amount,
            };
            let told = amounts.iter().any(|known| alike(known.to_f64(), amount.to_f64(), 0.01));
            if amount.is_positive() && !told {
                amounts.push(amount);
            }
        }
    }
    Ok(amounts)
}

/// Whether two vendors' figures are one figure, rounded differently.
fn alike(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * a.abs()
}
