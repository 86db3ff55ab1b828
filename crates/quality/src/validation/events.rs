//! Known events that explain a move: splits, dividends, and dates on which anything may happen.

use domain::{ActionKind, Calendar, CorporateAction, Date, Instant};

use crate::float::of_decimal;

/// One known step of the price.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// First trading date at the new level.
    pub(crate) date: Date,
    /// First instant at the new level, for rows that state no trading date.
    pub(crate) from: Instant,
    /// New shares per old; 1 for a dividend.
    pub(crate) new_per_old: f64,
    /// Cash paid; 0 for a split.
    pub(crate) cash: f64,
}

/// The steps among the actions, ascending.
pub(crate) fn steps(actions: &[CorporateAction], calendar: Option<&Calendar>) -> Vec<Step> {
    let mut steps: Vec<Step> = actions
        .iter()
        .filter_map(|action| {
            let (new_per_old, cash) = match &action.kind {
                ActionKind::Split { new_per_old } => (of_decimal(new_per_old.decimal()), 0.0),
                ActionKind::Dividend { amount, .. } => (1.0, of_decimal(amount.decimal())),
                ActionKind::Rename { .. } | ActionKind::Merger { .. } => return None,
            };
            let from = calendar
                .and_then(|c| c.session_on(action.ex_date))
                .map_or_else(|| Instant::from_utc_midnight(action.ex_date), |session| session.hours.start);
            (new_per_old > 0.0).then_some(Step { date: action.ex_date, from, new_per_old, cash })
        })
        .collect();
    steps.sort_by_key(|step| step.date);
    steps
}

/// Whether a row of this date and start lies at or after the step.
pub(crate) fn reached(step: &Step, date: Option<Date>, start: Instant) -> bool {
    date.map_or(start >= step.from, |date| date >= step.date)
}

/// New shares per old, and cash as a share of the previous close, of the steps a row crosses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Crossed {
    /// Product of the split ratios.
    pub(crate) new_per_old: f64,
    /// Factor on the price by the dividends, at most 1.
    pub(crate) cash_factor: f64,
    /// Whether any step was crossed.
    pub(crate) any: bool,
}

impl Crossed {
    /// None.
    pub(crate) const NONE: Crossed = Crossed { new_per_old: 1.0, cash_factor: 1.0, any: false };

    /// One step more, given the close before it.
    pub(crate) fn with(self, step: &Step, previous_close: f64) -> Crossed {
        let paid = step.cash / previous_close;
        let factor = if paid > 0.0 && paid < 1.0 { 1.0 - paid } else { 1.0 };
        Crossed {
            new_per_old: self.new_per_old * step.new_per_old,
            cash_factor: self.cash_factor * factor,
            any: true,
        }
    }
}
