//! Why a grade is not a hundred, point by point. Built only when someone asks.

use super::evidence::{Evidence, deductions};
use super::{Grade, Settings};
use crate::cross_check::CrossCheck;
use crate::finding::Finding;

/// Points lost (or, below zero, won) and the rule they were lost by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// Id of a rule, a criterion, a dimension, `DECAY` or `BONUS`.
    pub reason: &'static str,
    /// Points.
    pub points: f32,
}

/// Every point between 100 and the score, by its rule. They add up to `100 − score` within rounding.
///
/// The findings and the cross-check are those the evidence was weighed from, `rows` likewise.
pub fn losses(
    settings: &Settings,
    evidence: &Evidence,
    grade: &Grade,
    findings: &[Finding],
    rows: usize,
    cross_check: &CrossCheck,
) -> Vec<Loss> {
    const NAMES: [&str; 5] = ["ACCURACY", "TIMELINESS", "COMPLETENESS", "CONSISTENCY", "RELIABILITY"];
    let mut out: Vec<Loss> = Vec::new();
    let mut push = |reason, points: f32| {
        if points.abs() >= 0.005 {
            out.push(Loss { reason, points });
        }
    };
    for ((name, weight), value) in
        NAMES.into_iter().zip(settings.weights.as_array()).zip(grade.dimensions.as_array())
    {
        push(name, weight * (100.0 - value));
    }
    let by_rule = deductions(findings, rows, cross_check);
    let total: f32 = by_rule.iter().map(|(_, points)| points).sum();
    // Deductions end at a hundred; what lies beyond is shared out evenly.
    let scale = if total > 0.0 { evidence.checks.deductions / total } else { 0.0 };
    for (rule, points) in by_rule {
        push(rule.id(), points * scale);
    }
    push("DECAY", grade.decay);
    push("BONUS", -grade.bonus);
    let explained: f32 = out.iter().map(|loss| loss.points).sum();
    let rest = 100.0 - grade.score.points() - explained;
    if rest.abs() >= 0.005 {
        // Above: a cap cut the score. Below: the score ends at 0, or the bonus at 100.
        let reason = match grade.cap {
            Some(cap) if rest > 0.0 => cap.id(),
            _ => "LIMIT",
        };
        out.push(Loss { reason, points: rest });
    }
    out
}
