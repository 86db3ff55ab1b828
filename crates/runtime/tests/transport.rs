//! SRC-14: one kept connection, one limit on it and on the body, and every failure by its name, against a real
//! server on loopback.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::{Instant, VendorId};
use gateway::{Address, Clock, Pending, Transport, TransportError};
use runtime::HttpTransport;
use runtime::transport::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use vendors::{HttpRequest, HttpResponse, Method};

/// Stands still; its sleepers wake when the test says that the time has come.
#[derive(Default)]
struct HeldClock(Notify);

impl Clock for HeldClock {
    fn now(&self) -> Instant {
        Instant::EPOCH
    }

    fn sleep_until(&self, _: Instant) -> Pending<'_, ()> {
        Box::pin(self.0.notified())
    }
}

/// What the server does after it has read a request.
enum Act {
    /// Sends these bytes and keeps the connection.
    Say(Vec<u8>),
    /// Sends these bytes and closes it.
    SayAndLeave(Vec<u8>),
    /// Wakes the clock instead of answering.
    TimePasses,
    /// Answers once so many requests are at the server.
    Gather(usize),
}

/// A server that reads each request and does what `act` says of its head. Counts connections.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    clock: Arc<HeldClock>,
}

struct Crowd {
    inside: AtomicUsize,
    most: AtomicUsize,
    came: Notify,
}

impl Server {
    async fn start(act: impl Fn(&str) -> Act + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (connections, clock) = (Arc::new(AtomicUsize::new(0)), Arc::new(HeldClock::default()));
        let (count, its_clock, act) = (connections.clone(), clock.clone(), Arc::new(act));
        let crowd =
            Arc::new(Crowd { inside: AtomicUsize::new(0), most: AtomicUsize::new(0), came: Notify::new() });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, act.clone(), its_clock.clone(), crowd.clone()));
            }
        });
        Server { address, connections, clock }
    }

    fn transport(&self, settings: Settings) -> HttpTransport {
        HttpTransport::new(settings, self.clock.clone()).expect("a client")
    }

    async fn get(&self, path: &str) -> Result<HttpResponse, TransportError> {
        self.send(&self.transport(Settings::default()), HttpRequest::get(path)).await
    }

    async fn send(&self, by: &HttpTransport, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let base_url = format!("http://{}", self.address);
        let to = Address { vendor: VendorId("polygon"), base_url: &base_url };
        by.send(to, request, Instant::from_secs(1)).await
    }
}

async fn serve(
    mut stream: TcpStream,
    act: Arc<impl Fn(&str) -> Act>,
    clock: Arc<HeldClock>,
    crowd: Arc<Crowd>,
) {
    let mut seen = Vec::new();
    loop {
        while !seen.windows(4).any(|four| four == b"\r\n\r\n") {
            let mut piece = [0; 4_096];
            match stream.read(&mut piece).await {
                Ok(0) | Err(_) => return,
                Ok(count) => seen.extend_from_slice(&piece[..count]),
            }
        }
        let head = String::from_utf8(std::mem::take(&mut seen)).expect("requests of these tests are text");
        match act(&head) {
            Act::Say(bytes) => stream.write_all(&bytes).await.expect("the client listens"),
            Act::SayAndLeave(bytes) => {
                stream.write_all(&bytes).await.expect("the client listens");
                return;
            }
            Act::TimePasses => clock.0.notify_waiters(),
            Act::Gather(enough) => {
                let inside = crowd.inside.fetch_add(1, Ordering::SeqCst) + 1;
                crowd.most.fetch_max(inside, Ordering::SeqCst);
                if inside < enough {
                    crowd.came.notified().await;
                }
                crowd.came.notify_one();
                crowd.inside.fetch_sub(1, Ordering::SeqCst);
                let most = crowd.most.load(Ordering::SeqCst);
                stream.write_all(&reply("", most.to_string().as_bytes())).await.expect("the client listens");
            }
        }
    }
}

