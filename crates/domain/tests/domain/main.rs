//! What the nouns promise, tested from outside the crate.

mod directory;
