//! The JSON of values and records.

use phanos_core::json::write_string;
use phanos_core::number;
use phanos_core::path::item_of;
use phanos_core::record::{Labels, Metric};
use phanos_core::record_json::{write_head, write_number, write_value};
use phanos_core::value::Value;
use proptest::prelude::*;

/// What `write` appends.
fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("UTF-8")
}

fn value(value: &Value) -> String {
    written(|out| value.write_json(out))
}

/// Labels and value, as they end a record.
fn rest(operation: Option<&str>, value: &Value, labels: &Labels) -> String {
    written(|out| write_value(out, operation, value, labels))
}

/// A whole record.
fn record(metric: &Metric, context: &str, value: &Value) -> String {
    written(|out| {
        write_head(metric, item_of(context), |out| write_string(context, out), out);
        write_value(out, Some("observe"), value, &Labels::None);
    })
}

#[test]
fn values_are_written_as_orjson_writes_them() {
    // Produced by orjson 3.13.
    for (number, expected) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (100.0, "100.0"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e+16"),
        (1.5e300, "1.5e+300"),
        (1e-5, "0.00001"),
        (1e-7, "1e-7"),
        (5e-324, "5e-324"),
        (f64::MAX, "1.7976931348623157e+308"),
        (f64::NAN, "null"),
        (f64::INFINITY, "null"),
        (f64::NEG_INFINITY, "null"),
    ] {
        assert_eq!(value(&Value::Float(number)), expected, "{number}");
    }
    for (given, expected) in [
        (Value::Int(-2), "-2"),
        (Value::Unsigned(u64::MAX), "18446744073709551615"),
        (Value::Bool(true), "true"),
        (Value::Bool(false), "false"),
        (Value::None, "null"),
        (
            Value::Text("ž\u{7f}\u{1f}\u{8}\u{c}\n\r\t\"\\/🦀".into()),
            "\"ž\u{7f}\\u001f\\b\\f\\n\\r\\t\\\"\\\\/🦀\"",
        ),
        (Value::Json(r#"{"b":[1,null],"a":"y"}"#.into()), r#"{"b":[1,null],"a":"y"}"#),
    ] {
        assert_eq!(value(&given), expected);
    }
}

#[test]
fn every_shape_of_labels_has_its_json() {
    let listed = |labels: &[(&str, Value)]| {
        let labels = labels.iter().map(|(name, value)| ((*name).into(), value.clone()));
        Labels::Listed(labels.collect())
    };
    for (labels, expected) in [
        (Labels::None, "{}"),
        (Labels::ErrorRaised(true), r#"{"error_raised":true}"#),
        (Labels::ErrorRaised(false), r#"{"error_raised":false}"#),
        (Labels::Other(Value::Json("[1]".into())), "[1]"),
        (listed(&[]), "{}"),
        (
            listed(&[("a\"", Value::Text("b\\".into())), ("c", Value::Float(1.0))]),
            r#"{"a\"":"b\\","c":1.0}"#,
        ),
    ] {
        let expected = format!(r#"{expected},"value":["observe",null]}}"#);
        assert_eq!(rest(Some("observe"), &Value::None, &labels), expected);
    }
}

#[test]
fn a_value_without_operation_stands_alone() {
    let alone = rest(None, &Value::Json("{}".into()), &Labels::None);
    assert_eq!(alone, r#"{},"value":{}}"#);
}

#[test]
fn numbers_are_written_as_other_values_are() {
    for raised in [None, Some(false), Some(true)] {
        let labels = raised.map_or(Labels::None, Labels::ErrorRaised);
        for number in [1.25, f64::NAN] {
            assert_eq!(
                written(|out| write_number(out, "inc", number, raised)),
                rest(Some("inc"), &Value::Float(number), &labels)
            );
        }
    }
}

#[test]
fn a_record_names_its_item_and_its_context() {
    let metric = Metric::new("time_profiler", "histogram", "mS", "JOB");
    for (context, item, method) in [
        ("A:root.leaf", "A", "A:root.leaf"),
        ("B\"\\:x:y", r#"B\"\\"#, r#"B\"\\:x:y"#),
        ("plain", "plain", "plain"),
        ("", "", ""),
    ] {
        let expected = format!(
            r#"{{"item":"{item}","metric":"histogram","units":"mS","job":"JOB","method":"{method}","labels":{{}},"value":["observe",1]}}"#
        );
        assert_eq!(record(&metric, context, &Value::Int(1)), expected);
    }
}

#[test]
fn a_metric_may_have_other_than_strings() {
    let (kind, job) = (Value::Json("[1]".into()), Value::Text("\"".into()));
    let metric = Metric::with_values("name", "None", &kind, &Value::None, &job);
    let record = record(&metric, "A:root", &Value::Int(1));
    let start = r#"{"item":"A","metric":[1],"units":null,"job":"\"","method":"A:root","#;
    assert!(record.starts_with(start), "{record}");
}

#[test]
fn labels_tell_whether_the_call_failed() {
    let listed = |value: Value| Labels::Listed(Box::new([("error_raised".into(), value)]));
    assert!(Labels::ErrorRaised(true).error_raised());
    assert!(listed(Value::Bool(true)).error_raised());
    assert!(!listed(Value::Text("True".into())).error_raised());
    assert!(!Labels::ErrorRaised(false).error_raised());
    assert!(!Labels::None.error_raised());
    assert!(!Labels::Other(Value::Bool(true)).error_raised());
}

proptest! {
    #[test]
    fn floats_read_back_as_the_same_number(number in any::<f64>()) {
        let text = written(|out| number::write_json(number, out));
        if number.is_finite() {
            prop_assert_eq!(text.parse::<f64>().expect("a number").to_bits(), number.to_bits());
        } else {
            prop_assert_eq!(text, "null");
        }
    }

    #[test]
    fn any_text_reads_back_as_it_was(text in "\\PC*|[\\x00-\\x20\\x7f-\\x9f\u{2028}\u{2029}]*") {
        let metric = Metric::new("", "histogram", &text, &text);
        let written = written(|out| {
            write_head(&metric, &text, |out| write_string(&text, out), out);
            let value = Value::Text(text.as_str().into());
            let labels = Labels::Listed(Box::new([(text.as_str().into(), value.clone())]));
            write_value(out, Some(&text), &value, &labels);
        });
        let parsed: serde_json::Value = serde_json::from_str(&written).expect("JSON");
        for key in ["item", "units", "job", "method"] {
            prop_assert_eq!(&parsed[key], &text);
        }
        prop_assert_eq!(&parsed["labels"][&text], &text);
        prop_assert_eq!(&parsed["value"], &serde_json::json!([&text, &text]));
    }
}
