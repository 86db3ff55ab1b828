//! Questions that come at regular times, longer apart than answers last: a page that is drawn anew each minute.

use std::collections::HashMap;
use std::time::Duration;

use domain::Instant;
use parking_lot::Mutex;

use crate::budget::Part;
use crate::flight_key::FlightKey;

/// Two gaps are equal within this share of the longer one.
const EQUAL: f64 = 0.1;
/// So many equal gaps in a row are a rhythm.
const STEADY: u32 = 2;
/// Nobody waits for a question longer than this.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Questions remembered at most, and those expected at the same time.
const MOST: usize = 1_000;
const MOST_EXPECTED: usize = 100;
/// Rough bytes of one question remembered.
const QUESTION_BYTES: u64 = 600;

/// When one question was asked.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rhythm {
    last: Instant,
    gap: Option<Duration>,
    steady: u32,
    is_expected: bool,
}

impl Rhythm {
    fn asked(&mut self, now: Instant) -> Option<Duration> {
        let gap = now.since(self.last);
        let is_equal = self.gap.is_some_and(|former| {
            let (a, b) = (former.as_secs_f64(), gap.as_secs_f64());
            (a - b).abs() <= EQUAL * a.max(b)
        });
        self.steady = if is_equal { self.steady + 1 } else { 0 };
        (self.gap, self.last) = (Some(gap), now);
        (self.steady >= STEADY && gap <= LONGEST && !gap.is_zero()).then_some(gap)
    }
}

/// The newest questions that callers had to wait for.
pub struct Rhythms {
    known: Mutex<HashMap<FlightKey, Rhythm>>,
    most: usize,
}

impl Rhythms {
    /// Nothing was asked yet. Remembers as many questions as fit into their share of the memory.
    pub fn new(memory_bytes: u64) -> Rhythms {
        let most = (Part::Learned.items(memory_bytes, QUESTION_BYTES) / 2).clamp(1, MOST);
        Rhythms { known: Mutex::default(), most }
    }

    /// Notes that a caller had to wait for an answer. Returns the gap of its rhythm where one has just become
    /// clear: the next such question is expected that much later.
    pub fn asked(&self, key: &FlightKey, now: Instant) -> Option<Duration> {
        let mut known = self.known.lock();
        let Some(rhythm) = known.get_mut(key) else {
            if known.len() >= self.most {
                known.retain(|_, rhythm| rhythm.is_expected || now.since(rhythm.last) < LONGEST);
            }
            if known.len() < self.most {
                let first = Rhythm { last: now, gap: None, steady: 0, is_expected: false };
                known.insert(key.clone(), first);
            }
            return None;
        };
        let gap = rhythm.asked(now)?;
        if rhythm.is_expected {
            return None;
        }
        rhythm.is_expected = true;
        let expected = known.values().filter(|rhythm| rhythm.is_expected).count();
        if expected > MOST_EXPECTED {
            known.remove(key);
            return None;
        }
        Some(gap)
    }

    /// The question did not come, or is not waited for any longer: what was known of it is forgotten.
    pub fn forget(&self, key: &FlightKey) {
        self.known.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    // CCH-6.
    use super::*;

    fn gaps(at: &[u64]) -> Vec<Option<u64>> {
        let start = Instant::from_secs(1_000_000);
        let first = start + Duration::from_secs(at[0]);
        let mut rhythm = Rhythm { last: first, gap: None, steady: 0, is_expected: false };
        at[1..]
            .iter()
            .map(|at| rhythm.asked(start + Duration::from_secs(*at)).map(|gap| gap.as_secs()))
            .collect()
    }

    #[test]
    fn three_equal_gaps_are_a_rhythm_and_uneven_ones_are_none() {
        assert_eq!(gaps(&[0, 60, 120, 181]), [None, None, Some(61)]);
        assert_eq!(gaps(&[0, 60, 120, 150, 210, 270]), [None, None, None, None, None]);
        assert_eq!(gaps(&[0, 4_000, 8_000, 12_000]), [None, None, None], "nobody waits for hours");
    }
}
