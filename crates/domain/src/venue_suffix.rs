//! Venues we know by code, and the suffixes by which several vendors write them: `.L` is London.

use crate::Venue;

/// Suffix as Yahoo and Finnhub write it, and the venue. The first row of a venue is the one written.
///
/// Source: Yahoo Finance help, "Exchanges and data providers on Yahoo Finance", read 2026-01-05.
const SUFFIXES: &[(&str, Venue)] = &[
    ("AE", Venue::literal("XDFM")),
    ("AS", Venue::literal("XAMS")),
    ("AT", Venue::literal("ASEX")),
    ("AX", Venue::literal("XASX")),
    ("BA", Venue::literal("XBUE")),
    ("BD", Venue::literal("XBUD")),
    ("BE", Venue::literal("XBER")),
    ("BK", Venue::literal("XBKK")),
    ("BO", Venue::literal("XBOM")),
    ("BR", Venue::literal("XBRU")),
    ("CA", Venue::literal("XCAI")),
    ("CL", Venue::literal("XBOG")),
    ("CN", Venue::literal("XCNQ")),
    ("CO", Venue::literal("XCSE")),
    ("CR", Venue::literal("XCAR")),
    ("DE", Venue::literal("XETR")),
    ("DU", Venue::literal("XDUS")),
    ("F", Venue::literal("XFRA")),
    ("HA", Venue::literal("XHAN")),
    ("HE", Venue::literal("XHEL")),
    ("HK", Venue::literal("XHKG")),
    ("HM", Venue::literal("XHAM")),
    ("IC", Venue::literal("XICE")),
    ("IR", Venue::literal("XDUB")),
    ("IS", Venue::literal("XIST")),
    ("JK", Venue::literal("XIDX")),
    ("JO", Venue::literal("XJSE")),
    ("KL", Venue::literal("XKLS")),
    ("KQ", Venue::literal("XKOS")),
    ("KS", Venue::literal("XKRX")),
    ("KW", Venue::literal("XKUW")),
    ("L", Venue::literal("XLON")),
    ("IL", Venue::literal("XLON")),
    ("LM", Venue::literal("XLIM")),
    ("LS", Venue::literal("XLIS")),
    ("MC", Venue::literal("XMAD")),
    ("ME", Venue::literal("MISX")),
    ("MI", Venue::literal("XMIL")),
    ("MU", Venue::literal("XMUN")),
    ("MX", Venue::literal("XMEX")),
    ("NE", Venue::literal("NEOE")),
    ("NS", Venue::literal("XNSE")),
    ("NZ", Venue::literal("XNZE")),
    ("OL", Venue::literal("XOSL")),
    ("PA", Venue::literal("XPAR")),
    ("PR", Venue::literal("XPRA")),
    ("PS", Venue::literal("XPHS")),
    ("QA", Venue::literal("DSMD")),
    ("RG", Venue::literal("XRIS")),
    ("RO", Venue::literal("XBSE")),
    ("SA", Venue::literal("BVMF")),
    ("SG", Venue::literal("XSTU")),
    ("SI", Venue::literal("XSES")),
    ("SN", Venue::literal("XSGO")),
    ("SR", Venue::literal("XSAU")),
    ("SS", Venue::literal("XSHG")),
    ("ST", Venue::literal("XSTO")),
    ("SW", Venue::literal("XSWX")),
    ("VX", Venue::literal("XSWX")),
    ("SZ", Venue::literal("XSHE")),
    ("T", Venue::literal("XTKS")),
    ("TA", Venue::literal("XTAE")),
    ("TL", Venue::literal("XTAL")),
    ("TO", Venue::literal("XTSE")),
    ("TW", Venue::literal("XTAI")),
    ("TWO", Venue::literal("ROCO")),
    ("V", Venue::literal("XTSX")),
    ("VI", Venue::literal("XWBO")),
    ("VN", Venue::literal("XSTC")),
    ("VS", Venue::literal("XLIT")),
    ("WA", Venue::literal("XWAR")),
];

/// Venues of the United States: one consolidated tape, one schedule.
const UNITED_STATES: &[&str] = &[
    "XNAS", "XNYS", "ARCX", "BATS", "XASE", "IEXG", "OOTC", "PINX", "XOTC", "OTCM", "OTCQ", "EDGA", "EDGX",
    "BATY", "XBOS", "XPHL", "XPSX", "XCIS", "XCHI", "MEMX", "EPRL", "LTSE", "XNGS", "XNMS", "XNCM", "XADF",
    "FINN", "FINR", "OPRA", "US",
];

