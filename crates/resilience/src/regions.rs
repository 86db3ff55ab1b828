//! Which of several hosts of one vendor is asked (RTE-3): the fastest by measurement, left only for a clearly
//! faster one or when it fails. Hosts fail over among themselves before the vendor is blamed.

use std::time::Duration;

use domain::Instant;

use crate::latency::Ewma;

/// A latency counts half after so long.
const HALF_LIFE: Duration = Duration::from_secs(60);
/// Another host is taken only if it is faster by this share and by this much.
const FASTER: f64 = 0.8;
const FASTER_BY: Duration = Duration::from_millis(10);
/// The choice for speed changes no more often.
const DWELL: Duration = Duration::from_secs(60);
/// A host that failed is tried again after so long, doubled each time up to the cap.
const AWAY: Duration = Duration::from_secs(15);
const AWAY_CAP: Duration = Duration::from_secs(240);
/// A host that is not the choice is measured by one question in so long.
const MEASURE_EVERY: Duration = Duration::from_secs(300);

#[derive(Clone, Debug)]
struct Host {
    latency: Ewma,
    failures: u32,
    away_until: Option<Instant>,
    asked_at: Option<Instant>,
}

/// The hosts of one vendor, by their place in the configuration.
#[derive(Clone, Debug)]
pub struct Regions {
    hosts: Vec<Host>,
    chosen: usize,
    chosen_at: Option<Instant>,
    moves: u64,
}

impl Regions {
    /// So many hosts, at least one; the first is asked first.
    pub fn new(count: usize) -> Regions {
        let host = Host { latency: Ewma::new(HALF_LIFE), failures: 0, away_until: None, asked_at: None };
        Regions { hosts: vec![host; count.max(1)], chosen: 0, chosen_at: None, moves: 0 }
    }

    /// The host to ask now: the chosen one, or one that is due to be measured. `tried` are those that one call
    /// has tried already; `None` once a call has tried all that are not away.
    pub fn choose(&mut self, tried: &[usize], now: Instant) -> Option<usize> {
        if self.hosts.len() == 1 {
            return tried.is_empty().then_some(0);
        }
        self.review(now);
        let place = if tried.is_empty() {
            self.due(now).unwrap_or(self.chosen)
        } else {
            self.best_of(|place| !tried.contains(&place), now)?
        };
        self.hosts[place].asked_at = Some(now);
        Some(place)
    }

    /// A host answered.
    pub fn answered(&mut self, place: usize, took: Duration, now: Instant) {
        let host = &mut self.hosts[place];
        host.latency.add(took, now);
        host.failures = 0;
        host.away_until = None;
    }

    /// A host failed: it is not asked for a while, unless all others fail too.
    pub fn failed(&mut self, place: usize, now: Instant) {
        let host = &mut self.hosts[place];
        let away = AWAY.saturating_mul(1 << host.failures.min(8)).min(AWAY_CAP);
        host.failures = host.failures.saturating_add(1);
        host.away_until = Some(now + away);
        self.review(now);
    }

    /// Whether another host has not failed lately, so that a failure of one is not the vendor's.
    pub fn has_another(&self, place: usize, now: Instant) -> bool {
        (0..self.hosts.len()).any(|other| other != place && !self.is_away(other, now))
    }

    /// The host that is asked at present.
    pub fn chosen(&self) -> usize {
        self.chosen
    }

    /// How often the choice has changed.
    pub fn moves(&self) -> u64 {
        self.moves
    }

    /// The recent average latency of a host; `None` before its first answer.
    pub fn latency(&self, place: usize) -> Option<Duration> {
        self.hosts.get(place)?.latency.get()
    }

    /// Until when a host is not asked because it failed.
    pub fn away_until(&self, place: usize, now: Instant) -> Option<Instant> {
        self.hosts.get(place)?.away_until.filter(|until| now < *until)
    }

    fn is_away(&self, place: usize, now: Instant) -> bool {
        self.hosts[place].away_until.is_some_and(|until| now < until)
    }

    /// The fastest host of some; those not measured yet behind those that are, by their place; those that are
    /// away only if there is no other.
    fn best_of(&self, wanted: impl Fn(usize) -> bool, now: Instant) -> Option<usize> {
        let key = |place: &usize| {
            let latency = self.hosts[*place].latency.get();
            (self.is_away(*place, now), latency.is_none(), latency, *place)
        };
        (0..self.hosts.len()).filter(|place| wanted(*place)).min_by_key(key)
    }

