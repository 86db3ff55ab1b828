//! One request on its way through: who asks, under which id, and the reply that goes back.

use std::sync::Arc;

use bytes::Bytes;
use domain::{Instant, InstrumentId, SymbolError};
use futures_util::future::BoxFuture;
use gateway::request::ConsumerId;
use gateway::{Gateway, Policy, Request, RequestId, Served, Unanswered, Why};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use vendors::Question;

use crate::error::{Code, Problem};
use crate::jobs::Jobs;
use crate::words::Words;

/// What this process is.
#[derive(Clone, Debug)]
pub struct About {
    /// Version of the program.
    pub version: &'static str,
    /// Whether everything here is simulated: said in every answer and on every page.
    pub simulated: bool,
}

/// One request.
pub struct Call {
    /// The gateway.
    pub gateway: Arc<Gateway>,
    /// What this process is.
    pub about: Arc<About>,
    /// Questions that are answered later.
    pub jobs: Arc<Jobs>,
    /// Its id: the caller's own, or ours.
    pub id: RequestId,
    /// When it reached us.
    pub received_at: Instant,
    /// The query, as sent.
    pub query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Who asks, where consumers have keys.
    pub consumer: Option<ConsumerId>,
    /// Its body, of a POST.
    pub body: Bytes,
    /// What stands in the place of each name of the route's template, decoded.
    pub path: Vec<(String, String)>,
}

/// How a route answers.
pub type Handler = fn(Call) -> BoxFuture<'static, Result<Reply, Problem>>;

/// What goes back.
#[derive(Debug)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Media type of the body.
    pub media_type: &'static str,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Body.
    pub body: Vec<u8>,
    /// Time that vendors took, in microseconds: the rest is our own.
    pub vendor_micros: u64,
}

impl Reply {
    /// A reply in JSON.
    pub fn json(body: &impl serde::Serialize) -> Reply {
        Reply {
            status: StatusCode::OK,
            media_type: "application/json",
            headers: Vec::new(),
            body: serde_json::to_vec(body).expect("answers are maps with text keys"),
            vendor_micros: 0,
        }
    }

    /// A page.
    pub fn html(body: String) -> Reply {
        Reply { media_type: "text/html; charset=utf-8", body: body.into_bytes(), ..Reply::json(&()) }
    }

    /// A redirection.
    pub fn see(other: &'static str) -> Reply {
        let mut reply = Reply::html(String::new());
        reply.status = StatusCode::SEE_OTHER;
        reply.headers.push((header::LOCATION, HeaderValue::from_static(other)));
        reply
    }

    /// Adds a header; characters no header may hold become `?`.
    pub fn push(&mut self, name: HeaderName, value: &str) {
        self.headers.push((name, header_value(value)));
    }
}

/// Text as a header value; characters no header may hold become `?`.
pub fn header_value(text: &str) -> HeaderValue {
    let plain: String = text.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect();
    HeaderValue::from_str(&plain).expect("printable ASCII is a header value")
}

/// Why one symbol has no answer; a constraint that was missed brings the best there is.
pub struct Refusal {
    /// Why.
    pub problem: Problem,
    /// The best there is.
    pub best: Option<Served>,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Refusal {
        Refusal { problem, best: None }
    }
}

impl From<Unanswered> for Refusal {
    fn from(unanswered: Unanswered) -> Refusal {
        let problem = Problem::unanswered(&unanswered);
        let best = match unanswered.why {
            Why::ConstraintUnmet { best, .. } => best.map(|served| *served),
            _ => None,
        };
        Refusal { problem, best }
    }
}

impl Call {
    /// The words of the request.
    pub fn words(&self) -> Words {
        Words::read(&self.query, &self.headers)
    }

    /// What the caller accepts.
    pub fn accept(&self) -> Option<&str> {
        self.headers.get(header::ACCEPT)?.to_str().ok()
    }

    /// What stands in the place of a name of the template.
    pub fn path(&self, name: &str) -> &str {
        self.path.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Asks the gateway, and keeps the decision under the id it was asked by.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask(&self, id: RequestId, question: Question, policy: Policy) -> Result<Served, Refusal> {
        let policy = Policy { consumer: self.consumer, ..policy };
        let request = Request { id, question, policy, received_at: self.received_at };
        let answered = self.gateway.answer(&request).await;
        let decision = match &answered {
            Ok(served) => &served.answer.decision,
            Err(unanswered) => &unanswered.decision,
        };
        self.gateway.remember(request.id, decision);
        answered.map_err(Refusal::from)
    }

    /// The instrument a text means under a policy.
    ///
    /// # Errors
    /// A malformed symbol, or a name nobody held on the date.
    pub fn resolve(&self, text: &str, asof: Option<Instant>) -> Result<InstrumentId, Problem> {
        self.gateway.directory().resolve(text, asof.map(Instant::utc_date)).map_err(|error| {
            let code = match error {
                SymbolError::Malformed(_) => Code::BadRequest,
                SymbolError::NotYet { .. } => Code::UnknownSymbol,
            };
            Problem::new(code, error.to_string())
        })
    }
}
