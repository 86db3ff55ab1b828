//! Questions drawn from what vendors offer.

use domain::{Adjustment, Date, Instant, InstrumentId, Interval, Range, Session, Venue};
use proptest::prelude::*;
use vendors::{Ask, Capability, Codec, Decoded, HttpRequest, Offer, Profile, Question};

/// Saturday, 14 March 2026, noon UTC: when every question of the suite is asked.
pub(crate) const NOW: Instant = Instant::from_secs(1_773_489_600);

/// A share that every vendor of shares knows.
pub(crate) fn share(name: &str) -> InstrumentId {
    InstrumentId::new(name, Venue::US)
}

/// New York's time zone in these tests: all sample days lie in standard time, five hours behind.
pub(crate) fn open_of(date: Date) -> Instant {
    Instant::from_utc_midnight(date) + std::time::Duration::from_secs(14 * 3600 + 1800)
}

/// A trading day of the samples.
pub(crate) const DAY: Date = Date::constant(2026, 3, 3);

fn range_of(interval: Option<Interval>) -> Range {
    let midnight = |date: Date| Instant::from_utc_midnight(date) + std::time::Duration::from_secs(5 * 3600);
    match interval {
        Some(interval) if interval.is_intraday() => {
            Range::new(open_of(DAY), open_of(DAY) + std::time::Duration::from_secs(23_400))
        }
        Some(Interval::W1 | Interval::Mo1) => {
            Range::new(midnight(Date::constant(2025, 12, 1)), midnight(Date::constant(2026, 3, 2)))
        }
        Some(_) | None => {
            Range::new(midnight(Date::constant(2026, 2, 23)), midnight(Date::constant(2026, 3, 7)))
        }
    }
}

/// One question per capability.
pub(crate) fn of_capabilities(capabilities: impl Iterator<Item = Capability>) -> Vec<Question> {
    capabilities.map(|capability| of_capability(capability, share("AAPL"), Adjustment::Raw)).collect()
}

fn of_capability(capability: Capability, instrument: InstrumentId, adjustment: Adjustment) -> Question {
    let range = range_of(None);
    match capability {
        Capability::Quote => Question::Quotes { instruments: vec![instrument], bid_ask: false },
        Capability::BidAsk => Question::Quotes { instruments: vec![instrument], bid_ask: true },
        Capability::Bars(interval) => Question::Bars {
            instrument,
            interval,
            range: range_of(Some(interval)),
            adjustment,
            session: Session::Regular,
        },
        Capability::Trades => {
            Question::Trades { instrument, range: range_of(Some(Interval::M1)), limit: 1_000 }
        }
        Capability::Splits => Question::Splits { instrument, range },
        Capability::Dividends => Question::Dividends { instrument, range },
        Capability::News => Question::News { instrument, range, limit: 50 },
        Capability::Search => Question::Search { words: "apple & co".to_owned(), limit: 10 },
        Capability::Symbols => Question::Symbols,
        Capability::MarketStatus => Question::MarketStatus,
    }
}

fn offered(profile: &Profile) -> impl Iterator<Item = Capability> {
    Capability::all().filter(|capability| profile.offers(*capability))
}

/// One question for each thing a vendor offers, bars once per interval in the vendor's natural basis.
pub(crate) fn samples(profile: &Profile) -> Vec<Question> {
    let natural = profile.bar_adjustments().first().copied().unwrap_or(Adjustment::Raw);
    offered(profile).map(|capability| of_capability(capability, share("AAPL"), natural)).collect()
}

/// The request that carries a question, and what was learned on the way: where a vendor wants a cookie and
/// the like first, its own end is asked for them.
pub(crate) fn request_of(codec: &dyn Codec, question: &Question) -> (HttpRequest, vendors::codec::Session) {
    let mut learned = vendors::codec::Session::default();
    let ask = Ask { question, now: NOW, session: &learned, plan: None };
    let mut request = codec.encode_request(&ask).expect("an offered question can be asked");
    for _ in 0..5 {
        let Some(formality) = codec.answer_formality(&request) else { return (request, learned) };
        let ask = Ask { question, now: NOW, session: &learned, plan: None };
        match codec.decode_response(&ask, &request, &formality) {
            Ok(Decoded::AskNext { learned: more, request: next }) => {
                learned.merge(more);
                request = next;
            }
            other => panic!("{}: a formality leads to {other:?}", codec.profile().id),
        }
    }
    panic!("{}: formalities without end", codec.profile().id)
}

/// Any question a vendor offers to answer.
pub(crate) fn any_question(profile: &'static Profile) -> impl Strategy<Value = Question> {
    let capabilities: Vec<Capability> = offered(profile).collect();
    let adjustments: Vec<Adjustment> = match profile.bar_adjustments() {
        [] => vec![Adjustment::Raw],
        some => some.to_vec(),
    };
    (
        prop::sample::select(capabilities),
        prop::collection::hash_set("[A-Z]{1,5}", 1..=profile.quote_batch().clamp(1, 4)),
        prop::sample::select(adjustments),
        "[a-z]{1,8}( [a-z&]{1,8})?",
    )
        .prop_map(|(capability, names, adjustment, words)| {
            let names: Vec<InstrumentId> = names.iter().map(|name| share(name)).collect();
            match of_capability(capability, names[0].clone(), adjustment) {
                Question::Quotes { bid_ask, .. } => Question::Quotes {
                    instruments: match batch_of(profile, bid_ask) {
                        1 => vec![names[0].clone()],
                        _ => names,
                    },
                    bid_ask,
                },
                Question::Search { limit, .. } => Question::Search { words, limit },
                other => other,
            }
        })
}

/// Batches are an offer for last prices; bid and ask may cost an endpoint for one.
fn batch_of(profile: &Profile, bid_ask: bool) -> usize {
    let both = profile.offers.iter().any(|offer| matches!(offer, Offer::Quotes { bid_ask: true, .. }));
    if bid_ask || both { 1 } else { profile.quote_batch() }
}
