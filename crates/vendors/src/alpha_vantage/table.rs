//! Small tables, the same from JSON objects and from CSV: rows of named cells.

use std::collections::BTreeMap;

use domain::Date;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Rejection;

/// One row: cells by the word of their column.
pub(super) struct Row(BTreeMap<String, String>);

impl Row {
    /// A cell that states something; `None` for a column that is not there, and for the texts that stand
    /// for nothing.
    pub(super) fn get(&self, column: &str) -> Option<&str> {
        self.0.get(column).map(|cell| cell.trim()).filter(|cell| !is_nothing(cell))
    }

    /// A cell that must be there.
    ///
    /// # Errors
    /// [`Rejection::Unreadable`].
    pub(super) fn need(&self, column: &'static str) -> Result<&str, Rejection> {
        self.get(column).ok_or(Rejection::unreadable(column))
    }

    /// A date that must be there.
    ///
    /// # Errors
    /// [`Rejection::Unreadable`].
    pub(super) fn need_date(&self, column: &'static str) -> Result<Date, Rejection> {
        self.need(column)?.parse().map_err(|_| Rejection::unreadable(column))
    }

    /// A date, absent where it says nothing.
    pub(super) fn date(&self, column: &str) -> Option<Date> {
        self.get(column)?.parse().ok()
    }
}

/// Texts that stand for an absent value.
pub(super) fn is_nothing(cell: &str) -> bool {
    matches!(cell, "" | "None" | "null" | "-" | ".")
}

/// The word of a column: `05. price` and `price` are one, `adjusted_close` and `adjusted close` too.
pub(super) fn word(name: &str) -> &str {
    match name.split_once(". ") {
        Some((number, word)) if number.bytes().all(|byte| byte.is_ascii_digit()) => word,
        _ => name,
    }
}

/// The row of a JSON object; values that are neither text nor number are left out.
///
/// # Errors
/// [`Rejection::Unreadable`] for anything but an object.
pub(super) fn row(object: &RawValue) -> Result<Row, Rejection> {
    from_object(object.get())
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Cell {
    Text(String),
    Number(serde_json::Number),
    Other(serde::de::IgnoredAny),
}

fn from_object(text: &str) -> Result<Row, Rejection> {
    let cells: BTreeMap<String, Cell> =
        serde_json::from_str(text).map_err(|_| Rejection::unreadable("an object"))?;
    let named = cells.into_iter().filter_map(|(name, cell)| {
        let text = match cell {
            Cell::Text(text) => text,
            Cell::Number(number) => number.to_string(),
            Cell::Other(_) => return None,
        };
        Some((word(&name).to_owned(), text))
    });
    Ok(Row(named.collect()))
}

/// The rows of a JSON array of objects.
///
/// # Errors
/// [`Rejection::Unreadable`] for anything else.
pub(super) fn rows(array: &RawValue) -> Result<Vec<Row>, Rejection> {
    let objects: Vec<&RawValue> =
        serde_json::from_str(array.get()).map_err(|_| Rejection::unreadable("a list of rows"))?;
    objects.into_iter().map(row).collect()
}

/// The rows of a CSV body that has at least these columns.
///
/// # Errors
/// [`Rejection::Unreadable`] without those columns, and for a row of another length.
pub(super) fn csv_rows(body: &[u8], columns: &[&str]) -> Result<Vec<Row>, Rejection> {
    let unreadable = |_| Rejection::unreadable("CSV");
    let mut reader = csv::ReaderBuilder::new().from_reader(body);
    let names: Vec<String> =
        reader.headers().map_err(unreadable)?.iter().map(|name| name.trim().to_owned()).collect();
    if !columns.iter().all(|column| names.iter().any(|name| name == column)) {
        return Err(Rejection::unreadable("the columns of this table"));
    }
    reader
        .records()
        .map(|record| {
            let record = record.map_err(unreadable)?;
            Ok(Row(names.iter().cloned().zip(record.iter().map(str::to_owned)).collect()))
        })
        .collect()
}
