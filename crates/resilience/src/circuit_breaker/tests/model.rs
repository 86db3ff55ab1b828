//! BRK-1, BRK-4, BRK-5: random schedules; only the transitions of algorithms.md §8, one probe at a time, no
//! call past an open breaker.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

#[derive(Clone, Debug)]
enum Act {
    Wait(u32),
    Ask(usize),
    Settle(usize, Outcome),
    Abandon(usize),
    Word(u32),
    Maintain(u32),
    EndMaintenance,
    Unauthorized,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let outcome = prop_oneof![
        3 => Just(FAST),
        4 => Just(TIMEOUT),
        1 => Just(Outcome::Failed(Failure::Data)),
        1 => Just(Outcome::Failed(Failure::NotCounted)),
        1 => Just(Outcome::Succeeded { took: 9 * SECOND }),
    ];
    let act = prop_oneof![
        20 => (0_u32..20_000).prop_map(Act::Wait),
        60 => (0_usize..5).prop_map(Act::Ask),
        40 => (any::<usize>(), outcome).prop_map(|(which, outcome)| Act::Settle(which, outcome)),
        6 => any::<usize>().prop_map(Act::Abandon),
        1 => (0_u32..200).prop_map(Act::Word),
        1 => (0_u32..200).prop_map(Act::Maintain),
        1 => Just(Act::EndMaintenance),
        1 => Just(Act::Unauthorized),
    ];
    prop::collection::vec(act, 1..400)
}

fn allowed(transition: &Transition) -> bool {
    matches!(
        (transition.from.as_str(), transition.to.as_str(), &transition.reason),
        ("closed", "degraded", Reason::Failures | Reason::SlowCalls)
            | ("closed" | "degraded", "open", Reason::Failures | Reason::FailuresInARow)
            | ("closed" | "degraded" | "half_open", "open", Reason::VendorsWord)
            | ("degraded", "closed", Reason::Recovered)
            | ("open" | "maintenance", "half_open", Reason::WaitOver)
            | ("maintenance", "half_open", Reason::Ordered)
            | ("half_open", "closed", Reason::ProbesSucceeded)
            | ("half_open", "open", Reason::ProbeFailed)
            | (_, "maintenance", Reason::Planned(_) | Reason::BadCredentials)
    )
}

/// What a test knows without the breaker: facts told so far, and calls under way.
struct Watch {
    breaker: CircuitBreaker,
    now: Instant,
    state: State,
    calls: Vec<Admission>,
    probe_since: Option<Instant>,
    seen: BTreeSet<(&'static str, &'static str)>,
}

impl Watch {
    fn told(&mut self, transition: Option<Transition>) {
        let Some(transition) = transition else { return };
        assert!(allowed(&transition), "{transition}");
        assert_eq!(transition.from.as_str(), self.state.as_str(), "facts follow one another");
        self.seen.insert((transition.from.as_str(), transition.to.as_str()));
        self.state = transition.to;
        self.probe_since = None;
    }

    fn act(&mut self, act: Act) {
        let now = self.now;
        match act {
            Act::Wait(ms) => self.now += Duration::from_millis(u64::from(ms)),
            Act::Ask(class) => self.ask(Priority::ALL[class]),
            Act::Settle(which, outcome) if !self.calls.is_empty() => {
                let call = self.calls.swap_remove(which % self.calls.len());
                let neutral = outcome == Outcome::Failed(Failure::NotCounted);
                let was_probe = call.is_probe;
                let fact = self.breaker.settle(call, outcome, now);
                assert!(!neutral || fact.is_none());
                if was_probe && fact.is_none() {
                    self.probe_since = None;
                }
                self.told(fact);
            }
            Act::Abandon(which) if !self.calls.is_empty() => {
                let call = self.calls.swap_remove(which % self.calls.len());
                if call.is_probe {
                    self.probe_since = None;
                }
                self.breaker.abandon(call);
            }
            Act::Settle(..) | Act::Abandon(_) => (),
            Act::Word(secs) => {
                let fact = self.breaker.open_until(now + secs * SECOND, now);
                self.told(fact);
            }
            Act::Maintain(secs) => {
                let fact = self.breaker.enter_maintenance(now + secs * SECOND, "planned", now);
                self.told(Some(fact));
            }
            Act::EndMaintenance => {
                let fact = self.breaker.end_maintenance(now);
                self.told(fact);
            }
            Act::Unauthorized => {
                let fact = self.breaker.unauthorized(now);
                self.told(Some(fact));
            }
        }
        assert_eq!(self.breaker.state().as_str(), self.state.as_str(), "every change of state is told");
        self.state = self.breaker.state();
    }

    fn ask(&mut self, priority: Priority) {
        let now = self.now;
        let wait_over = match &self.state {
            State::Open { until } | State::Maintenance { until, .. } => now >= *until,
            State::Closed | State::Degraded | State::HalfOpen => true,
        };
        let foreseen = self.breaker.check(now, priority);
        match self.breaker.admit(now, MIDDLE, priority) {
            Ok(mut call) => {
                assert!(wait_over, "a call has passed {:?}", self.state);
                self.told(call.transition.take());
                if call.is_probe {
                    assert_eq!(self.state, State::HalfOpen);
                    let lapse = self.breaker.settings().open;
                    assert!(
                        self.probe_since.is_none_or(|since| now >= since + lapse),
                        "two probes at a time"
                    );
                    self.probe_since = Some(now);
                } else {
                    assert!(matches!(self.state, State::Closed | State::Degraded));
                }
                self.calls.push(call);
            }
            Err(refused) => {
                assert!(refused.retry_at > now);
                assert_eq!(refused.state.as_str(), self.state.as_str());
                if self.state != State::Degraded {
                    assert_eq!(foreseen, Err(refused), "what a router is told is what happens");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_the_transitions_of_the_table_happen_and_each_is_told_once(acts in acts(), failures in 1_u32..8) {
        let breaker = CircuitBreaker::new(Settings { failures, ..Settings::default() });
        let state = State::Closed;
        let (calls, seen) = (Vec::new(), BTreeSet::new());
        let mut watch = Watch { breaker, now: t(0.0), state, calls, probe_since: None, seen };
        for act in acts {
            watch.act(act);
        }
    }
}
