//! A rate kept with one number: the generic cell rate algorithm (ITU-T I.371, 2004), for buckets that must cost next
//! to nothing. The number may live in an atomic; who keeps it there tries again when another was faster.

use std::time::Duration;

/// So many in a span, all at once if need be, then evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SteadyRate {
    /// How many.
    pub count: u32,
    /// In which span.
    pub span: Duration,
}

/// One taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Took {
    /// The number to keep.
    pub state: i64,
    /// How many could still be taken at once.
    pub left: u32,
    /// When all are there again.
    pub full_in: Duration,
}

impl SteadyRate {
    /// A rate a minute.
    pub const fn per_minute(count: u32) -> SteadyRate {
        SteadyRate { count, span: Duration::from_secs(60) }
    }

    /// Nanoseconds in which one comes back.
    fn spacing(self) -> i64 {
        let span = i64::try_from(self.span.as_nanos()).unwrap_or(i64::MAX);
        (span / i64::from(self.count.max(1))).max(1)
    }

    /// Takes one at `now_ns`, nanoseconds of any clock that never goes back; `state` is the number kept, 0 at first.
    ///
    /// # Errors
    /// How long to wait for the next one; the number stays as it is.
    pub fn take(self, state: i64, now_ns: i64) -> Result<Took, Duration> {
        let spacing = self.spacing();
        let whole = spacing.saturating_mul(i64::from(self.count));
        let next = state.max(now_ns).saturating_add(spacing);
        let ahead = next - now_ns;
        if ahead > whole {
            return Err(Duration::from_nanos((ahead - whole).unsigned_abs()));
        }
        let left = u32::try_from((whole - ahead) / spacing).unwrap_or(0);
        Ok(Took { state: next, left, full_in: Duration::from_nanos(ahead.unsigned_abs()) })
    }
}

#[cfg(test)]
mod tests {
    //! LIM-11.
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_hundred_at_once_then_one_each_six_tenths_of_a_second() {
        let rate = SteadyRate::per_minute(100);
        let (mut state, now) = (0, 1_000 * SECOND);
        for left in (0..100).rev() {
            let took = rate.take(state, now).unwrap();
            assert_eq!(took.left, left);
            state = took.state;
        }
        assert_eq!(rate.take(state, now), Err(Duration::from_millis(600)));
        assert_eq!(rate.take(state, now + SECOND / 2), Err(Duration::from_millis(100)));
        let took = rate.take(state, now + 6 * SECOND / 10).unwrap();
        assert_eq!((took.left, took.full_in), (0, Duration::from_secs(60)));
        assert_eq!(rate.take(state, now + 3_600 * SECOND).unwrap().left, 99);
    }

    #[test]
    fn no_schedule_takes_more_than_the_burst_and_the_rate() {
        let rate = SteadyRate::per_minute(150);
        let (mut state, mut now, mut draw) = (0, SECOND, 3_u64);
        let (start, mut taken) = (now, 0_i64);
        for _ in 0..1_000_000 {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            now += (draw >> 40) as i64 * 40;
            if let Ok(took) = rate.take(state, now) {
                state = took.state;
                taken += 1;
            }
            assert!(taken <= 150 + (now - start) * 150 / (60 * SECOND) + 1);
        }
        assert!(taken > 1_000);
    }
}
