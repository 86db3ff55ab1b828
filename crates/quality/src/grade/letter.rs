//! Scores and letters.

use std::fmt;

/// A score from 0 to 100, kept in hundredths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(u16);

impl Score {
    /// 0.
    pub const ZERO: Score = Score(0);
    /// 100.
    pub const FULL: Score = Score(10_000);

    /// Rounded to hundredths; what lies outside 0 to 100 becomes the nearer end, NaN 0.
    pub fn new(points: f32) -> Score {
        // The cast saturates and turns NaN into 0.
        Score(((points * 100.0).round() as u16).min(10_000))
    }

    /// The score in points.
    pub fn points(self) -> f32 {
        f32::from(self.0) / 100.0
    }
}

impl fmt::Display for Score {
    /// With one decimal, `87.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}", self.points())
    }
}

/// A grade. Ordered from best to worst: `A < F`, so that `max` is the worse of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Letter {
    /// 90 to 100.
    A,
    /// 80 to 89.
    B,
    /// 70 to 79.
    C,
    /// 60 to 69.
    D,
    /// Below 60.
    F,
}

impl Letter {
    /// All letters, best first.
    pub const ALL: [Letter; 5] = [Letter::A, Letter::B, Letter::C, Letter::D, Letter::F];

    /// The letter as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Letter::A => "A",
            Letter::B => "B",
            Letter::C => "C",
            Letter::D => "D",
            Letter::F => "F",
        }
    }

    /// Reads a letter, upper or lower case.
    pub fn parse(text: &str) -> Option<Letter> {
        Letter::ALL.into_iter().find(|letter| letter.as_str().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Lowest scores of A, B, C and D.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    lowest: [Score; 4],
}

/// Why thresholds are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("lowest scores must fall from A to D by at least one point, within 1 to 100")]
pub struct ThresholdsError;

impl Default for Thresholds {
    /// 90, 80, 70, 60.
    fn default() -> Thresholds {
        Thresholds { lowest: [Score(9_000), Score(8_000), Score(7_000), Score(6_000)] }
    }
}

impl Thresholds {
    /// From the lowest scores of A, B, C and D.
    ///
    /// # Errors
    /// Unless they fall by at least a point each and lie within 1 to 100, so that every letter, F included,
    /// can be reached.
    pub fn new(lowest: [f32; 4]) -> Result<Thresholds, ThresholdsError> {
        let sound = lowest.windows(2).all(|pair| pair[0] - pair[1] >= 1.0)
            && (1.0..=100.0).contains(&lowest[0])
            && lowest[3] >= 1.0;
        if sound { Ok(Thresholds { lowest: lowest.map(Score::new) }) } else { Err(ThresholdsError) }
    }

    /// The letter of a score.
    pub fn letter(&self, score: Score) -> Letter {
        let reached = self.lowest.iter().position(|lowest| score >= *lowest);
        Letter::ALL[reached.unwrap_or(4)]
    }

    /// Highest score a letter caps at: one point below the next better letter, 100 for A.
    pub fn top(&self, letter: Letter) -> Score {
        match letter {
            Letter::A => Score::FULL,
            Letter::B => Score(self.lowest[0].0 - 100),
            Letter::C => Score(self.lowest[1].0 - 100),
            Letter::D => Score(self.lowest[2].0 - 100),
            Letter::F => Score(self.lowest[3].0 - 100),
        }
    }

    /// The letter with plus or minus at thirds of its band, twelve in all: D and F have none but D+.
    /// With the default thresholds A+ from 97, A 93, A− 90, B+ 87, B 83, B− 80, C+ 77, C 73, C− 70, D+ 67,
    /// D 60, F.
    pub fn thirds(&self, score: Score) -> &'static str {
        let letter = self.letter(score);
        let (bottom, next) = match letter {
            Letter::A => (self.lowest[0].0, 10_000),
            Letter::B => (self.lowest[1].0, self.lowest[0].0),
            Letter::C => (self.lowest[2].0, self.lowest[1].0),
            Letter::D => (self.lowest[3].0, self.lowest[2].0),
            Letter::F => return "F",
        };
        let part = f32::from(score.0 - bottom) / f32::from((next - bottom).max(1));
        match (letter, part >= 0.7, part >= 0.3) {
            (Letter::A, true, _) => "A+",
            (Letter::A, _, true) => "A",
            (Letter::A, _, _) => "A-",
            (Letter::B, true, _) => "B+",
            (Letter::B, _, true) => "B",
            (Letter::B, _, _) => "B-",
            (Letter::C, true, _) => "C+",
            (Letter::C, _, true) => "C",
            (Letter::C, _, _) => "C-",
            (Letter::D, true, _) => "D+",
            (Letter::D, _, _) => "D",
            (Letter::F, _, _) => "F",
        }
    }
}

#[cfg(test)]
mod tests {
    // GRD-1
    use super::*;

    #[test]
    fn letters_begin_at_their_thresholds() {
        let thresholds = Thresholds::default();
        for (points, letter, third) in [
            (100.0, "A", "A+"),
            (97.0, "A", "A+"),
            (96.99, "A", "A"),
            (93.0, "A", "A"),
            (92.99, "A", "A-"),
            (90.0, "A", "A-"),
            (89.99, "B", "B+"),
            (87.0, "B", "B+"),
            (83.0, "B", "B"),
            (80.0, "B", "B-"),
            (77.0, "C", "C+"),
            (73.0, "C", "C"),
            (70.0, "C", "C-"),
            (67.0, "D", "D+"),
            (66.99, "D", "D"),
            (60.0, "D", "D"),
            (59.99, "F", "F"),
            (0.0, "F", "F"),
            (-5.0, "F", "F"),
            (f32::NAN, "F", "F"),
        ] {
            let score = Score::new(points);
            assert_eq!(
                (thresholds.letter(score).as_str(), thresholds.thirds(score)),
                (letter, third),
                "{points}"
            );
        }
    }

    #[test]
    fn thresholds_that_make_a_letter_unreachable_are_refused() {
        for lowest in [
            [90.0, 90.0, 70.0, 60.0],
            [101.0, 80.0, 70.0, 60.0],
            [90.0, 80.0, 70.0, 0.0],
            [60.0, 70.0, 80.0, 90.0],
        ] {
            assert_eq!(Thresholds::new(lowest), Err(ThresholdsError), "{lowest:?}");
        }
        assert_eq!(Thresholds::new([f32::NAN, 80.0, 70.0, 60.0]), Err(ThresholdsError));
        let strict = Thresholds::new([95.0, 85.0, 75.0, 65.0]).unwrap();
        assert_eq!(strict.top(Letter::B), Score::new(94.0));
        assert_eq!(strict.letter(Score::new(94.0)), Letter::B);
    }
}
