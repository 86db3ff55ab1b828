//! Page tokens: opaque text that pins vendor, moment and place, so that pages of one question agree (API-5).

use std::ops::Range;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::{Instant, VendorId};
use gateway::Served;
use serde::{Deserialize, Serialize};

use crate::bars::bars_of;
use crate::envelope::Part;

/// Where a page begins, and what all pages of one question keep to.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The end of an open range: the moment of the first page.
    pub now: Instant,
    /// Which symbol, and the first start of its rows.
    pub at: (usize, Instant),
    /// Where that symbol's range begins instead of at the question's start: what lies before was told, and a
    /// page budget ended there.
    pub rest: Option<Instant>,
    pins: Vec<Option<Pin>>,
}

/// Who answered a symbol's first page, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pin {
    vendor: String,
    /// Nanoseconds; only where all rows were committed, so that the store can give them again, and no page
    /// budget left out a rest that must still be fetched.
    asof: Option<i64>,
}

/// A token's content.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    question: u64,
    now: i64,
    symbol: usize,
    start: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rest: Option<i64>,
    pins: Vec<Option<Pin>>,
}

impl Page {
    /// The first page.
    pub fn first(now: Instant) -> Page {
        Page { now, at: (0, Instant::MIN), rest: None, pins: Vec::new() }
    }

    /// Reads a token of the same question.
    ///
    /// # Errors
    /// That it is none, or another question's.
    pub fn read(text: &str, query: &str) -> Result<Page, String> {
        let wrong = || "is no token of this address: pass `next_page_token` back unchanged".to_owned();
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let token: Token = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
        if token.question != fingerprint(query) {
            return Err("belongs to another question: change nothing but `page_token`".to_owned());
        }
        Ok(Page {
            now: Instant::from_nanos(token.now),
            at: (token.symbol, Instant::from_nanos(token.start)),
            rest: token.rest.map(Instant::from_nanos),
            pins: token.pins,
        })
    }

    fn write(&self, query: &str) -> String {
        let token = Token {
            question: fingerprint(query),
            now: self.now.as_nanos(),
            symbol: self.at.0,
            start: self.at.1.as_nanos(),
            rest: self.rest.map(Instant::as_nanos),
            pins: self.pins.clone(),
        };
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).expect("a token is a map with text keys"))
    }

    fn pin(&self, symbol: usize) -> Option<&Pin> {
        self.pins.get(symbol)?.as_ref()
    }

    /// The vendor of a symbol's earlier pages.
    pub fn vendor(&self, symbol: usize) -> Option<VendorId> {
        vendors::find(&self.pin(symbol)?.vendor).map(|codec| codec.profile().id)
    }

    /// Where the range of a symbol begins, if not at the question's start.
    pub fn rest(&self, symbol: usize) -> Option<Instant> {
        self.rest.filter(|_| symbol == self.at.0)
    }

    /// The moment of a symbol's earlier pages.
    pub fn asof(&self, symbol: usize) -> Option<Instant> {
        self.pin(symbol)?.asof.map(Instant::from_nanos)
    }
}

/// Cuts answers (of the symbols from the page's on) to a page of so many rows. Returns the rows of each
/// symbol that has a place on the page, and the token of the next page if there is more.
pub fn cut(parts: &[Part], page: &Page, limit: usize, query: &str) -> (Vec<Range<usize>>, Option<String>) {
    let mut slices = Vec::new();
    let mut room = limit;
    for (index, part) in parts.iter().enumerate() {
        let bars = part.outcome.as_ref().map(bars_of).unwrap_or_default();
        let from = if index == 0 { bars.partition_point(|bar| bar.start < page.at.1) } else { 0 };
        let to = bars.len().min(from + room);
        slices.push(from..to);
        room -= to - from;
        let symbol = page.at.0 + index;
        let unasked = part.outcome.as_ref().ok().and_then(rest_of);
        let next = if to < bars.len() {
            Some(((symbol, bars[to].start), page.rest(symbol)))
        } else if let Some(rest) = unasked {
            Some(((symbol, Instant::MIN), Some(rest)))
        } else if room == 0 && index + 1 < parts.len() {
            Some(((symbol + 1, Instant::MIN), None))
        } else {
            None
        };
        if let Some((at, rest)) = next {
            let next = Page { now: page.now, at, rest, pins: pins(parts, page) };
            return (slices, Some(next.write(query)));
        }
    }
    (slices, None)
}

/// Where the page budget ended behind an answer's rows, if it did.
fn rest_of(served: &Served) -> Option<Instant> {
    let rest = served.answer.coverage.as_ref()?.rest_from?;
    (!bars_of(served).is_empty()).then_some(rest)
}

/// Everyone's vendor and moment: those of the token where it has them, else those of this page.
fn pins(parts: &[Part], page: &Page) -> Vec<Option<Pin>> {
    let own = |symbol: usize| {
        let part = parts.get(symbol.checked_sub(page.at.0)?)?;
        let served = part.outcome.as_ref().ok()?;
        let asof = (served.answer.stored && rest_of(served).is_none()).then_some(served.now.as_nanos());
        Some(Pin { vendor: served.answer.vendor()?.as_str().to_owned(), asof })
    };
    (0..page.at.0 + parts.len()).map(|symbol| page.pin(symbol).cloned().or_else(|| own(symbol))).collect()
}

/// What makes two queries the same question: all words but the token, in any order.
fn fingerprint(query: &str) -> u64 {
    let mut pairs: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("page_token=") && !pair.starts_with("limit="))
        .collect();
    pairs.sort_unstable();
    // FNV-1a: stable over releases, unlike the standard library's hash.
    pairs.join("&").bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    // API-5.
    use super::*;

    #[test]
    fn a_token_comes_back_as_it_was_and_fits_its_own_question_only() {
        let page = Page {
            now: Instant::from_secs(9),
            at: (1, Instant::from_secs(7)),
            rest: Some(Instant::from_secs(6)),
            pins: vec![None, Some(Pin { vendor: "yahoo".into(), asof: Some(5) })],
        };
        let token = page.write("symbols=A&interval=1d");
        assert_eq!(
            Page::read(&token, &format!("interval=1d&symbols=A&limit=3&page_token={token}")),
            Ok(page)
        );
        assert!(Page::read(&token, "symbols=B&interval=1d").unwrap_err().contains("another question"));
        for junk in ["", "x", "e30", "////"] {
            assert!(Page::read(junk, "").is_err(), "{junk}");
        }
    }
}
