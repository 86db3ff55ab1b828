//! How long the machine has been running: time that a step of the system clock does not move.

use std::time::Duration;

use domain::Instant;

/// What the machine's clocks read at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Time since the machine started, sleep included; `None` where the machine does not tell.
    pub uptime: Option<Duration>,
    /// Which start of the machine that counts from; `None` where the machine does not tell.
    pub boot: Option<String>,
}

impl Reading {
    /// Reads `/proc/uptime` and the kernel's boot id: files, because a preloaded library that fakes the clock
    /// of the C library does not reach them.
    pub fn take() -> Reading {
        let uptime = std::fs::read_to_string("/proc/uptime").ok();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        Reading {
            uptime: uptime.as_deref().and_then(parse_uptime),
            boot: boot.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()),
        }
    }
}

/// Reads `12345.67 8910.11`: seconds since the start, then seconds idle.
fn parse_uptime(text: &str) -> Option<Duration> {
    let secs: f64 = text.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(secs).ok()
}

/// Time from one moment to a later one: by the machine's run time if it did not restart in between, else by
/// the clock; never negative.
pub(crate) fn between(then: (&Reading, Instant), now: (&Reading, Instant)) -> Duration {
    match (then.0.uptime, now.0.uptime) {
        (Some(before), Some(after)) if then.0.boot.is_some() && then.0.boot == now.0.boot => {
            after.saturating_sub(before)
        }
        _ => now.1.since(then.1),
    }
}

#[cfg(test)]
mod tests {
    //! SYM-5: a step of the clock frees no quota.
    use super::*;

    fn reading(secs: u64, boot: &str) -> Reading {
        Reading { uptime: Some(Duration::from_secs(secs)), boot: Some(boot.to_owned()) }
    }

    #[test]
    fn elapsed_time_follows_the_machine_and_not_its_clock() {
        let at = Instant::from_secs;
        let unknown = Reading { uptime: None, boot: None };
        for (what, then, now, secs) in [
            ("clock a day ahead", (reading(100, "a"), at(1_000)), (reading(160, "a"), at(87_400)), 60),
            ("clock set back", (reading(100, "a"), at(1_000)), (reading(160, "a"), at(0)), 60),
            ("restarted", (reading(100, "a"), at(1_000)), (reading(5, "b"), at(1_300)), 300),
            ("restarted, clock set back", (reading(100, "a"), at(1_000)), (reading(5, "b"), at(7)), 0),
            ("run time went back", (reading(100, "a"), at(1_000)), (reading(99, "a"), at(2_000)), 0),
            ("no run time", (unknown.clone(), at(1_000)), (unknown, at(1_030)), 30),
        ] {
            let elapsed = between((&then.0, then.1), (&now.0, now.1));
            assert_eq!(elapsed, Duration::from_secs(secs), "{what}");
        }
    }

    #[test]
    fn the_kernels_file_is_read_to_the_hundredth() {
        assert_eq!(parse_uptime("12345.67 8910.11\n"), Some(Duration::from_millis(12_345_670)));
        for text in ["", "x 1", "-1 1", "NaN 2"] {
            assert_eq!(parse_uptime(text), None, "{text:?}");
        }
    }
}
