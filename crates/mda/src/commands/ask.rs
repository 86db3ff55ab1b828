//! Questions from the command line: the same API, printed as tables.

use anyhow::Result;
use serde_json::Value;

use crate::arguments::{Bars, Because, Compare, Explain, Quote, VendorOrder, Vendors};
use crate::client::{self, Reply};
use crate::commands::budget;
use crate::{exit, table};

/// Prints JSON, or the table that `show` makes of a good answer.
pub(super) fn finish(reply: &Reply, as_json: bool, show: impl Fn(&Value)) -> u8 {
    if as_json {
        println!("{}", reply.body);
    } else if reply.status < 300 {
        show(&reply.body);
    } else {
        let text = |key: &str| table::cell(&reply.body[key]);
        eprintln!("mda: {}: {}", text("code"), text("detail"));
        for problem in reply.body["problems"].as_array().into_iter().flatten() {
            eprintln!("  {}: {}", table::cell(&problem["parameter"]), table::cell(&problem["detail"]));
        }
    }
    exit::of_status(reply.status)
}

/// What is true of the whole answer, below its table.
fn footer(body: &Value) {
    let meta = &body["meta"];
    if meta["simulated"] == true {
        println!("SIMULATED");
    }
    for warning in body["warnings"].as_array().into_iter().flatten() {
        println!("{}: {}", table::cell(&warning["code"]), table::cell(&warning["detail"]));
    }
    println!("request {}", table::cell(&meta["request_id"]));
}

/// What of `meta` holds for one symbol: its own part, else the common one.
fn meta<'a>(body: &'a Value, symbol: &str, key: &str) -> &'a Value {
    match &body["meta"]["symbols"][symbol][key] {
        Value::Null => &body["meta"][key],
        own => own,
    }
}

/// `mda quote`.
pub(crate) async fn quote(ask: Quote, as_json: bool) -> Result<u8> {
    let query = [("symbols", ask.symbols.join(","))];
    if ask.dry_run {
        return budget::estimate(&ask.asked, "quotes", &query, as_json).await;
    }
    let reply = client::get(&ask.asked, "/v1/quotes/latest", &query).await?;
    Ok(finish(&reply, as_json, |body| {
        let rows = body["data"].as_object().into_iter().flatten().map(|(symbol, data)| {
            let quote = if data.is_array() { &data[0] } else { data };
            let column = |key: &str| table::cell(&quote[key]);
            vec![
                symbol.clone(),
                column("last"),
                column("bid"),
                column("ask"),
                column("volume"),
                table::cell(&meta(body, symbol, "grade")["letter"]),
                table::cell(meta(body, symbol, "vendor")),
                table::cell(&meta(body, symbol, "freshness")["age_ms"]),
                table::cell(&meta(body, symbol, "cache")["state"]),
            ]
        });
        table::print(
            &["symbol", "last", "bid", "ask", "volume", "grade", "vendor", "age ms", "cache"],
            rows.collect(),
        );
        failures(body);
        footer(body);
    }))
}

fn failures(body: &Value) {
    for (symbol, own) in body["meta"]["symbols"].as_object().into_iter().flatten() {
        if !own["error"].is_null() {
            println!(
                "{symbol}: {}: {}",
                table::cell(&own["error"]["code"]),
                table::cell(&own["error"]["detail"])
            );
        }
    }
}

/// `mda bars`.
pub(crate) async fn bars(ask: Bars, as_json: bool) -> Result<u8> {
    let mut query = vec![("symbols", ask.symbols.join(",")), ("interval", ask.interval)];
    for (name, value) in [("start", ask.start), ("end", ask.end), ("adjustment", ask.adjustment)] {
        query.extend(value.map(|value| (name, value)));
    }
    if ask.dry_run {
        return budget::estimate(&ask.asked, "bars", &query, as_json).await;
    }
    let reply = client::get(&ask.asked, "/v1/bars", &query).await?;
    Ok(finish(&reply, as_json, |body| {
        for (symbol, rows) in body["data"].as_object().into_iter().flatten() {
            println!(
                "{symbol} from {}, {}, grade {}",
                table::cell(meta(body, symbol, "vendor")),
                table::cell(&meta(body, symbol, "basis")["adjustment"]),
                table::cell(&meta(body, symbol, "grade")["letter"]),
            );
            let columns = ["t", "open", "high", "low", "close", "volume", "final", "grade"];
            table::print(&columns, rows_of(rows, &columns));
        }
        failures(body);
        footer(body);
    }))
}

