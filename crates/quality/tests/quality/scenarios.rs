// GRD-1, GRD-3, GRD-4, GRD-5, GRD-11, GRD-12, VAL-2, CON-1, CON-4, TGT-8, TST-8: 400 labelled scenarios,
// each judged as the pipeline would: validate, compare, weigh, grade.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::{
    ActionKind, Adjustment, Bar, BarSeries, CorporateAction, Date, Denomination, Instant, InstrumentId,
    InstrumentKind, Interval, Price, Quote, Ratio, Size, VendorId,
};
use quality::grade::standing;
use quality::{
    Agreement, BarContext, Cap, Checks, Completeness, CrossCheck, Evidence, Expected, Fact, Field, Finding,
    Grade, History, Kind, Market, QuoteContext, Rule, Settings, Severity, Timing, Tolerance, Voice, compare,
    grade, validate_bars, validate_quote,
};
use serde_json::Value;

fn instant(value: &Value) -> Option<Instant> {
    value.as_str().map(|text| Instant::parse(text).unwrap())
}

fn price(value: &Value) -> Option<Price> {
    value.as_str().and_then(Price::parse)
}

fn size(value: &Value) -> Option<Size> {
    value.as_str().and_then(Size::parse)
}

fn seconds(value: &Value) -> Duration {
    Duration::from_secs_f64(value.as_f64().unwrap())
}

/// One graded datum: its grade, and the words of the findings that stand.
struct Outcome {
    grade: Grade,
    words: BTreeSet<&'static str>,
}

struct Scenario<'a> {
    all: &'a Value,
    kind: InstrumentKind,
    now: Instant,
    history: History,
    actions: Vec<CorporateAction>,
    asked: &'a Value,
}

