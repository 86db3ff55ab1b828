//! The market behind the vendors: what truly happened, up to any instant.
//!
//! Either replayed from a recording or synthetic. Nothing after `now` is ever told: the newest bar is partial,
//! and a split restates history only from its ex-date on.

mod candle;
mod dice;
mod hours;
mod invented;
mod news;
mod replay;
mod restate;
mod synthetic;
mod tape;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::calendar::TradingSession;
use domain::{
    Adjustment, Bar, Calendars, CorporateAction, Date, Directory, Instant, Instrument, InstrumentId,
    InstrumentKind, Interval, MarketPhase, MarketStatus, NewsItem, Quote, Range, Session, Size, Trade, Venue,
};
use parking_lot::{Mutex, RwLock};

pub use invented::invented;
pub use replay::ReplayError;

use candle::{Candle, Minute, Print};
pub(crate) use dice::Dice;
use hours::Hours;
use tape::{Day, MINUTE, Source, Tape};

/// A market: instruments with everything that ever happened to them.
pub struct Market {
    calendars: Calendars,
    instruments: Vec<Instrument>,
    tapes: Vec<Tape>,
    by_id: HashMap<InstrumentId, usize>,
    by_name: HashMap<Arc<str>, usize>,
    today: Vec<RwLock<Option<Arc<Today>>>>,
    minutes: Mutex<HashMap<(usize, Date), Minutes>>,
    synthetic: bool,
}

/// The newest session of one instrument, with what each of its minutes starts from.
struct Today {
    valid: Range,
    day: Day,
    previous: Option<Day>,
    minutes: Minutes,
    /// The day's candle before each minute.
    before: Vec<Option<Candle>>,
    /// The prints of the minute asked for last, by its index.
    prints: RwLock<Option<(usize, Arc<[Print]>)>>,
}

impl Today {
    fn prints(&self, tape: &Tape, index: usize) -> Arc<[Print]> {
        if let Some((_, prints)) = self.prints.read().as_ref().filter(|(kept, _)| *kept == index) {
            return Arc::clone(prints);
        }
        let minute = &self.minutes[index];
        let prints: Arc<[Print]> = minute.candle.prints(minute.start, tape.minute_dice(minute.start)).into();
        *self.prints.write() = Some((index, Arc::clone(&prints)));
        prints
    }
}

/// The minutes of one session.
type Minutes = Arc<[Minute]>;

/// Sessions of minutes kept ready.
const KEPT_SESSIONS: usize = 128;

impl Market {
    /// A recording: a folder of daily bars (`bars.csv`, `corporate_actions.csv`, `symbols.csv`) or of minutes
    /// (`SYMBOL.csv`), each plain or with `.gz`.
    ///
    /// # Errors
    /// [`ReplayError`], which names what was expected.
    pub fn load(folder: &Path) -> Result<Market, ReplayError> {
        let calendars = Calendars::built_in();
        let tapes = replay::load(folder, &calendars, &Directory::built_in())?;
        Ok(Market::of(tapes, calendars, false))
    }

    /// A random market of all names of a directory, a pure function of the seed, from 2000 to 2099.
    pub fn synthetic(seed: u64, directory: &Directory) -> Market {
        let calendars = Calendars::built_in();
        let mut instruments: Vec<&Instrument> = directory.instruments().collect();
        instruments.sort_by(|a, b| a.id.cmp(&b.id));
        let tapes = instruments.into_iter().map(|record| synthetic::tape(seed, record, &calendars)).collect();
        Market::of(tapes, calendars, true)
    }

    fn of(tapes: Vec<Tape>, calendars: Calendars, synthetic: bool) -> Market {
        let instruments: Vec<Instrument> = tapes.iter().map(|tape| tape.instrument.clone()).collect();
        let by_id = instruments.iter().enumerate().map(|(i, record)| (record.id.clone(), i)).collect();
        let mut by_name: HashMap<Arc<str>, usize> = HashMap::new();
        for (index, tape) in tapes.iter().enumerate() {
            by_name.entry(tape.instrument.id.name().into()).or_insert(index);
            if let Some(name) = &tape.recorded_as {
                by_name.entry(Arc::clone(name)).or_insert(index);
            }
        }
        Market {
            calendars,
            by_id,
            by_name,
            today: tapes.iter().map(|_| RwLock::new(None)).collect(),
            minutes: Mutex::new(HashMap::new()),
            instruments,
            tapes,
            synthetic,
        }
    }

