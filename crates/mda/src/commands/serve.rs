//! Runs the gateway.

use std::sync::Arc;

use anyhow::Result;
use gateway::{Clock, Entropy};

use crate::arguments::Serve;
use crate::{exit, wiring};

/// Runs until the process is asked to stop.
pub(crate) async fn run(serve: Serve) -> Result<u8> {
    let configuration = wiring::configuration(&serve.configured)?;
    wiring::log(&configuration);
    for notice in &configuration.notices {
        tracing::warn!("{notice}");
    }
    let address = configuration.listen;
    let listener = wiring::listen(address).await?;
    let clock: Arc<dyn Clock> = Arc::new(runtime::MachineClock::start());
    let entropy: Arc<dyn Entropy> = Arc::new(runtime::MachineEntropy::from_system());
    let gateway = wiring::gateway(configuration, clock, entropy).await?;
    for upstream in gateway.upstreams() {
        let settings = &upstream.settings;
        let state = match (settings.enabled, settings.is_retired(), settings.missing_key()) {
            (false, ..) => "switched off".to_owned(),
            (_, true, _) => "retired: its official host is closed".to_owned(),
            (_, _, Some(variable)) => format!("unconfigured: set {variable}"),
            _ => format!("in use, plan {}", settings.plan.name),
        };
        tracing::info!("{}: {state}", upstream.vendor());
    }
    let bound = listener.local_addr()?;
    tracing::info!("listening on http://{bound}");
    println!("mda listens on http://{bound}");
    let simulated = gateway.upstreams().any(|upstream| upstream.is_simulated());
    wiring::serve(gateway, listener, simulated, wiring::asked_to_stop()).await?;
    Ok(exit::OK)
}
