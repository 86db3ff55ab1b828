//! The application: every route, and what happens around each of them.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, Ready, ready};
use gateway::request::ConsumerId;
use gateway::{Failure, Gateway, RequestId};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tower::ServiceExt;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

use crate::call::{About, Call, Reply, header_value};
use crate::compat::Trouble;
use crate::door::Door;
use crate::error::{Code, Problem};
use crate::hot::Hot;
use crate::jobs::{self, Jobs};
use crate::routes::{Dialect, ROUTES, Route};

/// Bodies up to this size are not compressed.
const SMALL: u16 = 1_024;
/// Bodies of requests have at most so many bytes.
const LONGEST_BODY: usize = 256 << 10;
/// Methods and dialect of what no route knows.
const UNMATCHED: &str = "unmatched";

/// What every request needs.
pub struct Service {
    /// The gateway.
    pub gateway: Arc<Gateway>,
    /// What this process is.
    pub about: Arc<About>,
    /// Who may ask; `None`: anyone.
    pub door: Option<Door>,
    /// Questions that are answered later.
    pub jobs: Arc<Jobs>,
}

/// The application: clone it per connection.
#[derive(Clone)]
pub struct App {
    pub(crate) service: Arc<Service>,
    pub(crate) router: Router,
    pub(crate) hot: Arc<Hot>,
}

/// The application over a gateway.
pub fn app(gateway: Arc<Gateway>, about: About) -> App {
    let pages = crate::docs::pages(about.version);
    let door = Door::of(&gateway);
    let (about, jobs) = (Arc::new(about), Arc::<Jobs>::default());
    if tokio::runtime::Handle::try_current().is_ok() {
        let (jobs, gateway, about) = (Arc::clone(&jobs), Arc::clone(&gateway), Arc::clone(&about));
        tokio::spawn(async move { jobs.load(&gateway, &about).await });
    }
    let service = Arc::new(Service { gateway, about, door, jobs });
    let mut router = Router::new();
    let mut templates: Vec<&str> = ROUTES.iter().map(|route| route.template).collect();
    templates.sort_unstable();
    templates.dedup();
    for template in templates {
        router = router.route(template, methods(&service, template));
    }
    let lost = Arc::clone(&service);
    let router = router
        .merge(pages)
        .fallback(move |request: Request| {
            let service = Arc::clone(&lost);
            async move {
                let detail = "there is nothing here; /openapi.json lists every address".to_owned();
                let dialect = Dialect::of(request.uri().path());
                service.refuse(UNMATCHED, dialect, request.headers(), Problem::new(Code::NotFound, detail))
            }
        })
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(SMALL)));
    let hot = Arc::new(Hot::new(service.gateway.caching().memory_bytes));
    App { service, router, hot }
}

impl App {
    /// The gateway behind it.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.service.gateway
    }

    /// The reply, where memory holds all of it; `None` sends the request to the [`router`](App::router).
    pub fn remembered<B>(&self, request: &http::Request<B>) -> Option<Response> {
        let Some(door) = &self.service.door else { return self.hot.answer(&self.service, request) };
        let consumer = door.know(request.headers()).ok()?;
        let mut response = self.hot.answer(&self.service, request)?;
        let now = self.service.gateway.now();
        let passed = consumer.take(now);
        if passed.wait.is_some() {
            return None; // the ordinary way refuses, and says why
        }
        passed.sign(response.headers_mut(), now);
        Some(response)
    }

    /// The router, for whoever serves it by other means.
    pub fn router(&self) -> Router {
        self.router.clone()
    }
}

/// All methods of one address.
fn methods(service: &Arc<Service>, template: &'static str) -> MethodRouter {
    let here: Vec<&'static Route> = ROUTES.iter().filter(|route| route.template == template).collect();
    let takes_post = here.iter().any(|route| route.method == Method::POST);
    let allow = if takes_post { "POST" } else { "GET, HEAD" };
    let mut router = MethodRouter::new();
    for route in here {
        let service = Arc::clone(service);
        let answer = move |params: RawPathParams, request: Request| {
            let service = Arc::clone(&service);
            let (asked, body) = request.into_parts();
            async move { service.run(route, &params, &asked, body).await }
        };
        let filter = if route.method == Method::POST { MethodFilter::POST } else { MethodFilter::GET };
        router = router.merge(on(filter, answer));
    }
    let service = Arc::clone(service);
    router.fallback(move |request: Request| {
        let service = Arc::clone(&service);
        async move {
            let detail = format!("this address takes {allow}");
            let mut problem = Problem::new(Code::MethodNotAllowed, detail);
            problem.attached.allow = Some(allow);
            service.refuse(template, Dialect::of(template), request.headers(), problem)
        }
    })
}

