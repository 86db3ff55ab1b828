//! What every vendor in `vendors::ALL` keeps, with nothing written for it but its own file.

mod alterations;
mod expectation;
mod fixtures;
mod manifest;
mod profiles;
mod questions;
mod rejections;
mod round_trip;

use std::panic::{AssertUnwindSafe, catch_unwind};

use vendors::Codec;

/// The vendors that offer something.
fn offering() -> impl Iterator<Item = &'static dyn Codec> {
    vendors::ALL.iter().copied().filter(|codec| !codec.profile().offers.is_empty())
}

/// Runs a check for every vendor that offers something, and names all that fail.
///
/// # Panics
/// If one fails.
fn each_vendor(check: impl Fn(&'static dyn Codec)) {
    let fails = |codec: &&'static dyn Codec| catch_unwind(AssertUnwindSafe(|| check(*codec))).is_err();
    let failed: Vec<&str> = offering().filter(fails).map(|codec| codec.profile().id.as_str()).collect();
    assert!(failed.is_empty(), "vendors that fail: {failed:?}");
}
