//! Validation of a bar series: one pass, no allocation for a clean row.

use domain::number::Decimal;
use domain::{Bar, BarSeries, Instant, Price, Range, Ratio, Size};

use super::context::{BarContext, Bounds};
use super::events::{self, Crossed, Step};
use super::gaps::{self, Coverage};
use super::row::{self, Numbers, note};
use super::{CONTRADICTION_SIGMAS, OUTLIER_SIGMAS, VOLUME_NOTE, VOLUME_SUSPECT};
use crate::adjustment::split::{SPLIT_TOLERANCE, likeness};
use crate::finding::{Expected, Fact, Field, Finding, Rule, Severity, Verdict};
use crate::float::{location_and_scale, median, of_decimal, of_price, of_size};

/// Returns and volumes are sampled evenly above so many rows.
const SAMPLE: usize = 2048;

/// Floor of the volatility of one step, for series that hardly move.
const LEAST_SIGMA: f64 = 0.0002;

/// What validation says of a series. Every row is still there and has its own verdict.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// What was seen: rows in order, then the series as a whole.
    pub findings: Vec<Finding>,
    /// One verdict a row.
    pub verdicts: Vec<Verdict>,
    /// What the calendar expects, what is there, and the gaps between.
    pub coverage: Coverage,
    /// Robust volatility of one step, in log return; `None` for fewer than five bars without history.
    pub sigma: Option<f64>,
}

impl Judged {
    /// The worst verdict of any row; a series without rows passes.
    pub fn worst(&self) -> Verdict {
        self.verdicts.iter().fold(Verdict::Pass, |worst, verdict| worst.worse(*verdict))
    }

    /// The findings about one row.
    pub fn of_row(&self, row: usize) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.row == Some(row))
    }
}

/// Judges a series. Order, duplicates, structure, bounds by its own volatility, known events, gaps.
///
/// Suspicions about the last row are as strong as one vendor can make them: `Checks::weigh` clears them when
/// another vendor agrees. Inside the series the next row decides: a move that stays is genuine, one that
/// returns at once is an error.
pub fn validate_bars(series: &BarSeries, context: &BarContext<'_>) -> Judged {
    let mut pass = Pass::new(series, context);
    let mut verdicts = vec![Verdict::Pass; series.bars.len()];
    let mut findings = Vec::new();
    for (row, bar) in series.bars.iter().enumerate() {
        let from = findings.len();
        pass.row(row, bar, &mut findings);
        for finding in &mut findings[from..] {
            finding.row = Some(row);
            verdicts[row] = verdicts[row].worse(finding.verdict());
        }
    }
    if series.denomination.is_none() && context.denomination.is_none() && !series.bars.is_empty() {
        let finding = Finding::new(Rule::UnknownCurrency, Field::Currency, Fact::Absent, Expected::Present);
        findings.push(finding);
    }
    let coverage = coverage(series, context, &mut findings);
    Judged { findings, verdicts, coverage, sigma: pass.sigma }
}

fn coverage(series: &BarSeries, context: &BarContext<'_>, findings: &mut Vec<Finding>) -> Coverage {
    let span = series.bars.first().zip(series.bars.last());
    let range = context.range.or_else(|| {
        span.map(|(first, last)| Range::new(first.start, last.start + series.interval.nominal_length()))
    });
    let (Some(calendar), Some(range)) = (context.calendar, range) else {
        return Coverage { present: series.bars.len(), ..Coverage::default() };
    };
    let starts = gaps::sorted_starts(&series.bars);
    let (coverage, longest) = gaps::coverage(&starts, series.interval, calendar, range, context.now);
    gaps::findings(&coverage, series.interval, longest, findings);
    coverage
}

/// The state carried from row to row.
struct Pass<'a> {
    series: &'a BarSeries,
    context: &'a BarContext<'a>,
    steps: Vec<Step>,
    next_step: usize,
    /// Robust volatility of one step, if known.
    sigma: Option<f64>,
    /// Exponentially weighted variance of recent steps, so that a stormy month is measured by itself.
    variance: f64,
    half_tick: f64,
    /// Median volume of the series where it has enough rows, else of the history.
    typical_volume: Option<f64>,
    /// The newest sound close, and when.
    reference: Option<(f64, Option<Instant>)>,
    /// Latest start so far, and its trading date.
    newest: Option<&'a Bar>,
}

