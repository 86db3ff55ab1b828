//! SRC-2, SRC-4, SRC-7, SRC-8, SRC-9, SRC-13, on payloads written here from the documented shapes.

mod both_ends;
mod examples;

use std::time::Duration;

use domain::{
    ActionKind, BarSeries, Denomination, InstrumentId, InstrumentKind, MarketPhase, Price, Range, Ratio, Size,
};
use serde_json::{Value, json};

use super::*;
use crate::{Quoted, Session, Window};

fn id(text: &str) -> InstrumentId {
    InstrumentId::parse(text).expect("the test writes ids")
}

fn at(text: &str) -> Instant {
    Instant::parse(text).expect("the test writes times")
}

fn decode_at(
    question: &Question,
    now: Instant,
    sent: &HttpRequest,
    body: &str,
) -> Result<Decoded, Rejection> {
    let session = Session::default();
    let ask = Ask { question, now, session: &session, plan: None };
    AlphaVantage.decode_response(&ask, sent, &HttpResponse::json(200, body))
}

/// What a body means, knowing only the endpoint.
fn decode(target: &str, body: &str) -> Result<Data, Rejection> {
    let sent = HttpRequest::from_target(target);
    let question = AlphaVantage.decode_request(&sent)?;
    decode_at(&question, Instant::EPOCH, &sent, body).map(|decoded| decoded.into_data().expect("data"))
}

fn series(target: &str, body: &str) -> Result<BarSeries, Rejection> {
    match decode(target, body)? {
        Data::Bars(series) => Ok(series),
        other => panic!("bars, not {}", other.kind()),
    }
}

/// A series of two rows, newest first; each test changes what it is about.
fn bars_body(name: &str, labels: [&str; 2], refreshed: &str) -> String {
    let row = |price: &str| {
        format!(
            r#"{{"1. open":"{price}","2. high":"{price}","3. low":"{price}","4. close":"{price}","5. volume":"100"}}"#
        )
    };
    format!(
        r#"{{"Meta Data":{{"1. Information":"x","2. Symbol":"ACME","3. Last Refreshed":"{refreshed}","4. Time Zone":"US/Eastern"}},
            "{name}":{{"{}":{},"{}":{}}}}}"#,
        labels[0],
        row("12.5000"),
        labels[1],
        row("11.2500")
    )
}

fn daily() -> String {
    bars_body("Time Series (Daily)", ["2026-03-10", "2026-03-06"], "2026-03-10")
}

#[test]
fn daily_rows_ascend_at_midnight_eastern_time_on_either_side_of_a_clock_change() {
    let series = series("TIME_SERIES_DAILY", &daily()).expect("bars");
    assert_eq!((series.interval, series.adjustment), (Interval::D1, Adjustment::Raw));
    assert_eq!((series.instrument, series.zone.as_deref()), (id("ACME.US"), Some(HOME)));
    let starts: Vec<Instant> = series.bars.iter().map(|bar| bar.start).collect();
    assert_eq!(starts, [at("2026-03-06T05:00:00Z"), at("2026-03-10T04:00:00Z")]);
    assert_eq!(series.bars[0].trading_date, "2026-03-06".parse().ok());
    assert_eq!((series.bars[0].close, series.bars[0].volume), (Price::parse("11.25"), Size::parse("100")));
    assert!(series.bars.iter().all(|bar| bar.is_final) && series.covers.is_none());
}

#[test]
fn intraday_rows_keep_their_time_of_day_and_are_stamped_at_their_start() {
    let body = bars_body(
        "Time Series (15min)",
        ["2026-03-09 15:45:00", "2026-03-06 15:45:00"],
        "2026-03-09 15:45:00",
    );
    let series = series("TIME_SERIES_INTRADAY", &body).expect("bars");
    assert_eq!((series.interval, series.adjustment), (Interval::M15, Adjustment::All));
    let starts: Vec<Instant> = series.bars.iter().map(|bar| bar.start).collect();
    assert_eq!(starts, [at("2026-03-06T20:45:00Z"), at("2026-03-09T19:45:00Z")]);
    assert_eq!(series.bars[0].trading_date, None);
    let raw =
        self::series("/query?function=TIME_SERIES_INTRADAY&symbol=ACME&interval=15min&adjusted=false", &body);
    assert_eq!(raw.expect("bars").adjustment, Adjustment::Raw);
}

