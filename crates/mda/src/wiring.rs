//! Puts the parts together: production and simulation differ only in what stands behind the seams.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use config::{Configuration, Flags};
use domain::{Calendar, Calendars, Directory};
use gateway::{Clock, Entropy, Gateway, Seams, Shared, Store, Transport};
use secrecy::ExposeSecret;

use crate::arguments::Configured;

/// A variable of the environment.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads the configuration a command names.
///
/// # Errors
/// `config::Problems`, all of them at once.
pub(crate) fn configuration(configured: &Configured) -> Result<Configuration> {
    let flags = Flags {
        environment: configured.environment.clone(),
        listen: configured.listen,
        data: configured.data.clone(),
    };
    let base = match &configured.config {
        Some(path) => Some((path.display().to_string(), read(path)?)),
        None => None,
    };
    let overlay = match (&configured.config, &base) {
        (Some(path), Some((_, text))) => overlay(path, text, &flags)?,
        _ => None,
    };
    let parts = |pair: &Option<(String, String)>| pair.clone();
    let (base, overlay) = (parts(&base), parts(&overlay));
    let borrow = |pair: &'_ Option<(String, String)>| pair.as_ref().map(|(a, b)| (a.clone(), b.clone()));
    let (base, overlay) = (borrow(&base), borrow(&overlay));
    Ok(config::load(
        base.as_ref().map(|(name, text)| (name.as_str(), text.as_str())),
        overlay.as_ref().map(|(name, text)| (name.as_str(), text.as_str())),
        &variable,
        &flags,
    )?)
}

/// The overlay beside a base file, if its environment has one: `production.yaml`.
fn overlay(path: &Path, base: &str, flags: &Flags) -> Result<Option<(String, String)>> {
    let Some(name) = config::configuration::environment(Some(base), &variable, flags) else {
        return Ok(None);
    };
    let file = path.with_file_name(format!("{name}.yaml"));
    if file == path || !file.exists() {
        return Ok(None);
    }
    Ok(Some((file.display().to_string(), read(&file)?)))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        let mut problems = config::Problems::default();
        problems.add(path.display().to_string(), format!("cannot be read: {error}"));
        problems.into()
    })
}

/// Calendars built in, with those of files added or replaced.
///
/// # Errors
/// `config::Problems` for files that cannot be read.
pub(crate) fn calendars(files: &[PathBuf]) -> Result<Calendars> {
    let mut calendars = Calendars::built_in();
    let mut problems = config::Problems::default();
    for file in files {
        match Calendar::parse(&read(file)?) {
            Ok(calendar) => calendars.replace(calendar),
            Err(error) => problems.add(file.display().to_string(), error.to_string()),
        }
    }
    problems.into_result()?;
    Ok(calendars)
}

