//! The many ways to write a symbol, read into our one.

use std::borrow::Cow;

use crate::Venue;
use crate::venue_suffix::{is_known_venue, is_united_states, venue_of_suffix};

/// Longest name we accept, without its venue; option and dated future names need about thirty.
pub(crate) const NAME_LIMIT: usize = 32;
/// Longest text we look at: a name, a dot, a venue.
const TEXT_LIMIT: usize = NAME_LIMIT + 13;

/// Currencies of states and metals: a pair of two of them is foreign exchange.
const FIAT: &[&str] = &[
    "USD", "EUR", "GBP", "JPY", "CHF", "AUD", "NZD", "CAD", "SEK", "NOK", "DKK", "ISK", "PLN", "CZK", "HUF",
    "RON", "BGN", "TRY", "ILS", "ZAR", "MXN", "BRL", "ARS", "CLP", "COP", "PEN", "UYU", "CNY", "CNH", "HKD",
    "TWD", "KRW", "SGD", "MYR", "THB", "IDR", "PHP", "VND", "INR", "PKR", "LKR", "BDT", "AED", "SAR", "QAR",
    "KWD", "BHD", "OMR", "JOD", "EGP", "MAD", "TND", "NGN", "KES", "GHS", "RUB", "UAH", "KZT", "GEL", "RSD",
    "XAU", "XAG", "XPT", "XPD",
];

/// What coins are priced in, longest first, for vendors that write a pair without a separator.
const COIN_QUOTES: &[&str] = &["FDUSD", "USDT", "USDC", "TUSD", "BUSD", "DAI", "BTC", "ETH", "BNB"];

/// Roots of futures that trade at ICE's United States exchange; all other `=F` names trade at CME's.
const ICE_ROOTS: &[&str] = &["KC", "CT", "SB", "CC", "OJ", "DX"];

/// Upper-case text held in place.
pub(crate) struct Upper {
    bytes: [u8; TEXT_LIMIT],
    length: usize,
}

impl Upper {
    /// The text without spaces around it, in upper case; `None` if it is empty, too long, or has a
    /// character no symbol has.
    pub(crate) fn new(text: &str) -> Option<Upper> {
        let text = text.trim_matches(' ').as_bytes();
        if text.is_empty() || text.len() > TEXT_LIMIT {
            return None;
        }
        let mut bytes = [0; TEXT_LIMIT];
        for (slot, byte) in bytes.iter_mut().zip(text) {
            let allowed = byte.is_ascii_alphanumeric() || b".-_^=&/:+#*!@$".contains(byte);
            *slot = if allowed { byte.to_ascii_uppercase() } else { return None };
        }
        Some(Upper { bytes, length: text.len() })
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).expect("only ASCII characters were let in")
    }
}

/// Name in our spelling and venue, if the text says one, of an upper-case text. `known` tells of venues
/// beyond the built-in ones.
pub(crate) fn read<'a>(
    text: &'a str,
    known: impl Fn(&str) -> bool + Copy,
) -> Option<(Cow<'a, str>, Option<Venue>)> {
    let (name, venue) = match text.split_once(':').filter(|(before, _)| !before.contains('/')) {
        Some(("X", rest)) => coin_pair(rest, known)?,
        Some(("C", rest)) => currency_pair(rest, known)?,
        Some(("I", rest)) => {
            let (name, _) = split_venue(rest.trim_start_matches('^'), known);
            is_ticker(name).then_some(())?;
            (Cow::Owned(format!("^{name}")), Some(Venue::INDEX))
        }
        Some(("O", rest)) => {
            let (name, venue) = split_venue(text, known);
            is_ticker(rest).then_some(())?;
            (Cow::Borrowed(name), venue)
        }
        Some(_) => return None,
        None => unprefixed(text, known)?,
    };
    (name.len() <= NAME_LIMIT).then_some((name, venue))
}

fn unprefixed<'a>(
    text: &'a str,
    known: impl Fn(&str) -> bool + Copy,
) -> Option<(Cow<'a, str>, Option<Venue>)> {
    if text.contains('/') {
        let (name, venue) = split_venue(text, known);
        return is_pair(name).then(|| (Cow::Borrowed(name), venue.or(Some(composite_of_pair(name)))));
    }
    if let Some(index) = text.strip_prefix('^') {
        let (name, venue) = split_venue(text, known);
        is_ticker(index).then_some(())?;
        return Some((Cow::Borrowed(name), venue.or(Some(Venue::INDEX))));
    }
    if let Some(pair) = text.strip_suffix("=X") {
        return match pair.len() {
            3 => Some((Cow::Owned(format!("USD/{pair}")), Some(Venue::FX))).filter(|_| is_ticker(pair)),
            _ => currency_pair(pair, known),
        };
    }
    if let Some(root) = text.strip_suffix("=F") {
        let venue = if ICE_ROOTS.contains(&root) { "IEPA" } else { "CMES" };
        return is_ticker(root).then_some((Cow::Borrowed(text), Some(Venue::literal(venue))));
    }
    is_ticker(text).then_some(())?;
    let (name, venue) = split_suffix(text, known);
    if let Some((base, quote)) = name.split_once('-') {
        if FIAT.contains(&quote) || COIN_QUOTES.contains(&quote) {
            let pair = format!("{base}/{quote}");
            let venue = venue.unwrap_or_else(|| composite_of_pair(&pair));
            return is_pair(&pair).then_some((Cow::Owned(pair), Some(venue)));
        }
        if venue.is_none_or(is_united_states) && is_share_class(base, quote) {
            return Some((Cow::Owned(format!("{base}.{quote}")), venue));
        }
    }
    Some((Cow::Borrowed(name), venue))
}

