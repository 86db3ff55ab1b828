//! Reading what vendors write: numbers kept exact, dates in declared zones.

use domain::number::{Decimal, parse_decimal};
use domain::{Date, Instant, InstrumentId, Price, Range, Size, Venue};
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::Rejection;

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

/// Stands for the instrument where a request names none: a template's `{symbol}`, a payload alone.
pub(crate) fn unnamed() -> InstrumentId {
    InstrumentId::new("?", Venue::US)
}

/// Whether an instrument is [`unnamed`].
pub(crate) fn is_unnamed(instrument: &InstrumentId) -> bool {
    instrument.name() == "?"
}

/// A parameter's value unless it is missing, empty or a template's `{name}`.
pub(crate) fn given(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|text| !text.is_empty() && !text.starts_with('{'))
}

/// The range of a question that names none.
pub(crate) fn all_time() -> Range {
    Range::new(Instant::MIN, Instant::MAX)
}

/// A reply's body without the byte order mark that some stored copies carry.
pub(crate) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// Whether a body is a page for people: a wall, an outage.
pub(crate) fn is_html(body: &[u8]) -> bool {
    without_mark(body).trim_ascii_start().first() == Some(&b'<')
}

/// Decimal text as [`parse_decimal`] reads it, in a fraction of the time for the plain form of up to 19
/// digits.
pub(crate) fn decimal(text: &str) -> Option<Decimal> {
    match plain_decimal(text.as_bytes()) {
        Some((value, length)) if length == text.len() => Some(value),
        _ => parse_decimal(text),
    }
}

/// The plain number at the start of a text and its length; `None` for none, an exponent after it, or more
/// than 19 digits.
fn plain_decimal(text: &[u8]) -> Option<(Decimal, usize)> {
    let negative = text.first() == Some(&b'-');
    let mut at = usize::from(negative);
    let (mut mantissa, mut digits, mut scale, mut after_point) = (0u64, 0u32, 0u32, false);
    while let Some(byte) = text.get(at) {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                digits += 1;
                scale += u32::from(after_point);
            }
            b'.' if !after_point && digits > 0 => after_point = true,
            b'e' | b'E' | b'+' => return None,
            _ => break,
        }
        at += 1;
    }
    if !(1..=19).contains(&digits) || (after_point && scale == 0) {
        return None;
    }
    let (low, middle) = (mantissa as u32, (mantissa >> 32) as u32);
    Some((Decimal::from_parts(low, middle, 0, negative, scale), at))
}

/// A JSON number, or a number in quotes, with all its digits: never by way of a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exact(pub(crate) Decimal);

impl Exact {
    /// As a price.
    pub(crate) fn price(self) -> Price {
        Price::new(self.0)
    }

    /// As a quantity.
    pub(crate) fn size(self) -> Size {
        Size::new(self.0)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Exact, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        decimal(bare).map(Exact).ok_or_else(|| serde::de::Error::custom("not a decimal number"))
    }
}

/// Cells of a flat JSON array of numbers and nulls, read without a float and without an allocation: what
/// columns of bars are made of.
pub(crate) struct Cells<'a> {
    rest: &'a [u8],
}

impl<'a> Cells<'a> {
    /// The cells of an array; none of anything else.
    pub(crate) fn of(array: &'a RawValue) -> Cells<'a> {
        let rest = array.get().as_bytes();
        Cells { rest: rest.strip_prefix(b"[").unwrap_or(b"\"no array") }
    }
}

impl Iterator for Cells<'_> {
    type Item = Result<Option<Decimal>, Rejection>;

    /// The next cell; an error for one that is neither number nor null.
    fn next(&mut self) -> Option<Self::Item> {
        self.rest = self.rest.trim_ascii_start();
        let (value, length) = match plain_decimal(self.rest) {
            Some((value, length)) => (Some(value), length),
            None => {
                let end = self.rest.iter().position(|b| matches!(b, b',' | b']')).unwrap_or(self.rest.len());
                match self.rest[..end].trim_ascii() {
                    b"" => return None,
                    b"null" => (None, end),
                    cell => match std::str::from_utf8(cell).ok().and_then(parse_decimal) {
                        Some(value) => (Some(value), end),
                        None => return Some(Err(Rejection::unreadable("a column of numbers"))),
                    },
                }
            }
        };
        self.rest = self.rest[length..].trim_ascii_start();
        match self.rest.split_first() {
            Some((b',', rest)) => self.rest = rest,
            Some((b']', _)) => self.rest = b"",
            _ => return Some(Err(Rejection::unreadable("a column of numbers"))),
        }
        Some(Ok(value))
    }
}

/// A time zone that answers for many instants in a row: it looks an offset up once per clock change.
pub(crate) struct ZoneWalk {
    zone: TimeZone,
    offset: Offset,
    /// Seconds since 1970 between which `offset` holds.
    holds: std::ops::Range<i64>,
}

impl ZoneWalk {
    /// The zone of an IANA name.
    pub(crate) fn named(name: &str) -> Option<ZoneWalk> {
        TimeZone::get(name).ok().map(ZoneWalk::of)
    }

    /// A zone without clock changes, so many seconds east of Greenwich.
    pub(crate) fn fixed(secs_east: i32) -> Option<ZoneWalk> {
        Some(ZoneWalk::of(TimeZone::fixed(Offset::from_seconds(secs_east).ok()?)))
    }

