//! Alpha Vantage's ways to say no: texts in a reply of status 200, whatever was asked and in whatever format.

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::body::{is_html, without_mark};
use crate::{HttpResponse, Rejection, Window};

/// The members of a JSON reply's object, in order, unread.
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// The members of a body.
    ///
    /// # Errors
    /// [`Rejection::Unreadable`] for anything but one whole object.
    pub(super) fn of(body: &'a [u8]) -> Result<Members<'a>, Rejection> {
        serde_json::from_slice(without_mark(body)).map_err(|_| Rejection::unreadable("a JSON object"))
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first member whose name a test holds for.
    pub(super) fn find(&self, test: impl Fn(&str) -> bool) -> Option<(&str, &'a RawValue)> {
        self.0.iter().find(|(name, _)| test(name)).map(|(name, value)| (&**name, *value))
    }

    /// A member by name.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.find(|n| n == name).map(|(_, value)| value)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'a>, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    members.push((Cow::Owned(name), map.next_value()?));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Reader).map(Members)
    }
}

/// The refusal a reply amounts to by its status or form; `None` for a reply that may hold data or a text.
pub(super) fn of_status(response: &HttpResponse) -> Option<Rejection> {
    let status = response.status;
    match status {
        401 => return Some(Rejection::Unauthorized),
        429 => {
            return Some(Rejection::RateLimited { retry_after: response.retry_after(), window: None });
        }
        300..=399 | 500.. => return Some(Rejection::VendorFault { status }),
        _ => {}
    }
    if is_html(&response.body) {
        return Some(Rejection::VendorFault { status });
    }
    match status {
        402 => Some(Rejection::QuotaSpent { window: None, resets: None }),
        403 => Some(Rejection::NotEntitled),
        400 | 404 | 422 => Some(Rejection::CallersMistake),
        401..=499 => Some(Rejection::VendorFault { status }),
        _ => None,
    }
}

/// The refusal among the members of a reply.
pub(super) fn of_members(members: &Members<'_>) -> Option<Rejection> {
    ["Information", "Note", "Error Message", "message"].into_iter().find_map(|name| {
        let text: String = serde_json::from_str(members.get(name)?.get()).ok()?;
        Some(of_text(&text).unwrap_or(Rejection::unreadable("data, or a refusal we know")))
    })
}

/// What a text means. The order of the tests matters: texts about one limit advertise premium endpoints and
/// name other limits.
pub(super) fn of_text(text: &str) -> Option<Rejection> {
    let has = |part: &str| text.contains(part);
    let limited = |window| Some(Rejection::RateLimited { retry_after: None, window });
    if has("is a premium endpoint") || has("is a premium feature") {
        Some(Rejection::NotEntitled)
    } else if has("apikey is invalid") || has("demo purposes only") {
        Some(Rejection::Unauthorized)
    } else if has("per second") {
        limited(Some(Window::Second))
    } else if has("per minute") {
        limited(Some(Window::Minute))
    } else if has("Burst") {
        limited(None)
    } else if has("per day") {
        Some(Rejection::QuotaSpent { window: Some(Window::Day), resets: None })
    } else if has("call volume") || has("call frequency") || has("rate limit") {
        limited(None)
    } else if has("does not exist") {
        Some(Rejection::Unsupported)
    } else if has("Invalid API call") {
        Some(Rejection::UnknownSymbol)
    } else if has("Invalid inputs") {
        Some(Rejection::CallersMistake)
    } else {
        None
    }
}

/// Whether a refusal is about the whole history and the newest rows can still be had.
pub(super) fn is_about_output_size(response: &HttpResponse) -> bool {
    Members::of(&response.body)
        .ok()
        .and_then(|members| members.get("Information").map(|text| text.get().contains("outputsize=full")))
        .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    //! SRC-4, SRC-7.
    use super::*;

    #[test]
    fn each_text_of_the_vendors_table_becomes_its_class() {
        let limited = |window| Rejection::RateLimited { retry_after: None, window };
        let day = Rejection::QuotaSpent { window: Some(Window::Day), resets: None };
        for (name, text, expected) in [
            (
                "Error Message",
                "Invalid API call. Please retry or visit the documentation for TIME_SERIES_DAILY.",
                Rejection::UnknownSymbol,
            ),
            ("Error Message", "the parameter apikey is invalid or missing.", Rejection::Unauthorized),
            (
                "Information",
                "We have detected your API key as K and our standard API rate limit is 25 requests per day.",
                day,
            ),
            (
                "Information",
                "Please consider spreading out your free API requests more sparingly (1 request per second). You may subscribe to lift the free key rate limit (25 requests per day), and to instantly unlock all premium endpoints",
                limited(Some(Window::Second)),
            ),
            ("Information", "Burst pattern detected.", limited(None)),
            (
                "Note",
                "Our standard API call frequency is 5 calls per minute and 500 calls per day.",
                limited(Some(Window::Minute)),
            ),
            (
                "Information",
                "Please visit the premium page if you would like to have a higher API call volume.",
                limited(None),
            ),
            (
                "Information",
                "This is a premium endpoint and there are multiple ways to unlock premium endpoints",
                Rejection::NotEntitled,
            ),
            (
                "Information",
                "The outputsize=full parameter value is a premium feature for the TIME_SERIES_DAILY endpoint.",
                Rejection::NotEntitled,
            ),
            ("message", "This is a premium endpoint. THE SAMPLE DATA IS ARTIFICIAL", Rejection::NotEntitled),
            ("Information", "Something new", Rejection::unreadable("data, or a refusal we know")),
        ] {
            let body = serde_json::json!({ name: text, "data": [{"symbol": "A"}] }).to_string();
            let members = Members::of(body.as_bytes()).expect("an object");
            assert_eq!(of_members(&members), Some(expected), "{text}");
        }
        assert_eq!(of_members(&Members::of(b"{\"Global Quote\": {}}").expect("an object")), None);
    }

    #[test]
    fn a_body_that_is_no_whole_object_is_unreadable() {
        for body in ["", "[]", "null", "{", "{\"a\":}", "{} {}", "7"] {
            assert!(Members::of(body.as_bytes()).is_err(), "{body}");
        }
    }
}