    /// All instruments, ordered by id.
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// The record of an instrument; a composite (`AAPL.US`) finds the listing of the same name.
    pub fn instrument(&self, id: &InstrumentId) -> Option<&Instrument> {
        self.find(id).map(|index| &self.instruments[index])
    }

    /// First and last instant of the record: of a recording the first session's open and the last one's
    /// close. `None` without any instrument.
    pub fn span(&self) -> Option<Range> {
        let whole = Range::new(Instant::MIN, Instant::MAX);
        let ends = |index: usize| match &self.tapes[index].source {
            Source::Walk(walk) => Some(walk.reach()),
            Source::Days { .. } | Source::Minutes { .. } => {
                let days = self.tapes[index].days(self.hours(index), whole);
                Some(Range::new(days.first()?.session.hours.start, days.last()?.session.hours.end))
            }
        };
        (0..self.tapes.len())
            .filter_map(ends)
            .reduce(|a, b| Range::new(a.start.min(b.start), a.end.max(b.end)))
    }

    /// Bars as traded, ascending; see [`Market::bars`].
    pub fn raw_bars(&self, id: &InstrumentId, interval: Interval, range: Range, now: Instant) -> Vec<Bar> {
        self.bars(id, interval, range, Adjustment::Raw, Session::Regular, now)
    }

    /// Bars whose start lies in the range, ascending, restated by what was effective at `now`. The one that
    /// still runs at `now` is partial and not final. Intraday windows count from the session's open; extended
    /// hours are there only where the recording has them. An unknown instrument has none, and
    /// [`Adjustment::Unknown`] is taken as traded.
    pub fn bars(
        &self,
        id: &InstrumentId,
        interval: Interval,
        range: Range,
        adjustment: Adjustment,
        session: Session,
        now: Instant,
    ) -> Vec<Bar> {
        let Some(index) = self.find(id) else { return Vec::new() };
        let range = Range::new(range.start, range.end.min(now + Duration::from_nanos(1)));
        if range.is_empty() {
            return Vec::new();
        }
        let mut bars = match interval.fixed_length() {
            Some(length) => self.intraday(index, length, range, session, now),
            None if interval == Interval::D1 => self.daily(index, range, now),
            None => return self.long(index, interval, range, adjustment, now),
        };
        self.restate(index, adjustment, now, &mut bars);
        bars
    }

    /// The state at `now`: last print at or before it inside a session, bid and ask around it, the day so far.
    /// `None` before the first print and for an unknown instrument.
    pub fn quote(&self, id: &InstrumentId, now: Instant) -> Option<Quote> {
        let index = self.find(id)?;
        let tape = &self.tapes[index];
        let today = self.today(index, now)?;
        let after = today.minutes.partition_point(|minute| minute.start <= now);
        let at = after.checked_sub(1)?;
        let (so_far, last) = run(&today.prints(tape, at), now);
        let day = Candle::then(today.before[at], so_far);
        let places = tape.places;
        let price = places.price(last.price);
        let dice = tape.dice.at(50).at(last.at.as_nanos().cast_unsigned());
        let spread = spread(&tape.instrument, price, places.price, dice);
        let lots = |n| Size::from(u32::try_from(1 + dice.at(n).below(20)).unwrap_or(1) * 100);
        Some(Quote {
            last: Some(price),
            last_size: self.volume_of(index, last.size.max(1)),
            bid: spread.map(|(bid, _)| bid),
            bid_size: spread.map(|_| lots(1)),
            ask: spread.map(|(_, ask)| ask),
            ask_size: spread.map(|_| lots(2)),
            open: Some(places.price(day.open)),
            high: Some(places.price(day.high)),
            low: Some(places.price(day.low)),
            previous_close: today.previous.map(|day| places.price(day.candle.close)),
            volume: self.volume_of(index, day.volume),
            event_time: Some(last.at),
            trading_date: Some(today.day.session.date),
            denomination: tape.instrument.denomination,
            stated_delay: None,
            phase: Some(self.phase(id.venue(), now)),
        })
    }

