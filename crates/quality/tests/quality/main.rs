//! Judgment against recorded series and labelled corpora, read in place.

mod recorded;
