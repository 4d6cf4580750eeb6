//! The wire form of one record: a JSON object with its keys in the order that consumers know.

use crate::json::write_string;
use crate::number;
use crate::record::{Labels, Metric};
use crate::value::Value;

/// Appends the beginning of a record, up to its labels. `item` is the part of the context before
/// its first `:`; `method` appends the JSON of the whole context.
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

/// Appends what [`write_value`] appends for a number and the one label that the profiler itself
/// sets (`None`: no labels). `operation` needs no escaping.
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
