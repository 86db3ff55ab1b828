//! `/stock/candle` and `/forex/candle`: parallel arrays.

use std::fmt::Write;

use domain::{Adjustment, Bar, BarSeries, Date, Instant, InstrumentId, Interval, Price, Size};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::local_time::Zone;
use crate::number::Cells;
use crate::symbol::is_united_states;
use crate::{Data, Rejection};

#[derive(Deserialize)]
struct Reply<'a> {
    s: &'a str,
    #[serde(borrow, default)]
    o: Option<&'a RawValue>,
    #[serde(borrow, default)]
    h: Option<&'a RawValue>,
    #[serde(borrow, default)]
    l: Option<&'a RawValue>,
    #[serde(borrow, default)]
    c: Option<&'a RawValue>,
    #[serde(borrow, default)]
    v: Option<&'a RawValue>,
    #[serde(borrow, default)]
    t: Option<&'a RawValue>,
}

/// Daily bars and longer are restated for splits, shorter ones are as traded (vendor text, 2026-10).
pub(super) const fn adjustment_of(interval: Interval) -> Adjustment {
    if interval.is_intraday() { Adjustment::Raw } else { Adjustment::Split }
}

/// Reads bars.
pub(super) fn decode(asked: &InstrumentId, interval: Interval, body: &[u8]) -> Result<Data, Rejection> {
    let reply: Reply<'_> = serde_json::from_slice(body).map_err(|_| Rejection::unreadable("`s` of bars"))?;
    match reply.s {
        "ok" => {}
        "no_data" => return Err(Rejection::NoData),
        _ => return Err(Rejection::unreadable("`s` of bars: ok or no_data")),
    }
    let column = |array: Option<&RawValue>, name| {
        let cells = Cells::of(array.ok_or(Rejection::unreadable(name))?);
        cells.collect::<Result<Vec<_>, _>>()
    };
    let times = column(reply.t, "`t` of bars")?;
    let [open, high, low, close, volume] = [
        column(reply.o, "`o` of bars")?,
        column(reply.h, "`h` of bars")?,
        column(reply.l, "`l` of bars")?,
        column(reply.c, "`c` of bars")?,
        column(reply.v, "`v` of bars")?,
    ];
    if [&open, &high, &low, &close, &volume].into_iter().any(|column| column.len() != times.len()) {
        return Err(Rejection::unreadable("columns of one length"));
    }
    if times.is_empty() {
        return Err(Rejection::NoData);
    }
    let mut days = DayStamps::of(asked);
    let mut series = BarSeries::empty(asked.clone(), interval, adjustment_of(interval));
    series.bars.reserve_exact(times.len());
    for (index, time) in times.into_iter().enumerate() {
        let secs = time.filter(|t| t.is_integer()).and_then(|t| i64::try_from(t).ok());
        let stamp = Instant::from_secs(secs.ok_or(Rejection::unreadable("`t` of a bar in seconds"))?);
        let (start, trading_date) = match interval.is_intraday() {
            true => (stamp, None),
            false => {
                let (start, date) = days.read(stamp);
                (start, Some(date))
            }
        };
        series.bars.push(Bar {
            open: open[index].map(Price::new),
            high: high[index].map(Price::new),
            low: low[index].map(Price::new),
            close: close[index].map(Price::new),
            volume: volume[index].map(Size::new),
            trading_date,
            ..Bar::empty(start)
        });
    }
    if !series.bars.windows(2).all(|pair| pair[0].start < pair[1].start) {
        series.bars.sort_by_key(|bar| bar.start);
        series.bars.dedup_by_key(|bar| bar.start);
    }
    Ok(Data::Bars(series))
}

/// The stamps of daily bars, whose convention has changed: midnight of New York, the opening, midnight UTC.
struct DayStamps {
    new_york: Option<Zone>,
}

impl DayStamps {
    fn of(instrument: &InstrumentId) -> DayStamps {
        let is_here = is_united_states(instrument.venue());
        DayStamps { new_york: Zone::named("America/New_York").filter(|_| is_here) }
    }

    /// Start and date of the day a stamp means.
    fn read(&mut self, stamp: Instant) -> (Instant, Date) {
        let since_midnight = stamp.as_secs().rem_euclid(86_400);
        match &mut self.new_york {
            Some(zone) => {
                let date = if since_midnight == 0 { stamp.utc_date() } else { zone.date(stamp) };
                (zone.instant(date.at(0, 0, 0, 0)).unwrap_or(stamp), date)
            }
            // East of Greenwich the midnight of a date falls into the evening before.
            None if since_midnight >= 15 * 3_600 => {
                let date = stamp.utc_date();
                (stamp, date.tomorrow().unwrap_or(date))
            }
            None => (stamp, stamp.utc_date()),
        }
    }
}

/// Words bars.
pub(super) fn encode(series: &BarSeries) -> String {
    if series.bars.is_empty() {
        return "{\"s\":\"no_data\"}".to_owned();
    }
    let mut out = String::from("{");
    let mut column = |name: &str, cell: &dyn Fn(&Bar) -> Option<String>| {
        write!(out, "\"{name}\":[").expect("a string takes all that is written to it");
        for (index, bar) in series.bars.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push_str(cell(bar).as_deref().unwrap_or("null"));
        }
        out.push_str("],");
    };
    let price = |of: fn(&Bar) -> Option<Price>| move |bar: &Bar| of(bar).map(|price| price.to_string());
    column("c", &price(|bar| bar.close));
    column("h", &price(|bar| bar.high));
    column("l", &price(|bar| bar.low));
    column("o", &price(|bar| bar.open));
    column("t", &|bar| {
        // A day is stamped midnight UTC of its date.
        let stamp = bar.trading_date.map_or(bar.start, Instant::from_utc_midnight);
        Some(stamp.as_secs().to_string())
    });
    column("v", &|bar| bar.volume.map(|size| size.to_string()));
    out.push_str("\"s\":\"ok\"}");
    out
}
