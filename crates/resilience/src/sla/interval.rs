//! How far a number from few samples can be trusted.

/// Two-sided 95 % of the normal distribution.
const Z: f64 = 1.96;

/// The 95 % interval of a rate of which `good` of `n` were seen, in `[0, 1]`; everything where nothing was seen.
///
/// Wilson's score interval ("Probable Inference, the Law of Succession, and Statistical Inference", 1927): it
/// stays inside `[0, 1]` and says something sensible of one sample and of samples that were all alike.
pub fn wilson(good: u64, n: u64) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (n as f64, good as f64 / n as f64);
    let z2 = Z * Z;
    let centre = p + z2 / (2.0 * n);
    let reach = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    (((centre - reach) / scale).max(0.0), ((centre + reach) / scale).min(1.0))
}

/// The chance that an interval may miss on one side.
const MISS: f64 = 0.025;

/// The ranks, from 1, between which the `share` quantile of the whole lies with 95 %, of `n` samples in order.
/// Zero in first place is below the smallest sample and `None` in second place beyond the largest: so few samples
/// cannot bound it.
///
/// Normal approximation of the binomial rank, `np ± 1.96 √(np(1−p))`, rounded. Where even the largest sample is
/// exceeded by the quantile too often, `pⁿ` of the time, it bounds nothing; the smallest likewise.
pub fn rank_interval(share: f64, n: u64) -> (u64, Option<u64>) {
    let centre = share * n as f64;
    let reach = Z * (centre * (1.0 - share)).sqrt();
    let misses = |chance: f64| chance.powf(n as f64) > MISS;
    let least = if misses(1.0 - share) { 0 } else { (centre - reach).round().max(1.0) as u64 };
    let most = (centre + reach).round() as u64;
    (least, (most <= n && !misses(share)).then_some(most))
}

/// The nearest rank, from 1, of a quantile: the smallest sample that at least `share` of all do not exceed.
pub(super) fn nearest_rank(share: f64, n: u64) -> u64 {
    // A hair less, so that 0.95 of 100 is rank 95 although the product is above it.
    ((share * n as f64 - 1e-9).ceil() as u64).clamp(1, n.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_failures_prove_little_and_many_prove_much() {
        // algorithms.md §8: lower bounds of n failures of n.
        let lower = [1, 2, 3, 5].map(|n| (wilson(n, n).0 * 100.0).round());
        assert_eq!(lower, [21.0, 34.0, 44.0, 57.0]);
        let (least, most) = wilson(950, 1_000);
        assert!((0.934..0.936).contains(&least) && (0.961..0.963).contains(&most), "{least} {most}");
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }

    #[test]
    fn a_hundred_samples_cannot_bound_their_99th_percentile() {
        // algorithms.md §10.
        assert_eq!(rank_interval(0.99, 100), (97, None));
        let (least, most) = rank_interval(0.99, 1_000);
        assert_eq!((least, most), (984, Some(996)));
        assert_eq!(rank_interval(0.5, 100), (40, Some(60)));
        assert_eq!(
            (rank_interval(0.5, 0), rank_interval(0.5, 5), rank_interval(0.95, 20)),
            ((0, None), (0, None), (17, None))
        );
        assert_eq!((nearest_rank(0.95, 100), nearest_rank(0.95, 10), nearest_rank(0.99, 1)), (95, 10, 1));
    }
}
