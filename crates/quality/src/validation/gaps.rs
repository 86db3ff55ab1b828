//! Which of the expected bars are there.

use std::time::Duration;

use domain::{Bar, Calendar, Instant, Interval, Range};

use crate::finding::{Expected, Fact, Field, Finding, Rule, Severity};

/// Expected bars, bars found, and the gaps between.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage {
    /// Number of bars the calendar expects in the range up to now; `None` without a calendar.
    pub expected: Option<usize>,
    /// How many of those are there.
    pub present: usize,
    /// Spans of missing bars, ascending; each from the start of the first to the end of the last.
    pub gaps: Vec<Range>,
}

impl Coverage {
    /// Share of the expected bars that are there, in `[0, 1]`; 1 where none is expected or no calendar says.
    pub fn share(&self) -> f64 {
        match self.expected {
            None | Some(0) => 1.0,
            Some(expected) => self.present as f64 / expected as f64,
        }
    }
}

/// How far before and after an expected start a bar of that window may be stamped: vendors stamp a day at
/// local or UTC midnight, a week at its Monday, a month at its first.
fn slack(interval: Interval) -> (Duration, Duration) {
    let hours = |h: u64| Duration::from_secs(h * 3600);
    match interval.fixed_length() {
        Some(length) => (length / 2, length / 2),
        None => match interval {
            Interval::W1 => (hours(4 * 24), hours(3 * 24)),
            Interval::Mo1 => (hours(5 * 24), hours(20 * 24)),
            _ => (hours(15), hours(8)),
        },
    }
}

/// Compares starts, ascending, with the calendar's grid. A window that has not ended by `now` is not
/// expected. Weekends, holidays, half days and breaks are the calendar's business and no gaps.
///
/// Also the length of the longest gap, in bars.
pub(crate) fn coverage(
    starts: &[Instant],
    interval: Interval,
    calendar: &Calendar,
    range: Range,
    now: Instant,
) -> (Coverage, usize) {
    let window_end = |start: Instant| match interval.fixed_length() {
        Some(length) => start + length,
        None => calendar
            .window_of(interval, start)
            .map_or_else(|| start + interval.nominal_length(), |window| window.end),
    };
    let mut grid = calendar.expected_starts(interval, range);
    while grid.last().is_some_and(|start| window_end(*start) > now) {
        grid.pop();
    }
    against(&grid, starts, interval, window_end)
}

/// Compares starts with expected starts, both ascending.
fn against(
    grid: &[Instant],
    starts: &[Instant],
    interval: Interval,
    window_end: impl Fn(Instant) -> Instant,
) -> (Coverage, usize) {
    let (before, after) = slack(interval);
    let (mut present, mut longest, mut run) = (0, 0, 0);
    let mut gaps: Vec<Range> = Vec::new();
    let mut next = 0;
    for expected in grid {
        let (from, to) = (*expected - before, *expected + after);
        while next < starts.len() && starts[next] < from {
            next += 1;
        }
        if next < starts.len() && starts[next] < to {
            present += 1;
            next += 1;
            run = 0;
            continue;
        }
        run += 1;
        longest = longest.max(run);
        let end = window_end(*expected);
        match gaps.last_mut() {
            Some(gap) if run > 1 => gap.end = end,
            _ => gaps.push(Range::new(*expected, end)),
        }
    }
    (Coverage { expected: Some(grid.len()), present, gaps }, longest)
}

/// One finding for each gap. Missing bars of a day and longer are a warning; so is a hole of five bars and
/// more in an intraday series that is otherwise nearly full. Scattered holes are how a name trades that
/// nobody trades every minute: noted only.
pub(crate) fn findings(coverage: &Coverage, interval: Interval, longest: usize, out: &mut Vec<Finding>) {
    let liquid = coverage.share() >= 0.9;
    let severity = match (interval.is_intraday(), liquid && longest >= 5) {
        (false, _) | (true, true) => Severity::Medium,
        (true, false) => Severity::Info,
    };
    for gap in &coverage.gaps {
        let finding = Finding::new(
            Rule::Gap,
            Field::Series,
            Fact::Time(gap.start),
            Expected::Between(Fact::Time(gap.start), Fact::Time(gap.end)),
        );
        out.push(finding.with_severity(severity));
    }
}

