//! A chunk's records as the bodies of messages.

use std::collections::HashMap;
use std::sync::Arc;

use phanos_core::path::TextSlot;
use phanos_core::record::{Labels, Metric, Operation};
use phanos_core::value::Value;
use phanos_delivery::{Chunk, Content, Converted, Encoded, encode, join};
use proptest::prelude::*;
use serde_json::Value as Json;

/// A body that has reached this size takes no more records.
const BODY_BYTES: usize = 256 * 1024;

fn metric(name: &str) -> Arc<Metric> {
    Arc::new(Metric::new(name, "histogram", "mS", "JOB"))
}

fn number(number: f64) -> Content {
    Content::Number { operation: Operation::Observe, error_raised: Some(false), number }
}

/// Adds a number with context `A:root`.
fn put(chunk: &mut Chunk, metric: &Arc<Metric>, value: f64) {
    let metric = chunk.metric(metric);
    let slot = chunk.text(TextSlot::default(), |text| text.push_str("A:root"));
    chunk.push(metric, slot, number(value));
}

fn encoded(chunk: &Chunk) -> Vec<Encoded> {
    let mut messages = Vec::new();
    encode(chunk, |message| messages.push(message));
    messages
}

fn records(message: &Encoded) -> Vec<Json> {
    let records: Vec<Json> = serde_json::from_slice(&message.body).expect("a JSON array");
    assert_eq!(records.len(), message.records as usize);
    records
}

#[test]
fn a_number_is_written_as_consumers_know_it() {
    let mut chunk = Chunk::default();
    put(&mut chunk, &metric("time_profiler"), 0.09);
    let messages = encoded(&chunk);
    assert_eq!(
        String::from_utf8_lossy(&messages[0].body),
        r#"[{"item":"A","metric":"histogram","units":"mS","job":"JOB","method":"A:root","labels":{"error_raised":false},"value":["observe",0.09]}]"#
    );
}

#[test]
fn contexts_that_repeat_are_written_each_time() {
    let contexts = ["A:root", "A:root", "B\"\\:x", "B\"\\:x", "C:ž", "A:root", "plain", ""];
    let (time, size) = (metric("time_profiler"), metric("response_size"));
    let mut chunk = Chunk::default();
    for metric in [&time, &size] {
        let metric = chunk.metric(metric);
        let mut known = HashMap::new();
        for context in contexts {
            let slot = known.get(context).copied().unwrap_or_default();
            let slot = chunk.text(slot, |text| text.push_str(context));
            known.insert(context, slot);
            chunk.push(metric, slot, number(1.0));
        }
    }
    for message in encoded(&chunk) {
        let records = records(&message);
        let written = |key: &str| -> Vec<_> {
            records.iter().map(|record| record[key].as_str().expect("a string")).collect()
        };
        assert_eq!(written("method"), contexts);
        assert_eq!(written("item"), ["A", "A", "B\"\\", "B\"\\", "C", "A", "plain", ""]);
    }
}

#[test]
fn an_empty_chunk_makes_no_message() {
    let mut chunk = Chunk::default();
    chunk.metric(&metric("time_profiler"));
    assert!(encoded(&chunk).is_empty());
}

#[test]
fn records_that_are_json_already_stay_as_they_are() {
    let mut chunk = Chunk::default();
    let metric = metric("own");
    let number = chunk.metric(&metric);
    put(&mut chunk, &metric, 1.0);
    let whole = Converted::Json { record: (*br#"{"item":"X"}"#).into(), error_raised: false };
    chunk.push(number, TextSlot::default(), Content::Converted(Box::new(whole)));
    put(&mut chunk, &metric, 2.0);
    let messages = encoded(&chunk);
    assert_eq!(messages.len(), 1);
    let records = records(&messages[0]);
    assert_eq!(records[1], serde_json::json!({"item": "X"}));
    assert_eq!(records[2]["value"][1], 2.0);
}

#[test]
fn long_bodies_are_split_between_records() {
    let mut chunk = Chunk::default();
    let metric = metric("time_profiler");
    for value in 0..5000 {
        put(&mut chunk, &metric, f64::from(value));
    }
    let messages = encoded(&chunk);
    assert!(messages.len() > 1);
    for message in &messages {
        assert!(message.body.len() < BODY_BYTES + 1024);
    }
    let values: Vec<f64> = messages
        .iter()
        .flat_map(records)
        .map(|record| record["value"][1].as_f64().expect("a number"))
        .collect();
    assert_eq!(values, (0..5000).map(f64::from).collect::<Vec<_>>());
}

#[test]
fn arrays_are_joined_to_one() {
    let mut body = b"[1,2]".to_vec();
    join(&mut body, b"[3]");
    join(&mut body, b"[4,5]");
    assert_eq!(body, b"[1,2,3,4,5]");
}

/// One record: which metric, which context, which content.
fn entry() -> impl Strategy<Value = (usize, String, Option<(f64, bool)>, String)> {
    (0..3_usize, ".{0,12}", proptest::option::of((any::<f64>(), any::<bool>())), ".{0,12}")
}

proptest! {
    /// Whatever is recorded, messages are JSON, each of one metric, with every record once and
    /// in order.
    #[test]
    fn any_chunk_becomes_valid_messages(entries in proptest::collection::vec(entry(), 0..60)) {
        let metrics: Vec<Arc<Metric>> = ["one", "two", "three"].map(metric).into();
        let mut chunk = Chunk::default();
        for (which, context, numeric, text) in &entries {
            let metric = chunk.metric(&metrics[*which]);
            let slot = chunk.text(TextSlot::default(), |out| out.push_str(context));
            let content = match numeric {
                Some((number, raised)) => Content::Number {
                    operation: Operation::Observe,
                    error_raised: Some(*raised),
                    number: *number,
                },
                None => Content::Converted(Box::new(Converted::Value {
                    operation: None,
                    value: Value::Text(text.as_str().into()),
                    labels: Labels::Listed(Box::new([(text.as_str().into(), Value::None)])),
                })),
            };
            chunk.push(metric, slot, content);
        }
        let messages = encoded(&chunk);
        for metric in &metrics {
            let expected: Vec<Json> = entries
                .iter()
                .filter(|(which, ..)| Arc::ptr_eq(&metrics[*which], metric))
                .map(|(_, context, ..)| context.as_str().into())
                .collect();
            let contexts: Vec<Json> = messages
                .iter()
                .filter(|message| Arc::ptr_eq(&message.metric, metric))
                .flat_map(records)
                .map(|record| record["method"].clone())
                .collect();
            prop_assert_eq!(contexts, expected);
        }
        let total: u32 = messages.iter().map(|message| message.records).sum();
        prop_assert_eq!(total as usize, entries.len());
    }
}
