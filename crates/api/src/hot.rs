//! The short way to a cached quote: what does not depend on the moment of serving is written once per
//! answer; a hit writes only grade, age, ids and the headers that follow from them. It says byte for byte
//! what the ordinary way says, because the ordinary way writes the template.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use domain::{Anchor, Directory, Instant};
use gateway::budget;
use gateway::flight_key::FlightKey;
use gateway::{Answer, CacheState, RequestId, Served};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use moka::sync::Cache;

use crate::app::Service;
use crate::ask::Asked;
use crate::call::{Call, Reply, header_value};
use crate::envelope::{self, Part, Shape};
use crate::form::{Form, Format};
use crate::grade::{write_findings, write_grade};
use crate::meta::{self, Moment};
use crate::quotes;

/// The only address with a short way.
const PATH: &str = "/v1/quotes/latest";
/// Queries remembered at most.
const QUERIES: u64 = 10_000;
/// Rough bytes of a query with the template of its answer, and of the answer itself.
const QUERY_BYTES: u64 = 5_000;
/// A query longer than this takes the ordinary way.
const LONGEST: usize = 512;
/// What stands in a template where the moment of serving goes. No answer holds these: control characters
/// occur in no symbol and in no id.
const LETTER: &str = "\u{1}letter";
const ID: &str = "\u{1}id";
const GRADE: &str = "\"\\u0001grade\"";
const AGE: &str = "\"\\u0001age\"";
const TTL: &str = "\"\\u0001ttl\"";

/// Queries that have a short way, each with the template of its newest answer.
pub(crate) struct Hot {
    queries: Cache<String, Option<Arc<Simple>>>,
}

/// A query for one symbol without constraints.
struct Simple {
    symbol: String,
    key: FlightKey,
    /// The directory by which the symbol was read: a newer one may read it otherwise.
    directory: Arc<Directory>,
    template: ArcSwapOption<Template>,
}

/// An answer written, with gaps for what depends on the moment.
struct Template {
    answer: Arc<Answer>,
    /// What stands before the letter, the id, the grade, the age, the time to live; and the end.
    pieces: [Bytes; 6],
    /// The findings, and the end of the grade.
    findings: Bytes,
    headers: HeaderMap,
}

impl Hot {
    /// No query yet, and later as many as fit into their share of the memory.
    pub(crate) fn new(memory_bytes: u64) -> Hot {
        let queries = budget::Part::Templates.items(memory_bytes, QUERY_BYTES) as u64;
        Hot { queries: Cache::new(queries.min(QUERIES)) }
    }

    /// The reply, where memory has a fresh answer to a simple query; `None` sends the request the ordinary
    /// way.
    pub(crate) fn answer<B>(&self, service: &Service, request: &Request<B>) -> Option<Response> {
        if request.method() != Method::GET || request.uri().path() != PATH {
            return None;
        }
        let query = request.uri().query().filter(|query| query.len() <= LONGEST)?;
        if !is_plain(request.headers()) {
            return None;
        }
        let received_at = service.gateway.now();
        let simple = self.simple(service, query, received_at)?;
        let served = service.gateway.fresh(&simple.key)?;
        let id = service.request_id(request.headers());
        if id == served.answer.decision.id {
            return None; // it brought the answer itself, and says so in other words
        }
        let template = simple.template(service, &served, received_at)?;
        service.gateway.remember(id.clone(), &served.answer.decision);
        service.gateway.observe_remembered(received_at);
        Some(template.fill(service, &served, &id, received_at, request.headers()))
    }

    fn simple(&self, service: &Service, query: &str, now: Instant) -> Option<Arc<Simple>> {
        let directory = service.gateway.directory();
        match self.queries.get(query) {
            Some(Some(simple)) if Arc::ptr_eq(&simple.directory, &directory) => Some(simple),
            Some(None) => None,
            Some(Some(_)) | None => {
                let simple = Simple::read(service, query, directory, now).map(Arc::new);
                self.queries.insert(query.to_owned(), simple.clone());
                simple
            }
        }
    }
}

/// Whether no header changes the answer or its coding.
fn is_plain(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).map_or(Some(""), |value| value.to_str().ok());
    let json = text(header::ACCEPT).is_some_and(|accept| Format::accepted(accept) == Format::Json);
    let whole = text(header::ACCEPT_ENCODING)
        .is_some_and(|coding| !["gzip", "zstd", "*"].iter().any(|known| coding.contains(known)));
    let at_once = !headers.contains_key("prefer");
    json && whole && at_once && headers.keys().all(|name| !name.as_str().starts_with("mda-"))
}

fn call(service: &Service, query: &str, now: Instant) -> Call {
    Call {
        gateway: Arc::clone(&service.gateway),
        about: Arc::clone(&service.about),
        jobs: Arc::clone(&service.jobs),
        id: RequestId(ID.into()),
        received_at: now,
        query: query.to_owned(),
        headers: HeaderMap::new(),
        consumer: None,
        body: Bytes::new(),
        path: Vec::new(),
    }
}

