//! Judgment of what came: validation, cross-check, evidence for the grade. The grade itself is recomputed
//! whenever an answer is served.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use domain::{
    Adjustment, Anchor, Bar, BarSeries, Basis, Calendar, Delivery, Denomination, Instant, Instrument,
    InstrumentId, InstrumentKind, Quote, Range, Session, VendorId,
};
use quality::cross_check::{CrossCheck, Tolerance, Voice, compare};
use quality::grade::{Checks, Completeness, Kind, Market, Timing};
use quality::{BarContext, Evidence, Grade, QuoteContext, Verdict, validate_bars, validate_quote};
use vendors::{Data, Question, Rejection};

use crate::answer::{Answer, AttemptError, Coverage, RowEvidence, Served, Warning};
use crate::gateway::Gateway;
use crate::history::BarsAsked;
use crate::lifetime::{Class, Lasts};
use crate::pipeline::Reply;
use crate::trail::Trail;
use crate::upstream::Upstream;

/// A live value older than this has lost its use, whatever its time to live (SLA-2: freshness 300 s).
const FRESHNESS_CEILING: Duration = Duration::from_secs(300);
/// Time to live that grades reckon with: that of a latest value (CCH-2), also where memory keeps it shorter.
const GRADED_TTL: Duration = Duration::from_secs(10);
/// An end-of-day vendor has said its last so long after the close.
const LONGEST_NIGHT: Duration = Duration::from_secs(12 * 3_600);

/// Bars ready to be judged.
pub(crate) struct Material<'a> {
    pub(crate) series: BarSeries,
    pub(crate) asked: &'a BarsAsked<'a>,
    pub(crate) vendors: Vec<VendorId>,
    pub(crate) simulated: bool,
    pub(crate) stored: bool,
    pub(crate) complete: bool,
    pub(crate) rest_from: Option<Instant>,
    pub(crate) received_at: Instant,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) trail: &'a Trail,
}

impl Gateway {
    /// Judges what one vendor gave for a question about anything but bars.
    ///
    /// # Errors
    /// The vendor's own refusal of the one instrument asked for.
    pub(crate) async fn judge(
        &self,
        upstream: &Arc<Upstream>,
        question: &Question,
        reply: Reply,
        trail: &Trail,
    ) -> Result<Answer, AttemptError> {
        self.note_simulated(upstream, reply.simulated);
        let mut answer = self.bare_answer(Some(upstream), question, reply.received_at, trail);
        answer.simulated |= reply.simulated;
        if reply.cut_short {
            answer.warnings.push(Warning::new("INCOMPLETE", "more pages exist than the page budget allows"));
        }
        answer.data = match reply.data {
            Data::Quotes(rows) if matches!(question, Question::Quotes { .. }) => {
                let row = rows.into_iter().next().ok_or(AttemptError::Rejected(Rejection::UnknownSymbol))?;
                let quote = row.quote.map_err(AttemptError::Rejected)?;
                self.judge_quote(upstream, &mut answer, row.instrument, quote)
            }
            // A chart reply carries the newest quote along.
            Data::Bars(BarSeries { instrument, quote: Some(quote), .. })
                if matches!(question, Question::Quotes { .. }) =>
            {
                self.judge_quote(upstream, &mut answer, instrument, *quote)
            }
            Data::Bars(series)
                if matches!(question, Question::Splits { .. } | Question::Dividends { .. }) =>
            {
                Data::Actions(series.actions)
            }
            Data::Trades(instrument, trades) => {
                answer.event_time = trades.last().map(|trade| trade.at);
                Data::Trades(instrument, trades)
            }
            Data::News(items) => {
                answer.event_time = items.iter().map(|item| item.published).max();
                Data::News(items)
            }
            other => other,
        };
        if answer.data.rows() == 0 {
            answer.warnings.push(Warning::new("NO_DATA", "the vendor has nothing in the asked range"));
        }
        if let (Data::Actions(actions), Some(range), [instrument]) =
            (&answer.data, question.range(), question.instruments())
        {
            let range = Range::new(range.start, range.end.min(reply.received_at));
            let kinds = [question.capability()];
            let (actions, at) = (actions.clone(), reply.received_at);
            answer.stored = self.keep_actions(upstream, instrument, &kinds, range, actions, at).await;
        }
        Ok(answer)
    }

