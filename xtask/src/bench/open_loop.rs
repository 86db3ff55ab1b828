//! Requests at a fixed rate, whatever the server does: each is due at its own moment, and its latency counts from
//! that moment, so that a server which stalls cannot hide the requests it kept waiting (no coordinated omission).

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long to look away while nothing arrives: spinning would take the machine from everyone else.
const GLANCE: Duration = Duration::from_micros(15);

/// Latencies of one run, ascending.
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// The latency that this share of the requests did not exceed.
    pub(crate) fn at(&self, share: f64) -> Duration {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0[rank.clamp(1, self.0.len()) - 1]
    }
}

/// One kept connection.
struct Connection {
    stream: TcpStream,
    /// When the request under way was due.
    due: Option<Instant>,
    received: Vec<u8>,
}

/// Sends a GET of `path` so many times a second over 32 kept connections.
pub(crate) fn run(address: SocketAddr, path: &str, per_second: u32, length: Duration) -> Result<Latencies> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut connections = (0..32)
        .map(|_| {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Ok(Connection { stream, due: None, received: Vec::with_capacity(8_192) })
        })
        .collect::<Result<Vec<_>>>()
        .context("the server takes no connections")?;
    let count = (f64::from(per_second) * length.as_secs_f64()) as u32;
    let gap = Duration::from_secs(1) / per_second;
    let mut latencies = Vec::with_capacity(count as usize);
    let (begin, mut sent) = (Instant::now(), 0);
    while latencies.len() < count as usize {
        let due = begin + gap * sent;
        if sent < count
            && Instant::now() >= due
            && let Some(idle) = connections.iter_mut().find(|connection| connection.due.is_none())
        {
            idle.stream.write_all(request.as_bytes())?;
            idle.due = Some(due);
            sent += 1;
            continue;
        }
        let before = latencies.len();
        for connection in connections.iter_mut().filter(|connection| connection.due.is_some()) {
            if connection.has_answer()?
                && let Some(due) = connection.due.take()
            {
                latencies.push(due.elapsed());
            }
        }
        if latencies.len() == before {
            std::thread::sleep(GLANCE);
        }
        if begin.elapsed() > length * 4 + Duration::from_secs(5) {
            bail!("{address} does not keep up with {per_second} requests a second");
        }
    }
    latencies.sort_unstable();
    Ok(Latencies(latencies))
}

impl Connection {
    /// Reads what is there; whether the answer is complete, which must be a success.
    fn has_answer(&mut self) -> Result<bool> {
        let mut piece = [0; 8_192];
        match self.stream.read(&mut piece) {
            Ok(0) => bail!("the server has closed a kept connection"),
            Ok(length) => self.received.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let complete = whole(&self.received)?;
        if complete {
            self.received.clear();
        }
        Ok(complete)
    }
}

/// Whether a response with a `Content-Length` is complete.
pub(crate) fn whole(received: &[u8]) -> Result<bool> {
    let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(false) };
    let head = std::str::from_utf8(&received[..end])?;
    if !head.starts_with("HTTP/1.1 200") {
        bail!("not a success: {}", String::from_utf8_lossy(received));
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Ok(received.len() >= end + 4 + length.context("the answer has no length")?)
}

/// Sends one GET on a connection of its own and waits for the whole answer; the time that took.
pub(crate) fn once(address: SocketAddr, path: &str) -> Result<Duration> {
    let mut stream = TcpStream::connect(address)?;
    ask(&mut stream, path)
}

/// Sends one GET on a kept connection and waits for the whole answer; the time that took.
pub(crate) fn ask(stream: &mut TcpStream, path: &str) -> Result<Duration> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.set_nodelay(true)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n");
    let begin = Instant::now();
    stream.write_all(request.as_bytes())?;
    let (mut received, mut piece) = (Vec::new(), vec![0; 1 << 18]);
    while !whole(&received)? {
        match stream.read(&mut piece)? {
            0 => bail!("the server closed the connection: {}", String::from_utf8_lossy(&received)),
            length => received.extend_from_slice(&piece[..length]),
        }
    }
    Ok(begin.elapsed())
}
