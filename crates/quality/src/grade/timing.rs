//! When a datum happened, arrived and is served, and what the market did meanwhile.

use std::time::Duration;

use domain::{Calendar, Instant};

use super::evidence::Kind;

/// The market at the time of serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Market {
    /// Never closes.
    Continuous,
    /// In session.
    Open {
        /// Since when.
        since: Instant,
        /// When the session before ended, if known.
        previous_close: Option<Instant>,
    },
    /// Out of session, half days after their early close included.
    Closed {
        /// The last instant at which it was open.
        last_open: Instant,
    },
}

impl Market {
    /// As a venue's calendar sees it.
    pub fn at(calendar: &Calendar, now: Instant) -> Market {
        if !calendar.is_open(now) {
            return Market::Closed { last_open: calendar.last_open_instant(now) };
        }
        match calendar.session_on(calendar.trading_date(now)) {
            Some(session) => Market::Open {
                since: session.hours.start,
                previous_close: Some(
                    calendar.last_open_instant(session.hours.start - Duration::from_nanos(1)),
                ),
            },
            None => Market::Continuous,
        }
    }
}

/// The instants a grade depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// When it happened: for a quote the last trade, for a bar in progress its last update, for a final bar
    /// the end of its window; `None` if unknown.
    ///
    /// A final bar that was not waited for, because it was first asked for after its window had long ended,
    /// has no delay of its own: its event time is the instant of asking.
    pub event_time: Option<Instant>,
    /// When it reached us; `None` if unknown.
    pub received_at: Option<Instant>,
    /// When it is served.
    pub now: Instant,
    /// The market then.
    pub market: Market,
}

/// What the instants say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lateness {
    /// Delay beyond the class, in seconds of the market's time, not below 0; `None` if unknown.
    pub(super) excess_secs: Option<f64>,
    /// Age that counts against time to live and freshness ceiling; 0 for a final bar.
    pub(super) age: Duration,
    /// Whether an earlier session's datum is shown while the market is open.
    pub(super) last_session: bool,
}

impl Timing {
    /// Lateness beyond a declared delay.
    pub(super) fn lateness(&self, kind: Kind, declared: Duration) -> Lateness {
        match kind {
            Kind::FinalBar => {
                let arrival =
                    self.received_at.zip(self.event_time).map(|(received, end)| received.since(end));
                let excess = arrival.map(|arrival| arrival.saturating_sub(declared).as_secs_f64());
                Lateness { excess_secs: excess, age: Duration::ZERO, last_session: false }
            }
            Kind::Quote | Kind::BarInProgress => self.live(declared),
        }
    }

    fn live(&self, declared: Duration) -> Lateness {
        // What a vendor of this class can know is the market as it was `declared` ago.
        let seen = self.now - declared;
        let excess = self.event_time.map(|event| match self.market {
            Market::Continuous => seen.since(event),
            Market::Open { since, previous_close } if seen < since => {
                previous_close.unwrap_or(seen).since(event).saturating_sub(declared)
            }
            Market::Open { .. } => seen.since(event),
            Market::Closed { last_open } => last_open.since(event).saturating_sub(declared),
        });
        let held_since = match self.market {
            Market::Closed { last_open } => last_open.min(self.now),
            Market::Continuous | Market::Open { .. } => self.now,
        };
        let held = self.received_at.map_or(Duration::ZERO, |received| held_since.since(received));
        let last_session = match (self.market, self.event_time) {
            (Market::Open { since, .. }, Some(event)) => event < since && seen >= since,
            _ => false,
        };
        Lateness {
            excess_secs: excess.map(|excess| excess.as_secs_f64()),
            age: excess.unwrap_or_default().max(held),
            last_session,
        }
    }
}