/// `BRK-B`: one to five letters, and one for the class.
fn is_share_class(base: &str, class: &str) -> bool {
    (1..=5).contains(&base.len())
        && class.len() == 1
        && base.bytes().chain(class.bytes()).all(|b| b.is_ascii_uppercase())
}

/// Splits at the last dot if a venue's code follows it.
fn split_venue(text: &str, known: impl Fn(&str) -> bool) -> (&str, Option<Venue>) {
    match text.rsplit_once('.') {
        Some((name, code)) if !name.is_empty() && (is_known_venue(code) || known(code)) => {
            (name, Venue::new(code))
        }
        _ => (text, None),
    }
}

/// Splits at the last dot if a venue's code or suffix follows it.
fn split_suffix(text: &str, known: impl Fn(&str) -> bool) -> (&str, Option<Venue>) {
    let (name, venue) = split_venue(text, known);
    if venue.is_some() {
        return (name, venue);
    }
    match text.rsplit_once('.') {
        // `BAC.PR.L` is a preferred share of New York, series L.
        Some((name, _)) if name.ends_with(".PR") => (text, None),
        Some((name, suffix)) => match venue_of_suffix(suffix) {
            Some(venue) => (name, Some(venue)),
            None => (text, None),
        },
        None => (text, None),
    }
}

/// Where a pair trades if the text names no venue.
fn composite_of_pair(pair: &str) -> Venue {
    match pair.split_once('/') {
        Some((base, quote)) if FIAT.contains(&base) && FIAT.contains(&quote) => Venue::FX,
        _ => Venue::CRYPTO,
    }
}

/// `BTCUSD`, `BTC-USD` or `BTC/USD` behind `X:`.
fn coin_pair(text: &str, known: impl Fn(&str) -> bool) -> Option<(Cow<'_, str>, Option<Venue>)> {
    let (name, venue) = split_venue(text, known);
    let pair = if name.contains('/') {
        Cow::Borrowed(name)
    } else if let Some((base, quote)) = name.split_once('-') {
        Cow::Owned(format!("{base}/{quote}"))
    } else {
        let quote = COIN_QUOTES.iter().find(|q| name.len() > q.len() && name.ends_with(**q));
        // A quote that is no coin is a currency, and those have three letters.
        let at = name.len().checked_sub(quote.map_or(3, |q| q.len())).filter(|at| *at > 0)?;
        Cow::Owned(format!("{}/{}", name.get(..at)?, name.get(at..)?))
    };
    is_pair(&pair).then_some((pair, venue.or(Some(Venue::CRYPTO))))
}

/// `EURUSD`, `EUR-USD` or `EUR/USD` behind `C:` or before `=X`.
fn currency_pair(text: &str, known: impl Fn(&str) -> bool) -> Option<(Cow<'_, str>, Option<Venue>)> {
    let (name, venue) = split_venue(text, known);
    let (base, quote) = match name.split_once(['/', '-']) {
        Some(legs) => legs,
        None if name.len() == 6 => name.split_at(3),
        None => return None,
    };
    let letters = |leg: &str| leg.len() == 3 && leg.bytes().all(|b| b.is_ascii_uppercase());
    (letters(base) && letters(quote))
        .then(|| (Cow::Owned(format!("{base}/{quote}")), venue.or(Some(Venue::FX))))
}

/// Whether a name without slash, colon and caret is well formed: begins with a letter or digit, ends with
/// neither dot nor dash, and has no two separators in a row.
fn is_ticker(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(|b| b.is_ascii_alphanumeric() || b"+=#*!$".contains(b))
        && !bytes.iter().any(|b| b"/:^".contains(b))
        && !bytes.windows(2).any(|w| b".-_".contains(&w[0]) && b".-_".contains(&w[1]))
}

/// `BASE/QUOTE`, `BASE/QUOTE:SETTLE`, `BASE/QUOTE:SETTLE-YYMMDD`.
fn is_pair(name: &str) -> bool {
    let Some((base, rest)) = name.split_once('/') else { return false };
    let (quote, settle) = match rest.split_once(':') {
        Some((quote, settle)) => (quote, Some(settle)),
        None => (rest, None),
    };
    is_ticker(base) && is_ticker(quote) && settle.is_none_or(is_ticker)
}