fn reply(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn moved(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn requests_one_after_the_other_share_one_connection() {
    let server = Server::start(|_| Act::Say(reply("X-Left: 4\r\n", b"{}"))).await;
    let transport = server.transport(Settings::default());
    for _ in 0..5 {
        let response = server.send(&transport, HttpRequest::get("/a")).await.expect("a reply");
        assert_eq!((response.status, response.body.as_slice()), (200, b"{}".as_slice()));
        assert_eq!(response.header("x-left"), Some("4"));
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_request_arrives_as_the_codec_wrote_it_and_accepts_both_compressions() {
    let server = Server::start(|head| Act::Say(reply("", head.as_bytes()))).await;
    let request = HttpRequest::get("/v8/%5EGSPC").with("q", "a b&c").with_header("User-Agent", "Mozilla/5.0");
    let transport = server.transport(Settings::default());
    let head = server.send(&transport, request).await.expect("a reply").body;
    let head = String::from_utf8(head).expect("text");
    assert!(head.starts_with("GET /v8/%5EGSPC?q=a%20b%26c HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("user-agent: mozilla/5.0\r\n"), "{head}");
    let accepted = head.to_lowercase();
    let accepted = accepted.lines().find(|line| line.starts_with("accept-encoding:")).expect("it is said");
    assert!(accepted.contains("gzip") && accepted.contains("br"), "{accepted}");

    let mut post = HttpRequest::get("/form");
    post.method = Method::Post;
    post.headers.push(("content-type".into(), "text/plain".into()));
    let head = server.send(&transport, post).await.expect("a reply").body;
    assert!(head.starts_with(b"POST /form HTTP/1.1\r\n"));
}

#[tokio::test]
async fn both_compressions_are_undone() {
    let server = Server::start(|head| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(b"hello").expect("memory");
        Act::Say(match head.contains("/br") {
            true => reply("content-encoding: br\r\n", b"\x0b\x02\x80hello\x03"),
            false => reply("content-encoding: gzip\r\n", &gzip.finish().expect("memory")),
        })
    })
    .await;
    for path in ["/br", "/gzip"] {
        assert_eq!(server.get(path).await.expect("a reply").body, b"hello", "{path}");
    }
}

#[tokio::test]
async fn a_reply_that_ends_early_is_cut() {
    let server = Server::start(|head| {
        Act::SayAndLeave(if head.contains("/body") {
            b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":".to_vec()
        } else if head.contains("/chunks") {
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n".to_vec()
        } else if head.contains("/gzip") {
            reply("content-encoding: gzip\r\n", b"\x1f\x8b\x08\x00\x00")
        } else if head.contains("/head") {
            b"HTTP/1.1 200 O".to_vec()
        } else {
            Vec::new()
        })
    })
    .await;
    for path in ["/body", "/chunks", "/gzip", "/head", "/nothing"] {
        assert_eq!(server.get(path).await, Err(TransportError::Cut), "{path}");
    }
}

#[tokio::test]
async fn a_vendor_that_hangs_is_left_at_the_deadline() {
    let server = Server::start(|_| Act::TimePasses).await;
    assert_eq!(server.get("/").await, Err(TransportError::Timeout));
}

#[tokio::test]
async fn after_the_deadline_nothing_is_sent() {
    let server = Server::start(|_| Act::Say(reply("", b""))).await;
    let base_url = format!("http://{}", server.address);
    let to = Address { vendor: VendorId("polygon"), base_url: &base_url };
    let transport = server.transport(Settings::default());
    assert_eq!(transport.send(to, HttpRequest::get("/"), Instant::EPOCH).await, Err(TransportError::Timeout));
    assert_eq!(server.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn who_cannot_be_reached_is_not_connected_and_no_error_shows_the_key() {
    let server = Server::start(|_| Act::Say(reply("", b""))).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let gone = closed.local_addr().expect("its address");
    drop(closed);
    let transport = server.transport(Settings::default());
    for base_url in [format!("http://{gone}"), "no url at all".to_owned(), "http://".to_owned()] {
        let to = Address { vendor: VendorId("polygon"), base_url: &base_url };
        let request = HttpRequest::get("/").with("apiKey", "CANARY");
        let error = transport.send(to, request, Instant::from_secs(1)).await.expect_err("unreachable");
        assert_eq!(error, TransportError::Connect, "{base_url}");
        assert!(!format!("{error:?} {error}").contains("CANARY"));
    }
}

#[tokio::test]
async fn a_body_above_the_limit_is_too_large_and_one_at_the_limit_is_not() {
    let server = Server::start(|head| {
        let zeros = |count: usize| vec![b'0'; count];
        Act::Say(if head.contains("/bomb") {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            gzip.write_all(&zeros(1_000_000)).expect("memory");
            reply("content-encoding: gzip\r\n", &gzip.finish().expect("memory"))
        } else {
            reply("", &zeros(if head.contains("/over") { 10_001 } else { 10_000 }))
        })
    })
    .await;
    let transport = server.transport(Settings { max_body_bytes: 10_000, ..Settings::default() });
    for (path, expected) in [
        ("/at", Ok(10_000)),
        ("/over", Err(TransportError::TooLarge)),
        ("/bomb", Err(TransportError::TooLarge)),
    ] {
        let got = server.send(&transport, HttpRequest::get(path)).await;
        assert_eq!(got.map(|response| response.body.len()), expected, "{path}");
    }
    assert_eq!(Settings::default().max_body_bytes, 32 * 1024 * 1024);
}

#[tokio::test]
async fn a_host_gets_no_more_requests_at_once_than_its_connections() {
    const CAP: usize = 3;
    let server = Server::start(|_| Act::Gather(CAP)).await;
    let transport = server.transport(Settings { connections_per_host: CAP, ..Settings::default() });
    let replies: Vec<_> = futures_join((0..9).map(|_| server.send(&transport, HttpRequest::get("/")))).await;
    for reply in replies {
        assert_eq!(reply.expect("a reply").body, b"3", "never more than three, and three at once");
    }
    assert!(server.connections.load(Ordering::SeqCst) <= CAP);
}

/// Drives all of them at once, on this task.
async fn futures_join<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, slot) in all.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
            {
                *slot = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn a_redirect_to_another_host_is_followed_without_the_key() {
    let files = Server::start(|head| Act::Say(reply("", head.as_bytes()))).await;
    let to = format!("http://{}/signed?sig=1&apiKey=CANARY", files.address);
    let server = Server::start(move |head| {
        assert!(head.contains("apiKey=CANARY") && head.to_lowercase().contains("cookie: a=1"), "{head}");
        Act::Say(moved(&to))
    })
    .await;
    let request = HttpRequest::get("/list").with("apiKey", "CANARY").with_header("cookie", "a=1");
    let transport = server.transport(Settings::default());
    let response = server.send(&transport, request).await.expect("a reply");
    let head = String::from_utf8(response.body).expect("text");
    assert!(head.starts_with("GET /signed?sig=1 HTTP/1.1"), "{head}");
    assert!(!head.contains("CANARY") && !head.to_lowercase().contains("cookie"), "{head}");
}

#[tokio::test]
async fn a_chain_of_redirects_ends_after_five() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let server = Server::start(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Act::Say(moved("/again"))
    })
    .await;
    assert_eq!(server.get("/").await.map(|response| response.status), Ok(302));
    assert_eq!(asked.load(Ordering::SeqCst), 6);
}
