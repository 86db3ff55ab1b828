//! Prices in another currency or unit. SYM-4, API-2.

use serde_json::Value;

use crate::stage::Stage;

/// A number of an answer written as text, as a decimal of so many millionths.
fn micros(value: &Value) -> i64 {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no text"));
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{:0<6}", &rest[..rest.len().min(6)]).parse().unwrap()
}

fn converted(answer: &Value) -> Vec<&str> {
    let warnings = answer["warnings"].as_array().unwrap();
    let told = warnings.iter().filter(|warning| warning["code"] == "CONVERTED");
    told.map(|warning| warning["detail"].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn pence_become_pounds_exactly_and_only_on_request() {
    let stage = Stage::new(&[("yahoo", "default")]).await;
    let target = "/v1/quotes/latest?symbols=OCDO.XLON&num=string";
    let pence = stage.get(target).await.json();
    assert_eq!(
        (&pence["meta"]["basis"]["currency"], &pence["meta"]["basis"]["unit"]),
        (&"GBP".into(), &"minor".into())
    );
    assert!(converted(&pence).is_empty());
    let asked = stage.asked("yahoo");
    let answer = stage.get(&format!("{target}&currency=gbp")).await;
    let pounds = answer.json();
    assert_eq!(pounds["meta"]["basis"]["unit"], "major");
    assert!(answer.header("mda-basis").contains("currency=GBP; unit=major"));
    let (before, after) = (&pence["data"]["OCDO.XLON"], &pounds["data"]["OCDO.XLON"]);
    for field in ["last", "bid", "ask", "open", "high", "low", "previous_close"] {
        if before[field].is_string() {
            assert_eq!(micros(&after[field]) * 100, micros(&before[field]), "{field}");
        }
    }
    assert!(before["last"].is_string());
    assert_eq!(after["volume"], before["volume"]);
    assert_eq!(converted(&pounds), ["prices are in GBP; the vendor tells them in hundredths of it"]);
    // What memory keeps is what the vendor told.
    assert_eq!(stage.get(target).await.json()["data"], pence["data"]);
    assert_eq!(stage.asked("yahoo"), asked);
}

#[tokio::test(start_paused = true)]
async fn a_quote_in_another_currency_names_its_rate_and_is_graded_no_better() {
    let stage = Stage::new(&[("yahoo", "default")]).await;
    let pence = stage.get("/v1/quotes/latest?symbols=OCDO.XLON&num=string").await.json();
    let rate = stage.get("/v1/quotes/latest?symbols=GBP/USD&num=string").await.json();
    let target = "/v1/quotes/latest?symbols=OCDO.XLON&num=string&currency=USD";
    let answer = stage.ask("GET", target, &[("x-request-id", "usd")]).await;
    let dollars = answer.json();
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(dollars["meta"]["basis"]["currency"], "USD");
    assert_eq!(dollars["meta"]["basis"]["unit"], "major");
    let price = |answer: &Value, symbol: &str| micros(&answer["data"][symbol]["last"]) as f64 / 1e6;
    let expected = price(&pence, "OCDO.XLON") / 100.0 * price(&rate, "GBP/USD");
    assert!((price(&dollars, "OCDO.XLON") - expected).abs() < 1e-4, "{expected} {dollars}");
    assert_eq!(dollars["data"]["OCDO.XLON"]["volume"], pence["data"]["OCDO.XLON"]["volume"]);
    let told = converted(&dollars);
    let quoted = rate["data"]["GBP/USD"]["last"].as_str().unwrap();
    assert!(told[0].contains(&format!("GBP/USD {quoted} from yahoo at 2026-11-18T")), "{told:?}");
    let score = |answer: &Value| answer["meta"]["grade"]["score"].as_f64().unwrap();
    assert!(score(&dollars) <= score(&rate).min(score(&pence)) + 1e-3);
    let explained = stage.get("/v1/explain/usd").await.json();
    assert!(explained["data"]["notes"].to_string().contains("converted by GBP/USD"), "{explained}");
}

#[tokio::test(start_paused = true)]
async fn an_inverse_pair_serves_and_its_exchange_is_told() {
    let stage = Stage::new(&[("yahoo", "default")]).await;
    let answer = stage.get("/v1/quotes/latest?symbols=AAPL&currency=EUR&num=string").await;
    let euros = answer.json();
    assert_eq!(answer.status, 200, "{euros}");
    assert_eq!(euros["meta"]["basis"]["currency"], "EUR");
    assert!(converted(&euros)[0].contains("by EUR/USD "), "{euros}");
    assert!(converted(&euros)[0].contains(", inverted 0."), "{euros}");
    let answered = |answer: &Value| {
        let attempts = answer["meta"]["attempts"].as_array().unwrap();
        attempts.iter().filter(|attempt| attempt["outcome"] == "answered").count()
    };
    assert_eq!(euros["meta"]["attempts"].as_array().unwrap().len(), stage.asked("yahoo"));
    assert_eq!(answered(&euros), 2, "{euros}");
    assert_eq!(euros["meta"]["cost"]["quota"]["yahoo.hour"], stage.asked("yahoo"), "{euros}");
    // Both are remembered now, and the request that asks again pays for neither.
    let again = stage.get("/v1/quotes/latest?symbols=AAPL&currency=EUR").await.json();
    assert_eq!((answered(&again), &again["meta"]["cache"]["state"]), (0, &"hit".into()));
    assert!(converted(&stage.get("/v1/quotes/latest?symbols=AAPL&currency=USD").await.json()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn bars_change_their_unit_but_not_their_currency() {
    let stage = Stage::new(&[("yahoo", "default")]).await;
    let target = "/v1/bars?symbols=OCDO.XLON&start=2026-11-02&end=2026-11-06&num=string";
    let pence = stage.get(target).await.json();
    let pounds = stage.get(&format!("{target}&currency=GBP")).await.json();
    let rows = |answer: &Value| answer["data"]["OCDO.XLON"].as_array().unwrap().clone();
    assert_eq!(rows(&pence).len(), 4);
    for (before, after) in rows(&pence).iter().zip(rows(&pounds)) {
        for field in ["open", "high", "low", "close"] {
            assert_eq!(micros(&after[field]) * 100, micros(&before[field]), "{field}");
        }
        assert_eq!(after["volume"], before["volume"]);
    }
    let dollars = stage.get(&format!("{target}&currency=USD")).await;
    assert_eq!((dollars.status.as_u16(), &dollars.json()["code"]), (422, &"UNSUPPORTED".into()));
    assert!(dollars.text.contains("no historical rates are kept"), "{}", dollars.text);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_converted_is_refused() {
    let stage = Stage::new(&[("yahoo", "default")]).await;
    for (currency, hint) in [("XYZ", "is no currency"), ("GBX", "ask for GBP"), ("dollars", "is no currency")]
    {
        let answer = stage.get(&format!("/v1/quotes/latest?symbols=AAPL&currency={currency}")).await;
        assert_eq!(answer.status, 400, "{currency}");
        assert!(answer.text.contains(hint), "{}", answer.text);
    }
    assert_eq!(stage.asked("yahoo"), 0);
    let elsewhere = stage.get("/v1/news?symbols=AAPL&currency=EUR").await;
    assert_eq!(elsewhere.status, 400);
    let no_rate = stage.get("/v1/quotes/latest?symbols=AAPL&currency=MNT").await;
    assert_eq!(
        (no_rate.status.as_u16(), &no_rate.json()["code"]),
        (422, &"UNSUPPORTED".into()),
        "{}",
        no_rate.text
    );
}

#[tokio::test(start_paused = true)]
async fn the_short_way_leaves_conversions_alone() {
    let stage = Stage::new(&[("yahoo", "default")]).await;
    let target = "/v1/quotes/latest?symbols=OCDO.XLON";
    stage.get(target).await;
    assert!(stage.remembered(target, &[]).await.is_some());
    assert!(stage.remembered(&format!("{target}&currency=GBP"), &[]).await.is_none());
    assert!(stage.remembered(target, &[("mda-currency", "GBP")]).await.is_none());
    let by_header = stage.ask("GET", target, &[("mda-currency", "GBP")]).await;
    assert!(by_header.header("mda-basis").contains("unit=major"));
}
