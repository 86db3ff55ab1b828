//! Bars: what is stored is served, only what is missing is fetched, and a series stays with one vendor
//! unless a seam is declared (STO-3, RTE-10, ACT-3).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use domain::{
    Adjustment, Bar, BarSeries, Calendar, Denomination, Instant, InstrumentId, Interval, Range, Session,
    VendorId,
};
use vendors::{Capability, Data, Question, Rejection};

use crate::aggregate::{aggregate, finer};
use crate::answer::{Answer, AttemptError, CacheState, Warning, Why};
use crate::cache::tags::{Namespace, Tags};
use crate::gateway::Gateway;
use crate::judge::Material;
use crate::normalise;
use crate::pipeline::Terms;
use crate::request::{Policy, Request};
use crate::series::{NewBars, SeriesKey, StoredBar, StoredSeries};
use crate::trail::Trail;
use crate::upstream::Upstream;

/// A question about bars, taken apart.
pub(crate) struct BarsAsked<'a> {
    pub(crate) instrument: &'a InstrumentId,
    /// As the caller wants it.
    pub(crate) interval: Interval,
    /// As vendors are asked: the same, or a finer one to build from.
    pub(crate) native: Interval,
    pub(crate) range: Range,
    pub(crate) adjustment: Adjustment,
    pub(crate) session: Session,
    pub(crate) asof: Option<Instant>,
    /// Whom the caller lets us ask, for actions as for bars.
    pub(crate) policy: &'a Policy,
}

/// One vendor's rows for an answer.
pub(crate) struct Part {
    pub(crate) vendor: VendorId,
    pub(crate) adjustment: Adjustment,
    pub(crate) denomination: Option<Denomination>,
    pub(crate) simulated: bool,
    pub(crate) rows: Vec<StoredBar>,
    /// Whether every row is committed.
    pub(crate) stored: bool,
    /// Whether the vendor had more than was fetched.
    pub(crate) cut_short: bool,
    /// Where the page budget ended: rows from here on are not known.
    pub(crate) cut_at: Option<Instant>,
}

/// What one fetch of a piece brought.
struct Fetched {
    rows: Vec<StoredBar>,
    denomination: Option<Denomination>,
    stored: bool,
    cut_short: bool,
    cut_at: Option<Instant>,
}

