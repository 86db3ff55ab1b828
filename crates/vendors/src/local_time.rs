//! Dates and times in the zones vendors declare.

use std::cell::Cell;

use domain::{Date, Instant, Range};
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// Midnight at the start of a date in an IANA zone; midnight UTC if the zone is unknown.
pub(crate) fn local_midnight(date: Date, zone: &str) -> Instant {
    local_time(date.at(0, 0, 0, 0), zone).unwrap_or_else(|| Instant::from_utc_midnight(date))
}

/// A local date and time in an IANA zone as an instant; the earlier of two where a clock change repeats
/// the hour. `None` for an unknown zone.
pub(crate) fn local_time(at: DateTime, zone: &str) -> Option<Instant> {
    let zone = TimeZone::get(zone).ok()?;
    Instant::from_timestamp(zone.to_ambiguous_zoned(at).compatible().ok()?.timestamp())
}

/// The calendar date of an instant in an IANA zone; the UTC date if the zone is unknown.
pub(crate) fn local_date(at: Instant, zone: &str) -> Date {
    match TimeZone::get(zone) {
        Ok(zone) => at.to_timestamp().to_zoned(zone).date(),
        Err(_) => at.utc_date(),
    }
}

/// An offset and the seconds since 1970 between which it holds.
#[derive(Clone, Copy)]
struct Known {
    offset: Offset,
    since: i64,
    until: i64,
}

/// A time zone that answers for many instants in a row: it looks an offset up once per clock change.
pub(crate) struct Zone {
    zone: TimeZone,
    known: Cell<Known>,
}

impl Zone {
    /// The zone of an IANA name.
    pub(crate) fn named(name: &str) -> Option<Zone> {
        TimeZone::get(name).ok().map(Zone::of)
    }

    /// New York, where shares of the United States trade.
    pub(crate) fn new_york() -> Zone {
        Zone::named("America/New_York").expect("jiff carries the zones of the world")
    }

    /// A zone without clock changes, so many seconds east of Greenwich.
    pub(crate) fn fixed(secs_east: i32) -> Option<Zone> {
        Some(Zone::of(TimeZone::fixed(Offset::from_seconds(secs_east).ok()?)))
    }

    fn of(zone: TimeZone) -> Zone {
        Zone { zone, known: Cell::new(Known { offset: Offset::UTC, since: 0, until: 0 }) }
    }

    /// The offset at an instant; of one beyond the calendar, any.
    fn look_up(&self, secs: i64) -> Offset {
        let known = self.known.get();
        if (known.since..known.until).contains(&secs) {
            return known.offset;
        }
        let Ok(at) = jiff::Timestamp::from_second(secs) else { return known.offset };
        let offset = self.zone.to_offset(at);
        let after = jiff::Timestamp::from_second(secs.saturating_add(1)).unwrap_or(at);
        let since = self.zone.preceding(after).next().map_or(i64::MIN, |t| t.timestamp().as_second());
        let until = self.zone.following(at).next().map_or(i64::MAX, |t| t.timestamp().as_second());
        self.known.set(Known { offset, since, until });
        offset
    }

    /// The calendar date of an instant here.
    pub(crate) fn date(&self, at: Instant) -> Date {
        let offset = self.look_up(at.as_secs());
        match jiff::Timestamp::from_second(at.as_secs()) {
            Ok(stamp) => offset.to_datetime(stamp).date(),
            Err(_) => at.utc_date(),
        }
    }

    /// The instant of a local date and time; the earlier of two where a clock change repeats the hour, and
    /// shifted by its gap where one skips it. `None` outside the years 1677 to 2262.
    pub(crate) fn instant(&self, local: DateTime) -> Option<Instant> {
        const A_DAY: i64 = 86_400;
        let known = self.known.get();
        if let Ok(guess) = known.offset.to_timestamp(local) {
            let secs = guess.as_second();
            // Within a day of a clock change the hour may be repeated or skipped: take the careful way.
            if known.since.saturating_add(A_DAY) <= secs && secs < known.until.saturating_sub(A_DAY) {
                return Instant::from_timestamp(guess);
            }
        }
        let at = self.zone.to_ambiguous_zoned(local).compatible().ok()?.timestamp();
        self.look_up(at.as_second());
        Instant::from_timestamp(at)
    }

    /// Midnight at the start of a date. `None` outside 1677 to 2262.
    pub(crate) fn midnight(&self, date: Date) -> Option<Instant> {
        self.instant(date.at(0, 0, 0, 0))
    }
}

/// The range of a question that names none.
pub(crate) fn all_time() -> Range {
    Range::new(Instant::MIN, Instant::MAX)
}

