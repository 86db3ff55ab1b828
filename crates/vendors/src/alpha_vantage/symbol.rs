//! Alpha Vantage's spelling: `BRK-B`, `TSCO.LON`.

use domain::{InstrumentId, InstrumentKind, Venue, venue_suffix::is_united_states};

use crate::Rejection;
use crate::symbol::is_unnamed;

/// Suffixes and venues.
///
/// Source: "Alpha Vantage API Documentation", examples of `TIME_SERIES_DAILY`, and replies of
/// `SYMBOL_SEARCH`, read 2026-10-15.
const SUFFIXES: &[(&str, &str)] = &[
    ("LON", "XLON"),
    ("DEX", "XETR"),
    ("FRK", "XFRA"),
    ("TRT", "XTSE"),
    ("TRV", "XTSX"),
    ("SAO", "BVMF"),
    ("BSE", "XBOM"),
    ("SHH", "XSHG"),
    ("SHZ", "XSHE"),
    ("AMS", "XAMS"),
    ("PAR", "XPAR"),
];

/// Names of exchanges in `LISTING_STATUS`. The first name of a venue is the one written.
const EXCHANGES: &[(&str, &str)] = &[
    ("NASDAQ", "XNAS"),
    ("NYSE", "XNYS"),
    ("NYSE ARCA", "ARCX"),
    ("NYSE MKT", "XASE"),
    ("NYSE AMERICAN", "XASE"),
    ("AMEX", "XASE"),
    ("BATS", "BATS"),
];

/// How Alpha Vantage writes an instrument.
///
/// # Errors
/// [`Rejection::Unsupported`] for pairs, indices and venues it has no suffix for.
pub(super) fn spell(instrument: &InstrumentId) -> Result<String, Rejection> {
    let venue = instrument.venue();
    if instrument.pair().is_some() || instrument.name().starts_with('^') {
        return Err(Rejection::Unsupported);
    }
    let dashed = instrument.name().replace('.', "-");
    if is_united_states(venue) {
        return Ok(dashed);
    }
    let suffix = SUFFIXES.iter().find(|(_, mic)| *mic == venue.as_str());
    suffix.map(|(suffix, _)| format!("{dashed}.{suffix}")).ok_or(Rejection::Unsupported)
}

/// The instrument of a spelling. `None` for text no symbol has.
pub(super) fn read(text: &str) -> Option<InstrumentId> {
    let text = text.trim().to_ascii_uppercase();
    if text.is_empty() || text.len() > 32 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    // Prefixes of news, for what is no share.
    if let Some(coin) = text.strip_prefix("CRYPTO:") {
        return Some(InstrumentId::new(&format!("{coin}/USD"), Venue::CRYPTO));
    }
    if let Some(currency) = text.strip_prefix("FOREX:") {
        return Some(InstrumentId::new(&format!("{currency}/USD"), Venue::FX)).filter(|_| currency != "USD");
    }
    if let Some((name, suffix)) = text.rsplit_once('.')
        && let Some((_, mic)) = SUFFIXES.iter().find(|(s, _)| *s == suffix)
        && !name.is_empty()
    {
        return Some(InstrumentId::new(&name.replace('-', "."), Venue::literal(mic)));
    }
    Some(InstrumentId::new(&text.replace('-', "."), Venue::US))
}

/// The instrument of a spelling listed at an exchange of this name.
pub(super) fn read_listed(text: &str, exchange: &str) -> Option<InstrumentId> {
    let id = read(text)?;
    let listing = EXCHANGES.iter().find(|(name, _)| name.eq_ignore_ascii_case(exchange));
    Some(match listing.filter(|_| id.venue() == Venue::US) {
        Some((_, mic)) => InstrumentId::new(id.name(), Venue::literal(mic)),
        None => id,
    })
}

/// The name of the exchange an instrument is listed at.
pub(super) fn exchange_name(venue: Venue) -> &'static str {
    EXCHANGES.iter().find(|(_, mic)| *mic == venue.as_str()).map_or("NYSE", |(name, _)| name)
}

/// The instrument an answer is about: the asked one, if the reply's symbol means it. A reply that names none
/// (CSV) is taken to be about the asked one.
///
/// # Errors
/// [`Rejection::Unreadable`] for a reply about another instrument.
pub(super) fn agree(asked: &InstrumentId, told: Option<&str>) -> Result<InstrumentId, Rejection> {
    let Some(told) = told else { return Ok(asked.clone()) };
    if is_unnamed(asked) {
        return read(told).ok_or(Rejection::unreadable("a symbol"));
    }
    let means = spell(asked).is_ok_and(|spelling| {
        spelling.eq_ignore_ascii_case(told)
            || matches!((read(&spelling), read(told)), (Some(one), Some(other)) if one == other)
    });
    if means { Ok(asked.clone()) } else { Err(Rejection::unreadable("the symbol asked for")) }
}

/// Kinds, the word of `SYMBOL_SEARCH` and that of `LISTING_STATUS`.
const KINDS: &[(InstrumentKind, &str, &str)] = &[
    (InstrumentKind::Equity, "Equity", "Stock"),
    (InstrumentKind::Etf, "ETF", "ETF"),
    (InstrumentKind::Fund, "Mutual Fund", "Mutual Fund"),
];

/// The kind of either word.
pub(super) fn kind_of(word: &str) -> InstrumentKind {
    let found = KINDS.iter().find(|(_, search, listing)| *search == word || *listing == word);
    found.map_or(InstrumentKind::Other, |(kind, ..)| *kind)
}

/// The words of a kind: in a search, in the list.
pub(super) fn kind_words(kind: InstrumentKind) -> (&'static str, &'static str) {
    KINDS.iter().find(|(k, ..)| *k == kind).map_or(("Other", "Other"), |(_, search, list)| (search, list))
}

#[cfg(test)]
mod tests {
    //! SRC-2, SYM-1.
    use super::*;

    #[test]
    fn an_instrument_is_spelled_as_alpha_vantage_writes_it_and_read_back() {
        for (id, spelling) in
            [("IBM.US", "IBM"), ("BRK.B.US", "BRK-B"), ("TSCO.XLON", "TSCO.LON"), ("MBG.XETR", "MBG.DEX")]
        {
            let id = InstrumentId::parse(id).expect("the test writes ids");
            assert_eq!(spell(&id).as_deref(), Ok(spelling));
            assert_eq!(read(spelling), Some(id.clone()));
            assert_eq!(agree(&id, Some(&spelling.to_lowercase())), Ok(id));
        }
        for id in ["EUR/USD.FX", "BTC/USD.CRYPTO", "^GSPC.INDEX", "X.XTKS"] {
            let id = InstrumentId::parse(id).expect("the test writes ids");
            assert_eq!(spell(&id), Err(Rejection::Unsupported), "{id}");
        }
    }

    #[test]
    fn a_listing_leads_to_its_venue_and_news_name_more_than_shares() {
        let listed = |exchange| read_listed("A", exchange).map(|id| id.to_string());
        assert_eq!(listed("NYSE ARCA").as_deref(), Some("A.ARCX"));
        assert_eq!(listed("Elsewhere").as_deref(), Some("A.US"));
        assert_eq!(read("CRYPTO:BTC").map(|id| id.to_string()).as_deref(), Some("BTC/USD.CRYPTO"));
        assert_eq!(read("FOREX:EUR").map(|id| id.to_string()).as_deref(), Some("EUR/USD.FX"));
        for text in ["", "A B", "FOREX:USD", &"A".repeat(33)] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
