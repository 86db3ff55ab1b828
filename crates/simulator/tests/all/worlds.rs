//! Small worlds for the tests beside.

use std::sync::Arc;
use std::time::Duration;

use domain::{Date, Delivery, Directory, Instant, InstrumentId, Interval, Range, Session, VendorId, Venue};
use simulator::{Bottle, Faults, Journal, Market, SeededEntropy, VirtualClock, World};
use vendors::plan::{Limit, Per};
use vendors::{Ask, Capability, Codec, Data, Decoded, HttpRequest, Plan, Question, Rejection};

pub(crate) const KEY: &str = "K3Y-0F-TH3-T3ST";
/// A Tuesday in session in New York.
pub(crate) const NOON: &str = "2026-03-10T16:00:00Z";

pub(crate) fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

pub(crate) fn us(name: &str) -> InstrumentId {
    InstrumentId::new(name, Venue::US)
}

/// Vendors whose dialect is written; each has quotes or bars.
pub(crate) fn written() -> impl Iterator<Item = &'static dyn Codec> {
    vendors::ALL.iter().copied().filter(|codec| !codec.profile().offers.is_empty())
}

/// A plan with everything in it, in real time and without limits.
pub(crate) fn boundless() -> Plan {
    Plan {
        name: "boundless".into(),
        verified_on: Date::constant(2026, 1, 1),
        limits: Vec::new(),
        entitlements: Capability::all().collect(),
        delivery: Delivery::RealTime,
        history: None,
        request_micros: 0,
        spend: Vec::new(),
        monthly_usd: 0,
        tariff: Default::default(),
    }
}

pub(crate) fn limited(count: u32, secs: u64) -> Plan {
    Plan { limits: vec![Limit { count, per: Per::Sliding(Duration::from_secs(secs)) }], ..boundless() }
}

pub(crate) fn synthetic() -> Arc<Market> {
    Arc::new(Market::synthetic(7, &Directory::built_in()))
}

/// All written vendors under one plan; to be made inside a runtime.
pub(crate) fn world(market: Arc<Market>, plan: &Plan, now: Instant) -> World {
    World {
        market,
        bottles: written().map(|codec| Bottle::new(codec, plan.clone(), vec![KEY.into()])).collect(),
        clock: Arc::new(VirtualClock::starting_at(now)),
        entropy: Arc::new(SeededEntropy::new(1)),
        faults: Arc::new(Faults::none()),
        journal: Arc::new(Journal::new(100_000)),
    }
}

pub(crate) fn quote_of(name: &str) -> Question {
    Question::Quotes { instruments: vec![us(name)], bid_ask: false }
}

pub(crate) fn daily(codec: &dyn Codec, name: &str, start: &str, end: &str) -> Question {
    Question::Bars {
        instrument: us(name),
        interval: Interval::D1,
        range: Range::new(at(start), at(end)),
        adjustment: codec.profile().bar_adjustments()[0],
        session: Session::Regular,
    }
}

/// The request a gateway would send, key included.
pub(crate) fn request(codec: &dyn Codec, question: &Question, now: Instant) -> HttpRequest {
    let session = learned(codec);
    let ask = Ask { question, now, session: &session, plan: None };
    let mut request = codec.encode_request(&ask).unwrap();
    codec.profile().key.fill(&mut request, KEY);
    request
}

/// Asks until the data is whole, as a gateway would.
pub(crate) fn ask(
    bottle: &Bottle,
    market: &Market,
    question: &Question,
    now: Instant,
) -> Result<Vec<Data>, Rejection> {
    let codec = bottle.codec();
    let mut session = vendors::Session::default();
    let mut parts = Vec::new();
    let asking = Ask { question, now, session: &session, plan: None };
    let mut next = Some(codec.encode_request(&asking)?);
    while let Some(mut request) = next.take() {
        codec.profile().key.fill(&mut request, KEY);
        let response = bottle.answer(&request, market, &[], now);
        let asking = Ask { question, now, session: &session, plan: None };
        match codec.decode_response(&asking, &request, &response)? {
            Decoded::Whole(data) => parts.push(data),
            Decoded::Page { data, next: page } => {
                parts.push(data);
                next = Some(page);
            }
            Decoded::AskNext { learned, request } => {
                session.merge(learned);
                next = Some(request);
            }
        }
    }
    Ok(parts)
}

/// What the vendor teaches before it answers at all.
fn learned(codec: &dyn Codec) -> vendors::Session {
    let mut session = vendors::Session::default();
    if codec.profile().id == VendorId("yahoo") {
        session.set("cookie", "A3=simulated");
        session.set("crumb", "simulated");
    }
    session
}