    fn of(zone: TimeZone) -> ZoneWalk {
        ZoneWalk { zone, offset: Offset::UTC, holds: 0..0 }
    }

    fn look_up(&mut self, secs: i64) {
        if self.holds.contains(&secs) {
            return;
        }
        let Ok(at) = jiff::Timestamp::from_second(secs) else { return };
        self.offset = self.zone.to_offset(at);
        let after = jiff::Timestamp::from_second(secs.saturating_add(1)).unwrap_or(at);
        let since = self.zone.preceding(after).next().map_or(i64::MIN, |t| t.timestamp().as_second());
        let until = self.zone.following(at).next().map_or(i64::MAX, |t| t.timestamp().as_second());
        self.holds = since..until;
    }

    /// The calendar date of an instant here.
    pub(crate) fn date(&mut self, at: Instant) -> Date {
        self.look_up(at.as_secs());
        match jiff::Timestamp::from_second(at.as_secs()) {
            Ok(stamp) => self.offset.to_datetime(stamp).date(),
            Err(_) => at.utc_date(),
        }
    }

    /// The instant of a local date and time; the earlier of two where a clock change repeats the hour, and
    /// shifted by its gap where one skips it. `None` outside the years 1677 to 2262.
    pub(crate) fn instant(&mut self, local: DateTime) -> Option<Instant> {
        const A_DAY: i64 = 86_400;
        if let Ok(guess) = self.offset.to_timestamp(local) {
            let secs = guess.as_second();
            // Within a day of a clock change the hour may be repeated or skipped: take the careful way.
            if self.holds.start.saturating_add(A_DAY) <= secs && secs < self.holds.end.saturating_sub(A_DAY) {
                return Instant::from_timestamp(guess);
            }
        }
        let at = self.zone.to_ambiguous_zoned(local).compatible().ok()?.timestamp();
        self.look_up(at.as_second());
        Instant::from_timestamp(at)
    }
}

#[cfg(test)]
mod tests {
    //! SRC-9.
    use super::*;
    use proptest::prelude::*;

    fn cells(text: &str) -> Option<Vec<Option<String>>> {
        let raw: &RawValue = serde_json::from_str(text).expect("the test writes JSON");
        Cells::of(raw).map(|cell| Some(cell.ok()?.map(|d| d.to_string()))).collect()
    }

    #[test]
    fn a_column_is_read_cell_by_cell_and_refused_where_a_cell_is_no_number() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            cells("[ 127.58000183105469, null,0 , -1.50, 1.12e+08,\n12345678901234567890.5]"),
            Some(vec![
                some("127.58000183105469"),
                None,
                some("0"),
                some("-1.50"),
                some("112000000"),
                some("12345678901234567890.5"),
            ])
        );
        assert_eq!(cells("[]"), Some(vec![]));
        assert_eq!(cells("[ null ]"), Some(vec![None]));
        for text in ["[\"1\"]", "[[1]]", "[true]", "[1,{}]", "{}", "null", "7", "\"\""] {
            assert_eq!(cells(text), None, "{text}");
        }
    }

    proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

        #[test]
        fn the_quick_way_reads_a_number_like_the_careful_one(text in "-?[0-9]{0,21}(\\.[0-9]{0,12})?([eE][+-]?[0-9])?") {
            prop_assert_eq!(decimal(&text), parse_decimal(&text), "{}", text);
        }

        #[test]
        fn any_text_is_read_like_the_careful_way_reads_it(text in "\\PC{0,12}") {
            prop_assert_eq!(decimal(&text), parse_decimal(&text), "{}", text);
        }

        #[test]
        fn a_zone_asked_often_answers_like_one_asked_once(secs in prop::collection::vec(0i64..2_000_000_000, 1..40)) {
            let mut zone = ZoneWalk::named("America/New_York").expect("a zone everyone has");
            for at in secs.into_iter().map(Instant::from_secs) {
                prop_assert_eq!(zone.date(at), local_date(at, "America/New_York"));
                let local = at.to_timestamp().to_zoned(zone.zone.clone()).datetime();
                prop_assert_eq!(zone.instant(local), local_time(local, "America/New_York"));
            }
        }
    }

    #[test]
    fn a_local_time_that_a_clock_change_repeats_or_skips_is_read_like_the_careful_way_reads_it() {
        let mut zone = ZoneWalk::named("America/New_York").expect("a zone everyone has");
        for text in
            ["2026-03-08T02:30:00", "2026-11-01T01:30:00", "2026-11-01T00:00:00", "2026-11-02T00:00:00"]
        {
            let local: DateTime = text.parse().expect("the test writes times");
            assert_eq!(zone.instant(local), local_time(local, "America/New_York"), "{text}");
        }
    }

    #[test]
    fn a_number_in_quotes_is_a_number_and_words_are_not() {
        let exact = |text: &str| serde_json::from_str::<Exact>(text).ok().map(|e| e.0.to_string());
        assert_eq!(exact("1.10"), Some("1.10".to_owned()));
        assert_eq!(exact("\"1.10\""), Some("1.10".to_owned()));
        for text in ["\"\"", "\"None\"", "null", "[]", "\"1", "true"] {
            assert_eq!(exact(text), None, "{text}");
        }
    }
}
