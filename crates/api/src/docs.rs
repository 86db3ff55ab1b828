//! The description of all addresses (OpenAPI 3.1), and the page that shows it. Nothing is loaded from a
//! network: the page's parts are built in.

use axum::Router;
use utoipa::OpenApi;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::{Content, HeaderBuilder, RefOr, Required, Response, Responses};
use utoipa_swagger_ui::SwaggerUi;

use crate::error::{Code, ProblemDocument};
use crate::grade::GradeTold;
use crate::tables::{Best, HEADERS, TABLES};
use crate::words::{FORM, POLICY};

/// Every address, as OpenAPI.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Market Data Agent",
        description = "One address for every market-data vendor. Policy words stand in the query or in `MDA-*` headers: vendor, vendors, failover, strategy, min_grade, max_age, max_cost, deadline, stale, asof, priority, format, ts, num, explain."
    ),
    components(schemas(Best, GradeTold, ProblemDocument)),
    paths(
        paths::quotes,
        paths::bars,
        paths::trades,
        paths::news,
        paths::corporate_actions,
        paths::rollups,
        paths::calendar,
        paths::search,
        paths::resolve,
        paths::compare,
        paths::explain,
        paths::attempts,
        paths::failures,
        paths::events,
        paths::vendors,
        paths::sources,
        paths::vendor,
        paths::drain,
        paths::undrain,
        paths::probe,
        paths::priority,
        paths::system_health,
        paths::service_levels,
        paths::cache,
        paths::invalidate,
        paths::costs,
        paths::budgets,
        paths::estimate,
        paths::maintenance,
        paths::breaker,
        paths::job,
        paths::healthz,
        paths::readyz,
        paths::livez,
        paths::root,
        paths::health,
        paths::old_sources,
        paths::sources_status,
        paths::price,
        paths::historical,
        paths::validate,
        paths::symbols,
        paths::api_health,
        paths::api_sources,
        paths::api_sources_status,
        paths::api_price,
        paths::api_historical,
        paths::api_validate,
        paths::api_symbols,
    )
)]
struct Description;

mod paths {
    //! One function per address: its annotations are the description. None is ever called.
    #![allow(dead_code, missing_docs)]

    use crate::cache_told::{CacheAnswer, InvalidateAnswer};
    use crate::compare::CompareAnswer;
    use crate::compat::{
        HealthAnswer, HistoryAnswer, PriceAnswer, RootAnswer, SourcesAnswer, SymbolsAnswer, Trouble,
        ValidateAnswer,
    };
    use crate::costs::{BudgetList, CostsAnswer};
    use crate::error::ProblemDocument;
    use crate::estimate::EstimateAnswer;
    use crate::health::{LevelsAnswer, SystemHealthTold};
    use crate::jobs::OneJob;
    use crate::ops::{Alive, Live};
    use crate::records::{AttemptList, EventList, ExplainAnswer, FailureList};
    use crate::reference::{CalendarAnswer, ResolveAnswer, SearchAnswer};
    use crate::rollups::RollupList;
    use crate::tables::{ActionAnswer, BarAnswer, NewsAnswer, QuoteAnswer, TradeAnswer};
    use crate::vendors_told::{OneVendor, VendorList};

