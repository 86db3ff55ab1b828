//! What arrives at a vendor while it fails, and after: the breaker as seen from the other side.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{Instant, Range, VendorId};

use super::{Invariant, Scene, fails};
use crate::fault::{Fault, Spell};
use crate::journal::Entry;

/// Failures in a row after which a breaker must be open, by the weight of each: five, or nine that could not be read.
fn convincing(fault: Fault) -> usize {
    if matches!(fault, Fault::Html(_) | Fault::Schema) { 10 } else { 6 }
}
/// Calls may be under way for so long when it opens.
const UNDER_WAY: Duration = Duration::from_secs(12);
/// Somebody asks a real-time vendor by name at least so often while the market is open.
const DEMAND: Duration = Duration::from_secs(40);
/// Probes of one endpoint in nine tenths of the open time: one, and one more whose end came early.
const PROBES: usize = 2;

/// Arrivals of late, and the spells that are not judged yet.
pub(super) struct Outages {
    arrivals: BTreeMap<VendorId, Vec<(Instant, String)>>,
    ahead: Vec<Spell>,
}

impl Outages {
    pub(super) fn new(scene: &Scene) -> Outages {
        let mut ahead = scene.spells.clone();
        ahead.sort_by_key(|spell| std::cmp::Reverse(spell.until));
        Outages { arrivals: BTreeMap::new(), ahead }
    }

    pub(super) fn arrived(&mut self, entry: &Entry) {
        let path = entry.target.split(['?', '#']).next().unwrap_or_default();
        let endpoint: Vec<&str> = path.split('/').take(4).collect();
        self.arrivals.entry(entry.vendor).or_default().push((entry.at, endpoint.join("/")));
    }

    /// Judges the spells that ended a while ago.
    pub(super) fn look(
        &mut self,
        scene: &Scene,
        restarts: &[(Instant, i64)],
        now: Instant,
    ) -> Vec<(Invariant, String)> {
        let mut found = Vec::new();
        while let Some(spell) = self.ahead.last().copied() {
            let watched = scene.watched(spell.vendor);
            let open = watched.map_or(Duration::ZERO, |watched| watched.open);
            let open_at_most = watched.map_or(Duration::ZERO, |watched| watched.open_at_most);
            let back = spell.until + open_at_most + DEMAND;
            if now < back + DEMAND + Duration::from_secs(2) {
                break;
            }
            self.ahead.pop();
            let whole = Range::new(spell.from, back + DEMAND);
            // A new process finds the vendor out by itself.
            if restarts.iter().any(|(at, _)| whole.start - Duration::from_secs(15) <= *at && *at < whole.end)
            {
                continue;
            }
            found.extend(self.judge(scene, spell, open, back));
        }
        let oldest = self.ahead.iter().map(|spell| spell.from).min().unwrap_or(now).min(now - DEMAND);
        for arrivals in self.arrivals.values_mut() {
            if arrivals.first().is_some_and(|(at, _)| oldest.since(*at) > Duration::from_secs(600)) {
                arrivals.retain(|(at, _)| *at >= oldest);
            }
        }
        found
    }

    fn judge(&self, scene: &Scene, spell: Spell, open: Duration, back: Instant) -> Vec<(Invariant, String)> {
        let none = Vec::new();
        let arrivals = self.arrivals.get(&spell.vendor).unwrap_or(&none);
        let inside = |range: Range| arrivals.iter().filter(move |(at, _)| range.contains(*at));
        let during = Range::new(spell.from, spell.until);
        let mut found = Vec::new();
        let says =
            |what: String| format!("{} ({} at {}): {what}", spell.vendor, spell.fault.as_str(), spell.from);
        if spell.fault == Fault::TooManyRequests {
            let most = 16 + during.length().as_secs() / 15;
            let count = inside(during).count() as u64;
            if count > most {
                found.push((Invariant::WaitHeeded, says(format!("{count} calls in {:?}", during.length()))));
            }
            return found;
        }
        let stops = matches!(
            spell.fault,
            Fault::Outage | Fault::Hang | Fault::Html(_) | Fault::Truncate | Fault::Schema
        );
        let others = scene
            .vendors
            .iter()
            .filter(|other| other.vendor != spell.vendor && scene.has_fault(other.vendor, during, fails));
        // Where nearly everybody fails the fault may be ours, and nobody is punished.
        if !stops || others.count() >= 2 {
            return found;
        }
        let mut by_endpoint: BTreeMap<&str, Vec<Instant>> = BTreeMap::new();
        for (at, endpoint) in inside(during) {
            by_endpoint.entry(endpoint).or_default().push(*at);
        }
        for (endpoint, times) in &by_endpoint {
            let Some(convinced) = times.get(convincing(spell.fault) - 1).map(|at| *at + UNDER_WAY) else {
                continue;
            };
            let rest: Vec<Instant> = times.iter().copied().filter(|at| *at > convinced).collect();
            // A probe that hangs is given up once another vendor has answered, and the next caller's is the next one.
            if spell.fault == Fault::Hang {
                continue;
            }
            let crowded =
                rest.windows(PROBES + 1).find(|some| some[PROBES].since(some[0]) < open.mul_f64(0.85));
            if let Some(some) = crowded {
                let span = some[PROBES].since(some[0]);
                found.push((
                    Invariant::OpenBreakerKept,
                    says(format!("{} calls of {endpoint} in {span:?} while it was down", PROBES + 1)),
                ));
            }
        }
        let real_time = scene
            .watched(spell.vendor)
            .is_some_and(|watched| watched.real_time && watched.limits.iter().all(|limit| limit.count >= 30));
        let well = !scene.has_fault(spell.vendor, Range::new(spell.until, back), |_| true)
            && !scene.has_fault(
                spell.vendor,
                Range::new(spell.from - Duration::from_secs(1_800), back),
                |fault| fault == Fault::TooManyRequests,
            );
        let in_session = scene.is_open(spell.from) && scene.is_open(back);
        if !(real_time && well && in_session && scene.is_funded()) {
            return found;
        }
        let Some((first, _)) = inside(Range::new(spell.until, back)).next() else {
            let wait = back.since(spell.until);
            found.push((
                Invariant::Recovers,
                says(format!("not one call in {wait:?} after it was well again")),
            ));
            return found;
        };
        // One probe follows the other, whatever became of the first.
        let followed = inside(Range::new(*first, *first + DEMAND)).count();
        if followed < 3 {
            found.push((
                Invariant::Recovers,
                says(format!("{followed} calls in {DEMAND:?} from the first, although it was well again")),
            ));
        }
        found
    }
}
