//! What a vendor's breakers remember over a restart, as the text of a named fact: a line each, words separated by
//! tabs.

use std::fmt::Write;

use domain::Instant;
use resilience::circuit_breaker::{HierarchySnapshot, Reason, Snapshot, State};
use vendors::Capability;

/// As text.
pub fn write(snapshot: &HierarchySnapshot<&'static str>) -> String {
    let mut text = String::new();
    line(&mut text, "", &snapshot.vendor);
    for (endpoint, snapshot) in &snapshot.endpoints {
        line(&mut text, endpoint, snapshot);
    }
    text
}

fn line(text: &mut String, endpoint: &str, snapshot: &Snapshot) {
    let (until, reason) = match &snapshot.state {
        State::Closed | State::Degraded | State::HalfOpen => (0, ""),
        State::Open { until } => (until.as_nanos(), ""),
        State::Maintenance { until, reason: Reason::Planned(words) } => (until.as_nanos(), words.as_ref()),
        State::Maintenance { until, .. } => (until.as_nanos(), ""),
    };
    // A new key may be at hand: a credential that was refused is tried at once.
    let state = match &snapshot.state {
        State::Maintenance { reason: Reason::BadCredentials, .. } => State::HalfOpen.as_str(),
        state => state.as_str(),
    };
    let (saved_at, reopenings) = (snapshot.saved_at.as_nanos(), snapshot.reopenings);
    let reason = reason.replace(['\t', '\n'], " ");
    writeln!(text, "{endpoint}\t{state}\t{until}\t{saved_at}\t{reopenings}\t{reason}")
        .expect("writing to a text cannot fail");
}

/// Of text; `None` if its first line, the vendor's own, cannot be read. A later line that cannot is left out.
pub fn read(text: &str) -> Option<HierarchySnapshot<&'static str>> {
    let mut lines = text.lines();
    let (_, vendor) = words(lines.next()?)?;
    let endpoints = lines.filter_map(words).filter_map(|(name, snapshot)| Some((endpoint(name)?, snapshot)));
    Some(HierarchySnapshot { vendor, endpoints: endpoints.collect() })
}

/// The word of an endpoint, if there is one of that name.
pub fn endpoint(name: &str) -> Option<&'static str> {
    Capability::all().map(endpoint_of).find(|known| *known == name)
}

/// The endpoint a capability belongs to, by its word: bars of every interval are one, and a quote with bid and ask
/// is a quote.
pub const fn endpoint_of(capability: Capability) -> &'static str {
    match capability {
        Capability::BidAsk => Capability::Quote.as_str(),
        other => other.as_str(),
    }
}

fn words(line: &str) -> Option<(&str, Snapshot)> {
    let mut words = line.split('\t');
    let endpoint = words.next()?;
    let state = words.next()?;
    let mut number = || words.next()?.parse::<i64>().ok();
    let (until, saved_at, reopenings) = (number()?, number()?, number()?);
    let until = Instant::from_nanos(until);
    let reason = words.next().unwrap_or_default();
    let state = match state {
        "closed" => State::Closed,
        "degraded" => State::Degraded,
        "open" => State::Open { until },
        "half_open" => State::HalfOpen,
        "maintenance" => State::Maintenance { until, reason: Reason::Planned(reason.into()) },
        _ => return None,
    };
    let saved_at = Instant::from_nanos(saved_at);
    Some((endpoint, Snapshot { state, saved_at, reopenings: u32::try_from(reopenings).ok()? }))
}

#[cfg(test)]
mod tests {
    // BRK-11.
    use super::*;

    fn snapshot(state: State) -> Snapshot {
        Snapshot { state, saved_at: Instant::from_secs(1_000), reopenings: 2 }
    }

    #[test]
    fn every_state_comes_back_as_it_was() {
        let until = Instant::from_secs(2_000);
        for state in [
            State::Closed,
            State::Degraded,
            State::Open { until },
            State::HalfOpen,
            State::Maintenance { until: Instant::MAX, reason: Reason::Planned("a long move".into()) },
        ] {
            let kept = HierarchySnapshot {
                vendor: snapshot(state.clone()),
                endpoints: vec![
                    ("bars", snapshot(State::Open { until })),
                    ("quote", snapshot(State::HalfOpen)),
                ],
            };
            assert_eq!(read(&write(&kept)), Some(kept), "{state:?}");
        }
    }

    #[test]
    fn a_refused_key_is_tried_again_after_a_restart() {
        let until = Instant::from_secs(2_000);
        let refused = State::Maintenance { until, reason: Reason::BadCredentials };
        let kept = HierarchySnapshot { vendor: snapshot(refused), endpoints: Vec::new() };
        assert_eq!(read(&write(&kept)).unwrap().vendor.state, State::HalfOpen);
    }

    #[test]
    fn a_damaged_text_is_no_state_and_a_damaged_line_no_endpoint() {
        assert_eq!(read(""), None);
        assert_eq!(read("nonsense"), None);
        assert_eq!(read("\tajar\t0\t0\t0\t"), None);
        let text = "\tclosed\t0\t0\t0\t\nunheard of\topen\t1\t0\t0\t\nbars\topen\tx\t0\t0\t";
        assert_eq!(read(text).unwrap().endpoints, []);
    }
}
