//! Restating prices for splits and dividends, as vendors do.

use domain::{ActionKind, Adjustment, Bar, CorporateAction, Date, Price, Ratio};

/// What one ex-date does to everything before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    ex_date: Date,
    /// New shares per old.
    split: Ratio,
    /// Factor on prices for the dividend: one less its share of the close before (CRSP, "Data definitions:
    /// factor to adjust price").
    dividend: Ratio,
}

/// The steps of some actions. `close_before` gives the close as traded of the last session before a date.
pub(crate) fn steps(actions: &[&CorporateAction], close_before: impl Fn(Date) -> Option<Price>) -> Vec<Step> {
    actions
        .iter()
        .filter_map(|action| {
            let ex_date = action.ex_date;
            match &action.kind {
                ActionKind::Split { new_per_old } => {
                    Some(Step { ex_date, split: *new_per_old, dividend: Ratio::ONE })
                }
                ActionKind::Dividend { amount, .. } => {
                    let close = close_before(ex_date)?;
                    let kept = Price::new(close.decimal() - amount.decimal());
                    Some(Step { ex_date, split: Ratio::ONE, dividend: (kept / close)? })
                }
                ActionKind::Rename { .. } | ActionKind::Merger { .. } => None,
            }
        })
        .collect()
}

/// Restates bars in place and gives those with a trading date a close adjusted for everything.
pub(crate) fn apply(
    steps: &[Step],
    adjustment: Adjustment,
    bars: &mut [Bar],
    date_of: impl Fn(&Bar) -> Date,
) {
    let splits = adjustment.covers_splits().unwrap_or(false);
    let dividends = adjustment.covers_dividends().unwrap_or(false);
    for bar in bars {
        let date = bar.trading_date.unwrap_or_else(|| date_of(bar));
        let later = || steps.iter().filter(|step| step.ex_date > date);
        let split = later().fold(Ratio::ONE, |product, step| product.times(step.split));
        let dividend = later().fold(Ratio::ONE, |product, step| product.times(step.dividend));
        if bar.trading_date.is_some() {
            bar.vendor_adjusted_close =
                bar.close.and_then(|close| restated(close, Some(split), Some(dividend)));
        }
        if split == Ratio::ONE && dividend == Ratio::ONE {
            continue;
        }
        let (split, dividend) = (splits.then_some(split), dividends.then_some(dividend));
        for price in [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close] {
            *price = price.and_then(|price| restated(price, split, dividend));
        }
        if let Some(split) = split {
            bar.volume = bar.volume.map(|volume| volume * split);
        }
    }
}

/// A price divided by the split ratio and multiplied by the dividend factor.
fn restated(price: Price, split: Option<Ratio>, dividend: Option<Ratio>) -> Option<Price> {
    let divided = price.decimal().checked_div(split.unwrap_or(Ratio::ONE).decimal())?;
    Some(Price::new(divided) * dividend.unwrap_or(Ratio::ONE))
}

#[cfg(test)]
mod tests {
    use domain::{Instant, InstrumentId, Size, Venue};

    use super::*;

    #[test]
    fn a_split_divides_what_was_before_it_and_a_dividend_takes_its_share() {
        let id = InstrumentId::new("T", Venue::US);
        let action = |day, kind| CorporateAction::new(id.clone(), Date::constant(2020, 1, day), kind);
        let price = |text| Price::parse(text).unwrap();
        let split = action(10, ActionKind::Split { new_per_old: Ratio::new(4.into()) });
        let paid = action(20, ActionKind::Dividend { amount: price("1"), denomination: None });
        let steps = steps(&[&split, &paid], |_| Some(price("100")));
        let restate = |adjustment, day| {
            let date = Date::constant(2020, 1, day);
            let mut bars = [Bar {
                trading_date: Some(date),
                ..Bar::new(Instant::from_utc_midnight(date), [price("400"); 4], Size::from(10))
            }];
            apply(&steps, adjustment, &mut bars, |_| date);
            let [bar] = bars;
            [bar.close, bar.vendor_adjusted_close].map(|p| p.unwrap().to_string()).join(" ")
                + &format!(" {}", bar.volume.unwrap())
        };
        assert_eq!(restate(Adjustment::Raw, 9), "400 99 10");
        assert_eq!(restate(Adjustment::Split, 9), "100 99 40");
        assert_eq!(restate(Adjustment::Dividend, 9), "396 99 10");
        assert_eq!(restate(Adjustment::All, 9), "99 99 40");
        assert_eq!(restate(Adjustment::All, 10), "396 396 10", "the ex-date itself is already split");
        assert_eq!(restate(Adjustment::All, 20), "400 400 10");
    }
}
