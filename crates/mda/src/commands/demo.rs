//! Everything from nothing: simulated vendors and the gateway on one shared clock, and a small story.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use config::Flags;
use domain::InstrumentId;
use gateway::{Entropy, Gateway, Policy, Request};
use simulator::{Fault, Simulator, Spell, World};
use vendors::Question;

use crate::arguments::Demo;
use crate::commands::simulate::{Behaviour, clock, configuration, market, plans, world};
use crate::{exit, wiring};

/// Where the simulated vendors listen, if the port is free.
const SIMULATOR: ([u8; 4], u16) = ([127, 0, 0, 1], 9000);

/// Runs until the process is asked to stop.
pub(crate) async fn run(demo: Demo) -> Result<u8> {
    let behaviour = Behaviour {
        market: demo.scenery.market.as_deref(),
        seed: demo.scenery.seed,
        plans: &[],
        faults: &demo.scenery.faults,
        chaos_seed: demo.scenery.chaos_seed,
        symbols: 0,
        latency: true,
        limits: true,
    };
    let market = Arc::new(market(&behaviour)?);
    let recording = demo.scenery.market.as_ref().map(|_| &*market);
    let clock = clock(demo.scenery.at.as_deref(), demo.scenery.speed, recording)?;
    let plans = plans(&behaviour)?;
    let listener = wiring::listen(demo.listen).await?;
    let vendors_at = match tokio::net::TcpListener::bind(std::net::SocketAddr::from(SIMULATOR)).await {
        Ok(listener) => listener,
        Err(_) => wiring::listen(([127, 0, 0, 1], 0).into()).await?,
    };
    let vendors_address = vendors_at.local_addr()?;
    let text = configuration(vendors_address, &plans, true);
    let world = Arc::new(world(&behaviour, Arc::clone(&market), plans, Arc::clone(&clock))?);
    let simulator = Simulator::start(vendors_at, Arc::clone(&world))?;

    let folder = tempfile::tempdir().context("no temporary folder")?;
    let data = demo.data.clone().unwrap_or_else(|| folder.path().to_owned());
    let flags = Flags { environment: None, listen: Some(demo.listen), data: Some(data.clone()) };
    let mut configuration = config::load(Some(("demo", &text)), None, &|_| None, &flags)?;
    configuration.log_level = "warn";
    wiring::log(&configuration);
    let entropy: Arc<dyn Entropy> = Arc::new(runtime::SeededEntropy::new(demo.scenery.seed));
    let gateway = wiring::gateway(configuration, Arc::clone(&clock), entropy).await?;
    let address = listener.local_addr()?;
    let known: Vec<&str> = market
        .instruments()
        .iter()
        .map(|instrument| instrument.id.name())
        .filter(|name| name.len() <= 4)
        .collect();
    let first = if known.contains(&"AAPL") { "AAPL" } else { known.first().copied().unwrap_or("AAPL") };
    welcome(address, vendors_address, &demo, &data, clock.now(), first);
    let server = tokio::spawn(wiring::serve(Arc::clone(&gateway), listener, true, wiring::asked_to_stop()));
    if !demo.quiet {
        story(&gateway, &world, first, clock.now()).await;
    }
    server.await.context("the server ended early")??;
    simulator.stop().await;
    Ok(exit::OK)
}

fn welcome(
    address: std::net::SocketAddr,
    vendors_address: std::net::SocketAddr,
    demo: &Demo,
    data: &std::path::Path,
    now: domain::Instant,
    symbol: &str,
) {
    let market = demo.scenery.market.as_ref().map_or_else(
        || format!("synthetic market, seed {}", demo.scenery.seed),
        |folder| format!("recorded market of {}", folder.display()),
    );
    let port = vendors_address.port();
    let simulator =
        if port == SIMULATOR.1 { String::new() } else { format!(" --simulator http://{vendors_address}") };
    println!("Market Data Agent {} — SIMULATED: {market}", env!("CARGO_PKG_VERSION"));
    println!("  gateway            http://{address}      docs http://{address}/docs");
    println!("  simulated vendors  http://{vendors_address}");
    println!("  clock              {now}, {} s per second", demo.scenery.speed);
    println!("  data               {}", data.display());
    println!();
    println!("Try, in another terminal:");
    println!("  curl 'http://{address}/v1/quotes/latest?symbols={symbol},MSFT'");
    println!(
        "  curl 'http://{address}/v1/bars?symbols={symbol}&interval=1d&start=2015-01-12&end=2017-12-30'"
    );
    println!("  curl 'http://{address}/v1/compare?symbol={symbol}'");
    println!("  mda vendors --server http://{address}");
    println!("  mda chaos outage polygon --for 60s{simulator}");
    println!();
}

/// A vendor fails, answers go on, the reason is visible.
async fn story(gateway: &Arc<Gateway>, world: &Arc<World>, symbol: &str, now: domain::Instant) {
    println!("A small story:");
    let Ok(instrument) = gateway.directory().resolve(symbol, None) else { return };
    let Some(vendor) = ask(gateway, &instrument, "Everything works.").await else { return };
    let spell = Spell { vendor, fault: Fault::Outage, from: now, until: now + Duration::from_secs(15) };
    world.faults.begin(spell);
    println!("  {vendor} has an outage.");
    let other = if symbol == "MSFT" { "AAPL" } else { "MSFT" };
    if let Ok(other) = gateway.directory().resolve(other, None) {
        // Pinned to the failing vendor first, as an unlucky order would have it.
        ask_through(
            gateway,
            &other,
            Policy { vendors: vec![vendor], failover: gateway::Failover::Any, ..Policy::default() },
            "The next question still has its answer.",
        )
        .await;
    }
    world.faults.end(vendor);
    println!("  {vendor} is back.");
    println!();
}

async fn ask(gateway: &Arc<Gateway>, instrument: &InstrumentId, saying: &str) -> Option<domain::VendorId> {
    ask_through(gateway, instrument, Policy::default(), saying).await
}

async fn ask_through(
    gateway: &Arc<Gateway>,
    instrument: &InstrumentId,
    policy: Policy,
    saying: &str,
) -> Option<domain::VendorId> {
    let request = Request {
        id: gateway.new_request_id(),
        question: Question::Quotes { instruments: vec![instrument.clone()], bid_ask: true },
        policy,
        received_at: gateway.now(),
    };
    match gateway.answer(&request).await {
        Ok(served) => {
            let vendors::Data::Quotes(rows) = &served.answer.data else { return None };
            let price = rows.first().and_then(|row| row.quote.as_ref().ok()?.price());
            let vendor = served.answer.vendor()?;
            let price = price.map_or_else(|| "no price".to_owned(), |price| price.to_string());
            println!("  {saying} {instrument} {price} from {vendor}, grade {}.", served.grade.letter);
            for note in &served.answer.decision.notes {
                println!("    {note}");
            }
            println!("    mda explain {}", request.id);
            Some(vendor)
        }
        Err(unanswered) => {
            println!("  {instrument}: {unanswered}");
            None
        }
    }
}
