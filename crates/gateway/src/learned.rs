//! What experience teaches about how fast a vendor may be asked, in the form that outlives a restart (LIM-9).

use std::time::Duration;

use domain::Instant;
use resilience::quota::{Settings, Window};
use resilience::rate::REMEMBERED;
use telemetry::EventKind;

use crate::foresight::Hours;
use crate::limiter::Limiter;
use crate::upstream::Upstream;

/// A limit that a vendor was found to keep below its plan's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnedLimit {
    /// Length of the window.
    pub length: Duration,
    /// What it allows in it.
    pub count: u32,
    /// When that was learned.
    pub at: Instant,
    /// When it came into force in this run.
    pub now: Instant,
}

impl LearnedLimit {
    /// Settings with this limit in the place of the plan's.
    pub(crate) fn applied_to(&self, plan: &Settings) -> Settings {
        let mut settings = plan.clone();
        for limit in &mut settings.limits {
            if limit.window == Window::Sliding(self.length) {
                limit.count = limit.count.min(self.count).max(1);
            }
        }
        settings
    }

    /// Whether calls sent before it came into force may still be refused for the old rate.
    pub(crate) fn is_kept(&self, length: Duration, now: Instant) -> bool {
        self.length == length && now.since(self.now) < length
    }

    /// Whether it is old enough to try a little more.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now.since(self.at) >= REMEMBERED
    }

    /// A twentieth more, at least one; `None` once it is the plan's own.
    pub(crate) fn raised(&self, plan: &Settings, now: Instant) -> Option<LearnedLimit> {
        let planned = plan.limits.iter().find(|limit| limit.window == Window::Sliding(self.length))?.count;
        let count = self.count + (self.count / 20).max(1);
        (count < planned).then_some(LearnedLimit { count, at: now, now, ..*self })
    }
}

/// What a limiter starts from besides its quota.
pub struct Learned {
    /// When the vendor's data moves.
    pub hours: Hours,
    /// The limit it was found to keep below its plan's, if it was.
    pub limit: Option<LearnedLimit>,
    /// The rates of its endpoints.
    pub rates: Vec<LearnedRate>,
}

/// The learned rate of an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnedRate {
    /// The endpoint, by the word of its capability.
    pub endpoint: String,
    /// Calls per second.
    pub per_second: f64,
    /// When it is taken over.
    pub at: Instant,
}

/// Name of the fact that holds what was learned about a vendor at its address.
pub(crate) fn name(vendor: domain::VendorId, base_url: &str) -> String {
    format!("rate {vendor} {base_url}")
}

/// What was learned, a line each: `limit MILLISECONDS COUNT WHEN` and `rate ENDPOINT PER_SECOND`.
pub(crate) fn write(limiter: &Limiter) -> String {
    let mut text = String::new();
    if let Some(limit) = limiter.learned_limit() {
        text.push_str(&format!("limit {} {} {}\n", limit.length.as_millis(), limit.count, limit.at));
    }
    for (endpoint, rate) in limiter.rates() {
        if let Some(per_second) = rate.learned() {
            text.push_str(&format!("rate {endpoint} {per_second}\n"));
        }
    }
    text
}

/// The reverse of [`write`]; lines that say nothing sensible are passed over.
pub(crate) fn read(text: &str, now: Instant) -> (Option<LearnedLimit>, Vec<LearnedRate>) {
    let (mut limit, mut rates) = (None, Vec::new());
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["limit", millis, count, at] => {
                let known = millis.parse().ok().zip(count.parse().ok()).zip(Instant::parse(at));
                limit = known.map(|((millis, count), at)| LearnedLimit {
                    length: Duration::from_millis(millis),
                    count,
                    at: at.min(now),
                    now,
                });
            }
            ["rate", endpoint, per_second] => {
                rates.extend(per_second.parse().ok().map(|per_second| LearnedRate {
                    endpoint: endpoint.to_owned(),
                    per_second,
                    at: now,
                }))
            }
            _ => {}
        }
    }
    (limit, rates)
}

impl crate::Gateway {
    /// Keeps what was learned about a vendor's rate, so that a restart does not learn it anew.
    pub(crate) fn keep_learned(&self, upstream: &Upstream) {
        let name = name(upstream.vendor(), &upstream.settings.base_url);
        let text = write(&upstream.limiter);
        let mut rates: Vec<String> = Vec::new();
        if let Some(limit) = upstream.limiter.learned_limit() {
            rates.push(format!("{} in {} s", limit.count, limit.length.as_secs_f64()));
        }
        for (endpoint, rate) in upstream.limiter.rates() {
            rates.extend(rate.learned().map(|per_second| format!("{endpoint} {per_second:.3} per second")));
        }
        let rate = if rates.is_empty() { "as the plan says".to_owned() } else { rates.join(", ") };
        self.tell(Some(upstream.vendor()), EventKind::RateLearned { rate });
        let store = std::sync::Arc::clone(&self.store);
        tokio::spawn(async move { store.put_fact(&name, text).await });
    }
}
