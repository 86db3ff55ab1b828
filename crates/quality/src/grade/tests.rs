// GRD-2, GRD-3, GRD-4, GRD-5, GRD-6, GRD-11, GRD-12
use std::time::Duration;

use domain::Instant;
use proptest::prelude::*;

use super::*;
use crate::cross_check::{Agreement, CrossCheck};
use crate::finding::{Expected, Fact, Field, Finding, Rule, Severity};

const NOON: Instant = Instant::from_secs(1_700_000_000);

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A quote two others confirm, from a reliable real-time vendor.
fn best(kind: Kind) -> Evidence {
    Evidence {
        agreement: Agreement::Several,
        reliability: 0.95,
        ..Evidence::new(kind, Duration::ZERO, secs(10), secs(900))
    }
}

/// Happened so many milliseconds ago and arrived at once.
fn aged(millis: u64) -> Timing {
    let event = NOON - Duration::from_millis(millis);
    Timing { event_time: Some(event), received_at: Some(event), now: NOON, market: Market::Continuous }
}

fn check(evidence: &Evidence, timing: &Timing) -> String {
    let grade = grade(&Settings::default(), evidence, timing);
    let cap = grade.cap.map_or(String::new(), |cap| format!(" {cap}"));
    format!("{}{} strict {}", grade.letter, cap, grade.strict)
}

#[test]
fn every_kind_of_datum_can_reach_an_a_and_each_missed_criterion_names_its_cap() {
    for kind in [Kind::Quote, Kind::BarInProgress, Kind::FinalBar] {
        assert_eq!(check(&best(kind), &aged(500)), "A strict A", "{kind:?}");
    }
    let quote = best(Kind::Quote);
    let there = quote.completeness;
    let missing = |completeness| Evidence { completeness, ..quote };
    let checks = |checks| Evidence { checks, ..quote };
    let clean = Checks::default();
    for (evidence, expected) in [
        (missing(Completeness { price: false, ..there }), "F PRICE_MISSING strict F"),
        (missing(Completeness { bid_ask: false, ..there }), "B BID_ASK_MISSING strict B"),
        (missing(Completeness { ohlc: false, ..there }), "A strict A"),
        (missing(Completeness { volume: VolumeState::Estimated, ..there }), "C VOLUME_ESTIMATED strict C"),
        (missing(Completeness { volume: VolumeState::Missing, ..there }), "D VOLUME_MISSING strict D"),
        (missing(Completeness { coverage: 0.94, ..there }), "C PARTLY_INCOMPLETE strict C"),
        (missing(Completeness { coverage: 0.49, ..there }), "F SEVERELY_INCOMPLETE strict F"),
        (checks(Checks { warnings: 1, ..clean }), "B WARNING strict B"),
        (checks(Checks { warnings: 3, ..clean }), "C WARNINGS strict C"),
        (checks(Checks { failed: 1, ..clean }), "D FAILED_CHECK strict D"),
        (checks(Checks { failed: 2, ..clean }), "F SEVERAL_FAILED strict F"),
        (checks(Checks { major: 1, ..clean }), "F MAJOR_ANOMALY strict F"),
        (Evidence { agreement: Agreement::One, ..quote }, "B ONE_OTHER_VOICE strict B"),
        (Evidence { agreement: Agreement::Alone, ..quote }, "C NO_OTHER_VOICE strict C"),
        (Evidence { agreement: Agreement::Split, ..quote }, "D SPLIT strict D"),
        (Evidence { agreement: Agreement::Outvoted, ..quote }, "D OTHERS_DISAGREE strict D"),
        (Evidence { degraded: true, ..quote }, "B DEGRADED_BREAKER strict B"),
        (Evidence { served_stale: true, ..quote }, "D SERVED_STALE strict D"),
    ] {
        assert_eq!(check(&evidence, &aged(500)), expected, "{evidence:?}");
    }
    let bar = Evidence { completeness: Completeness { ohlc: false, ..there }, ..best(Kind::FinalBar) };
    assert_eq!(check(&bar, &aged(500)), "D OHLC_MISSING strict D");
    let bar = Evidence { completeness: Completeness { bid_ask: false, ..there }, ..best(Kind::FinalBar) };
    assert_eq!(check(&bar, &aged(500)), "A strict A", "no bar has a bid and an ask");
}

