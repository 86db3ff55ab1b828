//! `/v1/trades`, `/v1/news`, `/v1/corporate-actions`: rows over a range, as one vendor tells them.

use std::sync::Arc;
use std::time::Duration;

use domain::{ActionKind, Anchor, CorporateAction, Instant, InstrumentId, NewsItem, Range, Trade};
use futures_util::future::join;
use gateway::{Policy, Served, Warning};
use vendors::{Data, Question};

use crate::ask::{Asked, ask_each, remember_all};
use crate::call::{Call, Refusal, Reply};
use crate::envelope::{self, Part, Shape, part_id};
use crate::error::{Fault, Problem};
use crate::form::{Cell, Column, Kind, known, optional};
use crate::words::{When, Words};

/// Columns of a trade.
pub static TRADE: [Column; 6] = [
    known("t", Kind::Time, "When it happened"),
    known("price", Kind::Number, "Price"),
    known("size", Kind::Number, "Quantity; zero marks a change of price without a trade"),
    optional("id", Kind::Text, "The vendor's id of it"),
    optional("exchange", Kind::Text, "The vendor's code of the exchange"),
    optional("conditions", Kind::Texts, "The vendor's codes of the conditions of the sale"),
];
/// Columns of a news item.
pub static NEWS: [Column; 7] = [
    known("t", Kind::Time, "When it was published"),
    known("headline", Kind::Text, "Headline"),
    optional("summary", Kind::Text, "Summary"),
    optional("publisher", Kind::Text, "Who published it"),
    optional("url", Kind::Text, "Where it can be read"),
    optional("id", Kind::Text, "The vendor's id of it"),
    known("instruments", Kind::Texts, "Canonical ids of the instruments it is about"),
];
/// Columns of a corporate action.
pub static ACTION: [Column; 10] = [
    known("type", Kind::Text, "split, dividend"),
    known("ex_date", Kind::Date, "First day without the right"),
    optional("new_per_old", Kind::Number, "Of a split: new shares for an old one"),
    optional("amount", Kind::Number, "Of a dividend: amount per share"),
    optional("currency", Kind::Text, "Currency code of the amount"),
    optional("unit", Kind::Text, "major, or minor (pence, cents)"),
    optional("declared", Kind::Date, "When it was announced"),
    optional("record", Kind::Date, "Whose holders of this day receive it"),
    optional("payable", Kind::Date, "When it is paid"),
    optional("description", Kind::Text, "In the vendor's words"),
];

/// Range of a list, with ends the caller may leave open.
struct Span {
    start: Option<When>,
    end: Option<When>,
    usual: Duration,
}

impl Span {
    fn read(words: &mut Words, usual: Duration) -> Span {
        Span { start: words.when("start"), end: words.when("end"), usual }
    }

    fn at(&self, call: &Call, instrument: &InstrumentId, open_end: Instant) -> Result<Range, Problem> {
        let (venue, calendars) = (instrument.venue(), call.gateway.calendars());
        let end = self.end.map_or(open_end, |end| end.at(venue, calendars));
        let start = self.start.map_or(end - self.usual, |start| start.at(venue, calendars));
        if start < end {
            return Ok(Range::new(start, end));
        }
        let detail = format!("the range from {start} to {end} is empty: a range is [start, end)");
        Err(Problem::malformed(vec![Fault { parameter: "end".to_owned(), detail }]))
    }
}

const DAY: Duration = Duration::from_secs(86_400);

/// Executions of each symbol, oldest first.
pub async fn trades(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    let span = Span::read(&mut words, DAY);
    let limit = words.count("limit", 1, 50_000).unwrap_or(1_000) as u32;
    let arrangement = words.arrangement();
    let asked = Asked::read(&call, "symbols", words)?.arranged(arrangement)?;
    let parts = ask_each(&call, asked.symbols, |_, instrument| {
        let range = span.at(&call, instrument, call.received_at)?;
        Ok((Question::Trades { instrument: instrument.clone(), range, limit }, asked.policy.clone()))
    })
    .await;
    remember_all(&call, &parts);
    envelope::reply(
        &call,
        &asked.form,
        parts,
        &shape(&TRADE, &|_, served| match &served.answer.data {
            Data::Trades(_, trades) => trades.iter().map(trade).collect(),
            _ => Vec::new(),
        }),
    )
}