    fn judge_quote(
        &self,
        upstream: &Upstream,
        answer: &mut Answer,
        id: InstrumentId,
        mut quote: Quote,
    ) -> Data {
        let record = self.record_of(&id);
        let calendar = self.calendars.of(id.venue());
        if let (None, Some(date), Some(calendar)) = (quote.event_time, quote.trading_date, calendar) {
            // A vendor that names only a date speaks of that session's close.
            quote.event_time = calendar.session_on(date).map(|s| s.hours.end.min(answer.received_at));
        }
        quote.denomination = quote.denomination.or(record.denomination);
        if let Some(delay) = quote.stated_delay.filter(|_| answer.delivery != Delivery::EndOfDay) {
            answer.delivery = if delay.is_zero() { Delivery::RealTime } else { Delivery::Delayed(delay) };
        }
        answer.event_time = quote.event_time;
        answer.basis.denomination = quote.denomination;
        let mut context = QuoteContext::new(answer.received_at, record.kind);
        let at = quote.event_time.unwrap_or(answer.received_at);
        context.trading_date = calendar.map_or_else(|| at.utc_date(), |calendar| calendar.trading_date(at));
        context.denomination = quote.denomination;
        context.tick = quote.price().and_then(|price| record.ticks.as_ref()?.step_at(price));
        context.price_bounds = record.price_bounds;
        context.bounds = self.settings.bounds;
        answer.findings = validate_quote(&quote, &context);
        if domain::planted!(PriceRounded) {
            quote.last = quote.last.map(|price| price.round(1));
        }
        let completeness = Completeness::of_quote(&quote, record.kind, quote.denomination.is_some());
        answer.evidence = self.evidence(upstream, Kind::Quote, answer, completeness);
        let check = self.cross_check(upstream.vendor(), &id, &quote);
        with_cross_check(answer, &check);
        if domain::planted!(FindingsLost) {
            answer.findings.clear();
        }
        let question = Question::Quotes { instruments: vec![id.clone()], bid_ask: false };
        let class = Class::of(&question, Some(upstream.settings.codec.profile().class), answer.delivery);
        answer.lasts = Lasts { class, until: until_it_moves(calendar, answer) };
        Data::Quotes(vec![vendors::Quoted { instrument: id, quote: Ok(quote) }])
    }

    /// Compares a quote with what other vendors last said.
    fn cross_check(&self, vendor: VendorId, id: &InstrumentId, quote: &Quote) -> CrossCheck {
        let own = Voice {
            vendor,
            group: self.find_upstream(vendor).map_or(0, |u| group(u.settings.codec.profile().feed)),
            price: quote.price(),
            volume: None,
            event_time: quote.event_time,
        };
        let others: Vec<Voice> = self
            .voices
            .about(id)
            .iter()
            .filter(|heard| heard.vendor != vendor)
            .map(|heard| Voice {
                vendor: heard.vendor,
                group: group(heard.feed),
                price: Some(heard.price),
                volume: None,
                event_time: heard.event_time,
            })
            .collect();
        compare(&own, &others, Tolerance::NORMAL)
    }

    /// The same answer with what has been heard since; `None` if that changes nothing.
    pub(crate) fn cross_checked(&self, answer: &Answer) -> Option<Answer> {
        let Data::Quotes(rows) = &answer.data else { return None };
        let row = rows.first()?;
        let check = self.cross_check(answer.vendor()?, &row.instrument, row.quote.as_ref().ok()?);
        if check.agreement == answer.evidence.agreement && check.dissenters.is_empty() {
            return None;
        }
        let mut better = answer.clone();
        with_cross_check(&mut better, &check);
        Some(better)
    }

