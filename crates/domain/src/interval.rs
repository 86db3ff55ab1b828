//! Spans of bars.

use std::fmt;
use std::time::Duration;

/// The span of one bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interval {
    /// One second.
    S1,
    /// One minute.
    M1,
    /// Five minutes.
    M5,
    /// Fifteen minutes.
    M15,
    /// Thirty minutes.
    M30,
    /// One hour, counted from the session's open.
    H1,
    /// Four hours, counted from the session's open.
    H4,
    /// One trading day.
    D1,
    /// One week, Monday to Sunday.
    W1,
    /// One calendar month.
    Mo1,
}

/// Why a text names no interval.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntervalError {
    /// `1M` is a minute to some and a month to others.
    #[error("`{0}` is ambiguous: write `1m` for a minute or `1mo` for a month")]
    Ambiguous(String),
    /// Not one of ours.
    #[error("`{0}` is no interval: use one of 1s 1m 5m 15m 30m 1h 4h 1d 1w 1mo")]
    Unknown(String),
}

impl Interval {
    /// All intervals, ascending.
    pub const ALL: [Interval; 10] = [
        Interval::S1,
        Interval::M1,
        Interval::M5,
        Interval::M15,
        Interval::M30,
        Interval::H1,
        Interval::H4,
        Interval::D1,
        Interval::W1,
        Interval::Mo1,
    ];

    /// The word used in queries and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Interval::S1 => "1s",
            Interval::M1 => "1m",
            Interval::M5 => "5m",
            Interval::M15 => "15m",
            Interval::M30 => "30m",
            Interval::H1 => "1h",
            Interval::H4 => "4h",
            Interval::D1 => "1d",
            Interval::W1 => "1w",
            Interval::Mo1 => "1mo",
        }
    }

    /// Reads an interval: our words, and the common aliases `1Min`, `1Hour`, `1Day`, `60min`, `5 minute`,
    /// `ohlcv-1m`, `1wk`, `daily`, `1month`.
    ///
    /// # Errors
    /// [`IntervalError::Ambiguous`] for `1M`, [`IntervalError::Unknown`] for anything else.
    pub fn parse(text: &str) -> Result<Interval, IntervalError> {
        let unknown = || IntervalError::Unknown(text.to_owned());
        let trimmed = text.trim();
        let bare = trimmed.strip_prefix("ohlcv-").unwrap_or(trimmed);
        let digits = bare.chars().take_while(char::is_ascii_digit).count();
        let (count, word) = bare.split_at(digits);
        let word = word.trim_start_matches([' ', '-', '_']);
        if word == "M" {
            return Err(IntervalError::Ambiguous(text.to_owned()));
        }
        let lower = word.to_ascii_lowercase();
        let count: u32 = match (count, lower.as_str()) {
            ("", "daily" | "weekly" | "monthly" | "hourly") => 1,
            ("", "day" | "week" | "month" | "hour" | "minute" | "second" | "d") => 1,
            (count, _) => count.parse().map_err(|_| unknown())?,
        };
        let unit = match lower.as_str() {
            "s" | "sec" | "second" | "seconds" => "s",
            "m" | "min" | "mins" | "minute" | "minutes" => "m",
            "h" | "hr" | "hour" | "hours" | "hourly" => "h",
            "d" | "day" | "days" | "daily" => "d",
            "w" | "wk" | "week" | "weeks" | "weekly" => "w",
            "mo" | "mon" | "month" | "months" | "monthly" => "mo",
            _ => return Err(unknown()),
        };
        match (count, unit) {
            (1, "s") => Ok(Interval::S1),
            (1, "m") => Ok(Interval::M1),
            (5, "m") => Ok(Interval::M5),
            (15, "m") => Ok(Interval::M15),
            (30, "m") => Ok(Interval::M30),
            (60, "m") | (1, "h") => Ok(Interval::H1),
            (240, "m") | (4, "h") => Ok(Interval::H4),
            (1, "d") => Ok(Interval::D1),
            (1, "w") | (7, "d") => Ok(Interval::W1),
            (1, "mo") => Ok(Interval::Mo1),
            _ => Err(unknown()),
        }
    }

    /// Length of the window, for intervals within a day; `None` for a day and longer, whose length the
    /// calendar decides.
    pub const fn fixed_length(self) -> Option<Duration> {
        let secs = match self {
            Interval::S1 => 1,
            Interval::M1 => 60,
            Interval::M5 => 300,
            Interval::M15 => 900,
            Interval::M30 => 1_800,
            Interval::H1 => 3_600,
            Interval::H4 => 14_400,
            Interval::D1 | Interval::W1 | Interval::Mo1 => return None,
        };
        Some(Duration::from_secs(secs))
    }

    /// Whether bars are shorter than a day.
    pub const fn is_intraday(self) -> bool {
        self.fixed_length().is_some()
    }

    /// Calendar length, months as 31 days: an upper bound for sizing requests.
    pub const fn nominal_length(self) -> Duration {
        match self.fixed_length() {
            Some(length) => length,
            None => Duration::from_secs(match self {
                Interval::W1 => 7 * 86_400,
                Interval::Mo1 => 31 * 86_400,
                _ => 86_400,
            }),
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_read_by_its_word_and_by_common_aliases() {
        for interval in Interval::ALL {
            assert_eq!(Interval::parse(interval.as_str()), Ok(interval));
        }
        for (text, interval) in [
            ("1Min", Interval::M1),
            ("1Hour", Interval::H1),
            ("1Day", Interval::D1),
            ("60min", Interval::H1),
            ("5 minute", Interval::M5),
            ("ohlcv-1m", Interval::M1),
            ("1wk", Interval::W1),
            ("1month", Interval::Mo1),
            ("daily", Interval::D1),
        ] {
            assert_eq!(Interval::parse(text), Ok(interval), "{text}");
        }
    }

    #[test]
    fn an_ambiguous_or_unknown_interval_is_refused_with_what_would_be_right() {
        assert_eq!(Interval::parse("1M"), Err(IntervalError::Ambiguous("1M".into())));
        for text in ["", "7m", "M", "1", "1y", "60", "0d", "-1d", "1 m x", "99999999999d"] {
            assert!(Interval::parse(text).is_err(), "{text}");
        }
        assert!(Interval::parse("7m").unwrap_err().to_string().contains("1s 1m 5m 15m 30m 1h 4h 1d 1w 1mo"));
    }
}
