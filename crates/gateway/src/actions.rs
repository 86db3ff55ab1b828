//! Corporate actions on record, fetched where a conversion needs them, and the conversion itself.

use std::time::Duration;

use domain::{ActionKind, Adjustment, Bar, BarSeries, CorporateAction, Date, Instant, InstrumentId, Range};
use quality::adjustment::{CannotConvert, Record, convert};
use vendors::{Capability, Data, Question, Rejection};

use crate::answer::{AttemptError, Warning};
use crate::gateway::Gateway;
use crate::history::{BarsAsked, Part};
use crate::pipeline::Terms;
use crate::request::{Policy, Request};
use crate::series::{LearnedAction, StoredActions, StoredBar};
use crate::trail::Trail;
use crate::upstream::Upstream;

/// A record of actions is believed to be up to date for so long (ACT-2: fetched daily).
const RECORD_HOLDS: Duration = Duration::from_secs(86_400);

/// Rows on the asked basis.
pub(crate) struct Restated {
    pub(crate) bars: Vec<Bar>,
    pub(crate) actions: Vec<CorporateAction>,
    pub(crate) warning: Option<Warning>,
}

impl Gateway {
    /// Brings one vendor's rows to the asked basis. A series restated by its vendor is restated to the day
    /// it was received; splits since then are still to be applied.
    ///
    /// # Errors
    /// [`AttemptError::Unfit`] with `wrong_basis`.
    pub(crate) async fn restate(
        &self,
        asked: &BarsAsked<'_>,
        part: &Part,
        trail: &Trail,
        terms: Terms,
    ) -> Result<Restated, AttemptError> {
        let wrong = AttemptError::Unfit("wrong_basis");
        if part.adjustment == Adjustment::Unknown {
            trail.note(format!("{}'s bars do not say what they are adjusted for", part.vendor));
            return Err(wrong);
        }
        let Some(first) = part.rows.first() else {
            return Ok(Restated { bars: Vec::new(), actions: Vec::new(), warning: None });
        };
        let now = asked.asof.unwrap_or_else(|| self.clock.now());
        let calendar = self.calendars.of(asked.instrument.venue());
        let date = |at: Instant| calendar.map_or_else(|| at.utc_date(), |calendar| calendar.trading_date(at));
        let oldest = part.rows.iter().map(|row| row.learned_at).min().unwrap_or(now);
        let same = part.adjustment == asked.adjustment;
        let restated_before = part.adjustment != Adjustment::Raw && date(oldest) < date(now);
        let on_record = self.actions_on_record(asked.instrument, asked.asof).await;
        if same && !restated_before {
            let bars = part.rows.iter().map(|row| row.bar.clone()).collect();
            return Ok(Restated { bars, actions: relevant(&on_record, asked.range, now), warning: None });
        }
        let cash =
            [part.adjustment, asked.adjustment].iter().any(|a| a.covers_dividends() == Some(true)) && !same;
        let needed = Range::new(first.bar.start, now);
        let known = if asked.asof.is_some() {
            on_record
        } else {
            self.ensure_actions(asked, needed, cash, on_record, trail, terms).await
        };
        let actions: Vec<CorporateAction> =
            known.actions.iter().map(|learned| learned.action.clone()).collect();
        let reaches = |ranges: &[Range]| {
            let range = ranges.iter().rev().find(|range| range.end + RECORD_HOLDS >= now)?;
            Some(date(range.start))
        };
        let mut record = Record {
            actions: &actions,
            splits_from: reaches(&known.splits_known),
            dividends_from: reaches(&known.dividends_known),
            as_of: date(now),
            raw_closes: &[],
        };
        let refuse = |error: CannotConvert| {
            trail.note(format!("{}'s bars cannot be converted: {error}", part.vendor));
            AttemptError::Unfit("wrong_basis")
        };
        // Rows restated on different days stand on different share counts: each group goes to raw first.
        let mut raw = Vec::with_capacity(part.rows.len());
        for group in groups_by_restatement(&part.rows, &actions, part.adjustment, date) {
            let mut series = BarSeries::empty(asked.instrument.clone(), asked.native, part.adjustment);
            series.denomination = part.denomination;
            series.bars = group.rows.iter().map(|row| row.bar.clone()).collect();
            record.as_of = group.as_of.unwrap_or(date(now));
            if part.adjustment.covers_dividends() == Some(true) {
                // Taking dividends out needs raw closes, which a vendor of adjusted bars does not give.
                raw.extend(convert(&series, asked.adjustment, &record).map_err(refuse)?.0.bars);
            } else {
                raw.extend(convert(&series, Adjustment::Raw, &record).map_err(refuse)?.0.bars);
            }
        }
        record.as_of = date(now);
        let warning = (!same).then(|| {
            Warning::new(
                "CONVERTED",
                format!(
                    "{}'s {} bars are restated to {} by the corporate actions on record as of {}",
                    part.vendor, part.adjustment, asked.adjustment, record.as_of
                ),
            )
        });
        let bars = if part.adjustment.covers_dividends() == Some(true) {
            raw
        } else {
            let mut series = BarSeries::empty(asked.instrument.clone(), asked.native, Adjustment::Raw);
            series.denomination = part.denomination;
            series.bars = raw;
            if self.has_float32_prices(part.vendor) {
                // A split factor times a single-precision price misses the traded price by a hair.
                for bar in &mut series.bars {
                    for price in
                        [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close].into_iter().flatten()
                    {
                        *price = price.round(4);
                    }
                }
            }
            convert(&series, asked.adjustment, &record).map_err(refuse)?.0.bars
        };
        Ok(Restated { bars, actions: relevant(&known, asked.range, now), warning })
    }

