//! The words of a request: query parameters and `MDA-*` headers in one vocabulary (API-2). Every fault is
//! collected, so that a caller learns of all of them at once.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{
    Adjustment, Anchor, Calendars, Currency, Date, Denomination, Instant, Interval, Price, Session, Unit,
    VendorId, Venue,
};
use gateway::request::priority_word;
use gateway::{Failover, Gateway, Policy, Priority, StaleAllowance, Strategy};
use http::HeaderMap;
use quality::Letter;

use crate::error::Fault;
use crate::form::{Arrangement, Form, Format, Numbers, Stamp};

/// Policy words every question takes.
pub const POLICY: [&str; 11] = [
    "vendor",
    "vendors",
    "failover",
    "strategy",
    "min_grade",
    "max_age",
    "max_cost",
    "deadline",
    "stale",
    "asof",
    "priority",
];
/// Words about the form of the answer.
pub const FORM: [&str; 4] = ["format", "ts", "num", "explain"];
/// Other names of words.
const ALIASES: [(&str, &str); 4] =
    [("source", "vendor"), ("sources", "vendors"), ("fallback", "failover"), ("timeframe", "interval")];

/// The words of one request, each taken once.
pub struct Words {
    given: BTreeMap<String, String>,
    known: Vec<&'static str>,
    /// What is wrong so far.
    pub faults: Vec<Fault>,
}

