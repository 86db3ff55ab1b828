//! The door: who asks, by a key, and how much each may ask (LIM-11). Without configured consumers there is none, and
//! anyone may ask.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::Instant;
use gateway::Gateway;
use gateway::request::ConsumerId;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use resilience::steady_rate::SteadyRate;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::error::{Code, Problem};

/// Addresses that ask for no key: they tell whoever runs the process whether it lives.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/livez"];

/// Everyone who may ask.
pub struct Door {
    consumers: Vec<Keyed>,
}

/// A consumer with its key's hash and its bucket.
pub struct Keyed {
    /// Its place in the configuration.
    pub id: ConsumerId,
    key_sha256: [u8; 32],
    rate: SteadyRate,
    /// What the bucket keeps: one number, so that a hit takes one atomic and no lock.
    bucket: AtomicI64,
}

/// What became of a request at the door; without one, nothing.
#[derive(Default)]
pub struct Entry {
    /// Who asks.
    pub consumer: Option<ConsumerId>,
    /// What its bucket tells.
    pub passed: Option<Passed>,
    /// Why it goes no further, if it does not.
    pub refused: Option<Problem>,
}

/// What a bucket tells after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    limit: u32,
    left: u32,
    /// When all are there again.
    full_in: Duration,
    /// How long to wait, where the request was refused.
    pub wait: Option<Duration>,
}

impl Door {
    /// The door of a gateway; `None` where no consumer has a key.
    pub fn of(gateway: &Gateway) -> Option<Door> {
        let consumers: Vec<Keyed> = (0..)
            .zip(gateway.spending().consumers())
            .map(|(place, consumer)| Keyed {
                id: ConsumerId(place),
                key_sha256: consumer.key_sha256,
                rate: SteadyRate::per_minute(consumer.per_minute),
                bucket: AtomicI64::new(0),
            })
            .collect();
        (!consumers.is_empty()).then_some(Door { consumers })
    }

    /// What becomes of a request to an address.
    pub fn enter(&self, template: &str, headers: &HeaderMap, now: Instant) -> Entry {
        if OPEN.contains(&template) {
            return Entry::default();
        }
        match self.know(headers) {
            Ok(consumer) => {
                let passed = consumer.take(now);
                let refused = passed.problem(now);
                Entry { consumer: Some(consumer.id), passed: Some(passed), refused }
            }
            Err(problem) => Entry { refused: Some(problem), ..Entry::default() },
        }
    }

    /// Who asks.
    ///
    /// # Errors
    /// [`Code::Unauthorized`].
    pub fn know(&self, headers: &HeaderMap) -> Result<&Keyed, Problem> {
        let Some(key) = presented(headers) else {
            let detail =
                "this gateway asks for a key: send it as `Authorization: Bearer KEY` or `X-Api-Key: KEY`";
            return Err(Problem::new(Code::Unauthorized, detail));
        };
        let hash: [u8; 32] = Sha256::digest(key).into();
        // Every hash is compared, and each in full, so that the time taken tells nothing of any of them.
        let (mut found, mut place) = (Choice::from(0), 0_u32);
        for (index, consumer) in (0_u32..).zip(&self.consumers) {
            let same = consumer.key_sha256.ct_eq(&hash);
            place.conditional_assign(&index, same);
            found |= same;
        }
        if bool::from(found) {
            return Ok(&self.consumers[place as usize]);
        }
        Err(Problem::new(Code::Unauthorized, "nobody has this key: it is mistyped, or was taken back"))
    }
}

/// The key a request brings.
fn presented(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
    });
    bearer.or_else(|| headers.get("x-api-key").map(|value| value.as_bytes().trim_ascii()))
}

impl Keyed {
    /// Takes one request from the bucket; a refusal takes nothing.
    pub fn take(&self, now: Instant) -> Passed {
        let now_ns = now.as_nanos();
        let mut state = self.bucket.load(Ordering::Relaxed);
        loop {
            match self.rate.take(state, now_ns) {
                Ok(took) => {
                    let swapped = self.bucket.compare_exchange_weak(
                        state,
                        took.state,
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                    match swapped {
                        Ok(_) => {
                            let (left, full_in) = (took.left, took.full_in);
                            return Passed { limit: self.rate.count, left, full_in, wait: None };
                        }
                        Err(faster) => state = faster,
                    }
                }
                Err(wait) => {
                    let full_in = self.rate.span + wait;
                    return Passed { limit: self.rate.count, left: 0, full_in, wait: Some(wait) };
                }
            }
        }
    }
}

impl Passed {
    /// Why the request was refused, if it was.
    pub fn problem(&self, now: Instant) -> Option<Problem> {
        let wait = self.wait?;
        let detail = format!("this key may ask {} times a minute, and has", self.limit);
        Some(Problem { retry_at: Some(now + wait), ..Problem::new(Code::ClientQuota, detail) })
    }

    /// Says how much is left: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), and the
    /// customary three, of which the last is the second since 1970 at which all are there again.
    pub fn sign(&self, headers: &mut HeaderMap, now: Instant) {
        let secs = |span: Duration| span.as_secs() + u64::from(span.subsec_nanos() > 0);
        let text = |text: String| HeaderValue::from_str(&text).expect("digits and plain words");
        let (limit, left, full_in) = (self.limit, self.left, secs(self.full_in));
        headers.insert(name("ratelimit-policy"), text(format!("\"minute\";q={limit};w=60")));
        headers.insert(name("ratelimit"), text(format!("\"minute\";r={left};t={full_in}")));
        headers.insert(name("x-ratelimit-limit"), HeaderValue::from(limit));
        headers.insert(name("x-ratelimit-remaining"), HeaderValue::from(left));
        let reset = u64::try_from(now.as_secs()).unwrap_or(0) + full_in;
        headers.insert(name("x-ratelimit-reset"), HeaderValue::from(reset));
    }
}

fn name(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}