#[test]
fn weeks_and_months_labelled_by_their_last_day_start_at_their_first() {
    for (name, function, label, start) in [
        ("Weekly Time Series", "TIME_SERIES_WEEKLY", "2026-03-13", "2026-03-09T04:00:00Z"),
        (
            "Monthly Adjusted Time Series",
            "TIME_SERIES_MONTHLY_ADJUSTED",
            "2026-02-27",
            "2026-02-01T05:00:00Z",
        ),
    ] {
        let bars =
            series(function, &bars_body(name, [label, "2025-12-31"], "2026-03-13")).expect("bars").bars;
        assert_eq!((bars[1].start, bars[1].trading_date), (at(start), label.parse().ok()), "{name}");
        assert!(bars[1].is_final, "{name}");
    }
}

#[test]
fn the_newest_row_is_not_final_where_the_reply_shows_that_it_runs() {
    for (name, function, newest, refreshed, is_final) in [
        ("Time Series (Daily)", "TIME_SERIES_DAILY", "2026-03-10", "2026-03-10 12:31:00", false),
        ("Time Series (Daily)", "TIME_SERIES_DAILY", "2026-03-10", "2026-03-10 16:00:01", true),
        ("Time Series (Daily)", "TIME_SERIES_DAILY", "2026-03-09", "2026-03-10 12:31:00", true),
        ("Weekly Time Series", "TIME_SERIES_WEEKLY", "2026-03-10", "2026-03-10", false),
        ("Weekly Time Series", "TIME_SERIES_WEEKLY", "2026-03-13", "2026-03-13", true),
        ("Monthly Time Series", "TIME_SERIES_MONTHLY", "2026-03-20", "2026-03-20", false),
        ("Monthly Time Series", "TIME_SERIES_MONTHLY", "2026-05-29", "2026-05-29", true),
    ] {
        let bars = series(function, &bars_body(name, [newest, "2025-12-31"], refreshed)).expect("bars").bars;
        assert_eq!(bars[1].is_final, is_final, "{name} {newest} {refreshed}");
        assert!(bars[0].is_final);
    }
}

#[test]
fn one_interval_never_passes_for_another() {
    let refused = Err(Rejection::unreadable("bars of the interval asked for"));
    let weekly = bars_body("Weekly Time Series", ["2026-03-13", "2026-03-06"], "2026-03-13");
    assert_eq!(series("TIME_SERIES_DAILY", &weekly), refused);
    let quarter =
        bars_body("Time Series (15min)", ["2026-03-09 15:45:00", "2026-03-09 15:30:00"], "2026-03-09");
    assert_eq!(series("/query?function=TIME_SERIES_INTRADAY&symbol=ACME&interval=5min", &quarter), refused);
    let named = series("/query?function=TIME_SERIES_DAILY&symbol=OTHER", &daily());
    assert_eq!(named, Err(Rejection::unreadable("the symbol asked for")));
}

