//! SRC-5, SRC-7, SRC-8, SRC-9: IEX Cloud's dialect from both ends.

use std::time::Duration;

use domain::{
    ActionKind, Adjustment, Bar, BarSeries, Date, Instant, InstrumentId, Interval, MarketPhase, Price, Quote,
    Range, Ratio, Session, Size, Venue,
};

use super::IexCloud;
use crate::{
    Ask, Codec, Data, HttpRequest, HttpResponse, Question, Quoted, Rejection, Session as Learned, Status,
    Window,
};

/// Noon in New York on Wednesday, 11 November 2020.
pub(super) const NOW: Instant = Instant::from_secs(1_605_114_000);

pub(super) fn at(text: &str) -> Instant {
    Instant::parse(text).expect("a test writes instants correctly")
}

fn range(start: &str, end: &str) -> Range {
    Range::new(at(start), at(end))
}

pub(super) fn share(name: &str) -> InstrumentId {
    InstrumentId::new(name, Venue::US)
}

pub(super) fn encode(question: &Question) -> Result<HttpRequest, Rejection> {
    let session = Learned::default();
    IexCloud.encode_request(&Ask { question, now: NOW, session: &session, plan: None })
}

pub(super) fn decode_as(
    question: &Question,
    sent: &HttpRequest,
    response: &HttpResponse,
) -> Result<Data, Rejection> {
    let session = Learned::default();
    let decoded = IexCloud.decode_response(
        &Ask { question, now: NOW, session: &session, plan: None },
        sent,
        response,
    )?;
    Ok(decoded.into_data().expect("every reply of this vendor is whole"))
}

/// Reads a reply knowing only where it came from.
fn read(endpoint: &str, body: &str) -> Result<Data, Rejection> {
    let sent = HttpRequest::from_target(endpoint);
    let question = IexCloud.decode_request(&sent).unwrap_or(Question::Symbols);
    decode_as(&question, &sent, &HttpResponse::json(200, body))
}

fn read_bars(endpoint: &str, body: &str) -> BarSeries {
    match read(endpoint, body) {
        Ok(Data::Bars(series)) => series,
        other => panic!("{other:?}"),
    }
}

fn read_quote(endpoint: &str, body: &str) -> Quote {
    match read(endpoint, body) {
        Ok(Data::Quotes(quotes)) => quotes[0].quote.clone().expect("a quote"),
        other => panic!("{other:?}"),
    }
}

fn bars(name: &str, interval: Interval, range: Range, adjustment: Adjustment) -> Question {
    Question::Bars { instrument: share(name), interval, range, adjustment, session: Session::Regular }
}

fn recorded(test: &str, file: &str) -> Option<String> {
    let path = test_data::find(test, &format!("fixtures/iex_cloud/{file}"))?;
    Some(std::fs::read_to_string(path).expect("a recording can be read"))
}

/// A day before a 4-for-1 split, restated and as traded.
const DAY: &str = r#"[{"date":"2020-08-28","open":126.0,"high":126.5,"low":124.5,"close":124.75,"volume":4,
    "uOpen":504,"uHigh":506,"uLow":498,"uClose":499,"uVolume":1,"fClose":124.1,"currency":""}]"#;

#[test]
fn a_retired_vendor_says_so_and_names_another() {
    let Status::Retired { since, replacement } = IexCloud.profile().status else {
        panic!("this vendor has closed")
    };
    assert_eq!((since, replacement), (Date::constant(2024, 8, 31), "polygon"));
    assert!(crate::find(replacement).is_some());
}