fn trade(trade: &Trade) -> Vec<Cell<'_>> {
    vec![
        Cell::Time(trade.at),
        Cell::Number(trade.price.decimal()),
        Cell::Number(trade.size.decimal()),
        trade.id.as_deref().into(),
        trade.exchange.as_deref().into(),
        match trade.conditions.is_empty() {
            true => Cell::Absent,
            false => Cell::Texts(trade.conditions.iter().map(ToString::to_string).collect()),
        },
    ]
}

/// News about each symbol, newest first.
pub async fn news(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    let span = Span::read(&mut words, 7 * DAY);
    let limit = words.count("limit", 1, 1_000).unwrap_or(50) as u32;
    let arrangement = words.arrangement();
    let asked = Asked::read(&call, "symbols", words)?.arranged(arrangement)?;
    let parts = ask_each(&call, asked.symbols, |_, instrument| {
        let range = span.at(&call, instrument, call.received_at)?;
        Ok((Question::News { instrument: instrument.clone(), range, limit }, asked.policy.clone()))
    })
    .await;
    remember_all(&call, &parts);
    envelope::reply(
        &call,
        &asked.form,
        parts,
        &shape(&NEWS, &|_, served| match &served.answer.data {
            Data::News(items) => items.iter().map(news_item).collect(),
            _ => Vec::new(),
        }),
    )
}

fn news_item(item: &NewsItem) -> Vec<Cell<'_>> {
    vec![
        Cell::Time(item.published),
        Cell::from(&*item.headline),
        item.summary.as_deref().into(),
        item.publisher.as_deref().into(),
        item.url.as_deref().into(),
        item.id.as_deref().into(),
        Cell::Texts(item.instruments.iter().map(ToString::to_string).collect()),
    ]
}

/// Splits and dividends of each symbol, oldest first. Without a start from 1970, without an end a year
/// ahead: what is announced counts.
pub async fn corporate_actions(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    let open_end = call.received_at + 365 * DAY;
    let span = Span::read(&mut words, open_end.since(Instant::EPOCH));
    let (mut splits, mut dividends) = (true, true);
    let kinds = words.list("types");
    if !kinds.is_empty() {
        splits = kinds.iter().any(|kind| kind == "split");
        dividends = kinds.iter().any(|kind| kind == "dividend");
        if kinds.iter().any(|kind| kind != "split" && kind != "dividend") {
            words.fault("types", "takes split, dividend or both, separated by a comma");
        }
    }
    let arrangement = words.arrangement();
    let asked = Asked::read(&call, "symbols", words)?.arranged(arrangement)?;
    let count = asked.symbols.len();
    let (policy, call) = (&asked.policy, &call);
    let mut parts = Vec::with_capacity(count);
    let each = asked.symbols.into_iter().enumerate().map(|(index, (key, resolved))| {
        let span = &span;
        async move {
            let outcome = match resolved.and_then(|id| Ok((span.at(call, &id, open_end)?, id))) {
                Ok((range, instrument)) => {
                    let id = part_id(call, index, count);
                    both(call, id, instrument, range, policy, splits, dividends).await
                }
                Err(problem) => Err(Refusal::from(problem)),
            };
            Part { key, outcome }
        }
    });
    parts.extend(futures_util::future::join_all(each).await);
    remember_all(call, &parts);
    envelope::reply(
        call,
        &asked.form,
        parts,
        &shape(&ACTION, &|_, served| match &served.answer.data {
            Data::Actions(actions) => actions.iter().map(action).collect(),
            _ => Vec::new(),
        }),
    )
}