#[test]
fn a_vanished_field_is_unreadable_and_an_absent_value_is_absent() {
    for gone in [
        "1. open",
        "2. high",
        "3. low",
        "4. close",
        "5. volume",
        "2. Symbol",
        "4. Time Zone",
        "Meta Data",
        "Time Series (Daily)",
    ] {
        let body = daily().replace(gone, "9. other");
        assert!(matches!(series("TIME_SERIES_DAILY", &body), Err(Rejection::Unreadable { .. })), "{gone}");
    }
    for (cell, is_read) in [("None", true), ("null", true), ("", true), ("1,250", false), ("NaN", false)] {
        let outcome = series("TIME_SERIES_DAILY", &daily().replacen("12.5000", cell, 1));
        assert_eq!(outcome.is_ok(), is_read, "{cell}");
        if let Ok(series) = outcome {
            assert_eq!((series.bars[1].open, series.bars[1].close), (None, Price::parse("12.5")));
        }
    }
    for label in ["2026-03-32", "10/03/2026", "2026-03-10T12:00", ""] {
        let body = daily().replacen("\"2026-03-10\":{", &format!("\"{label}\":{{"), 1);
        assert!(matches!(series("TIME_SERIES_DAILY", &body), Err(Rejection::Unreadable { .. })), "{label}");
    }
}

#[test]
fn a_table_of_daily_rows_carries_splits_dividends_and_the_vendors_adjusted_close() {
    let body = "timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient\r\n\
                2026-03-10,10,11,9,10.5,10.5,400,0.0000,4.0\r\n\
                2026-03-09,40,44,36,42,10.4123456789012,100,0.2500,1.0\r\n";
    let series = series("TIME_SERIES_DAILY_ADJUSTED datatype=csv", body).expect("bars");
    assert_eq!(series.adjustment, Adjustment::Raw);
    assert_eq!(series.bars[0].vendor_adjusted_close, Price::parse("10.4123456789012"));
    let kinds: Vec<(String, ActionKind)> =
        series.actions.iter().map(|action| (action.ex_date.to_string(), action.kind.clone())).collect();
    assert_eq!(
        kinds,
        [
            (
                "2026-03-09".to_owned(),
                ActionKind::Dividend { amount: Price::parse("0.25").expect("a price"), denomination: None }
            ),
            ("2026-03-10".to_owned(), ActionKind::Split { new_per_old: Ratio::new(4.into()) }),
        ]
    );
    for torn in [
        "timestamp,open,high,low,close,volume\n2026-03-10,10,11,9,10.5\n",
        "timestamp,open,high,low,close,volume\n2026-03-10,10,11,9,10.5,1,1\n",
        "timestamp,open,high,low,close\n2026-03-10,10,11,9,10.5\n",
        "open,high,low,close,volume\n",
        "We are upgrading. Please come back\n",
        "",
    ] {
        let outcome = self::series("TIME_SERIES_DAILY datatype=csv", torn);
        assert!(matches!(outcome, Err(Rejection::Unreadable { .. })), "{torn}");
    }
    let empty = self::series("TIME_SERIES_DAILY datatype=csv", "timestamp,open,high,low,close,volume\r\n");
    assert_eq!(empty, Err(Rejection::NoData));
}

#[test]
fn the_interval_of_a_bare_table_is_its_smallest_step() {
    let table = |minutes: &[u8]| {
        let rows: String = minutes.iter().map(|m| format!("2026-03-10 10:{m:02}:00,1,1,1,1,1\n")).collect();
        format!("timestamp,open,high,low,close,volume\n{rows}")
    };
    let read = |minutes: &[u8]| {
        series("TIME_SERIES_INTRADAY datatype=csv", &table(minutes)).map(|series| series.interval)
    };
    assert_eq!(read(&[45, 15, 0]), Ok(Interval::M15));
    assert_eq!(read(&[2, 1]), Ok(Interval::M1));
    let named = "/query?function=TIME_SERIES_INTRADAY&symbol=A&interval=5min&datatype=csv";
    assert_eq!(series(named, &table(&[45, 15, 0])).map(|series| series.interval), Ok(Interval::M5));
}

