//! Clocks that never go back: the machine's, and one that runs from any instant at any speed.

use std::time::Duration;

use domain::Instant;
use gateway::{Clock, Pending};

/// The machine's monotonic clock. Tokio's, so that a test that pauses time pauses this too.
type Steady = tokio::time::Instant;

/// The longest single wait; longer ones are made of several.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// UTC read once at start and continued by the monotonic clock.
///
/// A step of the system clock changes nothing here; [`MachineClock::drift`] tells of it.
#[derive(Debug)]
pub struct MachineClock {
    utc: Instant,
    steady: Steady,
}

impl MachineClock {
    /// Starts now, by the system clock.
    pub fn start() -> MachineClock {
        MachineClock { utc: system_time(), steady: Steady::now() }
    }

    /// How far the system clock is ahead of this one: negative if behind. Grows slowly as the system clock
    /// is disciplined; more than a second is a step worth an event.
    pub fn drift(&self) -> Drift {
        Drift::between(self.now(), system_time())
    }
}

/// The system clock against ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Milliseconds by which the system clock is ahead; negative if behind.
    pub ahead_ms: i64,
}

impl Drift {
    fn between(ours: Instant, system: Instant) -> Drift {
        Drift { ahead_ms: (system.as_nanos().saturating_sub(ours.as_nanos())) / 1_000_000 }
    }

    /// Whether it is more than a second: the system clock was set.
    pub fn is_step(self) -> bool {
        self.ahead_ms.abs() > 1_000
    }
}

/// What the system clock says, UTC.
#[expect(clippy::disallowed_methods, reason = "this is where the machine's clock is read")]
fn system_time() -> Instant {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Instant::EPOCH + since_1970
}

impl Clock for MachineClock {
    fn now(&self) -> Instant {
        self.utc + self.steady.elapsed()
    }

    fn sleep_until(&self, at: Instant) -> Pending<'_, ()> {
        Box::pin(sleep_until(move || at.since(self.now())))
    }
}

/// Time that starts at a chosen instant and runs at a chosen speed: for demonstrations. One value is shared by
/// all who should agree on the time.
#[derive(Debug)]
pub struct ScaledClock {
    start: Instant,
    steady: Steady,
    speed: f64,
}

/// A speed at which time does not run forward.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("time cannot run at {0} times its speed: use a number above 0 and up to 1000000")]
pub struct SpeedError(pub f64);

impl ScaledClock {
    /// Starts at `start` and passes `speed` seconds per second.
    ///
    /// # Errors
    /// [`SpeedError`] unless the speed is above zero and at most a million.
    pub fn start(start: Instant, speed: f64) -> Result<ScaledClock, SpeedError> {
        if speed > 0.0 && speed <= 1e6 {
            Ok(ScaledClock { start, steady: Steady::now(), speed })
        } else {
            Err(SpeedError(speed))
        }
    }
}

impl Clock for ScaledClock {
    fn now(&self) -> Instant {
        let elapsed = self.steady.elapsed().as_secs_f64() * self.speed;
        self.start + Duration::try_from_secs_f64(elapsed).unwrap_or(Duration::MAX)
    }

    fn sleep_until(&self, at: Instant) -> Pending<'_, ()> {
        let left = move || {
            let secs = at.since(self.now()).as_secs_f64() / self.speed;
            Duration::try_from_secs_f64(secs).unwrap_or(Duration::MAX)
        };
        Box::pin(sleep_until(left))
    }
}

/// Sleeps until nothing is left. Asks again after each wait, because a timer may be early by its grain and a
/// machine may have been suspended.
async fn sleep_until(left: impl Fn() -> Duration) {
    loop {
        let left = left();
        if left.is_zero() {
            return;
        }
        #[expect(clippy::disallowed_methods, reason = "this is where waiting is done")]
        tokio::time::sleep(left.min(LONGEST_WAIT)).await;
    }
}

#[cfg(test)]
mod tests {
    //! SYM-5: elapsed time is monotonic, and a step of the system clock is noticed and changes nothing.
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_machines_clock_passes_as_the_monotonic_clock_does() {
        let clock = MachineClock::start();
        let before = clock.now();
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert_eq!(clock.now().since(before), Duration::from_millis(1_500));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleeper_wakes_when_its_instant_has_come_and_not_before() {
        let clock = MachineClock::start();
        let at = clock.now() + Duration::from_secs(3 * 86_400) + Duration::from_micros(10);
        clock.sleep_until(at).await;
        let late = clock.now().since(at);
        assert!(clock.now() >= at && late <= Duration::from_millis(2), "{late:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_instant_that_has_passed_is_not_waited_for() {
        let clock = MachineClock::start();
        let before = clock.now();
        clock.sleep_until(Instant::MIN).await;
        clock.sleep_until(before).await;
        assert_eq!(clock.now(), before);
    }

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_starts_where_told_and_runs_as_fast_as_told() {
        let start = Instant::parse("2026-01-05T14:30:00Z").expect("an instant");
        let clock = ScaledClock::start(start, 60.0).expect("a speed");
        assert_eq!(clock.now(), start);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(clock.now(), start + Duration::from_secs(120));
        let real = tokio::time::Instant::now();
        clock.sleep_until(start + Duration::from_secs(720)).await;
        let waited = real.elapsed();
        assert!(waited >= Duration::from_secs(10) && waited <= Duration::from_millis(10_002), "{waited:?}");
    }

    #[test]
    fn time_runs_forward_or_not_at_all() {
        for speed in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e7] {
            assert!(ScaledClock::start(Instant::EPOCH, speed).is_err(), "{speed}");
        }
    }

    #[test]
    fn a_step_of_the_system_clock_is_told_with_its_direction() {
        let ours = Instant::from_secs(1_000);
        for (system_ms, ahead_ms, is_step) in [
            (1_000_000, 0, false),
            (1_001_000, 1_000, false),
            (1_001_001, 1_001, true),
            (998_000, -2_000, true),
        ] {
            let drift = Drift::between(ours, Instant::from_millis(system_ms));
            assert_eq!((drift.ahead_ms, drift.is_step()), (ahead_ms, is_step));
        }
    }

    #[test]
    fn a_clock_that_just_started_agrees_with_the_system() {
        assert!(!MachineClock::start().drift().is_step());
    }
}
