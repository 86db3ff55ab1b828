// ACT-1, ACT-3, VAL-3, VAL-4, VAL-6, TST-8: recorded series with their splits, dividends and adjusted closes.
use std::collections::BTreeMap;
use std::io::Read;

use domain::{
    ActionKind, Adjustment, Bar, BarSeries, Calendars, CorporateAction, Date, Denomination, Instant,
    InstrumentId, InstrumentKind, Interval, Price, Range, Ratio, Size, Venue,
};
use quality::{BarContext, Judged, Record, Rule, convert, validate_bars};

/// Rows of a CSV file, gzip or not, each as a map from column to text.
fn rows(test: &str, path: &str) -> Option<Vec<BTreeMap<String, String>>> {
    let file = std::fs::read(test_data::find(test, path)?).unwrap();
    let mut text = Vec::new();
    if path.ends_with(".gz") {
        flate2::read::GzDecoder::new(&file[..]).read_to_end(&mut text).unwrap();
    } else {
        text = file;
    }
    Some(csv::Reader::from_reader(&text[..]).deserialize().map(Result::unwrap).collect())
}

fn id(symbol: &str) -> InstrumentId {
    InstrumentId::parse(&format!("{symbol}.XNAS")).unwrap()
}

fn bar(row: &BTreeMap<String, String>, start: Instant, date: Option<Date>) -> Bar {
    let price = |column: &str| Price::parse(&row[column]);
    let mut bar = Bar::empty(start);
    (bar.open, bar.high, bar.low, bar.close) = (price("open"), price("high"), price("low"), price("close"));
    bar.volume = Size::parse(&row["volume"]);
    bar.trading_date = date;
    bar
}

/// Daily series by symbol.
fn daily(rows: &[BTreeMap<String, String>], adjustment: Adjustment) -> BTreeMap<String, BarSeries> {
    let mut all: BTreeMap<String, BarSeries> = BTreeMap::new();
    for row in rows {
        let date: Date = row["date"].parse().unwrap();
        let series = all
            .entry(row["symbol"].clone())
            .or_insert_with(|| BarSeries::empty(id(&row["symbol"]), Interval::D1, adjustment));
        series.denomination = Some(Denomination::USD);
        series.bars.push(bar(row, Instant::from_utc_midnight(date), Some(date)));
    }
    all
}

fn split(symbol: &str, date: Date, ratio: &str) -> CorporateAction {
    CorporateAction::new(id(symbol), date, ActionKind::Split { new_per_old: Ratio::parse(ratio).unwrap() })
}

fn dividend(symbol: &str, date: Date, amount: &str) -> CorporateAction {
    let amount = Price::parse(amount).unwrap();
    CorporateAction::new(id(symbol), date, ActionKind::Dividend { amount, denomination: None })
}

/// The US share series as traded, and the actions on record.
fn as_traded(test: &str) -> Option<(BTreeMap<String, BarSeries>, Vec<CorporateAction>)> {
    let series = daily(&rows(test, "data/replay/equities-daily/bars.csv.gz")?, Adjustment::Raw);
    let actions = rows(test, "data/replay/equities-daily/corporate_actions.csv")?
        .iter()
        .map(|row| {
            let (symbol, date) = (&row["symbol"], row["ex_date"].parse().unwrap());
            match row["type"].as_str() {
                "split" => split(symbol, date, &row["value"]),
                _ => dividend(symbol, date, &row["value"]),
            }
        })
        .collect();
    Some((series, actions))
}

fn of<'a>(actions: &'a [CorporateAction], series: &BarSeries) -> Vec<CorporateAction> {
    let same = |action: &&'a CorporateAction| action.instrument == series.instrument;
    actions.iter().filter(same).cloned().collect()
}

fn count(judged: &Judged, rules: &[Rule]) -> usize {
    judged.findings.iter().filter(|finding| rules.contains(&finding.rule)).count()
}

fn span(series: &BarSeries) -> (Date, Date) {
    let date = |bar: Option<&Bar>| bar.and_then(|bar| bar.trading_date).unwrap();
    (date(series.bars.first()), date(series.bars.last()))
}

