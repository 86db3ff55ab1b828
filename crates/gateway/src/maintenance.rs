//! Announced work at a vendor, by calendar (BRK-7).

use std::time::Duration;

use domain::Instant;

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Work announced for a time, once or every week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// First instant; of weekly work, the first one of all.
    pub start: Instant,
    /// First instant after.
    pub end: Instant,
    /// What is done.
    pub reason: String,
    /// Whether it recurs every seven days, to the second in UTC.
    pub weekly: bool,
}

impl Maintenance {
    /// Its end, if it is going on.
    pub fn ends(&self, now: Instant) -> Option<Instant> {
        if now < self.start {
            return None;
        }
        let weeks = if self.weekly { now.since(self.start).as_secs() / WEEK.as_secs() } else { 0 };
        let end = self.end + WEEK * u32::try_from(weeks).unwrap_or(u32::MAX);
        let start = self.start + WEEK * u32::try_from(weeks).unwrap_or(u32::MAX);
        (start <= now && now < end).then_some(end)
    }
}

/// The work that goes on longest of all that goes on: its end and its reason.
pub fn going_on(calendar: &[Maintenance], now: Instant) -> Option<(Instant, &str)> {
    calendar
        .iter()
        .filter_map(|work| Some((work.ends(now)?, work.reason.as_str())))
        .max_by_key(|(end, _)| *end)
}

#[cfg(test)]
mod tests {
    // BRK-7.
    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    fn work(weekly: bool) -> Maintenance {
        Maintenance {
            start: at("2026-11-15T02:00:00Z"),
            end: at("2026-11-15T04:00:00Z"),
            reason: "upgrade".into(),
            weekly,
        }
    }

    #[test]
    fn work_goes_on_from_its_start_to_just_before_its_end() {
        let ends = |now| work(false).ends(at(now)).map(|end| end.to_string());
        assert_eq!(ends("2026-11-15T01:59:59Z"), None);
        assert_eq!(ends("2026-11-15T02:00:00Z").as_deref(), Some("2026-11-15T04:00:00Z"));
        assert_eq!(ends("2026-11-15T03:59:59Z").as_deref(), Some("2026-11-15T04:00:00Z"));
        assert_eq!(ends("2026-11-15T04:00:00Z"), None);
        assert_eq!(ends("2026-11-22T03:00:00Z"), None);
    }

    #[test]
    fn weekly_work_comes_back_on_the_same_day_at_the_same_time() {
        let ends = |now| work(true).ends(at(now)).map(|end| end.to_string());
        assert_eq!(ends("2026-11-22T02:00:00Z").as_deref(), Some("2026-11-22T04:00:00Z"));
        assert_eq!(ends("2027-05-16T03:30:00Z").as_deref(), Some("2027-05-16T04:00:00Z"));
        assert_eq!(ends("2026-11-22T04:00:00Z"), None);
        assert_eq!(ends("2026-11-08T03:00:00Z"), None, "not before the first");
    }

    #[test]
    fn of_several_works_the_longest_counts() {
        let longer = Maintenance { end: at("2026-11-15T09:00:00Z"), reason: "move".into(), ..work(false) };
        let works = [work(true), longer];
        let found = going_on(&works, at("2026-11-15T03:00:00Z"));
        assert_eq!(found, Some((at("2026-11-15T09:00:00Z"), "move")));
        assert_eq!(going_on(&[], at("2026-11-15T03:00:00Z")), None);
    }
}
