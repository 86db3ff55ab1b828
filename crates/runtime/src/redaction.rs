//! Secrets stay secret: whatever is written passes here, and what is configured as a secret becomes `***`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tracing_subscriber::fmt::MakeWriter;

const MASK: &str = "***";

/// As a query writes a value that spells out only what it must.
const SPARING: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'+').remove(b'/');
/// As RFC 3986 wants a value: only unreserved characters as they are.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Replaces secrets in text, however they are spelled: as they are, percent-encoded in a URL, or escaped in
/// JSON and debug output.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Spellings, longest first, so that a secret that holds another is masked whole.
    spellings: Arc<[String]>,
}

impl Redactor {
    /// Of these secrets; empty ones are no secrets.
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Redactor {
        let mut all = BTreeSet::new();
        for secret in secrets {
            all.extend(spellings(secret.as_ref()));
        }
        let mut spellings: Vec<String> = all.into_iter().filter(|text| !text.is_empty()).collect();
        spellings.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Redactor { spellings: spellings.into() }
    }

    /// The text with `***` in place of every secret.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = Cow::Borrowed(text);
        for spelling in self.spellings.iter() {
            if out.contains(spelling.as_str()) {
                out = Cow::Owned(out.replace(spelling.as_str(), MASK));
            }
        }
        out
    }

    /// A writer for log lines that redacts each of them.
    pub fn writer<M>(&self, inner: M) -> RedactedWriter<M> {
        RedactedWriter { redactor: self.clone(), inner }
    }
}

impl std::fmt::Debug for Redactor {
    /// Only how many spellings it knows.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} spellings)", self.spellings.len())
    }
}

/// As it is; escaped by JSON, by debug output, and by JSON around debug output; percent-encoded strictly,
/// sparingly and as a form does, each with capital and small digits.
fn spellings(secret: &str) -> Vec<String> {
    let json = |text: &str| {
        let quoted = serde_json::to_string(text).expect("text is always JSON");
        quoted[1..quoted.len() - 1].to_owned()
    };
    let debug = secret.escape_debug().to_string();
    let strict = utf8_percent_encode(secret, STRICT).to_string();
    let encoded = [strict.replace("%20", "+"), strict, utf8_percent_encode(secret, SPARING).to_string()];
    let lower: Vec<String> = encoded.iter().map(|text| lower_escapes(text)).collect();
    [secret.to_owned(), json(secret), json(&debug), debug].into_iter().chain(encoded).chain(lower).collect()
}

/// `%2F` as `%2f`.
fn lower_escapes(text: &str) -> String {
    let mut left = 0;
    text.chars()
        .map(|c| {
            let inside = left > 0;
            left = if c == '%' { 2u8 } else { left.saturating_sub(1) };
            if inside { c.to_ascii_lowercase() } else { c }
        })
        .collect()
}

/// Makes writers whose every line is redacted.
#[derive(Clone, Debug)]
pub struct RedactedWriter<M> {
    redactor: Redactor,
    inner: M,
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for RedactedWriter<M> {
    type Writer = RedactedLine<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        self.line(self.inner.make_writer())
    }
}

impl<M> RedactedWriter<M> {
    fn line<W: io::Write>(&self, inner: W) -> RedactedLine<W> {
        RedactedLine { redactor: self.redactor.clone(), inner, held: Vec::new() }
    }
}

/// Holds what is written until it is whole, then writes it redacted: on flush, and when it is dropped. A
/// secret written in two pieces is masked all the same.
#[derive(Debug)]
pub struct RedactedLine<W: io::Write> {
    redactor: Redactor,
    inner: W,
    held: Vec<u8>,
}

impl<W: io::Write> RedactedLine<W> {
    fn pass_on(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        let text = String::from_utf8_lossy(&held);
        self.inner.write_all(self.redactor.redact(&text).as_bytes())
    }
}

impl<W: io::Write> io::Write for RedactedLine<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass_on()?;
        self.inner.flush()
    }
}

impl<W: io::Write> Drop for RedactedLine<W> {
    fn drop(&mut self) {
        // A log that cannot be written has nobody left to tell.
        let _ = self.pass_on();
    }
}

#[cfg(test)]
mod tests {
    //! SEC-1: a configured secret appears in no line, however it is spelled.
    use std::io::Write;

    use parking_lot::Mutex;

    use super::*;

    const CANARY: &str = "s3cr3t/+= \"canary\"\\ü";

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().clone()).expect("logs are text")
        }
    }

    #[test]
    fn every_spelling_of_a_secret_is_masked_and_nothing_else() {
        let redactor = Redactor::new([CANARY, "", "KEY123"]);
        let url = vendors::HttpRequest::get("/v1").with("token", CANARY).target();
        for text in [
            CANARY.to_owned(),
            url,
            "s3cr3t%2f%2b%3d+%22canary%22%5c%c3%bc".to_owned(),
            format!("{CANARY:?}"),
            serde_json::to_string(CANARY).expect("JSON"),
            "Bearer KEY123, KEY123".to_owned(),
        ] {
            let masked = redactor.redact(&text);
            assert!(
                masked.contains(MASK) && !masked.contains("canary") && !masked.contains("KEY"),
                "{masked}"
            );
        }
        for text in ["", "nothing secret here", "key123", "100%"] {
            assert_eq!(redactor.redact(text), text);
        }
        assert_eq!(redactor.redact("a=KEY123&b=1"), "a=***&b=1");
    }

    #[test]
    fn a_secret_that_holds_another_is_masked_whole() {
        assert_eq!(Redactor::new(["abc", "abcdef"]).redact("abcdef abc"), "*** ***");
    }

    #[test]
    fn a_redactor_does_not_show_what_it_knows() {
        assert!(!format!("{:?}", Redactor::new(["KEY123"])).contains("KEY"));
    }

    #[test]
    fn no_log_line_holds_a_secret_in_any_format() {
        let redactor = Redactor::new([CANARY]);
        for json in [false, true] {
            let sink = Sink::default();
            let made = sink.clone();
            let writer = redactor.writer(move || made.clone());
            let builder = tracing_subscriber::fmt().with_ansi(false).with_writer(writer);
            let log = || {
                tracing::info!(url = CANARY, key = ?CANARY, "asked with {CANARY}");
                tracing::info!("a plain line");
            };
            if json {
                tracing::subscriber::with_default(builder.json().finish(), log);
            } else {
                tracing::subscriber::with_default(builder.finish(), log);
            }
            let text = sink.text();
            assert!(!text.contains("canary") && text.contains(MASK), "{text}");
            assert_eq!(text.lines().count(), 2);
            assert!(text.contains("a plain line"));
        }
    }

    #[test]
    fn a_secret_written_in_two_pieces_is_masked() {
        let sink = Sink::default();
        let made = sink.clone();
        let writer = Redactor::new(["KEY123"]).writer(move || made.clone());
        let mut line = writer.make_writer();
        line.write_all(b"key=KEY").expect("held");
        line.write_all(b"123\n").expect("held");
        drop(line);
        assert_eq!(sink.text(), "key=***\n");
    }
}