/// `mda compare`.
pub(crate) async fn compare(ask: Compare, as_json: bool) -> Result<u8> {
    let reply = client::get(&ask.asked, "/v1/compare", &[("symbol", ask.symbol)]).await?;
    Ok(finish(&reply, as_json, |body| {
        for (symbol, compared) in body["data"].as_object().into_iter().flatten() {
            println!("{symbol} ({})", table::cell(&compared["instrument"]));
            let columns = [
                "vendor",
                "price",
                "bid",
                "ask",
                "difference_bps",
                "age_ms",
                "delivery",
                "grade",
                "outcome",
                "detail",
            ];
            table::print(&columns, rows_of(&compared["vendors"], &columns));
        }
        footer(body);
    }))
}

/// Cells of a list of objects, a column a key.
pub(super) fn rows_of(list: &Value, columns: &[&str]) -> Vec<Vec<String>> {
    let rows = list.as_array().into_iter().flatten();
    rows.map(|row| columns.iter().map(|column| table::cell(&row[*column])).collect()).collect()
}

/// `mda explain`.
pub(crate) async fn explain(ask: Explain, as_json: bool) -> Result<u8> {
    let reply = client::get(&ask.asked, &format!("/v1/explain/{}", ask.request_id), &[]).await?;
    Ok(finish(&reply, as_json, |body| {
        let told = &body["data"];
        println!("{} at {}", table::cell(&told["question"]), table::cell(&told["at"]));
        if told["policy"].as_str().is_some_and(|policy| !policy.is_empty()) {
            println!("policy: {}", table::cell(&told["policy"]));
        }
        for (key, columns) in [
            ("candidates", ["vendor", "score", "skipped", "detail"].as_slice()),
            ("attempts", &["vendor", "capability", "outcome", "ms", "status", "retry_at"]),
        ] {
            println!("{key}:");
            table::print(columns, rows_of(&told[key], columns));
        }
        for note in told["notes"].as_array().into_iter().flatten() {
            println!("- {}", table::cell(note));
        }
        println!("answered by {}", table::cell(&told["answered_by"]));
    }))
}

/// An order as the address it goes to and its parameters.
fn order_in_words(order: VendorOrder) -> (&'static str, Vec<(&'static str, String)>) {
    let none = Because::default();
    let (word, given, because) = match order {
        VendorOrder::Drain(because) => ("drain", vec![], because),
        VendorOrder::Undrain(because) => ("undrain", vec![], because),
        VendorOrder::Probe => ("probe", vec![], none),
        VendorOrder::Priority { place, because } => {
            ("priority", vec![("value", Some(place.to_string()))], because)
        }
        VendorOrder::Maintenance { end, span, because } => {
            ("maintenance", vec![("end", end), ("for", span)], because)
        }
        VendorOrder::Breaker { state, endpoint, span, because } => {
            ("breaker", vec![("state", Some(state)), ("endpoint", endpoint), ("for", span)], because)
        }
    };
    let given = given.into_iter().chain([("reason", because.reason), ("by", because.by)]);
    (word, given.filter_map(|(name, value)| Some((name, value?))).collect())
}

/// `mda vendors`.
pub(crate) async fn vendors(ask: Vendors, as_json: bool) -> Result<u8> {
    let path = match &ask.vendor {
        Some(vendor) => format!("/v1/vendors/{vendor}"),
        None => "/v1/vendors".to_owned(),
    };
    let reply = match ask.order {
        None => client::get(&ask.asked, &path, &[]).await?,
        Some(_) if ask.vendor.is_none() => {
            return Err(exit::malformed("an order names its vendor first: mda vendors polygon drain").into());
        }
        Some(order) => {
            let (word, query) = order_in_words(order);
            client::order(&ask.asked, &format!("{path}/{word}"), &query).await?
        }
    };
    Ok(finish(&reply, as_json, |body| match body["data"].as_array() {
        Some(rows) => {
            let cells = rows.iter().map(|row| {
                let quota = row["quota"].as_array().into_iter().flatten();
                let quota: Vec<String> = quota
                    .map(|w| {
                        format!(
                            "{}/{} a {}",
                            table::cell(&w["remaining"]),
                            table::cell(&w["limit"]),
                            table::cell(&w["window"])
                        )
                    })
                    .collect();
                vec![
                    table::cell(&row["id"]),
                    table::cell(&row["state"]),
                    table::cell(&row["plan"]["name"]),
                    table::cell(&row["plan"]["delivery"]),
                    table::cell(&row["circuit_breaker"]["state"]),
                    quota.join(", "),
                    table::cell(&row["health"]["error_count"]),
                    table::cell(&row["health"]["latency_ms_p95"]),
                    table::cell(&row["health"]["reliability"]),
                ]
            });
            let columns = [
                "vendor",
                "state",
                "plan",
                "delivery",
                "breaker",
                "quota left",
                "errors",
                "p95 ms",
                "reliability",
            ];
            table::print(&columns, cells.collect());
        }
        None => println!("{}", serde_json::to_string_pretty(body).unwrap_or_default()),
    }))
}
