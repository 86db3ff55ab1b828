//! What follows from one failed exchange, as data: SRC-4, SRC-7, BRK-8 and LIM-6 in one table.

use std::time::Duration;

use domain::Instant;
use resilience::circuit_breaker::Failure;
use resilience::quota::{VendorWord, Window};
use resilience::rate::Ended;
use telemetry::EventKind;
use vendors::{Blame, Rejection};

use crate::answer::AttemptError;
use crate::seams::TransportError;

/// A ban without an end is kept for this long before the vendor is asked again.
const UNTOLD_BAN: Duration = Duration::from_secs(3_600);

/// What follows from one failed exchange.
pub struct Consequence {
    /// What the breaker counts.
    pub breaker: Failure,
    /// Whether the vendor did its work: "unknown symbol" and "no data" are answers.
    pub is_an_answer: bool,
    /// What the limiter learns.
    pub word: Option<VendorWord>,
    /// Whether the capability is taken away.
    pub removes_capability: bool,
    /// Whether the key is blamed.
    pub blames_key: bool,
    /// What is worth saying.
    pub event: Option<EventKind>,
}

/// The consequences of an error.
pub fn of(error: &AttemptError, now: Instant) -> Consequence {
    let plain = |failure| Consequence {
        breaker: failure,
        is_an_answer: false,
        word: None,
        removes_capability: false,
        blames_key: false,
        event: None,
    };
    match error {
        AttemptError::Transport(TransportError::Connect) => plain(Failure::Connection),
        AttemptError::Transport(TransportError::Timeout) => plain(Failure::Timeout),
        AttemptError::Transport(TransportError::Cut) => plain(Failure::Connection),
        AttemptError::Transport(TransportError::TooLarge) => plain(Failure::Data),
        AttemptError::Rejected(rejection) => match rejection {
            Rejection::UnknownSymbol if domain::planted!(UnknownSymbolBlamed) => plain(Failure::Data),
            Rejection::UnknownSymbol
            | Rejection::NoData
            | Rejection::Unsupported
            | Rejection::CallersMistake => Consequence { is_an_answer: true, ..plain(Failure::NotCounted) },
            Rejection::RateLimited { .. } if domain::planted!(TooManyRequestsIgnored) => {
                plain(Failure::NotCounted)
            }
            Rejection::RateLimited { retry_after, .. } => Consequence {
                word: Some(retry_after.map_or(VendorWord::Unexpected429, VendorWord::RetryAfter)),
                event: Some(EventKind::LimitContradicted),
                ..plain(Failure::NotCounted)
            },
            Rejection::QuotaSpent { window, resets } => Consequence {
                word: Some(VendorWord::Exhausted {
                    window: match window {
                        Some(vendors::Window::Second) => Window::Sliding(Duration::from_secs(1)),
                        Some(vendors::Window::Minute) => Window::Sliding(Duration::from_secs(60)),
                        Some(vendors::Window::Month) => Window::Month,
                        Some(vendors::Window::Day) | None => Window::Day,
                    },
                    until: *resets,
                }),
                ..plain(Failure::NotCounted)
            },
            Rejection::Unauthorized => {
                Consequence { blames_key: true, event: Some(EventKind::KeyRefused), ..plain(Failure::Auth) }
            }
            Rejection::NotEntitled => Consequence { removes_capability: true, ..plain(Failure::NotCounted) },
            Rejection::Banned { until } => Consequence {
                word: Some(VendorWord::Banned { until: until.unwrap_or(now + UNTOLD_BAN) }),
                event: Some(EventKind::Banned { until: *until }),
                ..plain(Failure::NotCounted)
            },
            Rejection::VendorFault { .. } => plain(Failure::Server),
            Rejection::Unreadable { expected } => Consequence {
                event: Some(EventKind::ShapeDrifted { expected: (*expected).to_owned() }),
                ..plain(Failure::Data)
            },
        },
        AttemptError::Unfit(_) => plain(Failure::Data),
        AttemptError::BreakerOpen { .. }
        | AttemptError::QuotaSpent { .. }
        | AttemptError::TooExpensive
        | AttemptError::BudgetSpent { .. }
        | AttemptError::Held { .. }
        | AttemptError::Deadline => plain(Failure::NotCounted),
    }
}

/// What an exchange teaches about how fast the vendor may be asked (LIM-9).
pub fn for_the_rate(error: Option<&AttemptError>, status: Option<u16>) -> Ended {
    match error {
        None => Ended::Well,
        Some(AttemptError::Rejected(Rejection::RateLimited { .. })) => Ended::TooMany,
        Some(_) if status == Some(503) => Ended::Unavailable,
        Some(AttemptError::Transport(TransportError::Timeout)) => Ended::TimedOut,
        Some(AttemptError::Transport(_)) => Ended::Failed,
        Some(AttemptError::Rejected(rejection)) if rejection.blame() == Blame::Vendor => Ended::Failed,
        Some(_) => Ended::Well,
    }
}

#[cfg(test)]
mod tests {
    // BRK-8, SRC-4, LIM-6.
    use super::*;

    #[test]
    fn a_callers_fault_and_a_limit_never_count_against_the_vendor() {
        let now = Instant::EPOCH;
        for rejection in [
            Rejection::UnknownSymbol,
            Rejection::NoData,
            Rejection::Unsupported,
            Rejection::CallersMistake,
            Rejection::rate_limited(),
            Rejection::QuotaSpent { window: None, resets: None },
            Rejection::NotEntitled,
            Rejection::Banned { until: None },
        ] {
            let consequence = of(&AttemptError::Rejected(rejection.clone()), now);
            assert_eq!(consequence.breaker.weight(), 0.0, "{rejection:?}");
        }
        let weight = |error| of(&error, now).breaker.weight();
        assert_eq!(weight(AttemptError::Transport(TransportError::Timeout)), 1.0);
        assert_eq!(weight(AttemptError::Transport(TransportError::Connect)), 0.9);
        assert_eq!(weight(AttemptError::Rejected(Rejection::VendorFault { status: 500 })), 1.0);
        assert_eq!(weight(AttemptError::Rejected(Rejection::Unauthorized)), 0.8);
        assert_eq!(weight(AttemptError::Rejected(Rejection::unreadable("x"))), 0.6);
    }

    #[test]
    fn the_vendors_own_wait_is_passed_on_to_the_limiter() {
        let rejection = Rejection::RateLimited { retry_after: Some(Duration::from_secs(7)), window: None };
        let consequence = of(&AttemptError::Rejected(rejection), Instant::EPOCH);
        assert_eq!(consequence.word, Some(VendorWord::RetryAfter(Duration::from_secs(7))));
        let ban = of(&AttemptError::Rejected(Rejection::Banned { until: None }), Instant::EPOCH);
        assert_eq!(ban.word, Some(VendorWord::Banned { until: Instant::EPOCH + UNTOLD_BAN }));
    }
}
