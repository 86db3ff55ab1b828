//! SRC-9, SRC-13, SRC-15: what one end of Polygon's wire says, the other understands; no bytes are fatal.

use std::time::Duration;

use domain::{
    ActionKind, Adjustment, Bar, BarSeries, CorporateAction, Date, Instant, InstrumentId, Interval, Price,
    Quote, Range, Ratio, Session, Size, Trade, Venue,
};
use proptest::prelude::*;

use super::Polygon;
use super::tests::{NOW, decode_as, encode};
use crate::{Codec, Data, Decoded, HttpRequest, HttpResponse, Question, Quoted, Rejection};

fn price() -> impl Strategy<Value = Price> {
    (1_i64..100_000_000).prop_map(|units| Price::new(rust_decimal::Decimal::new(units, 4)))
}

fn size() -> impl Strategy<Value = Size> {
    (1_u32..2_000_000_000).prop_map(Size::from)
}

fn span() -> impl Strategy<Value = Range> {
    (0_i64..1_900_000_000_000, 1_i64..100_000_000_000).prop_map(|(start, length)| {
        Range::new(Instant::from_millis(start), Instant::from_millis(start + length))
    })
}

/// A range of whole days in New York.
fn days() -> impl Strategy<Value = Range> {
    (0_i64..20_000, 1_i64..4_000).prop_map(|(first, count)| {
        let zone = crate::local_time::Zone::new_york();
        let midnight = |day: i64| {
            let date = Date::constant(1970, 1, 2).checked_add(jiff::Span::new().days(day)).unwrap();
            zone.midnight(date).unwrap()
        };
        Range::new(midnight(first), midnight(first + count))
    })
}

