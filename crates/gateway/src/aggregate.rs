//! Longer bars from shorter ones, along the session (SYM-7).

use domain::{Bar, BarSeries, Calendar, Interval, Price, Range, Size};

/// Intervals an interval can be built from, longest first.
pub fn finer(interval: Interval) -> &'static [Interval] {
    match interval {
        Interval::S1 => &[],
        Interval::M1 => &[Interval::S1],
        Interval::M5 => &[Interval::M1],
        Interval::M15 => &[Interval::M5, Interval::M1],
        Interval::M30 => &[Interval::M15, Interval::M5, Interval::M1],
        Interval::H1 => &[Interval::M30, Interval::M15, Interval::M5, Interval::M1],
        Interval::H4 => &[Interval::H1, Interval::M30, Interval::M15, Interval::M5, Interval::M1],
        Interval::D1 => &[Interval::H1, Interval::M30, Interval::M15, Interval::M5, Interval::M1],
        Interval::W1 | Interval::Mo1 => &[Interval::D1],
    }
}

/// Builds the bars of a longer interval. A bar is final when its window ended before `known_until`, up to
/// which the finer bars are complete; a window of which any price is missing has that price missing.
pub fn aggregate(
    series: &BarSeries,
    to: Interval,
    calendar: &Calendar,
    known_until: domain::Instant,
) -> BarSeries {
    let mut out = BarSeries { interval: to, bars: Vec::new(), ..series.clone() };
    let mut window: Option<Range> = None;
    for bar in &series.bars {
        if window.is_none_or(|w| !w.contains(bar.start)) {
            window = calendar.window_of(to, bar.start);
            if let Some(window) = window {
                let trading_date = (!to.is_intraday()).then(|| calendar.trading_date(window.start));
                out.bars.push(Bar {
                    start: window.start,
                    is_final: window.end <= known_until,
                    trading_date,
                    vwap: None,
                    vendor_adjusted_close: None,
                    ..bar.clone()
                });
            }
            continue;
        }
        let sum = out.bars.last_mut().expect("a window is open, so its bar was pushed");
        sum.high = both(sum.high, bar.high, Price::max);
        sum.low = both(sum.low, bar.low, Price::min);
        sum.close = bar.close;
        sum.volume = both(sum.volume, bar.volume, |a, b| Size::new(a.decimal().saturating_add(b.decimal())));
        sum.trade_count = both(sum.trade_count, bar.trade_count, u64::saturating_add);
        sum.is_final &= bar.is_final;
    }
    out
}

fn both<T>(a: Option<T>, b: Option<T>, join: impl Fn(T, T) -> T) -> Option<T> {
    Some(join(a?, b?))
}

#[cfg(test)]
mod tests {
    // SYM-7.
    use super::*;
    use domain::{Adjustment, Calendars, Instant, InstrumentId, Venue};

    #[test]
    fn hours_grow_from_half_hours_counted_from_the_open() {
        let calendars = Calendars::built_in();
        let venue = Venue::literal("XNYS");
        let calendar = calendars.of(venue).unwrap();
        let day = Range::new(
            Instant::parse("2026-01-05T14:30:00Z").unwrap(),
            Instant::parse("2026-01-05T21:00:00Z").unwrap(),
        );
        let mut series = BarSeries::empty(InstrumentId::new("IBM", venue), Interval::M30, Adjustment::Raw);
        for (index, start) in calendar.expected_starts(Interval::M30, day).into_iter().enumerate() {
            let price = |offset: u32| Price::from(100 + index as u32 + offset);
            let prices = [price(1), price(5), price(0), price(2)];
            series.bars.push(Bar::new(start, prices, Size::from(10)));
        }
        assert_eq!(series.bars.len(), 13);
        let hours = aggregate(&series, Interval::H1, calendar, day.end);
        assert_eq!(hours.bars.len(), 7);
        let first = &hours.bars[0];
        assert_eq!(first.start, day.start);
        assert_eq!(first.prices().unwrap(), [101u32, 106, 100, 103].map(Price::from));
        assert_eq!(first.volume, Some(Size::from(20)));
        assert!(hours.bars.iter().all(|bar| bar.is_final));
        assert_eq!(hours.bars[6].volume, Some(Size::from(10)), "the last hour is half a bar");
        let days = aggregate(&series, Interval::D1, calendar, day.end - std::time::Duration::from_secs(1));
        assert_eq!(days.bars.len(), 1);
        assert!(!days.bars[0].is_final);
        assert_eq!(days.bars[0].volume, Some(Size::from(130)));
    }
}
