//! How long an answer is fresh, and how long it may still be served as stale (CCH-2, CCH-4, CCH-5).

use std::time::Duration;

use domain::Instant;

/// Numbers of one class of answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ttl {
    /// Where a key starts, and what it decays to.
    pub base: Duration,
    /// No key adapts below.
    pub min: Duration,
    /// No answer is fresh for longer, jitter included.
    pub max: Duration,
    /// No answer is served at a greater age, fresh or stale.
    pub ceiling: Duration,
}

impl Ttl {
    const fn secs(base: u64, min: u64, max: u64) -> Ttl {
        Ttl::millis(base * 1_000, min * 1_000, max * 1_000)
    }

    const fn millis(base: u64, min: u64, max: u64) -> Ttl {
        Ttl {
            base: Duration::from_millis(base),
            min: Duration::from_millis(min),
            max: Duration::from_millis(max),
            ceiling: Duration::from_millis(2 * max),
        }
    }

    /// Latest quotes and prices: 10 s.
    pub const LATEST: Ttl = Ttl::secs(10, 2, 20);
    /// Latest quotes of real-time equity feeds: never older than 4 s while fresh.
    pub const EQUITY_REALTIME: Ttl = Ttl::millis(3_600, 2_000, 4_000);
    /// Prices on the compatibility path: 30 s.
    pub const COMPATIBILITY_PRICE: Ttl = Ttl::secs(30, 10, 60);
    /// Series that may still grow: 300 s.
    pub const HISTORY: Ttl = Ttl::secs(300, 60, 900);
    /// What is computed from series: 600 s.
    pub const AGGREGATES: Ttl = Ttl::secs(600, 120, 1_800);
    /// Symbol lists: 3,600 s.
    pub const SYMBOLS: Ttl = Ttl::secs(3_600, 900, 14_400);
    /// Health of vendors: 30 s.
    pub const HEALTH: Ttl = Ttl::secs(30, 10, 60);
    /// Vendors of order books: 5 s, 2 to 15.
    pub const EXCHANGE_BOOK: Ttl = Ttl::secs(5, 2, 15);
    /// Aggregators of decentralised exchanges: 30 s, 10 to 120.
    pub const DEX_AGGREGATOR: Ttl = Ttl::secs(30, 10, 120);
    /// Vendors of posts: 300 s, 60 to 900.
    pub const SOCIAL: Ttl = Ttl::secs(300, 60, 900);
}

/// How a stored answer may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// As it is.
    Fresh,
    /// Marked as stale, while it is fetched anew or because that failed.
    Stale,
    /// Not at all.
    Expired,
}

/// The life of one stored answer, by our own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// When it was fetched.
    pub stored_at: Instant,
    /// Fresh before.
    pub fresh_until: Instant,
    /// Stale from `fresh_until` to before this.
    pub stale_until: Instant,
}

impl Freshness {
    /// Fresh for `ttl`, jittered by a tenth either way by `draw` in `[0, 1)` so that entries stored together do
    /// not expire together, never longer than the class's maximum; then stale up to twice that, never older
    /// than the class's ceiling.
    pub fn new(class: &Ttl, ttl: Duration, draw: f64, stored_at: Instant) -> Freshness {
        let draw = if draw.is_nan() { 0.5 } else { draw.clamp(0.0, 1.0) };
        let fresh = ttl.mul_f64(0.9 + 0.2 * draw).min(class.max).min(class.ceiling);
        let stale = fresh.saturating_mul(2).min(class.ceiling);
        Freshness { stored_at, fresh_until: stored_at + fresh, stale_until: stored_at + stale }
    }

    /// Of data that cannot change before a known instant, as the last quote of a closed market before the next
    /// open. It is never stale: from then on the market moves.
    pub fn until(end: Instant, stored_at: Instant) -> Freshness {
        Freshness { stored_at, fresh_until: end, stale_until: end }
    }

    /// Of data that does not change any more, as final bars.
    pub fn forever(stored_at: Instant) -> Freshness {
        Freshness::until(Instant::MAX, stored_at)
    }

    /// How it may be used at `now` by a caller who takes nothing older than `max_age`; `None` takes any age.
    pub fn at(&self, now: Instant, max_age: Option<Duration>) -> Age {
        if max_age.is_some_and(|max_age| now.since(self.stored_at) > max_age) {
            Age::Expired
        } else if now < self.fresh_until {
            Age::Fresh
        } else if now < self.stale_until {
            Age::Stale
        } else {
            Age::Expired
        }
    }

