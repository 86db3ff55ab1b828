//! Recordings: a folder of daily bars with corporate actions, or of minute bars, one file a symbol.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::number::{Decimal, parse_decimal};
use domain::{
    ActionKind, Calendars, CorporateAction, Currency, Date, Denomination, Directory, Instant, Instrument,
    InstrumentId, InstrumentKind, Price, Ratio, TickTable, Unit, Venue,
};

use super::candle::{Candle, Minute, Places};
use super::dice::Dice;
use super::hours::{self, Hours};
use super::tape::{MINUTE, RecordedDay, Source, Tape, is_regular};

/// Why a folder is no recording we can replay.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Neither form was found.
    #[error(
        "no recording in {folder}: expected bars.csv or bars.csv.gz (columns symbol, date, open, high, low, \
         close, volume; beside it corporate_actions.csv and symbols.csv, or columns ex_dividend and \
         split_ratio), or one SYMBOL.csv or SYMBOL.csv.gz for each symbol (columns bar_start_utc or \
         bar_end_utc, open, high, low, close, volume); recordings of order books, quotes and several venues \
         cannot be replayed"
    )]
    NotARecording {
        /// Which folder.
        folder: PathBuf,
    },
    /// A file cannot be opened or read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: csv::Error,
    },
    /// A row lacks a column or holds a value that is none.
    #[error("{path}, row {row}: no usable `{column}`")]
    BadRow {
        /// Which file.
        path: PathBuf,
        /// Row after the header, from 1.
        row: usize,
        /// Which column.
        column: &'static str,
    },
}