impl Gateway {
    /// Answers a question about bars.
    pub(crate) async fn bars(
        self: &Arc<Self>,
        request: &Request,
        terms: Terms,
        trail: &Trail,
    ) -> Result<(Answer, CacheState), Why> {
        let Question::Bars { instrument, interval, range, adjustment, session } = &request.question else {
            return Err(Why::Internal);
        };
        let now = self.clock.now();
        let calendar = self.calendars.of(instrument.venue());
        let mut asked = BarsAsked {
            instrument,
            interval: *interval,
            native: *interval,
            range: *range,
            adjustment: *adjustment,
            session: *session,
            asof: request.policy.asof,
            policy: &request.policy,
        };
        let mut held = self.held(&asked, request).await;
        if held.is_empty() && !self.anyone_able(Capability::Bars(asked.native), request, now) {
            for shorter in finer(*interval) {
                let candidate = BarsAsked { native: *shorter, ..asked };
                let theirs = self.held(&candidate, request).await;
                if !theirs.is_empty() || self.anyone_able(Capability::Bars(*shorter), request, now) {
                    (asked, held) = (candidate, theirs);
                    break;
                }
            }
        }
        let wanted = Range::new(range.start, range.end.min(now));
        let mut missing: Vec<Vec<Range>> = held
            .iter()
            .map(|series| without_closed_days(wanted.minus(&series.covered), asked.native, calendar))
            .collect();
        if asked.asof.is_some() {
            // What was believed then cannot be fetched now.
            missing.iter_mut().for_each(Vec::clear);
        }
        // The series that needs least, raw ones first among equals.
        let anchor = (0..held.len()).min_by_key(|index| {
            let open: u128 = missing[*index].iter().map(|piece| piece.length().as_nanos()).sum();
            (open, held[*index].key.adjustment != Adjustment::Raw, held[*index].key.vendor)
        });
        if let Some(index) = anchor.filter(|index| missing[*index].is_empty()) {
            trail.note(format!("all of the range is stored from {}", held[index].key.vendor));
            let part = self.stored_part(&held[index], wanted, asked.asof).await;
            match self.assemble(&asked, vec![part], trail, terms).await {
                Ok(answer) => return Ok((answer, CacheState::Stored)),
                Err(error) => trail.note(format!("the stored series cannot be used: {error}")),
            }
        }
        if wanted.is_empty() {
            return Ok((
                self.empty_answer(&request.question, self.any_vendor(request), false, trail),
                CacheState::Stored,
            ));
        }
        let share = |vendor: VendorId| {
            let index = held.iter().position(|series| series.key.vendor == vendor)?;
            let open: f64 = missing[index].iter().map(|piece| piece.length().as_secs_f64()).sum();
            Some((1.0 - open / wanted.length().as_secs_f64().max(1.0)).clamp(0.0, 1.0))
        };
        let ranking =
            self.rank(Capability::Bars(asked.native), request, now, |vendor| share(vendor).unwrap_or(0.0));
        trail.ranked(&ranking.candidates);
        let (asked, held, missing) = (&asked, &held, &missing);
        let walked = self
            .walk(&ranking, terms, trail, &request.policy, |upstream, wait| async move {
                let own = held.iter().position(|series| series.key.vendor == upstream.vendor());
                let base = own.or(anchor);
                let pieces = match base {
                    Some(index) => missing[index].clone(),
                    None => without_closed_days(vec![wanted], asked.native, calendar),
                };
                let mut parts = Vec::new();
                if let Some(index) = base {
                    parts.push(self.stored_part(&held[index], wanted, None).await);
                }
                let basis = match own {
                    Some(index) => held[index].key.adjustment,
                    None => self.basis_to_ask(&upstream, asked, now),
                };
                let fresh = self.fetch_pieces(&upstream, asked, basis, &pieces, terms, wait, trail).await?;
                parts.push(fresh);
                self.assemble(asked, merged(parts), trail, terms).await
            })
            .await;
        let nothing = walked.answer.is_none()
            && walked.best.is_none()
            && walked.refusals.iter().any(|(_, e)| *e == AttemptError::Rejected(Rejection::NoData))
            && !walked.refusals.iter().any(|(_, e)| *e == AttemptError::Rejected(Rejection::UnknownSymbol));
        if nothing {
            let vendor = walked.refusals.iter().find_map(|(vendor, error)| {
                (*error == AttemptError::Rejected(Rejection::NoData)).then_some(*vendor)
            });
            return match self.directory().instrument(instrument) {
                Some(_) => Ok((self.empty_answer(&request.question, vendor, true, trail), CacheState::Miss)),
                None => Err(Why::UnknownSymbol),
            };
        }
        self.verdict(walked, &ranking, request).map(|answer| (answer, CacheState::Miss))
    }

    /// Stored series that may serve a request: of vendors the caller allows, with values as real or as
    /// simulated as the vendor is now.
    pub(crate) async fn held(&self, asked: &BarsAsked<'_>, request: &Request) -> Vec<StoredSeries> {
        match self.store.series(asked.instrument, asked.native).await {
            Ok(series) => series
                .into_iter()
                .filter(|series| {
                    let Some(upstream) = self.find_upstream(series.key.vendor) else { return false };
                    series.key.session == asked.session
                        && series.key.simulated == upstream.is_simulated()
                        && self.is_listed(series.key.vendor, &request.policy)
                        && upstream.settings.adjustment.is_none_or(|known| known == series.key.adjustment)
                })
                .collect(),
            Err(error) => {
                self.store_failed(&error);
                Vec::new()
            }
        }
    }

    async fn stored_part(&self, series: &StoredSeries, range: Range, asof: Option<Instant>) -> Part {
        let rows = match self.store.bars(&series.key, range, asof).await {
            Ok(rows) => rows,
            Err(error) => {
                self.store_failed(&error);
                Vec::new()
            }
        };
        Part {
            vendor: series.key.vendor,
            adjustment: series.key.adjustment,
            denomination: series.denomination,
            simulated: series.key.simulated,
            rows,
            stored: true,
            cut_short: false,
            cut_at: None,
        }
    }

    /// The basis a vendor is asked for: raw where it can be turned into anything because a vendor the
    /// caller allows can tell the splits, else the asked one, else the vendor's own.
    pub(crate) fn basis_to_ask(
        &self,
        upstream: &Upstream,
        asked: &BarsAsked<'_>,
        now: Instant,
    ) -> Adjustment {
        let bases = upstream.bar_bases();
        let split_source = self.upstreams().any(|other| {
            self.is_listed(other.vendor(), asked.policy) && other.barred(Capability::Splits, now).is_none()
        });
        if bases.contains(&Adjustment::Raw) && (split_source || asked.adjustment == Adjustment::Raw) {
            Adjustment::Raw
        } else if bases.contains(&asked.adjustment) {
            asked.adjustment
        } else {
            bases.first().copied().unwrap_or(Adjustment::Unknown)
        }
    }

