//! SRC-2, SRC-7, SRC-8, SRC-9, SRC-13, SRC-15, on payloads written here from the documented shapes, and on
//! the recorded ones in place.

use domain::{
    ActionKind, Bar, BarSeries, CorporateAction, Denomination, InstrumentId, Price, Quote, Range, Ratio, Size,
};
use proptest::prelude::*;
use serde_json::Value;

mod asking;
mod both_ends;
mod examples;
mod recordings;

use super::*;
use crate::{Quoted, Session};

const CHART: &str = "/v8/finance/chart/{symbol}";

fn id(text: &str) -> InstrumentId {
    InstrumentId::parse(text).expect("the test writes ids")
}

fn at(text: &str) -> Instant {
    Instant::parse(text).expect("the test writes times")
}

fn decode_at(
    question: &Question,
    session: &Session,
    now: Instant,
    sent: &HttpRequest,
    response: &HttpResponse,
) -> Result<Decoded, Rejection> {
    Yahoo.decode_response(&Ask { question, now, session, plan: None }, sent, response)
}

/// What a body means, knowing only the endpoint.
fn decode(target: &str, status: u16, body: &str) -> Result<Data, Rejection> {
    let sent = HttpRequest::from_target(target);
    let question = Yahoo.decode_request(&sent)?;
    let reply = HttpResponse::json(status, body);
    decode_at(&question, &Session::default(), Instant::EPOCH, &sent, &reply)
        .map(|decoded| decoded.into_data().expect("no step is missing"))
}

fn series(target: &str, body: &str) -> Result<BarSeries, Rejection> {
    match decode(target, 200, body)? {
        Data::Bars(series) => Ok(series),
        other => panic!("bars, not {}", other.kind()),
    }
}

/// A chart of three rows written by hand; each test changes what it is about.
fn chart_body(change: impl FnOnce(&mut Value)) -> String {
    let mut chart = serde_json::json!({
        "meta": {
            "currency": "USD", "symbol": "ACME", "exchangeName": "NYQ", "instrumentType": "EQUITY",
            "regularMarketTime": 1_767_992_400, "gmtoffset": -18000,
            "exchangeTimezoneName": "America/New_York", "regularMarketPrice": 12.5, "priceHint": 2,
            "currentTradingPeriod": {"regular": {"start": 1_767_969_000, "end": 1_767_992_400}},
            "dataGranularity": "1d",
        },
        // 2026-01-07, -08 and -09, 09:30 New York.
        "timestamp": [1_767_796_200, 1_767_882_600, 1_767_969_000],
        "indicators": {
            "quote": [{
                "open": [10, 11, 12.1], "high": [11, 12, 13], "low": [9, 10, 11],
                "close": [10.5, 11.5, 12.5], "volume": [100, 200, 300],
            }],
            "adjclose": [{"adjclose": [10.4, 11.4, 12.5]}],
        },
    });
    change(&mut chart);
    serde_json::json!({"chart": {"result": [chart], "error": null}}).to_string()
}

#[test]
fn every_digit_of_a_widened_price_is_kept() {
    let body = chart_body(|_| {}).replace("10.5,", "127.58000183105469,");
    let bars = series(CHART, &body).expect("bars").bars;
    assert_eq!(bars[0].close.map(|price| price.to_string()).as_deref(), Some("127.58000183105469"));
}

#[test]
fn daily_bars_are_dated_at_the_exchange_and_split_adjusted() {
    let series = series(CHART, &chart_body(|_| {})).expect("bars");
    assert_eq!((series.interval, series.adjustment), (Interval::D1, Adjustment::Split));
    assert_eq!(series.instrument, id("ACME.XNYS"));
    assert_eq!(series.denomination, Some(Denomination::USD));
    assert_eq!(series.bars[0].start, at("2026-01-07T14:30:00Z"));
    let dates: Vec<String> =
        series.bars.iter().map(|bar| bar.trading_date.expect("a date").to_string()).collect();
    assert_eq!(dates, ["2026-01-07", "2026-01-08", "2026-01-09"]);
    assert!(series.bars.iter().all(|bar| bar.is_final));
    assert_eq!(series.bars[0].vendor_adjusted_close, Price::parse("10.4"));
    assert_eq!(series.quote.expect("a quote").last, Price::parse("12.5"));
}