#[test]
fn delay_and_age_have_their_bands() {
    let patient = Evidence { ttl: secs(300), ..best(Kind::Quote) };
    for (millis, expected) in [
        (1_000, "A strict A"),
        (1_001, "B DELAY strict B"),
        (5_001, "C DELAY strict C"),
        (30_001, "D DELAY strict D"),
        (300_001, "D STALE_TTL strict D"),
        (600_001, "F STALE_2TTL strict F"),
        (900_001, "F STALE_CEILING strict F"),
        (30 * 86_400_000, "F STALE_CEILING strict F"),
    ] {
        assert_eq!(check(&patient, &aged(millis)), expected, "{millis} ms");
    }
    let unknown = Timing { event_time: None, ..aged(0) };
    assert_eq!(check(&patient, &unknown), "D DELAY_UNKNOWN strict D");
}

#[test]
fn a_delayed_feed_keeps_its_promise_and_does_not_pass_for_real_time() {
    let delayed = Evidence { declared_delay: secs(900), ttl: secs(60), ..best(Kind::Quote) };
    let arrived = |millis| Timing { received_at: Some(NOON), ..aged(millis) };
    assert_eq!(check(&delayed, &arrived(900_500)), "A strict F");
    assert_eq!(check(&delayed, &arrived(903_000)), "B DELAY strict F");
    let three = Evidence { declared_delay: secs(3), ..delayed };
    assert_eq!(check(&three, &arrived(3_500)), "A strict B");
}

#[test]
fn a_correct_bar_of_last_year_is_not_stale_and_a_late_one_was_late() {
    let bar = best(Kind::FinalBar);
    let end = NOON - secs(365 * 86_400);
    let arrived = |after: Duration| Timing {
        event_time: Some(end),
        received_at: Some(end + after),
        now: NOON,
        market: Market::Continuous,
    };
    assert_eq!(check(&bar, &arrived(Duration::from_millis(300))), "A strict A");
    assert_eq!(check(&bar, &arrived(secs(8))), "C DELAY strict C");
    let end_of_day = Evidence { declared_delay: secs(4 * 3600), ..bar };
    assert_eq!(check(&end_of_day, &arrived(secs(2 * 3600))), "A strict D");
}

#[test]
fn a_closed_market_makes_nothing_old_and_an_open_one_does() {
    let close = NOON - secs(60 * 3600);
    let quote = best(Kind::Quote);
    let at = |event: Instant, market| Timing {
        event_time: Some(event),
        received_at: Some(NOON - secs(600)),
        now: NOON,
        market,
    };
    let closed = Market::Closed { last_open: close };
    assert_eq!(check(&quote, &at(close - Duration::from_millis(300), closed)), "A strict A");
    assert_eq!(check(&quote, &at(close - secs(86_400), closed)), "F STALE_CEILING strict F");
    let open = Market::Open { since: NOON - secs(3600), previous_close: Some(close) };
    let held = Timing { received_at: Some(NOON), ..at(close, open) };
    assert_eq!(check(&quote, &held), "F LAST_SESSION_AS_LIVE strict F");
}

#[test]
fn a_delayed_feed_may_still_show_the_last_session_just_after_the_open() {
    let (open, close) = (NOON - secs(300), NOON - secs(60_000));
    let market = Market::Open { since: open, previous_close: Some(close) };
    let delayed = Evidence { declared_delay: secs(900), ttl: secs(60), ..best(Kind::Quote) };
    let timing = Timing { event_time: Some(close), received_at: Some(NOON), now: NOON, market };
    assert_eq!(check(&delayed, &timing), "A strict F");
    let later = Timing { now: NOON + secs(601), received_at: Some(NOON + secs(601)), ..timing };
    assert_eq!(check(&delayed, &later), "F LAST_SESSION_AS_LIVE strict F");
}

