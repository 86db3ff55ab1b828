//! TST-2, TST-4, TST-5: vendors in process, on a virtual clock, with the journal as witness.

use std::sync::Arc;
use std::time::Duration;

use domain::{Instant, VendorId};
use gateway::{Address, Transport, TransportError};
use simulator::{Bottle, Fault, Latency, SimulatedTransport, Spell, World};
use vendors::HttpResponse;

use crate::worlds::{NOON, at, boundless, limited, quote_of, request, synthetic, world, written};

struct Setup {
    world: Arc<World>,
    transport: SimulatedTransport,
}

impl Setup {
    fn new(world: World) -> Setup {
        let world = Arc::new(world);
        Setup { transport: SimulatedTransport::new(Arc::clone(&world)), world }
    }

    async fn send(&self, vendor: VendorId, wait: Duration) -> Result<HttpResponse, TransportError> {
        let codec = vendors::find(vendor.as_str()).unwrap();
        let now = self.world.clock.now();
        let request = request(codec, &quote_of("AAPL"), now);
        self.transport.send(Address { vendor, base_url: "http://sim" }, request, now + wait).await
    }

    fn fail(&self, vendor: VendorId, fault: Fault, secs: u64) {
        let from = self.world.clock.now();
        self.world.faults.begin(Spell { vendor, fault, from, until: from + Duration::from_secs(secs) });
    }

    fn elapsed(&self, since: Instant) -> Duration {
        self.world.clock.now().since(since)
    }
}

const YAHOO: VendorId = VendorId("yahoo");
const POLYGON: VendorId = VendorId("polygon");
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn each_vendor_counts_its_own_requests_and_the_journal_every_one() {
    let setup = Setup::new(world(synthetic(), &limited(2, 60), at(NOON)));
    let vendors: Vec<VendorId> = written().map(|codec| codec.profile().id).collect();
    for _ in 0..3 {
        for vendor in &vendors {
            setup.send(*vendor, SECOND).await.unwrap();
        }
    }
    for vendor in vendors {
        let entries = setup.world.journal.by_vendor(vendor);
        assert_eq!(entries.len(), 3, "{vendor}");
        assert!(entries.iter().all(|entry| !entry.target.contains(crate::worlds::KEY)), "{vendor}");
        let worst = setup.world.journal.worst_window(vendor, Duration::from_secs(60));
        assert_eq!(worst.map(|(count, _)| count), Some(3), "{vendor}");
    }
    assert_eq!(setup.world.journal.by_vendor(YAHOO)[2].status, Some(429));
    assert_eq!(setup.world.journal.by_vendor(POLYGON)[2].status, Some(429));
}

#[tokio::test(start_paused = true)]
async fn every_fault_shows_as_what_it_is() {
    let setup = Setup::new(world(synthetic(), &boundless(), at(NOON)));
    let clean = setup.send(POLYGON, SECOND).await.unwrap();
    assert_eq!(clean.status, 200);
    assert_eq!(clean.header("mda-simulated"), Some("true"));
    let (world, vendor) = (&setup.world, POLYGON);
    let mut seen = Vec::new();
    for word in Fault::WORDS {
        setup.fail(vendor, Fault::parse(word).unwrap(), 5);
        let begun = world.clock.now();
        let reply = setup.send(vendor, Duration::from_secs(4)).await;
        let other = |reply: &HttpResponse| if reply.body == clean.body { "the same" } else { "other" };
        seen.push(match &reply {
            Ok(reply) => {
                format!("{word}: {} {} after {:?}", reply.status, other(reply), setup.elapsed(begun))
            }
            Err(error) => format!("{word}: {error:?} after {:?}", setup.elapsed(begun)),
        });
        world.faults.end(vendor);
        let healthy = setup.send(vendor, SECOND).await.unwrap();
        assert_eq!(healthy.status, 200, "after {word}");
    }
    assert_eq!(
        seen,
        [
            "outage: 503 other after 0ns",
            "refuse: Connect after 0ns",
            "slow: 200 the same after 2s",
            "hang: Timeout after 4s",
            "429: 429 other after 0ns",
            "html: 200 other after 0ns",
            "truncate: Cut after 0ns",
            "schema: 200 other after 0ns",
            "wrong: 200 other after 0ns",
            "stale: 200 other after 0ns",
            "pence: 200 other after 0ns",
        ]
    );
    assert!(setup.send(YAHOO, SECOND).await.is_ok(), "other vendors are not touched");
}