impl Words {
    /// Reads a query string and the `MDA-*` headers. A word in both means what the query says; a word given
    /// twice in the query is a fault.
    pub fn read(query: &str, headers: &HeaderMap) -> Words {
        let mut words = Words { given: BTreeMap::new(), known: Vec::new(), faults: Vec::new() };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                words.fault(name, "is not UTF-8 after percent-decoding");
                continue;
            };
            let name = canonical(&name);
            if words.given.insert(name.clone(), value).is_some() {
                words.fault(&name, "is given more than once: give it once, lists separated by commas");
            }
        }
        for (name, value) in headers {
            let Some(word) = name.as_str().strip_prefix("mda-") else { continue };
            let word = canonical(&word.replace('-', "_"));
            match value.to_str() {
                Ok(value) => {
                    words.given.entry(word).or_insert_with(|| value.to_owned());
                }
                Err(_) => words.fault(&word, "the header is not plain text"),
            }
        }
        words
    }

    /// Notes a fault.
    pub fn fault(&mut self, parameter: &str, detail: impl Into<String>) {
        self.faults.push(Fault { parameter: parameter.to_owned(), detail: detail.into() });
    }

    /// Takes a word; empty counts as not given.
    pub fn take(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        self.given.remove(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Takes a word and reads it; `Err` says what would be right.
    pub fn parse<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.take(name)?;
        match read(&text) {
            Ok(value) => Some(value),
            Err(detail) => {
                self.fault(name, detail);
                None
            }
        }
    }

    /// Takes a word that must be one of a list.
    pub fn choose<T: Copy>(
        &mut self,
        name: &'static str,
        all: &[T],
        word: impl Fn(T) -> &'static str,
    ) -> Option<T> {
        self.parse(name, |text| {
            all.iter().copied().find(|choice| word(*choice).eq_ignore_ascii_case(text)).ok_or_else(|| {
                let words: Vec<&str> = all.iter().map(|choice| word(*choice)).collect();
                format!("`{}` is not one of {}", shown(text), words.join(", "))
            })
        })
    }

    /// Takes a whole number within bounds.
    pub fn count(&mut self, name: &'static str, least: u64, most: u64) -> Option<u64> {
        self.parse(name, |text| match text.parse::<u64>() {
            Ok(count) if (least..=most).contains(&count) => Ok(count),
            _ => Err(format!("`{}` is not a whole number from {least} to {most}", shown(text))),
        })
    }

    /// Takes a list separated by commas, without blanks and repetitions.
    pub fn list(&mut self, name: &'static str) -> Vec<String> {
        let mut list: Vec<String> = Vec::new();
        for item in self.take(name).unwrap_or_default().split(',').map(str::trim) {
            if !item.is_empty() && !list.iter().any(|known| known == item) {
                list.push(item.to_owned());
            }
        }
        list
    }

    /// Takes a point in time: RFC 3339, or a date whose meaning depends on the venue.
    pub fn when(&mut self, name: &'static str) -> Option<When> {
        self.parse(name, read_when)
    }

    /// Takes an instant: RFC 3339, or a date, which means midnight UTC.
    pub fn instant(&mut self, name: &'static str) -> Option<Instant> {
        self.parse(name, |text| {
            read_when(text).map(|when| match when {
                When::Date(date) => Instant::from_utc_midnight(date),
                When::At(at) => at,
            })
        })
    }

    /// Takes a calendar date; of an instant, its date in UTC.
    pub fn date(&mut self, name: &'static str) -> Option<Date> {
        self.parse(name, |text| {
            read_when(text).map(|when| match when {
                When::Date(date) => date,
                When::At(at) => at.utc_date(),
            })
        })
    }

    /// Takes the words about the form of the answer.
    pub fn form(&mut self, accept: Option<&str>) -> Form {
        let format = self.choose("format", &Format::ALL, Format::as_str);
        Form {
            format: format.unwrap_or_else(|| accept.map(Format::accepted).unwrap_or_default()),
            stamp: self.choose("ts", &Stamp::ALL, Stamp::as_str).unwrap_or_default(),
            arrangement: Arrangement::default(),
            numbers: self.choose("num", &Numbers::ALL, Numbers::as_str).unwrap_or_default(),
            explain: self.flag("explain").unwrap_or_default(),
        }
    }

    /// Takes the arrangement of lists; rows unless given.
    pub fn arrangement(&mut self) -> Arrangement {
        self.choose("shape", &Arrangement::ALL, Arrangement::as_str).unwrap_or_default()
    }

    /// Takes a yes or no.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.parse(name, |text| match text {
            "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err(format!("`{}` is not 1, 0, true or false", shown(text))),
        })
    }

    /// Takes the policy words every question takes.
    pub fn policy(&mut self, gateway: &Gateway) -> Policy {
        let pinned = self.parse("vendor", |text| read_vendor(text, gateway));
        let mut chain = Vec::new();
        for name in self.list("vendors") {
            match read_vendor(&name, gateway) {
                Ok(vendor) if chain.contains(&vendor) => {}
                Ok(vendor) => chain.push(vendor),
                Err(detail) => self.fault("vendors", detail),
            }
        }
        if pinned.is_some() && !chain.is_empty() {
            self.fault("vendor", "pins one vendor, `vendors` names a chain: give one of the two");
        }
        Policy {
            vendors: pinned.map_or(chain, |vendor| vec![vendor]),
            failover: self.choose("failover", &Failover::ALL, Failover::as_str).unwrap_or_default(),
            strategy: self.choose("strategy", &Strategy::ALL, Strategy::as_str),
            min_grade: self.choose("min_grade", &Letter::ALL, Letter::as_str),
            max_age: self.parse("max_age", read_duration),
            max_cost: self.parse("max_cost", |text| {
                Price::parse(text)
                    .filter(|cost| *cost >= Price::ZERO)
                    .ok_or_else(|| format!("`{}` is not an amount of US dollars, such as 0.002", shown(text)))
            }),
            deadline: self.parse("deadline", |text| {
                read_duration(text).and_then(|span| {
                    if span.is_zero() { Err("must be more than nothing".to_owned()) } else { Ok(span) }
                })
            }),
            stale: self.choose("stale", &StaleAllowance::ALL, StaleAllowance::as_str).unwrap_or_default(),
            adjustment: None,
            anchor: None,
            currency: None,
            asof: self.instant("asof"),
            priority: self.choose("priority", &Priority::ALL, priority_word).unwrap_or_default(),
            fresh_for: None,
            consumer: None,
        }
    }

    /// Takes the currency in whose major unit prices are told.
    pub fn currency(&mut self) -> Option<Currency> {
        self.parse("currency", |text| {
            let hundredths = Denomination::parse(text).filter(|asked| asked.unit == Unit::Minor);
            gateway::currency::known(text).ok_or_else(|| match hundredths {
                Some(asked) => format!("`{}` counts hundredths: ask for {}", shown(text), asked.currency),
                None => format!("`{}` is no currency: give its code, such as USD, EUR or GBP", shown(text)),
            })
        })
    }

    /// Takes the interval of bars; a day unless given.
    pub fn interval(&mut self) -> Interval {
        self.parse("interval", |text| Interval::parse(text).map_err(|error| error.to_string()))
            .unwrap_or(Interval::D1)
    }

    /// Takes the restatement of bars.
    pub fn adjustment(&mut self) -> Option<Adjustment> {
        self.choose("adjustment", &Adjustment::ASKABLE, Adjustment::as_str)
    }

    /// Takes the hours of bars; regular unless given.
    pub fn session(&mut self) -> Session {
        self.choose("session", &[Session::Regular, Session::Extended], Session::as_str)
            .unwrap_or(Session::Regular)
    }

    /// Takes the stamping side of bars; the open unless given.
    pub fn anchor(&mut self) -> Anchor {
        self.choose("anchor", &[Anchor::Open, Anchor::Close], Anchor::as_str).unwrap_or(Anchor::Open)
    }

    /// Takes a required list of symbols, at most so many.
    pub fn symbols(&mut self, name: &'static str) -> Vec<String> {
        let symbols = self.list(name);
        if symbols.is_empty() {
            self.fault(
                name,
                "is missing: name at least one symbol, such as AAPL, BRK.B, AAPL.XNAS or BTC/USDT",
            );
        }
        symbols
    }

    /// All words have been taken: what is left is unknown.
    ///
    /// # Errors
    /// Every fault of the request.
    pub fn finish(mut self) -> Result<(), Vec<Fault>> {
        let known: Vec<&str> = std::mem::take(&mut self.known);
        for name in std::mem::take(&mut self.given).into_keys() {
            let detail = if known.is_empty() {
                "is unknown: this address takes no parameters".to_owned()
            } else {
                format!("is unknown: this address takes {}", known.join(", "))
            };
            self.fault(&name.chars().take(48).collect::<String>(), detail);
        }
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults) }
    }
}

