//! Who is asked, in which order: eligibility first, then a score. Pure arithmetic over what each vendor
//! looks like at one moment; the order is complete before the first attempt (RTE-1, 2, 5).

use domain::{Instant, VendorId};

use crate::answer::{Candidate, Skipped};
use crate::request::Strategy;
use crate::settings::ScoreWeights;

/// One vendor as it looks for one question at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// Which.
    pub vendor: VendorId,
    /// Why it cannot be asked at all; `None` if it can.
    pub barred: Option<Skipped>,
    /// Earliest moment its quota has room; `None` if it has room now.
    pub quota_at: Option<Instant>,
    /// Configured priority, 1 first.
    pub priority: u32,
    /// Configured share of load.
    pub weight: f64,
    /// Mean graded quality, `[0, 1]`.
    pub quality: f64,
    /// Share of what is asked that the vendor has on its plan, `[0, 1]`: one half for a quote without the bid
    /// and ask that were asked for.
    pub fields: f64,
    /// Lower bound of reliability, `[0, 1]`.
    pub reliability: f64,
    /// How fresh a live answer is by the plan's delivery class, `[0, 1]`; 1 where the question is not live.
    pub freshness: f64,
    /// Typical latency in milliseconds.
    pub latency_ms: f64,
    /// Share of quota left over share of window left, `[0, 1]`.
    pub headroom: f64,
    /// Marginal price of the question in millionths of a US dollar, scarcity of free quota included (CST-4).
    pub cost_micros: u64,
    /// Requests in flight.
    pub in_flight: u32,
    /// Whether it was late so often that it loses its place to those behind it (RTY-4).
    pub demoted: bool,
    /// Share of the answer already held locally, `[0, 1]`: a vendor whose series is stored is asked for
    /// the rest, so that a series stays with one vendor (RTE-10).
    pub held: f64,
}

/// The order of asking, and every candidate for the record.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// Vendors to ask, first one first.
    pub order: Vec<VendorId>,
    /// Vendors whose quota is spent, by when they have room again: asked only if nobody else answers and
    /// the deadline allows.
    pub waiting: Vec<(Instant, VendorId)>,
    /// Every vendor, in the order of asking, the skipped ones last.
    pub candidates: Vec<Candidate>,
    /// When the first of those that are skipped for a while may be asked again; `None` if that is not known.
    pub back_at: Option<Instant>,
}

/// Latency at which a vendor earns nothing for speed.
const SLOWEST_MS: f64 = 2_000.0;
/// Price of a request at which a vendor earns nothing for thrift: one cent.
const DEAREST_MICROS: f64 = 10_000.0;
/// Requests in flight at which a vendor is full.
const FULL: f64 = 32.0;
/// Vendors whose score is within this share of the best take turns (RTE-2).
const CLOSE: f64 = 0.10;

/// Mean graded quality below which nobody is asked for thrift: a mean score of 50 is an F.
const LEAST_QUALITY: f64 = 0.5;
/// Prices closer than this, in millionths of a US dollar, are the same to thrift: then the score decides, so that
/// quality counts among those that are free.
const SAME_PRICE: u64 = 10;

/// What thrift sorts by: first those above the floors of quality and speed, then by the price at the margin.
fn thrift(view: &View) -> (bool, u64) {
    let below = view.quality < LEAST_QUALITY || view.latency_ms > SLOWEST_MS;
    (below, view.cost_micros / SAME_PRICE)
}

