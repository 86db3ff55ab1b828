//! Asks a gateway over HTTP: a running one, or one opened in this process for the one question.

use std::sync::Arc;

use anyhow::{Context, Result};
use gateway::{Clock, Entropy};
use serde_json::Value;

use crate::arguments::Asked;
use crate::{exit, wiring};

/// Where a gateway is looked for unless the caller names one.
const USUAL: &str = "http://127.0.0.1:8000";

/// Nobody listens there.
#[derive(Debug, thiserror::Error)]
#[error("no gateway answers at {0}; start one with `mda demo` or `mda serve`")]
pub(crate) struct Refused(pub String);

/// A reply: its status and its JSON.
pub(crate) struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

/// Sends an order to a running gateway; without one there is nobody to give it to.
pub(crate) async fn order(asked: &Asked, path: &str, query: &[(&str, String)]) -> Result<Reply> {
    runtime::install_tls();
    let http = reqwest::Client::builder().no_proxy().build().context("no HTTP client")?;
    let base = asked.server.as_deref().unwrap_or(USUAL).trim_end_matches('/').to_owned();
    let mut request = http.post(format!("{base}{path}")).query(query);
    if let Some(key) = &asked.key {
        request = request.bearer_auth(key);
    }
    match request.send().await {
        Ok(response) => read(response).await,
        Err(error) if error.is_connect() => Err(Refused(base).into()),
        Err(error) => Err(error.without_url()).context("the gateway did not answer"),
    }
}

/// Asks for a path with query parameters and the caller's policy words.
pub(crate) async fn get(asked: &Asked, path: &str, query: &[(&str, String)]) -> Result<Reply> {
    send(reqwest::Method::GET, asked, path, query).await
}

/// The same with POST.
pub(crate) async fn post(asked: &Asked, path: &str, query: &[(&str, String)]) -> Result<Reply> {
    send(reqwest::Method::POST, asked, path, query).await
}

async fn send(method: reqwest::Method, asked: &Asked, path: &str, query: &[(&str, String)]) -> Result<Reply> {
    let mut query: Vec<(String, String)> =
        query.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    for word in &asked.policy {
        let (name, value) = word
            .split_once('=')
            .ok_or_else(|| exit::malformed(format!("`{word}` is no policy word: write NAME=VALUE")))?;
        query.push((name.to_owned(), value.to_owned()));
    }
    runtime::install_tls();
    let http = reqwest::Client::builder().no_proxy().build().context("no HTTP client")?;
    let base = asked.server.as_deref().unwrap_or(USUAL).trim_end_matches('/').to_owned();
    let mut request = http.request(method.clone(), format!("{base}{path}")).query(&query);
    if let Some(key) = &asked.key {
        request = request.bearer_auth(key);
    }
    match request.send().await {
        Ok(response) => read(response).await,
        Err(error) if error.is_connect() && asked.server.is_none() => {
            alone(method, asked, &http, path, &query).await
        }
        Err(error) if error.is_connect() => Err(Refused(base).into()),
        Err(error) => Err(error.without_url()).context("the gateway did not answer"),
    }
}

async fn read(response: reqwest::Response) -> Result<Reply> {
    let status = response.status().as_u16();
    let body =
        response.json().await.map_err(reqwest::Error::without_url).context("the gateway sent no JSON")?;
    Ok(Reply { status, body })
}

/// Opens a gateway on a loopback port of its own for one question.
async fn alone(
    method: reqwest::Method,
    asked: &Asked,
    http: &reqwest::Client,
    path: &str,
    query: &[(String, String)],
) -> Result<Reply> {
    let mut configuration = wiring::configuration(&asked.configured)?;
    // Whoever may read the configuration asks for themselves: no key is needed.
    configuration.gateway.spending.consumers.clear();
    let clock: Arc<dyn Clock> = Arc::new(runtime::MachineClock::start());
    let entropy: Arc<dyn Entropy> = Arc::new(runtime::MachineEntropy::from_system());
    let gateway = wiring::gateway(configuration, clock, entropy).await?;
    let listener = wiring::listen(([127, 0, 0, 1], 0).into()).await?;
    let base = format!("http://{}", listener.local_addr()?);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(wiring::serve(gateway, listener, false, async move {
        // Either end of the channel going away means that the question is answered.
        let _ = stopped.await;
    }));
    let reply = match http.request(method, format!("{base}{path}")).query(query).send().await {
        Ok(response) => read(response).await,
        Err(error) => Err(error.without_url()).context("the gateway did not answer"),
    };
    let _ = stop.send(());
    server.await.context("the gateway ended early")??;
    reply
}