#[tokio::test(start_paused = true)]
async fn a_stale_vendor_repeats_the_moment_its_fault_began() {
    let setup = Setup::new(world(synthetic(), &boundless(), at(NOON)));
    let before = setup.send(POLYGON, SECOND).await.unwrap();
    setup.fail(POLYGON, Fault::Stale, 600);
    let clock = &setup.world.clock;
    clock.sleep_until(clock.now() + Duration::from_secs(300)).await;
    let codec = vendors::find("polygon").unwrap();
    let told = |response: &HttpResponse, now| {
        let question = quote_of("AAPL");
        let session = vendors::Session::default();
        let asking = vendors::Ask { question: &question, now, session: &session, plan: None };
        let sent = request(codec, &question, now);
        codec.decode_response(&asking, &sent, response).unwrap()
    };
    let now = clock.now();
    let stale = setup.send(POLYGON, SECOND).await.unwrap();
    assert_eq!(told(&stale, now), told(&before, now));
    setup.world.faults.end(POLYGON);
    let fresh = setup.send(POLYGON, SECOND).await.unwrap();
    assert_ne!(told(&fresh, now), told(&before, now));
}

#[tokio::test(start_paused = true)]
async fn a_reply_after_the_deadline_is_a_timeout_that_was_counted() {
    let mut world = world(synthetic(), &boundless(), at(NOON));
    let latency = Latency { floor: Duration::from_millis(400), mean_extra: Duration::ZERO };
    let codec = vendors::find("polygon").unwrap();
    world.bottles =
        vec![Bottle::new(codec, boundless(), vec![crate::worlds::KEY.into()]).with_latency(latency)];
    let setup = Setup::new(world);
    let begun = setup.world.clock.now();
    assert_eq!(setup.send(POLYGON, Duration::from_millis(300)).await, Err(TransportError::Timeout));
    assert_eq!(setup.elapsed(begun), Duration::from_millis(300));
    assert_eq!(setup.world.journal.count(), 1, "it had arrived");
    assert_eq!(setup.send(POLYGON, Duration::from_millis(100)).await, Err(TransportError::Timeout));
    assert_eq!(setup.world.journal.count(), 1, "it had not");
    let begun = setup.world.clock.now();
    assert_eq!(setup.send(POLYGON, SECOND).await.unwrap().status, 200);
    assert_eq!(setup.elapsed(begun), Duration::from_millis(400));
    assert_eq!(setup.send(YAHOO, SECOND).await, Err(TransportError::Connect), "no such vendor in this world");
}

#[tokio::test(start_paused = true)]
async fn a_day_of_requests_is_journalled_exactly() {
    let setup = Setup::new(world(synthetic(), &boundless(), at(NOON)));
    let setup = Arc::new(setup);
    let tasks: Vec<_> = (0..4u64)
        .map(|n| {
            let setup = Arc::clone(&setup);
            tokio::spawn(async move {
                for _ in 0..100 {
                    let clock = &setup.world.clock;
                    setup.send(if n % 2 == 0 { YAHOO } else { POLYGON }, SECOND).await.unwrap();
                    clock.sleep_until(clock.now() + Duration::from_secs(864)).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let journal = &setup.world.journal;
    assert_eq!(journal.count(), 400);
    for vendor in [YAHOO, POLYGON] {
        let per_second = journal.per_second(vendor);
        assert_eq!(per_second.iter().map(|(_, count)| count).sum::<u64>(), 200);
        assert!(per_second.iter().all(|(_, count)| *count == 2), "two callers, each second once");
    }
    assert!(setup.elapsed(at(NOON)) >= Duration::from_secs(86_400));
}
