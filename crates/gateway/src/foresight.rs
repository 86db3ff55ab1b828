//! Whether a vendor's quota will last, and what that holds back (LIM-7).

use std::sync::Arc;
use std::time::Duration;

use domain::{Calendars, Instant, Range, Venue};
use resilience::Forecast;
use resilience::forecast::{ACT, Outlook, WARN, admitted_at};
use resilience::quota::{Window, WindowStatus};

use crate::request::Priority;

/// When a vendor's data moves: its venues' trading hours, or always.
#[derive(Clone)]
pub struct Hours {
    calendars: Option<(Arc<Calendars>, Venue)>,
}

impl Hours {
    /// Around the clock.
    pub fn always() -> Hours {
        Hours { calendars: None }
    }

    /// Those of a venue.
    pub fn of(calendars: Arc<Calendars>, venue: Venue) -> Hours {
        Hours { calendars: Some((calendars, venue)) }
    }

    /// The stretches of a period in which data moves; all of it where there is none.
    fn within(&self, period: Range) -> Vec<Range> {
        let calendar = self.calendars.as_ref().and_then(|(all, venue)| all.of(*venue));
        let parts: Vec<Range> = calendar
            .map(|calendar| calendar.sessions(period).iter().flat_map(|session| session.parts()).collect())
            .unwrap_or_default();
        let inside: Vec<Range> =
            parts.into_iter().map(|part| part.intersect(period)).filter(|part| !part.is_empty()).collect();
        if inside.is_empty() { vec![period] } else { inside }
    }
}

/// How worrying an outlook is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// It will last.
    #[default]
    Calm,
    /// It may run out: from 5 %.
    Warned,
    /// It is likely to run out, and reserves are kept: from 20 %.
    Acting,
}

impl Level {
    /// The word used in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Calm => "calm",
            Level::Warned => "warned",
            Level::Acting => "acting",
        }
    }
}

/// What is to be expected of one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Foreseen {
    /// Which.
    pub window: Window,
    /// How worrying that is.
    pub level: Level,
    /// Demand and probability.
    pub outlook: Outlook,
    /// Share of the time in which data moves that is left until its reset, in `[0, 1]`; 1 for a sliding window.
    pub time_left: f64,
}

/// One period of a calendar window.
struct Period {
    resets_at: Instant,
    open: Vec<Range>,
    total: Duration,
}

impl Period {
    fn left(&self, now: Instant) -> Duration {
        self.open.iter().map(|part| part.end.since(part.start.max(now).min(part.end))).sum()
    }

    fn share_left(&self, now: Instant) -> f64 {
        (self.left(now).as_secs_f64() / self.total.as_secs_f64().max(1.0)).clamp(0.0, 1.0)
    }

    /// When no more than this share is left.
    fn when(&self, share: f64) -> Instant {
        let mut wanted = self.total.mul_f64(share.clamp(0.0, 1.0));
        for part in self.open.iter().rev() {
            match wanted.checked_sub(part.length()) {
                Some(rest) => wanted = rest,
                None => return part.end - wanted,
            }
        }
        self.open.first().map_or(self.resets_at, |part| part.start)
    }
}

/// One vendor's outlook, by window.
pub(crate) struct Foresight {
    hours: Hours,
    is_on: bool,
    periods: Vec<(Window, Period)>,
    levels: Vec<(Window, Level)>,
}

impl Foresight {
    pub(crate) fn new(hours: Hours, is_on: bool) -> Foresight {
        Foresight { hours, is_on, periods: Vec::new(), levels: Vec::new() }
    }

    /// Every window.
    pub(crate) fn all(&mut self, demand: &Forecast, status: &[WindowStatus], now: Instant) -> Vec<Foreseen> {
        status.iter().map(|window| self.one(demand, window, now)).collect()
    }

