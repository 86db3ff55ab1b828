//! Twelve Data's refusals: `{"code": 429, "message": "...", "status": "error"}`, under their own status or
//! under 200.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::json;

use crate::{HttpResponse, Rejection, Window};

/// The fields of a refusal; all absent in data.
#[derive(Deserialize, Default)]
pub(super) struct Failure<'a> {
    #[serde(default)]
    pub(super) code: Option<u16>,
    #[serde(borrow, default)]
    pub(super) message: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) status: Option<Cow<'a, str>>,
}

impl Failure<'_> {
    /// What the refusal means, if it is one.
    pub(super) fn rejection(&self) -> Option<Rejection> {
        let is_error = self.status.as_deref() == Some("error");
        if !is_error && (self.code.is_none() || self.message.is_none()) {
            return None;
        }
        Some(meaning(self.code.unwrap_or(500), self.message.as_deref().unwrap_or_default()))
    }
}

/// Passes a body that is no refusal.
///
/// # Errors
/// What the refusal means.
pub(super) fn check(body: &[u8]) -> Result<(), Rejection> {
    match serde_json::from_slice::<Failure<'_>>(body).ok().and_then(|failure| failure.rejection()) {
        Some(rejection) => Err(rejection),
        None => Ok(()),
    }
}

/// Wording that means plan, whatever the status.
const PLAN: [&str; 3] =
    ["is not available with your plan", "is available exclusively with", "is available starting with"];

/// What code and text mean.
fn meaning(code: u16, message: &str) -> Rejection {
    if PLAN.iter().any(|words| message.contains(words)) {
        return Rejection::NotEntitled;
    }
    match code {
        401 => Rejection::Unauthorized,
        402 => Rejection::QuotaSpent { window: None, resets: None },
        403 => Rejection::NotEntitled,
        400 | 404 if message.contains("No data is available") => Rejection::NoData,
        400 if message.contains("**symbol** not found") => Rejection::UnknownSymbol,
        400 if message.contains("**symbol**") && message.contains("missing or invalid") => {
            Rejection::UnknownSymbol
        }
        404 => Rejection::UnknownSymbol,
        429 if message.contains("for the day") => {
            Rejection::QuotaSpent { window: Some(Window::Day), resets: None }
        }
        429 => Rejection::RateLimited {
            retry_after: None,
            window: message.contains("current minute").then_some(Window::Minute),
        },
        status if !(400..500).contains(&status) => Rejection::VendorFault { status },
        _ => Rejection::CallersMistake,
    }
}

/// What a reply under any status but 200 means.
pub(super) fn refusal(response: &HttpResponse) -> Rejection {
    let body = crate::body::without_mark(&response.body);
    let failure = serde_json::from_slice::<Failure<'_>>(body).unwrap_or_default();
    let rejection = match (failure.rejection(), response.status) {
        (Some(rejection), _) => rejection,
        (None, 401 | 402 | 429) => meaning(response.status, ""),
        // No word of the vendor's: a wall before its data, or a host that is not the vendor.
        (None, status @ (300..=403 | 500..)) => Rejection::VendorFault { status },
        (None, _) => Rejection::unreadable("an error as the vendor words it"),
    };
    match rejection {
        Rejection::RateLimited { window, .. } => {
            Rejection::RateLimited { retry_after: response.retry_after(), window }
        }
        other => other,
    }
}

/// The vendor's words for a refusal.
pub(super) fn words(rejection: &Rejection) -> (u16, &'static str) {
    match rejection {
        Rejection::UnknownSymbol => (
            404,
            "**symbol** or **figi** parameter is missing or invalid. Please provide a valid symbol according \
             to API documentation: https://twelvedata.com/docs#reference-data",
        ),
        Rejection::RateLimited { .. } => (
            429,
            "You have run out of API credits for the current minute. 9 API credits were used, with the \
             current limit being 8. Wait for the next minute or consider switching to a higher tier plan at \
             https://twelvedata.com/pricing",
        ),
        Rejection::QuotaSpent { .. } => (
            429,
            "You have run out of API credits for the day. 801 API credits were used, with the current limit \
             being 800. Wait for the next day or consider switching to a higher tier plan at \
             https://twelvedata.com/pricing",
        ),
        Rejection::Unauthorized | Rejection::Banned { .. } => (
            401,
            "**apikey** parameter is incorrect or not specified. You can get your free API key instantly \
             following this link: https://twelvedata.com/pricing. If you believe that everything is correct, \
             you can contact us at https://twelvedata.com/contact/customer",
        ),
        Rejection::NotEntitled => (
            403,
            "**symbol** is not available with your plan. You may select the appropriate plan at \
             https://twelvedata.com/pricing",
        ),
        Rejection::NoData => {
            (400, "No data is available on the specified dates. Try setting different start/end dates.")
        }
        Rejection::Unsupported => (404, "The requested endpoint does not exist."),
        Rejection::CallersMistake => (
            400,
            "Invalid **interval** provided. Supported intervals: 1min, 5min, 15min, 30min, 45min, 1h, 2h, 4h, \
             8h, 1day, 1week, 1month",
        ),
        Rejection::VendorFault { .. } | Rejection::Unreadable { .. } => {
            (500, "Something went wrong on our side. Please try again later.")
        }
    }
}

/// The reply that words a refusal.
pub(super) fn encode(rejection: &Rejection) -> HttpResponse {
    match rejection {
        // A reply that broke off.
        Rejection::Unreadable { .. } => HttpResponse::json(200, "{\"meta\":{\"symbol\":\""),
        Rejection::VendorFault { status } if *status != 500 => {
            HttpResponse::new(*status, "text/html", "<html><body>Bad gateway</body></html>")
        }
        _ => HttpResponse::json(words(rejection).0, body_of(rejection).to_string()),
    }
}

/// The object that words a refusal, alone or as an entry of a batch.
pub(super) fn body_of(rejection: &Rejection) -> serde_json::Value {
    let (code, message) = words(rejection);
    json!({"code": code, "message": message, "status": "error"})
}
