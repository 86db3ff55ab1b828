//! SRC-5, SRC-9: what one end of IEX Cloud's wire says, the other understands; no bytes are fatal.

use std::time::Duration;

use domain::{
    ActionKind, Adjustment, Bar, BarSeries, CorporateAction, Date, Instant, Interval, MarketPhase, Price,
    Quote, Ratio, Size,
};
use proptest::prelude::*;

use super::IexCloud;
use super::tests::{NOW, at, decode_as, encode, share};
use crate::local_time::Zone;
use crate::{Codec, Data, HttpRequest, HttpResponse, Question, Quoted, Rejection};

fn price() -> impl Strategy<Value = Price> {
    (1_i64..100_000_000).prop_map(|units| Price::new(rust_decimal::Decimal::new(units, 4)))
}

fn size() -> impl Strategy<Value = Size> {
    (1_u32..2_000_000_000).prop_map(Size::from)
}

/// One of each endpoint, with a place for anything.
const ENDPOINTS: &[&str] = &[
    "/stock/{x}/quote",
    "/stock/{x}/ohlc",
    "/stock/{x}/previous",
    "/stock/{x}/chart/{x}",
    "/stock/{x}/chart/date/{x}",
    "/stock/{x}/chart/dynamic",
    "/stock/{x}/intraday-prices",
    "/stock/{x}/batch?types=quote,chart&range={x}",
    "/stock/market/batch?symbols={x}&types=quote",
    "/tops?symbols={x}",
    "/tops/last?symbols={x}",
    "/stock/{x}/splits/{x}",
    "/stock/{x}/dividends/{x}",
    "/stock/{x}/news/last/{x}",
    "/search/{x}",
    "/ref-data/{x}/symbols",
    "/v1/{x}",
];

