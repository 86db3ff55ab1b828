//! The recorded daily bars, read apart from the program: as traded, and restated for later splits.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// One recorded bar: date, open, high, low, close, volume.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub date: String,
    pub prices: [f64; 4],
    pub volume: f64,
}

/// The recording.
pub(crate) struct Recording {
    /// Where it stands.
    pub folder: PathBuf,
    bars: BTreeMap<String, Vec<Recorded>>,
    splits: BTreeMap<String, Vec<(String, f64)>>,
}

impl Recording {
    /// Reads it; `None`, with a line that names the test, where it is absent.
    pub(crate) fn find(test: &str) -> Option<Recording> {
        let folder = test_data::find(test, "data/replay/equities-daily")?;
        let mut bars: BTreeMap<String, Vec<Recorded>> = BTreeMap::new();
        for row in rows(&folder.join("bars.csv.gz")) {
            let number = |index: usize| row[index].parse::<f64>().unwrap();
            bars.entry(row[0].clone()).or_default().push(Recorded {
                date: row[1].clone(),
                prices: [number(2), number(3), number(4), number(5)],
                volume: number(6),
            });
        }
        let mut splits: BTreeMap<String, Vec<(String, f64)>> = BTreeMap::new();
        for row in rows(&folder.join("corporate_actions.csv")) {
            if row[2] == "split" {
                splits.entry(row[0].clone()).or_default().push((row[1].clone(), row[3].parse().unwrap()));
            }
        }
        Some(Recording { folder, bars, splits })
    }

    /// The folder as an argument.
    pub(crate) fn path(&self) -> &str {
        self.folder.to_str().unwrap()
    }

    /// Bars as traded, from one date up to before another.
    pub(crate) fn raw(&self, symbol: &str, start: &str, end: &str) -> Vec<Recorded> {
        let wanted = |bar: &&Recorded| bar.date.as_str() >= start && bar.date.as_str() < end;
        self.bars[symbol].iter().filter(wanted).cloned().collect()
    }

    /// The same, restated for every later split of the recording.
    pub(crate) fn split(&self, symbol: &str, start: &str, end: &str) -> Vec<Recorded> {
        let mut bars = self.raw(symbol, start, end);
        for bar in &mut bars {
            let later = self.splits.get(symbol).into_iter().flatten().filter(|(ex, _)| *ex > bar.date);
            let ratio: f64 = later.map(|(_, ratio)| ratio).product();
            bar.prices = bar.prices.map(|price| price / ratio);
            bar.volume *= ratio;
        }
        bars
    }
}

/// Cells of a CSV file, plain or compressed, without its header.
pub(crate) fn rows(path: &Path) -> Vec<Vec<String>> {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    if path.extension().is_some_and(|end| end == "gz") {
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    } else {
        std::io::BufReader::new(file).read_to_string(&mut text).unwrap();
    }
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// Whether answered rows are the recorded bars; prices to the ten-thousandth part vendors round to, volume to
/// the share.
pub(crate) fn assert_equal(answered: &Value, recorded: &[Recorded], what: &str) {
    let rows = answered.as_array().unwrap_or_else(|| panic!("{what}: {answered}"));
    assert!(!recorded.is_empty(), "{what}: nothing is recorded");
    let dates: Vec<&str> = rows.iter().map(|row| row["date"].as_str().unwrap()).collect();
    let expected: Vec<&str> = recorded.iter().map(|bar| bar.date.as_str()).collect();
    assert_eq!(dates, expected, "{what}");
    for (row, bar) in rows.iter().zip(recorded) {
        for (name, price) in ["open", "high", "low", "close"].into_iter().zip(bar.prices) {
            let found = row[name].as_f64().unwrap();
            assert!((found - price).abs() <= 1e-4 * price, "{what}: {name} of {bar:?} is {found}");
        }
        let volume = row["volume"].as_f64().unwrap();
        assert!((volume - bar.volume).abs() <= 1.0, "{what}: volume of {bar:?} is {volume}");
    }
}
