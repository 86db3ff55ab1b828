//! The section `schedule`: who waits for a vendor, and how many are asked at once.

use gateway::settings::{BatchMode, Batching, Schedule};
use resilience::rate::Eagerness;

use crate::reader::Reader;

/// Who waits for a vendor, and how many are asked at once (SCH-1 to SCH-4, LIM-7, LIM-9).
pub(crate) fn read(reader: &Reader<'_>) -> Schedule {
    let usual = Schedule::default();
    let steps: Vec<(&str, Eagerness)> = Eagerness::ALL.into_iter().map(|e| (e.as_str(), e)).collect();
    Schedule {
        in_flight: reader.count("in_flight", 1, 1_000).map_or(usual.in_flight, |count| count as u32),
        longest_line: reader
            .count("longest_line", 1, 1_000_000)
            .map_or(usual.longest_line, |count| count as usize),
        forecast: reader.flag("forecast").unwrap_or(usual.forecast),
        eagerness: reader.word("adaptive_rate", &steps).unwrap_or(usual.eagerness),
        batching: batching(&reader.section("batching"), usual.batching),
    }
}

fn batching(reader: &Reader<'_>, usual: Batching) -> Batching {
    let modes: Vec<(&str, BatchMode)> =
        BatchMode::ALL.into_iter().map(|mode| (mode.as_str(), mode)).collect();
    let least = reader.duration("linger").unwrap_or(usual.linger.0);
    let longest = reader.duration("longest_linger").unwrap_or(usual.linger.1.max(least));
    if longest < least {
        reader.problem("longest_linger", "is shorter than `linger`; it must be at least as long");
    }
    Batching {
        mode: reader.word("mode", &modes).unwrap_or(usual.mode),
        size: reader.count("size", 1, 2_000).map_or(usual.size, |count| count as usize),
        linger: (least, longest),
        batch_linger: reader.duration("batch_linger").unwrap_or(usual.batch_linger),
        in_flight: reader.count("in_flight", 1, 1_000).map_or(usual.in_flight, |count| count as usize),
    }
}
