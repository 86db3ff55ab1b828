//! A trial: the real gateway among simulated vendors, through days of trouble that one seed draws.
//!
//! Callers come ten a second, vendors fail, the disk is full, the gateway is stopped, crashes and comes back with
//! a clock that has stepped. Time is virtual, so on a current-thread runtime with paused time days pass in
//! minutes and the same seed writes the same log. A [`Checker`] looks on from the vendors' side.

mod callers;
mod log;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::{Calendars, Directory, Instant, Range, VendorId};
use gateway::{
    Address, Clock, Entropy, Gateway, Pending, Request, Seams, Served, Settings, Store, Transport,
    TransportError, Unanswered,
};
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use vendors::{HttpRequest, HttpResponse};

use crate::bottle::{Bottle, Latency};
use crate::checker::{Asked, Checker, Scene, Summary, Violation};
use crate::clock::{ShiftedClock, VirtualClock};
use crate::fault::{Fault, Faults, Schedule, Spell};
use crate::journal::Journal;
use crate::market::{Dice, Market};
use crate::store::MemoryStore;
use crate::{SeededEntropy, SimulatedTransport, World};
use callers::Callers;
pub use log::Log;

/// The gateway's configuration in a trial: five vendors of very different plans, and a budget that in every third world
/// is spent within hours. The text of a YAML file.
pub fn configuration(seed: u64) -> String {
    let day = day_usd(seed);
    format!(
        "{VENDORS}budgets: {{month_usd: 60000, day_usd: {day}, vendors: {{polygon: {{month_usd: 60000}}}}}}\n"
    )
}

/// What may be spent in a day, in US dollars.
fn day_usd(seed: u64) -> u64 {
    if seed % 3 == 2 { 60 } else { 2_000 }
}

const VENDORS: &str = "\
data_sources:
  alpha_vantage: {base_url: 'http://vendors/alpha_vantage', plan: free, sandbox: true, api_key: key-of-alpha}
  finnhub: {base_url: 'http://vendors/finnhub', plan: premium, sandbox: true, api_key: key-of-finnhub}
  iex_cloud: {enabled: false}
  polygon: {base_url: 'http://vendors/polygon', plan: premium, sandbox: true, api_key: key-of-polygon}
  twelve_data:
    base_url: 'http://vendors/twelve_data'
    plan: free
    sandbox: true
    api_key: key-of-twelve
    rate_limits: [{count: 24, per: minute}, {count: 30000, per: day}]
  yahoo: {base_url: 'http://vendors/yahoo', plan: public, sandbox: true}
";

/// Before the trial ends the trouble does: so long is everything well again, that what was taken can come back. A short
/// trial has less of it.
const QUIET: Duration = Duration::from_secs(25 * 60);
/// The vendor that hangs in every world.
const HANGS: &str = "finnhub";
/// At the very end the callers ask for all that the plans allow.
const FULL_USE: Duration = Duration::from_secs(4 * 60);

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// Draws everything.
    pub seed: u64,
    /// When it begins.
    pub start: Instant,
    /// How long it lasts.
    pub length: Duration,
    /// Whether it ends with the first broken promise.
    pub until_broken: bool,
}

impl Trial {
    /// A trial that begins in a New York session.
    pub fn new(seed: u64, length: Duration) -> Trial {
        let start = Instant::parse("2026-03-09T14:00:00Z").expect("a well-formed instant");
        Trial { seed, start, length, until_broken: false }
    }
}

/// How it went.
#[derive(Debug)]
pub struct Report {
    /// What was counted.
    pub summary: Summary,
    /// What was broken, in order.
    pub violations: Vec<Violation>,
    /// Hash of the log, the same for the same seed.
    pub log_hash: u64,
    /// Times the gateway was opened.
    pub lives: u32,
}

/// One process of the gateway: ends with a crash, or in good order.
struct Life {
    gateway: Arc<Gateway>,
    store: Arc<MemoryStore>,
    ended: Arc<AtomicBool>,
    /// How far its clock is ahead of the true time, in nanoseconds.
    skew: i64,
}

/// The network as one process sees it, by its own clock.
struct LifeTransport {
    inner: SimulatedTransport,
    ended: Arc<AtomicBool>,
    skew: i64,
}

