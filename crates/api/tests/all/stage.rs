//! A gateway over simulated vendors, and one way to ask it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use api::{About, App};
use axum::body::Body;
use domain::{Calendars, Directory, Instant, VendorId};
use gateway::settings::{Caching, Deadlines, Routing, Settings, Spending, UpstreamSettings};
use gateway::{Clock, Entropy, Gateway, Pending, Seams, Store};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use simulator::{
    Bottle, Fault, Faults, Journal, Latency, Market, MemoryStore, SeededEntropy, SimulatedTransport, Spell,
    VirtualClock, World,
};
use tower::ServiceExt;
use vendors::plan::Limit;

/// A Wednesday, an hour into the session of New York.
pub(crate) const SESSION: &str = "2026-11-18T15:30:00Z";

/// A world with the application in it.
pub(crate) struct Stage {
    pub(crate) app: App,
    world: Arc<World>,
    clock: Arc<VirtualClock>,
    brittle: Arc<BrittleClock>,
}

/// A clock that once fails whoever reads it: a bug, wherever one is wanted.
struct BrittleClock {
    inner: Arc<VirtualClock>,
    readings_left: AtomicU32,
}

impl Clock for BrittleClock {
    fn now(&self) -> Instant {
        let left = self.readings_left.load(Ordering::Relaxed);
        self.readings_left.store(left.saturating_sub(1), Ordering::Relaxed);
        assert!(left != 1, "secret detail of a bug");
        self.inner.now()
    }

    fn sleep_until(&self, at: Instant) -> Pending<'_, ()> {
        self.inner.sleep_until(at)
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// A header as text; empty if absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Stage {
    /// Vendors by `(id, plan)`, all others switched off.
    pub(crate) async fn new(vendors: &[(&'static str, &'static str)]) -> Stage {
        Stage::tuned(vendors, |_| {}).await
    }

    /// The same, with settings changed.
    pub(crate) async fn tuned(
        vendors: &[(&'static str, &'static str)],
        tune: impl Fn(&mut UpstreamSettings),
    ) -> Stage {
        Stage::routed(vendors, tune, Routing { cross_check: false, ..Routing::default() }).await
    }

    /// The same, with another routing.
    pub(crate) async fn routed(
        vendors: &[(&'static str, &'static str)],
        tune: impl Fn(&mut UpstreamSettings),
        routing: Routing,
    ) -> Stage {
        Stage::whole(vendors, tune, routing, Spending::default()).await
    }

    /// Vendors with what may be spent, and by whom.
    pub(crate) async fn funded(vendors: &[(&'static str, &'static str)], spending: Spending) -> Stage {
        Stage::whole(vendors, |_| {}, Routing { cross_check: false, ..Routing::default() }, spending).await
    }

