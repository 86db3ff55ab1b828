// ACT-1, ACT-3
use domain::{ActionKind, Currency, Denomination, Instant, InstrumentId, Interval, Unit, number::Decimal};
use proptest::prelude::*;

use super::*;

fn id() -> InstrumentId {
    InstrumentId::parse("V.XNYS").unwrap()
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

fn split(on: &str, ratio: &str) -> CorporateAction {
    let new_per_old = Ratio::parse(ratio).unwrap();
    CorporateAction::new(id(), date(on), ActionKind::Split { new_per_old })
}

fn dividend(on: &str, amount: &str) -> CorporateAction {
    let amount = Price::parse(amount).unwrap();
    CorporateAction::new(id(), date(on), ActionKind::Dividend { amount, denomination: None })
}

/// A series of `date close volume` rows.
fn series(adjustment: Adjustment, rows: &str) -> BarSeries {
    let mut series = BarSeries::empty(id(), Interval::D1, adjustment);
    for row in rows.split(';') {
        let mut fields = row.split_whitespace();
        let day = date(fields.next().unwrap());
        let close = Price::parse(fields.next().unwrap()).unwrap();
        let volume = Size::parse(fields.next().unwrap_or("100")).unwrap();
        let mut bar = Bar::new(Instant::from_utc_midnight(day), [close; 4], volume);
        bar.trading_date = Some(day);
        series.bars.push(bar);
    }
    series
}

fn shown(series: &BarSeries) -> String {
    let row = |bar: &Bar| format!("{} {}", bar.close.unwrap(), bar.volume.unwrap());
    series.bars.iter().map(row).collect::<Vec<_>>().join("; ")
}

fn since_1990(actions: &[CorporateAction]) -> Record<'_> {
    Record::complete(actions, date("1990-01-01"), date("2020-01-01"))
}

const RAW: &str = "2015-03-17 268 1000; 2015-03-18 267.67 1000; 2015-03-19 66.81 4000; 2015-03-20 67 4000";

#[test]
fn a_split_restates_earlier_prices_and_volumes_both_ways() {
    let actions = [split("2015-03-19", "4")];
    let raw = series(Adjustment::Raw, RAW);
    let (restated, declared) = convert(&raw, Adjustment::Split, &since_1990(&actions)).unwrap();
    assert_eq!(shown(&restated), "67 4000; 66.9175 4000; 66.81 4000; 67 4000");
    assert_eq!((declared.from, declared.to, declared.steps), (Adjustment::Raw, Adjustment::Split, 1));
    let (back, _) = convert(&restated, Adjustment::Raw, &since_1990(&actions)).unwrap();
    assert_eq!(back, raw);
}

#[test]
fn a_split_after_the_last_row_still_restates_it_up_to_the_date_of_the_record() {
    let actions = [split("2015-03-19", "4"), split("2018-06-01", "2")];
    let before = series(Adjustment::Split, "2014-01-02 10; 2014-01-03 11");
    let (raw, _) = convert(&before, Adjustment::Raw, &since_1990(&actions)).unwrap();
    assert_eq!(shown(&raw), "80 12.5; 88 12.5");
    let known_in_2016 = Record::complete(&actions, date("1990-01-01"), date("2016-01-01"));
    let (raw, _) = convert(&before, Adjustment::Raw, &known_in_2016).unwrap();
    assert_eq!(shown(&raw), "40 25; 44 25");
}

#[test]
fn a_split_told_by_two_vendors_counts_once_and_two_different_ones_are_refused() {
    let raw = series(Adjustment::Raw, RAW);
    let twice = [split("2015-03-19", "4"), split("2015-03-19", "4.000")];
    assert_eq!(
        shown(&convert(&raw, Adjustment::Split, &since_1990(&twice)).unwrap().0).split(';').next(),
        Some("67 4000")
    );
    let differ = [split("2015-03-19", "4"), split("2015-03-19", "2")];
    let refused = CannotConvert::BrokenSplit { ex_date: date("2015-03-19") };
    assert_eq!(convert(&raw, Adjustment::Split, &since_1990(&differ)), Err(refused));
    let zero = [split("2015-03-19", "0")];
    assert_eq!(convert(&raw, Adjustment::Split, &since_1990(&zero)), Err(refused));
}

#[test]
fn a_dividend_restates_by_the_raw_close_before_it() {
    let actions = [dividend("2015-03-20", "1"), split("2015-03-19", "4")];
    let raw = series(Adjustment::Raw, "2015-03-18 400 10; 2015-03-19 100 40; 2015-03-20 99 40");
    let record = since_1990(&actions);
    let (all, _) = convert(&raw, Adjustment::All, &record).unwrap();
    assert_eq!(shown(&all), "99 40; 99 40; 99 40");
    let (cash, _) = convert(&raw, Adjustment::Dividend, &record).unwrap();
    assert_eq!(shown(&cash), "396 10; 99 40; 99 40", "volumes do not move with dividends");
    let (split_only, _) = convert(&raw, Adjustment::Split, &record).unwrap();
    assert_eq!(convert(&split_only, Adjustment::All, &record).unwrap().0, all);
}

#[test]
fn dividends_come_out_again_only_with_raw_closes() {
    let actions = [dividend("2015-03-20", "1")];
    let all = series(Adjustment::All, "2015-03-19 99; 2015-03-20 99");
    let missing = CannotConvert::NoPreviousClose { ex_date: date("2015-03-20") };
    assert_eq!(convert(&all, Adjustment::Raw, &since_1990(&actions)), Err(missing));
    let raw_closes = [(date("2015-03-19"), Price::from(100))];
    let record = Record { raw_closes: &raw_closes, ..since_1990(&actions) };
    assert_eq!(shown(&convert(&all, Adjustment::Raw, &record).unwrap().0), "100 100; 99 100");
    let stale = [(date("2014-03-19"), Price::from(100))];
    assert_eq!(convert(&all, Adjustment::Raw, &Record { raw_closes: &stale, ..record }), Err(missing));
}

