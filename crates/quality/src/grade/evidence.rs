//! Everything a grade knows of a datum that does not depend on the time of serving.

use std::time::Duration;

use domain::{Bar, InstrumentKind, Quote};

use crate::cross_check::{Agreement, CrossCheck};
use crate::finding::{Aspect, Finding, Rule, Severity};
use crate::validation::Judged;

/// Which criteria apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Bid and ask are asked of it; it ages.
    Quote,
    /// A bar whose window has not ended; it ages.
    BarInProgress,
    /// A bar, or a series of bars, that will not change; only its delay at arrival counts.
    FinalBar,
}

/// What is known of the volume. Ordered from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VolumeState {
    /// Stated, or not a thing this kind of instrument has.
    Stated,
    /// An estimate.
    Estimated,
    /// Absent.
    Missing,
}

/// Which fields and rows are there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Completeness {
    /// A price, of at least zero meaning: a quote's price, a bar's close or any other.
    pub price: bool,
    /// All of open, high, low and close; asked of bars only.
    pub ohlc: bool,
    /// Both bid and ask; asked of quotes only.
    pub bid_ask: bool,
    /// The volume.
    pub volume: VolumeState,
    /// Currency and unit.
    pub metadata: bool,
    /// Share of the expected rows that are there, in `[0, 1]`; 1 for a single datum.
    pub coverage: f32,
}

impl Completeness {
    /// Nothing is missing.
    pub const FULL: Completeness = Completeness {
        price: true,
        ohlc: true,
        bid_ask: true,
        volume: VolumeState::Stated,
        metadata: true,
        coverage: 1.0,
    };

    /// Of a quote.
    pub fn of_quote(quote: &Quote, kind: InstrumentKind, denominated: bool) -> Completeness {
        Completeness {
            price: quote.price().is_some_and(|price| price != domain::Price::ZERO),
            bid_ask: quote.bid.is_some() && quote.ask.is_some(),
            volume: volume_state(quote.volume.is_some(), kind),
            metadata: denominated,
            ..Completeness::FULL
        }
    }

    /// Of one bar.
    pub fn of_bar(bar: &Bar, kind: InstrumentKind, denominated: bool) -> Completeness {
        let prices = [bar.open, bar.high, bar.low, bar.close];
        let zero = bar.close.is_some_and(|close| close == domain::Price::ZERO);
        Completeness {
            price: prices.iter().any(Option::is_some) && !zero,
            ohlc: prices.iter().all(Option::is_some),
            volume: volume_state(bar.volume.is_some(), kind),
            metadata: denominated,
            ..Completeness::FULL
        }
    }

    /// Of a series: the worst of its rows, and the share of expected rows.
    pub fn of_series(bars: &[Bar], kind: InstrumentKind, denominated: bool, judged: &Judged) -> Completeness {
        let coverage = judged.coverage.share() as f32;
        let full = Completeness { metadata: denominated, coverage, ..Completeness::FULL };
        bars.iter().fold(full, |worst, bar| {
            let row = Completeness::of_bar(bar, kind, denominated);
            Completeness {
                price: worst.price && row.price,
                ohlc: worst.ohlc && row.ohlc,
                volume: worst.volume.max(row.volume),
                ..worst
            }
        })
    }

    /// The same with a volume that is known to be an estimate, if there is one.
    pub fn with_estimated_volume(self) -> Completeness {
        Completeness { volume: self.volume.max(VolumeState::Estimated), ..self }
    }

    /// Whether everything asked of this kind is there.
    pub(super) fn is_full(&self, kind: Kind) -> bool {
        let own = if kind == Kind::Quote { self.bid_ask } else { self.ohlc };
        self.price && own && self.volume == VolumeState::Stated && self.metadata && self.coverage >= 1.0
    }
}

fn volume_state(stated: bool, kind: InstrumentKind) -> VolumeState {
    if stated || !crate::validation::has_volume(kind) { VolumeState::Stated } else { VolumeState::Missing }
}

/// What the checks of values found, weighed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Checks {
    /// Warnings: findings of medium severity.
    pub warnings: u16,
    /// Failed checks: findings of high severity, and the contradiction of history.
    pub failed: u16,
    /// Major anomalies: findings of critical severity but the contradiction of history.
    pub major: u16,
    /// Findings of low severity.
    pub minor: u16,
    /// Whether the value contradicts its own history.
    pub contradicted: bool,
    /// Whether a window occurs twice.
    pub duplicates: bool,
    /// Points taken off by rule, 0 to 100.
    pub deductions: f32,
}

/// A single datum has about this share of its fields affected by one finding.
const ONE_FIELD: f32 = 0.2;

