//! What is wrong with a configuration, and what would be right.

use std::collections::BTreeMap;
use std::fmt;

/// One problem: which key, what is wrong, what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the key, `data_sources.yahoo.timeout`; a file or variable where no key is at fault.
    pub key: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

/// Everything that is wrong, together: nothing starts before all of it is mended.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Adds a problem.
    pub fn add(&mut self, key: impl Into<String>, what: impl Into<String>) {
        self.0.push(Problem { key: key.into(), what: what.into() });
    }

    /// `Ok` if there are none.
    ///
    /// # Errors
    /// Itself, if there is any.
    pub fn into_result(self) -> Result<(), Problems> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

/// What one reading of a tree brought to light.
#[derive(Debug, Default)]
pub struct Record {
    /// What is wrong.
    pub problems: Problems,
    /// What a user should know though nothing is wrong.
    pub notices: Vec<String>,
    /// Every key that was asked for, with what it takes, by path.
    pub asked: BTreeMap<String, String>,
}
