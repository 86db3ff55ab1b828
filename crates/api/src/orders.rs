//! What operators order of a vendor's breakers, each order on record with who gave it and why (BRK-7, BRK-11).

use std::time::Duration;

use domain::Instant;
use gateway::breaker_facts;
use gateway::breakers::Order;

use crate::call::{Call, Reply};
use crate::error::Problem;
use crate::vendors_told::{named, reply};
use crate::words::{Words, read_duration};

/// How long a breaker stays forced open unless the order says otherwise.
const FORCED: Duration = Duration::from_secs(600);

/// Who orders, and why: the words `by` and `reason`.
pub(crate) fn order(words: &mut Words, usual: &str) -> Order {
    let short = |text: String| text.chars().take(200).collect::<String>();
    Order {
        by: words.take("by").map_or_else(|| "an operator".to_owned(), short),
        reason: words.take("reason").map_or_else(|| usual.to_owned(), short),
    }
}

/// The end of an order: a moment, or a span from now.
fn end(words: &mut Words, now: Instant) -> Option<Instant> {
    let (end, span) = (words.instant("end"), words.parse("for", read_duration));
    if end.is_some() && span.is_some() {
        words.fault("for", "says the same as `end`: give one of them");
    }
    let end = end.or(span.map(|span| now + span));
    if end.is_some_and(|end| end <= now) {
        words.fault("end", "must be later than now");
    }
    end
}

/// Puts a vendor into maintenance, or with `end=now` ends it.
pub async fn maintenance(call: Call) -> Result<Reply, Problem> {
    let vendor = named(&call)?.vendor();
    let mut words = call.words();
    let now = call.gateway.now();
    let is_end = words.parse("end", |text| Ok(text.eq_ignore_ascii_case("now"))) == Some(true);
    if is_end {
        let order = order(&mut words, "none given");
        words.finish().map_err(Problem::malformed)?;
        call.gateway.end_maintenance(vendor, order);
    } else {
        let mut words = call.words();
        let until = end(&mut words, now).unwrap_or(Instant::MAX);
        let order = order(&mut words, "");
        if order.reason.is_empty() {
            words.fault("reason", "is missing: what is done, for whoever asks");
        }
        words.finish().map_err(Problem::malformed)?;
        call.gateway.begin_maintenance(vendor, until, order);
    }
    Ok(reply(&call, named(&call)?))
}

/// Forces a vendor's breaker open, or resets it; with `endpoint`, that of one kind of question.
pub async fn breaker(call: Call) -> Result<Reply, Problem> {
    let vendor = named(&call)?.vendor();
    let mut words = call.words();
    let now = call.gateway.now();
    let state = words.choose("state", &["open", "closed"], |word| word);
    if state.is_none() && !words.faults.iter().any(|fault| fault.parameter == "state") {
        words.fault("state", "is missing: open forces it open for a while, closed resets it");
    }
    let endpoint = words.parse("endpoint", |text| {
        breaker_facts::endpoint(text)
            .ok_or_else(|| format!("`{}` is no kind of question", text.chars().take(48).collect::<String>()))
    });
    let until = end(&mut words, now);
    if state == Some("closed") && until.is_some() {
        words.fault("end", "has no meaning where the breaker is reset");
    }
    let order = order(&mut words, "none given");
    words.finish().map_err(Problem::malformed)?;
    match state {
        Some("open") => call.gateway.force_breaker(vendor, endpoint, until.unwrap_or(now + FORCED), order),
        _ => call.gateway.reset_breaker(vendor, endpoint, order),
    }
    Ok(reply(&call, named(&call)?))
}
