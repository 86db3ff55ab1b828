//! SRC-4, SRC-7, SRC-8, SRC-15: a refusal is the same refusal whatever was asked, and no bytes are fatal.

use std::time::Duration;

use proptest::prelude::*;
use vendors::codec::Session;
use vendors::{Ask, Blame, Codec, Data, Decoded, HttpResponse, Question, Rejection};

use crate::manifest::entries;
use crate::questions::{NOW, request_of, samples};
use crate::{each_vendor, offering};

/// What a vendor makes of a reply to a question, given nothing but both.
fn decoded(codec: &dyn Codec, question: &Question, response: &HttpResponse) -> Result<Decoded, Rejection> {
    let ask = Ask { question, now: NOW, session: &Session::default(), plan: None };
    let sent = codec.encode_request(&ask).expect("an offered question can be asked");
    codec.decode_response(&ask, &sent, response)
}

fn check_all(response: &HttpResponse, is_right: impl Fn(&Rejection) -> bool) {
    each_vendor(|codec| {
        let profile = codec.profile();
        for question in samples(profile) {
            match decoded(codec, &question, response) {
                Err(rejection) => {
                    assert!(is_right(&rejection), "{}: {question:?}: {rejection:?}", profile.id);
                }
                other => panic!("{}: {question:?}: {other:?}", profile.id),
            }
        }
    });
}

#[test]
fn a_status_401_blames_the_key() {
    for body in ["", "{}", "Unauthorized", "<html>401</html>"] {
        check_all(&HttpResponse::text(401, body), |r| *r == Rejection::Unauthorized);
    }
}

#[test]
fn a_status_429_is_a_limit_with_the_wait_the_vendor_asks_for() {
    let wait = Some(Duration::from_secs(17));
    check_all(
        &HttpResponse::text(429, "slow down").with_header("retry-after", 17),
        |r| matches!(r, Rejection::RateLimited { retry_after, .. } if *retry_after == wait),
    );
    check_all(&HttpResponse::text(429, ""), |r| {
        matches!(r, Rejection::RateLimited { retry_after: None, .. })
    });
}

#[test]
fn a_status_402_is_a_spent_quota() {
    check_all(&HttpResponse::text(402, "Payment Required"), |r| matches!(r, Rejection::QuotaSpent { .. }));
}

#[test]
fn a_failing_server_is_the_vendors_fault() {
    for status in [500, 502, 503, 504] {
        for body in ["", "<!DOCTYPE html><html><body>Bad gateway</body></html>", "{}"] {
            let response = HttpResponse::new(status, "text/html", body);
            check_all(&response, |r| *r == Rejection::VendorFault { status });
        }
    }
}

#[test]
fn a_page_or_nothing_in_place_of_data_blames_the_vendor() {
    for body in
        ["<!DOCTYPE html><html><body>Just a moment...</body></html>", "", "  \n", "\u{feff}", "{\"", "[{"]
    {
        let response = HttpResponse::new(200, "text/html; charset=utf-8", body);
        check_all(&response, |r| r.blame() == Blame::Vendor);
    }
}

/// Refusals as a vendor's own end words them come back as what they were, or as its nearest word for it.
#[test]
fn what_a_vendor_refuses_in_its_own_words_is_understood() {
    let rejections = [
        Rejection::Unauthorized,
        Rejection::NotEntitled,
        Rejection::rate_limited(),
        Rejection::QuotaSpent { window: Some(vendors::Window::Day), resets: None },
        Rejection::VendorFault { status: 503 },
        Rejection::UnknownSymbol,
        Rejection::CallersMistake,
    ];
    each_vendor(|codec| {
        for question in samples(codec.profile()) {
            for rejection in &rejections {
                if rejection.blame() == Blame::Caller && question.instruments().is_empty() {
                    continue;
                }
                let (sent, session) = request_of(codec, &question);
                let ask = Ask { question: &question, now: NOW, session: &session, plan: None };
                let response = codec.encode_response(&sent, Some(&question), &Err(rejection.clone()), NOW);
                let found = refusal(codec.decode_response(&ask, &sent, &response));
                assert!(
                    found.as_ref().is_some_and(|found| is_near(rejection, found)),
                    "{}: {question:?}: {rejection:?} came back as {found:?}",
                    codec.profile().id
                );
            }
        }
    });
}

/// The refusal of a reply, also where each quote carries its own.
fn refusal(outcome: Result<Decoded, Rejection>) -> Option<Rejection> {
    match outcome {
        Err(rejection) => Some(rejection),
        Ok(Decoded::Whole(Data::Quotes(quotes))) => quotes.into_iter().next()?.quote.err(),
        // Where nothing is found some vendors say just that.
        Ok(Decoded::Whole(data)) if data.rows() == 0 => Some(Rejection::NoData),
        Ok(_) => None,
    }
}

/// Vendors do not tell all refusals apart: not which limit is full, not what of a question is wrong.
fn is_near(asked: &Rejection, found: &Rejection) -> bool {
    let is_limit = |r: &Rejection| matches!(r, Rejection::RateLimited { .. } | Rejection::QuotaSpent { .. });
    asked.class() == found.class()
        || (is_limit(asked) && is_limit(found))
        || (asked.blame() == Blame::Caller && found.blame() == Blame::Caller)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn arbitrary_bytes_are_never_fatal(
        status in prop::sample::select(vec![200_u16, 204, 302, 400, 403, 404, 422]),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let response = HttpResponse::new(status, "application/json", bytes);
        for codec in offering() {
            for question in samples(codec.profile()) {
                // Bytes that happen to be a number can be a price; nothing else is data.
                if let Ok(Decoded::Whole(data)) = decoded(codec, &question, &response) {
                    prop_assert!(data.rows() <= 1, "{}: {question:?}: {data:?}", codec.profile().id);
                }
            }
        }
    }
}

#[test]
fn a_reply_cut_short_is_unreadable_not_shorter() {
    each_vendor(|codec| {
        let id = codec.profile().id.as_str();
        let Some(entries) = entries("a_reply_cut_short_is_unreadable_not_shorter", id) else { return };
        for entry in entries.iter().filter(|entry| !entry.is_error && entry.file.ends_with(".json")) {
            let whole = entry.response();
            if vendors::reading::read(codec, &entry.endpoint, &whole).is_err() {
                continue;
            }
            let text = whole.body.trim_ascii();
            for share in 1..20 {
                let mut cut = whole.clone();
                cut.body = text[..text.len() * share / 20].to_vec();
                if serde_json::from_slice::<serde_json::Value>(&cut.body).is_ok() {
                    continue;
                }
                let found = vendors::reading::read(codec, &entry.endpoint, &cut);
                assert!(
                    matches!(found, Err(Rejection::Unreadable { .. })),
                    "{id}/{} cut to {share}/20: {found:?}",
                    entry.file
                );
            }
        }
    });
}