fn reply_to(target: &str, data: &Data) -> (Question, HttpRequest, HttpResponse) {
    let sent = HttpRequest::from_target(target);
    let question = IexCloud.decode_request(&sent).expect("the test writes endpoints the vendor has");
    let response = IexCloud.encode_response(&sent, Some(&question), &Ok(data.clone()), NOW);
    (question, sent, response)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_question_of_quotes_survives_the_wire(
        names in prop::collection::vec("[A-Z]{1,4}(\\.[AB])?", 1..5), bid_ask: bool,
    ) {
        let quotes = |bid_ask| {
            Question::Quotes { instruments: names.iter().map(|name| share(name)).collect(), bid_ask }
        };
        let request = HttpRequest::from_target(&encode(&quotes(bid_ask)).unwrap().target());
        // A quote carries bid and ask along, so its request does not tell whether they were wanted.
        prop_assert_eq!(IexCloud.decode_request(&request), Ok(quotes(false)));
    }

    #[test]
    fn a_request_for_bars_reaches_at_least_as_far_as_asked(
        first in 0_i64..9_000, count in 1_i64..40, is_raw: bool,
    ) {
        let zone = Zone::new_york();
        let day = |days: i64| Date::constant(1996, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
        let range = domain::Range::new(zone.midnight(day(first)).unwrap(), zone.midnight(day(first + count)).unwrap());
        let adjustment = if is_raw { Adjustment::Raw } else { Adjustment::Split };
        let question = Question::Bars {
            instrument: share("A"), interval: Interval::D1, range, adjustment, session: domain::Session::Regular,
        };
        let request = HttpRequest::from_target(&encode(&question).unwrap().target());
        let found = IexCloud.decode_request(&request).unwrap();
        let Question::Bars { range: found_range, adjustment: found_adjustment, .. } = found else {
            return Err(TestCaseError::fail("bars stay bars"));
        };
        prop_assert!(found_range.start <= range.start && range.end <= found_range.end);
        prop_assert_eq!(found_adjustment, adjustment);
        // And the vendor's side sends every day of it that lies before today.
        let mut series = BarSeries::empty(share("A"), Interval::D1, adjustment);
        series.bars.extend((first..first + count).map(|days| Bar {
            trading_date: Some(day(days)),
            ..Bar::new(zone.midnight(day(days)).unwrap(), [Price::from(5); 4], Size::from(1))
        }));
        let response = IexCloud.encode_response(&request, Some(&question), &Ok(Data::Bars(series.clone())), NOW);
        let back = decode_as(&question, &request, &response);
        prop_assert_eq!(back, Ok(Data::Bars(series)));
    }

    #[test]
    fn minutes_survive_the_wire(
        rows in prop::collection::vec(prop::option::of((prop::array::uniform4(price()), size(), price())), 1..30),
    ) {
        let mut series = BarSeries::empty(share("A"), Interval::M1, Adjustment::Raw);
        for (index, row) in rows.into_iter().enumerate() {
            let start = at("2020-11-10T14:30:00Z") + Duration::from_secs(60 * u64::try_from(index).unwrap());
            series.bars.push(match row {
                Some((prices, volume, vwap)) => {
                    Bar { vwap: Some(vwap), trade_count: Some(3), ..Bar::new(start, prices, volume) }
                }
                None => Bar { volume: Some(Size::ZERO), trade_count: Some(0), ..Bar::empty(start) },
            });
        }
        let data = Data::Bars(series);
        for target in ["/stock/A/chart/date/20201110", "/stock/A/chart/1d", "/stock/A/intraday-prices"] {
            let (question, sent, response) = reply_to(target, &data);
            let Ok(Data::Bars(mut back)) = decode_as(&question, &sent, &response) else {
                return Err(TestCaseError::fail("minutes stay minutes"));
            };
            back.covers = None;
            prop_assert_eq!(Data::Bars(back), data.clone());
        }
    }

    #[test]
    fn quotes_survive_the_wire(
        bid in prop::option::of(price()), ask in price(), last in price(), lots in size(), millis in 1_i64..2_000_000_000_000,
        is_open: bool,
    ) {
        let quote = Quote {
            last: Some(last), last_size: Some(lots), bid, bid_size: bid.map(|_| lots), ask: Some(ask),
            ask_size: Some(lots), open: Some(bid.unwrap_or(ask)), high: Some(ask), low: Some(last),
            previous_close: Some(last), volume: Some(lots), event_time: Some(Instant::from_millis(millis)),
            denomination: Some(domain::Denomination::USD), phase: is_open.then_some(MarketPhase::Open),
            ..Quote::default()
        };
        let quoted = |name: &str, quote: &Quote| Quoted { instrument: share(name), quote: Ok(quote.clone()) };
        let one = Data::Quotes(vec![quoted("A", &quote)]);
        let two = Data::Quotes(vec![quoted("A", &quote), quoted("B", &quote)]);
        for (target, data) in [
            ("/stock/A/quote", &one),
            ("/stock/A/batch?types=quote", &one),
            ("/stock/market/batch?symbols=A,B&types=quote", &two),
        ] {
            let (question, sent, response) = reply_to(target, data);
            prop_assert_eq!(decode_as(&question, &sent, &response), Ok(data.clone()));
        }
        let top = Quote {
            open: None, high: None, low: None, previous_close: None, volume: None, denomination: None, phase: None,
            ..quote
        };
        let tops = Data::Quotes(vec![quoted("A", &top), quoted("B", &top)]);
        let (question, sent, response) = reply_to("/tops?symbols=A,B", &tops);
        prop_assert_eq!(decode_as(&question, &sent, &response), Ok(tops));
    }

    #[test]
    fn actions_survive_the_wire(factor in 2_u32..20, is_reverse: bool, amount in price(), days in 0_i64..300) {
        let ratio = Ratio::from(factor);
        let new_per_old = if is_reverse { ratio.inverse().unwrap() } else { ratio };
        let ex_date = Date::constant(2020, 1, 2).checked_add(jiff::Span::new().days(days)).unwrap();
        let split = CorporateAction::new(share("A"), ex_date, ActionKind::Split { new_per_old });
        let dividend = CorporateAction {
            record: Some(ex_date),
            description: Some("Ordinary".into()),
            ..CorporateAction::new(share("A"), ex_date, ActionKind::Dividend {
                amount, denomination: Some(domain::Denomination::USD) })
        };
        for (target, action) in [("/stock/A/splits/1y", split), ("/stock/A/dividends/1y", dividend)] {
            let (question, sent, response) = reply_to(target, &Data::Actions(vec![action.clone()]));
            let back = decode_as(&question, &sent, &response);
            let Ok(Data::Actions(back)) = back else { return Err(TestCaseError::fail("actions stay actions")) };
            // A third of a share has no last digit.
            if let (ActionKind::Split { new_per_old: a }, ActionKind::Split { new_per_old: b }) = (&back[0].kind, &action.kind) {
                prop_assert_eq!(a.round(20), b.round(20));
            } else {
                prop_assert_eq!(back, vec![action]);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused_and_never_fatal(
        body in prop::collection::vec(any::<u8>(), 0..80), status in 100_u16..600, endpoint in 0_usize..ENDPOINTS.len(),
    ) {
        let sent = HttpRequest::from_target(ENDPOINTS[endpoint]);
        let question = IexCloud.decode_request(&sent).unwrap_or(Question::Symbols);
        let response = HttpResponse { status, headers: vec![], body };
        prop_assert!(decode_as(&question, &sent, &response).is_err());
    }

    #[test]
    fn arbitrary_targets_are_understood_or_refused(extra in "[ -~é]{0,30}") {
        for endpoint in ENDPOINTS {
            let request = HttpRequest::from_target(&endpoint.replace("{x}", &extra));
            let understood = IexCloud.decode_request(&request);
            for outcome in [Err(Rejection::NoData), Ok(Data::Actions(vec![])), Ok(Data::Quotes(vec![]))] {
                let response = IexCloud.encode_response(&request, understood.as_ref().ok(), &outcome, NOW);
                prop_assert!(response.status >= 200);
            }
        }
    }
}
