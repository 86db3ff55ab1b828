//! The log of a trial: one line per fact, hashed as it grows, and written to a file where one is wanted.

use std::fmt::{Arguments, Write as _};
use std::io::Write;

/// FNV-1a (Fowler, Noll, Vo), 64 bits.
const START: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// A log. Equal logs have equal hashes.
pub struct Log {
    hash: u64,
    line: String,
    copy: Option<Box<dyn Write + Send>>,
}

impl Default for Log {
    fn default() -> Log {
        Log { hash: START, line: String::new(), copy: None }
    }
}

impl Log {
    /// A log of which a copy is written.
    pub fn copied_to(copy: Box<dyn Write + Send>) -> Log {
        Log { copy: Some(copy), ..Log::default() }
    }

    /// Hash of every line so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn line(&mut self, what: Arguments<'_>) {
        let line = self.start();
        // A string takes everything.
        let _ = line.write_fmt(what);
        self.end();
    }

    pub(crate) fn start(&mut self) -> &mut String {
        self.line.clear();
        &mut self.line
    }

    pub(crate) fn end(&mut self) {
        self.line.push('\n');
        self.hash =
            self.line.bytes().fold(self.hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
        if let Some(copy) = &mut self.copy {
            // A copy that cannot be written is missed by whoever reads it; the hash stands.
            let _ = copy.write_all(self.line.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lines_in_equal_order_have_equal_hashes() {
        let hash = |lines: [&str; 2]| {
            let mut log = Log::default();
            lines.iter().for_each(|line| log.line(format_args!("{line}")));
            log.hash()
        };
        assert_eq!(hash(["a", "b"]), hash(["a", "b"]));
        assert_ne!(hash(["a", "b"]), hash(["b", "a"]));
    }
}