#[test]
fn a_session_that_opens_on_the_utc_day_before_keeps_its_own_date() {
    let body = chart_body(|chart| {
        chart["meta"]["exchangeTimezoneName"] = "Australia/Sydney".into();
        // 10:00 in Sydney on 2026-01-07.
        chart["timestamp"][0] = 1_767_740_400.into();
    });
    let bar = &series(CHART, &body).expect("bars").bars[0];
    assert_eq!((bar.start, bar.trading_date), (at("2026-01-06T23:00:00Z"), "2026-01-07".parse().ok()));
}

#[test]
fn a_row_of_nulls_is_a_bar_without_prices_and_a_zero_is_a_zero() {
    let body = chart_body(|chart| {
        for name in ["open", "high", "low", "close"] {
            chart["indicators"]["quote"][0][name][1] = Value::Null;
        }
        chart["indicators"]["quote"][0]["volume"][1] = 0.into();
    });
    let bars = series(CHART, &body).expect("bars").bars;
    assert_eq!(bars.len(), 3);
    assert_eq!((bars[1].prices(), bars[1].close, bars[1].volume), (None, None, Some(Size::ZERO)));
    assert!(bars[2].prices().is_some());
}

#[test]
fn closes_alone_are_bars_but_a_vanished_column_is_unreadable() {
    let closes =
        chart_body(|chart| chart["indicators"]["quote"][0] = serde_json::json!({"close": [1, 2, 3]}));
    assert_eq!(series(CHART, &closes).expect("bars").bars[2].close, Price::parse("3"));
    for name in ["open", "high", "low", "close", "volume"] {
        let body = chart_body(|chart| {
            chart["indicators"]["quote"][0].as_object_mut().expect("columns").remove(name);
        });
        assert!(matches!(series(CHART, &body), Err(Rejection::Unreadable { .. })), "{name}");
    }
    for (part, name) in [
        ("timestamp", None),
        ("indicators", None),
        ("meta", None),
        ("meta", Some("symbol")),
        ("meta", Some("dataGranularity")),
    ] {
        let body = chart_body(|chart| {
            let (holder, key) = match name {
                Some(name) => (&mut chart[part], name),
                None => (chart, part),
            };
            holder.as_object_mut().expect("an object").remove(key);
        });
        assert!(matches!(series(CHART, &body), Err(Rejection::Unreadable { .. })), "{part} {name:?}");
    }
}

#[test]
fn columns_of_different_lengths_and_cells_of_text_are_unreadable() {
    for change in [
        (|chart: &mut Value| {
            chart["indicators"]["quote"][0]["close"].as_array_mut().expect("cells").pop();
        }) as fn(&mut Value),
        |chart| chart["indicators"]["quote"][0]["low"].as_array_mut().expect("cells").push(1.into()),
        |chart| chart["indicators"]["quote"][0]["high"][1] = "12".into(),
        |chart| chart["timestamp"][1] = "2026-01-08".into(),
    ] {
        assert!(matches!(series(CHART, &chart_body(change)), Err(Rejection::Unreadable { .. })));
    }
}

