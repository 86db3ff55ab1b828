//! Reference data: calendars, the directory of instruments, what a name means.

use std::collections::BTreeMap;

use domain::{Calendar, Date, Instant, Instrument, InstrumentKind, Range, TradingSession, Venue};
use serde::Serialize;
use utoipa::ToSchema;
use vendors::{Data, Question};

use crate::call::{Call, Reply};
use crate::error::{Fault, Problem};
use crate::meta::{WarningTold, time};
use crate::vendors_told::ListMeta;

/// A venue's calendar.
#[derive(Serialize, ToSchema)]
pub struct CalendarTold {
    /// Market identifier code (ISO 10383), or one of ours.
    pub mic: String,
    /// Other venues that keep this calendar.
    pub also: Vec<String>,
    /// IANA time zone.
    pub zone: String,
    /// First and last day for which holidays are known; beyond them the weekly pattern stands in.
    pub holidays_known: [String; 2],
    /// The market now.
    pub status: StatusTold,
    /// Sessions of the asked dates.
    pub sessions: Vec<SessionTold>,
}

/// A market at a moment.
#[derive(Serialize, ToSchema)]
pub struct StatusTold {
    /// `open`, `closed`, `pre_market`, `after_hours`, `break`.
    pub phase: &'static str,
    /// Whether regular trading runs.
    pub is_open: bool,
    /// The moment (RFC 3339).
    pub at: String,
    /// The next opening, within 30 days (RFC 3339).
    pub next_open: Option<String>,
    /// When regular trading ends today, while it runs (RFC 3339).
    pub closes_at: Option<String>,
}

/// One session.
#[derive(Serialize, ToSchema)]
pub struct SessionTold {
    /// Trading date at the venue.
    pub date: String,
    /// Open (RFC 3339).
    pub open: String,
    /// Close (RFC 3339).
    pub close: String,
    /// Break inside the session: start and end (RFC 3339).
    #[serde(rename = "break", skip_serializing_if = "Option::is_none")]
    pub pause: Option<[String; 2]>,
}

/// The answer of `/v1/calendar`.
#[derive(Serialize, ToSchema)]
pub struct CalendarAnswer {
    /// The calendar.
    pub data: CalendarTold,
    /// Facts about the answer.
    pub meta: ListMeta,
}

/// At most so many days of sessions in one answer.
const MOST_DAYS: i64 = 366 * 20;

/// Sessions of a venue, and whether its market is open now. Dates are trading dates, `[start, end)`; without
/// them the next seven days.
pub async fn calendar(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    let calendars = call.gateway.calendars();
    let venue = words.parse("mic", |text| {
        Venue::new(text).filter(|venue| calendars.of(*venue).is_some()).ok_or_else(|| {
            let known: Vec<String> = calendars.venues().iter().map(ToString::to_string).collect();
            format!("is no venue we have a calendar of: use one of {}", known.join(", "))
        })
    });
    let now = call.gateway.now();
    let (start, end) = (words.date("start"), words.date("end"));
    let today = venue.and_then(|venue| Some(calendars.of(venue)?.trading_date(now)));
    let start = start.or(today).unwrap_or_else(|| now.utc_date());
    let end = end.unwrap_or_else(|| start.saturating_add(jiff::Span::new().days(7)));
    if end <= start {
        words.fault("end", format!("{end} is not after {start}: a range is [start, end)"));
    }
    if days_between(start, end) > MOST_DAYS {
        words.fault("end", "is more than twenty years after the start: ask in pieces");
    }
    if venue.is_none() && !words.faults.iter().any(|fault| fault.parameter == "mic") {
        words.fault("mic", "is missing: name a venue by its market identifier code, such as XNYS");
    }
    words.finish().map_err(Problem::malformed)?;
    let Some(calendar) = venue.and_then(|venue| calendars.of(venue)) else {
        return Err(Problem::malformed(vec![Fault { parameter: "mic".into(), detail: "is missing".into() }]));
    };
    let mut sessions = Vec::new();
    let mut date = start;
    while date < end {
        sessions.extend(calendar.session_on(date).as_ref().map(session));
        let Ok(next) = date.tomorrow() else { break };
        date = next;
    }
    let (first, last) = calendar.covers();
    let data = CalendarTold {
        mic: venue.map(|venue| venue.to_string()).unwrap_or_default(),
        also: calendar.also().iter().map(ToString::to_string).collect(),
        zone: calendar.zone_name().to_owned(),
        holidays_known: [first.to_string(), last.to_string()],
        status: status(calendar, now),
        sessions,
    };
    let meta = ListMeta::of(&call, data.sessions.len());
    Ok(Reply::json(&CalendarAnswer { data, meta }))
}

fn days_between(start: Date, end: Date) -> i64 {
    let span = Range::new(Instant::from_utc_midnight(start), Instant::from_utc_midnight(end)).length();
    i64::try_from(span.as_secs() / 86_400).unwrap_or(i64::MAX)
}

fn status(calendar: &Calendar, now: Instant) -> StatusTold {
    let is_open = calendar.is_open(now);
    StatusTold {
        phase: calendar.phase(now).as_str(),
        is_open,
        at: now.to_string(),
        next_open: time(calendar.next_open(now)),
        closes_at: time(calendar.session_at(now).filter(|_| is_open).map(|session| session.hours.end)),
    }
}

fn session(session: &TradingSession) -> SessionTold {
    SessionTold {
        date: session.date.to_string(),
        open: session.hours.start.to_string(),
        close: session.hours.end.to_string(),
        pause: session.pause.map(|pause| [pause.start.to_string(), pause.end.to_string()]),
    }
}