fn finding(rule: Rule) -> Finding {
    Finding::new(rule, Field::Close, Fact::Absent, Expected::Present)
}

#[test]
fn a_confirmed_suspicion_costs_nothing_and_a_breach_costs_its_points_whoever_agrees() {
    let confirmed =
        CrossCheck { agreement: Agreement::One, agreeing: 1, volume_confirmed: true, ..CrossCheck::ALONE };
    for rule in [Rule::OutlierMove, Rule::HistoryContradicted, Rule::VolumeOutlier, Rule::UnitFactor] {
        assert_eq!(Checks::weigh(&[finding(rule)], 1, &confirmed), Checks::default(), "{rule}");
        assert!(Checks::weigh(&[finding(rule)], 1, &CrossCheck::ALONE).deductions > 0.0, "{rule}");
    }
    let order = Checks::weigh(&[finding(Rule::OhlcOrder)], 1, &confirmed);
    assert_eq!((order.failed, order.deductions), (1, 12.0));
    let contradicted = Checks::weigh(&[finding(Rule::HistoryContradicted)], 1, &CrossCheck::ALONE);
    assert_eq!((contradicted.failed, contradicted.major, contradicted.contradicted), (1, 0, true));
}

#[test]
fn deductions_follow_severity_share_and_confidence() {
    let points = |findings: &[Finding], rows| Checks::weigh(findings, rows, &CrossCheck::ALONE).deductions;
    let of = |severity| finding(Rule::OhlcOrder).with_severity(severity);
    let all = |severity| [of(severity).at_row(0), of(severity).at_row(1)];
    for (severity, none, every) in [
        (Severity::Critical, 25.0, 50.0),
        (Severity::High, 10.0, 20.0),
        (Severity::Medium, 5.0, 10.0),
        (Severity::Low, 2.0, 4.0),
        (Severity::Info, 0.0, 0.0),
    ] {
        assert!((points(&[of(severity).at_row(0)], 1_000_000) - none).abs() < 0.01, "{severity:?}");
        assert!((points(&all(severity), 2) - every).abs() < 0.01, "{severity:?}");
    }
    let unsure = of(Severity::High).with_confidence(0.5);
    assert!((points(&[unsure], 1) - 6.0).abs() < 0.01);
    let twice_in_a_row = Checks::weigh(&[of(Severity::High), of(Severity::High)], 1, &CrossCheck::ALONE);
    assert_eq!(twice_in_a_row.failed, 1);
}

#[test]
fn every_lost_point_has_its_rule() {
    let findings = [finding(Rule::OhlcOrder), finding(Rule::CrossedQuote), finding(Rule::LockedQuote)];
    let checks = Checks::weigh(&findings, 1, &CrossCheck::ALONE);
    let evidence = Evidence { checks, agreement: Agreement::Alone, ..best(Kind::Quote) };
    let settings = Settings::default();
    for millis in [0, 2_000, 40_000, 4_000_000_000] {
        let graded = grade(&settings, &evidence, &aged(millis));
        let lost = losses(&settings, &evidence, &graded, &findings, 1, &CrossCheck::ALONE);
        let sum: f32 = lost.iter().map(|loss| loss.points).sum();
        assert!((sum - (100.0 - graded.score.points())).abs() < 0.05, "{sum} {graded:?}");
        for reason in ["OHLC_ORDER", "CROSSED_QUOTE", "ACCURACY"] {
            assert!(lost.iter().any(|loss| loss.reason == reason && loss.points > 0.0), "{reason}");
        }
        assert!(lost.iter().all(|loss| loss.reason != "LOCKED_QUOTE"), "a note costs nothing");
    }
}