#[test]
fn what_cannot_be_known_is_refused_with_its_reason() {
    let actions = [split("2015-03-19", "4")];
    let record = since_1990(&actions);
    let raw = series(Adjustment::Raw, RAW);
    let first = date("2015-03-17");
    let unknown = series(Adjustment::Unknown, RAW);
    for basis in Adjustment::ASKABLE {
        assert_eq!(convert(&unknown, basis, &record), Err(CannotConvert::UnknownBasis));
    }
    assert_eq!(convert(&unknown, Adjustment::Unknown, &record), Err(CannotConvert::UnknownBasis));
    assert_eq!(convert(&raw, Adjustment::Unknown, &record), Err(CannotConvert::UnknownTarget));
    for splits_from in [None, Some(date("2015-03-18"))] {
        let record = Record { splits_from, ..record };
        let refused = Err(CannotConvert::SplitsNotCovered { first });
        assert_eq!(convert(&raw, Adjustment::Split, &record), refused);
        assert_eq!(convert(&raw, Adjustment::All, &record), refused);
        assert_eq!(convert(&raw, Adjustment::Raw, &record).unwrap().0, raw, "already there");
    }
    let record = Record { dividends_from: None, ..record };
    assert_eq!(convert(&raw, Adjustment::All, &record), Err(CannotConvert::DividendsNotCovered { first }));
    assert!(convert(&raw, Adjustment::Split, &record).is_ok());
}

#[test]
fn a_four_to_one_split_is_never_read_as_a_crash_by_a_wrong_label() {
    let actions = [split("2015-03-19", "4")];
    let refused = Err(CannotConvert::BasisContradicted { ex_date: date("2015-03-19") });
    let labelled_split = series(Adjustment::Split, RAW);
    assert_eq!(convert(&labelled_split, Adjustment::Raw, &since_1990(&actions)), refused);
    let restated = "2015-03-18 66.92; 2015-03-19 66.81; 2015-03-20 67";
    let labelled_raw = series(Adjustment::Raw, restated);
    assert_eq!(convert(&labelled_raw, Adjustment::Split, &since_1990(&actions)), refused);
}

#[test]
fn a_dividend_in_pence_meets_prices_in_pounds_and_another_currency_is_refused() {
    let gbp = |unit| Some(Denomination { currency: Currency::literal("GBP"), unit });
    let amount = Price::from(100);
    let paid = |denomination| {
        [CorporateAction::new(id(), date("2015-03-20"), ActionKind::Dividend { amount, denomination })]
    };
    let mut raw = series(Adjustment::Raw, "2015-03-19 100; 2015-03-20 99");
    raw.denomination = gbp(Unit::Major);
    let pence = paid(gbp(Unit::Minor));
    assert_eq!(shown(&convert(&raw, Adjustment::All, &since_1990(&pence)).unwrap().0), "99 100; 99 100");
    let dollars = paid(Some(Denomination::USD));
    let refused = CannotConvert::DividendCurrency { ex_date: date("2015-03-20") };
    assert_eq!(convert(&raw, Adjustment::All, &since_1990(&dollars)), Err(refused));
    let whole = [dividend("2015-03-20", "100")];
    let refused = CannotConvert::DividendAbovePrice { ex_date: date("2015-03-20") };
    assert_eq!(convert(&raw, Adjustment::All, &since_1990(&whole)), Err(refused));
}

#[test]
fn an_empty_series_is_on_every_basis() {
    let empty = BarSeries::empty(id(), Interval::D1, Adjustment::Raw);
    let record = Record::complete(&[], date("1990-01-01"), date("2020-01-01"));
    assert_eq!(convert(&empty, Adjustment::All, &record).unwrap().0.adjustment, Adjustment::All);
}

proptest! {
    #![proptest_config(crate::seeded::cases())]

    #[test]
    fn raw_survives_the_way_to_split_and_back(
        cents in prop::collection::vec(1i64..1_000_000_000, 1..20),
        ratio in prop::sample::select(vec!["2", "4", "5", "8", "10", "0.5", "0.1", "3", "7", "1.5", "1.0027455"]),
    ) {
        let mut raw = series(Adjustment::Raw, "2015-03-17 268");
        raw.bars = cents.iter().map(|cents| {
            let close = Price::new(Decimal::new(*cents, 2));
            let mut bar = Bar::new(Instant::from_utc_midnight(date("2015-03-17")), [close; 4], Size::from(7));
            bar.trading_date = Some(date("2015-03-17"));
            bar
        }).collect();
        let actions = [split("2016-03-19", ratio)];
        let record = since_1990(&actions);
        let there = convert(&raw, Adjustment::Split, &record).unwrap().0;
        let back = convert(&there, Adjustment::Raw, &record).unwrap().0;
        if !["3", "7", "1.5", "1.0027455"].contains(&ratio) {
            prop_assert_eq!(&back, &raw);
        }
        for (was, is) in raw.bars.iter().zip(&back.bars) {
            let (was, is) = (was.close.unwrap().decimal(), is.close.unwrap().decimal());
            prop_assert!((was - is).abs() <= was * Decimal::new(1, 12), "{} became {}", was, is);
        }
    }
}
