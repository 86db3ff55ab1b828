//! How the whole fares (SLA-3). Reads what traffic has told; asks nobody.

use std::time::Duration;

use domain::{Instant, VendorId};
use resilience::sla::system::{self, Parts};
use resilience::sla::{Report, Span, Status};
use vendors::Capability;

use crate::cache::statistics::NamespaceStats;
use crate::gateway::Gateway;
use crate::request::Priority;
use crate::upstream::Upstream;

/// A vendor whose quota has no room for longer than this gives nothing now.
const SOON: Duration = Duration::from_secs(60);
/// Capabilities that are required where nobody says otherwise and somebody offers them.
const USUALLY_REQUIRED: [&str; 2] = ["quote", "bars"];

/// How the whole fares.
#[derive(Clone, Debug)]
pub struct SystemHealth {
    /// As the worst of the required capabilities.
    pub overall: Status,
    /// Required capabilities, by their words.
    pub required: Vec<(&'static str, Status)>,
    /// Every vendor in service.
    pub vendors: Vec<VendorHealth>,
    /// Every cache in memory.
    pub caches: Vec<(&'static str, NamespaceStats)>,
    /// How far from its best, from 0 to 0.8.
    pub degradation: f64,
}

/// How one vendor fares.
#[derive(Clone, Debug)]
pub struct VendorHealth {
    /// Which.
    pub vendor: VendorId,
    /// How it keeps its promises.
    pub status: Status,
    /// What its calls of late were like: of the last five minutes, or of the hour or the day if there were none.
    pub of_late: Report,
    /// State of its circuit breaker, by its word.
    pub breaker: &'static str,
    /// Failures in the last five minutes.
    pub failures: usize,
}

impl Gateway {
    /// How the whole fares now.
    pub fn system_health(&self) -> SystemHealth {
        let now = self.clock.now();
        let in_service: Vec<&Upstream> =
            self.upstreams.iter().map(AsRef::as_ref).filter(|upstream| upstream.is_in_service()).collect();
        let required: Vec<(&'static str, Status)> = self
            .required(&in_service)
            .into_iter()
            .map(|word| {
                let able = in_service.iter().filter(|upstream| serves(upstream, word, now));
                (word, system::of_capability(able.map(|upstream| status_for(upstream, word, now))))
            })
            .collect();
        let vendors: Vec<VendorHealth> =
            in_service.iter().map(|upstream| vendor_health(upstream, now)).collect();
        let (mut calls, mut good) = (0.0, 0.0);
        for report in vendors.iter().map(|vendor| &vendor.of_late) {
            calls += report.calls as f64;
            good += report.success.map_or(0.0, |rate| rate.share * report.calls as f64);
        }
        let count =
            |wanted: fn(&VendorHealth) -> bool| vendors.iter().filter(|vendor| wanted(vendor)).count();
        let degradation = system::degradation(&Parts {
            vendors: vendors.len(),
            failed: count(|vendor| vendor.status == Status::Failed),
            degraded: count(|vendor| vendor.status == Status::Degraded),
            breakers: vendors.len(),
            open: count(|vendor| vendor.breaker == "open"),
            half_open: count(|vendor| vendor.breaker == "half_open"),
            success: (calls > 0.0).then(|| good / calls),
        });
        SystemHealth {
            overall: system::overall(required.iter().map(|(_, status)| *status)),
            required,
            vendors,
            caches: vec![("answers", self.cache.stats().total())],
            degradation,
        }
    }

    fn required(&self, in_service: &[&Upstream]) -> Vec<&'static str> {
        match &self.settings.service_levels.required {
            Some(words) => words.clone(),
            None => USUALLY_REQUIRED
                .into_iter()
                .filter(|word| in_service.iter().any(|upstream| offers(upstream, word)))
                .collect(),
        }
    }
}

fn capabilities(word: &str) -> impl Iterator<Item = Capability> {
    Capability::all().filter(move |capability| capability.as_str() == word)
}

/// Whether its dialect and its plan have it.
fn offers(upstream: &Upstream, word: &str) -> bool {
    let settings = &upstream.settings;
    capabilities(word).any(|one| settings.codec.profile().offers(one) && settings.plan.includes(one))
}

/// Whether it may be asked for it now, breaker and quota aside.
fn serves(upstream: &Upstream, word: &str, now: Instant) -> bool {
    capabilities(word).any(|capability| upstream.barred(capability, now).is_none())
}

/// How it fares in one capability; it has failed where nothing can be got from it at present.
fn status_for(upstream: &Upstream, word: &str, now: Instant) -> Status {
    let refuses = upstream.breaker.lock().check(now, Priority::Normal).is_err();
    let spent = upstream.limiter.room_at(upstream.cost(1), now).is_some_and(|at| at > now + SOON);
    if refuses || spent { Status::Failed } else { upstream.levels.status(word, now) }
}

fn vendor_health(upstream: &Upstream, now: Instant) -> VendorHealth {
    let (status, of_late) = upstream.levels.of_all(|monitor| {
        let reports = [Span::FiveMinutes, Span::Hour].map(|span| monitor.report(span, now));
        let known = reports.into_iter().find(|report| report.calls > 0);
        (monitor.status(now), known.unwrap_or_else(|| monitor.report(Span::Day, now)))
    });
    VendorHealth {
        vendor: upstream.vendor(),
        status,
        of_late,
        breaker: upstream.breaker.lock().state().as_str(),
        failures: upstream.health.lock().error_count(now),
    }
}
