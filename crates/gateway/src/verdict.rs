//! What it means that nobody answered (RTE-7, RTE-12): an unknown symbol, an empty range, an outage, a
//! missing entitlement and a constraint are different answers.

use domain::{Instant, VendorId};
use vendors::{Blame, Rejection};

use crate::answer::{Answer, AttemptError, Served, Skipped, Why};
use crate::request::Request;
use crate::seams::TransportError;
use crate::walk::{Ranked, Walked};

/// Turns the end of a walk into an answer or a reason. `NoData` is left to the caller, who knows what an
/// empty answer looks like: it comes back as [`Why::UnknownSymbol`] only where nobody knew the symbol.
pub fn of(
    walked: Walked,
    ranking: &Ranked,
    request: &Request,
    serve: impl Fn(Answer) -> Box<Served>,
) -> Result<Answer, Why> {
    if let Some(answer) = walked.answer {
        return Ok(answer);
    }
    if let Some((best, detail)) = walked.best {
        let asks = &request.policy;
        if asks.min_grade.is_none() && asks.max_age.is_none() && asks.max_cost.is_none() {
            return Ok(best);
        }
        return Err(Why::ConstraintUnmet { detail, best: Some(serve(best)) });
    }
    let said = |wanted: &Rejection| {
        walked.refusals.iter().any(|(_, error)| matches!(error, AttemptError::Rejected(r) if r == wanted))
    };
    if said(&Rejection::UnknownSymbol) {
        return Err(Why::UnknownSymbol);
    }
    let basis = |error: &AttemptError| matches!(error, AttemptError::Unfit("wrong_basis"));
    if walked.refusals.iter().any(|(_, error)| basis(error)) {
        return Err(Why::ConstraintUnmet {
            detail: "the only series available cannot be converted to the asked adjustment: its basis is unknown, \
                     or no record of the splits in the range is at hand"
                .to_owned(),
            best: None,
        });
    }
    if walked.timed_out {
        return Err(Why::Deadline);
    }
    if said(&Rejection::CallersMistake) {
        return Err(Why::CallersMistake);
    }
    // A vendor that cannot be reached at all is not there; one that answers badly has failed.
    let vendor_failed = |error: &AttemptError| match error {
        AttemptError::Transport(TransportError::Connect) => false,
        AttemptError::Transport(_) | AttemptError::Unfit(_) => true,
        AttemptError::Rejected(rejection) => rejection.blame() == Blame::Vendor,
        AttemptError::BreakerOpen { .. }
        | AttemptError::QuotaSpent { .. }
        | AttemptError::TooExpensive
        | AttemptError::BudgetSpent { .. }
        | AttemptError::Held { .. }
        | AttemptError::Deadline => false,
    };
    if walked.refusals.iter().any(|(_, error)| vendor_failed(error)) {
        return Err(Why::BadUpstream);
    }
    let unsupported = |error: &AttemptError| {
        matches!(error, AttemptError::Rejected(Rejection::Unsupported | Rejection::NotEntitled))
    };
    if !walked.refusals.is_empty() && walked.refusals.iter().all(|(_, error)| unsupported(error)) {
        let detail = "the vendors that offer this kind of data do not offer this".to_owned();
        return Err(Why::Unsupported { detail });
    }
    nobody_asked(
        ranking,
        &walked.refusals,
        walked.refusals.iter().filter_map(|(_, error)| error.retry_at()).min(),
    )
}

/// Nobody could be asked: either nobody offers this, or none is able at present.
fn nobody_asked(
    ranking: &Ranked,
    refusals: &[(VendorId, AttemptError)],
    retry_at: Option<Instant>,
) -> Result<Answer, Why> {
    let too_expensive = |vendor: VendorId| {
        refusals
            .iter()
            .any(|(refused, error)| *refused == vendor && matches!(error, AttemptError::TooExpensive))
    };
    let mut able = false;
    let mut dear = Vec::new();
    let mut budgets = Vec::new();
    let mut hints = Vec::new();
    for candidate in &ranking.candidates {
        match &candidate.skipped {
            Some(Skipped::TooExpensive) => dear.push(candidate.vendor.as_str()),
            None if too_expensive(candidate.vendor) => dear.push(candidate.vendor.as_str()),
            None
            | Some(Skipped::Quota(_) | Skipped::ToldToWait(_) | Skipped::Breaker(_) | Skipped::Drained) => {
                able = true;
            }
            Some(Skipped::Budget { until, .. }) => {
                able = true;
                budgets.push(*until);
            }
            Some(Skipped::Unconfigured(variable)) => {
                hints.push(format!("{} would with a key in {variable}", candidate.vendor));
            }
            Some(Skipped::NotEntitled) => hints.push(format!("{} would on another plan", candidate.vendor)),
            Some(Skipped::Disabled) => hints.push(format!("{} is switched off", candidate.vendor)),
            Some(Skipped::OutOfCoverage) => {
                hints.push(format!("{} does not reach back so far", candidate.vendor));
            }
            Some(_) => {}
        }
    }
    if able {
        let waiting = ranking.waiting.iter().map(|(at, _)| *at).chain(budgets).chain(ranking.back_at);
        return Err(Why::NoHealthyVendor { retry_at: retry_at.into_iter().chain(waiting).min() });
    }
    if !dear.is_empty() {
        return Err(Why::ConstraintUnmet {
            detail: format!("it would cost more than max_cost from {}", dear.join(", ")),
            best: None,
        });
    }
    let detail = if hints.is_empty() { "no vendor has it".to_owned() } else { hints.join("; ") };
    Err(Why::Unsupported { detail })
}
