//! SYM-1, SYM-2, SYM-4, SYM-9: every common spelling leads to one id, and a dated name to its owner then.

use domain::directory::{Directory, SymbolError};
use domain::number::Decimal;
use domain::{
    Currency, Date, Denomination, Instrument, InstrumentId, InstrumentKind, Price, Size, TickTable, Unit,
    Venue,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn day(text: &str) -> Date {
    text.parse().expect("a date")
}

fn id(text: &str) -> InstrumentId {
    InstrumentId::parse(text).expect("a canonical id")
}

fn share(text: &str) -> Instrument {
    Instrument::new(id(text), InstrumentKind::Equity)
}

/// Resolves each text against the built-in directory.
fn check(rows: &[(&str, &str)]) {
    let directory = Directory::built_in();
    for (text, expected) in rows {
        let found = directory.resolve(text, None).map(|id| id.to_string());
        assert_eq!(found.as_deref(), Ok(*expected), "{text}");
    }
}

#[test]
fn a_bare_ticker_means_its_listing_or_else_the_composite_of_the_united_states() {
    check(&[
        ("AAPL", "AAPL.XNAS"),
        ("aapl", "AAPL.XNAS"),
        (" Spy ", "SPY.ARCX"),
        ("GOOGL", "GOOGL.XNAS"),
        ("TSLA", "TSLA.XNAS"),
        ("MSFT", "MSFT.XNAS"),
        ("V", "V.XNYS"),
        ("ocdo", "OCDO.XLON"),
        ("AAPL.US", "AAPL.XNAS"),
        ("ZZZZ", "ZZZZ.US"),
        ("zzzz.us", "ZZZZ.US"),
    ]);
}

#[test]
fn the_last_dot_splits_only_before_a_known_venue_or_suffix() {
    check(&[
        ("BRK.B", "BRK.B.XNYS"),
        ("brk.b.xnys", "BRK.B.XNYS"),
        ("BRK-B", "BRK.B.XNYS"),
        ("BF.A", "BF.A.US"),
        ("BAC.PR.L", "BAC.PR.L.US"),
        ("AAPL.XNAS", "AAPL.XNAS"),
        ("FOO.NOWHERE", "FOO.NOWHERE.US"),
    ]);
}

#[test]
fn digits_dashes_and_long_names_survive() {
    check(&[
        ("7203.T", "7203.XTKS"),
        ("0700.HK", "0700.XHKG"),
        ("600519.SS", "600519.XSHG"),
        ("NOVO-B.CO", "NOVO-B.XCSE"),
        ("REI-UN.TO", "REI-UN.XTSE"),
        ("BAC-PL", "BAC-PL.US"),
        ("BRK-BB", "BRK-BB.US"),
        ("1INCH/USDT", "1INCH/USDT.CRYPTO"),
        ("1000PEPE/USDT:USDT", "1000PEPE/USDT:USDT.CRYPTO"),
        ("LONGTOKENNAMETHATSURVIVES/USDT", "LONGTOKENNAMETHATSURVIVES/USDT.CRYPTO"),
        ("BTC/USDT:USDT-251226.OKX", "BTC/USDT:USDT-251226.OKX"),
        ("USDT.E/USDC", "USDT.E/USDC.CRYPTO"),
    ]);
}

#[test]
fn a_pair_of_two_state_currencies_is_foreign_exchange_and_any_other_a_coin() {
    check(&[
        ("EUR/USD", "EUR/USD.FX"),
        ("eur-usd", "EUR/USD.FX"),
        ("XAU/USD", "XAU/USD.FX"),
        ("BTC/USD", "BTC/USD.CRYPTO"),
        ("BTC-USD", "BTC/USD.CRYPTO"),
        ("btc/usdt.binance", "BTC/USDT.BINANCE"),
        ("BTC-USDT.OKX", "BTC/USDT.OKX"),
    ]);
}

#[test]
fn a_pair_without_separator_is_known_from_its_record_only() {
    check(&[
        ("BTCUSDT", "BTC/USDT.CRYPTO"),
        ("eurusd", "EUR/USD.FX"),
        ("USDTTRY", "USDTTRY.US"),
        ("TUSDUSDT", "TUSDUSDT.US"),
    ]);
}

#[test]
fn prefixes_say_what_follows() {
    check(&[
        ("X:BTCUSD", "BTC/USD.CRYPTO"),
        ("x:btc-usd", "BTC/USD.CRYPTO"),
        ("X:TUSDUSDT", "TUSD/USDT.CRYPTO"),
        ("X:1INCHUSD", "1INCH/USD.CRYPTO"),
        ("C:EURUSD", "EUR/USD.FX"),
        ("C:EUR/USD", "EUR/USD.FX"),
        ("I:NDX", "^NDX.INDEX"),
        ("I:SPX", "^SPX.INDEX"),
        ("O:SPY251219C00650000", "O:SPY251219C00650000.US"),
    ]);
}

#[test]
fn yahoo_s_forms_are_understood() {
    check(&[
        ("OCDO.L", "OCDO.XLON"),
        ("sap.de", "SAP.XETR"),
        ("SHOP.TO", "SHOP.XTSE"),
        ("AIR.PA", "AIR.XPAR"),
        ("ASML.AS", "ASML.XAMS"),
        ("ENI.MI", "ENI.XMIL"),
        ("NESN.SW", "NESN.XSWX"),
        ("BHP.AX", "BHP.XASX"),
        ("^GSPC", "^GSPC.INDEX"),
        ("^gspc.index", "^GSPC.INDEX"),
        ("^TA125.TA", "^TA125.TA.INDEX"),
        ("EURUSD=X", "EUR/USD.FX"),
        ("JPY=X", "USD/JPY.FX"),
        ("ES=F", "ES=F.CMES"),
        ("KC=F", "KC=F.IEPA"),
    ]);
}

#[test]
fn what_is_no_symbol_is_refused_and_told_how_to_write_one() {
    let directory = Directory::built_in();
    let long = "A".repeat(33);
    let endless = "A".repeat(100_000);
    for text in [
        "",
        " ",
        ".",
        "..",
        "/",
        ":",
        "^",
        "-",
        "AA PL",
        "AAPL\n",
        "AAPL\0",
        "\tAAPL",
        "'AAPL'",
        "\"AAPL\"",
        "`id`",
        "AAPL;DROP",
        "A,B",
        "AAPL?",
        "A%20B",
        "../AAPL",
        "A\\B",
        "BTC/",
        "/USD",
        "BTC//USD",
        "A/B/C",
        "BTC/USDT:",
        "BTC/:USDT",
        ":BTC",
        "X:",
        "X:USD",
        "C:EUR",
        "C:EURUS1",
        "I:",
        "O:",
        "Z:AAPL",
        "AAPL.",
        ".AAPL",
        "A..B",
        "^",
        "^^GSPC",
        "GS^PC",
        "=X",
        "AAPL-",
        "<script>",
        "ÄÖÜ",
        "🦅",
        "A\u{200b}B",
        &long,
        &endless,
    ] {
        let refused = directory.resolve(text, None);
        assert!(matches!(refused, Err(SymbolError::Malformed(_))), "{text:?}: {refused:?}");
        assert!(directory.parse(text).is_err(), "{text:?}");
    }
    let words = directory.resolve("AA PL", None).unwrap_err().to_string();
    assert!(words.contains("`AA PL`") && words.contains("AAPL.XNAS"), "{words}");
    let words = directory.resolve(&endless, None).unwrap_err().to_string();
    assert!(words.len() < 300, "an endless text is not echoed");
}

#[test]
fn a_renamed_instrument_is_found_by_either_name_and_by_the_old_one_on_its_dates() {
    let directory = Directory::built_in();
    let resolve = |text, on: Option<&str>| directory.resolve(text, on.map(day)).map(|id| id.to_string());
    let is =
        |text, on, expected: &str| assert_eq!(resolve(text, on).as_deref(), Ok(expected), "{text} {on:?}");
    is("FB", None, "META.XNAS");
    is("FB.XNAS", None, "META.XNAS");
    is("FB.US", None, "META.XNAS");
    is("META", None, "META.XNAS");
    is("FB", Some("2021-06-01"), "META.XNAS");
    is("FB", Some("2022-06-08"), "META.XNAS");
    is("META", Some("2022-06-09"), "META.XNAS");
    is("META.XNAS", Some("2021-06-01"), "META.XNAS");
    // One text, two owners.
    is("GOOG", Some("2014-04-02"), "GOOGL.XNAS");
    is("GOOG", Some("2014-04-03"), "GOOG.XNAS");
    is("GOOG", None, "GOOG.XNAS");
    is("FOXA", Some("2015-01-05"), "TFCFA.XNAS");
    is("FOXA", None, "FOXA.XNAS");
    is("NWSA", Some("2012-01-03"), "TFCFA.XNAS");
    is("NWSA", None, "NWSA.XNAS");
    // There and back again.
    is("QQQ", Some("2003-01-02"), "QQQ.XNAS");
    is("QQQQ", Some("2008-01-02"), "QQQ.XNAS");
    is("QQQQ", None, "QQQ.XNAS");
    is("QQQ", None, "QQQ.XNAS");
    is("UW", None, "WM.XNYS");
    is("AOL", Some("2005-01-03"), "TWX.XNYS");
    is("AOL", Some("2012-01-03"), "AOL.XNYS");
}

#[test]
fn an_old_symbol_is_never_mapped_to_its_later_owner() {
    let directory = Directory::built_in();
    for (text, on, later) in [("META", "2021-06-01", "META.XNAS"), ("VXX", "2018-06-01", "VXX.BATS")] {
        let refused = directory.resolve(text, Some(day(on)));
        assert_eq!(
            refused,
            Err(SymbolError::NotYet { name: text.into(), on: day(on), later: id(later) }),
            "{text} {on}"
        );
    }
}

#[test]
fn a_name_given_up_belongs_to_whoever_takes_it_next() {
    let mut directory = Directory::built_in();
    directory.insert(Instrument { listed: Some(day("2025-06-25")), ..share("FB.BATS") });
    let resolve = |on: Option<&str>| directory.resolve("FB", on.map(day)).map(|id| id.to_string());
    assert_eq!(resolve(None).as_deref(), Ok("FB.BATS"));
    assert_eq!(resolve(Some("2021-06-01")).as_deref(), Ok("META.XNAS"));
    assert_eq!(resolve(Some("2024-01-02")).as_deref(), Ok("META.XNAS"));
    // A successor at the same venue whose listing day nobody stated.
    let mut directory = Directory::built_in();
    directory.insert(share("FB.XNAS"));
    assert_eq!(directory.resolve("FB", None), Ok(id("FB.XNAS")));
    assert_eq!(directory.resolve("FB.XNAS", Some(day("2020-01-02"))), Ok(id("META.XNAS")));
}

#[test]
fn a_rename_learned_after_the_record_takes_the_record_along() {
    let mut directory = Directory::default();
    directory.insert(Instrument { listed: Some(day("2012-05-18")), ..share("FB.XNAS") });
    directory.rename(id("FB.XNAS"), id("META.XNAS"), day("2022-06-09"));
    assert_eq!(directory.resolve("FB", None), Ok(id("META.XNAS")));
    assert_eq!(directory.instrument(&id("META.XNAS")).map(|i| i.id.clone()), Some(id("META.XNAS")));
    assert_eq!(directory.instrument(&id("FB.XNAS")), None);
    assert_eq!(directory.count(), 1);
    assert!(matches!(directory.resolve("FB", Some(day("2001-01-02"))), Err(SymbolError::NotYet { .. })));
    // Told twice, it happens once.
    directory.rename(id("FB.XNAS"), id("META.XNAS"), day("2022-06-09"));
    assert_eq!(directory.resolve("META", None), Ok(id("META.XNAS")));
}

#[test]
fn a_rename_does_not_take_the_record_of_the_name_s_next_owner() {
    let mut directory = Directory::default();
    directory.insert(Instrument { listed: Some(day("2014-04-03")), ..share("GOOG.XNAS") });
    directory.rename(id("GOOG.XNAS"), id("GOOGL.XNAS"), day("2014-04-03"));
    assert_eq!(directory.resolve("GOOG", None), Ok(id("GOOG.XNAS")));
    assert_eq!(directory.resolve("GOOG", Some(day("2010-01-04"))), Ok(id("GOOGL.XNAS")));
}

#[test]
fn every_recorded_symbol_change_leads_from_the_old_name_to_the_new_one() {
    let Some(path) = test_data::find("symbol changes", "data/reference/symbol_changes.csv") else { return };
    let mut rows = csv::Reader::from_path(path).expect("the file opens");
    let directory = Directory::built_in();
    let mut seen = 0;
    for row in rows.records() {
        let row = row.expect("a row");
        let first_day = day(&row[2]);
        let eve = first_day.yesterday().expect("not the first of all days");
        let before = directory.resolve(&row[0], Some(eve)).expect("the old name had an owner");
        let after = directory.resolve(&row[1], Some(first_day)).expect("the new name has an owner");
        assert_eq!(before, after, "{row:?}");
        assert_eq!(before.venue().as_str(), &row[3], "{row:?}");
        seen += 1;
    }
    assert_eq!(seen, 13);
}

#[test]
fn a_record_inserted_makes_its_venue_known_and_its_name_resolvable() {
    let mut directory = Directory::default();
    assert_eq!(directory.resolve("WIDGET", None), Ok(id("WIDGET.US")));
    assert_eq!(
        directory.resolve("WIDGET.HOME", None).map(|i| i.to_string()).as_deref(),
        Ok("WIDGET.HOME.US")
    );
    directory.insert(share("WIDGET.HOME"));
    assert_eq!(directory.resolve("widget", None), Ok(id("WIDGET.HOME")));
    assert_eq!(directory.resolve("WIDGET.HOME", None), Ok(id("WIDGET.HOME")));
    // Of several listings a bare name means the one in the United States.
    directory.insert(share("WIDGET.XNYS"));
    assert_eq!(directory.resolve("WIDGET", None), Ok(id("WIDGET.XNYS")));
    // A listing that has ended yields to one that has not.
    directory.insert(Instrument { delisted: Some(day("2020-01-02")), ..share("WIDGET.XNYS") });
    assert_eq!(directory.resolve("WIDGET", None), Ok(id("WIDGET.HOME")));
    assert_eq!(directory.resolve("WIDGET", Some(day("2019-01-02"))), Ok(id("WIDGET.XNYS")));
    assert_eq!(directory.count(), 2);
}

#[test]
fn search_finds_by_name_before_description_and_within_one_kind() {
    let directory = Directory::built_in();
    let names = |words, limit, kind| -> Vec<String> {
        directory.search(words, limit, kind).iter().map(|i| i.id.to_string()).collect()
    };
    assert_eq!(names("apple", 5, None), ["AAPL.XNAS"]);
    assert_eq!(names("V", 2, None), ["V.XNYS", "VOO.ARCX"]);
    assert_eq!(names("s&p etf", 9, Some(InstrumentKind::Etf)), ["IVV.ARCX", "SPY.ARCX", "VOO.ARCX"]);
    assert_eq!(names("s&p", 9, Some(InstrumentKind::Index)), ["^GSPC.INDEX"]);
    assert_eq!(names("alphabet", 9, None), ["GOOGL.XNAS", "GOOG.XNAS"]);
    assert_eq!(names("btc", 9, None), ["BTC/USD.CRYPTO", "BTC/USDT.CRYPTO"]);
    assert!(names("", 9, None).is_empty());
    assert!(names("no such company", 9, None).is_empty());
    assert!(names("a", 0, None).is_empty());
}

#[test]
fn built_in_records_state_currency_unit_lot_and_ticks() {
    let directory = Directory::built_in();
    let record = |text| directory.instrument(&id(text)).expect("a built-in record");
    let apple = record("AAPL.XNAS");
    assert_eq!(apple.denomination, Some(Denomination::USD));
    assert_eq!(apple.lot, Some(Size::new(Decimal::ONE)));
    let step = |price| apple.ticks.as_ref().and_then(|t| t.step_at(Price::parse(price)?));
    assert_eq!(step("1"), Price::parse("0.01"));
    assert_eq!(step("0.9999"), Price::parse("0.0001"));
    assert_eq!(step("600000"), Price::parse("0.01"));
    assert_eq!(step("-1"), None);
    let ocado = record("OCDO.XLON").denomination.expect("London's unit is known");
    assert_eq!((ocado.currency, ocado.unit), (Currency::literal("GBP"), Unit::Minor));
    assert_eq!(record("BTC/USDT.CRYPTO").denomination.map(|d| d.currency), Some(Currency::literal("USDT")));
    assert_eq!(record("^GSPC.INDEX").kind, InstrumentKind::Index);
    assert_eq!(TickTable { steps: vec![] }.step_at(Price::ZERO), None);
}

/// Names of the kinds that trade: tickers, classes, pairs with and without settlement, indices.
fn canonical_id() -> impl Strategy<Value = InstrumentId> {
    let venue =
        prop::sample::select(vec!["XNAS", "XNYS", "XLON", "XTKS", "BINANCE", "OKX", "FX", "CRYPTO", "INDEX"]);
    let name = prop_oneof![
        "[A-Z0-9]{1,12}",
        "[A-Z]{1,4}\\.[ABCUW]",
        "[A-Z0-9]{2,10}/[A-Z0-9]{2,6}",
        "[A-Z0-9]{2,8}/[A-Z0-9]{3,5}:[A-Z]{3,4}",
        "\\^[A-Z0-9]{1,8}",
    ];
    (name, venue).prop_map(|(name, venue)| InstrumentId::new(&name, Venue::literal(venue)))
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_text_is_a_symbol_or_refused_but_never_fatal(text in "\\PC*|[A-Z0-9./:^=-]{0,50}") {
        let directory = Directory::default();
        prop_assert_eq!(directory.parse(&text).is_ok(), directory.resolve(&text, None).is_ok());
    }

    #[test]
    fn a_canonical_id_means_itself(id in canonical_id()) {
        prop_assert_eq!(Directory::default().resolve(&id.to_string(), None), Ok(id));
    }

    #[test]
    fn what_was_resolved_resolves_to_itself(text in "[A-Za-z0-9./:^=-]{1,24}", built_in: bool) {
        let directory = if built_in { Directory::built_in() } else { Directory::default() };
        if let Ok(id) = directory.resolve(&text, None) {
            prop_assert_eq!(directory.resolve(&id.to_string(), None), Ok(id));
        }
    }

    #[test]
    fn case_never_matters(text in "[A-Za-z0-9./:^=-]{1,24}") {
        let directory = Directory::built_in();
        prop_assert_eq!(
            directory.resolve(&text.to_lowercase(), None).ok(),
            directory.resolve(&text.to_uppercase(), None).ok()
        );
    }
}