#[test]
fn our_adjusted_closes_are_those_of_the_publisher() {
    let test = "our_adjusted_closes_are_those_of_the_publisher";
    let Some(rows) = rows(test, "data/replay/equities-daily-wiki/bars.csv.gz") else { return };
    let mut compared = 0;
    for (symbol, series) in daily(&rows, Adjustment::Raw) {
        let own: Vec<_> = rows.iter().filter(|row| row["symbol"] == symbol).collect();
        let mut actions = Vec::new();
        for row in &own {
            let date: Date = row["date"].parse().unwrap();
            if row["split_ratio"] != "1" {
                actions.push(split(&symbol, date, &row["split_ratio"]));
            }
            if row["ex_dividend"] != "0" {
                actions.push(dividend(&symbol, date, &row["ex_dividend"]));
            }
        }
        let (first, last) = span(&series);
        let record = Record::complete(&actions, first, last);
        let (all, _) = convert(&series, Adjustment::All, &record).unwrap();
        // The publisher takes a dividend out by the close of the ex-date, C/(C + D); we by the close before
        // it, 1 - D/P, as exchanges do. That and nothing else may lie between the two.
        let number = |row: &BTreeMap<String, String>, column: &str| row[column].parse::<f64>().unwrap();
        let mut conventions = 1.0;
        for at in (0..own.len()).rev() {
            let ours = all.bars[at].close.unwrap().to_f64() / conventions;
            let theirs = number(own[at], "adj_close");
            assert!((ours / theirs - 1.0).abs() < 1e-6, "{symbol} {}: {ours}, {theirs}", own[at]["date"]);
            assert!((conventions - 1.0f64).abs() < 1e-3);
            compared += 1;
            let (paid, close) = (number(own[at], "ex_dividend"), number(own[at], "close"));
            if at > 0 && paid > 0.0 {
                let ours = 1.0 - paid * number(own[at], "split_ratio") / number(own[at - 1], "close");
                conventions *= ours / (close / (close + paid));
            }
        }
        // And back, given the raw closes.
        let closes: Vec<(Date, Price)> =
            series.bars.iter().map(|bar| (bar.trading_date.unwrap(), bar.close.unwrap())).collect();
        let (raw, _) = convert(&all, Adjustment::Raw, &Record { raw_closes: &closes, ..record }).unwrap();
        for (was, is) in series.bars.iter().zip(&raw.bars) {
            let (was, is) = (was.close.unwrap().to_f64(), is.close.unwrap().to_f64());
            assert!((is / was - 1.0).abs() < 1e-12, "{symbol}: {was} became {is}");
        }
    }
    assert!(compared > 10_000, "{compared} closes compared");
}

#[test]
fn no_recorded_split_is_left_as_a_crash_after_conversion() {
    let Some((all, actions)) = as_traded("no_recorded_split_is_left_as_a_crash_after_conversion") else {
        return;
    };
    let mut splits = 0;
    for series in all.values() {
        let actions = of(&actions, series);
        let (first, last) = span(series);
        let record = Record::complete(&actions, first, last);
        let (restated, declared) = convert(series, Adjustment::Split, &record).unwrap();
        let rest: Vec<_> = actions.iter().filter(|a| matches!(a.kind, ActionKind::Split { .. })).collect();
        assert_eq!(declared.steps, rest.len());
        splits += rest.len();
        for pair in restated.bars.windows(2) {
            let change = pair[1].close.unwrap().to_f64() / pair[0].close.unwrap().to_f64() - 1.0;
            assert!(change.abs() < 0.25, "{} {:?}: {change}", series.instrument, pair[1].trading_date);
        }
        let (back, _) = convert(&restated, Adjustment::Raw, &record).unwrap();
        for (was, is) in series.bars.iter().zip(&back.bars) {
            let (was, is) = (was.close.unwrap().to_f64(), is.close.unwrap().to_f64());
            assert!((is / was - 1.0).abs() < 1e-12, "{}: {was} became {is}", series.instrument);
        }
        // A wrong label is refused or harmless, never turned into another crash.
        if rest
            .iter()
            .any(|a| matches!(a.kind, ActionKind::Split { new_per_old } if new_per_old.to_f64() > 1.5))
        {
            let mislabelled = BarSeries { adjustment: Adjustment::Split, ..series.clone() };
            assert!(convert(&mislabelled, Adjustment::Raw, &record).is_err(), "{}", series.instrument);
            let mislabelled = BarSeries { adjustment: Adjustment::Raw, ..restated };
            assert!(convert(&mislabelled, Adjustment::Split, &record).is_err(), "{}", series.instrument);
        }
    }
    assert_eq!(splits, 4, "V, GOOG, NFLX, NKE");
}

const SUSPICIONS: [Rule; 5] = [
    Rule::OutlierMove,
    Rule::HistoryContradicted,
    Rule::UnitFactor,
    Rule::BasisMismatch,
    Rule::PossibleSplit,
];

