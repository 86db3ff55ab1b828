//! The contract of a dialect.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{Instant, Interval};

use crate::plan::Per;
use crate::{Data, HttpRequest, HttpResponse, Plan, Profile, Question, Rejection};

/// What a vendor's earlier replies told us to send again: a cookie, a crumb. Kept by the gateway, one per
/// vendor; never logged.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Session {
    values: BTreeMap<&'static str, String>,
}

impl Session {
    /// A value by name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Sets a value.
    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.values.insert(name, value.into());
    }

    /// Forgets everything: the next exchange starts anew.
    pub fn clear(&mut self) {
        self.values.clear();
    }

    /// Takes over what a reply taught.
    pub fn merge(&mut self, learned: Session) {
        self.values.extend(learned.values);
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl std::fmt::Debug for Session {
    /// Names only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// What a reply's headers say is left of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The window it speaks of.
    pub per: Per,
    /// Requests left in it.
    pub left: u32,
    /// When the window starts anew, if the headers tell.
    pub resets: Option<Instant>,
}

/// A question with what the codec may need to put it into words.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The question.
    pub question: &'a Question,
    /// When it is asked: vendors with relative ranges need it.
    pub now: Instant,
    /// What earlier replies taught.
    pub session: &'a Session,
    /// The plan in force, where one is known.
    pub plan: Option<&'a Plan>,
}

/// What a reply amounts to.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded {
    /// All there is.
    Whole(Data),
    /// A page; the request brings the next one. Each page costs a permit; pages are joined by [`Data::join`].
    Page {
        /// Rows of this page.
        data: Data,
        /// Where the next page is.
        next: HttpRequest,
    },
    /// No data yet: take over the session values, then send this.
    AskNext {
        /// What was learned.
        learned: Session,
        /// What to send.
        request: HttpRequest,
    },
}

impl Decoded {
    /// The data of a whole reply or a page, to look at.
    pub fn data(&self) -> Option<&Data> {
        match self {
            Decoded::Whole(data) | Decoded::Page { data, .. } => Some(data),
            Decoded::AskNext { .. } => None,
        }
    }

    /// The data of a whole reply or a page; `None` where something must be asked first.
    pub fn into_data(self) -> Option<Data> {
        match self {
            Decoded::Whole(data) | Decoded::Page { data, .. } => Some(data),
            Decoded::AskNext { .. } => None,
        }
    }
}

/// One vendor's dialect, from both ends of the wire.
///
/// Symbols: the codec alone knows the vendor's spelling. It spells an [`InstrumentId`] outward and reads
/// the vendor's spelling back; for instruments named in the question the answer carries the question's own
/// ids.
///
/// Times: a bar is stamped at the start of its window as the vendor states it; a vendor that stamps at the
/// end is shifted by the codec. A bar of a day or longer carries `trading_date`; where the vendor gives only
/// a date, `start` is midnight of that date in the zone the vendor declares (else the venue's). The gateway
/// moves daily stamps to the session's open and decides `is_final`; the codec sets `is_final: false` only
/// where the payload itself shows that a bar still runs.
///
/// Coverage: a reply that holds less than the asked range (a vendor's newest hundred rows) says so in
/// `BarSeries::covers`, so that what lies outside is not taken for known to be empty.
///
/// Order: bars, trades and actions ascend by time, whatever the vendor's order. No row is dropped: a row
/// whose prices are null is a bar without prices.
///
/// [`InstrumentId`]: domain::InstrumentId
pub trait Codec: Sync {
    /// What the vendor is.
    fn profile(&self) -> &'static Profile;

    /// The vendor's plans as YAML text, from `plans/<id>.yaml`.
    fn plans(&self) -> &'static str;

    // Client side, for the gateway: how to ask, what the reply means.

    /// Puts a question into the vendor's words. Adds no key.
    ///
    /// # Errors
    /// [`Rejection::Unsupported`] if the vendor has no words for it.
    fn encode_request(&self, ask: &Ask<'_>) -> Result<HttpRequest, Rejection>;

    /// The longest range one request for these bars may span; the gateway asks for longer ones piece by
    /// piece. `None`: any.
    fn longest_range(&self, _interval: Interval) -> Option<Duration> {
        None
    }

    /// How far back from now these bars reach, whatever the plan. `None`: all history.
    fn reach(&self, _interval: Interval) -> Option<Duration> {
        None
    }

    /// Whether its prices are single-precision numbers written out in double precision
    /// (`127.58000183105469` for 127.58).
    fn has_float32_prices(&self) -> bool {
        false
    }

    /// Whether a reply with bars carries all splits and dividends of its range along.
    fn bars_carry_actions(&self) -> bool {
        false
    }

    /// What a request costs of a plan's limits by the vendor's own counting, in the unit those limits are
    /// given in: requests, credits, messages. At least 1; an upper bound where only the reply tells.
    fn weight(&self, _request: &HttpRequest) -> u32 {
        1
    }

    /// What the headers of a reply say about the quota.
    fn allowance(&self, _response: &HttpResponse) -> Option<Allowance> {
        None
    }

    /// What a reply to `sent` means as an answer to `ask`.
    ///
    /// # Errors
    /// The [`Rejection`] it amounts to. Arbitrary bytes are rejected, never fatal.
    fn decode_response(
        &self,
        ask: &Ask<'_>,
        sent: &HttpRequest,
        response: &HttpResponse,
    ) -> Result<Decoded, Rejection>;

    // Vendor side, for the simulator, the facade and `mda decode`: what was asked, what the vendor would say.

    /// What a request asks. Lenient: a parameter that is missing, or a path template's `{name}` in place of
    /// a value, takes the vendor's default or a neutral value, so that a payload can be decoded knowing only
    /// its endpoint.
    ///
    /// # Errors
    /// [`Rejection::Unsupported`] for an endpoint outside what we speak; [`Rejection::CallersMistake`] for
    /// a parameter the vendor would refuse.
    fn decode_request(&self, request: &HttpRequest) -> Result<Question, Rejection>;

    /// What the vendor would reply to `request`, understood as `question`, given this outcome at this time.
    /// Speaks the vendor's rounding, order, field names, time units and error shapes.
    fn encode_response(
        &self,
        request: &HttpRequest,
        question: Option<&Question>,
        outcome: &Result<Data, Rejection>,
        now: Instant,
    ) -> HttpResponse;

    /// What the vendor replies where no market data is involved: a cookie, a crumb. `None` for everything
    /// else.
    fn answer_formality(&self, _request: &HttpRequest) -> Option<HttpResponse> {
        None
    }
}
