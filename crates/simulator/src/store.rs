//! A store in memory, for simulations: answers at once, keeps what it is told across gateways that are
//! opened and dropped, and fails on command.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::{ActionKind, Calendars, Date, Instant, Instrument, InstrumentId, Interval, Range, VendorId};
use gateway::answer::{Decision, Failure};
use gateway::ledger::{Line, Of, Spend, Sum};
use gateway::rollup::{self, Rollup};
use gateway::{
    Clock, LearnedAction, NewBars, Pending, RequestId, SeriesKey, Store, StoreError, StoredActions,
    StoredBar, StoredQuote, StoredSeries,
};
use parking_lot::Mutex;
use resilience::quota;
use telemetry::Event;

/// A store in memory.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    disk: Arc<Disk>,
    gone: AtomicBool,
}

/// What outlives the process that writes to it.
#[derive(Default)]
struct Disk {
    failing: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    series: HashMap<SeriesKey, Series>,
    actions: HashMap<InstrumentId, Actions>,
    quotes: HashMap<(InstrumentId, VendorId), StoredQuote>,
    instruments: Vec<(VendorId, Instrument)>,
    quotas: HashMap<VendorId, (quota::Snapshot, Instant)>,
    decisions: HashMap<RequestId, Decision>,
    failures: Vec<Failure>,
    events: Vec<Event>,
    facts: HashMap<String, String>,
    spends: Vec<Spend>,
    spend_places: HashMap<(RequestId, u32), usize>,
    sums: BTreeMap<Of, Sum>,
    dated_facts: HashMap<String, (String, Instant)>,
}

#[derive(Default)]
struct Series {
    denomination: Option<domain::Denomination>,
    covered: Vec<Range>,
    versions: BTreeMap<(Instant, Instant), StoredBar>,
}

impl Series {
    /// Bars with a start in the range, of each the version believed at `asof`, else now.
    fn believed(&self, range: Range, asof: Option<Instant>) -> Vec<StoredBar> {
        let mut out: Vec<StoredBar> = Vec::new();
        let inside = (range.start, Instant::MIN)..(range.end, Instant::MIN);
        for stored in self.versions.range(inside).map(|(_, stored)| stored) {
            if asof.is_some_and(|asof| stored.learned_at > asof) {
                continue;
            }
            match out.last_mut() {
                Some(last) if last.bar.start == stored.bar.start => *last = stored.clone(),
                _ => out.push(stored.clone()),
            }
        }
        out
    }
}

#[derive(Default)]
struct Actions {
    learned: Vec<LearnedAction>,
    splits_known: Vec<(Range, Instant)>,
    dividends_known: Vec<(Range, Instant)>,
}

impl MemoryStore {
    /// An empty store. The clock tells how old quota counters are when they are read back.
    pub fn new(clock: Arc<dyn Clock>) -> MemoryStore {
        MemoryStore { clock, disk: Arc::default(), gone: AtomicBool::new(false) }
    }

    /// What another process finds: the same data through a handle of its own.
    #[must_use]
    pub fn of_another_process(&self) -> MemoryStore {
        MemoryStore {
            clock: Arc::clone(&self.clock),
            disk: Arc::clone(&self.disk),
            gone: AtomicBool::new(false),
        }
    }

    /// The process that holds this handle has ended: what its tasks still write reaches nothing.
    pub fn end_process(&self) {
        self.gone.store(true, Ordering::SeqCst);
    }

    /// Takes out the decision records kept since the last time.
    pub fn take_decisions(&self) -> Vec<Decision> {
        let mut taken: Vec<Decision> =
            std::mem::take(&mut self.disk.kept.lock().decisions).into_values().collect();
        taken.sort_by(|a, b| a.id.cmp(&b.id));
        taken
    }

    /// Takes out the events kept since the last time, oldest first.
    pub fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut self.disk.kept.lock().events)
    }

    /// From now on every write fails (or works again); reading goes on.
    pub fn fail_writes(&self, failing: bool) {
        self.disk.failing.store(failing, Ordering::SeqCst);
    }

    /// Events kept so far.
    pub fn events(&self) -> Vec<Event> {
        self.disk.kept.lock().events.clone()
    }

    fn write(&self, change: impl FnOnce(&mut Kept)) -> Pending<'static, Result<(), StoreError>> {
        let result = if self.gone.load(Ordering::SeqCst) {
            Err(StoreError::ReadOnly("the process has ended".to_owned()))
        } else if self.disk.failing.load(Ordering::SeqCst) {
            Err(StoreError::ReadOnly("failing on command".to_owned()))
        } else {
            change(&mut self.disk.kept.lock());
            Ok(())
        };
        Box::pin(std::future::ready(result))
    }

    fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Kept) -> T,
    ) -> Pending<'static, Result<T, StoreError>> {
        let found = look(&self.disk.kept.lock());
        Box::pin(std::future::ready(Ok(found)))
    }
}