    /// Whether to fetch anew before it is stale: the likelier the closer the end and the longer fetching takes,
    /// so that one caller among many does it (XFetch; Vattani, Chierichetti and Lowenstein, VLDB 2015, β = 1).
    /// `draw` in `(0, 1]`.
    pub fn is_due_early(&self, now: Instant, fetch_takes: Duration, draw: f64) -> bool {
        let draw = if draw.is_nan() { 1.0 } else { draw.clamp(1e-12, 1.0) };
        now + fetch_takes.mul_f64(-draw.ln()) >= self.fresh_until
    }
}

/// What moves an adaptive TTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Adapts {
    /// Whether the answer had changed when it was fetched anew.
    #[default]
    ToChange,
    /// Whether it was found in the cache. Makes what is read most the stalest; offered for comparison.
    ToAccess,
}

/// The TTL of one key or group of keys, which follows experience and forgets it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptiveTtl {
    class: Ttl,
    adapts: Adapts,
    ttl: Duration,
    at: Option<Instant>,
}

const UP: f64 = 1.2;
const DOWN: f64 = 0.8;
/// Half of what was learned is forgotten in this time.
const HALF_LIFE: Duration = Duration::from_secs(3_600);

impl AdaptiveTtl {
    /// Starts at the base.
    pub fn new(class: Ttl, adapts: Adapts) -> AdaptiveTtl {
        AdaptiveTtl { class, adapts, ttl: class.base, at: None }
    }

    /// The TTL at present, within the class's minimum and maximum.
    pub fn get(&self, now: Instant) -> Duration {
        let Some(at) = self.at else { return self.class.base };
        let kept = 0.5_f64.powf(now.since(at).as_secs_f64() / HALF_LIFE.as_secs_f64());
        let (base, ttl) = (self.class.base.as_secs_f64(), self.ttl.as_secs_f64());
        self.within(Duration::from_secs_f64((base + (ttl - base) * kept).max(0.0)))
    }

    /// Notes that the answer was fetched anew, and whether it had changed by more than half a tick: ×0.8, or
    /// ×1.2 if not.
    pub fn refetched(&mut self, changed: bool, now: Instant) {
        if self.adapts == Adapts::ToChange {
            self.scale(if changed { DOWN } else { UP }, now);
        }
    }

    /// Notes that a caller asked, and whether the answer was there: ×1.2, or ×0.8 if not.
    pub fn read(&mut self, hit: bool, now: Instant) {
        if self.adapts == Adapts::ToAccess {
            self.scale(if hit { UP } else { DOWN }, now);
        }
    }

    fn scale(&mut self, by: f64, now: Instant) {
        self.ttl = self.within(self.get(now).mul_f64(by));
        self.at = Some(now);
    }

    fn within(&self, ttl: Duration) -> Duration {
        ttl.max(self.class.min).min(self.class.max)
    }
}

#[cfg(test)]
mod tests {
    //! CCH-2, CCH-4, CCH-5.

    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn t(secs: f64) -> Instant {
        Instant::EPOCH + Duration::from_secs_f64(secs)
    }

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn an_answer_is_fresh_then_stale_then_gone() {
        let life = Freshness::new(&Ttl::LATEST, secs(10), 0.5, t(0.0));
        let ages = [0.0, 9.9, 10.0, 19.9, 20.0].map(|at| life.at(t(at), None));
        assert_eq!(ages, [Age::Fresh, Age::Fresh, Age::Stale, Age::Stale, Age::Expired]);
    }

    #[test]
    fn a_caller_may_ask_for_less_than_the_class_allows() {
        let life = Freshness::new(&Ttl::LATEST, secs(10), 0.5, t(0.0));
        assert_eq!(life.at(t(3.0), Some(secs(2))), Age::Expired);
        assert_eq!(life.at(t(2.0), Some(secs(2))), Age::Fresh);
        assert_eq!(life.at(t(12.0), Some(secs(11))), Age::Expired);
        assert_eq!(life.at(t(12.0), Some(secs(60))), Age::Stale);
        assert_eq!(life.at(t(25.0), Some(secs(60))), Age::Expired);
    }

