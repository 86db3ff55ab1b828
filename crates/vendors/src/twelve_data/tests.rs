//! LIM-4, SRC-4, SRC-7, SRC-8, SRC-9, SRC-13: the quirks of Twelve Data, on examples written from its documentation.

use domain::{ActionKind, Bar, Price, Range, Ratio, Session};

use super::*;
use crate::{Quoted, Window};

const NOW: Instant = Instant::from_secs(1_767_700_000);

fn share(name: &str) -> InstrumentId {
    InstrumentId::new(name, Venue::US)
}

fn ask_at(target: &str, response: &HttpResponse) -> Result<Data, Rejection> {
    crate::reading::read(&TwelveData, target, response)
}

fn read(target: &str, body: &str) -> Result<Data, Rejection> {
    ask_at(target, &HttpResponse::json(200, body))
}

fn bars(target: &str, body: &str) -> domain::BarSeries {
    match read(target, body) {
        Ok(Data::Bars(series)) => series,
        other => panic!("bars, not {other:?}"),
    }
}

fn price(text: &str) -> Option<Price> {
    Price::parse(text)
}

#[test]
fn daily_bars_ascend_keep_every_digit_and_name_their_trading_date() {
    let series =
        bars("/time_series?adjust=none", include_str!("../../examples/twelve_data/time_series_1day.json"));
    assert_eq!(series.adjustment, Adjustment::Raw);
    assert_eq!(series.zone.as_deref(), Some("America/New_York"));
    let shown: Vec<String> = series
        .bars
        .iter()
        .map(|bar| {
            let date = bar.trading_date.map(|date| date.to_string()).unwrap_or_default();
            format!("{date} {} {:?} {:?} {:?}", bar.start, bar.open, bar.close, bar.volume)
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    2026-01-02 2026-01-02T05:00:00Z Some(127) Some(120.5) Some(1200)
    2026-01-05 2026-01-05T05:00:00Z Some(120.5) Some(129.0399931) Some(0)
    2026-01-06 2026-01-06T05:00:00Z None None None
    ");
}

#[test]
fn bars_within_the_day_are_read_in_the_exchanges_zone_unless_another_was_asked_for() {
    let body = r#"{"meta":{"symbol":"X","interval":"1min","currency":"GBp","exchange_timezone":"Europe/London"},
        "values":[{"datetime":"2026-07-01 09:30:00","open":"1","high":"1","low":"1","close":"1"}],"status":"ok"}"#;
    let start = |target| bars(target, body).bars[0].start.to_string();
    assert_eq!(start("/time_series"), "2026-07-01T08:30:00Z");
    assert_eq!(start("/time_series?timezone=Exchange"), "2026-07-01T08:30:00Z");
    assert_eq!(start("/time_series?timezone=UTC"), "2026-07-01T09:30:00Z");
    let series = bars("/time_series", body);
    assert_eq!(series.bars[0].volume, None, "no volume is not a volume of zero");
    assert_eq!(series.denomination, domain::Denomination::parse("GBp"));
}

#[test]
fn of_two_rows_of_one_date_the_first_of_the_reply_stands() {
    let body = r#"{"meta":{"symbol":"EUR/USD","interval":"1day","type":"Physical Currency"},"values":[
        {"datetime":"2026-01-05","open":"1","high":"1","low":"1","close":"1.1"},
        {"datetime":"2026-01-05","open":"1","high":"1","low":"1","close":"1.2"},
        {"datetime":"2026-01-02","open":"1","high":"1","low":"1","close":"1.3"}],"status":"ok"}"#;
    let series = bars("/time_series", body);
    assert_eq!(series.instrument, InstrumentId::new("EUR/USD", Venue::FX));
    assert_eq!(series.bars.iter().map(|bar| bar.close).collect::<Vec<_>>(), [price("1.3"), price("1.1")]);
}

