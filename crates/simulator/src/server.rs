//! The vendors over HTTP, all on one loopback listener: vendor V at `/V/…`, a vendor's secondary host at
//! `/V/_host/HOST/…`, the simulator's own controls at `/_sim/…`.

mod control;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use domain::VendorId;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vendors::{HttpRequest, HttpResponse, Method};

use crate::world::{Ending, World};

/// A longer request body is refused.
const MOST_BODY_BYTES: usize = 1 << 20;

/// The vendors of a world on a listener.
pub struct Simulator {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Simulator {
    /// Serves on a listener until [`Simulator::stop`]; dropping the handle lets it run on. To be called inside
    /// a tokio runtime.
    ///
    /// # Errors
    /// If the listener has no address.
    pub fn start(listener: TcpListener, world: Arc<World>) -> std::io::Result<Simulator> {
        let address = listener.local_addr()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let accept = accept(listener, world, address, stop.clone(), tasks.clone());
        tasks.spawn(accept);
        Ok(Simulator { address, stop, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL at which a gateway finds a vendor, without trailing slash.
    pub fn base_url(&self, vendor: VendorId) -> String {
        format!("http://{}/{vendor}", self.address)
    }

    /// Stops accepting, breaks what is under way and waits until all is gone.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn accept(
    listener: TcpListener,
    world: Arc<World>,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (world, stop) = (Arc::clone(&world), stop.clone());
                tasks.spawn(async move {
                    let connection = Connection { world, address, peer };
                    tokio::select! {
                        () = stop.cancelled() => (),
                        () = connection.serve(stream) => (),
                    }
                });
            }
            // Out of file descriptors, most likely: wait until a connection has gone.
            Err(_) => world.clock.sleep_until(world.clock.now() + std::time::Duration::from_millis(50)).await,
        }
    }
}

struct Connection {
    world: Arc<World>,
    address: SocketAddr,
    peer: SocketAddr,
}

/// Why a connection breaks without a reply.
#[derive(Debug, thiserror::Error)]
#[error("the connection breaks by command")]
struct Broken;

impl Connection {
    async fn serve(self, stream: TcpStream) {
        // Without it small replies wait for the peer's acknowledgement; a peer that has gone is no matter.
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request| self.answer(request));
        let mut http = hyper::server::conn::http1::Builder::new();
        // A connection ends in many ways, by command among them; none is news.
        let _ = http.pipeline_flush(true).serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Reply>, Broken> {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let (first, rest) = split(target);
        if first == "_sim" {
            let rest = rest.to_owned();
            let local = self.peer.ip().is_loopback();
            return Ok(plain(control::answer(&self.world, self.address, local, request, &rest).await));
        }
        let Some(bottle) = self.world.bottles.iter().find(|bottle| bottle.vendor().as_str() == first) else {
            return Ok(plain(HttpResponse::text(404, "no such vendor here; see /_sim/vendors\n")));
        };
        let Some(method) = method_of(&request) else {
            return Ok(plain(HttpResponse::text(405, "")));
        };
        let mut asked = below(rest);
        asked.method = method;
        asked.headers = request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        if method == Method::Post {
            match Limited::new(request.into_body(), MOST_BODY_BYTES).collect().await {
                Ok(body) => asked.body = body.to_bytes().to_vec(),
                Err(_) => return Ok(plain(HttpResponse::text(413, ""))),
            }
        }
        let clock = &self.world.clock;
        let latency = bottle.latency();
        let latency = if latency == Default::default() {
            std::time::Duration::ZERO
        } else {
            latency.draw(self.world.entropy.unit())
        };
        let exchange = self.world.exchange(bottle, &asked);
        let wait = exchange.slow + latency;
        match exchange.ending {
            Ending::Refused => Err(Broken),
            Ending::Silence(spell) => {
                clock.sleep_until(spell.until).await;
                Err(Broken)
            }
            Ending::Reply(response) => {
                if !wait.is_zero() {
                    clock.sleep_until(clock.now() + wait).await;
                }
                Ok(plain(response))
            }
            Ending::Cut(response) => {
                if !wait.is_zero() {
                    clock.sleep_until(clock.now() + wait).await;
                }
                Ok(cut(response))
            }
        }
    }
}

/// First segment of a target, and the rest with its leading slash.
fn split(target: &str) -> (&str, &str) {
    let target = target.strip_prefix('/').unwrap_or(target);
    let end = target.find(['/', '?']).unwrap_or(target.len());
    let (first, rest) = target.split_at(end);
    (first, if rest.is_empty() { "/" } else { rest })
}

/// A request as the vendor sees it, below its own host or one of its secondary hosts.
fn below(target: &str) -> HttpRequest {
    // The scheme in front keeps a URL inside the query from being taken for the target's own.
    let Some(elsewhere) = target.strip_prefix("/_host/") else {
        return if target.contains("://") {
            HttpRequest::from_target(&format!("http://vendor{target}"))
        } else {
            HttpRequest::from_target(target)
        };
    };
    let end = elsewhere.find(['/', '?']).unwrap_or(elsewhere.len());
    let (host, rest) = elsewhere.split_at(end);
    let mut request = HttpRequest::from_target(&format!(
        "http://vendor{}{rest}",
        if rest.starts_with('/') { "" } else { "/" }
    ));
    request.path = format!("https://{host}{}", request.path);
    request
}

fn method_of(request: &Request<Incoming>) -> Option<Method> {
    match *request.method() {
        http::Method::GET => Some(Method::Get),
        http::Method::POST => Some(Method::Post),
        _ => None,
    }
}

/// A body that is whole, or breaks off in the middle.
struct Reply {
    bytes: Option<Bytes>,
    breaks: Option<Breaking>,
}

/// How far a body that breaks off has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Breaking {
    /// What was given is not on its way before the body has been pending once.
    Unsent,
    Sent,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(bytes) = self.bytes.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.breaks {
            None => Poll::Ready(None),
            Some(Breaking::Sent) => Poll::Ready(Some(Err(Broken))),
            Some(Breaking::Unsent) => {
                self.breaks = Some(Breaking::Sent);
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none() && self.breaks.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.bytes, self.breaks) {
            (Some(bytes), None) => SizeHint::with_exact(bytes.len() as u64),
            (None, None) => SizeHint::with_exact(0),
            (_, Some(_)) => SizeHint::default(),
        }
    }
}

