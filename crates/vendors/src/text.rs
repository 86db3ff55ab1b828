//! Reading what vendors write: numbers kept exact, dates in declared zones.

use domain::{Date, Instant};

/// Midnight at the start of a date in an IANA zone; midnight UTC if the zone is unknown.
pub(crate) fn local_midnight(date: Date, zone: &str) -> Instant {
    local_time(date.at(0, 0, 0, 0), zone).unwrap_or_else(|| Instant::from_utc_midnight(date))
}

/// A local date and time in an IANA zone as an instant; the earlier of two where a clock change repeats
/// the hour. `None` for an unknown zone.
pub(crate) fn local_time(at: jiff::civil::DateTime, zone: &str) -> Option<Instant> {
    let zone = jiff::tz::TimeZone::get(zone).ok()?;
    Instant::from_timestamp(zone.to_ambiguous_zoned(at).compatible().ok()?.timestamp())
}

/// The calendar date of an instant in an IANA zone; the UTC date if the zone is unknown.
pub(crate) fn local_date(at: Instant, zone: &str) -> Date {
    match jiff::tz::TimeZone::get(zone) {
        Ok(zone) => at.to_timestamp().to_zoned(zone).date(),
        Err(_) => at.utc_date(),
    }
}

/// A zone looked up once, for rows by the thousand.
pub(crate) struct Zone(jiff::tz::TimeZone);

impl Zone {
    /// New York, where shares of the United States trade.
    pub(crate) fn new_york() -> Zone {
        Zone(jiff::tz::TimeZone::get("America/New_York").expect("jiff carries the zones of the world"))
    }

    /// The calendar date of an instant.
    pub(crate) fn date(&self, at: Instant) -> Date {
        self.0.to_datetime(at.to_timestamp()).date()
    }

    /// A local date and time as an instant; the earlier of two where a clock change repeats the hour.
    /// `None` outside 1677 to 2262.
    pub(crate) fn instant(&self, at: jiff::civil::DateTime) -> Option<Instant> {
        Instant::from_timestamp(self.0.to_ambiguous_timestamp(at).compatible().ok()?)
    }

    /// Midnight at the start of a date. `None` outside 1677 to 2262.
    pub(crate) fn midnight(&self, date: Date) -> Option<Instant> {
        self.instant(date.at(0, 0, 0, 0))
    }
}
