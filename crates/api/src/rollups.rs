//! `GET /v1/rollups`: what stored intraday bars amount to by hour and by trading date. No vendor is asked.

use std::time::Duration;

use domain::{Price, Range};
use gateway::rollup::{Rollup, Window};
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::{Call, Reply};
use crate::error::{Code, Problem};
use crate::vendors_told::ListMeta;

const DAY: Duration = Duration::from_secs(86_400);
/// How far back a range goes whose start the caller leaves open.
const USUAL: Duration = Duration::from_secs(5 * 86_400);
/// A longer range is refused.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);
/// At most so many symbols in one request.
const MOST_SYMBOLS: usize = 100;

/// One hour or trading date of one series.
#[derive(Serialize, ToSchema)]
pub struct RollupTold {
    /// The symbol as asked, in upper case.
    pub symbol: String,
    /// Canonical id of the instrument.
    pub instrument: String,
    /// `1h` or `1d`.
    pub span: &'static str,
    /// Start of the UTC hour (RFC 3339), for an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub t: Option<String>,
    /// Trading date at the venue, for a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// First price, a decimal; `null` if the vendor left it out.
    pub open: Option<String>,
    /// Highest price.
    pub high: Option<String>,
    /// Lowest price.
    pub low: Option<String>,
    /// Last price.
    pub close: Option<String>,
    /// Quantity traded, a decimal.
    pub volume: Option<String>,
    /// Number of final bars in it.
    pub bars: u64,
    /// Interval of those bars.
    pub interval: &'static str,
    /// Whether every bar the vendor has of it is stored.
    pub complete: bool,
    /// Whose bars.
    pub vendor: &'static str,
    /// `raw`, `split`, `dividend`, `all`, `unknown`.
    pub adjustment: &'static str,
    /// `regular` or `extended`.
    pub session: &'static str,
    /// Whether the bars come from a simulation.
    pub simulated: bool,
    /// When the newest of the bars was learned (RFC 3339).
    pub learned_at: String,
}

/// The answer of `/v1/rollups`.
#[derive(Serialize, ToSchema)]
pub struct RollupList {
    /// By symbol as asked, hours before days, ascending.
    pub data: Vec<RollupTold>,
    /// Facts about the answer.
    pub meta: ListMeta,
}

/// Hours and days of each symbol: of several intervals of one series the finest complete one, so that nothing
/// counts twice. A date as start or end means the trading date.
pub async fn rollups(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    let symbols = words.symbols("symbols");
    if symbols.len() > MOST_SYMBOLS {
        words.fault("symbols", format!("{} symbols: at most {MOST_SYMBOLS}", symbols.len()));
    }
    let (start, end) = (words.instant("start"), words.instant("end"));
    let end = end.unwrap_or(call.received_at + DAY);
    let range = Range::new(start.unwrap_or(end - USUAL), end);
    if range.is_empty() {
        words.fault("end", format!("{end} is not after {}: a range is [start, end)", range.start));
    } else if range.end.since(range.start) > LONGEST {
        words.fault("start", format!("the range is longer than {} days", LONGEST.as_secs() / DAY.as_secs()));
    }
    let span = words.choose("span", &["1h", "1d"], |word| word);
    words.finish().map_err(Problem::malformed)?;
    let mut data = Vec::new();
    for symbol in symbols {
        let instrument = call.resolve(&symbol, None)?;
        let found = call
            .gateway
            .rollups(&instrument, range)
            .await
            .map_err(|_| Problem::new(Code::StoreUnavailable, "the store cannot be read at present"))?;
        let told = found.iter().map(|rollup| told(&symbol, rollup));
        data.extend(told.filter(|rollup| span.is_none_or(|span| rollup.span == span)));
    }
    let meta = ListMeta::of(&call, data.len());
    Ok(Reply::json(&RollupList { data, meta }))
}

fn told(symbol: &str, Rollup { key, window, sum, complete }: &Rollup) -> RollupTold {
    let price = |price: Option<Price>| price.map(|price| price.to_string());
    let (span, t, date) = match window {
        Window::Hour(start) => ("1h", Some(start.to_string()), None),
        Window::Day(date) => ("1d", None, Some(date.to_string())),
    };
    RollupTold {
        symbol: symbol.to_uppercase(),
        instrument: key.instrument.to_string(),
        span,
        t,
        date,
        open: price(sum.open),
        high: price(sum.high),
        low: price(sum.low),
        close: price(sum.close),
        volume: sum.volume.map(|volume| volume.to_string()),
        bars: sum.bar_count,
        interval: key.interval.as_str(),
        complete: *complete,
        vendor: key.vendor.as_str(),
        adjustment: key.adjustment.as_str(),
        session: key.session.as_str(),
        simulated: key.simulated,
        learned_at: sum.learned_at.to_string(),
    }
}
