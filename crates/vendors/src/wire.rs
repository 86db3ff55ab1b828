//! HTTP messages as plain data, host left out.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What RFC 3986 leaves unreserved needs no encoding.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// HTTP method; vendors need no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

/// A request to a vendor, without host and without key: the host comes from configuration, the key is
/// put into its slot by [`crate::KeySlot::fill`].
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// Method.
    pub method: Method,
    /// Path with leading slash, percent-encoded where needed, below the vendor's base URL. A vendor's
    /// secondary host (a cookie service) is written out in full: `https://fc.yahoo.com/`.
    pub path: String,
    /// Query parameters in order, decoded.
    pub query: Vec<(String, String)>,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body; empty for GET.
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// A GET of a path without query.
    pub fn get(path: impl Into<String>) -> HttpRequest {
        HttpRequest {
            method: Method::Get,
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// The same with a query parameter more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> HttpRequest {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// The same with a header more.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> HttpRequest {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Reads path and query from a request target (`/a/b?c=d`) or a full URL, whose scheme and host are
    /// dropped.
    pub fn from_target(target: &str) -> HttpRequest {
        let rest = match target.split_once("://") {
            Some((_, after)) => after.find('/').map_or("/", |slash| &after[slash..]),
            None => target,
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let decode =
            |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let mut request = HttpRequest::get(path);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            request.query.push((decode(name), decode(value)));
        }
        request
    }

    /// Path and query, percent-encoded.
    pub fn target(&self) -> String {
        let mut out = self.path.clone();
        for (index, (name, value)) in self.query.iter().enumerate() {
            out.push(if index == 0 { '?' } else { '&' });
            out.extend(utf8_percent_encode(name, QUERY));
            out.push('=');
            out.extend(utf8_percent_encode(value, QUERY));
        }
        out
    }

    /// First value of a query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// First value of a header, name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Segments of the path, decoded, empty ones dropped.
    pub fn segments(&self) -> Vec<String> {
        self.path
            .split('/')
            .filter(|s| !s.is_empty())
            .map(|s| percent_decode_str(s).decode_utf8_lossy().into_owned())
            .collect()
    }
}

impl fmt::Debug for HttpRequest {
    /// Method and path only: a query may hold a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.method, self.path)
    }
}

/// Percent-encodes one path segment.
pub fn encode_segment(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

/// A vendor's reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body, decompressed.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// A JSON reply.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> HttpResponse {
        HttpResponse::new(status, "application/json; charset=utf-8", body)
    }

    /// A plain-text reply.
    pub fn text(status: u16, body: impl Into<Vec<u8>>) -> HttpResponse {
        HttpResponse::new(status, "text/plain; charset=utf-8", body)
    }

    /// A reply of any content type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> HttpResponse {
        HttpResponse {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.into(),
        }
    }

    /// The same with a header more.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl ToString) -> HttpResponse {
        self.headers.push((name.to_ascii_lowercase(), value.to_string()));
        self
    }

    /// First value of a header, name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// `Retry-After` in its form of seconds.
    pub fn retry_after(&self) -> Option<std::time::Duration> {
        self.header("retry-after")?.trim().parse().ok().map(std::time::Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_survives_the_way_out_and_back() {
        let request = HttpRequest::get("/v8/finance/chart/%5EGSPC")
            .with("events", "div|split")
            .with("q", "a b&c=d+e/ü");
        assert_eq!(HttpRequest::from_target(&request.target()), request);
        assert_eq!(request.segments(), ["v8", "finance", "chart", "^GSPC"]);
    }

    #[test]
    fn a_full_url_loses_its_host() {
        let request = HttpRequest::from_target("https://h.example/v1//stock/msft/quote?token=K");
        assert_eq!(request.path, "/v1//stock/msft/quote");
        assert_eq!(request.param("token"), Some("K"));
        assert_eq!(format!("{request:?}"), "Get /v1//stock/msft/quote");
    }
}