    /// Fetches the missing pieces from one vendor and keeps what comes.
    #[allow(clippy::too_many_arguments, reason = "each is one fact of one fetch")]
    async fn fetch_pieces(
        &self,
        upstream: &Upstream,
        asked: &BarsAsked<'_>,
        basis: Adjustment,
        pieces: &[Range],
        terms: Terms,
        wait: bool,
        trail: &Trail,
    ) -> Result<Part, AttemptError> {
        let mut part = Part {
            vendor: upstream.vendor(),
            adjustment: upstream.settings.adjustment.unwrap_or(basis),
            denomination: None,
            simulated: upstream.is_simulated(),
            rows: Vec::new(),
            stored: true,
            cut_short: false,
            cut_at: None,
        };
        let longest = upstream.settings.codec.longest_range(asked.native);
        let mut nothing = 0;
        let pieces: Vec<Range> = pieces.iter().flat_map(|piece| cut(*piece, longest)).collect();
        for piece in &pieces {
            match self.fetch_piece(upstream, asked, basis, &mut part, *piece, terms, wait, trail).await {
                Ok(fetched) => {
                    part.rows.extend(fetched.rows);
                    part.denomination = part.denomination.or(fetched.denomination);
                    part.stored &= fetched.stored;
                    part.cut_short |= fetched.cut_short;
                    part.cut_at = fetched.cut_at;
                    if part.cut_at.is_some() {
                        break; // what lies behind the budget's end would leave a hole before it
                    }
                }
                Err(AttemptError::Rejected(Rejection::NoData)) => {
                    nothing += 1;
                    part.stored &= self.keep_emptiness(upstream, asked, &part, *piece).await;
                }
                Err(error) => return Err(error),
            }
        }
        if nothing == pieces.len() && nothing > 0 && part.rows.is_empty() {
            return Err(AttemptError::Rejected(Rejection::NoData));
        }
        Ok(part)
    }

    #[allow(clippy::too_many_arguments, reason = "each is one fact of one fetch")]
    async fn fetch_piece(
        &self,
        upstream: &Upstream,
        asked: &BarsAsked<'_>,
        basis: Adjustment,
        part: &mut Part,
        piece: Range,
        terms: Terms,
        wait: bool,
        trail: &Trail,
    ) -> Result<Fetched, AttemptError> {
        let question = Question::Bars {
            instrument: asked.instrument.clone(),
            interval: asked.native,
            range: piece,
            adjustment: basis,
            session: asked.session,
        };
        let reply = self.attempt(upstream, &question, terms, wait, trail).await?;
        let Data::Bars(mut series) = reply.data else {
            return Err(AttemptError::Unfit("other_kind_of_data"));
        };
        self.note_simulated(upstream, reply.simulated);
        part.simulated = upstream.is_simulated();
        part.adjustment = upstream.settings.adjustment.unwrap_or(series.adjustment);
        let calendar = self.calendars.of(asked.instrument.venue());
        let delay = upstream.delivery().declared_delay().unwrap_or_default();
        self.keep_carried_actions(upstream, asked.instrument, &series, piece, reply.received_at).await;
        shorten_floats(upstream, &mut series);
        normalise::bars(&mut series, calendar, reply.received_at, delay);
        let stated = series.covers.map_or(piece, |covers| covers.intersect(piece));
        series.bars.retain(|bar| piece.contains(bar.start));
        if let (Session::Regular, true, Some(calendar)) =
            (asked.session, asked.native.is_intraday(), calendar)
        {
            // Some vendors send pre-market and after-hours bars along.
            series.bars.retain(|bar| calendar.window_of(asked.native, bar.start).is_some());
        }
        let final_until = series
            .bars
            .iter()
            .find(|bar| !bar.is_final)
            .map_or(reply.received_at - delay, |running| running.start);
        let covered = if reply.cut_short {
            Vec::new()
        } else {
            vec![Range::new(stated.start, stated.end.min(final_until))]
        };
        let key = self.series_key(upstream, asked, part);
        if self.is_correction(&key, piece, &series).await {
            self.cache
                .invalidate(&Tags { namespace: Some(Namespace::Bars), ..Tags::about(asked.instrument) });
            trail.note(format!("{} corrects bars on record", upstream.vendor()));
        }
        let kept = self
            .store
            .put_bars(NewBars {
                key,
                denomination: series.denomination,
                bars: series.bars.clone(),
                covered: Range::merged(covered),
                learned_at: reply.received_at,
            })
            .await;
        let stored = match kept {
            Ok(()) => true,
            Err(error) => {
                self.store_failed(&error);
                false
            }
        };
        let learned_at = reply.received_at;
        let cut_at =
            reply.cut_short.then(|| series.bars.last().map_or(piece.start, |bar| just_after(bar.start)));
        Ok(Fetched {
            cut_at,
            rows: series.bars.into_iter().map(|bar| StoredBar { bar, learned_at }).collect(),
            denomination: series.denomination,
            stored,
            cut_short: reply.cut_short || series.covers.is_some_and(|covers| covers.start > piece.start),
        })
    }

