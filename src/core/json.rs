//! JSON as orjson writes it: compact, UTF-8, nothing escaped that need not be. And the wire
//! form of one metric's records.

use std::ops::Range;

use serde::Serialize;

use super::number;
use super::record::{Labels, Method, Metric};
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

/// Writes the wire form of one metric's records, one by one: a compact JSON array, keys in
/// the order that consumers know.
pub struct JsonArray<'a> {
    metric: &'a Metric,
    out: Vec<u8>,
    /// Key of the last context, and where everything up to the labels stands for it: calls
    /// of one function often follow each other, and one copy is cheaper than escaping anew.
    last: Option<(u64, Range<usize>)>,
}

impl<'a> JsonArray<'a> {
    /// For about `records` records of `metric`.
    pub fn new(metric: &'a Metric, records: usize) -> Self {
        let mut out = Vec::with_capacity(records * 192 + 2);
        out.push(b'[');
        Self { metric, out, last: None }
    }

    pub fn add(
        &mut self,
        method: &impl Method,
        operation: Option<&str>,
        value: &Value,
        labels: &Labels,
    ) {
        self.begin(method);
        write_value(&mut self.out, operation, value, labels);
    }

    /// The same for a number and the labels that the profiler itself sets; `operation` is
    /// written as it is.
    pub fn add_number(
        &mut self,
        method: &impl Method,
        operation: &'static str,
        number: f64,
        error_raised: Option<bool>,
    ) {
        self.begin(method);
        write_number(&mut self.out, operation, number, error_raised);
    }

    /// The whole array.
    pub fn finish(mut self) -> Vec<u8> {
        self.out.push(b']');
        self.out
    }

    /// Everything of a record up to its labels.
    fn begin(&mut self, method: &impl Method) {
        if self.out.len() > 1 {
            self.out.push(b',');
        }
        let key = method.key();
        if let (Some(key), Some((known, range))) = (key, &self.last)
            && key == *known
        {
            self.out.extend_from_within(range.clone());
            return;
        }
        let start = self.out.len();
        self.out.extend_from_slice(b"{\"item\":");
        method.write_json(self.metric.json_middle(), &mut self.out);
        self.out.extend_from_slice(b",\"labels\":");
        self.last = key.map(|key| (key, start..self.out.len()));
    }
}

/// Appends what follows the context in a record: labels and value, and the closing brace.
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
