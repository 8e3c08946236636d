//! Runs of random steps from one seed, so that everybody runs the same. `PROPTEST_RNG_SEED` and
//! `PROPTEST_CASES` explore.

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

/// Runs a test of this crate from this seed, and says in how many cases. A failure is shrunk, and tells
/// how to have it again.
pub(crate) fn run<S: Strategy>(
    test: &str,
    seed: u64,
    steps: &S,
    run_one: impl Fn(S::Value),
) -> u32 {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => seed,
    };
    config.rng_seed = RngSeed::Fixed(seed);
    let cases = config.cases;
    let outcome = TestRunner::new(config).run(steps, |steps| {
        run_one(steps);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!(
            "{failure}\nagain: PROPTEST_RNG_SEED={seed} PROPTEST_CASES={cases} \
             cargo nextest run -p leasehold-core --test {test}"
        );
    }
    cases
}