#[test]
fn weights_must_add_up_to_one() {
    assert_eq!(Weights::new([0.3, 0.25, 0.2, 0.15, 0.1]), Ok(Weights::default()));
    assert!(matches!(Weights::new([0.3, 0.3, 0.2, 0.15, 0.1]), Err(WeightsError::Sum(_))));
    assert_eq!(Weights::new([1.3, -0.3, 0.0, 0.0, 0.0]), Err(WeightsError::Negative));
    assert_eq!(Weights::new([f32::NAN, 1.0, 0.0, 0.0, 0.0]), Err(WeightsError::Negative));
}

#[test]
fn timeliness_runs_through_the_points_of_its_curve() {
    for (secs, points) in
        [(0.0, 100.0), (1.0, 100.0), (5.0, 89.0), (30.0, 79.0), (300.0, 60.0), (3600.0, 30.0), (1e9, 0.0)]
    {
        assert!((dimensions::timeliness(Some(secs)) - points).abs() < 0.01, "{secs} s");
    }
    assert!(dimensions::timeliness(None) < 60.0, "what is not measured scores low");
}

fn any_evidence() -> impl Strategy<Value = Evidence> {
    let kind = prop::sample::select(vec![Kind::Quote, Kind::BarInProgress, Kind::FinalBar]);
    let volume =
        prop::sample::select(vec![VolumeState::Stated, VolumeState::Estimated, VolumeState::Missing]);
    let agreement = prop::sample::select(vec![
        Agreement::Several,
        Agreement::One,
        Agreement::Alone,
        Agreement::Split,
        Agreement::Outvoted,
    ]);
    let counts = (0u16..4, 0u16..3, 0u16..2, 0u16..4, 0f32..100.0);
    let flags = prop::array::uniform9(any::<bool>());
    (kind, volume, agreement, counts, flags, 0f32..1.0, 0f32..1.0, 0u64..1000, 1u64..600).prop_map(
        |(kind, volume, agreement, counts, flags, coverage, reliability, delay, ttl)| {
            let (warnings, failed, major, minor, deductions) = counts;
            let [price, ohlc, bid_ask, metadata, dissent, degraded, served_stale, contradicted, duplicates] =
                flags;
            Evidence {
                kind,
                completeness: Completeness { price, ohlc, bid_ask, volume, metadata, coverage },
                checks: Checks { warnings, failed, major, minor, contradicted, duplicates, deductions },
                agreement,
                dissent,
                far_apart: false,
                reliability,
                declared_delay: secs(delay),
                ttl: secs(ttl),
                ceiling: secs(900 + ttl),
                degraded,
                served_stale,
            }
        },
    )
}