    /// Judges a series.
    pub(crate) fn judge_bars(&self, material: Material<'_>) -> Answer {
        let Material {
            mut series,
            asked,
            vendors,
            simulated,
            stored,
            complete,
            rest_from,
            received_at,
            warnings,
            trail,
        } = material;
        let record = self.record_of(asked.instrument);
        let calendar = self.calendars.of(asked.instrument.venue());
        series.denomination = series.denomination.or(record.denomination);
        let now = self.clock.now();
        let upstream = vendors.first().map(|vendor| Arc::clone(self.upstream(*vendor)));
        let delay = upstream.as_ref().and_then(|u| u.delivery().declared_delay()).unwrap_or_default();
        let context = BarContext {
            calendar,
            range: Some(Range::new(asked.range.start, asked.range.end.min(now - delay))),
            denomination: series.denomination,
            tick: series.bars.last().and_then(|bar| record.ticks.as_ref()?.step_at(bar.close?)),
            price_bounds: record.price_bounds,
            bounds: self.settings.bounds,
            actions: &series.actions,
            ..BarContext::new(now, record.kind)
        };
        let judged = validate_bars(&series, &context);
        let denominated = series.denomination.is_some();
        let completeness = Completeness::of_series(&series.bars, record.kind, denominated, &judged);
        let running = series.bars.last().is_some_and(|bar| !bar.is_final);
        let kind = if running { Kind::BarInProgress } else { Kind::FinalBar };
        let question = Question::Bars {
            instrument: asked.instrument.clone(),
            interval: asked.interval,
            range: asked.range,
            adjustment: asked.adjustment,
            session: asked.session,
        };
        let mut answer = self.bare_answer(upstream.as_ref(), &question, received_at, trail);
        answer.vendors = vendors;
        answer.simulated = simulated;
        answer.stored = stored && !series.bars.iter().any(|bar| bar.start > received_at);
        answer.warnings = warnings;
        answer.basis = Basis {
            adjustment: asked.adjustment,
            denomination: series.denomination,
            session: asked.session,
            anchor: Anchor::Open,
        };
        let end_of = |bar: &Bar| {
            let window = calendar.and_then(|calendar| calendar.window_of(series.interval, bar.start));
            window.map_or(bar.start + series.interval.nominal_length(), |window| window.end)
        };
        let ends = series.bars.last().map(end_of);
        answer.event_time = ends.map(|end| end.min(received_at - delay));
        if let Some(upstream) = &upstream {
            answer.evidence = self.evidence(upstream, kind, &answer, completeness);
        }
        let clean = Evidence { checks: Checks::default(), ..answer.evidence };
        answer.evidence.checks =
            Checks::weigh(&judged.findings, series.bars.len().max(1), &CrossCheck::ALONE);
        answer.rows =
            Some(RowEvidence { clean, flagged: flagged_rows(&series, &judged, clean, record.kind) });
        let returned = series.bars.first().zip(ends).map(|(first, end)| Range::new(first.start, end));
        answer.coverage = Some(Coverage {
            requested: asked.range,
            returned,
            gaps: judged.coverage.gaps.clone(),
            complete,
            rest_from,
        });
        answer.findings = judged.findings;
        if series.bars.is_empty() {
            answer.warnings.push(Warning::new("NO_DATA", "no bars in the asked range"));
        }
        answer.lasts = Lasts {
            class: match (running, asked.native == asked.interval) {
                (true, _) => Class::Latest,
                (false, true) => Class::History,
                (false, false) => Class::Aggregates,
            },
            until: match ends {
                Some(_) if !running && complete && judged.coverage.gaps.is_empty() => {
                    until_restated(calendar, asked, now, delay)
                }
                _ => None,
            },
        };
        answer.data = Data::Bars(series);
        answer
    }

    /// An answer of a known question without rows.
    pub(crate) fn empty_answer(
        &self,
        question: &Question,
        vendor: Option<VendorId>,
        asked_vendor: bool,
        trail: &Trail,
    ) -> Answer {
        let upstream = vendor.map(|vendor| Arc::clone(self.upstream(vendor)));
        let mut answer = self.bare_answer(upstream.as_ref(), question, self.clock.now(), trail);
        if !asked_vendor {
            answer.vendors.clear();
        }
        let detail = match question.range() {
            Some(range) => format!("nothing exists from {} to {}", range.start, range.end),
            None => "the vendor has nothing".to_owned(),
        };
        answer.warnings.push(Warning::new("NO_DATA", detail));
        answer.coverage = question.range().map(|requested| Coverage {
            requested,
            returned: None,
            gaps: Vec::new(),
            complete: true,
            rest_from: None,
        });
        answer
    }