    macro_rules! described {
        ($trouble:ty as $media:literal: $($name:ident $method:ident $path:literal $tag:literal $summary:literal $body:ty { $($kind:ident $param:literal $of:ty, $what:literal;)* })*) => {$(
            #[utoipa::path(
                $method,
                path = $path,
                tag = $tag,
                summary = $summary,
                params($(($param = $of, $kind, description = $what),)*),
                responses(
                    (status = 200, description = "The answer", body = $body),
                    (status = "default", description = "Why there is none", body = $trouble, content_type = $media),
                )
            )]
            fn $name() {}
        )*};
    }

    described! {
        ProblemDocument as "application/problem+json":
        quotes get "/v1/quotes/latest" "data" "Last trade and best bid and ask" QuoteAnswer {
            Query "symbols" String, "Symbols, separated by commas";
            Query "vendor" Option<String>, "Pins one vendor";
            Query "min_grade" Option<String>, "Worst acceptable letter";
            Query "max_age" Option<String>, "Greatest acceptable age, with unit: 5s";
            Query "currency" Option<String>, "Code of the currency in whose major unit prices are told";
        }
        bars get "/v1/bars" "data" "Open, high, low, close and volume" BarAnswer {
            Query "symbols" String, "Symbols, separated by commas";
            Query "interval" Option<String>, "1s 1m 5m 15m 30m 1h 4h 1d 1w 1mo";
            Query "start" Option<String>, "RFC 3339 or a date; included";
            Query "end" Option<String>, "RFC 3339 or a date; not included";
            Query "adjustment" Option<String>, "raw, split, dividend, all";
            Query "session" Option<String>, "regular, extended";
            Query "anchor" Option<String>, "open, close";
            Query "currency" Option<String>, "Code of the currency in whose major unit prices are told";
            Query "shape" Option<String>, "rows, columns";
            Query "limit" Option<u64>, "Rows of a page";
            Query "page_token" Option<String>, "The former page's next_page_token";
        }
        trades get "/v1/trades" "data" "Executions" TradeAnswer {
            Query "symbols" String, "Symbols, separated by commas";
            Query "start" Option<String>, "RFC 3339 or a date; included";
            Query "end" Option<String>, "RFC 3339 or a date; not included";
            Query "limit" Option<u64>, "Rows at most";
            Query "shape" Option<String>, "rows, columns";
        }
        news get "/v1/news" "data" "News" NewsAnswer {
            Query "symbols" String, "Symbols, separated by commas";
            Query "start" Option<String>, "RFC 3339 or a date; included";
            Query "end" Option<String>, "RFC 3339 or a date; not included";
            Query "limit" Option<u64>, "Rows at most";
            Query "shape" Option<String>, "rows, columns";
        }
        corporate_actions get "/v1/corporate-actions" "data" "Splits and dividends" ActionAnswer {
            Query "symbols" String, "Symbols, separated by commas";
            Query "start" Option<String>, "RFC 3339 or a date; included";
            Query "end" Option<String>, "RFC 3339 or a date; not included";
            Query "types" Option<String>, "split, dividend";
            Query "shape" Option<String>, "rows, columns";
        }
        rollups get "/v1/rollups" "data" "Stored intraday bars summed up by hour and by trading date" RollupList {
            Query "symbols" String, "Symbols, separated by commas";
            Query "start" Option<String>, "RFC 3339 or a date; included";
            Query "end" Option<String>, "RFC 3339 or a date; not included";
            Query "span" Option<String>, "1h, 1d; both unless given";
        }
        calendar get "/v1/calendar" "reference" "Sessions and market status of a venue" CalendarAnswer {
            Query "mic" String, "Market identifier code";
            Query "start" Option<String>, "Date, included";
            Query "end" Option<String>, "Date, not included";
        }
        search get "/v1/instruments/search" "reference" "Instruments by words" SearchAnswer {
            Query "q" String, "Words";
            Query "type" Option<String>, "Kind of instrument";
            Query "limit" Option<u64>, "Instruments at most";
        }
        resolve get "/v1/instruments/resolve" "reference" "What names mean, or meant on a date" ResolveAnswer {
            Query "symbols" String, "Symbols, separated by commas";
            Query "asof" Option<String>, "RFC 3339 or a date";
        }
        compare get "/v1/compare" "judgment" "Every vendor's own value, side by side" CompareAnswer {
            Query "symbol" String, "One symbol";
        }
        explain get "/v1/explain/{request_id}" "judgment" "How a request was answered" ExplainAnswer {
            Path "request_id" String, "Id of the request";
        }
        attempts get "/v1/attempts" "operations" "The newest exchanges with vendors" AttemptList {
            Query "since" Option<String>, "RFC 3339";
            Query "vendor" Option<String>, "Of one vendor";
            Query "limit" Option<u64>, "Rows at most";
        }
        failures get "/v1/failures" "operations" "The newest failed requests" FailureList {
            Query "category" Option<String>, "caller, vendor, ourselves";
            Query "severity" Option<String>, "low, medium, high, critical";
            Query "limit" Option<u64>, "Rows at most";
        }
        events get "/v1/events" "operations" "The newest events" EventList {
            Query "since" Option<String>, "RFC 3339";
            Query "vendor" Option<String>, "Of one vendor";
            Query "limit" Option<u64>, "Rows at most";
        }
        vendors get "/v1/vendors" "operations" "Every vendor with quota, breaker and health" VendorList {}
        sources get "/v1/sources" "operations" "Every vendor, by another name" VendorList {}
        vendor get "/v1/vendors/{id}" "operations" "One vendor" OneVendor { Path "id" String, "Id or alias"; }
        drain post "/v1/vendors/{id}/drain" "operations" "Takes a vendor out" OneVendor { Path "id" String, "Id or alias"; Query "by" Option<String>, "Who orders it"; Query "reason" Option<String>, "Why"; }
        undrain post "/v1/vendors/{id}/undrain" "operations" "Puts a vendor back" OneVendor { Path "id" String, "Id or alias"; Query "by" Option<String>, "Who orders it"; Query "reason" Option<String>, "Why"; }
        probe post "/v1/vendors/{id}/probe" "operations" "Asks a vendor one question now, inside its quota" OneVendor { Path "id" String, "Id or alias"; }
        priority post "/v1/vendors/{id}/priority" "operations" "Gives a vendor another place in the order" OneVendor { Path "id" String, "Id or alias"; Query "value" u32, "1 primary, 2 secondary, 3 backup, 999 off"; Query "by" Option<String>, "Who orders it"; Query "reason" Option<String>, "Why"; }
        maintenance post "/v1/vendors/{id}/maintenance" "operations" "Puts a vendor into maintenance, or ends it" OneVendor {
            Path "id" String, "Id or alias";
            Query "end" Option<String>, "RFC 3339 or a date; `now` ends it; until it is ended by hand unless given";
            Query "for" Option<String>, "Instead of an end, a span with its unit: 2h";
            Query "reason" Option<String>, "What is done; required to begin";
            Query "by" Option<String>, "Who orders it";
        }
        breaker post "/v1/vendors/{id}/breaker" "operations" "Forces a circuit breaker open, or resets it" OneVendor {
            Path "id" String, "Id or alias";
            Query "state" String, "open, closed";
            Query "endpoint" Option<String>, "That of one kind of question: quote, bars, trades, …";
            Query "end" Option<String>, "Until when it is forced open: RFC 3339 or a date; ten minutes from now unless given";
            Query "for" Option<String>, "Instead of an end, a span with its unit: 30m";
            Query "reason" Option<String>, "Why";
            Query "by" Option<String>, "Who orders it";
        }
        system_health get "/v1/health" "operations" "How the whole fares: vendors, circuit breakers, caches" SystemHealthTold {}
        service_levels get "/v1/service-levels" "operations" "What vendors and answers are judged by, over every span" LevelsAnswer {}
        cache get "/v1/cache" "operations" "What is in memory, and how it is used" CacheAnswer {}
        invalidate post "/v1/cache/invalidate" "operations" "Drops answers from memory, by tag" InvalidateAnswer {
            Query "instrument" Option<String>, "About this symbol";
            Query "vendor" Option<String>, "With a part by this vendor";
            Query "basis" Option<String>, "Of bars restated like this: raw, split, dividend, all";
            Query "namespace" Option<String>, "quotes, bars, trades, actions, news, reference";
            Query "all" Option<bool>, "Everything, where no tag is given";
        }
        costs get "/v1/costs" "operations" "What was spent, on what and for whom, and what could be saved" CostsAnswer {
            Query "start" Option<String>, "UTC date, included; the first of this month unless given";
            Query "end" Option<String>, "UTC date, not included; tomorrow unless given";
            Query "by" Option<String>, "vendor, consumer, endpoint, symbol, day, request";
            Query "format" Option<String>, "json, csv";
            Query "limit" Option<u64>, "Exchanges of a page, for by=request";
            Query "page_token" Option<String>, "The former page's next_page_token";
        }
        budgets get "/v1/budgets" "operations" "What may still be spent" BudgetList {}
        estimate post "/v1/estimate" "operations" "What a request would take, before anything is asked; words in the query or as a JSON object" EstimateAnswer {
            Query "kind" Option<String>, "quotes, bars, trades, news";
            Query "symbols" Option<String>, "Symbols, separated by commas; here or in the body";
            Query "interval" Option<String>, "1s 1m 5m 15m 30m 1h 4h 1d 1w 1mo";
            Query "start" Option<String>, "RFC 3339 or a date; included";
            Query "end" Option<String>, "RFC 3339 or a date; not included";
            Query "adjustment" Option<String>, "raw, split, dividend, all";
            Query "session" Option<String>, "regular, extended";
            Query "limit" Option<u64>, "Rows at most, of trades and news";
        }
        job get "/v1/jobs/{job_id}" "operations" "What became of a request that asked to be answered later" OneJob { Path "job_id" String, "Id of the job: Location of a 202, which every data address answers to `Prefer: respond-async`"; }
        healthz get "/healthz" "operations" "How the process fares" Alive {}
        readyz get "/readyz" "operations" "Whether anything can be served" Alive {}
        livez get "/livez" "operations" "Whether the process runs" Live {}
    }

    described! {
        Trouble as "application/json":
        root get "/" "compatibility" "What this is" RootAnswer {}
        health get "/health" "compatibility" "Health of all vendors" HealthAnswer {}
        old_sources get "/sources" "compatibility" "All vendors" SourcesAnswer {}
        sources_status get "/sources/status" "compatibility" "All vendors" SourcesAnswer {}
        price get "/price/{symbol}" "compatibility" "A price with its quality" PriceAnswer { Path "symbol" String, "Symbol"; }
        historical get "/historical/{symbol}" "compatibility" "Bars between two dates, both included" HistoryAnswer {
            Path "symbol" String, "Symbol";
            Query "start_date" Option<String>, "Date";
            Query "end_date" Option<String>, "Date";
            Query "interval" Option<String>, "1d, 1wk, 1mo, …";
        }
        validate get "/validate/{symbol}" "compatibility" "Whether a symbol exists, by vendor" ValidateAnswer { Path "symbol" String, "Symbol"; }
        symbols get "/symbols" "compatibility" "Known symbols" SymbolsAnswer { Query "limit" Option<u64>, "Symbols at most"; }
        api_health get "/api/v1/health" "compatibility" "Health of all vendors" HealthAnswer {}
        api_sources get "/api/v1/sources" "compatibility" "All vendors" SourcesAnswer {}
        api_sources_status get "/api/v1/sources/status" "compatibility" "All vendors" SourcesAnswer {}
        api_price get "/api/v1/price/{symbol}" "compatibility" "A price with its quality" PriceAnswer { Path "symbol" String, "Symbol"; }
        api_historical get "/api/v1/historical/{symbol}" "compatibility" "Bars between two dates, both included" HistoryAnswer {
            Path "symbol" String, "Symbol";
            Query "start_date" Option<String>, "Date";
            Query "end_date" Option<String>, "Date";
            Query "interval" Option<String>, "1d, 1wk, 1mo, …";
        }
        api_validate get "/api/v1/validate/{symbol}" "compatibility" "Whether a symbol exists, by vendor" ValidateAnswer { Path "symbol" String, "Symbol"; }
        api_symbols get "/api/v1/symbols" "compatibility" "Known symbols" SymbolsAnswer { Query "limit" Option<u64>, "Symbols at most"; }
    }
}