/// Every way in which evidence can be one step worse.
fn worsened(evidence: &Evidence) -> Vec<(&'static str, Evidence)> {
    let e = *evidence;
    let there = |completeness| Evidence { completeness, ..e };
    let found = |checks| Evidence { checks, ..e };
    let (c, k) = (e.completeness, e.checks);
    vec![
        ("price gone", there(Completeness { price: false, ..c })),
        ("ohlc gone", there(Completeness { ohlc: false, ..c })),
        ("bid and ask gone", there(Completeness { bid_ask: false, ..c })),
        ("volume estimated", there(c.with_estimated_volume())),
        ("volume gone", there(Completeness { volume: VolumeState::Missing, ..c })),
        ("currency gone", there(Completeness { metadata: false, ..c })),
        ("rows gone", there(Completeness { coverage: c.coverage * 0.9, ..c })),
        ("warning", found(Checks { warnings: k.warnings + 1, ..k })),
        ("failed check", found(Checks { failed: k.failed + 1, ..k })),
        ("major anomaly", found(Checks { major: k.major + 1, ..k })),
        ("minor finding", found(Checks { minor: k.minor + 1, ..k })),
        ("contradicted", found(Checks { contradicted: true, ..k })),
        ("duplicate", found(Checks { duplicates: true, ..k })),
        ("deduction", found(Checks { deductions: k.deductions + 5.0, ..k })),
        ("dissent", Evidence { dissent: true, ..e }),
        ("far apart", Evidence { far_apart: true, ..e }),
        ("less reliable", Evidence { reliability: e.reliability * 0.9, ..e }),
        ("stricter class", Evidence { declared_delay: e.declared_delay / 2, ..e }),
        ("shorter life", Evidence { ttl: e.ttl / 2, ..e }),
        ("lower ceiling", Evidence { ceiling: e.ceiling / 2, ..e }),
        ("degraded", Evidence { degraded: true, ..e }),
        ("served stale", Evidence { served_stale: true, ..e }),
        (
            "fewer voices",
            Evidence {
                agreement: match e.agreement {
                    Agreement::Several => Agreement::One,
                    Agreement::One => Agreement::Alone,
                    Agreement::Alone => Agreement::Split,
                    Agreement::Split | Agreement::Outvoted => Agreement::Outvoted,
                },
                ..e
            },
        ),
    ]
}

proptest! {
    #![proptest_config(crate::seeded::cases())]

    #[test]
    fn worse_evidence_and_a_later_time_never_grade_higher(
        evidence in any_evidence(),
        event in 0u64..100_000_000,
        held in 0u64..1_000_000,
        later in 0u64..10_000_000,
        market in 0usize..3,
    ) {
        let settings = Settings::default();
        let event_time = NOON - Duration::from_millis(event);
        let received = NOON - Duration::from_millis(held.min(event));
        let market = [
            Market::Continuous,
            Market::Open { since: NOON - secs(20_000), previous_close: Some(NOON - secs(60_000)) },
            Market::Closed { last_open: NOON - secs(20_000) },
        ][market];
        let timing = Timing { event_time: Some(event_time), received_at: Some(received), now: NOON, market };
        let before = grade(&settings, &evidence, &timing);
        prop_assert_eq!(before, grade(&settings, &evidence, &timing));
        prop_assert!(before.strict >= before.letter);
        for cap in before.caps.iter() {
            prop_assert!(before.score <= cap.top(&settings.thresholds), "{:?} above {:?}", before.score, cap);
            prop_assert!(before.letter >= cap.letter());
        }
        for (what, worse) in worsened(&evidence) {
            let after = grade(&settings, &worse, &timing);
            prop_assert!(after.score <= before.score && after.letter >= before.letter, "{}: {:?}", what, after);
        }
        let now = NOON + Duration::from_millis(later);
        let after = grade(&settings, &evidence, &Timing { now, ..timing });
        prop_assert!(after.score <= before.score, "later: {:?}", after);
        let earlier = event_time - Duration::from_millis(later);
        let after = grade(&settings, &evidence, &Timing { event_time: Some(earlier), ..timing });
        prop_assert!(after.score <= before.score, "older: {:?}", after);
    }

    #[test]
    fn a_finding_more_never_grades_higher(
        picks in prop::collection::vec((0..Rule::ALL.len(), 0usize..3), 0..6),
        extra in 0..Rule::ALL.len(),
        row in 0usize..3,
    ) {
        let settings = Settings::default();
        let mut findings: Vec<Finding> =
            picks.iter().map(|(rule, row)| finding(Rule::ALL[*rule]).at_row(*row)).collect();
        let of = |findings: &[Finding]| {
            let checks = Checks::weigh(findings, 3, &CrossCheck::ALONE);
            grade(&settings, &Evidence { checks, ..best(Kind::FinalBar) }, &aged(100)).score
        };
        let before = of(&findings);
        findings.push(finding(Rule::ALL[extra]).at_row(row));
        prop_assert!(of(&findings) <= before);
    }
}
