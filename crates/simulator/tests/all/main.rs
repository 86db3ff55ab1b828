//! The simulator from outside.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod market;
mod pipeline;
mod server;
mod transport;
mod trials;
mod vendors_in_bottles;
mod worlds;
