//! Charts: parallel columns of bars, events and the last price.
//!
//! Columns stay raw text until each cell becomes a decimal, so no digit passes through a float and a row
//! costs no allocation.

use std::collections::BTreeMap;

use domain::{
    ActionKind, Adjustment, Bar, BarSeries, CorporateAction, Denomination, Instant, InstrumentId, Interval,
    Price, Quote, Ratio, Size,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{interval_of, interval_word, refusal, symbol};
use crate::body::without_mark;
use crate::local_time::Zone;
use crate::number::{Cells, Exact};
use crate::{HttpResponse, Rejection};

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    chart: Envelope<'a>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    result: Option<Vec<Chart<'a>>>,
    error: Option<ErrorText>,
}

#[derive(Deserialize)]
struct ErrorText {
    #[serde(default)]
    code: String,
    #[serde(default)]
    description: String,
}

/// One chart of a reply.
#[derive(Deserialize)]
pub(super) struct Chart<'a> {
    pub(super) meta: Meta,
    #[serde(default)]
    timestamp: Vec<i64>,
    #[serde(borrow)]
    indicators: Indicators<'a>,
    #[serde(default)]
    events: Events,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    pub(super) symbol: String,
    currency: Option<String>,
    exchange_name: Option<String>,
    exchange_timezone_name: Option<String>,
    gmtoffset: Option<i32>,
    data_granularity: Option<String>,
    regular_market_time: Option<i64>,
    regular_market_price: Option<Exact>,
    regular_market_day_high: Option<Exact>,
    regular_market_day_low: Option<Exact>,
    regular_market_volume: Option<Exact>,
    previous_close: Option<Exact>,
    chart_previous_close: Option<Exact>,
    current_trading_period: Option<Periods>,
}

#[derive(Deserialize)]
struct Periods {
    regular: Period,
}

#[derive(Deserialize)]
struct Period {
    start: i64,
    end: i64,
}

#[derive(Deserialize)]
struct Indicators<'a> {
    #[serde(borrow, default)]
    quote: Vec<Columns<'a>>,
    #[serde(borrow, default)]
    adjclose: Vec<AdjustedColumn<'a>>,
}

#[derive(Deserialize)]
struct Columns<'a> {
    #[serde(borrow)]
    open: Option<&'a RawValue>,
    #[serde(borrow)]
    high: Option<&'a RawValue>,
    #[serde(borrow)]
    low: Option<&'a RawValue>,
    #[serde(borrow)]
    close: Option<&'a RawValue>,
    #[serde(borrow)]
    volume: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct AdjustedColumn<'a> {
    #[serde(borrow)]
    adjclose: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Events {
    dividends: BTreeMap<String, Payment>,
    capital_gains: BTreeMap<String, Payment>,
    splits: BTreeMap<String, Split>,
}

#[derive(Deserialize)]
struct Payment {
    date: i64,
    amount: Exact,
}

#[derive(Deserialize)]
struct Split {
    date: i64,
    numerator: Exact,
    denominator: Exact,
}

/// The chart of a reply.
///
/// # Errors
/// What the error inside says; [`Rejection::NoData`] without a chart.
pub(super) fn read(response: &HttpResponse) -> Result<Chart<'_>, Rejection> {
    let body = without_mark(&response.body);
    let reply: Reply<'_> = serde_json::from_slice(body)
        .map_err(|_| refusal::inside(response.status, body).unwrap_or(Rejection::unreadable("a chart")))?;
    if let Some(error) = reply.chart.error {
        return Err(refusal::of_error("chart", response.status, &error.code, &error.description));
    }
    reply.chart.result.unwrap_or_default().into_iter().next().ok_or(Rejection::NoData)
}

#[derive(Deserialize)]
struct SparkReply<'a> {
    #[serde(borrow)]
    spark: SparkEnvelope<'a>,
}

#[derive(Deserialize)]
struct SparkEnvelope<'a> {
    #[serde(borrow)]
    result: Option<Vec<Spark<'a>>>,
    error: Option<ErrorText>,
}

#[derive(Deserialize)]
struct Spark<'a> {
    #[serde(borrow, default)]
    response: Vec<Chart<'a>>,
}

/// The charts of a reply about many symbols: closes only.
///
/// # Errors
/// As [`read`].
pub(super) fn read_spark(response: &HttpResponse) -> Result<Vec<Chart<'_>>, Rejection> {
    let body = without_mark(&response.body);
    let reply: SparkReply<'_> = serde_json::from_slice(body).map_err(|_| {
        refusal::inside(response.status, body).unwrap_or(Rejection::unreadable("charts by symbol"))
    })?;
    if let Some(error) = reply.spark.error {
        return Err(refusal::of_error("spark", response.status, &error.code, &error.description));
    }
    let charts: Vec<Chart<'_>> =
        reply.spark.result.unwrap_or_default().into_iter().flat_map(|one| one.response).collect();
    if charts.is_empty() { Err(Rejection::UnknownSymbol) } else { Ok(charts) }
}

