//! How fast bars come in: ten years of daily bars in each vendor's words, read, validated and graded row by
//! row. The target is a million bars a second on one core (TGT-15); prepared pages come from the vendor
//! side of each codec over the synthetic market, so no recording is needed.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use domain::{BarSeries, Calendars, Directory, Instant, Instrument, InstrumentId, Interval, Range, Session};
use quality::cross_check::CrossCheck;
use quality::grade::{Checks, Completeness, Kind, Market as Phase, Settings, Timing};
use quality::{BarContext, Evidence, grade, validate_bars};
use simulator::Market;
use vendors::{Ask, Codec, Data, HttpRequest, HttpResponse, Offer, Question};

/// Ten years of sessions.
const BARS: usize = 2_500;

/// One vendor's reply with what was asked for it.
struct Reply {
    codec: &'static dyn Codec,
    question: Question,
    request: HttpRequest,
    session: vendors::Session,
    response: HttpResponse,
    now: Instant,
}

impl Reply {
    /// What a vendor says of ten years of a share; `None` if it has no daily bars.
    fn of(codec: &'static dyn Codec, market: &Market, id: &InstrumentId) -> Option<Reply> {
        let now = Instant::parse("2026-03-04T22:00:00Z").expect("a literal instant");
        let range = Range::new(Instant::parse("2015-01-05").expect("a literal date"), now);
        let adjustment = codec.profile().offers.iter().find_map(|offer| match offer {
            Offer::Bars { intervals, adjustments } if intervals.contains(&Interval::D1) => {
                adjustments.first().copied()
            }
            _ => None,
        })?;
        let question = Question::Bars {
            instrument: id.clone(),
            interval: Interval::D1,
            range,
            adjustment,
            session: Session::Regular,
        };
        let mut series = BarSeries::empty(id.clone(), Interval::D1, adjustment);
        series.denomination = market.instrument(id)?.denomination;
        series.zone = market.zone(id);
        series.bars = market.bars(id, Interval::D1, range, adjustment, Session::Regular, now);
        series.bars.drain(..series.bars.len().saturating_sub(BARS));
        let mut session = vendors::Session::default();
        session.set("crumb", "simulated");
        session.set("cookie", "simulated");
        let ask = Ask { question: &question, now, session: &session, plan: None };
        let request = codec.encode_request(&ask).ok()?;
        let response = codec.encode_response(&request, Some(&question), &Ok(Data::Bars(series)), now);
        Some(Reply { codec, question, request, session, response, now })
    }

    fn decode(&self) -> BarSeries {
        let ask = Ask { question: &self.question, now: self.now, session: &self.session, plan: None };
        let decoded = self.codec.decode_response(&ask, &self.request, black_box(&self.response));
        match decoded.expect("a vendor reads its own words").into_data() {
            Some(Data::Bars(series)) => series,
            other => panic!("bars were asked for, not {other:?}"),
        }
    }
}

/// Validates a series and grades each of its rows; the sum keeps the work from being optimised away.
fn judge(series: &BarSeries, context: &BarContext<'_>, record: &Instrument, settings: &Settings) -> f32 {
    let secs = std::time::Duration::from_secs;
    let judged = validate_bars(series, context);
    let completeness = Completeness::of_series(&series.bars, record.kind, true, &judged);
    let clean = Evidence {
        completeness,
        checks: Checks::weigh(&judged.findings, series.bars.len(), &CrossCheck::ALONE),
        reliability: 0.95,
        ..Evidence::new(Kind::FinalBar, secs(900), secs(60), secs(900))
    };
    let timing = Timing {
        event_time: Some(context.now),
        received_at: Some(context.now),
        now: context.now + secs(1),
        market: Phase::Continuous,
    };
    series.bars.iter().map(|_| grade(settings, black_box(&clean), &timing).score.points()).sum()
}

fn bars(c: &mut Criterion) {
    let directory = Directory::built_in();
    let market = Market::synthetic(7, &directory);
    let calendars = Calendars::built_in();
    let id = InstrumentId::parse("AAPL.XNAS").expect("a literal id");
    let record = market.instrument(&id).expect("the synthetic market has it");
    let settings = Settings::default();
    let replies: Vec<Reply> =
        vendors::ALL.iter().filter_map(|codec| Reply::of(*codec, &market, &id)).collect();

    for (name, judges) in [("decode bars", false), ("decode, validate and grade bars", true)] {
        let mut group = c.benchmark_group(name);
        for reply in &replies {
            let context = BarContext {
                calendar: calendars.of(id.venue()),
                range: reply.question.range(),
                denomination: record.denomination,
                ..BarContext::new(reply.now, record.kind)
            };
            let rows = reply.decode().bars.len();
            group.throughput(Throughput::Elements(rows as u64));
            group.bench_function(BenchmarkId::from_parameter(reply.codec.profile().id), |b| {
                b.iter(|| {
                    let series = reply.decode();
                    if judges {
                        judge(&series, &context, record, &settings)
                    } else {
                        series.bars.len() as f32
                    }
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, bars);
criterion_main!(benches);
