//! LIM-3, SCH-2, SCH-3: what a limiter knows, driven step by step at random: no place is lost, no one is
//! forgotten in line, no window is passed, and in the end everyone is served or told why not.

use std::collections::HashMap;

use resilience::quota::{Limit, Pace, Settings, Window};

use super::*;
use crate::foresight::Hours;

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

fn claim(dice: &mut Dice, now: Instant) -> Claim {
    Claim {
        cost: 1.into(),
        endpoint: "quote",
        priority: Priority::ALL[dice.below(5) as usize],
        deadline: now + Duration::from_millis(200 + dice.below(30_000)),
        may_wait: true,
        is_refresh: false,
        asker: dice.below(4),
        urgency: None,
    }
}

#[test]
fn no_place_is_lost_and_nobody_is_forgotten_in_line() {
    for seed in 1..=20_u64 {
        let limits = vec![Limit { count: 40, window: Window::Sliding(Duration::from_secs(10)) }];
        let settings = Settings::new(limits, Pace::Burst, jiff::tz::TimeZone::UTC);
        let rules =
            Schedule { in_flight: 3, longest_line: 12, forecast: seed % 2 == 0, ..Schedule::default() };
        let mut state = State::new(
            Quota::new(settings),
            &rules,
            Learned { hours: Hours::always(), limit: None, rates: Vec::new() },
        );
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut now = Instant::EPOCH;
        let mut in_line: HashMap<Ticket, Claim> = HashMap::new();
        let (mut flying, mut sent, mut served, mut refused) = (0_u32, Vec::new(), 0, 0);
        for step in 0..5_000 {
            // The second half only ends what the first half began.
            match if step < 4_000 { dice.below(6) } else { 2 + dice.below(2) } {
                0 | 1 => {
                    let claim = claim(&mut dice, now);
                    match state.enter(&claim, now) {
                        Ok(_grant) => {
                            (flying, served) = (flying + 1, served + 1);
                            sent.push(now);
                        }
                        Err(none) => match state.join(&claim, none, now) {
                            Ok((ticket, _)) => drop(in_line.insert(ticket, claim)),
                            Err(_) => refused += 1,
                        },
                    }
                }
                2 if flying > 0 => {
                    let latency = Duration::from_millis(dice.below(300));
                    state.ended("quote", 1, Ended::Well, latency, now);
                    state.release(None, "quote");
                    flying -= 1;
                }
                4 if !in_line.is_empty() => {
                    let ticket = *in_line.keys().min().expect("it is not empty");
                    in_line.remove(&ticket);
                    state.leave(ticket);
                }
                _ => now += Duration::from_millis(dice.below(400)),
            }
            // Everyone looks whether it is their turn, in any order; those whose turn it is must find it.
            loop {
                let mut tickets: Vec<Ticket> = in_line.keys().copied().collect();
                tickets.sort();
                let mut moved = false;
                for ticket in tickets {
                    match state.step(ticket, &in_line[&ticket].clone(), now) {
                        Step::Granted(_grant) => {
                            in_line.remove(&ticket);
                            (flying, served, moved) = (flying + 1, served + 1, true);
                            sent.push(now);
                        }
                        Step::Refused(_) => {
                            in_line.remove(&ticket);
                            state.leave(ticket);
                            (refused, moved) = (refused + 1, true);
                        }
                        Step::Wait(until) => {
                            assert!(until > now, "seed {seed} step {step}: a wait in the past")
                        }
                    }
                }
                if !moved {
                    break;
                }
            }
            let line = state.line_status(now);
            assert_eq!((line.in_flight, line.depth), (flying, in_line.len()), "seed {seed} step {step}");
            assert!(line.in_flight <= 3 && line.depth <= 12, "seed {seed} step {step}: {line:?}");
            let window = sent.iter().filter(|at| now.since(**at) < Duration::from_secs(10)).count();
            assert!(window <= 40, "seed {seed} step {step}: {window} in a window");
        }
        assert!(in_line.is_empty(), "seed {seed}: {} wait for ever", in_line.len());
        assert!(served > 500 && refused > 10, "seed {seed}: {served} served, {refused} refused");
    }
}
