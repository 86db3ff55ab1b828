//! How fast a vendor answers: a recent average that forgets with time, and percentiles of the last calls.
//!
//! Only the vendor's own time belongs in here, from sending to the end of the reply; our queueing does not.

use std::collections::VecDeque;
use std::time::Duration;

use domain::Instant;

/// An average of latencies in which a sample counts half after a half-life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ewma {
    half_life: Duration,
    peaks: bool,
    estimate: Option<(f64, Instant)>,
}

impl Ewma {
    /// Follows up and down alike.
    pub fn new(half_life: Duration) -> Ewma {
        Ewma { half_life, peaks: false, estimate: None }
    }

    /// Follows up at once and down slowly, so that a vendor that turns slow is noticed with its first slow
    /// reply (peak EWMA as in Finagle and Linkerd).
    pub fn peak(half_life: Duration) -> Ewma {
        Ewma { half_life, peaks: true, estimate: None }
    }

    /// Adds one call's latency. A sample dated before the last one counts as made with it.
    pub fn add(&mut self, latency: Duration, now: Instant) {
        let sample = latency.as_secs_f64();
        let (estimate, at) = match self.estimate {
            None => (sample, now),
            Some((old, _)) if self.peaks && sample > old => (sample, now),
            Some((old, at)) => {
                let age = now.since(at).as_secs_f64() / self.half_life.as_secs_f64().max(1e-9);
                // Samples at one instant still count: half of what a whole half-life would give.
                let kept = 0.5_f64.powf(age.max(0.1));
                (old * kept + sample * (1.0 - kept), at)
            }
        };
        self.estimate = Some((estimate, now.max(at)));
    }

    /// The average; `None` before the first sample.
    pub fn get(&self) -> Option<Duration> {
        self.estimate.map(|(secs, _)| Duration::from_secs_f64(secs))
    }

    /// What one more call costs in waiting: the average times the calls that would be in flight with it.
    /// `unknown` stands for a vendor that was never asked.
    pub fn cost(&self, in_flight: u32, unknown: Duration) -> Duration {
        self.get().unwrap_or(unknown).saturating_mul(in_flight.saturating_add(1))
    }
}

/// The last N latencies.
#[derive(Clone, Debug, PartialEq)]
pub struct LastLatencies {
    samples: VecDeque<Duration>,
    capacity: usize,
}

impl LastLatencies {
    /// Holds the last `capacity`, at least one.
    pub fn new(capacity: usize) -> LastLatencies {
        LastLatencies { samples: VecDeque::new(), capacity: capacity.max(1) }
    }

    /// Adds one and forgets the oldest beyond the capacity.
    pub fn add(&mut self, latency: Duration) {
        if self.samples.len() == self.capacity {
            self.samples.pop_front();
        }
        self.samples.push_back(latency);
    }

    /// How many are held.
    pub fn count(&self) -> usize {
        self.samples.len()
    }

    /// The smallest held latency that at least this share of them does not exceed (nearest rank); `share` in
    /// `[0, 1]`. `None` where nothing is held.
    pub fn percentile(&self, share: f64) -> Option<Duration> {
        let mut sorted: Vec<Duration> = self.samples.iter().copied().collect();
        let last = sorted.len().checked_sub(1)?;
        let rank = (share.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
        let index = rank.saturating_sub(1).min(last);
        Some(*sorted.select_nth_unstable(index).1)
    }
}

#[cfg(test)]
mod tests {
    //! RTY-4, RTE-1: the numbers that hedging and ranking stand on; algorithms.md §4 and §6.

    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn t(secs: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(secs)
    }

    #[test]
    fn a_sample_counts_half_after_a_half_life() {
        let mut average = Ewma::new(Duration::from_secs(10));
        assert_eq!((average.get(), average.cost(3, ms(1_000))), (None, ms(4_000)));
        average.add(ms(100), t(0));
        assert_eq!(average.get(), Some(ms(100)));
        average.add(ms(300), t(10));
        assert_eq!(average.get(), Some(ms(200)));
        average.add(ms(0), t(20));
        assert_eq!((average.get(), average.cost(1, ms(1_000))), (Some(ms(100)), ms(200)));
    }

    #[test]
    fn a_peak_is_seen_at_once_and_forgotten_slowly() {
        let mut peak = Ewma::peak(Duration::from_secs(10));
        peak.add(ms(100), t(0));
        peak.add(ms(900), t(0));
        assert_eq!(peak.get(), Some(ms(900)));
        peak.add(ms(100), t(10));
        assert_eq!(peak.get(), Some(ms(500)));
    }

    #[test]
    fn the_percentile_is_one_of_the_last_samples() {
        let mut last = LastLatencies::new(100);
        assert_eq!(last.percentile(0.95), None);
        for n in 1..=200 {
            last.add(ms(n));
        }
        assert_eq!(last.count(), 100);
        assert_eq!(
            [0.0, 0.5, 0.95, 0.99, 1.0].map(|share| last.percentile(share)),
            [Some(ms(101)), Some(ms(150)), Some(ms(195)), Some(ms(199)), Some(ms(200))]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn at_least_the_share_lies_at_or_below_the_percentile(
            samples in prop::collection::vec(0_u64..1_000, 1..150), share in 0.0_f64..=1.0,
        ) {
            let mut last = LastLatencies::new(100);
            samples.iter().for_each(|&sample| last.add(ms(sample)));
            let held = &samples[samples.len().saturating_sub(100)..];
            let found = last.percentile(share).expect("something is held");
            let at_or_below = held.iter().filter(|&&sample| ms(sample) <= found).count() as f64;
            let below = held.iter().filter(|&&sample| ms(sample) < found).count() as f64;
            prop_assert!(at_or_below >= share * held.len() as f64);
            prop_assert!(below <= share * held.len() as f64);
        }

        #[test]
        fn an_average_lies_between_its_samples(samples in prop::collection::vec((0_u64..5_000, 0_u64..60), 1..50)) {
            let mut average = Ewma::new(Duration::from_secs(10));
            let mut now = t(0);
            for &(sample, pause) in &samples {
                now += Duration::from_secs(pause);
                average.add(ms(sample), now);
            }
            let found = average.get().expect("there are samples").as_secs_f64() * 1e3;
            let least = samples.iter().map(|(sample, _)| *sample).min().expect("not empty") as f64;
            let most = samples.iter().map(|(sample, _)| *sample).max().expect("not empty") as f64;
            prop_assert!(least - 1e-3 <= found && found <= most + 1e-3);
        }
    }
}
