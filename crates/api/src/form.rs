//! The form of an answer: JSON, NDJSON or CSV; how times and numbers are written.

use std::borrow::Cow;
use std::io::Write;

use domain::number::Decimal;
use domain::{Date, Instant, Price, Size};

/// Shape of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// The envelope.
    #[default]
    Json,
    /// One row a line; the envelope's facts are in the headers.
    Ndjson,
    /// One row a line after a line of names; the envelope's facts are in the headers.
    Csv,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 3] = [Format::Json, Format::Ndjson, Format::Csv];

    /// The policy word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Ndjson => "ndjson",
            Format::Csv => "csv",
        }
    }

    /// The media type it is sent as.
    pub const fn media_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Ndjson => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8",
        }
    }

    /// The format an `Accept` header prefers, of those we have; JSON if it names none.
    pub fn accepted(accept: &str) -> Format {
        accept
            .split(',')
            .find_map(|range| match range.split(';').next()?.trim() {
                "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Format::Ndjson),
                "text/csv" => Some(Format::Csv),
                "application/json" => Some(Format::Json),
                _ => None,
            })
            .unwrap_or_default()
    }
}

/// How times of rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Stamp {
    /// RFC 3339, UTC.
    #[default]
    Iso,
    /// Seconds since 1970, rounded down.
    Seconds,
    /// Milliseconds since 1970, rounded down.
    Millis,
    /// Microseconds since 1970, rounded down.
    Micros,
    /// Nanoseconds since 1970; text in JSON, where numbers of that size lose digits.
    Nanos,
}

impl Stamp {
    /// All forms.
    pub const ALL: [Stamp; 5] = [Stamp::Iso, Stamp::Seconds, Stamp::Millis, Stamp::Micros, Stamp::Nanos];

    /// The policy word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Stamp::Iso => "iso",
            Stamp::Seconds => "s",
            Stamp::Millis => "ms",
            Stamp::Micros => "us",
            Stamp::Nanos => "ns",
        }
    }
}

/// How prices and quantities are written in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Numbers {
    /// As numbers with all digits.
    #[default]
    Number,
    /// As text with all digits.
    Text,
}

impl Numbers {
    /// All forms.
    pub const ALL: [Numbers; 2] = [Numbers::Number, Numbers::Text];

    /// The policy word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Numbers::Number => "number",
            Numbers::Text => "string",
        }
    }
}

/// How the rows of a list are arranged in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Arrangement {
    /// A list of objects, one a row.
    #[default]
    Rows,
    /// One object of lists, all of one length.
    Columns,
}

impl Arrangement {
    /// All arrangements.
    pub const ALL: [Arrangement; 2] = [Arrangement::Rows, Arrangement::Columns];

    /// The policy word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Arrangement::Rows => "rows",
            Arrangement::Columns => "columns",
        }
    }
}

/// The form of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Form {
    /// Shape of the body.
    pub format: Format,
    /// Times of rows.
    pub stamp: Stamp,
    /// Prices and quantities.
    pub numbers: Numbers,
    /// Rows of lists.
    pub arrangement: Arrangement,
    /// Whether the decision is embedded.
    pub explain: bool,
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Nobody said.
    Absent,
    /// Yes or no.
    Flag(bool),
    /// A price, quantity or ratio.
    Number(Decimal),
    /// A count.
    Count(u64),
    /// Words.
    Text(Cow<'a, str>),
    /// Several words.
    Texts(Vec<String>),
    /// A point in time.
    Time(Instant),
    /// A calendar date.
    Date(Date),
}

impl From<Option<Price>> for Cell<'_> {
    fn from(price: Option<Price>) -> Self {
        price.map_or(Cell::Absent, |price| Cell::Number(price.decimal()))
    }
}

impl From<Option<Size>> for Cell<'_> {
    fn from(size: Option<Size>) -> Self {
        size.map_or(Cell::Absent, |size| Cell::Number(size.decimal()))
    }
}

impl From<Option<Instant>> for Cell<'_> {
    fn from(at: Option<Instant>) -> Self {
        at.map_or(Cell::Absent, Cell::Time)
    }
}