#[test]
fn bars_of_another_interval_than_asked_are_no_answer() {
    let body = r#"{"meta":{"symbol":"X","interval":"5min"},"values":[
        {"datetime":"2026-07-01 09:30:00","open":"1","high":"1","low":"1","close":"1"}],"status":"ok"}"#;
    assert!(matches!(read("/time_series?interval=1min", body), Err(Rejection::Unreadable { .. })));
    assert_eq!(read("/time_series", &body.replace("5min", "45min")), Err(Rejection::Unsupported));
    assert_eq!(read("/time_series?interval=2h", body), Err(Rejection::Unsupported));
    assert_eq!(read("/time_series?interval=0.99min", body), Err(Rejection::CallersMistake));
}

#[test]
fn a_required_field_that_is_gone_is_a_rejection_not_a_null() {
    let body = include_str!("../../examples/twelve_data/time_series_1day.json");
    for field in ["meta", "values", "datetime", "open", "high", "low", "close", "interval"] {
        let without = body.replace(&format!("\"{field}\""), "\"other\"");
        assert!(matches!(read("/time_series", &without), Err(Rejection::Unreadable { .. })), "{field}");
    }
    let no_number = body.replace("\"120.5\"", "\"n/a\"");
    assert!(matches!(read("/time_series", &no_number), Err(Rejection::Unreadable { .. })));
}

#[test]
fn a_reply_as_long_as_the_vendor_makes_them_speaks_only_for_its_rows() {
    let range = Range::new(Instant::EPOCH, NOW);
    let question = Question::Bars {
        instrument: share("AAPL"),
        interval: Interval::M1,
        range,
        adjustment: Adjustment::Raw,
        session: Session::Regular,
    };
    let session = crate::codec::Session::default();
    let ask = Ask { question: &question, now: NOW, session: &session, plan: None };
    let covered = |count: usize| {
        let mut series = domain::BarSeries::empty(share("AAPL"), Interval::M1, Adjustment::Raw);
        let one = price("1").expect("a number");
        let start = |index: usize| Instant::from_secs(1_700_000_040 + 60 * index as i64);
        series.bars = (0..count).map(|i| Bar::new(start(i), [one; 4], domain::Size::ZERO)).collect();
        let sent = TwelveData.encode_request(&ask).expect("bars are offered");
        let response = TwelveData.encode_response(&sent, None, &Ok(Data::Bars(series)), NOW);
        match TwelveData.decode_response(&ask, &sent, &response) {
            Ok(Decoded::Whole(Data::Bars(series))) => series.covers,
            other => panic!("bars, not {other:?}"),
        }
    };
    assert_eq!(covered(MOST_ROWS - 1), None);
    assert_eq!(covered(MOST_ROWS), Some(Range::new(Instant::from_secs(1_700_000_040), NOW)));
    let longest = TwelveData.longest_range(Interval::M1).expect("there is a limit");
    assert!(longest < std::time::Duration::from_secs(60 * MOST_ROWS as u64));
}

