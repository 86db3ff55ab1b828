//! Money from the command line: what was spent, what may still be, what a question would take.

use anyhow::Result;
use serde_json::Value;

use crate::arguments::{Asked, Budget};
use crate::client::{self, Reply};
use crate::commands::ask::{finish, rows_of};
use crate::{exit, table};

/// `mda budget`: budgets, spending and advice as one.
pub(crate) async fn run(ask: Budget, as_json: bool) -> Result<u8> {
    let costs = client::get(&ask.asked, "/v1/costs", &[("by", ask.by.clone())]).await?;
    if costs.status >= 300 {
        return Ok(finish(&costs, as_json, |_| ()));
    }
    let budgets = client::get(&ask.asked, "/v1/budgets", &[]).await?;
    let body = serde_json::json!({
        "budgets": budgets.body["data"],
        "costs": costs.body["data"],
        "warnings": costs.body["warnings"],
    });
    let both = Reply { status: budgets.status, body };
    Ok(finish(&both, as_json, |body| {
        let columns =
            ["whose", "name", "period", "limit", "spent", "remaining", "state", "forecast", "resets_at"];
        table::print(&columns, rows_of(&body["budgets"], &columns));
        let costs = &body["costs"];
        println!("\nSpent from {} to {}, in USD:", table::cell(&costs["start"]), table::cell(&costs["end"]));
        let columns = ["key", "calls", "amount", "useful_answers", "refused", "per_useful_answer"];
        let mut rows = rows_of(&costs["rows"], &columns);
        rows.extend(rows_of(&serde_json::json!([costs["total"]]), &columns));
        table::print(&[ask.by.as_str(), "calls", "amount", "useful", "refused", "per useful"], rows);
        for advice in costs["advice"].as_array().into_iter().flatten() {
            println!(
                "\n{}: {}\n  because: {}\n  saves {} USD a month",
                table::cell(&advice["code"]),
                table::cell(&advice["advice"]),
                table::cell(&advice["evidence"]),
                table::cell(&advice["saves_a_month"]),
            );
        }
        warnings(body);
    }))
}

fn warnings(body: &Value) {
    for warning in body["warnings"].as_array().into_iter().flatten() {
        println!("{}: {}", table::cell(&warning["code"]), table::cell(&warning["detail"]));
    }
}

/// What a question would take: `--dry-run`.
pub(crate) async fn estimate(
    asked: &Asked,
    kind: &str,
    query: &[(&str, String)],
    as_json: bool,
) -> Result<u8> {
    let mut query = query.to_vec();
    query.push(("kind", kind.to_owned()));
    let reply = client::post(asked, "/v1/estimate", &query).await?;
    let code = finish(&reply, as_json, |body| {
        let data = &body["data"];
        let rows = data["symbols"].as_object().into_iter().flatten().map(|(symbol, told)| {
            let first = &told["offers"][0];
            vec![
                symbol.clone(),
                table::cell(&told["source"]),
                table::cell(&first["vendor"]),
                table::cell(&first["calls"]),
                table::cell(&first["amount"]),
                table::cell(&told["rows"]),
                table::cell(&told["error"]),
            ]
        });
        table::print(&["symbol", "source", "vendor", "calls", "USD", "rows", "error"], rows.collect());
        println!(
            "{} calls, {} USD, {} rows, {} ms; within budget: {}",
            table::cell(&data["calls"]),
            table::cell(&data["amount"]),
            table::cell(&data["rows"]),
            table::cell(&data["time_ms"]),
            table::cell(&data["within_budget"]),
        );
        for (window, count) in data["quota"].as_object().into_iter().flatten() {
            println!("quota {window}: {count}");
        }
        warnings(body);
    });
    Ok(if code == exit::OK && reply.body["data"]["within_budget"] == false {
        exit::UNAVAILABLE
    } else {
        code
    })
}
