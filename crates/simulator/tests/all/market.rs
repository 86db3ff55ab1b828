//! TST-3: a market whose bars are the recording's, or a random one that keeps a market's laws.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use domain::number::Decimal;
use domain::{
    ActionKind, Adjustment, Bar, Calendars, Date, Directory, Instant, InstrumentId, InstrumentKind, Interval,
    Price, Range, Session, Size, Venue,
};
use proptest::prelude::*;
use simulator::Market;

const FAR: Instant = Instant::from_secs(4_000_000_000);
const EVER: Range = Range { start: Instant::MIN, end: Instant::MAX };

fn us(name: &str) -> InstrumentId {
    InstrumentId::new(name, Venue::US)
}

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

fn rows(path: &Path) -> Vec<HashMap<String, String>> {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    csv::Reader::from_reader(text.as_bytes()).deserialize().map(Result::unwrap).collect()
}

fn values(bar: &Bar) -> [Decimal; 5] {
    let [open, high, low, close] = bar.prices().unwrap().map(Price::decimal);
    [open, high, low, close, bar.volume.unwrap().decimal()]
}

fn values_of(row: &HashMap<String, String>) -> [Decimal; 5] {
    ["open", "high", "low", "close", "volume"].map(|column| row[column].parse().unwrap())
}

fn added_up(bars: &[Bar]) -> [Decimal; 5] {
    let rows: Vec<[Decimal; 5]> = bars.iter().map(values).collect();
    let (first, last) = (rows.first().unwrap(), rows.last().unwrap());
    [
        first[0],
        rows.iter().map(|row| row[1]).max().unwrap(),
        rows.iter().map(|row| row[2]).min().unwrap(),
        last[3],
        rows.iter().map(|row| row[4]).sum(),
    ]
}

#[test]
fn daily_bars_of_a_recording_are_the_recording() {
    for folder in ["equities-daily", "equities-daily-wiki"] {
        let Some(path) = test_data::find("daily replay", &format!("data/replay/{folder}")) else { return };
        let market = Market::load(&path).unwrap();
        let mut by_symbol: HashMap<String, Vec<_>> = HashMap::new();
        for row in rows(&path.join("bars.csv.gz")) {
            by_symbol.entry(row["symbol"].clone()).or_default().push(row);
        }
        assert_eq!(market.instruments().len(), by_symbol.len());
        for (symbol, rows) in by_symbol {
            let bars = market.raw_bars(&us(&symbol), Interval::D1, EVER, FAR);
            assert_eq!(bars.len(), rows.len(), "{symbol}");
            for (bar, row) in bars.iter().zip(&rows) {
                assert_eq!(bar.trading_date.unwrap().to_string(), row["date"], "{symbol}");
                assert_eq!(values(bar), values_of(row), "{symbol} {}", row["date"]);
                assert!(bar.is_final);
            }
        }
    }
}

#[test]
fn minutes_of_a_recording_are_the_recording_stamped_at_their_start() {
    let Some(path) = test_data::find("minute replay", "data/replay/equities-minute") else { return };
    let market = Market::load(&path).unwrap();
    for record in market.instruments() {
        let name = match record.id.name() {
            "META" => "FB",
            name => name,
        };
        let rows = rows(&path.join(format!("{name}.csv.gz")));
        let bars = market.bars(&record.id, Interval::M1, EVER, Adjustment::Raw, Session::Extended, FAR);
        assert_eq!(bars.len(), rows.len(), "{name}");
        for (bar, row) in bars.iter().zip(&rows) {
            assert_eq!(bar.start + Duration::from_secs(60), at(&row["bar_end_utc"]), "{name}");
            assert_eq!(values(bar), values_of(row), "{name} {}", bar.start);
        }
    }
}

