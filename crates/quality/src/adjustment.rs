//! Restating prices for splits and dividends, and back: exact, point in time, or refused.

pub mod convert;
pub mod factors;
pub mod split;

pub use convert::{CannotConvert, Conversion, Record, convert};
pub use factors::{Factors, PriceStep, dividend_factor};
pub use split::recognise_split;