    /// Executions in a range up to `now`, ascending, at most `limit`.
    pub fn trades(&self, id: &InstrumentId, range: Range, limit: usize, now: Instant) -> Vec<Trade> {
        let Some(index) = self.find(id) else { return Vec::new() };
        let tape = &self.tapes[index];
        let range = Range::new(range.start, range.end.min(now + Duration::from_nanos(1)));
        let mut trades = Vec::new();
        for day in tape.days(self.hours(index), range) {
            for minute in self.minutes_of(index, &day).iter() {
                if minute.start + MINUTE <= range.start {
                    continue;
                }
                if minute.start >= range.end || trades.len() >= limit {
                    break;
                }
                let prints = minute.candle.prints(minute.start, tape.minute_dice(minute.start));
                trades.extend(prints.into_iter().filter(|p| p.size > 0 && range.contains(p.at)).map(
                    |print| Trade {
                        at: print.at,
                        price: tape.places.price(print.price),
                        size: tape.places.size(print.size),
                        id: Some(Arc::from(print.at.as_millis().to_string())),
                        conditions: Vec::new(),
                        exchange: None,
                    },
                ));
            }
        }
        trades.truncate(limit);
        trades
    }

    /// Splits and dividends announced at `now`, ascending by ex-date; amounts as paid. One without a date of
    /// declaration counts as announced two weeks ahead.
    pub fn actions(&self, id: &InstrumentId, now: Instant) -> Vec<CorporateAction> {
        let Some(index) = self.find(id) else { return Vec::new() };
        let today = self.hours(index).trading_date(now);
        let ahead = self.hours(index).trading_date(now + Duration::from_secs(14 * 86_400));
        let announced = |action: &&CorporateAction| match action.declared {
            Some(declared) => declared <= today,
            None => action.ex_date <= ahead,
        };
        self.tapes[index].actions(self.hours(index)).iter().filter(announced).cloned().collect()
    }

    /// News in a range up to `now`, newest first. Only the synthetic market has any.
    pub fn news(&self, id: &InstrumentId, range: Range, now: Instant) -> Vec<NewsItem> {
        let Some(index) = self.find(id).filter(|_| self.synthetic) else { return Vec::new() };
        let range = Range::new(range.start, range.end.min(now + Duration::from_nanos(1)));
        news::items(&self.instruments[index], self.tapes[index].dice, range)
    }

    /// Instruments whose name begins with the words or whose description contains them, in any case.
    pub fn search(&self, words: &str, limit: usize) -> Vec<Instrument> {
        let words = words.trim().to_lowercase();
        let rank = |record: &Instrument| {
            let name = record.id.name().to_lowercase();
            let says = |text: &Arc<str>| text.to_lowercase().contains(&words);
            match () {
                () if name == words => Some(0),
                () if name.starts_with(&words) => Some(1),
                () if record.description.as_ref().is_some_and(says) => Some(2),
                () => None,
            }
        };
        let mut found: Vec<(i32, &Instrument)> =
            self.instruments.iter().filter_map(|record| Some((rank(record)?, record))).collect();
        found.sort_by_key(|(rank, _)| *rank);
        found.into_iter().take(limit).map(|(_, record)| record.clone()).collect()
    }

    /// Phase of a venue's day.
    pub fn phase(&self, venue: Venue, now: Instant) -> MarketPhase {
        Hours::of(&self.calendars, venue).phase(now)
    }