    fn bare_answer(
        &self,
        upstream: Option<&Arc<Upstream>>,
        question: &Question,
        received_at: Instant,
        trail: &Trail,
    ) -> Answer {
        let delivery = upstream.map_or(Delivery::RealTime, |upstream| upstream.delivery());
        let mut answer = Answer {
            data: empty_data(question),
            vendors: upstream.iter().map(|upstream| upstream.vendor()).collect(),
            simulated: upstream.is_some_and(|upstream| upstream.is_simulated()),
            basis: Basis {
                adjustment: match question {
                    Question::Bars { adjustment, .. } => *adjustment,
                    _ => Adjustment::Raw,
                },
                denomination: question.instruments().first().and_then(|id| self.record_of(id).denomination),
                session: Session::Regular,
                anchor: Anchor::Open,
            },
            delivery,
            event_time: None,
            received_at,
            stored: false,
            coverage: None,
            findings: Vec::new(),
            evidence: Evidence::new(Kind::FinalBar, Duration::ZERO, GRADED_TTL, FRESHNESS_CEILING),
            rows: None,
            warnings: Vec::new(),
            decision: trail.decision(None),
            quota: Vec::new(),
            lasts: Lasts::as_usual(Class::of(
                question,
                upstream.map(|u| u.settings.codec.profile().class),
                delivery,
            )),
            fresh_until: received_at,
            stale_until: received_at,
        };
        if let Some(upstream) = upstream {
            answer.evidence = self.evidence(upstream, Kind::FinalBar, &answer, Completeness::FULL);
            if self.plan_is_outdated(upstream) {
                let plan = &upstream.settings.plan;
                answer.warnings.push(Warning::new(
                    "PLAN_OUTDATED",
                    format!(
                        "limits and prices of {}'s plan {} were last verified on {}",
                        upstream.vendor(),
                        plan.name,
                        plan.verified_on
                    ),
                ));
            }
        }
        answer
    }

    /// Plans verified more than 90 days ago are used with a warning (SRC-3).
    /// Whether the facts of a vendor's plan were not checked for more than 90 days (CST-2).
    pub fn plan_is_outdated(&self, upstream: &Upstream) -> bool {
        let verified = Instant::from_utc_midnight(upstream.settings.plan.verified_on);
        self.clock.now().since(verified) > Duration::from_secs(90 * 86_400)
    }

    fn evidence(
        &self,
        upstream: &Upstream,
        kind: Kind,
        answer: &Answer,
        completeness: Completeness,
    ) -> Evidence {
        let declared = match answer.delivery.declared_delay() {
            Some(delay) => delay,
            // End of day promises the close, whenever it is told before the next session's.
            None => Duration::from_secs(86_400),
        };
        Evidence {
            completeness,
            reliability: upstream.health.lock().reliability() as f32,
            degraded: upstream.breaker.lock().state().as_str() == "degraded",
            ..Evidence::new(kind, declared, GRADED_TTL, FRESHNESS_CEILING)
        }
    }

    /// Grades an answer for a moment.
    pub(crate) fn grade_at(&self, answer: &Answer, now: Instant, stale: bool) -> Grade {
        let evidence = Evidence { served_stale: stale, ..answer.evidence };
        quality::grade(&self.settings.grading, &evidence, &self.timing(answer, &evidence, now))
    }

    /// Grades one row of a series for a moment.
    pub fn grade_row(&self, answer: &Answer, row: usize, now: Instant) -> Option<Grade> {
        let rows = answer.rows.as_ref()?;
        let flagged = rows.flagged.binary_search_by_key(&row, |(index, _)| *index);
        let evidence = flagged.map_or(&rows.clean, |at| &rows.flagged[at].1);
        Some(quality::grade(&self.settings.grading, evidence, &self.timing(answer, evidence, now)))
    }

    /// Every point between 100 and the score an answer is served with, by its rule.
    pub fn losses(&self, served: &Served) -> Vec<quality::grade::Loss> {
        let answer = &served.answer;
        // What the grade keeps of the comparison with other vendors is all that deductions depend on.
        let check = CrossCheck { agreement: answer.evidence.agreement, ..CrossCheck::ALONE };
        let rows = match &answer.data {
            Data::Bars(series) => series.bars.len().max(1),
            _ => 1,
        };
        let settings = &self.settings.grading;
        quality::grade::losses(settings, &answer.evidence, &served.grade, &answer.findings, rows, &check)
    }

