//! Faults drawn at random, from a seed.

use std::time::Duration;

use domain::{Range, VendorId};

use super::{Fault, Spell};
use crate::market::Dice;

/// How often faults come and how long they stay.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Which faults, all equally likely.
    pub faults: Vec<Fault>,
    /// Mean time from the end of one fault to the start of the next, per vendor.
    pub mean_pause: Duration,
    /// Mean length of a fault.
    pub mean_length: Duration,
}

impl Schedule {
    /// Every kind of fault, one in six hours for two minutes on average.
    pub fn everything() -> Schedule {
        Schedule {
            faults: Fault::WORDS.iter().filter_map(|word| Fault::parse(word)).collect(),
            mean_pause: Duration::from_secs(6 * 3_600),
            mean_length: Duration::from_secs(120),
        }
    }

    /// The spells of each vendor in a range, a pure function of the seed. A vendor's spells do not overlap.
    pub fn draw(&self, seed: u64, vendors: &[VendorId], range: Range) -> Vec<Spell> {
        let mut spells = Vec::new();
        for vendor in vendors {
            let dice = Dice::new(seed).named(vendor.as_str());
            let mut from = range.start;
            for n in 0.. {
                let dice = dice.at(n);
                let pause = exponential(self.mean_pause, dice.at(0));
                let length = exponential(self.mean_length, dice.at(1)).max(Duration::from_secs(1));
                from += pause.max(Duration::from_secs(1));
                if from >= range.end || self.faults.is_empty() {
                    break;
                }
                let pick = usize::try_from(dice.at(2).below(self.faults.len() as u64)).unwrap_or(0);
                let until = (from + length).min(range.end);
                spells.push(Spell { vendor: *vendor, fault: self.faults[pick], from, until });
                from = until;
            }
        }
        spells.sort_by_key(|spell| spell.from);
        spells
    }
}

/// A throw of the exponential distribution.
fn exponential(mean: Duration, dice: Dice) -> Duration {
    mean.mul_f64(-(1.0 - dice.unit()).ln())
}

#[cfg(test)]
mod tests {
    use domain::Instant;

    use super::*;

    #[test]
    fn one_seed_draws_one_schedule_without_overlaps() {
        let vendors = [VendorId("acme"), VendorId("zenith")];
        let day = Range::new(Instant::from_secs(0), Instant::from_secs(10 * 86_400));
        let spells = Schedule::everything().draw(3, &vendors, day);
        assert_eq!(spells, Schedule::everything().draw(3, &vendors, day));
        assert_ne!(spells, Schedule::everything().draw(4, &vendors, day));
        assert!((40..160).contains(&spells.len()), "{}", spells.len());
        for vendor in vendors {
            let own: Vec<_> = spells.iter().filter(|spell| spell.vendor == vendor).collect();
            assert!(own.windows(2).all(|pair| pair[0].until < pair[1].from));
            assert!(own.iter().all(|spell| spell.from < spell.until && spell.until <= day.end));
        }
    }
}