#[test]
fn an_adjusted_close_meets_the_one_the_publisher_of_a_recording_states() {
    let Some(path) = test_data::find("adjusted replay", "data/replay/equities-daily-wiki") else { return };
    let market = Market::load(&path).unwrap();
    let rows = rows(&path.join("bars.csv.gz"));
    for symbol in ["AAPL", "KO", "MSFT"] {
        let rows: Vec<_> = rows.iter().filter(|row| row["symbol"] == symbol).collect();
        let bars = market.bars(&us(symbol), Interval::D1, EVER, Adjustment::All, Session::Regular, FAR);
        for (bar, row) in bars.iter().zip(rows) {
            // The publisher's own factors come from its closes before their later correction.
            let (ours, theirs) = (bar.close.unwrap().to_f64(), row["adj_close"].parse::<f64>().unwrap());
            assert!((ours / theirs - 1.0).abs() < 5e-4, "{symbol} {}: {ours} {theirs}", row["date"]);
        }
    }
}

#[test]
fn a_split_restates_history_from_its_ex_date_on_and_not_a_day_earlier() {
    let Some(path) = test_data::find("split replay", "data/replay/equities-daily") else { return };
    let market = Market::load(&path).unwrap();
    let day = Range::new(at("2015-07-13"), at("2015-07-14"));
    let close = |now: &str| {
        let bars = market.bars(&us("NFLX"), Interval::D1, day, Adjustment::Split, Session::Regular, at(now));
        bars[0].close.unwrap()
    };
    let raw = market.raw_bars(&us("NFLX"), Interval::D1, day, FAR)[0].close.unwrap();
    assert_eq!(close("2015-07-14T22:00:00Z"), raw);
    assert_eq!(close("2015-07-15T14:00:00Z").decimal(), raw.decimal() / Decimal::from(7));
}

#[test]
fn a_plain_file_is_read_like_a_compressed_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = std::fs::File::create(folder.path().join("bars.csv")).unwrap();
    writeln!(file, "symbol,date,open,high,low,close,volume\nZZZZ,2015-01-12,1.5,2,1,1.25,7").unwrap();
    let market = Market::load(folder.path()).unwrap();
    let bars = market.raw_bars(&us("ZZZZ"), Interval::D1, EVER, FAR);
    assert_eq!(bars.len(), 1);
    assert_eq!(bars[0].high, Price::parse("2"));
    assert_eq!(bars[0].volume, Size::parse("7"));
}

#[test]
fn a_folder_that_is_no_recording_is_refused_with_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = Market::load(folder.path()).err().unwrap().to_string();
    for word in ["bars.csv", "corporate_actions.csv", "SYMBOL.csv", "bar_end_utc"] {
        assert!(refusal.contains(word), "{refusal}");
    }
    assert!(Market::load(&folder.path().join("absent")).is_err());
    std::fs::write(
        folder.path().join("bars.csv"),
        "symbol,date,open,high,low,close,volume\nA,2015-01-12,x,2,1,1,7\n",
    )
    .unwrap();
    let refusal = Market::load(folder.path()).err().unwrap().to_string();
    assert!(refusal.contains("row 1") && refusal.contains("`open`"), "{refusal}");
    for unsupported in ["fx-minute", "crypto-minute"] {
        let Some(path) = test_data::find("refused replay", &format!("data/replay/{unsupported}")) else {
            return;
        };
        assert!(Market::load(&path).is_err(), "{unsupported}");
    }
}

fn synthetic() -> Market {
    Market::synthetic(7, &Directory::built_in())
}

#[test]
fn one_seed_gives_one_market_however_it_is_asked() {
    let (a, b, other) = (synthetic(), synthetic(), Market::synthetic(8, &Directory::built_in()));
    let id = us("AAPL");
    let now = at("2026-03-10T17:31:07.5Z");
    let range = Range::new(at("2026-03-10"), now);
    let _ = b.quote(&id, at("2031-01-06T15:00:00Z"));
    let _ = b.raw_bars(&id, Interval::M5, Range::new(at("2024-03-10"), at("2024-05-10")), now);
    assert_eq!(a.quote(&id, now), b.quote(&id, now));
    assert_eq!(a.raw_bars(&id, Interval::S1, range, now), b.raw_bars(&id, Interval::S1, range, now));
    assert_ne!(a.quote(&id, now), other.quote(&id, now));
    assert!(a.instruments().len() > 50);
}

