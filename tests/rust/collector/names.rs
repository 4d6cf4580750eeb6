//! Names of families and labels, by Prometheus' conventions.

use phanos_collector::{Aggregate, Kind, Reason, family_name, read_labels, write_label};
use proptest::prelude::*;

use crate::bodies::record;
use crate::shown::{options, samples, take};

fn base(metric: &str, kind: Kind, units: &str) -> String {
    family_name(metric, kind, units).base
}

#[test]
fn a_family_is_named_by_metric_and_base_unit() {
    for (metric, kind, units, expected) in [
        ("time_profiler", Kind::Histogram, "mS", "phanos_time_profiler_seconds"),
        ("response_size", Kind::Histogram, "B", "phanos_response_size_bytes"),
        ("", Kind::Histogram, "mS", "phanos_time_profiler_seconds"),
        ("", Kind::Histogram, "B", "phanos_response_size_bytes"),
        ("", Kind::Counter, "cups", "phanos_counted_cups"),
        ("", Kind::Gauge, "", "phanos_gauged"),
        ("", Kind::Info, "info", "phanos_facts"),
        ("", Kind::Enum, "enum", "phanos_state"),
        ("requests", Kind::Counter, "", "phanos_requests"),
        ("requests_total", Kind::Counter, "", "phanos_requests"),
        ("build_info", Kind::Info, "info", "phanos_build"),
        ("sent_bytes", Kind::Counter, "kB", "phanos_sent_bytes"),
        ("waitSeconds", Kind::Summary, "ms", "phanos_wait_seconds"),
        ("HTTPCalls", Kind::Counter, "", "phanos_httpcalls"),
        ("a b-ž", Kind::Gauge, "Old Units", "phanos_a_b_old_units"),
        ("!", Kind::Gauge, "", "phanos_unnamed"),
        ("9lives", Kind::Gauge, "", "phanos_9lives"),
        ("thread_count", Kind::Gauge, "", "phanos_thread_count_value"),
        ("x_total", Kind::Gauge, "", "phanos_x_total_value"),
        ("count", Kind::Gauge, "", "phanos_count_value"),
        ("load", Kind::Gauge, "%", "phanos_load_ratio"),
        ("seconds", Kind::Gauge, "s", "phanos_seconds_seconds"),
    ] {
        assert_eq!(base(metric, kind, units), expected, "{metric} {units}");
    }
}

#[test]
fn numbers_are_converted_to_the_base_unit() {
    for (units, given, expected) in [
        ("mS", 1.0, 0.001),
        ("mS", 0.09, 0.09 / 1000.0),
        ("uS", 5.0, 0.000_005),
        ("S", 2.0, 2.0),
        ("min", 2.0, 120.0),
        ("KiB", 2.0, 2048.0),
        ("%", 50.0, 0.5),
        ("cups", 3.0, 3.0),
    ] {
        let scale = family_name("m", Kind::Gauge, units).scale;
        assert_eq!(scale.apply(given).to_bits(), f64::to_bits(expected), "{units}");
    }
}

fn labels(json: &str) -> String {
    let mut aggregate = Aggregate::new(options());
    let records = [record("counter", "", "m", json, r#"["inc",1]"#)];
    assert_eq!(take(&mut aggregate, "c", &records).records, 1);
    let line = samples(&aggregate).remove(0);
    let labels = line.strip_prefix(r#"phanos_c_total{job="JOB",item="m",method="m""#);
    labels.and_then(|rest| rest.strip_suffix("} 1.0")).expect(&line).to_owned()
}

#[test]
fn labels_are_valid_and_each_name_is_there_once() {
    for (json, expected) in [
        (r"{}", ""),
        (r#"{"b":"2","a":"1"}"#, r#",a="1",b="2""#),
        (r#"{"a":"1","a":"2"}"#, r#",a="2""#),
        (r#"{"a":"","b":null}"#, ""),
        (r#"{"a":"x\"\\\n"}"#, r#",a="x\"\\\n""#),
        (
            r#"{"job":"other","le":"1","quantile":"2"}"#,
            r#",exported_job="other",exported_le="1",exported_quantile="2""#,
        ),
        (r#"{"a b":"1","a-b":"2","a_b":"3"}"#, r#",a_b="1",a_b_="2",a_b__="3""#),
        (
            r#"{"__name__":"x","9":"y","":"z","ž":"w"}"#,
            r#",label_="z",label_9="y",_name__="x",label__="w""#,
        ),
    ] {
        assert_eq!(labels(json), expected, "{json}");
    }
}

#[test]
fn too_many_labels_or_one_that_is_too_long_cost_the_record() {
    let many: Vec<String> = (0..33).map(|number| format!(r#""a{number}":"x""#)).collect();
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(5000));
    let mut aggregate = Aggregate::new(options());
    for json in [format!("{{{}}}", many.join(",")), long] {
        let records = [record("counter", "", "m", &json, r#"["inc",1]"#)];
        let taken = take(&mut aggregate, "c", &records);
        assert_eq!((taken.records, taken.reason.map(Reason::name)), (0, Some("labels")));
    }
    assert_eq!(samples(&aggregate), [""; 0]);
}

proptest! {
    #[test]
    fn any_name_is_valid(metric in "\\PC{0,40}", units in "\\PC{0,10}") {
        for kind in Kind::ALL {
            let name = base(&metric, kind, &units);
            prop_assert!(name.starts_with("phanos_") && name.len() > 7);
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{}", name);
            prop_assert!(!name.ends_with('_') && !name.contains("__"), "{}", name);
        }
    }

    #[test]
    fn labels_read_back_as_they_were(values in proptest::collection::vec("\\PC{0,5}|[\\\\\"\n]{0,3}", 0..5)) {
        let mut text = String::new();
        for value in &values {
            write_label(&mut text, "name", value);
        }
        let read: Vec<String> = read_labels(&text).map(|(_, value)| value.into_owned()).collect();
        prop_assert_eq!(read, values);
    }
}