#[test]
fn recorded_days_and_minutes_are_read_to_the_digit() {
    let test = "recorded_days_and_minutes_are_read_to_the_digit";
    let Some(minutes) = recorded(test, "chart_1d_minutes_MSFT_2019.json") else { return };
    let series = read_bars("/stock/{symbol}/chart/1d", &minutes);
    let volume: rust_decimal::Decimal =
        series.bars.iter().filter_map(|bar| bar.volume).map(Size::decimal).sum();
    assert_eq!((series.bars.len(), series.interval, volume), (390, Interval::M1, 448_483.into()));
    assert_eq!(series.bars[0].start, at("2019-08-09T13:30:00Z"));
    let silent: Vec<Instant> =
        series.bars.iter().filter(|bar| bar.close.is_none()).map(|bar| bar.start).collect();
    assert_eq!(silent, [at("2019-08-09T15:47:00Z"), at("2019-08-09T15:56:00Z")]);
    assert!(series.bars.iter().all(|bar| bar.close.is_some() || bar.volume == Some(Size::ZERO)));
    let Some(days) = recorded(test, "chart_1m_MSFT_2020.json") else { return };
    for (endpoint, adjustment) in [
        ("/stock/{symbol}/chart/{range}", Adjustment::Split),
        ("/stock/{symbol}/chart/{range}?filter=date,uClose", Adjustment::Raw),
    ] {
        let series = read_bars(endpoint, &days);
        let newest = series.bars.last().unwrap();
        assert_eq!((series.bars.len(), series.adjustment), (23, adjustment));
        assert_eq!(
            (newest.close, newest.trading_date),
            (Price::parse("223.72"), Some(Date::constant(2020, 11, 6)))
        );
    }
}

#[test]
fn one_reply_holds_a_day_as_traded_and_restated() {
    let restated = &read_bars("/stock/ACME/chart/1m", DAY);
    assert_eq!((restated.adjustment, restated.bars[0].close), (Adjustment::Split, Price::parse("124.75")));
    assert_eq!(restated.bars[0].vendor_adjusted_close, Price::parse("124.1"));
    assert_eq!((restated.denomination, restated.bars[0].start), (None, at("2020-08-28T04:00:00Z")));
    let days = range("2020-08-01T04:00:00Z", "2020-09-01T04:00:00Z");
    let raw = bars("ACME", Interval::D1, days, Adjustment::Raw);
    let Ok(Data::Bars(raw)) = decode_as(&raw, &encode(&raw).unwrap(), &HttpResponse::json(200, DAY)) else {
        panic!("days are read")
    };
    assert_eq!((raw.adjustment, raw.bars[0].close), (Adjustment::Raw, Price::parse("499")));
    assert_eq!(raw.bars[0].volume, Size::parse("1"));
    // A reply without columns as traded says that it is restated, whatever was asked.
    let bare = r#"[{"date":"2020-08-28","open":1,"high":1,"low":1,"close":1,"volume":4}]"#;
    assert_eq!(read_bars("/stock/ACME/chart/1m?filter=uClose", bare).adjustment, Adjustment::Split);
}

#[test]
fn a_day_without_one_of_its_columns_is_refused_and_one_with_a_null_is_kept() {
    for column in ["open", "high", "low", "close", "date"] {
        let body = DAY.replace(&format!("\"{column}\""), "\"gone\"");
        assert!(matches!(read("/stock/A/chart/1m", &body), Err(Rejection::Unreadable { .. })), "{column}");
    }
    let body = DAY.replace("\"close\":124.75", "\"close\":null");
    assert_eq!(read_bars("/stock/A/chart/1m", &body).bars[0].close, None);
    let closes = r#"[{"date":"2020-08-28","close":124.75,"volume":4}]"#;
    assert!(read("/stock/A/chart/1m", closes).is_err());
    assert_eq!(
        read_bars("/stock/A/chart/1m?chartCloseOnly=true", closes).bars[0].close,
        Price::parse("124.75")
    );
}

#[test]
fn days_come_oldest_first_whatever_the_vendor_was_asked() {
    let body = r#"[{"date":"2020-01-03","open":1,"high":1,"low":1,"close":3,"volume":0},
        {"date":"2020-01-02","open":1,"high":1,"low":1,"close":2,"volume":0}]"#;
    let series = read_bars("/stock/A/chart/1m?sort=desc", body);
    let dates: Vec<_> = series.bars.iter().map(|bar| bar.trading_date.unwrap().day()).collect();
    assert_eq!(dates, [2, 3]);
    // Nothing traded: kept, not dropped.
    assert_eq!(series.bars[0].volume, Some(Size::ZERO));
}