#[test]
fn every_bar_of_a_random_market_holds_together_and_lies_in_a_session() {
    let market = synthetic();
    let calendars = Calendars::built_in();
    let range = Range::new(at("2020-02-20"), at("2020-03-20"));
    for record in market.instruments() {
        let bars = market.raw_bars(&record.id, Interval::D1, range, FAR);
        assert!(bars.len() > 15, "{} has {} days", record.id, bars.len());
        for bar in bars {
            let [open, high, low, close] = bar.prices().unwrap();
            assert!(
                low <= open.min(close) && high >= open.max(close) && low.is_positive(),
                "{} {bar:?}",
                record.id
            );
            if let Some(calendar) = calendars.of(record.id.venue()) {
                assert_eq!(calendar.session_on(bar.trading_date.unwrap()).unwrap().hours.start, bar.start);
            }
        }
    }
}

#[test]
fn shorter_bars_add_up_to_longer_ones_exactly() {
    let market = synthetic();
    let range = Range::new(at("2025-06-02"), at("2025-06-07"));
    for name in ["AAPL", "BTC/USDT"] {
        let days = market.raw_bars(&us(name), Interval::D1, range, FAR);
        for (index, day) in days.iter().enumerate() {
            let end = days.get(index + 1).map_or(range.end, |next| next.start);
            let inside = Range::new(day.start, end);
            for interval in Interval::ALL.into_iter().filter(|interval| interval.is_intraday()) {
                if interval == Interval::S1 && (index > 0 || name != "AAPL") {
                    continue;
                }
                let bars = market.raw_bars(&us(name), interval, inside, FAR);
                assert!(bars.windows(2).all(|pair| pair[0].start < pair[1].start), "{name} {interval}");
                assert_eq!(added_up(&bars), values(day), "{name} {interval} {}", day.start);
            }
        }
        let week =
            market.raw_bars(&us(name), Interval::W1, Range::new(at("2025-06-02"), at("2025-06-03")), FAR);
        assert_eq!(week.len(), 1, "{name}");
        let monday = at("2025-06-02");
        let week_days = market.raw_bars(&us(name), Interval::D1, Range::new(monday, at("2025-06-09")), FAR);
        assert_eq!(values(&week[0]), added_up(&week_days), "{name}");
    }
}

#[test]
fn the_newest_bar_is_what_had_been_traded_by_then() {
    let market = synthetic();
    let id = us("AAPL");
    let start = at("2025-06-03T15:00:00Z");
    let now = start + Duration::from_millis(20_500);
    let bars = market.raw_bars(&id, Interval::M1, Range::new(start, FAR), now);
    let [bar] = bars.as_slice() else { panic!("{bars:?}") };
    assert!(!bar.is_final);
    let seconds = market.raw_bars(&id, Interval::S1, Range::new(start, FAR), now);
    assert_eq!(values(bar), added_up(&seconds));
    let whole = market.raw_bars(&id, Interval::M1, Range::new(start, start + Duration::from_secs(1)), FAR);
    assert!(whole[0].is_final && whole[0].volume > bar.volume);
    let quote = market.quote(&id, now).unwrap();
    assert_eq!(quote.last, bar.close);
    assert!(quote.event_time.unwrap() <= now);
    let day = market.raw_bars(&id, Interval::D1, Range::new(at("2025-06-03"), FAR), now);
    assert_eq!(
        [quote.open, quote.high, quote.low, quote.last],
        [day[0].open, day[0].high, day[0].low, day[0].close]
    );
    assert_eq!(quote.volume, day[0].volume);
    assert!(!day[0].is_final);
}