/// A policy word as a parameter; also accepted as the header `MDA-…`.
fn policy_word(word: &str) -> Parameter {
    ParameterBuilder::new()
        .name(word)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(format!("Policy word; also the header `MDA-{}`", word.replace('_', "-"))))
        .schema(Some(Object::with_type(Type::String)))
        .build()
}

/// The description of all addresses, of a version of the program.
pub fn description(version: &str) -> utoipa::openapi::OpenApi {
    let mut description = Description::openapi();
    description.info.version = version.to_owned();
    let headers = &mut description.components.get_or_insert_default().headers;
    for (name, what) in HEADERS {
        let text = Object::with_type(Type::String);
        headers.insert(
            name.to_owned(),
            RefOr::T(HeaderBuilder::new().schema(Some(text)).description(Some(what)).build()),
        );
    }
    for (path, item) in &mut description.paths.paths {
        let words: Vec<&str> = match path.as_str() {
            path if TABLES.iter().any(|table| table.path == path) => POLICY.into_iter().chain(FORM).collect(),
            path if path.ends_with("/price/{symbol}") || path.ends_with("/historical/{symbol}") => {
                POLICY.to_vec()
            }
            _ => continue,
        };
        let Some(operation) = &mut item.get else { continue };
        let listed = operation.parameters.get_or_insert_default();
        for word in words {
            if !listed.iter().any(|known| matches!(known, RefOr::T(known) if known.name == word)) {
                listed.push(RefOr::T(policy_word(word)));
            }
        }
    }
    for table in TABLES {
        table.complete(answer_at(&mut description, table.path));
    }
    let mut unready = answer_at(&mut description, "/readyz").clone();
    "Nothing can be served".clone_into(&mut unready.description);
    responses_at(&mut description, "/readyz").responses.insert("503".to_owned(), RefOr::T(unready));
    let page = Content::new(Some(Object::with_type(Type::String)));
    answer_at(&mut description, "/").content.insert("text/html".to_owned(), page.into());
    description
}

