//! Yahoo's ways to say no: the same whatever was asked.

use serde_json::Value;

use crate::body::{is_html, without_mark};
use crate::{HttpResponse, Rejection};

/// The refusal a reply amounts to by its status, its form or the error inside it; `None` for a reply that
/// may hold data.
pub(super) fn of(response: &HttpResponse) -> Option<Rejection> {
    let body = without_mark(&response.body).trim_ascii();
    let status = response.status;
    let limited = || Rejection::RateLimited { retry_after: response.retry_after(), window: None };
    match status {
        429 | 999 => return Some(limited()),
        401 => return Some(Rejection::Unauthorized),
        // A consent wall redirects; no page of ours does.
        300..=399 | 500.. => return Some(Rejection::VendorFault { status }),
        _ => {}
    }
    // The edge answers in plain text, sometimes under another status.
    if body.len() < 100 && std::str::from_utf8(body).is_ok_and(|text| text.ends_with("Too Many Requests")) {
        return Some(limited());
    }
    if is_html(body) {
        return Some(Rejection::VendorFault { status });
    }
    if status == 200 {
        return None;
    }
    Some(inside(status, body).unwrap_or(match status {
        400 | 422 => Rejection::CallersMistake,
        402 => Rejection::QuotaSpent { window: None, resets: None },
        403 => Rejection::NotEntitled,
        _ => Rejection::VendorFault { status },
    }))
}

/// The error object in a JSON body: `{"chart": {"result": null, "error": {"code", "description"}}}`, under
/// whatever name the endpoint gives its envelope.
pub(super) fn inside(status: u16, body: &[u8]) -> Option<Rejection> {
    let value: Value = serde_json::from_slice(without_mark(body)).ok()?;
    let (root, error) = value.as_object()?.iter().find_map(|(root, envelope)| {
        Some((root, envelope.get("error")?)).filter(|(_, error)| !error.is_null())
    })?;
    let text = |name| error.get(name).and_then(Value::as_str).unwrap_or_default();
    Some(of_error(root, status, text("code"), text("description")))
}

/// What an error object means. `root` is the name of its envelope.
pub(super) fn of_error(root: &str, status: u16, code: &str, description: &str) -> Rejection {
    match code {
        // A module that a known symbol does not have.
        "Not Found" if description.starts_with("No fundamentals") => Rejection::NoData,
        // The path, not the symbol.
        "Not Found" if root == "finance" => Rejection::Unsupported,
        "Not Found" => Rejection::UnknownSymbol,
        "Bad Request" if description.starts_with("Data doesn't exist") => Rejection::NoData,
        "Bad Request" | "Unprocessable Entity" | "argument-error" => Rejection::CallersMistake,
        "Unauthorized" => Rejection::Unauthorized,
        "Forbidden" => Rejection::NotEntitled,
        "Too Many Requests" => Rejection::rate_limited(),
        _ => match status {
            404 => Rejection::UnknownSymbol,
            401 => Rejection::Unauthorized,
            400..=499 => Rejection::CallersMistake,
            _ => Rejection::VendorFault { status },
        },
    }
}

#[cfg(test)]
mod tests {
    //! SRC-7, SRC-8.
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_refusal_of_the_vendors_table_becomes_its_class() {
        let chart = |code: &str, description: &str| {
            format!(
                r#"{{"chart":{{"result":null,"error":{{"code":"{code}","description":"{description}"}}}}}}"#
            )
        };
        let limited = Rejection::rate_limited();
        for (status, body, expected) in [
            (404, chart("Not Found", "No data found, symbol may be delisted"), Rejection::UnknownSymbol),
            (200, chart("Not Found", "No data found, symbol may be delisted"), Rejection::UnknownSymbol),
            (400, chart("Bad Request", "Data doesn't exist for startDate = 1, endDate = 2"), Rejection::NoData),
            (400, chart("Bad Request", "Invalid input - interval=7m"), Rejection::CallersMistake),
            (422, chart("Unprocessable Entity", "1m data not available"), Rejection::CallersMistake),
            (500, chart("Internal Server Error", ""), Rejection::VendorFault { status: 500 }),
            (404, r#"{"quoteSummary":{"result":null,"error":{"code":"Not Found","description":"No fundamentals data found for x"}}}"#.into(), Rejection::NoData),
            (404, r#"{"quoteSummary":{"result":null,"error":{"code":"Not Found","description":"Quote not found for symbol: X"}}}"#.into(), Rejection::UnknownSymbol),
            (404, r#"{"finance":{"result":null,"error":{"code":"Not Found","description":"HTTP 404 Not Found"}}}"#.into(), Rejection::Unsupported),
            (401, r#"{"finance":{"result":null,"error":{"code":"Unauthorized","description":"Invalid Crumb"}}}"#.into(), Rejection::Unauthorized),
            (401, r#"{"finance":{"result":null,"error":{"code":"Unauthorized","description":"User is unable to access this feature"}}}"#.into(), Rejection::Unauthorized),
            (401, String::new(), Rejection::Unauthorized),
            (429, "Too Many Requests".into(), limited.clone()),
            (200, "Edge: Too Many Requests\r\n".into(), limited.clone()),
            (999, "<html>Request denied</html>".into(), limited),
            (200, "<!doctype html><p>Will be right back".into(), Rejection::VendorFault { status: 200 }),
            (403, "<html>".into(), Rejection::VendorFault { status: 403 }),
            (403, String::new(), Rejection::NotEntitled),
            (307, String::new(), Rejection::VendorFault { status: 307 }),
            (502, "<html>".into(), Rejection::VendorFault { status: 502 }),
            (503, String::new(), Rejection::VendorFault { status: 503 }),
        ] {
            let response = HttpResponse::json(status, body.clone());
            let told = of(&response).or_else(|| inside(status, body.as_bytes()));
            assert_eq!(told, Some(expected), "{status} {body}");
        }
    }

    #[test]
    fn a_wait_that_the_vendor_names_is_kept() {
        let response = HttpResponse::text(429, "Too Many Requests").with_header("retry-after", 7);
        let wait = Some(Duration::from_secs(7));
        assert_eq!(of(&response), Some(Rejection::RateLimited { retry_after: wait, window: None }));
    }

    #[test]
    fn a_reply_without_an_error_is_no_refusal() {
        for body in [r#"{"chart":{"result":[],"error":null}}"#, "{}", "[]", "{\"count\":7}"] {
            let response = HttpResponse::json(200, body);
            assert_eq!(of(&response).or_else(|| inside(200, body.as_bytes())), None, "{body}");
        }
    }
}
