//! Bars in Polygon's replies.

use std::borrow::Cow;

use domain::{Adjustment, Bar, BarSeries, Date, Instant, Interval, MarketPhase, Price, Quote, Venue};
use serde::Deserialize;

use super::reply::{Reply, accept, paged, parse, reply};
use super::symbols::{is_placeholder, only, own, spell};
use crate::local_time::Zone;
use crate::number::MaybeExact;
use crate::symbol::is_unnamed;
use crate::{Data, Decoded, HttpRequest, Question, Quoted, Rejection};

const ROWS: &str = "rows of bars with t, o, h, l and c";

/// One bar as the vendor writes it.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(rename = "T", borrow, default)]
    ticker: Option<Cow<'a, str>>,
    t: MaybeExact,
    o: MaybeExact,
    h: MaybeExact,
    l: MaybeExact,
    c: MaybeExact,
    #[serde(default)]
    v: MaybeExact,
    #[serde(default)]
    vw: MaybeExact,
    #[serde(default)]
    n: MaybeExact,
}

impl Row<'_> {
    /// The bar, stamped as the vendor stamps it.
    fn bar(&self) -> Result<Bar, Rejection> {
        Ok(Bar {
            open: self.o.price(),
            high: self.h.price(),
            low: self.l.price(),
            close: self.c.price(),
            volume: self.v.size(),
            vwap: self.vw.price(),
            trade_count: self.n.count(),
            ..Bar::empty(self.t.millis().ok_or(Rejection::unreadable(ROWS))?)
        })
    }
}

/// Bars of a range, stamped at their start.
pub(super) fn range(
    question: &Question,
    sent: &HttpRequest,
    timespan: &str,
    body: &str,
) -> Result<Decoded, Rejection> {
    let reply: Reply<'_, Vec<Row<'_>>> = reply(body, ROWS)?;
    let mut series = empty(question, &reply)?;
    let rows = reply.results.as_deref().unwrap_or_default();
    series.bars = rows.iter().map(Row::bar).collect::<Result<Vec<_>, _>>()?;
    ascend(&mut series.bars);
    if is_placeholder(timespan) {
        series.interval = interval_of(&series.bars).unwrap_or(series.interval);
    }
    if !series.interval.is_intraday() {
        let zone = Zone::named("America/New_York").ok_or(Rejection::unreadable(ROWS))?;
        for bar in &mut series.bars {
            let date = zone.date(bar.start);
            date_bar(bar, date, series.interval, &zone)?;
        }
    }
    paged(sent, &reply, Data::Bars(series), None)
}

/// The previous day: a bar stamped at its close, or, to those who asked for one, a quote made of it.
pub(super) fn previous(question: &Question, body: &str) -> Result<Data, Rejection> {
    let reply: Reply<'_, Vec<Row<'_>>> = reply(body, ROWS)?;
    let mut series = empty(question, &reply)?;
    let zone = Zone::new_york();
    for row in reply.results.as_deref().unwrap_or_default() {
        series.bars.push(closed_bar(row, &zone)?);
    }
    ascend(&mut series.bars);
    let Some(newest) = series.bars.last() else { return Err(Rejection::NoData) };
    if !matches!(question, Question::Quotes { .. }) {
        return Ok(Data::Bars(series));
    }
    let quote = Quote {
        last: newest.close,
        open: newest.open,
        high: newest.high,
        low: newest.low,
        volume: newest.volume,
        trading_date: newest.trading_date,
        stated_delay: reply.stated_delay(),
        phase: None::<MarketPhase>,
        ..Quote::default()
    };
    if quote.last.is_none_or(|price| price == Price::ZERO) {
        return Err(Rejection::NoData);
    }
    Ok(Data::Quotes(vec![Quoted { instrument: series.instrument, quote: Ok(quote) }]))
}

/// One day of every share, each bar stamped at its close.
pub(super) fn grouped(question: &Question, body: &str) -> Result<Data, Rejection> {
    let reply: Reply<'_, Vec<Row<'_>>> = reply(body, ROWS)?;
    let adjustment = adjustment(question, reply.adjusted);
    let zone = Zone::new_york();
    let mut many = Vec::new();
    for row in reply.results.as_deref().unwrap_or_default() {
        let ticker = row.ticker.as_deref().ok_or(Rejection::unreadable("rows of bars with a ticker"))?;
        let mut series = BarSeries::empty(own(question, ticker), Interval::D1, adjustment);
        series.bars.push(closed_bar(row, &zone)?);
        many.push(series);
    }
    if many.is_empty() { Err(Rejection::NoData) } else { Ok(Data::ManyBars(many)) }
}

/// A day's summary, flat and without a stamp.
#[derive(Deserialize)]
struct OpenClose<'a> {
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    from: Cow<'a, str>,
    open: MaybeExact,
    high: MaybeExact,
    low: MaybeExact,
    close: MaybeExact,
    #[serde(default)]
    volume: MaybeExact,
}

