//! The text and the JSON of records.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use phanos::core::json::JsonArray;
use phanos::core::number::{milliseconds, write_json, write_python};
use phanos::core::path::Path;
use phanos::core::record::{Batch, Labels, Metric, Record};
use phanos::core::value::Value;
use proptest::prelude::*;

fn metric() -> Arc<Metric> {
    Arc::new(Metric::new("time_profiler", "histogram", "mS", "JOB"))
}

fn record(value: Value, labels: Labels) -> Record<Rc<Path>> {
    let method = Path::literal("A:root").child("leaf".into());
    Record { method, operation: Some(Cow::Borrowed("observe")), value, labels }
}

fn batch(records: Vec<Record<Rc<Path>>>) -> Batch<Rc<Path>> {
    Batch { metric: metric(), records }
}

fn json(value: Value, labels: Labels) -> String {
    String::from_utf8(batch(vec![record(value, labels)]).json()).expect("UTF-8")
}

fn python(number: f64) -> String {
    let mut out = String::new();
    write_python(number, &mut out);
    out
}

#[test]
fn the_text_has_a_line_per_record() {
    let labels = Labels::Listed(Box::new([
        ("k".into(), Value::Text("v".into())),
        ("n".into(), Value::None),
        ("error_raised".into(), Value::Bool(true)),
    ]));
    let text = batch(vec![
        record(Value::Float(0.09), Labels::ErrorRaised(false)),
        record(Value::Float(12.0), Labels::None),
        record(Value::Text("{'a': 1}".into()), labels),
        record(Value::Int(-1), Labels::Other(Value::Int(7))),
    ])
    .text();
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            "profiler: time_profiler, method: A:root.leaf, value: 0.09 mS, labels: error_raised=False",
            "profiler: time_profiler, method: A:root.leaf, value: 12.0 mS",
            "profiler: time_profiler, method: A:root.leaf, value: {'a': 1} mS, \
             labels: k=v, n=None, error_raised=True",
            "profiler: time_profiler, method: A:root.leaf, value: -1 mS",
        ]
    );
    assert!(!text.ends_with('\n'));
}

#[test]
fn nothing_inside_a_record_breaks_its_line() {
    let evil = "a\nb\r\u{b}\u{c}\u{1c}\u{1d}\u{1e}\u{85}\u{2028}\u{2029}c";
    let labels = Labels::Listed(Box::new([(evil.into(), Value::Text(evil.into()))]));
    let mut forged = record(Value::Text(evil.into()), labels);
    forged.method = Path::literal(evil);
    let text =
        Batch { metric: Arc::new(Metric::new(evil, "info", evil, "J")), records: vec![forged] }
            .text();
    let escaped = r"a\nb\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029c";
    assert_eq!(
        text,
        format!(
            "profiler: {escaped}, method: {escaped}, value: {escaped} {escaped}, \
             labels: {escaped}={escaped}"
        )
    );
}

#[test]
fn the_json_is_compact_and_in_the_order_that_consumers_know() {
    assert_eq!(
        json(Value::Float(0.09), Labels::ErrorRaised(false)),
        r#"[{"item":"A","metric":"histogram","units":"mS","job":"JOB","method":"A:root.leaf","labels":{"error_raised":false},"value":["observe",0.09]}]"#
    );
    let two =
        batch(vec![record(Value::Float(1.0), Labels::None), record(Value::Int(-2), Labels::None)]);
    assert_eq!(
        String::from_utf8(two.json()).expect("UTF-8"),
        r#"[{"item":"A","metric":"histogram","units":"mS","job":"JOB","method":"A:root.leaf","labels":{},"value":["observe",1.0]},{"item":"A","metric":"histogram","units":"mS","job":"JOB","method":"A:root.leaf","labels":{},"value":["observe",-2]}]"#
    );
}