/// Parts of a score by name.
type Factors = Vec<(&'static str, f64)>;

/// Ranks vendors. `listed` is the caller's chain: its order is kept and only eligibility applies.
/// `rotation` are the running weights of [`rotate`], one per vendor, kept between calls.
pub fn rank(
    mut views: Vec<View>,
    listed: &[VendorId],
    strategy: Strategy,
    weights: &ScoreWeights,
    rotation: &mut Vec<(VendorId, f64)>,
) -> Ranking {
    let mut scored: Vec<(View, f64, Factors)> = Vec::with_capacity(views.len());
    let mut skipped: Vec<Candidate> = Vec::new();
    let mut waiting = Vec::new();
    for view in views.drain(..) {
        if let Some(why) = view.barred.clone() {
            skipped.push(Candidate { vendor: view.vendor, score: None, factors: vec![], skipped: Some(why) });
            continue;
        }
        let (score, factors) = score(&view, weights);
        if let Some(at) = view.quota_at {
            waiting.push((at, view.vendor));
            skipped.push(Candidate {
                vendor: view.vendor,
                score: Some(score),
                factors,
                skipped: Some(Skipped::Quota(at)),
            });
            continue;
        }
        scored.push((view, score, factors));
    }
    waiting.sort();
    let by_score = |a: &f64, b: &f64| b.total_cmp(a);
    match strategy {
        _ if !listed.is_empty() => scored
            .sort_by_key(|(view, ..)| listed.iter().position(|id| *id == view.vendor).unwrap_or(usize::MAX)),
        Strategy::Best | Strategy::Consensus => scored.sort_by(|a, b| by_score(&a.1, &b.1)),
        Strategy::Fastest => scored.sort_by(|a, b| a.0.latency_ms.total_cmp(&b.0.latency_ms)),
        Strategy::Cheapest => {
            scored.sort_by(|a, b| thrift(&a.0).cmp(&thrift(&b.0)).then(by_score(&a.1, &b.1)))
        }
        Strategy::Priority => {
            scored.sort_by(|a, b| a.0.priority.cmp(&b.0.priority).then(by_score(&a.1, &b.1)))
        }
        Strategy::WeightedRoundRobin => {
            scored.sort_by(|a, b| by_score(&a.1, &b.1));
            if let Some(best) = scored.first().map(|(_, score, _)| *score) {
                let close: Vec<(VendorId, f64)> = scored
                    .iter()
                    .take_while(|(view, score, _)| {
                        *score >= best * (1.0 - CLOSE) && view.held == 0.0 && !view.demoted
                    })
                    .map(|(view, ..)| (view.vendor, view.weight * view.headroom.max(0.05)))
                    .collect();
                if let Some(turn) = rotate(rotation, &close) {
                    let index = scored.iter().position(|(view, ..)| view.vendor == turn);
                    let first = scored.remove(index.expect("the turn falls on a scored vendor"));
                    scored.insert(0, first);
                }
            }
        }
    }
    if listed.is_empty() {
        scored.sort_by_key(|(view, ..)| view.demoted);
    }
    let order = scored.iter().map(|(view, ..)| view.vendor).collect();
    let mut candidates: Vec<Candidate> = scored
        .into_iter()
        .map(|(view, score, factors)| Candidate {
            vendor: view.vendor,
            score: Some(score),
            factors,
            skipped: None,
        })
        .collect();
    candidates.extend(skipped);
    Ranking { order, waiting, candidates, back_at: None }
}

/// Score of a vendor: a weighted sum, price and load counting against it (algorithms, section 6). A series
/// already held outweighs everything else.
fn score(view: &View, weights: &ScoreWeights) -> (f64, Factors) {
    let factors = vec![
        // A mean score of 50 is worth nothing: between a D and an A lies most of the scale.
        ("quality", (2.0 * view.quality - 1.0).clamp(0.0, 1.0) * view.fields),
        ("reliability", view.reliability),
        ("freshness", view.freshness),
        ("latency", 1.0 - (view.latency_ms / SLOWEST_MS).clamp(0.0, 1.0)),
        ("headroom", view.headroom),
        ("cost", 1.0 - (view.cost_micros as f64 / DEAREST_MICROS).clamp(0.0, 1.0)),
        ("load", 1.0 - (f64::from(view.in_flight) / FULL).clamp(0.0, 1.0)),
        ("held", view.held),
    ];
    let shares = [
        weights.quality,
        weights.reliability,
        weights.freshness,
        weights.latency,
        weights.headroom,
        weights.cost,
        weights.load,
        1.0,
    ];
    (factors.iter().zip(shares).map(|((_, factor), weight)| factor * weight).sum(), factors)
}

/// Smooth weighted round robin (nginx): add its weight to each running value, take the largest, subtract
/// the total from it. Weights 5, 1, 1 give a a b a c a a.
pub fn rotate(running: &mut Vec<(VendorId, f64)>, weights: &[(VendorId, f64)]) -> Option<VendorId> {
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    for (vendor, weight) in weights {
        match running.iter_mut().find(|(id, _)| id == vendor) {
            Some((_, value)) => *value += weight,
            None => running.push((*vendor, *weight)),
        }
    }
    let turn = running
        .iter_mut()
        .filter(|(id, _)| weights.iter().any(|(vendor, _)| vendor == id))
        .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
    turn.1 -= total;
    Some(turn.0)
}

#[cfg(test)]
mod tests {
    // RTE-1, RTE-2, RTE-9.
    use super::*;

    const A: VendorId = VendorId("a");
    const B: VendorId = VendorId("b");
    const C: VendorId = VendorId("c");

    fn view(vendor: VendorId) -> View {
        View {
            vendor,
            barred: None,
            quota_at: None,
            priority: 1,
            weight: 1.0,
            quality: 0.9,
            fields: 1.0,
            reliability: 0.9,
            freshness: 1.0,
            latency_ms: 100.0,
            headroom: 1.0,
            cost_micros: 0,
            in_flight: 0,
            demoted: false,
            held: 0.0,
        }
    }

    fn order(views: Vec<View>, listed: &[VendorId], strategy: Strategy) -> Vec<VendorId> {
        rank(views, listed, strategy, &ScoreWeights::default(), &mut Vec::new()).order
    }

    #[test]
    fn smooth_round_robin_spreads_five_one_one_as_nginx_does() {
        let mut running = Vec::new();
        let turns: Vec<_> =
            (0..7).map(|_| rotate(&mut running, &[(A, 5.0), (B, 1.0), (C, 1.0)]).unwrap().as_str()).collect();
        assert_eq!(turns.join(" "), "a a b a c a a");
        assert_eq!(rotate(&mut running, &[]), None);
    }

    #[test]
    fn equals_take_turns_and_a_clearly_worse_vendor_waits() {
        let mut rotation = Vec::new();
        let mut first = Vec::new();
        for _ in 0..6 {
            let worse = View { quality: 0.2, reliability: 0.3, ..view(C) };
            let ranking = rank(
                vec![view(A), view(B), worse],
                &[],
                Strategy::WeightedRoundRobin,
                &ScoreWeights::default(),
                &mut rotation,
            );
            assert_eq!(ranking.order.len(), 3);
            assert_eq!(ranking.order[2], C);
            first.push(ranking.order[0].as_str());
        }
        assert_eq!(first.join(" "), "a b a b a b");
    }

    /// Who is asked first how often in a thousand questions.
    fn firsts(views: &[View]) -> (usize, usize) {
        let (mut rotation, mut counts) = (Vec::new(), (0, 0));
        for _ in 0..1_000 {
            let weights = ScoreWeights::default();
            let ranking = rank(views.to_vec(), &[], Strategy::WeightedRoundRobin, &weights, &mut rotation);
            match ranking.order[0] {
                A => counts.0 += 1,
                _ => counts.1 += 1,
            }
        }
        counts
    }

    #[test]
    fn load_spreads_by_weight_and_headroom_over_those_within_a_tenth_of_the_best_and_over_nobody_else() {
        assert_eq!(firsts(&[view(A), view(B)]), (500, 500));
        assert_eq!(firsts(&[View { weight: 3.0, ..view(A) }, view(B)]), (750, 250));
        assert_eq!(firsts(&[view(A), View { headroom: 0.25, ..view(B) }]), (800, 200));
        assert_eq!(firsts(&[view(A), View { reliability: 0.85, ..view(B) }]), (500, 500), "within a tenth");
        assert_eq!(firsts(&[view(A), View { reliability: 0.3, ..view(B) }]), (1_000, 0), "not within it");
        assert_eq!(firsts(&[View { demoted: true, ..view(A) }, view(B)]), (0, 1_000));
    }

    #[test]
    fn every_factor_moves_the_order() {
        let worse: [fn(&mut View); 8] = [
            |v| v.fields = 0.5,
            |v| v.freshness = 0.5,
            |v| v.quality = 0.5,
            |v| v.reliability = 0.5,
            |v| v.latency_ms = 1500.0,
            |v| v.headroom = 0.1,
            |v| v.cost_micros = 9_000,
            |v| v.in_flight = 30,
        ];
        for (index, spoil) in worse.into_iter().enumerate() {
            let mut spoilt = view(A);
            spoil(&mut spoilt);
            assert_eq!(order(vec![spoilt, view(B)], &[], Strategy::Best), [B, A], "factor {index}");
        }
    }

    #[test]
    fn each_strategy_orders_by_its_own_measure() {
        let a = View { latency_ms: 10.0, cost_micros: 50, priority: 3, quality: 0.5, ..view(A) };
        let b = View { latency_ms: 90.0, cost_micros: 0, priority: 2, quality: 0.6, ..view(B) };
        let c = View { latency_ms: 50.0, cost_micros: 90, priority: 1, quality: 0.9, ..view(C) };
        let views = || vec![a.clone(), b.clone(), c.clone()];
        assert_eq!(order(views(), &[], Strategy::Fastest), [A, C, B]);
        assert_eq!(order(views(), &[], Strategy::Cheapest), [B, A, C]);
        assert_eq!(order(views(), &[], Strategy::Priority), [C, B, A]);
        assert_eq!(order(views(), &[], Strategy::Best)[0], C);
        assert_eq!(order(views(), &[B, A, C], Strategy::Best), [B, A, C]);
    }

    #[test]
    fn thrift_asks_the_better_of_two_that_are_free_and_nobody_below_the_floors_for_its_price() {
        // CST-4.
        let good = View { quality: 0.95, ..view(B) };
        let poor = View { quality: 0.6, ..view(A) };
        assert_eq!(order(vec![poor.clone(), good.clone()], &[], Strategy::Cheapest), [B, A]);
        assert_eq!(order(vec![poor.clone(), good.clone()], &[], Strategy::Best), [B, A]);
        let scarce = View { cost_micros: 60_000, ..good.clone() };
        assert_eq!(
            order(vec![scarce.clone(), poor], &[], Strategy::Cheapest),
            [A, B],
            "scarce quota is dear"
        );
        let useless = View { quality: 0.3, ..view(A) };
        assert_eq!(order(vec![useless, scarce.clone()], &[], Strategy::Cheapest), [B, A]);
        let slow = View { latency_ms: 2_500.0, ..view(A) };
        assert_eq!(order(vec![slow, scarce], &[], Strategy::Cheapest), [B, A]);
    }

    #[test]
    fn a_spent_quota_moves_a_vendor_aside_with_the_time_it_is_back() {
        let until = Instant::from_secs(60);
        let spent = View { quota_at: Some(until), ..view(A) };
        let barred = View { barred: Some(Skipped::Disabled), ..view(C) };
        let ranking = rank(
            vec![spent, view(B), barred],
            &[],
            Strategy::Best,
            &ScoreWeights::default(),
            &mut Vec::new(),
        );
        assert_eq!(ranking.order, [B]);
        assert_eq!(ranking.waiting, [(until, A)]);
        assert_eq!(
            ranking.candidates.iter().map(|c| (c.vendor, c.skipped.clone())).collect::<Vec<_>>(),
            [(B, None), (A, Some(Skipped::Quota(until))), (C, Some(Skipped::Disabled))]
        );
    }

    #[test]
    fn a_vendor_that_is_late_too_often_goes_behind_the_others() {
        let late = View { demoted: true, ..view(A) };
        assert_eq!(order(vec![late.clone(), view(B)], &[], Strategy::WeightedRoundRobin), [B, A]);
        assert_eq!(order(vec![late, view(B)], &[A, B], Strategy::Best), [A, B]);
    }

    #[test]
    fn a_vendor_that_holds_most_of_a_series_is_asked_for_the_rest() {
        let held = View { held: 0.9, quality: 0.1, reliability: 0.2, ..view(B) };
        assert_eq!(order(vec![view(A), held], &[], Strategy::WeightedRoundRobin), [B, A]);
    }
}
