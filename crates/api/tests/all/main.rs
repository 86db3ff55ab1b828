//! The application in process, over the real pipeline, simulated vendors, a virtual clock and a store in
//! memory.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod server;
mod stage;
mod answers;
mod costs;
mod currency;
mod health;
mod door;
mod lists;
mod caching;
mod compatibility;
mod contract;
mod orders;
mod refusals;
mod rollups;
mod short_way;