fn question() -> impl Strategy<Value = Question> {
    let id = || "[A-Z]{1,4}".prop_map(|name| InstrumentId::new(&name, Venue::US));
    let adjustment = || prop::sample::select(vec![Adjustment::Split, Adjustment::Raw]);
    let intervals = |intraday: bool| {
        Interval::ALL.into_iter().filter(|i| i.is_intraday() == intraday).collect::<Vec<_>>()
    };
    let bars = move |intraday: bool, range: BoxedStrategy<Range>| {
        let session = if intraday { Session::Extended } else { Session::Regular };
        (id(), prop::sample::select::<Interval>(intervals(intraday)), range, adjustment()).prop_map(
            move |(instrument, interval, range, adjustment)| Question::Bars {
                instrument,
                interval,
                range,
                adjustment,
                session,
            },
        )
    };
    prop_oneof![
        prop::collection::vec(id(), 1..5)
            .prop_map(|instruments| Question::Quotes { instruments, bid_ask: false }),
        bars(true, span().boxed()),
        bars(false, days().boxed()),
        (id(), span(), 1_u32..50_000).prop_map(|(instrument, range, limit)| Question::Trades {
            instrument,
            range,
            limit
        }),
        (id(), days()).prop_map(|(instrument, range)| Question::Splits { instrument, range }),
        (id(), days()).prop_map(|(instrument, range)| Question::Dividends { instrument, range }),
        (id(), span(), 1_u32..1_000).prop_map(|(instrument, range, limit)| Question::News {
            instrument,
            range,
            limit
        }),
        ("[a-z &+%=]{0,8}[a-z]", 1_u32..1_000).prop_map(|(words, limit)| Question::Search { words, limit }),
        Just(Question::Symbols),
        Just(Question::MarketStatus),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_question_survives_the_wire(question in question()) {
        let request = HttpRequest::from_target(&encode(&question).unwrap().target());
        prop_assert_eq!(Polygon.decode_request(&request), Ok(question));
    }

    #[test]
    fn bars_survive_the_wire(
        rows in prop::collection::vec((prop::array::uniform4(price()), size(), price(), 1_u64..9_999), 1..30),
        is_daily: bool,
        is_newest_first: bool,
    ) {
        let interval = if is_daily { Interval::D1 } else { Interval::M5 };
        let mut series = BarSeries::empty(InstrumentId::new("ACME", Venue::US), interval, Adjustment::Split);
        let zone = crate::local_time::Zone::new_york();
        let mut date = Date::constant(2024, 2, 20);
        for (index, (prices, volume, vwap, trades)) in rows.into_iter().enumerate() {
            let seconds = 300 * u64::try_from(index).unwrap();
            let start = if is_daily { zone.midnight(date).unwrap() } else { NOW + Duration::from_secs(seconds) };
            let mut bar = Bar::new(start, prices, volume);
            bar.trading_date = is_daily.then_some(date);
            bar.vwap = Some(vwap);
            bar.trade_count = Some(trades);
            series.bars.push(bar);
            date = date.tomorrow().unwrap();
        }
        let (multiplier, timespan) = super::request::words(interval);
        let sort = if is_newest_first { "desc" } else { "asc" };
        let request = HttpRequest::from_target(
            &format!("/v2/aggs/ticker/ACME/range/{multiplier}/{timespan}/2020-01-01/2030-01-01?sort={sort}"));
        let question = Polygon.decode_request(&request).unwrap();
        let data = Data::Bars(series);
        let response = Polygon.encode_response(&request, Some(&question), &Ok(data.clone()), NOW);
        prop_assert_eq!(decode_as(&question, &request, &response), Ok(Decoded::Whole(data)));
    }

    #[test]
    fn quotes_survive_the_wire(bid in price(), ask in price(), last in price(), lots in 1_u32..100, nanos: u32) {
        let at = Instant::from_nanos(1_700_000_000_000_000_000 + i64::from(nanos));
        let quote = Quote {
            last: Some(last), last_size: Some(Size::from(lots)),
            bid: Some(bid), bid_size: Some(Size::from(lots * 100)),
            ask: Some(ask), ask_size: Some(Size::from(lots * 300)),
            open: Some(bid), high: Some(ask), low: Some(bid), previous_close: Some(last),
            volume: Some(Size::from(lots)), event_time: Some(at), ..Quote::default()
        };
        let ids = [InstrumentId::new("A", Venue::US), InstrumentId::new("B", Venue::US)];
        let quoted = |id: &InstrumentId| Quoted { instrument: id.clone(), quote: Ok(quote.clone()) };
        for bid_ask in [false, true] {
            let question = Question::Quotes { instruments: ids.to_vec(), bid_ask };
            let request = encode(&question).unwrap();
            let data = Data::Quotes(ids.iter().map(quoted).collect());
            let response = Polygon.encode_response(&request, Some(&question), &Ok(data.clone()), NOW);
            prop_assert_eq!(decode_as(&question, &request, &response), Ok(Decoded::Whole(data)));
        }
    }

    #[test]
    fn trades_survive_the_wire_newest_first(
        rows in prop::collection::vec((price(), size()), 1..20),
        order in prop::sample::select(vec!["", "order=asc", "order=desc"]),
    ) {
        let trades: Vec<Trade> = rows.into_iter().enumerate().map(|(index, (price, size))| Trade {
            // Several at one instant keep their order.
            at: Instant::from_nanos(1_700_000_000_000_000_001 + i64::try_from(index / 3).unwrap()),
            price, size, id: Some(index.to_string().into()),
            conditions: vec!["12".into(), "37".into()], exchange: Some("4".into()),
        }).collect();
        let request = HttpRequest::from_target(&format!("/v3/trades/ACME?{order}"));
        let question = Polygon.decode_request(&request).unwrap();
        let data = Data::Trades(InstrumentId::new("ACME", Venue::US), trades);
        let response = Polygon.encode_response(&request, Some(&question), &Ok(data.clone()), NOW);
        prop_assert_eq!(decode_as(&question, &request, &response), Ok(Decoded::Whole(data)));
    }

    #[test]
    fn actions_survive_the_wire(from in 1_u32..20, to in 1_u32..20, amount in price()) {
        let id = InstrumentId::new("ACME", Venue::US);
        let new_per_old = Ratio::of(to.into(), from.into()).unwrap();
        let split = CorporateAction::new(id.clone(), Date::constant(2020, 8, 31), ActionKind::Split { new_per_old });
        let dividend = CorporateAction {
            declared: Some(Date::constant(2020, 8, 1)),
            description: Some("SC".into()),
            ..CorporateAction::new(id, Date::constant(2020, 9, 1), ActionKind::Dividend {
                amount, denomination: Some(domain::Denomination::USD) })
        };
        for (path, action) in [("splits", split), ("dividends", dividend)] {
            let request = HttpRequest::get(format!("/v3/reference/{path}")).with("ticker", "ACME");
            let question = Polygon.decode_request(&request).unwrap();
            let response = Polygon.encode_response(&request, Some(&question), &Ok(Data::Actions(vec![action.clone()])), NOW);
            prop_assert_eq!(decode_as(&question, &request, &response), Ok(Decoded::Whole(Data::Actions(vec![action]))));
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused_and_never_fatal(
        body in prop::collection::vec(any::<u8>(), 0..80), status in 100_u16..600, endpoint in 0_usize..ENDPOINTS.len(),
    ) {
        let sent = HttpRequest::from_target(ENDPOINTS[endpoint]);
        let question = Polygon.decode_request(&sent).unwrap_or(Question::Symbols);
        let response = HttpResponse { status, headers: vec![], body };
        prop_assert!(decode_as(&question, &sent, &response).is_err());
    }

    #[test]
    fn arbitrary_targets_are_understood_or_refused(target in "/[ -~]{0,60}", extra in "[ -~é]{0,30}") {
        let _ = Polygon.decode_request(&HttpRequest::from_target(&target));
        for endpoint in ENDPOINTS {
            let request = HttpRequest::from_target(&endpoint.replace("{x}", &extra));
            let understood = Polygon.decode_request(&request);
            let response = Polygon.encode_response(&request, understood.as_ref().ok(), &Err(Rejection::NoData), NOW);
            prop_assert!(response.status >= 200);
        }
    }
}

/// One of each, with a place for anything.
const ENDPOINTS: &[&str] = &[
    "/v2/last/trade/{x}",
    "/v2/last/nbbo/{x}",
    "/v3/quotes/{x}",
    "/v2/snapshot/locale/us/markets/stocks/tickers/{x}",
    "/v2/snapshot/locale/us/markets/stocks/tickers?tickers={x}",
    "/v3/snapshot?ticker.any_of={x}",
    "/v2/aggs/ticker/{x}/range/1/minute/{x}/{x}",
    "/v2/aggs/ticker/{x}/prev",
    "/v2/aggs/grouped/locale/us/market/stocks/{x}",
    "/v1/open-close/{x}/{x}",
    "/v3/trades/{x}?timestamp.gte={x}",
    "/v3/reference/splits?ticker={x}",
    "/stocks/v1/dividends?ex_dividend_date={x}",
    "/v2/reference/news?published_utc.lt={x}",
    "/v3/reference/tickers?cursor={x}",
    "/v1/marketstatus/now",
    "{x}",
];
