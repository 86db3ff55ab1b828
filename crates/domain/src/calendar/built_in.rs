//! The calendars of all known venues.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, OnceLock};

use super::Calendar;
use crate::Venue;

/// One section of the built-in table, read when its venue is first asked for.
struct BuiltIn {
    text: &'static str,
    calendar: OnceLock<Calendar>,
}

/// Every venue of the built-in table, ascending, with the place of its section.
struct Table {
    venues: Vec<(Venue, usize)>,
    sections: Vec<BuiltIn>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table { venues: Vec::new(), sections: Vec::new() };
    let text = include_str!("venues.txt");
    let (_remarks, sections) = text.split_once("\ncalendar ").expect("the table has calendars");
    for section in sections.split("\ncalendar ") {
        // The first word is the venue, the second its zone; `also` lines come right after.
        let mut lines = section.lines();
        let venue = lines.next().and_then(|line| line.split(' ').next());
        let also = lines.map_while(|line| line.strip_prefix("also ")).flat_map(|line| line.split(' '));
        let at = table.sections.len();
        table.venues.extend(venue.into_iter().chain(also).filter_map(Venue::new).map(|venue| (venue, at)));
        table.sections.push(BuiltIn { text: section, calendar: OnceLock::new() });
    }
    table.venues.sort_unstable();
    table
});

/// The calendars of all known venues.
#[derive(Clone, Debug, Default)]
pub struct Calendars {
    has_built_in: bool,
    replaced: BTreeMap<Venue, Arc<Calendar>>,
}

impl Calendars {
    /// The venues built into the program. Each is read on first use and shared from then on.
    pub fn built_in() -> Calendars {
        Calendars { has_built_in: true, replaced: BTreeMap::new() }
    }

    /// The calendar of a venue. `US` and the venues of one country's common schedule share theirs; `FX`
    /// is 24/5; crypto venues are 24/7. `None` for a venue we know nothing of.
    pub fn of(&self, venue: Venue) -> Option<&Calendar> {
        if let Some(own) = self.replaced.get(&venue) {
            return Some(own);
        }
        let section = section_of(venue).filter(|_| self.has_built_in)?;
        let calendar = section.calendar.get_or_init(|| {
            // The section's text lacks its first word, at which the table was split.
            let text = format!("calendar {}", section.text);
            Calendar::parse(&text).expect("a test reads every built-in calendar")
        });
        // Whoever replaces a venue means those that follow it too.
        Some(self.replaced.get(&calendar.venue).map_or(calendar, Arc::as_ref))
    }

    /// Adds a calendar, or puts it in the place of the one its venues have.
    pub fn replace(&mut self, calendar: Calendar) {
        let calendar = Arc::new(calendar);
        for venue in calendar.also.iter().chain([&calendar.venue]) {
            self.replaced.insert(*venue, Arc::clone(&calendar));
        }
    }

    /// Every venue that has a calendar, ascending.
    pub fn venues(&self) -> Vec<Venue> {
        let mut venues: Vec<Venue> = self.replaced.keys().copied().collect();
        if self.has_built_in {
            venues.extend(TABLE.venues.iter().map(|(venue, _)| *venue));
        }
        venues.sort_unstable();
        venues.dedup();
        venues
    }
}

fn section_of(venue: Venue) -> Option<&'static BuiltIn> {
    let at = TABLE.venues.binary_search_by_key(&venue, |(venue, _)| *venue).ok()?;
    Some(&TABLE.sections[TABLE.venues[at].1])
}