impl Service {
    /// Answers one request on its route.
    async fn run(&self, route: &Route, params: &RawPathParams, asked: &Parts, body: Body) -> Response {
        let received_at = self.gateway.now();
        let id = self.request_id(&asked.headers);
        let door = self.door.as_ref();
        let entry =
            door.map(|door| door.enter(route.template, &asked.headers, received_at)).unwrap_or_default();
        let mut response = match &entry.refused {
            Some(problem) => {
                let reply = self.problem(route.template, route.dialect, &id, received_at, problem);
                self.finish(reply, &id, received_at, &asked.headers)
            }
            None => self.answer(route, params, asked, body, &id, received_at, entry.consumer).await,
        };
        if let Some(passed) = entry.passed {
            passed.sign(response.headers_mut(), received_at);
        }
        response
    }

    #[allow(clippy::too_many_arguments, reason = "each is one fact of one request")]
    async fn answer(
        &self,
        route: &Route,
        params: &RawPathParams,
        asked: &Parts,
        body: Body,
        id: &RequestId,
        received_at: domain::Instant,
        consumer: Option<ConsumerId>,
    ) -> Response {
        let body = match route.method {
            Method::POST => axum::body::to_bytes(body, LONGEST_BODY).await,
            _ => Ok(Bytes::new()),
        };
        let path = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let (body, is_too_large) = (body.as_ref().cloned().unwrap_or_default(), body.is_err());
        let call = Call {
            gateway: Arc::clone(&self.gateway),
            about: Arc::clone(&self.about),
            jobs: Arc::clone(&self.jobs),
            id: id.clone(),
            received_at,
            query: asked.uri.query().unwrap_or_default().to_owned(),
            headers: asked.headers.clone(),
            consumer,
            body,
            path,
        };
        let work = if is_too_large {
            futures_util::future::ready(Err(crate::costs::too_large(LONGEST_BODY))).boxed()
        } else if jobs::is_wanted(route, &asked.headers) {
            jobs::accept(call, route.template).boxed()
        } else {
            (route.answer)(call)
        };
        let answered = AssertUnwindSafe(work).catch_unwind().await;
        let answered = answered.unwrap_or_else(|_panic| {
            Err(Problem::new(Code::Internal, "the gateway failed; the request id finds it in the log"))
        });
        let reply = match answered {
            Ok(reply) => reply,
            Err(problem) => self.problem(route.template, route.dialect, id, received_at, &problem),
        };
        self.finish(reply, id, received_at, &asked.headers)
    }

    /// Refuses a request that has no route.
    fn refuse(&self, template: &str, dialect: Dialect, headers: &HeaderMap, problem: Problem) -> Response {
        let received_at = self.gateway.now();
        let id = self.request_id(headers);
        let reply = self.problem(template, dialect, &id, received_at, &problem);
        self.finish(reply, &id, received_at, headers)
    }

    /// Writes a problem, and keeps it among the failures.
    fn problem(
        &self,
        template: &str,
        dialect: Dialect,
        id: &RequestId,
        received_at: domain::Instant,
        problem: &Problem,
    ) -> Reply {
        let now = self.gateway.now();
        self.gateway.record_failure(Failure {
            id: id.clone(),
            at: now,
            route: template.to_owned(),
            status: problem.code.status().as_u16(),
            code: problem.code.as_str().to_owned(),
            category: problem.code.category().as_str().to_owned(),
            severity: problem.code.severity().to_owned(),
            micros: u64::try_from(now.since(received_at).as_micros()).unwrap_or(u64::MAX),
            detail: problem.detail.clone(),
        });
        let document = problem.document(id, now);
        let mut reply = match dialect {
            Dialect::Native => Reply { media_type: "application/problem+json", ..Reply::json(&document) },
            Dialect::Compatible => Reply::json(&Trouble { detail: document.detail.clone() }),
        };
        reply.status = problem.code.status();
        if problem.code == Code::Unauthorized {
            reply.push(header::WWW_AUTHENTICATE, "Bearer");
        }
        if let Some(allow) = problem.attached.allow {
            reply.push(header::ALLOW, allow);
        }
        if let Some(wait_ms) = document.retry_after_ms {
            reply.push(header::RETRY_AFTER, itoa::Buffer::new().format(wait_ms.div_ceil(1_000)));
        }
        let attempts: Vec<String> =
            document.attempts.iter().take(32).map(|a| format!("{}:{}", a.vendor, a.outcome)).collect();
        reply.push(HeaderName::from_static("mda-attempts"), &attempts.join(", "));
        if self.about.simulated {
            reply.push(HeaderName::from_static("mda-simulated"), "true");
        }
        reply.vendor_micros = problem.attempts.iter().map(|attempt| attempt.micros).sum();
        reply
    }

