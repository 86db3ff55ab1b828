//! Many monitors as one system (SLA-3).

use super::Status;

/// How a capability fares of which each of several vendors would be enough: as the best of them, except that a
/// vendor nobody has tried yet does not make up for one that is known to fail. Without vendors it has failed.
pub fn of_capability(vendors: impl IntoIterator<Item = Status>) -> Status {
    let (mut best, mut failed, mut unknown) = (None::<Status>, false, false);
    for status in vendors {
        match status {
            Status::Unknown => unknown = true,
            Status::Failed => failed = true,
            Status::Healthy | Status::Degraded => best = Some(best.map_or(status, |b| b.min(status))),
        }
    }
    match (best, failed, unknown) {
        (Some(best), ..) => best,
        (None, true, true) => Status::Degraded,
        (None, false, true) => Status::Unknown,
        (None, _, false) => Status::Failed,
    }
}

/// How the whole fares: as the worst of the capabilities that are required of it. One that was never asked for
/// says nothing. Where nothing is required, or nothing is known, it is unknown.
pub fn overall(required: impl IntoIterator<Item = Status>) -> Status {
    required.into_iter().max().unwrap_or(Status::Unknown)
}

/// What the degradation is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parts {
    /// Vendors in service.
    pub vendors: usize,
    /// Of them, failed ones.
    pub failed: usize,
    /// Of them, degraded ones.
    pub degraded: usize,
    /// Circuit breakers.
    pub breakers: usize,
    /// Of them, open ones.
    pub open: usize,
    /// Of them, half-open ones.
    pub half_open: usize,
    /// Share of all calls that succeeded; `None` without calls.
    pub success: Option<f64>,
}

/// How far the system is from its best, from 0 to 0.8: half the share of failed vendors, 0.3 of the share of
/// degraded ones, 0.2 of the share of open breakers (0.1 of half-open ones), and a tenth of the share of calls
/// that fail where that is more than 5 % (SLA-3).
pub fn degradation(parts: &Parts) -> f64 {
    let share = |count: usize, of: usize| if of == 0 { 0.0 } else { count as f64 / of as f64 };
    let failing = parts.success.filter(|success| *success < 0.95).map_or(0.0, |success| 1.0 - success);
    0.5 * share(parts.failed, parts.vendors)
        + 0.3 * share(parts.degraded, parts.vendors)
        + 0.2 * share(parts.open, parts.breakers)
        + 0.1 * share(parts.half_open, parts.breakers)
        + 0.1 * failing
}

#[cfg(test)]
mod tests {
    //! SLA-3.

    use super::Status::{Degraded, Failed, Healthy, Unknown};
    use super::*;

    #[test]
    fn one_good_vendor_carries_a_capability_and_an_idle_one_turns_nothing_red() {
        let rows = [
            (vec![Healthy, Failed, Unknown], Healthy),
            (vec![Degraded, Healthy], Healthy),
            (vec![Degraded, Failed, Unknown], Degraded),
            (vec![Failed, Unknown], Degraded),
            (vec![Unknown, Unknown], Unknown),
            (vec![Failed, Failed], Failed),
            (vec![], Failed),
        ];
        for (vendors, expected) in rows {
            assert_eq!(of_capability(vendors.iter().copied()), expected, "{vendors:?}");
        }
        assert_eq!(overall([Healthy, Unknown]), Healthy);
        assert_eq!(overall([Healthy, Degraded, Failed]), Failed);
        assert_eq!(overall([Unknown]), Unknown);
        assert_eq!(overall([]), Unknown);
    }

    #[test]
    fn the_degradation_adds_its_parts() {
        let fine = Parts { vendors: 4, breakers: 4, success: Some(0.96), ..Parts::default() };
        assert_eq!(degradation(&fine), 0.0);
        let ill = Parts { failed: 1, degraded: 2, open: 1, half_open: 1, success: Some(0.9), ..fine };
        let expected = 0.5 * 0.25 + 0.3 * 0.5 + 0.2 * 0.25 + 0.1 * 0.25 + 0.1 * 0.1;
        assert!((degradation(&ill) - expected).abs() < 1e-12, "{}", degradation(&ill));
        let dead = Parts { failed: 4, open: 4, success: Some(0.0), ..fine };
        assert!((degradation(&dead) - 0.8).abs() < 1e-12);
        assert_eq!(degradation(&Parts::default()), 0.0);
    }
}
