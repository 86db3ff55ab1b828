//! As much of HTTP/1.1 as the questions need: one request, one connection, one reply.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// A reply that has not come by then never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{}: {e}: {}", self.status, self.body))
    }

    /// The body of an answer that must be one.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.json()
    }

    /// A header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The problem document of a refusal with this status and code.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.body);
        let body = self.json();
        assert_eq!((body["code"].as_str(), body["status"].as_u64()), (Some(code), Some(status.into())));
        assert!(body["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{body}");
        body
    }
}

/// Asks with GET. `base` is `http://ADDRESS`.
pub(crate) fn get(base: &str, target: &str) -> Reply {
    try_send("GET", base, target).unwrap_or_else(|e| panic!("{base}{target}: {e}"))
}

/// Sends a request without a body; an error where nobody answers.
pub(crate) fn try_send(method: &str, base: &str, target: &str) -> std::io::Result<Reply> {
    try_send_with(method, base, target, &[])
}

/// The same with headers of the caller's own.
pub(crate) fn try_send_with(
    method: &str,
    base: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> std::io::Result<Reply> {
    let own: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let address = base.strip_prefix("http://").unwrap_or(base);
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n{own}Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    read(&bytes).ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidData, "no whole reply"))
}

fn read(bytes: &[u8]) -> Option<Reply> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let rest = &bytes[end + 4..];
    let body = match (header("transfer-encoding"), header("content-length")) {
        (Some("chunked"), _) => unchunked(rest)?,
        (_, Some(length)) => rest.get(..length.parse().ok()?)?.to_vec(),
        _ => rest.to_vec(),
    };
    Some(Reply { status, body: String::from_utf8_lossy(&body).into_owned(), headers })
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?.trim(), 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(end + 2..end + 2 + length)?);
        rest = rest.get(end + 4 + length..)?;
    }
}

#[test]
fn a_reply_that_breaks_off_is_none() {
    let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-A: b\r\n\r\nabcd";
    let reply = read(whole).unwrap();
    assert_eq!((reply.status, reply.body.as_str(), reply.header("x-a")), (200, "abcd", Some("b")));
    assert!(read(&whole[..whole.len() - 1]).is_none());
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    assert_eq!(read(chunked).unwrap().body, "abc");
    assert!(read(&chunked[..chunked.len() - 8]).is_none());
}