#[test]
fn a_live_tick_as_the_last_row_is_not_final() {
    let body = chart_body(|chart| {
        chart["meta"]["regularMarketTime"] = 1_767_992_402.into();
        chart["timestamp"][2] = 1_767_992_402.into();
    });
    let bars = series(CHART, &body).expect("bars").bars;
    assert_eq!(bars.iter().map(|bar| bar.is_final).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(bars[2].trading_date, "2026-01-09".parse().ok());
}

#[test]
fn a_row_that_still_runs_is_not_final() {
    let running = chart_body(|chart| chart["meta"]["regularMarketTime"] = 1_767_980_000.into());
    assert!(!series(CHART, &running).expect("bars").bars[2].is_final);
    let next_day = chart_body(|chart| {
        chart["meta"]["regularMarketTime"] = 1_768_240_000.into();
        chart["meta"]["currentTradingPeriod"]["regular"]["end"] = 1_768_251_600.into();
    });
    assert!(series(CHART, &next_day).expect("bars").bars[2].is_final);
}

#[test]
fn bars_of_an_hour_never_pass_for_bars_of_half_an_hour() {
    let hourly = |word: &str| {
        chart_body(|chart| {
            chart["meta"]["dataGranularity"] = word.into();
            chart["timestamp"] =
                serde_json::json!([1_767_796_200, 1_767_799_800, 1_767_803_400, 1_767_807_000]);
            chart["indicators"] = serde_json::json!({"quote": [{"close": [1, 2, 3, 4]}]});
        })
    };
    let asked = "/v8/finance/chart/ACME?interval=30m";
    let refused = Err(Rejection::unreadable("bars of the interval asked for"));
    assert_eq!(series(asked, &hourly("1h")), refused);
    assert_eq!(series(asked, &hourly("30m")), refused);
    // A template names no interval: the reply's own holds.
    assert_eq!(series(CHART, &hourly("1h")).expect("bars").interval, Interval::H1);
    assert_eq!(
        series("/v8/finance/chart/ACME?interval=60m", &hourly("1h")).expect("bars").interval,
        Interval::H1
    );
    assert_eq!(series(CHART, &hourly("90m")), Err(Rejection::Unsupported));
}

#[test]
fn no_rows_are_no_data() {
    let empty = |quote: Value| {
        chart_body(|chart| {
            chart.as_object_mut().expect("a chart").remove("timestamp");
            chart["indicators"] = serde_json::json!({"quote": [quote]});
        })
    };
    assert_eq!(series(CHART, &empty(serde_json::json!({}))), Err(Rejection::NoData));
    assert_eq!(series(CHART, r#"{"chart":{"result":[],"error":null}}"#), Err(Rejection::NoData));
    let untimed = empty(serde_json::json!({"close": [1]}));
    assert_eq!(series(CHART, &untimed), Err(Rejection::unreadable("timestamp")));
}

#[test]
fn pence_are_pence() {
    let body = chart_body(|chart| {
        chart["meta"]["currency"] = "GBp".into();
        chart["meta"]["symbol"] = "ACME.L".into();
    });
    let series = series(CHART, &body).expect("bars");
    assert_eq!(series.denomination, Denomination::parse("GBp"));
    assert_eq!(series.instrument, id("ACME.XLON"));
}

#[test]
fn a_chart_of_another_symbol_is_unreadable() {
    let refused = series("/v8/finance/chart/OTHER?interval=1d", &chart_body(|_| {}));
    assert_eq!(refused, Err(Rejection::unreadable("the symbol asked for")));
}

#[test]
fn events_are_dated_at_the_exchange() {
    let body = chart_body(|chart| {
        chart["events"] = serde_json::json!({
            "dividends": {"1767882600": {"amount": 0.205, "date": 1_767_882_600}},
            "splits": {"1767796200": {"date": 1_767_796_200, "numerator": 3, "denominator": 2, "splitRatio": "3:2"}},
        });
    });
    let split = CorporateAction::new(
        id("ACME.XNYS"),
        "2026-01-07".parse().expect("a date"),
        ActionKind::Split { new_per_old: Ratio::new("1.5".parse().expect("a ratio")) },
    );
    let dividend = CorporateAction::new(
        id("ACME.XNYS"),
        "2026-01-08".parse().expect("a date"),
        ActionKind::Dividend {
            amount: Price::parse("0.205").expect("a price"),
            denomination: Some(Denomination::USD),
        },
    );
    assert_eq!(series(CHART, &body).expect("bars").actions, [split.clone(), dividend.clone()]);
    let of = |events: &str| {
        decode(&format!("/v8/finance/chart/{{symbol}}?interval=3mo&events={events}"), 200, &body)
    };
    assert_eq!(of("splits"), Ok(Data::Actions(vec![split])));
    assert_eq!(of("div,capitalGains"), Ok(Data::Actions(vec![dividend])));
    let worthless = body.replace("\"denominator\":2", "\"denominator\":0");
    assert!(matches!(series(CHART, &worthless), Err(Rejection::Unreadable { .. })));
}

/// A quote written by hand.
fn quote_body(change: impl FnOnce(&mut Value)) -> String {
    let mut row = serde_json::json!({
        "symbol": "ACME", "quoteType": "EQUITY", "currency": "USD", "exchange": "NMS", "market": "us_market",
        "exchangeTimezoneName": "America/New_York", "marketState": "PRE", "exchangeDataDelayedBy": 15,
        "regularMarketPrice": 244.6, "regularMarketTime": 1_767_992_400, "regularMarketPreviousClose": 241.53,
        "regularMarketVolume": 40_896_227, "bid": 244.44, "ask": 253.37, "bidSize": 2, "askSize": 1,
    });
    change(&mut row);
    serde_json::json!({"quoteResponse": {"result": [row], "error": null}}).to_string()
}

fn quotes(target: &str, body: &str) -> Result<Vec<Quoted>, Rejection> {
    match decode(target, 200, body)? {
        Data::Quotes(quotes) => Ok(quotes),
        other => panic!("quotes, not {}", other.kind()),
    }
}

#[test]
fn a_quote_states_bid_below_ask_sizes_in_shares_delay_and_phase() {
    let quoted = quotes("/v7/finance/quote", &quote_body(|_| {})).expect("quotes").remove(0);
    assert_eq!(quoted.instrument, id("ACME.XNAS"));
    let quote = quoted.quote.expect("a quote");
    assert_eq!((quote.bid, quote.ask), (Price::parse("244.44"), Price::parse("253.37")));
    assert_eq!((quote.bid_size, quote.ask_size), (Size::parse("200"), Size::parse("100")));
    assert_eq!(quote.stated_delay, Some(std::time::Duration::from_secs(900)));
    assert_eq!(quote.phase, Some(domain::MarketPhase::PreMarket));
    assert_eq!(
        (quote.event_time, quote.trading_date),
        (Some(at("2026-01-09T21:00:00Z")), "2026-01-09".parse().ok())
    );
}

#[test]
fn a_symbol_left_out_of_the_list_is_unknown_and_the_others_are_answered() {
    let asked = quotes("/v7/finance/quote?symbols=GONE,ACME", &quote_body(|_| {})).expect("quotes");
    assert_eq!(asked[0], Quoted { instrument: id("GONE.US"), quote: Err(Rejection::UnknownSymbol) });
    assert!(asked[1].instrument == id("ACME.US") && asked[1].quote.is_ok());
    let none = r#"{"quoteResponse":{"result":[],"error":null}}"#;
    assert_eq!(quotes("/v7/finance/quote", none), Err(Rejection::UnknownSymbol));
}

#[test]
fn a_fund_without_bid_and_ask_is_a_quote_and_one_without_any_price_is_none() {
    let body = quote_body(|row| {
        for name in ["bid", "ask", "bidSize", "askSize", "regularMarketVolume"] {
            row.as_object_mut().expect("a row").remove(name);
        }
    });
    let quote = quotes("/v7/finance/quote", &body).expect("quotes").remove(0).quote.expect("a quote");
    assert_eq!((quote.bid, quote.ask, quote.volume, quote.last.is_some()), (None, None, None, true));
    let zero = quote_body(|row| {
        for name in ["regularMarketPrice", "bid", "ask"] {
            row[name] = 0.into();
        }
    });
    assert_eq!(quotes("/v7/finance/quote", &zero).expect("quotes").remove(0).quote, Err(Rejection::NoData));
}

#[test]
fn the_last_price_needs_no_crumb() {
    let question = Question::Quotes { instruments: vec![id("ACME.US")], bid_ask: false };
    let ask = Ask { question: &question, now: Instant::EPOCH, session: &Session::default(), plan: None };
    let sent = Yahoo.encode_request(&ask).expect("words");
    assert_eq!(sent.path, "/v8/finance/chart/ACME");
    let reply = HttpResponse::json(200, chart_body(|_| {}));
    let Ok(Decoded::Whole(Data::Quotes(quotes))) = Yahoo.decode_response(&ask, &sent, &reply) else {
        panic!("quotes");
    };
    assert_eq!(quotes[0].instrument, id("ACME.US"));
    assert_eq!(quotes[0].quote.as_ref().map(|quote| quote.last), Ok(Price::parse("12.5")));
    let worthless = chart_body(|chart| chart["meta"]["regularMarketPrice"] = 0.into());
    assert_eq!(
        Yahoo.decode_response(&ask, &sent, &HttpResponse::json(200, worthless)),
        Err(Rejection::NoData)
    );
}

#[test]
fn a_request_yahoo_would_refuse_and_one_it_has_no_page_for_are_told_apart() {
    for (target, expected) in [
        ("/v8/finance/chart/ACME?interval=7m", Rejection::CallersMistake),
        ("/v8/finance/chart/ACME?period1=soon", Rejection::CallersMistake),
        ("/v8/finance/chart/ACME?period1=9&period2=3", Rejection::CallersMistake),
        ("/v8/finance/chart/ACME?range=7y", Rejection::CallersMistake),
        ("/v1/finance/search?q=a&quotesCount=many", Rejection::CallersMistake),
        ("/v8/finance/chart/ACME?interval=90m", Rejection::Unsupported),
        ("/v10/finance/quoteSummary/ACME", Rejection::Unsupported),
        ("any query1/query2 path", Rejection::Unsupported),
        ("/v1/test/getcrumb", Rejection::Unsupported),
    ] {
        assert_eq!(Yahoo.decode_request(&HttpRequest::from_target(target)), Err(expected), "{target}");
    }
}

#[test]
fn a_payload_of_a_page_we_do_not_ask_is_unsupported_and_its_errors_keep_their_class() {
    let sent = HttpRequest::get("/v10/finance/quoteSummary/ACME");
    let told = |status, body: &str| {
        decode_at(
            &Question::Symbols,
            &Session::default(),
            Instant::EPOCH,
            &sent,
            &HttpResponse::json(status, body),
        )
    };
    assert_eq!(told(200, r#"{"quoteSummary":{"result":[{}],"error":null}}"#), Err(Rejection::Unsupported));
    assert_eq!(told(200, "{"), Err(Rejection::unreadable("JSON")));
    let gone = r#"{"quoteSummary":{"result":null,"error":{"code":"Not Found","description":"No fundamentals data found for any of the summaryTypes=a"}}}"#;
    assert_eq!(told(404, gone), Err(Rejection::NoData));
}

#[test]
fn news_come_newest_first_and_companies_without_a_symbol_are_left_out_of_a_search() {
    let body = r#"{"count":3,"quotes":[
        {"symbol":"ACME","exchange":"NYQ","quoteType":"EQUITY","longname":"Acme Inc."},
        {"name":"Acme Private","permalink":"acme"},
        {"symbol":"ACME.DE","exchange":"GER","quoteType":"EQUITY","shortname":"ACME"}],
      "news":[
        {"uuid":"1","title":"Older","publisher":"P","link":"https://example.com/1","providerPublishTime":1767800000},
        {"uuid":"2","title":"Newer","publisher":"P","link":"https://example.com/2","providerPublishTime":1767900000,"relatedTickers":["ACME","BRK-B"]}]}"#;
    let Ok(Data::Instruments(found)) = decode("/v1/finance/search?q=acme", 200, body) else {
        panic!("found")
    };
    assert_eq!(
        found.iter().map(|one| one.id.clone()).collect::<Vec<_>>(),
        [id("ACME.XNYS"), id("ACME.XETR")]
    );
    assert_eq!(found[1].description.as_deref(), Some("ACME"));
    let Ok(Data::News(news)) = decode("/v1/finance/search?q=ACME&quotesCount=0&newsCount=9", 200, body)
    else {
        panic!("news")
    };
    assert_eq!(news.iter().map(|item| &*item.headline).collect::<Vec<_>>(), ["Newer", "Older"]);
    assert_eq!(news[0].instruments, [id("ACME.US"), id("BRK.B.US")]);
    assert!(matches!(decode("/v1/finance/search", 200, r#"{"news":[]}"#), Err(Rejection::Unreadable { .. })));
}

#[test]
fn closes_of_many_symbols_are_a_series_each() {
    let one = |symbol: &str| {
        format!(
            r#"{{"symbol":"{symbol}","response":[{{"meta":{{"symbol":"{symbol}","dataGranularity":"1d","gmtoffset":-18000}},"timestamp":[1767796200],"indicators":{{"quote":[{{"close":[1.5]}}]}}}}]}}"#
        )
    };
    let body = |rows: &str| format!(r#"{{"spark":{{"result":[{rows}],"error":null}}}}"#);
    let Ok(Data::Bars(alone)) = decode("/v7/finance/spark", 200, &body(&one("A"))) else {
        panic!("a series")
    };
    assert_eq!((alone.instrument, alone.bars[0].close), (id("A.US"), Price::parse("1.5")));
    let Ok(Data::ManyBars(many)) = decode("/v7/finance/spark", 200, &body(&[one("A"), one("B")].join(",")))
    else {
        panic!("series")
    };
    assert_eq!(many.len(), 2);
    assert_eq!(decode("/v7/finance/spark", 200, &body("")), Err(Rejection::UnknownSymbol));
}

#[test]
fn a_payload_cut_anywhere_is_rejected() {
    for (target, whole) in [
        (CHART, chart_body(|_| {})),
        ("/v7/finance/quote", quote_body(|_| {})),
        ("/v1/finance/search", r#"{"quotes":[{"symbol":"A"}],"news":[]}"#.to_owned()),
    ] {
        assert!(decode(target, 200, &whole).is_ok());
        for end in 0..whole.len() {
            assert!(
                matches!(decode(target, 200, &whole[..end]), Err(Rejection::Unreadable { .. })),
                "{target} {end}"
            );
        }
    }
}