/// What a GET of a path answers, by status.
fn responses_at<'a>(description: &'a mut utoipa::openapi::OpenApi, path: &str) -> &'a mut Responses {
    let operation = description.paths.paths.get_mut(path).and_then(|item| item.get.as_mut());
    &mut operation.expect("the path is described").responses
}

/// The response of a GET that succeeds.
fn answer_at<'a>(description: &'a mut utoipa::openapi::OpenApi, path: &str) -> &'a mut Response {
    match responses_at(description, path).responses.get_mut("200") {
        Some(RefOr::T(response)) => response,
        Some(RefOr::Ref(_)) | None => unreachable!("every path describes its answer in place"),
    }
}

/// The table of errors as a page: `docs/reference/errors.md`.
pub fn errors_page() -> String {
    let mut page = String::from(
        "# Errors\n\nGenerated from the code: `UPDATE_DOCS=1 cargo test -p api` writes it, and a test compares \
         it.\nEvery refusal is `application/problem+json` with one of these codes.\n\n\
         | code | status | retryable | whose | severity | meaning |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for code in Code::ALL {
        page.push_str(&format!(
            "| `{}` | {} | {} | {} | {} | {} |\n",
            code.as_str(),
            code.status().as_u16(),
            if code.is_retryable() { "yes" } else { "no" },
            code.category().as_str(),
            code.severity(),
            code.title()
        ));
    }
    page
}