    /// IANA zone of the venue an instrument trades at; `None` if it has no calendar.
    pub fn zone(&self, id: &InstrumentId) -> Option<Arc<str>> {
        let index = self.find(id)?;
        self.calendars.of(self.instruments[index].id.venue()).map(|calendar| calendar.zone_name().into())
    }

    /// Status of the markets of the United States.
    pub fn status(&self, now: Instant) -> MarketStatus {
        MarketStatus { market: "US".into(), phase: self.phase(Venue::US, now), at: Some(now), holiday: None }
    }

    /// Close of the newest session that had ended at `now`; `None` before the first.
    pub fn last_close(&self, id: &InstrumentId, now: Instant) -> Option<Instant> {
        let today = self.today(self.find(id)?, now)?;
        let closes = [Some(&today.day), today.previous.as_ref()];
        closes.into_iter().flatten().map(|day| day.session.hours.end).find(|close| *close <= now)
    }

    fn find(&self, id: &InstrumentId) -> Option<usize> {
        let composite = |venue| venue == Venue::US || venue == Venue::CRYPTO;
        self.by_id.get(id).copied().or_else(|| {
            let index = *self.by_name.get(id.name())?;
            let listed = self.instruments[index].id.venue();
            (composite(id.venue()) || composite(listed)).then_some(index)
        })
    }

