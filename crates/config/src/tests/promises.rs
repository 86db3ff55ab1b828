//! SLA-2, SLA-5: what is promised by class, what a file may promise instead, and what is refused.

use std::time::Duration;

use gateway::service_levels::AnswerClass;
use insta::assert_snapshot;

use super::{read, refused, upstream};

#[test]
fn a_vendor_promises_what_its_class_does_or_what_the_file_says() {
    let text = "vendors: {polygon: {sla: {p95: 500ms, p99: 1s, success_rate: 0.99, failures: 1}}}";
    let configuration = read(text, &[]).unwrap();
    let told = |vendor| {
        let sla = upstream(&configuration, vendor).sla;
        (sla.p95.as_millis(), sla.p99.as_millis(), sla.success, sla.failures, sla.uptime, sla.completeness)
    };
    assert_eq!(told("polygon"), (500, 1_000, 0.99, 1, 0.99, 0.8));
    assert_eq!(told("yahoo"), (2_000, 5_000, 0.95, 3, 0.99, 0.8));
}

#[test]
fn answers_are_promised_by_class() {
    let text = "service_levels: {required: [quote, news], cached: {within: 20ms, share: 0.99}}";
    let levels = read(text, &[]).unwrap().gateway.service_levels;
    assert_eq!(levels.required, Some(vec!["quote", "news"]));
    let goal = |class: AnswerClass| levels.goals[class as usize];
    assert_eq!(goal(AnswerClass::Cached).within, Duration::from_millis(20));
    assert_eq!(goal(AnswerClass::Cached).share, 0.99);
    assert_eq!(goal(AnswerClass::Mixed).within, Duration::from_millis(200));
    assert_eq!(read("", &[]).unwrap().gateway.service_levels.required, None);
}

#[test]
fn a_promise_nobody_could_keep_or_break_is_refused() {
    let text = "
        vendors: {polygon: {sla: {p95: 2s, p99: 1s, success_rate: 95, failures: 0}}}
        service_levels: {required: [quote, barz], mixed: {share: 1}}
    ";
    assert_snapshot!(refused(text, &[]), @r"
    data_sources.polygon.sla.failures: is 0, and must be a whole number from 1 to 1000
    data_sources.polygon.sla.p99: must not be below p95, which is 2s
    data_sources.polygon.sla.success_rate: is 95, and must be a number from 0 to 1
    service_levels.mixed.share: is 1, and must be a number from 0 to 0.99999
    service_levels.required: names no capability; did you mean `bars`?
    ");
}
