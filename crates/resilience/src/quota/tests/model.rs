//! LIM-1, LIM-2, LIM-4: random schedules against a naive reference and an independent count of what was sent.

use super::*;

/// The same rules written the slow and obvious way: every send kept forever, tokens as a level.
struct Reference {
    limits: Vec<(u32, Duration)>,
    sends: Vec<(Instant, u32)>,
    /// Token level of each limit in units of nanoseconds times count; negative is debt.
    levels: Vec<i128>,
    filled_at: Instant,
}

impl Reference {
    fn new(limits: &[(u32, Duration)], start: Instant) -> Reference {
        let levels = limits.iter().map(|&(count, window)| Self::full(count, window)).collect();
        Reference { limits: limits.to_vec(), sends: Vec::new(), levels, filled_at: start }
    }

    fn token(count: u32, window: Duration) -> i128 {
        (window.as_nanos() as i128 + i128::from(count) - 1) / i128::from(count)
    }

    fn full(count: u32, window: Duration) -> i128 {
        let capacity = count.div_ceil(10).max(2).min(count);
        i128::from(capacity) * Self::token(count, window)
    }

    fn try_take(&mut self, cost: u32, now: Instant) -> bool {
        for (level, &(count, window)) in self.levels.iter_mut().zip(&self.limits) {
            *level = (*level + now.since(self.filled_at).as_nanos() as i128).min(Self::full(count, window));
        }
        self.filled_at = now;
        for (level, &(count, window)) in self.levels.iter().zip(&self.limits) {
            let kept = window + Duration::from_millis(250).min(window / 40);
            let used: u32 = self.sends.iter().filter(|(at, _)| *at + kept > now).map(|(_, cost)| cost).sum();
            let needed = (i128::from(cost) * Self::token(count, window)).min(Self::full(count, window));
            if used + cost > count || *level < needed {
                return false;
            }
        }
        for (level, &(count, window)) in self.levels.iter_mut().zip(&self.limits) {
            *level -= i128::from(cost) * Self::token(count, window);
        }
        self.sends.push((now, cost));
        true
    }
}

#[test]
fn every_decision_equals_that_of_the_naive_reference() {
    for (seed, limits) in [
        (1, vec![(5, MINUTE)]),
        (2, vec![(8, MINUTE), (30, HOUR)]),
        (3, vec![(60, MINUTE)]),
        (4, vec![(3, SECOND), (60, MINUTE), (200, HOUR)]),
        (5, vec![(1, SECOND)]),
        (6, vec![(7, Duration::from_nanos(1_000_000_007))]),
    ] {
        let mut draws = Draws(seed);
        let windows: Vec<Limit> = limits.iter().map(|&(count, length)| sliding(count, length)).collect();
        let mut quota = quota(&windows, Pace::Burst);
        let mut now = noon();
        let mut reference = Reference::new(&limits, now);
        let (mut granted, mut refused) = (0, 0);
        for step in 0..4_000 {
            let cost = if draws.one_in(5) { 2.min(limits[0].0) } else { 1 };
            let expected = reference.try_take(cost, now);
            let answer = quota.try_take(cost, now);
            assert_eq!(answer.is_ok(), expected, "seed {seed}, step {step}: {answer:?}");
            match answer {
                Ok(_) => granted += 1,
                Err(_) => refused += 1,
            }
            now += match (draws.below(4), answer) {
                (0, Err(wait)) => wait.retry_at.since(now),
                (1, Err(wait)) => wait.retry_at.since(now) - NANO,
                (2, _) => Duration::from_millis(draws.below(3_000)),
                _ => Duration::ZERO,
            };
            // The reference forgets what no window can see any more, or it would take for ever.
            reference.sends.retain(|(at, _)| *at + 2 * HOUR > now);
        }
        assert!(granted > 100 && refused > 100, "seed {seed}: {granted} granted, {refused} refused");
    }
}

/// A process with its disk: what was sent is remembered by the vendor alone, in true time.
struct World {
    draws: Draws,
    settings: Settings,
    quota: Quota,
    /// Time as it really passes.
    now: Instant,
    /// How far the process's clock is ahead of it, in nanoseconds.
    ahead: i64,
    /// The latest snapshot, and when it was really written.
    disk: Option<(Snapshot, Instant)>,
    sends: Vec<(Instant, u32)>,
    restarts: u32,
}

impl World {
    fn new(seed: u64, settings: Settings) -> World {
        World {
            draws: Draws(seed),
            quota: Quota::new(settings.clone()),
            settings,
            now: noon(),
            ahead: 0,
            disk: None,
            sends: Vec::new(),
            restarts: 0,
        }
    }

    fn clock(&self) -> Instant {
        Instant::from_nanos(self.now.as_nanos() + self.ahead)
    }

    fn write(&mut self, snapshot: Snapshot) {
        let sequence = snapshot.sequence;
        if self.disk.as_ref().is_none_or(|(known, _)| known.sequence < sequence) {
            self.disk = Some((snapshot, self.now));
        }
        // Now and then the confirmation is late, and for the quota never comes.
        if !self.draws.one_in(8) {
            self.quota.persisted(sequence);
        }
    }

