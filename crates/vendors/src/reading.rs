//! What a payload means, knowing no more than the vendor and the endpoint it came from.

use domain::Instant;
use serde::Deserialize;

use crate::{Ask, Codec, Data, Decoded, HttpRequest, HttpResponse, Question, Rejection, codec::Session};

/// What the gateway makes of a payload of an endpoint; see [`decode`]. Of a page, its rows.
///
/// # Errors
/// The [`Rejection`] the payload amounts to.
pub fn read(codec: &dyn Codec, endpoint: &str, response: &HttpResponse) -> Result<Data, Rejection> {
    match decode(codec, endpoint, response)? {
        Decoded::Whole(data) | Decoded::Page { data, .. } => Ok(data),
        Decoded::AskNext { .. } => Err(refusal(response.status)),
    }
}

/// What a payload of an endpoint amounts to.
///
/// `endpoint` is text as documentation writes it: a path with or without query (`/quote?symbol=A,B`), with
/// `{name}` in place of values, a full URL, or the bare name of a function with parameters behind it
/// (`GLOBAL_QUOTE datatype=csv`). Where it names no endpoint we speak (`any`), only refusals are recognised.
///
/// # Errors
/// The [`Rejection`] the payload amounts to; [`Rejection::Unsupported`] for a payload of a kind we have no
/// word for, frames of a stream among them.
pub fn decode(codec: &dyn Codec, endpoint: &str, response: &HttpResponse) -> Result<Decoded, Rejection> {
    let endpoint = endpoint.trim();
    let sent = request_of(codec, endpoint);
    let session = Session::default();
    let ask = |question| codec.decode_response(&ask_about(question, &session), &sent, response);
    match codec.decode_request(&sent) {
        Ok(question) => ask(&question),
        Err(Rejection::Unsupported) => match ask(&Question::Symbols) {
            Err(Rejection::Unreadable { .. }) => Err(Rejection::Unsupported),
            Err(Rejection::NoData) if response.status < 400 => Err(Rejection::Unsupported),
            Err(rejection) => Err(rejection),
            Ok(Decoded::AskNext { .. }) => Err(refusal(response.status)),
            Ok(Decoded::Whole(_) | Decoded::Page { .. }) => Err(Rejection::Unsupported),
        },
        Err(rejection) => Err(rejection),
    }
}

/// The question as it is put when nobody asked it: no session, no plan, no time.
fn ask_about<'a>(question: &'a Question, session: &'a Session) -> Ask<'a> {
    Ask { question, now: Instant::EPOCH, session, plan: None }
}

/// What a status alone says, where a reply would only lead to a further request.
fn refusal(status: u16) -> Rejection {
    match status {
        401 => Rejection::Unauthorized,
        403 => Rejection::NotEntitled,
        429 => Rejection::rate_limited(),
        300..=399 | 500.. => Rejection::VendorFault { status },
        _ => Rejection::Unsupported,
    }
}

/// The request an endpoint's text stands for, below the vendor's base URL.
fn request_of(codec: &dyn Codec, endpoint: &str) -> HttpRequest {
    let mut words = endpoint.split_whitespace();
    let first = words.next().unwrap_or("/");
    let below = codec.profile().base_urls.iter().find_map(|base| {
        let path = base.split_once("://").and_then(|(_, rest)| rest.find('/').map(|slash| &rest[slash..]));
        let rest = first.strip_prefix(base).or_else(|| first.strip_prefix(path?))?;
        rest.starts_with(['/', '?']).then_some(rest)
    });
    let target = below.unwrap_or(first);
    // Some vendors keep everything under one path and name the function in a parameter.
    let mut request = if target.contains('/') {
        HttpRequest::from_target(target)
    } else {
        HttpRequest::get("/query").with("function", target)
    };
    for (name, value) in words.filter_map(|word| word.split_once('=')) {
        request = request.with(name, value);
    }
    request
}

/// A reply whose body is no JSON, as recordings wrap it.
#[derive(Deserialize)]
struct Envelope {
    http_status: u16,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    body_text: String,
}

/// Unwraps a recording of the form `{"http_status", "content_type", "headers", "body_text"}`; `None` for
/// any other bytes.
pub fn unwrap_envelope(bytes: &[u8]) -> Option<HttpResponse> {
    let envelope: Envelope = serde_json::from_slice(bytes).ok()?;
    let mut response =
        HttpResponse { status: envelope.http_status, headers: Vec::new(), body: envelope.body_text.into() };
    for (name, value) in envelope.headers {
        response = response.with_header(&name, value);
    }
    match envelope.content_type {
        Some(kind) if response.header("content-type").is_none() => {
            Some(response.with_header("content-type", kind))
        }
        _ => Some(response),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Path and query of the request that an endpoint's text stands for at Finnhub.
    fn target(endpoint: &str) -> String {
        request_of(&crate::finnhub::Finnhub, endpoint).target()
    }

    #[test]
    fn an_endpoint_is_read_as_documentation_writes_it() {
        for (endpoint, expected) in [
            ("/quote", "/quote"),
            ("/quote?symbol=A", "/quote?symbol=A"),
            ("/stock/{symbol}/chart", "/stock/{symbol}/chart"),
            ("https://elsewhere.example/quote/x", "/quote/x"),
            ("GLOBAL_QUOTE datatype=csv", "/query?function=GLOBAL_QUOTE&datatype=csv"),
            ("any premium path", "/query?function=any"),
            ("", "/"),
        ] {
            assert_eq!(target(endpoint), expected, "{endpoint:?}");
        }
    }

    #[test]
    fn an_envelope_is_told_from_a_payload() {
        let wrapped = br#"{"http_status":429,"content_type":"text/html","headers":{"Retry-After":"7"},"body_text":"slow"}"#;
        let response = unwrap_envelope(wrapped).expect("an envelope");
        assert_eq!((response.status, response.body.as_slice()), (429, b"slow".as_slice()));
        assert_eq!(response.header("content-type"), Some("text/html"));
        assert_eq!(response.retry_after(), Some(std::time::Duration::from_secs(7)));
        for other in [b"{}".as_slice(), b"[]", b"", b"slow", br#"{"http_status":"429","body_text":""}"#] {
            assert_eq!(unwrap_envelope(other), None);
        }
    }

    #[test]
    fn a_stream_is_outside_what_is_read() {
        let response = HttpResponse::json(200, "{}");
        assert_eq!(
            read(&crate::finnhub::Finnhub, "wss://ws.finnhub.io", &response),
            Err(Rejection::Unsupported)
        );
        let refused = HttpResponse::json(200, r#"{"msg":"Subscribing to too many symbols","type":"error"}"#);
        assert_eq!(
            read(&crate::finnhub::Finnhub, "wss://ws.finnhub.io", &refused),
            Err(Rejection::rate_limited())
        );
    }
}