/// An instrument's record.
#[derive(Serialize, ToSchema)]
pub struct InstrumentTold {
    /// Canonical id.
    pub instrument: String,
    /// Name at the venue.
    pub name: String,
    /// Venue.
    pub venue: String,
    /// `equity`, `etf`, `fund`, `index`, `fx`, `crypto`, `future`, `option`, `other`; `null` without a record.
    #[serde(rename = "type")]
    pub kind: Option<&'static str>,
    /// Name of the company, fund or pair.
    pub description: Option<String>,
    /// Currency of its prices.
    pub currency: Option<String>,
    /// `major` or `minor`.
    pub unit: Option<&'static str>,
    /// First trading day.
    pub listed: Option<String>,
    /// First day on which it no longer traded.
    pub delisted: Option<String>,
    /// Whether the directory has a record of it.
    pub known: bool,
}

impl InstrumentTold {
    /// Of a record.
    pub fn of(record: &Instrument) -> InstrumentTold {
        InstrumentTold {
            instrument: record.id.to_string(),
            name: record.id.name().to_owned(),
            venue: record.id.venue().to_string(),
            kind: Some(record.kind.as_str()),
            description: record.description.as_ref().map(ToString::to_string),
            currency: record.denomination.map(|d| d.currency.to_string()),
            unit: record.denomination.map(|d| d.unit.as_str()),
            listed: record.listed.map(|date| date.to_string()),
            delisted: record.delisted.map(|date| date.to_string()),
            known: true,
        }
    }

    /// Of an id without a record.
    fn bare(id: &domain::InstrumentId) -> InstrumentTold {
        let mut told = InstrumentTold::of(&Instrument::new(id.clone(), InstrumentKind::Other));
        (told.kind, told.known) = (None, false);
        told
    }
}

/// The answer of `/v1/instruments/search`.
#[derive(Serialize, ToSchema)]
pub struct SearchAnswer {
    /// What was found, best first.
    pub data: Vec<InstrumentTold>,
    /// Facts about the answer.
    pub meta: SearchMeta,
    /// What the caller must know.
    pub warnings: Vec<WarningTold>,
}

/// Facts about a search.
#[derive(Serialize, ToSchema)]
pub struct SearchMeta {
    /// Of which request.
    pub request_id: String,
    /// Whether everything here is simulated.
    pub simulated: bool,
    /// Number found.
    pub count: usize,
    /// `directory`, or the vendor that was asked because the directory had nothing.
    pub found_by: String,
}

/// Instruments in which every word occurs. The directory answers; a vendor is asked only where it has
/// nothing.
pub async fn search(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    let query = words.take("q").unwrap_or_default();
    if query.is_empty() || query.chars().count() > 100 {
        words.fault("q", "takes one to a hundred characters: a ticker, or words of a name");
    }
    let limit = words.count("limit", 1, 1_000).unwrap_or(20) as usize;
    let kind = words.choose("type", &InstrumentKind::ALL, InstrumentKind::as_str);
    let policy = words.policy(&call.gateway);
    words.finish().map_err(Problem::malformed)?;
    let directory = call.gateway.directory();
    let mut data: Vec<InstrumentTold> =
        directory.search(&query, limit, kind).into_iter().map(InstrumentTold::of).collect();
    let (mut found_by, mut warnings) = ("directory".to_owned(), Vec::new());
    if data.is_empty() {
        let question = Question::Search { words: query, limit: limit as u32 };
        match call.ask(call.id.clone(), question, policy).await {
            Ok(served) => {
                if let (Data::Instruments(found), Some(vendor)) =
                    (&served.answer.data, served.answer.vendor())
                {
                    found_by = vendor.to_string();
                    let fitting = found.iter().filter(|record| kind.is_none_or(|kind| kind == record.kind));
                    data = fitting.take(limit).map(InstrumentTold::of).collect();
                }
            }
            Err(refusal) => warnings.push(WarningTold {
                code: "DIRECTORY_ONLY",
                symbol: None,
                detail: format!("no vendor could be asked: {}", refusal.problem.detail),
            }),
        }
    }
    if data.is_empty() {
        warnings.push(WarningTold {
            code: "NO_DATA",
            symbol: None,
            detail: "nothing matches all the words".to_owned(),
        });
    }
    let meta = SearchMeta {
        request_id: call.id.to_string(),
        simulated: call.about.simulated,
        count: data.len(),
        found_by,
    };
    Ok(Reply::json(&SearchAnswer { data, meta, warnings }))
}

/// What a name means, or why it means nothing.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum Resolved {
    /// An instrument.
    Means(InstrumentTold),
    /// Nothing.
    MeansNothing {
        /// Why.
        error: String,
    },
}

/// The answer of `/v1/instruments/resolve`.
#[derive(Serialize, ToSchema)]
pub struct ResolveAnswer {
    /// Each symbol as written, in upper case, with what it means.
    pub data: BTreeMap<String, Resolved>,
    /// Facts about the answer.
    pub meta: ListMeta,
}

/// What names mean, or meant on a date. No vendor is asked.
pub async fn resolve(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    let symbols = words.symbols("symbols");
    let asof = words.instant("asof");
    words.finish().map_err(Problem::malformed)?;
    let directory = call.gateway.directory();
    let data: BTreeMap<String, Resolved> = symbols
        .iter()
        .map(|text| {
            let resolved = match call.resolve(text, asof) {
                Ok(id) => Resolved::Means(
                    directory.instrument(&id).map_or_else(|| InstrumentTold::bare(&id), InstrumentTold::of),
                ),
                Err(problem) => Resolved::MeansNothing { error: problem.detail },
            };
            (text.to_uppercase(), resolved)
        })
        .collect();
    let meta = ListMeta::of(&call, data.len());
    Ok(Reply::json(&ResolveAnswer { data, meta }))
}