    /// Adds what every answer carries.
    fn finish(
        &self,
        reply: Reply,
        id: &RequestId,
        received_at: domain::Instant,
        asked: &HeaderMap,
    ) -> Response {
        let mut response = Response::new(Body::from(reply.body));
        *response.status_mut() = reply.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(reply.media_type));
        for (name, value) in reply.headers {
            headers.append(name, value);
        }
        if reply.status == StatusCode::OK && !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        self.sign(headers, id, received_at, reply.vendor_micros, asked);
        response
    }

    /// The headers that say which request this was and what time it took, the last thing before it goes.
    pub(crate) fn sign(
        &self,
        headers: &mut HeaderMap,
        id: &RequestId,
        received_at: domain::Instant,
        vendor_micros: u64,
        asked: &HeaderMap,
    ) {
        let micros = u64::try_from(self.gateway.now().since(received_at).as_micros()).unwrap_or(u64::MAX);
        let own = micros.saturating_sub(vendor_micros);
        headers.insert("x-request-id", header_value(&id.0));
        headers.insert("mda-overhead-us", HeaderValue::from(own));
        headers.insert("server-timing", header_value(&server_timing(micros, own)));
        if let Some(trace) = asked.get("traceparent").and_then(|trace| self.continue_trace(trace)) {
            headers.insert("traceparent", trace);
        }
    }

    /// The caller's own id if it is sane, else a new one.
    pub(crate) fn request_id(&self, headers: &HeaderMap) -> RequestId {
        headers
            .get("x-request-id")
            .and_then(|id| id.to_str().ok())
            .filter(|id| is_sane(id))
            .map_or_else(|| self.gateway.new_request_id(), |id| RequestId(id.into()))
    }

    /// The caller's trace with a span of ours (W3C Trace Context, level 1, 2021-11-23); `None` for what is
    /// no trace.
    fn continue_trace(&self, parent: &HeaderValue) -> Option<HeaderValue> {
        let fields: Vec<&str> = parent.to_str().ok()?.split('-').collect();
        let [version, trace, span, flags] = fields[..] else { return None };
        let is_hex = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let sound = is_hex(version, 2) && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2);
        let zero = trace.bytes().all(|b| b == b'0') || span.bytes().all(|b| b == b'0');
        if !sound || zero || version == "ff" {
            return None;
        }
        let id = self.gateway.new_request_id();
        let own = id.0.split_once('-').map(|(_, bits)| bits.to_owned())?;
        Some(header_value(&format!("00-{trace}-{own}-{flags}")))
    }
}

/// `Server-Timing`: the whole, and our own part of it, in milliseconds.
pub(crate) fn server_timing(micros: u64, own: u64) -> String {
    format!("total;dur={}.{:03}, own;dur={}.{:03}", micros / 1000, micros % 1000, own / 1000, own % 1000)
}

/// Whether a caller's id is short and plain enough to be kept and repeated.
pub(crate) fn is_sane(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/'))
}

impl hyper::service::Service<http::Request<hyper::body::Incoming>> for App {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = Either<
        Ready<Result<Response, std::convert::Infallible>>,
        BoxFuture<'static, Result<Response, std::convert::Infallible>>,
    >;

    fn call(&self, request: http::Request<hyper::body::Incoming>) -> Self::Future {
        match self.remembered(&request) {
            Some(response) => Either::Left(ready(Ok(response))),
            None => Either::Right(self.router.clone().oneshot(request.map(Body::new)).boxed()),
        }
    }
}
