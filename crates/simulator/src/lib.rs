//! Virtual seams: a clock, every vendor in a bottle, faults, days from one seed.

pub mod market;
mod arrivals;
pub mod bottle;
pub mod fault;
pub mod journal;
pub mod clock;
pub mod entropy;
pub mod world;
pub mod transport;
pub mod store;
pub mod server;
pub mod checker;
pub mod trial;

pub use bottle::{Bottle, Latency};
pub use checker::{Checker, Invariant};
pub use clock::{ShiftedClock, VirtualClock};
pub use entropy::SeededEntropy;
pub use fault::{Fault, Faults, Schedule, Spell};
pub use journal::{Entry, Journal};
pub use market::{Market, ReplayError};
pub use server::Simulator;
pub use store::MemoryStore;
pub use transport::SimulatedTransport;
pub use trial::{Report, Trial};
pub use world::World;