/// One day of one share.
pub(super) fn open_close(question: &Question, body: &str) -> Result<Data, Rejection> {
    const SUMMARY: &str = "a day's symbol, from, open, high, low and close";
    let day: OpenClose<'_> = parse(body, SUMMARY)?;
    accept(day.status.as_deref(), body)?;
    let date: Date = day.from.parse().map_err(|_| Rejection::unreadable(SUMMARY))?;
    let start = Zone::new_york().midnight(date).ok_or(Rejection::unreadable(SUMMARY))?;
    let id = only(question, Some(&day.symbol));
    let mut series = BarSeries::empty(id, Interval::D1, adjustment(question, None));
    series.bars.push(Bar {
        open: day.open.price(),
        high: day.high.price(),
        low: day.low.price(),
        close: day.close.price(),
        volume: day.volume.size(),
        trading_date: Some(date),
        ..Bar::empty(start)
    });
    Ok(Data::Bars(series))
}

/// The series a reply is about, without its bars.
fn empty<T>(question: &Question, reply: &Reply<'_, T>) -> Result<BarSeries, Rejection> {
    let interval = match question {
        Question::Bars { interval, .. } => *interval,
        _ => Interval::D1,
    };
    let ticker = reply.ticker.as_deref();
    if let ([asked], Some(ticker)) = (question.instruments(), ticker)
        && !is_unnamed(asked)
        && spell(asked).is_ok_and(|spelled| !spelled.eq_ignore_ascii_case(ticker))
    {
        return Err(Rejection::unreadable("bars of the ticker asked for"));
    }
    let id = only(question, ticker);
    let adjusted = reply.adjusted.or((id.venue() == Venue::INDEX).then_some(false));
    Ok(BarSeries::empty(id, interval, adjustment(question, adjusted)))
}

/// What the reply says, else what was asked for.
fn adjustment(question: &Question, adjusted: Option<bool>) -> Adjustment {
    match (adjusted, question) {
        (Some(true), _) => Adjustment::Split,
        (Some(false), _) => Adjustment::Raw,
        (None, Question::Bars { adjustment, .. }) => *adjustment,
        (None, _) => Adjustment::Unknown,
    }
}

/// A daily bar whose stamp is the close of its day.
fn closed_bar(row: &Row<'_>, zone: &Zone) -> Result<Bar, Rejection> {
    let mut bar = row.bar()?;
    let date = zone.date(bar.start);
    bar.start = zone.midnight(date).ok_or(Rejection::unreadable(ROWS))?;
    bar.trading_date = Some(date);
    Ok(bar)
}

/// Gives a bar of a day or longer its trading date. The vendor's week starts on Sunday, ours on Monday.
fn date_bar(bar: &mut Bar, date: Date, interval: Interval, zone: &Zone) -> Result<(), Rejection> {
    bar.trading_date = Some(date);
    if interval == Interval::W1 && date.weekday() == jiff::civil::Weekday::Sunday {
        let monday = date.tomorrow().map_err(|_| Rejection::unreadable(ROWS))?;
        bar.start = zone.instant(monday.at(0, 0, 0, 0)).ok_or(Rejection::unreadable(ROWS))?;
        bar.trading_date = Some(monday);
    }
    Ok(())
}

/// Sorts oldest first, whichever way the vendor was asked to sort.
fn ascend(bars: &mut [Bar]) {
    if !bars.is_sorted_by_key(|bar| bar.start) {
        bars.reverse();
        bars.sort_by_key(|bar| bar.start);
    }
}

/// The interval of bars whose request does not tell, from the smallest step between them.
fn interval_of(bars: &[Bar]) -> Option<Interval> {
    let step = |pair: &[Bar]| pair[1].start.since(pair[0].start);
    let step = bars.windows(2).map(step).filter(|step| !step.is_zero()).min()?;
    let hours = step.as_secs() / 3_600;
    Some(match hours {
        // A month has 28 days, a week may start a day late, and a day may be an hour short.
        600.. => Interval::Mo1,
        120.. => Interval::W1,
        20.. => Interval::D1,
        _ => Interval::ALL
            .into_iter()
            .rev()
            .find(|interval| interval.fixed_length().is_some_and(|length| length <= step))?,
    })
}

/// The instant of a bar's stamp on the wire.
pub(super) fn stamp(bar: &Bar, interval: Interval, zone: &Zone) -> Instant {
    let date = match interval {
        Interval::D1 | Interval::Mo1 => bar.trading_date,
        Interval::W1 => bar.trading_date.map(sunday_before),
        _ => None,
    };
    date.and_then(|date| zone.midnight(date)).unwrap_or(bar.start)
}

/// The Sunday the vendor's week of a date starts on.
fn sunday_before(date: Date) -> Date {
    let days = date.weekday().since(jiff::civil::Weekday::Sunday);
    date.checked_sub(jiff::Span::new().days(i64::from(days))).unwrap_or(date)
}