    /// What the store knows of an instrument's actions.
    pub(crate) async fn actions_on_record(
        &self,
        instrument: &InstrumentId,
        asof: Option<Instant>,
    ) -> StoredActions {
        match self.store.actions(instrument, asof).await {
            Ok(known) => known,
            Err(error) => {
                self.store_failed(&error);
                StoredActions::default()
            }
        }
    }

    /// Fetches splits (and dividends) for whatever of a range the record does not cover, from the first
    /// vendor that can tell. What cannot be had stays uncovered.
    pub(crate) async fn ensure_actions(
        &self,
        asked: &BarsAsked<'_>,
        range: Range,
        dividends: bool,
        known: StoredActions,
        trail: &Trail,
        terms: Terms,
    ) -> StoredActions {
        let mut fetched = false;
        for (capability, needed) in needed_actions(&known, range, dividends) {
            if needed {
                fetched |= self.fetch_actions(asked, capability, range, trail, terms).await;
            }
        }
        if fetched { self.actions_on_record(asked.instrument, None).await } else { known }
    }

    /// Asks the vendors the caller allows, in order, for actions of one kind; keeps what the first one says.
    async fn fetch_actions(
        &self,
        asked: &BarsAsked<'_>,
        capability: Capability,
        range: Range,
        trail: &Trail,
        terms: Terms,
    ) -> bool {
        let instrument = asked.instrument;
        let request = Request {
            id: trail.id(),
            question: action_question(instrument, capability, range),
            policy: Policy {
                vendors: asked.policy.vendors.clone(),
                failover: asked.policy.failover,
                priority: terms.priority,
                ..Policy::default()
            },
            received_at: self.clock.now(),
        };
        let ranking = self.rank(capability, &request, self.clock.now(), |_| 0.0);
        for vendor in &ranking.order {
            let upstream = self.upstream(*vendor);
            let actions = match self.attempt(upstream, &request.question, terms, false, trail).await {
                Ok(reply) => match reply.data {
                    Data::Actions(actions) => actions,
                    Data::Bars(series) => series.actions,
                    _ => continue,
                },
                Err(AttemptError::Rejected(Rejection::NoData)) => Vec::new(),
                Err(_) => continue,
            };
            let kinds = [capability];
            return self.keep_actions(upstream, instrument, &kinds, range, actions, self.clock.now()).await;
        }
        trail.note(format!("no vendor could tell the {} of {instrument}", capability.as_str()));
        false
    }