/// Reads a folder.
pub(crate) fn load(
    folder: &Path,
    calendars: &Calendars,
    directory: &Directory,
) -> Result<Vec<Tape>, ReplayError> {
    if let Some(bars) = either(folder, "bars") {
        return daily(folder, &bars, directory);
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    files.sort();
    let mut tapes = Vec::new();
    for path in files {
        let Some(symbol) = symbol_of(&path) else { continue };
        let table = Table::read(&path)?;
        if table.has("open")
            && (table.has("bar_end_utc") || table.has("bar_start_utc"))
            && !table.has("venue")
        {
            tapes.push(minutes(&table, symbol, calendars, directory)?);
        }
    }
    if tapes.is_empty() {
        return Err(ReplayError::NotARecording { folder: folder.to_owned() });
    }
    Ok(tapes)
}

/// The plain or the compressed form of a table.
fn either(folder: &Path, stem: &str) -> Option<PathBuf> {
    [format!("{stem}.csv.gz"), format!("{stem}.csv")]
        .into_iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

fn symbol_of(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    name.strip_suffix(".gz").unwrap_or(name).strip_suffix(".csv")
}

/// A CSV file in memory.
struct Table {
    path: PathBuf,
    columns: Vec<String>,
    rows: Vec<csv::StringRecord>,
}

impl Table {
    fn read(path: &Path) -> Result<Table, ReplayError> {
        let unreadable = |source| ReplayError::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(|error| unreadable(error.into()))?;
        let zipped = path.extension().is_some_and(|extension| extension == "gz");
        let input: Box<dyn Read> =
            if zipped { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(input);
        let columns =
            reader.headers().map_err(unreadable)?.iter().map(|name| name.trim().to_owned()).collect();
        let rows = reader.records().collect::<Result<_, _>>().map_err(unreadable)?;
        Ok(Table { path: path.to_owned(), columns, rows })
    }

    fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|name| name == column)
    }

    fn text(&self, row: usize, column: &str) -> Option<&str> {
        let index = self.columns.iter().position(|name| name == column)?;
        self.rows[row].get(index).map(str::trim).filter(|text| !text.is_empty())
    }

    fn cell<T>(
        &self,
        row: usize,
        column: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ReplayError> {
        self.text(row, column).and_then(read).ok_or_else(|| ReplayError::BadRow {
            path: self.path.clone(),
            row: row + 1,
            column,
        })
    }

    fn ohlcv(&self, row: usize) -> Result<[Decimal; 5], ReplayError> {
        Ok([
            self.cell(row, "open", parse_decimal)?,
            self.cell(row, "high", parse_decimal)?,
            self.cell(row, "low", parse_decimal)?,
            self.cell(row, "close", parse_decimal)?,
            self.cell(row, "volume", parse_decimal)?,
        ])
    }
}

/// Decimal places that hold every value exactly, within what whole steps can express.
fn places_of<'a>(rows: impl Iterator<Item = &'a [Decimal; 5]>) -> Places {
    rows.fold(Places { price: 2, size: 0 }, |places, row| {
        let scale = |value: &Decimal| value.normalize().scale();
        Places {
            price: row[..4].iter().map(scale).fold(places.price, u32::max).min(9),
            size: scale(&row[4]).max(places.size).min(6),
        }
    })
}

fn candle_of(row: &[Decimal; 5], places: Places) -> Option<Candle> {
    let steps = |value: Decimal, places: u32| {
        let mut value = value.round_dp(places);
        value.rescale(places);
        i64::try_from(value.mantissa()).ok()
    };
    Some(Candle {
        open: steps(row[0], places.price)?,
        high: steps(row[1], places.price)?,
        low: steps(row[2], places.price)?,
        close: steps(row[3], places.price)?,
        volume: steps(row[4], places.size)?,
    })
}

fn daily(folder: &Path, bars: &Path, directory: &Directory) -> Result<Vec<Tape>, ReplayError> {
    let table = Table::read(bars)?;
    let mut rows: BTreeMap<&str, Vec<(Date, [Decimal; 5])>> = BTreeMap::new();
    let mut actions: BTreeMap<&str, Vec<(Date, ActionKind)>> = BTreeMap::new();
    for row in 0..table.rows.len() {
        let symbol = table.text(row, "symbol").ok_or_else(|| ReplayError::BadRow {
            path: bars.to_owned(),
            row: row + 1,
            column: "symbol",
        })?;
        let date = table.cell(row, "date", |text| text.parse::<Date>().ok())?;
        rows.entry(symbol).or_default().push((date, table.ohlcv(row)?));
        if table.has("ex_dividend") {
            let amount = table.cell(row, "ex_dividend", Price::parse)?;
            if amount.is_positive() {
                actions.entry(symbol).or_default().push((date, dividend(amount)));
            }
        }
        if table.has("split_ratio") {
            let new_per_old = Ratio::new(table.cell(row, "split_ratio", parse_decimal)?);
            if new_per_old != Ratio::ONE {
                actions.entry(symbol).or_default().push((date, ActionKind::Split { new_per_old }));
            }
        }
    }
    let beside = either(folder, "corporate_actions").map(|path| Table::read(&path)).transpose()?;
    if let Some(table) = &beside {
        for row in 0..table.rows.len() {
            let symbol = table.cell(row, "symbol", |text| rows.contains_key(text).then(|| text.to_owned()));
            let Ok(symbol) = symbol else { continue };
            let ex_date = table.cell(row, "ex_date", |text| text.parse::<Date>().ok())?;
            let value = table.cell(row, "value", parse_decimal)?;
            let kind = table.cell(row, "type", |text| match text {
                "dividend" => Some(dividend(Price::new(value))),
                "split" => Some(ActionKind::Split { new_per_old: Ratio::new(value) }),
                _ => None,
            })?;
            if let Some((symbol, _)) = rows.get_key_value(symbol.as_str()) {
                actions.entry(symbol).or_default().push((ex_date, kind));
            }
        }
    }
    let listing = either(folder, "symbols").map(|path| Table::read(&path)).transpose()?;
    let mut tapes = Vec::new();
    for (symbol, rows) in rows {
        let instrument = instrument(symbol, rows.last().map(|(date, _)| *date), listing.as_ref(), directory);
        let places = places_of(rows.iter().map(|(_, row)| row));
        let mut days = BTreeMap::new();
        for (date, row) in &rows {
            let candle = candle_of(row, places).ok_or_else(|| ReplayError::BadRow {
                path: bars.to_owned(),
                row: 1 + days.len(),
                column: "open",
            })?;
            days.insert(*date, candle);
        }
        let mut actions: Vec<CorporateAction> = actions
            .remove(symbol)
            .unwrap_or_default()
            .into_iter()
            .map(|(ex_date, kind)| CorporateAction::new(instrument.id.clone(), ex_date, kind))
            .collect();
        actions.sort_by_key(|action| action.ex_date);
        tapes.push(Tape {
            recorded_as: Some(symbol.into()),
            dice: Dice::new(0).named(symbol),
            instrument,
            places,
            source: Source::Days { days, actions },
        });
    }
    Ok(tapes)
}

fn dividend(amount: Price) -> ActionKind {
    ActionKind::Dividend { amount, denomination: Some(Denomination::USD) }
}

fn last_date(table: &Table) -> Option<Date> {
    let row = table.rows.len().checked_sub(1)?;
    let stamp = table.text(row, "bar_start_utc").or_else(|| table.text(row, "bar_end_utc"))?;
    Instant::parse(stamp).map(Instant::utc_date)
}

fn minutes(
    table: &Table,
    symbol: &str,
    calendars: &Calendars,
    directory: &Directory,
) -> Result<Tape, ReplayError> {
    let instrument = instrument(symbol, last_date(table), None, directory);
    let hours = Hours::of(calendars, instrument.id.venue());
    let by_end = !table.has("bar_start_utc");
    let mut rows = Vec::with_capacity(table.rows.len());
    for row in 0..table.rows.len() {
        let stamp = table.cell(row, if by_end { "bar_end_utc" } else { "bar_start_utc" }, Instant::parse)?;
        rows.push((if by_end { stamp - MINUTE } else { stamp }, table.ohlcv(row)?));
    }
    rows.sort_by_key(|(start, _)| *start);
    let places = places_of(rows.iter().map(|(_, row)| row));
    let mut minutes = Vec::with_capacity(rows.len());
    let mut days: BTreeMap<Date, RecordedDay> = BTreeMap::new();
    for (index, (start, row)) in rows.iter().enumerate() {
        let candle = candle_of(row, places).ok_or_else(|| ReplayError::BadRow {
            path: table.path.clone(),
            row: index + 1,
            column: "open",
        })?;
        let date = hours.trading_date(*start);
        let day = days.entry(date).or_insert_with(|| RecordedDay {
            session: hours.session_on(date).unwrap_or_else(|| hours::utc_day(date)),
            regular: None,
            minutes: index..index,
        });
        day.minutes.end = index + 1;
        if is_regular(&day.session, *start) {
            day.regular = Some(Candle::then(day.regular, candle));
        }
        minutes.push(Minute { start: *start, candle });
    }
    Ok(Tape {
        recorded_as: Some(symbol.into()),
        dice: Dice::new(0).named(symbol),
        instrument,
        places,
        source: Source::Minutes { minutes, days },
    })
}

/// The record of a symbol as of the recording's last day: what the recording says, over what the directory
/// knows.
fn instrument(symbol: &str, on: Option<Date>, listing: Option<&Table>, directory: &Directory) -> Instrument {
    let row = listing.and_then(|table| {
        let row = (0..table.rows.len()).find(|row| table.text(*row, "symbol") == Some(symbol))?;
        Some((table, row))
    });
    let cell = |column| row.and_then(|(table, row): (&Table, usize)| table.text(row, column));
    let resolved = directory.resolve(symbol, on).or_else(|_| directory.resolve(symbol, None)).ok();
    let id = match (resolved, cell("listing_mic").and_then(Venue::new)) {
        (Some(id), _) if id.venue() != Venue::US => id,
        (_, Some(venue)) => InstrumentId::new(symbol, venue),
        (Some(id), None) => id,
        (None, None) => InstrumentId::new(symbol, Venue::US),
    };
    let mut instrument =
        directory.instrument(&id).cloned().unwrap_or_else(|| Instrument::new(id, InstrumentKind::Equity));
    if let Some(name) = cell("name") {
        instrument.description = Some(Arc::from(name));
    }
    if let Some(kind) = cell("kind") {
        instrument.kind = InstrumentKind::parse(kind).unwrap_or(InstrumentKind::Equity);
    }
    if let Some(currency) = cell("currency").and_then(Currency::new) {
        instrument.denomination = Some(Denomination { currency, unit: Unit::Major });
    }
    if let Some(step) = cell("tick_size").and_then(Price::parse) {
        instrument.ticks = Some(TickTable::flat(step));
    }
    instrument.denomination = instrument.denomination.or(Some(Denomination::USD));
    instrument
}