impl Store for MemoryStore {
    fn series<'a>(
        &'a self,
        instrument: &'a InstrumentId,
        interval: Interval,
    ) -> Pending<'a, Result<Vec<StoredSeries>, StoreError>> {
        self.read(|kept| {
            let mut found: Vec<StoredSeries> = kept
                .series
                .iter()
                .filter(|(key, _)| key.instrument == *instrument && key.interval == interval)
                .map(|(key, series)| StoredSeries {
                    key: key.clone(),
                    denomination: series.denomination,
                    covered: series.covered.clone(),
                })
                .collect();
            found.sort_by_key(|series| (series.key.vendor, series.key.adjustment.as_str()));
            found
        })
    }

    fn bars<'a>(
        &'a self,
        key: &'a SeriesKey,
        range: Range,
        asof: Option<Instant>,
    ) -> Pending<'a, Result<Vec<StoredBar>, StoreError>> {
        self.read(|kept| kept.series.get(key).map_or_else(Vec::new, |series| series.believed(range, asof)))
    }

    fn rollups<'a>(
        &'a self,
        instrument: &'a InstrumentId,
        range: Range,
    ) -> Pending<'a, Result<Vec<Rollup>, StoreError>> {
        let calendars = Calendars::built_in();
        let calendar = calendars.of(instrument.venue());
        self.read(|kept| {
            let of_it = |key: &&SeriesKey| key.instrument == *instrument && key.interval.is_intraday();
            let mut keys: Vec<&SeriesKey> = kept.series.keys().filter(of_it).collect();
            keys.sort_by_key(|key| (key.interval, key.vendor, key.adjustment.as_str(), key.session.as_str()));
            let mut found = Vec::new();
            for key in keys {
                let series = &kept.series[key];
                let needed = rollup::needed(range);
                let bars = series.believed(needed, None);
                let pieces = rollup::pieces(&bars, calendar);
                found.extend(rollup::windows(key, &pieces, range, &series.covered, calendar));
            }
            found
        })
    }

    fn put_bars(&self, news: NewBars) -> Pending<'_, Result<(), StoreError>> {
        self.write(|kept| {
            let series = kept.series.entry(news.key).or_default();
            series.denomination = series.denomination.or(news.denomination);
            series.covered.extend(news.covered);
            series.covered = Range::merged(std::mem::take(&mut series.covered));
            for bar in news.bars {
                let known =
                    series.versions.range((bar.start, Instant::MIN)..=(bar.start, Instant::MAX)).next_back();
                if known.is_none_or(|(_, stored)| stored.bar != bar) {
                    let key = (bar.start, news.learned_at);
                    series.versions.insert(key, StoredBar { bar, learned_at: news.learned_at });
                }
            }
        })
    }

    fn actions<'a>(
        &'a self,
        instrument: &'a InstrumentId,
        asof: Option<Instant>,
    ) -> Pending<'a, Result<StoredActions, StoreError>> {
        self.read(|kept| {
            let Some(known) = kept.actions.get(instrument) else { return StoredActions::default() };
            let then = |at: Instant| asof.is_none_or(|asof| at <= asof);
            let mut by_date: BTreeMap<(Date, &'static str), LearnedAction> = BTreeMap::new();
            for learned in known.learned.iter().filter(|learned| then(learned.learned_at)) {
                by_date.insert((learned.action.ex_date, learned.action.kind.as_str()), learned.clone());
            }
            let ranges = |known: &[(Range, Instant)]| {
                Range::merged(known.iter().filter(|(_, at)| then(*at)).map(|(range, _)| *range).collect())
            };
            StoredActions {
                actions: by_date.into_values().collect(),
                splits_known: ranges(&known.splits_known),
                dividends_known: ranges(&known.dividends_known),
            }
        })
    }

    fn put_actions<'a>(
        &'a self,
        instrument: &'a InstrumentId,
        news: StoredActions,
    ) -> Pending<'a, Result<(), StoreError>> {
        let now = self.clock.now();
        self.write(|kept| {
            let known = kept.actions.entry(instrument.clone()).or_default();
            known.splits_known.extend(news.splits_known.into_iter().map(|range| (range, now)));
            known.dividends_known.extend(news.dividends_known.into_iter().map(|range| (range, now)));
            for learned in news.actions {
                let is_known = known.learned.iter().any(|old| old.action == learned.action);
                let rename = matches!(learned.action.kind, ActionKind::Rename { .. });
                if !is_known || rename {
                    known.learned.push(learned);
                }
            }
            known.learned.sort_by_key(|learned| learned.learned_at);
        })
    }

    fn put_quotes(&self, quotes: Vec<StoredQuote>) -> Pending<'_, Result<(), StoreError>> {
        self.write(|kept| {
            for quote in quotes {
                kept.quotes.insert((quote.instrument.clone(), quote.vendor), quote);
            }
        })
    }

    fn latest_quotes<'a>(
        &'a self,
        instrument: &'a InstrumentId,
    ) -> Pending<'a, Result<Vec<StoredQuote>, StoreError>> {
        self.read(|kept| {
            let mut found: Vec<StoredQuote> = kept
                .quotes
                .iter()
                .filter(|((id, _), _)| id == instrument)
                .map(|(_, quote)| quote.clone())
                .collect();
            found.sort_by_key(|quote| quote.vendor);
            found
        })
    }

    fn put_instruments(
        &self,
        vendor: VendorId,
        instruments: Vec<Instrument>,
        _learned_at: Instant,
    ) -> Pending<'_, Result<(), StoreError>> {
        self.write(|kept| {
            kept.instruments.retain(|(known, _)| *known != vendor);
            kept.instruments.extend(instruments.into_iter().map(|instrument| (vendor, instrument)));
        })
    }

    fn instruments(&self) -> Pending<'_, Result<Vec<(VendorId, Instrument)>, StoreError>> {
        self.read(|kept| kept.instruments.clone())
    }

    fn put_quota<'a>(
        &'a self,
        vendor: VendorId,
        snapshot: &'a quota::Snapshot,
    ) -> Pending<'a, Result<(), StoreError>> {
        let now = self.clock.now();
        self.write(|kept| {
            let newer = kept.quotas.get(&vendor).is_none_or(|(known, _)| known.sequence < snapshot.sequence);
            if newer {
                kept.quotas.insert(vendor, (snapshot.clone(), now));
            }
        })
    }

    fn quota(
        &self,
        vendor: VendorId,
    ) -> Pending<'_, Result<Option<(quota::Snapshot, Duration)>, StoreError>> {
        let now = self.clock.now();
        self.read(|kept| kept.quotas.get(&vendor).map(|(snapshot, at)| (snapshot.clone(), now.since(*at))))
    }

    fn put_events(&self, events: Vec<Event>) -> Pending<'_, Result<(), StoreError>> {
        self.write(|kept| kept.events.extend(events))
    }

    fn put_decisions(&self, decisions: Vec<Decision>) -> Pending<'_, Result<(), StoreError>> {
        self.write(|kept| {
            for decision in decisions {
                kept.decisions.insert(decision.id.clone(), decision);
            }
        })
    }

    fn decision<'a>(&'a self, id: &'a RequestId) -> Pending<'a, Result<Option<Decision>, StoreError>> {
        self.read(|kept| kept.decisions.get(id).cloned())
    }

    fn put_failures(&self, failures: Vec<Failure>) -> Pending<'_, Result<(), StoreError>> {
        self.write(|kept| kept.failures.extend(failures))
    }

    fn failures(&self, limit: usize) -> Pending<'_, Result<Vec<Failure>, StoreError>> {
        self.read(|kept| kept.failures.iter().rev().take(limit).cloned().collect())
    }

    fn put_spends(&self, lines: Vec<Line>) -> Pending<'_, Result<(), StoreError>> {
        self.write(|kept| {
            for line in lines {
                let mut former = None;
                if let Line::Exchange(spend) = &line {
                    match kept.spend_places.entry((spend.request.clone(), spend.number)) {
                        Entry::Occupied(place) => {
                            let known = &mut kept.spends[*place.get()];
                            former = Some(std::mem::replace(known, Spend::clone(spend)));
                        }
                        Entry::Vacant(place) => {
                            place.insert(kept.spends.len());
                            kept.spends.push(Spend::clone(spend));
                        }
                    }
                }
                let sum = kept.sums.entry(line.of().clone()).or_insert_with(|| Sum::new(line.of().clone()));
                sum.add(&line, former.as_ref());
            }
        })
    }

    fn spend_sums(&self, from: Date, until: Date) -> Pending<'_, Result<Vec<Sum>, StoreError>> {
        self.read(|kept| {
            let inside = |sum: &&Sum| (from..until).contains(&sum.of.date);
            kept.sums.values().filter(inside).cloned().collect()
        })
    }

    fn spends(
        &self,
        range: Range,
        behind: u64,
        limit: usize,
    ) -> Pending<'_, Result<Vec<(u64, Spend)>, StoreError>> {
        self.read(|kept| {
            let numbered = (1..).zip(&kept.spends);
            let inside = numbered.filter(|(place, spend)| *place > behind && range.contains(spend.at));
            inside.take(limit).map(|(place, spend)| (place, spend.clone())).collect()
        })
    }

    fn put_fact<'a>(&'a self, name: &'a str, value: String) -> Pending<'a, Result<(), StoreError>> {
        self.write(|kept| {
            kept.facts.insert(name.to_owned(), value);
        })
    }

    fn fact<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<String>, StoreError>> {
        self.read(|kept| kept.facts.get(name).cloned())
    }

    fn put_dated_fact<'a>(&'a self, name: &'a str, value: String) -> Pending<'a, Result<(), StoreError>> {
        let now = self.clock.now();
        self.write(|kept| {
            kept.dated_facts.insert(name.to_owned(), (value, now));
        })
    }

    fn dated_fact<'a>(
        &'a self,
        name: &'a str,
    ) -> Pending<'a, Result<Option<(String, Duration)>, StoreError>> {
        let now = self.clock.now();
        self.read(|kept| kept.dated_facts.get(name).map(|(value, at)| (value.clone(), now.since(*at))))
    }
}
