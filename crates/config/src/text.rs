//! Reading scalars people write: durations with a unit, booleans, words of a closed set.

use std::time::Duration;

/// Reads a duration with its unit: `750ms`, `5s`, `2m`, `1h`, `7d`.
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().ok()?;
    let secs = match unit.trim() {
        "ms" => number / 1e3,
        "s" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3_600.0,
        "d" => number * 86_400.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(secs).ok()
}

/// The known word nearest to an unknown one, if it is near enough to be a slip of the pen.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// "did you mean" one of the known words, or else the list of them. The unknown word itself is not repeated:
/// it may have come out of a variable that holds a secret.
pub fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

/// Levenshtein distance: insertions, deletions and replacements of one character.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    // CFG-2, CFG-3.
    use super::*;

    #[test]
    fn a_duration_needs_its_unit() {
        assert_eq!(duration("750ms"), Some(Duration::from_millis(750)));
        assert_eq!(duration("5s"), Some(Duration::from_secs(5)));
        assert_eq!(duration("1.5m"), Some(Duration::from_secs(90)));
        for text in ["5", "s", "-5s", "5 parsecs", "", "NaNs", "1e400s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_slip_of_the_pen_finds_its_word() {
        let known = ["timeout", "priority", "plan", "enabled"];
        assert_eq!(nearest("timeot", known), Some("timeout"));
        assert_eq!(nearest("prioritty", known), Some("priority"));
        assert_eq!(nearest("colour", known), None);
    }
}