#[test]
fn json_values_are_written_as_orjson_writes_them() {
    let written = |value: Value| {
        let all = json(value, Labels::None);
        let start = all.find(r#""value":["observe","#).expect("a value") + 19;
        all[start..all.len() - 3].to_owned()
    };
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
        assert_eq!(written(Value::Float(number)), expected, "{number}");
    }
    assert_eq!(written(Value::Unsigned(u64::MAX)), "18446744073709551615");
    assert_eq!(written(Value::Bool(true)), "true");
    assert_eq!(written(Value::None), "null");
    assert_eq!(
        written(Value::Text("ž\u{7f}\u{1f}\u{8}\u{c}\n\r\t\"\\/🦀".into())),
        "\"ž\u{7f}\\u001f\\b\\f\\n\\r\\t\\\"\\\\/🦀\""
    );
    assert_eq!(
        written(Value::Json(r#"{"b":[1,null],"a":"y"}"#.into())),
        r#"{"b":[1,null],"a":"y"}"#
    );
}

#[test]
fn every_shape_of_labels_has_its_json() {
    let listed = |labels: &[(&str, Value)]| {
        let labels = labels.iter().map(|(name, value)| ((*name).into(), value.clone()));
        json(Value::None, Labels::Listed(labels.collect()))
    };
    for (written, expected) in [
        (json(Value::None, Labels::None), "{}"),
        (json(Value::None, Labels::ErrorRaised(true)), r#"{"error_raised":true}"#),
        (json(Value::None, Labels::Other(Value::Json("[1]".into()))), "[1]"),
        (listed(&[]), "{}"),
        (
            listed(&[("a\"", Value::Text("b\\".into())), ("c", Value::Float(1.0))]),
            r#"{"a\"":"b\\","c":1.0}"#,
        ),
    ] {
        let expected = format!(r#""labels":{expected},"value":["observe",null]"#);
        assert!(written.contains(&expected), "{written}");
    }
}

#[test]
fn a_value_without_operation_stands_alone() {
    let mut alone = record(Value::Json("{}".into()), Labels::None);
    alone.operation = None;
    let json = String::from_utf8(batch(vec![alone]).json()).expect("UTF-8");
    assert!(json.ends_with(r#","value":{}}]"#), "{json}");
}

#[test]
fn a_metric_may_have_other_than_strings() {
    let metric = Metric::with_values(
        "name",
        "None",
        &Value::Json("[1]".into()),
        &Value::None,
        &Value::Text("\"".into()),
    );
    let batch =
        Batch { metric: Arc::new(metric), records: vec![record(Value::Int(1), Labels::None)] };
    assert_eq!(batch.text(), "profiler: name, method: A:root.leaf, value: 1 None");
    let json = String::from_utf8(batch.json()).expect("UTF-8");
    let middle = r#"[{"item":"A","metric":[1],"units":null,"job":"\"","method":"A:root.leaf","#;
    assert!(json.starts_with(middle), "{json}");
}

#[test]
fn contexts_that_repeat_are_written_each_time() {
    let contexts = ["A:root", "A:root", "B\"\\:x", "B\"\\:x", "C:ž", "C:ž", "A:root", "plain", ""];
    let paths: HashMap<&str, Rc<Path>> =
        contexts.iter().map(|text| (*text, Path::literal(text))).collect();
    let records = contexts.iter().map(|text| {
        let method = Rc::clone(&paths[text]);
        Record { method, ..record(Value::Int(1), Labels::None) }
    });
    let parsed: serde_json::Value =
        serde_json::from_slice(&batch(records.collect()).json()).expect("JSON");
    let written = parsed.as_array().expect("an array").iter();
    let methods: Vec<_> = written.clone().map(|record| record["method"].as_str()).collect();
    assert_eq!(methods, contexts.map(Some));
    let items: Vec<_> = written.map(|record| record["item"].as_str()).collect();
    let expected = ["A", "A", "B\"\\", "B\"\\", "C", "C", "A", "plain", ""];
    assert_eq!(items, expected.map(Some));
}

#[test]
fn numbers_are_written_as_in_a_batch_of_values() {
    let metric = metric();
    let path = Path::literal("A:root");
    for raised in [None, Some(false), Some(true)] {
        let mut array = JsonArray::new(&metric, 2);
        array.add_number(&path, "inc", 1.25, raised);
        array.add_number(&path, "inc", f64::NAN, raised);
        let labels = raised.map_or(Labels::None, Labels::ErrorRaised);
        let mut values = JsonArray::new(&metric, 2);
        values.add(&path, Some("inc"), &Value::Float(1.25), &labels);
        values.add(&path, Some("inc"), &Value::None, &labels);
        assert_eq!(array.finish(), values.finish());
    }
    assert_eq!(JsonArray::new(&metric, 0).finish(), b"[]");
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

#[test]
fn floats_print_as_python_prints_them() {
    // Produced by repr() of CPython.
    for (number, expected) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (0.1, "0.1"),
        (0.09, "0.09"),
        (1.0, "1.0"),
        (-2.5, "-2.5"),
        (10.01, "10.01"),
        (1234.5, "1234.5"),
        (0.001, "0.001"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (0.000_012_5, "1.25e-05"),
        (-0.000_012_5, "-1.25e-05"),
        (226_013_656_124_712.12, "226013656124712.12"),
        (0.005, "0.005"),
        (1.005, "1.005"),
        (1e15, "1000000000000000.0"),
        (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
        (1e16, "1e+16"),
        (1e100, "1e+100"),
        (5e-324, "5e-324"),
        (f64::MAX, "1.7976931348623157e+308"),
        (f64::NAN, "nan"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
    ] {
        assert_eq!(python(number), expected);
    }
}

#[test]
fn milliseconds_have_two_decimals() {
    for (nanoseconds, expected) in [
        (0, 0.0),
        (4_999, 0.0),
        (5_000, 0.01),
        (14_999, 0.01),
        (1_000_000, 1.0),
        (1_234_567, 1.23),
        (3_600_000_000_000, 3_600_000.0),
    ] {
        let given = milliseconds(nanoseconds);
        assert_eq!(given.to_bits(), f64::to_bits(expected), "{nanoseconds} ns");
    }
}

proptest! {
    #[test]
    fn printed_floats_read_back_as_the_same_number(number in any::<f64>()) {
        let read: f64 = python(number).parse().expect("a number");
        prop_assert!(read.to_bits() == number.to_bits() || number.is_nan());
    }

    #[test]
    fn json_floats_read_back_as_the_same_number(number in any::<f64>()) {
        let mut out = Vec::new();
        write_json(number, &mut out);
        let written = String::from_utf8(out).expect("UTF-8");
        if number.is_finite() {
            prop_assert_eq!(written.parse::<f64>().expect("a number").to_bits(), number.to_bits());
        } else {
            prop_assert_eq!(written, "null");
        }
    }

    #[test]
    fn hundredths_print_as_the_shortest_digits_do(hundredths in -99_999_999_999_999_i64..99_999_999_999_999) {
        #[allow(clippy::cast_precision_loss)]
        let number = hundredths as f64 / 100.0;
        prop_assert_eq!(python(number), format!("{number:?}"));
    }

    #[test]
    fn any_text_is_one_line_and_valid_json(text in "\\PC*|[\\x00-\\x20\\x7f-\\x9f\u{2028}\u{2029}]*") {
        let labels = Labels::Listed(Box::new([("l".into(), Value::Text(text.clone().into()))]));
        let batch = batch(vec![record(Value::Text(text.clone().into()), labels)]);
        let breaks = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
        prop_assert_eq!(batch.text().find(breaks), None);
        let parsed: serde_json::Value = serde_json::from_slice(&batch.json()).expect("JSON");
        prop_assert_eq!(&parsed[0]["labels"]["l"], &text);
        prop_assert_eq!(&parsed[0]["value"][1], &text);
    }
}