impl Chart<'_> {
    /// The instrument the chart is of, where that is `asked`.
    ///
    /// # Errors
    /// [`Rejection::Unreadable`] for a chart of another.
    pub(super) fn instrument(&self, asked: &InstrumentId) -> Result<InstrumentId, Rejection> {
        symbol::agree(asked, &self.meta.symbol, self.meta.exchange_name.as_deref())
    }

    fn zone(&self) -> Result<Zone, Rejection> {
        let meta = &self.meta;
        meta.exchange_timezone_name
            .as_deref()
            .and_then(Zone::named)
            .or_else(|| Zone::fixed(meta.gmtoffset?))
            .ok_or(Rejection::unreadable("the exchange's time zone"))
    }

    fn denomination(&self) -> Option<Denomination> {
        Denomination::parse(self.meta.currency.as_deref()?)
    }

    /// The interval the chart says it has.
    fn interval(&self, asked: Option<Interval>) -> Result<Interval, Rejection> {
        let word = self.meta.data_granularity.as_deref().ok_or(Rejection::unreadable("dataGranularity"))?;
        let told = interval_of(word).map_err(|_| Rejection::unreadable("an interval of Yahoo's"))?;
        match (told, asked) {
            (Some(told), None) => Ok(told),
            (None, None) => Err(Rejection::Unsupported),
            (Some(told), Some(asked)) if told == asked => Ok(told),
            (_, Some(_)) => Err(Rejection::unreadable("bars of the interval asked for")),
        }
    }

    /// The bars. `asked` is the interval the request named, if it did.
    ///
    /// # Errors
    /// [`Rejection::NoData`] without rows; [`Rejection::Unreadable`] for columns that do not fit together or
    /// another interval than asked.
    pub(super) fn series(
        &self,
        instrument: InstrumentId,
        asked: Option<Interval>,
    ) -> Result<BarSeries, Rejection> {
        let interval = self.interval(asked)?;
        let columns = self.indicators.quote.first();
        let close = columns.and_then(|columns| columns.close);
        if self.timestamp.is_empty() {
            // Rows without times are no answer; no rows are one.
            return Err(match close.map(|cells| Cells::of(cells).count()) {
                None | Some(0) => Rejection::NoData,
                Some(_) => Rejection::unreadable("timestamp"),
            });
        }
        let (Some(columns), Some(close)) = (columns, close) else {
            return Err(Rejection::unreadable("a column of closes"));
        };
        let others = [columns.open, columns.high, columns.low, columns.volume];
        if others.iter().any(Option::is_some) && !others.iter().all(Option::is_some) {
            return Err(Rejection::unreadable("open, high, low, close and volume"));
        }
        let [mut open, mut high, mut low, mut volume] = others.map(Column::of);
        let mut close = Column::of(Some(close));
        let mut adjusted = Column::of(self.indicators.adjclose.first().and_then(|column| column.adjclose));
        let zone = self.zone()?;
        let dated = !interval.is_intraday();
        let mut bars = Vec::with_capacity(self.timestamp.len());
        for secs in &self.timestamp {
            let start = Instant::from_secs(*secs);
            bars.push(Bar {
                open: open.price()?,
                high: high.price()?,
                low: low.price()?,
                close: close.price()?,
                volume: volume.cell()?.map(Size::new),
                vendor_adjusted_close: adjusted.price()?,
                trading_date: dated.then(|| zone.date(start)),
                ..Bar::empty(start)
            });
        }
        for mut column in [open, high, low, close, volume, adjusted] {
            column.end()?;
        }
        self.mark_running(&mut bars, interval);
        if interval == Interval::M30 && is_hourly(&bars) {
            return Err(Rejection::unreadable("bars of the interval asked for"));
        }
        if !bars.is_sorted_by_key(|bar| bar.start) {
            bars.sort_by_key(|bar| bar.start);
        }
        let actions = self.actions(&instrument)?;
        Ok(BarSeries {
            denomination: self.denomination(),
            zone: self.meta.exchange_timezone_name.as_deref().map(Into::into),
            bars,
            actions,
            quote: self.quote().ok().map(Box::new),
            ..BarSeries::empty(instrument, interval, Adjustment::Split)
        })
    }

    /// Marks the last row where the reply itself shows that it still runs: a live tick, stamped with the
    /// time of the last trade instead of a start on the grid, or a window in which the last trade lies
    /// before the session's close.
    fn mark_running(&self, bars: &mut [Bar], interval: Interval) {
        let Some(traded) = self.meta.regular_market_time.map(Instant::from_secs) else { return };
        let session = self.meta.current_trading_period.as_ref().map(|periods| &periods.regular);
        let before = bars.len().checked_sub(2).map(|at| bars[at].start);
        let Some(last) = bars.last_mut() else { return };
        let anchor = before.or(session.map(|regular| Instant::from_secs(regular.start)));
        let on_grid = match (interval.fixed_length(), anchor) {
            (Some(step), Some(anchor)) => {
                (last.start.as_secs() - anchor.as_secs()).rem_euclid(step.as_secs() as i64) == 0
            }
            (None, _) => session.is_some_and(|regular| regular.start == last.start.as_secs()),
            (Some(_), None) => true,
        };
        let is_tick = last.start == traded && !on_grid;
        let closed_at = session.map_or(Instant::MIN, |regular| Instant::from_secs(regular.end));
        let runs =
            last.start <= traded && traded < last.start + interval.nominal_length() && traded < closed_at;
        last.is_final = !is_tick && !runs;
    }

    /// Splits and dividends, oldest first.
    ///
    /// # Errors
    /// [`Rejection::Unreadable`] for a split without a ratio or a chart without a zone.
    pub(super) fn actions(&self, instrument: &InstrumentId) -> Result<Vec<CorporateAction>, Rejection> {
        let zone = self.zone()?;
        let mut actions = Vec::new();
        let mut add = |secs: i64, kind, description: Option<&str>| {
            let ex_date = zone.date(Instant::from_secs(secs));
            let mut action = CorporateAction::new(instrument.clone(), ex_date, kind);
            action.description = description.map(Into::into);
            actions.push(action);
        };
        for split in self.events.splits.values() {
            let new_per_old = Ratio::of(split.numerator.0, split.denominator.0)
                .filter(|ratio| ratio.is_positive())
                .ok_or(Rejection::unreadable("the ratio of a split"))?;
            add(split.date, ActionKind::Split { new_per_old }, None);
        }
        let denomination = self.denomination();
        let paid = |payment: &Payment| ActionKind::Dividend { amount: payment.amount.price(), denomination };
        for payment in self.events.dividends.values() {
            add(payment.date, paid(payment), None);
        }
        for payment in self.events.capital_gains.values() {
            add(payment.date, paid(payment), Some("capital gains"));
        }
        actions.sort_by_key(|action| action.ex_date);
        Ok(actions)
    }

    /// The last price, which needs no cookie.
    ///
    /// # Errors
    /// [`Rejection::NoData`] without a price above zero.
    pub(super) fn quote(&self) -> Result<Quote, Rejection> {
        let meta = &self.meta;
        let last = meta.regular_market_price.map(Exact::price).filter(|price| price.is_positive());
        let event_time = meta.regular_market_time.map(Instant::from_secs);
        let previous = meta.previous_close.or_else(|| {
            // The close before the chart is yesterday's only where the chart is today's.
            meta.chart_previous_close.filter(|_| self.timestamp.len() <= 1 && self.is_daily())
        });
        Ok(Quote {
            last: Some(last.ok_or(Rejection::NoData)?),
            high: meta.regular_market_day_high.map(Exact::price),
            low: meta.regular_market_day_low.map(Exact::price),
            previous_close: previous.map(Exact::price),
            volume: meta.regular_market_volume.map(Exact::size),
            event_time,
            trading_date: match (event_time, self.zone()) {
                (Some(at), Ok(zone)) => Some(zone.date(at)),
                _ => None,
            },
            denomination: self.denomination(),
            ..Quote::default()
        })
    }

    fn is_daily(&self) -> bool {
        self.meta.data_granularity.as_deref() == interval_word(Interval::D1)
    }
}

