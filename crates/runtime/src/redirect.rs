//! Which redirects are followed, and with what.
//!
//! A redirect is followed where a machine can: a GET, to an address that can be read, not from `https` down to
//! `http`. It is handed to the codec as the reply it is where there is something to see in it: where it sets a
//! cookie (the cookie is what Yahoo's first exchange is for), and where it leads to or from a page that asks
//! a person for consent. After five in a row the sixth is handed over too.
//!
//! Where the host, port or scheme changes, the key stays behind: its header or parameter, `authorization`
//! and `cookie`. An address that holds the key all the same is not gone to.

use reqwest::Url;
use vendors::{HttpRequest, KeySlot, Method};

/// So many redirects are followed in a row.
pub(crate) const MOST: usize = 5;

/// Headers that identify us to one host and are nobody else's business.
const PERSONAL: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// What is sent, and where.
#[derive(Clone)]
pub(crate) struct Hop {
    pub(crate) url: Url,
    pub(crate) method: Method,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    key: Option<String>,
}

impl Hop {
    /// The first: below the base URL, or where a full URL in the path says. To another host than the base
    /// URL's the key does not go. `None` if that is no URL.
    pub(crate) fn first(base_url: &str, request: HttpRequest, slot: KeySlot) -> Option<Hop> {
        let base = Url::parse(base_url).ok()?;
        let key = slot.read(&request).map(str::to_owned);
        let mut request = request;
        let is_full = request.path.starts_with("https://") || request.path.starts_with("http://");
        if is_full && !same_place(&base, &Url::parse(&request.path).ok()?) {
            drop_key(&mut request, slot);
        }
        let target = request.target();
        let text = if is_full { target } else { format!("{}{target}", base_url.trim_end_matches('/')) };
        let url = Url::parse(&text).ok()?;
        Some(Hop { url, method: request.method, headers: request.headers, body: request.body, key })
    }

    /// The next one after this reply; `None` if the reply is for the codec to see.
    pub(crate) fn next(&self, status: u16, reply_header: impl Fn(&str) -> Option<String>) -> Option<Hop> {
        if !matches!(status, 301 | 302 | 303 | 307 | 308) || self.method != Method::Get {
            return None;
        }
        let location = reply_header("location")?;
        if reply_header("set-cookie").is_some() {
            return None;
        }
        let mut url = self.url.join(&location).ok()?;
        let readable = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
        let downgraded = self.url.scheme() == "https" && url.scheme() == "http";
        if !readable || downgraded || asks_a_person(&self.url) || asks_a_person(&url) {
            return None;
        }
        let mut headers = self.headers.clone();
        if !same_place(&self.url, &url) {
            let key = self.key.as_deref();
            headers.retain(|(name, value)| {
                !PERSONAL.contains(&name.as_str()) && key.is_none_or(|key| !value.contains(key))
            });
            if let Some(key) = key {
                without_parameter_of(&mut url, key);
                if holds(&url, key) {
                    return None;
                }
            }
        }
        Some(Hop { url, method: Method::Get, headers, body: Vec::new(), key: self.key.clone() })
    }
}

fn drop_key(request: &mut HttpRequest, slot: KeySlot) {
    match slot {
        KeySlot::None => {}
        KeySlot::Query(name) => request.query.retain(|(n, _)| n != name),
        KeySlot::Header(name, _) => request.headers.retain(|(n, _)| n != name),
    }
}

/// Whether both are on the same host and port, by the same scheme.
fn same_place(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin()
}

fn asks_a_person(url: &Url) -> bool {
    let names = |text: &str| text.to_ascii_lowercase().contains("consent");
    url.host_str().is_some_and(names) || names(url.path())
}

/// Drops the parameters whose value is the key, and leaves all others as they were written.
fn without_parameter_of(url: &mut Url, key: &str) {
    let Some(query) = url.query().map(str::to_owned) else { return };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| {
            let request = HttpRequest::from_target(&format!("/?{pair}"));
            request.query.first().is_none_or(|(_, value)| value != key)
        })
        .collect();
    url.set_query(Some(kept.join("&").as_str()).filter(|query| !query.is_empty()));
}

fn holds(url: &Url, key: &str) -> bool {
    let decoded = percent_encoding::percent_decode_str(url.as_str()).decode_utf8_lossy();
    decoded.contains(key) || url.as_str().contains(key)
}

