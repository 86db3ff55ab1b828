//! Whether the process lives and can serve. Never asks a vendor.

use gateway::Gateway;
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::{Call, Reply};
use crate::error::Problem;

/// Health of the process.
#[derive(Serialize, ToSchema)]
pub struct Alive {
    /// `ok`, or `unavailable` where nothing can be served.
    pub status: &'static str,
    /// Version of the program.
    pub version: &'static str,
    /// Whether everything here is simulated.
    pub simulated: bool,
    /// Time since the start, in milliseconds.
    pub uptime_ms: u64,
    /// Vendors that could be asked now.
    pub vendors_ready: usize,
    /// Vendors that are switched on.
    pub vendors_enabled: usize,
}

/// The answer of `/livez`.
#[derive(Serialize, ToSchema)]
pub struct Live {
    /// Whether everything here is simulated.
    pub simulated: bool,
    /// `ok`.
    pub status: &'static str,
}

fn alive(call: &Call) -> Alive {
    let ready = ready_vendors(&call.gateway);
    Alive {
        status: if ready > 0 { "ok" } else { "unavailable" },
        version: call.about.version,
        simulated: call.about.simulated,
        uptime_ms: crate::meta::millis(call.gateway.now().since(call.gateway.started_at())),
        vendors_ready: ready,
        vendors_enabled: call.gateway.upstreams().filter(|upstream| upstream.settings.enabled).count(),
    }
}

/// How many vendors could be asked something now: switched on, with their key, not drained, their breaker
/// letting calls through.
pub fn ready_vendors(gateway: &Gateway) -> usize {
    let now = gateway.now();
    gateway.upstreams().filter(|upstream| crate::vendors_told::is_available(upstream, now)).count()
}

/// The process runs.
pub async fn live(call: Call) -> Result<Reply, Problem> {
    Ok(Reply::json(&Live { simulated: call.about.simulated, status: "ok" }))
}

/// The process runs, and how it fares.
pub async fn health(call: Call) -> Result<Reply, Problem> {
    Ok(Reply::json(&alive(&call)))
}

/// Something can be served: from the store, from memory, or by a vendor.
pub async fn ready(call: Call) -> Result<Reply, Problem> {
    let alive = alive(&call);
    let mut reply = Reply::json(&alive);
    if alive.vendors_ready == 0 {
        reply.status = http::StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(reply)
}