    /// Whether a vendor tells final bars otherwise than it did before.
    async fn is_correction(&self, key: &SeriesKey, range: Range, series: &BarSeries) -> bool {
        let before = match self.store.bars(key, range, None).await {
            Ok(before) => before,
            Err(error) => {
                self.store_failed(&error);
                return false;
            }
        };
        let known: BTreeMap<Instant, &Bar> =
            before.iter().filter(|row| row.bar.is_final).map(|row| (row.bar.start, &row.bar)).collect();
        series.bars.iter().any(|bar| known.get(&bar.start).is_some_and(|before| *before != bar))
    }

    fn series_key(&self, upstream: &Upstream, asked: &BarsAsked<'_>, part: &Part) -> SeriesKey {
        SeriesKey {
            instrument: asked.instrument.clone(),
            interval: asked.native,
            vendor: upstream.vendor(),
            adjustment: part.adjustment,
            session: asked.session,
            simulated: part.simulated,
        }
    }

    /// Keeps that a vendor has nothing in a range, up to what has certainly passed.
    async fn keep_emptiness(
        &self,
        upstream: &Upstream,
        asked: &BarsAsked<'_>,
        part: &Part,
        piece: Range,
    ) -> bool {
        let now = self.clock.now();
        let delay = upstream.delivery().declared_delay().unwrap_or_default();
        let kept = self
            .store
            .put_bars(NewBars {
                key: self.series_key(upstream, asked, part),
                denomination: None,
                bars: Vec::new(),
                covered: Range::merged(vec![Range::new(piece.start, piece.end.min(now - delay))]),
                learned_at: now,
            })
            .await;
        kept.inspect_err(|error| self.store_failed(error)).is_ok()
    }

    /// Brings all parts to the asked basis and joins them into one judged answer.
    ///
    /// # Errors
    /// [`AttemptError::Unfit`] with `wrong_basis` where a part cannot be converted.
    async fn assemble(
        &self,
        asked: &BarsAsked<'_>,
        parts: Vec<Part>,
        trail: &Trail,
        terms: Terms,
    ) -> Result<Answer, AttemptError> {
        let mut warnings = Vec::new();
        let mut joined = BarSeries::empty(asked.instrument.clone(), asked.native, asked.adjustment);
        let mut vendors: Vec<VendorId> = Vec::new();
        let (mut received_at, mut simulated, mut stored, mut cut_short) = (Instant::MIN, false, true, false);
        let mut sources: BTreeMap<Instant, VendorId> = BTreeMap::new();
        for part in &parts {
            if part.rows.is_empty() && parts.len() > 1 {
                continue;
            }
            let restated = self.restate(asked, part, trail, terms).await?;
            if let Some(warning) = restated.warning {
                warnings.push(warning);
            }
            joined.denomination = joined.denomination.or(part.denomination);
            joined.actions.extend(restated.actions);
            received_at = part.rows.iter().map(|row| row.learned_at).fold(received_at, Instant::max);
            simulated |= part.simulated;
            stored &= part.stored;
            cut_short |= part.cut_short;
            if !vendors.contains(&part.vendor) {
                vendors.push(part.vendor);
            }
            if parts.len() == 1 {
                joined.bars = restated.bars;
                continue;
            }
            for bar in restated.bars {
                if let Entry::Vacant(place) = sources.entry(bar.start) {
                    place.insert(part.vendor);
                    joined.bars.push(bar);
                }
            }
        }
        if parts.len() > 1 {
            joined.bars.sort_by_key(|bar| bar.start);
            let sources: Vec<(Instant, VendorId)> = sources.into_iter().collect();
            warnings.extend(seams(&sources));
        }
        joined.actions.sort_by_key(|action| action.ex_date);
        joined.actions.dedup();
        let mut rest_from = parts.iter().filter_map(|part| part.cut_at).min();
        if let Some(cut_at) = rest_from {
            joined.bars.retain(|bar| bar.start < cut_at);
        }
        let now = self.clock.now();
        let calendar = self.calendars.of(asked.instrument.venue());
        if asked.native != asked.interval {
            let calendar = calendar.ok_or(AttemptError::Unfit("no_calendar"))?;
            let known_until = joined.bars.iter().find(|bar| !bar.is_final).map_or(now, |bar| bar.start);
            joined = aggregate(&joined, asked.interval, calendar, known_until);
            if rest_from.is_some() {
                // The last bar may lack what lies behind the budget's end: it comes whole with the rest.
                rest_from = joined.bars.pop().map(|bar| bar.start);
            }
            warnings.push(Warning::new(
                "AGGREGATED",
                format!("no vendor offers {}; built from {} along the session", asked.interval, asked.native),
            ));
        }
        if cut_short {
            warnings.push(Warning::new(
                "INCOMPLETE",
                "the vendor has more than was fetched within the page budget",
            ));
        }
        Ok(self.judge_bars(Material {
            series: joined,
            asked,
            vendors,
            simulated,
            stored,
            complete: !cut_short,
            rest_from,
            received_at: if received_at == Instant::MIN { now } else { received_at },
            warnings,
            trail,
        }))
    }
}

