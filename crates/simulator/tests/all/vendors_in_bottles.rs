//! TST-3: every vendor answers from the market in its own dialect, under its own plan.

use std::time::Duration;

use domain::{Adjustment, Bar, Delivery, Instant, Interval, Price, Range, Session, Size};
use simulator::{Bottle, Market};
use vendors::{Capability, Codec, Data, HttpRequest, KeySlot, Plan, Question, Rejection};

use crate::worlds::{KEY, NOON, ask, at, boundless, daily, limited, quote_of, synthetic, us, written};

fn bottle(codec: &'static dyn Codec, plan: Plan) -> Bottle {
    Bottle::new(codec, plan, vec![KEY.into()])
}

fn bars_of(parts: Vec<Data>) -> Vec<Bar> {
    let mut bars: Vec<Bar> = parts
        .into_iter()
        .flat_map(|data| match data {
            Data::Bars(series) => series.bars,
            other => panic!("{} instead of bars", other.kind()),
        })
        .collect();
    bars.sort_by_key(|bar| bar.start);
    bars
}

fn shown(bars: &[Bar]) -> Vec<(String, [Price; 4], Size)> {
    bars.iter()
        .map(|bar| {
            let prices = bar.prices().unwrap().map(Price::shortest_f32);
            (bar.trading_date.unwrap().to_string(), prices, bar.volume.unwrap())
        })
        .collect()
}

#[test]
fn a_recording_comes_out_of_every_vendor_as_it_went_in() {
    let Some(path) = test_data::find("vendor replay", "data/replay/equities-daily") else { return };
    let market = Market::load(&path).unwrap();
    let now = at("2017-12-30T00:00:00Z");
    for codec in written() {
        let bottle = bottle(codec, boundless());
        for name in ["AAPL", "MSFT", "V", "SPY"] {
            let question = daily(codec, name, "2016-01-01", "2016-04-01");
            let parts = ask(&bottle, &market, &question, now);
            let parts = parts.unwrap_or_else(|error| panic!("{} {name}: {error:?}", bottle.vendor()));
            let range = Range::new(at("2016-01-01"), at("2016-04-01"));
            let recorded = market.raw_bars(&us(name), Interval::D1, range, now);
            // Some vendors are asked for a day more at either end than is wanted.
            let mut told = shown(&bars_of(parts));
            let (first, last) = (&shown(&recorded)[0].0, &shown(&recorded)[recorded.len() - 1].0);
            told.retain(|(date, ..)| first <= date && date <= last);
            assert_eq!(told, shown(&recorded), "{} {name}", bottle.vendor());
        }
    }
}

#[test]
fn a_vendor_restates_for_a_split_when_it_is_asked_so() {
    let Some(path) = test_data::find("vendor replay of a split", "data/replay/equities-daily") else {
        return;
    };
    let market = Market::load(&path).unwrap();
    let before = Range::new(at("2015-07-06"), at("2015-07-11"));
    for codec in written().filter(|codec| codec.profile().bar_adjustments().contains(&Adjustment::Split)) {
        let bottle = bottle(codec, boundless());
        let question = Question::Bars {
            instrument: us("NFLX"),
            interval: Interval::D1,
            range: before,
            adjustment: Adjustment::Split,
            session: Session::Regular,
        };
        let bars = bars_of(ask(&bottle, &market, &question, at("2015-09-01")).unwrap());
        let raw = market.raw_bars(&us("NFLX"), Interval::D1, before, at("2015-09-01"));
        assert_eq!(raw.len(), 5);
        for raw in &raw {
            let bar = bars.iter().find(|bar| bar.trading_date == raw.trading_date).unwrap();
            let ratio = raw.close.unwrap().to_f64() / bar.close.unwrap().to_f64();
            assert!((ratio - 7.0).abs() < 0.001, "{} {ratio}", bottle.vendor());
        }
    }
}

