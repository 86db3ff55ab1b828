//! What `/openapi.json` says of an answer is what the answer is, to the last key. API-1, API-3, API-5.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use api::routes::{Dialect, ROUTES};
use http::Method;
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use simulator::Fault;

use crate::stage::{Answer, Stage};

/// The OpenAPI document, read as a promise: what it does not name must not come.
struct Contract {
    document: Value,
    closed: Value,
    validators: RefCell<BTreeMap<String, Validator>>,
}

impl Contract {
    async fn of(stage: &Stage) -> Contract {
        let document = stage.get("/openapi.json").await.json();
        let mut closed = document["components"]["schemas"].clone();
        for schema in closed.as_object_mut().unwrap().values_mut() {
            close(schema, false);
        }
        Contract { document, closed, validators: RefCell::default() }
    }

    /// Everything in which a value differs from a schema of the document.
    fn differences(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut validators = self.validators.borrow_mut();
        let validator = validators.entry(schema.to_string()).or_insert_with(|| {
            let mut schema = schema.clone();
            close(&mut schema, true);
            schema["components"] = json!({ "schemas": self.closed });
            jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
        });
        let differences = validator.iter_errors(value);
        differences.map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    fn response(&self, template: &str, status: u16) -> &Value {
        let responses = &self.document["paths"][template]["get"]["responses"];
        responses.get(status.to_string()).unwrap_or(&responses["default"])
    }

    /// Everything in which an answer differs from what is promised of its address.
    fn broken_by(&self, template: &str, answer: &Answer) -> Vec<String> {
        let media = answer.header("content-type").split(';').next().unwrap();
        let schema = &self.response(template, answer.status.as_u16())["content"][media]["schema"];
        if !schema.is_object() {
            return vec![format!("{media} with {} is not promised", answer.status)];
        }
        match media {
            "application/json" | "application/problem+json" => self.differences(schema, &answer.json()),
            _ => self.differences(schema, &Value::from(answer.text.as_str())),
        }
    }

    fn component(&self, name: &str) -> Value {
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }
}

/// Lets a schema refuse keys it does not name. A part of a whole names only some of the keys: there the whole
/// refuses. So does who refers to a schema.
fn close(schema: &mut Value, whole: bool) {
    let Some(keys) = schema.as_object_mut() else { return };
    for part in keys.get_mut("allOf").and_then(Value::as_array_mut).into_iter().flatten() {
        close(part, false);
    }
    for choice in ["oneOf", "anyOf", "prefixItems"] {
        for part in keys.get_mut(choice).and_then(Value::as_array_mut).into_iter().flatten() {
            close(part, true);
        }
    }
    for property in keys.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        close(property.1, true);
    }
    for inner in ["items", "additionalProperties"] {
        keys.get_mut(inner).into_iter().for_each(|inner| close(inner, true));
    }
    if whole && ["$ref", "allOf", "properties"].iter().any(|key| keys.contains_key(*key)) {
        keys.insert("unevaluatedProperties".to_owned(), false.into());
    }
}

const RANGE: &str = "start=2026-11-02&end=2026-11-06";

