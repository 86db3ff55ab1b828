//! Every request as it arrived: the witness in tests, whatever the gateway believes it sent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use domain::{Instant, VendorId};
use parking_lot::Mutex;
use vendors::{HttpRequest, Method};

/// One request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Counts all arrivals from 0.
    pub seq: u64,
    /// When it arrived, by the simulator's clock.
    pub at: Instant,
    /// At which vendor.
    pub vendor: VendorId,
    /// Method.
    pub method: Method,
    /// Path and query, the values of keys, tokens and crumbs replaced by `***`.
    pub target: Arc<str>,
    /// What it weighs on the vendor's plan.
    pub weight: u32,
    /// Status answered; `None` while it is under way, and for one that never is answered.
    pub status: Option<u16>,
    /// Faults that held, in order, with `+` between.
    pub fault: Option<Arc<str>>,
}

/// A log of arrivals, bounded in number: the oldest are dropped, and counted.
pub struct Journal {
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: VecDeque<Entry>,
    next: u64,
}

impl Journal {
    /// Keeps at most so many entries.
    pub fn new(capacity: usize) -> Journal {
        Journal { capacity: capacity.max(1), state: Mutex::new(State::default()) }
    }

    /// Notes an arrival of some weight and gives its number.
    pub fn arrived(&self, at: Instant, vendor: VendorId, request: &HttpRequest, weight: u32) -> u64 {
        let target: Arc<str> = without_secrets(request).into();
        let mut state = self.state.lock();
        let seq = state.next;
        state.next += 1;
        if state.entries.len() >= self.capacity {
            state.entries.pop_front();
        }
        let method = request.method;
        state.entries.push_back(Entry { seq, at, vendor, method, target, weight, status: None, fault: None });
        seq
    }

    /// Notes what was answered to an arrival.
    pub fn answered(&self, seq: u64, status: Option<u16>, fault: Option<Arc<str>>) {
        let mut state = self.state.lock();
        let first = state.next - state.entries.len() as u64;
        let index = seq.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        if let Some(entry) = index.and_then(|index| state.entries.get_mut(index)) {
            entry.status = status;
            entry.fault = fault;
        }
    }

    /// Number of arrivals ever.
    pub fn count(&self) -> u64 {
        self.state.lock().next
    }

    /// How many entries were dropped for want of room; zero means that the journal is complete.
    pub fn dropped(&self) -> u64 {
        let state = self.state.lock();
        state.next - state.entries.len() as u64
    }

    /// Entries from a number on, in order of arrival, at most `limit`.
    pub fn since(&self, seq: u64, limit: usize) -> Vec<Entry> {
        let state = self.state.lock();
        let first = state.next - state.entries.len() as u64;
        let skip = usize::try_from(seq.saturating_sub(first)).unwrap_or(usize::MAX);
        state.entries.iter().skip(skip).take(limit).cloned().collect()
    }

    /// Entries of one vendor, in order of arrival.
    pub fn by_vendor(&self, vendor: VendorId) -> Vec<Entry> {
        self.state.lock().entries.iter().filter(|entry| entry.vendor == vendor).cloned().collect()
    }

