// VAL-1, VAL-2, VAL-3, VAL-5 (actions), VAL-6
use domain::{
    ActionKind, Adjustment, CorporateAction, Date, Denomination, Instant, InstrumentId, InstrumentKind,
    Interval,
};
use proptest::prelude::*;

use super::*;
use crate::validation::History;

const DAY: i64 = 86_400;

/// Daily bars from `open high low close volume` rows, `-` for absent.
fn daily(rows: &str) -> BarSeries {
    let id = InstrumentId::parse("AAPL.XNAS").unwrap();
    let mut series = BarSeries::empty(id, Interval::D1, Adjustment::Raw);
    series.denomination = Some(Denomination::USD);
    series.bars = rows
        .split([';', '\n'])
        .map(str::trim)
        .filter(|row| !row.is_empty())
        .enumerate()
        .map(|(index, row)| {
            let fields: Vec<Option<Price>> = row.split_whitespace().map(Price::parse).collect();
            let start = Instant::from_secs(1_700_000_000 / DAY * DAY + index as i64 * DAY);
            let mut bar = Bar::empty(start);
            (bar.open, bar.high, bar.low, bar.close) = (fields[0], fields[1], fields[2], fields[3]);
            bar.volume = fields[4].map(|v| Size::new(v.decimal()));
            bar.trading_date = Some(start.utc_date());
            bar
        })
        .collect();
    series
}

/// Thirty calm days around 100, then the rows.
fn after_calm(rows: &str) -> BarSeries {
    let calm: Vec<String> = (0..30)
        .map(|day| {
            let close = [100.0, 101.0, 100.5, 99.5, 100.2][day % 5];
            format!("{close} {} {} {close} 1000", close + 1.0, close - 1.0)
        })
        .collect();
    daily(&format!("{};{rows}", calm.join(";")))
}

fn equity() -> BarContext<'static> {
    BarContext::new(Instant::from_secs(2_000_000_000), InstrumentKind::Equity)
}

fn check(series: &BarSeries, context: &BarContext<'_>) -> Vec<String> {
    let judged = validate_bars(series, context);
    assert_eq!(judged.verdicts.len(), series.bars.len(), "every row has its verdict");
    judged
        .findings
        .iter()
        .map(|finding| {
            let row = finding.row.map_or("-".to_owned(), |row| row.to_string());
            let verdict = finding.row.map_or("", |row| judged.verdicts[row].as_str());
            format!("{row} {} {} {verdict}", finding.rule, finding.severity.as_str())
        })
        .collect()
}

fn split(date: Date, ratio: &str) -> CorporateAction {
    let new_per_old = Ratio::parse(ratio).unwrap();
    CorporateAction::new(InstrumentId::parse("AAPL.XNAS").unwrap(), date, ActionKind::Split { new_per_old })
}

#[test]
fn structure_is_judged_row_by_row_and_one_bad_row_spoils_no_other() {
    for (row, expected) in [
        ("10 11 9 10 5", vec![]),
        ("10 11 10.5 10 5", vec!["0 OHLC_ORDER high fail"]),
        ("10 9.5 9 9.2 5", vec!["0 OHLC_ORDER high fail"]),
        ("10 9 11 10 5", vec!["0 OHLC_ORDER high fail", "0 OHLC_ORDER high fail", "0 OHLC_ORDER high fail"]),
        (
            "0 0 0 0 0",
            vec!["0 ZERO_PRICE critical fail"; 4].into_iter().chain(["0 ZERO_VOLUME low fail"]).collect(),
        ),
        ("10 11 9 -10 5", vec!["0 NEGATIVE_PRICE critical fail"]),
        ("10 - 9 10 5", vec!["0 MISSING_OHLC high fail"]),
        ("- - - - 5", vec!["0 MISSING_PRICE critical fail"]),
        ("10 11 9 10 -", vec!["0 MISSING_VOLUME high fail"]),
        ("10 11 9 10 -1", vec!["0 NEGATIVE_VOLUME high fail"]),
        ("10 11 9 10 0", vec!["0 ZERO_VOLUME medium warn"]),
        ("10 10 10 10 0", vec!["0 ZERO_VOLUME low pass"]),
    ] {
        assert_eq!(check(&daily(row), &equity()), expected, "{row}");
    }
    let mixed = daily("10 11 9 10 5; 10 11 10.5 10 5; 10 11 9 10 5");
    let verdicts = validate_bars(&mixed, &equity()).verdicts;
    assert_eq!(verdicts, [Verdict::Pass, Verdict::Fail, Verdict::Pass]);
}

