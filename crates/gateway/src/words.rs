//! Questions and policies in words, for decision records.

use vendors::Question;

/// A question in words: `bars 1d of AAPL.XNAS from 2015-01-12T00:00:00Z to 2017-12-30T00:00:00Z`.
pub fn question(question: &Question) -> String {
    let span =
        question.range().map(|range| format!(" from {} to {}", range.start, range.end)).unwrap_or_default();
    let of: Vec<String> = question.instruments().iter().map(ToString::to_string).collect();
    let of = if of.is_empty() { String::new() } else { format!(" of {}", of.join(", ")) };
    match question {
        Question::Bars { interval, adjustment, .. } => format!("bars {interval} {adjustment}{of}{span}"),
        Question::Search { words, .. } => format!("search for {words:?}"),
        other => format!("{}{of}{span}", other.capability().as_str()),
    }
}
