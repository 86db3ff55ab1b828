//! The grade of an answer, written. Both the ordinary and the short way to an answer write it here, so that
//! they cannot differ.

use quality::grade::Loss;
use quality::{Finding, Grade};
use serde::Serialize;
use utoipa::ToSchema;

use crate::meta::FindingTold;

/// The grade of an answer at the moment of serving.
#[derive(Serialize, ToSchema)]
pub struct GradeTold {
    /// `A` to `F`, against the delivery class the vendor declares.
    pub letter: &'static str,
    /// `A` to `F`, against real time.
    pub strict: &'static str,
    /// 0 to 100.
    pub score: f32,
    /// The five dimensions, 0 to 100 each.
    pub dimensions: DimensionsTold,
    /// Every point between 100 and the score, with the rule it was lost by (below zero: won).
    pub reasons: Vec<ReasonTold>,
    /// The missed criterion that holds the score down, if one does.
    #[schema(required = true)]
    pub cap: Option<&'static str>,
    /// Lateness beyond the declared class, in milliseconds; `null` if it cannot be known.
    #[schema(required = true)]
    pub delay_ms: Option<u64>,
    /// What validation saw.
    pub findings: Vec<FindingTold>,
}

/// The five dimensions, 0 to 100 each.
#[derive(Serialize, ToSchema)]
pub struct DimensionsTold {
    /// How likely the value is right, by what independent vendors say.
    pub accuracy: f32,
    /// How early it came for its class.
    pub timeliness: f32,
    /// Share of what is asked of its kind that is there.
    pub completeness: f32,
    /// Share of the checks it passed.
    pub consistency: f32,
    /// The vendor's record.
    pub reliability: f32,
}

/// Points lost, and by which rule.
#[derive(Serialize, ToSchema)]
pub struct ReasonTold {
    /// Id of a rule, a criterion, a dimension, `DECAY` or `BONUS`.
    pub reason: &'static str,
    /// Points; below zero they were won.
    pub points: f32,
}

/// Writes a grade as JSON up to its findings, which [`write_findings`] adds.
pub fn write_grade(out: &mut Vec<u8>, grade: &Grade, losses: &[Loss], delay_secs: Option<f64>) {
    out.extend_from_slice(b"{\"letter\":\"");
    out.extend_from_slice(grade.letter.as_str().as_bytes());
    out.extend_from_slice(b"\",\"strict\":\"");
    out.extend_from_slice(grade.strict.as_str().as_bytes());
    out.extend_from_slice(b"\",\"score\":");
    write_hundredths(out, grade.score.points());
    let [accuracy, timeliness, completeness, consistency, reliability] = grade.dimensions.as_array();
    for (name, value) in [
        (&b",\"dimensions\":{\"accuracy\":"[..], accuracy),
        (b",\"timeliness\":", timeliness),
        (b",\"completeness\":", completeness),
        (b",\"consistency\":", consistency),
        (b",\"reliability\":", reliability),
    ] {
        out.extend_from_slice(name);
        write_hundredths(out, value);
    }
    out.extend_from_slice(b"},\"reasons\":[");
    for (index, loss) in losses.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"reason\":\"" } else { b",{\"reason\":\"" });
        out.extend_from_slice(loss.reason.as_bytes());
        out.extend_from_slice(b"\",\"points\":");
        write_hundredths(out, loss.points);
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"cap\":");
    match grade.cap {
        Some(cap) => {
            out.push(b'"');
            out.extend_from_slice(cap.id().as_bytes());
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"delay_ms\":");
    match delay_secs {
        Some(secs) => {
            out.extend_from_slice(itoa::Buffer::new().format((secs.max(0.0) * 1e3) as u64).as_bytes());
        }
        None => out.extend_from_slice(b"null"),
    }
}

/// Writes the findings and closes the grade.
pub fn write_findings(out: &mut Vec<u8>, findings: &[Finding]) {
    let told: Vec<FindingTold> = findings.iter().map(FindingTold::of).collect();
    out.extend_from_slice(b",\"findings\":");
    serde_json::to_writer(&mut *out, &told).expect("writing to memory does not fail");
    out.push(b'}');
}

/// A number with at most two decimals.
fn write_hundredths(out: &mut Vec<u8>, value: f32) {
    let hundredths = (f64::from(value) * 100.0).round() as i64;
    if hundredths < 0 {
        out.push(b'-');
    }
    let (whole, rest) = (hundredths.unsigned_abs() / 100, hundredths.unsigned_abs() % 100);
    out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    if rest > 0 {
        out.push(b'.');
        out.push(b'0' + (rest / 10) as u8);
        if rest % 10 > 0 {
            out.push(b'0' + (rest % 10) as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    // GRD-1.
    use super::*;

    #[test]
    fn points_are_written_with_two_decimals_at_most() {
        for (value, text) in
            [(93.5, "93.5"), (100.0, "100"), (0.0, "0"), (-2.25, "-2.25"), (0.07, "0.07"), (59.999, "60")]
        {
            let mut out = Vec::new();
            write_hundredths(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