/// Prices that are single-precision numbers in disguise, in their shortest decimal form.
fn shorten_floats(upstream: &Upstream, series: &mut BarSeries) {
    if !upstream.settings.codec.has_float32_prices() {
        return;
    }
    for bar in &mut series.bars {
        for price in [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close].into_iter().flatten() {
            *price = price.shortest_f32();
        }
    }
}

/// The earliest instant behind another.
fn just_after(at: Instant) -> Instant {
    at + std::time::Duration::from_nanos(1)
}

/// Cuts a range into pieces of a length at most.
pub(crate) fn cut(range: Range, longest: Option<std::time::Duration>) -> Vec<Range> {
    let Some(longest) = longest else { return vec![range] };
    let mut pieces = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let end = (start + longest).min(range.end);
        pieces.push(Range::new(start, end));
        start = end;
    }
    pieces
}

/// The pieces in which the calendar expects bars: a weekend is not missing.
pub(crate) fn without_closed_days(
    pieces: Vec<Range>,
    interval: Interval,
    calendar: Option<&Calendar>,
) -> Vec<Range> {
    let Some(calendar) = calendar else { return pieces };
    pieces
        .into_iter()
        .filter(|piece| {
            if interval.is_intraday() {
                !calendar.sessions(*piece).is_empty()
            } else {
                !calendar.expected_starts(interval, *piece).is_empty()
            }
        })
        .collect()
}

/// Parts of one vendor on one basis become one part: later rows replace earlier ones.
fn merged(parts: Vec<Part>) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        match out.iter_mut().find(|p| p.vendor == part.vendor && p.adjustment == part.adjustment) {
            Some(known) => {
                let replaced: std::collections::HashSet<Instant> =
                    part.rows.iter().map(|row| row.bar.start).collect();
                known.rows.retain(|row| !replaced.contains(&row.bar.start));
                known.rows.extend(part.rows);
                known.rows.sort_by_key(|row| row.bar.start);
                known.denomination = known.denomination.or(part.denomination);
                known.stored &= part.stored;
                known.cut_short |= part.cut_short;
                known.cut_at = known.cut_at.into_iter().chain(part.cut_at).min();
                known.simulated |= part.simulated;
            }
            None => out.push(part),
        }
    }
    out
}

/// One warning for every change of vendor along the series.
fn seams(sources: &[(Instant, VendorId)]) -> Vec<Warning> {
    sources
        .windows(2)
        .filter(|pair| pair[0].1 != pair[1].1)
        .map(|pair| {
            Warning::new(
                "SEAM",
                format!(
                    "from {} on the bars are {}'s instead of {}'s, on the same basis",
                    pair[1].0, pair[1].1, pair[0].1
                ),
            )
        })
        .collect()
}