impl Transport for LifeTransport {
    fn send<'a>(
        &'a self,
        to: Address<'a>,
        request: HttpRequest,
        deadline: Instant,
    ) -> Pending<'a, Result<HttpResponse, TransportError>> {
        let deadline = shifted(deadline, -self.skew);
        Box::pin(async move {
            if self.ended.load(Ordering::Relaxed) {
                return Err(TransportError::Connect);
            }
            self.inner.send(to, request, deadline).await
        })
    }
}

pub(crate) fn shifted(at: Instant, by: i64) -> Instant {
    Instant::from_nanos(at.as_nanos().saturating_add(by))
}

/// What all tasks of a trial share.
struct Stage {
    clock: Arc<dyn Clock>,
    checker: Mutex<Checker>,
    log: Mutex<Log>,
}

impl Stage {
    fn report(&self, lives: u64) -> Report {
        let (summary, violations) = self.checker.lock().result();
        let lives = u32::try_from(lives).unwrap_or(u32::MAX);
        Report { summary, violations, log_hash: self.log.lock().hash(), lives }
    }
}

/// Runs a trial to its end. `settings` are those of [`configuration`], made anew for every process.
///
/// # Errors
/// Whatever keeps the gateway from opening.
pub async fn run(
    trial: Trial,
    log: Log,
    settings: &dyn Fn() -> Settings,
) -> Result<Report, gateway::StoreError> {
    let clock: Arc<dyn Clock> = Arc::new(VirtualClock::starting_at(trial.start));
    let dice = Dice::new(trial.seed);
    let end = trial.start + trial.length;
    let (quiet, full_use) = (QUIET.min(trial.length / 4), FULL_USE.min(trial.length / 8));
    let trouble = Range::new(trial.start, end - quiet - full_use);
    let market = Arc::new(Market::synthetic(trial.seed, &Directory::built_in()));
    let configured = settings();
    let bottles = bottles(&configured, dice);
    let spells = spells(trial.seed, &bottles, trouble);
    let world = Arc::new(World {
        market: Arc::clone(&market),
        bottles,
        clock: Arc::clone(&clock),
        entropy: Arc::new(SeededEntropy::new(trial.seed)),
        faults: Arc::new(Faults::scheduled(spells.clone())),
        journal: Arc::new(Journal::new(200_000)),
    });
    let disks = disk_spells(dice.named("disk"), trouble);
    let scene = Scene::of(&configured, Arc::clone(&market), spells.clone(), Calendars::built_in())
        .with_budget(day_usd(trial.seed) * 1_000_000, disks.clone());
    let stage = Arc::new(Stage {
        clock: Arc::clone(&clock),
        checker: Mutex::new(Checker::new(scene)),
        log: Mutex::new(log),
    });
    for spell in &spells {
        stage.log.lock().line(format_args!("{} {} {}", spell.from, spell.vendor, spell.fault.as_str()));
    }
    let mut restarts = Restarts::new(dice.named("restart"), trouble);
    let mut callers = Callers::new(dice.named("callers"), &market, trial.start);
    let store = MemoryStore::new(Arc::clone(&clock));
    let mut life = open(&world, &store, settings(), 0, dice.at(0)).await?;
    let mut lives = 1;
    let mut seen = 0;
    let mut next_look = trial.start;
    loop {
        let (restart_at, how) = restarts.next;
        let at = callers.next_at().min(restart_at).min(next_look).min(end);
        clock.sleep_until(at).await;
        let now = clock.now();
        if now >= next_look {
            next_look = now + Duration::from_secs(1);
            store.fail_writes(disks.iter().any(|full| full.contains(now)));
            look(&stage, &world, &store, &mut seen, now, life.skew);
        }
        if now >= end {
            break;
        }
        if trial.until_broken && stage.checker.lock().is_broken() {
            return Ok(stage.report(lives));
        }
        if now >= restart_at {
            restarts.advance();
            // A store that cannot be written cannot tell the next process what this one sent.
            if disks.iter().any(|full| full.start <= now && now < full.end + Duration::from_secs(120)) {
                continue;
            }
            if how.in_good_order {
                // Requests under way are let end, as the server does; nobody new is accepted.
                clock.sleep_until(now + Duration::from_secs(11)).await;
                life.gateway.close().await;
            }
            life.ended.store(true, Ordering::Relaxed);
            life.store.end_process();
            clock.sleep_until(clock.now() + how.down).await;
            let now = clock.now();
            stage.log.lock().line(format_args!("{now} restart {how:?}"));
            stage.checker.lock().restarted(now, how.skew);
            lives += 1;
            life = open(&world, &store, settings(), how.skew, dice.at(lives)).await?;
            callers.skip_to(clock.now());
            continue;
        }
        let saturate = now >= end - full_use;
        while callers.next_at() <= now {
            for asked in callers.draw(saturate) {
                call(&stage, &life, asked, now);
            }
        }
    }
    clock.sleep_until(end + Duration::from_secs(40)).await;
    life.gateway.close().await;
    look(&stage, &world, &store, &mut seen, clock.now(), life.skew);
    // After less than all of the quiet time a rate that was learned may still be low.
    let all_wanted = Range::new(end - full_use + Duration::from_secs(60), end);
    stage.checker.lock().finish(all_wanted, quiet == QUIET);
    Ok(stage.report(lives))
}

