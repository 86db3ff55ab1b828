//! Runs simulated vendors: a process of its own that any gateway can be pointed at.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use domain::{Directory, Instant, Range, VendorId, Venue};
use gateway::{Clock, Entropy};
use simulator::{
    Bottle, Fault, Faults, Journal, Latency, Market, Schedule, SeededEntropy, Simulator, Spell, World,
};
use vendors::{Codec, Plan};

use crate::arguments::Simulate;
use crate::{exit, wiring};

/// Plans of the simulated vendors unless others are chosen: two real-time ones with bid and ask, one of five
/// calls a minute.
const PLANS: &[(&str, &str)] = &[
    ("alpha_vantage", "free"),
    ("finnhub", "premium"),
    ("polygon", "premium"),
    ("twelve_data", "free"),
    ("yahoo", "public"),
];

/// Requests the journal remembers.
const JOURNAL: usize = 1_000_000;

/// How the simulated vendors behave.
pub(crate) struct Behaviour<'a> {
    /// Recording to replay; the synthetic market if none.
    pub market: Option<&'a Path>,
    /// Seed of everything random.
    pub seed: u64,
    /// `VENDOR=PLAN`.
    pub plans: &'a [String],
    /// Invented shares besides the built-in names of the synthetic market.
    pub symbols: u16,
    /// Whether replies take their time.
    pub latency: bool,
    /// Faults to come, `VENDOR:FAULT@AFTER+FOR`.
    pub faults: &'a [String],
    /// Seed of faults drawn at random.
    pub chaos_seed: Option<u64>,
    /// Whether limits are enforced.
    pub limits: bool,
}

/// Runs until the process is asked to stop.
pub(crate) async fn run(simulate: Simulate) -> Result<u8> {
    let behaviour = Behaviour {
        market: simulate.scenery.market.as_deref(),
        seed: simulate.scenery.seed,
        plans: &simulate.plans,
        faults: &simulate.scenery.faults,
        chaos_seed: simulate.scenery.chaos_seed,
        symbols: simulate.symbols,
        latency: !simulate.no_latency,
        limits: !simulate.unlimited,
    };
    let plans = plans(&behaviour)?;
    if simulate.print_config {
        print!("{}", configuration(simulate.listen, &plans, behaviour.limits));
        return Ok(exit::OK);
    }
    let market = Arc::new(market(&behaviour)?);
    let clock = clock(simulate.scenery.at.as_deref(), simulate.scenery.speed, None)?;
    let world = Arc::new(world(&behaviour, market, plans, clock)?);
    let listener = wiring::listen(simulate.listen).await?;
    let simulator = Simulator::start(listener, Arc::clone(&world))?;
    println!("SIMULATED vendors on http://{}", simulator.address());
    for bottle in &world.bottles {
        println!("  {:<14} {}", bottle.vendor(), simulator.base_url(bottle.vendor()));
    }
    println!("journal: http://{}/_sim/journal", simulator.address());
    println!(
        "configuration for a gateway: mda simulate --print-config > vendors.yaml && mda serve --config vendors.yaml"
    );
    wiring::asked_to_stop().await;
    simulator.stop().await;
    Ok(exit::OK)
}

/// The market behind the vendors.
pub(crate) fn market(behaviour: &Behaviour<'_>) -> Result<Market> {
    match behaviour.market {
        Some(folder) => Market::load(folder)
            .map_err(|error| exit::Failed { code: exit::CONFIGURATION, what: error.to_string() }.into()),
        None => {
            let mut directory = Directory::built_in();
            directory.extend(simulator::market::invented(behaviour.symbols));
            Ok(Market::synthetic(behaviour.seed, &directory))
        }
    }
}

/// The plan of each vendor.
pub(crate) fn plans(behaviour: &Behaviour<'_>) -> Result<Vec<(&'static dyn Codec, Plan)>> {
    let mut chosen: Vec<(String, String)> = Vec::new();
    for text in behaviour.plans {
        let (vendor, plan) =
            text.split_once('=').ok_or_else(|| exit::malformed(format!("`{text}`: write VENDOR=PLAN")))?;
        let Some(codec) = vendors::find(vendor) else {
            return Err(exit::no_vendor(vendor).into());
        };
        chosen.push((codec.profile().id.to_string(), plan.to_owned()));
    }
    vendors::ALL
        .iter()
        .map(|codec| {
            let id = codec.profile().id.as_str();
            let plans = config::plans::of(*codec)?;
            let name = chosen
                .iter()
                .find(|(vendor, _)| vendor == id)
                .map(|(_, plan)| plan.as_str())
                .or_else(|| PLANS.iter().find(|(vendor, _)| *vendor == id).map(|(_, plan)| *plan))
                .unwrap_or(&plans.default);
            let mut plan = plans
                .find(name)
                .ok_or_else(|| {
                    let names = plans.names().join(", ");
                    exit::malformed(format!("{id} has no plan `{name}`; there are {names}"))
                })?
                .clone();
            if !behaviour.limits {
                plan.limits.clear();
            }
            Ok((*codec, plan))
        })
        .collect()
}

