//! The simulator's own controls, as JSON: journal, chaos, clock, vendors. For callers on this machine only.

use std::net::SocketAddr;
use std::time::Duration;

use domain::{Delivery, Instant};
use http::{Method, Request};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};
use vendors::plan::Per;
use vendors::{HttpRequest, HttpResponse, Plan};

use crate::bottle::Bottle;
use crate::fault::{Fault, Spell};
use crate::journal::Entry;
use crate::world::World;

/// A fault by command lasts at most so long.
const LONGEST_FAULT: Duration = Duration::from_secs(3_600);
const MOST_BODY_BYTES: usize = 64 * 1024;

/// Answers below `/_sim`.
pub(super) async fn answer(
    world: &World,
    address: SocketAddr,
    local: bool,
    request: Request<Incoming>,
    target: &str,
) -> HttpResponse {
    if !local {
        return problem(403, "controls answer callers on this machine only");
    }
    let method = request.method().clone();
    let asked = HttpRequest::from_target(target);
    match (&method, asked.path.as_str()) {
        (&Method::GET, "/journal") => journal(world, &asked),
        (&Method::GET, "/clock") => reply(&json!({ "now": world.clock.now().to_string() })),
        (&Method::GET, "/vendors") => {
            let vendors: Vec<Value> = world.bottles.iter().map(|bottle| vendor(bottle, address)).collect();
            reply(&Value::from(vendors))
        }
        (&Method::GET, "/chaos") => {
            let ahead = world.faults.ahead(world.clock.now());
            reply(&ahead.iter().map(spell_json).collect())
        }
        (&Method::POST, "/chaos") => match Limited::new(request.into_body(), MOST_BODY_BYTES).collect().await
        {
            Ok(body) => begin(world, &body.to_bytes()),
            Err(_) => problem(413, "the body is too long"),
        },
        (&Method::DELETE, path) => match path.strip_prefix("/chaos/").and_then(|name| find(world, name)) {
            Some(bottle) => reply(&json!({ "ended": world.faults.end(bottle.vendor()) })),
            None => problem(404, "no such vendor; DELETE /_sim/chaos/{vendor}"),
        },
        _ => problem(404, "controls: GET journal, clock, vendors, chaos; POST chaos; DELETE chaos/{vendor}"),
    }
}

fn find<'a>(world: &'a World, name: &str) -> Option<&'a Bottle> {
    let vendor = vendors::find(name)?.profile().id;
    world.bottle(vendor)
}

/// `{vendor, fault, for_ms}`, and `by_ms` for `slow`, `factor` for `wrong`, `status` for `html`.
fn begin(world: &World, body: &[u8]) -> HttpResponse {
    let Ok(asked) = serde_json::from_slice::<Value>(body) else {
        return problem(400, "the body is no JSON: {\"vendor\", \"fault\", \"for_ms\"}");
    };
    let Some(bottle) = asked["vendor"].as_str().and_then(|name| find(world, name)) else {
        return problem(404, "`vendor`: no such vendor; see /_sim/vendors");
    };
    let Some(fault) = asked["fault"].as_str().and_then(Fault::parse) else {
        return problem(400, &format!("`fault`: one of {}", Fault::WORDS.join(" ")));
    };
    let millis = |name: &str| asked[name].as_u64().map(Duration::from_millis);
    let Some(length) = millis("for_ms").filter(|length| !length.is_zero() && *length <= LONGEST_FAULT) else {
        return problem(400, "`for_ms`: 1 to 3600000");
    };
    let fault = match fault {
        Fault::Slow(usual) => Fault::Slow(millis("by_ms").unwrap_or(usual)),
        Fault::Wrong(usual) => Fault::Wrong(asked["factor"].as_f64().unwrap_or(usual)),
        Fault::Html(usual) => {
            let status = asked["status"].as_u64().and_then(|status| u16::try_from(status).ok());
            Fault::Html(status.filter(|status| (200..600).contains(status)).unwrap_or(usual))
        }
        other => other,
    };
    let from = world.clock.now();
    let spell = Spell { vendor: bottle.vendor(), fault, from, until: from + length };
    world.faults.begin(spell);
    reply(&spell_json(&spell))
}

fn journal(world: &World, asked: &HttpRequest) -> HttpResponse {
    let number = |name: &str| asked.param(name).and_then(|text| text.parse::<u64>().ok());
    let limit = number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let vendor = match asked.param("vendor") {
        Some(name) => match find(world, name) {
            Some(bottle) => Some(bottle.vendor()),
            None => return problem(404, "`vendor`: no such vendor; see /_sim/vendors"),
        },
        None => None,
    };
    let mut entries = world.journal.since(number("since").unwrap_or(0), usize::MAX);
    entries.retain(|entry| vendor.is_none_or(|vendor| vendor == entry.vendor));
    entries.truncate(limit);
    let rows = entries.iter().map(entry_json);
    if asked.param("format") == Some("ndjson") {
        let lines: String = rows.map(|row| row.to_string() + "\n").collect();
        return HttpResponse::new(200, "application/x-ndjson", lines)
            .with_header("mda-journal-dropped", world.journal.dropped());
    }
    let (count, dropped) = (world.journal.count(), world.journal.dropped());
    reply(&json!({ "count": count, "dropped": dropped, "entries": rows.collect::<Vec<_>>() }))
}

fn entry_json(entry: &Entry) -> Value {
    json!({
        "seq": entry.seq,
        "at": entry.at.to_string(),
        "vendor": entry.vendor.as_str(),
        "method": match entry.method { vendors::Method::Get => "GET", vendors::Method::Post => "POST" },
        "target": &*entry.target,
        "status": entry.status,
        "fault": entry.fault.as_deref(),
    })
}

fn spell_json(spell: &Spell) -> Value {
    let time = |at: Instant| at.to_string();
    json!({
        "vendor": spell.vendor.as_str(),
        "fault": spell.fault.as_str(),
        "from": time(spell.from),
        "until": time(spell.until),
    })
}

fn vendor(bottle: &Bottle, address: SocketAddr) -> Value {
    let id = bottle.vendor();
    json!({
        "id": id.as_str(),
        "base_url": format!("http://{address}/{id}"),
        "keys": bottle.keys(),
        "plan": plan(bottle.plan()),
    })
}

fn plan(plan: &Plan) -> Value {
    let limits = plan.limits.iter().map(|limit| match limit.per {
        Per::Sliding(length) => json!({ "count": limit.count, "per_secs": length.as_secs() }),
        Per::Day => json!({ "count": limit.count, "per": "day" }),
        Per::Month => json!({ "count": limit.count, "per": "month" }),
    });
    let delay = match plan.delivery {
        Delivery::Delayed(delay) => Some(delay.as_secs()),
        Delivery::RealTime | Delivery::EndOfDay => None,
    };
    json!({
        "name": plan.name,
        "limits": limits.collect::<Vec<_>>(),
        "delivery": plan.delivery.as_str(),
        "delay_secs": delay,
        "history_days": plan.history.map(|history| history.as_secs() / 86_400),
    })
}

fn reply(value: &Value) -> HttpResponse {
    HttpResponse::json(200, value.to_string()).with_header("mda-simulated", "true")
}

fn problem(status: u16, detail: &str) -> HttpResponse {
    let body = json!({ "status": status, "detail": detail }).to_string();
    HttpResponse::new(status, "application/problem+json", body).with_header("mda-simulated", "true")
}
