//! Every address, once. The router is built from this list, and the OpenAPI document is compared with it.

use futures_util::FutureExt;
use http::Method;

use crate::call::Handler;
use crate::{
    bars, cache_told, compare, compat, costs, estimate, health, jobs, lists, ops, orders, quotes, records,
    reference, rollups, vendors_told,
};

/// In whose words an address speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Ours.
    Native,
    /// Those of the systems people come from.
    Compatible,
}

impl Dialect {
    /// The dialect of a template, or of a path nobody knows: ours, but below `/api/v1`.
    pub fn of(path: &str) -> Dialect {
        match ROUTES.iter().find(|route| route.template == path) {
            Some(route) => route.dialect,
            None if path.starts_with("/api/v1/") => Dialect::Compatible,
            None => Dialect::Native,
        }
    }
}

/// One method of one address.
pub struct Route {
    /// Method.
    pub method: Method,
    /// Path with names in braces.
    pub template: &'static str,
    /// In whose words.
    pub dialect: Dialect,
    /// How it answers.
    pub answer: Handler,
}

macro_rules! routes {
    ($($dialect:ident $method:ident $template:literal => $answer:path,)*) => {
        /// Every address.
        pub static ROUTES: &[Route] = &[$(
            Route {
                method: Method::$method,
                template: $template,
                dialect: Dialect::$dialect,
                answer: |call| $answer(call).boxed(),
            },
        )*];
    };
}

routes! {
    Native GET "/v1/quotes/latest" => quotes::latest,
    Native GET "/v1/bars" => bars::bars,
    Native GET "/v1/trades" => lists::trades,
    Native GET "/v1/news" => lists::news,
    Native GET "/v1/corporate-actions" => lists::corporate_actions,
    Native GET "/v1/rollups" => rollups::rollups,
    Native GET "/v1/calendar" => reference::calendar,
    Native GET "/v1/instruments/search" => reference::search,
    Native GET "/v1/instruments/resolve" => reference::resolve,
    Native GET "/v1/compare" => compare::compare,
    Native GET "/v1/explain/{request_id}" => records::explain,
    Native GET "/v1/attempts" => records::attempts,
    Native GET "/v1/failures" => records::failures,
    Native GET "/v1/events" => records::events,
    Native GET "/v1/vendors" => vendors_told::list,
    Native GET "/v1/sources" => vendors_told::list,
    Native GET "/v1/vendors/{id}" => vendors_told::one,
    Native POST "/v1/vendors/{id}/drain" => vendors_told::drain,
    Native POST "/v1/vendors/{id}/undrain" => vendors_told::undrain,
    Native POST "/v1/vendors/{id}/probe" => vendors_told::probe,
    Native POST "/v1/vendors/{id}/priority" => vendors_told::priority,
    Native GET "/v1/health" => health::system,
    Native GET "/v1/service-levels" => health::levels,
    Native GET "/v1/cache" => cache_told::cache,
    Native POST "/v1/cache/invalidate" => cache_told::invalidate,
    Native GET "/v1/costs" => costs::costs,
    Native GET "/v1/budgets" => costs::budgets,
    Native POST "/v1/estimate" => estimate::estimate,
    Native POST "/v1/vendors/{id}/maintenance" => orders::maintenance,
    Native POST "/v1/vendors/{id}/breaker" => orders::breaker,
    Native GET "/v1/jobs/{job_id}" => jobs::one,
    Native GET "/healthz" => ops::health,
    Native GET "/readyz" => ops::ready,
    Native GET "/livez" => ops::live,
    Compatible GET "/" => compat::root,
    Compatible GET "/health" => compat::health,
    Compatible GET "/sources" => compat::sources,
    Compatible GET "/sources/status" => compat::sources,
    Compatible GET "/price/{symbol}" => compat::price,
    Compatible GET "/historical/{symbol}" => compat::historical,
    Compatible GET "/validate/{symbol}" => compat::validate,
    Compatible GET "/symbols" => compat::symbols,
    Compatible GET "/api/v1/health" => compat::health,
    Compatible GET "/api/v1/sources" => compat::sources,
    Compatible GET "/api/v1/sources/status" => compat::sources,
    Compatible GET "/api/v1/price/{symbol}" => compat::price,
    Compatible GET "/api/v1/historical/{symbol}" => compat::historical,
    Compatible GET "/api/v1/validate/{symbol}" => compat::validate,
    Compatible GET "/api/v1/symbols" => compat::symbols,
}