impl<'a> Pass<'a> {
    fn new(series: &'a BarSeries, context: &'a BarContext<'a>) -> Pass<'a> {
        let own = sampled_sigma(&series.bars);
        let sigma = own.or(context.history.and_then(|h| h.sigma));
        let history = context.history.and_then(|h| Some((of_price(Some(h.last_close?)), h.last)));
        let mut pass = Pass {
            series,
            context,
            steps: events::steps(context.actions, context.calendar),
            next_step: 0,
            sigma,
            variance: sigma.map_or(0.0, |s| s * s),
            half_tick: context.tick.map_or(0.0, |t| of_decimal(t.decimal()) / 2.0),
            typical_volume: sampled_volume(&series.bars).or(context.history.and_then(|h| h.median_volume)),
            reference: history,
            newest: None,
        };
        pass.skip_past_steps();
        pass
    }

    /// Leaves only steps after the history's end: earlier ones are in its closes already.
    fn skip_past_steps(&mut self) {
        let Some(first) = self.series.bars.first() else { return };
        let last_of_history = self.reference.and_then(|(_, at)| at);
        self.next_step = self.steps.partition_point(|step| match last_of_history {
            Some(last) => step.from <= last,
            // Without a date of the past only the first row's own date can explain its move.
            None if self.reference.is_some() => first
                .trading_date
                .map_or(step.from + std::time::Duration::from_secs(86_400) <= first.start, |d| step.date < d),
            None => events::reached(step, first.trading_date, first.start),
        });
    }

    fn row(&mut self, row: usize, bar: &'a Bar, out: &mut Vec<Finding>) {
        let n = Numbers::of(bar);
        row::check(bar, &n, self.series.interval, self.context, out);
        let in_order = self.order(bar, out);
        if in_order && n.close > 0.0 {
            self.movement(row, bar, &n, out);
        }
        self.volume(row, &n, bar, out);
    }

    /// Whether the row is later than all before it.
    fn order(&mut self, bar: &'a Bar, out: &mut Vec<Finding>) -> bool {
        let Some(newest) = self.newest else {
            self.newest = Some(bar);
            return true;
        };
        let same_date = !self.series.interval.is_intraday()
            && bar.trading_date.is_some()
            && bar.trading_date == newest.trading_date;
        if bar.start == newest.start || same_date {
            let expected = Expected::Above(Fact::Time(newest.start));
            out.push(Finding::new(Rule::Duplicate, Field::Time, Fact::Time(bar.start), expected));
            return false;
        }
        if bar.start < newest.start {
            let expected = Expected::Above(Fact::Time(newest.start));
            out.push(Finding::new(Rule::OutOfOrder, Field::Time, Fact::Time(bar.start), expected));
            return false;
        }
        self.newest = Some(bar);
        true
    }

    /// The steps this row crosses since the reference.
    fn crossed(&mut self, bar: &Bar, previous: f64) -> Crossed {
        let mut crossed = Crossed::NONE;
        while let Some(step) = self.steps.get(self.next_step) {
            if !events::reached(step, bar.trading_date, bar.start) {
                break;
            }
            crossed = crossed.with(step, previous);
            self.next_step += 1;
        }
        crossed
    }

    fn movement(&mut self, row: usize, bar: &Bar, n: &Numbers, out: &mut Vec<Finding>) {
        let Some((previous, at)) = self.reference.filter(|(p, _)| *p > 0.0) else {
            self.crossed(bar, n.close);
            self.reference = Some((n.close, Some(bar.start)));
            return;
        };
        let crossed = self.crossed(bar, previous);
        let change = n.close / previous - 1.0;
        let sigma = self.scale(previous, bar, at);
        if !crossed.any {
            self.notes(n, previous, change, out);
        }
        let calm = match sigma {
            Some(sigma) => change.abs() < 3.0 * sigma,
            None => change.abs() < 0.2,
        };
        let mut keep = true;
        if crossed.any || !calm {
            keep = self.unusual(row, n, previous, sigma, crossed, out);
        }
        if keep {
            let winsorised = change.abs().min(4.0 * sigma.unwrap_or(LEAST_SIGMA));
            self.variance = 0.94 * self.variance + 0.06 * winsorised * winsorised;
            self.reference = Some((n.close, Some(bar.start)));
        }
    }

    /// Volatility of the step to this row: the larger of the robust and the recent one, never below half a
    /// tick, and scaled by the square root of time across a night or a pause.
    fn scale(&self, previous: f64, bar: &Bar, at: Option<Instant>) -> Option<f64> {
        let robust = self.sigma?;
        let step = robust.max(self.variance.sqrt()).max(self.half_tick / previous).max(LEAST_SIGMA);
        let Some(length) = self.series.interval.fixed_length() else { return Some(step) };
        let elapsed = at.map_or(length, |at| bar.start.since(at));
        let steps = elapsed.as_secs_f64() / length.as_secs_f64();
        Some(if steps > 1.0 { step * steps.sqrt() } else { step })
    }

    fn notes(&self, n: &Numbers, previous: f64, change: f64, out: &mut Vec<Finding>) {
        let bounds = self.context.bounds;
        let gap = n.open / previous - 1.0;
        if gap.abs() > 0.2 && n.open > 0.0 {
            out.push(note(Rule::OpeningGap, Field::Open, gap, 0.2, bounds));
        }
        if change >= 1.0 {
            out.push(note(Rule::PossibleReverseSplit, Field::Close, change, 1.0, bounds));
        }
        if bounds == Bounds::Compatibility && change.abs() > 0.5 {
            let expected = Expected::AtMost(Fact::Share(0.5));
            out.push(Finding::new(Rule::OutOfBounds, Field::Close, Fact::Share(change), expected));
        }
    }

    /// Looks closely at a large move or a day with a known event. False if the close is an error that the
    /// next row must not be measured from.
    fn unusual(
        &self,
        row: usize,
        n: &Numbers,
        previous: f64,
        sigma: Option<f64>,
        crossed: Crossed,
        out: &mut Vec<Finding>,
    ) -> bool {
        let traded = (n.close / previous).ln();
        let split = crossed.new_per_old.ln();
        let restated = self.series.adjustment.covers_splits();
        // Against raw history, or in a raw series, the split shows; in a restated series it does not.
        let from_history = row == 0;
        let shows = match restated {
            Some(true) if !from_history => Some(false),
            Some(_) => Some(true),
            None => None,
        };
        let (as_raw, as_restated) = (traded + split, traded);
        if let Some(shows) = shows.filter(|_| split.abs() > 0.25 && !from_history) {
            let wrong = if shows { as_restated } else { as_raw };
            if wrong.abs() < 0.3 * split.abs() {
                let expected = if shows { 1.0 / crossed.new_per_old - 1.0 } else { 0.0 };
                let change = Fact::Share(n.close / previous - 1.0);
                let expected = Expected::About(Fact::Share(expected));
                out.push(Finding::new(Rule::BasisMismatch, Field::Close, change, expected));
                return true;
            }
        }
        let unexplained = match shows {
            Some(true) => as_raw,
            Some(false) => as_restated,
            None if as_raw.abs() < as_restated.abs() => as_raw,
            None => as_restated,
        };
        let residual = unexplained - crossed.cash_factor.ln();
        let Some(sigma) = sigma else { return true };
        let sigmas = residual.abs() / sigma;
        if sigmas < OUTLIER_SIGMAS || self.is_eventful(row) {
            return true;
        }
        self.outlier(row, n, previous, residual, sigmas, out)
    }

    fn is_eventful(&self, row: usize) -> bool {
        let bar = &self.series.bars[row];
        !self.context.eventful.is_empty()
            && self.context.eventful.contains(&bar.trading_date.unwrap_or_else(|| bar.start.utc_date()))
    }

    /// A move of six sigma and more that no record explains.
    fn outlier(
        &self,
        row: usize,
        n: &Numbers,
        previous: f64,
        residual: f64,
        sigmas: f64,
        out: &mut Vec<Finding>,
    ) -> bool {
        let next =
            self.series.bars[row + 1..].iter().map(|bar| of_price(bar.close)).find(|close| *close > 0.0);
        let returns = next.map(|next| {
            let back = (next / n.close).ln();
            back * residual < 0.0 && (back + residual).abs() < 0.3 * residual.abs()
        });
        let factor = unit_factor(residual);
        let like = likeness(previous, n.close, SPLIT_TOLERANCE);
        let close = self.series.bars[row].close.expect("a close above zero is present");
        let expected =
            Expected::About(Fact::Price(Price::from_f64((previous * 1e6).round() / 1e6).unwrap_or_default()));
        match (returns, factor, like) {
            // It stays and looks like a split nobody told us about.
            (Some(false), None | Some(-1 | 1), Some(like)) => {
                let expected = Expected::About(Fact::Ratio(like.new_per_old.inverse().unwrap_or_default()));
                let share = Fact::Share(n.close / previous - 1.0);
                let finding = Finding::new(Rule::PossibleSplit, Field::Close, share, expected);
                out.push(finding.with_confidence(like.confidence));
                true
            }
            (_, Some(power), _) => {
                let factor = Fact::Ratio(power_of_ten(power));
                let finding = Finding::new(Rule::UnitFactor, Field::Close, factor, expected);
                out.push(finding.with_confidence(if returns == Some(false) { 0.7 } else { 0.95 }));
                returns == Some(false)
            }
            // The next row confirms the move: genuine.
            (Some(false), None, None) => true,
            (Some(true), None, _) => {
                let finding = Finding::new(Rule::OutlierMove, Field::Close, Fact::Price(close), expected);
                out.push(finding.with_confidence(0.9));
                false
            }
            (None, None, _) => {
                let rule = if sigmas >= CONTRADICTION_SIGMAS {
                    Rule::HistoryContradicted
                } else {
                    Rule::OutlierMove
                };
                let at_most = Expected::AtMost(Fact::Sigmas(OUTLIER_SIGMAS));
                let finding = Finding::new(rule, Field::Close, Fact::Sigmas(sigmas), at_most);
                out.push(finding.with_confidence(0.7));
                true
            }
        }
    }

    fn volume(&self, row: usize, n: &Numbers, bar: &Bar, out: &mut Vec<Finding>) {
        let Some(typical) = self.typical_volume else { return };
        if !(n.volume > 0.0 && (n.volume > VOLUME_NOTE * typical || n.volume * VOLUME_NOTE < typical)) {
            return;
        }
        // Within a day volume follows the clock, which one median for all windows knows nothing of.
        let of_a_day = !self.series.interval.is_intraday();
        let newest = row + 1 == self.series.bars.len();
        let suspect = n.volume > VOLUME_SUSPECT * typical && newest && self.context.history.is_some();
        if (suspect || of_a_day) && !self.is_eventful(row) {
            let Some(size) = bar.volume else { return };
            let low = Size::from_f64((typical / VOLUME_NOTE).round()).unwrap_or_default();
            let high = Size::from_f64((typical * VOLUME_NOTE).round()).unwrap_or_default();
            let expected = Expected::Between(Fact::Size(low), Fact::Size(high));
            let finding = Finding::new(Rule::VolumeOutlier, Field::Volume, Fact::Size(size), expected);
            let severity = if suspect { Severity::High } else { Severity::Info };
            out.push(finding.with_severity(severity).with_confidence(0.7));
        }
    }
}

/// The power of ten nearest to a log move, from ±1 to ±4, if it is one within a tolerance of 5 %.
pub(crate) fn unit_factor(log_move: f64) -> Option<i32> {
    let powers = log_move / std::f64::consts::LN_10;
    let nearest = powers.round();
    let within = (powers - nearest).abs() < 0.02 && (1.0..=4.0).contains(&nearest.abs());
    within.then_some(nearest as i32)
}

/// Ten to a power from −4 to 4, exact.
pub(crate) fn power_of_ten(power: i32) -> Ratio {
    let exponent = power.unsigned_abs();
    Ratio::new(if power < 0 {
        Decimal::new(1, exponent)
    } else {
        Decimal::from(10_u64.saturating_pow(exponent))
    })
}

/// Robust volatility of one step from an even sample of the log returns; `None` below five bars.
fn sampled_sigma(bars: &[Bar]) -> Option<f64> {
    if bars.len() < 5 {
        return None;
    }
    let stride = bars.len().div_ceil(SAMPLE);
    let mut returns: Vec<f64> = (1..bars.len())
        .step_by(stride)
        .map(|row| (of_price(bars[row].close) / of_price(bars[row - 1].close)).ln())
        .filter(|r| r.is_finite())
        .collect();
    (returns.len() >= 4).then(|| location_and_scale(&mut returns).1)
}

/// Median volume from an even sample; `None` below five bars.
fn sampled_volume(bars: &[Bar]) -> Option<f64> {
    if bars.len() < 5 {
        return None;
    }
    let stride = bars.len().div_ceil(SAMPLE);
    let mut volumes: Vec<f64> =
        bars.iter().step_by(stride).map(|bar| of_size(bar.volume)).filter(|v| *v > 0.0).collect();
    (volumes.len() >= 5).then(|| median(&mut volumes))
}

#[cfg(test)]
#[path = "bars_tests.rs"]
mod tests;
