//! Random numbers: the machine's, and those of one seed.

use gateway::Entropy;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Random numbers from a generator that the operating system seeded.
pub struct MachineEntropy(SeededEntropy);

impl MachineEntropy {
    /// Takes a seed from the operating system.
    pub fn from_system() -> MachineEntropy {
        #[expect(clippy::disallowed_methods, reason = "this is where the machine's randomness is read")]
        let seed = rand::rng().next_u64();
        MachineEntropy(SeededEntropy::new(seed))
    }
}

impl Entropy for MachineEntropy {
    fn bits(&self) -> u64 {
        self.0.bits()
    }
}

/// The same numbers from the same seed, in the order they are asked for.
pub struct SeededEntropy(Mutex<StdRng>);

impl SeededEntropy {
    /// Starts the sequence of a seed.
    pub fn new(seed: u64) -> SeededEntropy {
        SeededEntropy(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn bits(&self) -> u64 {
        self.0.lock().next_u64()
    }
}

#[cfg(test)]
mod tests {
    //! TST-3: one seed yields one sequence.
    use super::*;

    fn draw(entropy: &dyn Entropy) -> Vec<u64> {
        (0..32).map(|_| entropy.bits()).collect()
    }

    #[test]
    fn one_seed_yields_one_sequence_and_another_seed_another() {
        assert_eq!(draw(&SeededEntropy::new(7)), draw(&SeededEntropy::new(7)));
        assert_ne!(draw(&SeededEntropy::new(7)), draw(&SeededEntropy::new(8)));
    }

    #[test]
    fn the_machine_gives_other_numbers_each_time_and_units_below_one() {
        let (first, second) = (MachineEntropy::from_system(), MachineEntropy::from_system());
        assert_ne!(draw(&first), draw(&second));
        assert!((0..1_000).map(|_| first.unit()).all(|unit| (0.0..1.0).contains(&unit)));
    }
}
