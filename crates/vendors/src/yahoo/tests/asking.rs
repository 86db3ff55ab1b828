//! SRC-2, SRC-7, SRC-13: questions that take more than one exchange, or none.

use super::*;

/// Follows a question through as many exchanges as it takes against our own vendor's end, with the refusals
/// scripted: the paths asked, and the outcome.
fn play(session: &mut Session, now: Instant, mut refusals: usize) -> (Vec<String>, Result<Data, Rejection>) {
    let question = Question::Quotes { instruments: vec![id("ACME.US")], bid_ask: true };
    let mut paths = Vec::new();
    let ask = Ask { question: &question, now, session, plan: None };
    let mut request = Yahoo.encode_request(&ask).expect("words");
    for _ in 0..10 {
        paths.push(request.path.clone());
        let reply = match Yahoo.answer_formality(&request) {
            Some(reply) => reply,
            None if refusals > 0 => {
                refusals -= 1;
                Yahoo.encode_response(&request, Some(&question), &Err(Rejection::Unauthorized), now)
            }
            None => HttpResponse::json(200, quote_body(|_| {})),
        };
        match decode_at(&question, session, now, &request, &reply) {
            Ok(Decoded::AskNext { learned, request: next }) => {
                session.merge(learned);
                request = next;
            }
            Ok(decoded) => return (paths, Ok(decoded.into_data().expect("data"))),
            Err(rejection) => return (paths, Err(rejection)),
        }
    }
    panic!("asked for ever: {paths:?}");
}

#[test]
fn bid_and_ask_take_a_cookie_and_a_crumb_first_and_keep_them() {
    let mut session = Session::default();
    let (paths, outcome) = play(&mut session, at("2026-01-09T15:00:00Z"), 0);
    assert_eq!(paths, [COOKIE_URL, CRUMB_PATH, QUOTE_PATH]);
    assert_eq!(outcome.map(|data| data.rows()), Ok(1));
    let (paths, outcome) = play(&mut session, at("2026-01-09T15:05:00Z"), 0);
    assert_eq!((paths, outcome.is_ok()), (vec![QUOTE_PATH.to_owned()], true));
}

#[test]
fn a_refused_crumb_is_renewed_once() {
    let mut session = Session::default();
    assert!(play(&mut session, at("2026-01-09T15:00:00Z"), 0).1.is_ok());
    let (paths, outcome) = play(&mut session, at("2026-01-09T16:00:00Z"), 1);
    assert_eq!(
        (paths.join(" "), outcome.is_ok()),
        ([QUOTE_PATH, COOKIE_URL, CRUMB_PATH, QUOTE_PATH].join(" "), true)
    );
    let (paths, outcome) = play(&mut session, at("2026-01-09T17:00:00Z"), 2);
    assert_eq!((paths.len(), outcome), (4, Err(Rejection::Unauthorized)));
    let (paths, outcome) = play(&mut Session::default(), at("2026-01-09T17:00:00Z"), 1);
    assert_eq!((paths.len(), outcome), (3, Err(Rejection::Unauthorized)));
}

#[test]
fn what_comes_in_place_of_a_crumb_is_never_kept() {
    let question = Question::Quotes { instruments: vec![id("ACME.US")], bid_ask: true };
    let sent = HttpRequest::get(CRUMB_PATH).with_header("cookie", "A3=x");
    let step = |status, body: &str| {
        decode_at(&question, &Session::default(), Instant::EPOCH, &sent, &HttpResponse::text(status, body))
    };
    assert_eq!(step(200, "Too Many Requests"), Err(Rejection::rate_limited()));
    assert_eq!(step(429, ""), Err(Rejection::rate_limited()));
    assert_eq!(step(200, "<html>"), Err(Rejection::VendorFault { status: 200 }));
    for body in ["", "two words", &"x".repeat(65)] {
        assert_eq!(step(200, body), Err(Rejection::unreadable("a crumb")), "{body}");
    }
    let Ok(Decoded::AskNext { learned, request }) = step(200, "a/B.c=d") else { panic!("a crumb") };
    assert_eq!(learned.get("crumb"), Some("a/B.c=d"));
    assert_eq!(request.target(), "/v7/finance/quote?symbols=ACME&crumb=a%2FB.c%3Dd");
    assert_eq!(request.header("cookie"), Some("A3=x"));
    let cookie = HttpRequest::get(COOKIE_URL);
    let step = |status| {
        decode_at(&question, &Session::default(), Instant::EPOCH, &cookie, &HttpResponse::text(status, ""))
    };
    assert_eq!(step(404), Err(Rejection::VendorFault { status: 404 }));
    assert_eq!(step(429), Err(Rejection::rate_limited()));
}

#[test]
fn what_one_call_may_span_and_how_far_back_bars_reach_is_told() {
    let days = |span: Option<std::time::Duration>| span.map(|span| span.as_secs() / 86_400);
    for (interval, longest, reach) in [
        (Interval::M1, Some(7), Some(30)),
        (Interval::M5, None, Some(60)),
        (Interval::H1, None, Some(730)),
        (Interval::D1, None, None),
    ] {
        assert_eq!(days(Yahoo.longest_range(interval)), longest, "{interval}");
        assert_eq!(days(Yahoo.reach(interval)), reach, "{interval}");
    }
}

#[test]
fn bars_of_a_second_and_of_four_hours_are_not_asked_for() {
    for interval in [Interval::S1, Interval::H4] {
        let question = Question::Bars {
            instrument: id("ACME.US"),
            interval,
            range: Range::new(at("2026-01-05"), at("2026-01-06")),
            adjustment: Adjustment::Split,
            session: domain::Session::Regular,
        };
        let session = Session::default();
        let ask = Ask { question: &question, now: at("2026-01-06"), session: &session, plan: None };
        assert_eq!(Yahoo.encode_request(&ask), Err(Rejection::Unsupported));
    }
}
