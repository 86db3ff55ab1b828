//! Polygon's spelling of instruments: bare tickers for shares of the United States, `C:EURUSD` for
//! currencies, `X:BTCUSD` for coins, `I:NDX` for indices.

use domain::{InstrumentId, Venue};

use crate::symbol::{given, is_united_states, is_unnamed, unnamed};
use crate::{Question, Rejection};

/// Indices whose usual name differs from the vendor's.
const INDICES: &[(&str, &str)] = &[("^GSPC", "SPX"), ("^IXIC", "COMP")];

/// Every instrument at once.
pub(super) const EVERYTHING: &str = "*";

/// What the vendor prices coins in.
const COIN_QUOTES: [&str; 8] = ["USDT", "USDC", "USD", "EUR", "GBP", "JPY", "BTC", "ETH"];

/// The vendor's spelling.
///
/// # Errors
/// [`Rejection::Unsupported`] for what trades elsewhere.
pub(super) fn spell(id: &InstrumentId) -> Result<String, Rejection> {
    let pair = || id.pair().map(|(base, quote)| format!("{base}{quote}")).ok_or(Rejection::Unsupported);
    match id.venue() {
        Venue::FX => Ok(format!("C:{}", pair()?)),
        Venue::CRYPTO => Ok(format!("X:{}", pair()?)),
        Venue::INDEX => {
            let known = INDICES.iter().find(|(ours, _)| *ours == id.name()).map(|(_, theirs)| *theirs);
            Ok(format!("I:{}", known.unwrap_or(id.name().trim_start_matches('^'))))
        }
        venue if is_united_states(venue) && id.pair().is_none() => Ok(id.name().to_owned()),
        _ => Err(Rejection::Unsupported),
    }
}

/// The instrument a spelling means. The listing of a share is unknown, so it is the composite's.
pub(super) fn read(ticker: &str) -> InstrumentId {
    if is_placeholder(ticker) {
        return unnamed();
    }
    let pair_of = |text: &str, cut: usize| format!("{}/{}", &text[..cut], &text[cut..]);
    match ticker.split_once(':') {
        Some(("C", pair)) if pair.len() == 6 && pair.is_ascii() => {
            InstrumentId::new(&pair_of(pair, 3), Venue::FX)
        }
        Some(("X", pair)) => {
            let cut = COIN_QUOTES.iter().find_map(|quote| pair.strip_suffix(quote)).map(str::len);
            match cut.filter(|cut| *cut > 0) {
                Some(cut) => InstrumentId::new(&pair_of(pair, cut), Venue::CRYPTO),
                None => InstrumentId::new(pair, Venue::CRYPTO),
            }
        }
        Some(("I", index)) => {
            let known =
                INDICES.iter().find(|(_, theirs)| *theirs == index).map(|(ours, _)| (*ours).to_owned());
            InstrumentId::new(&known.unwrap_or_else(|| format!("^{index}")), Venue::INDEX)
        }
        _ => InstrumentId::new(ticker, Venue::US),
    }
}

/// The instrument of a ticker in a reply: the question's own id where it named this one.
pub(super) fn own(question: &Question, ticker: &str) -> InstrumentId {
    let asked = question.instruments().iter().find(|id| spell(id).is_ok_and(|spelled| spelled == ticker));
    asked.cloned().unwrap_or_else(|| read(ticker))
}

/// The one instrument of a reply: the question's, else the one the reply names.
pub(super) fn only(question: &Question, ticker: Option<&str>) -> InstrumentId {
    match (question.instruments(), ticker) {
        ([asked], _) if !is_unnamed(asked) => asked.clone(),
        (_, Some(ticker)) => own(question, ticker),
        ([asked, ..], None) => asked.clone(),
        ([], None) => unnamed(),
    }
}

/// Whether it is a share, and not an index, a currency or a coin.
pub(super) fn is_share(id: &InstrumentId) -> bool {
    !matches!(id.venue(), Venue::FX | Venue::CRYPTO | Venue::INDEX)
}

/// Whether a segment of a path is a template's `{name}` or missing.
pub(super) fn is_placeholder(text: &str) -> bool {
    given(Some(text)).is_none()
}