    fn review(&mut self, now: Instant) {
        let Some(best) = self.best_of(|_| true, now) else { return };
        if best == self.chosen {
            return;
        }
        let fled = self.is_away(self.chosen, now) && !self.is_away(best, now);
        let settled = self.chosen_at.is_some_and(|at| now.since(at) < DWELL);
        let (ours, theirs) = (self.hosts[self.chosen].latency.get(), self.hosts[best].latency.get());
        let faster = match (ours, theirs) {
            (Some(ours), Some(theirs)) => theirs < ours.mul_f64(FASTER) && theirs + FASTER_BY < ours,
            _ => false,
        };
        if fled || (faster && !settled && !self.is_away(best, now)) {
            self.chosen = best;
            self.chosen_at = Some(now);
            self.moves += 1;
        }
    }

    /// A host that was not asked for long and may be.
    fn due(&self, now: Instant) -> Option<usize> {
        (0..self.hosts.len()).find(|place| {
            let host = &self.hosts[*place];
            *place != self.chosen
                && !self.is_away(*place, now)
                // The first question goes where the configuration says.
                && self.hosts[self.chosen].latency.get().is_some()
                && host.asked_at.is_none_or(|at| now.since(at) >= MEASURE_EVERY)
        })
    }
}

#[cfg(test)]
mod tests {
    //! RTE-3.
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn at(secs: i64) -> Instant {
        Instant::from_secs(secs)
    }

    /// Asks once a second, hosts taking their latency in milliseconds; which were asked how often.
    fn ask(regions: &mut Regions, latencies: &[Option<u64>], from: i64, secs: i64) -> Vec<u32> {
        let mut asked = vec![0; latencies.len()];
        for second in from..from + secs {
            let mut tried = Vec::new();
            while let Some(place) = regions.choose(&tried, at(second)) {
                asked[place] += 1;
                match latencies[place] {
                    Some(took) => {
                        regions.answered(place, ms(took), at(second));
                        break;
                    }
                    None => regions.failed(place, at(second)),
                }
                tried.push(place);
            }
        }
        asked
    }

    #[test]
    fn the_faster_host_is_found_by_measuring_and_kept() {
        let mut regions = Regions::new(3);
        let asked = ask(&mut regions, &[Some(120), Some(40), Some(80)], 0, 3_600);
        assert_eq!(regions.chosen(), 1);
        assert!(asked[1] > 3_400, "{asked:?}");
        assert_eq!(regions.moves(), 1);
    }

    #[test]
    fn a_dead_host_costs_a_try_now_and_then_and_comes_back_when_it_answers() {
        let mut regions = Regions::new(2);
        ask(&mut regions, &[Some(20), Some(60)], 0, 100);
        assert_eq!(regions.chosen(), 0);
        let asked = ask(&mut regions, &[None, Some(60)], 100, 600);
        assert_eq!(regions.chosen(), 1);
        assert!(asked[0] <= 8 && asked[1] == 600, "every question is answered: {asked:?}");
        ask(&mut regions, &[Some(20), Some(60)], 700, 900);
        assert_eq!(regions.chosen(), 0);
    }

    #[test]
    fn with_all_hosts_away_each_is_still_tried_once_per_call() {
        let mut regions = Regions::new(2);
        let asked = ask(&mut regions, &[None, None], 0, 10);
        assert_eq!(asked, [10, 10]);
        assert!(!regions.has_another(0, at(10)));
    }

    #[test]
    fn a_single_host_is_simply_asked() {
        let mut regions = Regions::new(1);
        assert_eq!(ask(&mut regions, &[None], 0, 5), [5]);
        assert!(!regions.has_another(0, at(9)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_choice_for_speed_changes_at_most_once_a_minute_whatever_the_latencies(
            base in prop::collection::vec(1_u64..300, 2..5),
            noise in prop::collection::vec(0_u64..300, 600),
        ) {
            let mut regions = Regions::new(base.len());
            for (second, noise) in noise.iter().enumerate() {
                let now = at(second as i64);
                let place = regions.choose(&[], now).expect("nothing was tried");
                regions.answered(place, ms(base[place] + noise), now);
            }
            prop_assert!(regions.moves() <= 10, "{} moves in ten minutes", regions.moves());
        }

        #[test]
        fn equal_hosts_are_never_swapped(noise in prop::collection::vec(0_u64..8, 600), count in 2_usize..5) {
            let mut regions = Regions::new(count);
            for (second, noise) in noise.iter().enumerate() {
                let now = at(second as i64);
                let place = regions.choose(&[], now).expect("nothing was tried");
                regions.answered(place, ms(100 + noise), now);
            }
            prop_assert_eq!(regions.moves(), 0);
        }
    }
}