impl<'a> Scenario<'a> {
    fn new(all: &'a Value) -> Scenario<'a> {
        let instrument = &all["instrument"];
        let id = InstrumentId::parse(instrument["symbol"].as_str().unwrap()).unwrap();
        let past = &all["history"];
        let list = |key: &str| past[key].as_array().unwrap().iter();
        let closes: Vec<Price> = list("closes").filter_map(price).collect();
        let volumes: Vec<Size> = list("volumes").filter_map(size).collect();
        let events = all["events"].as_array().unwrap();
        let actions = events.iter().filter(|event| event["type"] == "split").map(|event| {
            let (new, old) = event["ratio"].as_str().unwrap().split_once(':').unwrap();
            let number = |text| Price::parse(text).unwrap().decimal();
            let new_per_old = Ratio::of(number(new), number(old)).unwrap();
            let ex_date = event["ex_date"].as_str().unwrap().parse().unwrap();
            CorporateAction::new(id.clone(), ex_date, ActionKind::Split { new_per_old })
        });
        let asked = all["vendors"].as_array().unwrap().iter().find(|v| v["vendor"] == all["asked_vendor"]);
        Scenario {
            all,
            kind: InstrumentKind::parse(instrument["type"].as_str().unwrap()).unwrap(),
            now: instant(&all["now"]).unwrap(),
            history: History::of(instant(&past["last"]), &closes, &volumes),
            actions: actions.collect(),
            asked: asked.unwrap(),
        }
    }

    fn tick(&self) -> Option<Price> {
        price(&self.all["instrument"]["tick"])
    }

    fn denomination(&self) -> Option<Denomination> {
        Denomination::parse(self.all["instrument"]["currency"].as_str().unwrap())
    }

    /// Dates explained by earnings: the value's own where the report came within the day before.
    fn eventful(&self, date: Date) -> Vec<Date> {
        let events = self.all["events"].as_array().unwrap();
        let recent = |event: &&Value| {
            let at = instant(&event["at"]);
            at.is_some_and(|at| at < self.now && self.now.since(at) < Duration::from_secs(36 * 3600))
        };
        events.iter().filter(|event| event["type"] == "earnings").filter(recent).map(|_| date).collect()
    }

    fn market(&self) -> Market {
        let session = &self.all["session"];
        let Some((open, close)) = instant(&session["open"]).zip(instant(&session["close"])) else {
            return Market::Continuous;
        };
        match self.all["market"].as_str().unwrap() {
            "open" => Market::Open { since: open, previous_close: None },
            _ => Market::Closed { last_open: close },
        }
    }

    fn voice(&self, vendor: &Value, value: &Value) -> Voice {
        let group = vendor["group"].as_str().unwrap();
        Voice {
            vendor: VendorId("vendor"),
            group: group.bytes().fold(0, |sum, byte| sum * 256 + u64::from(byte)),
            price: price(&value["last"]).or_else(|| price(&value["close"])),
            volume: size(&value["volume"]),
            event_time: None,
        }
    }

    /// Compares one value, or row of a series, with the others' value or row.
    fn compared(&self, row: Option<usize>) -> CrossCheck {
        let value = |vendor: &'a Value| row.map_or(&vendor["value"], |row| &vendor["value"]["bars"][row]);
        let others = self.all["vendors"].as_array().unwrap().iter();
        let others: Vec<Voice> = others
            .filter(|vendor| vendor["vendor"] != self.all["asked_vendor"])
            .map(|vendor| self.voice(vendor, value(vendor)))
            .collect();
        compare(&self.voice(self.asked, value(self.asked)), &others, Tolerance::NORMAL)
    }

    fn evidence(&self, kind: Kind) -> Evidence {
        Evidence {
            reliability: self.all["vendor_reliability"].as_f64().unwrap() as f32,
            degraded: self.all["breaker"] == "degraded",
            served_stale: self.all["served_stale"] == true,
            ..Evidence::new(
                kind,
                seconds(&self.all["declared_delay_s"]),
                seconds(&self.all["ttl_s"]),
                Duration::from_secs(900),
            )
        }
    }

    fn finish(
        &self,
        evidence: Evidence,
        findings: &[Finding],
        rows: usize,
        check: &CrossCheck,
        timing: Timing,
    ) -> Outcome {
        let estimated = self.all["volume_estimated"] == true;
        let completeness = evidence.completeness;
        let evidence = Evidence {
            checks: Checks::weigh(findings, rows, check),
            completeness: if estimated { completeness.with_estimated_volume() } else { completeness },
            ..evidence.with_cross_check(check)
        };
        let grade = grade(&Settings::default(), &evidence, &timing);
        let about = check.findings();
        let rules = standing(findings, check).chain(&about).filter_map(|f| rule_word(f));
        let caps = grade.caps.iter().filter_map(cap_finding);
        Outcome { words: rules.chain(caps).collect(), grade }
    }

    fn quote(&self) -> Outcome {
        let value = &self.asked["value"];
        let quote = Quote {
            last: price(&value["last"]),
            bid: price(&value["bid"]),
            ask: price(&value["ask"]),
            volume: size(&value["volume"]),
            open: price(&value["open"]),
            high: price(&value["high"]),
            low: price(&value["low"]),
            event_time: instant(&value["event_time"]),
            denomination: self.denomination(),
            ..Quote::default()
        };
        let received_at = instant(&value["received_at"]);
        let date = self.now.utc_date();
        let eventful = self.eventful(date);
        let context = QuoteContext {
            trading_date: date,
            tick: self.tick(),
            history: Some(&self.history),
            actions: &self.actions,
            eventful: &eventful,
            ..QuoteContext::new(received_at.unwrap_or(self.now), self.kind)
        };
        let mut findings = validate_quote(&quote, &context);
        if value["last"] == "NaN" {
            findings.push(not_a_number());
        }
        let check = self.compared(None);
        let completeness = Completeness {
            // The label asks for the last price: a broken one is not replaced by the middle of the spread.
            price: quote.last.is_some_and(|last| last != Price::ZERO),
            ..Completeness::of_quote(&quote, self.kind, true)
        };
        let evidence = Evidence { completeness, ..self.evidence(Kind::Quote) };
        let timing =
            Timing { event_time: quote.event_time, received_at, now: self.now, market: self.market() };
        self.finish(evidence, &findings, 1, &check, timing)
    }

    /// A bar, or a series with a letter for each row.
    fn bars(&self) -> (Outcome, Vec<Outcome>) {
        let value = &self.asked["value"];
        let single = value["bars"].is_null();
        let rows: Vec<&Value> =
            value["bars"].as_array().map_or_else(|| vec![value], |rows| rows.iter().collect());
        let id = InstrumentId::parse(self.all["instrument"]["symbol"].as_str().unwrap()).unwrap();
        let interval = Interval::parse(value["interval"].as_str().unwrap()).unwrap();
        let mut series = BarSeries::empty(id, interval, Adjustment::Raw);
        series.denomination = self.denomination();
        series.bars = rows.iter().map(|row| bar(row)).collect();
        let date = series.bars[0].trading_date.unwrap();
        let eventful = self.eventful(date);
        let context = BarContext {
            tick: self.tick(),
            history: Some(&self.history),
            actions: &self.actions,
            eventful: &eventful,
            ..BarContext::new(self.now, self.kind)
        };
        let mut judged = validate_bars(&series, &context);
        for (at, row) in rows.iter().enumerate() {
            if row["close"] == "NaN" {
                judged.findings.retain(|f| f.rule != Rule::MissingOhlc || f.row != Some(at));
                judged.findings.push(not_a_number().at_row(at));
            }
        }
        let checks: Vec<CrossCheck> =
            (0..rows.len()).map(|row| self.compared((!single).then_some(row))).collect();
        let outcomes: Vec<Outcome> = rows
            .iter()
            .enumerate()
            .map(|(at, row)| {
                let findings: Vec<Finding> = judged.of_row(at).copied().collect();
                let completeness = Completeness::of_bar(&series.bars[at], self.kind, true);
                let (kind, timing) = self.bar_timing(row);
                let evidence = Evidence { completeness, ..self.evidence(kind) };
                self.finish(evidence, &findings, 1, &checks[at], timing)
            })
            .collect();
        let worst = checks.iter().max_by_key(|check| rank(check.agreement)).unwrap();
        let completeness = Completeness::of_series(&series.bars, self.kind, true, &judged);
        let (kind, timing) = self.bar_timing(rows[rows.len() - 1]);
        let evidence = Evidence { completeness, ..self.evidence(kind) };
        (self.finish(evidence, &judged.findings, rows.len(), worst, timing), outcomes)
    }

    fn bar_timing(&self, row: &Value) -> (Kind, Timing) {
        let is_final = row["final"] == true;
        let event_time = instant(&row[if is_final { "end" } else { "event_time" }]);
        let received_at = instant(&row["received_at"]);
        let kind = if is_final { Kind::FinalBar } else { Kind::BarInProgress };
        (kind, Timing { event_time, received_at, now: self.now, market: self.market() })
    }
}

fn bar(row: &Value) -> Bar {
    let start = instant(&row["start"]).unwrap();
    let mut bar = Bar::empty(start);
    (bar.open, bar.high) = (price(&row["open"]), price(&row["high"]));
    (bar.low, bar.close) = (price(&row["low"]), price(&row["close"]));
    bar.volume = size(&row["volume"]);
    bar.is_final = row["final"] == true;
    bar.trading_date = Some(start.utc_date());
    bar
}

fn not_a_number() -> Finding {
    Finding::new(Rule::NotANumber, Field::Close, Fact::Absent, Expected::Present)
}

fn rank(agreement: Agreement) -> u8 {
    match agreement {
        Agreement::Several => 0,
        Agreement::One => 1,
        Agreement::Alone => 2,
        Agreement::Split => 3,
        Agreement::Outvoted => 4,
    }
}

/// The label's word for a finding.
fn rule_word(finding: &Finding) -> Option<&'static str> {
    Some(match finding.rule {
        Rule::NegativePrice => "negative_price",
        Rule::ZeroPrice => "zero_price",
        Rule::NotANumber => "not_a_number",
        Rule::MissingPrice => "price_missing",
        Rule::MissingOhlc => "ohlc_missing",
        Rule::MissingVolume => "volume_missing",
        Rule::MissingBidAsk => "bid_ask_missing",
        Rule::OhlcOrder => "ohlc_order",
        Rule::CrossedQuote => "crossed_quote",
        Rule::FutureTime => "future_time",
        Rule::UnitFactor => "unit_factor",
        Rule::OutlierMove | Rule::HistoryContradicted => "outlier_move",
        Rule::VolumeOutlier if finding.severity >= Severity::High => "volume_outlier",
        Rule::VendorDisagreement => "vendor_disagreement",
        Rule::SingleVoice => "single_voice",
        _ => return None,
    })
}

