//! Random numbers that are a function of their name: the same seed and path of numbers give the same throw,
//! in any order, without state.

/// A point in a tree of throws. Cheap to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dice(u64);

/// SplitMix64's finaliser (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Dice {
    /// The root of a seed.
    pub(crate) const fn new(seed: u64) -> Dice {
        Dice(mix(seed.wrapping_add(0x9E37_79B9_7F4A_7C15)))
    }

    /// The child of a number.
    pub(crate) const fn at(self, n: u64) -> Dice {
        Dice(mix(self.0 ^ n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// The child of a name.
    pub(crate) fn named(self, name: &str) -> Dice {
        name.bytes().fold(self, |dice, byte| dice.at(u64::from(byte)))
    }

    /// 64 bits.
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// Uniform in `0..n`; `n` above zero.
    pub(crate) const fn below(self, n: u64) -> u64 {
        self.0 % n
    }

    /// Uniform in `[0, 1)`.
    pub(crate) fn unit(self) -> f64 {
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Close to standard normal: four uniform numbers added (Irwin-Hall), so within 3.5 of zero and free of
    /// platform-dependent functions.
    pub(crate) fn normal(self) -> f64 {
        let parts = [self.0 & 0xFFFF, (self.0 >> 16) & 0xFFFF, (self.0 >> 32) & 0xFFFF, self.0 >> 48];
        let sum: f64 = parts.iter().map(|part| *part as f64 / 65_536.0).sum();
        (sum - 2.0) * 1.732_050_807_568_877_2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throws_are_spread_as_they_should_be() {
        let throws: Vec<f64> = (0..20_000).map(|n| Dice::new(7).at(n).normal()).collect();
        let mean = throws.iter().sum::<f64>() / throws.len() as f64;
        let variance = throws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / throws.len() as f64;
        assert!(mean.abs() < 0.03, "{mean}");
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
        assert_ne!(Dice::new(7).named("AAPL"), Dice::new(8).named("AAPL"));
        assert_ne!(Dice::new(7).named("AB"), Dice::new(7).named("BA"));
    }
}
