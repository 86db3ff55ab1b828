//! SRC-7, SRC-8, SRC-9: the recorded payloads, read in place.

use super::*;

/// Recorded payloads against the values their manifest states.
#[test]
fn recorded_payloads_decode_to_what_their_manifest_states() {
    let Some(path) = test_data::find("yahoo recordings", "fixtures/yahoo/manifest.json") else { return };
    let manifest: Value = serde_json::from_slice(&std::fs::read(&path).expect("a manifest")).expect("JSON");
    let mut checked = 0;
    for entry in manifest.as_array().expect("entries") {
        let text = |name: &str| entry[name].as_str().unwrap_or_default();
        let (file, expected) = (text("file"), &entry["expected"]);
        if text("format") == "csv" || text("endpoint").starts_with("wss") {
            continue;
        }
        let body = std::fs::read(path.with_file_name(file)).expect("a payload");
        let reply = match serde_json::from_slice::<Value>(&body) {
            Ok(wrapped) if text("format") == "wrapped_text" => HttpResponse::text(
                wrapped["http_status"].as_u64().expect("a status") as u16,
                wrapped["body_text"].as_str().expect("a body"),
            ),
            _ => HttpResponse::json(entry["http"]["status"].as_u64().unwrap_or(200) as u16, body),
        };
        let sent = HttpRequest::from_target(text("endpoint"));
        let question = Yahoo.decode_request(&sent).unwrap_or(Question::Symbols);
        let outcome = decode_at(&question, &Session::default(), Instant::EPOCH, &sent, &reply);
        checked += 1;
        if let Some(class) = expected["error_class"].as_str().or(expected["result_class"].as_str()) {
            let class = match class {
                "bad_key" => "unauthorized",
                "forbidden" => "vendor_fault",
                other => other,
            };
            assert_eq!(outcome.map_err(|rejection| rejection.class()).err(), Some(class), "{file}");
            continue;
        }
        match outcome.map(Decoded::into_data) {
            Ok(Some(Data::Bars(series))) => check_bars(file, &series, expected),
            Ok(Some(Data::Quotes(quotes))) => {
                for (quoted, row) in quotes.iter().zip(expected["quotes"].as_array().expect("quotes")) {
                    let quote = quoted.quote.as_ref().expect("a quote");
                    for (price, name) in
                        [(quote.last, "regularMarketPrice"), (quote.bid, "bid"), (quote.ask, "ask")]
                    {
                        assert_eq!(price.map(Price::to_f64), row[name].as_f64(), "{file} {name}");
                    }
                    assert_eq!(
                        quote.event_time.map(|at| at.to_string()).as_deref(),
                        row["price_ts_utc"].as_str(),
                        "{file}"
                    );
                }
                assert_eq!(Some(quotes.len() as u64), expected["n_quotes"].as_u64(), "{file}");
            }
            Ok(Some(Data::Instruments(found))) => {
                assert_eq!(found[0].vendor_symbol.as_deref(), expected["first_symbol"].as_str(), "{file}");
            }
            other => assert!(file.starts_with("getcrumb"), "{file}: {other:?}"),
        }
    }
    assert!(checked > 25, "{checked}");
}

fn check_bars(file: &str, series: &BarSeries, expected: &Value) {
    let (bars, last) = (&series.bars, series.bars.last().expect("bars"));
    assert_eq!(Some(bars.len() as u64), expected["n_bars"].as_u64(), "{file}");
    for (told, name) in [
        (Some(bars[0].start.to_string()), "first_ts_utc"),
        (Some(last.start.to_string()), "last_ts_utc"),
        (series.zone.as_deref().map(str::to_owned), "exchange_tz"),
    ] {
        if let Some(stated) = expected[name].as_str() {
            assert_eq!(told.as_deref(), Some(stated), "{file} {name}");
        }
    }
    for (told, name) in [
        (last.close, "last_close"),
        (bars[0].open, "first_open"),
        (last.vendor_adjusted_close, "last_adjclose"),
        (bars[0].vendor_adjusted_close, "first_adjclose"),
    ] {
        if let Some(stated) = expected[name].as_f64() {
            let told = told.map(Price::to_f64).expect("a price");
            assert!((told / stated - 1.0).abs() < 1e-13, "{file} {name}: {told} is not {stated}");
        }
    }
    if let Some(stated) = expected["sum_volume"].as_u64() {
        let sum: f64 = bars.iter().filter_map(|bar| bar.volume).map(Size::to_f64).sum();
        assert_eq!(sum as u64, stated, "{file}");
    }
    if let Some(tick) = expected["last_row_is_live_tick"].as_bool() {
        assert_eq!(!last.is_final, tick, "{file}");
    }
    if let Some(nulls) = expected["rows_with_null_price"].as_u64() {
        assert_eq!(bars.iter().filter(|bar| bar.close.is_none()).count() as u64, nulls, "{file}");
    }
    let listed = |name: &str| expected[name].as_array().map_or(0, Vec::len);
    if expected["currency"].is_string() {
        assert_eq!(series.actions.len(), listed("dividends") + listed("splits"), "{file}");
    }
}
