//! Finds the recorded vendor payloads and market data that tests read in place, and are never committed.

use std::path::{Path, PathBuf};

/// The folder of recorded data: `MDA_TEST_DATA`, else `shared` beside the project.
#[allow(clippy::disallowed_methods, reason = "tests have no configuration but the environment")]
pub fn root() -> PathBuf {
    match std::env::var("MDA_TEST_DATA") {
        Ok(path) => PathBuf::from(path),
        Err(_) => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    }
}

/// A file or folder below [`root`], or `None` with a line that names the test it skips.
///
/// # Panics
/// Where it is absent and `CI` is `true`: a suite must not be silently green without its data.
#[allow(clippy::disallowed_methods, reason = "tests have no configuration but the environment")]
pub fn find(test: &str, path: &str) -> Option<PathBuf> {
    let full = root().join(path);
    if full.exists() {
        return Some(full);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} needs {}, which is absent", full.display());
    eprintln!("skipped: {test}: {} is absent", full.display());
    None
}
