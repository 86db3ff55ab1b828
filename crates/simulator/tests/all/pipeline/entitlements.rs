//! SRC-4: when all capabilities of a vendor refuse, the credential is blamed.

use telemetry::EventKind;
use vendors::Capability;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_key_to_which_every_capability_is_refused_is_blamed_and_the_first_refusal_is_not() {
    let mut stage = Stage::new(SESSION, &[("finnhub", "free")]);
    // We believe in a plan of two capabilities, and the vendor's own includes neither.
    stage.tune = |settings| settings.plan.entitlements = vec![Capability::Splits, Capability::Dividends];
    let gateway = stage.open().await;
    let instrument = gateway.directory().resolve("AAPL", None).unwrap();
    let range = Range::new(stage.clock.now() - Duration::from_secs(90 * 86_400), stage.clock.now());
    let told =
        |wanted: fn(&EventKind) -> bool| gateway.events().iter().filter(|event| wanted(&event.kind)).count();
    let removed = || told(|kind| matches!(kind, EventKind::CapabilityRemoved { .. }));
    let blamed = || told(|kind| matches!(kind, EventKind::KeyRefused));
    let state = || {
        let upstream = gateway.find_upstream(VendorId("finnhub")).unwrap();
        upstream.breaker.lock().state()
    };

    let splits = Question::Splits { instrument: instrument.clone(), range };
    assert!(ask(&gateway, splits, Policy::default()).await.is_err());
    assert_eq!((removed(), blamed()), (1, 0), "one paid endpoint does not lose the vendor");
    assert_eq!(state().as_str(), "closed");

    let dividends = Question::Dividends { instrument, range };
    assert!(ask(&gateway, dividends, Policy::default()).await.is_err());
    assert_eq!((removed(), blamed()), (2, 1));
    assert_eq!(state().as_str(), "maintenance");
}
