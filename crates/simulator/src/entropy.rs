//! Random numbers from a seed.

use std::sync::atomic::{AtomicU64, Ordering};

use gateway::Entropy;

use crate::market::Dice;

/// The same numbers in the same order for the same seed.
pub struct SeededEntropy {
    dice: Dice,
    next: AtomicU64,
}

impl SeededEntropy {
    /// From a seed.
    pub fn new(seed: u64) -> SeededEntropy {
        SeededEntropy { dice: Dice::new(seed), next: AtomicU64::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn bits(&self) -> u64 {
        self.dice.at(self.next.fetch_add(1, Ordering::Relaxed)).bits()
    }
}