/// The starts, ascending, each once; borrows nothing and sorts only when needed.
pub(crate) fn sorted_starts(bars: &[Bar]) -> Vec<Instant> {
    let mut starts: Vec<Instant> = bars.iter().map(|bar| bar.start).collect();
    if !starts.is_sorted() {
        starts.sort_unstable();
    }
    starts.dedup();
    starts
}

#[cfg(test)]
mod tests {
    // VAL-6
    use super::*;

    const HOUR: u64 = 3600;

    fn at(hours: &[u64]) -> Vec<Instant> {
        hours.iter().map(|hour| Instant::from_secs((hour * HOUR) as i64)).collect()
    }

    /// Missing bars and gaps, in hours, and what is said of them.
    fn check(grid: &[u64], starts: &[u64], interval: Interval) -> String {
        let end = |start| start + interval.fixed_length().unwrap_or(Duration::from_secs(24 * HOUR));
        let (coverage, longest) = against(&at(grid), &at(starts), interval, end);
        let mut said = Vec::new();
        findings(&coverage, interval, longest, &mut said);
        let hours = |at: Instant| at.as_secs() / HOUR as i64;
        let gaps: Vec<String> = coverage
            .gaps
            .iter()
            .zip(&said)
            .map(|(gap, finding)| {
                format!("{}-{} {}", hours(gap.start), hours(gap.end), finding.severity.as_str())
            })
            .collect();
        assert_eq!(gaps.len(), said.len());
        format!("{}/{} {}", coverage.present, coverage.expected.unwrap_or(0), gaps.join(", "))
    }

    /// Five days that open at 14:00, a weekend, and one day more.
    const WEEK: [u64; 6] = [14, 38, 62, 86, 110, 182];

    #[test]
    fn only_what_the_calendar_expects_can_be_missing() {
        assert_eq!(check(&WEEK, &WEEK, Interval::D1), "6/6 ");
        assert_eq!(check(&WEEK, &[14, 38, 86, 110, 182], Interval::D1), "5/6 62-86 medium");
        assert_eq!(check(&WEEK, &[14, 110, 182], Interval::D1), "3/6 38-110 medium");
        assert_eq!(check(&WEEK, &[], Interval::D1), "0/6 14-206 medium");
        assert_eq!(check(&[], &[14], Interval::D1), "0/0 ");
    }

    #[test]
    fn a_day_counts_wherever_its_vendor_stamps_it() {
        let utc_midnight: Vec<u64> = WEEK.iter().map(|hour| hour - 14).collect();
        assert_eq!(check(&WEEK, &utc_midnight, Interval::D1), "6/6 ");
        let local_midnight: Vec<u64> = WEEK.iter().map(|hour| hour - 9).collect();
        assert_eq!(check(&WEEK, &local_midnight, Interval::D1), "6/6 ");
        let at_the_close: Vec<u64> = WEEK.iter().map(|hour| hour + 6).collect();
        assert_eq!(check(&WEEK, &at_the_close, Interval::D1), "6/6 ");
    }

    #[test]
    fn a_bar_on_a_day_off_fills_no_gap() {
        assert_eq!(check(&WEEK, &[14, 38, 62, 86, 134, 182], Interval::D1), "5/6 110-134 medium");
    }

    #[test]
    fn scattered_holes_of_a_thin_name_are_noted_and_an_outage_is_a_warning() {
        let grid: Vec<u64> = (0..100).collect();
        let without = |hole: std::ops::Range<u64>| {
            grid.iter().copied().filter(|hour| !hole.contains(hour)).collect::<Vec<_>>()
        };
        assert_eq!(check(&grid, &without(40..45), Interval::H1), "95/100 40-45 medium");
        assert_eq!(check(&grid, &without(40..42), Interval::H1), "98/100 40-42 info");
        let thin: Vec<u64> = (0..100).step_by(50).collect();
        assert_eq!(check(&grid, &thin, Interval::H1), "2/100 1-50 info, 51-100 info");
    }

    #[test]
    fn starts_are_sorted_and_each_counts_once() {
        let bars: Vec<Bar> = at(&[3, 1, 2, 2]).into_iter().map(Bar::empty).collect();
        assert_eq!(sorted_starts(&bars), at(&[1, 2, 3]));
    }
}
