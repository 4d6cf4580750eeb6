//! From messages to series.

use std::time::Duration;

use phanos_collector::{Aggregate, Kind, MetricOptions, Options, Reason};

use crate::bodies::{body, call, record};
use crate::shown::{START_MS, brief_options, message, options, samples, samples_at, take, text_at};

#[test]
fn every_kind_of_metric_is_shown() {
    let mut aggregate = Aggregate::new(brief_options("h"));
    let one = |kind: &str, units: &str, value: &str| [record(kind, units, "A:b", "{}", value)];
    take(&mut aggregate, "h", &[call("A:b", 2.5), call("A:b", 1500.0)]);
    take(&mut aggregate, "s", &one("summary", "B", r#"["observe",10]"#));
    take(&mut aggregate, "c", &one("counter", "", r#"["inc",2]"#));
    take(&mut aggregate, "g", &one("gauge", "", r#"["set",-3]"#));
    take(&mut aggregate, "i", &one("info", "info", r#"["info",{"version":"1","job":"x"}]"#));
    take(&mut aggregate, "e", &one("enum", "enum", r#"["state","up"]"#));
    take(&mut aggregate, "e", &one("enum", "enum", r#"["state","down"]"#));
    let at = r#"job="JOB",item="A",method="A:b""#;
    assert_eq!(
        samples(&aggregate),
        [
            format!("phanos_c_total{{{at}}} 2.0"),
            format!(r#"phanos_e{{{at},phanos_e="up"}} 0"#),
            format!(r#"phanos_e{{{at},phanos_e="down"}} 1"#),
            format!("phanos_g{{{at}}} -3.0"),
            format!(r#"phanos_h_seconds_bucket{{{at},error_raised="false",le="1.0"}} 1"#),
            format!(r#"phanos_h_seconds_bucket{{{at},error_raised="false",le="+Inf"}} 2"#),
            format!(r#"phanos_h_seconds_count{{{at},error_raised="false"}} 2"#),
            format!(r#"phanos_h_seconds_sum{{{at},error_raised="false"}} 1.5025"#),
            format!(r#"phanos_i_info{{{at},exported_job="x",version="1"}} 1"#),
            format!("phanos_s_bytes_count{{{at}}} 1"),
            format!("phanos_s_bytes_sum{{{at}}} 10.0"),
        ]
    );
}

#[test]
fn mixed_labels_are_series_of_one_family() {
    let mut aggregate = Aggregate::new(options());
    for labels in ["{}", r#"{"error_raised":true}"#, r#"{"a":"b"}"#, r#"{"a":""}"#] {
        take(&mut aggregate, "c", &[record("counter", "", "m", labels, r#"["inc",1]"#)]);
    }
    let at = r#"phanos_c_total{job="JOB",item="m",method="m""#;
    assert_eq!(
        samples(&aggregate),
        [
            format!("{at}}} 2.0"),
            format!(r#"{at},error_raised="true"}} 1.0"#),
            format!(r#"{at},a="b"}} 1.0"#)
        ]
    );
    let text = text_at(&aggregate, START_MS);
    assert_eq!(text.matches("# TYPE phanos_c_total counter").count(), 1);
}

#[test]
fn records_of_phanos_0_3_2_are_known_by_kind_and_unit() {
    let mut aggregate = Aggregate::new(options());
    let size = record("histogram", "B", "A:b", "{}", r#"["observe",48.0]"#);
    take(&mut aggregate, "", &[call("A:b", 1.0), size]);
    take(&mut aggregate, "time_profiler", &[call("A:b", 1.0)]);
    let samples = samples(&aggregate);
    let counts: Vec<_> = samples.iter().filter(|line| line.contains("_count")).collect();
    assert!(counts[0].starts_with("phanos_response_size_bytes_count") && counts[0].ends_with(" 1"));
    assert!(counts[1].starts_with("phanos_time_profiler_seconds_count"));
    assert!(counts[1].ends_with(" 2"), "one series for old and new workers");
}

#[test]
fn bad_records_are_counted_by_reason_and_cost_no_other() {
    let mut aggregate = Aggregate::new(options());
    let counter = |value: &str| record("counter", "", "m", "{}", value);
    let records = [
        counter(r#"["inc",1]"#),
        counter(r#"["inc",-1]"#),
        counter(r#"["set",1]"#),
        "{}".into(),
        counter(r#"["inc",-2]"#),
        counter(r#"["inc",2]"#),
    ];
    for times in 1..=2 {
        let taken = take(&mut aggregate, "c", &records);
        assert_eq!((taken.records, taken.bad), (2, 4));
        assert_eq!(taken.reason, Some(Reason::Negative));
        let bad: Vec<_> = aggregate.tally().bad().filter(|(_, count)| *count > 0).collect();
        let expected = [
            (Reason::KeyMissing, times),
            (Reason::UnknownOperation, times),
            (Reason::Negative, 2 * times),
        ];
        assert_eq!(bad, expected);
    }
    assert_eq!(samples(&aggregate), [r#"phanos_c_total{job="JOB",item="m",method="m"} 6.0"#]);
    assert_eq!((aggregate.tally().messages, aggregate.tally().records), (2, 4));
}

#[test]
fn a_name_belongs_to_the_kind_that_came_first() {
    let mut aggregate = Aggregate::new(options());
    take(&mut aggregate, "x", &[record("counter", "", "m", "{}", r#"["inc",1]"#)]);
    let taken = take(&mut aggregate, "x", &[record("gauge", "", "m", "{}", r#"["set",1]"#)]);
    assert_eq!(taken.reason, Some(Reason::TypeConflict));
    let own = [record("gauge", "", "m", "{}", r#"["set",1]"#)];
    assert_eq!(take(&mut aggregate, "collector_x", &own).reason, Some(Reason::TypeConflict));
    assert_eq!(samples(&aggregate).len(), 1);
}

#[test]
fn units_of_one_family_are_added_in_its_base_unit() {
    let mut aggregate = Aggregate::new(options());
    for units in ["mS", "S"] {
        take(&mut aggregate, "t", &[record("summary", units, "m", "{}", r#"["observe",1]"#)]);
    }
    assert!(samples(&aggregate)[1].ends_with(" 1.001"), "{:?}", samples(&aggregate));
}

#[test]
fn a_number_beyond_all_bounds_costs_the_record() {
    let mut aggregate = Aggregate::new(options());
    let records = [record("gauge", "GB", "m", "{}", r#"["set",1e300]"#)];
    assert_eq!(take(&mut aggregate, "g", &records).reason, Some(Reason::NotANumber));
}

#[test]
fn a_new_series_shows_zero_first() {
    let zero_first = Options { zero_first: Duration::from_secs(15), ..brief_options("h") };
    let mut aggregate = Aggregate::new(zero_first);
    take(&mut aggregate, "h", &[call("m", 2.0)]);
    take(&mut aggregate, "c", &[record("counter", "", "m", "{}", r#"["inc",2]"#)]);
    take(&mut aggregate, "g", &[record("gauge", "", "m", "{}", r#"["set",2]"#)]);
    let values = |now_ms| -> Vec<String> {
        let samples = samples_at(&aggregate, now_ms);
        samples.iter().map(|line| line.rsplit(' ').next().expect("a value").to_owned()).collect()
    };
    assert_eq!(values(START_MS), ["0.0", "2.0", "0", "0", "0", "0.0"]);
    assert_eq!(values(START_MS + 14_999), ["0.0", "2.0", "0", "0", "0", "0.0"]);
    assert_eq!(values(START_MS + 15_000), ["2.0", "2.0", "1", "1", "1", "0.002"]);
}

#[test]
fn classic_buckets_are_chosen_by_metric() {
    let chosen = |name: &str, buckets: Vec<f64>| MetricOptions {
        name: name.into(),
        buckets: Some(buckets),
        ..MetricOptions::default()
    };
    let metrics =
        vec![chosen("by_metric", vec![0.001, 0.002]), chosen("phanos_by_family_seconds", vec![])];
    let mut aggregate = Aggregate::new(Options { metrics, ..options() });
    for metric in ["by_metric", "by_family", "default"] {
        let calls = [call("m", 1.0), call("m", 1.5), call("m", 3.0)];
        take(&mut aggregate, metric, &calls);
    }
    let buckets = |metric: &str| -> Vec<String> {
        let start = format!("phanos_{metric}_seconds_bucket");
        let samples = samples(&aggregate);
        let lines = samples.iter().filter(|line| line.starts_with(&start));
        lines.map(|line| line.split("le=").nth(1).expect("a bound").to_owned()).collect()
    };
    assert_eq!(buckets("by_metric"), [r#""0.001"} 1"#, r#""0.002"} 2"#, r#""+Inf"} 3"#]);
    assert_eq!(buckets("by_family"), [r#""+Inf"} 3"#]);
    assert_eq!(buckets("default").len(), 15);
}

#[test]
fn other_options_hold_for_series_that_are_there() {
    let mut aggregate = Aggregate::new(options());
    take(&mut aggregate, "h", &[call("m", 1.0), call("m", 2000.0), call("m", 0.0)]);
    aggregate.set_options(brief_options("h"));
    let lines = samples(&aggregate);
    assert_eq!(lines.len(), 4);
    assert!(lines[0].ends_with(r#"le="1.0"} 2"#) && lines[1].ends_with(" 3"), "{lines:?}");
}

#[test]
fn messages_without_a_body_or_sender_are_messages() {
    let mut aggregate = Aggregate::new(options());
    let taken = aggregate.take(&message("c", b""), START_MS);
    assert_eq!((taken.bad, taken.reason), (1, Some(Reason::NotJson)));
    let taken = aggregate.take(&message("c", &body(&[])), START_MS);
    assert_eq!((taken.bad, taken.records), (0, 0));
    assert_eq!(aggregate.tally().unnumbered, 2);
    assert_eq!(Kind::of_name("histogram"), Some(Kind::Histogram));
}
