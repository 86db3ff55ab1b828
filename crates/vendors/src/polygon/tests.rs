//! SRC-7, SRC-8, SRC-9, SRC-13, SRC-15: Polygon's dialect from both ends.

use std::time::Duration;

use super::Polygon;
use crate::{
    Ask, Codec, Data, Decoded, HttpRequest, HttpResponse, Plan, Question, Quoted, Rejection,
    Session as Learned,
};
use domain::{
    Adjustment, Bar, BarSeries, Date, Delivery, Instant, InstrumentId, Interval, MarketPhase, Price, Quote,
    Range, Session, Size, Venue,
};

pub(super) const NOW: Instant = Instant::from_secs(1_767_623_400);

fn at(text: &str) -> Instant {
    Instant::parse(text).expect("a test writes instants correctly")
}

fn range(start: &str, end: &str) -> Range {
    Range::new(at(start), at(end))
}

fn share(name: &str) -> InstrumentId {
    InstrumentId::new(name, Venue::literal("XNAS"))
}

pub(super) fn encode(question: &Question) -> Result<HttpRequest, Rejection> {
    let session = Learned::default();
    Polygon.encode_request(&Ask { question, now: NOW, session: &session, plan: None })
}

pub(super) fn decode_as(
    question: &Question,
    sent: &HttpRequest,
    response: &HttpResponse,
) -> Result<Decoded, Rejection> {
    let session = Learned::default();
    Polygon.decode_response(&Ask { question, now: NOW, session: &session, plan: None }, sent, response)
}

/// Reads a reply knowing only where it came from.
fn read(endpoint: &str, body: &str) -> Result<Data, Rejection> {
    let sent = HttpRequest::from_target(endpoint);
    let question = Polygon.decode_request(&sent).unwrap_or(Question::Symbols);
    decode_as(&question, &sent, &HttpResponse::json(200, body))
        .map(|decoded| decoded.into_data().expect("no reply of this vendor only asks for more"))
}

fn read_bars(endpoint: &str, body: &str) -> BarSeries {
    match read(endpoint, body) {
        Ok(Data::Bars(series)) => series,
        other => panic!("{other:?}"),
    }
}

fn read_quote(endpoint: &str, body: &str) -> Quote {
    match read(endpoint, body).as_deref_quotes() {
        Some([Quoted { quote: Ok(quote), .. }]) => quote.clone(),
        other => panic!("{other:?}"),
    }
}

trait Quotes {
    fn as_deref_quotes(&self) -> Option<&[Quoted]>;
}

impl Quotes for Result<Data, Rejection> {
    fn as_deref_quotes(&self) -> Option<&[Quoted]> {
        match self {
            Ok(Data::Quotes(quotes)) => Some(quotes),
            _ => None,
        }
    }
}

fn recorded(test: &str, file: &str) -> Option<String> {
    let path = test_data::find(test, &format!("fixtures/polygon/{file}"))?;
    Some(std::fs::read_to_string(path).expect("a recording can be read"))
}

const DAILY: &str = "/v2/aggs/ticker/ACME/range/1/day/2023-01-01/2023-01-10";
const BARS: &str = "/v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{from}/{to}";
const SNAPSHOT: &str = "/v2/snapshot/locale/us/markets/stocks/tickers";

#[test]
fn recorded_bars_are_read_to_the_digit() {
    let test = "recorded_bars_are_read_to_the_digit";
    for (file, count, first, last, open, close, interval) in [
        (
            "aggs_1day_AAPL_2023.json",
            6,
            "2023-01-03T05:00:00Z",
            "2023-01-10T05:00:00Z",
            "130.28",
            "130.73",
            "1d",
        ),
        (
            "aggs_1day_AAPL_2005.json",
            2,
            "2005-04-01T05:00:00Z",
            "2005-04-04T04:00:00Z",
            "1.5032",
            "1.4675",
            "1d",
        ),
        (
            "aggs_60minute_GME_desc.json",
            29,
            "2021-12-01T09:00:00Z",
            "2021-12-02T23:00:00Z",
            "49.6325",
            "45.375",
            "1h",
        ),
    ] {
        let Some(body) = recorded(test, file) else { return };
        let series = read_bars(BARS, &body);
        let (oldest, newest) = (series.bars.first().unwrap(), series.bars.last().unwrap());
        assert_eq!(series.bars.len(), count, "{file}");
        assert_eq!((oldest.start, newest.start), (at(first), at(last)), "{file}");
        assert_eq!((oldest.open, newest.close), (Price::parse(open), Price::parse(close)), "{file}");
        assert_eq!((series.adjustment, series.interval.as_str()), (Adjustment::Split, interval), "{file}");
    }
    let Some(body) = recorded(test, "aggs_1day_AAPL_2023.json") else { return };
    let volume: rust_decimal::Decimal =
        read_bars(BARS, &body).bars.iter().filter_map(|bar| bar.volume).map(Size::decimal).sum();
    assert_eq!(volume, 504_376_595.into());
}