/// Questions by the address they go to, in their usual form only or in every form.
fn questions(every_form: bool) -> Vec<(&'static str, String)> {
    let mut all: Vec<(&str, String)> = Vec::new();
    let forms =
        ["", "&num=string", "&ts=ns", "&ts=ms", "&ts=s", "&explain=true", "&format=ndjson", "&format=csv"];
    let lists = ["&shape=columns", "&shape=columns&num=string&ts=ns"];
    for (template, query) in [
        ("/v1/quotes/latest", String::new()),
        ("/v1/bars", format!("&{RANGE}")),
        ("/v1/bars", format!("&{RANGE}&interval=1h&limit=3")),
        ("/v1/trades", "&start=2026-11-18T15:00:00Z&end=2026-11-18T15:10:00Z&limit=25".to_owned()),
        ("/v1/news", "&start=2026-11-01&end=2026-11-18&limit=5".to_owned()),
        ("/v1/corporate-actions", String::new()),
    ] {
        let shapes = if template == "/v1/quotes/latest" { &[][..] } else { &lists[..] };
        let count = if every_form { forms.len() + shapes.len() } else { 1 };
        for form in forms.iter().chain(shapes).take(count) {
            for symbols in ["AAPL", "AAPL,MSFT", "AAPL,NOSUCHXYZ", "NOSUCHXYZ", "NOSUCHXYZ,%24"] {
                all.push((template, format!("{template}?symbols={symbols}{query}{form}")));
            }
        }
        all.push((template, template.to_owned()));
        all.push((template, format!("{template}?symbols=TSLA{query}&max_age=1ms&min_grade=A")));
    }
    let single = [
        ("/v1/rollups", "/v1/rollups?symbols=AAPL&start=2026-11-01&end=2026-11-07"),
        ("/v1/calendar", "/v1/calendar?mic=XNYS&start=2026-11-25&end=2026-11-28"),
        ("/v1/calendar", "/v1/calendar?mic=XTKS"),
        ("/v1/calendar", "/v1/calendar"),
        ("/v1/instruments/search", "/v1/instruments/search?q=apple"),
        ("/v1/instruments/search", "/v1/instruments/search?q=nothingatall"),
        (
            "/v1/instruments/resolve",
            "/v1/instruments/resolve?symbols=brk.b,FB,aapl.xnas,%3F%3F&asof=2020-01-02",
        ),
        ("/v1/compare", "/v1/compare?symbol=AAPL&explain=true"),
        ("/v1/compare", "/v1/compare?symbol=NOSUCHXYZ"),
        ("/v1/explain/{request_id}", "/v1/explain/known"),
        ("/v1/explain/{request_id}", "/v1/explain/unknown"),
        ("/v1/attempts", "/v1/attempts"),
        ("/v1/failures", "/v1/failures"),
        ("/v1/events", "/v1/events"),
        ("/v1/vendors", "/v1/vendors"),
        ("/v1/sources", "/v1/sources"),
        ("/v1/health", "/v1/health"),
        ("/v1/service-levels", "/v1/service-levels"),
        ("/v1/costs", "/v1/costs"),
        ("/v1/costs", "/v1/costs?by=request&limit=2"),
        ("/v1/costs", "/v1/costs?by=planet"),
        ("/v1/budgets", "/v1/budgets"),
        ("/v1/cache", "/v1/cache"),
        ("/v1/vendors/{id}", "/v1/vendors/polygon"),
        ("/v1/vendors/{id}", "/v1/vendors/nobody"),
        ("/healthz", "/healthz"),
        ("/readyz", "/readyz"),
        ("/livez", "/livez"),
        ("/", "/"),
    ];
    all.extend(single.map(|(template, target)| (template, target.to_owned())));
    for (template, target) in [
        ("/health", "/health"),
        ("/sources", "/sources"),
        ("/sources/status", "/sources/status"),
        ("/price/{symbol}", "/price/aapl"),
        ("/price/{symbol}", "/price/NOSUCHXYZ"),
        ("/historical/{symbol}", "/historical/AAPL?start_date=2026-11-02&end_date=2026-11-06"),
        ("/historical/{symbol}", "/historical/AAPL?start_date=2026-11-18&end_date=2026-11-18&interval=1h"),
        ("/historical/{symbol}", "/historical/AAPL?interval=7d"),
        ("/validate/{symbol}", "/validate/AAPL"),
        ("/validate/{symbol}", "/validate/NOSUCHXYZ"),
        ("/symbols", "/symbols?limit=3"),
    ] {
        all.push((template, target.to_owned()));
        let again = ROUTES.iter().find(|route| route.template == format!("/api/v1{template}")).unwrap();
        all.push((again.template, format!("/api/v1{target}")));
    }
    all
}

