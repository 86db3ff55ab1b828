//! SRC-9, SRC-13, SRC-15: what one end of the wire says, the other understands.

use std::sync::Arc;
use std::time::Duration;

use domain::{
    ActionKind, Adjustment, Bar, BarSeries, CorporateAction, Denomination, Instant, Instrument, InstrumentId,
    InstrumentKind, Interval, MarketPhase, MarketStatus, NewsItem, Price, Quote, Range, Ratio, Session, Size,
    Trade, number::Decimal,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use vendors::{Ask, Capability, Codec, Data, Decoded, HttpRequest, Profile, Question, Quoted};

use crate::each_vendor;
use crate::questions::{DAY, NOW, any_question, open_of, request_of};

/// Checks a property for every vendor that offers something.
fn check(property: impl Fn(&'static dyn Codec, Question, &[Row]) -> Result<(), TestCaseError>) {
    each_vendor(|codec| {
        let mut runner = TestRunner::new_with_rng(
            Config { failure_persistence: None, ..Config::with_cases(96) },
            proptest::test_runner::TestRng::deterministic_rng(Config::default().rng_algorithm),
        );
        let rows = prop::collection::vec(any_row(), 1..6);
        let outcome = runner
            .run(&(any_question(codec.profile()), rows), |(question, rows)| property(codec, question, &rows));
        if let Err(failure) = outcome {
            panic!("{}: {failure}", codec.profile().id);
        }
    });
}

#[test]
fn a_request_says_what_was_asked() {
    check(|codec, question, _| {
        let (request, _) = request_of(codec, &question);
        let over_the_wire =
            HttpRequest { headers: request.headers.clone(), ..HttpRequest::from_target(&request.target()) };
        let found = codec.decode_request(&over_the_wire);
        let found = found.map_err(|r| TestCaseError::fail(format!("{}: {r}", request.target())))?;
        prop_assert!(
            is_same_question(codec.profile(), &question, &found),
            "{} says {found:?}",
            request.target()
        );
        Ok(())
    });
}

/// The same question, up to what vendors can express: a range may be wider than asked (whole days, all of
/// history), a session or a count of rows may have no word, a venue may be left to the vendor, and one
/// endpoint may serve both kinds of quotes.
fn is_same_question(profile: &Profile, asked: &Question, found: &Question) -> bool {
    let same_names =
        asked.instruments().iter().map(InstrumentId::name).collect::<std::collections::HashSet<_>>()
            == found.instruments().iter().map(InstrumentId::name).collect();
    let same_range = match (asked.range(), found.range()) {
        (Some(asked), Some(found)) => found.start <= asked.start && found.end >= asked.end,
        (asked, found) => asked.is_none() && found.is_none(),
    };
    let same_kind = match (asked, found) {
        (Question::Quotes { .. }, Question::Quotes { .. }) => true,
        (Question::Bars { interval, adjustment: a, .. }, Question::Bars { adjustment: b, .. }) => {
            // Minutes may come as traded whatever is asked.
            let only_raw = interval.is_intraday() && *b == Adjustment::Raw;
            asked.capability() == found.capability()
                && (a == b || only_raw || profile.bar_adjustments().len() < 2)
        }
        (Question::Search { words: a, .. }, Question::Search { words: b, .. }) => a == b,
        _ => asked.capability() == found.capability(),
    };
    same_names && same_range && same_kind
}

#[test]
fn a_reply_says_what_was_put_in() {
    check(|codec, question, rows| {
        let (request, session) = request_of(codec, &question);
        let data = data_for(&question, rows);
        let found = all_pages(codec, &question, request, &session, &data).map_err(TestCaseError::fail)?;
        prop_assert!(says_the_same(&data, &found), "{data:?}\ncame back as\n{found:?}");
        Ok(())
    });
}

#[test]
fn minutes_before_and_after_hours_are_kept_where_a_vendor_has_them() {
    each_vendor(|codec| {
        let profile = codec.profile();
        let offered = profile.offers(Capability::Bars(Interval::M5));
        // A vendor without bars of five minutes has regular hours only.
        if !offered {
            assert_eq!(profile.id.as_str(), "iex_cloud");
            return;
        }
        let row = Row { low_cents: 5_000, body_cents: 20, wick_cents: 10, volume: 300 };
        // 04:00, 09:25, 09:30, 16:00 and 19:55 in New York.
        let starts = [-19_800_i64, -300, 0, 23_400, 37_500]
            .map(|secs| Instant::from_secs(open_of(DAY).as_secs() + secs));
        let question = Question::Bars {
            instrument: crate::questions::share("AAPL"),
            interval: Interval::M5,
            range: Range::new(starts[0], starts[4] + Duration::from_secs(300)),
            adjustment: profile.bar_adjustments().first().copied().unwrap_or(Adjustment::Raw),
            session: Session::Extended,
        };
        let (request, session) = request_of(codec, &question);
        let Question::Bars { instrument, interval, adjustment, .. } = &question else { return };
        let mut series = BarSeries::empty(instrument.clone(), *interval, *adjustment);
        series.zone = Some(Arc::from("America/New_York"));
        series.bars = starts.iter().map(|start| bar(&row, *start)).collect();
        let found = all_pages(codec, &question, request, &session, &Data::Bars(series));
        let Ok(Data::Bars(found)) = found else { panic!("{}: {found:?}", profile.id) };
        let kept: Vec<Instant> = found.bars.iter().map(|bar| bar.start).collect();
        assert_eq!(kept, starts, "{}", profile.id);
    });
}

/// What all pages of an answer that holds `data` say together.
fn all_pages(
    codec: &dyn Codec,
    question: &Question,
    mut request: HttpRequest,
    session: &vendors::Session,
    data: &Data,
) -> Result<Data, String> {
    let ask = Ask { question, now: NOW, session, plan: None };
    let mut former: Option<Data> = None;
    for _ in 0..9 {
        let response = codec.encode_response(&request, Some(question), &Ok(data.clone()), NOW);
        let shown = String::from_utf8_lossy(&response.body);
        let decoded =
            codec.decode_response(&ask, &request, &response).map_err(|r| format!("{r} in {shown}"))?;
        let (page, next) = match decoded {
            Decoded::Whole(page) => (page, None),
            Decoded::Page { data, next } => (data, Some(next)),
            Decoded::AskNext { .. } => return Err(format!("asks for more after {shown}")),
        };
        let all = match former.take() {
            None => page,
            Some(former) => former.join(page),
        };
        match next {
            None => return Ok(all),
            Some(next) => (former, request) = (Some(all), next),
        }
    }
    Err("pages without end".to_owned())
}

#[test]
fn a_reply_read_by_its_request_alone_says_what_was_put_in() {
    check(|codec, question, rows| {
        let (request, _) = request_of(codec, &question);
        let Ok(understood) = codec.decode_request(&request) else {
            return Err(TestCaseError::fail(request.target()));
        };
        // Bid and ask may be another request's.
        let question = match (question, &understood) {
            (Question::Quotes { instruments, .. }, Question::Quotes { bid_ask, .. }) => {
                Question::Quotes { instruments, bid_ask: *bid_ask }
            }
            (question, _) => question,
        };
        let data = data_for(&question, rows);
        let response = codec.encode_response(&request, Some(&understood), &Ok(data.clone()), NOW);
        let found = vendors::reading::decode(codec, &request.target(), &response).map(Decoded::into_data);
        let shown = String::from_utf8_lossy(&response.body).into_owned();
        prop_assert!(
            matches!(&found, Ok(Some(found)) if says_the_same(&data, found)),
            "{data:?}\ncame back as\n{found:?}\nfrom {shown}"
        );
        Ok(())
    });
}

/// Numbers from which a row of any kind is made.
#[derive(Clone, Copy, Debug)]
struct Row {
    low_cents: u32,
    body_cents: u32,
    wick_cents: u32,
    volume: u32,
}

fn any_row() -> impl Strategy<Value = Row> {
    (100_u32..60_000_000, 0_u32..500, 0_u32..500, 100_u32..1_000_000).prop_map(
        |(low_cents, body_cents, wick_cents, volume)| Row { low_cents, body_cents, wick_cents, volume },
    )
}

fn cents(count: u32) -> Price {
    Price::new(Decimal::new(count.into(), 2))
}

fn bar(row: &Row, start: Instant) -> Bar {
    let (low, body) = (row.low_cents, row.body_cents);
    Bar::new(
        start,
        [cents(low + body), cents(low + body + row.wick_cents), cents(low), cents(low + body / 2)],
        Size::from(row.volume),
    )
}

/// Rows a vendor could have for a question, at a precision every vendor has: cents, whole shares, whole
/// seconds, trading days.
fn data_for(question: &Question, rows: &[Row]) -> Data {
    let secs = |count: u64| Duration::from_secs(count);
    match question {
        Question::Quotes { instruments, bid_ask } => Data::Quotes(
            instruments
                .iter()
                .zip(rows.iter().cycle())
                .map(|(id, row)| Quoted { instrument: id.clone(), quote: Ok(quote(row, *bid_ask)) })
                .collect(),
        ),
        Question::Bars { instrument, interval, range, adjustment, .. } => {
            let mut series = BarSeries::empty(instrument.clone(), *interval, *adjustment);
            series.denomination = Some(Denomination::USD);
            series.zone = Some(Arc::from("America/New_York"));
            for (index, row) in (0..).zip(rows) {
                series.bars.push(match interval.fixed_length() {
                    Some(length) => bar(row, range.start + length * index),
                    None => {
                        let days = match interval {
                            Interval::W1 => 7 * i64::from(index),
                            Interval::Mo1 => 31 * i64::from(index),
                            _ => i64::from(index),
                        };
                        let date = range.start.utc_date() + jiff::Span::new().days(days);
                        let date = if *interval == Interval::Mo1 { date.first_of_month() } else { date };
                        Bar {
                            trading_date: Some(date),
                            ..bar(row, Instant::from_utc_midnight(date) + secs(5 * 3600))
                        }
                    }
                });
            }
            if *interval == Interval::H4 {
                series.bars.truncate(2);
            }
            if *interval == Interval::Mo1 {
                series.bars.truncate(3);
            }
            Data::Bars(series)
        }
        Question::Trades { instrument, range, .. } => Data::Trades(
            instrument.clone(),
            (1..)
                .zip(rows)
                .map(|(index, row)| Trade {
                    at: range.start + secs(index),
                    price: cents(row.low_cents),
                    size: Size::from(row.volume),
                    id: Some(Arc::from(index.to_string())),
                    conditions: vec![],
                    exchange: None,
                })
                .collect(),
        ),
        Question::Splits { instrument, range } => actions(instrument, *range, rows, |row| {
            ActionKind::Split { new_per_old: Ratio::new(Decimal::from(row.volume % 9 + 2)) }
        }),
        Question::Dividends { instrument, range } => actions(instrument, *range, rows, |row| {
            ActionKind::Dividend { amount: cents(row.body_cents + 1), denomination: Some(Denomination::USD) }
        }),
        Question::News { instrument, range, .. } => Data::News(
            (1..)
                .zip(rows)
                .map(|(index, row)| NewsItem {
                    id: Some(Arc::from(index.to_string())),
                    published: range.end - secs(index * 3600),
                    headline: Arc::from(format!("Shares at \"{}\" & more", row.low_cents)),
                    summary: Some(Arc::from("in short")),
                    publisher: Some(Arc::from("Reuters")),
                    url: Some(Arc::from("https://news.example/1")),
                    instruments: vec![instrument.clone()],
                })
                .collect(),
        ),
        Question::Search { .. } | Question::Symbols => Data::Instruments(
            ["AAPL", "MSFT", "TSLA", "IBM", "GE", "F"]
                .iter()
                .zip(rows)
                .map(|(name, _)| Instrument {
                    description: Some(Arc::from(format!("{name} Inc"))),
                    denomination: Some(Denomination::USD),
                    ..Instrument::new(crate::questions::share(name), InstrumentKind::Equity)
                })
                .collect(),
        ),
        Question::MarketStatus => Data::MarketStatus(vec![MarketStatus {
            market: Arc::from("US"),
            phase: if rows.len().is_multiple_of(2) { MarketPhase::Open } else { MarketPhase::Closed },
            at: Some(NOW),
            holiday: None,
        }]),
    }
}

fn actions(
    instrument: &InstrumentId,
    range: domain::Range,
    rows: &[Row],
    kind: impl Fn(&Row) -> ActionKind,
) -> Data {
    let first = range.start.utc_date();
    Data::Actions(
        (0_i64..)
            .zip(rows)
            .map(|(index, row)| {
                CorporateAction::new(instrument.clone(), first + jiff::Span::new().days(index), kind(row))
            })
            .collect(),
    )
}

fn quote(row: &Row, bid_ask: bool) -> Quote {
    let last = cents(row.low_cents + row.body_cents);
    let mut quote = Quote {
        last: Some(last),
        open: Some(cents(row.low_cents)),
        high: Some(cents(row.low_cents + row.body_cents + row.wick_cents)),
        low: Some(cents(row.low_cents)),
        previous_close: Some(cents(row.low_cents + 1)),
        volume: Some(Size::from(row.volume)),
        event_time: Some(open_of(DAY)),
        trading_date: Some(DAY),
        denomination: Some(Denomination::USD),
        ..Quote::default()
    };
    if bid_ask {
        quote.bid = Some(cents(row.low_cents));
        quote.bid_size = Some(Size::from(300));
        quote.ask = Some(cents(row.low_cents + 1));
        quote.ask_size = Some(Size::from(200));
    }
    quote
}

/// Whether everything a vendor carries came back as it was put in. What it has no field for may be missing,
/// the numbers that the question is about may not.
fn says_the_same(sent: &Data, found: &Data) -> bool {
    match (sent, found) {
        (Data::Quotes(sent), Data::Quotes(found)) => {
            sent.len() == found.len()
                && sent.iter().zip(found).all(|(a, b)| {
                    a.instrument.name() == b.instrument.name()
                        && matches!((&a.quote, &b.quote), (Ok(a), Ok(b)) if is_same_quote(a, b))
                })
        }
        (Data::Bars(sent), Data::Bars(found)) => {
            sent.interval == found.interval
                && sent.bars.len() == found.bars.len()
                && sent.bars.iter().zip(&found.bars).all(|(a, b)| is_same_bar(sent.interval, a, b))
        }
        (Data::Trades(_, sent), Data::Trades(_, found)) => {
            sent.len() == found.len()
                && sent.iter().zip(found).all(|(a, b)| (a.at, a.price, a.size) == (b.at, b.price, b.size))
        }
        (Data::Actions(sent), Data::Actions(found)) => {
            sent.len() == found.len() && sent.iter().zip(found).all(|(a, b)| is_same_action(a, b))
        }
        (Data::Instruments(sent), Data::Instruments(found)) => {
            sent.len() == found.len() && sent.iter().zip(found).all(|(a, b)| a.id.name() == b.id.name())
        }
        (Data::News(sent), Data::News(found)) => {
            sent.len() == found.len()
                && sent
                    .iter()
                    .zip(found)
                    .all(|(a, b)| (a.published, &a.headline) == (b.published, &b.headline))
        }
        (Data::MarketStatus(sent), Data::MarketStatus(found)) => {
            let is_open = |list: &[MarketStatus]| list.iter().any(|status| status.phase == MarketPhase::Open);
            is_open(sent) == is_open(found)
        }
        _ => false,
    }
}

fn is_kept<T: PartialEq>(sent: Option<T>, found: Option<T>) -> bool {
    found.is_none() || sent == found
}

fn is_same_quote(a: &Quote, b: &Quote) -> bool {
    // An endpoint of bid and ask alone has no last price.
    let has_price = a.last == b.last || (b.last.is_none() && a.bid.is_some());
    has_price
        && (a.bid.is_none() || (a.bid == b.bid && a.ask == b.ask))
        && is_kept(a.bid_size, b.bid_size)
        && is_kept(a.ask_size, b.ask_size)
        && is_kept(a.open, b.open)
        && is_kept(a.high, b.high)
        && is_kept(a.low, b.low)
        && is_kept(a.previous_close, b.previous_close)
        && is_kept(a.volume, b.volume)
        && is_kept(a.event_time, b.event_time)
        && is_kept(a.trading_date, b.trading_date)
        && is_kept(a.denomination, b.denomination)
}

fn is_same_bar(interval: Interval, a: &Bar, b: &Bar) -> bool {
    let same_window = match interval {
        Interval::D1 => a.trading_date == b.trading_date,
        // A vendor may name any trading date of the window.
        Interval::W1 => {
            a.trading_date.map(|d| d.iso_week_date().week())
                == b.trading_date.map(|d| d.iso_week_date().week())
        }
        Interval::Mo1 => {
            a.trading_date.map(|d| d.first_of_month()) == b.trading_date.map(|d| d.first_of_month())
        }
        _ => a.start == b.start,
    };
    same_window && is_near(a.prices(), b.prices()) && a.volume == b.volume
}

/// Whether prices are the same, or exactly what a 32-bit float makes of them, in which some vendors keep bars.
fn is_near(a: Option<[Price; 4]>, b: Option<[Price; 4]>) -> bool {
    let widened = |price: &Price| Price::from_f64(f64::from(price.to_f64() as f32));
    let near = |(a, b): (&Price, &Price)| a == b || widened(a) == Some(*b);
    match (a, b) {
        (Some(a), Some(b)) => a.iter().zip(&b).all(near),
        (a, b) => a == b,
    }
}

fn is_same_action(a: &CorporateAction, b: &CorporateAction) -> bool {
    let same_kind = match (&a.kind, &b.kind) {
        (ActionKind::Split { new_per_old: a }, ActionKind::Split { new_per_old: b }) => a == b,
        (ActionKind::Dividend { amount: a, .. }, ActionKind::Dividend { amount: b, .. }) => a == b,
        _ => false,
    };
    a.ex_date == b.ex_date && same_kind
}
