//! Shows what the gateway makes of a vendor's payload.

use std::io::Read;

use anyhow::{Context, Result};
use serde_json::Value;
use vendors::{HttpResponse, reading};

use crate::arguments::Decode;
use crate::{exit, table};

/// Decodes and prints.
pub(crate) fn run(decode: Decode, as_json: bool) -> Result<u8> {
    let Some(codec) = vendors::find(&decode.vendor) else {
        return Err(exit::no_vendor(&decode.vendor).into());
    };
    let bytes = if decode.file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("standard input cannot be read")?;
        bytes
    } else {
        std::fs::read(&decode.file).map_err(|error| exit::Failed {
            code: exit::CONFIGURATION,
            what: format!("{} cannot be read: {error}", decode.file.display()),
        })?
    };
    let response = reading::unwrap_envelope(&bytes).unwrap_or_else(|| HttpResponse {
        status: decode.status,
        headers: Vec::new(),
        body: bytes,
    });
    let read = reading::read(codec, &decode.endpoint, &response);
    let printed = api::decoded::to_json(&read);
    if as_json {
        println!("{printed}");
    } else {
        show(&printed);
    }
    Ok(if read.is_ok() { exit::OK } else { exit::REJECTED })
}

/// A table of the rows, with those columns that hold anything.
fn show(printed: &Value) {
    if let Some(rejection) = printed.get("rejection") {
        println!("rejected: {}", table::cell(&rejection["class"]));
        return;
    }
    let kind = printed["kind"].as_str().unwrap_or_default();
    for (key, value) in printed.as_object().into_iter().flatten() {
        if key != kind && key != "kind" && !value.is_null() && !value.is_array() {
            println!("{key}: {}", table::cell(value));
        }
    }
    let rows: Vec<&Value> = printed[kind].as_array().into_iter().flatten().collect();
    let mut columns: Vec<&str> = Vec::new();
    for (key, value) in rows.iter().filter_map(|row| row.as_object()).flatten() {
        if !value.is_null() && !columns.contains(&key.as_str()) {
            columns.push(key);
        }
    }
    let cells =
        rows.iter().map(|row| columns.iter().map(|column| table::cell(&row[*column])).collect()).collect();
    table::print(&columns, cells);
}