    fn timing(&self, answer: &Answer, evidence: &Evidence, now: Instant) -> Timing {
        let calendar = answer.instrument().and_then(|id| self.calendars.of(id.venue()));
        let event_time = match evidence.kind {
            // First asked for after its window had ended: it was not waited for.
            Kind::FinalBar => Some(answer.received_at),
            Kind::Quote | Kind::BarInProgress => answer.event_time,
        };
        Timing {
            event_time,
            received_at: Some(answer.received_at),
            now,
            market: calendar.map_or(Market::Continuous, |calendar| Market::at(calendar, now)),
        }
    }

    /// The record of an instrument, or what its name alone tells.
    pub(crate) fn record_of(&self, id: &InstrumentId) -> Instrument {
        if let Some(record) = self.directory().instrument(id) {
            return record.clone();
        }
        let kind = match id.venue() {
            domain::Venue::FX => InstrumentKind::Fx,
            domain::Venue::INDEX => InstrumentKind::Index,
            _ if id.pair().is_some() => InstrumentKind::Crypto,
            _ => InstrumentKind::Equity,
        };
        let mut record = Instrument::new(id.clone(), kind);
        record.denomination = match id.pair() {
            Some((_, quote)) => Denomination::parse(quote),
            None => (id.venue() == domain::Venue::US).then_some(Denomination::USD),
        };
        record
    }
}

/// Until when a live value stays as it is: until the next opening, once the market has closed and the vendor has
/// said its last.
fn until_it_moves(calendar: Option<&Calendar>, answer: &Answer) -> Option<Instant> {
    let (calendar, now) = (calendar?, answer.received_at);
    let delay = answer.delivery.declared_delay().unwrap_or(LONGEST_NIGHT);
    let settled = calendar.last_open_instant(now) + delay + Duration::from_secs(60);
    if calendar.is_open(now) || now < settled { None } else { calendar.next_open(now) }
}

/// Until when final bars of a range that has passed stay as they are: as traded for ever, restated ones until a
/// split can take effect, at the next opening.
fn until_restated(
    calendar: Option<&Calendar>,
    asked: &BarsAsked<'_>,
    now: Instant,
    delay: Duration,
) -> Option<Instant> {
    if asked.range.end > now - delay {
        return None; // the next bar is still to come
    }
    match asked.adjustment {
        Adjustment::Raw => Some(Instant::MAX),
        _ => calendar?.next_open(now),
    }
}

fn with_cross_check(answer: &mut Answer, check: &CrossCheck) {
    answer.findings.retain(|finding| {
        !matches!(
            finding.rule,
            quality::Rule::SingleVoice | quality::Rule::VendorDisagreement | quality::Rule::PossibleSplit
        )
    });
    answer.findings.extend(check.findings());
    let checks = Checks::weigh(&answer.findings, 1, check);
    answer.evidence = Evidence { checks, ..answer.evidence.with_cross_check(check) };
}

/// Evidence of the rows that have something against them.
fn flagged_rows(
    series: &BarSeries,
    judged: &quality::Judged,
    clean: Evidence,
    kind: InstrumentKind,
) -> Vec<(usize, Evidence)> {
    let mut rows: Vec<usize> = judged.findings.iter().filter_map(|finding| finding.row).collect();
    rows.sort_unstable();
    rows.dedup();
    rows.into_iter()
        .filter(|row| *row < series.bars.len() && judged.verdicts[*row] != Verdict::Pass)
        .map(|row| {
            let own: Vec<_> = judged.findings.iter().filter(|f| f.row == Some(row)).cloned().collect();
            let completeness = Completeness::of_bar(&series.bars[row], kind, series.denomination.is_some());
            (row, Evidence { checks: Checks::weigh(&own, 1, &CrossCheck::ALONE), completeness, ..clean })
        })
        .collect()
}

fn empty_data(question: &Question) -> Data {
    match question {
        Question::Quotes { .. } => Data::Quotes(Vec::new()),
        Question::Bars { instrument, interval, adjustment, .. } => {
            Data::Bars(BarSeries::empty(instrument.clone(), *interval, *adjustment))
        }
        Question::Trades { instrument, .. } => Data::Trades(instrument.clone(), Vec::new()),
        Question::Splits { .. } | Question::Dividends { .. } => Data::Actions(Vec::new()),
        Question::News { .. } => Data::News(Vec::new()),
        Question::Search { .. } | Question::Symbols => Data::Instruments(Vec::new()),
        Question::MarketStatus => Data::MarketStatus(Vec::new()),
    }
}

fn group(feed: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    feed.hash(&mut hasher);
    hasher.finish()
}
