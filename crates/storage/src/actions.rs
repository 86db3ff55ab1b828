//! Corporate actions, every version of them, and for which ranges all of a kind are known.

use domain::{Date, Instant, InstrumentId, Range};
use gateway::{LearnedAction, StoredActions};
use rusqlite::{Connection, OptionalExtension, params};

use crate::fault::Fault;
use crate::record::action::ActionRecord;
use crate::{record, statements as sql, word};

const SPLIT: &str = "split";
const DIVIDEND: &str = "dividend";

/// What was known of an instrument at a moment.
pub(crate) fn known(
    connection: &Connection,
    instrument: &InstrumentId,
    asof: Option<Instant>,
) -> Result<StoredActions, Fault> {
    let asof = asof.unwrap_or(Instant::MAX);
    let id = instrument.to_string();
    let mut statement = connection.prepare_cached(sql::ACTIONS)?;
    let mut rows = statement.query(params![id, asof.as_nanos()])?;
    let mut actions: Vec<LearnedAction> = Vec::new();
    while let Some(row) = rows.next()? {
        let unreadable = || Fault::Unreadable("a corporate action");
        let ex_date: Date = row.get::<_, String>(0)?.parse().map_err(|_| unreadable())?;
        let body: ActionRecord = record::read("a corporate action", &row.get::<_, String>(4)?)?;
        let learned = LearnedAction {
            action: body.action(instrument, ex_date).ok_or_else(unreadable)?,
            vendor: word::vendor(&row.get::<_, String>(3)?),
            learned_at: Instant::from_nanos(row.get(2)?),
        };
        // Versions of one action follow each other, the newest last.
        match actions.last_mut() {
            Some(last) if same_event(last, &learned) => *last = learned,
            _ => actions.push(learned),
        }
    }
    Ok(StoredActions {
        actions,
        splits_known: ranges(connection, &id, SPLIT, asof)?,
        dividends_known: ranges(connection, &id, DIVIDEND, asof)?,
    })
}

fn same_event(a: &LearnedAction, b: &LearnedAction) -> bool {
    a.action.ex_date == b.action.ex_date && a.action.kind.as_str() == b.action.kind.as_str()
}

fn ranges(connection: &Connection, id: &str, kind: &str, asof: Instant) -> Result<Vec<Range>, Fault> {
    let mut statement = connection.prepare_cached(sql::KNOWN)?;
    let ranges = statement.query_map(params![id, kind, asof.as_nanos()], |row| {
        Ok(Range::new(Instant::from_nanos(row.get(0)?), Instant::from_nanos(row.get(1)?)))
    })?;
    Ok(Range::merged(ranges.collect::<Result<_, _>>()?))
}

/// Keeps actions and the ranges known by them since `now`. What equals the version believed then is not
/// written again.
pub(crate) fn put(
    connection: &Connection,
    instrument: &InstrumentId,
    news: &StoredActions,
    now: Instant,
) -> Result<(), Fault> {
    let id = instrument.to_string();
    let mut believed = connection.prepare_cached(sql::ACTION_BELIEVED)?;
    let mut put = connection.prepare_cached(sql::ACTION_PUT)?;
    for LearnedAction { action, vendor, learned_at } in &news.actions {
        let (date, kind) = (action.ex_date.to_string(), action.kind.as_str());
        let body = record::write(&ActionRecord::from(action));
        let old: Option<(String, String)> = believed
            .query_row(params![id, date, kind, learned_at.as_nanos()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if old.is_none_or(|(who, what)| who != vendor.as_str() || what != body) {
            put.execute(params![id, date, kind, learned_at.as_nanos(), vendor.as_str(), body])?;
        }
    }
    for (kind, new) in [(SPLIT, &news.splits_known), (DIVIDEND, &news.dividends_known)] {
        let old = ranges(connection, &id, kind, now)?;
        let mut put = connection.prepare_cached(sql::KNOWN_PUT)?;
        for range in new.iter().filter(|range| !range.minus(&old).is_empty()) {
            put.execute(params![id, kind, range.start.as_nanos(), range.end.as_nanos(), now.as_nanos()])?;
        }
    }
    Ok(())
}
