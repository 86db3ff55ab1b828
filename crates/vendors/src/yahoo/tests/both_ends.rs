//! SRC-7, SRC-9, SRC-15: what our vendor's end says is what our client's end understands.

use super::*;

/// Everything our vendor's end says for an outcome, read back.
fn said(target: &str, outcome: Result<Data, Rejection>) -> Result<Decoded, Rejection> {
    let sent = HttpRequest::from_target(target);
    let question = Yahoo.decode_request(&sent).expect("a question");
    let now = at("2026-01-10T00:00:00Z");
    let reply = Yahoo.encode_response(&sent, Some(&question), &outcome, now);
    decode_at(&question, &Session::default(), now, &sent, &reply)
}

#[test]
fn each_refusal_is_spoken_so_that_it_is_understood() {
    let limited =
        Rejection::RateLimited { retry_after: Some(std::time::Duration::from_secs(9)), window: None };
    let chart = "/v8/finance/chart/ACME?interval=1d&period1=1&period2=2";
    for rejection in [
        Rejection::UnknownSymbol,
        Rejection::NoData,
        Rejection::CallersMistake,
        Rejection::Unauthorized,
        Rejection::NotEntitled,
        Rejection::Unsupported,
        Rejection::rate_limited(),
        limited,
        Rejection::VendorFault { status: 503 },
        Rejection::VendorFault { status: 307 },
        Rejection::VendorFault { status: 200 },
    ] {
        assert_eq!(said(chart, Err(rejection.clone())), Err(rejection));
    }
    // What Yahoo has no words for comes out as the nearest it has.
    for (rejection, nearest) in [
        (Rejection::QuotaSpent { window: None, resets: None }, Rejection::rate_limited()),
        (Rejection::Banned { until: None }, Rejection::rate_limited()),
        (Rejection::unreadable("anything"), Rejection::unreadable("a chart")),
    ] {
        assert_eq!(said(chart, Err(rejection)), Err(nearest));
    }
    assert_eq!(
        said("/v7/finance/quote?symbols=A", Err(Rejection::UnknownSymbol)),
        Err(Rejection::UnknownSymbol)
    );
    assert_eq!(
        said("/v1/finance/search?q=a", Err(Rejection::UnknownSymbol)),
        Ok(Decoded::Whole(Data::Instruments(vec![])))
    );
}