    fn hours(&self, index: usize) -> Hours<'_> {
        Hours::of(&self.calendars, self.instruments[index].id.venue())
    }

    fn volume_of(&self, index: usize, steps: i64) -> Option<Size> {
        let traded = self.instruments[index].kind != InstrumentKind::Fx;
        traded.then(|| self.tapes[index].places.size(steps))
    }

    fn minutes_of(&self, index: usize, day: &Day) -> Minutes {
        let key = (index, day.session.date);
        if let Some(minutes) = self.minutes.lock().get(&key) {
            return Arc::clone(minutes);
        }
        let minutes: Minutes = self.tapes[index].minutes(day).into();
        let mut kept = self.minutes.lock();
        if kept.len() >= KEPT_SESSIONS {
            kept.clear();
        }
        kept.insert(key, Arc::clone(&minutes));
        minutes
    }

    fn today(&self, index: usize, now: Instant) -> Option<Arc<Today>> {
        if let Some(today) = self.today[index].read().as_ref().filter(|today| today.valid.contains(now)) {
            return Some(Arc::clone(today));
        }
        let (day, previous, until) = self.tapes[index].day_at(self.hours(index), now)?;
        let minutes = self.minutes_of(index, &day);
        let mut so_far = None;
        let before =
            minutes.iter().map(|minute| so_far.replace(Candle::then(so_far, minute.candle))).collect();
        let valid = Range::new(day.session.hours.start, until);
        let today = Arc::new(Today { valid, day, previous, minutes, before, prints: RwLock::new(None) });
        *self.today[index].write() = Some(Arc::clone(&today));
        Some(today)
    }

    fn bar(&self, index: usize, start: Instant, candle: Candle) -> Bar {
        Bar { volume: self.volume_of(index, candle.volume), ..self.tapes[index].places.bar(start, candle) }
    }

    fn daily(&self, index: usize, range: Range, now: Instant) -> Vec<Bar> {
        let days = self.tapes[index].days(self.hours(index), range);
        days.into_iter()
            .filter(|day| range.contains(day.session.hours.start))
            .filter_map(|day| {
                let is_final = day.session.hours.end <= now;
                let candle = if is_final { day.candle } else { self.day_so_far(index, &day, now)? };
                let bar = self.bar(index, day.session.hours.start, candle);
                Some(Bar { is_final, trading_date: Some(day.session.date), ..bar })
            })
            .collect()
    }

    fn day_so_far(&self, index: usize, day: &Day, now: Instant) -> Option<Candle> {
        let minutes = self.minutes_of(index, day);
        let told = minutes.iter().take_while(|minute| minute.start <= now);
        told.fold(None, |sum, minute| Some(Candle::then(sum, self.told(index, minute, now))))
    }

    /// What of a minute was known at `now`, which is not before its start.
    fn told(&self, index: usize, minute: &Minute, now: Instant) -> Candle {
        if minute.start + MINUTE <= now {
            minute.candle
        } else {
            {
                let dice = self.tapes[index].minute_dice(minute.start);
                run(&minute.candle.prints(minute.start, dice), now).0
            }
        }
    }

    fn intraday(
        &self,
        index: usize,
        length: Duration,
        range: Range,
        session: Session,
        now: Instant,
    ) -> Vec<Bar> {
        let tape = &self.tapes[index];
        let mut bars = Vec::new();
        if session == Session::Extended && matches!(tape.source, Source::Minutes { .. }) {
            for session in tape.recorded_dates(range) {
                let minutes = tape.extended_minutes(session.date).unwrap_or(&[]);
                self.group(index, &session, minutes, length, range, now, &mut bars);
            }
        } else {
            for day in tape.days(self.hours(index), range) {
                let minutes = self.minutes_of(index, &day);
                self.group(index, &day.session, &minutes, length, range, now, &mut bars);
            }
        }
        bars
    }

    #[allow(clippy::too_many_arguments, reason = "one loop body shared by regular and extended hours")]
    fn group(
        &self,
        index: usize,
        session: &TradingSession,
        minutes: &[Minute],
        length: Duration,
        range: Range,
        now: Instant,
        bars: &mut Vec<Bar>,
    ) {
        let mut window: Option<(Range, Candle)> = None;
        let mut close = |window: Option<(Range, Candle)>| {
            if let Some((window, candle)) = window.filter(|(window, _)| range.contains(window.start)) {
                let bar = self.bar(index, window.start, candle);
                bars.push(Bar { is_final: window.end <= now, ..bar });
            }
        };
        for minute in minutes.iter().take_while(|minute| minute.start <= now) {
            if minute.start + MINUTE <= range.start
                && window_of(session, minute.start, length).end <= range.start
            {
                continue;
            }
            let pieces: Vec<(Instant, Candle)> = if length < MINUTE {
                let tape = &self.tapes[index];
                let prints = minute.candle.prints(minute.start, tape.minute_dice(minute.start));
                let told = prints.into_iter().filter(|print| print.at <= now);
                told.map(|print| (print.at, Candle::flat(print.price, print.size))).collect()
            } else {
                vec![(minute.start, self.told(index, minute, now))]
            };
            for (at, candle) in pieces {
                match &mut window {
                    Some((window, sum)) if window.contains(at) => sum.absorb(candle),
                    _ => {
                        close(window.take());
                        window = Some((window_of(session, at, length), candle));
                    }
                }
            }
        }
        close(window);
    }

    /// Weeks and months: days restated first, then added up, so that a split inside leaves no mark.
    fn long(
        &self,
        index: usize,
        interval: Interval,
        range: Range,
        adjustment: Adjustment,
        now: Instant,
    ) -> Vec<Bar> {
        let margin = interval.nominal_length();
        let mut days = self.daily(index, Range::new(range.start - margin, range.end + margin), now);
        self.restate(index, adjustment, now, &mut days);
        let period = |date: Date| match interval {
            Interval::W1 => hours::monday(date),
            _ => date.first_of_month(),
        };
        let mut bars: Vec<Bar> = Vec::new();
        let mut current = None;
        for day in days {
            let key = day.trading_date.map(period);
            match bars.last_mut() {
                Some(bar) if key == current => add(bar, &day),
                _ => bars.push(day),
            }
            current = key;
        }
        for bar in &mut bars {
            let first = bar.trading_date.map(period);
            let after = first.map(|date| match interval {
                Interval::W1 => date.saturating_add(jiff::Span::new().days(7)),
                _ => date.saturating_add(jiff::Span::new().months(1)),
            });
            let sessions = first.zip(after).map_or_else(Vec::new, |(first, after)| {
                let (start, end) = (Instant::from_utc_midnight(first), Instant::from_utc_midnight(after));
                let margin = Duration::from_secs(86_400);
                let mut sessions = self.hours(index).sessions(Range::new(start - margin, end + margin));
                sessions.retain(|session| first <= session.date && session.date < after);
                sessions
            });
            bar.is_final = sessions.last().is_none_or(|session| session.hours.end <= now);
        }
        bars.retain(|bar| range.contains(bar.start));
        bars
    }

    fn restate(&self, index: usize, adjustment: Adjustment, now: Instant, bars: &mut [Bar]) {
        let hours = self.hours(index);
        let tape = &self.tapes[index];
        let today = hours.trading_date(now);
        let first = bars.first().map_or(today, |bar| hours.trading_date(bar.start));
        let actions = tape.actions(hours);
        let effective: Vec<&CorporateAction> =
            actions.iter().filter(|a| first < a.ex_date && a.ex_date <= today).collect();
        let close_before = |date: Date| {
            let around = Instant::from_utc_midnight(date);
            let days = tape.days(hours, Range::new(around - Duration::from_secs(20 * 86_400), around));
            days.iter()
                .rev()
                .find(|day| day.session.date < date)
                .map(|day| tape.places.price(day.candle.close))
        };
        let steps = restate::steps(&effective, close_before);
        restate::apply(&steps, adjustment, bars, |bar| hours.trading_date(bar.start));
    }
}

