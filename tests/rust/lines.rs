//! The text form of batches.

use std::rc::Rc;

use phanos_core::lines::Lines;
use phanos_core::path::Path;
use phanos_core::record::{Labels, Metric};
use phanos_core::value::Value;
use proptest::prelude::*;

fn metric() -> Metric {
    Metric::new("time_profiler", "histogram", "mS", "JOB")
}

fn leaf() -> Rc<Path> {
    Path::literal("A:root").child("leaf".into())
}

#[test]
fn every_record_has_a_line() {
    let (metric, leaf) = (metric(), leaf());
    let labels = Labels::Listed(Box::new([
        ("k".into(), Value::Text("v".into())),
        ("n".into(), Value::None),
        ("error_raised".into(), Value::Bool(true)),
    ]));
    let mut lines = Lines::new(&metric, 4);
    lines.add(&leaf, &Value::Float(0.09), &Labels::ErrorRaised(false));
    lines.add(&leaf, &Value::Float(12.0), &Labels::None);
    lines.add(&leaf, &Value::Text("{'a': 1}".into()), &labels);
    lines.add(&leaf, &Value::Int(-1), &Labels::Other(Value::Int(7)));
    assert_eq!(
        lines.text.lines().collect::<Vec<_>>(),
        [
            "profiler: time_profiler, method: A:root.leaf, value: 0.09 mS, labels: error_raised=False",
            "profiler: time_profiler, method: A:root.leaf, value: 12.0 mS",
            "profiler: time_profiler, method: A:root.leaf, value: {'a': 1} mS, \
             labels: k=v, n=None, error_raised=True",
            "profiler: time_profiler, method: A:root.leaf, value: -1 mS",
        ]
    );
    assert!(!lines.text.ends_with('\n'));
}

#[test]
fn numbers_are_written_as_other_values_are() {
    let (metric, leaf) = (metric(), leaf());
    for raised in [None, Some(false), Some(true)] {
        let labels = raised.map_or(Labels::None, Labels::ErrorRaised);
        let (mut numbers, mut values) = (Lines::new(&metric, 2), Lines::new(&metric, 2));
        for number in [1.25, f64::NAN] {
            numbers.add_number(&leaf, number, raised);
            values.add(&leaf, &Value::Float(number), &labels);
        }
        assert_eq!(numbers.text, values.text);
    }
}

#[test]
fn nothing_inside_a_record_breaks_its_line() {
    let evil = "a\nb\r\u{b}\u{c}\u{1c}\u{1d}\u{1e}\u{85}\u{2028}\u{2029}c";
    let metric = Metric::new(evil, "info", evil, "J");
    let labels = Labels::Listed(Box::new([(evil.into(), Value::Text(evil.into()))]));
    let mut lines = Lines::new(&metric, 1);
    lines.add(&Path::literal(evil), &Value::Text(evil.into()), &labels);
    let escaped = r"a\nb\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029c";
    assert_eq!(
        lines.text,
        format!(
            "profiler: {escaped}, method: {escaped}, value: {escaped} {escaped}, \
             labels: {escaped}={escaped}"
        )
    );
}

#[test]
fn contexts_that_repeat_are_written_each_time() {
    let metric = metric();
    let [first, second, odd] = ["A:root", "B:x", "C:ž\n"].map(Path::literal);
    let mut lines = Lines::new(&metric, 8);
    for path in [&first, &first, &second, &second, &odd, &odd, &first, &odd] {
        lines.add_number(path, 1.0, None);
    }
    let contexts: Vec<_> = lines
        .text
        .lines()
        .map(|line| line.trim_start_matches("profiler: time_profiler, method: "))
        .map(|line| line.trim_end_matches(", value: 1.0 mS"))
        .collect();
    let expected = ["A:root", "A:root", "B:x", "B:x", r"C:ž\n", r"C:ž\n", "A:root", r"C:ž\n"];
    assert_eq!(contexts, expected);
}

#[test]
fn units_need_not_be_a_string() {
    let (kind, job) = (Value::Json("[1]".into()), Value::Text("\"".into()));
    let metric = Metric::with_values("name", "None", &kind, &Value::None, &job);
    let mut lines = Lines::new(&metric, 1);
    lines.add(&leaf(), &Value::Int(1), &Labels::None);
    assert_eq!(lines.text, "profiler: name, method: A:root.leaf, value: 1 None");
}

proptest! {
    #[test]
    fn any_record_is_one_line(text in "\\PC*|[\\x00-\\x20\\x7f-\\x9f\u{2028}\u{2029}]*") {
        let metric = Metric::new(&text, "histogram", &text, "JOB");
        let labels = Labels::Listed(Box::new([
            (text.as_str().into(), Value::Text(text.as_str().into())),
        ]));
        let mut lines = Lines::new(&metric, 1);
        lines.add(&Path::literal(&text), &Value::Text(text.as_str().into()), &labels);
        let breaks = |c| matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}'
                | '\u{2029}'
        );
        prop_assert_eq!(lines.text.find(breaks), None);
    }
}