#[test]
fn a_hundred_compact_rows_say_nothing_about_earlier_days() {
    let mut rows = String::from("timestamp,open,high,low,close,volume\n");
    let mut date = domain::Date::constant(2026, 3, 10);
    for _ in 0..100 {
        rows += &format!("{date},1,1,1,1,1\n");
        date = date.yesterday().expect("a day before");
    }
    let range = Range::new(at("2020-01-01"), at("2026-03-11"));
    let question = Question::Bars {
        instrument: id("ACME.US"),
        interval: Interval::D1,
        range,
        adjustment: Adjustment::Raw,
        session: domain::Session::Regular,
    };
    let covers =
        |target: &str| match decode_at(&question, at("2026-03-11"), &HttpRequest::from_target(target), &rows)
        {
            Ok(Decoded::Whole(Data::Bars(series))) => series.covers.map(|covers| (covers.start, covers.end)),
            other => panic!("{other:?}"),
        };
    let compact = "/query?function=TIME_SERIES_DAILY&symbol=ACME&outputsize=compact&datatype=csv";
    assert_eq!(covers(compact), Some((at("2025-12-01T05:00:00Z"), range.end)));
    assert_eq!(covers(&compact.replace("compact", "full")), None);
}

#[test]
fn the_whole_history_refused_is_asked_again_as_its_newest_rows() {
    let question = Question::Bars {
        instrument: id("ACME.US"),
        interval: Interval::D1,
        range: Range::new(at("2020-01-01"), at("2026-03-11")),
        adjustment: Adjustment::Raw,
        session: domain::Session::Regular,
    };
    let session = Session::default();
    let ask = Ask { question: &question, now: at("2026-03-11"), session: &session, plan: None };
    let mut sent = AlphaVantage.encode_request(&ask).expect("words");
    assert_eq!(sent.param("outputsize"), Some("full"));
    KeySlot::Query("apikey").fill(&mut sent, "K");
    let refusal = r#"{"Information":"Thank you! The outputsize=full parameter value is a premium feature for the TIME_SERIES_DAILY endpoint."}"#;
    let Ok(Decoded::AskNext { request, .. }) = decode_at(&question, ask.now, &sent, refusal) else {
        panic!("asked again")
    };
    assert_eq!(request.target(), "/query?function=TIME_SERIES_DAILY&symbol=ACME&outputsize=compact");
    assert_eq!(decode_at(&question, ask.now, &request, refusal), Err(Rejection::NotEntitled));
}

#[test]
fn intraday_history_is_a_page_per_month() {
    let question = Question::Bars {
        instrument: id("ACME.US"),
        interval: Interval::M5,
        range: Range::new(at("2025-11-20"), at("2026-01-10")),
        adjustment: Adjustment::All,
        session: domain::Session::Regular,
    };
    let session = Session::default();
    let ask = Ask { question: &question, now: at("2026-03-11"), session: &session, plan: None };
    let mut sent = AlphaVantage.encode_request(&ask).expect("words");
    let mut months = Vec::new();
    let empty = r#"{"Meta Data":{"2. Symbol":"ACME","6. Time Zone":"US/Eastern"},"Time Series (5min)":{}}"#;
    let last = loop {
        months.push(sent.param("month").expect("a month").to_owned());
        match decode_at(&question, ask.now, &sent, empty) {
            Ok(Decoded::Page { next, data }) => {
                assert_eq!(data.rows(), 0);
                sent = next;
            }
            other => break other,
        }
    };
    assert_eq!((months.join(" ").as_str(), last), ("2025-11 2025-12 2026-01", Err(Rejection::NoData)));
}

