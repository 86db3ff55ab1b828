//! Prices and volumes in whole steps, and how one candle divides into many that add up to it exactly.

use domain::number::Decimal;
use domain::{Bar, Instant, Price, Size};

use super::dice::Dice;

/// Open, high, low, close and volume in whole steps of an instrument's decimal places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candle {
    pub(crate) open: i64,
    pub(crate) high: i64,
    pub(crate) low: i64,
    pub(crate) close: i64,
    pub(crate) volume: i64,
}

/// A candle with the start of its minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Minute {
    pub(crate) start: Instant,
    pub(crate) candle: Candle,
}

/// One print: a price at an instant, and how much changed hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Print {
    pub(crate) at: Instant,
    pub(crate) price: i64,
    pub(crate) size: i64,
}

/// How many decimal places the whole steps of an instrument stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) price: u32,
    pub(crate) size: u32,
}

impl Places {
    pub(crate) fn price(self, steps: i64) -> Price {
        Price::new(Decimal::new(steps, self.price))
    }

    pub(crate) fn size(self, steps: i64) -> Size {
        Size::new(Decimal::new(steps, self.size))
    }

    /// A final bar of a candle.
    pub(crate) fn bar(self, start: Instant, candle: Candle) -> Bar {
        let prices = [candle.open, candle.high, candle.low, candle.close].map(|steps| self.price(steps));
        Bar::new(start, prices, self.size(candle.volume))
    }
}

impl Candle {
    /// A candle of one price.
    pub(crate) fn flat(price: i64, volume: i64) -> Candle {
        Candle { open: price, high: price, low: price, close: price, volume }
    }

    /// Takes over a later candle.
    pub(crate) fn absorb(&mut self, later: Candle) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.volume += later.volume;
    }

    /// Both in order; the other alone where there is none yet.
    pub(crate) fn then(so_far: Option<Candle>, later: Candle) -> Candle {
        let Some(mut candle) = so_far else { return later };
        candle.absorb(later);
        candle
    }

    /// Divides into one candle for each weight, whose sum is exactly this one. Volume follows the weights.
    pub(crate) fn divide(self, weights: &[f64], dice: Dice) -> Vec<Candle> {
        let count = weights.len();
        if count <= 1 {
            return vec![self; count];
        }
        let path = self.path(count, dice);
        let span = (self.high - self.low) as f64;
        let wick = span / (count as f64).sqrt() * 0.2;
        let volumes = apportion(self.volume, weights);
        let mut parts: Vec<Candle> = (0..count)
            .map(|i| {
                let (open, close) = (path[i], path[i + 1]);
                let reach = |n| (dice.at(n).at(i as u64).normal().abs() * wick).round() as i64;
                Candle {
                    open,
                    high: (open.max(close) + reach(1)).min(self.high),
                    low: (open.min(close) - reach(2)).max(self.low),
                    close,
                    volume: volumes[i],
                }
            })
            .collect();
        if let Some(top) = (0..count).rev().max_by_key(|i| parts[*i].high) {
            parts[top].high = self.high;
        }
        if let Some(bottom) = (0..count).rev().min_by_key(|i| parts[*i].low) {
            parts[bottom].low = self.low;
        }
        parts
    }

    /// `count + 1` prices from open to close that stay between low and high.
    fn path(self, count: usize, dice: Dice) -> Vec<i64> {
        let mut noise = Vec::with_capacity(count + 1);
        let mut sum = 0.0;
        noise.push(0.0);
        for i in 0..count {
            sum += dice.at(0).at(i as u64).normal();
            noise.push(sum);
        }
        let steps = count as f64;
        for (i, value) in noise.iter_mut().enumerate() {
            *value -= sum * i as f64 / steps;
        }
        let (least, most) = noise.iter().fold((0.0f64, 0.0f64), |(l, m), v| (l.min(*v), m.max(*v)));
        let scale = if most > least { 0.9 * (self.high - self.low) as f64 / (most - least) } else { 0.0 };
        let (open, close) = (self.open as f64, self.close as f64);
        let mut path: Vec<i64> = noise
            .iter()
            .enumerate()
            .map(|(i, value)| {
                let straight = open + (close - open) * i as f64 / steps;
                ((straight + value * scale).round() as i64).clamp(self.low, self.high)
            })
            .collect();
        path[0] = self.open;
        path[count] = self.close;
        path
    }

    /// The prints of a minute that starts at `start`: at most one a second, the first at the open and the
    /// last at the close, high and low among them, volume exact.
    pub(crate) fn prints(self, start: Instant, dice: Dice) -> Vec<Print> {
        let count = usize::try_from(self.volume.clamp(4, 60)).unwrap_or(60);
        let mut prices = self.path(count - 1, dice);
        let inner = count as u64 - 2;
        let top = 1 + dice.at(3).below(inner);
        let bottom = 1 + (top - 1 + 1 + dice.at(4).below(inner - 1)) % inner;
        prices[top as usize] = self.high;
        prices[bottom as usize] = self.low;
        let volumes = apportion(self.volume, &vec![1.0; count]);
        (0..count)
            .map(|i| {
                let second = (i * 60 / count) as i64 * 1_000;
                let within = if i == 0 { 0 } else { dice.at(5).at(i as u64).below(900) as i64 };
                Print {
                    at: Instant::from_millis(start.as_millis() + second + within),
                    price: prices[i],
                    size: volumes[i],
                }
            })
            .collect()
    }
}