    #[test]
    fn a_real_time_equity_quote_is_fresh_for_four_seconds_at_most_whatever_is_drawn_or_learned() {
        for draw in [0.0, 0.5, 0.999, 1.0, f64::NAN] {
            for ttl in [1, 3, 4, 60] {
                let life = Freshness::new(&Ttl::EQUITY_REALTIME, secs(ttl), draw, t(0.0));
                assert_ne!(life.at(t(4.0), None), Age::Fresh, "{ttl} {draw}");
            }
        }
    }

    #[test]
    fn entries_stored_together_expire_apart() {
        let ends: std::collections::BTreeSet<i64> = (0..100)
            .map(|n| Freshness::new(&Ttl::HISTORY, secs(300), f64::from(n) / 100.0, t(0.0)))
            .map(|life| life.fresh_until.as_secs())
            .collect();
        assert!(ends.len() > 50 && ends.first() == Some(&270) && ends.last() <= Some(&330), "{ends:?}");
    }

    #[test]
    fn final_bars_stay_and_a_closed_market_waits_for_its_open() {
        assert_eq!(Freshness::forever(t(0.0)).at(t(9e9), None), Age::Fresh);
        let closed = Freshness::until(t(3_600.0), t(0.0));
        assert_eq!([3_599.0, 3_600.0].map(|at| closed.at(t(at), None)), [Age::Fresh, Age::Expired]);
    }

    #[test]
    fn change_shortens_and_its_absence_lengthens_within_bounds() {
        let mut ttl = AdaptiveTtl::new(Ttl::EXCHANGE_BOOK, Adapts::ToChange);
        ttl.read(true, t(0.0));
        assert_eq!(ttl.get(t(0.0)), secs(5), "popularity alone moves nothing");
        ttl.refetched(false, t(0.0));
        assert_eq!(ttl.get(t(0.0)), secs(6));
        (0..50).for_each(|_| ttl.refetched(false, t(0.0)));
        assert_eq!(ttl.get(t(0.0)), secs(15));
        (0..50).for_each(|_| ttl.refetched(true, t(0.0)));
        assert_eq!(ttl.get(t(0.0)), secs(2));
    }

    #[test]
    fn access_lengthens_on_a_hit_and_shortens_on_a_miss() {
        let mut ttl = AdaptiveTtl::new(Ttl::SOCIAL, Adapts::ToAccess);
        ttl.refetched(true, t(0.0));
        let mut seen = vec![ttl.get(t(0.0)).as_secs()];
        for hit in [true, false] {
            ttl.read(hit, t(0.0));
            seen.push(ttl.get(t(0.0)).as_secs());
        }
        (0..50).for_each(|_| ttl.read(true, t(0.0)));
        seen.push(ttl.get(t(0.0)).as_secs());
        assert_eq!(seen, [300, 360, 288, 900]);
    }

    #[test]
    fn what_was_learned_decays_to_the_base() {
        let mut ttl = AdaptiveTtl::new(Ttl::SOCIAL, Adapts::ToChange);
        (0..50).for_each(|_| ttl.refetched(false, t(0.0)));
        let later = [0.0, 3_600.0, 7_200.0, 1e6].map(|at| ttl.get(t(at)).as_secs());
        assert_eq!(later, [900, 600, 450, 300]);
    }

    #[test]
    fn an_early_refresh_is_rare_at_first_and_certain_at_the_end() {
        let life = Freshness::new(&Ttl::LATEST, secs(10), 0.5, t(0.0));
        let due = |at: f64| {
            (1..=1_000).filter(|&n| life.is_due_early(t(at), secs(1), f64::from(n) / 1_000.0)).count()
        };
        assert_eq!((due(0.0), due(10.0)), (0, 1_000));
        // e^-1 of the draws a fetch's length before the end.
        assert_eq!(due(9.0), 367);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn nothing_is_served_beyond_its_ceiling(
            ttl_ms in 0_u64..1_000_000, draw in any::<f64>(), age_ms in 0_u64..3_000_000,
        ) {
            for class in [Ttl::LATEST, Ttl::EQUITY_REALTIME, Ttl::SOCIAL, Ttl { ceiling: secs(3), ..Ttl::HISTORY }] {
                let life = Freshness::new(&class, Duration::from_millis(ttl_ms), draw, t(0.0));
                let age = Duration::from_millis(age_ms);
                let found = life.at(t(0.0) + age, None);
                prop_assert!(found == Age::Expired || age <= class.ceiling);
                prop_assert!(found != Age::Fresh || age <= class.max);
                prop_assert!(life.fresh_until <= life.stale_until);
            }
        }
    }
}
