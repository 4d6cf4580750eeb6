//! Bodies of messages: as senders make them, and by hand.

use std::sync::Arc;

use phanos_core::path::TextSlot;
use phanos_core::record::{Labels, Metric, Operation};
use phanos_core::value::Value;
use phanos_delivery::{Chunk, Content, Converted, encode};

/// One record as JSON.
pub(crate) fn record(kind: &str, units: &str, method: &str, labels: &str, value: &str) -> String {
    let item = method.split(':').next().expect("a first part");
    format!(
        r#"{{"item":"{item}","metric":"{kind}","units":"{units}","job":"JOB","method":"{method}","labels":{labels},"value":{value}}}"#
    )
}

/// A measured call.
pub(crate) fn call(method: &str, milliseconds: f64) -> String {
    let value = format!(r#"["observe",{milliseconds:?}]"#);
    record("histogram", "mS", method, r#"{"error_raised":false}"#, &value)
}

pub(crate) fn body(records: &[String]) -> Vec<u8> {
    format!("[{}]", records.join(",")).into_bytes()
}

/// What a sender makes of records: method, labels and value.
pub(crate) fn sent(metric: &Metric, rows: &[(String, Labels, Operation, Value)]) -> Vec<Vec<u8>> {
    let metric = Arc::new(metric.clone());
    let mut chunk = Chunk::default();
    let index = chunk.metric(&metric);
    for (method, labels, operation, value) in rows {
        let slot = chunk.text(TextSlot::default(), |text| text.push_str(method));
        let content = match (value, labels) {
            (Value::Float(number), Labels::ErrorRaised(raised)) => Content::Number {
                operation: *operation,
                error_raised: Some(*raised),
                number: *number,
            },
            _ => Content::Converted(Box::new(Converted::Value {
                operation: Some(operation.name().into()),
                value: value.clone(),
                labels: labels.clone(),
            })),
        };
        chunk.push(index, slot, content);
    }
    let mut bodies = Vec::new();
    encode(&chunk, |message| bodies.push(message.body));
    bodies
}