#[test]
fn one_seed_makes_every_vendor_say_the_same_bytes() {
    let (a, b) = (synthetic(), synthetic());
    for codec in written() {
        let question = quote_of("MSFT");
        let now = at(NOON);
        let asked = crate::worlds::request(codec, &question, now);
        let say = |market: &Market| bottle(codec, boundless()).answer(&asked, market, &[], now);
        assert_eq!(say(&a), say(&b), "{}", codec.profile().id);
        assert_eq!(say(&a).status, 200, "{}", codec.profile().id);
    }
}

#[test]
fn a_quote_in_real_time_is_the_markets_and_a_delayed_one_is_late_by_its_delay() {
    let market = synthetic();
    let now = at(NOON);
    let delay = Duration::from_secs(900);
    let last = |bottle: &Bottle| match ask(bottle, &market, &quote_of("AAPL"), now).unwrap().remove(0) {
        Data::Quotes(rows) => rows[0].quote.clone().unwrap().last.unwrap().shortest_f32(),
        other => panic!("{}", other.kind()),
    };
    let told = |now: Instant| market.quote(&us("AAPL"), now).unwrap().last.unwrap();
    assert_ne!(told(now), told(now - delay), "the market moved meanwhile");
    for codec in written() {
        let delayed = Plan { delivery: Delivery::Delayed(delay), ..boundless() };
        assert_eq!(last(&bottle(codec, boundless())), told(now), "{}", codec.profile().id);
        assert_eq!(last(&bottle(codec, delayed)), told(now - delay), "{}", codec.profile().id);
    }
}

#[test]
fn an_end_of_day_plan_knows_nothing_of_the_running_session() {
    let market = synthetic();
    let now = at(NOON);
    for codec in written() {
        let plan = Plan { delivery: Delivery::EndOfDay, ..boundless() };
        let question = daily(codec, "AAPL", "2026-03-02", "2026-03-12");
        let bars = bars_of(ask(&bottle(codec, plan), &market, &question, now).unwrap());
        let last = bars.last().unwrap().trading_date.unwrap();
        assert_eq!(last.to_string(), "2026-03-09", "{}", codec.profile().id);
        let bars = bars_of(ask(&bottle(codec, boundless()), &market, &question, now).unwrap());
        let last = bars.last().unwrap().trading_date.unwrap();
        assert_eq!(last.to_string(), "2026-03-10", "{}", codec.profile().id);
    }
}

#[test]
fn one_request_too_many_is_refused_until_the_window_has_passed() {
    let market = synthetic();
    for codec in written() {
        let question = daily(codec, "AAPL", "2026-02-02", "2026-02-07");
        let now = at(NOON);
        let asked = crate::worlds::request(codec, &question, now);
        let bottle = bottle(codec, limited(3 * codec.weight(&asked), 60));
        let outcome = |now: Instant| {
            let session = vendors::Session::default();
            let asking = vendors::Ask { question: &question, now, session: &session, plan: None };
            codec.decode_response(&asking, &asked, &bottle.answer(&asked, &market, &[], now)).map(|_| ())
        };
        for secs in 0..3 {
            assert_eq!(outcome(now + Duration::from_secs(secs)), Ok(()), "{}", bottle.vendor());
        }
        let refused = outcome(now + Duration::from_secs(3));
        assert!(matches!(refused, Err(Rejection::RateLimited { .. })), "{}: {refused:?}", bottle.vendor());
        assert_eq!(outcome(now + Duration::from_secs(120)), Ok(()), "{}", bottle.vendor());
    }
}

#[test]
fn a_vendor_that_states_its_budget_states_what_is_left() {
    let market = synthetic();
    for (vendor, header) in [("finnhub", "x-ratelimit-remaining"), ("twelve_data", "api-credits-left")] {
        let codec = vendors::find(vendor).unwrap();
        let bottle = bottle(codec, limited(8, 60));
        let now = at(NOON);
        let asked = crate::worlds::request(codec, &quote_of("AAPL"), now);
        let left: Vec<String> = (0..3)
            .map(|_| bottle.answer(&asked, &market, &[], now).header(header).unwrap().to_owned())
            .collect();
        assert_eq!(left, ["7", "6", "5"], "{vendor}");
    }
}

