//! The life of a request, and the seams to the world. No socket, file or clock in here.

pub mod pipeline;
pub mod gateway;
pub mod seams;
pub mod request;
pub mod answer;
pub mod settings;
pub mod ranking;
pub mod router;
pub mod walk;
pub mod consensus;
pub mod verdict;
pub mod consequence;
pub mod upstream;
pub mod breakers;
pub mod breaker_facts;
pub mod maintenance;
pub mod recovery;
pub mod limiter;
pub mod ledger;
pub mod spending;
pub mod estimate;
pub mod advice;
pub mod shared;
pub mod common_quota;
pub mod foresight;
pub mod learned;
pub mod batches;
pub mod dispatch;
pub mod background;
pub mod health;
pub mod service_levels;
pub mod system_health;
pub mod cache;
pub mod level_two;
pub mod lifetime;
pub mod ahead;
pub mod rhythm;
pub mod budget;
pub mod flight_key;
pub mod flights;
pub mod history;
pub mod actions;
pub mod aggregate;
pub mod normalise;
pub mod judge;
pub mod currency;
pub mod voices;
pub mod opinion;
pub mod bookkeeping;
pub mod drift;
pub mod series;
pub mod rollup;
pub mod scribe;
pub mod recall;
pub mod trail;
pub mod words;

pub use answer::{
    Answer, Attempt, CacheState, Candidate, Decision, Failure, Outcome, Served, Skipped, Unanswered, Warning,
    Why,
};
pub use gateway::{Gateway, Seams};
pub use request::{Failover, Policy, Priority, Request, RequestId, StaleAllowance, Strategy};
pub use seams::{Address, Clock, Entropy, Pending, Shared, Store, StoreError, Transport, TransportError};
pub use series::{LearnedAction, NewBars, SeriesKey, StoredActions, StoredBar, StoredQuote, StoredSeries};
pub use settings::{Settings, UpstreamSettings};