#[test]
fn a_minute_is_local_to_new_york_and_silent_minutes_stay() {
    let body = r#"[
        {"date":"2020-11-10","minute":"09:30","open":1,"high":2,"low":1,"close":2,"average":1.5,"volume":3,"numberOfTrades":1},
        {"date":"2020-11-10","minute":"09:31","open":null,"high":null,"low":null,"close":null,"average":null,"volume":0},
        {"date":"2020-11-10","minute":"09:32","open":-1,"high":-1,"low":-1,"close":-1,"average":-1,"volume":0}]"#;
    let series = read_bars("/stock/A/chart/1d", body);
    let shown: Vec<_> =
        series.bars.iter().map(|bar| (bar.start, bar.close, bar.vwap, bar.is_final)).collect();
    assert_eq!(
        shown,
        [
            (at("2020-11-10T14:30:00Z"), Price::parse("2"), Price::parse("1.5"), true),
            (at("2020-11-10T14:31:00Z"), None, None, true),
            (at("2020-11-10T14:32:00Z"), None, None, true),
        ]
    );
    assert_eq!((series.interval, series.adjustment), (Interval::M1, Adjustment::Raw));
}

#[test]
fn a_consolidated_minute_is_preferred_and_one_still_to_come_is_not_final() {
    let body = r#"[
        {"date":"2020-11-10","minute":"09:30","open":1,"high":1,"low":1,"close":1,"volume":3,
         "marketOpen":1.1,"marketHigh":1.3,"marketLow":1,"marketClose":1.2,"marketVolume":100,"marketNumberOfTrades":7},
        {"date":"2020-11-10","minute":"09:31","open":2,"high":2,"low":2,"close":2,"volume":5,
         "marketOpen":null,"marketHigh":null,"marketLow":null,"marketClose":null,"marketVolume":null}]"#;
    let series = read_bars("/stock/A/intraday-prices", body);
    let shown: Vec<_> = series.bars.iter().map(|bar| (bar.close, bar.volume, bar.is_final)).collect();
    assert_eq!(
        shown,
        [(Price::parse("1.2"), Size::parse("100"), true), (Price::parse("2"), Size::parse("5"), false),]
    );
    let own = read_bars("/stock/A/chart/1d?chartIEXOnly=true", body);
    assert_eq!(
        own.bars.iter().map(|bar| bar.volume).collect::<Vec<_>>(),
        [Size::parse("3"), Size::parse("5")]
    );
}

#[test]
fn minutes_in_place_of_days_are_refused_and_dynamic_says_which_it_has() {
    let minutes =
        r#"[{"date":"2020-11-10","minute":"09:30","open":1,"high":1,"low":1,"close":1,"volume":1}]"#;
    assert!(matches!(read("/stock/A/chart/1m", minutes), Err(Rejection::Unreadable { .. })));
    assert!(matches!(read("/stock/A/chart/1d", DAY), Err(Rejection::Unreadable { .. })));
    let wrapped = |data: &str| format!(r#"{{"range":"1m","data":{data}}}"#);
    assert_eq!(read_bars("/stock/A/chart/dynamic", &wrapped(minutes)).interval, Interval::M1);
    assert_eq!(read_bars("/stock/A/chart/dynamic", &wrapped(DAY)).interval, Interval::D1);
    assert_eq!(read("/stock/A/chart/dynamic", &wrapped("[]")), Err(Rejection::NoData));
}

#[test]
fn an_order_of_zero_is_no_order_and_a_delayed_source_admits_its_delay() {
    let body = r#"{"symbol":"ACME","latestPrice":119.36,"latestSource":"15 minute delayed price",
        "latestUpdate":1554408000193,"latestVolume":20088221,"previousClose":119.97,"open":120,"high":null,
        "iexBidPrice":0,"iexBidSize":0,"iexAskPrice":null,"isUSMarketOpen":false,"currency":"USD"}"#;
    let quote = read_quote("/stock/acme/quote", body);
    assert_eq!(
        (quote.last, quote.bid, quote.bid_size, quote.ask),
        (Price::parse("119.36"), None, None, None)
    );
    assert_eq!(quote.stated_delay, Some(Duration::from_secs(900)));
    assert_eq!((quote.event_time, quote.phase), (Some(Instant::from_millis(1_554_408_000_193)), None));
    assert_eq!((quote.volume, quote.high), (Size::parse("20088221"), None));
    let open = body.replace("\"isUSMarketOpen\":false", "\"isUSMarketOpen\":true").replace("15 minute", "x");
    let quote = read_quote("/stock/acme/quote", &open);
    assert_eq!((quote.phase, quote.stated_delay), (Some(MarketPhase::Open), None));
}

