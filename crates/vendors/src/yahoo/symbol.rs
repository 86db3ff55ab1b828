//! Yahoo's spelling: `BRK-B`, `OCDO.L`, `^GSPC`, `EURUSD=X`, `BTC-USD`.

use domain::venue_suffix::{is_united_states, suffix_of_venue, venue_of_suffix};
use domain::{InstrumentId, InstrumentKind, Venue};

use crate::Rejection;
use crate::symbol::is_unnamed;

/// What coins are quoted in at Yahoo: tells `BTC-USD` from the share class in `BRK-B`.
const COIN_QUOTES: &[&str] =
    &["USD", "EUR", "GBP", "JPY", "CAD", "AUD", "INR", "CNY", "KRW", "BTC", "ETH", "USDT", "USDC"];

/// Yahoo's codes of American listings. The first code of a venue is the one written.
const LISTINGS: &[(&str, &str)] = &[
    ("NMS", "XNAS"),
    ("NGM", "XNAS"),
    ("NCM", "XNAS"),
    ("NAS", "XNAS"),
    ("NYQ", "XNYS"),
    ("NYS", "XNYS"),
    ("ASE", "XASE"),
    ("PCX", "ARCX"),
    ("BTS", "BATS"),
];

/// How Yahoo writes an instrument.
///
/// # Errors
/// [`Rejection::Unsupported`] for a venue Yahoo does not have.
pub(super) fn spell(instrument: &InstrumentId) -> Result<String, Rejection> {
    let (name, venue) = (instrument.name(), instrument.venue());
    match instrument.pair() {
        Some((base, quote)) if venue == Venue::FX => return Ok(format!("{base}{quote}=X")),
        Some((base, quote)) if venue == Venue::CRYPTO => return Ok(format!("{base}-{quote}")),
        Some(_) => return Err(Rejection::Unsupported),
        None => {}
    }
    if venue == Venue::INDEX {
        return Ok(if name.starts_with('^') { name.to_owned() } else { format!("^{name}") });
    }
    let dashed = name.replace('.', "-");
    if is_united_states(venue) {
        return Ok(dashed);
    }
    suffix_of_venue(venue).map(|suffix| format!("{dashed}.{suffix}")).ok_or(Rejection::Unsupported)
}

/// The instrument of a spelling; the listing of an American share if Yahoo's code of its exchange is given.
/// `None` for text no symbol has.
pub(super) fn read(text: &str, exchange: Option<&str>) -> Option<InstrumentId> {
    let text = text.trim().to_ascii_uppercase();
    if text.is_empty() || text.len() > 32 || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    if text.starts_with('^') {
        return Some(InstrumentId::new(&text, Venue::INDEX));
    }
    if let Some(pair) = text.strip_suffix("=X") {
        return match (pair.get(..3), pair.get(3..)) {
            (Some(base), Some("")) => Some(InstrumentId::new(&format!("USD/{base}"), Venue::FX)),
            (Some(base), Some(quote)) => Some(InstrumentId::new(&format!("{base}/{quote}"), Venue::FX)),
            _ => None,
        };
    }
    if let Some((base, quote)) = text.rsplit_once('-').filter(|(_, q)| COIN_QUOTES.contains(q)) {
        return Some(InstrumentId::new(&format!("{base}/{quote}"), Venue::CRYPTO));
    }
    if let Some((name, suffix)) = text.rsplit_once('.')
        && let Some(venue) = venue_of_suffix(suffix)
        && !name.is_empty()
    {
        return Some(InstrumentId::new(&name.replace('-', "."), venue));
    }
    let listing = exchange.and_then(|code| LISTINGS.iter().find(|(c, _)| *c == code));
    let venue = listing.and_then(|(_, mic)| Venue::new(mic)).unwrap_or(Venue::US);
    Some(InstrumentId::new(&text.replace('-', "."), venue))
}

/// The instrument an answer is about: the asked one, if the reply's symbol means it.
///
/// # Errors
/// [`Rejection::Unreadable`] for a reply about another instrument, or one that names none.
pub(super) fn agree(
    asked: &InstrumentId,
    told: &str,
    exchange: Option<&str>,
) -> Result<InstrumentId, Rejection> {
    if is_unnamed(asked) {
        return read(told, exchange).ok_or(Rejection::unreadable("a symbol"));
    }
    if means(asked, told) { Ok(asked.clone()) } else { Err(Rejection::unreadable("the symbol asked for")) }
}

/// Whether Yahoo's text names the instrument, in any of its spellings.
pub(super) fn means(instrument: &InstrumentId, told: &str) -> bool {
    let Ok(spelling) = spell(instrument) else { return false };
    spelling.eq_ignore_ascii_case(told)
        || matches!((read(&spelling, None), read(told, None)), (Some(one), Some(other)) if one == other)
}