fn canonical(name: &str) -> String {
    let lower = name.trim().to_ascii_lowercase();
    ALIASES.iter().find(|(alias, _)| *alias == lower).map_or(lower.clone(), |(_, word)| (*word).to_owned())
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', "%20");
    percent_encoding::percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// What a fault shows of a text that may be endless.
fn shown(text: &str) -> String {
    text.chars().take(48).collect()
}

/// Reads the id or alias of a vendor.
///
/// # Errors
/// The list of vendors.
pub fn read_vendor(text: &str, gateway: &Gateway) -> Result<VendorId, String> {
    let found = vendors::find(text).map(|codec| codec.profile().id);
    found.filter(|vendor| gateway.find_upstream(*vendor).is_some()).ok_or_else(|| {
        let all: Vec<&str> = gateway.upstreams().map(|upstream| upstream.vendor().as_str()).collect();
        format!("`{}` is no vendor: use one of {}", shown(text), all.join(", "))
    })
}

/// Reads a duration with its unit: `250ms`, `5s`, `2m`, `1h`, `7d`.
///
/// # Errors
/// What would be right.
pub fn read_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{}` is no duration with a unit, such as 250ms, 5s, 2m, 1h or 7d", shown(text));
    let digits = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let (count, unit) = text.split_at(digits);
    let count: f64 = count.parse().map_err(|_| wrong())?;
    let unit_secs = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(count * unit_secs)
        .ok()
        .filter(|span| *span <= Duration::from_secs(36_500 * 86_400))
        .ok_or_else(wrong)
}

/// One end of a range as a caller writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A calendar date: what belongs to its trading day begins here.
    Date(Date),
    /// An instant.
    At(Instant),
}

impl When {
    /// The instant meant at a venue. A date begins with its session where that opens on the evening before,
    /// else at midnight of the venue's zone, so that a range of dates holds exactly those trading days.
    pub fn at(self, venue: Venue, calendars: &Calendars) -> Instant {
        let date = match self {
            When::At(at) => return at,
            When::Date(date) => date,
        };
        let Some(calendar) = calendars.of(venue) else { return Instant::from_utc_midnight(date) };
        let zone = jiff::tz::TimeZone::get(calendar.zone_name()).unwrap_or(jiff::tz::TimeZone::UTC);
        let midnight = date
            .to_zoned(zone)
            .ok()
            .and_then(|zoned| Instant::from_timestamp(zoned.timestamp()))
            .unwrap_or_else(|| Instant::from_utc_midnight(date));
        calendar.session_on(date).map_or(midnight, |session| session.hours.start.min(midnight))
    }
}

fn read_when(text: &str) -> Result<When, String> {
    if text.len() == 10
        && let Ok(date) = text.parse::<Date>()
    {
        return Ok(When::Date(date));
    }
    // A plus sign in a query means a blank: the offset of an instant is read all the same.
    Instant::parse(text).or_else(|| Instant::parse(&text.replace(' ', "+"))).map(When::At).ok_or_else(|| {
        format!("`{}` is neither RFC 3339 (2026-01-05T14:30:00Z) nor a date (2026-01-05)", shown(text))
    })
}

#[cfg(test)]
mod tests {
    // API-2, SYM-7.
    use super::*;

    fn read(query: &str) -> Words {
        Words::read(query, &HeaderMap::new())
    }

    #[test]
    fn a_word_in_the_query_outweighs_the_header_and_a_header_stands_alone() {
        let mut headers = HeaderMap::new();
        headers.insert("mda-min-grade", "C".parse().unwrap());
        headers.insert("mda-timeframe", "1h".parse().unwrap());
        headers.insert("accept", "*/*".parse().unwrap());
        let mut words = Words::read("min_grade=A", &headers);
        assert_eq!(words.choose("min_grade", &Letter::ALL, Letter::as_str), Some(Letter::A));
        assert_eq!(words.interval(), Interval::H1);
        assert_eq!(words.finish(), Ok(()));
    }

    #[test]
    fn every_fault_is_told_at_once_with_what_would_be_right() {
        let mut words = read("interval=1M&num=octal&max_age=5&nonsense=1&limit=0&limit=3");
        words.interval();
        words.form(None);
        words.parse("max_age", read_duration);
        words.count("limit", 1, 10);
        let faults = words.finish().unwrap_err();
        let mut told: Vec<String> = faults.iter().map(|f| format!("{}: {}", f.parameter, f.detail)).collect();
        told.sort();
        insta::assert_debug_snapshot!(told, @r#"
        [
            "interval: `1M` is ambiguous: write `1m` for a minute or `1mo` for a month",
            "limit: is given more than once: give it once, lists separated by commas",
            "max_age: `5` is no duration with a unit, such as 250ms, 5s, 2m, 1h or 7d",
            "nonsense: is unknown: this address takes interval, format, ts, num, explain, max_age, limit",
            "num: `octal` is not one of number, string",
        ]
        "#);
    }

    #[test]
    fn a_duration_needs_its_unit() {
        assert_eq!(read_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(read_duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(read_duration("2h"), Ok(Duration::from_secs(7_200)));
        for wrong in ["", "5", "s", "-1s", "1e9d", "5 s", "nan", "infs", "1..5s"] {
            assert!(read_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_date_begins_with_its_trading_day_at_the_venue() {
        let calendars = Calendars::built_in();
        let at = |text: &str, venue| read_when(text).unwrap().at(Venue::new(venue).unwrap(), &calendars);
        for (text, venue, instant) in [
            ("2026-01-05", "XNAS", "2026-01-05T05:00:00Z"),
            ("2026-01-05", "XASX", "2026-01-04T13:00:00Z"),
            ("2026-01-05", "CRYPTO", "2026-01-05T00:00:00Z"),
            ("2026-01-05T00:00:00 01:00", "XNAS", "2026-01-04T23:00:00Z"),
        ] {
            assert_eq!(at(text, venue), Instant::parse(instant).unwrap(), "{text} {venue}");
        }
        assert!(read_when("yesterday").is_err());
    }
}
