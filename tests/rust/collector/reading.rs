//! Reading messages, bodies, records and numbers.

use phanos_collector::{Body, Element, Kind, Reason, Record, Value, read_number};
use phanos_core::record::Operation;
use phanos_delivery::number_of_id;

use crate::bodies::{body, call, record};

/// All elements of a body, read whole.
fn read(bytes: &[u8]) -> Vec<Result<Record<'_>, Reason>> {
    let mut body = Body::unsplit(bytes);
    let mut records = Vec::new();
    while let Some(element) = body.next() {
        records.push(element.and_then(|element| match element {
            Element::Whole(raw) => Record::read(raw),
            Element::Split(_) => panic!("not asked for"),
        }));
    }
    records
}

fn only(text: &str) -> Result<Record<'_>, Reason> {
    let mut records = read(text.as_bytes());
    assert_eq!(records.len(), 1, "{text}");
    records.remove(0)
}

#[test]
fn a_record_has_all_it_says() {
    let text = format!("[{}]", call("Owner:root.leaf", 0.09));
    let record = only(&text).expect("a record");
    assert_eq!(record.kind, Kind::Histogram);
    assert_eq!((&*record.item, &*record.method), ("Owner", "Owner:root.leaf"));
    assert_eq!((&*record.units, &*record.job), ("mS", "JOB"));
    assert_eq!(record.labels, [("error_raised".into(), "false".into())]);
    assert_eq!(record.value, Value::Number(Operation::Observe, 0.09));
}

#[test]
fn keys_may_come_in_any_order_and_others_are_left_out() {
    let text = r#" [ {"value": ["set", -1], "new": {"a": [1]}, "method":"a\u0041\"", "metric":"gauge"} ] "#;
    let record = only(text).expect("a record");
    assert_eq!(&*record.method, "aA\"");
    assert_eq!((&*record.job, &*record.units, record.labels.len()), ("", "", 0));
    assert_eq!(record.value, Value::Number(Operation::Set, -1.0));
}

