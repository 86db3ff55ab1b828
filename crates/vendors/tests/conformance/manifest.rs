//! The recorded payloads of a vendor, and what a right reader makes of them, read as data.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use vendors::HttpResponse;
use vendors::reading::unwrap_envelope;

/// One recorded payload.
pub(crate) struct Entry {
    /// Name of the file.
    pub(crate) file: String,
    /// Where the payload came from.
    pub(crate) endpoint: String,
    /// The very request, where it was recorded too.
    pub(crate) request: Option<String>,
    /// Whether a right reader refuses it.
    pub(crate) is_error: bool,
    /// What a right reader says.
    pub(crate) expected: Map<String, Value>,
    status: Option<u16>,
    headers: Map<String, Value>,
    is_wrapped: bool,
    path: PathBuf,
}

/// All entries of a vendor's manifest; `None` where the recordings are absent.
pub(crate) fn entries(test: &str, vendor: &str) -> Option<Vec<Entry>> {
    let path = test_data::find(test, &format!("fixtures/{vendor}/manifest.json"))?;
    let list: Vec<Value> =
        serde_json::from_slice(&fs::read(&path).expect("a manifest that exists is readable"))
            .expect("a manifest is a list of entries");
    let folder = path.parent().expect("a file has a folder");
    Some(list.iter().map(|value| Entry::new(value, folder)).collect())
}

impl Entry {
    fn new(value: &Value, folder: &Path) -> Entry {
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let expected = value["expected"].as_object().cloned().unwrap_or_default();
        let status = value["http"]["status"].as_u64().or_else(|| expected.get("http_status")?.as_u64());
        Entry {
            path: folder.join(text("file")),
            file: text("file"),
            endpoint: text("endpoint"),
            // What the recorder masked is a template's blank again.
            request: value["request"].as_str().map(|url| url.replace("=MOCK_", "={}")),
            is_error: text("kind") == "error",
            status: status.and_then(|status| status.try_into().ok()),
            headers: value["http"]["headers"].as_object().cloned().unwrap_or_default(),
            is_wrapped: text("format") == "wrapped_text",
            expected,
        }
    }

    /// The reply as it came over the wire.
    pub(crate) fn response(&self) -> HttpResponse {
        let bytes = fs::read(&self.path).unwrap_or_else(|e| panic!("{}: {e}", self.file));
        if self.is_wrapped {
            return unwrap_envelope(&bytes).unwrap_or_else(|| panic!("{} is no envelope", self.file));
        }
        let kind = if self.file.ends_with(".csv") { "application/x-download" } else { "application/json" };
        let mut response =
            HttpResponse { status: self.status.unwrap_or(200), headers: Vec::new(), body: bytes };
        for (name, value) in &self.headers {
            response = response.with_header(name, value.as_str().unwrap_or_default());
        }
        if response.header("content-type").is_none() {
            response = response.with_header("content-type", kind);
        }
        response
    }

    /// An expected text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.expected.get(key)?.as_str()
    }
}