impl From<Option<Date>> for Cell<'_> {
    fn from(date: Option<Date>) -> Self {
        date.map_or(Cell::Absent, Cell::Date)
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Cell::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<Option<&'a str>> for Cell<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Cell::Absent, Cell::from)
    }
}

impl From<String> for Cell<'_> {
    fn from(text: String) -> Self {
        Cell::Text(Cow::Owned(text))
    }
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Cell::Flag`].
    Flag,
    /// [`Cell::Number`].
    Number,
    /// [`Cell::Count`].
    Count,
    /// [`Cell::Text`].
    Text,
    /// [`Cell::Texts`].
    Texts,
    /// [`Cell::Time`].
    Time,
    /// [`Cell::Date`].
    Date,
}

/// What stands in a column where nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Something is always known.
    Never,
    /// `null`.
    Null,
    /// The value is left out of a row; of lists, the column where no row has it, else `null`.
    LeftOut,
}

/// A column. Rows are written by it, and described by it in the OpenAPI document.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Name.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// What stands where nothing is known.
    pub absence: Absence,
    /// What it means, for people.
    pub meaning: &'static str,
}

/// A column in which something is always known.
pub const fn known(name: &'static str, kind: Kind, meaning: &'static str) -> Column {
    Column { name, kind, absence: Absence::Never, meaning }
}

/// A column that is always written: `null` where nothing is known.
pub const fn column(name: &'static str, kind: Kind, meaning: &'static str) -> Column {
    Column { name, kind, absence: Absence::Null, meaning }
}

/// A column that is left out of JSON where nothing is known.
pub const fn optional(name: &'static str, kind: Kind, meaning: &'static str) -> Column {
    Column { name, kind, absence: Absence::LeftOut, meaning }
}

impl Column {
    /// Whether JSON leaves out what nobody said.
    fn is_optional(&self) -> bool {
        self.absence == Absence::LeftOut
    }

    /// Whether a value is what the column is declared to hold.
    fn holds(&self, cell: &Cell<'_>) -> bool {
        matches!(
            (self.kind, cell),
            (Kind::Flag, Cell::Flag(_))
                | (Kind::Number, Cell::Number(_))
                | (Kind::Count, Cell::Count(_))
                | (Kind::Text, Cell::Text(_))
                | (Kind::Texts, Cell::Texts(_))
                | (Kind::Time, Cell::Time(_))
                | (Kind::Date, Cell::Date(_))
        ) || (*cell == Cell::Absent && self.absence != Absence::Never)
    }
}

/// Writes text as a JSON string.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("writing text to memory does not fail");
}

/// Writes one row as a JSON object; `lead` comes first.
pub fn write_row(out: &mut Vec<u8>, columns: &[Column], row: &[Cell<'_>], lead: Option<&str>, form: &Form) {
    out.push(b'{');
    let mut first = true;
    let mut name = |out: &mut Vec<u8>, name: &str| {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
    };
    if let Some(symbol) = lead {
        name(out, "symbol");
        write_text(out, symbol);
    }
    for (column, cell) in columns.iter().zip(row) {
        debug_assert!(column.holds(cell), "{cell:?} in {column:?}");
        if column.is_optional() && *cell == Cell::Absent {
            continue;
        }
        name(out, column.name);
        write_cell(out, cell, form);
    }
    out.push(b'}');
}

/// Writes rows as one JSON object of parallel lists. An optional column that no row fills is left out; in any
/// other an absent value is `null`, so that all lists have the length of the rows.
pub fn write_columns(out: &mut Vec<u8>, columns: &[Column], rows: &[Vec<Cell<'_>>], form: &Form) {
    out.push(b'{');
    let mut first = true;
    for (at, column) in columns.iter().enumerate() {
        debug_assert!(rows.iter().all(|row| column.holds(&row[at])), "a wrong value in {column:?}");
        if column.is_optional() && rows.iter().all(|row| row[at] == Cell::Absent) {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        write_text(out, column.name);
        out.extend_from_slice(b":[");
        for (index, row) in rows.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_cell(out, &row[at], form);
        }
        out.push(b']');
    }
    out.push(b'}');
}

fn write_cell(out: &mut Vec<u8>, cell: &Cell<'_>, form: &Form) {
    let done = match cell {
        Cell::Absent => out.write_all(b"null"),
        Cell::Flag(flag) => write!(out, "{flag}"),
        Cell::Number(number) => match form.numbers {
            Numbers::Number => {
                write_decimal(out, *number);
                Ok(())
            }
            Numbers::Text => {
                out.push(b'"');
                write_decimal(out, *number);
                out.push(b'"');
                Ok(())
            }
        },
        Cell::Count(count) => write!(out, "{count}"),
        Cell::Text(text) => {
            write_text(out, text);
            Ok(())
        }
        Cell::Texts(texts) => serde_json::to_writer(&mut *out, texts).map_err(Into::into),
        Cell::Time(at) => match form.stamp {
            Stamp::Iso => {
                out.push(b'"');
                write_iso(out, *at);
                out.push(b'"');
                Ok(())
            }
            Stamp::Nanos => write!(out, "\"{}\"", stamp(*at, form.stamp)),
            Stamp::Seconds | Stamp::Millis | Stamp::Micros => write!(out, "{}", stamp(*at, form.stamp)),
        },
        Cell::Date(date) => write!(out, "\"{date}\""),
    };
    done.expect("writing to memory does not fail");
}

/// Writes a decimal without zeros at its end, as `normalize` shows it, in a fraction of the time.
fn write_decimal(out: &mut Vec<u8>, number: Decimal) {
    let (Ok(mut digits), mut scale) = (u64::try_from(number.mantissa().unsigned_abs()), number.scale())
    else {
        write!(out, "{}", number.normalize()).expect("writing to memory does not fail");
        return;
    };
    while scale > 0 && digits.is_multiple_of(10) {
        digits /= 10;
        scale -= 1;
    }
    if number.is_sign_negative() && digits > 0 {
        out.push(b'-');
    }
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(digits).as_bytes();
    let scale = scale as usize;
    if scale == 0 {
        out.extend_from_slice(text);
    } else if text.len() > scale {
        let (whole, rest) = text.split_at(text.len() - scale);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(rest);
    } else {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + scale - text.len(), b'0');
        out.extend_from_slice(text);
    }
}

/// Writes an instant in RFC 3339, as its `Display` does, in a fraction of the time for whole seconds since
/// 1970.
fn write_iso(out: &mut Vec<u8>, at: Instant) {
    let (secs, nanos) = (at.as_secs(), at.as_nanos());
    if nanos < 0 || nanos % 1_000_000_000 != 0 {
        write!(out, "{at}").expect("writing to memory does not fail");
        return;
    }
    let (days, of_day) = (secs / 86_400, secs % 86_400);
    // Days since 1970 to a date of the Gregorian calendar, years counted from March so that the leap day
    // comes last: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", section civil_from_days.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    out.extend_from_slice(itoa::Buffer::new().format(year).as_bytes());
    out.push(b'-');
    let mut two = |number: i64, after: u8| {
        out.extend_from_slice(&[b'0' + (number / 10) as u8, b'0' + (number % 10) as u8, after]);
    };
    two(month, b'-');
    two(day, b'T');
    two(of_day / 3_600, b':');
    two(of_day / 60 % 60, b':');
    two(of_day % 60, b'Z');
}

/// A time as text.
pub fn stamp(at: Instant, stamp: Stamp) -> String {
    match stamp {
        Stamp::Iso => at.to_string(),
        Stamp::Seconds => at.as_secs().to_string(),
        Stamp::Millis => at.as_millis().to_string(),
        Stamp::Micros => at.as_micros().to_string(),
        Stamp::Nanos => at.as_nanos().to_string(),
    }
}

/// Writes one line of CSV (RFC 4180); absent values are empty fields.
pub fn write_csv_row(out: &mut Vec<u8>, lead: &str, row: &[Cell<'_>], form: &Form) {
    write_csv_field(out, lead);
    for cell in row {
        out.push(b',');
        match cell {
            Cell::Absent => {}
            Cell::Flag(flag) => write_csv_field(out, if *flag { "true" } else { "false" }),
            Cell::Number(number) => write_csv_field(out, &number.normalize().to_string()),
            Cell::Count(count) => write_csv_field(out, &count.to_string()),
            Cell::Text(text) => write_csv_field(out, text),
            Cell::Texts(texts) => write_csv_field(out, &texts.join(" ")),
            Cell::Time(at) => write_csv_field(out, &stamp(*at, form.stamp)),
            Cell::Date(date) => write_csv_field(out, &date.to_string()),
        }
    }
    out.extend_from_slice(b"\r\n");
}

fn write_csv_field(out: &mut Vec<u8>, text: &str) {
    if text.contains([',', '"', '\n', '\r']) {
        out.push(b'"');
        out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    // API-5, SYM-5, API-2.
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: proptest::test_runner::RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_number_is_written_as_its_normal_form_is_shown(mantissa in any::<i64>(), small in -2_000_i64..2_000, wide in any::<i128>(), scale in 0_u32..29) {
            for mantissa in [i128::from(mantissa), i128::from(small), i128::from(small) * 1_000, wide >> 32] {
                let number = Decimal::from_i128_with_scale(mantissa, scale);
                let mut out = Vec::new();
                write_decimal(&mut out, number);
                prop_assert_eq!(String::from_utf8(out).unwrap(), number.normalize().to_string());
            }
        }

        #[test]
        fn an_instant_is_written_as_it_is_shown(secs in -10_000_000_000_i64..9_000_000_000, nanos in 0_u32..3) {
            let at = Instant::from_secs(secs) + std::time::Duration::from_nanos(nanos.into());
            let mut out = Vec::new();
            write_iso(&mut out, at);
            prop_assert_eq!(String::from_utf8(out).unwrap(), at.to_string());
        }
    }

    #[test]
    fn leap_days_and_the_ends_of_years_are_written_as_they_are_shown() {
        for text in
            ["1970-01-01", "1972-02-29", "1999-12-31", "2000-02-29", "2000-03-01", "2100-03-01", "2262-04-11"]
        {
            for at in [Instant::parse(text).unwrap(), Instant::parse(&format!("{text}T23:47:16Z")).unwrap()] {
                let mut out = Vec::new();
                write_iso(&mut out, at);
                assert_eq!(String::from_utf8(out).unwrap(), at.to_string());
            }
        }
    }

    fn row(numbers: Numbers, stamp: Stamp) -> String {
        let cells = [
            Cell::Time(Instant::from_nanos(1_767_623_400_123_456_789)),
            Cell::from(Price::parse("600000.0123456789")),
            Cell::Absent,
            Cell::Absent,
        ];
        let columns = [
            known("t", Kind::Time, ""),
            column("last", Kind::Number, ""),
            column("bid", Kind::Number, ""),
            optional("vwap", Kind::Number, ""),
        ];
        let mut out = Vec::new();
        write_row(&mut out, &columns, &cells, None, &Form { numbers, stamp, ..Form::default() });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_price_keeps_all_its_digits_as_number_and_as_text() {
        assert_eq!(
            row(Numbers::Number, Stamp::Iso),
            r#"{"t":"2026-01-05T14:30:00.123456789Z","last":600000.0123456789,"bid":null}"#
        );
        assert_eq!(
            row(Numbers::Text, Stamp::Nanos),
            r#"{"t":"1767623400123456789","last":"600000.0123456789","bid":null}"#
        );
        assert!(row(Numbers::Number, Stamp::Millis).starts_with(r#"{"t":1767623400123,"#));
    }

    #[test]
    fn a_field_with_a_comma_or_a_quote_stays_one_field_of_csv() {
        let mut out = Vec::new();
        write_csv_row(&mut out, "A", &[Cell::from("x,\"y\""), Cell::Absent], &Form::default());
        assert_eq!(String::from_utf8(out).unwrap(), "A,\"x,\"\"y\"\"\",\r\n");
    }

    #[test]
    fn the_form_follows_the_accept_header() {
        assert_eq!(Format::accepted("text/csv;q=0.9, */*"), Format::Csv);
        assert_eq!(Format::accepted("application/x-ndjson"), Format::Ndjson);
        assert_eq!(Format::accepted("*/*"), Format::Json);
        assert_eq!(Format::accepted("text/html,application/json"), Format::Json);
    }
}