#[test]
fn absent_volume_is_normal_where_nothing_is_traded_in_units() {
    let series = daily("1.1 1.2 1.0 1.1 -");
    for kind in [InstrumentKind::Fx, InstrumentKind::Index, InstrumentKind::Fund] {
        assert_eq!(check(&series, &BarContext { kind, ..equity() }), [""; 0], "{kind:?}");
    }
}

#[test]
fn a_future_settles_below_zero_without_being_called_broken() {
    let series = daily("10 11 -40 -37 5");
    let context = BarContext { kind: InstrumentKind::Future, ..equity() };
    assert_eq!(validate_bars(&series, &context).verdicts, [Verdict::Pass]);
}

#[test]
fn a_row_from_the_future_and_an_unknown_currency_are_said() {
    let mut series = daily("10 11 9 10 5");
    series.denomination = None;
    let now = series.bars[0].start - std::time::Duration::from_secs(3);
    assert_eq!(
        check(&series, &BarContext { now, ..equity() }),
        ["0 FUTURE_TIME high fail", "- UNKNOWN_CURRENCY low "]
    );
    let now = series.bars[0].start - std::time::Duration::from_secs(2);
    let context = BarContext { now, denomination: Some(Denomination::USD), ..equity() };
    assert_eq!(check(&series, &context), [""; 0]);
}

#[test]
fn notes_carry_no_verdict_of_their_own() {
    let series = daily("100 101 99 100 5; 130 131 128 130 5; 130 260 100 261 5; 600 601 599 600 5");
    assert_eq!(
        check(&series, &equity()),
        [
            "1 OPENING_GAP info pass",
            "2 OHLC_ORDER high fail",
            "2 INTRADAY_RANGE info fail",
            "2 POSSIBLE_REVERSE_SPLIT info fail",
            "3 OPENING_GAP info pass",
            "3 POSSIBLE_REVERSE_SPLIT info pass",
        ]
    );
}

#[test]
fn fixed_bounds_give_verdicts_in_the_compatibility_preset_only() {
    let series = daily("100 101 99 100 5; 130 131 128 130 5; 130 131 80 130 5; 0.005 0.005 0.005 0.005 5");
    let preset = BarContext { bounds: Bounds::Compatibility, ..equity() };
    assert_eq!(validate_bars(&series, &equity()).worst(), Verdict::Pass);
    assert_eq!(
        validate_bars(&series, &preset).verdicts,
        [Verdict::Pass, Verdict::Warn, Verdict::Warn, Verdict::Fail]
    );
}

#[test]
fn an_earnings_gap_of_eleven_percent_that_stays_is_no_anomaly() {
    let series = after_calm("112 113 111 112 1000; 112.5 113 111 112.3 1000");
    assert_eq!(check(&series, &equity()), [""; 0]);
}

#[test]
fn a_price_that_jumps_and_comes_back_at_once_is_an_outlier() {
    let series = after_calm("130 131 129 130 1000; 100 101 99 100 1000");
    assert_eq!(check(&series, &equity()), ["30 OPENING_GAP info warn", "30 OUTLIER_MOVE high warn"]);
}

#[test]
fn a_crash_in_the_newest_row_is_not_scored_perfect_and_its_confirmation_clears_it() {
    assert_eq!(
        check(&after_calm("10.7 10.8 10.4 10.6 1000"), &equity()),
        ["30 OPENING_GAP info quarantine", "30 HISTORY_CONTRADICTED critical quarantine"]
    );
    let confirmed = after_calm("10.7 10.8 10.4 10.6 1000; 10.6 10.7 10.4 10.5 1000");
    let rows = check(&confirmed, &equity());
    assert!(rows.iter().all(|row| !row.contains("CONTRADICTED") && !row.contains("OUTLIER")), "{rows:?}");
}

#[test]
fn pence_among_pounds_are_named_as_a_factor() {
    let series = after_calm("1 1.01 0.99 1.002 1000; 100 101 99 100 1000");
    assert_eq!(
        check(&series, &equity()),
        ["30 OPENING_GAP info quarantine", "30 UNIT_FACTOR critical quarantine"]
    );
}

#[test]
fn a_split_day_on_record_is_no_anomaly_and_without_a_record_it_is_a_hint() {
    let rows = "25.1 25.3 24.9 25.1 4000; 25.2 25.3 25.0 25.1 4000";
    let raw = after_calm(rows);
    let actions = [split(raw.bars[30].trading_date.unwrap(), "4")];
    assert_eq!(check(&raw, &BarContext { actions: &actions, ..equity() }), [""; 0]);
    assert_eq!(check(&raw, &equity()), ["30 OPENING_GAP info pass", "30 POSSIBLE_SPLIT info pass"]);
}

