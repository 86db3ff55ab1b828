//! What each vendor last said about an instrument: evidence for cross-checks, never an answer by itself.

use std::sync::Arc;
use std::time::Duration;

use domain::{Instant, InstrumentId, Price, Quote, VendorId};
use moka::sync::Cache;

use crate::budget::Part;
use crate::upstream::Upstream;

/// One vendor's newest price of an instrument.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Who.
    pub vendor: VendorId,
    /// Its upstream feed: vendors of one feed are one voice.
    pub feed: &'static str,
    /// The price.
    pub price: Price,
    /// When it happened, if the vendor says.
    pub event_time: Option<Instant>,
    /// When it was received.
    pub received_at: Instant,
    /// How late the vendor speaks by its plan.
    pub delay: Duration,
}

/// Newest prices by instrument and vendor.
pub struct Voices {
    heard: Cache<InstrumentId, Arc<Vec<Heard>>>,
}

/// Rough bytes of what a handful of vendors said about one instrument.
const INSTRUMENT_BYTES: u64 = 800;

impl Voices {
    /// Nothing was heard yet. Remembers as many instruments as fit into their share of the memory.
    pub fn new(memory_bytes: u64) -> Voices {
        Voices { heard: Cache::new(Part::Voices.items(memory_bytes, INSTRUMENT_BYTES).min(10_000) as u64) }
    }

    /// A voice younger than this need not be asked again.
    pub const HEARD: Duration = Duration::from_secs(60);

    /// Takes note of a quote.
    pub fn heard(&self, instrument: &InstrumentId, upstream: &Upstream, quote: &Quote, received_at: Instant) {
        let Some(price) = quote.price() else { return };
        let voice = Heard {
            vendor: upstream.vendor(),
            feed: upstream.settings.codec.profile().feed,
            price,
            event_time: quote.event_time,
            received_at,
            delay: upstream.delivery().declared_delay().unwrap_or_default(),
        };
        self.heard.entry_by_ref(instrument).and_upsert_with(|known| {
            let mut voices: Vec<Heard> =
                known.map(|known| known.into_value().as_ref().clone()).unwrap_or_default();
            voices.retain(|other| other.vendor != voice.vendor);
            voices.push(voice);
            Arc::new(voices)
        });
    }

    /// What was heard about an instrument.
    pub fn about(&self, instrument: &InstrumentId) -> Arc<Vec<Heard>> {
        self.heard.get(instrument).unwrap_or_default()
    }
}