    /// Arrivals at one vendor by whole second since 1970, ascending; seconds without any are left out.
    pub fn per_second(&self, vendor: VendorId) -> Vec<(i64, u64)> {
        let mut counts = BTreeMap::new();
        for entry in self.state.lock().entries.iter().filter(|entry| entry.vendor == vendor) {
            *counts.entry(entry.at.as_secs()).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }

    /// The most arrivals at one vendor within any window of a length, and when that window ends; the two
    /// ends of a window are not in the same one. `None` without arrivals.
    pub fn worst_window(&self, vendor: VendorId, length: Duration) -> Option<(usize, Instant)> {
        let mut times: Vec<Instant> =
            self.state.lock().entries.iter().filter(|e| e.vendor == vendor).map(|e| e.at).collect();
        times.sort();
        let mut worst = None;
        let mut oldest = 0;
        for (index, at) in times.iter().enumerate() {
            while at.since(times[oldest]) >= length {
                oldest += 1;
            }
            let count = index + 1 - oldest;
            if worst.is_none_or(|(most, _)| count > most) {
                worst = Some((count, *at));
            }
        }
        worst
    }
}

/// The request's target with the values of secrets replaced.
fn without_secrets(request: &HttpRequest) -> String {
    const SECRET: [&str; 5] = ["apikey", "token", "crumb", "key", "secret"];
    let is_secret = |name: &str| SECRET.iter().any(|word| name.eq_ignore_ascii_case(word));
    if !request.query.iter().any(|(name, _)| is_secret(name)) {
        return request.target();
    }
    let mut shown = HttpRequest::get(request.path.as_str());
    let (secret, open): (Vec<_>, Vec<_>) =
        request.query.iter().cloned().partition(|(name, _)| is_secret(name));
    shown.query = open;
    let mut target = shown.target();
    for (name, _) in secret {
        target.push(if target.contains('?') { '&' } else { '?' });
        target.push_str(&name);
        target.push_str("=***");
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACME: VendorId = VendorId("acme");

    #[test]
    fn the_journal_shows_no_key() {
        let journal = Journal::new(10);
        let request = HttpRequest::get("/q").with("apiKey", "s3cr3t").with("s", "A").with("crumb", "c/x");
        journal.arrived(Instant::EPOCH, ACME, &request, 1);
        assert_eq!(&*journal.by_vendor(ACME)[0].target, "/q?s=A&apiKey=***&crumb=***");
    }

    #[test]
    fn the_journal_says_what_it_dropped() {
        let journal = Journal::new(2);
        let arrive = |secs| journal.arrived(Instant::from_secs(secs), ACME, &HttpRequest::get("/"), 1);
        let numbers = [10, 11, 11].map(arrive);
        assert_eq!(numbers, [0, 1, 2]);
        assert_eq!((journal.count(), journal.dropped()), (3, 1));
        journal.answered(0, Some(500), None);
        journal.answered(2, Some(200), Some("slow".into()));
        let kept = journal.since(0, 10);
        assert_eq!(kept.iter().map(|e| (e.seq, e.status)).collect::<Vec<_>>(), [(1, None), (2, Some(200))]);
        assert_eq!(journal.per_second(ACME), [(11, 2)]);
    }

    #[test]
    fn the_worst_window_is_found_wherever_it_lies() {
        let journal = Journal::new(100);
        for secs in [0, 30, 59, 60, 61, 200] {
            journal.arrived(Instant::from_secs(secs), ACME, &HttpRequest::get("/"), 1);
        }
        let worst = journal.worst_window(ACME, Duration::from_secs(60));
        assert_eq!(worst, Some((4, Instant::from_secs(61))));
        assert_eq!(journal.worst_window(VendorId("zenith"), Duration::from_secs(60)), None);
    }

    #[test]
    fn no_arrival_is_lost_or_counted_twice_when_many_come_at_once() {
        let journal = Journal::new(100_000);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let journal = &journal;
                scope.spawn(move || {
                    for n in 0..1_000u32 {
                        let request = HttpRequest::get("/").with("n", thread * 1_000 + n);
                        let seq = journal.arrived(Instant::from_secs(i64::from(n)), ACME, &request, 1);
                        journal.answered(seq, Some(200), None);
                    }
                });
            }
        });
        let mut targets: Vec<_> = journal.by_vendor(ACME).into_iter().map(|e| (e.target, e.status)).collect();
        targets.sort();
        targets.dedup();
        assert_eq!(targets.len(), 4_000);
        assert!(targets.iter().all(|(_, status)| *status == Some(200)));
        assert_eq!(journal.worst_window(ACME, Duration::from_secs(1)), Some((4, Instant::from_secs(0))));
    }
}