/// What of a minute's prints was known at `now`, as a candle, and the newest of them; the first is always known.
fn run(prints: &[Print], now: Instant) -> (Candle, Print) {
    let told = prints.partition_point(|print| print.at <= now).max(1);
    let so_far = prints[..told]
        .iter()
        .fold(None, |sum, print| Some(Candle::then(sum, Candle::flat(print.price, print.size))))
        .expect("a minute has prints, the first at its start");
    (so_far, prints[told - 1])
}

/// The window of an intraday bar: counted from the open, and again after a break. Before the open it is counted
/// backwards from there, after the close forwards from the close, so that no two windows share a start.
fn window_of(session: &TradingSession, at: Instant, length: Duration) -> Range {
    let segment = hours::segments(session).find(|segment| segment.contains(at));
    let outside = if at >= session.hours.end { session.hours.end } else { session.hours.start };
    let anchor = segment.map_or(outside, |segment| segment.start);
    let step = i64::try_from(length.as_nanos()).unwrap_or(i64::MAX);
    let offset = (at.as_nanos() - anchor.as_nanos()).div_euclid(step);
    let start = Instant::from_nanos(anchor.as_nanos() + offset * step);
    let end = start + length;
    Range::new(start, segment.map_or(end, |segment| end.min(segment.end)))
}

/// Adds a later day to a longer bar.
fn add(bar: &mut Bar, day: &Bar) {
    bar.high = bar.high.max(day.high);
    bar.low = bar.low.zip(day.low).map(|(a, b)| a.min(b));
    bar.close = day.close;
    bar.vendor_adjusted_close = day.vendor_adjusted_close;
    bar.volume = bar.volume.zip(day.volume).map(|(a, b)| Size::new(a.decimal() + b.decimal()));
}

/// Bid and ask on the tick grid around a last price, the bid always below the ask. Indices have none.
fn spread(
    instrument: &Instrument,
    last: domain::Price,
    places: u32,
    dice: Dice,
) -> Option<(domain::Price, domain::Price)> {
    use domain::number::Decimal;
    if instrument.kind == InstrumentKind::Index {
        return None;
    }
    let step = instrument.ticks.as_ref().and_then(|ticks| ticks.step_at(last)).map(domain::Price::decimal);
    let step = step.filter(|step| *step > Decimal::ZERO).unwrap_or_else(|| Decimal::new(1, places.min(2)));
    let below = Decimal::from(dice.at(3).below(2));
    let above = Decimal::from(1 + dice.at(4).below(2));
    let bid = ((last.decimal() / step).floor() - below).max(Decimal::ONE) * step;
    Some((domain::Price::new(bid), domain::Price::new(bid + (below + above) * step)))
}