impl Simple {
    /// Reads a query the way the ordinary route does; `None` unless it is sound, about one symbol, in JSON,
    /// and free of constraints that a cached answer might not meet.
    fn read(service: &Service, query: &str, directory: Arc<Directory>, now: Instant) -> Option<Simple> {
        let call = call(service, query, now);
        let asked = Asked::read(&call, "symbols", call.words()).ok()?;
        let policy = &asked.policy;
        let free = policy.min_grade.is_none() && policy.max_age.is_none() && policy.asof.is_none();
        if !free || asked.form != Form::default() || asked.symbols.len() != 1 {
            return None;
        }
        let (symbol, resolved) = asked.symbols.into_iter().next()?;
        let key = FlightKey::of(&quotes::question(&resolved.ok()?), policy);
        Some(Simple { symbol, key, directory, template: ArcSwapOption::empty() })
    }

    /// The template of this very answer, written now if it is new.
    fn template(&self, service: &Service, served: &Served, now: Instant) -> Option<Arc<Template>> {
        if let Some(template) = self.template.load_full()
            && Arc::ptr_eq(&template.answer, &served.answer)
        {
            return Some(template);
        }
        let template = Arc::new(Template::write(&call(service, "", now), &self.symbol, served)?);
        self.template.store(Some(Arc::clone(&template)));
        Some(template)
    }
}

impl Template {
    /// Writes an answer the ordinary way, with marks in place of the moment, and cuts it at the marks.
    fn write(call: &Call, symbol: &str, served: &Served) -> Option<Template> {
        let hit = Served { cache: CacheState::Hit, ..served.clone() };
        let parts = [Part { key: symbol.to_owned(), outcome: Ok(hit) }];
        let shape = Shape {
            columns: &quotes::COLUMNS,
            single: true,
            rows: &|_, served| quotes::row(served, LETTER),
            anchor: Anchor::Open,
            next: None,
        };
        let marks = |_: &Served| Moment {
            grade: meta::raw(GRADE.into()),
            age_ms: meta::raw(AGE.into()),
            ttl_ms: meta::raw(TTL.into()),
        };
        let (text, warnings) = envelope::json(call, &Form::default(), &parts, &shape, ID, &marks);
        let mut rest = Bytes::from(text);
        let mut pieces: [Bytes; 6] = Default::default();
        for (piece, mark) in pieces.iter_mut().zip(["\\u0001letter", "\\u0001id", GRADE, AGE, TTL]) {
            let at = rest.windows(mark.len()).position(|window| window == mark.as_bytes())?;
            *piece = rest.split_to(at);
            let _mark = rest.split_to(mark.len());
        }
        pieces[5] = rest;
        let mut findings = Vec::new();
        write_findings(&mut findings, &served.answer.findings);
        let mut reply = Reply::json(&());
        envelope::mirror(call, &parts, &shape, &warnings, &mut reply);
        let mut headers = HeaderMap::with_capacity(24);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Format::Json.media_type()));
        for (name, value) in reply.headers {
            headers.append(name, value);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        Some(Template { answer: Arc::clone(&served.answer), pieces, findings: findings.into(), headers })
    }

    /// Fills the gaps.
    fn fill(
        &self,
        service: &Service,
        served: &Served,
        id: &RequestId,
        received_at: Instant,
        asked: &HeaderMap,
    ) -> Response {
        let [before_letter, before_id, before_grade, before_age, before_ttl, end] = &self.pieces;
        let fixed: usize = self.pieces.iter().map(Bytes::len).sum();
        let mut body = Vec::with_capacity(fixed + self.findings.len() + 640 + id.0.len());
        let letter = served.grade.letter.as_str();
        body.extend_from_slice(before_letter);
        body.extend_from_slice(letter.as_bytes());
        body.extend_from_slice(before_id);
        body.extend_from_slice(id.0.as_bytes());
        body.extend_from_slice(before_grade);
        let losses = service.gateway.losses(served);
        write_grade(&mut body, &served.grade, &losses, served.grade.delay_secs);
        body.extend_from_slice(&self.findings);
        body.extend_from_slice(before_age);
        let mut digits = itoa::Buffer::new();
        match served.age() {
            Some(age) => body.extend_from_slice(digits.format(age.as_millis()).as_bytes()),
            None => body.extend_from_slice(b"null"),
        }
        body.extend_from_slice(before_ttl);
        let ttl = served.answer.fresh_until.since(served.now);
        body.extend_from_slice(digits.format(ttl.as_millis()).as_bytes());
        body.extend_from_slice(end);
        let mut response = Response::new(Body::from(body));
        let headers = response.headers_mut();
        headers.clone_from(&self.headers);
        headers.insert("mda-grade", HeaderValue::from_static(letter));
        headers.insert("cache-status", header_value(&envelope::cache_status(served)));
        headers.insert(header::AGE, HeaderValue::from(served.now.since(served.answer.received_at).as_secs()));
        service.sign(headers, id, received_at, 0, asked);
        response
    }
}
