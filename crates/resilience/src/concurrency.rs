//! How many requests a vendor takes at once without getting slower (SCH-3).
//!
//! The gradient of latencies (Netflix, concurrency-limits, `Gradient2Limit`, read 2026): while replies take
//! longer than usual the limit follows the ratio down, else it grows by one. A lost reply cuts it by a tenth
//! at once (`AIMDLimit` of the same library). Only the vendor's own time belongs in here, our queueing does
//! not.

use std::time::Duration;

use domain::Instant;

/// Replies behind the usual latency.
const LONG: f64 = 600.0;
/// A window closes after this, with at least so many replies.
const WINDOW: Duration = Duration::from_secs(1);
const ENOUGH: u32 = 10;
/// Replies may take this many times the usual before the limit goes down.
const TOLERANCE: f64 = 1.5;
/// Share of the new limit in the next one.
const SMOOTHING: f64 = 0.2;
/// What a lost reply leaves of the limit.
const AFTER_LOSS: f64 = 0.9;
/// Latencies below this are not worth telling apart.
const NOTICEABLE: f64 = 0.05;

/// A limit on requests in flight that follows the vendor's latency.
#[derive(Clone, Debug, PartialEq)]
pub struct Concurrency {
    most: u32,
    limit: f64,
    /// Usual latency in seconds, and the replies behind it.
    long: f64,
    replies: f64,
    window: Option<Instant>,
    sum: f64,
    count: u32,
    most_in_flight: u32,
}

impl Concurrency {
    /// Begins at `most`, at least one.
    pub fn new(most: u32) -> Concurrency {
        let most = most.max(1);
        Concurrency {
            most,
            limit: f64::from(most),
            long: 0.0,
            replies: 0.0,
            window: None,
            sum: 0.0,
            count: 0,
            most_in_flight: 0,
        }
    }

    /// Requests that may be in flight now, from 1 to the most.
    pub fn limit(&self) -> u32 {
        (self.limit as u32).clamp(1, self.most)
    }

    /// A reply came after this long, while so many were in flight, itself included.
    pub fn answered(&mut self, latency: Duration, in_flight: u32, now: Instant) {
        let secs = latency.as_secs_f64();
        self.replies = (self.replies + 1.0).min(LONG);
        self.long += (secs - self.long) / self.replies;
        let since = *self.window.get_or_insert(now);
        self.sum += secs;
        self.count += 1;
        self.most_in_flight = self.most_in_flight.max(in_flight);
        if now.since(since) >= WINDOW && self.count >= ENOUGH {
            self.close(now);
        }
    }

    /// No reply came in time.
    pub fn lost(&mut self) {
        self.limit = (self.limit * AFTER_LOSS).max(1.0);
    }

    fn close(&mut self, now: Instant) {
        let short = self.sum / f64::from(self.count);
        if self.long > 2.0 * short {
            self.long *= 0.95;
        }
        let is_used = f64::from(self.most_in_flight) * 2.0 >= self.limit;
        let gradient = (TOLERANCE * self.long.max(NOTICEABLE) / short.max(1e-9)).clamp(0.5, 1.0);
        let next = self.limit * (1.0 - SMOOTHING) + (gradient * self.limit + 1.0) * SMOOTHING;
        if next < self.limit || is_used {
            self.limit = next.clamp(1.0, f64::from(self.most));
        }
        self.window = Some(now);
        (self.sum, self.count, self.most_in_flight) = (0.0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    //! SCH-3; algorithms.md §5.

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A minute of replies, ten a second, that all take this long at full load.
    fn minute(limit: &mut Concurrency, latency: Duration, from: u64) -> Vec<u32> {
        (0..600)
            .map(|n| {
                limit.answered(latency, limit.limit(), Instant::EPOCH + ms(from * 60_000 + n * 100));
                limit.limit()
            })
            .collect()
    }

    #[test]
    fn a_vendor_that_gets_slower_is_asked_less_at_once_and_more_again_when_it_recovers() {
        let mut limit = Concurrency::new(10);
        assert!(minute(&mut limit, ms(100), 0).iter().all(|limit| *limit == 10));
        let slow = minute(&mut limit, ms(1_000), 1);
        assert!(slow.iter().min().unwrap() <= &3, "{slow:?}");
        minute(&mut limit, ms(100), 2);
        minute(&mut limit, ms(100), 3);
        assert_eq!(limit.limit(), 10);
    }

    #[test]
    fn lost_replies_lead_down_to_one_and_never_to_none() {
        let mut limit = Concurrency::new(10);
        (0..100).for_each(|_| limit.lost());
        assert_eq!(limit.limit(), 1);
        assert_eq!(Concurrency::new(0).limit(), 1);
    }

    #[test]
    fn a_limit_that_is_not_used_does_not_grow() {
        let mut limit = Concurrency::new(10);
        (0..15).for_each(|_| limit.lost());
        let before = limit.limit();
        for n in 0..600 {
            limit.answered(ms(100), 1, Instant::EPOCH + ms(n * 100));
        }
        assert_eq!((before, limit.limit()), (2, 2));
    }

    #[test]
    fn jitter_of_a_few_milliseconds_is_no_slowness() {
        let mut limit = Concurrency::new(10);
        for n in 0..6_000_u64 {
            limit.answered(ms(1 + n % 20), 10, Instant::EPOCH + ms(n * 50));
        }
        assert_eq!(limit.limit(), 10);
    }
}