#[test]
fn a_recent_question_is_asked_compact_and_a_free_plan_never_asks_for_more() {
    let ask = |interval, from: &str, plan: Option<&crate::Plan>| {
        let question = Question::Bars {
            instrument: id("ACME.US"),
            interval,
            range: Range::new(at(from), at("2026-03-11")),
            adjustment: Adjustment::Raw,
            session: domain::Session::Regular,
        };
        let session = Session::default();
        let ask = Ask { question: &question, now: at("2026-03-11"), session: &session, plan };
        AlphaVantage.encode_request(&ask).map(|request| request.param("outputsize").map(str::to_owned))
    };
    let plan = |monthly_usd| crate::Plan {
        name: "any".to_owned(),
        verified_on: domain::Date::constant(2026, 1, 1),
        limits: vec![],
        entitlements: vec![],
        delivery: domain::Delivery::EndOfDay,
        history: None,
        request_micros: 0,
        spend: Vec::new(),
        monthly_usd,
        tariff: Default::default(),
    };
    let size = |text: &str| Ok(Some(text.to_owned()));
    assert_eq!(ask(Interval::D1, "2026-02-01", None), size("compact"));
    assert_eq!(ask(Interval::D1, "2024-02-01", None), size("full"));
    assert_eq!(ask(Interval::D1, "2024-02-01", Some(&plan(0))), size("compact"));
    assert_eq!(ask(Interval::D1, "2024-02-01", Some(&plan(50))), size("full"));
    assert_eq!(ask(Interval::W1, "1999-02-01", None), Ok(None));
    assert_eq!(ask(Interval::H4, "2026-02-01", None), Err(Rejection::Unsupported));
}

/// A quote written by hand.
fn quote_body(change: impl FnOnce(&mut Value)) -> String {
    let mut quote = json!({
        "01. symbol": "ACME", "02. open": "122.6700", "03. high": "122.8000", "04. low": "121.0600",
        "05. price": "121.7400", "06. volume": "2528814", "07. latest trading day": "2026-03-10",
        "08. previous close": "121.2300", "09. change": "0.5100", "10. change percent": "0.4207%",
    });
    change(&mut quote);
    json!({ "Global Quote": quote }).to_string()
}

fn quote(body: &str) -> Result<domain::Quote, Rejection> {
    match decode("GLOBAL_QUOTE", body)? {
        Data::Quotes(mut quotes) => quotes.remove(0).quote,
        other => panic!("a quote, not {}", other.kind()),
    }
}

#[test]
fn a_quote_has_a_trading_date_and_no_time_of_day() {
    let read = quote(&quote_body(|_| {})).expect("a quote");
    assert_eq!((read.last, read.previous_close), (Price::parse("121.74"), Price::parse("121.23")));
    assert_eq!((read.event_time, read.trading_date), (None, "2026-03-10".parse().ok()));
    assert_eq!((read.bid, read.ask, read.volume), (None, None, Size::parse("2528814")));
    let table = "symbol,open,high,low,price,volume,latestDay,previousClose,change,changePercent\r\n\
                 ACME,122.6700,122.8000,121.0600,121.7400,2528814,2026-03-10,121.2300,0.5100,0.4207%\r\n";
    assert_eq!(quote(table), Ok(read));
    let delayed = quote_body(|_| {}).replace("Global Quote", "Global Quote - DATA DELAYED BY 15 MINUTES");
    assert_eq!(quote(&delayed).expect("a quote").stated_delay, Some(Duration::from_secs(900)));
}

