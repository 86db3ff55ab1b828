//! SRC-9: examples in the documented shape, decoded to a line per row.

use super::*;

fn lines(series: &BarSeries) -> Vec<String> {
    series
        .bars
        .iter()
        .map(|bar| {
            let prices = bar.prices().expect("all four prices").map(|price| price.to_string()).join(" ");
            let date = bar.trading_date.expect("a date");
            format!("{} {date} {prices} {:?} {}", bar.start, bar.volume.expect("a volume"), bar.is_final)
        })
        .collect()
}

#[test]
fn weeks_are_read_line_by_line() {
    let body = include_str!("../../../examples/alpha_vantage/weekly.json");
    let series = series("TIME_SERIES_WEEKLY", body).expect("bars");
    assert_eq!(
        lines(&series),
        [
            "2026-03-02T05:00:00Z 2026-03-06 11 12.1 10.9 12 5200 true",
            "2026-03-09T04:00:00Z 2026-03-11 12 12.9 11.75 12.5 3100 false",
        ]
    );
}

#[test]
fn a_table_is_read_line_by_line() {
    let body = include_str!("../../../examples/alpha_vantage/daily_adjusted.csv");
    let series = series("TIME_SERIES_DAILY_ADJUSTED datatype=csv", body).expect("bars");
    assert_eq!(
        lines(&series),
        [
            "2026-03-09T04:00:00Z 2026-03-09 40 44 36 42 100 true",
            "2026-03-10T04:00:00Z 2026-03-10 10 11 9.5 10.5 400 true",
        ]
    );
    assert_eq!(series.bars[0].vendor_adjusted_close, Price::parse("10.47500625"));
    assert_eq!(series.actions.len(), 2);
}