/// Reads `2026-03-03`, `2026-03-03 15:59:00` or the same with a `T`; the flag says whether a time was given.
pub(crate) fn local(text: &str) -> Option<(DateTime, bool)> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| {
        bytes
            .get(from..to)?
            .iter()
            .try_fold(0_i16, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i16::from(byte - b'0')))
    };
    let small = |from: usize| i8::try_from(number(from, from + 2)?).ok();
    if bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    let date = Date::new(number(0, 4)?, small(5)?, small(8)?).ok()?;
    match bytes.len() {
        10 => Some((date.at(0, 0, 0, 0), false)),
        16 | 19 if matches!(bytes[10], b' ' | b'T') && bytes[13] == b':' => {
            let second = if bytes.len() == 19 { small(17).filter(|_| bytes[16] == b':')? } else { 0 };
            let time = jiff::civil::Time::new(small(11)?, small(14)?, second, 0).ok()?;
            Some((date.to_datetime(time), true))
        }
        _ => None,
    }
}

/// First and last date in New York that a range meets; of an empty one, that of its start.
pub(crate) fn dates_in_new_york(range: Range) -> (Date, Date) {
    let zone = Zone::new_york();
    let last = Instant::from_nanos(range.end.as_nanos().saturating_sub(1)).max(range.start);
    (zone.date(range.start), zone.date(last))
}

/// First and last date of a question's range, wide enough for any zone the rows may be dated in: the first
/// as New York dates it, the last as the date after that of UTC.
pub(crate) fn dates_around(range: Range) -> (Date, Date) {
    let last = Instant::from_nanos(range.end.as_nanos().saturating_sub(1)).utc_date();
    (local_date(range.start, "America/New_York"), last.tomorrow().unwrap_or(last))
}

/// The range of two dates, either of them open, both inclusive: midnight UTC of the first to midnight
/// UTC two days after the last, so that it holds the dates in any zone.
pub(crate) fn range_of_dates(first: Option<Date>, last: Option<Date>) -> Range {
    let whole = all_time();
    let start =
        first.map_or(whole.start, |date| Instant::from_utc_midnight(date.yesterday().unwrap_or(date)));
    let after = |date: Date| date.tomorrow().and_then(Date::tomorrow).unwrap_or(date);
    Range::new(start, last.map_or(whole.end, |date| Instant::from_utc_midnight(after(date))))
}

#[cfg(test)]
mod tests {
    //! SRC-9.
    use super::*;
    use proptest::prelude::*;

    proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

        #[test]
        fn a_zone_asked_often_answers_like_one_asked_once(secs in prop::collection::vec(0i64..2_000_000_000, 1..40)) {
            let zone = Zone::named("America/New_York").expect("a zone everyone has");
            for at in secs.into_iter().map(Instant::from_secs) {
                prop_assert_eq!(zone.date(at), local_date(at, "America/New_York"));
                let local = at.to_timestamp().to_zoned(zone.zone.clone()).datetime();
                prop_assert_eq!(zone.instant(local), local_time(local, "America/New_York"));
            }
        }
    }

    #[test]
    fn a_local_time_that_a_clock_change_repeats_or_skips_is_read_like_the_careful_way_reads_it() {
        let zone = Zone::named("America/New_York").expect("a zone everyone has");
        for text in
            ["2026-03-08T02:30:00", "2026-11-01T01:30:00", "2026-11-01T00:00:00", "2026-11-02T00:00:00"]
        {
            let local: DateTime = text.parse().expect("the test writes times");
            assert_eq!(zone.instant(local), local_time(local, "America/New_York"), "{text}");
        }
    }

    #[test]
    fn a_local_time_is_read_with_or_without_its_time_of_day_and_nothing_else_is() {
        let shown = |text| local(text).map(|(at, has_time)| format!("{at} {has_time}"));
        assert_eq!(shown("2020-09-10").as_deref(), Some("2020-09-10T00:00:00 false"));
        assert_eq!(shown("2021-03-01 15:59:00").as_deref(), Some("2021-03-01T15:59:00 true"));
        assert_eq!(shown("2021-03-01T15:59").as_deref(), Some("2021-03-01T15:59:00 true"));
        for text in [
            "",
            "2020",
            "2020-13-01",
            "2020-02-30",
            "2020-09-10 ",
            "2020-09-10 25:00:00",
            "20200910",
            "2020-09-10 15:59:0x",
            "+020-09-10",
            "2020-09-1é",
        ] {
            assert_eq!(local(text), None, "{text}");
        }
    }

    #[test]
    fn the_dates_of_a_range_hold_it_in_every_zone() {
        let range = Range::new(
            Instant::parse("2026-03-03T00:30:00Z").expect("a time"),
            Instant::parse("2026-03-07T00:00:00Z").expect("a time"),
        );
        let (first, last) = dates_around(range);
        assert_eq!((first.to_string().as_str(), last.to_string().as_str()), ("2026-03-02", "2026-03-07"));
        let back = range_of_dates(Some(first), Some(last));
        assert!(back.start <= range.start && back.end >= range.end);
    }
}