/// The pages of the documentation: `/openapi.json`, `/docs` and, for whoever looks there, `/redoc`.
pub fn pages(version: &str) -> Router {
    let redirect = axum::routing::get(|| async { axum::response::Redirect::to("/docs/") });
    Router::new()
        .merge(SwaggerUi::new("/docs").url("/openapi.json", description(version)))
        .route("/redoc", redirect)
}

#[cfg(test)]
mod tests {
    // API-1, API-6.
    use std::collections::BTreeSet;

    use super::*;
    use crate::routes::ROUTES;

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let json = serde_json::to_value(description("1.0.0")).unwrap();
        assert!(json["openapi"].as_str().unwrap().starts_with("3.1"));
        let mut described = BTreeSet::new();
        for (path, methods) in json["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                described.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        let routed: BTreeSet<String> =
            ROUTES.iter().map(|route| format!("{} {}", route.method, route.template)).collect();
        assert_eq!(described, routed);
    }

    #[test]
    fn the_pages_in_the_repository_are_those_the_code_writes() {
        let mut openapi = description(env!("CARGO_PKG_VERSION")).to_pretty_json().unwrap();
        openapi.push('\n');
        for (name, page) in [("openapi.json", openapi), ("errors.md", errors_page())] {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
            #[expect(clippy::disallowed_methods, reason = "the developer's word to write the page anew")]
            if std::env::var("UPDATE_DOCS").is_ok() {
                std::fs::write(folder.join(name), &page).unwrap();
            }
            let stored = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
            assert!(
                stored == page,
                "docs/reference/{name} is old; UPDATE_DOCS=1 cargo test -p api writes it"
            );
        }
    }

    #[test]
    fn no_route_stands_twice_in_the_list() {
        let all: Vec<(String, &str)> =
            ROUTES.iter().map(|route| (route.method.to_string(), route.template)).collect();
        let unique: BTreeSet<_> = all.iter().collect();
        assert_eq!(unique.len(), all.len());
    }
}
