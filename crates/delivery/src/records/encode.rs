//! A chunk's records as the JSON bodies of messages: the records of one metric that wait together
//! travel together.

use std::sync::Arc;

use phanos_core::json::write_string;
use phanos_core::path::item_of_path;
use phanos_core::record::Metric;
use phanos_core::record_json::{write_head, write_number, write_value};

use crate::records::chunk::{Chunk, Content, Converted, Entry};

/// A body that has reached this size takes no more records.
pub(crate) const BODY_BYTES: usize = 256 * 1024;

/// The body of one message.
pub struct Encoded {
    pub metric: Arc<Metric>,
    /// A JSON array, compact, UTF-8.
    pub body: Vec<u8>,
    pub records: u32,
}

/// Calls `emit` with the messages of `chunk`: metric by metric, the records of each in order.
pub fn encode(chunk: &Chunk, mut emit: impl FnMut(Encoded)) {
    let mut by_metric: Vec<Vec<&Entry>> = chunk.metrics.iter().map(|_| Vec::new()).collect();
    for entry in &chunk.entries {
        by_metric[entry.metric as usize].push(entry);
    }
    // The heads of one metric at a time, with that metric's place: there may be as many metrics as
    // texts, and a list for each of them would take their product.
    let mut heads: Vec<Option<(usize, Box<[u8]>)>> = vec![None; chunk.texts.len()];
    for (place, (metric, entries)) in chunk.metrics.iter().zip(by_metric).enumerate() {
        let mut body = Vec::new();
        let mut records = 0;
        for entry in entries {
            body.push(if records == 0 { b'[' } else { b',' });
            if !entry.content.is_whole() {
                let slot = entry.text as usize;
                let known = heads[slot].take_if(|(of, _)| *of == place);
                let head = known.unwrap_or_else(|| (place, head(metric, &chunk.texts[slot])));
                body.extend_from_slice(&head.1);
                heads[slot] = Some(head);
            }
            write_rest(&mut body, &entry.content);
            records += 1;
            if body.len() >= BODY_BYTES {
                body.push(b']');
                let full = std::mem::take(&mut body);
                emit(Encoded { metric: Arc::clone(metric), body: full, records });
                records = 0;
            }
        }
        if records > 0 {
            body.push(b']');
            emit(Encoded { metric: Arc::clone(metric), body, records });
        }
    }
}

/// Appends the records of the JSON array `more` to the JSON array `body`; neither may be empty.
pub fn join(body: &mut Vec<u8>, more: &[u8]) {
    body.pop();
    body.push(b',');
    body.extend_from_slice(&more[1..]);
}

/// The beginning of a record, up to its labels.
fn head(metric: &Metric, method: &str) -> Box<[u8]> {
    let mut out = Vec::with_capacity(128 + 2 * method.len());
    write_head(metric, item_of_path(method), |out| write_string(method, out), &mut out);
    out.into()
}

/// What follows the head: labels and value; or the record itself if it is JSON as a whole.
fn write_rest(out: &mut Vec<u8>, content: &Content) {
    match content {
        Content::Number { operation, error_raised, number } => {
            write_number(out, operation.name(), *number, *error_raised);
        }
        Content::Converted(converted) => match &**converted {
            Converted::Value { operation, value, labels } => {
                write_value(out, operation.as_deref(), value, labels);
            }
            Converted::Json { record, .. } => out.extend_from_slice(record),
        },
    }
}