/// Opens a gateway over real storage and the given clock.
pub(crate) async fn gateway(
    configuration: Configuration,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> Result<Arc<Gateway>> {
    std::fs::create_dir_all(&configuration.data)
        .with_context(|| format!("the data folder {} cannot be made", configuration.data.display()))?;
    let calendars = Arc::new(calendars(&configuration.calendars)?);
    let options = storage::Options { calendars: Arc::clone(&calendars), ..storage::Options::default() };
    let sqlite = Arc::new(storage::Sqlite::open_with(&configuration.data, Arc::clone(&clock), options)?);
    let store: Arc<dyn Store> = Arc::clone(&sqlite) as Arc<dyn Store>;
    let transport = runtime::HttpTransport::new(runtime::transport::Settings::default(), Arc::clone(&clock))?;
    let transport: Arc<dyn Transport> = Arc::new(transport);
    let shared: Arc<dyn Shared> = match &configuration.shared {
        Some(sharing) => {
            Arc::new(storage::Redis::new(sharing.redis_url.expose_secret(), sharing.max_instances)?)
        }
        None => Arc::new(gateway::shared::Alone),
    };
    let seams = Seams { clock, transport, store, entropy, shared };
    let gateway = Gateway::open(seams, configuration.gateway, calendars, Directory::built_in()).await?;
    tokio::spawn(log_events(gateway.listen()));
    tokio::spawn(keep_house(Arc::clone(&gateway), sqlite));
    tokio::spawn(warm_up(Arc::clone(&gateway)));
    Ok(gateway)
}

/// Writes each event as one log line.
async fn log_events(mut events: tokio::sync::broadcast::Receiver<telemetry::Event>) {
    use telemetry::Severity;
    use tokio::sync::broadcast::error::RecvError;
    loop {
        match events.recv().await {
            Ok(event) => {
                let (kind, vendor) = (event.kind.as_str(), event.vendor.map(|vendor| vendor.as_str()));
                match event.kind.severity() {
                    Severity::Critical => tracing::error!(kind, vendor, "{}", event.kind),
                    Severity::Warning => tracing::warn!(kind, vendor, "{}", event.kind),
                    Severity::Info => tracing::info!(kind, vendor, "{}", event.kind),
                }
            }
            Err(RecvError::Lagged(missed)) => tracing::warn!("{missed} events were not logged in time"),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Work nobody waits for: rolls up what an earlier version left, then every quarter of an hour seals closed days
/// into blocks, drops what has passed its age, and looks whether the system clock has moved away from ours.
async fn keep_house(gateway: Arc<Gateway>, store: Arc<storage::Sqlite>) {
    const EVERY: Duration = Duration::from_secs(900);
    const CLOSED: Duration = Duration::from_secs(2 * 86_400);
    let reference = runtime::MachineClock::start();
    match store.roll_up().await {
        Ok(0) => {}
        Ok(count) => tracing::info!("{count} series from before there were rollups are rolled up"),
        Err(error) => tracing::warn!("stored series could not be rolled up: {error}"),
    }
    loop {
        let clock = gateway.clock();
        clock.sleep_until(clock.now() + EVERY).await;
        if let Err(error) = store.seal(clock.now() - CLOSED).await {
            tracing::warn!("closed days could not be sealed: {error}");
        }
        match store.retain(clock.now()).await {
            Ok(dropped) if dropped.is_nothing() => {}
            Ok(storage::Dropped { quotes, events }) => {
                tracing::info!("dropped {quotes} quotes after 30 days and {events} events after 6 months");
            }
            Err(error) => tracing::warn!("rows past their age could not be dropped: {error}"),
        }
        gateway.remember_asked_most().await;
        let drift = reference.drift();
        if drift.is_step() {
            gateway.clock_stepped(drift.ahead_ms);
        }
    }
}

/// Fetches what is likely to be asked for, beside whatever is asked already.
async fn warm_up(gateway: Arc<Gateway>) {
    match gateway.warm_up().await {
        0 => {}
        came => tracing::info!("{came} quotes are in memory before anybody asked"),
    }
}

/// An address that may hold a password, and the password.
fn secrets_of(url: &str) -> Vec<String> {
    let password = url.rsplit_once('@').and_then(|(before, _)| before.rsplit_once(':')).map(|(_, word)| word);
    [url, password.unwrap_or_default()].map(str::to_owned).to_vec()
}

/// Starts the log: every line on standard error, every secret masked.
pub(crate) fn log(configuration: &Configuration) {
    let secrets: Vec<String> = configuration
        .gateway
        .upstreams
        .iter()
        .filter_map(|upstream| upstream.key.as_ref())
        .map(|key| key.expose_secret().to_owned())
        .chain(configuration.shared.iter().flat_map(|sharing| secrets_of(sharing.redis_url.expose_secret())))
        .collect();
    let redactor = runtime::Redactor::new(secrets);
    let filter =
        tracing_subscriber::EnvFilter::new(format!("{},hyper=warn,reqwest=warn", configuration.log_level));
    // A second call (a demo after another in one process) keeps the first log.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(redactor.writer(std::io::stderr))
        .try_init();
}

/// Completes when the process is asked to stop: interrupt or termination.
pub(crate) async fn asked_to_stop() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Serves a gateway until `stop` completes, then lets it finish what it writes behind.
pub(crate) async fn serve(
    gateway: Arc<Gateway>,
    listener: tokio::net::TcpListener,
    simulated: bool,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let about = api::About { version: env!("CARGO_PKG_VERSION"), simulated };
    api::serve(listener, api::app(Arc::clone(&gateway), about), stop).await;
    gateway.close().await;
    Ok(())
}

/// Listens, or says who is in the way.
pub(crate) async fn listen(address: std::net::SocketAddr) -> Result<tokio::net::TcpListener> {
    tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("{address} cannot be listened on; choose another with --listen"))
}
