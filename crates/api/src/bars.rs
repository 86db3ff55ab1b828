//! `GET /v1/bars`: open, high, low, close and volume over a span, page by page.

use std::time::Duration;

use domain::{Anchor, Bar, Instant, InstrumentId, Interval, Range};
use gateway::Served;
use vendors::{Data, Question};

use crate::ask::{Asked, ask_each, remember_all};
use crate::call::{Call, Reply};
use crate::envelope::{self, Part, Shape, row_letters};
use crate::error::{Fault, Problem};
use crate::form::{Cell, Column, Kind, column, known, optional};
use crate::page::{self, Page};
use crate::words::When;

/// Rows of a page unless the caller says otherwise.
const PAGE: u64 = 10_000;
/// Rows of a page at most.
const LONGEST_PAGE: u64 = 1_000_000;

/// Columns of a bar.
pub static COLUMNS: [Column; 12] = [
    known("t", Kind::Time, "Start of its window, or its end with anchor=close"),
    optional("date", Kind::Date, "Trading date at the venue"),
    column("open", Kind::Number, "First price"),
    column("high", Kind::Number, "Highest price"),
    column("low", Kind::Number, "Lowest price"),
    column("close", Kind::Number, "Last price"),
    column("volume", Kind::Number, "Quantity traded"),
    optional("vwap", Kind::Number, "Mean price weighted by volume, as the vendor tells it"),
    optional("trades", Kind::Count, "Number of trades"),
    optional(
        "adjusted_close",
        Kind::Number,
        "Last price as the vendor itself adjusts it: evidence, not ours",
    ),
    known("final", Kind::Flag, "Whether its window had ended when the vendor spoke: it changes no more"),
    known("grade", Kind::Text, "A to F"),
];

/// The row of a bar.
pub fn row<'a>(bar: &'a Bar, stamped: Instant, letter: &'a str) -> Vec<Cell<'a>> {
    vec![
        Cell::Time(stamped),
        bar.trading_date.into(),
        bar.open.into(),
        bar.high.into(),
        bar.low.into(),
        bar.close.into(),
        bar.volume.into(),
        bar.vwap.into(),
        bar.trade_count.map_or(Cell::Absent, Cell::Count),
        bar.vendor_adjusted_close.into(),
        Cell::Flag(bar.is_final),
        letter.into(),
    ]
}

/// The bars of an answer.
pub fn bars_of(served: &Served) -> &[Bar] {
    match &served.answer.data {
        Data::Bars(series) => &series.bars,
        _ => &[],
    }
}

/// How far back a range goes whose start the caller leaves open.
pub fn usual_length(interval: Interval) -> Duration {
    let days = match interval {
        Interval::S1 => return Duration::from_secs(3_600),
        Interval::M1 | Interval::M5 | Interval::M15 | Interval::M30 | Interval::H1 | Interval::H4 => 5,
        Interval::D1 => 365,
        Interval::W1 => 5 * 365,
        Interval::Mo1 => 10 * 365,
    };
    Duration::from_secs(days * 86_400)
}

/// Bars of each symbol.
pub async fn bars(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    let interval = words.interval();
    let adjustment = words.adjustment();
    let session = words.session();
    let anchor = words.anchor();
    let currency = words.currency();
    let arrangement = words.arrangement();
    let (start, end) = (words.when("start"), words.when("end"));
    let limit = words.count("limit", 1, LONGEST_PAGE).unwrap_or(PAGE) as usize;
    let page = words.parse("page_token", |text| Page::read(text, &call.query));
    if let (Some(When::Date(a)), Some(When::Date(b))) = (start, end)
        && b <= a
    {
        words.fault("end", format!("{b} is not after {a}: a range is [start, end)"));
    }
    if let (Some(When::At(a)), Some(When::At(b))) = (start, end)
        && b <= a
    {
        words.fault("end", format!("{b} is not after {a}: a range is [start, end)"));
    }
    let asked = Asked::read(&call, "symbols", words)?.arranged(arrangement)?;
    let page = page.unwrap_or_else(|| Page::first(call.received_at));
    let calendars = call.gateway.calendars();
    let range_at = |instrument: &InstrumentId, rest: Option<Instant>| -> Result<Range, Problem> {
        let venue = instrument.venue();
        let end = end.map_or(page.now, |end| end.at(venue, calendars));
        let start = start.map_or(end - usual_length(interval), |start| start.at(venue, calendars));
        if end <= start {
            let detail = format!("the range from {start} to {end} is empty: a range is [start, end)");
            return Err(Problem::malformed(vec![Fault { parameter: "end".to_owned(), detail }]));
        }
        Ok(Range::new(rest.unwrap_or(start), end))
    };
    let (policy, skip) = (&asked.policy, page.at.0);
    let from_page = asked.symbols.into_iter().skip(skip).collect();
    let parts = ask_each(&call, from_page, |index, instrument| {
        let mut policy = gateway::Policy { currency, ..policy.clone() };
        if let Some(vendor) = page.vendor(skip + index) {
            policy.vendors = vec![vendor];
            policy.failover = gateway::Failover::Listed;
        }
        policy.asof = page.asof(skip + index).or(policy.asof);
        let question = Question::Bars {
            instrument: instrument.clone(),
            interval,
            range: range_at(instrument, page.rest(skip + index))?,
            adjustment: adjustment.unwrap_or(domain::Adjustment::Split),
            session,
        };
        Ok((question, policy))
    })
    .await;
    remember_all(&call, &parts);
    let (slices, next) = page::cut(&parts, &page, limit, &call.query);
    let shown = slices.len();
    let parts: Vec<Part> = parts.into_iter().take(shown).collect();
    let gateway = &call.gateway;
    let shape = Shape {
        columns: &COLUMNS,
        single: false,
        rows: &|index, served| {
            let (bars, letter) = (bars_of(served), row_letters(gateway, served));
            slices[index]
                .clone()
                .map(|at| {
                    let stamped = match anchor {
                        Anchor::Open => bars[at].start,
                        Anchor::Close => close_of(gateway, served, interval, bars[at].start),
                    };
                    row(&bars[at], stamped, letter(at))
                })
                .collect()
        },
        anchor,
        next,
    };
    envelope::reply(&call, &asked.form, parts, &shape)
}

/// When the window of a bar ends.
fn close_of(gateway: &gateway::Gateway, served: &Served, interval: Interval, start: Instant) -> Instant {
    served
        .answer
        .instrument()
        .and_then(|id| gateway.calendars().of(id.venue())?.window_of(interval, start))
        .map_or(start + interval.nominal_length(), |window| window.end)
}
