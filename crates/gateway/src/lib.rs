//! The life of a request, and the seams to the world. No socket, file or clock in here.

pub mod seams;
pub mod request;
pub mod answer;
pub mod series;

pub use answer::{Attempt, Candidate, Decision, Outcome, Skipped};
pub use request::{Failover, Policy, Priority, RequestId, StaleAllowance, Strategy};
pub use seams::{Address, Clock, Entropy, Pending, Store, StoreError, Transport, TransportError};
pub use series::{LearnedAction, NewBars, SeriesKey, StoredActions, StoredBar, StoredQuote, StoredSeries};
