//! What the nouns promise, tested from outside the crate.

mod calendar;
mod calendar_recordings;
mod calendar_text;
mod directory;