    async fn whole(
        vendors: &[(&'static str, &'static str)],
        tune: impl Fn(&mut UpstreamSettings),
        routing: Routing,
        spending: Spending,
    ) -> Stage {
        let clock = Arc::new(VirtualClock::starting_at(Instant::parse(SESSION).unwrap()));
        let latency = Latency { floor: Duration::from_millis(20), mean_extra: Duration::from_millis(5) };
        let bottles = vendors
            .iter()
            .map(|(id, plan)| {
                let codec = vendors::find(id).unwrap();
                Bottle::new(codec, plan_of(id, plan), vec!["simulated-key".into()]).with_latency(latency)
            })
            .collect();
        let world = Arc::new(World {
            market: Arc::new(Market::synthetic(7, &Directory::built_in())),
            bottles,
            clock: clock.clone(),
            entropy: Arc::new(SeededEntropy::new(3)),
            faults: Arc::new(Faults::none()),
            journal: Arc::new(Journal::new(100_000)),
        });
        let upstreams = vendors::ALL
            .iter()
            .map(|codec| {
                let id = codec.profile().id.as_str();
                let chosen = vendors.iter().find(|(vendor, _)| *vendor == id);
                let mut settings = UpstreamSettings {
                    codec: *codec,
                    enabled: chosen.is_some(),
                    priority: 2,
                    weight: 1.0,
                    base_url: "http://simulated".into(),
                    official: false,
                    key: Some("simulated-key".to_owned().into()),
                    plan: plan_of(id, chosen.map_or("default", |(_, plan)| plan)),
                    pace: resilience::quota::Pace::Burst,
                    timeout: Duration::from_secs(5),
                    breaker: Default::default(),
                    sla: Default::default(),
                    adjustment: None,
                    simulated: true,
                    operation: Default::default(),
                };
                tune(&mut settings);
                settings
            })
            .collect();
        let settings = Settings {
            upstreams,
            routing,
            cache: Caching::default(),
            deadlines: Deadlines::default(),
            grading: Default::default(),
            bounds: Default::default(),
            service_levels: Default::default(),
            spending,
            schedule: Default::default(),
        };
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let brittle = Arc::new(BrittleClock { inner: clock.clone(), readings_left: AtomicU32::new(0) });
        let seams = Seams {
            clock: brittle.clone() as Arc<dyn Clock>,
            transport: Arc::new(SimulatedTransport::new(world.clone())),
            store: store as Arc<dyn Store>,
            entropy: Arc::new(SeededEntropy::new(11)) as Arc<dyn Entropy>,
            shared: Arc::new(gateway::shared::Alone),
        };
        let calendars = Arc::new(Calendars::built_in());
        let gateway = Gateway::open(seams, settings, calendars, Directory::built_in()).await.unwrap();
        let app = api::app(gateway, About { version: "1.2.3", simulated: true });
        Stage { app, world, clock, brittle }
    }

    /// Asks with headers.
    pub(crate) async fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(method, target, headers, "").await
    }

    /// Sends a body.
    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.app.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// Asks memory alone, the short way.
    pub(crate) async fn remembered(&self, target: &str, headers: &[(&str, &str)]) -> Option<Answer> {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.app.remembered(&request.body(()).unwrap())?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Some(Answer { status: parts.status, headers: parts.headers, text })
    }

    /// Asks.
    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[]).await
    }

    /// Lets a vendor fail from now on.
    pub(crate) fn fails(&self, vendor: &'static str, fault: Fault) {
        let from = self.clock.now();
        let until = from + Duration::from_secs(86_400);
        self.world.faults.begin(Spell { vendor: VendorId(vendor), fault, from, until });
    }

    /// Ends all that a vendor fails with.
    pub(crate) fn recovers(&self, vendor: &'static str) {
        self.world.faults.end(VendorId(vendor));
    }

    /// Lets the gateway's clock panic once, when it is read the so-manieth time from now.
    pub(crate) fn panics_at_reading(&self, reading: u32) {
        self.brittle.readings_left.store(reading, Ordering::Relaxed);
    }

    /// Exchanges a vendor has seen.
    pub(crate) fn asked(&self, vendor: &'static str) -> usize {
        self.world.journal.by_vendor(VendorId(vendor)).len()
    }

    /// Lets time pass.
    pub(crate) async fn pass(&self, span: Duration) {
        self.clock.sleep_until(self.clock.now() + span).await;
    }
}

/// A plan of a vendor by name.
pub(crate) fn plan_of(id: &str, name: &str) -> vendors::Plan {
    let plans = config::plans::of(vendors::find(id).unwrap()).unwrap();
    let name = if name == "default" { &plans.default } else { name };
    plans.find(name).unwrap_or_else(|| panic!("{id} has no plan {name}")).clone()
}

/// Limits instead of a plan's.
pub(crate) fn limit(count: u32, secs: u64) -> Vec<Limit> {
    vec![Limit { count, per: vendors::plan::Per::Sliding(Duration::from_secs(secs)) }]
}
