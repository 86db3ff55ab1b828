//! Judgment against recorded series and labelled corpora, read in place.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its data should stop there")]

mod recorded;
mod scenarios;