#[test]
fn a_series_that_contradicts_its_basis_at_a_split_is_found_out() {
    // ACT-4
    let jump = "25.1 25.3 24.9 25.1 4000; 25.2 25.3 25.0 25.1 4000";
    let flat = "100.1 100.3 99.9 100.1 4000; 100.2 100.3 100.0 100.1 4000";
    for (rows, basis, mismatch) in [
        (jump, Adjustment::Raw, false),
        (jump, Adjustment::Split, true),
        (flat, Adjustment::Raw, true),
        (flat, Adjustment::Split, false),
        (jump, Adjustment::Unknown, false),
        (flat, Adjustment::Unknown, false),
    ] {
        let mut series = after_calm(rows);
        series.adjustment = basis;
        let actions = [split(series.bars[30].trading_date.unwrap(), "4")];
        let found = check(&series, &BarContext { actions: &actions, ..equity() });
        let expected: &[&str] = if mismatch { &["30 BASIS_MISMATCH high fail"] } else { &[] };
        assert_eq!(found, expected, "{basis} {rows}");
    }
}

#[test]
fn a_dividend_on_record_explains_its_drop() {
    let series = after_calm("60 60.4 59.8 60.2 1000");
    let amount = Price::parse("40").unwrap();
    let kind = ActionKind::Dividend { amount, denomination: None };
    let dividend =
        CorporateAction::new(series.instrument.clone(), series.bars[30].trading_date.unwrap(), kind);
    assert_eq!(check(&series, &BarContext { actions: &[dividend], ..equity() }), [""; 0]);
    assert!(!check(&series, &equity()).is_empty());
}

#[test]
fn the_first_row_is_measured_from_the_known_past() {
    let closes: Vec<Price> =
        (0..65).map(|i| Price::parse(["100", "101", "100.4", "99.7"][i % 4]).unwrap()).collect();
    let volumes = vec![Size::from(1000); 65];
    let last = Instant::from_secs(1_700_000_000 / DAY * DAY - DAY);
    let history = History::of(Some(last), &closes, &volumes);
    let context = BarContext { history: Some(&history), ..equity() };
    assert_eq!(check(&daily("100 101 99 100 1000"), &context), [""; 0]);
    assert_eq!(check(&daily("117 118 116 117 1000"), &context), ["0 OUTLIER_MOVE high warn"]);
    assert_eq!(
        check(&daily("150 151 149 150 1000"), &context),
        ["0 OPENING_GAP info quarantine", "0 HISTORY_CONTRADICTED critical quarantine"]
    );
    assert_eq!(check(&daily("100 101 99 100 20000"), &context), ["0 VOLUME_OUTLIER high warn"]);
    let quarter = daily("25.1 25.3 24.9 25.1 1000");
    let actions = [split(quarter.bars[0].trading_date.unwrap(), "4")];
    assert_eq!(check(&quarter, &BarContext { actions: &actions, ..context }), [""; 0]);
    let earlier = [split(last.utc_date(), "4")];
    assert!(!check(&quarter, &BarContext { actions: &earlier, ..context }).is_empty());
}

#[test]
fn duplicates_and_rows_out_of_order_are_told_apart() {
    let mut series = daily("10 11 9 10 5; 10 11 9 10 5; 10 11 9 10 5; 10 11 9 10 5");
    series.bars.swap(1, 2);
    series.bars[3].start = series.bars[1].start;
    series.bars[3].trading_date = series.bars[1].trading_date;
    assert_eq!(check(&series, &equity()), ["2 OUT_OF_ORDER high fail", "3 DUPLICATE medium warn"]);
}

proptest! {
    #![proptest_config(crate::seeded::cases())]

    #[test]
    fn no_bars_are_fatal_and_none_is_dropped(
        rows in prop::collection::vec(
            (prop::array::uniform5(prop::option::of(-3i64..i64::MAX)), 0u32..28, any::<i64>(), any::<bool>()),
            0..12,
        ),
        unit in any::<bool>(),
    ) {
        let mut series = daily("");
        series.interval = if unit { Interval::M1 } else { Interval::D1 };
        for (values, scale, nanos, is_final) in rows {
            let price = |at: usize| values[at].map(|v| Price::new(Decimal::new(v, scale)));
            let mut bar = Bar::empty(Instant::from_nanos(nanos));
            (bar.open, bar.high, bar.low, bar.close) = (price(0), price(1), price(2), price(3));
            bar.volume = price(4).map(|p| Size::new(p.decimal()));
            bar.is_final = is_final;
            series.bars.push(bar);
        }
        let judged = validate_bars(&series, &equity());
        prop_assert_eq!(judged.verdicts.len(), series.bars.len());
        prop_assert_eq!(validate_bars(&series, &equity()), judged);
    }
}