/// Shows the checker what happened since the last look.
fn look(stage: &Stage, world: &World, store: &MemoryStore, seen: &mut u64, now: Instant, skew: i64) {
    let entries = world.journal.since(*seen, usize::MAX);
    *seen += entries.len() as u64;
    let (mut checker, mut log) = (stage.checker.lock(), stage.log.lock());
    for entry in &entries {
        log.line(format_args!("{} {} {} {:?}", entry.at, entry.vendor, entry.target, entry.status));
        checker.arrived(entry);
    }
    for decision in store.take_decisions() {
        checker.decided(&decision);
    }
    for event in store.take_events() {
        log.line(format_args!("{} {:?} {}", event.at, event.vendor, event.kind.as_str()));
        checker.told(&event, shifted(event.at, -skew));
    }
    checker.look(now);
}

/// One caller asks, and waits or leaves.
fn call(stage: &Arc<Stage>, life: &Life, mut asked: Asked, now: Instant) {
    let number = stage.checker.lock().accepted(&asked);
    let (stage, gateway) = (Arc::clone(stage), Arc::clone(&life.gateway));
    let (ended, skew) = (Arc::clone(&life.ended), life.skew);
    asked.at = now;
    tokio::spawn(async move {
        let request = Request {
            id: gateway.new_request_id(),
            question: asked.question.clone(),
            policy: asked.policy.clone(),
            received_at: gateway.now(),
        };
        let answer = gateway.answer(&request);
        let result = match asked.leaves_after {
            None => Some(answer.await),
            Some(after) => tokio::select! {
                biased;
                result = answer => Some(result),
                () = stage.clock.sleep_until(asked.at + after) => None,
            },
        };
        let now = stage.clock.now();
        // What a dead process would have said reaches nobody.
        let result = result.filter(|_| !ended.load(Ordering::Relaxed));
        let mut log = stage.log.lock();
        let line = log.start();
        let _ = write!(line, "{now} {number} {} ", asked.instrument);
        describe(line, result.as_ref());
        log.end();
        drop(log);
        stage.checker.lock().ended(number, &asked, result.as_ref(), now, skew);
    });
}

fn describe(line: &mut String, result: Option<&Result<Served, Unanswered>>) {
    let _ = match result {
        None => write!(line, "left"),
        Some(Err(unanswered)) => write!(line, "{unanswered}"),
        Some(Ok(served)) => write!(
            line,
            "{} {:?} {} {}",
            served.cache.as_str(),
            served.answer.vendors,
            served.grade.letter,
            crate::checker::price_of(served).map_or_else(|| "-".to_owned(), |price| price.to_string()),
        ),
    };
}

async fn open(
    world: &Arc<World>,
    store: &MemoryStore,
    settings: Settings,
    skew: i64,
    dice: Dice,
) -> Result<Life, gateway::StoreError> {
    let ended = Arc::new(AtomicBool::new(false));
    let own = Arc::new(store.of_another_process());
    let clock = ShiftedClock::starting_at(shifted(world.clock.now(), skew), Arc::clone(&world.clock));
    let inner = SimulatedTransport::new(Arc::clone(world));
    let seams = Seams {
        clock: Arc::new(clock),
        transport: Arc::new(LifeTransport { inner, ended: Arc::clone(&ended), skew }),
        store: Arc::clone(&own) as Arc<dyn Store>,
        shared: Arc::new(gateway::shared::Alone),
        entropy: Arc::new(SeededEntropy::new(dice.bits())) as Arc<dyn Entropy>,
    };
    let gateway =
        Gateway::open(seams, settings, Arc::new(Calendars::built_in()), Directory::built_in()).await?;
    Ok(Life { gateway, store: own, ended, skew })
}

