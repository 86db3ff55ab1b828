//! What is kept, for real: one SQLite file that survives kill -9, full disks and corrections; and what several
//! instances share, on Redis.

pub mod sqlite;
pub mod boot;
mod dated_facts;
pub mod journal;
pub mod worker;
pub mod instances;

mod bars;
mod rollups;
mod sealed;
mod block;
mod row;
mod varint;
mod actions;
mod quotes;
mod retention;
mod instruments;
mod quotas;
mod ledger;
mod record;
mod word;
mod statements;
mod migration;
mod fault;

#[cfg(test)]
mod samples;

pub use instances::Redis;
pub use journal::StoredEvent;
pub use retention::Dropped;
pub use sqlite::{Options, Sqlite};
pub use worker::{OnSlow, Slow};
