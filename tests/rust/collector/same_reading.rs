//! Records that are cut, and known again by their heads, mean what reading them means.

use std::collections::HashMap;

use phanos_collector::{Body, Element, Reason, Record, Value, read_number};
use phanos_core::record::{Labels, Metric, Operation};
use phanos_core::value::Value as CoreValue;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::bodies::{body, call, sent};

/// A record, all owned.
type Read = Result<String, Reason>;

fn shown(record: &Record<'_>) -> String {
    match record.value {
        // By its bits.
        Value::Number(_, number) => format!("{record:?} {:x}", number.to_bits()),
        _ => format!("{record:?}"),
    }
}

fn read_whole(bytes: &[u8]) -> Vec<Read> {
    let mut body = Body::unsplit(bytes);
    let mut read = Vec::new();
    while let Some(element) = body.next() {
        read.push(element.and_then(|element| match element {
            Element::Whole(raw) => Record::read(raw).map(|record| shown(&record)),
            Element::Split(_) => panic!("not asked for"),
        }));
    }
    read
}

/// Reads as the aggregate does: a head that was read once is known. Counts what it knew.
fn read_by_heads(
    bytes: &[u8],
    heads: &mut HashMap<Vec<u8>, Vec<u8>>,
    known: &mut usize,
) -> Vec<Read> {
    let mut body = Body::new(bytes);
    let mut read = Vec::new();
    while let Some(element) = body.next() {
        let record = match element {
            Err(reason) => Err(reason),
            Ok(Element::Whole(raw)) => Record::read(raw).map(|record| shown(&record)),
            Ok(Element::Split(split)) => {
                if let Some(example) = heads.get(split.head) {
                    *known += 1;
                    let raw = serde_json::from_slice(example).expect("was read");
                    let mut record = Record::read(raw).expect("was read");
                    let Value::Number(operation, number) = &mut record.value else {
                        panic!("no number: {record:?}");
                    };
                    assert_eq!(*operation, split.operation);
                    *number = split.number;
                    Ok(shown(&record))
                } else {
                    body.whole().and_then(|raw| {
                        let record = Record::read(raw)?;
                        if raw.get().len() == split.length {
                            heads.insert(split.head.to_vec(), raw.get().as_bytes().to_vec());
                        }
                        Ok(shown(&record))
                    })
                }
            }
        };
        read.push(record);
    }
    read
}

fn assert_same(bytes: &[u8], heads: &mut HashMap<Vec<u8>, Vec<u8>>) -> usize {
    let mut known = 0;
    // Twice: the second time heads are known.
    for _ in 0..2 {
        let by_heads = read_by_heads(bytes, heads, &mut known);
        assert_eq!(by_heads, read_whole(bytes), "{}", String::from_utf8_lossy(bytes));
    }
    known
}

/// Text with all that can be mistaken for the structure of a record.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z:.]{0,12}",
        "\\PC{0,8}",
        Just("},\"value\":[\"observe\",1]}".to_owned()),
        Just("\\\"},\"value\":[\"inc\",".to_owned()),
        Just("\\".to_owned()),
        Just("\u{0}\n\"".to_owned()),
    ]
}

