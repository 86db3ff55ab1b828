//! What background work needs of the gateway: how long it waits between tries, and where it is kept (RTY-1,
//! SCH-7).

use std::time::Duration;

use domain::VendorId;
use resilience::Backoff;
use vendors::VendorClass;

use crate::gateway::Gateway;
use crate::seams::StoreError;

impl Gateway {
    /// The wait before retry `n`, counted from 0, of work that a vendor failed: by the preset of its class, with
    /// full jitter. `None` when the retries are used up.
    pub fn wait_before_retry(&self, vendor: Option<VendorId>, n: u32) -> Option<Duration> {
        let class =
            vendor.and_then(|vendor| Some(self.find_upstream(vendor)?.settings.codec.profile().class));
        preset(class).wait(n, self.entropy.unit())
    }

    /// Keeps a piece of background work, by its slot.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn keep_work(&self, slot: u32, text: String) -> Result<(), StoreError> {
        let kept = self.store.put_fact(&format!("job {slot}"), text).await;
        kept.inspect_err(|error| self.store_failed(error))
    }

    /// A piece of background work, by its slot.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn kept_work(&self, slot: u32) -> Result<Option<String>, StoreError> {
        self.store.fact(&format!("job {slot}")).await
    }
}

/// How retries of a vendor class are spaced (the table of vendor classes in the requirements).
fn preset(class: Option<VendorClass>) -> Backoff {
    match class {
        Some(VendorClass::ExchangeBook) => Backoff::exchange_book(),
        Some(VendorClass::DexAggregator) => Backoff::dex_aggregator(),
        Some(VendorClass::Social) => Backoff::social(),
        Some(
            VendorClass::EquityRealtime
            | VendorClass::EquityDelayed
            | VendorClass::EndOfDay
            | VendorClass::News,
        )
        | None => Backoff::default(),
    }
}

#[cfg(test)]
mod tests {
    // RTY-1: never presets unused.
    use super::*;

    #[test]
    fn each_vendor_class_has_its_own_spacing() {
        assert_eq!(preset(Some(VendorClass::ExchangeBook)).first, Duration::from_millis(500));
        assert_eq!(preset(Some(VendorClass::DexAggregator)).retries, 4);
        assert_eq!(preset(Some(VendorClass::EquityRealtime)), Backoff::default());
        assert_eq!(preset(None), Backoff::default());
    }
}
