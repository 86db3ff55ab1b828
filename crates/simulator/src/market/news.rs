//! Invented headlines, each of which says so.

use std::sync::Arc;
use std::time::Duration;

use domain::{Instant, Instrument, NewsItem, Range};

use super::dice::Dice;

const DAY: Duration = Duration::from_secs(86_400);
/// A range is answered for its newest days only.
const MOST_DAYS: u32 = 400;

/// About one item in two days, newest first.
pub(crate) fn items(instrument: &Instrument, dice: Dice, range: Range) -> Vec<NewsItem> {
    let start = range.start.max(range.end - DAY * MOST_DAYS);
    let mut day = start.floor_to(DAY);
    let mut items = Vec::new();
    while day < range.end {
        let dice = dice.at(60).at(day.as_secs().cast_unsigned());
        let published = Instant::from_secs(day.as_secs() + dice.at(1).below(86_400).cast_signed());
        if dice.below(2) == 0 && range.start <= published && published < range.end {
            items.push(item(instrument, published, dice.at(2)));
        }
        day += DAY;
    }
    items.reverse();
    items
}

fn item(instrument: &Instrument, published: Instant, dice: Dice) -> NewsItem {
    const VERBS: [&str; 4] =
        ["opens a plant", "names a new chief", "widens its range", "reports its quarter"];
    let name = instrument.description.as_deref().unwrap_or(instrument.id.name());
    let id = dice.bits() >> 24;
    let verb = VERBS[usize::try_from(dice.at(1).below(4)).unwrap_or(0)];
    NewsItem {
        id: Some(Arc::from(id.to_string())),
        published,
        headline: format!("Simulated: {name} {verb}").into(),
        summary: Some("A simulated item; nothing of the kind happened.".into()),
        publisher: Some("Simulator".into()),
        url: Some(format!("https://simulated.invalid/news/{id}").into()),
        instruments: vec![instrument.id.clone()],
    }
}
