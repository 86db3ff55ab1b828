//! A bad quarter of an hour, on purpose: one vendor after the other fails in its own way while callers go on asking,
//! and at the end a table says what they noticed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use domain::{Calendars, Instant, InstrumentId, VendorId};
use gateway::{CacheState, Entropy, Gateway, Outcome, Policy, Request, StaleAllowance};
use parking_lot::Mutex;
use serde_json::{Value, json};
use simulator::checker::{Asked, Checker, Kind, Scene, Summary, Violation};
use simulator::{Fault, Spell, World};
use vendors::Question;

use crate::{exit, table};

/// How long it lasts by the shared clock.
const LENGTH: Duration = Duration::from_secs(15 * 60);
/// The shared clock runs so many times faster unless the caller says otherwise: a minute in all.
pub(crate) const SPEED: f64 = 15.0;
/// When it begins unless the caller says otherwise: in a New York session.
pub(crate) const START: &str = "2026-03-09T14:30:00Z";
/// Mean time between callers.
const PACE: Duration = Duration::from_millis(160);
/// What a caller is willing to wait. Short enough to notice a vendor that hangs, long enough for a machine that has
/// other work beside a clock that runs fast.
const PATIENCE: Duration = Duration::from_secs(10);
const NAMES: [&str; 16] = [
    "AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "TSLA", "JPM", "AVGO", "COST", "AMD", "INTC", "BA",
    "DIS", "IBM", "JNJ",
];

/// What fails, from which second to which. At any time one vendor that can carry all callers works.
const SCRIPT: [(&str, Fault, u64, u64); 8] = [
    ("finnhub", Fault::Outage, 60, 160),
    ("polygon", Fault::Hang, 250, 300),
    ("polygon", Fault::Slow(Duration::from_secs(3)), 460, 520),
    ("finnhub", Fault::Wrong(1.05), 540, 615),
    ("finnhub", Fault::TooManyRequests, 645, 735),
    ("twelve_data", Fault::Outage, 750, 810),
    ("yahoo", Fault::Refuse, 750, 810),
    ("alpha_vantage", Fault::Html(200), 760, 800),
];

/// The script on a clock.
pub(crate) fn spells(start: Instant) -> Vec<Spell> {
    let at = |secs| start + Duration::from_secs(secs);
    let spell = |(vendor, fault, from, until): (&'static str, Fault, u64, u64)| Spell {
        vendor: VendorId(vendor),
        fault,
        from: at(from),
        until: at(until),
    };
    SCRIPT.map(spell).to_vec()
}

/// What callers noticed.
#[derive(Default)]
struct Noticed {
    /// Asked and answered where stale is forbidden, and where it is allowed.
    forbid: (u64, u64),
    allow: (u64, u64),
    from_memory: u64,
    by_vendor: BTreeMap<&'static str, u64>,
    /// What a failed vendor added to the time of an answer, in milliseconds of the shared clock.
    failover_ms: Vec<f64>,
}

/// What all callers share.
struct Drill {
    gateway: Arc<Gateway>,
    checker: Mutex<Checker>,
    noticed: Mutex<Noticed>,
}

/// Plays the script to its end and tells how it went.
pub(crate) async fn run(
    gateway: Arc<Gateway>,
    world: Arc<World>,
    scene: Scene,
    entropy: &dyn Entropy,
    as_json: bool,
) -> Result<u8> {
    let clock = Arc::clone(gateway.clock());
    let start = clock.now();
    let names: Vec<InstrumentId> =
        NAMES.iter().filter_map(|name| gateway.directory().resolve(name, None).ok()).collect();
    let mut events = gateway.listen();
    let drill =
        Arc::new(Drill { gateway, checker: Mutex::new(Checker::new(scene)), noticed: Mutex::default() });
    let mut callers = tokio::task::JoinSet::new();
    let (mut next, mut seen, mut next_look) = (start, 0, start);
    let mut ahead = spells(start);
    ahead.retain(|_| !as_json);
    while next < start + LENGTH {
        clock.sleep_until(next).await;
        let now = clock.now();
        ahead.retain(|spell| {
            let begins = spell.from <= now;
            if begins {
                println!("  {} {} {}", spell.from, spell.vendor, spell.fault.as_str());
            }
            !begins
        });
        while next <= now {
            next += PACE.mul_f64(-(1.0 - entropy.unit()).ln()).max(Duration::from_millis(1));
            let name = names[(names.len() as f64).powf(entropy.unit()) as usize % names.len()].clone();
            let stale = if entropy.bits() % 2 == 0 { StaleAllowance::Forbid } else { StaleAllowance::Allow };
            callers.spawn(call(Arc::clone(&drill), name, stale));
        }
        if now >= next_look {
            next_look = now + Duration::from_secs(1);
            look(&drill, &world, &mut seen, now);
            while let Ok(event) = events.try_recv() {
                drill.checker.lock().told(&event, event.at);
            }
            while callers.try_join_next().is_some() {}
        }
    }
    while callers.join_next().await.is_some() {}
    // A breaker that opened last is seen to close.
    look(&drill, &world, &mut seen, clock.now());
    let (summary, violations) = drill.checker.lock().result();
    let noticed = std::mem::take(&mut *drill.noticed.lock());
    let told = as_value(&noticed, &summary, &violations);
    if as_json {
        println!("{told}");
    } else {
        show(&noticed, &summary, &violations, &told);
    }
    Ok(if violations.is_empty() { exit::OK } else { exit::INTERNAL })
}

fn look(drill: &Drill, world: &World, seen: &mut u64, now: Instant) {
    let mut checker = drill.checker.lock();
    for entry in world.journal.since(*seen, usize::MAX) {
        *seen += 1;
        checker.arrived(&entry);
    }
    checker.look(now);
}