fn head(response: HttpResponse) -> (http::response::Builder, Vec<u8>) {
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut head = Response::builder().status(status);
    for (name, value) in &response.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            head = head.header(name, value);
        }
    }
    (head, response.body)
}

fn plain(response: HttpResponse) -> Response<Reply> {
    let (head, body) = head(response);
    let reply = Reply { bytes: (!body.is_empty()).then(|| Bytes::from(body)), breaks: None };
    head.body(reply).expect("status and headers were checked one by one")
}

/// A reply that states its whole length and sends half.
fn cut(response: HttpResponse) -> Response<Reply> {
    let (head, mut body) = head(response);
    let whole = body.len();
    body.truncate(whole / 2);
    let head = head.header(CONTENT_LENGTH, HeaderValue::from(whole.max(1)));
    head.body(Reply { bytes: Some(Bytes::from(body)), breaks: Some(Breaking::Unsent) })
        .expect("status and headers were checked one by one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendor_sees_the_target_below_its_own_host() {
        assert_eq!(
            split("/yahoo/v8/finance/chart/%5EGSPC?range=1d"),
            ("yahoo", "/v8/finance/chart/%5EGSPC?range=1d")
        );
        assert_eq!(split("/alpha_vantage?function=X"), ("alpha_vantage", "?function=X"));
        assert_eq!(split("/polygon"), ("polygon", "/"));
        let request = below("/v8/finance/chart/%5EGSPC?next=https://h/p&range=1d");
        assert_eq!(request.path, "/v8/finance/chart/%5EGSPC");
        assert_eq!(request.param("next"), Some("https://h/p"));
        assert_eq!(below("/_host/fc.yahoo.com/").path, "https://fc.yahoo.com/");
        assert_eq!(below("/_host/fc.yahoo.com?a=1").path, "https://fc.yahoo.com/");
        assert_eq!(below("/_host/fc.yahoo.com/x?a=1").param("a"), Some("1"));
    }
}
