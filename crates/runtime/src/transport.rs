//! HTTP to the vendors: one client with its own pool of kept connections per vendor.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{Instant, VendorId};
use gateway::{Address, Clock, Pending, Transport, TransportError};
use parking_lot::Mutex;
use reqwest::Client;
use tokio::sync::Semaphore;
use vendors::{HttpRequest, HttpResponse, KeySlot, Method};

use crate::redirect::{Hop, MOST};

/// How vendors are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A connection that takes longer to open has failed.
    pub connect_timeout: Duration,
    /// A reply whose decompressed body is larger is refused, whatever it claims to be.
    pub max_body_bytes: usize,
    /// At most so many requests to one host of one vendor at once, and so at most so many connections; the
    /// others wait until their deadline. At least one.
    pub connections_per_host: usize,
    /// A kept connection is closed after so long without use.
    pub idle_timeout: Duration,
}

impl Default for Settings {
    /// 5 s to connect, 32 MB of body, 32 connections per host, 90 s of rest.
    fn default() -> Settings {
        Settings {
            connect_timeout: Duration::from_secs(5),
            max_body_bytes: 32 << 20,
            connections_per_host: 32,
            idle_timeout: Duration::from_secs(90),
        }
    }
}

/// Makes aws-lc-rs the process's provider of TLS. A second call changes nothing.
pub fn install_tls() {
    // An error says that a provider is there already, by an earlier call.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// The client cannot be made: the machine has no usable certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no HTTP client can be made: install the system's CA certificates")]
pub struct NoClient;

/// HTTP/1.1 and HTTP/2 over TLS, with keep-alive, session reuse, gzip and brotli.
///
/// Its errors are of [`TransportError`] and carry no URL, since a URL may hold a key. Redirects are followed
/// as its module `redirect` says: without the key, and not where the codec has something to see in them.
pub struct HttpTransport {
    settings: Settings,
    clock: Arc<dyn Clock>,
    clients: Mutex<HashMap<(VendorId, bool), Client>>,
    hosts: Mutex<HashMap<(VendorId, String), Arc<Semaphore>>>,
}

impl HttpTransport {
    /// Ready to send; connections are opened when they are needed. Deadlines are instants of `clock`.
    ///
    /// # Errors
    /// [`NoClient`] if the machine cannot do TLS.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<HttpTransport, NoClient> {
        install_tls();
        client(&settings, false)?;
        Ok(HttpTransport { settings, clock, clients: Mutex::default(), hosts: Mutex::default() })
    }

    /// The vendor's client. Loopback addresses have one of their own, which no proxy of the environment stands
    /// in front of.
    fn client(&self, vendor: VendorId, is_loopback: bool) -> Result<Client, NoClient> {
        let mut clients = self.clients.lock();
        if let Some(client) = clients.get(&(vendor, is_loopback)) {
            return Ok(client.clone());
        }
        let made = client(&self.settings, is_loopback)?;
        clients.insert((vendor, is_loopback), made.clone());
        Ok(made)
    }

    fn host(&self, vendor: VendorId, hop: &Hop) -> Arc<Semaphore> {
        let host = hop.url.origin().ascii_serialization();
        let permits = self.settings.connections_per_host.max(1);
        self.hosts.lock().entry((vendor, host)).or_insert_with(|| Arc::new(Semaphore::new(permits))).clone()
    }

    async fn follow(&self, to: Address<'_>, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let slot = vendors::find(to.vendor.as_str()).map_or(KeySlot::None, |codec| codec.profile().key);
        let mut hop = Hop::first(to.base_url, request, slot).ok_or(TransportError::Connect)?;
        for _ in 0..MOST {
            let response = self.exchange(to.vendor, &hop).await?;
            match hop.next(response.status, |name| response.header(name).map(str::to_owned)) {
                Some(next) => hop = next,
                None => return Ok(response),
            }
        }
        self.exchange(to.vendor, &hop).await
    }

    async fn exchange(&self, vendor: VendorId, hop: &Hop) -> Result<HttpResponse, TransportError> {
        let host = self.host(vendor, hop);
        let _permit = host.acquire().await.expect("the semaphore of a host is never closed");
        let client = self.client(vendor, is_loopback(hop)).map_err(|_| TransportError::Connect)?;
        let mut builder = match hop.method {
            Method::Get => client.get(hop.url.clone()),
            Method::Post => client.post(hop.url.clone()).body(hop.body.clone()),
        };
        for (name, value) in &hop.headers {
            builder = builder.header(name, value);
        }
        let mut reply = builder.send().await.map_err(|error| failure(&error))?;
        let headers = reply.headers().iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let mut response =
            HttpResponse { status: reply.status().as_u16(), headers: headers.collect(), body: Vec::new() };
        while let Some(piece) = reply.chunk().await.map_err(|error| in_body(&error))? {
            if response.body.len() + piece.len() > self.settings.max_body_bytes {
                return Err(TransportError::TooLarge);
            }
            response.body.extend_from_slice(&piece);
        }
        Ok(response)
    }
}

impl Transport for HttpTransport {
    fn send<'a>(
        &'a self,
        to: Address<'a>,
        request: HttpRequest,
        deadline: Instant,
    ) -> Pending<'a, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            if self.clock.now() >= deadline {
                return Err(TransportError::Timeout);
            }
            tokio::select! {
                biased;
                result = self.follow(to, request) => result,
                () = self.clock.sleep_until(deadline) => Err(TransportError::Timeout),
            }
        })
    }
}

fn client(settings: &Settings, is_loopback: bool) -> Result<Client, NoClient> {
    let builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(settings.idle_timeout)
        .pool_max_idle_per_host(settings.connections_per_host.max(1))
        .tcp_nodelay(true);
    if is_loopback { builder.no_proxy() } else { builder }.build().map_err(|_| NoClient)
}

fn is_loopback(hop: &Hop) -> bool {
    let host = hop.url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Before the head of the reply was there.
fn failure(error: &reqwest::Error) -> TransportError {
    if error.is_connect() || error.is_builder() {
        TransportError::Connect
    } else if error.is_timeout() {
        TransportError::Timeout
    } else {
        TransportError::Cut
    }
}

/// Inside the body.
fn in_body(error: &reqwest::Error) -> TransportError {
    if error.is_timeout() { TransportError::Timeout } else { TransportError::Cut }
}
