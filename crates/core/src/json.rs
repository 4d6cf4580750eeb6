//! JSON as orjson writes it: compact, UTF-8, nothing escaped that need not be. And the wire
//! form of one record, keys in the order that consumers know.

use serde::Serialize;

use super::number;
use super::record::{Labels, Metric};
use super::value::Value;

/// Appends `text` as a JSON string.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    write_with_serde(text, out);
}

/// Appends what `serde_json` makes of a number or a string: the same as orjson.
pub(super) fn write_with_serde<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let _ = serde_json::to_writer(out, value);
}

/// Appends a record up to its labels. `item` is the first part of the context, and `method`
/// appends the JSON of all of it.
pub fn write_head(
    metric: &Metric,
    item: &str,
    method: impl FnOnce(&mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"{\"item\":");
    write_string(item, out);
    out.extend_from_slice(&metric.json_middle);
    method(out);
    out.extend_from_slice(b",\"labels\":");
}

/// Appends what follows the head of a record: labels and value, and the closing brace.
pub fn write_value(out: &mut Vec<u8>, operation: Option<&str>, value: &Value, labels: &Labels) {
    labels.write_json(out);
    out.extend_from_slice(b",\"value\":");
    if let Some(operation) = operation {
        out.push(b'[');
        write_string(operation, out);
        out.push(b',');
        value.write_json(out);
        out.push(b']');
    } else {
        value.write_json(out);
    }
    out.push(b'}');
}

/// The same for a number and the labels that the profiler itself sets; `operation` is written
/// as it is.
pub fn write_number(out: &mut Vec<u8>, operation: &str, number: f64, error_raised: Option<bool>) {
    out.extend_from_slice(match error_raised {
        None => b"{},\"value\":[\"",
        Some(true) => b"{\"error_raised\":true},\"value\":[\"",
        Some(false) => b"{\"error_raised\":false},\"value\":[\"",
    });
    out.extend_from_slice(operation.as_bytes());
    out.extend_from_slice(b"\",");
    number::write_json(number, out);
    out.extend_from_slice(b"]}");
}