#[test]
fn a_quote_without_a_price_is_no_data() {
    for (endpoint, body) in [
        ("/stock/A/quote", r#"{"symbol":"A","latestPrice":0,"iexBidPrice":0,"iexAskPrice":0}"#),
        ("/stock/A/quote", r#"{"symbol":"A","latestPrice":null}"#),
        ("/stock/A/quote", "null"),
        ("/stock/A/price", "0"),
        ("/stock/A/price", "null"),
        ("/stock/A/ohlc", r#"{"open":{"price":null},"close":{"price":null},"high":null,"low":null}"#),
        ("/stock/A/chart/1m", "[]"),
        ("/stock/A/dividends/1y", "[]"),
        ("/tops?symbols=A", "[]"),
        ("/search/nothing", "[]"),
    ] {
        assert_eq!(read(endpoint, body), Err(Rejection::NoData), "{body}");
    }
    assert!(matches!(read("/stock/A/quote", r#"{"symbol":"A"}"#), Err(Rejection::Unreadable { .. })));
}

#[test]
fn a_price_is_a_bare_number() {
    assert_eq!(read_quote("/v1/stock/msft/price", "119.36").last, Price::parse("119.36"));
    for body in ["\"abc\"", "{}", "[119.36]", "119.36.1", ""] {
        assert!(read("/stock/msft/price", body).is_err(), "{body}");
    }
}

#[test]
fn the_venues_own_volume_is_not_the_volume_of_the_day() {
    let body = r#"[{"symbol":"ACME","bidSize":100,"bidPrice":166.18,"askSize":315,"askPrice":172,"volume":184260,
        "lastSalePrice":170.435,"lastSaleSize":60,"lastSaleTime":1510943467901,"lastUpdated":1510943543270}]"#;
    let quote = read_quote("/tops?symbols=ACME", body);
    assert_eq!((quote.bid, quote.ask, quote.volume), (Price::parse("166.18"), Price::parse("172"), None));
    assert_eq!((quote.bid_size, quote.ask_size), (Size::parse("100"), Size::parse("315")));
    assert_eq!(quote.event_time, Some(Instant::from_millis(1_510_943_467_901)));
}

#[test]
fn a_batch_tells_known_symbols_from_unknown_ones() {
    let question = Question::Quotes { instruments: vec![share("NIL"), share("ACME")], bid_ask: false };
    let sent = encode(&question).unwrap();
    assert_eq!(sent.target(), "/stock/market/batch?symbols=NIL%2CACME&types=quote");
    let body = r#"{"ACME":{"quote":{"symbol":"ACME","latestPrice":5}}}"#;
    let Ok(Data::Quotes(quotes)) = decode_as(&question, &sent, &HttpResponse::json(200, body)) else {
        panic!("a batch is quotes")
    };
    assert_eq!(quotes[0], Quoted { instrument: share("NIL"), quote: Err(Rejection::UnknownSymbol) });
    assert_eq!(quotes[1].quote.as_ref().unwrap().last, Price::parse("5"));
    // Charts and quotes together are bars that carry their quote.
    let both = format!(r#"{{"ACME":{{"chart":{DAY},"quote":{{"symbol":"ACME","latestPrice":5}}}}}}"#);
    let data = read("/stock/market/batch?symbols=ACME&types=quote,chart&range=1m", &both);
    let Ok(Data::ManyBars(many)) = data else { panic!("{data:?}") };
    assert_eq!((many[0].bars.len(), many[0].quote.as_ref().unwrap().last), (1, Price::parse("5")));
}

#[test]
fn a_split_is_read_from_its_factors_and_an_unknown_date_is_none() {
    let splits = r#"[{"exDate":"2020-08-28","declaredDate":"0000-00-00","ratio":0.26,"fromFactor":1,"toFactor":4,"symbol":"ACME"}]"#;
    let Ok(Data::Actions(actions)) = read("/stock/ACME/splits/1y", splits) else {
        panic!("splits are actions")
    };
    assert_eq!(actions[0].kind, ActionKind::Split { new_per_old: Ratio::from(4) });
    assert_eq!((actions[0].ex_date, actions[0].declared), (Date::constant(2020, 8, 28), None));
    let dividends = r#"[{"exDate":"2019-05-15","amount":"0.46","declaredDate":"","paymentDate":"2019-06-13","currency":"USD"},
        {"exDate":"2019-02-20","amount":0.45,"declaredDate":"2018-11-28"}]"#;
    let Ok(Data::Actions(actions)) = read("/stock/ACME/dividends", dividends) else {
        panic!("dividends are actions")
    };
    let shown: Vec<_> =
        actions.iter().map(|action| (action.ex_date.month(), action.declared.is_some())).collect();
    assert_eq!(shown, [(2, true), (5, false)]);
    let ActionKind::Dividend { amount, .. } = actions[1].kind else { panic!("{actions:?}") };
    assert_eq!(Some(amount), Price::parse("0.46"));
    for body in [
        r#"[{"exDate":"2020-08-28","fromFactor":0,"toFactor":4}]"#,
        r#"[{"exDate":"0000-00-00","fromFactor":1,"toFactor":4}]"#,
    ] {
        assert!(matches!(read("/stock/A/splits/1y", body), Err(Rejection::Unreadable { .. })), "{body}");
    }
}

#[test]
fn a_status_means_what_the_vendor_means_by_it() {
    let html = "<html><body>Just a moment...</body></html>";
    let text = |status, body: &str| HttpResponse::new(status, "text/html; charset=utf-8", body);
    let spent = Rejection::QuotaSpent { window: Some(Window::Month), resets: None };
    for (response, expected) in [
        (text(403, "The API key provided is not valid."), Rejection::Unauthorized),
        (text(403, "The requested data is not available to free tier accounts."), Rejection::NotEntitled),
        (text(403, html), Rejection::VendorFault { status: 403 }),
        (text(401, ""), Rejection::Unauthorized),
        (text(402, "You have used all of your messages for the month."), spent),
        (text(402, "This is not available on your plan."), Rejection::NotEntitled),
        (text(404, "Unknown symbol"), Rejection::UnknownSymbol),
        (text(404, html), Rejection::unreadable("a reply of an endpoint that exists")),
        (text(400, "You have supplied invalid values for this request"), Rejection::CallersMistake),
        (HttpResponse::json(400, r#"{"error":"\"x\" is not allowed"}"#), Rejection::CallersMistake),
        (text(413, ""), Rejection::CallersMistake),
        (text(429, ""), Rejection::rate_limited()),
        (text(451, ""), Rejection::NotEntitled),
        (text(500, ""), Rejection::VendorFault { status: 500 }),
        (text(200, html), Rejection::VendorFault { status: 200 }),
        (text(200, "Unknown symbol"), Rejection::UnknownSymbol),
        (HttpResponse::json(200, r#"{"error":"\"x\" is not allowed"}"#), Rejection::CallersMistake),
        (HttpResponse::json(200, "not JSON"), Rejection::unreadable("JSON")),
    ] {
        let found = decode_as(&Question::Symbols, &HttpRequest::from_target("any"), &response);
        assert_eq!(found, Err(expected), "{response:?}");
    }
}

#[test]
fn what_the_vendor_has_no_words_for_is_unsupported() {
    for endpoint in [
        "any",
        "/deep/book",
        "/ref-data/isin?isin=US0378331005",
        "/ref-data/us/dates/trade/next/2",
        "/stock/market/sector-performance",
        "/stock/{symbol}/stats/{stat}",
        "/stock/A/chart/1mm",
        "/stock/market/batch?symbols=A&types=peers",
    ] {
        assert_eq!(
            IexCloud.decode_request(&HttpRequest::from_target(endpoint)),
            Err(Rejection::Unsupported),
            "{endpoint}"
        );
        assert_eq!(read(endpoint, "[]"), Err(Rejection::Unsupported), "{endpoint}");
    }
    for endpoint in [
        "/stock/A/chart/1d?badOption=option&token=K",
        "/stock/A/chart/7x",
        "/stock/A/chart/date/2020-11-10",
        "/stock/A/dividends/forever",
        "/stock/A/news/last/many",
    ] {
        assert_eq!(
            IexCloud.decode_request(&HttpRequest::from_target(endpoint)),
            Err(Rejection::CallersMistake),
            "{endpoint}"
        );
    }
    let request = HttpRequest::from_target("/stock/A/chart/1d?badOption=option");
    let response = IexCloud.encode_response(&request, None, &Err(Rejection::CallersMistake), NOW);
    assert_eq!(response.body, br#"{"error":"\"badOption\" is not allowed"}"#);
    let days = range("2020-11-01T05:00:00Z", "2020-11-05T05:00:00Z");
    let elsewhere = InstrumentId::new("VOD", Venue::literal("XLON"));
    let abroad = Question::Dividends { instrument: elsewhere, range: days };
    assert_eq!(encode(&abroad), Err(Rejection::Unsupported));
    assert_eq!(encode(&bars("A", Interval::H1, days, Adjustment::Raw)), Err(Rejection::Unsupported));
    assert_eq!(encode(&bars("A", Interval::D1, days, Adjustment::All)), Err(Rejection::Unsupported));
    // Five years is as far as the vendor's words reach: less than asked would pass for all.
    let old = range("2010-01-01T05:00:00Z", "2020-11-05T05:00:00Z");
    assert_eq!(encode(&Question::Splits { instrument: share("A"), range: old }), Err(Rejection::Unsupported));
}

#[test]
fn a_range_is_asked_for_with_the_shortest_word_that_reaches_it() {
    let until_now = "2020-11-11T17:00:00Z";
    for (interval, start, end, target) in [
        (Interval::D1, "2020-11-09T05:00:00Z", until_now, "/stock/A/chart/5d"),
        (Interval::D1, "2020-10-20T04:00:00Z", until_now, "/stock/A/chart/1m"),
        (Interval::D1, "2020-08-20T04:00:00Z", until_now, "/stock/A/chart/3m"),
        (Interval::D1, "2019-12-01T05:00:00Z", until_now, "/stock/A/chart/1y"),
        (Interval::D1, "2017-12-01T05:00:00Z", until_now, "/stock/A/chart/5y"),
        (Interval::D1, "1998-12-01T05:00:00Z", until_now, "/stock/A/chart/max"),
        (
            Interval::D1,
            "2019-12-03T05:00:00Z",
            "2019-12-04T05:00:00Z",
            "/stock/A/chart/date/20191203?chartByDay=true",
        ),
        (Interval::M1, "2020-11-11T14:30:00Z", until_now, "/stock/A/chart/1d"),
        (Interval::M1, "2020-11-10T14:30:00Z", "2020-11-10T21:00:00Z", "/stock/A/chart/date/20201110"),
        // Evening before: the minutes meant are the next day's.
        (Interval::M1, "2020-11-10T00:00:00Z", "2020-11-11T00:00:00Z", "/stock/A/chart/date/20201110"),
    ] {
        let request = encode(&bars("A", interval, range(start, end), Adjustment::Split)).unwrap();
        assert_eq!(request.target(), target);
    }
}

#[test]
fn minutes_of_one_day_do_not_speak_for_the_next() {
    let two = range("2020-11-10T14:30:00Z", "2020-11-11T18:00:00Z");
    let question = bars("A", Interval::M1, two, Adjustment::Raw);
    let sent = encode(&question).unwrap();
    let body = r#"[{"date":"2020-11-10","minute":"09:30","open":1,"high":1,"low":1,"close":1,"volume":1}]"#;
    let Ok(Data::Bars(series)) = decode_as(&question, &sent, &HttpResponse::json(200, body)) else {
        panic!("minutes are read")
    };
    assert_eq!(series.covers, Some(range("2020-11-10T14:30:00Z", "2020-11-11T14:30:00Z")));
}

#[test]
fn a_listing_is_read_by_its_exchange() {
    let body = r#"[{"symbol":"A","exchange":"NYS","name":"Alpha","type":"cs","region":"US","currency":"USD"},
        {"symbol":"B","exchange":"XNAS","securityName":"Beta","securityType":"et","region":"US"},
        {"symbol":"C","type":"wt","region":"US"}]"#;
    let Ok(Data::Instruments(list)) = read("/ref-data/symbols", body) else {
        panic!("symbols are instruments")
    };
    let shown: Vec<String> = list
        .iter()
        .map(|row| format!("{} {} {}", row.id, row.kind.as_str(), row.description.as_deref().unwrap_or("-")))
        .collect();
    assert_eq!(shown, ["A.XNYS equity Alpha", "B.XNAS etf Beta", "C.US other -"]);
}

#[test]
fn refusals_survive_the_vendors_words() {
    let spent = Rejection::QuotaSpent { window: Some(Window::Month), resets: None };
    let wait = Rejection::RateLimited { retry_after: Some(Duration::from_secs(7)), window: None };
    let endpoints = ["/stock/A/quote", "/stock/A/chart/1m", "/stock/A/previous", "/stock/A/news/last/3"];
    for sent in endpoints.map(HttpRequest::from_target) {
        let question = IexCloud.decode_request(&sent).unwrap();
        for rejection in [
            Rejection::UnknownSymbol,
            Rejection::NoData,
            wait.clone(),
            spent.clone(),
            Rejection::Unauthorized,
            Rejection::NotEntitled,
            Rejection::CallersMistake,
            Rejection::VendorFault { status: 500 },
            Rejection::VendorFault { status: 200 },
        ] {
            let response = IexCloud.encode_response(&sent, Some(&question), &Err(rejection.clone()), NOW);
            assert_eq!(decode_as(&question, &sent, &response), Err(rejection), "{sent:?}");
        }
        let response = IexCloud.encode_response(&sent, None, &Err(Rejection::unreadable("x")), NOW);
        assert!(matches!(decode_as(&question, &sent, &response), Err(Rejection::Unreadable { .. })));
    }
}

#[test]
fn a_reply_reaches_back_no_further_than_its_range_and_states_its_cost() {
    let day = |date: Date| Bar {
        trading_date: Some(date),
        ..Bar::new(Instant::from_utc_midnight(date), [Price::from(5); 4], Size::from(1))
    };
    let mut series = BarSeries::empty(share("A"), Interval::D1, Adjustment::Split);
    series.bars = vec![
        day(Date::constant(2019, 1, 2)),
        day(Date::constant(2020, 11, 2)),
        day(Date::constant(2020, 11, 3)),
    ];
    for (endpoint, rows, messages) in [
        ("/stock/A/chart/1m", 2, "20"),
        ("/stock/A/chart", 2, "20"),
        ("/stock/A/chart/5y", 3, "30"),
        ("/stock/A/chart/5y?chartLast=1", 1, "10"),
        ("/stock/A/chart/5y?chartCloseOnly=true", 3, "6"),
        ("/stock/A/chart/date/20201102?chartByDay=true", 1, "2"),
        ("/stock/A/previous", 1, "2"),
    ] {
        let sent = HttpRequest::from_target(endpoint);
        let question = IexCloud.decode_request(&sent).unwrap();
        let response = IexCloud.encode_response(&sent, Some(&question), &Ok(Data::Bars(series.clone())), NOW);
        assert_eq!(response.header("iexcloud-messages-used"), Some(messages), "{endpoint}");
        assert_eq!(decode_as(&question, &sent, &response).unwrap().rows(), rows, "{endpoint}");
    }
}

#[test]
fn a_reply_cut_anywhere_is_refused() {
    for end in 0..DAY.len() {
        let found = read("/stock/A/chart/1m", &DAY[..end]);
        assert!(matches!(found, Err(Rejection::Unreadable { .. })), "{end}: {found:?}");
    }
    assert!(read("/stock/A/chart/1m", DAY).is_ok());
}