impl Checks {
    /// Weighs findings about a datum of so many rows (1 for a quote). Only checks of the values count:
    /// what is missing, late or disputed has its own place in the evidence.
    ///
    /// A suspicion counts while nobody confirms it: another feed that says the same clears a large move or a
    /// factor, another feed with about the same volume clears an unusual volume.
    pub fn weigh(findings: &[Finding], rows: usize, cross_check: &CrossCheck) -> Checks {
        let mut checks = Checks::default();
        let mut previous = None;
        for finding in counted(findings, cross_check) {
            // One rule broken twice in one row is one failed check.
            let key = (finding.rule, finding.row);
            let contradiction = finding.rule == Rule::HistoryContradicted;
            checks.contradicted |= contradiction;
            if finding.severity != Severity::Info && previous.replace(key) != Some(key) {
                let counter = match finding.severity {
                    // A real event may contradict the past: one failed check, with a criterion of its own.
                    Severity::Critical if contradiction => &mut checks.failed,
                    Severity::Critical => &mut checks.major,
                    Severity::High => &mut checks.failed,
                    Severity::Medium => &mut checks.warnings,
                    Severity::Low | Severity::Info => &mut checks.minor,
                };
                *counter = counter.saturating_add(1);
            }
            checks.duplicates |= finding.rule == Rule::Duplicate;
        }
        if checks != Checks::default() {
            checks.deductions = deductions(findings, rows, cross_check)
                .iter()
                .map(|(_, points)| points)
                .sum::<f32>()
                .min(100.0);
        }
        checks
    }
}

/// The findings that still stand, given what other vendors say: all but confirmed suspicions.
pub fn standing<'a>(findings: &'a [Finding], cross_check: &CrossCheck) -> impl Iterator<Item = &'a Finding> {
    let (price, volume) = (cross_check.agreement.confirms(), cross_check.volume_confirmed);
    findings.iter().filter(move |finding| match finding.rule {
        Rule::VolumeOutlier => !volume,
        _ => !(finding.rule.is_suspicion() && price),
    })
}

fn counted<'a>(findings: &'a [Finding], cross_check: &CrossCheck) -> impl Iterator<Item = &'a Finding> {
    standing(findings, cross_check).filter(|finding| finding.rule.aspect() == Aspect::Check)
}

/// Points each rule takes off: critical 25 to 50, high 10 to 20, medium 5 to 10, low 2 to 4 as the share of
/// rows affected goes from none to all, times the confidence; a note nothing.
pub(super) fn deductions(findings: &[Finding], rows: usize, cross_check: &CrossCheck) -> Vec<(Rule, f32)> {
    let mut rules: Vec<(Rule, f32, f32, usize, Option<usize>)> = Vec::new();
    for finding in counted(findings, cross_check) {
        let base = match finding.severity {
            Severity::Critical => 25.0,
            Severity::High => 10.0,
            Severity::Medium => 5.0,
            Severity::Low => 2.0,
            Severity::Info => continue,
        };
        match rules.iter_mut().find(|(rule, ..)| *rule == finding.rule) {
            Some((_, known, confidence, affected, last)) => {
                *known = known.max(base);
                *confidence = confidence.max(finding.confidence);
                if *last != finding.row {
                    (*affected, *last) = (*affected + 1, finding.row);
                }
            }
            None => rules.push((finding.rule, base, finding.confidence, 1, finding.row)),
        }
    }
    rules
        .into_iter()
        .map(|(rule, base, confidence, affected, _)| {
            let share = if rows <= 1 { ONE_FIELD } else { (affected as f32 / rows as f32).min(1.0) };
            (rule, base * (1.0 + share) * confidence)
        })
        .collect()
}

/// Everything age-independent about one datum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Which criteria apply.
    pub kind: Kind,
    /// What is there.
    pub completeness: Completeness,
    /// What the checks found.
    pub checks: Checks,
    /// How the value stands among independent vendors.
    pub agreement: Agreement,
    /// Whether another feed says something else while the value stands.
    pub dissent: bool,
    /// Whether the nearest other voice lies beyond 1.7 times the value.
    pub far_apart: bool,
    /// Lower bound of the vendor's reliability for this kind of data, in `[0, 1]`.
    pub reliability: f32,
    /// The delay the vendor's delivery class promises; for end of day counted from the close.
    pub declared_delay: Duration,
    /// Time to live; no meaning for a final bar.
    pub ttl: Duration,
    /// Freshness ceiling of the vendor class; no meaning for a final bar.
    pub ceiling: Duration,
    /// Whether the vendor's circuit breaker was degraded.
    pub degraded: bool,
    /// Whether it is served past its time because the refresh failed.
    pub served_stale: bool,
}

impl Evidence {
    /// What is known right after arrival of a complete, unobjectionable datum that nobody else confirms yet.
    pub fn new(kind: Kind, declared_delay: Duration, ttl: Duration, ceiling: Duration) -> Evidence {
        Evidence {
            kind,
            completeness: Completeness::FULL,
            checks: Checks::default(),
            agreement: Agreement::Alone,
            dissent: false,
            far_apart: false,
            reliability: 0.0,
            declared_delay,
            ttl,
            ceiling,
            degraded: false,
            served_stale: false,
        }
    }

    /// The same with what other vendors say.
    pub fn with_cross_check(self, cross_check: &CrossCheck) -> Evidence {
        Evidence {
            agreement: cross_check.agreement,
            dissent: !cross_check.dissenters.is_empty(),
            far_apart: cross_check.far_apart,
            ..self
        }
    }
}
