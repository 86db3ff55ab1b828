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
            _ => (hours(14), hours(8)),
        },
    }
}

/// Compares bars, ascending by start, with the calendar's grid. A window that has not ended by `now` is not
/// expected. Weekends, holidays, half days and breaks are the calendar's business and no gaps.
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
    let (before, after) = slack(interval);
    let (mut present, mut longest, mut run) = (0, 0, 0);
    let mut gaps: Vec<Range> = Vec::new();
    let mut next = 0;
    for expected in &grid {
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
