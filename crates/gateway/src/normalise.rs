//! Brings a vendor's bars to our stamps: a day starts at its session's open, a live tick belongs to the
//! window it lies in, and a bar is final once its window is over by the vendor's own delay.

use std::time::Duration;

use domain::{Bar, BarSeries, Calendar, Instant, Interval, Range};

/// Restamps a series in place. `received_at` is when the vendor spoke, `delay` how late it speaks by its
/// plan. Without a calendar stamps stay as they are and windows have their nominal length.
pub fn bars(series: &mut BarSeries, calendar: Option<&Calendar>, received_at: Instant, delay: Duration) {
    let interval = series.interval;
    let mut out: Vec<Bar> = Vec::with_capacity(series.bars.len());
    for mut bar in series.bars.drain(..) {
        let window = window(interval, &bar, calendar);
        let said_running = !bar.is_final;
        bar.start = window.start;
        bar.is_final = window.end + delay <= received_at;
        if interval.is_intraday() {
            bar.trading_date = None;
        } else if let (None, Some(calendar)) = (bar.trading_date, calendar) {
            bar.trading_date = Some(calendar.trading_date(bar.start));
        }
        match out.last_mut() {
            Some(last) if last.start == bar.start && said_running => absorb(last, &bar),
            _ => out.push(bar),
        }
    }
    series.bars = out;
}

/// The window a bar belongs to.
fn window(interval: Interval, bar: &Bar, calendar: Option<&Calendar>) -> Range {
    let nominal = Range::new(bar.start, bar.start + interval.nominal_length());
    let Some(calendar) = calendar else { return nominal };
    match (interval, bar.trading_date) {
        (Interval::D1, Some(date)) => calendar.session_on(date).map_or(nominal, |session| session.hours),
        (Interval::W1 | Interval::Mo1, Some(date)) => {
            let noon = Instant::from_utc_midnight(date) + Duration::from_secs(12 * 3600);
            let next = calendar.sessions(Range::new(
                noon - Duration::from_secs(86_400),
                noon + Duration::from_secs(7 * 86_400),
            ));
            next.iter()
                .find(|session| session.date >= date)
                .and_then(|session| calendar.window_of(interval, session.hours.start))
                .unwrap_or(nominal)
        }
        // Most stamps already lie on the grid; a tick inside a window, or on the closing bell, does not.
        _ => calendar
            .window_of(interval, bar.start)
            .or_else(|| {
                calendar.window_of(interval, bar.start - Duration::from_nanos(1)).filter(|_| !bar.is_final)
            })
            .unwrap_or(nominal),
    }
}

/// A vendor's live tick updates the bar of its window.
fn absorb(bar: &mut Bar, tick: &Bar) {
    bar.high = bar.high.max(tick.high);
    bar.low = match (bar.low, tick.low) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    bar.close = tick.close.or(bar.close);
    bar.volume = bar.volume.max(tick.volume);
    bar.is_final = tick.is_final;
}

#[cfg(test)]
mod tests {
    // SYM-6, SRC-9.
    use super::*;
    use domain::{Adjustment, Calendars, Date, InstrumentId, Price, Size, Venue};

    fn series(interval: Interval, bars: Vec<Bar>) -> BarSeries {
        let id = InstrumentId::new("AAPL", Venue::literal("XNAS"));
        BarSeries { bars, ..BarSeries::empty(id, interval, Adjustment::Raw) }
    }

    fn bar(start: &str, price: u32) -> Bar {
        Bar::new(Instant::parse(start).unwrap(), [Price::from(price); 4], Size::from(100))
    }

    fn at(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    #[test]
    fn a_day_is_stamped_at_its_sessions_open_and_is_final_after_its_close() {
        let calendars = Calendars::built_in();
        let calendar = calendars.of(Venue::literal("XNAS")).unwrap();
        let date = Date::constant(2026, 1, 5);
        let midnight = Bar { trading_date: Some(date), ..bar("2026-01-05T05:00:00Z", 10) };
        for (received, is_final) in [("2026-01-05T20:59:59Z", false), ("2026-01-05T21:00:00Z", true)] {
            let mut series = series(Interval::D1, vec![midnight.clone()]);
            bars(&mut series, Some(calendar), at(received), Duration::ZERO);
            assert_eq!(series.bars[0].start, at("2026-01-05T14:30:00Z"));
            assert_eq!(series.bars[0].is_final, is_final);
            assert_eq!(series.bars[0].trading_date, Some(date));
        }
    }

    #[test]
    fn a_live_tick_updates_the_bar_of_its_window() {
        let calendars = Calendars::built_in();
        let calendar = calendars.of(Venue::literal("XNAS")).unwrap();
        let tick = Bar { is_final: false, volume: Some(Size::ZERO), ..bar("2026-01-05T15:13:03Z", 12) };
        let mut series = series(Interval::H1, vec![bar("2026-01-05T14:30:00Z", 10), tick]);
        bars(&mut series, Some(calendar), at("2026-01-05T15:13:05Z"), Duration::ZERO);
        assert_eq!(series.bars.len(), 1);
        assert_eq!(series.bars[0].high, Some(Price::from(12)));
        assert_eq!(series.bars[0].low, Some(Price::from(10)));
        assert_eq!(series.bars[0].close, Some(Price::from(12)));
        assert_eq!(series.bars[0].volume, Some(Size::from(100)));
        assert!(!series.bars[0].is_final);
    }

    #[test]
    fn a_delayed_vendors_newest_bar_is_final_only_after_its_delay() {
        let quarter = Duration::from_secs(900);
        for (received, is_final) in [("2026-01-05T14:45:59Z", false), ("2026-01-05T14:46:00Z", true)] {
            let mut series = series(Interval::M1, vec![bar("2026-01-05T14:30:00Z", 10)]);
            bars(&mut series, None, at(received), quarter);
            assert_eq!(series.bars[0].is_final, is_final, "{received}");
        }
    }
}