#[test]
fn recorded_refusals_keep_their_class_whatever_was_asked() {
    for (file, status, expected) in [
        ("error_401_no_key.json", 401, Rejection::Unauthorized),
        ("error_401_unknown_key.json", 401, Rejection::Unauthorized),
        ("error_403_not_entitled.json", 403, Rejection::NotEntitled),
        ("error_404_ticker_not_found.json", 404, Rejection::UnknownSymbol),
        ("error_429_rate_limited.json", 429, Rejection::rate_limited()),
    ] {
        let Some(body) = recorded("recorded_refusals_keep_their_class_whatever_was_asked", file) else {
            return;
        };
        for endpoint in ["any", "any premium path", BARS, "/v3/reference/tickers/{ticker}"] {
            let sent = HttpRequest::from_target(endpoint);
            for question in [Question::Symbols, Question::MarketStatus] {
                // A proxy may have dropped the status; the body still tells.
                for status in [status, 200] {
                    let response = HttpResponse::json(status, body.clone());
                    assert_eq!(
                        decode_as(&question, &sent, &response),
                        Err(expected.clone()),
                        "{file} {status}"
                    );
                }
            }
        }
    }
    let Some(body) = recorded("…", "aggs_empty_unknown_symbol_or_no_trades.json") else { return };
    assert_eq!(read(BARS, &body), Err(Rejection::NoData));
}