    fn call(&mut self) {
        let cost = if self.draws.one_in(6) { 2 } else { 1 };
        let clock = self.clock();
        let before = counters(&self.quota);
        match self.quota.try_take(cost, clock) {
            Err(refused) => {
                assert_eq!(counters(&self.quota), before, "a refusal has changed something");
                match self.draws.below(3) {
                    0 if refused.retry_at.since(clock) < 2 * HOUR => {
                        self.now += refused.retry_at.since(clock);
                    }
                    _ => self.now += Duration::from_millis(self.draws.below(500)),
                }
            }
            Ok(mut grant) => {
                if self.draws.one_in(20) {
                    // The caller left, or the disk was full: nothing is sent.
                    self.quota.give_back(grant);
                    return;
                }
                if let Some(snapshot) = grant.must_persist.take() {
                    self.write(*snapshot);
                }
                self.sends.push((self.now, cost));
            }
        }
    }

    fn restart(&mut self, clean: bool) {
        self.restarts += 1;
        if clean {
            let snapshot = self.quota.close_lease(self.clock());
            self.write(snapshot);
        }
        self.now += Duration::from_millis(self.draws.below(5_000));
        let truth = self.disk.as_ref().map_or(Duration::ZERO, |(_, written)| self.now.since(*written));
        let step = 3_600_000_000_000_i64;
        let elapsed = match self.draws.below(4) {
            // The clock went back: the difference of two readings is too short, often nothing.
            0 => {
                self.ahead -= step;
                truth.saturating_sub(HOUR)
            }
            // The clock went ahead; the store measured by one that does not step.
            1 => {
                self.ahead += step;
                truth
            }
            2 => Duration::ZERO,
            _ => truth,
        };
        let now = self.clock();
        self.quota = match &self.disk {
            Some((snapshot, _)) => Quota::restore(self.settings.clone(), snapshot, elapsed, now),
            None => Quota::new(self.settings.clone()),
        };
    }

    fn hear(&mut self) {
        let clock = self.clock();
        let window = self.settings.limits[0].window;
        let word = match self.draws.below(4) {
            0 => VendorWord::RetryAfter(Duration::from_millis(self.draws.below(2_000))),
            1 => VendorWord::Remaining {
                window,
                left: self.draws.below(2_000) as u32,
                resets: Some(clock + Duration::from_millis(self.draws.below(60_000))),
            },
            // Rare, or the rate never grows back enough to fill a window.
            2 if self.draws.one_in(40) => VendorWord::Unexpected429,
            _ => VendorWord::Remaining { window, left: self.draws.below(2_000) as u32, resets: None },
        };
        if let Some(snapshot) = self.quota.observe(word, clock) {
            self.write(*snapshot);
        }
    }
}

#[test]
fn no_schedule_of_calls_crashes_and_clock_steps_overfills_a_sliding_window() {
    let plans: [&[(u32, Duration)]; 6] = [
        &[(5, MINUTE)],
        &[(8, MINUTE), (800, 24 * HOUR)],
        &[(60, MINUTE)],
        &[(10, SECOND), (300, MINUTE)],
        &[(1_000, MINUTE)],
        &[(400, SECOND), (11_000, MINUTE)],
    ];
    for (seed, plan) in plans.iter().enumerate() {
        let limits: Vec<Limit> = plan.iter().map(|&(count, length)| sliding(count, length)).collect();
        // Without pacing and margin the log stands alone, and windows are full to the brim.
        let bare = Settings { margin: NANO, capacity: Some(u32::MAX), ..settings(&limits, Pace::Burst) };
        for settings in [settings(&limits, Pace::Burst), settings(&limits, Pace::Strict), bare] {
            let about = format!("{plan:?} {:?} {:?}", settings.pace, settings.capacity);
            let mut world = World::new(seed as u64 + 11, settings);
            for _ in 0..15_000 {
                match world.draws.below(400) {
                    0 => world.restart(false),
                    1 => world.restart(true),
                    2 => world.hear(),
                    _ => world.call(),
                }
            }
            assert!(world.restarts > 20 && world.sends.len() > 150, "{about}: {} sends", world.sends.len());
            for &(count, window) in *plan {
                let fullest = fullest(&world.sends, window);
                assert!(fullest <= u64::from(count), "{about}: {fullest} within {window:?}");
            }
        }
    }
}

#[test]
fn crashes_cost_no_more_than_their_leases() {
    // 1,000 a minute in leases of ten: a crash each minute may lose ten of a thousand, and what was lost in
    // the dark counts until its window has passed.
    let settings = settings(&[sliding(1_000, MINUTE)], Pace::Burst);
    let mut quota = Quota::new(settings.clone());
    let mut sent = 0;
    let mut now = noon();
    for _ in 0..10 {
        let end = now + MINUTE;
        let mut disk = quota.snapshot(now);
        while now < end {
            match quota.try_take(1, now) {
                Ok(mut grant) => {
                    sent += 1;
                    if let Some(snapshot) = grant.must_persist.take() {
                        quota.persisted(snapshot.sequence);
                        disk = *snapshot;
                    }
                }
                Err(refused) => now = refused.retry_at,
            }
        }
        quota = Quota::restore(settings.clone(), &disk, now.since(disk.saved_at), now);
    }
    assert!(sent >= 9_500, "{sent}");
}