#[tokio::test(start_paused = true)]
async fn every_answer_is_what_the_document_says_and_no_more() {
    let vendors = [("polygon", "premium"), ("yahoo", "default"), ("finnhub", "premium")];
    for fault in [None, Some(Fault::Outage), Some(Fault::TooManyRequests)] {
        let stage = Stage::new(&vendors).await;
        let contract = Contract::of(&stage).await;
        stage.ask("GET", "/v1/quotes/latest?symbols=AAPL", &[("x-request-id", "known")]).await;
        let later = ("prefer", "respond-async");
        let job = stage.ask("GET", "/v1/quotes/latest?symbols=AAPL", &[later]).await;
        assert_eq!(job.status, 202, "{}", job.text);
        let job = job.json()["data"]["id"].as_str().unwrap().to_owned();
        if let Some(fault) = fault {
            stage.fails("polygon", fault);
        }
        let (mut met, mut statuses) = (BTreeSet::new(), BTreeSet::new());
        let of_job = ("/v1/jobs/{job_id}", format!("/v1/jobs/{job}"));
        for (template, target) in questions(fault.is_none()).into_iter().chain([of_job]) {
            let answer = stage.get(&target).await;
            assert_ne!(answer.status, 500, "{target}: {}", answer.text);
            let broken = contract.broken_by(template, &answer);
            assert!(broken.is_empty(), "{target}: {broken:#?}\n{}", answer.text);
            if Dialect::of(template) == Dialect::Compatible {
                assert_eq!(answer.text, answer.json().to_string(), "keys are in the order of the alphabet");
            }
            statuses.insert(answer.status.as_u16());
            if answer.status == 200 {
                met.insert(template);
            }
        }
        if fault.is_none() {
            let all: BTreeSet<&str> = ROUTES
                .iter()
                .filter(|route| route.method == Method::GET)
                .map(|route| route.template)
                .collect();
            assert_eq!(met, all, "every address gives an answer here");
        }
        assert!(statuses.is_superset(&[200, 400, 404].into()), "{statuses:?}");
    }
    let nobody = Stage::new(&[]).await;
    let contract = Contract::of(&nobody).await;
    for target in ["/readyz", "/healthz", "/", "/v1/compare?symbol=AAPL", "/price/AAPL", "/validate/AAPL"] {
        let template = match target {
            "/price/AAPL" => "/price/{symbol}",
            "/validate/AAPL" => "/validate/{symbol}",
            target => target.split('?').next().unwrap(),
        };
        let answer = nobody.get(target).await;
        let broken = contract.broken_by(template, &answer);
        assert!(broken.is_empty(), "{target}: {broken:#?}\n{}", answer.text);
    }
    let page = nobody.ask("GET", "/", &[("accept", "text/html")]).await;
    assert_eq!(contract.broken_by("/", &page), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_best_of_an_unmet_constraint_is_a_whole_answer() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    let contract = Contract::of(&stage).await;
    let answer = stage.get("/v1/quotes/latest?symbols=AAPL&max_age=1ms").await;
    assert_eq!(answer.status, 409, "{}", answer.text);
    assert_eq!(contract.broken_by("/v1/quotes/latest", &answer), [""; 0]);
    let best = &answer.json()["best"];
    assert_eq!(contract.differences(&contract.component("QuoteAnswer"), best), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn each_line_holds_the_symbol_and_a_row_and_the_names_of_csv_are_promised() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    let contract = Contract::of(&stage).await;
    for (template, row) in
        [("/v1/bars", "Bar"), ("/v1/news", "NewsItem"), ("/v1/corporate-actions", "CorporateAction")]
    {
        let target = format!("{template}?symbols=AAPL,MSFT&format=");
        let lines = stage.get(&format!("{target}ndjson")).await;
        assert!(lines.text.lines().count() > 1, "{}", lines.text);
        for line in lines.text.lines() {
            let mut line: Map<String, Value> = serde_json::from_str(line).unwrap();
            assert!(line.remove("symbol").is_some_and(|symbol| symbol.is_string()));
            let differences = contract.differences(&contract.component(row), &line.into());
            assert!(differences.is_empty(), "{target}: {differences:?}");
        }
        let csv = stage.get(&format!("{target}csv")).await;
        let promised = &contract.response(template, 200)["content"]["text/csv"]["schema"]["description"];
        let names = csv.text.split("\r\n").next().unwrap();
        assert!(promised.as_str().unwrap().contains(&format!("`{names}`")), "{promised} is not {names}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_header_of_our_own_is_described() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    let contract = Contract::of(&stage).await;
    let mut met = BTreeSet::new();
    let bars = format!("/v1/bars?{RANGE}&limit=3&symbols=");
    for target in
        [format!("{bars}AAPL"), format!("{bars}AAPL&format=csv"), format!("{bars}NOSUCHXYZ,AAPL&limit=9")]
    {
        let answer = stage.get(&target).await;
        let names = answer.headers.keys().map(|name| name.as_str().to_owned());
        met.extend(
            names.filter(|name| {
                !["content-type", "content-length", "cache-control", "vary"].contains(&&**name)
            }),
        );
    }
    let described = contract.response("/v1/bars", 200)["headers"].as_object().unwrap();
    assert_eq!(met, described.keys().cloned().collect());
    let components = contract.document["components"]["headers"].as_object().unwrap();
    assert!(described.keys().all(|name| components.contains_key(name)));
}

#[tokio::test(start_paused = true)]
async fn a_key_more_or_one_renamed_breaks_the_promise() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    let contract = Contract::of(&stage).await;
    for (template, target, objects) in [
        (
            "/v1/quotes/latest",
            "/v1/quotes/latest?symbols=AAPL",
            &["", "/data/AAPL", "/meta", "/meta/grade", "/meta/symbols/AAPL"][..],
        ),
        (
            "/v1/quotes/latest",
            "/v1/quotes/latest?symbols=AAPL,NOSUCHXYZ",
            &[
                "",
                "/meta",
                "/meta/symbols/AAPL",
                "/meta/symbols/NOSUCHXYZ",
                "/meta/symbols/NOSUCHXYZ/error",
                "/warnings/0",
            ],
        ),
        (
            "/v1/bars",
            "/v1/bars?symbols=AAPL",
            &["/data/AAPL/0", "/meta/coverage", "/meta/attempts/0", "/meta/cost"],
        ),
        ("/v1/bars", "/v1/bars?symbols=AAPL&shape=columns", &["/data/AAPL"]),
        ("/price/{symbol}", "/price/AAPL", &["", "/learning_insights", "/learning_insights/market_context"]),
        ("/health", "/health", &["", "/sources/polygon"]),
    ] {
        let sound = stage.get(target).await;
        assert_eq!(contract.broken_by(template, &sound), [""; 0]);
        for object in objects {
            let keys: Vec<String> =
                sound.json().pointer(object).unwrap().as_object().unwrap().keys().cloned().collect();
            let broken = |change: &dyn Fn(&mut Map<String, Value>)| {
                let mut body = sound.json();
                change(body.pointer_mut(object).unwrap().as_object_mut().unwrap());
                let answer =
                    Answer { status: sound.status, headers: sound.headers.clone(), text: body.to_string() };
                !contract.broken_by(template, &answer).is_empty()
            };
            assert!(broken(&|keys| drop(keys.insert("surprise".to_owned(), 1.into()))), "{target} {object}");
            for key in keys {
                let renamed = |keys: &mut Map<String, Value>| {
                    let value = keys.remove(&key).unwrap();
                    keys.insert(format!("{key}_renamed"), value);
                };
                assert!(broken(&renamed), "{target} {object}/{key}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_described_as_anything() {
    fn free(schema: &Value, at: &str, found: &mut Vec<String>) {
        let Some(keys) = schema.as_object() else { return };
        let says =
            ["$ref", "allOf", "oneOf", "anyOf", "properties", "additionalProperties", "items", "prefixItems"];
        let is_plain =
            keys.get("type").is_some_and(|kind| !kind.to_string().contains("object") && kind != "array");
        if !is_plain && !says.iter().any(|word| keys.contains_key(*word)) {
            found.push(at.to_owned());
        }
        for (name, property) in keys.get("properties").and_then(Value::as_object).into_iter().flatten() {
            free(property, &format!("{at}/{name}"), found);
        }
        for inner in ["items", "additionalProperties"] {
            keys.get(inner).into_iter().for_each(|inner| free(inner, &format!("{at}/{inner}"), found));
        }
        for choice in ["allOf", "oneOf", "anyOf", "prefixItems"] {
            for part in keys.get(choice).and_then(Value::as_array).into_iter().flatten() {
                free(part, &format!("{at}/{choice}"), found);
            }
        }
    }
    let document = Contract::of(&Stage::new(&[]).await).await.document;
    let mut found = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        free(schema, name, &mut found);
    }
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (status, response) in methods
            .as_object()
            .unwrap()
            .values()
            .flat_map(|operation| operation["responses"].as_object().unwrap())
        {
            for (media, content) in response["content"].as_object().unwrap() {
                free(&content["schema"], &format!("{path} {status} {media}"), &mut found);
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_two_types_share_a_name_in_the_document() {
    let mut names = BTreeSet::new();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for declared in text.split("ToSchema)]").skip(1) {
            let line = declared.lines().find(|line| line.starts_with("pub ")).unwrap();
            let name = line.split([' ', '<', '{', ';']).nth(2).unwrap();
            assert!(names.insert(name.to_owned()), "of two types called {name} the document keeps one");
        }
    }
    assert!(names.contains("Facts") && names.contains("PriceAnswer"), "{names:?}");
}
