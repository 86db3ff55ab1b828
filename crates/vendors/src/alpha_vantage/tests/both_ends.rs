//! SRC-7, SRC-9, SRC-15: what our vendor's end says is what our client's end understands.

use domain::{Bar, CorporateAction, Quote, number::Decimal};
use proptest::prelude::*;

use super::*;

fn said(target: &str, outcome: Result<Data, Rejection>) -> Result<Data, Rejection> {
    let sent = HttpRequest::from_target(target);
    let question = AlphaVantage.decode_request(&sent).expect("a question");
    let now = at("2026-03-11T15:00:00Z");
    let reply = AlphaVantage.encode_response(&sent, Some(&question), &outcome, now);
    let session = Session::default();
    let ask = Ask { question: &question, now, session: &session, plan: None };
    AlphaVantage.decode_response(&ask, &sent, &reply).map(|decoded| decoded.into_data().expect("data"))
}

#[test]
fn each_refusal_is_spoken_so_that_it_is_understood() {
    let limited = |window| Rejection::RateLimited { retry_after: None, window: Some(window) };
    let daily = "/query?function=TIME_SERIES_DAILY&symbol=ACME&datatype=csv";
    for rejection in [
        Rejection::UnknownSymbol,
        Rejection::NoData,
        Rejection::Unauthorized,
        Rejection::NotEntitled,
        Rejection::Unsupported,
        limited(Window::Second),
        limited(Window::Minute),
        Rejection::QuotaSpent { window: Some(Window::Day), resets: None },
        Rejection::VendorFault { status: 503 },
    ] {
        assert_eq!(said(daily, Err(rejection.clone())), Err(rejection));
    }
    // What Alpha Vantage has no words for comes out as the nearest it has.
    for (rejection, nearest) in [
        (Rejection::CallersMistake, Rejection::UnknownSymbol),
        (Rejection::rate_limited(), limited(Window::Minute)),
        (Rejection::unreadable("anything"), Rejection::unreadable("a JSON object")),
    ] {
        assert_eq!(said(daily, Err(rejection)), Err(nearest));
    }
    let unknown = Err(Rejection::UnknownSymbol);
    assert_eq!(said("/query?function=GLOBAL_QUOTE&symbol=GONE", unknown.clone()), unknown);
    let nothing = said("/query?function=SYMBOL_SEARCH&keywords=gone", unknown);
    assert_eq!(nothing, Ok(Data::Instruments(vec![])));
}

#[test]
fn the_daily_limit_echoes_the_key_and_every_refusal_is_status_200() {
    let sent = HttpRequest::from_target("/query?function=GLOBAL_QUOTE&symbol=A&apikey=SECRETKEY");
    let spent = Err(Rejection::QuotaSpent { window: Some(Window::Day), resets: None });
    let reply = AlphaVantage.encode_response(&sent, None, &spent, Instant::EPOCH);
    assert_eq!(reply.status, 200);
    assert!(String::from_utf8_lossy(&reply.body).contains("SECRETKEY"));
    let Err(rejection) = said("/query?function=GLOBAL_QUOTE&symbol=A&apikey=SECRETKEY", spent) else {
        panic!("a refusal")
    };
    assert!(!format!("{rejection:?} {rejection}").contains("SECRETKEY"));
}