/// The vendors of a configuration, each with the plan it is configured with and a pace of its own.
fn bottles(settings: &Settings, dice: Dice) -> Vec<Bottle> {
    let enabled = settings.upstreams.iter().filter(|upstream| upstream.enabled);
    enabled
        .map(|upstream| {
            let key = upstream.key.as_ref().map(|key| key.expose_secret().to_owned());
            let floor = 15 + dice.named(upstream.vendor().as_str()).below(30);
            let latency =
                Latency { floor: Duration::from_millis(floor), mean_extra: Duration::from_millis(12) };
            Bottle::new(upstream.codec, upstream.plan.clone(), key.into_iter().collect())
                .with_latency(latency)
        })
        .collect()
}

/// What fails when. Every value a vendor makes up is its own, or two of them would seem to agree.
fn spells(seed: u64, bottles: &[Bottle], trouble: Range) -> Vec<Spell> {
    let vendors: Vec<VendorId> = bottles.iter().map(Bottle::vendor).collect();
    let schedule = Schedule {
        mean_pause: Duration::from_secs(40 * 60),
        mean_length: Duration::from_secs(150),
        ..Schedule::everything()
    };
    let mut spells = schedule.draw(seed, &vendors, trouble);
    // Every world sees one vendor hang for long, before the first process ends.
    let hangs =
        vendors.iter().copied().find(|vendor| vendor.as_str() == HANGS).filter(|_| !trouble.is_empty());
    if let Some(vendor) = hangs {
        let from = trouble.start + Duration::from_secs(150);
        let calm = Range::new(trouble.start, from + Duration::from_secs(400));
        spells.retain(|spell| spell.from >= calm.end);
        spells.push(Spell { vendor, fault: Fault::Hang, from, until: from + Duration::from_secs(230) });
    }
    for (n, spell) in spells.iter_mut().enumerate() {
        if let Fault::Wrong(factor) = &mut spell.fault {
            *factor = 1.03 + 0.005 * (n % 40) as f64;
        }
    }
    spells
}

fn disk_spells(dice: Dice, trouble: Range) -> Vec<Range> {
    let mut spells = Vec::new();
    let mut from = trouble.start;
    for n in 0.. {
        let dice = dice.at(n);
        from += Duration::from_secs(1_800 + dice.at(0).below(3 * 3_600));
        let until = from + Duration::from_secs(20 + dice.at(1).below(60));
        if until >= trouble.end {
            break;
        }
        spells.push(Range::new(from, until));
        from = until;
    }
    spells
}

/// How one process ends, and how the next one begins.
#[derive(Clone, Copy, Debug)]
struct Restart {
    in_good_order: bool,
    down: Duration,
    skew: i64,
}

struct Restarts {
    dice: Dice,
    n: u64,
    until: Instant,
    next: (Instant, Restart),
}

impl Restarts {
    fn new(dice: Dice, trouble: Range) -> Restarts {
        let never = Restart { in_good_order: true, down: Duration::ZERO, skew: 0 };
        let mut restarts = Restarts { dice, n: 0, until: trouble.end, next: (trouble.start, never) };
        restarts.advance();
        restarts
    }

    fn advance(&mut self) {
        const SECOND: i64 = 1_000_000_000;
        self.n += 1;
        let dice = self.dice.at(self.n);
        let after = Duration::from_secs(600 + dice.at(0).below(3_600));
        let at = self.next.0 + after;
        let step = |dice: Dice, most: i64| {
            let size = i64::try_from(dice.at(9).below(most.unsigned_abs())).unwrap_or(0);
            if dice.at(8).below(2) == 0 { size } else { -size }
        };
        let skew = match dice.at(3).below(10) {
            0..=4 => 0,
            5 | 6 => step(dice, 2 * SECOND),
            7 => 95 * SECOND,
            8 => -95 * SECOND,
            _ => step(dice, 3 * 3_600 * SECOND),
        };
        let restart = Restart {
            in_good_order: dice.at(1).below(5) < 2,
            down: Duration::from_millis(200 + dice.at(2).below(6_000)),
            skew,
        };
        self.next = if at < self.until {
            (at, restart)
        } else {
            // The last one puts the clock right, for the quiet time at the end.
            (if self.next.0 < self.until { self.until } else { Instant::MAX }, Restart { skew: 0, ..restart })
        };
    }
}
