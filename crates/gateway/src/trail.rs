//! What one request leaves behind: attempts, candidates, notes, cost. Shared by the stages of a flight.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use domain::{Instant, VendorId};
use parking_lot::Mutex;
use resilience::quota::Cost;

use crate::answer::{Attempt, Candidate, Decision, Outcome, Skipped};
use crate::batches::Approach;
use crate::limiter::Urgency;
use crate::request::{ConsumerId, RequestId, describe_policy};
use crate::{Policy, words};

/// Collects the decision record of one request, and knows for whom it is.
#[derive(Clone)]
pub struct Trail {
    decision: Arc<Mutex<Record>>,
    consumer: Option<ConsumerId>,
    wish: Wish,
}

/// What those who wait for an answer want of it, besides the answer.
#[derive(Clone, Default)]
pub struct Wish {
    /// Follows those who join the wait.
    pub urgency: Option<Urgency>,
    /// Whether an older answer stands in where there is none.
    pub is_refresh: bool,
    /// Says that a question is on its way to a vendor, until it has got there.
    pub approach: Option<Arc<Approach>>,
}

struct Record {
    decision: Decision,
    quota: Vec<(String, u32)>,
    /// Exchanges entered into the ledger.
    entered: u32,
    /// Exchanges under way, by ticket.
    open: Vec<(u64, Attempt)>,
    tickets: u64,
    /// The last moment anything was noted.
    latest: Instant,
    /// Exchanges made for several requests together.
    shared: Vec<Attempt>,
}

impl Trail {
    /// A trail that starts now.
    pub fn new(id: RequestId, at: Instant, question: &vendors::Question, policy: &Policy) -> Trail {
        let decision = Decision {
            id,
            at,
            question: words::question(question),
            policy: describe_policy(policy),
            candidates: Vec::new(),
            attempts: Vec::new(),
            answered_by: None,
            notes: Vec::new(),
            cost_micros: 0,
        };
        let record = Record {
            decision,
            quota: Vec::new(),
            entered: 0,
            open: Vec::new(),
            tickets: 0,
            latest: at,
            shared: Vec::new(),
        };
        let consumer = policy.consumer;
        Trail { decision: Arc::new(Mutex::new(record)), consumer, wish: Wish::default() }
    }

    /// The same, for those who want this of it.
    #[must_use]
    pub fn wished(mut self, wish: Wish) -> Trail {
        self.wish = wish;
        self
    }

    /// What those who wait want of it.
    pub fn wish(&self) -> &Wish {
        &self.wish
    }

    /// Who asks, as a number: requests about several symbols are one asker's.
    pub fn asker(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        if let Some(consumer) = self.consumer {
            consumer.hash(&mut hasher);
            return hasher.finish();
        }
        let id = self.id();
        let base = match id.0.rsplit_once('.') {
            Some((base, part)) if part.bytes().all(|b| b.is_ascii_digit()) => base,
            _ => &id.0,
        };
        base.hash(&mut hasher);
        hasher.finish()
    }

    /// Takes over exchanges made on this one's behalf, for it alone or for several requests together, and its
    /// share of their cost.
    pub fn take_over(&self, attempts: &[Attempt], alone: bool, quota: Vec<(String, u32)>, micros: u64) {
        let mut record = self.decision.lock();
        record.decision.attempts.extend(attempts.iter().cloned());
        if !alone {
            record.shared.extend(attempts.iter().cloned());
        }
        record.decision.cost_micros += micros;
        for (window, count) in quota {
            match record.quota.iter_mut().find(|(name, _)| *name == window) {
                Some((_, known)) => *known += count,
                None => record.quota.push((window, count)),
            }
        }
    }

    /// A record's exchanges without those that stand in full under the id of a batch.
    pub fn own(&self, decision: &Decision) -> Decision {
        let shared = &self.decision.lock().shared;
        let own = decision.attempts.iter().filter(|attempt| !shared.contains(attempt));
        Decision { attempts: own.cloned().collect(), ..decision.clone() }
    }

    /// Of which request.
    pub fn id(&self) -> RequestId {
        self.decision.lock().decision.id.clone()
    }

    /// For which consumer.
    pub fn consumer(&self) -> Option<ConsumerId> {
        self.consumer
    }

    /// The number of the next exchange in the ledger.
    pub fn next_number(&self) -> u32 {
        let mut record = self.decision.lock();
        record.entered += 1;
        record.entered - 1
    }

    /// What an exchange cost is known better now.
    pub fn corrected(&self, before: u64, after: u64) {
        let mut record = self.decision.lock();
        record.decision.cost_micros = record.decision.cost_micros.saturating_sub(before) + after;
    }

    /// Says something that was decided, as a whole sentence.
    pub fn note(&self, sentence: impl Into<String>) {
        self.decision.lock().decision.notes.push(sentence.into());
    }

