//! SRC-4, SRC-7, SRC-8, SRC-9, SRC-13: the quirks of Finnhub, on examples written from its documentation.

use std::time::Duration;

use domain::{ActionKind, InstrumentId, MarketPhase, Price, Range, Ratio, Venue};

use super::*;
use crate::{Quoted, Window};

const NOW: Instant = Instant::from_secs(1_767_700_000);

fn p(text: &str) -> Option<Price> {
    Price::parse(text)
}

fn share(name: &str) -> InstrumentId {
    InstrumentId::new(name, Venue::US)
}

fn read_status(target: &str, status: u16, body: &str) -> Result<Data, Rejection> {
    crate::reading::read(&Finnhub, target, &HttpResponse::json(status, body))
}

fn read(target: &str, body: &str) -> Result<Data, Rejection> {
    read_status(target, 200, body)
}

fn decoded(question: &Question, sent: &HttpRequest, response: &HttpResponse) -> Result<Decoded, Rejection> {
    let session = Session::default();
    Finnhub.decode_response(&Ask { question, now: NOW, session: &session, plan: None }, sent, response)
}

#[test]
fn each_convention_of_daily_stamps_yields_the_trading_date() {
    // Midnight New York of the 5th, the open of the 6th, midnight UTC of the 7th.
    let Ok(Data::Bars(series)) = read("/stock/candle", include_str!("../../examples/finnhub/candle_D.json"))
    else {
        panic!("bars")
    };
    let shown: Vec<String> = series
        .bars
        .iter()
        .map(|bar| {
            let date = bar.trading_date.map(|date| date.to_string()).unwrap_or_default();
            format!("{date} {} {:?} {:?} {:?}", bar.start, bar.open, bar.close, bar.volume)
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    2026-01-05 2026-01-05T05:00:00Z Some(221.03) Some(217.68) Some(33463820)
    2026-01-06 2026-01-06T05:00:00Z Some(218.55) None Some(0)
    2026-01-07 2026-01-07T05:00:00Z Some(220) Some(219.89) Some(20730608.5)
    ");
    assert_eq!(series.adjustment, Adjustment::Split);
}

#[test]
fn a_day_abroad_keeps_its_date() {
    let date = |stamp: &str| {
        let secs = Instant::parse(stamp).expect("a time").as_secs();
        let body = format!(r#"{{"c":[1],"h":[1],"l":[1],"o":[1],"v":[1],"t":[{secs}],"s":"ok"}}"#);
        match read("/stock/candle?symbol=SAP.DE", &body) {
            Ok(Data::Bars(series)) => series.bars[0].trading_date.map(|date| date.to_string()),
            other => panic!("bars, not {other:?}"),
        }
    };
    for stamp in
        ["2026-01-05T00:00:00Z", "2026-01-04T23:00:00Z", "2026-01-05T08:00:00Z", "2026-01-04T15:00:00Z"]
    {
        assert_eq!(date(stamp).as_deref(), Some("2026-01-05"), "{stamp}");
    }
}

#[test]
fn bars_within_the_day_keep_their_second_and_are_raw() {
    let body = r#"{"c":[1],"h":[1],"l":[1],"o":[1],"v":[1],"t":[1767709860],"s":"ok"}"#;
    let Ok(Data::Bars(series)) = read("/stock/candle?resolution=1", body) else { panic!("bars") };
    assert_eq!(
        (series.bars[0].start, series.adjustment),
        (Instant::from_secs(1_767_709_860), Adjustment::Raw)
    );
    assert_eq!(series.bars[0].trading_date, None);
    assert_eq!(read("/stock/candle?resolution=7", body), Err(Rejection::CallersMistake));
}

#[test]
fn columns_of_different_lengths_or_a_missing_one_are_unreadable() {
    let body = r#"{"c":[1,2],"h":[1,2],"l":[1,2],"o":[1,2],"v":[1,2],"t":[1767709860,1767709920],"s":"ok"}"#;
    assert!(read("/stock/candle", body).is_ok());
    for column in ["c", "h", "l", "o", "v", "t", "s"] {
        let gone = body.replace(&format!("\"{column}\""), "\"q\"");
        assert!(matches!(read("/stock/candle", &gone), Err(Rejection::Unreadable { .. })), "{column}");
    }
    for (from, to) in
        [("\"v\":[1,2]", "\"v\":[1]"), ("[1767709860,", "[1767709860.5,"), ("\"ok\"", "\"maybe\"")]
    {
        let altered = body.replace(from, to);
        assert!(matches!(read("/stock/candle", &altered), Err(Rejection::Unreadable { .. })), "{to}");
    }
    assert_eq!(read("/stock/candle", r#"{"s":"no_data"}"#), Err(Rejection::NoData));
}

#[test]
fn zeros_are_an_unknown_symbol_and_never_a_price() {
    let zeros = r#"{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}"#;
    assert_eq!(read("/quote?symbol=ZZZ", zeros), Err(Rejection::UnknownSymbol));
    let untraded = r#"{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":12.5,"t":0}"#;
    assert_eq!(read("/quote?symbol=ZZZ", untraded), Err(Rejection::NoData));
    assert!(matches!(read("/quote", r#"{"c":1}"#), Err(Rejection::Unreadable { .. })));
    assert!(matches!(read("/quote", "{}"), Err(Rejection::Unreadable { .. })));
}

#[test]
fn a_quote_counts_seconds_and_bid_and_ask_count_milliseconds() {
    let at = |target, body| match read(target, body) {
        Ok(Data::Quotes(quotes)) => quotes[0].quote.as_ref().expect("a quote").event_time,
        other => panic!("a quote, not {other:?}"),
    };
    let quote =
        r#"{"c":308.82,"d":3.83,"dp":1.2558,"h":311.4,"l":305.84,"o":306.12,"pc":304.99,"t":1767709860}"#;
    assert_eq!(at("/quote", quote), Some(Instant::from_secs(1_767_709_860)));
    let sides = r#"{"a":1.1,"av":3,"b":1.0,"bv":2,"t":1767709860123}"#;
    assert_eq!(at("/stock/bidask", sides), Some(Instant::from_millis(1_767_709_860_123)));
}

#[test]
fn bid_and_ask_are_not_swapped_and_a_side_of_zero_is_no_side() {
    let Ok(Data::Quotes(quotes)) = read("/stock/bidask", r#"{"a":1.1,"av":3,"b":1.0,"bv":2,"t":1}"#) else {
        panic!("a quote")
    };
    let quote = quotes[0].quote.as_ref().expect("a quote");
    assert_eq!((quote.bid, quote.ask), (Price::parse("1.0"), Price::parse("1.1")));
    assert_eq!(quote.last, None);
    let Ok(Data::Quotes(quotes)) = read("/stock/bidask", r#"{"a":1.1,"av":3,"b":0,"bv":0,"t":1}"#) else {
        panic!("a quote")
    };
    let quote = quotes[0].quote.as_ref().expect("a quote");
    assert_eq!((quote.bid, quote.bid_size), (None, None));
}

#[test]
fn bid_and_ask_come_on_the_page_after_the_quote_and_only_where_they_are_wanted() {
    let quote =
        r#"{"c":308.82,"d":3.83,"dp":1.2,"h":311.4,"l":305.84,"o":306.12,"pc":304.99,"t":1767709860}"#;
    let answer = |bid_ask, body: &str| {
        let question = Question::Quotes { instruments: vec![share("BRK.B")], bid_ask };
        let sent = request::encode(&question).expect("quotes are offered");
        assert_eq!(sent.target(), "/quote?symbol=BRK.B");
        (decoded(&question, &sent, &HttpResponse::json(200, body)), question)
    };
    assert!(matches!(answer(false, quote).0, Ok(Decoded::Whole(_))));
    let (Ok(Decoded::Page { data, next }), question) = answer(true, quote) else { panic!("a page") };
    assert_eq!(next.target(), "/stock/bidask?symbol=BRK.B");
    let rest = |body: &str| match decoded(&question, &next, &HttpResponse::json(200, body)) {
        Ok(Decoded::Whole(rest)) => match data.clone().join(rest) {
            Data::Quotes(rows) => rows,
            other => panic!("quotes, not {other:?}"),
        },
        other => panic!("the end, not {other:?}"),
    };
    let rows = rest(r#"{"a":308.9,"av":3,"b":308.8,"bv":2,"t":1767709870123}"#);
    let [Quoted { quote: Ok(quote), .. }] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((quote.last, quote.bid, quote.ask), (p("308.82"), p("308.8"), p("308.9")));
    assert_eq!(quote.event_time, Some(Instant::from_secs(1_767_709_860)), "when it traded");
    // At night nobody bids, and the quote stands.
    let rows = rest(r#"{"a":0,"av":0,"b":0,"bv":0,"t":0}"#);
    let [Quoted { quote: Ok(quote), .. }] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((quote.last, quote.bid, quote.ask), (p("308.82"), None, None));
    // An unknown symbol is not asked for twice.
    let zeros = r#"{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}"#;
    assert_eq!(answer(true, zeros).0, Err(Rejection::UnknownSymbol));
}

#[test]
fn trades_are_followed_page_by_page_and_day_by_day_until_the_limit() {
    let start = Instant::parse("2026-01-05T14:30:00Z").expect("a time");
    let two_days = Range::new(start, start + Duration::from_secs(86_400));
    let page = |count: u64, skip: u64, total: u64| {
        let list = |cell: &str| vec![cell; count as usize].join(",");
        format!(
            r#"{{"s":"AAPL","skip":{skip},"count":{count},"total":{total},"p":[{}],"v":[{}],"t":[{}],"x":[{}],"c":[{}]}}"#,
            list("1.5"),
            list("10"),
            list("1767623460123"),
            list("\"P\""),
            list("[\"1\",\"12\"]"),
        )
    };
    let next = |limit: u32, range, body: &str| {
        let question = Question::Trades { instrument: share("AAPL"), range, limit };
        let sent = request::encode(&question).expect("trades are offered");
        match decoded(&question, &sent, &HttpResponse::json(200, body)) {
            Ok(Decoded::Page { next, .. }) => Some(next.target()),
            Ok(Decoded::Whole(Data::Trades(_, trades))) => {
                assert_eq!(trades[0].at, Instant::from_millis(1_767_623_460_123));
                assert_eq!(trades[0].conditions.len(), 2);
                None
            }
            other => panic!("trades, not {other:?}"),
        }
    };
    let one_day = Range::new(start, start + Duration::from_secs(3_600));
    assert_eq!(
        next(1_000, one_day, &page(2, 0, 5)).as_deref(),
        Some("/stock/tick?symbol=AAPL&date=2026-01-05&limit=1000&skip=2")
    );
    assert_eq!(
        next(1_000, two_days, &page(2, 3, 5)).as_deref(),
        Some("/stock/tick?symbol=AAPL&limit=1000&skip=0&date=2026-01-06")
    );
    assert_eq!(next(1_000, one_day, &page(2, 3, 5)), None);
    assert_eq!(next(2, one_day, &page(2, 0, 5)), None, "the limit is reached");
    assert_eq!(
        read("/stock/tick", r#"{"s":"","skip":0,"count":0,"total":0,"p":[],"v":[],"t":[]}"#),
        Err(Rejection::NoData)
    );
    assert!(matches!(
        read("/stock/tick", r#"{"s":"","skip":0,"count":3,"total":3,"p":[1],"v":[1],"t":[1]}"#),
        Err(Rejection::Unreadable { .. })
    ));
}

#[test]
fn the_first_factor_of_a_split_is_the_old_count() {
    let body = r#"[{"symbol":"AAPL","date":"2014-06-09","fromFactor":1,"toFactor":7}]"#;
    let Ok(Data::Actions(actions)) = read("/stock/split", body) else { panic!("a split") };
    assert_eq!(actions[0].kind, ActionKind::Split { new_per_old: Ratio::from(7) });
    assert_eq!(actions[0].instrument, share("AAPL"));
    assert_eq!(read("/stock/split", "[]"), Err(Rejection::NoData));
}

#[test]
fn the_status_decides_what_a_refusal_means() {
    let access = "You don't have access to this resource.";
    for (target, status, text, expected) in [
        ("/quote", 401, "Invalid API key", Rejection::Unauthorized),
        ("/quote", 401, "Please use an API key.", Rejection::Unauthorized),
        ("/stock/symbol?exchange=L", 401, access, Rejection::NotEntitled),
        ("/stock/symbol?exchange=L", 401, "Invalid API key.", Rejection::Unauthorized),
        ("/stock/symbol?exchange=US", 401, access, Rejection::Unauthorized),
        ("/stock/candle", 403, access, Rejection::NotEntitled),
        ("/stock/candle", 402, "Upgrade your plan", Rejection::NotEntitled),
        ("/stock/candle", 402, "Payment due", Rejection::QuotaSpent { window: None, resets: None }),
        ("/stock/candle", 422, "Wrong resolution", Rejection::CallersMistake),
        ("/quote", 429, "API limit reached.", Rejection::rate_limited()),
        ("any", 403, access, Rejection::NotEntitled),
        ("any", 200, access, Rejection::NotEntitled),
        ("/quote", 200, "Invalid API key", Rejection::Unauthorized),
        (
            "/quote",
            200,
            "API limit reached.",
            Rejection::RateLimited { retry_after: None, window: Some(Window::Minute) },
        ),
    ] {
        let body = serde_json::json!({"error": text}).to_string();
        assert_eq!(read_status(target, status, &body), Err(expected), "{status} {target} {text}");
    }
    assert_eq!(
        read_status("/quote", 403, "<html>Attention required</html>"),
        Err(Rejection::VendorFault { status: 403 })
    );
}

#[test]
fn a_full_window_tells_when_it_ends_and_a_wrong_clock_does_not() {
    let question = Question::MarketStatus;
    let sent = request::encode(&question).expect("market status is offered");
    let wait = |remaining: u32, reset: i64| {
        let response = HttpResponse::json(429, r#"{"error":"API limit reached."}"#)
            .with_header("X-Ratelimit-Remaining", remaining)
            .with_header("X-Ratelimit-Reset", reset);
        match decoded(&question, &sent, &response) {
            Err(Rejection::RateLimited { retry_after, window }) => (retry_after, window),
            other => panic!("a limit, not {other:?}"),
        }
    };
    assert_eq!(wait(0, NOW.as_secs() + 20), (Some(Duration::from_secs(20)), Some(Window::Minute)));
    assert_eq!(wait(0, NOW.as_secs() - 20), (None, Some(Window::Minute)));
    assert_eq!(wait(0, NOW.as_secs() + 86_400), (None, Some(Window::Minute)));
    assert_eq!(wait(12, NOW.as_secs() + 20), (None, None), "the limit of a second, not of the minute");
}

#[test]
fn the_list_of_symbols_is_fetched_where_it_is_pointed_to_once_and_without_a_key() {
    let sent = request::encode(&Question::Symbols).expect("symbols are offered");
    let target = "https://files.example/us.json?X-Sig=a%2Fb&Expires=1";
    let response = HttpResponse::new(302, "text/html", "").with_header("location", target);
    let Ok(Decoded::AskNext { request, .. }) = decoded(&Question::Symbols, &sent, &response) else {
        panic!("another request")
    };
    assert_eq!(request.target(), target);
    assert_eq!(Finnhub.profile().key.read(&request), None);
    assert_eq!(
        decoded(&Question::Symbols, &request, &response),
        Err(Rejection::VendorFault { status: 302 }),
        "no chain of redirects"
    );
    assert_eq!(
        decoded(&Question::MarketStatus, &sent, &response),
        Err(Rejection::VendorFault { status: 302 })
    );
}

#[test]
fn a_closed_market_before_the_open_is_before_the_open() {
    for (is_open, session, phase) in [
        (true, "\"regular\"", MarketPhase::Open),
        (false, "\"pre-market\"", MarketPhase::PreMarket),
        (false, "\"post-market\"", MarketPhase::AfterHours),
        (false, "null", MarketPhase::Closed),
    ] {
        let body = format!(
            r#"{{"exchange":"US","holiday":null,"isOpen":{is_open},"session":{session},"t":1767709860,"timezone":"America/New_York"}}"#
        );
        let Ok(Data::MarketStatus(status)) = read("/stock/market-status", &body) else { panic!("{session}") };
        assert_eq!(status[0].phase, phase);
    }
}

#[test]
fn a_dot_belongs_to_the_name_unless_a_venue_follows_it() {
    for (text, id) in [
        ("AAPL", "AAPL.US"),
        ("BRK.B", "BRK.B.US"),
        ("SHOP.TO", "SHOP.XTSE"),
        ("7203.T", "7203.XTKS"),
        ("OANDA:EUR_USD", "EUR/USD.FX"),
    ] {
        let read = request::read_symbol(text);
        assert_eq!(read.to_string(), id);
        assert_eq!(request::spell(&read).as_deref(), Some(text));
    }
}

#[test]
fn no_more_news_or_matches_are_given_than_asked_for() {
    let range = Range::new(NOW - Duration::from_secs(86_400), NOW);
    let item = |id: i64| {
        format!(r#"{{"id":{id},"datetime":{},"headline":"h","related":"AAPL"}}"#, NOW.as_secs() - id)
    };
    let news = format!("[{},{},{}]", item(3), item(1), item(2));
    let matches = r#"{"count":2,"result":[{"symbol":"A","type":"ETP"},{"symbol":"B.TO","type":""}]}"#;
    for limit in [1, 2] {
        let question = Question::News { instrument: share("AAPL"), range, limit };
        let sent = request::encode(&question).expect("news is offered");
        match decoded(&question, &sent, &HttpResponse::json(200, news.clone())) {
            Ok(Decoded::Whole(Data::News(found))) => {
                assert_eq!(found.len(), limit as usize);
                assert_eq!(found[0].id.as_deref(), Some("1"), "the newest first");
            }
            other => panic!("news, not {other:?}"),
        }
        let question = Question::Search { words: "a".to_owned(), limit };
        let sent = request::encode(&question).expect("search is offered");
        match decoded(&question, &sent, &HttpResponse::json(200, matches)) {
            Ok(Decoded::Whole(data)) => assert_eq!(data.rows(), limit as usize),
            other => panic!("matches, not {other:?}"),
        }
    }
}