/// Yahoo's code of the exchange.
pub(super) fn exchange_code(venue: Venue) -> &'static str {
    let listing = LISTINGS.iter().find(|(_, mic)| *mic == venue.as_str()).map(|(code, _)| *code);
    listing.or_else(|| suffix_of_venue(venue)).unwrap_or(match venue {
        Venue::FX => "CCY",
        Venue::CRYPTO => "CCC",
        Venue::INDEX => "SNP",
        _ => "NMS",
    })
}

/// Kinds and Yahoo's `quoteType` of them.
const KINDS: &[(InstrumentKind, &str)] = &[
    (InstrumentKind::Equity, "EQUITY"),
    (InstrumentKind::Etf, "ETF"),
    (InstrumentKind::Fund, "MUTUALFUND"),
    (InstrumentKind::Index, "INDEX"),
    (InstrumentKind::Fx, "CURRENCY"),
    (InstrumentKind::Crypto, "CRYPTOCURRENCY"),
    (InstrumentKind::Future, "FUTURE"),
    (InstrumentKind::Option, "OPTION"),
];

/// The kind of a `quoteType`.
pub(super) fn kind_of(quote_type: &str) -> InstrumentKind {
    KINDS.iter().find(|(_, word)| *word == quote_type).map_or(InstrumentKind::Other, |(kind, _)| *kind)
}

/// The `quoteType` of a kind.
pub(super) fn quote_type(kind: InstrumentKind) -> &'static str {
    KINDS.iter().find(|(k, _)| *k == kind).map_or("NONE", |(_, word)| *word)
}

/// The kind an id alone suggests.
pub(super) fn kind_of_id(instrument: &InstrumentId) -> InstrumentKind {
    match instrument.venue() {
        Venue::FX => InstrumentKind::Fx,
        Venue::INDEX => InstrumentKind::Index,
        Venue::CRYPTO => InstrumentKind::Crypto,
        _ => InstrumentKind::Equity,
    }
}

#[cfg(test)]
mod tests {
    //! SRC-2, SYM-1.
    use super::*;

    #[test]
    fn an_instrument_is_spelled_as_yahoo_writes_it_and_read_back() {
        for (id, spelling) in [
            ("AAPL.US", "AAPL"),
            ("BRK.B.US", "BRK-B"),
            ("OCDO.XLON", "OCDO.L"),
            ("BT.A.XLON", "BT-A.L"),
            ("NOVO.B.XCSE", "NOVO-B.CO"),
            ("^GSPC.INDEX", "^GSPC"),
            ("EUR/USD.FX", "EURUSD=X"),
            ("BTC/USD.CRYPTO", "BTC-USD"),
            ("ES=F.US", "ES=F"),
        ] {
            let id = InstrumentId::parse(id).expect("the test writes ids");
            assert_eq!(spell(&id).as_deref(), Ok(spelling));
            assert_eq!(read(spelling, None), Some(id.clone()));
            assert!(means(&id, &spelling.to_lowercase()));
        }
    }

    #[test]
    fn an_american_share_is_listed_where_the_code_of_its_exchange_says() {
        let read = |exchange| read("AAPL", exchange).map(|id| id.to_string());
        assert_eq!(read(Some("NGM")).as_deref(), Some("AAPL.XNAS"));
        assert_eq!(read(Some("OPR")).as_deref(), Some("AAPL.US"));
        let listed = InstrumentId::new("AAPL", Venue::literal("XNAS"));
        assert_eq!(agree(&listed, "AAPL", Some("NMS")), Ok(listed.clone()));
        assert_eq!(agree(&listed, "MSFT", None), Err(Rejection::unreadable("the symbol asked for")));
    }

    #[test]
    fn the_short_spelling_of_a_dollar_pair_means_the_same_pair() {
        let yen = InstrumentId::new("USD/JPY", Venue::FX);
        assert!(means(&yen, "JPY=X") && means(&yen, "USDJPY=X") && !means(&yen, "EURJPY=X"));
    }

    #[test]
    fn what_yahoo_does_not_have_is_unsupported() {
        for id in ["BTC/USDT.BINANCE", "X.NOWHERE", "EUR/USD.XLON"] {
            let id = InstrumentId::parse(id).expect("the test writes ids");
            assert_eq!(spell(&id), Err(Rejection::Unsupported), "{id}");
        }
        for text in ["", " ", "A B", "ü", "=X", "AB=X", &"A".repeat(40)] {
            assert_eq!(read(text, None), None, "{text:?}");
        }
    }
}