    /// Records what the router saw. A second ranking (for another piece, or for actions) adds only vendors
    /// that were not there.
    pub fn ranked(&self, candidates: &[Candidate]) {
        let mut record = self.decision.lock();
        for candidate in candidates {
            if !record.decision.candidates.iter().any(|known| known.vendor == candidate.vendor) {
                record.decision.candidates.push(candidate.clone());
            }
        }
    }

    /// Takes back that a vendor would be asked: it was refused at the last moment.
    pub fn skipped(&self, vendor: VendorId, why: Skipped) {
        let mut record = self.decision.lock();
        if let Some(known) = record.decision.candidates.iter_mut().find(|c| c.vendor == vendor) {
            known.skipped = Some(why);
        }
    }

    /// Counts what an exchange used: its weight in each window, and its price.
    pub fn spent(&self, vendor: VendorId, windows: &[&'static str], cost: Cost) {
        let mut record = self.decision.lock();
        record.decision.cost_micros += if domain::planted!(CostNotCounted) { 0 } else { cost.micros };
        for window in windows {
            let key = format!("{vendor}.{window}");
            match record.quota.iter_mut().find(|(name, _)| *name == key) {
                Some((_, count)) => *count += cost.units,
                None => record.quota.push((key, cost.units)),
            }
        }
    }

    /// What was spent so far, in millionths of a US dollar.
    pub fn cost_micros(&self) -> u64 {
        self.decision.lock().decision.cost_micros
    }

    /// Opens an exchange; its guard writes the attempt when it ends, and as abandoned if it is dropped.
    pub fn exchange(&self, vendor: VendorId, capability: &'static str, now: Instant) -> Exchange {
        let attempt = Attempt {
            vendor,
            capability,
            sent_at: now,
            micros: 0,
            outcome: Outcome::Abandoned,
            status: None,
            retry_at: None,
        };
        let mut record = self.decision.lock();
        record.tickets += 1;
        record.latest = record.latest.max(now);
        let ticket = record.tickets;
        record.open.push((ticket, attempt));
        Exchange { trail: self.clone(), ticket, is_ended: false }
    }

    /// Whether a vendor was asked, or is being asked.
    pub fn has_asked(&self, vendor: VendorId) -> bool {
        let record = self.decision.lock();
        record.open.iter().any(|(_, attempt)| attempt.vendor == vendor)
            || record.decision.attempts.iter().any(|attempt| attempt.vendor == vendor)
    }

    /// Notes that the caller goes on without what is still under way.
    pub fn left(&self, now: Instant) {
        let mut record = self.decision.lock();
        record.latest = record.latest.max(now);
    }

    /// Attempts so far.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.decision.lock().decision.attempts.clone()
    }

    /// Quota used so far, as `vendor.window` and count.
    pub fn quota(&self) -> Vec<(String, u32)> {
        self.decision.lock().quota.clone()
    }

    /// The finished record. What is still under way is in it as abandoned.
    pub fn decision(&self, answered_by: Option<Arc<str>>) -> Arc<Decision> {
        let mut record = self.decision.lock();
        let latest = record.latest;
        let open: Vec<Attempt> = record.open.drain(..).map(|(_, attempt)| attempt).collect();
        for attempt in open {
            let micros = latest.since(attempt.sent_at).as_micros() as u64;
            record.decision.attempts.push(Attempt { micros, ..attempt });
        }
        if answered_by.is_some() {
            for index in 0..record.decision.candidates.len() {
                let candidate = &record.decision.candidates[index];
                let asked = record.decision.attempts.iter().any(|a| a.vendor == candidate.vendor);
                if candidate.skipped.is_none() && !asked {
                    record.decision.candidates[index].skipped = Some(Skipped::NotNeeded);
                }
            }
        }
        record.decision.answered_by = answered_by;
        Arc::new(record.decision.clone())
    }
}

/// One exchange under way.
pub struct Exchange {
    trail: Trail,
    ticket: u64,
    is_ended: bool,
}

impl Exchange {
    /// The exchange has ended.
    pub fn ended(mut self, outcome: Outcome, status: Option<u16>, retry_at: Option<Instant>, now: Instant) {
        self.is_ended = true;
        let mut record = self.trail.decision.lock();
        record.latest = record.latest.max(now);
        // Once the record is drawn, it says that nobody waited for this.
        if let Some(mut attempt) = record.take(self.ticket) {
            attempt.micros = now.since(attempt.sent_at).as_micros() as u64;
            attempt.outcome = outcome;
            attempt.status = status;
            attempt.retry_at = retry_at;
            record.decision.attempts.push(attempt);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.is_ended {
            return;
        }
        let mut record = self.trail.decision.lock();
        if let Some(attempt) = record.take(self.ticket) {
            record.decision.attempts.push(attempt);
        }
    }
}

impl Record {
    fn take(&mut self, ticket: u64) -> Option<Attempt> {
        let index = self.open.iter().position(|(known, _)| *known == ticket)?;
        Some(self.open.swap_remove(index).1)
    }
}
