//! Limits: series, jobs, metrics, time.

use std::time::Duration;

use phanos_collector::{Aggregate, Message, MetricOptions, Options, Reason};

use crate::bodies::{body, call, record};
use crate::shown::{START_MS, options, samples, samples_at, take};

fn counts(aggregate: &Aggregate) -> Vec<String> {
    samples(aggregate).into_iter().filter(|line| line.contains("_count")).collect()
}

#[test]
fn beyond_the_limit_an_overflow_series_keeps_totals_exact() {
    let mut aggregate = Aggregate::new(Options { max_series: 3, ..options() });
    for _ in 0..2 {
        let calls: Vec<String> = (0..10).map(|number| call(&format!("A:{number}"), 1.0)).collect();
        assert_eq!(take(&mut aggregate, "t", &calls).records, 10);
    }
    let at = r#"phanos_t_seconds_count{job="JOB","#;
    assert_eq!(
        counts(&aggregate),
        [
            format!(r#"{at}item="A",method="A:0",error_raised="false"}} 2"#),
            format!(r#"{at}item="A",method="A:1",error_raised="false"}} 2"#),
            format!(r#"{at}item="A",method="A:2",error_raised="false"}} 2"#),
            format!(r#"{at}item="(overflow)",method="(overflow)"}} 14"#),
        ]
    );
    assert_eq!(aggregate.tally().overflowed, 14);
    assert_eq!(aggregate.jobs().collect::<Vec<_>>(), [("JOB", 3)]);
    // Another job has a limit of its own.
    take(&mut aggregate, "t", &[call("A:9", 1.0).replace("JOB", "OTHER")]);
    assert!(counts(&aggregate)[4].contains(r#"job="OTHER",item="A",method="A:9""#));
}

#[test]
fn what_has_no_sum_has_no_overflow_series() {
    let mut aggregate = Aggregate::new(Options { max_series: 1, ..options() });
    for (method, reason) in [("a", None), ("b", Some(Reason::SeriesLimit)), ("a", None)] {
        let records = [record("gauge", "", method, "{}", r#"["set",1]"#)];
        assert_eq!(take(&mut aggregate, "g", &records).reason, reason);
    }
}

#[test]
fn jobs_and_metrics_are_limited() {
    let limits = Options { max_jobs: 2, max_metrics: 2, ..options() };
    let mut aggregate = Aggregate::new(limits);
    for job in ["a", "b", "c", "d"] {
        take(&mut aggregate, "t", &[call("m", 1.0).replace("JOB", job)]);
    }
    let counts = counts(&aggregate);
    assert_eq!(counts.len(), 3);
    assert!(counts[2].contains(r#"job="(overflow)""#) && counts[2].ends_with(" 2"), "{counts:?}");
    take(&mut aggregate, "u", &[call("m", 1.0)]);
    let taken = take(&mut aggregate, "v", &[call("m", 1.0)]);
    assert_eq!(taken.reason, Some(Reason::MetricLimit));
}

#[test]
fn gauges_expire_by_a_timer_and_counters_only_if_asked() {
    let expiring = MetricOptions {
        name: "expiring".into(),
        time_to_live: Some(Duration::from_secs(5)),
        ..MetricOptions::default()
    };
    let time_to_live = Duration::from_secs(10);
    let chosen = Options { time_to_live, metrics: vec![expiring], ..options() };
    let mut aggregate = Aggregate::new(chosen);
    let counter = record("counter", "", "m", "{}", r#"["inc",1]"#);
    let gauge = record("gauge", "", "m", "{}", r#"["set",1]"#);
    let take_at = |aggregate: &mut Aggregate, metric, record: &String, now_ms| {
        let body = body(std::slice::from_ref(record));
        aggregate.take(&Message { metric, body: &body, ..Message::default() }, now_ms);
    };
    for (metric, record) in [("kept", &counter), ("expiring", &counter), ("g", &gauge)] {
        take_at(&mut aggregate, metric, record, START_MS);
    }
    let names = |aggregate: &Aggregate| -> Vec<String> {
        let samples = samples(aggregate);
        samples.iter().map(|line| line.split('{').next().expect("a name").to_owned()).collect()
    };
    aggregate.tick(START_MS + 4_999);
    assert_eq!(names(&aggregate).len(), 3);
    aggregate.tick(START_MS + 5_000);
    assert_eq!(names(&aggregate), ["phanos_g", "phanos_kept_total"]);
    // Refreshed by a record.
    take_at(&mut aggregate, "g", &gauge, START_MS + 9_000);
    aggregate.tick(START_MS + 18_999);
    assert_eq!(names(&aggregate).len(), 2);
    aggregate.tick(START_MS + 1_000_000_000);
    assert_eq!(names(&aggregate), ["phanos_kept_total"]);
    assert_eq!(aggregate.tally().expired, 2);
    // What has expired begins anew, though its head was known.
    take_at(&mut aggregate, "g", &gauge, START_MS + 1_000_000_000);
    take_at(&mut aggregate, "expiring", &counter, START_MS + 1_000_000_000);
    let lines = samples_at(&aggregate, START_MS + 1_000_000_000);
    assert!(lines[0].starts_with("phanos_expiring_total") && lines[0].ends_with(" 1.0"));
    assert_eq!(lines.len(), 3);
}

#[test]
fn memory_stays_flat_whatever_names_come() {
    let mut aggregate = Aggregate::new(Options { max_series: 100, max_metrics: 10, ..options() });
    let mut after_some = 0;
    for number in 0..30_000 {
        let method = format!("A:{number}");
        let metric = format!("metric {number}");
        take(&mut aggregate, &metric, &[call(&method, 1.0)]);
        take(&mut aggregate, "t", &[call(&method, 1.0)]);
        if number == 5_000 {
            after_some = aggregate.bytes();
        }
    }
    assert!(aggregate.bytes() <= after_some * 2, "{after_some} -> {}", aggregate.bytes());
    // One overflow series: other metrics came too late to have any.
    assert_eq!(aggregate.size(), (100 + 1, 0));
}
