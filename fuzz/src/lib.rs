//! What every fuzz target checks: whatever arrives, a dialect answers with data or a rejection, at both ends.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run yahoo -- -max_total_time=60`, from this folder; one target per vendor.

use domain::{Instant, Interval};
use vendors::codec::Session;
use vendors::reading::{decode, unwrap_envelope};
use vendors::{Ask, Capability, Codec, Decoded, HttpRequest, HttpResponse, Question, Rejection};

const NOW: Instant = Instant::from_secs(1_773_489_600);
const STATUSES: [u16; 12] = [200, 200, 200, 204, 302, 400, 401, 403, 404, 429, 500, 503];

/// Feeds one input to a vendor: a byte for the status, a line for the endpoint, the rest for the body.
///
/// An empty line stands for a question the vendor offers, chosen by the status byte too.
///
/// # Panics
/// Where the dialect does, which is the fault looked for.
pub fn check(codec: &dyn Codec, input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else { return };
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let endpoint = String::from_utf8_lossy(&rest[..end]);
    let body = rest.get(end + 1..).unwrap_or_default();
    let status = STATUSES[usize::from(*choice) % STATUSES.len()];
    let response = HttpResponse::json(status, body).with_header("retry-after", *choice);
    let sent = match endpoint.is_empty() {
        true => offered(codec, usize::from(*choice)),
        false => Some(HttpRequest::from_target(&endpoint)),
    };
    let Some(sent) = sent else { return };
    let _ = unwrap_envelope(body);
    let outcome = decode(codec, &sent.target(), &response).map(Decoded::into_data);
    let question = codec.decode_request(&sent).ok();
    // Bodies are requests too, for vendors that take them.
    let _ = codec.decode_request(&HttpRequest { body: body.to_vec(), ..sent.clone() });
    if let Some(question) = &question {
        ask_and_answer(codec, question, &sent);
    }
    let spoken = match outcome {
        Ok(Some(data)) => codec.encode_response(&sent, question.as_ref(), &Ok(data), NOW),
        Ok(None) => return,
        Err(rejection) => codec.encode_response(&sent, question.as_ref(), &Err(rejection), NOW),
    };
    let _ = decode(codec, &sent.target(), &spoken);
}

/// A question that was understood can be put into words again, or is refused; so can its refusals.
fn ask_and_answer(codec: &dyn Codec, question: &Question, sent: &HttpRequest) {
    let session = Session::default();
    let ask = Ask { question, now: NOW, session: &session, plan: None };
    let _ = codec.encode_request(&ask);
    for rejection in [Rejection::UnknownSymbol, Rejection::NoData, Rejection::rate_limited()] {
        let response = codec.encode_response(sent, Some(question), &Err(rejection), NOW);
        let _ = codec.decode_response(&ask, sent, &response);
    }
}

/// The request for one of the things a vendor offers.
fn offered(codec: &dyn Codec, choice: usize) -> Option<HttpRequest> {
    let profile = codec.profile();
    let capabilities: Vec<Capability> = Capability::all().filter(|c| profile.offers(*c)).collect();
    let capability = *capabilities.get(choice % capabilities.len().max(1))?;
    let instrument = domain::InstrumentId::parse("AAPL.US")?;
    let range = domain::Range::new(Instant::from_secs(1_772_000_000), NOW);
    let question = match capability {
        Capability::Quote | Capability::BidAsk => {
            Question::Quotes { instruments: vec![instrument], bid_ask: capability == Capability::BidAsk }
        }
        Capability::Bars(interval) => bars(instrument, interval, range, profile.bar_adjustments()),
        Capability::Trades => Question::Trades { instrument, range, limit: 100 },
        Capability::Splits => Question::Splits { instrument, range },
        Capability::Dividends => Question::Dividends { instrument, range },
        Capability::News => Question::News { instrument, range, limit: 10 },
        Capability::Search => Question::Search { words: "apple".to_owned(), limit: 10 },
        Capability::Symbols => Question::Symbols,
        Capability::MarketStatus => Question::MarketStatus,
    };
    let session = Session::default();
    codec.encode_request(&Ask { question: &question, now: NOW, session: &session, plan: None }).ok()
}

fn bars(
    instrument: domain::InstrumentId,
    interval: Interval,
    range: domain::Range,
    adjustments: &[domain::Adjustment],
) -> Question {
    let adjustment = adjustments.first().copied().unwrap_or(domain::Adjustment::Raw);
    Question::Bars { instrument, interval, range, adjustment, session: domain::Session::Regular }
}
