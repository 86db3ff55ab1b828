//! `mda` as a process, against vendors it simulates on loopback ports (TST-7). Nothing here knows more of the
//! program than its command line, its output and its addresses. A module names the requirements it proves.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests start processes and fail by panicking"
)]

mod process;
mod recording;
mod stage;
mod web;

mod budgets;
mod breakers;
mod failures;
mod jobs;
mod payloads;
mod promises;
mod quotas;
mod quotes;
mod refusals;
mod replays;
mod secrets;
mod sessions;
mod shared;
mod storage;
mod wiring;