#[test]
fn sound_daily_series_raise_fewer_than_one_false_alarm_in_a_thousand_rows() {
    let test = "sound_daily_series_raise_fewer_than_one_false_alarm_in_a_thousand_rows";
    let Some((raw, actions)) = as_traded(test) else { return };
    let Some(recent) = rows(test, "data/equities-daily-2020-2025/bars.csv.gz") else { return };
    let Some(wiki) = rows(test, "data/replay/equities-daily-wiki/bars.csv.gz") else { return };
    let mut wiki_actions = Vec::new();
    for row in wiki.iter().filter(|row| row["split_ratio"] != "1") {
        wiki_actions.push(split(&row["symbol"], row["date"].parse().unwrap(), &row["split_ratio"]));
    }
    let sets = [
        (raw, actions),
        (daily(&recent, Adjustment::Split), Vec::new()),
        (daily(&wiki, Adjustment::Raw), wiki_actions),
    ];
    let (mut alarms, mut total) = (0, 0);
    for (all, actions) in sets {
        for series in all.values() {
            let actions = of(&actions, series);
            let now = series.bars.last().unwrap().start + std::time::Duration::from_secs(86_400);
            let context = BarContext { actions: &actions, ..BarContext::new(now, InstrumentKind::Equity) };
            let judged = validate_bars(series, &context);
            for finding in judged.findings.iter().filter(|f| SUSPICIONS.contains(&f.rule)) {
                let row = &series.bars[finding.row.unwrap()];
                println!("{} {:?} {finding}", series.instrument, row.trading_date);
            }
            alarms += count(&judged, &SUSPICIONS);
            total += series.bars.len();
        }
    }
    println!("{alarms} alarms in {total} rows");
    assert!(total > 35_000);
    assert!(alarms * 1000 < total, "{alarms} of {total}");
}

#[test]
fn sound_minute_series_raise_fewer_than_one_false_alarm_in_a_thousand_rows() {
    let test = "sound_minute_series_raise_fewer_than_one_false_alarm_in_a_thousand_rows";
    let (mut alarms, mut total) = (0, 0);
    for symbol in ["AAPL", "AMD", "AMZN", "BA", "FB", "GOOG", "INTC", "MSFT", "NVDA", "TSLA"] {
        let path = format!("data/replay/equities-minute/{symbol}.csv.gz");
        let Some(rows) = rows(test, &path) else { return };
        let mut series = BarSeries::empty(id(symbol), Interval::M1, Adjustment::Raw);
        series.denomination = Some(Denomination::USD);
        for row in &rows {
            let end = Instant::parse(&row["bar_end_utc"]).unwrap();
            series.bars.push(bar(row, end - std::time::Duration::from_secs(60), None));
        }
        let now = series.bars.last().unwrap().start + std::time::Duration::from_secs(60);
        let judged = validate_bars(&series, &BarContext::new(now, InstrumentKind::Equity));
        for finding in judged.findings.iter().filter(|f| SUSPICIONS.contains(&f.rule)) {
            println!("{symbol} {finding}");
        }
        alarms += count(&judged, &SUSPICIONS);
        total += series.bars.len();
    }
    println!("{alarms} alarms in {total} rows");
    assert!(alarms * 1000 <= total, "{alarms} of {total}");
}

#[test]
fn a_recorded_series_misses_only_the_days_taken_out_of_it() {
    // VAL-6
    let Some((all, _)) = as_traded("a_recorded_series_misses_only_the_days_taken_out_of_it") else { return };
    let calendars = Calendars::built_in();
    let calendar = calendars.of(Venue::literal("XNYS")).expect("the New York calendar is built in");
    for (symbol, series) in &all {
        let (first, last) = span(series);
        let day = std::time::Duration::from_secs(86_400);
        let range = Range::new(Instant::from_utc_midnight(first), Instant::from_utc_midnight(last) + day);
        let context = BarContext {
            calendar: Some(calendar),
            range: Some(range),
            ..BarContext::new(range.end + day, InstrumentKind::Equity)
        };
        let judged = validate_bars(series, &context);
        assert_eq!(judged.coverage.gaps, [], "{symbol}");
        assert_eq!((judged.coverage.expected, judged.coverage.present), (Some(749), 749), "{symbol}");
        let mut holed = series.clone();
        holed.bars.drain(100..103);
        holed.bars.remove(400);
        let judged = validate_bars(&holed, &context);
        assert_eq!((judged.coverage.present, count(&judged, &[Rule::Gap])), (745, 2), "{symbol}");
        let missing = &series.bars[100..103];
        let gap = judged.coverage.gaps[0];
        assert!(missing.iter().all(|bar| gap.contains(bar.start + day / 24 * 15)), "{symbol} {gap:?}");
    }
}
