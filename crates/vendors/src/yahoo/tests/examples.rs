//! SRC-9: examples in the documented shape, decoded to a line per row.

use super::*;

#[test]
fn a_chart_is_read_line_by_line() {
    let series = series(CHART, include_str!("../../../examples/yahoo/chart_1d.json")).expect("bars");
    let lines: Vec<String> = series
        .bars
        .iter()
        .map(|bar| {
            let prices = [bar.open, bar.high, bar.low, bar.close, bar.vendor_adjusted_close];
            let prices =
                prices.map(|price| price.map_or("-".to_owned(), |price| price.to_string())).join(" ");
            let date = bar.trading_date.expect("a date");
            format!("{} {date} {prices} {:?} {}", bar.start, bar.volume.expect("a volume"), bar.is_final)
        })
        .collect();
    assert_eq!(
        lines,
        [
            "2026-01-07T08:00:00Z 2026-01-07 1279.5 1286.5699462890625 1258 1259.5 1259.2950439453125 728520 true",
            "2026-01-08T08:00:00Z 2026-01-08 - - - - - 0 true",
            "2026-01-09T16:30:00Z 2026-01-09 1250 1262.25 1249.75 1259.5 1259.5 145121 false",
        ]
    );
    let actions: Vec<String> =
        series.actions.iter().map(|action| format!("{} {:?}", action.ex_date, action.kind)).collect();
    assert_eq!(
        actions,
        [
            "2026-01-07 Split { new_per_old: 0.1 }",
            "2026-01-08 Dividend { amount: 0.205, denomination: Some(Denomination { currency: GBP, unit: Minor }) }",
        ]
    );
}

#[test]
fn quotes_are_read_line_by_line() {
    let body = include_str!("../../../examples/yahoo/quote.json");
    let lines: Vec<String> = quotes("/v7/finance/quote", body)
        .expect("quotes")
        .into_iter()
        .map(|quoted| {
            let quote = quoted.quote.expect("a quote");
            let told = [quote.last, quote.bid, quote.ask, quote.previous_close]
                .map(|price| price.map_or("-".to_owned(), |price| price.to_string()))
                .join(" ");
            format!(
                "{} {told} {:?} {:?}",
                quoted.instrument,
                quote.bid_size,
                quote.event_time.expect("a time")
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "ACME.XNAS 244.6 244.58 244.61 241.53 Some(200) 2026-01-09T17:00:00Z",
            "0P0000ACME.XTSE 152.63 - - - None 2026-01-08T21:00:00Z",
        ]
    );
}