async fn call(drill: Arc<Drill>, instrument: InstrumentId, stale: StaleAllowance) {
    let gateway = &drill.gateway;
    let question = Question::Quotes { instruments: vec![instrument.clone()], bid_ask: false };
    let policy = Policy { stale, deadline: Some(PATIENCE), ..Policy::default() };
    let at = gateway.now();
    let asked = Asked { instrument, question, policy, at, leaves_after: None, kind: Kind::Usual };
    let number = drill.checker.lock().accepted(&asked);
    let request = Request {
        id: gateway.new_request_id(),
        question: asked.question.clone(),
        policy: asked.policy.clone(),
        received_at: at,
    };
    let result = gateway.answer(&request).await;
    let now = gateway.now();
    let mut noticed = drill.noticed.lock();
    let (asks, answers) =
        if stale == StaleAllowance::Forbid { &mut noticed.forbid } else { &mut noticed.allow };
    *asks += 1;
    *answers += u64::from(result.is_ok());
    if let Ok(served) = &result {
        noticed.from_memory += u64::from(matches!(served.cache, CacheState::Hit | CacheState::Stale));
        if let Some(vendor) = served.answer.vendor() {
            *noticed.by_vendor.entry(vendor.as_str()).or_default() += 1;
        }
        let attempts = served.attempts();
        let failed = attempts.iter().any(|attempt| Some(attempt.vendor) != served.answer.vendor());
        let own = attempts.iter().rfind(|attempt| attempt.outcome == Outcome::Answered);
        if let Some(own) = own.filter(|_| failed && served.cache == CacheState::Miss) {
            let added = now.since(at).saturating_sub(Duration::from_micros(own.micros));
            noticed.failover_ms.push(added.as_secs_f64() * 1_000.0);
        }
    }
    drop(noticed);
    let mut checker = drill.checker.lock();
    if let Ok(served) = &result
        && served.cache == CacheState::Miss
    {
        checker.decided(&served.answer.decision);
    }
    checker.ended(number, &asked, Some(&result), now, 0);
}

fn share((asked, answered): (u64, u64)) -> f64 {
    if asked == 0 { 1.0 } else { answered as f64 / asked as f64 }
}

fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let value = sorted[((last as f64) * share).round() as usize];
    Some((value * 10.0).round() / 10.0)
}

fn as_value(noticed: &Noticed, summary: &Summary, violations: &[Violation]) -> Value {
    let mut added = noticed.failover_ms.clone();
    added.sort_by(f64::total_cmp);
    let answers = noticed.forbid.1 + noticed.allow.1;
    let broken: Vec<String> =
        violations.iter().map(|v| format!("{} at {}: {}", v.invariant, v.at, v.what)).collect();
    json!({
        "availability": share(noticed.forbid),
        "availability_stale_allowed": share(noticed.allow),
        "requests": noticed.forbid.0 + noticed.allow.0,
        "answers": answers,
        "by_vendor": noticed.by_vendor,
        "failovers": added.len(),
        "failover_added_ms": {"p50": percentile(&added, 0.5), "p99": percentile(&added, 0.99)},
        "calls": summary.calls,
        "quota_used": summary.fullest,
        "quota_excess": summary.quota_excess,
        "spend": summary.spend_micros as f64 / 1e6,
        "hit_rate": if answers == 0 { 0.0 } else { noticed.from_memory as f64 / answers as f64 },
        "invariants_broken": broken,
        "simulated": true,
    })
}

fn show(noticed: &Noticed, summary: &Summary, violations: &[Violation], told: &Value) {
    let number = |key: &str| table::cell(&told[key]);
    println!();
    println!("A bad quarter of an hour, SIMULATED:");
    let line = |what: &str, value: String| vec![what.to_owned(), value];
    let percent = |share: f64| format!("{:.3}%", 100.0 * share);
    table::print(
        &["", ""],
        vec![
            line("questions", number("requests")),
            line("answered, stale forbidden", percent(share(noticed.forbid))),
            line("answered, stale allowed", percent(share(noticed.allow))),
            line("from memory", percent(told["hit_rate"].as_f64().unwrap_or_default())),
            line("answers after a failover", number("failovers")),
            line("  added, median, ms", table::cell(&told["failover_added_ms"]["p50"])),
            line("  added, 99 %, ms", table::cell(&told["failover_added_ms"]["p99"])),
            line("calls beyond a quota", number("quota_excess")),
            line("spent, USD", number("spend")),
        ],
    );
    println!();
    let rows = summary.calls.iter().map(|(vendor, calls)| {
        let answers = noticed.by_vendor.get(vendor).copied().unwrap_or_default();
        let fullest = summary.fullest.get(vendor).copied().unwrap_or_default();
        vec![(*vendor).to_owned(), answers.to_string(), calls.to_string(), percent(fullest)]
    });
    table::print(&["vendor", "answers", "calls", "fullest window"], rows.collect());
    println!();
    if violations.is_empty() {
        println!("Every invariant held.");
    }
    for violation in violations {
        println!("BROKEN {} at {}: {}", violation.invariant, violation.at, violation.what);
    }
}

/// What the checker knows from the start. Things may be noticed a real half second late.
pub(crate) fn scene(settings: &gateway::Settings, world: &World, speed: f64, spells: Vec<Spell>) -> Scene {
    let late = Duration::from_secs_f64((speed * 0.5).max(0.5));
    Scene::of(settings, Arc::clone(&world.market), spells, Calendars::built_in()).on_a_running_clock(late)
}
