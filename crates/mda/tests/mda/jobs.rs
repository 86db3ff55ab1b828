//! SCH-7, SCH-8, LIM-7, LIM-9, SCH-2 through the binary: jobs over a restart, and what a vendor's page shows.

use serde_json::Value;

use crate::stage::{Gateway, Vendors};
use crate::web;

fn later(base: &str, target: &str) -> web::Reply {
    web::try_send_with("GET", base, target, &[("Prefer", "respond-async")]).unwrap()
}

/// Asks for a job until it has come so far.
fn job(base: &str, id: &str, states: &[&str]) -> Value {
    for _ in 0..100_000 {
        let job = web::get(base, &format!("/v1/jobs/{id}")).ok()["data"].clone();
        if states.contains(&job["state"].as_str().unwrap()) {
            return job;
        }
    }
    panic!("job {id} never came to {states:?}");
}

fn states(job: &Value) -> Vec<String> {
    let steps = job["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["at"].is_string() && step["priority"].is_string()), "{job}");
    steps.iter().map(|step| step["state"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_request_that_prefers_to_be_answered_later_is_and_its_answer_outlives_a_restart() {
    let vendors = Vendors::start(&["--at", "2026-11-18T15:30:00Z"]);
    let data = tempfile::tempdir().unwrap();
    let configuration = vendors.configuration(&["polygon"]);
    let gateway = Gateway::serve(&configuration, data.path());
    let accepted = later(&gateway.base, "/v1/quotes/latest?symbols=AAPL,MSFT");
    assert_eq!(accepted.status, 202, "{}", accepted.body);
    assert_eq!(accepted.header("preference-applied"), Some("respond-async"));
    let body = accepted.json();
    let id = body["data"]["id"].as_str().unwrap();
    assert_eq!(accepted.header("location"), Some(format!("/v1/jobs/{id}").as_str()));
    let done = job(&gateway.base, id, &["done", "dropped"]);
    assert_eq!(states(&done), ["queued", "dispatched", "done"], "{done}");
    assert_eq!(done["result"]["status"], 200);
    let body: Value = serde_json::from_str(done["result"]["body"].as_str().unwrap()).unwrap();
    assert!(body["data"]["AAPL"]["last"].is_number(), "{done}");
    assert!(done["kept_until"].is_string());
    // A refusal is an end, too, and says why.
    let refused = later(&gateway.base, "/v1/bars?symbols=AAPL&interval=7m").json();
    let dropped = job(&gateway.base, refused["data"]["id"].as_str().unwrap(), &["done", "dropped"]);
    assert_eq!(states(&dropped), ["queued", "dispatched", "dropped"], "{dropped}");
    assert!(dropped["steps"][2]["reason"].as_str().unwrap().starts_with("BAD_REQUEST"), "{dropped}");
    assert!(dropped["result"]["body"].as_str().unwrap().contains("BAD_REQUEST"), "{dropped}");
    drop(gateway);
    let gateway = Gateway::serve(&configuration, data.path());
    let again = job(&gateway.base, id, &["done"]);
    assert_eq!(again, done);
    web::get(&gateway.base, "/v1/jobs/none").problem(404, "NOT_FOUND");
}

#[test]
fn a_job_is_tried_again_one_class_lower_after_a_wait_and_goes_on_after_a_restart() {
    // SCH-7: never a requeue without delay.
    let vendors = Vendors::start(&["--at", "2026-11-18T15:30:00Z"]);
    vendors.fail("outage", "polygon", "1h");
    let data = tempfile::tempdir().unwrap();
    let configuration = vendors.configuration(&["polygon"]);
    let gateway = Gateway::serve(&configuration, data.path());
    let accepted = later(&gateway.base, "/v1/quotes/latest?symbols=AAPL&priority=normal").json();
    let id = accepted["data"]["id"].as_str().unwrap().to_owned();
    let retried = job(&gateway.base, &id, &["retried", "dropped"]);
    assert_eq!(states(&retried), ["queued", "dispatched", "retried"], "{retried}");
    let step = &retried["steps"][2];
    assert_eq!(
        (step["priority"].as_str(), retried["steps"][0]["priority"].as_str()),
        (Some("low"), Some("normal"))
    );
    assert!(step["again_at"].as_str().unwrap() > step["at"].as_str().unwrap(), "{step}");
    assert!(step["reason"].as_str().unwrap().len() > 10, "{step}");
    drop(gateway);
    let gateway = Gateway::serve(&configuration, data.path());
    let resumed = job(&gateway.base, &id, &["dispatched", "retried", "dropped"]);
    assert!(states(&resumed).len() >= 3, "{resumed}");
}

#[test]
fn the_page_of_a_vendor_shows_its_queue_its_forecast_and_its_rates() {
    let vendors = Vendors::start(&["--at", "2026-11-18T15:30:00Z"]);
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::serve(&vendors.configuration(&["alpha_vantage"]), data.path());
    gateway.get("/v1/quotes/latest?symbols=IBM&priority=high").ok();
    let vendor = gateway.get("/v1/vendors/alpha_vantage").ok()["data"].clone();
    let queue = &vendor["queue"];
    assert_eq!((queue["depth"].as_u64(), queue["granted"].as_u64()), (Some(0), Some(1)), "{queue}");
    assert_eq!(
        (queue["wait_ms_p95"].as_u64(), queue["in_flight_limit"].as_u64()),
        (Some(0), Some(10)),
        "{queue}"
    );
    let windows: Vec<&str> =
        vendor["forecast"].as_array().unwrap().iter().map(|w| w["window"].as_str().unwrap()).collect();
    assert_eq!(windows, ["minute", "day"]);
    let rate = &vendor["rates"][0];
    assert_eq!(
        (rate["strategy"].as_str(), rate["is_learned"].as_bool()),
        (Some("balanced"), Some(false)),
        "{rate}"
    );
    assert!(rate["per_second"].as_f64().is_some_and(|rate| rate < 0.1), "{rate}");
}