/// Asks for splits and for dividends, each of the vendor that answers best, and puts the two together.
async fn both(
    call: &Call,
    id: gateway::RequestId,
    instrument: InstrumentId,
    range: Range,
    policy: &Policy,
    splits: bool,
    dividends: bool,
) -> Result<Served, Refusal> {
    let sub = |word: &str| match splits && dividends {
        true => gateway::RequestId(format!("{id}.{word}").into()),
        false => id.clone(),
    };
    let split = Question::Splits { instrument: instrument.clone(), range };
    let dividend = Question::Dividends { instrument, range };
    match (splits, dividends) {
        (true, false) => call.ask(id.clone(), split, policy.clone()).await,
        (false, true) => call.ask(id.clone(), dividend, policy.clone()).await,
        _ => {
            let asked = join(
                call.ask(sub("splits"), split, policy.clone()),
                call.ask(sub("dividends"), dividend, policy.clone()),
            );
            match asked.await {
                (Ok(a), Ok(b)) => Ok(joined(call, id, a, b)),
                (Ok(one), Err(refusal)) => Ok(half(one, "dividends", &refusal)),
                (Err(refusal), Ok(one)) => Ok(half(one, "splits", &refusal)),
                (Err(a), Err(b)) => {
                    Err(if a.problem.code.status() >= b.problem.code.status() { a } else { b })
                }
            }
        }
    }
}

/// One of the two is missing, and the answer says so.
fn half(mut served: Served, missing: &str, refusal: &Refusal) -> Served {
    let answer = Arc::make_mut(&mut served.answer);
    let why = format!("{missing} are missing: {}", refusal.problem.detail);
    answer.warnings.push(Warning::new("INCOMPLETE", why));
    if let Some(coverage) = &mut answer.coverage {
        coverage.complete = false;
    }
    served
}

/// Two answers as one: rows by date, attempts one after the other, the worse grade.
fn joined(call: &Call, id: gateway::RequestId, a: Served, b: Served) -> Served {
    let (mut worse, other) = if a.grade.score <= b.grade.score { (a, b) } else { (b, a) };
    let answer = Arc::make_mut(&mut worse.answer);
    let mut decision = gateway::Decision::clone(&answer.decision);
    decision.id = id.clone();
    decision.question = format!("{}; {}", decision.question, other.answer.decision.question);
    decision.attempts.extend(other.answer.decision.attempts.iter().cloned());
    decision.attempts.sort_by_key(|attempt| attempt.sent_at);
    decision.notes.extend(other.answer.decision.notes.iter().cloned());
    decision.cost_micros += other.answer.decision.cost_micros;
    answer.decision = Arc::new(decision);
    call.gateway.remember(id, &answer.decision);
    if let (Data::Actions(actions), Data::Actions(more)) = (&mut answer.data, &other.answer.data) {
        actions.extend(more.iter().cloned());
        actions.sort_by_key(|action| action.ex_date);
    }
    for vendor in &other.answer.vendors {
        if !answer.vendors.contains(vendor) {
            answer.vendors.push(*vendor);
        }
    }
    for (window, count) in &other.answer.quota {
        match answer.quota.iter_mut().find(|(name, _)| name == window) {
            Some((_, known)) => *known += count,
            None => answer.quota.push((window.clone(), *count)),
        }
    }
    let no_data = |warning: &Warning| warning.code == "NO_DATA";
    for warning in &other.answer.warnings {
        if !answer.warnings.contains(warning) {
            answer.warnings.push(warning.clone());
        }
    }
    if answer.data.rows() > 0 {
        answer.warnings.retain(|warning| !no_data(warning));
    }
    answer.simulated |= other.answer.simulated;
    answer.stored &= other.answer.stored;
    worse
}

fn action(action: &CorporateAction) -> Vec<Cell<'_>> {
    let (ratio, amount, denomination) = match &action.kind {
        ActionKind::Split { new_per_old } => (Cell::Number(new_per_old.decimal()), Cell::Absent, None),
        ActionKind::Dividend { amount, denomination } => {
            (Cell::Absent, Cell::Number(amount.decimal()), *denomination)
        }
        ActionKind::Rename { .. } | ActionKind::Merger { .. } => (Cell::Absent, Cell::Absent, None),
    };
    vec![
        action.kind.as_str().into(),
        Cell::Date(action.ex_date),
        ratio,
        amount,
        denomination.map_or(Cell::Absent, |d| d.currency.to_string().into()),
        denomination.map_or(Cell::Absent, |d| d.unit.as_str().into()),
        action.declared.into(),
        action.record.into(),
        action.payable.into(),
        action.description.as_deref().into(),
    ]
}

fn shape<'s>(
    columns: &'static [Column],
    rows: &'s (dyn for<'a> Fn(usize, &'a Served) -> Vec<Vec<Cell<'a>>> + Sync),
) -> Shape<'s> {
    Shape { columns, single: false, rows, anchor: Anchor::Open, next: None }
}
