//! The application in process, over the real pipeline, simulated vendors, a virtual clock and a store in
//! memory.

mod stage;
mod answers;
mod refusals;
