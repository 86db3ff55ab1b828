//! Rows whose body is JSON: the domain's types as text, and back. Numbers with a decimal point are text, so
//! that no digit is lost; instants are nanoseconds since 1970, UTC.

pub(crate) mod money;
pub(crate) mod quote;
pub(crate) mod action;
pub(crate) mod instrument;
pub(crate) mod quota;
pub(crate) mod attempt;
pub(crate) mod decision;
pub(crate) mod failure;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fault::Fault;

/// A record as the text of a row.
pub(crate) fn write(record: &impl Serialize) -> String {
    serde_json::to_string(record).expect("records hold nothing that JSON cannot say")
}

/// A record of a row's text; `what` names it in the error.
pub(crate) fn read<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|_| Fault::Unreadable(what))
}
