//! What is remembered of an instrument's past, reduced to the numbers validation needs.

use domain::{Instant, Price, Size};

use crate::float::{location_and_scale, median, of_price, of_size};

/// Fewest closes that give a volatility.
const FEWEST: usize = 5;

/// The instrument's past before the datum, raw.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct History {
    /// Start of the newest bar in it.
    pub last: Option<Instant>,
    /// Its close.
    pub last_close: Option<Price>,
    /// Median of the log returns from close to close.
    pub drift: f64,
    /// Robust standard deviation of those returns; `None` for fewer than five closes.
    pub sigma: Option<f64>,
    /// Median volume; `None` if none is known.
    pub median_volume: Option<f64>,
}

impl History {
    /// From closes and volumes, oldest first. Prices of zero and below are left out.
    pub fn of(last: Option<Instant>, closes: &[Price], volumes: &[Size]) -> History {
        let mut returns: Vec<f64> = closes
            .windows(2)
            .map(|pair| (of_price(Some(pair[1])) / of_price(Some(pair[0]))).ln())
            .filter(|r| r.is_finite())
            .collect();
        let known = returns.len() + 1 >= FEWEST;
        let (drift, sigma) = location_and_scale(&mut returns);
        let mut volumes: Vec<f64> = volumes.iter().map(|v| of_size(Some(*v))).collect();
        let typical = median(&mut volumes);
        History {
            last,
            last_close: closes.last().copied().filter(|p| p.is_positive()),
            drift: if known { drift } else { 0.0 },
            sigma: known.then_some(sigma),
            median_volume: Some(typical).filter(|v| *v > 0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    // VAL-3: volatility from five bars on, never from price levels.
    use super::*;

    fn prices(text: &str) -> Vec<Price> {
        text.split(' ').map(|p| Price::parse(p).unwrap()).collect()
    }

    #[test]
    fn four_closes_give_no_volatility_and_five_do() {
        assert_eq!(History::of(None, &prices("100 101 100 101"), &[]).sigma, None);
        let sigma = History::of(None, &prices("100 101 100 101 100"), &[]).sigma.unwrap();
        assert!((0.005..0.05).contains(&sigma), "{sigma}");
    }

    #[test]
    fn an_empty_or_broken_past_is_no_past() {
        assert_eq!(History::of(None, &[], &[]), History::default());
        let broken = History::of(None, &prices("0 -1 0 0 0"), &[]);
        assert_eq!((broken.sigma, broken.last_close, broken.median_volume), (None, None, None));
    }
}