#[test]
fn splits_of_a_random_market_jump_by_their_ratio_exactly() {
    let market = synthetic();
    let mut seen = 0;
    for record in market.instruments() {
        for action in market.actions(&record.id, FAR) {
            let ActionKind::Split { new_per_old } = action.kind else { continue };
            let around = Instant::from_utc_midnight(action.ex_date);
            let range = Range::new(
                around - Duration::from_secs(14 * 86_400),
                around + Duration::from_secs(2 * 86_400),
            );
            let bars = market.raw_bars(&record.id, Interval::D1, range, FAR);
            let index = bars.iter().position(|bar| bar.trading_date == Some(action.ex_date)).unwrap();
            let (before, after) = (bars[index - 1].close.unwrap(), bars[index].open.unwrap());
            assert_eq!(after.decimal() * new_per_old.decimal(), before.decimal(), "{}", record.id);
            let split =
                market.bars(&record.id, Interval::D1, range, Adjustment::Split, Session::Regular, FAR);
            assert_eq!(split[index - 1].close, split[index].open, "{}", record.id);
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} splits");
}

#[test]
fn only_what_is_announced_is_told() {
    let market = synthetic();
    let id = market
        .instruments()
        .iter()
        .map(|record| &record.id)
        .find(|id| market.actions(id, FAR).iter().any(|a| matches!(a.kind, ActionKind::Split { .. })))
        .unwrap();
    let split =
        market.actions(id, FAR).into_iter().find(|a| matches!(a.kind, ActionKind::Split { .. })).unwrap();
    let told = |now| market.actions(id, now).contains(&split);
    let ex_date = Instant::from_utc_midnight(split.ex_date);
    assert!(told(ex_date));
    assert!(!told(ex_date - Duration::from_secs(30 * 86_400)));
}

#[test]
fn nothing_unknown_is_invented() {
    let market = synthetic();
    let now = at("2025-06-03T15:00:00Z");
    let ghost = us("NOSUCHNAME");
    assert_eq!(market.quote(&ghost, now), None);
    assert!(market.raw_bars(&ghost, Interval::D1, EVER, now).is_empty());
    assert!(market.trades(&ghost, EVER, 10, now).is_empty());
    assert_eq!(market.quote(&us("AAPL"), at("1999-01-05T15:00:00Z")), None);
    assert!(market.instrument(&InstrumentId::new("AAPL", Venue::literal("XLON"))).is_none());
    let future = Range::new(now + Duration::from_secs(3600), FAR);
    assert!(market.raw_bars(&us("AAPL"), Interval::M1, future, now).is_empty());
}

#[test]
fn trades_are_the_prints_behind_the_bars() {
    let market = synthetic();
    let start = at("2025-06-03T15:00:00Z");
    let range = Range::new(start, start + Duration::from_secs(120));
    let trades = market.trades(&us("MSFT"), range, 1_000, FAR);
    let bars = market.raw_bars(&us("MSFT"), Interval::M1, range, FAR);
    let volume: Decimal = trades.iter().map(|trade| trade.size.decimal()).sum();
    assert_eq!(volume, added_up(&bars)[4]);
    assert!(trades.iter().all(|trade| range.contains(trade.at)));
    assert_eq!(market.trades(&us("MSFT"), range, 5, FAR).len(), 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_quote_at_any_instant_has_its_bid_below_its_ask_on_the_grid(secs in 1_420_070_400i64..1_890_000_000, pick: usize) {
        static MARKET: std::sync::LazyLock<Market> = std::sync::LazyLock::new(synthetic);
        let record = &MARKET.instruments()[pick % MARKET.instruments().len()];
        let now = Instant::from_secs(secs);
        let quote = MARKET.quote(&record.id, now).unwrap();
        prop_assert!(quote.event_time.unwrap() <= now);
        prop_assert!(quote.low <= quote.last && quote.last <= quote.high);
        if record.kind == InstrumentKind::Index {
            prop_assert_eq!(quote.bid, None);
        } else {
            let (bid, ask) = (quote.bid.unwrap(), quote.ask.unwrap());
            prop_assert!(bid < ask && bid.is_positive());
            if let Some(step) = record.ticks.as_ref().and_then(|ticks| ticks.step_at(quote.last.unwrap())) {
                prop_assert!((bid.decimal() % step.decimal()).is_zero());
                prop_assert!((ask.decimal() % step.decimal()).is_zero());
            }
        }
        let _: Option<Date> = quote.trading_date;
    }
}