#[test]
fn labels_are_text_whatever_they_were() {
    let labels = r#"{"a":"x\n","b":true,"c":null,"d":1.50,"e":[1, 2],"a":"y"}"#;
    let text = format!("[{}]", record("counter", "n", "m", labels, r#"["inc",1]"#));
    let record = only(&text).expect("a record");
    let expected =
        [("a", "x\n"), ("b", "true"), ("c", ""), ("d", "1.50"), ("e", "[1, 2]"), ("a", "y")];
    assert_eq!(record.labels, expected.map(|(name, value)| (name.into(), value.into())));
}

#[test]
fn facts_and_states_are_values() {
    let text = format!("[{}]", record("info", "info", "m", "{}", r#"["info",{"version":"1"}]"#));
    let facts = only(&text).expect("a record").value;
    assert_eq!(facts, Value::Facts(vec![("version".into(), "1".into())]));
    let text = format!("[{}]", record("enum", "enum", "m", "{}", r#"["state","up"]"#));
    assert_eq!(only(&text).expect("a record").value, Value::State("up".into()));
}

#[test]
fn what_is_no_record_has_a_reason_of_its_own() {
    let with = |key: &str, value: &str| {
        let mut record: serde_json::Value = serde_json::from_str(&call("A:b", 1.0)).expect("JSON");
        record[key] = serde_json::from_str(value).expect("JSON");
        format!("[{record}]")
    };
    for (text, reason) in [
        ("[1]".into(), Reason::NotARecord),
        (r#"["metric"]"#.into(), Reason::NotARecord),
        ("[[1,2,3,4,5,6,7]]".into(), Reason::NotARecord),
        (r#"[{"metric":"info","metric":"info"}]"#.into(), Reason::NotARecord),
        ("[{}]".into(), Reason::KeyMissing),
        (with("metric", "null"), Reason::KeyMissing),
        (with("method", "null"), Reason::KeyMissing),
        (with("value", "null"), Reason::KeyMissing),
        (with("metric", "1"), Reason::WrongType),
        (with("method", "1"), Reason::WrongType),
        (with("job", "[]"), Reason::WrongType),
        (with("item", "{}"), Reason::WrongType),
        (with("labels", "1"), Reason::WrongType),
        (with("value", "1"), Reason::WrongType),
        (with("value", r#"["observe"]"#), Reason::WrongType),
        (with("value", r#"["observe",1,2]"#), Reason::WrongType),
        (with("value", "[1,1]"), Reason::WrongType),
        (with("metric", r#""histogramm""#), Reason::UnknownKind),
        (with("value", r#"["inc",1]"#), Reason::UnknownOperation),
        (with("value", r#"["observe",null]"#), Reason::NotANumber),
        (with("value", r#"["observe","1"]"#), Reason::NotANumber),
        ("{}".into(), Reason::NotAnArray),
        ("1".into(), Reason::NotAnArray),
        (String::new(), Reason::NotJson),
        ("[".into(), Reason::NotJson),
        ("[ ".into(), Reason::NotJson),
        ("nul".into(), Reason::NotJson),
    ] {
        assert_eq!(only(&text), Err(reason), "{text}");
    }
    let lone = with("method", "\"x\"").replace("\"x\"", r#""\ud800""#);
    assert_eq!(only(&lone), Err(Reason::WrongType));
}

#[test]
fn an_empty_array_has_no_record() {
    assert_eq!(read(b"[]"), []);
    assert_eq!(read(b" [ ] "), []);
}

#[test]
fn a_bad_record_costs_no_other() {
    let records = body(&[call("A:a", 1.0), "{}".into(), call("A:b", 2.0)]);
    let read = read(&records);
    assert_eq!(read.len(), 3);
    assert!(read[0].is_ok() && read[2].is_ok());
    assert_eq!(read[1], Err(Reason::KeyMissing));
}

#[test]
fn what_comes_before_a_syntax_error_is_read() {
    let mut bytes = body(&[call("A:a", 1.0), call("A:b", 2.0)]);
    bytes.truncate(bytes.len() - 10);
    let cut = read(&bytes);
    assert!(cut[0].is_ok());
    assert_eq!(cut[1..], [Err(Reason::NotJson)]);
    for (end, more) in [("]]", 1), ("] 1", 1), (" x", 1), (",]", 1)] {
        let bytes = format!("[{}{end}", call("A:a", 1.0)).into_bytes();
        let read = read(&bytes);
        assert!(read[0].is_ok(), "{end}");
        assert_eq!(read[1..], vec![Err(Reason::NotJson); more], "{end}");
    }
    let mut bytes = body(&[call("A:a", 1.0), call("A:\u{e9}", 2.0)]);
    let accent = bytes.iter().position(|byte| *byte > 0x7f).expect("is there");
    bytes[accent] = b'x';
    let cut = read(&bytes);
    assert!(cut[0].is_ok());
    assert_eq!(cut[1..], [Err(Reason::NotJson)], "not UTF-8");
}

#[test]
fn a_message_id_ends_with_a_number() {
    assert_eq!(number_of_id("1f-2-3a", "1f-2-3a-17"), Some(17));
    for id in ["", "17", "1f-2-3a", "1f-2-3a-", "1f-2-3a-+1", "1f-2-3a-1x", "1f-2-3b-1"] {
        assert_eq!(number_of_id("1f-2-3a", id), None, "{id}");
    }
    assert_eq!(number_of_id("", "-1"), None);
    assert_eq!(number_of_id("a", "a-99999999999999999999"), None);
}

#[test]
fn numbers_are_those_of_json() {
    for text in [
        "0",
        "-0",
        "0.0",
        "1",
        "-1.5",
        "123456789012345",
        "12345678901234567890",
        "0.1",
        "1e16",
        "1E-7",
        "1.5e+300",
        "5e-324",
        "0.30000000000000004",
        "1.7976931348623157e+308",
    ] {
        let expected: f64 = text.parse().expect("a number");
        let (number, length) = read_number(format!("{text}]").as_bytes()).expect("a number");
        assert_eq!((number.to_bits(), length), (expected.to_bits(), text.len()), "{text}");
    }
    for text in ["", "-", "+1", ".5", "1.", "01", "-01", "1e", "1e+", "null", "NaN", "1e999", "x"] {
        assert_eq!(read_number(text.as_bytes()), None, "{text}");
    }
}