fn label_value() -> impl Strategy<Value = CoreValue> {
    prop_oneof![
        text().prop_map(|text| CoreValue::Text(text.into())),
        any::<bool>().prop_map(CoreValue::Bool),
        any::<i64>().prop_map(CoreValue::Int),
        any::<f64>().prop_map(CoreValue::Float),
        Just(CoreValue::None),
        Just(CoreValue::Json(r#"{"a":{},"value":["inc",1]}"#.into())),
    ]
}

fn labels() -> impl Strategy<Value = Labels> {
    prop_oneof![
        Just(Labels::None),
        any::<bool>().prop_map(Labels::ErrorRaised),
        vec((prop_oneof![text(), Just("value".to_owned())], label_value()), 0..3).prop_map(
            |listed| Labels::Listed(
                listed.into_iter().map(|(name, value)| (name.into(), value)).collect()
            )
        ),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        Just(Operation::Observe),
        Just(Operation::Inc),
        Just(Operation::Dec),
        Just(Operation::Set)
    ]
}

fn number() -> impl Strategy<Value = CoreValue> {
    prop_oneof![
        any::<f64>().prop_map(CoreValue::Float),
        (0_u32..1_000_000).prop_map(|hundredths| CoreValue::Float(f64::from(hundredths) / 100.0)),
        any::<i64>().prop_map(CoreValue::Int),
        label_value(),
    ]
}

fn sent_bodies() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let kind = prop_oneof![Just("histogram"), Just("counter"), Just("gauge"), Just("info")];
    let row = (text(), labels(), operation(), number());
    (kind, text(), text(), vec(row, 1..6)).prop_map(|(kind, units, job, rows)| {
        sent(&Metric::new("metric", kind, &units, &job), &rows)
    })
}

/// Pieces of JSON, put together in any way.
fn scraps() -> impl Strategy<Value = Vec<u8>> {
    let record = call("A:b", 1.5);
    let scrap = prop_oneof![
        4 => Just(record),
        1 => Just(",".to_owned()),
        1 => Just("[".to_owned()),
        1 => Just("]".to_owned()),
        1 => Just("{".to_owned()),
        1 => Just("}".to_owned()),
        1 => Just(" ".to_owned()),
        1 => Just("\"".to_owned()),
        1 => Just(r#""labels":{},"value":["observe",1]}"#.to_owned()),
        1 => Just(r#"{"metric":"counter","method":"m","a":{"b":{},"value":["inc",1]},"value":["inc",2]}"#.to_owned()),
        1 => Just(r#"{"value":["inc",1],"a":{},"value":["inc",2]}"#.to_owned()),
        1 => Just(r#"{"metric":"counter","method":"m","l":{},"value":["inc",2] }"#.to_owned()),
    ];
    vec(scrap, 0..8).prop_map(|scraps| format!("[{}]", scraps.concat()).into_bytes())
}

/// A change of some bytes: another byte, one more, one fewer, a piece twice, an end cut off.
fn mutation() -> impl Strategy<Value = (u8, Index, Index, u8)> {
    let byte =
        prop_oneof![any::<u8>(), Just(b'"'), Just(b'}'), Just(b'['), Just(b','), Just(b'\\')];
    (0_u8..5, any::<Index>(), any::<Index>(), byte)
}

fn mutate(bytes: &mut Vec<u8>, (kind, one, other, byte): (u8, Index, Index, u8)) {
    if bytes.is_empty() {
        return;
    }
    let (one, other) = (one.index(bytes.len()), other.index(bytes.len()));
    match kind {
        0 => bytes[one] = byte,
        1 => bytes.insert(one, byte),
        2 => drop(bytes.remove(one)),
        3 => {
            let piece = bytes[one.min(other)..one.max(other)].to_vec();
            bytes.splice(other..other, piece);
        }
        _ => bytes.truncate(one),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_senders_make_is_read_alike(bodies in sent_bodies()) {
        let mut heads = HashMap::new();
        for body in bodies {
            assert_same(&body, &mut heads);
        }
    }

    #[test]
    fn scraps_are_read_alike(bytes in scraps()) {
        let mut heads = HashMap::new();
        assert_same(&body(&[call("A:b", 2.5)]), &mut heads);
        assert_same(&bytes, &mut heads);
    }

    #[test]
    fn mutations_are_read_alike(
        bodies in sent_bodies(),
        mutations in vec(mutation(), 1..4),
    ) {
        let mut heads = HashMap::new();
        for mut body in bodies {
            assert_same(&body, &mut heads);
            for change in &mutations {
                mutate(&mut body, *change);
                assert_same(&body, &mut heads);
            }
        }
    }

    #[test]
    fn numbers_are_read_as_serde_json_reads_them(text in "-?[0-9]{1,20}(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?|[-+.0-9eE]{0,8}") {
        let expected: Option<f64> = serde_json::from_str(&text).ok();
        let read = read_number(text.as_bytes());
        let whole = read.filter(|(_, length)| *length == text.len()).map(|(number, _)| number);
        prop_assert_eq!(whole.map(f64::to_bits), expected.map(f64::to_bits), "{}", text);
    }
}

#[test]
fn heads_are_known_again() {
    let calls: Vec<String> = (0..10).map(|number| call("A:b.c", f64::from(number))).collect();
    let known = assert_same(&body(&calls), &mut HashMap::new());
    assert_eq!(known, 9 + 10);
}