#[cfg(test)]
mod tests {
    //! SRC-14: redirects are followed without the key.
    use super::*;

    const SLOT: KeySlot = KeySlot::Query("token");

    fn hop(base: &str) -> Hop {
        let request = HttpRequest::get("/list").with("exchange", "US").with("token", "K/EY");
        let request = request.with_header("cookie", "A=1").with_header("accept", "application/json");
        Hop::first(base, request.with_header("x-echo", "is K/EY"), SLOT).expect("a URL")
    }

    fn follow(hop: &Hop, status: u16, location: &str, cookie: bool) -> Option<Hop> {
        hop.next(status, |name| match name {
            "location" => Some(location.to_owned()),
            "set-cookie" if cookie => Some("A3=x".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn what_leaves_the_host_leaves_without_key_and_cookie() {
        let first = hop("https://api.example/v1/");
        assert_eq!(first.url.as_str(), "https://api.example/v1/list?exchange=US&token=K%2FEY");
        for (location, url) in [
            (
                "https://files.example/a?token=signed&X-Sig=%2B1",
                "https://files.example/a?token=signed&X-Sig=%2B1",
            ),
            ("https://files.example/a?token=K%2FEY&b=1", "https://files.example/a?b=1"),
            ("//files.example/a?key=K/EY", "https://files.example/a"),
            ("https://api.example:8443/a", "https://api.example:8443/a"),
        ] {
            let next = follow(&first, 302, location, false).expect("followed");
            assert_eq!(next.url.as_str(), url);
            assert_eq!(next.headers, [("accept".to_owned(), "application/json".to_owned())]);
        }
        for location in ["https://files.example/K/EY/a", "https://files.example/K%2FEY/a"] {
            assert!(follow(&first, 302, location, false).is_none(), "{location} holds the key");
        }
    }

    #[test]
    fn on_the_same_host_everything_goes_along() {
        let first = hop("https://api.example/v1");
        let next = follow(&first, 301, "/v2/list?token=K%2FEY", false).expect("followed");
        assert_eq!(next.url.as_str(), "https://api.example/v2/list?token=K%2FEY");
        assert_eq!(next.headers, first.headers);
    }

    #[test]
    fn a_redirect_with_something_to_see_is_handed_over() {
        let first = hop("https://api.example");
        for (status, location, cookie) in [
            (302, "https://guce.yahoo.com/consent?brandType=nonEu", false),
            (307, "https://consent.yahoo.com/v2/collectConsent?sessionId=1", false),
            (302, "https://files.example/a", true),
            (302, "http://api.example/a", false),
            (302, "ftp://files.example/a", false),
            (302, "https://", false),
            (304, "https://files.example/a", false),
            (200, "https://files.example/a", false),
        ] {
            assert!(follow(&first, status, location, cookie).is_none(), "{status} {location}");
        }
        assert!(first.next(302, |_| None).is_none(), "leads nowhere");
        let post = Hop { method: Method::Post, ..hop("https://api.example") };
        assert!(follow(&post, 302, "https://api.example/a", false).is_none());
        let wall =
            Hop::first("https://guce.yahoo.com", HttpRequest::get("/copyConsent"), SLOT).expect("a URL");
        assert!(follow(&wall, 302, "https://www.yahoo.com/", false).is_none());
    }

    #[test]
    fn a_full_url_in_the_path_goes_there_and_without_the_key_unless_it_is_the_same_host() {
        let base = "https://api.example/v1";
        for (path, url) in [
            ("https://files.example/a", "https://files.example/a?q=1"),
            ("https://api.example/a", "https://api.example/a?q=1&token=K"),
            ("/a", "https://api.example/v1/a?q=1&token=K"),
        ] {
            let request = HttpRequest::get(path).with("q", 1).with("token", "K");
            assert_eq!(Hop::first(base, request, SLOT).expect("a URL").url.as_str(), url);
        }
        let request = HttpRequest::get("https://files.example/a").with_header("x-key", "Bearer K");
        let hop = Hop::first(base, request, KeySlot::Header("x-key", "Bearer ")).expect("a URL");
        assert_eq!(hop.headers, []);
        assert!(Hop::first("no url", HttpRequest::get("/"), SLOT).is_none());
    }
}