#[test]
fn an_empty_or_worthless_quote_is_an_unknown_symbol_and_a_torn_one_unreadable() {
    assert_eq!(quote(r#"{"Global Quote": {}}"#), Err(Rejection::UnknownSymbol));
    assert_eq!(
        quote(&quote_body(|quote| quote["05. price"] = "0.0000".into())),
        Err(Rejection::UnknownSymbol)
    );
    assert_eq!(quote("symbol,open,high,low,price,volume,latestDay\n"), Err(Rejection::UnknownSymbol));
    assert_eq!(quote("{}"), Err(Rejection::NoData));
    for gone in ["01. symbol", "05. price", "07. latest trading day"] {
        let body = quote_body(|quote| {
            quote.as_object_mut().expect("a quote").remove(gone);
        });
        assert!(matches!(quote(&body), Err(Rejection::Unreadable { .. })), "{gone}");
    }
}

#[test]
fn an_invented_quote_is_never_data() {
    let body = r#"{"endpoint":"Realtime Bulk Quotes","message":"This is a premium endpoint. THE SAMPLE DATA IS ARTIFICIAL","data":[{"symbol":"A","close":"1"}]}"#;
    let sent = HttpRequest::from_target("/query?function=REALTIME_BULK_QUOTES&symbol=A");
    assert_eq!(decode_at(&Question::Symbols, Instant::EPOCH, &sent, body), Err(Rejection::NotEntitled));
    assert_eq!(AlphaVantage.decode_request(&sent), Err(Rejection::Unsupported));
}

#[test]
fn a_refusal_in_place_of_a_table_keeps_its_class() {
    let note = r#"{"Note":"Our standard API call frequency is 5 calls per minute and 500 calls per day."}"#;
    let limited = Err(Rejection::RateLimited { retry_after: None, window: Some(Window::Minute) });
    assert_eq!(decode("TIME_SERIES_DAILY datatype=csv", note), limited);
    assert_eq!(decode("LISTING_STATUS", note), limited);
    let bare = "Thank you for using Alpha Vantage! Our rate is 5 calls per minute";
    assert_eq!(decode("LISTING_STATUS", bare), limited);
}

#[test]
fn splits_and_dividends_are_read_alike_from_both_formats() {
    let table = "effective_date,split_factor\n2021-11-04,1.0460\n1999-05-27,2.0000\n";
    let json = r#"{"symbol":"?","data":[{"effective_date":"2021-11-04","split_factor":"1.0460"},{"effective_date":"1999-05-27","split_factor":"2.0000"}]}"#;
    let splits = decode("SPLITS datatype=csv", table).expect("splits");
    assert_eq!(decode("SPLITS", json), Ok(splits.clone()));
    let Data::Actions(actions) = splits else { panic!("actions") };
    assert_eq!(
        actions.iter().map(|action| action.ex_date.to_string()).collect::<Vec<_>>(),
        ["1999-05-27", "2021-11-04"]
    );
    let worthless = table.replace("2.0000", "0.0000");
    assert!(matches!(decode("SPLITS datatype=csv", &worthless), Err(Rejection::Unreadable { .. })));
    let dividends = r#"{"symbol":"ACME","data":[{"ex_dividend_date":"2026-02-10","declaration_date":"None","record_date":"2026-02-11","payment_date":"None","amount":"1.68"}]}"#;
    let Ok(Data::Actions(actions)) = decode("DIVIDENDS", dividends) else { panic!("actions") };
    assert_eq!(
        (actions[0].declared, actions[0].record, actions[0].payable),
        (None, "2026-02-11".parse().ok(), None)
    );
    assert_eq!(decode("DIVIDENDS", r#"{"symbol":"ACME","data":[]}"#), Ok(Data::Actions(vec![])));
}

#[test]
fn a_list_keeps_names_with_commas_and_the_pence_of_london() {
    let found = "symbol,name,type,region,marketOpen,marketClose,timezone,currency,matchScore\n\
                 ACME.LON,\"Acme, plc\",Equity,United Kingdom,08:00,16:30,UTC+01,GBX,0.7273\n";
    let Ok(Data::Instruments(found)) = decode("SYMBOL_SEARCH datatype=csv", found) else { panic!("found") };
    assert_eq!((&found[0].id, found[0].denomination), (&id("ACME.XLON"), Denomination::parse("GBX")));
    assert_eq!((found[0].description.as_deref(), found[0].kind), (Some("Acme, plc"), InstrumentKind::Equity));
    assert_eq!(decode("SYMBOL_SEARCH", r#"{"bestMatches": []}"#), Ok(Data::Instruments(vec![])));
    let listed = "symbol,name,exchange,assetType,ipoDate,delistingDate,status\n\
                  ACM-WS,Acme Warrants,NYSE ARCA,ETF,2021-02-02,null,Active\nGONE,Gone,NYSE,Stock,null,2024-01-05,Delisted\n";
    let Ok(Data::Instruments(listed)) = decode("LISTING_STATUS", listed) else { panic!("listed") };
    assert_eq!(
        (&listed[0].id, listed[0].listed, listed[0].delisted),
        (&id("ACM.WS.ARCX"), "2021-02-02".parse().ok(), None)
    );
    assert_eq!((listed[1].listed, listed[1].delisted), (None, "2024-01-05".parse().ok()));
    assert!(matches!(decode("LISTING_STATUS", "symbol,name\nA,B\n"), Err(Rejection::Unreadable { .. })));
}

#[test]
fn markets_are_open_or_closed_and_nothing_between() {
    let body = |status: &str| {
        format!(
            r#"{{"endpoint":"x","markets":[{{"market_type":"Equity","region":"United States","current_status":"{status}","notes":""}},{{"market_type":"Forex","region":"Global","current_status":"open"}}]}}"#
        )
    };
    let Ok(Data::MarketStatus(markets)) = decode("MARKET_STATUS", &body("closed")) else { panic!("markets") };
    let told: Vec<_> = markets.iter().map(|market| (&*market.market, market.phase)).collect();
    assert_eq!(told, [("United States", MarketPhase::Closed), ("Forex", MarketPhase::Open)]);
    assert!(matches!(decode("MARKET_STATUS", &body("perhaps")), Err(Rejection::Unreadable { .. })));
}

#[test]
fn news_are_stamped_in_utc_and_come_newest_first() {
    let body = r#"{"items":"2","feed":[
        {"title":"Older","url":"https://example.com/1","time_published":"20260310T080000","source":"A","ticker_sentiment":[]},
        {"title":"Newer","url":"https://example.com/2","time_published":"20260310T110100","summary":"s","overall_sentiment_score":0.2,
         "ticker_sentiment":[{"ticker":"ACME","relevance_score":"0.6"},{"ticker":"CRYPTO:BTC","relevance_score":"0.1"}]}]}"#;
    let Ok(Data::News(news)) = decode("NEWS_SENTIMENT", body) else { panic!("news") };
    assert_eq!((&*news[0].headline, news[0].published), ("Newer", at("2026-03-10T11:01:00Z")));
    assert_eq!(news[0].instruments, [id("ACME.US"), id("BTC/USD.CRYPTO")]);
    assert!(matches!(decode("NEWS_SENTIMENT", r#"{"items":"0"}"#), Err(Rejection::Unreadable { .. })));
}

#[test]
fn a_request_the_vendor_would_refuse_and_one_it_has_no_function_for_are_told_apart() {
    for (target, expected) in [
        ("/query?function=TIME_SERIES_INTRADAY&symbol=A&interval=2min", Rejection::CallersMistake),
        ("/query?function=TIME_SERIES_DAILY&symbol=A&outputsize=huge", Rejection::CallersMistake),
        ("/query?function=TIME_SERIES_INTRADAY&symbol=A&interval=5min&month=soon", Rejection::CallersMistake),
        ("/query?function=NEWS_SENTIMENT&time_from=yesterday", Rejection::CallersMistake),
        ("BALANCE_SHEET", Rejection::Unsupported),
        ("any function", Rejection::Unsupported),
        ("/query", Rejection::Unsupported),
    ] {
        assert_eq!(AlphaVantage.decode_request(&HttpRequest::from_target(target)), Err(expected), "{target}");
    }
    let templated = AlphaVantage
        .decode_request(&HttpRequest::from_target("/query?function=GLOBAL_QUOTE&symbol={symbol}"));
    assert_eq!(
        templated,
        AlphaVantage.decode_request(&HttpRequest::from_target("GLOBAL_QUOTE datatype=csv"))
    );
}

#[test]
fn a_payload_cut_anywhere_is_rejected() {
    for (target, whole) in [("TIME_SERIES_DAILY", daily()), ("GLOBAL_QUOTE", quote_body(|_| {}))] {
        assert!(decode(target, &whole).is_ok());
        for end in 0..whole.len() {
            assert!(
                matches!(decode(target, &whole[..end]), Err(Rejection::Unreadable { .. })),
                "{target} {end}"
            );
        }
    }
}