    /// Windows whose level has changed since the last call.
    pub(crate) fn changes(
        &mut self,
        demand: &Forecast,
        status: &[WindowStatus],
        now: Instant,
    ) -> Vec<Foreseen> {
        if !self.is_on {
            return Vec::new();
        }
        let mut changes = Vec::new();
        for foreseen in self.all(demand, status, now) {
            let known = self.levels.iter_mut().find(|(window, _)| *window == foreseen.window);
            // Down only once it is calm again, so that a probability near a bound tells nothing twice.
            let moves = match known.as_ref().map(|(_, level)| *level) {
                None => foreseen.level != Level::Calm,
                Some(level) => {
                    foreseen.level > level
                        || (foreseen.level == Level::Calm
                            && level != Level::Calm
                            && foreseen.outlook.probability < WARN / 2.0)
                }
            };
            if moves {
                match known {
                    Some((_, level)) => *level = foreseen.level,
                    None => self.levels.push((foreseen.window, foreseen.level)),
                }
                changes.push(foreseen);
            }
        }
        changes
    }

    /// Until when what is left is kept from a class, if it is.
    pub(crate) fn held_back(
        &mut self,
        demand: &Forecast,
        status: &[WindowStatus],
        priority: Priority,
        is_refresh: bool,
        now: Instant,
    ) -> Option<Instant> {
        if !self.is_on || priority == Priority::Critical {
            return None;
        }
        let mut until = None;
        for window in status {
            let is_period = matches!(window.limit.window, Window::Day | Window::Month);
            // A minute gives back by itself what interactive work takes of it.
            if !is_period && priority <= Priority::Normal {
                continue;
            }
            let foreseen = self.one(demand, window, now);
            if foreseen.level != Level::Acting {
                continue;
            }
            let (left, limit) = (window.remaining, window.limit.count);
            let at = if is_period {
                if foreseen.outlook.admits_in_period(priority, is_refresh, left, limit, foreseen.time_left) {
                    continue;
                }
                let when = admitted_at(priority, is_refresh, left, limit)
                    .and_then(|share| Some(self.period(window, now)?.when(share)));
                // Rounded up: an instant too early would be refused again.
                when.map_or(window.resets_at, |at| Some(at + Duration::from_millis(1)))
            } else {
                if foreseen.outlook.admits(priority, left, limit) {
                    continue;
                }
                window.resets_at
            };
            until = until.max(Some(at.unwrap_or(now + Duration::from_secs(10)).max(now)));
        }
        until
    }

    fn one(&mut self, demand: &Forecast, status: &WindowStatus, now: Instant) -> Foreseen {
        let window = status.limit.window;
        let (outlook, time_left) = match window {
            // Room comes back all the time: what counts is whether a whole window's demand fits into it.
            Window::Sliding(length) => (demand.outlook(status.allowed, length, now), 1.0),
            Window::Day | Window::Month => match self.period(status, now) {
                Some(period) => {
                    let outlook = demand.outlook(status.remaining, period.left(now), now);
                    (outlook, period.share_left(now))
                }
                None => (demand.outlook(status.remaining, Duration::ZERO, now), 0.0),
            },
        };
        let level = match outlook.probability {
            p if p >= ACT => Level::Acting,
            p if p >= WARN => Level::Warned,
            _ => Level::Calm,
        };
        Foreseen { window, level, outlook, time_left }
    }

    fn period(&mut self, status: &WindowStatus, now: Instant) -> Option<&Period> {
        let (window, resets_at) = (status.limit.window, status.resets_at?);
        let known = self.periods.iter().position(|(of, _)| *of == window);
        let current = known.filter(|index| self.periods[*index].1.resets_at == resets_at);
        if current.is_none() {
            let days = if window == Window::Day { 1 } else { 30 };
            let start = (resets_at - Duration::from_secs(days * 86_400)).min(now);
            let open = self.hours.within(Range::new(start, resets_at));
            let total = open.iter().map(|part| part.length()).sum();
            self.periods.retain(|(of, _)| *of != window);
            self.periods.push((window, Period { resets_at, open, total }));
        }
        self.periods.iter().find(|(of, _)| *of == window).map(|(_, period)| period)
    }
}