    /// Keeps actions a vendor told, and that it told all of these kinds in a range.
    pub(crate) async fn keep_actions(
        &self,
        upstream: &Upstream,
        instrument: &InstrumentId,
        kinds: &[Capability],
        range: Range,
        mut actions: Vec<CorporateAction>,
        learned_at: Instant,
    ) -> bool {
        actions.retain(|action| {
            let capability = match action.kind {
                ActionKind::Split { .. } => Capability::Splits,
                ActionKind::Dividend { .. } => Capability::Dividends,
                ActionKind::Rename { .. } | ActionKind::Merger { .. } => return true,
            };
            kinds.contains(&capability)
        });
        let known = |capability| if kinds.contains(&capability) { vec![range] } else { Vec::new() };
        let news = StoredActions {
            splits_known: known(Capability::Splits),
            dividends_known: known(Capability::Dividends),
            actions: actions
                .into_iter()
                .map(|action| LearnedAction { action, vendor: upstream.vendor(), learned_at })
                .collect(),
        };
        let before = self.actions_on_record(instrument, None).await;
        let news_is_new = news.actions.iter().any(|n| !before.actions.iter().any(|b| b.action == n.action));
        match self.store.put_actions(instrument, news).await {
            Ok(()) => {
                if news_is_new {
                    self.forget(instrument);
                }
                true
            }
            Err(error) => {
                self.store_failed(&error);
                false
            }
        }
    }

    /// Keeps the splits and dividends that came along with bars.
    pub(crate) async fn keep_carried_actions(
        &self,
        upstream: &Upstream,
        instrument: &InstrumentId,
        series: &BarSeries,
        range: Range,
        received_at: Instant,
    ) {
        if upstream.settings.codec.bars_carry_actions() {
            let kinds = [Capability::Splits, Capability::Dividends];
            let range = Range::new(range.start, range.end.min(received_at));
            self.keep_actions(upstream, instrument, &kinds, range, series.actions.clone(), received_at).await;
        }
    }
}

/// Which kinds of actions of a range the record lacks.
pub(crate) fn needed_actions(
    known: &StoredActions,
    range: Range,
    dividends: bool,
) -> [(Capability, bool); 2] {
    let up_to_date = |ranges: &[Range]| {
        Range::new(range.start, range.end - RECORD_HOLDS).minus(ranges).is_empty()
            && ranges.iter().any(|known| known.end + RECORD_HOLDS >= range.end)
    };
    [
        (Capability::Splits, !up_to_date(&known.splits_known)),
        (Capability::Dividends, dividends && !up_to_date(&known.dividends_known)),
    ]
}

/// The question for actions of one kind.
pub(crate) fn action_question(instrument: &InstrumentId, capability: Capability, range: Range) -> Question {
    let instrument = instrument.clone();
    match capability {
        Capability::Dividends => Question::Dividends { instrument, range },
        _ => Question::Splits { instrument, range },
    }
}

/// Actions inside an answer's range, and those after it that its basis reflects.
fn relevant(known: &StoredActions, range: Range, now: Instant) -> Vec<CorporateAction> {
    let (first, last) = (range.start.utc_date(), now.utc_date());
    known
        .actions
        .iter()
        .map(|learned| &learned.action)
        .filter(|action| action.ex_date >= first && action.ex_date <= last)
        .cloned()
        .collect()
}

/// Rows that stand on one share count.
struct Group<'a> {
    rows: Vec<&'a StoredBar>,
    /// The date the share count is of; `None`: today's.
    as_of: Option<Date>,
}

/// Splits rows into groups that reflect the same splits: raw rows reflect none and form one group.
fn groups_by_restatement<'a>(
    rows: &'a [StoredBar],
    actions: &[CorporateAction],
    adjustment: Adjustment,
    date: impl Fn(Instant) -> Date,
) -> Vec<Group<'a>> {
    if adjustment == Adjustment::Raw {
        return vec![Group { rows: rows.iter().collect(), as_of: None }];
    }
    let mut splits: Vec<Date> = actions
        .iter()
        .filter(|action| matches!(action.kind, ActionKind::Split { .. }))
        .map(|action| action.ex_date)
        .collect();
    splits.sort();
    let mut groups: Vec<(usize, Group<'a>)> = Vec::new();
    for row in rows {
        let learned = date(row.learned_at);
        let reflected = splits.partition_point(|split| *split <= learned);
        match groups.iter_mut().find(|(count, _)| *count == reflected) {
            Some((_, group)) => {
                group.rows.push(row);
                group.as_of = group.as_of.max(Some(learned));
            }
            None => groups.push((reflected, Group { rows: vec![row], as_of: Some(learned) })),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}