/// Venues where coins trade around the clock.
const CRYPTO: &[&str] = &[
    "CRYPTO",
    "BINANCE",
    "BINANCEUS",
    "BYBIT",
    "COINBASE",
    "KRAKEN",
    "OKX",
    "BITFINEX",
    "BITSTAMP",
    "GEMINI",
    "KUCOIN",
    "GATEIO",
    "HTX",
    "HUOBI",
    "BITGET",
    "MEXC",
    "DERIBIT",
    "UPBIT",
    "BITHUMB",
    "BITMEX",
    "POLONIEX",
    "CRYPTOCOM",
    "HYPERLIQUID",
    "DEXSCREENER",
];

/// Venues without a suffix of their own that a canonical id may still name.
const OTHERS: &[&str] = &[
    "FX", "INDEX", "CMES", "XCME", "XCBT", "XNYM", "XCEC", "GLBX", "IEPA", "IFUS", "IFEU", "XCBF", "XCBO",
    "XEUR", "XEEE", "AIMX", "XGAT", "XETA", "XMOS", "XBEL", "XBRA", "XLJU", "XLUX", "XCYS", "XZAG", "AIXK",
    "XADS", "XBAH", "XMUS", "XKAR", "XCOL", "XDHA", "XJPX", "XOSE", "XNGO", "XSAP", "XFKA", "XKON", "CHIA",
    "XBDA", "XATH", "XMSM", "MTAA", "BMEX", "XVTX", "XTNX", "HSTC", "XNAI", "XLAG",
];

/// The venue a suffix stands for: `L` is `XLON`, `TO` is `XTSE`. Any case, without the dot.
pub fn venue_of_suffix(suffix: &str) -> Option<Venue> {
    SUFFIXES.iter().find(|(s, _)| s.eq_ignore_ascii_case(suffix)).map(|(_, venue)| *venue)
}

/// The suffix, upper case and without the dot, by which Yahoo and Finnhub write a venue.
///
/// `None` where they write the bare name (the United States) or do not know the venue.
pub fn suffix_of_venue(venue: Venue) -> Option<&'static str> {
    SUFFIXES.iter().find(|(_, v)| *v == venue).map(|(suffix, _)| *suffix)
}

/// Whether a code names a venue we know, so that a dot before it separates name and venue. Upper case.
pub fn is_known_venue(code: &str) -> bool {
    // Most tickers' last part is short; the shortest code of a venue has two characters.
    code.len() >= 2
        && (UNITED_STATES.contains(&code)
            || CRYPTO.contains(&code)
            || OTHERS.contains(&code)
            || SUFFIXES.iter().any(|(_, venue)| venue.as_str() == code))
}

/// The venues of the United States' consolidated market, `US` among them.
pub fn united_states() -> impl Iterator<Item = Venue> {
    UNITED_STATES.iter().map(|code| Venue::literal(code))
}

/// Venues where coins trade around the clock, `CRYPTO` among them.
pub fn crypto_venues() -> impl Iterator<Item = Venue> {
    CRYPTO.iter().map(|code| Venue::literal(code))
}

/// Whether a venue belongs to the United States' consolidated market.
pub fn is_united_states(venue: Venue) -> bool {
    UNITED_STATES.contains(&venue.as_str())
}

/// Whether coins trade at a venue, around the clock.
pub fn is_crypto_venue(venue: Venue) -> bool {
    CRYPTO.contains(&venue.as_str())
}

#[cfg(test)]
mod tests {
    //! SYM-1.
    use super::*;

    #[test]
    fn a_suffix_leads_to_its_venue_and_back() {
        for (suffix, venue) in SUFFIXES {
            assert_eq!(venue_of_suffix(suffix), Some(*venue));
            assert_eq!(venue_of_suffix(&suffix.to_lowercase()), Some(*venue));
            let written = suffix_of_venue(*venue).expect("a venue in the table has a suffix");
            assert_eq!(venue_of_suffix(written), Some(*venue));
        }
        assert_eq!(suffix_of_venue(Venue::literal("XLON")), Some("L"));
        assert_eq!(suffix_of_venue(Venue::literal("XSWX")), Some("SW"));
    }

    #[test]
    fn no_suffix_is_in_the_table_twice_and_none_is_also_a_code_of_a_venue() {
        for (at, (suffix, _)) in SUFFIXES.iter().enumerate() {
            assert!(!SUFFIXES[..at].iter().any(|(other, _)| other == suffix), "{suffix}");
            assert!(!is_known_venue(suffix), "{suffix}");
        }
    }

    #[test]
    fn a_venue_of_the_united_states_and_an_unknown_one_have_no_suffix() {
        for code in ["XNAS", "US", "BINANCE", "NOWHERE"] {
            assert_eq!(suffix_of_venue(Venue::literal(code)), None, "{code}");
        }
        for text in ["", "B", "A", ".L", "LL", "USD"] {
            assert_eq!(venue_of_suffix(text), None, "{text:?}");
        }
    }
}