/// The label's word for what a missed criterion says.
fn cap_finding(cap: Cap) -> Option<&'static str> {
    Some(match cap {
        Cap::Delay1 | Cap::Delay5 | Cap::Delay30 => "delay",
        Cap::DelayUnknown => "delay_unknown",
        Cap::StaleTtl | Cap::StaleTwiceTtl | Cap::StaleCeiling => "stale",
        Cap::LastSessionAsLive => "last_session_as_live",
        Cap::DegradedBreaker => "degraded_vendor",
        Cap::ServedStale => "served_stale",
        Cap::VolumeEstimated => "volume_estimated",
        _ => return None,
    })
}

fn letters(expect: &Value, any: &str, one: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match expect[any].as_array() {
        Some(list) => list.iter().filter_map(text).collect(),
        None => text(&expect[one]).into_iter().collect(),
    }
}

#[test]
fn labelled_scenarios_get_the_grade_their_criteria_demand() {
    let test = "labelled_scenarios_get_the_grade_their_criteria_demand";
    let Some(path) = test_data::find(test, "data/grades/scenarios.jsonl") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let scenarios: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut grades: BTreeMap<&str, Grade> = BTreeMap::new();
    let (mut allowed, mut preferred, mut strict, mut named, mut ranged, mut said) = (0, 0, 0, 0, 0, 0);
    for all in &scenarios {
        let id = all["id"].as_str().unwrap();
        let scenario = Scenario::new(all);
        let (outcome, rows) =
            if all["kind"] == "quote" { (scenario.quote(), Vec::new()) } else { scenario.bars() };
        let (grade, expect) = (outcome.grade, &all["expect"]);
        let mut misses: Vec<String> = Vec::new();
        let mut hold = |counter: &mut usize, holds: bool, miss: String| {
            *counter += usize::from(holds);
            if !holds {
                misses.push(miss);
            }
        };
        let letter = grade.letter.as_str();
        let one_of = |any, one| letters(expect, any, one);
        let right = one_of("letter_any", "letter");
        hold(&mut allowed, right.iter().any(|l| l == letter), format!("{letter}, not {right:?}"));
        preferred += usize::from(expect["letter"] == letter);
        let right = one_of("strict_letter_any", "strict_letter");
        let own = grade.strict.as_str();
        hold(
            &mut strict,
            right.is_empty() || right.iter().any(|l| l == own),
            format!("strict {own}, not {right:?}"),
        );
        let caps: Vec<String> = expect["cap_reason"]
            .as_array()
            .map(|caps| caps.iter().map(|cap| cap.as_str().unwrap().to_uppercase()).collect())
            .unwrap_or_default();
        let cap = grade.cap.map(Cap::id);
        let right = cap.map_or(caps.is_empty(), |cap| caps.iter().any(|c| c == cap));
        hold(&mut named, right, format!("cap {cap:?}, not {caps:?}"));
        let bound = |at: usize| expect["score_range"][at].as_f64().unwrap() as f32;
        let points = grade.score.points();
        hold(&mut ranged, bound(0) <= points && points <= bound(1), format!("score {points}"));
        let words = |key: &str| -> BTreeSet<String> {
            expect[key].as_array().unwrap().iter().map(|w| w.as_str().unwrap().to_owned()).collect()
        };
        let unsaid: Vec<_> =
            words("findings_must_include").into_iter().filter(|w| !outcome.words.contains(&w[..])).collect();
        let false_alarms: Vec<_> = words("findings_must_not_include")
            .into_iter()
            .filter(|w| outcome.words.contains(&w[..]))
            .collect();
        let right = unsaid.is_empty() && false_alarms.is_empty();
        hold(&mut said, right, format!("unsaid {unsaid:?}, false alarms {false_alarms:?}"));
        if let Some(expected) = expect["row_letters_any"].as_object() {
            for (row, letters) in expected {
                let own = rows[row.parse::<usize>().unwrap()].grade.letter.as_str();
                assert!(letters.as_array().unwrap().iter().any(|l| l == own), "{id} row {row}: {own}");
            }
        }
        if !misses.is_empty() {
            println!("{id}: {}", misses.join("; "));
        }
        grades.insert(id, grade);
    }
    for all in scenarios.iter().filter(|all| all["pair_of"].is_string()) {
        let (worse, better) = (&all["id"], &all["pair_of"]);
        let of = |id: &Value| grades[id.as_str().unwrap()];
        assert!(of(worse).score <= of(better).score, "{worse} is {better} made worse: {}", all["worse_by"]);
    }
    let n = scenarios.len();
    println!(
        "{n} scenarios: letter {allowed}, preferred letter {preferred}, strict {strict}, cap {named}, score {ranged}, findings {said}"
    );
    assert_eq!(n, 400);
    assert!(allowed >= 396 && strict >= 396, "letters {allowed}, strict letters {strict} of {n}");
    assert!(named >= 396 && ranged >= 396 && said >= 396, "caps {named}, scores {ranged}, findings {said}");
}