/// The key a simulated vendor accepts.
pub(crate) fn key_of(codec: &dyn Codec) -> String {
    format!("simulated-key-of-{}", codec.profile().id)
}

/// The world: market, vendors, clock, faults, journal.
pub(crate) fn world(
    behaviour: &Behaviour<'_>,
    market: Arc<Market>,
    plans: Vec<(&'static dyn Codec, Plan)>,
    clock: Arc<dyn Clock>,
) -> Result<World> {
    let bottles = plans
        .into_iter()
        .enumerate()
        .map(|(index, (codec, plan))| {
            let bottle = Bottle::new(codec, plan, vec![key_of(codec)]);
            if !behaviour.latency {
                return bottle;
            }
            // Each vendor has a pace of its own, as real ones do.
            let floor = Duration::from_millis(15 + 7 * index as u64);
            bottle.with_latency(Latency { floor, mean_extra: Duration::from_millis(12) })
        })
        .collect();
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(behaviour.seed));
    let faults = Arc::new(Faults::scheduled(spells(behaviour, clock.now())?));
    Ok(World { market, bottles, clock, entropy, faults, journal: Arc::new(Journal::new(JOURNAL)) })
}

/// The faults to come: those written down, and those drawn for a week.
fn spells(behaviour: &Behaviour<'_>, now: Instant) -> Result<Vec<Spell>> {
    const WEEK: Duration = Duration::from_secs(7 * 86_400);
    let mut spells = behaviour.faults.iter().map(|text| spell(text, now)).collect::<Result<Vec<Spell>>>()?;
    if let Some(seed) = behaviour.chaos_seed {
        let vendors: Vec<VendorId> = vendors::ALL.iter().map(|codec| codec.profile().id).collect();
        spells.extend(Schedule::everything().draw(seed, &vendors, Range::new(now, now + WEEK)));
    }
    Ok(spells)
}

/// Reads `VENDOR:FAULT@AFTER+FOR`.
fn spell(text: &str, now: Instant) -> Result<Spell> {
    let shape = || {
        let right = "write VENDOR:FAULT@AFTER+FOR, like polygon:outage@30s+60s";
        exit::malformed(format!("`{text}`: {right}"))
    };
    let (vendor, rest) = text.split_once(':').ok_or_else(shape)?;
    let (fault, times) = rest.split_once('@').ok_or_else(shape)?;
    let (after, length) = times.split_once('+').ok_or_else(shape)?;
    let vendor = vendors::find(vendor).ok_or_else(|| exit::no_vendor(vendor))?.profile().id;
    let fault = Fault::parse(fault).ok_or_else(|| {
        exit::malformed(format!("`{fault}` is no fault; there are {}", Fault::WORDS.join(", ")))
    })?;
    let from = now + config::text::duration(after).ok_or_else(shape)?;
    Ok(Spell { vendor, fault, from, until: from + config::text::duration(length).ok_or_else(shape)? })
}

/// The clock: the machine's own, or one that starts elsewhere or runs faster. A recording without a given
/// start begins an hour into a session near its end.
pub(crate) fn clock(at: Option<&str>, speed: f64, recording: Option<&Market>) -> Result<Arc<dyn Clock>> {
    let machine = runtime::MachineClock::start();
    let start = match (at, recording.and_then(Market::span)) {
        (Some(text), _) => Instant::parse(text).ok_or_else(|| {
            let right = "write RFC 3339, 2017-06-01T15:00:00Z, or a date";
            exit::malformed(format!("`{text}` is no instant: {right}"))
        })?,
        (None, Some(span)) => {
            let calendars = domain::Calendars::built_in();
            let near_the_end = span.start + span.length().mul_f64(0.9);
            let open = calendars.of(Venue::US).and_then(|calendar| calendar.next_open(near_the_end));
            open.unwrap_or(near_the_end) + Duration::from_secs(3_600)
        }
        (None, None) if speed == 1.0 => return Ok(Arc::new(machine)),
        (None, None) => machine.now(),
    };
    Ok(Arc::new(runtime::ScaledClock::start(start, speed)?))
}

/// A configuration for a gateway that uses these vendors.
pub(crate) fn configuration(
    address: SocketAddr,
    plans: &[(&'static dyn Codec, Plan)],
    limits: bool,
) -> String {
    let mut text = String::from("# Vendors simulated by `mda simulate`. Not a real market.\ndata_sources:\n");
    for (codec, plan) in plans {
        let profile = codec.profile();
        let _ = writeln!(text, "  {}:", profile.id);
        let _ = writeln!(text, "    base_url: http://{address}/{}", profile.id);
        let _ = writeln!(text, "    plan: {}", plan.name);
        let _ = writeln!(text, "    sandbox: true");
        if !profile.key_variables.is_empty() {
            let _ = writeln!(text, "    api_key: {}", key_of(*codec));
        }
        if !limits {
            let _ = writeln!(text, "    rate_limits: []");
        }
    }
    text
}