#[test]
fn each_symbol_of_a_batch_has_its_own_outcome() {
    let body = include_str!("../../examples/twelve_data/quote_batch.json");
    let Ok(Data::Quotes(quotes)) = read("/quote?symbol=SAN:BME,AAPL,MSFT", body) else { panic!("quotes") };
    let shown: Vec<String> = quotes
        .iter()
        .map(|Quoted { instrument, quote }| match quote {
            Ok(quote) => format!("{instrument} {:?} {:?} {:?}", quote.last, quote.event_time, quote.phase),
            Err(rejection) => format!("{instrument} {rejection:?}"),
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    SAN.XMAD NotEntitled
    AAPL.US Some(333.69) Some(2026-01-06T20:59:00Z) Some(Closed)
    MSFT.US UnknownSymbol
    ");
    assert!(matches!(read("/quote?symbol=AAPL,TSLA", body), Err(Rejection::Unreadable { .. })));
}

#[test]
fn a_price_alone_has_neither_time_nor_currency() {
    let Ok(Data::Quotes(quotes)) = read("/price?symbol=AAPL", r#"{"price":"200.99001"}"#) else {
        panic!("a quote")
    };
    let quote = quotes[0].quote.as_ref().expect("a price");
    assert_eq!((quote.last, quote.event_time, quote.denomination), (price("200.99001"), None, None));
    assert!(matches!(read("/price", r#"{"prize":"200.99001"}"#), Err(Rejection::Unreadable { .. })));
    assert!(matches!(read("/price", "[]"), Err(Rejection::Unreadable { .. })));
    assert_eq!(read("/price", "{}"), Err(Rejection::UnknownSymbol));
}

#[test]
fn the_first_factor_of_a_split_is_the_new_count() {
    let body = r#"{"meta":{"symbol":"X","mic_code":"XNGS"},"splits":[
        {"date":"2026-02-02","description":"1-for-10 split","ratio":10,"from_factor":1,"to_factor":10},
        {"date":"2020-08-31","description":"4-for-1 split","ratio":0.25,"from_factor":4,"to_factor":1}]}"#;
    let Ok(Data::Actions(actions)) = read("/splits", body) else { panic!("splits") };
    let ratios: Vec<_> = actions
        .iter()
        .map(|action| match &action.kind {
            ActionKind::Split { new_per_old } => {
                (action.instrument.to_string(), action.ex_date, *new_per_old)
            }
            other => panic!("a split, not {other:?}"),
        })
        .collect();
    assert_eq!(
        ratios,
        [
            ("X.XNAS".to_owned(), domain::Date::constant(2020, 8, 31), Ratio::from(4)),
            ("X.XNAS".to_owned(), domain::Date::constant(2026, 2, 2), Ratio::parse("0.1").expect("a number")),
        ]
    );
    let zero = body.replace("\"to_factor\":1}", "\"to_factor\":0}");
    assert!(matches!(read("/splits", &zero), Err(Rejection::Unreadable { .. })));
    assert_eq!(read("/splits", r#"{"meta":{"symbol":"X"},"splits":[]}"#), Err(Rejection::NoData));
}

#[test]
fn refusals_are_told_by_code_and_plan_wording_under_any_status() {
    let limited = |window| Rejection::RateLimited { retry_after: None, window };
    for (code, message, expected) in [
        (400, "Invalid **interval** provided: 7min.", Rejection::CallersMistake),
        (400, "**symbol** not found: FAKE. Please specify it correctly", Rejection::UnknownSymbol),
        (400, "No data is available on the specified dates.", Rejection::NoData),
        (401, "**apikey** parameter is incorrect or not specified.", Rejection::Unauthorized),
        (402, "Payment due", Rejection::QuotaSpent { window: None, resets: None }),
        (402, "It is not available with your plan.", Rejection::NotEntitled),
        (403, "**symbol** SAN is not available with your plan.", Rejection::NotEntitled),
        (403, "/splits is available exclusively with pro or ultra plans", Rejection::NotEntitled),
        (404, "This symbol is available starting with the Pro plan.", Rejection::NotEntitled),
        (404, "**symbol** or **figi** parameter is missing or invalid.", Rejection::UnknownSymbol),
        (414, "Too many symbols", Rejection::CallersMistake),
        (429, "You have run out of API credits for the current minute.", limited(Some(Window::Minute))),
        (
            429,
            "You have run out of API credits for the day.",
            Rejection::QuotaSpent { window: Some(Window::Day), resets: None },
        ),
        (500, "Something went wrong", Rejection::VendorFault { status: 500 }),
    ] {
        let body = format!(r#"{{"code":{code},"message":"{message}","status":"error"}}"#);
        for status in [code, 200] {
            for target in
                ["/time_series", "/quote?symbol=AAPL", "/quote?symbol=A,B", "/splits", "/stocks", "any"]
            {
                let found = ask_at(target, &HttpResponse::json(status, body.clone()));
                if target == "any" && status == 200 && expected == Rejection::NoData {
                    continue;
                }
                assert_eq!(found, Err(expected.clone()), "{status} {target}: {message}");
            }
        }
    }
}

#[test]
fn a_page_under_any_status_is_never_the_callers_fault() {
    for status in [200, 302, 403, 404, 418, 503] {
        let found = ask_at("/quote?symbol=A", &HttpResponse::new(status, "text/html", "<html></html>"));
        assert_eq!(found.expect_err("a page is no data").blame(), crate::Blame::Vendor, "{status}");
    }
}

#[test]
fn a_listing_abroad_is_spelled_with_its_exchange_and_read_back() {
    for (id, target) in [
        ("AAPL.US", "/quote?symbol=AAPL"),
        ("BRK.B.XNYS", "/quote?symbol=BRK.B"),
        ("SAN.XMAD", "/quote?symbol=SAN%3ABME"),
        ("ASML.XAMS", "/quote?symbol=ASML&mic_code=XAMS"),
        ("EUR/USD.FX", "/quote?symbol=EUR%2FUSD"),
        ("BTC/USD.CRYPTO", "/quote?symbol=BTC%2FUSD"),
    ] {
        let instrument = InstrumentId::parse(id).expect("an id");
        let question = Question::Quotes { instruments: vec![instrument.clone()], bid_ask: false };
        let request = request::encode(&question).expect("a quote is offered");
        assert_eq!(request.target(), target);
        let Ok(Question::Quotes { instruments, .. }) = request::decode(&request) else { panic!("{target}") };
        assert_eq!(instruments[0].name(), instrument.name());
        let is_here = crate::symbol::is_united_states(instrument.venue());
        assert!(is_here || instruments == [instrument], "{target}");
    }
    let index =
        Question::Quotes { instruments: vec![InstrumentId::new("^GSPC", Venue::INDEX)], bid_ask: false };
    assert_eq!(request::encode(&index), Err(Rejection::Unsupported));
}

#[test]
fn the_credits_left_of_the_minute_are_read_from_the_headers() {
    let left = |value: &str| {
        let response = HttpResponse::json(200, "{}").with_header("Api-Credits-Left", value);
        TwelveData.allowance(&response).map(|allowance| allowance.left)
    };
    assert_eq!(left(" 7 "), Some(7));
    assert_eq!(left("many"), None);
    assert_eq!(TwelveData.allowance(&HttpResponse::json(200, "{}")), None);
}

#[test]
fn a_request_costs_a_credit_a_symbol_and_twenty_where_it_asks_for_actions() {
    for (target, credits) in [
        ("/quote?symbol=AAPL", 1),
        ("/quote?symbol=AAPL,MSFT,IBM", 3),
        ("/time_series?SYMBOL=AAPL,MSFT&interval=1day", 2),
        ("/splits?symbol=AAPL", 20),
        ("/dividends?symbol=AAPL", 20),
        ("/symbol_search?symbol=a,b", 1),
        ("/stocks?country=United%20States", 1),
        ("/quote", 1),
    ] {
        assert_eq!(TwelveData.weight(&HttpRequest::from_target(target)), credits, "{target}");
    }
}

#[test]
fn extended_hours_are_asked_for_where_the_vendor_has_them() {
    for (interval, session, asked) in [
        (Interval::M1, domain::Session::Extended, true),
        (Interval::M30, domain::Session::Extended, true),
        (Interval::M30, domain::Session::Regular, false),
        (Interval::H1, domain::Session::Extended, false),
        (Interval::D1, domain::Session::Extended, false),
    ] {
        let question = Question::Bars {
            instrument: InstrumentId::new("AAPL", Venue::US),
            interval,
            range: domain::Range::new(NOW - Duration::from_secs(86_400), NOW),
            adjustment: Adjustment::Raw,
            session,
        };
        let request = request::encode(&question).expect("bars are offered");
        assert_eq!(request.param("prepost"), asked.then_some("true"), "{interval:?} {session:?}");
    }
}
