//! Finnhub's refusals: `{"error": "text"}` under a status that decides.

use std::borrow::Cow;
use std::time::Duration;

use domain::Instant;
use serde::Deserialize;
use serde_json::json;

use crate::codec::Allowance;
use crate::plan::Per;
use crate::{HttpRequest, HttpResponse, Rejection, Window};

#[derive(Deserialize)]
struct Failure<'a> {
    /// REST says `{"error": text}`, the stream `{"type": "error", "msg": text}`.
    #[serde(borrow, alias = "msg")]
    error: Cow<'a, str>,
}

/// The text of a refusal.
fn text_of(body: &[u8]) -> Option<Cow<'_, str>> {
    // Bars and lists are long: only a body that starts like a refusal is looked at.
    if body.len() > 4_096 || body.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    serde_json::from_slice::<Failure<'_>>(body).ok().map(|failure| failure.error)
}

/// Passes a body that is no refusal. Old replies carried refusals under 200, where only the text tells.
///
/// # Errors
/// What the refusal means.
pub(super) fn check(body: &[u8]) -> Result<(), Rejection> {
    let Some(text) = text_of(body) else { return Ok(()) };
    Err(if text.contains("API limit") {
        Rejection::RateLimited { retry_after: None, window: Some(Window::Minute) }
    } else if text.contains("too many symbols") {
        // The stream's cap on subscriptions.
        Rejection::rate_limited()
    } else if text.contains("API key") {
        Rejection::Unauthorized
    } else if text.contains("access to this resource") {
        Rejection::NotEntitled
    } else {
        Rejection::CallersMistake
    })
}

/// What a reply under any status but 200 means.
pub(super) fn refusal(sent: &HttpRequest, response: &HttpResponse, now: Instant) -> Rejection {
    let text = text_of(crate::body::without_mark(&response.body));
    match (response.status, text) {
        (401, text) => {
            let is_other_market = sent.path.trim_end_matches('/').ends_with("/stock/symbol")
                && sent.param("exchange").is_some_and(|exchange| exchange != "US");
            match text {
                // The list of a market outside the plan: the key itself is not spoken of.
                Some(text) if is_other_market && !text.contains("API key") => Rejection::NotEntitled,
                _ => Rejection::Unauthorized,
            }
        }
        (402, Some(text)) if text.contains("access to this resource") || text.contains("plan") => {
            Rejection::NotEntitled
        }
        (402, _) => Rejection::QuotaSpent { window: None, resets: None },
        (403, Some(_)) => Rejection::NotEntitled,
        (429, _) => limited(response, now),
        (400 | 404 | 405 | 422, Some(_)) => Rejection::CallersMistake,
        // No word of the vendor's: a wall before its data.
        (status @ (300..=399 | 403 | 500..), _) => Rejection::VendorFault { status },
        _ => Rejection::unreadable("an error as the vendor words it"),
    }
}

fn limited(response: &HttpResponse, now: Instant) -> Rejection {
    let full = allowance(response).filter(|allowance| allowance.left == 0);
    // The window is a minute: a longer wait would be a clock that is wrong, theirs or ours.
    let until_reset = full.and_then(|allowance| allowance.resets).map(|at| at.since(now));
    let is_credible = |wait: &Duration| !wait.is_zero() && *wait <= Duration::from_secs(120);
    Rejection::RateLimited {
        retry_after: response.retry_after().or(until_reset.filter(is_credible)),
        window: full.map(|_| Window::Minute),
    }
}

/// What is left of the minute, which replies that count against it tell.
pub(super) fn allowance(response: &HttpResponse) -> Option<Allowance> {
    let header = |name: &str| response.header(name).map(str::trim);
    Some(Allowance {
        per: Per::Sliding(Duration::from_secs(60)),
        left: header("x-ratelimit-remaining")?.parse().ok()?,
        resets: header("x-ratelimit-reset").and_then(|text| text.parse().ok()).map(Instant::from_secs),
    })
}

fn worded(status: u16, text: &str) -> HttpResponse {
    HttpResponse::json(status, json!({"error": text}).to_string())
}

/// The reply that words a refusal on an endpoint.
pub(super) fn encode(rejection: &Rejection, path: &str, now: Instant) -> HttpResponse {
    match rejection {
        Rejection::UnknownSymbol | Rejection::NoData => HttpResponse::json(200, nothing(path)),
        Rejection::RateLimited { .. } | Rejection::QuotaSpent { .. } => {
            // What is left of a limit is known where it is nothing, and only to the plan elsewhere.
            worded(429, "API limit reached. Please try again later. Remaining Limit: 0")
                .with_header("x-ratelimit-remaining", 0)
                .with_header("x-ratelimit-reset", (now.as_secs().div_euclid(60) + 1) * 60)
        }
        Rejection::Unauthorized => worded(401, "Invalid API key."),
        Rejection::NotEntitled => worded(403, "You don't have access to this resource."),
        Rejection::CallersMistake => worded(422, "Wrong parameter."),
        Rejection::Unsupported => HttpResponse::new(404, "text/html", "<html><body>Not Found</body></html>"),
        Rejection::Banned { .. } => {
            HttpResponse::new(403, "text/html", "<html><body>Forbidden</body></html>")
        }
        Rejection::VendorFault { status } => {
            HttpResponse::new((*status).max(500), "text/html", "<html><body>Bad gateway</body></html>")
        }
        Rejection::Unreadable { .. } => HttpResponse::json(200, "{\"c\":"),
    }
}

/// What an endpoint replies where it has nothing.
fn nothing(path: &str) -> &'static str {
    match path {
        "/quote" => r#"{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}"#,
        "/stock/bidask" => r#"{"a":0,"av":0,"b":0,"bv":0,"t":0}"#,
        "/stock/candle" | "/forex/candle" => r#"{"s":"no_data"}"#,
        "/stock/tick" => r#"{"count":0,"p":[],"s":"","skip":0,"t":[],"total":0,"v":[]}"#,
        "/search" => r#"{"count":0,"result":[]}"#,
        _ => "[]",
    }
}
