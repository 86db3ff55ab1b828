//! Bodies of replies: what precedes reading one, and JSON written with every digit kept.

use std::fmt::{Display, Write};

use crate::HttpResponse;

/// A reply's body without the byte order mark that some stored copies carry.
pub(crate) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// Whether a body is a page for people: a wall, an outage.
pub(crate) fn is_html(body: &[u8]) -> bool {
    without_mark(body).trim_ascii_start().first() == Some(&b'<')
}

/// A page for people: a wall, an outage.
pub(crate) fn page(status: u16, title: &str) -> HttpResponse {
    let page = format!("<!DOCTYPE html><html><head><title>{title}</title></head></html>");
    HttpResponse::new(status, "text/html", page)
}

/// A JSON object in the making, fields in the order they are given.
pub(crate) struct Object {
    text: String,
}

impl Object {
    /// Without fields.
    pub(crate) fn new() -> Object {
        Object { text: "{".to_owned() }
    }

    /// A field whose value is JSON already: a number, a flag, an object, an array.
    #[must_use]
    pub(crate) fn raw(mut self, name: &str, value: impl Display) -> Object {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        write!(self.text, "{}:{value}", quoted(name)).expect("writing to a string cannot fail");
        self
    }

    /// A field of text.
    #[must_use]
    pub(crate) fn text(self, name: &str, value: &str) -> Object {
        self.raw(name, quoted(value))
    }

    /// A number, `null` where there is none.
    #[must_use]
    pub(crate) fn number(self, name: &str, value: Option<impl Display>) -> Object {
        match value {
            Some(value) => self.raw(name, value),
            None => self.raw(name, "null"),
        }
    }

    /// A field that is left out where there is no value.
    #[must_use]
    pub(crate) fn if_any(self, name: &str, value: Option<impl Display>) -> Object {
        match value {
            Some(value) => self.raw(name, value),
            None => self,
        }
    }

    /// A field of text that is left out where there is none.
    #[must_use]
    pub(crate) fn text_if_any(self, name: &str, value: Option<&str>) -> Object {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// The object's text.
    pub(crate) fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

/// Text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text is always a JSON string")
}

/// Values, each JSON already, as an array.
pub(crate) fn array<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> String {
    let mut text = "[".to_owned();
    for value in values {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(value.as_ref());
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    //! SRC-9.
    use super::*;

    #[test]
    fn an_object_is_json_whatever_its_texts_hold() {
        let text =
            Object::new().text("a\"", "b\n\\").number("n", None::<u8>).raw("v", array(["1", "2"])).end();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value, serde_json::json!({"a\"": "b\n\\", "n": null, "v": [1, 2]}));
    }
}
