//! `GET /v1/quotes/latest`: last trade, best bid and ask.

use domain::{Anchor, InstrumentId};
use gateway::Served;
use vendors::{Data, Question};

use crate::ask::{Asked, ask_each, remember_all};
use crate::call::{Call, Reply};
use crate::envelope::{self, Shape};
use crate::error::Problem;
use crate::form::{Cell, Column, Kind, column, known, optional};

/// Columns of a quote.
pub static COLUMNS: [Column; 14] = [
    column("last", Kind::Number, "Price of the last trade"),
    optional("last_size", Kind::Number, "Its size"),
    column("bid", Kind::Number, "Best bid"),
    column("bid_size", Kind::Number, "Quantity bid at it"),
    column("ask", Kind::Number, "Best ask"),
    column("ask_size", Kind::Number, "Quantity asked at it"),
    column("open", Kind::Number, "First price of the session"),
    column("high", Kind::Number, "Highest price of the session"),
    column("low", Kind::Number, "Lowest price of the session"),
    column("previous_close", Kind::Number, "Last price of the session before"),
    column("volume", Kind::Number, "Quantity traded in the session"),
    column("t", Kind::Time, "When it happened"),
    optional("date", Kind::Date, "Trading date at the venue"),
    known("grade", Kind::Text, "A to F"),
];

/// The question about an instrument's newest quote.
pub fn question(instrument: &InstrumentId) -> Question {
    Question::Quotes { instruments: vec![instrument.clone()], bid_ask: true }
}

/// The row of a quote, graded with a letter.
pub fn row<'a>(served: &'a Served, letter: &'a str) -> Vec<Vec<Cell<'a>>> {
    let Data::Quotes(rows) = &served.answer.data else { return Vec::new() };
    rows.iter()
        .filter_map(|row| row.quote.as_ref().ok())
        .map(|quote| {
            vec![
                quote.last.into(),
                quote.last_size.into(),
                quote.bid.into(),
                quote.bid_size.into(),
                quote.ask.into(),
                quote.ask_size.into(),
                quote.open.into(),
                quote.high.into(),
                quote.low.into(),
                quote.previous_close.into(),
                quote.volume.into(),
                quote.event_time.into(),
                quote.trading_date.into(),
                letter.into(),
            ]
        })
        .collect()
}

/// How quotes are arranged.
pub fn shape() -> Shape<'static> {
    Shape {
        columns: &COLUMNS,
        single: true,
        rows: &|_, served| row(served, served.grade.letter.as_str()),
        anchor: Anchor::Open,
        next: None,
    }
}

/// Last trade and best bid and ask of each symbol.
pub async fn latest(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    // Taken here and not with the policy: the short way does not know the word, and so leaves it to this one.
    let currency = words.currency();
    let asked = Asked::read(&call, "symbols", words)?;
    let policy = &gateway::Policy { currency, ..asked.policy };
    let parts =
        ask_each(&call, asked.symbols, |_, instrument| Ok((question(instrument), policy.clone()))).await;
    remember_all(&call, &parts);
    envelope::reply(&call, &asked.form, parts, &shape())
}