#[test]
fn a_status_means_what_the_vendor_means_by_it() {
    let html = "<html><body>502 Bad Gateway</body></html>";
    let slow = HttpResponse::json(429, "").with_header("Retry-After", 12);
    let wait = Some(Duration::from_secs(12));
    for (response, expected) in [
        (
            HttpResponse::text(404, "404 page not found"),
            Rejection::unreadable("a reply of an endpoint that exists"),
        ),
        (HttpResponse::json(429, ""), Rejection::rate_limited()),
        (slow, Rejection::RateLimited { retry_after: wait, window: None }),
        (HttpResponse::json(400, r#"{"status":"ERROR","error":"x"}"#), Rejection::CallersMistake),
        (HttpResponse::new(403, "text/html", html), Rejection::VendorFault { status: 403 }),
        (HttpResponse::new(502, "text/html", html), Rejection::VendorFault { status: 502 }),
        (HttpResponse::new(200, "text/html", html), Rejection::VendorFault { status: 200 }),
        (HttpResponse::json(499, ""), Rejection::VendorFault { status: 499 }),
        (HttpResponse::json(302, ""), Rejection::VendorFault { status: 302 }),
        (
            HttpResponse::json(200, r#"{"status":"ERROR","error":"x"}"#),
            Rejection::VendorFault { status: 200 },
        ),
        (HttpResponse::json(200, r#"{"status":"NOT_AUTHORIZED","message":"x"}"#), Rejection::NotEntitled),
    ] {
        let found = decode_as(&Question::Symbols, &HttpRequest::from_target(DAILY), &response);
        assert_eq!(found, Err(expected), "{response:?}");
    }
    for body in ["", "{", "[]", "null", "{}", r#"{"status":"OK","results":[{"t":1}]}"#, "\u{0}"] {
        assert!(matches!(read(DAILY, body), Err(Rejection::Unreadable { .. })), "{body:?}");
    }
}

#[test]
fn a_bar_without_one_of_its_required_fields_is_refused_and_one_with_a_null_is_kept() {
    let whole = r#"{"v":1,"vw":1,"o":1,"c":1,"h":1,"l":1,"t":1672722000000,"n":1}"#;
    for key in ["o", "c", "h", "l", "t"] {
        let renamed = whole.replace(&format!("\"{key}\""), &format!("\"{key}2\""));
        let body = format!(r#"{{"status":"OK","results":[{renamed}]}}"#);
        assert!(matches!(read(DAILY, &body), Err(Rejection::Unreadable { .. })), "{key}");
    }
    let body = format!(r#"{{"status":"OK","results":[{}]}}"#, whole.replace("\"c\":1", "\"c\":null"));
    assert_eq!(read_bars(DAILY, &body).bars[0].close, None);
}

#[test]
fn a_volume_is_whole_however_it_is_written() {
    let body = r#"{"status":"OK","adjusted":false,"results":[
        {"v":8.3484e+06,"o":1.10,"c":1,"h":2,"l":0.5,"t":1672722000000},
        {"v":642646396.0,"o":1,"c":1,"h":2,"l":0.5,"t":1672808400000}]}"#;
    let series = read_bars(DAILY, body);
    let volumes: Vec<String> = series.bars.iter().map(|bar| bar.volume.unwrap().to_string()).collect();
    assert_eq!(volumes, ["8348400", "642646396"]);
    assert_eq!(series.adjustment, Adjustment::Raw);
    assert_eq!(series.bars[0].trading_date, Some(Date::constant(2023, 1, 3)));
}

#[test]
fn a_day_stamped_at_its_close_is_moved_to_its_start() {
    let row = r#"{"T":"ACME","v":1,"o":1,"c":2,"h":2,"l":1,"t":1651003200000}"#;
    let body = format!(r#"{{"ticker":"ACME","status":"OK","adjusted":true,"results":[{row}]}}"#);
    let bar = &read_bars("/v2/aggs/ticker/ACME/prev", &body).bars[0];
    assert_eq!(
        (bar.start, bar.trading_date),
        (at("2022-04-26T04:00:00Z"), Some(Date::constant(2022, 4, 26)))
    );
    let grouped = read("/v2/aggs/grouped/locale/us/market/stocks/{date}", &body);
    let Ok(Data::ManyBars(many)) = grouped else { panic!("{grouped:?}") };
    assert_eq!((many[0].instrument.name(), many[0].bars[0].start), ("ACME", at("2022-04-26T04:00:00Z")));
    // Who asked for a quote gets the day's close, with a date and without a time.
    let asked = Question::Quotes { instruments: vec![share("ACME")], bid_ask: false };
    let sent = HttpRequest::get("/v2/aggs/ticker/ACME/prev");
    let data = decode_as(&asked, &sent, &HttpResponse::json(200, body)).unwrap().into_data();
    let Some(Data::Quotes(quotes)) = data else { panic!("{data:?}") };
    let quote = quotes[0].quote.as_ref().unwrap();
    assert_eq!((quote.last, quote.event_time), (Price::parse("2"), None));
    assert_eq!(quote.trading_date, Some(Date::constant(2022, 4, 26)));
}

#[test]
fn a_week_that_starts_on_sunday_is_the_week_of_its_monday() {
    let body = r#"{"status":"OK","results":[{"o":1,"c":2,"h":2,"l":1,"t":1672549200000}]}"#;
    let bar = &read_bars("/v2/aggs/ticker/ACME/range/1/week/2023-01-01/2023-01-10", body).bars[0];
    assert_eq!((bar.start, bar.trading_date), (at("2023-01-02T05:00:00Z"), Some(Date::constant(2023, 1, 2))));
}

#[test]
fn bars_of_another_ticker_are_refused() {
    let body = r#"{"ticker":"OTHER","status":"OK","results":[{"o":1,"c":2,"h":2,"l":1,"t":1672549200000}]}"#;
    assert!(matches!(read(DAILY, body), Err(Rejection::Unreadable { .. })));
}

#[test]
fn capital_letters_are_the_ask_and_sizes_are_round_lots() {
    let body = r#"{"status":"OK","results":{"T":"ACME","p":155.65,"s":1,"P":155.66,"S":14,"t":1652192754171838500}}"#;
    let quote = read_quote("/v2/last/nbbo/ACME", body);
    assert_eq!((quote.bid, quote.ask), (Price::parse("155.65"), Price::parse("155.66")));
    assert_eq!((quote.bid_size, quote.ask_size), (Size::parse("100"), Size::parse("1400")));
    assert_eq!(quote.event_time, Some(Instant::from_nanos(1_652_192_754_171_838_500)));
}

#[test]
fn a_delayed_status_is_good_data_that_admits_its_delay() {
    let body = r#"{"status":"DELAYED","results":{"T":"ACME","p":5.25,"s":2,"t":1651179319310617300}}"#;
    let quote = read_quote("/v2/last/trade/{ticker}", body);
    assert_eq!((quote.last, quote.stated_delay), (Price::parse("5.25"), Some(Duration::from_secs(900))));
    assert_eq!(quote.event_time, Some(Instant::from_nanos(1_651_179_319_310_617_300)));
}

#[test]
fn a_price_of_zero_is_no_price() {
    for (endpoint, body) in [
        ("/v2/last/trade/A", r#"{"status":"OK","results":{"p":0,"s":2,"t":1}}"#),
        ("/v2/last/trade/A", r#"{"status":"OK"}"#),
        ("/v2/last/nbbo/A", r#"{"status":"OK","results":{"p":0,"s":0,"P":0.0,"S":0,"t":1}}"#),
        (
            "/v2/snapshot/locale/us/markets/stocks/tickers/A",
            r#"{"status":"OK","ticker":{"ticker":"A","day":{"o":0}}}"#,
        ),
        (SNAPSHOT, r#"{"status":"OK","tickers":[]}"#),
        ("/v3/reference/tickers", r#"{"status":"OK","results":[]}"#),
        ("/v2/aggs/ticker/A/prev", r#"{"status":"OK","resultsCount":0}"#),
    ] {
        assert_eq!(read(endpoint, body), Err(Rejection::NoData), "{body}");
    }
}

#[test]
fn a_snapshot_before_the_open_has_no_day_yet() {
    let body = r#"{"status":"OK","ticker":{"ticker":"ACME","day":{"o":0,"h":0,"l":0,"c":0,"v":0},
        "min":{"t":0},"lastTrade":{"c":null,"p":10.5,"s":200,"t":1651251948294080343},
        "lastQuote":{"P":10.6,"S":5,"p":10.4,"s":3,"t":1651251948407646487},"prevDay":{"c":10.1},"updated":1}}"#;
    let quote = read_quote("/v2/snapshot/locale/us/markets/stocks/tickers/ACME", body);
    assert_eq!((quote.open, quote.volume, quote.previous_close), (None, None, Price::parse("10.1")));
    assert_eq!((quote.last, quote.ask_size), (Price::parse("10.5"), Size::parse("500")));
    assert_eq!(quote.event_time, Some(Instant::from_nanos(1_651_251_948_294_080_343)));
}

#[test]
fn one_unknown_share_does_not_fail_the_others() {
    let question = Question::Quotes { instruments: vec![share("NIL"), share("ACME")], bid_ask: true };
    let sent = HttpRequest::get("/v3/snapshot").with("ticker.any_of", "NIL,ACME");
    let body = r#"{"status":"OK","results":[
        {"ticker":"ACME","last_trade":{"price":5,"size":1,"sip_timestamp":7},"session":{}},
        {"ticker":"NIL","error":"NOT_FOUND","message":"Ticker not found."}]}"#;
    let data = decode_as(&question, &sent, &HttpResponse::json(200, body)).unwrap().into_data();
    let Some(Data::Quotes(quotes)) = data else { panic!("{data:?}") };
    assert_eq!(quotes[0], Quoted { instrument: share("NIL"), quote: Err(Rejection::UnknownSymbol) });
    assert_eq!(quotes[1].quote.as_ref().unwrap().last, Price::parse("5"));
}

#[test]
fn a_split_is_new_shares_over_old_in_either_direction() {
    let body = r#"{"status":"OK","results":[
        {"execution_date":"2022-07-18","split_from":1,"split_to":20,"ticker":"UP"},
        {"execution_date":"2022-05-20","split_from":2,"split_to":1,"ticker":"DOWN"}]}"#;
    let data = read("/v3/reference/splits", body);
    let Ok(Data::Actions(actions)) = data else { panic!("{data:?}") };
    let found: Vec<String> =
        actions.iter().map(|a| format!("{} {} {:?}", a.ex_date, a.instrument, a.kind)).collect();
    assert_eq!(
        found,
        ["2022-05-20 DOWN.US Split { new_per_old: 0.5 }", "2022-07-18 UP.US Split { new_per_old: 20 }"]
    );
    let zero = r#"{"status":"OK","results":[{"execution_date":"2022-07-18","split_from":0,"split_to":2,"ticker":"A"}]}"#;
    assert!(matches!(read("/v3/reference/splits", zero), Err(Rejection::Unreadable { .. })));
}

#[test]
fn a_market_in_extended_hours_is_neither_open_nor_closed() {
    let body = r#"{"market":"extended-hours","earlyHours":false,"afterHours":true,
        "serverTime":"2022-04-28T16:48:08-04:00","exchanges":{"nyse":"closed"},"currencies":{"fx":"open"}}"#;
    let data = read("/v1/marketstatus/now", body);
    let Ok(Data::MarketStatus(markets)) = data else { panic!("{data:?}") };
    let found: Vec<_> = markets.iter().map(|m| (&*m.market, m.phase, m.at)).collect();
    let server = Some(at("2022-04-28T20:48:08Z"));
    assert_eq!(found, [("US", MarketPhase::Extended, server), ("nyse", MarketPhase::Closed, server)]);
}

#[test]
fn a_next_page_is_asked_for_without_host_and_key() {
    let body = r#"{"status":"OK","results":[],"next_url":"https://api.polygon.io/v3/quotes/A?cursor=YT0x&apiKey=K"}"#;
    let sent = HttpRequest::from_target("/v3/quotes/A");
    let question = Polygon.decode_request(&sent).unwrap();
    let decoded = decode_as(&question, &sent, &HttpResponse::json(200, body));
    let Ok(Decoded::Page { data, next }) = decoded else { panic!("{decoded:?}") };
    // Empty, and yet there is more.
    assert_eq!((data.rows(), next.target().as_str()), (0, "/v3/quotes/A?cursor=YT0x"));
    // The last page of several may be empty without meaning that there is nothing.
    let last = HttpResponse::json(200, r#"{"status":"OK","results":[]}"#);
    assert_eq!(decode_as(&question, &next, &last), Ok(Decoded::Whole(Data::Quotes(vec![]))));
}

#[test]
fn what_the_vendor_has_no_words_for_is_unsupported() {
    let elsewhere = InstrumentId::new("VOD", Venue::literal("XLON"));
    let days = range("2023-01-01T05:00:00Z", "2023-01-10T05:00:00Z");
    let bars = |instrument, adjustment| Question::Bars {
        instrument,
        interval: Interval::D1,
        range: days,
        adjustment,
        session: Session::Regular,
    };
    assert_eq!(encode(&bars(elsewhere, Adjustment::Raw)), Err(Rejection::Unsupported));
    assert_eq!(encode(&bars(share("A"), Adjustment::All)), Err(Rejection::Unsupported));
    for endpoint in [
        "any",
        "/v1/marketstatus/upcoming",
        "/v3/reference/tickers/{ticker}",
        "wss://socket.massive.com/stocks",
        "/v2/aggs/ticker/A/range/7/minute/2023-01-01/2023-01-02",
        "/v2/aggs/ticker/A/range/1/year/2023-01-01/2023-01-02",
    ] {
        assert_eq!(Polygon.decode_request(&HttpRequest::from_target(endpoint)), Err(Rejection::Unsupported));
    }
    assert_eq!(read("/v1/marketstatus/upcoming", "[]"), Err(Rejection::Unsupported));
    for endpoint in [
        "/v2/aggs/ticker/A/range/0/day/2023-01-01/2023-01-02",
        "/v2/aggs/ticker/A/range/1/fortnight/2023-01-01/2023-01-02",
        "/v2/aggs/ticker/A/range/1/day/January/2023-01-02",
        "/v2/aggs/ticker/A/range/1/day/2023-01-01/2023-01-02?adjusted=maybe",
        "/v3/trades/A?limit=many",
        "/v3/trades/A?cursor=***",
    ] {
        assert_eq!(
            Polygon.decode_request(&HttpRequest::from_target(endpoint)),
            Err(Rejection::CallersMistake)
        );
    }
}

#[test]
fn instruments_are_spelled_the_vendors_way() {
    let day = range("2023-01-03T05:00:00Z", "2023-01-04T05:00:00Z");
    for (id, path) in [
        ("BRK.B.XNYS", "BRK.B"),
        ("EUR/USD.FX", "C%3AEURUSD"),
        ("BTC/USD.CRYPTO", "X%3ABTCUSD"),
        ("^GSPC.INDEX", "I%3ASPX"),
        ("^NDX.INDEX", "I%3ANDX"),
    ] {
        let question = Question::Bars {
            instrument: InstrumentId::parse(id).unwrap(),
            interval: Interval::D1,
            range: day,
            adjustment: Adjustment::Raw,
            session: Session::Regular,
        };
        let request = encode(&question).unwrap();
        assert_eq!(
            request.target(),
            format!(
                "/v2/aggs/ticker/{path}/range/1/day/2023-01-03/2023-01-03?adjusted=false&sort=asc&limit=50000"
            )
        );
        let back = Polygon.decode_request(&request).unwrap();
        assert_eq!(back.instruments()[0].name(), InstrumentId::parse(id).unwrap().name());
    }
}

#[test]
fn shares_are_asked_for_by_all_that_the_plan_knows_of_them() {
    let late = Delivery::Delayed(Duration::from_secs(900));
    let day = "/v2/aggs/ticker/ACME/prev".to_owned();
    let (one, many) = (format!("{SNAPSHOT}/ACME"), format!("{SNAPSHOT}?tickers=ACME%2CBRK.B"));
    for (delivery, names, target) in [
        (Some(Delivery::EndOfDay), &["ACME"][..], Ok(day)),
        (Some(Delivery::EndOfDay), &["ACME", "BRK.B"], Err(Rejection::Unsupported)),
        (Some(late), &["ACME"], Ok(one.clone())),
        (Some(Delivery::RealTime), &["ACME"], Ok(one.clone())),
        (Some(Delivery::RealTime), &["ACME", "BRK.B"], Ok(many)),
        (None, &["ACME"], Ok(one)),
    ] {
        let plan = delivery.map(|delivery| Plan {
            name: "p".into(),
            verified_on: Date::constant(2026, 10, 15),
            limits: vec![],
            entitlements: vec![],
            delivery,
            history: None,
            request_micros: 0,
            spend: Vec::new(),
            monthly_usd: 0,
            tariff: Default::default(),
        });
        for bid_ask in [false, true] {
            let question =
                Question::Quotes { instruments: names.iter().map(|name| share(name)).collect(), bid_ask };
            let session = Learned::default();
            let ask = Ask { question: &question, now: NOW, session: &session, plan: plan.as_ref() };
            let found = Polygon.encode_request(&ask).map(|request| request.target());
            assert_eq!(found, target, "{delivery:?} {names:?}");
        }
    }
}

#[test]
fn one_snapshot_brings_price_bid_ask_and_the_day_and_less_on_a_plan_with_less() {
    let question = Question::Quotes { instruments: vec![share("ACME")], bid_ask: true };
    let sent = encode(&question).unwrap();
    let quote_of = |more: &str| {
        let body = format!(
            r#"{{"status":"OK","ticker":{{"ticker":"ACME","day":{{"o":10.2,"h":11,"l":10,"c":10.5,"v":1.2e+06}},
            "prevDay":{{"c":10.1}},"updated":1651251948294080343{more}}}}}"#
        );
        let data = decode_as(&question, &sent, &HttpResponse::json(200, body)).unwrap().into_data();
        let Some(Data::Quotes(quotes)) = data else { panic!("{data:?}") };
        assert_eq!(quotes[0].instrument, share("ACME"));
        quotes[0].quote.clone().unwrap()
    };
    let whole = quote_of(
        r#","lastTrade":{"p":10.6,"s":40,"t":1651251948294080000},"lastQuote":{"P":10.7,"S":5,"p":10.4,"s":3,"t":7}"#,
    );
    assert_eq!((whole.last, whole.last_size), (Price::parse("10.6"), Size::parse("40")));
    assert_eq!((whole.bid, whole.bid_size), (Price::parse("10.4"), Size::parse("300")));
    assert_eq!((whole.ask, whole.ask_size), (Price::parse("10.7"), Size::parse("500")));
    let of_day = |quote: &Quote| (quote.open, quote.high, quote.low, quote.previous_close, quote.volume);
    let day = ["10.2", "11", "10", "10.1"].map(Price::parse);
    assert_eq!(of_day(&whole), (day[0], day[1], day[2], day[3], Size::parse("1200000")));
    // Without trades and quotes the day's close so far is the last price.
    let late = quote_of("");
    assert_eq!((late.last, late.bid, late.ask), (Price::parse("10.5"), None, None));
    assert_eq!(of_day(&late), of_day(&whole));
    assert_eq!(late.event_time, Some(Instant::from_nanos(1_651_251_948_294_080_343)));
}

/// All pages of what the vendor's side says to a request, put together.
fn all_pages(
    question: &Question,
    mut request: HttpRequest,
    outcome: &Result<Data, Rejection>,
) -> (usize, Vec<Data>) {
    let mut pages = Vec::new();
    loop {
        let understood = Polygon.decode_request(&request).unwrap();
        let response = Polygon.encode_response(&request, Some(&understood), outcome, NOW);
        match decode_as(question, &request, &response).unwrap() {
            Decoded::Page { data, next } => {
                assert_eq!(
                    Polygon.decode_request(&next).unwrap(),
                    understood,
                    "a cursor continues its question"
                );
                pages.push(data);
                request = next;
            }
            Decoded::Whole(data) => {
                pages.push(data);
                return (pages.len(), pages);
            }
            Decoded::AskNext { .. } => panic!("this vendor needs no formalities"),
        }
    }
}

#[test]
fn rows_beyond_the_limit_come_on_further_pages() {
    let id = share("ACME");
    let start = at("2023-01-03T14:30:00Z");
    let bars: Vec<Bar> = (0..7)
        .map(|i| Bar::new(start + Duration::from_secs(3_600 * i), [Price::from(5); 4], Size::from(1_234_567)))
        .collect();
    let question = Question::Bars {
        instrument: id.clone(),
        interval: Interval::H1,
        range: range("2023-01-03T00:00:00Z", "2023-01-04T00:00:00Z"),
        adjustment: Adjustment::Split,
        session: Session::Extended,
    };
    let mut request = encode(&question).unwrap();
    // The limit counts minutes: 120 of them are two hours.
    request.query.retain(|(name, _)| name != "limit");
    let series = BarSeries { bars: bars.clone(), ..BarSeries::empty(id, Interval::H1, Adjustment::Split) };
    let (count, pages) = all_pages(&question, request.with("limit", 120), &Ok(Data::Bars(series)));
    assert_eq!(count, 4);
    let found: Vec<Bar> = pages
        .into_iter()
        .flat_map(|page| match page {
            Data::Bars(series) => series.bars,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(found, bars);
}

#[test]
fn refusals_survive_the_vendors_words() {
    let quote = HttpRequest::get("/v2/last/trade/ACME");
    let question = Polygon.decode_request(&quote).unwrap();
    let wait = Some(Duration::from_secs(7));
    for rejection in [
        Rejection::UnknownSymbol,
        Rejection::NoData,
        Rejection::RateLimited { retry_after: wait, window: None },
        Rejection::rate_limited(),
        Rejection::QuotaSpent { window: None, resets: None },
        Rejection::Unauthorized,
        Rejection::NotEntitled,
        Rejection::CallersMistake,
        Rejection::VendorFault { status: 500 },
        Rejection::VendorFault { status: 503 },
    ] {
        let response = Polygon.encode_response(&quote, Some(&question), &Err(rejection.clone()), NOW);
        assert_eq!(decode_as(&question, &quote, &response), Err(rejection));
    }
    let refused = |rejection| Polygon.encode_response(&quote, None, &Err(rejection), NOW);
    let cut_off = refused(Rejection::unreadable("x"));
    assert!(matches!(decode_as(&question, &quote, &cut_off), Err(Rejection::Unreadable { .. })));
    // Bars of an unknown ticker look like bars of a quiet one.
    let bars = HttpRequest::from_target(DAILY);
    let response = Polygon.encode_response(&bars, None, &Err(Rejection::UnknownSymbol), NOW);
    assert_eq!(decode_as(&Polygon.decode_request(&bars).unwrap(), &bars, &response), Err(Rejection::NoData));
    assert!(!String::from_utf8_lossy(&response.body).contains("results\":"));
}

#[test]
fn a_reply_cut_anywhere_is_refused() {
    let bars = r#"{"ticker":"ACME","resultsCount":1,"adjusted":true,"results":[{"v":1.5e+06,"o":1,"c":1,"h":1,"l":1,"t":1672722000000}],"status":"OK"}"#;
    for end in 0..bars.len() {
        let found = read(DAILY, &bars[..end]);
        assert!(matches!(found, Err(Rejection::Unreadable { .. })), "{end}: {found:?}");
    }
    assert!(read(DAILY, bars).is_ok());
}
