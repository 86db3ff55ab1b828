//! Property tests that draw the same cases on every run.

use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;

/// 512 cases from one seed; a failure is printed, not stored.
pub(crate) fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: 512,
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