/// Whole shares of a total in proportion to weights, adding up to it exactly.
fn apportion(total: i64, weights: &[f64]) -> Vec<i64> {
    let sum: f64 = weights.iter().sum();
    let mut so_far = 0.0;
    let mut given = 0;
    let last = weights.len().saturating_sub(1);
    weights
        .iter()
        .enumerate()
        .map(|(i, weight)| {
            so_far += weight;
            let upto = if i == last { total } else { (total as f64 * so_far / sum).floor() as i64 };
            let share = upto - given;
            given = upto;
            share
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candle() -> impl Strategy<Value = Candle> {
        (1i64..1_000_000, 0i64..5_000, 0.0f64..=1.0, 0.0f64..=1.0, 0i64..10_000_000).prop_map(
            |(low, span, open, close, volume)| {
                let at = |share: f64| low + (span as f64 * share) as i64;
                Candle { open: at(open), high: low + span, low, close: at(close), volume }
            },
        )
    }

    proptest! {
        #[test]
        fn parts_of_a_candle_add_up_to_it(whole in candle(), count in 1usize..500, seed: u64) {
            let weights: Vec<f64> = (0..count).map(|i| 1.0 + i as f64).collect();
            let parts = whole.divide(&weights, Dice::new(seed));
            prop_assert_eq!(parts.len(), count);
            prop_assert!(parts.iter().all(|c| c.low <= c.open.min(c.close) && c.high >= c.open.max(c.close)));
            prop_assert!(parts.iter().all(|c| c.volume >= 0));
            let sum = parts.into_iter().fold(None, |sum, part| Some(Candle::then(sum, part)));
            prop_assert_eq!(sum, Some(whole));
        }

        #[test]
        fn prints_of_a_minute_add_up_to_it(whole in candle(), seed: u64) {
            let start = Instant::from_secs(1_700_000_040);
            let prints = whole.prints(start, Dice::new(seed));
            let end = start + std::time::Duration::from_secs(60);
            prop_assert!(prints.iter().all(|p| start <= p.at && p.at < end));
            prop_assert!(prints.windows(2).all(|pair| pair[0].at.as_secs() < pair[1].at.as_secs()));
            let sum = prints
                .into_iter()
                .fold(None, |sum, p| Some(Candle::then(sum, Candle::flat(p.price, p.size))));
            prop_assert_eq!(sum, Some(whole));
        }
    }
}