#[test]
fn a_vendor_refuses_a_missing_and_a_wrong_key_in_its_own_words() {
    let market = synthetic();
    let now = at(NOON);
    for codec in written().filter(|codec| codec.profile().key != KeySlot::None) {
        let bottle = bottle(codec, limited(1, 60));
        let question = quote_of("AAPL");
        let session = vendors::Session::default();
        let asking = vendors::Ask { question: &question, now, session: &session, plan: None };
        let bare = codec.encode_request(&asking).unwrap();
        let mut wrong = bare.clone();
        codec.profile().key.fill(&mut wrong, "wrong");
        for asked in [&bare, &wrong] {
            let response = bottle.answer(asked, &market, &[], now);
            let outcome = codec.decode_response(&asking, asked, &response);
            assert_eq!(outcome, Err(Rejection::Unauthorized), "{}", bottle.vendor());
        }
        assert!(ask(&bottle, &market, &question, now).is_ok(), "refused keys spend nothing of the good one");
    }
}

#[test]
fn what_the_plan_leaves_out_is_refused_and_nothing_else() {
    let market = synthetic();
    let now = at(NOON);
    for codec in written().filter(|codec| codec.profile().key != KeySlot::None) {
        let mut plan = boundless();
        plan.entitlements.retain(|capability| !matches!(capability, Capability::Bars(_)));
        let bottle = bottle(codec, plan);
        let bars = ask(&bottle, &market, &daily(codec, "AAPL", "2026-02-02", "2026-02-07"), now);
        assert_eq!(bars, Err(Rejection::NotEntitled), "{}", bottle.vendor());
        assert!(ask(&bottle, &market, &quote_of("AAPL"), now).is_ok(), "{}", bottle.vendor());
    }
}

#[test]
fn a_symbol_the_market_does_not_have_is_no_data_at_any_vendor() {
    let market = synthetic();
    for codec in written() {
        let bottle = bottle(codec, boundless());
        for question in [quote_of("ZZZZQ"), daily(codec, "ZZZZQ", "2026-02-02", "2026-02-07")] {
            let outcome = ask(&bottle, &market, &question, at(NOON));
            let none = match &outcome {
                Err(Rejection::UnknownSymbol | Rejection::NoData) => true,
                Ok(parts) => parts.iter().all(|data| match data {
                    Data::Quotes(rows) => rows.iter().all(|row| row.quote.is_err()),
                    other => other.rows() == 0,
                }),
                Err(_) => false,
            };
            assert!(none, "{} {question:?}: {outcome:?}", bottle.vendor());
        }
    }
}

#[test]
fn volumes_are_the_markets_unless_a_vendor_is_given_its_own() {
    let market = synthetic();
    let codec = vendors::find("polygon").unwrap();
    let question = daily(codec, "AAPL", "2026-02-02", "2026-02-07");
    let volume = |bottle: &Bottle| bars_of(ask(bottle, &market, &question, at(NOON)).unwrap())[0].volume;
    let own = bottle(codec, boundless()).with_own_volumes();
    let range = Range::new(at("2026-02-02"), at("2026-02-07"));
    let split = market.bars(&us("AAPL"), Interval::D1, range, Adjustment::Split, Session::Regular, at(NOON));
    assert_eq!(volume(&bottle(codec, boundless())), split[0].volume);
    let ratio = volume(&own).unwrap().to_f64() / split[0].volume.unwrap().to_f64();
    assert!((0.97..=1.03).contains(&ratio));
}

#[test]
fn an_endpoint_the_dialect_does_not_have_is_refused_without_data() {
    let market = synthetic();
    for codec in written() {
        let mut asked = HttpRequest::get("/no/such/endpoint");
        codec.profile().key.fill(&mut asked, KEY);
        let response = bottle(codec, boundless()).answer(&asked, &market, &[], at(NOON));
        assert_ne!(response.status, 500, "{}", codec.profile().id);
        assert!(response.body.len() < 2_000, "{}", codec.profile().id);
    }
}
