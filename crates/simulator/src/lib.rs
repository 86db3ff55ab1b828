//! Virtual seams: a clock, every vendor in a bottle, faults, days from one seed.

pub mod market;

pub use market::{Market, ReplayError};