fn price(ten_thousandths: u32) -> Price {
    Price::new(Decimal::new(i64::from(ten_thousandths), 4))
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn bars_survive_the_way_through_alpha_vantage_in_either_format(
        rows in prop::collection::vec((prop::option::weighted(0.9, 1u32..u32::MAX), any::<u32>()), 1..40),
        (function, interval) in prop::sample::select(vec![
            ("TIME_SERIES_DAILY", Interval::D1),
            ("TIME_SERIES_DAILY_ADJUSTED", Interval::D1),
            ("TIME_SERIES_WEEKLY", Interval::W1),
            ("TIME_SERIES_INTRADAY&interval=15min&adjusted=false", Interval::M15),
        ]),
        csv: bool,
    ) {
        let first = domain::Date::constant(2025, 1, 6);
        let bars = (0i64..).zip(&rows).map(|(row, (cell, volume))| {
            let mut bar = match interval.fixed_length() {
                Some(length) => Bar::empty(at("2025-01-06T14:30:00Z") + length * row as u32),
                None => {
                    let days = if interval == Interval::W1 { 7 * row } else { row };
                    let date = first.checked_add(jiff::Span::new().days(days)).expect("a near date");
                    Bar { trading_date: Some(date), ..Bar::empty(bars::midnight(date)) }
                }
            };
            let price = cell.map(price);
            (bar.open, bar.high, bar.low, bar.close) = (price, price, price, price);
            bar.volume = Some(Size::from(*volume));
            bar
        });
        let series = BarSeries { bars: bars.collect(), ..BarSeries::empty(id("ACME.US"), interval, Adjustment::Raw) };
        let target = format!("/query?function={function}&symbol=ACME{}", if csv { "&datatype=csv" } else { "" });
        let Ok(Data::Bars(back)) = said(&target, Ok(Data::Bars(series.clone()))) else { panic!("bars") };
        prop_assert_eq!((back.interval, back.adjustment), (interval, Adjustment::Raw));
        prop_assert_eq!(back.bars.len(), series.bars.len());
        for (one, other) in series.bars.iter().zip(&back.bars) {
            prop_assert_eq!((one.start, one.prices(), one.volume), (other.start, other.prices(), other.volume));
        }
    }

    #[test]
    fn a_quote_survives_the_way_through_alpha_vantage(last in 1u32..u32::MAX, before in 1u32..u32::MAX, csv: bool) {
        let quote = Quote {
            last: Some(price(last)), open: Some(price(before)), high: None, low: Some(price(last)),
            previous_close: Some(price(before)), volume: Some(Size::from(last)),
            trading_date: Some(domain::Date::constant(2026, 3, 10)), ..Quote::default()
        };
        let quotes = Data::Quotes(vec![Quoted { instrument: id("ACME.US"), quote: Ok(quote) }]);
        let target = format!("/query?function=GLOBAL_QUOTE&symbol=ACME{}", if csv { "&datatype=csv" } else { "" });
        prop_assert_eq!(said(&target, Ok(quotes.clone())), Ok(quotes));
    }

    #[test]
    fn actions_survive_the_way_through_alpha_vantage(days in prop::collection::btree_set(0i64..9_000, 0..9), ratio in 1u32..100_000, csv: bool) {
        let kinds: [(&str, ActionKind); 2] = [
            ("SPLITS", ActionKind::Split { new_per_old: Ratio::new(Decimal::new(i64::from(ratio), 4)) }),
            ("DIVIDENDS", ActionKind::Dividend { amount: price(ratio), denomination: None }),
        ];
        for (function, kind) in kinds {
            let actions: Vec<CorporateAction> = days.iter().map(|day| {
                let date = domain::Date::constant(2000, 1, 1).checked_add(jiff::Span::new().days(*day)).expect("a near date");
                CorporateAction::new(id("ACME.US"), date, kind.clone())
            }).collect();
            let target = format!("/query?function={function}&symbol=ACME{}", if csv { "&datatype=csv" } else { "" });
            prop_assert_eq!(said(&target, Ok(Data::Actions(actions.clone()))), Ok(Data::Actions(actions)));
        }
    }

    #[test]
    fn arbitrary_bytes_are_rejected(body in prop::collection::vec(any::<u8>(), 0..200)) {
        for (name, _) in FUNCTIONS {
            let sent = HttpRequest::from_target(name);
            let question = AlphaVantage.decode_request(&sent).expect("a question");
            let session = Session::default();
            let ask = Ask { question: &question, now: Instant::EPOCH, session: &session, plan: None };
            let reply = HttpResponse::json(200, body.clone());
            prop_assert!(AlphaVantage.decode_response(&ask, &sent, &reply).is_err(), "{name}");
        }
    }
}