/// Whether bars that should be half an hour long stand an hour apart, every one.
fn is_hourly(bars: &[Bar]) -> bool {
    let Some((_, rows)) = bars.split_last() else { return false };
    rows.len() >= 3 && rows.windows(2).all(|pair| pair[1].start.since(pair[0].start).as_secs() >= 3_600)
}

/// A column cell by cell; one the reply does not have is empty cells all the way down.
struct Column<'a>(Option<Cells<'a>>);

impl<'a> Column<'a> {
    fn of(array: Option<&'a RawValue>) -> Column<'a> {
        Column(array.map(Cells::of))
    }

    fn cell(&mut self) -> Result<Option<domain::number::Decimal>, Rejection> {
        match &mut self.0 {
            None => Ok(None),
            Some(cells) => cells.next().unwrap_or(Err(UNEVEN)),
        }
    }

    fn price(&mut self) -> Result<Option<Price>, Rejection> {
        Ok(self.cell()?.map(Price::new))
    }

    /// Checks that no cell is left.
    fn end(&mut self) -> Result<(), Rejection> {
        match self.0.as_mut().and_then(Iterator::next) {
            None => Ok(()),
            Some(_) => Err(UNEVEN),
        }
    }
}

const UNEVEN: Rejection = Rejection::unreadable("columns of one length");