#[test]
fn a_relative_range_is_cut_where_the_time_is_known() {
    let Ok(Data::Bars(series)) = decode(CHART, 200, &chart_body(|_| {})) else { panic!("bars") };
    let request = HttpRequest::from_target("/v8/finance/chart/ACME?interval=1d&range=1d&events=div");
    let reply = Yahoo.encode_response(&request, None, &Ok(Data::Bars(series)), at("2026-01-09T22:00:00Z"));
    let Ok(cut) = self::series(CHART, std::str::from_utf8(&reply.body).expect("text")) else {
        panic!("bars")
    };
    assert_eq!(cut.bars.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_question_survives_the_way_to_yahoo_and_back(
        symbol in prop::sample::select(vec!["ACME.US", "BRK.B.US", "OCDO.XLON", "^GSPC.INDEX", "EUR/USD.FX", "BTC/USD.CRYPTO"]),
        kind in 0..6usize,
        interval in prop::sample::select(vec![Interval::M5, Interval::M15, Interval::M30, Interval::H1, Interval::D1, Interval::W1, Interval::Mo1]),
        start in 1_766_000_000i64..1_767_000_000,
        length in 1i64..1_000_000,
        extended: bool,
        limit in 1u32..50,
    ) {
        let range = Range::new(Instant::from_secs(start), Instant::from_secs(start + length));
        let instrument = id(symbol);
        let question = match kind {
            0 => Question::Quotes { instruments: vec![instrument], bid_ask: extended },
            1 => Question::Splits { instrument, range },
            2 => Question::Dividends { instrument, range },
            3 => Question::News { instrument, range: crate::local_time::all_time(), limit },
            4 => Question::Search { words: symbol.to_owned(), limit },
            _ => Question::Bars {
                instrument, interval, range, adjustment: Adjustment::Split,
                session: if extended { domain::Session::Extended } else { domain::Session::Regular },
            },
        };
        let mut session = Session::default();
        session.set("cookie", "A3=x");
        session.set("crumb", "c");
        let ask = Ask { question: &question, now: Instant::from_secs(1_768_000_000), session: &session, plan: None };
        let sent = Yahoo.encode_request(&ask).expect("Yahoo has words for it");
        prop_assert_eq!(Yahoo.decode_request(&HttpRequest::from_target(&sent.target())), Ok(question));
    }

    #[test]
    fn bars_survive_the_way_through_yahoo_within_a_float(
        cents in prop::collection::vec(prop::option::weighted(0.9, 1u32..100_000_000), 1..30),
        interval in prop::sample::select(vec![Interval::M1, Interval::H1, Interval::D1]),
        running: bool,
    ) {
        let step = interval.nominal_length().as_secs() as i64;
        let price = |cents: u32| Price::new(domain::number::Decimal::new(i64::from(cents), 2));
        let mut bars: Vec<Bar> = cents.iter().enumerate().map(|(row, cents)| Bar {
            open: cents.map(price),
            high: cents.map(price),
            low: cents.map(price),
            close: cents.map(price),
            volume: cents.map(Size::from),
            ..Bar::empty(Instant::from_secs(1_767_623_400 + row as i64 * step))
        }).collect();
        let last = bars.last_mut().expect("a bar");
        last.is_final = !running;
        let now = last.start + std::time::Duration::from_secs(30);
        let series = BarSeries {
            denomination: Denomination::parse("GBp"),
            bars,
            ..BarSeries::empty(id("OCDO.XLON"), interval, Adjustment::Split)
        };
        let sent = HttpRequest::from_target(&format!("/v8/finance/chart/OCDO.L?interval={interval}&period1=0&period2=9999999999"));
        let question = Yahoo.decode_request(&sent).expect("a question");
        let reply = Yahoo.encode_response(&sent, Some(&question), &Ok(Data::Bars(series.clone())), now);
        let decoded = decode_at(&question, &Session::default(), now, &sent, &reply);
        let Some(Data::Bars(back)) = decoded.expect("bars").into_data() else { panic!("bars") };
        prop_assert_eq!(back.denomination, series.denomination);
        prop_assert_eq!(back.bars.len(), series.bars.len());
        for (one, other) in series.bars.iter().zip(&back.bars) {
            prop_assert_eq!((one.start, one.volume, one.is_final), (other.start, other.volume, other.is_final));
            for (one, other) in [(one.open, other.open), (one.close, other.close)] {
                prop_assert_eq!(one.is_some(), other.is_some());
                if let (Some(one), Some(other)) = (one, other) {
                    prop_assert!((one.to_f64() - other.to_f64()).abs() <= one.to_f64() * 6e-8);
                }
            }
        }
    }

    #[test]
    fn quotes_survive_the_way_through_yahoo(bid in 1u32..10_000_000, lots in 0u32..100, secs in 1_700_000_000i64..1_800_000_000) {
        let price = |cents: u32| Some(Price::new(domain::number::Decimal::new(i64::from(cents), 2)));
        let quote = Quote {
            last: price(bid), bid: price(bid), ask: price(bid + 1), bid_size: Some(Size::from(lots * 100)),
            volume: Some(Size::from(lots)), event_time: Some(Instant::from_secs(secs)),
            trading_date: Some(crate::local_time::local_date(Instant::from_secs(secs), "America/New_York")),
            denomination: Some(Denomination::USD), stated_delay: Some(std::time::Duration::from_secs(900)),
            phase: Some(domain::MarketPhase::Open), ..Quote::default()
        };
        let quotes = Data::Quotes(vec![
            Quoted { instrument: id("ACME.US"), quote: Ok(quote) },
            Quoted { instrument: id("GONE.US"), quote: Err(Rejection::UnknownSymbol) },
        ]);
        let back = said("/v7/finance/quote?symbols=ACME,GONE&crumb=c", Ok(quotes.clone()));
        prop_assert_eq!(back, Ok(Decoded::Whole(quotes)));
    }

    #[test]
    fn arbitrary_bytes_are_rejected(body in prop::collection::vec(any::<u8>(), 0..200), status in prop::sample::select(vec![200u16, 400, 404, 500])) {
        for target in [CHART, "/v7/finance/quote", "/v7/finance/spark", "/v1/finance/search", "/v1/test/getcrumb", "/"] {
            let sent = HttpRequest::from_target(target);
            let question = Yahoo.decode_request(&sent).unwrap_or(Question::Symbols);
            let reply = HttpResponse::json(status, body.clone());
            prop_assert!(decode_at(&question, &Session::default(), Instant::EPOCH, &sent, &reply).is_err(), "{target}");
        }
    }
}
